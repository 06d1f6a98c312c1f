/* A SCSI command at the target: what the transport hands to the device server and gets back.
 *
 *   transport                                     device server
 *   task_init, fill the first part,
 *   collect the data-out
 *   device_start() ----------------------------->  checks, runs
 *        TASK_DONE: the result stands in the task
 *        TASK_WAITS: on_done comes exactly once, from the event loop
 *   send data-in and status, task_fini
 *
 * The task is embedded in the transport's own struct (from pool_take()) and allocates nothing.
 * While it waits, it belongs to the device server: it must not move or go away before on_done, not
 * even when it was aborted or its session is gone. An aborted task comes back with 'is_aborted'; it
 * gets no response.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/core/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TASK_CDB_BYTES       16u
#define TASK_SENSE_MAX_BYTES 96u /* fixed format needs 18, descriptor format up to 40 here */

struct nexus;
struct lun;

/* SAM-5, 8.9; iSCSI's ATTR field (RFC 7143, 11.3.1) maps to it, "untagged" to SIMPLE. */
enum task_attribute { TASK_SIMPLE, TASK_ORDERED, TASK_HEAD_OF_QUEUE, TASK_ACA };

enum task_step {
    TASK_DONE,  /* the result is there */
    TASK_WAITS, /* on_done will tell */
};

/* Where the device server has it. */
enum task_place {
    TASK_OUTSIDE, /* with the transport */
    TASK_BLOCKED, /* waits for older tasks (SAM-5, 8.9) */
    TASK_ENABLED, /* runs: the store or a record works for it */
    TASK_ENDED,   /* the result is there, on_done is about to come */
};

/* What an ENABLED task waits for. */
enum task_wait { WAITS_FOR_STORE, WAITS_FOR_RECORD, WAITS_FOR_ABORTS, WAITS_FOR_SANITIZE };

struct scsi_task {
    /* Set by the transport. */
    struct nexus *nexus;
    uint64_t lun;                /* the 8-byte LUN field, as a number in network order */
    uint8_t cdb[TASK_CDB_BYTES]; /* zero behind the CDB */
    enum task_attribute attribute;
    struct buf *data_out;    /* owned; all that came, at most device_data_out_bytes() of use */
    uint64_t expected_bytes; /* what the transport was told to expect (EDTL), either way */
    uint64_t tag;            /* the transport's name for it, for device_find_task() */
    void (*on_done)(struct scsi_task *task); /* from the event loop, exactly once after TASK_WAITS;
                                                also from within device_crash() */

    /* The result. */
    uint8_t status;          /* SAM-5 status code: enum scsi_status of iscsi/scsi.h */
    uint8_t sense_bytes;     /* with CHECK CONDITION: of 'sense', at the end */
    struct buf *data_in;     /* owned; shares the store's bytes. May be longer than expected:
                                the transport sends what was expected and frees the rest */
    uint64_t transfer_bytes; /* what the command would transfer if all were expected: more
                                than EDTL is a residual overflow, less an underflow */
    bool is_aborted;         /* no response may be sent */

    /* The device server's own. */
    enum task_place place;
    enum task_wait waits_for;
    struct lun *at;         /* the logical unit it is for; NULL: there is none */
    struct scsi_task *next; /* task set of the LU, in order of arrival */
    struct scsi_task *previous;
    struct scsi_task *next_ended; /* in the list of whoever will end it, then of the ended ones */
    uint64_t abort_order;         /* 0: not aborted; else the number of the abort */
    uint64_t waits_for_order;     /* WAITS_FOR_ABORTS: up to which */
    uint32_t step;                /* of a command that needs several requests: how far it is */
    struct store_request request;

    uint8_t sense[TASK_SENSE_MAX_BYTES]; /* undefined but for its first 'sense_bytes' */
};
/* What has to be zero in a new task: all but the sense data. */
#define TASK_CLEAN_BYTES offsetof(struct scsi_task, sense)

/* An empty task; 'tag' and the rest is the transport's to set. */
void task_init(struct scsi_task *task);
/* Frees the data chains. The task is OUTSIDE. */
void task_fini(struct scsi_task *task);
/* Hands over the data-in; the caller owns it from now on. */
static inline struct buf *task_take_data_in(struct scsi_task *task)
{
    struct buf *data = task->data_in;

    task->data_in = NULL;
    return data;
}
