/* Which path the next I/O takes. */
#include "tests/test.h"

#include "initiator/policy.h"

#define ALL_OF_3 0x7u

static void round_robin_goes_round_and_skips_who_is_out(void **state)
{
    static const uint32_t expected[] = {0, 1, 2, 0, 1, 2};
    struct policy policy;

    (void)state;
    policy_init(&policy, POLICY_ROUND_ROBIN);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(policy_choose(&policy, ALL_OF_3), expected[i]);
    assert_int_equal(policy_choose(&policy, 0x5), 0);
    assert_int_equal(policy_choose(&policy, 0x5), 2);
    assert_int_equal(policy_choose(&policy, 0x5), 0);
    assert_int_equal(policy_choose(&policy, 0x2), 1);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 2);
}

static void round_robin_keeps_feeding_a_path_that_hangs(void **state)
{
    struct policy policy;
    uint32_t sent[2] = {0};

    (void)state;
    policy_init(&policy, POLICY_ROUND_ROBIN);
    for (int i = 0; i < 100; i++) {
        uint32_t slot = policy_choose(&policy, 0x3);

        policy_sent(&policy, slot, 4096);
        sent[slot]++;
        if (slot == 1)
            policy_returned(&policy, slot, 4096); /* slot 0 never answers */
    }
    assert_int_equal(sent[0], 50);
}

static void service_time_leaves_a_path_that_hangs_alone(void **state)
{
    struct policy policy;
    uint32_t sent[2] = {0};

    (void)state;
    policy_init(&policy, POLICY_SERVICE_TIME);
    for (int i = 0; i < 100; i++) {
        uint32_t slot = policy_choose(&policy, 0x3);

        policy_sent(&policy, slot, 4096);
        sent[slot]++;
        if (slot == 1)
            policy_returned(&policy, slot, 4096);
    }
    assert_int_equal(sent[0], 1);
}

static void least_queue_depth_takes_the_first_of_equals(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy, POLICY_LEAST_QUEUE_DEPTH);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 0);
    policy_sent(&policy, 0, 512);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 1);
    policy_sent(&policy, 1, 1 << 20); /* bytes do not count */
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 2);
    policy_sent(&policy, 2, 512);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 0);
    policy_returned(&policy, 2, 512);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 2);
}

static void service_time_counts_bytes_and_sends_the_chosen_to_the_tail(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy, POLICY_SERVICE_TIME);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 0);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 1);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 2);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 0);
    policy_sent(&policy, 1, 8192);
    policy_sent(&policy, 2, 4096);
    policy_sent(&policy, 0, 4096);
    policy_sent(&policy, 0, 512);
    assert_int_equal(policy_choose(&policy, ALL_OF_3), 2);
}

static void the_last_of_32_paths_can_be_chosen(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy, POLICY_ROUND_ROBIN);
    assert_int_equal(policy_choose(&policy, UINT32_C(1) << 31), 31);
    assert_int_equal(policy_choose(&policy, UINT32_MAX), 0);
}

static void only_fail_over_only_keeps_one_active(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy, POLICY_FAIL_OVER_ONLY);
    assert_true(policy_has_one_active(&policy));
    policy_init(&policy, POLICY_ROUND_ROBIN);
    assert_false(policy_has_one_active(&policy));
}

int main(void)
{
    TEST(round_robin_goes_round_and_skips_who_is_out);
    TEST(round_robin_keeps_feeding_a_path_that_hangs);
    TEST(service_time_leaves_a_path_that_hangs_alone);
    TEST(least_queue_depth_takes_the_first_of_equals);
    TEST(service_time_counts_bytes_and_sends_the_chosen_to_the_tail);
    TEST(the_last_of_32_paths_can_be_chosen);
    TEST(only_fail_over_only_keeps_one_active);
    return TEST_RUN("initiator.policy");
}
