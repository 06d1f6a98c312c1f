/* iscsilab: an iSCSI SAN in one process, broken and measured. The command line begins here. */
#include "lab/command.h"
#include "lab/run_one.h"
#include "sim/core/attributes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"run", run_command, "run, record, judge scenario files"},
    {"check", check_command, "validate topology, scenario and profile files"},
    {"report", report_command, "draw what a run measured"},
    {"serve", serve_command, "put an array on real TCP ports, for real initiators"},
    {"ping", ping_command, "the jumbo-frame check over the simulated fabric"},
    {"live", live_command, "a fabric in real time, with ports for real hosts"},
    {"ctl", ctl_command, "a step, said to a SAN that runs"},
    {"schema", schema_command, "print the JSON Schema of a kind of file, for editors"},
};

static void help(FILE *to)
{
    fputs("usage: iscsilab COMMAND [ARGUMENT...]\n\n", to);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].about);
    fputs("\n'iscsilab COMMAND --help' says more.\n"
          "exit codes: 0 met, 1 not met, 2 command line, 3 file, 4 rule broken, 5 no verdict,\n"
          "            6 digest differs, 7 machine, 70 our bug, 130 interrupted\n",
          to);
}

static int run(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                      strcmp(argv[1], "help") == 0)) {
        help(stdout);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        puts("iscsilab " ISCSILAB_VERSION);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "error: there is no command '%s'\n", argv[1]);
    help(stderr);
    return EXIT_USAGE;
}

/* Results that did not arrive are no results: a full disk shows here, or in an earlier write. */
int main(int argc, char **argv)
{
    int code = run(argc, argv);
    bool was_bad = ferror(stdout);

    if (fflush(stdout) == 0 && !was_bad)
        return code;
    fprintf(stderr, "error: cannot write to standard output: %s\n", strerror(errno));
    return code == EXIT_ASSERTION ? code : EXIT_MACHINE;
}
