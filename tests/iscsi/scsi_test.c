/* SCSI words: sense data and CDBs both ways. */
#include "tests/test.h"

#include "iscsi/scsi.h"
#include "sim/core/random.h"

#include <string.h>

static void fixed_sense_is_laid_out_as_in_spc(void **state)
{
    static const uint8_t expected[18] = {0xf0, 0, 0x05, 0,    0, 0x10, 0,    10, 0,
                                         0,    0, 0,    0x24, 0, 0,    0xcd, 0,  2};
    struct scsi_sense sense = {.key = SCSI_ILLEGAL_REQUEST,
                               .asc = 0x24,
                               .has_information = true,
                               .information = 0x1000,
                               .has_field_pointer = true,
                               .is_field_in_cdb = true,
                               .has_bit_pointer = true,
                               .bit_pointer = 5,
                               .field_pointer = 2};
    uint8_t bytes[SCSI_SENSE_MOST_BYTES];

    (void)state;
    assert_int_equal(scsi_sense_build(&sense, bytes), 18);
    assert_memory_equal(bytes, expected, 18);
}

static void descriptor_sense_is_laid_out_as_in_spc(void **state)
{
    static const uint8_t expected[28] = {0x72, 0x05, 0x24, 0, 0,    0, 0, 20, /* head */
                                         0x00, 10,   0x80, 0, 0,    0, 0, 1,
                                         0,    0,    0x10, 0, /* info */
                                         0x02, 6,    0,    0, 0xc0, 0, 2, 0};
    struct scsi_sense sense = {.is_descriptor = true,
                               .key = SCSI_ILLEGAL_REQUEST,
                               .asc = 0x24,
                               .has_information = true,
                               .information = 0x100001000,
                               .has_field_pointer = true,
                               .is_field_in_cdb = true,
                               .field_pointer = 2};
    uint8_t bytes[SCSI_SENSE_MOST_BYTES];

    (void)state;
    assert_int_equal(scsi_sense_build(&sense, bytes), 28);
    assert_memory_equal(bytes, expected, 28);
}

static void assert_same_sense(const struct scsi_sense *a, const struct scsi_sense *b)
{
    assert_int_equal(a->is_descriptor, b->is_descriptor);
    assert_int_equal(a->is_deferred, b->is_deferred);
    assert_int_equal(a->key, b->key);
    assert_int_equal(a->asc, b->asc);
    assert_int_equal(a->ascq, b->ascq);
    assert_int_equal(a->has_information, b->has_information);
    assert_true(a->information == b->information);
    assert_int_equal(a->has_field_pointer, b->has_field_pointer);
    assert_int_equal(a->is_field_in_cdb, b->is_field_in_cdb);
    assert_int_equal(a->has_bit_pointer, b->has_bit_pointer);
    assert_int_equal(a->bit_pointer, b->bit_pointer);
    assert_int_equal(a->field_pointer, b->field_pointer);
}

static void sense_comes_back_and_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 16; bits++) {
        struct scsi_sense sense = {.is_descriptor = bits & 1,
                                   .is_deferred = bits & 2,
                                   .key = bits & 8 ? SCSI_ILLEGAL_REQUEST : SCSI_MISCOMPARE,
                                   .asc = 0x1d,
                                   .ascq = 0x07,
                                   .has_information = bits & 4,
                                   .information = bits & 4 ? 0xfffffff0 : 0,
                                   .has_field_pointer = bits & 8,
                                   .field_pointer = bits & 8 ? 300 : 0};
        uint8_t bytes[SCSI_SENSE_MOST_BYTES];
        struct scsi_sense back;
        size_t size = scsi_sense_build(&sense, bytes);

        assert_true(scsi_sense_parse(bytes, size, &back));
        assert_same_sense(&sense, &back);
        for (size_t cut = 0; cut < size; cut++) {
            size_t key_at = sense.is_descriptor ? 1 : 2;

            assert_int_equal(scsi_sense_parse(bytes, cut, &back), cut > key_at);
            if (cut > key_at)
                assert_int_equal(back.key, sense.key);
        }
    }
}

static void a_large_lba_has_no_place_in_fixed_sense(void **state)
{
    struct scsi_sense sense = {
        .key = SCSI_MEDIUM_ERROR, .has_information = true, .information = 0x100000000};
    uint8_t bytes[SCSI_SENSE_MOST_BYTES];

    (void)state;
    scsi_sense_build(&sense, bytes);
    assert_int_equal(bytes[0], 0x70);
    assert_int_equal(bytes[6], 0);
}

static void any_sense_bytes_are_safe(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 3, "sense");
    for (int i = 0; i < 50000; i++) {
        uint8_t bytes[32];
        struct scsi_sense sense;

        for (size_t at = 0; at < sizeof(bytes); at++)
            bytes[at] = (uint8_t)random_next(&random);
        bytes[0] = (uint8_t)(0x70 + random_below(&random, 5));
        scsi_sense_parse(bytes, random_below(&random, sizeof(bytes) + 1), &sense);
    }
    uint8_t other[18] = {0x74};
    struct scsi_sense sense;

    assert_false(scsi_sense_parse(other, sizeof(other), &sense));
}

static struct transfer_row {
    const char *name;
    struct scsi_transfer transfer;
    uint8_t cdb[SCSI_CDB_BYTES];
} transfer_rows[] = {
    {"READ(6)", {.opcode = SCSI_READ_6, .lba = 0x1f2f3f, .blocks = 8}, {8, 0x1f, 0x2f, 0x3f, 8}},
    {"READ(6) of 256 blocks", {.opcode = SCSI_READ_6, .lba = 1, .blocks = 256}, {8, 0, 0, 1, 0}},
    {"WRITE(6)", {.opcode = SCSI_WRITE_6, .lba = 2, .blocks = 1}, {0x0a, 0, 0, 2, 1}},
    {"READ(10)",
     {.opcode = SCSI_READ_10, .lba = 0x01020304, .blocks = 0x0506, .dpo = true},
     {0x28, 0x10, 1, 2, 3, 4, 0, 5, 6}},
    {"WRITE(10) with FUA",
     {.opcode = SCSI_WRITE_10, .lba = 7, .blocks = 8, .fua = true},
     {0x2a, 0x08, 0, 0, 0, 7, 0, 0, 8}},
    {"READ(12)",
     {.opcode = SCSI_READ_12, .lba = 9, .blocks = 0x01020304},
     {0xa8, 0, 0, 0, 0, 9, 1, 2, 3, 4}},
    {"WRITE(12)",
     {.opcode = SCSI_WRITE_12, .lba = 9, .blocks = 10, .protect = 5},
     {0xaa, 0xa0, 0, 0, 0, 9, 0, 0, 0, 10}},
    {"READ(16)",
     {.opcode = SCSI_READ_16, .lba = 0x0102030405060708, .blocks = 0x090a0b0c},
     {0x88, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {"WRITE(16)",
     {.opcode = SCSI_WRITE_16, .lba = UINT64_MAX, .blocks = UINT32_MAX},
     {0x8a, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
    {"SYNCHRONIZE CACHE(10)",
     {.opcode = SCSI_SYNCHRONIZE_CACHE_10, .lba = 1, .blocks = 2},
     {0x35, 0, 0, 0, 0, 1, 0, 0, 2}},
    {"SYNCHRONIZE CACHE(16)",
     {.opcode = SCSI_SYNCHRONIZE_CACHE_16, .lba = 1, .blocks = 2},
     {0x91, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}},
};

static void transfers_are_laid_out_as_in_sbc(void **state)
{
    const struct transfer_row *row = *state;
    uint8_t cdb[SCSI_CDB_BYTES];
    struct scsi_transfer back;

    memset(cdb, 0xee, sizeof(cdb));
    scsi_transfer_build(&row->transfer, cdb);
    assert_memory_equal(cdb, row->cdb, SCSI_CDB_BYTES);
    assert_true(scsi_transfer_parse(cdb, &back));
    assert_int_equal(back.opcode, row->transfer.opcode);
    assert_true(back.lba == row->transfer.lba);
    assert_int_equal(back.blocks, row->transfer.blocks);
    assert_int_equal(back.dpo, row->transfer.dpo);
    assert_int_equal(back.fua, row->transfer.fua);
    assert_int_equal(back.protect, row->transfer.protect);
}

static void other_cdbs_are_no_transfers(void **state)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {SCSI_INQUIRY};
    struct scsi_transfer transfer;

    (void)state;
    assert_false(scsi_transfer_parse(cdb, &transfer));
    assert_int_equal(scsi_read_opcode(UINT32_MAX, UINT16_MAX), SCSI_READ_10);
    assert_int_equal(scsi_read_opcode(UINT32_MAX + 1ull, 1), SCSI_READ_16);
    assert_int_equal(scsi_write_opcode(0, UINT16_MAX + 1), SCSI_WRITE_16);
}

static void allocation_lengths_are_found(void **state)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    (void)state;
    scsi_cdb_inquiry_vpd(cdb, SCSI_VPD_DEVICE_IDENTIFICATION, 0x1234);
    assert_int_equal(cdb[1], 1);
    assert_int_equal(cdb[2], 0x83);
    assert_int_equal(scsi_allocation_bytes(cdb), 0x1234);
    scsi_cdb_inquiry(cdb, 36);
    assert_int_equal(cdb[1], 0);
    assert_int_equal(scsi_allocation_bytes(cdb), 36);
    scsi_cdb_report_luns(cdb, 2, 0x01020304);
    assert_int_equal(scsi_allocation_bytes(cdb), 0x01020304);
    scsi_cdb_read_capacity_16(cdb, 32);
    assert_int_equal(scsi_service_action(cdb), SCSI_SA_READ_CAPACITY_16);
    assert_int_equal(scsi_allocation_bytes(cdb), 32);
    scsi_cdb_mode_sense_6(cdb, SCSI_MODE_ALL_PAGES, 255);
    assert_int_equal(scsi_allocation_bytes(cdb), 255);
    scsi_cdb_mode_sense_10(cdb, SCSI_MODE_CACHING, 0xfffe);
    assert_int_equal(scsi_allocation_bytes(cdb), 0xfffe);
    scsi_cdb_report_target_port_groups(cdb, 1000);
    assert_int_equal(scsi_service_action(cdb), SCSI_SA_REPORT_TARGET_PORT_GROUPS);
    assert_int_equal(scsi_allocation_bytes(cdb), 1000);
    scsi_cdb_pr_in(cdb, SCSI_PR_READ_FULL_STATUS, 0x4000);
    assert_int_equal(scsi_service_action(cdb), 3);
    assert_int_equal(scsi_allocation_bytes(cdb), 0x4000);
    scsi_cdb_request_sense(cdb, 18);
    assert_int_equal(scsi_allocation_bytes(cdb), 18);
    scsi_cdb_pr_out(cdb, SCSI_PR_PREEMPT_AND_ABORT, SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS, 24);
    assert_int_equal(scsi_service_action(cdb), 5);
    assert_int_equal(cdb[2], 5);
    assert_int_equal(cdb[8], 24);
    assert_int_equal(scsi_allocation_bytes(cdb), 0);
    scsi_cdb_test_unit_ready(cdb);
    assert_int_equal(scsi_allocation_bytes(cdb), 0);
    scsi_cdb_read_capacity_10(cdb);
    assert_int_equal(cdb[0], 0x25);
}

static void codes_have_words(void **state)
{
    (void)state;
    assert_string_equal(scsi_status_word(SCSI_RESERVATION_CONFLICT), "RESERVATION CONFLICT");
    assert_string_equal(scsi_status_word(0x55), "status unknown");
    assert_string_equal(scsi_opcode_word(SCSI_COMPARE_AND_WRITE), "COMPARE AND WRITE");
    assert_string_equal(scsi_opcode_word(0xff), "operation code unknown");
    assert_string_equal(scsi_sense_key_word(SCSI_UNIT_ATTENTION), "UNIT ATTENTION");
    assert_string_equal(scsi_sense_key_word(9), "sense key unknown");
    assert_int_equal(scsi_cdb_bytes(SCSI_INQUIRY), 6);
    assert_int_equal(scsi_cdb_bytes(SCSI_READ_10), 10);
    assert_int_equal(scsi_cdb_bytes(SCSI_READ_16), 16);
    assert_int_equal(scsi_cdb_bytes(SCSI_REPORT_LUNS), 12);
    assert_int_equal(scsi_cdb_bytes(0x7f), 0);
    assert_int_equal(scsi_cdb_bytes(0xc0), 0);
}

int main(void)
{
    TEST(fixed_sense_is_laid_out_as_in_spc);
    TEST(descriptor_sense_is_laid_out_as_in_spc);
    TEST(sense_comes_back_and_may_be_cut_anywhere);
    TEST(a_large_lba_has_no_place_in_fixed_sense);
    TEST(any_sense_bytes_are_safe);
    TEST_ROWS(transfer_rows, transfers_are_laid_out_as_in_sbc);
    TEST(other_cdbs_are_no_transfers);
    TEST(allocation_lengths_are_found);
    TEST(codes_have_words);
    return TEST_RUN("iscsi.scsi");
}
