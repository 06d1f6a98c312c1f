/* Frames that wait outside of the order of their link or switch: late ones, and second copies.
 *
 * They come out at their own time, those of one instant in the order in which they were put in. The
 * owner counts them: whoever takes them out early has to drop them with a reason.
 */
#pragma once

#include "sim/net/wire.h"

#include <stddef.h>
#include <stdint.h>

struct holding;
struct holding_ops {
    /* Takes ownership of 'frame'; 'from' is what holding_add() was told. */
    void (*on_due)(struct holding *holding, struct frame *frame, uint32_t from);
};

struct held;
struct holding {
    const struct holding_ops *ops;
    struct wire *wire;  /* borrowed */
    struct timer timer; /* of the first */
    struct held *held;  /* owned, by time */
    size_t count;
};

void holding_init(struct holding *holding, struct wire *wire, const struct holding_ops *ops);
void holding_fini(struct holding *holding); /* gives back the frames that are in it */

/* Takes ownership of 'frame', which is due at 'at_ns', now or later. */
void holding_add(struct holding *holding, struct frame *frame, uint32_t from, int64_t at_ns);
/* Takes the next one out before its time; NULL: there is none. The caller's from now on. */
struct frame *holding_take(struct holding *holding, uint32_t *ret_from);
