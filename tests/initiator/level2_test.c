/* iSCSIProtocolLevel 2 at the initiator (RFC 7144): what may be asked, and what the answers do. */
#include "tests/initiator/rig.h"

static struct rig rig;

static void begin_at(uint32_t host_level, uint32_t target_level)
{
    struct rig_options options = {.host = rig_params(), .target = rig_params()};

    options.host.protocol_level = host_level;
    options.target.protocol_level = target_level;
    rig_begin(&rig, &options);
    rig_base(&rig);
}

static void asks_nothing_new_below_level_2(void **state)
{
    static const uint32_t levels[][2] = {{1, 1}, {1, 2}, {2, 1}, {0, 2}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        begin_at(levels[i][0], levels[i][1]);
        struct command *command = submit_test_unit_ready(&rig);

        next(&rig, PDU_SCSI_COMMAND);
        assert_int_equal(isession_query_task(rig.session, command), 0);
        assert_int_equal(isession_manage(rig.session, ISCSI_TMF_QUERY_TASK_SET, RIG_LUN), 0);
        assert_int_equal(isession_manage(rig.session, ISCSI_TMF_I_T_NEXUS_RESET, RIG_LUN), 0);
        assert_int_equal(isession_manage(rig.session, ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, RIG_LUN),
                         0);
        assert_silent(&rig);
        assert_int_not_equal(isession_manage(rig.session, ISCSI_TMF_LOGICAL_UNIT_RESET, RIG_LUN),
                             0);
        rig_end(&rig);
    }
}

/* Neither yes nor no ends the task that was asked about. */
static void a_question_ends_no_task(void **state)
{
    static const uint8_t responses[] = {ISCSI_TMF_FUNCTION_SUCCEEDED, ISCSI_TMF_FUNCTION_COMPLETE};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(responses); i++) {
        begin_at(2, 2);
        struct command *command = submit_test_unit_ready(&rig);
        struct seen *seen = next(&rig, PDU_SCSI_COMMAND);
        uint32_t tag = isession_query_task(rig.session, command);
        struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

        assert_int_not_equal(tag, 0);
        assert_true(tmf->pdu.is_immediate);
        assert_int_equal(tmf->pdu.task_request.function, ISCSI_TMF_QUERY_TASK);
        assert_int_equal(tmf->pdu.task_request.ref_task_tag, seen->pdu.itt);
        assert_int_equal(tmf->pdu.task_request.ref_cmd_sn, seen->pdu.cmd_sn);
        assert_true(tmf->pdu.lun == RIG_LUN);
        send_tmf_response(&rig, tmf, responses[i]);
        assert_int_equal(event_of(&rig, ISESSION_TMF_DONE)->tmf_tag, tag);
        assert_int_equal(event_of(&rig, ISESSION_TMF_DONE)->response, responses[i]);
        assert_nothing_done(&rig);

        isession_manage(rig.session, ISCSI_TMF_QUERY_TASK_SET, RIG_LUN);
        send_tmf_response(&rig, next(&rig, PDU_TASK_REQUEST), responses[i]);
        assert_nothing_done(&rig);
        assert_lives(&rig);
        rig_end(&rig);
    }
}

static void tells_the_additional_response_information(void **state)
{
    (void)state;
    begin_at(2, 2);
    isession_manage(rig.session, ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, RIG_LUN);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    send_pdu(&rig,
             (struct pdu){.opcode = PDU_TASK_RESPONSE,
                          .is_final = true,
                          .itt = tmf->pdu.itt,
                          .task_response = {.response = ISCSI_TMF_FUNCTION_SUCCEEDED,
                                            .additional = {0x26, 0x2a, 0x06}}},
             NULL, true);
    assert_memory_equal(event_of(&rig, ISESSION_TMF_DONE)->additional, "\x26\x2a\x06", 3);
    assert_lives(&rig);
    rig_end(&rig);
}

/* Of the session: whatever unit they are for, its tasks end. */
static void a_nexus_reset_ends_every_task(void **state)
{
    (void)state;
    begin_at(2, 2);
    struct command *here = submit_test_unit_ready(&rig);

    next(&rig, PDU_SCSI_COMMAND);
    struct command *there = submit(&rig, (struct command){.lun = 0x0005000000000000u});

    next(&rig, PDU_SCSI_COMMAND);
    isession_manage(rig.session, ISCSI_TMF_I_T_NEXUS_RESET, RIG_LUN);
    struct seen *tmf = next(&rig, PDU_TASK_REQUEST);

    assert_true(tmf->pdu.lun == 0); /* reserved (RFC 7144, 6) */
    send_tmf_response(&rig, tmf, ISCSI_TMF_FUNCTION_COMPLETE);
    assert_done(&rig, here, COMMAND_ABORTED);
    assert_done(&rig, there, COMMAND_ABORTED);
    assert_lives(&rig);
    rig_end(&rig);
}

int main(void)
{
    TEST(asks_nothing_new_below_level_2);
    TEST(a_question_ends_no_task);
    TEST(tells_the_additional_response_information);
    TEST(a_nexus_reset_ends_every_task);
    return TEST_RUN("initiator.level2");
}
