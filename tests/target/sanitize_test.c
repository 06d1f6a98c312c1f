/* SANITIZE: what it leaves on the medium, what is answered meanwhile, and that nothing stops it. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define BAD_FIELD       CHECK(5, 0x2400)
#define IN_PROGRESS     CHECK(2, 0x041b)
#define FAILED          CHECK(3, 0x3103)

enum { OVERWRITE = 1, BLOCK_ERASE = 2, CRYPTO_ERASE = 3, EXIT_FAILURE = 0x1f, IMMED = 0x80 };

static struct answer answer;

static uint32_t end_of(struct array *array, struct nexus *nexus, const uint8_t *cdb,
                       const void *data, size_t bytes)
{
    array_do(array, nexus, cdb, data, bytes, bytes ? bytes : 65536, &answer);
    return answer.status == SCSI_CHECK_CONDITION ? answer.sense : (uint32_t)answer.status << 24;
}

static uint32_t read_blocks(struct array *array, uint32_t lba, uint16_t blocks)
{
    uint8_t cdb[16] = {SCSI_READ_10};

    put_be32(cdb + 2, lba);
    put_be16(cdb + 7, blocks);
    return end_of(array, array->b, cdb, NULL, 0);
}

static void write_block(struct array *array, uint32_t lba)
{
    uint8_t cdb[16] = {SCSI_WRITE_10, [8] = 1};
    uint8_t data[BLOCK_BYTES];

    memset(data, 0x5a, sizeof(data));
    put_be32(cdb + 2, lba);
    assert_int_equal(end_of(array, array->a, cdb, data, sizeof(data)), 0);
}

static void open_array(struct array *array, int64_t least_ns)
{
    array_new_with(array, &(struct array_setup){.disk = {.is_thin = true, .sanitize_ns = least_ns},
                                                .tpgs = 1});
    write_block(array, 0);
    write_block(array, BLOCK_COUNT - 1);
}

static uint32_t sanitize(struct array *array, uint8_t byte_1, const void *list, uint8_t bytes)
{
    return end_of(array, array->a, (uint8_t[16]){SCSI_SANITIZE, byte_1, [8] = bytes}, list, bytes);
}

static void holds_everywhere(struct array *array, const uint8_t *block)
{
    static const uint32_t places[] = {0, 1, 2047, 2048, BLOCK_COUNT - 1};

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        assert_int_equal(read_blocks(array, places[i], 1), 0);
        assert_memory_equal(answer.data, block, BLOCK_BYTES);
    }
}

static void an_overwrite_leaves_its_pattern(void **state)
{
    struct array array;
    uint8_t block[BLOCK_BYTES];
    (void)state;

    for (unsigned passes = 1; passes <= 2; passes++) {
        /* INVERT, so that the last of two passes leaves the inverse. */
        uint8_t list[] = {(uint8_t)(0x80 | passes), 0, 0, 3, 0x11, 0x22, 0x33};

        open_array(&array, 0);
        assert_int_equal(sanitize(&array, OVERWRITE, list, sizeof(list)), 0);
        assert_false(device_is_sanitizing(array.device));
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = (uint8_t)(passes == 1 ? list[4 + i % 3] : ~list[4 + i % 3]);
        holds_everywhere(&array, block);
        assert_int_equal(memory_store_pages(array.memory), BLOCK_COUNT / 8); /* all mapped */
        array_free(&array);
    }
}

static struct erase {
    const char *name;
    uint8_t action;
} erases[] = {{"block erase", BLOCK_ERASE}, {"cryptographic erase", CRYPTO_ERASE}};

static void an_erase_leaves_nothing(void **state)
{
    const struct erase *erase = *state;
    struct array array;
    uint8_t zeros[BLOCK_BYTES] = {0};

    open_array(&array, 0);
    assert_int_equal(sanitize(&array, erase->action, NULL, 0), 0);
    assert_int_equal(memory_store_pages(array.memory), 0);
    holds_everywhere(&array, zeros);
    array_free(&array);
    array_new(&array); /* fully provisioned: there is no such action */
    assert_int_equal(sanitize(&array, erase->action, NULL, 0), BAD_FIELD);
    assert_int_equal(answer.details.field_pointer, 1);
    array_free(&array);
}

static void little_is_answered_meanwhile(void **state)
{
    struct array array;
    (void)state;

    open_array(&array, SECONDS(10));
    assert_int_equal(sanitize(&array, IMMED | BLOCK_ERASE, NULL, 0), 0);
    array_run(&array, SECONDS(4));
    assert_int_equal(array_test_unit(&array, array.b), IN_PROGRESS);
    assert_int_equal(end_of(&array, array.b, (uint8_t[16]){SCSI_TEST_UNIT_READY}, NULL, 0),
                     IN_PROGRESS);
    assert_true(answer.details.has_progress);
    assert_in_range(answer.details.progress, 65536 * 4 / 10, 65536 * 7 / 10);
    assert_int_equal(read_blocks(&array, 0, 1), IN_PROGRESS);
    assert_int_equal(sanitize(&array, IMMED | BLOCK_ERASE, NULL, 0), IN_PROGRESS);
    assert_int_equal(end_of(&array, array.b, (uint8_t[16]){SCSI_START_STOP_UNIT, [4] = 1}, NULL, 0),
                     IN_PROGRESS);
    assert_int_equal(end_of(&array, array.b, (uint8_t[16]){SCSI_INQUIRY, [4] = 96}, NULL, 0), 0);
    assert_int_equal(end_of(&array, array.b, (uint8_t[16]){SCSI_REPORT_LUNS, [9] = 96}, NULL, 0),
                     0);
    assert_int_equal(end_of(&array, array.b, (uint8_t[16]){SCSI_REQUEST_SENSE, [4] = 252}, NULL, 0),
                     0);
    assert_int_equal(answer.data[2] & 0x0f, SCSI_NOT_READY);
    assert_int_equal(get_be16(answer.data + 12), 0x041b);
    assert_int_equal(answer.data[15] & 0x80, 0x80); /* SKSV: with the progress */
    array_run(&array, SECONDS(10));
    assert_int_equal(array_test_unit(&array, array.b), 0);
    array_free(&array);
}

static void managed(struct scsi_tmf *tmf)
{
    assert_int_equal(tmf->response, TMF_FUNCTION_COMPLETE);
}

static void nothing_stops_it(void **state)
{
    static const enum tmf_function functions[] = {TMF_ABORT_TASK_SET, TMF_LOGICAL_UNIT_RESET,
                                                  TMF_TARGET_WARM_RESET, TMF_TARGET_COLD_RESET};
    struct array array;
    struct scsi_task task;
    uint8_t zeros[BLOCK_BYTES] = {0};
    (void)state;

    open_array(&array, SECONDS(10));
    task_prepare(&array, &task, array.a, (uint8_t[16]){SCSI_SANITIZE, BLOCK_ERASE}, NULL, 0, 0);
    assert_int_equal(device_start(array.device, &task), TASK_WAITS);
    /* IMMED is 0, and still nobody waits behind it. */
    assert_int_equal(array_test_unit(&array, array.b), IN_PROGRESS);
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        struct scsi_tmf tmf = {.nexus = array.a, .function = functions[i], .on_done = managed};

        device_manage(array.device, &tmf);
        array_run(&array, MS(200));
        assert_true(is_told(&task));
        assert_true(task.is_aborted);
        assert_true(device_is_sanitizing(array.device));
    }
    task_fini(&task);
    device_nexus_free(array.device, array.a);
    array.a = array_login(&array, "iqn.2024-01.lab:hv1", 1, 1);
    device_crash(array.device);
    clear_attentions(&array, array.a);
    clear_attentions(&array, array.b);
    assert_int_equal(array_test_unit(&array, array.a), IN_PROGRESS);
    array_run(&array, SECONDS(10));
    assert_int_equal(array_test_unit(&array, array.a), 0);
    holds_everywhere(&array, zeros);
    array_free(&array);
}

static void a_crash_in_the_middle_of_it_loses_no_piece(void **state)
{
    struct array array;
    uint8_t list[] = {1, 0, 0, 1, 0xc3};
    uint8_t block[BLOCK_BYTES];
    (void)state;

    open_array(&array, 0);
    memset(block, 0xc3, sizeof(block));
    struct scsi_task task;

    task_prepare(&array, &task, array.a, (uint8_t[16]){SCSI_SANITIZE, IMMED | OVERWRITE, [8] = 5},
                 list, sizeof(list), sizeof(list));
    assert_int_equal(device_start(array.device, &task), TASK_DONE);
    task_fini(&task);
    array_run(&array, US(350)); /* the fourth of eight pieces is in service */
    assert_true(device_is_sanitizing(array.device));
    device_crash(array.device);
    array_run(&array, SECONDS(1));
    assert_false(device_is_sanitizing(array.device));
    clear_attentions(&array, array.b);
    holds_everywhere(&array, block);
    array_free(&array);
}

static void a_failed_one_must_be_left(void **state)
{
    struct array array;
    struct media_failure failure = {.offset = 5000 * BLOCK_BYTES, .bytes = 1, .fails_writes = true};
    (void)state;

    open_array(&array, 0);
    media_failure_add(array.media, &failure);
    assert_int_equal(sanitize(&array, BLOCK_ERASE, NULL, 0), FAILED);
    assert_int_equal(array_test_unit(&array, array.a), FAILED);
    assert_int_equal(sanitize(&array, EXIT_FAILURE, NULL, 0), BAD_FIELD); /* AUSE was 0 */
    assert_int_equal(sanitize(&array, 0x20 | BLOCK_ERASE, NULL, 0), FAILED);
    assert_int_equal(sanitize(&array, EXIT_FAILURE, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    media_failure_remove(array.media, &failure);
    assert_int_equal(sanitize(&array, BLOCK_ERASE, NULL, 0), 0);
    array_free(&array);
}

static struct bad {
    const char *name;
    uint8_t cdb[16];
    uint8_t list[8];
    uint8_t bytes;
    uint32_t end;
} bads[] = {
    {"a reserved bit of byte 1", {0x48, 0x42}, {0}, 0, BAD_FIELD},
    {"a reserved byte", {0x48, 2, 0, 1}, {0}, 0, BAD_FIELD},
    {"an unknown action", {0x48, 4}, {0}, 0, BAD_FIELD},
    {"a list with an erase", {0x48, 2, [8] = 4}, {0}, 4, BAD_FIELD},
    {"a list with exit failure mode", {0x48, 0x1f, [8] = 4}, {0}, 4, BAD_FIELD},
    {"an overwrite without a list", {0x48, 1}, {0}, 0, BAD_FIELD},
    {"a list without a pattern", {0x48, 1, [8] = 4}, {1}, 4, BAD_FIELD},
    {"a list above a block", {0x48, 1, [7] = 2, [8] = 5}, {1}, 8, BAD_FIELD},
    {"a list that did not come", {0x48, 1, [8] = 8}, {1, 0, 0, 4}, 5, BAD_FIELD},
    {"no passes", {0x48, 1, [8] = 5}, {0, 0, 0, 1, 9}, 5, CHECK(5, 0x2600)},
    {"another pattern length than the list's",
     {0x48, 1, [8] = 5},
     {1, 0, 0, 2, 9},
     5,
     CHECK(5, 0x2600)},
};

static void a_bad_request_starts_nothing(void **state)
{
    const struct bad *bad = *state;
    struct array array;

    open_array(&array, 0);
    assert_int_equal(end_of(&array, array.a, bad->cdb, bad->list, bad->bytes), bad->end);
    assert_false(device_is_sanitizing(array.device));
    assert_int_equal(read_blocks(&array, 0, 1), 0);
    assert_int_equal(answer.data[0], 0x5a);
    array_free(&array);
}

int main(void)
{
    TEST(an_overwrite_leaves_its_pattern);
    TEST_ROWS(erases, an_erase_leaves_nothing);
    TEST(little_is_answered_meanwhile);
    TEST(nothing_stops_it);
    TEST(a_crash_in_the_middle_of_it_loses_no_piece);
    TEST(a_failed_one_must_be_left);
    TEST_ROWS(bads, a_bad_request_starts_nothing);
    return TEST_RUN("target.sanitize");
}
