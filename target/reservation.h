/* Who may use an LU: persistent reservations (SPC-4, 5.13) and their registrations.
 *
 * A registration belongs to an I_T nexus by name: initiator name, ISID and target port. It survives
 * the loss of the nexus and finds it again at the next login.
 */
#pragma once

#include "target/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PR_MOST_REGISTRATIONS 1024u
#define PR_SCOPE_LU           0u

struct lun;
struct nexus;

#define PR_NONE 0u /* of the types of iscsi/scsi.h: no reservation */
bool pr_type_is_known(unsigned type);
/* Each registrant holds it. */
bool pr_is_all_registrants(unsigned type);
/* "Registrants only" or "all registrants": whoever is registered may do all. */
bool pr_is_for_registrants(unsigned type);

/* How a command uses the LU, for the conflict tables of SPC-4 (table 67) and SBC-3 (table 13). */
enum access {
    ACCESS_ANY,   /* allowed whoever holds a reservation */
    ACCESS_READ,  /* conflicts with an exclusive access reservation of others */
    ACCESS_WRITE, /* conflicts with any reservation of others */
};

struct nexus_identity {
    char initiator_name[DEVICE_NAME_BYTES];
    uint8_t isid[6];
    uint16_t relative_port_id;
};
bool nexus_identity_equal(const struct nexus_identity *a, const struct nexus_identity *b);

struct registration {
    struct registration *next; /* in the order of registration */
    uint64_t key;              /* never 0 */
    struct nexus_identity identity;
    struct nexus *nexus; /* NULL: not logged in */
};

struct reservations {
    struct registration *registrations; /* owned */
    uint32_t registration_count;
    uint32_t generation;         /* PRGENERATION */
    unsigned type;               /* enum scsi_pr_type, or PR_NONE */
    struct registration *holder; /* NULL for PR_NONE and the "all registrants" types */
    bool persists;               /* APTPL: the last that was registered */
};

/* Is this nexus a holder of the reservation that exists? */
bool pr_is_holder(const struct lun *lun, const struct registration *registration);
/* May the nexus do this? Cheap when there is no reservation. */
bool pr_allows(const struct lun *lun, const struct nexus *nexus, enum access access);

/* A new nexus finds its registration, a lost one leaves it. */
void pr_nexus_arrived(struct lun *lun, struct nexus *nexus);
void pr_nexus_left(struct lun *lun, struct nexus *nexus);

/* Changes. Unit attentions are the caller's business, except where named. */
struct registration *pr_find(const struct lun *lun, const struct nexus_identity *identity);
struct registration *pr_register(struct lun *lun, const struct nexus_identity *identity,
                                 uint64_t key, struct nexus *nexus);
/* Ends a registration, and the reservation with it when it was the holder's or the last of "all
 * registrants". RESERVATIONS RELEASED for the others where SPC-4, 5.13.11.1 wants it. */
void pr_unregister(struct lun *lun, struct registration *registration);
/* Ends the reservation; RESERVATIONS RELEASED for registered nexuses but 'except' if its type is a
 * registrants one. */
void pr_release(struct lun *lun, const struct nexus *except);
void pr_reserve(struct lun *lun, unsigned type, struct registration *holder);
/* All gone, PRGENERATION 0. */
void pr_forget(struct lun *lun);
/* A unit attention for the nexus of a registration, if it is logged in. */
void pr_attention(const struct lun *lun, const struct registration *registration,
                  unsigned attention);

/* Makes registrations survive a loss of power, when the last of them asked for it (APTPL). One
 * record_write() at a time; a task that changed something waits for one that began after it. */
struct pr_record {
    struct record *record; /* borrowed; NULL: APTPL is not supported */
    struct record_done done;
    bool is_writing;
    bool had_crash;              /* since that write began */
    bool holds_something;        /* the record is not known to be empty */
    struct scsi_task *waiting;   /* for the write in progress; linked by next_ended */
    struct scsi_task *following; /* for the next one */
};
void pr_record_init(struct lun *lun, struct record *record);
/* After a change. TASK_WAITS: the task ends when the change is durable. */
enum task_step pr_record_save(struct lun *lun, struct scsi_task *task);
/* The task was aborted: it waits no longer. False: it did not wait here. */
bool pr_record_leave(struct lun *lun, struct scsi_task *task);
/* Power was lost: what is durable counts. No task waits any more. */
void pr_record_crash(struct lun *lun);
/* Replaces what is in memory by what is in the record; nonsense counts as empty. */
void pr_record_load(struct lun *lun);
