/* PDUs in a byte stream: cutting what arrives, building what is sent (RFC 7143, 11.2, 13.1).
 *
 *   | BHS 48 | AHS 0..1020 | header digest 0/4 | data 0..2^24-1 | pad 0..3 | data digest 0/4 |
 *
 * Values that change: the owner feeds bytes and takes PDUs. Data segments stay slices of what
 * arrived; nothing of them is copied in either direction.
 */
#pragma once

#include "iscsi/pdu.h"
#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMER_AHS_MOST 1020u

/* The receiving side of one connection. */
struct framer {
    struct buf_queue bytes; /* arrived, not yet a PDU */
    uint32_t data_most;     /* DataSegmentLength above this is refused: our
                               MaxRecvDataSegmentLength */
    bool has_header_digest; /* may be switched between two PDUs */
    bool has_data_digest;
    bool is_bad;     /* the stream cannot be followed any more */
    bool has_header; /* 'header' is decoded, its data is awaited */
    uint8_t header[PDU_HEADER_BYTES];
    uint8_t ahs[FRAMER_AHS_MOST];
    struct pdu pdu;
    enum pdu_decoded decoded;
};

enum framed {
    FRAMED_PDU,
    FRAMED_NOTHING,       /* more bytes are needed */
    FRAMED_DATA_DIGEST,   /* the PDU is whole, its data digest is wrong: header and pdu are given,
                             the data is not. The stream goes on (7.8) */
    FRAMED_HEADER_DIGEST, /* the end: lengths cannot be trusted */
    FRAMED_TOO_LONG,      /* the end: DataSegmentLength above 'data_most' */
};

/* What framer_next() gives. */
struct framed_pdu {
    struct pdu pdu;
    enum pdu_decoded decoded; /* PDU_GOOD, or what is wrong with the header */
    struct buf *data;         /* without padding; the caller's; NULL: none */
    const uint8_t *header;    /* the 48 bytes; valid until the next call */
    const uint8_t *ahs;       /* pdu.ahs_bytes of them; likewise */
};

void framer_init(struct framer *framer, uint32_t data_most);
void framer_fini(struct framer *framer);
/* Takes ownership of 'bytes'. */
void framer_feed(struct framer *framer, struct buf *bytes);
/* The next PDU; after one of the ends nothing comes any more. */
enum framed framer_next(struct framer *framer, struct framed_pdu *ret_pdu);
/* Bytes that wait for the rest of their PDU. */
static inline size_t framer_waiting_bytes(const struct framer *framer)
{
    return framer->bytes.bytes;
}

/* The sending side: one PDU as bytes. 'pdu->data_bytes' and 'pdu->ahs_bytes' are set from 'data'
 * and 'ahs_bytes' (a multiple of 4). Takes ownership of 'data' (may be NULL). */
struct buf *framer_build(struct pool *pool, struct pdu *pdu, const uint8_t *ahs, size_t ahs_bytes,
                         struct buf *data, bool has_header_digest, bool has_data_digest);
