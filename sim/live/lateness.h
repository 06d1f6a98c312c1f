/* How late things happened: a histogram of spans, cheap to add to, exact to an eighth.
 *
 * Each power of two is cut into eight buckets, so that a percentile is at most 12.5 % above the
 * truth. What is below 0 counts as 0.
 */
#pragma once

#include <stdint.h>

#define LATENESS_BUCKETS 512u /* 64 powers of two, eight each */

struct lateness {
    uint64_t counts[LATENESS_BUCKETS];
    uint64_t count;
    int64_t worst_ns;
};

/* 'lateness' begins as {0}. */
void lateness_add(struct lateness *lateness, int64_t late_ns);
/* The span that 'share_ppm' of all do not exceed: 500,000 is the median. 0 if there is none. */
int64_t lateness_at(const struct lateness *lateness, uint32_t share_ppm);
