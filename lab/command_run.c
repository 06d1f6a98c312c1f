/* iscsilab run: all files are checked, then every variant of every scenario runs in a process of
 * its own; this one writes the results, shows them and says how it went. */
#include "lab/command.h"
#include "lab/junit.h"
#include "lab/options.h"
#include "lab/quantity.h"
#include "lab/results_db.h"
#include "lab/run_one.h"
#include "lab/show.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: iscsilab run SCENARIO... [OPTION...]\n"
    "\n"
    "Runs scenario files, records what happened and judges it.\n"
    "\n"
    "  --db FILE          result file (results/lab.db)\n"
    "  --seed N           another seed than the scenario's\n"
    "  --set KEY=VALUE    another setting: switches.switch-2.mtu=1500, run-for='20 s'\n"
    "  --pcap DIR         a capture per run, for Wireshark\n"
    "  --pcap-of PARTS    captures these only: hv1.iscsi1,switch-1.24,san1 (all NICs)\n"
    "  --pcap-rotate SIZE a new file each time one holds so much: 100MiB\n"
    "  --junit FILE       verdicts for continuous integration\n"
    "  -j N               runs at the same time (as many as there are processors)\n"
    "  --quiet            no story per run, only the last lines\n";

#define LEAST_ROTATE_BYTES 65536

struct plan {
    /* From the command line. */
    const char *db;
    const char *pcap;
    struct capture_plan capture;
    const char *junit;
    const char **overrides; /* owned array */
    size_t override_count;
    long parallel;
    bool is_quiet;
    char seed[64]; /* "seed=N" */
    int scenario_count;
    char **scenarios;

    /* Loaded. */
    struct scenario_set **sets; /* owned, one per scenario file */
    struct job *jobs;
    struct run_one_options *runs;
    size_t run_count;

    /* Results. */
    struct results results;
    int64_t *run_ids; /* of those that were recorded */
    size_t recorded;
    int exit_code;
};

/* Of several runs, the first of these that occurred. */
static const int severities[] = {EXIT_ASSERTION, EXIT_MACHINE,    EXIT_DIGEST,
                                 EXIT_BROKEN,    EXIT_NO_VERDICT, EXIT_NOT_MET};

static int worse_of(int a, int b)
{
    for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
        if (a == severities[i] || b == severities[i])
            return severities[i];
    return a;
}

/* The command line. */

static bool parse_number(const char *text, long least, long most, long *ret_number)
{
    char *end;

    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

static void add_override(struct plan *plan, const char *text)
{
    plan->overrides =
        mem_resize(plan->overrides, plan->override_count + 1, sizeof(*plan->overrides));
    plan->overrides[plan->override_count++] = text;
}

static int usage(const char *problem, const char *value)
{
    fprintf(stderr, "error: %s '%s'\n       'iscsilab run --help' shows what there is\n", problem,
            value);
    return EXIT_USAGE;
}

/* The range of the scenario's own 'seed'. */
static bool is_seed(const char *text)
{
    errno = 0;
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    return strtoull(text, NULL, 10) <= INT64_MAX && errno == 0;
}

static int parse_options(struct plan *plan, int argc, char **argv)
{
    static const struct option options[] = {{"db", required_argument, NULL, 'd'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"set", required_argument, NULL, 'e'},
                                            {"pcap", required_argument, NULL, 'p'},
                                            {"pcap-of", required_argument, NULL, 'o'},
                                            {"pcap-rotate", required_argument, NULL, 'r'},
                                            {"junit", required_argument, NULL, 'u'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    plan->parallel = sysconf(_SC_NPROCESSORS_ONLN);
    if (plan->parallel < 1)
        plan->parallel = 1;
    while ((option = options_next(argc, argv, ":j:qh", options)) != -1) {
        switch (option) {
        case 'd':
            plan->db = optarg;
            break;
        case 's':
            if (!is_seed(optarg))
                return usage("--seed wants a number from 0 to 9223372036854775807, not", optarg);
            snprintf(plan->seed, sizeof(plan->seed), "seed=%s", optarg);
            add_override(plan, plan->seed);
            break;
        case 'e':
            if (!strchr(optarg, '='))
                return usage("--set wants KEY=VALUE, not", optarg);
            add_override(plan, optarg);
            break;
        case 'p':
            plan->pcap = optarg;
            break;
        case 'o':
            plan->capture.parts = optarg;
            break;
        case 'r':
            if (quantity_parse(optarg, QUANTITY_SIZE, &plan->capture.rotate_bytes) !=
                    QUANTITY_FINE ||
                plan->capture.rotate_bytes < LEAST_ROTATE_BYTES)
                return usage("--pcap-rotate wants a size of at least 64 KiB, not", optarg);
            break;
        case 'u':
            plan->junit = optarg;
            break;
        case 'q':
            plan->is_quiet = true;
            break;
        case 'j':
            if (!parse_number(optarg, 1, 1024, &plan->parallel))
                return usage("-j wants a number from 1 to 1024, not", optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        case ':':
            return usage("a value is missing after", argv[optind - 1]);
        default:
            return usage("unknown option", argv[optind - 1]);
        }
    }
    if (!plan->pcap && (plan->capture.parts || plan->capture.rotate_bytes))
        return usage("--pcap-of and --pcap-rotate want", "--pcap DIR");
    plan->scenarios = argv + optind;
    plan->scenario_count = argc - optind;
    if (plan->scenario_count == 0) {
        fputs("error: which scenario? Name one or more files\n", stderr);
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    return 0;
}

/* Loading. */

static int load_all(struct plan *plan)
{
    struct errors errors;

    errors_init(&errors);
    plan->sets = mem_array((size_t)plan->scenario_count, sizeof(struct scenario_set *));
    for (int i = 0; i < plan->scenario_count; i++) {
        plan->sets[i] =
            scenario_load(plan->scenarios[i], plan->overrides, plan->override_count, NULL, &errors);
        if (plan->sets[i])
            plan->run_count += plan->sets[i]->scenario_count;
    }
    size_t error_count = errors.error_count;
    errors_print(&errors, stderr);
    errors_fini(&errors);
    return error_count ? EXIT_FILE : 0;
}

/* The parts to capture are in the topology of every run. */
static int check_captures(const struct plan *plan)
{
    struct error err = {0};

    for (int i = 0; i < plan->scenario_count; i++) {
        for (size_t v = 0; v < plan->sets[i]->scenario_count; v++) {
            if (capture_plan_check(&plan->capture, plan->sets[i]->scenarios[v]->topology, &err))
                continue;
            fprintf(stderr, "error: %s\n  = help: %s\n", err.text, err.help);
            return EXIT_USAGE;
        }
    }
    return 0;
}

/* Of all runs of this call, those of this scenario: how many there are, and how many come before
 * run 'index'. Variants count, and so does a scenario that is named twice. */
static size_t count_namesakes(const struct plan *plan, const char *name, size_t index,
                              size_t *ret_before)
{
    size_t count = 0;
    size_t n = 0;

    *ret_before = 0;
    for (int i = 0; i < plan->scenario_count; i++) {
        for (size_t v = 0; v < plan->sets[i]->scenario_count; v++, n++) {
            bool is_namesake = strcmp(plan->sets[i]->scenarios[v]->name, name) == 0;

            count += is_namesake;
            *ret_before += is_namesake && n < index;
        }
    }
    return count;
}

/* "DIR/switch-power-off.pcapng", with a number where this call runs the scenario several times. */
static char *capture_path(const struct plan *plan, const char *name, size_t index)
{
    char path[4096];
    char number[24] = "";
    size_t before;

    if (!plan->pcap)
        return NULL;
    if (count_namesakes(plan, name, index, &before) > 1)
        snprintf(number, sizeof(number), "-%zu", before + 1);
    snprintf(path, sizeof(path), "%s/%s%s.pcapng", plan->pcap, name, number);
    return mem_text(path);
}

static char *title_of(const struct scenario *scenario)
{
    char title[256];

    snprintf(title, sizeof(title), "%s%s%s", scenario->name, scenario->variant[0] ? " " : "",
             scenario->variant);
    return mem_text(title);
}

static void make_jobs(struct plan *plan)
{
    size_t n = 0;

    plan->jobs = mem_array(plan->run_count, sizeof(*plan->jobs));
    plan->runs = mem_array(plan->run_count, sizeof(*plan->runs));
    plan->run_ids = mem_array(plan->run_count, sizeof(*plan->run_ids));
    for (int i = 0; i < plan->scenario_count; i++) {
        for (size_t v = 0; v < plan->sets[i]->scenario_count; v++, n++) {
            const struct scenario *scenario = plan->sets[i]->scenarios[v];

            plan->jobs[n] =
                (struct job){.title = title_of(scenario), .length_ns = scenario->run_for_ns};
            plan->runs[n] = (struct run_one_options){
                .scenario = scenario,
                .files = &plan->sets[i]->files,
                .scenario_path = plan->scenarios[i],
                .pcap_path = capture_path(plan, scenario->name, n),
                .capture = &plan->capture,
            };
        }
    }
}

static void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->run_count && plan->jobs; i++) {
        free((void *)(uintptr_t)plan->jobs[i].title);
        free((void *)(uintptr_t)plan->runs[i].pcap_path);
    }
    for (int i = 0; i < plan->scenario_count && plan->sets; i++)
        scenario_free(plan->sets[i]);
    free(plan->sets);
    free(plan->jobs);
    free(plan->runs);
    free(plan->run_ids);
    free(plan->overrides);
}

/* Running. */

/* For a shell: nothing in it means anything. */
static void print_quoted(const char *text, FILE *to)
{
    fputs(" --set '", to);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text, to);
    fputc('\'', to);
}

/* The line to paste that does this run again. */
static void print_repeat(const struct plan *plan, size_t index, FILE *to)
{
    const struct run_one_options *run = &plan->runs[index];

    fprintf(to, "  repeat it with: iscsilab run %s", run->scenario_path);
    for (size_t i = 0; i < plan->override_count; i++)
        print_quoted(plan->overrides[i], to);
    for (size_t i = 0; i < run->scenario->choice_count; i++)
        print_quoted(run->scenario->choices[i], to);
    fputc('\n', to);
}

static int run_job(void *context, size_t index, struct row_stream *stream)
{
    struct plan *plan = context;

    return run_one(&plan->runs[index], stream);
}

static bool record_job(void *context, size_t index, struct job *job)
{
    struct plan *plan = context;
    struct error err;
    int64_t run_id;

    plan->exit_code = worse_of(job->exit_code, plan->exit_code);
    if (job->is_cut_off) {
        fprintf(stderr,
                "error: the run of '%s' ended early (exit code %d); nothing of it is "
                "recorded\n",
                job->title, job->exit_code);
        print_repeat(plan, index, stderr);
        return job->exit_code != EXIT_MACHINE;
    }
    if (results_add_run(&plan->results, job->data, job->bytes, &run_id, &err) != OK) {
        fprintf(stderr, "error: %s\n  = help: %s\n", err.text, err.help);
        plan->exit_code = worse_of(EXIT_MACHINE, plan->exit_code);
        return false;
    }
    plan->run_ids[plan->recorded++] = run_id;
    if (!plan->is_quiet)
        show_run(&plan->results, run_id, show_has_colour(stdout), stdout);
    printf("\n%s%s: %s; run %lld in %s\n", plan->is_quiet ? "" : "  ", job->title,
           job->exit_code == EXIT_MET ? "met" : "FAILED", (long long)run_id, plan->db);
    if (job->exit_code != EXIT_MET)
        print_repeat(plan, index, stdout);
    else if (!plan->is_quiet)
        printf("  plot it with: iscsilab report --db %s --run %lld\n", plan->db, (long long)run_id);
    fflush(stdout);
    return true;
}

static int run_all(struct plan *plan)
{
    static const struct job_ops ops = {.run = run_job, .on_done = record_job};
    struct error err;

    if (plan->pcap && mkdir(plan->pcap, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "error: cannot make the folder '%s': %s\n", plan->pcap, strerror(errno));
        return EXIT_MACHINE;
    }
    if (plan->junit && junit_check(plan->junit, &err) != OK) {
        fprintf(stderr, "error: %s\n", err.text);
        return EXIT_MACHINE;
    }
    if (results_open(plan->db, &plan->results, &err) != OK) {
        fprintf(stderr, "error: %s\n  = help: %s\n", err.text, err.help);
        return EXIT_MACHINE;
    }
    bool is_whole = runner_run(plan->jobs, plan->run_count, (size_t)plan->parallel, &ops, plan);
    if (plan->junit &&
        junit_write(&plan->results, plan->run_ids, plan->recorded, plan->junit, &err) != OK) {
        fprintf(stderr, "error: %s\n", err.text);
        plan->exit_code = worse_of(EXIT_MACHINE, plan->exit_code);
    }
    results_close(&plan->results);
    return is_whole ? plan->exit_code : EXIT_INTERRUPTED;
}

int run_command(int argc, char **argv)
{
    struct plan plan = {.db = RESULTS_DEFAULT};
    int code = parse_options(&plan, argc, argv);

    if (code == 0)
        code = load_all(&plan);
    if (code == 0)
        code = check_captures(&plan);
    if (code == 0) {
        make_jobs(&plan);
        code = run_all(&plan);
    }
    plan_fini(&plan);
    return code < 0 ? 0 : code;
}
