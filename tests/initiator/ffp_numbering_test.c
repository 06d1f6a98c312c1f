/* UNH-IOL Full Feature Phase tests for iSCSI initiators, groups 1 to 6: numbering of commands,
 * immediate delivery, the command window, retries, ExpStatSN, DataSN. The rows are described in the
 * suite; here each is a test of its name against the session core.
 */
#include "tests/initiator/rig.h"

static struct rig rig;

/* 1.1: CmdSN steps by one per non-immediate request; the first command repeats the login's. */
static void ffp_i_1_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    assert_int_equal(rig.seen[0].pdu.opcode, PDU_LOGIN_REQUEST);
    assert_int_equal(rig.seen[1].pdu.cmd_sn, rig.seen[0].pdu.cmd_sn);
    for (uint32_t i = 2; i < rig.seen_count; i++)
        assert_int_equal(rig.seen[i].pdu.cmd_sn, rig.seen[i - 1].pdu.cmd_sn + 1);

    struct command *read = submit_read(&rig, 0, 4096);
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    assert_int_equal(seen->pdu.cmd_sn, rig.options.first_cmd_sn + 3);
    answer_good(&rig, seen);
    assert_good(&rig, read);
    submit_write(&rig, 0, 512);
    seen = next(&rig, PDU_SCSI_COMMAND);
    assert_int_equal(seen->pdu.cmd_sn, rig.options.first_cmd_sn + 4);
    rig_end(&rig);
}

/* 2.1: a command as immediate has I=1 and the current CmdSN, which the next command has as well. */
static void ffp_i_2_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    submit(&rig, (struct command){.lun = RIG_LUN, .is_immediate = true});
    struct seen *immediate = next(&rig, PDU_SCSI_COMMAND);

    assert_true(immediate->pdu.is_immediate);
    submit_test_unit_ready(&rig);
    struct seen *after = next(&rig, PDU_SCSI_COMMAND);

    assert_false(after->pdu.is_immediate);
    assert_int_equal(after->pdu.cmd_sn, immediate->pdu.cmd_sn);
    rig_end(&rig);
}

/* 2.2: an immediate task management request shares its CmdSN with the next command. */
static void ffp_i_2_2(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *silent = submit_test_unit_ready(&rig);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_int_not_equal(isession_abort_task(rig.session, silent), 0);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    assert_true(tmf->pdu.is_immediate);
    assert_int_equal(tmf->pdu.cmd_sn, command->pdu.cmd_sn + 1);
    submit_test_unit_ready(&rig);
    assert_int_equal(next(&rig, PDU_SCSI_COMMAND)->pdu.cmd_sn, tmf->pdu.cmd_sn);
    rig_end(&rig);
}

/* 3.1: a shut window stops commands; a NOP-In that opens it lets them go and is not answered. */
static void ffp_i_3_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.window = 1});
    rig_base(&rig);
    submit_test_unit_ready(&rig);
    struct seen *last = next(&rig, PDU_SCSI_COMMAND);

    rig.holds_window = true;
    rig.max_cmd_sn = rig.exp_cmd_sn - 1;
    answer_good(&rig, last);
    for (int i = 0; i < 5; i++)
        submit_test_unit_ready(&rig);
    assert_silent(&rig);
    rig.now_ns += SECONDS(2);
    assert_silent(&rig);

    rig.max_cmd_sn = rig.exp_cmd_sn + 3;
    send_nop_in(&rig, PDU_NO_TAG, PDU_NO_TAG, 0);
    for (int i = 0; i < 4; i++)
        next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig); /* the fifth waits, and no NOP-Out */
    assert_lives(&rig);
    rig_end(&rig);
}

/* 3.2: with a wide window commands do not wait for each other. */
static void ffp_i_3_2(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.window = 100});
    rig_base(&rig);
    for (int i = 0; i < 20; i++)
        submit_read(&rig, 0, 4096);
    for (int i = 0; i < 20; i++)
        next(&rig, PDU_SCSI_COMMAND);
    rig_end(&rig);
}

/* 3.3: MaxCmdSN = ExpCmdSN lets one command out, until the window moves. */
static void ffp_i_3_3(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.window = 1});
    rig_base(&rig);
    for (int i = 0; i < 3; i++)
        submit_test_unit_ready(&rig);
    struct seen *only = next(&rig, PDU_SCSI_COMMAND);

    assert_silent(&rig);
    answer_good(&rig, only);
    next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig);
    rig.holds_window = true;
    rig.max_cmd_sn = rig.exp_cmd_sn;
    send_nop_in(&rig, PDU_NO_TAG, PDU_NO_TAG, 0);
    next(&rig, PDU_SCSI_COMMAND);
    assert_silent(&rig);
    rig_end(&rig);
}

/* 4.1, at error recovery level 0: no retry and no SNACK, however long the answer takes. */
static void ffp_i_4_1_at_level_0(void **state)
{
    struct rig_options options = {.target = rig_params()};

    (void)state;
    options.host = rig_params();
    options.host.error_recovery_level = 2; /* Windows offers 2, the target agrees to 0 */
    rig_begin(&rig, &options);
    rig_login(&rig);
    assert_int_equal(isession_params(rig.session)->error_recovery_level, 0);
    submit(&rig,
           (struct command){.lun = RIG_LUN, .cdb = {0x25}, .direction = DATA_READ, .bytes = 8});
    next(&rig, PDU_SCSI_COMMAND);
    for (int i = 0; i < 100; i++) {
        rig.now_ns += SECONDS(1);
        assert_silent(&rig);
    }
    assert_lives(&rig);
    rig_end(&rig);
}

/* 5.1: a StatSN that is 2^31 away is no status to be accepted: the session is recovered. */
static void ffp_i_5_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *command = submit_test_unit_ready(&rig);
    struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

    rig.stat_sn += 0x80000000u;
    answer_good(&rig, seen);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_done(&rig, command, COMMAND_SESSION_LOST);
    assert_silent(&rig);
    rig_end(&rig);
}

/* ... and so is one that skips a single number, or that comes twice. */
static void a_stat_sn_that_is_not_the_next_ends_the_session(void **state)
{
    static const uint32_t steps[] = {1, (uint32_t)-1};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        rig_begin(&rig, &(struct rig_options){0});
        rig_base(&rig);
        struct command *command = submit_test_unit_ready(&rig);
        struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

        rig.stat_sn += steps[i];
        answer_good(&rig, seen);
        assert_ended(&rig, LOST_PROTOCOL);
        assert_done(&rig, command, COMMAND_SESSION_LOST);
        rig_end(&rig);
    }
}

/* The numbers wrap at 2^32 as any others. */
static void numbers_pass_two_to_the_32(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){
                        .first_cmd_sn = 0xfffffffeu, .first_stat_sn = 0xfffffffdu, .window = 4});
    rig_base(&rig);
    for (int i = 0; i < 8; i++) {
        struct command *command = submit_read(&rig, 0, 512);

        answer_good(&rig, next(&rig, PDU_SCSI_COMMAND));
        assert_good(&rig, command);
    }
    assert_int_equal(rig.exp_cmd_sn, 9);
    assert_lives(&rig);
    rig_end(&rig);
}

static void a_max_cmd_sn_that_goes_back_shuts_nothing(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){.window = 8});
    rig_base(&rig);
    rig.holds_window = true;
    rig.max_cmd_sn = rig.exp_cmd_sn - 1;
    send_nop_in(&rig, PDU_NO_TAG, PDU_NO_TAG, 0);
    submit_test_unit_ready(&rig);
    next(&rig, PDU_SCSI_COMMAND);
    rig_end(&rig);
}

/* 6.1: DataSN runs 0, 1, 2, ... in each sequence of Data-Outs. */
static void ffp_i_6_1(void **state)
{
    struct rig_options options = {.target = rig_params()};

    (void)state;
    options.target.initial_r2t = true;
    options.target.immediate_data = false;
    options.target.max_recv_segment_bytes = 8192;
    rig_begin(&rig, &options);
    rig_base(&rig);
    for (uint32_t i = 0; i < 2; i++) {
        struct command *write = submit_write(&rig, 0, 40960);
        struct seen *seen = next(&rig, PDU_SCSI_COMMAND);

        send_r2t(&rig, seen, 0, 0x10 + i, 0, 40960);
        for (uint32_t n = 0; n < 5; n++)
            assert_int_equal(next(&rig, PDU_DATA_OUT)->pdu.data_out.data_sn, n);
        answer_good(&rig, seen);
        assert_good(&rig, write);
    }
    rig_end(&rig);
}

int main(void)
{
    TEST(ffp_i_1_1);
    TEST(ffp_i_2_1);
    TEST(ffp_i_2_2);
    TEST(ffp_i_3_1);
    TEST(ffp_i_3_2);
    TEST(ffp_i_3_3);
    TEST(ffp_i_4_1_at_level_0);
    TEST(ffp_i_5_1);
    TEST(a_stat_sn_that_is_not_the_next_ends_the_session);
    TEST(numbers_pass_two_to_the_32);
    TEST(a_max_cmd_sn_that_goes_back_shuts_nothing);
    TEST(ffp_i_6_1);
    return TEST_RUN("initiator.ffp_numbering");
}
