/* Memory for what sockets bring: see inbox.h. */
#include "sim/live/inbox.h"

#include <assert.h>

#define LEAST_ROOM_BYTES 4096u /* in a chunk, worth a read */

static_assert(INBOX_BULK_BYTES + INBOX_REST_BYTES <= INBOX_CHUNK_BYTES, "each fits a chunk");
static_assert(2 * INBOX_PAGE_BYTES <= INBOX_BULK_BYTES, "there is a page between head and rest");

void inbox_init(struct inbox *inbox, struct pool *pool)
{
    *inbox = (struct inbox){.pool = pool};
}

void inbox_fini(struct inbox *inbox)
{
    chunk_unref(inbox->chunk);
    buf_queue_clear(&inbox->spare);
}

static void need_room(struct inbox *inbox, uint32_t bytes)
{
    if (inbox->chunk && inbox->chunk->refs == 1)
        inbox->used_bytes = 0; /* nobody holds what was read before */
    if (inbox->chunk && inbox->used_bytes == 0)
        chunk_touch(inbox->chunk);
    if (inbox->chunk && INBOX_CHUNK_BYTES - inbox->used_bytes >= bytes)
        return;
    chunk_unref(inbox->chunk);
    inbox->chunk = chunk_new(inbox->pool, INBOX_CHUNK_BYTES);
    inbox->used_bytes = 0;
}

static void add_piece(struct inbox *inbox, uint8_t *data, uint32_t bytes)
{
    struct iovec *last = inbox->piece_count > 0 ? &inbox->pieces[inbox->piece_count - 1] : NULL;

    if (bytes == 0)
        return;
    if (last && (uint8_t *)last->iov_base + last->iov_len == data)
        last->iov_len += bytes;
    else
        inbox->pieces[inbox->piece_count++] = (struct iovec){data, bytes};
    inbox->bytes += bytes;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void offer_pages(struct inbox *inbox, uint32_t due_bytes, uint32_t page_offset)
{
    uint32_t head_bytes = (INBOX_PAGE_BYTES - page_offset) % INBOX_PAGE_BYTES;
    uint32_t pages = (due_bytes - head_bytes) / INBOX_PAGE_BYTES;
    uint32_t rest_bytes = (due_bytes - head_bytes) % INBOX_PAGE_BYTES + INBOX_REST_BYTES;

    if (pages > INBOX_MOST_PAGES) {
        pages = INBOX_MOST_PAGES;
        rest_bytes = 0;
    }
    need_room(inbox, head_bytes + rest_bytes);
    inbox->head_bytes = head_bytes;
    inbox->page_bytes = pages * INBOX_PAGE_BYTES;
    add_piece(inbox, inbox->chunk->data + inbox->used_bytes, head_bytes);
    if (inbox->spare.bytes < inbox->page_bytes) {
        uint32_t missing_bytes = inbox->page_bytes - (uint32_t)inbox->spare.bytes;

        buf_queue_put(&inbox->spare, buf_new_pages(inbox->pool, missing_bytes / INBOX_PAGE_BYTES));
    }
    for (struct buf *page = inbox->spare.head; pages > 0; pages--, page = page->next)
        add_piece(inbox, page->chunk->data, INBOX_PAGE_BYTES);
    add_piece(inbox, inbox->chunk->data + inbox->used_bytes + head_bytes, rest_bytes);
}

void inbox_offer(struct inbox *inbox, const struct inbox_expected *expected)
{
    assert(expected->page_offset < INBOX_PAGE_BYTES);
    inbox->piece_count = 0;
    inbox->bytes = 0;
    inbox->head_bytes = 0;
    inbox->page_bytes = 0;
    if (expected->due_bytes >= INBOX_BULK_BYTES) {
        offer_pages(inbox, expected->due_bytes, expected->page_offset);
        return;
    }
    uint32_t rest_bytes = expected->due_bytes + INBOX_REST_BYTES;

    need_room(inbox, expected->is_bulk ? rest_bytes : LEAST_ROOM_BYTES);
    add_piece(inbox, inbox->chunk->data + inbox->used_bytes,
              expected->is_bulk ? rest_bytes : INBOX_CHUNK_BYTES - inbox->used_bytes);
}

/* The next bytes of the chunk. */
static void take_of_chunk(struct inbox *inbox, struct buf ***end, uint32_t bytes)
{
    if (bytes == 0)
        return;
    **end = buf_new(chunk_ref(inbox->chunk), inbox->used_bytes, bytes);
    *end = &(**end)->next;
    inbox->used_bytes += bytes;
}

struct buf *inbox_take(struct inbox *inbox, size_t got_bytes)
{
    assert(got_bytes > 0);
    assert(got_bytes <= inbox->bytes);
    struct buf *first = NULL;
    struct buf **end = &first;
    uint32_t left_bytes = (uint32_t)got_bytes;

    if (got_bytes <= INBOX_SMALL_BYTES && got_bytes <= inbox->pieces[0].iov_len) {
        inbox->bytes = 0;
        return buf_copy(inbox->pool, inbox->pieces[0].iov_base, got_bytes);
    }
    uint32_t head_bytes = least(left_bytes, inbox->head_bytes);

    take_of_chunk(inbox, &end, head_bytes);
    left_bytes -= head_bytes;
    uint32_t page_bytes = least(left_bytes, inbox->page_bytes);

    *end = buf_queue_take(&inbox->spare, page_bytes);
    while (*end)
        end = &(*end)->next;
    buf_queue_drop(&inbox->spare, -page_bytes % INBOX_PAGE_BYTES); /* of a page that was begun */
    left_bytes -= page_bytes;
    take_of_chunk(inbox, &end, left_bytes);
    inbox->bytes = 0; /* a read is taken once */
    return first;
}
