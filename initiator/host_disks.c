/* From what a scan found to multipath disks, and the I/O between them and the paths. */
#include "initiator/host_inside.h"

#include "sim/core/mem.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int64_t now_of(const struct host *host)
{
    return clock_now_ns(host->config.clock);
}

/* What changed and must be drained: short lists, so that nothing walks over all paths and disks. */

void host_mark_path(struct host_path *p)
{
    struct host *host = p->line.host;

    if (p->is_dirty)
        return;
    p->is_dirty = true;
    p->next_dirty = host->dirty_paths;
    host->dirty_paths = p;
}

void host_mark_disk(struct host_disk *d)
{
    struct host *host = d->host;

    if (d->is_dirty)
        return;
    d->is_dirty = true;
    d->next_dirty = host->dirty_disks;
    host->dirty_disks = d;
}

/* Disks. */

static void disk_timer_fired(struct timer *timer)
{
    struct host_disk *d = CONTAINER_OF(timer, struct host_disk, timer);

    mpath_wake(d->mpath, now_of(d->host));
    host_mark_disk(d);
    host_drain(d->host);
}

struct host_disk *host_disk_new(struct host *host)
{
    struct host_disk *d = mem_new(sizeof(*d));

    *d = (struct host_disk){.host = host, .index = host->disk_count};
    timer_init(&d->timer, disk_timer_fired);
    host->disks = mem_resize(host->disks, host->disk_count + 1, sizeof(struct host_disk *));
    host->disks[host->disk_count++] = d;
    return d;
}

static void tell_io(struct host_disk *d, struct mpath_io *io, enum trace_io_step step,
                    uint32_t path_index)
{
    struct trace *trace = d->host->config.trace;
    struct trace_io io_step =
        mpath_io_step(io, step, path_index, mpath_identity(d->mpath)->block_bytes);

    io_step.host = d->host->config.index;
    io_step.disk = d->index;
    trace->ops->io(trace, now_of(d->host), &io_step);
}

static void tell_path(struct host_disk *d, const struct mpath_event *event)
{
    struct trace *trace = d->host->config.trace;
    struct trace_path path = {.host = d->host->config.index,
                              .disk = d->index,
                              .path = event->path_index,
                              .old_state = path_state_word(event->old_state),
                              .new_state = path_state_word(event->new_state),
                              .reason = event->reason};

    trace->ops->path(trace, now_of(d->host), &path);
}

/* The disk went away, or is there again after it did. */
static void tell_presence(struct host_disk *d, bool is_gone)
{
    struct trace *trace = d->host->config.trace;

    if (is_gone != d->is_gone)
        trace->ops->sign(trace, now_of(d->host),
                         &(struct trace_sign){.host = d->host->config.index,
                                              .path = TRACE_NONE,
                                              .disk = d->index,
                                              .layer = LAYER_MULTIPATH,
                                              .is_change = is_gone,
                                              .what = is_gone ? "disk removed: no path for too long"
                                                              : "disk back"});
    d->is_gone = is_gone;
}

static void disk_told(struct host_disk *d, const struct mpath_event *event)
{
    struct host *host = d->host;
    struct host_user *user = host->config.user;

    switch (event->kind) {
    case MPATH_PATH_CHANGED:
        tell_path(d, event);
        break;
    case MPATH_ATTEMPT_FAILED:
        tell_io(d, event->io, IO_ATTEMPT_FAILED, event->path_index);
        break;
    case MPATH_IO_DONE:
        tell_io(d, event->io, IO_DONE, event->path_index);
        if (user)
            user->ops->on_io_done(user, host, d->index, event->io);
        break;
    case MPATH_DISK_ARRIVED:
        tell_presence(d, false);
        if (user)
            user->ops->on_disk(user, host, d->index);
        break;
    case MPATH_DISK_REMOVED:
        tell_presence(d, true);
        if (user)
            user->ops->on_disk_gone(user, host, d->index);
        break;
    }
}

static void drain_disk(struct host_disk *d)
{
    struct host *host = d->host;
    int64_t now_ns = now_of(host);
    struct mpath_event event;
    struct command *command;
    uint32_t path_index;

    while (mpath_next_event(d->mpath, &event))
        disk_told(d, &event);
    while ((command = mpath_next_dispatch(d->mpath, &path_index))) {
        struct mpath_io *io = mpath_io_of(d->mpath, command);

        if (io)
            tell_io(d, io, IO_SENT, path_index);
        command->disk = d;
        path_submit(host->paths[path_index].path, command, now_ns);
        host_mark_path(&host->paths[path_index]);
    }
    host_rearm(host, &d->timer, mpath_deadline_ns(d->mpath));
}

void host_drain(struct host *host)
{
    if (host->is_draining) /* the one at work sees the marks */
        return;
    host->is_draining = true;
    while (host->dirty_disks || host->dirty_paths) {
        if (host->dirty_disks) {
            struct host_disk *d = host->dirty_disks;

            host->dirty_disks = d->next_dirty;
            d->is_dirty = false;
            if (d->mpath)
                drain_disk(d);
        } else {
            struct host_path *p = host->dirty_paths;

            host->dirty_paths = p->next_dirty;
            p->is_dirty = false;
            if (p->path)
                host_drain_path(p);
        }
    }
    host->is_draining = false;
    host_look_if_stopped(host);
}

void host_submit(struct host *host, uint32_t disk, struct mpath_io *io)
{
    struct host_disk *d = host->disks[disk];

    tell_io(d, io, IO_SUBMITTED, TRACE_NONE);
    mpath_submit(d->mpath, io, now_of(host));
    host_mark_disk(d);
    if (!host->is_draining)
        host_rearm(host, &host->flush_timer, now_of(host));
}

void host_flush(struct host *host)
{
    clock_cancel(host->config.clock, &host->flush_timer);
    host_drain(host);
}

/* Identities. */

static bool is_hex_of(const struct disk_identity *who, const char *text)
{
    static const char digits[] = "0123456789abcdef";

    if (strlen(text) != (size_t)2 * who->designator_bytes)
        return false;
    for (uint32_t i = 0; i < who->designator_bytes; i++) {
        if (tolower((unsigned char)text[2 * i]) != digits[who->designator[i] >> 4] ||
            tolower((unsigned char)text[2 * i + 1]) != digits[who->designator[i] & 15])
            return false;
    }
    return true;
}

bool host_is_named(const struct scan_lun *who, const char *identity)
{
    const struct disk_identity *id = &who->identity;

    if (identity[0] == 0)
        return false;
    if (strcmp(who->serial, identity) == 0)
        return true;
    if (who->designator_code_set != 1 && strlen(identity) == id->designator_bytes &&
        memcmp(identity, id->designator, id->designator_bytes) == 0)
        return true;
    return id->designator_bytes > 0 && is_hex_of(id, identity);
}

static bool is_same_unit(const struct scan_lun *a, const struct scan_lun *b)
{
    return a->identity.designator_bytes == b->identity.designator_bytes &&
           memcmp(a->identity.designator, b->identity.designator, a->identity.designator_bytes) ==
               0;
}

static struct host_disk *disk_of_unit(struct host *host, const struct scan_lun *who)
{
    for (uint32_t i = 0; i < host->disk_count; i++) {
        if (host->disks[i]->mpath && is_same_unit(&host->disks[i]->who, who))
            return host->disks[i];
    }
    struct host_disk *d = NULL;

    for (uint32_t i = 0; i < host->config.disk_count && !d; i++) {
        if (!host->disks[i]->mpath && host_is_named(who, host->config.disk_identities[i]))
            d = host->disks[i];
    }
    if (!d)
        d = host_disk_new(host);
    d->who = *who;
    d->mpath = mpath_new(&host->config.profile->mpath, host->config.plant, now_of(host));
    return d;
}

static struct host_way *way_to(const struct host_path *p, uint32_t disk)
{
    for (uint32_t i = 0; i < p->way_count; i++) {
        if (p->ways[i].disk == disk)
            return &p->ways[i];
    }
    return NULL;
}

/* Did this LUN answer as this unit in the scan that is done? */
static bool was_found(const struct scan *scan, const struct scan_lun *who, uint64_t lun)
{
    for (uint32_t i = 0; i < scan->lun_count; i++) {
        if (scan->luns[i].is_disk && scan->luns[i].lun == lun && is_same_unit(&scan->luns[i], who))
            return true;
    }
    return false;
}

/* Rule P10: what is held for a disk must not go out when its LUN is another one now, or gone. The
 * ways that are still right open again with their arrivals. */
static void close_wrong_ways(struct host_path *p)
{
    struct host *host = p->line.host;
    bool is_refused = false;

    for (uint32_t i = 0; i < p->way_count; i++) {
        struct host_way *way = &p->ways[i];
        struct host_disk *d = host->disks[way->disk];

        if (!way->is_open || was_found(&p->scan, &d->who, way->lun))
            continue;
        if (!is_refused) {
            path_refuse(p->path, "identity changed", now_of(host));
            host_hear_path(p); /* before anything arrives */
        }
        is_refused = true;
        way->is_open = false;
        mpath_remove_path(d->mpath, p->index, "identity changed", now_of(host));
        host_mark_disk(d);
    }
}

static struct host_way *open_way(struct host_path *p, struct host_disk *d, uint64_t lun)
{
    struct host_way *way = way_to(p, d->index);

    if (way) {
        /* The same disk at another LUN number: mpath knows one number per path. */
        if (way->lun != lun)
            return NULL;
    } else {
        if (!mpath_add_path(d->mpath, p->index, lun, p->session->is_preferred))
            return NULL;
        p->ways = mem_resize(p->ways, p->way_count + 1, sizeof(*p->ways));
        way = &p->ways[p->way_count++];
        *way = (struct host_way){.disk = d->index, .lun = lun};
    }
    way->is_open = true;
    return way;
}

static void unit_found(struct host_path *p, const struct scan_lun *who)
{
    struct host *host = p->line.host;
    struct host_disk *d = disk_of_unit(host, who);
    struct host_way *way = open_way(p, d, who->lun);

    if (!way)
        return;
    /* False: its size is another one, and mpath has taken the path out of use. */
    way->is_open = mpath_path_arrived(d->mpath, p->index, &who->identity, now_of(host));
    host_mark_disk(d);
}

static bool is_repeated(const struct scan *scan, uint32_t lun_index)
{
    for (uint32_t i = 0; i < lun_index; i++) {
        if (scan->luns[i].is_disk && is_same_unit(&scan->luns[i], &scan->luns[lun_index]))
            return true;
    }
    return false;
}

void host_path_scanned(struct host_path *p)
{
    close_wrong_ways(p);
    for (uint32_t i = 0; i < p->scan.lun_count; i++) {
        if (p->scan.luns[i].is_disk && !is_repeated(&p->scan, i))
            unit_found(p, &p->scan.luns[i]);
    }
    path_admit(p->path, now_of(p->line.host));
    host_mark_path(p);
}

void host_path_news(struct host_path *p, enum path_news news, const char *reason)
{
    struct host *host = p->line.host;

    for (uint32_t i = 0; i < p->way_count; i++) {
        struct host_disk *d = host->disks[p->ways[i].disk];

        if (!p->ways[i].is_open)
            continue;
        mpath_path_news(d->mpath, p->index, news, reason, now_of(host));
        host_mark_disk(d);
    }
}
