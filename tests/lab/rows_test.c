/* Rows travel as bytes: what is put in comes out, and nothing else is taken for a row. */
#include "lab/rows.h"

#include "sim/core/random.h"
#include "tests/test.h"

#include <string.h>

static const struct value sign[] = {{VALUE_INT, -5, NULL},
                                    {VALUE_TEXT, 0, "hv1"},
                                    {VALUE_NULL, 0, NULL},
                                    {VALUE_TEXT, 0, "link"},
                                    {VALUE_TEXT, 0, "carrier lost; 'quoted'"}};

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

static void every_prefix_of_a_row_waits_for_the_rest(void **state)
{
    struct rows rows = {0};
    struct message m;
    (void)state;

    rows_put(&rows, TABLE_SIGN, sign);
    for (size_t bytes = 0; bytes < rows.bytes; bytes++) {
        uint8_t copy[256];

        memcpy(copy, rows.data, bytes);
        message_decode(copy, bytes, &m);
        assert_int_equal(m.kind, MESSAGE_NONE);
    }
    rows_clear(&rows);
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
        struct message m;

        memcpy(copy, rows.data, rows.bytes);
        for (uint64_t flips = 1 + random_below(&random, 4); flips > 0; flips--)
            copy[random_below(&random, rows.bytes)] = (uint8_t)random_next(&random);
        message_decode(copy, rows.bytes, &m);
        assert_true(m.kind == MESSAGE_NONE || m.bytes <= rows.bytes);
        for (size_t v = 0; m.kind == MESSAGE_ROW && v < table_column_count(m.table); v++)
            if (m.values[v].kind == VALUE_TEXT)
                assert_true(strlen(m.values[v].text) < rows.bytes);
    }
    rows_clear(&rows);
}

int main(void)
{
    TEST(a_row_comes_out_as_it_was_put_in);
    TEST(every_prefix_of_a_row_waits_for_the_rest);
    TEST(damaged_bytes_never_read_past_their_end);
    return TEST_RUN("lab.rows");
}
