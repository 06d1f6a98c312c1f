/* Layers of bad luck: which frames are struck, and what comes out of a link with faults, and when.
 */
#include "sim/net/impair.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/net/link.h"

#include "tests/test.h"

#define GIGABIT   INT64_C(1000000000)
#define DRAWS     200000
#define MOST_SEEN 64

/* Gilbert's chain: the share that is lost, and how long the bursts are on average. */
static struct chain_row {
    const char *name;
    uint32_t rate_ppm;
    uint32_t burst_frames;
    uint32_t lost_least, lost_most;               /* of DRAWS frames */
    uint32_t burst_least_milli, burst_most_milli; /* mean length x 1000 */
} chain_rows[] = {
    {"each by itself: 10 % in bursts of 1.11 frames", 100000, 1, 19330, 20670, 1090, 1131},
    {"1 % in bursts of 10 frames", 10000, 10, 1400, 2600, 8000, 12000},
    {"30 % in bursts of 4 frames", 300000, 4, 58000, 62000, 3850, 4150},
    {"50 % in bursts of 1 is a coin", 500000, 1, 98900, 101100, 1970, 2030},
    {"75 % in bursts of 3: one spared between two bursts", 750000, 3, 148500, 151500, 2900, 3100},
    {"all of them is one burst", 1000000, 3, DRAWS, DRAWS, 0, UINT32_MAX},
};

static void bursts_have_their_share_and_their_length(void **state)
{
    const struct chain_row *row = *state;
    struct impair impair = {0};
    uint32_t lost = 0;
    uint32_t bursts = 0;
    bool was_lost = false;

    impair_add(&impair,
               &(struct impair_config){.kind = IMPAIR_LOSE,
                                       .rate_ppm = row->rate_ppm,
                                       .burst_frames = row->burst_frames},
               3, "cable");
    for (uint32_t i = 0; i < DRAWS; i++) {
        bool is_lost = impair_judge(&impair, 100).is_lost;

        lost += is_lost;
        bursts += is_lost && !was_lost;
        was_lost = is_lost;
    }
    impair_fini(&impair);
    assert_in_range(lost, row->lost_least, row->lost_most);
    assert_in_range((uint64_t)lost * 1000 / bursts, row->burst_least_milli, row->burst_most_milli);
}

static void a_rate_too_high_for_its_bursts_does_not_fit(void **state)
{
    (void)state;

    assert_true(impair_burst_fits(750000, 3));
    assert_false(impair_burst_fits(750001, 3));
    assert_true(impair_burst_fits(1000000, 3));
    assert_true(impair_burst_fits(999999, 1));
    assert_true(impair_burst_fits(999999, 0));
}

static void a_layer_more_leaves_the_draws_of_the_others_alone(void **state)
{
    struct impair alone = {0};
    struct impair both = {0};
    const struct impair_config lose = {.kind = IMPAIR_LOSE, .rate_ppm = 50000};
    const struct impair_config twice = {.kind = IMPAIR_DUPLICATE, .rate_ppm = 300000};
    (void)state;

    impair_add(&alone, &lose, 3, "cable");
    impair_add(&both, &lose, 3, "cable");
    struct impair_layer *second = impair_add(&both, &twice, 3, "cable");

    for (int i = 0; i < 2000; i++) {
        if (i == 1000)
            impair_remove(&both, second);
        assert_int_equal(impair_judge(&alone, 100).is_lost, impair_judge(&both, 100).is_lost);
    }
    impair_fini(&alone);
    impair_fini(&both);
}

/* A link whose far end notes what comes, by its first payload byte. */
struct bench {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct wire wire;
    struct link link;
    int64_t at_ns[MOST_SEEN];
    uint8_t number[MOST_SEEN];
    unsigned seen;
    uint8_t sent;
};

static void note_arrival(struct link *link, struct frame *frame)
{
    struct bench *bench = CONTAINER_OF(link, struct bench, link);

    bench->at_ns[bench->seen] = clock_now_ns(&bench->queue.clock);
    bench->number[bench->seen++] = buf_bytes(frame->payload) ? frame->payload->chunk->data[0] : 0;
    frame_unref(frame);
}

static void start(struct bench *bench)
{
    static const struct link_ops ops = {.on_arrival = note_arrival};

    *bench = (struct bench){.trace = {.ops = trace_nowhere_ops()}};
    event_queue_init(&bench->queue);
    bench->pool = pool_new();
    bench->wire = (struct wire){
        .clock = &bench->queue.clock, .pool = bench->pool, .trace = &bench->trace, .seed = 5};
    link_init(&bench->link, &bench->wire, "link", 0, &ops,
              &(struct link_config){.rate_bits_per_s = GIGABIT});
    link_set_passing(&bench->link, true);
}

static void stop(struct bench *bench)
{
    const struct link_counts *counts = &bench->link.counts;
    uint64_t dropped = 0;

    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
        dropped += counts->dropped[reason];
    assert_int_equal(counts->offered + counts->duplicated,
                     bench->seen + dropped + link_frames(&bench->link));
    link_fini(&bench->link);
    assert_int_equal(bench->queue.count, 0);
    assert_int_equal(pool_live_blocks(bench->pool), 0);
    assert_int_equal(pool_live_chunks(bench->pool), 0);
    pool_free(bench->pool);
    event_queue_fini(&bench->queue);
}

/* Frames of 1000 bytes (8.096 us each with preamble and FCS, 96 ns apart), numbered from 1. */
static void send(struct bench *bench, unsigned count)
{
    while (count-- > 0) {
        struct frame *frame = frame_new(bench->pool);
        struct chunk *chunk = chunk_new(bench->pool, 1000 - ETHERNET_BYTES);

        memset(chunk->data, ++bench->sent, chunk->bytes);
        frame_set_payload(frame, buf_new(chunk, 0, chunk->bytes));
        link_send(&bench->link, frame, clock_now_ns(&bench->queue.clock), 0);
    }
}

static void run(struct bench *bench, int64_t at_ns)
{
    event_queue_run(&bench->queue, at_ns, 1000000);
}

#define FRAME_NS (1012 * 8)
#define EACH_NS  (1024 * 8) /* with its gap */

static void a_late_frame_is_overtaken_by_those_that_come_meanwhile(void **state)
{
    static const uint8_t order[] = {1, 3, 4, 2, 5, 7, 8, 6};
    struct bench bench;
    (void)state;

    start(&bench);
    struct impair_layer *layer = link_impair(
        &bench.link,
        &(struct impair_config){.kind = IMPAIR_REORDER, .every = 4, .delay_ns = EACH_NS * 5 / 2});
    send(&bench, 2); /* so that of the next ones the second and the sixth are the fourth */
    run(&bench, MS(1));
    bench.seen = 0;
    bench.sent = 0;
    bench.link.counts = (struct link_counts){0};
    send(&bench, 8);
    run(&bench, MS(2));
    assert_int_equal(bench.seen, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(bench.number[i], order[i]);
    assert_int_equal(bench.at_ns[3], MS(1) + EACH_NS + FRAME_NS + EACH_NS * 5 / 2);
    assert_int_equal(bench.link.counts.reordered, 2);
    link_repair(&bench.link, layer);
    send(&bench, 8);
    run(&bench, MS(3));
    for (unsigned i = 8; i < 16; i++)
        assert_int_equal(bench.number[i], i + 1);
    stop(&bench);
}

static void a_second_copy_follows_as_closely_as_the_rate_allows(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench);
    struct impair_layer *layer =
        link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_DUPLICATE, .every = 2});
    send(&bench, 2);
    run(&bench, MS(1));
    assert_int_equal(bench.seen, 3);
    assert_int_equal(bench.number[1], 2);
    assert_int_equal(bench.number[2], 2);
    assert_int_equal(bench.at_ns[1], EACH_NS + FRAME_NS);
    assert_int_equal(bench.at_ns[2], EACH_NS + FRAME_NS + EACH_NS);
    assert_int_equal(bench.link.counts.duplicated, 1);
    link_repair(&bench.link, layer);
    send(&bench, 2);
    run(&bench, MS(2));
    assert_int_equal(bench.seen, 5);
    stop(&bench);
}

static void two_layers_double_twice_and_each_undo_takes_one(void **state)
{
    struct bench bench;
    const struct impair_config twice = {.kind = IMPAIR_DUPLICATE};
    (void)state;

    start(&bench);
    struct impair_layer *first = link_impair(&bench.link, &twice);
    struct impair_layer *second = link_impair(&bench.link, &twice);

    send(&bench, 1);
    run(&bench, MS(1));
    assert_int_equal(bench.seen, 3);
    link_repair(&bench.link, first);
    send(&bench, 1);
    run(&bench, MS(2));
    assert_int_equal(bench.seen, 5);
    link_repair(&bench.link, second);
    send(&bench, 1);
    run(&bench, MS(3));
    assert_int_equal(bench.seen, 6);
    stop(&bench);
}

static void late_frames_are_lost_with_the_carrier(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench);
    link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_REORDER, .delay_ns = MS(1)});
    link_impair(&bench.link, &(struct impair_config){.kind = IMPAIR_DUPLICATE});
    send(&bench, 3);
    run(&bench, US(100));
    assert_int_equal(bench.seen, 0);
    assert_int_equal(link_frames(&bench.link), 6);
    link_set_passing(&bench.link, false);
    assert_int_equal(bench.link.counts.dropped[DROP_NO_CARRIER], 6);
    run(&bench, MS(5));
    assert_int_equal(bench.seen, 0);
    stop(&bench);
}

static void what_is_held_at_the_end_is_given_back(void **state)
{
    struct bench bench;
    (void)state;

    start(&bench);
    link_impair(&bench.link,
                &(struct impair_config){.kind = IMPAIR_REORDER, .delay_ns = SECONDS(1)});
    send(&bench, 5);
    run(&bench, MS(1));
    assert_int_equal(link_frames(&bench.link), 5);
    stop(&bench);
}

int main(void)
{
    TEST_ROWS(chain_rows, bursts_have_their_share_and_their_length);
    TEST(a_rate_too_high_for_its_bursts_does_not_fit);
    TEST(a_layer_more_leaves_the_draws_of_the_others_alone);
    TEST(a_late_frame_is_overtaken_by_those_that_come_meanwhile);
    TEST(a_second_copy_follows_as_closely_as_the_rate_allows);
    TEST(two_layers_double_twice_and_each_undo_takes_one);
    TEST(late_frames_are_lost_with_the_carrier);
    TEST(what_is_held_at_the_end_is_given_back);
    return TEST_RUN("sim.net.impair");
}
