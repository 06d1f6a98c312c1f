/* The order of login: which Login Requests and Responses may follow which (RFC 7143, 6.3, 11.12,
 * 11.13). Both ends watch with it, and it is rule P5 of the lab.
 *
 *   start --> SecurityNegotiation --> LoginOperationalNegotiation --> Full Feature Phase
 *     |               |                    ^             ^                  ^
 *     |               '--------------------|-------------|------------------'
 *     '------------------------------------'-- a login may begin here
 *
 * Feed every request and every response of one connection in order, on either end. The stage moves
 * when a response with T answers a request with T. What breaks the order is an outcome with a
 * word; the watch then stays where it was.
 */
#pragma once

#include "iscsi/pdu.h"

#include <stdbool.h>
#include <stdint.h>

/* X-macro: name, word. */
#define LOGIN_OUTCOMES(X)                                                                          \
    X(LOGIN_OK, "legal")                                                                           \
    X(LOGIN_OVER, "a login PDU after login has ended")                                             \
    X(LOGIN_NOT_ASKED, "a Login Response without a request")                                       \
    X(LOGIN_NOT_ANSWERED, "a Login Request before the last one was answered")                      \
    X(LOGIN_NOT_IMMEDIATE, "a Login Request that is not immediate")                                \
    X(LOGIN_STAGE_UNKNOWN, "a stage that does not exist")                                          \
    X(LOGIN_STAGE_WRONG, "CSG is not the stage that login is in")                                  \
    X(LOGIN_STEP_WRONG, "NSG does not follow CSG")                                                 \
    X(LOGIN_C_AND_T, "C and T in one PDU")                                                         \
    X(LOGIN_T_UNASKED, "a response with T to a request without")                                   \
    X(LOGIN_NSG_UNASKED, "a response with another NSG than the request")                           \
    X(LOGIN_ANSWER_TOO_EARLY, "a response with T, C or keys while the request continues")          \
    X(LOGIN_REQUEST_TOO_EARLY, "a request with T, C or keys while the response continues")         \
    X(LOGIN_ITT_CHANGED, "another Initiator Task Tag during login")                                \
    X(LOGIN_ISID_CHANGED, "another ISID during login")                                             \
    X(LOGIN_TSIH_CHANGED, "another TSIH during login")                                             \
    X(LOGIN_CID_CHANGED, "another CID during login")                                               \
    X(LOGIN_CMD_SN_CHANGED, "another CmdSN during login")                                          \
    X(LOGIN_TSIH_ZERO, "the final response of a new session has TSIH 0")                           \
    X(LOGIN_VERSION, "no common version")

enum login_outcome {
#define X(name, word) name,
    LOGIN_OUTCOMES(X)
#undef X
};

const char *login_outcome_word(enum login_outcome outcome);
/* The status that a target answers a request with that had this outcome (11.13.5). */
enum iscsi_login_status login_outcome_status(enum login_outcome outcome);

struct login_watch {
    bool has_begun;
    bool is_waiting;         /* the last request is unanswered */
    bool request_continues;  /* C of the last request */
    bool response_continues; /* C of the last response */
    bool asks_transit;       /* T of the last request */
    bool has_failed;         /* a response with another status than success: the end */
    uint8_t stage;           /* enum iscsi_stage; FULL_FEATURE_PHASE: login is over, well */
    uint8_t asked_nsg;
    uint8_t isid[PDU_ISID_BYTES];
    uint16_t tsih;
    uint16_t cid;
    uint32_t itt;
    uint32_t cmd_sn;
};

/* A watch starts as {0}. 'pdu' is a Login Request / Login Response. */
MUST_CHECK enum login_outcome login_see_request(struct login_watch *watch, const struct pdu *pdu);
MUST_CHECK enum login_outcome login_see_response(struct login_watch *watch, const struct pdu *pdu);

static inline bool login_is_done(const struct login_watch *watch)
{
    return watch->has_begun && watch->stage == ISCSI_FULL_FEATURE_PHASE;
}
