/* iscsilab ctl: one line for a program that runs, and its answer. */
#include "lab/command.h"
#include "lab/line_server.h"
#include "lab/run_one.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: iscsilab ctl SOCKET 'STEP'\n"
    "\n"
    "Says one line to 'iscsilab live' or 'serve' with '--ctl SOCKET', and prints the answer.\n"
    "A step is written as in a scenario: 'power-off: switch-1'. 'help' lists\n"
    "what else can be said.\n";

int ctl_command(int argc, char **argv)
{
    struct error err = {0};

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc != 3) {
        fputs("error: ctl wants a socket and one step\n", stderr);
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    bool fits = line_client_fits(argv[2]);
    int code = line_client_ask(argv[1], argv[2], stdout, stderr, &err);

    if (code >= 0)
        return code;
    fprintf(stderr, "error: %s\n", err.text);
    if (err.help[0])
        fprintf(stderr, "  = help: %s\n", err.help);
    return fits ? EXIT_MACHINE : EXIT_USAGE;
}
