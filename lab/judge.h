/* The expectations of a scenario, measured while the run goes on and judged at its end.
 *
 * Each expectation becomes one verdict per subject ("each host" has as many as there are hosts).
 * All windows and moments are known before the run, so that nothing but sums, histograms and
 * snapshots is kept.
 */
#pragma once

#include "lab/names.h"
#include "lab/open_ios.h"
#include "lab/pauses.h"
#include "lab/rows.h"
#include "lab/scenario.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

/* What the judge asks the world. */
struct judge_source {
    /* Frames dropped so far at a part, for 'reason'; DROP_REASON_COUNT: for any. */
    uint64_t (*frames_dropped)(struct judge_source *source, struct part_ref part,
                               enum drop_reason reason);
    /* What a path of the topology counted so far, or of 'sessions' has now. */
    uint64_t (*path_count)(struct judge_source *source, uint32_t path_index, enum measure measure);
};

struct judge;

/* All borrowed. */
struct judge *judge_new(const struct scenario *scenario, const struct san_names *names,
                        const struct open_ios *ios, struct judge_source *source);
void judge_free(struct judge *judge);

/* When judge_wake() has a moment to look at, or TIME_NEVER. */
int64_t judge_deadline_ns(const struct judge *judge);
void judge_wake(struct judge *judge, int64_t now_ns);

/* The trace. */
void judge_done(struct judge *judge, int64_t at_ns, const struct open_io *io, bool is_error);
void judge_pause(struct judge *judge, const struct pause *pause);
void judge_sign(struct judge *judge, int64_t at_ns, uint32_t host, uint32_t path);
void judge_path(struct judge *judge, int64_t at_ns, const struct trace_path *change, bool is_in_use,
                bool is_usable);
/* A rule is broken. True: an expectation asked for exactly that. */
bool judge_broken(struct judge *judge, const struct trace_broken *broken);

/* The run is over: writes the rows and says whether all expectations are met. */
bool judge_finish(struct judge *judge, struct rows *rows);
