/* The timers of a connection, and what it does when one expires: sends again, probes, gives up. */
#include "sim/core/time.h"
#include "sim/core/timer_granularity.h"
#include "sim/net/tcp_parts.h"

void tcp_set_timer(struct tcp_conn *conn, enum tcp_timer timer, int64_t span_ns, int64_t now_ns)
{
    conn->deadlines_ns[timer] = timer_granularity_fire_ns(
        now_ns, span_ns, conn->options->timer_tick_ns, conn->options->timer_wheel);
}

int64_t tcp_conn_deadline_ns(const struct tcp_conn *conn)
{
    int64_t first_ns = conn->deadlines_ns[0];

    for (size_t i = 1; i < TCP_TIMER_COUNT; i++)
        first_ns = time_min(first_ns, conn->deadlines_ns[i]);
    return first_ns;
}

/* Since when the peer owes an answer: to SYN, to data, or for the room to send any; TIME_NEVER: it
 * owes none. */
static int64_t unanswered_since_ns(const struct tcp_conn *conn)
{
    if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED)
        return conn->opened_at_ns;
    if (conn->send.first)
        return time_min(conn->send.first->first_sent_at_ns, conn->blocked_at_ns);
    return conn->blocked_at_ns;
}

void tcp_watch_user_timeout(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->options->user_timeout_ns == 0)
        return;
    int64_t since_ns = unanswered_since_ns(conn);

    if (since_ns == TIME_NEVER || conn->state == TCP_CLOSED || conn->state == TCP_TIME_WAIT) {
        tcp_stop_timer(conn, TCP_TIMER_USER);
        return;
    }
    int64_t due_ns = time_after(since_ns, conn->options->user_timeout_ns);

    tcp_set_timer(conn, TCP_TIMER_USER, time_max(due_ns - now_ns, 0), now_ns);
}

static void user_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    int64_t since_ns = unanswered_since_ns(conn);

    if (since_ns == TIME_NEVER || now_ns - since_ns < conn->options->user_timeout_ns) {
        tcp_watch_user_timeout(conn, now_ns);
        return;
    }
    conn->counters->closed_by_limit++;
    if (conn->state == TCP_SYN_SENT)
        tcp_end(conn, CLOSED_USER_TIMEOUT);
    else
        tcp_reset(conn, CLOSED_USER_TIMEOUT);
}

/* Two ways to count. After so many retransmissions, as RFC 1122 and Windows do: the peer then gets
 * a RST. Or at the first timeout that long after the first unanswered send, as Linux reads
 * tcp_retries2: in silence. Returns whether the connection is given up. */
static bool give_up(struct tcp_conn *conn, int64_t since_ns, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;
    bool is_over_count =
        options->data_retransmissions > 0 && conn->retries >= options->data_retransmissions;
    bool is_over_span = options->give_up_after_ns > 0 && since_ns != TIME_NEVER &&
                        now_ns - since_ns >= options->give_up_after_ns;

    if (!is_over_count && !is_over_span)
        return false;
    conn->counters->closed_by_limit++;
    if (is_over_count)
        tcp_reset(conn, CLOSED_RETRANSMISSION_LIMIT);
    else
        tcp_end(conn, CLOSED_RETRANSMISSION_LIMIT);
    return true;
}

static void back_off(struct tcp_conn *conn, int64_t now_ns)
{
    bool is_linear =
        conn->state == TCP_SYN_SENT && conn->retries < conn->options->syn_linear_timeouts;

    conn->retries++;
    if (!is_linear)
        conn->rto.backoff++;
    tcp_set_rto(conn, now_ns);
}

static void syn_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;
    uint32_t most = conn->state == TCP_SYN_SENT
                        ? options->syn_retransmissions + options->syn_linear_timeouts
                        : options->synack_retransmissions;

    conn->counters->timeouts++;
    if (conn->retries >= most) {
        conn->counters->closed_by_limit++;
        tcp_end(conn, CLOSED_RETRANSMISSION_LIMIT);
        return;
    }
    conn->wants |= TCP_WANT_SYN;
    back_off(conn, now_ns);
}

/* The persist timer (RFC 9293, 3.8.6.1): a peer that answers may keep its window closed for ever.
 */
static void probe_window(struct tcp_conn *conn, int64_t now_ns)
{
    if (give_up(conn, conn->stalled_at_ns, now_ns))
        return;
    if (conn->stalled_at_ns == TIME_NEVER)
        conn->stalled_at_ns = now_ns;
    conn->wants |= conn->snd_wnd > 0 ? TCP_WANT_OVERRIDE : TCP_WANT_WINDOW_PROBE;
    back_off(conn, now_ns);
}

static void retransmission_timed_out(struct tcp_conn *conn, int64_t now_ns)
{
    if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED) {
        syn_timed_out(conn, now_ns);
        return;
    }
    if (conn->is_probing) {
        probe_window(conn, now_ns);
        return;
    }
    if (!conn->send.first)
        return;
    if (conn->pending == TCP_PENDING_PROBE) {
        tcp_probe_timed_out(conn, now_ns);
        return;
    }
    if (conn->pending == TCP_PENDING_REORDERING) {
        tcp_rack_timed_out(conn, now_ns);
        return;
    }
    conn->counters->timeouts++;
    if (give_up(conn, conn->retries > 0 ? conn->first_timeout_at_ns : TIME_NEVER, now_ns))
        return;
    tcp_mtu_timed_out(conn, now_ns);
    tcp_recovery_timed_out(conn, now_ns);
    back_off(conn, now_ns);
}

static void keep_alive(struct tcp_conn *conn, int64_t now_ns)
{
    const struct tcp_options *options = conn->options;
    int64_t quiet_ns = now_ns - conn->heard_at_ns;

    if (quiet_ns < options->keepalive_idle_ns) {
        conn->keepalives = 0;
        tcp_set_timer(conn, TCP_TIMER_KEEPALIVE, options->keepalive_idle_ns - quiet_ns, now_ns);
        return;
    }
    if (tcp_conn_flight(conn) > 0 || conn->is_probing) { /* other timers watch already */
        tcp_set_timer(conn, TCP_TIMER_KEEPALIVE, options->keepalive_idle_ns, now_ns);
        return;
    }
    if (conn->keepalives >= options->keepalive_probes) {
        conn->counters->closed_by_limit++;
        tcp_reset(conn, CLOSED_RETRANSMISSION_LIMIT);
        return;
    }
    conn->keepalives++;
    conn->wants |= TCP_WANT_KEEPALIVE;
    tcp_set_timer(conn, TCP_TIMER_KEEPALIVE, options->keepalive_interval_ns, now_ns);
}

static void expire(struct tcp_conn *conn, enum tcp_timer timer, int64_t now_ns)
{
    switch (timer) {
    case TCP_TIMER_RETRANSMIT:
        retransmission_timed_out(conn, now_ns);
        break;
    case TCP_TIMER_DELAYED_ACK:
        conn->wants |= TCP_WANT_ACK;
        break;
    case TCP_TIMER_KEEPALIVE:
        keep_alive(conn, now_ns);
        break;
    case TCP_TIMER_STATE:
        tcp_end(conn, CLOSED_FIN);
        break;
    case TCP_TIMER_USER:
        user_timed_out(conn, now_ns);
        break;
    case TCP_TIMER_MERGE:
        tcp_merge_flush(conn, now_ns);
        break;
    case TCP_TIMER_COUNT:
        break;
    }
}

void tcp_conn_wake(struct tcp_conn *conn, int64_t now_ns)
{
    for (size_t i = 0; i < TCP_TIMER_COUNT; i++) {
        if (conn->deadlines_ns[i] > now_ns)
            continue;
        tcp_stop_timer(conn, (enum tcp_timer)i);
        expire(conn, (enum tcp_timer)i, now_ns);
    }
}
