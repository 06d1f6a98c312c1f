/* One path of a host: the life of one iSCSI session, from one NIC address to one portal.
 *
 *   what it is to those above                       what it does below
 *
 *   STARTING --first login, admitted--> UP          RESTING --> CONNECTING --> LOGGING_IN
 *                                      |  ^            ^            |              |
 *                       session lost   |  | admitted   |<-- failed -+--------------+
 *                                      v  | again      |                           v
 *   FAILED <---- hold time over --- HOLDING            |<------- lost ------- LOGGED_IN
 *      |                                  ^            |                           |
 *      '------- admitted again ---> UP ---'            '<----- LOGGING_OUT <-------'
 *
 * (The words of the multipath disk for its paths are another thing: initiator/path_state.h.)
 *
 * A core: no I/O, no clock. It owns the session (initiator/isession.h), the ping watch, the command
 * timers and the recovery that follows them (ABORT TASK, LUN reset, target reset, session drop),
 * and the rules by which an operating system reconnects; which of the rules, and how long they
 * take, says struct path_rules of the host's profile.
 *
 * Above it the multipath disk submits commands; while HOLDING they wait, and those that were
 * outstanding wait with them in their order, to be sent again on the next session; when the hold
 * time is over they and all new ones end with COMMAND_SESSION_LOST at once.
 *
 * Below it the owner joins it to a stream: PATH_OPEN asks for one, PATH_CLOSE and PATH_ABORT give
 * it back. After each call the owner drains path_next_event(), path_next_done(), path_next_pdu()
 * and path_take(), and re-arms one timer for path_deadline_ns().
 *
 * A login that is redirected goes on at the portal that it was sent to; status 0102h (moved
 * permanently) moves those to come as well, until path_stop(), while after 0101h the next one
 * begins at the old portal again. A loop of redirections is a failed login, and ends both.
 *
 * After each login the path is not offered at once: PATH_LOGGED_IN asks the owner to scan (its
 * commands pass by path_submit_scan()), and path_admit() or path_refuse() say how that ended. So
 * I/O resumes only on a path whose disks still have their identities (rule P10).
 */
#pragma once

#include "initiator/command.h"
#include "initiator/isession.h"
#include "initiator/profile.h"
#include "sim/core/net.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

/* X-macros: enumerator, word in traces. */
#define PATH_SERVICES(X)                                                                           \
    X(SERVICE_STARTING, "starting") /* never was up yet: takes no commands */                      \
    X(SERVICE_UP, "up")             /* commands flow */                                            \
    X(SERVICE_HOLDING, "holding")   /* the session is lost: commands wait */                       \
    X(SERVICE_FAILED, "failed")     /* the hold time is over: commands fail at once */             \
    X(SERVICE_STOPPED, "stopped")   /* path_stop() has done its work, or was never begun */

enum path_service {
#define X(name, word) name,
    PATH_SERVICES(X)
#undef X
};

#define PATH_LINKS(X)                                                                              \
    X(PATH_LINK_IDLE, "idle")               /* stopped, or not started */                          \
    X(PATH_LINK_RESTING, "resting")         /* waits before the next attempt */                    \
    X(PATH_LINK_CONNECTING, "connecting")   /* the owner opens a stream */                         \
    X(PATH_LINK_LOGGING_IN, "logging-in")   /* TCP stands, login runs */                           \
    X(PATH_LINK_LOGGED_IN, "logged-in")     /* full feature phase */                               \
    X(PATH_LINK_LOGGING_OUT, "logging-out") /* the Logout Request is out */

enum path_link {
#define X(name, word) name,
    PATH_LINKS(X)
#undef X
};

const char *path_service_word(enum path_service service);
const char *path_link_word(enum path_link link);

struct path;

struct path_config {
    const struct path_rules *rules; /* borrowed, as all below */
    const struct iscsi_params *offer;
    const char *initiator_name;
    const char *target_name;
    uint8_t isid[ISID_BYTES]; /* for ever: a new login reinstates the dead session */
    struct endpoint portal;   /* where PATH_OPEN connects to, unless redirected */
    int64_t timer_tick_ns;    /* of the system's timers, see timer_granularity.h; 0: exact */
    bool timer_wheel;         /* pings, hold and command time-outs are Linux' kernel timers */
    uint32_t first_cmd_sn;
    bool logs_pdus;
    struct chap_login chap; /* {0}: no authentication; may change between two logins */
    struct pool *pool;
};

enum path_event_kind {
    PATH_OPEN,      /* open a stream to 'to'; then path_connected() or path_closed() */
    PATH_CLOSE,     /* close the stream in good order: nobody hears of it any more */
    PATH_ABORT,     /* abort the stream */
    PATH_SIGN,      /* a sign of trouble: 'layer', 'text' */
    PATH_CHANGED,   /* 'old_service' became 'new_service', because of 'text' */
    PATH_LOGGED_IN, /* scan now, then path_admit() or path_refuse() */
    PATH_LEFT,      /* the session ended ('text'): a scan that runs is void */
};

struct path_event {
    enum path_event_kind kind;
    struct endpoint to;            /* OPEN */
    enum trace_layer layer;        /* SIGN */
    bool is_change;                /* SIGN: as in struct trace_sign */
    enum path_service old_service; /* CHANGED */
    enum path_service new_service;
    const char *text; /* SIGN, CHANGED, LEFT; valid until the next call */
};

/* Life. path_free() in any state; commands inside are forgotten. */
struct path *path_new(const struct path_config *config);
void path_free(struct path *path);

/* Begins to connect. */
void path_start(struct path *path, int64_t now_ns);
/* Logs out in good order; the service ends STOPPED, after 'logout_timeout_ns' at the latest. Open
 * commands end with COMMAND_SESSION_LOST. */
void path_stop(struct path *path, int64_t now_ns);

/* The stream that PATH_OPEN asked for. */
void path_connected(struct path *path, int64_t now_ns);
size_t path_room(const struct path *path);
/* As isession_look_ahead(). */
uint32_t path_look_ahead(const struct path *path, const struct buf *bytes, uint32_t ret_tags[],
                         uint32_t most);
/* Takes ownership of 'bytes'. */
void path_feed(struct path *path, struct buf *bytes, int64_t now_ns);
struct buf *path_take(struct path *path, size_t max_bytes, int64_t now_ns);
void path_closed(struct path *path, enum close_reason reason, int64_t now_ns);
/* The carrier of the path's NIC changed: a sign, no more; TCP decides what becomes of the
 * connection. */
void path_carrier(struct path *path, bool is_up, int64_t now_ns);

/* When to call path_wake(), or TIME_NEVER. A spare call does no harm. */
int64_t path_deadline_ns(const struct path *path);
void path_wake(struct path *path, int64_t now_ns);

bool path_next_event(struct path *path, struct path_event *ret_event);
/* See isession_next_pdu(). */
const uint8_t *path_next_pdu(struct path *path, bool *ret_from_target);

/* After PATH_LOGGED_IN: the scan was good; held and new commands flow. */
void path_admit(struct path *path, int64_t now_ns);
/* The scan was bad ("identity changed"): commands fail, the session stays for the next scan, which
 * the owner begins when it likes, or is dropped with path_drop(). 'text' is a static string. */
void path_refuse(struct path *path, const char *text, int64_t now_ns);
/* Drops the session as if it had broken. 'text' is a static string. */
void path_drop(struct path *path, const char *text, int64_t now_ns);

/* Commands. Borrowed until path_next_done() returns them with their result. Never refused: what
 * cannot be sent now waits, what cannot be sent at all is done at once. */
void path_submit(struct path *path, struct command *command, int64_t now_ns);
/* A command of the scan: passes between PATH_LOGGED_IN and path_admit(), too. When the session is
 * lost it ends with COMMAND_SESSION_LOST at once and is never held. */
void path_submit_scan(struct path *path, struct command *command, int64_t now_ns);
struct command *path_next_done(struct path *path);
/* Takes back a command: it ends with COMMAND_ABORTED, after ABORT TASK if it was sent. */
void path_abort(struct path *path, struct command *command, int64_t now_ns);

/* What it is now. */
enum path_service path_service(const struct path *path);
enum path_link path_link(const struct path *path);
bool path_is_admitted(const struct path *path);
uint32_t path_outstanding(const struct path *path); /* sent or waiting, scan included */
/* The session of the moment; NULL: none. For rule P6 and for its agreed values. */
const struct isession *path_session(const struct path *path);

struct path_counters {
    uint64_t connects;
    uint64_t logins; /* that succeeded */
    uint64_t login_failures;
    uint64_t logouts;       /* answered */
    uint64_t session_drops; /* full feature sessions that ended without logout */
    uint64_t nop_timeouts;
    uint64_t command_timeouts;
    uint64_t aborts; /* ABORT TASK sent */
    uint64_t lun_resets;
    uint64_t target_resets;
    uint64_t hold_expiries;
    uint64_t resubmitted; /* commands sent again on a new session */
    uint64_t async_logouts;
};
const struct path_counters *path_counters(const struct path *path); /* NULL: all are 0 */
