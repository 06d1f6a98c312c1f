/* One direction of a cable: when frames arrive, to the nanosecond, and where the others went. */
#include "sim/net/link.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"

#include "tests/test.h"

#define GIGABIT INT64_C(1000000000)

struct bench {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct wire wire;
    struct link link;
    int64_t arrived_at_ns[256];
    uint32_t arrived_bytes[256];
    bool is_damaged[256];
    unsigned arrived;
    unsigned rooms;
    int64_t room_at_ns;
};

static void note_arrival(struct link *link, struct frame *frame)
{
    struct bench *bench = CONTAINER_OF(link, struct bench, link);

    bench->arrived_at_ns[bench->arrived] = clock_now_ns(&bench->queue.clock);
    bench->arrived_bytes[bench->arrived] = frame_bytes(frame);
    bench->is_damaged[bench->arrived++] = frame->is_damaged;
    frame_unref(frame);
}

static void note_room(struct link *link)
{
    struct bench *bench = CONTAINER_OF(link, struct bench, link);

    bench->rooms++;
    bench->room_at_ns = clock_now_ns(&bench->queue.clock);
}

static void start(struct bench *bench, const struct link_config *config)
{
    static const struct link_ops ops = {.on_arrival = note_arrival, .on_room = note_room};

    *bench = (struct bench){.trace = {.ops = trace_nowhere_ops()}};
    event_queue_init(&bench->queue);
    bench->pool = pool_new();
    bench->wire = (struct wire){
        .clock = &bench->queue.clock, .pool = bench->pool, .trace = &bench->trace, .seed = 5};
    link_init(&bench->link, &bench->wire, "link", 0, &ops, config);
    link_set_passing(&bench->link, true);
}

static uint64_t dropped(const struct bench *bench)
{
    uint64_t count = 0;

    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
        count += bench->link.counts.dropped[reason];
    return count;
}

static void stop(struct bench *bench)
{
    const struct link_counts *counts = &bench->link.counts;

    assert_int_equal(counts->offered,
                     counts->delivered + dropped(bench) + link_frames(&bench->link));
    assert_int_equal(counts->delivered, bench->arrived);
    link_fini(&bench->link);
    assert_int_equal(bench->queue.count, 0);
    assert_int_equal(pool_live_blocks(bench->pool), 0);
    assert_int_equal(pool_live_chunks(bench->pool), 0);
    pool_free(bench->pool);
    event_queue_fini(&bench->queue);
}

static void send(struct bench *bench, uint32_t bytes)
{
    struct frame *frame = frame_new(bench->pool);

    if (bytes > ETHERNET_BYTES) {
        struct chunk *chunk = chunk_new(bench->pool, bytes - ETHERNET_BYTES);

        memset(chunk->data, 0x33, chunk->bytes);
        frame_set_payload(frame, buf_new(chunk, 0, chunk->bytes));
    }
    link_send(&bench->link, frame, clock_now_ns(&bench->queue.clock), 0);
}

static void run(struct bench *bench, int64_t at_ns)
{
    event_queue_run(&bench->queue, at_ns, 1000000);
}

static const struct link_config ten_gigabit = {.rate_bits_per_s = 10 * GIGABIT, .delay_ns = 25};

/* 9014 bytes + preamble 8 + FCS 4 = 72,208 bits: 7220.8 ns, then a gap of 9.6 ns. */
static void jumbo_frames_at_ten_gigabit_arrive_to_the_nanosecond(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &ten_gigabit);
    for (int i = 0; i < 6; i++)
        send(&bench, 9014);
    run(&bench, MS(1));
    for (int64_t i = 0; i < 6; i++) {
        int64_t end_tenths = 72208 + i * (72208 + 96); /* of a nanosecond */
        assert_int_equal(bench.arrived_at_ns[i], (end_tenths + 9) / 10 + 25);
    }
    stop(&bench);
}

/* 60 + 8 + 4 bytes at 1 Gbit/s, whatever is shorter. */
static void a_short_frame_takes_the_time_of_the_shortest(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT, .delay_ns = 500});
    send(&bench, 42);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived_at_ns[0], 72 * 8 + 500);
    send(&bench, 61);
    run(&bench, MS(2));
    assert_int_equal(bench.arrived_at_ns[1], MS(1) + 73 * 8 + 500);
    stop(&bench);
}

static void a_hop_is_one_event_per_frame(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &ten_gigabit);
    for (int i = 0; i < 100; i++)
        send(&bench, 1514);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived, 100);
    assert_int_equal(bench.queue.fired, 100);
    stop(&bench);
}

static void a_frame_waits_until_it_is_eligible(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &ten_gigabit);
    link_send(&bench.link, frame_new(bench.pool), US(2), 0);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived_at_ns[0], US(2) + 58 + 25); /* 72 bytes: 57.6 ns */
    stop(&bench);
}

static void a_full_queue_drops_the_newest(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench,
          &(struct link_config){.rate_bits_per_s = GIGABIT, .delay_ns = 0, .queue_bytes = 3000});
    for (int i = 0; i < 5; i++)
        send(&bench, 1000);
    assert_int_equal(bench.link.counts.dropped[DROP_QUEUE_FULL], 2);
    run(&bench, 1012 * 8); /* the first has left */
    send(&bench, 1000);
    assert_int_equal(bench.link.counts.dropped[DROP_QUEUE_FULL], 2);
    send(&bench, 1000);
    assert_int_equal(bench.link.counts.dropped[DROP_QUEUE_FULL], 3);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived, 4);
    stop(&bench);
}

static void room_comes_back_when_half_the_queue_is_free(void **state)
{
    struct bench bench;
    (void)state;

    /* A delay of 1 ms: room follows the serializer, not the arrival. */
    start(&bench,
          &(struct link_config){.rate_bits_per_s = GIGABIT, .delay_ns = MS(1), .queue_frames = 8});
    for (int i = 0; i < 8; i++)
        send(&bench, 1000);
    assert_int_equal(link_room(&bench.link), 0);
    link_want_room(&bench.link);
    link_want_room(&bench.link);
    run(&bench, US(100));
    assert_int_equal(bench.rooms, 1);
    assert_int_equal(bench.room_at_ns, 4 * 1012 * 8 + 3 * 12 * 8);
    run(&bench, MS(2));
    assert_int_equal(link_room(&bench.link), 8);
    assert_int_equal(bench.rooms, 1);
    stop(&bench);
}

static void a_pulled_cable_loses_what_is_in_it_and_before_it(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT, .delay_ns = US(50)});
    for (int i = 0; i < 10; i++)
        send(&bench, 1000);
    run(&bench, US(60)); /* one has arrived, six are in the cable */
    assert_int_equal(bench.arrived, 1);
    link_set_passing(&bench.link, false);
    assert_int_equal(bench.link.counts.dropped[DROP_NO_CARRIER], 9);
    send(&bench, 1000);
    assert_int_equal(bench.link.counts.dropped[DROP_NO_CARRIER], 10);
    link_set_passing(&bench.link, true);
    send(&bench, 1000);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived, 2);
    assert_int_equal(bench.arrived_at_ns[1], US(60) + 1012 * 8 + US(50));
    stop(&bench);
}

static void a_dropped_queue_leaves_what_has_started(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT, .delay_ns = US(50)});
    for (int i = 0; i < 10; i++)
        send(&bench, 1000);
    run(&bench, US(9)); /* the second frame is being sent */
    link_drop_queued(&bench.link, DROP_FROZEN);
    assert_int_equal(bench.link.counts.dropped[DROP_FROZEN], 8);
    send(&bench, 1000); /* follows the second frame and its gap */
    run(&bench, MS(1));
    assert_int_equal(bench.arrived, 3);
    assert_int_equal(bench.arrived_at_ns[2], 3 * 1012 * 8 + 2 * 12 * 8 + US(50));
    stop(&bench);
}

static void a_new_rate_counts_from_the_next_frame_on(void **state)
{
    struct bench bench;
    int64_t at_ns = 1012 * 8;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT});
    for (int i = 0; i < 3; i++)
        send(&bench, 1000);
    run(&bench, US(1));
    link_set_rate(&bench.link, GIGABIT / 10);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived_at_ns[0], at_ns);
    at_ns += 12 * 80 + 1012 * 80; /* the gap, too, is sent at the new rate */
    assert_int_equal(bench.arrived_at_ns[1], at_ns);
    assert_int_equal(bench.arrived_at_ns[2], at_ns + 12 * 80 + 1012 * 80);
    stop(&bench);
}

static void a_throttle_ends_with_its_layer(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT});
    struct impair_layer *slow =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_THROTTLE,
                                                         .rate_bits_per_s = GIGABIT / 100});
    struct impair_layer *fast =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_THROTTLE,
                                                         .rate_bits_per_s = GIGABIT * 100});
    send(&bench, 1000);
    run(&bench, MS(1));
    assert_int_equal(bench.arrived_at_ns[0], 1012 * 800);
    link_repair(&bench.link, slow);
    send(&bench, 1000);
    run(&bench, MS(2));
    assert_int_equal(bench.arrived_at_ns[1], MS(1) + 1012 * 8);
    link_repair(&bench.link, fast);
    stop(&bench);
}

static void a_delay_keeps_the_order_whatever_its_jitter(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT});
    struct impair_layer *layer = link_impair(
        &bench.link,
        &(struct impair_config){.kind = IMPAIR_DELAY, .delay_ns = MS(1), .jitter_ns = MS(2)});
    for (uint32_t i = 0; i < 100; i++)
        send(&bench, 100 + i);
    run(&bench, MS(10));
    assert_int_equal(bench.arrived, 100);
    assert_true(bench.arrived_at_ns[0] >= MS(1));
    assert_true(bench.arrived_at_ns[99] <= MS(3) + 100 * 250 * 8);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(bench.arrived_bytes[i], 100 + i);
    link_repair(&bench.link, layer);
    send(&bench, 988);
    run(&bench, MS(11));
    assert_int_equal(bench.arrived_at_ns[100], MS(10) + 1000 * 8);
    stop(&bench);
}

static void a_delay_also_meets_frames_that_wait(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &(struct link_config){.rate_bits_per_s = GIGABIT});
    send(&bench, 1000);
    send(&bench, 1000);
    run(&bench, US(1));
    link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_DELAY, .delay_ns = MS(1)});
    run(&bench, MS(5));
    assert_int_equal(bench.arrived_at_ns[0], 1012 * 8);
    assert_int_equal(bench.arrived_at_ns[1], 2 * 1012 * 8 + 12 * 8 + MS(1));
    stop(&bench);
}

static void every_third_large_frame_is_lost(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &ten_gigabit);
    link_impair(&bench.link, &(struct impair_config){
                                 .kind = IMPAIR_LOSE, .every = 3, .larger_than_bytes = 1514});
    for (int i = 0; i < 9; i++) {
        send(&bench, 1514);
        send(&bench, 1515);
    }
    run(&bench, MS(1));
    assert_int_equal(bench.link.counts.dropped[DROP_LOSS], 3);
    for (unsigned i = 0; i < bench.arrived; i++)
        if (i == 5) /* the sixth frame, large, would have been here */
            assert_int_equal(bench.arrived_bytes[i], 1514);
    stop(&bench);
}

static void a_rate_loses_about_its_share_and_bursts_come_in_a_row(void **state)
{
    struct bench bench;
    unsigned count = 0;
    (void)state;

    start(&bench, &ten_gigabit);
    struct impair_layer *layer =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_LOSE, .rate_ppm = 100000});
    for (int i = 0; i < 2000; i++) {
        send(&bench, 100);
        run(&bench, US(i + 1));
        count += bench.arrived;
        bench.link.counts.delivered -= bench.arrived;
        bench.link.counts.offered -= bench.arrived;
        bench.arrived = 0;
    }
    assert_in_range(count, 1740, 1860); /* 1800, and five times its deviation of 13 */
    link_repair(&bench.link, layer);

    uint64_t lost = bench.link.counts.dropped[DROP_LOSS];
    link_impair(&bench.link,
                &(struct impair_config){.kind = IMPAIR_LOSE, .every = 10, .burst_frames = 4});
    for (int i = 0; i < 20; i++)
        send(&bench, 100);
    run(&bench, MS(20));
    /* the 10th to the 13th, and the 20th */
    assert_int_equal(bench.link.counts.dropped[DROP_LOSS] - lost, 5);
    stop(&bench);
}

static void damage_is_seen_by_whom_the_fault_says(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench, &ten_gigabit);
    struct impair_layer *fcs =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                         .seen_by = CORRUPT_SEEN_BY_FCS});
    send(&bench, 100);
    run(&bench, US(1));
    assert_int_equal(bench.link.counts.dropped[DROP_CORRUPT], 1);
    link_repair(&bench.link, fcs);
    struct impair_layer *checksum =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                         .seen_by = CORRUPT_SEEN_BY_CHECKSUM});
    send(&bench, 100);
    run(&bench, US(2));
    assert_int_equal(bench.arrived, 1);
    assert_true(bench.is_damaged[0]);
    link_repair(&bench.link, checksum);
    send(&bench, 100);
    run(&bench, US(3));
    assert_false(bench.is_damaged[1]);
    assert_int_equal(bench.link.counts.damaged, 1);
    stop(&bench);
}

int main(void)
{
    TEST(jumbo_frames_at_ten_gigabit_arrive_to_the_nanosecond);
    TEST(a_short_frame_takes_the_time_of_the_shortest);
    TEST(a_hop_is_one_event_per_frame);
    TEST(a_frame_waits_until_it_is_eligible);
    TEST(a_full_queue_drops_the_newest);
    TEST(room_comes_back_when_half_the_queue_is_free);
    TEST(a_pulled_cable_loses_what_is_in_it_and_before_it);
    TEST(a_dropped_queue_leaves_what_has_started);
    TEST(a_new_rate_counts_from_the_next_frame_on);
    TEST(a_throttle_ends_with_its_layer);
    TEST(a_delay_keeps_the_order_whatever_its_jitter);
    TEST(a_delay_also_meets_frames_that_wait);
    TEST(every_third_large_frame_is_lost);
    TEST(a_rate_loses_about_its_share_and_bursts_come_in_a_row);
    TEST(damage_is_seen_by_whom_the_fault_says);
    return TEST_RUN("sim.net.link");
}
