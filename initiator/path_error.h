/* What the end of a command says about the path that it came by: a table per kind of host.
 *
 * Windows: MSDSM's DsmInterpretError; what it passes up meets the disk class driver, which tries
 * most of that again, and the row says what comes of both. Linux: the SCSI mid-layer tries again
 * below dm-multipath, which then asks one question of what is left: is this an error of the path
 * (blk_path_error)?
 */
#pragma once

#include "initiator/command.h"
#include "initiator/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum path_verdict {
    VERDICT_GOOD,
    VERDICT_FAIL_OVER,   /* the path has failed; the I/O goes to another one */
    VERDICT_RETRY,       /* again, by the policy's choice */
    VERDICT_RETRY_OTHER, /* again, on another path if there is one */
    VERDICT_RETRY_SAME,  /* again, on the same path */
    VERDICT_PASS_UP,     /* the application gets the error; the path is fine */
};

#define RETRY_INTERVAL (-1) /* 'wait_ns' of a row: as long as the profile's retry_interval_ns */

struct path_error {
    enum path_verdict verdict;
    bool is_counted;  /* a retry that uses up one of retry_count */
    int64_t wait_ns;  /* before a retry */
    const char *text; /* static: for the path event */
};

/* A row of the host's table; what no row names is passed up (Windows) or the path's (Linux). */
const struct path_error *path_error_of(enum error_rule rule, const struct command *command);
/* What becomes of an I/O whose retries are used up. */
enum path_verdict path_error_exhausted(enum error_rule rule);

/* Sense data in fixed or descriptor format (SPC-5, 4.4); false: it holds no sense key. */
struct sense_code {
    uint8_t key;
    uint8_t asc;
    uint8_t ascq;
};
bool sense_decode(const uint8_t *sense, uint32_t sense_bytes, struct sense_code *ret_code);
