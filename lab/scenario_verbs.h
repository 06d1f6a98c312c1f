/* What happens in a step: its verb, the part that it happens to, and its arguments. */
#pragma once

#include "lab/scenario_tables.h"

#include <stdbool.h>

/* The one verb of the step that 'map' holds and 'file' was read from. Adds what is wrong to
 * 'errors'.
 */
void scenario_read_verb(const struct topology *topology, const struct node *map,
                        const struct step_file *file, struct step *step, struct errors *errors);

/* "rate" */
const char *step_argument_word(enum step_argument argument);

/* Are all keys of a step known? If not, the wrong one was meant as what seems to be missing. */
bool scenario_knows_keys(const struct node *map);
