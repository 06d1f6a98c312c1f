/* The iSCSI target node of an array: its name and portals, its sessions, what its connections
 * share.
 *
 *   portal.h (owner: streams, timers)        one per connection
 *      |
 *   conn.h ----- session.h ----- target.h ----- device.h
 *   framing,     CmdSN window,   all sessions   the SCSI device server
 *   StatSN       tasks
 *
 * One target is all the iSCSI that an array offers; every portal leads to it. It asks no clock and
 * does no I/O. What happens outside a call of the owner (a task of the device ends, another
 * connection drops this one) makes a connection *restless*: the owner hears of it once by
 * on_restless, and later calls conn_wake() for and drains every one that target_next_restless()
 * names.
 */
#pragma once

#include "iscsi/chap.h"
#include "sim/core/net.h"
#include "sim/core/plant.h"
#include "sim/core/trace.h"
#include "target/device.h"
#include "target/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_MOST_PORTALS 64u

struct conn;
struct pool;
struct session;
struct target;

/* A portal; those of one portal group have one tag, and its port in the device has that tag too. */
struct target_portal {
    struct endpoint at; /* address 0 (any): SendTargets answers with the connection's own address */
    uint16_t portal_group_tag;
};

/* Told when the first connection becomes restless, possibly from inside any call of this room or of
 * the device: arm a timer, do not call back. */
struct restless_watch {
    void (*on_restless)(struct restless_watch *watch);
};

/* What peers may make the target hold; 0 in a member: its default. */
struct target_limits {
    /* At once, logged in or not: 65535. Beyond it a new one takes the place of the one that has
     * been longest without having logged in; where all have, it is refused. */
    uint32_t connections;
    uint32_t sessions; /* more are refused with "out of resources"; 65535, as TSIHs go */
    /* Data that the commands of all sessions have under way, to the device or to an initiator that
     * may not read it: no limit. Past it a session goes on with one command at a time, or with
     * some small ones; the others wait. */
    uint64_t moving_bytes;
};

struct target_config {
    const char *name;                    /* iSCSI name; copied */
    const char *alias;                   /* TargetAlias; copied; NULL: none */
    const struct target_portal *portals; /* copied; 1 to TARGET_MOST_PORTALS */
    size_t portal_count;
    const struct array_profile *profile; /* copied */
    struct device *device;               /* borrowed, as the next three */
    struct pool *pool;
    struct trace *trace;
    struct restless_watch *watch; /* NULL: the owner looks by itself */
    uint64_t first_connection;    /* connections are numbered from here in the trace */
    struct target_limits limits;
    enum plant plant;
    struct chance *chance; /* borrowed; for the challenges of target_set_chap(); NULL: no CHAP */
};

/* Life cycle. DataPDUInOrder and DataSequenceInOrder are always Yes, ErrorRecoveryLevel 0 and
 * MaxConnections 1, whatever the profile says: that is what this target can do. */
struct target *target_new(const struct target_config *config);
/* All connections must be freed. Sessions that wait to be continued vanish with it. */
void target_free(struct target *target);

/* Who has to authenticate as whom, in sessions that begin from now on; the identities are borrowed
 * until the next call. At first nobody has to. */
void target_set_chap(struct target *target, const struct chap_policy *normal,
                     const struct chap_policy *discovery);

/* The restless connection that has waited longest, calm from now on; NULL: none. */
struct conn *target_next_restless(struct target *target);

/* Sessions that wait for their initiator to come back (DefaultTime2Retain) end in time. */
int64_t target_deadline_ns(const struct target *target);
void target_wake(struct target *target, int64_t now_ns);

/* What an operator or a fault does. */
/* Cuts sessions: their connections end without a word (drop), or are told so by an asynchronous
 * message first (7143, 11.9.1, event 3). Of one initiator name, or of all (NULL). Returns how many.
 */
size_t target_drop_sessions(struct target *target, const char *initiator_name, bool is_told,
                            int64_t now_ns);
/* Asks by asynchronous message (event 1) to log out within 'seconds'; who does not is dropped. */
size_t target_ask_logout(struct target *target, const char *initiator_name, uint16_t seconds,
                         int64_t now_ns);
/* Power is gone, or the controller crashed: every session ends at once, without a word; the device
 * forgets what is volatile. Each connection is over; its owner frees it. */
void target_crash(struct target *target);
/* Logins of normal sessions that come from now on through any other portal are sent to 'to' (RFC
 * 7143, 11.13.5, class 1), for now or for good; discovery sessions are taken, and sessions that
 * stand stay. Address 0: all are taken again, as at first. */
void target_redirect(struct target *target, struct endpoint to, bool is_permanent);
/* New logins are refused with "service unavailable" while it is not in service. In service at
 * first. */
void target_set_in_service(struct target *target, bool is_in_service);

/* Sessions in full feature phase, and those that wait to be continued; in the order of login. */
struct session_info {
    const char *initiator_name; /* valid until the session changes */
    uint8_t isid[6];
    uint16_t tsih;
    uint16_t portal_group_tag;
    bool is_discovery;
    uint32_t connection_count; /* 0: waits to be continued */
    /* Of its first connection, as it was opened; zero without one. */
    uint64_t connection; /* its number in the trace */
    struct endpoint local;
    struct endpoint remote;
};
size_t target_session_count(const struct target *target);
/* The session at 'session_index', below target_session_count(). Walks the list. */
void target_session_info(const struct target *target, size_t session_index,
                         struct session_info *ret_info);
/* Normal sessions of one initiator name. */
size_t target_sessions_of(const struct target *target, const char *initiator_name);

/* X-macro: member, name in the table 'counter'. */
#define TARGET_COUNTERS(X)                                                                         \
    X(connections, "iscsi-connections")                                                            \
    X(logins, "iscsi-logins") /* that reached full feature phase */                                \
    X(refusals, "iscsi-login-refusals")                                                            \
    X(evictions, "iscsi-connections-evicted")   /* made way for a new one before they logged in */ \
    X(turned_away, "iscsi-connections-refused") /* all others were logged in */                    \
    X(logouts, "iscsi-logouts")                                                                    \
    X(reinstatements, "iscsi-reinstatements") /* an old session made way for a new one */          \
    X(losses, "iscsi-connections-lost")       /* in full feature phase, without a logout */        \
    X(commands, "iscsi-commands")             /* that began */                                     \
    X(ignored, "iscsi-commands-ignored")      /* outside the window or seen before */              \
    X(aborts, "iscsi-aborts")                 /* ABORT TASK, ABORT and CLEAR TASK SET */           \
    X(resets, "iscsi-resets")                 /* of a logical unit, an I_T nexus or the target */  \
    X(queries, "iscsi-queries")               /* QUERY TASK, TASK SET, ASYNCHRONOUS EVENT */       \
    X(rejects, "iscsi-rejects")                                                                    \
    X(digest_errors, "iscsi-digest-errors")                                                        \
    X(pings, "iscsi-pings") /* NOP-In of ours that want an answer */                               \
    X(pdus_received, "iscsi-pdus-received")                                                        \
    X(pdus_sent, "iscsi-pdus-sent")

struct target_counters {
#define X(member, word) uint64_t member;
    TARGET_COUNTERS(X)
#undef X
};
const struct target_counters *target_counters(const struct target *target);
