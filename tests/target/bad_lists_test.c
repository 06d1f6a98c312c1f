/* CDBs and parameter lists whose lengths and counts lie, and what must never leave in an answer:
 * bytes that nobody wrote. docs/bad-inputs.md lists the classes.
 */
#include "tests/target/array.h"

#define GOOD            0u
#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))

/* ---- lists ---- */

static struct list_row {
    const char *name;
    uint8_t cdb[16];
    size_t length_at; /* where the CDB has the list's length */
    size_t length_bytes;
    size_t bytes;
    uint8_t list[80];
} list_rows[] = {
    {"UNMAP", {0x42}, 7, 2, 24, {0, 22, 0, 16, [19] = 8}},
    {"MODE SELECT(6)", {0x15, 0x10}, 4, 1, 16, {[4] = 0x0a, 0x0a, 0x02}},
    {"MODE SELECT(10)", {0x55, 0x10}, 7, 2, 20, {[8] = 0x0a, 0x0a, 0x02}},
    {"PERSISTENT RESERVE OUT", {0x5f, 6}, 5, 4, 24, {[15] = 1}},
    {"SET TARGET PORT GROUPS", {0xa4, 0x0a}, 6, 4, 8, {[4] = 0, [7] = 1}},
    {"EXTENDED COPY", {0x83}, 10, 4, 44, {[0] = 1, [3] = 32, [16] = 0xe4, [21] = 3, [23] = 8}},
    {"SANITIZE OVERWRITE", {0x48, 1}, 7, 2, 8, {1, 0, 0, 4, 1, 2, 3, 4}},
};

static void put_length(const struct list_row *row, uint8_t *cdb, uint32_t length)
{
    for (size_t i = 0; i < row->length_bytes; i++)
        cdb[row->length_at + i] = (uint8_t)(length >> 8 * (row->length_bytes - 1 - i));
}

/* The list itself is any prefix, the CDB says any length, each byte of the list is any value: there
 * is an answer, and the array goes on. */
static void survives_any_length_and_any_byte(void **state)
{
    const struct list_row *row = *state;
    struct array array;
    uint8_t cdb[16];
    uint8_t list[80];

    array_new_with(&array, &(struct array_setup){.tpgs = 3, .disk = {.is_thin = true}});
    memcpy(cdb, row->cdb, sizeof(cdb));
    for (size_t sent = 0; sent <= row->bytes; sent++) {
        for (uint32_t said = 0; said < 260; said += said < 40 ? 1 : 43) {
            put_length(row, cdb, said);
            (void)array_end_of(&array, array.a, cdb, row->list, sent);
        }
    }
    put_length(row, cdb, (uint32_t)row->bytes);
    for (size_t at = 0; at < row->bytes; at++) {
        for (unsigned value = 0; value < 256; value += 5) {
            memcpy(list, row->list, sizeof(list));
            list[at] = (uint8_t)value;
            (void)array_end_of(&array, array.a, cdb, list, row->bytes);
        }
    }
    array_run(&array, SECONDS(10));
    for (int i = 0; i < 6; i++)
        (void)array_test_unit(&array, array.a); /* what the changes had to tell */
    assert_int_equal(array_test_unit(&array, array.a), GOOD);
    array_free(&array);
}

/* ---- pages ---- */

static void a_mode_page_of_any_other_length_is_refused(void **state)
{
    struct array array;
    uint8_t cdb[16] = {0x55, 0x10};
    uint8_t list[8 + 2 + 255] = {0};
    (void)state;

    array_new(&array);
    put_be16(cdb + 7, sizeof(list));
    for (unsigned length = 0; length < 256; length++) {
        list[8] = 0x0a;
        list[9] = (uint8_t)length;
        assert_int_not_equal(array_end_of(&array, array.a, cdb, list, sizeof(list)), GOOD);
    }
    array_free(&array);
}

static void unmap_counts_only_what_came(void **state)
{
    struct array array;
    uint8_t cdb[16] = {0x42, [8] = 24};
    uint8_t list[24] = {[19] = 8};
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.is_thin = true}});
    for (unsigned data_bytes = 0; data_bytes < 65536; data_bytes += 211) {
        for (unsigned descriptor_bytes = 0; descriptor_bytes < 65536; descriptor_bytes += 2999) {
            put_be16(list, (uint16_t)data_bytes);
            put_be16(list + 2, (uint16_t)descriptor_bytes);
            (void)array_end_of(&array, array.a, cdb, list, sizeof(list));
        }
    }
    assert_int_equal(array_test_unit(&array, array.a), GOOD);
    array_free(&array);
}

/* No buffer of ours is there to be written. */
static void write_buffer_is_refused_whatever_its_offset(void **state)
{
    struct array array;
    (void)state;

    array_new(&array);
    for (unsigned mode = 0; mode < 32; mode++) {
        uint8_t cdb[16] = {0x3b, (uint8_t)mode, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        uint8_t data[512] = {0};

        assert_int_equal(array_end_of(&array, array.a, cdb, data, sizeof(data)), CHECK(5, 0x2000));
    }
    array_free(&array);
}

static void every_opcode_and_action_may_be_asked_about(void **state)
{
    static const uint16_t actions[] = {0, 1, 3, 7, 0x0c, 0x12, 0x1f, 0x20, 0xffff};
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    for (unsigned i = 0; i < 8 * 256 * ARRAY_SIZE(actions); i++) {
        uint8_t cdb[16] = {0xa3, 0x0c, (uint8_t)(i & 7), (uint8_t)(i >> 3), [8] = 1};

        put_be16(cdb + 4, actions[i >> 11]);
        array_do(&array, array.a, cdb, NULL, 0, 65536, &answer);
        assert_true(answer.status == SCSI_GOOD || answer.sense == 0x052400);
    }
    array_free(&array);
}

/* ---- bytes that nobody wrote ---- */

/* Memory that the pool will hand out next, full of one byte. */
static void soil(struct pool *pool, uint8_t byte)
{
    static const size_t sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144};
    struct chunk *chunks[ARRAY_SIZE(sizes)][8];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (size_t j = 0; j < 8; j++) {
            chunks[i][j] = chunk_new(pool, sizes[i]);
            memset(chunks[i][j]->data, byte, chunks[i][j]->bytes);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (size_t j = 0; j < 8; j++)
            chunk_unref(chunks[i][j]);
    }
}

static void ask(uint8_t soiled_with, const uint8_t *cdb, struct answer *ret_answer)
{
    struct array array;

    array_new_with(&array, &(struct array_setup){.tpgs = 3, .disk = {.is_thin = true}});
    soil(array.pool, soiled_with);
    array_do(&array, array.a, cdb, NULL, 0, 65536, ret_answer);
    array_free(&array);
}

static struct read_row {
    const char *name;
    uint8_t cdb[16];
} read_rows[] = {
    {"REQUEST SENSE", {0x03, 0, 0, 0, 252}},
    {"REQUEST SENSE in descriptor format", {0x03, 1, 0, 0, 252}},
    {"READ(10) of unwritten blocks", {0x28, [8] = 9}},
    {"INQUIRY", {0x12, 0, 0, 8, 0}},
    {"VPD 00h", {0x12, 1, 0x00, 8, 0}},
    {"VPD 80h", {0x12, 1, 0x80, 8, 0}},
    {"VPD 83h", {0x12, 1, 0x83, 8, 0}},
    {"VPD 86h", {0x12, 1, 0x86, 8, 0}},
    {"VPD 88h", {0x12, 1, 0x88, 8, 0}},
    {"VPD 8Fh", {0x12, 1, 0x8f, 8, 0}},
    {"VPD B0h", {0x12, 1, 0xb0, 8, 0}},
    {"VPD B1h", {0x12, 1, 0xb1, 8, 0}},
    {"VPD B2h", {0x12, 1, 0xb2, 8, 0}},
    {"MODE SENSE(6)", {0x1a, 0, 0x3f, 0xff, 255}},
    {"MODE SENSE(10) with a long descriptor", {0x5a, 0x10, 0x3f, 0xff, [7] = 8}},
    {"READ CAPACITY(10)", {0x25}},
    {"READ CAPACITY(16)", {0x9e, 0x10, [12] = 8}},
    {"GET LBA STATUS", {0x9e, 0x12, [12] = 8}},
    {"READ DEFECT DATA(10)", {0x37, 0, 0x18, [7] = 8}},
    {"READ DEFECT DATA(12)", {0xb7, 0x18, [8] = 8}},
    {"REPORT LUNS", {0xa0, [8] = 8}},
    {"REPORT TARGET PORT GROUPS", {0xa3, 0x2a, [8] = 8}},
    {"REPORT SUPPORTED OPERATION CODES", {0xa3, 0x0c, 0x80, [8] = 64}},
    {"REPORT SUPPORTED TMFS", {0xa3, 0x0d, 0x80, [8] = 8}},
    {"PERSISTENT RESERVE IN, keys", {0x5e, 0, [7] = 8}},
    {"PERSISTENT RESERVE IN, reservation", {0x5e, 1, [7] = 8}},
    {"PERSISTENT RESERVE IN, capabilities", {0x5e, 2, [7] = 8}},
    {"PERSISTENT RESERVE IN, full status", {0x5e, 3, [7] = 8}},
    {"RECEIVE COPY OPERATING PARAMETERS", {0x84, 3, [12] = 8}},
};

static void tells_nothing_that_nobody_wrote(void **state)
{
    static struct answer one;
    static struct answer other;
    const struct read_row *row = *state;

    ask(0x55, row->cdb, &one);
    ask(0xaa, row->cdb, &other);
    assert_int_equal(one.status, SCSI_GOOD);
    assert_true(one.bytes > 0);
    assert_int_equal(one.bytes, other.bytes);
    assert_memory_equal(one.data, other.data, one.bytes);
}

int main(void)
{
    TEST_ROWS(list_rows, survives_any_length_and_any_byte);
    TEST(a_mode_page_of_any_other_length_is_refused);
    TEST(unmap_counts_only_what_came);
    TEST(write_buffer_is_refused_whatever_its_offset);
    TEST(every_opcode_and_action_may_be_asked_about);
    TEST_ROWS(read_rows, tells_nothing_that_nobody_wrote);
    return TEST_RUN("target.bad_lists");
}
