/* CRC32C by ISA-L, which uses the processor's instructions where it has them; of whole pages once.
 */
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

/* What the CRC of all that comes before a page turns into when the page follows, bit by bit: each
 * bit of the CRC times x^(8 * 4096), modulo the polynomial. */
static const uint32_t behind_page[32] = {
    0xc2a5b65e, 0x80a71a4d, 0x04a2426b, 0x094484d6, 0x128909ac, 0x25121358, 0x4a2426b0, 0x94484d60,
    0x2d7cec31, 0x5af9d862, 0xb5f3b0c4, 0x6e0b1779, 0xdc162ef2, 0xbdc02b15, 0x7e6c20db, 0xfcd841b6,
    0xfc5cf59d, 0xfd559dcb, 0xff474d67, 0xfb62ec3f, 0xf329ae8f, 0xe3bf2bef, 0xc292212f, 0x80c834af,
    0x047c1faf, 0x08f83f5e, 0x11f07ebc, 0x23e0fd78, 0x47c1faf0, 0x8f83f5e0, 0x1aeb9d31, 0x35d73a62,
};

static uint32_t move_behind_page(uint32_t crc)
{
    uint32_t moved = 0;

    for (unsigned bit = 0; bit < 32; bit++)
        moved ^= behind_page[bit] & (0u - (crc >> bit & 1u));
    return moved;
}

/* The page of a store is read again and again, and stays what it is while others hold it. */
static uint32_t crc_of_page(struct chunk *page)
{
    if (!page->has_crc32c) {
        page->crc32c = crc32c(0, page->data, CRC32C_PAGE_BYTES);
        page->has_crc32c = true;
    }
    return page->crc32c;
}

uint32_t crc32c_chain(uint32_t crc, const struct buf *chain)
{
    for (; chain; chain = chain->next) {
        if (chain->bytes == CRC32C_PAGE_BYTES && chain->chunk->bytes == CRC32C_PAGE_BYTES)
            crc = move_behind_page(crc) ^ crc_of_page(chain->chunk);
        else
            crc = crc32c(crc, buf_data(chain), chain->bytes);
    }
    return crc;
}
