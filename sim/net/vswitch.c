/* The uplink of a virtual switch: frames go from the physical NIC to a port of the switch and back.
 */
#include "sim/net/vswitch.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <stdlib.h>

#define INNER_RATE INT64_C(1000000000) /* until its cable says better */

static void take_from_uplink(struct nic_user *user, struct nic *nic, struct frame *frame)
{
    struct vswitch *vswitch = CONTAINER_OF(user, struct vswitch, user);
    (void)nic;

    port_send(&vswitch->inner, frame, clock_now_ns(vswitch->inner.wire->clock), 0);
}

static void hide_room(struct nic_user *user, struct nic *nic)
{
    (void)user, (void)nic; /* nobody behind the switch waits for the uplink's queue */
}

static void hide_carrier(struct nic_user *user, struct nic *nic, bool is_up)
{
    (void)user, (void)nic, (void)is_up; /* that is what a vSwitch is known for */
}

static void take_from_switch(struct port *port, struct frame *frame)
{
    struct vswitch *vswitch = CONTAINER_OF(port, struct vswitch, inner);

    if (frame_packet_bytes(frame) > nic_mtu_bytes(vswitch->uplink))
        nic_drop_received(vswitch->uplink, DROP_TOO_BIG, frame);
    else
        nic_send(vswitch->uplink, frame);
}

static void ignore_carrier(struct port *port, bool is_up)
{
    (void)port, (void)is_up; /* of a cable that nobody can pull */
}

struct vswitch *vswitch_new(struct wire *wire, const char *name, struct nic *uplink)
{
    static const struct nic_user_ops user_ops = {
        .on_frame = take_from_uplink, .on_room = hide_room, .on_carrier = hide_carrier};
    static const struct port_ops port_ops = {.on_frame = take_from_switch,
                                             .on_carrier = ignore_carrier};
    struct link_config link = {.rate_bits_per_s = INNER_RATE};
    struct vswitch *vswitch = mem_new(sizeof(*vswitch));

    *vswitch = (struct vswitch){.user = {.ops = &user_ops}, .uplink = uplink};
    port_init(&vswitch->inner, wire, name, &port_ops, &link);
    vswitch->inner.is_powered = true;
    nic_set_promiscuous(uplink, true);
    nic_set_user(uplink, &vswitch->user);
    return vswitch;
}

void vswitch_free(struct vswitch *vswitch)
{
    if (!vswitch)
        return;
    nic_set_user(vswitch->uplink, NULL);
    port_fini(&vswitch->inner);
    free(vswitch);
}
