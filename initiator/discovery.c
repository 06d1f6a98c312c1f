/* One SendTargets discovery. */
#include "initiator/discovery.h"

#include "iscsi/name.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>
#include <string.h>

struct discovery {
    struct isession *session; /* owned */
    enum discovery_state state;
    const char *problem;
    int64_t deadline_ns;
    char *answer; /* owned copy of "key=value\0..." */
    size_t answer_bytes;
};

struct discovery *discovery_new(const struct discovery_config *config, int64_t now_ns)
{
    struct discovery *discovery = mem_new(sizeof(*discovery));
    struct isession_config session = {.initiator_name = config->initiator_name,
                                      .offer = config->offer,
                                      .chap = config->chap,
                                      .logs_pdus = true,
                                      .max_commands = 1,
                                      .pool = config->pool};

    memcpy(session.isid, config->isid, sizeof(session.isid));
    discovery->session = isession_new(&session);
    discovery->deadline_ns = time_after(now_ns, config->timeout_ns);
    discovery->problem = "";
    return discovery;
}

void discovery_free(struct discovery *discovery)
{
    if (!discovery)
        return;
    isession_free(discovery->session);
    free(discovery->answer);
    free(discovery);
}

static void fail(struct discovery *discovery, const char *problem)
{
    if (discovery->state != DISCOVERY_RUNNING)
        return;
    discovery->problem = problem;
    /* With the answer in hand a bad farewell does no harm. */
    discovery->state = discovery->answer ? DISCOVERY_DONE : DISCOVERY_FAILED;
    discovery->deadline_ns = TIME_NEVER;
}

static void keep_answer(struct discovery *discovery)
{
    const char *answer = isession_text_answer(discovery->session, &discovery->answer_bytes);

    free(discovery->answer);
    discovery->answer = mem_new(discovery->answer_bytes + 1);
    memcpy(discovery->answer, answer, discovery->answer_bytes);
}

static const char *why_it_ended(const struct isession_event *event)
{
    if (event->end == LOST_LOGIN_FAILED)
        return iscsi_login_status_word(event->status_class, event->status_detail);
    return event->text[0] ? event->text : isession_end_word(event->end);
}

static void session_told(struct discovery *discovery, const struct isession_event *event)
{
    switch (event->kind) {
    case ISESSION_LOGGED_IN:
        isession_send_targets(discovery->session);
        break;
    case ISESSION_TEXT_DONE:
        keep_answer(discovery);
        isession_logout(discovery->session, ISCSI_LOGOUT_CLOSE_SESSION);
        break;
    case ISESSION_TEXT_REJECTED:
        fail(discovery, "SendTargets was rejected");
        break;
    case ISESSION_REDIRECTED:
        fail(discovery, "the portal redirects discovery elsewhere");
        break;
    case ISESSION_ENDED:
        fail(discovery, why_it_ended(event));
        break;
    case ISESSION_LOGOUT_ASKED:
        isession_logout(discovery->session, ISCSI_LOGOUT_CLOSE_SESSION);
        break;
    case ISESSION_TMF_DONE:
    case ISESSION_PONG:
    case ISESSION_ASYNC_SCSI:
        break;
    }
}

static void drain(struct discovery *discovery)
{
    struct isession_event event;

    while (isession_next_event(discovery->session, &event))
        session_told(discovery, &event);
}

void discovery_connected(struct discovery *discovery, int64_t now_ns)
{
    isession_connected(discovery->session, 0, now_ns);
    drain(discovery);
}

size_t discovery_room(const struct discovery *discovery)
{
    return isession_room(discovery->session, 0);
}

void discovery_feed(struct discovery *discovery, struct buf *bytes, int64_t now_ns)
{
    isession_feed(discovery->session, 0, bytes, now_ns);
    drain(discovery);
}

struct buf *discovery_take(struct discovery *discovery, size_t max_bytes, int64_t now_ns)
{
    return isession_take(discovery->session, 0, max_bytes, now_ns);
}

void discovery_closed(struct discovery *discovery, enum close_reason reason, int64_t now_ns)
{
    (void)reason;
    isession_closed(discovery->session, 0, now_ns);
    drain(discovery);
    fail(discovery, "connection closed");
}

int64_t discovery_deadline_ns(const struct discovery *discovery)
{
    return discovery->deadline_ns;
}

void discovery_wake(struct discovery *discovery, int64_t now_ns)
{
    if (now_ns >= discovery->deadline_ns)
        fail(discovery, "time-out");
}

const uint8_t *discovery_next_pdu(struct discovery *discovery, bool *ret_from_target)
{
    uint32_t connection;

    return isession_next_pdu(discovery->session, &connection, ret_from_target);
}

enum discovery_state discovery_state(const struct discovery *discovery)
{
    return discovery->state;
}

const char *discovery_problem(const struct discovery *discovery)
{
    return discovery->problem;
}

/* The next "key=value" after 'at'; NULL for the first one before. */
static const char *next_pair(const struct discovery *discovery, const char *at)
{
    const char *end = discovery->answer + discovery->answer_bytes;
    const char *next = at ? at + strlen(at) + 1 : discovery->answer;

    return next && next < end ? next : NULL;
}

static const char *value_of(const char *pair, const char *key)
{
    size_t length = strlen(key);

    return strncmp(pair, key, length) == 0 && pair[length] == '=' ? pair + length + 1 : NULL;
}

uint32_t discovery_target_count(const struct discovery *discovery)
{
    uint32_t count = 0;

    for (const char *at = next_pair(discovery, NULL); at; at = next_pair(discovery, at))
        count += value_of(at, "TargetName") != NULL;
    return count;
}

const char *discovery_target_name(const struct discovery *discovery, uint32_t target_index)
{
    for (const char *at = next_pair(discovery, NULL); at; at = next_pair(discovery, at)) {
        const char *name = value_of(at, "TargetName");

        if (name && target_index-- == 0)
            return name;
    }
    return NULL;
}

bool discovery_names(const struct discovery *discovery, const char *target_name,
                     struct endpoint portal)
{
    bool is_inside = false;

    for (const char *at = next_pair(discovery, NULL); at; at = next_pair(discovery, at)) {
        const char *name = value_of(at, "TargetName");
        const char *address = value_of(at, "TargetAddress");
        struct target_address there;

        if (name)
            is_inside = strcmp(name, target_name) == 0;
        else if (is_inside && address && target_address_parse(address, &there) &&
                 there.at.address == portal.address && there.at.port == portal.port)
            return true;
    }
    return false;
}
