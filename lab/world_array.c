/* One array of the world: joins the iSCSI target to the fabric, and its disks to their media. */
#include "lab/world_array.h"

#include "iscsi/name.h"
#include "lab/box_power.h"
#include "lab/fault.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/seeded_chance.h"
#include "target/device.h"
#include "target/media.h"
#include "target/memory_store.h"
#include "target/portal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_GROUP 1 /* one target port group: every port is active/optimized */
/* Connections are numbered from here, array by array; hosts number theirs without the high bit. */
#define FIRST_CONNECTION(array_index) (UINT64_C(1) << 62 | (uint64_t)(array_index) << 40)

/* One disk: memory behind media. */
struct disk {
    struct memory_store *memory;
    struct media *media;
};

struct world_array {
    struct world_array_options options;
    const struct topology_array *topology;
    struct stack *stack;
    struct device *device;
    struct disk *disks; /* by LUN; owned */
    struct media_model model;
    struct portal_node *node;
    struct box_power power;
    struct fault_array faults;
    struct chap_identity *users; /* who may log in; owned, NULL: everybody */
    struct seeded_chance chance; /* for challenges */
};

static struct ip_host *add_ip(struct world_array *a)
{
    const struct topology *t = a->options.scenario->topology;
    struct ip_options options = {.arp_entries = a->topology->neighbours,
                                 .rules = a->topology->profile.ip};
    struct ip_host *ip = fabric_add_host(a->options.fabric, a->topology->name, &options);

    for (uint32_t i = 0; i < a->topology->nic_count; i++) {
        const struct topology_nic *nic = &t->nics[a->topology->first_nic + i];

        ip_host_add_address(ip, fabric_find_nic(a->options.fabric, nic->full_name), nic->address,
                            nic->prefix_bits);
    }
    return ip;
}

/* A portal per NIC, each a portal group and a target port of its own (RFC 7143, 4.1.1). */
static void add_device(struct world_array *a)
{
    struct port_config ports[DEVICE_MAX_PORTS];

    assert(a->topology->nic_count <= DEVICE_MAX_PORTS);
    for (uint16_t i = 0; i < a->topology->nic_count; i++)
        ports[i] = (struct port_config){.portal_group_tag = (uint16_t)(i + 1),
                                        .relative_port_id = (uint16_t)(i + 1),
                                        .group_id = PORT_GROUP};
    a->device = device_new(&(struct device_config){.target_name = a->topology->target_name,
                                                   .vendor = "ISCSILAB",
                                                   .product = "VIRTUAL DISK",
                                                   .revision = "0001",
                                                   .ports = ports,
                                                   .port_count = a->topology->nic_count,
                                                   .tpgs = 1,
                                                   .plant = a->options.scenario->plant},
                           a->options.clock, a->options.pool);
}

static void add_disk(struct world_array *a, uint32_t index)
{
    const struct topology_disk *disk =
        &a->options.scenario->topology->disks[a->topology->first_disk + index];
    struct memory_store_config memory = {.bytes = (uint64_t)disk->size_bytes,
                                         .has_volatile_cache = disk->has_write_cache};

    random_init(&memory.random, a->options.scenario->seed, disk->full_name);
    a->disks[index].memory = memory_store_new(&memory, a->options.clock, a->options.pool);
    a->disks[index].media = media_new(&a->topology->media, a->options.clock,
                                      memory_store_interface(a->disks[index].memory));
    device_add_disk(a->device, (uint16_t)disk->lun,
                    &(struct disk_config){
                        .name = disk->full_name,
                        .serial = a->options.identities[a->topology->first_disk + index],
                        .store = media_interface(a->disks[index].media),
                        .bytes = (uint64_t)disk->size_bytes,
                        .block_bytes = disk->block_bytes,
                        .physical_block_exponent = disk->physical_block_exponent,
                        .is_read_only = disk->is_read_only,
                        .is_thin = disk->is_thin,
                        .is_removable = disk->is_removable,
                        .has_write_cache = disk->has_write_cache,
                        .sanitize_ns = disk->sanitize_ns,
                    });
}

static void add_portals(struct world_array *a)
{
    const struct topology *t = a->options.scenario->topology;
    struct target_portal portals[TARGET_MOST_PORTALS];

    for (uint16_t i = 0; i < a->topology->nic_count; i++)
        portals[i] = (struct target_portal){
            .at = {t->nics[a->topology->first_nic + i].address, ISCSI_PORT},
            .portal_group_tag = (uint16_t)(i + 1),
        };
    a->node = portal_node_new(&(struct portal_node_config){
        .target = {.name = a->topology->target_name,
                   .portals = portals,
                   .portal_count = a->topology->nic_count,
                   .profile = &a->topology->profile,
                   .device = a->device,
                   .pool = a->options.pool,
                   .trace = a->options.trace,
                   .first_connection = FIRST_CONNECTION(a->options.array_index),
                   .chance = &a->chance.chance,
                   .plant = a->options.scenario->plant},
        .net = stack_net(a->stack),
        .clock = a->options.clock,
        .name = a->topology->name,
    });
}

/* Of those who may log in the array has a copy: their secrets may change while the SAN runs. */
static void add_chap(struct world_array *a)
{
    const struct topology *t = a->options.scenario->topology;
    const struct chap_identity *own = topology_identity(t, a->topology->chap_own);
    uint32_t count = a->topology->user_count;
    struct chap_policy normal = {.user_count = count, .own = own};
    char component[NAME_BYTES + sizeof(" chap")];
    struct chap_policy discovery = {.users = topology_identity(t, a->topology->first_discoverer),
                                    .user_count = a->topology->discoverer_count,
                                    .own = own};

    snprintf(component, sizeof(component), "%s chap", a->topology->name);
    seeded_chance_init(&a->chance, a->options.scenario->seed, component);
    if (count > 0) {
        a->users = mem_array(count, sizeof(*a->users));
        memcpy(a->users, &t->identities[a->topology->first_user], count * sizeof(*a->users));
        normal.users = a->users;
    }
    target_set_chap(portal_node_target(a->node), &normal, &discovery);
}

/* Power. */

static void go_down(struct box_power *power)
{
    struct world_array *a = CONTAINER_OF(power, struct world_array, power);

    stack_power_off(a->stack); /* first, so that no peer hears a word */
    portal_node_crash(a->node);
}

static void come_up(struct box_power *power)
{
    struct world_array *a = CONTAINER_OF(power, struct world_array, power);

    stack_power_on(a->stack);
    world_array_start(a);
}

/* What faults do. */

static struct world_array *array_of(struct fault_array *faults)
{
    return CONTAINER_OF(faults, struct world_array, faults);
}

static void array_lose(struct fault_array *faults, bool is_dark)
{
    box_power_lose(&array_of(faults)->power, is_dark);
}

static void array_come_back(struct fault_array *faults)
{
    box_power_return(&array_of(faults)->power, array_of(faults)->topology->boot_time_ns);
}

static void array_reboot(struct fault_array *faults, int64_t boot_ns)
{
    struct world_array *a = array_of(faults);

    box_power_reboot(&a->power, boot_ns < 0 ? a->topology->boot_time_ns : boot_ns);
}

static struct portal_node *array_node(struct fault_array *faults)
{
    return array_of(faults)->node;
}

static struct device *array_device(struct fault_array *faults)
{
    return array_of(faults)->device;
}

static struct media *array_media(struct fault_array *faults, uint32_t disk_index)
{
    assert(disk_index < array_of(faults)->topology->disk_count);
    return array_of(faults)->disks[disk_index].media;
}

struct fault_array *world_array_faults(struct world_array *a)
{
    return &a->faults;
}

/* Life. */

struct world_array *world_array_new(const struct world_array_options *options)
{
    static const struct box_power_ops power_ops = {.go_down = go_down, .come_up = come_up};
    static const struct fault_array_ops fault_ops = {.lose = array_lose,
                                                     .come_back = array_come_back,
                                                     .reboot = array_reboot,
                                                     .node = array_node,
                                                     .device = array_device,
                                                     .media = array_media};
    struct world_array *a = mem_new(sizeof(*a));

    *a = (struct world_array){.options = *options,
                              .faults = {&fault_ops},
                              .topology =
                                  &options->scenario->topology->arrays[options->array_index]};
    a->model = a->topology->media;
    a->stack = stack_new(add_ip(a), options->watch);
    box_power_init(&a->power, &power_ops, options->clock, options->fabric,
                   options->scenario->topology, a->topology->first_nic, a->topology->nic_count);
    add_device(a);
    a->disks = mem_array(a->topology->disk_count, sizeof(*a->disks));
    for (uint32_t i = 0; i < a->topology->disk_count; i++)
        add_disk(a, i);
    add_portals(a);
    add_chap(a);
    return a;
}

void world_array_free(struct world_array *a)
{
    if (!a)
        return;
    box_power_fini(&a->power);
    device_crash(a->device); /* what is in work comes back before its owners go */
    portal_node_free(a->node);
    stack_free(a->stack);
    device_free(a->device);
    for (uint32_t i = 0; i < a->topology->disk_count; i++) {
        media_free(a->disks[i].media);
        memory_store_free(a->disks[i].memory);
    }
    free(a->disks);
    free(a->users);
    free(a);
}

void world_array_start(struct world_array *a)
{
    size_t portal;
    bool is_open = portal_node_open(a->node, &portal);

    assert(is_open); /* the loader saw to it that each address is a NIC's of this array */
}

const struct media_model *world_array_media_model(const struct world_array *a)
{
    return &a->model;
}

void world_array_set_media_model(struct world_array *a, const struct media_model *model)
{
    a->model = *model;
    for (uint32_t i = 0; i < a->topology->disk_count; i++)
        media_set_model(a->disks[i].media, model);
}

void world_array_set_user(struct world_array *a, uint32_t user_index,
                          const struct chap_identity *identity)
{
    assert(user_index < a->topology->user_count);
    a->users[user_index] = *identity;
}

size_t world_array_sessions(const struct world_array *a)
{
    return target_session_count(portal_node_target(a->node));
}

struct stack *world_array_stack(struct world_array *a)
{
    return a->stack;
}

void world_array_count(const struct world_array *a, struct counter_sink *sink)
{
    const struct target_counters *c = target_counters(portal_node_target(a->node));
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
#define X(member, word) {word, c->member},
        TARGET_COUNTERS(X)
#undef X
    };

    stack_count(a->stack, sink);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        if (counters[i].value)
            sink->count(sink, a->topology->name, counters[i].name, counters[i].value);
}
