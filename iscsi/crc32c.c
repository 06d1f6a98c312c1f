/* CRC32C by ISA-L, which computes the same polynomial under the name "iscsi". */
#include "iscsi/crc32c.h"

#include <assert.h>
#include <limits.h>

#include <isa-l/crc.h>

uint32_t crc32c_add(uint32_t running, const void *data, size_t bytes)
{
    /* ISA-L reads only, though its pointer is not const. */
    unsigned char *from = (unsigned char *)(uintptr_t)data;

    assert(bytes <= INT_MAX);
    return bytes ? crc32_iscsi(from, (int)bytes, running) : running;
}

uint32_t crc32c_add_chain(uint32_t running, const struct buf *chain)
{
    for (; chain; chain = chain->next)
        running = crc32c_add(running, buf_data(chain), chain->bytes);
    return running;
}

uint32_t crc32c(const void *data, size_t bytes)
{
    return crc32c_end(crc32c_add(CRC32C_START, data, bytes));
}

void put_crc32c(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

uint32_t get_crc32c(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}
