/* An initiator for tests of the target: it speaks in PDUs, one by one, and looks at each answer.
 *
 * A node is a target with two portals (portal groups 1 and 2) and two disks behind a media model; a
 * peer is one connection to it. Everything runs in virtual time. Every PDU passes the watch over
 * rules P1 to P4 at the target's end; a broken rule fails the test at node_free(), unless the peer
 * of this test breaks rules itself.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iscsi/framer.h"
#include "iscsi/pdu_watch.h"
#include "iscsi/scsi.h"
#include "iscsi/text.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "target/conn.h"
#include "target/device.h"
#include "target/media.h"
#include "target/memory_store.h"
#include "target/target.h"
#include "tests/test.h"

#define TARGET_NAME "iqn.2024-01.lab:san1"
#define HOST_1      "iqn.2024-01.lab:hv1"
#define HOST_2      "iqn.2024-01.lab:hv2"
#define BLOCK_BYTES 512u
#define DISK_BYTES  (64u * 1024 * 1024)
#define MOST_PEERS  16
#define MOST_GOT    4096

struct got {
    struct pdu pdu;
    uint8_t header[PDU_HEADER_BYTES];
    struct buf *data;
};

struct node;

struct peer {
    struct node *node;
    struct conn *conn; /* NULL: closed */
    struct framer framer;
    struct framer_digests digests; /* of what it sends */
    struct framer_digests agreed;
    uint32_t cmd_sn;
    uint32_t itt;
    uint32_t stat_sn; /* the next one that is due */
    bool has_stat_sn;
    uint8_t isid;
    uint16_t cid;
    uint16_t tsih;
    uint32_t max_cmd_sn;
    uint32_t exp_cmd_sn;
    bool reads; /* takes what the target sends */
    uint32_t max_burst_bytes;
    struct got got[MOST_GOT];
    size_t got_first;
    size_t got_end;
    struct got last; /* the one that was looked at */
    bool is_over;
    struct conn_event over;
    unsigned logins;
    struct pdu_watch *watch;
    uint64_t number;
};

struct node {
    struct event_queue queue;
    struct pool *pool;
    struct memory_store *memory[2];
    struct media *media[2];
    struct device *device;
    struct target *target;
    struct trace trace;
    struct peer *peers[MOST_PEERS];
    size_t peer_count;
    bool is_lawless;          /* a peer of this test breaks rules on purpose */
    char broken[256];         /* the first broken rule */
    uint64_t connections_end; /* pdu_end calls */
};

static inline int64_t node_now(const struct node *node)
{
    return clock_now_ns(&node->queue.clock);
}

/* ---- the trace ---- */

static inline struct peer *node_peer(struct node *node, uint64_t number)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i]->number == number)
            return node->peers[i];
    }
    return NULL;
}

static inline void node_trace_pdu(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu)
{
    struct node *node = CONTAINER_OF(trace, struct node, trace);
    struct peer *peer = node_peer(node, pdu->connection);
    struct pdu_break broken;

    (void)at_ns;
    assert_true(pdu->is_target_end);
    if (peer && pdu_watch_see(peer->watch, pdu->header, pdu->is_from_target, &broken) &&
        !node->broken[0])
        snprintf(node->broken, sizeof(node->broken), "%s: %s", broken.rule, broken.text);
}

static inline void node_trace_end(struct trace *trace, int64_t at_ns, uint64_t connection)
{
    (void)at_ns, (void)connection;
    CONTAINER_OF(trace, struct node, trace)->connections_end++;
}

static inline const struct trace_ops *node_trace_ops(void)
{
    static struct trace_ops ops;

    ops = *trace_nowhere_ops();
    ops.pdu = node_trace_pdu;
    ops.pdu_end = node_trace_end;
    return &ops;
}

/* ---- the node ---- */

static inline struct array_profile test_profile(void)
{
    return (struct array_profile){
        .iscsi = {.header_digest = DIGEST_NONE_OR_CRC32C,
                  .data_digest = DIGEST_NONE_OR_CRC32C,
                  .max_connections = 1,
                  .initial_r2t = false,
                  .immediate_data = true,
                  .max_recv_segment_bytes = 262144,
                  .peer_max_recv_segment_bytes = 8192,
                  .max_burst_bytes = 1048576,
                  .first_burst_bytes = 262144,
                  .time2wait_s = 0,
                  .time2retain_s = 0,
                  .max_outstanding_r2t = 4,
                  .data_pdu_in_order = true,
                  .data_sequence_in_order = true},
        .max_commands = 32,
        .login_timeout_ns = SECONDS(15),
        .nop_interval_ns = SECONDS(15),
        .nop_timeout_ns = SECONDS(30),
        .data_out_timeout_ns = SECONDS(60),
    };
}

static inline void node_new_limited(struct node *node, const struct array_profile *profile,
                                    enum plant plant, const struct target_limits *limits)
{
    static const struct port_config ports[] = {{1, 1, 1}, {2, 2, 2}};
    static const struct target_portal portals[] = {{{IPV4(10, 0, 1, 1), 3260}, 1},
                                                   {{IPV4(10, 0, 2, 1), 3260}, 2}};
    static const char *const names[] = {"data", "log"};

    memset(node, 0, sizeof(*node));
    event_queue_init(&node->queue);
    node->pool = pool_new();
    node->trace.ops = node_trace_ops();
    node->device = device_new(&(struct device_config){.target_name = TARGET_NAME,
                                                      .vendor = "ISCSILAB",
                                                      .product = "Virtual Disk",
                                                      .revision = "0001",
                                                      .ports = ports,
                                                      .port_count = ARRAY_SIZE(ports),
                                                      .tpgs = 1},
                              &node->queue.clock, node->pool);
    for (uint16_t i = 0; i < 2; i++) {
        node->memory[i] = memory_store_new(&(struct memory_store_config){.bytes = DISK_BYTES},
                                           &node->queue.clock, node->pool);
        node->media[i] = media_new(&(struct media_model){US(100), US(100), 4}, &node->queue.clock,
                                   memory_store_interface(node->memory[i]));
        device_add_disk(node->device, i,
                        &(struct disk_config){.name = names[i],
                                              .store = media_interface(node->media[i]),
                                              .block_bytes = BLOCK_BYTES,
                                              .is_thin = true});
    }
    node->target = target_new(&(struct target_config){.name = TARGET_NAME,
                                                      .portals = portals,
                                                      .portal_count = ARRAY_SIZE(portals),
                                                      .profile = profile,
                                                      .device = node->device,
                                                      .pool = node->pool,
                                                      .trace = &node->trace,
                                                      .limits = *limits,
                                                      .plant = plant});
}

static inline void node_new_with(struct node *node, const struct array_profile *profile,
                                 enum plant plant)
{
    node_new_limited(node, profile, plant, &(struct target_limits){0});
}

static inline void node_new(struct node *node)
{
    struct array_profile profile = test_profile();

    node_new_with(node, &profile, PLANT_NONE);
}

/* ---- what a peer gets ---- */

static inline void peer_take_pdus(struct peer *peer)
{
    struct got got = {0};

    for (;;) {
        enum framer_outcome outcome = framer_next(&peer->framer, &got.pdu, &got.data);

        if (outcome == FRAMER_NEEDS_MORE)
            return;
        assert_int_equal(outcome, FRAMER_PDU); /* the target's PDUs are good in every field */
        assert_true(pdu_is_from_target(got.pdu.opcode));
        assert_true(peer->got_end < MOST_GOT);
        memcpy(got.header, framer_header(&peer->framer), PDU_HEADER_BYTES);
        peer->got[peer->got_end++] = got;
        got = (struct got){0};
    }
}

/* As an owner would: in pieces that fit no PDU. */
static inline void peer_drain(struct peer *peer)
{
    struct conn_event event;
    struct buf *bytes;

    if (!peer->conn)
        return;
    while (peer->reads &&
           (bytes = conn_take(peer->conn, 1 + peer->got_end % 5 * 999, node_now(peer->node)))) {
        framer_feed(&peer->framer, bytes);
        peer_take_pdus(peer);
    }
    while (conn_next_event(peer->conn, &event)) {
        if (event.kind == CONN_LOGGED_IN) {
            peer->logins++;
            continue;
        }
        assert_false(peer->is_over);
        peer->is_over = true;
        peer->over = event;
    }
    if (!peer->is_over)
        return;
    conn_free(peer->conn, node_now(peer->node));
    peer->conn = NULL;
}

static inline void node_settle(struct node *node)
{
    struct conn *conn;

    while ((conn = target_next_restless(node->target)) != NULL) {
        conn_wake(conn, node_now(node));
        peer_drain(conn_owner(conn));
    }
}

static inline int64_t node_next_ns(const struct node *node)
{
    int64_t next_ns = time_min(event_queue_next_ns(&node->queue), target_deadline_ns(node->target));

    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i]->conn)
            next_ns = time_min(next_ns, conn_deadline_ns(node->peers[i]->conn));
    }
    return next_ns;
}

/* Lets time pass. */
static inline void node_run(struct node *node, int64_t span_ns)
{
    int64_t until_ns = node_now(node) + span_ns;

    for (;;) {
        int64_t next_ns = time_max(node_next_ns(node), node_now(node));

        if (next_ns > until_ns)
            break;
        event_queue_run(&node->queue, next_ns, UINT64_MAX);
        target_wake(node->target, next_ns);
        for (size_t i = 0; i < node->peer_count; i++) {
            struct peer *peer = node->peers[i];

            if (peer->conn && conn_deadline_ns(peer->conn) <= next_ns)
                conn_wake(peer->conn, next_ns);
            peer_drain(peer);
        }
        node_settle(node);
    }
    event_queue_run(&node->queue, until_ns, UINT64_MAX);
    node_settle(node);
}

/* ---- a peer ---- */

static inline struct peer *peer_open(struct node *node, uint32_t portal_index)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    assert_non_null(peer);
    assert_true(node->peer_count < MOST_PEERS);
    *peer = (struct peer){.node = node,
                          .cmd_sn = 100,
                          .itt = 0x1000,
                          .isid = 1,
                          .cid = 1,
                          .reads = true,
                          .max_burst_bytes = 262144};
    peer->conn = conn_new(node->target,
                          &(struct conn_config){
                              .portal_index = portal_index,
                              .local = {IPV4(10, 0, 1 + portal_index, 1), 3260},
                              .remote = {IPV4(10, 0, 1 + portal_index, 11), 50000},
                          },
                          node_now(node));
    assert_non_null(peer->conn);
    conn_set_owner(peer->conn, peer);
    peer->number = conn_number(peer->conn);
    peer->watch = pdu_watch_new(node->pool, true);
    framer_init(&peer->framer, PDU_DATA_MOST, 0);
    node->peers[node->peer_count++] = peer;
    return peer;
}

/* The stream breaks. */
static inline void peer_break(struct peer *peer)
{
    if (!peer->conn)
        return;
    conn_closed(peer->conn, node_now(peer->node));
    peer->reads = true;
    peer_drain(peer);
    node_settle(peer->node);
}

static inline void peer_free(struct peer *peer)
{
    if (peer->conn) {
        conn_free(peer->conn, node_now(peer->node));
        peer->conn = NULL;
        node_settle(peer->node);
    }
    for (; peer->got_first < peer->got_end; peer->got_first++)
        buf_free(peer->got[peer->got_first].data);
    buf_free(peer->last.data);
    framer_fini(&peer->framer);
    pdu_watch_free(peer->watch);
    free(peer);
}

/* Everything is given back: no session, task, nexus, block of memory is left. */
static inline void node_free(struct node *node)
{
    for (size_t i = 0; i < node->peer_count; i++)
        peer_free(node->peers[i]);
    assert_int_equal(node->connections_end, node->peer_count);
    node->peer_count = 0;
    node_run(node, SECONDS(5000));
    assert_int_equal(target_session_count(node->target), 0);
    assert_int_equal(device_live_tasks(node->device), 0);
    assert_int_equal(device_live_nexuses(node->device), 0);
    target_free(node->target);
    device_free(node->device);
    for (size_t i = 0; i < 2; i++) {
        media_free(node->media[i]);
        memory_store_free(node->memory[i]);
    }
    assert_int_equal(pool_live_chunks(node->pool), 0);
    assert_int_equal(pool_live_bufs(node->pool), 0);
    assert_int_equal(pool_live_blocks(node->pool), 0);
    pool_free(node->pool);
    event_queue_fini(&node->queue);
    if (!node->is_lawless)
        assert_string_equal(node->broken, "");
}

/* ---- sending ---- */

/* Feeds the chain and drains. */
static inline void peer_feed(struct peer *peer, struct buf *bytes)
{
    assert_non_null(peer->conn);
    conn_feed(peer->conn, bytes, node_now(peer->node));
    peer_drain(peer);
    node_settle(peer->node);
}

static inline void peer_send(struct peer *peer, const struct pdu *pdu, const void *data,
                             size_t bytes)
{
    struct buf *segment = bytes ? buf_copy(peer->node->pool, data, bytes) : NULL;

    peer_feed(peer, framer_encode(peer->node->pool, pdu, segment, peer->digests));
}

static inline void peer_send_raw(struct peer *peer, const void *data, size_t bytes)
{
    if (bytes > 0)
        peer_feed(peer, buf_copy(peer->node->pool, data, bytes));
}

/* A request with the next CmdSN, which an immediate one does not use up, and a tag of its own. */
static inline struct pdu peer_request(struct peer *peer, enum pdu_opcode opcode, bool is_immediate)
{
    struct pdu pdu = {.opcode = (uint8_t)opcode,
                      .is_immediate = is_immediate,
                      .is_final = true,
                      .itt = peer->itt++,
                      .ttt = PDU_NO_TAG,
                      .cmd_sn = peer->cmd_sn,
                      .exp_stat_sn = peer->stat_sn};

    if (!is_immediate)
        peer->cmd_sn++;
    return pdu;
}

/* ---- looking ---- */

static inline bool peer_has(const struct peer *peer)
{
    return peer->got_first < peer->got_end;
}

static inline void expect_nothing(struct peer *peer)
{
    if (peer_has(peer))
        fail_msg("expected nothing, got %s", pdu_name(peer->got[peer->got_first].pdu.opcode));
}

/* Which PDUs take a StatSN (4.2.2.2). */
static inline bool takes_stat_sn(const struct pdu *pdu)
{
    switch (pdu->opcode) {
    case PDU_R2T:
        return false;
    case PDU_DATA_IN:
        return pdu->data_in.has_status;
    case PDU_NOP_IN:
        return pdu->itt != PDU_NO_TAG;
    default:
        return true;
    }
}

/* The numbers of every PDU that the target sends (4.2.2). */
static inline void check_numbers(struct peer *peer, const struct pdu *pdu)
{
    if (takes_stat_sn(pdu)) {
        if (peer->has_stat_sn)
            assert_int_equal(pdu->stat_sn, peer->stat_sn);
        peer->has_stat_sn = true;
        peer->stat_sn = pdu->stat_sn + 1;
    } else if (pdu->opcode != PDU_DATA_IN) {
        assert_int_equal(pdu->stat_sn, peer->stat_sn); /* shown, not taken */
    }
    assert_false(sn_before(pdu->max_cmd_sn, pdu->exp_cmd_sn - 1));
    if (peer->max_cmd_sn != 0) {
        assert_false(sn_before(pdu->max_cmd_sn, peer->max_cmd_sn));
        assert_false(sn_before(pdu->exp_cmd_sn, peer->exp_cmd_sn));
    }
    peer->max_cmd_sn = pdu->max_cmd_sn;
    peer->exp_cmd_sn = pdu->exp_cmd_sn;
}

/* The next PDU, which is there and is this; valid until the next one is looked at. */
static inline const struct got *expect(struct peer *peer, enum pdu_opcode opcode)
{
    if (!peer_has(peer))
        fail_msg("expected %s, got nothing", pdu_name((uint8_t)opcode));
    buf_free(peer->last.data);
    peer->last = peer->got[peer->got_first++];
    if (peer->last.pdu.opcode != opcode)
        fail_msg("expected %s, got %s", pdu_name((uint8_t)opcode), pdu_name(peer->last.pdu.opcode));
    check_numbers(peer, &peer->last.pdu);
    return &peer->last;
}

static inline void expect_over(struct peer *peer, enum conn_end end)
{
    assert_true(peer->is_over);
    assert_string_equal(conn_end_word(peer->over.end), conn_end_word(end));
}

/* ---- login ---- */

/* "a=b\nc=d" as text segments are: with NULs. Returns the bytes. */
static inline size_t text_of(const char *pairs, char *to, size_t room)
{
    size_t bytes = strlen(pairs);

    if (bytes == 0)
        return 0;
    assert_true(bytes < room);
    memcpy(to, pairs, bytes + 1);
    for (size_t i = 0; i < bytes; i++) {
        if (to[i] == '\n')
            to[i] = '\0';
    }
    return bytes + 1;
}

static inline struct pdu login_request(struct peer *peer, uint8_t csg, uint8_t nsg, bool transit)
{
    struct pdu pdu = {.opcode = PDU_LOGIN_REQUEST,
                      .is_immediate = true,
                      .itt = 0x700,
                      .cmd_sn = peer->cmd_sn,
                      .exp_stat_sn = peer->stat_sn,
                      .login_request = {.transit = transit,
                                        .csg = csg,
                                        .nsg = nsg,
                                        .isid = {0x80, 0, 0, 0, 0, peer->isid},
                                        .tsih = peer->tsih,
                                        .cid = peer->cid}};

    return pdu;
}

static inline void send_login(struct peer *peer, const struct pdu *pdu, const char *pairs)
{
    static char text[70000];

    peer_send(peer, pdu, text, text_of(pairs, text, sizeof(text)));
}

/* A value of the last PDU's text; NULL: the key is not there. */
static inline const char *text_value(const struct got *got, const char *key)
{
    static char text[70000];
    size_t bytes = buf_bytes(got->data);
    const char *value;

    assert_true(bytes < sizeof(text));
    buf_read(got->data, 0, text, bytes);
    assert_int_equal(text_check(text, bytes, &text_targets_limits), TEXT_OK);
    value = text_find(text, bytes, key);
    return value;
}

static inline uint16_t login_status(const struct got *got)
{
    return (uint16_t)(got->pdu.login_response.status_class << 8 |
                      got->pdu.login_response.status_detail);
}

/* They hold from the end of login on. */
static inline void note_digests(struct peer *peer, const struct got *got)
{
    const char *value = text_value(got, "HeaderDigest");

    peer->agreed.header |= value && strcmp(value, "CRC32C") == 0;
    value = text_value(got, "DataDigest");
    peer->agreed.data |= value && strcmp(value, "CRC32C") == 0;
}

static inline void login_done(struct peer *peer, const struct got *got)
{
    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_true(got->pdu.login_response.transit);
    assert_int_equal(got->pdu.login_response.nsg, ISCSI_FULL_FEATURE_PHASE);
    assert_int_not_equal(got->pdu.login_response.tsih, 0);
    peer->tsih = got->pdu.login_response.tsih;
    note_digests(peer, got);
    peer->digests = peer->agreed;
    framer_set_digests(&peer->framer, peer->digests.header, peer->digests.data);
    assert_int_equal(peer->logins, 1);
}

/* One request, straight into operational negotiation. */
static inline void peer_login_as(struct peer *peer, const char *name, const char *type,
                                 const char *keys)
{
    struct pdu pdu =
        login_request(peer, ISCSI_LOGIN_OPERATIONAL_NEGOTIATION, ISCSI_FULL_FEATURE_PHASE, true);
    char pairs[4096];

    snprintf(pairs, sizeof(pairs), "InitiatorName=%s\n%s%s%s", name, type, keys[0] ? "\n" : "",
             keys);
    send_login(peer, &pdu, pairs);
    const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

    if (!got->pdu.login_response.transit && login_status(got) == 0) { /* it had offers of its own */
        char answers[1024] = "";

        note_digests(peer, got);
        const char *value;

        if ((value = text_value(got, "FirstBurstLength")) && !strstr(keys, "FirstBurstLength"))
            snprintf(answers, sizeof(answers), "FirstBurstLength=%s\n", value);
        if ((value = text_value(got, "MaxBurstLength")) && !strstr(keys, "MaxBurstLength"))
            snprintf(answers + strlen(answers), sizeof(answers) - strlen(answers),
                     "MaxBurstLength=%s\n", value);
        if ((value = text_value(got, "DefaultTime2Retain")) && !strstr(keys, "Time2Retain"))
            snprintf(answers + strlen(answers), sizeof(answers) - strlen(answers),
                     "DefaultTime2Retain=%s\n", value);
        if (answers[0])
            answers[strlen(answers) - 1] = '\0';
        send_login(peer, &pdu, answers);
        got = expect(peer, PDU_LOGIN_RESPONSE);
    }
    login_done(peer, got);
}

static inline void peer_login(struct peer *peer, const char *keys)
{
    peer_login_as(peer, HOST_1, "TargetName=" TARGET_NAME, keys);
}

/* ---- commands ---- */

static inline struct pdu command(struct peer *peer, const uint8_t *cdb, bool is_write,
                                 uint32_t expected_bytes)
{
    struct pdu pdu = peer_request(peer, PDU_SCSI_COMMAND, false);

    pdu.command.is_read = !is_write && expected_bytes > 0;
    pdu.command.is_write = is_write;
    pdu.command.attribute = ISCSI_SIMPLE;
    pdu.command.expected_bytes = expected_bytes;
    memcpy(pdu.command.cdb, cdb, PDU_CDB_BYTES);
    return pdu;
}

static inline struct pdu read_command(struct peer *peer, uint32_t lba, uint16_t blocks)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_transfer_build(
        &(struct scsi_transfer){.opcode = SCSI_READ_10, .lba = lba, .blocks = blocks}, cdb);
    return command(peer, cdb, false, blocks * BLOCK_BYTES);
}

static inline struct pdu write_command(struct peer *peer, uint32_t lba, uint16_t blocks)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_transfer_build(
        &(struct scsi_transfer){.opcode = SCSI_WRITE_10, .lba = lba, .blocks = blocks}, cdb);
    return command(peer, cdb, true, blocks * BLOCK_BYTES);
}

static inline uint32_t send_command(struct peer *peer, const struct pdu *pdu)
{
    peer_send(peer, pdu, NULL, 0);
    return pdu->itt;
}

/* Bytes that tell where they are. */
static inline const uint8_t *pattern(uint32_t seed, size_t bytes)
{
    static uint8_t data[2 * 1024 * 1024];

    assert_true(bytes <= sizeof(data));
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(seed * 31 + i * 7 + i / 251);
    return data;
}

/* Data-Out; 'ttt' PDU_NO_TAG: unsolicited. */
static inline void send_data(struct peer *peer, const struct pdu *write, uint32_t ttt,
                             uint32_t data_sn, uint32_t offset, uint32_t bytes, bool is_final,
                             uint32_t seed)
{
    struct pdu pdu = {.opcode = PDU_DATA_OUT,
                      .is_final = is_final,
                      .lun = ttt == PDU_NO_TAG ? 0 : write->lun,
                      .itt = write->itt,
                      .ttt = ttt,
                      .exp_stat_sn = peer->stat_sn,
                      .data_out = {.data_sn = data_sn, .buffer_offset = offset}};

    peer_send(peer, &pdu, pattern(seed, offset + bytes) + offset, bytes);
}

/* Answers one R2T in one PDU. */
static inline void answer_r2t(struct peer *peer, const struct pdu *write, const struct got *r2t,
                              uint32_t seed)
{
    struct pdu_r2t asked = r2t->pdu.r2t;

    send_data(peer, write, r2t->pdu.ttt, 0, asked.buffer_offset, asked.desired_bytes, true, seed);
}

/* The status that ends a command without Data-In, after time for the media. */
static inline const struct got *expect_status(struct peer *peer, uint32_t itt, uint8_t status)
{
    node_run(peer->node, MS(10));
    const struct got *got = expect(peer, PDU_SCSI_RESPONSE);

    assert_int_equal(got->pdu.itt, itt);
    assert_int_equal(got->pdu.response.response, ISCSI_RESPONSE_COMPLETED_AT_TARGET);
    assert_int_equal(got->pdu.response.status, status);
    return got;
}

/* CHECK CONDITION with this sense, 0xKKAAQQ. */
static inline const struct got *expect_sense(struct peer *peer, uint32_t itt, uint32_t sense)
{
    const struct got *got = expect_status(peer, itt, SCSI_CHECK_CONDITION);
    uint8_t data[2 + 64];
    size_t bytes = buf_bytes(got->data);
    struct scsi_sense parsed;

    assert_in_range(bytes, 4, sizeof(data));
    buf_read(got->data, 0, data, bytes);
    assert_int_equal(get_be16(data), bytes - 2);
    assert_true(scsi_sense_parse(data + 2, bytes - 2, &parsed));
    assert_int_equal((uint32_t)parsed.key << 16 | scsi_sense_asc(&parsed), sense);
    return got;
}

/* All Data-In of a read that ends in GOOD; the data in a static buffer. Every PDU is checked
 * against what the standard says of numbers, offsets and flags. */
static inline const uint8_t *expect_data(struct peer *peer, uint32_t itt, uint32_t bytes,
                                         uint32_t max_segment_bytes, uint32_t max_burst_bytes)
{
    static uint8_t data[2 * 1024 * 1024];
    uint32_t offset = 0;
    uint32_t burst_bytes = 0;

    node_run(peer->node, MS(10));
    for (uint32_t data_sn = 0; offset < bytes; data_sn++) {
        const struct got *got = expect(peer, PDU_DATA_IN);
        uint32_t here = got->pdu.data_bytes;
        bool is_last = offset + here == bytes;

        assert_int_equal(got->pdu.itt, itt);
        assert_int_equal(got->pdu.ttt, PDU_NO_TAG);
        assert_int_equal(got->pdu.lun, 0);
        assert_false(got->pdu.data_in.asks_ack);
        assert_int_equal(got->pdu.data_in.data_sn, data_sn);
        assert_int_equal(got->pdu.data_in.buffer_offset, offset);
        assert_in_range(here, 1, max_segment_bytes);
        assert_true(offset + here <= bytes);
        buf_read(got->data, 0, data + offset, here);
        offset += here;
        burst_bytes += here;
        assert_true(burst_bytes <= max_burst_bytes);
        assert_int_equal(got->pdu.is_final, is_last || burst_bytes == max_burst_bytes);
        if (got->pdu.is_final)
            burst_bytes = 0;
        else
            assert_int_equal(here % 4, 0);
        assert_int_equal(got->pdu.data_in.has_status, is_last);
        if (is_last)
            assert_int_equal(got->pdu.data_in.status, SCSI_GOOD);
    }
    return data;
}

/* A whole write by R2T, and a whole read. */
static inline void do_write(struct peer *peer, uint32_t lba, uint16_t blocks, uint32_t seed)
{
    struct pdu pdu = write_command(peer, lba, blocks);

    send_command(peer, &pdu);
    answer_r2t(peer, &pdu, expect(peer, PDU_R2T), seed);
    expect_status(peer, pdu.itt, SCSI_GOOD);
}

static inline void do_read(struct peer *peer, uint32_t lba, uint16_t blocks, uint32_t seed,
                           uint32_t max_segment_bytes)
{
    struct pdu pdu = read_command(peer, lba, blocks);
    uint32_t bytes = blocks * BLOCK_BYTES;
    uint32_t itt = send_command(peer, &pdu);

    assert_memory_equal(expect_data(peer, itt, bytes, max_segment_bytes, peer->max_burst_bytes),
                        pattern(seed, bytes), bytes);
}

/* Unit attentions are told, one per command: the disk is ready after that. */
static inline void clear_attentions(struct peer *peer, uint64_t lun)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_test_unit_ready(cdb);
    for (int i = 0; i < 5; i++) {
        struct pdu pdu = command(peer, cdb, false, 0);

        pdu.lun = lun;
        send_command(peer, &pdu);
        node_run(peer->node, MS(1));
        if (expect(peer, PDU_SCSI_RESPONSE)->pdu.response.status == SCSI_GOOD)
            return;
    }
    fail_msg("the disk does not become ready");
}

/* INQUIRY, TEST UNIT READY and READ CAPACITY are answered. */
static inline void peer_base(struct peer *peer)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_inquiry(cdb, 36);
    struct pdu inquiry = command(peer, cdb, false, 36);

    expect_data(peer, send_command(peer, &inquiry), 36, 8192, 262144);
    clear_attentions(peer, 0);
    scsi_cdb_read_capacity_10(cdb);
    struct pdu capacity = command(peer, cdb, false, 8);

    expect_data(peer, send_command(peer, &capacity), 8, 8192, 262144);
}

/* ---- the rest ---- */

static inline void expect_logout(struct peer *peer)
{
    struct pdu pdu = peer_request(peer, PDU_LOGOUT_REQUEST, true);

    pdu.logout_request.reason = ISCSI_LOGOUT_CLOSE_SESSION;
    peer_send(peer, &pdu, NULL, 0);
    node_run(peer->node, MS(10));
    const struct got *got = expect(peer, PDU_LOGOUT_RESPONSE);

    assert_int_equal(got->pdu.itt, pdu.itt);
    assert_int_equal(got->pdu.logout_response.response, ISCSI_LOGOUT_CLOSED);
    expect_over(peer, CONN_LOGGED_OUT_WELL);
    assert_true(peer->over.is_orderly);
}

static inline void expect_echo(struct peer *peer, const struct pdu *nop, const void *data,
                               size_t bytes)
{
    static uint8_t echoed[262144];
    const struct got *got = expect(peer, PDU_NOP_IN);

    assert_int_equal(got->pdu.itt, nop->itt);
    assert_int_equal(got->pdu.ttt, PDU_NO_TAG);
    assert_int_equal(got->pdu.data_bytes, bytes);
    buf_read(got->data, 0, echoed, bytes);
    if (bytes > 0)
        assert_memory_equal(echoed, data, bytes);
}

static inline struct pdu task_request(struct peer *peer, uint8_t function, bool is_immediate)
{
    struct pdu pdu = peer_request(peer, PDU_TASK_REQUEST, is_immediate);

    pdu.task_request.function = function;
    pdu.task_request.ref_task_tag = PDU_NO_TAG;
    return pdu;
}

static inline void expect_task_response(struct peer *peer, const struct pdu *request,
                                        uint8_t response)
{
    node_run(peer->node, MS(1));
    const struct got *got = expect(peer, PDU_TASK_RESPONSE);

    assert_int_equal(got->pdu.itt, request->itt);
    assert_int_equal(got->pdu.task_response.response, response);
}

/* A Reject with a copy of the header as it was sent. */
static inline void expect_reject(struct peer *peer, uint8_t reason, const struct pdu *rejected)
{
    const struct got *got = expect(peer, PDU_REJECT);
    uint8_t header[PDU_HEADER_BYTES];
    uint8_t sent[PDU_HEADER_BYTES];

    assert_int_equal(got->pdu.reject.reason, reason);
    assert_int_equal(got->pdu.itt, PDU_NO_TAG);
    assert_int_equal(got->pdu.data_bytes, PDU_HEADER_BYTES);
    buf_read(got->data, 0, header, PDU_HEADER_BYTES);
    if (!rejected)
        return;
    pdu_encode(rejected, sent);
    memcpy(sent + 4, header + 4, 4); /* the lengths are the framer's */
    assert_memory_equal(header, sent, PDU_HEADER_BYTES);
}
