/* The event queue: a 4-ary heap whose keys stand in the heap itself, so that a comparison touches
 * no timer. */
#include "sim/engine/event_queue.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>

#define ARITY 4u

struct event_slot {
    int64_t at_ns;
    uint64_t order;
    struct timer *timer;
};

static bool is_before(const struct event_slot *a, const struct event_slot *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void place(struct event_queue *queue, size_t position, struct event_slot slot)
{
    queue->slots[position] = slot;
    slot.timer->position = position;
}

/* Positions count from 1: the children of p are ARITY * (p - 1) + 2 and the three after it. */
static size_t parent_of(size_t position)
{
    return (position - 2) / ARITY + 1;
}

static void sift_up(struct event_queue *queue, size_t position, struct event_slot slot)
{
    while (position > 1) {
        size_t parent = parent_of(position);

        if (!is_before(&slot, &queue->slots[parent]))
            break;
        place(queue, position, queue->slots[parent]);
        position = parent;
    }
    place(queue, position, slot);
}

static void sift_down(struct event_queue *queue, size_t position, struct event_slot slot)
{
    for (;;) {
        size_t child = ARITY * (position - 1) + 2;
        size_t end = child + ARITY <= queue->count + 1 ? child + ARITY : queue->count + 1;
        size_t first = child;

        if (child > queue->count)
            break;
        for (child++; child < end; child++)
            if (is_before(&queue->slots[child], &queue->slots[first]))
                first = child;
        if (!is_before(&queue->slots[first], &slot))
            break;
        place(queue, position, queue->slots[first]);
        position = first;
    }
    place(queue, position, slot);
}

static void settle(struct event_queue *queue, size_t position, struct event_slot slot)
{
    if (position > 1 && is_before(&slot, &queue->slots[parent_of(position)]))
        sift_up(queue, position, slot);
    else
        sift_down(queue, position, slot);
}

static void queue_cancel(struct clock *clock, struct timer *timer)
{
    struct event_queue *queue = CONTAINER_OF(clock, struct event_queue, clock);
    size_t position = timer->position;
    struct event_slot last = queue->slots[queue->count--];

    assert(position != 0);
    timer->position = 0;
    if (position <= queue->count)
        settle(queue, position, last);
}

static void queue_arm(struct clock *clock, struct timer *timer, int64_t at_ns)
{
    struct event_queue *queue = CONTAINER_OF(clock, struct event_queue, clock);

    assert(at_ns >= clock->now_ns);
    if (at_ns == TIME_NEVER) {
        clock_cancel(clock, timer);
        return;
    }
    timer->at_ns = at_ns;
    timer->order = ++queue->armings;
    struct event_slot slot = {.at_ns = at_ns, .order = timer->order, .timer = timer};

    if (timer->position != 0) {
        settle(queue, timer->position, slot);
        return;
    }
    if (queue->count + 1 >= queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : 256;
        queue->slots = mem_resize(queue->slots, queue->capacity, sizeof(*queue->slots));
    }
    sift_up(queue, ++queue->count, slot);
}

void event_queue_init(struct event_queue *queue)
{
    static const struct clock_ops ops = {.arm = queue_arm, .cancel = queue_cancel};

    *queue = (struct event_queue){.clock = {.ops = &ops}};
}

void event_queue_fini(struct event_queue *queue)
{
    for (size_t i = 1; i <= queue->count; i++)
        queue->slots[i].timer->position = 0;
    free(queue->slots);
    *queue = (struct event_queue){0};
}

int64_t event_queue_next_ns(const struct event_queue *queue)
{
    return queue->count ? queue->slots[1].at_ns : TIME_NEVER;
}

uint64_t event_queue_run(struct event_queue *queue, int64_t until_ns, uint64_t max_events)
{
    uint64_t ran = 0;

    while (queue->count && queue->slots[1].at_ns <= until_ns) {
        if (ran == max_events)
            return ran;
        struct timer *timer = queue->slots[1].timer;

        queue->clock.now_ns = queue->slots[1].at_ns;
        timer->position = 0;
        struct event_slot last = queue->slots[queue->count--];
        if (queue->count)
            sift_down(queue, 1, last);
        __builtin_prefetch(queue->slots[1].timer); /* the next one, most likely */
        ran++;
        queue->fired++;
        timer->fire(timer);
    }
    if (queue->clock.now_ns < until_ns)
        queue->clock.now_ns = until_ns;
    return ran;
}
