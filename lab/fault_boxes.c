/* Faults of switches, hosts and arrays as a whole, and of disks. */
#include "lab/fault_inside.h"

#include "lab/world_array.h"
#include "lab/world_host.h"
#include "sim/core/mem.h"
#include "target/device.h"
#include "target/media.h"
#include "target/portal.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define LOGOUT_WITHIN_S 10u      /* Parameter3 of the request to log out (RFC 7143, 11.9.1) */
#define PPM             1000000u /* a factor of 1 */

static struct fault_array *array_at(const struct fault_layer *layer, uint32_t index)
{
    return layer->faults->alone ? layer->faults->alone
                                : world_array_faults(world_array(layer->faults->world, index));
}

/* ---- Power ---- */

static void lose(struct fault_layer *layer, bool is_dark)
{
    struct world *world = layer->faults->world;
    struct part_ref part = layer->step->part;

    if (part.kind == PART_SWITCH) {
        switch_power_off(world_switch(world, part.index));
    } else if (part.kind == PART_HOST) {
        world_host_lose(world_host(world, part.index), is_dark);
    } else {
        struct fault_array *array = array_at(layer, part.index);

        array->ops->lose(array, is_dark);
    }
}

static void power_off(struct fault_layer *layer)
{
    lose(layer, true);
}

static void crash(struct fault_layer *layer)
{
    lose(layer, false);
}

static void boot(struct fault_layer *layer)
{
    struct world *world = layer->faults->world;
    struct part_ref part = layer->step->part;

    if (part.kind == PART_SWITCH) {
        switch_power_on(world_switch(world, part.index));
    } else if (part.kind == PART_HOST) {
        world_host_return(world_host(world, part.index));
    } else {
        struct fault_array *array = array_at(layer, part.index);

        array->ops->come_back(array);
    }
}

static void reboot(struct fault_layer *layer)
{
    struct world *world = layer->faults->world;
    struct part_ref part = layer->step->part;
    int64_t boot_ns = fault_recovery_ns(layer->faults->topology, layer->step);

    if (part.kind == PART_SWITCH) {
        switch_reboot(world_switch(world, part.index),
                      layer->step->arguments.given & ARG_BIT(ARG_BOOT_TIME) ? boot_ns : 0);
    } else if (part.kind == PART_HOST) {
        world_host_reboot(world_host(world, part.index), boot_ns);
    } else {
        struct fault_array *array = array_at(layer, part.index);

        array->ops->reboot(array, boot_ns);
    }
}

/* ---- Media ---- */

/* The disks of the topology that a step is about: of an array all, or one. */
static uint32_t disks_of(const struct fault_layer *layer, uint32_t *ret_first)
{
    const struct topology *t = layer->faults->topology;
    struct part_ref part = layer->step->part;

    if (part.kind == PART_DISK) {
        *ret_first = part.index;
        return 1;
    }
    *ret_first = t->arrays[part.index].first_disk;
    return t->arrays[part.index].disk_count;
}

static struct media *media_of(const struct fault_layer *layer, uint32_t disk_index)
{
    const struct topology_disk *disk = &layer->faults->topology->disks[disk_index];
    uint32_t first = layer->faults->topology->arrays[disk->array_index].first_disk;

    struct fault_array *array = array_at(layer, disk->array_index);

    return array->ops->media(array, disk_index - first);
}

static void slow(struct fault_layer *layer)
{
    const struct step_arguments *a = &layer->step->arguments;
    uint32_t first;
    uint32_t count = disks_of(layer, &first);

    layer->slow = mem_array(count ? count : 1, sizeof(*layer->slow));
    for (uint32_t i = 0; i < count; i++) {
        layer->slow[i] = (struct media_slow){
            .factor_ppm = a->by_factor_ppm ? (uint64_t)a->by_factor_ppm : PPM, .add_ns = a->by_ns};
        media_slow_add(media_of(layer, first + i), &layer->slow[i]);
    }
}

static void end_slow(struct fault_layer *layer)
{
    uint32_t first;
    uint32_t count = disks_of(layer, &first);

    for (uint32_t i = 0; i < count; i++)
        media_slow_remove(media_of(layer, first + i), &layer->slow[i]);
}

static void fail_media(struct fault_layer *layer)
{
    const struct step_arguments *a = &layer->step->arguments;
    const struct topology_disk *disk = &layer->faults->topology->disks[layer->step->part.index];
    struct media *media = media_of(layer, layer->step->part.index);
    uint64_t block_count = media_interface(media)->bytes / disk->block_bytes;
    uint64_t last = a->last_block < block_count ? a->last_block : block_count - 1;

    layer->failure = mem_new(sizeof(*layer->failure));
    *layer->failure =
        (struct media_failure){.offset = a->first_block * disk->block_bytes,
                               .bytes = (last - a->first_block + 1) * disk->block_bytes,
                               .fails_reads = a->fails_reads,
                               .fails_writes = a->fails_writes};
    media_failure_add(media, layer->failure);
}

static void end_fail_media(struct fault_layer *layer)
{
    media_failure_remove(media_of(layer, layer->step->part.index), layer->failure);
}

/* ---- Sessions ---- */

/* NULL: of all hosts. */
static const char *initiator_of(const struct fault_layer *layer)
{
    uint32_t host = layer->step->arguments.of_host;

    return host == TOPOLOGY_NONE ? NULL : layer->faults->topology->hosts[host].initiator_name;
}

static struct portal_node *node_of(const struct fault_layer *layer)
{
    struct fault_array *array = array_at(layer, layer->step->part.index);

    return array->ops->node(array);
}

static void drop_session(struct fault_layer *layer)
{
    (void)portal_node_drop_sessions(node_of(layer), initiator_of(layer), false);
}

static void ask_logout(struct fault_layer *layer)
{
    (void)portal_node_ask_logout(node_of(layer), initiator_of(layer), LOGOUT_WITHIN_S);
}

/* The layer of the same verb and part that is the newest when this one ends; NULL: none. */
static const struct fault_layer *newest_beside(const struct fault_layer *layer)
{
    const struct fault_layer *newest = NULL;
    const struct fault_layer *other;

    DL_FOREACH(layer->faults->layers, other)
    if (other != layer && other->step->verb == layer->step->verb &&
        other->step->part.index == layer->step->part.index)
        newest = other;
    return newest;
}

static void redirect(struct fault_layer *layer)
{
    const struct step_arguments *to = &layer->step->arguments;

    target_redirect(portal_node_target(node_of(layer)), to->to_portal, to->is_permanent);
}

static void end_redirect(struct fault_layer *layer)
{
    const struct fault_layer *newest = newest_beside(layer);

    target_redirect(portal_node_target(node_of(layer)),
                    newest ? newest->step->arguments.to_portal : (struct endpoint){0},
                    newest && newest->step->arguments.is_permanent);
}

/* ---- Asymmetric access ---- */

/* All its target port groups take the state of the newest layer. */
static void set_access(const struct fault_layer *layer, const struct fault_layer *newest)
{
    struct fault_array *array = array_at(layer, layer->step->part.index);
    enum alua_state state =
        newest ? (enum alua_state)newest->step->arguments.to_state : ALUA_ACTIVE_OPTIMIZED;

    for (uint32_t group = 1; group <= DEVICE_MAX_PORTS; group++)
        (void)device_set_group_state(array->ops->device(array), (uint16_t)group, state, NULL);
}

static void transition(struct fault_layer *layer)
{
    set_access(layer, layer);
}

static void end_transition(struct fault_layer *layer)
{
    set_access(layer, newest_beside(layer));
}

const struct fault_verb fault_verbs_boxes[VERB_COUNT] = {
    [VERB_POWER_OFF] = {power_off, boot},
    [VERB_CRASH] = {crash, boot},
    [VERB_REBOOT] = {reboot, NULL},
    [VERB_SLOW] = {slow, end_slow},
    [VERB_FAIL_MEDIA] = {fail_media, end_fail_media},
    [VERB_DROP_SESSION] = {drop_session, NULL},
    [VERB_ASK_LOGOUT] = {ask_logout, NULL},
    [VERB_REDIRECT] = {redirect, end_redirect},
    [VERB_TRANSITION] = {transition, end_transition},
};
