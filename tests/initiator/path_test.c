/* The life of a path, told as stories in virtual time, with the rules of Windows and of Linux. */
#include "tests/initiator/rig.h"

static struct rig rig;

static void begin(const struct path_rules *rules)
{
    rig_begin(&rig, &(struct rig_options){.rules = rules});
    rig_up(&rig);
    assert_silent(&rig);
}

/* The stream breaks, the owner hears it at once. */
static void lose(enum close_reason reason)
{
    rig_break(&rig, reason);
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
}

static void comes_up_and_carries_io(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows, .admits_late = true});
    rig_up(&rig);
    assert_non_null(path_event_of(&rig, PATH_LOGGED_IN));
    assert_int_equal(path_service(rig.path), SERVICE_STARTING);
    struct command *early = submit_read(&rig, 0, 512);

    assert_done(&rig, early, COMMAND_SESSION_LOST); /* nobody may use it yet */
    path_admit(rig.path, rig.now_ns);
    struct command *read = submit_read(&rig, 0, 512);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, read);
    assert_int_equal(path_outstanding(rig.path), 0);
    rig_end(&rig);
}

/* Windows: RST. Commands wait for LinkDownTime while reconnects run every DelayBetweenReconnect. */
static void windows_holds_commands_for_link_down_time(void **state)
{
    (void)state;
    begin(&rig_windows);
    int64_t cut_at_ns = rig.now_ns;
    struct command *first = submit_read(&rig, 0, 512);
    struct command *second = submit_write(&rig, 8, 512);

    next(&rig, PDU_SCSI_COMMAND);
    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_RST);
    assert_true(has_sign(&rig, LAYER_TCP, "connection closed: rst"));
    assert_true(has_sign(&rig, LAYER_ISCSI, "session dropped: connection closed"));
    struct command *third = submit_read(&rig, 16, 512);

    assert_nothing_done(&rig);
    rig_run_until(&rig, cut_at_ns); /* the first attempt is at once */
    assert_true(rig.is_open);
    rig_break(&rig, CLOSED_UNREACHABLE);
    for (int64_t at_ns = cut_at_ns + SECONDS(5); at_ns <= cut_at_ns + SECONDS(10);
         at_ns += SECONDS(5)) {
        rig_run_until(&rig, at_ns - 1);
        assert_false(rig.is_open);
        rig_run_until(&rig, at_ns);
        assert_true(rig.is_open);
        rig_break(&rig, CLOSED_UNREACHABLE);
    }
    rig_run_until(&rig, cut_at_ns + SECONDS(15) - 1);
    assert_nothing_done(&rig);
    rig_run_until(&rig, cut_at_ns + SECONDS(15));
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    assert_done(&rig, first, COMMAND_SESSION_LOST);
    assert_done(&rig, second, COMMAND_SESSION_LOST);
    assert_done(&rig, third, COMMAND_SESSION_LOST);
    struct command *late = submit_read(&rig, 16, 512);

    assert_done(&rig, late, COMMAND_SESSION_LOST); /* at once */
    assert_int_equal(path_counters(rig.path)->hold_expiries, 1);
    rig_end(&rig);
}

static void windows_sends_held_commands_again_on_the_next_session(void **state)
{
    (void)state;
    begin(&rig_windows);
    int64_t cut_at_ns = rig.now_ns;
    struct command *read = submit_read(&rig, 1, 512);
    struct command *write = submit_write(&rig, 2, 512);

    send_data_in(&rig, next(&rig, PDU_SCSI_COMMAND), 0, 0, 256, 0); /* half of it arrives */
    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_FIN);
    struct command *later = submit_read(&rig, 3, 512);

    rig_run_until(&rig, cut_at_ns);
    rig_break(&rig, CLOSED_RST); /* refused */
    rig_run_until(&rig, cut_at_ns + SECONDS(5));
    rig_connect(&rig);
    rig_login(&rig);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    /* In the order of their submission. */
    struct seen *read_seen = next(&rig, PDU_SCSI_COMMAND);
    struct seen *write_seen = next(&rig, PDU_SCSI_COMMAND);
    struct seen *later_seen = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(read_seen->pdu.command.cdb[5], 1);
    assert_int_equal(write_seen->pdu.command.cdb[5], 2);
    assert_int_equal(later_seen->pdu.command.cdb[5], 3);
    answer_good(&rig, read_seen);
    answer_good(&rig, write_seen);
    answer_good(&rig, later_seen);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 512);
    assert_good(&rig, write);
    assert_good(&rig, later);
    assert_int_equal(path_counters(rig.path)->resubmitted, 2);
    assert_int_equal(path_counters(rig.path)->logins, 2);
    assert_int_equal(path_counters(rig.path)->session_drops, 1);
    rig_run_until(&rig, cut_at_ns + SECONDS(60)); /* the hold is over for good */
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_end(&rig);
}

static void windows_notices_no_silent_cut_while_idle(void **state)
{
    (void)state;
    begin(&rig_windows);
    rig_run_until(&rig, rig.now_ns + SECONDS(3600));
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    assert_silent(&rig);
    rig_end(&rig);
}

/* Silent cut under I/O, TCP does not give up: the request time-out and its delta, then the
 * escalation, then the hold. */
static void windows_notices_a_silent_cut_by_the_request_time_out(void **state)
{
    (void)state;
    begin(&rig_windows);
    int64_t sent_at_ns = rig.now_ns;

    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    rig_run_until(&rig, sent_at_ns + SECONDS(75) - 1);
    assert_silent(&rig);
    rig_run_until(&rig, sent_at_ns + SECONDS(75));
    assert_int_equal(next(&rig, PDU_TASK_REQUEST)->pdu.task_request.function, ISCSI_TMF_ABORT_TASK);
    assert_true(has_sign(&rig, LAYER_SCSI, "command time-out"));
    rig_run_until(&rig, sent_at_ns + SECONDS(90));
    assert_int_equal(next(&rig, PDU_TASK_REQUEST)->pdu.task_request.function,
                     ISCSI_TMF_LOGICAL_UNIT_RESET);
    rig_run_until(&rig, sent_at_ns + SECONDS(105) - 1);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_run_until(&rig, sent_at_ns + SECONDS(105)); /* no target reset in this profile */
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    assert_true(has_sign(&rig, LAYER_ISCSI, "session dropped: command time-out"));
    rig_run_until(&rig, sent_at_ns + SECONDS(120));
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    rig_end(&rig);
}

static void windows_gives_a_connect_15_s_and_a_login_30_s(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows});
    int64_t start_ns = rig.now_ns;

    path_start(rig.path, rig.now_ns);
    rig_drain(&rig);
    rig_run_until(&rig, start_ns + SECONDS(15) - 1);
    assert_true(rig.is_open);
    rig_run_until(&rig, start_ns + SECONDS(15));
    assert_false(rig.is_open);
    assert_true(has_sign(&rig, LAYER_TCP, "connect failed: time-out"));
    rig_run_until(&rig, start_ns + SECONDS(20));
    assert_true(rig.is_open);
    rig.now_ns += SECONDS(14);
    rig_connect(&rig);
    int64_t connected_ns = rig.now_ns;

    rig_run_until(&rig, connected_ns + SECONDS(30) - 1);
    assert_true(rig.is_open);
    rig_run_until(&rig, connected_ns + SECONDS(30));
    assert_false(rig.is_open);
    assert_true(has_sign(&rig, LAYER_ISCSI, "login failed: time-out"));
    assert_int_equal(path_counters(rig.path)->login_failures, 1);
    assert_int_equal(path_service(rig.path), SERVICE_STARTING);
    rig_end(&rig);
}

/* Linux: ping 5 s after the last byte, dead at 10 s, commands failed at 15 s. */
static void linux_fails_a_silent_path_after_ping_and_recovery_tmo(void **state)
{
    (void)state;
    begin(&rig_linux);
    struct command *read = submit_read(&rig, 0, 512);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, read);
    int64_t heard_at_ns = rig.now_ns;

    rig.now_ns += SECONDS(1);
    struct command *lost = submit_read(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    rig_run_until(&rig, heard_at_ns + SECONDS(5) - 1);
    assert_silent(&rig);
    rig_run_until(&rig, heard_at_ns + SECONDS(5));
    next(&rig, PDU_NOP_OUT);
    rig_run_until(&rig, heard_at_ns + SECONDS(10) - 1);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_run_until(&rig, heard_at_ns + SECONDS(10));
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    assert_true(has_sign(&rig, LAYER_ISCSI, "session dropped: nop time-out"));
    rig_run_until(&rig, heard_at_ns + SECONDS(15) - 1);
    assert_nothing_done(&rig);
    rig_run_until(&rig, heard_at_ns + SECONDS(15));
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    assert_done(&rig, lost, COMMAND_SESSION_LOST);
    assert_int_equal(path_counters(rig.path)->nop_timeouts, 1);
    rig_end(&rig);
}

static void linux_pings_keep_an_idle_path_up(void **state)
{
    (void)state;
    begin(&rig_linux);
    for (int i = 0; i < 20; i++) {
        rig_run_until(&rig, rig.now_ns + SECONDS(5));
        send_nop_in(&rig, next(&rig, PDU_NOP_OUT)->pdu.itt, PDU_NO_TAG, 0);
    }
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_end(&rig);
}

/* The first reopen waits the negotiated DefaultTime2Wait, a refused one 3 s; a connect without an
 * answer takes login_timeout and is tried again at once. */
static void linux_paces_its_reconnects(void **state)
{
    (void)state;
    begin(&rig_linux);
    int64_t at_ns = rig.now_ns;

    lose(CLOSED_RST);
    rig_run_until(&rig, at_ns + SECONDS(2) - 1);
    assert_false(rig.is_open);
    rig_run_until(&rig, at_ns += SECONDS(2));
    assert_true(rig.is_open);
    rig_break(&rig, CLOSED_RST); /* refused */
    assert_true(has_sign(&rig, LAYER_TCP, "connect failed: rst"));
    rig_run_until(&rig, at_ns + SECONDS(3) - 1);
    assert_false(rig.is_open);
    rig_run_until(&rig, at_ns += SECONDS(3));
    assert_true(rig.is_open);
    rig_run_until(&rig, at_ns + SECONDS(15) - 1); /* no answer */
    assert_int_equal(rig.opens, 3);
    rig_run_until(&rig, at_ns + SECONDS(15));
    assert_int_equal(rig.opens, 4);
    assert_true(rig.is_open);
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    rig_connect(&rig); /* login_timeout began with the connect */
    rig_login(&rig);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    struct command *read = submit_read(&rig, 0, 512);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, read);
    rig_end(&rig);
}

/* A hung LUN on a live session: 30 s, a ping and 30 s more, then ABORT TASK. */
static void linux_asks_the_connection_before_it_aborts(void **state)
{
    (void)state;
    begin(&rig_linux);
    struct command *hung = submit_read(&rig, 0, 512);
    int64_t sent_at_ns = rig.now_ns;
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    for (int64_t s = 1; s < 60; s++) { /* the target pings, so that our own pings stay away */
        rig_run_until(&rig, sent_at_ns + SECONDS(s));
        while (has_more(&rig))
            send_nop_in(&rig, next(&rig, PDU_NOP_OUT)->pdu.itt, PDU_NO_TAG, 0);
        send_nop_in(&rig, PDU_NO_TAG, PDU_NO_TAG, 0);
    }
    assert_int_equal(path_counters(rig.path)->command_timeouts, 0);
    rig_run_until(&rig, sent_at_ns + SECONDS(60));
    struct seen *abort = next(&rig, PDU_TASK_REQUEST);

    assert_int_equal(abort->pdu.task_request.function, ISCSI_TMF_ABORT_TASK);
    assert_int_equal(abort->pdu.task_request.ref_task_tag, seen->pdu.itt);
    assert_nothing_done(&rig);
    send_tmf_response(&rig, abort, 0);
    assert_done(&rig, hung, COMMAND_TIMED_OUT);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_end(&rig);
}

static struct path_rules no_pings(void)
{
    struct path_rules rules = rig_linux;

    rules.nop_interval_ns = 0;
    rules.nop_timeout_ns = 0;
    return rules;
}

static void a_command_that_moves_data_gets_more_time(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin(&rules);
    submit_read(&rig, 0, 4096);
    int64_t sent_at_ns = rig.now_ns;
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    rig_run_until(&rig, sent_at_ns + SECONDS(20));
    send_data_in(&rig, seen, 0, 0, 512, 0);
    rig_run_until(&rig, sent_at_ns + SECONDS(60) - 1);
    assert_silent(&rig);
    rig_run_until(&rig, sent_at_ns + SECONDS(60));
    next(&rig, PDU_TASK_REQUEST);
    rig_end(&rig);
}

static void recovery_escalates_until_the_session_is_dropped(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin(&rules);
    int64_t at_ns = rig.now_ns;
    struct command *hung = submit_read(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    rig_run_until(&rig, at_ns += SECONDS(30));
    struct seen *abort = next(&rig, PDU_TASK_REQUEST);

    assert_int_equal(abort->pdu.task_request.function, ISCSI_TMF_ABORT_TASK);
    send_tmf_response(&rig, abort, ISCSI_TMF_TASK_DOES_NOT_EXIST); /* but it was never answered */
    assert_int_equal(next(&rig, PDU_TASK_REQUEST)->pdu.task_request.function,
                     ISCSI_TMF_LOGICAL_UNIT_RESET);
    rig_run_until(&rig, at_ns += SECONDS(30));
    assert_int_equal(next(&rig, PDU_TASK_REQUEST)->pdu.task_request.function,
                     ISCSI_TMF_TARGET_WARM_RESET);
    rig_run_until(&rig, at_ns += SECONDS(30));
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    assert_nothing_done(&rig); /* its fate is open until the old session is surely dead */
    rig_run_until(&rig, at_ns + SECONDS(2));
    rig_connect(&rig);
    rig_login(&rig);
    assert_done(&rig, hung, COMMAND_TIMED_OUT);
    assert_silent(&rig); /* it is not sent again */
    assert_int_equal(path_counters(rig.path)->lun_resets, 1);
    assert_int_equal(path_counters(rig.path)->target_resets, 1);
    rig_end(&rig);
}

static void a_reset_sends_its_bystanders_again(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    rules.abort_timeout_ns = 0; /* this host begins with the LUN reset */
    begin(&rules);
    int64_t sent_at_ns = rig.now_ns;
    struct command *hung = submit_read(&rig, 1, 512);

    next(&rig, PDU_SCSI_COMMAND);
    rig_run_until(&rig, sent_at_ns + SECONDS(20));
    struct command *bystander = submit_write(&rig, 2, 512);

    next(&rig, PDU_SCSI_COMMAND);
    rig_run_until(&rig, sent_at_ns + SECONDS(30));
    send_tmf_response(&rig, next(&rig, PDU_TASK_REQUEST), 0);
    assert_done(&rig, hung, COMMAND_TIMED_OUT);
    assert_nothing_done(&rig);
    struct seen *again = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(again->pdu.command.cdb[5], 2);
    answer_good(&rig, again);
    assert_good(&rig, bystander);
    rig_end(&rig);
}

static void an_answer_that_crosses_its_abort_counts(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin(&rules);
    struct command *slow = submit_read(&rig, 1, 512);
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    rig_run_until(&rig, rig.now_ns + SECONDS(30));
    struct seen *abort = next(&rig, PDU_TASK_REQUEST);

    answer_good(&rig, seen);
    assert_good(&rig, slow);
    send_tmf_response(&rig, abort, ISCSI_TMF_TASK_DOES_NOT_EXIST);
    assert_silent(&rig);
    rig_run_until(&rig, rig.now_ns + SECONDS(100));
    assert_silent(&rig);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_end(&rig);
}

static void a_command_that_waits_for_the_window_needs_no_abort(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rules, .window = 1});
    rig_up(&rig);
    submit_read(&rig, 1, 512);
    struct command *waits = submit_read(&rig, 2, 512);
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    assert_silent(&rig);
    rig_run_until(&rig, rig.now_ns + SECONDS(30));
    struct seen *abort = next(&rig, PDU_TASK_REQUEST); /* for the first */

    assert_int_equal(abort->pdu.task_request.ref_task_tag, seen->pdu.itt);
    send_tmf_response(&rig, abort, 0);
    assert_non_null(rig_done(&rig));
    rig_run_until(&rig, rig.now_ns);
    assert_done(&rig, waits, COMMAND_TIMED_OUT);
    assert_silent(&rig);
    rig_end(&rig);
}

static void a_wanted_abort_ends_as_aborted(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    rules.queue_depth = 1;
    begin(&rules);
    struct command *sent = submit_read(&rig, 1, 512);
    struct command *waits = submit_read(&rig, 2, 512);

    next(&rig, PDU_SCSI_COMMAND);
    path_abort(rig.path, waits, rig.now_ns);
    assert_done(&rig, waits, COMMAND_ABORTED);
    path_abort(rig.path, sent, rig.now_ns);
    assert_nothing_done(&rig);
    send_tmf_response(&rig, next(&rig, PDU_TASK_REQUEST), 0);
    assert_done(&rig, sent, COMMAND_ABORTED);
    assert_int_equal(path_outstanding(rig.path), 0);
    rig_end(&rig);
}

static void a_wanted_abort_survives_the_session(void **state)
{
    (void)state;
    begin(&rig_windows);
    struct command *sent = submit_read(&rig, 1, 512);

    next(&rig, PDU_SCSI_COMMAND);
    path_abort(rig.path, sent, rig.now_ns);
    next(&rig, PDU_TASK_REQUEST);
    lose(CLOSED_RST);
    assert_done(&rig, sent, COMMAND_ABORTED);
    rig_end(&rig);
}

static void limits_hold_commands_back_lun_by_lun(void **state)
{
    struct path_rules rules = rig_windows;

    (void)state;
    rules.queue_depth = 2;
    rules.max_commands = 3;
    begin(&rules);
    for (uint32_t i = 0; i < 4; i++)
        submit_read(&rig, i, 512);
    struct seen *first = next(&rig, PDU_SCSI_COMMAND);

    next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig); /* two per LUN */
    for (uint32_t i = 0; i < 4; i++)
        submit(&rig, (struct command){.lun = 0x0002000000000000u});
    assert_true(next(&rig, PDU_SCSI_COMMAND)->pdu.lun == 0x0002000000000000u);
    assert_silent(&rig); /* three per session */
    answer_good(&rig, first);
    assert_non_null(rig_done(&rig));
    /* Lanes take turns: the other LUN waited longer for its turn or not, one of them goes. */
    next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig);
    assert_int_equal(path_outstanding(rig.path), 7);
    rig_end(&rig);
}

static void a_second_loss_before_admission_goes_on_holding(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows, .admits_late = true});
    rig_up(&rig);
    path_admit(rig.path, rig.now_ns);
    struct command *read = submit_read(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_RST);
    rig_run_until(&rig, rig.now_ns);
    rig_connect(&rig);
    rig_login(&rig);
    assert_silent(&rig); /* not admitted yet: the scan comes first */
    struct command inquiry = {.cdb = {0x12, 0, 0, 0, 36}, .direction = DATA_READ, .bytes = 36};

    path_submit_scan(rig.path, &inquiry, rig.now_ns);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.command.cdb[0], 0x12);
    rig_break(&rig, CLOSED_RST);
    assert_ptr_equal(rig_done(&rig), &inquiry); /* a scan is never held */
    assert_int_equal(inquiry.end, COMMAND_SESSION_LOST);
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    assert_nothing_done(&rig);
    rig_run_until(&rig, rig.now_ns);
    rig_connect(&rig);
    rig_login(&rig);
    path_admit(rig.path, rig.now_ns);
    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, read);
    rig_end(&rig);
}

static void a_refused_scan_fails_what_is_held(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows, .admits_late = true});
    rig_up(&rig);
    path_admit(rig.path, rig.now_ns);
    struct command *write = submit_write(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_RST);
    rig_run_until(&rig, rig.now_ns);
    rig_connect(&rig);
    rig_login(&rig);
    path_refuse(rig.path, "identity changed", rig.now_ns);
    assert_done(&rig, write, COMMAND_SESSION_LOST);
    assert_silent(&rig);
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    path_admit(rig.path, rig.now_ns); /* as another disk, for new commands */
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    rig_end(&rig);
}

static void stops_by_logging_out(void **state)
{
    (void)state;
    begin(&rig_windows);
    path_stop(rig.path, rig.now_ns);
    rig_drain(&rig);
    struct seen *logout = next(&rig, PDU_LOGOUT_REQUEST);

    assert_int_equal(path_service(rig.path), SERVICE_UP);
    send_logout_response(&rig, logout, 0);
    assert_int_equal(path_service(rig.path), SERVICE_STOPPED);
    assert_false(rig.is_open);
    assert_non_null(path_event_of(&rig, PATH_CLOSE));
    assert_null(path_session(rig.path));
    assert_int_equal(path_deadline_ns(rig.path), TIME_NEVER);
    assert_int_equal(path_counters(rig.path)->logouts, 1);
    assert_int_equal(path_counters(rig.path)->session_drops, 0);
    rig_end(&rig);
}

static void stops_without_an_answer_after_the_logout_time_out(void **state)
{
    (void)state;
    begin(&rig_windows);
    struct command *open = submit_read(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    path_stop(rig.path, rig.now_ns);
    next(&rig, PDU_LOGOUT_REQUEST);
    rig_run_until(&rig, rig.now_ns + SECONDS(15));
    assert_int_equal(path_service(rig.path), SERVICE_STOPPED);
    assert_done(&rig, open, COMMAND_SESSION_LOST);
    assert_false(rig.is_open);
    rig_end(&rig);
}

static void stops_in_the_middle_of_anything(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 4; step++) {
        rig_begin(&rig, &(struct rig_options){.rules = &rig_windows});
        path_start(rig.path, rig.now_ns);
        rig_drain(&rig);
        if (step == 1)
            rig_connect(&rig);
        if (step >= 2)
            rig_break(&rig, CLOSED_UNREACHABLE);
        path_stop(rig.path, rig.now_ns);
        rig_drain(&rig);
        assert_int_equal(path_service(rig.path), SERVICE_STOPPED);
        assert_false(rig.is_open);
        assert_int_equal(path_deadline_ns(rig.path), TIME_NEVER);
        rig_end(&rig);
    }
}

#define HOME  IPV4(172, 16, 0, 51)
#define OTHER IPV4(172, 16, 0, 52)

/* The login that comes at 'portal' is answered by 'status': go to 'where' ("172.16.0.52"). */
static void send_away(uint32_t portal, uint16_t status, const char *where)
{
    char text[64];

    assert_true(rig.is_open);
    assert_int_equal(rig.opened_to.address, portal);
    rig_connect(&rig);
    struct seen *request = next(&rig, PDU_LOGIN_REQUEST);
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .itt = request->pdu.itt,
                      .login_response = {.csg = 1,
                                         .status_class = (uint8_t)(status >> 8),
                                         .status_detail = (uint8_t)status}};

    memcpy(pdu.login_response.isid, request->pdu.login_request.isid, 6);
    snprintf(text, sizeof(text), "TargetAddress=%s", where);
    send_pdu(&rig, pdu, buf_copy(rig.pool, text, strlen(text) + 1), true);
    assert_false(rig.is_open);
    rig_run_until(&rig, rig.now_ns);
}

static void takes_us(uint32_t portal)
{
    assert_true(rig.is_open);
    assert_int_equal(rig.opened_to.address, portal);
    rig_connect(&rig);
    rig_login(&rig);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
}

static void begin_login(void)
{
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows});
    path_start(rig.path, rig.now_ns);
    rig_drain(&rig);
}

static void a_loop_of_redirections_is_a_failed_login(void **state)
{
    (void)state;
    begin_login();
    send_away(HOME, ISCSI_LOGIN_MOVED_TEMPORARILY, "172.16.0.52");
    for (unsigned i = 0; i < 4; i++)
        send_away(OTHER, ISCSI_LOGIN_MOVED_TEMPORARILY, "172.16.0.52");
    assert_false(rig.is_open);
    assert_true(has_sign(&rig, LAYER_ISCSI,
                         "login failed: redirected 5 times in a row, at last to 172.16.0.52:3260"));
    assert_int_equal(path_counters(rig.path)->login_failures, 1);
    rig_run_until(&rig, rig.now_ns + SECONDS(5));
    takes_us(HOME);
    rig_end(&rig);
}

static void a_loop_of_permanent_redirections_leaves_nothing_behind(void **state)
{
    (void)state;
    begin_login();
    for (unsigned i = 0; i < 5; i++)
        send_away(i % 2 ? OTHER : HOME, ISCSI_LOGIN_MOVED_PERMANENTLY,
                  i % 2 ? "172.16.0.51" : "172.16.0.52");
    assert_false(rig.is_open);
    assert_true(has_sign(&rig, LAYER_ISCSI,
                         "login failed: redirected 5 times in a row, at last to 172.16.0.52:3260"));
    rig_run_until(&rig, rig.now_ns + SECONDS(5));
    takes_us(HOME); /* as the administrator said, not where the loop stood */
    rig_end(&rig);
}

/* RFC 7143, 11.13.5, status 0101h: the next login asks the old portal. */
static void a_temporary_redirection_is_for_one_login(void **state)
{
    (void)state;
    begin_login();
    send_away(HOME, ISCSI_LOGIN_MOVED_TEMPORARILY, "172.16.0.52");
    takes_us(OTHER);
    lose(CLOSED_RST);
    rig_run_until(&rig, rig.now_ns);
    takes_us(HOME);
    rig_end(&rig);
}

/* Status 0102h: it asks the new one, and so does the one after a failed attempt. */
static void a_permanent_redirection_is_for_all_logins_to_come(void **state)
{
    (void)state;
    begin_login();
    send_away(HOME, ISCSI_LOGIN_MOVED_PERMANENTLY, "172.16.0.52");
    takes_us(OTHER);
    lose(CLOSED_RST);
    rig_run_until(&rig, rig.now_ns);
    assert_int_equal(rig.opened_to.address, OTHER);
    rig_break(&rig, CLOSED_UNREACHABLE);
    rig_run_until(&rig, rig.now_ns + SECONDS(5));
    send_away(OTHER, ISCSI_LOGIN_MOVED_TEMPORARILY, "172.16.0.53");
    takes_us(IPV4(172, 16, 0, 53));
    lose(CLOSED_RST);
    rig_run_until(&rig, rig.now_ns);
    takes_us(OTHER); /* where it is for good, after an excursion too */
    rig_end(&rig);
}

static void a_refused_login_is_tried_again_later(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_linux});
    path_start(rig.path, rig.now_ns);
    rig_drain(&rig);
    rig_connect(&rig);
    struct seen *request = next(&rig, PDU_LOGIN_REQUEST);
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .itt = request->pdu.itt,
                      .login_response = {.csg = 1, .status_class = 3, .status_detail = 1}};
    int64_t at_ns = rig.now_ns;

    send_pdu(&rig, pdu, NULL, true);
    assert_true(has_sign(&rig, LAYER_ISCSI, "login failed: status 0301, service unavailable"));
    assert_false(rig.is_open);
    rig_run_until(&rig, at_ns + SECONDS(3) - 1);
    assert_false(rig.is_open);
    rig_run_until(&rig, at_ns + SECONDS(3));
    assert_true(rig.is_open);
    rig_end(&rig);
}

static void deadlines_keep_to_the_timer_tick(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows, .timer_tick_ns = MS(15)});
    rig.now_ns += MS(1);
    rig_up(&rig);
    int64_t cut_at_ns = rig.now_ns;

    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_RST);
    int64_t due_ns = (cut_at_ns + SECONDS(15) + MS(15) - 1) / MS(15) * MS(15);

    assert_true(due_ns > cut_at_ns + SECONDS(15));
    rig_run_until(&rig, due_ns - 1);
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    rig_run_until(&rig, due_ns);
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    rig_end(&rig);
}

/* Ticks of 4 ms; 1 s, where the rig begins, is tick 250. */
static void begin_on_a_wheel(const struct path_rules *rules)
{
    rig_begin(&rig,
              &(struct rig_options){.rules = rules, .timer_tick_ns = MS(4), .timer_wheel = true});
    rig_up(&rig);
    assert_int_equal(rig.now_ns, SECONDS(1));
}

static void a_wheel_turns_until_the_hold_is_over(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin_on_a_wheel(&rules);
    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    lose(CLOSED_RST);
    /* Tick 250 + 1250, and up to a multiple of 64: 1536. */
    rig_run_until(&rig, MS(4) * 1536 - 1);
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    rig_run_until(&rig, MS(4) * 1536);
    assert_int_equal(path_service(rig.path), SERVICE_FAILED);
    rig_end(&rig);
}

static void a_quiet_queue_looks_at_a_late_command_late(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin_on_a_wheel(&rules);
    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    /* First look: 250 + 1250 + 256 is in the bucket 1792. The deadline, 7750, is 5958 ticks from
     * there: up to a multiple of 512, 8192, 1.77 s late. */
    rig_run_until(&rig, MS(4) * 8192 - 1);
    assert_silent(&rig);
    rig_run_until(&rig, MS(4) * 8192);
    next(&rig, PDU_TASK_REQUEST);
    /* abort_timeout 15 s, tick 11942: 11968. */
    rig_run_until(&rig, MS(4) * 11968 - 1);
    assert_silent(&rig);
    rig_run_until(&rig, MS(4) * 11968);
    assert_int_equal(next(&rig, PDU_TASK_REQUEST)->pdu.task_request.function,
                     ISCSI_TMF_LOGICAL_UNIT_RESET);
    rig_end(&rig);
}

static void a_busy_queue_looks_at_a_late_command_sooner(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin_on_a_wheel(&rules);
    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    for (int64_t s = 2; s <= 31; s++) {
        rig_run_until(&rig, SECONDS(s));
        struct command *read = submit_read(&rig, 0, 512);

        answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
        assert_good(&rig, read);
    }
    /* It looked at ticks 1792, 3520 (asked for at 8 s), 5312 (15 s) and 7040 (22 s); 7750 is 710
     * ticks from there: up to a multiple of 64, 7808, 0.23 s late. */
    rig_run_until(&rig, MS(4) * 7808 - 1);
    assert_silent(&rig);
    rig_run_until(&rig, MS(4) * 7808);
    next(&rig, PDU_TASK_REQUEST);
    rig_end(&rig);
}

static void a_wanted_abort_waits_for_no_wheel(void **state)
{
    struct path_rules rules = no_pings();

    (void)state;
    begin_on_a_wheel(&rules);
    struct command *read = submit_read(&rig, 0, 512);

    next(&rig, PDU_SCSI_COMMAND);
    path_abort(rig.path, read, rig.now_ns);
    rig_drain(&rig);
    rig_run_until(&rig, rig.now_ns);
    next(&rig, PDU_TASK_REQUEST);
    rig_end(&rig);
}

static void carrier_is_a_sign_and_no_more(void **state)
{
    (void)state;
    begin(&rig_windows);
    path_carrier(rig.path, false, rig.now_ns);
    rig_drain(&rig);
    assert_true(has_sign(&rig, LAYER_LINK, "carrier lost"));
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    path_carrier(rig.path, true, rig.now_ns);
    rig_drain(&rig);
    assert_true(has_sign(&rig, LAYER_LINK, "carrier back"));
    rig_end(&rig);
}

int main(void)
{
    TEST(comes_up_and_carries_io);
    TEST(windows_holds_commands_for_link_down_time);
    TEST(windows_sends_held_commands_again_on_the_next_session);
    TEST(windows_notices_no_silent_cut_while_idle);
    TEST(windows_notices_a_silent_cut_by_the_request_time_out);
    TEST(windows_gives_a_connect_15_s_and_a_login_30_s);
    TEST(linux_fails_a_silent_path_after_ping_and_recovery_tmo);
    TEST(linux_pings_keep_an_idle_path_up);
    TEST(linux_paces_its_reconnects);
    TEST(linux_asks_the_connection_before_it_aborts);
    TEST(a_command_that_moves_data_gets_more_time);
    TEST(recovery_escalates_until_the_session_is_dropped);
    TEST(a_reset_sends_its_bystanders_again);
    TEST(an_answer_that_crosses_its_abort_counts);
    TEST(a_command_that_waits_for_the_window_needs_no_abort);
    TEST(a_wanted_abort_ends_as_aborted);
    TEST(a_wanted_abort_survives_the_session);
    TEST(limits_hold_commands_back_lun_by_lun);
    TEST(a_second_loss_before_admission_goes_on_holding);
    TEST(a_refused_scan_fails_what_is_held);
    TEST(stops_by_logging_out);
    TEST(stops_without_an_answer_after_the_logout_time_out);
    TEST(stops_in_the_middle_of_anything);
    TEST(a_loop_of_redirections_is_a_failed_login);
    TEST(a_loop_of_permanent_redirections_leaves_nothing_behind);
    TEST(a_temporary_redirection_is_for_one_login);
    TEST(a_permanent_redirection_is_for_all_logins_to_come);
    TEST(a_refused_login_is_tried_again_later);
    TEST(deadlines_keep_to_the_timer_tick);
    TEST(a_wheel_turns_until_the_hold_is_over);
    TEST(a_quiet_queue_looks_at_a_late_command_late);
    TEST(a_busy_queue_looks_at_a_late_command_sooner);
    TEST(a_wanted_abort_waits_for_no_wheel);
    TEST(carrier_is_a_sign_and_no_more);
    return TEST_RUN("initiator.path");
}
