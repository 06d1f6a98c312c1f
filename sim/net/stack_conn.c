/* One connection of a host, between its core, its user and the NIC.
 *
 * Callbacks to users come only from stack_conn_serve(), which only events call: a segment, a timer.
 * What a user's call makes the core want to say to a user waits for the connection's timer, which
 * is then armed for now. A connection is freed where it is over and nobody is in the middle of
 * serving it.
 */
#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/time.h"
#include "sim/net/stack_parts.h"
#include "sim/net/stream_watch.h"

#include <utlist.h>

#define HEADERS_BYTES 40u /* IPv4 and TCP without options */

static void record_event(struct stack_conn *conn, const char *what)
{
    const struct stream *stream = &conn->stream;
    uint64_t number = hash_mix((uint64_t)stream->local.address << 32 | stream->remote.address,
                               (uint64_t)stream->local.port << 16 | stream->remote.port);
    struct stack *stack = conn->stack;

    stack->trace->ops->event(stack->trace, stack_now_ns(stack), ip_host_name(stack->host), what,
                             number);
}

void stack_conn_leave_line(struct stack_conn *conn)
{
    if (!conn->is_in_line)
        return;
    DL_DELETE2(conn->nic->line, conn, line_previous, line_next);
    conn->is_in_line = false;
}

static void leave_table(struct stack_conn *conn)
{
    if (!conn->is_in_table)
        return;
    tcp_table_remove(&conn->stack->table, &conn->entry);
    conn->is_in_table = false;
}

void stack_conn_free(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;

    assert(!conn->is_served);
    clock_cancel(stack->clock, &conn->timer);
    stack_conn_leave_line(conn);
    leave_table(conn);
    if (conn->acceptor)
        stack->half_open_count--;
    stream_way_leave(conn->out, true);
    stream_way_leave(conn->in, false);
    tcp_conn_fini(&conn->core);
    DL_DELETE(stack->conns, conn);
    stack->conn_count--;
    pool_give(stack->pool, conn, sizeof(*conn));
}

static bool is_forgotten(const struct stack_conn *conn)
{
    return tcp_conn_is_over(&conn->core) && !conn->stream.user;
}

/* The next event of the user's comes from the event loop. */
void stack_conn_tell_later(struct stack_conn *conn)
{
    clock_arm(conn->stack->clock, &conn->timer, stack_now_ns(conn->stack));
}

/* One timer for all deadlines. It is moved to an earlier one, never to a later one: it then fires
 * for nothing once per span, where each ACK would move it. */
static void arm(struct stack_conn *conn)
{
    int64_t due_ns = tcp_conn_deadline_ns(&conn->core);

    if (due_ns == TIME_NEVER || (timer_is_armed(&conn->timer) && conn->timer.at_ns <= due_ns))
        return;
    clock_arm(conn->stack->clock, &conn->timer, time_max(due_ns, stack_now_ns(conn->stack)));
}

enum ip_sent stack_transmit(struct stack *stack, const struct tcp_segment *segment,
                            struct buf *payload, const void *state, uint32_t from, uint32_t to)
{
    struct frame *frame = frame_new(stack->pool);

    frame->state = state;

    tcp_segment_write(segment,
                      frame_begin_ipv4(frame, PROTOCOL_TCP, tcp_segment_header_bytes(segment)));
    frame_set_payload(frame, payload);
    return ip_host_send(stack->host, frame, from, to);
}

static void take_result(struct stack_conn *conn, enum ip_sent sent)
{
    switch (sent) {
    case IP_TOO_BIG: /* the MTU is smaller than it was */
        tcp_conn_limit_mss(&conn->core,
                           ip_host_mtu_bytes(conn->stack->host, conn->stream.local.address) -
                               HEADERS_BYTES);
        break;
    case IP_UNREACHABLE: /* the route is missing, which only a connect is told */
        if (conn->core.state == TCP_SYN_SENT) {
            tcp_conn_fail(&conn->core, CLOSED_UNREACHABLE);
            stack_conn_tell_later(conn);
        }
        break;
    case IP_SENT:
    case IP_NO_ROOM:    /* it is lost, as in a queue that overflowed */
    case IP_NO_CARRIER: /* it is lost, as on a cable that was pulled */
        break;
    }
}

/* Sends what the core has as long as the NIC takes it; then the connection stands in line. */
static void send_all(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;
    uint32_t room = 0;

    if (conn->is_in_line || !conn->nic)
        return;
    for (;;) {
        struct tcp_segment segment;
        struct buf *payload;

        if (room == 0) {
            room = ip_host_room(stack->host, conn->stream.local.address);
            if (room == 0) {
                DL_APPEND2(conn->nic->line, conn, line_previous, line_next);
                conn->is_in_line = true;
                return;
            }
        }
        if (!tcp_conn_output(&conn->core, &segment, &payload, stack_now_ns(stack)))
            return;
        room--;
        segment.source_port = conn->stream.local.port;
        segment.destination_port = conn->stream.remote.port;
        take_result(conn, stack_transmit(stack, &segment, payload,
                                         segment.flags & TCP_SYN ? conn : conn->peer,
                                         conn->stream.local.address, conn->stream.remote.address));
    }
}

/* After a call of the user's: no callback comes of it. */
void stack_conn_go_on(struct stack_conn *conn)
{
    if (conn->is_served)
        return;
    send_all(conn);
    if (is_forgotten(conn))
        stack_conn_free(conn);
    else
        arm(conn);
}

/* The user hears no more. */
static struct stream_user *take_user(struct stack_conn *conn)
{
    struct stream_user *user = conn->stream.user;

    conn->stream.user = NULL;
    return user;
}

static void tell_connected(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;

    stream_way_connected(conn->out);
    if (!conn->in)
        conn->in = stream_watch_receive(stack->watch, conn->stream.remote, conn->stream.local,
                                        conn->core.irs);
    record_event(conn, "tcp connected");
    if (conn->core.is_active) {
        conn->stream.user->ops->on_connected(conn->stream.user);
        return;
    }
    struct acceptor *acceptor = conn->acceptor;

    conn->acceptor = NULL;
    stack->half_open_count--;
    conn->stream.user = acceptor->on_accept(acceptor, &conn->stream);
    if (conn->stream.user)
        conn->core.counters->accepts++;
    else
        tcp_conn_abort(&conn->core);
}

static void tell_event(struct stack_conn *conn, enum tcp_event event)
{
    struct stream_user *user;

    switch (event) {
    case TCP_NOTHING:
        break;
    case TCP_CONNECTED:
        if (conn->stream.user || conn->acceptor)
            tell_connected(conn);
        break;
    case TCP_ROOM:
        if (conn->stream.user)
            conn->stream.user->ops->on_space(conn->stream.user);
        break;
    case TCP_FINISHED: /* what is still queued is sent, then our FIN */
        stream_way_finished(conn->in);
        user = take_user(conn);
        tcp_conn_close(&conn->core, stack_now_ns(conn->stack));
        if (user) {
            record_event(conn, close_reason_word(CLOSED_FIN));
            user->ops->on_closed(user, CLOSED_FIN);
        }
        break;
    case TCP_ENDED:
        leave_table(conn);
        if (conn->core.reason == CLOSED_RST)
            stream_way_reset(conn->in);
        user = take_user(conn);
        if (user) {
            record_event(conn, close_reason_word(conn->core.reason));
            user->ops->on_closed(user, conn->core.reason);
        }
        break;
    }
}

static void deliver(struct stack_conn *conn)
{
    struct buf *data = tcp_conn_read(&conn->core);

    if (conn->in)
        stream_way_delivered(conn->in, data);
    conn->stream.user->ops->on_data(conn->stream.user, data);
}

/* From an event: tells, sends, arms. The connection may be gone afterwards. */
void stack_conn_serve(struct stack_conn *conn)
{
    assert(!conn->is_served);
    conn->is_served = true;
    for (;;) {
        enum tcp_event event = tcp_conn_next_event(&conn->core);

        if (event != TCP_NOTHING)
            tell_event(conn, event);
        else if (conn->stream.user && !conn->is_paused && tcp_conn_has_data(&conn->core))
            deliver(conn);
        else
            break;
    }
    conn->is_served = false;
    stack_conn_go_on(conn);
}

static void on_timer(struct timer *timer)
{
    struct stack_conn *conn = CONTAINER_OF(timer, struct stack_conn, timer);

    tcp_conn_wake(&conn->core, stack_now_ns(conn->stack));
    stack_conn_serve(conn);
}

/* Ends a connection without a segment; its user hears of it in an event of its own. */
void stack_conn_fail(struct stack_conn *conn, enum close_reason reason)
{
    tcp_conn_fail(&conn->core, reason);
    leave_table(conn);
    stack_conn_leave_line(conn);
    stack_conn_tell_later(conn);
}

static struct stack_conn *conn_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct stack_conn, stream);
}

static void stream_op_write(struct stream *stream, struct buf *data)
{
    struct stack_conn *conn = conn_of(stream);

    if (conn->out)
        stream_way_written(conn->out, data);
    tcp_conn_write(&conn->core, data);
    stack_conn_go_on(conn);
}

static size_t stream_op_room(const struct stream *stream)
{
    const struct stack_conn *conn =
        (const struct stack_conn *)((const char *)stream - offsetof(struct stack_conn, stream));

    return tcp_conn_room(&conn->core);
}

static void stream_op_pause(struct stream *stream)
{
    conn_of(stream)->is_paused = true;
}

static void stream_op_resume(struct stream *stream)
{
    struct stack_conn *conn = conn_of(stream);

    conn->is_paused = false;
    if (tcp_conn_has_data(&conn->core))
        stack_conn_tell_later(conn);
}

static void stream_op_close(struct stream *stream)
{
    struct stack_conn *conn = conn_of(stream);

    take_user(conn);
    tcp_conn_close(&conn->core, stack_now_ns(conn->stack));
    stack_conn_go_on(conn);
}

static void stream_op_abort(struct stream *stream)
{
    struct stack_conn *conn = conn_of(stream);

    take_user(conn);
    tcp_conn_abort(&conn->core);
    stack_conn_go_on(conn);
}

static const struct stream_ops stream_ops = {
    .write = stream_op_write,
    .room = stream_op_room,
    .pause = stream_op_pause,
    .resume = stream_op_resume,
    .close = stream_op_close,
    .abort = stream_op_abort,
};

struct stack_conn *stack_conn_new(struct stack *stack, struct stack_nic *nic, struct endpoint local,
                                  struct endpoint remote, const struct tcp_options *options)
{
    struct stack_conn *conn = pool_take(stack->pool, sizeof(*conn));
    uint64_t tuple =
        hash_mix(hash_mix(stack->secret, (uint64_t)local.address << 32 | remote.address),
                 (uint64_t)local.port << 16 | remote.port);
    uint32_t mtu_bytes = ip_host_mtu_bytes(stack->host, local.address);
    struct tcp_conn_config config = {
        .pool = stack->pool,
        .options = options,
        .counters = tcp_peers_counters(&stack->peers, local.address, remote.address),
        /* RFC 6528, 3: a clock of 4 us and a secret function of the four-tuple, so that the next
         * connection between the same ports begins above this one. */
        .first_sn = (uint32_t)(stack_now_ns(stack) / US(4)) + (uint32_t)tuple,
        .ts_offset = (uint32_t)(tuple >> 32),
        .mss_bytes = mtu_bytes > HEADERS_BYTES ? mtu_bytes - HEADERS_BYTES : 0,
        .planted = ip_host_planted(stack->host),
    };

    tcp_conn_init(&conn->core, &config);
    conn->stream = (struct stream){.ops = &stream_ops, .local = local, .remote = remote};
    conn->stack = stack;
    conn->nic = nic;
    conn->confirmed_at_ns = INT64_MIN / 2;
    timer_init(&conn->timer, on_timer);
    DL_APPEND(stack->conns, conn);
    stack->conn_count++;
    return conn;
}

void stack_conn_join_table(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;

    tcp_table_add(&stack->table, &conn->entry, conn->stream.local, conn->stream.remote);
    conn->is_in_table = true;
    conn->out =
        stream_watch_send(stack->watch, conn->stream.local, conn->stream.remote, conn->core.iss);
}
