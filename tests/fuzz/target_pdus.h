/* One step of an input as a PDU: its numbers are chosen right or wrong, by what the step says. */
#pragma once

#include "tests/fuzz/target_lanes.h"

/* The bytes of a PDU: the header patched, the digests right unless told otherwise. */
static inline void send_pdu(struct lane *lane, const struct step *step, struct pdu *pdu,
                            const uint8_t *data, uint32_t bytes)
{
    static uint8_t wire[PDU_HEADER_BYTES + 64 + 8 + MOST_FUZZ_DATA + 8];
    uint32_t at = PDU_HEADER_BYTES;

    pdu->data_bytes = bytes;
    pdu->ahs_words = step->flags & STEP_AHS ? step->spare & 15 : 0;
    pdu_encode(pdu, wire);
    if (step->patch_at < PDU_HEADER_BYTES) {
        wire[step->patch_at] = step->patch_to;
        lane->is_out_of_step = true;
    }
    for (uint32_t i = 0; i < pdu->ahs_words * 4u; i++)
        wire[at++] = i < step->data_bytes ? step->data[i] : step->cdb[i & 15];
    if (lane->digests.header) {
        crc32c_put(wire + at, crc32c(0, wire, at) ^ (step->flags & STEP_BAD_HEADER_DIGEST ? 1 : 0));
        at += PDU_DIGEST_BYTES;
    }
    if (bytes > 0) {
        uint32_t from = at;

        memcpy(wire + at, data, bytes);
        memset(wire + at + bytes, step->patch_to, pdu_padding_bytes(bytes));
        at += bytes + pdu_padding_bytes(bytes);
        if (lane->digests.data) {
            crc32c_put(wire + at, crc32c(0, wire + from, at - from) ^
                                      (step->flags & STEP_BAD_DATA_DIGEST ? 1 : 0));
            at += PDU_DIGEST_BYTES;
        }
    }
    lane->rig->sent_pdus++;
    lane_feed(lane, buf_copy(lane->rig->pool, wire, at), step->split ? step->split * 7u : at);
}

/* The step's data, repeated to fill 'bytes'; without any, a pattern. */
static inline const uint8_t *fill(const struct step *step, uint32_t bytes)
{
    static uint8_t data[MOST_FUZZ_DATA];

    for (uint32_t i = 0; i < bytes; i++)
        data[i] = step->data_bytes ? step->data[i % step->data_bytes] : (uint8_t)(i / 512 + 1);
    return data;
}

static inline uint32_t choose_cmd_sn(struct lane *lane, const struct step *step)
{
    uint32_t due = lane->cmd_sn;

    switch (step->cmd_sn & 15) {
    case 8:
        return due - 1;
    case 9:
        return due + 1;
    case 10:
        return due + step->a % 40;
    case 11:
        return due + 0x80000000u;
    case 12:
        return lane->max_cmd_sn;
    case 13:
        return lane->max_cmd_sn + 1;
    case 14:
        return step->b;
    case 15:
        return lane->exp_cmd_sn;
    default:
        if (!(step->flags & STEP_IMMEDIATE))
            lane->cmd_sn++;
        return due;
    }
}

static inline uint32_t choose_itt(struct lane *lane, const struct step *step)
{
    switch (step->itt & 15) {
    case 9:
        return lane->last_itt;
    case 10:
        return lane->last_itt - 1;
    case 11:
        return lane->last_itt - step->b % 8;
    case 12:
        return lane->last_itt + 1;
    case 13:
        return PDU_NO_TAG;
    case 14:
        return step->a;
    case 15:
        return lane->r2t_count ? lane->r2ts[0].itt : 0;
    default:
        return ++lane->last_itt;
    }
}

static inline uint64_t choose_lun(const struct step *step)
{
    static const uint64_t luns[16] = {0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      UINT64_C(1) << 48,
                                      UINT64_C(1) << 48,
                                      UINT64_C(2) << 48,
                                      UINT64_C(5) << 48,
                                      UINT64_C(0x4001) << 48,
                                      UINT64_C(0xc101) << 48,
                                      UINT64_MAX,
                                      1,
                                      UINT64_C(0x8000) << 48,
                                      UINT64_C(0x4000) << 48};

    return luns[step->lun & 15];
}

static inline uint32_t choose_stat_sn(const struct lane *lane, const struct step *step)
{
    static const uint32_t shifts[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0xffffffff, 0x80000000, 0x7fffffff, 100, 0xfffffff0, 64};

    return lane->stat_sn + shifts[step->stat_sn & 15];
}

static inline uint64_t data_out_bytes(struct lane *lane, const struct step *step)
{
    return device_data_out_bytes(lane->rig->device, choose_lun(step), step->cdb);
}

/* What the CDB moves, as far as it is simple to tell. */
static inline uint32_t natural_bytes(struct lane *lane, const struct step *step)
{
    uint64_t bytes = 4096;
    struct scsi_transfer transfer;

    if (data_out_bytes(lane, step) > 0)
        bytes = data_out_bytes(lane, step);
    else if (scsi_transfer_parse(step->cdb, &transfer))
        bytes = (uint64_t)transfer.blocks * (choose_lun(step) == 0 ? 512 : 4096);
    return bytes < 1u << 20 ? (uint32_t)bytes : 1u << 20;
}

static inline uint32_t choose_expected(struct lane *lane, const struct step *step)
{
    uint32_t natural = natural_bytes(lane, step);

    switch (step->length & 7) {
    case 4:
        return natural + 1;
    case 5:
        return natural / 2;
    case 6:
        return step->a;
    case 7:
        return 0;
    default:
        return natural;
    }
}

/* How much data goes with a PDU that could carry 'natural'. */
static inline uint32_t choose_data(const struct step *step, uint32_t natural)
{
    uint32_t bytes;

    switch (step->length >> 3 & 7) {
    case 1:
    case 2:
        bytes = natural;
        break;
    case 3:
        bytes = step->data_bytes;
        break;
    case 4:
        bytes = natural + 1;
        break;
    case 5:
        bytes = step->b & 0x3fff;
        break;
    case 6:
        bytes = natural / 2;
        break;
    default:
        return 0;
    }
    return bytes < 40000 ? bytes : 40000;
}

static inline struct pdu request(struct lane *lane, const struct step *step, enum pdu_opcode opcode)
{
    return (struct pdu){.opcode = (uint8_t)opcode,
                        .is_immediate = step->flags & STEP_IMMEDIATE,
                        .is_final = step->flags & STEP_FINAL,
                        .lun = choose_lun(step),
                        .itt = choose_itt(lane, step),
                        .ttt = PDU_NO_TAG,
                        .cmd_sn = choose_cmd_sn(lane, step),
                        .exp_stat_sn = choose_stat_sn(lane, step)};
}

static inline uint32_t choose_ttt(const struct lane *lane, const struct step *step)
{
    switch (step->ttt & 7) {
    case 4:
        return lane->last_ttt + 1;
    case 5:
        return step->b;
    case 6:
        return lane->r2t_count ? lane->r2ts[0].ttt : 0;
    case 7:
        return PDU_NO_TAG;
    default:
        return lane->last_ttt;
    }
}

static inline void do_command(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_SCSI_COMMAND);
    bool is_write = data_out_bytes(lane, step) > 0;
    uint32_t bytes;

    pdu.command.is_read = !is_write != ((step->flags & STEP_READ) != 0); /* the flags: not so */
    pdu.command.is_write = is_write != ((step->flags & STEP_WRITE) != 0);
    pdu.command.attribute = step->flags & STEP_SECOND ? step->detail & 7 : ISCSI_SIMPLE;
    pdu.command.expected_bytes = choose_expected(lane, step);
    memcpy(pdu.command.cdb, step->cdb, sizeof(pdu.command.cdb));
    note_tag(lane, pdu.itt, pdu.command.expected_bytes, step);
    bytes = pdu.command.is_write ? choose_data(step, pdu.command.expected_bytes) : 0;
    if ((step->length >> 3 & 7) == 5)
        bytes = choose_data(step, 0);
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

static inline void do_data_out(struct lane *lane, const struct step *step)
{
    struct r2t r2t = lane->r2t_count ? lane->r2ts[lane->r2t_count - 1] : (struct r2t){0};
    struct pdu pdu = {.opcode = PDU_DATA_OUT,
                      .is_final = step->flags & STEP_FINAL,
                      .lun = step->lun & 8 ? choose_lun(step) : r2t.lun,
                      .itt = step->itt & 8 ? choose_itt(lane, step) : r2t.itt,
                      .ttt = step->ttt & 4 ? choose_ttt(lane, step) : r2t.ttt,
                      .exp_stat_sn = choose_stat_sn(lane, step),
                      .data_out = {.data_sn = step->b, .buffer_offset = r2t.offset + step->a}};
    uint32_t bytes = choose_data(step, r2t.bytes);

    if (step->detail & 1) { /* the unsolicited data of the last command */
        pdu.itt = lane->last_itt;
        pdu.ttt = PDU_NO_TAG;
        pdu.data_out.buffer_offset = step->a;
    }
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

/* Answers the oldest R2T in pieces of 8192, with the command's data unless the step has its own. */
static inline void do_answer(struct lane *lane, const struct step *step)
{
    const struct step *content = step;
    const struct tag *tag;
    struct r2t r2t;

    if (lane->r2t_count == 0)
        return;
    r2t = lane->r2ts[0];
    memmove(lane->r2ts, lane->r2ts + 1, --lane->r2t_count * sizeof(r2t));
    tag = find_tag(lane, r2t.itt);
    if (step->data_bytes == 0 && tag)
        content = tag->step;
    for (uint32_t at = 0, data_sn = 0; at < r2t.bytes && lane->conn; data_sn++) {
        uint32_t here = r2t.bytes - at < 8192 ? r2t.bytes - at : 8192;
        struct pdu pdu = {.opcode = PDU_DATA_OUT,
                          .is_final = at + here == r2t.bytes,
                          .lun = r2t.lun,
                          .itt = r2t.itt,
                          .ttt = r2t.ttt,
                          .exp_stat_sn = lane->stat_sn,
                          .data_out = {.data_sn = data_sn, .buffer_offset = r2t.offset + at}};

        send_pdu(lane, step, &pdu, fill(content, here), here);
        at += here;
    }
}

static inline void do_nop(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_NOP_OUT);
    uint32_t bytes = choose_data(step, step->data_bytes);

    pdu.ttt = step->ttt & 8 ? choose_ttt(lane, step) : PDU_NO_TAG;
    if (step->ttt & 16) { /* an answer to a ping of the target */
        pdu.itt = PDU_NO_TAG;
        pdu.ttt = lane->last_ttt;
        pdu.is_immediate = true;
    }
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

static inline void do_task(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_TASK_REQUEST);

    pdu.task_request.function = step->detail & 15;
    pdu.task_request.ref_task_tag = step->ttt & 1   ? step->b
                                    : step->ttt & 2 ? lane->last_itt - 2
                                                    : lane->last_itt - 1;
    pdu.task_request.ref_cmd_sn = lane->cmd_sn - 1 + step->a;
    pdu.task_request.exp_data_sn = step->b;
    send_pdu(lane, step, &pdu, NULL, 0);
}

static inline void do_text(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_TEXT_REQUEST);

    if (step->itt & 16)
        pdu.itt = lane->last_itt - 1;
    pdu.ttt = step->ttt & 8 ? choose_ttt(lane, step) : PDU_NO_TAG;
    pdu.text.continues = step->flags & STEP_SECOND;
    send_pdu(lane, step, &pdu, step->data, step->data_bytes);
}

static inline void do_logout(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_LOGOUT_REQUEST);

    pdu.logout_request.reason = step->detail & 3;
    pdu.logout_request.cid = (uint16_t)(step->a & 3);
    send_pdu(lane, step, &pdu, NULL, 0);
}

static inline void do_snack(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_SNACK);

    pdu.ttt = choose_ttt(lane, step);
    pdu.snack.type = step->detail & 15;
    pdu.snack.beg_run = step->a;
    pdu.snack.run_length = step->b;
    send_pdu(lane, step, &pdu, NULL, 0);
}

/* The stages as the detail says: bits 0 and 1 CSG, 2 and 3 NSG, 4 T. */
static inline void do_login(struct lane *lane, const struct step *step)
{
    struct pdu pdu = {.opcode = PDU_LOGIN_REQUEST,
                      .is_immediate = true,
                      .itt = step->itt & 8 ? choose_itt(lane, step) : 0x700,
                      .cmd_sn = step->cmd_sn & 8 ? choose_cmd_sn(lane, step) : lane->cmd_sn,
                      .exp_stat_sn = lane->stat_sn,
                      .login_request = {.transit = step->detail & 16,
                                        .continues = step->flags & STEP_SECOND,
                                        .csg = step->detail & 3,
                                        .nsg = step->detail >> 2 & 3,
                                        .version_max = step->ttt & 8 ? step->ttt & 3 : 0,
                                        .version_min = step->ttt & 8 ? step->ttt >> 4 & 3 : 0,
                                        .isid = {0x80, 0, 0, 0, 0, lane->isid},
                                        .tsih = step->lun & 8 ? (uint16_t)step->a : lane->tsih,
                                        .cid = (uint16_t)(step->lun & 7)}};

    if (lane->is_logged_in || lane->tsih == 0 || step->lun & 16)
        pdu.login_request.tsih = step->lun & 8 ? (uint16_t)step->a : 0;
    send_pdu(lane, step, &pdu, step->data, step->data_bytes);
}
