/* Frames in the order of their own times. A new one is most often the last: it is looked for there.
 */
#include "sim/net/holding.h"

#include "sim/core/attributes.h"

#include <utlist.h>

struct held {
    struct held *prev;
    struct held *next;
    struct frame *frame; /* one reference */
    uint32_t from;
    int64_t at_ns;
};

static void arm(struct holding *holding)
{
    if (holding->held)
        clock_arm(holding->wire->clock, &holding->timer, holding->held->at_ns);
    else
        clock_cancel(holding->wire->clock, &holding->timer);
}

/* One per event: whoever gets it may take the others away. */
static void come_out(struct timer *timer)
{
    struct holding *holding = CONTAINER_OF(timer, struct holding, timer);
    uint32_t from;
    struct frame *frame = holding_take(holding, &from);

    holding->ops->on_due(holding, frame, from);
}

void holding_init(struct holding *holding, struct wire *wire, const struct holding_ops *ops)
{
    *holding = (struct holding){.ops = ops, .wire = wire};
    timer_init(&holding->timer, come_out);
}

void holding_fini(struct holding *holding)
{
    struct frame *frame;
    uint32_t from;

    while ((frame = holding_take(holding, &from)))
        frame_unref(frame);
}

void holding_add(struct holding *holding, struct frame *frame, uint32_t from, int64_t at_ns)
{
    struct held *held = pool_take(holding->wire->pool, sizeof(*held));
    struct held *before = holding->held ? holding->held->prev : NULL; /* the last one */

    *held = (struct held){.frame = frame, .from = from, .at_ns = at_ns};
    while (before && before->at_ns > at_ns)
        before = before == holding->held ? NULL : before->prev;
    if (before)
        DL_APPEND_ELEM(holding->held, before, held);
    else
        DL_PREPEND(holding->held, held);
    holding->count++;
    if (holding->held == held)
        arm(holding);
}

struct frame *holding_take(struct holding *holding, uint32_t *ret_from)
{
    struct held *first = holding->held;

    if (!first)
        return NULL;
    struct frame *frame = first->frame;

    *ret_from = first->from;
    DL_DELETE(holding->held, first);
    holding->count--;
    pool_give(holding->wire->pool, first, sizeof(*first));
    arm(holding);
    return frame;
}
