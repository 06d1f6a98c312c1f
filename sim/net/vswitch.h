/* A virtual switch in a host (Hyper-V): virtual NICs in front of a physical one, its uplink.
 *
 *     vNIC --+
 *            +-- [ switch ] --[inner port]-- uplink NIC -- cable
 *     vNIC --+
 *
 * It is a cut-through switch without VLANs whose port 1 leads to the uplink; each virtual NIC has a
 * port of its own, by a cable of the uplink's rate that nobody can pull. What follows from that is
 * what people meet: a virtual NIC keeps its carrier while the uplink has none, so that nothing
 * above it hears of a dead cable; frames for the uplink are lost there, 'no-carrier'. A frame above
 * the uplink's MTU is dropped at the uplink, 'too-big', whatever the virtual NIC's MTU says; among
 * virtual NICs it passes.
 *
 * The uplink NIC takes every frame, as the extensible switch has it do, and has no address.
 */
#pragma once

#include "sim/net/nic.h"
#include "sim/net/port.h"

struct vswitch {
    struct nic_user user; /* of the uplink */
    struct nic *uplink;   /* borrowed */
    struct port inner;    /* the uplink's side of port 1 of the switch */
};

/* Life cycle: see fabric_add_vswitch(). 'name' is that of the inner port. */
struct vswitch *vswitch_new(struct wire *wire, const char *name, struct nic *uplink);
void vswitch_free(struct vswitch *vswitch);
