/* Steps that wait for an event: 'when: first path-failed of hv1 + 2 s', and the steps that count
 * from them.
 *
 * Whoever hears the trace tells what happened; the first event of the kind at the part makes the
 * moment of each step known that waited for it, and of those after it. Once known, it never
 * changes. A path came back into use after it had left it; the first login is no return.
 */
#pragma once

#include "lab/scenario.h"
#include "sim/core/trace.h"

struct event_steps;

/* Who does the steps. Must not tell of an event from inside. */
struct event_steps_user {
    /* The moment of a step is known: 'at_ns', which is not before now. */
    void (*on_known)(struct event_steps_user *user, uint32_t step_index, int64_t at_ns);
};

/* NULL: no step of 'scenario' (borrowed, as 'user') waits, and nobody need tell. */
struct event_steps *event_steps_new(const struct scenario *scenario, struct event_steps_user *user);
void event_steps_free(struct event_steps *waiting);

/* What happened. 'waiting' may be NULL. */
void event_steps_path(struct event_steps *waiting, int64_t at_ns, const struct trace_path *change);
void event_steps_io_error(struct event_steps *waiting, int64_t at_ns, uint32_t host);
