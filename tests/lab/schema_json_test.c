#include "tests/test.h"

#include "lab/document.h"
#include "lab/schema_json.h"
#include "lab/schema_markdown.h"
#include "tests/lab/files.h"

static char *print(void (*write)(enum schema_kind, FILE *), enum schema_kind kind)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    assert_non_null(to);
    write(kind, to);
    fclose(to);
    char *copy = mem_text(text); /* gcc 12 takes what open_memstream() made for a local */

    free(text);
    return copy;
}

/* JSON is YAML, so our own parser can say whether it is well formed and without keys twice. */
static void each_schema_is_well_formed(void **state)
{
    (void)state;

    for (enum schema_kind kind = 0; kind < SCHEMA_KIND_COUNT; kind++) {
        struct errors *errors = mem_new(sizeof(*errors));
        struct file_set files;
        char *text = print(schema_json, kind);

        errors_init(errors);
        file_set_init(&files, NULL);
        struct document *document =
            document_parse(file_set_keep(&files, "schema.json", text), errors);
        if (errors->error_count > 0)
            errors_print(errors, stdout);
        assert_int_equal(errors->error_count, 0);
        assert_non_null(document->root);
        assert_int_equal(document->root->kind, NODE_MAP);
        assert_non_null(node_get(document->root, "title"));
        document_free(document);
        file_set_fini(&files);
        errors_fini(errors);
        free(errors);
        free(text);
    }
}

static void a_schema_says_what_the_checker_says(void **state)
{
    char *text = print(schema_json, SCHEMA_TOPOLOGY);
    (void)state;

    assert_non_null(strstr(text, "\"ports\": {\"type\": \"integer\", \"minimum\": 2"));
    assert_non_null(strstr(text, "\"enum\": [\"fail-over-only\", \"round-robin\""));
    assert_non_null(strstr(text, "(ns|us|ms|s|min|h)$\""));
    assert_non_null(strstr(text, "\"default\": \"512 KiB\""));
    assert_non_null(strstr(text, "\"required\": [\"from\", \"to\"]"));
    free(text);
}

static void the_reference_page_names_every_verb_and_measure(void **state)
{
    char *text = print(schema_markdown, SCHEMA_SCENARIO);
    char cell[64];
    (void)state;

    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        snprintf(cell, sizeof(cell), "\n| `%s` | ", verb_row(verb)->word);
        assert_non_null(strstr(text, cell));
    }
    for (enum measure measure = 0; measure < MEASURE_COUNT; measure++) {
        snprintf(cell, sizeof(cell), "\n| `%s` | %s | ", measure_row(measure)->word,
                 measure_unit_word(measure_row(measure)->unit));
        assert_non_null(strstr(text, cell));
    }
    free(text);
}

static void the_reference_page_tells_defaults_and_ranges(void **state)
{
    char *text = print(schema_markdown, SCHEMA_TOPOLOGY);
    (void)state;

    assert_non_null(
        strstr(text, "| `port-buffer` | size, 16 KiB to 1 GiB | 512 KiB | queue of each port"));
    assert_non_null(strstr(text, "| `mtu` | number, 576 to 16000 | 1500 | "));
    assert_non_null(strstr(text, "\n## section 'multipath'\n"));
    const char *first = strstr(text, "\n## NIC\n");
    assert_non_null(first);
    assert_null(strstr(first + 1, "\n## NIC\n")); /* once, not per owner */
    free(text);
}

static void kinds_are_found_by_their_word(void **state)
{
    (void)state;

    assert_int_equal(schema_kind_find("profile"), SCHEMA_PROFILE);
    assert_int_equal(schema_kind_find("profiles"), SCHEMA_KIND_COUNT);
}

int main(void)
{
    TEST(each_schema_is_well_formed);
    TEST(a_schema_says_what_the_checker_says);
    TEST(the_reference_page_names_every_verb_and_measure);
    TEST(the_reference_page_tells_defaults_and_ranges);
    TEST(kinds_are_found_by_their_word);
    return TEST_RUN("lab.schema_json");
}
