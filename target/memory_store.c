/* A store in memory: see memory_store.h.
 *
 * Pages hang in a table of two levels: a leaf covers 16 MiB, so that even a disk of a petabyte has
 * a table of addresses that the system backs with memory only where it is used.
 */
#include "target/memory_store.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "target/unflushed.h"

#define LEAF_PAGES 4096u

struct leaf {
    struct chunk *pages[LEAF_PAGES]; /* one reference each; NULL: absent, reads as zero */
};

struct memory_store {
    struct store store;
    struct clock *clock;
    struct pool *pool;
    struct leaf **leaves; /* owned; NULL: nothing written there */
    size_t leaf_count;
    size_t page_count;
    struct chunk *zero_page;     /* shared by all that read what was never written */
    struct unflushed *unflushed; /* NULL: the cache is protected */
    struct unflushed_owner unflushed_owner;
    struct random random;
    struct store_request *done_head; /* took effect, on_done is due */
    struct store_request **done_end;
    struct timer done_timer;
};

/* A piece of a request that lies in one page. */
struct piece {
    uint64_t page;
    uint32_t offset;
    uint32_t bytes;
};

static struct piece piece_at(uint64_t offset, uint64_t bytes_left)
{
    uint32_t in_page = (uint32_t)(offset % MEMORY_PAGE_BYTES);
    uint64_t room = MEMORY_PAGE_BYTES - in_page;

    return (struct piece){.page = offset / MEMORY_PAGE_BYTES,
                          .offset = in_page,
                          .bytes = (uint32_t)(bytes_left < room ? bytes_left : room)};
}

static struct chunk *find_page(const struct memory_store *memory, uint64_t page)
{
    const struct leaf *leaf = memory->leaves[page / LEAF_PAGES];

    return leaf ? leaf->pages[page % LEAF_PAGES] : NULL;
}

static struct chunk **page_slot(struct memory_store *memory, uint64_t page)
{
    struct leaf **leaf = &memory->leaves[page / LEAF_PAGES];

    if (!*leaf)
        *leaf = mem_new(sizeof(**leaf));
    return &(*leaf)->pages[page % LEAF_PAGES];
}

/* Puts 'content' (its reference is taken over; NULL: absent) in the place of what is there. */
static void replace_page(struct memory_store *memory, struct chunk **slot, struct chunk *content)
{
    memory->page_count += (content != NULL);
    memory->page_count -= (*slot != NULL);
    chunk_unref(*slot);
    *slot = content;
}

static void restore_page(struct unflushed_owner *owner, uint64_t page, struct chunk *content)
{
    struct memory_store *memory = CONTAINER_OF(owner, struct memory_store, unflushed_owner);

    replace_page(memory, page_slot(memory, page), content);
}

static struct buf *read_pages(struct memory_store *memory, uint64_t offset, uint64_t bytes)
{
    struct buf *first = NULL;
    struct buf **end = &first;

    while (bytes > 0) {
        struct piece piece = piece_at(offset, bytes);
        struct chunk *page = find_page(memory, piece.page);

        *end = buf_new(chunk_ref(page ? page : memory->zero_page), piece.offset, piece.bytes);
        end = &(*end)->next;
        offset += piece.bytes;
        bytes -= piece.bytes;
    }
    return first;
}

/* The page at 'slot', held by nobody else and about to change in 'piece'. */
static struct chunk *page_to_change(struct memory_store *memory, struct chunk **slot,
                                    const struct piece *piece)
{
    struct chunk *old = *slot;

    if (old && old->refs == 1) {
        chunk_touch(old);
        return old;
    }
    struct chunk *fresh = chunk_new(memory->pool, MEMORY_PAGE_BYTES);

    if (piece->bytes < MEMORY_PAGE_BYTES) {
        if (old)
            memcpy(fresh->data, old->data, MEMORY_PAGE_BYTES);
        else
            memset(fresh->data, 0, MEMORY_PAGE_BYTES);
    }
    replace_page(memory, slot, fresh);
    return fresh;
}

/* Where the writer is in its chain of data; a NULL slice gives zeros. */
struct source {
    const struct buf *slice;
    size_t offset;
};

static void copy_from(struct source *source, uint8_t *to, size_t bytes)
{
    if (!source->slice) {
        memset(to, 0, bytes);
        return;
    }
    while (bytes > 0) {
        size_t here = source->slice->bytes - source->offset;

        if (here > bytes)
            here = bytes;
        memcpy(to, buf_data(source->slice) + source->offset, here);
        to += here;
        bytes -= here;
        source->offset += here;
        if (source->offset == source->slice->bytes && bytes > 0)
            *source = (struct source){.slice = source->slice->next};
    }
}

/* The chunk that is the next page as it stands, passed over; NULL: the page has to be put together.
 * A write of whole pages is kept without a copy, even if it was cut on its way. */
static struct chunk *take_page(const struct memory_store *memory, struct source *source)
{
    const struct buf *slice = source->slice;
    struct chunk *chunk = slice ? slice->chunk : NULL;
    uint32_t end = 0;

    if (!slice || source->offset != 0 || chunk->bytes != MEMORY_PAGE_BYTES ||
        chunk->pool != memory->pool)
        return NULL;
    while (slice && slice->chunk == chunk && slice->offset == end && end < MEMORY_PAGE_BYTES) {
        end += slice->bytes;
        slice = slice->next;
    }
    if (end != MEMORY_PAGE_BYTES)
        return NULL;
    source->slice = slice;
    return chunk;
}

static void skip_used_slice(struct source *source)
{
    if (source->slice && source->offset == source->slice->bytes)
        *source = (struct source){.slice = source->slice->next};
}

static void fill_page(struct memory_store *memory, struct chunk **slot, const struct piece *piece,
                      struct source *source)
{
    struct chunk *page = page_to_change(memory, slot, piece);

    copy_from(source, page->data + piece->offset, piece->bytes);
    skip_used_slice(source);
}

static void change_pages(struct memory_store *memory, const struct store_request *request)
{
    struct source source = {.slice = request->data};
    uint64_t offset = request->offset;
    uint64_t bytes = request->bytes;
    bool is_punch = request->op == STORE_PUNCH;

    while (bytes > 0) {
        struct piece piece = piece_at(offset, bytes);
        struct chunk **slot = page_slot(memory, piece.page);
        /* Held here while it is noted, so that the change goes to a fresh page. */
        struct chunk *before = memory->unflushed && *slot ? chunk_ref(*slot) : NULL;

        bool is_whole = piece.bytes == MEMORY_PAGE_BYTES;
        struct chunk *whole = is_whole ? take_page(memory, &source) : NULL;

        if (whole)
            replace_page(memory, slot, chunk_ref(whole));
        else if (is_punch && (!*slot || is_whole))
            replace_page(memory, slot, NULL);
        else
            fill_page(memory, slot, &piece, &source);
        if (memory->unflushed)
            unflushed_note(memory->unflushed, piece.page, piece.offset, piece.bytes, before, *slot,
                           request->force_unit_access);
        chunk_unref(before);
        offset += piece.bytes;
        bytes -= piece.bytes;
    }
}

/* The second half of the data takes the place of what equals the first half. */
static enum store_result compare_and_change(struct memory_store *memory,
                                            struct store_request *request)
{
    struct buf *expected = buf_cut(&request->data, (size_t)request->bytes);
    struct buf *there = read_pages(memory, request->offset, request->bytes);
    size_t differs = buf_difference(there, expected);

    buf_free(there);
    buf_free(expected);
    if (differs < request->bytes) {
        request->error_offset = differs;
        return STORE_MISCOMPARE;
    }
    change_pages(memory, request);
    return STORE_OK;
}

/* The data become what is there OR themselves. */
static void or_pages(struct memory_store *memory, struct store_request *request)
{
    struct chunk *sum = chunk_new(memory->pool, (size_t)request->bytes);
    struct buf *there = read_pages(memory, request->offset, request->bytes);
    struct source added = {.slice = request->data};
    uint8_t piece[256];

    buf_read(there, 0, sum->data, (size_t)request->bytes);
    buf_free(there);
    for (uint64_t done = 0; done < request->bytes;) {
        size_t bytes = (size_t)(request->bytes - done);

        if (bytes > sizeof(piece))
            bytes = sizeof(piece);
        copy_from(&added, piece, bytes);
        for (size_t i = 0; i < bytes; i++)
            sum->data[done + i] |= piece[i];
        done += bytes;
    }
    buf_free(request->data);
    request->data = buf_new(sum, 0, (uint32_t)request->bytes);
    change_pages(memory, request);
}

/* How far from 'offset' all is as it is there; absent leaves are skipped as a whole. */
static void look_up_map(const struct memory_store *memory, struct store_request *request)
{
    uint64_t at = request->offset;
    uint64_t end = request->offset + request->bytes;

    request->is_mapped = find_page(memory, at / MEMORY_PAGE_BYTES);
    while (at < end) {
        uint64_t page = at / MEMORY_PAGE_BYTES;
        bool is_leaf_absent = !memory->leaves[page / LEAF_PAGES];

        if ((find_page(memory, page) != NULL) != request->is_mapped)
            break;
        at = is_leaf_absent ? (page / LEAF_PAGES + 1) * LEAF_PAGES * MEMORY_PAGE_BYTES
                            : (page + 1) * MEMORY_PAGE_BYTES;
    }
    request->map_bytes = (at < end ? at : end) - request->offset;
}

static enum store_result take_effect(struct memory_store *memory, struct store_request *request)
{
    enum store_result result = STORE_OK;

    switch (request->op) {
    case STORE_READ:
        request->data = read_pages(memory, request->offset, request->bytes);
        return STORE_OK;
    case STORE_WRITE:
        assert(buf_bytes(request->data) == request->bytes);
        change_pages(memory, request);
        break;
    case STORE_PUNCH:
        request->data = NULL;
        change_pages(memory, request);
        return STORE_OK;
    case STORE_FLUSH:
        if (memory->unflushed)
            unflushed_forget(memory->unflushed);
        return STORE_OK;
    case STORE_COMPARE_WRITE:
        assert(buf_bytes(request->data) == 2 * request->bytes);
        result = compare_and_change(memory, request);
        break;
    case STORE_OR:
        assert(buf_bytes(request->data) == request->bytes);
        or_pages(memory, request);
        break;
    case STORE_MAP:
        look_up_map(memory, request);
        return STORE_OK;
    }
    buf_free(request->data);
    request->data = NULL;
    return result;
}

static void memory_submit(struct store *store, struct store_request *request)
{
    struct memory_store *memory = CONTAINER_OF(store, struct memory_store, store);

    if (request->op != STORE_FLUSH) {
        assert(request->offset <= store->bytes);
        assert(request->bytes <= store->bytes - request->offset);
    }
    request->result = take_effect(memory, request);
    request->next = NULL;
    *memory->done_end = request;
    memory->done_end = &request->next;
    if (!timer_is_armed(&memory->done_timer))
        clock_arm(memory->clock, &memory->done_timer, clock_now_ns(memory->clock));
}

static struct store_request *take_done(struct memory_store *memory)
{
    struct store_request *done = memory->done_head;

    memory->done_head = NULL;
    memory->done_end = &memory->done_head;
    return done;
}

/* One at a time from the live queue: an on_done may crash the store under us. */
static void tell_done(struct timer *timer)
{
    struct memory_store *memory = CONTAINER_OF(timer, struct memory_store, done_timer);
    struct store_request *last = CONTAINER_OF(memory->done_end, struct store_request, next);
    bool was_last = false;

    while (memory->done_head && !was_last) {
        struct store_request *request = memory->done_head;

        was_last = request == last;
        memory->done_head = request->next;
        if (!memory->done_head)
            memory->done_end = &memory->done_head;
        request->on_done(request);
    }
    if (memory->done_head && !timer_is_armed(timer))
        clock_arm(memory->clock, timer, clock_now_ns(memory->clock));
}

static void memory_crash(struct store *store)
{
    struct memory_store *memory = CONTAINER_OF(store, struct memory_store, store);

    clock_cancel(memory->clock, &memory->done_timer);
    for (struct store_request *request = take_done(memory); request;) {
        struct store_request *next = request->next;

        buf_free(request->data); /* nobody will come for it */
        request->data = NULL;
        request = next;
    }
    if (memory->unflushed)
        unflushed_crash(memory->unflushed, &memory->random, &memory->unflushed_owner);
}

/* The first page of a read: with many hosts it was read long ago. */
static void memory_fetch(struct store *store, const struct store_request *request)
{
    const struct memory_store *memory = CONTAINER_OF(store, struct memory_store, store);

    if (request->op == STORE_READ)
        __builtin_prefetch(find_page(memory, request->offset / MEMORY_PAGE_BYTES));
}

/* What was submitted took effect already: nothing to cancel. */
static const struct store_ops memory_ops = {
    .submit = memory_submit, .crash = memory_crash, .fetch = memory_fetch};

struct memory_store *memory_store_new(const struct memory_store_config *config, struct clock *clock,
                                      struct pool *pool)
{
    assert(config->bytes > 0);
    struct memory_store *memory = mem_new(sizeof(*memory));
    uint64_t leaf_bytes = (uint64_t)LEAF_PAGES * MEMORY_PAGE_BYTES;

    *memory = (struct memory_store){
        .store = {.ops = &memory_ops, .bytes = config->bytes},
        .clock = clock,
        .pool = pool,
        .leaf_count = (config->bytes - 1) / leaf_bytes + 1,
        .zero_page = chunk_new(pool, MEMORY_PAGE_BYTES),
        .unflushed_owner = {restore_page},
        .random = config->random,
    };
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers is meant */
    memory->leaves = mem_array(memory->leaf_count, sizeof(*memory->leaves));
    memset(memory->zero_page->data, 0, MEMORY_PAGE_BYTES);
    if (config->has_volatile_cache)
        memory->unflushed = unflushed_new(pool, MEMORY_PAGE_BYTES);
    memory->done_end = &memory->done_head;
    timer_init(&memory->done_timer, tell_done);
    return memory;
}

void memory_store_grow(struct memory_store *memory, uint64_t bytes)
{
    uint64_t leaf_bytes = (uint64_t)LEAF_PAGES * MEMORY_PAGE_BYTES;
    size_t leaf_count = (bytes - 1) / leaf_bytes + 1;

    assert(bytes >= memory->store.bytes);
    /* NOLINTBEGIN(bugprone-sizeof-expression): a table of pointers is meant */
    struct leaf **leaves = mem_array(leaf_count, sizeof(*leaves));

    memcpy(leaves, memory->leaves, memory->leaf_count * sizeof(*leaves));
    /* NOLINTEND(bugprone-sizeof-expression) */
    free(memory->leaves);
    memory->leaves = leaves;
    memory->leaf_count = leaf_count;
    memory->store.bytes = bytes;
}

void memory_store_free(struct memory_store *memory)
{
    if (!memory)
        return;
    assert(!memory->done_head);
    clock_cancel(memory->clock, &memory->done_timer);
    unflushed_free(memory->unflushed);
    for (size_t i = 0; i < memory->leaf_count; i++) {
        for (size_t page = 0; memory->leaves[i] && page < LEAF_PAGES; page++)
            chunk_unref(memory->leaves[i]->pages[page]);
        free(memory->leaves[i]);
    }
    free(memory->leaves);
    chunk_unref(memory->zero_page);
    free(memory);
}

struct store *memory_store_interface(struct memory_store *memory)
{
    return &memory->store;
}

size_t memory_store_pages(const struct memory_store *memory)
{
    return memory->page_count;
}
