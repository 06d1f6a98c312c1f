/* Shared packet memory with dynamic thresholds. */
#include "sim/net/packet_buffer.h"

#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>

void packet_buffer_init(struct packet_buffer *buffer, uint64_t limit_bytes, uint32_t alpha_128ths,
                        uint32_t port_count)
{
    *buffer = (struct packet_buffer){.limit_bytes = limit_bytes,
                                     .alpha_128ths = alpha_128ths,
                                     .from_bytes = mem_array(port_count, sizeof(uint64_t)),
                                     .port_count = port_count};
}

void packet_buffer_fini(struct packet_buffer *buffer)
{
    free(buffer->from_bytes);
    buffer->from_bytes = NULL;
}

bool packet_buffer_has_room(const struct packet_buffer *buffer, uint64_t queued_bytes,
                            uint32_t bytes)
{
    if (buffer->limit_bytes == 0)
        return true;
    if (buffer->used_bytes + bytes > buffer->limit_bytes)
        return false;
    if (buffer->alpha_128ths == 0)
        return true;
    uint64_t free_bytes = buffer->limit_bytes - buffer->used_bytes;

    return (queued_bytes + bytes) * PACKET_BUFFER_ALPHA_ONE <= free_bytes * buffer->alpha_128ths;
}
