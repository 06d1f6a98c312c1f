/* The packet memory of a switch: how many bytes wait in it, and by which port they came.
 *
 * The queues of the ports book frames in when they enter and out when their last bit has left. The
 * latter costs no event: a queue books out when somebody looks at it, so that the figures here are
 * upper bounds until each queue has been looked at. Whoever finds no room by them looks, and asks
 * again.
 *
 * With a shared memory each port's queue may grow to alpha times what is still free (dynamic
 * threshold, Choudhury and Hahne 1998; the switch chips' "alpha"): one congested port gets much,
 * many share. Each copy of a flooded frame counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACKET_BUFFER_ALPHA_ONE 128u

struct packet_buffer {
    uint64_t limit_bytes;  /* 0: each port has a memory of its own, bounded by its queue */
    uint32_t alpha_128ths; /* of what is free, for one queue; 0: no threshold */
    uint64_t used_bytes;
    uint64_t *from_bytes; /* by the port that they came in by; owned */
    uint32_t port_count;
};

void packet_buffer_init(struct packet_buffer *buffer, uint64_t limit_bytes, uint32_t alpha_128ths,
                        uint32_t port_count);
void packet_buffer_fini(struct packet_buffer *buffer);

static inline void packet_buffer_enter(struct packet_buffer *buffer, uint32_t from, uint32_t bytes)
{
    buffer->used_bytes += bytes;
    buffer->from_bytes[from] += bytes;
}
static inline void packet_buffer_leave(struct packet_buffer *buffer, uint32_t from, uint32_t bytes)
{
    buffer->used_bytes -= bytes;
    buffer->from_bytes[from] -= bytes;
}

/* Is there room for 'bytes' more in a queue that holds 'queued_bytes'? */
bool packet_buffer_has_room(const struct packet_buffer *buffer, uint64_t queued_bytes,
                            uint32_t bytes);
