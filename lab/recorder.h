/* What a run leaves: the receiver of the trace.
 *
 * It turns what happened into rows, into figures per window and per fault, into verdicts on the
 * expectations and the rules, and into the digest. It looks on and changes nothing.
 */
#pragma once

#include "lab/event_steps.h"
#include "lab/failover.h"
#include "lab/healthy.h"
#include "lab/judge.h"
#include "lab/names.h"
#include "lab/rows.h"
#include "sim/core/clock.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct recorder;

/* Who wants to see faults and path changes as they happen: a capture. */
struct recorder_listener {
    void (*on_text)(struct recorder_listener *listener, int64_t at_ns, const char *text);
};

struct recorder_options {
    const struct scenario *scenario; /* all borrowed */
    const struct san_names *names;
    struct rows *rows;
    struct judge_source *source;
    struct recorder_listener *listener; /* NULL: nobody */
    const struct healthy *healthy;      /* rule L1; NULL: it is not watched */
    struct pool *pool;
    int64_t pause_threshold_ns;
    int64_t latency_window_ns;
};

struct recorder *recorder_new(const struct recorder_options *options);
void recorder_free(struct recorder *recorder);

/* Hand this to the hosts, targets and the fabric. */
struct trace *recorder_trace(struct recorder *recorder);

/* The timeline; returns nothing, numbers faults from 1. */
void recorder_fault(struct recorder *recorder, int64_t at_ns, uint32_t fault_id, const char *step,
                    const char *kind, const char *part, const struct path_ref *touched,
                    size_t touched_count);
void recorder_repair(struct recorder *recorder, int64_t at_ns, uint32_t fault_id, const char *step,
                     const char *kind, const char *part);
/* A step undoes a fault, and there is none. */
void recorder_nothing_to_undo(struct recorder *recorder, int64_t at_ns, const char *step,
                              const char *kind, const char *part);

/* The moment of a step that waited for an event is known. */
void recorder_step_known(struct recorder *recorder, int64_t at_ns, const char *step,
                         int64_t step_at_ns);
/* Whom to tell of events (borrowed); NULL: nobody. */
void recorder_set_event_steps(struct recorder *recorder, struct event_steps *waiting);

/* When recorder_wake() has work, or TIME_NEVER. */
int64_t recorder_deadline_ns(const struct recorder *recorder);
void recorder_wake(struct recorder *recorder, int64_t now_ns);

/* The end of the measured time: faults and expectations are written. True: all are met. */
bool recorder_finish(struct recorder *recorder, int64_t at_ns);

/* Rules broken so far, without those that an expectation asked for. */
uint64_t recorder_broken_count(const struct recorder *recorder);
/* Of everything that was drained so far. */
uint64_t recorder_digest(const struct recorder *recorder);
uint64_t recorder_ios_done(const struct recorder *recorder);
