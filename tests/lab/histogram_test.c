/* Percentiles are right to the width of a bucket, whatever the spans are. */
#include "lab/histogram.h"

#include "sim/core/random.h"
#include "sim/core/time.h"
#include "tests/test.h"

#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void percentiles_are_within_a_sixteenth_of_the_exact_ones(void **state)
{
    static const uint32_t ppms[] = {1, 10000, 250000, 500000, 900000, 990000, 999000, 1000000};
    static struct histogram histogram;
    static int64_t spans[5000];
    struct random random;
    (void)state;

    random_init(&random, 7, "histogram_test");
    for (int round = 0; round < 40; round++) {
        histogram_clear(&histogram);
        for (int i = 0; i < 5000; i++) {
            spans[i] = (int64_t)random_below(&random, (uint64_t)1 << random_below(&random, 42));
            histogram_add(&histogram, spans[i]);
        }
        qsort(spans, 5000, sizeof(spans[0]), by_size);
        for (size_t p = 0; p < sizeof(ppms) / sizeof(ppms[0]); p++) {
            int64_t exact_ns = spans[((uint64_t)5000 * ppms[p] + 999999) / 1000000 - 1];
            int64_t told_ns = histogram_percentile_ns(&histogram, ppms[p]);

            assert_true(told_ns >= exact_ns);
            assert_true(told_ns <= exact_ns + exact_ns / 16 + 1);
        }
        assert_int_equal(histogram.least_ns, spans[0]);
        assert_int_equal(histogram.most_ns, spans[4999]);
    }
}

static void a_cleared_histogram_remembers_nothing(void **state)
{
    static struct histogram histogram;
    (void)state;

    histogram_add(&histogram, SECONDS(100));
    histogram_add(&histogram, 3);
    histogram_clear(&histogram);
    assert_int_equal(histogram.count, 0);
    histogram_add(&histogram, MS(1));
    assert_int_equal(histogram.least_ns, MS(1));
    assert_int_equal(histogram_percentile_ns(&histogram, 1), MS(1));
    assert_int_equal(histogram_percentile_ns(&histogram, 1000000), MS(1));
}

static void every_span_falls_into_a_bucket_that_ends_at_or_after_it(void **state)
{
    (void)state;
    for (uint32_t b = 1; b < HISTOGRAM_BUCKETS - 1; b++)
        assert_true(histogram_bucket_end_ns(b) > histogram_bucket_end_ns(b - 1));
}

int main(void)
{
    TEST(percentiles_are_within_a_sixteenth_of_the_exact_ones);
    TEST(a_cleared_histogram_remembers_nothing);
    TEST(every_span_falls_into_a_bucket_that_ends_at_or_after_it);
    return TEST_RUN("lab.histogram");
}
