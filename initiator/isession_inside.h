/* The inside of a session, for its own files alone:
 *
 *   isession.c         life, bytes in and out, numbering, dispatch of what arrives
 *   isession_login.c   login
 *   isession_tasks.c   SCSI commands: sending, Data-Out, R2T, Data-In, responses
 *   isession_manage.c  task management, NOP, logout, async messages, Reject
 *   isession_text.c    Text Requests: SendTargets, negotiation
 */
#pragma once

#include "initiator/isession.h"
#include "initiator/lanes.h"
#include "iscsi/framer.h"
#include "iscsi/login.h"
#include "iscsi/negotiate.h"
#include "iscsi/pdu.h"
#include "iscsi/text.h"

#define CONNECTIONS_MOST   1u
#define CONTROL_TASKS      8u /* slots beside those of the commands: TMFs, ping, text, logout */
#define EVENTS_MOST        16u
#define ROOM_BYTES         ((size_t)256 * 1024)
#define OUT_MOST_BYTES     ((size_t)64 * 1024) /* answers that nobody takes: stop reading */
#define LOGIN_ROUNDS_MOST  64u
#define TEXT_ROUNDS_MOST   1024u
#define TARGETS_MOST_BYTES (1024u * 1024)

enum task_kind {
    TASK_FREE,
    TASK_LOGIN,
    TASK_COMMAND,
    TASK_TMF,
    TASK_PING,
    TASK_TEXT,
    TASK_LOGOUT,
};

/* A piece of read data that came out of order (DataPDUInOrder or DataSequenceInOrder is No). */
struct piece {
    struct piece *next; /* by offset */
    uint32_t offset;
    uint32_t bytes;
    struct buf *data; /* owned */
};

/* What an Initiator Task Tag stands for: its low half is the index, the high half the generation,
 * so that a tag is not used again soon and never is PDU_NO_TAG. */
struct task {
    _Alignas(64) uint8_t kind; /* one line of the processor's cache each */
    bool is_sent;
    bool is_immediate;
    bool is_silenced;    /* FastAbort: owes no more Data-Out */
    uint8_t function;    /* TMF */
    uint16_t generation; /* from 1 */
    uint32_t tag;        /* valid while not free */
    uint32_t cmd_sn;
    union {
        struct command *command; /* COMMAND */
        struct task *next_free;  /* FREE */
    };
    uint32_t data_sn; /* of the next Data-In */
    union {
        uint32_t r2t_sn;  /* COMMAND: of the next R2T */
        uint32_t ref_tag; /* TMF: ABORT TASK */
    };
    uint32_t received_bytes;
    uint32_t burst_count;  /* bursts of this task in the queue, R2Ts and unsolicited */
    struct buf *data_tail; /* last slice of command->data_in */
    struct piece *pieces;  /* owned */
    uint64_t lun;          /* TMF */
};
static_assert(sizeof(struct task) == 64, "a line");

/* A sequence of Data-Out PDUs that we owe: for one R2T, or the unsolicited one. */
struct burst {
    struct burst *next;
    struct task *task;
    uint32_t ttt;
    uint64_t lun;
    uint32_t offset; /* of the next PDU */
    uint32_t left_bytes;
    uint32_t data_sn;
};

enum text_purpose { TEXT_RAW, TEXT_TARGETS, TEXT_NEGOTIATE };

struct logged_pdu {
    bool is_from_target;
    uint32_t connection;
    uint8_t header[PDU_HEADER_BYTES];
};

struct connection {
    bool is_up;
    bool has_stat_sn; /* the first response came */
    uint32_t exp_stat_sn;
    struct framer_digests digests;
    struct buf_queue out; /* encoded, in the order of the wire */
    struct burst *burst_head;
    struct burst *burst_tail;
    struct framer framer;
};

struct isession {
    /* What each PDU looks at stands first, in few lines of the processor's cache. */
    enum isession_state state;
    bool is_pinging;
    int64_t now_ns; /* of the current call */

    /* Numbering (RFC 7143, 4.2.2.1). */
    uint32_t cmd_sn; /* of the next request that is not immediate */
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;

    /* Tasks. */
    uint32_t task_count;
    struct task *tasks; /* owned */
    struct task *free_tasks;
    struct command_list open; /* commands in the order of their submission */
    struct command *unsent;   /* the first of 'open' that waits for the window, or NULL */
    uint32_t open_count;
    uint32_t tmf_count;
    struct command_list done;

    /* PDUs and events on their way to the owner. */
    struct logged_pdu *log; /* owned */
    uint32_t log_count;
    uint32_t log_taken;
    uint32_t log_capacity;
    uint32_t event_head;
    uint32_t event_count;
    struct session_counters counters;
    struct isession_config config;
    struct connection connections[CONNECTIONS_MOST];
    struct iscsi_params params;
    uint16_t tsih;
    uint16_t portal_group;

    /* Login and text. */
    struct task *login_task;
    struct login_watch login_watch;
    struct negotiation negotiation;
    struct text outgoing; /* keys on their way to the target */
    struct text incoming; /* keys of the target, joined */
    struct chap_initiator chap;
    uint32_t rounds;
    bool has_security_done;
    struct task *text_task; /* NULL: none under way */
    enum text_purpose text_purpose;
    bool is_answer_whole;

    uint8_t async_sense[SENSE_MAX_BYTES];
    size_t async_sense_bytes;
    struct isession_event events[EVENTS_MOST];
};

/* session.c */
void isession_emit(struct isession *session, const struct isession_event *event);
/* The session is over; a second reason is ignored. 'text' is a static string. */
void isession_end(struct isession *session, enum isession_end end, const char *text);
void isession_end_with(struct isession *session, const struct isession_event *event);
void isession_send(struct isession *session, struct connection *c, const struct pdu *pdu,
                   struct buf *data);
/* Fills ITT, CmdSN and I of a request, and counts CmdSN on if it is not immediate. */
void isession_number(struct isession *session, struct task *task, bool is_immediate,
                     struct pdu *pdu);
bool isession_window_is_open(const struct isession *session);
/* NULL: all slots are in use. */
struct task *task_take(struct isession *session, enum task_kind kind);
void task_give(struct isession *session, struct task *task);
/* The living task of this kind with this tag; NULL: none. */
struct task *task_find(struct isession *session, uint32_t tag, enum task_kind kind);
/* Counts a StatSN; false: it is not the next one, and the session is over. */
bool isession_see_stat_sn(struct isession *session, struct connection *c, const struct pdu *pdu,
                          bool advances);
void isession_see_window(struct isession *session, const struct pdu *pdu);

/* isession_login.c */
void login_begin(struct isession *session, struct connection *c);
void login_answered(struct isession *session, struct connection *c, const struct pdu *pdu,
                    struct buf *data);

/* isession_tasks.c */
void commands_send(struct isession *session, struct connection *c, size_t max_bytes);
void bursts_send(struct isession *session, struct connection *c, size_t max_bytes);
void bursts_forget(struct isession *session, struct connection *c, struct task *task);
void data_in_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                  struct buf *data);
void r2t_came(struct isession *session, struct connection *c, const struct pdu *pdu);
void response_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                   struct buf *data);
/* Ends a command without an answer of the target. */
void command_end(struct isession *session, struct task *task, enum command_end end);
void commands_end_all(struct isession *session, enum command_end end);
/* The sense data of a data segment: a length of 2 bytes, then as many. False: the length lies. */
bool sense_of(const struct buf *data, uint8_t ret_sense[SENSE_MAX_BYTES], size_t *ret_bytes);

/* isession_manage.c */
void task_response_came(struct isession *session, struct connection *c, const struct pdu *pdu);
void nop_in_came(struct isession *session, struct connection *c, const struct pdu *pdu);
void logout_response_came(struct isession *session, struct connection *c, const struct pdu *pdu);
void async_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                struct buf *data);
void reject_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                 struct buf *data);
void status_confirm(struct isession *session, struct connection *c);

/* isession_text.c */
void text_response_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                        struct buf *data);
void text_rejected(struct isession *session);
/* At the target's wish (async event 4): an exchange that it may fill. */
void text_open(struct isession *session);
