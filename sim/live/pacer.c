/* Paces an event queue by CLOCK_MONOTONIC, with a timerfd under libev. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/pacer.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS     US(50)  /* due sooner than that after waking up: polled for, not slept for */
#define EARLY_LEAST US(20)  /* a sleep ends so much before the event: what waking up costs, */
#define EARLY_MOST  US(150) /* as measured, and no more than that of polling */
#define RUN_AT_ONCE 8192u   /* events, before signals and commands get their turn */
#define TELL_NS     SECONDS(1)

struct pacer {
    struct ev_loop *loop;      /* borrowed */
    struct event_queue *queue; /* borrowed */
    struct pacer_user *user;   /* borrowed */
    int timer_fd;              /* owned */
    ev_io timer_watcher;
    int64_t origin_ns;  /* CLOCK_MONOTONIC at the world's 0 */
    int64_t armed_ns;   /* the event that the timerfd waits for; TIME_NEVER: for nothing */
    int64_t wake_ns;    /* world time at which the timerfd then fires */
    int64_t costs_ns;   /* what waking up costs: the mean of the last few times */
    int64_t awaited_ns; /* an event that was slept for and did not run yet, or TIME_NEVER */
    int64_t behind_ns;  /* what is due and did not run */
    int64_t told_ns;    /* when the user last heard of it */
    bool is_stopping;
    struct pacer_figures figures;
};

static int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return SECONDS(now.tv_sec) + now.tv_nsec;
}

static int64_t early_ns(const struct pacer *pacer)
{
    return time_min(time_max(pacer->costs_ns + pacer->costs_ns / 2, EARLY_LEAST), EARLY_MOST);
}

static void on_timer(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct pacer *pacer = watcher->data;
    int64_t cost_ns = monotonic_ns() - pacer->origin_ns - pacer->wake_ns;
    uint64_t expiries;
    (void)loop, (void)events;

    if (read(pacer->timer_fd, &expiries, sizeof(expiries)) < 0)
        return;
    pacer->armed_ns = TIME_NEVER;
    /* One long delay says nothing about the next one. */
    pacer->costs_ns += (time_min(time_max(cost_ns, 0), 2 * EARLY_MOST) - pacer->costs_ns) / 8;
}

struct pacer *pacer_new(struct ev_loop *loop, struct event_queue *queue, struct pacer_user *user)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0)
        return NULL;
    struct pacer *pacer = mem_new(sizeof(*pacer));

    *pacer = (struct pacer){.loop = loop,
                            .queue = queue,
                            .user = user,
                            .timer_fd = fd,
                            .origin_ns = monotonic_ns() - clock_now_ns(&queue->clock),
                            .armed_ns = TIME_NEVER,
                            .awaited_ns = TIME_NEVER,
                            .told_ns = -TELL_NS};
    ev_io_init(&pacer->timer_watcher, on_timer, fd, EV_READ);
    pacer->timer_watcher.data = pacer;
    ev_io_start(loop, &pacer->timer_watcher);
    return pacer;
}

void pacer_free(struct pacer *pacer)
{
    if (!pacer)
        return;
    ev_io_stop(pacer->loop, &pacer->timer_watcher);
    close(pacer->timer_fd);
    free(pacer);
}

/* The world stops for what it is behind, and says so. */
static void slip(struct pacer *pacer)
{
    int64_t slipped_ns = pacer->behind_ns;

    pacer->origin_ns += slipped_ns;
    pacer->behind_ns = 0;
    pacer->figures.slipped_ns += slipped_ns;
    pacer->figures.slips++;
    pacer->user->on_slip(pacer->user, slipped_ns);
}

/* The first event of this turn was late by 'late_ns'. */
static void judge(struct pacer *pacer, int64_t now_ns, int64_t late_ns)
{
    pacer->behind_ns = now_ns - clock_now_ns(&pacer->queue->clock);
    late_ns = time_max(late_ns, pacer->behind_ns);
    if (late_ns > pacer->figures.behind_most_ns)
        pacer->figures.behind_most_ns = late_ns;
    if (pacer->behind_ns > PACER_SLIP_NS) {
        slip(pacer);
    } else if (late_ns > PACER_BEHIND_NS && now_ns - pacer->told_ns >= TELL_NS) {
        pacer->told_ns = now_ns;
        pacer->user->on_behind(pacer->user, late_ns);
    }
}

int64_t pacer_catch_up(struct pacer *pacer)
{
    int64_t now_ns = monotonic_ns() - pacer->origin_ns;
    int64_t first_ns = event_queue_next_ns(pacer->queue);

    if (now_ns >= pacer->awaited_ns) {
        lateness_add(&pacer->figures.wakes, now_ns - pacer->awaited_ns);
        pacer->awaited_ns = TIME_NEVER;
    }
    /* A process that was stopped finds everything overdue: that, too, is a machine too slow. */
    if (first_ns < now_ns - PACER_SLIP_NS) {
        pacer->behind_ns = now_ns - first_ns;
        slip(pacer);
        now_ns = first_ns;
    }
    event_queue_run(pacer->queue, now_ns, RUN_AT_ONCE);
    judge(pacer, now_ns, now_ns - first_ns);
    return clock_now_ns(&pacer->queue->clock);
}

bool pacer_is_behind(const struct pacer *pacer)
{
    return pacer->behind_ns > PACER_BEHIND_NS / 2;
}

/* Sleeps until the event at 'due_ns' is near, or something comes from outside. */
static void sleep_until(struct pacer *pacer, int64_t due_ns)
{
    if (due_ns != pacer->armed_ns) {
        pacer->wake_ns = due_ns == TIME_NEVER ? 0 : due_ns - early_ns(pacer);
        int64_t at_ns = due_ns == TIME_NEVER ? 0 : pacer->wake_ns + pacer->origin_ns;
        struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_ns / SECONDS(1)),
                                               .tv_nsec = (long)(at_ns % SECONDS(1))}};

        timerfd_settime(pacer->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
        pacer->armed_ns = due_ns;
    }
    pacer->awaited_ns = due_ns;
    ev_run(pacer->loop, EVRUN_ONCE);
}

void pacer_run(struct pacer *pacer)
{
    pacer->is_stopping = false;
    pacer->origin_ns = monotonic_ns() - clock_now_ns(&pacer->queue->clock);
    while (!pacer->is_stopping) {
        int64_t now_ns = pacer_catch_up(pacer);
        int64_t due_ns = event_queue_next_ns(pacer->queue);
        int64_t poll_ns = time_max(POLL_NS, early_ns(pacer));

        if (pacer->is_stopping)
            break;
        if (pacer->behind_ns > 0 || (due_ns != TIME_NEVER && due_ns - now_ns <= poll_ns))
            ev_run(pacer->loop, EVRUN_NOWAIT);
        else
            sleep_until(pacer, due_ns);
    }
}

void pacer_stop(struct pacer *pacer)
{
    pacer->is_stopping = true;
    ev_break(pacer->loop, EVBREAK_ONE);
}

struct pacer_figures pacer_figures(const struct pacer *pacer)
{
    return pacer->figures;
}
