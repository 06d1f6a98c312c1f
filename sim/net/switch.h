/* A learning switch with VLANs (802.1Q-2018, clause 8), store-and-forward or cut-through.
 *
 *     OFF --power--> BOOTING --boot_time--> RUNNING
 *      ^                |                      |
 *      '------------- power off ---------------'
 *
 * A frame that arrived as a whole is looked up and leaves by one port or by all others; its way
 * through the switch costs no event, it only makes the frame eligible later. Buffers are finite,
 * with tail drop: per egress port, or one shared memory (packet_buffer.h), or both. What is above
 * the MTU is dropped silently, and counted. Without power it forgets MAC table and queues; its
 * ports have carrier from the end of the boot on. Frozen, it keeps its carrier, and nothing passes.
 *
 * A frame belongs to the VLAN that the port it came in by gives it (vlan.h), goes only to ports
 * that carry this VLAN, and is learned there alone. There is one class of traffic, so that the
 * priority in a tag changes nothing. No spanning tree runs: whoever builds a ring blocks a port of
 * it.
 *
 * A port with FLOW_CONTROL_ASK asks its peer for silence (802.3x) while more than 'pause_at_bytes'
 * that came in by it wait in the switch, until no more than 'resume_at_bytes' do. Switch and peer
 * forget that when the link or the power goes, and a frozen switch no longer repeats it.
 *
 * Cut through, a frame is looked up when its first 64 bytes are in, and begins to leave as soon as
 * the way out is free; where that is faster than the way in, it is stored as a whole first. Its FCS
 * is then nobody's business here: a damaged frame goes on, and the next one that stores it drops
 * it. What is above the MTU is dropped all the same, although a real one can only cut it off: the
 * next one drops the torso.
 *
 * Ports of a group are one to everybody else (802.1AX): an address is learned at the group, a frame
 * leaves by one of them (lag.h), and none goes back to the group that it came from. A port that
 * LACP has not taken into the group carries nothing. LACPDUs need a switch that runs and is not
 * frozen, and pass a port that is blocked. A spanning tree sees the group as one port: what blocks
 * one of its ports blocks them all, and the forwarding delay begins when the first of them begins
 * to carry frames; those that join it later wait for nothing.
 *
 * Faults are layers: two power_off need two power_on.
 */
#pragma once

#include "sim/net/lag.h"
#include "sim/net/port.h"
#include "sim/net/vlan.h"

struct sw;

struct switch_port_config {
    /* {0}: an access port of VLAN 1. The set of a trunk stays the caller's. */
    struct vlan_port vlan;
    bool is_blocked; /* no frame is taken from it or sent to it; its link is up */
    bool is_edge;    /* it forwards at once: no spanning tree delays it */
    enum flow_control flow_control;
};

/* Link aggregation of some ports. */
struct switch_group_config {
    uint32_t ports[LAG_MOST_LINKS]; /* their numbers, from 1; none is in two groups, set alike */
    unsigned port_count;
    struct lag_config lag; /* static or lacp; 'system' and 'key' are the switch's to choose */
};

struct switch_config {
    const char *name;                       /* "switch-1"; copied. Its ports: "switch-1.1", ... */
    uint32_t port_count;                    /* 1 to 4096 */
    const struct switch_port_config *ports; /* 'port_count' of them; NULL: all are {0} */
    const struct switch_group_config *groups;
    uint32_t group_count;
    bool is_cut_through;
    uint32_t mtu_bytes;           /* as a NIC's; 0: 1500. Frame limit: + 14, + 4 with a tag */
    uint64_t port_buffer_bytes;   /* 0: 512 KiB, or no bound beside a shared buffer */
    uint64_t shared_buffer_bytes; /* 0: there is none */
    uint32_t alpha_128ths;        /* of the shared buffer, see packet_buffer.h; 0: 128 */
    uint64_t pause_at_bytes;      /* 0: 64 KiB */
    uint64_t resume_at_bytes;     /* less than pause_at_bytes; 0: 32 KiB */
    /* Through the switch, from the last bit in (cut through: of the first bytes) to the first out.
     */
    int64_t forwarding_delay_ns;
    int64_t boot_ns; /* power to carrier */
    /* Carrier to first frame: 0 (edge port), or spanning tree's. */
    int64_t port_forwarding_delay_ns;
    int64_t link_debounce_ns; /* a change of carrier at a port must last so long to count */
    int64_t mac_age_ns;       /* 0: 300 s */
    uint32_t mac_entries;     /* 0: 16384 */
};

/* Life cycle: see fabric_add_switch(). A switch begins running. */
struct sw *switch_new(struct wire *wire, const struct switch_config *config);
void switch_free(struct sw *sw);

const char *switch_name(const struct sw *sw);
uint32_t switch_port_count(const struct sw *sw);
struct port *switch_port(struct sw *sw, uint32_t number); /* as printed on it: from 1 */
bool switch_is_running(const struct sw *sw);
int64_t switch_boot_ns(const struct sw *sw);

/* Faults. */
void switch_power_off(struct sw *sw);
void switch_power_on(struct sw *sw);                /* the last one boots it */
void switch_reboot(struct sw *sw, int64_t boot_ns); /* power off, and boot; 0: its own boot time */
void switch_freeze(struct sw *sw);
void switch_thaw(struct sw *sw);
void switch_flush(struct sw *sw); /* forgets its MAC table */
/* A fault on the way through: a layer on each of its ports' links would draw apart; this is one. */
struct impair_layer *switch_impair(struct sw *sw, const struct impair_config *config);
void switch_repair(struct sw *sw, struct impair_layer *layer);

/* A spanning tree that is wrong: no frame is taken from the port, or the group that it is in, or
 * sent to it; its link is up. */
void switch_block_port(struct sw *sw, uint32_t port_number);
void switch_unblock_port(struct sw *sw, uint32_t port_number);

/* Settings that a scenario may change. */
void switch_set_mtu_bytes(struct sw *sw, uint32_t mtu_bytes);
void switch_set_forwarding_delay_ns(struct sw *sw, int64_t delay_ns);
void switch_set_mac_age_ns(struct sw *sw, int64_t age_ns);
void switch_set_port_forwarding_delay_ns(struct sw *sw, int64_t delay_ns); /* of later links */
void switch_set_port_buffer_bytes(struct sw *sw, uint64_t bytes);
void switch_set_shared_buffer_bytes(struct sw *sw, uint64_t bytes);   /* what waits stays */
void switch_set_link_debounce_ns(struct sw *sw, int64_t debounce_ns); /* of later changes */
void switch_set_blocked(struct sw *sw, uint32_t port_number, bool is_blocked);

/* Frames received and sent on to at least one port. */
uint64_t switch_forwarded(const struct sw *sw);
uint64_t switch_flooded(const struct sw *sw);         /* of those, to all of the VLAN */
uint64_t switch_flooded_unknown(const struct sw *sw); /* of those, for one receiver, not learned */
size_t switch_mac_count(const struct sw *sw);
uint64_t switch_mac_moves(const struct sw *sw); /* an address came by another port */
uint64_t
switch_mac_refused(const struct sw *sw); /* frames whose sender found no room in the table */
/* Of the faults of the switch itself: second copies made, and frames made late. */
uint64_t switch_duplicated(const struct sw *sw);
uint64_t switch_reordered(const struct sw *sw);
/* Frames dropped here for 'reason', its ports included; DROP_REASON_COUNT: for any. */
uint64_t switch_dropped(const struct sw *sw, enum drop_reason reason);

/* Rule P8: each frame received, and each second copy that a fault made, was dropped with a reason,
 * is held back by a fault or was copied to a port, the ports sent just these copies, none above the
 * MTU left. False: 'ret_text' says what is wrong. */
bool switch_check(const struct sw *sw, char *ret_text, size_t text_bytes);
