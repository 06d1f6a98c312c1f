/* Events in real time: in order, not before they are due, and with a word when that is not
 * possible. The one test here that real time passes in: some milliseconds. */
#include "sim/live/pacer.h"

#include "sim/core/attributes.h"
#include "tests/test.h"

#include <ev.h>
#include <time.h>

static int64_t real_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return SECONDS(now.tv_sec) + now.tv_nsec;
}

/* A row of events, 1 ms apart; the last one stops. One of them may take long. */
struct row {
    struct pacer_user user;
    struct event_queue queue;
    struct ev_loop *loop;
    struct pacer *pacer;
    struct timer timer;
    int64_t begun_ns; /* real */
    int events;
    int events_wanted;
    int64_t takes_ns; /* the fifth one */
    int early;
    int64_t behind_ns; /* as told */
    int64_t slipped_ns;
};

static void on_event(struct timer *timer)
{
    struct row *row = CONTAINER_OF(timer, struct row, timer);
    int64_t now_ns = clock_now_ns(&row->queue.clock);

    row->early += real_ns() - row->begun_ns < now_ns;
    if (++row->events == row->events_wanted)
        pacer_stop(row->pacer);
    if (row->events == 5)
        for (int64_t begin_ns = real_ns(); real_ns() - begin_ns < row->takes_ns;)
            ;
    clock_arm(&row->queue.clock, timer, now_ns + MS(1));
}

static void on_behind(struct pacer_user *user, int64_t behind_ns)
{
    CONTAINER_OF(user, struct row, user)->behind_ns = behind_ns;
}

static void on_slip(struct pacer_user *user, int64_t slipped_ns)
{
    CONTAINER_OF(user, struct row, user)->slipped_ns += slipped_ns;
}

static void run(struct row *row, int events, int64_t takes_ns)
{
    *row =
        (struct row){.user = {on_behind, on_slip}, .events_wanted = events, .takes_ns = takes_ns};
    event_queue_init(&row->queue);
    row->loop = ev_loop_new(EVFLAG_AUTO);
    row->pacer = pacer_new(row->loop, &row->queue, &row->user);
    timer_init(&row->timer, on_event);
    clock_arm(&row->queue.clock, &row->timer, MS(1));
    row->begun_ns = real_ns();
    pacer_run(row->pacer);
}

static void end(struct row *row)
{
    clock_cancel(&row->queue.clock, &row->timer);
    pacer_free(row->pacer);
    ev_loop_destroy(row->loop);
    event_queue_fini(&row->queue);
}

static void no_event_runs_before_it_is_due(void **state)
{
    struct row row;
    (void)state;

    run(&row, 20, 0);
    assert_true(row.events >= 20); /* on a busy machine more are due in the turn that stops it */
    assert_int_equal(row.early, 0);
    assert_true(clock_now_ns(&row.queue.clock) >= MS(20));
    end(&row);
}

static void a_world_that_is_late_says_so_and_catches_up(void **state)
{
    struct row row;
    (void)state;

    run(&row, 40, MS(25));
    assert_int_equal(row.early, 0);
    assert_true(row.behind_ns > PACER_BEHIND_NS);
    assert_true(pacer_figures(row.pacer).behind_most_ns >= MS(20));
    end(&row);
}

static void a_world_that_is_much_too_late_stands_still_instead(void **state)
{
    struct row row;
    (void)state;

    run(&row, 10, PACER_SLIP_NS + MS(100));
    assert_true(row.slipped_ns >= PACER_SLIP_NS);
    assert_int_equal(pacer_figures(row.pacer).slipped_ns, row.slipped_ns);
    /* Its time did not jump: ten events are ten milliseconds of it. */
    assert_true(clock_now_ns(&row.queue.clock) < PACER_SLIP_NS);
    end(&row);
}

int main(void)
{
    TEST(no_event_runs_before_it_is_due);
    TEST(a_world_that_is_late_says_so_and_catches_up);
    TEST(a_world_that_is_much_too_late_stands_still_instead);
    return TEST_RUN("sim.live.pacer");
}
