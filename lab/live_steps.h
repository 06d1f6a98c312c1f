/* The steps of a SAN or an array that runs: those of a scenario at their moments, and those that
 * are typed.
 *
 * What is broken has a number, since most faults have no verb that undoes them, and several of one
 * kind may be there at a time. A step that was typed lives as long as its layer. What cannot be
 * done here, as a real host cannot be switched off by us, is refused (lab/fault.h).
 */
#pragma once

#include "lab/event_steps.h"
#include "lab/fault.h"
#include "lab/live_record.h"

#include <stdio.h>

struct live_steps;

/* Who hears what was done. */
struct live_steps_user {
    void (*on_step)(struct live_steps_user *user, int64_t at_ns, const char *text);
};

/* Takes over 'faults'; the rest is borrowed. */
struct live_steps *live_steps_new(const struct topology *topology, struct faults *faults,
                                  struct clock *clock, struct live_steps_user *user);
/* Whom to tell of what breaks and what is whole again (borrowed); before the first step. */
void live_steps_record(struct live_steps *steps, struct live_record *record);
/* Before the world of the faults. */
void live_steps_free(struct live_steps *steps);

/* Arms the steps of 'scenario' (borrowed), counted from the time that it is now. Returns whom to
 * tell of events, owned by 'steps'; NULL: no step waits for one. */
struct event_steps *live_steps_play(struct live_steps *steps, const struct scenario *scenario);
/* Does what 'line' says, now. What is wrong with it goes to 'answer', as in a file. Returns the
 * exit code. */
int live_steps_type(struct live_steps *steps, const char *line, FILE *answer);
/* Undoes the fault of this number, "all" of them, or the newest if 'which' is empty. Answers and
 * returns as live_steps_type(). */
int live_steps_undo(struct live_steps *steps, const char *which, FILE *answer);
/* What is broken at this moment, with numbers, oldest first. */
void live_steps_list(const struct live_steps *steps, FILE *to);
