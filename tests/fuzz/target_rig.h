/* A target for fuzzers: two portals, two disks behind a media model, and up to four connections of
 * a hostile initiator, in virtual time. Each step of an input (steps.h) is a PDU with its numbers
 * chosen right or wrong, or something that happens to the connection.
 *
 * By the setup an initiator has to authenticate (CHAP), and may want proof of the target.
 *
 * Whatever is sent, the target's own PDUs are well-formed and count right, stay within what was
 * asked for, and in the end nothing is left: no session, task, nexus, block of memory.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "iscsi/chap.h"
#include "iscsi/crc32c.h"
#include "iscsi/framer.h"
#include "iscsi/scsi.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "target/conn.h"
#include "target/device.h"
#include "target/media.h"
#include "target/memory_store.h"
#include "target/target.h"
#include "tests/fuzz/steps.h"

#define FUZZ_TARGET    "iqn.2024-01.lab:san1"
#define MOST_LANES     4u
#define MOST_R2TS      16u
#define MOST_TAGS      256u
#define MOST_FUZZ_DATA 65536u
#define DISK_BYTES     (1024u * 1024)

/* What happens. X-macro: name. */
#define STEP_ACTIONS(X)                                                                            \
    X(DO_COMMAND)                                                                                  \
    X(DO_ANSWER) /* Data-Out for the oldest R2T, as it should be */                                \
    X(DO_RUN)    /* time passes */                                                                 \
    X(DO_DATA_OUT)                                                                                 \
    X(DO_NOP)                                                                                      \
    X(DO_TASK)                                                                                     \
    X(DO_TEXT)                                                                                     \
    X(DO_LOGOUT)                                                                                   \
    X(DO_SNACK)                                                                                    \
    X(DO_LOGIN)                                                                                    \
    X(DO_BYTES)      /* the data as it stands */                                                   \
    X(DO_ANY_OPCODE) /* an opcode of the target, or an unknown one */                              \
    X(DO_BREAK)      /* the stream ends */                                                         \
    X(DO_OPEN)       /* a new connection, without login */                                         \
    X(DO_GOOD_LOGIN) /* a new connection, logged in as it should be */                             \
    X(DO_STOP_READING)                                                                             \
    X(DO_READ_ON)                                                                                  \
    X(DO_OPERATOR) /* what an operator or a fault does */                                          \
    X(DO_PROVE)    /* the answer to the challenge that is out */

/* Of setup[5]: who has to authenticate, and does the target when asked to. */
enum setup_chap {
    SETUP_CHAP = 1,
    SETUP_DISCOVERY_CHAP = 2,
    SETUP_ALL_CHAP = 3,
    SETUP_MUTUAL = 4,
    SETUP_IMPOSTOR = 56, /* all three bits: who logs in as one should does not know the secret */
};

enum step_action {
#define X(name) name,
    STEP_ACTIONS(X)
#undef X
        STEP_ACTION_COUNT,
};

struct fuzz_record {
    struct record record;
    struct clock *clock;
    struct timer timer;
    struct record_done *done;
    uint8_t pending[1 << 16];
    uint8_t durable[1 << 16];
    size_t pending_bytes;
    size_t durable_bytes;
};

struct r2t {
    uint32_t itt;
    uint32_t ttt;
    uint64_t lun;
    uint32_t offset;
    uint32_t bytes;
};

struct tag {
    uint32_t itt;
    uint32_t expected_bytes; /* the most that was sent with it */
    const struct step *step; /* whose data it has; borrowed from the input */
};

struct lane {
    struct rig *rig;
    struct conn *conn; /* NULL: closed */
    struct framer framer;
    struct framer_digests digests;
    bool is_logged_in;
    bool reads;
    uint8_t isid;
    uint16_t tsih;
    uint32_t cmd_sn;
    uint32_t last_itt;
    uint32_t stat_sn; /* the next one that is due */
    bool has_stat_sn;
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;
    bool has_window;
    uint32_t last_ttt; /* of a NOP-In or a Text Response */
    uint64_t login_lun;
    struct r2t r2ts[MOST_R2TS]; /* oldest first */
    size_t r2t_count;
    struct tag tags[MOST_TAGS];
    size_t tag_count;
    bool is_out_of_step; /* a header was patched, or bytes were lost: who knows what was sent */
    char login_text[16384];
    size_t login_text_bytes;
    bool is_challenged;
    bool has_proven; /* the right answer went out, whatever came of it */
    uint8_t chap_algorithm;
    uint8_t chap_identifier;
    uint8_t challenge[CHAP_BINARY_MOST];
    size_t challenge_bytes;
};

struct rig {
    struct event_queue queue;
    struct pool *pool;
    struct memory_store *memory[2];
    struct media *media[2];
    struct fuzz_record record;
    struct device *device;
    struct target *target;
    struct trace trace;
    struct lane lanes[MOST_LANES];
    struct chance chance;
    uint8_t chance_next;
    struct chap_identity user;
    struct chap_identity own;
    uint8_t setup[SETUP_BYTES];
    uint64_t sent_pdus;
};

static inline int64_t rig_now(const struct rig *rig)
{
    return clock_now_ns(&rig->queue.clock);
}

/* ---- a record that becomes durable after a while ---- */

static inline void fuzz_record_fire(struct timer *timer)
{
    struct fuzz_record *record = CONTAINER_OF(timer, struct fuzz_record, timer);

    memcpy(record->durable, record->pending, record->pending_bytes);
    record->durable_bytes = record->pending_bytes;
    record->done->on_done(record->done, true);
}

static inline void fuzz_record_write(struct record *interface, const void *data, size_t bytes,
                                     struct record_done *done)
{
    struct fuzz_record *record = CONTAINER_OF(interface, struct fuzz_record, record);

    check(!timer_is_armed(&record->timer));
    check(bytes <= sizeof(record->pending));
    memcpy(record->pending, data, bytes);
    record->pending_bytes = bytes;
    record->done = done;
    clock_arm(record->clock, &record->timer, clock_now_ns(record->clock) + MS(2));
}

static inline size_t fuzz_record_read(struct record *interface, void *ret_data, size_t max_bytes)
{
    struct fuzz_record *record = CONTAINER_OF(interface, struct fuzz_record, record);

    memcpy(ret_data, record->durable,
           record->durable_bytes < max_bytes ? record->durable_bytes : max_bytes);
    return record->durable_bytes;
}

static const struct record_ops fuzz_record_ops = {fuzz_record_write, fuzz_record_read};

/* ---- what the target sends ---- */

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

/* StatSN without a gap, a window that neither shrinks nor turns back (RFC 7143, 4.2.2). A refused
 * login has no window yet. */
static inline void check_numbers(struct lane *lane, const struct pdu *pdu)
{
    bool is_refusal = pdu->opcode == PDU_LOGIN_RESPONSE && pdu->login_response.status_class != 0;

    if (takes_stat_sn(pdu)) {
        check(!lane->has_stat_sn || pdu->stat_sn == lane->stat_sn);
        lane->has_stat_sn = true;
        lane->stat_sn = pdu->stat_sn + 1;
    } else if (pdu->opcode != PDU_DATA_IN) {
        check(pdu->stat_sn == lane->stat_sn);
    }
    if (is_refusal)
        return;
    check((int32_t)(pdu->max_cmd_sn - (pdu->exp_cmd_sn - 1)) >= 0);
    if (lane->has_window && lane->is_logged_in) {
        check((int32_t)(pdu->max_cmd_sn - lane->max_cmd_sn) >= 0);
        check((int32_t)(pdu->exp_cmd_sn - lane->exp_cmd_sn) >= 0);
    }
    lane->has_window = true;
    lane->max_cmd_sn = pdu->max_cmd_sn;
    lane->exp_cmd_sn = pdu->exp_cmd_sn;
}

static inline struct tag *find_tag(struct lane *lane, uint32_t itt)
{
    for (size_t i = lane->tag_count; i-- > 0;) {
        if (lane->tags[i].itt == itt)
            return &lane->tags[i];
    }
    return NULL;
}

static inline void note_tag(struct lane *lane, uint32_t itt, uint32_t expected_bytes,
                            const struct step *step)
{
    struct tag *tag = find_tag(lane, itt);

    if (tag && tag->expected_bytes < expected_bytes)
        tag->expected_bytes = expected_bytes;
    if (!tag && lane->tag_count < MOST_TAGS)
        lane->tags[lane->tag_count++] = (struct tag){itt, expected_bytes, step};
}

/* Data moves only for commands that were sent, inside what they expect. */
static inline void check_range(struct lane *lane, uint32_t itt, uint32_t offset, uint32_t bytes)
{
    const struct tag *tag = find_tag(lane, itt);

    if (lane->is_out_of_step || lane->tag_count == MOST_TAGS)
        return;
    check(tag != NULL);
    check((uint64_t)offset + bytes <= tag->expected_bytes);
}

static inline void note_r2t(struct lane *lane, const struct pdu *pdu)
{
    check(pdu->ttt != PDU_NO_TAG);
    check(pdu->r2t.desired_bytes > 0);
    check_range(lane, pdu->itt, pdu->r2t.buffer_offset, pdu->r2t.desired_bytes);
    if (lane->r2t_count == MOST_R2TS)
        memmove(lane->r2ts, lane->r2ts + 1, --lane->r2t_count * sizeof(lane->r2ts[0]));
    lane->r2ts[lane->r2t_count++] =
        (struct r2t){pdu->itt, pdu->ttt, pdu->lun, pdu->r2t.buffer_offset, pdu->r2t.desired_bytes};
}

static inline bool login_says(const struct lane *lane, const char *pair)
{
    size_t bytes = strlen(pair) + 1;

    for (size_t i = 0; i + bytes <= lane->login_text_bytes; i++) {
        if ((i == 0 || lane->login_text[i - 1] == '\0') &&
            memcmp(lane->login_text + i, pair, bytes) == 0)
            return true;
    }
    return false;
}

/* What the answer says of a key; NULL: nothing. */
static inline const char *said(const char *text, size_t size, const char *key)
{
    size_t key_bytes = strlen(key);

    for (const char *pair = text; pair < text + size; pair += strlen(pair) + 1) {
        if (strncmp(pair, key, key_bytes) == 0 && pair[key_bytes] == '=')
            return pair + key_bytes + 1;
    }
    return NULL;
}

/* A challenge of the target is well-formed, and is never out twice on a connection. */
static inline void note_challenge(struct lane *lane, const struct buf *data)
{
    static char text[8192 + 1];
    size_t size = buf_bytes(data);
    uint8_t challenge[CHAP_BINARY_MOST];
    size_t bytes;
    uint64_t algorithm = 0;
    uint64_t identifier = 0;

    if (size > sizeof(text) - 1)
        return;
    buf_read(data, 0, text, size);
    text[size] = '\0';
    if (!said(text, size, "CHAP_C"))
        return;
    check(text_to_binary(said(text, size, "CHAP_C"), challenge, sizeof(challenge), &bytes));
    check(said(text, size, "CHAP_A") && text_to_number(said(text, size, "CHAP_A"), &algorithm));
    check(said(text, size, "CHAP_I") && text_to_number(said(text, size, "CHAP_I"), &identifier));
    check(identifier <= UINT8_MAX);
    check(bytes >= 16);
    check(bytes != lane->challenge_bytes || memcmp(challenge, lane->challenge, bytes) != 0);
    memcpy(lane->challenge, challenge, bytes);
    lane->challenge_bytes = bytes;
    lane->chap_algorithm = (uint8_t)algorithm;
    lane->chap_identifier = (uint8_t)identifier;
    lane->is_challenged = true;
}

static inline void note_login(struct lane *lane, const struct pdu *pdu, const struct buf *data)
{
    size_t bytes = buf_bytes(data);

    lane->tsih = pdu->login_response.tsih;
    if (lane->login_text_bytes + bytes <= sizeof(lane->login_text)) {
        buf_read(data, 0, lane->login_text + lane->login_text_bytes, bytes);
        lane->login_text_bytes += bytes;
    }
    note_challenge(lane, data);
    if (pdu->login_response.status_class != 0 || !pdu->login_response.transit ||
        pdu->login_response.nsg != ISCSI_FULL_FEATURE_PHASE)
        return;
    lane->digests = (struct framer_digests){login_says(lane, "HeaderDigest=CRC32C"),
                                            login_says(lane, "DataDigest=CRC32C")};
    if ((lane->rig->setup[5] & SETUP_ALL_CHAP) == SETUP_ALL_CHAP)
        check(lane->has_proven); /* nobody gets in without, into a session of whatever type */
    framer_set_digests(&lane->framer, lane->digests.header, lane->digests.data);
}

static inline void look_at(struct lane *lane, const struct pdu *pdu, const struct buf *data)
{
    check(pdu_is_from_target(pdu->opcode));
    check_numbers(lane, pdu);
    switch (pdu->opcode) {
    case PDU_LOGIN_RESPONSE:
        note_login(lane, pdu, data);
        break;
    case PDU_DATA_IN:
        check_range(lane, pdu->itt, pdu->data_in.buffer_offset, pdu->data_bytes);
        break;
    case PDU_R2T:
        note_r2t(lane, pdu);
        break;
    case PDU_REJECT:
        check(pdu->data_bytes == PDU_HEADER_BYTES);
        break;
    case PDU_SCSI_RESPONSE:
        if (pdu->response.status == SCSI_CHECK_CONDITION)
            check(pdu->data_bytes >= 2 + 18);
        break;
    case PDU_NOP_IN:
    case PDU_TEXT_RESPONSE:
        if (pdu->ttt != PDU_NO_TAG)
            lane->last_ttt = pdu->ttt;
        break;
    default:
        break;
    }
}

static inline void lane_read(struct lane *lane)
{
    for (;;) {
        struct pdu pdu;
        struct buf *data = NULL;
        enum framer_outcome outcome = framer_next(&lane->framer, &pdu, &data);

        if (outcome == FRAMER_NEEDS_MORE)
            return;
        check(outcome == FRAMER_PDU);
        look_at(lane, &pdu, data);
        buf_free(data);
    }
}

/* ---- lanes ---- */

static inline void lane_close(struct lane *lane)
{
    conn_free(lane->conn, rig_now(lane->rig));
    lane->conn = NULL;
    framer_fini(&lane->framer);
}

static inline void lane_drain(struct lane *lane)
{
    struct conn_event event;
    struct buf *bytes;
    bool is_over = false;

    if (!lane->conn)
        return;
    while (lane->reads && (bytes = conn_take(lane->conn, 65536, rig_now(lane->rig)))) {
        framer_feed(&lane->framer, bytes);
        lane_read(lane);
    }
    while (conn_next_event(lane->conn, &event)) {
        check(!is_over);
        is_over = event.kind == CONN_OVER;
        lane->is_logged_in |= event.kind == CONN_LOGGED_IN;
    }
    if (is_over)
        lane_close(lane);
}

static inline void rig_settle(struct rig *rig)
{
    struct conn *conn;

    while ((conn = target_next_restless(rig->target)) != NULL) {
        conn_wake(conn, rig_now(rig));
        lane_drain(conn_owner(conn));
    }
}

static inline void lane_break(struct lane *lane)
{
    if (!lane->conn)
        return;
    conn_closed(lane->conn, rig_now(lane->rig));
    lane->reads = false; /* the stream is gone: nothing is read any more */
    lane_drain(lane);
    if (lane->conn)
        lane_close(lane);
    rig_settle(lane->rig);
}

static inline void lane_open(struct rig *rig, uint32_t index, uint8_t choice)
{
    struct lane *lane = &rig->lanes[index];
    uint32_t portal_index = choice >> 4 & 1;

    lane_break(lane);
    *lane = (struct lane){.rig = rig,
                          .reads = true,
                          .isid = choice & 1 ? 9 : (uint8_t)index,
                          .tsih = 0,
                          .cmd_sn = choice & 2 ? UINT32_MAX - 2 : 100,
                          .last_itt = 0x1000,
                          .last_ttt = PDU_NO_TAG};
    lane->conn = conn_new(rig->target,
                          &(struct conn_config){
                              .portal_index = portal_index,
                              .local = {IPV4(10, 0, 1 + portal_index, 1), 3260},
                              .remote = {IPV4(10, 0, 1 + portal_index, 11), 50000},
                          },
                          rig_now(rig));
    if (!lane->conn)
        return;
    framer_init(&lane->framer, PDU_DATA_MOST, 0);
    conn_set_owner(lane->conn, lane);
}

/* As a stream would: only while there is room, and in pieces. */
static inline void lane_feed(struct lane *lane, struct buf *bytes, size_t piece)
{
    struct rig *rig = lane->rig;

    while (bytes && lane->conn) {
        size_t room = conn_room(lane->conn);
        size_t here = buf_bytes(bytes);

        if (room == 0)
            break; /* the peer is stuck until it reads, or time passes */
        here = here < room ? here : room;
        here = here < piece ? here : piece;
        conn_feed(lane->conn, buf_cut(&bytes, here), rig_now(rig));
        lane_drain(lane);
        rig_settle(rig);
    }
    lane->is_out_of_step |= bytes != NULL;
    buf_free(bytes);
}

static inline int64_t rig_next_ns(const struct rig *rig)
{
    int64_t next_ns = time_min(event_queue_next_ns(&rig->queue), target_deadline_ns(rig->target));

    for (size_t i = 0; i < MOST_LANES; i++) {
        if (rig->lanes[i].conn)
            next_ns = time_min(next_ns, conn_deadline_ns(rig->lanes[i].conn));
    }
    return next_ns;
}

static inline void rig_run(struct rig *rig, int64_t span_ns)
{
    int64_t until_ns = rig_now(rig) + span_ns;

    for (unsigned rounds = 0;; rounds++) {
        int64_t next_ns = time_max(rig_next_ns(rig), rig_now(rig));

        check(rounds < 200000); /* time does pass */
        if (next_ns > until_ns)
            break;
        event_queue_run(&rig->queue, next_ns, UINT64_MAX);
        target_wake(rig->target, next_ns);
        for (size_t i = 0; i < MOST_LANES; i++) {
            struct lane *lane = &rig->lanes[i];

            if (lane->conn && conn_deadline_ns(lane->conn) <= next_ns)
                conn_wake(lane->conn, next_ns);
            lane_drain(lane);
        }
        rig_settle(rig);
    }
    event_queue_run(&rig->queue, until_ns, UINT64_MAX);
    rig_settle(rig);
}

/* ---- sending ---- */

/* The bytes of a PDU: the header patched, the digests right unless told otherwise. */
static inline void send_pdu(struct lane *lane, const struct step *step, struct pdu *pdu,
                            const uint8_t *data, uint32_t bytes)
{
    static uint8_t wire[PDU_HEADER_BYTES + 64 + 8 + MOST_FUZZ_DATA + 8];
    uint32_t at = PDU_HEADER_BYTES;

    pdu->data_bytes = bytes;
    pdu->ahs_words = step->flags & STEP_AHS ? step->spare & 15 : 0;
    pdu_encode(pdu, wire);
    if (step->patch_at < PDU_HEADER_BYTES) {
        wire[step->patch_at] = step->patch_to;
        lane->is_out_of_step = true;
    }
    for (uint32_t i = 0; i < pdu->ahs_words * 4u; i++)
        wire[at++] = i < step->data_bytes ? step->data[i] : step->cdb[i & 15];
    if (lane->digests.header) {
        crc32c_put(wire + at, crc32c(0, wire, at) ^ (step->flags & STEP_BAD_HEADER_DIGEST ? 1 : 0));
        at += PDU_DIGEST_BYTES;
    }
    if (bytes > 0) {
        uint32_t from = at;

        memcpy(wire + at, data, bytes);
        memset(wire + at + bytes, step->patch_to, pdu_padding_bytes(bytes));
        at += bytes + pdu_padding_bytes(bytes);
        if (lane->digests.data) {
            crc32c_put(wire + at, crc32c(0, wire + from, at - from) ^
                                      (step->flags & STEP_BAD_DATA_DIGEST ? 1 : 0));
            at += PDU_DIGEST_BYTES;
        }
    }
    lane->rig->sent_pdus++;
    lane_feed(lane, buf_copy(lane->rig->pool, wire, at), step->split ? step->split * 7u : at);
}

/* The step's data, repeated to fill 'bytes'; without any, a pattern. */
static inline const uint8_t *fill(const struct step *step, uint32_t bytes)
{
    static uint8_t data[MOST_FUZZ_DATA];

    for (uint32_t i = 0; i < bytes; i++)
        data[i] = step->data_bytes ? step->data[i % step->data_bytes] : (uint8_t)(i / 512 + 1);
    return data;
}

static inline uint32_t choose_cmd_sn(struct lane *lane, const struct step *step)
{
    uint32_t due = lane->cmd_sn;

    switch (step->cmd_sn & 15) {
    case 8:
        return due - 1;
    case 9:
        return due + 1;
    case 10:
        return due + step->a % 40;
    case 11:
        return due + 0x80000000u;
    case 12:
        return lane->max_cmd_sn;
    case 13:
        return lane->max_cmd_sn + 1;
    case 14:
        return step->b;
    case 15:
        return lane->exp_cmd_sn;
    default:
        if (!(step->flags & STEP_IMMEDIATE))
            lane->cmd_sn++;
        return due;
    }
}

static inline uint32_t choose_itt(struct lane *lane, const struct step *step)
{
    switch (step->itt & 15) {
    case 9:
        return lane->last_itt;
    case 10:
        return lane->last_itt - 1;
    case 11:
        return lane->last_itt - step->b % 8;
    case 12:
        return lane->last_itt + 1;
    case 13:
        return PDU_NO_TAG;
    case 14:
        return step->a;
    case 15:
        return lane->r2t_count ? lane->r2ts[0].itt : 0;
    default:
        return ++lane->last_itt;
    }
}

static inline uint64_t choose_lun(const struct step *step)
{
    static const uint64_t luns[16] = {0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      UINT64_C(1) << 48,
                                      UINT64_C(1) << 48,
                                      UINT64_C(2) << 48,
                                      UINT64_C(5) << 48,
                                      UINT64_C(0x4001) << 48,
                                      UINT64_C(0xc101) << 48,
                                      UINT64_MAX,
                                      1,
                                      UINT64_C(0x8000) << 48,
                                      UINT64_C(0x4000) << 48};

    return luns[step->lun & 15];
}

static inline uint32_t choose_stat_sn(const struct lane *lane, const struct step *step)
{
    static const uint32_t shifts[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0xffffffff, 0x80000000, 0x7fffffff, 100, 0xfffffff0, 64};

    return lane->stat_sn + shifts[step->stat_sn & 15];
}

static inline uint64_t data_out_bytes(struct lane *lane, const struct step *step)
{
    return device_data_out_bytes(lane->rig->device, choose_lun(step), step->cdb);
}

/* What the CDB moves, as far as it is simple to tell. */
static inline uint32_t natural_bytes(struct lane *lane, const struct step *step)
{
    uint64_t bytes = 4096;
    struct scsi_transfer transfer;

    if (data_out_bytes(lane, step) > 0)
        bytes = data_out_bytes(lane, step);
    else if (scsi_transfer_parse(step->cdb, &transfer))
        bytes = (uint64_t)transfer.blocks * (choose_lun(step) == 0 ? 512 : 4096);
    return bytes < 1u << 20 ? (uint32_t)bytes : 1u << 20;
}

static inline uint32_t choose_expected(struct lane *lane, const struct step *step)
{
    uint32_t natural = natural_bytes(lane, step);

    switch (step->length & 7) {
    case 4:
        return natural + 1;
    case 5:
        return natural / 2;
    case 6:
        return step->a;
    case 7:
        return 0;
    default:
        return natural;
    }
}

/* How much data goes with a PDU that could carry 'natural'. */
static inline uint32_t choose_data(const struct step *step, uint32_t natural)
{
    uint32_t bytes;

    switch (step->length >> 3 & 7) {
    case 1:
    case 2:
        bytes = natural;
        break;
    case 3:
        bytes = step->data_bytes;
        break;
    case 4:
        bytes = natural + 1;
        break;
    case 5:
        bytes = step->b & 0x3fff;
        break;
    case 6:
        bytes = natural / 2;
        break;
    default:
        return 0;
    }
    return bytes < 40000 ? bytes : 40000;
}

static inline struct pdu request(struct lane *lane, const struct step *step, enum pdu_opcode opcode)
{
    return (struct pdu){.opcode = (uint8_t)opcode,
                        .is_immediate = step->flags & STEP_IMMEDIATE,
                        .is_final = step->flags & STEP_FINAL,
                        .lun = choose_lun(step),
                        .itt = choose_itt(lane, step),
                        .ttt = PDU_NO_TAG,
                        .cmd_sn = choose_cmd_sn(lane, step),
                        .exp_stat_sn = choose_stat_sn(lane, step)};
}

static inline uint32_t choose_ttt(const struct lane *lane, const struct step *step)
{
    switch (step->ttt & 7) {
    case 4:
        return lane->last_ttt + 1;
    case 5:
        return step->b;
    case 6:
        return lane->r2t_count ? lane->r2ts[0].ttt : 0;
    case 7:
        return PDU_NO_TAG;
    default:
        return lane->last_ttt;
    }
}

static inline void do_command(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_SCSI_COMMAND);
    bool is_write = data_out_bytes(lane, step) > 0;
    uint32_t bytes;

    pdu.command.is_read = !is_write != ((step->flags & STEP_READ) != 0); /* the flags: not so */
    pdu.command.is_write = is_write != ((step->flags & STEP_WRITE) != 0);
    pdu.command.attribute = step->flags & STEP_SECOND ? step->detail & 7 : ISCSI_SIMPLE;
    pdu.command.expected_bytes = choose_expected(lane, step);
    memcpy(pdu.command.cdb, step->cdb, sizeof(pdu.command.cdb));
    note_tag(lane, pdu.itt, pdu.command.expected_bytes, step);
    bytes = pdu.command.is_write ? choose_data(step, pdu.command.expected_bytes) : 0;
    if ((step->length >> 3 & 7) == 5)
        bytes = choose_data(step, 0);
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

static inline void do_data_out(struct lane *lane, const struct step *step)
{
    struct r2t r2t = lane->r2t_count ? lane->r2ts[lane->r2t_count - 1] : (struct r2t){0};
    struct pdu pdu = {.opcode = PDU_DATA_OUT,
                      .is_final = step->flags & STEP_FINAL,
                      .lun = step->lun & 8 ? choose_lun(step) : r2t.lun,
                      .itt = step->itt & 8 ? choose_itt(lane, step) : r2t.itt,
                      .ttt = step->ttt & 4 ? choose_ttt(lane, step) : r2t.ttt,
                      .exp_stat_sn = choose_stat_sn(lane, step),
                      .data_out = {.data_sn = step->b, .buffer_offset = r2t.offset + step->a}};
    uint32_t bytes = choose_data(step, r2t.bytes);

    if (step->detail & 1) { /* the unsolicited data of the last command */
        pdu.itt = lane->last_itt;
        pdu.ttt = PDU_NO_TAG;
        pdu.data_out.buffer_offset = step->a;
    }
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

/* Answers the oldest R2T in pieces of 8192, with the command's data unless the step has its own. */
static inline void do_answer(struct lane *lane, const struct step *step)
{
    const struct step *content = step;
    const struct tag *tag;
    struct r2t r2t;

    if (lane->r2t_count == 0)
        return;
    r2t = lane->r2ts[0];
    memmove(lane->r2ts, lane->r2ts + 1, --lane->r2t_count * sizeof(r2t));
    tag = find_tag(lane, r2t.itt);
    if (step->data_bytes == 0 && tag)
        content = tag->step;
    for (uint32_t at = 0, data_sn = 0; at < r2t.bytes && lane->conn; data_sn++) {
        uint32_t here = r2t.bytes - at < 8192 ? r2t.bytes - at : 8192;
        struct pdu pdu = {.opcode = PDU_DATA_OUT,
                          .is_final = at + here == r2t.bytes,
                          .lun = r2t.lun,
                          .itt = r2t.itt,
                          .ttt = r2t.ttt,
                          .exp_stat_sn = lane->stat_sn,
                          .data_out = {.data_sn = data_sn, .buffer_offset = r2t.offset + at}};

        send_pdu(lane, step, &pdu, fill(content, here), here);
        at += here;
    }
}

static inline void do_nop(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_NOP_OUT);
    uint32_t bytes = choose_data(step, step->data_bytes);

    pdu.ttt = step->ttt & 8 ? choose_ttt(lane, step) : PDU_NO_TAG;
    if (step->ttt & 16) { /* an answer to a ping of the target */
        pdu.itt = PDU_NO_TAG;
        pdu.ttt = lane->last_ttt;
        pdu.is_immediate = true;
    }
    send_pdu(lane, step, &pdu, fill(step, bytes), bytes);
}

static inline void do_task(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_TASK_REQUEST);

    pdu.task_request.function = step->detail & 15;
    pdu.task_request.ref_task_tag = step->ttt & 1   ? step->b
                                    : step->ttt & 2 ? lane->last_itt - 2
                                                    : lane->last_itt - 1;
    pdu.task_request.ref_cmd_sn = lane->cmd_sn - 1 + step->a;
    pdu.task_request.exp_data_sn = step->b;
    send_pdu(lane, step, &pdu, NULL, 0);
}

static inline void do_text(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_TEXT_REQUEST);

    if (step->itt & 16)
        pdu.itt = lane->last_itt - 1;
    pdu.ttt = step->ttt & 8 ? choose_ttt(lane, step) : PDU_NO_TAG;
    pdu.text.continues = step->flags & STEP_SECOND;
    send_pdu(lane, step, &pdu, step->data, step->data_bytes);
}

static inline void do_logout(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_LOGOUT_REQUEST);

    pdu.logout_request.reason = step->detail & 3;
    pdu.logout_request.cid = (uint16_t)(step->a & 3);
    send_pdu(lane, step, &pdu, NULL, 0);
}

static inline void do_snack(struct lane *lane, const struct step *step)
{
    struct pdu pdu = request(lane, step, PDU_SNACK);

    pdu.ttt = choose_ttt(lane, step);
    pdu.snack.type = step->detail & 15;
    pdu.snack.beg_run = step->a;
    pdu.snack.run_length = step->b;
    send_pdu(lane, step, &pdu, NULL, 0);
}

/* The stages as the detail says: bits 0 and 1 CSG, 2 and 3 NSG, 4 T. */
static inline void do_login(struct lane *lane, const struct step *step)
{
    struct pdu pdu = {.opcode = PDU_LOGIN_REQUEST,
                      .is_immediate = true,
                      .itt = step->itt & 8 ? choose_itt(lane, step) : 0x700,
                      .cmd_sn = step->cmd_sn & 8 ? choose_cmd_sn(lane, step) : lane->cmd_sn,
                      .exp_stat_sn = lane->stat_sn,
                      .login_request = {.transit = step->detail & 16,
                                        .continues = step->flags & STEP_SECOND,
                                        .csg = step->detail & 3,
                                        .nsg = step->detail >> 2 & 3,
                                        .version_max = step->ttt & 8 ? step->ttt & 3 : 0,
                                        .version_min = step->ttt & 8 ? step->ttt >> 4 & 3 : 0,
                                        .isid = {0x80, 0, 0, 0, 0, lane->isid},
                                        .tsih = step->lun & 8 ? (uint16_t)step->a : lane->tsih,
                                        .cid = (uint16_t)(step->lun & 7)}};

    if (lane->is_logged_in || lane->tsih == 0 || step->lun & 16)
        pdu.login_request.tsih = step->lun & 8 ? (uint16_t)step->a : 0;
    send_pdu(lane, step, &pdu, step->data, step->data_bytes);
}

static inline size_t add_text(char *text, size_t room, size_t at, const char *key,
                              const char *value)
{
    int bytes = snprintf(text + at, room - at, "%s=%s", key, value);

    check(bytes > 0 && at + (size_t)bytes + 1 <= room);
    return at + (size_t)bytes + 1;
}

/* The login's next request, with the proof and what the step says. By its spare byte: 1 a wrong
 * proof, 2 asks for proof as well, 4 with the target's own challenge (12.1.3: to be refused). */
static inline void do_prove(struct lane *lane, const struct step *step)
{
    static char text[MOST_FUZZ_DATA];
    char hex[2 + 2 * CHAP_BINARY_MOST + 1];
    uint8_t digest[CHAP_DIGEST_MOST];
    struct step with_proof = *step;
    size_t at = 0;

    if (lane->is_challenged) {
        size_t bytes =
            chap_digest((enum chap_algorithm)lane->chap_algorithm, lane->chap_identifier,
                        &lane->rig->user, lane->challenge, lane->challenge_bytes, digest);

        digest[0] ^= step->spare & 1;
        lane->has_proven = lane->has_proven || !(step->spare & 1);
        check(text_from_hex(digest, bytes, hex, sizeof(hex)));
        at = add_text(text, sizeof(text), at, "CHAP_N", lane->rig->user.name);
        at = add_text(text, sizeof(text), at, "CHAP_R", hex);
        if (step->spare & 6) {
            if (!(step->spare & 4))
                lane->challenge[0] ^= 1;
            check(text_from_hex(lane->challenge, lane->challenge_bytes, hex, sizeof(hex)));
            if (!(step->spare & 4))
                lane->challenge[0] ^= 1;
            at = add_text(text, sizeof(text), at, "CHAP_I", "7");
            at = add_text(text, sizeof(text), at, "CHAP_C", hex);
        }
    }
    if (at + step->data_bytes <= 8192) {
        memcpy(text + at, step->data, step->data_bytes);
        at += step->data_bytes;
    }
    with_proof.data = (const uint8_t *)text;
    with_proof.data_bytes = (uint16_t)at;
    do_login(lane, &with_proof);
}

/* Keys that a session can have, by the setup. */
static inline size_t good_keys(const struct rig *rig, char *text, size_t room)
{
    static const char *const bursts[] = {"MaxBurstLength=262144\nFirstBurstLength=65536\n",
                                         "MaxBurstLength=4096\nFirstBurstLength=512\n",
                                         "MaxBurstLength=512\nFirstBurstLength=512\n",
                                         "MaxBurstLength=16384\nFirstBurstLength=8192\n"};
    static const char names[] = "InitiatorName=iqn.2024-01.lab:hv1\nTargetName=" FUZZ_TARGET
                                "\nSessionType=Normal\n"; /* CHAP has said them */
    const uint8_t *setup = rig->setup;
    int bytes = snprintf(text, room,
                         "%sHeaderDigest=%s\n"
                         "DataDigest=%s\nInitialR2T=%s\nImmediateData=%s\n%sMaxOutstandingR2T=%u\n"
                         "MaxRecvDataSegmentLength=%u\nDefaultTime2Wait=0\nDefaultTime2Retain=%u\n"
                         "ErrorRecoveryLevel=0\nMaxConnections=1\n%s",
                         setup[5] & SETUP_CHAP ? "" : names, setup[0] & 1 ? "CRC32C" : "None",
                         setup[0] & 2 ? "CRC32C" : "None", setup[0] & 4 ? "Yes" : "No",
                         setup[0] & 8 ? "No" : "Yes", bursts[setup[0] >> 4 & 3],
                         1u + (setup[1] & 3), setup[1] & 4 ? 512u : 8192u, setup[1] & 8 ? 20u : 0u,
                         setup[1] & 16 ? "iSCSIProtocolLevel=2\n" : "");

    for (int i = 0; i < bytes; i++)
        text[i] = text[i] == '\n' ? '\0' : text[i];
    return (size_t)bytes;
}

static inline bool is_impostor(const struct rig *rig)
{
    return (rig->setup[5] & (SETUP_CHAP | SETUP_IMPOSTOR)) == (SETUP_CHAP | SETUP_IMPOSTOR);
}

/* The security stage, as it should be; an impostor goes on as if nothing were wrong. */
static inline void authenticate(struct lane *lane)
{
    static const char offer[] = "InitiatorName=iqn.2024-01.lab:hv1\0TargetName=" FUZZ_TARGET
                                "\0SessionType=Normal\0AuthMethod=CHAP";
    static const char algorithms[] = "CHAP_A=8,7,6,5";
    struct step step = {.patch_at = 255, .lun = 1};

    step.data = (const uint8_t *)offer;
    step.data_bytes = sizeof(offer);
    do_login(lane, &step);
    step.data = (const uint8_t *)algorithms;
    step.data_bytes = sizeof(algorithms);
    if (lane->conn)
        do_login(lane, &step);
    step.data_bytes = 0;
    step.detail = 0 | 1 << 2 | 16;
    step.spare = lane->rig->setup[5] & SETUP_MUTUAL ? 2 : 0;
    if (is_impostor(lane->rig))
        step.spare |= 1;
    if (lane->conn)
        do_prove(lane, &step);
    check(lane->conn == NULL || login_says(lane, "AuthMethod=CHAP"));
}

static inline void good_login(struct rig *rig, uint32_t index, uint8_t choice)
{
    char text[1024];
    struct lane *lane = &rig->lanes[index];
    struct step step = {.detail = 1 | 3 << 2 | 16, .patch_at = 255, .lun = 1};

    lane_open(rig, index, choice);
    if (!lane->conn)
        return;
    if (rig->setup[5] & SETUP_CHAP)
        authenticate(lane);
    if (!lane->conn)
        return;
    step.data = (const uint8_t *)text;
    step.data_bytes = (uint16_t)good_keys(rig, text, sizeof(text));
    do_login(lane, &step);
}

/* Takes what a new nexus is told first, on both disks. */
static inline void clear_attentions(struct lane *lane)
{
    static const struct step ready = {.flags = STEP_FINAL, .patch_at = 255};
    static const struct step ready_2 = {.flags = STEP_FINAL, .patch_at = 255, .lun = 6};

    for (int i = 0; i < 3 && lane->conn; i++) {
        do_command(lane, &ready);
        if (lane->conn)
            do_command(lane, &ready_2);
    }
}

static inline void do_operator(struct lane *lane, const struct step *step)
{
    struct rig *rig = lane->rig;

    switch (step->detail & 7) {
    case 0:
        (void)target_drop_sessions(rig->target, NULL, step->flags & STEP_SECOND, rig_now(rig));
        break;
    case 1:
        (void)target_ask_logout(rig->target, NULL, step->patch_to, rig_now(rig));
        break;
    case 2:
        target_set_in_service(rig->target, step->flags & STEP_SECOND);
        break;
    case 3:
        (void)device_set_group_state(rig->device, 1 + (step->a & 1),
                                     (enum alua_state[]){ALUA_ACTIVE_OPTIMIZED, ALUA_STANDBY,
                                                         ALUA_UNAVAILABLE,
                                                         ALUA_TRANSITIONING}[step->b & 3],
                                     NULL);
        break;
    case 4:
        target_crash(rig->target);
        break;
    default:
        break;
    }
    for (size_t i = 0; i < MOST_LANES; i++)
        lane_drain(&rig->lanes[i]);
    rig_settle(rig);
}

static inline void do_run(struct rig *rig, const struct step *step)
{
    static const int64_t spans[16] = {
        US(1),      US(100),    US(250),     MS(1),       MS(1),       MS(3), MS(10), MS(100),
        SECONDS(1), SECONDS(5), SECONDS(16), SECONDS(31), SECONDS(61), MS(2), MS(20), SECONDS(11)};

    rig_run(rig, spans[step->detail & 15]);
}

/* What needs no connection. */
static inline bool do_around(struct rig *rig, uint32_t index, const struct step *step,
                             enum step_action action)
{
    struct lane *lane = &rig->lanes[index];

    switch ((int)action) {
    case DO_RUN:
        do_run(rig, step);
        return true;
    case DO_OPEN:
        lane_open(rig, index, step->lun);
        return true;
    case DO_GOOD_LOGIN:
        good_login(rig, index, step->lun);
        return true;
    case DO_OPERATOR:
        do_operator(lane, step);
        return true;
    case DO_BREAK:
        lane_break(lane);
        return true;
    case DO_STOP_READING:
        lane->reads = false;
        return true;
    case DO_READ_ON:
        lane->reads = true;
        lane_drain(lane);
        rig_settle(rig);
        return true;
    default:
        return false;
    }
}

static inline void do_pdu(struct lane *lane, const struct step *step, enum step_action action)
{
    static void (*const pdus[STEP_ACTION_COUNT])(struct lane *, const struct step *) = {
        [DO_COMMAND] = do_command, [DO_ANSWER] = do_answer, [DO_DATA_OUT] = do_data_out,
        [DO_NOP] = do_nop,         [DO_TASK] = do_task,     [DO_TEXT] = do_text,
        [DO_LOGOUT] = do_logout,   [DO_SNACK] = do_snack,   [DO_LOGIN] = do_login,
        [DO_PROVE] = do_prove};
    uint8_t raw[PDU_HEADER_BYTES];

    if (pdus[action]) {
        pdus[action](lane, step);
        return;
    }
    lane->is_out_of_step = true;
    if (action == DO_BYTES) {
        lane_feed(lane, buf_copy(lane->rig->pool, step->data, step->data_bytes), SIZE_MAX);
        return;
    }
    memset(raw, 0, sizeof(raw));
    raw[0] = step->detail;
    raw[1] = step->patch_to;
    memcpy(raw + 8, &step->cdb, 16);
    lane_feed(lane, buf_copy(lane->rig->pool, raw, sizeof(raw)), SIZE_MAX);
}

static inline void rig_step(struct rig *rig, const struct step *step)
{
    enum step_action action = (enum step_action)(step->action % STEP_ACTION_COUNT);
    uint32_t index = step->lane % MOST_LANES;

    if (do_around(rig, index, step, action))
        return;
    if (!rig->lanes[index].conn)
        lane_open(rig, index, step->lun);
    if (rig->lanes[index].conn)
        do_pdu(&rig->lanes[index], step, action);
}

/* ---- life ---- */

static inline struct array_profile fuzz_profile(const uint8_t *setup)
{
    static const uint32_t windows[] = {32, 1, 2, 128};

    return (struct array_profile){
        .iscsi = {.header_digest = DIGEST_NONE_OR_CRC32C,
                  .data_digest = DIGEST_NONE_OR_CRC32C,
                  .max_connections = 1,
                  .initial_r2t = setup[2] & 1,
                  .immediate_data = !(setup[2] & 2),
                  .max_recv_segment_bytes = setup[2] & 4 ? 8192 : 65536,
                  .peer_max_recv_segment_bytes = 8192,
                  .max_burst_bytes = 262144,
                  .first_burst_bytes = 65536,
                  .time2wait_s = 0,
                  .time2retain_s = setup[2] & 8 ? 20 : 0,
                  .max_outstanding_r2t = 1 + (setup[2] >> 4 & 3),
                  .data_pdu_in_order = true,
                  .data_sequence_in_order = true},
        .max_commands = windows[setup[3] & 3],
        .login_timeout_ns = SECONDS(15),
        .nop_interval_ns = setup[3] & 4 ? 0 : SECONDS(15),
        .nop_timeout_ns = SECONDS(30),
        .data_out_timeout_ns = SECONDS(60),
    };
}

static inline void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    struct rig *rig = CONTAINER_OF(chance, struct rig, chance);

    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = i == 0 ? rig->chance_next++ : (uint8_t)(i * 7);
}

static inline void ask_for_chap(struct rig *rig)
{
    struct chap_policy wanted = {&rig->user, 1, rig->setup[5] & SETUP_MUTUAL ? &rig->own : NULL};
    struct chap_policy nothing = {0};

    check(!chap_identity_set(&rig->user, "hv1", "initiator-secret1", 17));
    check(!chap_identity_set(&rig->own, "array", "target-secret-22", 16));
    target_set_chap(rig->target, rig->setup[5] & SETUP_CHAP ? &wanted : &nothing,
                    rig->setup[5] & SETUP_DISCOVERY_CHAP ? &wanted : &nothing);
}

static inline struct rig *rig_new(const uint8_t *setup)
{
    static const struct port_config ports[] = {{1, 1, 1}, {2, 2, 2}};
    static const struct target_portal portals[] = {{{IPV4(10, 0, 1, 1), 3260}, 1},
                                                   {{IPV4(10, 0, 2, 1), 3260}, 2}};
    static const char *const names[] = {"data", "log"};
    struct array_profile profile = fuzz_profile(setup);
    struct rig *rig = calloc(1, sizeof(*rig));

    check(rig != NULL);
    memcpy(rig->setup, setup, SETUP_BYTES);
    event_queue_init(&rig->queue);
    rig->pool = pool_new();
    rig->trace.ops = trace_nowhere_ops();
    rig->chance.fill = count_up;
    rig->record.record.ops = &fuzz_record_ops;
    rig->record.clock = &rig->queue.clock;
    timer_init(&rig->record.timer, fuzz_record_fire);
    rig->device = device_new(&(struct device_config){.target_name = FUZZ_TARGET,
                                                     .vendor = "ISCSILAB",
                                                     .product = "Virtual Disk",
                                                     .revision = "0001",
                                                     .ports = ports,
                                                     .port_count = ARRAY_SIZE(ports),
                                                     .tpgs = 3},
                             &rig->queue.clock, rig->pool);
    for (uint16_t i = 0; i < 2; i++) {
        rig->memory[i] = memory_store_new(
            &(struct memory_store_config){.bytes = DISK_BYTES, .has_volatile_cache = i == 0},
            &rig->queue.clock, rig->pool);
        rig->media[i] = media_new(&(struct media_model){US(100), US(100), 4}, &rig->queue.clock,
                                  memory_store_interface(rig->memory[i]));
        device_add_disk(rig->device, i,
                        &(struct disk_config){.name = names[i],
                                              .naa_id = UINT64_C(0x3001020304050607) + i,
                                              .store = media_interface(rig->media[i]),
                                              .block_bytes = i == 0 ? 512 : 4096,
                                              .is_thin = true,
                                              .is_removable = i == 0,
                                              .has_write_cache = i == 0,
                                              .sanitize_ns = SECONDS(10),
                                              .reservations = i == 0 ? &rig->record.record : NULL});
    }
    rig->target = target_new(&(struct target_config){.name = FUZZ_TARGET,
                                                     .portals = portals,
                                                     .portal_count = ARRAY_SIZE(portals),
                                                     .profile = &profile,
                                                     .device = rig->device,
                                                     .pool = rig->pool,
                                                     .trace = &rig->trace,
                                                     .chance = &rig->chance,
                                                     .limits = {.connections = MOST_LANES}});
    ask_for_chap(rig);
    for (uint32_t i = 0; i < MOST_LANES; i++)
        rig->lanes[i].rig = rig;
    return rig;
}

/* All is given back. */
static inline void rig_free(struct rig *rig)
{
    for (uint32_t i = 0; i < MOST_LANES; i++)
        lane_break(&rig->lanes[i]);
    rig_run(rig, SECONDS(5000));
    check(target_session_count(rig->target) == 0);
    check(device_live_tasks(rig->device) == 0);
    check(device_live_nexuses(rig->device) == 0);
    target_free(rig->target);
    device_free(rig->device);
    for (size_t i = 0; i < 2; i++) {
        media_free(rig->media[i]);
        memory_store_free(rig->memory[i]);
    }
    check(pool_live_chunks(rig->pool) == 0);
    check(pool_live_bufs(rig->pool) == 0);
    check(pool_live_blocks(rig->pool) == 0);
    pool_free(rig->pool);
    event_queue_fini(&rig->queue);
    free(rig);
}
