/* UNH-IOL Full Feature Phase tests for iSCSI initiators, groups 18 to 20: Text Request, task
 * management, asynchronous messages. Where the suite waits for what a host decides, the path core
 * stands for the host.
 */
#include "tests/initiator/rig.h"

static struct rig rig;

#define TEXT(literal) literal, sizeof(literal) /* with the last NUL */

static void begin_discovery(void)
{
    rig_begin(&rig, &(struct rig_options){.is_discovery = true});
    rig_login(&rig);
    assert_non_null(event_of(&rig, ISESSION_LOGGED_IN));
    assert_true(isession_send_targets(rig.session));
}

static void assert_is(const char *answer, size_t bytes)
{
    size_t answer_bytes;
    const char *ours = isession_text_answer(rig.session, &answer_bytes);

    assert_int_equal(answer_bytes, bytes);
    assert_memory_equal(ours, answer, bytes);
}

/* 18.1: SendTargets=All, numbered from the login. */
static void ffp_i_18_1(void **state)
{
    char keys[64] = {0};

    (void)state;
    begin_discovery();
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    assert_int_equal(text->pdu.cmd_sn, rig.options.first_cmd_sn);
    assert_int_equal(text->pdu.ttt, PDU_NO_TAG);
    assert_int_not_equal(text->pdu.itt, rig.login_itt);
    assert_true(text->pdu.is_final);
    assert_int_equal(text->pdu.data_bytes, sizeof("SendTargets=All"));
    buf_read(text->data, 0, keys, text->pdu.data_bytes);
    assert_string_equal(keys, "SendTargets=All");
    rig_end(&rig);
}

/* 18.2: an answer in two PDUs, asked for by an empty request with the same tags, and joined. */
static void ffp_i_18_2(void **state)
{
    (void)state;
    begin_discovery();
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    send_text(&rig, text, false, 0x77, RIG_LUN,
              TEXT("TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1"));
    struct seen *more = next(&rig, PDU_TEXT_REQUEST);

    assert_int_equal(more->pdu.itt, text->pdu.itt);
    assert_int_equal(more->pdu.ttt, 0x77);
    assert_true(more->pdu.lun == RIG_LUN);
    assert_int_equal(more->pdu.data_bytes, 0);
    assert_null(event_of(&rig, ISESSION_TEXT_DONE));
    send_text(&rig, text, true, PDU_NO_TAG, 0, TEXT("TargetAddress=172.16.0.52:3260,2"));
    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    assert_is(TEXT("TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1\0"
                   "TargetAddress=172.16.0.52:3260,2"));
    assert_lives(&rig);
    rig_end(&rig);
}

/* 18.3.1: a tag beside F=1 says nothing; the host logs out. */
static void ffp_i_18_3_1(void **state)
{
    (void)state;
    begin_discovery();
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    send_text(&rig, text, true, 0x77, RIG_LUN,
              TEXT("TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1"));
    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    assert_silent(&rig);
    assert_true(isession_logout(rig.session, ISCSI_LOGOUT_CLOSE_SESSION));
    struct seen *logout = next(&rig, PDU_LOGOUT_REQUEST);

    assert_int_equal(logout->pdu.logout_request.reason, 0);
    assert_int_not_equal(logout->pdu.itt, text->pdu.itt);
    rig_end(&rig);
}

/* 18.3.2: more to come, but no tag to ask for it: the session ends, and no request follows. */
static void ffp_i_18_3_2(void **state)
{
    (void)state;
    begin_discovery();
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    send_text(&rig, text, false, PDU_NO_TAG, 0, TEXT("TargetName=iqn.2026-01.com.example:a"));
    assert_silent(&rig);
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

/* 18.4: a negotiation key among the answers to SendTargets: neither answered nor used. */
static void ffp_i_18_4(void **state)
{
    (void)state;
    begin_discovery();
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    send_text(&rig, text, true, 0x77, 0,
              TEXT("TargetName=iqn.2026-01.com.example:a\0MaxRecvDataSegmentLength=512\0"
                   "TargetAddress=172.16.0.51:3260,1"));
    assert_silent(&rig);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_int_not_equal(isession_params(rig.session)->peer_max_recv_segment_bytes, 512);
    rig_end(&rig);
}

/* 18.5: a rejected negotiation changes nothing, and may be had anew. */
static void ffp_i_18_5(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    uint32_t before = isession_params(rig.session)->max_recv_segment_bytes;

    assert_true(isession_declare_segment(rig.session, 32768));
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    send_reject(&rig, ISCSI_REJECT_PROTOCOL_ERROR, text);
    assert_non_null(event_of(&rig, ISESSION_TEXT_REJECTED));
    assert_lives(&rig);
    assert_int_equal(isession_params(rig.session)->max_recv_segment_bytes, before);

    assert_true(isession_declare_segment(rig.session, 32768));
    text = next(&rig, PDU_TEXT_REQUEST);
    assert_int_equal(text->pdu.ttt, PDU_NO_TAG);
    assert_true(text->pdu.data_bytes > 0);
    send_text(&rig, text, true, PDU_NO_TAG, 0, NULL, 0);
    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    assert_int_equal(isession_params(rig.session)->max_recv_segment_bytes, 32768);
    assert_lives(&rig);
    rig_end(&rig);
}

/* 19.1: the CmdSN of an immediate task management request. */
static void ffp_i_19_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    submit_test_unit_ready(&rig);
    struct seen *silent = next(&rig, PDU_SCSI_COMMAND);

    isession_manage(rig.session, ISCSI_TMF_LOGICAL_UNIT_RESET, RIG_LUN);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    assert_true(tmf->pdu.is_immediate);
    assert_int_equal(tmf->pdu.cmd_sn, silent->pdu.cmd_sn + 1);
    submit_test_unit_ready(&rig);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.cmd_sn, tmf->pdu.cmd_sn);
    rig_end(&rig);
}

/* 19.2: its LUN is that of the command. */
static void ffp_i_19_2(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *silent = submit(&rig, (struct command){.lun = 0x0005000000000000u});

    next(&rig, PDU_SCSI_COMMAND);
    isession_abort_task(rig.session, silent);
    assert_true(next(&rig, PDU_TASK_REQUEST)->pdu.lun == 0x0005000000000000u);
    rig_end(&rig);
}

/* 19.3: RefCmdSN is the CmdSN of the command, or of the request for an immediate one. */
static void ffp_i_19_3(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *plain = submit_test_unit_ready(&rig);
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    submit_test_unit_ready(&rig);
    next(&rig, PDU_SCSI_COMMAND);
    isession_abort_task(rig.session, plain);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    assert_int_equal(tmf->pdu.task_request.function, ISCSI_TMF_ABORT_TASK);
    assert_int_equal(tmf->pdu.task_request.ref_task_tag, seen->pdu.itt);
    assert_int_equal(tmf->pdu.task_request.ref_cmd_sn, seen->pdu.cmd_sn);

    struct command *immediate =
        submit(&rig, (struct command){.lun = RIG_LUN, .is_immediate = true});

    seen = next(&rig, PDU_SCSI_COMMAND);
    submit_test_unit_ready(&rig);
    next(&rig, PDU_SCSI_COMMAND);
    isession_abort_task(rig.session, immediate);
    tmf = next(&rig, PDU_TASK_REQUEST);
    assert_int_equal(tmf->pdu.task_request.ref_task_tag, seen->pdu.itt);
    assert_int_equal(tmf->pdu.task_request.ref_cmd_sn, tmf->pdu.cmd_sn);
    rig_end(&rig);
}

/* 19.4.1: after ABORT TASK SET the target may still ping, and ask for data. */
static void still_serves(bool stops_data)
{
    static const enum iscsi_tmf functions[] = {ISCSI_TMF_ABORT_TASK_SET, ISCSI_TMF_CLEAR_TASK_SET};

    for (unsigned i = 0; i < 2; i++) {
        struct rig_options options = {.target = rig_params(), .stops_data_at_abort = stops_data};

        options.target.initial_r2t = true;
        options.target.immediate_data = false;
        rig_begin(&rig, &options);
        rig_base(&rig);
        struct command *write = submit_write(&rig, 0, 4096);
        struct seen *command = next(&rig, PDU_SCSI_COMMAND);

        isession_manage(rig.session, functions[i], RIG_LUN);
        struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

        assert_int_equal(tmf->pdu.task_request.function, functions[i]);
        assert_int_equal(tmf->pdu.task_request.ref_task_tag, PDU_NO_TAG);
        send_nop_in(&rig, PDU_NO_TAG, 0x99, 0);
        assert_int_equal(next(&rig, PDU_NOP_OUT)->pdu.ttt, 0x99);
        send_r2t(&rig, command, 0, 0x55, 0, 4096);
        if (stops_data)
            assert_silent(&rig);
        else
            assert_true(next(&rig, PDU_DATA_OUT)->pdu.is_final);
        assert_nothing_done(&rig);
        send_tmf_response(&rig, tmf, 0);
        assert_done(&rig, write, COMMAND_ABORTED);
        assert_lives(&rig);
        rig_end(&rig);
    }
}

static void ffp_i_19_4_1(void **state)
{
    (void)state;
    still_serves(false);
}

static void fast_abort_sends_no_more_data(void **state)
{
    (void)state;
    still_serves(true);
}

/* 19.4.2, at error recovery level 0: the same with a READ; the A bit is ignored. */
static void ffp_i_19_4_2_at_level_0(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *read = submit_read(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    isession_manage(rig.session, ISCSI_TMF_ABORT_TASK_SET, RIG_LUN);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    send_nop_in(&rig, PDU_NO_TAG, 0x99, 0);
    next(&rig, PDU_NOP_OUT);
    send_data_in(&rig, command, 0, 0, 2048, DATA_F | DATA_A);
    assert_silent(&rig);
    send_tmf_response(&rig, tmf, 0);
    assert_done(&rig, read, COMMAND_ABORTED);
    assert_null(read->data_in);
    assert_lives(&rig);
    rig_end(&rig);
}

/* 19.4.3: the status of a command, then the response to the request that hit it. */
static void ffp_i_19_4_3(void **state)
{
    static const enum iscsi_tmf functions[] = {ISCSI_TMF_ABORT_TASK_SET, ISCSI_TMF_CLEAR_TASK_SET};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        rig_begin(&rig, &(struct rig_options){0});
        rig_base(&rig);
        struct command *answered = submit_test_unit_ready(&rig);
        struct command *silent = submit_test_unit_ready(&rig);
        struct seen *command = next(&rig, PDU_SCSI_COMMAND);

        next(&rig, PDU_SCSI_COMMAND);
        uint32_t tag = isession_manage(rig.session, functions[i], RIG_LUN);
        struct seen *tmf = next(&rig, PDU_TASK_REQUEST);
        struct command *later = submit_test_unit_ready(&rig);
        struct seen *later_seen = next(&rig, PDU_SCSI_COMMAND);

        send_status(&rig, command, 0);
        assert_good(&rig, answered);
        assert_nothing_done(&rig);
        send_tmf_response(&rig, tmf, 0);
        assert_non_null(event_of(&rig, ISESSION_TMF_DONE));
        assert_int_equal(event_of(&rig, ISESSION_TMF_DONE)->tmf_tag, tag);
        assert_done(&rig, silent, COMMAND_ABORTED);
        assert_nothing_done(&rig); /* 'later' was sent after the request */
        answer_good(&rig, later_seen);
        assert_good(&rig, later);
        assert_lives(&rig);
        rig_end(&rig);
    }
}

/* 20.1: a logout within a second, and no command after it. */
static void ffp_i_20_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows});
    rig_up(&rig);
    submit_test_unit_ready(&rig); /* stays unanswered */
    next(&rig, PDU_SCSI_COMMAND);
    int64_t asked_at_ns = rig.now_ns;

    send_async(&rig, ISCSI_ASYNC_LOGOUT_REQUESTED, 0, 0, 1);
    rig_run_until(&rig, asked_at_ns + SECONDS(1));
    submit_test_unit_ready(&rig);
    struct seen *logout = next(&rig, PDU_LOGOUT_REQUEST);

    assert_in_range(logout->pdu.logout_request.reason, 0, 1);
    assert_int_equal(logout->pdu.exp_stat_sn, rig.stat_sn);
    assert_silent(&rig);
    rig_end(&rig);
}

/* 20.2: the target drops the connection: back within a second, open commands on the new session. */
static void ffp_i_20_2(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_windows});
    rig_up(&rig);
    submit_test_unit_ready(&rig);
    next(&rig, PDU_SCSI_COMMAND);
    int64_t dropped_at_ns = rig.now_ns;

    send_async(&rig, ISCSI_ASYNC_DROP_CONNECTION, 0, 0, 1);
    assert_false(rig.is_open);
    assert_int_equal(path_service(rig.path), SERVICE_HOLDING);
    rig_run_until(&rig, dropped_at_ns + SECONDS(1));
    assert_true(rig.is_open);
    rig_connect(&rig);
    rig_login(&rig);
    assert_int_equal(rig.logins, 2);
    assert_int_equal(path_service(rig.path), SERVICE_UP);
    next(&rig, PDU_SCSI_COMMAND);
    rig_end(&rig);
}

static void a_drop_of_another_connection_is_not_ours(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    send_async(&rig, ISCSI_ASYNC_DROP_CONNECTION, 8, 0, 1);
    assert_lives(&rig);
    send_async(&rig, ISCSI_ASYNC_DROP_CONNECTION, 7, 2, 3);
    assert_ended(&rig, LOST_DROPPED);
    assert_int_equal(event_of(&rig, ISESSION_ENDED)->time2wait_s, 2);
    assert_int_equal(event_of(&rig, ISESSION_ENDED)->time2retain_s, 3);
    rig_end(&rig);
}

/* 20.3, with one connection: all are closed; the new login comes after 1 s, not after 3. */
static void ffp_i_20_3_with_one_connection(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.rules = &rig_linux});
    rig_up(&rig);
    int64_t dropped_at_ns = rig.now_ns;

    send_async(&rig, ISCSI_ASYNC_DROP_SESSION, 0, 1, 2);
    assert_false(rig.is_open);
    rig_run_until(&rig, dropped_at_ns + SECONDS(1) - 1);
    assert_false(rig.is_open);
    rig_run_until(&rig, dropped_at_ns + SECONDS(3));
    assert_true(rig.is_open);
    assert_int_equal(rig.opened_at_ns, dropped_at_ns + SECONDS(1));
    rig_end(&rig);
}

/* 20.4: a Text Request at once; what the target then wants to negotiate is answered. */
static void ffp_i_20_4(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *ready = submit_test_unit_ready(&rig);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, ready);
    send_async(&rig, ISCSI_ASYNC_NEGOTIATE, 0, 0, 3);
    struct seen *text = next(&rig, PDU_TEXT_REQUEST);

    assert_int_equal(text->pdu.ttt, PDU_NO_TAG);
    send_text(&rig, text, false, 0x31, 0, TEXT("MaxRecvDataSegmentLength=1024"));
    struct seen *more = next(&rig, PDU_TEXT_REQUEST);

    assert_int_equal(more->pdu.itt, text->pdu.itt);
    assert_int_equal(more->pdu.ttt, 0x31);
    send_text(&rig, text, true, PDU_NO_TAG, 0, NULL, 0);
    assert_int_equal(isession_params(rig.session)->peer_max_recv_segment_bytes, 1024);
    assert_lives(&rig);
    submit_write(&rig, 0, 4096);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.data_bytes, 1024);
    rig_end(&rig);
}

int main(void)
{
    TEST(ffp_i_18_1);
    TEST(ffp_i_18_2);
    TEST(ffp_i_18_3_1);
    TEST(ffp_i_18_3_2);
    TEST(ffp_i_18_4);
    TEST(ffp_i_18_5);
    TEST(ffp_i_19_1);
    TEST(ffp_i_19_2);
    TEST(ffp_i_19_3);
    TEST(ffp_i_19_4_1);
    TEST(fast_abort_sends_no_more_data);
    TEST(ffp_i_19_4_2_at_level_0);
    TEST(ffp_i_19_4_3);
    TEST(ffp_i_20_1);
    TEST(ffp_i_20_2);
    TEST(a_drop_of_another_connection_is_not_ours);
    TEST(ffp_i_20_3_with_one_connection);
    TEST(ffp_i_20_4);
    return TEST_RUN("initiator.ffp_manage");
}
