/* Where the bytes of sockets are read to, so that few of them are copied again.
 *
 *   nothing known:   | chunk, from where the last read ended ...                    |
 *   data expected:   | chunk: up to the next page | page | page | ... | chunk: rest |
 *   a header next:   | chunk: rest |
 *
 * Small PDUs share a chunk, many to a read. A small read is copied to memory of its own size, so
 * that who sends byte by byte does not hold back a chunk with each. Of a large data segment that is
 * under way, what fills whole pages of a store goes to pages of its own, which the store takes over
 * as they are. Where segments were large so far the next one will be, and a read that could bring
 * its header brings little more.
 *
 *     inbox_offer(&inbox, &expected);
 *     got = readv(fd, inbox.pieces, inbox.piece_count);
 *     data = inbox_take(&inbox, got);
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define INBOX_CHUNK_BYTES 65536u
#define INBOX_PAGE_BYTES  CHUNK_PAGE_BYTES /* as the memory store's */
#define INBOX_MOST_PAGES  64u
#define INBOX_REST_BYTES  512u   /* read behind data: the next header, a few small PDUs */
#define INBOX_BULK_BYTES  16384u /* of data: fewer may well be copied */
#define INBOX_SMALL_BYTES 2048u  /* a read of so few is copied */

/* What the user of a stream expects to come. */
struct inbox_expected {
    uint32_t due_bytes;   /* of a data segment, next; 0: nothing is known */
    uint32_t page_offset; /* where in its page the first of them lies */
    bool is_bulk;         /* the last segment was large */
};

struct inbox {
    struct pool *pool;      /* borrowed */
    struct chunk *chunk;    /* one reference; NULL: none yet */
    uint32_t used_bytes;    /* of the chunk */
    struct buf_queue spare; /* pages: first in, first out, so that they stay neighbours */
    /* The read that was offered. */
    struct iovec pieces[INBOX_MOST_PAGES + 2];
    int piece_count;
    size_t bytes; /* of all pieces */
    uint32_t head_bytes;
    uint32_t page_bytes; /* of those offered, behind the head */
};

void inbox_init(struct inbox *inbox, struct pool *pool);
void inbox_fini(struct inbox *inbox);

/* Sets 'pieces', of 'bytes' in all, for one read. */
void inbox_offer(struct inbox *inbox, const struct inbox_expected *expected);
/* What that read has got: 1 to 'bytes'. The caller's. */
struct buf *inbox_take(struct inbox *inbox, size_t got_bytes);
