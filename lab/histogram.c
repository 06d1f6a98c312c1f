/* How spans are distributed: log-linear buckets. */
#include "lab/histogram.h"

#include <assert.h>
#include <string.h>

#define SUB_SHIFT 4u /* 16 buckets per power of two */
#define SUB_COUNT (1u << SUB_SHIFT)

/* The greatest span, of 63 bits, falls into the last bucket. */
static_assert((63 - SUB_SHIFT) * SUB_COUNT + SUB_COUNT == HISTOGRAM_BUCKETS, "for all spans");

/* Spans below 16 ns have a bucket each; 2^(4+k) to 2^(5+k) - 1 share sixteen. */
static uint32_t bucket_of(int64_t span_ns)
{
    uint64_t span = span_ns < 0 ? 0 : (uint64_t)span_ns;

    if (span < SUB_COUNT)
        return (uint32_t)span;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(span);

    return (power - SUB_SHIFT + 1) * SUB_COUNT +
           (uint32_t)(span >> (power - SUB_SHIFT) & (SUB_COUNT - 1));
}

int64_t histogram_bucket_end_ns(uint32_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    uint32_t shift = bucket / SUB_COUNT - 1;

    return (int64_t)(((uint64_t)(SUB_COUNT + bucket % SUB_COUNT + 1) << shift) - 1);
}

void histogram_clear(struct histogram *histogram)
{
    if (histogram->count > 0)
        memset(&histogram->buckets[histogram->lowest], 0,
               (histogram->highest - histogram->lowest + 1) * sizeof(histogram->buckets[0]));
    histogram->count = 0;
    histogram->sum_ns = 0;
}

void histogram_add(struct histogram *histogram, int64_t span_ns)
{
    uint32_t bucket = bucket_of(span_ns);

    if (histogram->count == 0) {
        histogram->least_ns = histogram->most_ns = span_ns;
        histogram->lowest = histogram->highest = bucket;
    }
    if (span_ns < histogram->least_ns)
        histogram->least_ns = span_ns;
    if (span_ns > histogram->most_ns)
        histogram->most_ns = span_ns;
    if (bucket < histogram->lowest)
        histogram->lowest = bucket;
    if (bucket > histogram->highest)
        histogram->highest = bucket;
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_ns += span_ns;
}

int64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t ppm)
{
    assert(histogram->count > 0);
    assert(ppm <= 1000000);
    /* Rank by the nearest-rank method; counts of 2^44 and more do not occur. */
    uint64_t rank = (histogram->count * ppm + 999999) / 1000000;
    uint64_t seen = 0;
    uint32_t bucket = histogram->lowest;

    if (rank == 0)
        return histogram->least_ns;
    while ((seen += histogram->buckets[bucket]) < rank)
        bucket++;
    int64_t end_ns = histogram_bucket_end_ns(bucket);

    return end_ns < histogram->most_ns ? end_ns : histogram->most_ns;
}
