/* The timeline of one run as a picture: latency per path, the age of the oldest waiting I/O, IOPS
 * per path and the states of the paths, one above the other, with faults, repairs and path changes
 * marked through all of them. Drawn by gnuplot from the result file.
 */
#pragma once

#include "lab/results_db.h"

#include <stdint.h>

/* Draws run 'run_id' as 'stem'.png and 'stem'.svg. ERR_SYSTEM: gnuplot is missing or failed;
 * ERR_INPUT: there is no such run. */
MUST_CHECK enum status timeline_plot(const struct results *results, int64_t run_id,
                                     const char *stem, struct error *err);
