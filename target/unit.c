/* The state of the unit as a whole: TEST UNIT READY, REQUEST SENSE, START STOP UNIT, PREVENT ALLOW
 * MEDIUM REMOVAL, and RESERVE(6) with RELEASE(6) of SPC-2. */
#include "sim/core/attributes.h"
#include "target/start.h"
#include "target/task_set.h"

#define START_BIT       0x01u
#define LOEJ_BIT        0x02u
#define NO_FLUSH_BIT    0x04u
#define POWER_CONDITION 0xf0u

enum task_step start_test_unit_ready(struct lun *lun, struct scsi_task *task)
{
    (void)lun;
    return task_good(task);
}

/* Pending unit attentions are told as data and are then gone (SPC-4, 6.39). */
enum task_step start_request_sense(struct lun *lun, struct scsi_task *task)
{
    bool is_descriptor = task->cdb[1] & 0x01;
    uint8_t data[SCSI_SENSE_MOST_BYTES];
    unsigned sense = REFUSE_LUN;

    if (lun) {
        unsigned attention = attention_take(&nexus_at(task->nexus, lun)->attentions);

        sense = attention != ATTENTION_NONE ? REFUSE_ATTENTION(attention) : REFUSE_NO_SENSE;
        if (attention == ATTENTION_NONE && lun->is_ejected)
            sense = REFUSE_NO_MEDIUM;
    }
    size_t bytes = sense_data(sense, is_descriptor, data);

    if (sense == REFUSE_NO_SENSE && lun->sanitize.is_running)
        bytes = sense_data_progress(REFUSE_SANITIZING, is_descriptor, sanitize_progress(lun), data);

    return task_reply(task, task->nexus->device->pool, data, bytes, task->cdb[4]);
}

/* A disk that spins nothing is always started; only the medium can come and go. */
static enum task_step start_or_stop(struct lun *lun, struct scsi_task *task)
{
    bool loads = task->cdb[4] & START_BIT;

    if (!(task->cdb[4] & LOEJ_BIT))
        return task_good(task);
    if (lun->prevent_count > 0)
        return task_refuse(task, REFUSE_REMOVAL_PREVENTED);
    if (loads && lun->is_ejected) /* another medium may lie there now */
        lun_attention(lun, ATTENTION_MEDIUM_CHANGED, task->nexus);
    lun->is_ejected = !loads;
    return task_good(task);
}

static void on_flushed_to_stop(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);

    if (request->result != STORE_OK)
        task_refuse_store_result(task, task->at);
    else if (task->abort_order == 0)
        (void)start_or_stop(task->at, task);
    task_set_finish(task);
}

/* SBC-3, 5.25. Before it stops, what a volatile cache has goes to the medium, unless NO_FLUSH says
 * that nobody needs it. IMMED is met by answering after that, too. */
enum task_step start_start_stop_unit(struct lun *lun, struct scsi_task *task)
{
    uint8_t how = task->cdb[4];

    if (how & POWER_CONDITION)
        return task_good(task);
    if (how & LOEJ_BIT && !lun->is_removable)
        return task_refuse_field(task, 4, 1);
    if (how & LOEJ_BIT && lun->prevent_count > 0)
        return task_refuse(task, REFUSE_REMOVAL_PREVENTED);
    if (how & (START_BIT | NO_FLUSH_BIT) || !lun->has_write_cache || lun->is_ejected)
        return start_or_stop(lun, task);
    return task_flush(lun, task, on_flushed_to_stop);
}

static void set_prevention(struct lun *lun, struct nexus *nexus, bool prevents)
{
    struct nexus_lun *nexus_lun = nexus_at(nexus, lun);

    lun->prevent_count += prevents;
    lun->prevent_count -= nexus_lun->prevents_removal;
    nexus_lun->prevents_removal = prevents;
}

enum task_step start_prevent_allow(struct lun *lun, struct scsi_task *task)
{
    if (task->cdb[4] & 0x02) /* obsolete: persistent prevention */
        return task_refuse_field(task, 4, 1);
    set_prevention(lun, task->nexus, task->cdb[4] & 0x01);
    return task_good(task);
}

/* SPC-2, 7.21. Registrations rule the older reservation out (SPC-3, 5.6.3, without CRH). */
enum task_step start_reserve(struct lun *lun, struct scsi_task *task)
{
    if (lun->reservations.registrations)
        return task_status(task, SCSI_RESERVATION_CONFLICT);
    lun->reserved_by = task->nexus;
    return task_good(task);
}

enum task_step start_release(struct lun *lun, struct scsi_task *task)
{
    if (lun->reservations.registrations)
        return task_status(task, SCSI_RESERVATION_CONFLICT);
    if (lun->reserved_by == task->nexus)
        lun->reserved_by = NULL;
    return task_good(task);
}

void unit_nexus_left(struct lun *lun, struct nexus *nexus)
{
    if (lun->reserved_by == nexus)
        lun->reserved_by = NULL;
    set_prevention(lun, nexus, false);
}
