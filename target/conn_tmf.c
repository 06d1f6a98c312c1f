/* Task management (RFC 7143, 4.2.3, 11.5, 11.6).
 *
 * ABORT TASK is carried out at once. The functions on task sets keep to the standard multi-task
 * abort semantics (4.2.3.3): all commands with lower CmdSN are there first, affected commands of
 * this session may still be owed data that was asked for, and the response comes after both that
 * data and the device. The queries of RFC 7144 (protocol level 2) look and change nothing. Hosts
 * exist that send no data any more once they have sent such a function (open-iscsi's FastAbort), so
 * the wait for owed data is bounded; what comes later is swallowed.
 */
#include <utlist.h>

#include "target/conn_inside.h"

static bool is_for_lun(uint8_t function)
{
    return function != ISCSI_TMF_TARGET_WARM_RESET && function != ISCSI_TMF_TARGET_COLD_RESET &&
           function != ISCSI_TMF_I_T_NEXUS_RESET;
}

/* ---- the response ---- */

static struct pdu_task_response *respond(struct conn *conn, uint32_t itt, uint8_t function,
                                         uint8_t response)
{
    struct reply *reply = conn_reply(conn, PDU_TASK_RESPONSE, itt, NULL);

    reply->pdu.task_response.response = response;
    if (function == ISCSI_TMF_TARGET_COLD_RESET && response == ISCSI_TMF_FUNCTION_COMPLETE)
        reply->then = THEN_COLD_RESET;
    return &reply->pdu.task_response;
}

static uint8_t response_of(enum tmf_response response)
{
    switch (response) {
    case TMF_FUNCTION_COMPLETE:
        return ISCSI_TMF_FUNCTION_COMPLETE;
    case TMF_TASK_DOES_NOT_EXIST:
        return ISCSI_TMF_TASK_DOES_NOT_EXIST;
    case TMF_LUN_DOES_NOT_EXIST:
        return ISCSI_TMF_LUN_DOES_NOT_EXIST;
    case TMF_FUNCTION_SUCCEEDED:
        return ISCSI_TMF_FUNCTION_SUCCEEDED;
    }
    return ISCSI_TMF_FUNCTION_REJECTED;
}

static void free_request(struct task_request *request)
{
    struct session *session = request->session;
    struct command *command;

    DL_FOREACH(session->commands, command)
    {
        if (command->awaited_by == request)
            command->awaited_by = NULL;
    }
    DL_DELETE(session->task_requests, request);
    session->immediate_commands--;
    pool_give(session->target->pool, request, sizeof(*request));
}

/* The target is reset cold: everybody else's session ends here, the sender's after the response. */
static void end_other_sessions(struct session *sender, int64_t now_ns)
{
    struct session *next;

    for (struct session *session = sender->target->sessions; session; session = next) {
        next = session->hh.next;
        if (session == sender)
            continue;
        target_session_end(session);
        conn_drop_all(session, CONN_RESET, now_ns);
    }
}

static void finish_if_done(struct task_request *request)
{
    if (request->waits_for_commands || request->is_at_device || request->owed_count > 0)
        return;
    struct conn *conn = request->conn;

    if (conn) {
        respond(conn, request->itt, request->function, response_of(request->tmf.response));
        target_mark_restless(conn->target, conn);
    }
    free_request(request);
}

void task_request_got_data(struct task_request *request)
{
    request->owed_count--;
    finish_if_done(request);
}

static void came_back(struct scsi_tmf *tmf)
{
    struct task_request *request = CONTAINER_OF(tmf, struct task_request, tmf);
    struct session *session = request->session;

    request->is_at_device = false;
    session->held_count--;
    if (request->conn)
        finish_if_done(request);
    else
        free_request(request);
    target_session_settle(session);
}

/* ---- what the functions do to commands that the device has not got ---- */

/* Our own: owed data is awaited, all else ends at once. */
static void abort_command(struct command *command, struct task_request *request)
{
    bool is_collecting = command->state == COMMAND_COLLECTING;

    if (command->state == COMMAND_AT_DEVICE || command->is_aborted)
        return;
    if (!is_collecting || !command_is_owed(command)) {
        command_free(command);
        return;
    }
    command->is_aborted = true;
    command->awaited_by = request;
    buf_queue_clear(&command->collected);
    conn_unput(command->conn, &command->out);
    request->owed_count++;
}

static void abort_own(struct task_request *request)
{
    struct command *command;
    struct command *next;

    DL_FOREACH_SAFE(request->session->commands, command, next)
    {
        if (!is_for_lun(request->function) || command->task.lun == request->tmf.lun)
            abort_command(command, request);
    }
}

/* A reset ends the commands of other sessions too that have not reached the device yet. */
static void abort_others(const struct task_request *request)
{
    struct target *target = request->session->target;
    struct command *command;
    struct command *next;

    for (struct session *session = target->sessions; session; session = session->hh.next) {
        if (session == request->session)
            continue;
        DL_FOREACH_SAFE(session->commands, command, next)
        {
            if (command->state == COMMAND_COLLECTING &&
                (!is_for_lun(request->function) || command->task.lun == request->tmf.lun))
                command_forget(command);
        }
        conn_tell_window(session);
    }
}

/* Of more than this session. */
static bool is_shared_reset(uint8_t function)
{
    return function == ISCSI_TMF_LOGICAL_UNIT_RESET || function == ISCSI_TMF_TARGET_WARM_RESET ||
           function == ISCSI_TMF_TARGET_COLD_RESET;
}

static void hand_to_device(struct task_request *request)
{
    struct session *session = request->session;

    if (device_manage(session->target->device, &request->tmf) == TASK_DONE)
        return;
    request->is_at_device = true;
    session->held_count++;
}

void task_request_go_on(struct task_request *request, int64_t now_ns)
{
    struct target_counters *counters = &request->session->target->counters;

    request->waits_for_commands = false;
    hand_to_device(request);
    if (request->is_at_device || request->tmf.response == TMF_FUNCTION_COMPLETE) {
        if (is_shared_reset(request->function) || request->function == ISCSI_TMF_I_T_NEXUS_RESET)
            counters->resets++;
        else
            counters->aborts++;
        request->deadline_ns = time_after(now_ns, TASK_REQUEST_WAIT_NS);
        abort_own(request);
        if (is_shared_reset(request->function))
            abort_others(request);
        if (request->function == ISCSI_TMF_TARGET_COLD_RESET)
            end_other_sessions(request->session, now_ns);
    }
    finish_if_done(request);
}

/* ---- the request ---- */

static const enum tmf_function functions[] = {
    [ISCSI_TMF_ABORT_TASK] = TMF_ABORT_TASK,
    [ISCSI_TMF_ABORT_TASK_SET] = TMF_ABORT_TASK_SET,
    [ISCSI_TMF_CLEAR_TASK_SET] = TMF_CLEAR_TASK_SET,
    [ISCSI_TMF_LOGICAL_UNIT_RESET] = TMF_LOGICAL_UNIT_RESET,
    [ISCSI_TMF_TARGET_WARM_RESET] = TMF_TARGET_WARM_RESET,
    [ISCSI_TMF_TARGET_COLD_RESET] = TMF_TARGET_COLD_RESET,
    [ISCSI_TMF_I_T_NEXUS_RESET] = TMF_I_T_NEXUS_RESET,
};

static struct task_request *make(struct conn *conn, const struct pdu *pdu)
{
    struct session *session = conn->session;
    struct task_request *request = pool_take(conn->target->pool, sizeof(*request));

    *request = (struct task_request){
        .tmf = {.nexus = session->nexus,
                .function = functions[pdu->task_request.function],
                .lun = pdu->lun,
                .on_done = came_back},
        .session = session,
        .conn = conn,
        .itt = pdu->itt,
        .cmd_sn = pdu->cmd_sn,
        .function = pdu->task_request.function,
        .deadline_ns = TIME_NEVER,
    };
    DL_APPEND(session->task_requests, request);
    session->immediate_commands++;
    return request;
}

/* A command that has not come: when it is one that could have, it counts as received, and is
 * ignored should it come (11.6.1). */
static uint8_t abort_unseen(struct conn *conn, const struct pdu *pdu)
{
    struct session *session = conn->session;
    uint32_t ref_cmd_sn = pdu->task_request.ref_cmd_sn;

    if (!target_session_is_in_window(session, ref_cmd_sn) || !sn_before(ref_cmd_sn, pdu->cmd_sn))
        return ISCSI_TMF_TASK_DOES_NOT_EXIST;
    target_session_plug(session, ref_cmd_sn);
    return ISCSI_TMF_FUNCTION_COMPLETE;
}

static void abort_task(struct conn *conn, const struct pdu *pdu)
{
    struct session *session = conn->session;
    struct command *command = target_session_find_command(session, pdu->task_request.ref_task_tag);
    uint8_t response = ISCSI_TMF_FUNCTION_COMPLETE;

    if (!command) {
        response = abort_unseen(conn, pdu);
    } else if (command->task.lun != pdu->lun || command->is_aborted) {
        response = ISCSI_TMF_TASK_DOES_NOT_EXIST;
    } else if (command->state == COMMAND_AT_DEVICE) {
        struct task_request *request = make(conn, pdu);

        request->tmf.task = &command->task;
        conn->target->counters.aborts++;
        hand_to_device(request);
        finish_if_done(request);
        return;
    } else {
        command_forget(command);
    }
    if (response == ISCSI_TMF_FUNCTION_COMPLETE)
        conn->target->counters.aborts++;
    respond(conn, pdu->itt, ISCSI_TMF_ABORT_TASK, response);
}

/* Commands that the initiator has sent before a target reset need not be waited for: whatever has
 * not come counts as received, and as aborted (4.2.3.3 b). */
static void plug_before(struct session *session, uint32_t cmd_sn)
{
    for (uint32_t sn = session->exp_cmd_sn; sn_before(sn, cmd_sn); sn++) {
        if (!target_session_is_in_window(session, sn))
            return;
        target_session_plug(session, sn);
    }
}

static void manage_task_set(struct conn *conn, const struct pdu *pdu, int64_t now_ns)
{
    struct session *session = conn->session;
    struct task_request *request = make(conn, pdu);

    if (pdu->is_immediate && sn_before(session->exp_cmd_sn, pdu->cmd_sn)) {
        if (!is_for_lun(request->function))
            plug_before(session, pdu->cmd_sn);
        request->waits_for_commands = true; /* until conn_deliver_waiting() sees them all */
        return;
    }
    task_request_go_on(request, now_ns);
}

/* ---- queries (RFC 7144, 6; SAM-5, 7) ---- */

static bool is_in_task_set(const struct command *command, uint64_t lun)
{
    return command->task.lun == lun && !command->is_aborted && command->state != COMMAND_ANSWERING;
}

static uint8_t query_task(const struct session *session, const struct pdu *pdu)
{
    const struct command *command =
        target_session_find_command(session, pdu->task_request.ref_task_tag);

    return command && is_in_task_set(command, pdu->lun) ? ISCSI_TMF_FUNCTION_SUCCEEDED
                                                        : ISCSI_TMF_FUNCTION_COMPLETE;
}

static uint8_t query_task_set(const struct session *session, const struct pdu *pdu)
{
    const struct command *command;

    DL_FOREACH(session->commands, command)
    {
        if (is_in_task_set(command, pdu->lun))
            return ISCSI_TMF_FUNCTION_SUCCEEDED;
    }
    return ISCSI_TMF_FUNCTION_COMPLETE;
}

static void query(struct conn *conn, const struct pdu *pdu)
{
    struct session *session = conn->session;
    struct scsi_tmf event = {
        .nexus = session->nexus, .function = TMF_QUERY_ASYNCHRONOUS_EVENT, .lun = pdu->lun};
    uint8_t function = pdu->task_request.function;
    uint8_t response;

    conn->target->counters.queries++;
    (void)device_manage(conn->target->device, &event); /* says at once whether there is this LU */
    if (event.response == TMF_LUN_DOES_NOT_EXIST)
        response = ISCSI_TMF_LUN_DOES_NOT_EXIST;
    else if (function == ISCSI_TMF_QUERY_TASK)
        response = query_task(session, pdu);
    else if (function == ISCSI_TMF_QUERY_TASK_SET)
        response = query_task_set(session, pdu);
    else
        response = response_of(event.response);
    struct pdu_task_response *answer = respond(conn, pdu->itt, function, response);

    if (function == ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT)
        memcpy(answer->additional, event.additional, sizeof(answer->additional));
}

static bool is_known(const struct session *session, uint8_t function)
{
    return function < ISCSI_TMF_QUERY_TASK || session->params.protocol_level >= ISCSI_LEVEL_QUERIES;
}

void conn_task_request(struct conn *conn, const struct pdu *pdu, const uint8_t *header,
                       int64_t now_ns)
{
    struct session *session = conn->session;

    if (pdu->itt == PDU_NO_TAG || target_session_find_command(session, pdu->itt)) {
        conn_reject(conn, header, ISCSI_REJECT_INVALID_PDU_FIELD);
        return;
    }
    if (session->immediate_commands >= CONN_MOST_IMMEDIATE) {
        conn_reject(conn, header, ISCSI_REJECT_TOO_MANY_IMMEDIATE);
        return;
    }
    if (!is_known(session, pdu->task_request.function)) {
        respond(conn, pdu->itt, pdu->task_request.function, ISCSI_TMF_NOT_SUPPORTED);
        conn_deliver_waiting(session, now_ns);
        return;
    }
    switch (pdu->task_request.function) {
    case ISCSI_TMF_ABORT_TASK:
        abort_task(conn, pdu);
        break;
    case ISCSI_TMF_ABORT_TASK_SET:
    case ISCSI_TMF_CLEAR_TASK_SET:
    case ISCSI_TMF_LOGICAL_UNIT_RESET:
    case ISCSI_TMF_TARGET_WARM_RESET:
    case ISCSI_TMF_TARGET_COLD_RESET:
    case ISCSI_TMF_I_T_NEXUS_RESET:
        manage_task_set(conn, pdu, now_ns);
        break;
    case ISCSI_TMF_QUERY_TASK:
    case ISCSI_TMF_QUERY_TASK_SET:
    case ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT:
        query(conn, pdu);
        break;
    case ISCSI_TMF_TASK_REASSIGN: /* error recovery level 2 */
        respond(conn, pdu->itt, pdu->task_request.function, ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED);
        break;
    default: /* CLEAR ACA, and what is not in the standard */
        respond(conn, pdu->itt, pdu->task_request.function, ISCSI_TMF_NOT_SUPPORTED);
        break;
    }
    /* Places in the ring may have been plugged, and it may be this request that waits for them. */
    conn_deliver_waiting(session, now_ns);
}

/* ---- waiting ---- */

int64_t task_requests_deadline_ns(const struct session *session)
{
    const struct task_request *request;
    int64_t deadline_ns = TIME_NEVER;

    DL_FOREACH(session->task_requests, request)
    {
        if (request->owed_count > 0)
            deadline_ns = time_min(deadline_ns, request->deadline_ns);
    }
    return deadline_ns;
}

/* The data does not come: its commands vanish, and the last of them lets the function go on. */
static void stop_waiting(struct session *session, struct task_request *request)
{
    struct command *command;
    struct command *next;
    uint32_t owed_count = request->owed_count;

    DL_FOREACH_SAFE(session->commands, command, next)
    {
        if (command->awaited_by != request)
            continue;
        owed_count--;
        command_forget(command);
        if (owed_count == 0) /* 'request' may be gone */
            return;
    }
}

void task_requests_wake(struct session *session, int64_t now_ns)
{
    struct task_request *request;
    struct task_request *next;

    DL_FOREACH_SAFE(session->task_requests, request, next)
    {
        if (request->owed_count > 0 && request->deadline_ns <= now_ns)
            stop_waiting(session, request);
    }
}

void task_requests_leave(struct session *session, const struct conn *conn)
{
    struct task_request *request;
    struct task_request *next;

    DL_FOREACH_SAFE(session->task_requests, request, next)
    {
        if (conn && request->conn != conn)
            continue;
        request->conn = NULL;
        if (!request->is_at_device)
            free_request(request);
    }
}
