/* Task management, pings, logout, async messages and Reject of a session (RFC 7143, 11.5, 11.6,
 * 11.9, 11.14, 11.15, 11.17 to 11.19). */
#include "initiator/isession_inside.h"

#include "sim/core/bytes.h"

#include <assert.h>
#include <string.h>

/* Task management. */

static bool covers(const struct task *tmf, const struct task *task)
{
    if (task->kind != TASK_COMMAND || !task->is_sent)
        return false;
    switch ((enum iscsi_tmf)tmf->function) {
    case ISCSI_TMF_ABORT_TASK:
        return task->tag == tmf->ref_tag;
    case ISCSI_TMF_ABORT_TASK_SET:
    case ISCSI_TMF_CLEAR_TASK_SET:
    case ISCSI_TMF_LOGICAL_UNIT_RESET:
        if (task->command->lun != tmf->lun)
            return false;
        break;
    case ISCSI_TMF_TARGET_WARM_RESET:
    case ISCSI_TMF_TARGET_COLD_RESET:
    case ISCSI_TMF_I_T_NEXUS_RESET:
        break;
    case ISCSI_TMF_CLEAR_ACA: /* these end no task */
    case ISCSI_TMF_TASK_REASSIGN:
    case ISCSI_TMF_QUERY_TASK:
    case ISCSI_TMF_QUERY_TASK_SET:
    case ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT:
        return false;
    }
    /* What was sent after the request is none of its business. */
    return sn_before(task->cmd_sn, tmf->cmd_sn);
}

/* open-iscsi's FastAbort: R2Ts of these tasks are not answered any more. */
static void silence(struct isession *session, const struct task *tmf)
{
    if (!session->config.stops_data_at_abort)
        return;
    for (struct command *each = session->open.head; each; each = each->next) {
        struct task *task = each->floor;

        if (!covers(tmf, task))
            continue;
        task->is_silenced = true;
        if (task->burst_count > 0)
            bursts_forget(session, &session->connections[0], task);
    }
}

static uint32_t request(struct isession *session, enum iscsi_tmf function, uint64_t lun,
                        const struct task *ref)
{
    if (session->state != ISESSION_FULL_FEATURE || session->tmf_count == ISESSION_TMFS_MOST)
        return 0;
    struct task *tmf = task_take(session, TASK_TMF);
    struct pdu pdu = {.opcode = PDU_TASK_REQUEST,
                      .lun = lun,
                      .task_request = {.function = (uint8_t)function,
                                       .ref_task_tag = ref ? ref->tag : PDU_NO_TAG}};

    if (!tmf)
        return 0;
    session->tmf_count++;
    tmf->function = (uint8_t)function;
    tmf->lun = lun;
    tmf->ref_tag = pdu.task_request.ref_task_tag;
    isession_number(session, tmf, true, &pdu);
    /* 11.5.5: the CmdSN of the task, or that of the request itself for an immediate task. */
    if (ref)
        pdu.task_request.ref_cmd_sn = ref->is_immediate ? pdu.cmd_sn : ref->cmd_sn;
    silence(session, tmf);
    isession_send(session, &session->connections[0], &pdu, NULL);
    return tmf->tag;
}

uint32_t isession_abort_task(struct isession *session, const struct command *command)
{
    const struct task *task = command->floor;

    if (!task || !task->is_sent)
        return 0;
    return request(session, ISCSI_TMF_ABORT_TASK, command->lun, task);
}

/* What came with level 2 may be used once both ends agreed on it (RFC 7144, 7.1.1). */
static bool may_use(const struct isession *session, enum iscsi_tmf function)
{
    return function < ISCSI_TMF_QUERY_TASK || session->params.protocol_level >= ISCSI_LEVEL_QUERIES;
}

uint32_t isession_query_task(struct isession *session, const struct command *command)
{
    const struct task *task = command->floor;

    if (!task || !task->is_sent || !may_use(session, ISCSI_TMF_QUERY_TASK))
        return 0;
    return request(session, ISCSI_TMF_QUERY_TASK, command->lun, task);
}

uint32_t isession_manage(struct isession *session, enum iscsi_tmf function, uint64_t lun)
{
    assert(function != ISCSI_TMF_ABORT_TASK);
    assert(function != ISCSI_TMF_TASK_REASSIGN);
    assert(function != ISCSI_TMF_QUERY_TASK);
    bool has_no_lun = function == ISCSI_TMF_TARGET_WARM_RESET ||
                      function == ISCSI_TMF_TARGET_COLD_RESET ||
                      function == ISCSI_TMF_I_T_NEXUS_RESET;

    if (!may_use(session, function))
        return 0;
    return request(session, function, has_no_lun ? 0 : lun, NULL);
}

static void tmf_over(struct isession *session, struct task *tmf,
                     const struct pdu_task_response *answer)
{
    struct isession_event event = {
        .kind = ISESSION_TMF_DONE, .text = "", .tmf_tag = tmf->tag, .response = answer->response};
    struct command *next;

    if (session->params.protocol_level >= ISCSI_LEVEL_QUERIES) /* reserved below it */
        memcpy(event.additional, answer->additional, sizeof(event.additional));
    if (answer->response == ISCSI_TMF_FUNCTION_COMPLETE) {
        for (struct command *each = session->open.head; each; each = next) {
            next = each->next;
            if (covers(tmf, each->floor))
                command_end(session, each->floor, COMMAND_ABORTED);
        }
    }
    session->tmf_count--;
    task_give(session, tmf);
    isession_emit(session, &event);
}

void task_response_came(struct isession *session, struct connection *c, const struct pdu *pdu)
{
    struct task *tmf = task_find(session, pdu->itt, TASK_TMF);

    if (!tmf) {
        isession_end(session, LOST_PROTOCOL, "Task Management Function Response for no request");
        return;
    }
    if (!isession_see_stat_sn(session, c, pdu, true))
        return;
    isession_see_window(session, pdu);
    tmf_over(session, tmf, &pdu->task_response);
}

/* Pings. */

bool isession_ping(struct isession *session, bool is_immediate)
{
    if (session->state != ISESSION_FULL_FEATURE || session->is_pinging)
        return false;
    if (!is_immediate && !isession_window_is_open(session))
        return false;
    struct task *task = task_take(session, TASK_PING);
    struct pdu pdu = {.opcode = PDU_NOP_OUT, .is_final = true, .ttt = PDU_NO_TAG};

    if (!task)
        return false;
    session->is_pinging = true;
    isession_number(session, task, is_immediate, &pdu);
    isession_send(session, &session->connections[0], &pdu, NULL);
    return true;
}

/* A NOP-Out that wants no answer. */
static void nop_out(struct isession *session, struct connection *c, uint32_t ttt, uint64_t lun)
{
    struct pdu pdu = {.opcode = PDU_NOP_OUT,
                      .is_final = true,
                      .is_immediate = true,
                      .lun = lun,
                      .itt = PDU_NO_TAG,
                      .ttt = ttt,
                      .cmd_sn = session->cmd_sn};

    isession_send(session, c, &pdu, NULL);
}

void status_confirm(struct isession *session, struct connection *c)
{
    if (session->state == ISESSION_FULL_FEATURE)
        nop_out(session, c, PDU_NO_TAG, 0);
}

static void pong(struct isession *session, struct task *ping)
{
    session->is_pinging = false;
    task_give(session, ping);
    isession_emit(session, &(struct isession_event){.kind = ISESSION_PONG, .text = ""});
}

void nop_in_came(struct isession *session, struct connection *c, const struct pdu *pdu)
{
    bool is_answer = pdu->itt != PDU_NO_TAG;
    struct task *ping = is_answer ? task_find(session, pdu->itt, TASK_PING) : NULL;

    if (is_answer && !ping) {
        isession_end(session, LOST_PROTOCOL, "NOP-In for no ping");
        return;
    }
    /* Of its own accord it carries the next StatSN without using it up (11.19.3). */
    if (!isession_see_stat_sn(session, c, pdu, is_answer))
        return;
    isession_see_window(session, pdu);
    if (is_answer) {
        pong(session, ping);
    } else if (pdu->ttt != PDU_NO_TAG && session->state == ISESSION_FULL_FEATURE) {
        session->counters.nops_answered++;
        nop_out(session, c, pdu->ttt, pdu->lun);
    }
}

/* Logout. */

bool isession_logout(struct isession *session, enum iscsi_logout_reason reason)
{
    if (session->state != ISESSION_FULL_FEATURE)
        return false;
    struct connection *c = &session->connections[0];
    struct task *task = task_take(session, TASK_LOGOUT);
    struct pdu pdu = {.opcode = PDU_LOGOUT_REQUEST, .logout_request = {.reason = (uint8_t)reason}};

    assert(task); /* of all other kinds there are fewer than slots */
    if (reason == ISCSI_LOGOUT_CLOSE_CONNECTION)
        pdu.logout_request.cid = session->config.cid;
    isession_number(session, task, true, &pdu);
    bursts_forget(session, c, NULL);
    isession_send(session, c, &pdu, NULL);
    session->state = ISESSION_LOGGING_OUT;
    return true;
}

void logout_response_came(struct isession *session, struct connection *c, const struct pdu *pdu)
{
    const struct pdu_logout_response *logout = &pdu->logout_response;

    if (!task_find(session, pdu->itt, TASK_LOGOUT)) {
        isession_end(session, LOST_PROTOCOL, "Logout Response for no request");
        return;
    }
    if (!isession_see_stat_sn(session, c, pdu, true))
        return;
    if (logout->response != ISCSI_LOGOUT_CLOSED) {
        isession_end(session, LOST_PROTOCOL, "the target refused the logout");
        return;
    }
    isession_end_with(session, &(struct isession_event){.kind = ISESSION_ENDED,
                                                        .end = LOST_LOGGED_OUT,
                                                        .text = "",
                                                        .time2wait_s = logout->time2wait_s,
                                                        .time2retain_s = logout->time2retain_s});
}

/* Async messages. */

static void dropped(struct isession *session, const struct pdu_async *async)
{
    isession_end_with(session, &(struct isession_event){.kind = ISESSION_ENDED,
                                                        .end = LOST_DROPPED,
                                                        .text = "",
                                                        .is_async = true,
                                                        .time2wait_s = async->parameter2,
                                                        .time2retain_s = async->parameter3});
}

static void logout_asked(struct isession *session, uint16_t within_s)
{
    /* One such wish is as good as many. */
    for (uint32_t i = 0; i < session->event_count; i++) {
        if (session->events[(session->event_head + i) % EVENTS_MOST].kind == ISESSION_LOGOUT_ASKED)
            return;
    }
    isession_emit(session, &(struct isession_event){
                               .kind = ISESSION_LOGOUT_ASKED, .text = "", .parameter3 = within_s});
}

void async_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                struct buf *data)
{
    const struct pdu_async *async = &pdu->async;
    bool is_sense_good = true;

    session->counters.async_messages++;
    if (async->event == ISCSI_ASYNC_SCSI)
        is_sense_good = sense_of(data, session->async_sense, &session->async_sense_bytes);
    buf_free(data);
    if (!isession_see_stat_sn(session, c, pdu, true))
        return;
    isession_see_window(session, pdu);
    if (session->state != ISESSION_FULL_FEATURE)
        return;
    switch (async->event) {
    case ISCSI_ASYNC_SCSI:
        if (is_sense_good)
            isession_emit(session, &(struct isession_event){
                                       .kind = ISESSION_ASYNC_SCSI, .text = "", .lun = pdu->lun});
        break;
    case ISCSI_ASYNC_LOGOUT_REQUESTED:
        logout_asked(session, async->parameter3);
        break;
    case ISCSI_ASYNC_DROP_CONNECTION:
        if (async->parameter1 == session->config.cid)
            dropped(session, async);
        break;
    case ISCSI_ASYNC_DROP_SESSION:
        dropped(session, async);
        break;
    case ISCSI_ASYNC_NEGOTIATE:
        text_open(session);
        break;
    default: /* tasks terminated: their commands time out; vendor and unknown events say nothing */
        break;
    }
}

const uint8_t *isession_async_sense(const struct isession *session, size_t *ret_bytes)
{
    *ret_bytes = session->async_sense_bytes;
    return session->async_sense_bytes > 0 ? session->async_sense : NULL;
}

/* Reject: its data is the header of what the target did not like. */

static void rejected(struct isession *session, const uint8_t header[PDU_HEADER_BYTES])
{
    uint32_t tag = get_be32(header + 16);
    struct task *task;

    switch (header[0] & 0x3f) {
    case PDU_SCSI_COMMAND:
        task = task_find(session, tag, TASK_COMMAND);
        if (task && task->is_sent)
            command_end(session, task, COMMAND_PROTOCOL);
        break;
    case PDU_TASK_REQUEST:
        task = task_find(session, tag, TASK_TMF);
        if (task)
            tmf_over(session, task,
                     &(struct pdu_task_response){.response = ISCSI_TMF_FUNCTION_REJECTED});
        break;
    case PDU_NOP_OUT: /* an answer of a kind: the target lives */
        task = task_find(session, tag, TASK_PING);
        if (task)
            pong(session, task);
        break;
    case PDU_TEXT_REQUEST:
        if (task_find(session, tag, TASK_TEXT))
            text_rejected(session);
        break;
    case PDU_LOGOUT_REQUEST:
        if (task_find(session, tag, TASK_LOGOUT))
            isession_end(session, LOST_PROTOCOL, "the target rejected the logout");
        break;
    default: /* Data-Out: the target ends the command itself (7.8) */
        break;
    }
}

void reject_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                 struct buf *data)
{
    uint8_t header[PDU_HEADER_BYTES];
    bool is_whole = buf_bytes(data) >= sizeof(header);

    session->counters.rejects++;
    if (is_whole)
        buf_read(data, 0, header, sizeof(header));
    buf_free(data);
    if (!isession_see_stat_sn(session, c, pdu, true))
        return;
    isession_see_window(session, pdu);
    if (is_whole)
        rejected(session, header);
}
