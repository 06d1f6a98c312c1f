/* The parts of a topology by name, and what a path runs over. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/quantity.h"
#include "lab/topology.h"
#include "sim/core/mem.h"

const char *part_kind_word(enum part_kind kind)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        PART_KINDS(X)
#undef X
            [PART_NONE] = "setting",
    };

    return words[kind];
}

static bool found(enum part_kind kind, uint32_t index, uint32_t owner, struct part_ref *ret_part)
{
    *ret_part = (struct part_ref){.kind = kind, .index = index, .owner = owner};
    return true;
}

/* 'switch-1.24': its ports count from 1. */
static bool find_port(const struct topology *topology, const char *name, struct part_ref *ret_part)
{
    const char *dot = strchr(name, '.');
    int64_t port = 0;

    if (!dot || quantity_parse_number(dot + 1, 0, &port) != QUANTITY_FINE)
        return false;
    for (uint32_t i = 0; i < topology->switch_count; i++) {
        const struct topology_switch *sw = &topology->switches[i];

        if (strlen(sw->name) == (size_t)(dot - name) &&
            strncmp(sw->name, name, (size_t)(dot - name)) == 0)
            return port >= 1 && port <= sw->port_count &&
                   found(PART_PORT, (uint32_t)port - 1, i, ret_part);
    }
    return false;
}

bool topology_find(const struct topology *topology, const char *name, struct part_ref *ret_part)
{
#define LOOK(items, count, member, kind)                                                           \
    for (uint32_t i = 0; i < topology->count; i++)                                                 \
        if (strcmp(topology->items[i].member, name) == 0)                                          \
            return found(kind, i, TOPOLOGY_NONE, ret_part);

    LOOK(switches, switch_count, name, PART_SWITCH)
    LOOK(hosts, host_count, name, PART_HOST)
    LOOK(arrays, array_count, name, PART_ARRAY)
    LOOK(cables, cable_count, name, PART_CABLE)
    LOOK(nics, nic_count, full_name, PART_NIC)
    LOOK(disks, disk_count, full_name, PART_DISK)
    LOOK(paths, path_count, name, PART_PATH)
#undef LOOK
    return find_port(topology, name, ret_part);
}

const char *topology_part_name(const struct topology *topology, struct part_ref part,
                               char buffer[PART_NAME_BYTES])
{
    switch (part.kind) {
    case PART_SWITCH:
        return topology->switches[part.index].name;
    case PART_PORT:
        snprintf(buffer, PART_NAME_BYTES, "%s.%" PRIu32, topology->switches[part.owner].name,
                 part.index + 1);
        return buffer;
    case PART_HOST:
        return topology->hosts[part.index].name;
    case PART_NIC:
        return topology->nics[part.index].full_name;
    case PART_CABLE:
        return topology->cables[part.index].name;
    case PART_ARRAY:
        return topology->arrays[part.index].name;
    case PART_DISK:
        return topology->disks[part.index].full_name;
    case PART_PATH:
        return topology->paths[part.index].name;
    case PART_NONE:
        break;
    }
    return "";
}

struct source_pos topology_part_pos(const struct topology *topology, struct part_ref part)
{
    switch (part.kind) {
    case PART_SWITCH:
        return topology->switches[part.index].pos;
    case PART_PORT:
        return topology->switches[part.owner].pos;
    case PART_HOST:
        return topology->hosts[part.index].pos;
    case PART_NIC:
        return topology->nics[part.index].pos;
    case PART_CABLE:
        return topology->cables[part.index].pos;
    case PART_ARRAY:
        return topology->arrays[part.index].pos;
    case PART_DISK:
        return topology->disks[part.index].pos;
    case PART_PATH:
        return topology->paths[part.index].pos;
    case PART_NONE:
        break;
    }
    return (struct source_pos){.file = NULL};
}

/* ---- The way of a path ---- */

/* Follows cables from the host's NIC to the array's. There is no loop of switches, so there is at
 * most one way: a depth-first walk over switches finds it, and 'cable_to' remembers it. */
struct walk {
    const struct topology *topology;
    uint32_t *cable_to; /* per switch: the cable that led there, or TOPOLOGY_NONE */
    uint32_t *open;     /* switches still to look at */
    uint32_t open_count;
};

static const struct cable_end *other_end(const struct topology_cable *cable, bool is_nic,
                                         uint32_t index)
{
    const struct cable_end *first = &cable->ends[0];
    bool is_first = is_nic ? first->nic_index == index : first->switch_index == index;

    return is_first ? &cable->ends[1] : first;
}

static bool is_part_of_cable(const struct topology *topology, uint32_t cable_index,
                             struct part_ref part)
{
    const struct topology_cable *cable = &topology->cables[cable_index];

    if (part.kind == PART_CABLE)
        return part.index == cable_index;
    for (int i = 0; i < 2; i++) {
        const struct cable_end *end = &cable->ends[i];

        if (end->switch_index == TOPOLOGY_NONE)
            continue;
        if (part.kind == PART_SWITCH && end->switch_index == part.index)
            return true;
        if (part.kind == PART_PORT && end->switch_index == part.owner &&
            end->port_index == part.index)
            return true;
    }
    return false;
}

/* Visits what hangs on a switch; true once 'goal' is among it. */
static bool look_around(struct walk *walk, uint32_t switch_index, uint32_t goal)
{
    const struct topology_switch *sw = &walk->topology->switches[switch_index];

    for (uint32_t port = 0; port < sw->port_count; port++) {
        uint32_t cable_index = sw->cable_of_port[port];
        if (cable_index == TOPOLOGY_NONE || cable_index == walk->cable_to[switch_index])
            continue;

        const struct cable_end *end =
            other_end(&walk->topology->cables[cable_index], false, switch_index);
        if (end->nic_index == goal)
            return true;
        if (end->switch_index != TOPOLOGY_NONE &&
            walk->cable_to[end->switch_index] == TOPOLOGY_NONE) {
            walk->cable_to[end->switch_index] = cable_index;
            walk->open[walk->open_count++] = end->switch_index;
        }
    }
    return false;
}

static bool is_on_way(struct walk *walk, uint32_t from_nic, uint32_t to_nic, struct part_ref part)
{
    const struct topology *topology = walk->topology;
    uint32_t first = topology->nics[from_nic].cable_index;
    uint32_t last = topology->nics[to_nic].cable_index;

    if (first == TOPOLOGY_NONE || last == TOPOLOGY_NONE)
        return false;
    if (first == last)
        return is_part_of_cable(topology, first, part);

    const struct cable_end *end = other_end(&topology->cables[first], true, from_nic);
    if (end->switch_index == TOPOLOGY_NONE)
        return false;
    walk->cable_to[end->switch_index] = first;
    walk->open[walk->open_count++] = end->switch_index;
    while (walk->open_count > 0) {
        uint32_t at = walk->open[--walk->open_count];

        if (!look_around(walk, at, to_nic))
            continue;
        if (is_part_of_cable(topology, last, part))
            return true;
        for (uint32_t cable = walk->cable_to[at]; cable != first; cable = walk->cable_to[at]) {
            if (is_part_of_cable(topology, cable, part))
                return true;
            at = other_end(&topology->cables[cable], false, at)->switch_index;
        }
        return is_part_of_cable(topology, first, part);
    }
    return false;
}

bool topology_path_uses(const struct topology *topology, uint32_t path_index, struct part_ref part)
{
    const struct topology_path *path = &topology->paths[path_index];

    switch (part.kind) {
    case PART_HOST:
        return path->host_index == part.index;
    case PART_ARRAY:
        return path->array_index == part.index;
    case PART_NIC:
        return path->nic_index == part.index || path->array_nic_index == part.index;
    case PART_PATH:
        return path_index == part.index;
    case PART_DISK:
        return topology->disks[part.index].array_index == path->array_index;
    case PART_NONE:
        return false;
    case PART_SWITCH:
    case PART_PORT:
    case PART_CABLE:
        break;
    }

    struct walk walk = {
        .topology = topology,
        .cable_to = mem_array(topology->switch_count, sizeof(uint32_t)),
        .open = mem_array(topology->switch_count, sizeof(uint32_t)),
    };
    for (uint32_t i = 0; i < topology->switch_count; i++)
        walk.cable_to[i] = TOPOLOGY_NONE;

    bool is_used = is_on_way(&walk, path->nic_index, path->array_nic_index, part);
    free(walk.cable_to);
    free(walk.open);
    return is_used;
}

bool topology_host_sees(const struct topology *topology, uint32_t host_index, uint32_t disk_index)
{
    const struct topology_host *host = &topology->hosts[host_index];

    for (uint32_t i = 0; i < host->path_count; i++)
        if (topology->paths[host->first_path + i].array_index ==
            topology->disks[disk_index].array_index)
            return true;
    return false;
}

uint32_t topology_direct_peer(const struct topology *topology, uint32_t nic_index)
{
    uint32_t cable = topology->nics[nic_index].cable_index;

    if (cable == TOPOLOGY_NONE)
        return TOPOLOGY_NONE;
    return other_end(&topology->cables[cable], true, nic_index)->nic_index;
}
