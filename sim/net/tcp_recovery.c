/* Which segments are lost, and what that does to the sending of others.
 *
 * With SACK a segment is lost when three later ones have arrived (RFC 6675), without SACK when
 * three duplicate ACKs say so, and then one hole after the other (NewReno, RFC 6582). Instead of
 * inflating the congestion window, each duplicate ACK takes one segment out of the pipe, which
 * comes to the same and lets both kinds share one rule: send while the pipe is smaller than the
 * window. A timeout takes all that is not reported as arrived for lost; slow start then sends it
 * again (RFC 5681, 3.1).
 */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

uint32_t tcp_pipe(const struct tcp_conn *conn)
{
    uint32_t in = tcp_conn_flight(conn) + conn->send.resent;
    uint32_t out = conn->send.sacked + conn->send.lost + conn->dup_credit;

    return in > out ? in - out : 0;
}

static void enter(struct tcp_conn *conn, enum tcp_recovery recovery)
{
    conn->recovery = recovery;
    conn->dup_acks = 0;
    conn->dup_credit = 0;
    if (recovery != TCP_OPEN)
        conn->recover = conn->snd_nxt;
}

/* The first segment is a hole: it goes out at once. */
static void resend_first(struct tcp_conn *conn)
{
    if (!conn->send.first)
        return;
    tcp_send_queue_mark_lost(&conn->send, conn->send.first);
    if (!(conn->send.first->marks & TCP_SENT_RESENT))
        conn->wants |= TCP_WANT_RESEND;
}

/* tcp_simple_retransmit(): what a probe carried goes again in smaller segments, and the window
 * stays (RFC 4821, 7.5). */
static void repair_probe(struct tcp_conn *conn)
{
    conn->undo.is_possible = false;
    conn->is_frto = false;
    conn->is_trying_new = false;
    enter(conn, TCP_LOSS_RECOVERY);
    resend_first(conn);
}

/* RFC 5681, 3.2; RFC 6675, 5. */
static void begin_fast_recovery(struct tcp_conn *conn)
{
    uint32_t credit = conn->dup_credit;

    if (conn->seldom && tcp_mtu_takes_loss(conn)) {
        repair_probe(conn);
        return;
    }
    conn->counters->fast_recoveries++;
    tcp_undo_remember(conn);
    conn->prr_window = conn->cc.cwnd;
    conn->prr_delivered = 0;
    conn->prr_out = 0;
    tcp_cc_lost(&conn->cc, tcp_conn_flight(conn));
    enter(conn, TCP_FAST_RECOVERY);
    conn->rack.has_probed = false;
    if (conn->rack.is_on) { /* what is lost is marked already */
        if (tcp_send_queue_next_lost(&conn->send))
            conn->wants |= TCP_WANT_RESEND;
        return;
    }
    if (conn->has_sack)
        tcp_send_queue_mark_by_sack(&conn->send, TCP_DUP_THRESHOLD);
    else
        conn->dup_credit = credit;
    resend_first(conn);
}

/* A partial ACK (RFC 6582, 3.2, step 3, option 2): what it uncovers is the next hole. */
static void go_on_repairing(struct tcp_conn *conn, uint32_t acked)
{
    if (conn->rack.is_on)
        return;
    if (conn->has_sack) {
        tcp_send_queue_mark_by_sack(&conn->send, TCP_DUP_THRESHOLD);
        if (conn->send.sacked_segments > 0)
            return;
    }
    conn->dup_credit = conn->dup_credit > acked ? conn->dup_credit - acked : 0;
    if (acked >= conn->mss && !conn->has_sack)
        conn->dup_credit += conn->mss;
    resend_first(conn);
}

/* RFC 5681 lets a window grow that was used; one that the application left half empty says nothing
 * of the network (RFC 7661, 4.3). */
static bool was_window_used(const struct tcp_conn *conn, uint32_t flight)
{
    uint64_t used = tcp_cc_is_slow_start(&conn->cc) ? 2 * (uint64_t)flight : flight;

    return used + conn->mss > conn->cc.cwnd;
}

/* Does what arrived say that fast recovery must begin? */
static bool has_noticed_loss(const struct tcp_conn *conn)
{
    if (conn->rack.is_on)
        return conn->send.lost > conn->send.resent;
    if (conn->has_sack)
        return conn->send.sacked_segments >= TCP_DUP_THRESHOLD;
    return conn->dup_acks >= TCP_DUP_THRESHOLD && sn_before(conn->recover, conn->snd_una);
}

/* Nothing was lost: all goes on as before. */
static void undo(struct tcp_conn *conn)
{
    tcp_undo(conn);
    tcp_send_queue_unmark_lost(&conn->send);
    conn->wants &= (uint16_t)~TCP_WANT_RESEND;
    conn->is_frto = false;
    enter(conn, TCP_OPEN);
}

/* RFC 5682: data that was sent once, before the timeout, arrived after it: the timeout was
 * spurious. SACK names that data (3.1). Without SACK the ACK of the segment that was sent again
 * covers all that waited behind it, so that only the second ACK tells (2.1, step 3b). */
static bool shows_spurious_timeout(const struct tcp_conn *conn, bool was_trying_new)
{
    const struct tcp_delivery *delivery = &conn->send.delivery;

    return conn->is_frto && (conn->has_sack || was_trying_new) && delivery->has_original &&
           !sn_before(conn->recover, delivery->original_end);
}

/* An ACK that advanced after a timeout, but not over all (2.1, step 2b): two new segments instead
 * of retransmissions, if there are any and the peer's window takes them, tell more. */
static void try_new_data(struct tcp_conn *conn)
{
    if (!conn->is_frto)
        return;
    bool has_new =
        conn->send.unsent_bytes > 0 && sn_before(conn->snd_nxt, conn->snd_una + conn->snd_wnd);

    if (sn_before(conn->recover, conn->snd_nxt) || !has_new) {
        conn->is_frto = false;
        return;
    }
    conn->is_trying_new = true;
    conn->recover = conn->snd_nxt;
}

static void acked_after_timeout(struct tcp_conn *conn, const struct tcp_segment *segment,
                                uint32_t acked, bool is_repaired, int64_t now_ns)
{
    bool was_trying_new = conn->is_trying_new;

    conn->is_trying_new = false;
    if (tcp_undo_is_due(conn, segment) ||
        (conn->undo.is_possible && shows_spurious_timeout(conn, was_trying_new))) {
        undo(conn);
        return;
    }
    if (!is_repaired)
        try_new_data(conn);
    tcp_cc_acked(&conn->cc, acked, true, conn->rto.srtt_ns, now_ns);
    if (is_repaired) {
        conn->is_frto = false;
        enter(conn, TCP_OPEN);
    }
}

void tcp_recovery_acked(struct tcp_conn *conn, const struct tcp_segment *segment, uint32_t acked,
                        uint32_t flight, int64_t now_ns)
{
    bool is_repaired = !sn_before(conn->snd_una, conn->recover);

    if (conn->rack.is_on)
        tcp_rack_detect(conn, now_ns);
    switch (conn->recovery) {
    case TCP_OPEN:
        conn->dup_acks = 0;
        conn->dup_credit = 0;
        if (is_repaired) /* trails behind, lest it is overtaken when sequence numbers wrap */
            conn->recover = conn->snd_una - 1;
        if (has_noticed_loss(conn))
            begin_fast_recovery(conn);
        else if (was_window_used(conn, flight))
            tcp_cc_acked(&conn->cc, acked, false, conn->rto.srtt_ns, now_ns);
        break;
    case TCP_FAST_RECOVERY:
        if (tcp_undo_is_due(conn, segment)) {
            undo(conn);
            break;
        }
        if (!is_repaired) {
            go_on_repairing(conn, acked);
            break;
        }
        enter(conn, TCP_OPEN);
        tcp_rack_recovered(conn);
        if (conn->options->proportional_rate)
            conn->cc.cwnd = conn->cc.ssthresh;
        else
            tcp_cc_recovered(&conn->cc, tcp_conn_flight(conn));
        break;
    case TCP_LOSS_RECOVERY:
        acked_after_timeout(conn, segment, acked, is_repaired, now_ns);
        break;
    }
    conn->send.delivery.is_news = false;
    conn->send.delivery.has_original = false;
    conn->send.delivery.is_reordered = false;
}

void tcp_recovery_found_losses(struct tcp_conn *conn)
{
    if (conn->recovery == TCP_OPEN)
        begin_fast_recovery(conn);
    else if (tcp_send_queue_next_lost(&conn->send))
        conn->wants |= TCP_WANT_RESEND;
}

void tcp_recovery_saw_duplicate(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    if (conn->recovery != TCP_LOSS_RECOVERY && conn->undo.unreported == 0 &&
        tcp_undo_is_due(conn, segment))
        undo(conn);
}

/* tcp_cwnd_reduction(). */
void tcp_recovery_pace(struct tcp_conn *conn, uint32_t delivered, bool has_advanced)
{
    if (conn->recovery != TCP_FAST_RECOVERY || delivered == 0 || conn->prr_window == 0)
        return;
    uint32_t pipe = tcp_pipe(conn);
    int64_t more;

    conn->prr_delivered += delivered;
    if (pipe > conn->cc.ssthresh) {
        uint64_t share = (uint64_t)conn->cc.ssthresh * conn->prr_delivered + conn->prr_window - 1;

        more = (int64_t)(share / conn->prr_window) - conn->prr_out;
    } else {
        more = (int64_t)conn->prr_delivered - conn->prr_out;
        if (more < delivered)
            more = delivered;
        if (has_advanced && conn->send.lost == conn->send.resent)
            more += conn->mss;
        if (more > conn->cc.ssthresh - pipe)
            more = conn->cc.ssthresh - pipe;
    }
    if (conn->prr_out == 0 && more < conn->mss) /* the first retransmission goes at once */
        more = conn->mss;
    conn->cc.cwnd = pipe + (more > 0 ? (uint32_t)more : 0);
    if (conn->cc.cwnd < conn->mss) /* a window is one full segment at least */
        conn->cc.cwnd = conn->mss;
}

void tcp_recovery_duplicate(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->rack.is_on)
        tcp_rack_detect(conn, now_ns);
    conn->dup_acks++;
    if (!conn->has_sack && conn->recovery != TCP_LOSS_RECOVERY) {
        conn->dup_credit += conn->mss;
        if (conn->dup_credit > tcp_conn_flight(conn))
            conn->dup_credit = tcp_conn_flight(conn);
    }
    switch (conn->recovery) {
    case TCP_OPEN:
        if (has_noticed_loss(conn))
            begin_fast_recovery(conn);
        break;
    case TCP_FAST_RECOVERY:
        if (conn->has_sack && !conn->rack.is_on)
            tcp_send_queue_mark_by_sack(&conn->send, TCP_DUP_THRESHOLD);
        break;
    case TCP_LOSS_RECOVERY:
        if (conn->has_sack && conn->undo.is_possible && shows_spurious_timeout(conn, false)) {
            undo(conn);
            break;
        }
        if (!conn->has_sack && !conn->is_trying_new) /* 2.1, step 2a: the loss was real */
            conn->is_frto = false;
        if (conn->is_trying_new) { /* 2.1, step 3a; 3.1, step 3 */
            conn->is_frto = false;
            conn->is_trying_new = false;
            /* Without SACK the two new segments still count as in flight, and would
             * keep the window closed until the next timeout. */
            if (!conn->has_sack && conn->cc.cwnd < 3 * conn->mss)
                conn->cc.cwnd = 3 * conn->mss;
        }
        break;
    }
    conn->send.delivery.is_news = false;
    conn->send.delivery.has_original = false;
    conn->send.delivery.is_reordered = false;
}

void tcp_recovery_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    bool is_new = conn->recovery != TCP_LOSS_RECOVERY;

    if (is_new || conn->retries == 0)
        tcp_undo_remember(conn);
    /* Step 1: who repairs a timeout's losses already does not ask. Linux does, where SACK tells
     * more; and a probe of the path's MTU may be all that is lost. */
    conn->is_frto = conn->options->frto && (is_new || (conn->has_sack && conn->retries > 0)) &&
                    !(conn->seldom && conn->seldom->mtu.size > 0);
    conn->is_trying_new = false;
    conn->rack.has_probed = false;
    if (conn->retries == 0)
        conn->first_timeout_at_ns = now_ns;
    /* A receiver that reported the first segment and never acknowledged it has changed its mind
     * (RFC 2018, 8). */
    if (conn->send.first && (conn->send.first->marks & TCP_SENT_SACKED))
        tcp_send_queue_forget_sacks(&conn->send);
    tcp_cc_timed_out(&conn->cc, tcp_conn_flight(conn), conn->retries == 0);
    enter(conn, TCP_LOSS_RECOVERY);
    /* RFC 8985, 8: what was sent less than a round trip ago may still arrive. */
    tcp_send_queue_mark_all_lost(&conn->send,
                                 conn->rack.is_on ? now_ns - conn->rack.rtt_ns : TIME_NEVER);
    conn->wants |= TCP_WANT_RESEND;
}
