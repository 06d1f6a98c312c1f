/* Virtual NICs: what a vSwitch hides from them, and what it drops. */
#include "sim/net/vswitch.h"

#include "tests/sim/net/lan.h"

/* Host 0 has a virtual NIC behind "h0.nic1", which has the cable to switch-1.1; host 1 is plain. */
static void start(struct lan *lan, uint32_t uplink_mtu_bytes)
{
    struct nic *uplink;

    lan_start(lan, 0, 9216);
    uplink = fabric_add_nic(lan->fabric,
                            &(struct nic_config){.name = "h0.nic1", .mtu_bytes = uplink_mtu_bytes});
    lan->cables[0] = fabric_add_cable(
        lan->fabric, &(struct cable_config){.name = "h0-1",
                                            .ends = {nic_port(uplink), switch_port(lan->sw, 1)}});
    lan->nics[0] =
        fabric_add_nic(lan->fabric, &(struct nic_config){.name = "h0.iscsi1", .mtu_bytes = 9000});
    fabric_add_vswitch(
        lan->fabric, &(struct vswitch_config){.uplink = uplink, .nics = lan->nics, .nic_count = 1});
    lan->hosts[0] = fabric_add_host(lan->fabric, "h0", NULL);
    ip_host_add_address(lan->hosts[0], lan->nics[0], lan_address(0), 24);
    lan_add_host(lan, 1, NULL, NULL, NULL);
    lan_run(lan, SECONDS(1));
}

static void frames_cross_the_vswitch_both_ways(void **state)
{
    struct lan lan;
    (void)state;

    start(&lan, 9000);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 1, 0, 8972), PING_REPLY);
    lan_stop(&lan);
}

static void a_virtual_nic_keeps_its_link_when_the_uplink_has_none(void **state)
{
    struct lan lan;
    (void)state;

    start(&lan, 9000);
    cable_pull(lan.cables[0]);
    lan_run(&lan, SECONDS(2));
    assert_false(nic_is_up(fabric_find_nic(lan.fabric, "h0.nic1")));
    assert_true(nic_is_up(lan.nics[0]));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_UNREACHABLE);
    assert_true(fabric_dropped(lan.fabric, "h0.nic1", DROP_NO_CARRIER) > 0);
    cable_plug_in(lan.cables[0]);
    lan_run(&lan, SECONDS(20));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void a_frame_above_the_mtu_of_the_uplink_is_dropped_there(void **state)
{
    struct lan lan;
    (void)state;

    start(&lan, 1500);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 1472), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 1473), PING_TIMEOUT); /* its own MTU is 9000 */
    assert_int_equal(fabric_dropped(lan.fabric, "h0.nic1", DROP_TOO_BIG), 1);
    lan_stop(&lan);
}

int main(void)
{
    TEST(frames_cross_the_vswitch_both_ways);
    TEST(a_virtual_nic_keeps_its_link_when_the_uplink_has_none);
    TEST(a_frame_above_the_mtu_of_the_uplink_is_dropped_there);
    return TEST_RUN("sim.net.vswitch");
}
