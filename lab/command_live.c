/* iscsilab live: a SAN in real time, part of it real. */
#include "lab/bare_scenario.h"
#include "lab/command.h"
#include "lab/live.h"
#include "lab/options.h"
#include "lab/quantity.h"
#include "lab/run_one.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/live/outside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: iscsilab live TOPOLOGY [OPTION...]\n"
    "\n"
    "Runs a SAN in real time. A NIC that is attached belongs to somebody outside, who finds the\n"
    "simulated switches, hosts and arrays behind it; nothing of its own box is simulated.\n"
    "\n"
    "  --attach NIC=tap:NAME    hv1.iscsi1=tap:lab0: a TAP device for a real host\n"
    "  --attach NIC=qemu:PATH   a socket for QEMU's '-netdev stream,server=off,addr.type=unix'\n"
    "  --scenario FILE    its loads and steps, for this topology; its expectations are not judged\n"
    "  --set KEY=VALUE    another setting: switches.switch-2.mtu=1500\n"
    "  --db FILE          records it in a result file, as 'run' does; written at the end\n"
    "  --pcap DIR         a capture, for Wireshark\n"
    "  --pcap-of PARTS    captures these only: hv1.iscsi1,switch-1.24\n"
    "  --pcap-rotate SIZE a new file each time one holds so much: 100MiB\n"
    "  --ctl SOCKET       takes steps from 'iscsilab ctl SOCKET STEP'\n"
    "  --for TIME         ends by itself: 10 min\n"
    "\n"
    "On a terminal steps may be typed; 'help' there lists what can be said. Ctrl-C ends.\n";

#define LEAST_ROTATE_BYTES 65536

struct plan {
    const char *topology;
    const char *scenario;
    const char *pcap;
    const char *control;
    const char *db;
    int64_t for_ns;
    struct capture_plan capture;
    const char **overrides; /* owned array */
    size_t override_count;
    char **attach; /* owned array of what was given */
    size_t attach_count;
    struct live_attachment *attachments; /* owned */
    struct scenario_set *set;            /* owned */
};

static int usage(const char *problem, const char *value)
{
    fprintf(stderr, "error: %s '%s'\n       'iscsilab live --help' shows what there is\n", problem,
            value);
    return EXIT_USAGE;
}

static int parse_options(struct plan *plan, int argc, char **argv)
{
    static const struct option options[] = {{"attach", required_argument, NULL, 'a'},
                                            {"scenario", required_argument, NULL, 'n'},
                                            {"set", required_argument, NULL, 'e'},
                                            {"pcap", required_argument, NULL, 'p'},
                                            {"pcap-of", required_argument, NULL, 'o'},
                                            {"pcap-rotate", required_argument, NULL, 'r'},
                                            {"ctl", required_argument, NULL, 'c'},
                                            {"for", required_argument, NULL, 'f'},
                                            {"db", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = options_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case 'a':
            plan->attach = mem_resize(plan->attach, plan->attach_count + 1, sizeof(*plan->attach));
            plan->attach[plan->attach_count++] = optarg;
            break;
        case 'n':
            plan->scenario = optarg;
            break;
        case 'e':
            if (!strchr(optarg, '='))
                return usage("--set wants KEY=VALUE, not", optarg);
            plan->overrides =
                mem_resize(plan->overrides, plan->override_count + 1, sizeof(*plan->overrides));
            plan->overrides[plan->override_count++] = optarg;
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
        case 'c':
            plan->control = optarg;
            break;
        case 'd':
            plan->db = optarg;
            break;
        case 'f':
            if (quantity_parse(optarg, QUANTITY_SPAN, &plan->for_ns) != QUANTITY_FINE ||
                plan->for_ns <= 0)
                return usage("--for wants a time such as '10 min', not", optarg);
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
    if (optind + 1 != argc) {
        fputs("error: live wants one topology file\n", stderr);
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    plan->topology = argv[optind];
    return 0;
}

/* Loading. */

/* Are both names of one file? */
static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* A scenario is run against the topology that it was written for. */
static int check_set(const struct plan *plan)
{
    const char *its_topology = plan->set->files.files[plan->scenario ? 1 : 0]->name;

    if (plan->set->scenario_count > 1)
        return usage("live runs one variant, and there is 'vary' in", plan->scenario);
    if (plan->scenario && !is_same_file(its_topology, plan->topology)) {
        fprintf(stderr, "error: scenario '%s' is for the topology '%s', not for '%s'\n",
                plan->scenario, its_topology, plan->topology);
        return EXIT_USAGE;
    }
    return 0;
}

static int load(struct plan *plan)
{
    struct errors errors;

    errors_init(&errors);
    plan->set =
        plan->scenario
            ? scenario_load(plan->scenario, plan->overrides, plan->override_count, NULL, &errors)
            : bare_scenario_load(plan->topology, plan->overrides, plan->override_count, &errors);
    errors_print(&errors, stderr);
    errors_fini(&errors);
    return plan->set ? check_set(plan) : EXIT_FILE;
}

/* "hv1.iscsi1=tap:lab0" */
static int attach(struct plan *plan, char *text)
{
    const struct topology *topology = plan->set->scenarios[0]->topology;
    struct error err = {0};
    struct part_ref part;
    char *equals = strchr(text, '=');

    if (!equals)
        return usage("--attach wants NIC=tap:NAME or NIC=qemu:PATH, not", text);
    *equals = '\0';
    if (!topology_find(topology, text, &part) || part.kind != PART_NIC)
        return usage("there is no NIC of this name to attach:", text);
    if (topology->nics[part.index].member_count > 0)
        return usage("a real host makes its own team; attach the members of", text);
    if (!outside_check(equals + 1, &err)) {
        fprintf(stderr, "error: %s\n  = help: %s\n", err.text, err.help);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < plan->attach_count && plan->attachments[i].place; i++) {
        if (plan->attachments[i].nic_index == part.index)
            return usage("a NIC is attached once, this one twice:", text);
        if (strcmp(plan->attachments[i].place, equals + 1) == 0)
            return usage("a place takes one NIC, this one two:", equals + 1);
    }
    struct live_attachment *next = plan->attachments;

    while (next->place)
        next++;
    *next = (struct live_attachment){.place = equals + 1, .nic_index = part.index};
    return 0;
}

static int attach_all(struct plan *plan)
{
    int code = 0;

    plan->attachments = mem_array(plan->attach_count + 1, sizeof(*plan->attachments));
    for (size_t i = 0; code == 0 && i < plan->attach_count; i++)
        code = attach(plan, plan->attach[i]);
    return code;
}

static int check_capture(const struct plan *plan)
{
    struct error err = {0};

    if (!capture_plan_check(&plan->capture, plan->set->scenarios[0]->topology, &err)) {
        fprintf(stderr, "error: %s\n  = help: %s\n", err.text, err.help);
        return EXIT_USAGE;
    }
    if (plan->pcap && mkdir(plan->pcap, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "error: cannot make the folder '%s': %s\n", plan->pcap, strerror(errno));
        return EXIT_MACHINE;
    }
    return 0;
}

static int run(const struct plan *plan)
{
    const struct scenario *scenario = plan->set->scenarios[0];
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s.pcapng", plan->pcap ? plan->pcap : "",
             scenario->topology->name);
    return live_run(&(struct live_options){.scenario = scenario,
                                           .attachments = plan->attachments,
                                           .attachment_count = plan->attach_count,
                                           .pcap_path = plan->pcap ? path : NULL,
                                           .capture = &plan->capture,
                                           .control_path = plan->control,
                                           .db_path = plan->db,
                                           .files = &plan->set->files,
                                           .has_scenario = plan->scenario,
                                           .for_ns = plan->for_ns,
                                           .has_prompt = isatty(STDIN_FILENO)});
}

int live_command(int argc, char **argv)
{
    struct plan plan = {.topology = NULL};
    int code = parse_options(&plan, argc, argv);

    if (code == 0)
        code = load(&plan);
    if (code == 0)
        code = attach_all(&plan);
    if (code == 0)
        code = check_capture(&plan);
    if (code == 0)
        code = run(&plan);
    free(plan.attachments);
    free(plan.attach);
    free(plan.overrides);
    scenario_free(plan.set);
    return code < 0 ? 0 : code;
}
