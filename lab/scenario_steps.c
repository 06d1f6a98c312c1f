/* The steps of a scenario: when, which verb, on which part, with which arguments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario_tables.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define STEPS_MOST 1000u

/* ---- Parts ---- */

/* All names of parts of these kinds; owned by the caller, as an array. */
static size_t list_parts(const struct topology *topology, unsigned kinds, const char **names,
                         size_t most)
{
    size_t count = 0;

#define LIST(items, item_count, member, kind)                                                      \
    for (uint32_t i = 0; (kinds & PART_BIT(kind)) && i < topology->item_count && count < most;     \
         i++)                                                                                      \
        names[count++] = topology->items[i].member;

    LIST(switches, switch_count, name, PART_SWITCH)
    LIST(hosts, host_count, name, PART_HOST)
    LIST(arrays, array_count, name, PART_ARRAY)
    LIST(cables, cable_count, name, PART_CABLE)
    LIST(nics, nic_count, full_name, PART_NIC)
    LIST(disks, disk_count, full_name, PART_DISK)
    LIST(paths, path_count, name, PART_PATH)
#undef LIST
    return count;
}

/* 'switch-1.25' of a switch with 24 ports. */
static bool is_no_port(const struct topology *topology, const struct node *node,
                       struct errors *errors)
{
    const char *dot = strchr(node->text, '.');

    for (uint32_t i = 0; dot && i < topology->switch_count; i++) {
        const struct topology_switch *sw = &topology->switches[i];

        if (strlen(sw->name) != (size_t)(dot - node->text) ||
            strncmp(sw->name, node->text, strlen(sw->name)) != 0)
            continue;
        error_help(node_error(errors, node, "'%s' has no port '%.40s'", sw->name, dot + 1),
                   "its ports are 1 to %" PRIu32, sw->port_count);
        return true;
    }
    return false;
}

void scenario_unknown_part(const struct topology *topology, const struct node *node,
                           const char *what, unsigned kinds, struct errors *errors)
{
    if ((kinds & PART_BIT(PART_PORT)) && is_no_port(topology, node, errors))
        return;

    const char *names[1024];
    size_t count =
        errors_has_room(errors) ? list_parts(topology, kinds, names, ARRAY_SIZE(names)) : 0;

    schema_unknown(node, what, node->text, (struct name_list){names, count}, errors);
}

/* "a cable, a NIC or a switch port" */
static void list_kinds(unsigned kinds, char *text, size_t text_bytes)
{
    size_t used = 0;
    unsigned left = kinds;

    text[0] = '\0';
    for (enum part_kind kind = PART_SWITCH; kind < PART_NONE; kind++) {
        if (!(kinds & PART_BIT(kind)))
            continue;
        left &= ~PART_BIT(kind);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s %s",
                                 used == 0  ? ""
                                 : left > 0 ? ", "
                                            : " or ",
                                 kind == PART_ARRAY ? "an" : "a", part_kind_word(kind));
        if (used >= text_bytes)
            return;
    }
}

static bool find_part(const struct scenario *scenario, const struct node *node, enum verb verb,
                      struct part_ref *ret_part, struct errors *errors)
{
    const struct verb_row *row = verb_row(verb);
    char kinds[128];

    if (!schema_has_value(node, row->word, errors))
        return false;
    if (!topology_find(scenario->topology, node->text, ret_part)) {
        unsigned any = ~PART_BIT(PART_PATH);

        scenario_unknown_part(scenario->topology, node, "part", any, errors);
        return false;
    }
    if (!(row->parts & PART_BIT(ret_part->kind))) {
        list_kinds(row->parts, kinds, sizeof(kinds));
        error_help(node_error(errors, node, "'%s' does not fit '%.80s', which is a %s", row->word,
                              node->text, part_kind_word(ret_part->kind)),
                   "it fits %s", kinds);
        return false;
    }
    if (!(row->can_run & PART_BIT(ret_part->kind))) {
        list_kinds(row->can_run, kinds, sizeof(kinds));
        struct error *error = node_error(errors, node, "'%s' of a %s is not simulated yet",
                                         row->word, part_kind_word(ret_part->kind));
        if (row->can_run)
            error_help(error, "so far it is for %s", kinds);
        return false;
    }
    return true;
}

/* ---- Arguments ---- */

static const char *argument_word(enum step_argument argument)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        STEP_ARGUMENTS(X)
#undef X
    };

    return words[argument];
}

/* The name of the box that an end is in. */
static const char *box_of_nic(const struct topology *topology, uint32_t nic_index)
{
    const struct topology_nic *nic = &topology->nics[nic_index];

    return nic->is_array_nic ? topology->arrays[nic->owner_index].name
                             : topology->hosts[nic->owner_index].name;
}

static const char *box_of_end(const struct topology *topology, const struct cable_end *end)
{
    return end->nic_index == TOPOLOGY_NONE ? topology->switches[end->switch_index].name
                                           : box_of_nic(topology, end->nic_index);
}

/* The two boxes that frames through 'part' go to: by 'direction' 0 and 1. False: it has none. */
static bool directions_of(const struct topology *topology, struct part_ref part,
                          const char *boxes[2])
{
    uint32_t cable_index = TOPOLOGY_NONE;
    const char *own = "";

    if (part.kind == PART_CABLE) {
        boxes[0] = box_of_end(topology, &topology->cables[part.index].ends[0]);
        boxes[1] = box_of_end(topology, &topology->cables[part.index].ends[1]);
        return true;
    }
    if (part.kind == PART_NIC) {
        cable_index = topology->nics[part.index].cable_index;
        own = box_of_nic(topology, part.index);
    } else if (part.kind == PART_PORT) {
        cable_index = topology->switches[part.owner].cable_of_port[part.index];
        own = topology->switches[part.owner].name;
    }
    if (cable_index == TOPOLOGY_NONE)
        return false;

    const struct topology_cable *cable = &topology->cables[cable_index];
    const char *first = box_of_end(topology, &cable->ends[0]);
    boxes[DIRECTION_OUT] = strcmp(first, own) == 0 ? box_of_end(topology, &cable->ends[1]) : first;
    boxes[DIRECTION_IN] = own;
    return true;
}

static void read_direction(const struct scenario *scenario, const struct node *node,
                           struct step *step, struct errors *errors)
{
    const char *boxes[2];

    if (!schema_has_value(node, "direction", errors))
        return;
    if (!directions_of(scenario->topology, step->part, boxes)) {
        error_help(
            node_error(errors, node, "a %s has no 'direction'", part_kind_word(step->part.kind)),
            "leave it out, or name a cable, or a NIC or port with a cable");
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (strncmp(node->text, "to-", 3) == 0 && strcmp(node->text + 3, boxes[i]) == 0) {
            step->arguments.direction = i;
            return;
        }
    }
    error_help(node_error(errors, node, "unknown direction '%.60s'", node->text),
               "write 'to-%s' or 'to-%s'", boxes[0], boxes[1]);
}

static void read_argument(const struct scenario *scenario, enum step_argument argument,
                          const struct node *node, struct step *step, struct errors *errors)
{
    struct step_arguments *to = &step->arguments;
    const char *word = argument_word(argument);
    int64_t value = 0;

    to->given |= ARG_BIT(argument);
    if (node->kind == NODE_VALUE)
        to->text[argument] = mem_text(node->text);
    switch (argument) {
    case ARG_DIRECTION:
        read_direction(scenario, node, step, errors);
        break;
    case ARG_BOOT_TIME:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 0, SECONDS(86400), &to->boot_time_ns,
                                   errors);
        break;
    case ARG_DOWN:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(86400), &to->down_ns,
                                   errors);
        break;
    case ARG_UP:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(86400), &to->up_ns,
                                   errors);
        break;
    case ARG_RATE:
        (void)schema_read_quantity(node, word, QUANTITY_SHARE, 1, 1000000, &value, errors);
        to->rate_ppm = (uint32_t)value;
        break;
    case ARG_BURST:
    case ARG_EVERY:
        (void)schema_read_count(node, word, 0, 1, 1000000000, &value, errors);
        *(argument == ARG_BURST ? &to->burst : &to->every) = (uint32_t)value;
        break;
    case ARG_LARGER_THAN:
        (void)schema_read_quantity(node, word, QUANTITY_SIZE, 0, 65536, &to->larger_bytes, errors);
        break;
    case ARG_BY:
        if (step->verb == VERB_DELAY || step->verb == VERB_REORDER)
            (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(3600), &to->by_ns,
                                       errors);
        break;
    case ARG_JITTER:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 0, SECONDS(3600), &to->jitter_ns,
                                   errors);
        break;
    case ARG_TO:
        if (step->verb == VERB_THROTTLE)
            (void)schema_read_quantity(node, word, QUANTITY_RATE, 1000, 1000000000000,
                                       &to->to_bits_per_s, errors);
        break;
    case ARG_SEEN_BY:
    case ARG_WHAT:
    case ARG_AREA:
    case ARG_SENSE:
    case ARG_OF:
    case ARG_TAKES:
    case ARG_TYPE:
    case ARG_KEY:
        (void)schema_has_value(node, word, errors);
        break;
    case ARG_COUNT:
        break;
    }
}

static void refuse_argument(const struct node *node, enum verb verb, struct errors *errors)
{
    char list[128] = "";
    size_t used = 0;

    for (enum step_argument i = 0; i < ARG_COUNT; i++)
        if (verb_row(verb)->arguments & ARG_BIT(i))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                     argument_word(i));

    struct error *error = node_key_error(errors, node, "'%s' is no argument of '%s'",
                                         node->key->text, verb_row(verb)->word);
    if (used > 0)
        error_help(error, "its arguments are: %s", list);
    else
        error_help(error, "it has none: write '%s: PART'", verb_row(verb)->word);
}

/* 'pull: {part: hv1-1, direction: to-switch-1}' */
static bool read_arguments(const struct scenario *scenario, const struct node *map,
                           struct step *step, struct errors *errors)
{
    struct argument_file file = {.part = NULL};
    const struct verb_row *row = verb_row(step->verb);
    size_t errors_before = errors->error_count;

    schema_read(&argument_record, map, &file, errors);
    if (row->parts & PART_BIT(PART_NONE)) {
        step->part = (struct part_ref){.kind = PART_NONE};
    } else if (!file.part) {
        if (errors->error_count == errors_before)
            error_help(node_key_error(errors, map, "'%s' lacks 'part'", row->word),
                       "say what it happens to: '{part: hv1-1, ...}'");
        return false;
    } else if (!find_part(scenario, file.part, step->verb, &step->part, errors)) {
        return false;
    }
    for (enum step_argument i = 0; i < ARG_COUNT; i++) {
        if (!file.arguments[i])
            continue;
        if (row->arguments & ARG_BIT(i))
            read_argument(scenario, i, file.arguments[i], step, errors);
        else
            refuse_argument(file.arguments[i], step->verb, errors);
    }
    return errors->error_count == errors_before;
}

/* ---- One step ---- */

static void read_verb(const struct scenario *scenario, const struct node *node, struct step *step,
                      struct errors *errors)
{
    const struct verb_row *row = verb_row(step->verb);

    step->is_undo = row->is_undo;
    if (row->can_run == 0) {
        error_help(node_key_error(errors, node, "'%s' is not simulated yet", row->word),
                   "'iscsilab schema scenario' lists the verbs that are");
        return;
    }
    if (node->kind == NODE_MAP)
        (void)read_arguments(scenario, node, step, errors);
    else
        (void)find_part(scenario, node, step->verb, &step->part, errors);
}

static bool is_known(const struct node *map)
{
    for (const struct node *child = map->first; child; child = child->next)
        if (!schema_field(&step_record, child->key->text))
            return false;
    return true;
}

static void read_verbs(const struct scenario *scenario, const struct node *map,
                       const struct step_file *file, struct step *step, struct errors *errors)
{
    const struct node *first = NULL;

    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        const struct node *node = file->verbs[verb];

        if (!node)
            continue;
        if (first) {
            const struct node *later = node->key->start > first->key->start ? node : first;
            error_help(node_key_error(errors, later, "a step has one verb: '%s' and '%s' are two",
                                      first->key->text, node->key->text),
                       "make it two steps; they may have the same time");
            return;
        }
        first = node;
        step->verb = verb;
    }
    if (first)
        read_verb(scenario, first, step, errors);
    else if (is_known(map)) /* else the wrong word was meant as the verb */
        error_help(node_error(errors, map, "a step lacks its verb"),
                   "say what happens: 'power-off: switch-1'");
}

static void read_when(const struct step_file *file, const struct node *map,
                      const struct moment_names *names, struct step *step, struct errors *errors)
{
    int given = (file->at != NULL) + (file->after != NULL) + (file->when != NULL);

    if (given == 0 && !is_known(map))
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
            if (step->when.base == MOMENT_STEP)
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
            .arguments = {.direction = DIRECTION_BOTH},
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
        read_verbs(scenario, map, &files[i], step, errors);
        if (step->for_ns > 0 && step->is_undo)
            error_help(node_key_error(errors, node_get(map, "for"), "'%s' cannot have 'for'",
                                      verb_row(step->verb)->word),
                       "it undoes another step; 'for' belongs to that one");
    }
    if (errors->error_count == errors_before)
        resolve(scenario, steps, errors);
    free(files);
}
