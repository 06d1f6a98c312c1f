/* VLANs across ports and switches, as bytes on the wire. */
#include "tests/sim/net/wiretap.h"

#include "sim/net/vlan.h"

static struct vlan_set trunk_of(uint32_t first, uint32_t last)
{
    struct vlan_set set = {{0}};

    vlan_set_add(&set, first, last);
    return set;
}

/* Ports 1 and 2 in VLAN 10, 3 in 20, 4 a trunk of 10 to 20 whose native VLAN is 20. */
static void open_four(struct wiretap *w, const struct vlan_set *trunk)
{
    const struct switch_port_config ports[4] = {
        {.vlan = {NULL, 10}},
        {.vlan = {NULL, 10}},
        {.vlan = {NULL, 20}},
        {.vlan = {trunk, 20}},
    };

    wiretap_open(w, &(struct switch_config){
                        .name = "switch-1", .port_count = 4, .mtu_bytes = 1500, .ports = ports});
    for (unsigned i = 0; i < 4; i++)
        wiretap_plug(w, i, NULL);
}

static void a_frame_stays_in_its_vlan(void **state)
{
    struct vlan_set trunk = trunk_of(10, 20);
    struct wiretap w;
    (void)state;

    open_four(&w, &trunk);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n2"), 0); /* VLAN 20 */
    assert_int_equal(wiretap_count(&w, "n3"), 1);
    assert_memory_equal(wiretap_at(&w, "n1", 0)->head + 12, "\x88\xb5", 2);
    assert_memory_equal(wiretap_at(&w, "n3", 0)->head + 12, "\x81\x00\x00\x0a\x88\xb5", 6);
    assert_int_equal(wiretap_at(&w, "n3", 0)->bytes, 14 + 4 + 46);
    assert_int_equal(nic_dropped(w.nics[3], DROP_TAGGED), 1); /* it knows no VLANs */

    wiretap_send(&w, 2, 0, 46); /* n0 is not in VLAN 20: unknown there, although learned in 10 */
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n0"), 0);
    assert_int_equal(wiretap_count(&w, "n3"), 2);
    assert_memory_equal(wiretap_at(&w, "n3", 1)->head + 12, "\x88\xb5", 2); /* native */
    assert_int_equal(switch_flooded_unknown(w.sw), 1);
    assert_int_equal(switch_flooded(w.sw), 2);
    wiretap_close(&w);
}

static void a_tag_on_the_trunk_chooses_the_vlan(void **state)
{
    struct vlan_set trunk = trunk_of(10, 20);
    struct wiretap w;
    (void)state;

    open_four(&w, &trunk);
    nic_send(w.nics[3],
             frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[3]), 46), 10));
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n2"), 0);
    assert_int_equal(wiretap_at(&w, "n0", 0)->bytes, 14 + 46);
    wiretap_broadcast(&w, 3, 46); /* untagged: the native VLAN */
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    assert_int_equal(wiretap_count(&w, "n2"), 1);
    wiretap_close(&w);
}

static void what_belongs_to_no_vlan_is_dropped_with_its_reason(void **state)
{
    struct vlan_set trunk = trunk_of(10, 12);
    struct wiretap w;
    (void)state;

    open_four(&w, &trunk); /* its native VLAN is not among those of the trunk */
    nic_send(w.nics[0],
             frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[0]), 46), 10));
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.1", DROP_TAGGED), 1);
    nic_send(w.nics[3],
             frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[3]), 46), 20));
    wiretap_broadcast(&w, 3, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.4", DROP_NOT_IN_VLAN), 2);
    assert_int_equal(switch_mac_count(w.sw), 0); /* nothing was learned from them */
    wiretap_close(&w);
}

static void a_tag_for_a_priority_alone_does_no_harm(void **state)
{
    struct vlan_set trunk = trunk_of(10, 20);
    struct wiretap w;
    (void)state;

    open_four(&w, &trunk);
    struct frame *frame =
        frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[0]), 46), 1);
    put_be16(frame->headers + 14, 0xa000); /* priority 5, no VLAN */
    nic_send(w.nics[0], frame);
    wiretap_run(&w, MS(1));
    assert_memory_equal(wiretap_at(&w, "n1", 0)->head + 12, "\x88\xb5", 2);
    assert_memory_equal(wiretap_at(&w, "n3", 0)->head + 12, "\x81\x00\xa0\x0a", 4);
    wiretap_close(&w);
}

static void the_limit_is_that_of_the_packet_with_a_tag_or_without(void **state)
{
    struct vlan_set trunk = trunk_of(10, 20);
    struct wiretap w;
    (void)state;

    open_four(&w, &trunk);
    wiretap_broadcast(&w, 0, 1500);
    wiretap_broadcast(&w, 0, 1501);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_at(&w, "n1", 0)->bytes, 1514);
    assert_int_equal(wiretap_at(&w, "n3", 0)->bytes, 1518);
    assert_int_equal(switch_dropped(w.sw, DROP_TOO_BIG), 1);
    nic_send(w.nics[3],
             frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[3]), 1500), 10));
    nic_send(w.nics[3],
             frame_with_tag(wiretap_frame(&w, MAC_BROADCAST, nic_mac(w.nics[3]), 1501), 10));
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    assert_int_equal(switch_dropped(w.sw, DROP_TOO_BIG), 2);
    wiretap_close(&w);
}

/* Two switches, a trunk between them: hosts of one VLAN reach each other, and nobody else. */
static void a_trunk_carries_vlans_from_switch_to_switch(void **state)
{
    struct vlan_set trunk = trunk_of(10, 20);
    const struct switch_port_config ports[3] = {
        {.vlan = {NULL, 10}}, {.vlan = {NULL, 20}}, {.vlan = {&trunk, 1}}};
    struct switch_config config = {
        .name = "switch-1", .port_count = 3, .mtu_bytes = 9000, .ports = ports};
    struct wiretap w;
    (void)state;

    wiretap_open(&w, &config);
    config.name = "switch-2";
    struct sw *second = fabric_add_switch(w.fabric, &config);

    fabric_add_cable(
        w.fabric, &(struct cable_config){.name = "between",
                                         .ends = {switch_port(w.sw, 3), switch_port(second, 3)}});
    wiretap_plug(&w, 0, NULL);
    wiretap_plug(&w, 1, NULL);
    wiretap_plug_into(&w, 2, switch_port(second, 1), NULL, 0);
    wiretap_plug_into(&w, 3, switch_port(second, 2), NULL, 0);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    wiretap_send(&w, 2, 0, 8000);
    wiretap_run(&w, MS(1));
    assert_memory_equal(wiretap_at(&w, "switch-2.3", 0)->head + 12, "\x81\x00\x00\x0a", 4);
    assert_memory_equal(wiretap_at(&w, "switch-1.3", 0)->head + 12, "\x81\x00\x00\x0a", 4);
    assert_int_equal(wiretap_count(&w, "n2"), 1);
    assert_int_equal(wiretap_count(&w, "n3"), 0);
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    assert_int_equal(wiretap_at(&w, "n0", 0)->bytes, 8014); /* without the tag of the trunk */
    assert_int_equal(wiretap_count(&w, "n1"), 0);
    wiretap_broadcast(&w, 3, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    wiretap_close(&w);
}

/* A ring of two cables between two switches: the blocked one is silent, and no frame circles. */
static void a_blocked_port_opens_the_ring(void **state)
{
    const struct switch_port_config ports[3] = {[1] = {.is_blocked = true}};
    struct wiretap w;
    (void)state;

    wiretap_open(&w, &(struct switch_config){.name = "switch-1", .port_count = 3, .ports = ports});
    struct sw *second =
        fabric_add_switch(w.fabric, &(struct switch_config){.name = "switch-2", .port_count = 3});

    for (uint32_t i = 1; i <= 2; i++)
        fabric_add_cable(w.fabric, &(struct cable_config){
                                       .name = i == 1 ? "ring-1" : "ring-2",
                                       .ends = {switch_port(w.sw, i), switch_port(second, i)}});
    wiretap_plug_into(&w, 0, switch_port(w.sw, 3), NULL, 0);
    wiretap_plug_into(&w, 1, switch_port(second, 3), NULL, 0);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, SECONDS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "switch-2.2"), 0);
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, SECONDS(1));
    assert_int_equal(wiretap_count(&w, "n0"), 1);
    /* The second switch does not block its end: both broadcasts came there, and ended. */
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.2", DROP_BLOCKED), 2);
    switch_set_blocked(w.sw, 1, true); /* the way moves to the other cable */
    switch_set_blocked(w.sw, 2, false);
    wiretap_forget(&w);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, SECONDS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "switch-2.2"), 1);
    assert_int_equal(wiretap_count(&w, "switch-2.1"), 0);
    assert_int_equal(switch_mac_moves(second), 1); /* n0 comes by port 2 now */
    wiretap_close(&w);
}

static void a_full_table_floods_what_it_could_not_learn(void **state)
{
    struct wiretap w;
    (void)state;

    wiretap_open(&w,
                 &(struct switch_config){
                     .name = "switch-1", .port_count = 4, .mac_entries = 1, .mac_age_ns = MS(9)});
    for (unsigned i = 0; i < 4; i++)
        wiretap_plug(&w, i, NULL);
    wiretap_broadcast(&w, 0, 46); /* takes the one place */
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, MS(1));
    wiretap_forget(&w);
    wiretap_send(&w, 2, 1, 46);
    wiretap_send(&w, 2, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n3"), 1); /* flooded: for n1, but not for n0 */
    assert_int_equal(switch_flooded_unknown(w.sw), 1);
    assert_int_equal(switch_mac_refused(w.sw), 3);
    wiretap_run(&w, MS(9)); /* n0 is silent for too long: its place is free */
    wiretap_broadcast(&w, 1, 46);
    wiretap_run(&w, MS(1));
    wiretap_forget(&w);
    wiretap_send(&w, 2, 1, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n3"), 0);
    wiretap_close(&w);
}

/* A flicker shorter than the debounce changes nothing; a longer one costs addresses and, coming
 * back, debounce and forwarding delay. */
static void a_port_debounces_its_link(void **state)
{
    struct wiretap w;
    (void)state;

    wiretap_open(&w, &(struct switch_config){.name = "switch-1",
                                             .port_count = 2,
                                             .link_debounce_ns = MS(100),
                                             .port_forwarding_delay_ns = SECONDS(1)});
    wiretap_plug(&w, 0, NULL);
    wiretap_plug(&w, 1, NULL);
    wiretap_run(&w, MS(1099));
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(switch_dropped(w.sw, DROP_NOT_FORWARDING), 1);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);

    cable_pull(w.cables[0]);
    wiretap_run(&w, MS(99));
    assert_int_equal(switch_mac_count(w.sw), 1);
    cable_plug_in(w.cables[0]);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 2); /* it forwards at once */

    cable_pull(w.cables[0]);
    wiretap_run(&w, MS(100));
    assert_int_equal(switch_mac_count(w.sw), 0);
    cable_plug_in(w.cables[0]);
    wiretap_run(&w, MS(1099));
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(switch_dropped(w.sw, DROP_NOT_FORWARDING), 2);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 3);
    wiretap_close(&w);
}

/* A debounce that is taken away while one runs: the change counts at once, and once. */
static void a_debounce_may_change_while_it_runs(void **state)
{
    struct wiretap w;
    (void)state;

    wiretap_open(&w, &(struct switch_config){.name = "switch-1",
                                             .port_count = 2,
                                             .link_debounce_ns = MS(100),
                                             .port_forwarding_delay_ns = MS(90)});
    wiretap_plug(&w, 0, NULL);
    wiretap_plug(&w, 1, NULL);
    wiretap_run(&w, SECONDS(1));
    cable_pull(w.cables[0]); /* counts at 1.1 s */
    wiretap_run(&w, MS(50));
    cable_plug_in(w.cables[0]); /* and so never */
    cable_pull(w.cables[0]);    /* counts at 1.15 s */
    switch_set_link_debounce_ns(w.sw, 0);
    wiretap_run(&w, MS(120));
    cable_plug_in(w.cables[0]); /* counts at once */
    wiretap_run(&w, MS(89));
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, US(10));
    assert_int_equal(switch_dropped(w.sw, DROP_NOT_FORWARDING), 1);
    wiretap_run(&w, MS(1));
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, US(10));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    wiretap_close(&w);
}

/* With spanning tree a port waits, unless it is an edge port. */
static void an_edge_port_forwards_at_once(void **state)
{
    const struct switch_port_config ports[3] = {[0] = {.is_edge = true}, [1] = {.is_edge = true}};
    struct wiretap w;
    (void)state;

    wiretap_open(&w, &(struct switch_config){.name = "switch-1",
                                             .port_count = 3,
                                             .ports = ports,
                                             .port_forwarding_delay_ns = SECONDS(30)});
    for (unsigned i = 0; i < 3; i++)
        wiretap_plug(&w, i, NULL);
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n1"), 1);
    assert_int_equal(wiretap_count(&w, "n2"), 0);
    wiretap_run(&w, SECONDS(30));
    wiretap_broadcast(&w, 0, 46);
    wiretap_run(&w, MS(1));
    assert_int_equal(wiretap_count(&w, "n2"), 1);
    wiretap_close(&w);
}

int main(void)
{
    TEST(a_frame_stays_in_its_vlan);
    TEST(a_tag_on_the_trunk_chooses_the_vlan);
    TEST(what_belongs_to_no_vlan_is_dropped_with_its_reason);
    TEST(a_tag_for_a_priority_alone_does_no_harm);
    TEST(the_limit_is_that_of_the_packet_with_a_tag_or_without);
    TEST(a_trunk_carries_vlans_from_switch_to_switch);
    TEST(a_blocked_port_opens_the_ring);
    TEST(a_full_table_floods_what_it_could_not_learn);
    TEST(a_port_debounces_its_link);
    TEST(a_debounce_may_change_while_it_runs);
    TEST(an_edge_port_forwards_at_once);
    return TEST_RUN("sim.net.switch_vlan");
}
