/* Real time for an event queue: its events run when CLOCK_MONOTONIC says that they are due.
 *
 *     run what is due -> nothing due soon: sleep by a timerfd -> frames, signals, commands -> again
 *
 * Events that are due within a few microseconds are waited for by polling, because a hop through a
 * switch takes less time than falling asleep. A timerfd stands for the sleep: what libev's own
 * timers can do ends at the millisecond of epoll.
 *
 * What comes from outside calls pacer_catch_up() first, so that it meets the world as it is now.
 * When the machine is too slow for the world, events run late: past PACER_BEHIND_NS the user hears
 * of it, and past PACER_SLIP_NS the world's time stands still for so long, since nobody could ever
 * make up for it.
 */
#pragma once

#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/live/lateness.h"

#include <stdbool.h>
#include <stdint.h>

#define PACER_BEHIND_NS MS(10)
#define PACER_SLIP_NS   MS(500)

struct ev_loop;
struct pacer;

/* Who hears that the machine is too slow, at most once a second. */
struct pacer_user {
    /* The world is 'behind_ns' behind real time. */
    void (*on_behind)(struct pacer_user *user, int64_t behind_ns);
    /* And was stopped for that long. */
    void (*on_slip)(struct pacer_user *user, int64_t slipped_ns);
};

struct pacer_figures {
    struct lateness wakes; /* of the events that were slept for: due time to running */
    int64_t behind_most_ns;
    int64_t slipped_ns; /* altogether */
    uint64_t slips;
};

/* Life cycle. NULL: no timerfd, see errno. All
 * arguments are borrowed. */
struct pacer *pacer_new(struct ev_loop *loop, struct event_queue *queue, struct pacer_user *user);
void pacer_free(struct pacer *pacer);

/* Runs the world, from the time that it is in it, and 'loop' until pacer_stop(). */
void pacer_run(struct pacer *pacer);
void pacer_stop(struct pacer *pacer);

/* Runs what is due (or, on a machine that is too slow, a part of it) and returns the time of the
 * world. Not from inside an event. */
int64_t pacer_catch_up(struct pacer *pacer);
/* More is due than could be run: what comes in should wait. */
bool pacer_is_behind(const struct pacer *pacer);

struct pacer_figures pacer_figures(const struct pacer *pacer);
