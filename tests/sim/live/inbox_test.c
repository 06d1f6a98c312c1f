/* What a read brings is what the chain holds, wherever it was put. */
#include "sim/live/inbox.h"

#include "tests/test.h"

#include <string.h>

#define MOST_BYTES (300u * 1024)

/* A socket that gives the bytes of a stream, each known by its place. */
struct source {
    struct pool *pool;
    struct inbox inbox;
    uint32_t given_bytes;
    struct buf_queue got;
};

static uint8_t byte_at(uint32_t place)
{
    return (uint8_t)(place * 13 + place / 251);
}

static void source_new(struct source *source)
{
    *source = (struct source){.pool = pool_new()};
    inbox_init(&source->inbox, source->pool);
}

/* Everything is there, in order, and nothing is left over. */
static void source_free(struct source *source)
{
    uint32_t place = 0;

    for (const struct buf *slice = source->got.head; slice; slice = slice->next) {
        for (uint32_t i = 0; i < slice->bytes; i++)
            assert_int_equal(buf_data(slice)[i], byte_at(place++));
    }
    assert_int_equal(place, source->given_bytes);
    buf_queue_clear(&source->got);
    inbox_fini(&source->inbox);
    assert_int_equal(pool_live_chunks(source->pool), 0);
    assert_int_equal(pool_live_bufs(source->pool), 0);
    pool_free(source->pool);
}

/* As readv(), of at most 'most_bytes'. */
static struct buf *source_read(struct source *source, struct inbox_expected expected,
                               size_t most_bytes)
{
    size_t got = 0;

    inbox_offer(&source->inbox, &expected);
    for (int i = 0; i < source->inbox.piece_count; i++) {
        const struct iovec *piece = &source->inbox.pieces[i];

        for (size_t j = 0; j < piece->iov_len && got < most_bytes; j++, got++)
            ((uint8_t *)piece->iov_base)[j] = byte_at(source->given_bytes++);
    }
    return inbox_take(&source->inbox, got);
}

static void keep(struct source *source, struct buf *data)
{
    buf_queue_put(&source->got, data);
}

static void reads_share_a_chunk(void **state)
{
    struct source source;
    (void)state;

    source_new(&source);
    for (int i = 0; i < 20; i++)
        keep(&source, source_read(&source, (struct inbox_expected){0}, 3000));
    assert_int_equal(pool_live_chunks(source.pool), 1);
    for (int i = 0; i < 20; i++)
        keep(&source, source_read(&source, (struct inbox_expected){0}, 3000));
    assert_int_equal(pool_live_chunks(source.pool), 2);
    source_free(&source);
}

/* Whatever is expected, and however much of the chunk others have. */
static void a_small_read_holds_back_no_more_than_its_size(void **state)
{
    static const struct inbox_expected expected[] = {
        {0}, {.is_bulk = true}, {.due_bytes = 100000}, {.due_bytes = 100000, .page_offset = 4000}};
    struct source source;
    (void)state;

    source_new(&source);
    for (size_t i = 0; i < 4; i++) {
        for (size_t bytes = 1; bytes < 96; bytes++) {
            struct buf *data = source_read(&source, expected[i], bytes);

            assert_true(data->next != NULL || data->chunk->bytes == bytes);
            keep(&source, data);
        }
    }
    source_free(&source);
}

static void a_chunk_is_used_again_when_nobody_holds_it(void **state)
{
    struct source source;
    (void)state;

    source_new(&source);
    for (int i = 0; i < 10; i++) {
        struct buf *data = source_read(&source, (struct inbox_expected){0}, INBOX_CHUNK_BYTES);

        assert_int_equal(buf_bytes(data), INBOX_CHUNK_BYTES);
        buf_free(data);
        assert_int_equal(pool_live_chunks(source.pool), 1);
    }
    source.given_bytes = 0;
    source_free(&source);
}

static void data_fills_pages_of_its_own(void **state)
{
    const uint32_t due_bytes = 65536 - 464; /* behind what came with the header */
    struct source source;
    uint32_t pages = 0;
    (void)state;

    source_new(&source);
    keep(&source, source_read(&source, (struct inbox_expected){.is_bulk = true}, 48 + 464));
    struct buf *data = source_read(
        &source, (struct inbox_expected){.due_bytes = due_bytes, .page_offset = 464}, MOST_BYTES);

    assert_int_equal(buf_bytes(data), due_bytes + INBOX_REST_BYTES);
    assert_int_equal(data->bytes, INBOX_PAGE_BYTES - 464); /* up to the next page */
    for (const struct buf *slice = data->next; slice; slice = slice->next) {
        bool is_page = slice->offset == 0 && slice->bytes == INBOX_PAGE_BYTES;

        pages += is_page && slice->chunk->bytes == INBOX_PAGE_BYTES && slice->chunk->refs == 1;
    }
    assert_int_equal(pages, 15);
    keep(&source, data);
    source_free(&source);
}

/* So that a large read is few pieces, whatever the reads before it left over. */
static void pages_stay_neighbours(void **state)
{
    enum { BYTES = INBOX_MOST_PAGES * INBOX_PAGE_BYTES };
    struct source source;
    (void)state;

    source_new(&source);
    for (uint32_t i = 0; i < 100; i++) {
        struct inbox_expected expected = {.due_bytes = BYTES};

        inbox_offer(&source.inbox, &expected);
        assert_in_range(source.inbox.piece_count, 1, 3 * INBOX_MOST_PAGES / BUF_RUN_PAGES);
        buf_free(inbox_take(&source.inbox, 1 + i * 2621 % BYTES));
    }
    source_free(&source);
}

static void a_read_that_ends_early_leaves_spare_pages(void **state)
{
    struct source source;
    (void)state;

    for (uint32_t most_bytes = 500; most_bytes < 70000; most_bytes += 997) {
        source_new(&source);
        for (uint32_t due_bytes = MOST_BYTES; due_bytes > most_bytes; due_bytes -= most_bytes)
            keep(&source,
                 source_read(&source,
                             (struct inbox_expected){.due_bytes = due_bytes,
                                                     .page_offset = source.given_bytes % 4096},
                             most_bytes));
        source_free(&source);
        most_bytes += most_bytes / 2;
    }
}

static void more_than_all_pages_takes_another_read(void **state)
{
    struct source source;
    (void)state;

    source_new(&source);
    struct buf *data = source_read(&source, (struct inbox_expected){.due_bytes = MOST_BYTES},
                                   MOST_BYTES + INBOX_REST_BYTES);

    assert_int_equal(buf_bytes(data), INBOX_MOST_PAGES * INBOX_PAGE_BYTES);
    keep(&source, data);
    source_free(&source);
}

static void in_a_row_of_large_segments_a_header_is_read_with_little_behind(void **state)
{
    struct source source;
    (void)state;

    source_new(&source);
    keep(&source, source_read(&source, (struct inbox_expected){.is_bulk = true}, MOST_BYTES));
    assert_int_equal(source.got.bytes, INBOX_REST_BYTES);
    keep(&source, source_read(&source, (struct inbox_expected){.is_bulk = true, .due_bytes = 100},
                              MOST_BYTES));
    assert_int_equal(source.got.bytes, 2 * INBOX_REST_BYTES + 100);
    source_free(&source);
}

int main(void)
{
    TEST(reads_share_a_chunk);
    TEST(a_small_read_holds_back_no_more_than_its_size);
    TEST(a_chunk_is_used_again_when_nobody_holds_it);
    TEST(data_fills_pages_of_its_own);
    TEST(pages_stay_neighbours);
    TEST(a_read_that_ends_early_leaves_spare_pages);
    TEST(more_than_all_pages_takes_another_read);
    TEST(in_a_row_of_large_segments_a_header_is_read_with_little_behind);
    return TEST_RUN("sim.live.inbox");
}
