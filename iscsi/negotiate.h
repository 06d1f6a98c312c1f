/* Negotiation of operational keys (RFC 7143, 6.2 and 13; RFC 7144, 7.1.1).
 *
 * One table knows every key: who may send it, when, its form, range and default, and how two
 * wishes become one result. A negotiation belongs to one connection's login, or to one Text
 * exchange in full feature phase; it holds what this end wants and what holds so far.
 *
 *   offerer:   negotiate_offer()    -> text to send; later negotiate_receive() with the answers
 *   responder: negotiate_receive()  -> answers in the same order, then maybe negotiate_offer()
 *
 * Both ends use all functions: a received pair is an answer if this end offered that key and is
 * waiting, else an offer or declaration of the peer. Keys that are not numbers or choices of a
 * session (names, aliases, AuthMethod, CHAP, SendTargets) are the caller's: they are checked for
 * place and sender here and read with text_find().
 */
#pragma once

#include "iscsi/params.h"
#include "iscsi/text.h"
#include "sim/core/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The keys, in the order of the standard, which is the order in which they are offered. X-macro:
 * name, spelling. */
#define ISCSI_KEYS(X)                                                                              \
    X(KEY_AUTH_METHOD, "AuthMethod") /* 12.1 */                                                    \
    X(KEY_CHAP_A, "CHAP_A")          /* 12.1.3 */                                                  \
    X(KEY_CHAP_I, "CHAP_I")                                                                        \
    X(KEY_CHAP_C, "CHAP_C")                                                                        \
    X(KEY_CHAP_N, "CHAP_N")                                                                        \
    X(KEY_CHAP_R, "CHAP_R")                                                                        \
    X(KEY_HEADER_DIGEST, "HeaderDigest") /* 13.1 */                                                \
    X(KEY_DATA_DIGEST, "DataDigest")                                                               \
    X(KEY_MAX_CONNECTIONS, "MaxConnections")               /* 13.2 */                              \
    X(KEY_SEND_TARGETS, "SendTargets")                     /* 13.3 */                              \
    X(KEY_TARGET_NAME, "TargetName")                       /* 13.4 */                              \
    X(KEY_INITIATOR_NAME, "InitiatorName")                 /* 13.5 */                              \
    X(KEY_TARGET_ALIAS, "TargetAlias")                     /* 13.6 */                              \
    X(KEY_INITIATOR_ALIAS, "InitiatorAlias")               /* 13.7 */                              \
    X(KEY_TARGET_ADDRESS, "TargetAddress")                 /* 13.8 */                              \
    X(KEY_TARGET_PORTAL_GROUP_TAG, "TargetPortalGroupTag") /* 13.9 */                              \
    X(KEY_INITIAL_R2T, "InitialR2T")                       /* 13.10 */                             \
    X(KEY_IMMEDIATE_DATA, "ImmediateData")                 /* 13.11 */                             \
    X(KEY_MAX_RECV_SEGMENT, "MaxRecvDataSegmentLength")    /* 13.12 */                             \
    X(KEY_MAX_BURST, "MaxBurstLength")                     /* 13.13 */                             \
    X(KEY_FIRST_BURST, "FirstBurstLength")                 /* 13.14 */                             \
    X(KEY_TIME2WAIT, "DefaultTime2Wait")                   /* 13.15 */                             \
    X(KEY_TIME2RETAIN, "DefaultTime2Retain")               /* 13.16 */                             \
    X(KEY_MAX_OUTSTANDING_R2T, "MaxOutstandingR2T")        /* 13.17 */                             \
    X(KEY_DATA_PDU_IN_ORDER, "DataPDUInOrder")             /* 13.18 */                             \
    X(KEY_DATA_SEQUENCE_IN_ORDER, "DataSequenceInOrder")   /* 13.19 */                             \
    X(KEY_ERROR_RECOVERY_LEVEL, "ErrorRecoveryLevel")      /* 13.20 */                             \
    X(KEY_SESSION_TYPE, "SessionType")                     /* 13.21 */                             \
    X(KEY_TASK_REPORTING, "TaskReporting")                 /* 13.23 */                             \
    X(KEY_OF_MARKER, "OFMarker")                           /* 13.25, obsolete */                   \
    X(KEY_IF_MARKER, "IFMarker")                                                                   \
    X(KEY_OF_MARK_INT, "OFMarkInt")                                                                \
    X(KEY_IF_MARK_INT, "IFMarkInt")                                                                \
    X(KEY_PROTOCOL_LEVEL, "iSCSIProtocolLevel") /* RFC 7144, 7.1.1 */

enum iscsi_key {
#define X(name, spelling) name,
    ISCSI_KEYS(X)
#undef X
        KEY_COUNT,
};

/* When a pair travels. */
enum negotiate_phase {
    NEGOTIATE_SECURITY,    /* SecurityNegotiation stage of login */
    NEGOTIATE_OPERATIONAL, /* LoginOperationalNegotiation stage */
    NEGOTIATE_TEXT,        /* a Text Request or Response in full feature phase */
};

/* Why a negotiation broke; the login then fails with "initiator error" or the connection is
 * dropped (7.11). X-macro: name, word. */
#define NEGOTIATE_FAILURES(X)                                                                      \
    X(NEGOTIATE_GOOD, "good")                                                                      \
    X(NEGOTIATE_TEXT_BAD, "the text is malformed")                                                 \
    X(NEGOTIATE_KEY_TWICE, "a key was negotiated twice")                                           \
    X(NEGOTIATE_WRONG_SENDER, "a key that the other side only may send")                           \
    X(NEGOTIATE_WRONG_PHASE, "a key that has no place in this phase")                              \
    X(NEGOTIATE_DECLARATION_BAD, "a declared value out of range")                                  \
    X(NEGOTIATE_ANSWER_BAD, "an answer out of range or of the wrong form")                         \
    X(NEGOTIATE_ANSWER_NOT_OFFERED, "an answer that was not among the offers")                     \
    X(NEGOTIATE_ANSWER_REFUSED, "an offer that every end must understand was refused")             \
    X(NEGOTIATE_BURSTS, "FirstBurstLength exceeds MaxBurstLength")                                 \
    X(NEGOTIATE_TOO_LONG, "the answers do not fit")

enum negotiate_failure {
#define X(name, word) name,
    NEGOTIATE_FAILURES(X)
#undef X
};

const char *negotiate_failure_word(enum negotiate_failure failure);

/* Who negotiates. */
struct negotiate_role {
    bool is_initiator;
    bool is_discovery; /* SessionType=Discovery: some keys are Irrelevant */
    bool is_leading;   /* the first connection of its session: keys of use LO are allowed */
};

struct negotiation {
    struct negotiate_role role;
    struct iscsi_params wanted; /* by this end */
    struct iscsi_params
        agreed;        /* what holds so far: defaults at first; own declarations included */
    uint64_t offered;  /* bit per enum iscsi_key: we offered or declared it */
    uint64_t waiting;  /* ... and its answer is due */
    uint64_t received; /* ... the peer offered, declared or answered it */
    enum negotiate_failure failure;
    char culprit[TEXT_KEY_MOST + 1]; /* the key that it failed at, or "" */
};

/* The defaults of the standard, which hold for keys that nobody mentions (13). */
extern const struct iscsi_params iscsi_default_params;
/* Is every value in its range? For what comes from files. On false, '*ret_key' is the first that
 * is not, as the standard spells it. */
bool iscsi_params_are_valid(const struct iscsi_params *params, const char **ret_key);

/* A negotiation of a new connection. 'agreed' starts with the defaults; a later connection of a
 * session copies the session's values into it. */
void negotiate_init(struct negotiation *negotiation, struct negotiate_role role,
                    const struct iscsi_params *wanted);
/* The same in full feature phase: 'agreed' is what holds. A broken exchange must change nothing:
 * copy 'agreed' back only when it is complete (7.12). To declare a new MaxRecvDataSegmentLength,
 * set wanted.max_recv_segment_bytes before negotiate_offer(). */
void negotiate_init_text(struct negotiation *negotiation, struct negotiate_role role,
                         const struct iscsi_params *agreed);

/* Initiator: offers and declares what it wants, every key of a normal (or discovery) session.
 * Target: declares its MaxRecvDataSegmentLength and offers those keys that the initiator has not
 * brought up and whose default it does not want. Both: each key at most once, so calling it again
 * adds nothing. In phase NEGOTIATE_TEXT only a MaxRecvDataSegmentLength that has changed. */
void negotiate_offer(struct negotiation *negotiation, enum negotiate_phase phase,
                     struct text *offers);

/* A whole text of the peer, joined. It is checked (text_check()) here. Answers to the peer's
 * offers are added to 'answers'. Returns NEGOTIATE_GOOD, or the failure, which stays. */
MUST_CHECK enum negotiate_failure negotiate_receive(struct negotiation *negotiation,
                                                    enum negotiate_phase phase, const char *bytes,
                                                    size_t size, struct text *answers);

/* No answer is due: the stage may be left. */
static inline bool negotiate_is_complete(const struct negotiation *negotiation)
{
    return negotiation->waiting == 0;
}
/* Did the peer send this key, with whatever value? */
static inline bool negotiate_has_received(const struct negotiation *negotiation, enum iscsi_key key)
{
    return (negotiation->received >> key & 1) != 0;
}

const char *iscsi_key_spelling(enum iscsi_key key);
