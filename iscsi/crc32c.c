/* CRC32C by ISA-L, which uses the processor's instructions where it has them; of whole pages once.
 */
#include "iscsi/crc32c.h"

#include "sim/core/buf.h"

#include <isa-l/crc.h>
#include <limits.h>
#include <stdbool.h>

#define FETCHED_BYTES 1024u /* early, of what comes next */

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

/* What the CRC of all that comes before a page turns into when the page follows, for each four bits
 * of it, lowest first: those bits times x^(8 * 4096), modulo the polynomial. */
static const uint32_t behind_page[8][16] = {
    {0x00000000, 0xc2a5b65e, 0x80a71a4d, 0x4202ac13, 0x04a2426b, 0xc607f435, 0x84055826, 0x46a0ee78,
     0x094484d6, 0xcbe13288, 0x89e39e9b, 0x4b4628c5, 0x0de6c6bd, 0xcf4370e3, 0x8d41dcf0,
     0x4fe46aae},
    {0x00000000, 0x128909ac, 0x25121358, 0x379b1af4, 0x4a2426b0, 0x58ad2f1c, 0x6f3635e8, 0x7dbf3c44,
     0x94484d60, 0x86c144cc, 0xb15a5e38, 0xa3d35794, 0xde6c6bd0, 0xcce5627c, 0xfb7e7888,
     0xe9f77124},
    {0x00000000, 0x2d7cec31, 0x5af9d862, 0x77853453, 0xb5f3b0c4, 0x988f5cf5, 0xef0a68a6, 0xc2768497,
     0x6e0b1779, 0x4377fb48, 0x34f2cf1b, 0x198e232a, 0xdbf8a7bd, 0xf6844b8c, 0x81017fdf,
     0xac7d93ee},
    {0x00000000, 0xdc162ef2, 0xbdc02b15, 0x61d605e7, 0x7e6c20db, 0xa27a0e29, 0xc3ac0bce, 0x1fba253c,
     0xfcd841b6, 0x20ce6f44, 0x41186aa3, 0x9d0e4451, 0x82b4616d, 0x5ea24f9f, 0x3f744a78,
     0xe362648a},
    {0x00000000, 0xfc5cf59d, 0xfd559dcb, 0x01096856, 0xff474d67, 0x031bb8fa, 0x0212d0ac, 0xfe4e2531,
     0xfb62ec3f, 0x073e19a2, 0x063771f4, 0xfa6b8469, 0x0425a158, 0xf87954c5, 0xf9703c93,
     0x052cc90e},
    {0x00000000, 0xf329ae8f, 0xe3bf2bef, 0x10968560, 0xc292212f, 0x31bb8fa0, 0x212d0ac0, 0xd204a44f,
     0x80c834af, 0x73e19a20, 0x63771f40, 0x905eb1cf, 0x425a1580, 0xb173bb0f, 0xa1e53e6f,
     0x52cc90e0},
    {0x00000000, 0x047c1faf, 0x08f83f5e, 0x0c8420f1, 0x11f07ebc, 0x158c6113, 0x190841e2, 0x1d745e4d,
     0x23e0fd78, 0x279ce2d7, 0x2b18c226, 0x2f64dd89, 0x321083c4, 0x366c9c6b, 0x3ae8bc9a,
     0x3e94a335},
    {0x00000000, 0x47c1faf0, 0x8f83f5e0, 0xc8420f10, 0x1aeb9d31, 0x5d2a67c1, 0x956868d1, 0xd2a99221,
     0x35d73a62, 0x7216c092, 0xba54cf82, 0xfd953572, 0x2f3ca753, 0x68fd5da3, 0xa0bf52b3,
     0xe77ea843},
};

static uint32_t move_behind_page(uint32_t crc)
{
    uint32_t moved = 0;

    for (unsigned part = 0; part < 8; part++)
        moved ^= behind_page[part][crc >> 4 * part & 0xf];
    return moved;
}

static bool is_whole_page(const struct buf *slice)
{
    return slice->bytes == CRC32C_PAGE_BYTES && slice->chunk->bytes == CRC32C_PAGE_BYTES;
}

/* A page whose CRC is known, or is to be. */
static bool counts_as_page(const struct buf *slice, bool remembers)
{
    return is_whole_page(slice) && (remembers || slice->chunk->has_crc32c);
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

/* The next piece is far away in memory: by the time the processor's own prefetcher knows that it is
 * read from front to back, a quarter of it would have been waited for. */
static void fetch(const struct buf *slice)
{
    for (uint32_t at = 0; slice && at < slice->bytes && at < FETCHED_BYTES; at += 64)
        __builtin_prefetch(buf_data(slice) + at);
}

/* Slices whose bytes lie one behind the other are one piece. */
static uint32_t crc_of_chain(uint32_t crc, const struct buf *chain, bool remembers)
{
    while (chain) {
        if (counts_as_page(chain, remembers)) {
            crc = move_behind_page(crc) ^ crc_of_page(chain->chunk);
            chain = chain->next;
            continue;
        }
        const uint8_t *data = buf_data(chain);
        size_t bytes = 0;

        do {
            bytes += chain->bytes;
            chain = chain->next;
        } while (chain && buf_data(chain) == data + bytes && !counts_as_page(chain, remembers));
        fetch(chain);
        crc = crc32c(crc, data, bytes);
    }
    return crc;
}

uint32_t crc32c_chain(uint32_t crc, const struct buf *chain)
{
    return crc_of_chain(crc, chain, true);
}

uint32_t crc32c_chain_received(uint32_t crc, const struct buf *chain)
{
    return crc_of_chain(crc, chain, false);
}
