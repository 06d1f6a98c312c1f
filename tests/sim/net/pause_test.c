/* 802.3x PAUSE: frames as bytes, silences to the nanosecond, and congestion without a loss. */
#include "sim/net/pause.h"

#include "tests/sim/net/wiretap.h"

#define PORTS 4

/* A quantum at 10 Gbit/s is 51.2 ns. */
static const struct mac_addr station = {{6, 0, 0, 0, 0, 99}};

static void open_ports(struct wiretap *w, enum flow_control switch_does, enum flow_control nics_do,
                       struct switch_config *config)
{
    struct switch_port_config ports[PORTS];

    for (unsigned i = 0; i < PORTS; i++)
        ports[i] = (struct switch_port_config){.flow_control = switch_does};
    config->name = "switch-1";
    config->port_count = PORTS;
    config->mtu_bytes = 9216;
    config->ports = ports;
    wiretap_open(w, config);
    for (unsigned i = 0; i < PORTS; i++)
        wiretap_plug(w, i, &(struct nic_config){.mtu_bytes = 9000, .flow_control = nics_do});
    wiretap_broadcast(w, 3, 46); /* the receiver is known */
    wiretap_run(w, MS(1));
    wiretap_forget(w);
}

static void a_pause_frame_is_what_the_standard_says(void **state)
{
    static const uint8_t expected[18] = {0x01, 0x80, 0xc2, 0,    0, 1,    6, 0,    0,
                                         0,    0,    99,   0x88, 8, 0x00, 1, 0x12, 0x34};
    struct pool *pool = pool_new();
    struct frame *frame = pause_frame_new(pool, station, 0x1234);
    uint8_t bytes[60];
    uint32_t quanta = 0;
    (void)state;

    assert_int_equal(frame_bytes(frame), 60);
    frame_write(frame, bytes);
    assert_memory_equal(bytes, expected, sizeof(expected));
    for (size_t i = sizeof(expected); i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], 0);
    assert_true(pause_frame_read(frame, &quanta));
    assert_int_equal(quanta, 0x1234);
    frame_unref(frame);

    frame = frame_read(pool, bytes, sizeof(bytes)); /* as it comes from a live port */
    assert_true(pause_frame_read(frame, &quanta));
    frame_unref(frame);
    for (size_t count = ETHERNET_BYTES; count < 18; count++) {
        frame = frame_read(pool, bytes, count);
        assert_false(pause_frame_read(frame, &quanta));
        frame_unref(frame);
    }
    bytes[15] = 2; /* another opcode */
    frame = frame_read(pool, bytes, sizeof(bytes));
    assert_false(pause_frame_read(frame, &quanta));
    frame_unref(frame);
    assert_int_equal(pool_live_blocks(pool), 0);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

/* What n0 sends after a PAUSE of 1000 quanta leaves 51.2 us later; what was under way goes on. */
static void a_nic_is_silent_for_as_long_as_it_was_told(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_NONE, FLOW_CONTROL_HONOUR, &config);
    struct port *port = switch_port(w.sw, 1);
    struct link *tx = &nic_port(w.nics[0])->tx;
    int64_t start_ns = clock_now_ns(&w.queue.clock);

    link_send_control(&port->tx, pause_frame_new(w.pool, station, 1000));
    port->pauses_sent++;
    wiretap_run(&w, US(1)); /* 72 bytes and 5 m: heard after 83 ns */
    assert_int_equal(tx->paused_until_ns, start_ns + 58 + 25 + 51200);
    assert_int_equal(nic_port(w.nics[0])->controls, 1);
    wiretap_send(&w, 0, 3, 8986);
    wiretap_run(&w, US(100));
    assert_int_equal(wiretap_count(&w, "n3"), 1);
    /* 9000 + 12 bytes on each link, 25 ns each. */
    assert_int_equal(wiretap_at(&w, "n3", 0)->at_ns, start_ns + 83 + 51200 + 2 * (7210 + 25));
    wiretap_close(&w);
}

static void the_newest_pause_counts_and_zero_ends_it(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_NONE, FLOW_CONTROL_HONOUR, &config);
    struct port *port = switch_port(w.sw, 1);

    link_send_control(&port->tx, pause_frame_new(w.pool, station, PAUSE_MOST_QUANTA));
    wiretap_run(&w, US(1));
    wiretap_send(&w, 0, 3, 46);
    wiretap_run(&w, US(500));
    assert_int_equal(wiretap_count(&w, "n3"), 0);
    link_send_control(&port->tx, pause_frame_new(w.pool, station, 0));
    wiretap_run(&w, US(1));
    assert_int_equal(wiretap_count(&w, "n3"), 1);
    port->pauses_sent += 2;
    wiretap_close(&w);
}

static void who_does_not_honour_it_goes_on_and_counts_it(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_NONE, FLOW_CONTROL_NONE, &config);
    struct port *port = switch_port(w.sw, 1);

    link_send_control(&port->tx, pause_frame_new(w.pool, station, PAUSE_MOST_QUANTA));
    port->pauses_sent++;
    nic_send(w.nics[0], pause_frame_new(w.pool, nic_mac(w.nics[0]), 9)); /* the other way round */
    wiretap_run(&w, US(1));
    wiretap_send(&w, 0, 3, 46);
    wiretap_run(&w, US(10));
    assert_int_equal(wiretap_count(&w, "n3"), 1);
    assert_int_equal(nic_dropped(w.nics[0], DROP_CONTROL), 1);
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.1", DROP_CONTROL), 1);
    assert_int_equal(switch_flooded(w.sw), 1); /* the broadcast: no PAUSE is ever relayed */
    wiretap_close(&w);
}

/* A PAUSE overtakes what waits, although the port itself was told to be silent. */
static void a_pause_waits_for_nobody_but_the_frame_under_way(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_NONE, FLOW_CONTROL_NONE, &config);
    struct port *port = nic_port(w.nics[0]);
    int64_t start_ns = clock_now_ns(&w.queue.clock);

    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 3, 8986);
    link_pause(&port->tx, start_ns + MS(2));
    wiretap_run(&w, US(1));
    port_begin_storm(port);
    wiretap_run(&w, US(20));
    assert_int_equal(wiretap_count(&w, "switch-1.1"), 2);
    const struct wiretap_seen *first = wiretap_at(&w, "switch-1.1", 0);
    const struct wiretap_seen *second = wiretap_at(&w, "switch-1.1", 1);

    assert_int_equal(first->bytes, 9000);
    assert_int_equal(first->at_ns, start_ns + 7210 + 25);
    assert_int_equal(second->bytes, 60);
    assert_in_range(second->at_ns - first->at_ns, 67, 69); /* gap and 72 bytes */
    assert_memory_equal(second->head + 12, "\x88\x08\x00\x01\xff\xff", 6);
    port_end_storm(port);
    wiretap_run(&w, MS(4));
    assert_int_equal(wiretap_count(&w, "n3"), 20); /* in order, and none lost */
    wiretap_close(&w);
}

/* Three to one, as fast as they can: sent, arrived. */
static unsigned congest(struct wiretap *w, unsigned frames)
{
    for (unsigned i = 0; i < frames; i++)
        for (unsigned from = 0; from < 3; from++)
            wiretap_send(w, from, 3, 8986);
    wiretap_run(w, MS(10));
    return wiretap_count(w, "n3");
}

static void congestion_loses_frames_without_pause(void **state)
{
    struct switch_config config = {.port_buffer_bytes = 400000};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_NONE, FLOW_CONTROL_HONOUR, &config);
    unsigned arrived = congest(&w, 100);
    uint64_t lost = fabric_dropped(w.fabric, "switch-1.4", DROP_QUEUE_FULL);

    assert_in_range(lost, 140, 170); /* 200 too many, 44 fit */
    assert_int_equal(arrived + lost, 300);
    wiretap_close(&w);
}

static void congestion_loses_nothing_with_pause(void **state)
{
    struct switch_config config = {.port_buffer_bytes = 400000};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_ASK, FLOW_CONTROL_HONOUR, &config);
    int64_t start_ns = clock_now_ns(&w.queue.clock);
    unsigned arrived = congest(&w, 100);

    assert_int_equal(arrived, 300);
    assert_int_equal(switch_dropped(w.sw, DROP_REASON_COUNT), 0);
    /* The way out was never idle: 300 frames of 9024 bytes on the wire, after the first. */
    assert_in_range(wiretap_at(&w, "n3", 299)->at_ns - start_ns, 300 * 72192 / 10,
                    300 * 72192 / 10 + US(15));
    for (unsigned i = 0; i < 3; i++) {
        const struct port *port = switch_port(w.sw, i + 1);

        assert_true(port->pauses_sent >= 4);
        assert_int_equal(port->pauses_sent, nic_port(w.nics[i])->controls);
        assert_false(port->is_asking);
    }
    assert_int_equal(switch_port(w.sw, 4)->pauses_sent, 0);
    wiretap_close(&w);
}

static void who_does_not_honour_pause_is_dropped(void **state)
{
    struct switch_config config = {.port_buffer_bytes = 400000};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_ASK, FLOW_CONTROL_NONE, &config);
    unsigned arrived = congest(&w, 100);
    uint64_t lost = fabric_dropped(w.fabric, "switch-1.4", DROP_QUEUE_FULL);

    assert_in_range(lost, 140, 170);
    assert_int_equal(arrived + lost, 300);
    assert_true(nic_dropped(w.nics[0], DROP_CONTROL) > 0);
    wiretap_close(&w);
}

/* XOFF lasts 3.36 ms at most; a longer congestion repeats it. */
static void a_silence_is_asked_for_again_before_it_ends(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_BOTH, FLOW_CONTROL_HONOUR, &config);
    nic_begin_storm(w.nics[3]); /* nothing leaves to n3 any more */
    wiretap_run(&w, MS(1));
    for (unsigned i = 0; i < 40; i++)
        wiretap_send(&w, 0, 3, 8986);
    wiretap_run(&w, MS(50));
    assert_int_equal(wiretap_count(&w, "n3"), 0);
    /* The silence spread: n0 is told every 1.68 ms, and reaches nobody else either. */
    assert_in_range(switch_port(w.sw, 1)->pauses_sent, 29, 31);
    wiretap_send(&w, 0, 1, 46);
    wiretap_run(&w, MS(50));
    assert_int_equal(wiretap_count(&w, "n1"), 0);
    nic_end_storm(w.nics[3]);
    wiretap_run(&w, MS(50));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n3"), 40 + 1); /* n1 was not known: flooded */
    assert_false(switch_port(w.sw, 1)->is_asking);
    assert_int_equal(switch_dropped(w.sw, DROP_REASON_COUNT), 0);
    wiretap_close(&w);
}

/* Two storms are two layers. */
static void storms_stack(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_HONOUR, FLOW_CONTROL_HONOUR, &config);
    nic_begin_storm(w.nics[3]);
    nic_begin_storm(w.nics[3]);
    nic_end_storm(w.nics[3]);
    wiretap_run(&w, MS(100));
    uint64_t sent = nic_port(w.nics[3])->pauses_sent;

    assert_in_range(sent, 59, 61);
    nic_end_storm(w.nics[3]);
    wiretap_run(&w, MS(100));
    assert_int_equal(nic_port(w.nics[3])->pauses_sent, sent);
    wiretap_close(&w);
}

static void a_switch_without_power_forgets_every_silence(void **state)
{
    struct switch_config config = {.boot_ns = MS(100)};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_BOTH, FLOW_CONTROL_HONOUR, &config);
    nic_begin_storm(w.nics[3]);
    wiretap_run(&w, MS(1));
    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 3, 8986);
    wiretap_run(&w, MS(5));
    assert_true(switch_port(w.sw, 1)->is_asking);
    assert_true(switch_port(w.sw, 4)->tx.paused_until_ns > clock_now_ns(&w.queue.clock));
    assert_true(nic_port(w.nics[0])->tx.paused_until_ns > clock_now_ns(&w.queue.clock));
    nic_end_storm(w.nics[3]);
    switch_power_off(w.sw);
    assert_false(switch_port(w.sw, 1)->is_asking);
    assert_int_equal(switch_port(w.sw, 4)->tx.paused_until_ns, 0);
    assert_int_equal(nic_port(w.nics[0])->tx.paused_until_ns, 0);
    switch_power_on(w.sw);
    wiretap_run(&w, MS(101));
    wiretap_forget(&w);
    wiretap_send(&w, 0, 3, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n3"), 1);
    wiretap_close(&w);
}

/* Hung, it does not repeat what it asked for: the peer waits 3.36 ms out and sends into nothing. */
static void a_frozen_switch_leaves_its_silences_to_run_out(void **state)
{
    struct switch_config config = {0};
    struct wiretap w;
    (void)state;

    open_ports(&w, FLOW_CONTROL_BOTH, FLOW_CONTROL_HONOUR, &config);
    nic_begin_storm(w.nics[3]);
    wiretap_run(&w, MS(1));
    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 3, 8986);
    wiretap_run(&w, MS(5));
    uint64_t sent = switch_port(w.sw, 1)->pauses_sent;

    switch_freeze(w.sw);
    wiretap_run(&w, MS(10));
    assert_int_equal(switch_port(w.sw, 1)->pauses_sent, sent);
    assert_int_equal(link_frames(&nic_port(w.nics[0])->tx), 0);
    assert_int_equal(switch_dropped(w.sw, DROP_FROZEN), 20);
    nic_end_storm(w.nics[3]);
    switch_thaw(w.sw);
    wiretap_close(&w);
}

int main(void)
{
    TEST(a_pause_frame_is_what_the_standard_says);
    TEST(a_nic_is_silent_for_as_long_as_it_was_told);
    TEST(the_newest_pause_counts_and_zero_ends_it);
    TEST(who_does_not_honour_it_goes_on_and_counts_it);
    TEST(a_pause_waits_for_nobody_but_the_frame_under_way);
    TEST(congestion_loses_frames_without_pause);
    TEST(congestion_loses_nothing_with_pause);
    TEST(who_does_not_honour_pause_is_dropped);
    TEST(a_silence_is_asked_for_again_before_it_ends);
    TEST(storms_stack);
    TEST(a_switch_without_power_forgets_every_silence);
    TEST(a_frozen_switch_leaves_its_silences_to_run_out);
    return TEST_RUN("sim.net.pause");
}
