/* What a block of the workload holds, so that a read tells which write it sees.
 *
 *    0        8        16       24         32                      block end
 *   | stamp  | disk   | LBA    | check  | filled from the check |        big-endian
 *
 * The stamp names the write: the host and the host's number of it. All blocks of one write share
 * it. The check word is a checksum of the three before it, and each word of the filling follows
 * from it, so that a block is whole or seen not to be. A block that was never written is all zero;
 * no write has stamp 0.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define STAMP_NONE        UINT64_C(0) /* never written */
#define STAMP_BLOCK_LEAST 64u         /* bytes; blocks are a multiple of it */
#define STAMP_BLOCK_MOST  4096u

/* 'sequence' counts from 1. */
static inline uint64_t stamp_make(uint32_t host, uint64_t sequence)
{
    return (uint64_t)host << 48 | (sequence & (UINT64_MAX >> 16));
}
static inline uint32_t stamp_host(uint64_t stamp)
{
    return (uint32_t)(stamp >> 48);
}
static inline uint64_t stamp_sequence(uint64_t stamp)
{
    return stamp & (UINT64_MAX >> 16);
}

enum stamp_check {
    STAMP_EMPTY,       /* all zero: never written */
    STAMP_VALID,       /* whole, and in its place */
    STAMP_WRONG_PLACE, /* whole, but of another disk or LBA (D5) */
    STAMP_TORN,        /* not the bytes of any one write (D6) */
};

struct stamp_seen {
    uint64_t stamp; /* as it stands in the block, right or not; STAMP_NONE when EMPTY */
    uint64_t disk_id;
    uint64_t lba;
};

/* Fills one block. */
void stamp_fill(uint8_t *block, uint32_t block_bytes, uint64_t stamp, uint64_t disk_id,
                uint64_t lba);
/* What does this block hold, when read from that place? */
enum stamp_check stamp_look(const uint8_t *block, uint32_t block_bytes, uint64_t disk_id,
                            uint64_t lba, struct stamp_seen *ret_seen);
/* The same for the block at 'offset' of a chunk, which lies in it as a whole. The first look goes
 * over all of the chunk and notes on it (struct chunk, note) what one write filled from end to end
 * or nobody wrote; while the bytes stay as they are, later looks only read the note. */
enum stamp_check stamp_look_in(struct chunk *chunk, uint32_t offset, uint32_t block_bytes,
                               uint64_t disk_id, uint64_t lba, struct stamp_seen *ret_seen);
/* Fills a chunk that is a row of blocks from 'lba' on, all of one write, and looks at it while it
 * is at hand: the note is there before the first reader comes. */
void stamp_fill_chunk(struct chunk *chunk, uint32_t block_bytes, uint64_t stamp, uint64_t disk_id,
                      uint64_t lba);
