/* Link aggregation: groups of switch ports, teams of NICs, and whether the two fit. */
#include "lab/topology_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/mem.h"

struct lag_config build_lag(const struct lag_file *file)
{
    return (struct lag_config){.mode = (enum lag_mode)file->mode,
                               .hash = (enum lag_hash)file->hash,
                               .fails_back = file->fails_back,
                               .is_passive = file->is_passive,
                               .is_short = file->is_short};
}

/* The first of 'values', which are a list or a value alone. */
static const struct node *first_of(const struct node *values)
{
    return values->kind == NODE_LIST ? values->first : values;
}

static const struct node *next_of(const struct node *values, const struct node *value)
{
    return values->kind == NODE_LIST ? value->next : NULL;
}

/* ---- Groups ---- */

static bool are_alike(const struct switch_port_config *a, const struct switch_port_config *b)
{
    bool is_one_trunk = a->vlan.trunk == b->vlan.trunk ||
                        (a->vlan.trunk && b->vlan.trunk &&
                         memcmp(a->vlan.trunk, b->vlan.trunk, sizeof(*a->vlan.trunk)) == 0);

    return is_one_trunk && a->vlan.untagged == b->vlan.untagged && a->is_blocked == b->is_blocked &&
           a->is_edge == b->is_edge && a->flow_control == b->flow_control;
}

/* False: told. */
static bool add_port(struct build *build, const struct node *at, struct topology_switch *sw,
                     uint32_t number)
{
    struct switch_group_config *group = &sw->groups[sw->group_count];

    if (sw->group_of_port[number - 1] != TOPOLOGY_NONE) {
        error_help(node_error(build->errors, at, "port %" PRIu32 " is in a group already", number),
                   "name each port once");
        return false;
    }
    if (group->port_count == LAG_MOST_LINKS) {
        error_help(node_error(build->errors, at, "a group has at most %u ports", LAG_MOST_LINKS),
                   "make two of them");
        return false;
    }
    if (group->port_count > 0 &&
        !are_alike(&sw->ports[group->ports[0] - 1], &sw->ports[number - 1])) {
        error_help(node_error(build->errors, at,
                              "the 'port-settings' of port %" PRIu32
                              " are not those of port %" PRIu32,
                              number, group->ports[0]),
                   "ports of a group are one link: set them alike");
        return false;
    }
    sw->group_of_port[number - 1] = sw->group_count;
    group->ports[group->port_count++] = number;
    return true;
}

static bool add_ports(struct build *build, const struct node *value, struct topology_switch *sw)
{
    uint32_t first;
    uint32_t last;

    if (!schema_has_value(value, "ports", build->errors))
        return false;
    if (!build_parse_range(value->text, 1, sw->port_count, &first, &last)) {
        error_help(
            node_error(build->errors, value, "'%s' has no ports '%.40s'", sw->name, value->text),
            "its ports are 1 to %" PRIu32 "; write 7 or 2-8", sw->port_count);
        return false;
    }
    for (uint32_t number = first; number <= last; number++)
        if (!add_port(build, value, sw, number))
            return false;
    return true;
}

/* Keys that mean something in some modes only. */
static void warn_unused(struct build *build, const struct node *map, enum lag_mode mode)
{
    static const struct {
        const char *key;
        unsigned modes;
        const char *words;
    } rows[] = {
        {"lacp-timeout", 1u << LAG_LACP, "'lacp'"},
        {"lacp-activity", 1u << LAG_LACP, "'lacp'"},
        {"fail-back", 1u << LAG_ACTIVE_BACKUP | 1u << LAG_SWITCH_INDEPENDENT,
         "'active-backup' and 'switch-independent'"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct node *value = node_get(map, rows[i].key);

        if (value && !(rows[i].modes >> mode & 1))
            error_help(node_warning(build->errors, value->key, "'%s' does nothing in this mode",
                                    rows[i].key),
                       "it is for %s", rows[i].words);
    }
}

static void add_group(struct build *build, struct topology_switch *sw, const struct node *map)
{
    struct group_file file = {.ports = NULL};

    if (!schema_check_name(map->key, "group", build->errors))
        return;
    schema_read(&group_record, map, &file, build->errors);
    if (!file.ports)
        return;
    sw->groups[sw->group_count] = (struct switch_group_config){.lag = build_lag(&file.lag)};
    warn_unused(build, map, sw->groups[sw->group_count].lag.mode);
    for (const struct node *value = first_of(file.ports); value; value = next_of(file.ports, value))
        if (!add_ports(build, value, sw))
            return;
    if (sw->groups[sw->group_count].port_count == 0)
        error_help(node_error(build->errors, file.ports, "'ports' names no port"),
                   "write those that are one link: [1, 2]");
    sw->group_count++;
}

void build_add_groups(struct build *build, struct topology_switch *sw, const struct node *groups)
{
    sw->group_of_port = mem_array(sw->port_count, sizeof(*sw->group_of_port));
    for (uint32_t i = 0; i < sw->port_count; i++)
        sw->group_of_port[i] = TOPOLOGY_NONE;
    if (!groups || sw->port_count == 0)
        return;
    sw->groups = mem_array(groups->child_count, sizeof(*sw->groups));
    for (const struct node *map = groups->first; map; map = map->next)
        add_group(build, sw, map);
}

/* ---- Teams ---- */

/* Why it cannot be a member; NULL: it can. */
static const char *refusal(const struct build *build, uint32_t team, uint32_t member)
{
    const struct topology_nic *nic = &build->topology->nics[member];

    if (member == team)
        return "is the team itself";
    if (node_get(build->nic_nodes[member], "team"))
        return "is a team itself";
    if (nic->uplink != TOPOLOGY_NONE)
        return "is a virtual NIC";
    if (nic->is_uplink)
        return "is the uplink of a vSwitch";
    if (nic->prefix_bits > 0)
        return "has an address";
    if (nic->team != TOPOLOGY_NONE)
        return "is a member already";
    return NULL;
}

/* False: told. */
static bool add_member(struct build *build, uint32_t team_index, const struct node *value)
{
    struct topology *topology = build->topology;
    struct topology_nic *team = &topology->nics[team_index];
    const struct topology_host *host = &topology->hosts[team->owner_index];

    if (!schema_has_value(value, "members", build->errors))
        return false;
    uint32_t member = build_find_nic(topology, host->first_nic, host->nic_count, value->text);

    if (member == TOPOLOGY_NONE) {
        error_help(
            node_error(build->errors, value, "'%s' has no NIC '%.60s'", host->name, value->text),
            "members are NICs of the same host");
        return false;
    }
    const char *why = refusal(build, team_index, member);

    if (why || team->member_count == LAG_MOST_LINKS) {
        error_help(node_error(build->errors, value, "'%s' cannot be a member: %s",
                              topology->nics[member].full_name,
                              why ? why : "the team has eight already"),
                   "a member is a physical NIC without 'address', of one team");
        return false;
    }
    topology->nics[member].team = team_index;
    team->members[team->member_count++] = member;
    if (team->mtu_bytes > topology->nics[member].mtu_bytes)
        error_help(node_warning(build->errors, value, "'%s' has MTU %u, its member '%s' only %u",
                                team->full_name, team->mtu_bytes, topology->nics[member].full_name,
                                topology->nics[member].mtu_bytes),
                   "frames above the member's MTU are dropped there");
    return true;
}

static void add_team(struct build *build, uint32_t nic_index, const struct node *map)
{
    struct topology_nic *team = &build->topology->nics[nic_index];
    const struct node *members = node_get(map, "members");

    if (team->is_array_nic) {
        error_help(node_key_error(build->errors, map, "NICs of an array make no team"),
                   "each of them is a portal: give it an address");
        return;
    }
    if (node_get(build->nic_nodes[nic_index], "behind")) {
        error_help(node_key_error(build->errors, map, "'%s' is a virtual NIC", team->full_name),
                   "remove 'behind', or 'team'");
        return;
    }
    for (const struct node *value = first_of(members); value; value = next_of(members, value))
        if (!add_member(build, nic_index, value))
            return;
    warn_unused(build, map, team->lag.mode);
    if (team->member_count < 2)
        error_help(node_error(build->errors, members, "a team has at least two members"),
                   "name them: [nic1, nic2]");
}

void build_add_teams(struct build *build)
{
    size_t errors_before = build->errors->error_count;

    for (uint32_t i = 0; i < build->topology->nic_count; i++) {
        const struct node *map = node_get(build->nic_nodes[i], "team");

        if (map && map->kind == NODE_MAP && node_get(map, "members") &&
            build->errors->error_count == errors_before)
            add_team(build, i, map);
    }
}

/* ---- What fits ---- */

/* The other end of a NIC's cable, if it is a switch's; else NULL. */
static const struct cable_end *switch_end(const struct topology *topology, uint32_t nic_index)
{
    uint32_t cable = topology->nics[nic_index].cable_index;

    if (cable == TOPOLOGY_NONE)
        return NULL;
    const struct cable_end *ends = topology->cables[cable].ends;
    const struct cable_end *far = &ends[ends[0].nic_index == nic_index ? 1 : 0];

    return far->switch_index == TOPOLOGY_NONE ? NULL : far;
}

/* The group that the port of this end is in; NULL: in none. */
static const struct switch_group_config *group_of(const struct topology *topology,
                                                  const struct cable_end *end)
{
    const struct topology_switch *sw = &topology->switches[end->switch_index];
    uint32_t group = sw->group_of_port[end->port_index];

    return group == TOPOLOGY_NONE ? NULL : &sw->groups[group];
}

static bool are_both_silent(const struct lag_config *one, const struct lag_config *other)
{
    return one->mode == LAG_LACP && other->mode == LAG_LACP && one->is_passive && other->is_passive;
}

/* What does not work between a team and a port that is in 'group', NULL: in none; NULL: it works.
 */
static const char *mismatch(const struct lag_config *config,
                            const struct switch_group_config *group)
{
    enum lag_mode team = config->mode;

    if (group && are_both_silent(config, &group->lag))
        return "is in a group as passive as the team: nobody begins to speak LACP";
    if (!group && team == LAG_STATIC)
        return "is in no group: the switch sees one address at two ports";
    if (!group && team == LAG_LACP)
        return "is in no group: nobody there speaks LACP, and one member is used alone";
    if (group && group->lag.mode == LAG_LACP && team != LAG_LACP)
        return "is in a group that waits for LACP, and carries nothing until it hears some";
    if (group && group->lag.mode == LAG_STATIC && group->port_count > 1 && team != LAG_STATIC)
        return "is in a static group, which also sends to members that take nothing";
    return NULL;
}

static void check_member(struct build *build, const struct topology_nic *team, uint32_t member,
                         const struct node *map)
{
    const struct topology *topology = build->topology;
    const struct cable_end *end = switch_end(topology, member);

    if (!end)
        return;
    const struct topology_switch *sw = &topology->switches[end->switch_index];
    const char *why = mismatch(&team->lag, group_of(topology, end));

    if (why)
        error_help(node_warning(build->errors, node_get(map, "mode"),
                                "'%s.%" PRIu32 "', where '%s' is plugged in, %s", sw->name,
                                end->port_index + 1, topology->nics[member].full_name, why),
                   "choose the mode of the team and 'groups' of the switch together");
}

/* The same between two switches. Where nobody speaks LACP, ports that are no group at one end are a
 * loop, which is refused as such. */
static const char *trunk_mismatch(const struct switch_group_config *one,
                                  const struct switch_group_config *other)
{
    bool is_lacp = one && one->lag.mode == LAG_LACP;
    bool is_other_lacp = other && other->lag.mode == LAG_LACP;

    if (is_lacp != is_other_lacp)
        return "has a group at one end that waits for LACP, and nobody who speaks it at the other: "
               "it carries nothing";
    if (is_lacp && are_both_silent(&one->lag, &other->lag))
        return "has passive groups at both ends: nobody begins to speak LACP";
    return NULL;
}

static void check_trunk(struct build *build, const struct topology_cable *cable)
{
    const struct topology *topology = build->topology;
    const struct cable_end *ends = cable->ends;
    const char *why;

    if (ends[0].switch_index == TOPOLOGY_NONE || ends[1].switch_index == TOPOLOGY_NONE)
        return;
    why = trunk_mismatch(group_of(topology, &ends[0]), group_of(topology, &ends[1]));
    if (why)
        error_help(node_warning(build->errors, build_cable_node(build, cable)->key, "cable '%s' %s",
                                cable->name, why),
                   "make 'groups' of the two switches alike");
}

void build_check_groups(struct build *build)
{
    for (uint32_t i = 0; i < build->topology->cable_count; i++)
        check_trunk(build, &build->topology->cables[i]);
    for (uint32_t i = 0; i < build->topology->nic_count; i++) {
        const struct topology_nic *team = &build->topology->nics[i];
        const struct node *map = node_get(build->nic_nodes[i], "team");

        for (unsigned member = 0; member < team->member_count; member++)
            check_member(build, team, team->members[member], map);
    }
}
