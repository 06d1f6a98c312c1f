/* Completions per window of time, host, disk and path: what IOPS, throughput, latency and the age
 * of the oldest waiting I/O are plotted from.
 */
#pragma once

#include "lab/names.h"
#include "lab/open_ios.h"
#include "lab/rows.h"

#include <stdbool.h>
#include <stdint.h>

struct latency;

/* All arguments are borrowed. */
struct latency *latency_new(const struct san_names *names, const struct open_ios *ios,
                            struct rows *rows);
void latency_free(struct latency *latency);

/* An I/O ended; still among the open ones. */
void latency_done(struct latency *latency, int64_t at_ns, const struct open_io *io, bool is_error);

/* A window is over: writes a row for each path on which I/O ended or waits, and starts anew. */
void latency_end_window(struct latency *latency, int64_t window_at_ns, int64_t at_ns);
