/* Signs, path changes and broken rules as lines; the rest is of no interest while it runs. */
#include "lab/live_trace.h"

#include "sim/core/attributes.h"

#include <stdio.h>

static struct live_trace *of_trace(struct trace *trace)
{
    return CONTAINER_OF(trace, struct live_trace, trace);
}

static const char *path_name(const struct live_trace *live, uint32_t host, uint32_t path)
{
    return path == TRACE_NONE ? live->names->hosts[host].host
                              : live->names->hosts[host].paths[path];
}

static void on_io(struct trace *trace, int64_t at_ns, const struct trace_io *io)
{
    struct live_trace *live = of_trace(trace);

    if (live->record)
        live->record->ops->io(live->record, at_ns, io);
    if (io->step == IO_DONE && io->is_error)
        event_steps_io_error(live->waiting, at_ns, io->host);
}

static void on_host_lost(struct trace *trace, int64_t at_ns, uint32_t host)
{
    struct live_trace *live = of_trace(trace);

    if (live->record)
        live->record->ops->host_lost(live->record, at_ns, host);
}

static void on_sign(struct trace *trace, int64_t at_ns, const struct trace_sign *sign)
{
    struct live_trace *live = of_trace(trace);
    char text[512];

    snprintf(text, sizeof(text), "%s  %s: %s", path_name(live, sign->host, sign->path),
             trace_layer_word(sign->layer), sign->what);
    live->user->on_text(live->user, at_ns, "sign", text);
    if (live->record)
        live->record->ops->sign(live->record, at_ns, sign);
}

static void on_path(struct trace *trace, int64_t at_ns, const struct trace_path *path)
{
    struct live_trace *live = of_trace(trace);
    const struct host_names *host = &live->names->hosts[path->host];
    char text[512];

    snprintf(text, sizeof(text), "%s of %s  %s -> %s (%s)", host->paths[path->path],
             host->disks[path->disk], path->old_state, path->new_state, path->reason);
    live->user->on_text(live->user, at_ns, "path", text);
    if (live->record)
        live->record->ops->path(live->record, at_ns, path);
    event_steps_path(live->waiting, at_ns, path);
}

static void on_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    struct live_trace *live = of_trace(trace);
    char text[512];

    live->broken++;
    snprintf(text, sizeof(text), "rule %s: %s", broken->rule, broken->text);
    live->user->on_text(live->user, at_ns, "BROKEN", text);
    if (live->record)
        live->record->ops->broken(live->record, at_ns, broken);
}

static void on_pdu(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu)
{
    (void)trace, (void)at_ns, (void)pdu;
}

static void on_pdu_end(struct trace *trace, int64_t at_ns, uint64_t connection)
{
    (void)trace, (void)at_ns, (void)connection;
}

static void on_event(struct trace *trace, int64_t at_ns, const char *component, const char *what,
                     uint64_t number)
{
    struct live_trace *live = of_trace(trace);

    if (live->record)
        live->record->ops->event(live->record, at_ns, component, what, number);
}

void live_trace_init(struct live_trace *live, const struct san_names *names,
                     struct live_trace_user *user)
{
    static const struct trace_ops ops = {.io = on_io,
                                         .sign = on_sign,
                                         .path = on_path,
                                         .host_lost = on_host_lost,
                                         .broken = on_broken,
                                         .pdu = on_pdu,
                                         .pdu_end = on_pdu_end,
                                         .event = on_event};

    *live = (struct live_trace){.trace = {&ops}, .names = names, .user = user};
}
