/* Time expressions: '60 s', 'end', 'switch-1-dies + 10 s', 'first path-failed of hv1'. */
#pragma once

#include "lab/document.h"
#include "lab/scenario.h"

/* What an expression at some place may be: a mask of these. */
#define MAY_BE_TIME  1u
#define MAY_BE_STEP  2u
#define MAY_BE_END   4u
#define MAY_BE_EVENT 8u

/* What the words of an expression can mean. */
struct moment_names {
    const struct step *steps;
    uint32_t step_count;
    const struct topology *topology;
};

/* Reads 'node'; 'key' names it in messages. The instant is not worked out yet. False: told. */
bool moment_parse(const struct node *node, const char *key, unsigned may_be,
                  const struct moment_names *names, struct moment *ret_moment,
                  struct errors *errors);

/* The instant, if the steps' are known: TIME_NEVER if it depends on what happens in the run, or
 * on a step whose instant is not known (yet). */
int64_t moment_at_ns(const struct moment *moment, const struct step *steps, int64_t run_for_ns);

/* Does it depend on an event? */
bool moment_waits(const struct moment *moment, const struct step *steps, uint32_t step_count);

/* The words of the events. */
const char *scenario_event_word(enum scenario_event event);
