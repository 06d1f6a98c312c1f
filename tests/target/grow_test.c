/* A disk that grows, and disks that come, while hosts use the array (SPC-4, SBC-3: what they are
 * told, and that nothing of what is under way suffers). */
#include "tests/target/array.h"

#define CAPACITY_CHANGED 0x062a09u
#define LUNS_CHANGED     0x063f0eu
#define POWER_ON         0x062900u
#define OUT_OF_RANGE     0x052100u

static struct array array;

static uint64_t blocks(struct nexus *nexus)
{
    static struct answer answer;
    uint8_t cdb[SCSI_CDB_BYTES] = {0x9e, 0x10, [13] = 32};

    array_do(&array, nexus, cdb, NULL, 0, 32, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    return get_be64(answer.data) + 1;
}

static uint32_t write_at(struct nexus *nexus, uint64_t lba, uint8_t value)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x8a, [13] = 1};
    uint8_t data[BLOCK_BYTES];

    memset(data, value, sizeof(data));
    put_be64(cdb + 2, lba);
    return array_end_of(&array, nexus, cdb, data, sizeof(data));
}

static void grow_to(uint64_t block_count)
{
    memory_store_grow(array.memory, block_count * BLOCK_BYTES);
    media_grow(array.media);
    device_grow_disk(array.device, 0, block_count * BLOCK_BYTES);
}

static void all_hosts_are_told_of_the_new_size_once(void **state)
{
    (void)state;
    array_new(&array);
    assert_int_equal(write_at(array.a, BLOCK_COUNT, 7), OUT_OF_RANGE);
    grow_to(BLOCK_COUNT * 5);
    assert_int_equal(array_test_unit(&array, array.a), CAPACITY_CHANGED);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), CAPACITY_CHANGED);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(blocks(array.b), BLOCK_COUNT * 5);
    assert_int_equal(write_at(array.a, BLOCK_COUNT * 5 - 1, 7), 0);
    assert_int_equal(write_at(array.a, BLOCK_COUNT * 5, 7), OUT_OF_RANGE);
    array_free(&array);
}

/* INQUIRY and REPORT LUNS neither tell nor take a unit attention away (SPC-4, 5.10). */
static void an_inquiry_leaves_the_news_waiting(void **state)
{
    uint8_t inquiry[SCSI_CDB_BYTES] = {0x12, [4] = 36};

    (void)state;
    array_new(&array);
    grow_to(BLOCK_COUNT * 2);
    assert_int_equal(array_end_of(&array, array.a, inquiry, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.a), CAPACITY_CHANGED);
    array_free(&array);
}

static void what_is_under_way_ends_as_it_would_have(void **state)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x88, [13] = 1};
    struct scsi_task task;
    struct answer answer;

    (void)state;
    array_new(&array);
    assert_int_equal(write_at(array.a, BLOCK_COUNT - 1, 9), 0);
    put_be64(cdb + 2, BLOCK_COUNT - 1);
    task_prepare(&array, &task, array.a, cdb, NULL, 0, BLOCK_BYTES);
    assert_int_equal(device_start(array.device, &task), TASK_WAITS);
    grow_to(BLOCK_COUNT * 9);
    array_run(&array, SECONDS(1));
    assert_true(is_told(&task));
    take_answer(&task, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.bytes, BLOCK_BYTES);
    assert_int_equal(answer.data[0], 9);
    array_free(&array);
}

/* The per-disk state of each nexus moves when disks come; a task of that moment does not care. */
static void a_disk_may_come_while_commands_are_under_way(void **state)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x88, [13] = 1};
    struct memory_store_config config = {.bytes = 1 << 20};
    struct scsi_task task;
    struct answer answer;

    (void)state;
    array_new(&array);
    random_init(&config.random, 1, "late");
    struct memory_store *late = memory_store_new(&config, &array.queue.clock, array.pool);

    task_prepare(&array, &task, array.a, cdb, NULL, 0, BLOCK_BYTES);
    assert_int_equal(device_start(array.device, &task), TASK_WAITS);
    device_add_disk(array.device, 200,
                    &(struct disk_config){.name = "late",
                                          .store = memory_store_interface(late),
                                          .block_bytes = BLOCK_BYTES});
    array_run(&array, SECONDS(1));
    assert_true(is_told(&task));
    take_answer(&task, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(array_test_unit(&array, array.a), LUNS_CHANGED);
    assert_int_equal(array_test_unit(&array, array.a), 0);

    uint8_t ready[SCSI_CDB_BYTES] = {0};

    array_do_at(&array, array.b, UINT64_C(200) << 48 | UINT64_C(1) << 62, ready, NULL, 0, 0,
                &answer);
    assert_int_equal(answer.sense, POWER_ON);
    array_free_with(&array, late);
}

int main(void)
{
    TEST(all_hosts_are_told_of_the_new_size_once);
    TEST(an_inquiry_leaves_the_news_waiting);
    TEST(what_is_under_way_ends_as_it_would_have);
    TEST(a_disk_may_come_while_commands_are_under_way);
    return TEST_RUN("target.grow");
}
