/* A topology by itself as a scenario in which nothing happens: for the commands that need a SAN and
 * no story. Errors are told as for the topology's own file.
 */
#pragma once

#include "lab/scenario.h"

/* One variant, without steps, loads and expectations; 'overrides' as in scenario_load(). NULL if
 * 'errors' grew by an error. */
struct scenario_set *bare_scenario_load(const char *topology_path, const char *const *overrides,
                                        size_t override_count, struct errors *errors);
