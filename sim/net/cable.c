/* Cables: from power, cuts and kind to carrier. */
#include "sim/net/cable.h"

#include "sim/core/mem.h"

#include <stdlib.h>

#define DEFAULT_RATE_BITS_PER_S INT64_C(10000000000)
#define DEFAULT_LENGTH_M        5

struct cable *cable_new(const struct cable_config *config)
{
    struct cable *cable = mem_new(sizeof(*cable));
    int64_t length_m = config->length_m ? config->length_m : DEFAULT_LENGTH_M;

    *cable = (struct cable){.name = mem_text(config->name), .one_way = config->one_way};
    for (unsigned end = 0; end < 2; end++) {
        struct port *port = config->ends[end];

        assert(!port->cable);
        assert(port != config->ends[1 - end]);
        cable->ends[end] = port;
        port->cable = cable;
        port->peer = config->ends[1 - end];
        port->faces_station = port->peer->ops->is_station;
        port->tx.head_bytes = port->peer->head_bytes;
        link_set_delay(&port->tx, length_m * LINK_NS_PER_M + config->delay_ns);
    }
    cable_set_rate(cable,
                   config->rate_bits_per_s ? config->rate_bits_per_s : DEFAULT_RATE_BITS_PER_S);
    cable_settle(cable);
    return cable;
}

void cable_free(struct cable *cable)
{
    if (!cable)
        return;
    free(cable->name);
    free(cable);
}

static unsigned end_of(const struct cable *cable, const struct port *port)
{
    assert(port == cable->ends[0] || port == cable->ends[1]);
    return port == cable->ends[1];
}

void cable_pull(struct cable *cable)
{
    cable->cuts[0]++;
    cable->cuts[1]++;
    cable->pulls++;
    cable_settle(cable);
}

void cable_plug_in(struct cable *cable)
{
    assert(cable->pulls > 0);
    cable->pulls--;
    cable->cuts[0]--;
    cable->cuts[1]--;
    cable_settle(cable);
}

void cable_cut(struct cable *cable, const struct port *from)
{
    cable->cuts[end_of(cable, from)]++;
    cable_settle(cable);
}

void cable_mend(struct cable *cable, const struct port *from)
{
    unsigned end = end_of(cable, from);

    assert(cable->cuts[end] > cable->pulls);
    cable->cuts[end]--;
    cable_settle(cable);
}

struct link *cable_link(struct cable *cable, unsigned end)
{
    assert(end < 2);
    return &cable->ends[end]->tx;
}

void cable_set_rate(struct cable *cable, int64_t rate_bits_per_s)
{
    for (unsigned end = 0; end < 2; end++)
        link_set_rate(&cable->ends[end]->tx, rate_bits_per_s);
}

/* Does the port at 'end' have carrier, given which directions pass light? */
static bool sees_carrier(const struct cable *cable, unsigned end)
{
    bool hears = cable->cuts[1 - end] == 0;
    bool is_heard = cable->cuts[end] == 0;

    if (cable->pulls > 0 || !port_is_lit(cable->ends[0]) || !port_is_lit(cable->ends[1]))
        return false;
    switch (cable->one_way) {
    case CABLE_BOTH_NOTICE:
        return hears && is_heard;
    case CABLE_FAR_END_NOTICES:
        return hears;
    case CABLE_NOBODY_NOTICES:
        return true;
    }
    return false;
}

void cable_settle(struct cable *cable)
{
    bool is_lit = port_is_lit(cable->ends[0]) && port_is_lit(cable->ends[1]);
    bool had_carrier[2];

    for (unsigned end = 0; end < 2; end++) {
        struct port *port = cable->ends[end];

        had_carrier[end] = port->has_carrier;
        port->has_carrier = sees_carrier(cable, end);
    }
    for (unsigned end = 0; end < 2; end++) {
        struct port *port = cable->ends[end];

        link_set_passing(&port->tx, is_lit && cable->cuts[end] == 0 && port->has_carrier);
    }
    for (unsigned end = 0; end < 2; end++)
        if (cable->ends[end]->has_carrier != had_carrier[end])
            cable->ends[end]->ops->on_carrier(cable->ends[end], !had_carrier[end]);
}

uint64_t cable_dropped(const struct cable *cable, enum drop_reason reason)
{
    static const enum drop_reason in_cable[] = {DROP_NO_CARRIER, DROP_LOSS, DROP_CORRUPT};
    uint64_t count = 0;

    for (size_t i = 0; i < sizeof(in_cable) / sizeof(in_cable[0]); i++)
        if (reason == in_cable[i] || reason == DROP_REASON_COUNT)
            count += cable->ends[0]->tx.counts.dropped[in_cable[i]] +
                     cable->ends[1]->tx.counts.dropped[in_cable[i]];
    return count;
}
