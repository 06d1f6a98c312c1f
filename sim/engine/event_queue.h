/* The event queue: virtual time, and the clock that everything in a run stands on.
 *
 * A 4-ary heap of armed timers, ordered by (time, number of the arming), so that no two are equal.
 * Arming allocates nothing once the heap has grown to its working size.
 */
#pragma once

#include "sim/core/clock.h"

struct event_queue {
    struct clock clock;       /* hand this to whoever needs the time */
    struct event_slot *slots; /* owned; slots[1] is the next to fire */
    size_t count;
    size_t capacity;
    uint64_t armings;
    uint64_t fired; /* events run so far */
};

void event_queue_init(struct event_queue *queue);
/* Forgets its timers; they count as disarmed. */
void event_queue_fini(struct event_queue *queue);

/* When the next event is due; TIME_NEVER: there is none. */
int64_t event_queue_next_ns(const struct event_queue *queue);

/* Runs all events that are due at or before 'until_ns', then sets the time to it. Stops early when
 * 'max_events' have run (the time is then that of the last one) and returns how many ran. */
uint64_t event_queue_run(struct event_queue *queue, int64_t until_ns, uint64_t max_events);
