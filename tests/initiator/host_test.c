/* A host with two paths to two disks: boots, finds its disks, does I/O through failures, stops. */
#include "iscsi/pdu_watch.h"
#include "tests/initiator/small_san.h"

#include <stdio.h>

static struct small_san san;
static struct host *host;

/* What the host told. */
static struct {
    uint32_t disks;
    uint32_t disks_gone;
    uint32_t stopped;
    uint32_t done;
    uint32_t errors;
    uint32_t pdus;
    uint32_t pdu_ends;
    char signs[64][96];
    uint32_t sign_count;
    char changes[128][96];
    uint32_t change_count;
    struct mpath_io *last;
} told;

static void on_disk(struct host_user *user, struct host *from, uint32_t disk)
{
    (void)user, (void)from, (void)disk;
    told.disks++;
}

static void on_disk_gone(struct host_user *user, struct host *from, uint32_t disk)
{
    (void)user, (void)from, (void)disk;
    told.disks_gone++;
}

static void on_io_done(struct host_user *user, struct host *from, uint32_t disk,
                       struct mpath_io *io)
{
    (void)user, (void)from, (void)disk;
    told.done++;
    told.errors += io->is_error;
    told.last = io;
}

static void on_stopped(struct host_user *user, struct host *from)
{
    (void)user, (void)from;
    told.stopped++;
}

static const struct host_user_ops user_ops = {.on_disk = on_disk,
                                              .on_disk_gone = on_disk_gone,
                                              .on_io_done = on_io_done,
                                              .on_stopped = on_stopped};
static struct host_user user = {.ops = &user_ops};

static void tell_sign(struct trace *trace, int64_t at_ns, const struct trace_sign *sign)
{
    (void)trace, (void)at_ns;
    if (told.sign_count < 64)
        snprintf(told.signs[told.sign_count++], 96, "%u %s", sign->path, sign->what);
}

static void tell_path(struct trace *trace, int64_t at_ns, const struct trace_path *path)
{
    (void)trace, (void)at_ns;
    if (told.change_count < 128)
        snprintf(told.changes[told.change_count++], 96, "%u %u %s %s", path->disk, path->path,
                 path->old_state, path->new_state);
}

/* Rules P1 to P4 hold on every connection of every test here. */
static struct {
    uint64_t connection;
    struct pdu_watch *watch;
} watches[SAN_STREAMS];

static void tell_pdu(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu)
{
    struct pdu_break broken;
    unsigned i = 0;

    (void)trace, (void)at_ns;
    assert_false(pdu->is_target_end);
    told.pdus++;
    while (i < SAN_STREAMS && watches[i].watch && watches[i].connection != pdu->connection)
        i++;
    if (i == SAN_STREAMS || !watches[i].watch) {
        for (i = 0; watches[i].watch; i++)
            assert_true(i + 1 < SAN_STREAMS);
        watches[i].connection = pdu->connection;
        watches[i].watch = pdu_watch_new(san.pool, false);
    }
    if (pdu_watch_see(watches[i].watch, pdu->header, pdu->is_from_target, &broken))
        fail_msg("%s: %s", broken.rule, broken.text);
}

static void tell_pdu_end(struct trace *trace, int64_t at_ns, uint64_t connection)
{
    (void)trace, (void)at_ns;
    told.pdu_ends++;
    for (unsigned i = 0; i < SAN_STREAMS; i++) {
        if (!watches[i].watch || watches[i].connection != connection)
            continue;
        pdu_watch_free(watches[i].watch);
        watches[i].watch = NULL;
    }
}

static struct trace_ops trace_ops;
static struct trace trace = {.ops = &trace_ops};
static struct host_profile profile;

static const struct host_session sessions[] = {
    {.path_name = "hv1.iscsi1>san1.port-a",
     .from = HOST_ADDRESS(0),
     .portal = {SAN_ADDRESS(0), 3260},
     .target_name = SAN_TARGET},
    {.path_name = "hv1.iscsi2>san1.port-b",
     .from = HOST_ADDRESS(1),
     .portal = {SAN_ADDRESS(1), 3260},
     .target_name = SAN_TARGET},
};

static void begin(bool discovers)
{
    static const char *const identities[] = {"SER001", "6001020304050700"};

    memset(&told, 0, sizeof(told));
    san_init(&san);
    trace_ops = *trace_nowhere_ops();
    trace_ops.sign = tell_sign;
    trace_ops.path = tell_path;
    trace_ops.pdu = tell_pdu;
    trace_ops.pdu_end = tell_pdu_end;
    profile = (struct host_profile){.name = "windows-like",
                                    .iscsi = iscsi_default_params,
                                    .path = {.connect_timeout_ns = SECONDS(15),
                                             .login_timeout_ns = SECONDS(30),
                                             .logout_timeout_ns = SECONDS(15),
                                             .reconnect_delay_ns = SECONDS(5),
                                             .nop_interval_ns = SECONDS(5),
                                             .nop_timeout_ns = SECONDS(5),
                                             .hold_ns = SECONDS(15),
                                             .command_timeout_ns = SECONDS(60),
                                             .abort_timeout_ns = SECONDS(15),
                                             .max_commands = 255,
                                             .queue_depth = 64},
                                    .mpath = {.policy = POLICY_ROUND_ROBIN,
                                              .no_path = NO_PATH_HOLD_AND_REMOVE,
                                              .no_path_ns = SECONDS(20),
                                              .path_return = RETURN_ON_ARRIVAL,
                                              .retry_count = 3,
                                              .retry_interval_ns = SECONDS(1)}};
    profile.iscsi.max_recv_segment_bytes = 65536;
    struct host_config config = {.name = "hv1",
                                 .profile = &profile,
                                 .sessions = sessions,
                                 .session_count = 2,
                                 .disk_identities = identities,
                                 .disk_count = 2,
                                 .initiator_name = "iqn.1991-05.com.microsoft:hv1",
                                 .discovers = discovers,
                                 .net = &san.net,
                                 .clock = &san.queue.clock,
                                 .pool = san.pool,
                                 .trace = &trace,
                                 .user = &user,
                                 .seed = 1};

    host = host_new(&config);
    host_start(host);
}

static void up(bool discovers)
{
    begin(discovers);
    san_run(&san, SECONDS(1));
    assert_int_equal(told.disks, 2);
}

static void end(void)
{
    host_stop(host);
    san_run(&san, SECONDS(20));
    assert_int_equal(told.stopped, 1);
    assert_true(host_is_stopped(host));
    struct host_live_session live[4];

    assert_int_equal(host_live_sessions(host, live, 4), 0);
    host_free(host);
    san_fini(&san);
    assert_int_equal(told.pdu_ends > 0, true);
}

static struct mpath_io *submit_io(uint32_t disk, bool is_write, uint64_t lba, uint32_t blocks)
{
    struct mpath_io *io = mem_new(sizeof(*io));

    *io = (struct mpath_io){.is_write = is_write,
                            .lba = lba,
                            .blocks = blocks,
                            .planned_at_ns = clock_now_ns(&san.queue.clock)};
    if (is_write) {
        struct chunk *chunk = chunk_new(san.pool, (size_t)blocks * SAN_BLOCK);

        memset(chunk->data, (int)(0x40 + lba), chunk->bytes);
        io->data = buf_new(chunk, 0, chunk->bytes);
    }
    host_submit(host, disk, io);
    return io;
}

static void free_io(struct mpath_io *io)
{
    buf_free(io->data);
    buf_free(io->command.data_in);
    free(io);
}

static void one_io(uint32_t disk, bool is_write, uint64_t lba)
{
    uint32_t before = told.done;
    struct mpath_io *io = submit_io(disk, is_write, lba, 2);

    assert_int_equal(told.done, before); /* never before the call returns */
    san_run(&san, MS(10));
    assert_int_equal(told.done, before + 1);
    assert_ptr_equal(told.last, io);
    assert_false(io->is_error);
    if (!is_write) {
        uint8_t byte;

        assert_int_equal(buf_bytes(io->command.data_in), 2 * SAN_BLOCK);
        buf_read(io->command.data_in, 0, &byte, 1);
        assert_int_equal(byte, 0x40 + lba);
    }
    free_io(io);
}

static bool has_sign(const char *text)
{
    for (uint32_t i = 0; i < told.sign_count; i++) {
        if (strcmp(told.signs[i], text) == 0)
            return true;
    }
    return false;
}

static void finds_its_disks_and_joins_their_paths(void **state)
{
    (void)state;
    up(false);
    assert_int_equal(host_disk_count(host), 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct mpath *disk = host_disk(host, i);

        assert_int_equal(mpath_usable_paths(disk), 2);
        assert_int_equal(mpath_identity(disk)->block_count, SAN_BLOCKS);
        assert_int_equal(mpath_identity(disk)->block_bytes, SAN_BLOCK);
    }
    /* Numbered as the configuration wants it: by serial number, by designator. */
    assert_int_equal(host_find_disk(host, "SER001"), 0);
    assert_int_equal(host_find_disk(host, "SER000"), 1);
    assert_int_equal(host_find_disk(host, "6001020304050701"), 0);
    assert_int_equal(host_find_disk(host, "none"), TRACE_NONE);
    assert_int_equal(host_counters(host).logins, 2);
    struct host_live_session live[4];

    assert_int_equal(host_live_sessions(host, live, 4), 2);
    assert_memory_equal(live[0].isid, live[1].isid, 4);
    assert_memory_not_equal(live[0].isid, live[1].isid, ISID_BYTES);
    assert_int_equal(san.sessions, 2);
    end();
    assert_int_equal(san.logouts, 2);
    assert_int_equal(san.sessions, 0);
}

static void reads_what_it_wrote_through_both_paths(void **state)
{
    (void)state;
    up(false);
    for (uint64_t lba = 0; lba < 8; lba += 2) {
        one_io(0, true, lba);
        one_io(0, false, lba);
    }
    end();
}

static void discovers_through_the_first_portal(void **state)
{
    (void)state;
    up(true);
    assert_int_equal(told.sign_count, 0);
    assert_int_equal(san.logouts, 1);
    one_io(1, true, 4);
    end();
}

static void logs_in_although_discovery_fails(void **state)
{
    (void)state;
    begin(true);
    san.portals[0] = PORTAL_REFUSES;
    san_run(&san, SECONDS(1));
    assert_true(has_sign("4294967295 discovery failed: connection closed"));
    assert_int_equal(told.disks, 2); /* through the other portal */
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 1);
    san.portals[0] = PORTAL_WORKS;
    san_run(&san, SECONDS(6));
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 2);
    end();
}

static void a_busy_disk_is_asked_again(void **state)
{
    (void)state;
    begin(false);
    san.busy_answers = 3;
    san_run(&san, MS(500));
    assert_int_equal(told.disks < 2, true);
    san_run(&san, SECONDS(4));
    assert_int_equal(told.disks, 2);
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 2);
    assert_int_equal(mpath_usable_paths(host_disk(host, 1)), 2);
    end();
}

static void io_survives_a_path_that_goes_silent(void **state)
{
    (void)state;
    up(false);
    san.portals[0] = PORTAL_SILENT;
    struct mpath_io *ios[8];

    for (unsigned i = 0; i < 8; i++)
        ios[i] = submit_io(0, true, i * 2, 2);
    host_flush(host);
    san_run(&san, SECONDS(1));
    assert_int_equal(told.done, 4); /* the others went the silent way */
    san_run(&san, SECONDS(30));     /* ping 5 + 5, hold 15 */
    assert_int_equal(told.done, 8);
    assert_int_equal(told.errors, 0);
    assert_true(has_sign("0 session dropped: nop time-out"));
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 1);
    assert_int_equal(host_counters(host).nop_timeouts, 1);
    san.portals[0] = PORTAL_WORKS;
    san_run(&san, SECONDS(30));
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 2);
    for (unsigned i = 0; i < 8; i++)
        free_io(ios[i]);
    end();
}

static void a_reset_within_the_hold_time_costs_no_path(void **state)
{
    (void)state;
    up(false);
    san_reset(&san, 0);
    san_run(&san, SECONDS(1));
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 2);
    assert_true(has_sign("0 connection closed: rst"));
    assert_int_equal(host_counters(host).logins, 3);
    for (uint32_t i = 0; i < told.change_count; i++)
        assert_null(strstr(told.changes[i], "failed"));
    one_io(0, true, 2);
    end();
}

static void a_disk_with_another_identity_is_another_disk(void **state)
{
    (void)state;
    up(false);
    san.identity = 9;
    san_reset(&san, 0);
    san_run(&san, SECONDS(1));
    assert_int_equal(mpath_usable_paths(host_disk(host, 0)), 1);
    assert_int_equal(host_disk_count(host), 4); /* two more, by the first path alone */
    assert_int_equal(told.disks, 4);
    assert_int_equal(mpath_usable_paths(host_disk(host, 2)), 1);
    end();
}

static void both_paths_lost_for_too_long_remove_the_disk(void **state)
{
    (void)state;
    up(false);
    struct mpath_io *io = NULL;

    san.portals[0] = PORTAL_REFUSES;
    san.portals[1] = PORTAL_REFUSES;
    san_reset(&san, 0);
    san_reset(&san, 1);
    io = submit_io(0, true, 0, 2);
    san_run(&san, SECONDS(15) - MS(100));
    assert_int_equal(told.done, 0); /* LinkDownTime */
    san_run(&san, SECONDS(20));
    assert_int_equal(told.done, 0); /* PDORemovePeriod */
    san_run(&san, SECONDS(1));
    assert_int_equal(told.done, 1);
    assert_int_equal(told.errors, 1);
    assert_int_equal(told.disks_gone, 2);
    san.portals[0] = PORTAL_WORKS;
    san.portals[1] = PORTAL_WORKS;
    san_run(&san, SECONDS(10));
    assert_int_equal(told.disks, 4); /* arrived again */
    one_io(0, true, 2);
    free_io(io);
    end();
}

static void a_crash_forgets_everything_and_a_boot_finds_it_again(void **state)
{
    (void)state;
    up(false);
    struct host_live_session before[2];
    struct host_live_session after[2];

    host_live_sessions(host, before, 2);
    struct mpath_io *io = submit_io(0, false, 0, 2);

    host_flush(host);
    san_run(&san, US(60));
    host_crash(host);
    assert_false(host_is_on(host));
    assert_null(host_disk(host, 0));
    san_run(&san, SECONDS(5));
    assert_int_equal(told.done, 0);
    free_io(io);
    host_boot(host, SECONDS(30));
    san_run(&san, SECONDS(30) - 1);
    assert_int_equal(told.disks, 2);
    san_run(&san, SECONDS(1));
    assert_int_equal(told.disks, 4);
    host_live_sessions(host, after, 2);
    assert_memory_equal(before[1].isid, after[1].isid, ISID_BYTES); /* reinstates its sessions */
    one_io(0, true, 0);
    assert_int_equal(host_path_counters(host, 0).logins, 2); /* counted through the crash */
    assert_int_equal(path_counters(host_path(host, 0))->logins, 1);
    end();
}

static void a_crash_at_any_moment_of_the_boot_leaks_nothing(void **state)
{
    (void)state;
    for (int64_t at_ns = 0; at_ns < MS(4); at_ns += US(37)) {
        begin(at_ns % 2 == 0);
        san_run(&san, at_ns);
        if (at_ns % 3 == 0)
            host_kill_service(host);
        else
            host_crash(host);
        host_free(host);
        san_fini(&san);
    }
}

static void a_stop_in_the_middle_of_the_boot_is_a_stop(void **state)
{
    (void)state;
    for (int64_t at_ns = 0; at_ns < MS(4); at_ns += US(130)) {
        begin(at_ns % 2 == 0);
        san_run(&san, at_ns);
        host_stop(host);
        san_run(&san, SECONDS(20));
        assert_int_equal(told.stopped, 1);
        assert_int_equal(san.sessions, 0);
        host_free(host);
        san_fini(&san);
    }
}

static void carrier_changes_are_signs(void **state)
{
    (void)state;
    up(false);
    for (struct link_watch *watch = san.watches; watch; watch = watch->next)
        watch->on_link(watch, false);
    assert_true(has_sign("0 carrier lost"));
    assert_true(has_sign("1 carrier lost"));
    for (struct link_watch *watch = san.watches; watch; watch = watch->next)
        watch->on_link(watch, true);
    assert_true(has_sign("0 carrier back"));
    end();
}

int main(void)
{
    TEST(finds_its_disks_and_joins_their_paths);
    TEST(reads_what_it_wrote_through_both_paths);
    TEST(discovers_through_the_first_portal);
    TEST(logs_in_although_discovery_fails);
    TEST(a_busy_disk_is_asked_again);
    TEST(io_survives_a_path_that_goes_silent);
    TEST(a_reset_within_the_hold_time_costs_no_path);
    TEST(a_disk_with_another_identity_is_another_disk);
    TEST(both_paths_lost_for_too_long_remove_the_disk);
    TEST(a_crash_forgets_everything_and_a_boot_finds_it_again);
    TEST(a_crash_at_any_moment_of_the_boot_leaks_nothing);
    TEST(a_stop_in_the_middle_of_the_boot_is_a_stop);
    TEST(carrier_changes_are_signs);
    return TEST_RUN("initiator.host");
}
