/* The life of a connection: opening, the user's calls, timers, the end. */
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_parts.h"

#define MSS_DEFAULT      536u /* RFC 9293, 3.7.1 */
#define MSS_LEAST        48u  /* who asks for less gets this: 8 bytes of data beside all options */
#define MSS_MOST         65495u
#define TIMESTAMPS_BYTES 12u
#define WINDOW_UNSCALED  65535u
#define SHIFT_MOST       14u

const char *tcp_state_word(enum tcp_state state)
{
    static const char *const words[] = {
#define X(name, word) word,
        TCP_STATES(X)
#undef X
    };

    return words[state];
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* The smallest shift that lets 16 bits express the whole receive buffer (RFC 7323, 2.3). */
static uint8_t window_shift(uint32_t receive_buffer_bytes)
{
    uint8_t shift = 0;

    while (shift < SHIFT_MOST && receive_buffer_bytes >> shift > WINDOW_UNSCALED)
        shift++;
    return shift;
}

void tcp_conn_init(struct tcp_conn *conn, const struct tcp_conn_config *config)
{
    const struct tcp_options *options = config->options;

    *conn = (struct tcp_conn){
        .snd_una = config->first_sn,
        .snd_nxt = config->first_sn,
        .recover = config->first_sn,
        .iss = config->first_sn,
        .own_mss = clamp(config->mss_bytes, MSS_LEAST, MSS_MOST),
        .peer_mss = MSS_DEFAULT,
        .rcv_shift = window_shift(options->receive_buffer_bytes),
        .pool = config->pool,
        .options = options,
        .counters = config->counters,
        .ts_offset = config->ts_offset,
        .planted = config->planted,
        .stalled_at_ns = TIME_NEVER,
        .blocked_at_ns = TIME_NEVER,
        .challenged_at_ns = INT64_MIN,
        .data_at_ns = INT64_MIN / 2,
    };
    conn->mss = conn->own_mss < MSS_DEFAULT ? conn->own_mss : MSS_DEFAULT;
    for (size_t i = 0; i < TCP_TIMER_COUNT; i++)
        conn->deadlines_ns[i] = TIME_NEVER;
    tcp_rto_init(&conn->rto, options);
    tcp_send_queue_init(&conn->send, config->pool);
    tcp_cc_init(&conn->cc, options, conn->mss);
    if (options->segmentation_offload || options->receive_merge_ns > 0 ||
        options->mtu_probe_after > 0)
        conn->seldom = pool_take(config->pool, sizeof(*conn->seldom));
    if (conn->seldom)
        conn->seldom->mtu.path = conn->own_mss;
}

void tcp_conn_fini(struct tcp_conn *conn)
{
    if (conn->seldom) {
        buf_queue_clear(&conn->seldom->merge.payload);
        pool_give(conn->pool, conn->seldom, sizeof(*conn->seldom));
    }
    tcp_send_queue_clear(&conn->send);
    buf_queue_clear(&conn->received);
    tcp_reassembly_clear(&conn->reassembly, conn->pool);
}

/* The edges of the diagram in tcp_conn.h; every state may also end in CLOSED. */
static bool is_step(enum tcp_state from, enum tcp_state to)
{
    static const uint16_t next[] = {
        [TCP_CLOSED] = 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECEIVED,
        [TCP_SYN_SENT] = 1 << TCP_SYN_RECEIVED | 1 << TCP_ESTABLISHED,
        [TCP_SYN_RECEIVED] = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT_1,
        [TCP_ESTABLISHED] = 1 << TCP_FIN_WAIT_1 | 1 << TCP_CLOSE_WAIT,
        [TCP_FIN_WAIT_1] = 1 << TCP_FIN_WAIT_2 | 1 << TCP_CLOSING | 1 << TCP_TIME_WAIT,
        [TCP_FIN_WAIT_2] = 1 << TCP_TIME_WAIT,
        [TCP_CLOSE_WAIT] = 1 << TCP_LAST_ACK,
        [TCP_CLOSING] = 1 << TCP_TIME_WAIT,
        [TCP_LAST_ACK] = 0,
        [TCP_TIME_WAIT] = 0,
    };

    return to == TCP_CLOSED || (next[from] >> to & 1) != 0;
}

void tcp_enter(struct tcp_conn *conn, enum tcp_state state)
{
    assert(is_step(conn->state, state));
    conn->state = state;
}

uint32_t tcp_ts_now(const struct tcp_conn *conn, int64_t now_ns)
{
    return conn->ts_offset + (uint32_t)(now_ns / MS(1));
}

void tcp_end(struct tcp_conn *conn, enum close_reason reason)
{
    conn->wants = 0;
    if (conn->state == TCP_CLOSED && conn->tells_ended)
        return; /* the first reason counts */
    tcp_enter(conn, TCP_CLOSED);
    tcp_send_queue_clear(&conn->send);
    if (conn->seldom)
        conn->seldom->super.left = 0;
    tcp_reassembly_clear(&conn->reassembly, conn->pool);
    for (size_t i = 0; i < TCP_TIMER_COUNT; i++)
        conn->deadlines_ns[i] = TIME_NEVER;
    conn->tells_connected = false;
    conn->tells_room = false;
    if (reason != CLOSED_FIN) { /* after an end in good order the user may read on */
        buf_queue_clear(&conn->received);
        conn->tells_finished = false;
    }
    conn->tells_ended = true;
    conn->reason = reason;
}

void tcp_reset(struct tcp_conn *conn, enum close_reason reason)
{
    tcp_end(conn, reason);
    conn->wants = TCP_WANT_RESET;
}

/* Opening. */

void tcp_conn_connect(struct tcp_conn *conn, int64_t now_ns)
{
    tcp_enter(conn, TCP_SYN_SENT);
    conn->is_active = true;
    conn->opened_at_ns = now_ns;
    conn->heard_at_ns = now_ns;
    conn->wants = TCP_WANT_SYN;
    tcp_watch_user_timeout(conn, now_ns);
}

void tcp_negotiate(struct tcp_conn *conn, const struct tcp_segment *syn, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;

    conn->irs = syn->sn;
    conn->rcv_nxt = syn->sn + 1;
    conn->last_ack_sent = conn->rcv_nxt;
    conn->rcv_edge = conn->rcv_nxt;
    conn->heard_at_ns = now_ns;
    if (syn->mss != 0)
        conn->peer_mss = clamp(syn->mss, MSS_LEAST, MSS_MOST);
    conn->has_sack = options->sack && syn->is_sack_permitted;
    conn->has_scaling = syn->has_window_scale;
    if (conn->has_scaling)
        conn->snd_shift = syn->window_shift;
    else
        conn->rcv_shift = 0;
    conn->has_timestamps = options->timestamps && syn->has_timestamps;
    if (conn->has_timestamps) {
        conn->ts_recent = syn->ts_value;
        conn->ts_recent_at_ns = now_ns;
    }
    conn->mss = conn->peer_mss < conn->own_mss ? conn->peer_mss : conn->own_mss;
    if (conn->has_timestamps)
        conn->mss -= TIMESTAMPS_BYTES;
    tcp_cc_init(&conn->cc, options, conn->mss);
}

void tcp_conn_accept(struct tcp_conn *conn, const struct tcp_segment *syn, int64_t now_ns)
{
    tcp_enter(conn, TCP_SYN_RECEIVED);
    tcp_negotiate(conn, syn, now_ns);
    conn->opened_at_ns = now_ns;
    conn->wants = TCP_WANT_SYN;
    tcp_watch_user_timeout(conn, now_ns);
}

bool tcp_conn_gives_way(const struct tcp_conn *conn, const struct tcp_segment *syn)
{
    if (conn->state != TCP_TIME_WAIT)
        return false;
    if ((syn->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (sn_before(conn->rcv_nxt, syn->sn))
        return true;
    return conn->has_timestamps && syn->has_timestamps && sn_before(conn->ts_recent, syn->ts_value);
}

/* Both SYNs are acknowledged. */
void tcp_established(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->retries > 0)
        tcp_rto_syn_was_lost(&conn->rto, conn->options);
    conn->retries = 0;
    conn->sent_at_ns = now_ns;
    conn->tells_connected = true;
    conn->wants &= (uint16_t)~TCP_WANT_SYN;
    tcp_stop_timer(conn, TCP_TIMER_RETRANSMIT);
    tcp_rack_begin(conn);
    if (conn->fin_queued) { /* closed while the handshake was under way */
        tcp_enter(conn, TCP_FIN_WAIT_1);
        conn->tells_connected = false;
    } else {
        tcp_enter(conn, TCP_ESTABLISHED);
    }
    if (conn->options->keepalive_idle_ns > 0)
        tcp_set_timer(conn, TCP_TIMER_KEEPALIVE, conn->options->keepalive_idle_ns, now_ns);
    tcp_watch_user_timeout(conn, now_ns);
}

/* The end of a connection in good order. */

void tcp_time_wait(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->state != TCP_TIME_WAIT)
        tcp_enter(conn, TCP_TIME_WAIT);
    for (size_t i = 0; i < TCP_TIMER_COUNT; i++)
        conn->deadlines_ns[i] = TIME_NEVER;
    tcp_set_timer(conn, TCP_TIMER_STATE, conn->options->time_wait_ns, now_ns);
}

void tcp_fin_wait_2(struct tcp_conn *conn, int64_t now_ns)
{
    tcp_enter(conn, TCP_FIN_WAIT_2);
    if (conn->is_orphan && conn->options->fin_wait_2_ns > 0)
        tcp_set_timer(conn, TCP_TIMER_STATE, conn->options->fin_wait_2_ns, now_ns);
}

/* The user's calls. */

void tcp_conn_write(struct tcp_conn *conn, struct buf *data)
{
    bool is_deaf = conn->fin_queued || conn->state == TCP_CLOSED || conn->state == TCP_LAST_ACK ||
                   conn->state == TCP_TIME_WAIT;

    if (is_deaf) {
        buf_free(data);
        return;
    }
    tcp_send_queue_put(&conn->send, data);
    size_t room = tcp_conn_room(conn);

    conn->had_no_room |= room == 0;
    conn->had_little_room |= room < conn->options->send_buffer_bytes / 2;
}

size_t tcp_conn_room(const struct tcp_conn *conn)
{
    size_t buffer = conn->options->send_buffer_bytes;

    return conn->send.bytes < buffer ? buffer - conn->send.bytes : 0;
}

struct buf *tcp_conn_read(struct tcp_conn *conn)
{
    struct buf *data = conn->received.head;

    conn->received = (struct buf_queue){0};
    if (data)
        tcp_offer_window(conn);
    return data;
}

void tcp_conn_shut_down(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->fin_queued)
        return;
    switch (conn->state) {
    case TCP_SYN_SENT:
        tcp_end(conn, CLOSED_LOCAL);
        return;
    case TCP_ESTABLISHED:
        tcp_enter(conn, TCP_FIN_WAIT_1);
        break;
    case TCP_CLOSE_WAIT:
        tcp_enter(conn, TCP_LAST_ACK);
        break;
    case TCP_SYN_RECEIVED: /* FIN-WAIT-1 once it is established */
        break;
    case TCP_CLOSED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        return;
    }
    conn->fin_queued = true;
    tcp_watch_user_timeout(conn, now_ns);
}

void tcp_conn_close(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->received.bytes > 0) { /* what was not read is lost, and the peer shall know */
        tcp_conn_abort(conn);
        return;
    }
    conn->is_orphan = true;
    tcp_conn_shut_down(conn, now_ns);
    if (conn->state == TCP_FIN_WAIT_2 && conn->options->fin_wait_2_ns > 0)
        tcp_set_timer(conn, TCP_TIMER_STATE, conn->options->fin_wait_2_ns, now_ns);
}

void tcp_conn_abort(struct tcp_conn *conn)
{
    switch (conn->state) {
    case TCP_SYN_RECEIVED:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
        tcp_reset(conn, CLOSED_LOCAL);
        break;
    case TCP_SYN_SENT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
        tcp_end(conn, CLOSED_LOCAL);
        break;
    case TCP_CLOSED: /* a RST may still wait to be sent */
        break;
    }
}

void tcp_conn_fail(struct tcp_conn *conn, enum close_reason reason)
{
    tcp_end(conn, reason);
}

void tcp_shrink_segments(struct tcp_conn *conn, uint32_t own_mss)
{
    uint32_t mss = clamp(own_mss, MSS_LEAST, MSS_MOST);

    if (conn->own_mss > mss)
        conn->own_mss = mss;
    if (conn->has_timestamps)
        mss -= TIMESTAMPS_BYTES;
    if (conn->mss <= mss)
        return;
    conn->mss = mss;
    tcp_cc_set_mss(&conn->cc, mss);
    for (struct tcp_sent *sent = conn->send.first; sent; sent = sent->next)
        if (tcp_sent_bytes(sent) > mss)
            tcp_send_queue_mark_lost(&conn->send, sent);
}

void tcp_grow_segments(struct tcp_conn *conn, uint32_t own_mss)
{
    uint32_t mss = own_mss < conn->peer_mss ? own_mss : conn->peer_mss;

    assert(own_mss >= conn->own_mss);
    conn->own_mss = own_mss;
    conn->mss = mss - (conn->has_timestamps ? TIMESTAMPS_BYTES : 0);
    tcp_cc_set_mss(&conn->cc, conn->mss);
}

void tcp_conn_limit_mss(struct tcp_conn *conn, uint32_t mss_bytes)
{
    uint32_t mss = clamp(mss_bytes, MSS_LEAST, MSS_MOST);

    if (conn->seldom)
        tcp_mtu_limit(conn, mss);
    tcp_shrink_segments(conn, mss);
}

enum tcp_event tcp_conn_next_event(struct tcp_conn *conn)
{
    if (conn->tells_connected) {
        conn->tells_connected = false;
        return TCP_CONNECTED;
    }
    if (conn->tells_room) {
        conn->tells_room = false;
        return TCP_ROOM;
    }
    if (conn->tells_finished && conn->received.bytes == 0) {
        conn->tells_finished = false;
        return TCP_FINISHED;
    }
    if (conn->tells_ended && conn->received.bytes == 0) {
        conn->tells_ended = false;
        return TCP_ENDED;
    }
    return TCP_NOTHING;
}
