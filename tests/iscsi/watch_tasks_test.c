/* The table of watched tasks: where they stand, and what that costs. */
#include "tests/test.h"

#include "iscsi/watch_tasks.h"
#include "sim/core/buf.h"

#define TASKS 500u

static void begin(struct watch_tasks *tasks, uint32_t tag_step)
{
    watch_tasks_init(tasks, pool_new());
    for (uint32_t i = 0; i < TASKS; i++) {
        struct pdu pdu = {.opcode = PDU_NOP_OUT, .itt = i * tag_step};

        watch_tasks_add(tasks, &pdu, WATCHED_NOP, i + 1);
    }
}

static void end(struct watch_tasks *tasks)
{
    struct pool *pool = tasks->pool;

    watch_tasks_fini(tasks);
    assert_int_equal(pool_live_chunks(pool), 0);
    assert_int_equal(pool_live_blocks(pool), 0);
    pool_free(pool);
}

/* The longest way from where a look-up begins to where it ends. */
static uint32_t longest_row(const struct watch_tasks *tasks)
{
    uint32_t longest = 0;
    uint32_t row = 0;

    for (uint32_t i = 0; i < 2 * tasks->slot_count; i++) {
        row = tasks->slots[i & (tasks->slot_count - 1)].order != 0 ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    return longest;
}

static void tags_that_count_stand_in_a_row(void **state)
{
    struct watch_tasks tasks;
    (void)state;

    begin(&tasks, 1);
    for (uint32_t i = 0; i < TASKS; i++)
        assert_ptr_equal(watch_tasks_find(&tasks, i), &tasks.slots[i]);
    end(&tasks);
}

/* As of an initiator that carries its index in the high bits. */
static void tags_that_differ_in_high_bits_do_not_crowd(void **state)
{
    struct watch_tasks tasks;
    (void)state;

    begin(&tasks, 1u << 16);
    for (uint32_t i = 0; i < TASKS; i++)
        assert_int_equal(watch_tasks_find(&tasks, i << 16)->order, i + 1);
    assert_in_range(longest_row(&tasks), 1, TASKS / 4);
    end(&tasks);
}

/* A generation in the high bits: the task that follows has the place of the one before. */
static void who_follows_in_a_slot_has_its_place(void **state)
{
    struct watch_tasks tasks;
    struct pdu next = {.opcode = PDU_NOP_OUT, .itt = 1u << 16 | 7};
    (void)state;

    begin(&tasks, 1);
    const struct watched_task *before = watch_tasks_find(&tasks, 7);

    watch_tasks_remove(&tasks, watch_tasks_find(&tasks, 7));
    assert_null(watch_tasks_find(&tasks, 7));
    assert_ptr_equal(watch_tasks_add(&tasks, &next, WATCHED_NOP, TASKS + 1), before);
    assert_null(watch_tasks_find(&tasks, 7));
    end(&tasks);
}

int main(void)
{
    TEST(tags_that_count_stand_in_a_row);
    TEST(tags_that_differ_in_high_bits_do_not_crowd);
    TEST(who_follows_in_a_slot_has_its_place);
    return TEST_RUN("iscsi.watch_tasks");
}
