/* Changes to a document before it is checked. */
#include "lab/overrides.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/quantity.h"
#include "lab/scenario_tables.h"
#include "lab/topology_tables.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#define WORD_BYTES 64u

struct walk {
    struct document *document;
    const struct node *path;
    const struct node *value;
    struct errors *errors;
};

/* The word of the path at 'at', and what follows its dot; NULL: it is the last. */
struct step_of_path {
    char word[WORD_BYTES];
    size_t at; /* offset in the path's text */
    size_t bytes;
    const char *rest;
};

static struct step_of_path word_at(const struct walk *walk, const char *at)
{
    const char *dot = strchr(at, '.');
    struct step_of_path step = {
        .at = (size_t)(at - walk->path->text),
        .bytes = dot ? (size_t)(dot - at) : strlen(at),
        .rest = dot ? dot + 1 : NULL,
    };

    snprintf(step.word, sizeof(step.word), "%.*s",
             (int)(step.bytes < sizeof(step.word) ? step.bytes : sizeof(step.word) - 1), at);
    return step;
}

/* A node that stands for one word of the path. */
static struct node place_of(const struct walk *walk, const struct step_of_path *step)
{
    struct node node = *walk->path;

    node.text = step->word;
    if (!walk->path->is_quoted && node.end - node.start >= step->at + step->bytes) {
        node.start += (uint32_t)step->at;
        node.column += (uint32_t)step->at;
        node.end = node.start + (uint32_t)(step->bytes > 0 ? step->bytes : 1);
    }
    return node;
}

static void unknown_key(const struct walk *walk, const struct record *record,
                        const struct step_of_path *step)
{
    const char *known[64];
    size_t count = 0;
    struct node at = place_of(walk, step);

    for (size_t i = 0; i < record->field_count && count < ARRAY_SIZE(known); i++)
        known[count++] = record->fields[i].key;
    schema_unknown(&at, record->key_word ? record->key_word : "key", step->word,
                   (struct name_list){known, count}, walk->errors);
}

static bool refuse(const struct walk *walk, const struct step_of_path *step, const char *text,
                   const char *help)
{
    struct node at = place_of(walk, step);

    error_help(node_error(walk->errors, &at, "'%s' %s", step->word, text), "%s", help);
    return false;
}

static bool set_in_map(struct walk *walk, const struct record *record, struct node *map,
                       const char *at);

/* The item of a list by its 'name', or by its number from 1. */
static struct node *find_item(const struct node *list, const char *word)
{
    int64_t number = 0;

    for (struct node *item = list->first; item; item = item->next) {
        const struct node *name = node_get(item, "name");
        if (name && strcmp(name->text, word) == 0)
            return item;
    }
    if (quantity_parse_number(word, 0, &number) != QUANTITY_FINE)
        return NULL;
    for (struct node *item = list->first; item; item = item->next)
        if (--number == 0)
            return item;
    return NULL;
}

static bool unknown_child(const struct walk *walk, const struct record *record,
                          const struct node *parent, const struct step_of_path *step)
{
    const char *known[256];
    size_t count = 0;
    struct node at = place_of(walk, step);

    for (const struct node *child = parent->first; child && count < ARRAY_SIZE(known);
         child = child->next) {
        const struct node *name = parent->kind == NODE_MAP ? child->key : node_get(child, "name");
        if (name)
            known[count++] = name->text;
    }
    schema_unknown(&at, record->name, step->word, (struct name_list){known, count}, walk->errors);
    return false;
}

/* Below a map by name, or a list: the next word is a name, or '*'. */
static bool set_below(struct walk *walk, const struct record *record, struct node *parent,
                      const char *at)
{
    struct step_of_path step = word_at(walk, at);
    bool is_all = strcmp(step.word, "*") == 0;
    bool is_good = true;

    if (!step.rest)
        return refuse(walk, &step, "is no setting", "say which: '...NAME.KEY=VALUE'");
    if (!is_all) {
        struct node *child =
            parent->kind == NODE_MAP ? node_get(parent, step.word) : find_item(parent, step.word);
        if (!child)
            return unknown_child(walk, record, parent, &step);
        return set_in_map(walk, record, child, step.rest);
    }
    if (!parent->first)
        return refuse(walk, &step, "stands for nothing here", "the file has none of these");
    for (struct node *child = parent->first; child && is_good; child = child->next)
        is_good = set_in_map(walk, record, child, step.rest);
    return is_good;
}

/* Below a map without a table: the arguments of a verb. */
static bool set_argument(struct walk *walk, struct node *map, const char *at)
{
    struct step_of_path step = word_at(walk, at);

    if (step.rest || map->kind != NODE_MAP)
        return refuse(walk, &step, "is no setting here", "check the path against the file");
    document_set(walk->document, map, step.word, document_copy(walk->document, walk->value),
                 walk->path);
    return true;
}

static bool set_in_map(struct walk *walk, const struct record *record, struct node *map,
                       const char *at)
{
    struct step_of_path step = word_at(walk, at);
    const struct field *field = schema_field(record, step.word);

    if (map->kind != NODE_MAP)
        return refuse(walk, &step, "has no place here: the file has no map there",
                      "mend the file first");
    if (!field) {
        unknown_key(walk, record, &step);
        return false;
    }
    if (!step.rest) {
        document_set(walk->document, map, step.word, document_copy(walk->document, walk->value),
                     walk->path);
        return true;
    }

    struct node *child = node_get(map, step.word);
    switch (field->type) {
    case FIELD_RECORD:
        if (!child) {
            child = document_new_map(walk->document, walk->path);
            document_set(walk->document, map, step.word, child, walk->path);
        }
        return set_in_map(walk, field->record, child, step.rest);
    case FIELD_NAMED:
    case FIELD_LIST:
        if (!child || child->kind != (field->type == FIELD_NAMED ? NODE_MAP : NODE_LIST))
            return refuse(walk, &step, "is not in the file", "there is nothing to change");
        return set_below(walk, field->record, child, step.rest);
    case FIELD_NODE:
        if (child)
            return set_argument(walk, child, step.rest);
        return refuse(walk, &step, "is not in the file", "there is nothing to change");
    default:
        return refuse(walk, &step, "has no settings below it", "end the path here");
    }
}

bool override_apply(struct document *document, const struct record *record, const struct node *path,
                    const struct node *value, struct errors *errors)
{
    struct walk walk = {document, path, value, errors};

    return set_in_map(&walk, record, document->root, path->text);
}

/* 'kind', 'format', 'name' and 'about' are the scenario's. */
enum override_root override_root(const struct node *path, struct errors *errors)
{
    static const char *const topology_keys[] = {"defaults", "switches", "hosts", "arrays",
                                                "cables"};
    const char *known[64];
    size_t count = 0;
    struct walk walk = {.path = path, .errors = errors};
    struct step_of_path step = word_at(&walk, path->text);

    for (size_t i = 0; i < ARRAY_SIZE(topology_keys); i++) {
        if (strcmp(step.word, topology_keys[i]) == 0)
            return OVERRIDE_TOPOLOGY;
        known[count++] = topology_keys[i];
    }
    if (strcmp(step.word, "vary") == 0) {
        refuse(&walk, &step, "cannot be changed from outside of the file",
               "set the values themselves, one run at a time");
        return OVERRIDE_NOTHING;
    }
    if (schema_field(&scenario_record, step.word))
        return OVERRIDE_SCENARIO;
    for (size_t i = 0; i < scenario_record.field_count && count < ARRAY_SIZE(known); i++)
        known[count++] = scenario_record.fields[i].key;

    struct node at = place_of(&walk, &step);
    schema_unknown(&at, "key", step.word, (struct name_list){known, count}, errors);
    return OVERRIDE_NOTHING;
}

static struct node *piece(struct document *document, const struct source *source, size_t begin,
                          size_t end)
{
    struct node place = {
        .source = source,
        .start = (uint32_t)begin,
        .end = (uint32_t)end,
        .line = 1,
        .column = (uint32_t)begin + 1,
    };
    char *text = mem_new(end - begin + 1);

    memcpy(text, source->text + begin, end - begin);
    place.kind = NODE_VALUE;
    place.text = text;

    struct node *node = document_copy(document, &place);
    free(text);
    return node;
}

#define OPTION "--set "

bool override_parse(struct document *document, struct file_set *files, const char *text,
                    struct node **ret_path, struct node **ret_value, struct errors *errors)
{
    size_t line_bytes = strlen(OPTION) + strlen(text) + 1;
    char *line = mem_new(line_bytes);
    const char *equals = strchr(text, '=');

    snprintf(line, line_bytes, "%s%s", OPTION, text);
    for (char *p = line; *p; p++) /* one line, whatever the shell let through */
        if ((unsigned char)*p < ' ')
            *p = ' ';
    const struct source *source = file_set_keep(files, "command line", line);
    free(line);

    size_t begin = strlen(OPTION);
    struct node *whole = piece(document, source, begin, source->bytes);
    if (!equals || equals == text) {
        error_help(node_error(errors, whole, "'%.80s' sets nothing", text),
                   "write 'KEY=VALUE', like 'switches.switch-2.mtu=1500'");
        return false;
    }

    size_t at = begin + (size_t)(equals - text);
    *ret_path = piece(document, source, begin, at);
    *ret_value = piece(document, source, at + 1, source->bytes);
    if (equals[1] != '[' && equals[1] != '{')
        return true;

    const struct source *inner = file_set_keep(files, "command line", source->text + at + 1);
    struct document *parsed = document_parse(inner, errors);
    bool is_good = parsed->root != NULL;
    if (is_good)
        *ret_value = document_copy(document, parsed->root);
    document_free(parsed);
    return is_good;
}
