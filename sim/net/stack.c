/* The owner of a host's connections: listeners, the table of four-tuples, the NICs' lines. */
#include "sim/net/stack.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/random.h"
#include "sim/core/time.h"
#include "sim/net/fabric.h"
#include "sim/net/stack_parts.h"
#include "sim/net/stream_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#define EPHEMERAL_FIRST 49152u /* RFC 6335, 6 */
#define EPHEMERAL_COUNT 16384u
#define HALF_OPEN_MOST  1024u /* connections in SYN-RECEIVED; a SYN above that is dropped */
#define CONFIRM_NS      SECONDS(1)

static struct stack_nic *nic_record(struct stack *stack, const struct nic *nic)
{
    struct stack_nic *record;

    for (record = stack->nics; record; record = record->next) {
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

    for (listener = stack->listeners; listener; listener = listener->next) {
        if (listener->at.port == at.port &&
            (listener->at.address == at.address || listener->at.address == 0))
            return listener;
    }
    return NULL;
}

static struct stack_conn *open_conn(struct stack *stack, struct endpoint local,
                                    struct endpoint remote, const struct tcp_options *options)
{
    const struct nic *nic = ip_host_nic(stack->host, local.address);

    return stack_conn_new(stack, nic ? nic_record(stack, nic) : NULL, local, remote, options);
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
    struct stack_conn *conn = open_conn(stack, from, to, options);

    conn->stream.user = user;
    conn->core.counters->connects++;
    if (stack->is_off) {
        tcp_conn_fail(&conn->core, CLOSED_LOCAL);
        stack_conn_tell_later(conn);
    } else if (!conn->nic || !nic_is_up(conn->nic->nic) || from.port == 0 ||
               tcp_table_find(&stack->table, from, to)) {
        tcp_conn_fail(&conn->core, CLOSED_UNREACHABLE);
        stack_conn_tell_later(conn);
    } else {
        stack_conn_join_table(conn);
        tcp_conn_connect(&conn->core, stack_now_ns(stack));
        stack_conn_go_on(conn);
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
    for (listener = stack->listeners; listener; listener = listener->next) {
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

    for (listener = stack->listeners; listener; listener = next) {
        next = listener->next;
        if (listener->at.port != at.port || listener->at.address != at.address)
            continue;
        /* Whose handshake is under way finds nobody any more. */
        struct stack_conn *conn;

        for (conn = stack->conns; conn; conn = conn->next) {
            if (conn->acceptor == listener->acceptor && conn->core.state == TCP_SYN_RECEIVED) {
                tcp_conn_abort(&conn->core);
                stack_conn_tell_later(conn);
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

static struct stack *stack_of_ip(struct ip_user *user)
{
    return CONTAINER_OF(user, struct stack, ip_user);
}

/* A SYN for a listener. */
static void accept_syn(struct stack *stack, const struct listener *listener,
                       const struct tcp_segment *syn, const void *peer, struct endpoint local,
                       struct endpoint remote)
{
    if (stack->half_open_count >= HALF_OPEN_MOST)
        return;
    struct stack_conn *conn = open_conn(stack, local, remote, listener->options);

    conn->peer = peer;
    conn->acceptor = listener->acceptor;
    stack->half_open_count++;
    stack_conn_join_table(conn);
    conn->in = stream_watch_receive(stack->watch, remote, local, syn->sn);
    conn->core.counters->segments_received++;
    tcp_conn_accept(&conn->core, syn, stack_now_ns(stack));
    stack_conn_go_on(conn);
}

/* A segment of no connection. */
static void input_unknown(struct stack *stack, const struct tcp_segment *segment, const void *state,
                          struct endpoint local, struct endpoint remote)
{
    const struct listener *listener = find_listener(stack, local);
    struct tcp_segment reset;

    if (listener && (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
        accept_syn(stack, listener, segment, state, local, remote);
        return;
    }
    if (!tcp_segment_refuse(segment, &reset) || ip_host_room(stack->host, local.address) == 0)
        return;
    struct tcp_counters *counters =
        tcp_peers_counters(&stack->peers, local.address, remote.address);

    counters->resets_sent++;
    counters->segments_sent++;
    stack_transmit(stack, &reset, NULL, NULL, local.address, remote.address);
}

/* ARP may spare its requests to a peer that acknowledges what we send. */
static void confirm_neighbour(struct stack_conn *conn)
{
    int64_t now = stack_now_ns(conn->stack);

    if (now - conn->confirmed_at_ns < CONFIRM_NS)
        return;
    conn->confirmed_at_ns = now;
    ip_host_confirm(conn->stack->host, conn->stream.local.address, conn->stream.remote.address);
}

/* With many connections all of it left the cache since the last segment: its lines come together
 * instead of one after the other. */
static void fetch(const struct stack_conn *conn)
{
    for (size_t at = 64; at < sizeof(*conn); at += 64)
        __builtin_prefetch((const char *)conn + at);
    tcp_send_queue_fetch(&conn->core.send);
    __builtin_prefetch(conn->stream.user);
}

static void on_tcp(struct ip_user *user, struct frame *frame, uint32_t from, uint32_t to,
                   bool is_astray)
{
    struct stack *stack = stack_of_ip(user);
    struct tcp_segment segment;
    bool is_good =
        !stack->is_off && tcp_segment_read(frame_transport(frame), frame->transport_bytes,
                                           frame->payload_bytes, &segment);
    struct buf *payload = is_good ? frame_take_payload(frame) : NULL;
    const void *state = frame->state;

    frame_unref(frame);
    if (!is_good)
        return;
    struct endpoint local = {.address = to, .port = segment.destination_port};
    struct endpoint remote = {.address = from, .port = segment.source_port};
    struct tcp_table_entry *entry = is_astray ? NULL : tcp_table_find(&stack->table, local, remote);
    struct stack_conn *conn = entry ? CONTAINER_OF(entry, struct stack_conn, entry) : NULL;

    if (conn)
        fetch(conn);
    if (conn && tcp_conn_gives_way(&conn->core, &segment) && find_listener(stack, local) &&
        !conn->stream.user) {
        stack_conn_free(conn);
        conn = NULL;
    }
    if (!conn) {
        buf_free(payload);
        input_unknown(stack, &segment, state, local, remote);
        return;
    }
    uint32_t una = conn->core.snd_una;

    if (segment.flags & TCP_SYN)
        conn->peer = state;
    tcp_conn_input(&conn->core, &segment, payload, stack_now_ns(stack));
    if (conn->core.snd_una != una)
        confirm_neighbour(conn);
    stack_conn_serve(conn);
}

static void serve_line(struct stack *stack, struct stack_nic *record)
{
    while (record->line && ip_host_room(stack->host, record->line->stream.local.address) > 0) {
        struct stack_conn *conn = record->line;

        stack_conn_leave_line(conn);
        stack_conn_go_on(conn);
    }
}

static void on_room(struct ip_user *user, const struct nic *nic)
{
    struct stack *stack = stack_of_ip(user);

    if (!ip_host_is_routed(stack->host)) {
        serve_line(stack, nic_record(stack, nic));
        return;
    }
    /* A connection stands in the line of the NIC that it began on, and may leave by this one. */
    for (struct stack_nic *record = stack->nics; record; record = record->next)
        serve_line(stack, record);
}

static void on_carrier(struct ip_user *user, const struct nic *nic, bool is_up)
{
    struct stack *stack = stack_of_ip(user);
    struct stack_nic *record = nic_record(stack, nic);
    struct link_watch *watch;
    struct link_watch *next_watch;
    struct stack_conn *conn;

    for (watch = record->watches; watch; watch = next_watch) {
        next_watch = watch->next;
        if (!stack->is_off)
            watch->on_link(watch, is_up);
    }
    if (is_up)
        return;
    for (conn = stack->conns; conn; conn = conn->next) {
        if (conn->nic == record && conn->core.options->on_link_down == TCP_LINK_DOWN_ABORT &&
            conn->core.state != TCP_CLOSED)
            stack_conn_fail(conn, CLOSED_LINK_DOWN);
    }
}

static void on_unreachable(struct ip_user *user, uint32_t from, uint32_t to)
{
    struct stack *stack = stack_of_ip(user);
    struct stack_conn *conn;

    for (conn = stack->conns; conn; conn = conn->next) {
        if (conn->core.state == TCP_SYN_SENT && conn->stream.local.address == from &&
            conn->stream.remote.address == to)
            stack_conn_fail(conn, CLOSED_UNREACHABLE);
    }
}

static const struct ip_user_ops ip_user_ops = {
    .on_tcp = on_tcp,
    .on_room = on_room,
    .on_carrier = on_carrier,
    .on_unreachable = on_unreachable,
};

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
        stack_conn_free(stack->conns);
    for (nic = stack->nics; nic; nic = next_nic) {
        next_nic = nic->next;
        free(nic);
    }
    for (listener = stack->listeners; listener; listener = next_listener) {
        next_listener = listener->next;
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
    for (conn = stack->conns; conn; conn = conn->next) {
        stack_conn_fail(conn, CLOSED_LOCAL);
    }
    ip_host_power_off(stack->host);
}

void stack_power_on(struct stack *stack)
{
    if (!stack->is_off)
        return;
    stack->is_off = false;
    ip_host_power_on(stack->host);
}

size_t stack_connection_count(const struct stack *stack)
{
    return stack->conn_count;
}

size_t stack_stream_count(const struct stack *stack)
{
    const struct stack_conn *conn;
    size_t count = 0;

    for (conn = stack->conns; conn; conn = conn->next) {
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
