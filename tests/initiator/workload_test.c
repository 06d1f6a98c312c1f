/* When a load starts its I/Os, where, and what it makes of the answers. The disk is a piece of
 * memory that answers when the story says so. */
#include "tests/test.h"

#include "initiator/stamp.h"
#include "initiator/workload.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 512u
#define BLOCKS      65536u
#define IO_BYTES    4096u
#define MOST_IOS    512u

struct rig {
    struct trace trace; /* first: the trace's functions find the rig by it */
    struct pool *pool;
    struct oracle *oracle;
    struct workload *workload;
    uint8_t *media;
    int64_t now_ns;
    struct mpath_io *open[MOST_IOS]; /* by start */
    uint32_t open_count;
    uint32_t broken_count;
};

static void on_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    (void)at_ns, (void)broken;
    CONTAINER_OF(trace, struct rig, trace)->broken_count++;
}

static const struct trace_ops *trace_ops(void)
{
    static struct trace_ops ops;

    ops = *trace_nowhere_ops();
    ops.broken = on_broken;
    return &ops;
}

static const char *const hosts[] = {"hv1"};

static void setup(struct rig *rig)
{
    *rig = (struct rig){.trace = {.ops = trace_ops()}, .pool = pool_new()};
    rig->oracle = oracle_new(&(struct oracle_options){
        .pool = rig->pool,
        .trace = &rig->trace,
        .disk_id = 1,
        .disk_name = "disk",
        .block_bytes = BLOCK_BYTES,
        .block_count = BLOCKS,
        .host_names = hosts,
        .host_count = 1,
    });
    rig->workload = workload_new(rig->pool, 0, "hv1", 42);
    rig->media = calloc(BLOCKS, BLOCK_BYTES);
}

static void teardown(struct rig *rig)
{
    workload_free(rig->workload);
    oracle_free(rig->oracle);
    assert_int_equal(pool_live_blocks(rig->pool), 0);
    assert_int_equal(pool_live_bufs(rig->pool), 0);
    assert_int_equal(pool_live_chunks(rig->pool), 0);
    pool_free(rig->pool);
    free(rig->media);
}

static struct load_options options(uint32_t in_flight, uint64_t rate)
{
    return (struct load_options){
        .name = "load",
        .in_flight = in_flight,
        .rate_per_s = rate,
        .queue = LOAD_QUEUE,
        .read_ppm = 500000,
        .io_bytes = IO_BYTES,
        .area_bytes = 1 << 20,
        .pattern = PATTERN_RANDOM,
        .stop_at_ns = TIME_NEVER,
        .error_pause_ns = LOAD_ERROR_PAUSE_NS,
    };
}

/* Starts all that is due; returns how many. */
static uint32_t start_due(struct rig *rig)
{
    uint32_t disk = 99;
    uint32_t count = 0;
    struct mpath_io *io;

    while ((io = workload_next_io(rig->workload, rig->now_ns, &disk))) {
        assert_int_equal(disk, 0);
        assert_true(rig->open_count < MOST_IOS);
        io->attempts = 1;
        rig->open[rig->open_count++] = io;
        count++;
    }
    return count;
}

/* Ends the I/O at 'index' as the array and the multipath disk would. */
static void end_io(struct rig *rig, uint32_t index, bool is_error)
{
    struct mpath_io *io = rig->open[index];
    uint8_t *place = rig->media + io->lba * BLOCK_BYTES;
    size_t bytes = (size_t)io->blocks * BLOCK_BYTES;

    assert_true(index < rig->open_count);
    rig->open_count--;
    memmove(&rig->open[index], &rig->open[index + 1],
            (rig->open_count - index) * sizeof(rig->open[0]));
    io->is_error = is_error;
    if (!is_error && io->is_write)
        buf_read(io->data, 0, place, bytes);
    else if (!is_error)
        io->command.data_in = buf_copy(rig->pool, place, bytes);
    workload_io_done(rig->workload, io, rig->now_ns);
}

static void begin(struct rig *rig, struct load_options load)
{
    (void)workload_add_load(rig->workload, &load, rig->oracle);
    workload_disk_arrived(rig->workload, 0, rig->now_ns);
}

static void an_open_loop_starts_at_exact_instants_whatever_the_rate(void **state)
{
    static const uint64_t rates[] = {1, 3, 7, 500, 999983, 3000000};

    (void)state;
    for (size_t r = 0; r < ARRAY_SIZE(rates); r++) {
        struct load_options load = options(0, rates[r]);
        struct rig rig;

        setup(&rig);
        load.start_at_ns = SECONDS(5);
        begin(&rig, load);
        for (uint64_t i = 0; i < 300; i++) {
            int64_t planned_ns = SECONDS(5) + (int64_t)(i * UINT64_C(1000000000) / rates[r]);

            assert_int_equal(workload_deadline_ns(rig.workload), planned_ns);
            rig.now_ns = planned_ns - 1;
            assert_int_equal(start_due(&rig), 0);
            rig.now_ns = planned_ns;
            assert_int_equal(start_due(&rig), 1);
            assert_int_equal(rig.open[0]->planned_at_ns, planned_ns);
            end_io(&rig, 0, false);
        }
        teardown(&rig);
    }
}

static void a_full_queue_delays_the_start_but_not_the_plan(void **state)
{
    struct load_options load = options(0, 1000);
    struct rig rig;

    (void)state;
    setup(&rig);
    load.queue = 3;
    begin(&rig, load);
    rig.now_ns = MS(10); /* planned at 0, 1, 2 ... 10 ms */
    assert_int_equal(start_due(&rig), 3);
    assert_int_equal(workload_deadline_ns(rig.workload), TIME_NEVER);
    rig.now_ns = MS(50);
    end_io(&rig, 0, false);
    assert_int_equal(start_due(&rig), 1);
    assert_int_equal(rig.open[2]->planned_at_ns, MS(3)); /* waited for 47 ms, and that counts */
    end_io(&rig, 0, false);
    assert_int_equal(start_due(&rig), 1);
    assert_int_equal(rig.open[2]->planned_at_ns, MS(4));
    assert_int_equal(workload_counts(rig.workload, 0)->most_outstanding, 3);
    teardown(&rig);
}

static void a_closed_loop_keeps_its_number_in_flight(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    begin(&rig, options(4, 0));
    assert_int_equal(start_due(&rig), 4);
    assert_int_equal(workload_deadline_ns(rig.workload), TIME_NEVER);
    for (int i = 0; i < 100; i++) {
        rig.now_ns += US(70);
        end_io(&rig, 0, false);
        assert_int_equal(workload_deadline_ns(rig.workload) <= rig.now_ns, true);
        assert_int_equal(start_due(&rig), 1);
        assert_int_equal(rig.open[3]->planned_at_ns, rig.now_ns);
    }
    assert_int_equal(workload_outstanding(rig.workload), 4);
    teardown(&rig);
}

static void a_ceiling_spaces_the_starts_and_saves_nothing_up(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    begin(&rig, options(2, 100)); /* at most one each 10 ms */
    assert_int_equal(start_due(&rig), 1);
    assert_int_equal(workload_deadline_ns(rig.workload), MS(10));
    rig.now_ns = MS(10);
    assert_int_equal(start_due(&rig), 1);
    rig.now_ns = MS(500); /* both hang for long */
    end_io(&rig, 0, false);
    end_io(&rig, 0, false);
    assert_int_equal(start_due(&rig), 1);
    assert_int_equal(rig.open[0]->planned_at_ns, MS(500)); /* latency counts from here */
    assert_int_equal(workload_deadline_ns(rig.workload), MS(510));
    rig.now_ns = MS(513); /* a little late: the next one is not */
    assert_int_equal(start_due(&rig), 1);
    end_io(&rig, 0, false);
    assert_int_equal(workload_deadline_ns(rig.workload), MS(520));
    teardown(&rig);
}

static void nothing_starts_before_the_disk_or_after_the_stop(void **state)
{
    struct load_options load = options(2, 0);
    struct rig rig;

    (void)state;
    setup(&rig);
    load.start_at_ns = SECONDS(1);
    load.stop_at_ns = SECONDS(3);
    (void)workload_add_load(rig.workload, &load, rig.oracle);
    rig.now_ns = SECONDS(2);
    assert_int_equal(start_due(&rig), 0);
    workload_disk_arrived(rig.workload, 1, rig.now_ns); /* another disk */
    assert_int_equal(start_due(&rig), 0);
    workload_disk_arrived(rig.workload, 0, rig.now_ns);
    assert_int_equal(start_due(&rig), 2);
    rig.now_ns = SECONDS(3) - 1;
    end_io(&rig, 0, false);
    assert_int_equal(start_due(&rig), 1);
    rig.now_ns = SECONDS(3);
    end_io(&rig, 0, false);
    assert_int_equal(start_due(&rig), 0);
    assert_int_equal(workload_deadline_ns(rig.workload), TIME_NEVER);
    teardown(&rig);
}

static void a_closed_loop_rests_after_an_error(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    begin(&rig, options(2, 0));
    assert_int_equal(start_due(&rig), 2);
    rig.now_ns = SECONDS(1);
    end_io(&rig, 0, true);
    end_io(&rig, 0, true);
    assert_int_equal(start_due(&rig), 0);
    assert_int_equal(workload_deadline_ns(rig.workload), SECONDS(1) + LOAD_ERROR_PAUSE_NS);
    rig.now_ns = SECONDS(1) + LOAD_ERROR_PAUSE_NS;
    assert_int_equal(start_due(&rig), 2);
    assert_int_equal(workload_counts(rig.workload, 0)->errors, 2);
    teardown(&rig);
}

static void random_stays_in_its_area_and_never_overlaps_writes(void **state)
{
    struct load_options load = options(40, 0);
    struct rig rig;
    uint32_t reads = 0;
    uint32_t total = 0;

    (void)state;
    setup(&rig);
    load.area_offset_bytes = 1 << 20;
    load.area_bytes = 64 * IO_BYTES + 100; /* the last 100 bytes are not used */
    load.read_ppm = 250000;
    begin(&rig, load);
    for (int i = 0; i < 3000; i++) {
        total += start_due(&rig);
        for (uint32_t a = 0; a < rig.open_count; a++) {
            assert_true(rig.open[a]->lba >= (1 << 20) / BLOCK_BYTES);
            assert_true(rig.open[a]->lba + rig.open[a]->blocks <= (1 << 20) / BLOCK_BYTES + 64 * 8);
            assert_int_equal(rig.open[a]->lba % 8, 0);
            for (uint32_t b = 0; b < a; b++) {
                if (rig.open[a]->is_write && rig.open[b]->is_write)
                    assert_true(rig.open[a]->lba != rig.open[b]->lba);
            }
        }
        assert_int_not_equal(rig.open_count, 0);
        reads += !rig.open[(uint32_t)i * 7 % rig.open_count]->is_write; /* NOLINT: not 0 */
        end_io(&rig, (uint32_t)i * 7 % rig.open_count, false);
    }
    assert_in_range(reads, 3000 / 4 - 100, 3000 / 4 + 100);
    assert_int_equal(total, 3039);
    assert_int_equal(rig.broken_count, 0);
    teardown(&rig);
}

static void writes_wait_while_every_place_is_being_written(void **state)
{
    struct load_options load = options(10, 0);
    struct rig rig;

    (void)state;
    setup(&rig);
    load.area_bytes = 3 * IO_BYTES;
    load.read_ppm = 0;
    begin(&rig, load);
    assert_int_equal(start_due(&rig), 3);
    assert_int_equal(workload_deadline_ns(rig.workload), TIME_NEVER);
    end_io(&rig, 1, false);
    assert_int_equal(start_due(&rig), 1);
    teardown(&rig);
}

static void sequential_goes_through_its_area_and_round(void **state)
{
    struct load_options load = options(1, 0);
    struct rig rig;

    (void)state;
    setup(&rig);
    load.pattern = PATTERN_SEQUENTIAL;
    load.area_bytes = 5 * IO_BYTES;
    begin(&rig, load);
    for (uint64_t i = 0; i < 12; i++) {
        assert_int_equal(start_due(&rig), 1);
        assert_int_equal(rig.open[0]->lba, i % 5 * 8);
        end_io(&rig, 0, false);
    }
    teardown(&rig);
}

static void rewrite_hits_few_places_and_any_overlapping_write_may_win(void **state)
{
    struct load_options load = options(32, 0);
    struct rig rig;
    bool has_overlap = false;

    (void)state;
    setup(&rig);
    load.pattern = PATTERN_REWRITE;
    begin(&rig, load);
    for (uint32_t i = 0; i < 5000; i++) {
        start_due(&rig);
        for (uint32_t a = 1; a < rig.open_count; a++) {
            assert_true(rig.open[a]->lba < LOAD_REWRITE_PLACES * 8);
            has_overlap |= rig.open[a]->is_write && rig.open[0]->is_write &&
                           rig.open[a]->lba == rig.open[0]->lba;
        }
        end_io(&rig, i * 13 % rig.open_count, i % 97 == 0);
        rig.now_ns += LOAD_ERROR_PAUSE_NS;
    }
    assert_true(has_overlap);
    assert_int_equal(rig.broken_count, 0);
    teardown(&rig);
}

static void written_blocks_carry_stamps_of_their_place_and_are_judged(void **state)
{
    struct load_options load = options(1, 0);
    struct stamp_seen seen;
    uint8_t block[BLOCK_BYTES];
    struct rig rig;

    (void)state;
    setup(&rig);
    load.read_ppm = 0;
    load.pattern = PATTERN_SEQUENTIAL;
    load.area_bytes = IO_BYTES;
    begin(&rig, load);
    assert_int_equal(start_due(&rig), 1);
    buf_read(rig.open[0]->data, 7 * BLOCK_BYTES, block, BLOCK_BYTES);
    assert_int_equal(stamp_look(block, BLOCK_BYTES, 1, rig.open[0]->lba + 7, &seen), STAMP_VALID);
    assert_int_equal(stamp_sequence(seen.stamp), 1);
    end_io(&rig, 0, false);
    memset(rig.media, 0, IO_BYTES); /* the array forgets it */

    load.read_ppm = 1000000;
    load.name = "reader";
    begin(&rig, load);
    while (start_due(&rig) && rig.open[rig.open_count - 1]->is_write)
        ;
    for (uint32_t i = 0; i < rig.open_count; i++) {
        if (!rig.open[i]->is_write) {
            end_io(&rig, i, false);
            break;
        }
    }
    assert_int_equal(rig.broken_count, 8); /* D1 for each of the eight blocks */
    teardown(&rig);
}

static void loads_draw_apart(void **state)
{
    struct load_options load = options(1, 0);
    uint64_t alone[50];
    struct rig rig;

    (void)state;
    for (int with_other = 0; with_other < 2; with_other++) {
        setup(&rig);
        load.name = "a";
        (void)workload_add_load(rig.workload, &load, rig.oracle);
        if (with_other) {
            load.name = "b";
            load.area_offset_bytes = 8 << 20;
            (void)workload_add_load(rig.workload, &load, rig.oracle);
            load.area_offset_bytes = 0;
        }
        workload_disk_arrived(rig.workload, 0, 0);
        for (int i = 0; i < 50; i++) {
            start_due(&rig);
            for (uint32_t o = 0; o < rig.open_count; o++) {
                if (rig.open[o]->load == 0 && !with_other)
                    alone[i] = rig.open[o]->lba;
                if (rig.open[o]->load == 0)
                    assert_int_equal(rig.open[o]->lba, alone[i]);
            }
            while (rig.open_count)
                end_io(&rig, 0, false);
        }
        teardown(&rig);
    }
}

static void after_a_crash_loads_begin_anew_with_their_disk(void **state)
{
    struct load_options load = options(0, 10);
    struct rig rig;

    (void)state;
    setup(&rig);
    load.read_ppm = 0;
    load.area_bytes = IO_BYTES;
    begin(&rig, load);
    rig.now_ns = MS(250);
    assert_int_equal(start_due(&rig), 1); /* the others wait for the one place */
    workload_crash(rig.workload);
    rig.open_count = 0;
    assert_int_equal(workload_outstanding(rig.workload), 0);
    assert_int_equal(workload_deadline_ns(rig.workload), TIME_NEVER);
    rig.now_ns = SECONDS(30);
    workload_disk_arrived(rig.workload, 0, rig.now_ns);
    assert_int_equal(start_due(&rig), 1);
    assert_int_equal(rig.open[0]->planned_at_ns, SECONDS(30));
    end_io(&rig, 0, false);
    assert_int_equal(workload_deadline_ns(rig.workload), MS(30100));
    teardown(&rig);
}

/* What load_check() refuses. */
static struct refuse_row {
    const char *name;
    struct load_options load;
    const char *says;
} refuse_rows[] = {
    {"neither in-flight nor rate", {.io_bytes = 4096, .area_bytes = 4096}, "needs 'in-flight'"},
    {"too many in flight", {.in_flight = LOAD_MOST_IN_FLIGHT + 1}, "is the most"},
    {"too high a rate", {.rate_per_s = UINT64_C(100000001)}, "the rate"},
    {"no queue", {.rate_per_s = 1}, "queue"},
    {"more reads than all", {.in_flight = 1, .read_ppm = 1000001}, "100 %"},
    {"an I/O of no bytes", {.in_flight = 1}, "multiple of 512"},
    {"an I/O of half a block", {.in_flight = 1, .io_bytes = 256}, "multiple of 512"},
    {"a huge I/O", {.in_flight = 1, .io_bytes = 32 << 20}, "at most"},
    {"a small area", {.in_flight = 1, .io_bytes = 4096, .area_bytes = 512}, "smaller than one"},
    {"an area across blocks",
     {.in_flight = 1, .io_bytes = 512, .area_bytes = 512, .area_offset_bytes = 1},
     "start at a block"},
    {"an area behind the end",
     {.in_flight = 1, .io_bytes = 512, .area_bytes = UINT64_C(1) << 25, .area_offset_bytes = 512},
     "behind the end"},
    {"an area whose end overflows",
     {.in_flight = 1, .io_bytes = 512, .area_bytes = UINT64_MAX, .area_offset_bytes = 512},
     "behind the end"},
    {"a stop before the start",
     {.in_flight = 1, .io_bytes = 512, .area_bytes = 512, .start_at_ns = 2, .stop_at_ns = 1},
     "before it starts"},
    {"no pause after errors",
     {.in_flight = 1, .io_bytes = 512, .area_bytes = 512, .stop_at_ns = 1},
     "pause"},
};

static void is_refused(void **state)
{
    const struct refuse_row *row = *state;
    struct error err;

    assert_int_equal(
        load_check(&row->load, BLOCK_BYTES, BLOCKS, (struct source_pos){.line = 7}, &err),
        ERR_INPUT);
    assert_int_equal(err.pos.line, 7);
    if (!strstr(err.text, row->says))
        fail_msg("'%s' lacks '%s'", err.text, row->says);
}

int main(void)
{
    TEST(an_open_loop_starts_at_exact_instants_whatever_the_rate);
    TEST(a_full_queue_delays_the_start_but_not_the_plan);
    TEST(a_closed_loop_keeps_its_number_in_flight);
    TEST(a_ceiling_spaces_the_starts_and_saves_nothing_up);
    TEST(nothing_starts_before_the_disk_or_after_the_stop);
    TEST(a_closed_loop_rests_after_an_error);
    TEST(random_stays_in_its_area_and_never_overlaps_writes);
    TEST(writes_wait_while_every_place_is_being_written);
    TEST(sequential_goes_through_its_area_and_round);
    TEST(rewrite_hits_few_places_and_any_overlapping_write_may_win);
    TEST(written_blocks_carry_stamps_of_their_place_and_are_judged);
    TEST(loads_draw_apart);
    TEST(after_a_crash_loads_begin_anew_with_their_disk);
    TEST_ROWS(refuse_rows, is_refused);
    return TEST_RUN("initiator.workload");
}
