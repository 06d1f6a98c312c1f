/* Peers that mean harm, or are broken: the classes of bad input that targets meet. Whatever comes,
 * nothing is leaked, no assertion is met, other sessions go on, and what is held stays bounded.
 */
#include "sim/core/random.h"
#include "tests/target/pdu_peer.h"

static struct peer *log_in(struct node *node, uint8_t isid, const char *keys)
{
    struct peer *peer = peer_open(node, 0);

    peer->isid = isid;
    peer_login(peer, keys);
    return peer;
}

static struct peer *begin(struct node *node, const char *keys)
{
    node_new(node);
    node->is_lawless = true;
    struct peer *peer = log_in(node, 1, keys);

    peer_base(peer);
    return peer;
}

/* ---- lengths ---- */

static void a_segment_longer_than_declared_ends_the_connection(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu nop = peer_request(peer, PDU_NOP_OUT, true);
    uint8_t header[PDU_HEADER_BYTES];
    (void)state;

    nop.data_bytes = 262145;
    pdu_encode(&nop, header);
    peer_send_raw(peer, header, sizeof(header));
    expect_over(peer, CONN_FRAMING);
    assert_false(peer->over.is_orderly);
    node_free(&node);
}

static void any_expected_length_and_any_ahs_is_survived(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu read = read_command(peer, 0, 1);
    uint8_t bytes[PDU_HEADER_BYTES + PDU_AHS_MOST_BYTES] = {0};
    (void)state;

    read.command.expected_bytes = UINT32_MAX;
    send_command(peer, &read);
    node_run(&node, MS(10));
    assert_int_equal(expect(peer, PDU_DATA_IN)->pdu.data_in.residual.bytes, UINT32_MAX - 512);
    struct pdu write = write_command(peer, 0, 1);

    write.command.expected_bytes = UINT32_MAX;
    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;

    assert_int_equal(r2t.r2t.desired_bytes, 512);
    send_data(peer, &write, r2t.ttt, 0, 0, 512, true, 1);
    expect_status(peer, write.itt, SCSI_GOOD);

    static const uint8_t heads[][3] = {{0, 0, 1}, {0, 5, 9}, {0xff, 0xff, 1}, {0, 1, 2}, {0, 5, 1}};

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        struct pdu pdu = read_command(peer, 0, 1);

        pdu.ahs_words = i == 4 ? 2 : 255;
        pdu_encode(&pdu, bytes);
        memset(bytes + PDU_HEADER_BYTES, 0, PDU_AHS_MOST_BYTES);
        memcpy(bytes + PDU_HEADER_BYTES, heads[i], 3);
        peer_send_raw(peer, bytes, PDU_HEADER_BYTES + pdu.ahs_words * 4u);
        node_run(&node, MS(10));
        if (i == 4) /* a long CDB is legal; its operation code decides */
            expect(peer, PDU_DATA_IN);
        else
            expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    }
    do_write(peer, 0, 1, 1); /* each rejected command used up its CmdSN */
    node_free(&node);
}

/* ---- opcodes and fields ---- */

static void what_makes_no_sense_is_rejected(void **state)
{
    static const struct {
        uint8_t byte_0;
        uint8_t byte_1;
        uint8_t reason;
    } rows[] = {
        {0x07, 0x80, ISCSI_REJECT_NOT_SUPPORTED}, /* an opcode that does not exist */
        {0x1f, 0x80, ISCSI_REJECT_NOT_SUPPORTED},     {0x41, 0x87, ISCSI_REJECT_INVALID_PDU_FIELD},
        {0x46, 0x85, ISCSI_REJECT_INVALID_PDU_FIELD}, {0x10, 0x80, ISCSI_REJECT_SNACK},
        {0x21, 0x80, ISCSI_REJECT_PROTOCOL_ERROR}, /* a target's PDU */
        {0x3f, 0x80, ISCSI_REJECT_PROTOCOL_ERROR}, /* a Reject */
        {0x43, 0x87, ISCSI_REJECT_PROTOCOL_ERROR}, /* a Login Request */
    };
    struct node node;
    struct peer *peer = begin(&node, "");
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t header[PDU_HEADER_BYTES] = {rows[i].byte_0, rows[i].byte_1};

        put_be32(header + 16, 0x77);
        peer_send_raw(peer, header, sizeof(header));
        expect_reject(peer, rows[i].reason, NULL);
        assert_false(peer->is_over);
    }
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

static void a_rejected_request_uses_up_its_cmd_sn(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu bad = read_command(peer, 0, 1);
    uint8_t header[PDU_HEADER_BYTES];
    (void)state;

    pdu_encode(&bad, header);
    header[1] |= 7; /* an attribute that does not exist */
    peer_send_raw(peer, header, sizeof(header));
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, NULL);
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

/* ---- tags ---- */

static void a_tag_in_use_or_reserved_is_rejected(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 1);
    (void)state;

    send_command(peer, &write);
    struct pdu r2t = expect(peer, PDU_R2T)->pdu;
    struct pdu again = read_command(peer, 0, 1);

    again.itt = write.itt;
    send_command(peer, &again);
    expect_reject(peer, ISCSI_REJECT_TASK_IN_PROGRESS, &again);
    struct pdu none = read_command(peer, 0, 1);

    none.itt = PDU_NO_TAG;
    send_command(peer, &none);
    expect_reject(peer, ISCSI_REJECT_INVALID_PDU_FIELD, &none);
    send_data(peer, &write, r2t.ttt, 0, 0, 512, true, 1);
    expect_status(peer, write.itt, SCSI_GOOD);
    do_read(peer, 0, 1, 1, 8192);
    node_free(&node);
}

static void aborting_itself_or_with_a_wrong_unit_finds_no_task(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 1);
    (void)state;

    send_command(peer, &write);
    expect(peer, PDU_R2T);
    struct pdu self = task_request(peer, ISCSI_TMF_ABORT_TASK, true);

    self.task_request.ref_task_tag = self.itt;
    self.task_request.ref_cmd_sn = self.cmd_sn;
    peer_send(peer, &self, NULL, 0);
    expect_task_response(peer, &self, ISCSI_TMF_TASK_DOES_NOT_EXIST);
    struct pdu wrong = task_request(peer, ISCSI_TMF_ABORT_TASK, true);

    wrong.lun = pdu_lun_field(1);
    wrong.task_request.ref_task_tag = write.itt;
    wrong.task_request.ref_cmd_sn = write.cmd_sn;
    peer_send(peer, &wrong, NULL, 0);
    expect_task_response(peer, &wrong, ISCSI_TMF_TASK_DOES_NOT_EXIST);
    node_free(&node);
}

/* ---- floods ---- */

static void immediate_commands_are_bounded(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    unsigned rejected = 0;
    (void)state;

    for (int i = 0; i < 1000; i++) {
        struct pdu write = write_command(peer, 0, 1);

        write.is_immediate = true;
        peer->cmd_sn--;
        send_command(peer, &write);
        rejected += peer->got[peer->got_end - 1].pdu.opcode == PDU_REJECT;
    }
    assert_int_equal(rejected, 1000 - 32);
    assert_int_equal(peer->got[peer->got_end - 1].pdu.reject.reason,
                     ISCSI_REJECT_TOO_MANY_IMMEDIATE);
    node_free(&node);
}

static void commands_beyond_the_window_take_no_memory(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    (void)state;

    peer->cmd_sn++; /* a gap that is never filled */
    for (int i = 0; i < 1000; i++) {
        struct pdu write = write_command(peer, 0, 1);

        send_command(peer, &write);
    }
    expect_nothing(peer);
    assert_in_range(pool_live_blocks(node.pool), 0, 100);
    assert_int_equal(target_counters(node.target)->ignored, 1000 - 31);
    node_free(&node);
}

static void a_flood_of_resets_is_answered_one_by_one(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    (void)state;

    for (int i = 0; i < 500; i++) {
        struct pdu read = read_command(peer, 0, 8);
        struct pdu reset;

        send_command(peer, &read);
        reset = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);
        peer_send(peer, &reset, NULL, 0);
        node_run(&node, MS(2));
    }
    assert_in_range(target_counters(node.target)->resets, 500, 500);
    node_free(&node);
}

static void a_logout_in_the_middle_of_a_reset_is_answered(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "InitialR2T=Yes\nImmediateData=No");
    struct pdu write = write_command(peer, 0, 1);
    (void)state;

    send_command(peer, &write);
    expect(peer, PDU_R2T);
    struct pdu reset = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);

    peer_send(peer, &reset, NULL, 0); /* waits for the data */
    expect_nothing(peer);
    expect_logout(peer);
    node_free(&node);
}

/* ---- text ---- */

static void a_text_that_never_ends_is_rejected(void **state)
{
    struct node node;
    struct peer *peer = begin(&node, "");
    struct pdu pdu = peer_request(peer, PDU_TEXT_REQUEST, true);
    unsigned requests = 0;
    (void)state;

    pdu.is_final = false;
    pdu.text.continues = true;
    for (;;) {
        peer_send(peer, &pdu, pattern(1, 8192), 8192);
        assert_true(++requests < 20);
        if (peer->got[peer->got_first].pdu.opcode == PDU_REJECT)
            break;
        pdu.ttt = expect(peer, PDU_TEXT_RESPONSE)->pdu.ttt;
    }
    expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, NULL);
    do_write(peer, 0, 1, 1);
    node_free(&node);
}

static void bad_send_targets_are_rejected(void **state)
{
    static const char *const values[] = {"SendTargets=all", "SendTargets=x", "sendtargets=All",
                                         "SendTargets=All\nSendTargets=All", "SendTargets"};
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login_as(peer, HOST_1, "SessionType=Discovery", "");
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct pdu pdu = peer_request(peer, PDU_TEXT_REQUEST, true);
        char text[256];

        peer_send(peer, &pdu, text, text_of(values[i], text, sizeof(text)));
        expect_reject(peer, ISCSI_REJECT_PROTOCOL_ERROR, &pdu);
    }
    assert_false(peer->is_over);
    node_free(&node);
}

/* ---- dropping everywhere ---- */

/* A session with a bit of everything, as bytes. */
static size_t record_session(uint8_t *bytes, size_t room, size_t boundaries[32],
                             size_t *ret_boundary_count)
{
    struct node node;
    size_t size = 0;
    size_t count = 0;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu login =
        login_request(peer, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION, ISCSI_FULL_FEATURE_PHASE, true);
    char text[512];
    size_t text_bytes = text_of("InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME
                                "\nInitialR2T=No\nImmediateData=Yes\nFirstBurstLength=1024\n"
                                "MaxBurstLength=1024\nDefaultTime2Retain=0",
                                text, sizeof(text));
    struct pdu pdus[10];
    const void *data[10] = {text};
    size_t data_bytes[10] = {text_bytes};

    pdus[0] = login;
    pdus[1] = read_command(peer, 0, 8);
    pdus[2] = write_command(peer, 0, 4);
    data[2] = pattern(1, 512);
    data_bytes[2] = 512;
    pdus[2].is_final = false;
    pdus[3] = (struct pdu){.opcode = PDU_DATA_OUT,
                           .is_final = true,
                           .itt = pdus[2].itt,
                           .ttt = PDU_NO_TAG,
                           .data_out = {.buffer_offset = 512}};
    data[3] = pattern(1, 512);
    data_bytes[3] = 512;
    pdus[4] = peer_request(peer, PDU_NOP_OUT, false);
    data[4] = "ping";
    data_bytes[4] = 4;
    pdus[5] = task_request(peer, ISCSI_TMF_ABORT_TASK, true);
    pdus[5].task_request.ref_task_tag = pdus[1].itt;
    pdus[6] = peer_request(peer, PDU_TEXT_REQUEST, false);
    pdus[6].is_final = false;
    data[6] = "MaxRecvDataSegmentLength=4096";
    data_bytes[6] = 30;
    pdus[7] = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);
    pdus[8] = write_command(peer, 0, 64);
    pdus[9] = peer_request(peer, PDU_LOGOUT_REQUEST, false);
    for (size_t i = 0; i < ARRAY_SIZE(pdus); i++) {
        struct buf *segment = data_bytes[i] ? buf_copy(node.pool, data[i], data_bytes[i]) : NULL;
        struct buf *chain = framer_encode(node.pool, &pdus[i], segment, (struct framer_digests){0});
        size_t here = buf_bytes(chain);

        assert_true(size + here <= room);
        buf_read(chain, 0, bytes + size, here);
        buf_free(chain);
        size += here;
        boundaries[count++] = size;
    }
    *ret_boundary_count = count;
    node_free(&node);
    return size;
}

static void leaks_nothing_wherever_the_stream_breaks(void **state)
{
    static uint8_t bytes[16384];
    size_t boundaries[32];
    size_t count;
    size_t size = record_session(bytes, sizeof(bytes), boundaries, &count);
    (void)state;

    for (size_t i = 0; i < count; i++) {
        for (int offset = -1; offset <= 1; offset++) {
            for (int64_t pause_ns = 0; pause_ns <= US(150); pause_ns += US(150)) {
                struct node node;

                node_new(&node);
                node.is_lawless = true;
                struct peer *peer = peer_open(&node, 0);
                size_t cut = boundaries[i] + (size_t)offset;

                peer_send_raw(peer, bytes, cut < size ? cut : size);
                node_run(&node, pause_ns);
                peer_break(peer);
                node_free(&node);
            }
        }
    }
}

static void one_byte_at_a_time_is_as_good_as_all_at_once(void **state)
{
    static uint8_t bytes[16384];
    size_t boundaries[32];
    size_t count;
    size_t size = record_session(bytes, sizeof(bytes), boundaries, &count);
    unsigned answers[2] = {0};
    (void)state;

    for (int each = 0; each < 2; each++) {
        struct node node;

        node_new(&node);
        node.is_lawless = true;
        struct peer *peer = peer_open(&node, 0);
        size_t step = each ? 1 : size;

        for (size_t at = 0; at < size && peer->conn; at += step)
            peer_send_raw(peer, bytes + at, step);
        node_run(&node, SECONDS(1));
        expect_over(peer, CONN_LOGGED_OUT_WELL);
        for (size_t i = 0; i < peer->got_end; i++) /* an R2T may be overtaken by the logout */
            answers[each] += peer->got[i].pdu.opcode != PDU_R2T;
        node_free(&node);
    }
    assert_int_equal(answers[0], answers[1]);
    assert_int_equal(answers[0], 6);
}

/* Random damage to a session's bytes, beside a session that must not notice. */
static void survives_random_damage(void **state)
{
    static uint8_t bytes[16384];
    size_t boundaries[32];
    size_t count;
    size_t size = record_session(bytes, sizeof(bytes), boundaries, &count);
    struct random random;
    (void)state;

    random_init(&random, 1, "damage");
    for (int round = 0; round < 1000; round++) {
        static uint8_t damaged[16384];
        struct node node;

        node_new(&node);
        node.is_lawless = true;
        struct peer *victim = log_in(&node, 9, "");
        struct peer *peer = peer_open(&node, 0);
        uint64_t flips = 1 + random_below(&random, 4);

        memcpy(damaged, bytes, size);
        for (uint64_t i = 0; i < flips; i++) {
            size_t pdu = random_below(&random, count - 1);
            size_t at = boundaries[pdu] + random_below(&random, PDU_HEADER_BYTES);

            if (random_below(&random, 4) == 0)
                at = random_below(&random, size);
            damaged[at] = (uint8_t)random_next(&random);
        }
        for (size_t at = 0; at < size && peer->conn;) {
            size_t here = 1 + random_below(&random, 700);

            peer_send_raw(peer, damaged + at, here < size - at ? here : size - at);
            at += here;
            if (random_below(&random, 3) == 0)
                node_run(&node, US(120));
        }
        node_run(&node, SECONDS(1));
        clear_attentions(victim, 0); /* a reset may have come, or not */
        do_write(victim, 1000, 4, 3);
        do_read(victim, 1000, 4, 3, 8192);
        node_free(&node);
    }
}

/* ---- connections ---- */

static void ten_thousand_logins_leave_no_trace(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    size_t chunks = pool_live_chunks(node.pool);

    for (int i = 0; i < 10000; i++) {
        struct peer *peer = log_in(&node, (uint8_t)(1 + i % 3), "");

        if (i % 2)
            expect_logout(peer);
        else
            peer_break(peer);
        node.peer_count--;
        node.connections_end--;
        peer_free(peer);
    }
    assert_int_equal(pool_live_chunks(node.pool), chunks);
    assert_int_equal(target_session_count(node.target), 0);
    node_free(&node);
}

int main(void)
{
    TEST(a_segment_longer_than_declared_ends_the_connection);
    TEST(any_expected_length_and_any_ahs_is_survived);
    TEST(what_makes_no_sense_is_rejected);
    TEST(a_rejected_request_uses_up_its_cmd_sn);
    TEST(a_tag_in_use_or_reserved_is_rejected);
    TEST(aborting_itself_or_with_a_wrong_unit_finds_no_task);
    TEST(immediate_commands_are_bounded);
    TEST(commands_beyond_the_window_take_no_memory);
    TEST(a_flood_of_resets_is_answered_one_by_one);
    TEST(a_logout_in_the_middle_of_a_reset_is_answered);
    TEST(a_text_that_never_ends_is_rejected);
    TEST(bad_send_targets_are_rejected);
    TEST(leaks_nothing_wherever_the_stream_breaks);
    TEST(one_byte_at_a_time_is_as_good_as_all_at_once);
    TEST(survives_random_damage);
    TEST(ten_thousand_logins_leave_no_trace);
    return TEST_RUN("target.conn_hostile");
}
