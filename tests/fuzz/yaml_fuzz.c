/* Any bytes as a file: the parser alone, or as topology, scenario, profile or override among good
 * ones. Whatever is wrong must be told, and what is told must be printable. */
#include "lab/document.h"
#include "lab/overrides.h"
#include "lab/scenario.h"
#include "sim/core/mem.h"
#include "tests/lab/small_san.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum role { AS_DOCUMENT, AS_TOPOLOGY, AS_SCENARIO, AS_PROFILE, AS_OVERRIDE, ROLE_COUNT };

struct fuzz_reader {
    struct file_reader reader;
    enum role role;
    const uint8_t *data;
    size_t size;
};

static enum status read_text(const struct file_reader *reader, const char *path, char **ret_text,
                             size_t *ret_bytes, struct error *err)
{
    const struct fuzz_reader *fuzz = (const struct fuzz_reader *)reader;
    bool is_scenario = strcmp(path, "s.yaml") == 0;
    bool is_topology = strcmp(path, "t.yaml") == 0;
    bool is_mine = is_scenario   ? fuzz->role == AS_SCENARIO
                   : is_topology ? fuzz->role == AS_TOPOLOGY
                                 : fuzz->role == AS_PROFILE;

    if (is_mine) {
        *ret_text = mem_new(fuzz->size + 1);
        if (fuzz->size > 0)
            memcpy(*ret_text, fuzz->data, fuzz->size);
        *ret_bytes = fuzz->size;
        return OK;
    }
    if (is_scenario || is_topology) {
        *ret_text = mem_text(is_scenario ? good_scenario : good_topology);
        *ret_bytes = strlen(*ret_text);
        return OK;
    }
    if (strncmp(path, "profiles/", 9) == 0 && !strchr(path + 9, '/')) {
        char full[512];

        snprintf(full, sizeof(full), "%s/topologies/%s", SOURCE_DIR, path);
        return file_reader_disk()->read(file_reader_disk(), full, ret_text, ret_bytes, err);
    }
    return error_set(err, ERR_INPUT, (struct source_pos){.file = NULL}, "no file '%s'", path);
}

/* Printed errors are text for a terminal, whatever the file holds. */
static void print(struct errors *errors)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    errors_print(errors, to);
    fclose(to);
    if (bytes > 100000)
        abort();
    free(text);
}

static void parse_alone(const uint8_t *data, size_t size, struct errors *errors)
{
    char *text = mem_new(size + 1);
    struct source source = {.name = text, .text = text, .bytes = size};

    memcpy(text, data, size);
    source.name = mem_text("x.yaml");
    document_free(document_parse(&source, errors));
    print(errors);
    free(source.name);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errors *errors = mem_new(sizeof(*errors));

    errors_init(errors);
    if (size > 1) {
        struct fuzz_reader reader = {.reader = {.read = read_text},
                                     .role = data[0] % ROLE_COUNT,
                                     .data = data + 1,
                                     .size = size - 1};
        char *text = mem_new(size);
        const char *override = text;

        memcpy(text, data + 1, size - 1);
        if (reader.role == AS_DOCUMENT) {
            parse_alone(data + 1, size - 1, errors);
        } else {
            struct scenario_set *set = scenario_load(
                "s.yaml", &override, reader.role == AS_OVERRIDE, &reader.reader, errors);

            if ((set != NULL) == (errors->error_count > 0))
                abort();
            print(errors);
            scenario_free(set);
        }
        free(text);
    }
    errors_fini(errors);
    free(errors);
    return 0;
}
