/* Knows what every block of one disk of the array may hold, and says so when a read returns
 * anything else: rules D1, D2, D4, D5 and D6 of the checks.
 *
 * All hosts that use the disk share one oracle and tell it when an I/O starts and how it ends, in
 * the order in which that happens. It looks at the stamps of what a read returned (stamp.h) and
 * asks a register check per block (register_check.h) whether any order of the writes allows it. A
 * broken rule goes to the trace, with what was lost.
 *
 *   D1  an acknowledged write is gone: something older came back, and nobody ever read the newer
 *   D2  a stale read: something older came back after the newer one had been read
 *   D4  flip back: after a stale read the newer one was read again, and now the old one once more
 *   D5  a whole block of another place
 *   D6  a torn block: no single write left these bytes
 *
 * Each is told once per block and written value, so that one fault does not flood the results.
 */
#pragma once

#include "initiator/register_check.h"
#include "sim/core/buf.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct oracle_options {
    struct pool *pool;     /* borrowed */
    struct trace *trace;   /* borrowed */
    uint64_t disk_id;      /* goes into every block; different for every disk of the run */
    const char *disk_name; /* for the texts; borrowed, like the names below */
    uint32_t block_bytes;  /* a multiple of STAMP_BLOCK_LEAST, at most 4096 */
    uint64_t block_count;
    const char *const *host_names; /* by host index */
    uint32_t host_count;
};

/* How a write ended, as far as the host knows. */
enum write_end {
    WRITE_ACKNOWLEDGED,
    WRITE_UNKNOWN,    /* an error: it may have been applied, or be applied later, or never */
    WRITE_NEVER_SENT, /* an error, and no path ever got it */
};

#define ORACLE_FEW_OPS 2u /* 4 KiB on blocks of 512 bytes, wherever it begins */

/* An I/O that the oracle follows; embedded in whatever follows it, and it stays where it is. */
struct oracle_op {
    uint64_t stamp; /* WRITE */
    uint64_t lba;
    uint32_t blocks;
    bool is_write;
    uint32_t host;                          /* set before it starts: for the trace */
    uint32_t disk;                          /* likewise: the host's number of this disk */
    struct register_op *ops;                /* one per group of blocks, under way */
    struct register_op few[ORACLE_FEW_OPS]; /* where they are, as long as they fit */
    struct chunk *chunk;                    /* else here */
};

struct oracle;
struct oracle *oracle_new(const struct oracle_options *options);
/* Every operation must have ended or been dropped. */
void oracle_free(struct oracle *oracle);

uint32_t oracle_block_bytes(const struct oracle *oracle);
uint64_t oracle_block_count(const struct oracle *oracle);
uint64_t oracle_disk_id(const struct oracle *oracle);

/* The host submits it. op->host and op->disk are set. */
void oracle_write_starts(struct oracle *oracle, struct oracle_op *op, uint64_t lba, uint32_t blocks,
                         uint64_t stamp);
void oracle_read_starts(struct oracle *oracle, struct oracle_op *op, uint64_t lba, uint32_t blocks);

void oracle_write_ends(struct oracle *oracle, struct oracle_op *op, enum write_end end,
                       int64_t now_ns);
/* 'data' is borrowed: as many bytes as were asked for; NULL: the read failed. 'path' is the one
 * that it came by. */
void oracle_read_ends(struct oracle *oracle, struct oracle_op *op, const struct buf *data,
                      uint32_t path, int64_t now_ns);
/* Forgets an operation that is under way when the run ends. */
void oracle_drop(struct oracle *oracle, struct oracle_op *op);

uint64_t oracle_broken_count(const struct oracle *oracle);
