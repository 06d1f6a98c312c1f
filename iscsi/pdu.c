/* The codec of the Basic Header Segment. What many opcodes share (LUN, tags, sequence numbers) is
 * described by layout flags; what an opcode has of its own is a pair of small functions that
 * mirror each other.
 */
#include "iscsi/pdu.h"

#include "sim/core/bytes.h"

#include <assert.h>
#include <string.h>

#define OPCODE_MASK 0x3f
#define I_BIT       0x40 /* byte 0 */
#define F_BIT       0x80 /* byte 1 */
#define C_BIT       0x40
#define R_BIT       0x40
#define W_BIT       0x20
#define A_BIT       0x40
#define S_BIT       0x01

/* Residual bits of byte 1 (11.4.1). */
#define OVERFLOW_BIT       0x04
#define UNDERFLOW_BIT      0x02
#define BIDI_OVERFLOW_BIT  0x10
#define BIDI_UNDERFLOW_BIT 0x08

enum layout {
    LUN = 1,       /* bytes 8 to 15 */
    TTT = 2,       /* bytes 20 to 23 */
    F_FREE = 4,    /* F may be 0 */
    F_NONE = 8,    /* byte 1 begins with T */
    ITT_NONE = 16, /* the reserved tag */
};

typedef enum pdu_outcome decode_fn(const uint8_t *header, struct pdu *pdu);
typedef void encode_fn(const struct pdu *pdu, uint8_t *header);

struct codec {
    const char *name;
    unsigned traits;   /* of enum pdu_trait */
    unsigned layout;   /* of enum layout */
    decode_fn *decode; /* NULL: nothing of its own */
    encode_fn *encode;
};

static enum pdu_outcome decode_command(const uint8_t *header, struct pdu *pdu)
{
    pdu->command.is_read = (header[1] & R_BIT) != 0;
    pdu->command.is_write = (header[1] & W_BIT) != 0;
    pdu->command.attribute = header[1] & 7;
    pdu->command.priority = header[2] >> 4;
    pdu->command.expected_bytes = get_be32(header + 20);
    memcpy(pdu->command.cdb, header + 32, PDU_CDB_BYTES);
    return pdu->command.attribute > ISCSI_ACA ? PDU_BAD_FIELD : PDU_OK;
}

static void encode_command(const struct pdu *pdu, uint8_t *header)
{
    header[1] |= (uint8_t)((pdu->command.is_read ? R_BIT : 0) |
                           (pdu->command.is_write ? W_BIT : 0) | (pdu->command.attribute & 7));
    header[2] = (uint8_t)(pdu->command.priority << 4);
    put_be32(header + 20, pdu->command.expected_bytes);
    memcpy(header + 32, pdu->command.cdb, PDU_CDB_BYTES);
}

static enum pdu_outcome decode_residual(const uint8_t *header, uint8_t overflow, uint8_t underflow,
                                        size_t at, struct pdu_residual *residual)
{
    residual->is_overflow = (header[1] & overflow) != 0;
    residual->is_underflow = (header[1] & underflow) != 0;
    residual->bytes = get_be32(header + at);
    return residual->is_overflow && residual->is_underflow ? PDU_BAD_FIELD : PDU_OK;
}

static void encode_residual(const struct pdu_residual *residual, uint8_t overflow,
                            uint8_t underflow, size_t at, uint8_t *header)
{
    header[1] |= (uint8_t)((residual->is_overflow ? overflow : 0) |
                           (residual->is_underflow ? underflow : 0));
    put_be32(header + at, residual->bytes);
}

static enum pdu_outcome decode_response(const uint8_t *header, struct pdu *pdu)
{
    pdu->response.response = header[2];
    pdu->response.status = header[3];
    pdu->response.status_qualifier = get_be16(header + 8);
    pdu->response.snack_tag = get_be32(header + 20);
    pdu->response.exp_data_sn = get_be32(header + 36);
    enum pdu_outcome bidi = decode_residual(header, BIDI_OVERFLOW_BIT, BIDI_UNDERFLOW_BIT, 40,
                                            &pdu->response.bidi_read_residual);
    enum pdu_outcome outcome =
        decode_residual(header, OVERFLOW_BIT, UNDERFLOW_BIT, 44, &pdu->response.residual);
    return outcome == PDU_OK ? bidi : outcome;
}

static void encode_response(const struct pdu *pdu, uint8_t *header)
{
    header[2] = pdu->response.response;
    header[3] = pdu->response.status;
    put_be16(header + 8, pdu->response.status_qualifier);
    put_be32(header + 20, pdu->response.snack_tag);
    put_be32(header + 36, pdu->response.exp_data_sn);
    encode_residual(&pdu->response.bidi_read_residual, BIDI_OVERFLOW_BIT, BIDI_UNDERFLOW_BIT, 40,
                    header);
    encode_residual(&pdu->response.residual, OVERFLOW_BIT, UNDERFLOW_BIT, 44, header);
}

static enum pdu_outcome decode_task_request(const uint8_t *header, struct pdu *pdu)
{
    pdu->task_request.function = header[1] & 0x7f;
    pdu->task_request.ref_task_tag = get_be32(header + 20);
    pdu->task_request.ref_cmd_sn = get_be32(header + 32);
    pdu->task_request.exp_data_sn = get_be32(header + 36);
    return PDU_OK; /* an unknown function is answered, not rejected (11.6.1) */
}

static void encode_task_request(const struct pdu *pdu, uint8_t *header)
{
    header[1] |= pdu->task_request.function & 0x7f;
    put_be32(header + 20, pdu->task_request.ref_task_tag);
    put_be32(header + 32, pdu->task_request.ref_cmd_sn);
    put_be32(header + 36, pdu->task_request.exp_data_sn);
}

static enum pdu_outcome decode_task_response(const uint8_t *header, struct pdu *pdu)
{
    pdu->task_response.response = header[2];
    memcpy(pdu->task_response.additional, header + 8, sizeof(pdu->task_response.additional));
    return PDU_OK;
}

static void encode_task_response(const struct pdu *pdu, uint8_t *header)
{
    header[2] = pdu->task_response.response;
    memcpy(header + 8, pdu->task_response.additional, sizeof(pdu->task_response.additional));
}

static enum pdu_outcome decode_data_out(const uint8_t *header, struct pdu *pdu)
{
    pdu->data_out.data_sn = get_be32(header + 36);
    pdu->data_out.buffer_offset = get_be32(header + 40);
    return PDU_OK;
}

static void encode_data_out(const struct pdu *pdu, uint8_t *header)
{
    put_be32(header + 36, pdu->data_out.data_sn);
    put_be32(header + 40, pdu->data_out.buffer_offset);
}

/* StatSN, status and residual are there with S only, and S goes with F (11.7.3, 11.7.4). */
static enum pdu_outcome decode_data_in(const uint8_t *header, struct pdu *pdu)
{
    struct pdu_data_in *data_in = &pdu->data_in;

    data_in->asks_ack = (header[1] & A_BIT) != 0;
    data_in->has_status = (header[1] & S_BIT) != 0;
    data_in->data_sn = get_be32(header + 36);
    data_in->buffer_offset = get_be32(header + 40);
    if (!data_in->has_status) {
        pdu->stat_sn = 0;
        return PDU_OK;
    }
    data_in->status = header[3];
    enum pdu_outcome outcome =
        decode_residual(header, OVERFLOW_BIT, UNDERFLOW_BIT, 44, &data_in->residual);

    return pdu->is_final ? outcome : PDU_BAD_FIELD;
}

static void encode_data_in(const struct pdu *pdu, uint8_t *header)
{
    const struct pdu_data_in *data_in = &pdu->data_in;

    header[1] |= data_in->asks_ack ? A_BIT : 0;
    put_be32(header + 36, data_in->data_sn);
    put_be32(header + 40, data_in->buffer_offset);
    if (!data_in->has_status) {
        put_be32(header + 24, 0);
        return;
    }
    header[1] |= S_BIT;
    header[3] = data_in->status;
    encode_residual(&data_in->residual, OVERFLOW_BIT, UNDERFLOW_BIT, 44, header);
}

static enum pdu_outcome decode_r2t(const uint8_t *header, struct pdu *pdu)
{
    pdu->r2t.r2t_sn = get_be32(header + 36);
    pdu->r2t.buffer_offset = get_be32(header + 40);
    pdu->r2t.desired_bytes = get_be32(header + 44);
    return PDU_OK;
}

static void encode_r2t(const struct pdu *pdu, uint8_t *header)
{
    put_be32(header + 36, pdu->r2t.r2t_sn);
    put_be32(header + 40, pdu->r2t.buffer_offset);
    put_be32(header + 44, pdu->r2t.desired_bytes);
}

static enum pdu_outcome decode_async(const uint8_t *header, struct pdu *pdu)
{
    pdu->async.event = header[36];
    pdu->async.vendor_code = header[37];
    pdu->async.parameter1 = get_be16(header + 38);
    pdu->async.parameter2 = get_be16(header + 40);
    pdu->async.parameter3 = get_be16(header + 42);
    return PDU_OK;
}

static void encode_async(const struct pdu *pdu, uint8_t *header)
{
    header[36] = pdu->async.event;
    header[37] = pdu->async.vendor_code;
    put_be16(header + 38, pdu->async.parameter1);
    put_be16(header + 40, pdu->async.parameter2);
    put_be16(header + 42, pdu->async.parameter3);
}

static enum pdu_outcome decode_text(const uint8_t *header, struct pdu *pdu)
{
    pdu->text.continues = (header[1] & C_BIT) != 0;
    return PDU_OK;
}

static void encode_text(const struct pdu *pdu, uint8_t *header)
{
    header[1] |= pdu->text.continues ? C_BIT : 0;
}

static enum pdu_outcome decode_login_request(const uint8_t *header, struct pdu *pdu)
{
    struct pdu_login_request *login = &pdu->login_request;

    *login = (struct pdu_login_request){
        .transit = (header[1] & F_BIT) != 0,
        .continues = (header[1] & C_BIT) != 0,
        .csg = header[1] >> 2 & 3,
        .nsg = header[1] & 3,
        .version_max = header[2],
        .version_min = header[3],
        .tsih = get_be16(header + 14),
        .cid = get_be16(header + 20),
    };
    memcpy(login->isid, header + 8, PDU_ISID_BYTES);
    return PDU_OK;
}

static uint8_t login_flags(bool transit, bool continues, uint8_t csg, uint8_t nsg)
{
    return (uint8_t)((transit ? F_BIT : 0) | (continues ? C_BIT : 0) | (csg & 3) << 2 | (nsg & 3));
}

static void encode_login_request(const struct pdu *pdu, uint8_t *header)
{
    const struct pdu_login_request *login = &pdu->login_request;

    header[1] = login_flags(login->transit, login->continues, login->csg, login->nsg);
    header[2] = login->version_max;
    header[3] = login->version_min;
    memcpy(header + 8, login->isid, PDU_ISID_BYTES);
    put_be16(header + 14, login->tsih);
    put_be16(header + 20, login->cid);
}

static enum pdu_outcome decode_login_response(const uint8_t *header, struct pdu *pdu)
{
    struct pdu_login_response *login = &pdu->login_response;

    *login = (struct pdu_login_response){
        .transit = (header[1] & F_BIT) != 0,
        .continues = (header[1] & C_BIT) != 0,
        .csg = header[1] >> 2 & 3,
        .nsg = header[1] & 3,
        .version_max = header[2],
        .version_active = header[3],
        .tsih = get_be16(header + 14),
        .status_class = header[36],
        .status_detail = header[37],
    };
    memcpy(login->isid, header + 8, PDU_ISID_BYTES);
    return PDU_OK;
}

static void encode_login_response(const struct pdu *pdu, uint8_t *header)
{
    const struct pdu_login_response *login = &pdu->login_response;

    header[1] = login_flags(login->transit, login->continues, login->csg, login->nsg);
    header[2] = login->version_max;
    header[3] = login->version_active;
    memcpy(header + 8, login->isid, PDU_ISID_BYTES);
    put_be16(header + 14, login->tsih);
    header[36] = login->status_class;
    header[37] = login->status_detail;
}

static enum pdu_outcome decode_logout_request(const uint8_t *header, struct pdu *pdu)
{
    pdu->logout_request.reason = header[1] & 0x7f;
    pdu->logout_request.cid = get_be16(header + 20);
    return pdu->logout_request.reason > ISCSI_LOGOUT_REMOVE_FOR_RECOVERY ? PDU_BAD_FIELD : PDU_OK;
}

static void encode_logout_request(const struct pdu *pdu, uint8_t *header)
{
    header[1] |= pdu->logout_request.reason & 0x7f;
    put_be16(header + 20, pdu->logout_request.cid);
}

static enum pdu_outcome decode_logout_response(const uint8_t *header, struct pdu *pdu)
{
    pdu->logout_response.response = header[2];
    pdu->logout_response.time2wait_s = get_be16(header + 40);
    pdu->logout_response.time2retain_s = get_be16(header + 42);
    return PDU_OK;
}

static void encode_logout_response(const struct pdu *pdu, uint8_t *header)
{
    header[2] = pdu->logout_response.response;
    put_be16(header + 40, pdu->logout_response.time2wait_s);
    put_be16(header + 42, pdu->logout_response.time2retain_s);
}

static enum pdu_outcome decode_snack(const uint8_t *header, struct pdu *pdu)
{
    pdu->snack.type = header[1] & 0x0f;
    pdu->snack.beg_run = get_be32(header + 40);
    pdu->snack.run_length = get_be32(header + 44);
    return pdu->snack.type > ISCSI_SNACK_R_DATA ? PDU_BAD_FIELD : PDU_OK;
}

static void encode_snack(const struct pdu *pdu, uint8_t *header)
{
    header[1] |= pdu->snack.type & 0x0f;
    put_be32(header + 40, pdu->snack.beg_run);
    put_be32(header + 44, pdu->snack.run_length);
}

static enum pdu_outcome decode_reject(const uint8_t *header, struct pdu *pdu)
{
    pdu->reject.reason = header[2];
    pdu->reject.data_sn = get_be32(header + 36);
    return PDU_OK;
}

static void encode_reject(const struct pdu *pdu, uint8_t *header)
{
    header[2] = pdu->reject.reason;
    put_be32(header + 36, pdu->reject.data_sn);
}

/* By opcode; what is not listed has no name. The names and traits are those of PDU_OPCODES. */
#define PDU_NOP_OUT_LAYOUT         LUN | TTT, NULL, NULL
#define PDU_SCSI_COMMAND_LAYOUT    LUN | F_FREE, decode_command, encode_command
#define PDU_TASK_REQUEST_LAYOUT    LUN, decode_task_request, encode_task_request
#define PDU_LOGIN_REQUEST_LAYOUT   F_NONE, decode_login_request, encode_login_request
#define PDU_TEXT_REQUEST_LAYOUT    LUN | TTT | F_FREE, decode_text, encode_text
#define PDU_DATA_OUT_LAYOUT        LUN | TTT | F_FREE, decode_data_out, encode_data_out
#define PDU_LOGOUT_REQUEST_LAYOUT  0, decode_logout_request, encode_logout_request
#define PDU_SNACK_LAYOUT           LUN | TTT, decode_snack, encode_snack
#define PDU_NOP_IN_LAYOUT          LUN | TTT, NULL, NULL
#define PDU_SCSI_RESPONSE_LAYOUT   0, decode_response, encode_response
#define PDU_TASK_RESPONSE_LAYOUT   0, decode_task_response, encode_task_response
#define PDU_LOGIN_RESPONSE_LAYOUT  F_NONE, decode_login_response, encode_login_response
#define PDU_TEXT_RESPONSE_LAYOUT   LUN | TTT | F_FREE, decode_text, encode_text
#define PDU_DATA_IN_LAYOUT         LUN | TTT | F_FREE, decode_data_in, encode_data_in
#define PDU_LOGOUT_RESPONSE_LAYOUT 0, decode_logout_response, encode_logout_response
#define PDU_R2T_LAYOUT             LUN | TTT, decode_r2t, encode_r2t
#define PDU_ASYNC_LAYOUT           LUN | ITT_NONE, decode_async, encode_async
#define PDU_REJECT_LAYOUT          ITT_NONE, decode_reject, encode_reject

static const struct codec codecs[OPCODE_MASK + 1] = {
#define X(opcode, code, traits, name) [code] = {name, traits, opcode##_LAYOUT},
    PDU_OPCODES(X)
#undef X
};

enum pdu_outcome pdu_decode(const uint8_t header[PDU_HEADER_BYTES], struct pdu *ret_pdu)
{
    uint8_t opcode = header[0] & OPCODE_MASK;
    const struct codec *codec = &codecs[opcode];
    struct pdu *pdu = ret_pdu;

    *pdu = (struct pdu){
        .opcode = opcode,
        .is_immediate = (header[0] & I_BIT) != 0,
        .is_final = (header[1] & F_BIT) != 0,
        .ahs_words = header[4],
        .data_bytes = pdu_data_bytes(header),
        .itt = get_be32(header + 16),
    };
    if (!codec->name)
        return PDU_BAD_OPCODE;

    if (!(codec->traits & PDU_MAY_BE_IMMEDIATE))
        pdu->is_immediate = false;
    if (codec->layout & F_NONE)
        pdu->is_final = false;
    if (codec->layout & LUN)
        pdu->lun = get_be64(header + 8);
    if (codec->layout & TTT)
        pdu->ttt = get_be32(header + 20);
    if (codec->traits & PDU_FROM_TARGET) {
        pdu->stat_sn = get_be32(header + 24);
        pdu->exp_cmd_sn = get_be32(header + 28);
        pdu->max_cmd_sn = get_be32(header + 32);
    } else {
        pdu->cmd_sn = codec->traits & PDU_HAS_CMD_SN ? get_be32(header + 24) : 0;
        pdu->exp_stat_sn = get_be32(header + 28);
    }
    enum pdu_outcome outcome = codec->decode ? codec->decode(header, pdu) : PDU_OK;

    if (pdu->ahs_words > 0 && !(codec->traits & PDU_HAS_AHS))
        return PDU_BAD_FIELD;
    if (pdu->data_bytes > 0 && !(codec->traits & PDU_HAS_DATA))
        return PDU_BAD_FIELD;
    return outcome;
}

void pdu_encode(const struct pdu *pdu, uint8_t ret_header[PDU_HEADER_BYTES])
{
    assert(pdu_is_known(pdu->opcode));
    assert(pdu->data_bytes <= PDU_DATA_MOST);
    const struct codec *codec = &codecs[pdu->opcode];
    uint8_t *header = ret_header;

    memset(header, 0, PDU_HEADER_BYTES);
    header[0] = (uint8_t)(pdu->opcode |
                          (pdu->is_immediate && codec->traits & PDU_MAY_BE_IMMEDIATE ? I_BIT : 0));
    if (!(codec->layout & F_FREE) || pdu->is_final)
        header[1] = F_BIT;
    header[4] = pdu->ahs_words;
    put_be24(header + 5, pdu->data_bytes);
    if (codec->layout & LUN)
        put_be64(header + 8, pdu->lun);
    put_be32(header + 16, codec->layout & ITT_NONE ? PDU_NO_TAG : pdu->itt);
    if (codec->layout & TTT)
        put_be32(header + 20, pdu->ttt);
    if (codec->traits & PDU_FROM_TARGET) {
        put_be32(header + 24, pdu->stat_sn);
        put_be32(header + 28, pdu->exp_cmd_sn);
        put_be32(header + 32, pdu->max_cmd_sn);
    } else {
        if (codec->traits & PDU_HAS_CMD_SN)
            put_be32(header + 24, pdu->cmd_sn);
        put_be32(header + 28, pdu->exp_stat_sn);
    }
    if (codec->encode)
        codec->encode(pdu, header);
}

bool pdu_is_known(uint8_t opcode)
{
    return opcode <= OPCODE_MASK && codecs[opcode].name;
}

unsigned pdu_traits(uint8_t opcode)
{
    return opcode <= OPCODE_MASK ? codecs[opcode].traits : 0;
}

const char *pdu_name(uint8_t opcode)
{
    return pdu_is_known(opcode) ? codecs[opcode].name : "unknown opcode";
}

struct code_word {
    unsigned code;
    const char *word;
};

static const struct code_word login_statuses[] = {
#define X(name, code, text) {code, text},
    ISCSI_LOGIN_STATUSES(X)
#undef X
};

static const struct code_word reject_reasons[] = {
#define X(name, code, text) {code, text},
    ISCSI_REJECT_REASONS(X)
#undef X
};

static const char *find_word(const struct code_word *words, size_t count, unsigned code,
                             const char *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].code == code)
            return words[i].word;
    }
    return otherwise;
}

const char *iscsi_login_status_word(uint8_t status_class, uint8_t status_detail)
{
    return find_word(login_statuses, ARRAY_SIZE(login_statuses),
                     (unsigned)status_class << 8 | status_detail, "login status unknown");
}

const char *iscsi_reject_reason_word(uint8_t reason)
{
    return find_word(reject_reasons, ARRAY_SIZE(reject_reasons), reason, "reject reason unknown");
}

/* AHSLength 2, AHSType 1, then AHSLength bytes that begin with a reserved one (11.2.2). */
#define AHS_EXTENDED_CDB 1
#define AHS_BIDI_LENGTH  2
#define AHS_HEAD_BYTES   3u

bool pdu_ahs_decode(const uint8_t *ahs, size_t bytes, struct pdu_ahs *ret_ahs)
{
    struct pdu_ahs found = {0};

    for (size_t at = 0; at < bytes;) {
        if (bytes - at < 4)
            return false;
        size_t length = get_be16(ahs + at);
        size_t whole = (AHS_HEAD_BYTES + length + 3) & ~(size_t)3;
        const uint8_t *content = ahs + at + AHS_HEAD_BYTES + 1;

        if (length < 2 || whole > bytes - at)
            return false;
        switch (ahs[at + 2]) {
        case AHS_EXTENDED_CDB:
            if (found.extended_cdb || length - 1 > PDU_CDB_MOST_BYTES - PDU_CDB_BYTES)
                return false;
            found.extended_cdb = content;
            found.extended_cdb_bytes = (uint32_t)length - 1;
            break;
        case AHS_BIDI_LENGTH:
            if (found.is_bidirectional || length != 5)
                return false;
            found.is_bidirectional = true;
            found.read_expected_bytes = get_be32(content);
            break;
        default:
            return false;
        }
        at += whole;
    }
    *ret_ahs = found;
    return true;
}

size_t pdu_ahs_encode(const struct pdu_ahs *ahs, uint8_t ret_bytes[PDU_AHS_MOST_BYTES])
{
    size_t at = 0;

    assert(ahs->extended_cdb_bytes <= PDU_CDB_MOST_BYTES - PDU_CDB_BYTES);
    if (ahs->extended_cdb_bytes > 0) {
        size_t whole = (AHS_HEAD_BYTES + 1 + ahs->extended_cdb_bytes + 3) & ~(size_t)3;

        memset(ret_bytes, 0, whole);
        put_be16(ret_bytes, (uint16_t)(ahs->extended_cdb_bytes + 1));
        ret_bytes[2] = AHS_EXTENDED_CDB;
        memcpy(ret_bytes + 4, ahs->extended_cdb, ahs->extended_cdb_bytes);
        at = whole;
    }
    if (ahs->is_bidirectional) {
        put_be16(ret_bytes + at, 5);
        ret_bytes[at + 2] = AHS_BIDI_LENGTH;
        ret_bytes[at + 3] = 0;
        put_be32(ret_bytes + at + 4, ahs->read_expected_bytes);
        at += 8;
    }
    return at;
}

/* Address methods, the two highest bits of the field (SAM-5, 4.7.7). */
#define LUN_PERIPHERAL 0u
#define LUN_FLAT       1u

uint64_t pdu_lun_field(uint16_t lun_number)
{
    assert(lun_number < 1u << 14);
    uint64_t method = lun_number < 256 ? LUN_PERIPHERAL : LUN_FLAT;

    return (method << 14 | lun_number) << 48;
}

bool pdu_lun_number(uint64_t lun_field, uint16_t *ret_lun_number)
{
    uint64_t method = lun_field >> 62;
    uint16_t number = (uint16_t)(lun_field >> 48 & 0x3fff);

    if (lun_field & 0xffffffffffffu) /* further levels */
        return false;
    if (method == LUN_FLAT || (method == LUN_PERIPHERAL && number < 256)) { /* bus 0 */
        *ret_lun_number = number;
        return true;
    }
    return false;
}
