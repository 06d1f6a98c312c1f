/* Blocks that are compared: VERIFY and WRITE AND VERIFY (SBC-3, 5.29 to 5.31 and 5.37 to 5.39),
 * COMPARE AND WRITE (5.2).
 *
 * A verification reads the medium in pieces, so that what cannot be read is found, and compares
 * what it read if BYTCHK asks for it.
 */
#include "sim/core/attributes.h"
#include "target/blocks.h"
#include "target/start.h"
#include "target/task_set.h"

#define FUA_BIT 0x08u

/* BYTCHK, byte 1 (SBC-3, table 84). */
enum byte_check {
    CHECK_MEDIUM = 0, /* that it can be read */
    CHECK_EACH = 1,   /* with the data-out */
    CHECK_RESERVED = 2,
    CHECK_ONE_BLOCK = 3, /* each block with the one of the data-out */
};

static enum byte_check byte_check_of(const uint8_t *cdb)
{
    return (enum byte_check)(cdb[1] >> 1 & 3);
}

static bool is_write_and_verify(const struct scsi_task *task)
{
    return task->cdb[0] == SCSI_WRITE_AND_VERIFY_10 || task->cdb[0] == SCSI_WRITE_AND_VERIFY_12 ||
           task->cdb[0] == SCSI_WRITE_AND_VERIFY_16;
}

uint64_t verify_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    struct block_range range = block_range_of(cdb);

    if (range.blocks > DEVICE_MAX_UNIT_BLOCKS)
        return 0;
    switch (byte_check_of(cdb)) {
    case CHECK_EACH:
        return (uint64_t)range.blocks << lun->block_shift;
    case CHECK_ONE_BLOCK:
        return range.blocks > 0 ? lun->block_bytes : 0;
    default:
        return 0;
    }
}

uint64_t write_verify_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    struct block_range range = block_range_of(cdb);

    return range.blocks > DEVICE_MAX_UNIT_BLOCKS ? 0 : (uint64_t)range.blocks << lun->block_shift;
}

/* Bytes of the medium that are looked at: fewer than the CDB says when fewer came to compare
 * with. */
static uint64_t verified_bytes(const struct lun *lun, const struct scsi_task *task)
{
    uint64_t bytes = (uint64_t)block_range_of(task->cdb).blocks << lun->block_shift;

    if (is_write_and_verify(task) || byte_check_of(task->cdb) == CHECK_EACH)
        return buf_bytes(task->data_out) < bytes ? buf_bytes(task->data_out) : bytes;
    return bytes;
}

/* The offset of the first byte of a piece that is not as it should be; its bytes: all is well. */
static uint64_t compare_piece(const struct lun *lun, const struct scsi_task *task,
                              const struct block_piece *piece)
{
    uint64_t same = 0;
    struct buf *expected = NULL;

    switch (byte_check_of(task->cdb)) {
    case CHECK_MEDIUM:
    case CHECK_RESERVED:
        return piece->bytes;
    case CHECK_EACH:
        expected = buf_share(task->data_out, piece->offset, piece->bytes);
        same = buf_difference(task->request.data, expected);
        buf_free(expected);
        return same;
    case CHECK_ONE_BLOCK:
        break;
    }
    while (same < piece->bytes) {
        struct buf *block = buf_share(task->request.data, same, lun->block_bytes);
        uint64_t equal = buf_difference(block, task->data_out);

        buf_free(block);
        same += equal;
        if (equal < lun->block_bytes)
            break;
    }
    return same;
}

static void on_read_back(struct store_request *request);

/* Reads the next piece; TASK_DONE: all of it was as it should be. */
static enum task_step verify_next(struct lun *lun, struct scsi_task *task)
{
    struct block_piece piece = block_piece_at(task->step, verified_bytes(lun, task));

    if (piece.bytes == 0)
        return task_good(task);
    task->request = (struct store_request){
        .op = STORE_READ,
        .offset = (block_range_of(task->cdb).lba << lun->block_shift) + piece.offset,
        .bytes = piece.bytes};
    return task_submit(lun, task, on_read_back);
}

static enum task_step check_read_back(struct lun *lun, struct scsi_task *task)
{
    struct block_piece piece = block_piece_at(task->step++, verified_bytes(lun, task));
    uint64_t same = compare_piece(lun, task, &piece);

    buf_free(task->request.data);
    task->request.data = NULL;
    if (same < piece.bytes)
        return task_refuse_at(task, REFUSE_MISCOMPARE, piece.offset + same);
    return verify_next(lun, task);
}

static void on_read_back(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK) {
        task_refuse_store_result(task, task->at);
    } else if (task->abort_order != 0) {
        buf_free(request->data);
        request->data = NULL;
    } else if (check_read_back(task->at, task) == TASK_WAITS) {
        return;
    }
    task_set_finish(task);
}

/* Both commands: BYTCHK and range; TASK_WAITS: all is well. */
static enum task_step check(const struct lun *lun, struct scsi_task *task, uint32_t most_blocks)
{
    struct block_range range = block_range_of(task->cdb);

    if (byte_check_of(task->cdb) == CHECK_RESERVED)
        return task_refuse_field(task, 1, 2);
    return block_range_check(lun, task, &range, most_blocks);
}

/* Of both commands: it was written, or flushed; now it is read. */
static void on_written(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK)
        task_refuse_store_result(task, task->at);
    else if (task->abort_order == 0 && verify_next(task->at, task) == TASK_WAITS)
        return;
    task_set_finish(task);
}

/* It is the medium that is verified: what is newer in a volatile cache goes there first (SBC-3,
 * 5.29). */
enum task_step start_verify(struct lun *lun, struct scsi_task *task)
{
    bool has_data = byte_check_of(task->cdb) != CHECK_MEDIUM;

    if (check(lun, task, has_data ? DEVICE_MAX_UNIT_BLOCKS : UINT32_MAX) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = verify_data_bytes(lun, task->cdb);
    if (block_take_data_out(task, task->transfer_bytes) % lun->block_bytes != 0)
        return task_refuse(task, REFUSE_UNIT_FIELD); /* a part of a block */
    if (task->transfer_bytes > 0 && !task->data_out)
        return task_good(task); /* nothing came to compare with */
    if (lun->has_write_cache && verified_bytes(lun, task) > 0)
        return task_flush(lun, task, on_written);
    return verify_next(lun, task);
}

enum task_step start_write_and_verify(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = block_range_of(task->cdb);

    if (byte_check_of(task->cdb) == CHECK_ONE_BLOCK)
        return task_refuse_field(task, 1, 2);
    if (check(lun, task, DEVICE_MAX_UNIT_BLOCKS) == TASK_DONE ||
        block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = (uint64_t)range.blocks << lun->block_shift;
    uint64_t bytes = block_take_data_out(task, task->transfer_bytes);

    if (bytes % lun->block_bytes != 0)
        return task_refuse(task, REFUSE_UNIT_FIELD);
    if (bytes == 0)
        return task_good(task);
    /* It is the medium that is verified, so it has to be there. */
    task->request = (struct store_request){.op = STORE_WRITE,
                                           .offset = range.lba << lun->block_shift,
                                           .bytes = bytes,
                                           .force_unit_access = true,
                                           .data = buf_share(task->data_out, 0, bytes)};
    return task_submit(lun, task, on_written);
}

/* COMPARE AND WRITE: the verify instance of the data, then the write instance. */

static uint64_t compare_bytes(const struct lun *lun, const uint8_t *cdb)
{
    return (uint64_t)cdb[13] << lun->block_shift;
}

uint64_t compare_and_write_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    return 2 * compare_bytes(lun, cdb);
}

static void on_compared(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result == STORE_OK)
        task_good(task);
    else
        task_refuse_store_result(task, task->at);
    task_set_finish(task);
}

enum task_step start_compare_and_write(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = {block_range_of(task->cdb).lba, task->cdb[13]};
    uint64_t bytes = compare_bytes(lun, task->cdb);

    if (block_range_check(lun, task, &range, COMPARE_AND_WRITE_MOST_BLOCKS) == TASK_DONE ||
        block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    if (task->expected_bytes != 2 * bytes || buf_bytes(task->data_out) != 2 * bytes)
        return task_refuse_field(task, 13, 7);
    task->transfer_bytes = 2 * bytes;
    if (bytes == 0)
        return task_good(task);
    task->request = (struct store_request){
        .op = STORE_COMPARE_WRITE,
        .offset = range.lba << lun->block_shift,
        .bytes = bytes,
        .force_unit_access = task->cdb[1] & FUA_BIT || lun->mode.is_write_through,
        .data = task->data_out,
    };
    task->data_out = NULL;
    return task_submit(lun, task, on_compared);
}
