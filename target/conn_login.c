/* Login phase (RFC 7143, 6, 11.12, 11.13): who is it, what is agreed, and the session that begins.
 *
 * A login either begins a session (TSIH 0), in the place of one of the same initiator port if there
 * is one (6.3.5), or takes over the connection of a session that stands or waits to be continued
 * (6.3.4). Either way, nothing goes on before the old tasks have left the device.
 */
#include <string.h>

#include "iscsi/name.h"
#include "sim/core/mem.h"
#include "target/conn_inside.h"

#define LOGIN_SEGMENT_BYTES                                                                        \
    8192u /* the default of MaxRecvDataSegmentLength holds in login (6.1)                          \
           */

void conn_login_free(struct conn *conn)
{
    struct login *login = conn->login;

    if (!login)
        return;
    text_fini(&login->received);
    text_fini(&login->answers);
    pool_give(conn->target->pool, login, sizeof(*login));
    conn->login = NULL;
}

static void begin(struct conn *conn)
{
    struct login *login = pool_take(conn->target->pool, sizeof(*login));

    *login = (struct login){0};
    text_init(&login->received, conn->target->pool, TEXT_LOGIN_MOST);
    text_init(&login->answers, conn->target->pool, TEXT_LOGIN_MOST);
    conn->login = login;
    conn->state = CONN_LOGIN;
}

/* ---- responses ---- */

static struct reply *response(struct conn *conn, struct buf *data)
{
    const struct login_watch *watch = &conn->login->watch;
    struct reply *reply = conn_reply(conn, PDU_LOGIN_RESPONSE, watch->itt, data);

    reply->pdu.login_response.csg = watch->stage;
    reply->pdu.login_response.tsih = watch->tsih;
    memcpy(reply->pdu.login_response.isid, watch->isid, PDU_ISID_BYTES);
    return reply;
}

/* Lets the watch see what we answer: our own order is a promise, not an outcome. */
static void note_response(struct conn *conn, const struct reply *reply, size_t data_bytes)
{
    struct pdu pdu = reply->pdu;

    pdu.data_bytes = (uint32_t)data_bytes;
    enum login_outcome outcome = login_see_response(&conn->login->watch, &pdu);

    assert(outcome == LOGIN_OK);
    (void)outcome;
}

/* Where to go instead: without a portal group tag (13.8). */
static struct buf *moved_text(struct conn *conn)
{
    const struct target_address address = {.at = conn->target->moved_to};
    char value[ISCSI_ADDRESS_BYTES];
    bool continues;

    target_address_format(&address, value);
    text_clear(&conn->login->answers);
    text_add(&conn->login->answers, "TargetAddress", value);
    return text_take(&conn->login->answers, LOGIN_SEGMENT_BYTES, &continues);
}

void conn_refuse_login(struct conn *conn, uint16_t status, const char *why, int64_t now_ns)
{
    bool has_moved =
        status == ISCSI_LOGIN_MOVED_TEMPORARILY || status == ISCSI_LOGIN_MOVED_PERMANENTLY;
    struct reply *reply = response(conn, has_moved ? moved_text(conn) : NULL);

    reply->pdu.login_response.status_class = (uint8_t)(status >> 8);
    reply->pdu.login_response.status_detail = (uint8_t)status;
    conn->login_status = status;
    conn->target->counters.refusals++;
    conn_close_when_sent(conn, CONN_LOGIN_REFUSED, why, now_ns);
}

/* ---- the session ---- */

/* The last response of the login; from here on it is full feature phase. */
static void enter_full_feature(struct conn *conn, struct session *session)
{
    struct login *login = conn->login;
    const struct iscsi_params *agreed = &login->negotiation.agreed;
    bool continues;
    struct buf *data =
        text_take(&login->answers, LOGIN_SEGMENT_BYTES, &continues); /* the end of them */

    assert(!continues);
    struct reply *reply = response(conn, data);

    reply->pdu.login_response.transit = true;
    reply->pdu.login_response.nsg = ISCSI_FULL_FEATURE_PHASE;
    reply->pdu.login_response.tsih = session->tsih;
    reply->then = THEN_FULL_FEATURE;
    note_response(conn, reply, buf_bytes(data));
    if (conn->target->trace->ops->agreed)
        conn->target->trace->ops->agreed(conn->target->trace, conn->number, true, agreed);

    conn->cid = login->watch.cid;
    conn->params = *agreed;
    framer_set_digests(&conn->framer, agreed->header_digest == DIGEST_CRC32C,
                       agreed->data_digest == DIGEST_CRC32C);
    framer_set_max_data(&conn->framer, agreed->max_recv_segment_bytes);
    conn->framer.max_ahs_bytes = PDU_AHS_MOST_BYTES;
    target_session_join(session, conn);
    conn_leave_door(conn);
    conn->state = CONN_FULL_FEATURE;
    conn->has_logged_in_event = true;
    conn->target->counters.logins++;
    conn_login_free(conn);
}

/* A new session, once no old one of this initiator port is left. */
static void begin_session(struct conn *conn, int64_t now_ns)
{
    struct target *target = conn->target;
    struct login *login = conn->login;
    struct session *old = target_session_find(target, &login->key);

    if (old) {
        target->counters.reinstatements++;
        target_session_end(old);
        bool must_wait = conn_must_wait(conn, old); /* then it stays, else it goes right here */

        conn_drop_all(old, CONN_REINSTATED, now_ns);
        if (must_wait)
            return;
    }
    old = target_session_find_over(target, &login->key);
    if (old && conn_must_wait(conn, old))
        return;
    if (HASH_COUNT(target->sessions) >= target->limits.sessions) {
        conn_refuse_login(conn, ISCSI_LOGIN_OUT_OF_RESOURCES, "too many sessions", now_ns);
        return;
    }
    struct session *session = target_session_new(target, &login->key, conn->portal_index,
                                                 login->watch.cmd_sn, &login->negotiation.agreed);

    if (session)
        enter_full_feature(conn, session);
    else
        conn_refuse_login(conn, ISCSI_LOGIN_OUT_OF_RESOURCES, "no free TSIH", now_ns);
}

static struct session *session_of_tsih(const struct conn *conn)
{
    struct session *session = target_session_find(conn->target, &conn->login->key);

    return session && session->tsih == conn->login->watch.tsih ? session : NULL;
}

/* The connection that this one takes the place of ends first (6.3.4), and its tasks with it. */
static void continue_session(struct conn *conn, int64_t now_ns)
{
    struct session *session = session_of_tsih(conn);

    if (!session) {
        conn_refuse_login(conn, ISCSI_LOGIN_NO_SESSION, "no session has this TSIH", now_ns);
        return;
    }
    struct conn *old = session->conns;

    if (old) /* MaxConnections is 1: it is the one with our CID, see check_tsih() */
        conn_drop(old, CONN_REINSTATED, "", now_ns);
    if (conn_must_wait(conn, session))
        return;
    enter_full_feature(conn, session);
}

void conn_login_go_on(struct conn *conn, int64_t now_ns)
{
    if (conn->login->watch.tsih == 0)
        begin_session(conn, now_ns);
    else
        continue_session(conn, now_ns);
}

/* ---- the first request: names ---- */

static bool copy_name(const char *name, char to[SESSION_NAME_BYTES])
{
    size_t bytes = strlen(name);

    if (bytes >= SESSION_NAME_BYTES)
        return false;
    for (size_t i = 0; i < bytes; i++)
        to[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    return iscsi_name_is_valid(to);
}

/* A login with a TSIH belongs to a session that stands (11.12.6). */
static uint16_t check_tsih(struct conn *conn)
{
    const struct session *session;

    if (conn->login->watch.tsih == 0)
        return ISCSI_LOGIN_SUCCESS;
    session = session_of_tsih(conn);
    if (!session)
        return ISCSI_LOGIN_NO_SESSION;
    if (session->conns && session->conns->cid != conn->login->watch.cid)
        return ISCSI_LOGIN_TOO_MANY_CONNECTIONS;
    return ISCSI_LOGIN_SUCCESS;
}

static uint16_t take_target_name(struct conn *conn, const char *name)
{
    char wanted[SESSION_NAME_BYTES] = "";

    if (!name)
        return conn->login->key.is_discovery ? ISCSI_LOGIN_SUCCESS : ISCSI_LOGIN_MISSING_PARAMETER;
    if (!copy_name(name, wanted) || strcmp(wanted, conn->target->name) != 0)
        return ISCSI_LOGIN_NOT_FOUND;
    return ISCSI_LOGIN_SUCCESS;
}

/* A new session that has to begin elsewhere (11.13.5). */
static uint16_t check_moved(const struct conn *conn)
{
    const struct target *target = conn->target;
    const struct endpoint *here = &target->portals[conn->portal_index].at;

    if (target->moved_to.address == 0 || conn->login->key.is_discovery ||
        conn->login->watch.tsih != 0 ||
        (here->address == target->moved_to.address && here->port == target->moved_to.port))
        return ISCSI_LOGIN_SUCCESS;
    return target->has_moved_for_good ? ISCSI_LOGIN_MOVED_PERMANENTLY
                                      : ISCSI_LOGIN_MOVED_TEMPORARILY;
}

static uint16_t take_names(struct conn *conn, const char *text, size_t size)
{
    struct login *login = conn->login;
    const char *type = text_find(text, size, "SessionType");
    const char *name = text_find(text, size, "InitiatorName");

    if (!conn->target->is_in_service)
        return ISCSI_LOGIN_SERVICE_UNAVAILABLE;
    if (!name)
        return ISCSI_LOGIN_MISSING_PARAMETER;
    if (!copy_name(name, login->key.initiator_name))
        return ISCSI_LOGIN_INITIATOR_ERROR;
    if (type && strcmp(type, "Discovery") == 0)
        login->key.is_discovery = 1;
    else if (type && strcmp(type, "Normal") != 0)
        return ISCSI_LOGIN_SESSION_TYPE;
    memcpy(login->key.isid, login->watch.isid, PDU_ISID_BYTES);
    login->key.portal_group_tag = conn->target->portals[conn->portal_index].portal_group_tag;
    uint16_t status = take_target_name(conn, text_find(text, size, "TargetName"));

    if (status == ISCSI_LOGIN_SUCCESS)
        status = check_moved(conn);
    return status == ISCSI_LOGIN_SUCCESS ? check_tsih(conn) : status;
}

/* What a later connection finds: the values of its session (13, "use LO"). */
static void begin_negotiation(struct conn *conn)
{
    struct login *login = conn->login;
    bool is_leading = login->watch.tsih == 0;
    struct negotiate_role role = {.is_discovery = login->key.is_discovery != 0,
                                  .is_leading = is_leading};

    negotiate_init(&login->negotiation, role, &conn->target->profile.iscsi);
    if (is_leading)
        return;
    login->negotiation.agreed = session_of_tsih(conn)->params;
    login->negotiation.agreed.header_digest = iscsi_default_params.header_digest;
    login->negotiation.agreed.data_digest = iscsi_default_params.data_digest;
    login->negotiation.agreed.max_recv_segment_bytes = iscsi_default_params.max_recv_segment_bytes;
    login->negotiation.agreed.peer_max_recv_segment_bytes =
        iscsi_default_params.peer_max_recv_segment_bytes;
}

/* The group's tag answers the TargetName of the first request (13.9). */
static void tell_group(struct conn *conn, bool has_target_name)
{
    struct login *login = conn->login;

    if (conn->target->alias[0] && has_target_name)
        text_add(&login->answers, "TargetAlias", conn->target->alias);
    if (has_target_name)
        text_add_number(&login->answers, "TargetPortalGroupTag", login->key.portal_group_tag);
}

static uint16_t take_first_text(struct conn *conn, const char *text, size_t size)
{
    struct login *login = conn->login;

    if (text_check(text, size, &text_login_limits) != TEXT_OK)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    uint16_t status = take_names(conn, text, size);

    if (status != ISCSI_LOGIN_SUCCESS)
        return status;
    login->has_names = true;
    begin_negotiation(conn);
    tell_group(conn, text_find(text, size, "TargetName") != NULL);
    return ISCSI_LOGIN_SUCCESS;
}

/* ---- keys ---- */

static const struct chap_policy *policy_of(const struct conn *conn)
{
    return conn->login->key.is_discovery ? &conn->target->discovery_chap : &conn->target->chap;
}

/* Who opens a second connection to have our challenge on the first one answered by ourselves. */
static bool is_reflected(const struct target *target, const char *challenge)
{
    uint8_t data[CHAP_BINARY_MOST];
    size_t bytes;

    if (!challenge || !text_to_binary(challenge, data, sizeof(data), &bytes))
        return false;
    for (const struct conn *conn = target->conns; conn; conn = conn->next)
        if (conn->login && chap_is_challenge(&conn->login->chap.challenge, data, bytes))
            return true;
    return false;
}

static uint16_t status_of(enum chap_outcome outcome)
{
    switch (outcome) {
    case CHAP_GOOD:
        return ISCSI_LOGIN_SUCCESS;
    case CHAP_MISSING:
        return ISCSI_LOGIN_MISSING_PARAMETER;
    case CHAP_OUT_OF_ORDER:
    case CHAP_BAD_NUMBER:
    case CHAP_BAD_BINARY:
        return ISCSI_LOGIN_INITIATOR_ERROR;
    case CHAP_NO_METHOD:
    case CHAP_SKIPPED:
    case CHAP_NO_ALGORITHM:
    case CHAP_UNKNOWN:
    case CHAP_REFLECTED:
    case CHAP_NO_IDENTITY:
        return ISCSI_LOGIN_AUTHENTICATION_FAILURE;
    }
    return ISCSI_LOGIN_INITIATOR_ERROR;
}

/* AuthMethod (12.1) and CHAP's keys: CHAP where somebody has to authenticate, else None. Who names
 * no method and still wants to leave the stage, or begins behind it, has skipped it. */
static uint16_t take_security(struct conn *conn, bool is_security, const char *text, size_t size)
{
    struct login *login = conn->login;
    const struct chap_policy *policy = policy_of(conn);
    enum chap_outcome outcome = CHAP_GOOD;

    if (is_security && is_reflected(conn->target, text_find(text, size, "CHAP_C")))
        outcome = CHAP_REFLECTED;
    else if (is_security)
        outcome = chap_target_take(&login->chap, policy, conn->target->chance, text, size,
                                   &login->answers);
    if (outcome == CHAP_GOOD && !chap_target_is_done(&login->chap, policy) &&
        (!is_security || (login->chap.step == CHAP_AT_METHOD && login->watch.asks_transit)))
        outcome = CHAP_SKIPPED;
    login->chap_outcome = outcome;
    return status_of(outcome);
}

/* The text of the stage is complete. Fills the answers. */
static uint16_t take_text(struct conn *conn)
{
    struct login *login = conn->login;
    const char *text = text_bytes(&login->received);
    size_t size = login->received.bytes;
    bool is_security = login->watch.stage == ISCSI_SECURITY_NEGOTIATION;
    enum negotiate_phase phase = is_security ? NEGOTIATE_SECURITY : NEGOTIATE_OPERATIONAL;
    uint16_t status = ISCSI_LOGIN_SUCCESS;

    text_clear(&login->answers);
    if (!login->has_names)
        status = take_first_text(conn, text, size);
    if (status != ISCSI_LOGIN_SUCCESS)
        return status;
    if (negotiate_receive(&login->negotiation, phase, text, size, &login->answers) !=
        NEGOTIATE_GOOD)
        return ISCSI_LOGIN_INITIATOR_ERROR;
    status = take_security(conn, is_security, text, size);
    if (!is_security)
        negotiate_offer(&login->negotiation, phase, &login->answers);
    text_clear(&login->received);
    return login->answers.is_too_long ? ISCSI_LOGIN_INITIATOR_ERROR : status;
}

static const char *refusal_detail(const struct login *login)
{
    enum negotiate_failure failure = login->negotiation.failure;

    if (login->chap_outcome != CHAP_GOOD)
        return chap_outcome_word(login->chap_outcome);
    return failure == NEGOTIATE_GOOD ? "" : negotiate_failure_word(failure);
}

/* One response: the next part of the answers, and the step to the next stage when it is due. */
static void answer(struct conn *conn, int64_t now_ns)
{
    struct login *login = conn->login;
    struct login_watch *watch = &login->watch;
    bool is_rest_short = text_left(&login->answers) <= LOGIN_SEGMENT_BYTES;
    bool transits = is_rest_short && watch->asks_transit &&
                    negotiate_is_complete(&login->negotiation) &&
                    chap_target_is_done(&login->chap, policy_of(conn));
    bool continues;

    if (transits && watch->asked_nsg == ISCSI_FULL_FEATURE_PHASE) {
        conn_login_go_on(conn, now_ns);
        return;
    }
    struct buf *data = text_take(&login->answers, LOGIN_SEGMENT_BYTES, &continues);
    struct reply *reply = response(conn, data);

    reply->pdu.login_response.transit = transits;
    reply->pdu.login_response.continues = continues;
    reply->pdu.login_response.nsg = transits ? watch->asked_nsg : 0;
    note_response(conn, reply, buf_bytes(data));
}

/* The initiator has more to say: an empty answer asks for it (6.2). */
static void ask_for_more(struct conn *conn)
{
    struct reply *reply = response(conn, NULL);

    note_response(conn, reply, 0);
}

void conn_login_request(struct conn *conn, const struct pdu *pdu, struct buf *data, int64_t now_ns)
{
    if (!conn->login)
        begin(conn);
    struct login *login = conn->login;
    bool was_answering = login->watch.response_continues;
    enum login_outcome outcome = login_see_request(&login->watch, pdu);
    bool fits = outcome == LOGIN_OK && text_join(&login->received, data);
    uint16_t status;

    buf_free(data);
    if (outcome != LOGIN_OK) {
        if (!login->watch.has_begun) { /* what a refusal repeats */
            login->watch.itt = pdu->itt;
            login->watch.cmd_sn = pdu->cmd_sn;
            memcpy(login->watch.isid, pdu->login_request.isid, PDU_ISID_BYTES);
        }
        conn_refuse_login(conn, (uint16_t)login_outcome_status(outcome),
                          login_outcome_word(outcome), now_ns);
        return;
    }
    if (!fits) {
        conn_refuse_login(conn, ISCSI_LOGIN_INITIATOR_ERROR, "the text is too long", now_ns);
        return;
    }
    if (pdu->login_request.continues) {
        ask_for_more(conn);
        return;
    }
    if (!was_answering) {
        status = take_text(conn);
        if (status != ISCSI_LOGIN_SUCCESS) {
            conn_refuse_login(conn, status, refusal_detail(login), now_ns);
            return;
        }
    }
    answer(conn, now_ns);
}
