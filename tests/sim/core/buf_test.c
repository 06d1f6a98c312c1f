/* Buffers: cutting and joining never copies, and nothing stays alive that nobody holds. */
#include "sim/core/buf.h"

#include "tests/test.h"

#include <string.h>

static struct buf *text(struct pool *pool, const char *words)
{
    return buf_copy(pool, words, strlen(words));
}

static void a_cut_through_a_slice_shares_its_bytes(void **state)
{
    struct pool *pool = pool_new();
    struct buf *chain = buf_join(text(pool, "login"), text(pool, "phase"));
    const uint8_t *second = buf_data(chain->next);
    struct buf *front = buf_cut(&chain, 7);
    char read[8] = "";
    (void)state;

    assert_int_equal(buf_bytes(front), 7);
    assert_int_equal(buf_bytes(chain), 3);
    buf_read(front, 3, read, 4);
    assert_string_equal(read, "inph");
    assert_ptr_equal(buf_data(chain), second + 2);
    assert_int_equal(pool_live_chunks(pool), 2);
    buf_free(front);
    buf_free(chain);
    assert_int_equal(pool_live_chunks(pool), 0);
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void equal_bytes_in_other_slices_are_equal(void **state)
{
    struct pool *pool = pool_new();
    struct buf *a = buf_join(text(pool, "abc"), text(pool, "defg"));
    struct buf *b = buf_join(text(pool, "a"), text(pool, "bcdefg"));
    struct buf *c = text(pool, "abcdefh");
    struct buf *shorter = buf_share(a, 0, 6);
    (void)state;

    assert_true(buf_equal(a, b));
    assert_false(buf_equal(a, c));
    assert_false(buf_equal(a, shorter));
    buf_free(a), buf_free(b), buf_free(c), buf_free(shorter);
    pool_free(pool);
}

static void a_queue_gives_what_it_has(void **state)
{
    struct pool *pool = pool_new();
    struct buf_queue queue = {0};
    (void)state;

    assert_null(buf_queue_take(&queue, 10));
    buf_queue_put(&queue, text(pool, "0123"));
    buf_queue_put(&queue, text(pool, "4567"));
    buf_queue_drop(&queue, 3);
    struct buf *taken = buf_queue_take(&queue, 2);
    char read[3] = "";
    buf_read(taken, 0, read, 2);
    assert_string_equal(read, "34");
    assert_int_equal(queue.bytes, 3);
    buf_free(taken);
    taken = buf_queue_take(&queue, 100);
    assert_int_equal(buf_bytes(taken), 3);
    assert_null(queue.tail);
    buf_free(taken);
    pool_free(pool);
}

static void a_chunk_of_any_size_comes_back(void **state)
{
    static const size_t sizes[] = {1, 64, 65, 8192, 65536, 65537, 1000000};
    struct pool *pool = pool_new();
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct chunk *chunk = chunk_new(pool, sizes[i]);

        memset(chunk->data, 0x5a, sizes[i]);
        uint64_t hash = chunk_hash(chunk);
        chunk_touch(chunk);
        chunk->data[sizes[i] - 1] ^= 1;
        assert_true(hash != chunk_hash(chunk));
        chunk_unref(chunk);
    }
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

static void the_pages_of_a_run_lie_one_behind_the_other(void **state)
{
    struct pool *pool = pool_new();
    struct buf *run = buf_new_pages(pool, BUF_RUN_PAGES);
    const uint8_t *first = buf_data(run);
    uint32_t pages = 0;
    (void)state;

    for (const struct buf *page = run; page; page = page->next, pages++) {
        assert_ptr_equal(buf_data(page), first + (size_t)pages * CHUNK_PAGE_BYTES);
        assert_int_equal(page->bytes, CHUNK_PAGE_BYTES);
        memset(page->chunk->data, (int)pages, page->bytes);
    }
    assert_int_equal(pages, BUF_RUN_PAGES);
    assert_int_equal(pool_live_chunks(pool), BUF_RUN_PAGES);
    for (const struct buf *page = run; page; page = page->next)
        assert_int_equal(buf_data(page)[CHUNK_PAGE_BYTES - 1], buf_data(page)[0]);
    buf_free(run);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

/* Whoever holds one page of a run holds that one. */
static void a_run_is_whole_again_when_all_its_pages_came_back(void **state)
{
    struct pool *pool = pool_new();
    struct buf *run = buf_new_pages(pool, BUF_RUN_PAGES);
    const uint8_t *first = buf_data(run);
    struct buf *held = buf_share(run, 3 * CHUNK_PAGE_BYTES, CHUNK_PAGE_BYTES);
    (void)state;

    memset(held->chunk->data, 0x5a, CHUNK_PAGE_BYTES);
    buf_free(run);
    assert_int_equal(pool_live_chunks(pool), 1);

    struct buf *other = buf_new_pages(pool, BUF_RUN_PAGES);
    struct chunk *single = chunk_new(pool, 4000); /* fills a gap */

    for (const struct buf *page = other; page; page = page->next)
        memset(page->chunk->data, 0xa5, page->bytes);
    memset(single->data, 0xa5, 4000);
    assert_true(single->data >= first);
    assert_true(single->data < first + BUF_RUN_PAGES * CHUNK_PAGE_BYTES);
    for (uint32_t i = 0; i < CHUNK_PAGE_BYTES; i++)
        assert_int_equal(buf_data(held)[i], 0x5a);
    chunk_unref(single);
    buf_free(held);

    struct buf *again = buf_new_pages(pool, BUF_RUN_PAGES);

    assert_ptr_equal(buf_data(again), first);
    buf_free(again);
    buf_free(other);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

/* Who keeps one page of each run must not make the pool sixteen times as large as what he keeps. */
static void gaps_between_pages_are_used_up(void **state)
{
    enum { KEPT = 8192 };
    struct pool *pool = pool_new();
    struct buf *kept = NULL;
    uint64_t marks = 0;
    (void)state;

    for (uint64_t count = 0; count < KEPT; count++) {
        struct buf *run = buf_new_pages(pool, BUF_RUN_PAGES);
        struct buf *others = run->next;

        memcpy(run->chunk->data, &count, sizeof(count));
        run->next = kept;
        kept = run;
        buf_free(others);
    }
    assert_int_equal(pool_live_chunks(pool), KEPT);
    assert_true(pool_bytes(pool) >= (size_t)KEPT * CHUNK_PAGE_BYTES);
    assert_true(pool_bytes(pool) < (size_t)KEPT * CHUNK_PAGE_BYTES * 3 / 2);
    for (const struct buf *page = kept; page; page = page->next) {
        uint64_t mark;

        memcpy(&mark, buf_data(page), sizeof(mark));
        assert_int_equal(mark, KEPT - 1 - marks++);
    }
    assert_int_equal(marks, KEPT);
    buf_free(kept);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

static void few_bytes_are_put_together(void **state)
{
    struct pool *pool = pool_new();
    struct buf_queue queue = {0};
    (void)state;

    for (unsigned i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)(i * 7);

        buf_queue_put_few(&queue, buf_copy(pool, &byte, 1));
    }
    assert_int_equal(queue.bytes, 10000);
    assert_int_equal(pool_live_chunks(pool), 3);
    assert_int_equal(pool_live_bufs(pool), 3);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t byte;

        buf_read(queue.head, i, &byte, 1);
        assert_int_equal(byte, (uint8_t)(i * 7));
    }
    buf_queue_clear(&queue);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

static void nothing_is_written_behind_bytes_that_somebody_else_holds(void **state)
{
    struct pool *pool = pool_new();
    struct chunk *chunk = chunk_new(pool, 64);
    struct buf_queue queue = {0};
    (void)state;

    memset(chunk->data, 'x', 64);
    buf_queue_put(&queue, buf_new(chunk_ref(chunk), 0, 8));
    buf_queue_put_few(&queue, text(pool, "new"));
    assert_memory_equal(chunk->data, "xxxxxxxxxxx", 11);
    assert_ptr_not_equal(queue.tail->chunk, chunk);
    chunk_unref(chunk);
    buf_queue_clear(&queue);
    pool_free(pool);
}

static void what_is_kept_holds_back_no_large_chunk(void **state)
{
    struct pool *pool = pool_new();
    struct chunk *chunk = chunk_new(pool, 65536);
    (void)state;

    memset(chunk->data, 'x', 65536);
    struct buf *few = buf_to_keep(buf_new(chunk_ref(chunk), 100, 3));
    struct buf *many = buf_to_keep(buf_new(chunk_ref(chunk), 0, BUF_FEW_BYTES + 1));

    assert_null(buf_to_keep(NULL));
    assert_int_equal(few->chunk->bytes, 3);
    assert_memory_equal(buf_data(few), "xxx", 3);
    assert_ptr_equal(many->chunk, chunk);
    buf_free(few), buf_free(many);
    chunk_unref(chunk);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

int main(void)
{
    TEST(a_cut_through_a_slice_shares_its_bytes);
    TEST(equal_bytes_in_other_slices_are_equal);
    TEST(a_queue_gives_what_it_has);
    TEST(the_pages_of_a_run_lie_one_behind_the_other);
    TEST(a_run_is_whole_again_when_all_its_pages_came_back);
    TEST(gaps_between_pages_are_used_up);
    TEST(few_bytes_are_put_together);
    TEST(nothing_is_written_behind_bytes_that_somebody_else_holds);
    TEST(what_is_kept_holds_back_no_large_chunk);
    TEST(a_chunk_of_any_size_comes_back);
    return TEST_RUN("sim.core.buf");
}
