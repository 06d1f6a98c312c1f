/* How spans are distributed: counts in buckets that are 1/16 of a power of two wide.
 *
 * A bucket's bound is within 6.25 % of every span in it, from 1 ns to hours.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 960

struct histogram {
    uint64_t count;
    int64_t least_ns; /* exact; valid if count > 0 */
    int64_t most_ns;
    int64_t sum_ns;
    uint32_t lowest; /* buckets outside lowest to highest are empty */
    uint32_t highest;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t span_ns);

/* The smallest span that at least 'ppm' of the spans do not exceed, to the accuracy of a bucket
 * (its upper bound, at most the greatest span seen). There is at least one span. */
int64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t ppm);

/* The greatest span that falls into a bucket. */
int64_t histogram_bucket_end_ns(uint32_t bucket);
