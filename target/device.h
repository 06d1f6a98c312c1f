/* The SCSI target device of an array: its ports, its logical units, the I_T nexuses and the tasks.
 *
 *   portals, sessions  ->  device  ->  logical unit  ->  store (media model, memory or file)
 *     (iSCSI)              (SAM-5)     (SPC-4, SBC-3)
 *
 * The transport makes a nexus per session, hands in tasks (task.h) and task management functions,
 * and frees the nexus when the session is gone (I_T nexus loss). Calls never call back before they
 * return, except where device_crash() says so; callbacks come from the event loop alone.
 *
 * Checks come in the order of SAM-5 and SPC-4: operation code, reservation, unit attention, state
 * of the port group, medium, CDB fields, range, write protection, data length.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/plant.h"
#include "sim/core/record.h"
#include "sim/core/store.h"
#include "target/alua_state.h"
#include "target/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_MAX_LUNS        256u
#define DEVICE_MAX_PORTS       32u    /* hosts may offer room for only so many in RTPG data */
#define DEVICE_NAME_BYTES      224u   /* an iSCSI name with its NUL (RFC 7143, 4.2.7.1: 223) */
#define DEVICE_MAX_UNIT_BLOCKS 65536u /* of one command: MAXIMUM TRANSFER LENGTH of VPD B0h */

struct device;
struct nexus;

#define TPGS_IMPLICIT 1u
#define TPGS_EXPLICIT 2u

/* A SCSI target port: for iSCSI, target name and portal group tag (RFC 7143, 4.4). */
struct port_config {
    uint16_t portal_group_tag;
    uint16_t relative_port_id; /* 1 to 65535, unique */
    uint16_t group_id;         /* target port group; ports of one id share an ALUA state */
};

struct device_config {
    const char *target_name;         /* iSCSI name of the array's target; copied */
    const char *vendor;              /* up to 8 characters; copied */
    const char *product;             /* up to 16 */
    const char *revision;            /* up to 4 */
    const struct port_config *ports; /* copied; 1 to DEVICE_MAX_PORTS */
    size_t port_count;
    uint8_t tpgs; /* TPGS of INQUIRY: 0 none, 1 implicit, 2 explicit, 3 both */
    enum plant plant;
};

/* A logical unit. The store is borrowed and must outlive the device. */
struct disk_config {
    const char *name;   /* the disk's name in the topology; copied */
    const char *serial; /* VPD 80h, up to 32 printable characters; NULL: made from the id */
    uint64_t naa_id;    /* 0: made from target name and disk name, so that it stays the same */
    struct store *store;
    uint64_t bytes;       /* a multiple of block_bytes, at most store->bytes; 0: all of the store */
    uint32_t block_bytes; /* 512 or 4096 */
    uint8_t physical_block_exponent; /* logical blocks per physical block: 2 to the power of it */
    bool is_read_only;
    bool is_thin;                /* LBPME */
    bool is_removable;           /* RMB */
    int64_t sanitize_ns;         /* SANITIZE takes at least so long */
    bool has_write_cache;        /* WCE: FUA and SYNCHRONIZE CACHE matter to the store */
    struct record *reservations; /* borrowed; persistent reservations with APTPL; NULL: none */
};

/* Life cycle. All tasks must have come back, all nexuses be freed and no disk be sanitized any more
 * before device_free(). */
struct device *device_new(const struct device_config *config, struct clock *clock,
                          struct pool *pool);
void device_free(struct device *device);
/* A logical unit at a number below DEVICE_MAX_LUNS that is free. Tells every nexus: REPORTED LUNS
 * DATA HAS CHANGED. Restores the reservations of the record. */
void device_add_disk(struct device *device, uint16_t lun_number, const struct disk_config *disk);
/* The store of a disk has grown, and the disk with it, to a multiple of its blocks that is no less
 * than before. Tells every nexus: CAPACITY DATA HAS CHANGED. */
void device_grow_disk(struct device *device, uint16_t lun_number, uint64_t bytes);
/* Power is gone: all stores crash, all tasks end now, by on_done from within this call and with
 * is_aborted; so do task management functions. Nexuses stay until they are freed, and nothing may
 * be started on them any more. What is not durable is forgotten: reservations without APTPL, unit
 * attentions, mode parameters that were not saved. */
void device_crash(struct device *device);

/* I_T nexuses: initiator name, ISID and target port. */
struct nexus_config {
    const char *initiator_name; /* copied; as iSCSI normalizes it (RFC 3722): lower case */
    uint8_t isid[6];
    uint16_t portal_group_tag; /* of one of the ports */
    uint32_t portal_index;     /* which of the array's portals the session came through */
    bool has_queries; /* the transport carries QUERY TASK, QUERY TASK SET, QUERY ASYNCHRONOUS EVENT
                         and I_T NEXUS RESET */
};
/* The new nexus gets 6/29/00 as its first unit attention on every LU. */
struct nexus *device_nexus_new(struct device *device, const struct nexus_config *config);
/* I_T nexus loss, also at logout: its tasks are aborted (each still comes back by on_done),
 * reservations of RESERVE(6) and PREVENT ALLOW end now. Persistent registrations stay. The
 * handle is gone for the caller. */
void device_nexus_free(struct device *device, struct nexus *nexus);

/* Tasks. How many bytes of data-out the CDB takes, for the transport to solicit: 0 when it takes
 * none or will be refused unseen. */
uint64_t device_data_out_bytes(const struct device *device, uint64_t lun, const uint8_t *cdb);
enum task_step device_start(struct device *device, struct scsi_task *task);
/* The waiting task of this nexus with this tag on this LU; NULL: none. Walks the LU's task set. */
struct scsi_task *device_find_task(struct device *device, const struct nexus *nexus, uint64_t lun,
                                   uint64_t tag);

/* Task management (SAM-5, 7; RFC 7143, 11.5.1). */
enum tmf_function {
    TMF_ABORT_TASK,
    TMF_ABORT_TASK_SET,
    TMF_CLEAR_TASK_SET,
    TMF_LOGICAL_UNIT_RESET,
    TMF_TARGET_WARM_RESET,
    TMF_TARGET_COLD_RESET, /* the same for the device; that connections end is the transport's */
    TMF_I_T_NEXUS_RESET,   /* on every LU; the nexus goes on, and gets 6/29/07 (SAM-5, 6.3.4) */
    TMF_QUERY_ASYNCHRONOUS_EVENT,
};
enum tmf_response {
    TMF_FUNCTION_COMPLETE,
    TMF_TASK_DOES_NOT_EXIST,
    TMF_LUN_DOES_NOT_EXIST,
    TMF_FUNCTION_SUCCEEDED, /* a query: yes */
};
struct scsi_tmf {
    /* Set by the transport. */
    struct nexus *nexus;
    enum tmf_function function;
    uint64_t lun;           /* not of the target resets */
    struct scsi_task *task; /* ABORT TASK: a task with TASK_WAITS, or NULL: does not exist */
    void (*on_done)(struct scsi_tmf *tmf); /* as of a task */
    /* The result. */
    enum tmf_response response;
    uint8_t additional[3]; /* QUERY ASYNCHRONOUS EVENT: UADE depth and sense key, ASC, ASCQ */
    /* The device's own. */
    uint64_t abort_order;
    struct scsi_tmf *next;
};
/* TASK_DONE: the response is there, as always for a query. TASK_WAITS: on_done comes when the last
 * task that it aborts has ended (after their on_done), so that nothing of them reaches the medium
 * after the response. A task that ends through another nexus' function raises a unit attention
 * there. */
enum task_step device_manage(struct device *device, struct scsi_tmf *tmf);

/* Asymmetric access: moves a target port group into a state; all nexuses but 'except' (may be NULL)
 * get 6/2A/06. False: no such group. */
bool device_set_group_state(struct device *device, uint16_t group_id, enum alua_state state,
                            const struct nexus *except);

/* For rules and reports: who holds what on a disk. */
size_t device_registration_count(const struct device *device, uint16_t lun_number);
/* The initiator name of the holder; "" when there is none or all registrants hold it. */
const char *device_reservation_holder(const struct device *device, uint16_t lun_number);
/* Does SANITIZE run on a disk? */
bool device_is_sanitizing(const struct device *device);
/* Tasks that have not come back; nexuses that were not freed. */
size_t device_live_tasks(const struct device *device);
size_t device_live_nexuses(const struct device *device);
