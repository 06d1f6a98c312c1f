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

/* RFC 5681, 3.2; RFC 6675, 5. */
static void begin_fast_recovery(struct tcp_conn *conn)
{
    uint32_t credit = conn->dup_credit;

    conn->counters->fast_recoveries++;
    tcp_cc_lost(&conn->cc, tcp_conn_flight(conn));
    enter(conn, TCP_FAST_RECOVERY);
    if (conn->has_sack)
        tcp_send_queue_mark_by_sack(&conn->send, TCP_DUP_THRESHOLD);
    else
        conn->dup_credit = credit;
    resend_first(conn);
}

/* A partial ACK (RFC 6582, 3.2, step 3, option 2): what it uncovers is the next hole. */
static void go_on_repairing(struct tcp_conn *conn, uint32_t acked)
{
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

void tcp_recovery_acked(struct tcp_conn *conn, uint32_t acked, uint32_t flight, int64_t now_ns)
{
    bool is_repaired = !sn_before(conn->snd_una, conn->recover);

    switch (conn->recovery) {
    case TCP_OPEN:
        conn->dup_acks = 0;
        conn->dup_credit = 0;
        if (is_repaired) /* trails behind, lest it is overtaken when sequence numbers wrap */
            conn->recover = conn->snd_una - 1;
        if (conn->send.sacked_segments >= TCP_DUP_THRESHOLD)
            begin_fast_recovery(conn);
        else if (was_window_used(conn, flight))
            tcp_cc_acked(&conn->cc, acked, false, conn->rto.srtt_ns, now_ns);
        break;
    case TCP_FAST_RECOVERY:
        if (!is_repaired) {
            go_on_repairing(conn, acked);
            break;
        }
        enter(conn, TCP_OPEN);
        tcp_cc_recovered(&conn->cc, tcp_conn_flight(conn));
        break;
    case TCP_LOSS_RECOVERY:
        tcp_cc_acked(&conn->cc, acked, true, conn->rto.srtt_ns, now_ns);
        if (is_repaired)
            enter(conn, TCP_OPEN);
        break;
    }
}

void tcp_recovery_duplicate(struct tcp_conn *conn)
{
    conn->dup_acks++;
    if (!conn->has_sack && conn->recovery != TCP_LOSS_RECOVERY) {
        conn->dup_credit += conn->mss;
        if (conn->dup_credit > tcp_conn_flight(conn))
            conn->dup_credit = tcp_conn_flight(conn);
    }
    switch (conn->recovery) {
    case TCP_OPEN:
        if (conn->has_sack
                ? conn->send.sacked_segments >= TCP_DUP_THRESHOLD
                : conn->dup_acks >= TCP_DUP_THRESHOLD && sn_before(conn->recover, conn->snd_una))
            begin_fast_recovery(conn);
        break;
    case TCP_FAST_RECOVERY:
        if (conn->has_sack)
            tcp_send_queue_mark_by_sack(&conn->send, TCP_DUP_THRESHOLD);
        break;
    case TCP_LOSS_RECOVERY:
        break;
    }
}

void tcp_recovery_timed_out(struct tcp_conn *conn)
{
    /* A receiver that reported the first segment and never acknowledged it has changed its mind
     * (RFC 2018, 8). */
    if (conn->send.first && (conn->send.first->marks & TCP_SENT_SACKED))
        tcp_send_queue_forget_sacks(&conn->send);
    tcp_cc_timed_out(&conn->cc, tcp_conn_flight(conn), conn->retries == 0);
    enter(conn, TCP_LOSS_RECOVERY);
    tcp_send_queue_mark_all_lost(&conn->send);
    conn->wants |= TCP_WANT_RESEND;
}
