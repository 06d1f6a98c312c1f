/* The tables of the formats as JSON Schema. */
#include "lab/schema_json.h"

#include <inttypes.h>
#include <string.h>

#include "lab/profile_file.h"
#include "lab/scenario_tables.h"
#include "lab/topology_tables.h"
#include "sim/core/attributes.h"

enum schema_kind schema_kind_find(const char *word)
{
    static const char *const words[] = {
#define X(name, text) [name] = (text),
        SCHEMA_KINDS(X)
#undef X
    };

    for (enum schema_kind kind = 0; kind < SCHEMA_KIND_COUNT; kind++)
        if (strcmp(words[kind], word) == 0)
            return kind;
    return SCHEMA_KIND_COUNT;
}

static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

/* Units hold no character that a regular expression would take for its own. */
static void put_quantity(FILE *to, enum quantity quantity)
{
    fprintf(to, "{\"type\": \"string\", \"pattern\": \"^[0-9]+([.][0-9]+)? *(");
    for (size_t i = 0; quantity_unit(quantity, i); i++)
        fprintf(to, "%s%s", i > 0 ? "|" : "", quantity_unit(quantity, i));
    fprintf(to, ")$\", \"examples\": [\"%s\"]", quantity_example(quantity));
}

static void put_words(FILE *to, const struct word *words)
{
    fprintf(to, "{\"enum\": [");
    for (const struct word *word = words; word->word; word++) {
        fprintf(to, "%s", word == words ? "" : ", ");
        put_text(to, word->word);
    }
    fprintf(to, "]");
}

static void put_count(FILE *to, const struct field *field)
{
    fprintf(to, "{\"type\": \"integer\", \"minimum\": %" PRId64, field->least);
    if (field->most > 0)
        fprintf(to, ", \"maximum\": %" PRId64, field->most);
}

static void put_record(FILE *to, const struct record *record, bool is_overlay);

/* Everything but the closing brace. */
static void put_field(FILE *to, const struct field *field)
{
    static const char name[] = "^[a-z][a-z0-9-]*$";

    switch (field->type) {
    case FIELD_FIXED:
        fprintf(to, strcmp(field->key, "format") == 0 ? "{\"const\": %s" : "{\"const\": \"%s\"",
                field->fallback);
        break;
    case FIELD_NAME:
        fprintf(to, "{\"type\": \"string\", \"pattern\": \"%s\"", name);
        break;
    case FIELD_TEXT:
    case FIELD_PART:
    case FIELD_MOMENT:
        fprintf(to, "{\"type\": \"string\"");
        break;
    case FIELD_IQN:
        fprintf(to, "{\"type\": \"string\", \"pattern\": \"^(iqn|eui|naa)[.][a-z0-9.:-]+$\"");
        break;
    case FIELD_COUNT:
        put_count(to, field);
        break;
    case FIELD_QUANTITY:
        put_quantity(to, field->quantity);
        break;
    case FIELD_SECONDS:
        put_quantity(to, QUANTITY_SPAN);
        break;
    case FIELD_BOOL:
        fprintf(to, "{\"type\": \"boolean\"");
        break;
    case FIELD_WORD:
        put_words(to, field->words);
        break;
    case FIELD_ADDRESS:
        fprintf(
            to,
            "{\"type\": \"string\", \"pattern\": \"^([0-9]{1,3}[.]){3}[0-9]{1,3}/[0-9]{1,2}$\"");
        break;
    case FIELD_MAC:
        fprintf(to, "{\"type\": \"string\", \"pattern\": \"^([0-9a-f]{2}:){5}[0-9a-f]{2}$\"");
        break;
    case FIELD_RECORD:
        put_record(to, field->record, field->is_overlay);
        break;
    case FIELD_NAMED:
        fprintf(to,
                "{\"type\": \"object\", \"propertyNames\": {\"pattern\": \"%s\"}, "
                "\"additionalProperties\": ",
                field->record->names ? field->record->names : name);
        put_record(to, field->record, false);
        fprintf(to, "}");
        break;
    case FIELD_LIST:
        fprintf(to, "{\"type\": \"array\", \"items\": ");
        put_record(to, field->record, false);
        fprintf(to, "}");
        break;
    case FIELD_NAMES:
        fprintf(to, "{\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}");
        break;
    case FIELD_VALUE:
        if (field->words)
            put_words(to, field->words);
        else
            fprintf(to, "{\"type\": [\"string\", \"number\"]");
        break;
    case FIELD_VALUES:
        fprintf(to, "{\"type\": [\"string\", \"number\", \"array\"], "
                    "\"items\": {\"type\": [\"string\", \"number\"]}");
        break;
    case FIELD_NODE:
        if (!field->record) {
            fprintf(to, "{\"type\": \"object\"");
            break;
        }
        fprintf(to, "{\"anyOf\": [{\"type\": \"string\"}, ");
        put_record(to, field->record, false);
        fprintf(to, "}]");
        break;
    }
}

static void put_required(FILE *to, const struct record *record)
{
    const char *comma = "";

    fprintf(to, ", \"required\": [");
    for (size_t i = 0; i < record->field_count; i++) {
        if (!record->fields[i].is_required)
            continue;
        fprintf(to, "%s\"%s\"", comma, record->fields[i].key);
        comma = ", ";
    }
    fprintf(to, "]");
}

/* Everything but the closing brace, as put_field(). */
static void put_record(FILE *to, const struct record *record, bool is_overlay)
{
    fprintf(to, "{\"type\": \"object\", \"additionalProperties\": false");
    if (!is_overlay)
        put_required(to, record);
    fprintf(to, ", \"properties\": {");
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];

        fprintf(to, "%s\n\"%s\": ", i > 0 ? "," : "", field->key);
        put_field(to, field);
        fprintf(to, ", \"description\": ");
        put_text(to, field->about);
        if (field->fallback && field->type != FIELD_FIXED) {
            fprintf(to, ", \"default\": ");
            if (field->type == FIELD_COUNT || field->type == FIELD_BOOL)
                fprintf(to, "%s", field->fallback);
            else
                put_text(to, field->fallback);
        }
        fprintf(to, "}");
    }
    fprintf(to, "}");
}

void schema_json(enum schema_kind kind, FILE *to)
{
    fprintf(to, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", ");
    switch (kind) {
    case SCHEMA_TOPOLOGY:
        fprintf(to, "\"title\": \"iscsilab topology\", \"allOf\": [");
        put_record(to, &topology_record, false);
        break;
    case SCHEMA_SCENARIO:
        fprintf(to, "\"title\": \"iscsilab scenario\", \"allOf\": [");
        put_record(to, &scenario_record, false);
        break;
    case SCHEMA_PROFILE:
        fprintf(to, "\"title\": \"iscsilab profile\", \"oneOf\": [");
        put_record(to, &profile_host_record, false);
        fprintf(to, "}, ");
        put_record(to, &profile_array_record, false);
        break;
    case SCHEMA_KIND_COUNT:
        return;
    }
    fprintf(to, "}]}\n");
}
