/* Blocks in and out: READ, WRITE, SYNCHRONIZE CACHE (SBC-3, 5.11 to 5.13, 5.26, 5.27, 5.33
 * to 5.35). */
#include "sim/core/attributes.h"
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

/* Where in the CDB the number of blocks begins, by its length (SPC-4, 4.2.2). */
static unsigned length_byte(const uint8_t *cdb)
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

static bool is_in_range(const struct lun *lun, const struct scsi_transfer *transfer)
{
    return transfer->lba <= lun->block_count &&
           transfer->blocks <= lun->block_count - transfer->lba;
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
    bool is_read = request->op == STORE_READ;

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
    if (!is_in_range(lun, transfer))
        return task_refuse(task, REFUSE_RANGE);
    if (transfer->blocks > DEVICE_MAX_UNIT_BLOCKS)
        return task_refuse_field(task, length_byte(task->cdb), 7);
    return TASK_WAITS;
}

enum task_step start_read(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (check_range(lun, task, &transfer) == TASK_DONE)
        return TASK_DONE;
    uint64_t bytes = (uint64_t)transfer.blocks << lun->block_shift;

    task->transfer_bytes = bytes;
    if (bytes > task->expected_bytes)
        bytes = task->expected_bytes; /* nobody would send the rest */
    if (bytes == 0)
        return task_good(task);
    task->request = (struct store_request){
        .op = STORE_READ, .offset = transfer.lba << lun->block_shift, .bytes = bytes};
    return task_submit(lun, task, on_stored);
}

/* Cuts the data-out to the bytes that will be written: all that the CDB asks for, or what came if
 * the transport was told to expect less (RFC 7143, 11.4.5.2). */
static uint64_t take_data_out(struct scsi_task *task, uint64_t wanted_bytes)
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

enum task_step start_write(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (check_range(lun, task, &transfer) == TASK_DONE)
        return TASK_DONE;
    if (lun->is_read_only || lun->mode.software_write_protect)
        return task_refuse(task, REFUSE_WRITE_PROTECTED);
    task->transfer_bytes = (uint64_t)transfer.blocks << lun->block_shift;
    uint64_t bytes = take_data_out(task, task->transfer_bytes);

    if (bytes % lun->block_bytes != 0)
        return task_refuse(task, REFUSE_UNIT_FIELD); /* a part of a block: nothing is written */
    if (bytes == 0)
        return task_good(task);
    task->request = (struct store_request){
        .op = STORE_WRITE,
        .offset = transfer.lba << lun->block_shift,
        .bytes = bytes,
        .force_unit_access = transfer.fua,
        .data = task->data_out,
    };
    task->data_out = NULL;
    return task_submit(lun, task, on_stored);
}

/* IMMED is met by answering after the flush, too: the host only waits longer. */
enum task_step start_synchronize_cache(struct lun *lun, struct scsi_task *task)
{
    struct scsi_transfer transfer = transfer_of(task->cdb);

    if (!is_in_range(lun, &transfer))
        return task_refuse(task, REFUSE_RANGE);
    task->request = (struct store_request){.op = STORE_FLUSH};
    return task_submit(lun, task, on_stored);
}
