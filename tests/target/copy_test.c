/* EXTENDED COPY: within a disk and between two, what it refuses, and what can be asked later. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define BAD_FIELD       CHECK(5, 0x2400)
#define BAD_PARAMETER   CHECK(5, 0x2600)
#define BAD_LENGTH      CHECK(5, 0x1a00)
#define ABORTED         CHECK(0xa, 0x0000)
#define UNREACHABLE     CHECK(0xa, 0x0d02)
#define NAA(lun)        (UINT64_C(0x3000000000000a00) + (lun))
#define MOST_CSCDS      16u
#define MOST_SEGMENTS   16u

static struct answer answer;

/* Two disks: the usual one, and LUN 1 of 4096-byte blocks. */
struct pair {
    struct array array;
    struct memory_store *second;
};

static void open_pair(struct pair *pair)
{
    array_new_with(&pair->array, &(struct array_setup){.disk = {.naa_id = NAA(0)}});
    pair->second = memory_store_new(&(struct memory_store_config){.bytes = 1u << 20},
                                    &pair->array.queue.clock, pair->array.pool);
    device_add_disk(pair->array.device, 1,
                    &(struct disk_config){.name = "second",
                                          .naa_id = NAA(1),
                                          .store = memory_store_interface(pair->second),
                                          .block_bytes = 4096});
    clear_attentions(&pair->array, pair->array.a);
    clear_attentions(&pair->array, pair->array.b);
    for (unsigned i = 0; i < 5; i++) {
        array_do_at(&pair->array, pair->array.a, UINT64_C(1) << 48, (uint8_t[16]){0}, NULL, 0, 0,
                    &answer);
        array_do_at(&pair->array, pair->array.b, UINT64_C(1) << 48, (uint8_t[16]){0}, NULL, 0, 0,
                    &answer);
    }
}

static void close_pair(struct pair *pair)
{
    struct array *array = &pair->array;

    device_nexus_free(array->device, array->a);
    device_nexus_free(array->device, array->b);
    array->a = array->b = NULL;
    array_run(array, SECONDS(1));
    device_free(array->device);
    media_free(array->media);
    memory_store_free(array->memory);
    memory_store_free(pair->second);
    assert_int_equal(pool_live_bufs(array->pool), 0);
    assert_int_equal(pool_live_chunks(array->pool), 0);
    pool_free(array->pool);
    event_queue_fini(&array->queue);
}

/* A parameter list being put together. */
struct list {
    uint8_t data[4096];
    uint32_t bytes;
};

static void add_cscd(struct list *list, uint64_t naa, uint32_t block_bytes)
{
    uint8_t *to = list->data + list->bytes;

    to[0] = 0xe4;
    to[4] = 1; /* binary */
    to[5] = 3; /* NAA, of the unit */
    to[7] = 8;
    put_be64(to + 8, naa);
    put_be24(to + 29, block_bytes);
    list->bytes += 32;
    put_be16(list->data + 2, (uint16_t)(get_be16(list->data + 2) + 32));
}

static void list_new(struct list *list, uint8_t id)
{
    memset(list, 0, sizeof(*list));
    list->data[0] = id;
    list->bytes = 16;
}

/* As after list_new(): disk 0 is CSCD 0, disk 1 is CSCD 1. */
static void list_open(struct list *list, uint8_t id)
{
    list_new(list, id);
    add_cscd(list, NAA(0), 512);
    add_cscd(list, NAA(1), 4096);
}

static void add_segment(struct list *list, uint16_t from, uint16_t to, uint16_t blocks,
                        uint64_t from_lba, uint64_t to_lba)
{
    uint8_t *d = list->data + list->bytes;

    d[0] = 0x02;
    put_be16(d + 2, 24);
    put_be16(d + 4, from);
    put_be16(d + 6, to);
    put_be16(d + 10, blocks);
    put_be64(d + 12, from_lba);
    put_be64(d + 20, to_lba);
    list->bytes += 28;
    put_be32(list->data + 8, get_be32(list->data + 8) + 28);
}

static uint32_t copy_by(struct pair *pair, struct nexus *nexus, const struct list *list)
{
    uint8_t cdb[16] = {SCSI_EXTENDED_COPY};

    put_be32(cdb + 10, list->bytes);
    array_do(&pair->array, nexus, cdb, list->data, list->bytes, list->bytes, &answer);
    return answer.status == SCSI_CHECK_CONDITION ? answer.sense : (uint32_t)answer.status << 24;
}

static uint32_t copy(struct pair *pair, const struct list *list)
{
    return copy_by(pair, pair->array.a, list);
}

/* Block i of the first disk is filled with i + 1 as far as 'blocks'. */
static void fill(struct pair *pair, unsigned blocks)
{
    uint8_t data[BLOCK_BYTES];
    uint8_t cdb[16] = {SCSI_WRITE_10, [8] = 1};

    for (unsigned i = 0; i < blocks; i++) {
        memset(data, (int)(i % 251 + 1), sizeof(data));
        put_be32(cdb + 2, i);
        assert_int_equal(array_end_of(&pair->array, pair->array.a, cdb, data, sizeof(data)), 0);
    }
}

static uint8_t first_byte(struct pair *pair, uint64_t lun, uint32_t lba)
{
    uint8_t cdb[16] = {SCSI_READ_10, [8] = 1};

    put_be32(cdb + 2, lba);
    array_do_at(&pair->array, pair->array.b, lun << 48, cdb, NULL, 0, 4096, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    return answer.data[0];
}

static void blocks_go_from_disk_to_disk(void **state)
{
    struct pair pair;
    struct list list;
    (void)state;

    open_pair(&pair);
    fill(&pair, 64);
    list_open(&list, 7);
    add_segment(&list, 0, 1, 32, 0, 2);  /* 4 blocks of 4096 */
    add_segment(&list, 1, 0, 1, 2, 100); /* and one of them back */
    assert_int_equal(copy(&pair, &list), 0);
    assert_int_equal(first_byte(&pair, 1, 2), 1);
    assert_int_equal(answer.data[512], 2);
    assert_int_equal(first_byte(&pair, 1, 5), 25);
    assert_int_equal(first_byte(&pair, 1, 6), 0);
    assert_int_equal(first_byte(&pair, 0, 100), 1);
    assert_int_equal(first_byte(&pair, 0, 107), 8);
    assert_int_equal(first_byte(&pair, 0, 108), 0);
    close_pair(&pair);
}

/* Several pieces, forwards and backwards over each other. */
static void what_overlaps_is_copied_as_it_was(void **state)
{
    static const int shifts[] = {3, -3};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
        struct pair pair;
        struct list list;

        open_pair(&pair);
        fill(&pair, 4500);
        list_open(&list, 1);
        add_segment(&list, 0, 0, 4400, 10, (uint64_t)(10 + shifts[i]));
        assert_int_equal(copy(&pair, &list), 0);
        for (unsigned block = 10; block < 4410; block += 77)
            assert_int_equal(first_byte(&pair, 0, (uint32_t)((int)block + shifts[i])),
                             block % 251 + 1);
        close_pair(&pair);
    }
}

static void bytes_are_copied_with_their_offsets(void **state)
{
    struct pair pair;
    struct list list;
    (void)state;

    open_pair(&pair);
    fill(&pair, 4);
    list_open(&list, 1);
    uint8_t *d = list.data + list.bytes;

    d[0] = 0x0a;
    put_be16(d + 2, 28);
    put_be16(d + 6, 1);
    put_be32(d + 8, 100);
    put_be64(d + 20, 3);
    put_be16(d + 28, 500); /* 12 bytes of block 0, 88 of block 1 */
    put_be16(d + 30, 10);
    list.bytes += 32;
    put_be32(list.data + 8, 32);
    assert_int_equal(copy(&pair, &list), 0);
    first_byte(&pair, 1, 3);
    assert_int_equal(answer.data[9], 0);
    assert_int_equal(answer.data[10], 1);
    assert_int_equal(answer.data[21], 1);
    assert_int_equal(answer.data[22], 2);
    assert_int_equal(answer.data[109], 2);
    assert_int_equal(answer.data[110], 0);
    close_pair(&pair);
}

static uint32_t status_of(struct pair *pair, struct nexus *nexus, uint8_t id)
{
    uint8_t cdb[16] = {SCSI_RECEIVE_COPY_RESULTS, 0, id, [13] = 64};

    array_do(&pair->array, nexus, cdb, NULL, 0, 64, &answer);
    return answer.status == SCSI_CHECK_CONDITION ? answer.sense : (uint32_t)answer.status << 24;
}

static void the_status_is_told_once_and_to_the_nexus_that_copied(void **state)
{
    struct pair pair;
    struct list list;
    (void)state;

    open_pair(&pair);
    fill(&pair, 8);
    list_open(&list, 42);
    add_segment(&list, 0, 1, 8, 0, 0);
    assert_int_equal(status_of(&pair, pair.array.a, 42), BAD_FIELD);
    assert_int_equal(copy(&pair, &list), 0);
    assert_int_equal(status_of(&pair, pair.array.b, 42), BAD_FIELD);
    assert_int_equal(status_of(&pair, pair.array.a, 42), 0);
    assert_int_equal(answer.bytes, 12);
    assert_int_equal(answer.data[4], 1); /* completed without errors */
    assert_int_equal(get_be16(answer.data + 5), 1);
    assert_int_equal(get_be32(answer.data + 8), 4096);
    assert_int_equal(status_of(&pair, pair.array.a, 42), BAD_FIELD);
    list.data[1] = 0x18; /* LIST ID USAGE 11b */
    assert_int_equal(copy(&pair, &list), 0);
    assert_int_equal(status_of(&pair, pair.array.a, 42), BAD_FIELD);
    list.data[1] = 0;
    list.data[list.bytes - 1] = 255; /* over the end of disk 1 */
    assert_int_equal(copy(&pair, &list), 0);
    put_be64(list.data + list.bytes - 8, 256);
    assert_int_equal(copy(&pair, &list), ABORTED);
    assert_int_equal(status_of(&pair, pair.array.a, 42), 0);
    assert_int_equal(answer.data[4], 2);
    close_pair(&pair);
}

static void aborted(struct scsi_tmf *tmf)
{
    (void)tmf;
}

static void an_aborted_copy_has_failed(void **state)
{
    struct pair pair;
    struct list list;
    struct scsi_task task;
    uint8_t cdb[16] = {SCSI_EXTENDED_COPY};
    (void)state;

    open_pair(&pair);
    list_open(&list, 5);
    add_segment(&list, 0, 1, 8, 0, 0);
    put_be32(cdb + 10, list.bytes);
    task_prepare(&pair.array, &task, pair.array.a, cdb, list.data, list.bytes, list.bytes);
    assert_int_equal(device_start(pair.array.device, &task), TASK_WAITS);
    assert_int_equal(copy(&pair, &list), CHECK(5, 0x0016)); /* it still runs */
    struct scsi_tmf tmf = {
        .nexus = pair.array.a, .function = TMF_ABORT_TASK_SET, .on_done = aborted};

    array_run(&pair.array, SECONDS(1));
    task_fini(&task);
    task_prepare(&pair.array, &task, pair.array.a, cdb, list.data, list.bytes, list.bytes);
    assert_int_equal(device_start(pair.array.device, &task), TASK_WAITS);
    device_manage(pair.array.device, &tmf);
    array_run(&pair.array, SECONDS(1));
    assert_true(task.is_aborted);
    task_fini(&task);
    assert_int_equal(status_of(&pair, pair.array.a, 5), 0);
    assert_int_equal(answer.data[4], 2);
    close_pair(&pair);
}

static void a_disk_that_may_not_be_used_is_unreachable(void **state)
{
    struct pair pair;
    struct list list;
    (void)state;

    open_pair(&pair);
    list_open(&list, 1);
    add_segment(&list, 0, 1, 8, 0, 0);
    array_do_at(&pair.array, pair.array.b, UINT64_C(1) << 48, (uint8_t[16]){SCSI_RESERVE_6}, NULL,
                0, 0, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(copy(&pair, &list), UNREACHABLE);
    array_do_at(&pair.array, pair.array.b, UINT64_C(1) << 48, (uint8_t[16]){SCSI_RELEASE_6}, NULL,
                0, 0, &answer);
    assert_int_equal(copy(&pair, &list), 0);
    list.data[16 + 8] ^= 1; /* another name */
    assert_int_equal(copy(&pair, &list), UNREACHABLE);
    list.data[16 + 8] ^= 1;
    list.data[16 + 64 + 5] = 2; /* the third of two CSCDs */
    assert_int_equal(copy(&pair, &list), CHECK(0xa, 0x0804));
    close_pair(&pair);
}

static void lists_are_checked_before_anything_is_copied(void **state)
{
    struct pair pair;
    struct list list;
    uint8_t cdb[16] = {SCSI_EXTENDED_COPY};
    (void)state;

    open_pair(&pair);
    assert_int_equal(array_end_of(&pair.array, pair.array.a, cdb, NULL, 0), 0); /* no list */
    list_new(&list, 1);
    assert_int_equal(copy(&pair, &list), 0); /* nothing to do */
    list.bytes = 15;
    assert_int_equal(copy(&pair, &list), BAD_LENGTH);
    list_open(&list, 1);
    list.bytes -= 1;
    assert_int_equal(copy(&pair, &list), BAD_LENGTH);
    list_open(&list, 1);
    list.data[16 + 32] = 0xe0;
    assert_int_equal(copy(&pair, &list), CHECK(5, 0x2607));
    list_open(&list, 1);
    add_segment(&list, 0, 1, 8, 0, 0);
    list.data[16 + 64] = 0x03;
    assert_int_equal(copy(&pair, &list), CHECK(5, 0x2609));
    list.data[16 + 64] = 0x02;
    list.data[16 + 64 + 3] = 23;
    assert_int_equal(copy(&pair, &list), BAD_PARAMETER);
    list.data[16 + 64 + 3] = 24;
    list.data[15] = 1; /* inline data */
    assert_int_equal(copy(&pair, &list), BAD_PARAMETER);
    list_new(&list, 1);
    for (unsigned i = 0; i < MOST_CSCDS + 1; i++)
        add_cscd(&list, NAA(0), 512);
    assert_int_equal(copy(&pair, &list), CHECK(5, 0x2606));
    list_open(&list, 1);
    for (unsigned i = 0; i < MOST_SEGMENTS + 1; i++)
        add_segment(&list, 0, 1, 8, 0, 0);
    assert_int_equal(copy(&pair, &list), CHECK(5, 0x2608));
    list_new(&list, 1);
    put_be32(list.data + 8, 2049); /* longer than the most, although nothing of it came */
    assert_int_equal(copy(&pair, &list), BAD_LENGTH);
    close_pair(&pair);
}

static void the_limits_are_told(void **state)
{
    struct pair pair;
    uint8_t cdb[16] = {SCSI_RECEIVE_COPY_RESULTS, 3, [13] = 255};
    (void)state;

    open_pair(&pair);
    array_do(&pair.array, pair.array.a, cdb, NULL, 0, 255, &answer);
    assert_int_equal(answer.bytes, 47);
    assert_int_equal(get_be32(answer.data), 43);
    assert_int_equal(get_be16(answer.data + 8), MOST_CSCDS);
    assert_int_equal(get_be16(answer.data + 10), MOST_SEGMENTS);
    assert_true(get_be32(answer.data + 12) >= (MOST_CSCDS + 1) * 32 + 28);
    assert_true(get_be32(answer.data + 12) >= (MOST_SEGMENTS + 1) * 32 + 32);
    close_pair(&pair);
}

int main(void)
{
    TEST(blocks_go_from_disk_to_disk);
    TEST(what_overlaps_is_copied_as_it_was);
    TEST(bytes_are_copied_with_their_offsets);
    TEST(the_status_is_told_once_and_to_the_nexus_that_copied);
    TEST(an_aborted_copy_has_failed);
    TEST(a_disk_that_may_not_be_used_is_unreachable);
    TEST(lists_are_checked_before_anything_is_copied);
    TEST(the_limits_are_told);
    return TEST_RUN("target.copy");
}
