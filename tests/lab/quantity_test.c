#include "tests/test.h"

#include "lab/quantity.h"
#include "sim/core/time.h"

#include <string.h>

static struct row {
    const char *name;
    const char *text;
    enum quantity quantity;
    enum quantity_fault fault;
    int64_t value;
} rows[] = {
    {"milliseconds", "250 ms", QUANTITY_SPAN, QUANTITY_FINE, MS(250)},
    {"the space is optional", "250ms", QUANTITY_SPAN, QUANTITY_FINE, MS(250)},
    {"more spaces do no harm", "250   ms", QUANTITY_SPAN, QUANTITY_FINE, MS(250)},
    {"hours", "2 h", QUANTITY_SPAN, QUANTITY_FINE, SECONDS(7200)},
    {"minutes", "3 min", QUANTITY_SPAN, QUANTITY_FINE, SECONDS(180)},
    {"a decimal point", "924.6 s", QUANTITY_SPAN, QUANTITY_FINE, SECONDS(924) + MS(600)},
    {"nine decimals of a second", "0.000000001 s", QUANTITY_SPAN, QUANTITY_FINE, 1},
    {"more decimals, if they are zeros", "0.00000000100 s", QUANTITY_SPAN, QUANTITY_FINE, 1},
    {"nothing is nothing", "0 s", QUANTITY_SPAN, QUANTITY_FINE, 0},
    {"the longest span", "9223372036854775807 ns", QUANTITY_SPAN, QUANTITY_FINE, INT64_MAX},
    {"KiB are 1024 bytes", "8 KiB", QUANTITY_SIZE, QUANTITY_FINE, 8192},
    {"half a TiB", "0.5 TiB", QUANTITY_SIZE, QUANTITY_FINE, (int64_t)1 << 39},
    {"Gbit are 10^9 bits", "10 Gbit/s", QUANTITY_RATE, QUANTITY_FINE, 10000000000},
    {"two and a half Gbit", "2.5 Gbit/s", QUANTITY_RATE, QUANTITY_FINE, 2500000000},
    {"percent become millionths", "0.1 %", QUANTITY_SHARE, QUANTITY_FINE, 1000},
    {"a frequency", "500 per s", QUANTITY_FREQUENCY, QUANTITY_FINE, 500},
    {"a length", "2 km", QUANTITY_LENGTH, QUANTITY_FINE, 2000},
    {"a throughput", "100 MiB/s", QUANTITY_THROUGHPUT, QUANTITY_FINE, 104857600},
    {"a number without a unit is refused", "250", QUANTITY_SPAN, QUANTITY_NO_UNIT, 0},
    {"a unit without a number is refused", "ms", QUANTITY_SPAN, QUANTITY_NO_NUMBER, 0},
    {"nothing at all is refused", "", QUANTITY_SPAN, QUANTITY_NO_NUMBER, 0},
    {"a sign is refused", "-1 s", QUANTITY_SPAN, QUANTITY_NO_NUMBER, 0},
    {"a point without digits is refused", "1. s", QUANTITY_SPAN, QUANTITY_NO_NUMBER, 0},
    {"the unit of something else is refused", "1 KiB", QUANTITY_SPAN, QUANTITY_UNKNOWN_UNIT, 0},
    {"units keep their case", "1 S", QUANTITY_SPAN, QUANTITY_UNKNOWN_UNIT, 0},
    {"text after the unit is refused", "1 s 2", QUANTITY_SPAN, QUANTITY_UNKNOWN_UNIT, 0},
    {"half a nanosecond is refused", "0.5 ns", QUANTITY_SPAN, QUANTITY_TOO_FINE, 0},
    {"a tenth decimal is refused", "0.0000000001 s", QUANTITY_SPAN, QUANTITY_TOO_FINE, 0},
    {"a third of a KiB is refused", "0.3 KiB", QUANTITY_SIZE, QUANTITY_TOO_FINE, 0},
    {"a number past 64 bits is refused", "99999999999999999999 ns", QUANTITY_SPAN,
     QUANTITY_TOO_LARGE, 0},
    {"a span past 64 bits is refused", "9999999999999 s", QUANTITY_SPAN, QUANTITY_TOO_LARGE, 0},
    {"a fraction past 64 bits is refused", "9223372036.9 s", QUANTITY_SPAN, QUANTITY_TOO_LARGE, 0},
};

static void parses_as_written(void **state)
{
    const struct row *row = *state;
    int64_t value = 0;

    assert_int_equal(quantity_parse(row->text, row->quantity, &value), row->fault);
    assert_int_equal(value, row->value);
}

static struct print_row {
    const char *name;
    enum quantity quantity;
    int64_t value;
    const char *text;
} print_rows[] = {
    {"a whole number of seconds", QUANTITY_SPAN, SECONDS(15), "15 s"},
    {"minutes stay seconds", QUANTITY_SPAN, SECONDS(180), "180 s"},
    {"a fraction of a second", QUANTITY_SPAN, SECONDS(20) + MS(460), "20.46 s"},
    {"rounding carries", QUANTITY_SPAN, SECONDS(1) - 1, "1000 ms"},
    {"microseconds", QUANTITY_SPAN, US(150), "150 us"},
    {"nothing", QUANTITY_SPAN, 0, "0 s"},
    {"before the start", QUANTITY_SPAN, -SECONDS(1), "-1 s"},
    {"the most negative number", QUANTITY_SPAN, INT64_MIN, "-9223372036.855 s"},
    {"a size", QUANTITY_SIZE, 1 << 20, "1 MiB"},
    {"a share", QUANTITY_SHARE, 900000, "90 %"},
};

static void prints_as_a_person_would(void **state)
{
    const struct print_row *row = *state;
    char text[48];

    quantity_print(row->quantity, row->value, text, sizeof(text));
    assert_string_equal(text, row->text);
}

static void suggests_what_may_be_meant(void **state)
{
    char text[96];
    (void)state;

    quantity_suggest(QUANTITY_SPAN, "180", text, sizeof(text));
    assert_string_equal(text, "write '180 s' or '3 min'");
    quantity_suggest(QUANTITY_SPAN, "15", text, sizeof(text));
    assert_string_equal(text, "write '15 s'");
    quantity_suggest(QUANTITY_SIZE, "8192", text, sizeof(text));
    assert_string_equal(text, "write '8192 B' or '8 KiB'");
}

static void counts_take_decimals_where_they_may(void **state)
{
    int64_t value = 0;
    (void)state;

    assert_int_equal(quantity_parse_number("99.9", 4, &value), QUANTITY_FINE);
    assert_int_equal(value, 999000);
    assert_int_equal(quantity_parse_number("99.9", 0, &value), QUANTITY_TOO_FINE);
    assert_int_equal(quantity_parse_number("12 ", 0, &value), QUANTITY_NO_NUMBER);
}

int main(void)
{
    TEST_ROWS(rows, parses_as_written);
    TEST_ROWS(print_rows, prints_as_a_person_would);
    TEST(suggests_what_may_be_meant);
    TEST(counts_take_decimals_where_they_may);
    return TEST_RUN("lab.quantity");
}
