/* Losses noticed by time (RACK), and the probe for a lost tail (TLP): RFC 8985 as Linux reads it.
 *
 * Each record was sent at some time. Once one is known to have arrived, those sent before it should
 * have, too; what is late by more than the reordering window is lost. Who is still within the
 * window is looked at again by a timer. And a tail of which nobody sends an ACK is probed after two
 * round trips, so that SACK tells of the hole long before the retransmission timer would.
 *
 * As in Linux, one timer serves the retransmission timeout, the probe and the reordering window;
 * 'pending' tells which.
 */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

#define MIN_RTT_VALID_NS SECONDS(300) /* tcp_min_rtt_wlen */
#define WINDOW_STEPS     255
#define WINDOW_PERSISTS  16 /* recoveries (RFC 8985, 6.2, step 4) */
/* TCP_TIMEOUT_MIN_US of Linux: no probe and no look again sooner. */
#define LINUX_LEAST_NS MS(2)
/* WCDelAckT (7.2) */
#define WORST_DELAYED_ACK_NS MS(200)

static int64_t least_ns(const struct tcp_conn *conn)
{
    return conn->options->rto_rule == TCP_RTO_LINUX ? LINUX_LEAST_NS : 0;
}

void tcp_rack_begin(struct tcp_conn *conn)
{
    const struct tcp_options *options = conn->options;
    bool is_far = options->rack_min_rtt_ns == 0 || conn->rto.srtt_ns >= options->rack_min_rtt_ns;

    conn->rack = (struct tcp_rack){
        .is_on = options->rack && conn->has_sack && is_far,
        .is_probing_tails = options->tail_loss_probe && conn->has_sack && is_far,
        .window_steps = 1,
        .rtt_ns = conn->rto.srtt_ns,
        .min_rtt_ns = conn->rto.srtt_ns,
    };
}

/* The timer. */

/* When the retransmission timeout of the first record ends, as a span from now; it may be over. */
static int64_t rto_remains_ns(const struct tcp_conn *conn, int64_t now_ns)
{
    return conn->send.first->sent_at_ns + tcp_rto_span_ns(&conn->rto, conn->options) - now_ns;
}

void tcp_set_rto(struct tcp_conn *conn, int64_t now_ns)
{
    conn->pending = TCP_PENDING_RTO;
    tcp_set_timer(conn, TCP_TIMER_RETRANSMIT, tcp_rto_span_ns(&conn->rto, conn->options), now_ns);
}

/* Back from a shorter timer to the timeout, which counts from when the first record was sent. */
static void rearm_rto(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->pending == TCP_PENDING_RTO || !conn->send.first) {
        tcp_set_rto(conn, now_ns);
        return;
    }
    conn->pending = TCP_PENDING_RTO;
    tcp_set_timer(conn, TCP_TIMER_RETRANSMIT, time_max(rto_remains_ns(conn, now_ns), 1), now_ns);
}

/* tcp_schedule_loss_probe(); 7.2. 'is_progress': the timeout would start anew now. */
static bool schedule_probe(struct tcp_conn *conn, bool is_progress, int64_t now_ns)
{
    const struct tcp_send_queue *send = &conn->send;
    const struct tcp_options *options = conn->options;
    bool is_linux = options->rto_rule == TCP_RTO_LINUX;

    if (!conn->rack.is_probing_tails || !send->first || conn->recovery != TCP_OPEN ||
        send->sacked > 0 || conn->is_probing)
        return false;
    int64_t span_ns = options->initial_rto_ns;

    if (conn->rto.srtt_ns > 0 && send->first == send->last)
        span_ns = 2 * conn->rto.srtt_ns + (is_linux ? options->min_rto_ns : WORST_DELAYED_ACK_NS);
    else if (conn->rto.srtt_ns > 0)
        span_ns = 2 * conn->rto.srtt_ns + least_ns(conn);
    int64_t rto_ns =
        is_progress ? tcp_rto_span_ns(&conn->rto, options) : rto_remains_ns(conn, now_ns);

    if (rto_ns > 0)
        span_ns = time_min(span_ns, rto_ns);
    conn->pending = TCP_PENDING_PROBE;
    conn->rack.probe_set_at_ns = now_ns;
    conn->rack.probes_one = send->first == send->last;
    tcp_set_timer(conn, TCP_TIMER_RETRANSMIT, span_ns, now_ns);
    return true;
}

void tcp_rack_sent_new(struct tcp_conn *conn, int64_t now_ns)
{
    bool is_idle = conn->deadlines_ns[TCP_TIMER_RETRANSMIT] == TIME_NEVER;

    if (conn->pending == TCP_PENDING_PROBE && !is_idle) {
        if (conn->rack.probe_set_at_ns == now_ns && !conn->rack.probes_one)
            return; /* the same burst */
        rearm_rto(conn, now_ns);
    } else if (is_idle) {
        tcp_set_rto(conn, now_ns);
    }
    if (conn->rack.is_probing_tails)
        schedule_probe(conn, false, now_ns);
}

void tcp_rack_progress(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->rack.is_looking_again)
        return; /* the reordering window's timer was set for this ACK */
    if (!schedule_probe(conn, true, now_ns))
        rearm_rto(conn, now_ns);
}

/* RACK. */

/* RACK_update_min_rtt(); Linux looks back 300 s. */
static void take_min_rtt(struct tcp_rack *rack, int64_t rtt_ns, int64_t now_ns)
{
    if (rack->min_rtt_ns > 0 && rtt_ns > rack->min_rtt_ns &&
        now_ns - rack->min_rtt_at_ns < MIN_RTT_VALID_NS)
        return;
    rack->min_rtt_ns = time_max(rtt_ns, 1);
    rack->min_rtt_at_ns = now_ns;
}

/* RACK_update_reo_wnd(), step 4. */
static int64_t reordering_window_ns(const struct tcp_conn *conn)
{
    const struct tcp_rack *rack = &conn->rack;

    if (!rack->has_seen_reordering &&
        (conn->recovery != TCP_OPEN || conn->send.sacked_segments >= TCP_DUP_THRESHOLD))
        return 0;
    return time_min(rack->min_rtt_ns / 4 * rack->window_steps, conn->rto.srtt_ns);
}

/* RACK_detect_loss(), step 5. Returns how long the last one that is not lost yet may take; 0: none
 * waits. */
static int64_t detect_ns(struct tcp_conn *conn, int64_t now_ns)
{
    struct tcp_send_queue *send = &conn->send;
    const struct tcp_delivery *delivery = &send->delivery;
    int64_t window_ns = reordering_window_ns(conn);
    int64_t longest_ns = 0;
    struct tcp_sent *next;

    for (struct tcp_sent *sent = send->oldest; sent; sent = next) {
        next = sent->time_next;
        if (sent->sent_at_ns > delivery->sent_at_ns ||
            (sent->sent_at_ns == delivery->sent_at_ns && !sn_before(sent->end, delivery->end)))
            break;
        int64_t remains_ns = sent->sent_at_ns + conn->rack.rtt_ns + window_ns - now_ns;

        if (remains_ns <= 0)
            tcp_send_queue_mark_overdue(send, sent);
        else
            longest_ns = time_max(longest_ns, remains_ns);
    }
    return longest_ns;
}

void tcp_rack_detect(struct tcp_conn *conn, int64_t now_ns)
{
    struct tcp_rack *rack = &conn->rack;
    struct tcp_delivery *delivery = &conn->send.delivery;

    rack->is_looking_again = false;
    if (delivery->is_news) {
        rack->rtt_ns = now_ns - delivery->sent_at_ns;
        rack->has_seen_reordering |= delivery->is_reordered;
        take_min_rtt(rack, rack->rtt_ns, now_ns);
    }
    if (!conn->send.oldest || (conn->send.sacked == 0 && conn->send.resent == 0 &&
                               conn->send.oldest->sent_at_ns > delivery->sent_at_ns))
        return;
    int64_t wait_ns = detect_ns(conn, now_ns);

    if (wait_ns == 0)
        return;
    rack->is_looking_again = true;
    conn->pending = TCP_PENDING_REORDERING;
    tcp_set_timer(conn, TCP_TIMER_RETRANSMIT, wait_ns + least_ns(conn), now_ns);
}

void tcp_rack_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    uint32_t lost = conn->send.lost - conn->send.resent;

    detect_ns(conn, now_ns);
    if (conn->send.lost - conn->send.resent != lost)
        tcp_recovery_found_losses(conn);
    rearm_rto(conn, now_ns);
}

/* 6.2, step 4: duplicates say that the window is too small; once per round trip. */
void tcp_rack_saw_duplicate(struct tcp_conn *conn)
{
    struct tcp_rack *rack = &conn->rack;

    if (rack->has_dsack_round && sn_before(conn->snd_una, rack->dsack_round))
        return;
    rack->has_dsack_round = true;
    rack->dsack_round = conn->snd_nxt;
    rack->window_persists = WINDOW_PERSISTS;
    if (rack->window_steps < WINDOW_STEPS)
        rack->window_steps++;
}

void tcp_rack_recovered(struct tcp_conn *conn)
{
    struct tcp_rack *rack = &conn->rack;

    if (rack->window_persists > 0 && --rack->window_persists == 0)
        rack->window_steps = 1;
}

/* TLP. */

void tcp_probe_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    if (!conn->send.first)
        return;
    if (conn->rack.has_probed) /* one at a time */
        rearm_rto(conn, now_ns);
    else
        conn->wants |= TCP_WANT_TAIL_PROBE;
    if (conn->deadlines_ns[TCP_TIMER_RETRANSMIT] == TIME_NEVER) /* while the NIC has no room */
        rearm_rto(conn, now_ns);
}

void tcp_probe_was_sent(struct tcp_conn *conn, bool was_resent, int64_t now_ns)
{
    conn->rack.has_probed = true;
    conn->rack.probe_was_resent = was_resent;
    conn->rack.probe_end = conn->snd_nxt;
    conn->counters->tail_probes++;
    tcp_set_rto(conn, now_ns);
}

/* tcp_process_tlp_ack(); 7.4.2. */
void tcp_probe_acked(struct tcp_conn *conn, uint32_t ack, bool has_advanced, bool is_bare,
                     bool is_dsack)
{
    struct tcp_rack *rack = &conn->rack;

    if (!rack->has_probed || sn_before(ack, rack->probe_end))
        return;
    if (!rack->probe_was_resent || is_dsack) {
        rack->has_probed = false;
    } else if (sn_before(rack->probe_end, ack)) { /* the probe repaired a loss */
        rack->has_probed = false;
        if (conn->recovery == TCP_OPEN)
            tcp_cc_lost(&conn->cc, conn->cc.cwnd);
    } else if (!has_advanced && is_bare) { /* both arrived */
        rack->has_probed = false;
    }
}
