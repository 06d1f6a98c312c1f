/* The steps of a scenario, done to the world at their moments.
 *
 * A step that breaks something is a fault and gets a number; the step that undoes it, or the end of
 * its 'for:', closes that fault. Faults stack: undoing takes away just the layer that was added.
 */
#pragma once

#include "lab/failover.h"
#include "lab/recorder.h"
#include "lab/world.h"

struct timeline;

/* All borrowed. Arms its timers. */
struct timeline *timeline_new(const struct scenario *scenario, struct world *world,
                              struct recorder *recorder, struct clock *clock);
void timeline_free(struct timeline *timeline);

/* Has a fault touched 'path' (of the topology) at any time from 'since_ns' until now, or does one
 * still, directly or through a switch that still boots? For rule L1. */
bool timeline_was_touched(const struct timeline *timeline, uint32_t path_index, int64_t since_ns);
