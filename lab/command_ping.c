/* iscsilab ping: do frames of this size get through? In virtual time, and if not: where they end.
 */
#include "lab/bare_scenario.h"
#include "lab/command.h"
#include "lab/options.h"
#include "lab/ping.h"
#include "lab/quantity.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: iscsilab ping TOPOLOGY --from NIC --to NIC [OPTION...]\n"
    "\n"
    "Sends echo requests over the simulated fabric, as the jumbo-frame check of a real one does:\n"
    "'--size 8972 --dont-fragment' fills an MTU of 9000. What gets lost is said with the part "
    "that\n"
    "dropped it. Simulated hosts never fragment, with --dont-fragment or without.\n"
    "\n"
    "  --from NIC         hv1.iscsi1\n"
    "  --to NIC           san1.port-a\n"
    "  --size BYTES       of data, 0 to 65507 (56)\n"
    "  --dont-fragment    no part may cut the packet\n"
    "  --count N          requests, one a second (4)\n"
    "  --timeout TIME     for each answer (1 s)\n"
    "  --set KEY=VALUE    another setting: switches.switch-1.mtu=1500\n";

struct plan {
    const char *topology;
    const char *from;
    const char *to;
    struct ping_options ping;
    const char **overrides; /* owned array */
    size_t override_count;
};

static int usage(const char *problem, const char *value)
{
    fprintf(stderr, "error: %s '%s'\n       'iscsilab ping --help' shows what there is\n", problem,
            value);
    return EXIT_USAGE;
}

static bool read_number(const char *text, long least, long most, uint32_t *ret_number)
{
    char *end;

    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static int parse_options(struct plan *plan, int argc, char **argv)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"size", required_argument, NULL, 's'},
                                            {"dont-fragment", no_argument, NULL, 'd'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"timeout", required_argument, NULL, 'w'},
                                            {"set", required_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = options_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case 'f':
            plan->from = optarg;
            break;
        case 't':
            plan->to = optarg;
            break;
        case 's':
            if (!read_number(optarg, 0, PING_MOST_BYTES, &plan->ping.data_bytes))
                return usage("--size wants bytes from 0 to 65507, not", optarg);
            break;
        case 'd':
            break; /* simulated hosts set it in every packet */
        case 'c':
            if (!read_number(optarg, 1, 1000000, &plan->ping.count))
                return usage("--count wants a number from 1 to 1000000, not", optarg);
            break;
        case 'w':
            if (quantity_parse(optarg, QUANTITY_SPAN, &plan->ping.timeout_ns) != QUANTITY_FINE ||
                plan->ping.timeout_ns <= 0)
                return usage("--timeout wants a time such as '500 ms', not", optarg);
            break;
        case 'e':
            if (!strchr(optarg, '='))
                return usage("--set wants KEY=VALUE, not", optarg);
            plan->overrides =
                mem_resize(plan->overrides, plan->override_count + 1, sizeof(*plan->overrides));
            plan->overrides[plan->override_count++] = optarg;
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
    if (optind + 1 != argc || !plan->from || !plan->to) {
        fputs("error: ping wants one topology file, --from and --to\n", stderr);
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    plan->topology = argv[optind];
    return 0;
}

static int find_nic(const struct topology *topology, const char *name, uint32_t *ret_index)
{
    struct part_ref part;

    if (!topology_find(topology, name, &part) || part.kind != PART_NIC)
        return usage("there is no NIC of this name:", name);
    if (topology->nics[part.index].prefix_bits == 0)
        return usage("a NIC without an address neither sends nor answers a ping:", name);
    *ret_index = part.index;
    return 0;
}

static int ping(struct plan *plan)
{
    struct errors errors;

    errors_init(&errors);
    struct scenario_set *set =
        bare_scenario_load(plan->topology, plan->overrides, plan->override_count, &errors);

    errors_print(&errors, stderr);
    errors_fini(&errors);
    if (!set)
        return EXIT_FILE;
    plan->ping.scenario = set->scenarios[0];
    int code = find_nic(plan->ping.scenario->topology, plan->from, &plan->ping.from_nic);

    if (code == 0)
        code = find_nic(plan->ping.scenario->topology, plan->to, &plan->ping.to_nic);
    if (code == 0 && plan->ping.from_nic == plan->ping.to_nic)
        code = usage("a NIC reaches itself without a fabric:", plan->from);
    if (code == 0)
        code = ping_run(&plan->ping, stdout);
    scenario_free(set);
    return code;
}

int ping_command(int argc, char **argv)
{
    struct plan plan = {.ping = {.data_bytes = 56, .count = 4, .timeout_ns = SECONDS(1)}};
    int code = parse_options(&plan, argc, argv);

    if (code == 0)
        code = ping(&plan);
    free(plan.overrides);
    return code < 0 ? 0 : code;
}
