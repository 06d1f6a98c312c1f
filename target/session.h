/* A session at the target (RFC 7143, 4.2.2, 4.4): an I_T nexus with its CmdSN window and tasks, and
 * the list of its connections.
 *
 *   session_new --> ACTIVE --(last connection lost, Time2Retain)--> RETAINED --(time is up)--.
 *                      |  ^-----------(connection reinstated)----------'                     |
 *                      '---(logout, reinstatement, reset, drop, loss without retention)------+-->
 * OVER
 *
 * A session that is OVER has no nexus and no place in the target's table. Its memory stays until
 * its connections are freed and the device has given back the last of its tasks and functions:
 * who logs in again, or logs out, waits for that, so that nothing old reaches the medium behind it.
 *
 * Commands are delivered in the order of CmdSN (4.2.2.1). What arrives too early waits in a ring of
 * one place per CmdSN of the window; a place can be *void*: received, and nothing to do.
 */
#pragma once

#include "iscsi/params.h"
#include "iscsi/pdu.h"
#include "target/device.h"
#include "target/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define uthash_malloc(size)     mem_new(size)
#define uthash_free(ptr, bytes) free(ptr)
#include <uthash.h>

#define SESSION_NAME_BYTES 224u /* an iSCSI name with its NUL */
#define SESSION_SWALLOWED  32u  /* tags of aborted tasks whose late data is swallowed */

struct command;
struct conn;
struct task_request;
struct waiting_request;

/* What makes an I_T nexus, and so a session (4.4): all bytes count, unused ones are 0. */
struct session_key {
    char initiator_name[SESSION_NAME_BYTES]; /* in lower case */
    uint8_t isid[PDU_ISID_BYTES];
    uint16_t portal_group_tag;
    uint32_t is_discovery; /* a discovery session never takes a normal one's place */
};
static_assert(sizeof(struct session_key) == SESSION_NAME_BYTES + 12, "no padding in a hash key");

struct session {
    struct target *target;
    struct session_key key;
    uint16_t tsih;
    uint32_t portal_index; /* of its leading connection */
    struct nexus *nexus;   /* NULL: discovery, or over */
    struct iscsi_params params;
    struct conn *conns; /* by next_of_session */
    uint32_t conn_count;
    bool is_over;
    int64_t retained_until_ns; /* without connections; else TIME_NEVER */
    /* The window (4.2.2.1). MaxCmdSN is never below ExpCmdSN - 1 and never goes back: every
     * delivered command closes it by one place until its answer was sent. */
    uint32_t exp_cmd_sn;
    uint32_t max_commands;
    uint32_t open_commands;        /* delivered, not immediate, not yet freed */
    uint32_t immediate_commands;   /* the same, immediate; and task management requests */
    uint32_t waiting_count;        /* in the ring, void ones included */
    uint32_t told_max_cmd_sn;      /* the last MaxCmdSN that was sent */
    struct waiting_request **ring; /* ring_mask + 1 places, by CmdSN */
    uint32_t ring_mask;
    /* Commands: by Initiator Task Tag, and in order of arrival. */
    struct command **buckets; /* bucket_mask + 1 */
    uint32_t bucket_mask;
    struct command *commands;
    struct chunk *tables; /* the memory of ring and buckets */
    struct task_request *task_requests;
    uint32_t held_count;  /* commands and functions that the device has */
    struct conn *waiters; /* by next_waiter: they go on when held_count is 0 */
    uint32_t next_ttt;
    uint32_t swallowed[SESSION_SWALLOWED];
    uint32_t swallowed_next;
    uint64_t waiting_bytes; /* data of requests in the ring */
    /* Data under way: asked for by R2T and not yet written, or being read and not yet sent. */
    uint64_t moving_bytes;
    struct command *budget_line; /* commands that wait until there is less of it */
    UT_hash_handle hh;
    struct session *next; /* of the target's list of those that are over, or are retained */
    struct session *prev;
};

/* Life. A new session takes its place in the target's table; there must be none with its key. NULL:
 * all TSIHs are in use. */
struct session *target_session_new(struct target *target, const struct session_key *key,
                                   uint32_t portal_index, uint32_t exp_cmd_sn,
                                   const struct iscsi_params *params);
/* The one in the table, or the newest that is over and still held; NULL: none. */
struct session *target_session_find(struct target *target, const struct session_key *key);
struct session *target_session_find_over(struct target *target, const struct session_key *key);
/* Over: tasks are aborted, the nexus is lost. Its connections are the caller's to end. */
void target_session_end(struct session *session);
/* A connection joins, or leaves and takes its commands with it: nothing of them is answered. */
void target_session_join(struct session *session, struct conn *conn);
void target_session_leave(struct session *session, struct conn *conn);
/* Without a connection, it waits until then. */
void target_session_retain(struct session *session, int64_t until_ns);
/* Frees a session that is over and not needed any more, else tells those who wait for it. */
void target_session_settle(struct session *session);

/* The window. */
static inline uint32_t target_session_max_cmd_sn(const struct session *session)
{
    return session->exp_cmd_sn + session->max_commands - session->open_commands - 1;
}
bool target_session_is_in_window(const struct session *session, uint32_t cmd_sn);

/* The ring: requests that came before their turn. 'data' is taken over when they are kept; false:
 * the place is taken (it was received before). The data of all of them is bounded by the caller. */
struct waiting_request {
    struct conn *conn; /* NULL: void */
    struct pdu pdu;
    struct buf *data;
    uint8_t header[PDU_HEADER_BYTES];
};
bool target_session_keep(struct session *session, struct conn *conn, const struct pdu *pdu,
                         struct buf *data, const uint8_t *header);
/* 'cmd_sn' lies in the window: it counts as received, whatever waits there is dropped. */
void target_session_plug(struct session *session, uint32_t cmd_sn);
/* The one whose turn it is, and ExpCmdSN moves on; NULL: it has not come. The caller's from now on:
 * see target_session_free_waiting(). */
struct waiting_request *target_session_next_in_order(struct session *session);
void target_session_free_waiting(struct session *session, struct waiting_request *waiting);

/* Tasks by tag. */
/* Somebody asks for that tag soon. */
void target_session_fetch_command(const struct session *session, uint32_t itt);
struct command *target_session_find_command(const struct session *session, uint32_t itt);
void target_session_add_command(struct session *session, struct command *command);
void target_session_remove_command(struct session *session, struct command *command);
uint32_t target_session_new_ttt(struct session *session);
/* Late data of an aborted task is no error: its tag is remembered for a while. */
void target_session_swallow(struct session *session, uint32_t itt);
bool target_session_swallows(const struct session *session, uint32_t itt);
