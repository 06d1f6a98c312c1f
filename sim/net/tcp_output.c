/* A segment leaves: what is due first, with how many bytes, and what its header says.
 *
 * The order: the end (RST), the beginning (SYN), what was lost, what is new, probes, and a bare ACK
 * if nothing else carried it.
 */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

#define WINDOW_FIELD_MOST 65535u

/* The receive window. */

uint32_t tcp_receive_room(const struct tcp_conn *conn)
{
    size_t buffer = conn->options->receive_buffer_bytes;

    if (conn->received.bytes >= buffer)
        return 0;
    buffer -= conn->received.bytes;
    return buffer < TCP_WINDOW_MOST ? (uint32_t)buffer : TCP_WINDOW_MOST;
}

/* RFC 9293, 3.8.6.2.2: a window grows by a segment or by half of the buffer, never by less. */
static uint32_t least_growth(const struct tcp_conn *conn)
{
    uint32_t half = conn->options->receive_buffer_bytes / 2;

    return conn->mss < half ? conn->mss : half;
}

/* The user read: does the peer have to hear of the room? Only if it is twice of what it knows. */
void tcp_offer_window(struct tcp_conn *conn)
{
    uint32_t known = conn->rcv_edge - conn->rcv_nxt;
    uint32_t room = tcp_receive_room(conn);

    if (conn->fin_received || conn->state == TCP_CLOSED)
        return;
    if (room / 2 >= known && room - known >= least_growth(conn))
        conn->wants |= TCP_WANT_ACK;
}

/* SEG.WND; moves the right edge. */
static uint16_t window_field(struct tcp_conn *conn)
{
    uint32_t window = conn->rcv_edge - conn->rcv_nxt;
    uint32_t room = tcp_receive_room(conn);

    if (room > window && room - window >= least_growth(conn))
        window = room;
    /* A window that is kept is rounded up, lest its edge recede (RFC 7323, 2.4). */
    uint32_t field = window == room ? window >> conn->rcv_shift
                                    : (window + (1u << conn->rcv_shift) - 1) >> conn->rcv_shift;

    if (field > WINDOW_FIELD_MOST)
        field = WINDOW_FIELD_MOST;
    uint32_t edge = conn->rcv_nxt + (field << conn->rcv_shift);

    if (sn_before(conn->rcv_edge, edge))
        conn->rcv_edge = edge;
    return (uint16_t)field;
}

/* The header. */

static uint8_t sack_room(const struct tcp_conn *conn)
{
    return conn->has_timestamps ? 3 : 4; /* 40 bytes of options */
}

static bool reports_sack(const struct tcp_conn *conn)
{
    return conn->has_sack && (conn->reassembly.first || conn->has_dsack);
}

/* A duplicate comes first, then the block that holds it, if any (RFC 2883, 4), then the others. */
static uint8_t write_sack(struct tcp_conn *conn, struct tcp_sack_block *sack)
{
    uint8_t most = sack_room(conn);

    if (!conn->has_dsack)
        return tcp_reassembly_sack(&conn->reassembly, sack, most);
    conn->has_dsack = false;
    sack[0] = conn->dsack;
    return 1 + tcp_reassembly_sack(&conn->reassembly, sack + 1, most - 1);
}

/* A segment with an ACK: acknowledges all that is there to acknowledge. */
static void begin_segment(struct tcp_conn *conn, struct tcp_segment *segment, uint32_t sn,
                          uint8_t flags, int64_t now_ns)
{
    segment->sn = sn;
    segment->ack = conn->rcv_nxt;
    segment->payload_bytes = 0;
    segment->window = window_field(conn);
    segment->flags = flags;
    segment->has_timestamps = conn->has_timestamps;
    if (conn->has_timestamps) {
        segment->ts_value = tcp_ts_now(conn, now_ns);
        segment->ts_echo = conn->ts_recent;
    }
    segment->mss = 0;
    segment->has_window_scale = false;
    segment->is_sack_permitted = false;
    segment->sack_count = 0;
    if (reports_sack(conn))
        segment->sack_count = write_sack(conn, segment->sack);
    if (conn->quick_acks > 0)
        conn->quick_acks--;
    conn->last_ack_sent = conn->rcv_nxt;
    conn->unacknowledged = 0;
    conn->wants &= (uint16_t)~TCP_WANT_ACK;
    tcp_stop_timer(conn, TCP_TIMER_DELAYED_ACK);
}

static void output_refusal(struct tcp_conn *conn, struct tcp_segment *segment)
{
    conn->wants &= (uint16_t)~TCP_WANT_REFUSAL;
    conn->counters->resets_sent++;
    *segment = (struct tcp_segment){.sn = conn->refusal_sn, .flags = TCP_RST};
}

static void output_reset(struct tcp_conn *conn, struct tcp_segment *segment)
{
    conn->wants = 0;
    conn->counters->resets_sent++;
    *segment =
        (struct tcp_segment){.sn = conn->snd_nxt, .ack = conn->rcv_nxt, .flags = TCP_RST | TCP_ACK};
}

/* SYN, or SYN and ACK, with what is offered or agreed. */
static void output_syn(struct tcp_conn *conn, struct tcp_segment *segment, int64_t now_ns)
{
    bool is_offer = conn->state == TCP_SYN_SENT;
    uint32_t room = tcp_receive_room(conn);

    conn->wants &= (uint16_t) ~(TCP_WANT_SYN | TCP_WANT_ACK);
    if (room > WINDOW_FIELD_MOST)
        room = WINDOW_FIELD_MOST;
    *segment = (struct tcp_segment){
        .sn = conn->iss,
        .ack = is_offer ? 0 : conn->rcv_nxt,
        .window = (uint16_t)room,
        .flags = is_offer ? TCP_SYN : TCP_SYN | TCP_ACK,
        .mss = (uint16_t)conn->own_mss,
        .has_window_scale = is_offer || conn->has_scaling,
        .window_shift = conn->rcv_shift,
        .is_sack_permitted = is_offer ? conn->options->sack : conn->has_sack,
        .has_timestamps = is_offer ? conn->options->timestamps : conn->has_timestamps,
    };
    if (segment->has_timestamps) {
        segment->ts_value = tcp_ts_now(conn, now_ns);
        segment->ts_echo = is_offer ? 0 : conn->ts_recent;
    }
    if (!is_offer && sn_before(conn->rcv_edge, conn->rcv_nxt + room))
        conn->rcv_edge = conn->rcv_nxt + room;
    if (conn->snd_nxt == conn->iss)
        conn->snd_nxt++;
    else if (conn->deadlines_ns[TCP_TIMER_RETRANSMIT] != TIME_NEVER)
        conn->counters->retransmissions++;
    conn->syn_sent_at_ns = now_ns;
    if (conn->deadlines_ns[TCP_TIMER_RETRANSMIT] == TIME_NEVER)
        tcp_set_timer(conn, TCP_TIMER_RETRANSMIT, tcp_rto_span_ns(&conn->rto, conn->options),
                      now_ns);
}

/* Data. */

/* What one segment may carry beside the SACK blocks that go with it. */
static uint32_t segment_most(const struct tcp_conn *conn)
{
    uint32_t ranges =
        reports_sack(conn) ? conn->reassembly.range_count + (uint32_t)conn->has_dsack : 0;

    if (ranges > sack_room(conn))
        ranges = sack_room(conn);
    return conn->mss - tcp_sack_option_bytes(ranges);
}

/* How much of the peer's window is not used yet. */
static uint32_t usable_window(const struct tcp_conn *conn)
{
    uint32_t edge = conn->snd_una + conn->snd_wnd;

    return sn_before(conn->snd_nxt, edge) ? edge - conn->snd_nxt : 0;
}

static void data_was_sent(struct tcp_conn *conn, int64_t now_ns)
{
    conn->sent_at_ns = now_ns;
    conn->wants &= (uint16_t) ~(TCP_WANT_OVERRIDE | TCP_WANT_WINDOW_PROBE | TCP_WANT_KEEPALIVE);
    if (conn->is_probing) {
        conn->is_probing = false;
        tcp_stop_timer(conn, TCP_TIMER_RETRANSMIT);
    }
}

/* The first segment that is lost and not sent again yet, if the network has room for it. */
static struct tcp_sent *sent_to_repeat(struct tcp_conn *conn)
{
    if (conn->send.lost == conn->send.resent || conn->is_trying_new)
        return NULL;
    struct tcp_sent *sent = tcp_send_queue_next_lost(&conn->send);

    if (!sent || conn->wants & TCP_WANT_RESEND)
        return sent;
    uint32_t pipe = tcp_pipe(conn);

    if (pipe > 0 && pipe + (sent->end - sent->sn) > conn->cc.cwnd)
        return NULL;
    if (sent != conn->send.first && sn_before(conn->snd_una + conn->snd_wnd, sent->end))
        return NULL;
    return sent;
}

static void output_again(struct tcp_conn *conn, struct tcp_sent *sent, struct tcp_segment *segment,
                         struct buf **ret_payload, int64_t now_ns)
{
    uint32_t most = segment_most(conn);

    conn->wants &= (uint16_t)~TCP_WANT_RESEND;
    if (conn->seldom)
        tcp_mtu_gives_up_probe(conn);
    *ret_payload = tcp_send_queue_resend(&conn->send, sent, most, now_ns);
    begin_segment(conn, segment, sent->sn, TCP_ACK, now_ns);
    segment->payload_bytes = tcp_sent_bytes(sent);
    if (!sent->next && conn->send.unsent_bytes == 0)
        segment->flags |= TCP_PSH;
    if (sent->marks & TCP_SENT_FIN)
        segment->flags |= TCP_FIN;
    conn->counters->retransmissions++;
    data_was_sent(conn, now_ns);
    tcp_undo_resent(conn, now_ns);
    conn->prr_out += segment->payload_bytes;
    if (conn->deadlines_ns[TCP_TIMER_RETRANSMIT] == TIME_NEVER ||
        (sent == conn->send.first && conn->pending == TCP_PENDING_PROBE))
        tcp_set_rto(conn, now_ns);
}

/* May a segment of 'bytes' go, which is less than 'most'? (RFC 9293, 3.8.6.2.1, and Nagle, 3.7.4)
 */
static bool may_send_small(const struct tcp_conn *conn, uint32_t bytes, bool is_fin)
{
    if (bytes < conn->send.unsent_bytes) /* the window cuts it */
        return bytes > 0 && (bytes >= conn->snd_wnd_most / 2 || (conn->wants & TCP_WANT_OVERRIDE));
    return is_fin || !conn->options->nagle || tcp_conn_flight(conn) == 0;
}

/* How many new bytes the next segment carries, and whether FIN; false: none may go now. */
static bool plan_new(const struct tcp_conn *conn, uint32_t *ret_bytes, bool *ret_is_fin)
{
    size_t unsent = conn->send.unsent_bytes;
    bool wants_fin = conn->fin_queued && !conn->fin_sent;

    if (unsent == 0 && !wants_fin)
        return false;
    uint32_t most = segment_most(conn);
    uint32_t usable = usable_window(conn);
    uint32_t bytes = unsent < most ? (uint32_t)unsent : most;

    if (bytes > usable)
        bytes = usable;
    bool is_fin = wants_fin && bytes == unsent && bytes < usable;

    if (bytes == 0 && !is_fin)
        return false;
    if (bytes < most && !may_send_small(conn, bytes, is_fin))
        return false;
    uint32_t pipe = tcp_pipe(conn);

    if (pipe > 0 && bytes > 0 && pipe + bytes > conn->cc.cwnd)
        return false;
    *ret_bytes = bytes;
    *ret_is_fin = is_fin;
    return true;
}

/* RFC 5681, 4.1: the window of a connection that was idle is out of date. */
static void restart_after_idle(struct tcp_conn *conn, int64_t now_ns)
{
    int64_t idle_ns = now_ns - conn->sent_at_ns;

    if (conn->options->slow_start_after_idle && idle_ns > conn->rto.rto_ns)
        tcp_cc_restart(&conn->cc, conn->options->initial_window_segments, idle_ns);
}

/* What every segment with new data has and does; 'segment' has its acknowledging half. */
static void finish_new(struct tcp_conn *conn, uint32_t bytes, bool is_fin,
                       struct tcp_segment *segment, int64_t now_ns)
{
    segment->payload_bytes = bytes;
    if (conn->send.unsent_bytes == 0)
        segment->flags |= TCP_PSH;
    if (is_fin) {
        segment->flags |= TCP_FIN;
        conn->fin_sent = true;
    }
    conn->snd_nxt += bytes + is_fin;
    conn->blocked_at_ns = TIME_NEVER;
    data_was_sent(conn, now_ns);
    conn->prr_out += bytes;
    if (now_ns - conn->data_at_ns < conn->options->delayed_ack_ns &&
        conn->replies < TCP_REPLIES_INTERACTIVE)
        conn->replies++;
    tcp_rack_sent_new(conn, now_ns);
}

static void output_new(struct tcp_conn *conn, uint32_t bytes, bool is_fin,
                       struct tcp_segment *segment, struct buf **ret_payload, int64_t now_ns)
{
    bool is_first = conn->snd_nxt == conn->snd_una;

    if (is_first)
        restart_after_idle(conn, now_ns);
    *ret_payload = tcp_send_queue_send(&conn->send, conn->snd_nxt, bytes, is_fin, now_ns);
    begin_segment(conn, segment, conn->snd_nxt, TCP_ACK, now_ns);
    finish_new(conn, bytes, is_fin, segment, now_ns);
    if (is_first)
        tcp_watch_user_timeout(conn, now_ns);
}

/* The next segment that the NIC cuts off a super-segment: its header is the first one's, but for
 * the number; PSH and FIN belong to the last. */
static void output_piece(struct tcp_conn *conn, struct tcp_segment *segment,
                         struct buf **ret_payload, int64_t now_ns)
{
    struct tcp_super *super = &conn->seldom->super;
    uint32_t bytes = super->left < conn->mss ? super->left : conn->mss;
    bool is_fin = conn->fin_queued && !conn->fin_sent && bytes == conn->send.unsent_bytes &&
                  bytes < usable_window(conn);

    super->left -= bytes;
    *segment = (struct tcp_segment){
        .sn = conn->snd_nxt,
        .ack = super->ack,
        .window = super->window,
        .flags = TCP_ACK,
        .has_timestamps = conn->has_timestamps,
        .ts_value = super->ts_value,
        .ts_echo = super->ts_echo,
    };
    *ret_payload = tcp_send_queue_send(&conn->send, conn->snd_nxt, bytes, is_fin, now_ns);
    finish_new(conn, bytes, is_fin, segment, now_ns);
}

/* 'bytes' of new data may go: a segment, or the first one of a super-segment. False: more than that
 * shall go at once, later. */
static bool output_super(struct tcp_conn *conn, uint32_t bytes, bool is_fin,
                         struct tcp_segment *segment, struct buf **ret_payload, int64_t now_ns)
{
    uint32_t all = bytes;

    if (conn->send.unsent_bytes > bytes && bytes == conn->mss) {
        all = tcp_super_bytes(conn, bytes, usable_window(conn), now_ns);
        if (all == 0)
            return false;
    }
    output_new(conn, bytes, is_fin, segment, ret_payload, now_ns);
    conn->seldom->super = (struct tcp_super){
        .left = all - bytes,
        .ack = segment->ack,
        .ts_value = segment->ts_value,
        .ts_echo = segment->ts_echo,
        .window = segment->window,
    };
    return true;
}

static bool output_planned(struct tcp_conn *conn, uint32_t bytes, bool is_fin,
                           struct tcp_segment *segment, struct buf **ret_payload, int64_t now_ns)
{
    if (conn->options->segmentation_offload)
        return output_super(conn, bytes, is_fin, segment, ret_payload, now_ns);
    output_new(conn, bytes, is_fin, segment, ret_payload, now_ns);
    return true;
}

/* Nothing may go, nothing is in flight, and something waits: only the peer's window can hold it
 * back, and the update that opens it may be lost (RFC 9293, 3.8.6.1). */
static void watch_closed_window(struct tcp_conn *conn, int64_t now_ns)
{
    bool waits = conn->send.unsent_bytes > 0 || (conn->fin_queued && !conn->fin_sent);

    if (!waits || conn->is_probing || tcp_conn_flight(conn) > 0)
        return;
    conn->is_probing = true;
    conn->blocked_at_ns = now_ns;
    tcp_set_rto(conn, now_ns);
    tcp_watch_user_timeout(conn, now_ns);
}

/* RFC 8985, 7.3: new data if there is some and the peer takes it, else the last segment once more.
 */
static bool output_tail_probe(struct tcp_conn *conn, struct tcp_segment *segment,
                              struct buf **ret_payload, int64_t now_ns)
{
    size_t unsent = conn->send.unsent_bytes;
    uint32_t most = segment_most(conn);
    uint32_t bytes = unsent < most ? (uint32_t)unsent : most;

    conn->wants &= (uint16_t)~TCP_WANT_TAIL_PROBE;
    if (!conn->send.first)
        return false;
    if (bytes > 0 && bytes <= usable_window(conn)) {
        output_new(conn, bytes, false, segment, ret_payload, now_ns);
        tcp_probe_was_sent(conn, false, now_ns);
    } else {
        output_again(conn, conn->send.last, segment, ret_payload, now_ns);
        tcp_probe_was_sent(conn, true, now_ns);
    }
    return true;
}

/* New data, as much as may go now. */
static bool output_more(struct tcp_conn *conn, struct tcp_segment *segment,
                        struct buf **ret_payload, int64_t now_ns)
{
    enum tcp_mtu_step step = TCP_MTU_NOTHING;
    uint32_t bytes = 0;
    bool is_fin = false;

    if (conn->seldom)
        step = tcp_mtu_plan(conn, usable_window(conn), &bytes, now_ns);
    if (step == TCP_MTU_PROBE) {
        tcp_mtu_probe_was_sent(conn, conn->snd_nxt, bytes);
        output_new(conn, bytes, false, segment, ret_payload, now_ns);
        return true;
    }
    return step == TCP_MTU_NOTHING && plan_new(conn, &bytes, &is_fin) &&
           output_planned(conn, bytes, is_fin, segment, ret_payload, now_ns);
}

/* Data, FIN, probes, ACK: everything on a connection that is synchronized. */
static bool output_synchronized(struct tcp_conn *conn, struct tcp_segment *segment,
                                struct buf **ret_payload, int64_t now_ns)
{
    if (conn->seldom && conn->seldom->super.left > 0) {
        output_piece(conn, segment, ret_payload, now_ns);
        return true;
    }
    if (conn->wants & TCP_WANT_TAIL_PROBE && output_tail_probe(conn, segment, ret_payload, now_ns))
        return true;
    struct tcp_sent *again = sent_to_repeat(conn);

    if (again) {
        output_again(conn, again, segment, ret_payload, now_ns);
        return true;
    }
    conn->wants &= (uint16_t)~TCP_WANT_RESEND;
    if (output_more(conn, segment, ret_payload, now_ns))
        return true;
    conn->wants &= (uint16_t)~TCP_WANT_OVERRIDE;
    watch_closed_window(conn, now_ns);
    if (conn->wants & (TCP_WANT_WINDOW_PROBE | TCP_WANT_KEEPALIVE)) {
        /* A number that was acknowledged before makes the peer answer (RFC 9293, 3.8.4). */
        if (conn->wants & TCP_WANT_WINDOW_PROBE)
            conn->counters->window_probes++;
        conn->wants &= (uint16_t) ~(TCP_WANT_WINDOW_PROBE | TCP_WANT_KEEPALIVE);
        begin_segment(conn, segment, conn->snd_nxt - 1, TCP_ACK, now_ns);
        return true;
    }
    if (conn->wants & TCP_WANT_ACK) {
        begin_segment(conn, segment, conn->snd_nxt, TCP_ACK, now_ns);
        return true;
    }
    return false;
}

static bool output_any(struct tcp_conn *conn, struct tcp_segment *segment, struct buf **ret_payload,
                       int64_t now_ns)
{
    if (conn->wants & TCP_WANT_RESET) {
        output_reset(conn, segment);
        return true;
    }
    if (conn->wants & TCP_WANT_REFUSAL) {
        output_refusal(conn, segment);
        return true;
    }
    switch (conn->state) {
    case TCP_CLOSED:
        return false;
    case TCP_SYN_SENT:
    case TCP_SYN_RECEIVED:
        if (conn->wants & TCP_WANT_SYN) {
            output_syn(conn, segment, now_ns);
            return true;
        }
        if (conn->state == TCP_SYN_SENT || !(conn->wants & TCP_WANT_ACK))
            return false;
        begin_segment(conn, segment, conn->snd_nxt, TCP_ACK, now_ns);
        return true;
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        break;
    }
    return output_synchronized(conn, segment, ret_payload, now_ns);
}

bool tcp_conn_output(struct tcp_conn *conn, struct tcp_segment *ret_segment,
                     struct buf **ret_payload, int64_t now_ns)
{
    *ret_payload = NULL;
    if (!output_any(conn, ret_segment, ret_payload, now_ns))
        return false;
    conn->counters->segments_sent++;
    conn->counters->bytes_sent += ret_segment->payload_bytes;
    return true;
}
