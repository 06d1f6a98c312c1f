/* The bytes of the user, the records of what was sent, and the marks on them. */
#include "sim/net/tcp_send_queue.h"

#include "sim/core/bytes.h"

#define FIRST_PIECES 16u

void tcp_send_queue_init(struct tcp_send_queue *queue, struct pool *pool)
{
    *queue = (struct tcp_send_queue){.pool = pool};
}

/* The ring of the user's bytes. */

static struct tcp_piece *piece_at(const struct tcp_send_queue *queue, uint32_t number)
{
    return &queue->pieces[number & (queue->capacity - 1)];
}

static void grow(struct tcp_send_queue *queue)
{
    struct tcp_send_queue old = *queue;

    queue->capacity = old.capacity ? 2 * old.capacity : FIRST_PIECES;
    queue->memory = chunk_new(queue->pool, queue->capacity * sizeof(struct tcp_piece));
    queue->pieces = (void *)queue->memory->data;
    for (uint32_t number = old.first_piece; number != old.next_piece; number++)
        *piece_at(queue, number) = *piece_at(&old, number);
    chunk_unref(old.memory);
}

static void put_piece(struct tcp_send_queue *queue, struct tcp_piece piece)
{
    if (queue->next_piece - queue->first_piece == queue->capacity)
        grow(queue);
    assert(piece.bytes <= UINT32_MAX - queue->bytes);
    *piece_at(queue, queue->next_piece++) = piece;
    queue->bytes += piece.bytes;
}

static void drop(struct tcp_send_queue *queue, uint32_t bytes)
{
    assert(bytes <= queue->bytes);
    queue->bytes -= bytes;
    while (bytes > 0) {
        struct tcp_piece *piece = piece_at(queue, queue->first_piece);

        if (piece->bytes > bytes) {
            piece->offset += bytes;
            piece->bytes -= bytes;
            return;
        }
        bytes -= piece->bytes;
        chunk_unref(piece->chunk);
        queue->first_piece++;
    }
}

/* The chunks of the first 'bytes', which are dropped soon, come into the cache together. */
static void fetch_chunks(const struct tcp_send_queue *queue, uint32_t bytes)
{
    for (uint32_t number = queue->first_piece; number != queue->next_piece; number++) {
        const struct tcp_piece *piece = piece_at(queue, number);

        __builtin_prefetch(piece->chunk);
        if (piece->bytes >= bytes)
            return;
        bytes -= piece->bytes;
    }
}

static uint32_t length(const struct tcp_sent *sent)
{
    return sent->end - sent->sn;
}

/* The list by time. */

static void leave_time(struct tcp_send_queue *queue, struct tcp_sent *sent)
{
    if (!(sent->marks & TCP_SENT_TIMED))
        return;
    if (sent->time_prev)
        sent->time_prev->time_next = sent->time_next;
    else
        queue->oldest = sent->time_next;
    if (sent->time_next)
        sent->time_next->time_prev = sent->time_prev;
    else
        queue->newest = sent->time_prev;
    sent->marks &= (uint8_t)~TCP_SENT_TIMED;
}

/* Behind 'before'; NULL: at the front. */
static void join_time(struct tcp_send_queue *queue, struct tcp_sent *sent, struct tcp_sent *before)
{
    sent->time_prev = before;
    sent->time_next = before ? before->time_next : queue->oldest;
    if (sent->time_next)
        sent->time_next->time_prev = sent;
    else
        queue->newest = sent;
    if (before)
        before->time_next = sent;
    else
        queue->oldest = sent;
    sent->marks |= TCP_SENT_TIMED;
}

/* The peer has it: for the first time that we hear of. */
static void delivered(struct tcp_send_queue *queue, const struct tcp_sent *sent)
{
    struct tcp_delivery *delivery = &queue->delivery;

    bool is_once = !(sent->marks & TCP_SENT_TWICE);

    if (is_once) {
        if (!delivery->has_original || sn_before(sent->end, delivery->original_end))
            delivery->original_end = sent->end;
        delivery->has_original = true;
        if (delivery->is_begun && sn_before(sent->end, delivery->highest))
            delivery->is_reordered = true;
    }
    if (!delivery->is_begun || sn_before(delivery->highest, sent->end))
        delivery->highest = sent->end;
    if (is_once || sent->sent_at_ns <= delivery->ambiguous_after_ns) {
        delivery->is_news = true;
        if (!delivery->is_begun || sent->sent_at_ns > delivery->sent_at_ns ||
            (sent->sent_at_ns == delivery->sent_at_ns && sn_before(delivery->end, sent->end))) {
            delivery->sent_at_ns = sent->sent_at_ns;
            delivery->end = sent->end;
        }
        delivery->is_begun = true;
    }
}

static void free_first(struct tcp_send_queue *queue)
{
    struct tcp_sent *sent = queue->first;

    leave_time(queue, sent);
    queue->first = sent->next;
    if (!queue->first)
        queue->last = NULL;
    if (queue->lost_hint == sent)
        queue->lost_hint = queue->first;
    pool_give(queue->pool, sent, sizeof(*sent));
}

void tcp_send_queue_clear(struct tcp_send_queue *queue)
{
    while (queue->first)
        free_first(queue);
    if (queue->bytes > 0)
        drop(queue, queue->bytes);
    chunk_unref(queue->memory);
    tcp_send_queue_init(queue, queue->pool);
}

void tcp_send_queue_put(struct tcp_send_queue *queue, struct buf *data)
{
    if (queue->unsent_bytes == 0 && data)
        queue->unsent = (struct tcp_place){.piece = queue->next_piece, .at = data->offset};
    while (data) {
        put_piece(queue, (struct tcp_piece){data->chunk, data->offset, data->bytes});
        queue->unsent_bytes += data->bytes;
        data = buf_give_slice(data);
    }
}

/* Another chain of the 'bytes' at '*place', which moves behind them. */
static struct buf *share_at(const struct tcp_send_queue *queue, struct tcp_place *place,
                            uint32_t bytes)
{
    struct buf *first = NULL;
    struct buf **end = &first;

    while (bytes > 0) {
        assert(place->piece != queue->next_piece);
        const struct tcp_piece *piece = piece_at(queue, place->piece);
        uint32_t here = piece->offset + piece->bytes - place->at;

        if (here > bytes)
            here = bytes;
        *end = buf_new(chunk_ref(piece->chunk), place->at, here);
        end = &(*end)->next;
        bytes -= here;
        place->at += here;
        if (place->at == piece->offset + piece->bytes) {
            place->piece++;
            if (place->piece != queue->next_piece)
                place->at = piece_at(queue, place->piece)->offset;
        }
    }
    return first;
}

struct buf *tcp_send_queue_send(struct tcp_send_queue *queue, uint32_t sn, uint32_t bytes,
                                bool is_fin, int64_t now_ns)
{
    struct tcp_sent *sent = pool_take(queue->pool, sizeof(*sent));

    assert(bytes <= queue->unsent_bytes);
    sent->place = queue->unsent;
    sent->sn = sn;
    sent->end = sn + bytes + is_fin;
    sent->first_sent_at_ns = now_ns;
    sent->sent_at_ns = now_ns;
    if (is_fin)
        sent->marks = TCP_SENT_FIN;
    join_time(queue, sent, queue->newest);
    if (queue->last)
        queue->last->next = sent;
    else
        queue->first = sent;
    queue->last = sent;
    queue->unsent_bytes -= bytes;
    return share_at(queue, &queue->unsent, bytes);
}

/* Cuts 'sent' behind its first 'bytes': what follows becomes a record of its own. */
static void split(struct tcp_send_queue *queue, struct tcp_sent *sent, uint32_t bytes)
{
    struct tcp_sent *rest = pool_take(queue->pool, sizeof(*rest));
    struct tcp_place place = sent->place;

    buf_free(share_at(queue, &place, bytes));
    *rest = *sent;
    rest->marks &= (uint8_t)~TCP_SENT_TIMED;
    rest->place = place;
    rest->sn = sent->sn + bytes;
    sent->next = rest;
    sent->end = rest->sn;
    sent->marks &= (uint8_t)~TCP_SENT_FIN;
    if (sent->marks & TCP_SENT_TIMED)
        join_time(queue, rest, sent);
    if (queue->last == sent)
        queue->last = rest;
}

struct buf *tcp_send_queue_resend(struct tcp_send_queue *queue, struct tcp_sent *sent,
                                  uint32_t most_bytes, int64_t now_ns)
{
    if (tcp_sent_bytes(sent) > most_bytes)
        split(queue, sent, most_bytes);
    sent->sent_at_ns = now_ns;
    sent->marks |= TCP_SENT_TWICE;
    leave_time(queue, sent);
    join_time(queue, sent, queue->newest);
    if ((sent->marks & (TCP_SENT_LOST | TCP_SENT_RESENT)) == TCP_SENT_LOST) {
        sent->marks |= TCP_SENT_RESENT;
        queue->resent += length(sent);
    }
    struct tcp_place place = sent->place;

    return share_at(queue, &place, tcp_sent_bytes(sent));
}

/* 'bytes' of a record, all of it or its front, leave the counts of its marks. */
static void uncount(struct tcp_send_queue *queue, const struct tcp_sent *sent, uint32_t bytes)
{
    if (sent->marks & TCP_SENT_SACKED)
        queue->sacked -= bytes;
    if (sent->marks & TCP_SENT_LOST)
        queue->lost -= bytes;
    if (sent->marks & TCP_SENT_RESENT)
        queue->resent -= bytes;
}

struct tcp_acked tcp_send_queue_ack(struct tcp_send_queue *queue, uint32_t una)
{
    struct tcp_acked acked = {0};
    uint32_t dropped = 0;

    if (queue->first && !sn_before(una, queue->first->sn))
        fetch_chunks(queue, una - queue->first->sn);
    while (queue->first && !sn_before(una, queue->first->end)) {
        const struct tcp_sent *sent = queue->first;

        __builtin_prefetch(sent->next);
        acked.segments++;
        if (sent->marks & TCP_SENT_TWICE) {
            acked.covers_retransmission = true;
        } else if (!(sent->marks & TCP_SENT_SACKED)) {
            acked.sent_at_ns = sent->sent_at_ns;
            if (!acked.has_sample)
                acked.first_sent_at_ns = sent->sent_at_ns;
            acked.has_sample = true;
        }
        if (sent->marks & TCP_SENT_FIN)
            acked.covers_fin = true;
        if (sent->marks & TCP_SENT_SACKED)
            queue->sacked_segments--;
        else
            delivered(queue, sent);
        uncount(queue, sent, length(sent));
        dropped += tcp_sent_bytes(sent);
        free_first(queue);
    }
    struct tcp_sent *cut = queue->first;
    uint32_t front = cut && sn_before(cut->sn, una) ? una - cut->sn : 0;

    if (front > 0) { /* the acknowledgment ends within a segment */
        buf_free(share_at(queue, &cut->place, front));
        uncount(queue, cut, front);
        cut->sn = una;
        dropped += front;
    }
    drop(queue, dropped);
    return acked;
}

bool tcp_send_queue_sack(struct tcp_send_queue *queue, uint32_t left, uint32_t right)
{
    bool is_news = false;

    for (struct tcp_sent *sent = queue->first; sent && sn_before(sent->sn, right);
         sent = sent->next) {
        if (sn_before(sent->sn, left) || sn_before(right, sent->end) ||
            (sent->marks & TCP_SENT_SACKED))
            continue;
        uncount(queue, sent, length(sent));
        sent->marks &= (uint8_t) ~(TCP_SENT_LOST | TCP_SENT_RESENT);
        sent->marks |= TCP_SENT_SACKED;
        leave_time(queue, sent);
        delivered(queue, sent);
        queue->sacked += length(sent);
        queue->sacked_segments++;
        is_news = true;
    }
    return is_news;
}

void tcp_send_queue_forget_sacks(struct tcp_send_queue *queue)
{
    for (struct tcp_sent *sent = queue->first; sent; sent = sent->next)
        sent->marks &= (uint8_t)~TCP_SENT_SACKED;
    queue->sacked = 0;
    queue->sacked_segments = 0;
}

static void hint_at(struct tcp_send_queue *queue, struct tcp_sent *sent)
{
    if (!queue->lost_hint || sn_before(sent->sn, queue->lost_hint->sn))
        queue->lost_hint = sent;
}

void tcp_send_queue_mark_lost(struct tcp_send_queue *queue, struct tcp_sent *sent)
{
    if (sent->marks & (TCP_SENT_LOST | TCP_SENT_SACKED))
        return;
    leave_time(queue, sent);
    sent->marks |= TCP_SENT_LOST;
    queue->lost += length(sent);
    hint_at(queue, sent);
}

void tcp_send_queue_mark_overdue(struct tcp_send_queue *queue, struct tcp_sent *sent)
{
    if (!(sent->marks & TCP_SENT_RESENT)) {
        tcp_send_queue_mark_lost(queue, sent);
        return;
    }
    leave_time(queue, sent);
    sent->marks &= (uint8_t)~TCP_SENT_RESENT;
    queue->resent -= length(sent);
    hint_at(queue, sent);
}

void tcp_send_queue_unmark_lost(struct tcp_send_queue *queue)
{
    for (struct tcp_sent *sent = queue->first; sent; sent = sent->next)
        sent->marks &= (uint8_t) ~(TCP_SENT_LOST | TCP_SENT_RESENT);
    queue->lost = 0;
    queue->resent = 0;
    queue->lost_hint = NULL;
}

void tcp_send_queue_mark_all_lost(struct tcp_send_queue *queue, int64_t spared_ns)
{
    queue->lost = 0;
    queue->resent = 0;
    for (struct tcp_sent *sent = queue->first; sent; sent = sent->next) {
        if (sent->marks & TCP_SENT_SACKED) {
            sent->marks &= (uint8_t)~TCP_SENT_RESENT;
            continue;
        }
        if (sent == queue->first || sent->sent_at_ns <= spared_ns) {
            leave_time(queue, sent);
            sent->marks &= (uint8_t)~TCP_SENT_RESENT;
            sent->marks |= TCP_SENT_LOST;
        }
        queue->lost += sent->marks & TCP_SENT_LOST ? length(sent) : 0;
        queue->resent += sent->marks & TCP_SENT_RESENT ? length(sent) : 0;
    }
    queue->lost_hint = queue->first;
}

void tcp_send_queue_mark_by_sack(struct tcp_send_queue *queue, uint32_t dup_threshold)
{
    uint32_t above = queue->sacked_segments;

    for (struct tcp_sent *sent = queue->first; sent && above >= dup_threshold; sent = sent->next) {
        if (sent->marks & TCP_SENT_SACKED)
            above--;
        else
            tcp_send_queue_mark_lost(queue, sent);
    }
}

struct tcp_sent *tcp_send_queue_next_lost(struct tcp_send_queue *queue)
{
    struct tcp_sent *sent = queue->lost_hint;

    while (sent && (sent->marks & (TCP_SENT_LOST | TCP_SENT_RESENT)) != TCP_SENT_LOST)
        sent = sent->next;
    queue->lost_hint = sent;
    return sent;
}
