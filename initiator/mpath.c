/* The multipath disk: its paths and their states, and what happens while there is none. */
#include "initiator/mpath.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "initiator/mpath_disk.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define FIRST_EVENTS 64u

struct mpath *mpath_new(const struct mpath_rules *rules, enum plant planted, int64_t now_ns)
{
    struct mpath *disk = mem_new(sizeof(*disk));

    disk->rules = *rules;
    disk->planted = planted;
    disk->born_at_ns = now_ns;
    disk->active_slot = SLOT_NONE;
    disk->no_path_at_ns = TIME_NEVER;
    policy_init(&disk->policy, rules->policy);
    disk->event_capacity = FIRST_EVENTS;
    disk->events = mem_array(FIRST_EVENTS, sizeof(*disk->events));
    return disk;
}

void mpath_free(struct mpath *disk)
{
    struct mpath_event event;

    if (!disk)
        return;
    while (mpath_next_event(disk, &event)) {
        if (event.kind != MPATH_IO_DONE)
            continue;
        buf_free(event.io->command.data_in); /* nobody will look at it any more */
        event.io->command.data_in = NULL;
    }
    free(disk->events);
    free(disk);
}

void mpath_push_event(struct mpath *disk, struct mpath_event event)
{
    if (disk->event_count == disk->event_capacity) {
        struct mpath_event *larger = mem_array(disk->event_capacity * 2, sizeof(*larger));

        for (size_t i = 0; i < disk->event_count; i++)
            larger[i] = disk->events[(disk->event_head + i) & (disk->event_capacity - 1)];
        free(disk->events);
        disk->events = larger;
        disk->event_head = 0;
        disk->event_capacity *= 2;
    }
    disk->events[(disk->event_head + disk->event_count++) & (disk->event_capacity - 1)] = event;
}

bool mpath_next_event(struct mpath *disk, struct mpath_event *ret_event)
{
    if (disk->event_count == 0)
        return false;
    *ret_event = disk->events[disk->event_head];
    disk->event_head = (disk->event_head + 1) & (disk->event_capacity - 1);
    disk->event_count--;
    return true;
}

/* The slot of the owner's path number, or SLOT_NONE. */
static uint32_t find_slot(const struct mpath *disk, uint32_t path_index)
{
    for (uint32_t slot = 0; slot < disk->path_count; slot++) {
        if (disk->paths[slot].index == path_index)
            return slot;
    }
    return SLOT_NONE;
}

bool mpath_add_path(struct mpath *disk, uint32_t path_index, uint64_t lun, bool is_preferred)
{
    assert(find_slot(disk, path_index) == SLOT_NONE);
    if (disk->path_count == MPATH_MOST_PATHS)
        return false;
    disk->paths[disk->path_count++] = (struct mpath_path){
        .index = path_index,
        .lun = lun,
        .is_preferred = is_preferred,
        .admit_at_ns = TIME_NEVER,
        .check_at_ns = TIME_NEVER,
    };
    return true;
}

/* All changes of a path's state pass here, and each is told once. */
static void enter_state(struct mpath *disk, uint32_t slot, enum path_state state,
                        const char *reason)
{
    struct mpath_path *path = path_of_slot(disk, slot);
    enum path_state old_state = path->state;

    assert(path_state_is_in_use(state) == slot_is_in_use(disk, slot));
    if (state == old_state)
        return;
    path->state = state;
    if (reason != path->reason)
        (void)snprintf(path->reason, sizeof(path->reason), "%s", reason);
    mpath_push_event(disk, (struct mpath_event){
                               .kind = MPATH_PATH_CHANGED,
                               .path_index = path->index,
                               .old_state = old_state,
                               .new_state = state,
                               .reason = path->reason,
                           });
}

/* What a path in use is follows from its session and from the policy. */
static void settle(struct mpath *disk, uint32_t slot, const char *reason)
{
    if (disk->paths[slot].below != BELOW_UP)
        enter_state(disk, slot, PATH_STATE_HELD, reason);
    else if (disk->active_slot != SLOT_NONE && disk->active_slot != slot)
        enter_state(disk, slot, PATH_STATE_STANDBY, reason);
    else
        enter_state(disk, slot, PATH_STATE_ACTIVE, reason);
}

/* Policies with one active path: 'slot' carries the I/O from now on. */
static void activate(struct mpath *disk, uint32_t slot, const char *reason)
{
    uint32_t old_slot = disk->active_slot;

    disk->active_slot = slot;
    if (old_slot != SLOT_NONE && old_slot != slot && slot_is_in_use(disk, old_slot))
        settle(disk, old_slot, reason);
    if (slot != SLOT_NONE)
        settle(disk, slot, reason);
}

/* The preferred path, else the first in the list. Whether a session is held is not looked at: the
 * layer below has not told the multipath layer (MSDSM: the first path in list order, overridden by
 * the preferred one). */
static uint32_t best_in_use(const struct mpath *disk)
{
    for (uint32_t rest = disk->in_use; rest; rest &= rest - 1) {
        uint32_t slot = (uint32_t)__builtin_ctz(rest);

        if (disk->paths[slot].is_preferred)
            return slot;
    }
    return disk->in_use ? (uint32_t)__builtin_ctz(disk->in_use) : SLOT_NONE;
}

/* A path came into use: does it take the I/O over from the active one? */
static bool fails_back(const struct mpath *disk, uint32_t slot)
{
    switch (disk->rules.failback) {
    case FAILBACK_MANUAL:
        return false;
    case FAILBACK_IMMEDIATE:
        return best_in_use(disk) == slot;
    case FAILBACK_TO_PREFERRED:
        return disk->paths[slot].is_preferred;
    }
    return false;
}

static void first_path_is_there(struct mpath *disk)
{
    disk->no_path_at_ns = TIME_NEVER;
    disk->is_queueing_over = false;
    if (!disk->is_present) {
        disk->is_present = true;
        mpath_push_event(disk, (struct mpath_event){
                                   .kind = MPATH_DISK_ARRIVED,
                                   .path_index = TRACE_NONE,
                               });
    }
    mpath_release_waiting(disk);
}

void mpath_enter(struct mpath *disk, uint32_t slot, const char *reason, int64_t now_ns)
{
    bool was_without = disk->in_use == 0;

    assert(!slot_is_in_use(disk, slot));
    disk->in_use |= UINT32_C(1) << slot;
    if (policy_has_one_active(&disk->policy)) {
        if (disk->active_slot == SLOT_NONE)
            disk->active_slot = slot;
        else if (fails_back(disk, slot))
            activate(disk, slot, "fail back");
    }
    settle(disk, slot, reason);
    mpath_check_plan(disk, slot, now_ns);
    if (was_without)
        first_path_is_there(disk);
}

static void last_path_is_gone(struct mpath *disk, int64_t now_ns)
{
    switch (disk->rules.no_path) {
    case NO_PATH_FAIL:
        mpath_fail_waiting(disk);
        break;
    case NO_PATH_QUEUE:
        break;
    case NO_PATH_QUEUE_FOR:
    case NO_PATH_HOLD_AND_REMOVE:
        disk->no_path_at_ns = time_after(now_ns, disk->rules.no_path_ns);
        break;
    }
}

void mpath_leave(struct mpath *disk, uint32_t slot, enum path_state state, const char *reason,
                 int64_t now_ns)
{
    bool was_in_use = slot_is_in_use(disk, slot);

    disk->in_use &= ~(UINT32_C(1) << slot);
    enter_state(disk, slot, state, reason);
    if (was_in_use && disk->active_slot == slot)
        activate(disk, best_in_use(disk), "fail over");
    mpath_check_plan(disk, slot, now_ns);
    if (was_in_use && disk->in_use == 0)
        last_path_is_gone(disk, now_ns);
}

void mpath_remove_path(struct mpath *disk, uint32_t path_index, const char *reason, int64_t now_ns)
{
    uint32_t slot = find_slot(disk, path_index);

    assert(slot != SLOT_NONE);
    disk->paths[slot].below = BELOW_LOST;
    disk->paths[slot].admit_at_ns = TIME_NEVER;
    mpath_leave(disk, slot, PATH_STATE_REMOVED, reason, now_ns);
}

bool disk_identity_equal(const struct disk_identity *a, const struct disk_identity *b)
{
    return a->designator_bytes == b->designator_bytes && a->block_bytes == b->block_bytes &&
           a->block_count == b->block_count &&
           memcmp(a->designator, b->designator, a->designator_bytes) == 0;
}

/* The session is back before the layer above gave it up. */
static void session_is_back(struct mpath *disk, uint32_t slot, const char *reason, int64_t now_ns)
{
    struct mpath_path *path = &disk->paths[slot];

    path->below = BELOW_UP;
    if (slot_is_in_use(disk, slot))
        settle(disk, slot, reason);
    else
        mpath_check_arrived(disk, slot, false, now_ns);
}

bool mpath_path_arrived(struct mpath *disk, uint32_t path_index,
                        const struct disk_identity *identity, int64_t now_ns)
{
    uint32_t slot = find_slot(disk, path_index);

    assert(slot != SLOT_NONE);
    assert(identity->designator_bytes <= MPATH_IDENTITY_BYTES);
    assert(identity->block_bytes > 0);
    struct mpath_path *path = &disk->paths[slot];

    if (!disk->has_identity) {
        disk->identity = *identity;
        disk->has_identity = true;
    } else if (!disk_identity_equal(&disk->identity, identity)) {
        mpath_remove_path(disk, path_index, "another disk answers", now_ns);
        return false;
    }
    bool is_first = path->below == BELOW_NEVER;

    if (!is_first) {
        session_is_back(disk, slot, "the session is back", now_ns);
        return true;
    }
    path->below = BELOW_UP;
    mpath_check_arrived(disk, slot, true, now_ns);
    return true;
}

void mpath_path_news(struct mpath *disk, uint32_t path_index, enum path_news news,
                     const char *reason, int64_t now_ns)
{
    uint32_t slot = find_slot(disk, path_index);

    assert(slot != SLOT_NONE);
    struct mpath_path *path = &disk->paths[slot];

    if (path->below == BELOW_NEVER || path->state == PATH_STATE_REMOVED)
        return; /* nothing was expected of it */
    switch (news) {
    case NEWS_HELD:
        if (path->below != BELOW_UP)
            return;
        path->below = BELOW_HELD;
        if (slot_is_in_use(disk, slot))
            settle(disk, slot, reason);
        mpath_check_held(disk, slot);
        return;
    case NEWS_BACK:
        if (path->below == BELOW_HELD)
            session_is_back(disk, slot, reason, now_ns);
        return;
    case NEWS_LOST:
        path->below = BELOW_LOST;
        snprintf(path->lost_reason, sizeof(path->lost_reason), "%s", reason);
        mpath_check_lost(disk, slot, reason, now_ns);
        return;
    }
}

/* With the disk go those of its paths whose sessions are lost; they arrive anew when they log in.
 */
static void remove_lost_paths(struct mpath *disk, int64_t now_ns)
{
    for (uint32_t slot = 0; slot < disk->path_count; slot++)
        if (disk->paths[slot].below == BELOW_LOST && disk->paths[slot].state == PATH_STATE_FAILED)
            mpath_leave(disk, slot, PATH_STATE_REMOVED, "the disk was removed", now_ns);
}

static void no_path_is_over(struct mpath *disk, int64_t now_ns)
{
    disk->no_path_at_ns = TIME_NEVER;
    if (disk->rules.no_path == NO_PATH_HOLD_AND_REMOVE) {
        disk->is_present = false;
        remove_lost_paths(disk, now_ns);
        mpath_push_event(disk, (struct mpath_event){
                                   .kind = MPATH_DISK_REMOVED,
                                   .path_index = TRACE_NONE,
                               });
    } else {
        disk->is_queueing_over = true;
    }
    mpath_fail_waiting(disk);
}

int64_t mpath_deadline_ns(struct mpath *disk)
{
    int64_t deadline_ns = disk->no_path_at_ns;

    if (disk->retries)
        deadline_ns = time_min(deadline_ns, disk->retries->retry_at_ns);
    for (uint32_t slot = 0; slot < disk->path_count; slot++)
        deadline_ns = time_min(deadline_ns, mpath_check_deadline_ns(&disk->paths[slot]));
    return deadline_ns;
}

void mpath_wake(struct mpath *disk, int64_t now_ns)
{
    /* A path that is admitted at the very moment at which the disk would go still saves it. */
    for (uint32_t slot = 0; slot < disk->path_count; slot++) {
        if (now_ns >= mpath_check_deadline_ns(&disk->paths[slot]))
            mpath_check_wake(disk, slot, now_ns);
    }
    if (now_ns >= disk->no_path_at_ns)
        no_path_is_over(disk, now_ns);
    mpath_wake_retries(disk, now_ns);
}

enum path_state mpath_path_state(const struct mpath *disk, uint32_t path_index)
{
    uint32_t slot = find_slot(disk, path_index);

    return slot == SLOT_NONE ? PATH_STATE_CONNECTING : disk->paths[slot].state;
}

uint32_t mpath_usable_paths(const struct mpath *disk)
{
    uint32_t count = 0;

    for (uint32_t slot = 0; slot < disk->path_count; slot++)
        count += path_state_is_usable(disk->paths[slot].state);
    return count;
}

bool mpath_is_present(const struct mpath *disk)
{
    return disk->is_present;
}

const struct disk_identity *mpath_identity(const struct mpath *disk)
{
    return disk->has_identity ? &disk->identity : NULL;
}

uint32_t mpath_outstanding(const struct mpath *disk)
{
    return disk->outstanding;
}
