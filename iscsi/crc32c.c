/* CRC32C by ISA-L, which uses the processor's instructions where it has them. */
#include "iscsi/crc32c.h"

#include "sim/core/buf.h"

#include <isa-l/crc.h>
#include <limits.h>

/* crc32_iscsi() wants a pointer to bytes that it may change, though it does not, and a length that
 * fits an int. */
static unsigned crc_of(const uint8_t *data, size_t bytes, unsigned raw)
{
    union {
        const uint8_t *read_only;
        unsigned char *writable;
    } pointer = {.read_only = data};

    return crc32_iscsi(pointer.writable, (int)bytes, raw);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    unsigned raw = ~crc;

    while (bytes > 0) {
        size_t here = bytes < INT_MAX ? bytes : INT_MAX;

        raw = crc_of(at, here, raw);
        at += here;
        bytes -= here;
    }
    return ~raw;
}

uint32_t crc32c_chain(uint32_t crc, const struct buf *chain)
{
    for (; chain; chain = chain->next)
        crc = crc32c(crc, buf_data(chain), chain->bytes);
    return crc;
}
