/* The initiator's session: life, bytes in and out, numbering. */
#include "initiator/isession_inside.h"

#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const end_words[] = {
#define X(name, word) word,
    ISESSION_ENDS(X)
#undef X
};

const char *isession_end_word(enum isession_end end)
{
    return end_words[end];
}

/* Tasks. */

struct task *task_take(struct isession *session, enum task_kind kind)
{
    struct task *task = session->free_tasks;

    if (!task)
        return NULL;
    session->free_tasks = task->next_free;
    __builtin_prefetch(task->next_free); /* for whoever comes next */
    uint16_t generation = task->generation;

    *task = (struct task){.kind = (uint8_t)kind, .generation = generation};
    task->tag = (uint32_t)generation << 16 | (uint32_t)(task - session->tasks);
    return task;
}

void task_give(struct isession *session, struct task *task)
{
    assert(task->kind != TASK_FREE);
    task->kind = TASK_FREE;
    if (++task->generation == 0)
        task->generation = 1;
    task->next_free = session->free_tasks;
    session->free_tasks = task;
}

struct task *task_find(struct isession *session, uint32_t tag, enum task_kind kind)
{
    uint32_t index = tag & 0xffff;

    if (index >= session->task_count)
        return NULL;
    struct task *task = &session->tasks[index];

    return task->kind == kind && task->tag == tag ? task : NULL;
}

/* Life. */

struct isession *isession_new(const struct isession_config *config)
{
    struct isession *session = mem_new(sizeof(*session));

    assert(config->max_commands >= 1);
    assert(config->max_commands <= ISESSION_TASKS_MOST);
    session->config = *config;
    session->params = config->offer;
    session->cmd_sn = config->first_cmd_sn;
    session->exp_cmd_sn = config->first_cmd_sn;
    session->max_cmd_sn = config->first_cmd_sn - 1; /* shut until the target opens it */
    session->task_count = config->max_commands + CONTROL_TASKS;
    session->tasks =
        mem_aligned(_Alignof(struct task), session->task_count * sizeof(*session->tasks));
    memset(session->tasks, 0, session->task_count * sizeof(*session->tasks));
    for (uint32_t i = session->task_count; i-- > 0;) {
        session->tasks[i].generation = 1;
        session->tasks[i].next_free = session->free_tasks;
        session->free_tasks = &session->tasks[i];
    }
    text_init(&session->outgoing, config->pool, TEXT_LOGIN_MOST);
    text_init(&session->incoming, config->pool, TARGETS_MOST_BYTES);
    for (uint32_t i = 0; i < CONNECTIONS_MOST; i++)
        framer_init(&session->connections[i].framer, iscsi_default_params.max_recv_segment_bytes,
                    0);
    return session;
}

static void connection_clear(struct isession *session, struct connection *c)
{
    c->is_up = false;
    bursts_forget(session, c, NULL);
    buf_queue_clear(&c->out);
    framer_fini(&c->framer);
}

void isession_free(struct isession *session)
{
    if (!session)
        return;
    commands_end_all(session, COMMAND_SESSION_LOST); /* frees partial data; nobody hears of it */
    for (uint32_t i = 0; i < CONNECTIONS_MOST; i++)
        connection_clear(session, &session->connections[i]);
    text_fini(&session->outgoing);
    text_fini(&session->incoming);
    free(session->tasks);
    free(session->log);
    free(session);
}

/* Events. */

void isession_emit(struct isession *session, const struct isession_event *event)
{
    /* Only what the target may send by itself can fill the ring, and is worth little twice. */
    if (event->kind == ISESSION_ASYNC_SCSI && session->event_count > EVENTS_MOST / 2)
        return;
    assert(session->event_count < EVENTS_MOST);
    session->events[(session->event_head + session->event_count++) % EVENTS_MOST] = *event;
}

bool isession_next_event(struct isession *session, struct isession_event *ret_event)
{
    if (session->event_count == 0)
        return false;
    *ret_event = session->events[session->event_head];
    session->event_head = (session->event_head + 1) % EVENTS_MOST;
    session->event_count--;
    return true;
}

/* All ends pass here. */
static void over(struct isession *session)
{
    session->state = ISESSION_OVER;
    commands_end_all(session, COMMAND_SESSION_LOST);
    for (uint32_t i = 0; i < CONNECTIONS_MOST; i++) {
        session->connections[i].is_up = false;
        bursts_forget(session, &session->connections[i], NULL);
        buf_queue_clear(&session->connections[i].out);
    }
}

void isession_end_with(struct isession *session, const struct isession_event *event)
{
    if (session->state == ISESSION_OVER)
        return;
    over(session);
    isession_emit(session, event);
}

void isession_end(struct isession *session, enum isession_end end, const char *text)
{
    isession_end_with(session, &(struct isession_event){
                                   .kind = ISESSION_ENDED,
                                   .end = end,
                                   .text = text,
                                   .time2wait_s = (uint16_t)session->params.time2wait_s,
                                   .time2retain_s = (uint16_t)session->params.time2retain_s});
}

void isession_give_up(struct isession *session, const char *text)
{
    isession_end(session, LOST_GIVEN_UP, text);
}

/* The log of PDUs, for the trace. */

static void log_pdu(struct isession *session, const struct connection *c, const uint8_t *header,
                    bool is_from_target)
{
    if (!session->config.logs_pdus)
        return;
    if (session->log_taken == session->log_count) {
        session->log_taken = 0;
        session->log_count = 0;
    }
    if (session->log_count == session->log_capacity) {
        session->log_capacity = session->log_capacity == 0 ? 16 : session->log_capacity * 2;
        session->log = mem_resize(session->log, session->log_capacity, sizeof(*session->log));
    }
    struct logged_pdu *entry = &session->log[session->log_count++];

    entry->is_from_target = is_from_target;
    entry->connection = (uint32_t)(c - session->connections);
    memcpy(entry->header, header, PDU_HEADER_BYTES);
}

const uint8_t *isession_next_pdu(struct isession *session, uint32_t *ret_connection,
                                 bool *ret_from_target)
{
    if (session->log_taken == session->log_count)
        return NULL;
    const struct logged_pdu *entry = &session->log[session->log_taken++];

    *ret_connection = entry->connection;
    *ret_from_target = entry->is_from_target;
    return entry->header;
}

/* Numbering. */

bool isession_window_is_open(const struct isession *session)
{
    return !sn_before(session->max_cmd_sn, session->cmd_sn);
}

void isession_number(struct isession *session, struct task *task, bool is_immediate,
                     struct pdu *pdu)
{
    pdu->itt = task->tag;
    pdu->is_immediate = is_immediate;
    pdu->cmd_sn = session->cmd_sn;
    task->is_immediate = is_immediate;
    task->is_sent = true;
    task->cmd_sn = session->cmd_sn;
    if (!is_immediate)
        session->cmd_sn++;
}

void isession_see_window(struct isession *session, const struct pdu *pdu)
{
    /* RFC 7143, 4.2.2.1: a MaxCmdSN below ExpCmdSN - 1 voids both; neither ever goes back. */
    if (sn_before(pdu->max_cmd_sn, pdu->exp_cmd_sn - 1))
        return;
    if (sn_before(session->max_cmd_sn, pdu->max_cmd_sn))
        session->max_cmd_sn = pdu->max_cmd_sn;
    if (sn_before(session->exp_cmd_sn, pdu->exp_cmd_sn) &&
        !sn_before(session->cmd_sn, pdu->exp_cmd_sn))
        session->exp_cmd_sn = pdu->exp_cmd_sn;
}

bool isession_see_stat_sn(struct isession *session, struct connection *c, const struct pdu *pdu,
                          bool advances)
{
    if (!c->has_stat_sn) {
        c->has_stat_sn = true;
        c->exp_stat_sn = pdu->stat_sn;
    }
    if (pdu->stat_sn != c->exp_stat_sn) {
        /* A status is missing, or this is no status that we wait for; there is no recovery below
         * that of the session at error recovery level 0 (4.2.2.2, 7.9). */
        isession_end(session, LOST_PROTOCOL, "StatSN is not the next one");
        return false;
    }
    if (advances)
        c->exp_stat_sn++;
    return true;
}

/* Bytes out. */

void isession_send(struct isession *session, struct connection *c, const struct pdu *pdu,
                   struct buf *data)
{
    struct pdu numbered = *pdu;

    numbered.exp_stat_sn = c->exp_stat_sn;
    struct buf *bytes = framer_encode(session->config.pool, &numbered, data, c->digests);

    log_pdu(session, c, buf_data(bytes), false);
    session->counters.pdus_sent++;
    buf_queue_put(&c->out, bytes);
}

struct buf *isession_take(struct isession *session, uint32_t connection, size_t max_bytes,
                          int64_t now_ns)
{
    assert(connection < CONNECTIONS_MOST);
    struct connection *c = &session->connections[connection];

    session->now_ns = now_ns;
    if (!c->is_up)
        return NULL;
    if (session->state == ISESSION_FULL_FEATURE) {
        commands_send(session, c, max_bytes);
        bursts_send(session, c, max_bytes);
    }
    if (c->out.bytes <= max_bytes) { /* all of it, without a cut */
        struct buf *bytes = c->out.head;

        c->out = (struct buf_queue){0};
        return bytes;
    }
    return buf_queue_take(&c->out, max_bytes);
}

/* Bytes in. */

size_t isession_room(const struct isession *session, uint32_t connection)
{
    const struct connection *c = &session->connections[connection];

    return c->out.bytes > OUT_MOST_BYTES ? 0 : ROOM_BYTES;
}

static void came_in_login(struct isession *session, struct connection *c, const struct pdu *pdu,
                          struct buf *data)
{
    if (pdu->opcode == PDU_LOGIN_RESPONSE) {
        login_answered(session, c, pdu, data);
        return;
    }
    isession_end(session, LOST_PROTOCOL, "no Login Response during login");
    buf_free(data);
}

static void came_in_full_feature(struct isession *session, struct connection *c,
                                 const struct pdu *pdu, struct buf *data)
{
    switch ((enum pdu_opcode)pdu->opcode) {
    case PDU_DATA_IN:
        data_in_came(session, c, pdu, data);
        return;
    case PDU_SCSI_RESPONSE:
        response_came(session, c, pdu, data);
        return;
    case PDU_R2T:
        r2t_came(session, c, pdu);
        break;
    case PDU_NOP_IN:
        nop_in_came(session, c, pdu);
        break;
    case PDU_TASK_RESPONSE:
        task_response_came(session, c, pdu);
        break;
    case PDU_TEXT_RESPONSE:
        text_response_came(session, c, pdu, data);
        return;
    case PDU_LOGOUT_RESPONSE:
        logout_response_came(session, c, pdu);
        break;
    case PDU_ASYNC:
        async_came(session, c, pdu, data);
        return;
    case PDU_REJECT:
        reject_came(session, c, pdu, data);
        return;
    case PDU_LOGIN_RESPONSE:
        isession_end(session, LOST_PROTOCOL, "a Login Response after login");
        break;
    case PDU_NOP_OUT:
    case PDU_SCSI_COMMAND:
    case PDU_TASK_REQUEST:
    case PDU_LOGIN_REQUEST:
    case PDU_TEXT_REQUEST:
    case PDU_DATA_OUT:
    case PDU_LOGOUT_REQUEST:
    case PDU_SNACK:
        isession_end(session, LOST_PROTOCOL, "the target sent a request of the initiator");
        break;
    }
    buf_free(data);
}

/* Its task has waited in memory for the answer: on its way into the cache while others look on. */
static void fetch_task(const struct isession *session, uint32_t tag)
{
    uint32_t index = tag & 0xffff;

    if (index < session->task_count)
        __builtin_prefetch(&session->tasks[index]);
}

uint32_t isession_look_ahead(const struct isession *session, uint32_t connection,
                             const struct buf *bytes, uint32_t ret_tags[], uint32_t most)
{
    assert(connection < CONNECTIONS_MOST);
    uint32_t count = framer_tags(&session->connections[connection].framer, bytes, ret_tags, most);

    for (uint32_t i = 0; i < count; i++)
        fetch_task(session, ret_tags[i]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = ret_tags[i] & 0xffff;

        if (index < session->task_count && session->tasks[index].kind == TASK_COMMAND)
            command_fetch(session->tasks[index].command);
    }
    return count;
}

/* Takes ownership of 'data', as all that it calls. */
static void came(struct isession *session, struct connection *c, const struct pdu *pdu,
                 struct buf *data)
{
    log_pdu(session, c, framer_header(&c->framer), true);
    session->counters.pdus_received++;
    if (session->state == ISESSION_LOGIN) {
        came_in_login(session, c, pdu, data);
        return;
    }
    came_in_full_feature(session, c, pdu, data);
}

static void refused(struct isession *session, const struct framer *framer)
{
    if (framer_reject_reason(framer) == ISCSI_REJECT_DATA_DIGEST_ERROR)
        isession_end(session, LOST_DIGEST, "data digest error");
    else
        isession_end(session, LOST_PROTOCOL,
                     iscsi_reject_reason_word(framer_reject_reason(framer)));
}

void isession_feed(struct isession *session, uint32_t connection, struct buf *bytes, int64_t now_ns)
{
    assert(connection < CONNECTIONS_MOST);
    struct connection *c = &session->connections[connection];

    session->now_ns = now_ns;
    if (!c->is_up) {
        buf_free(bytes);
        return;
    }
    framer_feed(&c->framer, bytes);
    while (c->is_up) {
        struct pdu pdu;
        struct buf *data = NULL;

        switch (framer_next(&c->framer, &pdu, &data)) {
        case FRAMER_NEEDS_MORE:
            return;
        case FRAMER_PDU:
            came(session, c, &pdu, data);
            break;
        case FRAMER_REJECT:
            log_pdu(session, c, framer_header(&c->framer), true);
            refused(session, &c->framer);
            break;
        case FRAMER_BAD:
            isession_end(session,
                         framer_fault(&c->framer) == FRAMER_HEADER_DIGEST ? LOST_DIGEST
                                                                          : LOST_PROTOCOL,
                         framer_fault_word(framer_fault(&c->framer)));
            break;
        }
    }
}

/* One connection. */

void isession_connected(struct isession *session, uint32_t connection, int64_t now_ns)
{
    assert(connection < CONNECTIONS_MOST);
    assert(session->state == ISESSION_IDLE);
    struct connection *c = &session->connections[connection];

    session->now_ns = now_ns;
    session->state = ISESSION_LOGIN;
    c->is_up = true;
    login_begin(session, c);
}

void isession_closed(struct isession *session, uint32_t connection, int64_t now_ns)
{
    assert(connection < CONNECTIONS_MOST);
    session->now_ns = now_ns;
    isession_end(session, LOST_CLOSED, "");
}

/* Questions. */

enum isession_state isession_state(const struct isession *session)
{
    return session->state;
}

bool isession_is_discovery(const struct isession *session)
{
    return !session->config.target_name;
}

const struct iscsi_params *isession_params(const struct isession *session)
{
    return &session->params;
}

uint16_t isession_tsih(const struct isession *session)
{
    return session->tsih;
}

uint16_t isession_portal_group(const struct isession *session)
{
    return session->portal_group;
}

const struct session_counters *session_counters(const struct isession *session)
{
    return &session->counters;
}
