/* The clock: what time it is, and "wake me at".
 *
 * Timers are intrusive: scheduling one allocates nothing. They fire in the order of (time, arming),
 * so that no two are equal and a run is a pure function of its inputs. The same interface serves
 * virtual time (the event queue) and real time (the event queue paced by CLOCK_MONOTONIC).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void timer_fire_fn(struct timer *timer);

struct timer {
    timer_fire_fn *fire; /* called once per arming, with the timer disarmed */
    int64_t at_ns;       /* when armed: when it fires */
    uint64_t order;      /* the clock's: number of the arming */
    size_t position;     /* the clock's: place in its queue, from 1; 0: not armed */
};

struct clock;
struct clock_ops {
    void (*arm)(struct clock *clock, struct timer *timer, int64_t at_ns);
    void (*cancel)(struct clock *clock, struct timer *timer);
};

struct clock {
    const struct clock_ops *ops;
    int64_t now_ns; /* read it through clock_now_ns() */
};

static inline int64_t clock_now_ns(const struct clock *clock)
{
    return clock->now_ns;
}

static inline void timer_init(struct timer *timer, timer_fire_fn *fire)
{
    *timer = (struct timer){.fire = fire};
}

static inline bool timer_is_armed(const struct timer *timer)
{
    return timer->position != 0;
}

/* Fires at 'at_ns', which is now or later; an armed timer is moved. TIME_NEVER disarms. */
static inline void clock_arm(struct clock *clock, struct timer *timer, int64_t at_ns)
{
    clock->ops->arm(clock, timer, at_ns);
}

/* Does nothing to a timer that is not armed. Whoever dies cancels its timers first. */
static inline void clock_cancel(struct clock *clock, struct timer *timer)
{
    if (timer_is_armed(timer))
        clock->ops->cancel(clock, timer);
}
