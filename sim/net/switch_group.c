/* Ports that are one to everybody else (802.1AX): who stands for them, when they begin to carry
 * frames, and their LACPDUs. Which of them takes a frame says lag.h.
 */
#include "sim/net/mac_table.h"
#include "sim/net/switch_parts.h"

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
    port_send(&out->port, frame, switch_now_ns(out->sw), (uint32_t)out->index);
}

static struct mac_addr station(struct lag *lag, unsigned link)
{
    return mac_of_port(MAC_OF_LACP, group_of(lag)->ports[link]->port.id);
}

/* What was learned behind a group stays until nothing leads there. Links that join those that carry
 * frames already do so at once. */
static void change_group(struct lag *lag)
{
    struct switch_group *group = group_of(lag);
    bool did_carry = group->carries_frames;

    group->carries_frames = (lag->senders | lag->takers) != 0;
    if (group->carries_frames && !did_carry)
        switch_port_start_forwarding(group->ports[0]);
    switch_note(group->sw, "group-senders", lag->senders);
    if (lag->senders == 0)
        mac_table_forget_port(group->sw->macs, group->ports[0]->index);
}

void switch_group_init(struct switch_group *group, struct sw *sw,
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
    lag.system = mac_of_port(MAC_OF_SYSTEM, sw->ports[0].port.id);
    lag.key = (uint16_t)config->ports[0];
    lag_init(&group->lag, &ops, sw->wire, &lag, config->port_count);
}

void switch_group_fini(struct switch_group *group)
{
    lag_fini(&group->lag);
}

bool switch_group_hear(struct switch_port *in, const struct frame *frame)
{
    if (in->sw->frozen > 0 || !in->is_up || frame->is_fcs_bad ||
        !lag_hear(&in->group->lag, in->link, frame))
        return false;
    in->port.lacpdus_heard++;
    return true;
}
