/* What happens in a running world, told line by line; and recorded as well, where that is wanted.
 */
#pragma once

#include "lab/event_steps.h"
#include "lab/names.h"
#include "sim/core/trace.h"

#include <stdint.h>

/* Who prints. */
struct live_trace_user {
    void (*on_text)(struct live_trace_user *user, int64_t at_ns, const char *kind,
                    const char *text);
};

struct live_trace {
    struct trace trace;            /* hand this to the world */
    const struct san_names *names; /* borrowed */
    struct live_trace_user *user;  /* borrowed */
    struct event_steps *waiting;   /* borrowed; NULL: no step waits for an event */
    struct trace *record;          /* hears the same, but for PDUs; borrowed; NULL: nobody does */
    uint64_t broken;               /* rules */
};

void live_trace_init(struct live_trace *live, const struct san_names *names,
                     struct live_trace_user *user);
