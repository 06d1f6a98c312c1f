/* The register check accepts what some order of the writes explains, and nothing else: stories,
 * and random histories that are compared with a search through all orders. */
#include "tests/test.h"

#include "initiator/register_check.h"
#include "sim/core/random.h"
#include "sim/core/time.h"

#include <string.h>

#define BLOCK 5u

struct bench {
    struct pool *pool;
    struct register_table *table;
    uint64_t when;
    struct register_break last;
};

static void setup(struct bench *bench)
{
    *bench = (struct bench){.pool = pool_new()};
    bench->table = register_table_new(bench->pool, 10000);
}

static void teardown(struct bench *bench)
{
    register_table_free(bench->table);
    assert_int_equal(pool_live_blocks(bench->pool), 0);
    pool_free(bench->pool);
}

static void write_starts(struct bench *bench, struct register_op *op, uint64_t stamp)
{
    register_op_starts(bench->table, BLOCK, op, ++bench->when);
    register_write_starts(bench->table, BLOCK, stamp, bench->when);
}

static void write_acked(struct bench *bench, struct register_op *op, uint64_t stamp)
{
    register_op_ends(bench->table, BLOCK, op);
    register_write_acked(bench->table, BLOCK, stamp, ++bench->when, MS(1234));
}

static void write_now(struct bench *bench, uint64_t stamp)
{
    struct register_op op;

    write_starts(bench, &op, stamp);
    write_acked(bench, &op, stamp);
}

static void read_starts(struct bench *bench, struct register_op *op)
{
    register_op_starts(bench->table, BLOCK, op, ++bench->when);
}

static enum register_verdict read_ends(struct bench *bench, struct register_op *op, uint64_t stamp)
{
    register_op_ends(bench->table, BLOCK, op);
    return register_read_ends(bench->table, BLOCK, op->start, stamp, ++bench->when, &bench->last);
}

static enum register_verdict read_now(struct bench *bench, uint64_t stamp)
{
    struct register_op op;

    read_starts(bench, &op);
    return read_ends(bench, &op, stamp);
}

static void a_block_starts_as_zeros(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    assert_int_equal(read_now(&bench, 0), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 77), REGISTER_STALE);
    teardown(&bench);
}

static void an_acknowledged_write_that_is_gone_is_lost(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    write_now(&bench, 2);
    assert_int_equal(read_now(&bench, 1), REGISTER_LOST);
    assert_int_equal(bench.last.stamp, 2);
    assert_true(bench.last.is_acked);
    assert_int_equal(bench.last.acked_at_ns, MS(1234));
    assert_false(bench.last.is_told_before);
    assert_int_equal(read_now(&bench, 1), REGISTER_LOST);
    assert_true(bench.last.is_told_before);
    assert_int_equal(read_now(&bench, 0), REGISTER_LOST);
    write_now(&bench, 3);
    assert_int_equal(read_now(&bench, 0), REGISTER_LOST);
    assert_false(bench.last.is_told_before);
    teardown(&bench);
}

static void old_after_new_was_read_is_stale_and_once_more_is_a_flip(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    write_now(&bench, 2);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 1), REGISTER_STALE);
    assert_int_equal(bench.last.stamp, 2);
    assert_int_equal(read_now(&bench, 1), REGISTER_STALE);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 1), REGISTER_FLIPPED);
    assert_false(bench.last.is_told_before);
    teardown(&bench);
}

static void a_concurrent_read_may_see_old_or_new_but_not_new_then_old(void **state)
{
    struct bench bench;
    struct register_op op;
    struct register_op read;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    write_starts(&bench, &op, 2);
    assert_int_equal(read_now(&bench, 1), REGISTER_FINE);
    read_starts(&bench, &read);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 1), REGISTER_STALE);
    assert_false(bench.last.is_acked);
    assert_int_equal(read_ends(&bench, &read, 1), REGISTER_FINE); /* began before anyone saw it */
    write_acked(&bench, &op, 2);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(register_live_values(bench.table), 0);
    teardown(&bench);
}

static void of_two_concurrent_writes_any_may_win_but_then_it_has_won(void **state)
{
    struct bench bench;
    struct register_op one;
    struct register_op two;

    (void)state;
    setup(&bench);
    write_starts(&bench, &one, 1);
    write_starts(&bench, &two, 2);
    write_acked(&bench, &two, 2);
    write_acked(&bench, &one, 1);
    assert_int_equal(register_live_values(bench.table), 2);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(register_live_values(bench.table), 0);
    assert_int_equal(read_now(&bench, 1), REGISTER_STALE);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    teardown(&bench);
}

static void a_write_of_unknown_outcome_may_land_at_any_time_once(void **state)
{
    struct bench bench;
    struct register_op op;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    write_starts(&bench, &op, 2);
    register_op_ends(bench.table, BLOCK, &op);
    register_write_unknown(bench.table, BLOCK);
    assert_int_equal(read_now(&bench, 1), REGISTER_FINE);
    write_now(&bench, 3);
    assert_int_equal(read_now(&bench, 3), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 3), REGISTER_STALE);
    assert_int_equal(read_now(&bench, 2), REGISTER_FINE);
    teardown(&bench);
}

static void a_write_that_was_never_sent_never_lands(void **state)
{
    struct bench bench;
    struct register_op op;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    write_starts(&bench, &op, 2);
    register_op_ends(bench.table, BLOCK, &op);
    register_write_void(bench.table, BLOCK, 2);
    assert_int_equal(register_live_values(bench.table), 0);
    assert_int_equal(read_now(&bench, 1), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 2), REGISTER_STALE);
    teardown(&bench);
}

static void a_long_read_keeps_old_values_until_it_ends(void **state)
{
    struct bench bench;
    struct register_op read;

    (void)state;
    setup(&bench);
    write_now(&bench, 1);
    read_starts(&bench, &read);
    for (uint64_t stamp = 2; stamp < 10; stamp++)
        write_now(&bench, stamp);
    assert_true(register_live_values(bench.table) > 1);
    assert_int_equal(read_ends(&bench, &read, 5), REGISTER_FINE);
    assert_int_equal(register_live_values(bench.table), 0);
    assert_int_equal(read_now(&bench, 5), REGISTER_LOST);
    assert_int_equal(read_now(&bench, 9), REGISTER_FINE);
    teardown(&bench);
}

static void damage_is_told_once_per_value(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    assert_true(register_tell_damage(bench.table, BLOCK));
    assert_false(register_tell_damage(bench.table, BLOCK));
    write_now(&bench, 1);
    assert_true(register_tell_damage(bench.table, BLOCK));
    teardown(&bench);
}

/* --- Random histories against a search through all orders --- */

#define MOST_OPS 7

struct history_op {
    bool is_write;
    bool is_unknown; /* WRITE: no acknowledgement */
    uint64_t stamp;
    uint64_t start;
    uint64_t end; /* UINT64_MAX: unknown */
};

struct history {
    struct history_op ops[MOST_OPS];
    int count;
};

/* Is there an order of the operations not in 'done', beginning with the register at 'value'? Each
 * may come next if nothing else that is left ended before it began. Unknown writes may be left
 * out. */
static bool has_order(const struct history *history, unsigned done, uint64_t value)
{
    uint64_t first_end = UINT64_MAX;
    bool is_complete = true;

    for (int i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];

        if (done >> i & 1)
            continue;
        if (!op->is_unknown)
            is_complete = false;
        if (op->end < first_end)
            first_end = op->end;
    }
    if (is_complete)
        return true;
    for (int i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];

        if ((done >> i & 1) || op->start > first_end)
            continue;
        if (op->is_write ? has_order(history, done | 1u << i, op->stamp)
                         : op->stamp == value && has_order(history, done | 1u << i, value))
            return true;
    }
    return false;
}

/* Runs a random history through the check, until it finds the first break. Reads return values of
 * writes that have started, so that about half of the histories are right. */
static void compare_with_search(uint64_t seed, int counts[2])
{
    struct bench bench;
    struct random random;
    struct history history = {0};
    struct register_op ops[MOST_OPS];
    bool is_open[MOST_OPS] = {false};
    uint64_t stamps[MOST_OPS + 1] = {0};
    int stamp_count = 1;
    int open_count = 0;
    int total;
    bool is_broken = false;

    setup(&bench);
    random_init(&random, seed, "history");
    total = 2 + (int)random_below(&random, MOST_OPS - 1);
    while (!is_broken && (history.count < total || open_count > 0)) {
        if (history.count < total && (open_count == 0 || random_below(&random, 2))) {
            int i = history.count++;
            struct history_op *op = &history.ops[i];

            op->is_write = random_below(&random, 5) < 2;
            if (op->is_write) {
                op->stamp = (uint64_t)stamp_count;
                stamps[stamp_count++] = op->stamp;
                write_starts(&bench, &ops[i], op->stamp);
            } else {
                read_starts(&bench, &ops[i]);
            }
            op->start = bench.when;
            op->end = UINT64_MAX;
            is_open[i] = true;
            open_count++;
            continue;
        }
        int i = (int)random_below(&random, (uint64_t)history.count);

        if (!is_open[i])
            continue;
        struct history_op *op = &history.ops[i];

        is_open[i] = false;
        open_count--;
        if (op->is_write && random_below(&random, 4) == 0) {
            op->is_unknown = true;
            register_op_ends(bench.table, BLOCK, &ops[i]);
            register_write_unknown(bench.table, BLOCK);
        } else if (op->is_write) {
            write_acked(&bench, &ops[i], op->stamp);
            op->end = bench.when;
        } else {
            /* Mostly one of the newest values, so that right histories are not rare. */
            uint64_t back = random_below(&random, 3);
            int pick = stamp_count - 1 - (int)(back < (uint64_t)stamp_count ? back : 0);

            op->stamp = stamps[pick];
            is_broken = read_ends(&bench, &ops[i], op->stamp) != REGISTER_FINE;
            op->end = bench.when;
        }
    }
    /* What is still open when a break was found: reads say nothing, writes may have landed. */
    struct history known = {0};

    for (int i = 0; i < history.count; i++) {
        if (is_open[i] && history.ops[i].is_write) {
            register_op_ends(bench.table, BLOCK, &ops[i]);
            register_write_unknown(bench.table, BLOCK);
            history.ops[i].is_unknown = true;
        } else if (is_open[i]) {
            register_op_ends(bench.table, BLOCK, &ops[i]);
            register_read_dropped(bench.table, BLOCK);
            continue;
        }
        known.ops[known.count++] = history.ops[i];
    }
    if (has_order(&known, 0, 0) == is_broken)
        fail_msg("seed %llu: the check says %s", (unsigned long long)seed,
                 is_broken ? "broken" : "fine");
    counts[is_broken]++;
    teardown(&bench);
}

static void agrees_with_a_search_through_all_orders(void **state)
{
    int counts[2] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++)
        compare_with_search(seed, counts);
    assert_true(counts[0] > 2000);
    assert_true(counts[1] > 2000);
}

/* A register that really is one, with many clients: nothing is ever found, nothing piles up. */
static void accepts_every_history_of_a_true_register(void **state)
{
    enum { CLIENTS = 16 };
    struct bench bench;
    struct random random;
    struct {
        struct register_op op;
        bool is_open, is_write, is_applied;
        uint64_t stamp;
    } clients[CLIENTS] = {0};
    uint64_t value = 0;
    uint64_t next_stamp = 1;
    uint64_t most_values = 0;

    (void)state;
    setup(&bench);
    random_init(&random, 9, "register");
    for (int step = 0; step < 400000; step++) {
        size_t i = random_below(&random, CLIENTS);

        if (!clients[i].is_open) {
            clients[i].is_open = true;
            clients[i].is_applied = false;
            clients[i].is_write = random_below(&random, 2);
            clients[i].stamp = clients[i].is_write ? next_stamp++ : 0;
            if (clients[i].is_write)
                write_starts(&bench, &clients[i].op, clients[i].stamp);
            else
                read_starts(&bench, &clients[i].op);
        } else if (!clients[i].is_applied) { /* the moment at which it takes place */
            clients[i].is_applied = true;
            if (clients[i].is_write)
                value = clients[i].stamp;
            else
                clients[i].stamp = value;
        } else {
            clients[i].is_open = false;
            if (clients[i].is_write)
                write_acked(&bench, &clients[i].op, clients[i].stamp);
            else
                assert_int_equal(read_ends(&bench, &clients[i].op, clients[i].stamp),
                                 REGISTER_FINE);
        }
        if (register_live_values(bench.table) > most_values)
            most_values = register_live_values(bench.table);
    }
    assert_true(most_values < 200);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (clients[i].is_open && clients[i].is_write) {
            register_op_ends(bench.table, BLOCK, &clients[i].op);
            register_write_unknown(bench.table, BLOCK);
        } else if (clients[i].is_open) {
            register_op_ends(bench.table, BLOCK, &clients[i].op);
            register_read_dropped(bench.table, BLOCK);
        }
    }
    teardown(&bench);
}

static void an_operation_on_a_neighbour_delays_only_the_forgetting(void **state)
{
    struct bench bench;
    struct register_op neighbour;
    struct register_op write;
    (void)state;

    setup(&bench);
    register_op_starts(bench.table, BLOCK + 1, &neighbour, ++bench.when);
    write_starts(&bench, &write, 7);
    write_acked(&bench, &write, 7);
    assert_int_equal(register_live_values(bench.table), 1);
    assert_int_equal(read_now(&bench, 7), REGISTER_FINE);
    assert_int_equal(read_now(&bench, 0), REGISTER_STALE);
    register_op_ends(bench.table, BLOCK + 1, &neighbour);
    assert_int_equal(read_now(&bench, 7), REGISTER_FINE);
    assert_int_equal(register_live_values(bench.table), 0);
    teardown(&bench);
}

int main(void)
{
    TEST(a_block_starts_as_zeros);
    TEST(an_acknowledged_write_that_is_gone_is_lost);
    TEST(old_after_new_was_read_is_stale_and_once_more_is_a_flip);
    TEST(a_concurrent_read_may_see_old_or_new_but_not_new_then_old);
    TEST(of_two_concurrent_writes_any_may_win_but_then_it_has_won);
    TEST(a_write_of_unknown_outcome_may_land_at_any_time_once);
    TEST(a_write_that_was_never_sent_never_lands);
    TEST(a_long_read_keeps_old_values_until_it_ends);
    TEST(damage_is_told_once_per_value);
    TEST(agrees_with_a_search_through_all_orders);
    TEST(accepts_every_history_of_a_true_register);
    TEST(an_operation_on_a_neighbour_delays_only_the_forgetting);
    return TEST_RUN("initiator.register_check");
}
