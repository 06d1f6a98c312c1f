/* The codec: every opcode both ways, every refusal, any bytes. */
#include "tests/test.h"

#include "iscsi/pdu.h"
#include "sim/core/bytes.h"
#include "sim/core/random.h"

#include <stdio.h>
#include <string.h>

/* The layouts of the standard, written down byte by byte. */
static struct wire {
    const char *name;
    struct pdu pdu;
    uint8_t header[PDU_HEADER_BYTES];
} wires[] = {
    {"NOP-Out (11.18)",
     {.opcode = PDU_NOP_OUT,
      .is_immediate = true,
      .is_final = true,
      .data_bytes = 5,
      .lun = 0x0001000000000000,
      .itt = 0x11223344,
      .ttt = PDU_NO_TAG,
      .cmd_sn = 7,
      .exp_stat_sn = 9},
     {0x40, 0x80, 0,    0,    0,    0,    0,    5,    0, 1, 0, 0, 0, 0, 0, 0,
      0x11, 0x22, 0x33, 0x44, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 7, 0, 0, 0, 9}},
    {"SCSI Command (11.3)",
     {.opcode = PDU_SCSI_COMMAND,
      .is_final = true,
      .ahs_words = 2,
      .data_bytes = 0x012345,
      .lun = 0x4003000000000000,
      .itt = 1,
      .cmd_sn = 0xfffffffe,
      .exp_stat_sn = 3,
      .command = {.is_write = true,
                  .attribute = ISCSI_SIMPLE,
                  .expected_bytes = 0x20000,
                  .cdb = {0x2a, 0, 0, 0, 0, 9}}},
     {0x01, 0xa1, 0, 0, 2, 1,    0x23, 0x45, 0x40, 3, 0, 0, 0, 0,    0, 0, 0, 0, 0,
      1,    0,    2, 0, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 3, 0x2a, 0, 0, 0, 0, 9}},
    {"Task Management Function Request (11.5)",
     {.opcode = PDU_TASK_REQUEST,
      .is_immediate = true,
      .is_final = true,
      .lun = 1ull << 48,
      .itt = 2,
      .cmd_sn = 4,
      .exp_stat_sn = 5,
      .task_request = {.function = ISCSI_TMF_ABORT_TASK,
                       .ref_task_tag = 0x0a0b0c0d,
                       .ref_cmd_sn = 3,
                       .exp_data_sn = 6}},
     {0x42, 0x81, 0,  0,  0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
      10,   11,   12, 13, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 6}},
    {"Login Request (11.12)",
     {.opcode = PDU_LOGIN_REQUEST,
      .is_immediate = true,
      .data_bytes = 0x30,
      .itt = 3,
      .cmd_sn = 1,
      .exp_stat_sn = 0,
      .login_request = {.transit = true,
                        .csg = 1,
                        .nsg = 3,
                        .isid = {0x80, 1, 2, 3, 4, 5},
                        .tsih = 0x1234,
                        .cid = 0x5678}},
     {0x43, 0x87, 0, 0, 0,    0,    0, 0x30, 0x80, 1, 2, 3, 4, 5, 0x12, 0x34,
      0,    0,    0, 3, 0x56, 0x78, 0, 0,    0,    0, 0, 1, 0, 0, 0,    0}},
    {"Text Request (11.10)",
     {.opcode = PDU_TEXT_REQUEST,
      .is_immediate = true,
      .data_bytes = 16,
      .itt = 4,
      .ttt = 8,
      .cmd_sn = 2,
      .exp_stat_sn = 3,
      .text = {.continues = true}},
     {0x44, 0x40, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0,
      0,    0,    0, 4, 0, 0, 0, 8,  0, 0, 0, 2, 0, 0, 0, 3}},
    {"SCSI Data-Out (11.7)",
     {.opcode = PDU_DATA_OUT,
      .is_final = true,
      .data_bytes = 512,
      .lun = 2ull << 48,
      .itt = 5,
      .ttt = 6,
      .exp_stat_sn = 7,
      .data_out = {.data_sn = 8, .buffer_offset = 0x1000}},
     {0x05, 0x80, 0, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0,    0,
      0,    6,    0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0x10, 0}},
    {"Logout Request (11.14)",
     {.opcode = PDU_LOGOUT_REQUEST,
      .is_immediate = true,
      .is_final = true,
      .itt = 6,
      .cmd_sn = 7,
      .exp_stat_sn = 8,
      .logout_request = {.reason = ISCSI_LOGOUT_CLOSE_CONNECTION, .cid = 9}},
     {0x46, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0,    0,    0, 6, 0, 9, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8}},
    {"SNACK Request (11.16)",
     {.opcode = PDU_SNACK,
      .is_final = true,
      .lun = 3ull << 48,
      .itt = 7,
      .ttt = 8,
      .exp_stat_sn = 9,
      .snack = {.type = ISCSI_SNACK_DATA_ACK, .beg_run = 10, .run_length = 11}},
     {0x10, 0x82, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,  0, 0, 0, 8,
      0,    0,    0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 11}},
    {"NOP-In (11.19)",
     {.opcode = PDU_NOP_IN,
      .is_final = true,
      .data_bytes = 3,
      .lun = 4ull << 48,
      .itt = PDU_NO_TAG,
      .ttt = 1,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4},
     {0x20, 0x80, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
      0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,    4}},
    {"SCSI Response (11.4)",
     {.opcode = PDU_SCSI_RESPONSE,
      .is_final = true,
      .data_bytes = 20,
      .itt = 1,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .response = {.response = ISCSI_RESPONSE_COMPLETED_AT_TARGET,
                   .status = 2,
                   .snack_tag = 5,
                   .exp_data_sn = 6,
                   .residual = {.is_underflow = true, .bytes = 7},
                   .bidi_read_residual = {.is_overflow = true, .bytes = 8}}},
     {0x21, 0x92, 0, 2, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5,
      0,    0,    0, 2, 0, 0, 0, 3,  0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 7}},
    {"Task Management Function Response (11.6)",
     {.opcode = PDU_TASK_RESPONSE,
      .is_final = true,
      .itt = 1,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .task_response = {.response = ISCSI_TMF_FUNCTION_REJECTED}},
     {0x22, 0x80, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0,    1,    0,   0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4}},
    {"Login Response (11.13)",
     {.opcode = PDU_LOGIN_RESPONSE,
      .data_bytes = 4,
      .itt = 1,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .login_response = {.continues = true,
                         .csg = 1,
                         .nsg = 0,
                         .isid = {1, 2, 3, 4, 5, 6},
                         .tsih = 7,
                         .status_class = 2,
                         .status_detail = 0x0b}},
     {0x23, 0x44, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4, 5, 6, 0, 7, 0, 0, 0,
      1,    0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 2, 0x0b}},
    {"Text Response (11.11)",
     {.opcode = PDU_TEXT_RESPONSE,
      .is_final = true,
      .lun = 5ull << 48,
      .itt = 1,
      .ttt = PDU_NO_TAG,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4},
     {0x24, 0x80, 0,    0,    0,    0,    0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0,
      0,    1,    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4}},
    {"SCSI Data-In with status (11.7)",
     {.opcode = PDU_DATA_IN,
      .is_final = true,
      .data_bytes = 512,
      .itt = 1,
      .ttt = PDU_NO_TAG,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .data_in = {.asks_ack = true,
                  .has_status = true,
                  .status = 8,
                  .data_sn = 5,
                  .buffer_offset = 6,
                  .residual = {.is_overflow = true, .bytes = 7}}},
     {0x25, 0xc5, 0, 8, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff,
      0,    0,    0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0,    0,    0,    7}},
    {"SCSI Data-In without status (11.7)",
     {.opcode = PDU_DATA_IN,
      .data_bytes = 512,
      .itt = 1,
      .ttt = PDU_NO_TAG,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .data_in = {.data_sn = 5, .buffer_offset = 6}},
     {0x25, 0x00, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff,
      0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0,    6}},
    {"Logout Response (11.15)",
     {.opcode = PDU_LOGOUT_RESPONSE,
      .is_final = true,
      .itt = 1,
      .stat_sn = 2,
      .exp_cmd_sn = 3,
      .max_cmd_sn = 4,
      .logout_response = {.response = ISCSI_LOGOUT_CLEANUP_FAILED,
                          .time2wait_s = 5,
                          .time2retain_s = 6}},
     {0x26, 0x80, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
      0,    0,    0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 5, 0, 6}},
    {"Ready To Transfer (11.8)",
     {.opcode = PDU_R2T,
      .is_final = true,
      .lun = 6ull << 48,
      .itt = 1,
      .ttt = 2,
      .stat_sn = 3,
      .exp_cmd_sn = 4,
      .max_cmd_sn = 5,
      .r2t = {.r2t_sn = 6, .buffer_offset = 7, .desired_bytes = 8}},
     {0x31, 0x80, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2,
      0,    0,    0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8}},
    {"Asynchronous Message (11.9)",
     {.opcode = PDU_ASYNC,
      .is_final = true,
      .data_bytes = 20,
      .lun = 7ull << 48,
      .itt = PDU_NO_TAG,
      .stat_sn = 3,
      .exp_cmd_sn = 4,
      .max_cmd_sn = 5,
      .async = {.event = ISCSI_ASYNC_DROP_CONNECTION,
                .vendor_code = 1,
                .parameter1 = 2,
                .parameter2 = 3,
                .parameter3 = 4}},
     {0x32, 0x80, 0, 0, 0, 0, 0, 20, 0, 7, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0,
      0,    0,    0, 0, 0, 3, 0, 0,  0, 4, 0, 0, 0, 5, 2, 1, 0,    2,    0,    3,    0, 4}},
    {"Reject (11.17)",
     {.opcode = PDU_REJECT,
      .is_final = true,
      .data_bytes = 48,
      .itt = PDU_NO_TAG,
      .stat_sn = 3,
      .exp_cmd_sn = 4,
      .max_cmd_sn = 5,
      .reject = {.reason = ISCSI_REJECT_DATA_DIGEST_ERROR, .data_sn = 6}},
     {0x3f, 0x80, 2, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
      0,    0,    0, 0, 0, 0, 0, 3,  0, 0, 0, 4, 0, 0, 0, 5, 0,    0,    0,    6}},
};

static void is_laid_out_as_in_the_standard(void **state)
{
    const struct wire *wire = *state;
    uint8_t header[PDU_HEADER_BYTES];

    pdu_encode(&wire->pdu, header);
    assert_memory_equal(header, wire->header, PDU_HEADER_BYTES);
}

/* Field by field, through the encoder: structs have holes that memcmp() would see. */
static void comes_back_from_the_wire(void **state)
{
    const struct wire *wire = *state;
    struct pdu pdu;
    uint8_t header[PDU_HEADER_BYTES];

    assert_int_equal(pdu_decode(wire->header, &pdu), PDU_OK);
    assert_int_equal(pdu.opcode, wire->pdu.opcode);
    assert_int_equal(pdu.is_immediate, wire->pdu.is_immediate);
    assert_int_equal(pdu.is_final, wire->pdu.is_final);
    assert_int_equal(pdu.lun, wire->pdu.lun);
    assert_int_equal(pdu.itt, wire->pdu.itt);
    assert_int_equal(pdu.ttt, wire->pdu.ttt);
    assert_int_equal(pdu.cmd_sn, wire->pdu.cmd_sn);
    assert_int_equal(pdu.exp_stat_sn, wire->pdu.exp_stat_sn);
    assert_int_equal(pdu.stat_sn, wire->pdu.stat_sn);
    assert_int_equal(pdu.exp_cmd_sn, wire->pdu.exp_cmd_sn);
    assert_int_equal(pdu.max_cmd_sn, wire->pdu.max_cmd_sn);
    pdu_encode(&pdu, header);
    assert_memory_equal(header, wire->header, PDU_HEADER_BYTES);
}

static void ignores_reserved_bits(void **state)
{
    const struct wire *wire = *state;
    struct pdu clean;
    struct pdu noisy;
    uint8_t header[PDU_HEADER_BYTES];
    uint8_t again[PDU_HEADER_BYTES];

    memcpy(header, wire->header, PDU_HEADER_BYTES);
    header[0] |= 0x80; /* reserved in all PDUs (11.2.1.1) */
    assert_int_equal(pdu_decode(wire->header, &clean), PDU_OK);
    assert_int_equal(pdu_decode(header, &noisy), PDU_OK);
    pdu_encode(&noisy, again);
    assert_memory_equal(again, wire->header, PDU_HEADER_BYTES);
}

static struct refusal {
    const char *name;
    uint8_t opcode;
    uint8_t at; /* this byte is set to ... */
    uint8_t value;
    enum pdu_outcome outcome;
} refusals[] = {
    {"an opcode between the known ones", 0x07, 1, 0x80, PDU_BAD_OPCODE},
    {"a vendor's opcode", 0x1c, 1, 0x80, PDU_BAD_OPCODE},
    {"a target's opcode that nobody knows", 0x30, 1, 0x80, PDU_BAD_OPCODE},
    {"a reserved task attribute", PDU_SCSI_COMMAND, 1, 0x85, PDU_BAD_FIELD},
    {"additional header segments of a Data-Out", PDU_DATA_OUT, 4, 1, PDU_BAD_FIELD},
    {"additional header segments of a Login Request", PDU_LOGIN_REQUEST, 4, 1, PDU_BAD_FIELD},
    {"data of a Task Management Function Request", PDU_TASK_REQUEST, 7, 1, PDU_BAD_FIELD},
    {"data of a Logout Request", PDU_LOGOUT_REQUEST, 5, 1, PDU_BAD_FIELD},
    {"data of an R2T", PDU_R2T, 6, 1, PDU_BAD_FIELD},
    {"data of a SNACK", PDU_SNACK, 7, 4, PDU_BAD_FIELD},
    {"an unknown SNACK type", PDU_SNACK, 1, 0x84, PDU_BAD_FIELD},
    {"an unknown reason for logout", PDU_LOGOUT_REQUEST, 1, 0x83, PDU_BAD_FIELD},
    {"overflow and underflow in one SCSI Response", PDU_SCSI_RESPONSE, 1, 0x86, PDU_BAD_FIELD},
    {"both for the read part of a bidirectional one", PDU_SCSI_RESPONSE, 1, 0x98, PDU_BAD_FIELD},
    {"overflow and underflow in one Data-In", PDU_DATA_IN, 1, 0x87, PDU_BAD_FIELD},
    {"a Data-In with status that is not the last", PDU_DATA_IN, 1, 0x01, PDU_BAD_FIELD},
    {"residual bits of a Data-In without status mean nothing", PDU_DATA_IN, 1, 0x86, PDU_OK},
    {"an unknown task management function is answered, not rejected", PDU_TASK_REQUEST, 1, 0xff,
     PDU_OK},
};

static void refuses_as_the_standard_says(void **state)
{
    const struct refusal *row = *state;
    uint8_t header[PDU_HEADER_BYTES] = {row->opcode, 0x80};
    struct pdu pdu;

    header[row->at] = row->value;
    assert_int_equal(pdu_decode(header, &pdu), row->outcome);
    assert_int_equal(pdu.opcode, row->opcode);
}

/* Whatever arrives is decoded without harm, and what is good survives a round trip. */
static void any_48_bytes_are_safe(void **state)
{
    struct random random;
    uint8_t header[PDU_HEADER_BYTES];
    uint8_t first[PDU_HEADER_BYTES];
    uint8_t second[PDU_HEADER_BYTES];

    (void)state;
    random_init(&random, 1, "any_48_bytes");
    for (int i = 0; i < 200000; i++) {
        struct pdu pdu;

        for (size_t at = 0; at < PDU_HEADER_BYTES; at += 8)
            put_be64(header + at, random_next(&random));
        if (pdu_decode(header, &pdu) != PDU_OK)
            continue;
        pdu_encode(&pdu, first);
        assert_int_equal(pdu_decode(first, &pdu), PDU_OK);
        pdu_encode(&pdu, second);
        assert_memory_equal(first, second, PDU_HEADER_BYTES);
    }
}

static void names_and_traits_of_opcodes(void **state)
{
    (void)state;
    assert_string_equal(pdu_name(PDU_R2T), "Ready To Transfer");
    assert_string_equal(pdu_name(0x3e), "unknown opcode");
    assert_string_equal(pdu_name(0xff), "unknown opcode");
    assert_false(pdu_is_known(0x7f));
    assert_true(pdu_traits(PDU_NOP_OUT) & PDU_MAY_BE_IMMEDIATE);
    assert_false(pdu_traits(PDU_DATA_OUT) & PDU_HAS_CMD_SN);
    for (uint8_t opcode = 0; opcode < 0x40; opcode++) {
        if (pdu_is_known(opcode))
            assert_int_equal(pdu_is_from_target(opcode),
                             (pdu_traits(opcode) & PDU_FROM_TARGET) != 0);
    }
}

static void words_of_codes(void **state)
{
    (void)state;
    assert_string_equal(iscsi_login_status_word(2, 3), "not found");
    assert_string_equal(iscsi_login_status_word(9, 9), "login status unknown");
    assert_string_equal(iscsi_reject_reason_word(4), "protocol error");
    assert_string_equal(iscsi_reject_reason_word(1), "reject reason unknown");
}

static void additional_header_segments_come_back(void **state)
{
    uint8_t cdb[PDU_CDB_MOST_BYTES - PDU_CDB_BYTES];
    uint8_t bytes[PDU_AHS_MOST_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cdb); i++)
        cdb[i] = (uint8_t)i;
    for (uint32_t length = 0; length <= sizeof(cdb); length++) {
        struct pdu_ahs ahs = {.extended_cdb = cdb,
                              .extended_cdb_bytes = length,
                              .is_bidirectional = length % 2 == 0,
                              .read_expected_bytes = 0x01020304};
        struct pdu_ahs back;
        size_t size = pdu_ahs_encode(&ahs, bytes);

        assert_int_equal(size % 4, 0);
        assert_true(pdu_ahs_decode(bytes, size, &back));
        assert_int_equal(back.extended_cdb_bytes, length);
        if (length > 0)
            assert_memory_equal(back.extended_cdb, cdb, length);
        assert_int_equal(back.is_bidirectional, ahs.is_bidirectional);
        if (ahs.is_bidirectional)
            assert_int_equal(back.read_expected_bytes, 0x01020304);
        for (size_t cut = 1; cut < size; cut++) {
            bool is_whole_segment = length > 0 && ahs.is_bidirectional && cut == size - 8;

            assert_int_equal(pdu_ahs_decode(bytes, cut, &back), is_whole_segment);
        }
    }
}

static struct bad_ahs {
    const char *name;
    uint8_t bytes[16];
    size_t size;
} bad_ahses[] = {
    {"an AHS of unknown type", {0, 5, 3, 0, 0, 0, 0, 0}, 8},
    {"an AHS of type 0", {0, 0, 0, 0}, 4},
    {"an AHS of length 0", {0, 0, 1, 0}, 4},
    {"an extended CDB without a byte", {0, 1, 1, 0}, 4},
    {"an AHS longer than its segment", {0, 9, 1, 0, 1, 2, 3, 4}, 8},
    {"an AHS of 64 KiB", {0xff, 0xff, 1, 0, 1, 2, 3, 4}, 8},
    {"a bidirectional length of 4 bytes", {0, 4, 2, 0, 0, 0, 0, 1}, 8},
    {"two bidirectional lengths", {0, 5, 2, 0, 0, 0, 0, 1, 0, 5, 2, 0, 0, 0, 0, 1}, 16},
    {"two extended CDBs", {0, 5, 1, 0, 0, 0, 0, 1, 0, 5, 1, 0, 0, 0, 0, 1}, 16},
};

static void refuses_bad_segments(void **state)
{
    const struct bad_ahs *row = *state;
    struct pdu_ahs ahs;

    assert_false(pdu_ahs_decode(row->bytes, row->size, &ahs));
}

static void lun_fields_name_logical_units(void **state)
{
    uint16_t number = 0;

    (void)state;
    assert_int_equal(pdu_lun_field(0), 0);
    assert_int_equal(pdu_lun_field(5), 0x0005000000000000);
    assert_int_equal(pdu_lun_field(256), 0x4100000000000000);
    for (uint16_t lun = 0; lun < 1u << 14; lun++) {
        assert_true(pdu_lun_number(pdu_lun_field(lun), &number));
        assert_int_equal(number, lun);
    }
    assert_true(pdu_lun_number(0x4005000000000000, &number)); /* flat space, a small number */
    assert_int_equal(number, 5);
    assert_false(pdu_lun_number(0x0105000000000000, &number)); /* another bus */
    assert_false(pdu_lun_number(0x8005000000000000, &number)); /* logical unit addressing */
    assert_false(pdu_lun_number(0xc101000000000000, &number)); /* well known */
    assert_false(pdu_lun_number(0x0005000100000000, &number)); /* a second level */
}

int main(void)
{
    TEST_ROWS(wires, is_laid_out_as_in_the_standard);
    TEST_ROWS(wires, comes_back_from_the_wire);
    TEST_ROWS(wires, ignores_reserved_bits);
    TEST_ROWS(refusals, refuses_as_the_standard_says);
    TEST_ROWS(bad_ahses, refuses_bad_segments);
    TEST(any_48_bytes_are_safe);
    TEST(names_and_traits_of_opcodes);
    TEST(words_of_codes);
    TEST(additional_header_segments_come_back);
    TEST(lun_fields_name_logical_units);
    return TEST_RUN("iscsi.pdu");
}
