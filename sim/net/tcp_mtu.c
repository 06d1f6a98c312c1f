/* A path that swallows large segments and tells nobody: a black hole (RFC 4821, 7.7; RFC
 * 8899, 4.2).
 *
 * As Linux does with tcp_mtu_probing 1: a peer that answered small segments and falls silent may be
 * behind such a path. After some timeouts in a row segments shrink. From then on probes search
 * upwards, half way between what passes and what may pass: a larger segment of new data, with
 * enough behind it to tell by duplicate ACKs that only it was lost (tcp_mtu_probe()). An ACK makes
 * all segments that large; a loss narrows the search and leaves the congestion window alone. When
 * little is left to search, the path may still change, and the search begins anew after a while.
 */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

#define SEARCH_ENDS_BYTES 8u  /* tcp_probe_threshold */
#define WINDOW_LEAST      11u /* segments: fewer would not tell one loss from a full network */
#define BEHIND_PROBE      (TCP_DUP_THRESHOLD + 1)

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void tcp_mtu_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;

    if (options->mtu_probe_after == 0 || conn->retries < options->mtu_probe_after)
        return;
    struct tcp_mtu *mtu = &conn->seldom->mtu;
    uint32_t mss = options->mtu_probe_bytes;

    if (conn->own_mss <= mss)
        mss = conn->own_mss / 2;
    if (!mtu->is_on) {
        mtu->is_on = true;
        mtu->high = smaller(mtu->path, conn->peer_mss);
        mtu->begun_at_ns = now_ns;
    }
    tcp_shrink_segments(conn, mss);
    mtu->low = conn->own_mss;
    mtu->size = 0;
}

/* tcp_mtu_check_reprobe(): nothing is left to search. */
static void begin_anew(struct tcp_conn *conn, int64_t now_ns)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;
    int64_t again_ns = conn->options->mtu_probe_again_ns;

    if (again_ns == 0 || now_ns - mtu->begun_at_ns < again_ns)
        return;
    mtu->low = conn->own_mss;
    mtu->high = smaller(mtu->path, conn->peer_mss);
    mtu->begun_at_ns = now_ns;
}

/* Is this a moment at which a loss would tell of the probe? */
static bool may_probe(const struct tcp_conn *conn)
{
    return conn->seldom->mtu.size == 0 && conn->recovery == TCP_OPEN && conn->send.sacked == 0 &&
           conn->cc.cwnd >= WINDOW_LEAST * conn->mss && !conn->reassembly.first && !conn->has_dsack;
}

enum tcp_mtu_step tcp_mtu_plan(struct tcp_conn *conn, uint32_t usable, uint32_t *ret_bytes,
                               int64_t now_ns)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;

    if (!mtu->is_on || !may_probe(conn))
        return TCP_MTU_NOTHING;
    if (mtu->high < mtu->low + SEARCH_ENDS_BYTES) {
        begin_anew(conn, now_ns);
        return TCP_MTU_NOTHING;
    }
    uint32_t bytes = conn->mss + (mtu->high - mtu->low) / 2; /* beside the same options */
    uint32_t needed = bytes + BEHIND_PROBE * conn->mss;
    uint32_t pipe = tcp_pipe(conn);

    if (conn->send.unsent_bytes < needed || conn->snd_wnd < needed)
        return TCP_MTU_NOTHING;
    if (usable < needed)
        return TCP_MTU_WAIT;
    if (pipe + 2 * conn->mss > conn->cc.cwnd)
        return pipe > 0 ? TCP_MTU_WAIT : TCP_MTU_NOTHING;
    *ret_bytes = bytes;
    return TCP_MTU_PROBE;
}

void tcp_mtu_probe_was_sent(struct tcp_conn *conn, uint32_t sn, uint32_t bytes)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;

    mtu->size = mtu->low + (bytes - conn->mss);
    mtu->from = sn;
    mtu->end = sn + bytes;
}

void tcp_mtu_acked(struct tcp_conn *conn)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;

    if (mtu->size == 0 || sn_before(conn->snd_una, mtu->end))
        return;
    mtu->low = mtu->size;
    mtu->size = 0;
    tcp_grow_segments(conn, mtu->low);
}

bool tcp_mtu_takes_loss(struct tcp_conn *conn)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;

    if (mtu->size == 0 || conn->snd_una != mtu->from)
        return false;
    mtu->high = mtu->size - 1;
    mtu->size = 0;
    return true;
}

void tcp_mtu_gives_up_probe(struct tcp_conn *conn)
{
    conn->seldom->mtu.size = 0;
}

void tcp_mtu_limit(struct tcp_conn *conn, uint32_t mss_bytes)
{
    struct tcp_mtu *mtu = &conn->seldom->mtu;

    mtu->path = smaller(mtu->path, mss_bytes);
    mtu->high = smaller(mtu->high, mss_bytes);
    if (mtu->low > mtu->high)
        mtu->low = mtu->high;
    mtu->size = 0;
}
