/* What a crash may lose: see unflushed.h. */
#include "target/unflushed.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/mem.h"

#define uthash_malloc(size) mem_new(size)
#include <uthash.h>

#define MAX_PAGES     16384u /* a cache of 64 MiB */
#define MAX_FRAGMENTS 8u     /* per page */

struct fragment {
    struct chunk *after; /* one reference: the page as it was right after the write; NULL: absent */
    uint32_t offset;
    uint32_t bytes;
    bool is_durable;
};

struct changed_page {
    uint64_t page;
    struct chunk *durable; /* one reference; NULL: absent */
    uint32_t fragment_count;
    struct fragment fragments[MAX_FRAGMENTS];
    UT_hash_handle hh;
};

struct unflushed {
    struct pool *pool;
    uint32_t page_bytes;
    struct changed_page *pages; /* in the order of their first change */
};

struct unflushed *unflushed_new(struct pool *pool, uint32_t page_bytes)
{
    struct unflushed *unflushed = mem_new(sizeof(*unflushed));

    *unflushed = (struct unflushed){.pool = pool, .page_bytes = page_bytes};
    return unflushed;
}

/* Takes the page out of the hash and gives back all that it holds. */
static void drop_page(struct unflushed *unflushed, struct changed_page *page)
{
    HASH_DEL(unflushed->pages, page);
    for (uint32_t i = 0; i < page->fragment_count; i++)
        chunk_unref(page->fragments[i].after);
    chunk_unref(page->durable);
    pool_give(unflushed->pool, page, sizeof(*page));
}

void unflushed_forget(struct unflushed *unflushed)
{
    while (unflushed->pages)
        drop_page(unflushed, unflushed->pages);
}

void unflushed_free(struct unflushed *unflushed)
{
    if (!unflushed)
        return;
    unflushed_forget(unflushed);
    free(unflushed);
}

/* Lays a fragment over 'content' (one reference, taken over) and returns the result. */
static struct chunk *overlay(struct unflushed *unflushed, struct chunk *content,
                             const struct fragment *fragment)
{
    bool is_whole = fragment->bytes == unflushed->page_bytes;

    if (is_whole) {
        chunk_unref(content);
        return fragment->after ? chunk_ref(fragment->after) : NULL;
    }
    struct chunk *result = chunk_new(unflushed->pool, unflushed->page_bytes);

    if (content)
        memcpy(result->data, content->data, unflushed->page_bytes);
    else
        memset(result->data, 0, unflushed->page_bytes);
    if (fragment->after)
        memcpy(result->data + fragment->offset, fragment->after->data + fragment->offset,
               fragment->bytes);
    else
        memset(result->data + fragment->offset, 0, fragment->bytes);
    chunk_unref(content);
    return result;
}

static struct changed_page *page_of(struct unflushed *unflushed, uint64_t number,
                                    struct chunk *before)
{
    struct changed_page *page = NULL;

    HASH_FIND(hh, unflushed->pages, &number, sizeof(number), page);
    if (page)
        return page;
    if (HASH_COUNT(unflushed->pages) >= MAX_PAGES)
        drop_page(unflushed, unflushed->pages); /* the oldest is destaged */
    page = pool_take(unflushed->pool, sizeof(*page));
    page->page = number;
    page->durable = before ? chunk_ref(before) : NULL;
    HASH_ADD(hh, unflushed->pages, page, sizeof(page->page), page);
    return page;
}

/* Makes room for one more fragment: the oldest is destaged. */
static void destage_oldest(struct unflushed *unflushed, struct changed_page *page)
{
    page->durable = overlay(unflushed, page->durable, &page->fragments[0]);
    chunk_unref(page->fragments[0].after);
    page->fragment_count--;
    memmove(&page->fragments[0], &page->fragments[1],
            page->fragment_count * sizeof(page->fragments[0]));
}

void unflushed_note(struct unflushed *unflushed, uint64_t page_number, uint32_t offset,
                    uint32_t bytes, struct chunk *before, struct chunk *after, bool is_durable)
{
    assert(offset + (uint64_t)bytes <= unflushed->page_bytes);
    struct changed_page *page = page_of(unflushed, page_number, before);

    if (page->fragment_count == MAX_FRAGMENTS)
        destage_oldest(unflushed, page);
    page->fragments[page->fragment_count++] =
        (struct fragment){.after = after ? chunk_ref(after) : NULL,
                          .offset = offset,
                          .bytes = bytes,
                          .is_durable = is_durable};
}

void unflushed_crash(struct unflushed *unflushed, struct random *random,
                     struct unflushed_owner *owner)
{
    while (unflushed->pages) {
        struct changed_page *page = unflushed->pages;
        struct chunk *content = page->durable ? chunk_ref(page->durable) : NULL;

        for (uint32_t i = 0; i < page->fragment_count; i++) {
            /* Drawn for durable ones as well, so that FUA does not shift what others draw. */
            bool is_destaged = random_below(random, 2) == 1;

            if (page->fragments[i].is_durable || is_destaged)
                content = overlay(unflushed, content, &page->fragments[i]);
        }
        owner->restore(owner, page->page, content);
        drop_page(unflushed, page);
    }
}
