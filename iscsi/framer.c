/* Framing of PDUs. The receiving side takes a PDU in two steps, the header with everything up to
 * the header digest, then the rest; it never looks behind the end of the PDU under way, so that
 * digests can be switched on between two PDUs.
 */
#include "iscsi/framer.h"

#include "iscsi/crc32c.h"

#include <assert.h>
#include <string.h>

#define PIECE_BYTES 512u /* a PDU that comes in pieces of so few is put together */

static const char *const fault_words[] = {
#define X(name, word) word,
    FRAMER_FAULTS(X)
#undef X
};

const char *framer_fault_word(enum framer_fault fault)
{
    return fault_words[fault];
}

void framer_init(struct framer *framer, uint32_t max_data_bytes, uint32_t max_ahs_bytes)
{
    *framer = (struct framer){.max_data_bytes = max_data_bytes, .max_ahs_bytes = max_ahs_bytes};
}

void framer_fini(struct framer *framer)
{
    buf_queue_clear(&framer->in);
}

void framer_set_digests(struct framer *framer, bool header_digest, bool data_digest)
{
    framer->header_digest = header_digest;
    framer->data_digest = data_digest;
}

void framer_set_max_data(struct framer *framer, uint32_t max_data_bytes)
{
    framer->max_data_bytes = max_data_bytes;
}

uint32_t framer_tags(const struct framer *framer, const struct buf *bytes, uint32_t ret_tags[],
                     uint32_t most)
{
    uint32_t count = 0;
    uint64_t skip = 0;

    if (!framer_is_between(framer))
        return 0;
    for (; bytes && count < most; bytes = bytes->next) {
        while (skip + PDU_HEADER_BYTES <= bytes->bytes && count < most) {
            const uint8_t *header = buf_data(bytes) + skip;
            uint32_t data_bytes = pdu_data_bytes(header);

            ret_tags[count++] = pdu_itt(header);
            skip += PDU_HEADER_BYTES + pdu_ahs_bytes(header) + data_bytes +
                    pdu_padding_bytes(data_bytes);
            if (framer->header_digest)
                skip += PDU_DIGEST_BYTES;
            if (framer->data_digest && data_bytes > 0)
                skip += PDU_DIGEST_BYTES;
        }
        if (skip < bytes->bytes)
            break;
        skip -= bytes->bytes;
    }
    return count;
}

void framer_feed(struct framer *framer, struct buf *bytes)
{
    /* What came alone, in a chunk of its own size, and finds others that wait: byte by byte. */
    bool is_piece = framer->in.tail && bytes && !bytes->next && bytes->bytes <= PIECE_BYTES &&
                    bytes->bytes == bytes->chunk->bytes;

    if (framer->fault != FRAMER_INTACT)
        buf_free(bytes);
    else if (is_piece)
        buf_queue_put_few(&framer->in, bytes);
    else
        buf_queue_put(&framer->in, bytes);
}

static enum framer_outcome fail(struct framer *framer, enum framer_fault fault)
{
    framer->fault = fault;
    buf_queue_clear(&framer->in);
    return FRAMER_BAD;
}

/* Copies bytes from the head of the queue and drops them. */
static void take_bytes(struct buf_queue *queue, void *ret_bytes, size_t bytes)
{
    if (bytes == 0)
        return;
    if (queue->head->bytes >= bytes)
        memcpy(ret_bytes, buf_data(queue->head), bytes);
    else
        buf_read(queue->head, 0, ret_bytes, bytes);
    buf_queue_drop(queue, bytes);
}

/* Header, AHS and header digest. With a digest nothing of the header is believed but what is
 * needed to find the digest (11.2.3); the AHS length is bounded before that. */
static enum framer_outcome take_header(struct framer *framer)
{
    uint8_t digest[PDU_DIGEST_BYTES] = {0};
    size_t digest_bytes = framer->header_digest ? PDU_DIGEST_BYTES : 0;

    if (framer->in.bytes < PDU_HEADER_BYTES)
        return FRAMER_NEEDS_MORE;
    if (framer->in.head->bytes >= PDU_HEADER_BYTES)
        memcpy(framer->header, buf_data(framer->in.head), PDU_HEADER_BYTES);
    else
        buf_read(framer->in.head, 0, framer->header, PDU_HEADER_BYTES);

    size_t ahs_bytes = pdu_ahs_bytes(framer->header);

    if (ahs_bytes > framer->max_ahs_bytes)
        return fail(framer, FRAMER_AHS_TOO_LONG);
    if (framer->in.bytes < PDU_HEADER_BYTES + ahs_bytes + digest_bytes)
        return FRAMER_NEEDS_MORE;
    buf_queue_drop(&framer->in, PDU_HEADER_BYTES);
    take_bytes(&framer->in, framer->ahs, ahs_bytes);
    take_bytes(&framer->in, digest, digest_bytes);
    if (framer->header_digest) {
        uint32_t crc = crc32c(0, framer->header, PDU_HEADER_BYTES);

        if (crc32c(crc, framer->ahs, ahs_bytes) != crc32c_get(digest))
            return fail(framer, FRAMER_HEADER_DIGEST);
    }

    uint32_t data_bytes = pdu_data_bytes(framer->header);

    if (data_bytes > framer->max_data_bytes)
        return fail(framer, FRAMER_DATA_TOO_LONG);
    framer->has_header = true;
    framer->has_data_digest = framer->data_digest && data_bytes > 0;
    framer->rest_bytes = data_bytes + pdu_padding_bytes(data_bytes) +
                         (framer->has_data_digest ? PDU_DIGEST_BYTES : 0);
    return FRAMER_PDU;
}

static enum framer_outcome reject(struct framer *framer, struct buf *data, uint8_t reason)
{
    buf_free(data);
    framer->reject_reason = reason;
    return FRAMER_REJECT;
}

static bool has_good_ahs(const struct framer *framer)
{
    struct pdu_ahs ahs;

    return pdu_ahs_decode(framer->ahs, pdu_ahs_bytes(framer->header), &ahs);
}

enum framer_outcome framer_next(struct framer *framer, struct pdu *ret_pdu, struct buf **ret_data)
{
    if (framer->fault != FRAMER_INTACT)
        return FRAMER_BAD;
    if (!framer->has_header) {
        enum framer_outcome outcome = take_header(framer);

        if (outcome != FRAMER_PDU)
            return outcome;
    }
    if (framer->in.bytes < framer->rest_bytes)
        return FRAMER_NEEDS_MORE;
    framer->has_header = false;

    uint32_t data_bytes = pdu_data_bytes(framer->header);
    uint32_t padding_bytes = pdu_padding_bytes(data_bytes);
    struct buf *data = buf_queue_take(&framer->in, data_bytes);
    uint8_t tail[3 + PDU_DIGEST_BYTES] = {0};

    take_bytes(&framer->in, tail, framer->rest_bytes - data_bytes);
    enum pdu_outcome outcome = pdu_decode(framer->header, ret_pdu);

    /* A PDU whose data cannot be trusted is rejected for that, whatever else it is (7.8). */
    if (framer->has_data_digest && crc32c(crc32c_chain_received(0, data), tail, padding_bytes) !=
                                       crc32c_get(tail + padding_bytes))
        return reject(framer, data, ISCSI_REJECT_DATA_DIGEST_ERROR);
    if (outcome != PDU_OK)
        return reject(framer, data, (uint8_t)outcome);
    if (ret_pdu->ahs_words > 0 && !has_good_ahs(framer))
        return reject(framer, data, ISCSI_REJECT_INVALID_PDU_FIELD);
    *ret_data = data;
    return FRAMER_PDU;
}

uint32_t framer_data_due(const struct framer *framer, uint32_t *ret_offset)
{
    uint32_t data_bytes = pdu_data_bytes(framer->header);

    if (!framer->has_header || framer->in.bytes >= data_bytes)
        return 0;
    *ret_offset = pdu_data_offset(framer->header) + (uint32_t)framer->in.bytes;
    return data_bytes - (uint32_t)framer->in.bytes;
}

/* Padding and data digest in a chunk of their own; NULL: neither. */
static struct buf *encode_tail(struct pool *pool, const struct buf *data, uint32_t data_bytes,
                               bool has_digest)
{
    static const uint8_t zeros[3];
    uint32_t padding_bytes = pdu_padding_bytes(data_bytes);
    uint32_t tail_bytes = padding_bytes + (has_digest ? PDU_DIGEST_BYTES : 0);

    if (tail_bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(pool, tail_bytes);

    memset(chunk->data, 0, padding_bytes);
    if (has_digest)
        crc32c_put(chunk->data + padding_bytes,
                   crc32c(crc32c_chain(0, data), zeros, padding_bytes));
    return buf_new(chunk, 0, tail_bytes);
}

struct buf *framer_encode_ahs(struct pool *pool, const struct pdu *pdu, const uint8_t *ahs,
                              size_t ahs_bytes, struct buf *data, struct framer_digests digests)
{
    assert(ahs_bytes % 4 == 0);
    assert(ahs_bytes <= PDU_AHS_MOST_BYTES);
    size_t data_bytes = buf_bytes(data);
    size_t head_bytes = PDU_HEADER_BYTES + ahs_bytes + (digests.header ? PDU_DIGEST_BYTES : 0);

    assert(data_bytes <= PDU_DATA_MOST);
    struct chunk *chunk = chunk_new(pool, head_bytes);

    pdu_encode(pdu, chunk->data);
    chunk->data[4] = (uint8_t)(ahs_bytes / 4);
    chunk->data[5] = (uint8_t)(data_bytes >> 16);
    chunk->data[6] = (uint8_t)(data_bytes >> 8);
    chunk->data[7] = (uint8_t)data_bytes;
    if (ahs_bytes > 0)
        memcpy(chunk->data + PDU_HEADER_BYTES, ahs, ahs_bytes);
    if (digests.header)
        crc32c_put(chunk->data + PDU_HEADER_BYTES + ahs_bytes,
                   crc32c(0, chunk->data, PDU_HEADER_BYTES + ahs_bytes));

    struct buf *head = buf_new(chunk, 0, (uint32_t)head_bytes);

    if (!data)
        return head;
    struct buf *tail = encode_tail(pool, data, (uint32_t)data_bytes, digests.data);

    head->next = tail ? buf_join(data, tail) : data;
    return head;
}

struct buf *framer_encode(struct pool *pool, const struct pdu *pdu, struct buf *data,
                          struct framer_digests digests)
{
    return framer_encode_ahs(pool, pdu, NULL, 0, data, digests);
}
