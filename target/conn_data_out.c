/* Data-out: immediate, unsolicited and solicited (RFC 7143, 4.2.5.2, 11.7, 11.8).
 *
 * DataPDUInOrder and DataSequenceInOrder are Yes: data comes in the order of its offsets, R2Ts are
 * answered in the order in which they were sent. What breaks that is a fault of the task: it ends
 * with CHECK CONDITION once everything that it is still owed has come (11.4.7.2), and never in
 * GOOD. Nothing is asked for beyond what the command needs; what comes by itself beyond that is
 * dropped.
 */
#include <utlist.h>

#include "iscsi/scsi.h"
#include "target/conn_inside.h"
#include "target/refuse.h"

#define FAULT_UNEXPECTED REFUSAL(SCSI_ABORTED_COMMAND, SCSI_ASC_UNEXPECTED_UNSOLICITED_DATA)
#define FAULT_AMOUNT     REFUSAL(SCSI_ABORTED_COMMAND, SCSI_ASC_NOT_ENOUGH_UNSOLICITED_DATA)
#define FAULT_SEQUENCE   REFUSAL(SCSI_ABORTED_COMMAND, SCSI_ASC_PROTOCOL_SERVICE_CRC)

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- owing ---- */

/* By the time since when: to move to the end keeps the order. */
static void note_owing(struct command *command, int64_t now_ns)
{
    struct conn *conn = command->conn;

    if (command->is_owing)
        DL_DELETE2(conn->owing, command, previous_owing, next_owing);
    command->is_owing = command_is_owed(command);
    command->owing_since_ns = now_ns;
    if (command->is_owing)
        DL_APPEND2(conn->owing, command, previous_owing, next_owing);
}

static void set_fault(struct command *command, unsigned fault)
{
    if (!command->fault) /* the first tells */
        command->fault = fault;
    buf_queue_clear(&command->collected);
    if (command->conn)
        conn_unput(command->conn, &command->out); /* no more R2Ts */
}

/* Few bytes that more will follow hold back no more memory than they need. */
static void put_collected(struct command *command, struct buf *data)
{
    if (command->came_bytes < command->needed_bytes && buf_bytes(data) <= BUF_FEW_BYTES)
        buf_queue_put_few(&command->collected, data);
    else
        buf_queue_put(&command->collected, data);
}

/* Data that fits: kept as far as it is needed. */
static void keep(struct command *command, struct buf *data, uint32_t bytes)
{
    uint32_t kept_bytes = 0;

    if (command->came_bytes < command->needed_bytes)
        kept_bytes = at_most(bytes, command->needed_bytes - command->came_bytes);
    if (command->fault || command->is_aborted)
        kept_bytes = 0;
    command->came_bytes += bytes;
    put_collected(command,
                  kept_bytes < bytes && kept_bytes > 0 ? buf_cut(&data, kept_bytes) : NULL);
    if (kept_bytes == bytes)
        put_collected(command, data);
    else
        buf_free(data);
}

/* ---- the command itself ---- */

static uint32_t unsolicited_most_bytes(const struct command *command)
{
    return at_most(command->session->params.first_burst_bytes, command->expected_bytes);
}

static unsigned immediate_fault(const struct command *command, uint32_t bytes)
{
    const struct iscsi_params *params = &command->session->params;

    if (bytes == 0)
        return 0;
    if (!params->immediate_data || bytes > params->first_burst_bytes)
        return FAULT_UNEXPECTED;
    return bytes > command->expected_bytes ? FAULT_AMOUNT : 0;
}

/* With InitialR2T=Yes nothing can follow unasked, whatever F says; nor when all of the first burst
 * came along. */
void command_collect(struct command *command, const struct pdu *pdu, struct buf *data,
                     int64_t now_ns)
{
    struct session *session = command->session;
    uint64_t wanted_bytes =
        device_data_out_bytes(session->target->device, command->task.lun, command->task.cdb);
    unsigned fault = immediate_fault(command, pdu->data_bytes);

    command->needed_bytes =
        wanted_bytes < command->expected_bytes ? (uint32_t)wanted_bytes : command->expected_bytes;
    command->is_unsolicited_open = !session->params.initial_r2t && !pdu->is_final &&
                                   pdu->data_bytes < unsolicited_most_bytes(command);
    if (fault)
        set_fault(command, fault);
    keep(command, data, pdu->data_bytes);
    command->asked_bytes = command->came_bytes;
    if (command->is_unsolicited_open)
        note_owing(command, now_ns);
}

/* ---- asking ---- */

static uint32_t r2t_limit(const struct session *session)
{
    return at_most(session->params.max_outstanding_r2t, COMMAND_MOST_R2TS);
}

static bool may_ask(const struct command *command)
{
    return !command->is_unsolicited_open && !command->fault && !command->is_aborted &&
           command->asked_bytes < command->needed_bytes &&
           command->burst_count < r2t_limit(command->session);
}

static bool fits_budget(const struct session *session, uint64_t bytes)
{
    const struct target *target = session->target;
    uint64_t then_bytes = session->moving_bytes + bytes;

    if (session->moving_bytes == 0 || then_bytes <= MOVING_LEAST)
        return true;
    return then_bytes <= MOVING_MOST && target->moving_bytes + bytes <= target->limits.moving_bytes;
}

bool command_has_budget(struct command *command, uint64_t bytes)
{
    struct session *session = command->session;

    if (command->budget_bytes > 0 || bytes == 0)
        return true;
    if (command->is_in_line)
        return false;
    if (session->budget_line || !fits_budget(session, bytes)) {
        DL_APPEND2(session->budget_line, command, previous_in_line, next_in_line);
        command->is_in_line = true;
        command->wanted_bytes = bytes;
        return false;
    }
    command->budget_bytes = bytes;
    session->moving_bytes += bytes;
    session->target->moving_bytes += bytes;
    return true;
}

static void leave_line(struct command *command)
{
    if (!command->is_in_line)
        return;
    DL_DELETE2(command->session->budget_line, command, previous_in_line, next_in_line);
    command->is_in_line = false;
}

struct command *command_next_in_line(struct session *session)
{
    struct command *command = session->budget_line;

    if (!command || !fits_budget(session, command->wanted_bytes))
        return NULL;
    leave_line(command);
    command->budget_bytes = command->wanted_bytes;
    session->moving_bytes += command->budget_bytes;
    session->target->moving_bytes += command->budget_bytes;
    return command;
}

void command_ask(struct command *command)
{
    uint32_t bytes = command->needed_bytes - command->asked_bytes;

    if (may_ask(command) && !command->out.is_queued && command_has_budget(command, bytes))
        conn_put(command->conn, &command->out, OUT_R2T, 0);
}

bool command_next_r2t(struct command *command, struct pdu *ret_pdu, int64_t now_ns)
{
    struct session *session = command->session;

    if (!may_ask(command))
        return false;
    uint32_t bytes =
        at_most(command->needed_bytes - command->asked_bytes, session->params.max_burst_bytes);
    struct burst *burst =
        &command->bursts[(command->burst_first + command->burst_count) % COMMAND_MOST_R2TS];

    *burst = (struct burst){
        .ttt = target_session_new_ttt(session),
        .offset = planted_r2t_offset(session->target, command->asked_bytes, bytes),
        .asked_bytes = bytes,
    };
    command->burst_count++;
    command->asked_bytes += bytes;
    *ret_pdu = (struct pdu){
        .opcode = PDU_R2T,
        .lun = command->task.lun,
        .itt = command->itt,
        .ttt = burst->ttt,
        .r2t = {.r2t_sn = command->r2t_sn++,
                .buffer_offset = burst->offset,
                .desired_bytes = bytes},
    };
    note_owing(command, now_ns);
    return true;
}

void command_stop_collecting(struct command *command)
{
    if (command->is_owing) {
        DL_DELETE2(command->conn->owing, command, previous_owing, next_owing);
        command->is_owing = false;
    }
    leave_line(command);
}

void command_give_budget(struct command *command)
{
    struct session *session = command->session;

    if (command->budget_bytes == 0)
        return;
    session->moving_bytes -= command->budget_bytes;
    session->target->moving_bytes -= command->budget_bytes;
    command->budget_bytes = 0;
    if (session->budget_line && !session->is_over) /* not from here: see commands_go_on() */
        target_mark_restless(session->target, session->budget_line->conn);
}

/* ---- Data-Out ---- */

/* Unsolicited, without a TTT. The sequence must be as long as it may be (11.4.7.2). */
static void take_unsolicited(struct command *command, const struct pdu *pdu, struct buf *data)
{
    uint32_t most_bytes = unsolicited_most_bytes(command);

    if (!command->is_unsolicited_open) {
        buf_free(data);
        if (pdu->data_bytes == 0)
            return;
        set_fault(command, FAULT_UNEXPECTED);
        command->is_unsolicited_open = !pdu->is_final; /* the rest of it is swallowed */
        return;
    }
    if (pdu->data_out.data_sn != command->unsolicited_data_sn ||
        pdu->data_out.buffer_offset != command->came_bytes)
        set_fault(command, FAULT_SEQUENCE);
    command->unsolicited_data_sn++;
    if (command->fault || pdu->data_bytes > most_bytes - command->came_bytes) {
        buf_free(data);
        set_fault(command, FAULT_AMOUNT);
    } else {
        keep(command, data, pdu->data_bytes);
    }
    if (!pdu->is_final)
        return;
    command->is_unsolicited_open = false;
    command->asked_bytes = command->came_bytes;
    if (command->came_bytes < most_bytes)
        set_fault(command, FAULT_AMOUNT);
}

static struct burst *find_burst(struct command *command, uint32_t ttt)
{
    for (uint32_t i = 0; i < command->burst_count; i++) {
        struct burst *burst = &command->bursts[(command->burst_first + i) % COMMAND_MOST_R2TS];

        if (burst->ttt == ttt)
            return burst;
    }
    return NULL;
}

/* A burst has come to its end. When an older one is still open, this end was that of the order. */
static void close_burst(struct command *command, struct burst *burst)
{
    struct burst *oldest = &command->bursts[command->burst_first];

    if (burst != oldest) {
        set_fault(command, FAULT_SEQUENCE);
        *burst = *oldest; /* the oldest stays open, in its place */
    }
    command->burst_first = (command->burst_first + 1) % COMMAND_MOST_R2TS;
    command->burst_count--;
}

static void take_solicited(struct command *command, struct burst *burst, const struct pdu *pdu,
                           struct buf *data)
{
    bool is_in_order = pdu->data_out.data_sn == burst->data_sn &&
                       pdu->data_out.buffer_offset == burst->offset + burst->came_bytes &&
                       burst == &command->bursts[command->burst_first];

    burst->data_sn++;
    if (!is_in_order)
        set_fault(command, FAULT_SEQUENCE);
    else if (pdu->data_bytes > burst->asked_bytes - burst->came_bytes)
        set_fault(command, FAULT_AMOUNT);
    if (command->fault) {
        buf_free(data);
    } else {
        burst->came_bytes += pdu->data_bytes;
        keep(command, data, pdu->data_bytes);
    }
    if (!pdu->is_final)
        return;
    if (burst->came_bytes < burst->asked_bytes)
        set_fault(command, FAULT_AMOUNT);
    close_burst(command, burst);
}

/* The command that a Data-Out is for; NULL: it cannot be for any. */
static struct command *command_of(struct conn *conn, const struct pdu *pdu)
{
    struct command *command = target_session_find_command(conn->session, pdu->itt);

    if (!command || command->conn != conn || command->state != COMMAND_COLLECTING)
        return NULL;
    if (pdu->ttt == PDU_NO_TAG)
        return command;
    return pdu->lun == command->task.lun && find_burst(command, pdu->ttt) ? command : NULL;
}

void conn_data_out(struct conn *conn, const struct pdu *pdu, struct buf *data,
                   const uint8_t *header, int64_t now_ns)
{
    struct command *command = command_of(conn, pdu);

    if (!command) {
        buf_free(data);
        if (!target_session_swallows(conn->session, pdu->itt))
            conn_reject(conn, header, ISCSI_REJECT_INVALID_PDU_FIELD);
        return;
    }
    if (pdu->ttt == PDU_NO_TAG)
        take_unsolicited(command, pdu, data);
    else
        take_solicited(command, find_burst(command, pdu->ttt), pdu, data);
    note_owing(command, now_ns);
    command_go_on(command);
}

void conn_data_out_damaged(struct conn *conn, const struct pdu *pdu, int64_t now_ns)
{
    struct command *command = command_of(conn, pdu);

    if (!command)
        return;
    set_fault(command, FAULT_SEQUENCE);
    if (pdu->is_final && pdu->ttt == PDU_NO_TAG)
        command->is_unsolicited_open = false;
    else if (pdu->is_final)
        close_burst(command, find_burst(command, pdu->ttt));
    note_owing(command, now_ns);
    command_go_on(command);
}
