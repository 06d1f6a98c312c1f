/* Builds a topology from its file: reads each map by its table, then resolves the names. */
#include "lab/topology.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/document.h"
#include "lab/profile_file.h"
#include "lab/topology_tables.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"

/* Bounds on what one file may ask for: every array is allocated only below them. */
#define HOSTS_MOST             1000u
#define SWITCHES_MOST          64u
#define ARRAYS_MOST            64u
#define NICS_PER_BOX_MOST      16u
#define SESSIONS_PER_HOST_MOST 64u
#define DISKS_PER_ARRAY_MOST   256u
#define CABLES_MOST            20000u

/* A profile is read once, however many hosts name it. */
struct loaded_profile {
    char name[sizeof(((struct host_profile *)NULL)->name)];
    bool is_good;
    struct host_profile host;
};

/* A name that a scenario can point at, to find those that two parts share. */
struct top_name {
    const char *name;
    enum part_kind kind;
    const struct node *node;
    size_t order;
};

struct build {
    struct topology *topology;
    const struct topology_file *file;
    struct file_set *files;
    struct errors *errors;
    const struct node **nic_nodes; /* per NIC: its map */
    struct loaded_profile *profiles;
    size_t profile_count;
};

/* Room for one more, as the arrays grow: doubled at powers of two. */
static void *grow(void *items, uint32_t count, size_t item_bytes)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return mem_resize(items, count == 0 ? 1 : (size_t)count * 2, item_bytes);
}

static bool has_room(struct build *build, const struct node *at, uint32_t count, uint32_t most,
                     const char *what)
{
    if (count < most)
        return true;
    if (count == most)
        error_help(node_key_error(build->errors, at, "more than %" PRIu32 " %s", most, what),
                   "that is the most that this program takes");
    return false;
}

/* ---- Switches ---- */

static void add_switch(struct build *build, const struct node *map)
{
    struct topology *topology = build->topology;
    struct switch_file file = {.port_count = 0};

    schema_read(&switch_record, map, &file, build->errors);
    topology->switches =
        grow(topology->switches, topology->switch_count, sizeof(struct topology_switch));

    struct topology_switch *sw = &topology->switches[topology->switch_count++];
    *sw = (struct topology_switch){
        .pos = node_pos(map->key),
        .port_count = file.port_count,
        .mtu_bytes = file.mtu_bytes > 0 ? file.mtu_bytes : build->file->defaults.mtu_bytes,
        .port_buffer_bytes = file.port_buffer_bytes,
        .forwarding_delay_ns = file.forwarding_delay_ns,
        .boot_time_ns = file.boot_time_ns,
        .mac_age_ns = file.mac_age_ns,
        .port_forwarding_delay_ns = file.port_forwarding_delay_ns,
        .mac_entries = file.mac_entries,
        .cable_of_port = mem_array(file.port_count, sizeof(uint32_t)),
    };
    snprintf(sw->name, sizeof(sw->name), "%s", map->key->text);
    for (uint32_t i = 0; i < sw->port_count; i++)
        sw->cable_of_port[i] = TOPOLOGY_NONE;
}

/* ---- NICs ---- */

struct nic_owner {
    const char *name;
    uint32_t index;
    bool is_array;
    uint32_t number; /* of the host in its group, from 0 */
};

static void refuse_full_subnet(struct build *build, const struct node *map)
{
    const struct node *address = node_get(map, "address");

    error_help(node_error(build->errors, address ? address : map,
                          "the subnet of '%.60s' has not enough addresses for 'count'",
                          map->key->text),
               "choose a shorter prefix, like /16, or a lower first address");
}

static void add_nic(struct build *build, const struct node *map, const struct nic_owner *owner)
{
    struct topology *topology = build->topology;
    struct nic_file file = {.mtu_bytes = 0};

    schema_read(&nic_record, map, &file, build->errors);
    topology->nics = grow(topology->nics, topology->nic_count, sizeof(struct topology_nic));
    build->nic_nodes = grow(build->nic_nodes, topology->nic_count, sizeof(const struct node *));
    build->nic_nodes[topology->nic_count] = map;

    struct topology_nic *nic = &topology->nics[topology->nic_count++];
    *nic = (struct topology_nic){
        .pos = node_pos(map->key),
        .is_array_nic = owner->is_array,
        .owner_index = owner->index,
        .address = file.cidr.address,
        .prefix_bits = file.cidr.prefix_bits,
        .mtu_bytes = file.mtu_bytes > 0 ? file.mtu_bytes : build->file->defaults.mtu_bytes,
        .mac = file.mac,
        .transmit_queue_frames = file.transmit_queue_frames,
        .cable_index = TOPOLOGY_NONE,
    };
    snprintf(nic->name, sizeof(nic->name), "%s", map->key->text);
    snprintf(nic->full_name, sizeof(nic->full_name), "%s.%s", owner->name, nic->name);

    if (nic->prefix_bits > 0) {
        uint32_t mask = UINT32_MAX >> nic->prefix_bits;

        if ((nic->address & mask) + owner->number >= mask) {
            refuse_full_subnet(build, map);
            nic->prefix_bits = 0;
        } else {
            nic->address += owner->number;
        }
    }
    if (mac_get(nic->mac.octet).octet[0] == 0 && mac_is_equal(nic->mac, (struct mac_addr){{0}})) {
        uint32_t number = nic->prefix_bits > 0 ? nic->address : topology->nic_count;

        nic->mac =
            (struct mac_addr){{0x02, nic->prefix_bits > 0 ? 0x00 : 0x01, (uint8_t)(number >> 24),
                               (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
    } else if (owner->number > 0) {
        error_help(node_error(build->errors, node_get(map, "mac"),
                              "one 'mac' cannot be that of several hosts"),
                   "leave it out: each NIC gets one made from its address");
    }
}

/* Only good names, and no more than a box has slots. */
static uint32_t add_nics(struct build *build, const struct node *nics,
                         const struct nic_owner *owner)
{
    uint32_t count = 0;

    for (const struct node *map = nics ? nics->first : NULL; map; map = map->next) {
        if (owner->number == 0 && !schema_check_name(map->key, "NIC", build->errors))
            continue;
        if (!has_room(build, map, count, NICS_PER_BOX_MOST, "NICs in one box"))
            break;
        add_nic(build, map, owner);
        count++;
    }
    return count;
}

static uint32_t find_nic(const struct topology *topology, uint32_t first, uint32_t count,
                         const char *name)
{
    for (uint32_t i = first; i < first + count; i++)
        if (strcmp(topology->nics[i].name, name) == 0)
            return i;
    return TOPOLOGY_NONE;
}

/* ---- Hosts ---- */

static const struct loaded_profile *load_profile(struct build *build, const struct node *name)
{
    for (size_t i = 0; i < build->profile_count; i++)
        if (strcmp(build->profiles[i].name, name->text) == 0)
            return &build->profiles[i];

    build->profiles =
        grow(build->profiles, (uint32_t)build->profile_count, sizeof(*build->profiles));
    struct loaded_profile *loaded = &build->profiles[build->profile_count];
    *loaded = (struct loaded_profile){.is_good = false};
    loaded->is_good = profile_load_host(name, build->files, &loaded->host, build->errors);
    if (strlen(name->text) >= sizeof(loaded->name))
        return loaded; /* was refused, and is not kept */
    snprintf(loaded->name, sizeof(loaded->name), "%s", name->text);
    build->profile_count++;
    return loaded;
}

/* 'vm' and 7 of 100 is 'vm-008'. */
static void numbered_name(char *to, size_t to_bytes, const char *name, uint32_t number,
                          uint32_t count)
{
    char most[16];
    int digits = snprintf(most, sizeof(most), "%" PRIu32, count);

    snprintf(to, to_bytes, "%s-%0*" PRIu32, name, digits, number + 1);
}

static void add_host(struct build *build, const struct node *map, const struct host_map *file,
                     uint32_t number)
{
    struct topology *topology = build->topology;
    bool is_counted = node_get(map, "count") != NULL;

    topology->hosts = grow(topology->hosts, topology->host_count, sizeof(struct topology_host));
    struct topology_host *host = &topology->hosts[topology->host_count++];
    *host = (struct topology_host){
        .pos = node_pos(map->key),
        .profile = file->profile,
        .boot_time_ns = file->boot_time_ns,
        .first_nic = topology->nic_count,
    };
    snprintf(host->group, sizeof(host->group), "%s", map->key->text);
    if (is_counted)
        numbered_name(host->name, sizeof(host->name), map->key->text, number, file->count);
    else
        snprintf(host->name, sizeof(host->name), "%s", map->key->text);

    if (!file->initiator_name[0])
        snprintf(host->initiator_name, sizeof(host->initiator_name), "iqn.2026-01.com.example:%s",
                 host->name);
    else if (is_counted)
        snprintf(host->initiator_name, sizeof(host->initiator_name), "%.200s%s",
                 file->initiator_name, host->name + strlen(host->group));
    else
        snprintf(host->initiator_name, sizeof(host->initiator_name), "%s", file->initiator_name);

    struct nic_owner owner = {
        .name = host->name, .index = topology->host_count - 1, .number = number};
    host->nic_count = add_nics(build, file->nics, &owner);
}

static void add_hosts(struct build *build, const struct node *map)
{
    struct host_map file = {.count = 0};
    const struct node *profile = node_get(map, "profile");
    size_t errors_before = build->errors->error_count;
    bool is_profile_good = false;

    if (profile && profile->kind == NODE_VALUE && profile->text[0]) {
        const struct loaded_profile *loaded = load_profile(build, profile);
        file.profile = loaded->host;
        is_profile_good = loaded->is_good;
    }
    schema_read(&host_record, map, &file, build->errors);
    if (is_profile_good && build->errors->error_count == errors_before)
        profile_check_host(&file.profile, map, build->errors);

    for (uint32_t i = 0; i < file.count; i++) {
        if (!has_room(build, map, build->topology->host_count, HOSTS_MOST, "hosts"))
            return;
        add_host(build, map, &file, i);
        if (build->errors->error_count > errors_before)
            return; /* the others would only repeat what is wrong */
    }
}

/* ---- Arrays ---- */

static void add_disk(struct build *build, const struct node *map, struct topology_array *array)
{
    struct topology *topology = build->topology;
    struct disk_file file = {.size_bytes = 0};
    size_t errors_before = build->errors->error_count;

    schema_read(&disk_record, map, &file, build->errors);
    if (build->errors->error_count == errors_before) {
        if (file.block_bytes != 512 && file.block_bytes != 4096)
            error_help(
                node_error(build->errors, node_get(map, "block"), "'block' must be 512 B or 4 KiB"),
                "choose one of them");
        else if (file.size_bytes % file.block_bytes != 0)
            error_help(node_error(build->errors, node_get(map, "size"),
                                  "'size' must be whole blocks of %" PRIu32 " B", file.block_bytes),
                       "write it in MiB or GiB");
    }

    topology->disks = grow(topology->disks, topology->disk_count, sizeof(struct topology_disk));
    struct topology_disk *disk = &topology->disks[topology->disk_count++];
    *disk = (struct topology_disk){
        .pos = node_pos(map->key),
        .array_index = (uint32_t)(array - topology->arrays),
        .lun = array->disk_count++,
        .size_bytes = file.size_bytes,
        .block_bytes = file.block_bytes,
        .is_shared = file.is_shared,
    };
    snprintf(disk->name, sizeof(disk->name), "%s", map->key->text);
    snprintf(disk->full_name, sizeof(disk->full_name), "%s.%s", array->name, disk->name);
    if (find_nic(topology, array->first_nic, array->nic_count, disk->name) != TOPOLOGY_NONE)
        error_help(node_key_error(build->errors, map, "'%s' is already the name of a NIC",
                                  disk->full_name),
                   "give one of them another name");
}

static void add_array(struct build *build, const struct node *map)
{
    struct topology *topology = build->topology;
    struct array_map file = {.profile_name = NULL};
    const struct node *profile = node_get(map, "profile");
    size_t errors_before = build->errors->error_count;

    if (profile && profile->kind == NODE_VALUE && profile->text[0])
        (void)profile_load_array(profile, build->files, &file.profile, build->errors);
    schema_read(&array_record, map, &file, build->errors);
    if (build->errors->error_count == errors_before)
        profile_check_array(&file.profile, map, build->errors);

    topology->arrays = grow(topology->arrays, topology->array_count, sizeof(struct topology_array));
    struct topology_array *array = &topology->arrays[topology->array_count++];
    *array = (struct topology_array){
        .pos = node_pos(map->key),
        .profile = file.profile,
        .boot_time_ns = file.boot_time_ns,
        .media = file.media,
        .first_nic = topology->nic_count,
        .first_disk = topology->disk_count,
    };
    snprintf(array->name, sizeof(array->name), "%s", map->key->text);
    snprintf(array->target_name, sizeof(array->target_name), "%s", file.target_name);

    struct nic_owner owner = {
        .name = array->name, .index = topology->array_count - 1, .is_array = true};
    array->nic_count = add_nics(build, file.nics, &owner);

    for (const struct node *disk = file.disks ? file.disks->first : NULL; disk; disk = disk->next) {
        if (!schema_check_name(disk->key, "disk", build->errors))
            continue;
        if (!has_room(build, disk, array->disk_count, DISKS_PER_ARRAY_MOST, "disks in one array"))
            break;
        add_disk(build, disk, array);
    }
    for (uint32_t i = 0; i + 1 < topology->array_count; i++)
        if (file.target_name[0] && strcmp(topology->arrays[i].target_name, file.target_name) == 0)
            error_help(node_error(build->errors, node_get(map, "target"),
                                  "'%.100s' is already the target of '%s'", file.target_name,
                                  topology->arrays[i].name),
                       "each array needs an iSCSI name of its own");
}

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

static void print_cidr(const struct topology_nic *nic, char text[24])
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
    print_cidr(from, text[0]);
    print_cidr(to, text[1]);
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

    uint32_t from = find_nic(topology, host->first_nic, host->nic_count, file.from->text);
    if (from == TOPOLOGY_NONE)
        refuse_foreign_nic(build, file.from, host);
    uint32_t to = find_portal(build, file.to);
    if (from == TOPOLOGY_NONE || to == TOPOLOGY_NONE ||
        !can_talk(build, &file, &topology->nics[from], &topology->nics[to]))
        return;

    topology->paths = grow(topology->paths, topology->path_count, sizeof(struct topology_path));
    struct topology_path *path = &topology->paths[topology->path_count];
    *path = (struct topology_path){
        .pos = node_pos(map),
        .host_index = host_index,
        .index_in_host = host->path_count,
        .nic_index = from,
        .array_nic_index = to,
        .array_index = topology->nics[to].owner_index,
    };
    snprintf(path->name, sizeof(path->name), "%s>%s", topology->nics[from].full_name,
             topology->nics[to].full_name);
    for (uint32_t i = host->first_path; i < topology->path_count; i++) {
        if (strcmp(topology->paths[i].name, path->name) == 0) {
            error_help(node_error(build->errors, map, "the session '%s' is here twice", path->name),
                       "a second session over the same path adds no path: remove one");
            return;
        }
    }
    host->path_count++;
    topology->path_count++;
}

static void add_paths(struct build *build)
{
    struct topology *topology = build->topology;
    size_t errors_before = build->errors->error_count;
    const char *done = ""; /* the group whose sessions were refused already */

    for (uint32_t i = 0; i < topology->host_count; i++) {
        struct topology_host *host = &topology->hosts[i];
        const struct node *map = node_get(build->file->hosts, host->group);
        const struct node *sessions = node_get(map, "sessions");

        host->first_path = topology->path_count;
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

    ret->first.nic_index = find_nic(build->topology, first, count, rest);
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

    topology->cables = grow(topology->cables, topology->cable_count, sizeof(struct topology_cable));
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
        numbered_name(cable->name, sizeof(cable->name), map->key->text, number, count);
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

static void add_cables(struct build *build, const struct node *map)
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
        if (!has_room(build, map, build->topology->cable_count, CABLES_MOST, "cables"))
            return;
        add_cable(build, map, &file, runs, i, count);
    }
}

/* ---- What must hold between parts ---- */

/* Sets of parts that cables join: union by linking, with path halving. */
static uint32_t set_of(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

static uint32_t end_number(const struct topology *topology, const struct cable_end *end)
{
    return end->nic_index == TOPOLOGY_NONE ? topology->nic_count + end->switch_index
                                           : end->nic_index;
}

static const struct node *cable_node(const struct build *build, const struct topology_cable *cable)
{
    for (const struct node *map = build->file->cables->first; map; map = map->next)
        if ((int)map->key->line == cable->pos.line && (int)map->key->column == cable->pos.column)
            return map;
    return build->file->cables;
}

static void check_fabric(struct build *build)
{
    struct topology *topology = build->topology;
    uint32_t count = topology->nic_count + topology->switch_count;
    uint32_t *parents = mem_array(count, sizeof(uint32_t));

    for (uint32_t i = 0; i < count; i++)
        parents[i] = i;
    for (uint32_t i = 0; i < topology->cable_count; i++) {
        const struct topology_cable *cable = &topology->cables[i];
        uint32_t a = set_of(parents, end_number(topology, &cable->ends[0]));
        uint32_t b = set_of(parents, end_number(topology, &cable->ends[1]));

        if (a == b)
            error_help(node_key_error(build->errors, cable_node(build, cable),
                                      "cable '%s' closes a loop of switches", cable->name),
                       "no spanning tree is simulated: frames would circle for ever; remove it");
        parents[a] = b;
    }
    for (uint32_t i = 0; i < topology->path_count; i++) {
        const struct topology_path *path = &topology->paths[i];
        const struct topology_nic *nic = &topology->nics[path->nic_index];
        const struct topology_nic *portal = &topology->nics[path->array_nic_index];

        if (nic->cable_index == TOPOLOGY_NONE || portal->cable_index == TOPOLOGY_NONE ||
            set_of(parents, path->nic_index) == set_of(parents, path->array_nic_index))
            continue;
        error_help(node_warning(build->errors, build->nic_nodes[path->nic_index]->key,
                                "no cables lead from '%s' to '%s'", nic->full_name,
                                portal->full_name),
                   "the session between them can never log in");
    }
    for (uint32_t i = 0; i < topology->nic_count; i++)
        if (topology->nics[i].cable_index == TOPOLOGY_NONE)
            error_help(node_warning(build->errors, build->nic_nodes[i]->key, "no cable is in '%s'",
                                    topology->nics[i].full_name),
                       "add one under 'cables', or remove the NIC");
    free(parents);
}

/* qsort() has no argument for context, so what is compared is copied out. */
struct address_of {
    uint64_t key;
    uint32_t nic_index;
};

static int by_key(const void *a, const void *b)
{
    const struct address_of *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->nic_index > y->nic_index) - (x->nic_index < y->nic_index);
}

static uint64_t mac_number(struct mac_addr mac)
{
    uint64_t number = 0;

    for (size_t i = 0; i < MAC_BYTES; i++)
        number = number << 8 | mac.octet[i];
    return number;
}

static void check_unique(struct build *build, bool is_mac)
{
    const struct topology *topology = build->topology;
    struct address_of *all = mem_array(topology->nic_count, sizeof(*all));
    size_t count = 0;

    for (uint32_t i = 0; i < topology->nic_count; i++) {
        const struct topology_nic *nic = &topology->nics[i];
        if (is_mac || nic->prefix_bits > 0)
            all[count++] = (struct address_of){is_mac ? mac_number(nic->mac) : nic->address, i};
    }
    qsort(all, count, sizeof(*all), by_key);
    for (size_t i = 1; i < count; i++) {
        if (all[i].key != all[i - 1].key)
            continue;

        const struct topology_nic *first = &topology->nics[all[i - 1].nic_index];
        const struct topology_nic *second = &topology->nics[all[i].nic_index];
        const struct node *map = build->nic_nodes[all[i].nic_index];
        const struct node *at = node_get(map, is_mac ? "mac" : "address");
        char text[24];

        print_cidr(second, text);
        error_help(node_error(build->errors, at ? at : map, "'%s' has the %s of '%s'",
                              second->full_name, is_mac ? "MAC address" : "address",
                              first->full_name),
                   is_mac ? "give each NIC its own" : "%s is taken; choose another", text);
    }
    free(all);
}

static int by_name(const void *a, const void *b)
{
    const struct top_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    if (order != 0)
        return order;
    return (x->order > y->order) - (x->order < y->order);
}

/* One name means one part, whatever its kind: steps say 'power-off: switch-1'. */
static void check_names(struct build *build)
{
    const struct topology *topology = build->topology;
    size_t most = (size_t)topology->switch_count + topology->array_count + topology->host_count +
                  topology->cable_count;
    struct top_name *names = mem_array(most, sizeof(*names));
    size_t count = 0;

    for (uint32_t i = 0; i < topology->switch_count; i++, count++)
        names[count] = (struct top_name){topology->switches[i].name, PART_SWITCH,
                                         build->file->switches, count};
    for (uint32_t i = 0; i < topology->host_count; i++, count++)
        names[count] =
            (struct top_name){topology->hosts[i].name, PART_HOST, build->file->hosts, count};
    for (uint32_t i = 0; i < topology->array_count; i++, count++)
        names[count] =
            (struct top_name){topology->arrays[i].name, PART_ARRAY, build->file->arrays, count};
    for (uint32_t i = 0; i < topology->cable_count; i++, count++)
        names[count] =
            (struct top_name){topology->cables[i].name, PART_CABLE, build->file->cables, count};
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i].name, names[i - 1].name) != 0)
            continue;

        const struct node *at = node_get(names[i].node, names[i].name);
        const char *kinds[2] = {part_kind_word(names[i - 1].kind), part_kind_word(names[i].kind)};
        struct error *error =
            names[i - 1].kind == names[i].kind
                ? node_key_error(build->errors, at ? at : names[i].node, "two %s are called '%s'",
                                 names[i].kind == PART_HOST ? "hosts" : "cables", names[i].name)
                : node_key_error(build->errors, at ? at : names[i].node,
                                 "'%s' is the name of a %s and of a %s", names[i].name, kinds[0],
                                 kinds[1]);
        error_help(error, "give one of them another name");
    }
    free(names);
}

/* ---- The whole ---- */

typedef void add_function(struct build *build, const struct node *map);

static void add_each(struct build *build, const struct node *named, const char *what, uint32_t most,
                     add_function *add)
{
    uint32_t count = 0;

    for (const struct node *map = named ? named->first : NULL; map; map = map->next) {
        if (!schema_check_name(map->key, what, build->errors))
            continue;
        if (!has_room(build, map, count++, most, "parts of a kind"))
            return;
        add(build, map);
    }
}

static void refuse_none(struct build *build, const struct node *named, const char *what)
{
    if (named && named->child_count == 0)
        error_help(node_error(build->errors, named, "there is no %s", what),
                   "add one, under its name");
}

static void build_all(struct build *build)
{
    const struct topology_file *file = build->file;

    refuse_none(build, file->hosts, "host");
    refuse_none(build, file->arrays, "array");
    add_each(build, file->switches, "switch", SWITCHES_MOST, add_switch);
    add_each(build, file->hosts, "host", HOSTS_MOST, add_hosts);
    add_each(build, file->arrays, "array", ARRAYS_MOST, add_array);
    if (file->hosts)
        add_paths(build);
    add_each(build, file->cables, "cable", CABLES_MOST, add_cables);
    check_unique(build, false);
    if (build->errors->error_count > 0)
        return; /* most of what follows would follow from that */
    check_unique(build, true);
    check_names(build);
    check_fabric(build);
}

struct topology *topology_from_document(const struct document *document, struct file_set *files,
                                        struct errors *errors)
{
    size_t errors_before = errors->error_count;
    struct topology_file file = {.about = NULL};

    if (!document->root)
        return NULL;
    schema_read(&topology_record, document->root, &file, errors);

    struct build build = {
        .topology = mem_new(sizeof(struct topology)),
        .file = &file,
        .files = files,
        .errors = errors,
    };
    snprintf(build.topology->name, sizeof(build.topology->name), "%s", file.name);
    build.topology->about = mem_text(file.about ? file.about->text : "");
    build_all(&build);
    free(build.nic_nodes);
    free(build.profiles);
    if (errors->error_count == errors_before)
        return build.topology;
    topology_free(build.topology);
    return NULL;
}

struct topology *topology_load(const char *path, struct file_set *files, struct errors *errors)
{
    const struct source *source = NULL;
    struct error err;

    if (file_set_read(files, path, &source, &err) != OK) {
        error_help(
            errors_add(errors, (struct text_span){.pos = {.file = NULL}}, NULL, 0, "%s", err.text),
            "%s", err.help);
        return NULL;
    }

    struct document *document = document_parse(source, errors);
    struct topology *topology = topology_from_document(document, files, errors);
    document_free(document);
    return topology;
}

void topology_free(struct topology *topology)
{
    if (!topology)
        return;
    for (uint32_t i = 0; i < topology->switch_count; i++)
        free(topology->switches[i].cable_of_port);
    free(topology->about);
    free(topology->switches);
    free(topology->hosts);
    free(topology->arrays);
    free(topology->nics);
    free(topology->paths);
    free(topology->disks);
    free(topology->cables);
    free(topology);
}
