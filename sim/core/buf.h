/* Payload bytes: chains of reference-counted slices, shared from the disk to the reader.
 *
 *   struct buf -> struct buf -> NULL        a chain: one slice each, owned by whoever holds it
 *        |             |
 *        v             v
 *     struct chunk   struct chunk           bytes: shared, immutable while more than one holds them
 *
 * Cutting, joining and sending copy no byte. All memory comes from a pool that one run owns and
 * that counts what is alive, so that a leak shows at the end of the run.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;

/* A piece of memory with content. Whoever fills it does so while it holds the only reference. */
struct chunk {
    struct pool *pool;
    uint32_t refs;
    uint32_t bytes; /* usable size of 'data' */
    uint64_t hash;  /* of all of 'data', once is_hashed */
    bool is_hashed;
    bool is_damaged; /* a fault flipped bits here: what arrives differs from what was sent */
    uint8_t size_class;
    uint8_t place; /* of a page in its run */
    bool has_crc32c;
    uint8_t note;    /* what a reader found out about all of 'data', so that the next one need not
                        look; its meaning is the readers' own, 0 is nothing */
    uint32_t crc32c; /* of all of 'data', once has_crc32c: see iscsi/crc32c.h */
    uint8_t *data;
};

struct buf {
    struct buf *next;
    struct chunk *chunk; /* one reference, owned */
    uint32_t offset;
    uint32_t bytes; /* 1 or more */
};

/* A queue of bytes: append at the tail, take from the head. {0} is empty. */
struct buf_queue {
    struct buf *head;
    struct buf *tail;
    size_t bytes;
};

/* Life of the pool. pool_free() gives all memory back, whoever still points at it. */
struct pool *pool_new(void);
void pool_free(struct pool *pool);
/* What is alive: for the leak check of rule P6. */
size_t pool_live_chunks(const struct pool *pool);
size_t pool_live_bufs(const struct pool *pool);
/* What it has of the system, in use or not, but for chunks of more than 64 KiB. */
size_t pool_bytes(const struct pool *pool);

/* Blocks of one size for structs that come and go by the million (frames, tasks): zeroed, at most
 * 1024 bytes, recycled by size. */
void *pool_take(struct pool *pool, size_t bytes);
/* The same without zeros, for structs whose larger part is written before it is read. */
void *pool_take_raw(struct pool *pool, size_t bytes);
void pool_give(struct pool *pool, void *block, size_t bytes);
size_t pool_live_blocks(const struct pool *pool);

/* A chunk with one reference; its content is undefined until the caller fills it. */
struct chunk *chunk_new(struct pool *pool, size_t bytes);
static inline struct chunk *chunk_ref(struct chunk *chunk)
{
    chunk->refs++;
    return chunk;
}
void chunk_unref(struct chunk *chunk); /* NULL does nothing */
/* The content hash, computed once. */
uint64_t chunk_hash(struct chunk *chunk);
/* The content is about to change: only for the one holder. What was known of it is forgotten. */
static inline void chunk_touch(struct chunk *chunk)
{
    assert(chunk->refs == 1);
    chunk->is_hashed = false;
    chunk->has_crc32c = false;
    chunk->note = 0;
}

/* So many pages, each a chunk and a slice of its own; their content is undefined. By sixteen they
 * lie one behind the other, as few pieces for the kernel and for a CRC as can be. A rest of less
 * than half of that fills gaps between pages in use, and so do all pages while the gaps are more
 * than a quarter of what is in use. 'count' is 1 or more. */
#define CHUNK_PAGE_BYTES 4096u
#define BUF_RUN_PAGES    16u
struct buf *buf_new_pages(struct pool *pool, uint32_t count);

/* One slice of 'chunk'. Takes over the caller's reference. 'bytes' is 1 or more. */
struct buf *buf_new(struct chunk *chunk, uint32_t offset, uint32_t bytes);
/* A slice of a new chunk with a copy of 'data'; NULL for 0 bytes. */
struct buf *buf_copy(struct pool *pool, const void *data, size_t bytes);
/* Gives back a whole chain; NULL does nothing. */
void buf_free(struct buf *chain);
/* Gives the first slice back, but not its reference to the chunk, which is the caller's from now
 * on. Returns the rest of the chain. */
struct buf *buf_give_slice(struct buf *chain);

/* The same bytes, which are to be kept for a while: of few (BUF_FEW_BYTES) a copy, so that they do
 * not hold back a large chunk. Takes ownership of 'chain', NULL too. */
struct buf *buf_to_keep(struct buf *chain);

/* The number of bytes of a chain; 0 for NULL. */
size_t buf_bytes(const struct buf *chain);
/* Another chain of the same bytes from 'offset' on: shares, does not copy. NULL for 0 bytes. */
struct buf *buf_share(const struct buf *chain, size_t offset, size_t bytes);
/* Cuts the first 'bytes' off '*chain' and returns them; '*chain' keeps the rest (maybe NULL). */
struct buf *buf_cut(struct buf **chain, size_t bytes);
/* Drops the first 'bytes'. */
void buf_drop(struct buf **chain, size_t bytes);
/* 'front' followed by 'back'; takes both, either may be NULL. */
struct buf *buf_join(struct buf *front, struct buf *back);
/* Copies bytes out; the range must lie inside the chain. */
void buf_read(const struct buf *chain, size_t offset, void *ret_data, size_t bytes);
/* Are these the same bytes? Shared slices are not even looked at. Lengths must agree. */
bool buf_equal(const struct buf *a, const struct buf *b);
/* The offset of the first byte that differs; the length of the shorter chain if none does. */
size_t buf_difference(const struct buf *a, const struct buf *b);
/* A hash of the chain made of its chunks' hashes: cheap, and the same in every build. */
uint64_t buf_digest(const struct buf *chain, uint64_t seed);

static inline const uint8_t *buf_data(const struct buf *slice)
{
    return slice->chunk->data + slice->offset;
}

/* Takes ownership of 'chain'. */
void buf_queue_put(struct buf_queue *queue, struct buf *chain);
/* At most 'bytes' from the head; NULL if there is nothing. */
/* For what few bytes wait there for more: they are copied behind those at the tail, many pieces to
 * a chunk, and hold back no more than that. Takes ownership of 'chain', of BUF_FEW_BYTES at most.
 */
#define BUF_FEW_BYTES 2048u
void buf_queue_put_few(struct buf_queue *queue, struct buf *chain);
struct buf *buf_queue_take(struct buf_queue *queue, size_t bytes);
void buf_queue_drop(struct buf_queue *queue, size_t bytes);
void buf_queue_clear(struct buf_queue *queue);
