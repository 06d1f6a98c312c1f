/* A net and a target of a few lines, for tests of the host: streams with a fixed delay over the
 * event queue, and a target that answers what a host asks, one disk behind each of its LUNs.
 *
 * The real ones are sim/net and target/, which this room does not know.
 */
#pragma once

#include "initiator/host.h"
#include "iscsi/framer.h"
#include "iscsi/negotiate.h"
#include "iscsi/scsi.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define SAN_TARGET      "iqn.2026-01.com.example:san1"
#define SAN_DELAY_NS    US(50)
#define SAN_PORTALS     2u
#define SAN_LUNS        2u
#define SAN_BLOCK       512u
#define SAN_BLOCKS      2048u
#define SAN_STREAMS     64u
#define SAN_ADDRESS(n)  IPV4(172, 16, 0, 51 + (n))
#define HOST_ADDRESS(n) IPV4(172, 16, 0, 61 + (n))

struct small_san;

struct san_stream {
    struct stream stream;
    struct small_san *san;
    uint32_t portal;
    bool is_used;
    bool is_up;        /* connected */
    bool is_host_gone; /* closed or aborted by the host */
    struct timer up;   /* connects, or fails */
    struct timer to_target;
    struct timer to_host;
    struct buf_queue toward_target;
    struct buf_queue toward_host;
    struct buf_queue held; /* while the host does not read */
    bool is_paused;
    /* The target's session. */
    struct framer framer;
    struct negotiation negotiation;
    bool is_logged_in;
    bool has_attention; /* per session: power on, reset */
    uint32_t stat_sn;
    uint32_t exp_cmd_sn;
    uint8_t isid[6];
};

enum san_portal_state { PORTAL_WORKS, PORTAL_REFUSES, PORTAL_SILENT };

struct small_san {
    struct net net;
    struct event_queue queue;
    struct pool *pool;
    struct san_stream streams[SAN_STREAMS];
    enum san_portal_state portals[SAN_PORTALS];
    struct link_watch *watches;
    bool is_link_up;
    uint8_t identity; /* last byte of the designators: another one is another disk */
    uint8_t *blocks[SAN_LUNS];
    uint32_t sessions;
    uint32_t logouts;
    uint32_t busy_answers; /* TEST UNIT READY: so many times BUSY first */
    uint64_t writes;
};

static inline struct san_stream *san_stream_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct san_stream, stream);
}

static inline void san_free_stream(struct san_stream *s)
{
    clock_cancel(&s->san->queue.clock, &s->up);
    clock_cancel(&s->san->queue.clock, &s->to_host);
    clock_cancel(&s->san->queue.clock, &s->to_target);
    buf_queue_clear(&s->toward_target);
    buf_queue_clear(&s->toward_host);
    buf_queue_clear(&s->held);
    framer_fini(&s->framer);
    s->san->sessions -= s->is_logged_in;
    s->is_logged_in = false;
    s->is_used = false;
}

static inline bool san_is_silent(const struct san_stream *s)
{
    return s->san->portals[s->portal] == PORTAL_SILENT;
}

/* The stream's operations, as the host calls them. */

static void san_write(struct stream *stream, struct buf *data)
{
    struct san_stream *s = san_stream_of(stream);

    buf_queue_put(&s->toward_target, data);
    if (!timer_is_armed(&s->to_target))
        clock_arm(&s->san->queue.clock, &s->to_target,
                  clock_now_ns(&s->san->queue.clock) + SAN_DELAY_NS);
}

static size_t san_room(const struct stream *stream)
{
    const struct san_stream *s = (const struct san_stream *)stream; /* its first member */

    return s->toward_target.bytes < 262144 ? 262144 - s->toward_target.bytes : 0;
}

static void san_pause(struct stream *stream)
{
    san_stream_of(stream)->is_paused = true;
}

static void san_resume(struct stream *stream)
{
    struct san_stream *s = san_stream_of(stream);

    s->is_paused = false;
    clock_arm(&s->san->queue.clock, &s->to_host, clock_now_ns(&s->san->queue.clock));
}

static void san_close(struct stream *stream)
{
    san_free_stream(san_stream_of(stream));
}

static const struct stream_ops san_stream_ops = {.write = san_write,
                                                 .room = san_room,
                                                 .pause = san_pause,
                                                 .resume = san_resume,
                                                 .close = san_close,
                                                 .abort = san_close};

/* The target. */

static inline void san_send(struct san_stream *s, struct pdu pdu, struct buf *data, bool is_status)
{
    pdu.stat_sn = is_status || pdu.opcode != PDU_DATA_IN ? s->stat_sn : 0;
    s->stat_sn += is_status;
    pdu.exp_cmd_sn = s->exp_cmd_sn;
    pdu.max_cmd_sn = s->exp_cmd_sn + 31;
    buf_queue_put(&s->toward_host,
                  framer_encode(s->san->pool, &pdu, data, (struct framer_digests){0}));
    if (!timer_is_armed(&s->to_host))
        clock_arm(&s->san->queue.clock, &s->to_host,
                  clock_now_ns(&s->san->queue.clock) + SAN_DELAY_NS);
}

static inline void san_login(struct san_stream *s, const struct pdu *pdu, struct buf *data)
{
    char keys[8192];
    size_t bytes = buf_bytes(data);
    struct text answers;
    bool continues;
    struct pdu response = {.opcode = PDU_LOGIN_RESPONSE,
                           .itt = pdu->itt,
                           .login_response = {.transit = true, .csg = 1, .nsg = 3, .tsih = 1}};

    buf_read(data, 0, keys, bytes);
    bool is_discovery = text_find(keys, bytes, "TargetName") == NULL;

    negotiate_init(&s->negotiation,
                   (struct negotiate_role){.is_discovery = is_discovery, .is_leading = true},
                   &iscsi_default_params);
    text_init(&answers, s->san->pool, 8192);
    assert_int_equal(
        negotiate_receive(&s->negotiation, NEGOTIATE_OPERATIONAL, keys, bytes, &answers),
        NEGOTIATE_GOOD);
    memcpy(response.login_response.isid, pdu->login_request.isid, 6);
    memcpy(s->isid, pdu->login_request.isid, 6);
    s->exp_cmd_sn = pdu->cmd_sn;
    s->stat_sn = 1;
    s->is_logged_in = true;
    s->has_attention = true;
    s->san->sessions++;
    struct buf *text = text_take(&answers, 8192, &continues);

    text_fini(&answers);
    san_send(s, response, text, true);
}

static inline void san_sense(struct san_stream *s, const struct pdu *pdu, uint8_t key, uint8_t asc)
{
    uint8_t sense[20] = {0, 18, 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc};
    struct pdu response = {.opcode = PDU_SCSI_RESPONSE,
                           .is_final = true,
                           .itt = pdu->itt,
                           .response = {.status = SCSI_CHECK_CONDITION}};

    response.response.residual.is_underflow = pdu->command.expected_bytes > 0;
    response.response.residual.bytes = pdu->command.expected_bytes;
    san_send(s, response, buf_copy(s->san->pool, sense, sizeof(sense)), true);
}

static inline void san_status(struct san_stream *s, const struct pdu *pdu, uint8_t status)
{
    san_send(s,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = pdu->itt,
                          .response = {.status = status}},
             NULL, true);
}

static inline void san_data(struct san_stream *s, const struct pdu *pdu, const uint8_t *data,
                            uint32_t bytes)
{
    uint32_t edtl = pdu->command.expected_bytes;
    uint32_t data_sn = 0;
    uint32_t offset = 0;

    if (bytes > edtl)
        bytes = edtl;
    do {
        uint32_t here = bytes - offset < 8192 ? bytes - offset : 8192;
        bool is_last = offset + here == bytes;
        struct pdu in = {
            .opcode = PDU_DATA_IN,
            .is_final = is_last,
            .itt = pdu->itt,
            .ttt = PDU_NO_TAG,
            .data_in = {.data_sn = data_sn++, .buffer_offset = offset, .has_status = is_last}};

        in.data_in.residual.is_underflow = is_last && bytes < edtl;
        in.data_in.residual.bytes = is_last ? edtl - bytes : 0;
        san_send(s, in, buf_copy(s->san->pool, data + offset, here), is_last);
        offset += here;
    } while (offset < bytes);
}

static inline void san_inquiry(struct san_stream *s, const struct pdu *pdu, uint32_t lun)
{
    static const uint8_t pages[] = {0, 0, 0, 3, 0, 0x80, 0x83};
    static const uint8_t serial[] = {0, 0x80, 0, 6, 'S', 'E', 'R', '0', '0', '0'};
    static const uint8_t naa[] = {0, 0x83, 0, 12, 1, 3, 0, 8, 0x60, 1, 2, 3, 4, 5, 0, 0};
    const uint8_t *cdb = pdu->command.cdb;
    uint8_t data[96] = {0};

    if (!(cdb[1] & 1)) {
        data[2] = 6;
        data[3] = 2;
        data[4] = 91;
        san_data(s, pdu, data, 96);
        return;
    }
    data[1] = cdb[2];
    switch (cdb[2]) {
    case SCSI_VPD_SUPPORTED_PAGES:
        memcpy(data, pages, sizeof(pages));
        san_data(s, pdu, data, sizeof(pages));
        break;
    case SCSI_VPD_UNIT_SERIAL_NUMBER:
        memcpy(data, serial, sizeof(serial));
        data[9] = (uint8_t)('0' + lun);
        san_data(s, pdu, data, sizeof(serial));
        break;
    case SCSI_VPD_DEVICE_IDENTIFICATION:
        memcpy(data, naa, sizeof(naa));
        data[14] = s->san->identity;
        data[15] = (uint8_t)lun;
        san_data(s, pdu, data, sizeof(naa));
        break;
    default:
        san_sense(s, pdu, SCSI_ILLEGAL_REQUEST, 0x24);
        break;
    }
}

static inline void san_command(struct san_stream *s, const struct pdu *pdu, struct buf *data)
{
    static uint8_t answer[65536];
    const uint8_t *cdb = pdu->command.cdb;
    uint32_t lun = (uint32_t)(pdu->lun >> 48);
    struct scsi_transfer transfer;

    memset(answer, 0, 64);
    if (cdb[0] == SCSI_REPORT_LUNS) {
        put_be32(answer, 8 * SAN_LUNS);
        for (uint32_t i = 0; i < SAN_LUNS; i++)
            put_be64(answer + 8 + 8 * i, (uint64_t)i << 48);
        san_data(s, pdu, answer, 8 + 8 * SAN_LUNS);
    } else if (lun >= SAN_LUNS) {
        san_sense(s, pdu, SCSI_ILLEGAL_REQUEST, 0x25);
    } else if (cdb[0] == SCSI_INQUIRY) {
        san_inquiry(s, pdu, lun);
    } else if (s->has_attention) {
        s->has_attention = false;
        san_sense(s, pdu, SCSI_UNIT_ATTENTION, 0x29);
    } else if (cdb[0] == SCSI_TEST_UNIT_READY) {
        bool is_busy = s->san->busy_answers > 0;

        s->san->busy_answers -= is_busy;
        san_status(s, pdu, is_busy ? SCSI_BUSY : SCSI_GOOD);
    } else if (cdb[0] == SCSI_SERVICE_ACTION_IN_16) {
        put_be64(answer, SAN_BLOCKS - 1);
        put_be32(answer + 8, SAN_BLOCK);
        san_data(s, pdu, answer, 32);
    } else if (scsi_transfer_parse(cdb, &transfer) &&
               transfer.lba + transfer.blocks <= SAN_BLOCKS) {
        uint8_t *at = s->san->blocks[lun] + transfer.lba * SAN_BLOCK;

        if (pdu->command.is_read) {
            san_data(s, pdu, at, transfer.blocks * SAN_BLOCK);
        } else { /* small ones only: all of it is immediate */
            assert_int_equal(buf_bytes(data), transfer.blocks * SAN_BLOCK);
            buf_read(data, 0, at, transfer.blocks * SAN_BLOCK);
            s->san->writes++;
            san_status(s, pdu, SCSI_GOOD);
        }
    } else {
        san_sense(s, pdu, SCSI_ILLEGAL_REQUEST, 0x20);
    }
}

static inline void san_text(struct san_stream *s, const struct pdu *pdu)
{
    static const char answer[] = "TargetName=" SAN_TARGET "\0TargetAddress=172.16.0.51:3260,1\0"
                                 "TargetAddress=172.16.0.52:3260,2";

    san_send(s,
             (struct pdu){
                 .opcode = PDU_TEXT_RESPONSE, .is_final = true, .itt = pdu->itt, .ttt = PDU_NO_TAG},
             buf_copy(s->san->pool, answer, sizeof(answer)), true);
}

static inline void san_pdu(struct san_stream *s, const struct pdu *pdu, struct buf *data)
{
    if (pdu->opcode != PDU_LOGIN_REQUEST && pdu->opcode != PDU_DATA_OUT && !pdu->is_immediate)
        s->exp_cmd_sn++;
    switch (pdu->opcode) {
    case PDU_LOGIN_REQUEST:
        san_login(s, pdu, data);
        break;
    case PDU_SCSI_COMMAND:
        san_command(s, pdu, data);
        break;
    case PDU_TEXT_REQUEST:
        san_text(s, pdu);
        break;
    case PDU_NOP_OUT:
        san_send(s,
                 (struct pdu){
                     .opcode = PDU_NOP_IN, .is_final = true, .itt = pdu->itt, .ttt = PDU_NO_TAG},
                 NULL, true);
        break;
    case PDU_LOGOUT_REQUEST:
        s->san->logouts++;
        san_send(s, (struct pdu){.opcode = PDU_LOGOUT_RESPONSE, .is_final = true, .itt = pdu->itt},
                 NULL, true);
        break;
    default:
        fail_msg("%s came", pdu_name(pdu->opcode));
    }
    buf_free(data);
}

static void san_reaches_target(struct timer *timer)
{
    struct san_stream *s = CONTAINER_OF(timer, struct san_stream, to_target);
    struct pdu pdu;
    struct buf *data;

    if (san_is_silent(s))
        return; /* what was on its way waits, for ever as far as anyone can see */
    framer_feed(&s->framer, buf_queue_take(&s->toward_target, s->toward_target.bytes));
    while (s->is_used && framer_next(&s->framer, &pdu, &data) == FRAMER_PDU)
        san_pdu(s, &pdu, data);
}

static void san_reaches_host(struct timer *timer)
{
    struct san_stream *s = CONTAINER_OF(timer, struct san_stream, to_host);

    if (san_is_silent(s) || s->is_paused || s->toward_host.bytes == 0)
        return;
    s->stream.user->ops->on_data(s->stream.user,
                                 buf_queue_take(&s->toward_host, s->toward_host.bytes));
}

static void san_connects(struct timer *timer)
{
    struct san_stream *s = CONTAINER_OF(timer, struct san_stream, up);
    struct stream_user *user = s->stream.user;

    switch (s->san->portals[s->portal]) {
    case PORTAL_WORKS:
        s->is_up = true;
        user->ops->on_connected(user);
        break;
    case PORTAL_REFUSES:
        san_free_stream(s);
        user->ops->on_closed(user, CLOSED_RST);
        break;
    case PORTAL_SILENT:
        break;
    }
}

static struct stream *san_connect(struct net *net, struct endpoint from, struct endpoint to,
                                  const struct tcp_options *options, struct stream_user *user)
{
    struct small_san *san = CONTAINER_OF(net, struct small_san, net);

    (void)options;
    for (uint32_t i = 0; i < SAN_STREAMS; i++) {
        struct san_stream *s = &san->streams[i];

        if (s->is_used)
            continue;
        *s = (struct san_stream){
            .stream = {.ops = &san_stream_ops, .user = user, .local = from, .remote = to},
            .san = san,
            .portal = to.address - SAN_ADDRESS(0),
            .is_used = true};
        assert_true(s->portal < SAN_PORTALS);
        timer_init(&s->up, san_connects);
        timer_init(&s->to_target, san_reaches_target);
        timer_init(&s->to_host, san_reaches_host);
        framer_init(&s->framer, 1 << 20, PDU_AHS_MOST_BYTES);
        clock_arm(&san->queue.clock, &s->up, clock_now_ns(&san->queue.clock) + SAN_DELAY_NS);
        return &s->stream;
    }
    fail_msg("too many streams");
    return NULL;
}

static bool san_is_link_up(const struct net *net, uint32_t address)
{
    (void)address;
    return ((const struct small_san *)net)->is_link_up; /* its first member */
}

static void san_watch_link(struct net *net, uint32_t address, struct link_watch *watch)
{
    struct small_san *san = CONTAINER_OF(net, struct small_san, net);

    (void)address;
    watch->next = san->watches;
    san->watches = watch;
}

static const struct net_ops san_net_ops = {
    .connect = san_connect, .is_link_up = san_is_link_up, .watch_link = san_watch_link};

static inline void san_init(struct small_san *san)
{
    memset(san, 0, sizeof(*san));
    san->net.ops = &san_net_ops;
    event_queue_init(&san->queue);
    san->pool = pool_new();
    san->is_link_up = true;
    san->identity = 7;
    for (uint32_t i = 0; i < SAN_LUNS; i++)
        san->blocks[i] = mem_new((size_t)SAN_BLOCK * SAN_BLOCKS);
}

static inline void san_fini(struct small_san *san)
{
    for (uint32_t i = 0; i < SAN_STREAMS; i++) {
        if (san->streams[i].is_used)
            san_free_stream(&san->streams[i]);
    }
    for (uint32_t i = 0; i < SAN_LUNS; i++)
        free(san->blocks[i]);
    event_queue_fini(&san->queue);
    assert_int_equal(pool_live_bufs(san->pool), 0);
    assert_int_equal(pool_live_chunks(san->pool), 0);
    assert_int_equal(pool_live_blocks(san->pool), 0);
    pool_free(san->pool);
}

static inline void san_run(struct small_san *san, int64_t span_ns)
{
    event_queue_run(&san->queue, clock_now_ns(&san->queue.clock) + span_ns, 10000000);
}

/* Breaks every connection of a portal, as a target does that lost its power and is back. */
static inline void san_reset(struct small_san *san, uint32_t portal)
{
    for (uint32_t i = 0; i < SAN_STREAMS; i++) {
        struct san_stream *s = &san->streams[i];
        struct stream_user *user = s->stream.user;

        if (!s->is_used || s->portal != portal)
            continue;
        san_free_stream(s);
        user->ops->on_closed(user, CLOSED_RST);
    }
}
