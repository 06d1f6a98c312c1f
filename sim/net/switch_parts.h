/* What the parts of a switch share. Nobody else includes this.
 *
 *     switch.c            power, settings, what is counted
 *     switch_port.c       a port's link and whether frames may pass it
 *     switch_group.c      ports that are one: which of them a frame takes, and their LACPDUs
 *     switch_pressure.c   who fills the switch is asked for silence
 *     switch_relay.c      the way of a frame from one port to others
 */
#pragma once

#include "sim/core/attributes.h"
#include "sim/net/holding.h"
#include "sim/net/packet_buffer.h"
#include "sim/net/switch.h"

struct mac_table;

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
     * or delayed (802.1AX puts it below the bridge), and this one keeps the four that follow for
     * all. */
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

static inline struct switch_port *switch_port_of(struct port *port)
{
    return CONTAINER_OF(port, struct switch_port, port);
}

static inline int64_t switch_now_ns(const struct sw *sw)
{
    return clock_now_ns(sw->wire->clock);
}

static inline void switch_note(struct sw *sw, const char *what, uint64_t number)
{
    sw->wire->trace->ops->event(sw->wire->trace, switch_now_ns(sw), sw->name, what, number);
}

/* ---- switch_port.c ---- */

/* Life cycle of the port at 'index'; it is in no group yet. */
void switch_port_init(struct sw *sw, uint32_t index, const struct switch_config *config);
void switch_port_fini(struct switch_port *port);

/* Its link is gone at once. What was learned behind it is the caller's to forget. */
void switch_port_lose_power(struct switch_port *port);
/* Its forwarding delay begins now. */
void switch_port_start_forwarding(struct switch_port *bridge_port);

static inline bool switch_port_is_blocked(const struct switch_port *port)
{
    return port->bridge_port->is_blocked || port->bridge_port->blocks > 0;
}
/* Neither blocked nor still in its forwarding delay. */
static inline bool switch_port_is_forwarding(const struct switch_port *port)
{
    return !switch_port_is_blocked(port) &&
           switch_now_ns(port->sw) >= port->bridge_port->forwards_from_ns;
}

/* ---- switch_group.c ---- */

/* Life cycle. Its ports are initialised before; which of them are up it hears from them. */
void switch_group_init(struct switch_group *group, struct sw *sw,
                       const struct switch_group_config *config);
void switch_group_fini(struct switch_group *group);

/* A frame that came in by a port of a group; true: it was a LACPDU for it (kept by the caller all
 * the same). */
bool switch_group_hear(struct switch_port *in, const struct frame *frame);

/* The port that a frame for this way leaves by; NULL: none of the group carries anything. */
static inline struct switch_port *switch_group_choose(struct switch_port *bridge_port,
                                                      const struct frame *frame)
{
    if (!bridge_port->group)
        return bridge_port;
    unsigned link = lag_choose(&bridge_port->group->lag, frame);

    return link == LAG_NO_LINK ? NULL : bridge_port->group->ports[link];
}

/* ---- switch_pressure.c ---- */

void switch_pressure_init(struct sw *sw, const struct switch_config *config);
void switch_pressure_fini(struct sw *sw);

/* Every queue books out what has left by now. */
void switch_pressure_book_out(struct sw *sw);
/* A frame came in by this port, which has FLOW_CONTROL_ASK: do too many of its bytes wait now? */
void switch_pressure_watch(struct switch_port *in);
/* The port's peer fell silent or talks again, or frames were lost: departures come at other times.
 */
void switch_pressure_replan(struct port *port);
/* The port can no longer ask, or say that it no longer does. */
void switch_pressure_forget(struct switch_port *in);

/* ---- switch_relay.c ---- */

/* What a port does with a frame that arrived. Takes ownership of 'frame'. */
void switch_relay_take(struct port *port, struct frame *frame);
/* Frames that a fault holds back are lost. */
void switch_relay_drop_held(struct sw *sw, enum drop_reason reason);

void switch_relay_init(struct sw *sw);
void switch_relay_fini(struct sw *sw);
