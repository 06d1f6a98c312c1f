/* Carrier at both ends of a cable, whatever is cut, dark or disabled. */
#include "sim/net/cable.h"

#include "tests/sim/net/lan.h"

static struct row {
    const char *name;
    enum cable_one_way one_way;
    bool cut_from_0;
    bool cut_from_1;
    bool carrier_0;
    bool carrier_1;
    bool passes_from_0;
    bool passes_from_1;
} rows[] = {
    {"a whole cable", CABLE_BOTH_NOTICE, false, false, true, true, true, true},
    {"copper cut one way is dark", CABLE_BOTH_NOTICE, true, false, false, false, false, false},
    {"glass cut one way is dark at the far end", CABLE_FAR_END_NOTICES, true, false, true, false,
     false, false},
    {"glass cut the other way", CABLE_FAR_END_NOTICES, false, true, false, true, false, false},
    {"glass cut both ways", CABLE_FAR_END_NOTICES, true, true, false, false, false, false},
    {"a converter hides the cut", CABLE_NOBODY_NOTICES, true, false, true, true, false, true},
    {"a converter hides both cuts", CABLE_NOBODY_NOTICES, true, true, true, true, false, false},
};

static bool passes(struct lan *lan, struct nic *from, struct nic *to)
{
    uint64_t before = nic_port(to)->received;
    struct frame *frame = frame_new(lan->pool);

    frame_set_ethernet(frame, nic_mac(to), nic_mac(from));
    nic_send(from, frame);
    lan_run(lan, clock_now_ns(&lan->queue.clock) + MS(1));
    lan_check(lan);
    return nic_port(to)->received > before;
}

static void carrier_and_frames_follow_from_both_ends(void **state)
{
    const struct row *row = *state;
    struct lan lan;

    lan_open(&lan, 1);
    struct nic *a = fabric_add_nic(lan.fabric, &(struct nic_config){.name = "a"});
    struct nic *b = fabric_add_nic(lan.fabric, &(struct nic_config){.name = "b"});
    struct cable *cable =
        fabric_add_cable(lan.fabric, &(struct cable_config){.name = "a-b",
                                                            .ends = {nic_port(a), nic_port(b)},
                                                            .one_way = row->one_way});
    if (row->cut_from_0)
        cable_cut(cable, nic_port(a));
    if (row->cut_from_1)
        cable_cut(cable, nic_port(b));
    assert_int_equal(nic_has_carrier(a), row->carrier_0);
    assert_int_equal(nic_has_carrier(b), row->carrier_1);
    assert_int_equal(passes(&lan, a, b), row->passes_from_0);
    assert_int_equal(passes(&lan, b, a), row->passes_from_1);

    cable_pull(cable); /* on top of the cuts, whatever the kind */
    assert_false(nic_has_carrier(a));
    assert_false(nic_has_carrier(b));
    assert_false(passes(&lan, a, b));
    cable_plug_in(cable);
    assert_int_equal(nic_has_carrier(a), row->carrier_0);
    assert_int_equal(nic_has_carrier(b), row->carrier_1);
    if (row->cut_from_0)
        cable_mend(cable, nic_port(a));
    if (row->cut_from_1)
        cable_mend(cable, nic_port(b));
    assert_true(passes(&lan, a, b));
    assert_true(passes(&lan, b, a));
    nic_disable(b);
    assert_false(nic_has_carrier(a));
    assert_false(passes(&lan, a, b));
    nic_enable(b);
    lan_stop(&lan);
}

static void layers_are_undone_one_by_one(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    cable_pull(lan.cables[0]);
    cable_pull(lan.cables[0]);
    nic_disable(lan.nics[0]);
    switch_power_off(lan.sw);
    switch_power_on(lan.sw);
    lan_run(&lan, SECONDS(100));
    assert_false(nic_has_carrier(lan.nics[0]));
    cable_plug_in(lan.cables[0]);
    assert_false(nic_has_carrier(lan.nics[0]));
    nic_enable(lan.nics[0]);
    assert_false(nic_has_carrier(lan.nics[0]));
    cable_plug_in(lan.cables[0]);
    assert_true(nic_has_carrier(lan.nics[0]));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void the_length_of_a_cable_is_a_delay(void **state)
{
    struct lan lan;
    struct lan_ping ping;
    (void)state;

    lan_start(&lan, 1, 9216);
    lan_add_host(&lan, 1, NULL,
                 &(struct cable_config){.rate_bits_per_s = 1000000000, .length_m = 10000}, NULL);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_ping(&lan, &ping, 0, 1, 56);
    lan_run(&lan, SECONDS(7));
    /* 98 bytes and 12 around them, 88 ns at 10 and 880 ns at 1 Gbit/s. */
    assert_int_equal(ping.ping.round_trip_ns, 2 * (88 + 25 + 2000 + 880 + 50000));
    lan_stop(&lan);
}

int main(void)
{
    TEST_ROWS(rows, carrier_and_frames_follow_from_both_ends);
    TEST(layers_are_undone_one_by_one);
    TEST(the_length_of_a_cable_is_a_delay);
    return TEST_RUN("sim.net.cable");
}
