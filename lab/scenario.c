/* Loads a scenario with all that it names, once per variant. */
#include "lab/scenario.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/document.h"
#include "lab/moment.h"
#include "lab/overrides.h"
#include "lab/quantity.h"
#include "lab/scenario_tables.h"
#include "lab/topology_tables.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define VARIANTS_MOST  1000u
#define AXES_MOST      16u
#define OVERRIDES_MOST 256u
#define ACCEPTS_MOST   100u

/* What all variants are made from. */
struct loading {
    struct scenario_set *set;
    struct errors *errors;
    const char *path;
    const char *const *overrides;
    size_t override_count;
    struct node *override_paths[OVERRIDES_MOST];
    struct node *override_values[OVERRIDES_MOST];
    struct document *pristine; /* the scenario as its file has it */
    const struct node *axes[AXES_MOST];
    const struct node *choice[AXES_MOST]; /* of the variant that is being loaded */
    size_t axis_count;
    size_t variant_count;
};

/* ---- Freeing ---- */

static void free_scenario(struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->load_count; i++)
        free(scenario->loads[i].hosts);
    for (uint32_t i = 0; i < scenario->step_count; i++)
        for (size_t j = 0; j < ARG_COUNT; j++)
            free(scenario->steps[i].arguments.text[j]);
    for (uint32_t i = 0; i < scenario->expectation_count; i++) {
        struct expectation *expectation = &scenario->expectations[i];

        free(expectation->name);
        free(expectation->bound_text);
        free(expectation->is_name);
        free(expectation->breaks);
        free(expectation->finding);
    }
    for (uint32_t i = 0; i < scenario->accept_count; i++)
        free(scenario->accepts[i]);
    free(scenario->accepts);
    free(scenario->loads);
    free(scenario->steps);
    free(scenario->expectations);
    free(scenario->about);
    for (size_t i = 0; i < scenario->choice_count; i++)
        free(scenario->choices[i]);
    free(scenario->choices);
    free(scenario->variant);
    free(scenario->overrides);
    topology_free(scenario->topology);
    free(scenario);
}

void scenario_free(struct scenario_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->scenario_count; i++)
        free_scenario(set->scenarios[i]);
    free(set->scenarios);
    file_set_fini(&set->files);
    free(set);
}

/* ---- Texts of variants ---- */

/* Appends to an owned text. */
PRINTF_LIKE(2, 3)
static void append(char **text, const char *format, ...)
{
    char piece[320];
    va_list values;

    va_start(values, format);
    vsnprintf(piece, sizeof(piece), format, values);
    va_end(values);

    size_t bytes = strlen(*text);
    *text = mem_resize(*text, bytes + strlen(piece) + 1, 1);
    memcpy(*text + bytes, piece, strlen(piece) + 1);
}

static const char *shown_value(const struct node *value)
{
    return value->kind == NODE_VALUE ? value->text : "...";
}

/* 'KEY=VALUE' for --set, a list or a map as it stands in the file. */
static char *choice_text(const struct node *key, const struct node *value)
{
    const char *text = value->text;
    size_t bytes = strlen(text);

    if (value->kind != NODE_VALUE) {
        text = value->source->text + value->start;
        bytes = value->end - value->start;
    }
    size_t room = strlen(key->text) + bytes + 2;
    char *choice = mem_new(room);

    snprintf(choice, room, "%s=%.*s", key->text, (int)bytes, text);
    for (char *at = choice; *at; at++)
        if (*at == '\n')
            *at = ' ';
    return choice;
}

/* ---- One variant ---- */

/* A document that can be changed without touching 'from'. */
static struct document *copy_document(const struct document *from)
{
    struct document *copy = mem_new(sizeof(*copy));

    copy->source = from->source;
    copy->root = document_copy(copy, from->root);
    return copy;
}

/* Applies what --set and 'vary' say about one of the two documents. */
static bool apply_overrides(struct loading *loading, struct document *document,
                            enum override_root root, struct scenario *scenario)
{
    const struct record *record = root == OVERRIDE_TOPOLOGY ? &topology_record : &scenario_record;

    for (size_t i = 0; i < loading->override_count; i++) {
        const struct node *path = loading->override_paths[i];

        if (override_root(path, loading->errors) != root)
            continue;
        if (!override_apply(document, record, path, loading->override_values[i], loading->errors))
            return false;
        append(&scenario->overrides, "%s\n", loading->overrides[i]);
    }
    for (size_t i = 0; i < loading->axis_count; i++) {
        const struct node *path = loading->axes[i]->key;

        if (override_root(path, loading->errors) == root &&
            !override_apply(document, record, path, loading->choice[i], loading->errors))
            return false;
    }
    return true;
}

bool scenario_check_inside(const struct scenario *scenario, const struct node *node,
                           const char *what, int64_t at_ns, struct errors *errors)
{
    char text[2][48];

    if (at_ns == TIME_NEVER || (at_ns >= 0 && at_ns <= scenario->run_for_ns))
        return true;
    quantity_print(QUANTITY_SPAN, at_ns, text[0], sizeof(text[0]));
    quantity_print(QUANTITY_SPAN, scenario->run_for_ns, text[1], sizeof(text[1]));
    if (at_ns < 0)
        error_help(node_error(errors, node, "%s is before the start of the run", what),
                   "it would be at %s", text[0]);
    else
        error_help(node_error(errors, node, "%s is after the end of the run", what),
                   "it would be at %s; the run ends at %s: lengthen 'run-for' or move it", text[0],
                   text[1]);
    return false;
}

bool scenario_check_known(const struct scenario *scenario, const struct node *node, const char *key,
                          const struct moment *moment, struct errors *errors)
{
    if (!moment_waits(moment, scenario->steps, scenario->step_count))
        return true;
    error_help(node_error(errors, node, "'%s' counts from a step that waits for an event", key),
               "only steps can wait; write a time that is known before the run, like '60 s'");
    return false;
}

static void read_accepts(struct scenario *scenario, const struct node *accepts,
                         struct errors *errors)
{
    if (!accepts)
        return;
    if (accepts->kind == NODE_MAP) {
        (void)schema_need_kind(accepts, NODE_LIST, "accept", errors);
        return;
    }
    if (accepts->child_count > ACCEPTS_MOST) {
        error_help(node_error(errors, accepts, "more than %u findings are accepted", ACCEPTS_MOST),
                   "name each once");
        return;
    }

    bool is_list = accepts->kind == NODE_LIST;
    const struct node *item = is_list ? accepts->first : accepts;
    scenario->accepts = mem_array(is_list ? accepts->child_count : 1, sizeof(char *));
    for (; item; item = is_list ? item->next : NULL)
        if (schema_has_value(item, "accept", errors) && schema_check_name(item, "finding", errors))
            scenario->accepts[scenario->accept_count++] = mem_text(item->text);
}

static void read_plant(struct scenario *scenario, const struct node *plant, struct errors *errors)
{
#ifdef ISCSILAB_PLANTS
    int value = PLANT_NONE;

    if (schema_read_word(plant, "planted bug", plant_words, &value, errors))
        scenario->plant = (enum plant)value;
#else
    (void)scenario;
    error_help(node_key_error(errors, plant, "'plant' works in test builds only"),
               "leave it out, or build with -DISCSILAB_PLANTS=ON");
#endif
}

/* The topology's document, from the file set: parsed anew, so that it can be changed. */
static bool load_topology(struct loading *loading, struct scenario *scenario,
                          const struct node *name)
{
    const struct source *source = NULL;
    struct error err;
    size_t errors_before = loading->errors->error_count;
    char *path = path_beside(loading->path, name->text);
    enum status status = file_set_read(&loading->set->files, path, &source, &err);

    free(path);
    if (status != OK) {
        error_help(node_error(loading->errors, name, "%s", err.text),
                   "the path counts from the folder of the scenario");
        return false;
    }

    struct document *document = document_parse(source, loading->errors);
    if (document->root && apply_overrides(loading, document, OVERRIDE_TOPOLOGY, scenario))
        scenario->topology =
            topology_from_document(document, &loading->set->files, loading->errors);
    document_free(document);
    return loading->errors->error_count == errors_before;
}

/* What can be said about the items of a map or list without knowing the SAN. */
static void check_alone(const struct record *record, size_t bytes, const struct node *items,
                        struct errors *errors)
{
    void *unused = mem_new(bytes);

    for (const struct node *map = items ? items->first : NULL; map; map = map->next) {
        memset(unused, 0, bytes);
        schema_read(record, map, unused, errors);
    }
    free(unused);
}

static void load_variant(struct loading *loading, struct document *document,
                         struct scenario *scenario)
{
    struct scenario_file file = {.about = NULL};
    struct errors *errors = loading->errors;

    if (!apply_overrides(loading, document, OVERRIDE_SCENARIO, scenario))
        return;

    schema_read(&scenario_record, document->root, &file, errors);
    snprintf(scenario->name, sizeof(scenario->name), "%s", file.name);
    scenario->about = mem_text(file.about ? file.about->text : "");
    scenario->seed = file.seed;
    scenario->run_for_ns = file.run_for_ns;
    scenario->event_limit = file.limits.event_limit;
    scenario->wall_limit_ns = file.limits.wall_limit_ns;
    read_accepts(scenario, file.accepts, errors);
    if (file.plant)
        read_plant(scenario, file.plant, errors);

    bool is_good = file.topology && load_topology(loading, scenario, file.topology);
    if (!is_good || file.run_for_ns == 0) { /* nothing can be said about parts or times */
        check_alone(&load_record, sizeof(struct load_file), file.loads, errors);
        check_alone(&step_record, sizeof(struct step_file), file.steps, errors);
        check_alone(&expectation_record, sizeof(struct expectation_file), file.expectations,
                    errors);
        return;
    }
    scenario_read_steps(scenario, file.steps, errors);
    scenario_read_loads(scenario, file.loads, errors);
    scenario_read_expectations(scenario, file.expectations, errors);
}

static void add_variant(struct loading *loading, size_t number)
{
    struct scenario_set *set = loading->set;
    struct scenario *scenario = mem_new(sizeof(*scenario));

    scenario->variant = mem_text("");
    scenario->overrides = mem_text("");
    scenario->choices = mem_array(loading->axis_count + 1, sizeof(*scenario->choices));
    for (size_t i = 0; i < loading->axis_count; i++) {
        const struct node *values = loading->axes[i];

        /* The last axis turns fastest. */
        size_t below = 1;
        for (size_t j = i + 1; j < loading->axis_count; j++)
            below *= loading->axes[j]->child_count;

        const struct node *value = values->first;
        for (size_t skip = number / below % values->child_count; skip > 0; skip--)
            value = value->next;
        loading->choice[i] = value;
        scenario->choices[scenario->choice_count++] = choice_text(values->key, value);
        append(&scenario->variant, "%s%s=%.200s", i > 0 ? ", " : "", values->key->text,
               shown_value(value));
    }
    set->scenarios = mem_resize(set->scenarios, set->scenario_count + 1, sizeof(struct scenario *));
    set->scenarios[set->scenario_count++] = scenario;

    struct document *document = copy_document(loading->pristine);
    load_variant(loading, document, scenario);
    document_free(document);
}

/* ---- All variants ---- */

/* --set pins what 'vary' would vary: one run with that value, and no other silently in its place.
 */
static bool is_set_by_hand(const struct loading *loading, const char *key)
{
    for (size_t i = 0; i < loading->override_count; i++)
        if (loading->override_paths[i] && strcmp(loading->override_paths[i]->text, key) == 0)
            return true;
    return false;
}

static void read_axes(struct loading *loading)
{
    struct errors *errors = loading->errors;
    const struct node *vary = loading->pristine->root->kind == NODE_MAP
                                  ? node_get(loading->pristine->root, "vary")
                                  : NULL;

    loading->variant_count = 1;
    if (!vary || !schema_need_kind(vary, NODE_MAP, "vary", errors))
        return;
    for (const struct node *values = vary->first; values; values = values->next) {
        if (values->kind != NODE_LIST || values->child_count == 0) {
            error_help(node_error(errors, values, "'vary' needs a list of values"),
                       "write '%.60s: [VALUE, VALUE]'", values->key->text);
            continue;
        }
        if (override_root(values->key, errors) == OVERRIDE_NOTHING ||
            is_set_by_hand(loading, values->key->text))
            continue;
        loading->variant_count *= values->child_count;
        if (loading->axis_count == AXES_MOST || loading->variant_count > VARIANTS_MOST) {
            error_help(
                node_key_error(errors, values, "'vary' asks for more than %u runs", VARIANTS_MOST),
                "take fewer values, or make it several scenarios");
            return;
        }
        loading->axes[loading->axis_count++] = values;
    }
}

/* Their nodes live in the pristine document. */
static void read_overrides(struct loading *loading)
{
    for (size_t i = 0; i < loading->override_count; i++)
        if (override_parse(loading->pristine, &loading->set->files, loading->overrides[i],
                           &loading->override_paths[i], &loading->override_values[i],
                           loading->errors))
            (void)override_root(loading->override_paths[i], loading->errors);
}

static const struct source *read_scenario(struct loading *loading)
{
    const struct source *source = NULL;
    struct error err;
    struct text_span nowhere = {.pos = {.file = NULL}};

    if (loading->override_count > OVERRIDES_MOST) {
        error_help(errors_add(loading->errors, nowhere, NULL, 0, "more than %u times --set",
                              OVERRIDES_MOST),
                   "write a scenario of your own");
        return NULL;
    }
    if (file_set_read(&loading->set->files, loading->path, &source, &err) == OK)
        return source;
    error_help(errors_add(loading->errors, nowhere, NULL, 0, "%s", err.text), "%s", err.help);
    return NULL;
}

struct scenario_set *scenario_load(const char *path, const char *const *overrides,
                                   size_t override_count, const struct file_reader *reader,
                                   struct errors *errors)
{
    size_t errors_before = errors->error_count;
    struct loading loading = {
        .set = mem_new(sizeof(struct scenario_set)),
        .errors = errors,
        .path = path,
        .overrides = overrides,
        .override_count = override_count,
    };

    file_set_init(&loading.set->files, reader);
    const struct source *source = read_scenario(&loading);
    if (source) {
        loading.pristine = document_parse(source, errors);
        if (loading.pristine->root) {
            read_overrides(&loading);
            read_axes(&loading);
        }
        /* What is wrong in one variant is wrong in most: the first bad one is told. */
        for (size_t i = 0; errors->error_count == errors_before && i < loading.variant_count; i++)
            add_variant(&loading, i);
        document_free(loading.pristine);
    }
    if (errors->error_count == errors_before)
        return loading.set;
    scenario_free(loading.set);
    return NULL;
}
