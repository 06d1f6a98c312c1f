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

/* The bucket that a span alone falls into. */
static uint32_t bucket_of(int64_t span_ns)
{
    struct histogram histogram = {0};

    histogram_add(&histogram, span_ns);
    assert_int_equal(histogram.lowest, histogram.highest);
    assert_int_equal(histogram.buckets[histogram.lowest], 1);
    return histogram.lowest;
}

static void a_bucket_reaches_from_the_end_of_the_one_before_to_its_own(void **state)
{
    (void)state;
    assert_int_equal(bucket_of(0), 0);
    for (uint32_t b = 1; b < HISTOGRAM_BUCKETS; b++) {
        assert_int_equal(bucket_of(histogram_bucket_end_ns(b - 1) + 1), b);
        assert_int_equal(bucket_of(histogram_bucket_end_ns(b)), b);
    }
    assert_int_equal(histogram_bucket_end_ns(HISTOGRAM_BUCKETS - 1), INT64_MAX);
}

static void percentiles_are_nearest_ranks(void **state)
{
    static struct histogram histogram;
    (void)state;

    for (int64_t span_ns = 1; span_ns <= 10; span_ns++) /* each in a bucket of its own */
        histogram_add(&histogram, span_ns);
    assert_int_equal(histogram_percentile_ns(&histogram, 0), 1);
    assert_int_equal(histogram_percentile_ns(&histogram, 100000), 1);
    assert_int_equal(histogram_percentile_ns(&histogram, 100001), 2);
    assert_int_equal(histogram_percentile_ns(&histogram, 500000), 5);
    assert_int_equal(histogram_percentile_ns(&histogram, 990000), 10);
    assert_int_equal(histogram.sum_ns, 55);
    assert_int_equal(histogram.count, 10);
}

int main(void)
{
    TEST(percentiles_are_within_a_sixteenth_of_the_exact_ones);
    TEST(a_cleared_histogram_remembers_nothing);
    TEST(a_bucket_reaches_from_the_end_of_the_one_before_to_its_own);
    TEST(percentiles_are_nearest_ranks);
    return TEST_RUN("lab.histogram");
}
