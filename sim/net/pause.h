/* PAUSE, the flow control of a link (802.3-2018, annex 31B): MAC control frames as bytes.
 *
 *   01-80-C2-00-00-01 | station | 88-08 | opcode 00-01 | pause time | zeros up to 60 bytes
 *
 * The pause time counts quanta of 512 bit times at the speed of the link; each such frame replaces
 * the time that an earlier one set, and 0 ends it. Who wants silence for longer repeats itself.
 */
#pragma once

#include "sim/net/frame.h"

#include <stdbool.h>
#include <stdint.h>

#define PAUSE_QUANTUM_BITS 512
#define PAUSE_MOST_QUANTA  65535u

/* What a port does with PAUSE, as two bits. */
enum flow_control {
    FLOW_CONTROL_NONE = 0,
    FLOW_CONTROL_HONOUR = 1, /* it falls silent when told to */
    FLOW_CONTROL_ASK = 2,    /* it tells its peer to fall silent */
    FLOW_CONTROL_BOTH = 3,
};

/* From the station 'from': be silent for so many quanta. */
struct frame *pause_frame_new(struct pool *pool, struct mac_addr from, uint32_t quanta);
/* False: a MAC control frame of another kind, or cut short. */
bool pause_frame_read(const struct frame *frame, uint32_t *ret_quanta);

/* How long that is. */
static inline int64_t pause_ns(uint32_t quanta, int64_t rate_bits_per_s)
{
    return (int64_t)quanta * PAUSE_QUANTUM_BITS * 1000000000 / rate_bits_per_s;
}
