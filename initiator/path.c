/* The life of one path: connect, log in, hold, reconnect, log out. */
#include "initiator/path_inside.h"

#include "sim/core/mem.h"
#include "sim/core/timer_granularity.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTIONS_MOST 4u /* in a row; a loop of them is a failed login */

/* After a refusal by a host whose profile knows no delay for it: a login storm helps nobody. */
#define LEAST_REST_NS SECONDS(1)

static const char *const service_words[] = {
#define X(name, word) word,
    PATH_SERVICES(X)
#undef X
};

static const char *const link_words[] = {
#define X(name, word) word,
    PATH_LINKS(X)
#undef X
};

const char *path_service_word(enum path_service service)
{
    return service_words[service];
}

const char *path_link_word(enum path_link link)
{
    return link_words[link];
}

/* Events. Their number per call is bounded, and the owner drains them after each call. */

void path_emit(struct path *path, struct path_event event, const char *format, ...)
{
    assert(path->event_count < PATH_EVENTS_MOST);
    struct path_event_slot *slot =
        &path->events[(path->event_head + path->event_count++) % PATH_EVENTS_MOST];
    va_list values;

    slot->event = event;
    va_start(values, format);
    vsnprintf(slot->text, sizeof(slot->text), format, values);
    va_end(values);
    slot->event.text = slot->text;
}

bool path_next_event(struct path *path, struct path_event *ret_event)
{
    if (path->event_count == 0)
        return false;
    *ret_event = path->events[path->event_head].event;
    path->event_head = (path->event_head + 1) % PATH_EVENTS_MOST;
    path->event_count--;
    return true;
}

int64_t path_timer_ns(const struct path *path, int64_t span_ns, int64_t now_ns)
{
    return timer_granularity_fire_ns(now_ns, span_ns, path->config.timer_tick_ns,
                                     path->config.timer_wheel);
}

/* All changes of the two states pass here. */

static void enter_service(struct path *path, enum path_service service, const char *why)
{
    enum path_service old = path->service;

    if (old == service)
        return;
    assert(service != SERVICE_HOLDING || old == SERVICE_UP);
    assert(service != SERVICE_FAILED || old != SERVICE_STARTING);
    path->service = service;
    path_emit(path,
              (struct path_event){.kind = PATH_CHANGED, .old_service = old, .new_service = service},
              "%s", why);
}

static void enter_link(struct path *path, enum path_link link, int64_t deadline_ns)
{
    assert(link != PATH_LINK_LOGGED_IN || path->link == PATH_LINK_LOGGING_IN);
    assert(link != PATH_LINK_LOGGING_OUT || path->link == PATH_LINK_LOGGED_IN);
    path->link = link;
    path->link_deadline_ns = deadline_ns;
}

/* Life. */

struct path *path_new(const struct path_config *config)
{
    struct path *path = mem_new(sizeof(*path));

    assert(config->timer_tick_ns >= 0);
    path->config = *config;
    path->service = SERVICE_STOPPED;
    path->link = PATH_LINK_IDLE;
    path->link_deadline_ns = TIME_NEVER;
    path->hold_deadline_ns = TIME_NEVER;
    path->leave_at_ns = TIME_NEVER;
    path->recovery.deadline_ns = TIME_NEVER;
    timers_init(path);
    lanes_init(&path->lanes,
               config->rules->queue_depth > 0 ? config->rules->queue_depth : ISESSION_TASKS_MOST);
    return path;
}

void path_free(struct path *path)
{
    if (!path)
        return;
    isession_free(path->session);
    lanes_fini(&path->lanes);
    free(path);
}

static void forget_session(struct path *path)
{
    isession_free(path->session);
    path->session = NULL;
}

static void attempt(struct path *path, int64_t now_ns)
{
    const struct path_config *config = &path->config;
    const struct path_rules *rules = config->rules;
    uint32_t most = rules->max_commands;
    struct isession_config session = {
        .initiator_name = config->initiator_name,
        .target_name = config->target_name,
        .first_cmd_sn = config->first_cmd_sn,
        .offer = *config->offer,
        .stops_data_at_abort = rules->extends_busy_timeout, /* both are libiscsi's ways */
        .logs_pdus = config->logs_pdus,
        .chap = config->chap,
        .max_commands = most == 0 || most >= ISESSION_TASKS_MOST ? ISESSION_TASKS_MOST : most + 1,
        .pool = config->pool,
    };

    memcpy(session.isid, config->isid, sizeof(session.isid));
    forget_session(path);
    path->session = isession_new(&session);
    path->attempt_at_ns = now_ns;
    path->has_stream = true;
    path->counters.connects++;
    int64_t limit_ns =
        rules->connect_timeout_ns > 0 ? rules->connect_timeout_ns : rules->login_timeout_ns;
    enter_link(path, PATH_LINK_CONNECTING,
               limit_ns > 0 ? time_after(now_ns, limit_ns) : TIME_NEVER);
    path_emit(path, (struct path_event){.kind = PATH_OPEN, .to = path->to}, "%s", "");
}

static void drop_stream(struct path *path, enum path_event_kind how)
{
    if (path->has_stream)
        path_emit(path, (struct path_event){.kind = how}, "%s", "");
    path->has_stream = false;
}

/* A service or a daemon waits here (iscsid: epoll), never a timer of the kernel's wheel. */
static void rest(struct path *path, int64_t delay_ns, int64_t now_ns)
{
    enter_link(path, PATH_LINK_RESTING,
               timer_granularity_fire_ns(now_ns, delay_ns, path->config.timer_tick_ns, false));
}

/* For a refused connect or login, and for errors of this host. */
static int64_t refused_delay_ns(const struct path *path)
{
    const struct path_rules *rules = path->config.rules;

    if (rules->refused_delay_ns > 0)
        return rules->refused_delay_ns;
    return time_max(rules->reconnect_delay_ns, LEAST_REST_NS);
}

static void attempt_failed(struct path *path, enum trace_layer layer, const char *what,
                           const char *why, int64_t delay_ns, int64_t now_ns)
{
    if (path->link == PATH_LINK_LOGGING_IN)
        path->counters.login_failures++;
    path_emit(path, (struct path_event){.kind = PATH_SIGN, .layer = layer}, "%s: %s", what, why);
    drop_stream(path, PATH_ABORT);
    path->to = path->home;
    path->redirections = 0;
    rest(path, delay_ns, now_ns);
}

void path_start(struct path *path, int64_t now_ns)
{
    assert(path->link == PATH_LINK_IDLE);
    path->home = path->config.portal;
    path->to = path->home;
    path->is_stopping = false;
    enter_service(path, SERVICE_STARTING, "started");
    attempt(path, now_ns);
}

/* The end of a session. */

static void stop_session_timers(struct path *path)
{
    path->is_admitted = false;
    path->is_leaving = false;
    path->leave_at_ns = TIME_NEVER;
    path->nop.deadline_ns = TIME_NEVER;
    timers_init(path);
    path->recovery = (struct recovery){.deadline_ns = TIME_NEVER};
}

static void begin_hold(struct path *path, const char *why, int64_t now_ns)
{
    int64_t hold_ns = path->config.rules->hold_ns;

    if (path->service != SERVICE_UP && path->service != SERVICE_HOLDING)
        return;
    if (path->service == SERVICE_UP)
        enter_service(path, SERVICE_HOLDING, why);
    path->hold_deadline_ns = path_timer_ns(path, hold_ns, now_ns);
}

static void stopped(struct path *path)
{
    path_keep_orphans(path);
    path_fail_commands(path);
    path->hold_deadline_ns = TIME_NEVER;
    enter_link(path, PATH_LINK_IDLE, TIME_NEVER);
    enter_service(path, SERVICE_STOPPED, "stopped");
}

static int64_t reopen_delay_ns(const struct path *path, const struct isession_event *end)
{
    bool target_said_so = end->is_async || end->end == LOST_LOGGED_OUT;

    if (target_said_so || path->config.rules->waits_time2wait)
        return SECONDS(end->time2wait_s);
    return 0;
}

/* A session in full feature phase is over, whoever ended it. */
static void left(struct path *path, const struct isession_event *end, int64_t now_ns)
{
    char why[PATH_TEXT_BYTES];
    bool in_order = end->end == LOST_LOGGED_OUT;

    snprintf(why, sizeof(why), "session dropped: %s",
             end->text[0] ? end->text : isession_end_word(end->end));
    stop_session_timers(path);
    if (in_order)
        path->counters.logouts++;
    else
        path->counters.session_drops++;
    drop_stream(path, in_order ? PATH_CLOSE : PATH_ABORT);
    path_emit(path, (struct path_event){.kind = PATH_LEFT}, "%s", why);
    if (path->is_stopping) {
        stopped(path);
        return;
    }
    path_emit(path, (struct path_event){.kind = PATH_SIGN, .layer = LAYER_ISCSI, .is_change = true},
              "%s", why);
    path_keep_orphans(path);
    begin_hold(path, why, now_ns);
    path->to = path->home;
    rest(path, reopen_delay_ns(path, end), now_ns);
}

static void login_failed(struct path *path, const struct isession_event *end, int64_t now_ns)
{
    char why[PATH_TEXT_BYTES];

    if (end->end == LOST_LOGIN_FAILED)
        snprintf(why, sizeof(why), "status %02x%02x, %s", end->status_class, end->status_detail,
                 iscsi_login_status_word(end->status_class, end->status_detail));
    else
        snprintf(why, sizeof(why), "%s", end->text[0] ? end->text : isession_end_word(end->end));
    attempt_failed(path, LAYER_ISCSI, "login failed", why, refused_delay_ns(path), now_ns);
}

/* One portal sends us to another, and that to the next: nobody wants us. Whatever was said to be
 * for good, the next login begins where the administrator said. */
static void redirected_in_a_loop(struct path *path, struct endpoint to, int64_t now_ns)
{
    char why[PATH_TEXT_BYTES];

    snprintf(why, sizeof(why), "redirected %u times in a row, at last to %u.%u.%u.%u:%u",
             (unsigned)path->redirections, to.address >> 24, to.address >> 16 & 255,
             to.address >> 8 & 255, to.address & 255, (unsigned)to.port);
    path->home = path->config.portal;
    attempt_failed(path, LAYER_ISCSI, "login failed", why, refused_delay_ns(path), now_ns);
}

/* RFC 7143, 11.13.5: 0101h is for this login alone, so that the next one asks the old portal again;
 * 0102h is for those to come, too. Linux' iscsid does so (its "failback address"); like there, what
 * is for good ends with path_stop(), since nobody wrote it down. What Windows does with 0102h is
 * not documented: it is taken to do the same. */
static void redirected(struct path *path, const struct isession_event *event, int64_t now_ns)
{
    struct endpoint to = {.address = event->moved_address, .port = event->moved_port};

    if (++path->redirections > REDIRECTIONS_MOST) {
        redirected_in_a_loop(path, to, now_ns);
        return;
    }
    drop_stream(path, PATH_CLOSE);
    path->to = to;
    if (event->has_moved_for_good)
        path->home = to;
    rest(path, 0, now_ns);
}

static void logged_in(struct path *path, int64_t now_ns)
{
    const struct path_rules *rules = path->config.rules;

    path->counters.logins++;
    path->redirections = 0;
    nop_watch_init(&path->nop,
                   &(struct nop_rules){.interval_ns = rules->nop_interval_ns,
                                       .timeout_ns = rules->nop_timeout_ns,
                                       .tick_ns = path->config.timer_tick_ns,
                                       .is_wheel = path->config.timer_wheel},
                   now_ns);
    enter_link(path, PATH_LINK_LOGGED_IN, TIME_NEVER);
    if (path->service == SERVICE_HOLDING) /* the clock of the hold stops; the scan has as long */
        path->hold_deadline_ns = path_timer_ns(path, rules->hold_ns, now_ns);
    path_emit(path, (struct path_event){.kind = PATH_LOGGED_IN}, "%s", "");
}

/* Async event 1 (RFC 7143, 11.9.1): the commands that are out may end, then we log out; at half of
 * the time that the target gives, at the latest. */
static void asked_to_leave(struct path *path, uint16_t within_s, int64_t now_ns)
{
    if (path->link != PATH_LINK_LOGGED_IN || path->is_leaving)
        return;
    path->counters.async_logouts++;
    path->is_leaving = true;
    path->leave_at_ns = time_after(
        now_ns, time_min(path->config.rules->async_logout_delay_ns, SECONDS(within_s) / 2));
    path_emit(path, (struct path_event){.kind = PATH_SIGN, .layer = LAYER_ISCSI, .is_change = true},
              "target asked for a logout");
}

static void log_out(struct path *path, int64_t now_ns)
{
    int64_t limit_ns = path->config.rules->logout_timeout_ns;

    path->leave_at_ns = TIME_NEVER;
    path->is_leaving = true;
    path->recovery = (struct recovery){.deadline_ns = TIME_NEVER};
    isession_logout(path->session, ISCSI_LOGOUT_CLOSE_SESSION);
    enter_link(path, PATH_LINK_LOGGING_OUT,
               limit_ns > 0 ? time_after(now_ns, limit_ns) : TIME_NEVER);
}

static void session_told(struct path *path, const struct isession_event *event, int64_t now_ns)
{
    switch (event->kind) {
    case ISESSION_LOGGED_IN:
        logged_in(path, now_ns);
        break;
    case ISESSION_REDIRECTED:
        redirected(path, event, now_ns);
        break;
    case ISESSION_ENDED:
        if (path->link == PATH_LINK_LOGGED_IN || path->link == PATH_LINK_LOGGING_OUT)
            left(path, event, now_ns);
        else
            login_failed(path, event, now_ns);
        break;
    case ISESSION_TMF_DONE:
        recovery_answered(path, event->tmf_tag, event->response, now_ns);
        break;
    case ISESSION_LOGOUT_ASKED:
        asked_to_leave(path, event->parameter3, now_ns);
        break;
    case ISESSION_PONG:
        nop_watch_answered(&path->nop, now_ns);
        break;
    case ISESSION_ASYNC_SCSI: /* a unit attention says the same to the next command */
    case ISESSION_TEXT_DONE:  /* nothing was asked */
    case ISESSION_TEXT_REJECTED:
        break;
    }
}

/* After each call into the session. A ISESSION_ENDED is its last event, so that the session may be
 * another one after the loop. */
void path_drain_session(struct path *path, int64_t now_ns)
{
    struct isession_event event;

    path_collect(path);
    while (path->session && isession_next_event(path->session, &event))
        session_told(path, &event, now_ns);
    path_collect(path);
    path_pump(path, now_ns);
    if (path->is_leaving && path->link == PATH_LINK_LOGGED_IN && path->open == 0)
        log_out(path, now_ns);
}

void path_drop(struct path *path, const char *text, int64_t now_ns)
{
    if (path->link != PATH_LINK_LOGGED_IN)
        return;
    isession_give_up(path->session, text);
    path_drain_session(path, now_ns);
}

void path_stop(struct path *path, int64_t now_ns)
{
    if (path->is_stopping || path->service == SERVICE_STOPPED)
        return;
    path->is_stopping = true;
    path->hold_deadline_ns = TIME_NEVER;
    path_fail_commands(path);
    switch (path->link) {
    case PATH_LINK_LOGGED_IN:
        log_out(path, now_ns);
        break;
    case PATH_LINK_LOGGING_OUT: /* at the target's wish, and for good now */
        break;
    case PATH_LINK_CONNECTING:
    case PATH_LINK_LOGGING_IN:
    case PATH_LINK_RESTING:
    case PATH_LINK_IDLE:
        drop_stream(path, PATH_ABORT);
        stopped(path);
        break;
    }
}

/* The stream. */

void path_connected(struct path *path, int64_t now_ns)
{
    const struct path_rules *rules = path->config.rules;

    if (path->link != PATH_LINK_CONNECTING)
        return;
    /* open-iscsi's login_timeout runs from the beginning of the connect. */
    int64_t from_ns = rules->connect_timeout_ns > 0 ? now_ns : path->attempt_at_ns;
    int64_t limit_ns = rules->login_timeout_ns;

    enter_link(path, PATH_LINK_LOGGING_IN,
               limit_ns > 0 ? time_after(from_ns, limit_ns) : TIME_NEVER);
    isession_connected(path->session, 0, now_ns);
    path_drain_session(path, now_ns);
}

size_t path_room(const struct path *path)
{
    return path->has_stream && path->session ? isession_room(path->session, 0) : 0;
}

uint32_t path_look_ahead(const struct path *path, const struct buf *bytes, uint32_t ret_tags[],
                         uint32_t most)
{
    return path->session ? isession_look_ahead(path->session, 0, bytes, ret_tags, most) : 0;
}

void path_feed(struct path *path, struct buf *bytes, int64_t now_ns)
{
    if (!path->has_stream) {
        buf_free(bytes);
        return;
    }
    if (path->link == PATH_LINK_LOGGED_IN)
        nop_watch_heard(&path->nop, now_ns);
    isession_feed(path->session, 0, bytes, now_ns);
    path_drain_session(path, now_ns);
}

struct buf *path_take(struct path *path, size_t max_bytes, int64_t now_ns)
{
    if (!path->has_stream)
        return NULL;
    return isession_take(path->session, 0, max_bytes, now_ns);
}

void path_closed(struct path *path, enum close_reason reason, int64_t now_ns)
{
    if (!path->has_stream)
        return;
    path->has_stream = false;
    if (path->link == PATH_LINK_CONNECTING) {
        int64_t delay_ns = reason == CLOSED_RETRANSMISSION_LIMIT || reason == CLOSED_USER_TIMEOUT
                               ? path->config.rules->reconnect_delay_ns
                               : refused_delay_ns(path);

        attempt_failed(path, LAYER_TCP, "connect failed", close_reason_word(reason), delay_ns,
                       now_ns);
        return;
    }
    if (path->link != PATH_LINK_LOGGING_OUT)
        path_emit(path,
                  (struct path_event){.kind = PATH_SIGN, .layer = LAYER_TCP, .is_change = true},
                  "connection closed: %s", close_reason_word(reason));
    isession_closed(path->session, 0, now_ns);
    path_drain_session(path, now_ns);
}

void path_carrier(struct path *path, bool is_up, int64_t now_ns)
{
    (void)now_ns;
    path_emit(path,
              (struct path_event){.kind = PATH_SIGN, .layer = LAYER_LINK, .is_change = !is_up},
              "carrier %s", is_up ? "back" : "lost");
}

const uint8_t *path_next_pdu(struct path *path, bool *ret_from_target)
{
    uint32_t connection;

    return path->session ? isession_next_pdu(path->session, &connection, ret_from_target) : NULL;
}

/* Time. */

int64_t path_deadline_ns(const struct path *path)
{
    int64_t at_ns = time_min(path->link_deadline_ns, path->hold_deadline_ns);

    if (path->link == PATH_LINK_LOGGED_IN) {
        at_ns = time_min(at_ns, path->nop.deadline_ns);
        at_ns = time_min(at_ns, path->leave_at_ns);
        at_ns = time_min(at_ns, recovery_deadline_ns(path));
    }
    return at_ns;
}

static void wake_link(struct path *path, int64_t now_ns)
{
    if (now_ns < path->link_deadline_ns)
        return;
    switch (path->link) {
    case PATH_LINK_RESTING:
        attempt(path, now_ns);
        break;
    case PATH_LINK_CONNECTING:
        attempt_failed(path, LAYER_TCP, "connect failed", "time-out",
                       path->config.rules->reconnect_delay_ns, now_ns);
        break;
    case PATH_LINK_LOGGING_IN:
        attempt_failed(path, LAYER_ISCSI, "login failed", "time-out",
                       path->config.rules->reconnect_delay_ns, now_ns);
        break;
    case PATH_LINK_LOGGING_OUT:
        isession_give_up(path->session, "logout time-out");
        path_drain_session(path, now_ns);
        break;
    case PATH_LINK_IDLE:
    case PATH_LINK_LOGGED_IN:
        break;
    }
}

static void wake_hold(struct path *path, int64_t now_ns)
{
    if (now_ns < path->hold_deadline_ns)
        return;
    path->hold_deadline_ns = TIME_NEVER;
    path->counters.hold_expiries++;
    enter_service(path, SERVICE_FAILED, "hold time over");
    path_fail_commands(path);
}

static void wake_nop(struct path *path, int64_t now_ns)
{
    switch (nop_watch_wake(&path->nop, now_ns)) {
    case NOP_NOTHING:
        break;
    case NOP_SEND_PING:
        isession_ping(path->session, true);
        break;
    case NOP_DROP:
        path->counters.nop_timeouts++;
        isession_give_up(path->session, "nop time-out");
        path_drain_session(path, now_ns);
        break;
    }
}

void path_wake(struct path *path, int64_t now_ns)
{
    if (path->link == PATH_LINK_LOGGED_IN)
        wake_nop(path, now_ns);
    if (path->link == PATH_LINK_LOGGED_IN) {
        recovery_wake(path, now_ns);
        path_drain_session(path, now_ns);
    }
    if (path->link == PATH_LINK_LOGGED_IN && now_ns >= path->leave_at_ns)
        log_out(path, now_ns);
    wake_hold(path, now_ns);
    wake_link(path, now_ns);
}

/* The scan's verdict. */

void path_admit(struct path *path, int64_t now_ns)
{
    if (path->link != PATH_LINK_LOGGED_IN || path->is_stopping)
        return;
    path->is_admitted = true;
    path->hold_deadline_ns = TIME_NEVER;
    path_unshelve(path);
    enter_service(path, SERVICE_UP, "logged in");
    path_pump(path, now_ns);
}

void path_refuse(struct path *path, const char *text, int64_t now_ns)
{
    (void)now_ns;
    if (path->service != SERVICE_UP && path->service != SERVICE_HOLDING)
        return;
    path->is_admitted = false;
    path->hold_deadline_ns = TIME_NEVER;
    enter_service(path, SERVICE_FAILED, text);
    path_fail_commands(path);
}

/* What it is now. */

enum path_service path_service(const struct path *path)
{
    return path->service;
}

enum path_link path_link(const struct path *path)
{
    return path->link;
}

bool path_is_admitted(const struct path *path)
{
    return path->is_admitted;
}

const struct isession *path_session(const struct path *path)
{
    bool lives = path->link == PATH_LINK_LOGGED_IN || path->link == PATH_LINK_LOGGING_OUT;

    return lives ? path->session : NULL;
}

const struct path_counters *path_counters(const struct path *path)
{
    static const struct path_counters none;

    return path ? &path->counters : &none;
}
