/* A volatile write cache (WCE = 1) whose power fails: what FUA, SYNCHRONIZE CACHE and verification
 * promise is there afterwards, and what nobody promised may be gone. DPO changes nothing.
 */
#include "tests/target/array.h"

#define BLOCKS 24u /* blocks that are written one by one, 8 apart */
#define FUA    0x08u
#define DPO    0x10u

static const uint8_t *block_of(uint8_t first)
{
    static uint8_t data[BLOCK_BYTES];

    for (size_t i = 0; i < BLOCK_BYTES; i++)
        data[i] = (uint8_t)(first + i * 3);
    return data;
}

static void put_lba(uint8_t *cdb, uint32_t lba)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 10:
    case 12:
        put_be32(cdb + 2, lba);
        break;
    default:
        put_be64(cdb + 2, lba);
        break;
    }
}

static void new_cached(struct array *array)
{
    array_new_with(array,
                   &(struct array_setup){.disk = {.is_thin = true, .has_write_cache = true}});
}

static void do_one(struct array *array, const uint8_t *cdb, const void *data, size_t bytes)
{
    assert_int_equal(array_end_of(array, array->a, cdb, data, bytes), 0);
}

static void write_plainly(struct array *array, uint32_t lba, uint8_t first)
{
    uint8_t cdb[16] = {0x2a, [8] = 1};

    put_lba(cdb, lba);
    do_one(array, cdb, block_of(first), BLOCK_BYTES);
}

static unsigned kept_after_crash(struct array *array)
{
    static struct answer there;
    unsigned kept = 0;

    device_crash(array->device);
    clear_attentions(array, array->a);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint8_t cdb[16] = {0x28, [8] = 1};

        put_lba(cdb, i * 8);
        array_do(array, array->a, cdb, NULL, 0, BLOCK_BYTES, &there);
        assert_int_equal(there.status, SCSI_GOOD);
        kept += memcmp(there.data, block_of((uint8_t)(i + 1)), BLOCK_BYTES) == 0;
    }
    return kept;
}

/* ---- commands that write ---- */

static struct write_row {
    const char *name;
    uint8_t cdb[16];
    bool is_double; /* COMPARE AND WRITE: zeros to compare with come first */
    bool is_kept;
} write_rows[] = {
    {"WRITE(10) is lost, in part", {0x2a, [8] = 1}, false, false},
    {"WRITE(10) with DPO is lost, in part", {0x2a, DPO, [8] = 1}, false, false},
    {"WRITE(10) with FUA is kept", {0x2a, FUA, [8] = 1}, false, true},
    {"WRITE(10) with DPO and FUA is kept", {0x2a, DPO | FUA, [8] = 1}, false, true},
    {"WRITE(12) with FUA is kept", {0xaa, FUA, [9] = 1}, false, true},
    {"WRITE(16) with FUA is kept", {0x8a, FUA, [13] = 1}, false, true},
    {"WRITE AND VERIFY(10) is kept", {0x2e, [8] = 1}, false, true},
    {"WRITE AND VERIFY(12) is kept", {0xae, [9] = 1}, false, true},
    {"WRITE AND VERIFY(16) is kept", {0x8e, [13] = 1}, false, true},
    {"WRITE ATOMIC(16) is kept", {0x9c, [13] = 1}, false, true},
    {"ORWRITE(16) is lost, in part", {0x8b, [13] = 1}, false, false},
    {"ORWRITE(16) with FUA is kept", {0x8b, FUA, [13] = 1}, false, true},
    {"COMPARE AND WRITE is lost, in part", {0x89, [13] = 1}, true, false},
    {"COMPARE AND WRITE with FUA is kept", {0x89, FUA, [13] = 1}, true, true},
};

static void keeps_what_it_promised(void **state)
{
    const struct write_row *row = *state;
    struct array array;
    uint8_t data[2 * BLOCK_BYTES] = {0};
    size_t bytes = row->is_double ? sizeof(data) : BLOCK_BYTES;

    new_cached(&array);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint8_t cdb[16];

        memcpy(cdb, row->cdb, sizeof(cdb));
        put_lba(cdb, i * 8);
        memcpy(data + (row->is_double ? BLOCK_BYTES : 0), block_of((uint8_t)(i + 1)), BLOCK_BYTES);
        do_one(&array, cdb, data, bytes);
    }
    unsigned kept = kept_after_crash(&array);

    if (row->is_kept)
        assert_int_equal(kept, BLOCKS);
    else
        assert_in_range(kept, 1, BLOCKS - 1); /* any subset: neither all nor nothing, here */
    array_free(&array);
}

/* ---- commands that bring to the medium what they look at ---- */

static struct look_row {
    const char *name;
    uint8_t cdb[16];
    bool has_data;
    bool is_kept;
} look_rows[] = {
    {"READ(10) promises nothing", {0x28, [8] = 1}, false, false},
    {"READ(10) with DPO promises nothing", {0x28, DPO, [8] = 1}, false, false},
    {"READ(10) with FUA is of the medium", {0x28, FUA, [8] = 1}, false, true},
    {"READ(12) with FUA is of the medium", {0xa8, FUA, [9] = 1}, false, true},
    {"READ(16) with FUA is of the medium", {0x88, FUA, [13] = 1}, false, true},
    {"VERIFY(10) is of the medium", {0x2f, [8] = 1}, false, true},
    {"VERIFY(10) with BYTCHK is of the medium", {0x2f, 0x02, [8] = 1}, true, true},
    {"VERIFY(16) is of the medium", {0x8f, [13] = 1}, false, true},
    {"SYNCHRONIZE CACHE(10) brings it there", {0x35, [8] = 1}, false, true},
    {"SYNCHRONIZE CACHE(16) brings it there", {0x91, [13] = 1}, false, true},
};

static void looks_at_the_medium(void **state)
{
    const struct look_row *row = *state;
    struct array array;

    new_cached(&array);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        static struct answer answer;
        const uint8_t *data = block_of((uint8_t)(i + 1));
        uint8_t cdb[16];

        write_plainly(&array, i * 8, (uint8_t)(i + 1));
        memcpy(cdb, row->cdb, sizeof(cdb));
        put_lba(cdb, i * 8);
        array_do(&array, array.a, cdb, row->has_data ? data : NULL, row->has_data ? BLOCK_BYTES : 0,
                 BLOCK_BYTES, &answer);
        assert_int_equal(answer.status, SCSI_GOOD);
        if (answer.bytes > 0)
            assert_memory_equal(answer.data, block_of((uint8_t)(i + 1)), BLOCK_BYTES);
    }
    unsigned kept = kept_after_crash(&array);

    if (row->is_kept)
        assert_int_equal(kept, BLOCKS);
    else
        assert_in_range(kept, 1, BLOCKS - 1);
    array_free(&array);
}

static void is_managed(struct scsi_tmf *tmf)
{
    assert_int_equal(tmf->response, TMF_FUNCTION_COMPLETE);
}

static void an_aborted_read_with_fua_ends_once(void **state)
{
    (void)state;
    for (int64_t wait_ns = 0; wait_ns <= US(300); wait_ns += US(25)) {
        struct array array;
        struct scsi_task task;
        struct scsi_tmf tmf = {.function = TMF_ABORT_TASK, .on_done = is_managed};

        new_cached(&array);
        write_plainly(&array, 0, 1);
        task_prepare(&array, &task, array.a, (const uint8_t[16]){0x28, FUA, [8] = 1}, NULL, 0,
                     BLOCK_BYTES);
        assert_int_equal(device_start(array.device, &task), TASK_WAITS);
        array_run(&array, wait_ns);
        if (!is_told(&task)) {
            tmf.nexus = array.a;
            tmf.task = &task;
            (void)device_manage(array.device, &tmf);
        }
        array_run(&array, MS(10));
        assert_true(is_told(&task));
        task_fini(&task);
        array_free(&array);
    }
}

int main(void)
{
    TEST_ROWS(write_rows, keeps_what_it_promised);
    TEST_ROWS(look_rows, looks_at_the_medium);
    TEST(an_aborted_read_with_fua_ends_once);
    return TEST_RUN("target.cache");
}
