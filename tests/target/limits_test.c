/* What many peers, or one that holds on to what it gets, can make the target hold: connections,
 * sessions, data under way, answers that nobody reads. Who behaves goes on as before.
 */
#include "tests/target/pdu_peer.h"

#define READ_BLOCKS 2048u /* 1 MiB */
#define KEYS        "MaxRecvDataSegmentLength=262144"

static void begin(struct node *node, const struct target_limits *limits)
{
    struct array_profile profile = test_profile();

    node_new_limited(node, &profile, PLANT_NONE, limits);
}

static struct peer *log_in(struct node *node, uint8_t isid)
{
    struct peer *peer = peer_open(node, 0);

    peer->isid = isid;
    peer_login(peer, KEYS);
    peer_base(peer);
    return peer;
}

/* ---- connections ---- */

static void a_new_connection_takes_the_place_of_the_oldest_at_the_door(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.connections = 3});
    struct peer *in = log_in(&node, 1);
    struct peer *older = peer_open(&node, 0);
    struct peer *newer = peer_open(&node, 0);
    struct peer *last = peer_open(&node, 0);

    node_settle(&node);
    expect_over(older, CONN_EVICTED);
    assert_false(in->is_over);
    assert_false(newer->is_over);
    last->isid = 2;
    peer_login(last, KEYS);
    peer_base(last);
    do_write(in, 0, 1, 1);
    assert_int_equal(target_counters(node.target)->evictions, 1);
    node_free(&node);
}

static void one_in_the_middle_of_its_login_may_have_to_make_way_too(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.connections = 1});
    struct peer *slow = peer_open(&node, 0);
    struct pdu pdu = login_request(slow, ISCSI_SECURITY_NEGOTIATION, 0, false);

    send_login(slow, &pdu, "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME);
    expect(slow, PDU_LOGIN_RESPONSE);
    struct peer *quick = log_in(&node, 2);

    expect_over(slow, CONN_EVICTED);
    do_write(quick, 0, 1, 1);
    node_free(&node);
}

static void no_connection_is_taken_where_all_are_logged_in(void **state)
{
    struct conn_config config = {.portal_index = 0};
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.connections = 2});
    struct peer *first = log_in(&node, 1);

    log_in(&node, 2);
    assert_null(conn_new(node.target, &config, node_now(&node)));
    assert_int_equal(target_counters(node.target)->turned_away, 1);
    assert_false(first->is_over);
    peer_break(first);
    log_in(&node, 3); /* there is a place again */
    node_free(&node);
}

/* ---- sessions ---- */

static void a_session_too_many_is_refused_with_the_reason(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.sessions = 2});
    struct peer *first = log_in(&node, 1);

    log_in(&node, 2);
    struct peer *third = peer_open(&node, 0);
    struct pdu pdu =
        login_request(third, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION, ISCSI_FULL_FEATURE_PHASE, true);

    third->isid = 3;
    pdu.login_request.isid[5] = 3;
    send_login(third, &pdu,
               "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME
               "\nFirstBurstLength=4096\nMaxBurstLength=4096\nDefaultTime2Retain=0");
    while (peer_has(third) && third->got[third->got_first].pdu.login_response.status_class == 0 &&
           !third->got[third->got_first].pdu.login_response.transit) {
        expect(third, PDU_LOGIN_RESPONSE);
        send_login(third, &pdu, "");
    }
    assert_int_equal(login_status(expect(third, PDU_LOGIN_RESPONSE)), ISCSI_LOGIN_OUT_OF_RESOURCES);
    expect_over(third, CONN_LOGIN_REFUSED);
    assert_string_equal(third->over.detail, "too many sessions");

    struct peer *again = peer_open(&node, 0); /* it takes the place of its own old session */

    again->isid = 1;
    peer_login(again, KEYS);
    expect_over(first, CONN_REINSTATED);
    node_free(&node);
}

static void a_discovery_session_that_asks_nothing_ends(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){0});
    struct peer *peer = peer_open(&node, 0);

    peer_login_as(peer, HOST_1, "SessionType=Discovery", "");
    node_run(&node, SECONDS(45) - 1);
    expect_nothing(peer); /* no ping either */
    assert_false(peer->is_over);
    node_run(&node, 1);
    expect_over(peer, CONN_PING_TIMEOUT);
    node_free(&node);
}

/* ---- data ---- */

/* Asks for 32 MiB, all that the window lets it, and reads nothing. */
static void ask_for_much(struct peer *peer)
{
    peer->reads = false;
    for (int i = 0; i < 32; i++) {
        struct pdu read = read_command(peer, 0, READ_BLOCKS);

        send_command(peer, &read);
    }
    node_run(peer->node, MS(100));
}

static void reads_of_one_who_takes_nothing_wait_for_their_share(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.moving_bytes = 4u << 20});
    struct peer *peer = log_in(&node, 1);
    size_t before = pool_live_bufs(node.pool);

    ask_for_much(peer);
    size_t held = pool_live_bufs(node.pool) - before; /* a slice per 4 KiB */

    assert_in_range(held, 4 * 256, 4 * 256 + 64);
    peer->reads = true;
    peer_drain(peer);
    node_run(&node, MS(100));
    for (int i = 0; i < 32; i++)
        expect_data(peer, peer->itt - 32 + (uint32_t)i, READ_BLOCKS * BLOCK_BYTES, 262144, 262144);
    node_free(&node);
}

static void who_holds_all_there_is_does_not_stop_small_commands_of_others(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.moving_bytes = 4u << 20});
    struct peer *greedy = log_in(&node, 1);
    struct peer *modest = log_in(&node, 2);

    ask_for_much(greedy);
    uint32_t first = modest->itt;
    size_t at_device = device_live_tasks(node.device);

    for (int i = 0; i < 16; i++) {
        struct pdu read = read_command(modest, 0, 8);

        send_command(modest, &read);
    }
    assert_int_equal(device_live_tasks(node.device), at_device + 16); /* all at once */
    for (uint32_t i = 0; i < 16; i++)
        expect_data(modest, first + i, 4096, 262144, 262144);
    struct pdu large = read_command(modest, 0, READ_BLOCKS);
    uint32_t itt = send_command(modest, &large); /* alone, it may */

    expect_data(modest, itt, READ_BLOCKS * BLOCK_BYTES, 262144, 262144);
    do_write(modest, 0, 8, 1);
    node_free(&node);
}

static void a_read_that_waits_for_its_share_can_be_aborted(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.moving_bytes = 2u << 20});
    struct peer *peer = log_in(&node, 1);

    ask_for_much(peer);
    struct pdu abort = task_request(peer, ISCSI_TMF_LOGICAL_UNIT_RESET, true);

    peer_send(peer, &abort, NULL, 0);
    peer->reads = true;
    node_run(&node, MS(100));
    peer_drain(peer);
    while (peer->got_first + 1 < peer->got_end)
        expect(peer, PDU_DATA_IN); /* what had been made before the reset */
    expect_task_response(peer, &abort, ISCSI_TMF_FUNCTION_COMPLETE);
    node_free(&node);
}

static void a_session_that_ends_gives_back_its_share(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){.moving_bytes = 2u << 20});
    ask_for_much(log_in(&node, 1));
    peer_break(node.peers[0]);
    size_t before = pool_live_bufs(node.pool);

    ask_for_much(log_in(&node, 2));
    assert_in_range(pool_live_bufs(node.pool) - before, 2 * 256, 2 * 256 + 64);
    node_free(&node);
}

static void data_before_its_turn_is_bounded(void **state)
{
    struct node node;
    int sent = 0;
    (void)state;

    begin(&node, &(struct target_limits){0});
    struct peer *peer = log_in(&node, 1);

    peer->cmd_sn++; /* a gap that is never filled */
    while (!peer->is_over && sent < 31) {
        struct pdu write = write_command(peer, 0, 512);

        peer_send(peer, &write, pattern(1, 262144), 262144);
        sent++;
    }
    assert_int_equal(sent, 17); /* 4 MiB, and the one that was too much */
    expect_over(peer, CONN_PROTOCOL_ERROR);
    assert_string_equal(peer->over.detail, "too much data before its turn");
    node_free(&node);
}

/* As a socket brings them: a chunk for each read, or a slice of a large one that others share. */
static void a_segment_that_comes_byte_by_byte_takes_little_more_than_its_size(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){0});
    struct peer *peer = log_in(&node, 1);
    struct pdu write = write_command(peer, 0, 128);
    uint8_t header[PDU_HEADER_BYTES];
    size_t before = pool_live_chunks(node.pool);

    write.data_bytes = 65536;
    pdu_encode(&write, header);
    peer_send_raw(peer, header, sizeof(header));
    for (size_t i = 0; i < 65535; i++)
        peer_send_raw(peer, &(uint8_t){1}, 1);
    assert_in_range(pool_live_chunks(node.pool) - before, 16, 18); /* of 4 KiB */
    peer_send_raw(peer, &(uint8_t){1}, 1);
    expect_status(peer, write.itt, SCSI_GOOD);
    node_free(&node);
}

static void small_data_out_takes_little_more_than_its_size(void **state)
{
    struct node node;
    (void)state;

    begin(&node, &(struct target_limits){0});
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, KEYS "\nInitialR2T=Yes\nImmediateData=No");
    peer_base(peer);
    struct pdu write = write_command(peer, 0, 8);

    send_command(peer, &write);
    uint32_t ttt = expect(peer, PDU_R2T)->pdu.ttt;
    size_t before = pool_live_chunks(node.pool);

    for (uint32_t i = 0; i < 4096; i++) {
        if (i == 4095)
            assert_in_range(pool_live_chunks(node.pool) - before, 1, 2);
        send_data(peer, &write, ttt, i, i, 1, i == 4095, 1);
    }
    expect_status(peer, write.itt, SCSI_GOOD);
    do_read(peer, 0, 8, 1, 262144);
    node_free(&node);
}

/* ---- answers ---- */

static void pings_of_one_who_reads_no_answer_stop_being_read(void **state)
{
    struct node node;
    int sent = 0;
    (void)state;

    begin(&node, &(struct target_limits){0});
    struct peer *peer = log_in(&node, 1);

    peer->reads = false;
    for (; conn_room(peer->conn) > 0 && sent < 1000; sent++) {
        struct pdu nop = peer_request(peer, PDU_NOP_OUT, true);

        peer_send(peer, &nop, pattern(1, 8192), 8192);
    }
    assert_in_range(sent, 120, 129); /* of 8 KiB each, in 1 MiB */
    peer->reads = true;
    peer_drain(peer);
    assert_true(conn_room(peer->conn) > 0);
    for (int i = 0; i < sent; i++)
        expect(peer, PDU_NOP_IN);
    node_free(&node);
}

int main(void)
{
    TEST(a_new_connection_takes_the_place_of_the_oldest_at_the_door);
    TEST(one_in_the_middle_of_its_login_may_have_to_make_way_too);
    TEST(no_connection_is_taken_where_all_are_logged_in);
    TEST(a_session_too_many_is_refused_with_the_reason);
    TEST(a_discovery_session_that_asks_nothing_ends);
    TEST(reads_of_one_who_takes_nothing_wait_for_their_share);
    TEST(who_holds_all_there_is_does_not_stop_small_commands_of_others);
    TEST(a_read_that_waits_for_its_share_can_be_aborted);
    TEST(a_session_that_ends_gives_back_its_share);
    TEST(data_before_its_turn_is_bounded);
    TEST(a_segment_that_comes_byte_by_byte_takes_little_more_than_its_size);
    TEST(small_data_out_takes_little_more_than_its_size);
    TEST(pings_of_one_who_reads_no_answer_stop_being_read);
    return TEST_RUN("target.limits");
}
