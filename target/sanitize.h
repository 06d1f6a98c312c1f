/* SANITIZE (SBC-3, 4.11 and 5.24): the whole medium is overwritten or erased, in the background.
 *
 *   command -> [ pass after pass, piece after piece ] -> flush -> not before its least duration ->
 * over
 *
 * It runs on whatever happens to the command and to its nexus: aborts, resets, and power loss,
 * after which it goes on with the piece that was under way. While it runs, only INQUIRY, REPORT
 * LUNS and REQUEST SENSE are answered; all else is 2/04/1B with the progress.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/store.h"

#include <stdbool.h>
#include <stdint.h>

struct lun;
struct scsi_task;

struct sanitize {
    bool is_running;
    bool is_erase;    /* else the pattern is written */
    bool inverts;     /* the pattern, from pass to pass */
    bool is_flushing; /* the last request */
    bool allows_exit; /* AUSE: a failure may be left without another sanitize operation */
    bool has_failed;  /* the medium did: SANITIZE OPERATION FAILED until it is exited */
    uint32_t pass;    /* from 0 */
    uint32_t pass_count;
    uint32_t piece;   /* of the pass */
    int64_t least_ns; /* configured */
    int64_t started_at_ns;
    struct buf *pattern[2]; /* owned: a piece of it, and of its inverse */
    struct store_request request;
    struct timer timer; /* the end, where the medium was faster */
    struct lun *lun;
    struct scsi_task *waiter; /* IMMED was 0; NULL: nobody waits */
};

void sanitize_init(struct lun *lun, int64_t least_ns);
/* The task that waits for the end was aborted. */
void sanitize_leave(struct lun *lun);
/* Power was gone, requests in work with it. */
void sanitize_crash(struct lun *lun);
/* In 1/65536 of the whole. */
uint16_t sanitize_progress(const struct lun *lun);
