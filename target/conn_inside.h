/* The inside of a connection, for the files conn*.c:
 *
 *   conn.c            life, feeding, ends, deadlines, the order of CmdSN
 *   conn_out.c        what waits to be sent, and how it becomes PDUs
 *   conn_login.c      login phase
 *   conn_text.c       Text requests in full feature phase, SendTargets
 *   conn_command.c    SCSI commands and their way to the device and back
 *   conn_data_out.c   unsolicited and solicited data, R2T
 *   conn_tmf.c        task management
 *   conn_logout.c     Logout requests, and asking for one
 *   planted_iscsi.c   planted bugs
 */
#pragma once

#include "iscsi/chap.h"
#include "iscsi/framer.h"
#include "iscsi/login.h"
#include "iscsi/negotiate.h"
#include "iscsi/text.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "target/conn.h"
#include "target/session.h"
#include "target/target_inside.h"
#include "target/task.h"

#define CONN_MOST_UNSENT    (16u * 1024 * 1024) /* bytes due to a peer that does not read, */
#define CONN_MOST_REPLIES   (1024u * 1024)      /* and those of them that no command answers for */
#define CONN_FEED_BYTES     (256u * 1024)       /* what it likes to get at once */
#define CONN_CLOSE_NS       SECONDS(10)         /* for the last PDUs to be taken */
#define CONN_MOST_IMMEDIATE 32u                 /* immediate requests at work in a session */
#define COMMAND_MOST_R2TS   8u                  /* outstanding for one command */
/* Data under way in one session; a single command may be larger when it is alone. So much may
 * always be, whatever other sessions do. */
#define MOVING_MOST          (UINT64_C(64) * 1024 * 1024)
#define MOVING_LEAST         (UINT64_C(1024) * 1024)
#define WAITING_MOST         (UINT64_C(4) * 1024 * 1024) /* data that came before its turn */
#define TASK_REQUEST_WAIT_NS SECONDS(2)                  /* for data that an aborted task is owed */

/* ---- what waits to be sent ---- */

enum out_kind {
    OUT_REPLY,  /* struct reply */
    OUT_R2T,    /* struct command: asks for data */
    OUT_RESULT, /* struct command: Data-In, then status */
};

struct out_item {
    struct out_item *next; /* utlist */
    struct out_item *prev;
    enum out_kind kind;
    bool is_queued;
    uint32_t cost_bytes; /* what it counts in conn_room() */
};

/* What a reply brings about once it has been made into bytes. */
enum reply_then { THEN_NOTHING, THEN_FULL_FEATURE, THEN_COLD_RESET };

/* A PDU that is known but for its sequence numbers. */
struct reply {
    struct out_item out;
    struct pdu pdu;
    struct buf *data; /* owned */
    bool has_stat_sn; /* takes a StatSN of its own, else shows the next one */
    enum reply_then then;
};

/* ---- commands ---- */

enum command_state {
    COMMAND_COLLECTING, /* data-out is on its way, or there is nobody to ask for it yet */
    COMMAND_AT_DEVICE,  /* device_start() said TASK_WAITS: on_done comes */
    COMMAND_ANSWERING,  /* its result waits to be sent */
};

/* A sequence of Data-Out that was asked for (11.8). */
struct burst {
    uint32_t ttt;
    uint32_t offset;      /* that the R2T named */
    uint32_t asked_bytes; /* Desired Data Transfer Length */
    uint32_t came_bytes;
    uint32_t data_sn; /* of the next Data-Out */
};

struct command {
    struct out_item out; /* OUT_R2T or OUT_RESULT */
    struct session *session;
    struct conn *conn; /* where its PDUs go (4.2.5.1); NULL: it is gone, nobody wants the result */
    struct command *next_in_bucket;
    struct command *next; /* utlist: all of the session */
    struct command *prev;
    struct command *next_owing; /* utlist: those of the connection that wait for Data-Out */
    struct command *previous_owing;
    struct command *next_in_line; /* utlist: for the session's budget */
    struct command *previous_in_line;
    enum command_state state;
    uint32_t itt;
    uint32_t cmd_sn;
    uint32_t expected_bytes; /* Expected Data Transfer Length */
    bool is_read;
    bool is_write;
    bool is_immediate;
    bool is_listed;  /* has its tag and its place in the window */
    bool is_owing;   /* in the list of those */
    bool is_in_line; /* for its share */
    bool is_aborted; /* COLLECTING: swallows the data that was asked for, then vanishes */
    unsigned fault;  /* REFUSAL() that it ends with once all owed data came; 0: none */
    struct task_request *awaited_by; /* that waits for owed data of an aborted command */
    /* Data-out. */
    struct buf_queue collected;
    uint32_t needed_bytes;    /* of the start of the data, for the device */
    uint32_t came_bytes;      /* in order, from 0 */
    uint32_t asked_bytes;     /* up to where data was solicited or came by itself */
    uint64_t wanted_bytes;    /* the share that it waits for */
    uint64_t budget_bytes;    /* its share of what the session may have under way */
    bool is_unsolicited_open; /* unsolicited Data-Out may come, until one with F */
    uint32_t unsolicited_data_sn;
    uint32_t r2t_sn;
    uint32_t burst_first;
    uint32_t burst_count;
    int64_t owing_since_ns;
    /* Data-in and result. */
    struct buf *data_in; /* what is left to send, owned */
    uint32_t data_in_left_bytes;
    uint32_t sent_bytes;
    uint32_t data_sn;
    struct pdu_residual residual;
    /* Its end is undefined in a new command: the sense data and the ring. */
    struct scsi_task task;
    struct burst bursts[COMMAND_MOST_R2TS]; /* outstanding: 'burst_count' from 'burst_first' on */
};
#define COMMAND_CLEAN_BYTES (offsetof(struct command, task) + TASK_CLEAN_BYTES)
static_assert(sizeof(struct command) <= 1024, "a block of the pool");

/* A task management function that is not answered yet. */
struct task_request {
    struct scsi_tmf tmf;
    struct session *session;
    struct conn *conn;         /* NULL: nobody wants the answer */
    struct task_request *next; /* utlist: of the session */
    struct task_request *prev;
    uint32_t itt;
    uint32_t cmd_sn;
    uint8_t function;        /* enum iscsi_tmf */
    bool waits_for_commands; /* lower CmdSNs have not come yet (4.2.3.3 b) */
    bool is_at_device;
    uint32_t owed_count; /* aborted commands whose data is still due (4.2.3.3 a) */
    int64_t deadline_ns; /* ... and how long that may take */
};

/* ---- phases ---- */

struct login {
    struct login_watch watch;
    struct negotiation negotiation;
    struct text received; /* of requests with C, joined */
    struct text answers;
    struct session_key key;
    bool has_names; /* the first complete request was good */
    struct chap_target chap;
    enum chap_outcome chap_outcome; /* why it is refused */
};
static_assert(sizeof(struct login) <= 1024, "a block of the pool");

/* A Text negotiation in full feature phase, one at a time. */
struct text_exchange {
    struct negotiation negotiation;
    struct text received;
    struct text answers;
    uint32_t itt;
    uint32_t ttt;
    bool is_answering; /* a long answer is under way */
    bool is_last;      /* ... to a request with F */
};

enum conn_state {
    CONN_QUIET, /* the stream is open, nothing came */
    CONN_LOGIN,
    CONN_FULL_FEATURE,
    CONN_LOGGING_OUT, /* the Logout Request came, old tasks must end before the answer */
    CONN_CLOSING,     /* the last PDUs wait to be taken; nothing is heard any more */
    CONN_ENDED,
};

struct conn {
    struct target *target;
    struct chunk *home; /* the memory of this very struct */
    struct conn *next;  /* utlist: all of the target */
    struct conn *prev;
    struct conn *door_next; /* utlist: target->at_door, while QUIET or in LOGIN */
    struct conn *door_prev;
    struct conn *next_of_session;
    struct session *waits_for; /* its old tasks must end before login or logout goes on */
    struct conn *next_waiter;  /* of waits_for->waiters */
    struct conn *next_restless;
    bool is_restless;
    uint64_t number;
    void *trace_memo; /* the trace's: see struct trace_pdu */
    uint32_t portal_index;
    struct endpoint local;
    struct endpoint remote;
    void *owner;
    enum conn_state state;
    uint16_t cid;
    struct framer framer;
    struct framer_digests digests; /* of what is sent */
    uint32_t stat_sn;              /* of the next response that takes one */
    struct iscsi_params params;    /* agreed */
    struct session *session;       /* NULL before the end of login */
    struct login *login;           /* owned; NULL when it is over */
    struct text_exchange *text;    /* owned; NULL: none open */
    uint32_t logout_itt;
    /* Sending. */
    struct out_item *out_items; /* utlist: in the order of sending */
    size_t unsent_bytes;        /* their costs */
    size_t replies_bytes;       /* those of OUT_REPLY */
    struct buf_queue out;       /* made, not taken */
    /* Waiting. */
    struct command *owing; /* by the time since when */
    int64_t deadline_ns;   /* of login, of closing */
    int64_t logout_by_ns;  /* it was asked to log out */
    int64_t heard_ns;
    int64_t ping_sent_ns; /* TIME_NEVER: no ping is unanswered */
    uint32_t ping_ttt;
    /* The end, and what was told. */
    bool has_logged_in_event;
    bool has_over_event;
    bool is_orderly;
    enum conn_end end;
    uint16_t login_status;
    const char *end_detail;
};

/* ---- conn.c ---- */

/* Before its state changes: it logs in, or will not any more. */
void conn_leave_door(struct conn *conn);

/* The end, at once: what was not sent is dropped, the session is lost or goes on without it. */
void conn_drop(struct conn *conn, enum conn_end why, const char *detail, int64_t now_ns);
/* conn_drop() for every connection of a session, which is gone after that if it is over. */
void conn_drop_all(struct session *session, enum conn_end why, int64_t now_ns);
/* Login or logout goes on when the device has given back what the session has there; true: it must
 * wait for that. conn_wake() goes on then. */
bool conn_must_wait(struct conn *conn, struct session *session);
/* The end once all that is due was sent. */
void conn_close_when_sent(struct conn *conn, enum conn_end why, const char *detail, int64_t now_ns);
/* A request that came in order, or is immediate. Takes over 'data'. */
void conn_execute(struct conn *conn, const struct pdu *pdu, struct buf *data, const uint8_t *header,
                  int64_t now_ns);
/* ExpCmdSN may have moved: requests and functions that waited for that go on. */
void conn_deliver_waiting(struct session *session, int64_t now_ns);
/* Has the session's window for one command more become known to the initiator? Else a NOP-In tells
 * (after commands that ended without a response). */
void conn_tell_window(struct session *session);

/* ---- conn_out.c ---- */

struct reply *conn_reply(struct conn *conn, uint8_t opcode, uint32_t itt, struct buf *data);
/* Response PDUs made by conn_reply() take a StatSN; this says otherwise. */
void conn_put(struct conn *conn, struct out_item *item, enum out_kind kind, size_t bytes);
void conn_unput(struct conn *conn, struct out_item *item);
void conn_reject(struct conn *conn, const uint8_t *header, uint8_t reason);
void conn_out_clear(struct conn *conn);
/* Makes PDUs until 'bytes' of them are there, or nothing is left to make. */
void conn_make_out(struct conn *conn, size_t bytes, int64_t now_ns);

/* ---- conn_login.c ---- */

void conn_login_request(struct conn *conn, const struct pdu *pdu, struct buf *data, int64_t now_ns);
void conn_refuse_login(struct conn *conn, uint16_t status, const char *why, int64_t now_ns);
/* The old session's tasks are gone. */
void conn_login_go_on(struct conn *conn, int64_t now_ns);
void conn_login_free(struct conn *conn);

/* ---- conn_text.c ---- */

void conn_text_request(struct conn *conn, const struct pdu *pdu, struct buf *data,
                       const uint8_t *header);
void conn_text_free(struct conn *conn);

/* ---- conn_command.c ---- */

void conn_scsi_command(struct conn *conn, const struct pdu *pdu, struct buf *data,
                       const uint8_t *header, int64_t now_ns);
/* All its data is there, or all that will come. */
void command_go_on(struct command *command);
/* Those that waited for their share of what may be under way. */
void commands_go_on(struct session *session);
/* It ends without an answer. One that the device has stays until the device gives it back. */
void command_forget(struct command *command);
/* Its memory, its tag, its place in the window. */
void command_free(struct command *command);

/* ---- conn_data_out.c ---- */

void command_collect(struct command *command, const struct pdu *pdu, struct buf *data,
                     int64_t now_ns);
void conn_data_out(struct conn *conn, const struct pdu *pdu, struct buf *data,
                   const uint8_t *header, int64_t now_ns);
/* Its data digest is wrong: the task ends badly once all is there (7.8). */
void conn_data_out_damaged(struct conn *conn, const struct pdu *pdu, int64_t now_ns);
static inline bool command_is_owed(const struct command *command)
{
    return command->is_unsolicited_open || command->burst_count > 0;
}
/* Puts it in the line for R2Ts, if more data is to be asked for now. */
void command_ask(struct command *command);
/* The R2T that may be sent now; false: there is none. */
bool command_next_r2t(struct command *command, struct pdu *ret_pdu, int64_t now_ns);
void command_stop_collecting(struct command *command);
/* May it have 'bytes' under way? Else it stands in line for them: see commands_go_on(). It keeps
 * its share until it has ended. */
bool command_has_budget(struct command *command, uint64_t bytes);
/* The first in line may have its share; it has left the line. NULL: nobody is there, or may. */
struct command *command_next_in_line(struct session *session);
void command_give_budget(struct command *command);

/* ---- conn_tmf.c ---- */

void conn_task_request(struct conn *conn, const struct pdu *pdu, const uint8_t *header,
                       int64_t now_ns);
/* All lower CmdSNs have come, at last. */
void task_request_go_on(struct task_request *request, int64_t now_ns);
/* One aborted command less owes data. */
void task_request_got_data(struct task_request *request);
/* Functions that have waited for owed data for too long. */
void task_requests_wake(struct session *session, int64_t now_ns);
int64_t task_requests_deadline_ns(const struct session *session);
/* The connection is gone: nobody is there to hear the answers. */
void task_requests_leave(struct session *session, const struct conn *conn);

/* ---- conn_logout.c ---- */

void conn_logout_request(struct conn *conn, const struct pdu *pdu, const uint8_t *header,
                         int64_t now_ns);
void conn_logout_go_on(struct conn *conn, int64_t now_ns);
void conn_send_async(struct conn *conn, uint8_t event, uint16_t parameter1, uint16_t parameter2,
                     uint16_t parameter3);

/* ---- planted_iscsi.c: each strikes once ---- */

uint32_t planted_max_cmd_sn(struct session *session, uint32_t max_cmd_sn);           /* P1 */
uint32_t planted_stat_sn(struct target *target, uint32_t stat_sn);                   /* P2 */
bool planted_answers_twice(struct target *target);                                   /* P4 */
uint32_t planted_r2t_offset(struct target *target, uint32_t offset, uint32_t bytes); /* D5 */
void planted_keep_session(const struct session *session);                            /* P6 */
