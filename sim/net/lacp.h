/* Link aggregation control of one port (IEEE 802.1AX-2020, 6.4), in a compact form: one aggregator,
 * one key, ports that differ in their number.
 *
 * A value that changes: LACPDUs in, LACPDUs out, "wake me at". Its owner is a port of a team or of
 * a switch. The machines of clause 6.4 are these:
 *
 *     receive    EXPIRED --short timeout--> DEFAULTED        CURRENT: the partner was heard of less
 *                   ^  '------ LACPDU -------.   '           than three of its periods ago
 *                   '-- timeout -- CURRENT <-'---'
 *     periodic   every second while the partner (or, heard from nobody, we) asks for short
 *                timeouts, else every 30 seconds
 *     selection  in the group when the partner's system and key are those of the group
 *     mux        WAITING (2 s) -> ATTACHED -> COLLECTING and DISTRIBUTING once the partner is in
 *                sync with us
 *
 * Without carrier the port is disabled and knows no partner.
 */
#pragma once

#include "sim/net/mac_addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LACP_PDU_BYTES     110u /* behind the Ethernet header (802.1AX, 6.4.2.3) */
#define LACP_SUBTYPE       1u
#define ETHERTYPE_SLOW     0x8809u
#define MAC_SLOW_PROTOCOLS ((struct mac_addr){{0x01, 0x80, 0xc2, 0x00, 0x00, 0x02}})

/* Actor_State (6.4.2.3, item j). */
enum lacp_state_bit {
    LACP_ACTIVITY = 1 << 0,
    LACP_SHORT_TIMEOUT = 1 << 1,
    LACP_AGGREGATION = 1 << 2,
    LACP_SYNCHRONIZATION = 1 << 3,
    LACP_COLLECTING = 1 << 4,
    LACP_DISTRIBUTING = 1 << 5,
    LACP_DEFAULTED = 1 << 6,
    LACP_EXPIRED = 1 << 7,
};

/* One side of a link, as a LACPDU tells it. */
struct lacp_info {
    uint16_t system_priority;
    struct mac_addr system;
    uint16_t key;
    uint16_t port_priority;
    uint16_t port; /* from 1 */
    uint8_t state; /* of enum lacp_state_bit */
};

enum lacp_receive { LACP_PORT_DISABLED, LACP_RX_EXPIRED, LACP_RX_DEFAULTED, LACP_RX_CURRENT };

struct lacp {
    enum lacp_receive receive;
    struct lacp_info actor;
    struct lacp_info partner;
    bool is_selected;         /* by its owner, see lacp_select() */
    bool is_attached;         /* the wait of the mux machine is over */
    bool must_send;           /* NTT */
    int64_t current_until_ns; /* the receive machine's timer */
    int64_t attach_at_ns;     /* the mux machine's */
    int64_t send_at_ns;       /* the periodic machine's */
    int64_t sent_at_ns;       /* when the last ones were sent, for the limit of 6.4.16 */
    uint32_t sent_count;      /* within a second from then */
};

/* 'actor' has system, key, port and, in its state, whether it is active and wants short timeouts.
 */
void lacp_init(struct lacp *lacp, const struct lacp_info *actor);
void lacp_set_carrier(struct lacp *lacp, bool is_up, int64_t now_ns);

/* The bytes of a LACPDU that arrived; false: they are none. */
bool lacp_feed(struct lacp *lacp, const uint8_t *bytes, size_t count, int64_t now_ns);
/* A LACPDU to send now, in 'ret_bytes'; false: none is due. Call it until it says so. */
bool lacp_take(struct lacp *lacp, uint8_t ret_bytes[LACP_PDU_BYTES], int64_t now_ns);
int64_t lacp_deadline_ns(const struct lacp *lacp);
void lacp_wake(struct lacp *lacp, int64_t now_ns);

/* The owner's selection: in the group, or not. */
bool lacp_knows_partner(const struct lacp *lacp);
void lacp_select(struct lacp *lacp, bool is_selected, int64_t now_ns);

/* May frames be taken from it and sent to it? */
static inline bool lacp_is_collecting(const struct lacp *lacp)
{
    return (lacp->actor.state & LACP_COLLECTING) != 0;
}
static inline bool lacp_is_distributing(const struct lacp *lacp)
{
    return (lacp->actor.state & LACP_DISTRIBUTING) != 0;
}
