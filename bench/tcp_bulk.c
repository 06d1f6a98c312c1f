/* CPU time of bulk TCP over the two-path topology, with real bytes.
 *
 *     host-1, host-2, ... --- switch-1 --- storage        one connection per host and path,
 *                        \--- switch-2 ---/               from the host to the storage
 *
 * The sender fills every write from a pattern, the receiver compares every byte. Links of 10
 * Gbit/s and 1 us, switches that store and forward, CUBIC with SACK, window scaling and timestamps,
 * 256 KiB socket buffers, 64 KiB per write, no loss: what san_bench.cc does with ns-3, and printed
 * in its words, so that runs of both can be paired.
 *
 *     tcp_bulk [BYTES-PER-CONNECTION [MTU [HOSTS [watch]]]]
 *
 * With 'watch' rule P7 looks on, as it does in every run of iscsilab.
 */
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/tcp_options.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"
#include "sim/net/stack.h"
#include "sim/net/stream_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WRITE_BYTES    65536u
#define PATTERN_PERIOD 4099u /* prime: misplaced data does not match */
#define PATH_COUNT     2u
#define MOST_HOSTS     250u
#define PORT           3260u

static const struct tcp_options options = {
    .initial_rto_ns = SECONDS(1),
    .min_rto_ns = MS(200),
    .max_rto_ns = SECONDS(120),
    .syn_retransmissions = 6,
    .synack_retransmissions = 5,
    .delayed_ack_ns = MS(40),
    .delayed_ack_segments = 2,
    .congestion = TCP_CUBIC,
    .initial_window_segments = 10,
    .send_buffer_bytes = 262144,
    .receive_buffer_bytes = 262144,
    .timestamps = true,
    .sack = true,
    .rack = true,
    .tail_loss_probe = true,
    .time_wait_ns = SECONDS(60),
    .fin_wait_2_ns = SECONDS(60),
    .timer_tick_ns = MS(4),
    .timer_wheel = true,
};

struct bench {
    struct event_queue queue;
    struct trace trace;
    struct pool *pool;
    struct fabric *fabric;
    struct stream_watch *watch;
    struct stack **hosts;
    struct stack *storage;
    uint32_t host_count;
    uint32_t unfinished; /* connections */
    uint64_t mismatches;
    uint64_t bytes; /* per connection */
    uint8_t pattern[WRITE_BYTES + PATTERN_PERIOD];
};

struct sender {
    struct stream_user user;
    struct bench *bench;
    struct stream *stream;
    uint64_t sent_bytes;
};

struct receiver {
    struct stream_user user;
    struct bench *bench;
    uint64_t got_bytes;
};

struct listener {
    struct acceptor acceptor;
    struct bench *bench;
    struct receiver *receivers;
    uint32_t accepted;
};

static void fill(struct sender *sender)
{
    struct bench *bench = sender->bench;

    while (sender->sent_bytes < bench->bytes && stream_room(sender->stream) > 0) {
        uint64_t left = bench->bytes - sender->sent_bytes;
        uint32_t bytes = left < WRITE_BYTES ? (uint32_t)left : WRITE_BYTES;
        struct chunk *chunk = chunk_new(bench->pool, bytes);

        memcpy(chunk->data, bench->pattern + sender->sent_bytes % PATTERN_PERIOD, bytes);
        sender->sent_bytes += bytes;
        stream_write(sender->stream, buf_new(chunk, 0, bytes));
    }
}

static void on_room(struct stream_user *user)
{
    fill(CONTAINER_OF(user, struct sender, user));
}

static void compare(struct receiver *receiver, const uint8_t *data, uint32_t bytes)
{
    const struct bench *bench = receiver->bench;

    while (bytes > 0) {
        uint32_t piece = bytes < WRITE_BYTES ? bytes : WRITE_BYTES;
        const uint8_t *expected = bench->pattern + receiver->got_bytes % PATTERN_PERIOD;

        receiver->bench->mismatches += memcmp(data, expected, piece) != 0;
        receiver->got_bytes += piece;
        data += piece;
        bytes -= piece;
    }
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct receiver *receiver = CONTAINER_OF(user, struct receiver, user);

    for (const struct buf *slice = data; slice; slice = slice->next)
        compare(receiver, buf_data(slice), slice->bytes);
    buf_free(data);
    if (receiver->got_bytes == receiver->bench->bytes)
        receiver->bench->unfinished--;
}

static void on_nothing(struct stream_user *user)
{
    (void)user;
}

static void on_no_data(struct stream_user *user, struct buf *data)
{
    (void)user;
    buf_free(data);
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    (void)user;
    fprintf(stderr, "tcp_bulk: a connection was closed, reason %d\n", (int)reason);
    exit(1);
}

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    static const struct stream_user_ops ops = {.on_connected = on_nothing,
                                               .on_data = on_data,
                                               .on_space = on_nothing,
                                               .on_closed = on_closed};
    struct listener *listener = CONTAINER_OF(acceptor, struct listener, acceptor);
    struct receiver *receiver = &listener->receivers[listener->accepted++];

    (void)stream;
    *receiver = (struct receiver){.user = {.ops = &ops}, .bench = listener->bench};
    return &receiver->user;
}

/* Host 0 is the storage, at port 1 of each switch. */
static struct stack *add_host(struct bench *bench, struct sw *const switches[static PATH_COUNT],
                              uint32_t number, uint32_t mtu_bytes)
{
    char name[32];

    snprintf(name, sizeof(name), "host-%" PRIu32, number);
    struct ip_host *host = fabric_add_host(bench->fabric, name, NULL);

    for (uint32_t path = 0; path < PATH_COUNT; path++) {
        snprintf(name, sizeof(name), "host-%" PRIu32 ".%" PRIu32, number, path + 1);
        struct nic *nic = fabric_add_nic(
            bench->fabric, &(struct nic_config){.name = name, .mtu_bytes = mtu_bytes});

        fabric_add_cable(
            bench->fabric,
            &(struct cable_config){.name = name,
                                   .ends = {nic_port(nic), switch_port(switches[path], number + 1)},
                                   .length_m = 200}); /* 1 us */
        ip_host_add_address(host, nic, IPV4(10, path + 1, 0, number + 1), 16);
    }
    return stack_new(host, bench->watch);
}

static void build(struct bench *bench, uint32_t mtu_bytes, bool is_watched)
{
    struct sw *switches[PATH_COUNT];

    for (size_t i = 0; i < sizeof(bench->pattern); i++)
        bench->pattern[i] = (uint8_t)((i % PATTERN_PERIOD * 2654435761u & UINT32_MAX) >> 11);
    event_queue_init(&bench->queue);
    bench->trace.ops = trace_nowhere_ops();
    bench->pool = pool_new();
    bench->fabric = fabric_new(&bench->queue.clock, bench->pool, &bench->trace, 1);
    if (is_watched)
        bench->watch = stream_watch_new(&bench->queue.clock, bench->pool, &bench->trace);
    for (uint32_t path = 0; path < PATH_COUNT; path++) {
        static const char *const names[PATH_COUNT] = {"switch-1", "switch-2"};

        switches[path] =
            fabric_add_switch(bench->fabric, &(struct switch_config){.name = names[path],
                                                                     .port_count = MOST_HOSTS + 1,
                                                                     .mtu_bytes = 9216,
                                                                     .port_buffer_bytes = 64 << 20,
                                                                     .forwarding_delay_ns = 1000});
    }
    bench->storage = add_host(bench, switches, 0, mtu_bytes);
    bench->hosts = mem_array(bench->host_count, sizeof(struct stack *)); /* NOLINT: pointers */
    for (uint32_t i = 0; i < bench->host_count; i++)
        bench->hosts[i] = add_host(bench, switches, i + 1, mtu_bytes);
    event_queue_run(&bench->queue, MS(1), UINT64_MAX); /* carrier comes up */
}

static void tear_down(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->host_count; i++)
        stack_free(bench->hosts[i]);
    stack_free(bench->storage);
    stream_watch_free(bench->watch);
    fabric_free(bench->fabric);
    event_queue_fini(&bench->queue);
    pool_free(bench->pool);
    free(bench->hosts);
    free(bench);
}

static double cpu_seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

/* Runs until all is received; the figures cover this only, as san_bench's do. */
static void run(struct bench *bench, uint32_t mtu_bytes)
{
    struct rusage before;
    struct rusage after;
    int64_t start_ns = bench->queue.clock.now_ns;

    getrusage(RUSAGE_SELF, &before);
    while (bench->unfinished > 0 && event_queue_next_ns(&bench->queue) < SECONDS(100000))
        event_queue_run(&bench->queue, event_queue_next_ns(&bench->queue), 4096);
    getrusage(RUSAGE_SELF, &after);

    uint64_t segments = 0;
    uint64_t retransmissions = 0;
    uint64_t payload_bytes = bench->bytes * bench->host_count * PATH_COUNT;
    double user_s = cpu_seconds(&after.ru_utime) - cpu_seconds(&before.ru_utime);
    double system_s = cpu_seconds(&after.ru_stime) - cpu_seconds(&before.ru_stime);

    for (uint32_t i = 0; i < bench->host_count; i++) {
        struct tcp_counters counters = stack_counters(bench->hosts[i], 0, 0);

        segments += counters.segments_sent;
        retransmissions += counters.retransmissions;
    }
    printf("mode=bulk hosts=%" PRIu32 " mtu=%" PRIu32
           " real=1 ucpu=%.4f scpu=%.4f sim=%.6f events=%" PRIu64 " payload=%" PRIu64
           " segments=%" PRIu64 " retransmissions=%" PRIu64 " rss_kib=%ld mismatch=%" PRIu64
           " unfinished=%" PRIu32 " cpu_per_gb=%.4f ns_per_segment=%.0f\n",
           bench->host_count, mtu_bytes, user_s, system_s,
           (double)(bench->queue.clock.now_ns - start_ns) / 1e9, bench->queue.fired, payload_bytes,
           segments, retransmissions, after.ru_maxrss, bench->mismatches, bench->unfinished,
           (user_s + system_s) * 1e9 / (double)payload_bytes,
           (user_s + system_s) * 1e9 / (double)segments);
}

int main(int argc, char **argv)
{
    static const struct stream_user_ops sender_ops = {.on_connected = on_room,
                                                      .on_data = on_no_data,
                                                      .on_space = on_room,
                                                      .on_closed = on_closed};
    struct bench *bench = mem_new(sizeof(*bench));
    uint32_t mtu_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 9000;

    bench->bytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 250000000;
    bench->host_count = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2;
    if (bench->bytes == 0 || mtu_bytes < 576 || mtu_bytes > 9216 || bench->host_count == 0 ||
        bench->host_count > MOST_HOSTS) {
        fprintf(stderr, "usage: tcp_bulk [BYTES-PER-CONNECTION [MTU [HOSTS [watch]]]]\n");
        return 2;
    }
    build(bench, mtu_bytes, argc > 4);

    uint32_t count = bench->host_count * PATH_COUNT;
    struct sender *senders = mem_array(count, sizeof(*senders));
    struct listener listener = {.acceptor = {.on_accept = on_accept},
                                .bench = bench,
                                .receivers = mem_array(count, sizeof(*listener.receivers))};

    bench->unfinished = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t path = i % PATH_COUNT;
        uint32_t host = i / PATH_COUNT;
        struct endpoint from = {IPV4(10, path + 1, 0, host + 2), 0};
        struct endpoint to = {IPV4(10, path + 1, 0, 1), PORT};

        if (host == 0)
            net_listen(stack_net(bench->storage), to, &options, &listener.acceptor);
        senders[i] = (struct sender){.user = {.ops = &sender_ops}, .bench = bench};
        senders[i].stream =
            net_connect(stack_net(bench->hosts[host]), from, to, &options, &senders[i].user);
    }
    run(bench, mtu_bytes);
    bool is_good = bench->mismatches == 0 && bench->unfinished == 0;

    tear_down(bench);
    free(senders);
    free(listener.receivers);
    return is_good ? 0 : 1;
}
