/* Virtual NICs: behind which physical NIC is the vSwitch of each? */
#include "lab/topology_build.h"

#include <stdio.h>
#include <string.h>

/* 'nic1' is of the same host, 'hv1.nic1' of any. */
static uint32_t find_uplink(const struct topology *topology, const struct topology_nic *nic,
                            const char *name)
{
    const struct topology_host *host = &topology->hosts[nic->owner_index];

    for (uint32_t i = 0; strchr(name, '.') && i < topology->nic_count; i++)
        if (!topology->nics[i].is_array_nic && strcmp(topology->nics[i].full_name, name) == 0)
            return i;
    return build_find_nic(topology, host->first_nic, host->nic_count, name);
}

/* Why it cannot be the uplink; NULL: it can. */
static const char *refusal(const struct build *build, const struct topology_nic *nic,
                           uint32_t uplink)
{
    const struct topology *topology = build->topology;

    if (&topology->nics[uplink] == nic)
        return "is the NIC itself";
    if (node_get(build->nic_nodes[uplink], "behind"))
        return "is a virtual NIC itself";
    if (node_get(build->nic_nodes[uplink], "team"))
        return "is a team";
    if (topology->nics[uplink].prefix_bits > 0)
        return "has an address";
    return NULL;
}

static void add_uplink(struct build *build, uint32_t nic_index, const struct node *behind)
{
    struct topology *topology = build->topology;
    struct topology_nic *nic = &topology->nics[nic_index];

    if (nic->is_array_nic) {
        error_help(node_error(build->errors, behind, "a NIC of an array is behind no vSwitch"),
                   "remove 'behind'");
        return;
    }
    uint32_t uplink = find_uplink(topology, nic, behind->text);

    if (uplink == TOPOLOGY_NONE) {
        error_help(
            node_error(build->errors, behind, "there is no NIC '%.80s' of a host", behind->text),
            "write 'nic1' for one of this host, 'hv1.nic1' for one of another");
        return;
    }
    const char *why = refusal(build, nic, uplink);

    if (why) {
        error_help(node_error(build->errors, behind, "'%s' cannot be an uplink: it %s",
                              topology->nics[uplink].full_name, why),
                   "an uplink is a physical NIC without 'address'");
        return;
    }
    nic->uplink = uplink;
    topology->nics[uplink].is_uplink = true;
    if (nic->mtu_bytes > topology->nics[uplink].mtu_bytes)
        error_help(node_warning(build->errors, behind, "'%s' has MTU %u, its uplink '%s' only %u",
                                nic->full_name, nic->mtu_bytes, topology->nics[uplink].full_name,
                                topology->nics[uplink].mtu_bytes),
                   "frames above the uplink's MTU are dropped there without a word");
}

void build_add_uplinks(struct build *build)
{
    size_t errors_before = build->errors->error_count;

    for (uint32_t i = 0; i < build->topology->nic_count; i++) {
        const struct node *behind = node_get(build->nic_nodes[i], "behind");

        if (behind && behind->kind == NODE_VALUE && behind->text[0] &&
            build->errors->error_count == errors_before)
            add_uplink(build, i, behind);
    }
}
