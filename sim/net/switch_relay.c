/* The way of a frame through the switch: is it taken, what do faults make of it, which ports does
 * it leave by, and does it fit into their queues?
 *
 * What comes in by a port is refused, or its sender is learned, and it goes on: to the port where
 * its receiver was learned, or to all of its VLAN. All of that happens within the event that
 * brought it; only what a fault makes late is held back until its time.
 */
#include "sim/core/time.h"
#include "sim/net/frame_codec.h"
#include "sim/net/mac_table.h"
#include "sim/net/switch_parts.h"

#include <string.h>

#define PLANTED_LOSS_EVERY 1000u

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

static bool has_room(struct sw *sw, struct switch_port *out, uint32_t bytes)
{
    if (packet_buffer_has_room(&sw->buffer, link_queued_bytes(&out->port.tx), bytes))
        return true;
    switch_pressure_book_out(sw);
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

static bool can_forward(const struct switch_port *out, uint32_t vlan)
{
    return out->port.has_carrier && switch_port_is_forwarding(out) &&
           vlan_port_carries(&out->vlan, vlan);
}

static void flood(struct sw *sw, struct frame *frame, const struct passage *passage)
{
    uint32_t copies = 0;
    bool is_unknown = !mac_is_group(frame_to(frame));

    for (uint32_t i = 0; i < sw->port_count; i++) {
        struct switch_port *out = &sw->ports[i];

        if (out->bridge_port != out || out == passage->in->bridge_port)
            continue; /* another port stands for it, or it came from there */
        out = switch_group_choose(out, frame);
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
    if (switch_port_is_blocked(in))
        return DROP_BLOCKED;
    if (in->group && !lag_takes(&in->group->lag, in->link))
        return DROP_STANDBY;
    if (switch_now_ns(sw) < in->bridge_port->forwards_from_ns)
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
    enum mac_learned learned =
        mac_table_learn(sw->macs, vlan, from, in->bridge_port->index, switch_now_ns(sw));

    sw->mac_moves += learned == MAC_MOVED;
    sw->mac_refused += learned == MAC_NO_ROOM;
}

/* Finds the way out of a frame whose last bit is there at 'tail_ns'. Bits that flipped in the
 * switch may have taken it out of its VLAN. */
static void pass_on(struct sw *sw, struct switch_port *in, struct frame *frame, int64_t tail_ns)
{
    struct passage passage = {.in = in,
                              .vlan = vlan_port_takes(&in->vlan, frame_vlan(frame)),
                              .eligible_ns = switch_now_ns(sw) + sw->forwarding_delay_ns,
                              .stored_ns = tail_ns + sw->forwarding_delay_ns};
    struct mac_addr to = frame_to(frame);

    if (passage.vlan == VLAN_NONE) {
        port_drop_received(&in->port, no_vlan(in, frame), frame);
        return;
    }
    int index = mac_is_group(to) ? MAC_PORT_NONE
                                 : mac_table_find(sw->macs, passage.vlan, to, switch_now_ns(sw));

    if (index == MAC_PORT_NONE) {
        flood(sw, frame, &passage);
        return;
    }
    struct switch_port *out = switch_group_choose(&sw->ports[index], frame);

    if (index == in->bridge_port->index) {
        port_drop_received(&in->port, DROP_SAME_PORT, frame);
    } else if (!out) {
        port_drop_received(&in->port, DROP_NO_WAY_OUT, frame);
    } else if (!switch_port_is_forwarding(out)) {
        port_drop_received(&in->port, DROP_NOT_FORWARDING, frame);
    } else {
        sw->forwarded++;
        send_out(sw, out, frame, &passage);
    }
}

/* Bits flip in the frame. NULL: somebody saw it, and it was dropped. */
static struct frame *damage(struct switch_port *in, struct frame *frame,
                            const struct impair_verdict *verdict)
{
    if (impair_damage(verdict, &frame) && frame->is_fcs_bad && in->port.head_bytes == 0) {
        port_drop_received(&in->port, DROP_CORRUPT, frame);
        return NULL;
    }
    return frame;
}

/* When a frame that comes now has been delayed, after those before it. */
static int64_t delayed_until(struct sw *sw)
{
    int64_t at_ns = time_after(switch_now_ns(sw), impair_delay_ns(&sw->impair));

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
    if (at_ns > switch_now_ns(sw))
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
    if (impair_is_none(&sw->impair) && switch_now_ns(sw) >= sw->delayed_until_ns)
        pass_on(sw, in, frame, in->port.peer->tx.tail_ns);
    else
        suffer(sw, in, frame);
}

void switch_relay_take(struct port *port, struct frame *frame)
{
    struct switch_port *in = switch_port_of(port);
    struct sw *sw = in->sw;

    if (in->group && switch_group_hear(in, frame)) {
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
    if (in->port.flow_control & FLOW_CONTROL_ASK)
        switch_pressure_watch(in);
}

void switch_relay_drop_held(struct sw *sw, enum drop_reason reason)
{
    struct frame *frame;
    uint32_t from;

    while ((frame = holding_take(&sw->holding, &from)))
        port_drop_received(&sw->ports[from].port, reason, frame);
    sw->delayed_until_ns = 0;
}

static void pass_on_late(struct holding *holding, struct frame *frame, uint32_t from)
{
    struct sw *sw = CONTAINER_OF(holding, struct sw, holding);

    pass_on(sw, &sw->ports[from], frame, switch_now_ns(sw));
}

void switch_relay_init(struct sw *sw)
{
    static const struct holding_ops ops = {.on_due = pass_on_late};

    holding_init(&sw->holding, sw->wire, &ops);
}

void switch_relay_fini(struct sw *sw)
{
    holding_fini(&sw->holding);
}
