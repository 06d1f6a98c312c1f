#include "tests/test.h"

#include "lab/document.h"
#include "tests/lab/files.h"

/* Parses 'text', which must be good. */
struct parsed {
    struct file_set files;
    struct errors *errors;
    struct document *document;
};

static struct parsed parse(const char *text)
{
    struct parsed parsed = {.errors = mem_new(sizeof(struct errors))};

    file_set_init(&parsed.files, NULL);
    errors_init(parsed.errors);
    parsed.document = document_parse(file_set_keep(&parsed.files, "x.yaml", text), parsed.errors);
    return parsed;
}

static void forget(struct parsed *parsed)
{
    document_free(parsed->document);
    errors_fini(parsed->errors);
    file_set_fini(&parsed->files);
    free(parsed->errors);
}

static void keeps_texts_as_they_stand_there(void **state)
{
    struct parsed parsed = parse("a: on\nb: 012\nc: 'it''s'\nd: [1, {e: \"\\u00e4\"}]\nf:\n");
    const struct node *root = parsed.document->root;
    (void)state;

    assert_string_equal(node_get(root, "a")->text, "on");
    assert_string_equal(node_get(root, "b")->text, "012");
    assert_string_equal(node_get(root, "c")->text, "it's");
    assert_true(node_get(root, "c")->is_quoted);
    assert_int_equal(node_get(root, "d")->child_count, 2);
    assert_string_equal(node_get(node_get(root, "d")->last, "e")->text, "\303\244");
    assert_string_equal(node_get(root, "f")->text, "");
    assert_null(node_get(root, "g"));
    assert_int_equal(parsed.errors->error_count, 0);
    forget(&parsed);
}

static void knows_places_in_bytes_whatever_the_line_ends(void **state)
{
    struct parsed parsed = parse("\303\244: 1\r\nb:\r\n  - {c: \303\266, d: 2}\r\n");
    const struct node *item = node_get(parsed.document->root, "b")->first;
    (void)state;

    assert_int_equal(node_get(parsed.document->root, "\303\244")->column, 5);
    assert_int_equal(item->line, 3);
    assert_int_equal(item->column, 5);
    assert_int_equal(node_get(item, "d")->key->column, 13);
    assert_int_equal(node_get(item, "d")->column, 16);
    forget(&parsed);
}

static void a_copy_can_be_changed_alone(void **state)
{
    struct parsed parsed = parse("a: {b: 1, c: 2}\n");
    struct parsed other = parse("x: 3\n");
    const struct node *from = parsed.document->root;
    (void)state;

    struct node *copy = document_copy(other.document, from);
    document_set(other.document, copy->first, "c",
                 document_copy(other.document, other.document->root->first), copy);
    document_set(other.document, copy->first, "d",
                 document_copy(other.document, other.document->root->first), copy);
    assert_string_equal(node_get(node_get(copy, "a"), "c")->text, "3");
    assert_string_equal(node_get(node_get(copy, "a"), "d")->text, "3");
    assert_int_equal(copy->first->child_count, 3);
    assert_string_equal(node_get(node_get(from, "a"), "c")->text, "2");
    assert_null(node_get(node_get(from, "a"), "d"));
    forget(&parsed);
    forget(&other);
}

static void shows_twenty_errors_and_counts_the_others(void **state)
{
    char text[31 * 8 + 1] = "";
    (void)state;

    for (int i = 0; i < 31; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%02d: *x\n", i);
    struct parsed parsed = parse(text);
    char *shown = printed(parsed.errors);

    assert_int_equal(parsed.errors->error_count, 31);
    assert_non_null(strstr(shown, "x.yaml:20:6: error"));
    assert_null(strstr(shown, "x.yaml:21:6: error"));
    assert_non_null(strstr(shown, "\nand 11 more\n"));
    free(shown);
    forget(&parsed);
}

/* Hostile files of a megabyte: what matters is that each of these ends at once. */
static struct hostile_row {
    const char *name;
    const char *head;
    const char *unit; /* repeated to fill a megabyte */
    bool is_good;
} hostile_rows[] = {
    {"a megabyte of brackets", "", "[", false},
    {"a megabyte of braces", "", "{a: ", false},
    {"a megabyte of aliases in one line", "a: [", "*x,", false},
    {"a megabyte of the same key", "", "a: 1\n", false},
    {"a megabyte in one list of one line", "[", "1,", false},
    {"a megabyte of quotes", "", "\"", false},
    {"a megabyte of anchors", "", "&a ", false},
    {"a megabyte of question marks", "", "? ", false},
    {"a megabyte of dashes", "", "- ", false},
    {"a megabyte of items", "", "- 1\n", true},
    {"a megabyte of comments", "a: 1\n", "#\n", true},
};

static void survives_a_megabyte(void **state)
{
    const struct hostile_row *row = *state;
    size_t most = FILE_MOST_BYTES - 8, used = strlen(row->head);
    char *text = mem_new(FILE_MOST_BYTES + 1);

    memcpy(text, row->head, used);
    for (; used + strlen(row->unit) <= most; used += strlen(row->unit))
        memcpy(text + used, row->unit, strlen(row->unit));
    struct parsed parsed = parse(text);
    char *shown = printed(parsed.errors);

    assert_int_equal(parsed.errors->error_count == 0, row->is_good);
    assert_true(strlen(shown) < 20000);
    free(shown);
    free(text);
    forget(&parsed);
}

static void refuses_more_than_a_megabyte(void **state)
{
    char *text = mem_new(FILE_MOST_BYTES + 2);
    (void)state;

    memset(text, '#', FILE_MOST_BYTES + 1);
    struct parsed parsed = parse(text);
    char *shown = printed(parsed.errors);

    assert_string_equal(shown, "x.yaml: error: the file is longer than 1 MiB\n"
                               "      = help: split it, or use 'count' for hosts that are alike\n");
    assert_null(parsed.document->root);
    free(shown);
    free(text);
    forget(&parsed);
}

static struct path_row {
    const char *name;
    const char *from;
    const char *path;
    const char *expected;
} path_rows[] = {
    {"a neighbour", "scenarios/a.yaml", "b.yaml", "scenarios/b.yaml"},
    {"a folder up", "scenarios/a.yaml", "../topologies/b.yaml", "topologies/b.yaml"},
    {"two folders up", "x/y/z/a.yaml", "../../b.yaml", "x/b.yaml"},
    {"above where we are", "a.yaml", "../b.yaml", "../b.yaml"},
    {"above above", "../x/a.yaml", "../../b.yaml", "../../b.yaml"},
    {"an absolute path", "scenarios/a.yaml", "/t/b.yaml", "/t/b.yaml"},
    {"from an absolute path", "/s/a.yaml", "../b.yaml", "/b.yaml"},
};

static void looks_beside_the_file(void **state)
{
    const struct path_row *row = *state;
    char *path = path_beside(row->from, row->path);

    assert_string_equal(path, row->expected);
    free(path);
}

int main(void)
{
    TEST(keeps_texts_as_they_stand_there);
    TEST(knows_places_in_bytes_whatever_the_line_ends);
    TEST(a_copy_can_be_changed_alone);
    TEST(shows_twenty_errors_and_counts_the_others);
    TEST_ROWS(hostile_rows, survives_a_megabyte);
    TEST(refuses_more_than_a_megabyte);
    TEST_ROWS(path_rows, looks_beside_the_file);
    return TEST_RUN("lab.document");
}
