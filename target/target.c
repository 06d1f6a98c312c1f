/* The iSCSI target node: see target.h. */
#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "sim/core/mem.h"
#include "target/conn_inside.h"

/* What this target can do, whatever the profile would like (see target_new()). */
static void bound_profile(struct array_profile *profile)
{
    profile->iscsi.data_pdu_in_order = true;
    profile->iscsi.data_sequence_in_order = true;
    profile->iscsi.error_recovery_level = 0;
    if (profile->iscsi.protocol_level == 0 || profile->iscsi.protocol_level > ISCSI_LEVEL_QUERIES)
        profile->iscsi.protocol_level = ISCSI_LEVEL_QUERIES;
    profile->iscsi.max_connections = 1;
    if (profile->max_commands == 0)
        profile->max_commands = 1;
    if (profile->max_commands > TARGET_MOST_COMMANDS)
        profile->max_commands = TARGET_MOST_COMMANDS;
}

struct target *target_new(const struct target_config *config)
{
    struct target *target = mem_new(sizeof(*target));

    assert(config->portal_count >= 1);
    assert(config->portal_count <= TARGET_MOST_PORTALS);
    *target = (struct target){
        .portal_count = config->portal_count,
        .profile = *config->profile,
        .device = config->device,
        .pool = config->pool,
        .trace = config->trace,
        .watch = config->watch,
        .is_in_service = true,
        .limits = config->limits,
        .next_connection = config->first_connection,
        .plant = config->plant,
        .chance = config->chance,
    };
    snprintf(target->name, sizeof(target->name), "%s", config->name);
    snprintf(target->alias, sizeof(target->alias), "%s", config->alias ? config->alias : "");
    memcpy(target->portals, config->portals, config->portal_count * sizeof(*config->portals));
    bound_profile(&target->profile);
    if (target->limits.connections == 0)
        target->limits.connections = UINT16_MAX;
    if (target->limits.sessions == 0)
        target->limits.sessions = UINT16_MAX;
    if (target->limits.moving_bytes == 0)
        target->limits.moving_bytes = UINT64_MAX;
    return target;
}

static void end_all_sessions(struct target *target)
{
    while (target->sessions) {
        struct session *session = target->sessions;

        target_session_end(session);
        target_session_settle(session);
    }
}

void target_free(struct target *target)
{
    struct session *ghost;
    struct session *next;

    if (!target)
        return;
    assert(!target->conns);
    end_all_sessions(target);
    DL_FOREACH_SAFE(target->ghosts, ghost, next)
    free(ghost);
    assert(!target->over);
    assert(target->open_count == 0);
    assert(target->moving_bytes == 0);
    free(target);
}

/* ---- the restless ---- */

void target_mark_restless(struct target *target, struct conn *conn)
{
    if (conn->is_restless)
        return;
    conn->is_restless = true;
    conn->next_restless = NULL;
    if (target->restless_head) {
        target->restless_tail->next_restless = conn;
        target->restless_tail = conn;
        return;
    }
    target->restless_head = conn;
    target->restless_tail = conn;
    if (target->watch)
        target->watch->on_restless(target->watch);
}

void target_unmark_restless(struct target *target, struct conn *conn)
{
    struct conn *before = NULL;

    if (!conn->is_restless)
        return;
    for (struct conn *each = target->restless_head; each != conn; each = each->next_restless)
        before = each;
    if (before)
        before->next_restless = conn->next_restless;
    else
        target->restless_head = conn->next_restless;
    if (target->restless_tail == conn)
        target->restless_tail = before;
    conn->is_restless = false;
}

void target_set_chap(struct target *target, const struct chap_policy *normal,
                     const struct chap_policy *discovery)
{
    assert(target->chance || normal->user_count + discovery->user_count == 0);
    target->chap = *normal;
    target->discovery_chap = *discovery;
}

struct conn *target_next_restless(struct target *target)
{
    struct conn *conn = target->restless_head;

    if (conn)
        target_unmark_restless(target, conn);
    return conn;
}

/* ---- sessions that wait to be continued ---- */

int64_t target_deadline_ns(const struct target *target)
{
    int64_t deadline_ns = TIME_NEVER;

    const struct session *session;

    DL_FOREACH(target->retained, session)
    deadline_ns = time_min(deadline_ns, session->retained_until_ns);
    return deadline_ns;
}

void target_wake(struct target *target, int64_t now_ns)
{
    struct session *session;
    struct session *next;

    DL_FOREACH_SAFE(target->retained, session, next)
    {
        if (session->retained_until_ns > now_ns)
            continue;
        target_session_end(session);
        target_session_settle(session);
    }
}

/* ---- operators and faults ---- */

static bool is_meant(const struct session *session, const char *initiator_name)
{
    return session->conns && !session->key.is_discovery &&
           (!initiator_name || strcmp(session->key.initiator_name, initiator_name) == 0);
}

static void drop_session(struct session *session, bool is_told, int64_t now_ns)
{
    uint16_t time2wait_s = (uint16_t)session->params.time2wait_s;
    struct conn *next;

    target_session_end(session); /* its memory goes with the last connection */
    for (struct conn *conn = session->conns; conn; conn = next) {
        next = conn->next_of_session;
        if (is_told) {
            conn_send_async(conn, ISCSI_ASYNC_DROP_SESSION, 0, time2wait_s, 0);
            conn_close_when_sent(conn, CONN_DROPPED, "", now_ns);
        } else {
            conn_drop(conn, CONN_DROPPED, "", now_ns);
        }
    }
}

size_t target_drop_sessions(struct target *target, const char *initiator_name, bool is_told,
                            int64_t now_ns)
{
    struct session *next;
    size_t count = 0;

    for (struct session *session = target->sessions; session; session = next) {
        next = session->hh.next;
        if (!is_meant(session, initiator_name))
            continue;
        drop_session(session, is_told, now_ns);
        count++;
    }
    return count;
}

size_t target_ask_logout(struct target *target, const char *initiator_name, uint16_t seconds,
                         int64_t now_ns)
{
    size_t count = 0;

    for (struct session *session = target->sessions; session; session = session->hh.next) {
        if (!is_meant(session, initiator_name))
            continue;
        for (struct conn *conn = session->conns; conn; conn = conn->next_of_session) {
            conn_send_async(conn, ISCSI_ASYNC_LOGOUT_REQUESTED, 0, 0, seconds);
            conn->logout_by_ns = time_after(now_ns, SECONDS(seconds));
        }
        count++;
    }
    return count;
}

void target_crash(struct target *target)
{
    struct conn *conn;

    /* The tasks come back first, so that nothing is left for the sessions to wait for. */
    device_crash(target->device);
    DL_FOREACH(target->conns, conn)
    conn_drop(conn, CONN_CRASHED, "", 0);
    end_all_sessions(target);
}

void target_redirect(struct target *target, struct endpoint to, bool is_permanent)
{
    target->moved_to = to;
    target->has_moved_for_good = is_permanent;
}

void target_set_in_service(struct target *target, bool is_in_service)
{
    target->is_in_service = is_in_service;
}

/* ---- who is here ---- */

size_t target_session_count(const struct target *target)
{
    const struct session *ghost;
    size_t count = HASH_COUNT(target->sessions);

    DL_FOREACH(target->ghosts, ghost)
    count++;
    return count;
}

static void describe(const struct session *session, struct session_info *ret_info)
{
    const struct conn *conn = session->conns;

    *ret_info = (struct session_info){
        .initiator_name = session->key.initiator_name,
        .tsih = session->tsih,
        .portal_group_tag = session->key.portal_group_tag,
        .is_discovery = session->key.is_discovery != 0,
        .connection_count = session->conn_count,
    };
    memcpy(ret_info->isid, session->key.isid, sizeof(ret_info->isid));
    if (!conn)
        return;
    ret_info->connection = conn->number;
    ret_info->local = conn->local;
    ret_info->remote = conn->remote;
}

void target_session_info(const struct target *target, size_t session_index,
                         struct session_info *ret_info)
{
    const struct session *session = target->sessions;

    assert(session_index < target_session_count(target));
    while (session && session_index > 0) {
        session = session->hh.next;
        session_index--;
    }
    if (!session) {
        session = target->ghosts;
        while (session_index-- > 0)
            session = session->next;
    }
    describe(session, ret_info);
}

bool conn_session_info(const struct conn *conn, struct session_info *ret_info)
{
    if (!conn->session || conn->session->is_over)
        return false;
    describe(conn->session, ret_info);
    return true;
}

size_t target_sessions_of(const struct target *target, const char *initiator_name)
{
    size_t count = 0;

    for (const struct session *session = target->sessions; session; session = session->hh.next)
        count +=
            !session->key.is_discovery && strcmp(session->key.initiator_name, initiator_name) == 0;
    return count;
}

const struct target_counters *target_counters(const struct target *target)
{
    return &target->counters;
}
