/* Command time-outs of a path, and the escalation that follows them:
 *
 *   time-out -> ABORT TASK -> LOGICAL UNIT RESET -> TARGET WARM RESET -> the session is dropped
 *
 * A step whose time-out is 0 in the profile is skipped. Each step ends the matter if the target
 * says "function complete". What a host does before it calls a command late is a rule of its
 * profile: libiscsi asks for more time while data moves or the connection is in doubt
 * (iscsi_eh_cmd_timed_out() of Linux 6.1).
 *
 * An exact system looks at a command when its time is over. Linux' request queue has one timer for
 * all that is out (blk-mq.c, blk-timeout.c): each new command asks for a look at most 5 s and a
 * slack from now, and each look sets the timer for the earliest deadline that it saw. A queue that
 * is busy thus finds a late command after a few hundred ms at most, one that is not after up to
 * 2 s (of 30), because the wheel is coarse that far away. A path has one such timer here, for all
 * its LUNs.
 */
#include "initiator/path_inside.h"

#include <assert.h>

#define SCAN_MOST_NS SECONDS(5) /* BLK_MAX_TIMEOUT */

static int64_t command_limit_ns(const struct path *path)
{
    const struct path_rules *rules = path->config.rules;

    if (rules->command_timeout_ns == 0)
        return TIME_NEVER;
    return time_after(rules->command_timeout_ns, rules->command_timeout_extra_ns);
}

/* blk_timeout_init(): blk_round_jiffies() adds the power of two above HZ. */
void timers_init(struct path *path)
{
    int64_t tick_ns = path->config.timer_tick_ns;

    path->scan_at_ns = TIME_NEVER;
    path->scan_asked_ns = TIME_NEVER;
    path->scan_slack_ns = tick_ns;
    while (tick_ns > 0 && path->scan_slack_ns < SECONDS(1))
        path->scan_slack_ns *= 2;
}

static bool scans(const struct path *path)
{
    return path->config.timer_wheel && path->config.timer_tick_ns > 0;
}

static void scan_at(struct path *path, int64_t at_ns, int64_t now_ns)
{
    path->scan_asked_ns = at_ns;
    path->scan_at_ns =
        at_ns == TIME_NEVER ? TIME_NEVER : path_timer_ns(path, at_ns - now_ns, now_ns);
}

/* blk_add_timer(): an earlier look is worth a change of the timer only if it is half a second. */
static void ask_for_scan(struct path *path, int64_t now_ns)
{
    int64_t limit_ns = command_limit_ns(path);

    if (!scans(path) || limit_ns == TIME_NEVER)
        return;
    int64_t at_ns = time_after(now_ns, time_min(limit_ns, SCAN_MOST_NS) + path->scan_slack_ns);

    if (path->scan_asked_ns == TIME_NEVER || path->scan_asked_ns - at_ns >= MS(500))
        scan_at(path, at_ns, now_ns);
}

static void timers_append(struct path *path, struct command *command)
{
    command->timer_next = NULL;
    command->timer_previous = path->timer_tail;
    if (path->timer_tail)
        path->timer_tail->timer_next = command;
    else
        path->timer_head = command;
    path->timer_tail = command;
}

void timers_add(struct path *path, struct command *command, int64_t now_ns)
{
    command->submitted_at_ns = now_ns;
    command->checked_at_ns = now_ns;
    command->deadline_ns = time_after(now_ns, command_limit_ns(path));
    timers_append(path, command); /* one limit for all: the newest is the last to run out */
    ask_for_scan(path, now_ns);
}

void timers_remove(struct path *path, struct command *command)
{
    if (command->timer_previous)
        command->timer_previous->timer_next = command->timer_next;
    else
        path->timer_head = command->timer_next;
    if (command->timer_next)
        command->timer_next->timer_previous = command->timer_previous;
    else
        path->timer_tail = command->timer_previous;
    command->timer_next = NULL;
    command->timer_previous = NULL;
}

void timers_hurry(struct path *path, struct command *command, int64_t now_ns)
{
    timers_remove(path, command);
    command->deadline_ns = now_ns;
    command->timer_next = path->timer_head;
    if (path->timer_head)
        path->timer_head->timer_previous = command;
    else
        path->timer_tail = command;
    path->timer_head = command;
    if (scans(path)) /* blk_abort_request() */
        path->scan_at_ns = now_ns;
}

static void extend(struct path *path, struct command *command, int64_t now_ns)
{
    timers_remove(path, command);
    command->checked_at_ns = now_ns;
    command->deadline_ns = time_after(now_ns, command_limit_ns(path));
    timers_append(path, command);
}

static bool older_ones_move(const struct path *path, const struct command *command)
{
    for (const struct command *each = path->timer_head; each; each = each->timer_next) {
        if (each != command && each->submitted_at_ns <= command->submitted_at_ns &&
            each->sent_at_ns != TIME_NEVER && each->moved_at_ns > command->checked_at_ns)
            return true;
    }
    return false;
}

/* The order of the questions is that of iscsi_eh_cmd_timed_out(). */
static bool gets_more_time(struct path *path, struct command *command, int64_t now_ns)
{
    if (!path->config.rules->extends_busy_timeout || command->path_flags & COMMAND_UNWANTED)
        return false;
    if (command->sent_at_ns != TIME_NEVER && command->moved_at_ns > command->checked_at_ns)
        return true;
    if (path->nop.rules.interval_ns == 0 && path->nop.rules.timeout_ns == 0)
        return false;
    if (nop_watch_is_late(&path->nop, now_ns) || older_ones_move(path, command))
        return true;
    if (command->path_flags & COMMAND_CHECKED)
        return false;
    command->path_flags |= COMMAND_CHECKED;
    if (nop_watch_ask(&path->nop, now_ns) == NOP_SEND_PING)
        isession_ping(path->session, true);
    return true;
}

static int64_t step_limit_ns(const struct path *path, enum recovery_step step)
{
    switch (step) {
    case RECOVERY_ABORT:
        return path->config.rules->abort_timeout_ns;
    case RECOVERY_LUN_RESET:
        return path->config.rules->lun_reset_timeout_ns;
    case RECOVERY_TARGET_RESET:
        return path->config.rules->target_reset_timeout_ns;
    case RECOVERY_NONE:
        break;
    }
    return 0;
}

static uint32_t send_step(struct path *path, enum recovery_step step)
{
    struct recovery *recovery = &path->recovery;

    switch (step) {
    case RECOVERY_ABORT:
        path->counters.aborts++;
        return isession_abort_task(path->session, recovery->command);
    case RECOVERY_LUN_RESET:
        path->counters.lun_resets++;
        return isession_manage(path->session, ISCSI_TMF_LOGICAL_UNIT_RESET, recovery->lun);
    case RECOVERY_TARGET_RESET:
        path->counters.target_resets++;
        return isession_manage(path->session, ISCSI_TMF_TARGET_WARM_RESET, 0);
    case RECOVERY_NONE:
        break;
    }
    return 0;
}

static void over(struct path *path)
{
    path->recovery = (struct recovery){.deadline_ns = TIME_NEVER};
}

/* On to the first step from 'step' on that this host knows. */
static void escalate(struct path *path, enum recovery_step step, int64_t now_ns)
{
    struct recovery *recovery = &path->recovery;

    for (; step <= RECOVERY_TARGET_RESET; step++) {
        if (step_limit_ns(path, step) == 0)
            continue;
        recovery->step = step;
        recovery->tag = send_step(path, step);
        recovery->deadline_ns = path_timer_ns(path, step_limit_ns(path, step), now_ns);
        if (recovery->tag != 0)
            return;
    }
    over(path);
    isession_give_up(path->session, "command time-out");
}

static void begin_with(struct path *path, struct command *command, int64_t now_ns)
{
    if (!(command->path_flags & COMMAND_UNWANTED)) {
        path->counters.command_timeouts++;
        command->path_flags |= COMMAND_EXPIRED;
        if (path->event_count < PATH_EVENTS_MOST / 2) /* of many in one instant some will do */
            path_emit(
                path,
                (struct path_event){.kind = PATH_SIGN, .layer = LAYER_SCSI, .is_change = true},
                "command time-out");
    }
    if (isession_withdraw(path->session, command)) { /* the target never heard of it */
        timers_remove(path, command);
        path->open--;
        command->end = COMMAND_TIMED_OUT;
        path_finish(path, command);
        return;
    }
    path->recovery = (struct recovery){.lun = command->lun, .command = command};
    escalate(path, RECOVERY_ABORT, now_ns);
}

int64_t recovery_deadline_ns(const struct path *path)
{
    if (path->link != PATH_LINK_LOGGED_IN || isession_state(path->session) == ISESSION_OVER)
        return TIME_NEVER;
    if (path->recovery.step != RECOVERY_NONE)
        return path->recovery.deadline_ns;
    if (scans(path))
        return path->scan_at_ns;
    return path->timer_head ? path->timer_head->deadline_ns : TIME_NEVER;
}

void recovery_wake(struct path *path, int64_t now_ns)
{
    struct recovery *recovery = &path->recovery;

    while (now_ns >= recovery_deadline_ns(path)) {
        struct command *late = path->timer_head;

        if (recovery->step != RECOVERY_NONE && !recovery->command)
            over(path); /* its answer came; the silence about the request itself is no matter */
        else if (recovery->step != RECOVERY_NONE)
            escalate(path, recovery->step + 1, now_ns);
        else if (!late || late->deadline_ns > now_ns) /* of a scan alone: it saw all */
            scan_at(path, late ? late->deadline_ns : TIME_NEVER, now_ns);
        else if (gets_more_time(path, late, now_ns))
            extend(path, late, now_ns);
        else
            begin_with(path, late, now_ns);
    }
}

void recovery_answered(struct path *path, uint32_t tag, uint8_t response, int64_t now_ns)
{
    struct recovery *recovery = &path->recovery;

    if (recovery->step == RECOVERY_NONE || recovery->tag != tag)
        return;
    if (response == 0 || !recovery->command)
        over(path);
    else
        escalate(path, recovery->step + 1, now_ns);
    recovery_wake(path, now_ns); /* others may be late, too */
}
