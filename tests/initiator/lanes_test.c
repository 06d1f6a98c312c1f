/* The device queues of a path. */
#include "initiator/lanes.h"
#include "tests/test.h"

static struct lanes lanes;
static struct command commands[16];

static void put(unsigned index, uint64_t lun)
{
    commands[index] = (struct command){.lun = lun};
    lanes_put(&lanes, &commands[index]);
}

static void assert_next(unsigned index)
{
    assert_ptr_equal(lanes_next(&lanes), &commands[index]);
}

static void one_lane_is_first_in_first_out(void **state)
{
    (void)state;
    lanes_init(&lanes, 8);
    for (unsigned i = 0; i < 4; i++)
        put(i, 1);
    for (unsigned i = 0; i < 4; i++)
        assert_next(i);
    assert_null(lanes_next(&lanes));
    lanes_fini(&lanes);
}

static void the_depth_holds_per_lane(void **state)
{
    (void)state;
    lanes_init(&lanes, 1);
    put(0, 1);
    put(1, 1);
    put(2, 2);
    assert_next(0);
    assert_next(2);
    assert_null(lanes_next(&lanes));
    lanes_ended(&lanes, &commands[0]);
    assert_next(1);
    lanes_fini(&lanes);
}

static void lanes_take_turns(void **state)
{
    (void)state;
    lanes_init(&lanes, 8);
    for (unsigned i = 0; i < 4; i++)
        put(i, 1);
    put(4, 2);
    put(5, 2);
    assert_next(0);
    assert_next(4);
    assert_next(1);
    assert_next(5);
    assert_next(2);
    assert_next(3);
    lanes_fini(&lanes);
}

static void what_comes_back_goes_first_in_its_old_order(void **state)
{
    struct command_list back = {0};

    (void)state;
    lanes_init(&lanes, 3);
    for (unsigned i = 0; i < 5; i++)
        put(i, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_next(i);
        command_list_append(&back, &commands[i]);
    }
    lanes_put_back(&lanes, &back);
    assert_null(back.head);
    assert_int_equal(lanes.waiting, 5);
    for (unsigned i = 0; i < 3; i++)
        assert_next(i);
    assert_null(lanes_next(&lanes)); /* they count as open again */
    lanes_ended(&lanes, &commands[0]);
    assert_next(3);
    lanes_fini(&lanes);
}

static void a_withdrawn_command_is_gone(void **state)
{
    (void)state;
    lanes_init(&lanes, 8);
    for (unsigned i = 0; i < 3; i++)
        put(i, 1);
    lanes_withdraw(&lanes, &commands[1]);
    assert_next(0);
    assert_next(2);
    assert_null(lanes_next(&lanes));
    put(3, 1);
    lanes_withdraw(&lanes, &commands[3]);
    assert_null(lanes_next(&lanes));
    assert_int_equal(lanes.waiting, 0);
    lanes_fini(&lanes);
}

static void all_can_be_taken_out_lane_by_lane(void **state)
{
    static const unsigned order[] = {0, 2, 1, 3};

    (void)state;
    lanes_init(&lanes, 8);
    for (unsigned i = 0; i < 4; i++)
        put(i, i % 2);
    struct command_list all = lanes_take_all(&lanes);

    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(command_list_pop(&all), &commands[order[i]]);
    assert_null(command_list_pop(&all));
    assert_null(lanes_next(&lanes));
    lanes_fini(&lanes);
}

int main(void)
{
    TEST(one_lane_is_first_in_first_out);
    TEST(the_depth_holds_per_lane);
    TEST(lanes_take_turns);
    TEST(what_comes_back_goes_first_in_its_old_order);
    TEST(a_withdrawn_command_is_gone);
    TEST(all_can_be_taken_out_lane_by_lane);
    return TEST_RUN("initiator.lanes");
}
