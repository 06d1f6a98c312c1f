/* Everything at once, by chance: frames of all kinds through unlike switches while parts fail in
 * layers. What must hold at every moment is rule P8, and at the end that all memory is back. */
#include "tests/sim/net/wiretap.h"

#include "sim/core/random.h"
#include "sim/net/vlan.h"

#define NICS        8
#define STEPS       6000
#define MOST_LAYERS 8
#define SWITCHES    3

struct torture {
    struct wiretap w;
    struct random random;
    struct sw *switches[SWITCHES];
    struct cable *joints[SWITCHES];
    struct vlan_set all;
    struct vlan_set some;
    uint32_t off[SWITCHES]; /* layers that are there */
    uint32_t frozen[SWITCHES];
    uint32_t pulled[NICS];
    uint32_t disabled[NICS];
    uint32_t storms[NICS];
    uint32_t unplugged[SWITCHES];
    struct {
        struct link *link;
        struct impair_layer *layer;
    } layers[MOST_LAYERS];
};

static uint32_t below(struct torture *t, uint32_t bound)
{
    return (uint32_t)random_below(&t->random, bound);
}

/* A ring of three, one port of which is blocked: trunks, access ports, each kind of memory. */
static void build(struct torture *t, uint64_t seed)
{
    const struct switch_port_config ports[6] = {
        {.vlan = {NULL, 10}, .flow_control = FLOW_CONTROL_BOTH},
        {.vlan = {NULL, 20}, .flow_control = FLOW_CONTROL_BOTH},
        {.vlan = {&t->some, 10}, .flow_control = FLOW_CONTROL_HONOUR},
        {.vlan = {NULL, 0}, .flow_control = FLOW_CONTROL_NONE},
        {.vlan = {&t->all, 1}, .flow_control = FLOW_CONTROL_BOTH},
        {.vlan = {&t->all, 1}, .flow_control = FLOW_CONTROL_BOTH},
    };
    struct switch_config config = {.name = "switch-1",
                                   .port_count = 6,
                                   .ports = ports,
                                   .mtu_bytes = 9000,
                                   .is_cut_through = true,
                                   .forwarding_delay_ns = 300,
                                   .port_buffer_bytes = 60000,
                                   .pause_at_bytes = 30000,
                                   .resume_at_bytes = 10000,
                                   .boot_ns = US(50),
                                   .mac_entries = 4,
                                   .mac_age_ns = US(200)};

    *t = (struct torture){.storms = {0}};
    vlan_set_add(&t->all, 1, VLAN_MOST);
    vlan_set_add(&t->some, 10, 30);
    random_init(&t->random, seed, "torture");
    wiretap_open(&t->w, &config);
    fabric_set_tap(t->w.fabric, NULL);
    t->switches[0] = t->w.sw;
    config.name = "switch-2";
    config.is_cut_through = false;
    config.port_buffer_bytes = 0;
    config.shared_buffer_bytes = 150000;
    config.link_debounce_ns = US(20);
    config.port_forwarding_delay_ns = US(30);
    t->switches[1] = fabric_add_switch(t->w.fabric, &config);
    config.name = "switch-3";
    config.is_cut_through = true;
    config.port_buffer_bytes = 40000;
    t->switches[2] = fabric_add_switch(t->w.fabric, &config);
    switch_set_blocked(t->switches[2], 6, true);
    for (uint32_t i = 0; i < SWITCHES; i++) {
        static const char *const names[] = {"joint-1", "joint-2", "joint-3"};

        t->joints[i] = fabric_add_cable(
            t->w.fabric,
            &(struct cable_config){.name = names[i],
                                   .ends = {switch_port(t->switches[i], 6),
                                            switch_port(t->switches[(i + 1) % SWITCHES], 5)},
                                   .rate_bits_per_s = INT64_C(10000000000) << i,
                                   .length_m = 1 + 300 * i});
    }
    for (unsigned i = 0; i < NICS; i++)
        wiretap_plug_into(
            &t->w, i, switch_port(t->switches[i % SWITCHES], 1 + i / SWITCHES),
            &(struct nic_config){.mtu_bytes = 9216,
                                 .flow_control = i % 2 ? FLOW_CONTROL_HONOUR : FLOW_CONTROL_NONE},
            i % 4 == 0 ? INT64_C(1000000000) : 0);
}

static void send_one(struct torture *t)
{
    unsigned from = below(t, NICS);
    struct mac_addr to = below(t, 4) == 0 ? MAC_BROADCAST : nic_mac(t->w.nics[below(t, NICS)]);
    struct mac_addr sender = nic_mac(t->w.nics[from]);
    uint32_t bytes = below(t, 3) == 0 ? below(t, 9200) : below(t, 1500);

    if (below(t, 50) == 0)
        sender.octet[0] |= 1; /* no sender is a group */
    if (below(t, 50) == 0)
        to = (struct mac_addr){{1, 0x80, 0xc2, 0, 0, (uint8_t)below(t, 16)}};
    struct frame *frame = wiretap_frame(&t->w, to, sender, bytes);

    if (below(t, 3) == 0)
        frame = frame_with_tag(frame, 1 + below(t, 40));
    if (below(t, 30) == 0)
        frame = frame_with_tag(frame, 10);
    nic_send(t->w.nics[from], frame);
}

/* Layers come and go, more often the latter; no more than two at one part. */
static void toggle(struct torture *t, uint32_t *layers, bool *ret_is_begun, bool *ret_is_ended)
{
    *ret_is_begun = *layers < 2 && below(t, 4) == 0;
    *ret_is_ended = !*ret_is_begun && *layers > 0;
    *layers += *ret_is_begun;
    *layers -= *ret_is_ended;
}

static void toggle_impairment(struct torture *t)
{
    static const struct impair_config configs[] = {
        {.kind = IMPAIR_LOSE, .rate_ppm = 300000},
        {.kind = IMPAIR_CORRUPT, .rate_ppm = 500000, .seen_by = CORRUPT_SEEN_BY_FCS},
        {.kind = IMPAIR_CORRUPT, .rate_ppm = 500000, .seen_by = CORRUPT_SEEN_BY_CHECKSUM},
        {.kind = IMPAIR_CORRUPT, .rate_ppm = 500000, .seen_by = CORRUPT_SEEN_BY_NOBODY},
        {.kind = IMPAIR_DELAY, .delay_ns = 700, .jitter_ns = 9000},
        {.kind = IMPAIR_THROTTLE, .rate_bits_per_s = 300000000},
        {.kind = IMPAIR_DUPLICATE, .rate_ppm = 200000},
        {.kind = IMPAIR_REORDER, .rate_ppm = 200000, .delay_ns = 5000},
    };
    uint32_t slot = below(t, MOST_LAYERS);

    if (t->layers[slot].layer) {
        link_repair(t->layers[slot].link, t->layers[slot].layer);
        t->layers[slot].layer = NULL;
        return;
    }
    struct cable *cable = below(t, 2) ? t->joints[below(t, SWITCHES)] : t->w.cables[below(t, NICS)];

    t->layers[slot].link = cable_link(cable, below(t, 2));
    t->layers[slot].layer =
        link_impair(t->layers[slot].link, &configs[below(t, sizeof(configs) / sizeof(configs[0]))]);
}

static void break_one(struct torture *t)
{
    uint32_t s = below(t, SWITCHES);
    uint32_t n = below(t, NICS);
    bool begins = false;
    bool ends = false;

    switch (below(t, 9)) {
    case 0:
        toggle(t, &t->off[s], &begins, &ends);
        if (begins)
            switch_power_off(t->switches[s]);
        else if (ends)
            switch_power_on(t->switches[s]);
        break;
    case 1:
        toggle(t, &t->frozen[s], &begins, &ends);
        if (begins)
            switch_freeze(t->switches[s]);
        else if (ends)
            switch_thaw(t->switches[s]);
        break;
    case 2:
        toggle(t, &t->pulled[n], &begins, &ends);
        if (begins)
            cable_pull(t->w.cables[n]);
        else if (ends)
            cable_plug_in(t->w.cables[n]);
        break;
    case 3:
        toggle(t, &t->unplugged[s], &begins, &ends);
        if (begins)
            cable_pull(t->joints[s]);
        else if (ends)
            cable_plug_in(t->joints[s]);
        break;
    case 4:
        toggle(t, &t->disabled[n], &begins, &ends);
        if (begins)
            nic_disable(t->w.nics[n]);
        else if (ends)
            nic_enable(t->w.nics[n]);
        break;
    case 5:
        toggle(t, &t->storms[n], &begins, &ends);
        if (begins)
            nic_begin_storm(t->w.nics[n]);
        else if (ends)
            nic_end_storm(t->w.nics[n]);
        break;
    case 6:
        toggle_impairment(t);
        break;
    case 7:
        switch_flush(t->switches[s]);
        switch_set_mtu_bytes(t->switches[s], below(t, 2) ? 9000 : 1500);
        break;
    default:
        cable_set_rate(t->w.cables[n], below(t, 2) ? INT64_C(1000000000) : INT64_C(10000000000));
        break;
    }
}

static void mend_all(struct torture *t)
{
    for (uint32_t s = 0; s < SWITCHES; s++) {
        for (; t->off[s] > 0; t->off[s]--)
            switch_power_on(t->switches[s]);
        for (; t->frozen[s] > 0; t->frozen[s]--)
            switch_thaw(t->switches[s]);
        for (; t->unplugged[s] > 0; t->unplugged[s]--)
            cable_plug_in(t->joints[s]);
        switch_set_mtu_bytes(t->switches[s], 9000);
    }
    for (uint32_t n = 0; n < NICS; n++) {
        for (; t->pulled[n] > 0; t->pulled[n]--)
            cable_plug_in(t->w.cables[n]);
        for (; t->disabled[n] > 0; t->disabled[n]--)
            nic_enable(t->w.nics[n]);
        for (; t->storms[n] > 0; t->storms[n]--)
            nic_end_storm(t->w.nics[n]);
    }
    for (uint32_t i = 0; i < MOST_LAYERS; i++)
        if (t->layers[i].layer)
            link_repair(t->layers[i].link, t->layers[i].layer);
}

static struct seed_row {
    const char *name;
    uint64_t seed;
} seeds[] = {{"seed 1", 1}, {"seed 2", 2},     {"seed 3", 3},     {"seed 4", 4},
             {"seed 5", 5}, {"seed 137", 137}, {"seed 666", 666}, {"seed 9999", 9999}};

static void frames_are_conserved_whatever_breaks(void **state)
{
    const struct seed_row *row = *state;
    struct torture *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    build(t, row->seed);
    for (unsigned step = 0; step < STEPS; step++) {
        for (uint32_t i = below(t, 12); i > 0; i--)
            send_one(t);
        if (below(t, 30) == 0)
            break_one(t);
        wiretap_run(&t->w, below(t, 5000));
        wiretap_check(&t->w);
    }
    mend_all(t);
    wiretap_run(&t->w, SECONDS(1));
    for (unsigned i = 0; i < NICS; i++) /* all that waited has gone somewhere */
        assert_int_equal(link_frames(&nic_port(t->w.nics[i])->tx), 0);
    for (uint32_t s = 0; s < SWITCHES; s++) {
        assert_true(switch_forwarded(t->switches[s]) > 0);
        for (uint32_t i = 1; i <= 6; i++) {
            struct port *port = switch_port(t->switches[s], i);

            assert_int_equal(link_frames(&port->tx), 0);
            assert_int_equal(link_queued_bytes(&port->tx), 0);
            assert_false(port->is_asking);
        }
    }
    /* And it works again: everybody in VLAN 10 hears n0. */
    fabric_set_tap(t->w.fabric, &t->w.tap);
    wiretap_broadcast(&t->w, 0, 46);
    wiretap_run(&t->w, MS(1));
    assert_int_equal(wiretap_count(&t->w, "n1"), 1);
    assert_int_equal(wiretap_count(&t->w, "n2"), 1);
    assert_int_equal(wiretap_count(&t->w, "n3"), 0);
    wiretap_close(&t->w);
    free(t);
}

int main(void)
{
    TEST_ROWS(seeds, frames_are_conserved_whatever_breaks);
    return TEST_RUN("sim.net.switch_torture");
}
