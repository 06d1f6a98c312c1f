/* The store in memory: sparse, shared with its readers, at most one copy per write. */
#include "target/memory_store.h"

#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "tests/test.h"

struct world {
    struct event_queue queue;
    struct pool *pool;
    struct memory_store *memory;
    struct store *store;
    unsigned done;
};

struct asked {
    struct store_request request;
    struct world *world;
};

static void count_done(struct store_request *request)
{
    CONTAINER_OF(request, struct asked, request)->world->done++;
}

static void world_new(struct world *w, uint64_t bytes, bool has_volatile_cache)
{
    *w = (struct world){0};
    event_queue_init(&w->queue);
    w->pool = pool_new();
    struct memory_store_config config = {.bytes = bytes, .has_volatile_cache = has_volatile_cache};

    random_init(&config.random, 7, "disk");
    w->memory = memory_store_new(&config, &w->queue.clock, w->pool);
    w->store = memory_store_interface(w->memory);
}

/* Everything must have been given back. */
static void world_free(struct world *w)
{
    memory_store_free(w->memory);
    assert_int_equal(pool_live_chunks(w->pool), 0);
    assert_int_equal(pool_live_bufs(w->pool), 0);
    assert_int_equal(pool_live_blocks(w->pool), 0);
    pool_free(w->pool);
    event_queue_fini(&w->queue);
}

static struct buf *ask(struct world *w, enum store_op op, uint64_t offset, uint64_t bytes,
                       struct buf *data, bool fua)
{
    struct asked asked = {.request = {.op = op,
                                      .offset = offset,
                                      .bytes = bytes,
                                      .data = data,
                                      .force_unit_access = fua,
                                      .on_done = count_done},
                          .world = w};
    unsigned before = w->done;

    store_submit(w->store, &asked.request);
    assert_int_equal(w->done, before); /* never from within submit */
    event_queue_run(&w->queue, clock_now_ns(&w->queue.clock), UINT64_MAX);
    assert_int_equal(w->done, before + 1);
    assert_int_equal(asked.request.result, STORE_OK);
    return asked.request.data;
}

static void write_fill(struct world *w, uint64_t offset, size_t bytes, uint8_t value)
{
    struct chunk *chunk = chunk_new(w->pool, bytes);

    memset(chunk->data, value, bytes);
    ask(w, STORE_WRITE, offset, bytes, buf_new(chunk, 0, (uint32_t)bytes), false);
}

static struct buf *read_back(struct world *w, uint64_t offset, size_t bytes)
{
    return ask(w, STORE_READ, offset, bytes, NULL, false);
}

static void assert_filled(struct world *w, uint64_t offset, size_t bytes, uint8_t value)
{
    struct buf *data = read_back(w, offset, bytes);
    size_t at = 0;

    assert_int_equal(buf_bytes(data), bytes);
    for (const struct buf *slice = data; slice; slice = slice->next) {
        for (uint32_t i = 0; i < slice->bytes; i++, at++)
            assert_int_equal(buf_data(slice)[i], value);
    }
    buf_free(data);
}

static void what_was_never_written_is_one_shared_page_of_zeros(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, UINT64_C(1) << 50, false);
    struct buf *near = read_back(&w, 0, 8192);
    struct buf *far = read_back(&w, (UINT64_C(1) << 50) - 4096, 4096);

    assert_ptr_equal(near->chunk, near->next->chunk);
    assert_ptr_equal(near->chunk, far->chunk);
    assert_int_equal(memory_store_pages(w.memory), 0);
    buf_free(near);
    buf_free(far);
    assert_filled(&w, 512, 8192, 0);
    world_free(&w);
}

static struct buf *filled(struct world *w, size_t bytes, uint8_t value)
{
    struct chunk *chunk = chunk_new(w->pool, bytes);

    memset(chunk->data, value, bytes);
    return buf_new(chunk, 0, (uint32_t)bytes);
}

static void a_page_that_nobody_else_holds_becomes_the_stores(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    struct buf *page = filled(&w, MEMORY_PAGE_BYTES, 5);
    struct buf *data = buf_join(filled(&w, 100, 4), buf_join(page, filled(&w, 50, 6)));
    const struct chunk *given = page->chunk;

    ask(&w, STORE_WRITE, MEMORY_PAGE_BYTES - 100, 100 + MEMORY_PAGE_BYTES + 50, data, false);
    struct buf *back = read_back(&w, MEMORY_PAGE_BYTES, MEMORY_PAGE_BYTES);

    assert_ptr_equal(back->chunk, given);
    buf_free(back);
    assert_filled(&w, MEMORY_PAGE_BYTES - 100, 100, 4);
    assert_filled(&w, MEMORY_PAGE_BYTES, MEMORY_PAGE_BYTES, 5);
    assert_filled(&w, 2 * MEMORY_PAGE_BYTES, 50, 6);
    assert_filled(&w, 2 * MEMORY_PAGE_BYTES + 50, 100, 0);
    world_free(&w);
}

/* As segments of TCP cut it. */
static void a_page_that_was_cut_on_its_way_is_kept_as_well(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    struct buf *rest = filled(&w, MEMORY_PAGE_BYTES, 5);
    const struct chunk *given = rest->chunk;
    struct buf *front = buf_cut(&rest, 1000);

    ask(&w, STORE_WRITE, 0, MEMORY_PAGE_BYTES, buf_join(front, rest), false);
    struct buf *back = read_back(&w, 0, MEMORY_PAGE_BYTES);

    assert_ptr_equal(back->chunk, given);
    buf_free(back);
    world_free(&w);
}

static void a_page_that_its_writer_still_holds_does_not_change_for_it(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    struct buf *mine = filled(&w, MEMORY_PAGE_BYTES, 5);

    ask(&w, STORE_WRITE, 0, MEMORY_PAGE_BYTES, buf_share(mine, 0, MEMORY_PAGE_BYTES), false);
    assert_filled(&w, 0, MEMORY_PAGE_BYTES, 5);
    write_fill(&w, 100, 10, 9);
    assert_int_equal(mine->chunk->data[100], 5);
    assert_filled(&w, 100, 10, 9);
    buf_free(mine);
    world_free(&w);
}

static void a_page_in_the_wrong_order_is_put_together(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    struct buf *back = filled(&w, MEMORY_PAGE_BYTES, 5);
    struct buf *front;

    back->chunk->data[0] = 7;
    front = buf_cut(&back, 1);
    ask(&w, STORE_WRITE, 0, MEMORY_PAGE_BYTES, buf_join(back, front), false);
    assert_filled(&w, 0, MEMORY_PAGE_BYTES - 1, 5);
    assert_filled(&w, MEMORY_PAGE_BYTES - 1, 1, 7);
    world_free(&w);
}

static void a_page_that_lies_across_two_is_copied(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    ask(&w, STORE_WRITE, 512, MEMORY_PAGE_BYTES, filled(&w, MEMORY_PAGE_BYTES, 5), false);
    assert_filled(&w, 0, 512, 0);
    assert_filled(&w, 512, MEMORY_PAGE_BYTES, 5);
    assert_filled(&w, 512 + MEMORY_PAGE_BYTES, 512, 0);
    world_free(&w);
}

static void a_read_shares_the_page_and_copies_nothing(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    write_fill(&w, 4096, 4096, 0x11);
    struct buf *first = read_back(&w, 4096, 4096);
    struct buf *second = read_back(&w, 4096 + 512, 512);

    assert_ptr_equal(first->chunk, second->chunk);
    assert_int_equal(second->offset, 512);
    assert_int_equal(first->chunk->refs, 3);
    buf_free(first);
    buf_free(second);
    world_free(&w);
}

static void a_write_leaves_what_a_reader_holds(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    write_fill(&w, 0, 4096, 0x11);
    struct buf *held = read_back(&w, 0, 4096);
    uint64_t hash = chunk_hash(held->chunk);

    write_fill(&w, 512, 512, 0x22);
    assert_int_equal(buf_data(held)[512], 0x11);
    assert_true(chunk_hash(held->chunk) == hash);
    assert_filled(&w, 0, 512, 0x11);
    assert_filled(&w, 512, 512, 0x22);
    assert_filled(&w, 1024, 3072, 0x11);
    buf_free(held);
    world_free(&w);
}

static void a_page_that_nobody_holds_is_written_in_place_and_hashed_anew(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    write_fill(&w, 0, 4096, 0x11);
    struct buf *before = read_back(&w, 0, 4096);
    const struct chunk *page = before->chunk;
    uint64_t hash = chunk_hash(before->chunk);

    buf_free(before);
    write_fill(&w, 0, 2048, 0x22);
    struct buf *after = read_back(&w, 0, 4096);

    assert_ptr_equal(after->chunk, page);
    assert_false(chunk_hash(after->chunk) == hash);
    buf_free(after);
    world_free(&w);
}

static void a_write_across_pages_takes_slices_of_any_size(void **state)
{
    struct world w;
    struct buf *data = NULL;
    (void)state;

    world_new(&w, 1 << 20, false);
    for (unsigned i = 0; i < 9; i++) { /* 9 slices of 1000 bytes, then one of 216 */
        uint8_t bytes[1000];

        memset(bytes, (int)i + 1, sizeof(bytes));
        data = buf_join(data, buf_copy(w.pool, bytes, sizeof(bytes)));
    }
    data = buf_join(data, buf_copy(w.pool, (uint8_t[216]){0}, 216));
    ask(&w, STORE_WRITE, 4096 - 512, 9216, data, false);
    for (unsigned i = 0; i < 9; i++)
        assert_filled(&w, 4096 - 512 + i * 1000, 1000, (uint8_t)(i + 1));
    assert_int_equal(memory_store_pages(w.memory), 4);
    world_free(&w);
}

static void a_punch_frees_whole_pages_and_zeros_the_rest(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    write_fill(&w, 0, 3 * 4096, 0x33);
    assert_int_equal(memory_store_pages(w.memory), 3);
    ask(&w, STORE_PUNCH, 2048, 2048 + 4096 + 512, NULL, false);
    assert_int_equal(memory_store_pages(w.memory), 2);
    assert_filled(&w, 0, 2048, 0x33);
    assert_filled(&w, 2048, 2048 + 4096 + 512, 0);
    assert_filled(&w, 2 * 4096 + 512, 4096 - 512, 0x33);
    world_free(&w);
}

static void a_crash_behind_a_protected_cache_loses_nothing(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, false);
    write_fill(&w, 0, 4096, 0x44);
    store_crash(w.store);
    assert_filled(&w, 0, 4096, 0x44);
    world_free(&w);
}

static void a_crash_ends_requests_in_work_without_a_word(void **state)
{
    struct world w;
    struct asked asked = {.world = &w};
    (void)state;

    world_new(&w, 1 << 20, false);
    asked.request = (struct store_request){.op = STORE_READ, .bytes = 8192, .on_done = count_done};
    store_submit(w.store, &asked.request);
    store_crash(w.store);
    event_queue_run(&w.queue, SECONDS(1), UINT64_MAX);
    assert_int_equal(w.done, 0);
    world_free(&w);
}

static uint8_t first_byte(struct world *w, uint64_t offset)
{
    struct buf *data = read_back(w, offset, 512);
    uint8_t byte = buf_data(data)[0];

    buf_free(data);
    return byte;
}

static void a_crash_loses_some_of_what_was_not_flushed(void **state)
{
    struct world w;
    unsigned lost = 0;
    (void)state;

    world_new(&w, 1 << 20, true);
    for (unsigned i = 0; i < 100; i++)
        write_fill(&w, i * 4096, 4096, 0x55);
    store_crash(w.store);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t byte = first_byte(&w, i * 4096);

        assert_true(byte == 0x55 || byte == 0);
        lost += byte == 0;
    }
    assert_in_range(lost, 20, 80);
    world_free(&w);
}

static void a_flush_makes_durable_what_came_before_it_only(void **state)
{
    struct world w;
    unsigned lost = 0;
    (void)state;

    world_new(&w, 1 << 20, true);
    for (unsigned i = 0; i < 50; i++)
        write_fill(&w, i * 4096, 4096, 0x66);
    ask(&w, STORE_FLUSH, 0, 0, NULL, false);
    for (unsigned i = 0; i < 50; i++)
        write_fill(&w, i * 4096 + 512, 512, 0x77);
    store_crash(w.store);
    for (unsigned i = 0; i < 50; i++) {
        assert_filled(&w, i * 4096, 512, 0x66);
        assert_filled(&w, i * 4096 + 1024, 3072, 0x66);
        lost += first_byte(&w, i * 4096 + 512) == 0x66;
    }
    assert_in_range(lost, 5, 45);
    world_free(&w);
}

static void a_write_with_fua_survives_whatever_came_before_it(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, true);
    for (unsigned i = 0; i < 50; i++) {
        write_fill(&w, i * 4096, 4096, 0x11);
        uint8_t durable[512];

        memset(durable, 0x22, sizeof(durable));
        ask(&w, STORE_WRITE, i * 4096, 512, buf_copy(w.pool, durable, 512), true);
    }
    store_crash(w.store);
    for (unsigned i = 0; i < 50; i++)
        assert_filled(&w, i * 4096, 512, 0x22);
    world_free(&w);
}

static void many_writes_to_one_page_do_not_pile_up(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1 << 20, true);
    for (unsigned i = 0; i < 1000; i++)
        write_fill(&w, 0, 512, (uint8_t)(i % 250 + 1));
    assert_in_range(pool_live_chunks(w.pool), 2, 16);
    store_crash(w.store);
    assert_int_not_equal(first_byte(&w, 0), 0); /* the old ones were destaged long ago */
    world_free(&w);
}

/* 16 MiB hang in one leaf of the table: it grows within one, and by several. */
static void what_is_there_stays_when_it_grows(void **state)
{
    static const uint64_t mib = 1 << 20;
    struct world w;
    (void)state;

    world_new(&w, 8 * mib, false);
    write_fill(&w, 8 * mib - 512, 512, 0xa5);
    for (uint64_t bytes = 12 * mib; bytes < 200 * mib; bytes *= 4) {
        memory_store_grow(w.memory, bytes);
        assert_true(w.store->bytes == bytes);
        assert_filled(&w, bytes - 4096, 4096, 0);
        assert_filled(&w, 8 * mib - 512, 512, 0xa5);
        write_fill(&w, bytes - 4096, 4096, 0x5a);
        assert_filled(&w, bytes - 4096, 4096, 0x5a);
    }
    world_free(&w);
}

int main(void)
{
    TEST(what_was_never_written_is_one_shared_page_of_zeros);
    TEST(a_page_that_nobody_else_holds_becomes_the_stores);
    TEST(a_page_that_was_cut_on_its_way_is_kept_as_well);
    TEST(a_page_that_its_writer_still_holds_does_not_change_for_it);
    TEST(a_page_in_the_wrong_order_is_put_together);
    TEST(a_page_that_lies_across_two_is_copied);
    TEST(a_read_shares_the_page_and_copies_nothing);
    TEST(a_write_leaves_what_a_reader_holds);
    TEST(a_page_that_nobody_holds_is_written_in_place_and_hashed_anew);
    TEST(a_write_across_pages_takes_slices_of_any_size);
    TEST(a_punch_frees_whole_pages_and_zeros_the_rest);
    TEST(a_crash_behind_a_protected_cache_loses_nothing);
    TEST(a_crash_ends_requests_in_work_without_a_word);
    TEST(a_crash_loses_some_of_what_was_not_flushed);
    TEST(a_flush_makes_durable_what_came_before_it_only);
    TEST(a_write_with_fua_survives_whatever_came_before_it);
    TEST(many_writes_to_one_page_do_not_pile_up);
    TEST(what_is_there_stays_when_it_grows);
    return TEST_RUN("target.memory_store");
}
