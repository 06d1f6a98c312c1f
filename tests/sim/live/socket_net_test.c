/* Streams over the kernel's loopback: both ends are ours, in one loop. */
#include "sim/live/socket_net.h"

#include "sim/core/attributes.h"
#include "sim/core/tcp_options.h"
#include "sim/core/time.h"
#include "sim/live/inbox.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK   IPV4(127, 0, 0, 1)
#define FIRST_PORT 21000u
#define MOST_PORTS 2000u

struct side {
    struct stream_user user;
    struct world *world;
    struct stream *stream;
    struct buf_queue got;
    unsigned reads;
    uint32_t due_bytes;
    bool is_echo; /* what it hears it sends back */
    bool is_connected;
    bool is_closed;
    enum close_reason reason;
};

struct world {
    struct acceptor acceptor;
    struct ev_loop *loop;
    struct pool *pool;
    struct socket_net *net;
    struct endpoint at;
    struct side caller;
    struct side called;
};

static const struct tcp_options options;

static void on_connected(struct stream_user *user)
{
    CONTAINER_OF(user, struct side, user)->is_connected = true;
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct side *side = CONTAINER_OF(user, struct side, user);

    side->reads++;
    if (side->is_echo) {
        stream_write(side->stream, data);
        return;
    }
    buf_queue_put(&side->got, data);
    if (side->got.bytes < side->due_bytes)
        stream_expect(side->stream, side->due_bytes - (uint32_t)side->got.bytes,
                      (uint32_t)side->got.bytes % INBOX_PAGE_BYTES);
}

static void on_space(struct stream_user *user)
{
    (void)user;
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct side *side = CONTAINER_OF(user, struct side, user);

    side->stream = NULL;
    side->is_closed = true;
    side->reason = reason;
}

static const struct stream_user_ops side_ops = {on_connected, on_data, on_space, on_closed};

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    struct world *world = CONTAINER_OF(acceptor, struct world, acceptor);

    world->called.stream = stream;
    return &world->called.user;
}

static void world_new_with(struct world *world, double linger_s)
{
    *world = (struct world){
        .acceptor = {on_accept},
        .loop = ev_loop_new(EVFLAG_AUTO),
        .pool = pool_new(),
        .caller = {.user = {&side_ops}, .world = world},
        .called = {.user = {&side_ops}, .world = world},
    };
    world->net = socket_net_new(&(struct socket_net_config){
        .loop = world->loop, .pool = world->pool, .linger_s = linger_s});
}

static void world_new(struct world *world)
{
    world_new_with(world, 0);
}

static void world_free(struct world *world)
{
    socket_net_free(world->net);
    buf_queue_clear(&world->caller.got);
    buf_queue_clear(&world->called.got);
    assert_int_equal(pool_live_chunks(world->pool), 0);
    assert_int_equal(pool_live_bufs(world->pool), 0);
    pool_free(world->pool);
    ev_loop_destroy(world->loop);
}

/* On a port that nobody has. */
static void listen_somewhere(struct world *world)
{
    for (uint16_t i = 0; i < MOST_PORTS; i++) {
        world->at = (struct endpoint){LOOPBACK, (uint16_t)(FIRST_PORT + i)};
        if (net_listen(socket_net_interface(world->net), world->at, &options, &world->acceptor))
            return;
    }
    fail_msg("no port is free");
}

static void connect_from(struct world *world, uint32_t address)
{
    world->caller.stream =
        net_connect(socket_net_interface(world->net), (struct endpoint){address, 0}, world->at,
                    &options, &world->caller.user);
}

static void wait_for_data(struct world *world, size_t bytes)
{
    while (world->called.got.bytes < bytes && !world->called.is_closed)
        ev_run(world->loop, EVRUN_ONCE);
    assert_int_equal(world->called.got.bytes, bytes);
}

/* Without sleeping: what is told before the loop sleeps leaves it nothing to wake up for. */
static void wait_for_close(struct world *world, const struct side *side)
{
    while (!side->is_closed)
        ev_run(world->loop, EVRUN_NOWAIT);
}

static struct buf *filled(struct world *world, uint32_t bytes, uint8_t value)
{
    struct chunk *chunk = chunk_new(world->pool, bytes);

    memset(chunk->data, value, bytes);
    return buf_new(chunk, 0, bytes);
}

static void open_both(struct world *world)
{
    world_new(world);
    listen_somewhere(world);
    connect_from(world, LOOPBACK);
    while (!world->caller.is_connected || !world->called.stream)
        ev_run(world->loop, EVRUN_ONCE);
}

static void what_is_queued_in_one_turn_leaves_together(void **state)
{
    struct world world;
    (void)state;

    open_both(&world);
    for (int i = 0; i < 100; i++)
        stream_write(world.caller.stream, filled(&world, 48, 7));
    wait_for_data(&world, 4800);
    assert_int_equal(world.called.reads, 1);
    stream_close(world.caller.stream);
    wait_for_close(&world, &world.called);
    assert_int_equal(world.called.reason, CLOSED_FIN);
    world_free(&world);
}

static void expected_data_comes_in_pages(void **state)
{
    const uint32_t bytes = 32 * INBOX_PAGE_BYTES;
    struct world world;
    unsigned pages = 0;
    (void)state;

    open_both(&world);
    world.called.due_bytes = bytes;
    stream_expect(world.called.stream, bytes, 0);
    stream_write(world.caller.stream, filled(&world, bytes, 9));
    wait_for_data(&world, bytes);
    for (const struct buf *slice = world.called.got.head; slice; slice = slice->next) {
        pages += slice->bytes == INBOX_PAGE_BYTES && slice->chunk->bytes == INBOX_PAGE_BYTES;
        for (uint32_t i = 0; i < slice->bytes; i++)
            assert_int_equal(buf_data(slice)[i], 9);
    }
    assert_true(pages >= 16); /* all, if the kernel hands it over at once */
    world_free(&world);
}

/* The kernel would wait for ever for a peer that is there and does not read. */
static void what_a_closed_stream_still_has_to_send_is_not_kept_for_ever(void **state)
{
    struct world world;
    (void)state;

    world_new_with(&world, 0.02);
    listen_somewhere(&world);
    connect_from(&world, LOOPBACK);
    while (!world.caller.is_connected || !world.called.stream)
        ev_run(world.loop, EVRUN_ONCE);
    stream_pause(world.called.stream);
    while (stream_room(world.caller.stream) > 0) {
        stream_write(world.caller.stream, filled(&world, 1 << 20, 1));
        ev_run(world.loop, EVRUN_NOWAIT);
    }
    stream_close(world.caller.stream);
    assert_int_equal(socket_net_streams(world.net), 2);
    while (socket_net_streams(world.net) > 1)
        ev_run(world.loop, EVRUN_NOWAIT);
    stream_resume(world.called.stream);
    wait_for_close(&world, &world.called);
    assert_int_equal(world.called.reason, CLOSED_RST);
    world_free(&world);
}

struct hearer {
    struct socket_net_user user;
    unsigned count;
    int code;
};

static void hear_starved(struct socket_net_user *user, int code)
{
    struct hearer *hearer = CONTAINER_OF(user, struct hearer, user);

    hearer->count++;
    hearer->code = code;
}

/* It has descriptors of its own, and keeps limits on them in its own way. */
static bool is_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded && strstr(preloaded, "vgpreload");
}

static void without_a_descriptor_left_accepting_waits_and_says_so(void **state)
{
    struct hearer hearer = {.user = {hear_starved}};
    struct rlimit before;
    struct world world;
    (void)state;

    if (is_under_valgrind())
        skip();
    world_new(&world);
    socket_net_free(world.net);
    world.net = socket_net_new(
        &(struct socket_net_config){.loop = world.loop, .pool = world.pool, .user = &hearer.user});
    listen_somewhere(&world);
    connect_from(&world, LOOPBACK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (hearer.count == 0)
        ev_run(world.loop, EVRUN_ONCE);
    assert_int_equal(hearer.code, EMFILE);
    assert_null(world.called.stream);
    assert_int_equal(socket_net_most_files(before.rlim_cur), before.rlim_cur); /* and raises it */
    while (!world.called.stream)
        ev_run(world.loop, EVRUN_ONCE);
    assert_int_equal(hearer.count, 1);
    assert_true(socket_net_starved(world.net) >= 1);
    assert_int_equal(socket_net_most_files(1), before.rlim_cur); /* and never lowers it */
    world_free(&world);
}

/* What two rounds of the loop answer of two requests, the second of which comes before the answer
 * to the first has left. */
static ssize_t answered_in_two_rounds(int64_t busy_poll_ns)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(LOOPBACK)}};
    char bytes[256] = {0};
    struct world world;

    world_new(&world);
    socket_net_free(world.net);
    world.net = socket_net_new(&(struct socket_net_config){
        .loop = world.loop, .pool = world.pool, .busy_poll_ns = busy_poll_ns});
    listen_somewhere(&world);
    world.called.is_echo = true;
    int peer = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_port = htons(world.at.port);
    assert_int_equal(connect(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    while (!world.called.stream)
        ev_run(world.loop, EVRUN_ONCE);
    assert_int_equal(send(peer, bytes, 48, 0), 48);
    while (world.called.reads == 0)
        ev_run(world.loop, EVRUN_ONCE);
    assert_int_equal(send(peer, bytes, 48, 0), 48);
    ev_run(world.loop, EVRUN_NOWAIT);
    ssize_t answered = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);

    close(peer);
    wait_for_close(&world, &world.called);
    world_free(&world);
    return answered;
}

static void who_was_just_answered_is_heard_before_the_loop_sleeps(void **state)
{
    (void)state;

    assert_int_equal(answered_in_two_rounds(0), 48);
    assert_int_equal(answered_in_two_rounds(MS(1000)), 96);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
    struct world world;
    (void)state;

    world_new(&world);
    listen_somewhere(&world);
    socket_net_stop_listening(world.net);
    connect_from(&world, LOOPBACK);
    wait_for_close(&world, &world.caller);
    assert_int_equal(world.caller.reason, CLOSED_RST);
    assert_false(world.caller.is_connected);
    world_free(&world);
}

static void an_address_of_somebody_else_cannot_be_connected_from(void **state)
{
    struct world world;
    (void)state;

    world_new(&world);
    listen_somewhere(&world);
    connect_from(&world, IPV4(192, 0, 2, 1)); /* for documentation (RFC 5737) */
    assert_false(world.caller.is_closed);     /* never from within the call */
    wait_for_close(&world, &world.caller);
    assert_int_equal(world.caller.reason, CLOSED_LOCAL);
    assert_false(world.caller.is_connected);
    world_free(&world);
}

static void an_aborted_stream_is_heard_of_as_reset(void **state)
{
    struct world world;
    (void)state;

    open_both(&world);
    stream_abort(world.caller.stream);
    wait_for_close(&world, &world.called);
    assert_int_equal(world.called.reason, CLOSED_RST);
    world_free(&world);
}

int main(void)
{
    TEST(what_is_queued_in_one_turn_leaves_together);
    TEST(expected_data_comes_in_pages);
    TEST(what_a_closed_stream_still_has_to_send_is_not_kept_for_ever);
    TEST(without_a_descriptor_left_accepting_waits_and_says_so);
    TEST(who_was_just_answered_is_heard_before_the_loop_sleeps);
    TEST(a_port_where_nobody_listens_refuses);
    TEST(an_address_of_somebody_else_cannot_be_connected_from);
    TEST(an_aborted_stream_is_heard_of_as_reset);
    return TEST_RUN("sim.live.socket_net");
}
