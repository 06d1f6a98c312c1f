/* A switch and its ports: what is learned, what is dropped and why, and what faults do. */
#include "sim/net/switch.h"

#include "tests/sim/net/lan.h"

#include <string.h>

static uint64_t received(const struct lan *lan, unsigned host)
{
    return nic_port_const(lan->nics[host])->received;
}

static void an_unknown_address_is_flooded_and_a_known_one_is_not(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 4, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(switch_flooded(lan.sw), 1); /* the ARP request */
    assert_int_equal(switch_mac_count(lan.sw), 2);
    assert_int_equal(received(&lan, 2), 1);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(switch_flooded(lan.sw), 1);
    switch_flush(lan.sw);
    assert_int_equal(switch_mac_count(lan.sw), 0);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(switch_flooded(lan.sw), 2); /* the echo request; its answer finds the way */
    assert_int_equal(received(&lan, 2), 2);
    assert_int_equal(nic_dropped(lan.nics[2], DROP_NOT_MINE), 1);
    lan_stop(&lan);
}

static void a_silent_address_is_flooded_again_after_its_age(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 3, 9216);
    switch_set_mac_age_ns(lan.sw, SECONDS(10));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_run(&lan, SECONDS(20));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(switch_flooded(lan.sw), 2);
    lan_stop(&lan);
}

static void a_switch_without_power_is_gone_until_it_has_booted(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_run(&lan, SECONDS(10));
    switch_power_off(lan.sw);
    assert_false(nic_has_carrier(lan.nics[0]));
    assert_int_equal(switch_mac_count(lan.sw), 0);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_NO_CARRIER);
    lan_run(&lan, SECONDS(40));
    switch_power_on(lan.sw);
    lan_run(&lan, SECONDS(130) - 1);
    assert_false(switch_is_running(lan.sw));
    assert_false(nic_has_carrier(lan.nics[0]));
    lan_run(&lan, SECONDS(130));
    assert_true(switch_is_running(lan.sw));
    assert_true(nic_has_carrier(lan.nics[0]));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void power_that_fails_twice_must_return_twice(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    switch_power_off(lan.sw);
    switch_power_off(lan.sw);
    switch_power_on(lan.sw);
    lan_run(&lan, SECONDS(1000));
    assert_false(switch_is_running(lan.sw));
    switch_reboot(lan.sw, 0); /* without power nothing reboots */
    lan_run(&lan, SECONDS(2000));
    assert_false(switch_is_running(lan.sw));
    switch_power_on(lan.sw);
    lan_run(&lan, SECONDS(2040));
    switch_power_off(lan.sw); /* while it boots */
    switch_power_on(lan.sw);
    lan_run(&lan, SECONDS(2130) - 1);
    assert_false(switch_is_running(lan.sw)); /* the boot began again */
    lan_run(&lan, SECONDS(2130));
    assert_true(switch_is_running(lan.sw));
    lan_stop(&lan);
}

static void a_reboot_takes_its_time(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    switch_reboot(lan.sw, SECONDS(7));
    assert_false(nic_has_carrier(lan.nics[0]));
    lan_run(&lan, SECONDS(7));
    assert_true(nic_has_carrier(lan.nics[0]));
    switch_reboot(lan.sw, 0);
    lan_run(&lan, SECONDS(97) - 1);
    assert_false(nic_has_carrier(lan.nics[0]));
    lan_run(&lan, SECONDS(97));
    assert_true(nic_has_carrier(lan.nics[0]));
    lan_stop(&lan);
}

static void a_frozen_switch_keeps_its_carrier_and_passes_nothing(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    switch_freeze(lan.sw);
    switch_freeze(lan.sw);
    assert_true(nic_has_carrier(lan.nics[0]));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_TIMEOUT);
    assert_int_equal(switch_dropped(lan.sw, DROP_FROZEN), 1);
    switch_thaw(lan.sw);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_TIMEOUT);
    switch_thaw(lan.sw);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void freezing_loses_what_is_queued(void **state)
{
    struct lan lan;
    struct lan_ping pings[40];
    (void)state;

    lan_start(&lan, 3, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 2, 56), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 1, 2, 56), PING_REPLY);
    int64_t start_ns = SECONDS(20);
    lan_run(&lan, start_ns);
    for (unsigned i = 0; i < 40; i++) /* two to one: half of them queue up */
        lan_ping(&lan, &pings[i], i % 2, 2, 8000);
    lan_run(&lan, start_ns + US(100));
    switch_freeze(lan.sw);
    uint64_t queued = fabric_dropped(lan.fabric, "switch-1.3", DROP_FROZEN);
    assert_in_range(queued, 5, 20);
    lan_check(&lan);
    lan_run(&lan, start_ns + SECONDS(10));
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(pings[i].ended, 1);
    switch_thaw(lan.sw);
    lan_stop(&lan);
}

static void a_frozen_port_is_frozen_alone(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 3, 9216);
    struct port *port = switch_port(lan.sw, 2);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    port_freeze(port, DIRECTION_IN);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_TIMEOUT);
    assert_int_equal(port_dropped(port, DROP_FROZEN), 1);
    assert_int_equal(port->received, 3); /* the ARP reply and two echo replies */
    assert_int_equal(lan_ping_now(&lan, 0, 2, 56), PING_REPLY);
    port_thaw(port, DIRECTION_IN);
    port_freeze(port, DIRECTION_OUT);
    uint64_t before = received(&lan, 1);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_TIMEOUT);
    assert_int_equal(received(&lan, 1), before);
    port_thaw(port, DIRECTION_OUT);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void a_disabled_port_takes_the_carrier_of_its_peer(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    struct port *port = switch_port(lan.sw, 1);
    port_disable(port);
    port_disable(port);
    assert_false(nic_has_carrier(lan.nics[0]));
    assert_true(nic_has_carrier(lan.nics[1]));
    port_enable(port);
    assert_false(nic_has_carrier(lan.nics[0]));
    port_enable(port);
    assert_true(nic_has_carrier(lan.nics[0]));
    nic_disable(lan.nics[0]);
    assert_false(port->has_carrier);
    nic_enable(lan.nics[0]);
    nic_power_off(lan.nics[0]);
    nic_power_off(lan.nics[0]);
    nic_power_on(lan.nics[0]);
    assert_false(port->has_carrier);
    nic_power_on(lan.nics[0]);
    assert_true(port->has_carrier);
    lan_stop(&lan);
}

static void a_port_that_lost_its_link_is_forgotten(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(switch_mac_count(lan.sw), 2);
    cable_pull(lan.cables[1]);
    assert_int_equal(switch_mac_count(lan.sw), 1);
    cable_plug_in(lan.cables[1]);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void a_port_forwards_only_after_its_delay(void **state)
{
    struct lan lan;
    (void)state;

    lan_open(&lan, 1);
    lan.sw = fabric_add_switch(lan.fabric,
                               &(struct switch_config){.name = "switch-1",
                                                       .port_count = 4,
                                                       .mtu_bytes = 9216,
                                                       .boot_ns = SECONDS(60),
                                                       .port_forwarding_delay_ns = SECONDS(30)});
    lan_add_host(&lan, 0, NULL, NULL, NULL);
    lan_add_host(&lan, 1, NULL, NULL, NULL);
    lan_run(&lan, SECONDS(30));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY); /* until 36 s */
    cable_pull(lan.cables[0]);
    lan_run(&lan, SECONDS(40));
    cable_plug_in(lan.cables[0]);
    lan_run(&lan, SECONDS(41)); /* the announcement is lost, too */
    assert_true(nic_is_up(lan.nics[0]));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_UNREACHABLE);
    assert_int_equal(switch_dropped(lan.sw, DROP_NOT_FORWARDING), 4);
    /* Host 1 still knows host 0, but the way there is closed. */
    assert_int_equal(lan_ping_now(&lan, 1, 0, 56), PING_TIMEOUT);
    lan_run(&lan, SECONDS(70));
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void what_must_not_be_relayed_is_counted(void **state)
{
    static const struct {
        struct mac_addr to;
        struct mac_addr from;
        enum drop_reason reason;
    } rows[] = {
        {{{0x01, 0x80, 0xc2, 0, 0, 0}}, {{2, 9, 9, 9, 9, 9}}, DROP_RESERVED},
        {{{0x01, 0x80, 0xc2, 0, 0, 0x0e}}, {{2, 9, 9, 9, 9, 9}}, DROP_RESERVED},
        {{{2, 9, 9, 9, 9, 9}}, {{2, 9, 9, 9, 9, 9}}, DROP_SAME_PORT},
        {{{2, 8, 8, 8, 8, 8}}, {{3, 9, 9, 9, 9, 9}}, DROP_MALFORMED},
    };
    struct lan lan;
    (void)state;

    lan_start(&lan, 1, 9216);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct frame *frame = frame_new(lan.pool);

        frame_set_ethernet(frame, rows[i].to, rows[i].from);
        uint64_t before = switch_dropped(lan.sw, rows[i].reason);
        nic_send(lan.nics[0], frame);
        lan_run(&lan, MS((int64_t)i + 1));
        assert_int_equal(switch_dropped(lan.sw, rows[i].reason), before + 1);
    }
    struct frame *lonely = frame_new(lan.pool);
    frame_set_ethernet(lonely, MAC_BROADCAST, nic_mac(lan.nics[0]));
    nic_send(lan.nics[0], lonely);
    lan_run(&lan, MS(100));
    assert_int_equal(switch_dropped(lan.sw, DROP_NO_WAY_OUT), 1);
    lan_stop(&lan);
}

static void a_port_with_a_full_buffer_drops_the_newest(void **state)
{
    struct lan lan;
    struct lan_ping pings[64];
    unsigned replies = 0;
    (void)state;

    lan_start(&lan, 3, 9216);
    switch_set_port_buffer_bytes(lan.sw, 100000);
    assert_int_equal(lan_ping_now(&lan, 0, 2, 56), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 1, 2, 56), PING_REPLY);
    for (unsigned i = 0; i < 64; i++)
        lan_ping(&lan, &pings[i], i % 2, 2, 8972);
    lan_run(&lan, SECONDS(30));
    for (unsigned i = 0; i < 64; i++)
        replies += pings[i].ping.result == PING_REPLY;
    uint64_t lost = fabric_dropped(lan.fabric, "switch-1.3", DROP_QUEUE_FULL);
    /* 64 frames come in at twice the rate at which they leave; 11 fit. */
    assert_in_range(lost, 64 / 2 - 11 - 2, 64 / 2 - 11 + 2);
    assert_int_equal(replies, 64 - lost);
    lan_stop(&lan);
}

static void a_lost_frame_without_a_reason_breaks_p8(void **state)
{
    struct lan lan;
    char text[256] = "";
    (void)state;

    lan_start(&lan, 2, 9216);
    fabric_set_plant(lan.fabric, PLANT_P8);
    for (int i = 0; i < 498; i++) { /* two frames each, and two for ARP: 998 */
        assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
        ip_host_confirm(lan.hosts[0], lan_address(0), lan_address(1));
        ip_host_confirm(lan.hosts[1], lan_address(1), lan_address(0));
    }
    lan_check(&lan);
    enum ping_result result = lan_ping_now(&lan, 0, 1, 56);
    bool is_conserved = fabric_check_conservation(lan.fabric, text, sizeof(text));
#ifdef ISCSILAB_PLANTS
    assert_int_equal(result, PING_TIMEOUT);
    assert_false(is_conserved);
    assert_non_null(strstr(text, "switch 'switch-1' received 1000 frames"));
#else
    assert_int_equal(result, PING_REPLY);
    assert_true(is_conserved);
#endif
    lan_close(&lan);
}

int main(void)
{
    TEST(an_unknown_address_is_flooded_and_a_known_one_is_not);
    TEST(a_silent_address_is_flooded_again_after_its_age);
    TEST(a_switch_without_power_is_gone_until_it_has_booted);
    TEST(power_that_fails_twice_must_return_twice);
    TEST(a_reboot_takes_its_time);
    TEST(a_frozen_switch_keeps_its_carrier_and_passes_nothing);
    TEST(freezing_loses_what_is_queued);
    TEST(a_frozen_port_is_frozen_alone);
    TEST(a_disabled_port_takes_the_carrier_of_its_peer);
    TEST(a_port_that_lost_its_link_is_forgotten);
    TEST(a_port_forwards_only_after_its_delay);
    TEST(what_must_not_be_relayed_is_counted);
    TEST(a_port_with_a_full_buffer_drops_the_newest);
    TEST(a_lost_frame_without_a_reason_breaks_p8);
    return TEST_RUN("sim.net.switch");
}
