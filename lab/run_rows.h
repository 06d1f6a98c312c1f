/* The rows that every run leaves whatever happened in it: itself, the files that it was made from,
 * and what its parts counted. Simulated and live runs write the same.
 */
#pragma once

#include "lab/file_set.h"
#include "lab/rows.h"
#include "lab/scenario.h"

#include <stdint.h>

struct world;

#define PAUSE_THRESHOLD_NS MS(100) /* shorter pauses are no rows */

/* What there is to say of a run as a whole. */
struct run_facts {
    const struct scenario *scenario;
    const char *name; /* of the scenario, as the result file has it */
    const char *variant;
    const char *verdict;
    int64_t wall_ns; /* what it took */
    int64_t simulated_ns;
    int64_t latency_window_ns;
    uint64_t events;
    uint64_t digest;
    int exit_code;
};

/* CLOCK_MONOTONIC: for 'wall_ns'. */
int64_t run_wall_ns(void);
/* A round span that cuts a run into about as many windows as a plot has points. */
int64_t run_window_ns(int64_t run_for_ns);

/* 'files': scenario first, then topology, then profiles. */
void run_put_sources(struct rows *rows, const struct file_set *files);
void run_put_counters(struct rows *rows, struct world *world);
/* The row of TABLE_RUN, at the end of the run: it says since when, too. */
void run_put_run(struct rows *rows, const struct run_facts *facts);
