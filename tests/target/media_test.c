/* How long media take, in virtual time. */
#include "target/media.h"

#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "target/memory_store.h"
#include "tests/test.h"

#define MOST 64

struct asked {
    struct store_request request;
    struct world *world;
    int64_t done_at_ns; /* 0: not yet */
};

struct world {
    struct event_queue queue;
    struct pool *pool;
    struct memory_store *memory;
    struct media *media;
    struct asked asked[MOST];
    unsigned count;
};

static void note_done(struct store_request *request)
{
    struct asked *asked = CONTAINER_OF(request, struct asked, request);

    assert_int_equal(asked->done_at_ns, 0);
    asked->done_at_ns = clock_now_ns(&asked->world->queue.clock);
}

static void world_new(struct world *w, uint32_t commands_at_once)
{
    memset(w, 0, sizeof(*w));
    event_queue_init(&w->queue);
    w->pool = pool_new();
    w->memory =
        memory_store_new(&(struct memory_store_config){.bytes = 1 << 20}, &w->queue.clock, w->pool);
    w->media = media_new(&(struct media_model){US(100), US(300), commands_at_once}, &w->queue.clock,
                         memory_store_interface(w->memory));
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        buf_free(w->asked[i].request.data);
    media_free(w->media);
    memory_store_free(w->memory);
    assert_int_equal(pool_live_chunks(w->pool), 0);
    assert_int_equal(pool_live_bufs(w->pool), 0);
    pool_free(w->pool);
    event_queue_fini(&w->queue);
}

static struct asked *ask(struct world *w, enum store_op op, uint64_t offset, uint8_t value)
{
    struct asked *asked = &w->asked[w->count++];
    struct buf *data = NULL;

    if (op == STORE_WRITE) {
        struct chunk *chunk = chunk_new(w->pool, 4096);

        memset(chunk->data, value, 4096);
        data = buf_new(chunk, 0, 4096);
    }
    *asked = (struct asked){.world = w,
                            .request = {.op = op,
                                        .offset = offset,
                                        .bytes = op == STORE_FLUSH ? 0 : 4096,
                                        .data = data,
                                        .on_done = note_done}};
    store_submit(media_interface(w->media), &asked->request);
    return asked;
}

static void run_until(struct world *w, int64_t at_ns)
{
    event_queue_run(&w->queue, at_ns, UINT64_MAX);
}

static void each_kind_takes_its_time(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 4);
    struct asked *read = ask(&w, STORE_READ, 0, 0);
    struct asked *write = ask(&w, STORE_WRITE, 4096, 1);
    struct asked *flush = ask(&w, STORE_FLUSH, 0, 0);

    run_until(&w, SECONDS(1));
    assert_int_equal(read->done_at_ns, US(100));
    assert_int_equal(write->done_at_ns, US(300));
    assert_int_equal(flush->done_at_ns, US(300));
    world_free(&w);
}

static void what_finds_all_servers_busy_waits_its_turn(void **state)
{
    struct world w;
    struct asked *asked[5];
    (void)state;

    world_new(&w, 2);
    for (unsigned i = 0; i < 5; i++)
        asked[i] = ask(&w, STORE_READ, i * 4096, 0);
    assert_int_equal(media_in_service(w.media), 2);
    assert_int_equal(media_waiting(w.media), 3);
    run_until(&w, SECONDS(1));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(asked[i]->done_at_ns, US(100) * (1 + i / 2));
    world_free(&w);
}

static void a_write_lands_when_its_service_ends_and_not_before(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 8);
    ask(&w, STORE_WRITE, 0, 0x77);
    run_until(&w, US(150));
    struct asked *early = ask(&w, STORE_READ, 0, 0); /* ends at 250 us */

    run_until(&w, US(250));
    struct asked *late = ask(&w, STORE_READ, 0, 0); /* ends at 350 us */

    run_until(&w, SECONDS(1));
    assert_int_equal(buf_data(early->request.data)[0], 0);
    assert_int_equal(buf_data(late->request.data)[0], 0x77);
    world_free(&w);
}

static void slow_layers_stack_and_come_off_one_by_one(void **state)
{
    struct world w;
    struct media_slow tenfold = {.factor_ppm = 10000000};
    struct media_slow later = {.factor_ppm = 1000000, .add_ns = MS(1)};
    (void)state;

    world_new(&w, 8);
    media_slow_add(w.media, &tenfold);
    media_slow_add(w.media, &later);
    struct asked *both = ask(&w, STORE_READ, 0, 0);

    media_slow_remove(w.media, &tenfold);
    struct asked *one = ask(&w, STORE_READ, 0, 0);

    media_slow_remove(w.media, &later);
    struct asked *none = ask(&w, STORE_READ, 0, 0);

    run_until(&w, SECONDS(1));
    assert_int_equal(both->done_at_ns, MS(2));
    assert_int_equal(one->done_at_ns, MS(1) + US(100));
    assert_int_equal(none->done_at_ns, US(100));
    world_free(&w);
}

static void a_failing_range_fails_reads_with_its_first_byte(void **state)
{
    struct world w;
    struct media_failure bad = {.offset = 6000, .bytes = 100, .fails_reads = true};
    (void)state;

    world_new(&w, 8);
    media_failure_add(w.media, &bad);
    struct asked *before = ask(&w, STORE_READ, 0, 0);
    struct asked *inside = ask(&w, STORE_READ, 4096, 0);
    struct asked *behind = ask(&w, STORE_READ, 8192, 0);
    struct asked *written = ask(&w, STORE_WRITE, 4096, 1);

    run_until(&w, SECONDS(1));
    assert_int_equal(before->request.result, STORE_OK);
    assert_int_equal(inside->request.result, STORE_MEDIUM_ERROR);
    assert_int_equal(inside->request.error_offset, 6000);
    assert_null(inside->request.data);
    assert_int_equal(inside->done_at_ns, US(100));
    assert_int_equal(behind->request.result, STORE_OK);
    assert_int_equal(written->request.result, STORE_OK);
    media_failure_remove(w.media, &bad);
    struct asked *again = ask(&w, STORE_READ, 4096, 0);

    run_until(&w, SECONDS(2));
    assert_int_equal(again->request.result, STORE_OK);
    world_free(&w);
}

static void a_cancelled_write_never_lands(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1);
    struct asked *in_service = ask(&w, STORE_WRITE, 0, 0x11);
    struct asked *queued = ask(&w, STORE_WRITE, 4096, 0x22);
    struct asked *kept = ask(&w, STORE_WRITE, 8192, 0x33);

    assert_true(store_cancel(media_interface(w.media), &in_service->request));
    assert_true(store_cancel(media_interface(w.media), &queued->request));
    run_until(&w, SECONDS(1));
    assert_false(store_cancel(media_interface(w.media), &kept->request)); /* too late */
    assert_int_equal(in_service->done_at_ns, 0);
    assert_int_equal(queued->done_at_ns, 0);
    assert_int_equal(kept->done_at_ns, US(600)); /* the server was busy to the end */
    assert_int_equal(memory_store_pages(w.memory), 1);
    world_free(&w);
}

static void a_crash_drops_all_that_has_not_ended(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 1);
    for (unsigned i = 0; i < 4; i++)
        ask(&w, STORE_WRITE, i * 4096, 0x11);
    run_until(&w, US(300));
    assert_int_equal(memory_store_pages(w.memory), 1);
    store_crash(media_interface(w.media));
    run_until(&w, SECONDS(1));
    assert_int_equal(memory_store_pages(w.memory), 1);
    assert_int_equal(w.asked[1].done_at_ns, 0);
    struct asked *after = ask(&w, STORE_WRITE, 0, 0x22); /* it works again */

    run_until(&w, SECONDS(2));
    assert_int_equal(after->done_at_ns, SECONDS(1) + US(300));
    world_free(&w);
}

static void a_new_model_holds_for_what_begins_after_it(void **state)
{
    struct world w;
    (void)state;

    world_new(&w, 4);
    struct asked *old = ask(&w, STORE_READ, 0, 0);

    media_set_model(w.media, &(struct media_model){MS(5), MS(5), 1});
    struct asked *waits = ask(&w, STORE_READ, 0, 0);

    run_until(&w, SECONDS(1));
    assert_int_equal(old->done_at_ns, US(100));
    assert_int_equal(waits->done_at_ns, US(100) + MS(5)); /* one at a time now */
    world_free(&w);
}

int main(void)
{
    TEST(each_kind_takes_its_time);
    TEST(what_finds_all_servers_busy_waits_its_turn);
    TEST(a_write_lands_when_its_service_ends_and_not_before);
    TEST(slow_layers_stack_and_come_off_one_by_one);
    TEST(a_failing_range_fails_reads_with_its_first_byte);
    TEST(a_cancelled_write_never_lands);
    TEST(a_crash_drops_all_that_has_not_ended);
    TEST(a_new_model_holds_for_what_begins_after_it);
    return TEST_RUN("target.media");
}
