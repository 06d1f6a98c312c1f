/* Time: a signed count of nanoseconds, in every world.
 *
 * An instant ("at_ns") counts from the start of the run, a span ("_ns") from anything. Nothing
 * that may influence a run uses floating point.
 */
#pragma once

#include <stdint.h>

#define US(count)      ((int64_t)(count)*1000)
#define MS(count)      ((int64_t)(count)*1000000)
#define SECONDS(count) ((int64_t)(count)*1000000000)

/* Later than anything: "no deadline", "no limit". */
#define TIME_NEVER INT64_MAX

/* 'span_ns' (0 or more) after 'at_ns', saturating at TIME_NEVER. */
static inline int64_t time_after(int64_t at_ns, int64_t span_ns)
{
    return span_ns >= TIME_NEVER - at_ns ? TIME_NEVER : at_ns + span_ns;
}

static inline int64_t time_min(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static inline int64_t time_max(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}
