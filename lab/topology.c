/* Builds a topology from its file: reads each map by its table, then resolves the names. */
#include "lab/topology.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/document.h"
#include "lab/profile_file.h"
#include "lab/topology_build.h"
#include "sim/core/mem.h"

/* A profile is read once, however many hosts name it. */
struct loaded_profile {
    char name[sizeof(((struct host_profile *)NULL)->name)];
    bool is_good;
    struct host_profile host;
};

void *build_grow(void *items, uint32_t count, size_t item_bytes)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return mem_resize(items, count == 0 ? 1 : (size_t)count * 2, item_bytes);
}

bool build_has_room(struct build *build, const struct node *at, uint32_t count, uint32_t most,
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

static void check_pause(struct build *build, const struct node *map,
                        const struct topology_switch *sw)
{
    const struct node *resume = node_get(map, "resume-at");
    const struct node *at = resume ? resume : node_get(map, "pause-at");

    if (at && sw->resume_at_bytes >= sw->pause_at_bytes)
        error_help(node_error(build->errors, at, "'resume-at' must be less than 'pause-at'"),
                   "half of it is usual");
}

static void add_switch(struct build *build, const struct node *map)
{
    struct topology *topology = build->topology;
    struct switch_file file = {.port_count = 0};

    schema_read(&switch_record, map, &file, build->errors);
    topology->switches =
        build_grow(topology->switches, topology->switch_count, sizeof(struct topology_switch));

    struct topology_switch *sw = &topology->switches[topology->switch_count++];
    *sw = (struct topology_switch){
        .pos = node_pos(map->key),
        .port_count = file.port_count,
        .is_cut_through = file.forwarding == SWITCH_CUTS_THROUGH,
        .mtu_bytes = file.mtu_bytes > 0 ? file.mtu_bytes : build->file->defaults.mtu_bytes,
        .port_buffer_bytes = file.port_buffer_bytes,
        .shared_buffer_bytes = file.shared_buffer_bytes,
        .alpha_128ths = file.alpha_128ths,
        .pause_at_bytes = file.pause_at_bytes,
        .resume_at_bytes = file.resume_at_bytes,
        .link_debounce_ns = file.link_debounce_ns,
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
    if (sw->shared_buffer_bytes > 0 && !node_get(map, "port-buffer"))
        sw->port_buffer_bytes = 0;
    check_pause(build, map, sw);
    build_add_ports(build, sw, &file);
    build_add_groups(build, sw, file.groups);
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
    topology->nics = build_grow(topology->nics, topology->nic_count, sizeof(struct topology_nic));
    build->nic_nodes =
        build_grow(build->nic_nodes, topology->nic_count, sizeof(const struct node *));
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
        .flow_control = (enum flow_control)file.flow_control,
        .cable_index = TOPOLOGY_NONE,
        .uplink = TOPOLOGY_NONE,
        .team = TOPOLOGY_NONE,
        .lag = build_lag(&file.team.lag),
    };
    snprintf(nic->name, sizeof(nic->name), "%s", map->key->text);
    snprintf(nic->full_name, sizeof(nic->full_name), "%s.%s", owner->name, nic->name);

    if (owner->is_array && nic->prefix_bits == 0 && !node_get(map, "address"))
        error_help(
            node_key_error(build->errors, map, "'%s' of an array has no address", nic->full_name),
            "each NIC of an array is a portal: 'address: 172.16.0.51/24'");
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
        if (!build_has_room(build, map, count, NICS_PER_BOX_MOST, "NICs in one box"))
            break;
        add_nic(build, map, owner);
        count++;
    }
    return count;
}

uint32_t build_find_nic(const struct topology *topology, uint32_t first, uint32_t count,
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
        build_grow(build->profiles, (uint32_t)build->profile_count, sizeof(*build->profiles));
    struct loaded_profile *loaded = &build->profiles[build->profile_count];
    *loaded = (struct loaded_profile){.is_good = false};
    loaded->is_good = profile_load_host(name, build->files, &loaded->host, build->errors);
    if (strlen(name->text) >= sizeof(loaded->name))
        return loaded; /* was refused, and is not kept */
    snprintf(loaded->name, sizeof(loaded->name), "%s", name->text);
    build->profile_count++;
    return loaded;
}

void build_numbered_name(char *to, size_t to_bytes, const char *name, uint32_t number,
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

    topology->hosts =
        build_grow(topology->hosts, topology->host_count, sizeof(struct topology_host));
    struct topology_host *host = &topology->hosts[topology->host_count++];
    *host = (struct topology_host){
        .pos = node_pos(map->key),
        .profile = file->profile,
        .boot_time_ns = file->boot_time_ns,
        .first_nic = topology->nic_count,
    };
    snprintf(host->group, sizeof(host->group), "%s", map->key->text);
    if (is_counted)
        build_numbered_name(host->name, sizeof(host->name), map->key->text, number, file->count);
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
    build_add_host_chap(build, host, file);
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
        if (!build_has_room(build, map, build->topology->host_count, HOSTS_MOST, "hosts"))
            return;
        add_host(build, map, &file, i);
        if (build->errors->error_count > errors_before)
            return; /* the others would only repeat what is wrong */
    }
}

/* ---- Arrays ---- */

/* The exponent of the physical block; the file's words are checked. */
static uint8_t physical_exponent(struct build *build, const struct node *map,
                                 const struct disk_file *file)
{
    uint8_t exponent = 0;

    while (exponent < 8 && file->block_bytes << exponent < file->physical_block_bytes)
        exponent++;
    if (file->physical_block_bytes && file->block_bytes << exponent != file->physical_block_bytes)
        error_help(node_error(build->errors, node_get(map, "physical-block"),
                              "'physical-block' must be 'block' times a power of two"),
                   "write 4 KiB over a block of 512 B");
    return exponent;
}

static void set_serial(struct build *build, const struct disk_file *file,
                       struct topology_disk *disk)
{
    if (!file->serial)
        return;
    const char *text = file->serial->text;
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++)
        if (text[i] <= ' ' || text[i] > '~')
            bytes = SERIAL_BYTES;
    if (bytes == 0 || bytes >= SERIAL_BYTES) {
        error_help(node_error(build->errors, file->serial,
                              "'serial' must be 1 to 32 printable characters without blanks"),
                   "write 'serial: LAB0001'");
        return;
    }
    memcpy(disk->serial, text, bytes + 1);
}

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

    topology->disks =
        build_grow(topology->disks, topology->disk_count, sizeof(struct topology_disk));
    struct topology_disk *disk = &topology->disks[topology->disk_count++];
    *disk = (struct topology_disk){
        .pos = node_pos(map->key),
        .array_index = (uint32_t)(array - topology->arrays),
        .lun = array->disk_count++,
        .size_bytes = file.size_bytes,
        .block_bytes = file.block_bytes,
        .is_shared = file.is_shared,
        .is_thin = file.is_thin,
        .is_removable = file.is_removable,
        .is_read_only = file.is_read_only,
        .has_write_cache = file.has_write_cache,
        .sanitize_ns = file.sanitize_ns,
    };
    if (build->errors->error_count == errors_before)
        disk->physical_block_exponent = physical_exponent(build, map, &file);
    set_serial(build, &file, disk);
    snprintf(disk->name, sizeof(disk->name), "%s", map->key->text);
    snprintf(disk->full_name, sizeof(disk->full_name), "%s.%s", array->name, disk->name);
    if (build_find_nic(topology, array->first_nic, array->nic_count, disk->name) != TOPOLOGY_NONE)
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

    topology->arrays =
        build_grow(topology->arrays, topology->array_count, sizeof(struct topology_array));
    struct topology_array *array = &topology->arrays[topology->array_count++];
    *array = (struct topology_array){
        .pos = node_pos(map->key),
        .profile = file.profile,
        .boot_time_ns = file.boot_time_ns,
        .neighbours = file.neighbours,
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
        if (!build_has_room(build, disk, array->disk_count, DISKS_PER_ARRAY_MOST,
                            "disks in one array"))
            break;
        add_disk(build, disk, array);
    }
    build_add_array_chap(build, array, &file);
    for (uint32_t i = 0; i + 1 < topology->array_count; i++)
        if (file.target_name[0] && strcmp(topology->arrays[i].target_name, file.target_name) == 0)
            error_help(node_error(build->errors, node_get(map, "target"),
                                  "'%.100s' is already the target of '%s'", file.target_name,
                                  topology->arrays[i].name),
                       "each array needs an iSCSI name of its own");
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
        if (!build_has_room(build, map, count++, most, "parts of a kind"))
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
    build_add_uplinks(build);
    build_add_teams(build);
    if (file->hosts)
        build_add_paths(build);
    add_each(build, file->cables, "cable", CABLES_MOST, build_add_cables);
    build_check_unique(build, false);
    if (build->errors->error_count > 0)
        return; /* most of what follows would follow from that */
    build_check_unique(build, true);
    build_check_names(build);
    build_check_fabric(build);
    build_check_groups(build);
    build_check_chap(build);
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
    for (uint32_t i = 0; i < topology->switch_count; i++) {
        free(topology->switches[i].cable_of_port);
        free(topology->switches[i].ports);
        free(topology->switches[i].trunks);
        free(topology->switches[i].groups);
        free(topology->switches[i].group_of_port);
    }
    free(topology->about);
    free(topology->switches);
    free(topology->hosts);
    free(topology->arrays);
    free(topology->nics);
    free(topology->paths);
    free(topology->disks);
    free(topology->cables);
    free(topology->identities);
    free(topology);
}
