/* What each fault cost each multipath disk: the rows behind the view 'failover'.
 *
 * Measured while the run goes on, from the trace alone, so that nothing needs to be kept of an I/O
 * that no fault caught. The meaning of each figure is the design's ("What the failover columns
 * mean"); in short:
 *
 *   a fault touches a path whose NIC, cables, switches, array NIC or controller contain its part;
 *   its span runs from 'at' to the latest of: repair, every touched path usable, every caught I/O
 *   ended; else to the end of the run;
 *   an I/O is caught when it was sent on a touched path and unfinished at 'at', or was sent on it
 *   later, before the path left use or the fault was repaired; one that is tried again stays with
 *   the faults that caught it.
 */
#pragma once

#include "lab/names.h"
#include "lab/open_ios.h"
#include "lab/pauses.h"
#include "lab/rows.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct failover;

/* A path of a host, by index. */
struct path_ref {
    uint32_t host;
    uint32_t path;
};

/* 'names', 'ios' and 'rows' are borrowed; the rows of faults come at failover_finish(). */
struct failover *failover_new(const struct san_names *names, const struct open_ios *ios,
                              struct rows *rows);
void failover_free(struct failover *failover);

/* The timeline. 'fault_id' counts from 1 without gaps; texts and array are copied. */
void failover_fault(struct failover *failover, int64_t at_ns, uint32_t fault_id, const char *step,
                    const char *kind, const char *part, const struct path_ref *touched,
                    size_t touched_count);
void failover_repair(struct failover *failover, int64_t at_ns, uint32_t fault_id);

/* The trace. Of an I/O: after it was added to or updated in the open I/O, before it is removed. */
void failover_sent(struct failover *failover, int64_t at_ns, struct open_io *io);
void failover_done(struct failover *failover, int64_t at_ns, struct open_io *io, bool is_error);
/* Each pause that ends, or that lasts when the run ends; before failover_done() of its last I/O. */
void failover_pause(struct failover *failover, const struct pause *pause);
/* The host of an I/O went down: it ends without a completion. */
void failover_forgotten(struct failover *failover, int64_t at_ns, struct open_io *io);
/* Detected is what went bad: a sign that something still is, or is better, counts for nothing. */
void failover_sign(struct failover *failover, int64_t at_ns, const struct trace_sign *sign);
/* In use: I/O may be given to the path, even if it is held below. Usable: I/O goes through. */
void failover_path(struct failover *failover, int64_t at_ns, const struct trace_path *change,
                   bool is_in_use, bool is_usable);

/* The run is over: writes the rows of all faults. */
void failover_finish(struct failover *failover, int64_t at_ns);
