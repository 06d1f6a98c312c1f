/* Teams and groups of switch ports: who carries what, and what each mode notices of a fault. */
#include "sim/net/team.h"

#include "tests/sim/net/lan.h"

enum { PEERS = 4 }; /* hosts 1 to 4, one NIC each, at switch-1.11 to .14 */

/* Host 0 has the team "h0.team1" over "h0.nic1" and "h0.nic2". */
struct rig {
    struct lan lan;
    struct sw *second; /* switch-2, joined to switch-1 by port 24; NULL: there is none */
    struct nic *members[2];
    struct cable *cables[2];
    struct team *team;
};

struct rig_config {
    struct lag_config lag;
    bool has_group;    /* switch-1.1 and .2 are one */
    bool has_switches; /* the second member is at switch-2.1, in a group of its own if LACP */
    struct lag_config switch_lag;
    int64_t port_forwarding_delay_ns;
};

static struct sw *add_switch(struct rig *rig, const char *name, const struct rig_config *config)
{
    struct switch_group_config group = {
        .ports = {1, 2}, .port_count = config->has_switches ? 1 : 2, .lag = config->switch_lag};

    return fabric_add_switch(
        rig->lan.fabric,
        &(struct switch_config){.name = name,
                                .port_count = 24,
                                .mtu_bytes = 9216,
                                .forwarding_delay_ns = US(2),
                                .port_forwarding_delay_ns = config->port_forwarding_delay_ns,
                                .groups = &group,
                                .group_count = config->has_group ? 1 : 0});
}

static void plug(struct rig *rig, const char *name, struct port *a, struct port *b,
                 struct cable **ret_cable)
{
    *ret_cable = fabric_add_cable(
        rig->lan.fabric,
        &(struct cable_config){
            .name = name, .ends = {a, b}, .rate_bits_per_s = INT64_C(10000000000), .length_m = 5});
}

static void add_peer(struct rig *rig, unsigned host)
{
    struct lan *lan = &rig->lan;
    char name[32];

    snprintf(name, sizeof(name), "h%u.iscsi1", host);
    lan->nics[host] =
        fabric_add_nic(lan->fabric, &(struct nic_config){.name = name, .mtu_bytes = 9000});
    snprintf(name, sizeof(name), "h%u-1", host);
    plug(rig, name, nic_port(lan->nics[host]), switch_port(lan->sw, host + 10), &lan->cables[host]);
    snprintf(name, sizeof(name), "h%u", host);
    lan->hosts[host] = fabric_add_host(lan->fabric, name, NULL);
    ip_host_add_address(lan->hosts[host], lan->nics[host], lan_address(host), 24);
}

static void start(struct rig *rig, const struct rig_config *config)
{
    static const char *const names[2] = {"h0.nic1", "h0.nic2"};
    static const char *const cables[2] = {"h0-1", "h0-2"};
    struct lan *lan = &rig->lan;
    struct cable *between;

    *rig = (struct rig){.second = NULL};
    lan_open(lan, 1);
    lan->sw = add_switch(rig, "switch-1", config);
    if (config->has_switches) {
        rig->second = add_switch(rig, "switch-2", config);
        plug(rig, "isl", switch_port(lan->sw, 24), switch_port(rig->second, 24), &between);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct port *port =
            i == 1 && rig->second ? switch_port(rig->second, 1) : switch_port(lan->sw, i + 1);

        rig->members[i] = fabric_add_nic(
            lan->fabric,
            &(struct nic_config){.name = names[i], .mtu_bytes = 9000, .link_debounce_ns = MS(100)});
        plug(rig, cables[i], nic_port(rig->members[i]), port, &rig->cables[i]);
    }
    lan->nics[0] =
        fabric_add_nic(lan->fabric, &(struct nic_config){.name = "h0.team1", .mtu_bytes = 9000});
    rig->team = fabric_add_team(lan->fabric, &(struct team_config){.nic = lan->nics[0],
                                                                   .members = rig->members,
                                                                   .member_count = 2,
                                                                   .lag = config->lag});
    lan->hosts[0] = fabric_add_host(lan->fabric, "h0", NULL);
    ip_host_add_address(lan->hosts[0], lan->nics[0], lan_address(0), 24);
    for (unsigned host = 1; host <= PEERS; host++)
        add_peer(rig, host);
    lan_run(lan, SECONDS(1));
}

static void run_for(struct rig *rig, int64_t span_ns)
{
    lan_run(&rig->lan, clock_now_ns(&rig->lan.queue.clock) + span_ns);
}

static enum ping_result ping(struct rig *rig)
{
    return lan_ping_now(&rig->lan, 0, 1, 8972);
}

/* Until something else carries the frames: 'ret' ns, and at most 200 s. */
static int64_t time_until_senders(struct rig *rig, uint32_t senders)
{
    int64_t from_ns = clock_now_ns(&rig->lan.queue.clock);

    while (team_senders(rig->team) != senders) {
        run_for(rig, MS(1));
        if (clock_now_ns(&rig->lan.queue.clock) - from_ns > SECONDS(200))
            fail_msg("the team never used set %u", senders);
    }
    return clock_now_ns(&rig->lan.queue.clock) - from_ns;
}

static uint64_t sent_by(const struct rig *rig, unsigned member)
{
    return nic_port_const(rig->members[member])->tx.counts.offered;
}

/* In 6 s. */
static void expect_of_all_peers(struct rig *rig, bool is_reply)
{
    struct lan_ping pings[PEERS];

    for (unsigned host = 1; host <= PEERS; host++)
        lan_ping(&rig->lan, &pings[host - 1], 0, host, 56);
    run_for(rig, SECONDS(6));
    for (unsigned i = 0; i < PEERS; i++) {
        assert_int_equal(pings[i].ended, 1);
        assert_int_equal(pings[i].ping.result == PING_REPLY, is_reply);
    }
}

static uint64_t sent_to(struct rig *rig, uint32_t port_number)
{
    return switch_port(rig->lan.sw, port_number)->tx.counts.offered;
}

static const struct rig_config active_backup = {.lag = {.mode = LAG_ACTIVE_BACKUP},
                                                .has_switches = true};
static const struct rig_config lacp_of_two_switches = {
    .lag = {.mode = LAG_LACP, .is_short = true},
    .has_group = true,
    .has_switches = true,
    .switch_lag = {.mode = LAG_LACP},
};
static const struct rig_config static_of_one_switch = {
    .lag = {.mode = LAG_STATIC, .hash = LAG_HASH_LAYER34},
    .has_group = true,
    .switch_lag = {.mode = LAG_STATIC, .hash = LAG_HASH_LAYER34},
};
static const struct rig_config lacp_of_one_switch = {
    .lag = {.mode = LAG_LACP, .hash = LAG_HASH_LAYER34, .is_short = true},
    .has_group = true,
    .switch_lag = {.mode = LAG_LACP, .hash = LAG_HASH_LAYER34, .is_short = true},
};

static void active_backup_uses_the_other_link_when_the_first_is_pulled(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &active_backup);
    assert_int_equal(ping(&rig), PING_REPLY);
    assert_true(fabric_dropped(rig.lan.fabric, "h0.nic2", DROP_STANDBY) > 0); /* ARP, flooded */
    assert_int_equal(sent_by(&rig, 1), 0);
    cable_pull(rig.cables[0]);
    assert_true(time_until_senders(&rig, 2) <= MS(101)); /* the driver's debounce */
    assert_int_equal(ping(&rig), PING_REPLY); /* the switches heard of it by gratuitous ARP */
    cable_plug_in(rig.cables[0]);
    run_for(&rig, SECONDS(1));
    assert_int_equal(team_senders(rig.team), 2);
    lan_stop(&rig.lan);
}

static void one_that_fails_back_returns_to_its_first_link(void **state)
{
    struct rig_config config = active_backup;
    struct rig rig;
    (void)state;

    config.lag.fails_back = true;
    start(&rig, &config);
    cable_pull(rig.cables[0]);
    time_until_senders(&rig, 2);
    cable_plug_in(rig.cables[0]);
    time_until_senders(&rig, 1);
    assert_int_equal(ping(&rig), PING_REPLY);
    lan_stop(&rig.lan);
}

static void active_backup_never_notices_a_switch_that_froze(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &active_backup);
    assert_int_equal(ping(&rig), PING_REPLY);
    switch_freeze(rig.second); /* nobody uses it */
    assert_int_equal(ping(&rig), PING_REPLY);
    switch_thaw(rig.second);
    switch_freeze(rig.lan.sw);
    run_for(&rig, SECONDS(120));
    assert_int_equal(team_senders(rig.team), 1);
    assert_true(nic_is_up(rig.lan.nics[0]));
    switch_thaw(rig.lan.sw);
    assert_int_equal(ping(&rig), PING_REPLY);
    lan_stop(&rig.lan);
}

static void without_any_link_the_team_has_no_carrier(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &active_backup);
    cable_pull(rig.cables[0]);
    cable_pull(rig.cables[1]);
    run_for(&rig, SECONDS(1));
    assert_false(nic_is_up(rig.lan.nics[0]));
    assert_true(ping(&rig) != PING_REPLY);
    cable_plug_in(rig.cables[1]);
    run_for(&rig, SECONDS(1));
    assert_true(nic_is_up(rig.lan.nics[0]));
    assert_int_equal(ping(&rig), PING_REPLY);
    nic_disable(rig.lan.nics[0]);
    run_for(&rig, SECONDS(1));
    assert_false(nic_is_up(rig.lan.nics[0]));
    assert_true(nic_is_up(rig.members[1]));
    nic_enable(rig.lan.nics[0]);
    run_for(&rig, SECONDS(1));
    assert_int_equal(ping(&rig), PING_REPLY);
    lan_stop(&rig.lan);
}

static void switch_independent_sends_by_all_and_moves_no_address(void **state)
{
    struct rig_config config = {.lag = {.mode = LAG_SWITCH_INDEPENDENT, .hash = LAG_HASH_LAYER34},
                                .has_switches = true};
    struct rig rig;
    (void)state;

    start(&rig, &config);
    assert_int_equal(team_senders(rig.team), 3);
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 56), PING_REPLY);
    assert_true(sent_by(&rig, 0) > 1);
    assert_true(sent_by(&rig, 1) > 1);
    assert_int_equal(switch_mac_moves(rig.lan.sw) + switch_mac_moves(rig.second), 0);
    cable_pull(rig.cables[0]); /* the one that answers come by */
    run_for(&rig, SECONDS(1));
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 56), PING_REPLY);
    lan_stop(&rig.lan);
}

static void a_static_group_spreads_by_hash_and_loses_a_link_without_a_word(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &static_of_one_switch);
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 8972), PING_REPLY);
    assert_true(sent_by(&rig, 0) > 1);
    assert_true(sent_by(&rig, 1) > 1);
    assert_true(switch_port(rig.lan.sw, 1)->tx.counts.offered > 1);
    assert_true(switch_port(rig.lan.sw, 2)->tx.counts.offered > 1);
    assert_int_equal(switch_mac_moves(rig.lan.sw), 0);
    cable_pull(rig.cables[1]);
    run_for(&rig, SECONDS(1));
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 8972), PING_REPLY);
    lan_stop(&rig.lan);
}

/* It is one port to a spanning tree. */
static void a_blocked_port_blocks_its_group_and_loses_nothing_for_good(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &static_of_one_switch);
    expect_of_all_peers(&rig, true);
    switch_block_port(rig.lan.sw, 2);
    uint64_t sent[2] = {sent_to(&rig, 1), sent_to(&rig, 2)};

    expect_of_all_peers(&rig, false);
    for (unsigned host = 1; host <= PEERS; host++) /* known and unknown, from the other side */
        assert_true(lan_ping_now(&rig.lan, host, 0, 56) != PING_REPLY);
    assert_int_equal(sent_to(&rig, 1), sent[0]);
    assert_int_equal(sent_to(&rig, 2), sent[1]);
    assert_true(port_dropped(switch_port(rig.lan.sw, 1), DROP_BLOCKED) > 0);
    assert_true(port_dropped(switch_port(rig.lan.sw, 2), DROP_BLOCKED) > 0);
    assert_int_equal(team_senders(rig.team), 3); /* its links are up */
    switch_block_port(rig.lan.sw, 1);
    switch_unblock_port(rig.lan.sw, 2);
    expect_of_all_peers(&rig, false);
    switch_unblock_port(rig.lan.sw, 1);
    expect_of_all_peers(&rig, true);
    switch_set_blocked(rig.lan.sw, 1, true);
    expect_of_all_peers(&rig, false);
    switch_set_blocked(rig.lan.sw, 2, false);
    expect_of_all_peers(&rig, true);
    lan_stop(&rig.lan);
}

static void only_the_first_link_of_a_group_waits_for_the_forwarding_delay(void **state)
{
    struct rig_config config = static_of_one_switch;
    struct rig rig;
    (void)state;

    config.port_forwarding_delay_ns = SECONDS(30);
    start(&rig, &config);
    expect_of_all_peers(&rig, false);
    run_for(&rig, SECONDS(30));
    expect_of_all_peers(&rig, true);
    cable_pull(rig.cables[1]);
    time_until_senders(&rig, 1);
    cable_plug_in(rig.cables[1]);
    time_until_senders(&rig, 3);
    expect_of_all_peers(&rig, true);
    assert_true(sent_by(&rig, 1) > 1);
    cable_pull(rig.cables[0]);
    cable_pull(rig.cables[1]);
    run_for(&rig, SECONDS(1));
    cable_plug_in(rig.cables[1]);
    time_until_senders(&rig, 2);
    uint64_t forwarded = switch_forwarded(rig.lan.sw);

    expect_of_all_peers(&rig, false);
    run_for(&rig, SECONDS(4));
    cable_plug_in(rig.cables[0]); /* joins one that waits */
    run_for(&rig, SECONDS(12));
    expect_of_all_peers(&rig, false);
    assert_int_equal(switch_forwarded(rig.lan.sw), forwarded);
    assert_true(fabric_dropped(rig.lan.fabric, "switch-1", DROP_NOT_FORWARDING) > 0);
    run_for(&rig, SECONDS(3));
    expect_of_all_peers(&rig, true);
    lan_stop(&rig.lan);
}

/* There is no link to wait with before. */
static void a_lacp_group_waits_from_when_both_ends_agreed(void **state)
{
    struct rig_config config = lacp_of_one_switch;
    struct rig rig;
    (void)state;

    config.port_forwarding_delay_ns = SECONDS(15);
    start(&rig, &config);
    time_until_senders(&rig, 3);
    assert_true(clock_now_ns(&rig.lan.queue.clock) >= SECONDS(2));
    run_for(&rig, MS(12500)); /* ARP asks three times, once a second */
    assert_true(ping(&rig) != PING_REPLY);
    run_for(&rig, SECONDS(3));
    expect_of_all_peers(&rig, true);
    port_freeze(switch_port(rig.lan.sw, 1), DIRECTION_OUT);
    time_until_senders(&rig, 2);
    port_thaw(switch_port(rig.lan.sw, 1), DIRECTION_OUT);
    time_until_senders(&rig, 3);
    expect_of_all_peers(&rig, true);
    lan_stop(&rig.lan);
}

static void a_static_team_announces_no_move_when_its_first_link_goes(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &static_of_one_switch);
    assert_int_equal(ping(&rig), PING_REPLY);
    uint64_t sent = sent_by(&rig, 0) + sent_by(&rig, 1);

    cable_pull(rig.cables[0]); /* the group is where it was, and so is its address */
    time_until_senders(&rig, 2);
    run_for(&rig, SECONDS(1));
    assert_int_equal(sent_by(&rig, 0) + sent_by(&rig, 1), sent);
    assert_int_equal(ping(&rig), PING_REPLY);
    lan_stop(&rig.lan);
}

/* The classic mistake: the switch sees one address at two ports. */
static void a_static_team_without_a_group_makes_addresses_move(void **state)
{
    struct rig_config config = {.lag = {.mode = LAG_STATIC, .hash = LAG_HASH_LAYER34}};
    struct rig rig;
    (void)state;

    start(&rig, &config);
    for (unsigned host = 1; host <= PEERS; host++)
        (void)lan_ping_now(&rig.lan, 0, host, 56);
    assert_true(switch_mac_moves(rig.lan.sw) > 0);
    lan_stop(&rig.lan);
}

static void lacp_takes_both_links_after_its_wait(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &lacp_of_one_switch);
    assert_false(nic_is_up(rig.lan.nics[0])); /* 1 s: the aggregate wait is 2 s */
    time_until_senders(&rig, 3);
    assert_true(clock_now_ns(&rig.lan.queue.clock) >= SECONDS(2));
    assert_true(clock_now_ns(&rig.lan.queue.clock) < SECONDS(4));
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 8972), PING_REPLY);
    assert_true(nic_port_const(rig.members[0])->lacpdus_heard > 2);
    assert_int_equal(switch_mac_moves(rig.lan.sw), 0);
    lan_stop(&rig.lan);
}

/* The link stays up and nothing comes through: three LACPDUs are missed. */
static void lacp_gives_up_a_silent_link_after_three_seconds(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &lacp_of_one_switch);
    time_until_senders(&rig, 3);
    port_freeze(switch_port(rig.lan.sw, 1), DIRECTION_OUT);
    int64_t took_ns = time_until_senders(&rig, 2);

    assert_true(took_ns > SECONDS(2) - MS(1));
    assert_true(took_ns <= SECONDS(3) + MS(1));
    run_for(&rig, SECONDS(1)); /* the switch has heard by now that we do not collect there */
    for (unsigned host = 1; host <= PEERS; host++)
        assert_int_equal(lan_ping_now(&rig.lan, 0, host, 56), PING_REPLY);
    port_thaw(switch_port(rig.lan.sw, 1), DIRECTION_OUT);
    time_until_senders(&rig, 3);
    lan_stop(&rig.lan);
}

static void with_long_timeouts_it_takes_ninety(void **state)
{
    struct rig_config config = lacp_of_one_switch;
    struct rig rig;
    (void)state;

    config.lag.is_short = false;
    config.switch_lag.is_short = false;
    start(&rig, &config);
    time_until_senders(&rig, 3);
    run_for(&rig, SECONDS(60));
    port_freeze(switch_port(rig.lan.sw, 1), DIRECTION_OUT);
    int64_t took_ns = time_until_senders(&rig, 2);

    assert_true(took_ns > SECONDS(59));
    assert_true(took_ns <= SECONDS(90) + MS(1));
    lan_stop(&rig.lan);
}

/* They are two systems, so that there are two aggregators, and one carries frames. */
static void lacp_to_two_switches_uses_one_and_leaves_it_when_it_freezes(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &lacp_of_two_switches);
    time_until_senders(&rig, 1);
    run_for(&rig, SECONDS(10));
    assert_int_equal(team_senders(rig.team), 1);
    assert_int_equal(ping(&rig), PING_REPLY);
    switch_freeze(rig.lan.sw);
    int64_t took_ns = time_until_senders(&rig, 2);

    assert_true(took_ns <= SECONDS(3) + MS(1));
    switch_thaw(rig.lan.sw);
    run_for(&rig, SECONDS(10));
    assert_int_equal(team_senders(rig.team), 2); /* it stays where frames get through */
    assert_int_equal(ping(&rig), PING_REPLY);
    lan_stop(&rig.lan);
}

static void without_a_partner_lacp_goes_on_with_one_link(void **state)
{
    struct rig_config config = {.lag = {.mode = LAG_LACP, .is_short = true}};
    struct rig rig;
    (void)state;

    start(&rig, &config);
    assert_true(time_until_senders(&rig, 1) <= SECONDS(3));
    assert_int_equal(ping(&rig), PING_REPLY);
    assert_true(fabric_dropped(rig.lan.fabric, "switch-1", DROP_RESERVED) > 0); /* LACPDUs */
    lan_stop(&rig.lan);
}

static void a_port_of_a_lacp_group_carries_nothing_for_who_speaks_none(void **state)
{
    struct rig_config config = {
        .lag = {.mode = LAG_STATIC}, .has_group = true, .switch_lag = {.mode = LAG_LACP}};
    struct rig rig;
    (void)state;

    start(&rig, &config);
    assert_true(ping(&rig) != PING_REPLY);
    assert_true(fabric_dropped(rig.lan.fabric, "switch-1", DROP_STANDBY) > 0);
    assert_true(fabric_dropped(rig.lan.fabric, "h0.team1", DROP_UNKNOWN) > 0); /* its LACPDUs */
    lan_stop(&rig.lan);
}

static void both_ends_passive_never_agree(void **state)
{
    struct rig_config config = lacp_of_one_switch;
    struct rig rig;
    (void)state;

    config.lag.is_passive = config.switch_lag.is_passive = true;
    start(&rig, &config);
    run_for(&rig, SECONDS(100));
    assert_int_equal(nic_port_const(rig.members[0])->lacpdus_heard, 0);
    assert_true(ping(&rig) != PING_REPLY);
    lan_stop(&rig.lan);
}

static void a_frame_above_the_mtu_of_a_member_is_dropped_there(void **state)
{
    struct rig rig;
    (void)state;

    start(&rig, &active_backup);
    nic_set_mtu_bytes(rig.members[0], 1500);
    assert_int_equal(ping(&rig), PING_TIMEOUT);
    assert_int_equal(fabric_dropped(rig.lan.fabric, "h0.nic1", DROP_TOO_BIG), 1);
    lan_stop(&rig.lan);
}

static struct frame *tcp_frame(struct pool *pool, uint16_t from_port, uint32_t from)
{
    struct frame *frame = frame_new(pool);
    uint8_t *tcp = frame_begin_ipv4(frame, PROTOCOL_TCP, TCP_BYTES);

    tcp[0] = (uint8_t)(from_port >> 8);
    tcp[1] = (uint8_t)from_port;
    tcp[2] = 0x0c, tcp[3] = 0xbc; /* port 3260 */
    frame->headers[FRAME_NETWORK_AT + 15] = (uint8_t)from;
    frame_set_ethernet(frame, (struct mac_addr){{2, 0, 0, 0, 0, 9}},
                       (struct mac_addr){{2, 0, 0, 0, 0, 4}});
    return frame;
}

/* bonding.rst: 9 ^ 4 ^ 0x800; (that ^ 7) folded; ((1000 << 16 | 3260) ^ 7) folded. */
static void hashes_are_those_of_linux(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = tcp_frame(pool, 1000, 7);
    uint32_t layer34 = ((1000u << 16 | 3260u) ^ 7u);
    (void)state;

    layer34 ^= layer34 >> 16;
    layer34 ^= layer34 >> 8;
    assert_int_equal(lag_hash_of(LAG_HASH_LAYER2, frame), 0x80d);
    assert_int_equal(lag_hash_of(LAG_HASH_LAYER23, frame), (0x80d ^ 7) ^ (0x80d ^ 7) >> 8);
    assert_int_equal(lag_hash_of(LAG_HASH_LAYER34, frame), layer34);
    frame_unref(frame);
    pool_free(pool);
}

int main(void)
{
    TEST(active_backup_uses_the_other_link_when_the_first_is_pulled);
    TEST(one_that_fails_back_returns_to_its_first_link);
    TEST(active_backup_never_notices_a_switch_that_froze);
    TEST(without_any_link_the_team_has_no_carrier);
    TEST(switch_independent_sends_by_all_and_moves_no_address);
    TEST(a_static_group_spreads_by_hash_and_loses_a_link_without_a_word);
    TEST(a_blocked_port_blocks_its_group_and_loses_nothing_for_good);
    TEST(only_the_first_link_of_a_group_waits_for_the_forwarding_delay);
    TEST(a_lacp_group_waits_from_when_both_ends_agreed);
    TEST(a_static_team_announces_no_move_when_its_first_link_goes);
    TEST(a_static_team_without_a_group_makes_addresses_move);
    TEST(lacp_takes_both_links_after_its_wait);
    TEST(lacp_gives_up_a_silent_link_after_three_seconds);
    TEST(with_long_timeouts_it_takes_ninety);
    TEST(lacp_to_two_switches_uses_one_and_leaves_it_when_it_freezes);
    TEST(without_a_partner_lacp_goes_on_with_one_link);
    TEST(a_port_of_a_lacp_group_carries_nothing_for_who_speaks_none);
    TEST(both_ends_passive_never_agree);
    TEST(a_frame_above_the_mtu_of_a_member_is_dropped_there);
    TEST(hashes_are_those_of_linux);
    return TEST_RUN("sim.net.team");
}
