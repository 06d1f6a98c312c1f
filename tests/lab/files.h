/* What the tests of file loading share: a small SAN and a scenario in memory, changed at one place,
 * loaded, and the errors as a person would see them. Profiles come from the source tree.
 */
#pragma once

#include "lab/scenario.h"
#include "sim/core/mem.h"
#include "tests/lab/small_san.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Serves 't.yaml' and 's.yaml' from memory, profiles from 'profile' or the source tree. */
struct test_reader {
    struct file_reader reader;
    const char *topology;
    const char *scenario;
    const char *profile; /* of windows-server-2022; NULL: the shipped one */
};

static inline enum status test_read(const struct file_reader *reader, const char *path,
                                    char **ret_text, size_t *ret_bytes, struct error *err)
{
    const struct test_reader *test = (const struct test_reader *)reader;
    const char *text = NULL;
    char full[512];

    if (strcmp(path, "t.yaml") == 0)
        text = test->topology;
    else if (strcmp(path, "s.yaml") == 0)
        text = test->scenario;
    else if (strcmp(path, "profiles/windows-server-2022.yaml") == 0)
        text = test->profile;
    if (text) {
        *ret_text = mem_text(text);
        *ret_bytes = strlen(text);
        return OK;
    }
    snprintf(full, sizeof(full), "%s/topologies/%s", SOURCE_DIR, path);

    enum status status =
        file_reader_disk()->read(file_reader_disk(), full, ret_text, ret_bytes, err);
    if (status != OK)
        error_set(err, status, (struct source_pos){.file = NULL}, "cannot read '%s'", path);
    return status;
}

static inline struct test_reader test_reader_of(const char *topology, const char *scenario)
{
    return (struct test_reader){
        .reader = {.read = test_read}, .topology = topology, .scenario = scenario};
}

/* 'text' with its only 'find' replaced: the caller's to free. */
static inline char *replaced(const char *text, const char *find, const char *with)
{
    const char *at = strstr(text, find);

    assert_non_null(at);
    assert_null(strstr(at + 1, find)); /* else the row does not say what it changes */

    size_t before = (size_t)(at - text);
    size_t bytes = strlen(text) - strlen(find) + strlen(with) + 1;
    char *result = mem_new(bytes);

    snprintf(result, bytes, "%.*s%s%s", (int)before, text, with, at + strlen(find));
    return result;
}

/* The errors as printed: the caller's to free. */
static inline char *printed(struct errors *errors)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    assert_non_null(to);
    errors_print(errors, to);
    fclose(to);
    return text;
}

/* Loads the scenario over the topology; asserts that it prints exactly 'expected'. */
static inline void expect_errors(const struct test_reader *reader, const char *const *overrides,
                                 size_t override_count, const char *expected)
{
    struct errors *errors = mem_new(sizeof(*errors));

    errors_init(errors);
    struct scenario_set *set =
        scenario_load("s.yaml", overrides, override_count, &reader->reader, errors);
    char *text = printed(errors);

    if (getenv("PRINT_ERRORS"))
        printf("<<<%s>>>\n", text);
    else
        assert_string_equal(text, expected);
    assert_int_equal(set == NULL, errors->error_count > 0);
    free(text);
    scenario_free(set);
    errors_fini(errors);
    free(errors);
}
