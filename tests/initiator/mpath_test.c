/* Stories of a multipath disk in virtual time, on Windows and on Linux. Each story feeds the disk
 * and compares what it told: path changes, ends of I/Os, arrival and removal, with their times. */
#include "tests/test.h"

#include "initiator/mpath.h"
#include "sim/core/time.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES 512u
#define MOST_IOS    64u

struct sent {
    struct command *command;
    uint32_t path;
};

struct rig {
    struct pool *pool;
    struct mpath *disk;
    int64_t now_ns;
    struct mpath_io ios[MOST_IOS];
    uint32_t io_count;
    struct sent sent[MOST_IOS]; /* on their paths */
    uint32_t sent_count;
    char log[8192]; /* what the disk told since the last look */
};

/* As the registry and the published defaults have it. */
static struct mpath_rules windows_rules(enum mpath_policy policy)
{
    return (struct mpath_rules){
        .policy = policy,
        .no_path = NO_PATH_HOLD_AND_REMOVE,
        .no_path_ns = SECONDS(20),
        .path_return = RETURN_ON_ARRIVAL,
        .arrival_delay_ns = MS(500),
        .failback = FAILBACK_TO_PREFERRED,
        .retry_count = 3,
        .retry_interval_ns = SECONDS(1),
        .errors = ERRORS_MSDSM,
    };
}

static struct mpath_rules linux_rules(enum no_path_rule no_path)
{
    return (struct mpath_rules){
        .policy = POLICY_SERVICE_TIME,
        .no_path = no_path,
        .no_path_ns = SECONDS(61),
        .path_return = RETURN_ON_CHECK,
        .path_check_interval_ns = SECONDS(5),
        .path_check_max_interval_ns = SECONDS(20),
        .path_check_timeout_ns = SECONDS(30),
        .failback = FAILBACK_MANUAL,
        .retry_count = 5,
        .errors = ERRORS_DM_MULTIPATH,
        .uncounted_retry_ns = SECONDS(180),
    };
}

static void say(struct rig *rig, const char *text)
{
    size_t used = strlen(rig->log);

    assert_true(used + strlen(text) + 32 < sizeof(rig->log));
    (void)snprintf(rig->log + used, sizeof(rig->log) - used, "%lld.%03lld %s\n",
                   (long long)(rig->now_ns / SECONDS(1)),
                   (long long)(rig->now_ns % SECONDS(1) / MS(1)), text);
}

static void say_event(struct rig *rig, const struct mpath_event *event)
{
    char text[256] = "";

    switch (event->kind) {
    case MPATH_PATH_CHANGED:
        (void)snprintf(text, sizeof(text), "path %u %s -> %s: %s", event->path_index,
                       path_state_word(event->old_state), path_state_word(event->new_state),
                       event->reason);
        break;
    case MPATH_ATTEMPT_FAILED:
        (void)snprintf(text, sizeof(text), "io %llu failed on path %u: %s",
                       (unsigned long long)event->io->io_id, event->path_index, event->reason);
        break;
    case MPATH_IO_DONE:
        if (event->path_index == TRACE_NONE)
            (void)snprintf(text, sizeof(text), "io %llu error, never sent",
                           (unsigned long long)event->io->io_id);
        else
            (void)snprintf(text, sizeof(text), "io %llu %s on path %u",
                           (unsigned long long)event->io->io_id,
                           event->io->is_error ? "error" : "good", event->path_index);
        buf_free(event->io->command.data_in);
        event->io->command.data_in = NULL;
        break;
    case MPATH_DISK_ARRIVED:
        (void)snprintf(text, sizeof(text), "disk arrived");
        break;
    case MPATH_DISK_REMOVED:
        (void)snprintf(text, sizeof(text), "disk removed");
        break;
    }
    say(rig, text);
}

/* As an owner does. */
static void drain(struct rig *rig)
{
    struct mpath_event event;
    struct command *command;
    uint32_t path;

    while (mpath_next_event(rig->disk, &event))
        say_event(rig, &event);
    while ((command = mpath_next_dispatch(rig->disk, &path))) {
        assert_true(rig->sent_count < MOST_IOS);
        rig->sent[rig->sent_count++] = (struct sent){.command = command, .path = path};
    }
}

static void run_to(struct rig *rig, int64_t at_ns)
{
    while (mpath_deadline_ns(rig->disk) <= at_ns) {
        assert_true(mpath_deadline_ns(rig->disk) >= rig->now_ns);
        rig->now_ns = mpath_deadline_ns(rig->disk);
        mpath_wake(rig->disk, rig->now_ns);
        drain(rig);
    }
    rig->now_ns = at_ns;
}

static void expect(struct rig *rig, const char *told)
{
    drain(rig);
    assert_string_equal(rig->log, told);
    rig->log[0] = '\0';
}

static void forget_log(struct rig *rig)
{
    drain(rig);
    rig->log[0] = '\0';
}

static const struct disk_identity the_disk = {.designator = "naa.1",
                                              .designator_bytes = 5,
                                              .block_bytes = BLOCK_BYTES,
                                              .block_count = 1 << 20};

static void arrive(struct rig *rig, uint32_t path)
{
    assert_true(mpath_path_arrived(rig->disk, path, &the_disk, rig->now_ns));
    drain(rig);
}

static void news(struct rig *rig, uint32_t path, enum path_news kind, const char *reason)
{
    mpath_path_news(rig->disk, path, kind, reason, rig->now_ns);
    drain(rig);
}

/* Paths 10 and 11, not in use yet. */
static void setup_with(struct rig *rig, struct mpath_rules rules, enum plant planted,
                       bool prefers_first)
{
    *rig = (struct rig){.pool = pool_new()};
    rig->disk = mpath_new(&rules, planted, 0);
    assert_true(mpath_add_path(rig->disk, 10, 0, prefers_first));
    assert_true(mpath_add_path(rig->disk, 11, UINT64_C(0x0001000000000000), false));
}

/* ... and both in use. */
static void setup(struct rig *rig, struct mpath_rules rules)
{
    setup_with(rig, rules, PLANT_NONE, false);
    arrive(rig, 10);
    arrive(rig, 11);
    run_to(rig, SECONDS(1));
    assert_int_equal(mpath_usable_paths(rig->disk), 2);
    forget_log(rig);
    for (uint32_t i = 0; i < rig->sent_count; i++)
        mpath_command_done(rig->disk, rig->sent[i].path, rig->sent[i].command, rig->now_ns);
    rig->sent_count = 0;
    forget_log(rig);
}

static void teardown(struct rig *rig)
{
    mpath_free(rig->disk);
    assert_int_equal(pool_live_bufs(rig->pool), 0);
    assert_int_equal(pool_live_chunks(rig->pool), 0);
    pool_free(rig->pool);
}

static struct mpath_io *read_block(struct rig *rig, uint64_t lba)
{
    assert_true(rig->io_count < MOST_IOS);
    struct mpath_io *io = &rig->ios[rig->io_count++];

    *io = (struct mpath_io){.lba = lba, .blocks = 1, .io_id = rig->io_count};
    mpath_submit(rig->disk, io, rig->now_ns);
    drain(rig);
    return io;
}

static struct sent take_sent(struct rig *rig, uint32_t index)
{
    assert_true(index < rig->sent_count);
    struct sent sent = rig->sent[index];

    rig->sent_count--;
    memmove(&rig->sent[index], &rig->sent[index + 1],
            (rig->sent_count - index) * sizeof(rig->sent[0]));
    return sent;
}

/* The oldest command that is out on 'path': an I/O, or if there is none a test of the path. */
static struct sent take_on(struct rig *rig, uint32_t path)
{
    for (int wants_test = 0; wants_test < 2; wants_test++) {
        for (uint32_t i = 0; i < rig->sent_count; i++) {
            bool is_test = rig->sent[i].command->direction == DATA_NONE;

            if (rig->sent[i].path == path && is_test == wants_test)
                return take_sent(rig, i);
        }
    }
    fail_msg("nothing is out on path %u", path);
    return (struct sent){0};
}

static void finish(struct rig *rig, struct sent sent)
{
    mpath_command_done(rig->disk, sent.path, sent.command, rig->now_ns);
    drain(rig);
}

static void answer_good(struct rig *rig, uint32_t path)
{
    static const uint8_t zeros[BLOCK_BYTES];
    struct sent sent = take_on(rig, path);

    sent.command->end = COMMAND_ANSWERED;
    sent.command->status = 0;
    if (sent.command->direction == DATA_READ)
        sent.command->data_in = buf_copy(rig->pool, zeros, sent.command->bytes);
    finish(rig, sent);
}

static void answer_sense(struct rig *rig, uint32_t path, uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct sent sent = take_on(rig, path);

    sent.command->end = COMMAND_ANSWERED;
    sent.command->status = 2;
    sent.command->sense_bytes = 18;
    sent.command->sense[0] = 0x70;
    sent.command->sense[2] = key;
    sent.command->sense[12] = asc;
    sent.command->sense[13] = ascq;
    finish(rig, sent);
}

static void end_all_on(struct rig *rig, uint32_t path, enum command_end end)
{
    struct sent batch[MOST_IOS];
    uint32_t count = 0;

    for (uint32_t i = 0; i < rig->sent_count;) {
        if (rig->sent[i].path == path)
            batch[count++] = take_sent(rig, i);
        else
            i++;
    }
    for (uint32_t i = 0; i < count; i++) {
        batch[i].command->end = end;
        mpath_command_done(rig->disk, batch[i].path, batch[i].command, rig->now_ns);
    }
    drain(rig);
}

/* The session is lost and the hold time runs out. */
static void lose(struct rig *rig, uint32_t path)
{
    news(rig, path, NEWS_HELD, "session lost");
    news(rig, path, NEWS_LOST, "hold time over");
    end_all_on(rig, path, COMMAND_SESSION_LOST);
}

/* --- Windows --- */

static void windows_paths_arrive_after_the_plug_and_play_delay(void **state)
{
    struct rig rig;

    (void)state;
    setup_with(&rig, windows_rules(POLICY_ROUND_ROBIN), PLANT_NONE, false);
    assert_false(mpath_is_present(rig.disk));
    rig.now_ns = MS(100);
    arrive(&rig, 10);
    rig.now_ns = MS(200);
    arrive(&rig, 11);
    run_to(&rig, SECONDS(10));
    expect(&rig, "0.100 path 10 connecting -> pending: logged in\n"
                 "0.200 path 11 connecting -> pending: logged in\n"
                 "0.600 path 10 pending -> active: arrived\n"
                 "0.600 disk arrived\n"
                 "0.700 path 11 pending -> active: arrived\n");
    assert_int_equal(mpath_deadline_ns(rig.disk), TIME_NEVER);
    teardown(&rig);
}

static void io_before_the_disk_arrived_is_an_error(void **state)
{
    struct rig rig;

    (void)state;
    setup_with(&rig, windows_rules(POLICY_ROUND_ROBIN), PLANT_NONE, false);
    read_block(&rig, 0);
    expect(&rig, "0.000 io 1 error, never sent\n");
    teardown(&rig);
}

static void windows_keeps_sending_to_a_held_path_until_link_down_time(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    for (uint64_t i = 0; i < 4; i++)
        read_block(&rig, i);
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    news(&rig, 10, NEWS_HELD, "session lost: carrier");
    read_block(&rig, 4); /* round-robin knows nothing of it */
    read_block(&rig, 5);
    answer_good(&rig, 11);
    expect(&rig, "1.000 io 2 good on path 11\n"
                 "1.000 io 4 good on path 11\n"
                 "1.000 path 10 active -> held: session lost: carrier\n"
                 "1.000 io 6 good on path 11\n");
    run_to(&rig, SECONDS(16));
    news(&rig, 10, NEWS_LOST, "LinkDownTime is over");
    end_all_on(&rig, 10, COMMAND_SESSION_LOST);
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    expect(&rig, "16.000 path 10 held -> failed: LinkDownTime is over\n"
                 "16.000 io 1 failed on path 10: the session was lost\n"
                 "16.000 io 3 failed on path 10: the session was lost\n"
                 "16.000 io 5 failed on path 10: the session was lost\n"
                 "16.000 io 1 good on path 11\n"
                 "16.000 io 3 good on path 11\n"
                 "16.000 io 5 good on path 11\n");
    assert_int_equal(rig.ios[0].attempts, 2);
    assert_int_equal(mpath_outstanding(rig.disk), 0);
    teardown(&rig);
}

static void a_session_that_is_back_in_time_fails_nothing(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    read_block(&rig, 0);
    news(&rig, 10, NEWS_HELD, "session lost");
    run_to(&rig, SECONDS(6));
    news(&rig, 10, NEWS_BACK, "logged in again");
    answer_good(&rig, 10);
    expect(&rig, "1.000 path 10 active -> held: session lost\n"
                 "6.000 path 10 held -> active: logged in again\n"
                 "6.000 io 1 good on path 10\n");
    teardown(&rig);
}

static void windows_holds_io_for_pdo_remove_period_and_then_the_disk_is_gone(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    read_block(&rig, 0);
    lose(&rig, 10);
    lose(&rig, 11);
    run_to(&rig, SECONDS(11));
    read_block(&rig, 1);
    expect(&rig, "1.000 path 10 active -> held: session lost\n"
                 "1.000 path 10 held -> failed: hold time over\n"
                 "1.000 io 1 failed on path 10: the session was lost\n"
                 "1.000 path 11 active -> held: session lost\n"
                 "1.000 path 11 held -> failed: hold time over\n"
                 "1.000 io 1 failed on path 11: the session was lost\n");
    run_to(&rig, SECONDS(30));
    read_block(&rig, 2);
    expect(&rig, "21.000 path 10 failed -> removed: the disk was removed\n"
                 "21.000 path 11 failed -> removed: the disk was removed\n"
                 "21.000 disk removed\n"
                 "21.000 io 1 error on path 11\n"
                 "21.000 io 2 error, never sent\n"
                 "30.000 io 3 error, never sent\n");
    assert_false(mpath_is_present(rig.disk));
    rig.now_ns = SECONDS(40);
    arrive(&rig, 11);
    run_to(&rig, SECONDS(41));
    read_block(&rig, 3);
    answer_good(&rig, 11);
    expect(&rig, "40.000 path 11 removed -> pending: logged in\n"
                 "40.500 path 11 pending -> active: arrived\n"
                 "40.500 disk arrived\n"
                 "41.000 io 4 good on path 11\n");
    teardown(&rig);
}

static void a_path_that_is_back_in_time_saves_the_disk_and_the_held_io(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    lose(&rig, 10);
    lose(&rig, 11);
    read_block(&rig, 0);
    run_to(&rig, MS(20500)); /* usable at the very moment at which the disk would go */
    arrive(&rig, 11);
    forget_log(&rig);
    run_to(&rig, SECONDS(60));
    expect(&rig, "21.000 path 11 pending -> active: arrived\n");
    answer_good(&rig, 11);
    expect(&rig, "60.000 io 1 good on path 11\n");
    teardown(&rig);
}

static void fail_over_only_uses_one_path_and_fails_over_and_back_to_the_preferred(void **state)
{
    struct rig rig;

    (void)state;
    setup_with(&rig, windows_rules(POLICY_FAIL_OVER_ONLY), PLANT_NONE, true);
    arrive(&rig, 11);
    run_to(&rig, SECONDS(1));
    arrive(&rig, 10);
    run_to(&rig, SECONDS(2));
    expect(&rig, "0.000 path 11 connecting -> pending: logged in\n"
                 "0.500 path 11 pending -> active: arrived\n"
                 "0.500 disk arrived\n"
                 "1.000 path 10 connecting -> pending: logged in\n"
                 "1.500 path 11 active -> standby: fail back\n"
                 "1.500 path 10 pending -> active: fail back\n");
    read_block(&rig, 0);
    read_block(&rig, 1);
    lose(&rig, 10);
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    expect(&rig, "2.000 path 10 active -> held: session lost\n"
                 "2.000 path 10 held -> failed: hold time over\n"
                 "2.000 path 11 standby -> active: fail over\n"
                 "2.000 io 1 failed on path 10: the session was lost\n"
                 "2.000 io 2 failed on path 10: the session was lost\n"
                 "2.000 io 1 good on path 11\n"
                 "2.000 io 2 good on path 11\n");
    arrive(&rig, 10);
    run_to(&rig, SECONDS(3));
    expect(&rig, "2.000 path 10 failed -> pending: logged in\n"
                 "2.500 path 11 active -> standby: fail back\n"
                 "2.500 path 10 pending -> active: fail back\n");
    teardown(&rig);
}

/* Two paths, the first one fails and returns: who is active then? */
static struct failback_row {
    const char *name;
    enum failback_rule rule;
    bool prefers_first;
    enum path_state first_state;
} failback_rows[] = {
    {"failback manual: the path that returns stays in standby", FAILBACK_MANUAL, true,
     PATH_STATE_STANDBY},
    {"failback preferred: only a preferred path takes over", FAILBACK_TO_PREFERRED, false,
     PATH_STATE_STANDBY},
    {"failback preferred: the preferred path takes over", FAILBACK_TO_PREFERRED, true,
     PATH_STATE_ACTIVE},
    {"failback immediate: the first in the list takes over", FAILBACK_IMMEDIATE, false,
     PATH_STATE_ACTIVE},
};

static void fails_back_as_the_rule_says(void **state)
{
    const struct failback_row *row = *state;
    struct mpath_rules rules = windows_rules(POLICY_FAIL_OVER_ONLY);
    struct rig rig;

    rules.failback = row->rule;
    setup_with(&rig, rules, PLANT_NONE, row->prefers_first);
    arrive(&rig, 10);
    arrive(&rig, 11);
    run_to(&rig, SECONDS(1));
    assert_int_equal(mpath_path_state(rig.disk, 10), PATH_STATE_ACTIVE);
    assert_int_equal(mpath_path_state(rig.disk, 11), PATH_STATE_STANDBY);
    lose(&rig, 10);
    assert_int_equal(mpath_path_state(rig.disk, 11), PATH_STATE_ACTIVE);
    arrive(&rig, 10);
    run_to(&rig, SECONDS(2));
    assert_int_equal(mpath_path_state(rig.disk, 10), row->first_state);
    teardown(&rig);
}

static void a_standby_path_that_is_lost_hurts_no_io(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_FAIL_OVER_ONLY));
    read_block(&rig, 0);
    lose(&rig, 11);
    answer_good(&rig, 10);
    expect(&rig, "1.000 path 11 standby -> held: session lost\n"
                 "1.000 path 11 held -> failed: hold time over\n"
                 "1.000 io 1 good on path 10\n");
    teardown(&rig);
}

static void counted_retries_are_an_interval_apart_and_end(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_FAIL_OVER_ONLY));
    read_block(&rig, 0);
    for (int i = 0; i < 4; i++) {
        answer_sense(&rig, 10, 2, 4, 3);
        run_to(&rig, rig.now_ns + SECONDS(2));
    }
    expect(&rig, "1.000 io 1 failed on path 10: MANUAL INTERVENTION REQUIRED\n"
                 "3.000 io 1 failed on path 10: MANUAL INTERVENTION REQUIRED\n"
                 "5.000 io 1 failed on path 10: MANUAL INTERVENTION REQUIRED\n"
                 "7.000 io 1 failed on path 10: MANUAL INTERVENTION REQUIRED\n"
                 "7.000 io 1 error on path 10\n");
    assert_int_equal(rig.ios[0].attempts, 4);
    teardown(&rig);
}

static void uncounted_retries_end_by_time(void **state)
{
    struct mpath_rules rules = windows_rules(POLICY_FAIL_OVER_ONLY);
    struct rig rig;
    int attempts = 0;

    (void)state;
    rules.uncounted_retry_ns = SECONDS(10);
    setup(&rig, rules);
    read_block(&rig, 0);
    while (mpath_outstanding(rig.disk) > 0) {
        answer_sense(&rig, 10, 2, 4, 0x0a);
        run_to(&rig, rig.now_ns + SECONDS(1));
        assert_true(++attempts < 20);
    }
    assert_int_equal(attempts, 11);
    assert_true(rig.ios[0].is_error);
    teardown(&rig);
}

static void a_retry_prefers_another_path_where_the_answer_says_so(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_LEAST_QUEUE_DEPTH));
    read_block(&rig, 0);
    answer_sense(&rig, 10, 2, 4, 0x0c);
    run_to(&rig, SECONDS(2));
    answer_good(&rig, 11); /* idle path 10 comes first in the list, and yet */
    expect(&rig, "1.000 io 1 failed on path 10: TARGET PORT IN UNAVAILABLE STATE\n"
                 "2.000 io 1 good on path 11\n");
    teardown(&rig);
}

static void reservations_released_is_tried_again_on_the_same_path(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    read_block(&rig, 0);
    answer_sense(&rig, 10, 6, 0x2a, 4);
    answer_good(&rig, 10);
    expect(&rig, "1.000 io 1 failed on path 10: RESERVATIONS RELEASED\n"
                 "1.000 io 1 good on path 10\n");
    teardown(&rig);
}

static void a_time_out_on_windows_fails_no_path(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    read_block(&rig, 0);
    end_all_on(&rig, 10, COMMAND_TIMED_OUT);
    answer_good(&rig, 11);
    expect(&rig, "1.000 io 1 failed on path 10: the command timed out\n"
                 "1.000 io 1 good on path 11\n");
    assert_int_equal(mpath_usable_paths(rig.disk), 2);
    teardown(&rig);
}

static void a_lun_that_went_away_fails_its_path_though_the_session_lives(void **state)
{
    struct mpath_rules rules = windows_rules(POLICY_ROUND_ROBIN);
    struct rig rig;

    (void)state;
    rules.path_recovery_ns = SECONDS(40);
    setup(&rig, rules);
    read_block(&rig, 0);
    answer_sense(&rig, 10, 5, 0x25, 0);
    answer_good(&rig, 11);
    run_to(&rig, SECONDS(41)); /* the recovery attempt */
    answer_sense(&rig, 10, 5, 0x25, 0);
    run_to(&rig, SECONDS(81));
    answer_good(&rig, 10);
    expect(&rig, "1.000 io 1 failed on path 10: LOGICAL UNIT NOT SUPPORTED\n"
                 "1.000 path 10 active -> failed: LOGICAL UNIT NOT SUPPORTED\n"
                 "1.000 io 1 good on path 11\n"
                 "81.000 path 10 failed -> active: path recovery\n");
    teardown(&rig);
}

static void with_retries_disabled_an_io_fails_with_its_path(void **state)
{
    struct mpath_rules rules = windows_rules(POLICY_ROUND_ROBIN);
    struct rig rig;

    (void)state;
    rules.retry_count = 0;
    setup(&rig, rules);
    read_block(&rig, 0);
    lose(&rig, 10);
    expect(&rig, "1.000 path 10 active -> held: session lost\n"
                 "1.000 path 10 held -> failed: hold time over\n"
                 "1.000 io 1 failed on path 10: the session was lost\n"
                 "1.000 io 1 error on path 10\n");
    teardown(&rig);
}

static void the_planted_bug_gives_up_an_io_with_its_path(void **state)
{
    struct rig rig;

    (void)state;
    if (!plant_is_on(PLANT_L1, PLANT_L1))
        skip(); /* this build has no planted bugs */
    setup_with(&rig, windows_rules(POLICY_ROUND_ROBIN), PLANT_L1, false);
    arrive(&rig, 10);
    arrive(&rig, 11);
    run_to(&rig, SECONDS(1));
    read_block(&rig, 0);
    lose(&rig, 10);
    assert_int_equal(mpath_outstanding(rig.disk), 0);
    assert_true(rig.ios[0].is_error);
    teardown(&rig);
}

static void path_verification_finds_what_no_io_would(void **state)
{
    struct mpath_rules rules = windows_rules(POLICY_FAIL_OVER_ONLY);
    struct rig rig;

    (void)state;
    rules.path_verify = true;
    rules.path_verify_period_ns = SECONDS(30);
    setup(&rig, rules);
    run_to(&rig, SECONDS(31)); /* admitted at 0.5 s */
    assert_int_equal(rig.sent_count, 2);
    answer_good(&rig, 10);
    answer_sense(&rig, 11, 5, 0x25, 0);
    expect(&rig, "31.000 path 11 standby -> failed: LOGICAL UNIT NOT SUPPORTED\n");
    run_to(&rig, SECONDS(61));
    assert_int_equal(rig.sent_count, 1);
    end_all_on(&rig, 10, COMMAND_TIMED_OUT); /* no reason to fail over */
    expect(&rig, "");
    teardown(&rig);
}

/* --- Linux --- */

static void linux_fails_a_path_by_its_first_error_after_recovery_tmo(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    read_block(&rig, 0);
    read_block(&rig, 1);
    answer_good(&rig, 11);
    run_to(&rig, SECONDS(2));
    news(&rig, 10, NEWS_HELD, "session dropped: ping time-out");
    forget_log(&rig);
    run_to(&rig, SECONDS(7) - 1);
    expect(&rig, "");
    rig.now_ns = SECONDS(7);
    news(&rig, 10, NEWS_LOST, "recovery_tmo");
    end_all_on(&rig, 10, COMMAND_SESSION_LOST);
    answer_good(&rig, 11);
    expect(&rig, "7.000 io 1 failed on path 10: the session was lost\n"
                 "7.000 path 10 held -> failed: recovery_tmo\n"
                 "7.000 io 1 good on path 11\n");
    teardown(&rig);
}

static void an_idle_lost_path_is_found_by_the_checkers_next_look(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    run_to(&rig, SECONDS(2));
    news(&rig, 10, NEWS_HELD, "session lost");
    rig.now_ns = MS(3300);
    news(&rig, 10, NEWS_LOST, "recovery_tmo");
    expect(&rig, "2.000 path 10 active -> held: session lost\n");
    run_to(&rig, SECONDS(5)); /* the first look after the arrival at 0 s */
    expect(&rig, "5.000 path 10 held -> failed: path checker: transport offline\n");
    teardown(&rig);
}

static void a_blocked_path_is_pending_and_looked_at_each_second(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    news(&rig, 10, NEWS_HELD, "session lost");
    forget_log(&rig);
    run_to(&rig, MS(8200)); /* looks at 5, 6, 7, 8 s: nothing decided, nothing sent on path 10 */
    for (uint32_t i = 0; i < rig.sent_count; i++)
        assert_int_not_equal(rig.sent[i].path, 10);
    expect(&rig, "");
    news(&rig, 10, NEWS_LOST, "recovery_tmo");
    run_to(&rig, SECONDS(9));
    expect(&rig, "9.000 path 10 held -> failed: path checker: transport offline\n");
    teardown(&rig);
}

static void a_path_returns_by_the_checkers_next_look(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    run_to(&rig, SECONDS(2));
    read_block(&rig, 0);
    read_block(&rig, 1);
    lose(&rig, 10);
    end_all_on(&rig, 11, COMMAND_ABORTED);
    forget_log(&rig);
    run_to(&rig, SECONDS(5)); /* the first look of both */
    answer_good(&rig, 11);
    run_to(&rig, MS(11500));
    arrive(&rig, 10);
    run_to(&rig, SECONDS(15)); /* looks at 5, 10, 15 s */
    expect(&rig, "11.500 path 10 failed -> pending: the session is back\n");
    answer_good(&rig, 10);
    expect(&rig, "15.000 path 10 pending -> active: path checker: up\n");
    teardown(&rig);
}

/* Runs until 'path' is tested; answers tests of the other one. */
static int64_t next_test(struct rig *rig, uint32_t path)
{
    for (;;) {
        run_to(rig, mpath_deadline_ns(rig->disk));
        for (uint32_t i = 0; i < rig->sent_count; i++) {
            uint32_t where = rig->sent[i].path;

            assert_int_equal(rig->sent[i].command->cdb[0], 0); /* TEST UNIT READY */
            if (where == path)
                return rig->now_ns;
            answer_good(rig, where);
            i = UINT32_MAX;
        }
    }
}

static void the_checkers_period_doubles_while_all_is_well(void **state)
{
    static const int64_t expected_s[] = {5, 15, 35, 55, 75};
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    for (size_t i = 0; i < sizeof(expected_s) / sizeof(expected_s[0]); i++) {
        assert_int_equal(next_test(&rig, 10), SECONDS(expected_s[i]));
        answer_good(&rig, 10);
    }
    expect(&rig, "");
    teardown(&rig);
}

static void a_slow_answer_to_the_checker_counts_at_the_next_second(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    lose(&rig, 10);
    arrive(&rig, 10);
    forget_log(&rig);
    run_to(&rig, MS(1500));
    assert_int_equal(mpath_path_state(rig.disk, 10), PATH_STATE_ACTIVE); /* nobody had noticed */
    assert_int_equal(next_test(&rig, 10), SECONDS(5));
    end_all_on(&rig, 10, COMMAND_TIMED_OUT);
    expect(&rig, "5.000 path 10 active -> failed: path checker: down\n");
    assert_int_equal(next_test(&rig, 10), SECONDS(10));
    run_to(&rig, MS(10002));
    answer_good(&rig, 10);
    expect(&rig, "");
    run_to(&rig, SECONDS(11));
    expect(&rig, "11.000 path 10 failed -> active: path checker: up\n");
    assert_int_equal(next_test(&rig, 10), SECONDS(16));
    teardown(&rig);
}

static void a_checker_without_answer_fails_the_path_after_its_time_out(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    assert_int_equal(next_test(&rig, 10), SECONDS(5));
    while (rig.now_ns < SECONDS(34)) {
        run_to(&rig, rig.now_ns + SECONDS(1));
        for (uint32_t i = 0; i < rig.sent_count; i++) {
            if (rig.sent[i].path == 11) {
                answer_good(&rig, 11);
                break;
            }
        }
    }
    expect(&rig, "");
    run_to(&rig, SECONDS(35));
    expect(&rig, "35.000 path 10 active -> failed: path checker: no answer\n");
    answer_good(&rig, 10); /* late */
    run_to(&rig, SECONDS(41));
    expect(&rig, "40.000 path 10 failed -> active: path checker: up\n");
    teardown(&rig);
}

static void linux_without_queueing_fails_io_when_no_path_is_left(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    read_block(&rig, 0);
    lose(&rig, 10);
    lose(&rig, 11);
    read_block(&rig, 1);
    expect(&rig, "1.000 path 10 active -> held: session lost\n"
                 "1.000 io 1 failed on path 10: the session was lost\n"
                 "1.000 path 10 held -> failed: hold time over\n"
                 "1.000 path 11 active -> held: session lost\n"
                 "1.000 io 1 failed on path 11: the session was lost\n"
                 "1.000 path 11 held -> failed: hold time over\n"
                 "1.000 io 1 error on path 11\n"
                 "1.000 io 2 error, never sent\n");
    teardown(&rig);
}

static void linux_queues_for_ever_if_told_so(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_QUEUE));
    read_block(&rig, 0);
    lose(&rig, 10);
    lose(&rig, 11);
    read_block(&rig, 1);
    forget_log(&rig);
    run_to(&rig, SECONDS(3600));
    expect(&rig, "");
    assert_int_equal(mpath_outstanding(rig.disk), 2);
    arrive(&rig, 11);
    assert_int_equal(next_test(&rig, 11), SECONDS(3605));
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    answer_good(&rig, 11);
    expect(&rig, "3600.000 path 11 failed -> pending: the session is back\n"
                 "3605.000 path 11 pending -> active: path checker: up\n"
                 "3605.000 io 1 good on path 11\n"
                 "3605.000 io 2 good on path 11\n");
    teardown(&rig);
}

static void linux_queues_for_no_path_retry_and_fails_then(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_QUEUE_FOR));
    read_block(&rig, 0);
    read_block(&rig, 1);
    lose(&rig, 10);
    lose(&rig, 11);
    forget_log(&rig);
    run_to(&rig, SECONDS(62));
    read_block(&rig, 2);
    expect(&rig, "62.000 io 2 error on path 11\n"
                 "62.000 io 1 error on path 11\n"
                 "62.000 io 3 error, never sent\n");
    assert_true(mpath_is_present(rig.disk)); /* dm keeps the device */
    arrive(&rig, 10);
    next_test(&rig, 10);
    answer_good(&rig, 10);
    read_block(&rig, 3);
    answer_good(&rig, 10);
    assert_false(rig.ios[3].is_error);
    lose(&rig, 10); /* and the next loss queues again */
    read_block(&rig, 4);
    end_all_on(&rig, 10, COMMAND_SESSION_LOST);
    assert_int_equal(mpath_outstanding(rig.disk), 1);
    teardown(&rig);
}

static void linux_returns_target_errors_and_keeps_the_path(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    read_block(&rig, 0);
    answer_sense(&rig, 10, 3, 0x11, 0);
    expect(&rig, "1.000 io 1 failed on path 10: MEDIUM ERROR\n"
                 "1.000 io 1 error on path 10\n");
    assert_int_equal(mpath_usable_paths(rig.disk), 2);
    teardown(&rig);
}

static void linux_gives_an_aborting_path_five_more_chances(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    read_block(&rig, 0);
    for (int i = 0; i < 6; i++)
        answer_sense(&rig, 10, 0x0b, 0, 0);
    answer_good(&rig, 11);
    assert_int_equal(rig.ios[0].attempts, 7);
    assert_int_equal(mpath_path_state(rig.disk, 10), PATH_STATE_FAILED);
    assert_false(rig.ios[0].is_error);
    teardown(&rig);
}

/* --- Both --- */

static void a_good_status_with_too_little_data_is_no_good_answer(void **state)
{
    static const uint8_t zeros[BLOCK_BYTES];
    struct rig rig;

    (void)state;
    setup(&rig, linux_rules(NO_PATH_FAIL));
    read_block(&rig, 0);
    struct sent sent = take_on(&rig, 10);

    sent.command->data_in = buf_copy(rig.pool, zeros, BLOCK_BYTES - 1);
    finish(&rig, sent);
    answer_good(&rig, 11);
    expect(&rig, "1.000 io 1 failed on path 10: the answer broke the protocol\n"
                 "1.000 path 10 active -> failed: the answer broke the protocol\n"
                 "1.000 io 1 good on path 11\n");
    teardown(&rig);
}

static void another_disk_behind_a_path_is_refused(void **state)
{
    struct disk_identity other = the_disk;
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    lose(&rig, 10);
    forget_log(&rig);
    other.designator[4] = '2';
    assert_false(mpath_path_arrived(rig.disk, 10, &other, rig.now_ns));
    expect(&rig, "1.000 path 10 failed -> removed: another disk answers\n");
    run_to(&rig, SECONDS(100));
    news(&rig, 10, NEWS_HELD, "session lost");
    news(&rig, 10, NEWS_LOST, "hold time over");
    expect(&rig, "");
    other = the_disk;
    other.block_count++;
    assert_false(mpath_path_arrived(rig.disk, 10, &other, rig.now_ns));
    arrive(&rig, 10); /* the right one again */
    run_to(&rig, SECONDS(101));
    expect(&rig, "100.000 path 10 removed -> pending: logged in\n"
                 "100.500 path 10 pending -> active: arrived\n");
    teardown(&rig);
}

static void a_path_that_is_taken_away_gets_no_more_io(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_ROUND_ROBIN));
    mpath_remove_path(rig.disk, 10, "host stops", rig.now_ns);
    for (uint64_t i = 0; i < 4; i++)
        read_block(&rig, i);
    for (int i = 0; i < 4; i++)
        answer_good(&rig, 11);
    assert_int_equal(mpath_path_state(rig.disk, 10), PATH_STATE_REMOVED);
    teardown(&rig);
}

static void commands_say_what_to_read_and_write_and_where(void **state)
{
    struct disk_identity large = the_disk;
    struct mpath_rules rules = linux_rules(NO_PATH_FAIL);
    struct rig rig;
    struct mpath_io io = {.lba = 0x01020304, .blocks = 0x0506};
    struct mpath_io far = {.is_write = true, .lba = UINT64_C(0x0102030405), .blocks = 0x070809};
    uint32_t path;

    (void)state;
    large.block_count = UINT64_C(1) << 41;
    setup_with(&rig, rules, PLANT_NONE, false);
    assert_true(mpath_path_arrived(rig.disk, 11, &large, 0));
    mpath_submit(rig.disk, &io, 0);
    struct command *command = mpath_next_dispatch(rig.disk, &path);

    assert_int_equal(path, 11);
    assert_ptr_equal(mpath_io_of(rig.disk, command), &io);
    assert_memory_equal(command->cdb, ((uint8_t[]){0x28, 0, 1, 2, 3, 4, 0, 5, 6, 0}), 10);
    assert_int_equal(command->lun, UINT64_C(0x0001000000000000));
    assert_int_equal(command->bytes, 0x0506 * BLOCK_BYTES);
    assert_int_equal(command->direction, DATA_READ);

    far.data = buf_copy(rig.pool, "x", 1);
    mpath_submit(rig.disk, &far, 0);
    command = mpath_next_dispatch(rig.disk, &path);
    assert_memory_equal(command->cdb,
                        ((uint8_t[]){0x8a, 0, 0, 0, 0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 0, 0}), 16);
    assert_int_equal(command->direction, DATA_WRITE);
    assert_ptr_equal(command->data_out, far.data);
    buf_free(far.data);
    teardown(&rig);
}

static void many_ios_at_once_lose_no_event(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig, windows_rules(POLICY_LEAST_QUEUE_DEPTH));
    for (uint64_t i = 0; i < MOST_IOS; i++)
        read_block(&rig, i);
    assert_int_equal(rig.sent_count, MOST_IOS);
    for (uint32_t i = 0; i < MOST_IOS; i++) { /* all answers before the owner drains */
        rig.sent[i].command->end = COMMAND_TIMED_OUT;
        mpath_command_done(rig.disk, rig.sent[i].path, rig.sent[i].command, rig.now_ns);
    }
    rig.sent_count = 0;
    struct mpath_event event;
    uint32_t count = 0;

    while (mpath_next_event(rig.disk, &event)) {
        assert_int_equal(event.kind, MPATH_ATTEMPT_FAILED);
        assert_int_equal(event.io->io_id, ++count);
    }
    assert_int_equal(count, MOST_IOS);
    drain(&rig);
    assert_int_equal(rig.sent_count, MOST_IOS);
    teardown(&rig);
}

static void no_more_than_32_paths(void **state)
{
    struct mpath_rules rules = windows_rules(POLICY_ROUND_ROBIN);
    struct mpath *disk = mpath_new(&rules, PLANT_NONE, 0);

    (void)state;
    for (uint32_t i = 0; i < MPATH_MOST_PATHS; i++)
        assert_true(mpath_add_path(disk, i, 0, false));
    assert_false(mpath_add_path(disk, 99, 0, false));
    mpath_free(disk);
    mpath_free(NULL);
}

int main(void)
{
    TEST(windows_paths_arrive_after_the_plug_and_play_delay);
    TEST(io_before_the_disk_arrived_is_an_error);
    TEST(windows_keeps_sending_to_a_held_path_until_link_down_time);
    TEST(a_session_that_is_back_in_time_fails_nothing);
    TEST(windows_holds_io_for_pdo_remove_period_and_then_the_disk_is_gone);
    TEST(a_path_that_is_back_in_time_saves_the_disk_and_the_held_io);
    TEST(fail_over_only_uses_one_path_and_fails_over_and_back_to_the_preferred);
    TEST_ROWS(failback_rows, fails_back_as_the_rule_says);
    TEST(a_standby_path_that_is_lost_hurts_no_io);
    TEST(counted_retries_are_an_interval_apart_and_end);
    TEST(uncounted_retries_end_by_time);
    TEST(a_retry_prefers_another_path_where_the_answer_says_so);
    TEST(reservations_released_is_tried_again_on_the_same_path);
    TEST(a_time_out_on_windows_fails_no_path);
    TEST(a_lun_that_went_away_fails_its_path_though_the_session_lives);
    TEST(with_retries_disabled_an_io_fails_with_its_path);
    TEST(the_planted_bug_gives_up_an_io_with_its_path);
    TEST(path_verification_finds_what_no_io_would);
    TEST(linux_fails_a_path_by_its_first_error_after_recovery_tmo);
    TEST(an_idle_lost_path_is_found_by_the_checkers_next_look);
    TEST(a_blocked_path_is_pending_and_looked_at_each_second);
    TEST(a_path_returns_by_the_checkers_next_look);
    TEST(the_checkers_period_doubles_while_all_is_well);
    TEST(a_slow_answer_to_the_checker_counts_at_the_next_second);
    TEST(a_checker_without_answer_fails_the_path_after_its_time_out);
    TEST(linux_without_queueing_fails_io_when_no_path_is_left);
    TEST(linux_queues_for_ever_if_told_so);
    TEST(linux_queues_for_no_path_retry_and_fails_then);
    TEST(linux_returns_target_errors_and_keeps_the_path);
    TEST(linux_gives_an_aborting_path_five_more_chances);
    TEST(a_good_status_with_too_little_data_is_no_good_answer);
    TEST(another_disk_behind_a_path_is_refused);
    TEST(a_path_that_is_taken_away_gets_no_more_io);
    TEST(commands_say_what_to_read_and_write_and_where);
    TEST(many_ios_at_once_lose_no_event);
    TEST(no_more_than_32_paths);
    return TEST_RUN("initiator.mpath");
}
