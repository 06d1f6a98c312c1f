/* Sessions: the table, the window with its ring, tasks by tag. */
#include "target/session.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "target/conn_inside.h"

/* ---- life ---- */

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t size = 1;

    while (size < at_least)
        size *= 2;
    return size;
}

/* 0: all are in use. They are handed out in a circle, so that an old one is not met again soon. */
static uint16_t take_tsih(struct target *target)
{
    for (uint32_t tries = 0; tries < 65535; tries++) {
        uint16_t tsih = ++target->last_tsih;

        if (tsih != 0 && !(target->tsihs_in_use[tsih / 8] & 1 << tsih % 8)) {
            target->tsihs_in_use[tsih / 8] |= (uint8_t)(1 << tsih % 8);
            return tsih;
        }
    }
    return 0;
}

static void give_tsih(struct target *target, uint16_t tsih)
{
    target->tsihs_in_use[tsih / 8] &= (uint8_t) ~(1 << tsih % 8);
}

static void make_tables(struct session *session)
{
    uint32_t places = power_of_two(session->max_commands);
    size_t bytes = 3 * places * sizeof(void *); /* pointers: one for the ring, two for tags */

    session->tables = chunk_new(session->target->pool, bytes);
    memset(session->tables->data, 0, bytes);
    session->ring = (void *)session->tables->data;
    session->ring_mask = places - 1;
    session->buckets = (void *)(session->ring + places);
    session->bucket_mask = 2 * places - 1;
}

static struct nexus *make_nexus(struct session *session)
{
    struct nexus_config config = {
        .initiator_name = session->key.initiator_name,
        .portal_group_tag = session->key.portal_group_tag,
        .portal_index = session->portal_index,
        .has_queries = session->params.protocol_level >= ISCSI_LEVEL_QUERIES,
    };

    memcpy(config.isid, session->key.isid, sizeof(config.isid));
    return device_nexus_new(session->target->device, &config);
}

struct session *target_session_new(struct target *target, const struct session_key *key,
                                   uint32_t portal_index, uint32_t exp_cmd_sn,
                                   const struct iscsi_params *params)
{
    uint16_t tsih = take_tsih(target);

    if (tsih == 0)
        return NULL;
    struct session *session = pool_take(target->pool, sizeof(*session));

    *session = (struct session){
        .target = target,
        .key = *key,
        .tsih = tsih,
        .portal_index = portal_index,
        .params = *params,
        .retained_until_ns = TIME_NEVER,
        .exp_cmd_sn = exp_cmd_sn,
        .max_commands = target->profile.max_commands,
        .told_max_cmd_sn = exp_cmd_sn + target->profile.max_commands - 1,
    };
    for (size_t i = 0; i < SESSION_SWALLOWED; i++)
        session->swallowed[i] = PDU_NO_TAG;
    make_tables(session);
    if (!key->is_discovery)
        session->nexus = make_nexus(session);
    HASH_ADD(hh, target->sessions, key, sizeof(session->key), session);
    return session;
}

struct session *target_session_find(struct target *target, const struct session_key *key)
{
    struct session *session = NULL;

    HASH_FIND(hh, target->sessions, key, sizeof(*key), session);
    return session;
}

struct session *target_session_find_over(struct target *target, const struct session_key *key)
{
    struct session *session;
    struct session *found = NULL;

    DL_FOREACH(target->over, session)
    {
        if (session->held_count > 0 && memcmp(&session->key, key, sizeof(*key)) == 0)
            found = session;
    }
    return found;
}

static void clear_ring(struct session *session)
{
    for (uint32_t i = 0; i <= session->ring_mask && session->waiting_count > 0; i++) {
        if (!session->ring[i])
            continue;
        target_session_free_waiting(session, session->ring[i]);
        session->ring[i] = NULL;
        session->waiting_count--;
    }
}

static void stop_retaining(struct session *session)
{
    if (session->retained_until_ns == TIME_NEVER)
        return;
    session->retained_until_ns = TIME_NEVER;
    DL_DELETE(session->target->retained, session);
}

void target_session_retain(struct session *session, int64_t until_ns)
{
    assert(session->conn_count == 0);
    stop_retaining(session);
    if (until_ns == TIME_NEVER)
        return;
    session->retained_until_ns = until_ns;
    DL_APPEND(session->target->retained, session);
}

void target_session_end(struct session *session)
{
    struct target *target = session->target;
    struct command *command;
    struct command *next;

    if (session->is_over)
        return;
    session->is_over = true;
    stop_retaining(session);
    HASH_DELETE(hh, target->sessions, session);
    DL_APPEND(target->over, session);
    task_requests_leave(session, NULL); /* first: they are not to hear of their commands' end */
    DL_FOREACH_SAFE(session->commands, command, next)
    command_forget(command);
    clear_ring(session);
    device_nexus_free(target->device, session->nexus);
    session->nexus = NULL;
}

static void destroy(struct session *session)
{
    struct target *target = session->target;

    assert(!session->commands);
    assert(!session->task_requests);
    assert(session->moving_bytes == 0);
    assert(session->waiting_bytes == 0);
    DL_DELETE(target->over, session);
    give_tsih(target, session->tsih);
    chunk_unref(session->tables);
    pool_give(target->pool, session, sizeof(*session));
}

void target_session_settle(struct session *session)
{
    if (session->held_count > 0)
        return;
    for (struct conn *conn = session->waiters; conn; conn = conn->next_waiter)
        target_mark_restless(session->target, conn);
    if (session->is_over && session->conn_count == 0 && !session->waiters)
        destroy(session);
}

void target_session_join(struct session *session, struct conn *conn)
{
    conn->session = session;
    conn->next_of_session = session->conns;
    session->conns = conn;
    session->conn_count++;
    stop_retaining(session);
}

void target_session_leave(struct session *session, struct conn *conn)
{
    struct command *command;
    struct command *next;

    task_requests_leave(session, conn);
    DL_FOREACH_SAFE(session->commands, command, next)
    {
        if (command->conn == conn)
            command_forget(command);
    }
    for (uint32_t i = 0; i <= session->ring_mask && session->waiting_count > 0; i++) {
        struct waiting_request *waiting = session->ring[i];

        if (waiting && waiting->conn == conn)
            target_session_plug(session, waiting->pdu.cmd_sn);
    }
    for (struct conn **each = &session->conns; *each; each = &(*each)->next_of_session) {
        if (*each == conn) {
            *each = conn->next_of_session;
            session->conn_count--;
            break;
        }
    }
    conn->next_of_session = NULL;
}

/* ---- the window ---- */

bool target_session_is_in_window(const struct session *session, uint32_t cmd_sn)
{
    return !sn_before(cmd_sn, session->exp_cmd_sn) &&
           !sn_before(target_session_max_cmd_sn(session), cmd_sn);
}

static struct waiting_request **place_of(const struct session *session, uint32_t cmd_sn)
{
    return &session->ring[cmd_sn & session->ring_mask];
}

bool target_session_keep(struct session *session, struct conn *conn, const struct pdu *pdu,
                         struct buf *data, const uint8_t *header)
{
    struct waiting_request **place = place_of(session, pdu->cmd_sn);

    assert(target_session_is_in_window(session, pdu->cmd_sn));
    if (*place)
        return false;
    *place = pool_take(session->target->pool, sizeof(**place));
    **place = (struct waiting_request){.conn = conn, .pdu = *pdu, .data = buf_to_keep(data)};
    session->waiting_bytes += pdu->data_bytes;
    memcpy((*place)->header, header, PDU_HEADER_BYTES);
    session->waiting_count++;
    return true;
}

void target_session_plug(struct session *session, uint32_t cmd_sn)
{
    struct waiting_request **place = place_of(session, cmd_sn);

    if (!*place) {
        *place = pool_take(session->target->pool, sizeof(**place));
        session->waiting_count++;
    }
    session->waiting_bytes -= (*place)->pdu.data_bytes;
    buf_free((*place)->data);
    **place = (struct waiting_request){.pdu = {.cmd_sn = cmd_sn}};
}

struct waiting_request *target_session_next_in_order(struct session *session)
{
    struct waiting_request **place = place_of(session, session->exp_cmd_sn);
    struct waiting_request *waiting = *place;

    if (session->waiting_count == 0 || !waiting)
        return NULL;
    assert(waiting->pdu.cmd_sn == session->exp_cmd_sn);
    *place = NULL;
    session->waiting_count--;
    session->exp_cmd_sn++;
    return waiting;
}

void target_session_free_waiting(struct session *session, struct waiting_request *waiting)
{
    session->waiting_bytes -= waiting->pdu.data_bytes;
    buf_free(waiting->data);
    pool_give(session->target->pool, waiting, sizeof(*waiting));
}

/* ---- tasks by tag ---- */

static struct command **bucket_of(const struct session *session, uint32_t itt)
{
    uint32_t mixed = itt * 0x9e3779b1u; /* tags count up, or carry their index high or low */

    return &session->buckets[(mixed ^ mixed >> 16) & session->bucket_mask];
}

void target_session_fetch_command(const struct session *session, uint32_t itt)
{
    __builtin_prefetch(bucket_of(session, itt));
}

struct command *target_session_find_command(const struct session *session, uint32_t itt)
{
    struct command *command = *bucket_of(session, itt);

    while (command && command->itt != itt)
        command = command->next_in_bucket;
    return command;
}

void target_session_add_command(struct session *session, struct command *command)
{
    struct command **bucket = bucket_of(session, command->itt);

    command->next_in_bucket = *bucket;
    *bucket = command;
    DL_APPEND(session->commands, command);
    command->is_listed = true;
    if (command->is_immediate)
        session->immediate_commands++;
    else
        session->open_commands++;
}

void target_session_remove_command(struct session *session, struct command *command)
{
    struct command **each = bucket_of(session, command->itt);

    if (!command->is_listed)
        return;
    while (*each != command)
        each = &(*each)->next_in_bucket;
    *each = command->next_in_bucket;
    DL_DELETE(session->commands, command);
    command->is_listed = false;
    if (command->is_immediate)
        session->immediate_commands--;
    else
        session->open_commands--;
}

uint32_t target_session_new_ttt(struct session *session)
{
    if (++session->next_ttt == PDU_NO_TAG)
        session->next_ttt = 1;
    return session->next_ttt;
}

void target_session_swallow(struct session *session, uint32_t itt)
{
    session->swallowed[session->swallowed_next++ % SESSION_SWALLOWED] = itt;
}

bool target_session_swallows(const struct session *session, uint32_t itt)
{
    for (size_t i = 0; i < SESSION_SWALLOWED; i++) {
        if (session->swallowed[i] == itt)
            return true;
    }
    return false;
}
