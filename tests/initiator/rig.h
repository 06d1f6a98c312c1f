/* A test rig: an initiator core on one side, a scripted target on the other, bytes in between and
 * a fake time. No socket, no event queue.
 *
 *     struct rig rig;
 *     rig_begin(&rig, &options);             a session, or a path if options.rules is set
 *     rig_base(&rig);                        logged in, INQUIRY, TEST UNIT READY, READ CAPACITY
 * done submit_read(&rig, 0, 4096);            what the host does const struct seen *read =
 * next(&rig, PDU_SCSI_COMMAND);     what the target sees send_data_in(&rig, read, ...); what the
 * target answers rig_end(&rig);                         nothing may be left in the pool
 *
 * The scripted target keeps StatSN, ExpCmdSN and MaxCmdSN right unless a test breaks them.
 */
#pragma once

#include "initiator/isession.h"
#include "initiator/path.h"
#include "iscsi/framer.h"
#include "iscsi/negotiate.h"
#include "iscsi/pdu.h"
#include "iscsi/text.h"
#include "sim/core/time.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define RIG_INITIATOR "iqn.1991-05.com.microsoft:hv1"
#define RIG_TARGET    "iqn.2026-01.com.example:san1"
#define RIG_TSIH      0x0102u
#define RIG_LUN       0x0001000000000000u /* LUN 1 */
#define RIG_SEEN_MOST 512u
#define RIG_COMMANDS  64u

/* A PDU of the initiator. */
struct seen {
    struct pdu pdu;
    uint8_t header[PDU_HEADER_BYTES];
    struct buf *data; /* the rig's */
};

struct rig_options {
    struct iscsi_params host;   /* what the initiator offers; max_burst 0: the defaults below */
    struct iscsi_params target; /* what the target wants; likewise */
    bool is_discovery;
    bool starts_in_security;
    struct chap_login chap;         /* of the initiator */
    struct chap_policy chap_policy; /* of the target */
    struct chance *chance;          /* of the target, with users */
    bool confirms_status;
    bool stops_data_at_abort;
    uint32_t window;       /* MaxCmdSN - ExpCmdSN + 1; 0: 32 */
    uint32_t first_cmd_sn; /* 0: 100 */
    uint32_t first_stat_sn;
    const struct path_rules *rules; /* a path instead of a session */
    int64_t timer_tick_ns;
    bool timer_wheel;
    bool admits_late; /* the test calls path_admit() itself */
};

struct rig {
    struct rig_options options;
    struct pool *pool;
    struct chap_target chap;
    struct isession *session;
    struct path *path;
    int64_t now_ns;

    /* The target. */
    struct framer framer;
    struct framer_digests digests;
    struct negotiation negotiation;
    uint32_t stat_sn;
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;
    bool holds_window; /* MaxCmdSN stays as the test set it */
    struct seen seen[RIG_SEEN_MOST];
    uint32_t seen_count;
    uint32_t seen_taken;
    uint32_t logins;
    uint32_t login_itt;

    /* The host. */
    struct command commands[RIG_COMMANDS];
    uint32_t command_count;
    struct isession_event events[32];
    uint32_t event_count;
    struct path_event path_events[64];
    char path_texts[64][96];
    uint32_t path_event_count;
    bool is_open;   /* the path asked for a stream, and it was not given back */
    uint32_t opens; /* how often */
    struct endpoint opened_to;
    int64_t opened_at_ns;
};

static inline struct iscsi_params rig_params(void)
{
    struct iscsi_params params = iscsi_default_params;

    params.max_connections = 1;
    params.initial_r2t = false;
    params.immediate_data = true;
    params.max_recv_segment_bytes = 65536;
    params.max_burst_bytes = 262144;
    params.first_burst_bytes = 65536;
    params.time2wait_s = 2;
    params.time2retain_s = 0;
    params.max_outstanding_r2t = 1;
    params.data_pdu_in_order = true;
    params.data_sequence_in_order = true;
    params.error_recovery_level = 0;
    return params;
}

/* As the profiles of Windows Server and of Linux with dm-multipath have them. */
static const struct path_rules rig_windows = {.connect_timeout_ns = SECONDS(15),
                                              .login_timeout_ns = SECONDS(30),
                                              .logout_timeout_ns = SECONDS(15),
                                              .reconnect_delay_ns = SECONDS(5),
                                              .hold_ns = SECONDS(15),
                                              .command_timeout_ns = SECONDS(60),
                                              .command_timeout_extra_ns = SECONDS(15),
                                              .abort_timeout_ns = SECONDS(15),
                                              .lun_reset_timeout_ns = SECONDS(15),
                                              .max_commands = 255,
                                              .queue_depth = 255,
                                              .async_logout_delay_ns = SECONDS(10)};
static const struct path_rules rig_linux = {.login_timeout_ns = SECONDS(15),
                                            .logout_timeout_ns = SECONDS(15),
                                            .refused_delay_ns = SECONDS(3),
                                            .waits_time2wait = true,
                                            .nop_interval_ns = SECONDS(5),
                                            .nop_timeout_ns = SECONDS(5),
                                            .hold_ns = SECONDS(5),
                                            .command_timeout_ns = SECONDS(30),
                                            .extends_busy_timeout = true,
                                            .abort_timeout_ns = SECONDS(15),
                                            .lun_reset_timeout_ns = SECONDS(30),
                                            .target_reset_timeout_ns = SECONDS(30),
                                            .max_commands = 128,
                                            .queue_depth = 32};

static inline void rig_new_target(struct rig *rig)
{
    struct negotiate_role role = {.is_discovery = rig->options.is_discovery, .is_leading = true};

    framer_fini(&rig->framer);
    framer_init(&rig->framer, PDU_DATA_MOST, PDU_AHS_MOST_BYTES);
    rig->digests = (struct framer_digests){0};
    negotiate_init(&rig->negotiation, role, &rig->options.target);
    rig->stat_sn = rig->options.first_stat_sn;
}

static inline void rig_begin(struct rig *rig, const struct rig_options *options)
{
    static struct iscsi_params offer; /* borrowed by a path; the tests run one by one */

    memset(rig, 0, sizeof(*rig));
    rig->options = *options;
    if (rig->options.host.max_burst_bytes == 0)
        rig->options.host = rig_params();
    if (rig->options.target.max_burst_bytes == 0)
        rig->options.target = rig_params();
    if (rig->options.window == 0)
        rig->options.window = 32;
    if (rig->options.first_cmd_sn == 0)
        rig->options.first_cmd_sn = 100;
    rig->pool = pool_new();
    rig->now_ns = SECONDS(1);
    rig_new_target(rig);
    if (options->rules) {
        offer = rig->options.host;
        struct path_config config = {.rules = options->rules,
                                     .offer = &offer,
                                     .initiator_name = RIG_INITIATOR,
                                     .target_name = RIG_TARGET,
                                     .isid = {0x80, 1, 2, 3, 0, 1},
                                     .portal = {IPV4(172, 16, 0, 51), 3260},
                                     .timer_tick_ns = options->timer_tick_ns,
                                     .timer_wheel = options->timer_wheel,
                                     .first_cmd_sn = rig->options.first_cmd_sn,
                                     .logs_pdus = true,
                                     .pool = rig->pool};

        rig->path = path_new(&config);
        return;
    }
    struct isession_config config = {.initiator_name = RIG_INITIATOR,
                                     .target_name = options->is_discovery ? NULL : RIG_TARGET,
                                     .isid = {0x80, 1, 2, 3, 0, 1},
                                     .cid = 7,
                                     .first_cmd_sn = rig->options.first_cmd_sn,
                                     .offer = rig->options.host,
                                     .starts_in_security = options->starts_in_security,
                                     .chap = options->chap,
                                     .confirms_status = options->confirms_status,
                                     .stops_data_at_abort = options->stops_data_at_abort,
                                     .logs_pdus = true,
                                     .max_commands = 48,
                                     .pool = rig->pool};

    rig->session = isession_new(&config);
    isession_connected(rig->session, 0, rig->now_ns);
}

static inline void rig_end(struct rig *rig)
{
    isession_free(rig->session);
    path_free(rig->path);
    framer_fini(&rig->framer);
    for (uint32_t i = 0; i < rig->seen_count; i++)
        buf_free(rig->seen[i].data);
    for (uint32_t i = 0; i < rig->command_count; i++) {
        buf_free(rig->commands[i].data_in);
        buf_free(rig->commands[i].data_out);
    }
    assert_int_equal(pool_live_bufs(rig->pool), 0);
    assert_int_equal(pool_live_chunks(rig->pool), 0);
    assert_int_equal(pool_live_blocks(rig->pool), 0);
    pool_free(rig->pool);
}

/* The host's side: what the core says. */

static inline void rig_path_told(struct rig *rig, const struct path_event *event)
{
    assert_true(rig->path_event_count < 64);
    struct path_event *kept = &rig->path_events[rig->path_event_count];

    *kept = *event;
    snprintf(rig->path_texts[rig->path_event_count], 96, "%s", event->text ? event->text : "");
    kept->text = rig->path_texts[rig->path_event_count++];
    switch (event->kind) {
    case PATH_OPEN:
        assert_false(rig->is_open);
        rig->is_open = true;
        rig->opens++;
        rig->opened_to = event->to;
        rig->opened_at_ns = rig->now_ns;
        rig_new_target(rig);
        break;
    case PATH_CLOSE:
    case PATH_ABORT:
        assert_true(rig->is_open);
        rig->is_open = false;
        break;
    case PATH_LOGGED_IN:
        if (!rig->options.admits_late)
            path_admit(rig->path, rig->now_ns);
        break;
    case PATH_SIGN:
    case PATH_CHANGED:
    case PATH_LEFT:
        break;
    }
}

static inline void rig_drain(struct rig *rig)
{
    struct path_event event;
    bool from_target;
    uint32_t connection;

    if (rig->path) {
        while (path_next_pdu(rig->path, &from_target))
            ;
        while (path_next_event(rig->path, &event))
            rig_path_told(rig, &event);
        return;
    }
    while (isession_next_pdu(rig->session, &connection, &from_target))
        ;
    while (rig->event_count < 32 &&
           isession_next_event(rig->session, &rig->events[rig->event_count]))
        rig->event_count++;
}

/* Takes what the initiator sends. */
static inline void rig_pump(struct rig *rig)
{
    struct buf *bytes;
    struct seen *seen;

    rig_drain(rig);
    if (rig->path && !rig->is_open)
        return;
    while ((bytes = rig->path ? path_take(rig->path, 100000, rig->now_ns)
                              : isession_take(rig->session, 0, 100000, rig->now_ns)))
        framer_feed(&rig->framer, bytes);
    rig_drain(rig);
    for (;;) {
        assert_true(rig->seen_count < RIG_SEEN_MOST);
        seen = &rig->seen[rig->seen_count];
        enum framer_outcome outcome = framer_next(&rig->framer, &seen->pdu, &seen->data);

        if (outcome == FRAMER_NEEDS_MORE)
            return;
        assert_int_equal(outcome, FRAMER_PDU);
        memcpy(seen->header, framer_header(&rig->framer), PDU_HEADER_BYTES);
        rig->seen_count++;
    }
}

/* The next PDU of the initiator, which is an 'opcode'. */
static inline struct seen *next(struct rig *rig, uint8_t opcode)
{
    rig_pump(rig);
    if (rig->seen_taken == rig->seen_count)
        fail_msg("no PDU came; expected %s", pdu_name(opcode));
    struct seen *seen = &rig->seen[rig->seen_taken++];

    if (seen->pdu.opcode != opcode)
        fail_msg("%s came; expected %s", pdu_name(seen->pdu.opcode), pdu_name(opcode));
    if ((pdu_traits(opcode) & PDU_HAS_CMD_SN) && !seen->pdu.is_immediate) {
        assert_int_equal(seen->pdu.cmd_sn, rig->exp_cmd_sn);
        rig->exp_cmd_sn++;
    }
    return seen;
}

static inline bool has_more(struct rig *rig)
{
    rig_pump(rig);
    return rig->seen_taken < rig->seen_count;
}

static inline void assert_silent(struct rig *rig)
{
    if (has_more(rig))
        fail_msg("%s came; expected nothing", pdu_name(rig->seen[rig->seen_taken].pdu.opcode));
}

/* The target's side: what it sends. Takes ownership of 'data'. */

static inline void rig_feed(struct rig *rig, struct buf *bytes)
{
    if (rig->path)
        path_feed(rig->path, bytes, rig->now_ns);
    else
        isession_feed(rig->session, 0, bytes, rig->now_ns);
    rig_drain(rig);
}

static inline void rig_numbers(struct rig *rig, struct pdu *pdu)
{
    if (!rig->holds_window)
        rig->max_cmd_sn = rig->exp_cmd_sn + rig->options.window - 1;
    pdu->exp_cmd_sn = rig->exp_cmd_sn;
    pdu->max_cmd_sn = rig->max_cmd_sn;
}

static inline void send_raw(struct rig *rig, const struct pdu *pdu, struct buf *data)
{
    rig_feed(rig, framer_encode(rig->pool, pdu, data, rig->digests));
}

/* 'uses_stat_sn': this PDU is a status, the next one has the next number. */
static inline void send_pdu(struct rig *rig, struct pdu pdu, struct buf *data, bool uses_stat_sn)
{
    rig_numbers(rig, &pdu);
    pdu.stat_sn = rig->stat_sn;
    if (pdu.opcode == PDU_DATA_IN && !pdu.data_in.has_status)
        pdu.stat_sn = 0;
    if (uses_stat_sn)
        rig->stat_sn++;
    send_raw(rig, &pdu, data);
}

static inline uint8_t pattern_at(uint32_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 8));
}

static inline struct buf *pattern(struct rig *rig, uint32_t offset, uint32_t bytes)
{
    if (bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(rig->pool, bytes);

    for (uint32_t i = 0; i < bytes; i++)
        chunk->data[i] = pattern_at(offset + i);
    return buf_new(chunk, 0, bytes);
}

static inline void assert_pattern(const struct buf *data, uint32_t offset, uint32_t bytes)
{
    assert_int_equal(buf_bytes(data), bytes);
    for (; data; data = data->next) {
        for (uint32_t i = 0; i < data->bytes; i++)
            assert_int_equal(buf_data(data)[i], pattern_at(offset++));
    }
}

static inline void send_status(struct rig *rig, const struct seen *command, uint8_t status)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = command->pdu.itt,
                          .response = {.status = status}},
             NULL, true);
}

static inline void send_sense(struct rig *rig, const struct seen *command, uint8_t key, uint8_t asc,
                              uint8_t ascq)
{
    uint8_t data[26] = {0, 24, 0x70, 0, key, 0, 0, 0, 0, 16, 0, 0, 0, 0, asc, ascq};

    send_pdu(
        rig,
        (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                     .is_final = true,
                     .itt = command->pdu.itt,
                     .response = {.status = 2,
                                  .residual = {.is_underflow = command->pdu.command.is_read,
                                               .bytes = command->pdu.command.is_read
                                                            ? command->pdu.command.expected_bytes
                                                            : 0}}},
        buf_copy(rig->pool, data, sizeof(data)), true);
}

enum data_in_bits { DATA_F = 1, DATA_S = 2, DATA_A = 4 };

static inline void send_data_in(struct rig *rig, const struct seen *command, uint32_t data_sn,
                                uint32_t offset, uint32_t bytes, unsigned bits)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_DATA_IN,
                          .is_final = bits & (DATA_F | DATA_S),
                          .itt = command->pdu.itt,
                          .ttt = bits & DATA_A ? 0x1234u : PDU_NO_TAG,
                          .lun = bits & DATA_A ? command->pdu.lun : 0,
                          .data_in = {.data_sn = data_sn,
                                      .buffer_offset = offset,
                                      .asks_ack = bits & DATA_A,
                                      .has_status = bits & DATA_S}},
             pattern(rig, offset, bytes), bits & DATA_S);
}

static inline void send_r2t(struct rig *rig, const struct seen *command, uint32_t r2t_sn,
                            uint32_t ttt, uint32_t offset, uint32_t bytes)
{
    send_pdu(
        rig,
        (struct pdu){.opcode = PDU_R2T,
                     .is_final = true,
                     .lun = command->pdu.lun,
                     .itt = command->pdu.itt,
                     .ttt = ttt,
                     .r2t = {.r2t_sn = r2t_sn, .buffer_offset = offset, .desired_bytes = bytes}},
        NULL, false);
}

static inline void send_nop_in(struct rig *rig, uint32_t itt, uint32_t ttt, uint64_t lun)
{
    send_pdu(
        rig,
        (struct pdu){.opcode = PDU_NOP_IN, .is_final = true, .lun = lun, .itt = itt, .ttt = ttt},
        NULL, itt != PDU_NO_TAG);
}

static inline void send_async(struct rig *rig, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3)
{
    send_pdu(rig,
             (struct pdu){
                 .opcode = PDU_ASYNC,
                 .is_final = true,
                 .itt = PDU_NO_TAG,
                 .async = {.event = event, .parameter1 = p1, .parameter2 = p2, .parameter3 = p3}},
             NULL, true);
}

static inline void send_tmf_response(struct rig *rig, const struct seen *tmf, uint8_t response)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_TASK_RESPONSE,
                          .is_final = true,
                          .itt = tmf->pdu.itt,
                          .task_response = {.response = response}},
             NULL, true);
}

static inline void send_logout_response(struct rig *rig, const struct seen *logout,
                                        uint16_t time2wait_s)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_LOGOUT_RESPONSE,
                          .is_final = true,
                          .itt = logout->pdu.itt,
                          .logout_response = {.time2wait_s = time2wait_s}},
             NULL, true);
}

static inline void send_text(struct rig *rig, const struct seen *request, bool is_final,
                             uint32_t ttt, uint64_t lun, const char *text, size_t bytes)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_TEXT_RESPONSE,
                          .is_final = is_final,
                          .lun = lun,
                          .itt = request->pdu.itt,
                          .ttt = ttt},
             buf_copy(rig->pool, text, bytes), true);
}

static inline void send_reject(struct rig *rig, uint8_t reason, const struct seen *rejected)
{
    send_pdu(rig,
             (struct pdu){.opcode = PDU_REJECT,
                          .is_final = true,
                          .itt = PDU_NO_TAG,
                          .reject = {.reason = reason}},
             buf_copy(rig->pool, rejected->header, PDU_HEADER_BYTES), true);
}

/* Answers one Login Request as a target does; true: that was the last one. */
static inline bool answer_login(struct rig *rig)
{
    struct text answers;
    struct seen *request = next(rig, PDU_LOGIN_REQUEST);
    const struct pdu_login_request *login = &request->pdu.login_request;
    char keys[8192];
    size_t bytes = buf_bytes(request->data);
    bool is_last = login->transit && login->nsg == ISCSI_FULL_FEATURE_PHASE;
    bool continues;

    rig->logins += is_last;
    rig->login_itt = request->pdu.itt;
    rig->exp_cmd_sn = request->pdu.cmd_sn;
    assert_true(request->pdu.is_immediate);
    assert_true(bytes <= sizeof(keys));
    buf_read(request->data, 0, keys, bytes);
    text_init(&answers, rig->pool, TEXT_LOGIN_MOST);
    assert_int_equal(negotiate_receive(&rig->negotiation,
                                       login->csg == ISCSI_SECURITY_NEGOTIATION
                                           ? NEGOTIATE_SECURITY
                                           : NEGOTIATE_OPERATIONAL,
                                       keys, bytes, &answers),
                     NEGOTIATE_GOOD);
    if (login->csg == ISCSI_SECURITY_NEGOTIATION)
        assert_int_equal(chap_target_take(&rig->chap, &rig->options.chap_policy,
                                          rig->options.chance, keys, bytes, &answers),
                         CHAP_GOOD);
    else
        negotiate_offer(&rig->negotiation, NEGOTIATE_OPERATIONAL, &answers);
    if (!rig->options.is_discovery)
        text_add(&answers, "TargetPortalGroupTag", "1");
    bool transits = login->transit && chap_target_is_done(&rig->chap, &rig->options.chap_policy);
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .itt = request->pdu.itt,
                      .login_response = {.transit = transits,
                                         .csg = login->csg,
                                         .nsg = transits ? login->nsg : 0,
                                         .tsih = is_last ? RIG_TSIH : login->tsih}};

    memcpy(pdu.login_response.isid, login->isid, sizeof(login->isid));
    struct buf *data = text_take(&answers, 8192, &continues);

    text_fini(&answers);
    send_pdu(rig, pdu, data, true);
    if (is_last) {
        const struct iscsi_params *agreed = &rig->negotiation.agreed;

        rig->digests = (struct framer_digests){.header = agreed->header_digest == DIGEST_CRC32C,
                                               .data = agreed->data_digest == DIGEST_CRC32C};
        framer_set_digests(&rig->framer, rig->digests.header, rig->digests.data);
    }
    return is_last;
}

static inline void rig_login(struct rig *rig)
{
    while (!answer_login(rig))
        ;
    rig_pump(rig);
}

/* The host's side: commands. */

static inline struct command *submit(struct rig *rig, struct command what)
{
    assert_true(rig->command_count < RIG_COMMANDS);
    struct command *command = &rig->commands[rig->command_count++];

    *command = what;
    if (rig->path)
        path_submit(rig->path, command, rig->now_ns);
    else
        isession_submit(rig->session, command);
    rig_drain(rig);
    return command;
}

static inline struct command *submit_read(struct rig *rig, uint32_t lba, uint32_t bytes)
{
    return submit(rig, (struct command){.lun = RIG_LUN,
                                        .cdb = {0x28, 0, 0, 0, 0, (uint8_t)lba},
                                        .direction = DATA_READ,
                                        .bytes = bytes});
}

static inline struct command *submit_write(struct rig *rig, uint32_t lba, uint32_t bytes)
{
    return submit(rig, (struct command){.lun = RIG_LUN,
                                        .cdb = {0x2a, 0, 0, 0, 0, (uint8_t)lba},
                                        .direction = DATA_WRITE,
                                        .bytes = bytes,
                                        .data_out = pattern(rig, 0, bytes)});
}

static inline struct command *submit_test_unit_ready(struct rig *rig)
{
    return submit(rig, (struct command){.lun = RIG_LUN});
}

static inline struct command *rig_done(struct rig *rig)
{
    return rig->path ? path_next_done(rig->path) : isession_next_done(rig->session);
}

static inline void assert_done(struct rig *rig, struct command *command, enum command_end end)
{
    assert_ptr_equal(rig_done(rig), command);
    assert_int_equal(command->end, end);
}

static inline void assert_good(struct rig *rig, struct command *command)
{
    assert_done(rig, command, COMMAND_ANSWERED);
    assert_int_equal(command->status, 0);
}

static inline void assert_nothing_done(struct rig *rig)
{
    assert_null(rig_done(rig));
}

/* Answers a command that is out with GOOD; a read with all its data in one PDU. */
static inline void answer_good(struct rig *rig, const struct seen *command)
{
    if (command->pdu.command.is_read && command->pdu.command.expected_bytes > 0)
        send_data_in(rig, command, 0, 0, command->pdu.command.expected_bytes, DATA_F | DATA_S);
    else
        send_status(rig, command, 0);
}

/* "Base" of the suite: login, then INQUIRY, TEST UNIT READY, READ CAPACITY answered. */
static inline void rig_base(struct rig *rig)
{
    rig_login(rig);
    struct command *inquiry = submit(
        rig, (struct command){
                 .lun = RIG_LUN, .cdb = {0x12, 0, 0, 0, 36}, .direction = DATA_READ, .bytes = 36});

    answer_good(rig, next(rig, PDU_SCSI_COMMAND));
    assert_good(rig, inquiry);
    struct command *ready = submit_test_unit_ready(rig);

    answer_good(rig, next(rig, PDU_SCSI_COMMAND));
    assert_good(rig, ready);
    struct command *capacity = submit(
        rig, (struct command){.lun = RIG_LUN, .cdb = {0x25}, .direction = DATA_READ, .bytes = 8});

    answer_good(rig, next(rig, PDU_SCSI_COMMAND));
    assert_good(rig, capacity);
    assert_silent(rig);
}

/* Session events. */

static inline const struct isession_event *event_of(const struct rig *rig,
                                                    enum isession_event_kind kind)
{
    for (uint32_t i = 0; i < rig->event_count; i++) {
        if (rig->events[i].kind == kind)
            return &rig->events[i];
    }
    return NULL;
}

static inline void assert_lives(const struct rig *rig)
{
    const struct isession_event *ended = event_of(rig, ISESSION_ENDED);

    if (ended)
        fail_msg("the session ended: %s: %s", isession_end_word(ended->end), ended->text);
    assert_int_equal(isession_state(rig->session), ISESSION_FULL_FEATURE);
}

static inline void assert_ended(const struct rig *rig, enum isession_end end)
{
    const struct isession_event *ended = event_of(rig, ISESSION_ENDED);

    assert_non_null(ended);
    if (ended->end != end)
        fail_msg("the session ended as '%s: %s'; expected '%s'", isession_end_word(ended->end),
                 ended->text, isession_end_word(end));
    assert_int_equal(isession_state(rig->session), ISESSION_OVER);
}

/* Path events. */

static inline const struct path_event *path_event_of(const struct rig *rig,
                                                     enum path_event_kind kind)
{
    for (uint32_t i = rig->path_event_count; i-- > 0;) {
        if (rig->path_events[i].kind == kind)
            return &rig->path_events[i];
    }
    return NULL;
}

static inline bool has_sign(const struct rig *rig, enum trace_layer layer, const char *text)
{
    for (uint32_t i = 0; i < rig->path_event_count; i++) {
        const struct path_event *event = &rig->path_events[i];

        if (event->kind == PATH_SIGN && event->layer == layer && strcmp(event->text, text) == 0)
            return true;
    }
    return false;
}

/* Lets time pass, waking the path at each of its deadlines. */
static inline void rig_run_until(struct rig *rig, int64_t until_ns)
{
    while (path_deadline_ns(rig->path) <= until_ns) {
        int64_t at_ns = path_deadline_ns(rig->path);

        rig->now_ns = time_max(rig->now_ns, at_ns);
        path_wake(rig->path, rig->now_ns);
        rig_pump(rig);
    }
    rig->now_ns = until_ns;
}

static inline void rig_connect(struct rig *rig)
{
    assert_true(rig->is_open);
    path_connected(rig->path, rig->now_ns);
    rig_drain(rig);
}

/* Started, connected, logged in and admitted. */
static inline void rig_up(struct rig *rig)
{
    path_start(rig->path, rig->now_ns);
    rig_drain(rig);
    rig_connect(rig);
    rig_login(rig);
    assert_int_equal(path_link(rig->path), PATH_LINK_LOGGED_IN);
    if (!rig->options.admits_late)
        assert_int_equal(path_service(rig->path), SERVICE_UP);
}

static inline void rig_break(struct rig *rig, enum close_reason reason)
{
    assert_true(rig->is_open);
    rig->is_open = false;
    path_closed(rig->path, reason, rig->now_ns);
    rig_drain(rig);
}
