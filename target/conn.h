/* One iSCSI connection at the target (RFC 7143): a core without I/O and without a clock.
 *
 *            first request          last Login Response            Logout Request
 *   QUIET ---------------> LOGIN ----------------------> FULL_FEATURE ---------> LOGGING_OUT
 *     |                      |                               |                       |
 *     |                      | refused          a reset, a   |          response due |
 *     |                      v                  drop, ...    v                       v
 *     |                   CLOSING  <-------------------------+---------------------- +
 *     |                      | all is sent                   |
 *     '----- lost ---------> OVER <--------- lost -----------'
 *
 * The owner joins it to a stream: conn_feed() with what arrives, conn_take() until nothing comes,
 * conn_wake() when the deadline has passed, conn_closed() when the stream broke; after each call it
 * drains conn_next_event() as well. A connection is also restless (target.h) when a task of the
 * device ended or another connection ended its session; then it is drained the same way. After
 * CONN_OVER the owner drops the stream and calls conn_free().
 *
 * PDUs that are sent are made when they are taken, not when they become due, so that every one
 * carries the numbers of that moment and an abort can stop what was not sent. Received and sent
 * PDUs go to the trace of the target, at the end of the connection its pdu_end.
 *
 * What a peer can make us hold is bounded: commands by the window, immediate commands and texts by
 * constants, unsent answers by conn_room(), which is 0 until the peer has read enough of them.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/core/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct session_info;
struct target;

struct conn_config {
    uint32_t portal_index; /* of the target's portals */
    struct endpoint local;
    struct endpoint remote;
};

/* The stream is open. NULL: there are too many connections already. Freed by conn_free(), which is
 * for any state. */
struct conn *conn_new(struct target *target, const struct conn_config *config, int64_t now_ns);
void conn_free(struct conn *conn, int64_t now_ns);

/* How many bytes it wants now; the owner pauses reading at 0. A few more do no harm. */
size_t conn_room(const struct conn *conn);
/* Bytes of write data that come next, because their PDU has begun (0: none is known), and where the
 * first of them lies in the data of its command: for stream_expect(). */
uint32_t conn_data_due(const struct conn *conn, uint32_t *ret_offset);
/* Bytes from the peer. Takes ownership of 'bytes'. */
void conn_feed(struct conn *conn, struct buf *bytes, int64_t now_ns);
/* Bytes for the peer, at most 'max_bytes', the caller's from now on; NULL: nothing to send. */
struct buf *conn_take(struct conn *conn, size_t max_bytes, int64_t now_ns);
/* Is there something to take? */
bool conn_has_output(const struct conn *conn);
/* When to call conn_wake(), or TIME_NEVER. A spare call does no harm. */
int64_t conn_deadline_ns(const struct conn *conn);
void conn_wake(struct conn *conn, int64_t now_ns);
/* The stream ended, for whatever reason. CONN_OVER follows. */
void conn_closed(struct conn *conn, int64_t now_ns);

/* Why a connection is over. X-macro: name, word. */
#define CONN_ENDS(X)                                                                               \
    X(CONN_NOT_ENDED, "not ended")                                                                 \
    X(CONN_LOGGED_OUT_WELL, "logged out")                                                          \
    X(CONN_LOGIN_REFUSED, "login refused")                                                         \
    X(CONN_LOGIN_TIMEOUT, "login time-out")                                                        \
    X(CONN_PING_TIMEOUT, "ping time-out")                                                          \
    X(CONN_DATA_TIMEOUT, "data-out time-out")                                                      \
    X(CONN_LOGOUT_TIMEOUT, "asked to log out, did not")                                            \
    X(CONN_STREAM_CLOSED, "stream closed")                                                         \
    X(CONN_PROTOCOL_ERROR, "protocol error")                                                       \
    X(CONN_FRAMING, "framing")       /* header digest, lengths: the next header is lost */         \
    X(CONN_REINSTATED, "reinstated") /* the initiator logged in anew */                            \
    X(CONN_RESET, "target reset")                                                                  \
    X(CONN_DROPPED, "dropped")                                                                     \
    X(CONN_CRASHED, "crashed")                                                                     \
    X(CONN_EVICTED, "made way for another, not being logged in")

enum conn_end {
#define X(name, word) name,
    CONN_ENDS(X)
#undef X
};
const char *conn_end_word(enum conn_end end);

enum conn_event_kind {
    CONN_LOGGED_IN, /* full feature phase */
    CONN_OVER,      /* the last event: drop the stream */
};
struct conn_event {
    enum conn_event_kind kind;
    enum conn_end end;     /* OVER */
    bool is_orderly;       /* OVER: all that was due is sent, close with FIN; else with RST */
    uint16_t login_status; /* OVER with CONN_LOGIN_REFUSED: enum iscsi_login_status */
    const char *detail;    /* OVER: more about it, a static text; "" */
};
bool conn_next_event(struct conn *conn, struct conn_event *ret_event);

/* Its number in the trace; what it belongs to, false before the login is complete. */
uint64_t conn_number(const struct conn *conn);
struct endpoint conn_remote(const struct conn *conn);
bool conn_session_info(const struct conn *conn, struct session_info *ret_info);
/* The owner's, to find itself from target_next_restless(). */
void conn_set_owner(struct conn *conn, void *owner);
void *conn_owner(const struct conn *conn);
