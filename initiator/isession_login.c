/* Login (RFC 7143, 6.3, 11.12, 11.13): the initiator leads, stage by stage.
 *
 *   SecurityNegotiation (None, CHAP) -> LoginOperationalNegotiation -> Full Feature Phase
 *
 * or straight into the second. One request is out at a time; each carries the answers and offers
 * that are due, and asks to move on (T) as soon as nothing is open from our side.
 */
#include "initiator/isession_inside.h"

#include "iscsi/name.h"

#include <assert.h>
#include <string.h>

static bool starts_in_security(const struct isession *session)
{
    return session->config.starts_in_security || session->config.chap.own;
}

static uint8_t stage_of(const struct isession *session)
{
    const struct login_watch *watch = &session->login_watch;

    if (watch->has_begun)
        return watch->stage;
    return starts_in_security(session) ? ISCSI_SECURITY_NEGOTIATION
                                       : ISCSI_LOGIN_OPERATIONAL_NEGOTIATION;
}

static enum negotiate_phase phase_of(uint8_t stage)
{
    return stage == ISCSI_SECURITY_NEGOTIATION ? NEGOTIATE_SECURITY : NEGOTIATE_OPERATIONAL;
}

static void send_request(struct isession *session, struct connection *c)
{
    uint8_t stage = stage_of(session);
    bool continues = false;
    struct buf *data = NULL;
    struct pdu pdu = {.opcode = PDU_LOGIN_REQUEST};
    struct pdu_login_request *login = &pdu.login_request;

    if (text_left(&session->outgoing) > 0)
        data =
            text_take(&session->outgoing, iscsi_default_params.max_recv_segment_bytes, &continues);
    isession_number(session, session->login_task, true, &pdu);
    memcpy(login->isid, session->config.isid, sizeof(login->isid));
    login->cid = session->config.cid;
    login->csg = stage;
    login->continues = continues;
    /* While the target's text goes on, ours has to wait (6.1). */
    login->transit = !continues && !session->login_watch.response_continues &&
                     (stage != ISCSI_SECURITY_NEGOTIATION ||
                      chap_initiator_may_transit(&session->chap, &session->config.chap));
    if (login->transit)
        login->nsg = stage == ISCSI_SECURITY_NEGOTIATION ? ISCSI_LOGIN_OPERATIONAL_NEGOTIATION
                                                         : ISCSI_FULL_FEATURE_PHASE;
    pdu.exp_stat_sn = c->exp_stat_sn;
    enum login_outcome outcome = login_see_request(&session->login_watch, &pdu);

    assert(outcome == LOGIN_OK);
    (void)outcome;
    isession_send(session, c, &pdu, data);
}

static void add_names(struct isession *session)
{
    const struct isession_config *config = &session->config;

    text_add(&session->outgoing, "InitiatorName", config->initiator_name);
    if (config->initiator_alias)
        text_add(&session->outgoing, "InitiatorAlias", config->initiator_alias);
    if (config->target_name)
        text_add(&session->outgoing, "TargetName", config->target_name);
    text_add(&session->outgoing, "SessionType", config->target_name ? "Normal" : "Discovery");
}

void login_begin(struct isession *session, struct connection *c)
{
    struct negotiate_role role = {
        .is_initiator = true, .is_discovery = isession_is_discovery(session), .is_leading = true};

    session->login_task = task_take(session, TASK_LOGIN);
    assert(session->login_task);
    negotiate_init(&session->negotiation, role, &session->config.offer);
    add_names(session);
    if (starts_in_security(session))
        chap_initiator_begin(&session->chap, &session->config.chap, &session->outgoing);
    else
        negotiate_offer(&session->negotiation, NEGOTIATE_OPERATIONAL, &session->outgoing);
    send_request(session, c);
}

static void failed(struct isession *session, uint8_t status_class, uint8_t status_detail)
{
    isession_end_with(session, &(struct isession_event){.kind = ISESSION_ENDED,
                                                        .end = LOST_LOGIN_FAILED,
                                                        .text = "",
                                                        .status_class = status_class,
                                                        .status_detail = status_detail});
}

/* Class 1: the keys of the answer say where to go instead (13.8). */
static void moved(struct isession *session, const struct pdu *pdu)
{
    const char *bytes = text_bytes(&session->incoming);
    struct target_address address;
    bool is_for_good = (pdu->login_response.status_class << 8 |
                        pdu->login_response.status_detail) == ISCSI_LOGIN_MOVED_PERMANENTLY;

    if (text_check(bytes, session->incoming.bytes, &text_login_limits) == TEXT_OK) {
        const char *value = text_find(bytes, session->incoming.bytes, "TargetAddress");

        if (value && target_address_parse(value, &address)) {
            isession_end_with(session, &(struct isession_event){.kind = ISESSION_REDIRECTED,
                                                                .end = LOST_LOGIN_FAILED,
                                                                .text = "",
                                                                .moved_address = address.at.address,
                                                                .moved_port = address.at.port,
                                                                .has_moved_for_good = is_for_good});
            return;
        }
    }
    failed(session, pdu->login_response.status_class, pdu->login_response.status_detail);
}

static void complete(struct isession *session, struct connection *c, const struct pdu *pdu)
{
    session->params = session->negotiation.agreed;
    session->tsih = pdu->login_response.tsih;
    c->digests = (struct framer_digests){.header = session->params.header_digest == DIGEST_CRC32C,
                                         .data = session->params.data_digest == DIGEST_CRC32C};
    framer_set_digests(&c->framer, c->digests.header, c->digests.data);
    framer_set_max_data(&c->framer, session->params.max_recv_segment_bytes);
    task_give(session, session->login_task);
    session->login_task = NULL;
    session->state = ISESSION_FULL_FEATURE;
    isession_emit(session, &(struct isession_event){.kind = ISESSION_LOGGED_IN, .text = ""});
}

static void note_what_is_declared(struct isession *session)
{
    const char *bytes = text_bytes(&session->incoming);
    const char *group = text_find(bytes, session->incoming.bytes, "TargetPortalGroupTag");
    uint64_t number;

    if (group && text_to_number(group, &number) && number <= UINT16_MAX)
        session->portal_group = (uint16_t)number;
}

/* CHAP's words say "the name"; whose it is must be said as well. */
static const char *why_not(enum chap_outcome outcome)
{
    return outcome == CHAP_UNKNOWN ? "the target's name or its answer to our challenge is wrong"
                                   : chap_outcome_word(outcome);
}

/* The text of the target is whole. False: the login is over. */
static bool take_text(struct isession *session, uint8_t stage, bool transits)
{
    enum chap_outcome outcome = CHAP_GOOD;

    text_clear(&session->outgoing);
    enum negotiate_failure failure =
        negotiate_receive(&session->negotiation, phase_of(stage), text_bytes(&session->incoming),
                          session->incoming.bytes, &session->outgoing);

    if (failure != NEGOTIATE_GOOD) {
        isession_end(session, LOST_PROTOCOL, negotiate_failure_word(failure));
        return false;
    }
    if (stage == ISCSI_SECURITY_NEGOTIATION)
        outcome = chap_initiator_take(&session->chap, &session->config.chap,
                                      text_bytes(&session->incoming), session->incoming.bytes,
                                      transits, &session->outgoing);
    if (outcome != CHAP_GOOD) {
        isession_end(session, LOST_PROTOCOL, why_not(outcome));
        return false;
    }
    note_what_is_declared(session);
    text_clear(&session->incoming);
    return true;
}

static void go_on(struct isession *session, struct connection *c, const struct pdu *pdu,
                  uint8_t stage)
{
    if (!pdu->login_response.continues && !take_text(session, stage, pdu->login_response.transit))
        return;
    if (login_is_done(&session->login_watch)) {
        if (negotiate_is_complete(&session->negotiation))
            complete(session, c, pdu);
        else
            isession_end(session, LOST_PROTOCOL, "login ended with an offer unanswered");
        return;
    }
    if (pdu->login_response.transit) /* into the operational stage */
        negotiate_offer(&session->negotiation, NEGOTIATE_OPERATIONAL, &session->outgoing);
    if (++session->rounds > LOGIN_ROUNDS_MOST)
        isession_end(session, LOST_PROTOCOL, "login never ends");
    else
        send_request(session, c);
}

void login_answered(struct isession *session, struct connection *c, const struct pdu *pdu,
                    struct buf *data)
{
    const struct pdu_login_response *login = &pdu->login_response;
    uint8_t stage = stage_of(session);
    bool fits = text_join(&session->incoming, data);

    buf_free(data);
    if (login->status_class == 2 || login->status_class == 3) { /* StatSN says nothing then */
        failed(session, login->status_class, login->status_detail);
        return;
    }
    enum login_outcome outcome = login_see_response(&session->login_watch, pdu);

    if (outcome != LOGIN_OK) {
        isession_end(session, LOST_PROTOCOL, login_outcome_word(outcome));
        return;
    }
    if (!fits || session->incoming.bytes > TEXT_LOGIN_MOST) {
        isession_end(session, LOST_PROTOCOL, "login text too long");
        return;
    }
    if (login->status_class == 1) {
        moved(session, pdu);
    } else if (login->status_class != 0) {
        failed(session, login->status_class, login->status_detail);
    } else if (isession_see_stat_sn(session, c, pdu, true)) {
        isession_see_window(session, pdu);
        go_on(session, c, pdu, stage);
    }
}
