/* What the small YAML refuses, and how the place is shown. */
#include "tests/test.h"

#include "lab/document.h"
#include "tests/lab/files.h"

static struct row {
    const char *name;
    const char *text;
    const char *expected;
} rows[] = {
    {"an anchor", "a: &x 1\n",
     "x.yaml:1:4: error: anchors ('&x') are not used here\n"
     "    1 | a: &x 1\n"
     "      |    ^^^^\n"
     "      = help: write the value out where it is needed\n"},
    {"an alias", "a: *x\n",
     "x.yaml:1:4: error: aliases ('*x') are not used here\n"
     "    1 | a: *x\n"
     "      |    ^^\n"
     "      = help: write the value out where it is needed\n"},
    {"a tag", "a: !!str 1\n",
     "x.yaml:1:4: error: tags ('tag:yaml.org,2002:str') are not used here\n"
     "    1 | a: !!str 1\n"
     "      |    ^^^^^^^\n"
     "      = help: leave it out: the format knows the type of each value\n"},
    {"a merge key", "a: {<<: {b: 1}}\n",
     "x.yaml:1:5: error: merge keys ('<<') are not used here\n"
     "    1 | a: {<<: {b: 1}}\n"
     "      |     ^^\n"
     "      = help: write the values out where they are needed\n"},
    {"a key that is no word",
     "? [a, b]\n"
     ": 1\n",
     "x.yaml:1:3: error: a key must be a plain word\n"
     "    1 | ? [a, b]\n"
     "      |   ^\n"
     "      = help: write 'name: ...'\n"},
    {"a key twice",
     "a: 1\n"
     "b: 2\n"
     "a: 3\n",
     "x.yaml:3:1: error: 'a' is here twice\n"
     "    3 | a: 3\n"
     "      | ^\n"
     "      = help: it is first in line 1; keep one of them\n"},
    {"a key twice in flow style", "{a: 1, b: {c: 1, c: 2}}\n",
     "x.yaml:1:18: error: 'c' is here twice\n"
     "    1 | {a: 1, b: {c: 1, c: 2}}\n"
     "      |                  ^\n"
     "      = help: it is first in line 1; keep one of them\n"},
    {"a second document",
     "a: 1\n"
     "---\n"
     "b: 2\n",
     "x.yaml:2:1: error: a second document begins here\n"
     "    2 | ---\n"
     "      | ^^^\n"
     "      = help: keep one document per file\n"},
    {"an empty file", "",
     "x.yaml:1:1: error: the file is empty\n"
     "      = help: begin with 'kind: scenario', 'kind: topology' or 'kind: profile'\n"},
    {"a file of comments only", "# nothing\n",
     "x.yaml:1:1: error: the file is empty\n"
     "      = help: begin with 'kind: scenario', 'kind: topology' or 'kind: profile'\n"},
    {"a bracket that is not closed",
     "a: [1, 2\n"
     "b: 3\n",
     "x.yaml:2:2: error: no YAML: did not find expected ',' or ']'\n"
     "    2 | b: 3\n"
     "      |  ^\n"
     "      = help: while parsing a flow sequence from line 1; check indentation, brackets and "
     "quotes above\n"},
    {"a tab as indentation",
     "a:\n"
     "\tb: 1\n",
     "x.yaml:2:1: error: no YAML: found character that cannot start any token\n"
     "    2 |  b: 1\n"
     "      | ^\n"
     "      = help: indent with spaces, not tabs; put quotes around text that begins with @, ` or "
     "%\n"},
    {"bytes that are no UTF-8", "a: \377\n",
     "x.yaml:1:4: error: no YAML: invalid leading UTF-8 octet\n"
     "    1 | a: ?\n"
     "      |    ^\n"
     "      = help: save the file as UTF-8 text without control characters\n"},
    {"a control character", "a: \001\n",
     "x.yaml:1:4: error: no YAML: control characters are not allowed\n"
     "    1 | a: ?\n"
     "      |    ^\n"
     "      = help: save the file as UTF-8 text without control characters\n"},
    {"a NUL in quotes", "a: \"x\\0y\"\n",
     "x.yaml:1:4: error: a value may not contain a NUL character\n"
     "    1 | a: \"x\\0y\"\n"
     "      |    ^^^^^^\n"
     "      = help: leave out the '\\0'\n"},
    {"a tag directive",
     "%TAG ! tag:example.com,2026:\n"
     "---\n"
     "a: 1\n",
     "x.yaml:1:1: error: tag directives ('%TAG') are not used here\n"
     "    1 | %TAG ! tag:example.com,2026:\n"
     "      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: leave the line out\n"},
    {"too deep a nest",
     "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
     "x.yaml:1:35: error: nested deeper than 32 levels\n"
     "    1 | a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"
     "      |                                   ^\n"
     "      = help: no file of iscsilab needs that: look for a stray bracket\n"},
    {"columns count bytes and carets characters", "\303\244\303\244: &x 1\n",
     "x.yaml:1:7: error: anchors ('&x') are not used here\n"
     "    1 | \303\244\303\244: &x 1\n"
     "      |     ^^^^\n"
     "      = help: write the value out where it is needed\n"},
    {"a long line is cut around its fault",
     "{k0: 1, k1: 1, k2: 1, k3: 1, k4: 1, k5: 1, k6: 1, k7: 1, k8: 1, k9: 1, k10: 1, k11: 1, k12: "
     "1, k13: 1, k14: 1, k15: 1, k16: 1, k17: 1, k18: 1, k19: 1, k20: 1, k21: 1, k22: 1, k23: 1, "
     "k24: 1, k25: 1, k26: 1, k27: 1, k28: 1, k29: 1, k30: 1, k31: 1, k32: 1, k33: 1, k34: 1, k35: "
     "1, k36: 1, k37: 1, k38: 1, k39: 1, k40: 1, k41: 1, k42: 1, k43: 1, k44: 1, k45: 1, k46: 1, "
     "k47: 1, k48: 1, k49: 1, k50: 1, k51: 1, k52: 1, k53: 1, k54: 1, k55: 1, k56: 1, k57: 1, k58: "
     "1, k59: 1, k30: 2}\n",
     "x.yaml:1:472: error: 'k30' is here twice\n"
     "    1 | ...k55: 1, k56: 1, k57: 1, k58: 1, k59: 1, k30: 2}\n"
     "      |                                            ^^^\n"
     "      = help: it is first in line 1; keep one of them\n"},
};

static void tells_what_is_wrong(void **state)
{
    const struct row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;

    file_set_init(&files, NULL);
    errors_init(errors);
    struct document *document = document_parse(file_set_keep(&files, "x.yaml", row->text), errors);
    char *text = printed(errors);

    if (getenv("PRINT_ERRORS"))
        printf("<<<%s>>>\n", text);
    else
        assert_string_equal(text, row->expected);
    free(text);
    document_free(document);
    errors_fini(errors);
    file_set_fini(&files);
    free(errors);
}

int main(void)
{
    TEST_ROWS(rows, tells_what_is_wrong);
    return TEST_RUN("lab.document_refusals");
}
