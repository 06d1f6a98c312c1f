/* A host's IPv4: neighbours found, lost and found again; pings; what TCP is told. */
#include "sim/net/ip_host.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/net/frame_codec.h"

#include "tests/sim/net/lan.h"

/* What TCP would hear. */
struct hearer {
    struct ip_user user;
    unsigned segments;
    unsigned damaged;
    unsigned rooms;
    unsigned ups;
    unsigned downs;
    unsigned unreachable;
    uint32_t unreachable_to;
    uint32_t last_from;
    uint32_t last_payload_bytes;
};

static void hear_tcp(struct ip_user *user, struct frame *frame, uint32_t from, uint32_t to,
                     bool is_astray)
{
    struct hearer *hearer = (struct hearer *)(void *)user;

    (void)to;
    hearer->segments += !is_astray;
    hearer->damaged += frame->payload && frame->payload->chunk->is_damaged;
    hearer->last_from = from;
    hearer->last_payload_bytes = frame->payload_bytes;
    frame_unref(frame);
}

static void hear_room(struct ip_user *user, const struct nic *nic)
{
    (void)nic;
    ((struct hearer *)(void *)user)->rooms++;
}

static void hear_carrier(struct ip_user *user, const struct nic *nic, bool is_up)
{
    struct hearer *hearer = (struct hearer *)(void *)user;

    (void)nic;
    hearer->ups += is_up;
    hearer->downs += !is_up;
}

static void hear_unreachable(struct ip_user *user, uint32_t from, uint32_t to)
{
    struct hearer *hearer = (struct hearer *)(void *)user;

    (void)from;
    hearer->unreachable++;
    hearer->unreachable_to = to;
}

static void listen_in(struct lan *lan, unsigned host, struct hearer *hearer)
{
    static const struct ip_user_ops ops = {.on_tcp = hear_tcp,
                                           .on_room = hear_room,
                                           .on_carrier = hear_carrier,
                                           .on_unreachable = hear_unreachable};

    *hearer = (struct hearer){.user = {.ops = &ops}};
    ip_host_set_tcp(lan->hosts[host], &hearer->user);
}

static struct frame *segment(struct lan *lan, uint32_t payload_bytes)
{
    struct frame *frame = frame_new(lan->pool);
    uint8_t *tcp = frame_begin_ipv4(frame, PROTOCOL_TCP, TCP_BYTES);

    tcp[12] = 5 << 4;
    if (payload_bytes > 0) {
        struct chunk *chunk = chunk_new(lan->pool, payload_bytes);

        memset(chunk->data, 7, payload_bytes);
        frame_set_payload(frame, buf_new(chunk, 0, payload_bytes));
    }
    return frame;
}

static enum ip_sent send(struct lan *lan, unsigned from, unsigned to, uint32_t payload_bytes)
{
    return ip_host_send(lan->hosts[from], segment(lan, payload_bytes), lan_address(from),
                        lan_address(to));
}

static void a_ping_is_answered_after_arp(void **state)
{
    struct lan lan;
    struct lan_ping ping;
    (void)state;

    lan_start(&lan, 2, 9216);
    lan_ping(&lan, &ping, 0, 1, 56);
    lan_run(&lan, MS(1));
    assert_int_equal(ping.ended, 1);
    assert_int_equal(ping.ping.result, PING_REPLY);
    /* Four trips through the switch: ARP both ways at 60 bytes (57.6 ns on each cable), the echo
     * both ways at 98 bytes (88 ns); 25 ns a cable, 2 us the switch. */
    assert_int_equal(ping.ping.round_trip_ns,
                     2 * (58 + 25 + 2000 + 58 + 25) + 2 * (88 + 25 + 2000 + 88 + 25));
    lan_ping(&lan, &ping, 0, 1, 56); /* the neighbour is known now */
    lan_run(&lan, MS(2));
    assert_int_equal(ping.ping.round_trip_ns, 2 * (88 + 25 + 2000 + 88 + 25));
    lan_stop(&lan);
}

static void a_ping_of_8972_passes_at_9000_and_vanishes_at_1500(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9000);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8973), PING_TOO_BIG); /* above its own NIC's MTU */
    switch_set_mtu_bytes(lan.sw, 1500);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_TIMEOUT);
    assert_int_equal(switch_dropped(lan.sw, DROP_TOO_BIG), 1);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 1472), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 1473), PING_TIMEOUT);
    assert_int_equal(fabric_dropped(lan.fabric, "switch-1.1", DROP_TOO_BIG), 2);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 70000), PING_TOO_BIG);
    lan_stop(&lan);
}

static void a_receiver_with_a_smaller_mtu_drops_the_frame(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    nic_set_mtu_bytes(lan.nics[1], 1500);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_TIMEOUT);
    assert_int_equal(nic_dropped(lan.nics[1], DROP_TOO_BIG), 1);
    lan_stop(&lan);
}

static void nobody_answers_three_requests_a_second_apart(void **state)
{
    struct lan lan;
    struct hearer hearer;
    struct lan_ping ping;
    (void)state;

    lan_start(&lan, 2, 9216);
    listen_in(&lan, 0, &hearer);
    nic_freeze(lan.nics[1], DIRECTION_IN);
    lan_ping(&lan, &ping, 0, 1, 56);
    assert_int_equal(send(&lan, 0, 1, 100), IP_SENT);
    assert_int_equal(ip_host_waiting_frames(lan.hosts[0]), 2);
    lan_run(&lan, SECONDS(3) - 1);
    assert_int_equal(nic_port(lan.nics[1])->received, 3);
    assert_int_equal(hearer.unreachable, 0);
    lan_run(&lan, SECONDS(3));
    assert_int_equal(hearer.unreachable, 1);
    assert_int_equal(hearer.unreachable_to, lan_address(1));
    assert_int_equal(ping.ping.result, PING_UNREACHABLE);
    assert_int_equal(ping.ended_at_ns, SECONDS(3));
    assert_int_equal(ip_host_waiting_frames(lan.hosts[0]), 0);
    assert_int_equal(ip_host_unreachable_frames(lan.hosts[0]), 2);
    nic_thaw(lan.nics[1], DIRECTION_IN);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    lan_stop(&lan);
}

static void only_a_few_frames_wait_for_a_neighbour(void **state)
{
    struct lan lan;
    struct hearer hearer;
    (void)state;

    lan_start(&lan, 2, 9216);
    listen_in(&lan, 1, &hearer);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(send(&lan, 0, 1, i), IP_SENT);
    assert_int_equal(ip_host_waiting_frames(lan.hosts[0]), 3);
    lan_run(&lan, MS(1));
    assert_int_equal(hearer.segments, 3);
    assert_int_equal(hearer.last_payload_bytes, 5); /* the oldest went first */
    assert_int_equal(ip_host_unreachable_frames(lan.hosts[0]), 2);
    lan_stop(&lan);
}

static void an_old_neighbour_is_probed_while_it_is_used(void **state)
{
    struct lan lan;
    struct hearer hearer;
    struct hearer sender;
    (void)state;

    lan_start(&lan, 2, 9216);
    listen_in(&lan, 0, &sender);
    listen_in(&lan, 1, &hearer);
    send(&lan, 0, 1, 10);
    lan_run(&lan, SECONDS(10));
    uint64_t frames = fabric_frames_sent(lan.fabric);
    lan_run(&lan, SECONDS(100));
    assert_int_equal(fabric_frames_sent(lan.fabric), frames); /* age alone costs nothing */
    send(&lan, 0, 1, 10);
    lan_run(&lan, SECONDS(101));
    assert_int_equal(hearer.segments, 2);
    /* Two hops each for the segment, the unicast request and its reply. */
    assert_int_equal(fabric_frames_sent(lan.fabric), frames + 6);

    lan_run(&lan, SECONDS(200));
    nic_freeze(lan.nics[1], DIRECTION_OUT); /* it still hears, but does not answer */
    send(&lan, 0, 1, 10);
    lan_run(&lan, SECONDS(202));
    assert_int_equal(send(&lan, 0, 1, 10), IP_SENT); /* to the address it knows */
    lan_run(&lan, SECONDS(203) - 1);
    assert_int_equal(hearer.segments, 4);
    assert_int_equal(sender.unreachable, 0);
    lan_run(&lan, SECONDS(203));
    assert_int_equal(sender.unreachable, 1);
    lan_stop(&lan);
}

static void what_tcp_confirms_needs_no_probe(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY); /* confirmed at 0 s */
    for (int i = 1; i <= 10; i++) {
        lan_run(&lan, SECONDS(25 * i));
        ip_host_confirm(lan.hosts[0], lan_address(0), lan_address(1));
    }
    uint64_t frames = fabric_frames_sent(lan.fabric);

    lan_run(&lan, SECONDS(270));
    send(&lan, 0, 1, 10);
    lan_run(&lan, SECONDS(280));
    assert_int_equal(fabric_frames_sent(lan.fabric), frames + 2);
    lan_stop(&lan);
}

static void link_up_announces_addresses_and_a_moved_neighbour_is_followed(void **state)
{
    struct lan lan;
    struct hearer hearer;
    (void)state;

    lan_start(&lan, 3, 9216);
    listen_in(&lan, 0, &hearer);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    /* Host 2 takes host 1's address over. */
    cable_pull(lan.cables[1]);
    cable_pull(lan.cables[2]);
    lan_run(&lan, SECONDS(10));
    ip_host_add_address(lan.hosts[2], lan.nics[2], lan_address(1), 24);
    cable_plug_in(lan.cables[2]);
    lan_run(&lan, SECONDS(11)); /* the announcement reaches host 0 */
    uint64_t sent = nic_port(lan.nics[0])->tx.counts.offered;
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    /* The echo, and the answer to host 2's ARP request; host 0 itself had nothing to ask. */
    assert_int_equal(nic_port(lan.nics[0])->tx.counts.offered, sent + 2);
    assert_int_equal(nic_dropped(lan.nics[2], DROP_NOT_MINE), 0);
    lan_stop(&lan);
}

static void carrier_is_told_after_the_debounce(void **state)
{
    struct lan lan;
    struct hearer hearer;
    (void)state;

    lan_start(&lan, 1, 9216);
    lan_add_host(&lan, 1, &(struct nic_config){.mtu_bytes = 9000, .link_debounce_ns = MS(100)},
                 NULL, NULL);
    listen_in(&lan, 1, &hearer);
    assert_true(nic_is_up(lan.nics[1]));
    lan_run(&lan, SECONDS(1));
    cable_pull(lan.cables[1]);
    assert_false(nic_has_carrier(lan.nics[1]));
    lan_run(&lan, SECONDS(1) + MS(99));
    assert_true(nic_is_up(lan.nics[1]));
    assert_int_equal(send(&lan, 1, 0, 10), IP_NO_CARRIER);
    assert_int_equal(nic_dropped(lan.nics[1], DROP_NO_CARRIER), 1);
    lan_run(&lan, SECONDS(1) + MS(100));
    assert_false(nic_is_up(lan.nics[1]));
    assert_int_equal(hearer.downs, 1);
    cable_plug_in(lan.cables[1]);
    lan_run(&lan, SECONDS(1) + MS(150));
    cable_pull(lan.cables[1]); /* a flap that the driver hides */
    lan_run(&lan, SECONDS(2));
    assert_int_equal(hearer.ups, 0);
    cable_plug_in(lan.cables[1]);
    lan_run(&lan, SECONDS(3));
    assert_int_equal(hearer.ups, 1);
    assert_int_equal(hearer.downs, 1);
    assert_true(nic_is_up(lan.nics[1]));
    lan_stop(&lan);
}

static void a_full_transmit_queue_pushes_back(void **state)
{
    struct lan lan;
    struct hearer hearer;
    struct hearer receiver;
    unsigned sent = 0;
    (void)state;

    lan_start(&lan, 1, 9216);
    lan_add_host(&lan, 1, &(struct nic_config){.mtu_bytes = 9000, .queue_frames = 16}, NULL, NULL);
    listen_in(&lan, 1, &hearer);
    listen_in(&lan, 0, &receiver);
    send(&lan, 1, 0, 10); /* learns the neighbour */
    lan_run(&lan, MS(1));
    while (ip_host_room(lan.hosts[1], lan_address(1)) > 0) {
        assert_int_equal(send(&lan, 1, 0, 8960), IP_SENT);
        sent++;
    }
    assert_int_equal(sent, 16);
    assert_int_equal(send(&lan, 1, 0, 8960), IP_NO_ROOM);
    assert_int_equal(nic_dropped(lan.nics[1], DROP_QUEUE_FULL), 1);
    lan_run(&lan, MS(1) + 8 * 7231);
    assert_int_equal(hearer.rooms, 1);
    assert_int_equal(ip_host_room(lan.hosts[1], lan_address(1)), 8);
    lan_run(&lan, MS(10));
    assert_int_equal(receiver.segments, 17);
    assert_int_equal(hearer.rooms, 1);
    lan_stop(&lan);
}

static void wrong_addresses_are_refused_to_the_sender(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    struct ip_host *host = lan.hosts[0];
    /* not local, another network, itself */
    assert_int_equal(ip_host_send(host, segment(&lan, 1), lan_address(1), lan_address(0)),
                     IP_UNREACHABLE);
    assert_int_equal(ip_host_send(host, segment(&lan, 1), lan_address(0), IPV4(10, 0, 0, 1)),
                     IP_UNREACHABLE);
    assert_int_equal(ip_host_send(host, segment(&lan, 1), lan_address(0), lan_address(0)),
                     IP_UNREACHABLE);
    assert_int_equal(send(&lan, 0, 1, 8961), IP_TOO_BIG);
    assert_int_equal(ip_host_mtu_bytes(host, lan_address(0)), 9000);
    assert_int_equal(ip_host_mtu_bytes(host, lan_address(1)), 0);
    assert_ptr_equal(ip_host_nic(host, lan_address(0)), lan.nics[0]);
    assert_int_equal(ip_host_address_of(host, lan.nics[0], 0), lan_address(0));
    assert_int_equal(ip_host_address_of(host, lan.nics[0], 1), 0);
    lan_stop(&lan);
}

/* RFC 1122, 3.3.4.2: strong. */
static void a_packet_leaves_by_the_nic_that_owns_its_source(void **state)
{
    struct lan lan;
    struct hearer hearer;
    (void)state;

    lan_start(&lan, 2, 9216);
    struct nic *second =
        fabric_add_nic(lan.fabric, &(struct nic_config){.name = "h0.iscsi2", .mtu_bytes = 9000});
    fabric_add_cable(lan.fabric,
                     &(struct cable_config){.name = "h0-2",
                                            .ends = {nic_port(second), switch_port(lan.sw, 10)}});
    ip_host_add_address(lan.hosts[0], second, IPV4(172, 16, 0, 100), 24);
    listen_in(&lan, 1, &hearer);
    ip_host_send(lan.hosts[0], segment(&lan, 5), IPV4(172, 16, 0, 100), lan_address(1));
    lan_run(&lan, MS(1));
    assert_int_equal(hearer.segments, 1);
    assert_int_equal(hearer.last_from, IPV4(172, 16, 0, 100));
    assert_int_equal(nic_port(lan.nics[0])->tx.counts.offered, 0);
    assert_int_equal(nic_port(second)->tx.counts.offered, 2); /* ARP and the segment */
    lan_stop(&lan);
}

static void damage_that_the_fcs_missed_is_caught_by_a_checksum(void **state)
{
    struct lan lan;
    struct hearer hearer;
    (void)state;

    lan_start(&lan, 2, 9216);
    listen_in(&lan, 1, &hearer);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    struct impair_layer *layer =
        switch_impair(lan.sw, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                      .seen_by = CORRUPT_SEEN_BY_CHECKSUM});
    for (int i = 0; i < 200; i++) {
        send(&lan, 0, 1, 1000);
        lan_run(&lan, SECONDS(10) + US(10 * (i + 1)));
    }
    /* Bits of the Ethernet header are under no checksum: what they carried is intact. */
    assert_int_equal(hearer.damaged, 0);
    assert_in_range(nic_dropped(lan.nics[1], DROP_BAD_CHECKSUM), 180, 199);
    assert_in_range(hearer.segments, 0, 10);
    unsigned intact = hearer.segments;
    switch_repair(lan.sw, layer);
    layer = switch_impair(
        lan.sw, &(struct impair_config){.kind = IMPAIR_CORRUPT, .seen_by = CORRUPT_SEEN_BY_NOBODY});
    send(&lan, 0, 1, 1000);
    lan_run(&lan, SECONDS(11));
    assert_int_equal(hearer.segments, intact + 1);
    assert_int_equal(hearer.damaged, 1);
    switch_repair(lan.sw, layer);
    lan_stop(&lan);
}

/* Raw bytes as a stranger would send them, straight to the host. */
static void strange_packets_are_dropped_with_a_reason(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum drop_reason reason;
    } rows[] = {
        {24, 1, DROP_BAD_CHECKSUM},  /* IPv4's checksum */
        {14, 0x44, DROP_MALFORMED},  /* header of 16 bytes */
        {33, 77, DROP_BAD_CHECKSUM}, /* another destination, checksum as before */
        {12, 0x86, DROP_UNKNOWN},    /* another type */
    };
    struct lan lan;
    struct hearer hearer;
    uint8_t good[64] = {0};
    (void)state;

    lan_start(&lan, 2, 9216);
    listen_in(&lan, 1, &hearer);
    mac_put(good, nic_mac(lan.nics[1]));
    mac_put(good + 6, nic_mac(lan.nics[0]));
    put_be16(good + 12, ETHERTYPE_IPV4);
    good[14] = 0x45;
    put_be16(good + 16, 40);
    good[22] = 64;
    good[23] = PROTOCOL_TCP;
    put_be32(good + 26, lan_address(0));
    put_be32(good + 30, lan_address(1));
    good[46] = 5 << 4;
    struct frame *bare = frame_read(lan.pool, good, 54);
    bare->has_checksums = false;
    frame_write(bare, good); /* fills the checksums in */
    frame_unref(bare);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t bytes[64];
        uint64_t before = nic_dropped(lan.nics[1], rows[i].reason);

        memcpy(bytes, good, sizeof(bytes));
        bytes[rows[i].at] = rows[i].value;
        nic_send(lan.nics[0], frame_read(lan.pool, bytes, 54));
        lan_run(&lan, MS((int64_t)i + 1));
        assert_int_equal(nic_dropped(lan.nics[1], rows[i].reason), before + 1);
        assert_int_equal(hearer.segments, 0);
    }
    nic_send(lan.nics[0], frame_read(lan.pool, good, 54));
    lan_run(&lan, MS(100));
    assert_int_equal(hearer.segments, 1);
    lan_stop(&lan);
}

static void a_host_without_room_for_neighbours_forgets_the_oldest(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 4, 9216);
    lan_add_host(&lan, 4, NULL, NULL, &(struct ip_options){.arp_entries = 2});
    for (unsigned round = 0; round < 2; round++)
        for (unsigned to = 0; to < 4; to++)
            assert_int_equal(lan_ping_now(&lan, 4, to, 56), PING_REPLY);
    lan_stop(&lan);
}

static void a_reset_forgets_all_and_a_ping_can_be_cancelled(void **state)
{
    struct lan lan;
    struct lan_ping ping;
    struct lan_ping other;
    (void)state;

    lan_start(&lan, 2, 9216);
    lan_ping(&lan, &ping, 0, 1, 56);
    lan_ping(&lan, &other, 0, 1, 56);
    ip_host_ping_cancel(lan.hosts[0], &other.ping);
    ip_host_reset(lan.hosts[0]);
    lan_run(&lan, SECONDS(20));
    assert_int_equal(ping.ended, 0);
    assert_int_equal(other.ended, 0);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    cable_pull(lan.cables[0]);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_NO_CARRIER);
    lan_stop(&lan);
}

int main(void)
{
    TEST(a_ping_is_answered_after_arp);
    TEST(a_ping_of_8972_passes_at_9000_and_vanishes_at_1500);
    TEST(a_receiver_with_a_smaller_mtu_drops_the_frame);
    TEST(nobody_answers_three_requests_a_second_apart);
    TEST(only_a_few_frames_wait_for_a_neighbour);
    TEST(an_old_neighbour_is_probed_while_it_is_used);
    TEST(what_tcp_confirms_needs_no_probe);
    TEST(link_up_announces_addresses_and_a_moved_neighbour_is_followed);
    TEST(carrier_is_told_after_the_debounce);
    TEST(a_full_transmit_queue_pushes_back);
    TEST(wrong_addresses_are_refused_to_the_sender);
    TEST(a_packet_leaves_by_the_nic_that_owns_its_source);
    TEST(damage_that_the_fcs_missed_is_caught_by_a_checksum);
    TEST(strange_packets_are_dropped_with_a_reason);
    TEST(a_host_without_room_for_neighbours_forgets_the_oldest);
    TEST(a_reset_forgets_all_and_a_ping_can_be_cancelled);
    return TEST_RUN("sim.net.ip_host");
}
