/* Ports: what a frame meets between a part and its cable. */
#include "sim/net/port.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/cable.h"

#include <stdio.h>
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

/* 802.3-2018, 31B.3.3: the newest pause time counts. */
static void take_control(struct port *port, struct frame *frame)
{
    uint32_t quanta;

    if (!(port->flow_control & FLOW_CONTROL_HONOUR) || !pause_frame_read(frame, &quanta)) {
        port_drop_received(port, DROP_CONTROL, frame);
        return;
    }
    port->controls++;
    frame_unref(frame);
    link_pause(&port->tx,
               clock_now_ns(port->wire->clock) + pause_ns(quanta, port->tx.config.rate_bits_per_s));
}

static bool is_control(const struct frame *frame)
{
    return frame->ethertype == ETHERTYPE_MAC_CONTROL && !frame_is_tagged(frame);
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
    else if (!impair_is_none(&port->impair) &&
             impair_judge(&port->impair, frame_bytes(frame)).is_lost)
        port_drop_received(port, DROP_LOSS, frame);
    else if (frame->is_fcs_bad && (port->head_bytes == 0 || is_control(frame)))
        port_drop_received(port, DROP_CORRUPT, frame);
    else if (is_control(frame))
        take_control(port, frame);
    else
        port->ops->on_frame(port, frame);
}

/* A NIC was last looked at when the last frame came, a switch just now. */
static void fetch_ahead(struct link *link, const struct frame *frame)
{
    const struct port *peer = port_of(link)->peer;

    if (!port_of(link)->faces_station)
        return;
    for (size_t at = 0; at < sizeof(*peer); at += 64)
        __builtin_prefetch((const char *)peer + at);
    frame_fetch_state(frame);
}

static void pass_on_room(struct link *link)
{
    struct port *port = port_of(link);

    if (port->ops->on_room)
        port->ops->on_room(port);
}

static void pass_on_replanned(struct link *link)
{
    struct port *port = port_of(link);

    if (port->ops->on_replanned)
        port->ops->on_replanned(port);
}

static void send_pause(struct port *port, uint32_t quanta)
{
    if (!port->has_carrier || port->frozen[DIRECTION_OUT] > 0)
        return; /* nobody would hear it */
    struct frame *frame =
        pause_frame_new(port->wire->pool, mac_of_port(MAC_OF_PAUSE, port->id), quanta);

    port->pauses_sent++;
    show_tap(port, DIRECTION_OUT, frame);
    link_send_control(&port->tx, frame);
}

/* Again when half of the silence is over. */
static void ask_again(struct timer *timer)
{
    struct port *port = CONTAINER_OF(timer, struct port, ask_timer);
    int64_t silence_ns = pause_ns(PAUSE_MOST_QUANTA, port->tx.config.rate_bits_per_s);

    send_pause(port, PAUSE_MOST_QUANTA);
    clock_arm(port->wire->clock, timer,
              time_after(clock_now_ns(port->wire->clock), silence_ns / 2));
}

void port_init(struct port *port, struct wire *wire, const char *name, const struct port_ops *ops,
               const struct link_config *config)
{
    static const struct link_ops link_ops = {.on_arrival = take_in,
                                             .on_ahead = fetch_ahead,
                                             .on_room = pass_on_room,
                                             .on_replanned = pass_on_replanned};

    *port = (struct port){.ops = ops, .wire = wire, .name = mem_text(name)};
    port->id = wire->port_count++;
    timer_init(&port->ask_timer, ask_again);
    link_init(&port->tx, wire, port->name, port->id, &link_ops, config);
}

void port_fini(struct port *port)
{
    clock_cancel(port->wire->clock, &port->ask_timer);
    link_fini(&port->tx);
    impair_fini(&port->impair);
    free(port->name);
    port->name = NULL;
}

void port_send(struct port *port, struct frame *frame, int64_t eligible_ns, uint32_t from)
{
    if (port->frozen[DIRECTION_OUT] > 0) {
        link_refuse(&port->tx, frame, DROP_FROZEN);
    } else if (!port->has_carrier) {
        link_refuse(&port->tx, frame, DROP_NO_CARRIER);
    } else {
        show_tap(port, DIRECTION_OUT, frame);
        link_send(&port->tx, frame, eligible_ns, from);
    }
}

void port_ask_silence(struct port *port)
{
    if (!port->is_asking && port->storms == 0)
        ask_again(&port->ask_timer);
    port->is_asking = true;
}

void port_forget_asking(struct port *port)
{
    port->is_asking = false;
    if (port->storms == 0)
        clock_cancel(port->wire->clock, &port->ask_timer);
}

void port_let_talk(struct port *port)
{
    port_forget_asking(port);
    if (port->storms == 0)
        send_pause(port, 0);
}

void port_begin_storm(struct port *port)
{
    if (port->storms++ == 0 && !port->is_asking)
        ask_again(&port->ask_timer);
}

/* What is broken does not say that it is over: its peer waits out the last silence. */
void port_end_storm(struct port *port)
{
    assert(port->storms > 0);
    if (--port->storms == 0 && !port->is_asking)
        clock_cancel(port->wire->clock, &port->ask_timer);
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
    else if (port->ops->on_lit)
        port->ops->on_lit(port);
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

struct impair_layer *port_impair_in(struct port *port, const struct impair_config *config)
{
    char owner[160];

    assert(config->kind == IMPAIR_LOSE);
    snprintf(owner, sizeof(owner), "%s in", port->name);
    return impair_add(&port->impair, config, port->wire->seed, owner);
}

void port_repair_in(struct port *port, struct impair_layer *layer)
{
    impair_remove(&port->impair, layer);
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
