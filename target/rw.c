/* Blocks in and out: READ, WRITE, SYNCHRONIZE CACHE (SBC-3, 5.11 to 5.13, 5.26, 5.27, 5.33 to
 * 5.35), and the commands that only look as if they did something. */
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/blocks.h"
#include "target/planted.h"
#include "target/start.h"
#include "target/task_set.h"

static struct scsi_transfer transfer_of(const uint8_t *cdb)
{
    struct scsi_transfer transfer = {0};
    bool is_transfer = scsi_transfer_parse(cdb, &transfer);

    assert(is_transfer);
    return transfer;
}

uint64_t write_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    struct scsi_transfer transfer = transfer_of(cdb);

    if (transfer.blocks > DEVICE_MAX_UNIT_BLOCKS)
        return 0;
    return (uint64_t)transfer.blocks << lun->block_shift;
}

enum task_step task_submit(struct lun *lun, struct scsi_task *task,
                           void (*on_done)(struct store_request *request))
{
    task->waits_for = WAITS_FOR_STORE;
    task->request.on_done = on_done;
    if (lun->device->planted)
        planted_before(lun->device->planted, task);
    store_submit(lun->store, &task->request);
    return TASK_WAITS;
}

void task_refuse_store_result(struct scsi_task *task, const struct lun *lun)
{
    const struct store_request *request = &task->request;
    bool is_read = store_op_only_looks(request->op);

    task->transfer_bytes = 0;
    switch (request->result) {
    case STORE_OK:
        break;
    case STORE_MEDIUM_ERROR:
        task_refuse_at(task, is_read ? REFUSE_READ_ERROR : REFUSE_WRITE_ERROR,
                       request->error_offset >> lun->block_shift);
        break;
    case STORE_NO_SPACE:
        task_refuse(task, REFUSE_SPACE);
        break;
    case STORE_MISCOMPARE:
        task_refuse_at(task, REFUSE_MISCOMPARE, request->error_offset);
        break;
    }
}

static void on_stored(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);
    struct lun *lun = task->at;

    if (lun->device->planted)
        planted_after(lun->device->planted, task);
    if (request->op == STORE_READ) {
        task->data_in = request->data;
        request->data = NULL;
    }
    if (request->result == STORE_OK)
        task_good(task);
    else
        task_refuse_store_result(task, lun);
    task_set_finish(task);
}

/* What READ and WRITE have in common before any data: TASK_WAITS means that all is well. */
static enum task_step check_range(const struct lun *lun, struct scsi_task *task,
                                  const struct scsi_transfer *transfer)
{
    struct block_range range = {transfer->lba, transfer->blocks};

    return block_range_check(lun, task, &range, DEVICE_MAX_UNIT_BLOCKS);
}

static enum task_step read_blocks(struct lun *lun, struct scsi_task *task, uint64_t lba)
{
    uint64_t bytes = task->transfer_bytes;

    if (bytes > task->expected_bytes)
        bytes = task->expected_bytes; /* nobody would send the rest */
    if (bytes == 0)
        return task_good(task);
    task->request =
        (struct store_request){.op = STORE_READ, .offset = lba << lun->block_shift, .bytes = bytes};
    return task_submit(lun, task, on_stored);
}

enum task_step task_flush(struct lun *lun, struct scsi_task *task,
                          void (*on_done)(struct store_request *request))
{
    task->request = (struct store_request){.op = STORE_FLUSH};
    return task_submit(lun, task, on_done);
}

static void on_flushed_to_read(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK)
        task_refuse_store_result(task, task->at);
    else if (task->abort_order == 0 &&
             read_blocks(task->at, task, transfer_of(task->cdb).lba) == TASK_WAITS)
        return;
    task_set_finish(task);
}

/* With FUA it is the medium that is read: what is newer in a volatile cache goes there first
 * (SBC-3, 5.11). */
enum task_step start_read(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (check_range(lun, task, &transfer) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = (uint64_t)transfer.blocks << lun->block_shift;
    if (transfer.fua && lun->has_write_cache && task->transfer_bytes > 0)
        return task_flush(lun, task, on_flushed_to_read);
    return read_blocks(lun, task, transfer.lba);
}

enum task_step start_write(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (check_range(lun, task, &transfer) == TASK_DONE)
        return TASK_DONE;
    if (block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = (uint64_t)transfer.blocks << lun->block_shift;
    uint64_t bytes = block_take_data_out(task, task->transfer_bytes);

    if (bytes % lun->block_bytes != 0)
        return task_refuse(task, REFUSE_UNIT_FIELD); /* a part of a block: nothing is written */
    if (bytes == 0)
        return task_good(task);
    task->request = (struct store_request){
        .op = STORE_WRITE,
        .offset = transfer.lba << lun->block_shift,
        .bytes = bytes,
        .force_unit_access = transfer.fua || lun->mode.is_write_through,
        .data = task->data_out,
    };
    task->data_out = NULL;
    return task_submit(lun, task, on_stored);
}

/* IMMED is met by answering after the flush, too: the host only waits longer. */
enum task_step start_synchronize_cache(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (!is_block_range_inside(lun, transfer.lba, transfer.blocks))
        return task_refuse(task, REFUSE_RANGE);
    return task_flush(lun, task, on_stored);
}

/* PRE-FETCH (SBC-3, 5.8, 5.9): everything is in memory already. GOOD and not CONDITION MET, as
 * hosts take the latter for an error; a length of 0 is all to the end. */
enum task_step start_pre_fetch(struct lun *lun, struct scsi_task *task)
{
    struct block_range range = block_range_of(task->cdb);

    if (!is_block_range_inside(lun, range.lba, range.blocks))
        return task_refuse(task, REFUSE_RANGE);
    return task_good(task);
}

/* READ DEFECT DATA (SBC-3, 5.17, 5.18): neither list has an entry. */
enum task_step start_read_defect_data(struct lun *lun, struct scsi_task *task)
{
    bool is_long = task->cdb[0] == SCSI_READ_DEFECT_DATA_12;
    uint8_t data[8] = {0, is_long ? task->cdb[1] : task->cdb[2]};

    return task_reply(task, lun->device->pool, data, is_long ? 8 : 4,
                      is_long ? get_be32(task->cdb + 6) : get_be16(task->cdb + 7));
}
