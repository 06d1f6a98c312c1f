/* The scenario is a text of a few lines, read like any other; everything else comes from disk. */
#include "lab/bare_scenario.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "command line"

struct bare_reader {
    struct file_reader reader;
    char *text; /* owned */
};

static enum status read_bare(const struct file_reader *reader, const char *path, char **ret_text,
                             size_t *ret_bytes, struct error *err)
{
    const struct bare_reader *bare = (const void *)reader;

    static_assert(offsetof(struct bare_reader, reader) == 0, "the reader stands first");
    if (strcmp(path, NAME) != 0)
        return file_reader_disk()->read(file_reader_disk(), path, ret_text, ret_bytes, err);
    *ret_text = mem_text(bare->text);
    *ret_bytes = strlen(bare->text);
    return OK;
}

/* The path in single quotes, as YAML has them: a quote in it is doubled. */
static char *text_for(const char *topology_path)
{
    static const char head[] = "kind: scenario\nformat: 1\nname: command-line\nrun-for: 3600 s\n"
                               "topology: '";
    char *text = mem_array(sizeof(head) + 2 * strlen(topology_path) + 4, 1);
    char *end = text + sizeof(head) - 1;

    memcpy(text, head, sizeof(head));
    for (const char *c = topology_path; *c; c++) {
        if (*c == '\'')
            *end++ = '\'';
        *end++ = *c;
    }
    memcpy(end, "'\n", 3);
    return text;
}

struct scenario_set *bare_scenario_load(const char *topology_path, const char *const *overrides,
                                        size_t override_count, struct errors *errors)
{
    struct bare_reader reader = {.reader = {read_bare}};
    struct error err = {0};
    char *text;
    size_t bytes;

    if (file_reader_disk()->read(file_reader_disk(), topology_path, &text, &bytes, &err) != OK) {
        struct error *told =
            errors_add(errors, (struct text_span){.pos = {.file = NULL}}, NULL, 0, "%s", err.text);

        error_help(told, "%s", err.help[0] ? err.help : "name a topology file");
        return NULL;
    }
    free(text);
    reader.text = text_for(topology_path);
    struct scenario_set *set =
        scenario_load(NAME, overrides, override_count, &reader.reader, errors);

    free(reader.text);
    if (set)
        set->files.reader = NULL; /* everything is read */
    return set;
}
