/* A SCSI command on its way through the host: workload's disk -> multipath -> path -> session.
 *
 * Whoever starts a command embeds it and owns it until it is done. Nobody in between allocates
 * for it: each floor has its own list hook.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENSE_MAX_BYTES 96u /* more is cut off; fixed format needs 18 */

enum data_direction { DATA_NONE, DATA_READ, DATA_WRITE };

/* How an attempt of a command ended. */
enum command_end {
    COMMAND_ANSWERED,     /* the target sent a status: see 'status' and 'sense' */
    COMMAND_SESSION_LOST, /* the session ended and the hold time ran out: "device gone" */
    COMMAND_TIMED_OUT,    /* the command timer and the recovery after it gave up */
    COMMAND_ABORTED,      /* the caller's own wish */
    COMMAND_PROTOCOL,     /* the answer broke the protocol (too much data, ...) */
};

struct command {
    /* Set by whoever starts it. */
    uint64_t lun; /* as in the 8-byte LUN field of the PDU */
    uint8_t cdb[16];
    enum data_direction direction;
    uint32_t bytes;       /* Expected Data Transfer Length */
    struct buf *data_out; /* WRITE: borrowed, shared by each attempt; kept until it is done */
    bool is_immediate;    /* I bit */

    /* The result of the last attempt. */
    enum command_end end;
    uint8_t status; /* SAM status code */
    uint8_t sense_bytes;
    struct buf *data_in;     /* READ: owned by whoever started it, once it is done */
    uint32_t residual_bytes; /* underflow; 0: none */
    bool is_overflow;        /* the residual is an overflow instead */

    /* The floors' own. */
    struct command *next;
    struct command *previous;
    int64_t deadline_ns;
    int64_t sent_at_ns;         /* session: its PDU went out; TIME_NEVER: not yet */
    int64_t moved_at_ns;        /* session: it last sent or received something for this command */
    uint32_t task_tag;          /* session: the initiator task tag while it is open */
    void *floor;                /* session: its task while it is open */
    struct command *timer_next; /* path: in the order of 'deadline_ns' */
    struct command *timer_previous;
    int64_t submitted_at_ns; /* path: handed to the session */
    int64_t checked_at_ns;   /* path: then, or when its timer was last extended */
    void *lane;              /* path: its queue (one per LUN) */
    void *disk;              /* host: the multipath disk that dispatched it; NULL: the scan */
    uint8_t path_flags;      /* path: of its own enum */

    uint8_t sense[SENSE_MAX_BYTES]; /* undefined but for its first 'sense_bytes' */
};
/* Its answer came: all of it and of what embeds it, in front, is looked at soon. With thousands
 * under way it has left the processor's cache since it was sent. */
static inline void command_fetch(const struct command *command)
{
    for (int line = -4; line < 3; line++)
        __builtin_prefetch((const char *)command + line * 64);
}
/* What has to be zero in a new command: all but the sense data. */
#define COMMAND_CLEAN_BYTES offsetof(struct command, sense)
