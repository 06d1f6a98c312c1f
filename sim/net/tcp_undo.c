/* A loss that was none: what it did to the window is taken back.
 *
 * Two signs tell. An ACK that echoes a timestamp older than the first retransmission answers the
 * original (Eifel, RFC 3522). And when D-SACK has reported each retransmission as a duplicate, none
 * of them was needed (RFC 3708). tcp_recovery.c adds a third, F-RTO (RFC 5682).
 */
#include "sim/core/bytes.h"
#include "sim/net/tcp_parts.h"

void tcp_undo_remember(struct tcp_conn *conn)
{
    conn->undo = (struct tcp_undo){
        .is_possible = true,
        .from = conn->snd_una,
        .cwnd = conn->cc.cwnd,
        .ssthresh = conn->cc.ssthresh,
        .cubic = conn->cc.cubic,
    };
}

void tcp_undo_resent(struct tcp_conn *conn, int64_t now_ns)
{
    struct tcp_undo *undo = &conn->undo;

    if (!undo->is_possible)
        return;
    if (!undo->has_resent)
        undo->resent_ts = tcp_ts_now(conn, now_ns);
    undo->has_resent = true;
    undo->unreported++;
}

void tcp_undo_saw_duplicate(struct tcp_conn *conn, struct tcp_sack_block block)
{
    struct tcp_undo *undo = &conn->undo;

    if (undo->is_possible && undo->unreported > 0 && !sn_before(block.left, undo->from))
        undo->unreported--;
}

bool tcp_undo_is_due(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    const struct tcp_undo *undo = &conn->undo;

    if (!conn->options->undo || !undo->is_possible || !undo->has_resent)
        return false;
    if (undo->unreported == 0)
        return true;
    return conn->has_timestamps && segment->has_timestamps &&
           sn_before(segment->ts_echo, undo->resent_ts);
}

void tcp_undo(struct tcp_conn *conn)
{
    struct tcp_undo *undo = &conn->undo;

    if (conn->cc.cwnd < undo->cwnd)
        conn->cc.cwnd = undo->cwnd;
    if (conn->cc.ssthresh < undo->ssthresh)
        conn->cc.ssthresh = undo->ssthresh;
    conn->cc.cubic = undo->cubic; /* RFC 9438, 4.9 */
    undo->is_possible = false;
    conn->counters->undone++;
}
