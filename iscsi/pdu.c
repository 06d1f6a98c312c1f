/* iSCSI PDUs: the 48 bytes and what they mean. */
#include "iscsi/pdu.h"

#include <assert.h>
#include <string.h>

#define IMMEDIATE_BIT 0x40u
#define OPCODE_MASK   0x3fu
#define FINAL_BIT     0x80u

struct opcode_row {
    const char *name;
    bool is_from_target;
    bool may_be_immediate;
};

static const struct opcode_row opcodes[64] = {
#define X(name, code, words, from_target, immediate) [code] = {words, from_target, immediate},
    PDU_OPCODES(X)
#undef X
};

const char *pdu_opcode_name(uint8_t opcode)
{
    return pdu_opcode_is_known(opcode) ? opcodes[opcode].name : "unknown opcode";
}

bool pdu_opcode_is_known(uint8_t opcode)
{
    return opcode < 64 && opcodes[opcode].name;
}

bool pdu_opcode_is_from_target(uint8_t opcode)
{
    return pdu_opcode_is_known(opcode) && opcodes[opcode].is_from_target;
}

/* Decoding: the fields that PDUs share, then those of each kind. */

static void get_request_numbers(const uint8_t *h, struct pdu *pdu)
{
    pdu->cmd_sn = get_be32(h + 24);
    pdu->exp_stat_sn = get_be32(h + 28);
}

static void get_response_numbers(const uint8_t *h, struct pdu *pdu)
{
    pdu->stat_sn = get_be32(h + 24);
    pdu->exp_cmd_sn = get_be32(h + 28);
    pdu->max_cmd_sn = get_be32(h + 32);
}

static enum pdu_decoded get_command(const uint8_t *h, struct pdu *pdu)
{
    pdu->command.reads = h[1] & 0x40;
    pdu->command.writes = h[1] & 0x20;
    pdu->command.attribute = h[1] & 0x07;
    pdu->command.expected_bytes = get_be32(h + 20);
    memcpy(pdu->command.cdb, h + 32, sizeof(pdu->command.cdb));
    get_request_numbers(h, pdu);
    return pdu->command.attribute <= ATTRIBUTE_ACA ? PDU_GOOD : PDU_BAD_FIELD;
}

static enum pdu_decoded get_response(const uint8_t *h, struct pdu *pdu)
{
    pdu->response.is_bidi_overflow = h[1] & 0x10;
    pdu->response.is_bidi_underflow = h[1] & 0x08;
    pdu->response.is_overflow = h[1] & 0x04;
    pdu->response.is_underflow = h[1] & 0x02;
    pdu->response.response = h[2];
    pdu->response.status = h[3];
    pdu->response.snack_tag = get_be32(h + 20);
    pdu->response.exp_data_sn = get_be32(h + 36);
    pdu->response.bidi_residual_bytes = get_be32(h + 40);
    pdu->response.residual_bytes = get_be32(h + 44);
    get_response_numbers(h, pdu);
    return pdu->response.is_overflow && pdu->response.is_underflow ? PDU_BAD_FIELD : PDU_GOOD;
}

static enum pdu_decoded get_data_out(const uint8_t *h, struct pdu *pdu)
{
    pdu->transfer_tag = get_be32(h + 20);
    pdu->exp_stat_sn = get_be32(h + 28);
    pdu->data.data_sn = get_be32(h + 36);
    pdu->data.buffer_offset = get_be32(h + 40);
    return PDU_GOOD;
}

static enum pdu_decoded get_data_in(const uint8_t *h, struct pdu *pdu)
{
    pdu->data.acknowledge = h[1] & 0x40;
    pdu->data.is_overflow = h[1] & 0x04;
    pdu->data.is_underflow = h[1] & 0x02;
    pdu->data.has_status = h[1] & 0x01;
    pdu->data.status = h[3];
    pdu->transfer_tag = get_be32(h + 20);
    pdu->data.data_sn = get_be32(h + 36);
    pdu->data.buffer_offset = get_be32(h + 40);
    pdu->data.residual_bytes = get_be32(h + 44);
    get_response_numbers(h, pdu);
    /* Status comes with the last Data-In only (11.7.3). */
    if (pdu->data.has_status && !pdu->is_final)
        return PDU_BAD_FIELD;
    return pdu->data.is_overflow && pdu->data.is_underflow ? PDU_BAD_FIELD : PDU_GOOD;
}

static enum pdu_decoded get_login(const uint8_t *h, struct pdu *pdu)
{
    pdu->login.transits = h[1] & 0x80;
    pdu->login.continues = h[1] & 0x40;
    pdu->login.current_stage = h[1] >> 2 & 3;
    pdu->login.next_stage = h[1] & 3;
    pdu->login.version_max = h[2];
    pdu->login.version = h[3];
    memcpy(pdu->login.isid, h + 8, PDU_ISID_BYTES);
    pdu->login.tsih = get_be16(h + 14);
    if (pdu->opcode == PDU_LOGIN_REQUEST) {
        pdu->login.cid = get_be16(h + 20);
        get_request_numbers(h, pdu);
    } else {
        get_response_numbers(h, pdu);
        pdu->login.status = get_be16(h + 36);
    }
    return PDU_GOOD; /* stages are the login's to judge: it answers with a status */
}

static enum pdu_decoded get_task(const uint8_t *h, struct pdu *pdu)
{
    if (pdu->opcode == PDU_TASK_RESPONSE) {
        pdu->task_response.response = h[2];
        get_response_numbers(h, pdu);
        return PDU_GOOD;
    }
    pdu->task_request.function = h[1] & 0x7f;
    pdu->task_request.referenced_tag = get_be32(h + 20);
    pdu->task_request.ref_cmd_sn = get_be32(h + 32);
    pdu->task_request.exp_data_sn = get_be32(h + 36);
    get_request_numbers(h, pdu);
    return PDU_GOOD;
}

static enum pdu_decoded get_text(const uint8_t *h, struct pdu *pdu)
{
    pdu->text.continues = h[1] & 0x40;
    pdu->transfer_tag = get_be32(h + 20);
    if (pdu->opcode == PDU_TEXT_REQUEST)
        get_request_numbers(h, pdu);
    else
        get_response_numbers(h, pdu);
    /* A text that continues is not final (11.10.2). */
    return pdu->text.continues && pdu->is_final ? PDU_BAD_FIELD : PDU_GOOD;
}

static enum pdu_decoded get_logout(const uint8_t *h, struct pdu *pdu)
{
    if (pdu->opcode == PDU_LOGOUT_REQUEST) {
        pdu->logout.reason = h[1] & 0x7f;
        pdu->logout.cid = get_be16(h + 20);
        get_request_numbers(h, pdu);
        return pdu->logout.reason <= LOGOUT_REMOVE_FOR_RECOVERY ? PDU_GOOD : PDU_BAD_FIELD;
    }
    pdu->logout.response = h[2];
    pdu->logout.time2wait_s = get_be16(h + 40);
    pdu->logout.time2retain_s = get_be16(h + 42);
    get_response_numbers(h, pdu);
    return PDU_GOOD;
}

static enum pdu_decoded get_nop(const uint8_t *h, struct pdu *pdu)
{
    pdu->transfer_tag = get_be32(h + 20);
    if (pdu->opcode == PDU_NOP_OUT)
        get_request_numbers(h, pdu);
    else
        get_response_numbers(h, pdu);
    return PDU_GOOD;
}

static enum pdu_decoded get_r2t(const uint8_t *h, struct pdu *pdu)
{
    pdu->transfer_tag = get_be32(h + 20);
    pdu->r2t.r2t_sn = get_be32(h + 36);
    pdu->r2t.buffer_offset = get_be32(h + 40);
    pdu->r2t.desired_bytes = get_be32(h + 44);
    get_response_numbers(h, pdu);
    return pdu->r2t.desired_bytes > 0 ? PDU_GOOD : PDU_BAD_FIELD;
}

static enum pdu_decoded get_snack(const uint8_t *h, struct pdu *pdu)
{
    pdu->snack.type = h[1] & 0x0f;
    pdu->transfer_tag = get_be32(h + 20);
    pdu->exp_stat_sn = get_be32(h + 28);
    pdu->snack.begin_run = get_be32(h + 40);
    pdu->snack.run_length = get_be32(h + 44);
    return PDU_GOOD;
}

static enum pdu_decoded get_async(const uint8_t *h, struct pdu *pdu)
{
    get_response_numbers(h, pdu);
    pdu->async.event = h[36];
    pdu->async.vendor_code = h[37];
    pdu->async.parameter1 = get_be16(h + 38);
    pdu->async.parameter2 = get_be16(h + 40);
    pdu->async.parameter3 = get_be16(h + 42);
    return PDU_GOOD;
}

static enum pdu_decoded get_reject(const uint8_t *h, struct pdu *pdu)
{
    pdu->reject.reason = h[2];
    pdu->reject.data_sn = get_be32(h + 36);
    get_response_numbers(h, pdu);
    return PDU_GOOD;
}

enum pdu_decoded pdu_decode(const uint8_t header[PDU_HEADER_BYTES], struct pdu *ret_pdu)
{
    struct pdu *pdu = ret_pdu;

    memset(pdu, 0, sizeof(*pdu));
    pdu->opcode = header[0] & OPCODE_MASK;
    pdu->is_immediate = header[0] & IMMEDIATE_BIT;
    pdu->is_final = header[1] & FINAL_BIT;
    pdu->ahs_bytes = (uint16_t)(header[4] * 4);
    pdu->data_bytes = get_be24(header + 5);
    pdu->lun = get_be64(header + 8);
    pdu->task_tag = get_be32(header + 16);
    if (!pdu_opcode_is_known(pdu->opcode))
        return PDU_UNKNOWN_OPCODE;

    switch ((enum pdu_opcode)pdu->opcode) {
    case PDU_NOP_OUT:
    case PDU_NOP_IN:
        return get_nop(header, pdu);
    case PDU_SCSI_COMMAND:
        return get_command(header, pdu);
    case PDU_SCSI_RESPONSE:
        return get_response(header, pdu);
    case PDU_TASK_REQUEST:
    case PDU_TASK_RESPONSE:
        return get_task(header, pdu);
    case PDU_LOGIN_REQUEST:
    case PDU_LOGIN_RESPONSE:
        return get_login(header, pdu);
    case PDU_TEXT_REQUEST:
    case PDU_TEXT_RESPONSE:
        return get_text(header, pdu);
    case PDU_DATA_OUT:
        return get_data_out(header, pdu);
    case PDU_DATA_IN:
        return get_data_in(header, pdu);
    case PDU_LOGOUT_REQUEST:
    case PDU_LOGOUT_RESPONSE:
        return get_logout(header, pdu);
    case PDU_SNACK:
        return get_snack(header, pdu);
    case PDU_R2T:
        return get_r2t(header, pdu);
    case PDU_ASYNC:
        return get_async(header, pdu);
    case PDU_REJECT:
        return get_reject(header, pdu);
    }
    return PDU_UNKNOWN_OPCODE;
}

/* Encoding: the mirror image. 'h' is zeroed and has the fields that all PDUs share. */

static void put_request_numbers(const struct pdu *pdu, uint8_t *h)
{
    put_be32(h + 24, pdu->cmd_sn);
    put_be32(h + 28, pdu->exp_stat_sn);
}

static void put_response_numbers(const struct pdu *pdu, uint8_t *h)
{
    put_be32(h + 24, pdu->stat_sn);
    put_be32(h + 28, pdu->exp_cmd_sn);
    put_be32(h + 32, pdu->max_cmd_sn);
}

static uint8_t bit(bool is_set, uint8_t mask)
{
    return is_set ? mask : 0;
}

static void put_command(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= bit(pdu->command.reads, 0x40) | bit(pdu->command.writes, 0x20) |
            (pdu->command.attribute & 7);
    put_be32(h + 20, pdu->command.expected_bytes);
    memcpy(h + 32, pdu->command.cdb, sizeof(pdu->command.cdb));
    put_request_numbers(pdu, h);
}

static void put_response(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT | bit(pdu->response.is_bidi_overflow, 0x10) |
            bit(pdu->response.is_bidi_underflow, 0x08) | bit(pdu->response.is_overflow, 0x04) |
            bit(pdu->response.is_underflow, 0x02);
    h[2] = pdu->response.response;
    h[3] = pdu->response.status;
    put_be32(h + 20, pdu->response.snack_tag);
    put_response_numbers(pdu, h);
    put_be32(h + 36, pdu->response.exp_data_sn);
    put_be32(h + 40, pdu->response.bidi_residual_bytes);
    put_be32(h + 44, pdu->response.residual_bytes);
}

static void put_data_out(const struct pdu *pdu, uint8_t *h)
{
    put_be32(h + 20, pdu->transfer_tag);
    put_be32(h + 28, pdu->exp_stat_sn);
    put_be32(h + 36, pdu->data.data_sn);
    put_be32(h + 40, pdu->data.buffer_offset);
}

static void put_data_in(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= bit(pdu->data.acknowledge, 0x40) | bit(pdu->data.is_overflow, 0x04) |
            bit(pdu->data.is_underflow, 0x02) | bit(pdu->data.has_status, 0x01);
    h[3] = pdu->data.status;
    put_be32(h + 20, pdu->transfer_tag);
    put_response_numbers(pdu, h);
    put_be32(h + 36, pdu->data.data_sn);
    put_be32(h + 40, pdu->data.buffer_offset);
    put_be32(h + 44, pdu->data.residual_bytes);
}

static void put_login(const struct pdu *pdu, uint8_t *h)
{
    h[1] = (uint8_t)(bit(pdu->login.transits, 0x80) | bit(pdu->login.continues, 0x40) |
                     (pdu->login.current_stage & 3) << 2 | (pdu->login.next_stage & 3));
    h[2] = pdu->login.version_max;
    h[3] = pdu->login.version;
    memcpy(h + 8, pdu->login.isid, PDU_ISID_BYTES);
    put_be16(h + 14, pdu->login.tsih);
    if (pdu->opcode == PDU_LOGIN_REQUEST) {
        put_be16(h + 20, pdu->login.cid);
        put_request_numbers(pdu, h);
    } else {
        put_response_numbers(pdu, h);
        put_be16(h + 36, pdu->login.status);
    }
}

static void put_task(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    if (pdu->opcode == PDU_TASK_RESPONSE) {
        h[2] = pdu->task_response.response;
        put_response_numbers(pdu, h);
        return;
    }
    h[1] |= pdu->task_request.function & 0x7f;
    put_be32(h + 20, pdu->task_request.referenced_tag);
    put_request_numbers(pdu, h);
    put_be32(h + 32, pdu->task_request.ref_cmd_sn);
    put_be32(h + 36, pdu->task_request.exp_data_sn);
}

static void put_text(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= bit(pdu->text.continues, 0x40);
    put_be32(h + 20, pdu->transfer_tag);
    if (pdu->opcode == PDU_TEXT_REQUEST)
        put_request_numbers(pdu, h);
    else
        put_response_numbers(pdu, h);
}

static void put_logout(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    if (pdu->opcode == PDU_LOGOUT_REQUEST) {
        h[1] |= pdu->logout.reason & 0x7f;
        put_be16(h + 20, pdu->logout.cid);
        put_request_numbers(pdu, h);
        return;
    }
    h[2] = pdu->logout.response;
    put_response_numbers(pdu, h);
    put_be16(h + 40, pdu->logout.time2wait_s);
    put_be16(h + 42, pdu->logout.time2retain_s);
}

static void put_nop(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    put_be32(h + 20, pdu->transfer_tag);
    if (pdu->opcode == PDU_NOP_OUT)
        put_request_numbers(pdu, h);
    else
        put_response_numbers(pdu, h);
}

static void put_r2t(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    put_be32(h + 20, pdu->transfer_tag);
    put_response_numbers(pdu, h);
    put_be32(h + 36, pdu->r2t.r2t_sn);
    put_be32(h + 40, pdu->r2t.buffer_offset);
    put_be32(h + 44, pdu->r2t.desired_bytes);
}

static void put_snack(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT | (pdu->snack.type & 0x0f);
    put_be32(h + 20, pdu->transfer_tag);
    put_be32(h + 28, pdu->exp_stat_sn);
    put_be32(h + 40, pdu->snack.begin_run);
    put_be32(h + 44, pdu->snack.run_length);
}

static void put_async(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    put_response_numbers(pdu, h);
    h[36] = pdu->async.event;
    h[37] = pdu->async.vendor_code;
    put_be16(h + 38, pdu->async.parameter1);
    put_be16(h + 40, pdu->async.parameter2);
    put_be16(h + 42, pdu->async.parameter3);
}

static void put_reject(const struct pdu *pdu, uint8_t *h)
{
    h[1] |= FINAL_BIT;
    h[2] = pdu->reject.reason;
    put_response_numbers(pdu, h);
    put_be32(h + 36, pdu->reject.data_sn);
}

void pdu_encode(const struct pdu *pdu, uint8_t ret_header[PDU_HEADER_BYTES])
{
    uint8_t *h = ret_header;

    assert(pdu_opcode_is_known(pdu->opcode));
    assert(!pdu->is_immediate || opcodes[pdu->opcode].may_be_immediate);
    assert(pdu->data_bytes <= PDU_DATA_MOST);
    memset(h, 0, PDU_HEADER_BYTES);
    h[0] = pdu->opcode | bit(pdu->is_immediate, IMMEDIATE_BIT);
    h[1] = bit(pdu->is_final, FINAL_BIT);
    h[4] = (uint8_t)(pdu->ahs_bytes / 4);
    put_be24(h + 5, pdu->data_bytes);
    put_be64(h + 8, pdu->lun);
    put_be32(h + 16, pdu->task_tag);

    switch ((enum pdu_opcode)pdu->opcode) {
    case PDU_NOP_OUT:
    case PDU_NOP_IN:
        put_nop(pdu, h);
        break;
    case PDU_SCSI_COMMAND:
        put_command(pdu, h);
        break;
    case PDU_SCSI_RESPONSE:
        put_response(pdu, h);
        break;
    case PDU_TASK_REQUEST:
    case PDU_TASK_RESPONSE:
        put_task(pdu, h);
        break;
    case PDU_LOGIN_REQUEST:
    case PDU_LOGIN_RESPONSE:
        put_login(pdu, h);
        break;
    case PDU_TEXT_REQUEST:
    case PDU_TEXT_RESPONSE:
        put_text(pdu, h);
        break;
    case PDU_DATA_OUT:
        put_data_out(pdu, h);
        break;
    case PDU_DATA_IN:
        put_data_in(pdu, h);
        break;
    case PDU_LOGOUT_REQUEST:
    case PDU_LOGOUT_RESPONSE:
        put_logout(pdu, h);
        break;
    case PDU_SNACK:
        put_snack(pdu, h);
        break;
    case PDU_R2T:
        put_r2t(pdu, h);
        break;
    case PDU_ASYNC:
        put_async(pdu, h);
        break;
    case PDU_REJECT:
        put_reject(pdu, h);
        break;
    }
}

/* AHS: length (2 bytes, without the 3 of length and type), type, specific byte, ...; padded to 4.
 */
bool pdu_ahs_parse(const uint8_t *ahs, size_t bytes, struct pdu_ahs *ret_ahs)
{
    struct pdu_ahs found = {0};

    while (bytes > 0) {
        if (bytes < 4)
            return false;
        size_t length = get_be16(ahs);
        size_t whole = (length + 3 + 3) / 4 * 4;
        if (length < 1 || whole > bytes)
            return false;
        if (ahs[2] == AHS_EXTENDED_CDB && !found.cdb && length > 1) {
            found.cdb = ahs + 4;
            found.cdb_bytes = (uint32_t)(length - 1);
        } else if (ahs[2] == AHS_BIDI_READ && !found.has_bidi_read && length == 5) {
            found.has_bidi_read = true;
            found.bidi_read_bytes = get_be32(ahs + 4);
        } else {
            return false;
        }
        ahs += whole;
        bytes -= whole;
    }
    *ret_ahs = found;
    return true;
}

uint64_t lun_encode(uint16_t number)
{
    /* Peripheral device addressing up to 255, flat space (01b) up to 16383. */
    uint64_t word = number < 256 ? number : 0x4000u | (number & 0x3fffu);

    return word << 48;
}

bool lun_decode(uint64_t lun, uint16_t *ret_number)
{
    uint16_t word = (uint16_t)(lun >> 48);

    if (lun & 0xffffffffffffu)
        return false;
    if (word >> 14 == 0 && word < 256)
        *ret_number = word;
    else if (word >> 14 == 1)
        *ret_number = word & 0x3fff;
    else
        return false;
    return true;
}
