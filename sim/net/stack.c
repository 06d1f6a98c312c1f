/* The owner of a host's connections: joins the TCP core to the clock, to IPv4 and to the users.
 *
 * Callbacks to users come only from serve(), which only events call: a segment, a timer, room at
 * the NIC. What a user's call makes the core want to say to a user waits for the connection's
 * timer, which is then armed for now. A connection is freed where it is over and nobody is in the
 * middle of serving it.
 */
#include "sim/net/stack.h"

#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/core/random.h"
#include "sim/core/time.h"
#include "sim/net/fabric.h"
#include "sim/net/stream_watch.h"
#include "sim/net/tcp_conn.h"
#include "sim/net/tcp_peers.h"
#include "sim/net/tcp_table.h"

#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#define EPHEMERAL_FIRST 49152u /* RFC 6335, 6 */
#define EPHEMERAL_COUNT 16384u
#define HALF_OPEN_MOST  1024u /* connections in SYN-RECEIVED; a SYN above that is dropped */
#define CONFIRM_NS      SECONDS(1)
#define HEADERS_BYTES   40u /* IPv4 and TCP without options */

/* A local NIC: whose carrier is watched, and who stands in line for its room. */
struct stack_nic {
    struct stack_nic *next;
    const struct nic *nic;
    struct link_watch *watches; /* borrowed */
    struct stack_conn *line;    /* borrowed */
};

struct listener {
    struct listener *next;
    struct endpoint at;
    const struct tcp_options *options; /* borrowed, as the acceptor */
    struct acceptor *acceptor;
};

struct stack_conn {
    struct stream stream; /* user: NULL while it has none, or no longer */
    struct tcp_conn core;
    struct timer timer;
    struct stack *stack;
    struct stack_nic *nic; /* NULL: it failed before it had one */
    struct stream_way *out;
    struct stream_way *in;
    struct acceptor *acceptor; /* of a connection that is not established yet */
    struct tcp_table_entry entry;
    struct stack_conn *prev; /* in the list of all; named as utlist wants it */
    struct stack_conn *next;
    struct stack_conn *line_previous;
    struct stack_conn *line_next;
    int64_t confirmed_at_ns; /* when ARP heard last that the peer is alive */
    bool is_in_table;
    bool is_in_line;
    bool is_paused;
    bool is_served; /* serve() is under way and sees to the rest */
};
static_assert(sizeof(struct stack_conn) <= 1024, "a connection is a block of the pool");

struct stack {
    struct net net;
    struct ip_user ip_user;
    struct ip_host *host;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct stream_watch *watch;
    struct stack_nic *nics;     /* owned */
    struct listener *listeners; /* owned */
    struct stack_conn *conns;   /* owned */
    struct tcp_table table;
    struct tcp_peers peers;
    size_t conn_count;
    size_t half_open_count;
    uint64_t secret; /* of initial sequence numbers (RFC 6528) */
    uint32_t next_ephemeral;
    bool is_off;
};

static int64_t now_ns(const struct stack *stack)
{
    return clock_now_ns(stack->clock);
}

static struct stack_nic *nic_record(struct stack *stack, const struct nic *nic)
{
    struct stack_nic *record;

    LL_FOREACH(stack->nics, record)
    {
        if (record->nic == nic)
            return record;
    }
    record = mem_new(sizeof(*record));
    record->nic = nic;
    LL_APPEND(stack->nics, record);
    return record;
}

static struct listener *find_listener(const struct stack *stack, struct endpoint at)
{
    struct listener *listener;

    LL_FOREACH(stack->listeners, listener)
    {
        if (listener->at.port == at.port &&
            (listener->at.address == at.address || listener->at.address == 0))
            return listener;
    }
    return NULL;
}

static void record_event(struct stack_conn *conn, const char *what)
{
    const struct stream *stream = &conn->stream;
    uint64_t number = hash_mix((uint64_t)stream->local.address << 32 | stream->remote.address,
                               (uint64_t)stream->local.port << 16 | stream->remote.port);
    struct stack *stack = conn->stack;

    stack->trace->ops->event(stack->trace, now_ns(stack), ip_host_name(stack->host), what, number);
}

/* -- Life of a connection ------------------------------------------------------------------------
 */

static void leave_line(struct stack_conn *conn)
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

static void free_conn(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;

    assert(!conn->is_served);
    clock_cancel(stack->clock, &conn->timer);
    leave_line(conn);
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
static void tell_later(struct stack_conn *conn)
{
    clock_arm(conn->stack->clock, &conn->timer, now_ns(conn->stack));
}

/* One timer for all deadlines. It is moved to an earlier one, never to a later one: it then fires
 * for nothing once per span, where each ACK would move it. */
static void arm(struct stack_conn *conn)
{
    int64_t due_ns = tcp_conn_deadline_ns(&conn->core);

    if (due_ns == TIME_NEVER || (timer_is_armed(&conn->timer) && conn->timer.at_ns <= due_ns))
        return;
    clock_arm(conn->stack->clock, &conn->timer, time_max(due_ns, now_ns(conn->stack)));
}

/* -- Sending
 * --------------------------------------------------------------------------------------- */

static enum ip_sent transmit(struct stack *stack, const struct tcp_segment *segment,
                             struct buf *payload, uint32_t from, uint32_t to)
{
    struct frame *frame = frame_new(stack->pool);

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
            tell_later(conn);
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
        if (!tcp_conn_output(&conn->core, &segment, &payload, now_ns(stack)))
            return;
        room--;
        segment.source_port = conn->stream.local.port;
        segment.destination_port = conn->stream.remote.port;
        take_result(conn, transmit(stack, &segment, payload, conn->stream.local.address,
                                   conn->stream.remote.address));
    }
}

/* After a call of the user's: no callback comes of it. */
static void go_on(struct stack_conn *conn)
{
    if (conn->is_served)
        return;
    send_all(conn);
    if (is_forgotten(conn))
        free_conn(conn);
    else
        arm(conn);
}

/* -- Telling the users
 * ------------------------------------------------------------------------------ */

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
        tcp_conn_close(&conn->core, now_ns(conn->stack));
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
static void serve(struct stack_conn *conn)
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
    go_on(conn);
}

static void on_timer(struct timer *timer)
{
    struct stack_conn *conn = CONTAINER_OF(timer, struct stack_conn, timer);

    tcp_conn_wake(&conn->core, now_ns(conn->stack));
    serve(conn);
}

/* -- What a user may do with a stream -------------------------------------------------------------
 */

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
    go_on(conn);
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
        tell_later(conn);
}

static void stream_op_close(struct stream *stream)
{
    struct stack_conn *conn = conn_of(stream);

    take_user(conn);
    tcp_conn_close(&conn->core, now_ns(conn->stack));
    go_on(conn);
}

static void stream_op_abort(struct stream *stream)
{
    struct stack_conn *conn = conn_of(stream);

    take_user(conn);
    tcp_conn_abort(&conn->core);
    go_on(conn);
}

static const struct stream_ops stream_ops = {
    .write = stream_op_write,
    .room = stream_op_room,
    .pause = stream_op_pause,
    .resume = stream_op_resume,
    .close = stream_op_close,
    .abort = stream_op_abort,
};

/* -- Opening
 * ------------------------------------------------------------------------------------------ */

static struct stack_conn *new_conn(struct stack *stack, struct endpoint local,
                                   struct endpoint remote, const struct tcp_options *options)
{
    struct stack_conn *conn = pool_take(stack->pool, sizeof(*conn));
    const struct nic *nic = ip_host_nic(stack->host, local.address);
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
        .first_sn = (uint32_t)(now_ns(stack) / US(4)) + (uint32_t)tuple,
        .ts_offset = (uint32_t)(tuple >> 32),
        .mss_bytes = mtu_bytes > HEADERS_BYTES ? mtu_bytes - HEADERS_BYTES : 0,
        .planted = ip_host_planted(stack->host),
    };

    tcp_conn_init(&conn->core, &config);
    conn->stream = (struct stream){.ops = &stream_ops, .local = local, .remote = remote};
    conn->stack = stack;
    conn->nic = nic ? nic_record(stack, nic) : NULL;
    conn->confirmed_at_ns = INT64_MIN / 2;
    timer_init(&conn->timer, on_timer);
    DL_APPEND(stack->conns, conn);
    stack->conn_count++;
    return conn;
}

static void join_table(struct stack_conn *conn)
{
    struct stack *stack = conn->stack;

    tcp_table_add(&stack->table, &conn->entry, conn->stream.local, conn->stream.remote);
    conn->is_in_table = true;
    conn->out =
        stream_watch_send(stack->watch, conn->stream.local, conn->stream.remote, conn->core.iss);
}

/* A free port for this pair; 0: all are in use. */
static uint16_t choose_port(struct stack *stack, struct endpoint local, struct endpoint remote)
{
    for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
        local.port = (uint16_t)(EPHEMERAL_FIRST + stack->next_ephemeral);
        stack->next_ephemeral = (stack->next_ephemeral + 1) % EPHEMERAL_COUNT;
        if (!find_listener(stack, local) && !tcp_table_find(&stack->table, local, remote))
            return local.port;
    }
    return 0;
}

static struct stack *stack_of(struct net *net)
{
    return CONTAINER_OF(net, struct stack, net);
}

static struct stream *net_op_connect(struct net *net, struct endpoint from, struct endpoint to,
                                     const struct tcp_options *options, struct stream_user *user)
{
    struct stack *stack = stack_of(net);

    if (from.port == 0)
        from.port = choose_port(stack, from, to);
    struct stack_conn *conn = new_conn(stack, from, to, options);

    conn->stream.user = user;
    conn->core.counters->connects++;
    if (stack->is_off) {
        tcp_conn_fail(&conn->core, CLOSED_LOCAL);
        tell_later(conn);
    } else if (!conn->nic || !nic_is_up(conn->nic->nic) || from.port == 0 ||
               tcp_table_find(&stack->table, from, to)) {
        tcp_conn_fail(&conn->core, CLOSED_UNREACHABLE);
        tell_later(conn);
    } else {
        join_table(conn);
        tcp_conn_connect(&conn->core, now_ns(stack));
        go_on(conn);
    }
    return &conn->stream;
}

static bool net_op_listen(struct net *net, struct endpoint at, const struct tcp_options *options,
                          struct acceptor *acceptor)
{
    struct stack *stack = stack_of(net);
    struct listener *listener;

    if (at.port == 0 || (at.address != 0 && !ip_host_is_local(stack->host, at.address)))
        return false;
    LL_FOREACH(stack->listeners, listener)
    {
        if (listener->at.port != at.port || listener->at.address != at.address)
            continue;
        if (listener->acceptor != acceptor)
            return false;
        listener->options = options;
        return true;
    }
    listener = mem_new(sizeof(*listener));
    *listener = (struct listener){.at = at, .options = options, .acceptor = acceptor};
    if (at.address != 0) /* an exact address is found before any address */
        LL_PREPEND(stack->listeners, listener);
    else
        LL_APPEND(stack->listeners, listener);
    return true;
}

void stack_unlisten(struct stack *stack, struct endpoint at)
{
    struct listener *listener;
    struct listener *next;

    LL_FOREACH_SAFE(stack->listeners, listener, next)
    {
        if (listener->at.port != at.port || listener->at.address != at.address)
            continue;
        /* Whose handshake is under way finds nobody any more. */
        struct stack_conn *conn;

        DL_FOREACH(stack->conns, conn)
        {
            if (conn->acceptor == listener->acceptor && conn->core.state == TCP_SYN_RECEIVED) {
                tcp_conn_abort(&conn->core);
                tell_later(conn);
            }
        }
        LL_DELETE(stack->listeners, listener);
        free(listener);
    }
}

static bool net_op_is_link_up(const struct net *net, uint32_t address)
{
    const struct stack *stack =
        (const struct stack *)((const char *)net - offsetof(struct stack, net));
    const struct nic *nic = ip_host_nic(stack->host, address);

    return nic && nic_is_up(nic);
}

static void net_op_watch_link(struct net *net, uint32_t address, struct link_watch *watch)
{
    struct stack *stack = stack_of(net);
    const struct nic *nic = ip_host_nic(stack->host, address);

    if (!nic)
        return;
    struct stack_nic *record = nic_record(stack, nic);

    watch->next = NULL;
    LL_APPEND(record->watches, watch);
}

static const struct net_ops net_ops = {
    .connect = net_op_connect,
    .listen = net_op_listen,
    .is_link_up = net_op_is_link_up,
    .watch_link = net_op_watch_link,
};

/* -- What comes from IPv4
 * ------------------------------------------------------------------------------ */

static struct stack *stack_of_ip(struct ip_user *user)
{
    return CONTAINER_OF(user, struct stack, ip_user);
}

/* A SYN for a listener. */
static void accept_syn(struct stack *stack, const struct listener *listener,
                       const struct tcp_segment *syn, struct endpoint local, struct endpoint remote)
{
    if (stack->half_open_count >= HALF_OPEN_MOST)
        return;
    struct stack_conn *conn = new_conn(stack, local, remote, listener->options);

    conn->acceptor = listener->acceptor;
    stack->half_open_count++;
    join_table(conn);
    conn->in = stream_watch_receive(stack->watch, remote, local, syn->sn);
    conn->core.counters->segments_received++;
    tcp_conn_accept(&conn->core, syn, now_ns(stack));
    go_on(conn);
}

/* A segment of no connection. */
static void input_unknown(struct stack *stack, const struct tcp_segment *segment,
                          struct endpoint local, struct endpoint remote)
{
    const struct listener *listener = find_listener(stack, local);
    struct tcp_segment reset;

    if (listener && (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
        accept_syn(stack, listener, segment, local, remote);
        return;
    }
    if (!tcp_segment_refuse(segment, &reset) || ip_host_room(stack->host, local.address) == 0)
        return;
    struct tcp_counters *counters =
        tcp_peers_counters(&stack->peers, local.address, remote.address);

    counters->resets_sent++;
    counters->segments_sent++;
    transmit(stack, &reset, NULL, local.address, remote.address);
}

/* ARP may spare its requests to a peer that acknowledges what we send. */
static void confirm_neighbour(struct stack_conn *conn)
{
    int64_t now = now_ns(conn->stack);

    if (now - conn->confirmed_at_ns < CONFIRM_NS)
        return;
    conn->confirmed_at_ns = now;
    ip_host_confirm(conn->stack->host, conn->stream.local.address, conn->stream.remote.address);
}

static void on_tcp(struct ip_user *user, struct frame *frame, uint32_t from, uint32_t to)
{
    struct stack *stack = stack_of_ip(user);
    struct tcp_segment segment;
    bool is_good =
        !stack->is_off && tcp_segment_read(frame_transport(frame), frame->transport_bytes,
                                           frame->payload_bytes, &segment);
    struct buf *payload = is_good ? frame_take_payload(frame) : NULL;

    frame_unref(frame);
    if (!is_good)
        return;
    struct endpoint local = {.address = to, .port = segment.destination_port};
    struct endpoint remote = {.address = from, .port = segment.source_port};
    struct tcp_table_entry *entry = tcp_table_find(&stack->table, local, remote);
    struct stack_conn *conn = entry ? CONTAINER_OF(entry, struct stack_conn, entry) : NULL;

    if (conn && tcp_conn_gives_way(&conn->core, &segment) && find_listener(stack, local) &&
        !conn->stream.user) {
        free_conn(conn);
        conn = NULL;
    }
    if (!conn) {
        buf_free(payload);
        input_unknown(stack, &segment, local, remote);
        return;
    }
    uint32_t una = conn->core.snd_una;

    tcp_conn_input(&conn->core, &segment, payload, now_ns(stack));
    if (conn->core.snd_una != una)
        confirm_neighbour(conn);
    serve(conn);
}

static void on_room(struct ip_user *user, const struct nic *nic)
{
    struct stack *stack = stack_of_ip(user);
    struct stack_nic *record = nic_record(stack, nic);

    while (record->line && ip_host_room(stack->host, record->line->stream.local.address) > 0) {
        struct stack_conn *conn = record->line;

        leave_line(conn);
        go_on(conn);
    }
}

/* Ends a connection without a segment; its user hears of it in an event of its own. */
static void fail(struct stack_conn *conn, enum close_reason reason)
{
    tcp_conn_fail(&conn->core, reason);
    leave_table(conn);
    leave_line(conn);
    tell_later(conn);
}

static void on_carrier(struct ip_user *user, const struct nic *nic, bool is_up)
{
    struct stack *stack = stack_of_ip(user);
    struct stack_nic *record = nic_record(stack, nic);
    struct link_watch *watch;
    struct link_watch *next_watch;
    struct stack_conn *conn;

    if (!stack->is_off)
        LL_FOREACH_SAFE(record->watches, watch, next_watch)
        {
            watch->on_link(watch, is_up);
        }
    if (is_up)
        return;
    DL_FOREACH(stack->conns, conn)
    {
        if (conn->nic == record && conn->core.options->on_link_down == TCP_LINK_DOWN_ABORT &&
            conn->core.state != TCP_CLOSED)
            fail(conn, CLOSED_LINK_DOWN);
    }
}

static void on_unreachable(struct ip_user *user, uint32_t from, uint32_t to)
{
    struct stack *stack = stack_of_ip(user);
    struct stack_conn *conn;

    DL_FOREACH(stack->conns, conn)
    {
        if (conn->core.state == TCP_SYN_SENT && conn->stream.local.address == from &&
            conn->stream.remote.address == to)
            fail(conn, CLOSED_UNREACHABLE);
    }
}

static const struct ip_user_ops ip_user_ops = {
    .on_tcp = on_tcp,
    .on_room = on_room,
    .on_carrier = on_carrier,
    .on_unreachable = on_unreachable,
};

/* -- Life of the stack
 * ------------------------------------------------------------------------------------ */

struct stack *stack_new(struct ip_host *host, struct stream_watch *watch)
{
    struct stack *stack = mem_new(sizeof(*stack));
    struct random random;
    char name[128];

    snprintf(name, sizeof(name), "%s tcp", ip_host_name(host));
    random_init(&random, ip_host_seed(host), name);
    *stack = (struct stack){
        .net = {.ops = &net_ops},
        .ip_user = {.ops = &ip_user_ops},
        .host = host,
        .clock = ip_host_clock(host),
        .pool = ip_host_pool(host),
        .trace = ip_host_trace(host),
        .watch = watch,
        .secret = random_next(&random),
        .next_ephemeral = (uint32_t)random_below(&random, EPHEMERAL_COUNT),
    };
    tcp_table_init(&stack->table);
    tcp_peers_init(&stack->peers);
    ip_host_set_tcp(host, &stack->ip_user);
    return stack;
}

void stack_free(struct stack *stack)
{
    struct stack_nic *nic;
    struct stack_nic *next_nic;
    struct listener *listener;
    struct listener *next_listener;

    if (!stack)
        return;
    while (stack->conns)
        free_conn(stack->conns);
    LL_FOREACH_SAFE(stack->nics, nic, next_nic)
    {
        free(nic);
    }
    LL_FOREACH_SAFE(stack->listeners, listener, next_listener)
    {
        free(listener);
    }
    ip_host_set_tcp(stack->host, NULL);
    tcp_table_fini(&stack->table);
    tcp_peers_fini(&stack->peers);
    free(stack);
}

struct net *stack_net(struct stack *stack)
{
    return &stack->net;
}

void stack_power_off(struct stack *stack)
{
    struct stack_conn *conn;

    if (stack->is_off)
        return;
    stack->is_off = true;
    DL_FOREACH(stack->conns, conn)
    {
        fail(conn, CLOSED_LOCAL);
    }
    ip_host_reset(stack->host);
}

void stack_power_on(struct stack *stack)
{
    stack->is_off = false;
}

size_t stack_connection_count(const struct stack *stack)
{
    return stack->conn_count;
}

size_t stack_stream_count(const struct stack *stack)
{
    const struct stack_conn *conn;
    size_t count = 0;

    DL_FOREACH(stack->conns, conn)
    {
        count += conn->stream.user != NULL;
    }
    return count;
}

struct tcp_counters stack_counters(const struct stack *stack, uint32_t local, uint32_t remote)
{
    return tcp_peers_sum(&stack->peers, local, remote);
}

void stack_count(const struct stack *stack, struct counter_sink *sink)
{
    struct tcp_counters sum = tcp_peers_sum(&stack->peers, 0, 0);
    const char *part = ip_host_name(stack->host);

#define X(member, word)                                                                            \
    if (sum.member > 0)                                                                            \
        sink->count(sink, part, word, sum.member);
    TCP_COUNTERS(X)
#undef X
}
