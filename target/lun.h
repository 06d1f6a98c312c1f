/* The inside of the device server: what device.c, the task set and the commands share.
 *
 *   device --- ports --- groups (ALUA)
 *     |--- nexuses: who may send
 *     '--- luns: a disk each, with its task set, reservations and mode parameters
 *
 * A nexus keeps for each LU what SAM-5 calls the I_T_L nexus: pending unit attentions and its
 * registration for persistent reservations.
 */
#pragma once

#include "sim/core/clock.h"
#include "target/attention.h"
#include "target/copy.h"
#include "target/device.h"
#include "target/reservation.h"
#include "target/sanitize.h"

#include <stdbool.h>
#include <stdint.h>

#define LUN_NAME_BYTES   64u
#define LUN_SERIAL_BYTES 33u

struct target_group {
    uint16_t id;
    enum alua_state state;
    bool is_preferred;
    uint8_t status_code; /* why it is in its state (SPC-4, table 248): 0 none, 1 STPG, 2 implicit */
};

struct port {
    struct port_config config;
    struct target_group *group; /* one of the device's */
};

struct mode_parameters {
    bool software_write_protect; /* SWP of the Control mode page */
    bool descriptor_sense;       /* D_SENSE */
    bool is_write_through;       /* WCE of the Caching mode page was cleared */
};

struct lun {
    struct device *device;
    uint16_t number;
    struct store *store; /* borrowed */
    uint64_t block_count;
    uint32_t block_bytes;
    unsigned block_shift; /* block_bytes is 2 to the power of it */
    uint8_t physical_block_exponent;
    bool is_read_only;
    bool is_thin;
    bool is_removable;
    bool has_write_cache;
    bool is_ejected;        /* the removable medium is out */
    uint32_t prevent_count; /* nexuses that prevent its removal */
    uint64_t naa_id;
    char name[LUN_NAME_BYTES];
    char serial[LUN_SERIAL_BYTES];
    struct mode_parameters mode;
    struct mode_parameters saved_mode; /* survives resets and power loss */
    struct nexus *reserved_by;         /* RESERVE(6); NULL: nobody */
    struct sanitize sanitize;
    struct reservations reservations;
    struct pr_record pr_record;
    /* The task set, in order of arrival; TST is 000b: one for all nexuses. */
    struct scsi_task *first_task;
    struct scsi_task *last_task;
    uint32_t task_count;
    uint32_t blocked_count;
    uint32_t enabled_ordered_count;
    uint32_t enabled_count;
};

/* An I_T_L nexus. */
struct nexus_lun {
    struct attentions attentions;
    struct registration *registration; /* NULL: not registered */
    bool prevents_removal;
    struct copy_list copies;
};

struct nexus {
    struct nexus *next; /* of the device, in order of arrival */
    struct nexus *previous;
    struct device *device;
    struct nexus_identity identity;
    const struct port *port;
    uint32_t portal_index;
    bool has_queries;
    uint32_t task_count;    /* tasks that have not come back */
    bool is_lost;           /* freed by the transport, waits for its tasks */
    struct nexus_lun *luns; /* owned; device->lun_limit of them */
};

struct planted;

struct device {
    struct clock *clock;
    struct pool *pool;
    char target_name[DEVICE_NAME_BYTES];
    char vendor[9];
    char product[17];
    char revision[5];
    uint8_t tpgs;
    bool is_down;            /* in device_crash() */
    struct planted *planted; /* NULL: no bug is planted here */
    struct port ports[DEVICE_MAX_PORTS];
    size_t port_count;
    struct target_group groups[DEVICE_MAX_PORTS];
    size_t group_count;
    struct lun *luns[DEVICE_MAX_LUNS]; /* owned; NULL: no such LU */
    uint16_t lun_limit;                /* one more than the highest number in use */
    struct nexus *first_nexus;
    struct nexus *last_nexus;
    size_t nexus_count; /* those not freed by the transport */
    size_t task_count;
    uint64_t abort_orders;        /* aborts so far */
    struct scsi_task *ended_head; /* results that wait for the event loop to tell them */
    struct scsi_task **ended_end;
    struct scsi_tmf *tmfs; /* those that wait */
    struct timer tell_timer;
};

static inline struct nexus_lun *nexus_at(const struct nexus *nexus, const struct lun *lun)
{
    return &nexus->luns[lun->number];
}

/* The LU that an 8-byte LUN field names (SAM-5, 4.7): single level, peripheral or flat space
 * addressing; NULL: none. */
struct lun *device_find_lun(const struct device *device, uint64_t lun_field);

/* A unit attention for every nexus of the LU but 'except' (may be NULL). */
void lun_attention(struct lun *lun, enum attention attention, const struct nexus *except);
