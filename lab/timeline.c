/* The steps of a scenario, done to the world at their moments. */
#include "lab/timeline.h"

#include "lab/fault.h"
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
struct begun {
    const struct step *step;
    struct fault_layer *layer; /* NULL: it has ended, or was over in a moment */
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
    struct faults *layers;
    struct event_steps_user event_user;
    struct event_steps *waiting; /* NULL: no step waits for an event */
    struct begun *faults;        /* fault 1 is faults[0] */
    uint32_t fault_count;
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
        if (fault_touches(topology, step, p))
            touched[touched_count++] =
                (struct path_ref){topology->paths[p].host_index, topology->paths[p].index_in_host};
    t->faults[t->fault_count++] = (struct begun){step, NULL, now_ns, TIME_NEVER, TIME_NEVER};
    recorder_fault(t->recorder, now_ns, t->fault_count, step->name, verb_row(step->verb)->word,
                   fault_part_name(topology, step, part), touched, touched_count);
    free(touched);
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

/* Power comes back at once, service only after the boot. Sessions that were sent to another portal
 * stay there until they end, and who was sent for good comes back no more: nobody knows when. */
static void end_fault(struct timeline *t, uint32_t fault_id, const struct step *by)
{
    struct begun *fault = &t->faults[fault_id - 1];
    int64_t now_ns = clock_now_ns(t->clock);
    char part[PART_NAME_BYTES];

    fault->repaired_at_ns = now_ns;
    fault->whole_at_ns =
        fault->step->verb == VERB_REDIRECT
            ? TIME_NEVER
            : time_after(now_ns, fault_recovery_ns(t->scenario->topology, fault->step) +
                                     slowest_port_ns(t->scenario->topology));
    recorder_repair(t->recorder, now_ns, fault_id, by->name, verb_row(by->verb)->word,
                    fault_part_name(t->scenario->topology, by, part));
}

/* The number of the fault that added a layer. */
static uint32_t fault_of_layer(const struct timeline *t, const struct fault_layer *layer)
{
    uint32_t id = t->fault_count;

    while (id > 0 && t->faults[id - 1].layer != layer)
        id--;
    assert(id > 0);
    return id;
}

static uint32_t fault_of_step(const struct timeline *t, const struct step *step)
{
    uint32_t id = t->fault_count;

    while (id > 0 && t->faults[id - 1].step != step)
        id--;
    return id;
}

static void repair(struct timeline *t, uint32_t id, const struct step *by)
{
    struct begun *fault = &t->faults[id - 1];

    faults_end(t->layers, fault->layer);
    fault->layer = NULL;
    end_fault(t, id, by);
}

/* The undoing of the layer that 'step' added, at the end of its 'for:'. */
static void undo(struct timeline *t, const struct step *step)
{
    uint32_t id = fault_of_step(t, step);

    if (id > 0 && t->faults[id - 1].layer) /* else an undoing step was faster */
        repair(t, id, step);
}

/* 'power-on' of what is on: said, so that nobody believes that it did something. */
static void note_nothing_to_undo(struct timeline *t, const struct step *step)
{
    char part[PART_NAME_BYTES];

    recorder_nothing_to_undo(t->recorder, clock_now_ns(t->clock), step->name,
                             verb_row(step->verb)->word,
                             fault_part_name(t->scenario->topology, step, part));
}

static void do_step(struct timeline *t, const struct step *step)
{
    struct fault_layer *layer;

    if (!step->is_undo) {
        begin_fault(t, step);
        layer = faults_begin(t->layers, step);
        t->faults[t->fault_count - 1].layer = layer;
        if (!layer)
            end_fault(t, t->fault_count, step); /* nothing to undo */
    } else if ((layer = faults_find(t->layers, step))) {
        repair(t, fault_of_layer(t, layer), step);
    } else {
        note_nothing_to_undo(t, step);
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

static void add_step(struct timeline *t, const struct step *step, int64_t at_ns)
{
    add_action(t, step, at_ns, false);
    if (step->for_ns > 0)
        add_action(t, step, time_after(at_ns, step->for_ns), true);
}

static void on_known(struct event_steps_user *user, uint32_t step_index, int64_t at_ns)
{
    struct timeline *t = CONTAINER_OF(user, struct timeline, event_user);
    const struct step *step = &t->scenario->steps[step_index];

    recorder_step_known(t->recorder, clock_now_ns(t->clock), step->name, at_ns);
    add_step(t, step, at_ns);
}

struct timeline *timeline_new(const struct scenario *scenario, struct world *world,
                              struct recorder *recorder, struct clock *clock)
{
    struct timeline *t = mem_new(sizeof(*t));

    *t = (struct timeline){
        .scenario = scenario, .world = world, .recorder = recorder, .clock = clock};
    t->layers = faults_new(world, scenario->topology, clock);
    t->actions = mem_array((size_t)scenario->step_count * 2, sizeof(*t->actions));
    t->faults = mem_array(scenario->step_count, sizeof(*t->faults));
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        if (scenario->steps[i].when.at_ns != TIME_NEVER)
            add_step(t, &scenario->steps[i], scenario->steps[i].when.at_ns);
    }
    t->event_user.on_known = on_known;
    t->waiting = event_steps_new(scenario, &t->event_user);
    recorder_set_event_steps(recorder, t->waiting);
    return t;
}

void timeline_free(struct timeline *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->action_count; i++)
        clock_cancel(t->clock, &t->actions[i].timer);
    recorder_set_event_steps(t->recorder, NULL);
    event_steps_free(t->waiting);
    faults_free(t->layers);
    free(t->actions);
    free(t->faults);
    free(t);
}

bool timeline_was_touched(const struct timeline *t, uint32_t path_index, int64_t since_ns)
{
    for (uint32_t i = 0; i < t->fault_count; i++) {
        const struct begun *fault = &t->faults[i];

        if (fault->whole_at_ns >= since_ns &&
            fault_touches(t->scenario->topology, fault->step, path_index))
            return true;
    }
    return false;
}
