/* Network interfaces: address filter, MTU, back-pressure, and the driver's view of carrier. */
#include "sim/net/nic.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/port.h"
#include "sim/net/vlan.h"

#include <stdlib.h>

#define DEFAULT_MTU_BYTES    1500u
#define DEFAULT_QUEUE_FRAMES 256u
#define UNPLUGGED_RATE       INT64_C(1000000000) /* until a cable says better */

struct nic {
    struct port port;
    struct nic_user *user;   /* borrowed */
    struct nic_below *below; /* borrowed; NULL: it has a cable of its own */
    bool is_carried;         /* from below */
    struct mac_addr mac;
    uint32_t mtu_bytes;
    uint32_t index; /* in the fabric */
    int64_t link_debounce_ns;
    bool is_up; /* carrier as the host knows it */
    bool is_promiscuous;
    struct timer debounce;
    uint32_t unpowered; /* layers */
};

static struct nic *nic_of(struct port *port)
{
    return CONTAINER_OF(port, struct nic, port);
}

static int64_t now_ns(const struct nic *nic)
{
    return clock_now_ns(nic->port.wire->clock);
}

static void show_tap(const struct nic *nic, enum direction direction, const struct frame *frame)
{
    struct tap *tap = nic->port.wire->tap;

    if (tap)
        tap->ops->frame(tap, now_ns(nic), nic->index, direction, frame);
}

static void take_in(struct port *port, struct frame *frame)
{
    struct nic *nic = nic_of(port);
    struct mac_addr to = frame_to(frame);

    if (!nic->is_promiscuous && !mac_is_equal(to, nic->mac) && !mac_is_group(to)) {
        port->dropped[DROP_NOT_MINE]++; /* the filter of the hardware: nobody sees it */
        frame_unref(frame);
        return;
    }
    if (!nic->is_promiscuous &&
        frame_vlan(frame) != VLAN_NONE) { /* no VLAN here; a priority alone does no harm */
        port_drop_received(port, DROP_TAGGED, frame);
        return;
    }
    if (frame_packet_bytes(frame) > nic->mtu_bytes) {
        port_drop_received(port, DROP_TOO_BIG, frame);
        return;
    }
    show_tap(nic, DIRECTION_IN, frame);
    if (nic->user)
        nic->user->ops->on_frame(nic->user, nic, frame);
    else
        port_drop_received(port, DROP_UNKNOWN, frame);
}

static void pass_on_room(struct port *port)
{
    struct nic *nic = nic_of(port);

    if (nic->user)
        nic->user->ops->on_room(nic->user, nic);
}

/* The driver waits whether the change lasts. */
static void change_carrier(struct port *port, bool is_up)
{
    struct nic *nic = nic_of(port);
    struct wire *wire = port->wire;

    wire->trace->ops->event(wire->trace, now_ns(nic), port->name, "carrier", is_up);
    if (is_up == nic->is_up)
        clock_cancel(wire->clock, &nic->debounce);
    else
        clock_arm(wire->clock, &nic->debounce, time_after(now_ns(nic), nic->link_debounce_ns));
}

static void tell_carrier(struct timer *timer)
{
    struct nic *nic = CONTAINER_OF(timer, struct nic, debounce);

    nic->is_up = nic->port.has_carrier;
    if (nic->user)
        nic->user->ops->on_carrier(nic->user, nic, nic->is_up);
}

/* Carrier of a NIC without a cable follows from below and from itself. */
static void settle_below(struct port *port)
{
    struct nic *nic = nic_of(port);
    bool is_up = nic->is_carried && port_is_lit(&nic->port);

    if (!nic->below || is_up == nic->port.has_carrier)
        return;
    nic->port.has_carrier = is_up;
    change_carrier(&nic->port, is_up);
}

/* The second least bit of the first octet: locally administered (IEEE 802-2014, 8.4). */
static struct mac_addr mac_of_index(uint32_t index)
{
    uint32_t number = index + 1;

    return (struct mac_addr){
        {0x02, 0x00, 0x00, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

struct nic *nic_new(struct wire *wire, const struct nic_config *config, uint32_t nic_index)
{
    static const struct port_ops ops = {.is_station = true,
                                        .on_frame = take_in,
                                        .on_room = pass_on_room,
                                        .on_carrier = change_carrier,
                                        .on_lit = settle_below};
    struct link_config link = {.rate_bits_per_s = UNPLUGGED_RATE,
                               .queue_frames = config->queue_frames ? config->queue_frames
                                                                    : DEFAULT_QUEUE_FRAMES};
    static const struct mac_addr none;
    struct nic *nic = mem_new(sizeof(*nic));

    *nic = (struct nic){
        .mac = mac_is_equal(config->mac, none) ? mac_of_index(nic_index) : config->mac,
        .index = nic_index,
        .link_debounce_ns = config->link_debounce_ns,
    };
    nic_set_mtu_bytes(nic, config->mtu_bytes ? config->mtu_bytes : DEFAULT_MTU_BYTES);
    timer_init(&nic->debounce, tell_carrier);
    port_init(&nic->port, wire, config->name, &ops, &link);
    nic->port.is_powered = true;
    nic->port.flow_control = config->flow_control;
    return nic;
}

void nic_free(struct nic *nic)
{
    if (!nic)
        return;
    clock_cancel(nic->port.wire->clock, &nic->debounce);
    port_fini(&nic->port);
    free(nic);
}

void nic_set_user(struct nic *nic, struct nic_user *user)
{
    nic->user = user;
}

void nic_set_promiscuous(struct nic *nic, bool is_promiscuous)
{
    nic->is_promiscuous = is_promiscuous;
}

void nic_begin(struct nic *nic)
{
    nic->is_up = nic->port.has_carrier;
    clock_cancel(nic->port.wire->clock, &nic->debounce);
}

void nic_set_below(struct nic *nic, struct nic_below *below)
{
    assert(!nic->port.cable);
    nic->below = below;
}

void nic_take_from_below(struct nic *nic, struct frame *frame)
{
    nic->port.received++;
    nic->port.received_bytes += frame_bytes(frame);
    if (!nic->port.has_carrier)
        port_drop_received(&nic->port, DROP_NO_CARRIER, frame);
    else if (nic->port.frozen[DIRECTION_IN] > 0)
        port_drop_received(&nic->port, DROP_FROZEN, frame);
    else
        take_in(&nic->port, frame);
}

void nic_set_carried(struct nic *nic, bool is_carried)
{
    nic->is_carried = is_carried;
    settle_below(&nic->port);
}

void nic_pass_room(struct nic *nic)
{
    pass_on_room(&nic->port);
}

void nic_pass_moved(struct nic *nic)
{
    if (nic->user && nic->user->ops->on_moved)
        nic->user->ops->on_moved(nic->user, nic);
}

const char *nic_name(const struct nic *nic)
{
    return nic->port.name;
}

struct mac_addr nic_mac(const struct nic *nic)
{
    return nic->mac;
}

void nic_set_mac(struct nic *nic, struct mac_addr mac)
{
    nic->mac = mac;
}

uint32_t nic_mtu_bytes(const struct nic *nic)
{
    return nic->mtu_bytes;
}

void nic_set_mtu_bytes(struct nic *nic, uint32_t mtu_bytes)
{
    assert(mtu_bytes >= MTU_LEAST_BYTES);
    assert(mtu_bytes <= MTU_MOST_BYTES);
    nic->mtu_bytes = mtu_bytes;
}

struct port *nic_port(struct nic *nic)
{
    return &nic->port;
}

const struct port *nic_port_const(const struct nic *nic)
{
    return &nic->port;
}

bool nic_has_carrier(const struct nic *nic)
{
    return nic->port.has_carrier;
}

bool nic_is_up(const struct nic *nic)
{
    return nic->is_up;
}

bool nic_is_enabled(const struct nic *nic)
{
    return nic->port.disabled == 0;
}

uint32_t nic_room(struct nic *nic)
{
    if (nic->below && nic->port.has_carrier)
        return nic->below->ops->room(nic->below);
    uint32_t room = link_room(&nic->port.tx);

    if (room == 0)
        link_want_room(&nic->port.tx);
    return room;
}

void nic_send(struct nic *nic, struct frame *frame)
{
    assert(frame_packet_bytes(frame) <= nic->mtu_bytes);
    if (nic->below && nic->port.has_carrier && nic->port.frozen[DIRECTION_OUT] == 0) {
        show_tap(nic, DIRECTION_OUT, frame);
        nic->below->ops->send(nic->below, frame);
        return;
    }
    if (nic->port.has_carrier && link_room(&nic->port.tx) > 0)
        show_tap(nic, DIRECTION_OUT, frame);
    port_send(&nic->port, frame, now_ns(nic), 0);
}

void nic_disable(struct nic *nic)
{
    port_disable(&nic->port);
}

void nic_enable(struct nic *nic)
{
    port_enable(&nic->port);
}

void nic_freeze(struct nic *nic, enum direction direction)
{
    port_freeze(&nic->port, direction);
}

void nic_thaw(struct nic *nic, enum direction direction)
{
    port_thaw(&nic->port, direction);
}

void nic_begin_storm(struct nic *nic)
{
    port_begin_storm(&nic->port);
}

void nic_end_storm(struct nic *nic)
{
    port_end_storm(&nic->port);
}

void nic_power_off(struct nic *nic)
{
    if (nic->unpowered++ == 0)
        port_set_powered(&nic->port, false);
}

void nic_power_on(struct nic *nic)
{
    assert(nic->unpowered > 0);
    if (--nic->unpowered == 0)
        port_set_powered(&nic->port, true);
}

uint64_t nic_dropped(const struct nic *nic, enum drop_reason reason)
{
    return port_dropped(&nic->port, reason);
}

void nic_drop_received(struct nic *nic, enum drop_reason reason, struct frame *frame)
{
    port_drop_received(&nic->port, reason, frame);
}
