/* The whole fabric: names, digest, counters, and frames conserved through any mix of faults. */
#include "sim/net/fabric.h"

#include "tests/sim/net/lan.h"

#include <stdlib.h>
#include <string.h>

static void parts_are_found_by_name(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_ptr_equal(fabric_find_switch(lan.fabric, "switch-1"), lan.sw);
    assert_ptr_equal(fabric_find_nic(lan.fabric, "h1.iscsi1"), lan.nics[1]);
    assert_ptr_equal(fabric_find_cable(lan.fabric, "h0-1"), lan.cables[0]);
    assert_ptr_equal(fabric_find_host(lan.fabric, "h1"), lan.hosts[1]);
    assert_ptr_equal(fabric_find_port(lan.fabric, "switch-1.24"), switch_port(lan.sw, 24));
    assert_ptr_equal(fabric_find_port(lan.fabric, "h0.iscsi1"), nic_port(lan.nics[0]));
    assert_null(fabric_find_switch(lan.fabric, "switch-2"));
    assert_null(fabric_find_nic(lan.fabric, "h2.iscsi1"));
    assert_null(fabric_find_cable(lan.fabric, "x"));
    assert_null(fabric_find_host(lan.fabric, "x"));
    assert_null(fabric_find_port(lan.fabric, "switch-1.25"));
    lan_stop(&lan);
}

/* What looks on and counts. */
struct watcher {
    struct tap tap;
    unsigned frames;
    unsigned drops;
};

static void count_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                        const struct frame *frame)
{
    (void)at_ns, (void)nic, (void)direction, (void)frame;
    ((struct watcher *)(void *)tap)->frames++;
}

static void count_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                       const struct frame *frame)
{
    (void)at_ns, (void)where, (void)reason, (void)frame;
    ((struct watcher *)(void *)tap)->drops++;
}

static void do_nothing(struct lan *lan)
{
    (void)lan;
}

static void pull(struct lan *lan)
{
    cable_pull(lan->cables[1]);
}

static void plug_in(struct lan *lan)
{
    cable_plug_in(lan->cables[1]);
}

static void cut(struct lan *lan)
{
    cable_cut(lan->cables[1], switch_port(lan->sw, 2));
}

static void mend(struct lan *lan)
{
    cable_mend(lan->cables[1], switch_port(lan->sw, 2));
}

static void power_off(struct lan *lan)
{
    switch_power_off(lan->sw);
}

static void power_on(struct lan *lan)
{
    switch_power_on(lan->sw);
}

static void reboot(struct lan *lan)
{
    switch_reboot(lan->sw, MS(20));
}

static void freeze(struct lan *lan)
{
    switch_freeze(lan->sw);
}

static void thaw(struct lan *lan)
{
    switch_thaw(lan->sw);
}

static void freeze_nic(struct lan *lan)
{
    nic_freeze(lan->nics[2], DIRECTION_IN);
    nic_freeze(lan->nics[2], DIRECTION_OUT);
}

static void thaw_nic(struct lan *lan)
{
    nic_thaw(lan->nics[2], DIRECTION_IN);
    nic_thaw(lan->nics[2], DIRECTION_OUT);
}

static void disable_port(struct lan *lan)
{
    port_disable(switch_port(lan->sw, 3));
}

static void enable_port(struct lan *lan)
{
    port_enable(switch_port(lan->sw, 3));
}

static void host_power_off(struct lan *lan)
{
    nic_power_off(lan->nics[0]);
    ip_host_reset(lan->hosts[0]);
}

static void host_power_on(struct lan *lan)
{
    nic_power_on(lan->nics[0]);
}

static void shrink(struct lan *lan)
{
    switch_set_mtu_bytes(lan->sw, 1500);
}

static void widen(struct lan *lan)
{
    switch_set_mtu_bytes(lan->sw, 9216);
}

static void lose(struct lan *lan)
{
    link_impair(&switch_port(lan->sw, 2)->tx,
                &(struct impair_config){.kind = IMPAIR_LOSE, .rate_ppm = 200000});
}

static void corrupt(struct lan *lan)
{
    switch_impair(lan->sw, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                   .rate_ppm = 300000,
                                                   .seen_by = CORRUPT_SEEN_BY_CHECKSUM});
    link_impair(&nic_port(lan->nics[1])->tx,
                &(struct impair_config){.kind = IMPAIR_CORRUPT, .rate_ppm = 100000});
}

static void lose_in_port(struct lan *lan)
{
    port_impair_in(
        switch_port(lan->sw, 2),
        &(struct impair_config){.kind = IMPAIR_LOSE, .rate_ppm = 200000, .burst_frames = 3});
}

/* All that holds frames back or makes more of them, on a cable and in the switch. */
static void shuffle(struct lan *lan)
{
    const struct impair_config twice = {.kind = IMPAIR_DUPLICATE, .rate_ppm = 300000};
    const struct impair_config late = {
        .kind = IMPAIR_REORDER, .rate_ppm = 300000, .delay_ns = US(500)};
    const struct impair_config slow = {
        .kind = IMPAIR_DELAY, .delay_ns = US(200), .jitter_ns = US(100)};

    switch_impair(lan->sw, &twice);
    switch_impair(lan->sw, &late);
    switch_impair(lan->sw, &slow);
    link_impair(&nic_port(lan->nics[1])->tx, &twice);
    link_impair(&nic_port(lan->nics[1])->tx, &late);
    link_impair(&switch_port(lan->sw, 1)->tx, &slow);
}

static void shuffle_and_power_off(struct lan *lan)
{
    shuffle(lan);
    lan_run(lan, clock_now_ns(&lan->queue.clock) + US(300));
    switch_power_off(lan->sw);
}

static void shuffle_and_freeze(struct lan *lan)
{
    shuffle(lan);
    lan_run(lan, clock_now_ns(&lan->queue.clock) + US(300));
    switch_freeze(lan->sw);
}

static void slow_down(struct lan *lan)
{
    cable_set_rate(lan->cables[2], 100000000);
}

static void speed_up(struct lan *lan)
{
    cable_set_rate(lan->cables[2], INT64_C(10000000000));
}

static struct row {
    const char *name;
    void (*break_it)(struct lan *lan);
    void (*mend_it)(struct lan *lan);
    enum drop_reason must_drop; /* at least one frame, somewhere */
} rows[] = {
    {"no fault", do_nothing, do_nothing, DROP_REASON_COUNT},
    {"cable pulled", pull, plug_in, DROP_NO_CARRIER},
    {"cable cut one way", cut, mend, DROP_NO_CARRIER},
    {"switch power", power_off, power_on, DROP_NO_CARRIER},
    {"switch reboot", reboot, do_nothing, DROP_NO_CARRIER},
    {"switch frozen", freeze, thaw, DROP_FROZEN},
    {"nic frozen", freeze_nic, thaw_nic, DROP_FROZEN},
    {"port disabled", disable_port, enable_port, DROP_NO_CARRIER},
    {"host power", host_power_off, host_power_on, DROP_NO_CARRIER},
    {"small mtu", shrink, widen, DROP_TOO_BIG},
    {"loss", lose, do_nothing, DROP_LOSS},
    {"damage", corrupt, do_nothing, DROP_BAD_CHECKSUM},
    {"loss in a port", lose_in_port, do_nothing, DROP_LOSS},
    {"doubled, late and delayed", shuffle, do_nothing, DROP_REASON_COUNT},
    {"power lost with frames held back", shuffle_and_power_off, power_on, DROP_POWERED_OFF},
    {"frozen with frames held back", shuffle_and_freeze, thaw, DROP_FROZEN},
    {"rate", slow_down, speed_up, DROP_REASON_COUNT},
};

/* Every host pings every other one, big and small, all the time; the cables are long, so that many
 * frames are under way whenever something happens. */
struct storm {
    struct lan lan;
    struct lan_ping pings[LAN_MOST_HOSTS][LAN_MOST_HOSTS][8];
};

#define STORM_HOSTS 3

static void start_storm(struct storm *storm, uint64_t seed)
{
    struct lan *lan = &storm->lan;

    memset(storm->pings, 0, sizeof(storm->pings));
    lan_open(lan, seed);
    lan->sw = fabric_add_switch(lan->fabric, &(struct switch_config){.name = "switch-1",
                                                                     .port_count = 5,
                                                                     .mtu_bytes = 9216,
                                                                     .port_buffer_bytes = 100000,
                                                                     .forwarding_delay_ns = US(2),
                                                                     .boot_ns = MS(20)});
    for (unsigned host = 0; host < STORM_HOSTS; host++)
        lan_add_host(lan, host, NULL, &(struct cable_config){.length_m = 10000},
                     &(struct ip_options){.arp_retry_ns = MS(1)});
}

static void rage(struct storm *storm, int64_t until_ns)
{
    struct lan *lan = &storm->lan;
    uint32_t data_bytes = 56;

    while (clock_now_ns(&lan->queue.clock) < until_ns) {
        for (unsigned from = 0; from < STORM_HOSTS; from++) {
            for (unsigned i = 0; i < 8 * STORM_HOSTS; i++) {
                unsigned to = i % STORM_HOSTS;
                struct lan_ping *ping = &storm->pings[from][to][i / STORM_HOSTS];

                if (to == from)
                    continue;
                ip_host_ping_cancel(lan->hosts[from], &ping->ping);
                lan_ping(lan, ping, from, to, data_bytes);
                data_bytes = data_bytes * 7 % 8900;
            }
        }
        lan_run(lan, clock_now_ns(&lan->queue.clock) + US(30));
        lan_check(lan);
    }
}

static uint64_t storm_with_fault(const struct row *row, uint64_t seed, struct tap *tap)
{
    struct storm *storm = calloc(1, sizeof(*storm));
    struct lan *lan = &storm->lan;

    start_storm(storm, seed);
    fabric_set_tap(lan->fabric, tap);
    rage(storm, MS(3));
    row->break_it(lan);
    lan_check(lan);
    rage(storm, MS(6));
    row->mend_it(lan);
    lan_check(lan);
    rage(storm, MS(35));
    row->break_it(lan); /* and stays broken to the end, with frames under way */
    if (row->must_drop != DROP_REASON_COUNT) {
        uint64_t dropped = switch_dropped(lan->sw, row->must_drop);

        for (unsigned host = 0; host < STORM_HOSTS; host++)
            dropped += nic_dropped(lan->nics[host], row->must_drop);
        assert_true(dropped > 0);
    }
    uint64_t digest = fabric_digest(lan->fabric);

    lan_stop(lan);
    free(storm);
    return digest;
}

static void frames_are_conserved_and_the_digest_repeats(void **state)
{
    static const struct tap_ops ops = {.frame = count_frame, .drop = count_drop};
    struct watcher watcher = {.tap = {.ops = &ops}};
    const struct row *row = *state;
    uint64_t digest = storm_with_fault(row, 1, NULL);

    assert_true(storm_with_fault(row, 1, &watcher.tap) ==
                digest); /* who looks on changes nothing */
    assert_true(watcher.frames > 100);
    if (row->must_drop == DROP_LOSS || row->must_drop == DROP_BAD_CHECKSUM)
        assert_true(storm_with_fault(row, 2, NULL) != digest); /* other luck */
    else if (row != rows)
        assert_true(storm_with_fault(rows, 1, NULL) != digest);
}

static void a_single_bit_of_payload_changes_the_digest(void **state)
{
    uint64_t digests[2];
    (void)state;

    for (int run = 0; run < 2; run++) {
        struct lan lan;

        lan_start(&lan, 2, 9216);
        struct frame *frame = frame_new(lan.pool);
        struct buf *payload = buf_copy(lan.pool, "payload", 7);

        chunk_touch(payload->chunk);
        payload->chunk->data[3] ^= (uint8_t)run;
        frame_set_payload(frame, payload);
        frame_set_ethernet(frame, nic_mac(lan.nics[1]), nic_mac(lan.nics[0]));
        nic_send(lan.nics[0], frame);
        lan_run(&lan, MS(1));
        digests[run] = fabric_digest(lan.fabric);
        lan_stop(&lan);
    }
    assert_true(digests[0] != digests[1]);
}

static void a_known_path_costs_one_event_per_hop(void **state)
{
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 9216);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    uint64_t fired = lan.queue.fired;
    uint64_t sent = fabric_frames_sent(lan.fabric);
    for (int i = 0; i < 100; i++) {
        struct frame *frame = frame_new(lan.pool);

        frame_set_ethernet(frame, nic_mac(lan.nics[1]), nic_mac(lan.nics[0]));
        nic_send(lan.nics[0], frame);
    }
    lan_run(&lan, SECONDS(20));
    assert_int_equal(fabric_frames_sent(lan.fabric) - sent, 200);
    assert_int_equal(lan.queue.fired - fired, 200);
    lan_stop(&lan);
}

struct counters {
    struct counter_sink sink;
    uint64_t forwarded;
    uint64_t too_big_at_port;
    uint64_t too_big_at_switch;
    uint64_t lost_in_cable;
    unsigned count;
};

static void take_counter(struct counter_sink *sink, const char *part, const char *name,
                         uint64_t value)
{
    struct counters *counters = (struct counters *)(void *)sink;

    assert_true(value > 0);
    counters->count++;
    if (strcmp(part, "switch-1") == 0 && strcmp(name, "frames-forwarded") == 0)
        counters->forwarded = value;
    if (strcmp(part, "switch-1.1") == 0 && strcmp(name, "frames-dropped too-big") == 0)
        counters->too_big_at_port = value;
    if (strcmp(part, "switch-1") == 0 && strcmp(name, "frames-dropped too-big") == 0)
        counters->too_big_at_switch = value;
    if (strcmp(part, "h0-1") == 0 && strcmp(name, "frames-dropped no-carrier") == 0)
        counters->lost_in_cable = value;
}

static void counters_name_part_and_reason(void **state)
{
    struct counters counters = {.sink = {.count = take_counter}};
    struct lan lan;
    (void)state;

    lan_start(&lan, 2, 1500);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 8000), PING_TIMEOUT);
    cable_pull(lan.cables[0]);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_NO_CARRIER);
    fabric_count(lan.fabric, &counters.sink);
    assert_int_equal(counters.forwarded, 4);
    assert_int_equal(counters.too_big_at_port, 1);
    assert_int_equal(counters.too_big_at_switch, 1);
    assert_int_equal(counters.lost_in_cable, 1);
    assert_int_equal(fabric_dropped(lan.fabric, "h0-1", DROP_REASON_COUNT), 1);
    assert_int_equal(fabric_dropped(lan.fabric, "h0.iscsi1", DROP_NO_CARRIER), 1);
    assert_int_equal(fabric_dropped(lan.fabric, "switch-1", DROP_REASON_COUNT), 1);
    lan_stop(&lan);
}

static void every_reason_has_its_word(void **state)
{
    (void)state;
    for (enum drop_reason reason = 0; reason < DROP_REASON_COUNT; reason++)
        assert_int_equal(drop_reason_find(drop_reason_word(reason)), reason);
    assert_int_equal(drop_reason_find("bad-luck"), DROP_REASON_COUNT);
}

int main(void)
{
    TEST(parts_are_found_by_name);
    TEST_ROWS(rows, frames_are_conserved_and_the_digest_repeats);
    TEST(a_single_bit_of_payload_changes_the_digest);
    TEST(a_known_path_costs_one_event_per_hop);
    TEST(counters_name_part_and_reason);
    TEST(every_reason_has_its_word);
    return TEST_RUN("sim.net.fabric");
}
