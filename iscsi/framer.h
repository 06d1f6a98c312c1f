/* Between the byte stream of a connection and its PDUs (RFC 7143, 11.2).
 *
 *   BHS 48 | AHS 0 to 1020 | header digest 0 or 4 | data | padding 0 to 3 | data digest 0 or 4
 *
 * Receiving: feed what arrives, then ask for the next PDU until it needs more. The data segment
 * stays shared slices of what was fed. Sending: one call turns a PDU and its data into a chain that
 * begins with the header; the data is shared, not copied.
 *
 *     framer_feed(&framer, bytes);
 *     while ((outcome = framer_next(&framer, &pdu, &data)) != FRAMER_NEEDS_MORE) ...
 *
 * A PDU that is intact as a frame but refused (bad data digest, unknown opcode, invalid field) is
 * FRAMER_REJECT: the stream goes on behind it. When the place of the next header is in doubt, the
 * framer is FRAMER_BAD for ever and the connection must go (7.8).
 */
#pragma once

#include "iscsi/pdu.h"
#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framer_outcome {
    FRAMER_NEEDS_MORE,
    FRAMER_PDU,    /* '*ret_pdu' and '*ret_data' are set */
    FRAMER_REJECT, /* '*ret_pdu' is set as far as pdu_decode() goes, there is no data;
                      framer_reject_reason() says why */
    FRAMER_BAD,    /* framer_fault() says why */
};

/* Why a connection cannot go on. X-macro: name, word. */
#define FRAMER_FAULTS(X)                                                                           \
    X(FRAMER_INTACT, "intact")                                                                     \
    X(FRAMER_HEADER_DIGEST, "header digest error")                                                 \
    X(FRAMER_DATA_TOO_LONG, "data segment longer than MaxRecvDataSegmentLength")                   \
    X(FRAMER_AHS_TOO_LONG, "additional header segments too long")

enum framer_fault {
#define X(name, word) name,
    FRAMER_FAULTS(X)
#undef X
};

const char *framer_fault_word(enum framer_fault fault);

struct framer {
    struct buf_queue in;
    uint32_t max_data_bytes;
    uint32_t max_ahs_bytes;
    bool header_digest;
    bool data_digest;
    bool has_header;       /* 'header' and 'ahs' of the PDU under way are complete and checked */
    bool has_data_digest;  /* the PDU under way has one */
    uint8_t reject_reason; /* of the last FRAMER_REJECT */
    enum framer_fault fault;
    uint32_t rest_bytes; /* data, padding and digest of the PDU under way */
    uint8_t header[PDU_HEADER_BYTES];
    uint8_t ahs[PDU_AHS_MOST_BYTES];
};

/* Nothing has come of the next PDU yet. */
static inline bool framer_is_between(const struct framer *framer)
{
    return !framer->has_header && framer->in.bytes == 0;
}

#define FRAMER_TAGS_MOST 8u /* enough of one read: who looks ahead gains nothing by more */
/* The Initiator Task Tags of the PDUs that begin in 'bytes', which are fed next, at most 'most': so
 * that what is known of all of them can come into the cache while the first is looked at. A header
 * that lies across slices ends the list. Returns how many. */
uint32_t framer_tags(const struct framer *framer, const struct buf *bytes, uint32_t ret_tags[],
                     uint32_t most);

/* Receiving. No digests at first, as in login (6.1). 'max_data_bytes' is what this end declared as
 * MaxRecvDataSegmentLength, 'max_ahs_bytes' what it wants of AHS (0: none). */
void framer_init(struct framer *framer, uint32_t max_data_bytes, uint32_t max_ahs_bytes);
void framer_fini(struct framer *framer);
/* From the next PDU on whose header has not been taken in yet. */
void framer_set_digests(struct framer *framer, bool header_digest, bool data_digest);
void framer_set_max_data(struct framer *framer, uint32_t max_data_bytes);

/* Takes ownership of 'bytes'. A FRAMER_BAD one drops them. */
void framer_feed(struct framer *framer, struct buf *bytes);
/* The caller owns '*ret_data' (NULL when empty), whose length is ret_pdu->data_bytes. */
MUST_CHECK enum framer_outcome framer_next(struct framer *framer, struct pdu *ret_pdu,
                                           struct buf **ret_data);

/* About the last PDU, or the one that was found FRAMER_BAD; until the next call of framer_next().
 * The header as on the wire, for Reject and for the trace. */
static inline const uint8_t *framer_header(const struct framer *framer)
{
    return framer->header;
}
/* Its AHS, of pdu->ahs_words words: pdu_ahs_decode() has accepted them already. */
static inline const uint8_t *framer_ahs(const struct framer *framer)
{
    return framer->ahs;
}
static inline uint8_t framer_reject_reason(const struct framer *framer)
{
    return framer->reject_reason;
}
static inline enum framer_fault framer_fault(const struct framer *framer)
{
    return framer->fault;
}
/* Bytes fed and not yet handed out. */
static inline size_t framer_buffered(const struct framer *framer)
{
    return framer->in.bytes;
}

/* Bytes that the data segment under way still lacks, 0 if none is; where the next one lies in the
 * data of its command. */
uint32_t framer_data_due(const struct framer *framer, uint32_t *ret_offset);

/* Sending. */
struct framer_digests {
    bool header;
    bool data;
};
/* The whole PDU; DataSegmentLength is that of 'data' (NULL: none), of which it takes ownership. The
 * first PDU_HEADER_BYTES of the first slice are the header, for the trace. */
struct buf *framer_encode(struct pool *pool, const struct pdu *pdu, struct buf *data,
                          struct framer_digests digests);
/* The same with Additional Header Segments: 'ahs_bytes' whole words. */
struct buf *framer_encode_ahs(struct pool *pool, const struct pdu *pdu, const uint8_t *ahs,
                              size_t ahs_bytes, struct buf *data, struct framer_digests digests);
