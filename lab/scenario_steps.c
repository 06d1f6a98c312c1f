/* The steps of a scenario: their names and their times. What happens is read in scenario_verbs.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario_tables.h"
#include "lab/scenario_verbs.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define STEPS_MOST 1000u

/* ---- Times ---- */

static void read_when(const struct step_file *file, const struct node *map,
                      const struct moment_names *names, struct step *step, struct errors *errors)
{
    int given = (file->at != NULL) + (file->after != NULL) + (file->when != NULL);

    if (given == 0 && !scenario_knows_keys(map))
        return;
    if (given != 1) {
        error_help(node_error(errors, map,
                              given == 0 ? "a step lacks its time"
                                         : "a step has one time: of 'at', 'after', 'when'"),
                   "write 'at: 60 s', or 'after: STEP + 10 s'");
        return;
    }
    if (file->at)
        (void)moment_parse(file->at, "at", MAY_BE_TIME, names, &step->when, errors);
    else if (file->after)
        (void)moment_parse(file->after, "after", MAY_BE_STEP, names, &step->when, errors);
    else
        (void)moment_parse(file->when, "when", MAY_BE_EVENT, names, &step->when, errors);
}

/* ---- All steps ---- */

static void read_name(const struct step_file *file, const struct node *map,
                      struct scenario *scenario, struct step *step, struct errors *errors)
{
    if (file->name[0])
        snprintf(step->name, sizeof(step->name), "%s", file->name);
    else
        snprintf(step->name, sizeof(step->name), "step-%" PRIu32, scenario->step_count + 1);
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        if (strcmp(scenario->steps[i].name, step->name) != 0)
            continue;

        const struct node *at = node_get(map, "name");
        error_help(node_error(errors, at ? at : map, "step '%s' is here twice", step->name),
                   "it is first in line %d; time expressions need one meaning",
                   scenario->steps[i].pos.line);
        return;
    }
}

/* Steps may count from later ones: instants become known one by one. */
static void resolve(struct scenario *scenario, const struct node *list, struct errors *errors)
{
    bool has_progress = true;

    while (has_progress) {
        has_progress = false;
        for (uint32_t i = 0; i < scenario->step_count; i++) {
            struct step *step = &scenario->steps[i];

            if (step->when.at_ns != TIME_NEVER)
                continue;
            step->when.at_ns = moment_at_ns(&step->when, scenario->steps, scenario->run_for_ns);
            has_progress = has_progress || step->when.at_ns != TIME_NEVER;
        }
    }

    const struct node *item = list->first;
    for (uint32_t i = 0; i < scenario->step_count; i++, item = item->next) {
        const struct step *step = &scenario->steps[i];
        const struct node *at = node_get(item, "at");

        if (!at)
            at = node_get(item, "after");
        if (step->when.at_ns == TIME_NEVER) {
            bool waits = moment_waits(&step->when, scenario->steps, scenario->step_count);

            if (waits && step->when.offset_ns < 0)
                error_help(
                    node_error(errors, at, "step '%s' cannot be before the event", step->name),
                    "the step that it counts from waits for an event: write '+'");
            else if (!waits)
                error_help(node_error(errors, at, "step '%s' waits for itself", step->name),
                           "let one of these steps have a time of its own: 'at: 60 s'");
            continue;
        }
        char what[NAME_BYTES + 16];
        snprintf(what, sizeof(what), "step '%s'", step->name);
        if (scenario_check_inside(scenario, at, what, step->when.at_ns, errors) &&
            step->for_ns > scenario->run_for_ns - step->when.at_ns)
            error_help(node_warning(errors, node_get(item, "for"),
                                    "step '%s' is undone after the end of the run", step->name),
                       "lengthen 'run-for' to see the repair");
    }
}

/* ---- Undoing ---- */

static bool is_before(const struct step *a, const struct step *b)
{
    return a->when.at_ns < b->when.at_ns || (a->when.at_ns == b->when.at_ns && a < b);
}

/* The step whose layer 'undoing' takes away: begun last, and not over by then; NULL: none. */
static const struct step *find_undone(const struct scenario *scenario, const struct step *undoing,
                                      const bool *is_undone)
{
    const struct step *found = NULL;

    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];
        bool is_same_part = step->part.kind == undoing->part.kind &&
                            step->part.index == undoing->part.index &&
                            step->part.owner == undoing->part.owner;

        if (!is_undone[i] && !step->is_undo && is_same_part &&
            verb_row(step->verb)->undo == undoing->verb && is_before(step, undoing) &&
            (step->for_ns == 0 || step->when.at_ns + step->for_ns > undoing->when.at_ns) &&
            (!found || is_before(found, step)))
            found = step;
    }
    return found;
}

/* The next undoing step after 'after' (NULL: the first); NULL: there is none. */
static const struct step *next_undoing(const struct scenario *scenario, const struct step *after)
{
    const struct step *next = NULL;

    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];

        if (step->is_undo && (!after || is_before(after, step)) && (!next || is_before(step, next)))
            next = step;
    }
    return next;
}

/* May a step that waits for an event be what 'undoing' takes away? */
static bool may_undo_what_waits(const struct scenario *scenario, const struct step *undoing)
{
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];

        if (step->when.at_ns == TIME_NEVER && verb_row(step->verb)->undo == undoing->verb &&
            step->part.kind == undoing->part.kind && step->part.index == undoing->part.index &&
            step->part.owner == undoing->part.owner)
            return true;
    }
    return false;
}

/* Switching on what is on does nothing: perhaps another part, or another time, was meant. */
static void warn_of_nothing_undone(const struct scenario *scenario, const struct node *list,
                                   struct errors *errors)
{
    bool *is_undone = mem_array(scenario->step_count, sizeof(*is_undone));
    const struct step *step = NULL;
    char part[PART_NAME_BYTES];

    while ((step = next_undoing(scenario, step)) && step->when.at_ns != TIME_NEVER) {
        const struct step *undone = find_undone(scenario, step, is_undone);
        const struct node *item = list->first;

        if (undone) {
            is_undone[undone - scenario->steps] = true;
            continue;
        }
        if (may_undo_what_waits(scenario, step))
            continue;
        for (const struct step *each = scenario->steps; each != step; each++)
            item = item->next;
        error_help(node_warning(errors, item, "step '%s' undoes nothing", step->name),
                   "no '%s' of '%s' is open at that time",
                   verb_row(verb_row(step->verb)->undo)->word,
                   topology_part_name(scenario->topology, step->part, part));
    }
    free(is_undone);
}

void scenario_read_steps(struct scenario *scenario, const struct node *steps, struct errors *errors)
{
    size_t errors_before = errors->error_count;

    if (!steps || steps->child_count == 0)
        return;
    if (steps->child_count > STEPS_MOST) {
        error_help(node_key_error(errors, steps, "more than %u steps", STEPS_MOST),
                   "that is the most that this program takes");
        return;
    }

    struct step_file *files = mem_array(steps->child_count, sizeof(*files));
    scenario->steps = mem_array(steps->child_count, sizeof(struct step));
    for (const struct node *map = steps->first; map; map = map->next) {
        struct step_file *file = &files[scenario->step_count];
        struct step *step = &scenario->steps[scenario->step_count];

        schema_read(&step_record, map, file, errors);
        *step = (struct step){
            .pos = node_pos(map),
            .when = {.at_ns = TIME_NEVER},
            .for_ns = file->for_ns,
        };
        read_name(file, map, scenario, step, errors);
        scenario->step_count++;
    }

    /* All names are known now. */
    struct moment_names names = {scenario->steps, scenario->step_count, scenario->topology};
    const struct node *map = steps->first;
    for (uint32_t i = 0; i < scenario->step_count; i++, map = map->next) {
        struct step *step = &scenario->steps[i];

        if (map->kind != NODE_MAP)
            continue;
        read_when(&files[i], map, &names, step, errors);
        scenario_read_verb(scenario->topology, map, &files[i], step, errors);
        if (step->for_ns > 0 && step->is_undo)
            error_help(node_key_error(errors, node_get(map, "for"), "'%s' cannot have 'for'",
                                      verb_row(step->verb)->word),
                       "it undoes another step; 'for' belongs to that one");
    }
    if (errors->error_count == errors_before)
        resolve(scenario, steps, errors);
    if (errors->error_count == errors_before)
        warn_of_nothing_undone(scenario, steps, errors);
    free(files);
}
