/* The commands of a path: from the lanes to the session and back. */
#include "initiator/path_inside.h"

#include <assert.h>

static uint32_t most_open(const struct path *path)
{
    uint32_t most = path->config.rules->max_commands;

    return most == 0 || most >= ISESSION_TASKS_MOST ? ISESSION_TASKS_MOST - 1 : most;
}

static void wait_in_lane(struct path *path, struct command *command)
{
    command->path_flags |= COMMAND_WAITS;
    lanes_put(&path->lanes, command);
}

/* The end of a command that no lane counts as open any more. */
static void tell_done(struct path *path, struct command *command)
{
    if (command->path_flags & COMMAND_UNWANTED)
        command->end = COMMAND_ABORTED;
    command->path_flags = 0;
    command->lane = NULL;
    command_list_append(&path->done, command);
}

void path_finish(struct path *path, struct command *command)
{
    if (!(command->path_flags & COMMAND_OF_SCAN))
        lanes_ended(&path->lanes, command);
    tell_done(path, command);
}

static void hand_over(struct path *path, struct command *command, int64_t now_ns)
{
    command->path_flags &= (uint8_t)~COMMAND_WAITS;
    if (command->path_flags & COMMAND_AGAIN)
        path->counters.resubmitted++;
    path->open++;
    timers_add(path, command, now_ns);
    isession_submit(path->session, command);
}

void path_pump(struct path *path, int64_t now_ns)
{
    if (!path->is_admitted || path->is_leaving || path->link != PATH_LINK_LOGGED_IN)
        return;
    while (path->open < most_open(path) && isession_can_submit(path->session)) {
        struct command *command = lanes_next(&path->lanes);

        if (!command)
            return;
        hand_over(path, command, now_ns);
    }
}

static void begin(struct command *command, uint8_t flags)
{
    command->path_flags = flags;
    command->lane = NULL;
    command->floor = NULL;
    command->next = NULL;
    command->previous = NULL;
    command->sent_at_ns = TIME_NEVER;
}

void path_submit(struct path *path, struct command *command, int64_t now_ns)
{
    begin(command, 0);
    if ((path->service != SERVICE_UP && path->service != SERVICE_HOLDING) || path->is_stopping) {
        command->end = COMMAND_SESSION_LOST;
        tell_done(path, command);
        return;
    }
    wait_in_lane(path, command);
    path_pump(path, now_ns);
}

void path_submit_scan(struct path *path, struct command *command, int64_t now_ns)
{
    begin(command, COMMAND_OF_SCAN);
    if (path->link != PATH_LINK_LOGGED_IN || !isession_can_submit(path->session)) {
        command->end = COMMAND_SESSION_LOST;
        tell_done(path, command);
        return;
    }
    hand_over(path, command, now_ns);
}

static void came_back(struct path *path, struct command *command)
{
    timers_remove(path, command);
    if (path->recovery.command == command)
        path->recovery.command = NULL;
    assert(path->open > 0);
    path->open--;

    bool is_scan = command->path_flags & COMMAND_OF_SCAN;
    bool is_chosen = command->path_flags & (COMMAND_EXPIRED | COMMAND_UNWANTED);

    switch (command->end) {
    case COMMAND_SESSION_LOST:
        if (is_scan)
            path_finish(path, command);
        else
            command_list_append(&path->orphans, command);
        return;
    case COMMAND_ABORTED:
        if (is_chosen || is_scan) {
            command->end = COMMAND_TIMED_OUT;
            path_finish(path, command);
        } else { /* hit by the reset that another one needed: nothing of it happens any more */
            command->path_flags |= COMMAND_AGAIN;
            command_list_append(&path->orphans, command);
        }
        return;
    case COMMAND_ANSWERED:
    case COMMAND_TIMED_OUT:
    case COMMAND_PROTOCOL:
        path_finish(path, command);
        return;
    }
}

void path_collect(struct path *path)
{
    struct command *command;

    if (!path->session)
        return;
    while ((command = isession_next_done(path->session)))
        came_back(path, command);
    /* While the session lives, the orphans are those of a reset. */
    if (path->orphans.head && isession_state(path->session) != ISESSION_OVER)
        path_keep_orphans(path);
}

void path_keep_orphans(struct path *path)
{
    struct command_list orphans = path->orphans;
    struct command_list again = {0};
    struct command *command;

    path->orphans = (struct command_list){0};
    while ((command = command_list_pop(&orphans))) {
        if (command->path_flags & COMMAND_UNWANTED) {
            path_finish(path, command);
        } else if (command->path_flags & COMMAND_EXPIRED) {
            lanes_ended(&path->lanes, command);
            command->path_flags |= COMMAND_SHELVED;
            command_list_append(&path->shelf, command);
        } else {
            command->path_flags |= COMMAND_AGAIN | COMMAND_WAITS;
            command->path_flags &= (uint8_t)~COMMAND_CHECKED;
            command_list_append(&again, command);
        }
    }
    lanes_put_back(&path->lanes, &again);
}

void path_unshelve(struct path *path)
{
    struct command *command;

    while ((command = command_list_pop(&path->shelf))) {
        command->end = COMMAND_TIMED_OUT;
        tell_done(path, command);
    }
}

void path_fail_commands(struct path *path)
{
    struct command_list all = lanes_take_all(&path->lanes);
    struct command *command;

    command_list_join(&all, &path->shelf);
    while ((command = command_list_pop(&all))) {
        command->end = COMMAND_SESSION_LOST;
        tell_done(path, command);
    }
}

struct command *path_next_done(struct path *path)
{
    return command_list_pop(&path->done);
}

void path_abort(struct path *path, struct command *command, int64_t now_ns)
{
    command->path_flags |= COMMAND_UNWANTED;
    if (command->path_flags & COMMAND_WAITS) {
        lanes_withdraw(&path->lanes, command);
        tell_done(path, command);
    } else if (command->path_flags & COMMAND_SHELVED) {
        command_list_remove(&path->shelf, command);
        tell_done(path, command);
    } else if (isession_withdraw(path->session, command)) {
        timers_remove(path, command);
        path->open--;
        path_finish(path, command);
        path_pump(path, now_ns);
    } else if (path->recovery.command != command) {
        timers_hurry(path, command, now_ns);
        recovery_wake(path, now_ns);
        path_drain_session(path, now_ns);
    }
}

uint32_t path_outstanding(const struct path *path)
{
    uint32_t shelved = 0;

    for (const struct command *each = path->shelf.head; each; each = each->next)
        shelved++;
    return path->open + path->lanes.waiting + shelved;
}
