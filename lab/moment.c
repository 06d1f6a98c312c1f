/* Time expressions. */
#include "lab/moment.h"

#include <stdio.h>
#include <string.h>

#include "lab/quantity.h"
#include "lab/schema.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"

static const struct {
    const char *word;
    unsigned parts;
} events[] = {
#define X(name, word, parts, about) [name] = {word, parts},
    SCENARIO_EVENTS(X)
#undef X
};

const char *scenario_event_word(enum scenario_event event)
{
    return events[event].word;
}

/* One side of ' + ' or ' - ', trimmed. */
struct side {
    char text[PATH_NAME_BYTES];
    size_t offset; /* in the node's text */
    size_t bytes;
};

static struct side cut(const char *text, size_t begin, size_t end)
{
    struct side side = {.offset = begin};

    while (begin < end && text[begin] == ' ')
        begin++;
    while (end > begin && text[end - 1] == ' ')
        end--;
    side.offset = begin;
    side.bytes = end - begin;
    snprintf(side.text, sizeof(side.text), "%.*s",
             (int)(side.bytes < sizeof(side.text) ? side.bytes : sizeof(side.text) - 1),
             text + begin);
    return side;
}

/* The sign between the sides; NULL: there is one side only. */
static const char *find_sign(const char *text)
{
    const char *plus = strstr(text, " + ");
    const char *minus = strstr(text, " - ");

    if (plus && (!minus || plus < minus))
        return plus;
    return minus;
}

static bool parse_span(const struct node *node, const char *key, const struct side *side,
                       int64_t *ret_ns, struct errors *errors)
{
    enum quantity_fault fault = quantity_parse(side->text, QUANTITY_SPAN, ret_ns);

    if (fault == QUANTITY_FINE)
        return true;

    struct error *error;
    switch (fault) {
    case QUANTITY_NO_UNIT:
        error = node_part_error(errors, node, side->offset, side->bytes, "'%s' needs a unit", key);
        quantity_suggest(QUANTITY_SPAN, side->text, error->help, sizeof(error->help));
        break;
    default:
        error = node_part_error(errors, node, side->offset, side->bytes, "'%.60s' is no time span",
                                side->text);
        error_help(error, "write a number and a unit, like '%s'", quantity_example(QUANTITY_SPAN));
        break;
    }
    return false;
}

static void unknown_step(const struct node *node, const struct side *side,
                         const struct moment_names *names, struct errors *errors)
{
    const char *known[64];
    size_t count = 0;

    for (size_t i = 0; i + 1 < side->bytes; i++) {
        if (side->text[i] != '+')
            continue;
        error_help(
            node_part_error(errors, node, side->offset + i, 1, "'+' needs a space on both sides"),
            "names may contain dashes: write 'STEP + 10 s' and 'STEP - 10 s'");
        return;
    }
    for (uint32_t i = 0; i < names->step_count && count < ARRAY_SIZE(known); i++)
        known[count++] = names->steps[i].name;

    /* The excerpt underlines the name alone. */
    struct node part = *node;
    if (!node->is_quoted) {
        part.start += (uint32_t)side->offset;
        part.column += (uint32_t)side->offset;
        part.end = part.start + (uint32_t)side->bytes;
    }
    schema_unknown(&part, "step", side->text, (struct name_list){known, count}, errors);
}

static bool parse_event(const struct node *node, const struct side *side,
                        const struct moment_names *names, struct moment *moment,
                        struct errors *errors)
{
    char event[NAME_BYTES] = "", part[PART_NAME_BYTES * 2] = "", rest = 0;

    if (sscanf(side->text, "first %47s of %191s %c", event, part, &rest) != 2) {
        error_help(node_error(errors, node, "'%.80s' is no event", side->text),
                   "write 'first path-failed of hv1'");
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        if (strcmp(events[i].word, event) != 0)
            continue;
        if (!names->topology || !topology_find(names->topology, part, &moment->part)) {
            error_help(node_error(errors, node, "unknown part '%.80s'", part),
                       "name a part of the topology, like 'hv1'");
            return false;
        }
        if (!(events[i].parts & PART_BIT(moment->part.kind))) {
            error_help(node_error(errors, node, "a %s has no event '%s'",
                                  part_kind_word(moment->part.kind), event),
                       "name a host or a path");
            return false;
        }
        moment->base = MOMENT_EVENT;
        moment->event = (enum scenario_event)i;
        return true;
    }
    error_help(node_error(errors, node, "unknown event '%.60s'", event),
               "known here: path-failed, path-usable, io-error");
    return false;
}

static bool parse_base(const struct node *node, const char *key, const struct side *side,
                       const struct moment_names *names, struct moment *moment,
                       struct errors *errors)
{
    if (side->text[0] >= '0' && side->text[0] <= '9') {
        moment->base = MOMENT_START;
        return parse_span(node, key, side, &moment->offset_ns, errors);
    }
    if (strcmp(side->text, "end") == 0) {
        moment->base = MOMENT_END;
        return true;
    }
    if (strncmp(side->text, "first ", 6) == 0)
        return parse_event(node, side, names, moment, errors);
    for (uint32_t i = 0; i < names->step_count; i++) {
        if (strcmp(names->steps[i].name, side->text) != 0)
            continue;
        moment->base = MOMENT_STEP;
        moment->step_index = i;
        return true;
    }
    unknown_step(node, side, names, errors);
    return false;
}

static bool is_allowed(const struct node *node, const char *key, unsigned may_be,
                       const struct moment *moment, struct errors *errors)
{
    static const struct {
        unsigned bit;
        const char *what;
        const char *help;
    } kinds[] = {
        [MOMENT_START] = {MAY_BE_TIME, "a time",
                          "name a step, like 'switch-1-dies'; plain times go under 'at'"},
        [MOMENT_STEP] = {MAY_BE_STEP, "counted from a step",
                         "plain times only; 'after: STEP + TIME' counts from a step"},
        [MOMENT_END] = {MAY_BE_END, "counted from the end", "write a time or a step"},
        [MOMENT_EVENT] = {MAY_BE_EVENT, "an event", "only 'when' of a step waits for an event"},
    };

    if (may_be & kinds[moment->base].bit)
        return true;
    error_help(node_error(errors, node, "'%s' cannot be %s", key, kinds[moment->base].what), "%s",
               may_be == MAY_BE_EVENT ? "write an event, like 'first path-failed of hv1'"
                                      : kinds[moment->base].help);
    return false;
}

bool moment_parse(const struct node *node, const char *key, unsigned may_be,
                  const struct moment_names *names, struct moment *ret_moment,
                  struct errors *errors)
{
    struct moment moment = {.pos = node_pos(node), .at_ns = TIME_NEVER};

    if (!schema_has_value(node, key, errors))
        return false;

    const char *sign = find_sign(node->text);
    size_t bytes = strlen(node->text);
    struct side base = cut(node->text, 0, sign ? (size_t)(sign - node->text) : bytes);
    if (base.bytes >= sizeof(base.text)) {
        error_help(node_error(errors, node, "this is no time expression"),
                   "write one like 'switch-1-dies + 10 s'");
        return false;
    }
    if (!parse_base(node, key, &base, names, &moment, errors) ||
        !is_allowed(node, key, may_be, &moment, errors))
        return false;
    if (sign) {
        struct side span = cut(node->text, (size_t)(sign - node->text) + 2, bytes);
        int64_t ns = 0;

        if (!parse_span(node, key, &span, &ns, errors))
            return false;
        if (ns > SECONDS(100000000) || moment.offset_ns > SECONDS(100000000)) {
            error_help(node_error(errors, node, "'%s' is years away", key), "no run is that long");
            return false;
        }
        moment.offset_ns += sign[1] == '+' ? ns : -ns;
        if (moment.base == MOMENT_EVENT && moment.offset_ns < 0) {
            error_help(node_error(errors, node, "'%s' cannot be before the event", key),
                       "nobody knows it before it happens: write '+', or nothing");
            return false;
        }
    }
    *ret_moment = moment;
    return true;
}

bool moment_waits(const struct moment *moment, const struct step *steps, uint32_t step_count)
{
    for (uint32_t i = 0; i <= step_count; i++) {
        if (moment->base != MOMENT_STEP)
            return moment->base == MOMENT_EVENT;
        moment = &steps[moment->step_index].when;
    }
    return false; /* steps that wait for each other */
}

int64_t moment_at_ns(const struct moment *moment, const struct step *steps, int64_t run_for_ns)
{
    int64_t base_ns = 0;

    switch (moment->base) {
    case MOMENT_START:
        break;
    case MOMENT_STEP:
        base_ns = steps[moment->step_index].when.at_ns;
        break;
    case MOMENT_END:
        base_ns = run_for_ns;
        break;
    case MOMENT_EVENT:
        return TIME_NEVER;
    }
    if (base_ns == TIME_NEVER)
        return TIME_NEVER;
    return moment->offset_ns > 0 ? time_after(base_ns, moment->offset_ns)
                                 : base_ns + moment->offset_ns;
}
