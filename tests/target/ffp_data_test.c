/* Full feature phase, after UNH-IOL's suite for targets: numbers, data and status (groups 1 to 10,
 * 16 and 19 that need no error recovery and one connection). A test has the number of its row.
 */
#include "tests/target/pdu_peer.h"

#define FAULT_UNEXPECTED 0x0b0c0cu
#define FAULT_AMOUNT     0x0b0c0du
#define FAULT_CRC        0x0b4705u

#define R2T_ONLY "InitialR2T=Yes\nImmediateData=No\nMaxRecvDataSegmentLength=1024"

static struct peer *begin(struct node *node, const char *keys)
{
    node_new(node);
    struct peer *peer = peer_open(node, 0);

    peer_login(peer, keys);
    peer_base(peer);
    return peer;
}

/* Ten writes of 1024 bytes. */
static void ten_writes(struct peer *peer)
{
    for (uint32_t i = 0; i < 10; i++)
        do_write(peer, i * 2, 2, i);
}

/* ---- 1: command window ---- */

static void ffp_1_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    (void)state;

    ten_writes(peer); /* check_numbers() looks at MaxCmdSN in each PDU */
    assert_int_equal(peer->exp_cmd_sn, peer->cmd_sn);
    assert_int_equal(peer->max_cmd_sn, peer->cmd_sn + 31);
    node_free(&node);
}

static void ffp_1_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    (void)state;

    for (uint32_t i = 0; i < 6; i++)
        do_write(peer, i * 2, 2, i);
    struct pdu outside = write_command(peer, 100, 2);

    outside.cmd_sn = peer->max_cmd_sn + 1;
    peer->cmd_sn--; /* it does not count */
    send_command(peer, &outside);
    node_run(&node, MS(10));
    expect_nothing(peer);
    for (uint32_t i = 7; i < 10; i++)
        do_write(peer, i * 2, 2, i);
    assert_int_equal(target_counters(node.target)->ignored, 1);
    node_free(&node);
}

static void ffp_1_3(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    (void)state;

    node.is_lawless = true;
    for (uint32_t i = 0; i < 6; i++)
        do_write(peer, i * 2, 2, i);
    struct pdu again = write_command(peer, 100, 2);

    again.cmd_sn--;
    peer->cmd_sn--;
    send_command(peer, &again);
    node_run(&node, MS(10));
    expect_nothing(peer);
    for (uint32_t i = 7; i < 10; i++)
        do_write(peer, i * 2, 2, i);
    node_free(&node);
}

/* ---- 2 to 4: StatSN, DataSN, R2TSN ---- */

static void ffp_2_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    uint32_t before = peer->stat_sn;
    (void)state;

    ten_writes(peer); /* check_numbers() looks at each StatSN */
    assert_int_equal(peer->stat_sn, before + 10);
    node_free(&node);
}

static void ffp_3_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    (void)state;

    do_write(peer, 0, 8, 1);
    for (int i = 0; i < 3; i++)
        do_read(peer, 0, 8, 1, 1024); /* expect_data() looks at each DataSN */
    node_free(&node);
}

static void ffp_4_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY "\nMaxBurstLength=512\nFirstBurstLength=512\n"
                                              "MaxOutstandingR2T=1");
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct pdu pdu = write_command(peer, 0, 3);

        send_command(peer, &pdu);
        for (uint32_t sn = 0; sn < 3; sn++) {
            const struct got *r2t = expect(peer, PDU_R2T);

            assert_int_equal(r2t->pdu.r2t.r2t_sn, sn);
            expect_nothing(peer);
            answer_r2t(peer, &pdu, r2t, 1);
        }
        expect_status(peer, pdu.itt, SCSI_GOOD);
    }
    node_free(&node);
}

/* ---- 7: too much data ---- */

static void ffp_7_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No\nErrorRecoveryLevel=1");
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    send_command(peer, &pdu);
    send_data(peer, &pdu, expect(peer, PDU_R2T)->pdu.ttt, 0, 0, 1536, true, 1);
    expect_sense(peer, pdu.itt, FAULT_AMOUNT);
    do_write(peer, 0, 2, 2);
    node_free(&node);
}

static void ffp_7_2(void **state)
{
    struct node node;
    struct peer *peer =
        begin(&node, "InitialR2T=No\nImmediateData=No\nFirstBurstLength=512\nErrorRecoveryLevel=1");
    (void)state;

    node.is_lawless = true;
    for (uint32_t pieces = 1; pieces <= 2; pieces++) {
        struct pdu pdu = write_command(peer, 0, 4);

        pdu.is_final = false;
        send_command(peer, &pdu);
        for (uint32_t i = 0; i < pieces; i++) {
            expect_nothing(peer);
            send_data(peer, &pdu, PDU_NO_TAG, i, i * 1024 / pieces, 1024 / pieces, i == pieces - 1,
                      1);
        }
        expect_sense(peer, pdu.itt, FAULT_AMOUNT);
    }
    node_free(&node);
}

/* ---- 8: target transfer tag ---- */

static void ffp_8_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=No\nImmediateData=No");
    (void)state;

    clear_attentions(peer, pdu_lun_field(1));
    for (uint16_t lun = 0; lun < 2; lun++) {
        struct pdu pdu = write_command(peer, 0, 2);

        pdu.lun = pdu_lun_field(lun);
        send_command(peer, &pdu);
        const struct got *r2t = expect(peer, PDU_R2T);

        assert_int_not_equal(r2t->pdu.ttt, PDU_NO_TAG);
        assert_int_equal(r2t->pdu.lun, pdu.lun);
        answer_r2t(peer, &pdu, r2t, 1);
        expect_status(peer, pdu.itt, SCSI_GOOD);
    }
    node_free(&node);
}

static void ffp_8_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=No\nImmediateData=No");
    (void)state;

    clear_attentions(peer, pdu_lun_field(1));
    struct pdu pdu = read_command(peer, 0, 2);

    pdu.lun = pdu_lun_field(1);
    expect_data(peer, send_command(peer, &pdu), 1024, 8192, 1048576); /* TTT -1 and LUN 0 */
    node_free(&node);
}

/* ---- 9: Data-In ---- */

static void ffp_9_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    (void)state;

    do_write(peer, 0, 8, 1);
    do_read(peer, 0, 8, 1, 8192); /* S with F and GOOD */
    struct pdu bad = read_command(peer, 0x7fffffff, 8);

    expect_sense(peer, send_command(peer, &bad), 0x052100);
    node_free(&node);
}

static void ffp_9_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "MaxBurstLength=4096\nMaxRecvDataSegmentLength=1024");
    struct pdu pdu = read_command(peer, 0, 20);
    (void)state;

    expect_data(peer, send_command(peer, &pdu), 10240, 1024, 4096); /* F ends each burst */
    node_free(&node);
}

static void ffp_9_3_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "MaxRecvDataSegmentLength=512");
    (void)state;

    do_write(peer, 0, 16, 1);
    do_read(peer, 0, 16, 1, 512);
    node_free(&node);
}

static void ffp_9_3_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    send_command(peer, &pdu);
    uint32_t ttt = expect(peer, PDU_R2T)->pdu.ttt;

    send_data(peer, &pdu, ttt, 0, 0, 0, false, 1);
    expect_nothing(peer);
    send_data(peer, &pdu, ttt, 1, 0, 1024, true, 1);
    expect_status(peer, pdu.itt, SCSI_GOOD);
    do_read(peer, 0, 2, 1, 8192);
    node_free(&node);
}

static void ffp_9_3_3(void **state)
{
    struct node node;
    struct peer *peer =
        begin(&node, "InitialR2T=Yes\nImmediateData=No\nMaxRecvDataSegmentLength=1023");
    (void)state;

    do_write(peer, 0, 16, 1);
    do_read(peer, 0, 16, 1, 1020); /* whole words, though the limit is none */
    node_free(&node);
}

static void ffp_9_4(void **state)
{
    struct node node;
    struct peer *peer =
        begin(&node, "InitialR2T=Yes\nImmediateData=No\nMaxRecvDataSegmentLength=512");
    (void)state;

    do_write(peer, 0, 8, 1);
    do_read(peer, 0, 8, 1, 512);
    node_free(&node);
}

static void ffp_9_5(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No\nDataPDUInOrder=Yes\n"
                                     "DataSequenceInOrder=Yes\nMaxRecvDataSegmentLength=512");
    (void)state;

    do_write(peer, 0, 64, 3);
    do_read(peer, 0, 64, 3, 512);
    node_free(&node);
}

/* ---- 10: R2T ---- */

static void ffp_10_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY "\nDataSequenceInOrder=Yes\nMaxBurstLength=512\n"
                                              "FirstBurstLength=512");
    struct pdu pdu = write_command(peer, 0, 8);
    uint32_t stat_sn = peer->stat_sn;
    (void)state;

    pdu.itt = 0xa2a2a2a2;
    send_command(peer, &pdu);
    for (uint32_t sn = 0; sn < 8; sn++) {
        const struct got *r2t = expect(peer, PDU_R2T);

        assert_int_equal(r2t->pdu.itt, pdu.itt);
        assert_int_not_equal(r2t->pdu.ttt, PDU_NO_TAG);
        assert_int_equal(r2t->pdu.r2t.r2t_sn, sn);
        assert_int_equal(r2t->pdu.r2t.buffer_offset, sn * 512);
        assert_int_equal(r2t->pdu.r2t.desired_bytes, 512);
        assert_int_equal(r2t->pdu.stat_sn, stat_sn);
        assert_int_equal(r2t->pdu.ahs_words, 0);
        assert_int_equal(r2t->pdu.data_bytes, 0);
        answer_r2t(peer, &pdu, r2t, 9);
    }
    assert_int_equal(expect_status(peer, pdu.itt, SCSI_GOOD)->pdu.stat_sn, stat_sn);
    peer->max_burst_bytes = 512;
    do_read(peer, 0, 8, 9, 1024);
    node_free(&node);
}

/* ---- 16: SCSI Response ---- */

static struct pdu inquiry(struct peer *peer, uint32_t expected_bytes)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_inquiry(cdb, 255);
    return command(peer, cdb, false, expected_bytes);
}

static void ffp_16_1(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "");
    struct pdu pdu = inquiry(peer, 4096);

    send_command(peer, &pdu);
    const struct got *got = expect(peer, PDU_DATA_IN);

    assert_true(got->pdu.data_in.has_status);
    assert_true(got->pdu.data_in.residual.is_underflow);
    assert_false(got->pdu.data_in.residual.is_overflow);
    assert_int_equal(got->pdu.data_in.residual.bytes, 4096 - got->pdu.data_bytes);
    node_free(&node);
}

static void ffp_16_2(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "");
    struct pdu whole = inquiry(peer, 4096);

    send_command(peer, &whole);
    uint32_t whole_bytes = expect(peer, PDU_DATA_IN)->pdu.data_bytes;
    struct pdu cut = inquiry(peer, 4);

    send_command(peer, &cut);
    const struct got *got = expect(peer, PDU_DATA_IN);

    assert_int_equal(got->pdu.data_bytes, 4);
    assert_true(got->pdu.data_in.residual.is_overflow);
    assert_int_equal(got->pdu.data_in.residual.bytes, whole_bytes - 4);
    node_free(&node);
}

#define IMMEDIATE_512 "ImmediateData=Yes\nInitialR2T=Yes\nFirstBurstLength=512"

static void ffp_16_3_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, IMMEDIATE_512);
    (void)state;

    for (int final = 0; final < 2; final++) {
        struct pdu pdu = write_command(peer, 0, 2);

        pdu.is_final = final;
        peer_send(peer, &pdu, pattern(5, 512), 512);
        const struct got *r2t = expect(peer, PDU_R2T);

        assert_int_equal(r2t->pdu.r2t.buffer_offset, 512);
        assert_int_equal(r2t->pdu.r2t.desired_bytes, 512);
        answer_r2t(peer, &pdu, r2t, 5);
        expect_status(peer, pdu.itt, SCSI_GOOD);
        do_read(peer, 0, 2, 5, 8192);
    }
    node_free(&node);
}

static void ffp_16_3_2(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, IMMEDIATE_512);
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    pdu.is_final = false;
    peer_send(peer, &pdu, pattern(5, 1024), 1024);
    expect_sense(peer, pdu.itt, FAULT_UNEXPECTED);
    struct pdu read = read_command(peer, 0, 2);
    const uint8_t *data = expect_data(peer, send_command(peer, &read), 1024, 8192, 1048576);

    for (size_t i = 0; i < 1024; i++)
        assert_int_equal(data[i], 0); /* nothing was written */
    node_free(&node);
}

static void ffp_16_3_3(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "ImmediateData=No\nInitialR2T=Yes");
    (void)state;

    do_write(peer, 0, 2, 5);
    do_read(peer, 0, 2, 5, 8192);
    node_free(&node);
}

static void ffp_16_3_4(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "ImmediateData=No\nInitialR2T=Yes");
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    peer_send(peer, &pdu, pattern(5, 1024), 1024);
    expect_sense(peer, pdu.itt, FAULT_UNEXPECTED);
    node_free(&node);
}

static void ffp_16_3_5(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "ImmediateData=No\nInitialR2T=No\nFirstBurstLength=1024");
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    pdu.is_final = false;
    send_command(peer, &pdu);
    send_data(peer, &pdu, PDU_NO_TAG, 0, 0, 1024, true, 6);
    expect_status(peer, pdu.itt, SCSI_GOOD); /* and no R2T before it */
    do_read(peer, 0, 2, 6, 8192);
    node_free(&node);
}

static void ffp_16_3_6(void **state)
{
    struct node node;
    struct peer *peer =
        begin(&node, "InitialR2T=No\nDataSequenceInOrder=Yes\nFirstBurstLength=768");
    struct pdu pdu = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    pdu.is_final = false;
    send_command(peer, &pdu);
    send_data(peer, &pdu, PDU_NO_TAG, 0, 0, 512, true, 6);
    expect_sense(peer, pdu.itt, FAULT_AMOUNT);
    node_free(&node);
}

static void ffp_16_3_7(void **state)
{
    static const uint8_t unknown[SCSI_CDB_BYTES] = {0xee};
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=No\nDataSequenceInOrder=Yes");
    struct pdu pdu = command(peer, unknown, false, 0);
    (void)state;

    expect_sense(peer, send_command(peer, &pdu), 0x052000);
    node_free(&node);
}

/* The identical WRITE again, while its data is on the way. */
static void repeat_write(uint32_t before_bytes)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    struct pdu pdu = write_command(peer, 0, 2);

    node.is_lawless = true;
    send_command(peer, &pdu);
    uint32_t ttt = expect(peer, PDU_R2T)->pdu.ttt;

    if (before_bytes > 0)
        send_data(peer, &pdu, ttt, 0, 0, before_bytes, false, 7);
    send_command(peer, &pdu);
    node_run(&node, MS(10));
    expect_nothing(peer);
    send_data(peer, &pdu, ttt, before_bytes > 0, before_bytes, 1024 - before_bytes, true, 7);
    expect_status(peer, pdu.itt, SCSI_GOOD);
    node_run(&node, MS(10));
    expect_nothing(peer);
    do_read(peer, 0, 2, 7, 1024);
    node_free(&node);
}

static void ffp_16_4_1(void **state)
{
    (void)state;
    repeat_write(512);
}

static void ffp_16_4_2(void **state)
{
    (void)state;
    repeat_write(0);
}

static void ffp_16_5(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "ImmediateData=No\nInitialR2T=Yes");
    struct pdu pdu = write_command(peer, 0, 4);
    struct pdu foreign = pdu;
    (void)state;

    node.is_lawless = true;
    foreign.itt++;
    send_command(peer, &pdu);
    uint32_t ttt = expect(peer, PDU_R2T)->pdu.ttt;

    assert_int_equal(peer->last.pdu.r2t.desired_bytes, 2048);
    send_data(peer, &foreign, ttt, 0, 0, 512, false, 1);
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        node_run(&node, MS(10));
        expect_nothing(peer); /* no status before F */
        send_data(peer, &pdu, ttt, i, i * 512, 512, i == 2, 1);
    }
    expect_sense(peer, pdu.itt, FAULT_AMOUNT); /* 512 bytes are missing */
    node_free(&node);
}

/* ---- 19: EDTL ---- */

static void ffp_19_1(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, R2T_ONLY);
    uint8_t cdb[SCSI_CDB_BYTES];
    (void)state;

    scsi_cdb_read_capacity_10(cdb);
    struct pdu pdu = command(peer, cdb, false, 0);
    const struct got *got = expect_status(peer, send_command(peer, &pdu), SCSI_GOOD);

    assert_true(got->pdu.response.residual.is_overflow);
    assert_int_equal(got->pdu.response.residual.bytes, 8);
    node_free(&node);
}

int main(void)
{
    TEST(ffp_1_1);
    TEST(ffp_1_2);
    TEST(ffp_1_3);
    TEST(ffp_2_1);
    TEST(ffp_3_1);
    TEST(ffp_4_1);
    TEST(ffp_7_1);
    TEST(ffp_7_2);
    TEST(ffp_8_1);
    TEST(ffp_8_2);
    TEST(ffp_9_1);
    TEST(ffp_9_2);
    TEST(ffp_9_3_1);
    TEST(ffp_9_3_2);
    TEST(ffp_9_3_3);
    TEST(ffp_9_4);
    TEST(ffp_9_5);
    TEST(ffp_10_1);
    TEST(ffp_16_1);
    TEST(ffp_16_2);
    TEST(ffp_16_3_1);
    TEST(ffp_16_3_2);
    TEST(ffp_16_3_3);
    TEST(ffp_16_3_4);
    TEST(ffp_16_3_5);
    TEST(ffp_16_3_6);
    TEST(ffp_16_3_7);
    TEST(ffp_16_4_1);
    TEST(ffp_16_4_2);
    TEST(ffp_16_5);
    TEST(ffp_19_1);
    return TEST_RUN("target.ffp_data");
}
