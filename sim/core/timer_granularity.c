/* Rounding as a periodic tick and as Linux' timer wheel do it. */
#include "sim/core/timer_granularity.h"

#include "sim/core/time.h"

/* LVL_CLK_SHIFT, LVL_SIZE and LVL_DEPTH (for HZ > 100) of kernel/time/timer.c. */
#define LEVEL_SHIFT 3
#define LEVEL_SIZE  64
#define LEVEL_DEPTH 9

/* LVL_START(): a timer that many ticks away is on 'level', or a farther one. */
static int64_t level_start(int level)
{
    return (int64_t)(LEVEL_SIZE - 1) << (level - 1) * LEVEL_SHIFT;
}

/* calc_wheel_index() and calc_index(): the tick at which a timer for 'expires' fires, seen from
 * tick 'now'. The wheel guarantees "not early" by taking the next bucket even on an exact hit. */
static int64_t wheel_fire(int64_t now, int64_t expires)
{
    int level = 0;
    int64_t cutoff = level_start(LEVEL_DEPTH) - (1LL << (LEVEL_DEPTH - 1) * LEVEL_SHIFT);

    if (expires - now > cutoff)
        expires = now + cutoff;
    while (level + 1 < LEVEL_DEPTH && expires - now >= level_start(level + 1))
        level++;
    int shift = level * LEVEL_SHIFT;

    return ((expires >> shift) + 1) << shift;
}

int64_t timer_granularity_fire_ns(int64_t now_ns, int64_t span_ns, int64_t tick_ns, bool is_wheel)
{
    if (tick_ns == 0 || span_ns >= TIME_NEVER - now_ns - tick_ns)
        return time_after(now_ns, span_ns);
    if (!is_wheel)
        return (now_ns + span_ns + tick_ns - 1) / tick_ns * tick_ns;

    int64_t now = now_ns / tick_ns;
    int64_t fire = wheel_fire(now, now + (span_ns + tick_ns - 1) / tick_ns);

    return fire > TIME_NEVER / tick_ns ? TIME_NEVER : fire * tick_ns;
}
