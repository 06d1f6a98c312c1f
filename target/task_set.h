/* The task set of an LU (SAM-5, 8): which task may run now, how tasks end, how they are aborted.
 *
 *   BLOCKED --(older tasks ended)--> ENABLED --(result)--> ENDED --(event loop)--> OUTSIDE
 *      '----------------(aborted)----------------------------^
 *
 * SIMPLE tasks run together, an ORDERED one runs alone in its place, HEAD OF QUEUE runs at once. An
 * aborted task whose request the store gives back ends at once, else when the store is done; either
 * way nothing of it reaches the medium after the abort is complete.
 */
#pragma once

#include "target/lun.h"

/* Takes the task into the set and runs it unless older tasks block it. */
enum task_step task_set_start(struct lun *lun, struct scsi_task *task);
/* A task that waited has its result (or was aborted meanwhile): it leaves the set and is told. Only
 * from the event loop. */
void task_set_finish(struct scsi_task *task);

/* Aborts all tasks that 'which' selects; returns the number of this abort. */
struct abort_which {
    const struct nexus *nexus;     /* only of this nexus; NULL: of all */
    const struct scsi_task *task;  /* only this one; NULL: all */
    const struct scsi_task *spare; /* not this one */
    const struct nexus *sender;    /* tasks of others raise COMMANDS CLEARED there, if not NULL */
};
uint64_t task_set_abort(struct lun *lun, const struct abort_which *which);
/* Does a task that was aborted up to 'abort_order' still wait for the store? */
bool task_set_is_aborting(const struct lun *lun, uint64_t abort_order);

/* Ends all tasks now, without effect: power is gone. on_done is called from here. */
void task_set_crash(struct lun *lun);
/* The task leaves the device: on_done is called from here. */
void device_give_back(struct device *device, struct scsi_task *task);
/* Leaves the result of a task that is out of its set to the event loop. */
void device_tell_later(struct device *device, struct scsi_task *task);
