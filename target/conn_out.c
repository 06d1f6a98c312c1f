/* What a connection sends: items wait in order, PDUs are made of them when somebody takes them. */
#include <string.h>

#include <utlist.h>

#include "iscsi/scsi.h"
#include "target/conn_inside.h"

#define ITEM_COST_BYTES 128u /* of a PDU, besides its data */

/* ---- the line ---- */

void conn_put(struct conn *conn, struct out_item *item, enum out_kind kind, size_t bytes)
{
    assert(!item->is_queued);
    item->kind = kind;
    item->is_queued = true;
    item->cost_bytes = (uint32_t)(bytes + ITEM_COST_BYTES);
    conn->unsent_bytes += item->cost_bytes;
    if (kind == OUT_REPLY)
        conn->replies_bytes += item->cost_bytes;
    DL_APPEND(conn->out_items, item);
}

void conn_unput(struct conn *conn, struct out_item *item)
{
    if (!item->is_queued)
        return;
    item->is_queued = false;
    conn->unsent_bytes -= item->cost_bytes;
    if (item->kind == OUT_REPLY)
        conn->replies_bytes -= item->cost_bytes;
    DL_DELETE(conn->out_items, item);
}

static bool takes_stat_sn(uint8_t opcode)
{
    return opcode != PDU_R2T && opcode != PDU_DATA_IN;
}

struct reply *conn_reply(struct conn *conn, uint8_t opcode, uint32_t itt, struct buf *data)
{
    struct reply *reply = pool_take(conn->target->pool, sizeof(*reply));

    reply->pdu.opcode = opcode;
    reply->pdu.is_final = true;
    reply->pdu.itt = itt;
    reply->data = data;
    reply->has_stat_sn = takes_stat_sn(opcode);
    conn_put(conn, &reply->out, OUT_REPLY, buf_bytes(data));
    return reply;
}

void conn_reject(struct conn *conn, const uint8_t *header, uint8_t reason)
{
    struct buf *copy = buf_copy(conn->target->pool, header, PDU_HEADER_BYTES);
    struct reply *reply = conn_reply(conn, PDU_REJECT, PDU_NO_TAG, copy);

    reply->pdu.reject.reason = reason;
    conn->target->counters.rejects++;
}

static void free_reply(struct conn *conn, struct reply *reply)
{
    buf_free(reply->data);
    pool_give(conn->target->pool, reply, sizeof(*reply));
}

void conn_out_clear(struct conn *conn)
{
    struct out_item *item;
    struct out_item *next;

    buf_queue_clear(&conn->out);
    DL_FOREACH_SAFE(conn->out_items, item, next)
    {
        if (item->kind != OUT_REPLY) /* commands go with their session */
            continue;
        conn_unput(conn, item);
        free_reply(conn, CONTAINER_OF(item, struct reply, out));
    }
}

/* ---- PDUs ---- */

/* The numbers of this moment. Before the session exists, its window is what it will begin with. */
static void number(const struct conn *conn, struct pdu *pdu)
{
    struct session *session = conn->session;

    if (!session) {
        pdu->exp_cmd_sn = conn->login->watch.cmd_sn;
        pdu->max_cmd_sn = pdu->exp_cmd_sn + conn->target->profile.max_commands - 1;
        return;
    }
    pdu->exp_cmd_sn = session->exp_cmd_sn;
    pdu->max_cmd_sn = planted_max_cmd_sn(session, target_session_max_cmd_sn(session));
    session->told_max_cmd_sn = pdu->max_cmd_sn;
}

static uint32_t take_stat_sn(struct conn *conn)
{
    conn->stat_sn = planted_stat_sn(conn->target, conn->stat_sn);
    return conn->stat_sn++;
}

static void send(struct conn *conn, struct pdu *pdu, struct buf *data, int64_t now_ns)
{
    struct target *target = conn->target;

    number(conn, pdu);
    struct buf *bytes = framer_encode(target->pool, pdu, data, conn->digests);

    target->counters.pdus_sent++;
    target->trace->ops->pdu(target->trace, now_ns,
                            &(struct trace_pdu){.connection = conn->number,
                                                .is_target_end = true,
                                                .is_from_target = true,
                                                .header = buf_data(bytes),
                                                .memo = &conn->trace_memo});
    buf_queue_put(&conn->out, bytes);
}

static void send_reply(struct conn *conn, struct reply *reply, int64_t now_ns)
{
    enum reply_then then = reply->then;

    conn_unput(conn, &reply->out);
    reply->pdu.stat_sn = reply->has_stat_sn ? take_stat_sn(conn) : conn->stat_sn;
    send(conn, &reply->pdu, reply->data, now_ns);
    reply->data = NULL;
    free_reply(conn, reply);
    switch (then) {
    case THEN_NOTHING:
        break;
    case THEN_FULL_FEATURE:
        conn->digests = (struct framer_digests){
            .header = conn->params.header_digest == DIGEST_CRC32C,
            .data = conn->params.data_digest == DIGEST_CRC32C,
        };
        break;
    case THEN_COLD_RESET: /* the answer stands; now all connections end (11.5.1) */
        target_session_end(conn->session);
        conn_close_when_sent(conn, CONN_RESET, "", now_ns);
        break;
    }
}

static void send_r2ts(struct conn *conn, struct command *command, int64_t now_ns)
{
    struct pdu pdu;

    conn_unput(conn, &command->out);
    while (command_next_r2t(command, &pdu, now_ns)) {
        pdu.stat_sn = conn->stat_sn; /* shown, not taken (11.8.4) */
        send(conn, &pdu, NULL, now_ns);
    }
}

/* How long the next Data-In may be. All but the last of a sequence hold whole words (11.7.7). */
static uint32_t segment_bytes(const struct conn *conn, const struct command *command,
                              bool *ret_ends_sequence)
{
    uint32_t max_burst_bytes = conn->session->params.max_burst_bytes;
    uint32_t burst_left_bytes = max_burst_bytes - command->sent_bytes % max_burst_bytes;
    uint32_t bytes = command->data_in_left_bytes;

    if (bytes > burst_left_bytes)
        bytes = burst_left_bytes;
    *ret_ends_sequence = bytes <= conn->params.peer_max_recv_segment_bytes;
    return *ret_ends_sequence ? bytes : conn->params.peer_max_recv_segment_bytes & ~3u;
}

/* The status may ride on the last Data-In when it is good (11.7.3). The command's place in the
 * window is free before the numbers are taken. */
static void send_data_in(struct conn *conn, struct command *command, int64_t now_ns)
{
    bool ends_sequence;
    uint32_t bytes = segment_bytes(conn, command, &ends_sequence);
    bool is_last = bytes == command->data_in_left_bytes && command->task.status == SCSI_GOOD;
    struct pdu pdu = {
        .opcode = PDU_DATA_IN,
        .is_final = ends_sequence,
        .itt = command->itt,
        .ttt = PDU_NO_TAG,
        .data_in = {.data_sn = command->data_sn++, .buffer_offset = command->sent_bytes},
    };
    struct buf *data = is_last ? command->data_in : buf_cut(&command->data_in, bytes);

    if (is_last)
        command->data_in = NULL;
    command->sent_bytes += bytes;
    command->data_in_left_bytes -= bytes;
    if (is_last) {
        pdu.data_in.has_status = true;
        pdu.data_in.status = SCSI_GOOD;
        pdu.data_in.residual = command->residual;
        pdu.stat_sn = take_stat_sn(conn);
        conn_unput(conn, &command->out);
        command_free(command);
    }
    send(conn, &pdu, data, now_ns);
}

/* The sense data, with their length before them (11.4.7). */
static struct buf *sense_segment(struct conn *conn, const struct scsi_task *task)
{
    if (task->sense_bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(conn->target->pool, 2u + task->sense_bytes);

    put_be16(chunk->data, task->sense_bytes);
    memcpy(chunk->data + 2, task->sense, task->sense_bytes);
    return buf_new(chunk, 0, 2u + task->sense_bytes);
}

static void send_response(struct conn *conn, struct command *command, int64_t now_ns)
{
    struct pdu pdu = {
        .opcode = PDU_SCSI_RESPONSE,
        .itt = command->itt,
        .stat_sn = take_stat_sn(conn),
        .response = {.response = ISCSI_RESPONSE_COMPLETED_AT_TARGET,
                     .status = command->task.status,
                     .exp_data_sn = command->data_sn + command->r2t_sn,
                     .residual = command->residual},
    };
    struct buf *sense = sense_segment(conn, &command->task);

    conn_unput(conn, &command->out);
    command_free(command);
    send(conn, &pdu, sense, now_ns);
    if (planted_answers_twice(conn->target)) {
        pdu.stat_sn = take_stat_sn(conn);
        send(conn, &pdu, NULL, now_ns);
    }
}

void conn_make_out(struct conn *conn, size_t bytes, int64_t now_ns)
{
    while (conn->out.bytes < bytes && conn->out_items) {
        struct out_item *item = conn->out_items;
        struct command *command = CONTAINER_OF(item, struct command, out);

        if (item->kind == OUT_REPLY)
            send_reply(conn, CONTAINER_OF(item, struct reply, out), now_ns);
        else if (item->kind == OUT_R2T)
            send_r2ts(conn, command, now_ns);
        else if (command->data_in_left_bytes > 0)
            send_data_in(conn, command, now_ns);
        else
            send_response(conn, command, now_ns);
    }
}
