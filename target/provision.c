/* Thin provisioning: UNMAP and GET LBA STATUS (SBC-3, 5.28 and 5.4). */
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/start.h"
#include "target/task_set.h"

#define HEADER_BYTES     8u
#define DESCRIPTOR_BYTES 16u

uint64_t unmap_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    return lun->is_thin ? get_be16(cdb + 7) : 0;
}

struct extent {
    uint64_t lba;
    uint32_t blocks;
};

static struct extent extent_at(const struct scsi_task *task, uint32_t index)
{
    uint8_t descriptor[DESCRIPTOR_BYTES];

    buf_read(task->data_out, HEADER_BYTES + (size_t)index * DESCRIPTOR_BYTES, descriptor,
             sizeof(descriptor));
    return (struct extent){get_be64(descriptor), get_be32(descriptor + 8)};
}

/* The number of descriptors; they lie inside the list. */
static uint32_t descriptor_count(const struct scsi_task *task)
{
    uint8_t header[HEADER_BYTES];

    buf_read(task->data_out, 0, header, sizeof(header));
    size_t told = get_be16(header + 2);
    size_t there = buf_bytes(task->data_out) - HEADER_BYTES;

    return (uint32_t)((told < there ? told : there) / DESCRIPTOR_BYTES);
}

static enum task_step check_extents(const struct lun *lun, struct scsi_task *task)
{
    uint32_t count = descriptor_count(task);
    uint64_t sum = 0;

    if (count > UNMAP_MOST_DESCRIPTORS)
        return task_refuse_parameter(task, 2);
    for (uint32_t i = 0; i < count; i++) {
        struct extent extent = extent_at(task, i);

        if (extent.lba > lun->block_count || extent.blocks > lun->block_count - extent.lba)
            return task_refuse(task, REFUSE_RANGE);
        sum += extent.blocks;
    }
    if (sum > UNMAP_MOST_BLOCKS)
        return task_refuse(task, REFUSE_PARAMETER);
    return TASK_WAITS;
}

static void on_punched(struct store_request *request);

/* Unmaps from descriptor 'task->step' on, one request after the other. */
static enum task_step punch_next(struct lun *lun, struct scsi_task *task)
{
    uint32_t count = descriptor_count(task);

    while (task->step < count) {
        struct extent extent = extent_at(task, task->step++);

        if (extent.blocks == 0)
            continue;
        task->request = (struct store_request){.op = STORE_PUNCH,
                                               .offset = extent.lba << lun->block_shift,
                                               .bytes = (uint64_t)extent.blocks << lun->block_shift,
                                               .force_unit_access = lun->mode.is_write_through};
        return task_submit(lun, task, on_punched);
    }
    return task_good(task);
}

static void on_punched(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK)
        task_refuse_store_result(task, task->at);
    else if (task->abort_order == 0 && punch_next(task->at, task) == TASK_WAITS)
        return;
    task_set_finish(task);
}

enum task_step start_unmap(struct lun *lun, struct scsi_task *task)
{
    uint64_t list_bytes = get_be16(task->cdb + 7);

    if (lun->is_read_only || lun->mode.software_write_protect)
        return task_refuse(task, REFUSE_WRITE_PROTECTED);
    task->transfer_bytes = list_bytes;
    if (list_bytes == 0)
        return task_good(task);
    if (list_bytes < HEADER_BYTES || buf_bytes(task->data_out) < list_bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    if (check_extents(lun, task) == TASK_DONE)
        return TASK_DONE;
    return punch_next(lun, task);
}

/* GET LBA STATUS (SBC-3, 5.4): the store is asked extent by extent. Extents consist of whole
 * physical blocks: a start inside of one begins with the next, as initiators that step by physical
 * blocks expect it. */

#define STATUS_HEADER_BYTES     8u
#define STATUS_DESCRIPTOR_BYTES 16u
#define STATUS_MOST_DESCRIPTORS 1024u
#define STATUS_DEALLOCATED      1u

/* How many descriptors the allocation length has room for; at least the first is made. */
static uint32_t status_room(const struct scsi_task *task)
{
    uint32_t allocation = get_be32(task->cdb + 10);
    uint32_t room = allocation < STATUS_HEADER_BYTES
                        ? 0
                        : (allocation - STATUS_HEADER_BYTES) / STATUS_DESCRIPTOR_BYTES;

    if (room < 1)
        return 1;
    return room < STATUS_MOST_DESCRIPTORS ? room : STATUS_MOST_DESCRIPTORS;
}

static uint8_t *status_data(const struct scsi_task *task)
{
    return task->data_in->chunk->data;
}

static enum task_step status_reply(struct scsi_task *task)
{
    uint32_t bytes = STATUS_HEADER_BYTES + task->step * STATUS_DESCRIPTOR_BYTES;
    uint32_t allocation = get_be32(task->cdb + 10);
    uint32_t told = bytes < allocation ? bytes : allocation;

    put_be32(status_data(task), bytes - 4);
    if (told == 0) {
        buf_free(task->data_in);
        task->data_in = NULL;
    } else {
        task->data_in->bytes = told;
    }
    task->transfer_bytes = told;
    return task_good(task);
}

static void on_mapped(struct store_request *request);

static uint64_t status_first_lba(const struct scsi_task *task)
{
    uint64_t asked = get_be64(task->cdb + 2);
    uint64_t physical = UINT64_C(1) << task->at->physical_block_exponent;
    uint64_t whole = (asked + physical - 1) & ~(physical - 1);

    return whole < task->at->block_count ? whole : asked;
}

/* The first LBA that has no descriptor yet. */
static uint64_t status_next_lba(const struct scsi_task *task)
{
    const uint8_t *last =
        status_data(task) + STATUS_HEADER_BYTES + (task->step - 1) * STATUS_DESCRIPTOR_BYTES;

    return task->step == 0 ? status_first_lba(task) : get_be64(last) + get_be32(last + 8);
}

static enum task_step ask_map(struct lun *lun, struct scsi_task *task)
{
    uint64_t lba = status_next_lba(task);
    uint64_t blocks = lun->block_count - lba;

    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX; /* what a descriptor can say */
    if (task->step == status_room(task) || blocks == 0)
        return status_reply(task);
    task->request = (struct store_request){
        .op = STORE_MAP, .offset = lba << lun->block_shift, .bytes = blocks << lun->block_shift};
    return task_submit(lun, task, on_mapped);
}

static void put_status(const struct lun *lun, struct scsi_task *task)
{
    const struct store_request *request = &task->request;
    uint8_t *to =
        status_data(task) + STATUS_HEADER_BYTES + (size_t)task->step * STATUS_DESCRIPTOR_BYTES;
    uint64_t blocks = request->map_bytes >> lun->block_shift;

    memset(to, 0, STATUS_DESCRIPTOR_BYTES);
    put_be64(to, request->offset >> lun->block_shift);
    put_be32(to + 8, (uint32_t)blocks);
    to[12] = (uint8_t)(request->is_mapped ? 0 : STATUS_DEALLOCATED);
    task->step++;
}

static void on_mapped(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK) {
        buf_free(task->data_in);
        task->data_in = NULL;
        task_refuse_store_result(task, task->at);
    } else {
        put_status(task->at, task);
        if (task->abort_order == 0 && ask_map(task->at, task) == TASK_WAITS)
            return;
    }
    task_set_finish(task);
}

enum task_step start_get_lba_status(struct lun *lun, struct scsi_task *task)
{
    uint32_t bytes = STATUS_HEADER_BYTES + status_room(task) * STATUS_DESCRIPTOR_BYTES;

    if (get_be64(task->cdb + 2) >= lun->block_count)
        return task_refuse(task, REFUSE_RANGE);
    task->data_in = buf_new(chunk_new(lun->device->pool, bytes), 0, bytes);
    memset(status_data(task), 0, STATUS_HEADER_BYTES);
    return ask_map(lun, task);
}
