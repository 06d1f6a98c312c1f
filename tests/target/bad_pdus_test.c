/* Numbers and tags that a hostile initiator gets wrong: each is answered as the standard wants, and
 * the next good command is served. docs/bad-inputs.md lists the classes.
 */
#include "tests/target/pdu_peer.h"

static struct peer *log_in_as(struct node *node, const char *name, const char *keys)
{
    struct peer *peer = peer_open(node, 0);

    peer_login_as(peer, name, "TargetName=" TARGET_NAME, keys);
    peer_base(peer);
    return peer;
}

static struct peer *begin(struct node *node, const char *keys)
{
    node_new(node);
    node->is_lawless = true;
    return log_in_as(node, HOST_1, keys);
}

/* ---- CmdSN and StatSN ---- */

static struct distance_row {
    const char *name;
    uint32_t distance; /* of CmdSN from the one that is due */
} distance_rows[] = {
    {"CmdSN one behind", UINT32_MAX},     {"CmdSN of a window ago", (uint32_t)-32},
    {"CmdSN just beyond the window", 32}, {"CmdSN 2^31 - 1 ahead", 0x7fffffff},
    {"CmdSN 2^31 away", 0x80000000},      {"CmdSN 2^31 - 1 behind", 0x80000001},
};

static void a_number_outside_the_window_is_ignored(void **state)
{
    const struct distance_row *row = *state;
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu read = read_command(peer, 0, 1);

    peer->cmd_sn--;
    read.cmd_sn += row->distance;
    send_command(peer, &read);
    node_run(&node, MS(10));
    expect_nothing(peer);
    assert_false(peer->is_over);
    assert_int_equal(target_counters(node.target)->ignored, 1);
    do_write(peer, 0, 1, 7);
    do_read(peer, 0, 1, 7, 8192);
    node_free(&node);
}

static struct ack_row {
    const char *name;
    uint32_t distance; /* of ExpStatSN from the right one */
} ack_rows[] = {
    {"ExpStatSN one ahead", 1},
    {"ExpStatSN 2^31 - 1 ahead", 0x7fffffff},
    {"ExpStatSN 2^31 away", 0x80000000},
    {"ExpStatSN that goes back", (uint32_t)-5},
};

static void an_acknowledgment_that_cannot_be_harms_nothing(void **state)
{
    const struct ack_row *row = *state;
    struct node node;
    struct peer *peer = begin(&node, "");

    for (int i = 0; i < 3; i++) {
        struct pdu read = read_command(peer, 0, 1);

        read.exp_stat_sn += row->distance;
        send_command(peer, &read);
        expect_data(peer, read.itt, 512, 8192, peer->max_burst_bytes);
    }
    do_write(peer, 0, 1, 7);
    do_read(peer, 0, 1, 7, 8192);
    node_free(&node);
}

/* ---- Initiator Task Tags ---- */

static void one_tag_in_two_sessions_names_two_tasks(void **state)
{
    struct node node;
    struct peer *one = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct peer *two = log_in_as(&node, HOST_2, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write_1 = write_command(one, 0, 1);
    struct pdu write_2 = write_command(two, 8, 1);
    struct pdu abort = task_request(one, ISCSI_TMF_ABORT_TASK, true);
    (void)state;

    write_2.itt = write_1.itt;
    send_command(one, &write_1);
    send_command(two, &write_2);
    expect(one, PDU_R2T);
    struct pdu r2t = expect(two, PDU_R2T)->pdu;

    abort.task_request.ref_task_tag = write_1.itt;
    abort.task_request.ref_cmd_sn = write_1.cmd_sn;
    peer_send(one, &abort, NULL, 0);
    expect_task_response(one, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    send_data(two, &write_2, r2t.ttt, 0, 0, 512, true, 3);
    expect_status(two, write_2.itt, SCSI_GOOD);
    do_read(one, 8, 1, 3, 8192);
    node_free(&node);
}

static void the_tag_of_an_aborted_task_may_be_used_again(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 1);
    struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);
    (void)state;

    send_command(peer, &write);
    struct pdu late = expect(peer, PDU_R2T)->pdu;

    abort.task_request.ref_task_tag = write.itt;
    abort.task_request.ref_cmd_sn = write.cmd_sn;
    peer_send(peer, &abort, NULL, 0);
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    struct pdu again = write_command(peer, 0, 1);

    again.itt = write.itt;
    send_command(peer, &again);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    assert_int_not_equal(r2t.ttt, late.ttt);
    send_data(peer, &again, r2t.ttt, 0, 0, 512, true, 9);
    expect_status(peer, again.itt, SCSI_GOOD);
    do_read(peer, 0, 1, 9, 8192);
    node_free(&node);
}

/* ---- Task management ---- */

/* Whatever the moment: either the status comes and the task does not exist any more, or the
 * function is complete and the status never comes. */
static void an_abort_that_crosses_the_answer_has_one_outcome(void **state)
{
    (void)state;
    for (int64_t wait_ns = 0; wait_ns <= US(400); wait_ns += US(20)) {
        struct node node;
        struct peer *peer = begin(&node, "");
        struct pdu read = read_command(peer, 0, 1);
        struct pdu abort = task_request(peer, ISCSI_TMF_ABORT_TASK, true);
        unsigned statuses = 0;

        send_command(peer, &read);
        peer->reads = false; /* the answer may be made, it is not seen yet */
        node_run(&node, wait_ns);
        abort.task_request.ref_task_tag = read.itt;
        abort.task_request.ref_cmd_sn = read.cmd_sn;
        peer_send(peer, &abort, NULL, 0);
        peer->reads = true;
        peer_drain(peer);
        node_run(&node, MS(10));
        while (peer->got[peer->got_first].pdu.opcode != PDU_TASK_RESPONSE) {
            const struct got *got = expect(peer, PDU_DATA_IN);

            statuses += got->pdu.data_in.has_status;
        }
        const struct got *got = expect(peer, PDU_TASK_RESPONSE);

        assert_int_equal(got->pdu.task_response.response,
                         statuses ? ISCSI_TMF_TASK_DOES_NOT_EXIST : ISCSI_TMF_FUNCTION_COMPLETE);
        expect_nothing(peer);
        do_write(peer, 0, 1, 1);
        node_free(&node);
    }
}

/* ---- SNACK and Reject ---- */

static void snacks_of_any_kind_and_range_end_in_a_reject_each(void **state)
{
    static const uint32_t numbers[] = {0, 1, 255, 0x7fffffff, UINT32_MAX};
    struct node node;
    struct peer *peer = begin(&node, "");
    (void)state;

    for (unsigned type = 0; type <= ISCSI_SNACK_R_DATA; type++) {
        for (size_t i = 0; i < ARRAY_SIZE(numbers) * ARRAY_SIZE(numbers); i++) {
            struct pdu snack = peer_request(peer, PDU_SNACK, true);

            snack.snack.type = (uint8_t)type;
            snack.snack.beg_run = numbers[i % ARRAY_SIZE(numbers)];
            snack.snack.run_length = numbers[i / ARRAY_SIZE(numbers)];
            peer_send(peer, &snack, NULL, 0);
            expect_reject(peer, ISCSI_REJECT_SNACK, NULL);
            expect_nothing(peer);
        }
    }
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

/* A Reject for a Reject for a Reject: each is answered once, none answers itself. */
static void a_reject_is_no_request(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    (void)state;

    for (int i = 0; i < 100; i++) {
        uint8_t header[PDU_HEADER_BYTES] = {0x3f, 0x80, ISCSI_REJECT_PROTOCOL_ERROR};

        put_be32(header + 16, PDU_NO_TAG);
        peer_send_raw(peer, header, sizeof(header));
        expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, NULL);
        expect_nothing(peer);
    }
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

/* ---- Text ---- */

/* As many keys as it takes, all unknown: the answers would be longer than what was sent. */
static void ten_thousand_unknown_keys_do_not_grow_an_answer(void **state)
{
    static char text[10000 * 8];
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu request = peer_request(peer, PDU_TEXT_REQUEST, false);
    size_t bytes = 0;
    (void)state;

    for (int i = 0; i < 10000; i++)
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "K%d=1", i) + 1;
    peer_send(peer, &request, text, bytes);
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, NULL);
    assert_in_range(pool_live_chunks(node.pool), 0, 200);
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

/* ---- Digests ---- */

/* Behind a bad header digest nothing counts, not even a PDU that is whole. */
static void good_bytes_behind_a_bad_header_digest_are_not_looked_at(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "HeaderDigest=CRC32C\nDataDigest=CRC32C");
    struct pdu nop = peer_request(peer, PDU_NOP_OUT, true);
    struct pdu good = peer_request(peer, PDU_NOP_OUT, true);
    struct buf *bad = framer_encode(node.pool, &nop, NULL, peer->digests);
    uint8_t bytes[PDU_HEADER_BYTES + PDU_DIGEST_BYTES];
    (void)state;

    buf_read(bad, 0, bytes, sizeof(bytes));
    buf_free(bad);
    bytes[PDU_HEADER_BYTES] ^= 1;
    peer_feed(peer, buf_join(buf_copy(node.pool, bytes, sizeof(bytes)),
                             framer_encode(node.pool, &good, NULL, peer->digests)));
    expect_nothing(peer);
    expect_over(peer, CONN_FRAMING);
    node_free(&node);
}

static void a_bad_data_digest_of_a_text_is_rejected(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "DataDigest=CRC32C");
    struct pdu request = peer_request(peer, PDU_TEXT_REQUEST, true);
    struct buf *pdu = framer_encode(node.pool, &request, buf_copy(node.pool, "SendTargets=\0", 13),
                                    peer->digests);
    uint8_t bytes[256];
    size_t count = buf_bytes(pdu);
    (void)state;

    buf_read(pdu, 0, bytes, count);
    buf_free(pdu);
    bytes[count - 1] ^= 0x80;
    peer_send_raw(peer, bytes, count);
    expect_reject(peer, ISCSI_REJECT_DATA_DIGEST_ERROR, NULL);
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

int main(void)
{
    TEST_ROWS(distance_rows, a_number_outside_the_window_is_ignored);
    TEST_ROWS(ack_rows, an_acknowledgment_that_cannot_be_harms_nothing);
    TEST(one_tag_in_two_sessions_names_two_tasks);
    TEST(the_tag_of_an_aborted_task_may_be_used_again);
    TEST(an_abort_that_crosses_the_answer_has_one_outcome);
    TEST(snacks_of_any_kind_and_range_end_in_a_reject_each);
    TEST(a_reject_is_no_request);
    TEST(ten_thousand_unknown_keys_do_not_grow_an_answer);
    TEST(good_bytes_behind_a_bad_header_digest_are_not_looked_at);
    TEST(a_bad_data_digest_of_a_text_is_rejected);
    return TEST_RUN("target.bad_pdus");
}
