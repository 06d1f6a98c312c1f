/* Writes that are more than a write: WRITE SAME (SBC-3, 5.43 and 5.44), ORWRITE (5.5), WRITE ATOMIC
 * (SBC-4, WRITE ATOMIC (16)). */
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/blocks.h"
#include "target/start.h"
#include "target/task_set.h"

#define FUA_BIT   0x08u
#define UNMAP_BIT 0x08u /* of WRITE SAME */
#define NDOB_BIT  0x01u

static void on_done(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result == STORE_OK)
        task_good(task);
    else
        task_refuse_store_result(task, task->at);
    task_set_finish(task);
}

/* WRITE SAME. */

static bool has_no_data(const uint8_t *cdb)
{
    return cdb[0] == SCSI_WRITE_SAME_16 && cdb[1] & NDOB_BIT;
}

uint64_t write_same_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    return has_no_data(cdb) ? 0 : lun->block_bytes;
}

static bool is_zero(const struct buf *chain)
{
    for (; chain; chain = chain->next) {
        const uint8_t *data = buf_data(chain);

        if (data[0] != 0 || memcmp(data, data + 1, chain->bytes - 1) != 0)
            return false;
    }
    return true;
}

static void on_same_written(struct store_request *request);

static enum task_step write_same_next(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = block_range_of(task->cdb);
    uint64_t bytes = (uint64_t)range.blocks << lun->block_shift;
    struct block_piece piece = block_piece_at(task->step++, bytes);

    if (piece.bytes == 0)
        return task_good(task);
    task->request = (struct store_request){.op = STORE_WRITE,
                                           .offset = (range.lba << lun->block_shift) + piece.offset,
                                           .bytes = piece.bytes,
                                           .force_unit_access = lun->mode.is_write_through,
                                           .data = buf_share(task->data_out, 0, piece.bytes)};
    return task_submit(lun, task, on_same_written);
}

static void on_same_written(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK)
        task_refuse_store_result(task, task->at);
    else if (task->abort_order == 0 && write_same_next(task->at, task) == TASK_WAITS)
        return;
    task_set_finish(task);
}

static enum task_step unmap_range(struct lun *lun, struct scsi_task *task,
                                  const struct block_range *range)
{
    task->request = (struct store_request){.op = STORE_PUNCH,
                                           .offset = range->lba << lun->block_shift,
                                           .bytes = (uint64_t)range->blocks << lun->block_shift,
                                           .force_unit_access = lun->mode.is_write_through};
    return task_submit(lun, task, on_done);
}

/* TASK_WAITS: all is well. */
static enum task_step check_write_same(const struct lun *lun, struct scsi_task *task,
                                       const struct block_range *range)
{
    uint64_t data_bytes = write_same_data_bytes(lun, task->cdb);

    if (task->cdb[1] & UNMAP_BIT && !lun->is_thin)
        return task_refuse_field(task, 1, 3);
    if (range->blocks == 0) /* WSNZ */
        return task_refuse_field(task, block_length_byte(task->cdb), 7);
    if (block_range_check(lun, task, range, WRITE_SAME_MOST_BLOCKS) == TASK_DONE ||
        block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    if (task->expected_bytes != data_bytes || buf_bytes(task->data_out) != data_bytes)
        return task_refuse_field(task, 1, 0);
    return TASK_WAITS;
}

enum task_step start_write_same(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = block_range_of(task->cdb);

    if (check_write_same(lun, task, &range) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = write_same_data_bytes(lun, task->cdb);
    if (task->cdb[1] & UNMAP_BIT && is_zero(task->data_out))
        return unmap_range(lun, task, &range);
    uint64_t bytes = (uint64_t)range.blocks << lun->block_shift;
    uint8_t block[MOST_BLOCK_BYTES] = {0};

    if (task->data_out)
        buf_read(task->data_out, 0, block, lun->block_bytes);
    buf_free(task->data_out);
    task->data_out =
        block_repeat(lun, block, bytes < BLOCKS_PIECE_BYTES ? bytes : BLOCKS_PIECE_BYTES);
    return write_same_next(lun, task);
}

/* ORWRITE and WRITE ATOMIC: one request, all of it at once. */

static enum task_step write_at_once(struct lun *lun, struct scsi_task *task,
                                    const struct block_range *range, enum store_op op,
                                    bool is_durable)
{
    task->transfer_bytes = (uint64_t)range->blocks << lun->block_shift;
    uint64_t bytes = block_take_data_out(task, task->transfer_bytes);

    if (bytes % lun->block_bytes != 0)
        return task_refuse(task, REFUSE_UNIT_FIELD);
    if (bytes == 0)
        return task_good(task);
    task->request = (struct store_request){.op = op,
                                           .offset = range->lba << lun->block_shift,
                                           .bytes = bytes,
                                           .force_unit_access = is_durable,
                                           .data = task->data_out};
    task->data_out = NULL;
    return task_submit(lun, task, on_done);
}

uint64_t or_write_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    struct block_range range = block_range_of(cdb);

    return range.blocks > DEVICE_MAX_UNIT_BLOCKS ? 0 : (uint64_t)range.blocks << lun->block_shift;
}

enum task_step start_or_write(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = block_range_of(task->cdb);

    if (block_range_check(lun, task, &range, DEVICE_MAX_UNIT_BLOCKS) == TASK_DONE ||
        block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    return write_at_once(lun, task, &range, STORE_OR,
                         task->cdb[1] & FUA_BIT || lun->mode.is_write_through);
}

static struct block_range atomic_range_of(const uint8_t *cdb)
{
    return (struct block_range){get_be64(cdb + 2), get_be16(cdb + 12)};
}

uint64_t write_atomic_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    struct block_range range = atomic_range_of(cdb);

    return range.blocks > WRITE_ATOMIC_MOST_BLOCKS ? 0 : (uint64_t)range.blocks << lun->block_shift;
}

/* It is durable when it is done: a crash finds all of it or nothing. */
enum task_step start_write_atomic(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = atomic_range_of(task->cdb);

    if (!is_block_range_inside(lun, range.lba, range.blocks))
        return task_refuse(task, REFUSE_RANGE);
    if (range.blocks > WRITE_ATOMIC_MOST_BLOCKS)
        return task_refuse_field(task, 12, 7);
    if (block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    return write_at_once(lun, task, &range, STORE_WRITE, true);
}
