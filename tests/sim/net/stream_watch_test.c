/* Rule P7 sees what TCP must not do, and nothing else. */
#include "sim/core/attributes.h"
#include "sim/net/stream_watch.h"
#include "sim/net/tcp_table.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static const struct endpoint a = {IPV4(10, 0, 0, 1), 49152};
static const struct endpoint b = {IPV4(10, 0, 0, 2), 3260};

struct world {
    struct clock clock;
    struct trace trace;
    struct pool *pool;
    struct stream_watch *watch;
    struct stream_way *sender;
    struct stream_way *receiver;
    struct buf *data; /* "abcdefgh" */
    char told[300];
};

static void tell(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    struct world *world = CONTAINER_OF(trace, struct world, trace);

    (void)at_ns;
    snprintf(world->told, sizeof(world->told), "%s: %s", broken->rule, broken->text);
}

static struct trace_ops ops;

static void start(struct world *w)
{
    *w = (struct world){.pool = pool_new()};
    ops = *trace_nowhere_ops();
    ops.broken = tell;
    w->trace.ops = &ops;
    w->watch = stream_watch_new(&w->clock, w->pool, &w->trace);
    w->sender = stream_watch_send(w->watch, a, b, 100);
    w->receiver = stream_watch_receive(w->watch, a, b, 100);
    assert_non_null(w->receiver);
    stream_way_connected(w->sender);
    w->data = buf_copy(w->pool, "abcdefgh", 8);
    stream_way_written(w->sender, w->data);
}

static void stop(struct world *w, const char *expected)
{
    if (!strstr(w->told, expected) || (expected[0] == '\0' && w->told[0] != '\0'))
        fail_msg("expected '%s', was told '%s'", expected, w->told);
    assert_int_equal(stream_watch_broken(w->watch), expected[0] != '\0');
    buf_free(w->data);
    stream_way_leave(w->sender, true);
    stream_way_leave(w->receiver, false);
    assert_int_equal(stream_watch_live(w->watch), 0);
    stream_watch_free(w->watch);
    assert_int_equal(pool_live_bufs(w->pool), 0);
    assert_int_equal(pool_live_chunks(w->pool), 0);
    assert_int_equal(pool_live_blocks(w->pool), 0);
    pool_free(w->pool);
}

static void deliver(struct world *w, const char *text)
{
    struct buf *data = buf_copy(w->pool, text, strlen(text));

    stream_way_delivered(w->receiver, data);
    buf_free(data);
}

static void the_bytes_in_order_are_right_however_they_are_cut(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    stream_way_written(w.sender, w.data);
    deliver(&w, "abc");
    deliver(&w, "defghabcd");
    stream_way_delivered(w.receiver, NULL);
    struct buf *shared = buf_share(w.data, 4, 4);

    stream_way_delivered(w.receiver, shared);
    buf_free(shared);
    stream_way_finished(w.receiver);
    stop(&w, "");
}

static void a_prefix_is_enough_when_the_connection_breaks(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    deliver(&w, "abc");
    stream_way_reset(w.receiver);
    stop(&w, "");
}

static void bytes_told_twice_break_the_rule(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    deliver(&w, "abc");
    deliver(&w, "abc");
    stop(&w,
         "P7: stream from 10.0.0.1:49152 to 10.0.0.2:3260: other bytes were delivered than were "
         "sent next, after 3 bytes were right");
}

static void bytes_that_nobody_sent_break_the_rule(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    deliver(&w, "abcdefghi");
    stop(&w, "bytes were delivered that nobody sent, after 8 bytes");
}

static void bytes_after_a_reset_break_the_rule(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    stream_way_reset(w.receiver);
    deliver(&w, "abc");
    stop(&w, "bytes were delivered after a reset");
}

static void an_end_before_the_last_byte_breaks_the_rule(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    deliver(&w, "abcdefg");
    stream_way_finished(w.receiver);
    stop(&w, "the end was delivered before the last byte");
}

static void damaged_slices_may_differ_but_count(void **state)
{
    struct world w;
    struct buf *damaged;
    (void)state;

    start(&w);
    damaged = buf_copy(w.pool, "aXc", 3);
    damaged->chunk->is_damaged = true;
    stream_way_delivered(w.receiver, damaged);
    buf_free(damaged);
    deliver(&w, "defgh");
    stream_way_finished(w.receiver);
    stop(&w, "");
}

static void a_receiver_outside_is_not_waited_for(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    struct endpoint c = {IPV4(10, 0, 0, 3), 80};
    struct stream_way *out = stream_watch_send(w.watch, a, c, 7);

    stream_way_written(out, w.data);
    stream_way_connected(out);
    stream_way_written(out, w.data);
    assert_null(stream_watch_receive(w.watch, a, c, 7));
    assert_null(stream_watch_receive(w.watch, c, a, 7)); /* nor is a sender */
    stream_way_leave(out, true);
    stop(&w, "");
}

static void the_same_ports_again_are_another_way(void **state)
{
    struct world w;
    (void)state;

    start(&w);
    struct stream_way *next = stream_watch_send(w.watch, a, b, 101);

    assert_ptr_not_equal(next, w.sender);
    stream_way_leave(next, true);
    deliver(&w, "abcdefgh");
    stop(&w, "");
}

/* The table of four-tuples. */

static void a_thousand_connections_are_told_apart(void **state)
{
    static struct tcp_table_entry entries[1000];
    struct tcp_table table;
    (void)state;

    tcp_table_init(&table);
    assert_null(tcp_table_find(&table, a, b));
    for (uint16_t i = 0; i < 1000; i++)
        tcp_table_add(&table, &entries[i], (struct endpoint){a.address + i % 7, i}, b);
    for (uint16_t i = 0; i < 1000; i += 2)
        tcp_table_remove(&table, &entries[i]);
    for (uint16_t i = 0; i < 1000; i++)
        assert_ptr_equal(tcp_table_find(&table, (struct endpoint){a.address + i % 7, i}, b),
                         i % 2 ? &entries[i] : NULL);
    assert_int_equal(table.count, 500);
    tcp_table_fini(&table);
}

int main(void)
{
    TEST(the_bytes_in_order_are_right_however_they_are_cut);
    TEST(a_prefix_is_enough_when_the_connection_breaks);
    TEST(bytes_told_twice_break_the_rule);
    TEST(bytes_that_nobody_sent_break_the_rule);
    TEST(bytes_after_a_reset_break_the_rule);
    TEST(an_end_before_the_last_byte_breaks_the_rule);
    TEST(damaged_slices_may_differ_but_count);
    TEST(a_receiver_outside_is_not_waited_for);
    TEST(the_same_ports_again_are_another_way);
    TEST(a_thousand_connections_are_told_apart);
    return TEST_RUN("sim.net.stream_watch");
}
