/* An array for tests: two ports, a disk as LUN 0, two nexuses of different hosts that were told
 * their first unit attention. Commands run to their end in virtual time. */
#pragma once

#include <string.h>

#include "iscsi/scsi.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "target/device.h"
#include "target/media.h"
#include "target/memory_store.h"
#include "tests/test.h"

#define BLOCK_BYTES 512u
#define BLOCK_COUNT 16384u

/* A record that becomes durable after a while, unless told not to. */
struct test_record {
    struct record record;
    struct clock *clock;
    struct timer timer;
    struct record_done *done;
    uint8_t pending[1 << 16];
    size_t pending_bytes;
    uint8_t durable[1 << 16];
    size_t durable_bytes;
    bool fails;
    unsigned writes;
};

/* A store that answers a flush as late as any other, and has flushed nothing. */
struct hasty_store {
    struct store store;
    struct store *below;
};

struct array {
    struct event_queue queue;
    struct pool *pool;
    struct memory_store *memory;
    struct hasty_store hasty;
    struct media *media;
    struct test_record record;
    struct device *device;
    struct nexus *a; /* host 1 through portal 0 */
    struct nexus *b; /* host 2 through portal 1 */
};

/* What a test changes of the usual array. */
struct array_setup {
    struct disk_config disk;
    bool has_record;
    uint8_t tpgs;
    enum plant plant;
    bool keeps_attentions; /* of the nexuses */
    uint64_t seed;         /* of what a crash loses; 0: 1 */
    bool is_hasty;         /* nothing is ever flushed */
};

struct answer {
    uint8_t status;
    uint32_t sense; /* 0xKKAAQQ with CHECK CONDITION */
    struct scsi_sense details;
    uint64_t transfer_bytes;
    bool is_aborted;
    size_t bytes;
    uint8_t data[65536]; /* the beginning of the data-in */
};

static inline void test_record_fire(struct timer *timer)
{
    struct test_record *record = CONTAINER_OF(timer, struct test_record, timer);

    if (!record->fails) {
        memcpy(record->durable, record->pending, record->pending_bytes);
        record->durable_bytes = record->pending_bytes;
    }
    record->done->on_done(record->done, !record->fails);
}

static inline void test_record_write(struct record *interface, const void *data, size_t bytes,
                                     struct record_done *done)
{
    struct test_record *record = CONTAINER_OF(interface, struct test_record, record);

    assert_false(timer_is_armed(&record->timer)); /* one at a time */
    assert_true(bytes <= sizeof(record->pending));
    memcpy(record->pending, data, bytes);
    record->pending_bytes = bytes;
    record->done = done;
    record->writes++;
    clock_arm(record->clock, &record->timer, clock_now_ns(record->clock) + MS(2));
}

static inline size_t test_record_read(struct record *interface, void *ret_data, size_t max_bytes)
{
    struct test_record *record = CONTAINER_OF(interface, struct test_record, record);
    size_t bytes = record->durable_bytes < max_bytes ? record->durable_bytes : max_bytes;

    memcpy(ret_data, record->durable, bytes);
    return record->durable_bytes;
}

static const struct record_ops test_record_ops = {test_record_write, test_record_read};

static inline void hasty_submit(struct store *store, struct store_request *request)
{
    struct hasty_store *hasty = CONTAINER_OF(store, struct hasty_store, store);

    if (request->op == STORE_FLUSH) {
        request->op = STORE_MAP;
        request->bytes = BLOCK_BYTES;
    }
    store_submit(hasty->below, request);
}

static inline void hasty_crash(struct store *store)
{
    store_crash(CONTAINER_OF(store, struct hasty_store, store)->below);
}

static const struct store_ops hasty_ops = {.submit = hasty_submit, .crash = hasty_crash};

static inline void note_done(struct scsi_task *task)
{
    task->tag |= UINT64_C(1) << 63;
}

static inline bool is_told(const struct scsi_task *task)
{
    return task->tag >> 63;
}

static inline void array_run(struct array *array, int64_t span_ns)
{
    event_queue_run(&array->queue, clock_now_ns(&array->queue.clock) + span_ns, UINT64_MAX);
}

/* A task with the CDB and a copy of the data-out, ready to start. */
static inline void task_prepare(struct array *array, struct scsi_task *task, struct nexus *nexus,
                                const uint8_t *cdb, const void *data_out, size_t out_bytes,
                                uint64_t expected_bytes)
{
    task_init(task);
    task->nexus = nexus;
    memcpy(task->cdb, cdb, TASK_CDB_BYTES);
    task->data_out = buf_copy(array->pool, data_out, out_bytes);
    task->expected_bytes = expected_bytes;
    task->on_done = note_done;
}

static inline void take_answer(struct scsi_task *task, struct answer *ret_answer)
{
    size_t bytes = buf_bytes(task->data_in);

    *ret_answer = (struct answer){.status = task->status,
                                  .transfer_bytes = task->transfer_bytes,
                                  .is_aborted = task->is_aborted,
                                  .bytes = bytes};
    buf_read(task->data_in, 0, ret_answer->data,
             bytes < sizeof(ret_answer->data) ? bytes : sizeof(ret_answer->data));
    if (task->status == SCSI_CHECK_CONDITION &&
        scsi_sense_parse(task->sense, task->sense_bytes, &ret_answer->details))
        ret_answer->sense =
            (uint32_t)ret_answer->details.key << 16 | scsi_sense_asc(&ret_answer->details);
    task_fini(task);
}

/* Runs a command to its end. */
static inline void array_do_at(struct array *array, struct nexus *nexus, uint64_t lun,
                               const uint8_t *cdb, const void *data_out, size_t out_bytes,
                               uint64_t expected_bytes, struct answer *ret_answer)
{
    struct scsi_task task;

    task_prepare(array, &task, nexus, cdb, data_out, out_bytes, expected_bytes);
    task.lun = lun;
    if (device_start(array->device, &task) == TASK_WAITS) {
        assert_false(is_told(&task));
        array_run(array, SECONDS(1));
        assert_true(is_told(&task));
    }
    take_answer(&task, ret_answer);
}

static inline void array_do(struct array *array, struct nexus *nexus, const uint8_t *cdb,
                            const void *data_out, size_t out_bytes, uint64_t expected_bytes,
                            struct answer *ret_answer)
{
    array_do_at(array, nexus, 0, cdb, data_out, out_bytes, expected_bytes, ret_answer);
}

/* Only what it ended in: 0 for GOOD, 0xKKAAQQ of the sense, or the status << 24. */
static inline uint32_t array_end_of(struct array *array, struct nexus *nexus, const uint8_t *cdb,
                                    const void *data_out, size_t out_bytes)
{
    static struct answer answer;

    array_do(array, nexus, cdb, data_out, out_bytes, out_bytes ? out_bytes : 65536, &answer);
    return answer.status == SCSI_CHECK_CONDITION ? answer.sense : (uint32_t)answer.status << 24;
}
#define CONFLICT ((uint32_t)SCSI_RESERVATION_CONFLICT << 24)

static inline uint32_t array_test_unit(struct array *array, struct nexus *nexus)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_test_unit_ready(cdb);
    return array_end_of(array, nexus, cdb, NULL, 0);
}

static inline struct nexus *array_login(struct array *array, const char *initiator, uint8_t isid,
                                        uint16_t portal_group_tag)
{
    struct nexus_config config = {.initiator_name = initiator,
                                  .isid = {0x80, 0, 0, 0, 0, isid},
                                  .portal_group_tag = portal_group_tag,
                                  .portal_index = portal_group_tag - 1u};

    return device_nexus_new(array->device, &config);
}

static inline void clear_attentions(struct array *array, struct nexus *nexus)
{
    for (int i = 0; i < 5 && array_test_unit(array, nexus) != 0; i++)
        continue;
}

static inline void array_new_with(struct array *array, const struct array_setup *setup)
{
    static const struct port_config ports[] = {{1, 1, 1}, {2, 2, 2}};
    struct disk_config disk = setup->disk;

    memset(array, 0, sizeof(*array));
    event_queue_init(&array->queue);
    array->pool = pool_new();
    struct memory_store_config memory = {.bytes = BLOCK_COUNT * BLOCK_BYTES,
                                         .has_volatile_cache = disk.has_write_cache};

    random_init(&memory.random, setup->seed ? setup->seed : 1, "memory");
    array->memory = memory_store_new(&memory, &array->queue.clock, array->pool);
    struct store *store = memory_store_interface(array->memory);

    array->hasty = (struct hasty_store){{.ops = &hasty_ops, .bytes = store->bytes}, store};
    array->media = media_new(&(struct media_model){US(100), US(100), 4}, &array->queue.clock,
                             setup->is_hasty ? &array->hasty.store : store);
    array->record.record.ops = &test_record_ops;
    array->record.clock = &array->queue.clock;
    timer_init(&array->record.timer, test_record_fire);
    array->device = device_new(&(struct device_config){.target_name = "iqn.2024-01.lab:san1",
                                                       .vendor = "ISCSILAB",
                                                       .product = "Virtual Disk",
                                                       .revision = "0001",
                                                       .ports = ports,
                                                       .port_count = ARRAY_SIZE(ports),
                                                       .tpgs = setup->tpgs,
                                                       .plant = setup->plant},
                               &array->queue.clock, array->pool);
    disk.name = disk.name ? disk.name : "data";
    disk.store = media_interface(array->media);
    disk.block_bytes = disk.block_bytes ? disk.block_bytes : BLOCK_BYTES;
    disk.reservations = setup->has_record ? &array->record.record : NULL;
    device_add_disk(array->device, 0, &disk);
    array->a = array_login(array, "iqn.2024-01.lab:hv1", 1, 1);
    array->b = array_login(array, "iqn.2024-01.lab:hv2", 2, 2);
    if (!setup->keeps_attentions) {
        clear_attentions(array, array->a);
        clear_attentions(array, array->b);
    }
}

static inline void array_new(struct array *array)
{
    array_new_with(array, &(struct array_setup){.tpgs = 1});
}

/* All is given back, 'more' too, which is the store of another disk or NULL. Nexuses that the test
 * freed itself are NULL. */
static inline void array_free_with(struct array *array, struct memory_store *more)
{
    if (array->a)
        device_nexus_free(array->device, array->a);
    if (array->b)
        device_nexus_free(array->device, array->b);
    array_run(array, SECONDS(1));
    assert_int_equal(device_live_tasks(array->device), 0);
    assert_int_equal(device_live_nexuses(array->device), 0);
    device_free(array->device);
    media_free(array->media);
    memory_store_free(array->memory);
    memory_store_free(more);
    assert_int_equal(pool_live_chunks(array->pool), 0);
    assert_int_equal(pool_live_bufs(array->pool), 0);
    assert_int_equal(pool_live_blocks(array->pool), 0);
    pool_free(array->pool);
    event_queue_fini(&array->queue);
}

static inline void array_free(struct array *array)
{
    array_free_with(array, NULL);
}
