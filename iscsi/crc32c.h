/* CRC32C, the digest of iSCSI (RFC 7143, 13.1; RFC 3720, B.4 has the test vectors).
 *
 * The value goes onto the wire with its least significant byte first: put_crc32c().
 */
#pragma once

#include "sim/core/buf.h"

#include <stddef.h>
#include <stdint.h>

#define CRC32C_BYTES 4u

/* A running value: begin with CRC32C_START, add, end with crc32c_end(). */
#define CRC32C_START 0xffffffffu
uint32_t crc32c_add(uint32_t running, const void *data, size_t bytes);
uint32_t crc32c_add_chain(uint32_t running, const struct buf *chain);
static inline uint32_t crc32c_end(uint32_t running)
{
    return ~running;
}

/* Of one piece. */
uint32_t crc32c(const void *data, size_t bytes);

void put_crc32c(uint8_t *to, uint32_t value);
uint32_t get_crc32c(const uint8_t *from);
