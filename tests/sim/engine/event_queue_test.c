/* The event queue: time order, arming order, cancel, and nothing else. */
#include "sim/engine/event_queue.h"

#include "sim/core/attributes.h"
#include "sim/core/random.h"
#include "sim/core/time.h"
#include "tests/test.h"

struct probe {
    struct timer timer;
    struct log *log;
    int number;
};

struct log {
    struct event_queue queue;
    int numbers[4096];
    int64_t at_ns[4096];
    size_t count;
};

static void write_down(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    struct log *log = probe->log;

    log->at_ns[log->count] = clock_now_ns(&log->queue.clock);
    log->numbers[log->count++] = probe->number;
}

static void equal_times_fire_in_the_order_of_arming(void **state)
{
    static struct log log;
    struct probe probes[3];
    (void)state;

    event_queue_init(&log.queue);
    for (int i = 0; i < 3; i++) {
        probes[i] = (struct probe){.log = &log, .number = i};
        timer_init(&probes[i].timer, write_down);
        clock_arm(&log.queue.clock, &probes[i].timer, 10);
    }
    clock_arm(&log.queue.clock, &probes[0].timer, 10); /* armed anew: now the last */
    assert_int_equal(event_queue_run(&log.queue, 20, UINT64_MAX), 3);
    assert_int_equal(log.numbers[0], 1);
    assert_int_equal(log.numbers[1], 2);
    assert_int_equal(log.numbers[2], 0);
    assert_int_equal(clock_now_ns(&log.queue.clock), 20);
    event_queue_fini(&log.queue);
}

static void random_arming_moving_and_cancelling_keeps_the_order(void **state)
{
    static struct log log;
    static struct probe probes[2000];
    struct random random;
    (void)state;

    event_queue_init(&log.queue);
    random_init(&random, 1, "event_queue_test");
    for (int i = 0; i < 2000; i++) {
        probes[i] = (struct probe){.log = &log, .number = i};
        timer_init(&probes[i].timer, write_down);
        clock_arm(&log.queue.clock, &probes[i].timer, (int64_t)random_below(&random, 500));
        struct probe *other = &probes[random_below(&random, (uint64_t)i + 1)];
        if (random_chance(&random, 300000))
            clock_cancel(&log.queue.clock, &other->timer);
        else if (random_chance(&random, 300000))
            clock_arm(&log.queue.clock, &other->timer, (int64_t)random_below(&random, 500));
    }
    size_t armed = 0;
    for (int i = 0; i < 2000; i++)
        armed += timer_is_armed(&probes[i].timer);
    event_queue_run(&log.queue, 1000, UINT64_MAX);
    assert_int_equal(log.count, armed);
    for (size_t i = 1; i < log.count; i++) {
        assert_true(log.at_ns[i - 1] <= log.at_ns[i]);
        if (log.at_ns[i - 1] == log.at_ns[i])
            assert_true(probes[log.numbers[i - 1]].timer.order <
                        probes[log.numbers[i]].timer.order);
    }
    event_queue_fini(&log.queue);
}

static void a_limit_on_events_stops_the_run_at_the_last_of_them(void **state)
{
    static struct log log;
    struct probe probes[2];
    (void)state;

    event_queue_init(&log.queue);
    for (int i = 0; i < 2; i++) {
        probes[i] = (struct probe){.log = &log, .number = i};
        timer_init(&probes[i].timer, write_down);
        clock_arm(&log.queue.clock, &probes[i].timer, SECONDS(i + 1));
    }
    assert_int_equal(event_queue_run(&log.queue, SECONDS(5), 1), 1);
    assert_int_equal(clock_now_ns(&log.queue.clock), SECONDS(1));
    assert_int_equal(event_queue_next_ns(&log.queue), SECONDS(2));
    event_queue_fini(&log.queue);
}

int main(void)
{
    TEST(equal_times_fire_in_the_order_of_arming);
    TEST(random_arming_moving_and_cancelling_keeps_the_order);
    TEST(a_limit_on_events_stops_the_run_at_the_last_of_them);
    return TEST_RUN("sim.engine.event_queue");
}
