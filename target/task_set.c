/* The task set of an LU: see task_set.h. */
#include "target/task_set.h"

#include "target/commands.h"
#include "target/start.h"

static void link_task(struct lun *lun, struct scsi_task *task)
{
    task->next = NULL;
    task->previous = lun->last_task;
    if (lun->last_task)
        lun->last_task->next = task;
    else
        lun->first_task = task;
    lun->last_task = task;
    lun->task_count++;
    task->nexus->task_count++;
    lun->device->task_count++;
}

/* It is in no state's count any more, and no list of the set. */
static void unlink_task(struct lun *lun, struct scsi_task *task)
{
    if (task->place == TASK_BLOCKED)
        lun->blocked_count--;
    if (task->place == TASK_ENABLED) {
        lun->enabled_count--;
        lun->enabled_ordered_count -= task->attribute == TASK_ORDERED;
    }
    if (task->previous)
        task->previous->next = task->next;
    else
        lun->first_task = task->next;
    if (task->next)
        task->next->previous = task->previous;
    else
        lun->last_task = task->previous;
    task->next = NULL;
    task->previous = NULL;
    lun->task_count--;
}

static void enable(struct lun *lun, struct scsi_task *task)
{
    task->place = TASK_ENABLED;
    lun->enabled_count++;
    lun->enabled_ordered_count += task->attribute == TASK_ORDERED;
}

/* ORDERED tasks that newer ones wait for. The one that waits for SANITIZE is none of them: what may
 * not run meanwhile is to hear so at once. */
static uint32_t blocking_count(const struct lun *lun)
{
    return lun->enabled_ordered_count - (lun->sanitize.waiter != NULL);
}

/* SAM-5, 8.9.2 to 8.9.4. 'is_oldest': no blocked task is older. */
static bool may_run(const struct lun *lun, const struct scsi_task *task, bool is_oldest)
{
    switch (task->attribute) {
    case TASK_HEAD_OF_QUEUE:
        return true;
    case TASK_ORDERED:
        return is_oldest && lun->enabled_count == (lun->sanitize.waiter != NULL);
    case TASK_SIMPLE:
    case TASK_ACA:
        break;
    }
    return is_oldest && blocking_count(lun) == 0;
}

enum task_step task_set_start(struct lun *lun, struct scsi_task *task)
{
    if (task->cdb[0] == SCSI_SANITIZE)
        task->attribute = TASK_ORDERED; /* alone: an older write may not land behind it */
    if (!may_run(lun, task, lun->blocked_count == 0)) {
        task->place = TASK_BLOCKED;
        lun->blocked_count++;
        link_task(lun, task);
        return TASK_WAITS;
    }
    if (command_run(lun, task) == TASK_DONE)
        return TASK_DONE;
    enable(lun, task);
    link_task(lun, task);
    return TASK_WAITS;
}

void device_tell_later(struct device *device, struct scsi_task *task)
{
    task->place = TASK_ENDED;
    task->next_ended = NULL;
    *device->ended_end = task;
    device->ended_end = &task->next_ended;
    if (!timer_is_armed(&device->tell_timer))
        clock_arm(device->clock, &device->tell_timer, clock_now_ns(device->clock));
}

static struct scsi_task *oldest_blocked(const struct lun *lun)
{
    struct scsi_task *task = lun->first_task;

    while (task->place != TASK_BLOCKED)
        task = task->next;
    return task;
}

/* Lets those run that nothing older blocks any more. */
static void unblock(struct lun *lun)
{
    while (lun->blocked_count > 0 && !lun->device->is_down) {
        struct scsi_task *task = oldest_blocked(lun);

        if (!may_run(lun, task, true))
            return;
        lun->blocked_count--;
        enable(lun, task);
        if (command_run(lun, task) == TASK_WAITS)
            continue;
        unlink_task(lun, task);
        device_tell_later(lun->device, task);
    }
}

/* PREEMPT AND ABORT goes on once what it aborted has ended. */
static void continue_preemptions(struct lun *lun)
{
    for (struct scsi_task *task = lun->first_task; task;) {
        struct scsi_task *next = task->next;

        if (task->place == TASK_ENABLED && task->waits_for == WAITS_FOR_ABORTS &&
            !task_set_is_aborting(lun, task->waits_for_order) &&
            pr_out_continue(lun, task) == TASK_DONE) {
            unlink_task(lun, task);
            device_tell_later(lun->device, task);
        }
        task = next;
    }
}

static void discard_results(struct scsi_task *task)
{
    task->is_aborted = true;
    buf_free(task->data_in);
    task->data_in = NULL;
}

void task_set_finish(struct scsi_task *task)
{
    struct lun *lun = task->at;
    bool was_aborted = task->abort_order != 0;

    unlink_task(lun, task);
    if (was_aborted) {
        discard_results(task);
        continue_preemptions(lun);
        if (lun->device->tmfs && !timer_is_armed(&lun->device->tell_timer))
            clock_arm(lun->device->clock, &lun->device->tell_timer,
                      clock_now_ns(lun->device->clock));
    }
    if (lun->blocked_count > 0)
        unblock(lun);
    device_give_back(lun->device, task);
}

static bool is_selected(const struct scsi_task *task, const struct abort_which *which)
{
    return task->abort_order == 0 && task != which->spare &&
           (!which->task || which->task == task) && (!which->nexus || which->nexus == task->nexus);
}

/* Can it end right now, without anything reaching the medium? */
static bool take_back(struct lun *lun, struct scsi_task *task)
{
    if (task->place == TASK_BLOCKED)
        return true;
    switch (task->waits_for) {
    case WAITS_FOR_STORE:
        return store_cancel(lun->store, &task->request);
    case WAITS_FOR_RECORD:
        return pr_record_leave(lun, task);
    case WAITS_FOR_ABORTS:
        return true;
    case WAITS_FOR_SANITIZE:
        sanitize_leave(lun); /* which goes on */
        return true;
    }
    return false;
}

static void abort_one(struct lun *lun, struct scsi_task *task, const struct abort_which *which)
{
    task->abort_order = lun->device->abort_orders;
    if (which->sender && task->nexus != which->sender)
        attention_put(&nexus_at(task->nexus, lun)->attentions, ATTENTION_COMMANDS_CLEARED);
    if (!take_back(lun, task))
        return;
    unlink_task(lun, task);
    task->is_aborted = true;
    device_tell_later(lun->device, task);
}

uint64_t task_set_abort(struct lun *lun, const struct abort_which *which)
{
    uint64_t order = ++lun->device->abort_orders;

    for (struct scsi_task *task = lun->first_task; task;) {
        struct scsi_task *next = task->next;

        if (is_selected(task, which))
            abort_one(lun, task, which);
        task = next;
    }
    for (struct scsi_task *task = lun->device->ended_head; task; task = task->next_ended) {
        if (task->at == lun && is_selected(task, which)) {
            task->abort_order = order;
            discard_results(task);
        }
    }
    continue_preemptions(lun);
    unblock(lun);
    return order;
}

bool task_set_is_aborting(const struct lun *lun, uint64_t abort_order)
{
    for (const struct scsi_task *task = lun->first_task; task; task = task->next) {
        if (task->abort_order != 0 && task->abort_order <= abort_order)
            return true;
    }
    return false;
}

void task_set_crash(struct lun *lun)
{
    while (lun->first_task) {
        struct scsi_task *task = lun->first_task;

        if (task->place == TASK_ENABLED && task->waits_for == WAITS_FOR_RECORD)
            pr_record_leave(lun, task);
        if (task->place == TASK_ENABLED && task->waits_for == WAITS_FOR_SANITIZE)
            sanitize_leave(lun);
        unlink_task(lun, task);
        discard_results(task);
        device_give_back(lun->device, task);
    }
}
