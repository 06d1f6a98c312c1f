/* PDUs in a byte stream. */
#include "iscsi/framer.h"

#include "iscsi/crc32c.h"

#include <assert.h>
#include <string.h>

static uint32_t padding_of(uint32_t bytes)
{
    return -bytes & 3;
}

void framer_init(struct framer *framer, uint32_t data_most)
{
    *framer = (struct framer){.data_most = data_most};
}

void framer_fini(struct framer *framer)
{
    buf_queue_clear(&framer->bytes);
}

void framer_feed(struct framer *framer, struct buf *bytes)
{
    if (framer->is_bad)
        buf_free(bytes);
    else
        buf_queue_put(&framer->bytes, bytes);
}

static enum framed end(struct framer *framer, enum framed why)
{
    framer->is_bad = true;
    buf_queue_clear(&framer->bytes);
    return why;
}

/* The header, its AHSs and its digest, once they are there as a whole. */
static enum framed read_header(struct framer *framer)
{
    struct buf_queue *bytes = &framer->bytes;

    if (bytes->bytes < PDU_HEADER_BYTES)
        return FRAMED_NOTHING;
    buf_read(bytes->head, 0, framer->header, PDU_HEADER_BYTES);
    size_t ahs_bytes = (size_t)framer->header[4] * 4;
    size_t whole = PDU_HEADER_BYTES + ahs_bytes + (framer->has_header_digest ? CRC32C_BYTES : 0);
    if (bytes->bytes < whole)
        return FRAMED_NOTHING;
    if (ahs_bytes)
        buf_read(bytes->head, PDU_HEADER_BYTES, framer->ahs, ahs_bytes);
    if (framer->has_header_digest) {
        uint32_t digest = crc32c_add(CRC32C_START, framer->header, PDU_HEADER_BYTES);
        uint8_t sent[CRC32C_BYTES];

        digest = crc32c_end(crc32c_add(digest, framer->ahs, ahs_bytes));
        buf_read(bytes->head, PDU_HEADER_BYTES + ahs_bytes, sent, CRC32C_BYTES);
        if (digest != get_crc32c(sent))
            return end(framer, FRAMED_HEADER_DIGEST);
    }
    framer->decoded = pdu_decode(framer->header, &framer->pdu);
    if (framer->pdu.data_bytes > framer->data_most)
        return end(framer, FRAMED_TOO_LONG);
    buf_queue_drop(bytes, whole);
    framer->has_header = true;
    return FRAMED_PDU;
}

static bool is_digest_good(const struct buf *data, uint32_t padded_bytes, const struct buf *tail)
{
    struct buf *covered = buf_share(data, 0, padded_bytes);
    uint32_t digest = crc32c_end(crc32c_add_chain(CRC32C_START, covered));
    uint8_t sent[CRC32C_BYTES];

    buf_free(covered);
    buf_read(tail, padded_bytes, sent, CRC32C_BYTES);
    return digest == get_crc32c(sent);
}

enum framed framer_next(struct framer *framer, struct framed_pdu *ret_pdu)
{
    if (framer->is_bad)
        return FRAMED_NOTHING;
    if (!framer->has_header) {
        enum framed framed = read_header(framer);

        if (framed != FRAMED_PDU)
            return framed;
    }
    uint32_t data_bytes = framer->pdu.data_bytes;
    uint32_t padded = data_bytes + padding_of(data_bytes);
    bool has_digest = framer->has_data_digest && data_bytes > 0;
    size_t whole = (size_t)padded + (has_digest ? CRC32C_BYTES : 0);
    if (framer->bytes.bytes < whole)
        return FRAMED_NOTHING;

    struct buf *data = buf_queue_take(&framer->bytes, whole);
    bool is_good = !has_digest || is_digest_good(data, padded, data);
    struct buf *rest = data;
    struct buf *segment = data_bytes ? buf_cut(&rest, data_bytes) : NULL;
    buf_free(rest);
    framer->has_header = false;
    *ret_pdu = (struct framed_pdu){.pdu = framer->pdu,
                                   .decoded = framer->decoded,
                                   .data = is_good ? segment : NULL,
                                   .header = framer->header,
                                   .ahs = framer->ahs};
    if (is_good)
        return FRAMED_PDU;
    buf_free(segment);
    return FRAMED_DATA_DIGEST;
}

static struct buf *build_header(struct pool *pool, const struct pdu *pdu, const uint8_t *ahs,
                                bool has_digest)
{
    size_t bytes = PDU_HEADER_BYTES + pdu->ahs_bytes;
    struct chunk *chunk = chunk_new(pool, bytes + (has_digest ? CRC32C_BYTES : 0));

    pdu_encode(pdu, chunk->data);
    if (pdu->ahs_bytes)
        memcpy(chunk->data + PDU_HEADER_BYTES, ahs, pdu->ahs_bytes);
    if (has_digest)
        put_crc32c(chunk->data + bytes, crc32c(chunk->data, bytes));
    return buf_new(chunk, 0, chunk->bytes);
}

/* Padding (zero) and digest behind the data; NULL if neither is needed. */
static struct buf *build_tail(struct pool *pool, const struct buf *data, uint32_t data_bytes,
                              bool has_digest)
{
    uint32_t pad = padding_of(data_bytes);
    uint8_t tail[3 + CRC32C_BYTES] = {0};

    if (data_bytes == 0 || (pad == 0 && !has_digest))
        return NULL;
    if (has_digest) {
        uint32_t digest = crc32c_add_chain(CRC32C_START, data);

        put_crc32c(tail + pad, crc32c_end(crc32c_add(digest, tail, pad)));
    }
    return buf_copy(pool, tail, pad + (has_digest ? CRC32C_BYTES : 0));
}

struct buf *framer_build(struct pool *pool, struct pdu *pdu, const uint8_t *ahs, size_t ahs_bytes,
                         struct buf *data, bool has_header_digest, bool has_data_digest)
{
    size_t data_bytes = buf_bytes(data);

    assert(ahs_bytes % 4 == 0);
    assert(ahs_bytes <= FRAMER_AHS_MOST);
    assert(data_bytes <= PDU_DATA_MOST);
    pdu->ahs_bytes = (uint16_t)ahs_bytes;
    pdu->data_bytes = (uint32_t)data_bytes;
    struct buf *tail = build_tail(pool, data, pdu->data_bytes, has_data_digest);

    return buf_join(build_header(pool, pdu, ahs, has_header_digest), buf_join(data, tail));
}
