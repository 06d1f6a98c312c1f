/* Up to four connections of a hostile initiator to a target, and what the target may never send:
 * its PDUs are well-formed and count right, and stay within what was asked for.
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
