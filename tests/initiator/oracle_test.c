/* The oracle over a small array that is honest or breaks one rule: what it says, and that it says
 * nothing when all is well. */
#include "tests/test.h"

#include "initiator/oracle.h"
#include "initiator/stamp.h"
#include "sim/core/attributes.h"
#include "sim/core/random.h"
#include "sim/core/time.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES 512u
#define BLOCKS      256u
#define DISK_ID     UINT64_C(3)

struct rig {
    struct trace trace; /* first: the trace's functions find the rig by it */
    struct pool *pool;
    struct oracle *oracle;
    uint8_t media[2][BLOCKS][BLOCK_BYTES]; /* as controller 0 and 1 see it */
    uint64_t sequence;
    int64_t now_ns;
    uint32_t broken_count;
    struct trace_broken broken; /* the last one */
    char text[512];
    uint32_t counts[8]; /* by number of the D rule */
};

static void on_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    struct rig *rig = CONTAINER_OF(trace, struct rig, trace);

    assert_int_equal(at_ns, rig->now_ns);
    rig->broken_count++;
    rig->broken = *broken;
    (void)snprintf(rig->text, sizeof(rig->text), "%s", broken->text);
    rig->counts[broken->rule[1] - '0']++;
}

static const struct trace_ops *trace_ops(void)
{
    static struct trace_ops ops;

    ops = *trace_nowhere_ops();
    ops.broken = on_broken;
    return &ops;
}

static const char *const hosts[] = {"hv1", "hv2"};

static void setup(struct rig *rig)
{
    *rig = (struct rig){.trace = {.ops = trace_ops()}, .pool = pool_new(), .now_ns = MS(1234)};
    rig->oracle = oracle_new(&(struct oracle_options){
        .pool = rig->pool,
        .trace = &rig->trace,
        .disk_id = DISK_ID,
        .disk_name = "vm-store",
        .block_bytes = BLOCK_BYTES,
        .block_count = BLOCKS,
        .host_names = hosts,
        .host_count = 2,
    });
}

static void teardown(struct rig *rig)
{
    oracle_free(rig->oracle);
    assert_int_equal(pool_live_blocks(rig->pool), 0);
    assert_int_equal(pool_live_bufs(rig->pool), 0);
    assert_int_equal(pool_live_chunks(rig->pool), 0);
    pool_free(rig->pool);
}

static void apply(struct rig *rig, int controller, uint64_t lba, uint32_t blocks, uint64_t stamp)
{
    for (uint32_t i = 0; i < blocks; i++)
        stamp_fill(rig->media[controller][lba + i], BLOCK_BYTES, stamp, DISK_ID, lba + i);
}

/* Starts a write of host 'host'; it is applied by whoever calls apply(). */
static void write_starts(struct rig *rig, struct oracle_op *op, uint32_t host, uint64_t lba,
                         uint32_t blocks)
{
    *op = (struct oracle_op){.host = host, .disk = 0};
    oracle_write_starts(rig->oracle, op, lba, blocks, stamp_make(host, ++rig->sequence));
}

/* A write that is applied to both controllers and acknowledged. */
static void write_good(struct rig *rig, uint32_t host, uint64_t lba, uint32_t blocks)
{
    struct oracle_op op;

    write_starts(rig, &op, host, lba, blocks);
    apply(rig, 0, lba, blocks, op.stamp);
    apply(rig, 1, lba, blocks, op.stamp);
    oracle_write_ends(rig->oracle, &op, WRITE_ACKNOWLEDGED, rig->now_ns);
}

static void write_dropped(struct rig *rig, uint32_t host, uint64_t lba, uint32_t blocks)
{
    struct oracle_op op;

    write_starts(rig, &op, host, lba, blocks);
    oracle_write_ends(rig->oracle, &op, WRITE_ACKNOWLEDGED, rig->now_ns);
}

/* The content as it comes off the wire: in pieces of odd sizes, some of one chunk, some not. */
static struct buf *in_pieces(struct rig *rig, const uint8_t *bytes, size_t count)
{
    static const size_t sizes[] = {1, 700, 511, 48, 1448, 512, 3000};
    struct buf *chain = NULL;

    for (size_t at = 0, i = 0; at < count; i++) {
        size_t size = sizes[i % ARRAY_SIZE(sizes)];
        size_t part = size < count - at ? size : count - at;
        struct buf *piece = buf_copy(rig->pool, bytes + at, part);

        if (part > 100) { /* two slices of one chunk */
            struct buf *front = buf_cut(&piece, 77);

            piece = buf_join(front, piece);
        }
        chain = buf_join(chain, piece);
        at += part;
    }
    return chain;
}

static void read_by(struct rig *rig, uint32_t host, int controller, uint64_t lba, uint32_t blocks)
{
    struct oracle_op op = {.host = host, .disk = 0};

    oracle_read_starts(rig->oracle, &op, lba, blocks);
    struct buf *data = in_pieces(rig, rig->media[controller][lba], (size_t)blocks * BLOCK_BYTES);

    oracle_read_ends(rig->oracle, &op, data, (uint32_t)controller, rig->now_ns);
    buf_free(data);
}

static void honest_reads_are_fine_in_pieces_of_any_size(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    read_by(&rig, 0, 0, 0, BLOCKS); /* zeros */
    write_good(&rig, 0, 10, 100);
    write_good(&rig, 1, 60, 10);
    read_by(&rig, 0, 0, 0, BLOCKS);
    read_by(&rig, 1, 1, 55, 17);
    assert_int_equal(rig.broken_count, 0);
    assert_int_equal(oracle_broken_count(rig.oracle), 0);
    teardown(&rig);
}

static void a_dropped_write_is_d1_with_the_words_to_find_it(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    write_good(&rig, 0, 40, 8);
    write_dropped(&rig, 0, 44, 1);
    rig.now_ns = SECONDS(2);
    read_by(&rig, 0, 1, 40, 8);
    assert_int_equal(rig.broken_count, 1);
    assert_string_equal(rig.broken.rule, "D1");
    assert_int_equal(rig.broken.lba, 44);
    assert_int_equal(rig.broken.host, 0);
    assert_int_equal(rig.broken.path, 1);
    assert_string_equal(rig.text,
                        "read of disk vm-store returned write #1 of host hv1, but write #2 of host "
                        "hv1 had been acknowledged at 1.234 s: an acknowledged write is lost");
    read_by(&rig, 0, 1, 40, 8);
    assert_int_equal(rig.broken_count, 1); /* told once */
    assert_int_equal(oracle_broken_count(rig.oracle), 2);
    teardown(&rig);
}

static void zeros_where_something_was_written_are_d1(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    write_dropped(&rig, 1, 7, 1);
    read_by(&rig, 0, 0, 7, 1);
    assert_string_equal(rig.text, "read of disk vm-store returned zeros (never written), but write "
                                  "#1 of host hv2 had been acknowledged at 1.234 s: an "
                                  "acknowledged write is lost");
    teardown(&rig);
}

static void a_stale_cache_is_d2_and_a_flip_is_d4(void **state)
{
    struct oracle_op op;
    struct rig rig;

    (void)state;
    setup(&rig);
    write_good(&rig, 0, 9, 1);
    write_starts(&rig, &op, 0, 9, 1);
    apply(&rig, 0, 9, 1, op.stamp); /* controller 1 never hears of it */
    oracle_write_ends(rig.oracle, &op, WRITE_ACKNOWLEDGED, rig.now_ns);
    read_by(&rig, 0, 0, 9, 1);
    assert_int_equal(rig.broken_count, 0);
    read_by(&rig, 1, 1, 9, 1);
    assert_string_equal(rig.broken.rule, "D2");
    assert_int_equal(rig.broken.host, 1);
    read_by(&rig, 0, 0, 9, 1);
    assert_int_equal(rig.broken_count, 1);
    read_by(&rig, 0, 1, 9, 1);
    assert_int_equal(rig.broken_count, 2);
    assert_string_equal(rig.broken.rule, "D4");
    teardown(&rig);
}

static void a_block_of_another_place_is_d5(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    write_good(&rig, 0, 16, 2);
    memcpy(rig.media[0][17], rig.media[0][16], BLOCK_BYTES);
    read_by(&rig, 0, 0, 16, 2);
    assert_int_equal(rig.broken_count, 1);
    assert_string_equal(rig.broken.rule, "D5");
    assert_int_equal(rig.broken.lba, 17);
    assert_string_equal(rig.text, "read of disk vm-store (number 3), LBA 17, returned write #1 of "
                                  "host hv1 that belongs to disk number 3, LBA 16");
    stamp_fill(rig.media[1][17], BLOCK_BYTES, stamp_make(0, 1), DISK_ID + 1, 17);
    read_by(&rig, 0, 1, 16, 2);
    assert_int_equal(rig.broken_count, 1); /* the same block was told */
    assert_int_equal(oracle_broken_count(rig.oracle), 2);
    teardown(&rig);
}

static void a_torn_block_is_d6(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    write_good(&rig, 0, 30, 1);
    memcpy(rig.media[1][30], rig.media[0][30], BLOCK_BYTES);
    write_good(&rig, 0, 30, 1);
    stamp_fill(rig.media[1][30], BLOCK_BYTES, stamp_make(0, 1), DISK_ID, 30);
    memcpy(rig.media[1][30], rig.media[0][30], BLOCK_BYTES / 2);
    read_by(&rig, 0, 1, 30, 1);
    assert_string_equal(rig.broken.rule, "D6");
    assert_int_equal(rig.broken.lba, 30);
    assert_non_null(strstr(rig.text, "write #2 of host hv1"));
    teardown(&rig);
}

static void a_stamp_from_nowhere_is_named_and_harmless(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    stamp_fill(rig.media[0][3], BLOCK_BYTES, stamp_make(999, 5), DISK_ID, 3);
    read_by(&rig, 0, 0, 3, 1);
    assert_int_equal(rig.broken_count, 1);
    assert_non_null(strstr(rig.text, "write #5 of unknown host 999"));
    teardown(&rig);
}

static void unknown_and_unsent_writes_are_judged_apart(void **state)
{
    struct oracle_op op;
    struct rig rig;

    (void)state;
    setup(&rig);
    write_starts(&rig, &op, 0, 5, 1);
    oracle_write_ends(rig.oracle, &op, WRITE_UNKNOWN, rig.now_ns);
    read_by(&rig, 0, 0, 5, 1);
    apply(&rig, 0, 5, 1, op.stamp);
    read_by(&rig, 0, 0, 5, 1);
    assert_int_equal(rig.broken_count, 0);
    write_starts(&rig, &op, 0, 6, 1);
    oracle_write_ends(rig.oracle, &op, WRITE_NEVER_SENT, rig.now_ns);
    apply(&rig, 0, 6, 1, op.stamp);
    read_by(&rig, 0, 0, 6, 1);
    assert_int_equal(rig.broken_count, 1);
    teardown(&rig);
}

static void a_ghost_write_after_a_newer_one_is_seen(void **state)
{
    struct oracle_op op;
    struct rig rig;

    (void)state;
    setup(&rig);
    write_starts(&rig, &op, 0, 5, 1); /* tried on a path that dies, done on another one */
    apply(&rig, 0, 5, 1, op.stamp);
    oracle_write_ends(rig.oracle, &op, WRITE_ACKNOWLEDGED, rig.now_ns);
    uint64_t ghost = op.stamp;

    write_good(&rig, 0, 5, 1);
    apply(&rig, 0, 5, 1, ghost); /* the first attempt arrives after all */
    read_by(&rig, 0, 0, 5, 1);
    assert_string_equal(rig.broken.rule, "D1");
    teardown(&rig);
}

static void failed_reads_and_dropped_operations_leave_nothing_behind(void **state)
{
    struct oracle_op small = {.host = 0};
    struct oracle_op large = {.host = 0};
    struct oracle_op write = {.host = 0};
    struct rig rig;

    (void)state;
    setup(&rig);
    oracle_read_starts(rig.oracle, &small, 0, 1);
    oracle_read_starts(rig.oracle, &large, 0, BLOCKS);
    write_starts(&rig, &write, 0, 0, 200);
    oracle_read_ends(rig.oracle, &small, NULL, TRACE_NONE, rig.now_ns);
    oracle_drop(rig.oracle, &write);
    oracle_drop(rig.oracle, &large);
    assert_int_equal(rig.broken_count, 0);
    teardown(&rig);
}

/* Many clients over an array with a bug, or with none: which rules are named? */
struct array_row {
    const char *name;
    int drops_every;     /* acknowledged writes that are not applied */
    bool has_stale_port; /* controller 1 hears of every other write only */
    bool has_two_caches; /* each controller hears of its own writes only */
    bool tears;          /* one write in 50 is applied half */
    const char *rules;   /* digits of the D rules that must be named; all others must not */
};

static struct array_row array_rows[] = {
    {"an honest array breaks nothing", 0, false, false, false, ""},
    {"an array that drops acknowledged writes: D1", 100, false, false, false, "1"},
    {"an array with a stale port: D2 among others", 0, true, false, false, "124"},
    {"an array with two caches: D4 among others", 0, false, true, false, "124"},
    {"an array that tears blocks: D6", 0, false, false, true, "6"},
};

static void apply_with_bug(struct rig *rig, const struct array_row *row, int controller,
                           uint64_t lba, uint32_t blocks, uint64_t stamp, uint64_t number)
{
    if (row->drops_every && number % (uint64_t)row->drops_every == 0)
        return;
    for (int each = 0; each < 2; each++) {
        if (row->has_two_caches && each != controller)
            continue;
        if (row->has_stale_port && each == 1 && number % 2 == 0)
            continue;
        if (row->tears && number % 50 == 0) {
            for (uint32_t i = 0; i < blocks; i++) {
                uint8_t whole[BLOCK_BYTES];

                stamp_fill(whole, BLOCK_BYTES, stamp, DISK_ID, lba + i);
                memcpy(rig->media[each][lba + i], whole, BLOCK_BYTES / 2);
            }
            continue;
        }
        apply(rig, each, lba, blocks, stamp);
    }
}

static void names_what_the_array_breaks(void **state)
{
    enum { CLIENTS = 12, STEPS = 30000 };
    const struct array_row *row = *state;
    struct client {
        struct oracle_op op;
        struct buf *data;
        bool is_open, is_applied;
        int controller;
    } clients[CLIENTS] = {0};
    struct random random;
    struct rig rig;

    setup(&rig);
    random_init(&random, 5, "array");
    for (int step = 0; step < STEPS; step++) {
        struct client *client = &clients[random_below(&random, CLIENTS)];
        struct oracle_op *op = &client->op;

        rig.now_ns += US(10);
        if (!client->is_open) {
            uint32_t blocks = 1 + (uint32_t)random_below(&random, 8);
            uint64_t lba = random_below(&random, 32);

            client->is_open = true;
            client->is_applied = false;
            client->controller = (int)random_below(&random, 2);
            *op = (struct oracle_op){.host = (uint32_t)random_below(&random, 2)};
            if (random_chance(&random, 300000))
                oracle_write_starts(rig.oracle, op, lba, blocks,
                                    stamp_make(op->host, ++rig.sequence));
            else
                oracle_read_starts(rig.oracle, op, lba, blocks);
        } else if (!client->is_applied) {
            client->is_applied = true;
            if (op->is_write)
                apply_with_bug(&rig, row, client->controller, op->lba, op->blocks, op->stamp,
                               stamp_sequence(op->stamp));
            else
                client->data = in_pieces(&rig, rig.media[client->controller][op->lba],
                                         (size_t)op->blocks * BLOCK_BYTES);
        } else {
            client->is_open = false;
            if (op->is_write) {
                oracle_write_ends(rig.oracle, op, WRITE_ACKNOWLEDGED, rig.now_ns);
            } else {
                oracle_read_ends(rig.oracle, op, client->data, (uint32_t)client->controller,
                                 rig.now_ns);
                buf_free(client->data);
                client->data = NULL;
            }
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        buf_free(clients[i].data);
        if (clients[i].is_open)
            oracle_drop(rig.oracle, &clients[i].op);
    }
    for (int rule = '0'; rule < '8'; rule++) {
        if (strchr(row->rules, rule))
            assert_true(rig.counts[rule - '0'] > 0);
        else
            assert_int_equal(rig.counts[rule - '0'], 0);
    }
    teardown(&rig);
}

int main(void)
{
    TEST(honest_reads_are_fine_in_pieces_of_any_size);
    TEST(a_dropped_write_is_d1_with_the_words_to_find_it);
    TEST(zeros_where_something_was_written_are_d1);
    TEST(a_stale_cache_is_d2_and_a_flip_is_d4);
    TEST(a_block_of_another_place_is_d5);
    TEST(a_torn_block_is_d6);
    TEST(a_stamp_from_nowhere_is_named_and_harmless);
    TEST(unknown_and_unsent_writes_are_judged_apart);
    TEST(a_ghost_write_after_a_newer_one_is_seen);
    TEST(failed_reads_and_dropped_operations_leave_nothing_behind);
    TEST_ROWS(array_rows, names_what_the_array_breaks);
    return TEST_RUN("initiator.oracle");
}
