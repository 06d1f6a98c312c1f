/* Full feature phase, after UNH-IOL's suite for targets: task management, logout, Reject, NOP, text
 * and digests (groups 11 to 15, 17 and 18 that need no error recovery and one connection). A test
 * has the number of its row.
 */
#include "target/target_inside.h"
#include "tests/target/pdu_peer.h"

#define R2T_ONLY "InitialR2T=Yes\nImmediateData=No\nMaxRecvDataSegmentLength=1024"

static struct peer *begin_login(struct node *node, const char *keys)
{
    node_new(node);
    struct peer *peer = peer_open(node, 0);

    peer_login(peer, keys);
    return peer;
}

static struct peer *begin(struct node *node, const char *keys)
{
    struct peer *peer = begin_login(node, keys);

    peer_base(peer);
    return peer;
}

static struct peer *begin_discovery(struct node *node)
{
    node_new(node);
    struct peer *peer = peer_open(node, 0);

    peer_login_as(peer, HOST_1, "SessionType=Discovery", "");
    return peer;
}

/* ---- 11: task management ---- */

static void ffp_11_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    (void)state;

    node.is_lawless = true; /* data for a task that was aborted */
    struct pdu a = write_command(peer, 0, 2);

    send_command(peer, &a);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu b = write_command(peer, 10, 2);

    b.is_immediate = true;
    peer->cmd_sn--;
    send_command(peer, &b);
    struct pdu r2t_b = expect(peer, PDU_R2T)->pdu;
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);

    abort.task_request.ref_task_tag = a.itt;
    abort.task_request.ref_cmd_sn = a.cmd_sn;
    peer_send(peer, &abort, NULL, 0);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    send_data(peer, &a, r2t.ttt, 0, 0, 1024, true, 1);
    node_run(&node, MS(10));
    expect_nothing(peer); /* swallowed */
    send_data(peer, &b, r2t_b.ttt, 0, 0, 1024, true, 2);
    expect_status(peer, b.itt, SCSI_GOOD);
    do_read(peer, 10, 2, 2, 1024);
    node_free(&node);
}

static void ffp_11_3_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "ErrorRecoveryLevel=1");
    struct pdu read = read_command(peer, 0, 16);
    (void)state;

    send_command(peer, &read);
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK_SET, true);

    peer_send(peer, &abort, NULL, 0);
    struct pdu nop = peer_request(peer, PDU_NOP_OUT, false);

    assert_int_equal(nop.cmd_sn, abort.cmd_sn);
    peer_send(peer, &nop, NULL, 0);
    node_run(&node, MS(10));
    expect_echo(peer, &nop, NULL, 0);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    node_run(&node, SECONDS(1));
    expect_nothing(peer);
    node_free(&node);
}

/* ABORT TASK of a command that was not seen, with this RefCmdSN relative to the request's CmdSN. */
static void abort_unseen(int32_t ref_offset, uint8_t response)
{
    struct node node;
    struct peer *peer = begin(&node, "ErrorRecoveryLevel=1");
    struct pdu read = read_command(peer, 0, 2);

    node.is_lawless = true; /* a CmdSN is left out */
    send_command(peer, &read);
    if (ref_offset < 0)
        peer->cmd_sn++;
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);

    abort.task_request.ref_task_tag = 0xdead;
    abort.task_request.ref_cmd_sn = abort.cmd_sn + (uint32_t)ref_offset;
    peer_send(peer, &abort, NULL, 0);
    struct pdu nop = peer_request(peer, PDU_NOP_OUT, false);

    peer_send(peer, &nop, NULL, 0);
    expect_task_response(peer, &abort, response);
    expect_echo(peer, &nop, NULL, 0);
    expect_data(peer, read.itt, 1024, 8192, 262144);
    node_free(&node);
}

static void ffp_11_3_3(void **state)
{
    (void)state;
    abort_unseen(1000, ISCSI_TMF_TASK_DOES_NOT_EXIST);
    abort_unseen(-1, ISCSI_TMF_FUNCTION_COMPLETE); /* then its CmdSN counts as received */
}

static void reset_target(uint8_t function)
{
    struct node node;
    struct peer *peer = begin(&node, "ErrorRecoveryLevel=1");
    struct pdu read = read_command(peer, 0, 64);

    send_command(peer, &read);
    struct pdu reset = task_request(peer, function, false);

    peer_send(peer, &reset, NULL, 0);
    expect_task_response(peer, &reset, ISCSI_TMF_FUNCTION_COMPLETE);
    node_run(&node, SECONDS(1));
    expect_nothing(peer);
    if (function == ISCSI_TMF_TARGET_COLD_RESET) {
        expect_over(peer, CONN_RESET);
        assert_true(peer->over.is_orderly);
        assert_int_equal(target_session_count(node.target), 0);
    } else {
        uint8_t cdb[SCSI_CDB_BYTES];

        scsi_cdb_test_unit_ready(cdb);
        struct pdu ready = command(peer, cdb, false, 0);

        expect_sense(peer, send_command(peer, &ready), 0x062900);
    }
    node_free(&node);
}

static void ffp_11_4(void **state)
{
    (void)state;
    reset_target(ISCSI_TMF_TARGET_WARM_RESET);
}

static void ffp_11_5(void **state)
{
    (void)state;
    reset_target(ISCSI_TMF_TARGET_COLD_RESET);
}

/* ---- 13: logout, with one connection ---- */

static void logout_in_a_write(uint8_t reason, uint16_t cid, uint8_t response)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    struct pdu write = write_command(peer, 0, 2);

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu logout = peer_request(peer, PDU_LOGOUT_REQUEST, true);

    logout.logout_request.reason = reason;
    logout.logout_request.cid = cid;
    peer_send(peer, &logout, NULL, 0);
    node_run(&node, MS(1));
    const struct got *got = expect(peer, PDU_LOGOUT_RESPONSE);

    assert_int_equal(got->pdu.itt, logout.itt);
    assert_int_equal(got->pdu.logout_response.response, response);
    if (response == ISCSI_LOGOUT_CLOSED) {
        expect_over(peer, CONN_LOGGED_OUT_WELL);
        assert_true(peer->over.is_orderly);
        expect_nothing(peer);
    } else {
        send_data(peer, &write, r2t.ttt, 0, 0, 1024, true, 1);
        expect_status(peer, write.itt, SCSI_GOOD);
    }
    node_free(&node);
}

static void ffp_13_1_with_one_connection(void **state)
{
    (void)state;
    logout_in_a_write(ISCSI_LOGOUT_CLOSE_CONNECTION, 1, ISCSI_LOGOUT_CLOSED);
}

static void ffp_13_2_with_one_connection(void **state)
{
    (void)state;
    logout_in_a_write(ISCSI_LOGOUT_CLOSE_SESSION, 0, ISCSI_LOGOUT_CLOSED);
}

static void ffp_13_3_with_one_connection(void **state)
{
    (void)state;
    logout_in_a_write(ISCSI_LOGOUT_CLOSE_CONNECTION, 9, ISCSI_LOGOUT_CID_NOT_FOUND);
}

/* ---- 14: Reject ---- */

static void ffp_14_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    struct pdu write = write_command(peer, 0, 4);
    struct pdu foreign = write;
    (void)state;

    node.is_lawless = true;
    foreign.itt = 0xf0e1d2c3;
    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    send_data(peer, &write, r2t.ttt, 0, 0, 512, false, 1);
    send_data(peer, &foreign, r2t.ttt, 1, 512, 512, false, 1);
    struct pdu rejected = {.opcode = PDU_DATA_OUT,
                           .itt = foreign.itt,
                           .ttt = r2t.ttt,
                           .exp_stat_sn = peer->stat_sn,
                           .data_out = {.data_sn = 1, .buffer_offset = 512}};

    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, &rejected);
    uint32_t stat_sn = peer->last.pdu.stat_sn;

    assert_int_equal(peer->last.pdu.exp_cmd_sn, peer->cmd_sn);
    send_data(peer, &write, r2t.ttt, 1, 512, 512, false, 1);
    node_run(&node, MS(10));
    expect_nothing(peer);
    send_data(peer, &write, r2t.ttt, 2, 1024, 1024, true, 1);
    assert_int_equal(expect_status(peer, write.itt, SCSI_GOOD)->pdu.stat_sn, stat_sn + 1);
    do_read(peer, 0, 4, 1, 1024);
    node_free(&node);
}

static void ffp_14_3(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    struct pdu write = write_command(peer, 0, 2);
    (void)state;

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu snack = {.opcode = PDU_SNACK,
                        .itt = write.itt,
                        .ttt = PDU_NO_TAG,
                        .exp_stat_sn = peer->stat_sn,
                        .snack = {.type = ISCSI_SNACK_DATA_R2T, .run_length = 1}};

    peer_send(peer, &snack, NULL, 0);
    expect_reject(peer, ISCSI_REJECT_SNACK, &snack);
    send_data(peer, &write, r2t.ttt, 0, 0, 1024, true, 1);
    expect_status(peer, write.itt, SCSI_GOOD);
    node_free(&node);
}

/* ---- 15: NOP ---- */

static void echo(const char *keys, bool is_immediate, size_t bytes, size_t echoed_bytes)
{
    struct node node;
    struct peer *peer = begin(&node, keys);
    struct pdu nop = peer_request(peer, PDU_NOP_OUT, is_immediate);

    peer_send(peer, &nop, pattern(3, bytes), bytes);
    expect_echo(peer, &nop, pattern(3, echoed_bytes), echoed_bytes);
    assert_int_equal(peer->exp_cmd_sn, peer->cmd_sn); /* used up if it was not immediate */
    struct pdu read = read_command(peer, 0, 2);

    expect_data(peer, send_command(peer, &read), 1024, 8192, 262144);
    node_free(&node);
}

static void ffp_15_1_1(void **state)
{
    (void)state;
    echo("", true, 0, 0);
}

static void ffp_15_1_2(void **state)
{
    (void)state;
    echo("", false, 0, 0);
}

static void ffp_15_1_3(void **state)
{
    (void)state;
    echo("", false, 8192, 8192);
}

static void ffp_15_1_4(void **state)
{
    (void)state;
    echo("", true, 8191, 8191);
}

static void ffp_15_1_5(void **state)
{
    (void)state;
    echo("MaxRecvDataSegmentLength=1024", true, 262144, 1024);
}

static void ffp_15_1_6(void **state)
{
    (void)state;
    echo("MaxRecvDataSegmentLength=1024", false, 262144, 1024);
}

static void ffp_15_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    uint32_t stat_sn = peer->stat_sn;
    (void)state;

    node_run(&node, SECONDS(30));
    struct pdu ping = expect(peer, PDU_NOP_IN)->pdu;

    expect_nothing(peer);
    assert_int_equal(ping.itt, PDU_NO_TAG);
    assert_int_not_equal(ping.ttt, PDU_NO_TAG);
    assert_int_equal(ping.lun, 0);
    assert_int_equal(ping.data_bytes, 0);
    assert_int_equal(ping.stat_sn, stat_sn);
    struct pdu pong = peer_request(peer, PDU_NOP_OUT, true);

    pong.itt = PDU_NO_TAG;
    pong.ttt = ping.ttt;
    pong.lun = ping.lun;
    peer_send(peer, &pong, NULL, 0);
    expect_nothing(peer);
    struct pdu read = read_command(peer, 0, 2);

    expect_data(peer, send_command(peer, &read), 1024, 8192, 262144);
    assert_int_equal(peer->last.pdu.stat_sn, stat_sn);
    node_run(&node, SECONDS(14));
    assert_false(peer->is_over);
    node_free(&node);
}

static void ffp_15_3(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    uint32_t first_itt = peer->itt;
    unsigned sent = 0;
    (void)state;

    while (!sn_before(peer->max_cmd_sn, peer->cmd_sn)) { /* until the window is shut */
        struct pdu read = read_command(peer, 0, 2);

        send_command(peer, &read);
        sent++;
    }
    assert_int_equal(sent, 32);
    node_run(&node, MS(100));
    for (unsigned i = 0; i < sent; i++) { /* each answer opens it again: no NOP-In is due */
        assert_int_equal(expect(peer, PDU_DATA_IN)->pdu.itt, first_itt + i);
        assert_int_equal(peer->max_cmd_sn, peer->cmd_sn + i);
    }
    expect_nothing(peer);
    do_write(peer, 0, 2, 1);
    node_free(&node);
}

/* ---- 17: text ---- */

static struct pdu text_request(struct peer *peer, bool is_final, bool continues)
{
    struct pdu pdu = peer_request(peer, PDU_TEXT_REQUEST, true);

    pdu.is_final = is_final;
    pdu.text.continues = continues;
    return pdu;
}

static void send_text(struct peer *peer, const struct pdu *pdu, const char *pairs)
{
    char text[4096];

    peer_send(peer, pdu, text, text_of(pairs, text, sizeof(text)));
}

static const struct got *expect_text(struct peer *peer, const struct pdu *request, bool is_final)
{
    const struct got *got = expect(peer, PDU_TEXT_RESPONSE);

    assert_int_equal(got->pdu.itt, request->itt);
    assert_int_equal(got->pdu.is_final, is_final);
    if (is_final)
        assert_int_equal(got->pdu.ttt, PDU_NO_TAG);
    else
        assert_int_not_equal(got->pdu.ttt, PDU_NO_TAG);
    assert_in_range(got->pdu.data_bytes, 0, 8192);
    return got;
}

/* One Text Request with F. */
static const struct got *ask(struct peer *peer, const char *pairs)
{
    struct pdu pdu = text_request(peer, true, false);

    send_text(peer, &pdu, pairs);
    return expect_text(peer, &pdu, true);
}

static void expect_segments(struct peer *peer, uint16_t blocks, uint32_t segment_bytes)
{
    struct pdu read = read_command(peer, 0, blocks);
    uint32_t itt = send_command(peer, &read);

    node_run(peer->node, MS(10));
    assert_int_equal(peer->got[peer->got_first].pdu.data_bytes, segment_bytes);
    expect_data(peer, itt, blocks * BLOCK_BYTES, segment_bytes, 262144);
}

static void ffp_17_1_1(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "SendTargets=All");
    expect_text(peer, &pdu, false);
    node_free(&node);
}

static void ffp_17_1_2(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.is_final = true;
    send_text(peer, &pdu, "");
    expect_text(peer, &pdu, true);
    peer_base(peer);
    expect_segments(peer, 4, 512);
    node_free(&node);
}

static void ffp_17_2_1(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "SendTargets=All");
    for (int i = 0; i < 3; i++) { /* as often as F is 0 */
        pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
        send_text(peer, &pdu, "");
    }
    expect_text(peer, &pdu, false);
    node_free(&node);
}

static void ffp_17_2_2(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    expect_text(peer, &pdu, false);
    node_free(&node);
}

/* The whole record of this target, and nothing else. */
static void expect_record(const struct got *got)
{
    static const char record[] = "TargetName=" TARGET_NAME "\0TargetAddress=10.0.1.1:3260,1\0"
                                 "TargetAddress=10.0.2.1:3260,2";
    char text[sizeof(record)];

    assert_int_equal(got->pdu.data_bytes, sizeof(record));
    buf_read(got->data, 0, text, sizeof(text));
    assert_memory_equal(text, record, sizeof(record));
}

static void ffp_17_3_1(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    (void)state;

    expect_record(ask(peer, "SendTargets=All"));
    expect_logout(peer);
    node_free(&node);
}

/* 64 portals for an initiator that takes 512 bytes at a time: the whole record, in parts of which
 * each was asked for (11.11: C, F and the TTT). */
static void a_long_record_comes_in_parts(void **state)
{
    struct node node;
    static char text[65536];
    size_t bytes = 0;
    unsigned parts = 1;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login_as(peer, HOST_1, "SessionType=Discovery", "MaxRecvDataSegmentLength=512");
    struct pdu request = text_request(peer, true, false);

    for (uint32_t i = 0; i < TARGET_MOST_PORTALS; i++)
        node.target->portals[i] =
            (struct target_portal){{IPV4(10, 100, 200, i + 1), 3260}, (uint16_t)(i + 1)};
    node.target->portal_count = TARGET_MOST_PORTALS;
    send_text(peer, &request, "SendTargets=All");
    const struct got *got = expect(peer, PDU_TEXT_RESPONSE);

    while (got->pdu.text.continues) {
        assert_false(got->pdu.is_final);
        assert_int_not_equal(got->pdu.ttt, PDU_NO_TAG);
        assert_true(got->pdu.data_bytes <= 512);
        buf_read(got->data, 0, text + bytes, got->pdu.data_bytes);
        bytes += got->pdu.data_bytes;
        request.ttt = got->pdu.ttt;
        send_text(peer, &request, "");
        got = expect(peer, PDU_TEXT_RESPONSE);
        parts++;
    }
    buf_read(got->data, 0, text + bytes, got->pdu.data_bytes);
    bytes += got->pdu.data_bytes;
    assert_true(got->pdu.is_final);
    assert_int_equal(got->pdu.ttt, PDU_NO_TAG);
    assert_int_equal(text[bytes - 1], '\0');
    unsigned addresses = 0;

    for (const char *pair = text; pair < text + bytes; pair += strlen(pair) + 1)
        addresses += strncmp(pair, "TargetAddress=10.100.200.", 25) == 0;
    assert_int_equal(addresses, TARGET_MOST_PORTALS);
    assert_int_equal(parts, (bytes + 511) / 512);
    assert_true(parts > 4);
    node.target->portal_count = 2;
    node_free(&node);
}

static void ffp_17_3_2(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    (void)state;

    expect_record(ask(peer, "SendTargets="));
    node_free(&node);
}

static void ffp_17_3_3(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    (void)state;

    assert_string_equal(text_value(ask(peer, "SendTargets=All"), "SendTargets"), "Reject");
    node_free(&node);
}

static void ffp_17_3_4(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    (void)state;

    expect_record(ask(peer, "SendTargets="));
    node_free(&node);
}

static void ffp_17_3_5(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    (void)state;

    expect_record(ask(peer, "SendTargets=" TARGET_NAME));
    assert_int_equal(ask(peer, "SendTargets=iqn.2024-01.lab:other")->pdu.data_bytes, 0);
    node_free(&node);
}

static void ffp_17_4_1(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    struct pdu pdu = text_request(peer, true, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    expect_record(ask(peer, "SendTargets=All"));
    node_free(&node);
}

static void ffp_17_4_2(void **state)
{
    struct node node;
    struct peer *peer = begin_discovery(&node);
    (void)state;

    ask(peer, "SendTargets=All");
    struct pdu logout = peer_request(peer, PDU_LOGOUT_REQUEST, true);

    logout.logout_request.reason = ISCSI_LOGOUT_REMOVE_FOR_RECOVERY;
    peer_send(peer, &logout, NULL, 0);
    assert_int_equal(expect(peer, PDU_LOGOUT_RESPONSE)->pdu.logout_response.response,
                     ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED);
    assert_false(peer->is_over);
    node_free(&node);
}

static void ffp_17_5(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    node.is_lawless = true;
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.itt++;
    pdu.is_final = true;
    send_text(peer, &pdu, "InitiatorAlias=host");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    node_free(&node);
}

static void ffp_17_6(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    pdu.ttt = PDU_NO_TAG;
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.is_final = true;
    send_text(peer, &pdu, "");
    expect_text(peer, &pdu, true);
    peer_base(peer);
    expect_segments(peer, 4, 512);
    node_free(&node);
}

static void ffp_17_7_1(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    node.is_lawless = true;
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.itt++;
    send_text(peer, &pdu, "InitiatorAlias=host");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    pdu.itt--;
    pdu.ttt = PDU_NO_TAG;
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512"); /* no key twice: nothing was kept */
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.is_final = true;
    send_text(peer, &pdu, "");
    expect_text(peer, &pdu, true);
    peer_base(peer);
    expect_segments(peer, 4, 512);
    node_free(&node);
}

static void ffp_17_7_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "MaxRecvDataSegmentLength=1024");
    struct pdu pdu = text_request(peer, false, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    expect_text(peer, &pdu, false);
    node_run(&node, SECONDS(10));
    expect_segments(peer, 8, 1024);
    node_free(&node);
}

static void ffp_17_7_3(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu pdu = text_request(peer, true, false);
    (void)state;

    send_text(peer, &pdu, "MaxRecvDataSegmentLength=511");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    expect_segments(peer, 4, 2048);
    ask(peer, "MaxRecvDataSegmentLength=1024");
    expect_segments(peer, 4, 1024);
    node_free(&node);
}

#define TEN  "0123456789"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void ffp_17_8_1(void **state)
{
    static const char start[] = "X-com.example.second=beg";
    struct node node;
    struct peer *peer = begin_login(&node, "MaxRecvDataSegmentLength=512");
    struct pdu pdu = text_request(peer, false, true);
    char text[1024];
    (void)state;

    size_t bytes = text_of("InitiatorAlias=" LONG "\nX-com.example.first=" LONG, text, 1024);

    memcpy(text + bytes, start, sizeof(start) - 1);
    peer_send(peer, &pdu, text, bytes + sizeof(start) - 1);
    const struct got *got = expect_text(peer, &pdu, false);

    assert_int_equal(got->pdu.data_bytes, 0);
    pdu.ttt = got->pdu.ttt;
    pdu.is_final = true;
    pdu.text.continues = false;
    send_text(peer, &pdu, "inning");
    got = expect_text(peer, &pdu, true);
    assert_string_equal(text_value(got, "X-com.example.first"), "NotUnderstood");
    assert_string_equal(text_value(got, "X-com.example.second"), "NotUnderstood");
    assert_null(text_value(got, "InitiatorAlias"));
    node_free(&node);
}

static void ffp_17_8_2(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "MaxRecvDataSegmentLength=1024");
    struct pdu pdu = text_request(peer, true, true);
    (void)state;

    peer_base(peer);
    expect_segments(peer, 4, 1024);
    send_text(peer, &pdu, "MaxRecvDataSegmentLength=512");
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    expect_segments(peer, 4, 1024);
    node_free(&node);
}

static void ffp_17_8_3(void **state)
{
    static const char start[] = "MaxRecvDataSegment";
    struct node node;
    struct peer *peer = begin_login(&node, "MaxRecvDataSegmentLength=1024");
    struct pdu pdu = text_request(peer, false, true);
    char text[1024];
    (void)state;

    peer_base(peer);
    expect_segments(peer, 4, 1024);
    size_t bytes = text_of("InitiatorAlias=host\nX-com.example.first=1", text, 1024);

    memcpy(text + bytes, start, sizeof(start) - 1);
    peer_send(peer, &pdu, text, bytes + sizeof(start) - 1);
    pdu.ttt = expect_text(peer, &pdu, false)->pdu.ttt;
    pdu.is_final = true;
    pdu.text.continues = false;
    send_text(peer, &pdu, "Length=512");
    assert_string_equal(text_value(expect_text(peer, &pdu, true), "X-com.example.first"),
                        "NotUnderstood");
    expect_segments(peer, 4, 512);
    node_free(&node);
}

/* ---- 18: digests ---- */

/* Sends with the last bytes damaged. */
static void send_damaged(struct peer *peer, const struct pdu *pdu, const void *data, size_t bytes)
{
    struct pool *pool = peer->node->pool;
    struct buf *chain = framer_encode(pool, pdu, buf_copy(pool, data, bytes), peer->digests);
    size_t size = buf_bytes(chain);
    uint8_t *flat = malloc(size);

    assert_non_null(flat);
    buf_read(chain, 0, flat, size);
    buf_free(chain);
    flat[size - 1] ^= 0x10;
    peer_send_raw(peer, flat, size);
    free(flat);
}

static void ffp_18_1_1(void **state)
{
    struct node node;
    struct peer *peer = begin(
        &node, "HeaderDigest=CRC32C\nImmediateData=Yes\nInitialR2T=Yes\nFirstBurstLength=512");
    struct pdu write = write_command(peer, 0, 2);
    (void)state;

    peer->digests.header = false;
    peer_send(peer, &write, pattern(1, 512), 512);
    node_run(&node, MS(10));
    expect_nothing(peer);
    expect_over(peer, CONN_FRAMING);
    assert_int_equal(target_counters(node.target)->digest_errors, 1);
    node_free(&node);
}

static void ffp_18_2_1(void **state)
{
    struct node node;
    struct peer *peer = begin_login(
        &node, "DataDigest=CRC32C\nImmediateData=Yes\nInitialR2T=Yes\nFirstBurstLength=512");
    struct pdu write = write_command(peer, 0, 2);
    uint32_t exp_cmd_sn = write.cmd_sn;
    (void)state;

    node.is_lawless = true;
    send_damaged(peer, &write, pattern(1, 512), 512);
    expect_reject(peer, ISCSI_REJECT_DATA_DIGEST_ERROR, &write);
    assert_int_equal(peer->exp_cmd_sn, exp_cmd_sn);
    struct pdu second = write_command(peer, 0, 2);

    send_command(peer, &second);
    node_run(&node, MS(10));
    expect_nothing(peer); /* it waits behind the gap */
    node_free(&node);
}

static void ffp_18_2_2(void **state)
{
    struct node node;
    struct peer *peer = begin_login(&node, "DataDigest=CRC32C\nImmediateData=No\nInitialR2T=Yes");
    (void)state;

    clear_attentions(peer, 0);
    struct pdu write = write_command(peer, 0, 4);

    node.is_lawless = true;
    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu data = {
        .opcode = PDU_DATA_OUT, .itt = write.itt, .ttt = r2t.ttt, .exp_stat_sn = peer->stat_sn};

    send_damaged(peer, &data, pattern(1, 1024), 1024);
    expect_reject(peer, ISCSI_REJECT_DATA_DIGEST_ERROR, &data);
    node_run(&node, MS(10));
    expect_nothing(peer);
    send_data(peer, &write, r2t.ttt, 1, 1024, 1024, true, 1);
    expect_sense(peer, write.itt, 0x0b4705);
    do_write(peer, 0, 4, 2);
    do_read(peer, 0, 4, 2, 8192);
    node_free(&node);
}

int main(void)
{
    TEST(ffp_11_1);
    TEST(ffp_11_3_1);
    TEST(ffp_11_3_3);
    TEST(ffp_11_4);
    TEST(ffp_11_5);
    TEST(ffp_13_1_with_one_connection);
    TEST(ffp_13_2_with_one_connection);
    TEST(ffp_13_3_with_one_connection);
    TEST(ffp_14_1);
    TEST(ffp_14_3);
    TEST(ffp_15_1_1);
    TEST(ffp_15_1_2);
    TEST(ffp_15_1_3);
    TEST(ffp_15_1_4);
    TEST(ffp_15_1_5);
    TEST(ffp_15_1_6);
    TEST(ffp_15_2);
    TEST(ffp_15_3);
    TEST(ffp_17_1_1);
    TEST(ffp_17_1_2);
    TEST(ffp_17_2_1);
    TEST(ffp_17_2_2);
    TEST(ffp_17_3_1);
    TEST(a_long_record_comes_in_parts);
    TEST(ffp_17_3_2);
    TEST(ffp_17_3_3);
    TEST(ffp_17_3_4);
    TEST(ffp_17_3_5);
    TEST(ffp_17_4_1);
    TEST(ffp_17_4_2);
    TEST(ffp_17_5);
    TEST(ffp_17_6);
    TEST(ffp_17_7_1);
    TEST(ffp_17_7_2);
    TEST(ffp_17_7_3);
    TEST(ffp_17_8_1);
    TEST(ffp_17_8_2);
    TEST(ffp_17_8_3);
    TEST(ffp_18_1_1);
    TEST(ffp_18_2_1);
    TEST(ffp_18_2_2);
    return TEST_RUN("target.ffp_control");
}
