/* One step of a scenario as a line of text, as one types it while the SAN runs:
 *
 *     power-off: switch-1
 *     lose: {part: hv1-1, rate: 1 %, direction: to-switch-1}
 *
 * It happens now: it has no time of its own, but it may have a `for:` (step.for_ns), which the
 * caller keeps, and a name. What is wrong is told as in a file.
 */
#pragma once

#include "lab/errors.h"
#include "lab/file_set.h"
#include "lab/scenario.h"

#include <stdbool.h>

#define STEP_TYPED_NAME "typed" /* of a step that was given none */

/* Reads 'text' against 'topology'. 'files' keeps the text, for the excerpts of 'errors'. False:
 * told. True: the caller ends '*ret_step' with step_fini(). */
bool step_read_text(const struct topology *topology, const char *text, struct file_set *files,
                    struct step *ret_step, struct errors *errors);

/* The step as one types it, cut to 'text_bytes'. */
void step_write_text(const struct topology *topology, const struct step *step, char *text,
                     size_t text_bytes);

/* Frees what a step owns. */
void step_fini(struct step *step);
