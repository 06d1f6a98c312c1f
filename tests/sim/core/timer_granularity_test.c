#include "sim/core/time.h"
#include "sim/core/timer_granularity.h"
#include "tests/test.h"

static struct row {
    const char *name;
    int64_t now_ns;
    int64_t span_ns;
    int64_t tick_ns;
    bool is_wheel;
    int64_t fire_ns;
} rows[] = {
    {"an exact timer fires when asked", 7, 100, 0, false, 107},
    {"a tick rounds up", MS(3), MS(200), MS(10), false, MS(210)},
    {"a deadline on a tick stays there", MS(10), MS(200), MS(10), false, MS(210)},
    {"never stays never", MS(10), TIME_NEVER, MS(10), false, TIME_NEVER},
    {"never stays never on a wheel", MS(10), TIME_NEVER, MS(4), true, TIME_NEVER},
    /* The wheel; ticks of 4 ms. */
    {"the first level takes the next tick even on an exact hit", 0, MS(4) * 62, MS(4), true,
     MS(4) * 63},
    {"a part of a tick counts as one", 1, 1, MS(4), true, MS(8)},
    {"63 ticks away the grain is 8 ticks", 0, MS(4) * 63, MS(4), true, MS(4) * 64},
    {"64 ticks away it is the next multiple of 8", 0, MS(4) * 64, MS(4), true, MS(4) * 72},
    {"503 ticks away it is still 8", 0, MS(4) * 503, MS(4), true, MS(4) * 504},
    {"504 ticks away it is 64", 0, MS(4) * 504, MS(4), true, MS(4) * 512},
    {"4031 ticks away it is still 64", 0, MS(4) * 4031, MS(4), true, MS(4) * 4032},
    {"4032 ticks away it is 512", 0, MS(4) * 4032, MS(4), true, MS(4) * 4096},
    {"the grain is of absolute time", MS(4) * 5, MS(4) * 64, MS(4), true, MS(4) * 72},
    {"a longer span than the wheel's counts as its longest", 0, SECONDS(3600) * 24 * 3650, MS(4),
     true, MS(4) * (63LL << 24)},
};

static void fires_when_the_system_would(void **state)
{
    const struct row *row = *state;

    assert_int_equal(
        timer_granularity_fire_ns(row->now_ns, row->span_ns, row->tick_ns, row->is_wheel),
        row->fire_ns);
}

static void never_fires_early_and_at_most_an_eighth_late(void **state)
{
    (void)state;
    for (int64_t span_ns = MS(1); span_ns < SECONDS(1000); span_ns += span_ns / 7 + 1) {
        for (int64_t start_ns = 0; start_ns < MS(4) * 600; start_ns += MS(1) * 37) {
            int64_t late_ns =
                timer_granularity_fire_ns(start_ns, span_ns, MS(4), true) - start_ns - span_ns;

            assert_true(late_ns >= 0);
            assert_true(late_ns <= MS(8) + span_ns / 7);
        }
    }
}

int main(void)
{
    TEST_ROWS(rows, fires_when_the_system_would);
    TEST(never_fires_early_and_at_most_an_eighth_late);
    return TEST_RUN("sim.core.timer_granularity");
}
