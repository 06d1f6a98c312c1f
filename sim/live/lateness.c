/* A histogram of spans: three bits behind the leading one choose the bucket. */
#include "sim/live/lateness.h"

#include <assert.h>

#define FRACTION_BITS 3u
#define FRACTIONS     (1u << FRACTION_BITS)

static unsigned bucket_of(uint64_t ns)
{
    unsigned power = 0;

    if (ns < FRACTIONS)
        return (unsigned)ns;
    while (ns >> power >= 2 * FRACTIONS)
        power++;
    return power * FRACTIONS + (unsigned)(ns >> power);
}

/* The largest span of a bucket. */
static int64_t end_of(unsigned bucket)
{
    if (bucket < 2 * FRACTIONS)
        return bucket;
    unsigned power = bucket / FRACTIONS - 1;

    return (int64_t)((((uint64_t)bucket % FRACTIONS + FRACTIONS + 1) << power) - 1);
}

void lateness_add(struct lateness *lateness, int64_t late_ns)
{
    int64_t ns = late_ns > 0 ? late_ns : 0;
    unsigned bucket = bucket_of((uint64_t)ns);

    assert(bucket < LATENESS_BUCKETS);
    lateness->counts[bucket]++;
    lateness->count++;
    if (ns > lateness->worst_ns)
        lateness->worst_ns = ns;
}

int64_t lateness_at(const struct lateness *lateness, uint32_t share_ppm)
{
    uint64_t wanted = lateness->count / 1000000 * share_ppm +
                      (lateness->count % 1000000 * share_ppm + 999999) / 1000000;
    uint64_t seen = 0;

    assert(share_ppm <= 1000000);
    for (unsigned bucket = 0; bucket < LATENESS_BUCKETS && lateness->count > 0; bucket++) {
        seen += lateness->counts[bucket];
        if (seen >= wanted && seen > 0)
            return end_of(bucket) < lateness->worst_ns ? end_of(bucket) : lateness->worst_ns;
    }
    return 0;
}
