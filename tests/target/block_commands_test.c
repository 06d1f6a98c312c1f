/* The block commands beyond reading and writing: verification, repeated blocks, atomic steps,
 * provisioning status, and mode parameters that change. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define BAD_FIELD       CHECK(5, 0x2400)
#define BAD_PARAMETER   CHECK(5, 0x2600)
#define OUT_OF_RANGE    CHECK(5, 0x2100)
#define MISCOMPARE      CHECK(0xe, 0x1d00)
#define PROTECTED       CHECK(7, 0x2700)

static struct answer answer;

/* A CDB of 10, 12 or 16 bytes with its LBA and length. */
static const uint8_t *cdb_of(uint8_t opcode, uint8_t byte_1, uint64_t lba, uint32_t blocks)
{
    static uint8_t cdb[SCSI_CDB_BYTES];

    memset(cdb, 0, sizeof(cdb));
    cdb[0] = opcode;
    cdb[1] = byte_1;
    switch (scsi_cdb_bytes(opcode)) {
    case 10:
        put_be32(cdb + 2, (uint32_t)lba);
        put_be16(cdb + 7, (uint16_t)blocks);
        break;
    case 12:
        put_be32(cdb + 2, (uint32_t)lba);
        put_be32(cdb + 6, blocks);
        break;
    default:
        put_be64(cdb + 2, lba);
        put_be32(cdb + 10, blocks);
        break;
    }
    return cdb;
}

static const uint8_t *blocks_of(uint8_t first, size_t blocks)
{
    static uint8_t data[64 * BLOCK_BYTES];

    assert_true(blocks * BLOCK_BYTES <= sizeof(data));
    for (size_t i = 0; i < blocks * BLOCK_BYTES; i++)
        data[i] = (uint8_t)(first + i / BLOCK_BYTES + i % BLOCK_BYTES * 3);
    return data;
}

static uint32_t end_of(struct array *array, const uint8_t *cdb, const void *data, size_t bytes)
{
    array_do(array, array->a, cdb, data, bytes, bytes, &answer);
    return answer.status == SCSI_CHECK_CONDITION ? answer.sense : (uint32_t)answer.status << 24;
}

static void write_blocks(struct array *array, uint64_t lba, const void *data, uint32_t blocks)
{
    assert_int_equal(
        end_of(array, cdb_of(SCSI_WRITE_16, 0, lba, blocks), data, (size_t)blocks * BLOCK_BYTES),
        0);
}

static void holds(struct array *array, uint64_t lba, const void *data, uint32_t blocks)
{
    static struct answer there;

    array_do(array, array->b, cdb_of(SCSI_READ_16, 0, lba, blocks), NULL, 0, blocks * BLOCK_BYTES,
             &there);
    assert_int_equal(there.status, SCSI_GOOD);
    assert_memory_equal(there.data, data, (size_t)blocks * BLOCK_BYTES);
}

static void new_thin(struct array *array)
{
    array_new_with(array, &(struct array_setup){.disk = {.is_thin = true,
                                                         .has_write_cache = true,
                                                         .physical_block_exponent = 3}});
}

/* The three lengths of CDB. */
static struct family {
    const char *name;
    uint8_t verify;
    uint8_t write_and_verify;
} families[] = {
    {"10 bytes", SCSI_VERIFY_10, SCSI_WRITE_AND_VERIFY_10},
    {"12 bytes", SCSI_VERIFY_12, SCSI_WRITE_AND_VERIFY_12},
    {"16 bytes", SCSI_VERIFY_16, SCSI_WRITE_AND_VERIFY_16},
};

static void verify_compares_what_it_is_asked_to(void **state)
{
    const struct family *f = *state;
    struct array array;
    uint8_t other[8 * BLOCK_BYTES];

    new_thin(&array);
    memcpy(other, blocks_of(1, 8), sizeof(other));
    write_blocks(&array, 100, other, 8);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x00, 100, 8), NULL, 0), 0);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb_of(f->verify, 0x00, 100, 8)), 0);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb_of(f->verify, 0x02, 100, 8)),
                     8 * BLOCK_BYTES);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x02, 100, 8), other, sizeof(other)), 0);
    other[5 * BLOCK_BYTES + 17] ^= 1;
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x12, 100, 8), other, sizeof(other)),
                     MISCOMPARE);
    assert_true(answer.details.has_information);
    assert_int_equal(answer.details.information, 5 * BLOCK_BYTES + 17);
    /* BYTCHK 11b: each block with the one of the data-out. */
    write_blocks(&array, 200, blocks_of(9, 1), 1);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x06, 200, 1), blocks_of(9, 1), BLOCK_BYTES),
                     0);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x06, 200, 2), blocks_of(9, 1), BLOCK_BYTES),
                     MISCOMPARE);
    assert_int_equal(answer.details.information, BLOCK_BYTES);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x04, 100, 1), NULL, 0), BAD_FIELD);
    assert_int_equal(answer.details.field_pointer, 1);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0, BLOCK_COUNT - 1, 2), NULL, 0),
                     OUT_OF_RANGE);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0, BLOCK_COUNT, 0), NULL, 0), 0);
    assert_int_equal(end_of(&array, cdb_of(f->verify, 0x20, 100, 1), NULL, 0), BAD_FIELD);
    array_free(&array);
}

static void verify_finds_what_cannot_be_read(void **state)
{
    struct array array;
    struct media_failure failure = {.offset = 3000 * BLOCK_BYTES, .bytes = 1, .fails_reads = true};
    (void)state;

    new_thin(&array);
    assert_int_equal(end_of(&array, cdb_of(SCSI_VERIFY_16, 0, 0, BLOCK_COUNT), NULL, 0), 0);
    media_failure_add(array.media, &failure);
    assert_int_equal(end_of(&array, cdb_of(SCSI_VERIFY_16, 0, 0, BLOCK_COUNT), NULL, 0),
                     CHECK(3, 0x1100));
    assert_int_equal(answer.details.information, 3000);
    media_failure_remove(array.media, &failure);
    array_free(&array);
}

static void write_and_verify_writes(void **state)
{
    const struct family *f = *state;
    struct array array;
    uint8_t data[8 * BLOCK_BYTES];

    new_thin(&array);
    memcpy(data, blocks_of(40, 8), sizeof(data));
    assert_int_equal(end_of(&array, cdb_of(f->write_and_verify, 0x12, 64, 8), data, sizeof(data)),
                     0);
    assert_int_equal(answer.transfer_bytes, sizeof(data));
    holds(&array, 64, data, 8);
    assert_int_equal(end_of(&array, cdb_of(f->write_and_verify, 0x00, 80, 8), data, sizeof(data)),
                     0);
    holds(&array, 80, data, 8);
    assert_int_equal(end_of(&array, cdb_of(f->write_and_verify, 0x06, 80, 8), data, sizeof(data)),
                     BAD_FIELD);
    array_free(&array);
}

static void compare_and_write_is_one_step(void **state)
{
    struct array array;
    uint8_t data[4 * BLOCK_BYTES];
    uint8_t cdb[16] = {SCSI_COMPARE_AND_WRITE, [9] = 10, [13] = 2};
    (void)state;

    new_thin(&array);
    write_blocks(&array, 10, blocks_of(1, 2), 2);
    memcpy(data, blocks_of(1, 2), 2 * BLOCK_BYTES);
    memcpy(data + 2 * BLOCK_BYTES, blocks_of(77, 2), 2 * BLOCK_BYTES);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb), sizeof(data));
    assert_int_equal(end_of(&array, cdb, data, sizeof(data)), 0);
    holds(&array, 10, blocks_of(77, 2), 2);
    /* Once more: the medium is another now, and stays as it is. */
    assert_int_equal(end_of(&array, cdb, data, sizeof(data)), MISCOMPARE);
    assert_int_equal(answer.details.information, 0);
    holds(&array, 10, blocks_of(77, 2), 2);
    memcpy(data, blocks_of(77, 2), 2 * BLOCK_BYTES);
    data[2 * BLOCK_BYTES - 1] ^= 0x80;
    assert_int_equal(end_of(&array, cdb, data, sizeof(data)), MISCOMPARE);
    assert_int_equal(answer.details.information, 2 * BLOCK_BYTES - 1);
    /* The data are twice the blocks, exactly. */
    assert_int_equal(end_of(&array, cdb, data, 2 * BLOCK_BYTES), BAD_FIELD);
    cdb[13] = 0;
    assert_int_equal(end_of(&array, cdb, data, BLOCK_BYTES), BAD_FIELD);
    assert_int_equal(end_of(&array, cdb, NULL, 0), 0);
    put_be64(cdb + 2, UINT64_MAX);
    cdb[13] = 2;
    assert_int_equal(end_of(&array, cdb, data, sizeof(data)), OUT_OF_RANGE);
    array_free(&array);
}

/* Of two that compare with the same, one wins. */
static void two_nexuses_that_compare_and_write_do_not_both_win(void **state)
{
    struct array array;
    struct scsi_task tasks[2];
    uint8_t cdb[16] = {SCSI_COMPARE_AND_WRITE, [13] = 1};
    uint8_t data[2][2 * BLOCK_BYTES] = {{0}};
    (void)state;

    new_thin(&array);
    for (unsigned i = 0; i < 2; i++) {
        data[i][BLOCK_BYTES] = (uint8_t)(i + 1);
        task_prepare(&array, &tasks[i], i == 0 ? array.a : array.b, cdb, data[i], sizeof(data[i]),
                     sizeof(data[i]));
        assert_int_equal(device_start(array.device, &tasks[i]), TASK_WAITS);
    }
    array_run(&array, SECONDS(1));
    assert_int_equal(tasks[0].status, SCSI_GOOD);
    assert_int_equal(tasks[1].status, SCSI_CHECK_CONDITION);
    for (unsigned i = 0; i < 2; i++)
        task_fini(&tasks[i]);
    holds(&array, 0, data[0] + BLOCK_BYTES, 1);
    array_free(&array);
}

static void or_write_sets_bits(void **state)
{
    struct array array;
    uint8_t data[2 * BLOCK_BYTES];
    (void)state;

    new_thin(&array);
    memset(data, 0x0f, sizeof(data));
    write_blocks(&array, 7, data, 2);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    assert_int_equal(end_of(&array, cdb_of(SCSI_ORWRITE_16, 0x18, 7, 2), data, sizeof(data)), 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i | 0x0f);
    holds(&array, 7, data, 2);
    assert_int_equal(end_of(&array, cdb_of(SCSI_ORWRITE_16, 0x20, 7, 2), data, sizeof(data)),
                     BAD_FIELD);
    array_free(&array);
}

static void write_atomic_keeps_its_limits(void **state)
{
    struct array array;
    uint8_t cdb[16] = {SCSI_WRITE_ATOMIC_16, [9] = 3, [13] = 2};
    (void)state;

    new_thin(&array);
    assert_int_equal(end_of(&array, cdb, blocks_of(5, 2), 2 * BLOCK_BYTES), 0);
    holds(&array, 3, blocks_of(5, 2), 2);
    cdb[13] = 0;
    assert_int_equal(end_of(&array, cdb, NULL, 0), 0);
    put_be16(cdb + 12, UINT16_MAX);
    put_be64(cdb + 2, 0);
    assert_int_equal(end_of(&array, cdb, NULL, 0), OUT_OF_RANGE); /* wins over too long */
    put_be16(cdb + 12, 1);
    cdb[11] = 1; /* ATOMIC BOUNDARY: not supported, says VPD B0h */
    assert_int_equal(end_of(&array, cdb, blocks_of(5, 1), BLOCK_BYTES), BAD_FIELD);
    array_do(&array, array.a, (uint8_t[16]){0x12, 1, 0xb0, 0, 255}, NULL, 0, 255, &answer);
    assert_int_equal(answer.bytes, 64);
    assert_true(get_be32(answer.data + 44) >= 512);                       /* atomic length */
    assert_true(get_be32(answer.data + 44) <= get_be32(answer.data + 8)); /* transfer length */
    array_free(&array);
}

static struct same {
    const char *name;
    uint8_t opcode;
} sames[] = {{"10 bytes", SCSI_WRITE_SAME_10}, {"16 bytes", SCSI_WRITE_SAME_16}};

static void write_same_repeats_a_block(void **state)
{
    const struct same *same = *state;
    struct array array;
    uint8_t wanted[4 * BLOCK_BYTES];

    new_thin(&array);
    for (unsigned i = 0; i < 4; i++)
        memcpy(wanted + i * BLOCK_BYTES, blocks_of(3, 1), BLOCK_BYTES);
    /* More than one request to the store: 2500 blocks are 1.2 MiB. */
    assert_int_equal(
        end_of(&array, cdb_of(same->opcode, 0, 50, 2500), blocks_of(3, 1), BLOCK_BYTES), 0);
    holds(&array, 50, wanted, 4);
    holds(&array, 50 + 2046, wanted, 4);
    holds(&array, 50 + 2496, wanted, 4);
    memset(wanted, 0, sizeof(wanted));
    holds(&array, 46, wanted, 4);
    holds(&array, 2550, wanted, 4);
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0, 0, 0), blocks_of(3, 1), BLOCK_BYTES),
                     BAD_FIELD); /* WSNZ */
    assert_int_equal(
        end_of(&array, cdb_of(same->opcode, 0, BLOCK_COUNT - 1, 2), blocks_of(3, 1), BLOCK_BYTES),
        OUT_OF_RANGE);
    assert_int_equal(
        end_of(&array, cdb_of(same->opcode, 0, 0, 1), blocks_of(3, 2), 2 * BLOCK_BYTES), BAD_FIELD);
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0, 0, 1), NULL, 0), BAD_FIELD);
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0x10, 0, 1), blocks_of(3, 1), BLOCK_BYTES),
                     BAD_FIELD); /* ANCHOR */
    array_free(&array);
}

static void write_same_unmaps_zeros_only(void **state)
{
    const struct same *same = *state;
    struct array array;
    uint8_t zeros[BLOCK_BYTES] = {0};

    new_thin(&array);
    write_blocks(&array, 0, blocks_of(1, 64), 64);
    assert_int_equal(memory_store_pages(array.memory), 8);
    assert_int_equal(
        end_of(&array, cdb_of(same->opcode, 0x08, 0, 64), blocks_of(3, 1), BLOCK_BYTES), 0);
    assert_int_equal(memory_store_pages(array.memory), 8); /* a pattern is written */
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0, 0, 64), zeros, sizeof(zeros)), 0);
    assert_int_equal(memory_store_pages(array.memory), 8); /* zeros, but mapped */
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0x08, 0, 64), zeros, sizeof(zeros)), 0);
    assert_int_equal(memory_store_pages(array.memory), 0);
    array_free(&array);
    array_new(&array); /* fully provisioned */
    assert_int_equal(end_of(&array, cdb_of(same->opcode, 0x08, 0, 64), zeros, sizeof(zeros)),
                     BAD_FIELD);
    array_free(&array);
}

static void write_same_without_data_writes_zeros(void **state)
{
    struct array array;
    uint8_t zeros[8 * BLOCK_BYTES] = {0};
    (void)state;

    new_thin(&array);
    write_blocks(&array, 0, blocks_of(1, 16), 16);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_SAME_16, 0x01, 4, 8), NULL, 0), 0);
    holds(&array, 4, zeros, 8);
    holds(&array, 12, blocks_of(13, 4), 4);
    array_free(&array);
}

/* Start, blocks and state of each descriptor. */
static void lba_status_is(struct array *array, uint64_t lba, uint32_t allocation,
                          const uint64_t (*wanted)[3], size_t count)
{
    uint8_t cdb[16] = {SCSI_SERVICE_ACTION_IN_16, SCSI_SA_GET_LBA_STATUS};

    put_be64(cdb + 2, lba);
    put_be32(cdb + 10, allocation);
    array_do(array, array->a, cdb, NULL, 0, allocation, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.bytes, 8 + 16 * count);
    assert_int_equal(get_be32(answer.data), answer.bytes - 4);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *descriptor = answer.data + 8 + 16 * i;

        assert_int_equal(get_be64(descriptor), wanted[i][0]);
        assert_int_equal(get_be32(descriptor + 8), wanted[i][1]);
        assert_int_equal(descriptor[12], wanted[i][2]);
    }
}

static void lba_status_follows_what_is_mapped(void **state)
{
    struct array array;
    (void)state;

    new_thin(&array);
    lba_status_is(&array, 0, 256, (const uint64_t[][3]){{0, BLOCK_COUNT, 1}}, 1);
    write_blocks(&array, 800, blocks_of(1, 8), 8);
    write_blocks(&array, 816, blocks_of(1, 16), 16);
    lba_status_is(
        &array, 0, 256,
        (const uint64_t[][3]){
            {0, 800, 1}, {800, 8, 0}, {808, 8, 1}, {816, 16, 0}, {832, BLOCK_COUNT - 832, 1}},
        5);
    lba_status_is(&array, 803, 24, (const uint64_t[][3]){{808, 8, 1}}, 1); /* whole ones only */
    lba_status_is(&array, BLOCK_COUNT - 1, 256, (const uint64_t[][3]){{BLOCK_COUNT - 1, 1, 1}}, 1);
    uint8_t cdb[16] = {SCSI_SERVICE_ACTION_IN_16, SCSI_SA_GET_LBA_STATUS, [13] = 24};

    put_be64(cdb + 2, BLOCK_COUNT);
    assert_int_equal(end_of(&array, cdb, NULL, 0), OUT_OF_RANGE);
    put_be64(cdb + 2, 0);
    cdb[13] = 3;
    array_do(&array, array.a, cdb, NULL, 0, 3, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.bytes, 3);
    cdb[13] = 0;
    array_do(&array, array.a, cdb, NULL, 0, 0, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    array_free(&array);
    array_new(&array);
    assert_int_equal(end_of(&array, cdb, NULL, 0), BAD_FIELD); /* no such action without it */
    array_free(&array);
}

static void pre_fetch_and_defects_answer(void **state)
{
    struct array array;
    (void)state;

    new_thin(&array);
    assert_int_equal(end_of(&array, cdb_of(SCSI_PRE_FETCH_10, 0x02, 0, 8), NULL, 0), 0);
    assert_int_equal(end_of(&array, cdb_of(SCSI_PRE_FETCH_16, 0, BLOCK_COUNT, 0), NULL, 0), 0);
    assert_int_equal(end_of(&array, cdb_of(SCSI_PRE_FETCH_16, 0, BLOCK_COUNT, 1), NULL, 0),
                     OUT_OF_RANGE);
    array_do(&array, array.a, (uint8_t[16]){SCSI_READ_DEFECT_DATA_10, 0, 0x1d, [8] = 32}, NULL, 0,
             32, &answer);
    assert_int_equal(answer.bytes, 4);
    assert_int_equal(answer.data[1], 0x1d);
    assert_int_equal(get_be16(answer.data + 2), 0);
    array_do(&array, array.a, (uint8_t[16]){SCSI_READ_DEFECT_DATA_12, 0x18, [9] = 32}, NULL, 0, 32,
             &answer);
    assert_int_equal(answer.bytes, 8);
    assert_int_equal(answer.data[1], 0x18);
    array_free(&array);
}

/* Mode parameters. */

/* SWP and D_SENSE as given, the rest as it is; 'save' sets SP. */
static uint32_t select_control(struct array *array, bool swp, bool d_sense, bool save)
{
    uint8_t list[4 + 12] = {0, 0, 0, 0, 0x0a, 0x0a};

    list[6] = d_sense ? 0x04 : 0;
    list[7] = 0x10;
    list[8] = swp ? 0x08 : 0;
    put_be16(list + 12, UINT16_MAX);
    return end_of(array, (uint8_t[16]){SCSI_MODE_SELECT_6, save ? 0x11 : 0x10, [4] = sizeof(list)},
                  list, sizeof(list));
}

static void software_write_protection_comes_and_goes(void **state)
{
    struct array array;
    (void)state;

    new_thin(&array);
    assert_int_equal(select_control(&array, true, false, false), 0);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2a01)); /* told once */
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     PROTECTED);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_SAME_10, 0, 0, 1), NULL, 0), PROTECTED);
    assert_int_equal(end_of(&array, cdb_of(SCSI_ORWRITE_16, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     PROTECTED);
    assert_int_equal(
        end_of(&array, cdb_of(SCSI_WRITE_AND_VERIFY_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
        PROTECTED);
    assert_int_equal(end_of(&array, cdb_of(SCSI_READ_10, 0, 0, 1), NULL, 0), 0);
    array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0x0a, 0, 255}, NULL, 0, 255, &answer);
    assert_int_equal(answer.data[2] & 0x80, 0x80); /* WP */
    assert_int_equal(select_control(&array, false, false, false), 0);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     0);
    array_free(&array);
}

static void reset_lun_0(struct array *array)
{
    struct scsi_tmf tmf = {.nexus = array->a, .function = TMF_LOGICAL_UNIT_RESET};

    assert_int_equal(device_manage(array->device, &tmf), TASK_DONE);
    clear_attentions(array, array->a);
    clear_attentions(array, array->b);
}

static void saved_values_outlive_a_reset_and_a_crash(void **state)
{
    struct array array;
    (void)state;

    new_thin(&array);
    assert_int_equal(select_control(&array, true, false, true), 0);
    assert_int_equal(select_control(&array, false, true, false), 0);
    /* D_SENSE: descriptor format, by what it says. */
    assert_int_equal(end_of(&array, cdb_of(SCSI_READ_10, 0, BLOCK_COUNT, 1), NULL, 0),
                     OUT_OF_RANGE);
    assert_true(answer.details.is_descriptor);
    array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0xca, 0, 255}, NULL, 0, 255, &answer);
    assert_int_equal(answer.data[4 + 4], 0x08); /* saved: SWP */
    assert_int_equal(answer.data[4 + 2], 0);    /* and not D_SENSE */
    reset_lun_0(&array);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     PROTECTED);
    assert_false(answer.details.is_descriptor);
    device_crash(array.device);
    clear_attentions(&array, array.a);
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     PROTECTED);
    array_free(&array);
}

static struct bad_list {
    const char *name;
    uint8_t byte_1;
    uint8_t list[40];
    uint8_t bytes;
    uint32_t end;
} bad_lists[] = {
    {"PF is not set", 0x00, {0}, 4, BAD_FIELD},
    {"shorter than its header", 0x10, {0}, 3, CHECK(5, 0x1a00)},
    {"a descriptor of 7 bytes", 0x10, {[3] = 7}, 12, BAD_PARAMETER},
    {"a descriptor that is cut off", 0x10, {[3] = 8}, 8, CHECK(5, 0x1a00)},
    {"another block length", 0x10, {[3] = 8, [10] = 0x10}, 12, BAD_PARAMETER},
    {"another capacity", 0x10, {[3] = 8, [7] = 1, [10] = 2}, 12, BAD_PARAMETER},
    {"an unknown page", 0x10, {[4] = 0x05, [5] = 2}, 8, BAD_PARAMETER},
    {"a subpage", 0x10, {[4] = 0x4a, [5] = 0x0a}, 16, BAD_PARAMETER},
    {"a page of another length", 0x10, {[4] = 0x0a, [5] = 0x09}, 16, BAD_PARAMETER},
    {"a page that is cut off", 0x10, {[4] = 0x0a, [5] = 0x0a, [7] = 0x10}, 15, CHECK(5, 0x1a00)},
    {"a page header that is cut off", 0x10, {[4] = 0x0a}, 5, CHECK(5, 0x1a00)},
    {"a bit that may not change",
     0x10,
     {[4] = 0x0a, [5] = 0x0a, [6] = 0x20, [7] = 0x10, [12] = 0xff, [13] = 0xff},
     16,
     BAD_PARAMETER},
    {"the first page is good, the second is not",
     0x10,
     {[4] = 0x0a, [5] = 0x0a, [7] = 0x10, [8] = 0x08, [12] = 0xff, [13] = 0xff, [16] = 0x3e},
     20,
     BAD_PARAMETER},
};

static void a_bad_list_changes_nothing(void **state)
{
    const struct bad_list *bad = *state;
    struct array array;
    uint8_t cdb[16] = {SCSI_MODE_SELECT_6, bad->byte_1, [4] = bad->bytes};

    new_thin(&array);
    assert_int_equal(end_of(&array, cdb, bad->list, bad->bytes), bad->end);
    assert_int_equal(array_test_unit(&array, array.b), 0); /* nothing to tell */
    assert_int_equal(end_of(&array, cdb_of(SCSI_WRITE_10, 0, 0, 1), blocks_of(1, 1), BLOCK_BYTES),
                     0);
    array_free(&array);
}

/* WCE off: what is acknowledged stays, without FUA. */
static void without_write_cache_nothing_acknowledged_is_lost(void **state)
{
    struct array array;
    uint8_t list[8 + 20] = {[8] = 0x08, [9] = 0x12};
    (void)state;

    for (unsigned wce = 0; wce < 2; wce++) {
        unsigned kept = 0;

        new_thin(&array);
        list[10] = wce ? 0x04 : 0;
        assert_int_equal(end_of(&array,
                                (uint8_t[16]){SCSI_MODE_SELECT_10, 0x10, [8] = sizeof(list)}, list,
                                sizeof(list)),
                         0);
        array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0x08, 0, 255}, NULL, 0, 255, &answer);
        assert_int_equal(answer.data[6] & 0x04, wce ? 0x04 : 0);
        for (unsigned i = 0; i < 16; i++)
            write_blocks(&array, i * 8, blocks_of((uint8_t)(i + 1), 1), 1);
        device_crash(array.device);
        clear_attentions(&array, array.a);
        clear_attentions(&array, array.b);
        for (unsigned i = 0; i < 16; i++) {
            static struct answer there;

            array_do(&array, array.b, cdb_of(SCSI_READ_10, 0, i * 8, 1), NULL, 0, BLOCK_BYTES,
                     &there);
            kept += memcmp(there.data, blocks_of((uint8_t)(i + 1), 1), BLOCK_BYTES) == 0;
        }
        if (wce)
            assert_true(kept < 16);
        else
            assert_int_equal(kept, 16);
        array_free(&array);
    }
}

int main(void)
{
    TEST_ROWS(families, verify_compares_what_it_is_asked_to);
    TEST(verify_finds_what_cannot_be_read);
    TEST_ROWS(families, write_and_verify_writes);
    TEST(compare_and_write_is_one_step);
    TEST(two_nexuses_that_compare_and_write_do_not_both_win);
    TEST(or_write_sets_bits);
    TEST(write_atomic_keeps_its_limits);
    TEST_ROWS(sames, write_same_repeats_a_block);
    TEST_ROWS(sames, write_same_unmaps_zeros_only);
    TEST(write_same_without_data_writes_zeros);
    TEST(lba_status_follows_what_is_mapped);
    TEST(pre_fetch_and_defects_answer);
    TEST(software_write_protection_comes_and_goes);
    TEST(saved_values_outlive_a_reset_and_a_crash);
    TEST_ROWS(bad_lists, a_bad_list_changes_nothing);
    TEST(without_write_cache_nothing_acknowledged_is_lost);
    return TEST_RUN("target.block_commands");
}
