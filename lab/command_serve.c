/* iscsilab serve: the array of a topology, or disks named on the command line, on real TCP ports.
 */
#include "iscsi/name.h"
#include "lab/chap_file.h"
#include "lab/command.h"
#include "lab/errors.h"
#include "lab/options.h"
#include "lab/quantity.h"
#include "lab/run_one.h"
#include "lab/serve.h"
#include "lab/serve_disks.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "target/device.h"
#include "target/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: iscsilab serve --topology FILE [--array NAME] [OPTION...]\n"
    "       iscsilab serve --disk NAME=FILE|SIZE... [OPTION...]\n"
    "\n"
    "Serves the array of a topology, or the disks that are named, on real TCP ports: any\n"
    "initiator may log in.\n"
    "\n"
    "  --topology FILE      where the array is described\n"
    "  --array NAME         which of its arrays; an only one need not be named\n"
    "  --disk NAME=FILE     a disk in a file or block device (truncate -s 10G FILE makes one)\n"
    "  --disk NAME=SIZE     a disk in memory, gone at the end: scratch=1GiB\n"
    "  --listen ADDR:PORT   instead of the topology's portals; more than once for more paths\n"
    "  --read-only          refuses every write\n"
    "  --chap USER:FILE     who may log in, and the file with the secret; more than once for more\n"
    "  --chap-own NAME:FILE what we answer with when an initiator wants proof of us (mutual CHAP)\n"
    "  --discovery-chap USER:FILE  who may ask for the targets, if not everybody\n"
    "  --ctl PATH           a socket for faults: iscsilab ctl PATH 'slow: {part: san1, by: 1 s}'\n"
    "  --state DIR          keeps persistent reservations (APTPL) there, not beside the disks' "
    "files\n"
    "  --service-times      disks as slow as the topology says; else as fast as they can be\n"
    "  --most-sessions N    more are refused with \"out of resources\" (4096)\n"
    "  --most-connections N logged in or not (as many sessions, and 1024); a new one then takes\n"
    "                       the place of the oldest that has not logged in\n"
    "  --most-data SIZE     that all commands together have under way (1 GiB); past it each "
    "session\n"
    "                       has one at a time, or some small ones\n"
    "  --login-time TIME    a login may take so long (15 s, or as the array's profile says)\n"
    "  --busy-poll TIME     waits so long awake for the next command of who was just answered\n"
    "                       (50us if all disks are in memory, else 0us: sleeps at once)\n"
    "\n"
    "SIGTERM and SIGINT end it, SIGUSR1 prints statistics. SIGHUP has secrets and topology read\n"
    "again: disks that have grown are larger then, in files too, and new ones are there.\n";

#define MOST_DISKS 256u
#define MOST_USERS 64u

static_assert(DEVICE_MAX_PORTS == 32, "parse_options() says how many");

struct options {
    const char *topology;
    const char *disks[MOST_DISKS];
    size_t disk_count;
    const char *array;
    struct endpoint listens[DEVICE_MAX_PORTS];
    size_t listen_count;
    bool is_read_only;
    bool is_mediated;
    const char *users[MOST_USERS];
    size_t user_count;
    const char *discoverers[MOST_USERS];
    size_t discoverer_count;
    const char *own;
    const char *state;
    const char *control;
    struct serve_limits limits;
    int64_t busy_poll_ns; /* less than 0: not said */
};

static int usage(const char *problem, const char *value)
{
    fprintf(stderr, "error: %s '%s'\n       'iscsilab serve --help' shows what there is\n", problem,
            value);
    return EXIT_USAGE;
}

/* "127.0.0.1:3260", "127.0.0.1" (port 3260). */
static bool parse_listen(const char *text, struct endpoint *ret_at)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t bytes = colon ? (size_t)(colon - text) : strlen(text);
    struct in_addr in;
    unsigned long port = ISCSI_PORT;
    char *end;

    if (bytes >= sizeof(address))
        return false;
    memcpy(address, text, bytes);
    address[bytes] = '\0';
    if (inet_pton(AF_INET, address, &in) != 1)
        return false;
    if (colon) {
        port = strtoul(colon + 1, &end, 10);
        if (end == colon + 1 || *end != '\0' || port == 0 || port > UINT16_MAX)
            return false;
    }
    *ret_at = (struct endpoint){ntohl(in.s_addr), (uint16_t)port};
    return true;
}

static bool parse_count(const char *text, uint32_t most, uint32_t *ret_count)
{
    int64_t count;

    if (quantity_parse_number(text, 0, &count) != QUANTITY_FINE || count < 1 || count > most)
        return false;
    *ret_count = (uint32_t)count;
    return true;
}

/* A limit on what peers can do. */
static int parse_limit(struct serve_limits *limits, int option, const char *text)
{
    int64_t value = 0;

    switch (option) {
    case '1':
        if (!parse_count(text, SERVE_MOST_SESSIONS, &limits->sessions))
            return usage("--most-sessions wants a number from 1 to 60000, not", text);
        return 0;
    case '2':
        if (!parse_count(text, SERVE_MOST_CONNECTIONS, &limits->connections))
            return usage("--most-connections wants a number from 1 to 60000, not", text);
        return 0;
    case '3':
        if (quantity_parse(text, QUANTITY_SIZE, &value) != QUANTITY_FINE || value < 1)
            return usage("--most-data wants a size (512MiB), not", text);
        limits->moving_bytes = (uint64_t)value;
        return 0;
    default:
        if (quantity_parse(text, QUANTITY_SPAN, &value) != QUANTITY_FINE || value < 1)
            return usage("--login-time wants a time (15s), not", text);
        limits->login_time_ns = value;
        return 0;
    }
}

/* -1: help was asked for; 0: all is well. */
static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {{"topology", required_argument, NULL, 't'},
                                          {"array", required_argument, NULL, 'a'},
                                          {"disk", required_argument, NULL, 'd'},
                                          {"listen", required_argument, NULL, 'l'},
                                          {"chap", required_argument, NULL, 'c'},
                                          {"chap-own", required_argument, NULL, 'o'},
                                          {"discovery-chap", required_argument, NULL, 'D'},
                                          {"read-only", no_argument, NULL, 'r'},
                                          {"state", required_argument, NULL, 'S'},
                                          {"ctl", required_argument, NULL, 'C'},
                                          {"service-times", no_argument, NULL, 's'},
                                          {"most-sessions", required_argument, NULL, '1'},
                                          {"most-connections", required_argument, NULL, '2'},
                                          {"most-data", required_argument, NULL, '3'},
                                          {"login-time", required_argument, NULL, '4'},
                                          {"busy-poll", required_argument, NULL, 'b'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = options_next(argc, argv, ":h", known)) != -1) {
        switch (option) {
        case 't':
            o->topology = optarg;
            break;
        case 'a':
            o->array = optarg;
            break;
        case 'd':
            if (o->disk_count == ARRAY_SIZE(o->disks))
                return usage("too many disks with --disk", optarg);
            o->disks[o->disk_count++] = optarg;
            break;
        case 'l':
            if (o->listen_count == ARRAY_SIZE(o->listens))
                return usage("32 addresses with --listen are the most; one too many is", optarg);
            if (!parse_listen(optarg, &o->listens[o->listen_count++]))
                return usage("--listen wants ADDRESS:PORT (127.0.0.1:3260), not", optarg);
            break;
        case 'c':
            if (o->user_count == ARRAY_SIZE(o->users))
                return usage("too many users with --chap", optarg);
            o->users[o->user_count++] = optarg;
            break;
        case 'D':
            if (o->discoverer_count == ARRAY_SIZE(o->discoverers))
                return usage("too many users with --discovery-chap", optarg);
            o->discoverers[o->discoverer_count++] = optarg;
            break;
        case 'o':
            o->own = optarg;
            break;
        case 'S':
            o->state = optarg;
            break;
        case 'C':
            o->control = optarg;
            break;
        case 'r':
            o->is_read_only = true;
            break;
        case 's':
            o->is_mediated = true;
            break;
        case '1':
        case '2':
        case '3':
        case '4':
            if (parse_limit(&o->limits, option, optarg) != 0)
                return EXIT_USAGE;
            break;
        case 'b':
            if (quantity_parse(optarg, QUANTITY_SPAN, &o->busy_poll_ns) != QUANTITY_FINE ||
                o->busy_poll_ns < 0 || o->busy_poll_ns > SERVE_MOST_BUSY_POLL_NS)
                return usage("--busy-poll wants a time from 0us to 1ms, not", optarg);
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
    if (optind < argc)
        return usage("'serve' has no use for", argv[optind]);
    if (!o->topology == (o->disk_count == 0)) {
        fputs("error: what is to be served? Either an array (--topology FILE) or disks (--disk "
              "NAME=FILE)\n",
              stderr);
        return EXIT_USAGE;
    }
    return 0;
}

/* The array that is meant; false: told. */
static bool find_array(const struct options *o, const struct topology *t, uint32_t *ret_index)
{
    if (!o->array && t->array_count == 1) {
        *ret_index = 0;
        return true;
    }
    for (uint32_t i = 0; o->array && i < t->array_count; i++) {
        if (strcmp(t->arrays[i].name, o->array) == 0) {
            *ret_index = i;
            return true;
        }
    }
    if (o->array)
        fprintf(stderr, "error: topology '%s' has no array '%s'\n", t->name, o->array);
    else
        fprintf(stderr, "error: topology '%s' has %u arrays\n", t->name, t->array_count);
    fputs("  = help: name one of its arrays with --array:", stderr);
    for (uint32_t i = 0; i < t->array_count; i++)
        fprintf(stderr, " %s", t->arrays[i].name);
    fputc('\n', stderr);
    return false;
}

static int told(const struct error *err, int code)
{
    fprintf(stderr, "error: %s\n", err->text);
    if (err->help[0])
        fprintf(stderr, "  = help: %s\n", err->help);
    return code;
}

/* The identities of CHAP that were named. */
struct identities {
    struct chap_identity users[MOST_USERS];
    struct chap_identity discoverers[MOST_USERS];
    struct chap_identity own;
};

struct secrets {
    struct serve_secrets serve;
    const struct options *options;
    struct identities *used; /* owned, as the next */
    struct identities *next;
    bool is_bad; /* the last time they were read */
};

static bool read_users(const char *const *texts, size_t count, struct chap_identity *ret_users,
                       struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!chap_file_read(texts[i], &ret_users[i], err))
            return false;
    return true;
}

/* Who knows both ways' secret could answer for the other side (RFC 7143, 12.1.3). */
static bool own_is_unlike(const struct chap_policy *policy, struct error *err)
{
    static const struct source_pos nowhere;

    for (size_t i = 0; policy->own && i < policy->user_count; i++) {
        if (!chap_secrets_are_equal(policy->own, &policy->users[i]))
            continue;
        error_set(err, ERR_USAGE, nowhere, "--chap-own and user '%.64s' have the same secret",
                  policy->users[i].name);
        error_help(err, "give each direction a secret of its own");
        return false;
    }
    return true;
}

static bool read_identities(const struct options *o, struct identities *ret_all, struct error *err)
{
    return read_users(o->users, o->user_count, ret_all->users, err) &&
           read_users(o->discoverers, o->discoverer_count, ret_all->discoverers, err) &&
           (!o->own || chap_file_read(o->own, &ret_all->own, err));
}

static bool check_policies(const struct chap_policy *normal, const struct chap_policy *discovery,
                           struct error *err)
{
    static const struct source_pos nowhere;

    if (normal->own && normal->user_count + discovery->user_count == 0) {
        error_set(err, ERR_USAGE, nowhere,
                  "--chap-own answers those who authenticate: nobody has to");
        error_help(err, "name them with --chap USER:FILE");
        return false;
    }
    return own_is_unlike(normal, err) && own_is_unlike(discovery, err);
}

/* What an option names stands in for what the topology says. */
static bool read_anew(struct serve_secrets *serve_secrets, struct chap_policy *normal,
                      struct chap_policy *discovery, struct error *err)
{
    struct secrets *secrets = CONTAINER_OF(serve_secrets, struct secrets, serve);
    const struct options *o = secrets->options;
    struct identities *all = secrets->next;
    const struct chap_identity *own = o->own ? &all->own : normal->own;

    if (o->user_count > 0)
        *normal = (struct chap_policy){.users = all->users, .user_count = o->user_count};
    if (o->discoverer_count > 0)
        *discovery =
            (struct chap_policy){.users = all->discoverers, .user_count = o->discoverer_count};
    normal->own = own;
    discovery->own = own;
    secrets->is_bad = !read_identities(o, all, err) || !check_policies(normal, discovery, err);
    if (secrets->is_bad) {
        chap_wipe(all, sizeof(*all));
        return false;
    }
    secrets->next = secrets->used;
    secrets->used = all;
    return true;
}

static void forget_old(struct serve_secrets *serve_secrets)
{
    struct secrets *secrets = CONTAINER_OF(serve_secrets, struct secrets, serve);

    chap_wipe(secrets->next, sizeof(*secrets->next));
}

static void free_identities(struct identities *all)
{
    chap_wipe(all, sizeof(*all));
    free(all);
}

static int serve(const struct options *o, const struct serve_config *config)
{
    struct error err = {0};
    struct serve_config whole = *config;
    struct secrets secrets = {.serve = {.read = read_anew, .taken = forget_old},
                              .options = o,
                              .used = mem_new(sizeof(struct identities)),
                              .next = mem_new(sizeof(struct identities))};

    whole.secrets = &secrets.serve;
    whole.is_read_only = o->is_read_only;
    whole.is_mediated = o->is_mediated;
    whole.state_folder = o->state;
    whole.control_path = o->control;
    whole.limits = o->limits;
    whole.busy_poll_ns = o->busy_poll_ns;
    whole.log = stdout;
    struct serve *server = serve_new(&whole, &err);

    if (server) {
        serve_run(server);
        serve_free(server);
    }
    free_identities(secrets.used);
    free_identities(secrets.next);
    return server ? 0 : told(&err, secrets.is_bad ? EXIT_USAGE : EXIT_MACHINE);
}

/* A topology and the texts that it was made from. */
struct loaded {
    struct topology *topology; /* NULL: there is none */
    struct file_set files;
};

static void load(const struct options *o, FILE *to, struct loaded *ret_loaded)
{
    struct errors errors;

    errors_init(&errors);
    file_set_init(&ret_loaded->files, file_reader_disk());
    ret_loaded->topology = topology_load(o->topology, &ret_loaded->files, &errors);
    errors_print(&errors, to);
    fflush(to);
    errors_fini(&errors);
}

static void unload(struct loaded *loaded)
{
    topology_free(loaded->topology);
    file_set_fini(&loaded->files);
    *loaded = (struct loaded){0};
}

/* The file of the topology, read anew at each SIGHUP. */
struct topology_source {
    struct serve_source serve;
    const struct options *options;
    struct loaded first; /* the server looks at it till the end */
    struct loaded used;  /* instead of the first one */
    struct loaded next;  /* read, and not used yet */
};

static const struct topology *read_topology(struct serve_source *serve_source,
                                            uint32_t *ret_array_index, struct error *err)
{
    static const struct source_pos nowhere;
    struct topology_source *source = CONTAINER_OF(serve_source, struct topology_source, serve);
    const struct options *o = source->options;

    unload(&source->next);
    load(o, stdout, &source->next);
    if (!source->next.topology)
        error_set(err, ERR_INPUT, nowhere, "'%.160s' has errors", o->topology);
    else if (!find_array(o, source->next.topology, ret_array_index))
        error_set(err, ERR_INPUT, nowhere, "the array is no more in '%.160s'", o->topology);
    else
        return source->next.topology;
    error_help(err, "mend it, and send SIGHUP again");
    return NULL;
}

static void use_topology(struct serve_source *serve_source)
{
    struct topology_source *source = CONTAINER_OF(serve_source, struct topology_source, serve);

    unload(&source->used);
    source->used = source->next;
    source->next = (struct loaded){0};
}

static int serve_topology(const struct options *o)
{
    struct serve_config config = {.listens = o->listens, .listen_count = o->listen_count};
    struct topology_source source = {.serve = {.read = read_topology, .taken = use_topology},
                                     .options = o};
    int code = EXIT_FILE;

    load(o, stderr, &source.first);
    config.topology = source.first.topology;
    config.source = &source.serve;
    if (config.topology)
        code = find_array(o, config.topology, &config.array_index) ? serve(o, &config) : EXIT_USAGE;
    unload(&source.next);
    unload(&source.used);
    unload(&source.first);
    return code;
}

/* On every address, if none is said. */
static int serve_disks(const struct options *o)
{
    static const struct endpoint anywhere = {0, ISCSI_PORT};
    struct serve_disks disks;
    struct error err = {0};

    if (!serve_disks_init(&disks, o->disks, o->disk_count, &err))
        return told(&err, EXIT_USAGE);
    int code = serve(o, &(struct serve_config){
                            .topology = disks.topology,
                            .listens = o->listen_count ? o->listens : &anywhere,
                            .listen_count = o->listen_count ? o->listen_count : 1,
                            .paths = disks.paths,
                        });

    serve_disks_fini(&disks);
    return code;
}

int serve_command(int argc, char **argv)
{
    struct options o = {.busy_poll_ns = -1};
    int code = parse_options(&o, argc, argv);

    if (code != 0)
        return code < 0 ? 0 : code;
    return o.topology ? serve_topology(&o) : serve_disks(&o);
}
