/* What a hostile target can do to a session: each is an outcome, never a crash, and nothing leaks.
 * The rows of "Initiator: hostile target", and the classes around them.
 */
#include "sim/core/bytes.h"
#include "tests/initiator/rig.h"

static struct rig rig;

/* One READ of 4096 bytes and one WRITE of 8192 (all by R2T) are open when the hostile PDU comes. */
static struct seen *read_seen;
static struct seen *write_seen;

static struct pdu data_in(uint32_t data_sn, uint32_t offset)
{
    return (struct pdu){.opcode = PDU_DATA_IN,
                        .itt = read_seen->pdu.itt,
                        .ttt = PDU_NO_TAG,
                        .data_in = {.data_sn = data_sn, .buffer_offset = offset}};
}

static struct pdu r2t(uint32_t r2t_sn, uint32_t offset, uint32_t bytes)
{
    return (struct pdu){.opcode = PDU_R2T,
                        .is_final = true,
                        .itt = write_seen->pdu.itt,
                        .ttt = 5,
                        .r2t = {.r2t_sn = r2t_sn, .buffer_offset = offset, .desired_bytes = bytes}};
}

static void put(struct pdu pdu, uint32_t bytes, bool uses_stat_sn)
{
    send_pdu(&rig, pdu, pattern(&rig, pdu.data_in.buffer_offset, bytes), uses_stat_sn);
}

static void data_beyond_edtl(void)
{
    put(data_in(0, 4096 - 511), 512, false);
}

static void offset_near_two_to_the_32(void)
{
    struct pdu pdu = data_in(0, 0xfffffff0u);

    send_pdu(&rig, pdu, pattern(&rig, 0, 512), false);
}

static void data_with_a_gap(void)
{
    put(data_in(0, 512), 512, false);
}

static void data_that_overlaps(void)
{
    put(data_in(0, 0), 1024, false);
    put(data_in(1, 512), 1024, false);
}

static void data_sn_that_skips(void)
{
    put(data_in(1, 0), 512, false);
}

static void data_sn_twice(void)
{
    put(data_in(0, 0), 512, false);
    put(data_in(0, 512), 512, false);
}

static void data_for_a_write(void)
{
    struct pdu pdu = data_in(0, 0);

    pdu.itt = write_seen->pdu.itt;
    put(pdu, 512, false);
}

static void data_for_no_task(void)
{
    struct pdu pdu = data_in(0, 0);

    pdu.itt ^= 0x00010000u;
    put(pdu, 512, false);
}

static void data_for_the_reserved_tag(void)
{
    struct pdu pdu = data_in(0, 0);

    pdu.itt = PDU_NO_TAG;
    put(pdu, 512, false);
}

static void status_before_all_data(void)
{
    struct pdu pdu = data_in(0, 0);

    pdu.is_final = true;
    pdu.data_in.has_status = true;
    put(pdu, 512, true);
}

static void residual_beyond_edtl(void)
{
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = read_seen->pdu.itt,
                          .response = {.residual = {.is_underflow = true, .bytes = 4097}}},
             NULL, true);
}

static void residual_that_denies_the_data(void)
{
    put(data_in(0, 0), 4096, false);
    send_pdu(&rig,
             (struct pdu){
                 .opcode = PDU_SCSI_RESPONSE,
                 .is_final = true,
                 .itt = read_seen->pdu.itt,
                 .response = {.exp_data_sn = 1, .residual = {.is_underflow = true, .bytes = 4096}}},
             NULL, true);
}

static void response_for_no_task(void)
{
    send_pdu(&rig, (struct pdu){.opcode = PDU_SCSI_RESPONSE, .is_final = true, .itt = 0x7fff7fffu},
             NULL, true);
}

static void response_twice(void)
{
    put(data_in(0, 0), 4096, false);
    send_status(&rig, read_seen, 0);
    send_status(&rig, read_seen, 0);
}

static void r2t_beyond_edtl(void)
{
    put(r2t(0, 4096, 4097), 0, false);
}

static void r2t_near_two_to_the_32(void)
{
    put(r2t(0, 0xfffffe00u, 1024), 0, false);
}

static void r2t_for_nothing(void)
{
    put(r2t(0, 0, 0), 0, false);
}

static void r2t_beyond_max_burst(void)
{
    put(r2t(0, 0, 8192), 0, false);
}

static void r2t_sn_that_skips(void)
{
    put(r2t(1, 0, 1024), 0, false);
}

static void r2t_without_a_tag(void)
{
    struct pdu pdu = r2t(0, 0, 1024);

    pdu.ttt = PDU_NO_TAG;
    put(pdu, 0, false);
}

static void r2t_for_a_read(void)
{
    struct pdu pdu = r2t(0, 0, 1024);

    pdu.itt = read_seen->pdu.itt;
    put(pdu, 0, false);
}

static void r2ts_without_end(void)
{
    for (uint32_t i = 0; i < 100; i++)
        put(r2t(i, 0, 1024), 0, false);
}

static void tmf_response_for_no_request(void)
{
    send_tmf_response(&rig, read_seen, 0);
}

static void logout_response_for_no_request(void)
{
    send_logout_response(&rig, read_seen, 0);
}

static void text_response_for_no_request(void)
{
    send_text(&rig, read_seen, true, PDU_NO_TAG, 0, "X-a=b", 6);
}

static void nop_in_for_no_ping(void)
{
    send_nop_in(&rig, read_seen->pdu.itt, PDU_NO_TAG, 0);
}

static void login_response_after_login(void)
{
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_LOGIN_RESPONSE,
                          .itt = rig.login_itt,
                          .login_response = {.transit = true, .csg = 1, .nsg = 3, .tsih = 1}},
             NULL, true);
}

static void a_request_from_the_target(void)
{
    send_pdu(&rig, (struct pdu){.opcode = PDU_NOP_OUT, .itt = 1, .ttt = PDU_NO_TAG}, NULL, false);
}

static void an_opcode_that_does_not_exist(void)
{
    uint8_t header[PDU_HEADER_BYTES] = {0x3b, 0x80};

    rig_feed(&rig, buf_copy(rig.pool, header, sizeof(header)));
}

static void a_segment_longer_than_declared(void)
{
    uint8_t header[PDU_HEADER_BYTES] = {0x25, 0, 0, 0, 0, 0x01, 0x00, 0x01};

    rig_feed(&rig, buf_copy(rig.pool, header, sizeof(header)));
}

static void ahs_where_none_may_be(void)
{
    uint8_t header[PDU_HEADER_BYTES] = {0x25, 0, 0, 0, 255};

    rig_feed(&rig, buf_copy(rig.pool, header, sizeof(header)));
}

static void stat_sn_that_jumps_in_a_nop_in(void)
{
    rig.stat_sn += 5;
    send_nop_in(&rig, PDU_NO_TAG, 1, 0);
}

static struct row {
    const char *name;
    void (*act)(void);
} rows[] = {
    {"Data-In beyond EDTL", data_beyond_edtl},
    {"Data-In at an offset near 2^32", offset_near_two_to_the_32},
    {"Data-In with a gap", data_with_a_gap},
    {"Data-In that overlaps", data_that_overlaps},
    {"DataSN that skips", data_sn_that_skips},
    {"DataSN twice", data_sn_twice},
    {"Data-In for a write", data_for_a_write},
    {"Data-In for no task", data_for_no_task},
    {"Data-In for the reserved tag", data_for_the_reserved_tag},
    {"status before all data", status_before_all_data},
    {"a residual beyond EDTL", residual_beyond_edtl},
    {"a residual that denies the data", residual_that_denies_the_data},
    {"a response for no task", response_for_no_task},
    {"a response twice", response_twice},
    {"R2T beyond EDTL", r2t_beyond_edtl},
    {"R2T near 2^32", r2t_near_two_to_the_32},
    {"R2T for nothing", r2t_for_nothing},
    {"R2T beyond MaxBurstLength", r2t_beyond_max_burst},
    {"R2TSN that skips", r2t_sn_that_skips},
    {"R2T without a tag", r2t_without_a_tag},
    {"R2T for a read", r2t_for_a_read},
    {"R2Ts without end", r2ts_without_end},
    {"a TMF response for no request", tmf_response_for_no_request},
    {"a Logout Response for no request", logout_response_for_no_request},
    {"a Text Response for no request", text_response_for_no_request},
    {"a NOP-In for no ping", nop_in_for_no_ping},
    {"a Login Response after login", login_response_after_login},
    {"a request from the target", a_request_from_the_target},
    {"an opcode that does not exist", an_opcode_that_does_not_exist},
    {"a segment longer than declared", a_segment_longer_than_declared},
    {"AHS where none may be", ahs_where_none_may_be},
    {"a StatSN that jumps in a NOP-In", stat_sn_that_jumps_in_a_nop_in},
};

static void begin(void)
{
    struct rig_options options = {.host = rig_params(), .target = rig_params()};

    options.target.initial_r2t = true;
    options.target.immediate_data = false;
    options.target.max_burst_bytes = 4096;
    options.target.first_burst_bytes = 4096;
    rig_begin(&rig, &options);
    rig_base(&rig);
    submit_read(&rig, 0, 4096);
    submit_write(&rig, 8, 8192);
    read_seen = next(&rig, PDU_SCSI_COMMAND);
    write_seen = next(&rig, PDU_SCSI_COMMAND);
}

static void ends_the_session(void **state)
{
    const struct row *row = *state;
    uint32_t lost = 0;
    struct command *command;

    begin();
    row->act();
    assert_ended(&rig, LOST_PROTOCOL);
    while ((command = rig_done(&rig))) {
        lost += command->end == COMMAND_SESSION_LOST;
        if (command->end == COMMAND_SESSION_LOST)
            assert_null(command->data_in);
    }
    assert_in_range(lost, 1, 2);
    assert_silent(&rig);
    rig_end(&rig);
}

static void a_sense_length_that_lies_is_no_answer(void **state)
{
    uint8_t data[] = {0x01, 0x00, 0x70, 0, 5};

    (void)state;
    begin();
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = read_seen->pdu.itt,
                          .response = {.status = 2}},
             buf_copy(rig.pool, data, sizeof(data)), true);
    struct command *command = rig_done(&rig);

    assert_int_equal(command->end, COMMAND_PROTOCOL);
    assert_lives(&rig);
    rig_end(&rig);
}

static void sense_longer_than_we_keep_is_cut(void **state)
{
    uint8_t data[254] = {0, 252, 0x70, 0, 5};

    (void)state;
    begin();
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = read_seen->pdu.itt,
                          .response = {.status = 2}},
             buf_copy(rig.pool, data, sizeof(data)), true);
    struct command *command = rig_done(&rig);

    assert_int_equal(command->end, COMMAND_ANSWERED);
    assert_int_equal(command->sense_bytes, SENSE_MAX_BYTES);
    rig_end(&rig);
}

static void async_events_that_do_not_exist_are_ignored(void **state)
{
    (void)state;
    begin();
    for (unsigned event = 5; event < 256; event++)
        send_async(&rig, (uint8_t)event, 1, 2, 3);
    assert_lives(&rig);
    assert_silent(&rig);
    rig_end(&rig);
}

static void a_flood_of_async_messages_grows_nothing(void **state)
{
    struct isession_event event;
    unsigned events = 0;

    (void)state;
    begin();
    rig.event_count = 32; /* nobody drains */
    for (unsigned i = 0; i < 1000; i++) {
        send_async(&rig, ISCSI_ASYNC_SCSI, 0, 0, 0);
        send_async(&rig, ISCSI_ASYNC_LOGOUT_REQUESTED, 0, 0, 1);
    }
    while (isession_next_event(rig.session, &event))
        events++;
    assert_in_range(events, 1, 16);
    assert_int_equal(isession_state(rig.session), ISESSION_FULL_FEATURE);
    rig_end(&rig);
}

static void a_nop_in_flood_stops_reading(void **state)
{
    struct pdu pdu = {.opcode = PDU_NOP_IN, .is_final = true, .itt = PDU_NO_TAG, .ttt = 7};

    (void)state;
    begin();
    unsigned count = 0;

    while (isession_room(rig.session, 0) > 0 && count < 100000) {
        send_pdu(&rig, pdu, NULL, false); /* and nobody takes the answers */
        count++;
    }
    assert_in_range(count, 1000, 2000);
    struct buf *answers = isession_take(rig.session, 0, 1 << 20, rig.now_ns);

    assert_int_equal(buf_bytes(answers), count * PDU_HEADER_BYTES);
    buf_free(answers);
    assert_true(isession_room(rig.session, 0) > 0);
    rig_end(&rig);
}

static void endless_send_targets_end(void **state)
{
    char pair[200];
    bool has_ended = false;

    (void)state;
    rig_begin(&rig, &(struct rig_options){.is_discovery = true});
    rig_login(&rig);
    isession_send_targets(rig.session);
    for (unsigned i = 0; i < 100000 && !has_ended; i++) {
        for (uint32_t n = 0; n < rig.seen_count; n++)
            buf_free(rig.seen[n].data);
        rig.seen_count = 0;
        rig.seen_taken = 0;
        rig_pump(&rig);
        if (rig.seen_count == 0)
            break;
        if (!rig.seen[0].pdu.is_immediate)
            rig.exp_cmd_sn = rig.seen[0].pdu.cmd_sn + 1;
        int length = snprintf(pair, sizeof(pair), "TargetName=iqn.2026-01.com.example:%0100u", i);

        send_text(&rig, &rig.seen[0], false, i, 0, pair, (size_t)length + 1);
        has_ended = event_of(&rig, ISESSION_ENDED) != NULL;
    }
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

/* Digests: what is damaged ends the session; nothing resynchronises on garbage. */
static void a_damaged_pdu_ends_the_session(void **state)
{
    static const struct {
        size_t at; /* the byte that is damaged */
        enum isession_end end;
    } damages[] = {
        {20, LOST_DIGEST}, {49, LOST_DIGEST}, {52 + 10, LOST_DIGEST}, {52 + 512 + 1, LOST_DIGEST}};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rig_options options = {.host = rig_params(), .target = rig_params()};
        uint8_t wire[52 + 512 + 4];

        options.host.header_digest = DIGEST_CRC32C;
        options.host.data_digest = DIGEST_CRC32C;
        options.target.header_digest = DIGEST_CRC32C_OR_NONE;
        options.target.data_digest = DIGEST_CRC32C_OR_NONE;
        rig_begin(&rig, &options);
        rig_base(&rig);
        submit_read(&rig, 0, 4096);
        read_seen = next(&rig, PDU_SCSI_COMMAND);
        struct pdu pdu = data_in(0, 0);

        rig_numbers(&rig, &pdu);
        struct buf *bytes = framer_encode(rig.pool, &pdu, pattern(&rig, 0, 512), rig.digests);

        assert_int_equal(buf_bytes(bytes), sizeof(wire));
        buf_read(bytes, 0, wire, sizeof(wire));
        buf_free(bytes);
        wire[damages[i].at] ^= 0x10;
        rig_feed(&rig, buf_copy(rig.pool, wire, sizeof(wire)));
        assert_ended(&rig, damages[i].end);
        send_nop_in(&rig, PDU_NO_TAG, 1, 0); /* what follows is not looked at */
        assert_silent(&rig);
        rig_end(&rig);
    }
}

/* A stream of noise: whatever it is, the session ends or waits, and leaks nothing. */
static void noise_is_survived(void **state)
{
    uint32_t x = 12345;

    (void)state;
    for (unsigned run = 0; run < 2000; run++) {
        uint8_t noise[300];

        begin();
        for (unsigned i = 0; i < sizeof(noise); i++) {
            x = x * 1664525 + 1013904223;
            noise[i] = (uint8_t)(x >> 24);
        }
        if (run % 2) { /* a frame that is right, with fields that are not */
            static const uint8_t opcodes[] = {0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f};

            noise[0] = opcodes[run / 2 % sizeof(opcodes)];
            noise[4] = 0;
            noise[5] = 0;
            noise[6] = 0;
            if (run % 4 == 1)
                put_be32(noise + 16, run % 8 == 1 ? read_seen->pdu.itt : write_seen->pdu.itt);
            if (run % 16 < 8)
                put_be32(noise + 24, rig.stat_sn);
        }
        rig_feed(&rig, buf_copy(rig.pool, noise, sizeof(noise)));
        rig_pump(&rig);
        rig_end(&rig);
    }
}

static void rejects_end_what_they_reject(void **state)
{
    (void)state;
    begin();
    send_reject(&rig, ISCSI_REJECT_PROTOCOL_ERROR, read_seen);
    struct command *command = rig_done(&rig);

    assert_int_equal(command->end, COMMAND_PROTOCOL);
    assert_true(isession_ping(rig.session, true));
    send_reject(&rig, ISCSI_REJECT_TOO_MANY_IMMEDIATE, next(&rig, PDU_NOP_OUT));
    assert_non_null(event_of(&rig, ISESSION_PONG));
    assert_true(isession_ping(rig.session, true));
    next(&rig, PDU_NOP_OUT);
    assert_int_not_equal(isession_manage(rig.session, ISCSI_TMF_LOGICAL_UNIT_RESET, RIG_LUN), 0);
    send_reject(&rig, ISCSI_REJECT_TOO_MANY_IMMEDIATE, next(&rig, PDU_TASK_REQUEST));
    assert_int_equal(event_of(&rig, ISESSION_TMF_DONE)->response, 255);
    send_reject(&rig, ISCSI_REJECT_PROTOCOL_ERROR, read_seen); /* it is gone */
    assert_lives(&rig);
    rig_end(&rig);
}

int main(void)
{
    TEST_ROWS(rows, ends_the_session);
    TEST(a_sense_length_that_lies_is_no_answer);
    TEST(sense_longer_than_we_keep_is_cut);
    TEST(async_events_that_do_not_exist_are_ignored);
    TEST(a_flood_of_async_messages_grows_nothing);
    TEST(a_nop_in_flood_stops_reading);
    TEST(endless_send_targets_end);
    TEST(a_damaged_pdu_ends_the_session);
    TEST(noise_is_survived);
    TEST(rejects_end_what_they_reject);
    return TEST_RUN("initiator.isession_hostile");
}
