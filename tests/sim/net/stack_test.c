/* Hosts with TCP on a real fabric: what users see of it, when all goes well and when it does not.
 */
#include "sim/core/attributes.h"
#include "sim/net/stack.h"
#include "sim/net/stream_watch.h"
#include "tests/sim/net/lan.h"

#include <string.h>

#define PORT       3260
#define MIB        (1024ull * 1024)
#define SLICE_MOST 65536u

static const struct tcp_options options_default = {
    .initial_rto_ns = SECONDS(1),
    .min_rto_ns = MS(200),
    .max_rto_ns = SECONDS(120),
    .syn_retransmissions = 6,
    .synack_retransmissions = 5,
    .give_up_after_ns = MS(924600),
    .delayed_ack_ns = MS(40),
    .delayed_ack_segments = 2,
    .congestion = TCP_CUBIC,
    .initial_window_segments = 10,
    .send_buffer_bytes = 1048576,
    .receive_buffer_bytes = 1048576,
    .timestamps = true,
    .sack = true,
    .time_wait_ns = SECONDS(60),
    .fin_wait_2_ns = SECONDS(60),
};

/* An end of a stream: sends so many bytes of a pattern, checks what it gets. */
struct end {
    struct stream_user user;
    struct net_test *test;
    struct stream *stream; /* NULL: none, or it is over */
    uint64_t to_send;
    uint64_t sent;
    uint64_t got;
    uint8_t seed;
    uint8_t peer_seed;
    unsigned connected;
    unsigned closed;
    enum close_reason reason;
    int64_t closed_at_ns;
    bool closes_when_done;
    bool ignores_content; /* of damaged data */
};

struct net_test {
    struct lan lan;
    struct trace trace;
    struct stack *stacks[LAN_MOST_HOSTS];
    struct stream_watch *watch;
    unsigned hosts;
    struct acceptor acceptor;
    struct tcp_options options[LAN_MOST_HOSTS];
    struct end *to_accept[512];
    size_t accepted;
    bool refuses;
    char broken[300]; /* the last broken rule */
};

static uint8_t pattern(uint64_t offset, uint8_t seed)
{
    return (uint8_t)(offset * 7 + (offset >> 9) * 3 + seed);
}

static void fill(struct end *end)
{
    while (end->stream && end->sent < end->to_send && stream_room(end->stream) > 0) {
        uint64_t left = end->to_send - end->sent;
        uint32_t bytes = left < SLICE_MOST ? (uint32_t)left : SLICE_MOST;
        struct chunk *chunk = chunk_new(end->test->lan.pool, bytes);

        for (uint32_t i = 0; i < bytes; i++)
            chunk->data[i] = pattern(end->sent + i, end->seed);
        end->sent += bytes;
        stream_write(end->stream, buf_new(chunk, 0, bytes));
    }
    if (end->stream && end->closes_when_done && end->sent == end->to_send) {
        struct stream *stream = end->stream;

        end->stream = NULL;
        stream_close(stream);
    }
}

static struct end *end_of(struct stream_user *user)
{
    return CONTAINER_OF(user, struct end, user);
}

static void on_connected(struct stream_user *user)
{
    end_of(user)->connected++;
    fill(end_of(user));
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct end *end = end_of(user);

    for (const struct buf *slice = data; slice; slice = slice->next) {
        for (uint32_t i = 0; i < slice->bytes; i++, end->got++)
            if (buf_data(slice)[i] != pattern(end->got, end->peer_seed) && !end->ignores_content)
                fail_msg("wrong byte at %llu", (unsigned long long)end->got);
    }
    buf_free(data);
}

static void on_space(struct stream_user *user)
{
    assert_true(stream_room(end_of(user)->stream) > 0);
    fill(end_of(user));
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct end *end = end_of(user);

    assert_non_null(end->stream);
    end->stream = NULL;
    end->closed++;
    end->reason = reason;
    end->closed_at_ns = clock_now_ns(&end->test->lan.queue.clock);
}

static const struct stream_user_ops end_ops = {
    .on_connected = on_connected, .on_data = on_data, .on_space = on_space, .on_closed = on_closed};

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    struct net_test *test = CONTAINER_OF(acceptor, struct net_test, acceptor);

    if (test->refuses)
        return NULL;
    struct end *end = test->to_accept[test->accepted++];

    assert_non_null(end);
    end->stream = stream;
    end->connected++;
    stream->user = &end->user; /* so that it may write at once */
    fill(end);
    return &end->user;
}

static void note_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    struct net_test *test = CONTAINER_OF(trace, struct net_test, trace);

    (void)at_ns;
    snprintf(test->broken, sizeof(test->broken), "%s: %s", broken->rule, broken->text);
}

static struct trace_ops trace_ops;

static void open_hosts(struct net_test *test, unsigned hosts, const struct nic_config *nic,
                       enum plant planted)
{
    *test = (struct net_test){.hosts = hosts, .acceptor = {.on_accept = on_accept}};
    trace_ops = *trace_nowhere_ops();
    trace_ops.broken = note_broken;
    test->trace.ops = &trace_ops;
    lan_start(&test->lan, 0, 9000);
    fabric_free(test->lan.fabric);
    test->lan.fabric = fabric_new(&test->lan.queue.clock, test->lan.pool, &test->trace, 1);
    fabric_set_plant(test->lan.fabric, planted);
    test->lan.sw =
        fabric_add_switch(test->lan.fabric, &(struct switch_config){.name = "switch-1",
                                                                    .port_count = 24,
                                                                    .mtu_bytes = 9000,
                                                                    .port_buffer_bytes = 4 * MIB,
                                                                    .forwarding_delay_ns = US(2),
                                                                    .boot_ns = SECONDS(90)});
    test->watch = stream_watch_new(&test->lan.queue.clock, test->lan.pool, &test->trace);
    for (unsigned i = 0; i < hosts; i++) {
        lan_add_host(&test->lan, i, nic, NULL, NULL);
        test->stacks[i] = stack_new(test->lan.hosts[i], test->watch);
        test->options[i] = options_default;
    }
    lan_run(&test->lan, MS(1));
}

static void start(struct net_test *test)
{
    open_hosts(test, 2, NULL, PLANT_NONE);
}

static void stop(struct net_test *test)
{
    for (unsigned i = 0; i < test->hosts; i++)
        stack_free(test->stacks[i]);
    assert_int_equal(stream_watch_live(test->watch), 0);
    stream_watch_free(test->watch);
    lan_stop(&test->lan);
}

static struct endpoint at(unsigned host, uint16_t port)
{
    return (struct endpoint){.address = lan_address(host), .port = port};
}

static bool listen_on(struct net_test *test, unsigned host)
{
    return net_listen(stack_net(test->stacks[host]), at(host, PORT), &test->options[host],
                      &test->acceptor);
}

static void connect_from(struct net_test *test, unsigned host, unsigned to, struct end *end)
{
    end->stream = net_connect(stack_net(test->stacks[host]), at(host, 0), at(to, PORT),
                              &test->options[host], &end->user);
    assert_non_null(end->stream);
}

static struct end end_make(struct net_test *test, uint64_t to_send, uint8_t seed, uint8_t peer_seed)
{
    return (struct end){.user = {.ops = &end_ops},
                        .test = test,
                        .to_send = to_send,
                        .seed = seed,
                        .peer_seed = peer_seed};
}

/* Host 0 is connected to host 1, as 'client' and 'server'. */
static void join(struct net_test *test, struct end *client, struct end *server)
{
    test->to_accept[0] = server;
    assert_true(listen_on(test, 1));
    connect_from(test, 0, 1, client);
}

static uint64_t connections(const struct net_test *test)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < test->hosts; i++)
        count += stack_connection_count(test->stacks[i]);
    return count;
}

/* Bulk data. */

#define BULK (64 * MIB)

static void bulk_data_arrives_intact_both_ways_at_the_speed_of_the_wire(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, BULK, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(70)); /* 64 MiB take 54 ms at 10 Gbit/s, and slow start a little */
    assert_int_equal(client.got, BULK);
    assert_int_equal(server.got, BULK);
    assert_int_equal(stack_counters(test.stacks[0], 0, 0).retransmissions, 0);
    assert_int_equal(stream_watch_broken(test.watch), 0);
    assert_int_equal(stack_stream_count(test.stacks[0]), 1);
    stream_close(client.stream);
    lan_run(&test.lan, SECONDS(1));
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.reason, CLOSED_FIN);
    assert_int_equal(client.closed, 0); /* who closes hears no more */
    assert_int_equal(connections(&test), 1);
    lan_run(&test.lan, SECONDS(62));
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static struct impair_row {
    const char *name;
    struct impair_config impair;
    bool sack;
    bool timestamps;
    enum tcp_congestion congestion;
} impair_rows[] = {
    {"64 MiB both ways arrive over a switch that loses 1 %, with SACK",
     {.kind = IMPAIR_LOSE, .rate_ppm = 10000},
     true,
     true,
     TCP_CUBIC},
    {"64 MiB both ways arrive over a switch that loses 1 %, with NewReno",
     {.kind = IMPAIR_LOSE, .rate_ppm = 10000},
     false,
     false,
     TCP_NEWRENO},
    {"64 MiB both ways arrive over a switch that loses 0.1 % in bursts of 5",
     {.kind = IMPAIR_LOSE, .rate_ppm = 1000, .burst_frames = 5},
     true,
     false,
     TCP_CUBIC},
    {"64 MiB both ways arrive over a switch that damages 0.1 % so that checksums see it",
     {.kind = IMPAIR_CORRUPT, .rate_ppm = 1000, .seen_by = CORRUPT_SEEN_BY_CHECKSUM},
     true,
     true,
     TCP_CUBIC},
};

static void arrives_in_spite_of_the_switch(void **state)
{
    const struct impair_row *row = *state;
    struct net_test test;

    start(&test);
    struct end client = end_make(&test, BULK, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    for (unsigned i = 0; i < 2; i++) {
        test.options[i].sack = row->sack;
        test.options[i].timestamps = row->timestamps;
        test.options[i].congestion = row->congestion;
        test.options[i].min_rto_ns = MS(20);
    }
    join(&test, &client, &server);
    switch_impair(test.lan.sw, &row->impair);
    lan_run(&test.lan, SECONDS(300));
    assert_int_equal(client.got, BULK);
    assert_int_equal(server.got, BULK);
    assert_true(stack_counters(test.stacks[0], 0, 0).retransmissions > 0);
    assert_string_equal(test.broken, "");
    stream_close(client.stream);
    lan_run(&test.lan, SECONDS(600));
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void a_transfer_survives_a_cut_of_2_s(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, BULK, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(20));
    cable_pull(test.lan.cables[1]);
    lan_run(&test.lan, MS(2020));
    uint64_t got = client.got;

    assert_true(got < BULK);
    cable_plug_in(test.lan.cables[1]);
    lan_run(&test.lan, SECONDS(10));
    assert_int_equal(client.got, BULK);
    assert_int_equal(server.got, BULK);
    assert_int_equal(client.closed, 0);
    assert_int_equal(stream_watch_broken(test.watch), 0);
    stop(&test);
}

static void a_transfer_survives_a_switch_that_freezes_for_2_s(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, BULK, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(20));
    switch_freeze(test.lan.sw);
    lan_run(&test.lan, MS(2020));
    switch_thaw(test.lan.sw);
    lan_run(&test.lan, SECONDS(10));
    assert_int_equal(client.got, BULK);
    assert_int_equal(server.got, BULK);
    stop(&test);
}

static void a_transfer_survives_a_smaller_mtu(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, BULK, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(10));
    nic_set_mtu_bytes(test.lan.nics[0], 1500);
    nic_set_mtu_bytes(test.lan.nics[1], 1500);
    lan_run(&test.lan, SECONDS(20));
    assert_int_equal(client.got, BULK);
    assert_int_equal(server.got, BULK);
    stop(&test);
}

static void the_same_inputs_give_the_same_frames(void **state)
{
    uint64_t digests[2];
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct net_test test;

        start(&test);
        struct end client = end_make(&test, MIB, 1, 2);
        struct end server = end_make(&test, MIB, 2, 1);

        join(&test, &client, &server);
        switch_impair(test.lan.sw, &(struct impair_config){.kind = IMPAIR_LOSE, .rate_ppm = 20000});
        lan_run(&test.lan, SECONDS(10));
        digests[i] = fabric_digest(test.lan.fabric);
        stop(&test);
    }
    assert_true(digests[0] == digests[1]);
}

/* Many. */

#define MANY 256

static void many_connections_share_a_small_transmit_queue(void **state)
{
    static struct end clients[MANY];
    static struct end servers[MANY];
    struct net_test test;
    (void)state;

    open_hosts(&test, 2, &(struct nic_config){.mtu_bytes = 1500, .queue_frames = 4}, PLANT_NONE);
    assert_true(listen_on(&test, 1));
    for (size_t i = 0; i < MANY; i++) {
        clients[i] = end_make(&test, 50000, 1, 2);
        servers[i] = end_make(&test, 50000, 2, 1);
        clients[i].closes_when_done = false;
        test.to_accept[i] = &servers[i];
        connect_from(&test, 0, 1, &clients[i]);
    }
    lan_run(&test.lan, SECONDS(30));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(clients[i].connected, 1);
        assert_int_equal(clients[i].got, 50000);
        assert_int_equal(servers[i].got, 50000);
    }
    assert_int_equal(stack_connection_count(test.stacks[0]), MANY);
    assert_int_equal(nic_dropped(test.lan.nics[0], DROP_QUEUE_FULL), 0);
    assert_int_equal(stack_counters(test.stacks[0], lan_address(0), lan_address(1)).connects, MANY);
    assert_int_equal(stack_counters(test.stacks[1], lan_address(1), lan_address(0)).accepts, MANY);
    assert_int_equal(stack_counters(test.stacks[1], lan_address(1), lan_address(5)).accepts, 0);
    for (size_t i = 0; i < MANY; i++)
        stream_abort(clients[i].stream);
    lan_run(&test.lan, SECONDS(31));
    assert_int_equal(connections(&test), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(servers[i].reason, CLOSED_RST);
    stop(&test);
}

/* What users hear. */

static void all_data_before_a_fin_arrives_first(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 300000, 1, 2);
    struct end server = end_make(&test, 0, 2, 1);

    client.closes_when_done = true;
    join(&test, &client, &server);
    lan_run(&test.lan, SECONDS(1));
    assert_int_equal(server.got, 300000);
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.reason, CLOSED_FIN);
    lan_run(&test.lan, SECONDS(62));
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void who_closed_resets_a_peer_that_goes_on_sending(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 10, 1, 2);
    struct end server = end_make(&test, BULK, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(10));
    stream_close(client.stream);
    lan_run(&test.lan, SECONDS(1));
    assert_int_equal(server.closed, 1);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void who_pauses_hears_nothing_and_loses_nothing(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 10000, 1, 2);
    struct end server = end_make(&test, 0, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(50));
    assert_int_equal(server.got, 10000);
    stream_pause(server.stream);
    client.to_send += 5 * MIB;
    fill(&client);
    lan_run(&test.lan, SECONDS(20));
    assert_int_equal(server.got, 10000);
    assert_true(stack_counters(test.stacks[0], 0, 0).window_probes > 0);
    stream_resume(server.stream);
    assert_int_equal(server.got, 10000); /* not from within the call */
    lan_run(&test.lan, SECONDS(40));
    assert_int_equal(server.got, 10000 + 5 * MIB);
    stop(&test);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);

    connect_from(&test, 0, 1, &client);
    assert_int_equal(client.closed, 0);
    lan_run(&test.lan, MS(10));
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.reason, CLOSED_RST);
    assert_int_equal(stack_counters(test.stacks[1], 0, 0).resets_sent, 1);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void an_acceptor_may_refuse(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);

    test.refuses = true;
    assert_true(listen_on(&test, 1));
    connect_from(&test, 0, 1, &client);
    lan_run(&test.lan, MS(10));
    assert_int_equal(client.reason, CLOSED_RST);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void who_stops_listening_refuses_from_then_on(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);
    struct end server = end_make(&test, 0, 2, 1);
    struct end late = end_make(&test, 0, 1, 2);

    join(&test, &client, &server);
    lan_run(&test.lan, MS(10));
    stack_unlisten(test.stacks[1], at(1, PORT));
    connect_from(&test, 0, 1, &late);
    lan_run(&test.lan, MS(20));
    assert_int_equal(late.reason, CLOSED_RST);
    assert_int_equal(client.closed, 0);
    stop(&test);
}

static void an_endpoint_is_listened_to_once(void **state)
{
    struct net_test test;
    struct acceptor other = {.on_accept = on_accept};
    (void)state;

    start(&test);
    assert_true(listen_on(&test, 1));
    assert_true(listen_on(&test, 1)); /* the same acceptor */
    assert_false(net_listen(stack_net(test.stacks[1]), at(1, PORT), &test.options[1], &other));
    assert_false(net_listen(stack_net(test.stacks[1]), at(0, PORT), &test.options[1], &other));
    assert_true(net_listen(stack_net(test.stacks[1]), (struct endpoint){.port = PORT},
                           &test.options[1], &other));
    stop(&test);
}

/* When parts fail. */

static void a_host_that_is_not_there_is_unreachable_after_three_arp_requests(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);

    connect_from(&test, 0, 7, &client);
    lan_run(&test.lan, SECONDS(2));
    assert_int_equal(client.closed, 0);
    lan_run(&test.lan, SECONDS(4));
    assert_int_equal(client.reason, CLOSED_UNREACHABLE);
    assert_int_equal(client.closed, 1);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void an_address_of_another_network_is_unreachable_at_once(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);

    client.stream = net_connect(stack_net(test.stacks[0]), at(0, 0),
                                (struct endpoint){.address = IPV4(10, 9, 8, 7), .port = PORT},
                                &test.options[0], &client.user);
    assert_int_equal(client.closed, 0);
    lan_run(&test.lan, MS(2));
    assert_int_equal(client.reason, CLOSED_UNREACHABLE);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void without_carrier_a_connect_fails_but_never_from_within(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 0, 1, 2);

    cable_pull(test.lan.cables[0]);
    lan_run(&test.lan, MS(10));
    assert_false(net_is_link_up(stack_net(test.stacks[0]), lan_address(0)));
    connect_from(&test, 0, 1, &client);
    assert_int_equal(client.closed, 0);
    lan_run(&test.lan, MS(10));
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.reason, CLOSED_UNREACHABLE);
    assert_int_equal(client.closed_at_ns, MS(10));
    stop(&test);
}

struct watcher {
    struct link_watch watch;
    unsigned downs;
    unsigned ups;
};

static void on_link(struct link_watch *watch, bool is_up)
{
    struct watcher *watcher = CONTAINER_OF(watch, struct watcher, watch);

    watcher->downs += !is_up;
    watcher->ups += is_up;
}

static void a_lost_carrier_ends_connections_where_the_host_says_so(void **state)
{
    struct net_test test;
    struct watcher watcher = {.watch = {.on_link = on_link}};
    (void)state;

    open_hosts(&test, 2, &(struct nic_config){.mtu_bytes = 9000, .link_debounce_ns = MS(100)},
               PLANT_NONE);
    lan_run(&test.lan, SECONDS(1));
    struct end client = end_make(&test, 1000, 1, 2);
    struct end server = end_make(&test, 1000, 2, 1);

    test.options[0].on_link_down = TCP_LINK_DOWN_ABORT;
    test.options[1].on_link_down = TCP_LINK_DOWN_KEEP;
    net_watch_link(stack_net(test.stacks[0]), lan_address(0), &watcher.watch);
    join(&test, &client, &server);
    lan_run(&test.lan, SECONDS(2));
    assert_int_equal(client.got, 1000);
    cable_pull(test.lan.cables[0]);
    lan_run(&test.lan, SECONDS(2) + MS(99));
    assert_int_equal(client.closed, 0);
    lan_run(&test.lan, SECONDS(2) + MS(100));
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.reason, CLOSED_LINK_DOWN);
    assert_int_equal(watcher.downs, 1);
    cable_pull(test.lan.cables[1]);
    lan_run(&test.lan, SECONDS(3));
    assert_int_equal(server.closed, 0);
    cable_plug_in(test.lan.cables[0]);
    cable_plug_in(test.lan.cables[1]);
    lan_run(&test.lan, SECONDS(4));
    assert_int_equal(watcher.ups, 1);
    /* The server learns that its peer is gone when it sends. */
    server.to_send += 10;
    fill(&server);
    lan_run(&test.lan, SECONDS(5));
    assert_int_equal(server.reason, CLOSED_RST);
    assert_int_equal(connections(&test), 0);
    stop(&test);
}

static void a_dead_peer_is_given_up_when_the_options_say_so(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 1000, 1, 2);
    struct end server = end_make(&test, 1000, 2, 1);

    test.options[0].min_rto_ns = MS(20);
    test.options[0].give_up_after_ns = 0;
    test.options[0].data_retransmissions = 9;
    join(&test, &client, &server);
    lan_run(&test.lan, SECONDS(1));
    switch_freeze(test.lan.sw);
    client.to_send += 100;
    fill(&client);
    lan_run(&test.lan, SECONDS(60));
    assert_int_equal(client.reason, CLOSED_RETRANSMISSION_LIMIT);
    assert_int_equal(client.closed_at_ns, SECONDS(1) + MS(20) * 1023);
    assert_int_equal(stack_counters(test.stacks[0], 0, 0).closed_by_limit, 1);
    assert_int_equal(server.closed, 0);
    stop(&test);
}

static void a_host_without_power_forgets_and_its_peer_learns_it_later(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 1000, 1, 2);
    struct end server = end_make(&test, 1000, 2, 1);
    struct end again = end_make(&test, 1000, 1, 2);
    struct end again_server = end_make(&test, 1000, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, SECONDS(1));
    uint64_t sent = fabric_frames_sent(test.lan.fabric);

    stack_power_off(test.stacks[1]);
    assert_int_equal(server.closed, 0); /* not from within */
    lan_run(&test.lan, SECONDS(2));
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.reason, CLOSED_LOCAL);
    assert_int_equal(fabric_frames_sent(test.lan.fabric), sent);
    assert_int_equal(stack_connection_count(test.stacks[1]), 0);
    client.to_send += 100;
    fill(&client);
    lan_run(&test.lan, SECONDS(3));
    assert_int_equal(client.closed, 0);
    stack_power_on(test.stacks[1]);
    lan_run(&test.lan, SECONDS(10));
    assert_int_equal(client.reason, CLOSED_RST);
    test.to_accept[1] = &again_server;
    connect_from(&test, 0, 1, &again);
    lan_run(&test.lan, SECONDS(11));
    assert_int_equal(again.got, 1000);
    stop(&test);
}

static void a_stream_may_be_aborted_before_its_end_was_told(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, 1000, 1, 2);
    struct end server = end_make(&test, 1000, 2, 1);

    join(&test, &client, &server);
    lan_run(&test.lan, SECONDS(1));
    stack_power_off(test.stacks[1]);
    stream_abort(server.stream);
    lan_run(&test.lan, SECONDS(2));
    assert_int_equal(server.closed, 0);
    assert_int_equal(stack_connection_count(test.stacks[1]), 0);
    stop(&test);
}

/* Rule P7. */

static void tcp_that_delivers_twice_breaks_rule_p7(void **state)
{
#ifdef ISCSILAB_PLANTS
    struct net_test test;
    (void)state;

    open_hosts(&test, 2, NULL, PLANT_P7);
    struct end client = end_make(&test, MIB, 1, 2);
    struct end server = end_make(&test, 0, 2, 1);

    server.ignores_content = true;
    join(&test, &client, &server);
    switch_impair(test.lan.sw, &(struct impair_config){.kind = IMPAIR_LOSE, .every = 20});
    lan_run(&test.lan, SECONDS(20));
    assert_int_equal(stream_watch_broken(test.watch), 1);
    assert_int_equal(strncmp(test.broken, "P7: stream from 172.16.0.1:", 27), 0);
    stop(&test);
#else
    (void)state;
    skip();
#endif
}

static void damage_that_no_checksum_sees_is_the_faults_and_not_tcps(void **state)
{
    struct net_test test;
    (void)state;

    start(&test);
    struct end client = end_make(&test, MIB, 1, 2);
    struct end server = end_make(&test, 0, 2, 1);

    server.ignores_content = true;
    join(&test, &client, &server);
    lan_run(&test.lan, MS(2));
    switch_impair(test.lan.sw, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                       .every = 10,
                                                       .seen_by = CORRUPT_SEEN_BY_NOBODY});
    client.to_send += MIB;
    fill(&client);
    lan_run(&test.lan, SECONDS(20));
    assert_true(server.got == 2 * MIB);
    assert_string_equal(test.broken, "");
    stop(&test);
}

int main(void)
{
    TEST(bulk_data_arrives_intact_both_ways_at_the_speed_of_the_wire);
    TEST_ROWS(impair_rows, arrives_in_spite_of_the_switch);
    TEST(a_transfer_survives_a_cut_of_2_s);
    TEST(a_transfer_survives_a_switch_that_freezes_for_2_s);
    TEST(a_transfer_survives_a_smaller_mtu);
    TEST(the_same_inputs_give_the_same_frames);
    TEST(many_connections_share_a_small_transmit_queue);
    TEST(all_data_before_a_fin_arrives_first);
    TEST(who_closed_resets_a_peer_that_goes_on_sending);
    TEST(who_pauses_hears_nothing_and_loses_nothing);
    TEST(a_port_where_nobody_listens_refuses);
    TEST(an_acceptor_may_refuse);
    TEST(who_stops_listening_refuses_from_then_on);
    TEST(an_endpoint_is_listened_to_once);
    TEST(a_host_that_is_not_there_is_unreachable_after_three_arp_requests);
    TEST(an_address_of_another_network_is_unreachable_at_once);
    TEST(without_carrier_a_connect_fails_but_never_from_within);
    TEST(a_lost_carrier_ends_connections_where_the_host_says_so);
    TEST(a_dead_peer_is_given_up_when_the_options_say_so);
    TEST(a_host_without_power_forgets_and_its_peer_learns_it_later);
    TEST(a_stream_may_be_aborted_before_its_end_was_told);
    TEST(tcp_that_delivers_twice_breaks_rule_p7);
    TEST(damage_that_no_checksum_sees_is_the_faults_and_not_tcps);
    return TEST_RUN("sim.net.stack");
}
