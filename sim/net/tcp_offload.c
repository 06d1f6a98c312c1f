/* What a NIC does for TCP: it cuts super-segments that TCP hands down, and merges segments before
 * TCP sees them.
 *
 * Segmentation offload (TSO, LSO) changes when a sender sends. What it hands down at once leaves at
 * the line's rate, one segment after the other under one header, and PSH on the last only; and
 * since large units are cheap, it saves up for them: Linux waits for a third of the window, unless
 * the next ACK is far away (tcp_tso_should_defer()). How much goes at once follows from the round
 * trip: about a millisecond's worth of the rate, and all of 64 KiB where the path is short
 * (tcp_tso_autosize()). Small queues (TSQ) are not modelled: the NIC's own queue pushes back.
 *
 * Receive offload (GRO; LRO and RSC are its kin) changes how often a receiver answers: TCP
 * acknowledges what was merged once (tcp_gro_receive()). What does not fit in order, has another
 * header, or is pushed ends the merging at once; else the NIC's poll does, after a time.
 *
 * Sources: Linux 6.1, net/ipv4/tcp_output.c, tcp_offload.c.
 */
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

#define SUPER_BYTES_MOST  65215u /* GSO_LEGACY_MAX_SIZE less 1 and MAX_TCP_HEADER */
#define SUPER_LEAST       2u     /* tcp_min_tso_segs */
#define NEAR_RTT_SHIFT    9      /* tcp_tso_rtt_log: half of 64 KiB per 512 us */
#define WINDOW_DIVISOR    3u     /* tcp_tso_win_divisor */
#define RECENT_NS         MS(1)  /* a sender that paused longer does not wait */
#define PACES_PER_S       1024   /* sk_pacing_shift 10: about a millisecond at once */
#define PACE_SLOW_START   200u   /* tcp_pacing_ss_ratio, in per cent */
#define PACE_AVOIDANCE    120u   /* tcp_pacing_ca_ratio */
#define MERGED_BYTES_MOST 65483u /* an IPv4 packet with 52 bytes of header */

/* Sending. */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* tcp_tso_autosize(): the most bytes at once. */
static uint32_t autosize(const struct tcp_conn *conn, uint32_t most)
{
    uint32_t ratio = conn->cc.cwnd < conn->cc.ssthresh / 2 ? PACE_SLOW_START : PACE_AVOIDANCE;
    uint64_t bytes = SUPER_BYTES_MOST;

    if (conn->rto.srtt_ns > 0) {
        int64_t halvings = conn->rack.min_rtt_ns / US(1) >> NEAR_RTT_SHIFT;

        bytes = (uint64_t)conn->cc.cwnd * ratio * (uint64_t)(SECONDS(1) / PACES_PER_S) / 100 /
                (uint64_t)conn->rto.srtt_ns;
        if (halvings < 31)
            bytes += 65536u >> halvings;
        bytes = smaller(bytes, SUPER_BYTES_MOST);
    }
    uint32_t segments = (uint32_t)bytes / most;

    return most * (segments > SUPER_LEAST ? segments : SUPER_LEAST);
}

/* tcp_tso_should_defer(): 'limit' may go now, of 'wanted' that would go at once. */
static bool may_wait(const struct tcp_conn *conn, uint64_t limit, uint32_t wanted, uint32_t full,
                     int64_t now_ns)
{
    const struct tcp_sent *first = conn->send.first;
    bool has_more = conn->send.unsent_bytes > wanted;

    if (conn->recovery != TCP_OPEN || !first || now_ns - conn->sent_at_ns > RECENT_NS)
        return false;
    if (limit >= full || (has_more && limit >= wanted))
        return false;
    if (limit >= smaller(conn->snd_wnd, conn->cc.cwnd) / WINDOW_DIVISOR)
        return false;
    if (now_ns - first->sent_at_ns < conn->rto.srtt_ns / 2) /* the next ACK is far away */
        return false;
    return !conn->fin_queued;
}

uint32_t tcp_super_bytes(const struct tcp_conn *conn, uint32_t most, uint32_t usable,
                         int64_t now_ns)
{
    uint32_t pipe = tcp_pipe(conn);
    uint32_t room = conn->cc.cwnd > pipe ? conn->cc.cwnd - pipe : most;
    uint32_t full = autosize(conn, most);
    uint32_t wanted = (uint32_t)smaller(conn->send.unsent_bytes, full);
    uint64_t limit = smaller(usable, room);

    if (may_wait(conn, limit, wanted, full, now_ns))
        return 0;
    /* tcp_cwnd_test(): two of them fit the window, lest it runs dry between them. */
    limit = smaller(limit, conn->cc.cwnd / 2);
    limit = smaller(limit, wanted);
    if (limit < most)
        return most;
    if (limit < conn->send.unsent_bytes || conn->options->nagle)
        limit -= limit % most;
    return (uint32_t)limit;
}

/* Receiving. */

/* Can others follow it? */
static bool can_begin(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    return conn->state != TCP_CLOSED && conn->state != TCP_SYN_SENT && segment->flags == TCP_ACK &&
           segment->payload_bytes > 0 && segment->sack_count == 0;
}

static bool can_follow(const struct tcp_merge *merge, const struct tcp_segment *segment)
{
    const struct tcp_segment *so_far = &merge->segment;

    return segment->sn == so_far->sn + so_far->payload_bytes && segment->payload_bytes > 0 &&
           segment->payload_bytes <= merge->segment_bytes &&
           so_far->payload_bytes + segment->payload_bytes <= MERGED_BYTES_MOST &&
           (segment->flags & (uint8_t) ~(TCP_PSH | TCP_FIN)) == TCP_ACK &&
           segment->ack == so_far->ack && segment->window == so_far->window &&
           segment->sack_count == 0 && segment->has_timestamps == so_far->has_timestamps &&
           (!segment->has_timestamps ||
            (segment->ts_value == so_far->ts_value && segment->ts_echo == so_far->ts_echo));
}

static void begin_merge(struct tcp_conn *conn, const struct tcp_segment *segment,
                        struct buf *payload, int64_t now_ns)
{
    struct tcp_merge *merge = &conn->seldom->merge;

    merge->segment = *segment;
    merge->segment_bytes = segment->payload_bytes;
    buf_queue_put(&merge->payload, payload);
    /* A clock of the NIC: no timer of the system rounds it. */
    conn->deadlines_ns[TCP_TIMER_MERGE] = time_after(now_ns, conn->options->receive_merge_ns);
}

void tcp_merge_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                     int64_t now_ns)
{
    struct tcp_merge *merge = &conn->seldom->merge;

    if (merge->payload.head && can_follow(merge, segment)) {
        buf_queue_put(&merge->payload, payload);
        merge->segment.payload_bytes += segment->payload_bytes;
        merge->segment.flags |= segment->flags;
        if (segment->flags != TCP_ACK || segment->payload_bytes < merge->segment_bytes)
            tcp_merge_flush(conn, now_ns);
        return;
    }
    tcp_merge_flush(conn, now_ns);
    if (can_begin(conn, segment))
        begin_merge(conn, segment, payload, now_ns);
    else
        tcp_take_segment(conn, segment, payload, now_ns);
}

void tcp_merge_flush(struct tcp_conn *conn, int64_t now_ns)
{
    struct tcp_merge *merge = &conn->seldom->merge;
    struct buf *payload = merge->payload.head;

    if (!payload)
        return;
    merge->payload = (struct buf_queue){0};
    tcp_stop_timer(conn, TCP_TIMER_MERGE);
    tcp_take_segment(conn, &merge->segment, payload, now_ns);
}
