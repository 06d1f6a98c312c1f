/* The loads of one host: what its applications ask of its disks, and when.
 *
 * A closed loop keeps 'in_flight' I/Os outstanding. An open loop starts one at each planned
 * instant, start + i / rate to the nanosecond, whatever became of those before; when 'queue' of
 * them are outstanding the next ones wait, and since latency counts from the planned start, the
 * wait counts. A closed loop with a rate is a closed loop that never starts more than that.
 *
 * I/Os are aligned to their size inside the load's area. Every written block carries a stamp
 * (stamp.h), every read is judged by the oracle (oracle.h). With 'random' and 'sequential' a load
 * never has two writes in flight for the same place; 'rewrite' writes a few places again and again
 * and does: there any of the concurrent writes may win, and the oracle judges it so.
 *
 * A core: the owner (one timer per host) takes I/Os, submits them to the multipath disk of their
 * load, and hands them back:
 *
 *     while ((io = workload_next_io(workload, now, &disk))) ... mpath_submit()
 *     workload_io_done(workload, io, now), then ask for the next again
 *     arm the timer for workload_deadline_ns(workload)
 */
#pragma once

#include "initiator/mpath.h"
#include "initiator/oracle.h"
#include "sim/core/attributes.h"
#include "sim/core/error.h"

#include <stdint.h>

#define LOAD_PATTERNS(X)                                                                           \
    X(PATTERN_RANDOM, "random")                                                                    \
    X(PATTERN_SEQUENTIAL, "sequential")                                                            \
    X(PATTERN_REWRITE, "rewrite") /* the first LOAD_REWRITE_PLACES of the area, at random */

enum load_pattern {
#define X(name, word) name,
    LOAD_PATTERNS(X)
#undef X
};

#define LOAD_REWRITE_PLACES 16u
#define LOAD_AREA_BYTES     ((uint64_t)64 << 20) /* default */
#define LOAD_QUEUE          65536u               /* default; that of scenario files, too */
#define LOAD_ERROR_PAUSE_NS MS(100)              /* default */
#define LOAD_MOST           64u                  /* loads per host */
#define LOAD_MOST_IO_BYTES  (16u << 20)
#define LOAD_MOST_IN_FLIGHT 65536u
#define LOAD_MOST_RATE      100000000u /* per second */

struct load_options {
    const char *name;    /* for its random generator "host/load"; needs to live for the call */
    uint32_t disk;       /* which multipath disk of the host */
    uint32_t in_flight;  /* closed loop; 0: open loop */
    uint64_t rate_per_s; /* open loop: 1 or more; closed loop: the ceiling, 0: none */
    uint32_t queue;      /* open loop: most outstanding I/Os */
    uint32_t read_ppm;   /* share of reads: 0 to 1,000,000 */
    uint32_t io_bytes;   /* a multiple of the disk's block */
    uint64_t area_offset_bytes;
    uint64_t area_bytes; /* what is left over after the last whole I/O is not used */
    enum load_pattern pattern;
    int64_t start_at_ns;    /* it starts then, or when its disk first arrives, if that is later */
    int64_t stop_at_ns;     /* nothing new from then on; TIME_NEVER */
    int64_t error_pause_ns; /* closed loop: after an error nothing new for so long. A disk that is
                               gone fails at once; an application does not ask a million times then.
                               Above 0 */
};

/* The default for hosts that share a disk: each has an area of its own. */
static inline uint64_t load_area_offset(uint32_t host_index, uint64_t area_bytes)
{
    return host_index * area_bytes;
}

/* Refuses what cannot run on a disk of this size; the error's place is 'pos'. */
MUST_CHECK enum status load_check(const struct load_options *options, uint32_t block_bytes,
                                  uint64_t block_count, struct source_pos pos, struct error *err);

struct load_counts {
    uint64_t submitted;
    uint64_t reads;  /* done without error */
    uint64_t writes; /* done without error */
    uint64_t errors;
    uint64_t bytes; /* of what was done without error */
    uint64_t most_outstanding;
};

/* Life cycle. 'host_name' needs to live for the call. Freed after the multipath disks: I/O that
 * was under way is given back to the pool. */
struct workload;
struct workload *workload_new(struct pool *pool, uint32_t host_index, const char *host_name,
                              uint64_t run_seed);
void workload_free(struct workload *workload);
/* Returns the load's number; 'options' passed load_check(). 'oracle' is that of the array disk
 * behind 'options->disk', borrowed. */
uint32_t workload_add_load(struct workload *workload, const struct load_options *options,
                           struct oracle *oracle);

/* The first arrival of a disk lets its loads begin; later ones change nothing. */
void workload_disk_arrived(struct workload *workload, uint32_t disk, int64_t now_ns);
/* The host lost power. I/O under way is forgotten (a write may have been applied), after the
 * multipath disks forgot it; each load begins anew when its disk arrives again. */
void workload_crash(struct workload *workload);

/* The next I/O that is due, to be submitted now to multipath disk '*ret_disk'; NULL: none. */
struct mpath_io *workload_next_io(struct workload *workload, int64_t now_ns, uint32_t *ret_disk);
/* An I/O that workload_next_io() gave is done; it is gone after this call. Judges what a read
 * returned. */
void workload_io_done(struct workload *workload, struct mpath_io *io, int64_t now_ns);

/* When workload_next_io(), which has just given NULL, has something again although nothing was
 * done; or TIME_NEVER. */
int64_t workload_deadline_ns(struct workload *workload);

uint32_t workload_load_count(const struct workload *workload);
uint32_t workload_outstanding(const struct workload *workload);
const struct load_counts *workload_counts(const struct workload *workload, uint32_t load);
