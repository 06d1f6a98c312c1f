/* The simulated SAN of one run, built from its topology. */
#include "lab/world.h"

#include "lab/world_array.h"
#include "lab/world_host.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/stream_watch.h"
#include "sim/net/team.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_PATIENCE_NS SECONDS(60) /* for outstanding I/O, when the run is over */

struct world {
    struct world_options options;
    const struct topology *topology;
    struct fabric *fabric;
    struct stream_watch *watch;
    struct sw **switches; /* owned arrays of what the fabric owns, by index of the topology */
    struct nic **nics;
    struct cable **cables;
    struct oracle **oracles; /* owned, by disk */
    char (*serials)[SERIAL_BYTES];
    const char **identities; /* by disk: their serials */
    const char **host_names;
    struct world_host **hosts;
    struct world_array **arrays;
};

/* Names. */

static void host_names_init(struct host_names *names, const struct topology *t, uint32_t host_index)
{
    const struct topology_host *host = &t->hosts[host_index];
    unsigned *indices = mem_array(t->disk_count, sizeof(*indices));

    *names = (struct host_names){.host = host->name,
                                 .disks = mem_array(t->disk_count, sizeof(*names->disks)),
                                 .disk_indices = indices,
                                 .paths = mem_array(host->path_count, sizeof(*names->paths)),
                                 .path_count = host->path_count,
                                 .first_path = host->first_path};
    for (uint32_t d = 0; d < t->disk_count; d++) {
        if (!topology_host_sees(t, host_index, d))
            continue;
        indices[names->disk_count] = d;
        names->disks[names->disk_count++] = t->disks[d].full_name;
    }
    for (uint32_t p = 0; p < host->path_count; p++)
        names->paths[p] = t->paths[host->first_path + p].name;
}

void world_names_init(struct san_names *ret_names, const struct topology *topology)
{
    *ret_names =
        (struct san_names){.hosts = mem_array(topology->host_count, sizeof(*ret_names->hosts)),
                           .host_count = topology->host_count};
    for (uint32_t h = 0; h < topology->host_count; h++)
        host_names_init(&ret_names->hosts[h], topology, h);
}

void world_names_fini(struct san_names *names)
{
    for (size_t h = 0; h < names->host_count; h++) {
        free(names->hosts[h].disks);
        free((void *)(uintptr_t)names->hosts[h].disk_indices);
        free(names->hosts[h].paths);
    }
    free(names->hosts);
    *names = (struct san_names){0};
}

/* Building the fabric. */

static void add_switches(struct world *w)
{
    const struct topology *t = w->topology;

    w->switches = mem_array(t->switch_count, sizeof(struct sw *));
    for (uint32_t i = 0; i < t->switch_count; i++) {
        const struct topology_switch *sw = &t->switches[i];

        w->switches[i] = fabric_add_switch(
            w->fabric, &(struct switch_config){
                           .name = sw->name,
                           .port_count = sw->port_count,
                           .is_cut_through = sw->is_cut_through,
                           .mtu_bytes = sw->mtu_bytes,
                           .ports = sw->ports,
                           .groups = sw->groups,
                           .group_count = sw->group_count,
                           .port_buffer_bytes = (uint64_t)sw->port_buffer_bytes,
                           .shared_buffer_bytes = (uint64_t)sw->shared_buffer_bytes,
                           .alpha_128ths = sw->alpha_128ths,
                           .pause_at_bytes = (uint64_t)sw->pause_at_bytes,
                           .resume_at_bytes = (uint64_t)sw->resume_at_bytes,
                           .link_debounce_ns = sw->link_debounce_ns,
                           .forwarding_delay_ns = sw->forwarding_delay_ns,
                           .boot_ns = sw->boot_time_ns,
                           .port_forwarding_delay_ns = sw->port_forwarding_delay_ns,
                           .mac_age_ns = sw->mac_age_ns,
                           .mac_entries = sw->mac_entries,
                       });
    }
}

static void add_nics(struct world *w)
{
    const struct topology *t = w->topology;

    w->nics = mem_array(t->nic_count, sizeof(struct nic *));
    for (uint32_t i = 0; i < t->nic_count; i++) {
        const struct topology_nic *nic = &t->nics[i];
        struct nic_config config = {.name = nic->full_name,
                                    .mac = nic->mac,
                                    .mtu_bytes = nic->mtu_bytes,
                                    .queue_frames = nic->transmit_queue_frames,
                                    .flow_control = nic->flow_control};

        if (nic->member_count == 0) /* a team hears of its members' carrier after theirs */
            config.link_debounce_ns = nic->is_array_nic
                                          ? t->arrays[nic->owner_index].profile.link_debounce_ns
                                          : t->hosts[nic->owner_index].profile.link_debounce_ns;
        w->nics[i] = fabric_add_nic(w->fabric, &config);
    }
}

static struct port *port_of(struct world *w, const struct cable_end *end)
{
    return end->nic_index != TOPOLOGY_NONE
               ? nic_port(w->nics[end->nic_index])
               : switch_port(w->switches[end->switch_index], end->port_index + 1);
}

static void add_cables(struct world *w)
{
    const struct topology *t = w->topology;

    w->cables = mem_array(t->cable_count, sizeof(struct cable *));
    for (uint32_t i = 0; i < t->cable_count; i++) {
        const struct topology_cable *cable = &t->cables[i];

        w->cables[i] = fabric_add_cable(
            w->fabric, &(struct cable_config){
                           .name = cable->name,
                           .ends = {port_of(w, &cable->ends[0]), port_of(w, &cable->ends[1])},
                           .rate_bits_per_s = cable->rate_bits_per_s,
                           .length_m = cable->length_m,
                           .delay_ns = cable->delay_ns,
                           .one_way = cable->one_way,
                       });
    }
}

/* A vSwitch for each NIC that others are behind. */
static void add_vswitches(struct world *w)
{
    const struct topology *t = w->topology;
    struct nic **behind = mem_array(t->nic_count, sizeof(struct nic *)); /* NOLINT: pointers */

    for (uint32_t uplink = 0; uplink < t->nic_count; uplink++) {
        uint32_t count = 0;

        if (!t->nics[uplink].is_uplink)
            continue;
        for (uint32_t i = 0; i < t->nic_count; i++)
            if (t->nics[i].uplink == uplink)
                behind[count++] = w->nics[i];
        fabric_add_vswitch(w->fabric, &(struct vswitch_config){.uplink = w->nics[uplink],
                                                               .nics = behind,
                                                               .nic_count = count});
    }
    free(behind);
}

/* The real box that has the members makes the team. */
static bool is_real_team(const struct world *w, const struct topology_nic *nic)
{
    for (unsigned member = 0; w->options.is_outside && member < nic->member_count; member++)
        if (w->options.is_outside[nic->members[member]])
            return true;
    return false;
}

/* A real box makes its own teams. */
static void add_teams(struct world *w)
{
    const struct topology *t = w->topology;

    for (uint32_t i = 0; i < t->nic_count; i++) {
        const struct topology_nic *nic = &t->nics[i];
        struct nic *members[LAG_MOST_LINKS];

        for (unsigned member = 0; member < nic->member_count; member++)
            members[member] = w->nics[nic->members[member]];
        if (nic->member_count > 0 && !is_real_team(w, nic))
            fabric_add_team(w->fabric, &(struct team_config){.nic = w->nics[i],
                                                             .members = members,
                                                             .member_count = nic->member_count,
                                                             .lag = nic->lag});
    }
}

/* Disks: who they are, and who knows what is on them. */

static void add_disks(struct world *w)
{
    const struct topology *t = w->topology;

    w->oracles = mem_array(t->disk_count, sizeof(struct oracle *));
    w->serials = mem_array(t->disk_count, sizeof(*w->serials));
    w->identities = mem_array(t->disk_count, sizeof(*w->identities));
    w->host_names = mem_array(t->host_count, sizeof(*w->host_names));
    for (uint32_t h = 0; h < t->host_count; h++)
        w->host_names[h] = t->hosts[h].name;
    for (uint32_t d = 0; d < t->disk_count; d++) {
        const struct topology_disk *disk = &t->disks[d];
        uint64_t id = hash64(disk->full_name, strlen(disk->full_name), 0);

        if (disk->serial[0])
            memcpy(w->serials[d], disk->serial, SERIAL_BYTES);
        else
            snprintf(w->serials[d], SERIAL_BYTES, "%016" PRIX64, id);
        w->identities[d] = w->serials[d];
        w->oracles[d] = oracle_new(
            &(struct oracle_options){.pool = w->options.pool,
                                     .trace = w->options.trace,
                                     .disk_id = id,
                                     .disk_name = disk->full_name,
                                     .block_bytes = disk->block_bytes,
                                     .block_count = (uint64_t)disk->size_bytes / disk->block_bytes,
                                     .host_names = w->host_names,
                                     .host_count = t->host_count});
    }
}

/* Somebody outside owns a NIC of these, and so the box. */
static bool is_real(const struct world *w, uint32_t first_nic, uint32_t nic_count)
{
    for (uint32_t i = 0; w->options.is_outside && i < nic_count; i++)
        if (w->options.is_outside[first_nic + i])
            return true;
    return false;
}

/* A real box has the NICs that it was given, and no others. */
static void darken(struct world *w, uint32_t first_nic, uint32_t nic_count)
{
    for (uint32_t i = first_nic; i < first_nic + nic_count; i++)
        if (!w->options.is_outside[i])
            nic_power_off(w->nics[i]);
}

static void add_arrays(struct world *w)
{
    const struct topology *t = w->topology;

    w->arrays = mem_array(t->array_count, sizeof(struct world_array *));
    for (uint32_t i = 0; i < t->array_count; i++) {
        if (is_real(w, t->arrays[i].first_nic, t->arrays[i].nic_count)) {
            darken(w, t->arrays[i].first_nic, t->arrays[i].nic_count);
            continue;
        }
        w->arrays[i] = world_array_new(&(struct world_array_options){
            .scenario = w->options.scenario,
            .array_index = i,
            .fabric = w->fabric,
            .watch = w->watch,
            .clock = &w->options.queue->clock,
            .pool = w->options.pool,
            .trace = w->options.trace,
            .identities = w->identities,
        });
    }
}

static void add_hosts(struct world *w)
{
    const struct topology *t = w->topology;

    w->hosts = mem_array(t->host_count, sizeof(struct world_host *));
    for (uint32_t i = 0; i < t->host_count; i++) {
        if (is_real(w, t->hosts[i].first_nic, t->hosts[i].nic_count)) {
            darken(w, t->hosts[i].first_nic, t->hosts[i].nic_count);
            continue;
        }
        w->hosts[i] = world_host_new(&(struct world_host_options){
            .scenario = w->options.scenario,
            .names = w->options.names,
            .host_index = i,
            .fabric = w->fabric,
            .watch = w->watch,
            .clock = &w->options.queue->clock,
            .pool = w->options.pool,
            .trace = w->options.trace,
            .oracles = w->oracles,
            .identities = w->identities,
        });
    }
}

struct world *world_new(const struct world_options *options)
{
    struct world *w = mem_new(sizeof(*w));
    struct clock *clock = &options->queue->clock;

    *w = (struct world){.options = *options, .topology = options->scenario->topology};
    w->fabric = fabric_new(clock, options->pool, options->trace, options->scenario->seed);
    fabric_set_plant(w->fabric, options->scenario->plant);
    w->watch = stream_watch_new(clock, options->pool, options->trace);
    add_switches(w);
    add_nics(w);
    add_cables(w);
    add_vswitches(w);
    add_teams(w);
    add_disks(w);
    add_arrays(w);
    add_hosts(w);
    return w;
}

void world_free(struct world *w)
{
    const struct topology *t;

    if (!w)
        return;
    t = w->topology;
    for (uint32_t i = 0; i < t->host_count; i++)
        world_host_free(w->hosts[i]);
    for (uint32_t i = 0; i < t->array_count; i++)
        world_array_free(w->arrays[i]);
    for (uint32_t i = 0; i < t->disk_count; i++)
        oracle_free(w->oracles[i]);
    stream_watch_free(w->watch);
    fabric_free(w->fabric);
    free(w->switches);
    free(w->nics);
    free(w->cables);
    free(w->oracles);
    free(w->serials);
    free(w->identities);
    free(w->host_names);
    free(w->hosts);
    free(w->arrays);
    free(w);
}

/* Life. */

void world_start(struct world *w)
{
    for (uint32_t i = 0; i < w->topology->array_count; i++)
        if (w->arrays[i])
            world_array_start(w->arrays[i]);
    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i])
            world_host_start(w->hosts[i]);
}

void world_stop(struct world *w)
{
    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i])
            world_host_stop(w->hosts[i], STOP_PATIENCE_NS);
}

bool world_is_stopped(const struct world *w)
{
    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i] && (!world_host_is_stopped(w->hosts[i]) ||
                            stack_connection_count(world_host_stack(w->hosts[i])) > 0))
            return false;
    for (uint32_t i = 0; i < w->topology->array_count; i++)
        if (w->arrays[i] && (world_array_sessions(w->arrays[i]) > 0 ||
                             stack_connection_count(world_array_stack(w->arrays[i])) > 0))
            return false;
    return true;
}

bool world_has_logged_out(const struct world *w)
{
    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i] && (!world_host_is_stopped(w->hosts[i]) ||
                            stack_stream_count(world_host_stack(w->hosts[i])) > 0))
            return false;
    for (uint32_t i = 0; i < w->topology->array_count; i++)
        if (w->arrays[i] && world_array_sessions(w->arrays[i]) > 0)
            return false;
    return true;
}

/* Parts. */

bool world_is_real(const struct world *w, struct part_ref box)
{
    if (box.kind == PART_HOST)
        return !w->hosts[box.index];
    if (box.kind == PART_DISK)
        return !w->arrays[w->topology->disks[box.index].array_index];
    if (box.kind == PART_NIC)
        return is_real_team(w, &w->topology->nics[box.index]);
    return box.kind == PART_ARRAY && !w->arrays[box.index];
}

struct fabric *world_fabric(struct world *w)
{
    return w->fabric;
}

struct sw *world_switch(struct world *w, uint32_t switch_index)
{
    return w->switches[switch_index];
}

struct nic *world_nic(struct world *w, uint32_t nic_index)
{
    return w->nics[nic_index];
}

struct cable *world_cable(struct world *w, uint32_t cable_index)
{
    return w->cables[cable_index];
}

struct port *world_port(struct world *w, struct part_ref part)
{
    return switch_port(w->switches[part.owner], part.index + 1);
}

struct world_host *world_host(struct world *w, uint32_t host_index)
{
    return w->hosts[host_index];
}

struct world_array *world_array(struct world *w, uint32_t array_index)
{
    return w->arrays[array_index];
}

const struct topology *world_topology(const struct world *w)
{
    return w->topology;
}

/* Rules at the end. */

static void broken(struct world *w, const char *rule, const char *text)
{
    struct trace_broken b = {rule, TRACE_NONE, TRACE_NONE, TRACE_NONE, UINT64_MAX, text};

    w->options.trace->ops->broken(w->options.trace, clock_now_ns(&w->options.queue->clock), &b);
}

static void check_owner(struct world *w, const char *name, size_t sessions, size_t connections)
{
    char text[192];

    if (sessions == 0 && connections == 0)
        return;
    snprintf(text, sizeof(text),
             "%s still has %zu iSCSI sessions and %zu TCP connections after everybody logged out",
             name, sessions, connections);
    broken(w, "P6", text);
}

void world_check_sessions(struct world *w)
{
    struct host_live_session live;

    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i])
            check_owner(w, w->topology->hosts[i].name,
                        host_live_sessions(world_host_initiator(w->hosts[i]), &live, 1),
                        stack_connection_count(world_host_stack(w->hosts[i])));
    for (uint32_t i = 0; i < w->topology->array_count; i++)
        if (w->arrays[i])
            check_owner(w, w->topology->arrays[i].name, world_array_sessions(w->arrays[i]),
                        stack_connection_count(world_array_stack(w->arrays[i])));
}

void world_check_frames(struct world *w)
{
    char text[256];

    if (!fabric_check_conservation(w->fabric, text, sizeof(text)))
        broken(w, "P8", text);
}

void world_count(struct world *w, struct counter_sink *sink)
{
    fabric_count(w->fabric, sink);
    for (uint32_t i = 0; i < w->topology->host_count; i++)
        if (w->hosts[i])
            world_host_count(w->hosts[i], sink);
    for (uint32_t i = 0; i < w->topology->array_count; i++)
        if (w->arrays[i])
            world_array_count(w->arrays[i], sink);
}
