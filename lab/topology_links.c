/* The sessions and the cables of a topology: what joins one box to another. */
#include "lab/topology_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/attributes.h"

/* ---- Sessions ---- */

static void refuse_foreign_nic(struct build *build, const struct node *from,
                               const struct topology_host *host)
{
    const char *known[NICS_PER_BOX_MOST];

    for (uint32_t i = 0; i < host->nic_count; i++)
        known[i] = build->topology->nics[host->first_nic + i].name;
    schema_unknown(from, "NIC of this host", from->text, (struct name_list){known, host->nic_count},
                   build->errors);
}

/* The arrays' NICs come after those of all hosts. */
static uint32_t find_portal(struct build *build, const struct node *to)
{
    const struct topology *topology = build->topology;
    uint32_t first = topology->array_count > 0 ? topology->arrays[0].first_nic : 0;
    const char *known[ARRAYS_MOST * NICS_PER_BOX_MOST];
    size_t count = 0;

    for (uint32_t i = first; i < topology->nic_count; i++) {
        if (strcmp(topology->nics[i].full_name, to->text) == 0 && topology->nics[i].is_array_nic)
            return i;
        if (topology->nics[i].is_array_nic && count < ARRAY_SIZE(known))
            known[count++] = topology->nics[i].full_name;
    }
    for (uint32_t i = 0; i < first; i++) {
        if (strcmp(topology->nics[i].full_name, to->text) != 0)
            continue;
        error_help(node_error(build->errors, to, "'%s' is no NIC of an array", to->text),
                   "a session leads to a target portal, like 'san1.port-a'");
        return TOPOLOGY_NONE;
    }
    schema_unknown(to, "NIC of an array", to->text, (struct name_list){known, count},
                   build->errors);
    return TOPOLOGY_NONE;
}

void build_print_cidr(const struct topology_nic *nic, char text[24])
{
    snprintf(text, 24, "%u.%u.%u.%u/%u", nic->address >> 24, nic->address >> 16 & 0xff,
             nic->address >> 8 & 0xff, nic->address & 0xff, nic->prefix_bits & 0x3f);
}

static bool can_talk(struct build *build, const struct session_file *file,
                     const struct topology_nic *from, const struct topology_nic *to)
{
    if (from->prefix_bits == 0 || to->prefix_bits == 0) {
        const struct topology_nic *nic = from->prefix_bits == 0 ? from : to;

        if (node_get(build->nic_nodes[nic - build->topology->nics], "address"))
            return false; /* it was refused */
        error_help(node_error(build->errors, nic == from ? file->from : file->to,
                              "'%s' has no address for a session", nic->full_name),
                   "give that NIC an address: 'address: 172.16.0.53/24'");
        return false;
    }

    uint32_t mask = ~(UINT32_MAX >> from->prefix_bits);
    if (from->prefix_bits == to->prefix_bits && (from->address & mask) == (to->address & mask))
        return true;

    char text[2][24];
    build_print_cidr(from, text[0]);
    build_print_cidr(to, text[1]);
    error_help(node_error(build->errors, file->to,
                          "'%s' (%s) and '%s' (%s) are in different subnets", from->full_name,
                          text[0], to->full_name, text[1]),
               "there is no router in a SAN: both ends of a session need one subnet");
    return false;
}

static void add_path(struct build *build, const struct node *map, uint32_t host_index)
{
    struct topology *topology = build->topology;
    struct topology_host *host = &topology->hosts[host_index];
    struct session_file file = {.from = NULL};

    schema_read(&session_record, map, &file, build->errors);
    if (!file.from || !file.to)
        return;

    uint32_t from = build_find_nic(topology, host->first_nic, host->nic_count, file.from->text);
    if (from == TOPOLOGY_NONE)
        refuse_foreign_nic(build, file.from, host);
    uint32_t to = find_portal(build, file.to);
    if (from == TOPOLOGY_NONE || to == TOPOLOGY_NONE ||
        !can_talk(build, &file, &topology->nics[from], &topology->nics[to]))
        return;

    topology->paths =
        build_grow(topology->paths, topology->path_count, sizeof(struct topology_path));
    struct topology_path *path = &topology->paths[topology->path_count];
    *path = (struct topology_path){
        .pos = node_pos(map),
        .host_index = host_index,
        .index_in_host = host->path_count,
        .nic_index = from,
        .array_nic_index = to,
        .array_index = topology->nics[to].owner_index,
        .is_preferred = file.is_preferred,
    };
    snprintf(path->name, sizeof(path->name), "%s>%s", topology->nics[from].full_name,
             topology->nics[to].full_name);
    for (uint32_t i = host->first_path; i < topology->path_count; i++) {
        if (strcmp(topology->paths[i].name, path->name) == 0) {
            error_help(node_error(build->errors, map, "the session '%s' is here twice", path->name),
                       "a second session over the same path adds no path: remove one");
            return;
        }
        if (i != topology->path_count && path->is_preferred && topology->paths[i].is_preferred) {
            error_help(node_error(build->errors, node_get(map, "preferred"),
                                  "host '%s' has two preferred sessions", host->group),
                       "'%s' is the first: keep one of them", topology->paths[i].name);
            return;
        }
    }
    build_add_path_chap(build, path, &file);
    host->path_count++;
    topology->path_count++;
}

void build_add_paths(struct build *build)
{
    struct topology *topology = build->topology;
    size_t errors_before = build->errors->error_count;
    const char *done = ""; /* the group whose sessions were refused already */

    for (uint32_t i = 0; i < topology->host_count; i++) {
        struct topology_host *host = &topology->hosts[i];
        const struct node *map = node_get(build->file->hosts, host->group);
        const struct node *sessions = node_get(map, "sessions");

        host->first_path = topology->path_count;
        if (map && (!sessions || (sessions->kind == NODE_LIST && sessions->child_count == 0)) &&
            strcmp(done, host->group) != 0) {
            error_help(node_key_error(build->errors, sessions ? sessions : map,
                                      "host '%s' has no session", host->group),
                       "give it one per path: 'sessions: [{from: iscsi1, to: san1.port-a}]'");
            done = host->group;
            errors_before = build->errors->error_count;
            continue;
        }
        if (!sessions || sessions->kind != NODE_LIST || strcmp(done, host->group) == 0)
            continue;
        if (sessions->child_count > SESSIONS_PER_HOST_MOST) {
            error_help(node_key_error(build->errors, sessions, "more than %u sessions of one host",
                                      SESSIONS_PER_HOST_MOST),
                       "that is the most that this program takes");
            done = host->group;
            continue;
        }
        for (const struct node *item = sessions->first; item; item = item->next)
            add_path(build, item, i);
        if (build->errors->error_count > errors_before)
            done = host->group;
        errors_before = build->errors->error_count;
    }
}

/* ---- Cables ---- */

/* Where one end of the cables of one map goes: with 'count' hosts in a group, so many ends. */
struct end_run {
    struct cable_end first;
    uint32_t count;    /* 1, or the hosts of the group */
    uint32_t nic_step; /* NICs from one host of the group to the next */
};

/* Hosts made from one map: a key that is there twice makes two groups of one name. */
static uint32_t group_size(const struct topology *topology, uint32_t host_index)
{
    const struct source_pos *pos = &topology->hosts[host_index].pos;
    uint32_t count = 1;

    while (host_index + count < topology->host_count) {
        const struct source_pos *next = &topology->hosts[host_index + count].pos;

        if (next->line != pos->line || next->column != pos->column)
            break;
        count++;
    }
    return count;
}

static bool find_port(struct build *build, const struct node *at, const char *rest,
                      uint32_t switch_index, struct end_run *ret)
{
    const struct topology_switch *sw = &build->topology->switches[switch_index];
    int64_t port = 0;

    if (sw->port_count == 0)
        return false; /* its 'ports' were refused */
    if (quantity_parse_number(rest, 0, &port) != QUANTITY_FINE || port < 1 ||
        port > sw->port_count) {
        error_help(node_part_error(build->errors, at, (size_t)(rest - at->text), strlen(rest),
                                   "'%s' has no port '%.40s'", sw->name, rest),
                   "its ports are 1 to %" PRIu32, sw->port_count);
        return false;
    }
    ret->first.switch_index = switch_index;
    ret->first.port_index = (uint32_t)port - 1;
    return true;
}

static bool find_nic_end(struct build *build, const struct node *at, const char *rest,
                         const char *box, uint32_t first, uint32_t count, struct end_run *ret)
{
    const char *known[NICS_PER_BOX_MOST];

    ret->first.nic_index = build_find_nic(build->topology, first, count, rest);
    if (ret->first.nic_index != TOPOLOGY_NONE)
        return true;
    for (uint32_t i = 0; i < count; i++)
        known[i] = build->topology->nics[first + i].name;

    schema_help_known(node_part_error(build->errors, at, (size_t)(rest - at->text), strlen(rest),
                                      "'%s' has no NIC '%.60s'", box, rest),
                      rest, (struct name_list){known, count}, "NIC");
    return false;
}

static void refuse_box(struct build *build, const struct node *at, const char *box)
{
    const struct topology *topology = build->topology;
    const char *known[256];
    size_t count = 0;

    for (uint32_t i = 0; i < topology->switch_count && count < ARRAY_SIZE(known); i++)
        known[count++] = topology->switches[i].name;
    for (uint32_t i = 0; i < topology->array_count && count < ARRAY_SIZE(known); i++)
        known[count++] = topology->arrays[i].name;
    for (uint32_t i = 0; i < topology->host_count && count < ARRAY_SIZE(known); i++)
        if (i == 0 || strcmp(topology->hosts[i].group, topology->hosts[i - 1].group) != 0)
            known[count++] = topology->hosts[i].group;
    schema_unknown(at, "host, switch or array", box, (struct name_list){known, count},
                   build->errors);
}

static bool find_end(struct build *build, const struct node *at, struct end_run *ret)
{
    const struct topology *topology = build->topology;
    const char *dot = strchr(at->text, '.');
    size_t box_bytes = dot ? (size_t)(dot - at->text) : strlen(at->text);
    char box[NAME_BYTES];

    *ret = (struct end_run){
        .first = {.nic_index = TOPOLOGY_NONE, .switch_index = TOPOLOGY_NONE, .pos = node_pos(at)},
        .count = 1};
    snprintf(box, sizeof(box), "%.*s", (int)(box_bytes < sizeof(box) ? box_bytes : sizeof(box) - 1),
             at->text);
    if (!dot) {
        error_help(
            node_error(build->errors, at, "'%.60s' is neither a NIC nor a switch port", at->text),
            "write 'hv1.iscsi1' or 'switch-1.24'");
        return false;
    }

    for (uint32_t i = 0; i < topology->switch_count; i++)
        if (strcmp(topology->switches[i].name, box) == 0)
            return find_port(build, at, dot + 1, i, ret);
    for (uint32_t i = 0; i < topology->array_count; i++)
        if (strcmp(topology->arrays[i].name, box) == 0)
            return find_nic_end(build, at, dot + 1, box, topology->arrays[i].first_nic,
                                topology->arrays[i].nic_count, ret);
    for (uint32_t i = 0; i < topology->host_count; i++) {
        const struct topology_host *host = &topology->hosts[i];
        bool is_group = strcmp(host->group, box) == 0;

        if (!is_group && strcmp(host->name, box) != 0)
            continue;
        ret->count = is_group ? group_size(topology, i) : 1;
        ret->nic_step = host->nic_count;
        return find_nic_end(build, at, dot + 1, box, host->first_nic, host->nic_count, ret);
    }
    refuse_box(build, at, box);
    return false;
}

/* The cable that is already there; NULL: the place is free, or there is none. */
static uint32_t *place_of(struct topology *topology, const struct cable_end *end)
{
    if (end->nic_index != TOPOLOGY_NONE)
        return &topology->nics[end->nic_index].cable_index;

    struct topology_switch *sw = &topology->switches[end->switch_index];
    return end->port_index < sw->port_count ? &sw->cable_of_port[end->port_index] : NULL;
}

static bool plug(struct build *build, const struct node *at, const struct cable_end *end)
{
    struct topology *topology = build->topology;
    uint32_t *place = place_of(topology, end);

    if (end->nic_index != TOPOLOGY_NONE && topology->nics[end->nic_index].uplink != TOPOLOGY_NONE) {
        error_help(node_error(build->errors, at, "'%s' is a virtual NIC: no cable fits",
                              topology->nics[end->nic_index].full_name),
                   "plug it into its uplink, '%s'",
                   topology->nics[topology->nics[end->nic_index].uplink].full_name);
        return false;
    }
    if (end->nic_index != TOPOLOGY_NONE && topology->nics[end->nic_index].member_count > 0) {
        error_help(node_error(build->errors, at, "'%s' is a team: no cable fits",
                              topology->nics[end->nic_index].full_name),
                   "plug it into its members, like '%s'",
                   topology->nics[topology->nics[end->nic_index].members[0]].full_name);
        return false;
    }
    if (!place) {
        error_help(node_error(build->errors, at, "'%s' has not enough ports for 'count'",
                              topology->switches[end->switch_index].name),
                   "give it more ports, or begin at a lower one");
        return false;
    }
    if (*place != TOPOLOGY_NONE) {
        char port[PART_NAME_BYTES];

        if (end->nic_index != TOPOLOGY_NONE)
            snprintf(port, sizeof(port), "%s", topology->nics[end->nic_index].full_name);
        else
            snprintf(port, sizeof(port), "%s.%" PRIu32, topology->switches[end->switch_index].name,
                     end->port_index + 1);
        error_help(node_error(build->errors, at, "cable '%s' is already in '%s'",
                              topology->cables[*place].name, port),
                   "one cable fits: choose another %s",
                   end->nic_index != TOPOLOGY_NONE ? "NIC" : "port");
        return false;
    }
    *place = topology->cable_count;
    return true;
}

static struct cable_end nth_end(const struct end_run *run, uint32_t number)
{
    struct cable_end end = run->first;

    if (end.nic_index == TOPOLOGY_NONE)
        end.port_index += number;
    else
        end.nic_index += number * run->nic_step;
    return end;
}

static void add_cable(struct build *build, const struct node *map, const struct cable_file *file,
                      const struct end_run runs[2], uint32_t number, uint32_t count)
{
    struct topology *topology = build->topology;
    const struct node *at[2] = {file->from, file->to};

    topology->cables =
        build_grow(topology->cables, topology->cable_count, sizeof(struct topology_cable));
    struct topology_cable *cable = &topology->cables[topology->cable_count];
    *cable = (struct topology_cable){
        .pos = node_pos(map->key),
        .ends = {nth_end(&runs[0], number), nth_end(&runs[1], number)},
        .rate_bits_per_s = file->settings.rate_bits_per_s,
        .length_m = file->settings.length_m,
        .delay_ns = file->delay_ns,
        .one_way = file->one_way,
    };
    if (count > 1)
        build_numbered_name(cable->name, sizeof(cable->name), map->key->text, number, count);
    else
        snprintf(cable->name, sizeof(cable->name), "%s", map->key->text);
    if (!plug(build, at[0], &cable->ends[0]))
        return;
    if (!plug(build, at[1], &cable->ends[1])) {
        *place_of(topology, &cable->ends[0]) = TOPOLOGY_NONE; /* it is in nothing after all */
        return;
    }
    topology->cable_count++;
}

void build_add_cables(struct build *build, const struct node *map)
{
    struct cable_file file = {.settings = build->file->defaults.cable};
    struct end_run runs[2];

    schema_read(&cable_record, map, &file, build->errors);
    if (!file.from || !file.to)
        return;

    bool is_good = find_end(build, file.from, &runs[0]);
    is_good = find_end(build, file.to, &runs[1]) && is_good;
    if (!is_good)
        return;

    uint32_t count = runs[0].count > runs[1].count ? runs[0].count : runs[1].count;
    for (int i = 0; i < 2; i++) {
        if (runs[i].count == count || runs[i].first.nic_index == TOPOLOGY_NONE)
            continue;
        error_help(node_error(build->errors, i == 0 ? file.from : file.to,
                              "%" PRIu32 " cables cannot end in one NIC", count),
                   "lead the cables of a host with 'count' to ports of a switch");
        return;
    }

    size_t errors_before = build->errors->error_count;
    for (uint32_t i = 0; i < count && build->errors->error_count == errors_before; i++) {
        if (!build_has_room(build, map, build->topology->cable_count, CABLES_MOST, "cables"))
            return;
        add_cable(build, map, &file, runs, i, count);
    }
}
