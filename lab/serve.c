/* An array on real sockets: see serve.h. */
#include "lab/serve.h"

#include "iscsi/name.h"
#include "lab/serve_control.h"
#include "lab/serve_units.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/live/file_record.h"
#include "sim/live/os_chance.h"
#include "sim/live/pacer.h"
#include "sim/live/socket_net.h"
#include "target/device.h"
#include "target/media.h"
#include "target/portal.h"

#include <assert.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT_GROUP    1 /* one target port group, as in the simulation */
#define MOST_AT_ONCE  1024u
#define SESSIONS      4096u
#define DOOR          1024u /* connections that are not logged in, besides the sessions */
#define MOVING_BYTES  (UINT64_C(1) << 30)
#define FILES_BESIDES 64u        /* that are open besides disks and connections */
#define FILES_OF_DISK 3u         /* its own, its reservations, and those while they are written */
#define QUIET_NS      SECONDS(1) /* between two lines about connections that are not taken */

struct serve {
    struct serve_config config;
    const struct topology_array *array; /* as it was at the start */
    const struct topology *latest;      /* with the secrets and disks that are in use */
    uint32_t latest_index;              /* of the array there */
    struct ev_loop *loop;
    struct event_queue queue;
    struct pacer *pacer;
    struct pacer_user pacer_user;
    struct pool *pool;
    struct trace trace;
    struct socket_net *net;
    struct device *device;
    struct serve_units *units;
    int state_lock; /* on the folder of reservations; -1: none */
    struct portal_node *node;
    struct portal_log log;
    struct socket_net_user net_user;
    struct endpoint portals[TARGET_MOST_PORTALS];
    size_t portal_count;
    struct serve_control *control; /* NULL: no faults */
    struct serve_control_user control_user;
    struct array_profile profile;
    struct target_limits limits;
    int64_t told_ns; /* of a connection that was not taken */
    uint64_t untold; /* since then */
};

/* The log. */

static void print_endpoint(FILE *to, struct endpoint at)
{
    fprintf(to, "%u.%u.%u.%u:%u", at.address >> 24, at.address >> 16 & 0xff, at.address >> 8 & 0xff,
            at.address & 0xff, at.port);
}

static void log_login(struct portal_log *log, const struct session_info *session)
{
    struct serve *serve = CONTAINER_OF(log, struct serve, log);

    fprintf(serve->config.log, "login %s from ", session->initiator_name);
    print_endpoint(serve->config.log, session->remote);
    fputs(" to ", serve->config.log);
    print_endpoint(serve->config.log, session->local);
    fprintf(serve->config.log, "%s, session %u\n", session->is_discovery ? ", discovery" : "",
            session->tsih);
    fflush(serve->config.log);
}

static void log_end(struct portal_log *log, struct endpoint remote, const char *why,
                    const char *detail)
{
    struct serve *serve = CONTAINER_OF(log, struct serve, log);

    fputs("end of ", serve->config.log);
    print_endpoint(serve->config.log, remote);
    fprintf(serve->config.log, ": %s%s%s\n", why, detail && *detail ? ", " : "",
            detail ? detail : "");
    fflush(serve->config.log);
}

static void print_counts(const struct serve *serve, FILE *to)
{
    const struct target_counters *c = target_counters(portal_node_target(serve->node));

    fprintf(to, "sessions %zu\n", target_session_count(portal_node_target(serve->node)));
#define X(member, word) fprintf(to, "%s %" PRIu64 "\n", word, c->member);
    TARGET_COUNTERS(X)
#undef X
    fflush(to);
}

/* Whoever opens connections by the thousand shall not fill the log. */
static void log_turned_away(struct portal_log *log, struct endpoint remote)
{
    struct serve *serve = CONTAINER_OF(log, struct serve, log);
    int64_t now_ns = clock_now_ns(&serve->queue.clock);

    serve->untold++;
    if (serve->told_ns != 0 && now_ns < time_after(serve->told_ns, QUIET_NS))
        return;
    fputs("no connection for ", serve->config.log);
    print_endpoint(serve->config.log, remote);
    fprintf(serve->config.log, ": %u are logged in, no more may be (%" PRIu64 " refused)\n",
            serve->limits.connections, serve->untold);
    fflush(serve->config.log);
    serve->told_ns = now_ns;
    serve->untold = 0;
}

static void log_starved(struct socket_net_user *user, int code)
{
    struct serve *serve = CONTAINER_OF(user, struct serve, net_user);

    fprintf(serve->config.log, "warning: no connection can be taken now: %s\n", strerror(code));
    fflush(serve->config.log);
}

static void say_behind(struct pacer_user *user, int64_t behind_ns)
{
    struct serve *serve = CONTAINER_OF(user, struct serve, pacer_user);

    fprintf(serve->config.log, "warning: timers are %" PRId64 " ms late\n", behind_ns / MS(1));
}

static void say_slip(struct pacer_user *user, int64_t slipped_ns)
{
    struct serve *serve = CONTAINER_OF(user, struct serve, pacer_user);

    fprintf(serve->config.log, "warning: the machine stood still for %" PRId64 " ms\n",
            slipped_ns / MS(1));
}

/* Building. */

static void choose_portals(struct serve *serve)
{
    const struct serve_config *config = &serve->config;

    serve->portal_count = config->listen_count ? config->listen_count : serve->array->nic_count;
    for (size_t i = 0; i < serve->portal_count; i++) {
        struct endpoint at =
            config->listen_count
                ? config->listens[i]
                : (struct endpoint){config->topology->nics[serve->array->first_nic + i].address,
                                    ISCSI_PORT};

        serve->portals[i] = (struct endpoint){at.address, at.port ? at.port : ISCSI_PORT};
    }
}

static uint32_t lesser(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* Nothing but sockets may be waited for awake: neither the threads of files nor service times. */
static int64_t busy_poll_ns(const struct serve *serve)
{
    bool is_in_memory = !serve->config.is_mediated;

    if (serve->config.busy_poll_ns >= 0)
        return serve->config.busy_poll_ns;
    for (uint32_t lun = 0; serve->config.paths && lun < serve->array->disk_count; lun++)
        is_in_memory = is_in_memory && !serve->config.paths[lun];
    return is_in_memory ? SERVE_BUSY_POLL_NS : 0;
}

/* Connections need file descriptors: as many of them as the system lets us have, less what else is
 * open. Without a limit of its own, the number of connections leaves room at the door. */
static void choose_limits(struct serve *serve)
{
    const struct serve_limits *asked = &serve->config.limits;
    uint64_t besides =
        FILES_BESIDES + serve->portal_count + FILES_OF_DISK * serve->array->disk_count;
    uint32_t sessions = asked->sessions ? asked->sessions : SESSIONS;
    uint32_t connections =
        asked->connections ? asked->connections : lesser(sessions + DOOR, SERVE_MOST_CONNECTIONS);
    uint64_t files = socket_net_most_files(connections + besides);
    uint32_t possible = files > besides ? (uint32_t)(files - besides) : 1;

    if (possible < connections) {
        fprintf(serve->config.log,
                "warning: %" PRIu64 " files may be open, so that %u connections fit instead of %u; "
                "'ulimit -n' or LimitNOFILE= raises it\n",
                files, possible, connections);
        connections = possible;
    }
    serve->limits = (struct target_limits){
        .connections = connections,
        .sessions = lesser(sessions, connections),
        .moving_bytes = asked->moving_bytes ? asked->moving_bytes : MOVING_BYTES,
    };
    if (asked->login_time_ns > 0)
        serve->profile.login_timeout_ns = asked->login_time_ns;
}

static void add_device(struct serve *serve)
{
    struct port_config ports[DEVICE_MAX_PORTS];

    for (size_t i = 0; i < serve->portal_count; i++)
        ports[i] = (struct port_config){.portal_group_tag = (uint16_t)(i + 1),
                                        .relative_port_id = (uint16_t)(i + 1),
                                        .group_id = PORT_GROUP};
    serve->device = device_new(&(struct device_config){.target_name = serve->array->target_name,
                                                       .vendor = "ISCSILAB",
                                                       .product = "VIRTUAL DISK",
                                                       .revision = "0001",
                                                       .ports = ports,
                                                       .port_count = serve->portal_count,
                                                       .tpgs = TPGS_IMPLICIT},
                               &serve->queue.clock, serve->pool);
}

static bool lock_state(struct serve *serve, struct error *err)
{
    if (serve->config.state_folder)
        serve->state_lock = file_record_lock_folder(serve->config.state_folder, err);
    return !serve->config.state_folder || serve->state_lock >= 0;
}

static bool add_units(struct serve *serve, struct error *err)
{
    static const struct media_model at_once = {.commands_at_once = MOST_AT_ONCE};
    const struct serve_config *config = &serve->config;

    serve->units = serve_units_new(
        &(struct serve_units_config){.paths = config->paths,
                                     .state_folder = config->state_folder,
                                     .media = config->is_mediated    ? &serve->array->media
                                              : config->control_path ? &at_once
                                                                     : NULL,
                                     .is_read_only = config->is_read_only,
                                     .loop = serve->loop,
                                     .pacer = serve->pacer,
                                     .clock = &serve->queue.clock,
                                     .pool = serve->pool,
                                     .device = serve->device});
    return serve_units_add(serve->units, config->topology, config->array_index, err);
}

static void add_node(struct serve *serve)
{
    struct target_portal portals[TARGET_MOST_PORTALS];

    for (size_t i = 0; i < serve->portal_count; i++)
        portals[i] =
            (struct target_portal){.at = serve->portals[i], .portal_group_tag = (uint16_t)(i + 1)};
    serve->node = portal_node_new(&(struct portal_node_config){
        .target = {.name = serve->array->target_name,
                   .portals = portals,
                   .portal_count = serve->portal_count,
                   .profile = &serve->profile,
                   .limits = serve->limits,
                   .device = serve->device,
                   .pool = serve->pool,
                   .trace = &serve->trace,
                   .chance = os_chance()},
        .net = socket_net_interface(serve->net),
        .clock = &serve->queue.clock,
        .name = serve->array->name,
        .log = &serve->log,
    });
}

static bool read_secrets(struct serve *serve, struct error *err)
{
    const struct topology *t = serve->latest;
    const struct topology_array *array = &t->arrays[serve->latest_index];
    const struct chap_identity *own = topology_identity(t, array->chap_own);
    struct chap_policy normal = {topology_identity(t, array->first_user), array->user_count, own};
    struct chap_policy discovery = {topology_identity(t, array->first_discoverer),
                                    array->discoverer_count, own};

    if (serve->config.secrets &&
        !serve->config.secrets->read(serve->config.secrets, &normal, &discovery, err))
        return false;
    target_set_chap(portal_node_target(serve->node), &normal, &discovery);
    if (serve->config.secrets)
        serve->config.secrets->taken(serve->config.secrets);
    return true;
}

static bool check_counts(const struct serve *serve, struct error *err)
{
    static const struct source_pos nowhere;

    if (serve->portal_count == 0) {
        error_set(err, ERR_USAGE, nowhere, "array '%s' has no NIC to listen on",
                  serve->array->name);
        error_help(err, "give addresses: --listen 127.0.0.1:3260");
    } else if (serve->portal_count > DEVICE_MAX_PORTS) {
        error_set(err, ERR_USAGE, nowhere, "%zu portals are more than the %u that there may be",
                  serve->portal_count, DEVICE_MAX_PORTS);
    } else if (serve->array->disk_count == 0) {
        error_set(err, ERR_USAGE, nowhere, "array '%s' has no disk", serve->array->name);
        error_help(err, "add one to the topology, or name one: --disk data=1GiB");
    } else {
        return true;
    }
    return false;
}

static bool open_portals(struct serve *serve, struct error *err)
{
    static const struct source_pos nowhere;
    size_t failed = 0;

    if (portal_node_open(serve->node, &failed)) {
        for (size_t i = 0; i < serve->portal_count; i++) {
            fprintf(serve->config.log, "%s listens on ", serve->array->target_name);
            print_endpoint(serve->config.log, serve->portals[i]);
            fputc('\n', serve->config.log);
        }
        fflush(serve->config.log);
        return true;
    }
    struct endpoint at = serve->portals[failed];

    error_set(err, ERR_SYSTEM, nowhere, "cannot listen on %u.%u.%u.%u:%u: %s", at.address >> 24,
              at.address >> 16 & 0xff, at.address >> 8 & 0xff, at.address & 0xff, at.port,
              strerror(socket_net_error(serve->net)));
    error_help(err, "give another address: --listen 127.0.0.1:3260");
    return false;
}

static void print_for_control(struct serve_control_user *user, FILE *to)
{
    print_counts(CONTAINER_OF(user, struct serve, control_user), to);
}

static void stop_by_control(struct serve_control_user *user)
{
    serve_stop(CONTAINER_OF(user, struct serve, control_user));
}

static bool open_control(struct serve *serve, struct error *err)
{
    struct media *media[DEVICE_MAX_LUNS];

    if (!serve->config.control_path)
        return true;
    for (uint32_t i = 0; i < serve->array->disk_count; i++)
        media[i] = serve_units_media(serve->units, i);
    serve->control =
        serve_control_open(&(struct serve_control_config){.path = serve->config.control_path,
                                                          .loop = serve->loop,
                                                          .pacer = serve->pacer,
                                                          .clock = &serve->queue.clock,
                                                          .topology = serve->config.topology,
                                                          .array_index = serve->config.array_index,
                                                          .node = serve->node,
                                                          .device = serve->device,
                                                          .media = media,
                                                          .user = &serve->control_user,
                                                          .log = serve->config.log},
                           err);
    return serve->control;
}

struct serve *serve_new(const struct serve_config *config, struct error *err)
{
    static const struct source_pos nowhere;
    struct serve *serve = mem_new(sizeof(*serve));

    *serve = (struct serve){.config = *config,
                            .array = &config->topology->arrays[config->array_index],
                            .latest = config->topology,
                            .latest_index = config->array_index,
                            .loop = ev_loop_new(EVFLAG_AUTO),
                            .pacer_user = {say_behind, say_slip},
                            .pool = pool_new(),
                            .state_lock = -1,
                            .trace = {.ops = trace_nowhere_ops()},
                            .control_user = {print_for_control, stop_by_control},
                            .log = {log_login, log_end, log_turned_away},
                            .net_user = {log_starved},
                            .profile = config->topology->arrays[config->array_index].profile};
    event_queue_init(&serve->queue);
    choose_portals(serve);
    if (!check_counts(serve, err)) {
        serve_free(serve);
        return NULL;
    }
    serve->pacer = serve->loop ? pacer_new(serve->loop, &serve->queue, &serve->pacer_user) : NULL;
    if (!serve->pacer) {
        error_set(err, ERR_SYSTEM, nowhere, "no event loop could be made");
        serve_free(serve);
        return NULL;
    }
    serve->net = socket_net_new(&(struct socket_net_config){.loop = serve->loop,
                                                            .pacer = serve->pacer,
                                                            .pool = serve->pool,
                                                            .user = &serve->net_user,
                                                            .busy_poll_ns = busy_poll_ns(serve)});
    choose_limits(serve);
    add_device(serve);
    if (!lock_state(serve, err) || !add_units(serve, err)) {
        serve_free(serve);
        return NULL;
    }
    add_node(serve);
    if (!read_secrets(serve, err) || !open_control(serve, err) || !open_portals(serve, err)) {
        serve_free(serve);
        return NULL;
    }
    return serve;
}

void serve_free(struct serve *serve)
{
    if (!serve)
        return;
    serve_control_close(serve->control);
    if (serve->device)
        device_crash(serve->device); /* what is in work comes back before its owners go */
    if (serve->node)
        portal_node_free(serve->node);
    socket_net_free(serve->net);
    if (serve->device)
        device_free(serve->device);
    serve_units_free(serve->units);
    if (serve->state_lock >= 0)
        close(serve->state_lock);
    pacer_free(serve->pacer);
    event_queue_fini(&serve->queue);
    pool_free(serve->pool);
    if (serve->loop)
        ev_loop_destroy(serve->loop);
    free(serve);
}

void serve_stop(struct serve *serve)
{
    pacer_stop(serve->pacer);
}

void serve_print(const struct serve *serve)
{
    print_counts(serve, serve->config.log);
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop, (void)events;
    serve_stop(watcher->data);
}

static void on_ask(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop, (void)events;
    serve_print(watcher->data);
}

/* Reading anew what may change while initiators are here. */

/* What stays until the next start. */
static bool check_array(const struct serve *serve, const struct topology *t, uint32_t index,
                        struct error *err)
{
    const struct topology_array *now = &t->arrays[index];
    bool has_same_nics =
        serve->config.listen_count > 0 || now->nic_count == serve->array->nic_count;

    for (uint32_t i = 0; serve->config.listen_count == 0 && has_same_nics && i < now->nic_count;
         i++)
        has_same_nics = t->nics[now->first_nic + i].address ==
                        serve->config.topology->nics[serve->array->first_nic + i].address;
    if (strcmp(now->target_name, serve->array->target_name) != 0)
        error_set(err, ERR_INPUT, now->pos, "the target's name cannot change while it is served");
    else if (!has_same_nics)
        error_set(err, ERR_INPUT, now->pos, "its portals cannot change while it is served");
    else
        return serve_units_check(serve->units, t, index, err);
    error_help(err, "start the server anew");
    return false;
}

static void say_unchanged(const struct serve *serve, const char *what, const struct error *err)
{
    fprintf(serve->config.log, "%s: ", what);
    if (err->pos.file)
        fprintf(serve->config.log, "%s:%d: ", err->pos.file, err->pos.line);
    fprintf(serve->config.log, "%s\n", err->text);
    if (err->help[0])
        fprintf(serve->config.log, "  = help: %s\n", err->help);
    fflush(serve->config.log);
}

/* Sessions that stand are not asked again; who logs in from now on is. */
static bool renew_secrets(struct serve *serve)
{
    struct error err = {0};
    bool is_good = read_secrets(serve, &err);

    if (is_good)
        fputs("the secrets were read again\n", serve->config.log);
    else
        say_unchanged(serve, "the secrets stay as they were", &err);
    fflush(serve->config.log);
    return is_good;
}

/* All of it, or, where something is wrong, nothing. */
static void renew_array(struct serve *serve)
{
    struct serve_source *source = serve->config.source;
    const struct topology *before = serve->latest;
    uint32_t index_before = serve->latest_index;
    uint32_t index;
    struct error err = {0};
    const struct topology *now = source->read(source, &index, &err);

    if (!now || !check_array(serve, now, index, &err)) {
        say_unchanged(serve, "the array stays as it was", &err);
        return;
    }
    serve->latest = now;
    serve->latest_index = index;
    if (renew_secrets(serve)) {
        source->taken(source);
        serve_units_renew(serve->units, now, index, serve->config.log);
        return;
    }
    serve->latest = before;
    serve->latest_index = index_before;
}

static void on_reload(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct serve *serve = watcher->data;

    (void)loop, (void)events;
    pacer_catch_up(serve->pacer);
    if (serve->config.source) {
        renew_array(serve);
        return;
    }
    (void)renew_secrets(serve);
    serve_units_renew(serve->units, serve->latest, serve->latest_index, serve->config.log);
}

void serve_run(struct serve *serve)
{
    struct {
        int number;
        void (*heard)(struct ev_loop *loop, ev_signal *watcher, int events);
    } signals[] = {{SIGINT, on_stop}, {SIGTERM, on_stop}, {SIGUSR1, on_ask}, {SIGHUP, on_reload}};
    ev_signal watchers[ARRAY_SIZE(signals)];

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        ev_signal_init(&watchers[i], signals[i].heard, signals[i].number);
        watchers[i].data = serve;
        ev_signal_start(serve->loop, &watchers[i]);
    }
    /* A file that may not grow is an error of the write, not the end of us. */
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);

    pacer_run(serve->pacer);
    signal(SIGXFSZ, before);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        ev_signal_stop(serve->loop, &watchers[i]);
    serve_print(serve);
}
