/* The I/O that the workload waits for, listed by age.
 *
 * Entries are recycled, so that an I/O costs no allocation in steady state. Whoever tells of an I/O
 * keeps its entry for us (struct trace_io, memo), so that nothing has to be looked up.
 */
#pragma once

#include "lab/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is touched to list, send and end one stands first, in one line of the processor's cache. */
struct open_io {
    _Alignas(64) struct open_io *older; /* of the same disk */
    struct open_io *younger;
    uint32_t host;
    uint32_t disk;
    uint32_t path; /* where it was sent last, or TRACE_NONE: never; set by open_ios_sent() */
    uint32_t sends;
    uint32_t bytes;
    bool is_write;
    uint32_t searches; /* for the oldest of a path that begin here; open_ios.c's own */
    int64_t planned_at_ns;
    struct catch *catches; /* the faults that caught it; failover.c's */
    int64_t sent_at_ns;    /* last sent; -1: never */

    uint64_t io_id;
    uint64_t order;   /* of the submissions to all disks */
    uint32_t retries; /* times sent, less one */
    int64_t submitted_at_ns;
};

struct open_ios;

struct open_ios *open_ios_new(const struct san_names *names);
void open_ios_free(struct open_ios *ios);

/* A new entry, the youngest of its disk; the caller fills the rest. */
struct open_io *open_ios_add(struct open_ios *ios, uint32_t host, uint32_t disk, uint64_t io_id);
/* It went out on 'path'. */
void open_ios_sent(struct open_ios *ios, struct open_io *io, uint32_t path);
void open_ios_remove(struct open_ios *ios, struct open_io *io);

/* The oldest of one disk, then each younger one through 'younger'; NULL: none. */
struct open_io *open_ios_oldest(const struct open_ios *ios, uint32_t host, uint32_t disk);
size_t open_ios_count(const struct open_ios *ios, uint32_t host, uint32_t disk);
/* The oldest of one disk that is on 'path' (TRACE_NONE: was never sent); NULL: none. */
struct open_io *open_ios_oldest_on(const struct open_ios *ios, uint32_t host, uint32_t disk,
                                   uint32_t path);
