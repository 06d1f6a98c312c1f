/* One host of the world: joins the initiator to the fabric, and the loads to the initiator. */
#include "lab/world_host.h"

#include "iscsi/name.h"
#include "lab/box_power.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/seeded_chance.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world_host {
    struct world_host_options options;
    const struct topology_host *topology;
    struct stack *stack;
    struct host_session *sessions; /* owned */
    struct chap_identity *proofs;  /* by path: what it proves at its logins; owned, NULL: none */
    struct seeded_chance chance;   /* for challenges to targets */
    const char **identities;       /* of the disks it sees, in the order of the names; owned */
    struct host *host;
    struct host_user user;
    struct workload *workload;
    struct timer load_timer; /* the next planned I/O; when stopping: patience is over */
    struct box_power power;
    bool is_stopping;
    bool is_logging_out;
};

static struct world_host *of_user(struct host_user *user)
{
    return CONTAINER_OF(user, struct world_host, user);
}

/* Loads. */

static void log_out(struct world_host *h)
{
    if (h->is_logging_out)
        return;
    h->is_logging_out = true;
    clock_cancel(h->options.clock, &h->load_timer);
    host_stop(h->host);
}

/* Submits what is due and waits for the next. */
static void pump(struct world_host *h)
{
    int64_t now_ns = clock_now_ns(h->options.clock);
    struct mpath_io *io;
    uint32_t disk;

    if (h->is_stopping) {
        if (workload_outstanding(h->workload) == 0)
            log_out(h);
        return;
    }
    while ((io = workload_next_io(h->workload, now_ns, &disk)))
        host_submit(h->host, disk, io);
    clock_arm(h->options.clock, &h->load_timer, workload_deadline_ns(h->workload));
}

static void on_load_timer(struct timer *timer)
{
    struct world_host *h = CONTAINER_OF(timer, struct world_host, load_timer);

    if (h->is_stopping)
        log_out(h);
    else
        pump(h);
}

static void on_disk(struct host_user *user, struct host *host, uint32_t disk)
{
    struct world_host *h = of_user(user);
    (void)host;

    workload_disk_arrived(h->workload, disk, clock_now_ns(h->options.clock));
    pump(h);
}

static void on_disk_gone(struct host_user *user, struct host *host, uint32_t disk)
{
    (void)user, (void)host, (void)disk; /* its I/O fails, which the workload hears */
}

static void on_io_done(struct host_user *user, struct host *host, uint32_t disk,
                       struct mpath_io *io)
{
    struct world_host *h = of_user(user);
    (void)host, (void)disk;

    workload_io_done(h->workload, io, clock_now_ns(h->options.clock));
    pump(h);
}

static void on_stopped(struct host_user *user, struct host *host)
{
    (void)user, (void)host; /* world_host_is_stopped() asks */
}

/* The number that this host gives to a disk of the topology. */
static uint32_t disk_number(const struct world_host *h, uint32_t topology_disk)
{
    const struct host_names *names = &h->options.names->hosts[h->options.host_index];
    uint32_t number = 0;

    while (names->disk_indices[number] != topology_disk)
        number++;
    assert(number < names->disk_count);
    return number;
}

static void add_load(struct world_host *h, const struct load *load, const struct load_host *mine)
{
    workload_add_load(h->workload,
                      &(struct load_options){
                          .name = load->name,
                          .disk = disk_number(h, load->disk_index),
                          .in_flight = load->in_flight,
                          .rate_per_s = load->rate_per_s,
                          .queue = load->queue_limit,
                          .read_ppm = load->reads_ppm,
                          .io_bytes = load->io_bytes,
                          .area_offset_bytes = (uint64_t)mine->area_offset_bytes,
                          .area_bytes = (uint64_t)load->area_bytes,
                          .pattern = load->pattern,
                          .start_at_ns = load->start.at_ns,
                          .stop_at_ns = load->stop.at_ns,
                          .error_pause_ns = LOAD_ERROR_PAUSE_NS,
                      },
                      h->options.oracles[load->disk_index]);
}

static void add_loads(struct world_host *h)
{
    const struct scenario *s = h->options.scenario;

    for (uint32_t i = 0; i < s->load_count; i++)
        for (uint32_t k = 0; k < s->loads[i].host_count; k++)
            if (s->loads[i].hosts[k].host_index == h->options.host_index)
                add_load(h, &s->loads[i], &s->loads[i].hosts[k]);
}

/* Power. */

/* What the multipath layer knew of its paths is lost: when it has booted, it begins anew. */
static void tell_paths_gone(struct world_host *h)
{
    struct trace *trace = h->options.trace;

    for (uint32_t d = 0; d < h->options.names->hosts[h->options.host_index].disk_count; d++) {
        const struct mpath *disk = host_disk(h->host, d);

        for (uint32_t p = 0; disk && p < h->topology->path_count; p++) {
            enum path_state state = mpath_path_state(disk, p);

            if (state != PATH_STATE_CONNECTING)
                trace->ops->path(
                    trace, clock_now_ns(h->options.clock),
                    &(struct trace_path){.host = h->options.host_index,
                                         .disk = d,
                                         .path = p,
                                         .old_state = path_state_word(state),
                                         .new_state = path_state_word(PATH_STATE_CONNECTING),
                                         .reason = "the host went down"});
        }
    }
}

static void go_down(struct box_power *power)
{
    struct world_host *h = CONTAINER_OF(power, struct world_host, power);
    struct trace *trace = h->options.trace;

    tell_paths_gone(h);
    if (trace->ops->host_lost)
        trace->ops->host_lost(trace, clock_now_ns(h->options.clock), h->options.host_index);
    host_crash(h->host);
    workload_crash(h->workload);
    stack_power_off(h->stack);
    if (h->is_stopping)
        log_out(h);
    else
        clock_arm(h->options.clock, &h->load_timer, workload_deadline_ns(h->workload));
}

static void come_up(struct box_power *power)
{
    struct world_host *h = CONTAINER_OF(power, struct world_host, power);

    stack_power_on(h->stack);
    host_boot(h->host, 0);
}

void world_host_lose(struct world_host *h, bool is_dark)
{
    box_power_lose(&h->power, is_dark);
}

void world_host_return(struct world_host *h)
{
    box_power_return(&h->power, h->topology->boot_time_ns);
}

void world_host_reboot(struct world_host *h, int64_t boot_ns)
{
    box_power_reboot(&h->power, boot_ns < 0 ? h->topology->boot_time_ns : boot_ns);
}

/* Building. */

static struct ip_host *add_ip(struct world_host *h)
{
    const struct topology *t = h->options.scenario->topology;
    struct ip_options options = {.rules = h->topology->profile.ip};
    struct ip_host *ip = fabric_add_host(h->options.fabric, h->topology->name, &options);

    for (uint32_t i = 0; i < h->topology->nic_count; i++) {
        const struct topology_nic *nic = &t->nics[h->topology->first_nic + i];

        if (nic->prefix_bits > 0)
            ip_host_add_address(ip, fabric_find_nic(h->options.fabric, nic->full_name),
                                nic->address, nic->prefix_bits);
    }
    return ip;
}

/* Of the identities that it proves the host has copies: they may change while the SAN runs. */
static struct chap_login chap_of(struct world_host *h, uint32_t path_index)
{
    const struct topology *t = h->options.scenario->topology;
    const struct topology_path *path = &t->paths[h->topology->first_path + path_index];
    const struct chap_identity *own = topology_identity(t, path->chap);

    if (!own)
        return (struct chap_login){.own = NULL};
    if (!h->proofs)
        h->proofs = mem_array(h->topology->path_count, sizeof(*h->proofs));
    h->proofs[path_index] = *own;
    return (struct chap_login){&h->proofs[path_index], topology_identity(t, path->chap_target),
                               &h->chance.chance};
}

static struct chap_login discovery_chap_of(struct world_host *h)
{
    const struct topology *t = h->options.scenario->topology;
    const struct chap_identity *own = topology_identity(t, h->topology->discovery_chap);

    if (!own)
        return (struct chap_login){.own = NULL};
    return (struct chap_login){own, topology_identity(t, h->topology->chap_target),
                               &h->chance.chance};
}

static void add_sessions(struct world_host *h)
{
    const struct topology *t = h->options.scenario->topology;
    char component[NAME_BYTES + sizeof(" chap")];

    snprintf(component, sizeof(component), "%s chap", h->topology->name);
    seeded_chance_init(&h->chance, h->options.scenario->seed, component);
    h->sessions = mem_array(h->topology->path_count, sizeof(*h->sessions));
    for (uint32_t i = 0; i < h->topology->path_count; i++) {
        const struct topology_path *path = &t->paths[h->topology->first_path + i];

        h->sessions[i] = (struct host_session){
            .path_name = path->name,
            .from = t->nics[path->nic_index].address,
            .portal = {t->nics[path->array_nic_index].address, ISCSI_PORT},
            .target_name = t->arrays[path->array_index].target_name,
            .is_preferred = path->is_preferred,
            .chap = chap_of(h, i),
        };
    }
}

static void add_identities(struct world_host *h)
{
    const struct host_names *names = &h->options.names->hosts[h->options.host_index];

    h->identities = mem_array(names->disk_count, sizeof(*h->identities));
    for (size_t d = 0; d < names->disk_count; d++)
        h->identities[d] = h->options.identities[names->disk_indices[d]];
}

struct world_host *world_host_new(const struct world_host_options *options)
{
    static const struct host_user_ops ops = {.on_disk = on_disk,
                                             .on_disk_gone = on_disk_gone,
                                             .on_io_done = on_io_done,
                                             .on_stopped = on_stopped};
    static const struct box_power_ops power_ops = {.go_down = go_down, .come_up = come_up};
    struct world_host *h = mem_new(sizeof(*h));
    const struct scenario *s = options->scenario;

    *h = (struct world_host){
        .options = *options, .topology = &s->topology->hosts[options->host_index], .user = {&ops}};
    timer_init(&h->load_timer, on_load_timer);
    h->stack = stack_new(add_ip(h), options->watch);
    box_power_init(&h->power, &power_ops, options->clock, options->fabric, s->topology,
                   h->topology->first_nic, h->topology->nic_count);
    add_sessions(h);
    add_identities(h);
    h->workload = workload_new(options->pool, options->host_index, h->topology->name, s->seed);
    add_loads(h);
    h->host = host_new(&(struct host_config){
        .name = h->topology->name,
        .index = options->host_index,
        .profile = &h->topology->profile,
        .sessions = h->sessions,
        .session_count = h->topology->path_count,
        .disk_identities = h->identities,
        .disk_count = (uint32_t)options->names->hosts[options->host_index].disk_count,
        .initiator_name = h->topology->initiator_name,
        .discovers = true,
        .discovery_chap = discovery_chap_of(h),
        .net = stack_net(h->stack),
        .clock = options->clock,
        .pool = options->pool,
        .trace = options->trace,
        .user = &h->user,
        .plant = s->plant,
        .seed = s->seed,
    });
    return h;
}

void world_host_free(struct world_host *h)
{
    if (!h)
        return;
    clock_cancel(h->options.clock, &h->load_timer);
    box_power_fini(&h->power);
    host_free(h->host);
    workload_free(h->workload);
    stack_free(h->stack);
    free(h->identities);
    free(h->sessions);
    free(h->proofs);
    free(h);
}

void world_host_start(struct world_host *h)
{
    host_start(h->host);
    pump(h);
}

void world_host_stop(struct world_host *h, int64_t patience_ns)
{
    h->is_stopping = true;
    box_power_stay(&h->power);
    clock_arm(h->options.clock, &h->load_timer,
              time_after(clock_now_ns(h->options.clock), patience_ns));
    pump(h);
}

bool world_host_is_stopped(const struct world_host *h)
{
    return h->is_logging_out && (!host_is_on(h->host) || host_is_stopped(h->host));
}

void world_host_set_proof(struct world_host *h, uint32_t path_index,
                          const struct chap_identity *identity)
{
    assert(path_index < h->topology->path_count);
    assert(h->proofs);
    h->proofs[path_index] = *identity;
}

struct stack *world_host_stack(struct world_host *h)
{
    return h->stack;
}

const struct host *world_host_initiator(const struct world_host *h)
{
    return h->host;
}

/* Counters: of TCP, of each path, of each load. */

static void count(struct counter_sink *sink, const char *part, const char *name, uint64_t value)
{
    if (value)
        sink->count(sink, part, name, value);
}

static void count_path(const struct path_counters *c, const char *path, struct counter_sink *sink)
{
    count(sink, path, "connects", c->connects);
    count(sink, path, "logins", c->logins);
    count(sink, path, "login-failures", c->login_failures);
    count(sink, path, "logouts", c->logouts);
    count(sink, path, "session-drops", c->session_drops);
    count(sink, path, "nop-timeouts", c->nop_timeouts);
    count(sink, path, "command-timeouts", c->command_timeouts);
    count(sink, path, "aborts", c->aborts);
    count(sink, path, "lun-resets", c->lun_resets);
    count(sink, path, "target-resets", c->target_resets);
    count(sink, path, "hold-expiries", c->hold_expiries);
    count(sink, path, "commands-resubmitted", c->resubmitted);
}

static void count_loads(const struct world_host *h, struct counter_sink *sink)
{
    struct load_counts sum = {0};

    for (uint32_t i = 0; i < workload_load_count(h->workload); i++) {
        const struct load_counts *c = workload_counts(h->workload, i);

        sum.submitted += c->submitted;
        sum.reads += c->reads;
        sum.writes += c->writes;
        sum.errors += c->errors;
        sum.bytes += c->bytes;
    }
    count(sink, h->topology->name, "ios-submitted", sum.submitted);
    count(sink, h->topology->name, "reads", sum.reads);
    count(sink, h->topology->name, "writes", sum.writes);
    count(sink, h->topology->name, "io-errors", sum.errors);
    count(sink, h->topology->name, "io-bytes", sum.bytes);
}

void world_host_count(const struct world_host *h, struct counter_sink *sink)
{
    stack_count(h->stack, sink);
    for (uint32_t i = 0; i < host_path_count(h->host); i++) {
        struct path_counters counters = host_path_counters(h->host, i);

        count_path(&counters, host_path_name(h->host, i), sink);
    }
    count_loads(h, sink);
}
