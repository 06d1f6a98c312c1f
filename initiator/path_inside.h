/* The inside of a path, for its own files alone:
 *
 *   path.c           the life: stream, login, hold time, pings, logout, events
 *   path_commands.c  the commands: queues, hand-over to the session, their ends
 *   path_recovery.c  command time-outs and the escalation that follows them
 */
#pragma once

#include "initiator/lanes.h"
#include "initiator/nop_watch.h"
#include "initiator/path.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"

#define PATH_EVENTS_MOST 32u
#define PATH_TEXT_BYTES  96u

/* command.path_flags */
enum path_flag {
    COMMAND_OF_SCAN = 1,  /* passed by path_submit_scan() */
    COMMAND_WAITS = 2,    /* in a lane, not handed to the session */
    COMMAND_EXPIRED = 4,  /* its timer ran out for good: it ends with COMMAND_TIMED_OUT */
    COMMAND_UNWANTED = 8, /* path_abort(): it ends with COMMAND_ABORTED */
    COMMAND_AGAIN = 16,   /* it was outstanding on a session that is gone */
    COMMAND_CHECKED = 32, /* a ping was sent on its behalf */
    COMMAND_SHELVED = 64, /* expired on a session that was dropped, see path.shelf */
};

/* What is under way because a command timed out. One request at a time, as libiscsi does. */
enum recovery_step { RECOVERY_NONE, RECOVERY_ABORT, RECOVERY_LUN_RESET, RECOVERY_TARGET_RESET };

struct recovery {
    enum recovery_step step;
    uint32_t tag; /* of the task management request */
    uint64_t lun;
    struct command *command; /* for whose sake; NULL: it has ended meanwhile */
    int64_t deadline_ns;     /* when the answer must be here */
};

struct path_event_slot {
    struct path_event event;
    char text[PATH_TEXT_BYTES];
};

struct path {
    struct path_config config;
    enum path_service service;
    enum path_link link;
    bool has_stream;
    bool is_admitted; /* the scan of this session was good */
    bool is_stopping; /* path_stop() was called */
    bool is_leaving;  /* the target asked for a logout: no new commands */

    struct isession *session; /* owned; when it is OVER only its PDU log is of interest */
    struct endpoint home;     /* where logins begin: the portal, or where the target is for good */
    struct endpoint to;       /* of this login: home, or where the target redirected us */
    uint32_t redirections;    /* in a row */
    int64_t link_deadline_ns; /* RESTING: try; CONNECTING, LOGGING_IN, LOGGING_OUT: give up */
    int64_t attempt_at_ns;
    int64_t hold_deadline_ns; /* HOLDING: give the commands up */
    int64_t leave_at_ns;      /* is_leaving: log out at the latest */
    struct nop_watch nop;

    struct lanes lanes;       /* commands that wait */
    struct command_list done; /* for path_next_done() */
    struct command_list
        orphans;                /* came back from a session that ended; still open in their lanes */
    struct command_list shelf;  /* COMMAND_SHELVED: they end when it is clear that the old session
                                   is dead: after the next login, or with the hold time */
    struct command *timer_head; /* handed to the session, in the order of their deadlines */
    struct command *timer_tail;
    int64_t scan_at_ns;    /* on a timer wheel: when the list of deadlines is looked through */
    int64_t scan_asked_ns; /* ... and when it was meant to be */
    int64_t scan_slack_ns;
    uint32_t open; /* handed to the session */
    struct recovery recovery;

    uint32_t event_head;
    uint32_t event_count;
    struct path_counters counters;
    struct path_event_slot events[PATH_EVENTS_MOST];
};

/* path.c */
PRINTF_LIKE(3, 4)
void path_emit(struct path *path, struct path_event event, const char *format, ...);
/* When a timer of this system fires that is set for 'span_ns' from now. */
int64_t path_timer_ns(const struct path *path, int64_t span_ns, int64_t now_ns);
/* Does what follows from the last call into the session. */
void path_drain_session(struct path *path, int64_t now_ns);

/* path_commands.c */
void path_collect(struct path *path); /* what the session is done with */
void path_pump(struct path *path, int64_t now_ns);
/* Orphans of a lost session: back into their lanes, or onto the shelf. */
void path_keep_orphans(struct path *path);
void path_unshelve(struct path *path);
void path_fail_commands(struct path *path);
void path_finish(struct path *path, struct command *command);

/* path_recovery.c */
void timers_init(struct path *path);
void timers_add(struct path *path, struct command *command, int64_t now_ns);
void timers_remove(struct path *path, struct command *command);
/* This command first, and at once. */
void timers_hurry(struct path *path, struct command *command, int64_t now_ns);
int64_t recovery_deadline_ns(const struct path *path);
void recovery_wake(struct path *path, int64_t now_ns);
void recovery_answered(struct path *path, uint32_t tag, uint8_t response, int64_t now_ns);
