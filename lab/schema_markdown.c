/* The tables of the formats as a page of reference. */
#include "lab/schema_markdown.h"

#include <inttypes.h>
#include <string.h>

#include "lab/profile_file.h"
#include "lab/scenario_tables.h"
#include "lab/topology_tables.h"
#include "sim/core/attributes.h"

#define RECORDS_MOST 40u

/* Each record has one section, however many keys lead to it. */
struct page {
    FILE *to;
    const struct record *records[RECORDS_MOST];
    size_t record_count;
};

static void collect(struct page *page, const struct record *record)
{
    for (size_t i = 0; i < page->record_count; i++)
        if (page->records[i] == record)
            return;
    if (page->record_count == RECORDS_MOST)
        return;
    page->records[page->record_count++] = record;
    for (size_t i = 0; i < record->field_count; i++)
        if (record->fields[i].record)
            collect(page, record->fields[i].record);
}

static const char *record_title(const struct record *record)
{
    return record->title ? record->title : record->name;
}

static void put_words(FILE *to, const struct word *words)
{
    for (const struct word *word = words; word->word; word++)
        fprintf(to, "%s`%s`", word == words ? "" : ", ", word->word);
}

static void put_range(FILE *to, const struct field *field, enum quantity quantity)
{
    char text[2][48];
    int64_t scale = field->type == FIELD_SECONDS ? 1000000000 : 1;

    if (field->most == 0)
        return;
    quantity_print(quantity, field->least * scale, text[0], sizeof(text[0]));
    quantity_print(quantity, field->most * scale, text[1], sizeof(text[1]));
    fprintf(to, ", %s to %s", text[0], text[1]);
}

static void put_type(FILE *to, const struct field *field)
{
    switch (field->type) {
    case FIELD_FIXED:
        fprintf(to, "`%s`", field->fallback);
        break;
    case FIELD_NAME:
        fprintf(to, "name");
        break;
    case FIELD_TEXT:
        fprintf(to, "text");
        break;
    case FIELD_IQN:
        fprintf(to, "iSCSI name");
        break;
    case FIELD_COUNT:
        fprintf(to, "number");
        if (field->most > 0)
            fprintf(to, ", %" PRId64 " to %" PRId64, field->least, field->most);
        break;
    case FIELD_QUANTITY:
        fprintf(to, "%s", quantity_word(field->quantity));
        put_range(to, field, field->quantity);
        break;
    case FIELD_SECONDS:
        fprintf(to, "whole seconds");
        put_range(to, field, QUANTITY_SPAN);
        break;
    case FIELD_BOOL:
        fprintf(to, "`true` or `false`");
        break;
    case FIELD_WORD:
        put_words(to, field->words);
        break;
    case FIELD_ADDRESS:
        fprintf(to, "IPv4 address and prefix");
        break;
    case FIELD_MAC:
        fprintf(to, "MAC address");
        break;
    case FIELD_RECORD:
        fprintf(to, "map: %s%s", record_title(field->record),
                field->is_overlay ? ", any of its keys" : "");
        break;
    case FIELD_NAMED:
        fprintf(to, "map by name of: %s", record_title(field->record));
        break;
    case FIELD_LIST:
        fprintf(to, "list of: %s", record_title(field->record));
        break;
    case FIELD_NAMES:
        fprintf(to, "name or list of names");
        break;
    case FIELD_PART:
        fprintf(to, "name of a part");
        break;
    case FIELD_MOMENT:
        fprintf(to, "time expression");
        break;
    case FIELD_VALUE:
        if (field->words)
            put_words(to, field->words);
        else
            fprintf(to, "value");
        break;
    case FIELD_VALUES:
        fprintf(to, "value or list of values");
        break;
    case FIELD_NODE:
        if (field->record)
            fprintf(to, "value or map: %s", record_title(field->record));
        else
            fprintf(to, "map");
        break;
    }
}

static void put_record(FILE *to, const struct record *record)
{
    fprintf(to, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
            record_title(record), record->about);
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];

        fprintf(to, "| `%s` | ", field->key);
        put_type(to, field);
        fprintf(to, " | %s | %s |\n",
                field->is_required                              ? "required"
                : field->fallback && field->type != FIELD_FIXED ? field->fallback
                                                                : "",
                field->about);
    }
}

static void put_kinds(FILE *to, unsigned kinds)
{
    const char *comma = "";

    for (enum part_kind kind = 0; kind <= PART_NONE; kind++) {
        if (!(kinds & PART_BIT(kind)))
            continue;
        fprintf(to, "%s%s", comma, part_kind_word(kind));
        comma = ", ";
    }
}

static void put_arguments(FILE *to, const struct verb_row *row)
{
    static const char *const words[] = {
#define X(name, word, about) [name] = (word),
        STEP_ARGUMENTS(X)
#undef X
    };
    const char *comma = "";

    for (enum step_argument i = 0; i < ARG_COUNT; i++) {
        const char *mark = row->needs & ARG_BIT(i) ? "**" : "";

        if (!(row->arguments & ARG_BIT(i)))
            continue;
        fprintf(to, "%s%s`%s`%s", comma, mark, words[i], mark);
        comma = ", ";
    }
}

static void put_vocabulary(FILE *to)
{
    fprintf(to,
            "\n## verbs\n\n| verb | parts | simulated for | arguments (**needed**) | what happens "
            "|\n| --- | --- | --- | --- | --- |\n");
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        const struct verb_row *row = verb_row(verb);

        fprintf(to, "| `%s` | ", row->word);
        put_kinds(to, row->parts);
        fprintf(to, " | ");
        put_kinds(to, row->can_run);
        fprintf(to, "%s | ", row->can_run ? "" : "not yet");
        put_arguments(to, row);
        fprintf(to, " | %s |\n", row->about);
    }

    fprintf(to, "\n## measures\n\n| measure | unit | of | measured | meaning |\n"
                "| --- | --- | --- | --- | --- |\n");
    for (enum measure measure = 0; measure < MEASURE_COUNT; measure++) {
        const struct measure_row *row = measure_row(measure);

        fprintf(to, "| `%s` | %s | ", row->word, measure_unit_word(row->unit));
        put_kinds(to, row->of);
        fprintf(to, " | %s | %s |\n", row->can_run ? "yes" : "not yet", row->about);
    }
}

void schema_markdown(enum schema_kind kind, FILE *to)
{
    struct page page = {.to = to};

    switch (kind) {
    case SCHEMA_TOPOLOGY:
        fprintf(to, "# Topology files\n");
        collect(&page, &topology_record);
        break;
    case SCHEMA_SCENARIO:
        fprintf(to, "# Scenario files\n");
        collect(&page, &scenario_record);
        break;
    case SCHEMA_PROFILE:
        fprintf(to, "# Profile files\n");
        collect(&page, &profile_host_record);
        collect(&page, &profile_array_record);
        break;
    case SCHEMA_KIND_COUNT:
        return;
    }
    for (size_t i = 0; i < page.record_count; i++)
        put_record(to, page.records[i]);
    if (kind == SCHEMA_SCENARIO)
        put_vocabulary(to);
}
