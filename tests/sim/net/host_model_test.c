/* Two NICs in one subnet: which one does a packet leave by, and which one answers for an address?
 */
#include "sim/net/ip_host.h"

#include "sim/core/attributes.h"
#include "tests/sim/net/lan.h"

#define SECOND_ADDRESS IPV4(172, 16, 0, 101) /* of host 0, on its second NIC */

static const struct ip_rules strong = {.model = HOST_STRONG};
static const struct ip_rules bound = {.model = HOST_WEAK};
static const struct ip_rules unbound = {.model = HOST_WEAK, .binding = BOUND_TO_ADDRESS};
static const struct ip_rules quiet = {
    .model = HOST_WEAK, .arp_answers = ARP_ANSWERS_OWN, .arp_senders = ARP_SENDS_OWN};
static const struct ip_rules strict = {.model = HOST_WEAK,
                                       .arp_answers = ARP_ANSWERS_OWN,
                                       .arp_senders = ARP_SENDS_OWN,
                                       .reverse_path = REVERSE_PATH_STRICT};

struct pair {
    struct lan lan;
    struct nic *second;
};

/* Host 0 has a second NIC on the same switch; host 1 is like any other. */
static void pair_start(struct pair *pair, const struct ip_rules *rules)
{
    struct lan *lan = &pair->lan;

    lan_start(lan, 0, 9216);
    lan_add_host(lan, 0, NULL, NULL, &(struct ip_options){.rules = *rules});
    lan_add_host(lan, 1, NULL, NULL, NULL);
    pair->second =
        fabric_add_nic(lan->fabric, &(struct nic_config){.name = "h0.iscsi2", .mtu_bytes = 9000});
    fabric_add_cable(lan->fabric, &(struct cable_config){
                                      .name = "h0-2",
                                      .ends = {nic_port(pair->second), switch_port(lan->sw, 10)}});
    ip_host_add_address(lan->hosts[0], pair->second, SECOND_ADDRESS, 24);
}

static uint64_t sent(struct nic *nic)
{
    return nic_port(nic)->tx.counts.offered;
}

static enum ping_result ping(struct pair *pair, unsigned host, uint32_t from, uint32_t to)
{
    struct lan_ping ping = {.ping = {.from = from,
                                     .to = to,
                                     .data_bytes = 56,
                                     .timeout_ns = SECONDS(5),
                                     .on_done = lan_ping_ended}};

    ip_host_ping(pair->lan.hosts[host], &ping.ping);
    lan_run(&pair->lan, clock_now_ns(&pair->lan.queue.clock) + SECONDS(6));
    assert_int_equal(ping.ended, 1);
    return ping.ping.result;
}

static struct way_row {
    const char *name;
    const struct ip_rules *rules;
    bool is_second; /* a packet from the second address leaves by the second NIC */
} way_rows[] = {
    {"a strong host sends by the NIC that owns the source address", &strong, true},
    {"a weak host sends by the NIC that the socket is bound to", &bound, true},
    {"a weak host without binding sends by the first NIC in the network", &unbound, false},
};

static void leaves_by(void **state)
{
    const struct way_row *row = *state;
    struct pair pair;

    pair_start(&pair, row->rules);
    lan_run(&pair.lan, SECONDS(1)); /* announcements are over */
    uint64_t first = sent(pair.lan.nics[0]), second = sent(pair.second);

    assert_int_equal(ping(&pair, 0, SECOND_ADDRESS, lan_address(1)), PING_REPLY);
    assert_int_equal(sent(pair.second) > second, row->is_second);
    assert_int_equal(sent(pair.lan.nics[0]) > first, !row->is_second);
    assert_ptr_equal(ip_host_nic(pair.lan.hosts[0], SECOND_ADDRESS),
                     row->is_second ? pair.second : pair.lan.nics[0]);
    lan_stop(&pair.lan);
}

static void an_unbound_host_loses_both_addresses_with_its_first_cable(void **state)
{
    struct pair pair;
    (void)state;

    pair_start(&pair, &unbound);
    lan_run(&pair.lan, SECONDS(1));
    cable_pull(pair.lan.cables[0]);
    lan_run(&pair.lan, SECONDS(2));
    assert_int_equal(ping(&pair, 0, SECOND_ADDRESS, lan_address(1)), PING_NO_CARRIER);
    nic_disable(pair.lan.nics[0]); /* only its administrator takes the route away */
    assert_int_equal(ping(&pair, 0, SECOND_ADDRESS, lan_address(1)), PING_REPLY);
    lan_stop(&pair.lan);
}

static void a_bound_host_keeps_the_other_address(void **state)
{
    struct pair pair;
    (void)state;

    pair_start(&pair, &bound);
    lan_run(&pair.lan, SECONDS(1));
    cable_pull(pair.lan.cables[0]);
    lan_run(&pair.lan, SECONDS(2));
    assert_int_equal(ping(&pair, 0, lan_address(0), lan_address(1)), PING_NO_CARRIER);
    assert_int_equal(ping(&pair, 0, SECOND_ADDRESS, lan_address(1)), PING_REPLY);
    lan_stop(&pair.lan);
}

static struct flux_row {
    const char *name;
    const struct ip_rules *rules;
    unsigned first;  /* ARP replies by the first NIC */
    unsigned second; /* and by the second */
} flux_rows[] = {
    {"on a strong host the NIC answers that owns the address", &strong, 0, 1},
    {"on a weak host both do (ARP flux)", &bound, 1, 1},
    {"with arp_ignore 1 only the owner does", &quiet, 0, 1},
};

static void answers_for(void **state)
{
    const struct flux_row *row = *state;
    struct pair pair;

    pair_start(&pair, row->rules);
    lan_run(&pair.lan, SECONDS(1));
    uint64_t first = sent(pair.lan.nics[0]), second = sent(pair.second);
    struct lan_ping echo = {.ping = {.from = lan_address(1),
                                     .to = SECOND_ADDRESS,
                                     .data_bytes = 56,
                                     .timeout_ns = US(5),
                                     .on_done = lan_ping_ended}};

    ip_host_ping(pair.lan.hosts[1], &echo.ping);
    lan_run(&pair.lan, SECONDS(1) + US(3)); /* the request is there, the echo is not yet */
    assert_int_equal(sent(pair.lan.nics[0]) - first, row->first);
    assert_int_equal(sent(pair.second) - second, row->second);
    lan_run(&pair.lan, SECONDS(2));
    lan_stop(&pair.lan);
}

static void strict_reverse_path_drops_what_comes_by_the_second_nic(void **state)
{
    struct pair pair;
    (void)state;

    pair_start(&pair, &strict);
    lan_run(&pair.lan, SECONDS(1));
    assert_int_equal(ping(&pair, 1, lan_address(1), lan_address(0)), PING_REPLY);
    assert_int_equal(ping(&pair, 1, lan_address(1), SECOND_ADDRESS), PING_UNREACHABLE);
    lan_stop(&pair.lan);
}

static void a_weak_host_takes_any_of_its_addresses_on_any_nic(void **state)
{
    static const struct ip_rules *const rules[] = {&strong, &unbound};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        struct pair pair;

        pair_start(&pair, rules[i]);
        lan_run(&pair.lan, SECONDS(1));
        nic_disable(pair.second);
        lan_run(&pair.lan, SECONDS(2));
        assert_int_equal(ping(&pair, 1, lan_address(1), SECOND_ADDRESS),
                         rules[i] == &strong ? PING_UNREACHABLE : PING_REPLY);
        lan_stop(&pair.lan);
    }
}

int main(void)
{
    TEST_ROWS(way_rows, leaves_by);
    TEST_ROWS(flux_rows, answers_for);
    TEST(an_unbound_host_loses_both_addresses_with_its_first_cable);
    TEST(a_bound_host_keeps_the_other_address);
    TEST(strict_reverse_path_drops_what_comes_by_the_second_nic);
    TEST(a_weak_host_takes_any_of_its_addresses_on_any_nic);
    return TEST_RUN("sim.net.host_model");
}
