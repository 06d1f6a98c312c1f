/* A connection: its life, what arrives, and when. The other files of conn_inside.h do the rest. */
#include "target/conn.h"

#include <string.h>

#include <utlist.h>

#include "target/conn_inside.h"

static const char *const end_words[] = {
#define X(name, word) word,
    CONN_ENDS(X)
#undef X
};

const char *conn_end_word(enum conn_end end)
{
    return end_words[end];
}

/* ---- life ---- */

void conn_leave_door(struct conn *conn)
{
    if (conn->state == CONN_QUIET || conn->state == CONN_LOGIN)
        DL_DELETE2(conn->target->at_door, conn, door_prev, door_next);
}

/* There are as many connections as may be: the one that has been longest at the door without coming
 * in makes way for a new one, so that who only opens connections keeps nobody out. */
static bool make_way(struct target *target, int64_t now_ns)
{
    if (!target->at_door) {
        target->counters.turned_away++;
        return false;
    }
    target->counters.evictions++;
    conn_drop(target->at_door, CONN_EVICTED, "", now_ns);
    return true;
}

struct conn *conn_new(struct target *target, const struct conn_config *config, int64_t now_ns)
{
    assert(config->portal_index < target->portal_count);
    if (target->open_count >= target->limits.connections && !make_way(target, now_ns))
        return NULL;
    struct chunk *home = chunk_new(target->pool, sizeof(struct conn));
    struct conn *conn = (void *)home->data;

    *conn = (struct conn){
        .target = target,
        .home = home,
        .number = ++target->next_connection,
        .portal_index = config->portal_index,
        .local = config->local,
        .remote = config->remote,
        .stat_sn = 1,
        .params = iscsi_default_params,
        .deadline_ns = target->profile.login_timeout_ns > 0
                           ? time_after(now_ns, target->profile.login_timeout_ns)
                           : TIME_NEVER,
        .logout_by_ns = TIME_NEVER,
        .heard_ns = now_ns,
        .ping_sent_ns = TIME_NEVER,
        .end_detail = "",
    };
    framer_init(&conn->framer, iscsi_default_params.max_recv_segment_bytes, 0);
    DL_APPEND(target->conns, conn);
    DL_APPEND2(target->at_door, conn, door_prev, door_next);
    target->open_count++;
    target->counters.connections++;
    return conn;
}

static void stop_waiting(struct conn *conn)
{
    struct session *session = conn->waits_for;

    if (!session)
        return;
    for (struct conn **each = &session->waiters; *each; each = &(*each)->next_waiter) {
        if (*each == conn) {
            *each = conn->next_waiter;
            break;
        }
    }
    conn->waits_for = NULL;
    target_session_settle(session);
}

bool conn_must_wait(struct conn *conn, struct session *session)
{
    if (session->held_count == 0)
        return false;
    conn->waits_for = session;
    conn->next_waiter = session->waiters;
    session->waiters = conn;
    return true;
}

/* The last connection of a session takes it along, or leaves it to be continued in time (7.4.3). Of
 * a reinstated connection the successor is at the door. */
static void leave_session(struct conn *conn, int64_t now_ns)
{
    struct session *session = conn->session;

    if (!session)
        return;
    target_session_leave(session, conn);
    conn->session = NULL;
    if (!session->is_over && session->conn_count == 0) {
        const struct iscsi_params *params = &session->params;

        planted_keep_session(session);
        if (conn->end == CONN_REINSTATED)
            target_session_retain(session, time_after(now_ns, CONN_CLOSE_NS));
        else if (params->time2retain_s > 0 && !session->key.is_discovery)
            target_session_retain(
                session,
                time_after(now_ns, SECONDS(params->time2wait_s + (int64_t)params->time2retain_s)));
        else
            target_session_end(session);
    }
    target_session_settle(session);
}

static void end(struct conn *conn, enum conn_end why, const char *detail, bool is_orderly,
                int64_t now_ns)
{
    if (conn->state == CONN_ENDED)
        return;
    if (conn->state == CONN_FULL_FEATURE && why != CONN_REINSTATED)
        conn->target->counters.losses++;
    conn_leave_door(conn);
    conn->state = CONN_ENDED;
    conn->target->open_count--;
    conn->end = why;
    conn->end_detail = detail;
    conn->is_orderly = is_orderly;
    conn->has_over_event = true;
    conn_out_clear(conn);
    conn_login_free(conn);
    conn_text_free(conn);
    stop_waiting(conn);
    leave_session(conn, now_ns);
    target_mark_restless(conn->target, conn);
}

void conn_drop(struct conn *conn, enum conn_end why, const char *detail, int64_t now_ns)
{
    end(conn, why, detail, false, now_ns);
}

void conn_drop_all(struct session *session, enum conn_end why, int64_t now_ns)
{
    struct conn *next;

    if (!session->conns) { /* it waited to be continued */
        target_session_settle(session);
        return;
    }
    for (struct conn *conn = session->conns; conn; conn = next) {
        next = conn->next_of_session;
        conn_drop(conn, why, "", now_ns);
    }
}

void conn_close_when_sent(struct conn *conn, enum conn_end why, const char *detail, int64_t now_ns)
{
    if (conn->state == CONN_ENDED || conn->state == CONN_CLOSING)
        return;
    conn_leave_door(conn);
    conn->state = CONN_CLOSING;
    conn->end = why;
    conn->end_detail = detail;
    conn->deadline_ns = time_after(now_ns, CONN_CLOSE_NS);
    target_mark_restless(conn->target, conn);
}

void conn_closed(struct conn *conn, int64_t now_ns)
{
    /* Who was told to go, and went, has ended well. */
    if (conn->state == CONN_CLOSING)
        end(conn, conn->end, conn->end_detail, true, now_ns);
    else
        conn_drop(conn, CONN_STREAM_CLOSED, "", now_ns);
}

void conn_free(struct conn *conn, int64_t now_ns)
{
    if (!conn)
        return;
    struct target *target = conn->target;

    conn_closed(conn, now_ns);
    framer_fini(&conn->framer);
    target_unmark_restless(target, conn);
    DL_DELETE(target->conns, conn);
    conn->trace_memo = NULL;
    target->trace->ops->pdu_end(target->trace, now_ns, conn->number);
    chunk_unref(conn->home);
}

/* ---- the order of CmdSN ---- */

static void nop_out(struct conn *conn, const struct pdu *pdu, struct buf *data)
{
    if (pdu->ttt != PDU_NO_TAG && pdu->ttt == conn->ping_ttt)
        conn->ping_sent_ns = TIME_NEVER;
    if (pdu->itt == PDU_NO_TAG) { /* no answer is wanted (11.18.1) */
        buf_free(data);
        return;
    }
    if (pdu->data_bytes > conn->params.peer_max_recv_segment_bytes) {
        struct buf *rest = data;

        data = buf_cut(&rest, conn->params.peer_max_recv_segment_bytes);
        buf_free(rest);
    }
    struct reply *reply = conn_reply(conn, PDU_NOP_IN, pdu->itt, buf_to_keep(data));

    reply->pdu.ttt = PDU_NO_TAG;
    reply->pdu.lun = pdu->lun;
}

/* A discovery session is there for SendTargets and a logout that closes it (4.3). */
static bool has_place_in_discovery(const struct pdu *pdu)
{
    return pdu->opcode == PDU_TEXT_REQUEST || pdu->opcode == PDU_LOGOUT_REQUEST;
}

void conn_execute(struct conn *conn, const struct pdu *pdu, struct buf *data, const uint8_t *header,
                  int64_t now_ns)
{
    if (conn->session->key.is_discovery && !has_place_in_discovery(pdu)) {
        buf_free(data);
        conn_reject(conn, header, ISCSI_REJECT_PROTOCOL_ERROR);
        return;
    }
    switch (pdu->opcode) {
    case PDU_SCSI_COMMAND:
        conn_scsi_command(conn, pdu, data, header, now_ns);
        return;
    case PDU_NOP_OUT:
        nop_out(conn, pdu, data);
        return;
    case PDU_TEXT_REQUEST:
        conn_text_request(conn, pdu, data, header);
        return;
    case PDU_TASK_REQUEST:
        conn_task_request(conn, pdu, header, now_ns);
        break;
    case PDU_LOGOUT_REQUEST:
        conn_logout_request(conn, pdu, header, now_ns);
        break;
    default: /* a login request: that phase is over (6.3) */
        conn_reject(conn, header, ISCSI_REJECT_PROTOCOL_ERROR);
        break;
    }
    buf_free(data);
}

/* Functions that waited for all commands before them; before any that comes behind them. */
static void release_task_requests(struct session *session, int64_t now_ns)
{
    struct task_request *request;
    struct task_request *next;

    DL_FOREACH_SAFE(session->task_requests, request, next)
    {
        if (request->waits_for_commands && !sn_before(session->exp_cmd_sn, request->cmd_sn))
            task_request_go_on(request, now_ns);
    }
}

void conn_deliver_waiting(struct session *session, int64_t now_ns)
{
    for (;;) {
        if (session->is_over)
            return;
        if (session->task_requests)
            release_task_requests(session, now_ns);
        struct waiting_request *waiting = target_session_next_in_order(session);

        if (!waiting)
            return;
        struct buf *data = waiting->data;

        waiting->data = NULL;
        if (waiting->conn && waiting->conn->state == CONN_FULL_FEATURE)
            conn_execute(waiting->conn, &waiting->pdu, data, waiting->header, now_ns);
        else
            buf_free(data);
        target_session_free_waiting(session, waiting);
    }
}

/* A request with a CmdSN (4.2.2.1). What is outside the window, or was there before, is ignored
 * without a word. */
static void take_request(struct conn *conn, const struct pdu *pdu, struct buf *data, int64_t now_ns)
{
    struct session *session = conn->session;
    const uint8_t *header = framer_header(&conn->framer);

    if (pdu->is_immediate) {
        conn_execute(conn, pdu, data, header, now_ns);
        return;
    }
    if (target_session_is_in_window(session, pdu->cmd_sn)) {
        if (pdu->cmd_sn == session->exp_cmd_sn) {
            session->exp_cmd_sn++;
            conn_execute(conn, pdu, data, header, now_ns);
            if (session->waiting_count > 0 || session->task_requests)
                conn_deliver_waiting(session, now_ns);
            return;
        }
        if (session->waiting_bytes + pdu->data_bytes > WAITING_MOST) {
            buf_free(data);
            conn_drop(conn, CONN_PROTOCOL_ERROR, "too much data before its turn", now_ns);
            return;
        }
        if (target_session_keep(session, conn, pdu, data, header))
            return;
    }
    conn->target->counters.ignored++;
    buf_free(data);
}

void conn_tell_window(struct session *session)
{
    struct conn *conn = session->conns;
    bool was_shut = sn_before(session->told_max_cmd_sn, session->exp_cmd_sn);

    if (session->is_over || !conn || conn->state != CONN_FULL_FEATURE || !was_shut ||
        !sn_before(session->told_max_cmd_sn, target_session_max_cmd_sn(session)))
        return;
    struct reply *reply = conn_reply(conn, PDU_NOP_IN, PDU_NO_TAG, NULL);

    reply->pdu.ttt = PDU_NO_TAG;
    reply->has_stat_sn = false;
    session->told_max_cmd_sn = target_session_max_cmd_sn(session); /* once */
    target_mark_restless(conn->target, conn);
}

/* ---- what arrives ---- */

static bool is_listening(const struct conn *conn)
{
    return conn->state == CONN_QUIET || conn->state == CONN_LOGIN ||
           conn->state == CONN_FULL_FEATURE;
}

static void take_pdu(struct conn *conn, const struct pdu *pdu, struct buf *data, int64_t now_ns)
{
    const uint8_t *header = framer_header(&conn->framer);

    if (conn->state != CONN_FULL_FEATURE) {
        if (pdu->opcode == PDU_LOGIN_REQUEST) {
            conn_login_request(conn, pdu, data, now_ns);
            return;
        }
        buf_free(data);
        if (conn->state == CONN_QUIET) /* it does not speak iSCSI, or did not hear our end */
            conn_drop(conn, CONN_PROTOCOL_ERROR, "the first PDU is no Login Request", now_ns);
        else
            conn_refuse_login(conn, ISCSI_LOGIN_INVALID_DURING_LOGIN, "another PDU during login",
                              now_ns);
        return;
    }
    if (pdu_traits(pdu->opcode) & PDU_HAS_CMD_SN) {
        take_request(conn, pdu, data, now_ns);
    } else if (pdu->opcode == PDU_DATA_OUT) {
        conn_data_out(conn, pdu, data, header, now_ns);
    } else { /* SNACK needs error recovery level 1; all else is a target's */
        buf_free(data);
        conn_reject(conn, header,
                    pdu->opcode == PDU_SNACK ? ISCSI_REJECT_SNACK : ISCSI_REJECT_PROTOCOL_ERROR);
    }
}

/* A PDU that the framer cannot hand on. After a digest error nothing of it counts as received: its
 * CmdSN stays open (7.8). Otherwise it was received, and refused. */
static void take_refused(struct conn *conn, const struct pdu *pdu, int64_t now_ns)
{
    uint8_t reason = framer_reject_reason(&conn->framer);
    struct session *session = conn->session;

    if (reason == ISCSI_REJECT_DATA_DIGEST_ERROR)
        conn->target->counters.digest_errors++;
    if (conn->state == CONN_QUIET) {
        conn_drop(conn, CONN_PROTOCOL_ERROR, "the first PDU is no Login Request", now_ns);
        return;
    }
    if (conn->state == CONN_LOGIN) {
        conn_refuse_login(conn, ISCSI_LOGIN_INITIATOR_ERROR, "malformed PDU", now_ns);
        return;
    }
    conn_reject(conn, framer_header(&conn->framer), reason);
    if (pdu->opcode == PDU_DATA_OUT) {
        conn_data_out_damaged(conn, pdu, now_ns);
    } else if (reason != ISCSI_REJECT_DATA_DIGEST_ERROR && !pdu->is_immediate &&
               pdu_traits(pdu->opcode) & PDU_HAS_CMD_SN &&
               target_session_is_in_window(session, pdu->cmd_sn)) {
        target_session_plug(session, pdu->cmd_sn);
        conn_deliver_waiting(session, now_ns);
    }
}

static void trace_received(struct conn *conn, int64_t now_ns)
{
    struct target *target = conn->target;

    target->counters.pdus_received++;
    target->trace->ops->pdu(target->trace, now_ns,
                            &(struct trace_pdu){.connection = conn->number,
                                                .is_target_end = true,
                                                .header = framer_header(&conn->framer),
                                                .memo = &conn->trace_memo});
}

/* What is known of the tasks that 'bytes' are about comes into the cache. */
static void look_ahead(struct conn *conn, const struct buf *bytes)
{
    struct trace *trace = conn->target->trace;
    uint32_t tags[FRAMER_TAGS_MOST];
    uint32_t count = framer_tags(&conn->framer, bytes, tags, FRAMER_TAGS_MOST);
    struct trace_pdu end = {
        .connection = conn->number, .is_target_end = true, .memo = &conn->trace_memo};

    for (uint32_t i = 0; conn->session && i < count; i++)
        target_session_fetch_command(conn->session, tags[i]);
    if (trace->ops->tasks_ahead)
        trace->ops->tasks_ahead(trace, &end, tags, count);
}

void conn_feed(struct conn *conn, struct buf *bytes, int64_t now_ns)
{
    struct pdu pdu;
    struct buf *data;

    if (!is_listening(conn)) {
        buf_free(bytes);
        return;
    }
    conn->heard_ns = now_ns;
    look_ahead(conn, bytes);
    framer_feed(&conn->framer, bytes);
    while (is_listening(conn)) {
        data = NULL;
        switch (framer_next(&conn->framer, &pdu, &data)) {
        case FRAMER_NEEDS_MORE:
            return;
        case FRAMER_PDU:
            trace_received(conn, now_ns);
            take_pdu(conn, &pdu, data, now_ns);
            break;
        case FRAMER_REJECT:
            trace_received(conn, now_ns);
            take_refused(conn, &pdu, now_ns);
            break;
        case FRAMER_BAD:
            if (framer_fault(&conn->framer) == FRAMER_HEADER_DIGEST)
                conn->target->counters.digest_errors++;
            conn_drop(conn, CONN_FRAMING, framer_fault_word(framer_fault(&conn->framer)), now_ns);
            return;
        }
    }
}

size_t conn_room(const struct conn *conn)
{
    bool is_full = conn->unsent_bytes + conn->out.bytes >= CONN_MOST_UNSENT ||
                   conn->replies_bytes >= CONN_MOST_REPLIES;

    return is_listening(conn) && is_full ? 0 : CONN_FEED_BYTES; /* the deaf drop what comes */
}

uint32_t conn_data_due(const struct conn *conn, uint32_t *ret_offset)
{
    return is_listening(conn) ? framer_data_due(&conn->framer, ret_offset) : 0;
}

/* ---- what is taken ---- */

struct buf *conn_take(struct conn *conn, size_t max_bytes, int64_t now_ns)
{
    if (conn->out.bytes < max_bytes && conn->out_items)
        conn_make_out(conn, max_bytes, now_ns);
    struct buf *taken = buf_queue_take(&conn->out, max_bytes);

    if (conn->state == CONN_CLOSING && !conn_has_output(conn))
        end(conn, conn->end, conn->end_detail, true, now_ns);
    return taken;
}

bool conn_has_output(const struct conn *conn)
{
    return conn->out_items || conn->out.bytes > 0;
}

bool conn_next_event(struct conn *conn, struct conn_event *ret_event)
{
    if (conn->has_logged_in_event) {
        conn->has_logged_in_event = false;
        *ret_event = (struct conn_event){.kind = CONN_LOGGED_IN, .detail = ""};
        return true;
    }
    if (!conn->has_over_event)
        return false;
    conn->has_over_event = false;
    *ret_event = (struct conn_event){
        .kind = CONN_OVER,
        .end = conn->end,
        .is_orderly = conn->is_orderly,
        .login_status = conn->login_status,
        .detail = conn->end_detail,
    };
    return true;
}

/* ---- when ---- */

static int64_t ping_deadline_ns(const struct conn *conn)
{
    const struct array_profile *profile = &conn->target->profile;

    if (profile->nop_interval_ns == 0)
        return TIME_NEVER;
    if (conn->session->key.is_discovery) /* no NOP-In has a place there (4.3): silence is enough */
        return time_after(conn->heard_ns, profile->nop_interval_ns + profile->nop_timeout_ns);
    if (conn->ping_sent_ns == TIME_NEVER)
        return time_after(conn->heard_ns, profile->nop_interval_ns);
    if (conn->heard_ns > conn->ping_sent_ns) /* any sign of life will do */
        return time_after(conn->heard_ns, profile->nop_timeout_ns);
    return time_after(conn->ping_sent_ns, profile->nop_timeout_ns);
}

static int64_t owing_deadline_ns(const struct conn *conn)
{
    int64_t timeout_ns = conn->target->profile.data_out_timeout_ns;

    return conn->owing && timeout_ns > 0 ? time_after(conn->owing->owing_since_ns, timeout_ns)
                                         : TIME_NEVER;
}

int64_t conn_deadline_ns(const struct conn *conn)
{
    if (conn->state == CONN_ENDED)
        return TIME_NEVER;
    if (conn->state != CONN_FULL_FEATURE)
        return conn->deadline_ns;
    int64_t deadline_ns = time_min(ping_deadline_ns(conn), conn->logout_by_ns);

    deadline_ns = time_min(deadline_ns, owing_deadline_ns(conn));
    if (conn->session->task_requests)
        deadline_ns = time_min(deadline_ns, task_requests_deadline_ns(conn->session));
    return deadline_ns;
}

/* The answer comes as NOP-Out with this tag; it must not advance StatSN (11.19.1). */
static void send_ping(struct conn *conn, int64_t now_ns)
{
    struct reply *reply = conn_reply(conn, PDU_NOP_IN, PDU_NO_TAG, NULL);

    conn->ping_ttt = target_session_new_ttt(conn->session);
    conn->ping_sent_ns = now_ns;
    reply->pdu.ttt = conn->ping_ttt;
    reply->has_stat_sn = false;
    conn->target->counters.pings++;
}

static void wake_full_feature(struct conn *conn, int64_t now_ns)
{
    if (owing_deadline_ns(conn) <= now_ns) {
        conn_drop(conn, CONN_DATA_TIMEOUT, "", now_ns);
        return;
    }
    if (conn->logout_by_ns <= now_ns) {
        conn_drop(conn, CONN_LOGOUT_TIMEOUT, "", now_ns);
        return;
    }
    task_requests_wake(conn->session, now_ns);
    commands_go_on(conn->session);
    if (ping_deadline_ns(conn) > now_ns)
        return;
    if (conn->ping_sent_ns == TIME_NEVER && !conn->session->key.is_discovery)
        send_ping(conn, now_ns);
    else
        conn_drop(conn, CONN_PING_TIMEOUT,
                  conn->session->key.is_discovery ? "a discovery session without requests" : "",
                  now_ns);
}

static void go_on(struct conn *conn, int64_t now_ns)
{
    stop_waiting(conn);
    if (conn->state == CONN_LOGIN)
        conn_login_go_on(conn, now_ns);
    else if (conn->state == CONN_LOGGING_OUT)
        conn_logout_go_on(conn, now_ns);
}

void conn_wake(struct conn *conn, int64_t now_ns)
{
    if (conn->waits_for && conn->waits_for->held_count == 0)
        go_on(conn, now_ns);
    switch (conn->state) {
    case CONN_QUIET:
    case CONN_LOGIN:
        if (conn->deadline_ns <= now_ns)
            conn_drop(conn, CONN_LOGIN_TIMEOUT, "", now_ns);
        break;
    case CONN_FULL_FEATURE:
        wake_full_feature(conn, now_ns);
        break;
    case CONN_LOGGING_OUT:
    case CONN_CLOSING:
        if (conn->deadline_ns <= now_ns)
            conn_drop(conn, conn->end, "the peer does not read", now_ns);
        break;
    case CONN_ENDED:
        break;
    }
}

/* ---- who ---- */

uint64_t conn_number(const struct conn *conn)
{
    return conn->number;
}

struct endpoint conn_remote(const struct conn *conn)
{
    return conn->remote;
}

void conn_set_owner(struct conn *conn, void *owner)
{
    conn->owner = owner;
}

void *conn_owner(const struct conn *conn)
{
    return conn->owner;
}
