/* One run of one variant of a scenario: simulated, measured, judged; its rows go to a stream.
 */
#pragma once

#include "lab/capture_plan.h"
#include "lab/runner.h"
#include "lab/scenario.h"

#include <stdint.h>

/* What the exit codes of a run say; the design's table has them all. */
#define EXIT_MET        0
#define EXIT_NOT_MET    1
#define EXIT_BROKEN     4
#define EXIT_NO_VERDICT 5
#define EXIT_DIGEST     6
#define EXIT_MACHINE    7

struct run_one_options {
    const struct scenario *scenario; /* borrowed, as all here */
    const struct file_set *files;    /* the texts that it was made from */
    const char *scenario_path;       /* as the user named it */
    const char *pcap_path;           /* where to capture to; NULL: nowhere */
    const struct capture_plan *capture;
};

/* Simulates, streams the rows, the one of TABLE_RUN last, and returns the exit code. */
int run_one(const struct run_one_options *options, struct row_stream *stream);
