/* Sessions: reinstatement, retention, reset, drop, logout, the window, and what others notice. */
#include "tests/target/pdu_peer.h"

#define KEYS "InitialR2T=Yes\nImmediateData=No"

static struct peer *log_in(struct node *node, uint32_t portal_index, uint8_t isid, uint16_t cid,
                           uint16_t tsih)
{
    struct peer *peer = peer_open(node, portal_index);

    peer->isid = isid;
    peer->cid = cid;
    peer->tsih = tsih;
    peer_login(peer, KEYS);
    return peer;
}

static struct peer *new_session(struct node *node, uint32_t portal_index, uint8_t isid)
{
    return log_in(node, portal_index, isid, 1, 0);
}

/* ---- who makes way for whom ---- */

static void a_new_isid_stands_beside_the_old(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *a = new_session(&node, 0, 1);
    struct peer *b = new_session(&node, 0, 2);
    struct peer *c = new_session(&node, 1, 1); /* another portal group is another nexus */

    peer_base(a);
    peer_base(b);
    peer_base(c);
    assert_int_equal(target_session_count(node.target), 3);
    assert_int_not_equal(a->tsih, b->tsih);
    assert_int_not_equal(b->tsih, c->tsih);
    do_write(a, 0, 2, 1);
    do_read(c, 0, 2, 1, 8192); /* seen on the other path at once */
    node_free(&node);
}

static void the_same_isid_takes_the_place_of_the_old_session(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *old = new_session(&node, 0, 1);

    peer_base(old);
    struct pdu write = write_command(old, 0, 2);

    send_command(old, &write);
    expect(old, PDU_R2T);
    struct peer *young = new_session(&node, 0, 1);

    expect_over(old, CONN_REINSTATED);
    expect_nothing(old);
    assert_int_not_equal(young->tsih, old->tsih);
    assert_int_equal(target_session_count(node.target), 1);
    assert_int_equal(target_counters(node.target)->reinstatements, 1);
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_test_unit_ready(cdb); /* a new nexus is told so */
    struct pdu ready = command(young, cdb, false, 0);

    expect_sense(young, send_command(young, &ready), 0x062900);
    peer_base(young);
    node_free(&node);
}

/* Rule D3: nothing of the old session reaches the medium behind the new one's back. */
static void a_login_waits_for_the_tasks_of_the_old_session(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *old = new_session(&node, 0, 1);

    peer_base(old);
    struct media_slow slow = {.factor_ppm = 1000000, .add_ns = SECONDS(3)};
    struct pdu write = write_command(old, 0, 2);

    media_slow_add(node.media[0], &slow);
    send_command(old, &write);
    answer_r2t(old, &write, expect(old, PDU_R2T), 7);
    node_run(&node, MS(1)); /* the medium works on it */
    struct peer *young = peer_open(&node, 0);
    struct pdu pdu =
        login_request(young, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION, ISCSI_FULL_FEATURE_PHASE, true);

    send_login(young, &pdu,
               "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME
               "\nFirstBurstLength=65536\nMaxBurstLength=262144\n"
               "DefaultTime2Retain=0");
    size_t tasks = device_live_tasks(node.device);

    if (tasks > 0)
        expect_nothing(young);
    node_run(&node, SECONDS(4));
    login_done(young, expect(young, PDU_LOGIN_RESPONSE));
    assert_int_equal(device_live_tasks(node.device), 0);
    media_slow_remove(node.media[0], &slow);
    peer_base(young);
    node_free(&node);
}

static void other_tasks_survive_a_reinstatement(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *a = new_session(&node, 0, 1);
    struct peer *b = new_session(&node, 0, 2);

    peer_base(a);
    peer_base(b);
    struct pdu write = write_command(b, 0, 2);

    send_command(b, &write);
    struct pdu r2t = expect(b, PDU_R2T)->pdu;

    new_session(&node, 0, 1);
    send_data(b, &write, r2t.ttt, 0, 0, 1024, true, 3);
    expect_status(b, write.itt, SCSI_GOOD);
    do_read(b, 0, 2, 3, 8192);
    node_free(&node);
}

static void a_connection_is_reinstated_in_its_session(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *old = new_session(&node, 0, 1);

    peer_base(old);
    struct peer *young = peer_open(&node, 0);

    young->tsih = old->tsih;
    young->cmd_sn = old->cmd_sn;
    peer_login(young, "");
    expect_over(old, CONN_REINSTATED);
    assert_int_equal(young->tsih, old->tsih);
    assert_int_equal(target_session_count(node.target), 1);
    do_write(young, 0, 2, 1); /* and no unit attention: it is the same nexus */
    node_free(&node);
}

static void a_second_connection_is_one_too_many(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *first = new_session(&node, 0, 1);
    struct peer *second = peer_open(&node, 0);

    second->tsih = first->tsih;
    second->cid = 2;
    struct pdu pdu =
        login_request(second, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION, ISCSI_FULL_FEATURE_PHASE, true);

    send_login(second, &pdu, "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME);
    assert_int_equal(login_status(expect(second, PDU_LOGIN_RESPONSE)),
                     ISCSI_LOGIN_TOO_MANY_CONNECTIONS);
    peer_base(first);
    node_free(&node);
}

static void discovery_leaves_the_normal_session_alone(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *normal = new_session(&node, 0, 1);
    struct peer *discovery = peer_open(&node, 0);

    peer_login_as(discovery, HOST_1, "SessionType=Discovery", "");
    assert_false(normal->is_over);
    struct pdu read = read_command(discovery, 0, 1);

    send_command(discovery, &read);
    expect_reject(discovery, ISCSI_REJECT_PROTOCOL_ERROR, &read);
    expect_logout(discovery);
    peer_base(normal);
    node_free(&node);
}

/* ---- retention ---- */

static void a_lost_session_ends_at_once_without_retention(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    peer_break(peer);
    assert_int_equal(target_session_count(node.target), 0);
    assert_int_equal(target_counters(node.target)->losses, 1);
    node_free(&node);
}

static void a_lost_session_waits_as_agreed_and_goes_on(void **state)
{
    struct array_profile profile = test_profile();
    struct session_info info;
    struct node node;
    (void)state;

    profile.iscsi.time2wait_s = 2;
    profile.iscsi.time2retain_s = 20;
    node_new_with(&node, &profile, PLANT_NONE);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    peer_break(peer);
    node_run(&node, SECONDS(21));
    assert_int_equal(target_session_count(node.target), 1);
    target_session_info(node.target, 0, &info);
    assert_int_equal(info.connection_count, 0);
    struct peer *again = peer_open(&node, 0);

    again->tsih = peer->tsih;
    again->cmd_sn = peer->cmd_sn;
    peer_login(again, "");
    do_write(again, 0, 2, 1); /* the nexus is the old one */
    peer_break(again);
    node_run(&node, SECONDS(23));
    assert_int_equal(target_session_count(node.target), 0);
    assert_int_equal(device_live_nexuses(node.device), 0);
    node_free(&node);
}

/* ---- the window ---- */

static void delivers_in_the_order_of_cmd_sn(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu first = peer_request(peer, PDU_NOP_OUT, false);
    struct pdu second = peer_request(peer, PDU_NOP_OUT, false);
    struct pdu third = peer_request(peer, PDU_NOP_OUT, false);

    peer_send(peer, &third, "three", 5);
    peer_send(peer, &second, "two", 3);
    peer_send(peer, &third, "again", 5);
    expect_nothing(peer);
    peer_send(peer, &first, "one", 3);
    expect_echo(peer, &first, "one", 3);
    expect_echo(peer, &second, "two", 3);
    expect_echo(peer, &third, "three", 5);
    expect_nothing(peer);
    node_free(&node);
}

static void numbers_wrap_around(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer->cmd_sn = 0xfffffff0;
    peer_login(peer, KEYS);
    peer_base(peer);
    for (uint32_t i = 0; i < 40; i++)
        do_write(peer, i, 1, i);
    assert_true(peer->cmd_sn < 100);
    node_free(&node);
}

static void an_initiator_that_does_not_read_cannot_pile_up_answers(void **state)
{
    struct node node;
    unsigned sent = 0;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    peer->reads = false;
    while (conn_room(peer->conn) > 0) {
        struct pdu nop = peer_request(peer, PDU_NOP_OUT, true);

        peer_send(peer, &nop, pattern(1, 8192), 8192);
        assert_true(++sent < 100000);
    }
    assert_in_range(sent, 100, 3000); /* some 16 MiB */
    peer->reads = true;
    peer_drain(peer);
    assert_int_not_equal(conn_room(peer->conn), 0);
    for (unsigned i = 0; i < sent; i++)
        expect(peer, PDU_NOP_IN);
    node_free(&node);
}

static void what_one_session_collects_is_bounded(void **state)
{
    struct node node;
    struct pdu writes[10];
    uint32_t asked_bytes = 0;
    unsigned good = 0;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++) { /* 10 times 15 MiB */
        writes[i] = write_command(peer, 0, 30720);
        send_command(peer, &writes[i]);
    }
    for (size_t i = peer->got_first; i < peer->got_end; i++) {
        assert_int_equal(peer->got[i].pdu.opcode, PDU_R2T);
        asked_bytes += peer->got[i].pdu.r2t.desired_bytes;
    }
    assert_int_equal(asked_bytes, 4 * 262144); /* four of them fit, MaxOutstandingR2T is 1 */
    while (good < ARRAY_SIZE(writes)) {
        node_run(&node, MS(1));
        if (peer->got[peer->got_first].pdu.opcode == PDU_SCSI_RESPONSE) {
            assert_int_equal(expect(peer, PDU_SCSI_RESPONSE)->pdu.response.status, SCSI_GOOD);
            good++;
            continue;
        }
        struct pdu r2t = expect(peer, PDU_R2T)->pdu;
        struct pdu data = {.opcode = PDU_DATA_OUT,
                           .is_final = true,
                           .itt = r2t.itt,
                           .ttt = r2t.ttt,
                           .data_out = {.buffer_offset = r2t.r2t.buffer_offset}};

        peer_send(peer, &data, pattern(1, 262144), r2t.r2t.desired_bytes);
    }
    node_free(&node);
}

/* ---- task management between sessions ---- */

static void a_reset_ends_the_tasks_of_every_session(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *a = new_session(&node, 0, 1);
    struct peer *b = new_session(&node, 1, 2);

    peer_base(a);
    peer_base(b);
    struct pdu write = write_command(b, 0, 2); /* waits for its data */

    send_command(b, &write);
    struct pdu r2t = expect(b, PDU_R2T)->pdu;
    struct pdu read = read_command(b, 0, 2); /* at the medium */

    send_command(b, &read);
    struct pdu reset = task_request(a, ISCSI_TMF_LOGICAL_UNIT_RESET, true);

    peer_send(a, &reset, NULL, 0);
    expect_task_response(a, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    send_data(b, &write, r2t.ttt, 0, 0, 1024, true, 1);
    node_run(&node, SECONDS(1));
    expect_nothing(b);
    for (int i = 0; i < 2; i++) {
        struct peer *peer = i ? b : a;
        uint8_t cdb[SCSI_CDB_BYTES];

        scsi_cdb_test_unit_ready(cdb);
        struct pdu ready = command(peer, cdb, false, 0);

        expect_sense(peer, send_command(peer, &ready), 0x062900);
        do_write(peer, 0, 2, 1);
    }
    node_free(&node);
}

static void a_reset_waits_for_data_that_is_owed(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu write = write_command(peer, 0, 4);

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK_SET, true);

    peer_send(peer, &abort, NULL, 0);
    node_run(&node, MS(500));
    expect_nothing(peer);
    send_data(peer, &write, r2t.ttt, 0, 0, 1024, false, 1);
    expect_nothing(peer);
    send_data(peer, &write, r2t.ttt, 1, 1024, 1024, true, 1);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    node_run(&node, SECONDS(1));
    expect_nothing(peer);
    do_write(peer, 0, 2, 1);
    node_free(&node);
}

/* open-iscsi's FastAbort: no data after the function. */
static void a_reset_does_not_wait_for_ever(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu write = write_command(peer, 0, 4);

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu reset = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);

    peer_send(peer, &reset, NULL, 0);
    node_run(&node, SECONDS(2));
    expect_task_response(peer, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    send_data(peer, &write, r2t.ttt, 0, 0, 2048, true, 1); /* late: swallowed */
    node_run(&node, SECONDS(1));
    expect_nothing(peer);
    clear_attentions(peer, 0);
    do_write(peer, 0, 2, 1);
    node_free(&node);
}

static void a_function_waits_for_the_commands_before_it(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu late = read_command(peer, 0, 2);
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK_SET, true);
    struct pdu behind = read_command(peer, 0, 2);

    peer_send(peer, &abort, NULL, 0);
    send_command(peer, &behind);
    node_run(&node, MS(100));
    expect_nothing(peer);
    send_command(peer, &late);
    node_run(&node, MS(100));
    assert_int_equal(peer->got_end - peer->got_first, 2);
    bool response_first = peer->got[peer->got_first].pdu.opcode == PDU_TASK_RESPONSE;

    assert_true(response_first);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_data(peer, behind.itt, 1024, 8192, 262144); /* 'late' is aborted, this is not */
    node_free(&node);
}

static void a_target_reset_needs_no_missing_commands(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu lost = read_command(peer, 0, 2);
    struct pdu reset = task_request(peer, ISCSI_TMF_TARGET_WARM_RESET, true);

    peer_send(peer, &reset, NULL, 0);
    expect_task_response(peer, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    send_command(peer, &lost); /* counts as received before */
    clear_attentions(peer, 0);
    do_write(peer, 0, 2, 1);
    node_free(&node);
}

static void a_cold_reset_ends_every_session(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *a = new_session(&node, 0, 1);
    struct peer *b = new_session(&node, 1, 2);

    peer_base(a);
    struct pdu reset = task_request(a, ISCSI_TMF_TARGET_COLD_RESET, true);

    peer_send(a, &reset, NULL, 0);
    expect_task_response(a, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_over(a, CONN_RESET);
    expect_over(b, CONN_RESET);
    assert_int_equal(target_session_count(node.target), 0);
    peer_base(new_session(&node, 0, 1));
    node_free(&node);
}

static struct function_row {
    const char *name;
    uint8_t function;
    uint64_t lun;
    uint8_t response;
} functions[] = {
    {"CLEAR ACA is not supported", ISCSI_TMF_CLEAR_ACA, 0, ISCSI_TMF_NOT_SUPPORTED},
    {"TASK REASSIGN is not supported", ISCSI_TMF_TASK_REASSIGN, 0,
     ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED},
    {"a function that does not exist", 99, 0, ISCSI_TMF_NOT_SUPPORTED},
    {"ABORT TASK of nothing", ISCSI_TMF_ABORT_TASK, 0, ISCSI_TMF_TASK_DOES_NOT_EXIST},
    {"ABORT TASK SET", ISCSI_TMF_ABORT_TASK_SET, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"CLEAR TASK SET", ISCSI_TMF_CLEAR_TASK_SET, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"LOGICAL UNIT RESET", ISCSI_TMF_LOGICAL_UNIT_RESET, 0, ISCSI_TMF_FUNCTION_COMPLETE},
    {"ABORT TASK SET on no unit", ISCSI_TMF_ABORT_TASK_SET, UINT64_C(9) << 48,
     ISCSI_TMF_LUN_DOES_NOT_EXIST},
    {"LOGICAL UNIT RESET on no unit", ISCSI_TMF_LOGICAL_UNIT_RESET, UINT64_C(9) << 48,
     ISCSI_TMF_LUN_DOES_NOT_EXIST},
    {"TARGET WARM RESET wherever it points", ISCSI_TMF_TARGET_WARM_RESET, UINT64_C(9) << 48,
     ISCSI_TMF_FUNCTION_COMPLETE},
};

static void answers_function(void **state)
{
    const struct function_row *row = *state;

    for (int immediate = 0; immediate < 2; immediate++) {
        struct node node;

        node_new(&node);
        struct peer *peer = new_session(&node, 0, 1);

        peer_base(peer);
        struct pdu request = task_request(peer, row->function, immediate);

        request.lun = row->lun;
        request.task_request.ref_cmd_sn = request.cmd_sn;
        peer_send(peer, &request, NULL, 0);
        expect_task_response(peer, &request, row->response);
        clear_attentions(peer, 0);
        do_write(peer, 0, 2, 1);
        node_free(&node);
    }
}

static void aborts_a_task_at_the_medium(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct media_slow slow = {.factor_ppm = 1000000, .add_ns = SECONDS(1)};

    media_slow_add(node.media[0], &slow);
    struct pdu read = read_command(peer, 0, 2);
    struct pdu abort;

    send_command(peer, &read);
    abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);
    abort.task_request.ref_task_tag = read.itt;
    abort.task_request.ref_cmd_sn = read.cmd_sn;
    peer_send(peer, &abort, NULL, 0);
    node_run(&node, SECONDS(5));
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_nothing(peer);
    media_slow_remove(node.media[0], &slow);
    do_write(peer, 0, 2, 1);
    node_free(&node);
}

static void stops_a_read_that_is_half_sent(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu read = read_command(peer, 0, 64);

    peer->reads = false;
    send_command(peer, &read);
    node_run(&node, MS(10));
    struct buf *bytes = conn_take(peer->conn, 100, node_now(&node)); /* into the first Data-In */

    framer_feed(&peer->framer, bytes);
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);

    abort.task_request.ref_task_tag = read.itt;
    peer_send(peer, &abort, NULL, 0);
    peer->reads = true;
    peer_drain(peer);
    assert_int_equal(expect(peer, PDU_DATA_IN)->pdu.data_in.has_status, false);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    expect_nothing(peer);
    node_free(&node);
}

/* ---- what an operator does ---- */

static void drops_sessions_of_one_host(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *a = new_session(&node, 0, 1);
    struct peer *b = peer_open(&node, 0);

    peer_login_as(b, HOST_2, "TargetName=" TARGET_NAME, KEYS);
    assert_int_equal(target_drop_sessions(node.target, HOST_2, false, node_now(&node)), 1);
    node_settle(&node);
    expect_over(b, CONN_DROPPED);
    assert_false(b->over.is_orderly);
    peer_base(a);
    assert_int_equal(target_drop_sessions(node.target, NULL, true, node_now(&node)), 1);
    node_settle(&node);
    assert_int_equal(expect(a, PDU_ASYNC)->pdu.async.event, ISCSI_ASYNC_DROP_SESSION);
    expect_over(a, CONN_DROPPED);
    assert_true(a->over.is_orderly);
    node_free(&node);
}

static void asks_for_logout_and_drops_who_stays(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *polite = new_session(&node, 0, 1);
    struct peer *deaf = new_session(&node, 0, 2);

    assert_int_equal(target_ask_logout(node.target, NULL, 5, node_now(&node)), 2);
    node_settle(&node);
    for (int i = 0; i < 2; i++) {
        const struct pdu *async = &expect(i ? deaf : polite, PDU_ASYNC)->pdu;

        assert_int_equal(async->async.event, ISCSI_ASYNC_LOGOUT_REQUESTED);
        assert_int_equal(async->async.parameter3, 5);
    }
    expect_logout(polite);
    node_run(&node, SECONDS(5));
    expect_over(deaf, CONN_LOGOUT_TIMEOUT);
    node_free(&node);
}

static void a_crash_takes_everything_at_once(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu write = write_command(peer, 0, 2);

    send_command(peer, &write);
    answer_r2t(peer, &write, expect(peer, PDU_R2T), 1);
    struct pdu reset = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);

    peer_send(peer, &reset, NULL, 0);
    target_crash(node.target);
    node_settle(&node);
    expect_over(peer, CONN_CRASHED);
    assert_int_equal(target_session_count(node.target), 0);
    assert_int_equal(device_live_tasks(node.device), 0);
    peer_base(new_session(&node, 0, 1));
    node_free(&node);
}

/* ---- time-outs ---- */

static void drops_a_host_that_answers_no_ping(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    node_run(&node, SECONDS(15));
    expect(peer, PDU_NOP_IN);
    node_run(&node, SECONDS(30) - 1);
    assert_false(peer->is_over);
    node_run(&node, 1);
    expect_over(peer, CONN_PING_TIMEOUT);
    assert_int_equal(target_session_count(node.target), 0);
    node_free(&node);
}

static void drops_a_host_that_owes_data(void **state)
{
    struct array_profile profile = test_profile();
    struct node node;
    (void)state;

    profile.data_out_timeout_ns = SECONDS(10);
    node_new_with(&node, &profile, PLANT_NONE);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    struct pdu write = write_command(peer, 0, 4);

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    node_run(&node, SECONDS(9));
    send_data(peer, &write, r2t.ttt, 0, 0, 512, false, 1); /* a little helps */
    node_run(&node, SECONDS(9));
    assert_false(peer->is_over);
    node_run(&node, SECONDS(1));
    expect_over(peer, CONN_DATA_TIMEOUT);
    node_free(&node);
}

static void a_logout_waits_for_the_tasks(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = new_session(&node, 0, 1);

    peer_base(peer);
    for (int i = 0; i < 10; i++) {
        struct pdu read = read_command(peer, 0, 8);

        send_command(peer, &read);
    }
    expect_logout(peer);
    assert_int_equal(device_live_tasks(node.device), 0);
    node_free(&node);
}

int main(void)
{
    TEST(a_new_isid_stands_beside_the_old);
    TEST(the_same_isid_takes_the_place_of_the_old_session);
    TEST(a_login_waits_for_the_tasks_of_the_old_session);
    TEST(other_tasks_survive_a_reinstatement);
    TEST(a_connection_is_reinstated_in_its_session);
    TEST(a_second_connection_is_one_too_many);
    TEST(discovery_leaves_the_normal_session_alone);
    TEST(a_lost_session_ends_at_once_without_retention);
    TEST(a_lost_session_waits_as_agreed_and_goes_on);
    TEST(delivers_in_the_order_of_cmd_sn);
    TEST(numbers_wrap_around);
    TEST(an_initiator_that_does_not_read_cannot_pile_up_answers);
    TEST(what_one_session_collects_is_bounded);
    TEST(a_reset_ends_the_tasks_of_every_session);
    TEST(a_reset_waits_for_data_that_is_owed);
    TEST(a_reset_does_not_wait_for_ever);
    TEST(a_function_waits_for_the_commands_before_it);
    TEST(a_target_reset_needs_no_missing_commands);
    TEST(a_cold_reset_ends_every_session);
    TEST_ROWS(functions, answers_function);
    TEST(aborts_a_task_at_the_medium);
    TEST(stops_a_read_that_is_half_sent);
    TEST(drops_sessions_of_one_host);
    TEST(asks_for_logout_and_drops_who_stays);
    TEST(a_crash_takes_everything_at_once);
    TEST(drops_a_host_that_answers_no_ping);
    TEST(drops_a_host_that_owes_data);
    TEST(a_logout_waits_for_the_tasks);
    return TEST_RUN("target.session");
}
