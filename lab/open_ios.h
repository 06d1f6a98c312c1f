/* The I/O that the workload waits for, found by number and listed by age.
 *
 * Entries are recycled, so that an I/O costs no allocation in steady state.
 */
#pragma once

#include "lab/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is touched to find, list and send one stands first: half of it, a cache line, is enough. */
struct open_io {
    uint64_t io_id;
    uint32_t host;
    uint32_t disk;
    struct open_io *next_in_bucket;
    struct open_io *older; /* of the same disk */
    struct open_io *younger;
    uint32_t path;    /* where it was sent last, or TRACE_NONE: it waits in the host */
    uint32_t retries; /* times sent, less one */
    uint32_t sends;
    uint32_t bytes;
    int64_t sent_at_ns; /* last sent; -1: never */
    int64_t planned_at_ns;
    int64_t submitted_at_ns;
    struct catch *catches; /* the faults that caught it; failover.c's */
    bool is_write;
};

struct open_ios;

struct open_ios *open_ios_new(const struct san_names *names);
void open_ios_free(struct open_ios *ios);

/* A new entry, the youngest of its disk; the caller fills the rest. */
struct open_io *open_ios_add(struct open_ios *ios, uint32_t host, uint32_t disk, uint64_t io_id);
/* NULL: there is none. */
struct open_io *open_ios_find(const struct open_ios *ios, uint32_t host, uint64_t io_id);
void open_ios_remove(struct open_ios *ios, struct open_io *io);

/* The oldest of one disk, then each younger one through 'younger'; NULL: none. */
struct open_io *open_ios_oldest(const struct open_ios *ios, uint32_t host, uint32_t disk);
size_t open_ios_count(const struct open_ios *ios, uint32_t host, uint32_t disk);
