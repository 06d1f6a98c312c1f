/* The expectations of a scenario: what is measured, of what, when, and its one bound. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario_tables.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define EXPECTATIONS_MOST 1000u

/* ---- of ---- */

static const struct {
    const char *one;
    const char *many;
    enum part_kind kind;
} scope_words[] = {
    {"host", "hosts", PART_HOST}, {"disk", "disks", PART_DISK},
    {"path", "paths", PART_PATH}, {"switch", "switches", PART_SWITCH},
    {"nic", "nics", PART_NIC},    {"cable", "cables", PART_CABLE},
    {"port", "ports", PART_PORT},
};

/* 'each host', 'all hosts'. False: it is neither. */
static bool parse_scope(const char *text, struct expectation_scope *ret)
{
    bool is_each = strncmp(text, "each ", 5) == 0;

    if (!is_each && strncmp(text, "all ", 4) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(scope_words); i++) {
        if (strcmp(text + (is_each ? 5 : 4), is_each ? scope_words[i].one : scope_words[i].many) !=
            0)
            continue;
        *ret = (struct expectation_scope){.kind = is_each ? SCOPE_EACH : SCOPE_ALL,
                                          .part_kind = scope_words[i].kind};
        return true;
    }
    return false;
}

static void list_scopes(unsigned kinds, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(scope_words) && used < text_bytes; i++)
        if (kinds & PART_BIT(scope_words[i].kind))
            used += (size_t)snprintf(text + used, text_bytes - used, "%s'each %s'",
                                     used > 0 ? ", " : "", scope_words[i].one);
}

static void read_scope(const struct scenario *scenario, const struct node *node, unsigned kinds,
                       const char *measure, struct expectation *to, struct errors *errors)
{
    char scopes[128];

    if (!schema_has_value(node, "of", errors))
        return;
    list_scopes(kinds, scopes, sizeof(scopes));
    if (parse_scope(node->text, &to->of)) {
        if (!(kinds & PART_BIT(to->of.part_kind)))
            error_help(node_error(errors, node, "'%s' is not measured of a %s", measure,
                                  part_kind_word(to->of.part_kind)),
                       "measure it of %s", scopes);
        return;
    }
    if (strncmp(node->text, "each ", 5) == 0 || strncmp(node->text, "all ", 4) == 0) {
        error_help(node_error(errors, node, "unknown scope '%.60s'", node->text),
                   "write %s, or the name of one", scopes);
        return;
    }
    if (!topology_find(scenario->topology, node->text, &to->of.part)) {
        scenario_unknown_part(scenario->topology, node, "part", kinds, errors);
        return;
    }
    to->of.kind = SCOPE_ONE;
    to->of.part_kind = to->of.part.kind;
    if (!(kinds & PART_BIT(to->of.part.kind)))
        error_help(node_error(errors, node, "'%s' is not measured of a %s", measure,
                              part_kind_word(to->of.part.kind)),
                   "measure it of %s, or of one by name", scopes);
}

/* ---- Times ---- */

static void refuse_given(const struct node *node, const char *measure, const char *help,
                         struct errors *errors)
{
    if (node)
        error_help(node_key_error(errors, node, "'%s' does not fit the measure '%s'",
                                  node->key->text, measure),
                   "%s", help);
}

#define MAY_BE_ANY (MAY_BE_TIME | MAY_BE_STEP | MAY_BE_END)

static bool read_moment(const struct scenario *scenario, const struct node *node, const char *key,
                        struct moment *moment, struct errors *errors)
{
    struct moment_names names = {scenario->steps, scenario->step_count, scenario->topology};
    char what[32];

    if (!moment_parse(node, key, MAY_BE_ANY, &names, moment, errors))
        return false;
    if (!scenario_check_known(scenario, node, key, moment, errors))
        return false;
    moment->at_ns = moment_at_ns(moment, scenario->steps, scenario->run_for_ns);
    snprintf(what, sizeof(what), "'%s'", key);
    return scenario_check_inside(scenario, node, what, moment->at_ns, errors);
}

static void read_window(const struct scenario *scenario, const struct node *from,
                        const struct node *until, const struct node *map, struct moment *ret_from,
                        struct moment *ret_until, struct errors *errors)
{
    bool is_good = true;

    *ret_from = (struct moment){.base = MOMENT_START, .pos = node_pos(map)};
    *ret_until =
        (struct moment){.base = MOMENT_END, .at_ns = scenario->run_for_ns, .pos = node_pos(map)};
    if (from)
        is_good = read_moment(scenario, from, "from", ret_from, errors);
    if (until)
        is_good = read_moment(scenario, until, "until", ret_until, errors) && is_good;
    if (is_good && ret_until->at_ns != TIME_NEVER && ret_from->at_ns >= ret_until->at_ns)
        error_help(node_error(errors, until ? until : from, "the window ends before it begins"),
                   "'until' must be later than 'from'");
}

static void read_since(const struct scenario *scenario, const struct node *node,
                       struct expectation *to, struct errors *errors)
{
    struct moment_names names = {scenario->steps, scenario->step_count, scenario->topology};
    struct moment moment;

    if (!moment_parse(node, "since", MAY_BE_STEP, &names, &moment, errors))
        return;
    if (moment.offset_ns != 0)
        error_help(node_error(errors, node, "'since' is a step, without an offset"),
                   "add the offset to the bound");
    to->since_step = moment.step_index;
    (void)scenario_check_known(scenario, node, "since", &moment, errors);
}

static void read_times(const struct scenario *scenario, const struct node *map,
                       const struct expectation_file *file, struct expectation *to,
                       struct errors *errors)
{
    const struct measure_row *row = measure_row(to->measure);

    to->when = to->from = to->until = (struct moment){.base = MOMENT_START, .pos = to->pos};
    switch (row->time) {
    case OVER_WINDOW:
        refuse_given(file->when, row->word, "it is taken over a window: 'from' and 'until'",
                     errors);
        refuse_given(file->since, row->word, "it is taken over a window: 'from' and 'until'",
                     errors);
        to->has_window = file->from || file->until;
        read_window(scenario, file->from, file->until, map, &to->from, &to->until, errors);
        break;
    case AT_MOMENT:
        refuse_given(file->from, row->word, "it is taken at a moment: 'when'", errors);
        refuse_given(file->until, row->word, "it is taken at a moment: 'when'", errors);
        refuse_given(file->since, row->word, "it is taken at a moment: 'when'", errors);
        if (file->when)
            (void)read_moment(scenario, file->when, "when", &to->when, errors);
        else
            error_help(node_error(errors, map, "the measure '%s' needs a moment", row->word),
                       "add 'when: STEP + 60 s', or 'when: end'");
        break;
    case SINCE_STEP:
        refuse_given(file->from, row->word, "it counts from a step: 'since'", errors);
        refuse_given(file->until, row->word, "it counts from a step: 'since'", errors);
        refuse_given(file->when, row->word, "it counts from a step: 'since'", errors);
        if (file->since)
            read_since(scenario, file->since, to, errors);
        else
            error_help(node_error(errors, map, "the measure '%s' counts from a step", row->word),
                       "add 'since: STEP'");
        break;
    }
}

/* ---- The bound ---- */

static bool read_number(const struct node *node, const char *key, enum measure_unit unit,
                        int64_t *ret_value, struct errors *errors)
{
    static const enum quantity quantities[] = {
        [UNIT_NS] = QUANTITY_SPAN,
        [UNIT_PER_S] = QUANTITY_FREQUENCY,
        [UNIT_BYTES_PER_S] = QUANTITY_THROUGHPUT,
        [UNIT_PPM] = QUANTITY_SHARE,
    };

    if (unit == UNIT_COUNT)
        return schema_read_count(node, key, 0, 0, INT64_MAX, ret_value, errors);
    return schema_read_quantity(node, key, quantities[unit], 0, INT64_MAX, ret_value, errors);
}

static bool is_share(const char *text)
{
    size_t bytes = strlen(text);

    return bytes > 0 && text[bytes - 1] == '%';
}

static void read_bound(const struct node *node, struct expectation *to, struct errors *errors)
{
    const struct measure_row *row = measure_row(to->measure);
    const char *key = bound_word(to->bound);

    if (!schema_has_value(node, key, errors))
        return;
    to->bound_text = mem_text(node->text);
    if (to->bound == BOUND_NO_WORSE) {
        error_help(node_key_error(errors, node, "'%s' is not simulated yet", key),
                   "write a bound of your own: 'at-most', 'at-least' or 'exactly'");
        return;
    }
    if ((to->bound == BOUND_IS) != (row->unit == UNIT_NAME)) {
        error_help(
            node_key_error(errors, node, "'%s' does not fit the measure '%s'", key, row->word),
            row->unit == UNIT_NAME ? "it is a name: write 'is: hv1'"
                                   : "it is a number: use 'at-most', 'at-least', 'exactly'");
        return;
    }
    if (to->bound == BOUND_IS) {
        to->is_name = mem_text(node->text);
        return;
    }
    if (to->is_ratio && !is_share(node->text)) {
        error_help(node_error(errors, node, "'%s' beside 'compared-with' is a share", key),
                   "write '90 %%'");
        return;
    }
    if (!to->is_ratio && is_share(node->text)) {
        error_help(node_error(errors, node, "'%s' is a share, but of what?", key),
                   "add 'compared-with: {from: 30 s, until: STEP}'");
        return;
    }
    (void)read_number(node, key, to->is_ratio ? UNIT_PPM : row->unit, &to->bound_value, errors);
}

static void read_bounds(const struct node *map, const struct expectation_file *file,
                        struct expectation *to, struct errors *errors)
{
    const struct node *only = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(file->bounds); i++) {
        const struct node *node = file->bounds[i];

        if (!node)
            continue;
        if (only) {
            const struct node *later = node->key->start > only->key->start ? node : only;
            error_help(node_key_error(errors, later,
                                      "an expectation has one bound: '%s' and '%s' are two",
                                      only->key->text, node->key->text),
                       "make it two expectations");
            return;
        }
        only = node;
        to->bound = (enum bound)i;
    }
    if (only)
        read_bound(only, to, errors);
    else
        error_help(node_error(errors, map, "the expectation lacks its bound"),
                   "add 'at-most', 'at-least', 'exactly' or 'is'");
}

static void read_compared(const struct scenario *scenario, const struct node *node,
                          struct expectation *to, struct errors *errors)
{
    const struct measure_row *row = measure_row(to->measure);
    struct window_file file = {.from = NULL};

    if (row->time != OVER_WINDOW || row->unit == UNIT_NAME) {
        refuse_given(node, row->word, "only what is taken over a window can be compared", errors);
        return;
    }
    to->is_ratio = true;
    schema_read(&window_record, node, &file, errors);
    if (file.from && file.until)
        read_window(scenario, file.from, file.until, node, &to->compared_from, &to->compared_until,
                    errors);
}

/* ---- Measures ---- */

static void read_percentile(const struct node *map, const struct expectation_file *file,
                            struct expectation *to, struct errors *errors)
{
    int64_t value = 0;

    if (to->measure != MEASURE_LATENCY) {
        refuse_given(file->percentile, measure_row(to->measure)->word,
                     "only 'latency' has percentiles", errors);
        return;
    }
    if (!file->percentile) {
        error_help(node_error(errors, map, "the measure 'latency' needs a 'percentile'"),
                   "add 'percentile: 99'; 100 is the longest");
        return;
    }
    if (schema_read_count(file->percentile, "percentile", 4, 0, 1000000, &value, errors))
        to->percentile_ppm = (uint32_t)value;
}

static void read_reason(const struct expectation_file *file, struct expectation *to,
                        struct errors *errors)
{
    int value = DROP_REASON_COUNT;

    if (!file->reason)
        return;
    if (to->measure != MEASURE_FRAMES_DROPPED)
        refuse_given(file->reason, measure_row(to->measure)->word,
                     "only 'frames-dropped' has reasons", errors);
    else if (schema_read_word(file->reason, "reason", drop_words, &value, errors))
        to->reason = (enum drop_reason)value;
}

static void read_measure(const struct scenario *scenario, const struct node *map,
                         const struct expectation_file *file, struct expectation *to,
                         struct errors *errors)
{
    int value = 0;

    to->kind = EXPECT_MEASURE;
    if (!schema_read_word(file->measure, "measure", measure_words, &value, errors))
        return;
    to->measure = (enum measure)value;

    const struct measure_row *row = measure_row(to->measure);
    if (!row->can_run) {
        error_help(node_error(errors, file->measure, "'%s' is not measured yet", row->word),
                   "'iscsilab schema scenario' lists the measures that are");
        return;
    }
    if (file->of)
        read_scope(scenario, file->of, row->of, row->word, to, errors);
    else
        error_help(node_error(errors, map, "the measure '%s' needs an 'of'", row->word),
                   "add 'of: each host', or the name of a part");
    read_times(scenario, map, file, to, errors);
    read_percentile(map, file, to, errors);
    read_reason(file, to, errors);
    if (file->compared_with)
        read_compared(scenario, file->compared_with, to, errors);
    read_bounds(map, file, to, errors);
}

/* ---- Rules and findings ---- */

static void read_breaks(const struct scenario *scenario, const struct expectation_file *file,
                        struct expectation *to, struct errors *errors)
{
    int value = 0;

    to->kind = EXPECT_BREAKS;
    if (!schema_read_word(file->breaks, "rule", plant_words, &value, errors))
        return;
    to->breaks = mem_text(file->breaks->text);
    if (file->of)
        read_scope(scenario, file->of, OF_HOST_DISK_PATH, "breaks", to, errors);
}

static void refuse_finding(const struct expectation_file *file, struct errors *errors)
{
    error_help(node_key_error(errors, file->finding, "findings of the audit are not judged yet"),
               "leave this expectation out");
}

static void read_expectation(const struct scenario *scenario, const struct node *map,
                             struct expectation *to, struct errors *errors)
{
    struct expectation_file file = {.name = NULL};

    schema_read(&expectation_record, map, &file, errors);
    *to = (struct expectation){
        .name = mem_text(file.name ? file.name->text : ""),
        .pos = node_pos(map),
        .of = {.kind = SCOPE_RUN, .part = {.kind = PART_NONE}, .part_kind = PART_NONE},
        .reason = DROP_REASON_COUNT,
    };
    if (map->kind != NODE_MAP)
        return;

    int given = (file.measure != NULL) + (file.breaks != NULL) + (file.finding != NULL);
    if (given != 1)
        error_help(node_error(errors, map,
                              given == 0 ? "the expectation has no 'measure'"
                                         : "an expectation has one of 'measure', 'breaks', "
                                           "'finding'"),
                   "say what is measured: 'measure: io-errors'");
    else if (file.measure)
        read_measure(scenario, map, &file, to, errors);
    else if (file.breaks)
        read_breaks(scenario, &file, to, errors);
    else
        refuse_finding(&file, errors);
}

void scenario_read_expectations(struct scenario *scenario, const struct node *expectations,
                                struct errors *errors)
{
    if (!expectations || expectations->child_count == 0)
        return;
    if (expectations->child_count > EXPECTATIONS_MOST) {
        error_help(
            node_key_error(errors, expectations, "more than %u expectations", EXPECTATIONS_MOST),
            "that is the most that this program takes");
        return;
    }
    scenario->expectations = mem_array(expectations->child_count, sizeof(struct expectation));
    for (const struct node *map = expectations->first; map; map = map->next)
        read_expectation(scenario, map, &scenario->expectations[scenario->expectation_count++],
                         errors);
}
