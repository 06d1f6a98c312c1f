/* One fabric on which kernels and our Linux profile talk to a peer, and then the peer falls silent.
 *
 *     timers_peer PCAP SECONDS TICK-NS SYN-RETRIES SYN-LINEAR TAP-1 TAP-2
 *
 *   k1 (TAP) 172.16.9.1 --+
 *   k2 (TAP) 172.16.9.4 --+-- switch -- peer 172.16.9.3: takes all on port 7001
 *   lab      172.16.9.2 --+
 *
 * 'lab' has the TCP of a host of topologies/linux-two-switch.yaml, with the settings of the running
 * kernel where those differ from kernel to kernel. It opens its connections at once and keeps them
 * warm; at the line 'silence' on standard input the peer's switch port freezes and 'lab' sends: on
 * some connections a short segment, on some ten full ones, and some SYNs. After SECONDS it ends,
 * and PCAP has everything.
 */
#include "lab/topology.h"

#include "lab/file_set.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/live/outside.h"
#include "sim/live/pacer.h"
#include "sim/net/capture.h"
#include "sim/net/stack.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAB         IPV4(172, 16, 9, 2)
#define PEER        IPV4(172, 16, 9, 3)
#define PORT        7001
#define SILENT_PORT 7009 /* only ever called when nobody answers any more */
#define WARM_BYTES  1000
#define WARM_NS     MS(20)
#define MTU_BYTES   9000
#define MSS_BYTES   (MTU_BYTES - 52) /* with timestamps */
#define STREAMS     5u               /* of each kind */
#define STAGGER_NS  US(900)          /* they send in turn, over the phases of a tick */

enum kind { KIND_TAIL, KIND_BURST, KIND_COUNT };

struct peer;
struct probe {
    struct stream_user user;
    struct peer *peer;
    struct stream *stream;
    enum kind kind;
};

struct peer {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct fabric *fabric;
    struct sw *sw;
    struct stack *stack;  /* the lab's */
    struct stack *silent; /* the peer's */
    struct pacer_user pacer_user;
    struct pacer *pacer;
    struct capture *capture;
    struct tcp_options lab_tcp;
    struct tcp_options syn_tcp; /* the same, doubling from the first timeout on */
    struct tcp_options peer_tcp;
    struct acceptor acceptor;
    struct stream_user sink;
    struct probe probes[KIND_COUNT * STREAMS];
    struct stream_user syn_users[2 * STREAMS];
    struct timer warm_timer;
    struct timer send_timer;
    struct timer end_timer;
    size_t sent; /* probes that have sent into the silence */
    int64_t seconds;
    bool is_silent;
};

static int64_t now_ns(const struct peer *peer)
{
    return clock_now_ns(&peer->queue.clock);
}

/* Streams. */

static void write_zeros(struct peer *peer, struct stream *stream, size_t bytes)
{
    struct chunk *chunk = chunk_new(peer->pool, bytes);

    memset(chunk->data, 0, bytes);
    stream_write(stream, buf_new(chunk, 0, (uint32_t)bytes));
}

static void on_connected(struct stream_user *user)
{
    (void)user;
}

static void on_data(struct stream_user *user, struct buf *data)
{
    (void)user;
    buf_free(data);
}

static void on_space(struct stream_user *user)
{
    (void)user;
}

static void on_probe_closed(struct stream_user *user, enum close_reason reason)
{
    CONTAINER_OF(user, struct probe, user)->stream = NULL;
    fprintf(stderr, "timers_peer: a connection closed: %s\n", close_reason_word(reason));
}

static void on_other_closed(struct stream_user *user, enum close_reason reason)
{
    (void)user, (void)reason;
}

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    (void)stream;
    return &CONTAINER_OF(acceptor, struct peer, acceptor)->sink;
}

static void keep_warm(struct timer *timer)
{
    struct peer *peer = CONTAINER_OF(timer, struct peer, warm_timer);

    if (peer->is_silent)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(peer->probes); i++)
        if (peer->probes[i].stream)
            write_zeros(peer, peer->probes[i].stream, WARM_BYTES);
    clock_arm(&peer->queue.clock, timer, now_ns(peer) + WARM_NS);
}

static void begin(struct peer *peer)
{
    static const struct stream_user_ops probe_ops = {.on_connected = on_connected,
                                                     .on_data = on_data,
                                                     .on_space = on_space,
                                                     .on_closed = on_probe_closed};
    struct net *net = stack_net(peer->stack);

    net_listen(stack_net(peer->silent), (struct endpoint){PEER, PORT}, &peer->peer_tcp,
               &peer->acceptor);
    for (size_t i = 0; i < ARRAY_SIZE(peer->probes); i++) {
        struct probe *probe = &peer->probes[i];

        *probe = (struct probe){
            .user = {&probe_ops}, .peer = peer, .kind = i < STREAMS ? KIND_TAIL : KIND_BURST};
        probe->stream = net_connect(net, (struct endpoint){LAB, 0}, (struct endpoint){PEER, PORT},
                                    &peer->lab_tcp, &probe->user);
    }
    clock_arm(&peer->queue.clock, &peer->warm_timer, now_ns(peer) + WARM_NS);
}

/* Silence. */

static void send_next(struct timer *timer)
{
    struct peer *peer = CONTAINER_OF(timer, struct peer, send_timer);
    struct probe *probe = &peer->probes[peer->sent++];

    if (probe->stream)
        write_zeros(peer, probe->stream, probe->kind == KIND_TAIL ? 100 : 10 * MSS_BYTES);
    if (peer->sent < ARRAY_SIZE(peer->probes))
        clock_arm(&peer->queue.clock, timer, now_ns(peer) + STAGGER_NS);
}

static void fall_silent(struct peer *peer)
{
    static const struct stream_user_ops syn_ops = {.on_connected = on_connected,
                                                   .on_data = on_data,
                                                   .on_space = on_space,
                                                   .on_closed = on_other_closed};
    struct net *net = stack_net(peer->stack);

    peer->is_silent = true;
    port_freeze(switch_port(peer->sw, 4), DIRECTION_OUT);
    port_freeze(switch_port(peer->sw, 4), DIRECTION_IN);
    clock_arm(&peer->queue.clock, &peer->send_timer, now_ns(peer));
    for (size_t i = 0; i < ARRAY_SIZE(peer->syn_users); i++) {
        bool is_linear = i < STREAMS;

        peer->syn_users[i] = (struct stream_user){&syn_ops};
        net_connect(net, (struct endpoint){LAB, 0},
                    (struct endpoint){PEER, (uint16_t)(is_linear ? SILENT_PORT : SILENT_PORT + 1)},
                    is_linear ? &peer->lab_tcp : &peer->syn_tcp, &peer->syn_users[i]);
    }
    clock_arm(&peer->queue.clock, &peer->end_timer, now_ns(peer) + SECONDS(peer->seconds));
    printf("silent %" PRId64 "\n", now_ns(peer));
    fflush(stdout);
}

static void on_line(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct peer *peer = watcher->data;
    char text[64];
    (void)events;

    if (read(STDIN_FILENO, text, sizeof(text)) <= 0) {
        ev_io_stop(loop, watcher);
        return;
    }
    pacer_catch_up(peer->pacer);
    if (!peer->is_silent)
        fall_silent(peer);
}

static void end(struct timer *timer)
{
    pacer_stop(CONTAINER_OF(timer, struct peer, end_timer)->pacer);
}

static void on_behind(struct pacer_user *user, int64_t behind_ns)
{
    (void)user;
    fprintf(stderr, "timers_peer: %" PRId64 " ms behind real time\n", behind_ns / MS(1));
}

/* Building. */

static struct nic *add_nic(struct peer *peer, const char *name, uint32_t port)
{
    struct nic *nic =
        fabric_add_nic(peer->fabric, &(struct nic_config){.name = name, .mtu_bytes = MTU_BYTES});

    fabric_add_cable(
        peer->fabric,
        &(struct cable_config){.name = name, .ends = {nic_port(nic), switch_port(peer->sw, port)}});
    return nic;
}

static struct stack *add_host(struct peer *peer, const char *name, uint32_t address, uint32_t port)
{
    /* Neighbours are known for good, as 'ip neigh ... nud permanent' does for the kernels. */
    struct ip_options ip = {.arp_reachable_ns = SECONDS(86400)};
    struct nic *nic = add_nic(peer, name, port);
    struct ip_host *host = fabric_add_host(peer->fabric, name, &ip);

    ip_host_add_address(host, nic, address, 24);
    return stack_new(host, NULL);
}

static bool read_profile(struct peer *peer, char **argv)
{
    struct file_set files;
    struct errors errors;

    errors_init(&errors);
    file_set_init(&files, NULL);
    struct topology *topology =
        topology_load(SOURCE_DIR "/topologies/linux-two-switch.yaml", &files, &errors);

    errors_print(&errors, stderr);
    errors_fini(&errors);
    if (topology) {
        peer->lab_tcp = topology->hosts[0].profile.tcp;
        peer->lab_tcp.timer_tick_ns = strtoll(argv[3], NULL, 10);
        peer->lab_tcp.syn_retransmissions = (uint32_t)strtoul(argv[4], NULL, 10);
        peer->lab_tcp.syn_linear_timeouts = (uint32_t)strtoul(argv[5], NULL, 10);
        peer->syn_tcp = peer->lab_tcp;
        peer->syn_tcp.syn_linear_timeouts = 0;
        peer->peer_tcp = peer->lab_tcp;
        peer->peer_tcp.delayed_ack_ns = 0; /* the round trips that both measure are the wire's */
    }
    topology_free(topology);
    file_set_fini(&files);
    return topology;
}

static struct outside *open_tap(struct peer *peer, struct ev_loop *loop, const char *place,
                                struct nic *nic)
{
    struct error err = {0};
    struct outside_config config = {
        .loop = loop, .pacer = peer->pacer, .nic = nic, .pool = peer->pool};
    struct outside *outside = outside_open(place, &config, &err);

    if (!outside)
        fprintf(stderr, "timers_peer: %s\n", err.text);
    return outside;
}

static void run(struct peer *peer, struct ev_loop *loop)
{
    ev_io lines;

    ev_io_init(&lines, on_line, STDIN_FILENO, EV_READ);
    lines.data = peer;
    ev_io_start(loop, &lines);
    begin(peer);
    puts("ready");
    fflush(stdout);
    pacer_run(peer->pacer);
    ev_io_stop(loop, &lines);
}

int main(int argc, char **argv)
{
    static const struct stream_user_ops sink_ops = {.on_connected = on_connected,
                                                    .on_data = on_data,
                                                    .on_space = on_space,
                                                    .on_closed = on_other_closed};
    struct peer peer = {.trace = {trace_nowhere_ops()},
                        .pacer_user = {on_behind, on_behind},
                        .acceptor = {on_accept},
                        .sink = {&sink_ops}};
    int error = 0;

    if (argc != 8 || !read_profile(&peer, argv))
        return 2;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

    peer.seconds = strtoll(argv[2], NULL, 10);
    event_queue_init(&peer.queue);
    peer.pool = pool_new();
    timer_init(&peer.warm_timer, keep_warm);
    timer_init(&peer.send_timer, send_next);
    timer_init(&peer.end_timer, end);
    peer.fabric = fabric_new(&peer.queue.clock, peer.pool, &peer.trace, 1);
    peer.sw = fabric_add_switch(peer.fabric, &(struct switch_config){
                                                 .name = "switch",
                                                 .port_count = 4,
                                                 .mtu_bytes = 9216,
                                             });
    struct nic *kernels[] = {add_nic(&peer, "k1", 1), add_nic(&peer, "k2", 2)};
    peer.stack = add_host(&peer, "lab", LAB, 3);
    peer.silent = add_host(&peer, "peer", PEER, 4);
    peer.pacer = pacer_new(loop, &peer.queue, &peer.pacer_user);
    struct outside *taps[] = {open_tap(&peer, loop, argv[6], kernels[0]),
                              open_tap(&peer, loop, argv[7], kernels[1])};
    FILE *file = fopen(argv[1], "wb");

    if (!taps[0] || !taps[1] || !file)
        return 7;
    peer.capture = capture_new(
        peer.fabric, &(struct capture_config){.application = "timers_peer", .file = file});
    run(&peer, loop);
    bool is_whole = capture_free(peer.capture, &error);

    fclose(file);
    outside_close(taps[0]);
    outside_close(taps[1]);
    stack_free(peer.stack);
    stack_free(peer.silent);
    fabric_free(peer.fabric);
    pacer_free(peer.pacer);
    event_queue_fini(&peer.queue);
    pool_free(peer.pool);
    ev_loop_destroy(loop);
    return is_whole ? 0 : 7;
}
