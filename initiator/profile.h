/* What a host is like: the timers and rules of its initiator and its multipath layer.
 *
 * Filled from a profile file (topologies/profiles), where every value has its source and
 * confidence; a topology may override any of them. The rules themselves are code in path.c and
 * mpath.c: a profile only says which of them this host follows, and how long it takes.
 */
#pragma once

#include "iscsi/params.h"
#include "sim/core/ip_rules.h"
#include "sim/core/tcp_options.h"

/* X-macros: enumerator, word in files and database. */
#define MPATH_POLICIES(X)                                                                          \
    X(POLICY_FAIL_OVER_ONLY, "fail-over-only")                                                     \
    X(POLICY_ROUND_ROBIN, "round-robin")                                                           \
    X(POLICY_LEAST_QUEUE_DEPTH, "least-queue-depth")                                               \
    X(POLICY_SERVICE_TIME, "service-time")

enum mpath_policy {
#define X(name, word) name,
    MPATH_POLICIES(X)
#undef X
};

/* What the multipath disk does with I/O while no path is left. */
#define NO_PATH_RULES(X)                                                                           \
    X(NO_PATH_FAIL, "fail")           /* dm-multipath, no_path_retry fail */                       \
    X(NO_PATH_QUEUE, "queue")         /* dm-multipath, no_path_retry queue */                      \
    X(NO_PATH_QUEUE_FOR, "queue-for") /* dm-multipath, no_path_retry n: for 'no_path_ns' */        \
    X(NO_PATH_HOLD_AND_REMOVE, "hold-and-remove") /* MPIO: PDORemovePeriod, then the disk is gone  \
                                                   */

enum no_path_rule {
#define X(name, word) name,
    NO_PATH_RULES(X)
#undef X
};

/* When a path whose session is back is used again. */
#define PATH_RETURN_RULES(X)                                                                       \
    X(RETURN_ON_ARRIVAL, "on-arrival") /* Windows: the LUN arrives by PnP after the login */       \
    X(RETURN_ON_CHECK, "on-check")     /* multipathd: the path checker finds it */

enum path_return_rule {
#define X(name, word) name,
    PATH_RETURN_RULES(X)
#undef X
};

/* Whether the preferred path gets its I/O back (policies with one active path). */
#define FAILBACK_RULES(X)                                                                          \
    X(FAILBACK_MANUAL, "manual")                                                                   \
    X(FAILBACK_IMMEDIATE, "immediate")                                                             \
    X(FAILBACK_TO_PREFERRED, "preferred") /* MSDSM: to the path marked preferred only */

enum failback_rule {
#define X(name, word) name,
    FAILBACK_RULES(X)
#undef X
};

/* What an answer says about the path that it came by: the tables of path_error.c. */
#define ERROR_RULES(X)                                                                             \
    X(ERRORS_MSDSM, "msdsm")               /* DsmInterpretError and the disk class driver above */ \
    X(ERRORS_DM_MULTIPATH, "dm-multipath") /* blk_path_error, and the SCSI mid-layer below */

enum error_rule {
#define X(name, word) name,
    ERROR_RULES(X)
#undef X
};

/* One session and its path. 0 means off where that makes sense. */
struct path_rules {
    int64_t connect_timeout_ns; /* TCPConnectTime; open-iscsi: login_timeout covers it */
    int64_t login_timeout_ns;   /* from TCP established (Windows) to full feature phase */
    int64_t logout_timeout_ns;
    int64_t reconnect_delay_ns; /* DelayBetweenReconnect: between attempts, after a failure */
    int64_t refused_delay_ns;   /* open-iscsi: 3 s after a refused connect or local error */
    bool waits_time2wait;       /* the first reopen waits the negotiated DefaultTime2Wait */
    int64_t nop_interval_ns;    /* quiet for so long: ping; 0: no pings */
    int64_t nop_timeout_ns;     /* no answer for so long: the connection is dropped */
    int64_t hold_ns;            /* LinkDownTime, recovery_tmo: how long commands are held after
                                   the session was lost, before they fail up */
    int64_t command_timeout_ns; /* disk TimeOutValue, SD_TIMEOUT */
    int64_t command_timeout_extra_ns; /* SrbTimeoutDelta */
    bool extends_busy_timeout;        /* Linux: a command that moved data, or whose session is not
                                         logged in, gets more time */
    int64_t abort_timeout_ns;         /* ABORT TASK answer; then LUN reset */
    int64_t lun_reset_timeout_ns;     /* then target reset or session drop */
    int64_t target_reset_timeout_ns;  /* then the session is dropped; 0: no target reset */
    uint32_t max_commands;            /* cmds_max, MaxPendingRequests: open per session */
    uint32_t queue_depth;             /* open per LUN and path */
    int64_t async_logout_delay_ns;    /* AsyncLogoutPauseTimeout */
    uint32_t chap_secret_most_bytes;  /* a longer secret cannot be typed in; 0: 255 */
};

/* The multipath disk. */
struct mpath_rules {
    enum mpath_policy policy;
    enum no_path_rule no_path;
    int64_t no_path_ns; /* PDORemovePeriod; or how long QUEUE_FOR queues */
    enum path_return_rule path_return;
    int64_t path_check_interval_ns;     /* multipathd polling_interval, for failed paths */
    int64_t path_check_max_interval_ns; /* healthy paths: the period doubles up to this */
    int64_t path_check_timeout_ns;      /* checker_timeout: no answer for so long fails the path */
    bool path_verify;                   /* PathVerifyEnabled */
    int64_t path_verify_period_ns;      /* PathVerificationPeriod */
    int64_t arrival_delay_ns;           /* PnP: from logged in to usable */
    enum failback_rule failback;
    uint32_t retry_count; /* MPIO RetryCount; 0: retries disabled, an I/O fails with its path */
    int64_t retry_interval_ns; /* MPIO RetryInterval */
    enum error_rule errors;
    int64_t uncounted_retry_ns; /* how long retries that use up no count may go on for one I/O:
                                   DsmMaximumRetryTimeDuringStateTransition; Linux: (retries +
                                   1) x command time-out. 0: no limit */
    int64_t path_recovery_ns;   /* MPIO PathRecoveryInterval: a path that failed although its
                                   session lives is tested so often. 0: never */
};

struct host_profile {
    char name[64];
    struct ip_rules ip;
    struct tcp_options tcp;
    struct iscsi_params iscsi; /* what the host offers at login */
    struct path_rules path;
    struct mpath_rules mpath;
    int64_t link_debounce_ns; /* carrier change to the stack hearing of it */
};
