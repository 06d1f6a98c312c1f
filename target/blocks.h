/* Ranges of blocks: what commands that name one check before they touch it, and how they walk over
 * it.
 */
#pragma once

#include "target/lun.h"
#include "target/refuse.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOCKS_PIECE_BYTES (UINT64_C(1) << 20) /* of a long walk: one request to the store */

struct block_range {
    uint64_t lba;
    uint32_t blocks;
};

/* LOGICAL BLOCK ADDRESS and the length where the CDBs of 10, 12 and 16 bytes have them. */
struct block_range block_range_of(const uint8_t *cdb);
/* Where in the CDB the number of blocks begins, by its length (SPC-4, 4.2.2). */
unsigned block_length_byte(const uint8_t *cdb);

/* Computed without overflow near 2^64. */
static inline bool is_block_range_inside(const struct lun *lun, uint64_t lba, uint64_t blocks)
{
    return lba <= lun->block_count && blocks <= lun->block_count - lba;
}
/* TASK_DONE: refused, outside of the unit or more than 'most_blocks'. */
enum task_step block_range_check(const struct lun *lun, struct scsi_task *task,
                                 const struct block_range *range, uint32_t most_blocks);
/* TASK_DONE: refused, nothing may be written here. */
enum task_step block_write_check(const struct lun *lun, struct scsi_task *task);

/* Cuts the data-out to the bytes that will be used: all that the CDB asks for, or what came if the
 * transport was told to expect less (RFC 7143, 11.4.5.2). Returns its bytes. */
uint64_t block_take_data_out(struct scsi_task *task, uint64_t wanted_bytes);

#define MOST_BLOCK_BYTES 4096u
/* A chain of 'bytes' that repeats one block: slices of one chunk. The caller owns it. */
struct buf *block_repeat(const struct lun *lun, const uint8_t *block, uint64_t bytes);

/* The piece number 'step' of 'bytes': at most BLOCKS_PIECE_BYTES. */
struct block_piece {
    uint64_t offset; /* from the beginning of the walk */
    uint64_t bytes;  /* 0: the walk is over */
};
struct block_piece block_piece_at(uint32_t step, uint64_t bytes);
