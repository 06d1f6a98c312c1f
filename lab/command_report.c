/* iscsilab report: draws what a run measured. */
#include "lab/command.h"
#include "lab/options.h"
#include "lab/results_db.h"
#include "lab/timeline_plot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] = "usage: iscsilab report [--db FILE] [--run ID] [--out DIR]\n"
                           "\n"
                           "Draws the timeline of a run as PNG and SVG.\n"
                           "\n"
                           "  --db FILE   result file (results/lab.db)\n"
                           "  --run ID    which run (the last one)\n"
                           "  --out DIR   where to (results)\n";

static int64_t last_run(const struct results *results)
{
    sqlite3_stmt *row = NULL;
    int64_t run_id = 0;

    if (sqlite3_prepare_v2(results->sqlite, "SELECT max(run_id) FROM run", -1, &row, NULL) ==
            SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        run_id = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return run_id;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "error: %s\n", err->text);
    if (err->help[0])
        fprintf(stderr, "  = help: %s\n", err->help);
    return EXIT_FILE;
}

static int draw(const char *db, int64_t run_id, const char *out)
{
    struct results results;
    struct error err;
    char stem[4096];

    if (results_open_to_read(db, &results, &err) != OK)
        return fail(&err);
    if (run_id == 0)
        run_id = last_run(&results);
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        fprintf(stderr, "warning: cannot make the folder '%s': %s\n", out, strerror(errno));
    snprintf(stem, sizeof(stem), "%s/run-%lld-timeline", out, (long long)run_id);
    enum status status = timeline_plot(&results, run_id, stem, &err);
    results_close(&results);
    if (status != OK)
        return status == ERR_SYSTEM ? (fail(&err), 7) : fail(&err);
    printf("%s.png\n%s.svg\n", stem, stem);
    return 0;
}

int report_command(int argc, char **argv)
{
    static const struct option options[] = {{"db", required_argument, NULL, 'd'},
                                            {"run", required_argument, NULL, 'r'},
                                            {"out", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *db = RESULTS_DEFAULT;
    const char *out = "results";
    int64_t run_id = 0;
    char *end;
    int option;

    while ((option = options_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case 'd':
            db = optarg;
            break;
        case 'r':
            run_id = strtoll(optarg, &end, 10);
            if (run_id < 1 || *end != '\0') {
                fprintf(stderr, "error: --run wants the number of a run, not '%s'\n", optarg);
                return EXIT_USAGE;
            }
            break;
        case 'o':
            out = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        case ':':
            fprintf(stderr, "error: a value is missing after '%s'\n", argv[optind - 1]);
            return EXIT_USAGE;
        default:
            fputs(help, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "error: report takes no '%s'\n", argv[optind]);
        return EXIT_USAGE;
    }
    return draw(db, run_id, out);
}
