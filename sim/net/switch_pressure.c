/* A switch that fills up asks for silence (802.3x): a port whose frames wait here in too great a
 * number asks its peer, and lets it talk again when few enough are left.
 *
 * The first is noticed when a frame comes in. The second has no event of its own, since frames
 * leave without one: a timer waits for the next departure of any port as long as somebody was
 * asked.
 */
#include "sim/core/time.h"
#include "sim/net/switch_parts.h"

#define DEFAULT_PAUSE_BYTES  ((uint64_t)64 * 1024)
#define DEFAULT_RESUME_BYTES ((uint64_t)32 * 1024)

/* Every queue books out what has left by now. */
void switch_pressure_book_out(struct sw *sw)
{
    for (uint32_t i = 0; i < sw->port_count; i++)
        (void)link_queued_bytes(&sw->ports[i].port.tx);
}

/* When the next frame of any port has left: then it may be enough. */
static void arm_drain(struct sw *sw)
{
    int64_t at_ns = TIME_NEVER;

    for (uint32_t i = 0; i < sw->port_count; i++)
        at_ns = time_min(at_ns, link_next_departure_ns(&sw->ports[i].port.tx));
    if (at_ns != TIME_NEVER)
        clock_arm(sw->wire->clock, &sw->drain, at_ns);
}

static void stop_asking(struct switch_port *in)
{
    assert(in->sw->asking > 0);
    if (--in->sw->asking == 0)
        clock_cancel(in->sw->wire->clock, &in->sw->drain);
}

/* Who was asked for silence may talk again once little enough of its frames waits. */
static void look_at_drain(struct timer *timer)
{
    struct sw *sw = CONTAINER_OF(timer, struct sw, drain);

    switch_pressure_book_out(sw);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        struct switch_port *in = &sw->ports[i];

        if (!in->port.is_asking || sw->buffer.from_bytes[i] > sw->resume_at_bytes)
            continue;
        stop_asking(in);
        port_let_talk(&in->port);
    }
    if (sw->asking > 0)
        arm_drain(sw);
}

/* Too much of what came in by this port waits: its peer is to be silent. */
void switch_pressure_watch(struct switch_port *in)
{
    struct sw *sw = in->sw;
    const uint64_t *waiting_bytes = &sw->buffer.from_bytes[in->index];

    if (in->port.is_asking || *waiting_bytes <= sw->pause_at_bytes)
        return;
    switch_pressure_book_out(sw);
    if (*waiting_bytes <= sw->pause_at_bytes)
        return;
    sw->asking++;
    port_ask_silence(&in->port);
    arm_drain(sw);
}

/* A peer fell silent or talks again, or frames were lost: the plan of the drain is void. */
void switch_pressure_replan(struct port *port)
{
    struct sw *sw = switch_port_of(port)->sw;

    if (sw->asking > 0)
        clock_arm(sw->wire->clock, &sw->drain, switch_now_ns(sw));
}

void switch_pressure_forget(struct switch_port *in)
{
    if (!in->port.is_asking)
        return;
    stop_asking(in);
    port_forget_asking(&in->port);
}

void switch_pressure_init(struct sw *sw, const struct switch_config *config)
{
    timer_init(&sw->drain, look_at_drain);
    sw->pause_at_bytes = config->pause_at_bytes ? config->pause_at_bytes : DEFAULT_PAUSE_BYTES;
    sw->resume_at_bytes = config->resume_at_bytes ? config->resume_at_bytes : DEFAULT_RESUME_BYTES;
    assert(sw->resume_at_bytes < sw->pause_at_bytes);
}

void switch_pressure_fini(struct sw *sw)
{
    clock_cancel(sw->wire->clock, &sw->drain);
}
