/* When a path that came back is used again, and the tests that find out.
 *
 * on-arrival (Windows): the LUN arrives by plug and play some time after the login, and is used.
 * While it is used it is tested only if path verification is on; a path that failed although its
 * session lives is tested by the recovery period.
 *
 * on-check (multipathd): a checker looks at every path, each 'path_check_interval' after a change
 * and for failed paths, at doubling periods up to the maximum for healthy ones. What the session
 * is decides what a look sees: held is "pending" (nothing decided, the next look a second later),
 * lost is "down", up is worth a TEST UNIT READY. So a lost session alone does not fail a path: the
 * first I/O that comes back from it does, or the next look.
 */
#include <assert.h>

#include "initiator/mpath_disk.h"
#include "initiator/path_error.h"
#include "sim/core/time.h"

#define TICK_NS       SECONDS(1) /* multipathd's checker loop */
#define ASYNC_WAIT_NS MS(1)      /* the tur checker waits so long before it says "pending" */

/* Without a period there is no checker, and the arrival decides. */
static bool is_on_check(const struct mpath *disk)
{
    return disk->rules.path_return == RETURN_ON_CHECK && disk->rules.path_check_interval_ns > 0;
}

/* The first tick of the checker loop at or after 'at_ns'. */
static int64_t tick_at(const struct mpath *disk, int64_t at_ns)
{
    int64_t since_ns = at_ns - disk->born_at_ns;

    return time_after(disk->born_at_ns, (since_ns + TICK_NS - 1) / TICK_NS * TICK_NS);
}

static int64_t next_tick(const struct mpath *disk, int64_t now_ns)
{
    return tick_at(disk, now_ns + 1);
}

/* multipathd looks at a path again after 'period_ns' from the tick that it is in. */
static void look_after(struct mpath *disk, struct mpath_path *path, int64_t period_ns,
                       int64_t now_ns)
{
    path->check_period_ns = period_ns;
    path->check_at_ns = tick_at(disk, time_after(now_ns, period_ns));
}

void mpath_check_plan(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);
    const struct mpath_rules *rules = &disk->rules;

    if (path->state == PATH_STATE_REMOVED) {
        path->check_at_ns = TIME_NEVER;
    } else if (is_on_check(disk)) {
        int64_t planned_ns = path->check_at_ns;

        /* A change shortens the wait for the next look, it never makes it longer. */
        look_after(disk, path, rules->path_check_interval_ns, now_ns);
        if (planned_ns > now_ns)
            path->check_at_ns = time_min(path->check_at_ns, planned_ns);
    } else if (slot_is_in_use(disk, slot)) {
        path->check_at_ns = rules->path_verify && rules->path_verify_period_ns > 0
                                ? time_after(now_ns, rules->path_verify_period_ns)
                                : TIME_NEVER;
    } else {
        bool can_recover = path->below == BELOW_UP && path->state == PATH_STATE_FAILED;

        path->check_at_ns = can_recover && rules->path_recovery_ns > 0
                                ? time_after(now_ns, rules->path_recovery_ns)
                                : TIME_NEVER;
    }
}

void mpath_check_arrived(struct mpath *disk, uint32_t slot, bool is_first, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    assert(!slot_is_in_use(disk, slot));
    if (is_on_check(disk) && is_first) {
        /* multipathd is told of the new device and checks it before it adds the path. */
        mpath_enter(disk, slot, "first login", now_ns);
    } else if (is_on_check(disk)) {
        mpath_leave(disk, slot, PATH_STATE_PENDING, "the session is back", now_ns);
    } else if (disk->rules.arrival_delay_ns == 0) {
        mpath_enter(disk, slot, "arrived", now_ns);
    } else {
        path->admit_at_ns = time_after(now_ns, disk->rules.arrival_delay_ns);
        mpath_leave(disk, slot, PATH_STATE_PENDING, "logged in", now_ns);
    }
}

void mpath_check_held(struct mpath *disk, uint32_t slot)
{
    path_of_slot(disk, slot)->admit_at_ns = TIME_NEVER; /* it arrives again with the session */
}

void mpath_check_lost(struct mpath *disk, uint32_t slot, const char *reason, int64_t now_ns)
{
    path_of_slot(disk, slot)->admit_at_ns = TIME_NEVER;
    /* multipathd learns of it by its own look or from an I/O. A path that it has not admitted yet
     * is told at once, since nobody uses it. */
    if (is_on_check(disk) && slot_is_in_use(disk, slot))
        return;
    mpath_leave(disk, slot, PATH_STATE_FAILED, reason, now_ns);
}

static void send_test(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    assert(!path->is_test_out);
    path->test = (struct command){.lun = path->lun, .direction = DATA_NONE}; /* TEST UNIT READY */
    path->is_test_out = true;
    path->is_test_answered = false;
    path->test_sent_at_ns = now_ns;
    mpath_push_dispatch(disk, &path->test);
}

/* --- on-check --- */

static void checker_found_up(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    path->is_test_answered = false;
    path->check_at_ns = TIME_NEVER;
    if (!slot_is_in_use(disk, slot)) {
        mpath_enter(disk, slot, "path checker: up", now_ns);
        return;
    }
    int64_t longest_ns =
        time_max(disk->rules.path_check_interval_ns, disk->rules.path_check_max_interval_ns);

    look_after(disk, path,
               time_min(time_after(path->check_period_ns, path->check_period_ns), longest_ns),
               now_ns);
}

static void checker_found_down(struct mpath *disk, uint32_t slot, const char *reason,
                               int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    path->is_test_answered = false;
    path->check_at_ns = TIME_NEVER;
    if (slot_is_in_use(disk, slot) || path->state == PATH_STATE_PENDING)
        mpath_leave(disk, slot, PATH_STATE_FAILED, reason, now_ns);
    else
        look_after(disk, path, disk->rules.path_check_interval_ns, now_ns);
}

static void checker_looks(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    if (path->below == BELOW_LOST) {
        checker_found_down(disk, slot, "path checker: transport offline", now_ns);
        return;
    }
    if (path->below == BELOW_UP && path->is_test_answered) {
        if (path->was_test_good)
            checker_found_up(disk, slot, now_ns);
        else
            checker_found_down(disk, slot, "path checker: down", now_ns);
        return;
    }
    if (path->below == BELOW_UP && path->is_test_out &&
        now_ns - path->test_sent_at_ns >= disk->rules.path_check_timeout_ns) {
        checker_found_down(disk, slot, "path checker: no answer", now_ns);
        return;
    }
    if (path->below == BELOW_UP && !path->is_test_out)
        send_test(disk, slot, now_ns);
    path->check_at_ns = next_tick(disk, now_ns); /* pending */
}

/* --- on-arrival --- */

static void verify_or_recover(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    mpath_check_plan(disk, slot, now_ns);
    if (!path_of_slot(disk, slot)->is_test_out)
        send_test(disk, slot, now_ns);
}

static void verify_answered(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);
    const struct path_error *error = path_error_of(disk->rules.errors, &path->test);

    if (slot_is_in_use(disk, slot)) {
        if (error->verdict == VERDICT_FAIL_OVER)
            mpath_leave(disk, slot, PATH_STATE_FAILED, error->text, now_ns);
    } else if (path->state == PATH_STATE_FAILED && path->below == BELOW_UP && path->was_test_good) {
        mpath_enter(disk, slot, "path recovery", now_ns);
    }
}

/* --- both --- */

void mpath_check_wake(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    if (now_ns >= path->admit_at_ns) {
        path->admit_at_ns = TIME_NEVER;
        mpath_enter(disk, slot, "arrived", now_ns);
    }
    if (now_ns < path->check_at_ns)
        return;
    if (is_on_check(disk))
        checker_looks(disk, slot, now_ns);
    else
        verify_or_recover(disk, slot, now_ns);
}

/* Does the logical unit answer? A unit attention or a reservation is an answer, too. */
static bool is_alive(const struct command *test)
{
    struct sense_code code;

    if (test->end != COMMAND_ANSWERED)
        return false;
    if (test->status == 0x02) /* CHECK CONDITION: alive if it is a UNIT ATTENTION */
        return sense_decode(test->sense, test->sense_bytes, &code) && code.key == 0x6;
    return test->status == 0x00 || test->status == 0x18; /* GOOD, RESERVATION CONFLICT */
}

void mpath_check_test_done(struct mpath *disk, uint32_t slot, int64_t now_ns)
{
    struct mpath_path *path = path_of_slot(disk, slot);

    assert(path->is_test_out);
    path->is_test_out = false;
    path->was_test_good = is_alive(&path->test);
    buf_free(path->test.data_in); /* a target that sends data with TEST UNIT READY */
    path->test.data_in = NULL;
    if (path->state == PATH_STATE_REMOVED)
        return;
    if (!is_on_check(disk)) {
        verify_answered(disk, slot, now_ns);
        return;
    }
    path->is_test_answered = true;
    if (now_ns - path->test_sent_at_ns <= ASYNC_WAIT_NS)
        checker_looks(disk, slot, now_ns);
}
