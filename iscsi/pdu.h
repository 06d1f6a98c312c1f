/* iSCSI PDUs as values: what each field of the 48-byte Basic Header Segment means (RFC 7143, 11).
 *
 *   48 bytes  -> pdu_decode() -> struct pdu  -> pdu_encode() -> the same 48 bytes
 *
 * One struct for all opcodes: fields that many share stand in the struct itself, the rest in a
 * union that the opcode selects. Numbers are in host order. A field that its opcode does not have
 * is 0 after decoding and ignored when encoding; reserved bits are sent as 0 and ignored when
 * received (11). Data segments and digests are the framer's (framer.h).
 *
 * The constants carry the standard's names behind ISCSI_.
 */
#pragma once

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PDU_HEADER_BYTES   48u         /* Basic Header Segment (11.2.1) */
#define PDU_DIGEST_BYTES   4u          /* CRC32C of header or data (11.2.3) */
#define PDU_AHS_MOST_BYTES 1020u       /* TotalAHSLength is 8 bits of 4-byte words (11.2.1.5) */
#define PDU_DATA_MOST      0xffffffu   /* DataSegmentLength is 24 bits (11.2.1.6) */
#define PDU_NO_TAG         0xffffffffu /* the reserved value of task tags (11.2.1.8) */
#define PDU_ISID_BYTES     6u
#define PDU_CDB_BYTES      16u
#define PDU_CDB_MOST_BYTES 260u /* with an Extended CDB AHS (11.2.2.3) */

/* Who may send it, and which segments it may have. */
enum pdu_trait {
    PDU_FROM_TARGET = 1,
    PDU_MAY_BE_IMMEDIATE = 2, /* a request that carries the I bit (11.2.1.1) */
    PDU_HAS_CMD_SN = 4,       /* a request that carries CmdSN (4.2.2.1) */
    PDU_HAS_AHS = 8,
    PDU_HAS_DATA = 16,
};

/* Opcodes (11.2.1.2). X-macro: name, code, traits, the standard's name. */
#define PDU_OPCODES(X)                                                                             \
    X(PDU_NOP_OUT, 0x00, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN | PDU_HAS_DATA, "NOP-Out")          \
    X(PDU_SCSI_COMMAND, 0x01, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN | PDU_HAS_AHS | PDU_HAS_DATA,  \
      "SCSI Command")                                                                              \
    X(PDU_TASK_REQUEST, 0x02, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN,                               \
      "Task Management Function Request")                                                          \
    X(PDU_LOGIN_REQUEST, 0x03, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN | PDU_HAS_DATA,               \
      "Login Request")                                                                             \
    X(PDU_TEXT_REQUEST, 0x04, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN | PDU_HAS_DATA,                \
      "Text Request")                                                                              \
    X(PDU_DATA_OUT, 0x05, PDU_HAS_DATA, "SCSI Data-Out")                                           \
    X(PDU_LOGOUT_REQUEST, 0x06, PDU_MAY_BE_IMMEDIATE | PDU_HAS_CMD_SN, "Logout Request")           \
    X(PDU_SNACK, 0x10, 0, "SNACK Request")                                                         \
    X(PDU_NOP_IN, 0x20, PDU_FROM_TARGET | PDU_HAS_DATA, "NOP-In")                                  \
    X(PDU_SCSI_RESPONSE, 0x21, PDU_FROM_TARGET | PDU_HAS_DATA, "SCSI Response")                    \
    X(PDU_TASK_RESPONSE, 0x22, PDU_FROM_TARGET, "Task Management Function Response")               \
    X(PDU_LOGIN_RESPONSE, 0x23, PDU_FROM_TARGET | PDU_HAS_DATA, "Login Response")                  \
    X(PDU_TEXT_RESPONSE, 0x24, PDU_FROM_TARGET | PDU_HAS_DATA, "Text Response")                    \
    X(PDU_DATA_IN, 0x25, PDU_FROM_TARGET | PDU_HAS_DATA, "SCSI Data-In")                           \
    X(PDU_LOGOUT_RESPONSE, 0x26, PDU_FROM_TARGET, "Logout Response")                               \
    X(PDU_R2T, 0x31, PDU_FROM_TARGET, "Ready To Transfer")                                         \
    X(PDU_ASYNC, 0x32, PDU_FROM_TARGET | PDU_HAS_DATA, "Asynchronous Message")                     \
    X(PDU_REJECT, 0x3f, PDU_FROM_TARGET | PDU_HAS_DATA, "Reject")

enum pdu_opcode {
#define X(name, code, traits, text) name = (code),
    PDU_OPCODES(X)
#undef X
};

/* Task attributes (11.3.1.2). */
enum iscsi_attribute {
    ISCSI_UNTAGGED,
    ISCSI_SIMPLE,
    ISCSI_ORDERED,
    ISCSI_HEAD_OF_QUEUE,
    ISCSI_ACA,
};

/* Response of a SCSI Response (11.4.3). */
enum iscsi_response {
    ISCSI_RESPONSE_COMPLETED_AT_TARGET = 0x00,
    ISCSI_RESPONSE_TARGET_FAILURE = 0x01,
};

/* Functions of a Task Management Function Request (11.5.1). */
enum iscsi_tmf {
    ISCSI_TMF_ABORT_TASK = 1,
    ISCSI_TMF_ABORT_TASK_SET = 2,
    ISCSI_TMF_CLEAR_ACA = 3,
    ISCSI_TMF_CLEAR_TASK_SET = 4,
    ISCSI_TMF_LOGICAL_UNIT_RESET = 5,
    ISCSI_TMF_TARGET_WARM_RESET = 6,
    ISCSI_TMF_TARGET_COLD_RESET = 7,
    ISCSI_TMF_TASK_REASSIGN = 8,
    /* RFC 7144, 6: from protocol level 2 on. */
    ISCSI_TMF_QUERY_TASK = 9,
    ISCSI_TMF_QUERY_TASK_SET = 10,
    ISCSI_TMF_I_T_NEXUS_RESET = 11,
    ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT = 12,
};

/* Responses to them (11.6.1). */
enum iscsi_tmf_response {
    ISCSI_TMF_FUNCTION_COMPLETE = 0,
    ISCSI_TMF_TASK_DOES_NOT_EXIST = 1,
    ISCSI_TMF_LUN_DOES_NOT_EXIST = 2,
    ISCSI_TMF_TASK_STILL_ALLEGIANT = 3,
    ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED = 4,
    ISCSI_TMF_NOT_SUPPORTED = 5,
    ISCSI_TMF_AUTHORIZATION_FAILED = 6,
    ISCSI_TMF_FUNCTION_SUCCEEDED = 7, /* RFC 7144: yes, to a question */
    ISCSI_TMF_FUNCTION_REJECTED = 255,
};

/* AsyncEvent (11.9.1). */
enum iscsi_async_event {
    ISCSI_ASYNC_SCSI = 0,             /* sense data in the data segment */
    ISCSI_ASYNC_LOGOUT_REQUESTED = 1, /* Parameter3: seconds to do so */
    ISCSI_ASYNC_DROP_CONNECTION = 2,  /* Parameter1: CID; 2: Time2Wait; 3: Time2Retain */
    ISCSI_ASYNC_DROP_SESSION = 3,     /* all connections; 2: Time2Wait; 3: Time2Retain */
    ISCSI_ASYNC_NEGOTIATE = 4,        /* Parameter3: seconds to start a Text negotiation */
    ISCSI_ASYNC_TASKS_TERMINATED = 5, /* of the LU in the LUN field */
    ISCSI_ASYNC_VENDOR = 255,
};

/* Stages of login (11.12.3); 2 is reserved. */
enum iscsi_stage {
    ISCSI_SECURITY_NEGOTIATION = 0,
    ISCSI_LOGIN_OPERATIONAL_NEGOTIATION = 1,
    ISCSI_FULL_FEATURE_PHASE = 3,
};

/* Status-Class and Status-Detail of a Login Response, as one number (11.13.5). X-macro: name,
 * code, the standard's words. */
#define ISCSI_LOGIN_STATUSES(X)                                                                    \
    X(ISCSI_LOGIN_SUCCESS, 0x0000, "success")                                                      \
    X(ISCSI_LOGIN_MOVED_TEMPORARILY, 0x0101, "target moved temporarily")                           \
    X(ISCSI_LOGIN_MOVED_PERMANENTLY, 0x0102, "target moved permanently")                           \
    X(ISCSI_LOGIN_INITIATOR_ERROR, 0x0200, "initiator error")                                      \
    X(ISCSI_LOGIN_AUTHENTICATION_FAILURE, 0x0201, "authentication failure")                        \
    X(ISCSI_LOGIN_AUTHORIZATION_FAILURE, 0x0202, "authorization failure")                          \
    X(ISCSI_LOGIN_NOT_FOUND, 0x0203, "not found")                                                  \
    X(ISCSI_LOGIN_TARGET_REMOVED, 0x0204, "target removed")                                        \
    X(ISCSI_LOGIN_UNSUPPORTED_VERSION, 0x0205, "unsupported version")                              \
    X(ISCSI_LOGIN_TOO_MANY_CONNECTIONS, 0x0206, "too many connections")                            \
    X(ISCSI_LOGIN_MISSING_PARAMETER, 0x0207, "missing parameter")                                  \
    X(ISCSI_LOGIN_CANNOT_INCLUDE, 0x0208, "can't include in session")                              \
    X(ISCSI_LOGIN_SESSION_TYPE, 0x0209, "session type not supported")                              \
    X(ISCSI_LOGIN_NO_SESSION, 0x020a, "session does not exist")                                    \
    X(ISCSI_LOGIN_INVALID_DURING_LOGIN, 0x020b, "invalid during login")                            \
    X(ISCSI_LOGIN_TARGET_ERROR, 0x0300, "target error")                                            \
    X(ISCSI_LOGIN_SERVICE_UNAVAILABLE, 0x0301, "service unavailable")                              \
    X(ISCSI_LOGIN_OUT_OF_RESOURCES, 0x0302, "out of resources")

enum iscsi_login_status {
#define X(name, code, text) name = (code),
    ISCSI_LOGIN_STATUSES(X)
#undef X
};

/* Reason code of a Logout Request (11.14.1), Response of a Logout Response (11.15.1). */
enum iscsi_logout_reason {
    ISCSI_LOGOUT_CLOSE_SESSION = 0,
    ISCSI_LOGOUT_CLOSE_CONNECTION = 1,
    ISCSI_LOGOUT_REMOVE_FOR_RECOVERY = 2,
};
enum iscsi_logout_response {
    ISCSI_LOGOUT_CLOSED = 0,
    ISCSI_LOGOUT_CID_NOT_FOUND = 1,
    ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED = 2,
    ISCSI_LOGOUT_CLEANUP_FAILED = 3,
};

/* SNACK types (11.16.1). */
enum iscsi_snack_type {
    ISCSI_SNACK_DATA_R2T = 0,
    ISCSI_SNACK_STATUS = 1,
    ISCSI_SNACK_DATA_ACK = 2,
    ISCSI_SNACK_R_DATA = 3,
};

/* Reasons of a Reject (11.17.1). X-macro: name, code, the standard's words. */
#define ISCSI_REJECT_REASONS(X)                                                                    \
    X(ISCSI_REJECT_DATA_DIGEST_ERROR, 0x02, "data (payload) digest error")                         \
    X(ISCSI_REJECT_SNACK, 0x03, "SNACK reject")                                                    \
    X(ISCSI_REJECT_PROTOCOL_ERROR, 0x04, "protocol error")                                         \
    X(ISCSI_REJECT_NOT_SUPPORTED, 0x05, "command not supported")                                   \
    X(ISCSI_REJECT_TOO_MANY_IMMEDIATE, 0x06, "immediate command reject")                           \
    X(ISCSI_REJECT_TASK_IN_PROGRESS, 0x07, "task in progress")                                     \
    X(ISCSI_REJECT_INVALID_DATA_ACK, 0x08, "invalid data ack")                                     \
    X(ISCSI_REJECT_INVALID_PDU_FIELD, 0x09, "invalid PDU field")                                   \
    X(ISCSI_REJECT_LONG_OPERATION, 0x0a, "long op reject")                                         \
    X(ISCSI_REJECT_WAITING_FOR_LOGOUT, 0x0c, "waiting for logout")

enum iscsi_reject_reason {
#define X(name, code, text) name = (code),
    ISCSI_REJECT_REASONS(X)
#undef X
};

struct pdu_scsi_command {    /* 11.3 */
    bool is_read;            /* R */
    bool is_write;           /* W */
    uint8_t attribute;       /* enum iscsi_attribute */
    uint8_t priority;        /* PRI (RFC 7144): 1 the highest to 15; 0: none, or level 1 */
    uint32_t expected_bytes; /* Expected Data Transfer Length */
    uint8_t cdb[PDU_CDB_BYTES];
};

/* Residual counts (11.4.5), in SCSI Response and Data-In. At most one of the two is true. */
struct pdu_residual {
    bool is_overflow;  /* O */
    bool is_underflow; /* U */
    uint32_t bytes;
};

struct pdu_scsi_response {     /* 11.4 */
    uint8_t response;          /* enum iscsi_response */
    uint8_t status;            /* SAM-5 status code */
    uint16_t status_qualifier; /* RFC 7144; SAM-5, 5.3.2: 0: there is none */
    uint32_t snack_tag;
    uint32_t exp_data_sn; /* number of R2T and Data-In PDUs sent for the command (11.4.8) */
    struct pdu_residual residual;
    struct pdu_residual bidi_read_residual; /* o, u */
};

struct pdu_task_request { /* 11.5 */
    uint8_t function;     /* enum iscsi_tmf */
    uint32_t ref_task_tag;
    uint32_t ref_cmd_sn;
    uint32_t exp_data_sn;
};

struct pdu_task_response { /* 11.6 */
    uint8_t response;      /* enum iscsi_tmf_response */
    uint8_t additional[3]; /* Additional Response Information (RFC 7144) */
};

struct pdu_data_out { /* 11.7; the pdu's ttt is PDU_NO_TAG for unsolicited data */
    uint32_t data_sn;
    uint32_t buffer_offset;
};

struct pdu_data_in { /* 11.7 */
    bool asks_ack;   /* A */
    bool has_status; /* S: 'status', 'residual' and the pdu's stat_sn hold */
    uint8_t status;
    uint32_t data_sn;
    uint32_t buffer_offset;
    struct pdu_residual residual;
};

struct pdu_r2t { /* 11.8 */
    uint32_t r2t_sn;
    uint32_t buffer_offset;
    uint32_t desired_bytes; /* Desired Data Transfer Length */
};

struct pdu_async { /* 11.9 */
    uint8_t event; /* enum iscsi_async_event */
    uint8_t vendor_code;
    uint16_t parameter1;
    uint16_t parameter2;
    uint16_t parameter3;
};

struct pdu_text {   /* 11.10, 11.11 */
    bool continues; /* C: the keys go on in the next PDU of this direction; not together with F,
                       which the receiver of the text checks (11.10.2) */
};

struct pdu_login_request { /* 11.12 */
    bool transit;          /* T */
    bool continues;        /* C */
    uint8_t csg;           /* enum iscsi_stage */
    uint8_t nsg;
    uint8_t version_max;
    uint8_t version_min;
    uint8_t isid[PDU_ISID_BYTES];
    uint16_t tsih;
    uint16_t cid;
};

struct pdu_login_response { /* 11.13 */
    bool transit;
    bool continues;
    uint8_t csg;
    uint8_t nsg;
    uint8_t version_max;
    uint8_t version_active;
    uint8_t isid[PDU_ISID_BYTES];
    uint16_t tsih;
    uint8_t status_class;
    uint8_t status_detail;
};

struct pdu_logout_request { /* 11.14 */
    uint8_t reason;         /* enum iscsi_logout_reason */
    uint16_t cid;
};

struct pdu_logout_response { /* 11.15 */
    uint8_t response;        /* enum iscsi_logout_response */
    uint16_t time2wait_s;
    uint16_t time2retain_s;
};

struct pdu_snack { /* 11.16; the pdu's ttt is "Target Transfer Tag or SNACK Tag" */
    uint8_t type;  /* enum iscsi_snack_type */
    uint32_t beg_run;
    uint32_t run_length;
};

struct pdu_reject { /* 11.17; its data segment is the header of the rejected PDU */
    uint8_t reason; /* enum iscsi_reject_reason */
    uint32_t data_sn;
};

struct pdu {
    uint8_t opcode;      /* enum pdu_opcode once decoded with PDU_OK */
    bool is_immediate;   /* I; requests of the initiator only */
    bool is_final;       /* F of SCSI Command, Data-Out, Data-In and Text; where the bit is always
                            1 the encoder sets it; login has 'transit' in its place */
    uint8_t ahs_words;   /* TotalAHSLength */
    uint32_t data_bytes; /* DataSegmentLength; framer_encode() sets it from the data */
    uint64_t lun;        /* the 8 bytes of the LUN field as one number in network order */
    uint32_t itt;        /* Initiator Task Tag; the encoder sets PDU_NO_TAG in Async and Reject */
    uint32_t ttt;        /* Target Transfer Tag: NOP, Text, Data-Out, Data-In, R2T, SNACK */
    /* From the initiator. */
    uint32_t cmd_sn; /* of opcodes with PDU_HAS_CMD_SN */
    uint32_t exp_stat_sn;
    /* From the target. */
    uint32_t stat_sn; /* Data-In without status: reserved, 0 */
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;
    union {
        struct pdu_scsi_command command;
        struct pdu_scsi_response response;
        struct pdu_task_request task_request;
        struct pdu_task_response task_response;
        struct pdu_data_out data_out;
        struct pdu_data_in data_in;
        struct pdu_r2t r2t;
        struct pdu_async async;
        struct pdu_text text; /* request and response */
        struct pdu_login_request login_request;
        struct pdu_login_response login_response;
        struct pdu_logout_request logout_request;
        struct pdu_logout_response logout_response;
        struct pdu_snack snack;
        struct pdu_reject reject;
    };
};

/* What the decoder says. The numbers are the reasons of the Reject that the standard wants. */
enum pdu_outcome {
    PDU_OK = 0,
    PDU_BAD_OPCODE = ISCSI_REJECT_NOT_SUPPORTED,    /* only 'opcode' and what every PDU has is set:
                                                       I, F, lengths, itt */
    PDU_BAD_FIELD = ISCSI_REJECT_INVALID_PDU_FIELD, /* all is set; a value is not in the standard,
                                                       or a segment that this opcode cannot have */
};

/* Any 48 bytes; '*ret_pdu' is written whatever the outcome. */
MUST_CHECK enum pdu_outcome pdu_decode(const uint8_t header[PDU_HEADER_BYTES], struct pdu *ret_pdu);
/* The mirror image. The opcode is known and the values fit their fields. */
void pdu_encode(const struct pdu *pdu, uint8_t ret_header[PDU_HEADER_BYTES]);

/* The two lengths, for framing, before anything else is looked at. */
static inline uint32_t pdu_ahs_bytes(const uint8_t header[PDU_HEADER_BYTES])
{
    return header[4] * 4u;
}
static inline uint32_t pdu_itt(const uint8_t header[PDU_HEADER_BYTES])
{
    return get_be32(header + 16);
}
static inline uint32_t pdu_data_bytes(const uint8_t header[PDU_HEADER_BYTES])
{
    return (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 | header[7];
}
/* Where its data lies in that of the command: the Buffer Offset, or the start (11.3, 11.7). */
static inline uint32_t pdu_data_offset(const uint8_t header[PDU_HEADER_BYTES])
{
    uint8_t opcode = header[0] & 0x3f;

    return opcode == PDU_DATA_OUT || opcode == PDU_DATA_IN ? get_be32(header + 40) : 0;
}
/* Zero bytes that fill a segment up to whole words (11.2.3). */
static inline uint32_t pdu_padding_bytes(uint32_t bytes)
{
    return -bytes & 3u;
}

/* Facts about an opcode (6 bits). */
bool pdu_is_known(uint8_t opcode);
unsigned pdu_traits(uint8_t opcode);  /* of enum pdu_trait; 0 for unknown ones */
const char *pdu_name(uint8_t opcode); /* "SCSI Command"; "unknown opcode" */
static inline bool pdu_is_from_target(uint8_t opcode)
{
    return (opcode & 0x20) != 0; /* 11.2.1.2: initiator 00h to 1Fh, target 20h to 3Fh */
}

const char *iscsi_login_status_word(uint8_t status_class, uint8_t status_detail);
const char *iscsi_reject_reason_word(uint8_t reason);

/* Additional Header Segments of a SCSI Command (11.2.2). */
struct pdu_ahs {
    const uint8_t *extended_cdb; /* CDB from byte 16 on, borrowed; NULL: none */
    uint32_t extended_cdb_bytes;
    bool is_bidirectional;
    uint32_t read_expected_bytes; /* Bidirectional Expected Read-Data Length */
};
/* 'bytes' is pdu_ahs_bytes(). False: an AHS of unknown type, of a wrong length, twice, or cut off;
 * then Reject with "invalid PDU field". */
MUST_CHECK bool pdu_ahs_decode(const uint8_t *ahs, size_t bytes, struct pdu_ahs *ret_ahs);
/* Returns the bytes written, whole words; an extended CDB has at most PDU_CDB_MOST_BYTES - 16. */
size_t pdu_ahs_encode(const struct pdu_ahs *ahs, uint8_t ret_bytes[PDU_AHS_MOST_BYTES]);

/* LUN fields (SAM-5, 4.7): single level. Numbers below 256 in peripheral device addressing, up to
 * 16383 in flat space addressing. */
uint64_t pdu_lun_field(uint16_t lun_number);
/* False: a form that names no single-level logical unit. */
bool pdu_lun_number(uint64_t lun_field, uint16_t *ret_lun_number);
