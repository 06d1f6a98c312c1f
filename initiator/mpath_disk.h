/* The inside of a multipath disk, shared by its three parts and nobody else:
 *
 *   mpath.c        paths come, go and change state; what happens while there is none; events
 *   mpath_io.c     an I/O finds a path, comes back, is tried again
 *   mpath_check.c  when a path that came back is used again; tests of paths
 */
#pragma once

#include "initiator/mpath.h"
#include "initiator/policy.h"

#define SLOT_NONE    UINT32_MAX
#define REASON_BYTES 96u

/* What the layer below said last of a path's session. */
enum path_below {
    BELOW_NEVER, /* no login so far */
    BELOW_UP,
    BELOW_HELD,
    BELOW_LOST,
};

struct mpath_path {
    uint32_t index; /* the owner's number */
    uint64_t lun;
    bool is_preferred;
    enum path_below below;
    enum path_state state; /* as the last event told */
    char reason[REASON_BYTES];
    char lost_reason[REASON_BYTES]; /* with BELOW_LOST: what took the path away */

    /* mpath_check.c */
    int64_t admit_at_ns;     /* on-arrival: used from then on, or TIME_NEVER */
    int64_t check_at_ns;     /* the next look at the path, or TIME_NEVER */
    int64_t check_period_ns; /* on-check: doubles while all is well */
    struct command test;     /* TEST UNIT READY */
    bool is_test_out;
    bool is_test_answered; /* the result waits for the next look */
    bool was_test_good;
    int64_t test_sent_at_ns;
};

/* I/Os in a row. */
struct io_list {
    struct mpath_io *head;
    struct mpath_io *tail;
};

struct mpath {
    struct mpath_rules rules;
    enum plant planted;
    int64_t born_at_ns; /* the path checker's ticks count from here */
    struct disk_identity identity;
    bool has_identity;

    uint32_t path_count;
    uint32_t in_use;      /* a bit per slot */
    uint32_t active_slot; /* of policies with one active path; else SLOT_NONE */
    struct policy policy;

    bool is_present;          /* it arrived, and was not removed since */
    int64_t no_path_at_ns;    /* queueing without a path ends, or TIME_NEVER: it does not run */
    bool is_queueing_over;    /* NO_PATH_QUEUE_FOR: it ended, and no path came back since */
    uint32_t outstanding;     /* I/Os submitted and not done */
    struct io_list waiting;   /* for a path */
    struct mpath_io *retries; /* for their time; by time */

    struct command *dispatch_head; /* to be sent, linked by command.next */
    struct command *dispatch_tail;

    struct mpath_event *events; /* a ring */
    size_t event_capacity;      /* a power of two */
    size_t event_head;
    size_t event_count;

    struct mpath_path paths[MPATH_MOST_PATHS]; /* by slot: list order */
};

static inline struct mpath_path *path_of_slot(struct mpath *disk, uint32_t slot)
{
    assert(slot < disk->path_count);
    return &disk->paths[slot];
}

static inline bool slot_is_in_use(const struct mpath *disk, uint32_t slot)
{
    return disk->in_use >> slot & 1;
}

/* mpath.c */
void mpath_push_event(struct mpath *disk, struct mpath_event event);
/* The path is used from now on. */
void mpath_enter(struct mpath *disk, uint32_t slot, const char *reason, int64_t now_ns);
/* The path is in no use, and 'state' says in which way. */
void mpath_leave(struct mpath *disk, uint32_t slot, enum path_state state, const char *reason,
                 int64_t now_ns);

/* mpath_io.c */
void mpath_push_dispatch(struct mpath *disk, struct command *command);
/* I/Os that waited for a path take one. */
void mpath_release_waiting(struct mpath *disk);
/* All that waits, for a path or for its time, ends with an error. */
void mpath_fail_waiting(struct mpath *disk);
void mpath_wake_retries(struct mpath *disk, int64_t now_ns);

/* mpath_check.c */
void mpath_check_arrived(struct mpath *disk, uint32_t slot, bool is_first, int64_t now_ns);
void mpath_check_held(struct mpath *disk, uint32_t slot);
void mpath_check_lost(struct mpath *disk, uint32_t slot, const char *reason, int64_t now_ns);
/* The path's use changed: its next look is planned anew. */
void mpath_check_plan(struct mpath *disk, uint32_t slot, int64_t now_ns);
void mpath_check_wake(struct mpath *disk, uint32_t slot, int64_t now_ns);
void mpath_check_test_done(struct mpath *disk, uint32_t slot, int64_t now_ns);
static inline int64_t mpath_check_deadline_ns(const struct mpath_path *path)
{
    return path->admit_at_ns < path->check_at_ns ? path->admit_at_ns : path->check_at_ns;
}
