/* The owner: streams and timers around the cores, over a network of two queues. */
#include "target/portal.h"
#include "tests/target/pdu_peer.h"

/* A network with one host: what it writes piles up until the test reads it. */
struct wire {
    struct stream stream;
    struct node *node;
    struct buf_queue sent;
    size_t room_bytes;
    uint32_t expected_bytes; /* of the last hint */
    uint32_t expected_page_offset;
    bool is_paused;
    bool is_closed;
    bool is_aborted;
};
struct host {
    struct net net;
    struct acceptor *acceptors[2];
    uint32_t taken_address; /* listening there fails */
};

static void wire_write(struct stream *stream, struct buf *data)
{
    struct wire *wire = CONTAINER_OF(stream, struct wire, stream);
    size_t bytes = buf_bytes(data);

    assert_true(bytes <= wire->room_bytes);
    wire->room_bytes -= bytes;
    buf_queue_put(&wire->sent, data);
}

static size_t wire_room(const struct stream *stream)
{
    return ((const struct wire *)(const void *)stream)->room_bytes;
}

static void wire_pause(struct stream *stream)
{
    CONTAINER_OF(stream, struct wire, stream)->is_paused = true;
}

static void wire_resume(struct stream *stream)
{
    CONTAINER_OF(stream, struct wire, stream)->is_paused = false;
}

static void wire_expect(struct stream *stream, uint32_t bytes, uint32_t page_offset)
{
    struct wire *wire = CONTAINER_OF(stream, struct wire, stream);

    wire->expected_bytes = bytes;
    wire->expected_page_offset = page_offset;
}

static void wire_close(struct stream *stream)
{
    CONTAINER_OF(stream, struct wire, stream)->is_closed = true;
}

static void wire_abort(struct stream *stream)
{
    CONTAINER_OF(stream, struct wire, stream)->is_aborted = true;
}

static const struct stream_ops wire_ops = {.write = wire_write,
                                           .room = wire_room,
                                           .pause = wire_pause,
                                           .resume = wire_resume,
                                           .close = wire_close,
                                           .abort = wire_abort,
                                           .expect = wire_expect};

static bool host_listen(struct net *net, struct endpoint at, const struct tcp_options *options,
                        struct acceptor *acceptor)
{
    struct host *host = CONTAINER_OF(net, struct host, net);

    assert_non_null(options);
    if (at.address == host->taken_address)
        return false;
    host->acceptors[at.address == IPV4(10, 0, 2, 1)] = acceptor;
    return true;
}

static const struct net_ops host_ops = {.listen = host_listen};

/* The node's device behind a portal node instead of the bare target. */
struct setup {
    struct node node;
    struct host host;
    struct portal_node *portals;
    struct framer framer;
    uint32_t cmd_sn;
};

static void setup_new(struct setup *setup)
{
    static const struct target_portal portals[] = {{{IPV4(10, 0, 1, 1), 3260}, 1},
                                                   {{IPV4(10, 0, 2, 1), 3260}, 2}};
    struct array_profile profile = test_profile();
    struct node *node = &setup->node;

    memset(setup, 0, sizeof(*setup));
    node_new(node);
    setup->host.net.ops = &host_ops;
    setup->portals = portal_node_new(&(struct portal_node_config){.target = {.name = TARGET_NAME,
                                                                             .portals = portals,
                                                                             .portal_count = 2,
                                                                             .profile = &profile,
                                                                             .device = node->device,
                                                                             .pool = node->pool,
                                                                             .trace = &node->trace},
                                                                  .net = &setup->host.net,
                                                                  .clock = &node->queue.clock,
                                                                  .name = "san1"});
    framer_init(&setup->framer, PDU_DATA_MOST, 0);
    setup->cmd_sn = 1;
}

static void setup_free(struct setup *setup)
{
    portal_node_free(setup->portals);
    framer_fini(&setup->framer);
    setup->node.connections_end = 0;
    node_free(&setup->node);
}

static void setup_open(struct setup *setup)
{
    size_t portal = 99;

    assert_true(portal_node_open(setup->portals, &portal));
}

static bool wire_open(struct setup *setup, struct wire *wire, size_t portal_index)
{
    struct acceptor *acceptor = setup->host.acceptors[portal_index];

    *wire = (struct wire){.stream = {.ops = &wire_ops,
                                     .local = {IPV4(10, 0, 1, 1), 3260},
                                     .remote = {IPV4(10, 0, 1, 11), 50000}},
                          .node = &setup->node,
                          .room_bytes = 65536};
    wire->stream.user = acceptor->on_accept(acceptor, &wire->stream);
    return wire->stream.user != NULL;
}

static void wire_send(struct setup *setup, struct wire *wire, const struct pdu *pdu,
                      const void *data, size_t bytes)
{
    struct buf *segment = bytes ? buf_copy(setup->node.pool, data, bytes) : NULL;

    wire->stream.user->ops->on_data(wire->stream.user, framer_encode(setup->node.pool, pdu, segment,
                                                                     (struct framer_digests){0}));
}

/* Reads what was sent and makes room; the next PDU. */
static bool wire_next(struct setup *setup, struct wire *wire, struct pdu *ret_pdu)
{
    struct buf *data = NULL;
    size_t bytes = wire->sent.bytes;

    if (bytes > 0) {
        framer_feed(&setup->framer, buf_queue_take(&wire->sent, bytes));
        wire->room_bytes += bytes;
        if (!wire->is_closed && !wire->is_aborted)
            wire->stream.user->ops->on_space(wire->stream.user);
    }
    bool has_pdu = framer_next(&setup->framer, ret_pdu, &data) == FRAMER_PDU;

    buf_free(data);
    return has_pdu;
}

static void wire_login(struct setup *setup, struct wire *wire)
{
    char text[512];
    size_t bytes = text_of("InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME
                           "\nFirstBurstLength=65536\nDefaultTime2Retain=0",
                           text, sizeof(text));
    struct pdu pdu = {.opcode = PDU_LOGIN_REQUEST,
                      .is_immediate = true,
                      .itt = 1,
                      .cmd_sn = setup->cmd_sn,
                      .login_request = {.transit = true,
                                        .csg = ISCSI_LOGIN_OPERATIONAL_NEGOTIATION,
                                        .nsg = ISCSI_FULL_FEATURE_PHASE,
                                        .isid = {0x80},
                                        .cid = 1}};

    wire_send(setup, wire, &pdu, text, bytes);
    assert_true(wire_next(setup, wire, &pdu));
    assert_int_equal(pdu.opcode, PDU_LOGIN_RESPONSE);
    assert_true(pdu.login_response.transit);
}

static struct pdu wire_read(struct setup *setup, uint16_t blocks)
{
    struct pdu pdu = {.opcode = PDU_SCSI_COMMAND,
                      .is_final = true,
                      .itt = setup->cmd_sn,
                      .cmd_sn = setup->cmd_sn,
                      .command = {.is_read = true, .expected_bytes = blocks * BLOCK_BYTES}};

    setup->cmd_sn++;
    scsi_transfer_build(&(struct scsi_transfer){.opcode = SCSI_READ_10, .blocks = blocks},
                        pdu.command.cdb);
    return pdu;
}

static void run(struct setup *setup, int64_t span_ns)
{
    event_queue_run(&setup->node.queue, node_now(&setup->node) + span_ns, UINT64_MAX);
}

static void answers_when_the_disk_has(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    pdu = wire_read(&setup, 8);
    wire_send(&setup, &wire, &pdu, NULL, 0); /* a unit attention */
    assert_true(wire_next(&setup, &wire, &pdu));
    pdu = wire_read(&setup, 8);
    wire_send(&setup, &wire, &pdu, NULL, 0);
    assert_false(wire_next(&setup, &wire, &pdu));
    run(&setup, MS(1));
    assert_true(wire_next(&setup, &wire, &pdu));
    assert_int_equal(pdu.opcode, PDU_DATA_IN);
    assert_true(pdu.data_in.has_status);
    assert_int_equal(portal_node_connection_count(setup.portals), 1);
    assert_int_equal(target_session_count(portal_node_target(setup.portals)), 1);
    setup_free(&setup);
    assert_true(wire.is_aborted);
}

static void writes_no_more_than_the_stream_takes(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu;
    unsigned segments = 0;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    pdu = wire_read(&setup, 1);
    wire_send(&setup, &wire, &pdu, NULL, 0);
    assert_true(wire_next(&setup, &wire, &pdu));
    wire.room_bytes = 1000;
    pdu = wire_read(&setup, 1024);
    wire_send(&setup, &wire, &pdu, NULL, 0);
    run(&setup, MS(1));
    assert_int_equal(wire.sent.bytes, 1000);
    for (int i = 0; i < 1000 && segments < 64; i++)
        segments += wire_next(&setup, &wire, &pdu);
    assert_int_equal(segments, 64); /* 512 KiB in segments of 8 KiB */
    assert_true(pdu.data_in.has_status);
    setup_free(&setup);
}

static void tells_the_stream_what_data_is_due(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    pdu = wire_read(&setup, 16);
    pdu.command.is_read = false;
    pdu.command.is_write = true;
    scsi_transfer_build(&(struct scsi_transfer){.opcode = SCSI_WRITE_10, .blocks = 16},
                        pdu.command.cdb);
    struct buf *segment = buf_copy(setup.node.pool, pattern(1, 8192), 8192);
    struct buf *bytes = framer_encode(setup.node.pool, &pdu, segment, (struct framer_digests){0});

    assert_int_equal(wire.expected_bytes, 0);
    wire.stream.user->ops->on_data(wire.stream.user, buf_cut(&bytes, 48 + 5000));
    assert_int_equal(wire.expected_bytes, 8192 - 5000);
    assert_int_equal(wire.expected_page_offset, 5000 - 4096);
    wire.expected_bytes = 0;
    wire.stream.user->ops->on_data(wire.stream.user, bytes);
    assert_int_equal(wire.expected_bytes, 0);
    buf_queue_clear(&wire.sent);
    setup_free(&setup);
}

static void stops_reading_when_the_peer_does(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu nop = {.opcode = PDU_NOP_OUT, .is_immediate = true, .itt = 7, .ttt = PDU_NO_TAG};
    struct pdu pdu;
    unsigned sent = 0;
    unsigned echoed = 0;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    while (!wire.is_paused) {
        wire_send(&setup, &wire, &nop, pattern(1, 8192), 8192);
        assert_true(++sent < 10000);
    }
    while (echoed < sent)
        echoed += wire_next(&setup, &wire, &pdu);
    assert_false(wire.is_paused);
    setup_free(&setup);
}

static void keeps_time_for_its_cores(void **state)
{
    static struct setup setup;
    struct wire silent;
    struct wire quiet;
    struct pdu pdu;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &silent, 0));
    assert_true(wire_open(&setup, &quiet, 1));
    wire_login(&setup, &quiet);
    run(&setup, SECONDS(15));
    assert_true(silent.is_aborted); /* login time-out */
    assert_true(wire_next(&setup, &quiet, &pdu));
    assert_int_equal(pdu.opcode, PDU_NOP_IN);
    run(&setup, SECONDS(30));
    assert_true(quiet.is_aborted); /* ping time-out */
    assert_int_equal(portal_node_connection_count(setup.portals), 0);
    setup_free(&setup);
}

static void closes_after_a_logout(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu = {.opcode = PDU_LOGOUT_REQUEST, .is_immediate = true, .itt = 9};
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    wire.room_bytes = 10; /* the answer does not fit at once */
    pdu.cmd_sn = setup.cmd_sn;
    wire_send(&setup, &wire, &pdu, NULL, 0);
    assert_false(wire.is_closed);
    assert_false(wire_next(&setup, &wire, &pdu));
    while (!wire_next(&setup, &wire, &pdu))
        continue;
    assert_int_equal(pdu.opcode, PDU_LOGOUT_RESPONSE);
    assert_true(wire.is_closed);
    assert_false(wire.is_aborted);
    assert_int_equal(portal_node_connection_count(setup.portals), 0);
    setup_free(&setup);
}

static void a_broken_stream_ends_the_session(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    pdu = wire_read(&setup, 8);
    wire_send(&setup, &wire, &pdu, NULL, 0);
    wire.stream.user->ops->on_closed(wire.stream.user, CLOSED_RST);
    assert_int_equal(portal_node_connection_count(setup.portals), 0);
    assert_int_equal(target_session_count(portal_node_target(setup.portals)), 0);
    assert_false(wire.is_closed);
    buf_queue_clear(&wire.sent);
    setup_free(&setup);
}

static void a_crash_leaves_nothing_and_a_restart_takes_logins(void **state)
{
    static struct setup setup;
    struct wire wire;
    struct pdu pdu;
    (void)state;

    setup_new(&setup);
    setup_open(&setup);
    assert_true(wire_open(&setup, &wire, 0));
    wire_login(&setup, &wire);
    for (int i = 0; i < 4; i++) {
        pdu = wire_read(&setup, 8);
        wire_send(&setup, &wire, &pdu, NULL, 0);
    }
    buf_queue_clear(&wire.sent);
    portal_node_set_listening(setup.portals, false);
    portal_node_crash(setup.portals);
    assert_true(wire.is_aborted);
    assert_int_equal(portal_node_connection_count(setup.portals), 0);
    assert_int_equal(device_live_tasks(setup.node.device), 0);
    assert_int_equal(device_live_nexuses(setup.node.device), 0);
    assert_false(wire_open(&setup, &wire, 0));
    portal_node_set_listening(setup.portals, true);
    assert_true(wire_open(&setup, &wire, 0));
    framer_fini(&setup.framer);
    framer_init(&setup.framer, PDU_DATA_MOST, 0);
    wire_login(&setup, &wire);
    assert_int_equal(portal_node_drop_sessions(setup.portals, HOST_1, false), 1);
    assert_true(wire.is_aborted);
    setup_free(&setup);
}

static void tells_which_portal_cannot_open(void **state)
{
    static struct setup setup;
    size_t portal = 99;
    (void)state;

    setup_new(&setup);
    setup.host.taken_address = IPV4(10, 0, 2, 1);
    assert_false(portal_node_open(setup.portals, &portal));
    assert_int_equal(portal, 1);
    assert_non_null(setup.host.acceptors[0]);
    setup_free(&setup);
}

int main(void)
{
    TEST(answers_when_the_disk_has);
    TEST(writes_no_more_than_the_stream_takes);
    TEST(tells_the_stream_what_data_is_due);
    TEST(stops_reading_when_the_peer_does);
    TEST(keeps_time_for_its_cores);
    TEST(closes_after_a_logout);
    TEST(a_broken_stream_ends_the_session);
    TEST(a_crash_leaves_nothing_and_a_restart_takes_logins);
    TEST(tells_which_portal_cannot_open);
    return TEST_RUN("target.portal");
}
