/* A histogram of spans says no less than the truth, and at most an eighth more. */
#include "sim/live/lateness.h"

#include "tests/test.h"

static void nothing_was_late_when_nothing_happened(void **state)
{
    struct lateness lateness = {0};
    (void)state;

    assert_int_equal(lateness_at(&lateness, 500000), 0);
    assert_int_equal(lateness.worst_ns, 0);
}

static void what_came_early_counts_as_in_time(void **state)
{
    struct lateness lateness = {0};
    (void)state;

    lateness_add(&lateness, -5000);
    assert_int_equal(lateness.count, 1);
    assert_int_equal(lateness_at(&lateness, 1000000), 0);
}

static void every_span_is_found_again_within_an_eighth(void **state)
{
    (void)state;

    for (int64_t ns = 0; ns < INT64_MAX / 3; ns += ns / 20 + 1) {
        struct lateness lateness = {0};

        lateness_add(&lateness, ns);
        lateness_add(&lateness, INT64_MAX); /* so that the worst does not bound the answer */
        int64_t told = lateness_at(&lateness, 500000);

        assert_true(told >= ns);
        assert_true(told <= ns + ns / 8);
    }
}

static void percentiles_count_from_the_least(void **state)
{
    struct lateness lateness = {0};
    (void)state;

    for (int i = 1; i <= 100; i++)
        lateness_add(&lateness, i <= 90 ? 1 : 1000);
    assert_int_equal(lateness_at(&lateness, 500000), 1);
    assert_int_equal(lateness_at(&lateness, 900000), 1);
    assert_int_equal(lateness_at(&lateness, 910000), 1000);
    assert_int_equal(lateness_at(&lateness, 1000000), 1000);
    assert_int_equal(lateness.worst_ns, 1000);
}

int main(void)
{
    TEST(nothing_was_late_when_nothing_happened);
    TEST(what_came_early_counts_as_in_time);
    TEST(every_span_is_found_again_within_an_eighth);
    TEST(percentiles_count_from_the_least);
    return TEST_RUN("sim.live.lateness");
}
