/* Blocks in and out: every form of CDB, residuals, write protection, media errors, no copies. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))

static uint8_t pattern[256 * BLOCK_BYTES];

static void fill_pattern(uint8_t salt)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i / BLOCK_BYTES * 7 + i + salt);
}

static struct form {
    const char *name;
    uint8_t write_opcode;
    uint8_t read_opcode;
    uint64_t lba;
    uint32_t blocks;
} forms[] = {
    {"6 bytes", SCSI_WRITE_6, SCSI_READ_6, 5, 3},
    {"6 bytes, 256 blocks", SCSI_WRITE_6, SCSI_READ_6, 1, 256},
    {"10 bytes", SCSI_WRITE_10, SCSI_READ_10, BLOCK_COUNT - 8, 8},
    {"12 bytes", SCSI_WRITE_12, SCSI_READ_12, 13, 9},
    {"16 bytes", SCSI_WRITE_16, SCSI_READ_16, 4095, 17},
};

static void what_one_path_writes_the_other_reads(void **state)
{
    static struct answer answer;
    const struct form *form = *state;
    struct array array;
    struct scsi_transfer transfer = {
        .opcode = form->write_opcode, .lba = form->lba, .blocks = form->blocks};
    uint8_t cdb[SCSI_CDB_BYTES];
    size_t bytes = (size_t)form->blocks * BLOCK_BYTES;

    array_new(&array);
    fill_pattern(form->write_opcode);
    scsi_transfer_build(&transfer, cdb);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb), bytes);
    assert_int_equal(array_end_of(&array, array.a, cdb, pattern, bytes), 0);
    transfer.opcode = form->read_opcode;
    scsi_transfer_build(&transfer, cdb);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb), 0);
    array_do(&array, array.b, cdb, NULL, 0, bytes, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.bytes, bytes);
    assert_memory_equal(answer.data, pattern,
                        bytes < sizeof(answer.data) ? bytes : sizeof(answer.data));
    array_free(&array);
}

/* RFC 7143, 11.4.5: EDTL and the CDB disagree. */
static struct residual {
    const char *name;
    uint8_t cdb[16];
    size_t out_bytes;
    uint64_t expected_bytes;
    uint32_t end;
    uint64_t transfer_bytes; /* of the CDB */
    uint64_t in_bytes;       /* what is there to send */
    unsigned blocks_written;
} residuals[] = {
    {"a read that nobody expects", {0x28, [8] = 1}, 0, 0, 0, 512, 0, 0},
    {"a read of less than expected", {0x28, [8] = 1}, 0, 10000, 0, 512, 512, 0},
    {"a read of a part of a block", {0x28, [8] = 1}, 0, 200, 0, 512, 200, 0},
    {"a read of half of the blocks", {0x28, [8] = 2}, 0, 512, 0, 1024, 512, 0},
    {"a write without data", {0x2a, [8] = 1}, 0, 0, 0, 512, 0, 0},
    {"a write of more than the CDB takes", {0x2a, [8] = 1}, 1024, 10000, 0, 512, 0, 1},
    {"a write of some whole blocks", {0x2a, [8] = 4}, 1024, 1024, 0, 2048, 0, 2},
    {"a write of a part of a block", {0x2a, [8] = 1}, 200, 200, CHECK(5, 0x0e03), 512, 0, 0},
    {"a write of a block and a half", {0x2a, [8] = 2}, 768, 768, CHECK(5, 0x0e03), 1024, 0, 0},
    {"a read with data-out discards it", {0x28, [8] = 1}, 512, 512, 0, 512, 512, 0},
};

static unsigned blocks_that_hold_pattern(struct array *array)
{
    static struct answer answer;
    unsigned count = 0;

    array_do(array, array->a, (uint8_t[16]){0x28, [8] = 8}, NULL, 0, 8 * BLOCK_BYTES, &answer);
    assert_int_equal(answer.bytes, 8 * BLOCK_BYTES);
    for (unsigned block = 0; block < 8; block++)
        count += memcmp(answer.data + block * BLOCK_BYTES, pattern + block * BLOCK_BYTES,
                        BLOCK_BYTES) == 0;
    return count;
}

static void a_residual_is_told_and_nothing_is_half_written(void **state)
{
    static struct answer answer;
    const struct residual *row = *state;
    struct array array;

    array_new(&array);
    fill_pattern(1);
    array_do(&array, array.a, row->cdb, pattern, row->out_bytes, row->expected_bytes, &answer);
    assert_int_equal(answer.status, row->end ? SCSI_CHECK_CONDITION : SCSI_GOOD);
    assert_int_equal(answer.sense, row->end);
    assert_int_equal(answer.transfer_bytes, row->transfer_bytes);
    assert_int_equal(answer.bytes, row->in_bytes);
    assert_int_equal(blocks_that_hold_pattern(&array), row->blocks_written);
    array_free(&array);
}

static void a_read_hands_out_the_pages_of_the_store(void **state)
{
    struct array array;
    struct scsi_task first;
    struct scsi_task second;
    uint8_t cdb[16] = {0x28, [8] = 8};
    (void)state;

    array_new(&array);
    fill_pattern(3);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x2a, [8] = 8}, pattern, 4096), 0);
    task_prepare(&array, &first, array.a, cdb, NULL, 0, 4096);
    task_prepare(&array, &second, array.b, cdb, NULL, 0, 4096);
    assert_int_equal(device_start(array.device, &first), TASK_WAITS);
    assert_int_equal(device_start(array.device, &second), TASK_WAITS);
    assert_int_equal(device_live_tasks(array.device), 2);
    array_run(&array, US(100));
    assert_ptr_equal(first.data_in->chunk, second.data_in->chunk);
    assert_null(first.data_in->next);
    task_fini(&first);
    task_fini(&second);
    array_free(&array);
}

static struct protected_row {
    const char *name;
    uint8_t cdb[16];
    size_t out_bytes;
    uint32_t end;
} protected_rows[] = {
    {"WRITE(10)", {0x2a, [8] = 1}, 512, CHECK(7, 0x2700)},
    {"WRITE(10) without data", {0x2a, [8] = 1}, 0, CHECK(7, 0x2700)},
    {"a range error is found first", {0x2a, [4] = 0xff, [8] = 1}, 512, CHECK(5, 0x2100)},
    {"UNMAP", {0x42, [8] = 24}, 24, CHECK(7, 0x2700)},
    {"READ(10) goes on", {0x28, [8] = 1}, 0, 0},
};

static void a_read_only_disk_keeps_what_it_has(void **state)
{
    static struct answer answer;
    const struct protected_row *row = *state;
    struct array array;

    array_new_with(&array, &(struct array_setup){.disk = {.is_read_only = true, .is_thin = true}});
    fill_pattern(5);
    assert_int_equal(array_end_of(&array, array.a, row->cdb, pattern, row->out_bytes), row->end);
    array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0x0a, 0, 255}, NULL, 0, 255, &answer);
    assert_int_equal(answer.data[2] & 0x80, 0x80); /* WP */
    assert_int_equal(memory_store_pages(array.memory), 0);
    array_free(&array);
}

/* The device goes before the store that it uses. */
static void free_array_with(struct array *array, struct memory_store *more)
{
    device_nexus_free(array->device, array->a);
    device_nexus_free(array->device, array->b);
    device_free(array->device);
    memory_store_free(more);
    media_free(array->media);
    memory_store_free(array->memory);
    assert_int_equal(pool_live_chunks(array->pool), 0);
    pool_free(array->pool);
    event_queue_fini(&array->queue);
}

static void too_long_a_transfer_is_refused_at_its_length(void **state)
{
    static struct answer answer;
    struct array array;
    struct memory_store *large;
    uint8_t cdb[16] = {0x8a, [11] = 1, [13] = 1}; /* 65537 blocks */
    (void)state;

    array_new(&array);
    large = memory_store_new(&(struct memory_store_config){.bytes = UINT64_C(1) << 40},
                             &array.queue.clock, array.pool);
    device_add_disk(array.device, 1,
                    &(struct disk_config){.name = "large",
                                          .store = memory_store_interface(large),
                                          .block_bytes = 512});
    uint64_t lun = UINT64_C(1) << 48;

    clear_attentions(&array, array.a);
    array_do_at(&array, array.a, lun, (uint8_t[16]){0}, NULL, 0, 0, &answer); /* its 6/29/00 */
    assert_int_equal(device_data_out_bytes(array.device, lun, cdb), 0);
    array_do_at(&array, array.a, lun, cdb, NULL, 0, 512, &answer);
    assert_int_equal(answer.sense, CHECK(5, 0x2400));
    assert_int_equal(answer.details.field_pointer, 10);
    array_do_at(&array, array.a, lun, (uint8_t[16]){0x25}, NULL, 0, 8, &answer);
    assert_int_equal(get_be32(answer.data), (UINT64_C(1) << 31) - 1);
    array_do_at(&array, array.a, lun, (uint8_t[16]){0x88, [11] = 1}, NULL, 0, UINT64_C(1) << 25,
                &answer);
    assert_int_equal(answer.bytes, UINT64_C(1) << 25);
    free_array_with(&array, large);
}

static void a_bad_spot_is_told_with_its_lba(void **state)
{
    static struct answer answer;
    struct array array;
    struct media_failure bad = {
        .offset = 11 * BLOCK_BYTES, .bytes = 1, .fails_reads = true, .fails_writes = true};
    (void)state;

    array_new(&array);
    fill_pattern(9);
    media_failure_add(array.media, &bad);
    array_do(&array, array.a, (uint8_t[16]){0x28, [5] = 8, [8] = 8}, NULL, 0, 4096, &answer);
    assert_int_equal(answer.sense, CHECK(3, 0x1100));
    assert_true(answer.details.has_information);
    assert_int_equal(answer.details.information, 11);
    assert_int_equal(answer.bytes, 0);
    array_do(&array, array.a, (uint8_t[16]){0x2a, [5] = 8, [8] = 8}, pattern, 4096, 4096, &answer);
    assert_int_equal(answer.sense, CHECK(3, 0x0c00));
    array_do(&array, array.a, (uint8_t[16]){0x28, [5] = 7, [8] = 1}, NULL, 0, 512, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    array_free(&array);
}

static void put_extent(uint8_t *list, unsigned index, uint64_t lba, uint32_t blocks)
{
    put_be64(list + 8 + 16 * index, lba);
    put_be32(list + 16 + 16 * index, blocks);
    put_be16(list, (uint16_t)(6 + 16 * (index + 1)));
    put_be16(list + 2, (uint16_t)(16 * (index + 1)));
}

static void unmap_returns_blocks_to_zero(void **state)
{
    static struct answer answer;
    struct array array;
    uint8_t list[8 + 3 * 16] = {0};
    uint8_t cdb[16] = {0x42, [8] = sizeof(list)};
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.is_thin = true}});
    fill_pattern(1);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x2a, [8] = 32}, pattern, 16384),
                     0);
    put_extent(list, 0, 0, 8);
    put_extent(list, 1, BLOCK_COUNT, 0);
    put_extent(list, 2, 9, 1);
    assert_int_equal(device_data_out_bytes(array.device, 0, cdb), sizeof(list));
    assert_int_equal(array_end_of(&array, array.a, cdb, list, sizeof(list)), 0);
    assert_int_equal(memory_store_pages(array.memory), 3);
    array_do(&array, array.b, (uint8_t[16]){0x28, [8] = 16}, NULL, 0, 8192, &answer);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(answer.data[i], 0);
    assert_memory_equal(answer.data + 4096, pattern + 4096, 512);
    assert_int_equal(answer.data[9 * 512 + 7], 0);
    assert_memory_equal(answer.data + 5120, pattern + 5120, 3072);
    put_extent(list, 2, BLOCK_COUNT - 1, 2);
    assert_int_equal(array_end_of(&array, array.a, cdb, list, sizeof(list)), CHECK(5, 0x2100));
    cdb[8] = 7;
    assert_int_equal(array_end_of(&array, array.a, cdb, list, 7), CHECK(5, 0x1a00));
    array_free(&array);
}

int main(void)
{
    TEST_ROWS(forms, what_one_path_writes_the_other_reads);
    TEST_ROWS(residuals, a_residual_is_told_and_nothing_is_half_written);
    TEST(a_read_hands_out_the_pages_of_the_store);
    TEST_ROWS(protected_rows, a_read_only_disk_keeps_what_it_has);
    TEST(too_long_a_transfer_is_refused_at_its_length);
    TEST(a_bad_spot_is_told_with_its_lba);
    TEST(unmap_returns_blocks_to_zero);
    return TEST_RUN("target.rw");
}
