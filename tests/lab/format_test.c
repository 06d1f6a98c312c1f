/* Figures as people read them. */
#include "lab/format.h"

#include "sim/core/time.h"
#include "tests/test.h"

static struct span_row {
    const char *name;
    int64_t span_ns;
    const char *text;
} span_rows[] = {
    {"no span is zero seconds", 0, "0 s"},
    {"nanoseconds", 7, "7 ns"},
    {"the last before a microsecond", 999, "999 ns"},
    {"microseconds are whole", 150999, "150 us"},
    {"milliseconds have a tenth", US(20450), "20.4 ms"},
    {"the last before a second is not rounded up to it", SECONDS(1) - 1, "999.9 ms"},
    {"seconds have milliseconds", SECONDS(15), "15.000 s"},
    {"milliseconds keep their zeros", SECONDS(15) + MS(7), "15.007 s"},
    {"hours are seconds, too", SECONDS(7200), "7200.000 s"},
    {"never is a span that fits", INT64_MAX, "9223372036.854 s"},
    {"a span that is missing is a dash", -1, "-"},
};

static void reads_as_a_span(void **state)
{
    const struct span_row *row = *state;
    char buffer[FORMAT_BYTES];

    assert_ptr_equal(format_span(row->span_ns, buffer), buffer);
    assert_string_equal(buffer, row->text);
}

static struct instant_row {
    const char *name;
    int64_t at_ns;
    int width;
    const char *text;
} instant_rows[] = {
    {"an instant fills its column", SECONDS(60), 10, "  60.000 s"},
    {"an instant wider than its column is whole", SECONDS(123456), 4, "123456.000 s"},
    {"an instant without a column", MS(1), 0, "0.001 s"},
};

static void reads_as_an_instant(void **state)
{
    const struct instant_row *row = *state;
    char buffer[FORMAT_BYTES];

    assert_string_equal(format_instant(row->at_ns, row->width, buffer), row->text);
}

static struct measure_row {
    const char *name;
    const char *value;
    const char *unit;
    const char *text;
} measure_rows[] = {
    {"a time", "45000000000", "ns", "45.000 s"},
    {"a share", "987654", "ppm", "98.7 %"},
    {"a share of more than all", "2000000", "ppm", "200.0 %"},
    {"a small share", "400", "ppm", "0.0 %"},
    {"a count has no unit", "2", "count", "2"},
    {"a rule is what became of it", "broken", "rule", "broken"},
    {"a name is a name", "hv1", "name", "hv1"},
    {"a rate", "500", "per s", "500 per s"},
    {"a throughput", "4096000", "bytes per s", "4096000 bytes per s"},
    {"nothing measured is a dash", "", "ns", "-"},
    {"nothing counted is a dash", "", "count", "-"},
};

static void reads_in_its_unit(void **state)
{
    const struct measure_row *row = *state;
    char buffer[FORMAT_BYTES];

    assert_string_equal(format_measure(row->value, row->unit, buffer), row->text);
}

int main(void)
{
    TEST_ROWS(span_rows, reads_as_a_span);
    TEST_ROWS(instant_rows, reads_as_an_instant);
    TEST_ROWS(measure_rows, reads_in_its_unit);
    return TEST_RUN("lab.format");
}
