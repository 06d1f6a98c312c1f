/* iSCSI protocol level 2 (RFC 7144): the functions that ask, and the reset of one nexus. */
#include "tests/target/pdu_peer.h"

#define KEYS    "InitialR2T=Yes\nImmediateData=No"
#define LEVEL_2 KEYS "\niSCSIProtocolLevel=2"
#define NO_UNIT (UINT64_C(9) << 48)

static struct peer *new_session(struct node *node, uint8_t isid, const char *keys)
{
    struct peer *peer = peer_open(node, 0);

    peer->isid = isid;
    peer->cid = 1;
    peer_login(peer, keys);
    return peer;
}

static struct peer *new_session_2(struct node *node, uint8_t isid)
{
    return new_session(node, isid, LEVEL_2);
}

/* Sends the function; its answer, which is there at once. */
static const struct pdu *ask(struct peer *peer, uint8_t function, uint64_t lun, uint32_t ref_tag)
{
    struct pdu pdu = peer_request(peer, PDU_TASK_REQUEST, true);

    pdu.lun = lun;
    pdu.task_request.function = function;
    pdu.task_request.ref_task_tag = ref_tag;
    peer_send(peer, &pdu, NULL, 0);
    const struct pdu *answer = &expect(peer, PDU_TASK_RESPONSE)->pdu;

    assert_int_equal(answer->itt, pdu.itt);
    return answer;
}

static void expect_answer(struct peer *peer, uint8_t function, uint64_t lun, uint32_t ref_tag,
                          uint8_t response)
{
    assert_int_equal(ask(peer, function, lun, ref_tag)->task_response.response, response);
}

static struct function_row {
    const char *name;
    uint8_t function;
    uint64_t lun;
    uint8_t response; /* of a session at level 2 without tasks and unit attentions */
} functions[] = {
    {"QUERY TASK", ISCSI_TMF_QUERY_TASK, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"QUERY TASK SET", ISCSI_TMF_QUERY_TASK_SET, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"I_T NEXUS RESET", ISCSI_TMF_I_T_NEXUS_RESET, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"QUERY ASYNCHRONOUS EVENT", ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, 0,
     ISCSI_TMF_FUNCTION_COMPLETE},
    {"QUERY TASK on no unit", ISCSI_TMF_QUERY_TASK, NO_UNIT, ISCSI_TMF_LUN_DOES_NOT_EXIST},
    {"QUERY TASK SET on no unit", ISCSI_TMF_QUERY_TASK_SET, NO_UNIT, ISCSI_TMF_LUN_DOES_NOT_EXIST},
    {"QUERY ASYNCHRONOUS EVENT on no unit", ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, NO_UNIT,
     ISCSI_TMF_LUN_DOES_NOT_EXIST},
    {"I_T NEXUS RESET wherever it points", ISCSI_TMF_I_T_NEXUS_RESET, NO_UNIT,
     ISCSI_TMF_FUNCTION_COMPLETE},
    {"a function behind them", 13, 0, ISCSI_TMF_NOT_SUPPORTED},
};

static void is_known_at_level_2_alone(void **state)
{
    static const char *const keys[] = {KEYS, KEYS "\niSCSIProtocolLevel=1",
                                       KEYS "\niSCSIProtocolLevel=0", LEVEL_2,
                                       KEYS "\niSCSIProtocolLevel=31"};
    const struct function_row *row = *state;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct node node;

        node_new(&node);
        struct peer *peer = new_session(&node, 1, keys[i]);

        peer_base(peer);
        expect_answer(peer, row->function, row->lun, 0,
                      i < 3 ? ISCSI_TMF_NOT_SUPPORTED : row->response);
        node_free(&node);
    }
}

static void the_lower_level_of_both_is_agreed(void **state)
{
    static const struct {
        const char *offered;
        const char *agreed;
    } rows[] = {{"0", "0"}, {"1", "1"}, {"2", "2"}, {"31", "2"}, {"32", "Reject"}};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct node node;
        char keys[256];

        node_new(&node);
        struct peer *peer = peer_open(&node, 0);
        struct pdu pdu = login_request(peer, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION,
                                       ISCSI_FULL_FEATURE_PHASE, false);

        snprintf(keys, sizeof(keys),
                 "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME "\niSCSIProtocolLevel=%s",
                 rows[i].offered);
        send_login(peer, &pdu, keys);
        assert_string_equal(text_value(expect(peer, PDU_LOGIN_RESPONSE), "iSCSIProtocolLevel"),
                            rows[i].agreed);
        node_free(&node);
    }
}

static void a_task_is_in_the_task_set_until_it_is_answered(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);
    struct peer *other = new_session_2(&node, 2);

    peer_base(peer);
    peer_base(other);
    struct pdu read = read_command(peer, 0, 2);

    send_command(peer, &read); /* 100 us on the medium */
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, read.itt, ISCSI_TMF_FUNCTION_SUCCEEDED);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, UINT64_C(1) << 48, read.itt,
                  ISCSI_TMF_FUNCTION_COMPLETE);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, read.itt + 100, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK_SET, 0, 0, ISCSI_TMF_FUNCTION_SUCCEEDED);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK_SET, UINT64_C(1) << 48, 0,
                  ISCSI_TMF_FUNCTION_COMPLETE);
    expect_answer(other, ISCSI_TMF_QUERY_TASK_SET, 0, 0, ISCSI_TMF_FUNCTION_COMPLETE);
    node_run(&node, SECONDS(1));
    expect(peer, PDU_DATA_IN);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, read.itt, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK_SET, 0, 0, ISCSI_TMF_FUNCTION_COMPLETE);
    node_free(&node);
}

static void a_write_whose_data_is_owed_is_in_the_task_set(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);

    peer_base(peer);
    struct pdu write = write_command(peer, 0, 2);

    send_command(peer, &write);
    struct got r2t = *expect(peer, PDU_R2T);

    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, write.itt, ISCSI_TMF_FUNCTION_SUCCEEDED);
    answer_r2t(peer, &write, &r2t, 7);
    node_run(&node, SECONDS(1));
    expect(peer, PDU_SCSI_RESPONSE);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, write.itt, ISCSI_TMF_FUNCTION_COMPLETE);
    node_free(&node);
}

static void expect_event(struct peer *peer, uint8_t first, uint8_t asc, uint8_t ascq)
{
    const struct pdu *answer = ask(peer, ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, 0, 0);

    assert_int_equal(answer->task_response.response, ISCSI_TMF_FUNCTION_SUCCEEDED);
    assert_int_equal(answer->task_response.additional[0], first);
    assert_int_equal(answer->task_response.additional[1], asc);
    assert_int_equal(answer->task_response.additional[2], ascq);
}

/* SAM-5, 7: depth and sense key, ASC, ASCQ; asking does not clear it. */
static void an_event_is_the_unit_attention_that_comes_next(void **state)
{
    struct node node;
    uint8_t cdb[SCSI_CDB_BYTES];
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);

    expect_event(peer, 0x16, 0x29, 0x00);
    expect_event(peer, 0x16, 0x29, 0x00);
    assert_true(device_set_group_state(node.device, 1, ALUA_ACTIVE_NON_OPTIMIZED, NULL));
    expect_event(peer, 0x26, 0x29, 0x00); /* more than one */
    scsi_cdb_test_unit_ready(cdb);
    struct pdu ready = command(peer, cdb, false, 0);

    expect_sense(peer, send_command(peer, &ready), 0x062900);
    expect_event(peer, 0x16, 0x2a, 0x06);
    peer_base(peer);
    expect_answer(peer, ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, 0, 0, ISCSI_TMF_FUNCTION_COMPLETE);
    node_free(&node);
}

static void a_nexus_that_is_reset_loses_its_tasks_and_no_other_does(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);
    struct peer *other = new_session_2(&node, 2);

    peer_base(peer);
    peer_base(other);
    clear_attentions(peer, UINT64_C(1) << 48);
    struct pdu read = read_command(peer, 0, 2);
    struct pdu theirs = read_command(other, 0, 2);

    send_command(peer, &read);
    send_command(other, &theirs);
    struct pdu reset = peer_request(peer, PDU_TASK_REQUEST, true);

    reset.task_request.function = ISCSI_TMF_I_T_NEXUS_RESET;
    peer_send(peer, &reset, NULL, 0);
    node_run(&node, SECONDS(1));
    assert_int_equal(expect(peer, PDU_TASK_RESPONSE)->pdu.task_response.response,
                     ISCSI_TMF_FUNCTION_COMPLETE);
    expect_nothing(peer); /* the read vanished */
    expect(other, PDU_DATA_IN);
    assert_int_equal(target_session_count(node.target), 2);
    for (uint8_t lun = 0; lun < 2; lun++) {
        uint8_t cdb[SCSI_CDB_BYTES];

        scsi_cdb_test_unit_ready(cdb);
        struct pdu ready = command(peer, cdb, false, 0);

        ready.lun = (uint64_t)lun << 48;
        expect_sense(peer, send_command(peer, &ready), 0x062907);
    }
    do_write(peer, 0, 2, 1);
    do_read(other, 0, 2, 1, 8192); /* and it was told nothing */
    node_free(&node);
}

static void register_key(struct peer *peer)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x5f, [8] = 24};
    uint8_t parameters[24] = {[15] = 7};
    struct pdu pdu = command(peer, cdb, true, sizeof(parameters));

    send_command(peer, &pdu);
    const struct got r2t = *expect(peer, PDU_R2T);
    struct pdu data = {.opcode = PDU_DATA_OUT,
                       .is_final = true,
                       .itt = pdu.itt,
                       .ttt = r2t.pdu.ttt,
                       .exp_stat_sn = peer->stat_sn};

    peer_send(peer, &data, parameters, sizeof(parameters));
    expect_status(peer, pdu.itt, SCSI_GOOD);
}

/* It keeps what a host that comes back would find: its registration (SPC-4, 5.13). The data that
 * its write is owed comes before the answer (RFC 7143, 4.2.3.3), and is not written. */
static void a_nexus_that_is_reset_keeps_its_registration(void **state)
{
    static const uint8_t zeros[2 * BLOCK_BYTES];
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);

    peer_base(peer);
    register_key(peer);
    struct pdu write = write_command(peer, 8, 2);

    send_command(peer, &write);
    const struct got r2t = *expect(peer, PDU_R2T);
    struct pdu reset = task_request(peer, ISCSI_TMF_I_T_NEXUS_RESET, true);

    peer_send(peer, &reset, NULL, 0);
    node_run(&node, MS(10));
    expect_nothing(peer);
    answer_r2t(peer, &write, &r2t, 9);
    expect_task_response(peer, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_nothing(peer);
    expect_answer(peer, ISCSI_TMF_QUERY_TASK, 0, write.itt, ISCSI_TMF_FUNCTION_COMPLETE);
    clear_attentions(peer, 0);
    assert_int_equal(device_registration_count(node.device, 0), 1);
    struct pdu read = read_command(peer, 8, 2);

    send_command(peer, &read);
    assert_memory_equal(expect_data(peer, read.itt, sizeof(zeros), 8192, 262144), zeros,
                        sizeof(zeros));
    assert_int_equal(target_counters(node.target)->resets, 1);
    assert_int_equal(target_counters(node.target)->aborts, 0);
    assert_int_equal(target_counters(node.target)->queries, 1);
    node_free(&node);
}

static uint32_t reserve(struct peer *peer)
{
    uint8_t cdb[SCSI_CDB_BYTES] = {0x16}; /* RESERVE(6) of SPC-2 */
    struct pdu pdu = command(peer, cdb, false, 0);

    return send_command(peer, &pdu);
}

static void a_nexus_that_is_reset_loses_the_older_reservation(void **state)
{
    struct node node;
    uint8_t cdb[SCSI_CDB_BYTES] = {0};
    (void)state;

    node_new(&node);
    struct peer *peer = new_session_2(&node, 1);
    struct peer *other = new_session_2(&node, 2);

    peer_base(peer);
    peer_base(other);
    expect_status(peer, reserve(peer), SCSI_GOOD);
    struct pdu ready = command(other, cdb, false, 0);

    expect_status(other, send_command(other, &ready), SCSI_RESERVATION_CONFLICT);
    expect_answer(peer, ISCSI_TMF_I_T_NEXUS_RESET, 0, 0, ISCSI_TMF_FUNCTION_COMPLETE);
    ready = command(other, cdb, false, 0);
    expect_status(other, send_command(other, &ready), SCSI_GOOD);
    node_free(&node);
}

/* As older ones are, by its profile; what is beyond all levels is cut to what there is. */
static void an_array_can_be_held_at_level_1(void **state)
{
    static const struct {
        uint32_t level;
        uint8_t response;
    } rows[] = {{0, ISCSI_TMF_FUNCTION_COMPLETE},
                {1, ISCSI_TMF_NOT_SUPPORTED},
                {2, ISCSI_TMF_FUNCTION_COMPLETE},
                {31, ISCSI_TMF_FUNCTION_COMPLETE}};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct array_profile profile = test_profile();
        struct node node;

        profile.iscsi.protocol_level = rows[i].level;
        node_new_with(&node, &profile, PLANT_NONE);
        struct peer *peer = new_session(&node, 1, KEYS "\niSCSIProtocolLevel=31");

        peer_base(peer);
        expect_answer(peer, ISCSI_TMF_QUERY_TASK_SET, 0, 0, rows[i].response);
        expect_answer(peer, ISCSI_TMF_CLEAR_ACA, 0, 0, ISCSI_TMF_NOT_SUPPORTED);
        expect_answer(peer, 0x7f, 0, 0, ISCSI_TMF_NOT_SUPPORTED);
        node_free(&node);
    }
}

/* SPC-4: what it says it can do is what this nexus may ask for. */
static void supported_functions_are_those_of_the_level(void **state)
{
    static const uint8_t cdb[SCSI_CDB_BYTES] = {0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 4};
    (void)state;

    for (int level = 1; level <= 2; level++) {
        struct node node;
        uint8_t data[4];

        node_new(&node);
        struct peer *peer = new_session(&node, 1, level == 2 ? LEVEL_2 : KEYS);

        peer_base(peer);
        struct pdu report = command(peer, cdb, false, 4);

        report.command.is_read = true;
        send_command(peer, &report);
        node_run(&node, SECONDS(1));
        const struct got *got = expect(peer, PDU_DATA_IN);

        assert_int_equal(buf_bytes(got->data), 4);
        buf_read(got->data, 0, data, sizeof(data));
        assert_int_equal(data[0], level == 2 ? 0xde : 0xda);
        assert_int_equal(data[1], level == 2 ? 0x07 : 0x00);
        node_free(&node);
    }
}

/* RFC 7144, 5 and 6: bytes that were reserved before. */
static void the_new_fields_are_where_the_standard_has_them(void **state)
{
    struct pdu command = {.opcode = PDU_SCSI_COMMAND, .is_final = true, .command.priority = 5};
    struct pdu response = {
        .opcode = PDU_SCSI_RESPONSE, .is_final = true, .response.status_qualifier = 0x1234};
    struct pdu task = {.opcode = PDU_TASK_RESPONSE,
                       .is_final = true,
                       .task_response.additional = {0x16, 0x29, 0x07}};
    uint8_t header[PDU_HEADER_BYTES];
    struct pdu back;
    (void)state;

    pdu_encode(&command, header);
    assert_int_equal(header[2], 0x50);
    assert_int_equal(pdu_decode(header, &back), PDU_OK);
    assert_int_equal(back.command.priority, 5);
    pdu_encode(&response, header);
    assert_int_equal(get_be16(header + 8), 0x1234);
    assert_int_equal(pdu_decode(header, &back), PDU_OK);
    assert_int_equal(back.response.status_qualifier, 0x1234);
    pdu_encode(&task, header);
    assert_memory_equal(header + 8, "\x16\x29\x07", 3);
    assert_int_equal(pdu_decode(header, &back), PDU_OK);
    assert_memory_equal(back.task_response.additional, "\x16\x29\x07", 3);
}

int main(void)
{
    TEST_ROWS(functions, is_known_at_level_2_alone);
    TEST(the_lower_level_of_both_is_agreed);
    TEST(a_task_is_in_the_task_set_until_it_is_answered);
    TEST(a_write_whose_data_is_owed_is_in_the_task_set);
    TEST(an_event_is_the_unit_attention_that_comes_next);
    TEST(a_nexus_that_is_reset_loses_its_tasks_and_no_other_does);
    TEST(a_nexus_that_is_reset_keeps_its_registration);
    TEST(a_nexus_that_is_reset_loses_the_older_reservation);
    TEST(an_array_can_be_held_at_level_1);
    TEST(supported_functions_are_those_of_the_level);
    TEST(the_new_fields_are_where_the_standard_has_them);
    return TEST_RUN("target.queries");
}
