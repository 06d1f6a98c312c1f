/* VLANs (802.1Q-2018): which of them a switch port carries, and the tag that says so on the wire.
 *
 *   access port   untagged frames of one VLAN; a frame with a tag is refused
 *   trunk port    frames of several VLANs, each with its tag; those of the native one without
 *
 *   ... | source | 81 00 | priority 3 bits, drop eligible 1, VLAN 12 | type | ...     (9.6)
 *
 * A tag goes in and out by moving the two addresses in front of it: the room for it is there in
 * every frame, and a payload is never copied. A tag of VLAN 0 carries a priority only (6.9): the
 * frame counts as untagged.
 */
#pragma once

#include "sim/net/frame.h"

#include <stdbool.h>
#include <stdint.h>

#define VLAN_NONE    0u /* no VLAN: untagged, or refused */
#define VLAN_DEFAULT 1u
#define VLAN_MOST    4094u /* 4095 is reserved (table 9-2) */

/* Any of the VLANs from 1 to 4094. {0} is empty. */
struct vlan_set {
    uint64_t words[64];
};

static inline bool vlan_set_has(const struct vlan_set *set, uint32_t vlan)
{
    return (set->words[vlan / 64] >> vlan % 64 & 1) != 0;
}
void vlan_set_add(struct vlan_set *set, uint32_t first, uint32_t last);

/* What a switch port does with VLANs. */
struct vlan_port {
    const struct vlan_set *trunk; /* borrowed; NULL: an access port */
    uint32_t untagged;            /* the access port's VLAN, or the native one of a trunk */
};

/* Does the port carry frames of 'vlan'? */
static inline bool vlan_port_carries(const struct vlan_port *port, uint32_t vlan)
{
    return port->trunk ? vlan_set_has(port->trunk, vlan) : port->untagged == vlan;
}
/* Does a frame of 'vlan', which it carries, leave with a tag? */
static inline bool vlan_port_tags(const struct vlan_port *port, uint32_t vlan)
{
    return port->untagged != vlan;
}
/* The VLAN of a frame that arrives with a tag of VLAN 'tag' (VLAN_NONE: without, or with a priority
 * only); VLAN_NONE: refused. */
uint32_t vlan_trunk_takes(const struct vlan_port *port, uint32_t tag);
static inline uint32_t vlan_port_takes(const struct vlan_port *port, uint32_t tag)
{
    if (port->trunk)
        return vlan_trunk_takes(port, tag);
    return tag == VLAN_NONE ? port->untagged : VLAN_NONE;
}

/* The VLAN in the tag of a frame; VLAN_NONE: it has no tag, or one for a priority only. */
static inline uint32_t frame_vlan(const struct frame *frame)
{
    return frame_is_tagged(frame) ? (frame->headers[14] & 0x0fu) << 8 | frame->headers[15]
                                  : VLAN_NONE;
}

/* The same frame with a tag of 'vlan' (whatever its tag was, the priority stays), or without one.
 * Both take ownership of 'frame'; if others hold it, too, they get a frame of their own with the
 * same payload. */
struct frame *frame_with_tag(struct frame *frame, uint32_t vlan);
struct frame *frame_without_tag(struct frame *frame);
