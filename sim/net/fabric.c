/* The fabric: lists of parts, in the order of adding, and the questions about all of them. */
#include "sim/net/fabric.h"

#include "sim/core/mem.h"
#include "sim/net/team.h"
#include "sim/net/vswitch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    void **items; /* owned; the parts too, by the fabric */
    size_t count;
};

struct fabric {
    struct wire wire;
    struct list switches;
    struct list nics;
    struct list cables;
    struct list hosts;
    struct list vswitches;
    struct list teams;
};

static void *list_add(struct list *list, void *item)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof(void *));
    list->items[list->count++] = item;
    return item;
}

struct fabric *fabric_new(struct clock *clock, struct pool *pool, struct trace *trace,
                          uint64_t seed)
{
    struct fabric *fabric = mem_new(sizeof(*fabric));

    fabric->wire = (struct wire){.clock = clock, .pool = pool, .trace = trace, .seed = seed};
    return fabric;
}

void fabric_free(struct fabric *fabric)
{
    if (!fabric)
        return;
    fabric->wire.tap = NULL;
    for (size_t i = 0; i < fabric->hosts.count; i++)
        ip_host_free(fabric->hosts.items[i]);
    for (size_t i = 0; i < fabric->vswitches.count; i++)
        vswitch_free(fabric->vswitches.items[i]);
    for (size_t i = 0; i < fabric->teams.count; i++)
        team_free(fabric->teams.items[i]);
    for (size_t i = 0; i < fabric->nics.count; i++)
        nic_free(fabric->nics.items[i]);
    for (size_t i = 0; i < fabric->switches.count; i++)
        switch_free(fabric->switches.items[i]);
    for (size_t i = 0; i < fabric->cables.count; i++)
        cable_free(fabric->cables.items[i]);
    free(fabric->hosts.items);
    free(fabric->vswitches.items);
    free(fabric->teams.items);
    free(fabric->nics.items);
    free(fabric->switches.items);
    free(fabric->cables.items);
    free(fabric);
}

struct wire *fabric_wire(struct fabric *fabric)
{
    return &fabric->wire;
}

void fabric_set_plant(struct fabric *fabric, enum plant planted)
{
    fabric->wire.planted = planted;
}

struct sw *fabric_add_switch(struct fabric *fabric, const struct switch_config *config)
{
    return list_add(&fabric->switches, switch_new(&fabric->wire, config));
}

struct nic *fabric_add_nic(struct fabric *fabric, const struct nic_config *config)
{
    return list_add(&fabric->nics, nic_new(&fabric->wire, config, (uint32_t)fabric->nics.count));
}

struct cable *fabric_add_cable(struct fabric *fabric, const struct cable_config *config)
{
    struct cable *cable = list_add(&fabric->cables, cable_new(config));

    for (size_t i = 0; i < fabric->nics.count; i++) {
        struct nic *nic = fabric->nics.items[i];

        if (nic_port(nic)->cable == cable)
            nic_begin(nic);
    }
    return cable;
}

struct ip_host *fabric_add_host(struct fabric *fabric, const char *name,
                                const struct ip_options *options)
{
    return list_add(&fabric->hosts, ip_host_new(&fabric->wire, name, options));
}

#define VSWITCH_BUFFER_BYTES (16u << 20) /* memory of the host */
#define VSWITCH_MTU_BYTES    MTU_MOST_BYTES

void fabric_add_vswitch(struct fabric *fabric, const struct vswitch_config *config)
{
    const char *uplink = nic_name(config->uplink);
    char name[128];

    snprintf(name, sizeof(name), "%s-vswitch", uplink);
    struct sw *sw = fabric_add_switch(
        fabric, &(struct switch_config){.name = name,
                                        .port_count = config->nic_count + 1,
                                        .is_cut_through = true,
                                        .mtu_bytes = VSWITCH_MTU_BYTES,
                                        .port_buffer_bytes = VSWITCH_BUFFER_BYTES});

    snprintf(name, sizeof(name), "%s-inner", uplink);
    struct vswitch *vswitch =
        list_add(&fabric->vswitches, vswitch_new(&fabric->wire, name, config->uplink));

    for (uint32_t i = 0; i <= config->nic_count; i++) {
        struct port *port = i == 0 ? &vswitch->inner : nic_port(config->nics[i - 1]);

        snprintf(name, sizeof(name), "%s-wire", port->name);
        fabric_add_cable(fabric,
                         &(struct cable_config){
                             .name = name,
                             .ends = {port, switch_port(sw, i + 1)},
                             .rate_bits_per_s = nic_port(config->uplink)->tx.config.rate_bits_per_s,
                             .length_m = 1});
    }
}

struct team *fabric_add_team(struct fabric *fabric, const struct team_config *config)
{
    return list_add(&fabric->teams, team_new(&fabric->wire, config));
}

struct sw *fabric_find_switch(const struct fabric *fabric, const char *name)
{
    for (size_t i = 0; i < fabric->switches.count; i++)
        if (strcmp(switch_name(fabric->switches.items[i]), name) == 0)
            return fabric->switches.items[i];
    return NULL;
}

struct nic *fabric_find_nic(const struct fabric *fabric, const char *name)
{
    for (size_t i = 0; i < fabric->nics.count; i++)
        if (strcmp(nic_name(fabric->nics.items[i]), name) == 0)
            return fabric->nics.items[i];
    return NULL;
}

struct cable *fabric_find_cable(const struct fabric *fabric, const char *name)
{
    for (size_t i = 0; i < fabric->cables.count; i++) {
        struct cable *cable = fabric->cables.items[i];

        if (strcmp(cable->name, name) == 0)
            return cable;
    }
    return NULL;
}

struct ip_host *fabric_find_host(const struct fabric *fabric, const char *name)
{
    for (size_t i = 0; i < fabric->hosts.count; i++)
        if (strcmp(ip_host_name(fabric->hosts.items[i]), name) == 0)
            return fabric->hosts.items[i];
    return NULL;
}

struct port *fabric_find_port(const struct fabric *fabric, const char *name)
{
    struct nic *nic = fabric_find_nic(fabric, name);

    if (nic)
        return nic_port(nic);
    for (size_t i = 0; i < fabric->switches.count; i++) {
        struct sw *sw = fabric->switches.items[i];

        for (uint32_t number = 1; number <= switch_port_count(sw); number++)
            if (strcmp(switch_port(sw, number)->name, name) == 0)
                return switch_port(sw, number);
    }
    return NULL;
}

size_t fabric_nic_count(const struct fabric *fabric)
{
    return fabric->nics.count;
}

struct nic *fabric_nic(const struct fabric *fabric, size_t index)
{
    assert(index < fabric->nics.count);
    return fabric->nics.items[index];
}

void fabric_set_tap(struct fabric *fabric, struct tap *tap)
{
    fabric->wire.tap = tap;
}

uint64_t fabric_digest(const struct fabric *fabric)
{
    return fabric->wire.digest;
}

uint64_t fabric_frames_sent(const struct fabric *fabric)
{
    return fabric->wire.sent;
}

uint64_t fabric_dropped(const struct fabric *fabric, const char *part, enum drop_reason reason)
{
    const struct sw *sw = fabric_find_switch(fabric, part);
    const struct cable *cable = fabric_find_cable(fabric, part);

    if (sw)
        return switch_dropped(sw, reason);
    if (cable)
        return cable_dropped(cable, reason);
    const struct port *port = fabric_find_port(fabric, part);

    assert(port);
    return port_dropped(port, reason);
}

static void count_one(struct counter_sink *sink, const char *part, const char *name, uint64_t value)
{
    if (value > 0)
        sink->count(sink, part, name, value);
}

static void count_drops(const struct fabric *fabric, struct counter_sink *sink, const char *part)
{
    for (enum drop_reason reason = 0; reason < DROP_REASON_COUNT; reason++) {
        char name[64];

        snprintf(name, sizeof(name), "frames-dropped %s", drop_reason_word(reason));
        count_one(sink, part, name, fabric_dropped(fabric, part, reason));
    }
}

static void count_port(const struct fabric *fabric, struct counter_sink *sink,
                       const struct port *port)
{
    count_one(sink, port->name, "frames-sent", port->tx.counts.offered);
    count_one(sink, port->name, "bytes-sent", port->tx.counts.offered_bytes);
    count_one(sink, port->name, "frames-received", port->received);
    count_one(sink, port->name, "bytes-received", port->received_bytes);
    count_one(sink, port->name, "frames-damaged", port->tx.counts.damaged);
    count_one(sink, port->name, "frames-duplicated", port->tx.counts.duplicated);
    count_one(sink, port->name, "frames-reordered", port->tx.counts.reordered);
    count_one(sink, port->name, "pauses-sent", port->pauses_sent);
    count_one(sink, port->name, "pauses-honoured", port->controls);
    count_one(sink, port->name, "lacpdus-sent", port->lacpdus_sent);
    count_one(sink, port->name, "lacpdus-heard", port->lacpdus_heard);
    count_drops(fabric, sink, port->name);
}

void fabric_count(const struct fabric *fabric, struct counter_sink *sink)
{
    for (size_t i = 0; i < fabric->nics.count; i++)
        count_port(fabric, sink, nic_port(fabric->nics.items[i]));
    for (size_t i = 0; i < fabric->switches.count; i++) {
        struct sw *sw = fabric->switches.items[i];

        for (uint32_t number = 1; number <= switch_port_count(sw); number++)
            count_port(fabric, sink, switch_port(sw, number));
        count_one(sink, switch_name(sw), "frames-forwarded", switch_forwarded(sw));
        count_one(sink, switch_name(sw), "frames-flooded", switch_flooded(sw));
        count_one(sink, switch_name(sw), "frames-flooded-unknown", switch_flooded_unknown(sw));
        count_one(sink, switch_name(sw), "frames-duplicated", switch_duplicated(sw));
        count_one(sink, switch_name(sw), "frames-reordered", switch_reordered(sw));
        count_one(sink, switch_name(sw), "addresses-moved", switch_mac_moves(sw));
        count_one(sink, switch_name(sw), "addresses-without-room", switch_mac_refused(sw));
        count_drops(fabric, sink, switch_name(sw));
    }
    for (size_t i = 0; i < fabric->cables.count; i++)
        count_drops(fabric, sink, ((const struct cable *)fabric->cables.items[i])->name);
    for (size_t i = 0; i < fabric->hosts.count; i++)
        count_one(sink, ip_host_name(fabric->hosts.items[i]), "frames-dropped unreachable",
                  ip_host_unreachable_frames(fabric->hosts.items[i]));
}

/* What went into a port's link came out at the other end, was dropped, or is still in it. */
static bool check_port(const struct port *port, char *ret_text, size_t text_bytes)
{
    const struct link_counts *counts = &port->tx.counts;
    uint64_t received = port->peer ? port->peer->received : 0;
    uint64_t dropped = 0;

    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
        dropped += counts->dropped[reason];
    if (counts->offered + counts->duplicated == received + dropped + link_frames(&port->tx))
        return true;
    snprintf(ret_text, text_bytes,
             "port '%s' sent %" PRIu64 " frames and %" PRIu64
             " second copies were made, of which %" PRIu64 " were received, %" PRIu64
             " dropped and %" PRIu32 " are on their way",
             port->name, counts->offered, counts->duplicated, received, dropped,
             link_frames(&port->tx));
    return false;
}

bool fabric_check_conservation(const struct fabric *fabric, char *ret_text, size_t text_bytes)
{
    for (size_t i = 0; i < fabric->nics.count; i++)
        if (!check_port(nic_port(fabric->nics.items[i]), ret_text, text_bytes))
            return false;
    for (size_t i = 0; i < fabric->vswitches.count; i++)
        if (!check_port(&((const struct vswitch *)fabric->vswitches.items[i])->inner, ret_text,
                        text_bytes))
            return false;
    for (size_t i = 0; i < fabric->switches.count; i++) {
        struct sw *sw = fabric->switches.items[i];

        for (uint32_t number = 1; number <= switch_port_count(sw); number++)
            if (!check_port(switch_port(sw, number), ret_text, text_bytes))
                return false;
        if (!switch_check(sw, ret_text, text_bytes))
            return false;
    }
    return true;
}
