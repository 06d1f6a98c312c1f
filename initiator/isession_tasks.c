/* SCSI commands of a session: the command and its unsolicited data, R2T and Data-Out, Data-In and
 * the response (RFC 7143, 4.2.5, 11.3, 11.4, 11.7, 11.8).
 *
 * Read data stays the slices that arrived: they are strung onto the command. Write data is shared
 * slices of the command's buffer.
 */
#include "initiator/isession_inside.h"

#include "sim/core/bytes.h"
#include "sim/core/time.h"

#include <assert.h>
#include <string.h>

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Submission. */

bool isession_can_submit(const struct isession *session)
{
    return session->state == ISESSION_FULL_FEATURE && !isession_is_discovery(session) &&
           session->open_count < session->config.max_commands;
}

uint32_t isession_open_commands(const struct isession *session)
{
    return session->open_count;
}

/* Unsolicited data, immediate and in Data-Out, ends here (13.14). */
static uint32_t unsolicited_end(const struct isession *session, const struct command *command)
{
    return least(session->params.first_burst_bytes, command->bytes);
}

static uint32_t immediate_bytes(const struct isession *session, const struct command *command)
{
    if (command->direction != DATA_WRITE || !session->params.immediate_data)
        return 0;
    return least(unsolicited_end(session, command), session->params.peer_max_recv_segment_bytes);
}

static void burst_add(struct isession *session, struct connection *c, struct burst burst)
{
    struct burst *queued = pool_take(session->config.pool, sizeof(*queued));

    *queued = burst;
    if (c->burst_tail)
        c->burst_tail->next = queued;
    else
        c->burst_head = queued;
    c->burst_tail = queued;
    burst.task->burst_count++;
}

static void command_send(struct isession *session, struct connection *c, struct task *task)
{
    struct command *command = task->command;
    bool is_write = command->direction == DATA_WRITE;
    uint32_t immediate = immediate_bytes(session, command);
    uint32_t unsolicited = 0; /* in Data-Outs that follow by themselves */

    if (is_write && !session->params.initial_r2t)
        unsolicited = unsolicited_end(session, command) - immediate;
    struct pdu pdu = {.opcode = PDU_SCSI_COMMAND,
                      .is_final = unsolicited == 0,
                      .lun = command->lun,
                      .command = {.is_read = command->direction == DATA_READ,
                                  .is_write = is_write,
                                  .attribute = ISCSI_SIMPLE,
                                  .expected_bytes = command->bytes}};

    memcpy(pdu.command.cdb, command->cdb, sizeof(pdu.command.cdb));
    isession_number(session, task, command->is_immediate, &pdu);
    isession_send(session, c, &pdu,
                  immediate > 0 ? buf_share(command->data_out, 0, immediate) : NULL);
    command->sent_at_ns = session->now_ns;
    command->moved_at_ns = session->now_ns;
    if (unsolicited > 0)
        burst_add(
            session, c,
            (struct burst){
                .task = task, .ttt = PDU_NO_TAG, .offset = immediate, .left_bytes = unsolicited});
}

void isession_submit(struct isession *session, struct command *command)
{
    assert(isession_can_submit(session));
    assert(command->direction != DATA_NONE || command->bytes == 0);
    assert(!command->data_in);
    struct task *task = task_take(session, TASK_COMMAND);

    assert(task); /* the slots are as many as the commands, and some */
    task->command = command;
    command->floor = task;
    command->task_tag = task->tag;
    command->sent_at_ns = TIME_NEVER;
    command->moved_at_ns = session->now_ns;
    command->status = 0;
    command->sense_bytes = 0;
    command->residual_bytes = 0;
    command->is_overflow = false;
    command_list_append(&session->open, command);
    session->open_count++;
    if (command->is_immediate) /* does not wait for the window (4.2.2.1) */
        command_send(session, &session->connections[0], task);
    else if (!session->unsent)
        session->unsent = command;
}

static struct command *next_unsent(struct command *command)
{
    while (command && ((const struct task *)command->floor)->is_sent)
        command = command->next;
    return command;
}

void commands_send(struct isession *session, struct connection *c, size_t max_bytes)
{
    while (session->unsent && c->out.bytes < max_bytes) {
        if (!isession_window_is_open(session)) {
            session->counters.window_waits++;
            return;
        }
        struct command *command = session->unsent;

        command_send(session, c, command->floor);
        session->unsent = next_unsent(command->next);
    }
}

static void forget_command(struct isession *session, struct task *task)
{
    struct command *command = task->command;

    if (session->unsent == command)
        session->unsent = next_unsent(command->next);
    command_list_remove(&session->open, command);
    session->open_count--;
    command->floor = NULL;
    for (uint32_t i = 0; i < CONNECTIONS_MOST && task->burst_count > 0; i++)
        bursts_forget(session, &session->connections[i], task);
    while (task->pieces) {
        struct piece *piece = task->pieces;

        task->pieces = piece->next;
        buf_free(piece->data);
        pool_give(session->config.pool, piece, sizeof(*piece));
    }
    task_give(session, task);
}

bool isession_withdraw(struct isession *session, struct command *command)
{
    struct task *task = command->floor;

    if (!task || task->is_sent)
        return false;
    forget_command(session, task);
    return true;
}

/* Ends. */

static void finish(struct isession *session, struct task *task, enum command_end end)
{
    struct command *command = task->command;

    command->end = end;
    if (end != COMMAND_ANSWERED) {
        buf_free(command->data_in);
        command->data_in = NULL;
    }
    forget_command(session, task);
    command_list_append(&session->done, command);
}

void command_end(struct isession *session, struct task *task, enum command_end end)
{
    finish(session, task, end);
}

void commands_end_all(struct isession *session, enum command_end end)
{
    while (session->open.head)
        finish(session, session->open.head->floor, end);
}

struct command *isession_next_done(struct isession *session)
{
    return command_list_pop(&session->done);
}

/* Data-Out. */

void bursts_forget(struct isession *session, struct connection *c, struct task *task)
{
    struct burst **link = &c->burst_head;

    c->burst_tail = NULL;
    while (*link) {
        struct burst *burst = *link;

        if (!task || burst->task == task) {
            *link = burst->next;
            burst->task->burst_count--;
            pool_give(session->config.pool, burst, sizeof(*burst));
        } else {
            c->burst_tail = burst;
            link = &burst->next;
        }
    }
}

static void burst_pop(struct isession *session, struct connection *c)
{
    struct burst *burst = c->burst_head;

    burst->task->burst_count--;
    c->burst_head = burst->next;
    if (!c->burst_head)
        c->burst_tail = NULL;
    pool_give(session->config.pool, burst, sizeof(*burst));
}

static void data_out_send(struct isession *session, struct connection *c, struct burst *burst)
{
    struct command *command = burst->task->command;
    uint32_t bytes = least(burst->left_bytes, session->params.peer_max_recv_segment_bytes);
    struct pdu pdu = {.opcode = PDU_DATA_OUT,
                      .is_final = bytes == burst->left_bytes,
                      .lun = burst->lun,
                      .itt = burst->task->tag,
                      .ttt = burst->ttt,
                      .data_out = {.data_sn = burst->data_sn++, .buffer_offset = burst->offset}};

    isession_send(session, c, &pdu, buf_share(command->data_out, burst->offset, bytes));
    command->moved_at_ns = session->now_ns;
    burst->offset += bytes;
    burst->left_bytes -= bytes;
}

/* Sequences go out one after the other, in the order in which they were asked for. */
void bursts_send(struct isession *session, struct connection *c, size_t max_bytes)
{
    while (c->burst_head && c->out.bytes < max_bytes) {
        data_out_send(session, c, c->burst_head);
        if (c->burst_head->left_bytes == 0)
            burst_pop(session, c);
    }
}

static const char *r2t_fault(const struct isession *session, const struct task *task,
                             const struct pdu *pdu)
{
    const struct pdu_r2t *r2t = &pdu->r2t;
    const struct command *command = task->command;

    if (command->direction != DATA_WRITE || !task->is_sent)
        return "R2T for a command that writes nothing";
    if (pdu->ttt == PDU_NO_TAG)
        return "R2T without a Target Transfer Tag";
    if (r2t->r2t_sn != task->r2t_sn)
        return "R2TSN is not the next one";
    if (r2t->desired_bytes == 0 || r2t->desired_bytes > session->params.max_burst_bytes)
        return "R2T for nothing, or for more than MaxBurstLength";
    if (r2t->buffer_offset > command->bytes ||
        r2t->desired_bytes > command->bytes - r2t->buffer_offset)
        return "R2T beyond the Expected Data Transfer Length";
    if (task->burst_count > session->params.max_outstanding_r2t) /* one may be unsolicited */
        return "more R2Ts than MaxOutstandingR2T";
    return NULL;
}

void r2t_came(struct isession *session, struct connection *c, const struct pdu *pdu)
{
    struct task *task = task_find(session, pdu->itt, TASK_COMMAND);
    const char *fault = task ? r2t_fault(session, task, pdu) : "R2T for no task";

    if (fault) {
        isession_end(session, LOST_PROTOCOL, fault);
        return;
    }
    if (!isession_see_stat_sn(session, c, pdu, false))
        return;
    isession_see_window(session, pdu);
    task->r2t_sn++;
    task->command->moved_at_ns = session->now_ns;
    if (task->is_silenced || session->state != ISESSION_FULL_FEATURE)
        return;
    burst_add(session, c,
              (struct burst){.task = task,
                             .ttt = pdu->ttt,
                             .lun = pdu->lun,
                             .offset = pdu->r2t.buffer_offset,
                             .left_bytes = pdu->r2t.desired_bytes});
}

/* Data-In. */

static void append_data(struct task *task, struct buf *data)
{
    struct command *command = task->command;

    if (!data)
        return;
    if (task->data_tail)
        task->data_tail->next = data;
    else
        command->data_in = data;
    while (data->next)
        data = data->next;
    task->data_tail = data;
}

/* In any order: pieces by their offsets, joined at the end. False: it overlaps another one. */
static bool keep_piece(struct isession *session, struct task *task, uint32_t offset,
                       struct buf *data, uint32_t bytes)
{
    struct piece **link = &task->pieces;
    uint32_t end = 0; /* of the piece before */

    while (*link && (*link)->offset < offset) {
        end = (*link)->offset + (*link)->bytes;
        link = &(*link)->next;
    }
    if (end > offset || (*link && offset + bytes > (*link)->offset)) {
        buf_free(data);
        return false;
    }
    struct piece *piece = pool_take(session->config.pool, sizeof(*piece));

    *piece = (struct piece){.next = *link, .offset = offset, .bytes = bytes, .data = data};
    *link = piece;
    return true;
}

/* True if what came makes the data whole from 0 on. */
static bool join_pieces(struct isession *session, struct task *task)
{
    uint32_t end = 0;

    while (task->pieces && task->pieces->offset == end) {
        struct piece *piece = task->pieces;

        end += piece->bytes;
        append_data(task, piece->data);
        task->pieces = piece->next;
        pool_give(session->config.pool, piece, sizeof(*piece));
    }
    return !task->pieces;
}

static bool is_in_order(const struct isession *session)
{
    return session->params.data_pdu_in_order && session->params.data_sequence_in_order;
}

static const char *data_in_fault(const struct isession *session, const struct task *task,
                                 const struct pdu *pdu)
{
    const struct pdu_data_in *in = &pdu->data_in;
    const struct command *command = task->command;

    if (command->direction != DATA_READ || !task->is_sent)
        return "Data-In for a command that reads nothing";
    if (in->data_sn != task->data_sn)
        return "DataSN is not the next one";
    if (in->buffer_offset > command->bytes || pdu->data_bytes > command->bytes - in->buffer_offset)
        return "Data-In beyond the Expected Data Transfer Length";
    if (is_in_order(session) && pdu->data_bytes > 0 && in->buffer_offset != task->received_bytes)
        return "Data-In out of order";
    if (in->has_status && !pdu->is_final)
        return "Data-In with status that is not final";
    return NULL;
}

/* The status of a command is here: is the data as the numbers say? NULL: yes. */
static const char *sum_fault(struct isession *session, struct task *task,
                             const struct pdu_residual *residual, uint8_t status)
{
    struct command *command = task->command;

    if (residual->is_underflow && residual->bytes > command->bytes)
        return "the residual exceeds the Expected Data Transfer Length";
    if (command->direction != DATA_READ)
        return NULL;
    if (!is_in_order(session) && !join_pieces(session, task))
        return "read data with a gap";
    uint32_t due = command->bytes - (residual->is_underflow ? residual->bytes : 0);

    if (status == 0 && task->received_bytes < due)
        return "read data is missing";
    if (status == 0 && task->received_bytes > due)
        return "more read data than the residual says";
    return NULL;
}

static void answered(struct isession *session, struct connection *c, struct task *task,
                     const struct pdu_residual *residual, uint8_t status)
{
    struct command *command = task->command;
    const char *fault = sum_fault(session, task, residual, status);

    if (fault) { /* at error recovery level 0 what is missing cannot be had again (7.9) */
        isession_end(session, LOST_PROTOCOL, fault);
        return;
    }
    command->status = status;
    command->is_overflow = residual->is_overflow;
    command->residual_bytes = residual->is_overflow || residual->is_underflow ? residual->bytes : 0;
    finish(session, task, COMMAND_ANSWERED);
    if (session->config.confirms_status && session->open_count == 0)
        status_confirm(session, c);
}

void data_in_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                  struct buf *data)
{
    const struct pdu_data_in *in = &pdu->data_in;
    struct task *task = task_find(session, pdu->itt, TASK_COMMAND);

    if (task)
        command_fetch(task->command);
    const char *fault = task ? data_in_fault(session, task, pdu) : "Data-In for no task";

    if (fault) {
        buf_free(data);
        isession_end(session, LOST_PROTOCOL, fault);
        return;
    }
    task->data_sn++; /* an empty one counts, too */
    task->received_bytes += pdu->data_bytes;
    task->command->moved_at_ns = session->now_ns;
    if (is_in_order(session)) {
        append_data(task, data);
    } else if (data && !keep_piece(session, task, in->buffer_offset, data, pdu->data_bytes)) {
        isession_end(session, LOST_PROTOCOL, "Data-In overlaps earlier data");
        return;
    }
    if (in->has_status && !isession_see_stat_sn(session, c, pdu, true))
        return;
    isession_see_window(session, pdu);
    if (in->has_status)
        answered(session, c, task, &in->residual, in->status);
}

/* The response. */

bool sense_of(const struct buf *data, uint8_t ret_sense[SENSE_MAX_BYTES], size_t *ret_bytes)
{
    size_t bytes = buf_bytes(data);
    uint8_t length[2];

    *ret_bytes = 0;
    if (bytes < sizeof(length))
        return bytes == 0;
    buf_read(data, 0, length, sizeof(length));
    size_t sense_bytes = get_be16(length);

    if (sense_bytes > bytes - sizeof(length))
        return false;
    if (sense_bytes > SENSE_MAX_BYTES)
        sense_bytes = SENSE_MAX_BYTES;
    buf_read(data, sizeof(length), ret_sense, sense_bytes);
    *ret_bytes = sense_bytes;
    return true;
}

void response_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                   struct buf *data)
{
    const struct pdu_scsi_response *response = &pdu->response;
    struct task *task = task_find(session, pdu->itt, TASK_COMMAND);
    size_t sense_bytes;

    if (!task || !task->is_sent) {
        buf_free(data);
        isession_end(session, LOST_PROTOCOL, "SCSI Response for no task");
        return;
    }
    if (!isession_see_stat_sn(session, c, pdu, true)) {
        buf_free(data);
        return;
    }
    isession_see_window(session, pdu);
    bool is_sense_good = sense_of(data, task->command->sense, &sense_bytes);

    buf_free(data);
    if (response->response != ISCSI_RESPONSE_COMPLETED_AT_TARGET || !is_sense_good) {
        finish(session, task, COMMAND_PROTOCOL);
        return;
    }
    task->command->sense_bytes = (uint8_t)sense_bytes;
    if (task->command->direction == DATA_READ && sn_before(task->data_sn, response->exp_data_sn)) {
        isession_end(session, LOST_PROTOCOL, "Data-In is missing: ExpDataSN is ahead");
        return;
    }
    answered(session, c, task, &response->residual, response->status);
}
