/* The owner of an array's iSCSI: streams and timers around the cores. See portal.h. */
#include "target/portal.h"

#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "target/conn.h"
#include "target/memory_store.h"

/* A listening portal. */
struct door {
    struct acceptor acceptor;
    struct portal_node *node;
    struct target_portal portal;
    uint32_t portal_index;
};

/* A connection: its core and its stream. */
struct line {
    struct stream_user user;
    struct portal_node *node;
    struct stream *stream; /* NULL: it has ended by itself */
    struct conn *conn;
    struct timer timer;
    bool is_paused;
    struct line *next;
    struct line *prev;
};

struct portal_node {
    struct restless_watch watch;
    struct target *target;
    struct net *net;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct device *device;
    struct portal_log *log;
    struct tcp_options tcp;
    bool is_listening;
    char name[64];
    struct door doors[TARGET_MOST_PORTALS];
    size_t door_count;
    struct line *lines;
    size_t line_count;
    struct timer restless_timer;
    struct timer retained_timer;
};

static int64_t now_of(const struct portal_node *node)
{
    return clock_now_ns(node->clock);
}

/* ---- the end of a connection ---- */

static void arm_retained(struct portal_node *node)
{
    int64_t deadline_ns = target_deadline_ns(node->target);

    if (deadline_ns == TIME_NEVER)
        clock_cancel(node->clock, &node->retained_timer);
    else
        clock_arm(node->clock, &node->retained_timer, time_max(deadline_ns, now_of(node)));
}

static void free_line(struct line *line)
{
    struct portal_node *node = line->node;

    clock_cancel(node->clock, &line->timer);
    conn_free(line->conn, now_of(node));
    DL_DELETE(node->lines, line);
    node->line_count--;
    pool_give(node->pool, line, sizeof(*line));
    arm_retained(node);
}

static void tell_end(struct line *line, const struct conn_event *event)
{
    struct portal_node *node = line->node;

    node->trace->ops->event(node->trace, now_of(node), node->name, conn_end_word(event->end),
                            conn_number(line->conn));
    if (node->log && node->log->on_end)
        node->log->on_end(node->log, conn_remote(line->conn), conn_end_word(event->end),
                          event->detail);
}

static void finish(struct line *line, const struct conn_event *event)
{
    tell_end(line, event);
    if (line->stream && event->is_orderly)
        stream_close(line->stream);
    else if (line->stream)
        stream_abort(line->stream);
    free_line(line);
}

static void tell_login(struct line *line)
{
    struct portal_node *node = line->node;
    struct session_info session;

    if (!conn_session_info(line->conn, &session))
        return;
    node->trace->ops->event(node->trace, now_of(node), node->name, "login", session.tsih);
    if (node->log && node->log->on_login)
        node->log->on_login(node->log, &session);
}

/* ---- draining ---- */

static void write_out(struct line *line)
{
    for (;;) {
        size_t room_bytes = line->stream ? stream_room(line->stream) : 0;
        struct buf *bytes = conn_take(line->conn, room_bytes, now_of(line->node));

        if (!bytes)
            return;
        stream_write(line->stream, bytes);
    }
}

static void pause_or_resume(struct line *line)
{
    bool is_full = conn_room(line->conn) == 0;

    if (!line->stream || is_full == line->is_paused)
        return;
    line->is_paused = is_full;
    if (is_full)
        stream_pause(line->stream);
    else
        stream_resume(line->stream);
}

static void expect_data(struct line *line)
{
    uint32_t offset = 0;
    uint32_t bytes = conn_data_due(line->conn, &offset);

    if (line->stream && bytes > 0)
        stream_expect(line->stream, bytes, offset % MEMORY_PAGE_BYTES);
}

/* Deadlines move with every PDU, mostly away: the timer is moved only towards us, and finds out
 * when it fires. */
static void arm(struct line *line)
{
    struct clock *clock = line->node->clock;
    int64_t deadline_ns = conn_deadline_ns(line->conn);

    if (deadline_ns == TIME_NEVER ||
        (timer_is_armed(&line->timer) && line->timer.at_ns <= deadline_ns))
        return;
    clock_arm(clock, &line->timer, time_max(deadline_ns, clock_now_ns(clock)));
}

/* After each call into the core. The line may be gone when this returns. */
static void drain(struct line *line)
{
    struct conn_event event;

    write_out(line);
    while (conn_next_event(line->conn, &event)) {
        switch (event.kind) {
        case CONN_LOGGED_IN:
            tell_login(line);
            break;
        case CONN_OVER:
            finish(line, &event);
            return;
        }
    }
    pause_or_resume(line);
    expect_data(line);
    arm(line);
}

static void on_line_timer(struct timer *timer)
{
    struct line *line = CONTAINER_OF(timer, struct line, timer);

    conn_wake(line->conn, now_of(line->node));
    drain(line);
}

static void on_restless(struct restless_watch *watch)
{
    struct portal_node *node = CONTAINER_OF(watch, struct portal_node, watch);

    if (!timer_is_armed(&node->restless_timer))
        clock_arm(node->clock, &node->restless_timer, now_of(node));
}

static void drain_restless(struct portal_node *node)
{
    struct conn *conn;

    while ((conn = target_next_restless(node->target)) != NULL) {
        struct line *line = conn_owner(conn);

        conn_wake(conn, now_of(node));
        drain(line);
    }
}

static void on_restless_timer(struct timer *timer)
{
    drain_restless(CONTAINER_OF(timer, struct portal_node, restless_timer));
}

static void on_retained_timer(struct timer *timer)
{
    struct portal_node *node = CONTAINER_OF(timer, struct portal_node, retained_timer);

    target_wake(node->target, now_of(node));
    arm_retained(node);
}

/* ---- the stream ---- */

static void on_data(struct stream_user *user, struct buf *data)
{
    struct line *line = CONTAINER_OF(user, struct line, user);

    conn_feed(line->conn, data, now_of(line->node));
    drain(line);
}

static void on_space(struct stream_user *user)
{
    drain(CONTAINER_OF(user, struct line, user));
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct line *line = CONTAINER_OF(user, struct line, user);

    (void)reason;
    line->stream = NULL;
    conn_closed(line->conn, now_of(line->node));
    drain(line);
}

static const struct stream_user_ops line_ops = {
    .on_data = on_data,
    .on_space = on_space,
    .on_closed = on_closed,
};

static struct stream_user *on_accept(struct acceptor *acceptor, struct stream *stream)
{
    struct door *door = CONTAINER_OF(acceptor, struct door, acceptor);
    struct portal_node *node = door->node;
    struct conn_config config = {
        .portal_index = door->portal_index,
        .local = stream->local,
        .remote = stream->remote,
    };
    struct conn *conn = node->is_listening ? conn_new(node->target, &config, now_of(node)) : NULL;

    if (!conn) {
        if (node->is_listening && node->log && node->log->on_turned_away)
            node->log->on_turned_away(node->log, stream->remote);
        return NULL;
    }
    struct line *line = pool_take(node->pool, sizeof(*line));

    *line = (struct line){
        .user = {&line_ops},
        .node = node,
        .stream = stream,
        .conn = conn,
    };
    timer_init(&line->timer, on_line_timer);
    conn_set_owner(conn, line);
    DL_APPEND(node->lines, line);
    node->line_count++;
    arm(line);
    return &line->user;
}

/* ---- the node ---- */

struct portal_node *portal_node_new(const struct portal_node_config *config)
{
    struct portal_node *node = mem_new(sizeof(*node));
    struct target_config target = config->target;

    *node = (struct portal_node){
        .watch = {on_restless},
        .net = config->net,
        .clock = config->clock,
        .pool = target.pool,
        .trace = target.trace,
        .device = target.device,
        .log = config->log,
        .tcp = target.profile->tcp,
        .is_listening = true,
        .door_count = target.portal_count,
    };
    snprintf(node->name, sizeof(node->name), "%s", config->name);
    timer_init(&node->restless_timer, on_restless_timer);
    timer_init(&node->retained_timer, on_retained_timer);
    target.watch = &node->watch;
    node->target = target_new(&target);
    for (size_t i = 0; i < target.portal_count; i++)
        node->doors[i] = (struct door){
            .acceptor = {on_accept},
            .node = node,
            .portal = target.portals[i],
            .portal_index = (uint32_t)i,
        };
    return node;
}

void portal_node_free(struct portal_node *node)
{
    if (!node)
        return;
    node->is_listening = false;
    while (node->lines) {
        if (node->lines->stream)
            stream_abort(node->lines->stream);
        free_line(node->lines);
    }
    if (device_live_tasks(node->device) > 0)
        target_crash(node->target);
    clock_cancel(node->clock, &node->restless_timer);
    clock_cancel(node->clock, &node->retained_timer);
    target_free(node->target);
    free(node);
}

bool portal_node_open(struct portal_node *node, size_t *ret_portal_index)
{
    bool is_good = true;

    for (size_t i = 0; i < node->door_count; i++) {
        struct door *door = &node->doors[i];

        if (net_listen(node->net, door->portal.at, &node->tcp, &door->acceptor) || !is_good)
            continue;
        *ret_portal_index = i;
        is_good = false;
    }
    return is_good;
}

struct target *portal_node_target(struct portal_node *node)
{
    return node->target;
}

void portal_node_crash(struct portal_node *node)
{
    target_crash(node->target);
    drain_restless(node);
    arm_retained(node);
}

void portal_node_set_listening(struct portal_node *node, bool is_listening)
{
    node->is_listening = is_listening;
}

size_t portal_node_drop_sessions(struct portal_node *node, const char *initiator_name, bool is_told)
{
    size_t count = target_drop_sessions(node->target, initiator_name, is_told, now_of(node));

    drain_restless(node);
    return count;
}

size_t portal_node_ask_logout(struct portal_node *node, const char *initiator_name,
                              uint16_t seconds)
{
    size_t count = target_ask_logout(node->target, initiator_name, seconds, now_of(node));

    drain_restless(node);
    return count;
}

size_t portal_node_connection_count(const struct portal_node *node)
{
    return node->line_count;
}
