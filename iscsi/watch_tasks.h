/* The living tasks of one connection, as the watch of its rules knows them (pdu_watch.h): a hash
 * table by Initiator Task Tag.
 *
 * Open addressing, the tasks themselves in the places, each in one line of the processor's cache:
 * with thousands of I/Os under way a look-up costs the lines that it touches. So a pointer to a
 * task holds until the next one is added or removed. What only writes need stands apart. Requests
 * that get an answer of their own are tasks: SCSI commands, task management, text, logout, ping.
 */
#pragma once

#include "iscsi/pdu.h"
#include "sim/core/attributes.h"

#include <stdbool.h>
#include <stdint.h>

struct chunk;
struct pool;

enum watched_kind { WATCHED_SCSI, WATCHED_MANAGEMENT, WATCHED_TEXT, WATCHED_LOGOUT, WATCHED_NOP };

/* An R2T whose data has not all passed. */
struct open_r2t {
    struct open_r2t *next;
    uint32_t ttt;
    uint32_t offset;
    uint32_t bytes;      /* desired */
    uint32_t done_bytes; /* passed so far */
    uint32_t data_sn;    /* next */
};

/* The part of a task that data to the target needs. */
struct watched_writing {
    uint32_t unsolicited_bytes; /* immediate data and unsolicited Data-Out */
    uint32_t unsolicited_sn;    /* next DataSN of unsolicited Data-Out */
    uint32_t r2t_end;           /* where the last R2T ended */
    uint32_t r2t_count;         /* open ones */
    struct open_r2t *r2ts;
    struct open_r2t **r2ts_end;
};

struct watched_task {
    uint64_t order; /* number of the request in this connection; 0: the place is free */
    uint64_t lun;
    uint32_t itt;
    uint32_t cmd_sn;
    uint8_t kind;      /* enum watched_kind */
    bool is_uncertain; /* the tag was used again while it lived: nobody knows which one is meant */
    /* Text: a request waits for its response. */
    bool is_waiting;
    /* Task management. */
    uint8_t function;
    uint32_t ref_task_tag;
    /* SCSI. */
    bool is_read;
    bool is_write;
    bool is_unsolicited_open; /* unsolicited Data-Out may come */
    bool has_r2t;
    uint32_t expected_bytes;
    uint32_t out_bytes;         /* all data of the initiator so far */
    uint32_t in_bytes;          /* all Data-In so far */
    uint32_t in_sequence_bytes; /* since the last F */
    uint32_t target_sn;         /* next DataSN of Data-In or R2TSN: they share one count (11.7.5) */
    struct watched_writing *writing; /* NULL: no data to the target yet */
};

struct watch_tasks {
    struct pool *pool;
    struct watched_task *slots; /* slot_count of them, in 'table' */
    struct chunk *table;
    uint32_t slot_count; /* a power of two */
    uint32_t living;
    uint32_t management_living; /* task management requests without response */
    bool is_mixed;              /* places follow from all bits of a tag */
};

void watch_tasks_init(struct watch_tasks *tasks, struct pool *pool);
void watch_tasks_fini(struct watch_tasks *tasks);

/* A look-up of 'itt' comes soon. */
void watch_tasks_fetch(const struct watch_tasks *tasks, uint32_t itt);
/* NULL: no task of this tag is alive. */
struct watched_task *watch_tasks_find(const struct watch_tasks *tasks, uint32_t itt);
/* The task of a request whose tag is free. 'order' counts the PDUs of the connection, from 1. */
struct watched_task *watch_tasks_add(struct watch_tasks *tasks, const struct pdu *request,
                                     enum watched_kind kind, uint64_t order);
void watch_tasks_remove(struct watch_tasks *tasks, struct watched_task *task);
/* Removes those that a task management function ends which is answered with "function complete"
 * (4.2.3.3): the commands that it covers and that were asked for before it. */
void watch_tasks_remove_covered(struct watch_tasks *tasks, const struct watched_task *management);

/* Its part for data to the target, made at the first call. */
struct watched_writing *watch_tasks_writing(struct watch_tasks *tasks, struct watched_task *task);
/* R2Ts of a task, in the order in which they were asked. */
void watch_tasks_add_r2t(struct watch_tasks *tasks, struct watched_writing *writing,
                         const struct pdu *pdu);
/* The link to the one that a Data-Out answers; equal tags are told apart by the offset. NULL: none
 * has the tag. */
struct open_r2t **watch_tasks_find_r2t(struct watched_writing *writing, const struct pdu *data_out);
void watch_tasks_remove_r2t(struct watch_tasks *tasks, struct watched_writing *writing,
                            struct open_r2t **link);
