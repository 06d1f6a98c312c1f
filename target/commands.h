/* The commands that the device server knows, and the checks that come before each of them. */
#pragma once

#include "target/lun.h"
#include "target/refuse.h"

#include <stddef.h>
#include <stdint.h>

/* Where a command runs although others may not. */
enum command_rule {
    DESPITE_ATTENTION = 1 << 0, /* neither tells nor minds a unit attention */
    DESPITE_RESERVE = 1 << 1,   /* although another nexus holds RESERVE(6) (SPC-2, table 9) */
    IN_STANDBY = 1 << 2,        /* of the target port group (SPC-4, 5.15.2.4) */
    IN_UNAVAILABLE = 1 << 3,    /* and in transition */
    NEEDS_MEDIUM = 1 << 4,
    NEEDS_THIN = 1 << 5, /* unknown on a fully provisioned unit */
    NEEDS_TPGS = 1 << 6, /* unknown without asymmetric access */
    NEEDS_EXPLICIT_TPGS = 1 << 7,
};

struct command {
    const char *name; /* as SPC-4 and SBC-3 write it; NULL: no such command */
    uint8_t cdb_bytes;
    enum access access;
    unsigned rules; /* of enum command_rule */
    enum task_step (*start)(struct lun *lun, struct scsi_task *task);
    uint64_t (*data_out_bytes)(const struct lun *lun, const uint8_t *cdb); /* NULL: takes none */
    uint8_t usage[TASK_CDB_BYTES]; /* bits that may be set (SPC-4, 6.35.3); 0 elsewhere */
    const struct command *actions; /* by service action; NULL: the opcode has none */
    uint8_t action_count;
    uint8_t action; /* the service action of this entry */
    bool is_action;
};

/* The command of a CDB. NULL: unknown operation code, '*ret_is_known' false; or unknown service
 * action, true. */
const struct command *command_find(const uint8_t *cdb, bool *ret_is_known);
/* The entry of an operation code, which may have service actions; NULL: unknown. */
const struct command *command_of_opcode(uint8_t opcode);

/* Does this unit have the command? */
bool command_is_offered(const struct lun *lun, const struct command *command);

/* Checks and starts. */
enum task_step command_run(struct lun *lun, struct scsi_task *task);
/* For a LUN that does not exist: INQUIRY, REPORT LUNS and REQUEST SENSE answer, all else is
 * 5/25/00. */
enum task_step command_run_without_lun(struct scsi_task *task);
