/* Cut-through switches: when a frame is on its far side, and what becomes of damaged ones. */
#include "tests/sim/net/wiretap.h"

#define GIGABIT INT64_C(1000000000)

/* 9000 bytes and 12 of preamble and FCS at 10 Gbit/s: 7209.6 ns; preamble and 64 bytes: 57.6 ns. */
#define WHOLE_NS 7210
#define HEAD_NS  58
#define CABLE_NS 25

static void open_switch(struct wiretap *w, bool is_cut_through)
{
    wiretap_open(w, &(struct switch_config){.name = "switch-1",
                                            .port_count = 4,
                                            .mtu_bytes = 9216,
                                            .is_cut_through = is_cut_through,
                                            .forwarding_delay_ns = 500,
                                            .boot_ns = MS(10)});
}

static void open_three(struct wiretap *w, bool is_cut_through)
{
    open_switch(w, is_cut_through);
    for (unsigned i = 0; i < 3; i++)
        wiretap_plug(w, i, NULL);
    for (unsigned i = 0; i < 3; i++)
        wiretap_broadcast(w, i, 46);
    wiretap_run(w, MS(1));
    wiretap_forget(w);
}

static void a_frame_leaves_while_it_comes_in(void **state)
{
    static const struct {
        bool is_cut_through;
        int64_t at_ns;
    } rows[] = {
        {false, WHOLE_NS + CABLE_NS + 500 + WHOLE_NS + CABLE_NS},
        {true, HEAD_NS + CABLE_NS + 500 + WHOLE_NS + CABLE_NS},
    };
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct wiretap w;

        open_three(&w, rows[i].is_cut_through);
        int64_t start_ns = clock_now_ns(&w.queue.clock);

        wiretap_send(&w, 0, 1, 8986);
        wiretap_run(&w, MS(1));
        assert_int_equal(wiretap_at(&w, "n1", 0)->at_ns - start_ns, rows[i].at_ns);
        wiretap_close(&w);
    }
}

static void the_shortest_frame_gains_nothing(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    int64_t start_ns = clock_now_ns(&w.queue.clock);

    wiretap_send(&w, 0, 1, 46); /* 60 bytes and FCS are the first 64 bytes */
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_at(&w, "n1", 0)->at_ns - start_ns, 2 * (HEAD_NS + CABLE_NS) + 500);
    wiretap_close(&w);
}

static void a_hop_is_still_one_event_per_frame(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    uint64_t before = w.queue.fired;

    for (unsigned i = 0; i < 100; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(2));
    assert_int_equal(wiretap_count(&w, "n1"), 100);
    assert_int_equal(w.queue.fired - before, 200);
    wiretap_close(&w);
}

/* Back to back, frames come out at the rate at which they go in. */
static void frames_follow_each_other_at_the_full_rate(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    for (unsigned i = 0; i < 100; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(2));
    assert_int_equal(wiretap_at(&w, "n1", 99)->at_ns - wiretap_at(&w, "n1", 0)->at_ns,
                     99 * 72192 / 10 + 1); /* 9024 bytes each */
    wiretap_close(&w);
}

static void a_busy_way_out_makes_frames_wait(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    wiretap_send(&w, 0, 2, 8986);
    wiretap_send(&w, 1, 2, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n2"), 2);
    assert_in_range(wiretap_at(&w, "n2", 1)->at_ns - wiretap_at(&w, "n2", 0)->at_ns, 7219, 7220);
    wiretap_close(&w);
}

/* To a faster port a frame must be here as a whole, or the port would run dry within it. */
static void only_a_slower_way_out_is_cut_through(void **state)
{
    struct wiretap w;
    (void)state;

    open_switch(&w, true);
    wiretap_plug_into(&w, 0, switch_port(w.sw, 1), NULL, 10 * GIGABIT);
    wiretap_plug_into(&w, 1, switch_port(w.sw, 2), NULL, 1 * GIGABIT);
    wiretap_broadcast(&w, 0, 46);
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, MS(1));
    wiretap_forget(&w);
    int64_t start_ns = clock_now_ns(&w.queue.clock);

    wiretap_send(&w, 0, 1, 8986); /* to a tenth of the rate */
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_at(&w, "n1", 0)->at_ns - start_ns,
                     HEAD_NS + CABLE_NS + 500 + 72096 + CABLE_NS);
    start_ns = clock_now_ns(&w.queue.clock);
    wiretap_send(&w, 1, 0, 8986); /* to ten times the rate */
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_at(&w, "n0", 0)->at_ns - start_ns,
                     72096 + CABLE_NS + 500 + WHOLE_NS + CABLE_NS);
    wiretap_close(&w);
}

static void damage(struct wiretap *w, unsigned nic)
{
    link_impair(&nic_port(w->nics[nic])->tx,
                &(struct impair_config){.kind = IMPAIR_CORRUPT, .seen_by = CORRUPT_SEEN_BY_FCS});
}

static void a_damaged_frame_ends_where_it_is_stored(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, false);
    damage(&w, 0);
    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "cable-0", DROP_CORRUPT), 20);
    assert_int_equal(wiretap_count(&w, "n1"), 0);
    wiretap_close(&w);

    open_three(&w, true);
    damage(&w, 0);
    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "cable-0", DROP_CORRUPT), 0);
    assert_int_equal(nic_dropped(w.nics[1], DROP_CORRUPT), 20); /* the payload was hit, each time */
    assert_int_equal(wiretap_count(&w, "n1"), 20);
    wiretap_close(&w);
}

/* Nor does a damaged frame teach addresses: each bit of a short frame is hit sooner or later. */
static void a_damaged_frame_teaches_nothing(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    damage(&w, 0);
    for (unsigned i = 0; i < 200; i++)
        wiretap_send(&w, 0, 1, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(switch_mac_count(w.sw), 3);
    assert_true(switch_flooded_unknown(w.sw) > 5); /* the receiver's address was hit */
    assert_true(nic_dropped(w.nics[1], DROP_CORRUPT) > 150);
    wiretap_close(&w);
}

static void a_damaged_frame_for_a_faster_port_ends_in_the_switch(void **state)
{
    struct wiretap w;
    (void)state;

    open_switch(&w, true);
    wiretap_plug_into(&w, 0, switch_port(w.sw, 1), NULL, 1 * GIGABIT);
    wiretap_plug_into(&w, 1, switch_port(w.sw, 2), NULL, 10 * GIGABIT);
    wiretap_broadcast(&w, 0, 46);
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, MS(1));
    damage(&w, 0);
    for (unsigned i = 0; i < 5; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.2", DROP_CORRUPT), 5);
    assert_int_equal(nic_dropped(w.nics[1], DROP_CORRUPT), 0);
    wiretap_close(&w);
}

/* Through a cut-through switch into one that stores: there it ends. */
static void the_next_switch_that_stores_drops_what_is_damaged(void **state)
{
    struct wiretap w;
    (void)state;

    open_switch(&w, true);
    struct sw *second = fabric_add_switch(
        w.fabric, &(struct switch_config){.name = "switch-2", .port_count = 2, .mtu_bytes = 9216});

    fabric_add_cable(
        w.fabric, &(struct cable_config){.name = "between",
                                         .ends = {switch_port(w.sw, 2), switch_port(second, 1)}});
    wiretap_plug_into(&w, 0, switch_port(w.sw, 1), NULL, 0);
    wiretap_plug_into(&w, 1, switch_port(second, 2), NULL, 0);
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, MS(1));
    damage(&w, 0);
    for (unsigned i = 0; i < 5; i++)
        wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "switch-2.1", DROP_CORRUPT), 5);
    assert_int_equal(nic_dropped(w.nics[1], DROP_CORRUPT), 0);
    wiretap_close(&w);
}

/* P8 at any moment, while heads are through and tails are not. */
static void frames_are_conserved_while_they_are_cut_through(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    for (unsigned i = 0; i < 20; i++) {
        wiretap_send(&w, 0, 2, 8986);
        wiretap_send(&w, 1, 2, 1000);
    }
    for (unsigned i = 0; i < 1000; i++) {
        wiretap_run(&w, 97);
        wiretap_check(&w);
    }
    cable_pull(w.cables[0]);
    wiretap_check(&w);
    cable_plug_in(w.cables[0]);
    for (unsigned i = 0; i < 20; i++)
        wiretap_send(&w, 0, 2, 8986);
    wiretap_run(&w, US(3)); /* a head is through */
    switch_power_off(w.sw);
    wiretap_check(&w);
    switch_power_on(w.sw);
    wiretap_run(&w, MS(20));
    wiretap_forget(&w);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n2"), 1);
    assert_int_equal(link_frames(&nic_port(w.nics[0])->tx), 0);
    assert_int_equal(link_queued_bytes(&nic_port(w.nics[0])->tx), 0);
    wiretap_close(&w);
}

/* The NIC's queue is free when the last bit has left, not when the switch took the head. */
static void a_queue_holds_a_frame_until_its_last_bit_has_left(void **state)
{
    struct wiretap w;
    (void)state;

    open_three(&w, true);
    wiretap_send(&w, 0, 1, 8986);
    wiretap_run(&w, WHOLE_NS - 1);
    assert_int_equal(link_frames(&nic_port(w.nics[0])->tx), 0); /* the switch has it */
    assert_int_equal(link_queued_bytes(&nic_port(w.nics[0])->tx), 9000);
    wiretap_run(&w, 1);
    assert_int_equal(link_queued_bytes(&nic_port(w.nics[0])->tx), 0);
    wiretap_close(&w);
}

int main(void)
{
    TEST(a_frame_leaves_while_it_comes_in);
    TEST(the_shortest_frame_gains_nothing);
    TEST(a_hop_is_still_one_event_per_frame);
    TEST(frames_follow_each_other_at_the_full_rate);
    TEST(a_busy_way_out_makes_frames_wait);
    TEST(only_a_slower_way_out_is_cut_through);
    TEST(a_damaged_frame_ends_where_it_is_stored);
    TEST(a_damaged_frame_teaches_nothing);
    TEST(a_damaged_frame_for_a_faster_port_ends_in_the_switch);
    TEST(the_next_switch_that_stores_drops_what_is_damaged);
    TEST(frames_are_conserved_while_they_are_cut_through);
    TEST(a_queue_holds_a_frame_until_its_last_bit_has_left);
    return TEST_RUN("sim.net.cut_through");
}
