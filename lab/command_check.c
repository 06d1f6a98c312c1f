/* iscsilab check: validates topology, scenario and profile files without running anything. */
#include "lab/command.h"
#include "lab/errors.h"
#include "lab/scenario.h"

#include <stdio.h>
#include <string.h>

static const char help[] = "usage: iscsilab check FILE...\n"
                           "\n"
                           "Validates scenario files, with the topologies and profiles that they\n"
                           "name, and topology files.\n";

/* What a file is, it says itself: 'kind: topology'. A line is enough to tell. */
static bool is_topology(const char *path)
{
    const struct source *source;
    struct file_set files;
    struct error err;
    bool is_found = false;

    file_set_init(&files, file_reader_disk());
    if (file_set_read(&files, path, &source, &err) == OK) { /* else the loading tells */
        for (const char *line = source->text; line && !is_found; line = strchr(line, '\n')) {
            line += *line == '\n';
            is_found = strncmp(line, "kind:", 5) == 0 &&
                       strncmp(line + 5 + strspn(line + 5, " \t"), "topology", 8) == 0;
        }
    }
    file_set_fini(&files);
    return is_found;
}

static void check_topology(const char *path, struct errors *errors)
{
    struct file_set files;

    file_set_init(&files, file_reader_disk());
    topology_free(topology_load(path, &files, errors));
    file_set_fini(&files);
}

int check_command(int argc, char **argv)
{
    struct errors errors;

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc < 2 || argv[1][0] == '-') {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    errors_init(&errors);
    for (int i = 1; i < argc; i++) {
        if (is_topology(argv[i]))
            check_topology(argv[i], &errors);
        else
            scenario_free(scenario_load(argv[i], NULL, 0, NULL, &errors));
    }
    bool is_good = errors.error_count == 0;
    errors_print(&errors, stderr);
    errors_fini(&errors);
    if (is_good)
        printf("%d file%s checked, nothing wrong\n", argc - 1, argc == 2 ? "" : "s");
    return is_good ? 0 : EXIT_FILE;
}
