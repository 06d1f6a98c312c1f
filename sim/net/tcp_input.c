/* A segment arrives (RFC 9293, 3.10.7), with the checks of RFC 7323 (PAWS) and RFC 5961. */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

/* ACKs that could answer each other for ever are sent this often at most (RFC 5961, 10). */
#define CHALLENGE_EVERY_NS MS(500)
/* A timestamp older than this says nothing (RFC 7323, 5.5). */
#define TS_VALID_NS (24 * SECONDS(24 * 3600))

static void acknowledge_now(struct tcp_conn *conn)
{
    conn->wants |= TCP_WANT_ACK;
}

static void challenge(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->challenged_at_ns != INT64_MIN && now_ns - conn->challenged_at_ns < CHALLENGE_EVERY_NS)
        return;
    conn->challenged_at_ns = now_ns;
    acknowledge_now(conn);
}

/* A segment that belongs to no state of this connection is answered by <SEQ=SEG.ACK><CTL=RST>. */
static void refuse(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    if (segment->flags & TCP_RST)
        return;
    conn->refusal_sn = segment->ack;
    conn->wants |= TCP_WANT_REFUSAL;
}

static void was_reset(struct tcp_conn *conn)
{
    conn->counters->resets_received++;
    tcp_end(conn, CLOSED_RST);
}

/* SND.WND, whose field in a SYN is never scaled (RFC 7323, 2.2). */
static void take_window(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    uint8_t shift = segment->flags & TCP_SYN ? 0 : conn->snd_shift;

    conn->snd_wnd = (uint32_t)segment->window << shift;
    conn->snd_wl1 = segment->sn;
    conn->snd_wl2 = segment->ack;
    if (conn->snd_wnd > conn->snd_wnd_most)
        conn->snd_wnd_most = conn->snd_wnd;
}

static void take_sample(struct tcp_conn *conn, int64_t rtt_ns)
{
    tcp_rto_sample(&conn->rto, conn->options, rtt_ns, conn->snd_una, conn->snd_nxt);
}

static void sample_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment,
                             int64_t now_ns)
{
    int32_t elapsed_ms = (int32_t)(tcp_ts_now(conn, now_ns) - segment->ts_echo);

    if (elapsed_ms < 0)
        return; /* we never sent such a timestamp */
    take_sample(conn, MS(elapsed_ms > 0 ? elapsed_ms : 1));
}

/* SYN-SENT (3.10.7.3). */
static void input_syn_sent(struct tcp_conn *conn, const struct tcp_segment *segment, int64_t now_ns)
{
    bool has_ack = (segment->flags & TCP_ACK) != 0;

    if (has_ack && segment->ack != conn->snd_nxt) {
        refuse(conn, segment);
        return;
    }
    if (segment->flags & TCP_RST) {
        if (has_ack)
            was_reset(conn);
        return;
    }
    if (!(segment->flags & TCP_SYN))
        return;

    tcp_negotiate(conn, segment, now_ns);
    take_window(conn, segment);
    if (!has_ack) { /* both ends open at once */
        tcp_enter(conn, TCP_SYN_RECEIVED);
        conn->wants |= TCP_WANT_SYN;
        return;
    }
    conn->snd_una = segment->ack;
    if (conn->retries == 0)
        take_sample(conn, now_ns - conn->syn_sent_at_ns);
    else if (conn->has_timestamps)
        sample_timestamp(conn, segment, now_ns);
    acknowledge_now(conn);
    tcp_established(conn, now_ns);
}

/* RFC 7323, 5.3, R1: older than what was seen in order, so it wandered about in the network. */
static bool is_wrapped(const struct tcp_conn *conn, const struct tcp_segment *segment,
                       int64_t now_ns)
{
    return segment->has_timestamps && !(segment->flags & TCP_RST) &&
           sn_before(segment->ts_value, conn->ts_recent) &&
           now_ns - conn->ts_recent_at_ns < TS_VALID_NS;
}

/* The first check (3.10.7.4): does the segment overlap the window? One that ends just before it or
 * begins just behind it is let through, for its ACK counts. */
static bool is_acceptable(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    return !sn_before(segment->sn + tcp_segment_length(segment), conn->rcv_nxt) &&
           !sn_before(conn->rcv_edge, segment->sn);
}

/* The SYN that brought us to SYN-RECEIVED: sent again, or with an ACK when both ends open at once.
 */
static bool is_syn_again(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    return conn->state == TCP_SYN_RECEIVED && segment->sn == conn->irs;
}

static void make_room_known(struct tcp_conn *conn)
{
    if (!conn->had_no_room && !conn->had_little_room)
        return;
    size_t room = tcp_conn_room(conn);
    bool is_ample = room >= conn->options->send_buffer_bytes / 2;

    if (room == 0)
        return;
    if (conn->had_no_room || is_ample)
        conn->tells_room = !conn->fin_queued;
    conn->had_no_room = false;
    if (is_ample)
        conn->had_little_room = false;
}

/* Our FIN is acknowledged. */
static void fin_acknowledged(struct tcp_conn *conn, int64_t now_ns)
{
    switch (conn->state) {
    case TCP_FIN_WAIT_1:
        tcp_fin_wait_2(conn, now_ns);
        break;
    case TCP_CLOSING:
        tcp_time_wait(conn, now_ns);
        break;
    case TCP_LAST_ACK:
        tcp_end(conn, CLOSED_FIN);
        break;
    case TCP_CLOSED:
    case TCP_SYN_SENT:
    case TCP_SYN_RECEIVED:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
    case TCP_TIME_WAIT:
        break;
    }
}

/* SND.UNA < SEG.ACK =< SND.NXT. */
static void ack_advanced(struct tcp_conn *conn, const struct tcp_segment *segment, int64_t now_ns)
{
    uint32_t flight = tcp_conn_flight(conn);
    uint32_t bytes = segment->ack - conn->snd_una;
    struct tcp_acked acked = tcp_send_queue_ack(&conn->send, segment->ack);

    conn->snd_una = segment->ack;
    if (conn->seldom)
        tcp_mtu_acked(conn);
    if (acked.has_sample && !acked.covers_retransmission)
        take_sample(conn,
                    now_ns - (conn->options->rto_rule == TCP_RTO_LINUX ? acked.first_sent_at_ns
                                                                       : acked.sent_at_ns));
    else if (conn->has_timestamps && segment->has_timestamps)
        sample_timestamp(conn, segment, now_ns);
    if (tcp_cc_looks_at_rounds(&conn->cc) && !acked.covers_retransmission)
        tcp_cc_round_trip(&conn->cc, conn->snd_una, conn->snd_nxt,
                          acked.has_sample ? now_ns - acked.sent_at_ns : 0, now_ns);
    conn->retries = 0;
    tcp_recovery_acked(conn, segment, bytes, flight, now_ns);

    if (conn->snd_una == conn->snd_nxt)
        tcp_stop_timer(conn, TCP_TIMER_RETRANSMIT);
    else /* RFC 6298, 5.3 */
        tcp_rack_progress(conn, now_ns);
    tcp_watch_user_timeout(conn, now_ns);
    make_room_known(conn);
    if (acked.covers_fin)
        fin_acknowledged(conn, now_ns);
}

/* Is the first block a D-SACK (RFC 2883, 4): of what is acknowledged, or within the second? */
static bool has_dsack(const struct tcp_segment *segment)
{
    const struct tcp_sack_block *sack = segment->sack;

    if (!sn_before(sack[0].left, sack[0].right))
        return false;
    if (sn_before(sack[0].left, segment->ack))
        return !sn_before(segment->ack, sack[0].right);
    return segment->sack_count > 1 && !sn_before(sack[0].left, sack[1].left) &&
           !sn_before(sack[1].right, sack[0].right);
}

/* SACK blocks; RFC 2018, 4. What lies outside of the flight is none of ours. */
static bool take_sack(struct tcp_conn *conn, const struct tcp_segment *segment, bool is_dsack)
{
    bool is_news = false;

    for (size_t i = is_dsack; i < segment->sack_count; i++) {
        uint32_t left = segment->sack[i].left;
        uint32_t right = segment->sack[i].right;

        if (sn_before(left, right) && !sn_before(left, conn->snd_una) &&
            !sn_before(conn->snd_nxt, right))
            is_news |= tcp_send_queue_sack(&conn->send, left, right);
    }
    return is_news;
}

/* RFC 5681, 2, "DUPLICATE ACKNOWLEDGMENT"; with SACK, RFC 6675, 2. */
static bool is_duplicate(const struct tcp_conn *conn, const struct tcp_segment *segment,
                         uint32_t window_before, bool is_sack_news)
{
    if (segment->ack != conn->snd_una || tcp_conn_flight(conn) == 0)
        return false;
    if (conn->has_sack)
        return is_sack_news;
    return tcp_segment_length(segment) == 0 && conn->snd_wnd == window_before;
}

/* The peer answers: a probed window may be open again, and it is not gone in any case. */
static void window_answered(struct tcp_conn *conn, int64_t now_ns)
{
    conn->retries = 0;
    conn->stalled_at_ns = TIME_NEVER;
    if (conn->snd_wnd == 0)
        return;
    conn->is_probing = false;
    conn->rto.backoff = 0;
    tcp_stop_timer(conn, TCP_TIMER_RETRANSMIT);
    conn->blocked_at_ns = TIME_NEVER;
    tcp_watch_user_timeout(conn, now_ns);
}

/* The fifth check. False: the segment is to be dropped. */
static bool input_ack(struct tcp_conn *conn, const struct tcp_segment *segment, int64_t now_ns)
{
    uint32_t window_before = conn->snd_wnd;

    if (conn->state == TCP_SYN_RECEIVED) {
        if (segment->ack != conn->snd_nxt) {
            refuse(conn, segment);
            return false;
        }
        conn->snd_una = segment->ack;
        if (conn->retries == 0)
            take_sample(conn, now_ns - conn->syn_sent_at_ns);
        else if (conn->has_timestamps)
            sample_timestamp(conn, segment, now_ns);
        take_window(conn, segment);
        tcp_established(conn, now_ns);
        return true;
    }
    if (sn_before(conn->snd_nxt, segment->ack)) { /* of something that we never sent */
        challenge(conn, now_ns);
        return false;
    }
    if (sn_before(segment->ack, conn->snd_una)) { /* RFC 5961, 5.2 */
        if (conn->snd_una - segment->ack <= conn->snd_wnd_most)
            return true;
        challenge(conn, now_ns);
        return false;
    }
    if (sn_before(conn->snd_wl1, segment->sn) ||
        (conn->snd_wl1 == segment->sn && !sn_before(segment->ack, conn->snd_wl2)))
        take_window(conn, segment);
    conn->send.delivery.ambiguous_after_ns = now_ns - conn->rack.min_rtt_ns;
    bool has_sack = segment->sack_count > 0 && conn->has_sack;
    bool is_dsack = has_sack && has_dsack(segment);
    uint32_t had = conn->snd_una + conn->send.sacked + conn->dup_credit;
    bool is_sack_news = has_sack && take_sack(conn, segment, is_dsack);
    bool has_advanced = segment->ack != conn->snd_una;

    if (is_dsack) {
        tcp_undo_saw_duplicate(conn, segment->sack[0]);
        tcp_rack_saw_duplicate(conn);
    }
    if (has_advanced)
        ack_advanced(conn, segment, now_ns);
    else if (is_duplicate(conn, segment, window_before, is_sack_news))
        tcp_recovery_duplicate(conn, now_ns);
    if (conn->state == TCP_CLOSED)
        return false;
    if (conn->rack.has_probed)
        tcp_probe_acked(conn, segment->ack, has_advanced,
                        tcp_segment_length(segment) == 0 && !is_sack_news &&
                            conn->snd_wnd == window_before,
                        is_dsack);
    if (is_dsack)
        tcp_recovery_saw_duplicate(conn, segment);
    if (conn->recovery == TCP_FAST_RECOVERY && conn->options->proportional_rate) {
        uint32_t has = conn->snd_una + conn->send.sacked + conn->dup_credit;

        tcp_recovery_pace(conn, sn_before(had, has) ? has - had : 0, has_advanced);
    }
    if (conn->is_probing)
        window_answered(conn, now_ns);
    return conn->state != TCP_CLOSED;
}

/* Linux' quick ACK mode: a stream that begins, or goes on after a pause longer than the timeout, is
 * acknowledged at once, so that its sender's window opens; but not where data answers data, as the
 * ACK can ride on it. */
static bool is_quick(struct tcp_conn *conn, int64_t now_ns)
{
    uint32_t most = conn->options->quick_acks;

    if (most == 0)
        return false;
    if (now_ns - conn->data_at_ns > conn->rto.rto_ns)
        conn->quick_acks = most;
    conn->data_at_ns = now_ns;
    return conn->quick_acks > 0 && conn->replies < TCP_REPLIES_INTERACTIVE;
}

/* Bytes moved up in order. */
static void arrived_in_order(struct tcp_conn *conn, uint32_t bytes, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;

    conn->rcv_nxt += bytes;
    conn->unacknowledged += bytes;
    if (is_quick(conn, now_ns))
        acknowledge_now(conn);
    else if (options->delayed_ack_ns == 0 || options->delayed_ack_segments <= 1 ||
             conn->unacknowledged >= (uint64_t)options->delayed_ack_segments * conn->mss)
        acknowledge_now(conn);
    else if (conn->deadlines_ns[TCP_TIMER_DELAYED_ACK] == TIME_NEVER)
        tcp_set_timer(conn, TCP_TIMER_DELAYED_ACK, options->delayed_ack_ns, now_ns);
}

static void deliver(struct tcp_conn *conn, struct buf *data, int64_t now_ns)
{
    uint32_t before = (uint32_t)conn->received.bytes;

    buf_queue_put(&conn->received, data);
    arrived_in_order(conn, (uint32_t)conn->received.bytes - before, now_ns);
}

/* The bug of rule P7: what was sent again is handed to the user a second time. */
static void deliver_twice(struct tcp_conn *conn, const struct buf *payload, uint32_t bytes)
{
    if (plant_is_on(conn->planted, PLANT_P7))
        buf_queue_put(&conn->received, buf_share(payload, 0, bytes));
}

/* A hole closes: what waited behind it follows. */
static void deliver_waiting(struct tcp_conn *conn, int64_t now_ns)
{
    struct buf *data;

    acknowledge_now(conn); /* RFC 5681, 4.2 */
    while ((data = tcp_reassembly_take(&conn->reassembly, conn->pool, conn->rcv_nxt)) != NULL)
        deliver(conn, data, now_ns);
}

/* RFC 2883, 4: the next ACK tells the sender that it sent this in vain. */
static void report_duplicate(struct tcp_conn *conn, uint32_t left, uint32_t right)
{
    conn->quick_acks = conn->options->quick_acks;
    if (!conn->has_sack || !conn->options->dsack)
        return;
    conn->has_dsack = true;
    conn->dsack = (struct tcp_sack_block){.left = left, .right = right};
}

/* The seventh check: 'payload' begins at 'sn'. Takes ownership of it. */
static void input_data(struct tcp_conn *conn, uint32_t sn, struct buf *payload, uint32_t bytes,
                       int64_t now_ns)
{
    if (sn_before(sn, conn->rcv_nxt)) { /* a front that we have */
        uint32_t front = conn->rcv_nxt - sn;

        report_duplicate(conn, sn, front < bytes ? conn->rcv_nxt : sn + bytes);
        acknowledge_now(conn);
        deliver_twice(conn, payload, front < bytes ? front : bytes);
        if (front >= bytes) {
            buf_free(payload);
            return;
        }
        buf_drop(&payload, front);
        sn += front;
        bytes -= front;
    }
    if (bytes > conn->rcv_edge - sn) { /* a tail beyond the window */
        bytes = conn->rcv_edge - sn;
        struct buf *inside = buf_cut(&payload, bytes);

        buf_free(payload);
        payload = inside;
        acknowledge_now(conn);
        if (bytes == 0)
            return;
    }
    if (sn != conn->rcv_nxt) {
        if (tcp_reassembly_has(&conn->reassembly, sn, sn + bytes))
            report_duplicate(conn, sn, sn + bytes);
        tcp_reassembly_put(&conn->reassembly, conn->pool, sn, payload);
        acknowledge_now(conn); /* the duplicate ACK of RFC 5681, 4.2 */
        return;
    }
    if (conn->reassembly.first)
        deliver_twice(conn, payload, bytes);
    deliver(conn, payload, now_ns);
    if (conn->reassembly.first)
        deliver_waiting(conn, now_ns);
}

/* The eighth check, once all before the FIN is here. */
static void take_fin(struct tcp_conn *conn, int64_t now_ns)
{
    conn->fin_received = true;
    conn->rcv_nxt++;
    acknowledge_now(conn);
    conn->tells_finished = true;
    switch (conn->state) {
    case TCP_ESTABLISHED:
        tcp_enter(conn, TCP_CLOSE_WAIT);
        break;
    case TCP_FIN_WAIT_1: /* our FIN is not acknowledged, or we would be in FIN-WAIT-2 */
        tcp_enter(conn, TCP_CLOSING);
        break;
    case TCP_FIN_WAIT_2:
        tcp_time_wait(conn, now_ns);
        break;
    case TCP_CLOSED:
    case TCP_SYN_SENT:
    case TCP_SYN_RECEIVED:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        break;
    }
}

/* Payload and FIN of a segment whose ACK was taken. Takes ownership of 'payload'. */
static void input_text(struct tcp_conn *conn, const struct tcp_segment *segment,
                       struct buf *payload, int64_t now_ns)
{
    uint32_t sn = segment->sn + ((segment->flags & TCP_SYN) != 0);
    uint32_t end = sn + segment->payload_bytes;

    if (conn->fin_received) { /* nothing can follow a FIN; it comes again if our ACK was lost */
        buf_free(payload);
        if (tcp_segment_length(segment) > 0)
            acknowledge_now(conn);
        if (conn->state == TCP_TIME_WAIT && (segment->flags & TCP_FIN))
            tcp_time_wait(conn, now_ns);
        return;
    }
    if (conn->is_orphan && payload && sn_before(conn->rcv_nxt, end)) {
        buf_free(payload);
        tcp_reset(conn, CLOSED_LOCAL);
        return;
    }
    if ((segment->flags & TCP_FIN) && !conn->fin_expected && !sn_before(conn->rcv_edge, end)) {
        conn->fin_expected = true;
        conn->peer_fin = end;
    }
    if (payload)
        input_data(conn, sn, payload, segment->payload_bytes, now_ns);
    else if (segment->flags & TCP_FIN)
        acknowledge_now(conn);
    if (conn->fin_expected && !sn_before(conn->rcv_nxt, conn->peer_fin))
        take_fin(conn, now_ns);
}

/* The checks before the fifth, in their order. */
enum verdict { TAKE, DROP, CHALLENGE, UNACCEPTABLE, RESET, SYN_AGAIN };

static enum verdict judge(const struct tcp_conn *conn, const struct tcp_segment *segment,
                          int64_t now_ns)
{
    bool is_reset = (segment->flags & TCP_RST) != 0;

    if (conn->has_timestamps && !segment->has_timestamps && !is_reset)
        return DROP; /* RFC 7323, 3.2 */
    if (conn->has_timestamps && is_wrapped(conn, segment, now_ns))
        return CHALLENGE;
    if (!is_acceptable(conn, segment))
        return is_reset ? DROP : UNACCEPTABLE;
    if (is_reset)
        return RESET;
    if ((segment->flags & TCP_SYN) && !is_syn_again(conn, segment))
        return CHALLENGE; /* RFC 5961, 4.2 */
    if (segment->flags & TCP_ACK)
        return TAKE;
    return segment->flags & TCP_SYN ? SYN_AGAIN : DROP;
}

/* What the sender of this segment needs to hear, although the segment itself is not taken. */
static void input_not_taken(struct tcp_conn *conn, const struct tcp_segment *segment,
                            enum verdict verdict, int64_t now_ns)
{
    switch (verdict) {
    case TAKE:
    case DROP:
        break;
    case CHALLENGE:
        challenge(conn, now_ns);
        break;
    case UNACCEPTABLE: /* data or FIN that we have: its ACK was lost, and each one is answered */
        if (segment->payload_bytes > 0 && sn_before(segment->sn, conn->rcv_nxt))
            report_duplicate(conn, segment->sn, segment->sn + segment->payload_bytes);
        if (tcp_segment_length(segment) > 0 && !(segment->flags & TCP_SYN))
            acknowledge_now(conn);
        else
            challenge(conn, now_ns);
        break;
    case RESET: /* RFC 5961, 3.2: only an exact one counts */
        if (segment->sn == conn->rcv_nxt)
            was_reset(conn);
        else
            challenge(conn, now_ns);
        break;
    case SYN_AGAIN: /* our SYN, ACK was lost */
        conn->wants |= TCP_WANT_SYN;
        break;
    }
}

/* All states but CLOSED and SYN-SENT. Takes ownership of 'payload'. */
static void input_synchronized(struct tcp_conn *conn, const struct tcp_segment *segment,
                               struct buf *payload, int64_t now_ns)
{
    enum verdict verdict = judge(conn, segment, now_ns);

    if (verdict != TAKE) {
        buf_free(payload);
        input_not_taken(conn, segment, verdict, now_ns);
        return;
    }
    /* RFC 7323, 4.3: the timestamp to echo is that of the segment that the next ACK answers. */
    if (conn->has_timestamps && !sn_before(conn->last_ack_sent, segment->sn)) {
        conn->ts_recent = segment->ts_value;
        conn->ts_recent_at_ns = now_ns;
    }
    if (input_ack(conn, segment, now_ns))
        input_text(conn, segment, payload, now_ns);
    else
        buf_free(payload);
}

/* Header prediction: the next bytes in order on an established connection, with nothing new about
 * the other direction. Everything else takes the long way, and this must come to the same. */
static bool is_next_data(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    return conn->state == TCP_ESTABLISHED && segment->sn == conn->rcv_nxt &&
           (segment->flags & (uint8_t)~TCP_PSH) == TCP_ACK && segment->payload_bytes > 0 &&
           segment->ack == conn->snd_una && segment->sack_count == 0 &&
           (uint32_t)segment->window << conn->snd_shift == conn->snd_wnd &&
           segment->payload_bytes <= conn->rcv_edge - conn->rcv_nxt && !conn->reassembly.first &&
           !conn->fin_expected && !conn->is_probing && !conn->is_orphan &&
           segment->has_timestamps == conn->has_timestamps &&
           !(conn->has_timestamps && sn_before(segment->ts_value, conn->ts_recent));
}

void tcp_take_segment(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                      int64_t now_ns)
{
    if (is_next_data(conn, segment)) {
        if (conn->has_timestamps && !sn_before(conn->last_ack_sent, segment->sn)) {
            conn->ts_recent = segment->ts_value;
            conn->ts_recent_at_ns = now_ns;
        }
        conn->snd_wl1 = segment->sn;
        conn->snd_wl2 = segment->ack;
        deliver(conn, payload, now_ns);
        return;
    }
    switch (conn->state) {
    case TCP_CLOSED:
        buf_free(payload);
        break;
    case TCP_SYN_SENT:
        buf_free(payload); /* data of a SYN is not acknowledged, so it comes again */
        input_syn_sent(conn, segment, now_ns);
        break;
    case TCP_SYN_RECEIVED:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        input_synchronized(conn, segment, payload, now_ns);
        break;
    }
}

void tcp_conn_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                    int64_t now_ns)
{
    conn->heard_at_ns = now_ns;
    conn->counters->segments_received++;
    conn->counters->bytes_received += segment->payload_bytes;
    if (conn->options->receive_merge_ns > 0)
        tcp_merge_input(conn, segment, payload, now_ns);
    else
        tcp_take_segment(conn, segment, payload, now_ns);
}
