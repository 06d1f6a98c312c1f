/* The results of a task: see refuse.h for what a command may answer. */
#include "target/task.h"

#include "target/lun.h"
#include "target/refuse.h"

#include <string.h>

void task_init(struct scsi_task *task)
{
    static_assert(TASK_SIMPLE == 0, "an empty task is all zero");
    memset(task, 0, TASK_CLEAN_BYTES);
}

void task_fini(struct scsi_task *task)
{
    assert(task->place == TASK_OUTSIDE);
    buf_free(task->data_out);
    buf_free(task->data_in);
    task->data_out = NULL;
    task->data_in = NULL;
}

enum task_step task_good(struct scsi_task *task)
{
    return task_status(task, SCSI_GOOD);
}

enum task_step task_status(struct scsi_task *task, uint8_t status)
{
    task->status = status;
    return TASK_DONE;
}

enum task_step task_reply(struct scsi_task *task, struct pool *pool, const void *data, size_t bytes,
                          uint64_t allocation_bytes)
{
    if (bytes > allocation_bytes)
        bytes = (size_t)allocation_bytes;
    task->data_in = buf_copy(pool, data, bytes);
    task->transfer_bytes = bytes;
    return task_good(task);
}

static size_t build(unsigned refusal, struct scsi_sense sense, uint8_t *to)
{
    sense.key = (uint8_t)(refusal >> 16);
    sense.asc = (uint8_t)(refusal >> 8);
    sense.ascq = (uint8_t)refusal;
    return scsi_sense_build(&sense, to);
}

/* The format goes by D_SENSE of the Control mode page (SPC-4, 7.5.8). */
static enum task_step refuse(struct scsi_task *task, unsigned refusal, struct scsi_sense sense)
{
    static_assert(TASK_SENSE_MAX_BYTES >= SCSI_SENSE_MOST_BYTES, "any sense data fit a task");
    sense.is_descriptor = task->at && task->at->mode.descriptor_sense;
    task->sense_bytes = (uint8_t)build(refusal, sense, task->sense);
    return task_status(task, SCSI_CHECK_CONDITION);
}

enum task_step task_refuse(struct scsi_task *task, unsigned refusal)
{
    return refuse(task, refusal, (struct scsi_sense){0});
}

enum task_step task_refuse_field(struct scsi_task *task, unsigned byte, unsigned bit)
{
    return refuse(task, REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB),
                  (struct scsi_sense){.has_field_pointer = true,
                                      .is_field_in_cdb = true,
                                      .has_bit_pointer = true,
                                      .bit_pointer = (uint8_t)bit,
                                      .field_pointer = (uint16_t)byte});
}

enum task_step task_refuse_parameter(struct scsi_task *task, unsigned byte)
{
    return refuse(task, REFUSE_PARAMETER,
                  (struct scsi_sense){.has_field_pointer = true, .field_pointer = (uint16_t)byte});
}

enum task_step task_refuse_at(struct scsi_task *task, unsigned refusal, uint64_t information)
{
    return refuse(task, refusal,
                  (struct scsi_sense){.has_information = true, .information = information});
}

size_t sense_data(unsigned refusal, bool is_descriptor, uint8_t ret_sense[SCSI_SENSE_MOST_BYTES])
{
    return build(refusal, (struct scsi_sense){.is_descriptor = is_descriptor}, ret_sense);
}

enum task_step task_refuse_progress(struct scsi_task *task, unsigned refusal, uint16_t progress)
{
    return refuse(task, refusal, (struct scsi_sense){.has_progress = true, .progress = progress});
}

size_t sense_data_progress(unsigned refusal, bool is_descriptor, uint16_t progress,
                           uint8_t ret_sense[SCSI_SENSE_MOST_BYTES])
{
    return build(refusal,
                 (struct scsi_sense){
                     .is_descriptor = is_descriptor, .has_progress = true, .progress = progress},
                 ret_sense);
}
