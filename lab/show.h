/* A run as a person reads it on a terminal: what happened, what it cost, what was expected. */
#pragma once

#include "lab/results_db.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Prints the story of one run from the result file. Colours only if 'has_colour'. */
void show_run(const struct results *results, int64_t run_id, bool has_colour, FILE *to);

/* May this stream have colours? It is a terminal and NO_COLOR is not set. */
bool show_has_colour(FILE *to);
