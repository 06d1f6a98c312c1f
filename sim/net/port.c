/* Ports: what a frame meets between a part and its cable. */
#include "sim/net/port.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/net/cable.h"

#include <stdlib.h>

static struct port *port_of(struct link *link)
{
    return CONTAINER_OF(link, struct port, tx);
}

static void show_tap(const struct port *port, enum direction direction, const struct frame *frame)
{
    struct tap *tap = port->wire->tap;

    if (tap && tap->ops->port_frame)
        tap->ops->port_frame(tap, clock_now_ns(port->wire->clock), port->id, direction, frame);
}

static void take_in(struct link *link, struct frame *frame)
{
    struct port *port = port_of(link)->peer;

    assert(port);
    show_tap(port, DIRECTION_IN, frame);
    port->received++;
    port->received_bytes += frame_bytes(frame);
    if (port->frozen[DIRECTION_IN] > 0)
        port_drop_received(port, DROP_FROZEN, frame);
    else
        port->ops->on_frame(port, frame);
}

static void pass_on_room(struct link *link)
{
    struct port *port = port_of(link);

    if (port->ops->on_room)
        port->ops->on_room(port);
}

void port_init(struct port *port, struct wire *wire, const char *name, const struct port_ops *ops,
               const struct link_config *config)
{
    static const struct link_ops link_ops = {.on_arrival = take_in, .on_room = pass_on_room};

    *port = (struct port){.ops = ops, .wire = wire, .name = mem_text(name)};
    port->id = wire->port_count++;
    link_init(&port->tx, wire, port->name, port->id, &link_ops, config);
}

void port_fini(struct port *port)
{
    link_fini(&port->tx);
    free(port->name);
    port->name = NULL;
}

void port_send(struct port *port, struct frame *frame, int64_t eligible_ns)
{
    if (port->frozen[DIRECTION_OUT] > 0) {
        link_refuse(&port->tx, frame, DROP_FROZEN);
    } else if (!port->has_carrier) {
        link_refuse(&port->tx, frame, DROP_NO_CARRIER);
    } else {
        show_tap(port, DIRECTION_OUT, frame);
        link_send(&port->tx, frame, eligible_ns);
    }
}

void port_drop_received(struct port *port, enum drop_reason reason, struct frame *frame)
{
    port->dropped[reason]++;
    wire_drop(port->wire, port->name, reason, frame);
}

static void settle(struct port *port)
{
    if (port->cable)
        cable_settle(port->cable);
}

void port_set_powered(struct port *port, bool is_powered)
{
    if (!is_powered)
        link_drop_queued(&port->tx, DROP_POWERED_OFF);
    port->is_powered = is_powered;
    settle(port);
}

void port_disable(struct port *port)
{
    port->disabled++;
    settle(port);
}

void port_enable(struct port *port)
{
    assert(port->disabled > 0);
    port->disabled--;
    settle(port);
}

void port_freeze(struct port *port, enum direction direction)
{
    port->frozen[direction]++;
    if (direction == DIRECTION_OUT)
        link_drop_queued(&port->tx, DROP_FROZEN);
}

void port_thaw(struct port *port, enum direction direction)
{
    assert(port->frozen[direction] > 0);
    port->frozen[direction]--;
}

uint64_t port_dropped(const struct port *port, enum drop_reason reason)
{
    uint64_t count = 0;

    if (reason < DROP_REASON_COUNT)
        return port->dropped[reason] + port->tx.counts.dropped[reason];
    for (reason = 0; reason < DROP_REASON_COUNT; reason++)
        count += port->dropped[reason] + port->tx.counts.dropped[reason];
    return count;
}
