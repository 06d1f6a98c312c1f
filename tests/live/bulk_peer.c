/* Our end of a bulk transfer with a kernel: a TAP device, a switch, and behind it a host with
 * sim/net's TCP, in real time. Sends and receives so many bytes of the pattern at the same time.
 *
 *     bulk_peer TAP connect|listen BYTES [lose PPM | reorder PPM | duplicate PPM | cut]
 *
 * The kernel is 172.16.9.1, this host 172.16.9.2, the port 5001. 'cut' takes one strand of the
 * kernel's cable away for 2 s when a quarter is written, and the other one at the half.
 */
#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/live/outside.h"
#include "sim/live/pacer.h"
#include "sim/net/fabric.h"
#include "sim/net/stack.h"
#include "tests/live/pattern.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KERNEL      IPV4(172, 16, 9, 1)
#define LAB         IPV4(172, 16, 9, 2)
#define PORT        5001
#define PIECE_BYTES ((size_t)65536)
#define CUT_NS      SECONDS(2)
#define PATIENCE_NS SECONDS(300)

static const struct tcp_options options = {
    .initial_rto_ns = SECONDS(1),
    .min_rto_ns = MS(200),
    .max_rto_ns = SECONDS(120),
    .syn_retransmissions = 6,
    .synack_retransmissions = 5,
    .data_retransmissions = 15,
    .delayed_ack_ns = MS(40),
    .delayed_ack_segments = 2,
    .congestion = TCP_CUBIC,
    .initial_window_segments = 10,
    .send_buffer_bytes = 4 << 20,
    .receive_buffer_bytes = 4 << 20,
    .timestamps = true,
    .sack = true,
    .time_wait_ns = MS(100),
    .fin_wait_2_ns = SECONDS(5),
};

struct bulk {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct fabric *fabric;
    struct cable *cable; /* the kernel's */
    struct stack *stack;
    struct pacer_user pacer_user;
    struct pacer *pacer;
    struct acceptor acceptor;
    struct stream_user user;
    struct stream *stream;
    struct timer cut_timer;
    struct timer end_timer;
    unsigned cuts; /* begun, of those that are wanted */
    bool wants_cuts;
    uint64_t bytes;
    uint64_t written;
    uint64_t received;
    int64_t begun_ns;
    int64_t done_ns;
    int exit_code;
};

static int64_t now_ns(const struct bulk *bulk)
{
    return clock_now_ns(&bulk->queue.clock);
}

static void fail(struct bulk *bulk, const char *why)
{
    fprintf(stderr, "bulk_peer: %s after %" PRIu64 " bytes in and %" PRIu64 " out\n", why,
            bulk->received, bulk->written);
    bulk->exit_code = 1;
    pacer_stop(bulk->pacer);
}

static struct bulk *of_user(struct stream_user *user)
{
    return CONTAINER_OF(user, struct bulk, user);
}

/* The stream. */

static void close_if_done(struct bulk *bulk)
{
    if (!bulk->stream || bulk->written < bulk->bytes || bulk->received < bulk->bytes)
        return;
    bulk->done_ns = now_ns(bulk);
    stream_close(bulk->stream);
    bulk->stream = NULL;
}

static void write_more(struct bulk *bulk)
{
    while (bulk->stream && bulk->written < bulk->bytes &&
           stream_room(bulk->stream) >= PIECE_BYTES) {
        uint64_t left = bulk->bytes - bulk->written;
        size_t part = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        struct chunk *chunk = chunk_new(bulk->pool, part);

        pattern_fill(PATTERN_FROM_LAB, bulk->written, chunk->data, part);
        bulk->written += part;
        stream_write(bulk->stream, buf_new(chunk, 0, (uint32_t)part));
    }
    close_if_done(bulk);
}

static void on_connected(struct stream_user *user)
{
    struct bulk *bulk = of_user(user);

    bulk->begun_ns = now_ns(bulk);
    write_more(bulk);
}

static void maybe_cut(struct bulk *bulk)
{
    if (!bulk->wants_cuts || bulk->cuts >= 2 || timer_is_armed(&bulk->cut_timer) ||
        bulk->written < bulk->bytes / 4 * (bulk->cuts + 1))
        return;
    printf("cut %u at %" PRIu64 " bytes in, %" PRIu64 " out\n", bulk->cuts + 1, bulk->received,
           bulk->written);
    cable_cut(bulk->cable, bulk->cable->ends[bulk->cuts++]);
    clock_arm(&bulk->queue.clock, &bulk->cut_timer, now_ns(bulk) + CUT_NS);
}

static void mend(struct timer *timer)
{
    struct bulk *bulk = CONTAINER_OF(timer, struct bulk, cut_timer);

    cable_mend(bulk->cable, bulk->cable->ends[bulk->cuts - 1]);
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct bulk *bulk = of_user(user);

    for (const struct buf *slice = data; slice; slice = slice->next) {
        size_t good =
            pattern_check(PATTERN_FROM_KERNEL, bulk->received, buf_data(slice), slice->bytes);

        bulk->received += good;
        if (good < slice->bytes) {
            buf_free(data);
            fail(bulk, "a wrong byte");
            return;
        }
    }
    buf_free(data);
    maybe_cut(bulk);
    close_if_done(bulk);
}

static void on_space(struct stream_user *user)
{
    write_more(of_user(user));
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct bulk *bulk = of_user(user);

    bulk->stream = NULL;
    fail(bulk, close_reason_word(reason));
}

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    struct bulk *bulk = CONTAINER_OF(acceptor, struct bulk, acceptor);

    bulk->stream = stream;
    bulk->begun_ns = now_ns(bulk);
    clock_arm(&bulk->queue.clock, &bulk->end_timer, now_ns(bulk) + MS(1));
    return &bulk->user;
}

/* Looks now and then whether the connection has ended; starts writing on an accepted one. */
static void look(struct timer *timer)
{
    struct bulk *bulk = CONTAINER_OF(timer, struct bulk, end_timer);

    if (bulk->stream)
        write_more(bulk);
    if (bulk->done_ns > 0 && stack_connection_count(bulk->stack) == 0)
        pacer_stop(bulk->pacer);
    else if (now_ns(bulk) > PATIENCE_NS)
        fail(bulk, "patience is over");
    else
        clock_arm(&bulk->queue.clock, timer, now_ns(bulk) + MS(10));
}

/* The machine's doing, not the test's. */
static void on_behind(struct pacer_user *user, int64_t behind_ns)
{
    (void)user;
    fprintf(stderr, "bulk_peer: %" PRId64 " ms behind real time\n", behind_ns / MS(1));
}

/* Building. */

static struct outside *build(struct bulk *bulk, struct ev_loop *loop, const char *place)
{
    struct fabric *fabric = bulk->fabric;
    struct sw *sw = fabric_add_switch(
        fabric, &(struct switch_config){.name = "switch", .port_count = 2, .mtu_bytes = 9216});
    struct nic *kernel = fabric_add_nic(
        fabric, &(struct nic_config){.name = "kernel", .mtu_bytes = 9000, .queue_frames = 1024});
    struct nic *lab = fabric_add_nic(
        fabric, &(struct nic_config){.name = "lab", .mtu_bytes = 9000, .queue_frames = 1024});
    struct error err = {0};

    bulk->cable = fabric_add_cable(
        fabric, &(struct cable_config){.name = "kernel-1",
                                       .ends = {nic_port(kernel), switch_port(sw, 1)},
                                       .one_way = CABLE_NOBODY_NOTICES});
    fabric_add_cable(fabric, &(struct cable_config){.name = "lab-1",
                                                    .ends = {nic_port(lab), switch_port(sw, 2)}});
    struct ip_host *host = fabric_add_host(fabric, "lab", NULL);

    ip_host_add_address(host, lab, LAB, 24);
    bulk->stack = stack_new(host, NULL);
    struct outside *outside =
        outside_open(place,
                     &(struct outside_config){
                         .loop = loop, .pacer = bulk->pacer, .nic = kernel, .pool = bulk->pool},
                     &err);

    if (!outside)
        fprintf(stderr, "bulk_peer: %s\n", err.text);
    return outside;
}

/* False: unknown. */
static bool add_trouble(struct bulk *bulk, int count, char **words)
{
    struct impair_config config = {.delay_ns = US(500)};

    if (count == 0)
        return true;
    bulk->wants_cuts = count == 1 && strcmp(words[0], "cut") == 0;
    if (bulk->wants_cuts)
        return true;
    if (count != 2)
        return false;
    config.rate_ppm = (uint32_t)strtoul(words[1], NULL, 10);
    if (strcmp(words[0], "lose") == 0)
        config.kind = IMPAIR_LOSE;
    else if (strcmp(words[0], "reorder") == 0)
        config.kind = IMPAIR_REORDER;
    else if (strcmp(words[0], "duplicate") == 0)
        config.kind = IMPAIR_DUPLICATE;
    else
        return false;
    if (config.rate_ppm > 0) {
        link_impair(cable_link(bulk->cable, 0), &config);
        link_impair(cable_link(bulk->cable, 1), &config);
    }
    return true;
}

static void begin(struct bulk *bulk, bool is_connecting)
{
    struct net *net = stack_net(bulk->stack);

    if (is_connecting)
        bulk->stream = net_connect(net, (struct endpoint){LAB, 0}, (struct endpoint){KERNEL, PORT},
                                   &options, &bulk->user);
    else if (!net_listen(net, (struct endpoint){LAB, PORT}, &options, &bulk->acceptor))
        fail(bulk, "cannot listen");
    clock_arm(&bulk->queue.clock, &bulk->end_timer, now_ns(bulk) + MS(10));
}

static void print_figures(const struct bulk *bulk)
{
    struct tcp_counters counters = stack_counters(bulk->stack, 0, 0);
    struct pacer_figures figures = pacer_figures(bulk->pacer);
    int64_t ms = (bulk->done_ns - bulk->begun_ns) / MS(1);
    char text[256];

    if (!fabric_check_conservation(bulk->fabric, text, sizeof(text)))
        fprintf(stderr, "bulk_peer: %s\n", text);
    printf("lab: %" PRIu64 " bytes each way in %" PRId64 " ms (%" PRId64 " Mbit/s each), %" PRIu64
           " segments sent again, %" PRIu64 " timeouts; behind real time by %" PRId64
           " us at most, stood still %" PRIu64 " times\n",
           bulk->bytes, ms, ms > 0 ? (int64_t)(bulk->bytes / 125) / ms : 0,
           counters.retransmissions, counters.timeouts, figures.behind_most_ns / US(1),
           figures.slips);
}

int main(int argc, char **argv)
{
    static const struct stream_user_ops user_ops = {.on_connected = on_connected,
                                                    .on_data = on_data,
                                                    .on_space = on_space,
                                                    .on_closed = on_closed};
    struct bulk bulk = {.user = {&user_ops},
                        .acceptor = {on_accept},
                        .trace = {trace_nowhere_ops()},
                        .pacer_user = {on_behind, on_behind}};

    if (argc < 4)
        return 2;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

    bulk.bytes = strtoull(argv[3], NULL, 10);
    event_queue_init(&bulk.queue);
    bulk.pool = pool_new();
    timer_init(&bulk.cut_timer, mend);
    timer_init(&bulk.end_timer, look);
    bulk.fabric = fabric_new(&bulk.queue.clock, bulk.pool, &bulk.trace, 1);
    bulk.pacer = pacer_new(loop, &bulk.queue, &bulk.pacer_user);
    struct outside *outside = build(&bulk, loop, argv[1]);

    if (!outside)
        return 7;
    if (!add_trouble(&bulk, argc - 4, argv + 4))
        return 2;
    /* Ready: whoever started this sets the device up when it reads the line. */
    puts("ready");
    fflush(stdout);
    if (strcmp(argv[2], "connect") == 0)
        (void)getchar(); /* until it is */
    begin(&bulk, strcmp(argv[2], "connect") == 0);
    pacer_run(bulk.pacer);
    print_figures(&bulk);
    outside_close(outside);
    stack_free(bulk.stack);
    fabric_free(bulk.fabric);
    pacer_free(bulk.pacer);
    event_queue_fini(&bulk.queue);
    pool_free(bulk.pool);
    ev_loop_destroy(loop);
    return bulk.exit_code;
}
