/* Data-out in every combination of keys, residuals, and what ends badly. */
#include "tests/target/pdu_peer.h"

#define FAULT_UNEXPECTED 0x0b0c0cu
#define FAULT_AMOUNT     0x0b0c0du
#define FAULT_CRC        0x0b4705u

static struct peer *begin(struct node *node, const char *keys)
{
    node_new(node);
    struct peer *peer = peer_open(node, 0);

    peer_login(peer, keys);
    peer_base(peer);
    return peer;
}

/* ---- every combination ---- */

static struct combination {
    const char *name;
    bool initial_r2t;
    bool immediate_data;
    uint32_t first_burst_bytes;
    uint32_t max_burst_bytes;
    uint32_t outstanding;
} combinations[] = {
    {"nothing comes unasked", true, false, 4096, 8192, 1},
    {"nothing comes unasked, four R2Ts at once", true, false, 4096, 8192, 4},
    {"immediate data alone", true, true, 4096, 8192, 1},
    {"immediate data alone, bursts of 512", true, true, 512, 512, 4},
    {"unsolicited data alone", false, false, 4096, 8192, 1},
    {"unsolicited data alone, bursts of 512", false, false, 512, 512, 3},
    {"immediate and unsolicited data", false, true, 4096, 8192, 1},
    {"immediate and unsolicited data in long bursts", false, true, 262144, 262144, 1},
    {"an odd burst", false, true, 1001, 3003, 2},
};

/* What an initiator sends by itself: at most 'immediate_bytes' with the command, the rest of the
 * first burst in pieces. */
static uint32_t send_first_burst(struct peer *peer, struct pdu *write,
                                 const struct combination *row, uint32_t immediate_bytes,
                                 uint32_t seed)
{
    uint32_t all_bytes = write->command.expected_bytes;
    uint32_t first_bytes = all_bytes < row->first_burst_bytes ? all_bytes : row->first_burst_bytes;
    uint32_t sent_bytes = immediate_bytes < first_bytes ? immediate_bytes : first_bytes;
    uint32_t data_sn = 0;

    if (!row->immediate_data)
        sent_bytes = 0;
    write->is_final = row->initial_r2t || sent_bytes == first_bytes;
    peer_send(peer, write, pattern(seed, all_bytes), sent_bytes);
    while (!write->is_final && sent_bytes < first_bytes) {
        uint32_t here = first_bytes - sent_bytes < 700 ? first_bytes - sent_bytes : 700;

        send_data(peer, write, PDU_NO_TAG, data_sn++, sent_bytes, here,
                  sent_bytes + here == first_bytes, seed);
        sent_bytes += here;
    }
    return sent_bytes;
}

/* Answers R2Ts until all is sent; each adjoins the one before. */
static void answer_all(struct peer *peer, const struct pdu *write, const struct combination *row,
                       uint32_t sent_bytes, uint32_t seed)
{
    uint32_t all_bytes = write->command.expected_bytes;

    while (sent_bytes < all_bytes) {
        assert_in_range(peer->got_end - peer->got_first, 1, row->outstanding);
        struct pdu r2t = expect(peer, PDU_R2T)->pdu;
        uint32_t end = sent_bytes + r2t.r2t.desired_bytes;

        assert_int_equal(r2t.r2t.buffer_offset, sent_bytes);
        assert_in_range(r2t.r2t.desired_bytes, 1, row->max_burst_bytes);
        for (uint32_t data_sn = 0; sent_bytes < end; data_sn++) {
            uint32_t here = end - sent_bytes < 3000 ? end - sent_bytes : 3000;

            send_data(peer, write, r2t.ttt, data_sn, sent_bytes, here, sent_bytes + here == end,
                      seed);
            sent_bytes += here;
        }
    }
}

/* Of the lengths every 'stride'-th. */
static void write_and_read_back(const struct combination *row, const char *digest, size_t stride)
{
    static const uint16_t blocks[] = {1, 2, 7, 8, 16, 33, 64};
    static const uint32_t immediate_bytes[] = {0, 512, 1000, 8192};
    struct node node;
    char keys[256];

    snprintf(keys, sizeof(keys),
             "HeaderDigest=%s\nDataDigest=%s\n"
             "InitialR2T=%s\nImmediateData=%s\nFirstBurstLength=%u\nMaxBurstLength=%u\n"
             "MaxOutstandingR2T=%u\nDefaultTime2Retain=0",
             digest, digest, row->initial_r2t ? "Yes" : "No", row->immediate_data ? "Yes" : "No",
             row->first_burst_bytes, row->max_burst_bytes, row->outstanding);
    struct peer *peer = begin(&node, keys);
    uint32_t seed = 0;

    peer->max_burst_bytes = row->max_burst_bytes;
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i += stride) {
        for (size_t j = 0; j < ARRAY_SIZE(immediate_bytes); j += stride) {
            struct pdu write = write_command(peer, 5, blocks[i]);
            uint32_t sent_bytes = send_first_burst(peer, &write, row, immediate_bytes[j], ++seed);

            answer_all(peer, &write, row, sent_bytes, seed);
            expect_status(peer, write.itt, SCSI_GOOD);
            do_read(peer, 5, blocks[i], seed, 8192);
        }
    }
    assert_int_equal(target_counters(node.target)->rejects, 0);
    node_free(&node);
}

static void writes_and_reads_back(void **state)
{
    write_and_read_back(*state, "None", 1);
}

/* Four ways to send what was not asked for, by short, odd and long bursts, with one R2T at a time
 * or more, digests on and off. */
static void every_combination_of_keys_writes_and_reads_back(void **state)
{
    static const uint32_t bursts[][2] = {{512, 512},     {512, 3003},      {512, 262144},
                                         {1001, 3003},   {1001, 8192},     {4096, 8192},
                                         {4096, 262144}, {262144, 262144}, {8192, 8192}};
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(bursts) * 16; i++) {
        struct combination row = {.initial_r2t = i & 1,
                                  .immediate_data = i & 2,
                                  .first_burst_bytes = bursts[i / 16][0],
                                  .max_burst_bytes = bursts[i / 16][1],
                                  .outstanding = i & 4 ? 4 : 1};

        write_and_read_back(&row, i & 8 ? "CRC32C" : "None", 3);
    }
}

/* ---- what never ends in GOOD: iSCSIdatasn and its like ---- */

struct piece {
    uint32_t data_sn;
    uint32_t offset;
    uint32_t bytes;
    bool is_final;
};
static struct sequence {
    const char *name;
    struct piece pieces[4]; /* in answer to an R2T for 2048 bytes; 0 bytes and no F: the end */
    uint32_t sense;
} sequences[] = {
    {"the same DataSN twice", {{0, 0, 1024, false}, {0, 1024, 1024, true}}, FAULT_CRC},
    {"a DataSN is left out", {{0, 0, 1024, false}, {2, 1024, 1024, true}}, FAULT_CRC},
    {"DataSN minus one", {{0xffffffff, 0, 1024, false}, {0, 1024, 1024, true}}, FAULT_CRC},
    {"DataSN in reverse", {{1, 0, 1024, false}, {0, 1024, 1024, true}}, FAULT_CRC},
    {"offsets in reverse", {{0, 1024, 1024, false}, {1, 0, 1024, true}}, FAULT_CRC},
    {"an overlap", {{0, 0, 1024, false}, {1, 512, 1536, true}}, FAULT_CRC},
    {"a gap", {{0, 0, 512, false}, {1, 1024, 1024, true}}, FAULT_CRC},
    {"an offset beyond the R2T", {{0, 4096, 2048, true}}, FAULT_CRC},
    {"an offset near the end of the numbers", {{0, 0xfffffe00, 512, true}}, FAULT_CRC},
    {"too short", {{0, 0, 1024, true}}, FAULT_AMOUNT},
    {"empty", {{0, 0, 0, true}}, FAULT_AMOUNT},
    {"too long in one", {{0, 0, 4096, true}}, FAULT_AMOUNT},
    {"too long in two", {{0, 0, 2048, false}, {1, 2048, 512, true}}, FAULT_AMOUNT},
};

static void ends_badly(void **state)
{
    const struct sequence *row = *state;
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");

    node.is_lawless = true;
    do_write(peer, 0, 8, 1);
    struct pdu write = write_command(peer, 0, 4);

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    for (size_t i = 0; i < ARRAY_SIZE(row->pieces); i++) {
        const struct piece *piece = &row->pieces[i];
        struct pdu pdu = {.opcode = PDU_DATA_OUT,
                          .is_final = piece->is_final,
                          .itt = write.itt,
                          .ttt = r2t.ttt,
                          .data_out = {.data_sn = piece->data_sn, .buffer_offset = piece->offset}};

        if (piece->bytes > 0 || piece->is_final)
            peer_send(peer, &pdu, pattern(2, piece->bytes), piece->bytes);
    }
    expect_sense(peer, write.itt, row->sense);
    do_read(peer, 0, 8, 1, 8192); /* nothing was written */
    node_free(&node);
}

static void data_for_another_r2t_of_the_task_is_out_of_order(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No\nMaxBurstLength=512\n"
                                     "FirstBurstLength=512\nMaxOutstandingR2T=4");
    struct pdu write = write_command(peer, 0, 3);
    struct pdu r2ts[3];
    (void)state;

    node.is_lawless = true;
    send_command(peer, &write);
    for (size_t i = 0; i < 3; i++)
        r2ts[i] = expect(peer, PDU_R2T)->pdu;
    for (size_t i = 0; i < 3; i++) {
        const struct pdu *r2t = &r2ts[2 - i];

        expect_nothing(peer);
        send_data(peer, &write, r2t->ttt, 0, r2t->r2t.buffer_offset, 512, true, 1);
    }
    expect_sense(peer, write.itt, FAULT_CRC);
    node_free(&node);
}

static void data_with_a_wrong_tag_or_unit_is_rejected(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    send_data(peer, &write, r2t.ttt + 1, 0, 0, 1024, true, 1);
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    struct pdu other = write;

    other.lun = pdu_lun_field(1);
    send_data(peer, &other, r2t.ttt, 0, 0, 1024, true, 1);
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    send_data(peer, &write, r2t.ttt, 0, 0, 1024, true, 1);
    expect_status(peer, write.itt, SCSI_GOOD);
    send_data(peer, &write, r2t.ttt, 0, 0, 1024, true, 1); /* once more, behind the status */
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    node_free(&node);
}

static void unsolicited_data_that_nobody_agreed_to(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 2);
    (void)state;

    node.is_lawless = true;
    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    send_data(peer, &write, PDU_NO_TAG, 0, 0, 512, true, 1);
    node_run(&node, MS(1));
    expect_nothing(peer); /* the R2T is still to be answered */
    send_data(peer, &write, r2t.ttt, 0, 0, 1024, true, 1);
    expect_sense(peer, write.itt, FAULT_UNEXPECTED);
    node_free(&node);
}

/* ---- residuals ---- */

static struct residual_row {
    const char *name;
    bool is_write;
    uint16_t blocks;
    uint32_t expected_bytes;
    uint32_t data_bytes; /* that move */
    bool is_overflow;
    bool is_underflow;
    uint32_t residual_bytes;
    uint32_t sense; /* 0: GOOD */
} residual_rows[] = {
    {"a read with EDTL 0", false, 1, 0, 0, true, false, 512, 0},
    {"a read with EDTL 10000", false, 1, 10000, 512, false, true, 9488, 0},
    {"a read with EDTL 200", false, 1, 200, 200, true, false, 312, 0},
    {"a read of two blocks with EDTL of one", false, 2, 512, 512, true, false, 512, 0},
    {"a read that fits", false, 2, 1024, 1024, false, false, 0, 0},
    {"a write with EDTL 0", true, 1, 0, 0, true, false, 512, 0},
    {"a write with EDTL 10000", true, 1, 10000, 512, false, true, 9488, 0},
    {"a write of two blocks with EDTL of one", true, 2, 512, 512, true, false, 512, 0},
    {"a write with EDTL 200", true, 1, 200, 200, true, false, 312, 0x050e03},
};

static void counts_residuals(void **state)
{
    const struct residual_row *row = *state;
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu pdu =
        row->is_write ? write_command(peer, 3, row->blocks) : read_command(peer, 3, row->blocks);
    struct pdu_residual residual;

    pdu.command.expected_bytes = row->expected_bytes;
    pdu.command.is_read = !row->is_write;
    send_command(peer, &pdu);
    if (row->is_write && row->data_bytes > 0) {
        struct pdu r2t = expect(peer, PDU_R2T)->pdu;

        assert_int_equal(r2t.r2t.desired_bytes, row->data_bytes);
        send_data(peer, &pdu, r2t.ttt, 0, 0, row->data_bytes, true, 1);
    }
    node_run(&node, MS(10));
    if (!row->is_write && row->data_bytes > 0) {
        const struct got *got = expect(peer, PDU_DATA_IN);

        assert_true(got->pdu.data_in.has_status);
        assert_int_equal(got->pdu.data_bytes, row->data_bytes);
        residual = got->pdu.data_in.residual;
    } else if (row->sense) {
        residual = expect_sense(peer, pdu.itt, row->sense)->pdu.response.residual;
    } else {
        residual = expect_status(peer, pdu.itt, SCSI_GOOD)->pdu.response.residual;
    }
    assert_int_equal(residual.is_overflow, row->is_overflow);
    assert_int_equal(residual.is_underflow, row->is_underflow);
    assert_int_equal(residual.bytes, row->residual_bytes);
    node_free(&node);
}

static void a_read_sent_as_a_write_takes_the_data_and_drops_it(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=No\nImmediateData=Yes");
    struct pdu read = read_command(peer, 0, 1);
    (void)state;

    read.command.is_read = false;
    read.command.is_write = true;
    peer_send(peer, &read, pattern(1, 512), 512);
    expect_status(peer, read.itt, SCSI_GOOD);
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

static void immediate_data_on_a_read_is_rejected(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=No\nImmediateData=Yes");
    struct pdu read = read_command(peer, 0, 1);
    (void)state;

    node.is_lawless = true;
    peer_send(peer, &read, pattern(1, 512), 512);
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    do_write(peer, 0, 1, 1); /* its CmdSN counts */
    node_free(&node);
}

/* Needless data is not asked for: a command that takes none, with an EDTL that promises some. */
static void asks_for_nothing_that_is_not_needed(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    uint8_t cdb[SCSI_CDB_BYTES];
    (void)state;

    scsi_cdb_test_unit_ready(cdb);
    struct pdu pdu = command(peer, cdb, true, 4096);
    const struct got *got = expect_status(peer, send_command(peer, &pdu), SCSI_GOOD);

    assert_true(got->pdu.response.residual.is_underflow);
    assert_int_equal(got->pdu.response.residual.bytes, 4096);
    node_free(&node);
}

static void digests_guard_both_directions(void **state)
{
    struct node node;
    struct peer *peer =
        begin(&node, "HeaderDigest=CRC32C\nDataDigest=CRC32C\nInitialR2T=Yes\nImmediateData=No");
    (void)state;

    assert_true(peer->digests.header);
    assert_true(peer->digests.data);
    for (uint32_t i = 0; i < 4; i++) {
        do_write(peer, i * 100, 64, i);
        do_read(peer, i * 100, 64, i, 8192);
    }
    expect_logout(peer);
    node_free(&node);
}

int main(void)
{
    TEST_ROWS(combinations, writes_and_reads_back);
    TEST(every_combination_of_keys_writes_and_reads_back);
    TEST_ROWS(sequences, ends_badly);
    TEST(data_for_another_r2t_of_the_task_is_out_of_order);
    TEST(data_with_a_wrong_tag_or_unit_is_rejected);
    TEST(unsolicited_data_that_nobody_agreed_to);
    TEST_ROWS(residual_rows, counts_residuals);
    TEST(a_read_sent_as_a_write_takes_the_data_and_drops_it);
    TEST(immediate_data_on_a_read_is_rejected);
    TEST(asks_for_nothing_that_is_not_needed);
    TEST(digests_guard_both_directions);
    return TEST_RUN("target.conn_data");
}
