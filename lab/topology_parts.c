/* The parts of a topology by name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/quantity.h"
#include "lab/topology.h"

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

bool topology_host_sees(const struct topology *topology, uint32_t host_index, uint32_t disk_index)
{
    const struct topology_host *host = &topology->hosts[host_index];

    for (uint32_t i = 0; i < host->path_count; i++)
        if (topology->paths[host->first_path + i].array_index ==
            topology->disks[disk_index].array_index)
            return true;
    return false;
}
