/* What a host asks a path after each login: which LUNs there are, and who each of them is.
 *
 *   REPORT LUNS, then for each LUN: INQUIRY, TEST UNIT READY until the unit attentions of the new
 *   nexus are cleared, VPD 00h, 80h, 83h, B0h, B1h, READ CAPACITY(16), MODE SENSE, and REPORT
 *   TARGET PORT GROUPS where the LUN says that it has them
 *
 * A core with one command at a time: the owner submits what scan_next() gives, hands it back with
 * scan_command_done(), and wakes it at scan_deadline_ns() (a busy LUN is asked again later).
 * Whatever the target answers is checked against the bytes that came; a LUN that does not answer
 * as a disk must is left out.
 */
#pragma once

#include "initiator/command.h"
#include "initiator/mpath.h"

#include <stdbool.h>
#include <stdint.h>

#define SCAN_LUNS_MOST    256u /* of one target; more are not looked at */
#define SCAN_SERIAL_BYTES 64u

struct scan_lun {
    uint64_t lun;
    bool is_disk; /* answered all that a disk must: 'identity' is whole */
    struct disk_identity identity;
    uint8_t designator_code_set;        /* SPC-4, 7.8.6.1: 1 binary, 2 ASCII, 3 UTF-8 */
    char serial[SCAN_SERIAL_BYTES + 1]; /* VPD 80h, without spaces at the ends */
    uint32_t max_transfer_blocks;       /* VPD B0h; 0: no limit reported */
    bool is_rotating;                   /* VPD B1h */
    bool is_write_protected;            /* MODE SENSE */
    bool has_write_cache;
    uint8_t tpgs;         /* INQUIRY: 0 none, 1 implicit, 2 explicit, 3 both */
    uint16_t port_group;  /* VPD 83h: of the port that answered */
    uint8_t access_state; /* of that group (SPC-4, 6.37); 0 active/optimized */
};

enum scan_state { SCAN_IDLE, SCAN_RUNNING, SCAN_DONE, SCAN_FAILED };

struct scan {
    enum scan_state state;
    struct command command; /* the one at a time */
    bool is_out;            /* submitted and not back */
    bool is_void;           /* what is out belongs to a scan that was broken off */
    uint32_t step;
    uint32_t attentions;   /* unit attentions in a row */
    uint32_t busy;         /* times that the LUN had no time, in a row */
    int64_t retry_at_ns;   /* TIME_NEVER: no wait */
    struct scan_lun *luns; /* owned; as many as there are */
    uint32_t lun_count;
    uint32_t lun_index;
    uint8_t pages[256]; /* the VPD pages of the LUN, as VPD 00h lists them */
    uint32_t page_count;
};

void scan_init(struct scan *scan);
void scan_fini(struct scan *scan);

/* From the beginning. What is still out of an earlier scan is awaited first. */
void scan_begin(struct scan *scan);
/* The session is gone: what is out will come back, and nothing else happens. */
void scan_break_off(struct scan *scan);
/* The command to submit; NULL: none now. */
struct command *scan_next(struct scan *scan, int64_t now_ns);
void scan_command_done(struct scan *scan, int64_t now_ns);
int64_t scan_deadline_ns(const struct scan *scan); /* scan_next() may have something then */
