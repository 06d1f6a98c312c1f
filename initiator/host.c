/* A host: life and questions. */
#include "initiator/host_inside.h"

#include "sim/core/mem.h"
#include "sim/core/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void boot_timer_fired(struct timer *timer)
{
    struct host *host = CONTAINER_OF(timer, struct host, boot_timer);

    host_start(host);
}

static void flush_timer_fired(struct timer *timer)
{
    host_drain(CONTAINER_OF(timer, struct host, flush_timer));
}

/* ISIDs of the format "random" (RFC 7143, 11.12.5): one number per host, one qualifier per path,
 * the same at every boot, so that a login after a crash reinstates the session that the target may
 * still have. */
static void choose_isids(struct host *host)
{
    struct random random;

    random_init(&random, host->config.seed, host->config.initiator_name);
    uint64_t number = random_next(&random);

    for (uint32_t i = 0; i < host->config.session_count; i++) {
        uint8_t *isid = host->paths[i].isid;

        isid[0] = 0x80;
        isid[1] = (uint8_t)(number >> 16);
        isid[2] = (uint8_t)(number >> 8);
        isid[3] = (uint8_t)number;
        isid[4] = (uint8_t)((i + 1) >> 8);
        isid[5] = (uint8_t)(i + 1);
    }
}

struct host *host_new(const struct host_config *config)
{
    struct host *host = mem_new(sizeof(*host));

    assert(config->session_count > 0);
    assert(config->session_count < 0xffff);
    host->config = *config;
    timer_init(&host->boot_timer, boot_timer_fired);
    timer_init(&host->flush_timer, flush_timer_fired);
    host->paths = mem_array(config->session_count, sizeof(*host->paths));
    for (uint32_t i = 0; i < config->session_count; i++)
        host_path_init(host, i);
    for (uint32_t i = 0; i < config->disk_count; i++)
        host_disk_new(host);
    choose_isids(host);
    host->is_stopped = true;
    return host;
}

/* All that a running host has: back to what host_new() made. */
static void tear_down(struct host *host, enum line_end how)
{
    struct clock *clock = host->config.clock;

    host->is_on = false;
    clock_cancel(clock, &host->flush_timer);
    clock_cancel(clock, &host->boot_timer);
    if (host->discovery) {
        clock_cancel(clock, &host->discovery_line.timer);
        line_drop(&host->discovery_line, how);
        discovery_free(host->discovery);
        host->discovery = NULL;
    }
    for (uint32_t i = 0; i < host->config.session_count; i++) {
        struct host_path *p = &host->paths[i];

        clock_cancel(clock, &p->line.timer);
        line_drop(&p->line, how);
        p->past = host_path_counters(host, i);
        path_free(p->path); /* before the scan, whose command may be inside */
        p->path = NULL;
        scan_fini(&p->scan);
        free(p->ways);
        p->ways = NULL;
        p->way_count = 0;
    }
    for (uint32_t i = 0; i < host->disk_count; i++) {
        struct host_disk *d = host->disks[i];

        clock_cancel(clock, &d->timer);
        mpath_free(d->mpath);
        d->mpath = NULL;
    }
    while (host->disk_count > host->config.disk_count)
        free(host->disks[--host->disk_count]);
}

void host_free(struct host *host)
{
    if (!host)
        return;
    tear_down(host, LINE_ABORT);
    for (uint32_t i = 0; i < host->disk_count; i++)
        free(host->disks[i]);
    free(host->disks);
    free(host->paths);
    free(host);
}

static struct path *new_path(struct host *host, struct host_path *p)
{
    const struct host_profile *profile = host->config.profile;
    struct path_config config = {.rules = &profile->path,
                                 .offer = &profile->iscsi,
                                 .initiator_name = host->config.initiator_name,
                                 .target_name = p->session->target_name,
                                 .portal = p->session->portal,
                                 .timer_tick_ns = profile->tcp.timer_tick_ns,
                                 .timer_wheel = profile->tcp.timer_wheel,
                                 .first_cmd_sn = 1,
                                 .logs_pdus = true,
                                 .chap = p->session->chap,
                                 .pool = host->config.pool};

    memcpy(config.isid, p->isid, sizeof(config.isid));
    return path_new(&config);
}

void host_start_paths(struct host *host)
{
    for (uint32_t i = 0; i < host->config.session_count; i++) {
        struct host_path *p = &host->paths[i];

        scan_init(&p->scan);
        p->path = new_path(host, p);
        path_start(p->path, clock_now_ns(host->config.clock));
        host_mark_path(p);
    }
    host_drain(host);
}

void host_start(struct host *host)
{
    if (host->is_on)
        return;
    host->is_on = true;
    host->is_stopping = false;
    host->is_stopped = false;
    if (host->config.discovers)
        host_begin_discovery(host);
    else
        host_start_paths(host);
}

void host_stop(struct host *host)
{
    if (!host->is_on || host->is_stopping)
        return;
    host->is_stopping = true;
    if (host->discovery) {
        clock_cancel(host->config.clock, &host->discovery_line.timer);
        line_drop(&host->discovery_line, LINE_ABORT);
        discovery_free(host->discovery);
        host->discovery = NULL;
    }
    for (uint32_t i = 0; i < host->config.session_count; i++) {
        struct host_path *p = &host->paths[i];

        if (!p->path)
            continue;
        path_stop(p->path, clock_now_ns(host->config.clock));
        host_mark_path(p);
    }
    host_drain(host);
}

void host_look_if_stopped(struct host *host)
{
    struct host_user *user = host->config.user;

    if (!host->is_stopping || host->is_stopped)
        return;
    for (uint32_t i = 0; i < host->config.session_count; i++) {
        const struct host_path *p = &host->paths[i];

        if (p->path && path_service(p->path) != SERVICE_STOPPED)
            return;
    }
    host->is_stopped = true;
    if (user)
        user->ops->on_stopped(user, host);
}

bool host_is_stopped(const struct host *host)
{
    return host->is_stopped;
}

static void crash(struct host *host, enum line_end how)
{
    assert(!host->is_draining);
    tear_down(host, how);
    host->dirty_paths = NULL;
    host->dirty_disks = NULL;
    for (uint32_t i = 0; i < host->config.session_count; i++)
        host->paths[i].is_dirty = false;
    for (uint32_t i = 0; i < host->disk_count; i++)
        host->disks[i]->is_dirty = false;
    host->is_stopping = false;
    host->is_stopped = true;
}

void host_crash(struct host *host)
{
    crash(host, LINE_LEAVE);
}

void host_kill_service(struct host *host)
{
    crash(host, LINE_ABORT);
}

void host_boot(struct host *host, int64_t boot_ns)
{
    assert(!host->is_on);
    clock_arm(host->config.clock, &host->boot_timer,
              time_after(clock_now_ns(host->config.clock), boot_ns));
}

bool host_is_on(const struct host *host)
{
    return host->is_on;
}

uint32_t host_disk_count(const struct host *host)
{
    return host->disk_count;
}

struct mpath *host_disk(const struct host *host, uint32_t disk)
{
    return disk < host->disk_count ? host->disks[disk]->mpath : NULL;
}

uint32_t host_find_disk(const struct host *host, const char *identity)
{
    for (uint32_t i = 0; i < host->disk_count; i++) {
        if (host->disks[i]->mpath && host_is_named(&host->disks[i]->who, identity))
            return i;
    }
    return TRACE_NONE;
}

uint32_t host_path_count(const struct host *host)
{
    return host->config.session_count;
}

const char *host_path_name(const struct host *host, uint32_t path_index)
{
    return host->config.sessions[path_index].path_name;
}

const struct path *host_path(const struct host *host, uint32_t path_index)
{
    return host->paths[path_index].path;
}

uint32_t host_live_sessions(const struct host *host, struct host_live_session *ret_sessions,
                            uint32_t most)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < host->config.session_count && count < most; i++) {
        const struct host_path *p = &host->paths[i];
        const struct isession *session = p->path ? path_session(p->path) : NULL;

        if (!session)
            continue;
        struct host_live_session *live = &ret_sessions[count++];

        *live = (struct host_live_session){.path = i,
                                           .tsih = isession_tsih(session),
                                           .from = p->session->from,
                                           .portal = p->session->portal};
        memcpy(live->isid, p->isid, sizeof(live->isid));
    }
    return count;
}

static void add(struct path_counters *sum, const struct path_counters *one)
{
    sum->connects += one->connects;
    sum->logins += one->logins;
    sum->login_failures += one->login_failures;
    sum->logouts += one->logouts;
    sum->session_drops += one->session_drops;
    sum->nop_timeouts += one->nop_timeouts;
    sum->command_timeouts += one->command_timeouts;
    sum->aborts += one->aborts;
    sum->lun_resets += one->lun_resets;
    sum->target_resets += one->target_resets;
    sum->hold_expiries += one->hold_expiries;
    sum->resubmitted += one->resubmitted;
    sum->async_logouts += one->async_logouts;
}

struct path_counters host_path_counters(const struct host *host, uint32_t path_index)
{
    const struct host_path *p = &host->paths[path_index];
    struct path_counters sum = p->past;

    if (p->path)
        add(&sum, path_counters(p->path));
    return sum;
}

struct path_counters host_counters(const struct host *host)
{
    struct path_counters sum = {0};

    for (uint32_t i = 0; i < host->config.session_count; i++) {
        struct path_counters one = host_path_counters(host, i);

        add(&sum, &one);
    }
    return sum;
}
