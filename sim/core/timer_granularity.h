/* When a timer of an operating system really fires.
 *
 * Nobody's timers are exact. A system with a periodic tick fires at a tick, and Linux' timer wheel
 * (kernel/time/timer.c) gets coarser with the distance: a timer 63 ticks away or more waits for a
 * multiple of 8 ticks, one 504 or more away for a multiple of 64, and so on. A retransmission
 * timeout of 3.264 s thus takes up to 3.52 s, a ping time-out of 5 s up to 5.26 s.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* When a timer that is set at 'now_ns' for 'span_ns' later fires: never earlier than asked. A
 * 'tick_ns' of 0 is an exact timer; 'is_wheel' adds the wheel's rounding. TIME_NEVER stays. */
int64_t timer_granularity_fire_ns(int64_t now_ns, int64_t span_ns, int64_t tick_ns, bool is_wheel);
