/* A port of a switch: its link as the switch sees it, and whether frames may pass.
 *
 * Carrier counts once it has lasted for the debounce. A new link then waits for the forwarding
 * delay that a spanning tree would cost, a lost one takes its addresses with it. Of a group, the
 * first port keeps what is blocked and delayed for all.
 */
#include "sim/core/time.h"
#include "sim/net/mac_table.h"
#include "sim/net/switch_parts.h"

#include <stdio.h>

#define DEFAULT_BUFFER_BYTES ((uint64_t)512 * 1024)
#define CUT_THROUGH_BYTES    64u                 /* all headers that a look-up may need */
#define UNPLUGGED_RATE       INT64_C(1000000000) /* until a cable says better */

void switch_port_start_forwarding(struct switch_port *bridge_port)
{
    struct sw *sw = bridge_port->sw;

    bridge_port->forwards_from_ns =
        time_after(switch_now_ns(sw), bridge_port->is_edge ? 0 : sw->port_forwarding_delay_ns);
}

/* The change counts: a new link waits for its forwarding delay, a lost one is forgotten. */
static void settle_link(struct switch_port *port)
{
    struct sw *sw = port->sw;

    port->is_up = port->port.has_carrier;
    if (port->group)
        lag_set_up(&port->group->lag, port->link, port->is_up);
    else if (port->is_up)
        switch_port_start_forwarding(port);
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

    sw->wire->trace->ops->event(sw->wire->trace, switch_now_ns(sw), port->name, "carrier", is_up);
    if (!is_up)
        switch_pressure_forget(changed);
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
    clock_arm(sw->wire->clock, &changed->debounce,
              time_after(switch_now_ns(sw), sw->link_debounce_ns));
}

void switch_port_init(struct sw *sw, uint32_t index, const struct switch_config *config)
{
    static const struct port_ops ops = {.on_frame = switch_relay_take,
                                        .on_carrier = change_carrier,
                                        .on_replanned = switch_pressure_replan};
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

void switch_port_fini(struct switch_port *port)
{
    clock_cancel(port->sw->wire->clock, &port->debounce);
    port_fini(&port->port);
}

/* Nobody is left to debounce: what was a link is none. */
void switch_port_lose_power(struct switch_port *port)
{
    clock_cancel(port->sw->wire->clock, &port->debounce);
    port->is_up = false;
    if (port->group)
        lag_set_up(&port->group->lag, port->link, false);
}

/* The one whose state counts for the port of this number. */
static struct switch_port *bridge_port_of(struct sw *sw, uint32_t port_number)
{
    return switch_port_of(switch_port(sw, port_number))->bridge_port;
}

void switch_set_blocked(struct sw *sw, uint32_t port_number, bool is_blocked)
{
    struct switch_port *port = bridge_port_of(sw, port_number);

    port->is_blocked = is_blocked;
    if (is_blocked)
        mac_table_forget_port(sw->macs, port->index);
}

void switch_block_port(struct sw *sw, uint32_t port_number)
{
    struct switch_port *port = bridge_port_of(sw, port_number);

    if (port->blocks++ == 0)
        mac_table_forget_port(sw->macs, port->index);
}

void switch_unblock_port(struct sw *sw, uint32_t port_number)
{
    struct switch_port *port = bridge_port_of(sw, port_number);

    assert(port->blocks > 0);
    port->blocks--;
}
