/* Layers of faults: which are there, and which verb does what. */
#include "lab/fault_inside.h"

#include "lab/settings.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

static const struct fault_verb *verb_of(const struct step *step)
{
    return fault_verbs_fabric[step->verb].begin ? &fault_verbs_fabric[step->verb]
                                                : &fault_verbs_boxes[step->verb];
}

struct faults *faults_new(struct world *world, const struct topology *topology, struct clock *clock)
{
    struct faults *faults = mem_new(sizeof(*faults));

    *faults = (struct faults){.world = world, .topology = topology, .clock = clock};
    return faults;
}

struct faults *faults_new_alone(struct fault_array *array, uint32_t array_index,
                                const struct topology *topology, struct clock *clock)
{
    struct faults *faults = faults_new(NULL, topology, clock);

    faults->alone = array;
    faults->alone_index = array_index;
    return faults;
}

/* The array alone: it, and its disks. */
static bool is_of_alone(const struct faults *faults, const struct step *step)
{
    enum verb verb = step->is_undo ? verb_row(step->verb)->undo : step->verb;

    if (step->part.kind == PART_DISK)
        return faults->topology->disks[step->part.index].array_index == faults->alone_index &&
               fault_verbs_boxes[verb].begin;
    return step->part.kind == PART_ARRAY && step->part.index == faults->alone_index &&
           fault_verbs_boxes[verb].begin;
}

const char *faults_refuse(const struct faults *faults, const struct step *step,
                          const char **ret_help)
{
    if (faults->alone && !is_of_alone(faults, step)) {
        *ret_help = "slow, fail-media, drop-session, ask-logout, redirect, transition, crash, "
                    "power-off and "
                    "reboot of the array and its disks; for the rest there is 'live'";
        return "there is no fabric here, the array stands alone:";
    }
    if (faults->world && world_is_real(faults->world, step->part)) {
        *ret_help = "break one of its NICs, cables or switches";
        return "nothing of the real box is simulated above its NICs:";
    }
    return NULL;
}

static void forget(struct fault_layer *layer)
{
    clock_cancel(layer->faults->clock, &layer->timer);
    DL_DELETE(layer->faults->layers, layer);
    free(layer->bad_luck);
    free(layer->slow);
    free(layer->failure);
    free(layer);
}

/* What media hold of a layer is taken back: they are asked once more when the world ends. */
void faults_free(struct faults *faults)
{
    if (!faults)
        return;
    while (faults->layers) {
        struct fault_layer *layer = faults->layers;

        if (layer->slow || layer->failure)
            verb_of(layer->step)->end(layer);
        forget(layer);
    }
    free(faults);
}

struct fault_layer *faults_begin(struct faults *faults, const struct step *step)
{
    const struct fault_verb *verb = verb_of(step);
    struct fault_layer *layer = mem_new(sizeof(*layer));

    assert(!step->is_undo);
    assert(verb->begin); /* the loader refuses the others */
    *layer = (struct fault_layer){.faults = faults, .step = step};
    timer_init(&layer->timer, NULL);
    DL_APPEND(faults->layers, layer);
    verb->begin(layer);
    if (verb->end)
        return layer;
    forget(layer);
    return NULL;
}

void faults_end(struct faults *faults, struct fault_layer *layer)
{
    assert(layer->faults == faults);
    verb_of(layer->step)->end(layer);
    forget(layer);
}

struct fault_layer *faults_find(const struct faults *faults, const struct step *step)
{
    struct fault_layer *found = NULL;
    struct fault_layer *layer;

    DL_FOREACH(faults->layers, layer)
    if (verb_row(layer->step->verb)->undo == step->verb &&
        layer->step->part.kind == step->part.kind && layer->step->part.index == step->part.index &&
        layer->step->part.owner == step->part.owner)
        found = layer;
    return found;
}

const struct step *fault_layer_step(const struct fault_layer *layer)
{
    return layer->step;
}

/* A change of a setting that several parts have touches what any of them touches. */
bool fault_touches(const struct topology *topology, const struct step *step, uint32_t path_index)
{
    const struct setting *setting = step->arguments.setting;

    if (!setting)
        return step->part.kind != PART_NONE && topology_path_uses(topology, path_index, step->part);
    for (uint32_t i = 0; i < setting_place_count(setting, topology); i++)
        if (setting_covers(setting, topology, step->arguments.text[ARG_WHAT], i) &&
            setting_touches(setting, topology, i, path_index))
            return true;
    return false;
}

const char *fault_part_name(const struct topology *topology, const struct step *step,
                            char buffer[PART_NAME_BYTES])
{
    return step->verb == VERB_CHANGE ? step->arguments.text[ARG_WHAT]
                                     : topology_part_name(topology, step->part, buffer);
}

static int64_t boot_of(const struct topology *t, struct part_ref part)
{
    switch (part.kind) {
    case PART_SWITCH:
        return t->switches[part.index].boot_time_ns;
    case PART_HOST:
        return t->hosts[part.index].boot_time_ns;
    case PART_ARRAY:
        return t->arrays[part.index].boot_time_ns;
    case PART_PORT:
    case PART_NIC:
    case PART_CABLE:
    case PART_DISK:
    case PART_PATH:
    case PART_NONE:
        break;
    }
    return 0;
}

int64_t fault_recovery_ns(const struct topology *topology, const struct step *step)
{
    switch (step->verb) {
    case VERB_POWER_OFF:
    case VERB_POWER_ON:
    case VERB_CRASH:
    case VERB_RESTART:
        return boot_of(topology, step->part);
    case VERB_REBOOT:
        return step->arguments.given & ARG_BIT(ARG_BOOT_TIME) ? step->arguments.boot_time_ns
                                                              : boot_of(topology, step->part);
    default:
        return 0;
    }
}
