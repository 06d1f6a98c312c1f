/* Payload bytes: chains of reference-counted slices.
 *
 * Chunks come in size classes (powers of two from 64 bytes to 64 KiB) that are recycled through
 * free lists; larger ones go to the system and back. Pages of 4 KiB come and go in runs, so that
 * their bytes lie one behind the other, and their structs too: what holds a disk's worth of pages
 * finds the next struct in the cache. Slices and small structs are recycled too, so
 * that a run in steady state allocates nothing.
 */
#include "sim/core/buf.h"

#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SMALLEST_SHIFT 6u  /* 64 bytes */
#define LARGEST_SHIFT  16u /* 64 KiB */
#define CLASS_COUNT    (LARGEST_SHIFT - SMALLEST_SHIFT + 1)
#define CLASS_PAGE     (12u - SMALLEST_SHIFT)
#define CLASS_HUGE     CLASS_COUNT /* from the system, back to the system */
#define ALL_FREE       ((1u << BUF_RUN_PAGES) - 1)
#define HALF_RUN       (BUF_RUN_PAGES / 2)
#define FEW_GAPS       256u /* pages: of no matter, however few are in use */
#define BLOCK_STEP     16u
#define LINE_BYTES     64u /* a line of the processor's cache */
#define BLOCK_LARGEST  1024u
#define SMALL_SLAB     ((size_t)256 * 1024) /* for runs that need little, */
#define SMALL_SLABS    4u                   /* so many; then large pages */

struct free_block {
    struct free_block *next;
};

/* Memory from the system that is given back with the pool. */
struct slab {
    struct slab *next;
    _Alignas(LINE_BYTES) uint8_t data[];
};

struct huge {
    struct huge *next;
    struct huge *previous;
    struct chunk chunk;
    _Alignas(16) uint8_t data[];
};

static_assert(CHUNK_PAGE_BYTES == 1u << (SMALLEST_SHIFT + CLASS_PAGE), "a page is one class");

/* In a list of the pool while a page of it is free: by how many are, so that single pages fill
 * small gaps and leave the large ones to become whole runs again. */
enum run_list { RUNS_FULL, RUNS_WITH_FEW, RUNS_WITH_MANY, RUNS_WHOLE, RUN_LISTS };

struct page_run {
    struct page_run *next;
    struct page_run *previous;
    uint32_t free_pages; /* a bit each */
    uint32_t free_count;
    struct chunk pages[BUF_RUN_PAGES];
    _Alignas(LINE_BYTES) uint8_t data[BUF_RUN_PAGES][CHUNK_PAGE_BYTES];
};

struct pool {
    struct slab *slabs;
    size_t slab_count;
    uint8_t *fresh; /* the unused end of the newest slab */
    size_t fresh_bytes;
    struct huge *huge_chunks;
    struct free_block *free_chunks[CLASS_COUNT];
    struct page_run *runs[RUN_LISTS]; /* but RUNS_FULL */
    size_t used_pages;
    size_t gap_pages; /* free, in runs of which others are in use */
    struct free_block *free_bufs;
    struct free_block *free_blocks[BLOCK_LARGEST / BLOCK_STEP + 1];
    size_t live_chunks;
    size_t live_bufs;
    size_t live_blocks;
};

struct pool *pool_new(void)
{
    return mem_new(sizeof(struct pool));
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    while (pool->slabs) {
        struct slab *slab = pool->slabs;

        pool->slabs = slab->next;
        free(slab);
    }
    while (pool->huge_chunks) {
        struct huge *huge = pool->huge_chunks;

        pool->huge_chunks = huge->next;
        free(huge);
    }
    free(pool);
}

size_t pool_live_chunks(const struct pool *pool)
{
    return pool->live_chunks;
}

size_t pool_live_bufs(const struct pool *pool)
{
    return pool->live_bufs;
}

size_t pool_live_blocks(const struct pool *pool)
{
    return pool->live_blocks;
}

size_t pool_bytes(const struct pool *pool)
{
    size_t small = pool->slab_count < SMALL_SLABS ? pool->slab_count : SMALL_SLABS;

    return small * SMALL_SLAB + (pool->slab_count - small) * MEM_HUGE;
}

/* 'bytes' is a multiple of 16 and much less than a slab. What takes whole lines begins with one, so
 * that it touches no line more than it must: with thousands of I/Os under way that is what they
 * cost. */
static void *from_slab(struct pool *pool, size_t bytes)
{
    size_t gap = bytes % LINE_BYTES == 0 ? pool->fresh_bytes % LINE_BYTES : 0;

    if (gap > 0 && pool->fresh_bytes >= gap) {
        pool->fresh += gap;
        pool->fresh_bytes -= gap;
    }
    if (pool->fresh_bytes < bytes) {
        bool is_small = pool->slab_count < SMALL_SLABS;
        size_t slab_bytes = (is_small ? SMALL_SLAB : MEM_HUGE) - sizeof(struct slab);
        struct slab *slab = is_small ? mem_aligned(_Alignof(struct slab), SMALL_SLAB) : mem_huge();

        assert(bytes <= slab_bytes);
        pool->slab_count++;

        slab->next = pool->slabs;
        pool->slabs = slab;
        pool->fresh = slab->data;
        pool->fresh_bytes = slab_bytes;
    }
    void *block = pool->fresh;

    pool->fresh += bytes;
    pool->fresh_bytes -= bytes;
    return block;
}

static void *pop_or_slab(struct pool *pool, struct free_block **list, size_t bytes)
{
    struct free_block *block = *list;

    if (!block)
        return from_slab(pool, bytes);
    *list = block->next;
    __builtin_prefetch(block->next); /* the next one to be taken may have left the cache long ago */
    return block;
}

static void push(struct free_block **list, void *block)
{
    struct free_block *free_block = block;

    free_block->next = *list;
    *list = free_block;
}

void *pool_take(struct pool *pool, size_t bytes)
{
    return memset(pool_take_raw(pool, bytes), 0, bytes);
}

/* Small ones share a line, larger ones take whole lines. */
static size_t step_of(size_t bytes)
{
    size_t grain = bytes < LINE_BYTES ? BLOCK_STEP : LINE_BYTES;

    return (bytes + grain - 1) / grain * (grain / BLOCK_STEP);
}

void *pool_take_raw(struct pool *pool, size_t bytes)
{
    assert(bytes > 0);
    assert(bytes <= BLOCK_LARGEST);
    size_t step = step_of(bytes);

    pool->live_blocks++;
    return pop_or_slab(pool, &pool->free_blocks[step], step * BLOCK_STEP);
}

void pool_give(struct pool *pool, void *block, size_t bytes)
{
    if (!block)
        return;
    assert(pool->live_blocks > 0);
    pool->live_blocks--;
    push(&pool->free_blocks[step_of(bytes)], block);
}

/* The chunk struct stands in front of its bytes, in one block of memory. */
#define CHUNK_HEADER ((sizeof(struct chunk) + 15) & ~(size_t)15)

/* What a chunk of the class takes, in whole lines. */
static size_t class_bytes(unsigned size_class)
{
    size_t bytes = CHUNK_HEADER + ((size_t)1 << (SMALLEST_SHIFT + size_class));

    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static struct chunk *huge_new(struct pool *pool, size_t bytes)
{
    struct huge *huge = mem_resize(NULL, 1, sizeof(*huge) + bytes);

    huge->previous = NULL;
    huge->next = pool->huge_chunks;
    if (huge->next)
        huge->next->previous = huge;
    pool->huge_chunks = huge;
    huge->chunk.data = huge->data;
    return &huge->chunk;
}

static enum run_list list_of(const struct page_run *run)
{
    if (run->free_count == 0)
        return RUNS_FULL;
    if (run->free_count == BUF_RUN_PAGES)
        return RUNS_WHOLE;
    return run->free_count <= HALF_RUN ? RUNS_WITH_FEW : RUNS_WITH_MANY;
}

static void put_in_list(struct pool *pool, struct page_run *run, enum run_list was)
{
    enum run_list is = list_of(run);

    if (is == was)
        return;
    if (was != RUNS_FULL)
        DL_DELETE2(pool->runs[was], run, previous, next);
    if (is != RUNS_FULL)
        DL_PREPEND2(pool->runs[is], run, previous, next);
}

static struct page_run *whole_run(struct pool *pool)
{
    if (!pool->runs[RUNS_WHOLE]) {
        struct page_run *run = from_slab(pool, sizeof(*run));

        run->free_pages = ALL_FREE;
        run->free_count = BUF_RUN_PAGES;
        put_in_list(pool, run, RUNS_FULL);
    }
    return pool->runs[RUNS_WHOLE];
}

/* The first free page of a run that has one. */
static struct chunk *use_page(struct pool *pool, struct page_run *run, size_t bytes)
{
    enum run_list was = list_of(run);
    unsigned place = (unsigned)__builtin_ctz(run->free_pages);
    struct chunk *page = &run->pages[place];

    *page = (struct chunk){.pool = pool,
                           .refs = 1,
                           .bytes = (uint32_t)bytes,
                           .size_class = CLASS_PAGE,
                           .place = (uint8_t)place,
                           .data = run->data[place]};
    run->free_pages &= ~(1u << place);
    run->free_count--;
    put_in_list(pool, run, was);
    pool->live_chunks++;
    pool->used_pages++;
    pool->gap_pages += was == RUNS_WHOLE ? BUF_RUN_PAGES : 0;
    pool->gap_pages--;
    return page;
}

static struct chunk *page_new(struct pool *pool, size_t bytes)
{
    struct page_run *run = pool->runs[RUNS_WITH_FEW];

    if (!run)
        run = pool->runs[RUNS_WITH_MANY];
    if (!run)
        run = whole_run(pool);
    return use_page(pool, run, bytes);
}

static void page_free(struct pool *pool, struct chunk *page)
{
    struct chunk *first = page - page->place;
    struct page_run *run = CONTAINER_OF(first, struct page_run, pages[0]);
    enum run_list was = list_of(run);

    run->free_pages |= 1u << page->place;
    run->free_count++;
    put_in_list(pool, run, was);
    pool->used_pages--;
    pool->gap_pages++;
    pool->gap_pages -= run->free_count == BUF_RUN_PAGES ? BUF_RUN_PAGES : 0;
}

struct chunk *chunk_new(struct pool *pool, size_t bytes)
{
    assert(bytes > 0);
    assert(bytes <= UINT32_MAX);
    unsigned size_class = 0;
    while (size_class < CLASS_COUNT && ((size_t)1 << (SMALLEST_SHIFT + size_class)) < bytes)
        size_class++;

    if (size_class == CLASS_PAGE)
        return page_new(pool, bytes);

    struct chunk *chunk;
    uint8_t *data;
    if (size_class == CLASS_HUGE) {
        chunk = huge_new(pool, bytes);
        data = chunk->data;
    } else {
        chunk = pop_or_slab(pool, &pool->free_chunks[size_class], class_bytes(size_class));
        data = (uint8_t *)chunk + CHUNK_HEADER;
    }
    *chunk = (struct chunk){.pool = pool,
                            .refs = 1,
                            .bytes = (uint32_t)bytes,
                            .size_class = (uint8_t)size_class,
                            .data = data};
    pool->live_chunks++;
    return chunk;
}

static void huge_free(struct pool *pool, struct chunk *chunk)
{
    struct huge *huge = CONTAINER_OF(chunk, struct huge, chunk);

    if (huge->previous)
        huge->previous->next = huge->next;
    else
        pool->huge_chunks = huge->next;
    if (huge->next)
        huge->next->previous = huge->previous;
    free(huge);
}

void chunk_unref(struct chunk *chunk)
{
    if (!chunk)
        return;
    assert(chunk->refs > 0);
    if (--chunk->refs > 0)
        return;
    struct pool *pool = chunk->pool;

    pool->live_chunks--;
    if (chunk->size_class == CLASS_HUGE)
        huge_free(pool, chunk);
    else if (chunk->size_class == CLASS_PAGE)
        page_free(pool, chunk);
    else
        push(&pool->free_chunks[chunk->size_class], chunk);
}

uint64_t chunk_hash(struct chunk *chunk)
{
    if (!chunk->is_hashed) {
        chunk->hash = hash64(chunk->data, chunk->bytes, 0);
        chunk->is_hashed = true;
    }
    return chunk->hash;
}

struct buf *buf_new(struct chunk *chunk, uint32_t offset, uint32_t bytes)
{
    assert(bytes > 0);
    assert(offset + (uint64_t)bytes <= chunk->bytes);
    struct buf *buf = pop_or_slab(chunk->pool, &chunk->pool->free_bufs, sizeof(struct buf));

    chunk->pool->live_bufs++;
    *buf = (struct buf){.chunk = chunk, .offset = offset, .bytes = bytes};
    return buf;
}

/* A large gap that is large enough, or else a whole run for who needs most of one, if there are not
 * too many gaps. */
static struct page_run *run_for(struct pool *pool, uint32_t count)
{
    bool has_few_gaps = pool->gap_pages <= FEW_GAPS + pool->used_pages / 4;
    struct page_run *most = pool->runs[RUNS_WITH_MANY];

    if (most && (count <= most->free_count || !has_few_gaps))
        return most;
    if (pool->runs[RUNS_WITH_FEW] && (count <= HALF_RUN || !has_few_gaps))
        return pool->runs[RUNS_WITH_FEW];
    return whole_run(pool);
}

struct buf *buf_new_pages(struct pool *pool, uint32_t count)
{
    struct buf *first = NULL;
    struct buf **end = &first;

    assert(count > 0);
    while (count > 0)
        for (struct page_run *run = run_for(pool, count); count > 0 && run->free_pages; count--) {
            *end = buf_new(use_page(pool, run, CHUNK_PAGE_BYTES), 0, CHUNK_PAGE_BYTES);
            end = &(*end)->next;
        }
    return first;
}

struct buf *buf_copy(struct pool *pool, const void *data, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(pool, bytes);

    memcpy(chunk->data, data, bytes);
    return buf_new(chunk, 0, (uint32_t)bytes);
}

struct buf *buf_to_keep(struct buf *chain)
{
    size_t bytes = buf_bytes(chain);

    if (bytes == 0 || bytes > BUF_FEW_BYTES || chain->chunk->bytes <= BUF_FEW_BYTES)
        return chain;
    struct chunk *chunk = chunk_new(chain->chunk->pool, bytes);

    buf_read(chain, 0, chunk->data, bytes);
    buf_free(chain);
    return buf_new(chunk, 0, (uint32_t)bytes);
}

struct buf *buf_give_slice(struct buf *chain)
{
    struct buf *next = chain->next;
    struct pool *pool = chain->chunk->pool;

    assert(pool->live_bufs > 0);
    pool->live_bufs--;
    push(&pool->free_bufs, chain);
    return next;
}

static struct buf *free_one(struct buf *buf)
{
    struct chunk *chunk = buf->chunk;
    struct buf *next = buf_give_slice(buf);

    chunk_unref(chunk);
    return next;
}

void buf_free(struct buf *chain)
{
    while (chain)
        chain = free_one(chain);
}

size_t buf_bytes(const struct buf *chain)
{
    size_t bytes = 0;

    for (; chain; chain = chain->next)
        bytes += chain->bytes;
    return bytes;
}

struct buf *buf_share(const struct buf *chain, size_t offset, size_t bytes)
{
    struct buf *first = NULL;
    struct buf **end = &first;

    while (bytes > 0) {
        assert(chain);
        if (offset >= chain->bytes) {
            offset -= chain->bytes;
        } else {
            size_t here = chain->bytes - offset;

            if (here > bytes)
                here = bytes;
            *end =
                buf_new(chunk_ref(chain->chunk), chain->offset + (uint32_t)offset, (uint32_t)here);
            end = &(*end)->next;
            bytes -= here;
            offset = 0;
        }
        chain = chain->next;
    }
    return first;
}

struct buf *buf_cut(struct buf **chain, size_t bytes)
{
    struct buf *first = *chain;
    struct buf **end = &first;

    while (bytes > 0 && *end && (*end)->bytes <= bytes) {
        bytes -= (*end)->bytes;
        end = &(*end)->next;
    }
    struct buf *rest = *end;

    *end = NULL;
    if (bytes > 0) { /* the cut goes through 'rest' */
        assert(rest);
        *end = buf_new(chunk_ref(rest->chunk), rest->offset, (uint32_t)bytes);
        rest->offset += (uint32_t)bytes;
        rest->bytes -= (uint32_t)bytes;
    }
    *chain = rest;
    return first;
}

void buf_drop(struct buf **chain, size_t bytes)
{
    while (bytes > 0) {
        assert(*chain);
        if ((*chain)->bytes > bytes) {
            (*chain)->offset += (uint32_t)bytes;
            (*chain)->bytes -= (uint32_t)bytes;
            return;
        }
        bytes -= (*chain)->bytes;
        *chain = free_one(*chain);
    }
}

struct buf *buf_join(struct buf *front, struct buf *back)
{
    if (!front)
        return back;
    struct buf *last = front;

    while (last->next)
        last = last->next;
    last->next = back;
    return front;
}

void buf_read(const struct buf *chain, size_t offset, void *ret_data, size_t bytes)
{
    uint8_t *out = ret_data;

    for (; bytes > 0; chain = chain->next) {
        assert(chain);
        if (offset >= chain->bytes) {
            offset -= chain->bytes;
            continue;
        }
        size_t here = chain->bytes - offset < bytes ? chain->bytes - offset : bytes;

        memcpy(out, buf_data(chain) + offset, here);
        out += here;
        bytes -= here;
        offset = 0;
    }
}

bool buf_equal(const struct buf *a, const struct buf *b)
{
    size_t a_offset = 0;
    size_t b_offset = 0;

    while (a && b) {
        size_t a_left = a->bytes - a_offset;
        size_t b_left = b->bytes - b_offset;
        size_t bytes = a_left < b_left ? a_left : b_left;
        const uint8_t *a_data = buf_data(a) + a_offset;
        const uint8_t *b_data = buf_data(b) + b_offset;

        if (a_data != b_data && memcmp(a_data, b_data, bytes) != 0)
            return false;
        a_offset += bytes;
        b_offset += bytes;
        if (a_offset == a->bytes) {
            a = a->next;
            a_offset = 0;
        }
        if (b_offset == b->bytes) {
            b = b->next;
            b_offset = 0;
        }
    }
    return !a && !b;
}

/* The first of 'bytes' that differs. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    size_t i = 0;

    if (a == b || memcmp(a, b, bytes) == 0)
        return bytes;
    while (a[i] == b[i])
        i++;
    return i;
}

size_t buf_difference(const struct buf *a, const struct buf *b)
{
    size_t same = 0;
    size_t a_offset = 0;
    size_t b_offset = 0;

    while (a && b) {
        size_t a_left = a->bytes - a_offset;
        size_t b_left = b->bytes - b_offset;
        size_t bytes = a_left < b_left ? a_left : b_left;
        size_t equal = first_difference(buf_data(a) + a_offset, buf_data(b) + b_offset, bytes);

        same += equal;
        if (equal < bytes)
            return same;
        a_offset += bytes;
        b_offset += bytes;
        if (a_offset == a->bytes) {
            a = a->next;
            a_offset = 0;
        }
        if (b_offset == b->bytes) {
            b = b->next;
            b_offset = 0;
        }
    }
    return same;
}

uint64_t buf_digest(const struct buf *chain, uint64_t seed)
{
    for (; chain; chain = chain->next) {
        seed = hash_mix(seed, chunk_hash(chain->chunk));
        seed = hash_mix(seed, (uint64_t)chain->offset << 32 | chain->bytes);
    }
    return seed;
}

void buf_queue_put(struct buf_queue *queue, struct buf *chain)
{
    if (!chain)
        return;
    if (queue->tail)
        queue->tail->next = chain;
    else
        queue->head = chain;
    for (; chain; chain = chain->next) {
        queue->bytes += chain->bytes;
        queue->tail = chain;
    }
}

/* Room behind the last bytes, in a chunk that nobody else holds. */
static uint32_t spare_bytes(const struct buf *tail)
{
    return tail && tail->chunk->refs == 1 ? tail->chunk->bytes - tail->offset - tail->bytes : 0;
}

void buf_queue_put_few(struct buf_queue *queue, struct buf *chain)
{
    size_t bytes = buf_bytes(chain);

    assert(bytes <= BUF_FEW_BYTES);
    if (bytes == 0)
        return;
    if (spare_bytes(queue->tail) < bytes) {
        struct chunk *chunk = chunk_new(chain->chunk->pool, 2 * BUF_FEW_BYTES);

        buf_read(chain, 0, chunk->data, bytes);
        buf_queue_put(queue, buf_new(chunk, 0, (uint32_t)bytes));
    } else {
        struct buf *tail = queue->tail;

        chunk_touch(tail->chunk);
        buf_read(chain, 0, tail->chunk->data + tail->offset + tail->bytes, bytes);
        tail->bytes += (uint32_t)bytes;
        queue->bytes += bytes;
    }
    buf_free(chain);
}

struct buf *buf_queue_take(struct buf_queue *queue, size_t bytes)
{
    if (bytes > queue->bytes)
        bytes = queue->bytes;
    if (bytes == 0)
        return NULL;
    struct buf *taken = buf_cut(&queue->head, bytes);

    queue->bytes -= bytes;
    if (!queue->head)
        queue->tail = NULL;
    return taken;
}

void buf_queue_drop(struct buf_queue *queue, size_t bytes)
{
    assert(bytes <= queue->bytes);
    buf_drop(&queue->head, bytes);
    queue->bytes -= bytes;
    if (!queue->head)
        queue->tail = NULL;
}

void buf_queue_clear(struct buf_queue *queue)
{
    buf_free(queue->head);
    *queue = (struct buf_queue){0};
}
