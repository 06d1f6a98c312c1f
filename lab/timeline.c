/* The steps of a scenario, done to the world at their moments. */
#include "lab/timeline.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>

/* One step, or its undoing at the end of 'for:'. */
struct action {
    struct timer timer;
    struct timeline *timeline;
    const struct step *step;
    bool is_undo;
};

/* A fault that was begun. */
struct fault {
    const struct step *step;
    int64_t at_ns;
    int64_t repaired_at_ns; /* TIME_NEVER: not yet */
    int64_t whole_at_ns;    /* repaired, booted, and its links forward */
};

struct timeline {
    const struct scenario *scenario;
    struct world *world;
    struct recorder *recorder;
    struct clock *clock;
    struct action *actions;
    size_t action_count;
    struct fault *faults; /* fault 1 is faults[0] */
    uint32_t fault_count;
};

/* Verbs. Each does, or undoes, one layer. */

static void do_pull(struct world *world, const struct step *step, bool is_undo)
{
    struct cable *cable = world_cable(world, step->part.index);
    uint32_t towards = step->arguments.direction;

    if (!(step->arguments.given & ARG_BIT(ARG_DIRECTION)) || towards == DIRECTION_BOTH)
        (is_undo ? cable_plug_in : cable_pull)(cable);
    else /* frames towards one end come from the other */
        (is_undo ? cable_mend : cable_cut)(cable, cable->ends[1 - towards]);
}

static void do_disable(struct world *world, const struct step *step, bool is_undo)
{
    if (step->part.kind == PART_NIC)
        (is_undo ? nic_enable : nic_disable)(world_nic(world, step->part.index));
    else
        (is_undo ? port_enable : port_disable)(world_port(world, step->part));
}

static void do_power_off(struct world *world, const struct step *step, bool is_undo)
{
    (is_undo ? switch_power_on : switch_power_off)(world_switch(world, step->part.index));
}

static void do_reboot(struct world *world, const struct step *step, bool is_undo)
{
    bool has_time = step->arguments.given & ARG_BIT(ARG_BOOT_TIME);

    if (!is_undo) /* it undoes itself */
        switch_reboot(world_switch(world, step->part.index),
                      has_time ? step->arguments.boot_time_ns : 0);
}

static void freeze_port(struct world *world, const struct step *step, enum direction direction,
                        bool is_undo)
{
    if (step->part.kind == PART_NIC)
        (is_undo ? nic_thaw : nic_freeze)(world_nic(world, step->part.index), direction);
    else
        (is_undo ? port_thaw : port_freeze)(world_port(world, step->part), direction);
}

static void do_freeze(struct world *world, const struct step *step, bool is_undo)
{
    bool is_one_way = (step->arguments.given & ARG_BIT(ARG_DIRECTION)) &&
                      step->arguments.direction != DIRECTION_BOTH;

    if (step->part.kind == PART_SWITCH) {
        (is_undo ? switch_thaw : switch_freeze)(world_switch(world, step->part.index));
        return;
    }
    if (!is_one_way || step->arguments.direction == 0)
        freeze_port(world, step, DIRECTION_OUT, is_undo);
    if (!is_one_way || step->arguments.direction == 1)
        freeze_port(world, step, DIRECTION_IN, is_undo);
}

static void do_flush(struct world *world, const struct step *step, bool is_undo)
{
    if (!is_undo)
        switch_flush(world_switch(world, step->part.index));
}

typedef void verb_fn(struct world *world, const struct step *step, bool is_undo);

/* Those that break; the verbs that undo them are found through the table of scenario.h. Which of
 * the others the program can do, scenario.h says as well: the loader refuses the rest. */
static verb_fn *const verb_functions[VERB_COUNT] = {
    [VERB_PULL] = do_pull,     [VERB_DISABLE] = do_disable, [VERB_POWER_OFF] = do_power_off,
    [VERB_REBOOT] = do_reboot, [VERB_FREEZE] = do_freeze,   [VERB_FLUSH] = do_flush,
};

/* Faults. */

static void begin_fault(struct timeline *t, const struct step *step)
{
    const struct topology *topology = t->scenario->topology;
    int64_t now_ns = clock_now_ns(t->clock);
    struct path_ref *touched = mem_array(topology->path_count, sizeof(*touched));
    size_t touched_count = 0;
    char part[PART_NAME_BYTES];

    for (uint32_t p = 0; p < topology->path_count; p++)
        if (step->part.kind != PART_NONE && topology_path_uses(topology, p, step->part))
            touched[touched_count++] =
                (struct path_ref){topology->paths[p].host_index, topology->paths[p].index_in_host};
    t->faults[t->fault_count++] = (struct fault){step, now_ns, TIME_NEVER, TIME_NEVER};
    recorder_fault(t->recorder, now_ns, t->fault_count, step->name, verb_row(step->verb)->word,
                   topology_part_name(topology, step->part, part), touched, touched_count);
    free(touched);
}

/* Power comes back at once, service only after the boot. */
static int64_t boot_of(const struct timeline *t, const struct step *step)
{
    const struct topology *topology = t->scenario->topology;

    if (step->verb != VERB_POWER_OFF && step->verb != VERB_REBOOT && step->verb != VERB_POWER_ON)
        return 0;
    if (step->verb == VERB_REBOOT && (step->arguments.given & ARG_BIT(ARG_BOOT_TIME)))
        return step->arguments.boot_time_ns;
    return topology->switches[step->part.index].boot_time_ns;
}

/* Whatever comes back, somewhere a link may come up: the slowest switch port bounds when it
 * forwards (spanning tree, debounce). */
static int64_t slowest_port_ns(const struct topology *topology)
{
    int64_t slowest_ns = 0;

    for (uint32_t i = 0; i < topology->switch_count; i++)
        slowest_ns = time_max(slowest_ns, topology->switches[i].port_forwarding_delay_ns +
                                              topology->switches[i].link_debounce_ns);
    return slowest_ns;
}

static void end_fault(struct timeline *t, uint32_t fault_id, const struct step *by)
{
    struct fault *fault = &t->faults[fault_id - 1];
    int64_t now_ns = clock_now_ns(t->clock);
    char part[PART_NAME_BYTES];

    fault->repaired_at_ns = now_ns;
    fault->whole_at_ns = now_ns + boot_of(t, fault->step) + slowest_port_ns(t->scenario->topology);
    recorder_repair(t->recorder, now_ns, fault_id, by->name, verb_row(by->verb)->word,
                    topology_part_name(t->scenario->topology, by->part, part));
}

/* The open fault that an undoing step closes: of the same part, begun last; 0: none. */
static uint32_t fault_undone_by(const struct timeline *t, const struct step *step)
{
    for (uint32_t id = t->fault_count; id > 0; id--) {
        const struct fault *fault = &t->faults[id - 1];

        if (fault->repaired_at_ns == TIME_NEVER &&
            verb_row(fault->step->verb)->undo == step->verb &&
            fault->step->part.kind == step->part.kind &&
            fault->step->part.index == step->part.index &&
            fault->step->part.owner == step->part.owner)
            return id;
    }
    return 0;
}

static uint32_t fault_of_step(const struct timeline *t, const struct step *step)
{
    uint32_t id = t->fault_count;

    while (id > 0 && t->faults[id - 1].step != step)
        id--;
    return id;
}

/* The undoing of the layer that 'step' added, with its own arguments. */
static void undo(struct timeline *t, const struct step *step)
{
    uint32_t id = fault_of_step(t, step);

    if (id == 0 || t->faults[id - 1].repaired_at_ns != TIME_NEVER)
        return; /* an undoing step was faster */
    verb_functions[step->verb](t->world, step, true);
    end_fault(t, id, step);
}

static void do_step(struct timeline *t, const struct step *step)
{
    uint32_t id;

    if (!step->is_undo) {
        begin_fault(t, step);
        verb_functions[step->verb](t->world, step, false);
        if (verb_row(step->verb)->undo == step->verb && step->for_ns == 0)
            end_fault(t, t->fault_count, step); /* nothing to undo */
    } else if ((id = fault_undone_by(t, step)) != 0) {
        verb_functions[t->faults[id - 1].step->verb](t->world, t->faults[id - 1].step, true);
        end_fault(t, id, step);
    }
}

static void act(struct timer *timer)
{
    struct action *action = CONTAINER_OF(timer, struct action, timer);

    if (action->is_undo)
        undo(action->timeline, action->step);
    else
        do_step(action->timeline, action->step);
}

static void add_action(struct timeline *t, const struct step *step, int64_t at_ns, bool is_undo)
{
    struct action *action = &t->actions[t->action_count++];

    *action = (struct action){.timeline = t, .step = step, .is_undo = is_undo};
    timer_init(&action->timer, act);
    if (at_ns <= t->scenario->run_for_ns)
        clock_arm(t->clock, &action->timer, at_ns);
}

struct timeline *timeline_new(const struct scenario *scenario, struct world *world,
                              struct recorder *recorder, struct clock *clock)
{
    struct timeline *t = mem_new(sizeof(*t));

    *t = (struct timeline){
        .scenario = scenario, .world = world, .recorder = recorder, .clock = clock};
    t->actions = mem_array((size_t)scenario->step_count * 2, sizeof(*t->actions));
    t->faults = mem_array(scenario->step_count, sizeof(*t->faults));
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];

        assert(step->is_undo || verb_functions[step->verb]);
        add_action(t, step, step->when.at_ns, false);
        if (step->for_ns > 0)
            add_action(t, step, step->when.at_ns + step->for_ns, true);
    }
    return t;
}

void timeline_free(struct timeline *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->action_count; i++)
        clock_cancel(t->clock, &t->actions[i].timer);
    free(t->actions);
    free(t->faults);
    free(t);
}

bool timeline_was_touched(const struct timeline *t, uint32_t path_index, int64_t since_ns)
{
    for (uint32_t i = 0; i < t->fault_count; i++) {
        const struct fault *fault = &t->faults[i];

        if (fault->whole_at_ns >= since_ns && fault->step->part.kind != PART_NONE &&
            topology_path_uses(t->scenario->topology, path_index, fault->step->part))
            return true;
    }
    return false;
}
