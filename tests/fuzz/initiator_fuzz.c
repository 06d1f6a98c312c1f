/* An initiator's session at a hostile target: commands of the host on one side, on the other the
 * target's PDUs with numbers, tags and ranges right or wrong (steps.h), from login to the end.
 *
 * By the setup the initiator authenticates itself (CHAP), and may want proof of the target.
 *
 * Whatever the target does, the initiator's own PDUs are well-formed and stay within the window and
 * within what was asked for, every command comes back once, and nothing is left. An initiator that
 * wants proof opens no session without it.
 */
#include <stdio.h>

#include "initiator/isession.h"
#include "iscsi/chap.h"
#include "iscsi/crc32c.h"
#include "iscsi/framer.h"
#include "iscsi/negotiate.h"
#include "iscsi/scsi.h"
#include "sim/core/time.h"
#include "tests/fuzz/steps.h"

#define MOST_COMMANDS 24u
#define MOST_TASKS    64u
#define MOST_DATA     40000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed);

/* What happens: of the host, then of the target. X-macro: name. */
#define STEP_ACTIONS(X)                                                                            \
    X(HOST_READ)                                                                                   \
    X(HOST_WRITE)                                                                                  \
    X(HOST_MANAGE)                                                                                 \
    X(HOST_PING)                                                                                   \
    X(HOST_TEXT)                                                                                   \
    X(HOST_LOGOUT)                                                                                 \
    X(HOST_GIVES_UP)                                                                               \
    X(SEND_ANSWER) /* all of it, as it should be, to the oldest command */                         \
    X(SEND_R2T)                                                                                    \
    X(SEND_DATA_IN)                                                                                \
    X(SEND_RESPONSE)                                                                               \
    X(SEND_NOP_IN)                                                                                 \
    X(SEND_ASYNC)                                                                                  \
    X(SEND_TEXT)                                                                                   \
    X(SEND_LOGIN)                                                                                  \
    X(SEND_TASK_RESPONSE)                                                                          \
    X(SEND_LOGOUT_RESPONSE)                                                                        \
    X(SEND_REJECT)                                                                                 \
    X(SEND_BYTES)                                                                                  \
    X(STREAM_ENDS)                                                                                 \
    X(SEND_PROOF) /* the answer to the initiator's challenge */

enum step_action {
#define X(name) name,
    STEP_ACTIONS(X)
#undef X
        STEP_ACTION_COUNT,
};

/* Of setup[1], where the target does not answer the login by itself. */
enum setup_chap { SETUP_CHAP = 32, SETUP_MUTUAL = 64 };

/* A command as the target knows it. */
struct task {
    uint32_t itt;
    bool is_write;
    uint32_t expected_bytes;
    uint32_t asked_to; /* by R2T, or unsolicited by FirstBurstLength: the end of the range */
};

struct rig {
    struct pool *pool;
    struct isession *session;
    struct framer framer;
    struct framer_digests digests;
    struct negotiation negotiation;
    bool answers_login; /* as it should */
    bool is_out_of_step;
    int64_t now_ns;
    uint32_t stat_sn;
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn; /* the most that was told */
    uint32_t window;
    uint32_t last_itt; /* of any request */
    uint8_t login_isid[PDU_ISID_BYTES];
    struct chap_identity user;
    struct chap_identity own;
    struct chance chance;
    uint8_t chance_next;
    struct chap_challenge challenge; /* the initiator's */
    bool wants_proof;
    bool has_proof; /* the right answer went out, whatever came of it */
    struct task tasks[MOST_TASKS];
    size_t task_count;
    struct command commands[MOST_COMMANDS];
    bool is_open[MOST_COMMANDS];
};

static void drain_host(struct rig *rig)
{
    struct isession_event event;
    struct command *done;
    bool from_target;
    uint32_t connection;

    while (isession_next_pdu(rig->session, &connection, &from_target))
        ;
    while (isession_next_event(rig->session, &event)) {
        check(!event.text || strlen(event.text) < 200);
        if (event.kind == ISESSION_LOGGED_IN && rig->wants_proof)
            check(rig->has_proof);
    }
    while ((done = isession_next_done(rig->session))) {
        size_t index = (size_t)(done - rig->commands);

        check(index < MOST_COMMANDS && rig->is_open[index]);
        check(buf_bytes(done->data_in) <= done->bytes);
        check(done->sense_bytes <= SENSE_MAX_BYTES);
        rig->is_open[index] = false;
        buf_free(done->data_in);
        buf_free(done->data_out);
        done->data_in = NULL;
        done->data_out = NULL;
    }
}

/* The bytes of a PDU of the target. */
static void send_pdu(struct rig *rig, const struct step *step, struct pdu *pdu, const uint8_t *data,
                     uint32_t bytes)
{
    static uint8_t wire[PDU_HEADER_BYTES + 16 + MOST_DATA];
    uint32_t at = PDU_HEADER_BYTES;

    pdu->data_bytes = bytes;
    pdu_encode(pdu, wire);
    if (step->patch_at < PDU_HEADER_BYTES)
        wire[step->patch_at] = step->patch_to;
    if (rig->digests.header) {
        crc32c_put(wire + at, crc32c(0, wire, at) ^ (step->flags & STEP_BAD_HEADER_DIGEST ? 1 : 0));
        at += PDU_DIGEST_BYTES;
    }
    if (bytes > 0) {
        uint32_t from = at;

        memcpy(wire + at, data, bytes);
        memset(wire + at + bytes, 0, pdu_padding_bytes(bytes));
        at += bytes + pdu_padding_bytes(bytes);
        if (rig->digests.data) {
            crc32c_put(wire + at, crc32c(0, wire + from, at - from) ^
                                      (step->flags & STEP_BAD_DATA_DIGEST ? 1 : 0));
            at += PDU_DIGEST_BYTES;
        }
    }
    for (uint32_t from = 0, piece = step->split ? step->split * 7u : at; from < at; from += piece)
        isession_feed(rig->session, 0,
                      buf_copy(rig->pool, wire + from, at - from < piece ? at - from : piece),
                      rig->now_ns);
    drain_host(rig);
}

/* ---- what the initiator sends ---- */

static struct task *find_task(struct rig *rig, uint32_t itt)
{
    for (size_t i = rig->task_count; i-- > 0;) {
        if (rig->tasks[i].itt == itt)
            return &rig->tasks[i];
    }
    return NULL;
}

static void note_command(struct rig *rig, const struct pdu *pdu)
{
    const struct iscsi_params *agreed = &rig->negotiation.agreed;
    uint32_t unasked = agreed->initial_r2t ? pdu->data_bytes : agreed->first_burst_bytes;

    if (pdu->data_bytes > 0)
        check(pdu->command.is_write && pdu->data_bytes <= pdu->command.expected_bytes);
    if (rig->task_count == MOST_TASKS)
        memmove(rig->tasks, rig->tasks + 1, --rig->task_count * sizeof(rig->tasks[0]));
    rig->tasks[rig->task_count++] = (struct task){.itt = pdu->itt,
                                                  .is_write = pdu->command.is_write,
                                                  .expected_bytes = pdu->command.expected_bytes,
                                                  .asked_to = unasked};
}

/* Only what was asked for, or may be sent unasked. */
static void check_data_out(struct rig *rig, const struct pdu *pdu)
{
    const struct task *task = find_task(rig, pdu->itt);
    uint64_t end = (uint64_t)pdu->data_out.buffer_offset + pdu->data_bytes;

    if (rig->is_out_of_step)
        return;
    check(task && task->is_write);
    check(end <= task->expected_bytes);
    check(end <= task->asked_to);
}

static void answer_login(struct rig *rig, const struct pdu *request, const struct buf *data);

/* A challenge of the initiator is well-formed, and never the one before. */
static void note_challenge(struct rig *rig, const struct buf *data)
{
    static char text[8192 + 1];
    size_t size = buf_bytes(data);
    struct chap_challenge challenge = {.algorithm = CHAP_MD5};
    size_t bytes;
    uint64_t identifier = 0;

    check(size < sizeof(text));
    buf_read(data, 0, text, size);
    text[size] = '\0';
    if (!text_find(text, size, "CHAP_C"))
        return;
    check(rig->wants_proof);
    check(text_to_binary(text_find(text, size, "CHAP_C"), challenge.data, sizeof(challenge.data),
                         &bytes));
    check(text_find(text, size, "CHAP_I") &&
          text_to_number(text_find(text, size, "CHAP_I"), &identifier) && identifier <= UINT8_MAX);
    check(bytes >= 16);
    challenge.bytes = (uint8_t)bytes;
    challenge.identifier = (uint8_t)identifier;
    check(bytes != rig->challenge.bytes || memcmp(challenge.data, rig->challenge.data, bytes) != 0);
    rig->challenge = challenge;
}

static void look_at(struct rig *rig, const struct pdu *pdu, const struct buf *data)
{
    check(!pdu_is_from_target(pdu->opcode));
    if (pdu->opcode == PDU_LOGIN_REQUEST) {
        memcpy(rig->login_isid, pdu->login_request.isid, PDU_ISID_BYTES);
        note_challenge(rig, data);
        rig->last_itt = pdu->itt;
        rig->exp_cmd_sn = pdu->cmd_sn;
        if (rig->answers_login)
            answer_login(rig, pdu, data);
        return;
    }
    if (pdu->opcode != PDU_DATA_OUT)
        rig->last_itt = pdu->itt;
    if ((pdu_traits(pdu->opcode) & PDU_HAS_CMD_SN) && !pdu->is_immediate) {
        check(pdu->cmd_sn == rig->exp_cmd_sn);
        rig->exp_cmd_sn++;
        if (!rig->is_out_of_step) /* it never runs beyond what it was told */
            check((int32_t)(rig->max_cmd_sn - pdu->cmd_sn) >= 0);
    }
    if (pdu->opcode == PDU_SCSI_COMMAND)
        note_command(rig, pdu);
    if (pdu->opcode == PDU_DATA_OUT)
        check_data_out(rig, pdu);
}

static void pump(struct rig *rig)
{
    struct buf *bytes;

    drain_host(rig);
    while ((bytes = isession_take(rig->session, 0, 65536, rig->now_ns))) {
        struct pdu pdu;
        struct buf *data = NULL;
        enum framer_outcome outcome;

        framer_feed(&rig->framer, bytes);
        while ((outcome = framer_next(&rig->framer, &pdu, &data)) != FRAMER_NEEDS_MORE) {
            check(outcome == FRAMER_PDU);
            look_at(rig, &pdu, data);
            buf_free(data);
            data = NULL;
        }
        drain_host(rig);
    }
}

/* ---- login ---- */

static void answer_login(struct rig *rig, const struct pdu *request, const struct buf *data)
{
    static const struct step plain = {.patch_at = 255};
    struct text text;
    struct text answers;
    struct buf *reply;
    uint8_t bytes[4096];
    size_t count;
    bool continues;
    struct buf *copy = buf_share(data, 0, buf_bytes(data));
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .itt = request->itt,
                      .stat_sn = rig->stat_sn++,
                      .exp_cmd_sn = request->cmd_sn,
                      .max_cmd_sn = request->cmd_sn + rig->window - 1,
                      .login_response = {.transit = request->login_request.transit,
                                         .csg = request->login_request.csg,
                                         .nsg = request->login_request.nsg,
                                         .tsih = 5}};

    text_init(&text, rig->pool, TEXT_LOGIN_MOST);
    text_init(&answers, rig->pool, sizeof(bytes));
    check(text_join(&text, copy)); /* our own offers are never too long */
    buf_free(copy);
    check(negotiate_receive(&rig->negotiation, NEGOTIATE_OPERATIONAL, text_bytes(&text), text.bytes,
                            &answers) == NEGOTIATE_GOOD);
    memcpy(pdu.login_response.isid, request->login_request.isid, PDU_ISID_BYTES);
    reply = text_take(&answers, sizeof(bytes), &continues);
    count = buf_bytes(reply);
    buf_read(reply, 0, bytes, count);
    buf_free(reply);
    rig->max_cmd_sn = pdu.max_cmd_sn;
    send_pdu(rig, &plain, &pdu, bytes, (uint32_t)count);
    if (pdu.login_response.transit) {
        rig->digests.header = rig->negotiation.agreed.header_digest == DIGEST_CRC32C;
        rig->digests.data = rig->negotiation.agreed.data_digest == DIGEST_CRC32C;
        framer_set_digests(&rig->framer, rig->digests.header, rig->digests.data);
    }
    text_fini(&text);
    text_fini(&answers);
}

/* ---- steps of the host ---- */

static void host_command(struct rig *rig, const struct step *step, bool is_write)
{
    static const uint32_t lengths[] = {512, 4096, 65536, 100000, 1, 0, 262144, 8192};
    size_t index = 0;
    struct command *command;

    while (index < MOST_COMMANDS && rig->is_open[index])
        index++;
    if (index == MOST_COMMANDS || !isession_can_submit(rig->session))
        return;
    command = &rig->commands[index];
    memset(command, 0, sizeof(*command));
    command->bytes = lengths[step->length & 7];
    command->direction = command->bytes == 0 ? DATA_NONE : is_write ? DATA_WRITE : DATA_READ;
    command->is_immediate = step->flags & STEP_IMMEDIATE;
    command->cdb[0] = is_write ? 0x2a : 0x28;
    if (command->direction == DATA_WRITE) {
        struct chunk *chunk = chunk_new(rig->pool, command->bytes);

        memset(chunk->data, 0x5a, command->bytes);
        command->data_out = buf_new(chunk, 0, command->bytes);
    }
    rig->is_open[index] = true;
    isession_submit(rig->session, command);
}

static void host_manages(struct rig *rig, const struct step *step)
{
    const struct command *command = &rig->commands[step->ttt % MOST_COMMANDS];
    bool is_new = step->detail & 128; /* of protocol level 2 */
    unsigned function = is_new ? ISCSI_TMF_QUERY_TASK_SET + step->detail % 3
                               : ISCSI_TMF_ABORT_TASK_SET + step->detail % 6;

    if (step->detail & 8)
        (void)isession_manage(rig->session, (enum iscsi_tmf)function, 0);
    else if (rig->is_open[step->ttt % MOST_COMMANDS] && command->floor && is_new)
        (void)isession_query_task(rig->session, command);
    else if (rig->is_open[step->ttt % MOST_COMMANDS] && command->floor)
        (void)isession_abort_task(rig->session, command);
}

static void host_texts(struct rig *rig, const struct step *step)
{
    static const uint32_t segments[] = {512, 8192, 65536, 16777215};

    if (step->detail & 1)
        (void)isession_send_targets(rig->session);
    else if (step->detail & 2)
        (void)isession_declare_segment(rig->session, segments[step->detail >> 2 & 3]);
    else
        (void)isession_text(rig->session, "X-lab=1", 8);
}

/* ---- steps of the target ---- */

static struct task choose_task(struct rig *rig, const struct step *step)
{
    struct task none = {.itt = step->a};

    switch (step->itt & 15) {
    case 12:
        return none;
    case 13:
        none.itt = PDU_NO_TAG;
        return none;
    case 14:
        none.itt = rig->last_itt;
        return none;
    case 15:
        none.itt = rig->last_itt + 1;
        return none;
    default:
        if (rig->task_count == 0)
            return none;
        return rig->tasks[(step->itt & 7) % rig->task_count];
    }
}

/* Numbers of a PDU that takes a StatSN, or does not. */
static struct pdu response(struct rig *rig, const struct step *step, enum pdu_opcode opcode,
                           bool takes_stat_sn)
{
    struct pdu pdu = {.opcode = (uint8_t)opcode,
                      .is_final = step->flags & STEP_FINAL,
                      .itt = choose_task(rig, step).itt,
                      .ttt = step->ttt & 8 ? step->b : PDU_NO_TAG,
                      .stat_sn = rig->stat_sn,
                      .exp_cmd_sn = rig->exp_cmd_sn,
                      .max_cmd_sn = rig->exp_cmd_sn + rig->window - 1};

    if (step->stat_sn & 8)
        pdu.stat_sn += (uint32_t[]){1, UINT32_MAX, 0x80000000, 0x7fffffff}[step->stat_sn & 3];
    else
        rig->stat_sn += takes_stat_sn;
    if (step->cmd_sn & 8) { /* a window that moves in its own way */
        pdu.max_cmd_sn += (uint32_t[]){1000, UINT32_MAX - 40, 0x80000000, 1}[step->cmd_sn & 3];
        pdu.exp_cmd_sn += step->cmd_sn & 16 ? 1 : 0;
    }
    if (step->patch_at < PDU_HEADER_BYTES || step->cmd_sn & 8)
        rig->is_out_of_step = true;
    if ((int32_t)(pdu.max_cmd_sn - rig->max_cmd_sn) > 0)
        rig->max_cmd_sn = pdu.max_cmd_sn;
    return pdu;
}

static const uint8_t *fill(const struct step *step, uint32_t bytes)
{
    static uint8_t data[MOST_DATA];

    check(bytes <= MOST_DATA);
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = step->data_bytes ? step->data[i % step->data_bytes] : 0;
    return data;
}

static uint32_t limited(uint32_t bytes, uint32_t most)
{
    return bytes < most ? bytes : most;
}

static void send_r2t(struct rig *rig, const struct step *step)
{
    struct pdu pdu = response(rig, step, PDU_R2T, false);
    struct task *task = find_task(rig, pdu.itt);
    uint32_t asked_to = task ? task->asked_to : 0;
    uint32_t rest = task ? task->expected_bytes - limited(asked_to, task->expected_bytes) : 512;

    pdu.ttt = step->ttt & 8 ? step->b : 77;
    pdu.r2t.r2t_sn = step->length & 8 ? step->b : 0;
    pdu.r2t.buffer_offset = asked_to + (step->length & 16 ? step->a : 0);
    pdu.r2t.desired_bytes =
        step->length & 32 ? step->a : limited(rest, rig->negotiation.agreed.max_burst_bytes);
    if (task)
        task->asked_to = limited(pdu.r2t.buffer_offset + pdu.r2t.desired_bytes, UINT32_MAX);
    if (step->length & (8 | 16 | 32))
        rig->is_out_of_step = true;
    send_pdu(rig, step, &pdu, NULL, 0);
}

static void send_data_in(struct rig *rig, const struct step *step)
{
    bool has_status = step->detail & 1;
    struct pdu pdu = response(rig, step, PDU_DATA_IN, has_status);
    struct task task = choose_task(rig, step);
    uint32_t bytes = step->length & 8 ? step->a : task.expected_bytes;

    pdu.data_in.has_status = has_status;
    pdu.data_in.asks_ack = step->detail & 2;
    pdu.data_in.status = step->detail & 4 ? step->patch_to : SCSI_GOOD;
    pdu.data_in.data_sn = step->length & 16 ? step->b : 0;
    pdu.data_in.buffer_offset = step->length & 32 ? step->b : 0;
    pdu.data_in.residual.is_underflow = has_status && step->detail & 8;
    pdu.data_in.residual.bytes = pdu.data_in.residual.is_underflow ? step->b : 0;
    pdu.is_final |= has_status;
    bytes = limited(bytes, MOST_DATA);
    send_pdu(rig, step, &pdu, fill(step, bytes), bytes);
}

static void send_response(struct rig *rig, const struct step *step)
{
    struct pdu pdu = response(rig, step, PDU_SCSI_RESPONSE, true);
    uint32_t bytes = step->length & 8 ? limited(step->data_bytes, MOST_DATA) : 0;

    pdu.response.response = step->detail & 16 ? 1 : 0;
    pdu.response.status = step->detail & 1 ? SCSI_CHECK_CONDITION : step->detail & 6;
    pdu.response.exp_data_sn = step->length & 16 ? step->b : 0;
    pdu.response.residual.is_overflow = (step->detail & 24) == 8;
    pdu.response.residual.is_underflow = (step->detail & 24) == 16;
    pdu.response.residual.bytes = step->detail & 24 ? step->a : 0;
    send_pdu(rig, step, &pdu, fill(step, bytes), bytes);
}

/* The oldest command, ended well: a read with its data, a write although its data did not come. */
static void send_answer(struct rig *rig, const struct step *step)
{
    struct task task;
    struct step good = *step;

    if (rig->task_count == 0)
        return;
    task = rig->tasks[0];
    good.itt = 0;
    good.cmd_sn = 0;
    good.stat_sn = 0;
    good.length = 0;
    good.detail = 1;
    if (task.is_write || task.expected_bytes == 0) {
        good.detail = 0;
        send_response(rig, &good);
    } else {
        struct pdu pdu = response(rig, &good, PDU_DATA_IN, true);
        uint32_t most = rig->negotiation.agreed.peer_max_recv_segment_bytes;

        pdu.is_final = true;
        for (uint32_t at = 0; at < task.expected_bytes; pdu.data_in.data_sn++) {
            uint32_t here = limited(task.expected_bytes - at, limited(most, MOST_DATA));

            pdu.data_in.buffer_offset = at;
            pdu.data_in.has_status = at + here == task.expected_bytes;
            pdu.is_final = pdu.data_in.has_status;
            if (!pdu.data_in.has_status)
                pdu.stat_sn = 0;
            else
                pdu.stat_sn = rig->stat_sn - 1;
            send_pdu(rig, &good, &pdu, fill(step, here), here);
            at += here;
        }
    }
    memmove(rig->tasks, rig->tasks + 1, --rig->task_count * sizeof(rig->tasks[0]));
}

static void send_nop_in(struct rig *rig, const struct step *step)
{
    bool is_ping = step->detail & 1;
    struct pdu pdu = response(rig, step, PDU_NOP_IN, !is_ping);

    pdu.itt = is_ping ? PDU_NO_TAG : rig->last_itt;
    pdu.ttt = is_ping ? step->b : PDU_NO_TAG;
    send_pdu(rig, step, &pdu, step->data, step->data_bytes);
}

static void send_async(struct rig *rig, const struct step *step)
{
    struct pdu pdu = response(rig, step, PDU_ASYNC, true);

    pdu.async.event = step->detail & 7;
    pdu.async.parameter1 = (uint16_t)step->a;
    pdu.async.parameter2 = (uint16_t)(step->a >> 16);
    pdu.async.parameter3 = (uint16_t)step->b;
    send_pdu(rig, step, &pdu, step->data, step->data_bytes);
}

static void send_text(struct rig *rig, const struct step *step)
{
    struct pdu pdu = response(rig, step, PDU_TEXT_RESPONSE, true);

    pdu.itt = step->itt & 8 ? pdu.itt : rig->last_itt;
    pdu.text.continues = step->flags & STEP_SECOND;
    send_pdu(rig, step, &pdu, step->data, step->data_bytes);
}

static void send_login(struct rig *rig, const struct step *step)
{
    struct pdu pdu = response(rig, step, PDU_LOGIN_RESPONSE, true);

    pdu.itt = step->itt & 8 ? pdu.itt : rig->last_itt;
    pdu.login_response = (struct pdu_login_response){.transit = step->detail & 16,
                                                     .continues = step->flags & STEP_SECOND,
                                                     .csg = step->detail & 3,
                                                     .nsg = step->detail >> 2 & 3,
                                                     .tsih = (uint16_t)(step->b + 1),
                                                     .status_class = step->ttt & 16 ? step->lun : 0,
                                                     .status_detail = (uint8_t)step->a};
    memcpy(pdu.login_response.isid, rig->login_isid, PDU_ISID_BYTES);
    rig->is_out_of_step = true; /* who knows what is agreed */
    send_pdu(rig, step, &pdu, step->data, step->data_bytes);
}

/* What the step says, behind a proof; by its spare byte 1: a wrong one, 2: of somebody else, the
 * rest: by which algorithm. */
static void send_proof(struct rig *rig, const struct step *step)
{
    static const enum chap_algorithm algorithms[] = {CHAP_SHA3_256, CHAP_SHA256, CHAP_SHA1,
                                                     CHAP_MD5};
    static char text[MOST_DATA];
    struct chap_challenge *challenge = &rig->challenge;
    struct step with_proof = *step;
    uint8_t digest[CHAP_DIGEST_MOST];
    char hex[2 + 2 * CHAP_DIGEST_MOST + 1];

    if (challenge->bytes == 0)
        return;
    size_t bytes = chap_digest(algorithms[step->spare >> 2 & 3], challenge->identifier, &rig->own,
                               challenge->data, challenge->bytes, digest);

    digest[0] ^= step->spare & 1;
    check(text_from_hex(digest, bytes, hex, sizeof(hex)));
    int at = snprintf(text, sizeof(text), "CHAP_N=%s%cCHAP_R=%s",
                      step->spare & 2 ? "somebody" : rig->own.name, 0, hex);

    check(at > 0);
    at++; /* with NUL */
    rig->has_proof = rig->has_proof || !(step->spare & 3);
    if ((size_t)at + step->data_bytes <= 8192) {
        memcpy(text + at, step->data, step->data_bytes);
        at += step->data_bytes;
    }
    with_proof.data = (const uint8_t *)text;
    with_proof.data_bytes = (uint16_t)at;
    send_login(rig, &with_proof);
}

static void send_short(struct rig *rig, const struct step *step, enum step_action action)
{
    struct pdu pdu;

    if (action == SEND_TASK_RESPONSE) {
        pdu = response(rig, step, PDU_TASK_RESPONSE, true);
        pdu.itt = step->itt & 8 ? pdu.itt : rig->last_itt;
        pdu.task_response.response = step->detail & 16 ? step->patch_to : 0;
        send_pdu(rig, step, &pdu, NULL, 0);
    } else if (action == SEND_LOGOUT_RESPONSE) {
        pdu = response(rig, step, PDU_LOGOUT_RESPONSE, true);
        pdu.itt = step->itt & 8 ? pdu.itt : rig->last_itt;
        pdu.logout_response.response = step->detail & 3;
        send_pdu(rig, step, &pdu, NULL, 0);
    } else {
        struct pdu bad = {
            .opcode = PDU_SCSI_COMMAND, .itt = choose_task(rig, step).itt, .cmd_sn = step->b};
        uint8_t header[PDU_HEADER_BYTES];

        pdu = response(rig, step, PDU_REJECT, true);
        pdu.reject.reason = step->detail & 15;
        if (step->ttt & 1)
            bad = (struct pdu){.opcode = PDU_TEXT_REQUEST, .itt = rig->last_itt};
        pdu_encode(&bad, header);
        send_pdu(rig, step, &pdu, header, step->ttt & 2 ? step->spare % 49 : PDU_HEADER_BYTES);
    }
}

static void rig_step(struct rig *rig, const struct step *step)
{
    enum step_action action = (enum step_action)(step->action % STEP_ACTION_COUNT);

    rig->now_ns += MS(1);
    switch (action) {
    case HOST_READ:
    case HOST_WRITE:
        host_command(rig, step, action == HOST_WRITE);
        break;
    case HOST_MANAGE:
        host_manages(rig, step);
        break;
    case HOST_PING:
        (void)isession_ping(rig->session, step->flags & STEP_IMMEDIATE);
        break;
    case HOST_TEXT:
        host_texts(rig, step);
        break;
    case HOST_LOGOUT:
        (void)isession_logout(rig->session, (enum iscsi_logout_reason)(step->detail % 3));
        break;
    case HOST_GIVES_UP:
        isession_give_up(rig->session, "given up");
        break;
    case SEND_ANSWER:
        send_answer(rig, step);
        break;
    case SEND_R2T:
        send_r2t(rig, step);
        break;
    case SEND_DATA_IN:
        send_data_in(rig, step);
        break;
    case SEND_RESPONSE:
        send_response(rig, step);
        break;
    case SEND_NOP_IN:
        send_nop_in(rig, step);
        break;
    case SEND_ASYNC:
        send_async(rig, step);
        break;
    case SEND_TEXT:
        send_text(rig, step);
        break;
    case SEND_LOGIN:
        send_login(rig, step);
        break;
    case SEND_PROOF:
        send_proof(rig, step);
        break;
    case SEND_TASK_RESPONSE:
    case SEND_LOGOUT_RESPONSE:
    case SEND_REJECT:
        send_short(rig, step, action);
        break;
    case SEND_BYTES:
        rig->is_out_of_step = true;
        isession_feed(rig->session, 0, buf_copy(rig->pool, step->data, step->data_bytes),
                      rig->now_ns);
        break;
    case STREAM_ENDS:
        isession_closed(rig->session, 0, rig->now_ns);
        break;
    case STEP_ACTION_COUNT:
        break;
    }
    pump(rig);
}

/* ---- life ---- */

static struct iscsi_params fuzz_params(uint8_t flags)
{
    struct iscsi_params params = iscsi_default_params;

    params.header_digest = flags & 1 ? DIGEST_CRC32C_OR_NONE : DIGEST_NONE;
    params.data_digest = flags & 2 ? DIGEST_CRC32C_OR_NONE : DIGEST_NONE;
    params.initial_r2t = flags & 4;
    params.immediate_data = !(flags & 8);
    params.max_recv_segment_bytes = flags & 16 ? 8192 : 65536;
    params.max_burst_bytes = flags & 32 ? 4096 : 262144;
    params.first_burst_bytes = flags & 32 ? 512 : 65536;
    params.max_outstanding_r2t = flags & 64 ? 4 : 1;
    params.protocol_level = flags & 128 ? ISCSI_LEVEL_QUERIES : 1;
    return params;
}

static void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    struct rig *rig = CONTAINER_OF(chance, struct rig, chance);

    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = i == 0 ? ++rig->chance_next : (uint8_t)(i * 7);
}

static struct chap_login fuzz_chap(struct rig *rig, const uint8_t *setup)
{
    check(!chap_identity_set(&rig->user, "hv1", "initiator-secret1", 17));
    check(!chap_identity_set(&rig->own, "array", "target-secret-22", 16));
    rig->chance.fill = count_up;
    if (rig->answers_login || !(setup[1] & SETUP_CHAP))
        return (struct chap_login){.own = NULL};
    rig->wants_proof = setup[1] & SETUP_MUTUAL;
    return (struct chap_login){&rig->user, rig->wants_proof ? &rig->own : NULL, &rig->chance};
}

static void rig_begin(struct rig *rig, const uint8_t *setup)
{
    static const uint32_t windows[] = {32, 1, 2, 255};
    bool is_discovery = setup[1] & 2;
    struct iscsi_params offer = fuzz_params(setup[2]);
    struct iscsi_params wanted = fuzz_params(setup[3]);

    memset(rig, 0, sizeof(*rig));
    rig->pool = pool_new();
    rig->now_ns = SECONDS(1);
    rig->answers_login = !(setup[1] & 1);
    rig->window = windows[setup[4] & 3];
    rig->stat_sn = setup[4] & 4 ? UINT32_MAX - 1 : 1;
    framer_init(&rig->framer, PDU_DATA_MOST, PDU_AHS_MOST_BYTES);
    negotiate_init(&rig->negotiation,
                   (struct negotiate_role){.is_discovery = is_discovery, .is_leading = true},
                   &wanted);
    rig->session = isession_new(
        &(struct isession_config){.initiator_name = "iqn.2024-01.lab:hv1",
                                  .target_name = is_discovery ? NULL : "iqn.2024-01.lab:san1",
                                  .isid = {0x80, 1, 2, 3, 0, 1},
                                  .cid = 7,
                                  .first_cmd_sn = setup[4] & 8 ? UINT32_MAX - 1 : 100,
                                  .offer = offer,
                                  .starts_in_security = setup[1] & 1 && setup[1] & 4,
                                  .chap = fuzz_chap(rig, setup),
                                  .confirms_status = setup[1] & 8,
                                  .stops_data_at_abort = setup[1] & 16,
                                  .logs_pdus = true,
                                  .max_commands = 16,
                                  .pool = rig->pool});
    isession_connected(rig->session, 0, rig->now_ns);
    pump(rig);
    if (rig->answers_login)
        check(isession_state(rig->session) == ISESSION_FULL_FEATURE);
}

static void rig_end(struct rig *rig)
{
    isession_closed(rig->session, 0, rig->now_ns);
    pump(rig);
    for (size_t i = 0; i < MOST_COMMANDS; i++)
        check(!rig->is_open[i]); /* the end of the session gives back every command */
    isession_free(rig->session);
    framer_fini(&rig->framer);
    check(pool_live_chunks(rig->pool) == 0);
    check(pool_live_bufs(rig->pool) == 0);
    check(pool_live_blocks(rig->pool) == 0);
    pool_free(rig->pool);
}

/* ---- the fuzzer ---- */

static const uint8_t usual[] = {HOST_READ,     HOST_READ,          HOST_READ,
                                HOST_WRITE,    HOST_WRITE,         HOST_WRITE,
                                HOST_MANAGE,   HOST_PING,          HOST_TEXT,
                                HOST_LOGOUT,   SEND_ANSWER,        SEND_ANSWER,
                                SEND_ANSWER,   SEND_R2T,           SEND_R2T,
                                SEND_R2T,      SEND_DATA_IN,       SEND_DATA_IN,
                                SEND_RESPONSE, SEND_RESPONSE,      SEND_NOP_IN,
                                SEND_ASYNC,    SEND_TEXT,          SEND_LOGIN,
                                SEND_LOGIN,    SEND_TASK_RESPONSE, SEND_LOGOUT_RESPONSE,
                                SEND_REJECT,   SEND_BYTES,         STREAM_ENDS,
                                HOST_GIVES_UP, SEND_PROOF};

#define TEXTS(X)                                                                                   \
    X("TargetPortalGroupTag=1\0HeaderDigest=None\0DataDigest=None\0InitialR2T=No\0"                \
      "ImmediateData=Yes\0MaxBurstLength=262144\0FirstBurstLength=65536\0DefaultTime2Wait=2\0"     \
      "DefaultTime2Retain=0\0MaxOutstandingR2T=1\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0"   \
      "ErrorRecoveryLevel=0\0MaxConnections=1\0MaxRecvDataSegmentLength=65536\0")                  \
    X("TargetAddress=10.0.0.1:3260,1\0")                                                           \
    X("TargetName=iqn.2024-01.lab:san1\0TargetAddress=10.0.0.1:3260,1\0")                          \
    X("MaxRecvDataSegmentLength=512\0")                                                            \
    X("AuthMethod=None\0")                                                                         \
    X("AuthMethod=CHAP\0")                                                                         \
    X("CHAP_A=7\0CHAP_I=1\0CHAP_C=0x00112233445566778899aabbccddeeff\0")                           \
    X("CHAP_A=5\0CHAP_I=255\0CHAP_C=0bABEiM0RVZneImaq7zN3u/w==\0")                                 \
    X("CHAP_A=8\0CHAP_I=1\0CHAP_C=0x0107\0")                                                       \
    X("CHAP_N=array\0CHAP_R=0x00112233445566778899aabbccddeeff\0")                                 \
    X("X-lab=NotUnderstood\0")                                                                     \
    X("HeaderDigest=CRC32C\0DataDigest=CRC32C\0")                                                  \
    X("\0\x12\x70\0\x06\0\0\0\0\x0a\0\0\0\0\x29\0\0\0\0\0") /* sense data, with their length */

static const char *const texts[] = {
#define X(text) text,
    TEXTS(X)
#undef X
};
static const uint16_t text_lengths[] = {
#define X(text) sizeof(text) - 1,
    TEXTS(X)
#undef X
};

static size_t no_text(const uint8_t *cdb, uint32_t roll)
{
    (void)cdb;
    return roll % 3 ? ARRAY_SIZE(texts) : roll / 3 % ARRAY_SIZE(texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct steps steps;
    static struct rig rig;

    steps_decode(data, size, &steps);
    rig_begin(&rig, steps.setup);
    for (size_t i = 0; i < steps.count; i++)
        rig_step(&rig, &steps.list[i]);
    rig_end(&rig);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct step_words words = {.usual = usual,
                               .usual_count = ARRAY_SIZE(usual),
                               .texts = texts,
                               .text_bytes = text_lengths,
                               .text_count = ARRAY_SIZE(texts),
                               .fitting_text = no_text};

    return steps_mutate(&words, data, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed)
{
    return steps_cross(a, a_bytes, b, b_bytes, out, max_bytes, seed);
}
