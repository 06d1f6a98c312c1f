/* Ranges of blocks: see blocks.h. */
#include "target/blocks.h"

#include <string.h>

#include "sim/core/bytes.h"

#define PATTERN_BYTES 65536u

struct block_range block_range_of(const uint8_t *cdb)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 10:
        return (struct block_range){get_be32(cdb + 2), get_be16(cdb + 7)};
    case 12:
        return (struct block_range){get_be32(cdb + 2), get_be32(cdb + 6)};
    default:
        return (struct block_range){get_be64(cdb + 2), get_be32(cdb + 10)};
    }
}

unsigned block_length_byte(const uint8_t *cdb)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 6:
        return 4;
    case 12:
        return 6;
    case 16:
        return 10;
    default:
        return 7;
    }
}

enum task_step block_range_check(const struct lun *lun, struct scsi_task *task,
                                 const struct block_range *range, uint32_t most_blocks)
{
    if (!is_block_range_inside(lun, range->lba, range->blocks))
        return task_refuse(task, REFUSE_RANGE);
    if (range->blocks > most_blocks)
        return task_refuse_field(task, block_length_byte(task->cdb), 7);
    return TASK_WAITS;
}

enum task_step block_write_check(const struct lun *lun, struct scsi_task *task)
{
    if (lun->is_read_only || lun->mode.software_write_protect)
        return task_refuse(task, REFUSE_WRITE_PROTECTED);
    return TASK_WAITS;
}

uint64_t block_take_data_out(struct scsi_task *task, uint64_t wanted_bytes)
{
    uint64_t bytes = buf_bytes(task->data_out);

    if (bytes > wanted_bytes) {
        struct buf *rest = task->data_out;

        task->data_out = buf_cut(&rest, wanted_bytes);
        buf_free(rest);
        bytes = wanted_bytes;
    }
    return bytes;
}

struct buf *block_repeat(const struct lun *lun, const uint8_t *block, uint64_t bytes)
{
    struct chunk *chunk = chunk_new(lun->device->pool, PATTERN_BYTES);
    struct buf *first = NULL;
    struct buf **end = &first;

    for (size_t at = 0; at < PATTERN_BYTES; at += lun->block_bytes)
        memcpy(chunk->data + at, block, lun->block_bytes);
    while (bytes > 0) {
        uint32_t here = bytes < PATTERN_BYTES ? (uint32_t)bytes : PATTERN_BYTES;

        *end = buf_new(chunk_ref(chunk), 0, here);
        end = &(*end)->next;
        bytes -= here;
    }
    chunk_unref(chunk);
    return first;
}

struct block_piece block_piece_at(uint32_t step, uint64_t bytes)
{
    uint64_t offset = step * BLOCKS_PIECE_BYTES;
    uint64_t left = offset < bytes ? bytes - offset : 0;

    return (struct block_piece){offset, left < BLOCKS_PIECE_BYTES ? left : BLOCKS_PIECE_BYTES};
}
