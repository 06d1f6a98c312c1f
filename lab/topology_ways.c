/* The way of a path through the fabric: which cables and switches its frames cross, VLAN by VLAN.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/topology.h"
#include "sim/core/mem.h"

/* One step on the way: in a switch, in a VLAN. No VLAN has a loop of switches, so there is at most
 * one way, and looking at each step once finds it. */
struct way_step {
    uint32_t switch_index;
    uint32_t vlan;
    uint32_t cable_index; /* that led here */
    uint32_t before;      /* the step that it came from */
};

struct way {
    const struct topology *topology;
    struct way_step *steps; /* owned */
    uint32_t count;
    uint32_t capacity;
};

static const struct switch_port_config *port_at(const struct topology *topology,
                                                const struct cable_end *end)
{
    return &topology->switches[end->switch_index].ports[end->port_index];
}

uint32_t topology_cross(const struct topology *topology, const struct cable_end *from,
                        const struct cable_end *to, uint32_t vlan)
{
    uint32_t tag = VLAN_NONE;

    if (from->nic_index == TOPOLOGY_NONE) {
        const struct switch_port_config *port = port_at(topology, from);

        if (port->is_blocked || !vlan_port_carries(&port->vlan, vlan))
            return VLAN_NONE;
        if (vlan_port_tags(&port->vlan, vlan))
            tag = vlan;
    }
    if (to->nic_index != TOPOLOGY_NONE)
        return tag == VLAN_NONE ? VLAN_DEFAULT : VLAN_NONE;
    const struct switch_port_config *port = port_at(topology, to);

    return port->is_blocked ? VLAN_NONE : vlan_port_takes(&port->vlan, tag);
}

static void step_to(struct way *way, const struct way_step *step)
{
    for (uint32_t i = 0; i < way->count; i++)
        if (way->steps[i].switch_index == step->switch_index && way->steps[i].vlan == step->vlan)
            return;
    if (way->count == way->capacity) {
        way->capacity = way->capacity ? way->capacity * 2 : 8;
        way->steps = mem_resize(way->steps, way->capacity, sizeof(*way->steps));
    }
    way->steps[way->count++] = *step;
}

/* Which of its ends is in NIC 'index', or in port 'port' of switch 'index'? */
static unsigned end_in_nic(const struct topology_cable *cable, uint32_t nic_index)
{
    return cable->ends[0].nic_index == nic_index ? 0 : 1;
}

static unsigned end_in_port(const struct topology_cable *cable, uint32_t switch_index,
                            uint32_t port_index)
{
    return cable->ends[0].switch_index == switch_index && cable->ends[0].port_index == port_index
               ? 0
               : 1;
}

/* Goes on from step 'at' by every port; true: one leads to the NIC 'goal'. */
static bool look_around(struct way *way, uint32_t at, uint32_t goal)
{
    const struct topology *topology = way->topology;
    uint32_t switch_index = way->steps[at].switch_index;
    const struct topology_switch *sw = &topology->switches[switch_index];

    for (uint32_t port = 0; port < sw->port_count; port++) {
        uint32_t cable_index = sw->cable_of_port[port];

        if (cable_index == TOPOLOGY_NONE || cable_index == way->steps[at].cable_index)
            continue;
        const struct topology_cable *cable = &topology->cables[cable_index];
        unsigned end = end_in_port(cable, switch_index, port);
        const struct cable_end *far = &cable->ends[1 - end];
        uint32_t vlan = topology_cross(topology, &cable->ends[end], far, way->steps[at].vlan);

        if (vlan == VLAN_NONE)
            continue;
        if (far->nic_index == goal)
            return true;
        if (far->switch_index != TOPOLOGY_NONE)
            step_to(way, &(struct way_step){far->switch_index, vlan, cable_index, at});
    }
    return false;
}

/* The group that an end is in; TOPOLOGY_NONE: none, or a NIC's. */
static uint32_t group_at(const struct topology *topology, const struct cable_end *end)
{
    return end->switch_index == TOPOLOGY_NONE
               ? TOPOLOGY_NONE
               : topology->switches[end->switch_index].group_of_port[end->port_index];
}

bool topology_is_one_link(const struct topology *topology, uint32_t cable_a, uint32_t cable_b)
{
    const struct topology_cable *a = &topology->cables[cable_a];
    const struct topology_cable *b = &topology->cables[cable_b];

    for (unsigned turn = 0; turn < 2; turn++) {
        bool is_same = true;

        for (unsigned end = 0; end < 2; end++) {
            const struct cable_end *there = &a->ends[end];
            const struct cable_end *here = &b->ends[turn ? 1 - end : end];

            is_same = is_same && there->switch_index == here->switch_index &&
                      group_at(topology, there) != TOPOLOGY_NONE &&
                      group_at(topology, there) == group_at(topology, here);
        }
        if (is_same)
            return true;
    }
    return false;
}

static bool is_part_of_one(const struct topology *topology, uint32_t cable_index,
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

/* Of the cable, or of one that is the same link. */
static bool is_part_of_cable(const struct topology *topology, uint32_t cable_index,
                             struct part_ref part)
{
    const struct cable_end *end = &topology->cables[cable_index].ends[0];
    bool is_part = is_part_of_one(topology, cable_index, part);

    if (is_part || group_at(topology, end) == TOPOLOGY_NONE)
        return is_part;
    for (uint32_t i = 0; i < topology->cable_count && !is_part; i++)
        is_part =
            topology_is_one_link(topology, cable_index, i) && is_part_of_one(topology, i, part);
    return is_part;
}

/* 'part' is a switch, a port or a cable; both NICs have the cables. */
static bool is_on_way(struct way *way, uint32_t from_nic, uint32_t to_nic, struct part_ref part)
{
    const struct topology *topology = way->topology;
    uint32_t first = topology->nics[from_nic].cable_index;
    uint32_t last = topology->nics[to_nic].cable_index;

    if (first == TOPOLOGY_NONE || last == TOPOLOGY_NONE)
        return false;
    if (first == last)
        return is_part_of_cable(topology, first, part);
    const struct topology_cable *cable = &topology->cables[first];
    unsigned end = end_in_nic(cable, from_nic);
    const struct cable_end *far = &cable->ends[1 - end];

    if (far->switch_index == TOPOLOGY_NONE)
        return false;
    uint32_t vlan = topology_cross(topology, &cable->ends[end], far, VLAN_NONE);

    if (vlan == VLAN_NONE)
        return false;
    step_to(way, &(struct way_step){far->switch_index, vlan, first, TOPOLOGY_NONE});
    for (uint32_t at = 0; at < way->count; at++) {
        if (!look_around(way, at, to_nic))
            continue;
        bool is_part = is_part_of_cable(topology, last, part);

        for (uint32_t step = at; step != TOPOLOGY_NONE && !is_part; step = way->steps[step].before)
            is_part = is_part_of_cable(topology, way->steps[step].cable_index, part);
        return is_part;
    }
    return false;
}

unsigned topology_outlets(const struct topology *topology, uint32_t nic_index,
                          uint32_t ret_nics[LAG_MOST_LINKS])
{
    const struct topology_nic *nic = &topology->nics[nic_index];

    if (nic->member_count > 0) {
        memcpy(ret_nics, nic->members, nic->member_count * sizeof(*ret_nics));
        return nic->member_count;
    }
    ret_nics[0] = nic->uplink == TOPOLOGY_NONE ? nic_index : nic->uplink;
    return 1;
}

/* Is it one of them, or one that its frames leave by? */
static bool is_nic_of(const struct topology *topology, uint32_t nic_index, uint32_t part_index)
{
    uint32_t outlets[LAG_MOST_LINKS];
    unsigned count = topology_outlets(topology, nic_index, outlets);
    bool is_one = nic_index == part_index;

    for (unsigned i = 0; i < count; i++)
        is_one = is_one || outlets[i] == part_index;
    return is_one;
}

uint32_t topology_way_out(const struct topology *topology, uint32_t nic_index)
{
    const struct topology_nic *nic = &topology->nics[nic_index];
    const struct ip_rules *rules = nic->is_array_nic
                                       ? &topology->arrays[nic->owner_index].profile.ip
                                       : &topology->hosts[nic->owner_index].profile.ip;
    uint32_t first = nic->is_array_nic ? topology->arrays[nic->owner_index].first_nic
                                       : topology->hosts[nic->owner_index].first_nic;
    uint32_t count = nic->is_array_nic ? topology->arrays[nic->owner_index].nic_count
                                       : topology->hosts[nic->owner_index].nic_count;
    uint32_t best = nic_index;

    if (rules->model != HOST_WEAK || rules->binding != BOUND_TO_ADDRESS)
        return nic_index;
    for (uint32_t i = first + count; i-- > first;) {
        const struct topology_nic *other = &topology->nics[i];
        uint32_t bits = other->prefix_bits;

        if (bits > 0 && bits >= topology->nics[best].prefix_bits &&
            ((other->address ^ nic->address) >> (32 - bits)) == 0)
            best = i;
    }
    return best;
}

/* By any NIC that has a cable. */
static bool is_between(const struct topology *topology, uint32_t from_nic, uint32_t to_nic,
                       struct part_ref part)
{
    uint32_t from[LAG_MOST_LINKS];
    uint32_t to[LAG_MOST_LINKS];
    unsigned from_count = topology_outlets(topology, from_nic, from);
    unsigned to_count = topology_outlets(topology, to_nic, to);
    bool is_used = false;

    for (unsigned i = 0; i < from_count * to_count && !is_used; i++) {
        struct way way = {.topology = topology};

        is_used = is_on_way(&way, from[i / to_count], to[i % to_count], part);
        free(way.steps);
    }
    return is_used;
}

/* There and back: by the NICs that own the addresses, and by those that packets really leave by. */
static bool is_on_any_way(const struct topology *topology, const struct topology_path *path,
                          struct part_ref part)
{
    const uint32_t from[2] = {path->nic_index, topology_way_out(topology, path->nic_index)};
    const uint32_t to[2] = {path->array_nic_index,
                            topology_way_out(topology, path->array_nic_index)};
    bool is_used = false;

    for (unsigned i = 0; i < 4 && !is_used; i++) {
        if ((i & 1 && from[1] == from[0]) || (i & 2 && to[1] == to[0]))
            continue;
        is_used = is_between(topology, from[i & 1], to[i >> 1], part);
    }
    return is_used;
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
        return is_nic_of(topology, path->nic_index, part.index) ||
               path->array_nic_index == part.index ||
               is_nic_of(topology, topology_way_out(topology, path->nic_index), part.index) ||
               topology_way_out(topology, path->array_nic_index) == part.index;
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
    return is_on_any_way(topology, path, part);
}

uint32_t topology_direct_peer(const struct topology *topology, uint32_t nic_index)
{
    uint32_t cable_index = topology->nics[nic_index].cable_index;

    if (cable_index == TOPOLOGY_NONE)
        return TOPOLOGY_NONE;
    const struct topology_cable *cable = &topology->cables[cable_index];

    return cable->ends[1 - end_in_nic(cable, nic_index)].nic_index;
}
