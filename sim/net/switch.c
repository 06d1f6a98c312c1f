/* The switch: what happens to a frame between two of its ports, and to the switch as a whole. */
#include "sim/net/switch.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/frame_codec.h"
#include "sim/net/holding.h"
#include "sim/net/mac_table.h"
#include "sim/net/packet_buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_MTU_BYTES    1500u
#define DEFAULT_BUFFER_BYTES ((uint64_t)512 * 1024)
#define DEFAULT_MAC_AGE_NS   SECONDS(300) /* 802.1Q-2018, table 8-6 */
#define DEFAULT_MAC_ENTRIES  16384u
#define DEFAULT_PAUSE_BYTES  ((uint64_t)64 * 1024)
#define DEFAULT_RESUME_BYTES ((uint64_t)32 * 1024)
#define CUT_THROUGH_BYTES    64u /* all headers that a look-up may need */
#define MOST_PORTS           4096u
#define UNPLUGGED_RATE       INT64_C(1000000000) /* until a cable says better */
#define PLANTED_LOSS_EVERY   1000u

/* Ports that are one to everybody else. */
struct switch_group {
    struct lag lag;
    struct sw *sw;
    struct switch_port *ports[LAG_MOST_LINKS];
    bool carries_frames; /* by any of them, one way at least (802.1AX: its MAC is operational) */
};

struct switch_port {
    struct port port;
    struct sw *sw;
    int index;                  /* its number, and in the MAC table if it is a bridge port */
    struct switch_group *group; /* NULL: in none */
    unsigned link;              /* of the group */
    /* Itself, or the first of its group: the aggregate is one port to whatever is learned, blocked
     * or delayed (802.1AX-2020, 6.1.3), and this one keeps the four that follow for all. */
    struct switch_port *bridge_port;
    bool is_blocked;
    uint32_t blocks; /* layers of faults that block it, too */
    bool is_edge;
    int64_t forwards_from_ns; /* end of its forwarding delay */
    struct vlan_port vlan;
    bool is_up; /* carrier as the switch knows it, after the debounce */
    struct timer debounce;
};

enum switch_state { SWITCH_OFF, SWITCH_BOOTING, SWITCH_RUNNING };

struct sw {
    struct wire *wire;
    char *name; /* owned */
    enum switch_state state;
    uint32_t unpowered; /* layers */
    uint32_t frozen;    /* layers */
    struct timer boot;
    struct timer drain; /* while a port asks for silence: is it enough? */
    uint32_t asking;    /* ports that do */
    uint64_t pause_at_bytes;
    uint64_t resume_at_bytes;
    struct packet_buffer buffer;
    struct mac_table *macs;
    struct impair impair;
    struct holding holding;   /* frames that faults hold back, by ingress port */
    int64_t delayed_until_ns; /* of the last one that was delayed: none after it comes before */
    uint32_t mtu_bytes;
    int64_t forwarding_delay_ns;
    int64_t boot_ns;
    int64_t port_forwarding_delay_ns;
    int64_t link_debounce_ns;
    uint64_t forwarded;
    uint64_t copies;     /* that 'forwarded' became */
    uint64_t duplicated; /* second copies that a fault made */
    uint64_t reordered;  /* frames that a fault made late */
    uint64_t flooded;
    uint64_t flooded_unknown;
    uint64_t mac_moves;
    uint64_t mac_refused;
    uint64_t sent_above_mtu; /* never, says rule P8 */
    uint64_t planted_count;
    struct switch_group *groups; /* owned */
    uint32_t group_count;
    uint32_t port_count;
    struct switch_port ports[];
};

static struct switch_port *switch_port_of(struct port *port)
{
    return CONTAINER_OF(port, struct switch_port, port);
}

static int64_t now_ns(const struct sw *sw)
{
    return clock_now_ns(sw->wire->clock);
}

static void note(struct sw *sw, const char *what, uint64_t number)
{
    sw->wire->trace->ops->event(sw->wire->trace, now_ns(sw), sw->name, what, number);
}

/* A frame on its way through: what the lookup found out about it. */
struct passage {
    struct switch_port *in;
    uint32_t vlan;
    int64_t eligible_ns; /* when its first bit may leave, */
    int64_t stored_ns;   /* if it must be here as a whole before */
};

/* With a tag or without, as the port sends frames of the VLAN. Takes ownership of 'frame'. */
static struct frame *dress(const struct switch_port *out, struct frame *frame, uint32_t vlan)
{
    if (!vlan_port_tags(&out->vlan, vlan))
        return frame_is_tagged(frame) ? frame_without_tag(frame) : frame;
    return frame_vlan(frame) == vlan ? frame : frame_with_tag(frame, vlan);
}

/* Every queue books out what has left by now. */
static void look_at_queues(struct sw *sw)
{
    for (uint32_t i = 0; i < sw->port_count; i++)
        (void)link_queued_bytes(&sw->ports[i].port.tx);
}

static bool has_room(struct sw *sw, struct switch_port *out, uint32_t bytes)
{
    if (packet_buffer_has_room(&sw->buffer, link_queued_bytes(&out->port.tx), bytes))
        return true;
    look_at_queues(sw);
    return packet_buffer_has_room(&sw->buffer, out->port.tx.queued_bytes, bytes);
}

/* Enters the egress queue of one port. Takes ownership of 'frame'. */
static void send_out(struct sw *sw, struct switch_port *out, struct frame *frame,
                     const struct passage *passage)
{
    if (frame_packet_bytes(frame) > sw->mtu_bytes)
        sw->sent_above_mtu++;
    sw->copies++;
    frame = dress(out, frame, passage->vlan);
    bool is_stored = passage->in->port.peer->tx.rate_bits_per_s < out->port.tx.rate_bits_per_s;

    if (is_stored && frame->is_fcs_bad)
        link_refuse(&out->port.tx, frame, DROP_CORRUPT);
    else if (sw->buffer.limit_bytes > 0 && !has_room(sw, out, frame_bytes(frame)))
        link_refuse(&out->port.tx, frame, DROP_BUFFER_FULL);
    else
        port_send(&out->port, frame, is_stored ? passage->stored_ns : passage->eligible_ns,
                  (uint32_t)passage->in->index);
}

static bool is_blocked(const struct switch_port *port)
{
    return port->bridge_port->is_blocked || port->bridge_port->blocks > 0;
}

/* Neither blocked nor still in its forwarding delay. */
static bool is_forwarding(const struct switch_port *port)
{
    return !is_blocked(port) && now_ns(port->sw) >= port->bridge_port->forwards_from_ns;
}

static bool can_forward(const struct switch_port *out, uint32_t vlan)
{
    return out->port.has_carrier && is_forwarding(out) && vlan_port_carries(&out->vlan, vlan);
}

static void start_forwarding(struct switch_port *bridge_port)
{
    struct sw *sw = bridge_port->sw;

    bridge_port->forwards_from_ns =
        time_after(now_ns(sw), bridge_port->is_edge ? 0 : sw->port_forwarding_delay_ns);
}

/* What the MAC table calls the way behind this port. */
static int station_index(const struct switch_port *port)
{
    return port->bridge_port->index;
}

/* The port that a frame for this way leaves by; NULL: none of the group carries anything. */
static struct switch_port *choose_port(struct switch_port *first, const struct frame *frame)
{
    if (!first->group)
        return first;
    unsigned link = lag_choose(&first->group->lag, frame);

    return link == LAG_NO_LINK ? NULL : first->group->ports[link];
}

static void flood(struct sw *sw, struct frame *frame, const struct passage *passage)
{
    uint32_t copies = 0;
    bool is_unknown = !mac_is_group(frame_to(frame));

    for (uint32_t i = 0; i < sw->port_count; i++) {
        struct switch_port *out = &sw->ports[i];

        if (station_index(out) != out->index || station_index(passage->in) == out->index)
            continue; /* another port stands for it, or it came from there */
        out = choose_port(out, frame);
        if (!out || !can_forward(out, passage->vlan))
            continue;
        copies++;
        send_out(sw, out, frame_ref(frame), passage);
    }
    if (copies == 0) {
        port_drop_received(&passage->in->port, DROP_NO_WAY_OUT, frame);
        return;
    }
    sw->forwarded++;
    sw->flooded++;
    sw->flooded_unknown += is_unknown;
    frame_unref(frame);
}

/* 01-80-C2-00-00-00 to -0F stay on their link (802.1Q-2018, table 8-1). */
static bool is_reserved(struct mac_addr mac)
{
    static const uint8_t prefix[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

    return memcmp(mac.octet, prefix, sizeof(prefix)) == 0 && mac.octet[5] <= 0x0f;
}

/* Why this frame is not relayed; DROP_REASON_COUNT: it is. */
static enum drop_reason refusal(const struct sw *sw, const struct switch_port *in,
                                const struct frame *frame)
{
    if (sw->frozen > 0)
        return DROP_FROZEN;
    if (is_blocked(in))
        return DROP_BLOCKED;
    if (in->group && !lag_takes(&in->group->lag, in->link))
        return DROP_STANDBY;
    if (now_ns(sw) < in->bridge_port->forwards_from_ns)
        return DROP_NOT_FORWARDING;
    if (frame_packet_bytes(frame) > sw->mtu_bytes)
        return DROP_TOO_BIG;
    if (mac_is_group(frame_from(frame)))
        return DROP_MALFORMED;
    if (is_reserved(frame_to(frame)))
        return DROP_RESERVED;
    return DROP_REASON_COUNT;
}

/* Why a frame that its port does not take belongs to no VLAN here. */
static enum drop_reason no_vlan(const struct switch_port *in, const struct frame *frame)
{
    return !in->vlan.trunk && frame_vlan(frame) != VLAN_NONE ? DROP_TAGGED : DROP_NOT_IN_VLAN;
}

static void learn(struct sw *sw, const struct switch_port *in, uint32_t vlan, struct mac_addr from)
{
    enum mac_learned learned = mac_table_learn(sw->macs, vlan, from, station_index(in), now_ns(sw));

    sw->mac_moves += learned == MAC_MOVED;
    sw->mac_refused += learned == MAC_NO_ROOM;
}

/* Finds the way out of a frame whose last bit is there at 'tail_ns'. Bits that flipped in the
 * switch may have taken it out of its VLAN. */
static void pass_on(struct sw *sw, struct switch_port *in, struct frame *frame, int64_t tail_ns)
{
    struct passage passage = {.in = in,
                              .vlan = vlan_port_takes(&in->vlan, frame_vlan(frame)),
                              .eligible_ns = now_ns(sw) + sw->forwarding_delay_ns,
                              .stored_ns = tail_ns + sw->forwarding_delay_ns};
    struct mac_addr to = frame_to(frame);

    if (passage.vlan == VLAN_NONE) {
        port_drop_received(&in->port, no_vlan(in, frame), frame);
        return;
    }
    int index =
        mac_is_group(to) ? MAC_PORT_NONE : mac_table_find(sw->macs, passage.vlan, to, now_ns(sw));

    if (index == MAC_PORT_NONE) {
        flood(sw, frame, &passage);
        return;
    }
    struct switch_port *out = choose_port(&sw->ports[index], frame);

    if (index == station_index(in)) {
        port_drop_received(&in->port, DROP_SAME_PORT, frame);
    } else if (!out) {
        port_drop_received(&in->port, DROP_NO_WAY_OUT, frame);
    } else if (!is_forwarding(out)) {
        port_drop_received(&in->port, DROP_NOT_FORWARDING, frame);
    } else {
        sw->forwarded++;
        send_out(sw, out, frame, &passage);
    }
}

static void pass_on_late(struct holding *holding, struct frame *frame, uint32_t from)
{
    struct sw *sw = CONTAINER_OF(holding, struct sw, holding);

    pass_on(sw, &sw->ports[from], frame, now_ns(sw));
}

static void drop_held(struct sw *sw, enum drop_reason reason)
{
    struct frame *frame;
    uint32_t from;

    while ((frame = holding_take(&sw->holding, &from)))
        port_drop_received(&sw->ports[from].port, reason, frame);
    sw->delayed_until_ns = 0;
}

/* Bits flip in the frame. NULL: somebody saw it, and it was dropped. */
static struct frame *damage(struct switch_port *in, struct frame *frame,
                            const struct impair_verdict *verdict)
{
    struct frame *damaged =
        frame_damage(frame, verdict->chance, verdict->seen_by == CORRUPT_SEEN_BY_NOBODY);

    if (!damaged)
        return frame;
    damaged->is_fcs_bad = frame->is_fcs_bad || verdict->seen_by == CORRUPT_SEEN_BY_FCS;
    frame_unref(frame);
    if (damaged->is_fcs_bad && in->port.head_bytes == 0) {
        port_drop_received(&in->port, DROP_CORRUPT, damaged);
        return NULL;
    }
    return damaged;
}

/* When a frame that comes now has been delayed, after those before it. */
static int64_t delayed_until(struct sw *sw)
{
    int64_t at_ns = time_after(now_ns(sw), impair_delay_ns(&sw->impair));

    sw->delayed_until_ns = time_max(sw->delayed_until_ns, at_ns);
    return sw->delayed_until_ns;
}

/* The faults of the switch itself: what is left of the frame, how often, and when? */
static void suffer(struct sw *sw, struct switch_port *in, struct frame *frame)
{
    struct impair_verdict verdict = impair_judge(&sw->impair, frame_bytes(frame));

    if (verdict.is_lost) {
        port_drop_received(&in->port, DROP_LOSS, frame);
        return;
    }
    if (verdict.is_corrupt)
        frame = damage(in, frame, &verdict);
    if (!frame)
        return;
    int64_t at_ns = time_after(delayed_until(sw), verdict.late_ns);

    sw->reordered += verdict.late_ns > 0;
    sw->duplicated += verdict.copies;
    for (uint32_t i = 0; i < verdict.copies; i++)
        holding_add(&sw->holding, frame_ref(frame), (uint32_t)in->index, at_ns);
    if (at_ns > now_ns(sw))
        holding_add(&sw->holding, frame, (uint32_t)in->index, at_ns);
    else
        pass_on(sw, in, frame, in->port.peer->tx.tail_ns);
}

static void relay(struct sw *sw, struct switch_port *in, struct frame *frame)
{
    uint32_t vlan = vlan_port_takes(&in->vlan, frame_vlan(frame));

    if (vlan == VLAN_NONE) {
        port_drop_received(&in->port, no_vlan(in, frame), frame);
        return;
    }
    if (!frame->is_fcs_bad) /* addresses count once the frame has ended well */
        learn(sw, in, vlan, frame_from(frame));
    if (impair_is_none(&sw->impair) && now_ns(sw) >= sw->delayed_until_ns)
        pass_on(sw, in, frame, in->port.peer->tx.tail_ns);
    else
        suffer(sw, in, frame);
}

/* When the next frame of any port has left: then it may be enough. */
static void arm_drain(struct sw *sw)
{
    int64_t at_ns = TIME_NEVER;

    for (uint32_t i = 0; i < sw->port_count; i++)
        at_ns = time_min(at_ns, link_next_departure_ns(&sw->ports[i].port.tx));
    if (at_ns != TIME_NEVER)
        clock_arm(sw->wire->clock, &sw->drain, at_ns);
}

static void stop_asking(struct switch_port *in)
{
    assert(in->sw->asking > 0);
    if (--in->sw->asking == 0)
        clock_cancel(in->sw->wire->clock, &in->sw->drain);
}

/* Who was asked for silence may talk again once little enough of its frames waits. */
static void look_at_drain(struct timer *timer)
{
    struct sw *sw = CONTAINER_OF(timer, struct sw, drain);

    look_at_queues(sw);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        struct switch_port *in = &sw->ports[i];

        if (!in->port.is_asking || sw->buffer.from_bytes[i] > sw->resume_at_bytes)
            continue;
        stop_asking(in);
        port_let_talk(&in->port);
    }
    if (sw->asking > 0)
        arm_drain(sw);
}

/* Too much of what came in by this port waits: its peer is to be silent. */
static void watch_pressure(struct switch_port *in)
{
    struct sw *sw = in->sw;
    const uint64_t *waiting_bytes = &sw->buffer.from_bytes[in->index];

    if (!(in->port.flow_control & FLOW_CONTROL_ASK) || in->port.is_asking ||
        *waiting_bytes <= sw->pause_at_bytes)
        return;
    look_at_queues(sw);
    if (*waiting_bytes <= sw->pause_at_bytes)
        return;
    sw->asking++;
    port_ask_silence(&in->port);
    arm_drain(sw);
}

/* A peer fell silent or talks again, or frames were lost: the plan of the drain is void. */
static void change_plan(struct port *port)
{
    struct sw *sw = switch_port_of(port)->sw;

    if (sw->asking > 0)
        clock_arm(sw->wire->clock, &sw->drain, now_ns(sw));
}

static void forget_asking(struct switch_port *in)
{
    if (!in->port.is_asking)
        return;
    stop_asking(in);
    port_forget_asking(&in->port);
}

/* -- Groups ------------------------------------------------------------------------------------ */

static struct switch_group *group_of(struct lag *lag)
{
    return CONTAINER_OF(lag, struct switch_group, lag);
}

static void send_pdu(struct lag *lag, unsigned link, struct frame *frame)
{
    struct switch_port *out = group_of(lag)->ports[link];

    if (out->sw->frozen > 0) {
        frame_unref(frame); /* never made */
        return;
    }
    out->port.lacpdus_sent++;
    port_send(&out->port, frame, now_ns(out->sw), (uint32_t)out->index);
}

/* Locally administered, no NIC's and no port's: of the switch, with its first port's number. */
static struct mac_addr system_of(const struct sw *sw)
{
    uint32_t id = sw->ports[0].port.id;

    return (struct mac_addr){
        {0x06, 0x01, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}};
}

static struct mac_addr station(struct lag *lag, unsigned link)
{
    uint32_t id = group_of(lag)->ports[link]->port.id;

    return (struct mac_addr){
        {0x06, 0x02, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}};
}

/* What was learned behind a group stays until nothing leads there. Links that join those that carry
 * frames already do so at once. */
static void change_group(struct lag *lag)
{
    struct switch_group *group = group_of(lag);
    bool did_carry = group->carries_frames;

    group->carries_frames = (lag->senders | lag->takers) != 0;
    if (group->carries_frames && !did_carry)
        start_forwarding(group->ports[0]);
    note(group->sw, "group-senders", lag->senders);
    if (lag->senders == 0)
        mac_table_forget_port(group->sw->macs, group->ports[0]->index);
}

static void add_group(struct sw *sw, struct switch_group *group,
                      const struct switch_group_config *config)
{
    static const struct lag_ops ops = {
        .send = send_pdu, .station = station, .on_change = change_group};
    struct lag_config lag = config->lag;

    assert(lag.mode == LAG_STATIC || lag.mode == LAG_LACP);
    group->sw = sw;
    for (unsigned i = 0; i < config->port_count; i++) {
        struct switch_port *port = &sw->ports[config->ports[i] - 1];

        assert(!port->group);
        port->group = group;
        port->bridge_port = &sw->ports[config->ports[0] - 1];
        assert(port->is_blocked == port->bridge_port->is_blocked);
        assert(port->is_edge == port->bridge_port->is_edge);
        port->link = i;
        group->ports[i] = port;
    }
    lag.system = system_of(sw);
    lag.key = (uint16_t)config->ports[0];
    lag_init(&group->lag, &ops, sw->wire, &lag, config->port_count);
}

/* A LACPDU of its group ends here. */
static bool hear_pdu(struct switch_port *in, const struct frame *frame)
{
    if (!in->group || in->sw->frozen > 0 || !in->is_up || frame->is_fcs_bad ||
        !lag_hear(&in->group->lag, in->link, frame))
        return false;
    in->port.lacpdus_heard++;
    return true;
}

static void take_in(struct port *port, struct frame *frame)
{
    struct switch_port *in = switch_port_of(port);
    struct sw *sw = in->sw;

    if (hear_pdu(in, frame)) {
        frame_unref(frame);
        return;
    }
    enum drop_reason reason = refusal(sw, in, frame);

    if (plant_is_on(sw->wire->planted, PLANT_P8) && ++sw->planted_count % PLANTED_LOSS_EVERY == 0)
        frame_unref(frame);
    else if (reason != DROP_REASON_COUNT)
        port_drop_received(port, reason, frame);
    else
        relay(sw, in, frame);
    watch_pressure(in);
}

/* The change counts: a new link waits for its forwarding delay, a lost one is forgotten. */
static void settle_link(struct switch_port *port)
{
    struct sw *sw = port->sw;

    port->is_up = port->port.has_carrier;
    if (port->group)
        lag_set_up(&port->group->lag, port->link, port->is_up);
    else if (port->is_up)
        start_forwarding(port);
    else
        mac_table_forget_port(sw->macs, port->index);
}

static void end_debounce(struct timer *timer)
{
    settle_link(CONTAINER_OF(timer, struct switch_port, debounce));
}

/* Until a new link counts, nothing is taken from it or sent to it; an interruption that is over
 * before it counts leaves addresses and forwarding as they were. */
static void change_carrier(struct port *port, bool is_up)
{
    struct switch_port *changed = switch_port_of(port);
    struct sw *sw = changed->sw;

    sw->wire->trace->ops->event(sw->wire->trace, now_ns(sw), port->name, "carrier", is_up);
    if (!is_up)
        forget_asking(changed);
    if (is_up == changed->is_up) {
        clock_cancel(sw->wire->clock, &changed->debounce);
        return;
    }
    if (sw->link_debounce_ns == 0) {
        clock_cancel(sw->wire->clock, &changed->debounce);
        settle_link(changed);
        return;
    }
    if (is_up && !changed->group) /* a group does not use it yet */
        changed->forwards_from_ns = TIME_NEVER;
    clock_arm(sw->wire->clock, &changed->debounce, time_after(now_ns(sw), sw->link_debounce_ns));
}

static void enter(struct sw *sw, enum switch_state state)
{
    switch (state) {
    case SWITCH_OFF:
        break;
    case SWITCH_BOOTING:
        assert(sw->state == SWITCH_OFF);
        break;
    case SWITCH_RUNNING:
        assert(sw->state == SWITCH_BOOTING);
        break;
    }
    sw->state = state;
    note(sw, "state", state);
    for (uint32_t i = 0; i < sw->port_count; i++)
        if (sw->ports[i].port.is_powered != (state == SWITCH_RUNNING))
            port_set_powered(&sw->ports[i].port, state == SWITCH_RUNNING);
}

/* Nobody is left to debounce: what was a link is none. */
static void lose_power(struct sw *sw)
{
    clock_cancel(sw->wire->clock, &sw->boot);
    drop_held(sw, DROP_POWERED_OFF);
    enter(sw, SWITCH_OFF);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        clock_cancel(sw->wire->clock, &sw->ports[i].debounce);
        sw->ports[i].is_up = false;
        if (sw->ports[i].group)
            lag_set_up(&sw->ports[i].group->lag, sw->ports[i].link, false);
    }
    mac_table_flush(sw->macs);
}

static void start_boot(struct sw *sw, int64_t boot_ns)
{
    enter(sw, SWITCH_BOOTING);
    clock_arm(sw->wire->clock, &sw->boot, time_after(now_ns(sw), boot_ns));
}

static void end_boot(struct timer *timer)
{
    enter(CONTAINER_OF(timer, struct sw, boot), SWITCH_RUNNING);
}

static void add_port(struct sw *sw, uint32_t index, const struct switch_config *config)
{
    static const struct port_ops ops = {
        .on_frame = take_in, .on_carrier = change_carrier, .on_replanned = change_plan};
    struct link_config link = {.rate_bits_per_s = UNPLUGGED_RATE,
                               .queue_bytes = config->port_buffer_bytes};
    static const struct switch_port_config plain;
    const struct switch_port_config *own = config->ports ? &config->ports[index] : &plain;
    struct switch_port *added = &sw->ports[index];
    char name[128];

    snprintf(name, sizeof(name), "%s.%u", config->name, index + 1);
    *added = (struct switch_port){.sw = sw,
                                  .index = (int)index,
                                  .bridge_port = added,
                                  .vlan = own->vlan,
                                  .is_blocked = own->is_blocked,
                                  .is_edge = own->is_edge};
    if (!added->vlan.trunk && added->vlan.untagged == VLAN_NONE)
        added->vlan.untagged = VLAN_DEFAULT;
    timer_init(&added->debounce, end_debounce);
    if (link.queue_bytes == 0 && config->shared_buffer_bytes == 0)
        link.queue_bytes = DEFAULT_BUFFER_BYTES;
    port_init(&added->port, sw->wire, name, &ops, &link);
    added->port.tx.buffer = &sw->buffer;
    added->port.head_bytes = config->is_cut_through ? CUT_THROUGH_BYTES : 0;
    added->port.flow_control = own->flow_control;
    added->port.is_powered = true;
}

struct sw *switch_new(struct wire *wire, const struct switch_config *config)
{
    static const struct holding_ops holding_ops = {.on_due = pass_on_late};

    assert(config->port_count > 0);
    assert(config->port_count <= MOST_PORTS);
    struct sw *sw = mem_new(sizeof(*sw) + config->port_count * sizeof(struct switch_port));
    int64_t age_ns = config->mac_age_ns ? config->mac_age_ns : DEFAULT_MAC_AGE_NS;

    *sw = (struct sw){
        .wire = wire,
        .name = mem_text(config->name),
        .state = SWITCH_RUNNING,
        .macs =
            mac_table_new(config->mac_entries ? config->mac_entries : DEFAULT_MAC_ENTRIES, age_ns),
        .forwarding_delay_ns = config->forwarding_delay_ns,
        .boot_ns = config->boot_ns,
        .port_forwarding_delay_ns = config->port_forwarding_delay_ns,
        .link_debounce_ns = config->link_debounce_ns,
        .pause_at_bytes = config->pause_at_bytes ? config->pause_at_bytes : DEFAULT_PAUSE_BYTES,
        .resume_at_bytes = config->resume_at_bytes ? config->resume_at_bytes : DEFAULT_RESUME_BYTES,
        .port_count = config->port_count,
    };
    assert(sw->resume_at_bytes < sw->pause_at_bytes);
    packet_buffer_init(&sw->buffer, config->shared_buffer_bytes,
                       config->alpha_128ths ? config->alpha_128ths : PACKET_BUFFER_ALPHA_ONE,
                       config->port_count);
    timer_init(&sw->drain, look_at_drain);
    holding_init(&sw->holding, wire, &holding_ops);
    switch_set_mtu_bytes(sw, config->mtu_bytes ? config->mtu_bytes : DEFAULT_MTU_BYTES);
    timer_init(&sw->boot, end_boot);
    for (uint32_t i = 0; i < sw->port_count; i++)
        add_port(sw, i, config);
    sw->group_count = config->group_count;
    sw->groups = mem_array(config->group_count, sizeof(*sw->groups));
    for (uint32_t i = 0; i < sw->group_count; i++)
        add_group(sw, &sw->groups[i], &config->groups[i]);
    return sw;
}

void switch_free(struct sw *sw)
{
    if (!sw)
        return;
    clock_cancel(sw->wire->clock, &sw->boot);
    clock_cancel(sw->wire->clock, &sw->drain);
    for (uint32_t i = 0; i < sw->group_count; i++)
        lag_fini(&sw->groups[i].lag);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        clock_cancel(sw->wire->clock, &sw->ports[i].debounce);
        port_fini(&sw->ports[i].port);
    }
    holding_fini(&sw->holding);
    packet_buffer_fini(&sw->buffer);
    mac_table_free(sw->macs);
    impair_fini(&sw->impair);
    free(sw->groups);
    free(sw->name);
    free(sw);
}

const char *switch_name(const struct sw *sw)
{
    return sw->name;
}

uint32_t switch_port_count(const struct sw *sw)
{
    return sw->port_count;
}

struct port *switch_port(struct sw *sw, uint32_t number)
{
    assert(number >= 1);
    assert(number <= sw->port_count);
    return &sw->ports[number - 1].port;
}

bool switch_is_running(const struct sw *sw)
{
    return sw->state == SWITCH_RUNNING;
}

int64_t switch_boot_ns(const struct sw *sw)
{
    return sw->boot_ns;
}

void switch_power_off(struct sw *sw)
{
    if (sw->unpowered++ == 0)
        lose_power(sw);
}

void switch_power_on(struct sw *sw)
{
    assert(sw->unpowered > 0);
    if (--sw->unpowered == 0)
        start_boot(sw, sw->boot_ns);
}

void switch_reboot(struct sw *sw, int64_t boot_ns)
{
    if (sw->unpowered > 0)
        return; /* nothing there to reboot */
    lose_power(sw);
    start_boot(sw, boot_ns ? boot_ns : sw->boot_ns);
}

void switch_freeze(struct sw *sw)
{
    sw->frozen++;
    drop_held(sw, DROP_FROZEN);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        forget_asking(&sw->ports[i]);
        link_drop_queued(&sw->ports[i].port.tx, DROP_FROZEN);
    }
}

void switch_thaw(struct sw *sw)
{
    assert(sw->frozen > 0);
    sw->frozen--;
}

void switch_flush(struct sw *sw)
{
    mac_table_flush(sw->macs);
}

struct impair_layer *switch_impair(struct sw *sw, const struct impair_config *config)
{
    return impair_add(&sw->impair, config, sw->wire->seed, sw->name);
}

void switch_repair(struct sw *sw, struct impair_layer *layer)
{
    impair_remove(&sw->impair, layer);
}

void switch_set_mtu_bytes(struct sw *sw, uint32_t mtu_bytes)
{
    assert(mtu_bytes >= MTU_LEAST_BYTES);
    assert(mtu_bytes <= MTU_MOST_BYTES);
    sw->mtu_bytes = mtu_bytes;
}

void switch_set_forwarding_delay_ns(struct sw *sw, int64_t delay_ns)
{
    assert(delay_ns >= 0);
    sw->forwarding_delay_ns = delay_ns;
}

void switch_set_port_forwarding_delay_ns(struct sw *sw, int64_t delay_ns)
{
    sw->port_forwarding_delay_ns = delay_ns;
}

void switch_set_mac_age_ns(struct sw *sw, int64_t age_ns)
{
    mac_table_set_age_ns(sw->macs, age_ns);
}

void switch_set_port_buffer_bytes(struct sw *sw, uint64_t bytes)
{
    for (uint32_t i = 0; i < sw->port_count; i++)
        sw->ports[i].port.tx.config.queue_bytes = bytes;
}

void switch_set_shared_buffer_bytes(struct sw *sw, uint64_t bytes)
{
    sw->buffer.limit_bytes = bytes;
}

void switch_set_link_debounce_ns(struct sw *sw, int64_t debounce_ns)
{
    assert(debounce_ns >= 0);
    sw->link_debounce_ns = debounce_ns;
}

void switch_set_blocked(struct sw *sw, uint32_t port_number, bool is_blocked)
{
    assert(port_number >= 1);
    assert(port_number <= sw->port_count);
    struct switch_port *port = sw->ports[port_number - 1].bridge_port;

    port->is_blocked = is_blocked;
    if (is_blocked)
        mac_table_forget_port(sw->macs, port->index);
}

void switch_block_port(struct sw *sw, uint32_t port_number)
{
    assert(port_number >= 1);
    assert(port_number <= sw->port_count);
    struct switch_port *port = sw->ports[port_number - 1].bridge_port;

    if (port->blocks++ == 0)
        mac_table_forget_port(sw->macs, port->index);
}

void switch_unblock_port(struct sw *sw, uint32_t port_number)
{
    assert(port_number >= 1);
    assert(port_number <= sw->port_count);
    struct switch_port *port = sw->ports[port_number - 1].bridge_port;

    assert(port->blocks > 0);
    port->blocks--;
}

uint64_t switch_forwarded(const struct sw *sw)
{
    return sw->forwarded;
}

uint64_t switch_flooded(const struct sw *sw)
{
    return sw->flooded;
}

uint64_t switch_flooded_unknown(const struct sw *sw)
{
    return sw->flooded_unknown;
}

uint64_t switch_mac_moves(const struct sw *sw)
{
    return sw->mac_moves;
}

uint64_t switch_duplicated(const struct sw *sw)
{
    return sw->duplicated;
}

uint64_t switch_reordered(const struct sw *sw)
{
    return sw->reordered;
}

uint64_t switch_mac_refused(const struct sw *sw)
{
    return sw->mac_refused;
}

size_t switch_mac_count(const struct sw *sw)
{
    return mac_table_count(sw->macs);
}

uint64_t switch_dropped(const struct sw *sw, enum drop_reason reason)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < sw->port_count; i++)
        count += port_dropped(&sw->ports[i].port, reason);
    return count;
}

bool switch_check(const struct sw *sw, char *ret_text, size_t text_bytes)
{
    uint64_t received = 0; /* less what was for the port itself */
    uint64_t dropped = 0;
    uint64_t copies = 0; /* less what came from the port itself */

    for (uint32_t i = 0; i < sw->port_count; i++) {
        const struct port *port = &sw->ports[i].port;

        received += port->received - port->controls - port->lacpdus_heard;
        copies += port->tx.counts.offered - port->pauses_sent - port->lacpdus_sent;
        for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
            dropped += port->dropped[reason];
    }
    if (received + sw->duplicated != dropped + sw->forwarded + sw->holding.count ||
        copies != sw->copies || copies < sw->forwarded) {
        snprintf(ret_text, text_bytes,
                 "switch '%s' received %" PRIu64 " frames and doubled %" PRIu64 ", dropped %" PRIu64
                 " with a reason, holds %zu back and sent %" PRIu64 " on in %" PRIu64
                 " copies, of which %" PRIu64 " left for its ports",
                 sw->name, received, sw->duplicated, dropped, sw->holding.count, sw->forwarded,
                 sw->copies, copies);
        return false;
    }
    if (sw->sent_above_mtu > 0) {
        snprintf(ret_text, text_bytes, "switch '%s' sent on %" PRIu64 " frames above its MTU",
                 sw->name, sw->sent_above_mtu);
        return false;
    }
    return true;
}
