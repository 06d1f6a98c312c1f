/* A core and its stream. */
#include "initiator/host_inside.h"

#include "iscsi/framer.h"

#include <assert.h>
#include <stdio.h>

void host_rearm(struct host *host, struct timer *timer, int64_t at_ns)
{
    int64_t now_ns = clock_now_ns(host->config.clock);

    if (at_ns < now_ns)
        at_ns = now_ns;
    if (at_ns == TIME_NEVER || (timer_is_armed(timer) && timer->at_ns <= at_ns))
        return;
    clock_arm(host->config.clock, timer, at_ns);
}

void line_init(struct line *line, struct host *host, const struct stream_user_ops *ops,
               timer_fire_fn *fire)
{
    *line = (struct line){.host = host, .user = {.ops = ops}};
    timer_init(&line->timer, fire);
}

void line_open(struct line *line, uint32_t from, struct endpoint to)
{
    struct host *host = line->host;

    assert(!line->stream);
    line->connection = (uint64_t)(host->config.index + 1) << 40 | ++host->connections;
    line->is_paused = false;
    line->stream = net_connect(host->config.net, (struct endpoint){.address = from}, to,
                               &host->config.profile->tcp, &line->user);
}

static void line_ended(struct line *line)
{
    struct host *host = line->host;
    struct trace *trace = host->config.trace;

    line->stream = NULL;
    line->trace_memo = NULL;
    trace->ops->pdu_end(trace, clock_now_ns(host->config.clock), line->connection);
}

void line_drop(struct line *line, enum line_end how)
{
    struct stream *stream = line->stream;

    if (!stream)
        return;
    line_ended(line);
    switch (how) {
    case LINE_CLOSE:
        stream_close(stream);
        break;
    case LINE_ABORT:
        stream_abort(stream);
        break;
    case LINE_LEAVE: /* what it may still say goes unheard: 'stream' is NULL */
        break;
    }
}

void line_trace_pdu(struct line *line, const uint8_t *header, bool is_from_target)
{
    struct trace *trace = line->host->config.trace;
    struct trace_pdu pdu = {.connection = line->connection,
                            .is_from_target = is_from_target,
                            .header = header,
                            .memo = &line->trace_memo};

    trace->ops->pdu(trace, clock_now_ns(line->host->config.clock), &pdu);
}

/* Reading goes on and off with the room of the core. */
static void regulate(struct line *line, size_t room_bytes)
{
    if (!line->stream || line->is_paused == (room_bytes == 0))
        return;
    line->is_paused = room_bytes == 0;
    if (line->is_paused)
        stream_pause(line->stream);
    else
        stream_resume(line->stream);
}

/* Paths. A stream that a crash left to the net may still speak: nobody listens ('stream' is NULL).
 */

static struct host_path *path_of(struct stream_user *user)
{
    return CONTAINER_OF(user, struct host_path, line.user);
}

static int64_t now_of(const struct host *host)
{
    return clock_now_ns(host->config.clock);
}

static void path_stands(struct stream_user *user)
{
    struct host_path *p = path_of(user);

    if (!p->line.stream)
        return;
    path_connected(p->path, now_of(p->line.host));
    host_mark_path(p);
    host_drain(p->line.host);
}

/* The trace, too, knows something of the tasks that 'bytes' are about. */
static void look_ahead(struct host_path *p, const struct buf *bytes)
{
    struct trace *trace = p->line.host->config.trace;
    uint32_t tags[FRAMER_TAGS_MOST];
    uint32_t count = path_look_ahead(p->path, bytes, tags, FRAMER_TAGS_MOST);
    struct trace_pdu end = {.connection = p->line.connection, .memo = &p->line.trace_memo};

    if (trace->ops->tasks_ahead)
        trace->ops->tasks_ahead(trace, &end, tags, count);
}

static void path_gets(struct stream_user *user, struct buf *data)
{
    struct host_path *p = path_of(user);

    if (!p->line.stream) {
        buf_free(data);
        return;
    }
    look_ahead(p, data);
    path_feed(p->path, data, now_of(p->line.host));
    host_mark_path(p);
    host_drain(p->line.host);
}

static void path_may_send(struct stream_user *user)
{
    struct host_path *p = path_of(user);

    host_mark_path(p);
    host_drain(p->line.host);
}

static void path_broke(struct stream_user *user, enum close_reason reason)
{
    struct host_path *p = path_of(user);

    if (!p->line.stream)
        return;
    line_ended(&p->line);
    path_closed(p->path, reason, now_of(p->line.host));
    host_mark_path(p);
    host_drain(p->line.host);
}

static const struct stream_user_ops path_stream_ops = {.on_connected = path_stands,
                                                       .on_data = path_gets,
                                                       .on_space = path_may_send,
                                                       .on_closed = path_broke};

static void path_timer_fired(struct timer *timer)
{
    struct host_path *p = CONTAINER_OF(timer, struct host_path, line.timer);

    path_wake(p->path, now_of(p->line.host));
    host_mark_path(p);
    host_drain(p->line.host);
}

static void carrier_changed(struct link_watch *watch, bool is_up)
{
    struct host_path *p = CONTAINER_OF(watch, struct host_path, watch);

    if (!p->path)
        return;
    path_carrier(p->path, is_up, now_of(p->line.host));
    host_mark_path(p);
    host_drain(p->line.host);
}

void host_path_init(struct host *host, uint32_t path_index)
{
    struct host_path *p = &host->paths[path_index];

    p->index = path_index;
    p->session = &host->config.sessions[path_index];
    line_init(&p->line, host, &path_stream_ops, path_timer_fired);
    p->watch.on_link = carrier_changed;
    net_watch_link(host->config.net, p->session->from, &p->watch);
}

static void tell_event(struct host_path *p, const char *what)
{
    struct trace *trace = p->line.host->config.trace;

    trace->ops->event(trace, now_of(p->line.host), p->session->path_name, what, p->line.connection);
}

static void service_changed(struct host_path *p, const struct path_event *event)
{
    switch (event->new_service) {
    case SERVICE_HOLDING:
        host_path_news(p, NEWS_HELD, event->text);
        break;
    case SERVICE_FAILED:
    case SERVICE_STOPPED:
        host_path_news(p, NEWS_LOST, event->text);
        break;
    case SERVICE_UP: /* the disks heard of it by their arrivals, one by one */
    case SERVICE_STARTING:
        break;
    }
    tell_event(p, path_service_word(event->new_service));
}

static void path_told(struct host_path *p, const struct path_event *event)
{
    struct host *host = p->line.host;
    struct trace *trace = host->config.trace;

    switch (event->kind) {
    case PATH_OPEN:
        tell_event(p, "connect");
        line_open(&p->line, p->session->from, event->to);
        break;
    case PATH_CLOSE:
        line_drop(&p->line, LINE_CLOSE);
        break;
    case PATH_ABORT:
        line_drop(&p->line, LINE_ABORT);
        break;
    case PATH_SIGN:
        trace->ops->sign(trace, now_of(host),
                         &(struct trace_sign){.host = host->config.index,
                                              .path = p->index,
                                              .disk = TRACE_NONE,
                                              .layer = event->layer,
                                              .is_change = event->is_change,
                                              .what = event->text});
        break;
    case PATH_CHANGED:
        service_changed(p, event);
        break;
    case PATH_LOGGED_IN:
        tell_event(p, "logged in");
        if (trace->ops->agreed)
            trace->ops->agreed(trace, p->line.connection, false,
                               isession_params(path_session(p->path)));
        scan_begin(&p->scan);
        break;
    case PATH_LEFT:
        tell_event(p, "session ended");
        scan_break_off(&p->scan);
        break;
    }
}

static void command_came_back(struct host_path *p, struct command *command)
{
    struct host_disk *d = command->disk;
    int64_t now_ns = now_of(p->line.host);

    if (d) {
        mpath_command_done(d->mpath, p->index, command, now_ns);
        host_mark_disk(d);
        return;
    }
    scan_command_done(&p->scan, now_ns);
}

/* True: something happened, and may have consequences. */
static bool go_on_scanning(struct host_path *p)
{
    int64_t now_ns = now_of(p->line.host);
    struct command *command = scan_next(&p->scan, now_ns);

    if (command)
        path_submit_scan(p->path, command, now_ns);
    if (p->scan.state == SCAN_DONE) {
        p->scan.state = SCAN_IDLE;
        host_path_scanned(p);
        return true;
    }
    if (p->scan.state == SCAN_FAILED) {
        p->scan.state = SCAN_IDLE;
        path_drop(p->path, "scan failed", now_ns);
        return true;
    }
    return command != NULL;
}

/* PDUs are told in the order of the connection; those of a stream before its end. */
static void trace_pdus(struct host_path *p)
{
    const uint8_t *header;
    bool is_from_target;

    while ((header = path_next_pdu(p->path, &is_from_target)))
        line_trace_pdu(&p->line, header, is_from_target);
}

static void send_what_there_is(struct host_path *p)
{
    struct buf *bytes;

    if (!p->line.stream)
        return;
    size_t room_bytes = stream_room(p->line.stream);

    while (room_bytes > 0 && (bytes = path_take(p->path, room_bytes, now_of(p->line.host)))) {
        trace_pdus(p);
        stream_write(p->line.stream, bytes);
        room_bytes = stream_room(p->line.stream);
    }
}

void host_hear_path(struct host_path *p)
{
    struct path_event event;

    trace_pdus(p);
    while (path_next_event(p->path, &event))
        path_told(p, &event);
}

void host_drain_path(struct host_path *p)
{
    struct command *command;

    host_hear_path(p);
    while ((command = path_next_done(p->path)))
        command_came_back(p, command);
    if (p->scan.state != SCAN_IDLE && go_on_scanning(p))
        host_mark_path(p);
    send_what_there_is(p);
    regulate(&p->line, path_room(p->path));
    host_rearm(p->line.host, &p->line.timer,
               time_min(path_deadline_ns(p->path), scan_deadline_ns(&p->scan)));
}

/* Discovery. */

static void drain_discovery(struct host *host)
{
    struct line *line = &host->discovery_line;
    struct discovery *discovery = host->discovery;
    const uint8_t *header;
    bool is_from_target;
    struct buf *bytes;

    while ((header = discovery_next_pdu(discovery, &is_from_target)))
        line_trace_pdu(line, header, is_from_target);
    while (line->stream && stream_room(line->stream) > 0 &&
           (bytes = discovery_take(discovery, stream_room(line->stream), now_of(host)))) {
        while ((header = discovery_next_pdu(discovery, &is_from_target)))
            line_trace_pdu(line, header, is_from_target);
        stream_write(line->stream, bytes);
    }
    if (discovery_state(discovery) == DISCOVERY_RUNNING) {
        regulate(line, discovery_room(discovery));
        host_rearm(host, &line->timer, discovery_deadline_ns(discovery));
        return;
    }
    host_end_discovery(host);
}

static void discovery_stands(struct stream_user *user)
{
    struct host *host = CONTAINER_OF(user, struct line, user)->host;

    if (!host->discovery)
        return;
    discovery_connected(host->discovery, now_of(host));
    drain_discovery(host);
}

static void discovery_gets(struct stream_user *user, struct buf *data)
{
    struct host *host = CONTAINER_OF(user, struct line, user)->host;

    if (!host->discovery) {
        buf_free(data);
        return;
    }
    discovery_feed(host->discovery, data, now_of(host));
    drain_discovery(host);
}

static void discovery_may_send(struct stream_user *user)
{
    struct host *host = CONTAINER_OF(user, struct line, user)->host;

    if (host->discovery)
        drain_discovery(host);
}

static void discovery_broke(struct stream_user *user, enum close_reason reason)
{
    struct line *line = CONTAINER_OF(user, struct line, user);

    if (!line->stream)
        return;
    line_ended(line);
    discovery_closed(line->host->discovery, reason, now_of(line->host));
    drain_discovery(line->host);
}

static const struct stream_user_ops discovery_stream_ops = {.on_connected = discovery_stands,
                                                            .on_data = discovery_gets,
                                                            .on_space = discovery_may_send,
                                                            .on_closed = discovery_broke};

static void discovery_timer_fired(struct timer *timer)
{
    struct host *host = CONTAINER_OF(timer, struct line, timer)->host;

    discovery_wake(host->discovery, now_of(host));
    drain_discovery(host);
}

static void discovery_sign(struct host *host, const char *what)
{
    struct trace *trace = host->config.trace;

    trace->ops->sign(trace, now_of(host),
                     &(struct trace_sign){.host = host->config.index,
                                          .path = TRACE_NONE,
                                          .disk = TRACE_NONE,
                                          .layer = LAYER_ISCSI,
                                          .what = what});
}

void host_begin_discovery(struct host *host)
{
    const struct host_session *first = &host->config.sessions[0];
    struct discovery_config config = {.initiator_name = host->config.initiator_name,
                                      .offer = host->config.profile->iscsi,
                                      .chap = host->config.discovery_chap,
                                      .timeout_ns = host->config.profile->path.login_timeout_ns,
                                      .pool = host->config.pool};

    if (config.timeout_ns == 0)
        config.timeout_ns = TIME_NEVER;
    for (unsigned i = 0; i < ISID_BYTES; i++)
        config.isid[i] = host->paths[0].isid[i];
    config.isid[ISID_BYTES - 1] = 0; /* paths count from 1 */
    host->discovery = discovery_new(&config, now_of(host));
    line_init(&host->discovery_line, host, &discovery_stream_ops, discovery_timer_fired);
    line_open(&host->discovery_line, first->from, first->portal);
    host_rearm(host, &host->discovery_line.timer, discovery_deadline_ns(host->discovery));
}

/* Persistent logins do not depend on it: a host logs in to the sessions that it knows, whatever
 * discovery said; what it did not say is a sign. */
void host_end_discovery(struct host *host)
{
    struct discovery *discovery = host->discovery;

    clock_cancel(host->config.clock, &host->discovery_line.timer);
    line_drop(&host->discovery_line,
              discovery_state(discovery) == DISCOVERY_DONE ? LINE_CLOSE : LINE_ABORT);
    if (discovery_state(discovery) == DISCOVERY_FAILED) {
        char what[96];

        snprintf(what, sizeof(what), "discovery failed: %s", discovery_problem(discovery));
        discovery_sign(host, what);
    } else {
        for (uint32_t i = 0; i < host->config.session_count; i++) {
            const struct host_session *session = &host->config.sessions[i];

            if (!discovery_names(discovery, session->target_name, session->portal))
                discovery_sign(host, "discovery did not name a portal");
        }
    }
    discovery_free(discovery);
    host->discovery = NULL;
    host_start_paths(host);
}
