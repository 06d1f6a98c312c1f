/* Completions per window, host, disk and path. */
#include "lab/latency.h"

#include "lab/histogram.h"
#include "sim/core/time.h"
#include "sim/core/trace.h"
#include "tests/lab/small_names.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lab {
    struct san_names names;
    struct open_ios *ios;
    struct rows rows;
    struct latency *latency;
};

static int open_lab(void **state)
{
    static struct lab lab;

    lab = (struct lab){.names = small_names()};
    lab.ios = open_ios_new(&lab.names);
    lab.latency = latency_new(&lab.names, lab.ios, &lab.rows);
    *state = &lab;
    return 0;
}

static int close_lab(void **state)
{
    struct lab *lab = *state;

    latency_free(lab->latency);
    open_ios_free(lab->ios);
    rows_clear(&lab->rows);
    return 0;
}

static struct open_io *submit(struct lab *lab, int64_t at_ns, uint32_t host, uint64_t io_id,
                              uint32_t path)
{
    struct open_io *io = open_ios_add(lab->ios, host, STORE, io_id);

    io->planned_at_ns = io->submitted_at_ns = at_ns;
    if (path != TRACE_NONE)
        open_ios_sent(lab->ios, io, path);
    io->bytes = 8192;
    return io;
}

static void end(struct lab *lab, int64_t at_ns, struct open_io *io, bool is_error)
{
    latency_done(lab->latency, at_ns, io, is_error);
    open_ios_remove(lab->ios, io);
}

static size_t count_rows(const struct lab *lab)
{
    struct message m;
    size_t count = 0;

    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes, count++) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        assert_int_equal(m.kind, MESSAGE_ROW);
        assert_int_equal(m.table, TABLE_LATENCY);
    }
    return count;
}

/* One value of the row of a path and window. */
static struct value value_of(const struct lab *lab, const char *path, int64_t window_at_ns,
                             const char *column)
{
    const struct table_def *def = table_def(TABLE_LATENCY);
    struct message m;

    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        if (strcmp(m.values[2].text, path) != 0 || m.values[3].number != window_at_ns)
            continue;
        for (size_t i = 0; i < table_column_count(TABLE_LATENCY); i++)
            if (strcmp(def->columns[i].name, column) == 0)
                return m.values[i];
    }
    fail_msg("no value of '%s' for path '%s'", column, path);
    return V_NULL;
}

#define assert_number(lab, path, window, column, wanted)                                           \
    do {                                                                                           \
        struct value value_ = value_of(lab, path, window, column);                                 \
        assert_int_equal(value_.kind, VALUE_INT);                                                  \
        assert_int_equal(value_.number, wanted);                                                   \
    } while (0)

static void a_window_without_io_leaves_no_row(void **state)
{
    struct lab *lab = *state;

    latency_end_window(lab->latency, 0, SECONDS(1));
    assert_int_equal(count_rows(lab), 0);
}

static void each_path_has_its_own_figures(void **state)
{
    struct lab *lab = *state;

    for (int i = 1; i <= 10; i++) /* each in a bucket of its own: 1 to 10 ns */
        end(lab, MS(1) + i, submit(lab, MS(1), HV1, 1, 0), false);
    end(lab, MS(5), submit(lab, MS(1), HV1, 1, 1), false);
    end(lab, MS(6), submit(lab, MS(1), HV2, 1, 0), false);
    latency_end_window(lab->latency, 0, SECONDS(1));

    assert_int_equal(count_rows(lab), 3);
    assert_string_equal(value_of(lab, "hv1.a>san1.a", 0, "host").text, "hv1");
    assert_string_equal(value_of(lab, "hv1.a>san1.a", 0, "disk").text, "san1.store");
    assert_number(lab, "hv1.a>san1.a", 0, "ios", 10);
    assert_number(lab, "hv1.a>san1.a", 0, "bytes", 81920);
    assert_number(lab, "hv1.a>san1.a", 0, "errors", 0);
    assert_number(lab, "hv1.a>san1.a", 0, "least_ns", 1);
    assert_number(lab, "hv1.a>san1.a", 0, "median_ns", 5);
    assert_number(lab, "hv1.a>san1.a", 0, "p99_ns", 10);
    assert_number(lab, "hv1.a>san1.a", 0, "most_ns", 10);
    assert_number(lab, "hv1.a>san1.a", 0, "sum_ns", 55);
    assert_number(lab, "hv1.a>san1.a", 0, "oldest_waiting_ns", 0);
    assert_string_equal(value_of(lab, "hv1.a>san1.a", 0, "buckets").text,
                        "1:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1 10:1");
    assert_number(lab, "hv1.b>san1.b", 0, "most_ns", MS(4));
    assert_number(lab, "hv2.a>san1.a", 0, "most_ns", MS(5));
}

static void a_window_begins_with_nothing_of_the_last(void **state)
{
    struct lab *lab = *state;

    end(lab, MS(900), submit(lab, MS(1), HV1, 1, 0), false);
    latency_end_window(lab->latency, 0, SECONDS(1));
    end(lab, SECONDS(1) + MS(2), submit(lab, SECONDS(1), HV1, 2, 0), false);
    latency_end_window(lab->latency, SECONDS(1), SECONDS(2));
    latency_end_window(lab->latency, SECONDS(2), SECONDS(3));
    assert_int_equal(count_rows(lab), 2);
    assert_number(lab, "hv1.a>san1.a", SECONDS(1), "ios", 1);
    assert_number(lab, "hv1.a>san1.a", SECONDS(1), "bytes", 8192);
    assert_number(lab, "hv1.a>san1.a", SECONDS(1), "most_ns", MS(2));
    assert_number(lab, "hv1.a>san1.a", SECONDS(1), "sum_ns", MS(2));
}

static void latency_counts_from_the_planned_start(void **state)
{
    struct lab *lab = *state;
    struct open_io *io = submit(lab, MS(50), HV1, 1, 0);

    io->planned_at_ns = MS(10); /* an open loop that fell behind */
    end(lab, MS(60), io, false);
    latency_end_window(lab->latency, 0, SECONDS(1));
    assert_number(lab, "hv1.a>san1.a", 0, "most_ns", MS(50));
}

static void an_error_is_counted_but_has_no_latency(void **state)
{
    struct lab *lab = *state;

    end(lab, MS(60), submit(lab, MS(50), HV1, 1, 0), true);
    latency_end_window(lab->latency, 0, SECONDS(1));
    assert_number(lab, "hv1.a>san1.a", 0, "errors", 1);
    assert_number(lab, "hv1.a>san1.a", 0, "ios", 0);
    assert_number(lab, "hv1.a>san1.a", 0, "bytes", 0);
    assert_int_equal(value_of(lab, "hv1.a>san1.a", 0, "median_ns").kind, VALUE_NULL);
    assert_string_equal(value_of(lab, "hv1.a>san1.a", 0, "buckets").text, "");
    latency_end_window(lab->latency, SECONDS(1), SECONDS(2));
    assert_int_equal(count_rows(lab), 1);
}

static void waiting_io_shows_where_it_waits_with_the_age_of_the_oldest(void **state)
{
    struct lab *lab = *state;

    submit(lab, MS(100), HV1, 1, 0);
    submit(lab, MS(200), HV1, 2, 0);
    submit(lab, MS(300), HV1, 3, TRACE_NONE); /* in the host, on no path */
    latency_end_window(lab->latency, 0, SECONDS(1));
    latency_end_window(lab->latency, SECONDS(1), SECONDS(2));
    assert_int_equal(count_rows(lab), 4);
    assert_number(lab, "hv1.a>san1.a", 0, "oldest_waiting_ns", MS(900));
    assert_number(lab, "hv1.a>san1.a", SECONDS(1), "oldest_waiting_ns", MS(1900));
    assert_number(lab, "", 0, "oldest_waiting_ns", MS(700));
    assert_number(lab, "", 0, "ios", 0);
}

/* The reader of 'buckets' gets any percentile that the histogram gives. */
static void buckets_tell_what_the_histogram_knew(void **state)
{
    struct lab *lab = *state;
    uint64_t count = 0;
    int64_t end_ns = 0;

    for (int i = 0; i < 62; i++)
        end(lab, ((int64_t)1 << i) + i, submit(lab, i, HV1, 1, 0), false);
    latency_end_window(lab->latency, 0, SECONDS(1));
    const char *text = value_of(lab, "hv1.a>san1.a", 0, "buckets").text;
    for (char *rest; *text; text = rest + (*rest == ' ')) {
        long bucket = strtol(text, &rest, 10);

        assert_int_equal(*rest, ':');
        assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
        assert_true(histogram_bucket_end_ns((uint32_t)bucket) > end_ns);
        end_ns = histogram_bucket_end_ns((uint32_t)bucket);
        count += strtoul(rest + 1, &rest, 10);
    }
    assert_int_equal(count, 62);
    assert_true(end_ns >= (int64_t)1 << 61);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(a_window_without_io_leaves_no_row),
        STORY(each_path_has_its_own_figures),
        STORY(a_window_begins_with_nothing_of_the_last),
        STORY(latency_counts_from_the_planned_start),
        STORY(an_error_is_counted_but_has_no_latency),
        STORY(waiting_io_shows_where_it_waits_with_the_age_of_the_oldest),
        STORY(buckets_tell_what_the_histogram_knew),
    };

    return cmocka_run_group_tests_name("lab.latency", stories, NULL, NULL);
}
