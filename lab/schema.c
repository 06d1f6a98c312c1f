/* Reads maps by their tables. */
#include "lab/schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/net/mac_addr.h"

static void store(const struct field *field, int64_t value, void *out)
{
    char *to = (char *)out + field->offset;

    assert(field->width == 1 || field->width == 4 || field->width == 8);
    switch (field->width) {
    case 1:
        *(bool *)to = value != 0;
        return;
    case 4: {
        uint32_t narrow = (uint32_t)value;
        memcpy(to, &narrow, sizeof(narrow));
        return;
    }
    case 8:
        memcpy(to, &value, sizeof(value));
        return;
    }
}

static int64_t most_of(const struct field *field)
{
    if (field->most != 0)
        return field->most;
    return field->width == 4 ? UINT32_MAX : INT64_MAX;
}

/* False: told, and the rest of such a file would only look wrong. */
static bool read_fixed(const struct field *field, const struct node *node, struct errors *errors)
{
    if (!schema_has_value(node, field->key, errors))
        return false;
    if (strcmp(node->text, field->fallback) == 0)
        return true;
    error_help(node_error(errors, node, "'%s' must be '%s', not '%.60s'", field->key,
                          field->fallback, node->text),
               strcmp(field->key, "format") == 0
                   ? "this program knows format 1; a newer program may know more"
                   : "is this the right kind of file?");
    return false;
}

static void read_integer(const struct field *field, const struct node *node, void *out,
                         struct errors *errors)
{
    int64_t value = 0;
    int word = 0;
    bool is_good = false;

    switch (field->type) {
    case FIELD_COUNT:
        is_good =
            schema_read_count(node, field->key, 0, field->least, most_of(field), &value, errors);
        break;
    case FIELD_QUANTITY:
        is_good = schema_read_quantity(node, field->key, field->quantity, field->least,
                                       most_of(field), &value, errors);
        break;
    case FIELD_SECONDS:
        is_good = schema_read_quantity(node, field->key, QUANTITY_SPAN, field->least * 1000000000,
                                       field->most * 1000000000, &value, errors);
        if (is_good && value % 1000000000 != 0) {
            error_help(node_error(errors, node, "'%s' must be whole seconds", field->key),
                       "the standard's key has no finer unit");
            return;
        }
        value /= 1000000000;
        break;
    case FIELD_BOOL:
        is_good = schema_read_bool(node, field->key, &value, errors);
        break;
    default:
        is_good = schema_read_word(node, field->key, field->words, &word, errors);
        value = word;
        break;
    }
    if (is_good)
        store(field, value, out);
}

static void read_record(const struct record *record, const struct node *map, bool is_overlay,
                        void *out, struct errors *errors);

static void hand_on(const struct node *node, void *to)
{
    const struct node **place = to;

    *place = node;
}

static void read_field(const struct record *record, const struct field *field,
                       const struct node *node, bool is_overlay, void *out, struct errors *errors)
{
    char *to = (char *)out + field->offset;

    switch (field->type) {
    case FIELD_FIXED: /* was checked first */
        break;
    case FIELD_NAME:
        if (schema_has_value(node, field->key, errors) &&
            schema_check_name(node, record->name, errors))
            memcpy(to, node->text, strlen(node->text) + 1);
        break;
    case FIELD_IQN:
        schema_read_iqn(node, field->key, to, errors);
        break;
    case FIELD_COUNT:
    case FIELD_QUANTITY:
    case FIELD_SECONDS:
    case FIELD_BOOL:
    case FIELD_WORD:
        read_integer(field, node, out, errors);
        break;
    case FIELD_ADDRESS: {
        struct cidr cidr;
        if (schema_read_address(node, field->key, &cidr, errors))
            memcpy(to, &cidr, sizeof(cidr));
        break;
    }
    case FIELD_MAC: {
        struct mac_addr mac;
        if (schema_read_mac(node, field->key, &mac, errors))
            memcpy(to, &mac, sizeof(mac));
        break;
    }
    case FIELD_RECORD:
        if (schema_need_kind(node, NODE_MAP, field->key, errors))
            read_record(field->record, node, is_overlay || field->is_overlay, to, errors);
        break;
    case FIELD_NAMED:
        if (schema_need_kind(node, NODE_MAP, field->key, errors))
            hand_on(node, to);
        break;
    case FIELD_LIST:
        if (schema_need_kind(node, NODE_LIST, field->key, errors))
            hand_on(node, to);
        break;
    case FIELD_TEXT:
    case FIELD_PART:
    case FIELD_MOMENT:
    case FIELD_VALUE:
        if (schema_has_value(node, field->key, errors))
            hand_on(node, to);
        break;
    case FIELD_NAMES:
    case FIELD_VALUES:
    case FIELD_NODE:
        hand_on(node, to);
        break;
    }
}

/* Their readers know the default; here it only stands for the reference page. */
static bool hands_on_node(enum field_type type)
{
    return type == FIELD_TEXT || type >= FIELD_NAMED;
}

/* The default is text, so that file, schema and reference page have one notation. */
static void fill_field(const struct field *field, void *out)
{
    struct source none = {.name = NULL, .text = NULL};
    struct node node = {.kind = NODE_VALUE, .source = &none, .text = field->fallback};

    if (field->type == FIELD_RECORD && !field->is_overlay) {
        schema_fill(field->record, (char *)out + field->offset);
        return;
    }
    if (!field->fallback || field->type == FIELD_FIXED || hands_on_node(field->type))
        return;

    struct errors *errors = mem_new(sizeof(*errors));
    errors_init(errors);
    node.line = node.column = 1;
    none.text = mem_text("");
    read_field(NULL, field, &node, false, out, errors);
    assert(errors->error_count == 0); /* our own tables are right */
    free(none.text);
    errors_fini(errors);
    free(errors);
}

void schema_fill(const struct record *record, void *out)
{
    for (size_t i = 0; i < record->field_count; i++)
        fill_field(&record->fields[i], out);
}

const struct field *schema_field(const struct record *record, const char *key)
{
    for (size_t i = 0; i < record->field_count; i++)
        if (strcmp(record->fields[i].key, key) == 0)
            return &record->fields[i];
    return NULL;
}

static void refuse_key(const struct record *record, const struct node *child, struct errors *errors)
{
    const char *known[64];
    size_t count = 0;
    bool is_shown = errors_has_room(errors);
    struct error *error =
        node_key_error(errors, child, "unknown %s '%.80s'",
                       record->key_word ? record->key_word : "key", child->key->text);

    if (!is_shown)
        return;
    for (size_t i = 0; i < record->field_count && count < ARRAY_SIZE(known); i++)
        known[count++] = record->fields[i].key;
    schema_help_known(error, child->key->text, (struct name_list){known, count}, "key");
}

static void refuse_missing(const struct record *record, const struct field *field,
                           const struct node *map, struct errors *errors)
{
    struct error *error;

    if (map->key)
        error = node_key_error(errors, map, "%s '%.60s' lacks '%s'", record->name, map->key->text,
                               field->key);
    else
        error = node_error(errors, map, "the %s lacks '%s'", record->name, field->key);
    if (field->type == FIELD_FIXED)
        error_help(error, "add '%s: %s'", field->key, field->fallback);
    else
        error_help(error, "add '%s:' (%s)", field->key, field->about);
}

static void read_record(const struct record *record, const struct node *map, bool is_overlay,
                        void *out, struct errors *errors)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];
        const struct node *node = field->type == FIELD_FIXED ? node_get(map, field->key) : NULL;

        if (node && !read_fixed(field, node, errors))
            return;
    }
    for (const struct node *child = map->first; child; child = child->next) {
        if (!child->key->is_bad && !schema_field(record, child->key->text))
            refuse_key(record, child, errors);
    }
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];
        const struct node *node = node_get(map, field->key);

        if (!is_overlay)
            fill_field(field, out);
        if (node)
            read_field(record, field, node, is_overlay, out, errors);
        else if (field->is_required && !is_overlay)
            refuse_missing(record, field, map, errors);
    }
}

void schema_read(const struct record *record, const struct node *map, void *out,
                 struct errors *errors)
{
    if (schema_need_kind(map, NODE_MAP, map->key ? map->key->text : record->name, errors))
        read_record(record, map, false, out, errors);
}

void schema_overlay(const struct record *record, const struct node *map, void *out,
                    struct errors *errors)
{
    if (schema_need_kind(map, NODE_MAP, map->key ? map->key->text : record->name, errors))
        read_record(record, map, true, out, errors);
}
