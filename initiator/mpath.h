/* The multipath disk: joins the paths of one disk and is what the workload uses.
 *
 *   workload --mpath_submit--> disk --mpath_next_dispatch--> path (session, LUN)
 *            <--MPATH_IO_DONE--     <--mpath_command_done---
 *                                   <--mpath_path_news------
 *
 * A core: it sends nothing and asks no clock. Its owner feeds it and then drains it, in this order
 * (an attempt's failure is told before the next attempt is sent):
 *
 *     while (mpath_next_event(disk, &event)) ...
 *     while ((command = mpath_next_dispatch(disk, &path_index))) ... send it on that path
 *     arm the timer for mpath_deadline_ns(disk), then mpath_wake()
 *
 * A path is named by the number that its owner gave it (the host's session). The order in which
 * paths are added is the list order that policies speak of.
 *
 * All rules are the host's: which path is chosen (policy.h), what an answer means for the path
 * (path_error.h), how often and how fast an I/O is tried again, what happens while no path is left,
 * when a path that came back is used again. Windows and Linux differ in each, see profile.h.
 */
#pragma once

#include "initiator/command.h"
#include "initiator/path_state.h"
#include "initiator/profile.h"
#include "sim/core/attributes.h"
#include "sim/core/plant.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MPATH_MOST_PATHS     32u /* MSDSM: DSM_MAX_PATHS */
#define MPATH_IDENTITY_BYTES 64u /* a designator; longer ones are cut */

/* Who a disk is. Paths that agree in all of this lead to the same one (rule P10). */
struct disk_identity {
    uint8_t designator[MPATH_IDENTITY_BYTES]; /* VPD page 83h, the logical unit's best designator */
    uint32_t designator_bytes;
    uint32_t block_bytes; /* READ CAPACITY: 512, 4096 */
    uint64_t block_count;
};

/* A read or a write. The submitter owns it and keeps it until MPATH_IO_DONE. */
struct mpath_io {
    /* Set by the submitter. */
    bool is_write;
    uint64_t lba;
    uint32_t blocks;       /* 1 or more */
    struct buf *data;      /* WRITE: the submitter's, unchanged until it is done; READ: NULL */
    uint64_t io_id;        /* unique per host */
    uint32_t load;         /* which load of the host submitted it */
    int64_t planned_at_ns; /* latency counts from here */
    void *memo;            /* of the listener to the trace */

    /* The result. A read's data is 'command.data_in', the submitter's from then on. */
    bool is_error;
    uint32_t attempts;  /* how often it was sent; 0: the target never heard of it */
    uint32_t last_path; /* where the last attempt went; TRACE_NONE: nowhere */

    /* The disk's own. */
    struct mpath_io *next;
    uint32_t slot; /* the path of the attempt, by list order */
    uint32_t counted_retries;
    int64_t retry_at_ns;      /* while it waits for its next attempt */
    int64_t retries_until_ns; /* uncounted retries end here; 0: none so far */
    bool is_same_path;        /* the next attempt goes down 'slot' again */
    bool avoids_path;         /* the next attempt takes another path than 'slot', if there is one */
    struct command command;   /* the attempt; its end is undefined in a new I/O */
};
#define MPATH_IO_CLEAN_BYTES (offsetof(struct mpath_io, command) + COMMAND_CLEAN_BYTES)

/* What the layer below tells of a path, beside the ends of commands. */
enum path_news {
    NEWS_HELD, /* the session was lost; commands are held below until it is back or given up */
    NEWS_BACK, /* the session is back in time; held commands went out on it */
    NEWS_LOST, /* given up (LinkDownTime, recovery_tmo): commands come back, new ones fail at once
                */
};

enum mpath_event_kind {
    MPATH_PATH_CHANGED,   /* path_index, old_state, new_state, reason */
    MPATH_ATTEMPT_FAILED, /* io, path_index, reason: it will be tried again, or ends in
                             MPATH_IO_DONE */
    MPATH_IO_DONE,        /* io, path_index (TRACE_NONE: never sent): the submitter's again */
    MPATH_DISK_ARRIVED,   /* the first path was admitted, or one after the disk was removed */
    MPATH_DISK_REMOVED,   /* hold-and-remove: I/O fails at once until it arrives again */
};

struct mpath_event {
    enum mpath_event_kind kind;
    enum path_state old_state;
    enum path_state new_state;
    uint32_t path_index;
    struct mpath_io *io;
    const char *reason; /* valid until the next call into the disk */
};

/* Life cycle. 'rules' are copied. Whatever I/O is under way when the disk is freed goes back to its
 * submitter without an event; paths must have forgotten the disk's commands before. */
struct mpath;
struct mpath *mpath_new(const struct mpath_rules *rules, enum plant planted, int64_t now_ns);
void mpath_free(struct mpath *disk);

/* Makes a path known, in state CONNECTING. False: the disk has MPATH_MOST_PATHS already. 'lun' is
 * the LUN field of its commands. At most one path should be preferred (fail-over-only). */
MUST_CHECK bool mpath_add_path(struct mpath *disk, uint32_t path_index, uint64_t lun,
                               bool is_preferred);
/* Takes a path out of use, until it arrives again. Commands that are still on it come back as
 * usual. 'reason' is copied. */
void mpath_remove_path(struct mpath *disk, uint32_t path_index, const char *reason, int64_t now_ns);

/* The path's session is logged in and its LUN was looked at: for the first time, or again after
 * NEWS_LOST; after NEWS_HELD it does as well, and means NEWS_BACK. When the path is used follows
 * from the return rule. The first arrival says what the disk is; one that answers as another disk
 * is REMOVED, and false returned. */
MUST_CHECK bool mpath_path_arrived(struct mpath *disk, uint32_t path_index,
                                   const struct disk_identity *identity, int64_t now_ns);
/* 'reason' is copied. */
void mpath_path_news(struct mpath *disk, uint32_t path_index, enum path_news news,
                     const char *reason, int64_t now_ns);

/* Takes 'io' in; it ends in MPATH_IO_DONE. The range must lie inside the disk. */
void mpath_submit(struct mpath *disk, struct mpath_io *io, int64_t now_ns);
/* The next command to send, and the path to send it on; NULL: none. Most are attempts of an I/O,
 * see mpath_io_of(); the others are the disk's own tests of a path. Each must come back through
 * mpath_command_done(). */
struct command *mpath_next_dispatch(struct mpath *disk, uint32_t *ret_path_index);
struct mpath_io *mpath_io_of(struct mpath *disk, struct command *command);
/* The attempt ended: 'command' says how. */
void mpath_command_done(struct mpath *disk, uint32_t path_index, struct command *command,
                        int64_t now_ns);

/* When to call mpath_wake(), or TIME_NEVER. A spare call does no harm. */
int64_t mpath_deadline_ns(struct mpath *disk);
void mpath_wake(struct mpath *disk, int64_t now_ns);
bool mpath_next_event(struct mpath *disk, struct mpath_event *ret_event);

/* What holds now. A path that the disk has not been told of yet is CONNECTING: the host adds it
 * when its session was logged in for the first time. */
enum path_state mpath_path_state(const struct mpath *disk, uint32_t path_index);
uint32_t mpath_usable_paths(const struct mpath *disk);
bool mpath_is_present(const struct mpath *disk); /* arrived, and not removed since */
const struct disk_identity *mpath_identity(const struct mpath *disk); /* NULL before it arrived */
uint32_t mpath_outstanding(const struct mpath *disk); /* I/O submitted and not done */
bool disk_identity_equal(const struct disk_identity *a, const struct disk_identity *b);

/* A step of 'io' for the trace; host and disk are left to the caller. SUBMITTED when it is
 * submitted, SENT when its command is dispatched, the others with their events. */
struct trace_io mpath_io_step(struct mpath_io *io, enum trace_io_step step, uint32_t path_index,
                              uint32_t block_bytes);
