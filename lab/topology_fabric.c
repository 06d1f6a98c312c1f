/* What must hold between cables, switches and VLANs: no loop, and a way for each session. */
#include "lab/topology_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/core/mem.h"

/* Sets of places that frames get to from each other: a NIC is one place, a switch is one per VLAN.
 * Joined by linking, with path halving. */
struct joints {
    const struct topology *topology;
    uint32_t *parents;
    uint32_t vlans[VLAN_MOST]; /* those that a frame may begin in */
    uint32_t vlan_count;
    uint32_t index_of[VLAN_MOST + 1]; /* of each VLAN among them, or TOPOLOGY_NONE */
    uint32_t *boxes;                  /* the same as if all cables carried everything */
};

static uint32_t set_of(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

static void use_vlan(struct joints *joints, uint32_t vlan)
{
    if (joints->index_of[vlan] != TOPOLOGY_NONE)
        return;
    joints->index_of[vlan] = joints->vlan_count;
    joints->vlans[joints->vlan_count++] = vlan;
}

/* A trunk of all VLANs carries what others begin. */
static void use_vlans(struct joints *joints, const struct vlan_port *port)
{
    bool is_all = port->trunk != NULL;

    use_vlan(joints, port->untagged);
    for (uint32_t vlan = VLAN_DEFAULT; vlan <= VLAN_MOST && is_all; vlan++)
        is_all = vlan_set_has(port->trunk, vlan);
    for (uint32_t vlan = VLAN_DEFAULT; vlan <= VLAN_MOST && port->trunk && !is_all; vlan++)
        if (vlan_set_has(port->trunk, vlan))
            use_vlan(joints, vlan);
}

static uint32_t *singles(uint32_t count)
{
    uint32_t *parents = mem_array(count, sizeof(uint32_t));

    for (uint32_t i = 0; i < count; i++)
        parents[i] = i;
    return parents;
}

static struct joints *joints_new(const struct topology *topology)
{
    struct joints *joints = mem_new(sizeof(*joints));

    joints->topology = topology;
    for (uint32_t vlan = 0; vlan <= VLAN_MOST; vlan++)
        joints->index_of[vlan] = TOPOLOGY_NONE;
    for (uint32_t i = 0; i < topology->switch_count; i++) {
        const struct topology_switch *sw = &topology->switches[i];
        const struct vlan_set *last = NULL; /* ports of one range share theirs */

        for (uint32_t port = 0; port < sw->port_count; port++) {
            if (sw->ports[port].vlan.trunk && sw->ports[port].vlan.trunk == last)
                continue;
            last = sw->ports[port].vlan.trunk;
            use_vlans(joints, &sw->ports[port].vlan);
        }
    }
    joints->parents = singles(topology->nic_count + topology->switch_count * joints->vlan_count);
    joints->boxes = singles(topology->nic_count + topology->switch_count);
    return joints;
}

static void joints_free(struct joints *joints)
{
    free(joints->parents);
    free(joints->boxes);
    free(joints);
}

/* The place behind one end of a cable. */
static uint32_t place_of(const struct joints *joints, const struct cable_end *end, uint32_t vlan)
{
    return end->nic_index != TOPOLOGY_NONE
               ? end->nic_index
               : joints->topology->nic_count + end->switch_index * joints->vlan_count +
                     joints->index_of[vlan];
}

const struct node *build_cable_node(const struct build *build, const struct topology_cable *cable)
{
    for (const struct node *map = build->file->cables->first; map; map = map->next)
        if ((int)map->key->line == cable->pos.line && (int)map->key->column == cable->pos.column)
            return map;
    return build->file->cables;
}

static void refuse_loop(struct build *build, const struct topology_cable *cable, uint32_t vlan,
                        bool has_vlans)
{
    char in_vlan[32] = "";

    if (has_vlans)
        snprintf(in_vlan, sizeof(in_vlan), " in VLAN %" PRIu32, vlan);
    error_help(node_key_error(build->errors, build_cable_node(build, cable),
                              "cable '%s' closes a loop of switches%s", cable->name, in_vlan),
               "no spanning tree is simulated: frames would circle for ever; remove it, or block "
               "a port of the ring: 'port-settings: {%" PRIu32 ": {blocked: true}}'",
               cable->ends[0].port_index + 1);
}

/* One direction of a cable; false: what it joins was joined already. Of two directions that join
 * the same places, the second adds nothing. */
static bool join(struct joints *joints, const struct cable_end *from, const struct cable_end *to,
                 uint32_t vlan, bool is_second)
{
    uint32_t there = topology_cross(joints->topology, from, to, vlan);

    if (there == VLAN_NONE)
        return true;
    if (is_second && topology_cross(joints->topology, to, from, there) == vlan)
        return true;
    uint32_t a = set_of(joints->parents, place_of(joints, from, vlan));
    uint32_t b = set_of(joints->parents, place_of(joints, to, there));

    joints->parents[a] = b;
    return a != b;
}

static void join_switches(struct build *build, struct joints *joints,
                          const struct topology_cable *cable)
{
    for (unsigned end = 0; end < 2; end++) {
        for (uint32_t i = 0; i < joints->vlan_count; i++) {
            uint32_t vlan = joints->vlans[i];

            if (join(joints, &cable->ends[end], &cable->ends[1 - end], vlan, end == 1))
                continue;
            refuse_loop(build, cable, vlan, joints->vlan_count > 1);
            return; /* in the other VLANs it is the same cable */
        }
    }
}

static void warn_of_mismatch(struct build *build, const struct topology_cable *cable)
{
    const struct topology *topology = build->topology;
    const struct vlan_port *ports[2];

    for (unsigned end = 0; end < 2; end++) {
        const struct cable_end *at = &cable->ends[end];
        const struct switch_port_config *port =
            &topology->switches[at->switch_index].ports[at->port_index];

        ports[end] = &port->vlan;
        if (port->is_blocked || !vlan_port_carries(&port->vlan, port->vlan.untagged))
            return;
    }
    if (ports[0]->untagged == ports[1]->untagged)
        return;
    error_help(
        node_warning(build->errors, build_cable_node(build, cable)->key,
                     "cable '%s' joins VLAN %" PRIu32 " at '%s' with VLAN %" PRIu32 " at '%s'",
                     cable->name, ports[0]->untagged,
                     topology->switches[cable->ends[0].switch_index].name, ports[1]->untagged,
                     topology->switches[cable->ends[1].switch_index].name),
        "frames without a tag change their VLAN on it: give both ends the same 'vlan' or "
        "'native'");
}

static void join_boxes(struct joints *joints, const struct topology_cable *cable)
{
    uint32_t sets[2];

    for (unsigned end = 0; end < 2; end++) {
        const struct cable_end *at = &cable->ends[end];

        sets[end] = set_of(joints->boxes, at->nic_index != TOPOLOGY_NONE
                                              ? at->nic_index
                                              : joints->topology->nic_count + at->switch_index);
    }
    joints->boxes[sets[0]] = sets[1];
}

/* Cables from a NIC: to another one, or into the VLAN that its switch port gives it. */
static void join_nic(struct joints *joints, const struct topology_cable *cable)
{
    unsigned end = cable->ends[0].nic_index != TOPOLOGY_NONE ? 0 : 1;

    (void)join(joints, &cable->ends[end], &cable->ends[1 - end], VLAN_NONE, false);
}

static void check_session(struct build *build, struct joints *joints,
                          const struct topology_path *path)
{
    const struct topology *topology = build->topology;
    const struct topology_nic *nic = &topology->nics[path->nic_index];
    const struct topology_nic *portal = &topology->nics[path->array_nic_index];
    uint32_t outlets[LAG_MOST_LINKS];
    bool has_cables = false;

    for (unsigned i = topology_outlets(topology, path->nic_index, outlets); i-- > 0;) {
        if (topology->nics[outlets[i]].cable_index == TOPOLOGY_NONE ||
            portal->cable_index == TOPOLOGY_NONE ||
            set_of(joints->parents, outlets[i]) == set_of(joints->parents, path->array_nic_index))
            return;
        nic = &topology->nics[outlets[i]];
        has_cables = has_cables || set_of(joints->boxes, outlets[i]) ==
                                       set_of(joints->boxes, path->array_nic_index);
    }

    error_help(node_warning(build->errors, build->nic_nodes[path->nic_index]->key,
                            "no %s from '%s' to '%s'", has_cables ? "VLAN leads" : "cables lead",
                            nic->full_name, portal->full_name),
               has_cables ? "the session between them can never log in: look at 'port-settings' "
                            "along the way"
                          : "the session between them can never log in");
}

/* Of two groups that are joined already: no loop, but more of the same link. */
static bool is_in_earlier(const struct topology *topology, uint32_t cable_index)
{
    for (uint32_t i = 0; i < cable_index; i++)
        if (topology_is_one_link(topology, i, cable_index))
            return true;
    return false;
}

void build_check_fabric(struct build *build)
{
    struct topology *topology = build->topology;
    struct joints *joints = joints_new(topology);

    for (uint32_t i = 0; i < topology->cable_count; i++) {
        const struct topology_cable *cable = &topology->cables[i];

        join_boxes(joints, cable);
        if (cable->ends[0].nic_index != TOPOLOGY_NONE ||
            cable->ends[1].nic_index != TOPOLOGY_NONE) {
            join_nic(joints, cable);
            continue;
        }
        if (!is_in_earlier(topology, i))
            join_switches(build, joints, cable);
        warn_of_mismatch(build, cable);
    }
    for (uint32_t i = 0; i < topology->path_count; i++)
        check_session(build, joints, &topology->paths[i]);
    for (uint32_t i = 0; i < topology->nic_count; i++)
        if (topology->nics[i].cable_index == TOPOLOGY_NONE &&
            topology->nics[i].uplink == TOPOLOGY_NONE && topology->nics[i].member_count == 0)
            error_help(node_warning(build->errors, build->nic_nodes[i]->key, "no cable is in '%s'",
                                    topology->nics[i].full_name),
                       "add one under 'cables', or remove the NIC");
    joints_free(joints);
}
