/* SCSI commands: from the PDU to the device, and the result on its way back (RFC 7143, 11.3, 11.4).
 */
#include <string.h>

#include <utlist.h>

#include "iscsi/scsi.h"
#include "target/conn_inside.h"
#include "target/refuse.h"

/* ---- the end of a command ---- */

void command_free(struct command *command)
{
    struct session *session = command->session;

    command_stop_collecting(command);
    command_give_budget(command);
    if (command->conn)
        conn_unput(command->conn, &command->out);
    target_session_remove_command(session, command);
    if (command->awaited_by)
        task_request_got_data(command->awaited_by);
    buf_queue_clear(&command->collected);
    buf_free(command->data_in);
    task_fini(&command->task);
    pool_give(session->target->pool, command, sizeof(*command));
}

void command_forget(struct command *command)
{
    if (command->state == COMMAND_COLLECTING && command_is_owed(command))
        target_session_swallow(command->session, command->itt);
    if (command->state != COMMAND_AT_DEVICE) {
        command_free(command);
        return;
    }
    command->conn = NULL; /* command_came_back() frees it */
}

/* ---- the result ---- */

/* 11.4.5: what SCSI would transfer, against EDTL. */
static struct pdu_residual residual_of(const struct command *command, uint64_t transfer_bytes)
{
    uint64_t expected_bytes = command->expected_bytes;

    if (transfer_bytes > expected_bytes) {
        uint64_t more_bytes = transfer_bytes - expected_bytes;

        return (struct pdu_residual){.is_overflow = true,
                                     .bytes = more_bytes > UINT32_MAX ? UINT32_MAX
                                                                      : (uint32_t)more_bytes};
    }
    if (transfer_bytes < expected_bytes)
        return (struct pdu_residual){.is_underflow = true,
                                     .bytes = (uint32_t)(expected_bytes - transfer_bytes)};
    return (struct pdu_residual){0};
}

/* The data that the initiator expects, and no more. A read that was sent as a write transfers
 * nothing in the direction that EDTL is about. */
static void take_data_in(struct command *command)
{
    size_t bytes = buf_bytes(command->task.data_in);
    struct buf *rest = task_take_data_in(&command->task);

    if (!command->is_read) { /* the data is for nobody */
        buf_free(rest);
        if (command->is_write && bytes > 0)
            command->task.transfer_bytes = 0;
        return;
    }
    if (bytes > command->expected_bytes) {
        command->data_in = buf_cut(&rest, command->expected_bytes);
        buf_free(rest);
        bytes = command->expected_bytes;
    } else {
        command->data_in = rest;
    }
    command->data_in_left_bytes = (uint32_t)bytes;
}

static void answer(struct command *command)
{
    command->state = COMMAND_ANSWERING;
    take_data_in(command);
    command->residual = residual_of(command, command->task.transfer_bytes);
    conn_put(command->conn, &command->out, OUT_RESULT, command->data_in_left_bytes);
}

/* What the transport itself found wrong; the device never saw the command (11.4.7.2). */
static void answer_fault(struct command *command)
{
    command_stop_collecting(command);
    buf_queue_clear(&command->collected);
    task_refuse(&command->task, command->fault);
    command->task.transfer_bytes = 0;
    answer(command);
}

/* From the event loop, or while the device crashes. */
static void command_came_back(struct scsi_task *task)
{
    struct command *command = CONTAINER_OF(task, struct command, task);
    struct session *session = command->session;
    bool is_wanted = command->conn && !task->is_aborted;

    session->held_count--;
    command->state = COMMAND_ANSWERING;
    if (is_wanted) {
        answer(command);
        target_mark_restless(session->target, command->conn);
    } else {
        command_free(command);
        conn_tell_window(session);
    }
    target_session_settle(session);
}

/* ---- the way to the device ---- */

static void start(struct command *command)
{
    struct session *session = command->session;
    struct scsi_task *task = &command->task;

    command_stop_collecting(command);
    task->data_out = command->collected.head;
    command->collected = (struct buf_queue){0};
    command->state = COMMAND_AT_DEVICE;
    if (device_start(session->target->device, task) == TASK_DONE)
        answer(command);
    else
        session->held_count++;
}

/* What it may read, as far as it counts. */
static uint64_t read_most_bytes(const struct command *command)
{
    return command->expected_bytes < MOVING_MOST ? command->expected_bytes : MOVING_MOST;
}

/* All that is owed has come: either all that is needed is there, or more is asked for. */
void command_go_on(struct command *command)
{
    if (command->is_aborted) {
        if (!command_is_owed(command))
            command_free(command);
        return;
    }
    if (command->fault) {
        if (!command_is_owed(command))
            answer_fault(command);
        return;
    }
    if (command_is_owed(command) || command->came_bytes < command->needed_bytes) {
        command_ask(command);
        return;
    }
    if (!command->is_read || command_has_budget(command, read_most_bytes(command)))
        start(command);
}

void commands_go_on(struct session *session)
{
    struct command *command;

    while (!session->is_over && (command = command_next_in_line(session)) != NULL)
        command_go_on(command);
}

/* 11.3.1.2; "untagged" is as good as SIMPLE. */
static enum task_attribute attribute_of(uint8_t attribute)
{
    switch (attribute) {
    case ISCSI_ORDERED:
        return TASK_ORDERED;
    case ISCSI_HEAD_OF_QUEUE:
        return TASK_HEAD_OF_QUEUE;
    case ISCSI_ACA:
        return TASK_ACA;
    default:
        return TASK_SIMPLE;
    }
}

static struct command *make(struct conn *conn, const struct pdu *pdu)
{
    struct session *session = conn->session;
    struct command *command = pool_take_raw(conn->target->pool, sizeof(*command));

    memset(command, 0, COMMAND_CLEAN_BYTES);
    command->session = session;
    command->conn = conn;
    command->itt = pdu->itt;
    command->cmd_sn = pdu->cmd_sn;
    command->is_immediate = pdu->is_immediate;
    command->expected_bytes = pdu->command.expected_bytes;
    command->is_read = pdu->command.is_read;
    command->is_write = pdu->command.is_write;
    command->task.nexus = session->nexus;
    command->task.lun = pdu->lun;
    memcpy(command->task.cdb, pdu->command.cdb, TASK_CDB_BYTES);
    command->task.attribute = attribute_of(pdu->command.attribute);
    command->task.expected_bytes = pdu->command.expected_bytes;
    command->task.tag = pdu->itt;
    command->task.on_done = command_came_back;
    target_session_add_command(session, command);
    conn->target->counters.commands++;
    return command;
}

/* Why a command cannot begin; 0: it can. */
static uint8_t refusal_of(const struct conn *conn, const struct pdu *pdu)
{
    const struct session *session = conn->session;

    if (pdu->itt == PDU_NO_TAG || (pdu->data_bytes > 0 && !pdu->command.is_write))
        return ISCSI_REJECT_INVALID_PDU_FIELD;
    if (target_session_find_command(session, pdu->itt))
        return ISCSI_REJECT_TASK_IN_PROGRESS;
    if (pdu->is_immediate && session->immediate_commands >= CONN_MOST_IMMEDIATE)
        return ISCSI_REJECT_TOO_MANY_IMMEDIATE;
    return 0;
}

void conn_scsi_command(struct conn *conn, const struct pdu *pdu, struct buf *data,
                       const uint8_t *header, int64_t now_ns)
{
    uint8_t refusal = refusal_of(conn, pdu);

    if (refusal) {
        buf_free(data);
        conn_reject(conn, header, refusal);
        return;
    }
    struct command *command = make(conn, pdu);

    if (command->is_write)
        command_collect(command, pdu, data, now_ns);
    command_go_on(command);
}
