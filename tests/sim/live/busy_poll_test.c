/* Waiting awake: when it is tried, what it finds, and that it gives up where it does not pay. */
#include "sim/live/busy_poll.h"

#include "sim/core/time.h"
#include "tests/test.h"

#include <poll.h>
#include <unistd.h>

static unsigned waits_until_due(struct busy_poll *poll)
{
    unsigned slept = 0;

    while (!busy_poll_is_due(poll))
        slept++;
    return slept;
}

static void without_a_time_every_wait_sleeps(void **state)
{
    struct busy_poll poll = {0};
    (void)state;

    for (int i = 0; i < 5000; i++)
        assert_false(busy_poll_is_due(&poll));
}

static void after_waits_in_vain_twice_as_many_sleep_each_time(void **state)
{
    struct busy_poll poll = {.most_ns = US(50)};
    (void)state;

    assert_int_equal(waits_until_due(&poll), 0);
    for (unsigned slept = 1; slept <= BUSY_POLL_MOST_SLEPT; slept *= 2) {
        busy_poll_learn(&poll, false, US(50));
        assert_int_equal(waits_until_due(&poll), slept);
    }
    busy_poll_learn(&poll, false, US(50));
    assert_int_equal(waits_until_due(&poll), BUSY_POLL_MOST_SLEPT);
    busy_poll_learn(&poll, true, US(50));
    assert_int_equal(waits_until_due(&poll), 0);
    assert_int_equal(waits_until_due(&poll), 0);
}

/* Somebody else had the processor meanwhile. */
static void what_comes_too_late_was_waited_for_in_vain(void **state)
{
    struct busy_poll poll = {.most_ns = US(50)};
    (void)state;

    busy_poll_learn(&poll, true, US(50) + 1);
    assert_int_equal(waits_until_due(&poll), 1);
}

static void a_wait_ends_with_what_is_there_or_with_its_time(void **state)
{
    struct busy_poll poll = {.most_ns = US(50)};
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    struct pollfd descriptor = {.fd = ends[0], .events = POLLIN};

    assert_false(busy_poll_wait(&poll, &descriptor, 0)); /* nobody: no wait at all */
    assert_int_equal(poll.to_sleep, 0);
    assert_false(busy_poll_wait(&poll, &descriptor, 1));
    assert_int_equal(poll.to_sleep, 1);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_false(busy_poll_wait(&poll, &descriptor, 1)); /* the one that sleeps */
    poll.most_ns = MS(10000);                            /* however busy the machine is */
    assert_true(busy_poll_wait(&poll, &descriptor, 1));
    assert_true(descriptor.revents & POLLIN);
    assert_int_equal(poll.to_sleep, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    TEST(without_a_time_every_wait_sleeps);
    TEST(after_waits_in_vain_twice_as_many_sleep_each_time);
    TEST(what_comes_too_late_was_waited_for_in_vain);
    TEST(a_wait_ends_with_what_is_there_or_with_its_time);
    return TEST_RUN("sim.live.busy_poll");
}
