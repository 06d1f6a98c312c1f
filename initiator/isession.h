/* An isession is the initiator's end of an iSCSI session (RFC 7143; the target has an end of its
 * own): a core without I/O and without a clock.
 *
 *   IDLE --connected--> LOGIN --Login Response 0--> FULL_FEATURE --logout--> LOGGING_OUT
 *                         |                             |                        |
 *                         +-------- a failure ----------+------------------------+--> OVER
 *
 * The session owns CmdSN, the tasks and a list of connections; a connection owns StatSN and
 * framing. Calls name the connection, by its index. There is one connection (index 0) as long as
 * MaxConnections is 1, which is what this initiator agrees to.
 *
 * The owner joins a connection to a stream: isession_connected() when it stands, isession_feed()
 * with what arrives, isession_take() until nothing comes, isession_closed() when it broke. After
 * each call it drains isession_next_event(), isession_next_done() and isession_next_pdu(). When the
 * session is OVER (an event says so, and why) the owner drops the stream and frees the session;
 * commands that were open are among the done ones then, in the order of their submission, so that
 * they can be sent again elsewhere.
 *
 * The session never sends a command twice by itself (error recovery level 0): it hands status and
 * sense up, and a retry is a new command with a new CmdSN. It has no timers: whoever owns it
 * decides how long a login, an answer or a ping may take.
 *
 * What a hostile target can do is an outcome, never a crash: the session ends with
 * LOST_PROTOCOL and a text, and growth is bounded by the negotiated sizes.
 */
#pragma once

#include "initiator/command.h"
#include "iscsi/chap.h"
#include "iscsi/params.h"
#include "iscsi/pdu.h"
#include "sim/core/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define ISESSION_TASKS_MOST 4096u /* commands open at once, at most */
#define ISESSION_TMFS_MOST  4u    /* task management requests waiting for their answers, at most */
#define ISID_BYTES          6u

struct isession;

struct isession_config {
    const char *initiator_name;  /* borrowed for the life of the session, as the next two */
    const char *target_name;     /* NULL: a discovery session */
    const char *initiator_alias; /* NULL: none declared */
    uint8_t isid[ISID_BYTES];    /* the same for ever: a new login reinstates the old session */
    uint16_t cid;
    uint32_t first_cmd_sn;
    struct iscsi_params offer; /* what we would like */
    bool starts_in_security;   /* login begins in SecurityNegotiation, as it does with CHAP, else
                                  straight in LoginOperationalNegotiation */
    struct chap_login chap;    /* {0}: AuthMethod=None; its identities are borrowed */
    bool confirms_status;      /* a NOP-Out confirms the status of the last open command (11.18) */
    bool stops_data_at_abort;  /* open-iscsi's FastAbort: a task under ABORT TASK or a reset gets
                                  no more Data-Out */
    bool logs_pdus;            /* fill isession_next_pdu() */
    uint32_t max_commands;     /* open at once, 1 to ISESSION_TASKS_MOST */
    struct pool *pool;         /* borrowed */
};

enum isession_state {
    ISESSION_IDLE,         /* no connection yet */
    ISESSION_LOGIN,        /* Login Requests and Responses */
    ISESSION_FULL_FEATURE, /* commands flow */
    ISESSION_LOGGING_OUT,  /* the Logout Request is sent: nothing but responses any more */
    ISESSION_OVER,         /* the end; only draining and isession_free() make sense */
};

/* Why a session is over. X-macro: name, word. */
#define ISESSION_ENDS(X)                                                                           \
    X(LOST_NOT, "not lost")                                                                        \
    X(LOST_CLOSED, "connection closed")      /* isession_closed(): the stream broke */             \
    X(LOST_PROTOCOL, "protocol error")       /* the target broke RFC 7143 */                       \
    X(LOST_DIGEST, "digest error")           /* ERL 0: no way to go on (7.8) */                    \
    X(LOST_LOGIN_FAILED, "login failed")     /* status class and detail in the event */            \
    X(LOST_DROPPED, "dropped by the target") /* async events 2 and 3 */                            \
    X(LOST_LOGGED_OUT, "logged out")         /* as we asked */                                     \
    X(LOST_GIVEN_UP, "given up")             /* isession_give_up() */

enum isession_end {
#define X(name, word) name,
    ISESSION_ENDS(X)
#undef X
};

const char *isession_end_word(enum isession_end end);

enum isession_event_kind {
    ISESSION_LOGGED_IN,  /* full feature phase; for a discovery session, too */
    ISESSION_REDIRECTED, /* the login is answered by class 1: log in at 'moved_to'; session OVER */
    ISESSION_ENDED,      /* OVER: 'end', 'text', and the login status or the async parameters */
    ISESSION_TMF_DONE,   /* 'tmf_tag' has its 'response' */
    ISESSION_PONG,       /* our NOP-Out ping was answered */
    ISESSION_LOGOUT_ASKED, /* async event 1: log out within 'parameter3' seconds */
    ISESSION_ASYNC_SCSI,   /* async event 0: 'lun' and isession_async_sense() */
    ISESSION_TEXT_DONE,    /* isession_text() or isession_send_targets() is answered as a whole: see
                             isession_text_answer() */
    ISESSION_TEXT_REJECTED, /* ... or rejected: the values stay as they are */
};

struct isession_event {
    enum isession_event_kind kind;
    enum isession_end end;
    const char *text;     /* ENDED: what exactly; a static string, may be "" */
    uint8_t status_class; /* ENDED with LOST_LOGIN_FAILED: RFC 7143, 11.13.5 */
    uint8_t status_detail;
    bool is_async;        /* ENDED with LOST_DROPPED: the two below are valid */
    uint16_t time2wait_s; /* ENDED: before the next login: agreed, or async Parameter2 */
    uint16_t time2retain_s;
    uint16_t parameter3;    /* LOGOUT_ASKED */
    uint32_t tmf_tag;       /* TMF_DONE */
    uint8_t response;       /* TMF_DONE: 0 function complete, 1 no such task, ... (11.6.1) */
    uint8_t additional[3];  /* TMF_DONE: Additional Response Information (RFC 7144) */
    uint64_t lun;           /* ASYNC_SCSI */
    uint32_t moved_address; /* REDIRECTED: IPv4 */
    uint16_t moved_port;
    bool has_moved_for_good; /* REDIRECTED: status 0102h, not 0101h */
};

/* Life. The config is copied, its strings are borrowed. */
struct isession *isession_new(const struct isession_config *config);
/* Gives everything back, in any state. Commands still open are forgotten, not reported: their
 * partial data is freed. */
void isession_free(struct isession *session);

/* One connection and its stream. */
void isession_connected(struct isession *session, uint32_t connection, int64_t now_ns);
/* How many bytes it will take now; the owner pauses reading at 0. */
size_t isession_room(const struct isession *session, uint32_t connection);
/* 'bytes' are fed next: what their PDUs are about comes into the cache meanwhile. Returns the tags
 * of up to 'most' of them, for others who know of the same tasks. */
uint32_t isession_look_ahead(const struct isession *session, uint32_t connection,
                             const struct buf *bytes, uint32_t ret_tags[], uint32_t most);
/* Bytes from the target. Takes ownership of 'bytes'. Ignored once the session is OVER. */
void isession_feed(struct isession *session, uint32_t connection, struct buf *bytes,
                   int64_t now_ns);
/* At most 'max_bytes' for the target, the caller's from now on; NULL: nothing to send. */
struct buf *isession_take(struct isession *session, uint32_t connection, size_t max_bytes,
                          int64_t now_ns);
/* The stream is gone. */
void isession_closed(struct isession *session, uint32_t connection, int64_t now_ns);

/* What the owner may want to know. */
bool isession_next_event(struct isession *session, struct isession_event *ret_event);
/* A command that is done, in the order of completion; NULL: none. */
struct command *isession_next_done(struct isession *session);
/* The next PDU that was sent or received: its 48 bytes of header, valid until the next call into
 * the session. NULL: none. The order is that of the connection. */
const uint8_t *isession_next_pdu(struct isession *session, uint32_t *ret_connection,
                                 bool *ret_from_target);

enum isession_state isession_state(const struct isession *session);
bool isession_is_discovery(const struct isession *session);
/* What holds: agreed since LOGGED_IN, our offer before. */
const struct iscsi_params *isession_params(const struct isession *session);
uint16_t isession_tsih(const struct isession *session);
uint16_t
isession_portal_group(const struct isession *session); /* TargetPortalGroupTag; 0: unsaid */

/* Commands. There must be room for one more (isession_can_submit()). The command is borrowed until
 * it comes out of isession_next_done(). It waits here while the command window is shut (RFC 7143,
 * 4.2.2.1); 'sent_at_ns' and 'moved_at_ns' tell when it went out and last moved data. */
bool isession_can_submit(const struct isession *session);
void isession_submit(struct isession *session, struct command *command);
uint32_t isession_open_commands(const struct isession *session);
/* Takes back a command that was not sent yet; false: it was sent, an abort is needed. */
bool isession_withdraw(struct isession *session, struct command *command);

/* Task management (RFC 7143, 11.5). Sent at once as immediate. Returns the tag that TMF_DONE will
 * bring, or 0 if the session is not in full feature phase or ISESSION_TMFS_MOST are waiting. When
 * the target says "function complete", the tasks that the function covers and that are still open
 * end with COMMAND_ABORTED. Functions 9 to 12 need protocol level 2 (RFC 7144, 7.1.1): 0 below it.
 */
uint32_t isession_abort_task(struct isession *session, const struct command *command);
/* Is it still there? Response 7, function succeeded: yes; 0, function complete: no. */
uint32_t isession_query_task(struct isession *session, const struct command *command);
uint32_t isession_manage(struct isession *session, enum iscsi_tmf function, uint64_t lun);

/* A NOP-Out ping, answered by ISESSION_PONG. False: one is on its way, or no full feature phase. */
bool isession_ping(struct isession *session, bool is_immediate);

/* Text Requests (11.10); one at a time. 'keys' is "key=value\0..." of 'bytes' bytes, copied; it is
 * at most one PDU long. False: not possible now. */
bool isession_text(struct isession *session, const char *keys, size_t bytes);
/* SendTargets=All, with however many PDUs the answer has. */
bool isession_send_targets(struct isession *session);
/* Declares a new MaxRecvDataSegmentLength in full feature phase. */
bool isession_declare_segment(struct isession *session, uint32_t max_recv_segment_bytes);
/* The joined answer of the last Text Request: "key=value\0..."; valid until the next request. */
const char *isession_text_answer(const struct isession *session, size_t *ret_bytes);

/* Asks to log out and sends no command after it; commands still open end with COMMAND_ABORTED or
 * their status. Ends in ISESSION_ENDED with LOST_LOGGED_OUT. False: not in full feature phase. */
bool isession_logout(struct isession *session, enum iscsi_logout_reason reason);

/* The owner has had enough ("ping time-out"): the session is OVER. 'text' is a static string. */
void isession_give_up(struct isession *session, const char *text);

/* The sense data of the last async event 0; NULL: none. */
const uint8_t *isession_async_sense(const struct isession *session, size_t *ret_bytes);

/* For counters. */
struct session_counters {
    uint64_t pdus_sent;
    uint64_t pdus_received;
    uint64_t nops_answered;
    uint64_t rejects;
    uint64_t async_messages;
    uint64_t window_waits; /* times that a command had to wait for MaxCmdSN */
};
const struct session_counters *session_counters(const struct isession *session);
