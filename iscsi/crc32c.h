/* CRC32C, the digest of iSCSI (RFC 7143, 13.1), over bytes and over chains of slices.
 *
 * The running value is what goes on the wire: start with 0, feed pieces in order. crc32c_put()
 * writes the four bytes in the order of the standard's examples: 32 bytes of zero give
 * aa 36 91 8a.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;

#define CRC32C_PAGE_BYTES 4096u

/* Of 'data' behind what 'crc' already covers; 0: nothing yet. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
/* The same of a whole chain. Chunks of CRC32C_PAGE_BYTES that are in it as a whole remember theirs,
 * so that a page that was sent before costs no second look. */
uint32_t crc32c_chain(uint32_t crc, const struct buf *chain);
/* The same of what was received: what pages remember is used, but nothing is kept in them, which
 * would cost a tenth more of bytes that are new. */
uint32_t crc32c_chain_received(uint32_t crc, const struct buf *chain);

/* The digest field, least significant byte first. */
static inline void crc32c_put(uint8_t field[4], uint32_t crc)
{
    field[0] = (uint8_t)crc;
    field[1] = (uint8_t)(crc >> 8);
    field[2] = (uint8_t)(crc >> 16);
    field[3] = (uint8_t)(crc >> 24);
}
static inline uint32_t crc32c_get(const uint8_t field[4])
{
    return (uint32_t)field[3] << 24 | (uint32_t)field[2] << 16 | (uint32_t)field[1] << 8 | field[0];
}
