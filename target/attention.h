/* Unit attention conditions that wait for one nexus at one LU (SAM-5, 5.14).
 *
 * A short queue: one is told per command. A reset outranks and replaces whatever waits; a condition
 * that waits already is not queued again.
 */
#pragma once

#include "iscsi/scsi.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTENTION_MOST 4u

/* Additional sense code and qualifier, as 0xAAQQ. */
enum attention {
    ATTENTION_NONE = 0,
    ATTENTION_RESET = SCSI_ASC_POWER_ON, /* power on, reset, or bus device reset occurred */
    ATTENTION_MEDIUM_CHANGED = 0x2800,   /* not ready to ready change, medium may have changed */
    ATTENTION_MODE_CHANGED = SCSI_ASC_MODE_PARAMETERS_CHANGED,
    ATTENTION_RESERVATIONS_PREEMPTED = SCSI_ASC_RESERVATIONS_PREEMPTED,
    ATTENTION_RESERVATIONS_RELEASED = SCSI_ASC_RESERVATIONS_RELEASED,
    ATTENTION_REGISTRATIONS_PREEMPTED = SCSI_ASC_REGISTRATIONS_PREEMPTED,
    ATTENTION_ALUA_CHANGED = SCSI_ASC_ALUA_CHANGED,
    ATTENTION_CAPACITY_CHANGED = SCSI_ASC_CAPACITY_CHANGED,
    ATTENTION_COMMANDS_CLEARED = 0x2f00, /* by another initiator */
    ATTENTION_NEXUS_LOSS = 0x2907,       /* I_T nexus loss occurred */
    ATTENTION_LUNS_CHANGED = SCSI_ASC_REPORTED_LUNS_CHANGED,
};

struct attentions {
    uint16_t waiting[ATTENTION_MOST];
    uint8_t count;
};

static inline bool attention_waits(const struct attentions *attentions)
{
    return attentions->count > 0;
}
/* When the queue is full, the newest is dropped: the host looks around after any of them. */
void attention_put(struct attentions *attentions, enum attention attention);
/* The one that is told next; ATTENTION_NONE: there is none. */
static inline enum attention attention_next(const struct attentions *attentions)
{
    return attentions->count > 0 ? (enum attention)attentions->waiting[0] : ATTENTION_NONE;
}
/* The same, which waits no longer. */
enum attention attention_take(struct attentions *attentions);
/* Forgets one condition, wherever it waits. */
void attention_forget(struct attentions *attentions, enum attention attention);
