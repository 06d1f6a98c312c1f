/* UNH-IOL Full Feature Phase tests for iSCSI initiators, groups 14 to 17: Logout Request, NOP-Out,
 * SCSI Command, logout. Where the suite waits for what a host decides, the path core stands for the
 * host.
 */
#include "tests/initiator/rig.h"

static struct rig rig;

static struct rig_options with(bool initial_r2t, bool immediate_data)
{
    struct rig_options options = {.target = rig_params(), .host = rig_params()};

    options.target.initial_r2t = initial_r2t;
    options.target.immediate_data = immediate_data;
    return options;
}

static void assert_logout_fields(const struct seen *logout)
{
    assert_in_range(logout->pdu.logout_request.reason, 0, 1);
    assert_int_equal(logout->pdu.ahs_words, 0);
    assert_int_equal(logout->pdu.data_bytes, 0);
    assert_int_equal(logout->pdu.exp_stat_sn, rig.stat_sn);
}

/* 14.1: asked by an async message, the host logs out in time and sends no command after it. */
static void ffp_i_14_1(void **state)
{
    struct rig_options options = with(true, false);

    (void)state;
    options.rules = &rig_windows;
    options.target.max_recv_segment_bytes = 1024;
    rig_begin(&rig, &options);
    rig_up(&rig);
    struct command *write = submit_write(&rig, 0, 2048);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_r2t(&rig, command, 0, 1, 0, 2048);
    next(&rig, PDU_DATA_OUT);
    next(&rig, PDU_DATA_OUT);
    int64_t asked_at_ns = rig.now_ns;

    send_async(&rig, ISCSI_ASYNC_LOGOUT_REQUESTED, 0, 0, 5);
    submit_read(&rig, 0, 512); /* waits for the next session */
    assert_silent(&rig);
    rig_run_until(&rig, asked_at_ns + SECONDS(5));
    assert_logout_fields(next(&rig, PDU_LOGOUT_REQUEST));
    assert_true(has_sign(&rig, LAYER_ISCSI, "target asked for a logout"));
    assert_silent(&rig);
    send_logout_response(&rig, &rig.seen[rig.seen_taken - 1], 0);
    assert_false(rig.is_open);
    assert_ptr_not_equal(rig_done(&rig), write); /* it is held for the next session */
    rig_end(&rig);
}

/* 15.1: a NOP-In with a tag is answered by its tag and LUN, immediately, without data. */
static void ffp_i_15_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    send_nop_in(&rig, PDU_NO_TAG, 0x1234, RIG_LUN);
    struct seen *nop = next(&rig, PDU_NOP_OUT);

    assert_int_equal(nop->pdu.ttt, 0x1234);
    assert_true(nop->pdu.lun == RIG_LUN);
    assert_int_equal(nop->pdu.itt, PDU_NO_TAG);
    assert_true(nop->pdu.is_immediate);
    assert_int_equal(nop->pdu.data_bytes, 0);
    submit_test_unit_ready(&rig);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.cmd_sn, nop->pdu.cmd_sn);
    assert_lives(&rig);
    rig_end(&rig);
}

/* 15.2: the ping of a host that has pings configured. */
static void ffp_i_15_2(void **state)
{
    struct path_rules rules = rig_linux;

    (void)state;
    rules.nop_interval_ns = SECONDS(100);
    rules.nop_timeout_ns = SECONDS(100);
    rig_begin(&rig, &(struct rig_options){.rules = &rules});
    rig_up(&rig);
    rig_run_until(&rig, rig.now_ns + SECONDS(150));
    struct seen *ping = next(&rig, PDU_NOP_OUT);

    assert_int_equal(ping->pdu.ttt, PDU_NO_TAG);
    assert_true(ping->pdu.lun == 0);
    assert_int_not_equal(ping->pdu.itt, PDU_NO_TAG);
    send_nop_in(&rig, ping->pdu.itt, PDU_NO_TAG, 0);
    submit_test_unit_ready(&rig);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.cmd_sn, ping->pdu.cmd_sn + (ping->pdu.is_immediate ? 0 : 1));
    rig_end(&rig);
}

static void a_ping_that_is_not_immediate_advances_cmd_sn(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    assert_true(isession_ping(rig.session, false));
    assert_false(isession_ping(rig.session, false)); /* one at a time */
    struct seen *ping = next(&rig, PDU_NOP_OUT);

    assert_false(ping->pdu.is_immediate);
    submit_test_unit_ready(&rig);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.cmd_sn, ping->pdu.cmd_sn + 1);
    send_nop_in(&rig, ping->pdu.itt, PDU_NO_TAG, 0);
    assert_non_null(event_of(&rig, ISESSION_PONG));
    assert_lives(&rig);
    rig_end(&rig);
}

/* 15.3: a NOP-Out that only confirms status. */
static void ffp_i_15_3(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.confirms_status = true});
    rig_login(&rig);
    struct command *ready = submit_test_unit_ready(&rig);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, ready);
    struct seen *nop = next(&rig, PDU_NOP_OUT);

    assert_int_equal(nop->pdu.itt, PDU_NO_TAG);
    assert_int_equal(nop->pdu.ttt, PDU_NO_TAG);
    assert_true(nop->pdu.is_immediate);
    assert_true(nop->pdu.lun == 0);
    assert_int_equal(nop->pdu.exp_stat_sn, rig.stat_sn);
    submit_test_unit_ready(&rig);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.cmd_sn, nop->pdu.cmd_sn);
    rig_end(&rig);
}

static void first_command(bool immediate_data)
{
    struct rig_options options = with(false, immediate_data);

    options.first_stat_sn = 77;
    rig_begin(&rig, &options);
    rig_login(&rig);
    submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.cmd_sn, rig.options.first_cmd_sn);
    assert_int_equal(command->pdu.exp_stat_sn, 78);
    assert_int_not_equal(command->pdu.itt, rig.login_itt);
    assert_int_equal(command->pdu.ahs_words, 0); /* a CDB of at most 16 bytes */
    assert_int_equal(command->pdu.data_bytes, immediate_data ? 4096 : 0);
    assert_int_equal(buf_bytes(command->data), command->pdu.data_bytes);
}

/* 16.1.1, 16.1.2: the first command after login. */
static void ffp_i_16_1_1(void **state)
{
    (void)state;
    first_command(true);
    rig_end(&rig);
}

static void ffp_i_16_1_2(void **state)
{
    (void)state;
    first_command(false);
    rig_end(&rig);
}

/* 16.2.1: InitialR2T=Yes, ImmediateData=Yes, FirstBurstLength as large as it gets. */
static void ffp_i_16_2_1(void **state)
{
    struct rig_options options = with(true, true);

    (void)state;
    options.host.first_burst_bytes = 16777215;
    options.host.max_burst_bytes = 16777215;
    options.target.first_burst_bytes = 16777215;
    options.target.max_burst_bytes = 16777215;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 65536);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.data_bytes, 65536);
    assert_true(command->pdu.is_final);
    assert_pattern(command->data, 0, 65536);
    answer_good(&rig, command);
    assert_good(&rig, write);
    submit_write(&rig, 0, 65537);
    command = next(&rig, PDU_SCSI_COMMAND);
    assert_int_equal(command->pdu.data_bytes, 65536);
    assert_true(command->pdu.is_final); /* with InitialR2T=Yes always */
    assert_silent(&rig);
    rig_end(&rig);
}

/* 16.2.2: no data with the command, W=1; the last Data-Out of the sequence has F=1. */
static void ffp_i_16_2_2(void **state)
{
    struct rig_options options = with(true, false);

    (void)state;
    options.target.max_recv_segment_bytes = 2048;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.data_bytes, 0);
    assert_true(command->pdu.command.is_write);
    assert_false(command->pdu.command.is_read);
    send_r2t(&rig, command, 0, 1, 0, 4096);
    assert_false(next(&rig, PDU_DATA_OUT)->pdu.is_final);
    assert_true(next(&rig, PDU_DATA_OUT)->pdu.is_final);
    rig_end(&rig);
}

/* 16.2.3: F=0 only if Data-Outs follow unasked. */
static void ffp_i_16_2_3(void **state)
{
    struct rig_options options = with(false, false);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.data_bytes, 0);
    assert_true(command->pdu.command.is_write);
    assert_false(command->pdu.is_final);
    assert_int_equal(next(&rig, PDU_DATA_OUT)->pdu.ttt, PDU_NO_TAG);
    submit_read(&rig, 0, 512);
    assert_true(next(&rig, PDU_SCSI_COMMAND)->pdu.is_final);
    rig_end(&rig);
}

/* 16.2.4: immediate and unsolicited data together stay within FirstBurstLength. */
static void ffp_i_16_2_4(void **state)
{
    struct rig_options options = with(false, true);
    uint32_t total = 0;

    (void)state;
    options.target.max_recv_segment_bytes = 1024;
    options.target.first_burst_bytes = 3000;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_write(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);
    bool is_final = false;

    assert_true(command->pdu.command.is_write);
    total = command->pdu.data_bytes;
    while (!is_final) {
        struct seen *data = next(&rig, PDU_DATA_OUT);

        total += data->pdu.data_bytes;
        is_final = data->pdu.is_final;
    }
    assert_int_equal(total, 3000);
    assert_silent(&rig);
    rig_end(&rig);
}

/* 16.3.1: InitialR2T=Yes: F=1, and nothing before the R2T. */
static void ffp_i_16_3_1(void **state)
{
    struct rig_options options = with(true, false);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(command->pdu.data_bytes, 0);
    assert_true(command->pdu.is_final);
    assert_silent(&rig);
    send_r2t(&rig, command, 0, 1, 0, 4096);
    assert_true(next(&rig, PDU_DATA_OUT)->pdu.is_final);
    rig_end(&rig);
}

/* The answer is handed up; the core sends nothing by itself, and what the host sends again is a new
 * command with a new CmdSN. */
static void assert_new_command_after(struct command *command, struct seen *seen)
{
    assert_int_equal(command->end, COMMAND_ANSWERED);
    assert_silent(&rig);
    assert_lives(&rig);
    struct command again = {.lun = command->lun,
                            .direction = command->direction,
                            .bytes = command->bytes,
                            .data_out = command->direction == DATA_WRITE
                                            ? buf_share(command->data_out, 0, command->bytes)
                                            : NULL};

    memcpy(again.cdb, command->cdb, sizeof(again.cdb));
    submit(&rig, again);
    struct seen *second = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(second->pdu.cmd_sn, seen->pdu.cmd_sn + 1);
    assert_int_not_equal(second->pdu.itt, seen->pdu.itt);
}

/* 16.4.1, 16.4.3, 16.4.4: CHECK CONDITION with sense that speaks of transport errors. */
static void check_condition(uint8_t asc, uint8_t ascq)
{
    struct rig_options options = with(false, true);

    options.target.max_recv_segment_bytes = 1024;
    rig_begin(&rig, &options);
    rig_login(&rig);
    struct command *write = submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    while (!next(&rig, PDU_DATA_OUT)->pdu.is_final)
        ;
    send_sense(&rig, command, 0xb, asc, ascq);
    assert_ptr_equal(rig_done(&rig), write);
    assert_int_equal(write->status, 0x02);
    assert_int_equal(write->sense_bytes, 24);
    assert_int_equal(write->sense[2], 0xb);
    assert_int_equal(write->sense[12], asc);
    assert_int_equal(write->sense[13], ascq);
    assert_new_command_after(write, command);
    rig_end(&rig);
}

static void ffp_i_16_4_1(void **state)
{
    (void)state;
    check_condition(0x47, 0x05);
}

static void ffp_i_16_4_3(void **state)
{
    (void)state;
    check_condition(0x0c, 0x0c);
}

static void ffp_i_16_4_4(void **state)
{
    (void)state;
    check_condition(0x0c, 0x0d);
}

/* 16.4.2, at error recovery level 0: a READ with one Data-In left out never ends as GOOD. */
static void ffp_i_16_4_2_at_level_0(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 3; lost++) {
        rig_begin(&rig, &(struct rig_options){0});
        rig_login(&rig);
        struct command *read = submit_read(&rig, 0, 3072);
        struct seen *command = next(&rig, PDU_SCSI_COMMAND);

        for (uint32_t i = 0; i < 3; i++) {
            if (i != lost)
                send_data_in(&rig, command, i, i * 1024, 1024, 0);
        }
        send_pdu(&rig,
                 (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                              .is_final = true,
                              .itt = command->pdu.itt,
                              .response = {.exp_data_sn = 3}},
                 NULL, true);
        assert_ended(&rig, LOST_PROTOCOL);
        assert_done(&rig, read, COMMAND_SESSION_LOST);
        assert_null(read->data_in);
        assert_silent(&rig);
        rig_end(&rig);
    }
}

static void handed_up(uint8_t status)
{
    rig_begin(&rig, &(struct rig_options){0});
    rig_login(&rig);
    struct command *ready = submit_test_unit_ready(&rig);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_status(&rig, command, status);
    assert_ptr_equal(rig_done(&rig), ready);
    assert_int_equal(ready->status, status);
    assert_new_command_after(ready, command);
    rig_end(&rig);
}

/* 16.4.5: BUSY, 16.4.6: RESERVATION CONFLICT. */
static void ffp_i_16_4_5(void **state)
{
    (void)state;
    handed_up(0x08);
}

static void ffp_i_16_4_6(void **state)
{
    (void)state;
    handed_up(0x18);
}

/* 16.5: a response that shuts the window; a NOP-In opens it by one. */
static void ffp_i_16_5(void **state)
{
    struct rig_options options = with(true, false);

    (void)state;
    options.window = 1;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    rig.holds_window = true;
    rig.max_cmd_sn = rig.exp_cmd_sn - 1;
    send_r2t(&rig, command, 0, 1, 0, 4096);
    assert_true(next(&rig, PDU_DATA_OUT)->pdu.is_final);
    send_r2t(&rig, command, 1, 2, 4096, 4096);
    assert_true(next(&rig, PDU_DATA_OUT)->pdu.is_final);
    answer_good(&rig, command);
    assert_good(&rig, write);
    submit_test_unit_ready(&rig);
    submit_test_unit_ready(&rig);
    rig.now_ns += SECONDS(2);
    assert_silent(&rig);
    rig.max_cmd_sn++;
    send_nop_in(&rig, PDU_NO_TAG, PDU_NO_TAG, 0);
    next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig);
    rig_end(&rig);
}

/* 16.6: InitialR2T=Yes, ImmediateData=Yes: beyond the first burst only on R2T. */
static void ffp_i_16_6(void **state)
{
    struct rig_options options = with(true, true);

    (void)state;
    options.target.first_burst_bytes = 2048;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_write(&rig, 0, 2048);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_true(command->pdu.is_final);
    assert_int_equal(command->pdu.data_bytes, 2048);
    submit_write(&rig, 0, 8192);
    command = next(&rig, PDU_SCSI_COMMAND);
    assert_int_equal(command->pdu.data_bytes, 2048);
    assert_silent(&rig);
    send_r2t(&rig, command, 0, 1, 2048, 6144);
    struct seen *data = next(&rig, PDU_DATA_OUT);

    assert_true(data->pdu.is_final);
    assert_pattern(data->data, 2048, 6144);
    rig_end(&rig);
}

/* 17.1: no command after the Logout; TCP closes on the response; the host comes back to the same
 * address, not before Time2Wait. */
static void ffp_i_17_1(void **state)
{
    struct rig_options options = with(true, true);

    (void)state;
    options.rules = &rig_windows;
    rig_begin(&rig, &options);
    rig_up(&rig);
    struct command *ready = submit_test_unit_ready(&rig);

    answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
    assert_good(&rig, ready);
    send_async(&rig, ISCSI_ASYNC_LOGOUT_REQUESTED, 0, 0, 1);
    struct seen *logout = next(&rig, PDU_LOGOUT_REQUEST);

    assert_logout_fields(logout);
    submit_test_unit_ready(&rig);
    assert_silent(&rig);
    int64_t answered_at_ns = rig.now_ns;

    send_logout_response(&rig, logout, 3);
    assert_false(rig.is_open);
    assert_non_null(path_event_of(&rig, PATH_CLOSE));
    rig_run_until(&rig, answered_at_ns + SECONDS(3) - 1);
    assert_false(rig.is_open);
    rig_run_until(&rig, answered_at_ns + SECONDS(3));
    assert_true(rig.is_open);
    assert_int_equal(rig.opened_to.address, IPV4(172, 16, 0, 51));
    rig_connect(&rig);
    rig_login(&rig);
    next(&rig, PDU_SCSI_COMMAND); /* what waited goes out on the new session */
    rig_end(&rig);
}

int main(void)
{
    TEST(ffp_i_14_1);
    TEST(ffp_i_15_1);
    TEST(ffp_i_15_2);
    TEST(a_ping_that_is_not_immediate_advances_cmd_sn);
    TEST(ffp_i_15_3);
    TEST(ffp_i_16_1_1);
    TEST(ffp_i_16_1_2);
    TEST(ffp_i_16_2_1);
    TEST(ffp_i_16_2_2);
    TEST(ffp_i_16_2_3);
    TEST(ffp_i_16_2_4);
    TEST(ffp_i_16_3_1);
    TEST(ffp_i_16_4_1);
    TEST(ffp_i_16_4_2_at_level_0);
    TEST(ffp_i_16_4_3);
    TEST(ffp_i_16_4_4);
    TEST(ffp_i_16_4_5);
    TEST(ffp_i_16_4_6);
    TEST(ffp_i_16_5);
    TEST(ffp_i_16_6);
    TEST(ffp_i_17_1);
    return TEST_RUN("initiator.ffp_task");
}
