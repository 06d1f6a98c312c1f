/* Faults of cables, ports, NICs and switches. */
#include "lab/fault_inside.h"

#include "lab/settings.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>
#include <utlist.h>

/* ---- Places ---- */

struct place_list {
    struct place *places;
    size_t count;
};

static void add_place(struct place_list *list, struct port *port, enum direction direction)
{
    list->places = mem_resize(list->places, list->count + 1, sizeof(*list->places));
    list->places[list->count++] = (struct place){port, direction};
}

/* Frames towards one end are sent by the other. */
static void add_cable(struct place_list *list, const struct cable *cable, uint32_t towards)
{
    for (uint32_t end = 0; end < 2; end++)
        if (towards == DIRECTION_BOTH || towards == 1 - end)
            add_place(list, cable->ends[end], DIRECTION_OUT);
}

static void add_port(struct place_list *list, struct port *port, uint32_t direction)
{
    for (enum direction each = DIRECTION_OUT; each < DIRECTION_COUNT; each++)
        if (direction == DIRECTION_BOTH || direction == each)
            add_place(list, port, each);
}

/* Is the box at the other end of this port's cable the one that is meant? */
static bool leads_to(const struct faults *faults, const struct port *port, struct part_ref box)
{
    const struct topology *t = faults->topology;

    for (uint32_t i = 0; port->cable && i < t->cable_count; i++) {
        const struct cable *cable = world_cable(faults->world, i);

        if (cable != port->cable)
            continue;
        const struct cable_end *far = &t->cables[i].ends[cable->ends[0] == port];

        if (far->nic_index == TOPOLOGY_NONE)
            return box.kind == PART_SWITCH && box.index == far->switch_index;
        return box.kind == (t->nics[far->nic_index].is_array_nic ? PART_ARRAY : PART_HOST) &&
               box.index == t->nics[far->nic_index].owner_index;
    }
    return false;
}

/* A port of a box: into the box, or out to that neighbour. */
static void add_port_of_box(const struct faults *faults, struct place_list *list, struct port *port,
                            const struct step *step)
{
    struct part_ref towards = step->arguments.towards;

    if (towards.kind == PART_NONE)
        add_port(list, port, DIRECTION_BOTH);
    else if (towards.kind == step->part.kind && towards.index == step->part.index)
        add_place(list, port, DIRECTION_IN);
    else if (leads_to(faults, port, towards))
        add_place(list, port, DIRECTION_OUT);
}

static void add_nics(const struct faults *faults, struct place_list *list, uint32_t first,
                     uint32_t count, const struct step *step)
{
    for (uint32_t i = first; i < first + count; i++)
        add_port_of_box(faults, list, nic_port(world_nic(faults->world, i)), step);
}

size_t fault_places(const struct faults *faults, const struct step *step, struct place **ret_places)
{
    const struct topology *t = faults->topology;
    struct place_list list = {0};
    uint32_t index = step->part.index;

    switch (step->part.kind) {
    case PART_CABLE:
        add_cable(&list, world_cable(faults->world, index), step->arguments.direction);
        break;
    case PART_NIC:
        add_port(&list, nic_port(world_nic(faults->world, index)), step->arguments.direction);
        break;
    case PART_PORT:
        add_port(&list, world_port(faults->world, step->part), step->arguments.direction);
        break;
    case PART_SWITCH:
        for (uint32_t i = 1; i <= switch_port_count(world_switch(faults->world, index)); i++)
            add_port_of_box(faults, &list, switch_port(world_switch(faults->world, index), i),
                            step);
        break;
    case PART_HOST:
        add_nics(faults, &list, t->hosts[index].first_nic, t->hosts[index].nic_count, step);
        break;
    case PART_ARRAY:
        add_nics(faults, &list, t->arrays[index].first_nic, t->arrays[index].nic_count, step);
        break;
    case PART_DISK:
    case PART_PATH:
    case PART_NONE:
        break;
    }
    *ret_places = list.places;
    return list.count;
}

/* ---- Links down ---- */

static void set_pulled(const struct fault_layer *layer, bool is_pulled)
{
    struct cable *cable = world_cable(layer->faults->world, layer->step->part.index);
    uint32_t towards = layer->step->arguments.direction;

    if (towards == DIRECTION_BOTH)
        (is_pulled ? cable_pull : cable_plug_in)(cable);
    else
        (is_pulled ? cable_cut : cable_mend)(cable, cable->ends[1 - towards]);
}

static void pull(struct fault_layer *layer)
{
    set_pulled(layer, true);
}

static void plug_in(struct fault_layer *layer)
{
    set_pulled(layer, false);
}

static struct port *port_of(const struct fault_layer *layer)
{
    struct part_ref part = layer->step->part;

    return part.kind == PART_NIC ? nic_port(world_nic(layer->faults->world, part.index))
                                 : world_port(layer->faults->world, part);
}

static void disable(struct fault_layer *layer)
{
    port_disable(port_of(layer));
}

static void enable(struct fault_layer *layer)
{
    port_enable(port_of(layer));
}

static void set_down(struct fault_layer *layer, bool is_down)
{
    layer->is_down = is_down;
    if (layer->step->part.kind == PART_CABLE)
        set_pulled(layer, is_down);
    else if (is_down)
        disable(layer);
    else
        enable(layer);
}

static void flap_on(struct timer *timer)
{
    struct fault_layer *layer = CONTAINER_OF(timer, struct fault_layer, timer);
    const struct step_arguments *arguments = &layer->step->arguments;
    struct clock *clock = layer->faults->clock;

    set_down(layer, !layer->is_down);
    clock_arm(
        clock, timer,
        time_after(clock_now_ns(clock), layer->is_down ? arguments->down_ns : arguments->up_ns));
}

static void flap(struct fault_layer *layer)
{
    timer_init(&layer->timer, flap_on);
    flap_on(&layer->timer);
}

static void end_flap(struct fault_layer *layer)
{
    if (layer->is_down)
        set_down(layer, false);
}

/* ---- Silence ---- */

static void set_frozen(const struct fault_layer *layer, bool is_frozen)
{
    struct place *places;
    size_t count = fault_places(layer->faults, layer->step, &places);

    for (size_t i = 0; i < count; i++)
        (is_frozen ? port_freeze : port_thaw)(places[i].port, places[i].direction);
    free(places);
}

/* A whole switch hangs inside; one way it is its ports that do. */
static bool is_whole_switch(const struct step *step)
{
    return step->part.kind == PART_SWITCH && step->arguments.towards.kind == PART_NONE;
}

static void freeze(struct fault_layer *layer)
{
    if (is_whole_switch(layer->step))
        switch_freeze(world_switch(layer->faults->world, layer->step->part.index));
    else
        set_frozen(layer, true);
}

static void thaw(struct fault_layer *layer)
{
    if (is_whole_switch(layer->step))
        switch_thaw(world_switch(layer->faults->world, layer->step->part.index));
    else
        set_frozen(layer, false);
}

static void block(struct fault_layer *layer)
{
    struct part_ref part = layer->step->part;

    switch_block_port(world_switch(layer->faults->world, part.owner), part.index + 1);
}

static void unblock(struct fault_layer *layer)
{
    struct part_ref part = layer->step->part;

    switch_unblock_port(world_switch(layer->faults->world, part.owner), part.index + 1);
}

static void flood_pause(struct fault_layer *layer)
{
    port_begin_storm(port_of(layer));
}

static void stop_pause(struct fault_layer *layer)
{
    port_end_storm(port_of(layer));
}

/* ---- Bad luck ---- */

static struct impair_config config_of(const struct step *step)
{
    const struct step_arguments *a = &step->arguments;
    struct impair_config config = {.rate_ppm = a->rate_ppm,
                                   .every = a->every,
                                   .larger_than_bytes = (uint32_t)a->larger_bytes,
                                   .burst_frames = a->burst,
                                   .seen_by = a->seen_by,
                                   .delay_ns = a->by_ns,
                                   .jitter_ns = a->jitter_ns,
                                   .rate_bits_per_s = a->to_bits_per_s};

    switch (step->verb) {
    case VERB_LOSE:
        config.kind = IMPAIR_LOSE;
        break;
    case VERB_CORRUPT:
        config.kind = IMPAIR_CORRUPT;
        break;
    case VERB_DUPLICATE:
        config.kind = IMPAIR_DUPLICATE;
        break;
    case VERB_REORDER:
        config.kind = IMPAIR_REORDER;
        break;
    case VERB_DELAY:
        config.kind = IMPAIR_DELAY;
        break;
    default:
        config.kind = IMPAIR_THROTTLE;
        break;
    }
    return config;
}

/* What arrives at a port gets lost in it; anything else happens in the link that leads to it. */
static bool strike(struct place place, const struct impair_config *config,
                   struct bad_luck *ret_luck)
{
    struct port *sender = place.direction == DIRECTION_OUT ? place.port : place.port->peer;

    if (place.direction == DIRECTION_IN && config->kind == IMPAIR_LOSE) {
        *ret_luck =
            (struct bad_luck){.port = place.port, .layer = port_impair_in(place.port, config)};
        return true;
    }
    if (!sender)
        return false; /* nothing is plugged in */
    *ret_luck = (struct bad_luck){.link = &sender->tx, .layer = link_impair(&sender->tx, config)};
    return true;
}

static void begin_bad_luck(struct fault_layer *layer)
{
    struct impair_config config = config_of(layer->step);
    struct place *places;

    if (is_whole_switch(layer->step)) {
        struct sw *sw = world_switch(layer->faults->world, layer->step->part.index);

        layer->bad_luck = mem_new(sizeof(*layer->bad_luck));
        layer->bad_luck[layer->bad_luck_count++] =
            (struct bad_luck){.sw = sw, .layer = switch_impair(sw, &config)};
        return;
    }
    size_t count = fault_places(layer->faults, layer->step, &places);

    layer->bad_luck = mem_array(count ? count : 1, sizeof(*layer->bad_luck));
    for (size_t i = 0; i < count; i++)
        layer->bad_luck_count +=
            strike(places[i], &config, &layer->bad_luck[layer->bad_luck_count]);
    free(places);
}

static void end_bad_luck(struct fault_layer *layer)
{
    for (size_t i = 0; i < layer->bad_luck_count; i++) {
        const struct bad_luck *luck = &layer->bad_luck[i];

        if (luck->sw)
            switch_repair(luck->sw, luck->layer);
        else if (luck->port)
            port_repair_in(luck->port, luck->layer);
        else
            link_repair(luck->link, luck->layer);
    }
}

/* ---- Settings ---- */

/* The newest change of it that is still there decides; without one, the topology. */
static const struct step *change_left(const struct fault_layer *without,
                                      const struct setting *setting, uint32_t place)
{
    const struct topology *t = without->faults->topology;
    const struct step *change = NULL;
    const struct fault_layer *layer;

    DL_FOREACH(without->faults->layers, layer)
    if (layer != without && layer->step->arguments.setting == setting &&
        setting_covers(setting, t, layer->step->arguments.text[ARG_WHAT], place))
        change = layer->step;
    return change;
}

static void change(struct fault_layer *layer)
{
    const struct step_arguments *a = &layer->step->arguments;
    const struct topology *t = layer->faults->topology;

    for (uint32_t i = 0; i < setting_place_count(a->setting, t); i++)
        if (setting_covers(a->setting, t, a->text[ARG_WHAT], i))
            setting_apply(a->setting, layer->faults->world, i, layer->step);
}

static void change_back(struct fault_layer *layer)
{
    const struct step_arguments *a = &layer->step->arguments;
    const struct topology *t = layer->faults->topology;

    for (uint32_t i = 0; i < setting_place_count(a->setting, t); i++)
        if (setting_covers(a->setting, t, a->text[ARG_WHAT], i))
            setting_apply(a->setting, layer->faults->world, i, change_left(layer, a->setting, i));
}

static void flush(struct fault_layer *layer)
{
    switch_flush(world_switch(layer->faults->world, layer->step->part.index));
}

const struct fault_verb fault_verbs_fabric[VERB_COUNT] = {
    [VERB_PULL] = {pull, plug_in},
    [VERB_DISABLE] = {disable, enable},
    [VERB_FREEZE] = {freeze, thaw},
    [VERB_BLOCK] = {block, unblock},
    [VERB_FLOOD_PAUSE] = {flood_pause, stop_pause},
    [VERB_FLAP] = {flap, end_flap},
    [VERB_LOSE] = {begin_bad_luck, end_bad_luck},
    [VERB_CORRUPT] = {begin_bad_luck, end_bad_luck},
    [VERB_DUPLICATE] = {begin_bad_luck, end_bad_luck},
    [VERB_REORDER] = {begin_bad_luck, end_bad_luck},
    [VERB_DELAY] = {begin_bad_luck, end_bad_luck},
    [VERB_THROTTLE] = {begin_bad_luck, end_bad_luck},
    [VERB_CHANGE] = {change, change_back},
    [VERB_FLUSH] = {flush, NULL},
};
