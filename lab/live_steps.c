/* Steps, scripted and typed, done to a world in real time. */
#include "lab/live_steps.h"

#include "lab/command.h"
#include "lab/format.h"
#include "lab/run_one.h"
#include "lab/step_text.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>

/* One step: waiting for its moment, or with a layer that lasts. */
struct entry {
    struct live_steps *steps;
    const struct step *step;
    struct step typed;     /* what 'step' points to, if it was typed */
    struct file_set files; /* and the text that it came from */
    bool is_typed;
    struct fault_layer *layer; /* NULL: not begun, or over */
    int64_t begun_at_ns;
    struct timer begin_timer;
    struct timer end_timer; /* 'for:' */
    struct entry *next;
};

struct live_steps {
    const struct topology *topology; /* borrowed */
    struct world *world;             /* borrowed */
    struct clock *clock;             /* borrowed */
    struct live_steps_user *user;    /* borrowed */
    struct faults *faults;
    struct entry *first;             /* owned, in no order that matters */
    const struct scenario *scenario; /* that is played; borrowed */
    struct event_steps_user event_user;
    struct event_steps *waiting; /* owned; NULL: no step waits for an event */
};

static void tell(struct live_steps *steps, const struct step *step, bool is_undone)
{
    char part[PART_NAME_BYTES];
    char text[PART_NAME_BYTES + 128];

    snprintf(text, sizeof(text), "%s: %s%s", verb_row(step->verb)->word,
             topology_part_name(steps->topology, step->part, part), is_undone ? " undone" : "");
    steps->user->on_step(steps->user, clock_now_ns(steps->clock), text);
}

/* Entries. */

static struct entry *entry_new(struct live_steps *steps)
{
    struct entry *entry = mem_new(sizeof(*entry));

    *entry = (struct entry){.steps = steps, .next = steps->first};
    steps->first = entry;
    return entry;
}

static void entry_free(struct entry *entry)
{
    struct entry **place = &entry->steps->first;

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    clock_cancel(entry->steps->clock, &entry->begin_timer);
    clock_cancel(entry->steps->clock, &entry->end_timer);
    if (entry->is_typed) {
        step_fini(&entry->typed);
        file_set_fini(&entry->files);
    }
    free(entry);
}

static struct entry *entry_of(struct live_steps *steps, const struct fault_layer *layer)
{
    struct entry *entry = steps->first;

    while (entry && entry->layer != layer)
        entry = entry->next;
    assert(entry);
    return entry;
}

static void begin(struct entry *entry)
{
    entry->begun_at_ns = clock_now_ns(entry->steps->clock);
    entry->layer = faults_begin(entry->steps->faults, entry->step);
    tell(entry->steps, entry->step, false);
}

static void end(struct entry *entry)
{
    faults_end(entry->steps->faults, entry->layer);
    entry->layer = NULL;
    tell(entry->steps, entry->step, true);
}

/* The layer that an undoing step takes away; false: there is none. */
static bool undo(struct live_steps *steps, const struct step *step)
{
    struct fault_layer *layer = faults_find(steps->faults, step);

    if (!layer)
        return false;
    struct entry *entry = entry_of(steps, layer);

    end(entry);
    entry_free(entry);
    return true;
}

/* A scenario's. */

static void on_begin(struct timer *timer)
{
    struct entry *entry = CONTAINER_OF(timer, struct entry, begin_timer);
    int64_t now_ns = clock_now_ns(entry->steps->clock);

    if (entry->step->is_undo) {
        (void)undo(entry->steps, entry->step); /* 'for:' may have been faster */
        entry_free(entry);
        return;
    }
    if (world_is_real(entry->steps->world, entry->step->part)) {
        entry->steps->user->on_step(entry->steps->user, now_ns,
                                    "left out: nothing of a real box is simulated above its NICs");
        entry_free(entry);
        return;
    }
    begin(entry);
    if (!entry->layer)
        entry_free(entry);
    else if (entry->step->for_ns > 0)
        clock_arm(entry->steps->clock, &entry->end_timer, time_after(now_ns, entry->step->for_ns));
}

static void on_end(struct timer *timer)
{
    struct entry *entry = CONTAINER_OF(timer, struct entry, end_timer);

    end(entry);
    entry_free(entry);
}

static void arm_step(struct live_steps *steps, const struct step *step, int64_t at_ns)
{
    struct entry *entry = entry_new(steps);

    entry->step = step;
    timer_init(&entry->begin_timer, on_begin);
    timer_init(&entry->end_timer, on_end);
    clock_arm(steps->clock, &entry->begin_timer, at_ns);
}

static void on_known(struct event_steps_user *user, uint32_t step_index, int64_t at_ns)
{
    struct live_steps *steps = CONTAINER_OF(user, struct live_steps, event_user);
    const struct step *step = &steps->scenario->steps[step_index];
    char when[FORMAT_BYTES];
    char text[NAME_BYTES + 128];

    snprintf(text, sizeof(text), "'%s': its event happened; it comes at %s", step->name,
             format_instant(at_ns, 0, when));
    steps->user->on_step(steps->user, clock_now_ns(steps->clock), text);
    arm_step(steps, step, at_ns);
}

struct event_steps *live_steps_play(struct live_steps *steps, const struct scenario *scenario)
{
    int64_t now_ns = clock_now_ns(steps->clock);

    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];

        if (step->when.at_ns != TIME_NEVER)
            arm_step(steps, step, time_after(now_ns, step->when.at_ns));
    }
    steps->scenario = scenario;
    steps->event_user.on_known = on_known;
    steps->waiting = event_steps_new(scenario, &steps->event_user);
    return steps->waiting;
}

/* Typed ones. */

static int refuse(FILE *answer, const char *text, const char *part, const char *help)
{
    fprintf(answer, "error: %s '%s'\n  = help: %s\n", text, part, help);
    return EXIT_NOT_MET;
}

static int do_typed(struct entry *entry, FILE *answer)
{
    struct live_steps *steps = entry->steps;
    char buffer[PART_NAME_BYTES];
    const char *part = topology_part_name(steps->topology, entry->step->part, buffer);

    if (world_is_real(steps->world, entry->step->part)) {
        refuse(answer, "nothing of the real box is simulated above its NICs:", part,
               "break one of its NICs, cables or switches");
        entry_free(entry);
        return EXIT_NOT_MET;
    }
    if (entry->step->is_undo) {
        bool is_undone = undo(steps, entry->step);

        if (!is_undone)
            refuse(answer, "there is nothing to undo at", part,
                   "'faults' lists what is broken at this moment");
        entry_free(entry);
        return is_undone ? EXIT_MET : EXIT_NOT_MET;
    }
    begin(entry);
    if (!entry->layer)
        entry_free(entry);
    return EXIT_MET;
}

int live_steps_type(struct live_steps *steps, const char *line, FILE *answer)
{
    struct entry *entry = entry_new(steps);
    struct errors errors;

    errors_init(&errors);
    file_set_init(&entry->files, NULL);
    bool is_good = step_read_text(steps->topology, line, &entry->files, &entry->typed, &errors);

    errors_print(&errors, answer);
    errors_fini(&errors);
    if (!is_good) {
        file_set_fini(&entry->files);
        entry_free(entry);
        return EXIT_FILE;
    }
    entry->is_typed = true;
    entry->step = &entry->typed;
    return do_typed(entry, answer);
}

void live_steps_list(const struct live_steps *steps, FILE *to)
{
    char part[PART_NAME_BYTES];
    char when[FORMAT_BYTES];
    unsigned count = 0;

    for (const struct entry *entry = steps->first; entry; entry = entry->next) {
        if (!entry->layer)
            continue;
        count++;
        fprintf(to, "%s  %s: %s\n", format_instant(entry->begun_at_ns, 10, when),
                verb_row(entry->step->verb)->word,
                topology_part_name(steps->topology, entry->step->part, part));
    }
    if (count == 0)
        fputs("nothing is broken\n", to);
}

struct live_steps *live_steps_new(const struct topology *topology, struct world *world,
                                  struct clock *clock, struct live_steps_user *user)
{
    struct live_steps *steps = mem_new(sizeof(*steps));

    *steps = (struct live_steps){.topology = topology,
                                 .world = world,
                                 .clock = clock,
                                 .user = user,
                                 .faults = faults_new(world, topology, clock)};
    return steps;
}

void live_steps_free(struct live_steps *steps)
{
    if (!steps)
        return;
    event_steps_free(steps->waiting);
    faults_free(steps->faults);
    while (steps->first)
        entry_free(steps->first);
    free(steps);
}
