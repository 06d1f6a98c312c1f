/* Steps, scripted and typed, done in real time. */
#include "lab/live_steps.h"

#include "lab/command.h"
#include "lab/format.h"
#include "lab/run_one.h"
#include "lab/step_text.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* One step: waiting for its moment, or with a layer that lasts. */
struct entry {
    struct live_steps *steps;
    const struct step *step;
    struct step typed;     /* what 'step' points to, if it was typed */
    struct file_set files; /* and the text that it came from */
    bool is_typed;
    struct fault_layer *layer; /* NULL: not begun, or over */
    uint64_t number;           /* of the layers begun so far: what 'undo' calls it */
    uint32_t fault_id;         /* in the record */
    int64_t begun_at_ns;
    struct timer begin_timer;
    struct timer end_timer; /* 'for:' */
    struct entry *prev;
    struct entry *next;
};

struct live_steps {
    const struct topology *topology; /* borrowed */
    struct clock *clock;             /* borrowed */
    struct live_steps_user *user;    /* borrowed */
    struct faults *faults;
    struct entry *first; /* owned; in the order in which they were armed or typed */
    uint64_t layers_begun;
    uint64_t lines_typed;
    struct live_record *record;      /* borrowed; NULL: nothing is recorded */
    const struct scenario *scenario; /* that is played; borrowed */
    struct event_steps_user event_user;
    struct event_steps *waiting; /* owned; NULL: no step waits for an event */
};

#define TEXT_BYTES 512

static void tell(struct live_steps *steps, const struct step *step, bool is_undone)
{
    char step_text[TEXT_BYTES];
    char text[TEXT_BYTES + 16];

    step_write_text(steps->topology, step, step_text, sizeof(step_text));
    snprintf(text, sizeof(text), "%s%s", step_text, is_undone ? " undone" : "");
    steps->user->on_step(steps->user, clock_now_ns(steps->clock), text);
}

/* Entries. */

static void on_begin(struct timer *timer);
static void on_end(struct timer *timer);

static struct entry *entry_new(struct live_steps *steps)
{
    struct entry *entry = mem_new(sizeof(*entry));

    *entry = (struct entry){.steps = steps};
    timer_init(&entry->begin_timer, on_begin);
    timer_init(&entry->end_timer, on_end);
    DL_APPEND(steps->first, entry);
    return entry;
}

static void entry_free(struct entry *entry)
{
    DL_DELETE(entry->steps->first, entry);
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

static void note_repair(struct entry *entry, const struct step *by)
{
    if (entry->steps->record)
        live_record_repair(entry->steps->record, entry->fault_id, by);
}

/* The entry is gone afterwards if nothing of it lasts. */
static void begin(struct entry *entry)
{
    struct live_steps *steps = entry->steps;

    entry->begun_at_ns = clock_now_ns(steps->clock);
    if (steps->record)
        entry->fault_id = live_record_fault(steps->record, entry->step);
    entry->layer = faults_begin(steps->faults, entry->step);
    tell(steps, entry->step, false);
    if (!entry->layer) { /* over in a moment */
        note_repair(entry, entry->step);
        entry_free(entry);
        return;
    }
    entry->number = ++steps->layers_begun;
    if (entry->step->for_ns > 0)
        clock_arm(steps->clock, &entry->end_timer,
                  time_after(entry->begun_at_ns, entry->step->for_ns));
}

/* 'by': the step that undoes it; its own, where 'for:' or 'undo' did. */
static void end(struct entry *entry, const struct step *by)
{
    faults_end(entry->steps->faults, entry->layer);
    note_repair(entry, by);
    tell(entry->steps, entry->step, true);
    entry_free(entry);
}

/* The layer that an undoing step takes away; false: there is none. */
static bool undo(struct live_steps *steps, const struct step *step)
{
    struct fault_layer *layer = faults_find(steps->faults, step);

    if (!layer)
        return false;
    end(entry_of(steps, layer), step);
    return true;
}

/* A scenario's. */

static void on_begin(struct timer *timer)
{
    struct entry *entry = CONTAINER_OF(timer, struct entry, begin_timer);
    int64_t now_ns = clock_now_ns(entry->steps->clock);
    const char *help;
    const char *why;

    if (entry->step->is_undo) {
        (void)undo(entry->steps, entry->step); /* 'for:' may have been faster */
        entry_free(entry);
        return;
    }
    if ((why = faults_refuse(entry->steps->faults, entry->step, &help))) {
        char buffer[PART_NAME_BYTES];
        char text[PART_NAME_BYTES + 128];

        snprintf(text, sizeof(text), "left out: %s '%s'", why,
                 topology_part_name(entry->steps->topology, entry->step->part, buffer));
        entry->steps->user->on_step(entry->steps->user, now_ns, text);
        entry_free(entry);
        return;
    }
    begin(entry);
}

static void on_end(struct timer *timer)
{
    struct entry *entry = CONTAINER_OF(timer, struct entry, end_timer);

    end(entry, entry->step);
}

static void arm_step(struct live_steps *steps, const struct step *step, int64_t at_ns)
{
    struct entry *entry = entry_new(steps);

    entry->step = step;
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
    const char *help;
    const char *why;
    char buffer[PART_NAME_BYTES];
    const char *part = topology_part_name(steps->topology, entry->step->part, buffer);

    if ((why = faults_refuse(steps->faults, entry->step, &help))) {
        refuse(answer, why, part, help);
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
    if (strcmp(entry->typed.name, STEP_TYPED_NAME) == 0) /* it has no name of its own */
        snprintf(entry->typed.name, sizeof(entry->typed.name), STEP_TYPED_NAME "-%" PRIu64,
                 ++steps->lines_typed);
    entry->is_typed = true;
    entry->step = &entry->typed;
    return do_typed(entry, answer);
}

/* Layers by number. */

static struct entry *next_layer(struct entry *entry, uint64_t above)
{
    struct entry *found = NULL;

    for (; entry; entry = entry->next)
        if (entry->layer && entry->number > above && (!found || entry->number < found->number))
            found = entry;
    return found;
}

static struct entry *newest_layer(struct entry *entry)
{
    struct entry *found = NULL;

    for (; entry; entry = entry->next)
        if (entry->layer && (!found || entry->number > found->number))
            found = entry;
    return found;
}

int live_steps_undo(struct live_steps *steps, const char *which, FILE *answer)
{
    static const char help[] = "'faults' lists what is broken at this moment, with numbers; "
                               "'undo' alone takes away the newest, 'undo all' everything";
    struct entry *entry = newest_layer(steps->first);
    char *end_of_number;

    if (strcmp(which, "all") == 0) {
        for (; entry; entry = newest_layer(steps->first))
            end(entry, entry->step);
        return EXIT_MET;
    }
    if (which[0] != '\0') {
        errno = 0;
        unsigned long long number = strtoull(which, &end_of_number, 10);

        if (which[0] < '0' || which[0] > '9' || *end_of_number != '\0' || errno != 0) {
            fprintf(answer, "error: '%.40s' is no number of a fault\n  = help: %s\n", which, help);
            return EXIT_FILE;
        }
        entry = number > 0 ? next_layer(steps->first, number - 1) : NULL;
        if (entry && entry->number != number)
            entry = NULL;
    }
    if (!entry) {
        fprintf(answer, "error: there is nothing to undo\n  = help: %s\n", help);
        return EXIT_NOT_MET;
    }
    end(entry, entry->step);
    return EXIT_MET;
}

void live_steps_list(const struct live_steps *steps, FILE *to)
{
    struct entry *entry = next_layer(steps->first, 0);
    char text[TEXT_BYTES];
    char when[FORMAT_BYTES];

    if (!entry)
        fputs("nothing is broken\n", to);
    for (; entry; entry = next_layer(steps->first, entry->number)) {
        step_write_text(steps->topology, entry->step, text, sizeof(text));
        fprintf(to, "%4" PRIu64 "  %s  %s\n", entry->number,
                format_instant(entry->begun_at_ns, 10, when), text);
    }
}

struct live_steps *live_steps_new(const struct topology *topology, struct faults *faults,
                                  struct clock *clock, struct live_steps_user *user)
{
    struct live_steps *steps = mem_new(sizeof(*steps));

    *steps =
        (struct live_steps){.topology = topology, .clock = clock, .user = user, .faults = faults};
    return steps;
}

void live_steps_record(struct live_steps *steps, struct live_record *record)
{
    steps->record = record;
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
