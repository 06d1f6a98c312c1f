/* CPU time of bulk TCP over the fabric: two hosts, one switch, real bytes that the sender fills and
 * the receiver compares.
 *
 *     tcp_bulk [MIB [MTU [WATCH]]]
 */
#include "sim/core/attributes.h"
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
#include <time.h>

#define SLICE_BYTES 65536u

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
    .time_wait_ns = SECONDS(60),
    .fin_wait_2_ns = SECONDS(60),
    .timer_tick_ns = MS(4),
    .timer_wheel = true,
};

struct end {
    struct stream_user user;
    struct acceptor acceptor;
    struct stream *stream;
    struct pool *pool;
    uint64_t left_bytes;
    uint64_t got_bytes;
};

static uint8_t expected[SLICE_BYTES];

static void fill(struct end *end)
{
    while (end->left_bytes > 0 && stream_room(end->stream) > 0) {
        struct chunk *chunk = chunk_new(end->pool, SLICE_BYTES);

        memcpy(chunk->data, expected, SLICE_BYTES);
        end->left_bytes -= end->left_bytes < SLICE_BYTES ? end->left_bytes : SLICE_BYTES;
        stream_write(end->stream, buf_new(chunk, 0, SLICE_BYTES));
    }
}

static void on_connected(struct stream_user *user)
{
    fill(CONTAINER_OF(user, struct end, user));
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct end *end = CONTAINER_OF(user, struct end, user);

    for (const struct buf *slice = data; slice; slice = slice->next) {
        uint32_t at = (uint32_t)(end->got_bytes % SLICE_BYTES);
        uint32_t first = slice->bytes < SLICE_BYTES - at ? slice->bytes : SLICE_BYTES - at;

        if (memcmp(buf_data(slice), expected + at, first) != 0 ||
            memcmp(buf_data(slice) + first, expected, slice->bytes - first) != 0)
            abort();
        end->got_bytes += slice->bytes;
    }
    buf_free(data);
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    (void)user, (void)reason;
}

static const struct stream_user_ops ops = {.on_connected = on_connected,
                                           .on_data = on_data,
                                           .on_space = on_connected,
                                           .on_closed = on_closed};

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    (void)stream;
    return &CONTAINER_OF(acceptor, struct end, acceptor)->user;
}

int main(int argc, char **argv)
{
    uint64_t bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1024) << 20;
    uint32_t mtu_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 9000;
    bool is_watched = argc > 3;
    struct event_queue queue;
    struct trace trace = {.ops = trace_nowhere_ops()};
    struct pool *pool = pool_new();

    for (size_t i = 0; i < SLICE_BYTES; i++)
        expected[i] = (uint8_t)(i * 31 + i / 251);
    event_queue_init(&queue);
    struct fabric *fabric = fabric_new(&queue.clock, pool, &trace, 1);
    struct stream_watch *watch = is_watched ? stream_watch_new(&queue.clock, pool, &trace) : NULL;
    struct sw *sw = fabric_add_switch(fabric, &(struct switch_config){.name = "switch-1",
                                                                      .port_count = 8,
                                                                      .mtu_bytes = 9000,
                                                                      .forwarding_delay_ns = 500});
    struct stack *stacks[2];

    for (uint32_t i = 0; i < 2; i++) {
        static const char *const names[] = {"a", "b"};
        struct nic *nic =
            fabric_add_nic(fabric, &(struct nic_config){.name = names[i], .mtu_bytes = mtu_bytes});

        fabric_add_cable(fabric,
                         &(struct cable_config){.name = names[i],
                                                .ends = {nic_port(nic), switch_port(sw, i + 1)}});
        struct ip_host *host = fabric_add_host(fabric, names[i], NULL);

        ip_host_add_address(host, nic, IPV4(10, 0, 0, i + 1), 24);
        stacks[i] = stack_new(host, watch);
    }
    event_queue_run(&queue, MS(1), UINT64_MAX);

    struct end ends[2] = {
        {.user = {.ops = &ops}, .pool = pool, .left_bytes = bytes},
        {.user = {.ops = &ops}, .pool = pool, .acceptor = {.on_accept = on_accept}},
    };

    net_listen(stack_net(stacks[1]), (struct endpoint){IPV4(10, 0, 0, 2), 3260}, &options,
               &ends[1].acceptor);
    ends[0].stream =
        net_connect(stack_net(stacks[0]), (struct endpoint){IPV4(10, 0, 0, 1), 0},
                    (struct endpoint){IPV4(10, 0, 0, 2), 3260}, &options, &ends[0].user);

    clock_t start = clock();

    while (ends[1].got_bytes < bytes)
        event_queue_run(&queue, queue.clock.now_ns + MS(10), UINT64_MAX);
    double cpu_s = (double)(clock() - start) / CLOCKS_PER_SEC;
    uint64_t segments = stack_counters(stacks[0], 0, 0).segments_sent;

    printf("%" PRIu64 " MiB at MTU %u: %.3f CPU s, %.3f CPU s per GB, %" PRIu64
           " data segments, %.0f ns each, %.2f simulated s, %" PRIu64 " events, %" PRIu64
           " retransmissions\n",
           bytes >> 20, mtu_bytes, cpu_s, cpu_s * 1e9 / (double)bytes, segments,
           cpu_s * 1e9 / (double)segments, (double)queue.clock.now_ns / 1e9, queue.fired,
           stack_counters(stacks[0], 0, 0).retransmissions);
    for (size_t i = 0; i < 2; i++)
        stack_free(stacks[i]);
    stream_watch_free(watch);
    fabric_free(fabric);
    event_queue_fini(&queue);
    pool_free(pool);
    return 0;
}
