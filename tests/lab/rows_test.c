/* Rows travel as bytes: what is put in comes out, and nothing else is taken for a row. */
#include "lab/rows.h"

#include "sim/core/random.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static const struct value sign[] = {{VALUE_INT, -5, NULL},
                                    {VALUE_TEXT, 0, "hv1"},
                                    {VALUE_NULL, 0, NULL},
                                    {VALUE_TEXT, 0, "link"},
                                    {VALUE_TEXT, 0, "carrier lost; 'quoted'"}};

/* Decodes a copy of its own size, so that the sanitizer sees each byte read beyond it; texts that
 * came out are read to their end. */
static enum message_kind decode_exactly(const uint8_t *data, size_t bytes, size_t *ret_bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    struct message m;

    assert_non_null(copy);
    memcpy(copy, data, bytes);
    message_decode(copy, bytes, &m);
    for (size_t i = 0; m.kind == MESSAGE_ROW && i < table_column_count(m.table); i++)
        if (m.values[i].kind == VALUE_TEXT)
            assert_true(strlen(m.values[i].text) < bytes);
    if (m.kind != MESSAGE_NONE)
        *ret_bytes = m.bytes;
    free(copy);
    return m.kind;
}

/* A row for each table, its values of all kinds in turn. */
static void put_each_table(struct rows *rows)
{
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        struct value values[COLUMNS_MOST];

        for (size_t i = 0; i < COLUMNS_MOST; i++)
            values[i] = i % 3 == 0   ? V_INT(INT64_MIN + (int64_t)i)
                        : i % 3 == 1 ? V_TEXT(i % 2 ? "" : "a text")
                                     : V_NULL;
        rows_put(rows, table, values);
    }
    rows_put_progress(rows, INT64_MAX);
}

static void a_row_comes_out_as_it_was_put_in(void **state)
{
    struct rows rows = {0};
    struct message m;
    (void)state;

    rows_put(&rows, TABLE_SIGN, sign);
    rows_put_progress(&rows, 77);
    message_decode(rows.data, rows.bytes, &m);
    assert_int_equal(m.kind, MESSAGE_ROW);
    assert_int_equal(m.table, TABLE_SIGN);
    assert_int_equal(m.values[0].number, -5);
    assert_string_equal(m.values[1].text, "hv1");
    assert_int_equal(m.values[2].kind, VALUE_NULL);
    assert_string_equal(m.values[4].text, "carrier lost; 'quoted'");
    size_t first = m.bytes;
    message_decode(rows.data + first, rows.bytes - first, &m);
    assert_int_equal(m.kind, MESSAGE_PROGRESS);
    assert_int_equal(m.simulated_ns, 77);
    assert_int_equal(first + m.bytes, rows.bytes);
    rows_clear(&rows);
}

static void every_table_comes_out_in_order(void **state)
{
    struct rows rows = {0};
    struct message m;
    size_t at = 0;
    (void)state;

    put_each_table(&rows);
    for (enum table table = 0; table < TABLE_COUNT; table++, at += m.bytes) {
        message_decode(rows.data + at, rows.bytes - at, &m);
        assert_int_equal(m.kind, MESSAGE_ROW);
        assert_int_equal(m.table, table);
        assert_in_range(table_column_count(table), 1, COLUMNS_MOST - 1);
        assert_int_equal(m.values[0].kind, VALUE_INT);
        assert_int_equal(m.values[0].number, INT64_MIN);
    }
    rows_clear(&rows);
}

static void missing_spans_are_nulls(void **state)
{
    (void)state;
    assert_int_equal(V_MAYBE(-1).kind, VALUE_NULL);
    assert_int_equal(V_MAYBE(0).kind, VALUE_INT);
    assert_int_equal(V_MAYBE(7).number, 7);
}

static void every_prefix_of_every_message_waits_for_the_rest(void **state)
{
    struct rows rows = {0};
    struct message m;
    size_t messages = 0;
    (void)state;

    put_each_table(&rows);
    for (size_t at = 0; at < rows.bytes; at += m.bytes, messages++) {
        message_decode(rows.data + at, rows.bytes - at, &m);
        for (size_t bytes = 0; bytes < m.bytes; bytes++)
            assert_int_equal(decode_exactly(rows.data + at, bytes, NULL), MESSAGE_NONE);
    }
    assert_int_equal(messages, TABLE_COUNT + 1);
    rows_clear(&rows);
}

/* The same, but the length has been cut as well: nothing more will come. */
static void every_message_that_was_cut_is_bad(void **state)
{
    struct rows rows = {0};
    struct message m;
    (void)state;

    put_each_table(&rows);
    for (size_t at = 0; at < rows.bytes; at += m.bytes) {
        message_decode(rows.data + at, rows.bytes - at, &m);
        for (size_t bytes = 4; bytes < m.bytes; bytes++) {
            uint8_t cut[1024];
            size_t told = 0;

            assert_true(bytes <= sizeof(cut));
            memcpy(cut, rows.data + at, bytes);
            cut[2] = (uint8_t)((bytes - 4) >> 8);
            cut[3] = (uint8_t)(bytes - 4);
            assert_int_equal(decode_exactly(cut, bytes, &told), MESSAGE_BAD);
        }
    }
    rows_clear(&rows);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static struct hostile_row {
    const char *name;
    const uint8_t *data;
    size_t bytes;
    enum message_kind kind;
} hostile_rows[] = {
    {"a message without a kind is bad", BYTES(0, 0, 0, 0), MESSAGE_BAD},
    {"an unknown kind is bad", BYTES(0, 0, 0, 1, 9), MESSAGE_BAD},
    {"the kind of no message is bad", BYTES(0, 0, 0, 1, MESSAGE_NONE), MESSAGE_BAD},
    {"a length beyond any row is bad at once", BYTES(255, 255, 255, 255), MESSAGE_BAD},
    {"a length that is still to come is waited for", BYTES(0, 0, 255, 255, 1), MESSAGE_NONE},
    {"an unknown table is bad", BYTES(0, 0, 0, 2, MESSAGE_ROW, TABLE_COUNT), MESSAGE_BAD},
    {"the last table number is bad", BYTES(0, 0, 0, 2, MESSAGE_ROW, 255), MESSAGE_BAD},
    {"an unknown kind of value is bad", BYTES(0, 0, 0, 3, MESSAGE_ROW, TABLE_COUNTER, 77),
     MESSAGE_BAD},
    {"a number that is cut off is bad",
     BYTES(0, 0, 0, 5, MESSAGE_ROW, TABLE_COUNTER, VALUE_INT, 0, 0), MESSAGE_BAD},
    {"a text longer than its message is bad",
     BYTES(0, 0, 0, 8, MESSAGE_ROW, TABLE_COUNTER, VALUE_TEXT, 255, 255, 255, 255, 0), MESSAGE_BAD},
    {"a text of no byte, not even its end, is bad",
     BYTES(0, 0, 0, 9, MESSAGE_ROW, TABLE_COUNTER, VALUE_TEXT, 0, 0, 0, 0, VALUE_NULL, VALUE_NULL),
     MESSAGE_BAD},
    {"a text without its end is bad",
     BYTES(0, 0, 0, 10, MESSAGE_ROW, TABLE_COUNTER, VALUE_TEXT, 0, 0, 0, 1, 'x', VALUE_NULL,
           VALUE_NULL),
     MESSAGE_BAD},
    {"a row with its values is good",
     BYTES(0, 0, 0, 5, MESSAGE_ROW, TABLE_COUNTER, VALUE_NULL, VALUE_NULL, VALUE_NULL),
     MESSAGE_ROW},
    {"a row with a value too many is bad",
     BYTES(0, 0, 0, 6, MESSAGE_ROW, TABLE_COUNTER, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL),
     MESSAGE_BAD},
    {"a progress note that is cut off is bad", BYTES(0, 0, 0, 3, MESSAGE_PROGRESS, 0, 0),
     MESSAGE_BAD},
    {"a progress note with a tail is bad",
     BYTES(0, 0, 0, 10, MESSAGE_PROGRESS, 0, 0, 0, 0, 0, 0, 0, 1, 0), MESSAGE_BAD},
};

static void is_judged_by_its_bytes(void **state)
{
    const struct hostile_row *row = *state;
    size_t bytes = 0;

    assert_int_equal(decode_exactly(row->data, row->bytes, &bytes), row->kind);
}

static void damaged_bytes_never_read_past_their_end(void **state)
{
    struct rows rows = {0};
    struct random random;
    (void)state;

    random_init(&random, 1, "rows_test");
    rows_put(&rows, TABLE_SIGN, sign);
    for (int i = 0; i < 20000; i++) {
        uint8_t copy[256];
        size_t bytes = 0;

        memcpy(copy, rows.data, rows.bytes);
        for (uint64_t flips = 1 + random_below(&random, 4); flips > 0; flips--)
            copy[random_below(&random, rows.bytes)] = (uint8_t)random_next(&random);
        if (decode_exactly(copy, rows.bytes, &bytes) == MESSAGE_ROW)
            assert_true(bytes <= rows.bytes);
    }
    rows_clear(&rows);
}

static void bytes_from_elsewhere_are_as_good_as_ours(void **state)
{
    struct rows there = {0};
    struct rows here = {0};
    (void)state;

    put_each_table(&there);
    for (size_t at = 0; at < there.bytes; at++) /* in the smallest pieces */
        rows_put_bytes(&here, there.data + at, 1);
    rows_put_bytes(&here, NULL, 0);
    assert_int_equal(here.bytes, there.bytes);
    assert_memory_equal(here.data, there.data, there.bytes);
    rows_clear(&there);
    rows_clear(&here);
    assert_null(here.data);
    assert_int_equal(here.bytes, 0);
}

int main(void)
{
    TEST(a_row_comes_out_as_it_was_put_in);
    TEST(every_table_comes_out_in_order);
    TEST(missing_spans_are_nulls);
    TEST(every_prefix_of_every_message_waits_for_the_rest);
    TEST(every_message_that_was_cut_is_bad);
    TEST_ROWS(hostile_rows, is_judged_by_its_bytes);
    TEST(damaged_bytes_never_read_past_their_end);
    TEST(bytes_from_elsewhere_are_as_good_as_ours);
    return TEST_RUN("lab.rows");
}
