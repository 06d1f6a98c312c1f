/* iscsilab schema: what may stand in a kind of file, for editors and for people. */
#include "lab/command.h"
#include "lab/schema_json.h"
#include "lab/schema_markdown.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char help[] = "usage: iscsilab schema topology|scenario|profile [--markdown]\n"
                           "\n"
                           "Prints the JSON Schema of a kind of file, or its reference page.\n";

int schema_command(int argc, char **argv)
{
    bool is_markdown = argc == 3 && strcmp(argv[2], "--markdown") == 0;

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    enum schema_kind kind = argc >= 2 ? schema_kind_find(argv[1]) : SCHEMA_KIND_COUNT;
    if (kind == SCHEMA_KIND_COUNT || (argc > 2 && !is_markdown)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (is_markdown)
        schema_markdown(kind, stdout);
    else
        schema_json(kind, stdout);
    return 0;
}
