/* UNH-IOL Full Feature Phase tests for iSCSI initiators, groups 8 to 13: data transmission, Target
 * Transfer Tags, Data-In, the fields of Data-Out, R2T.
 */
#include "tests/initiator/rig.h"

static struct rig rig;

static struct rig_options with(bool initial_r2t, bool immediate_data, uint32_t segment_bytes,
                               uint32_t first_burst_bytes, uint32_t max_burst_bytes)
{
    struct rig_options options = {.target = rig_params(), .host = rig_params()};

    options.host.first_burst_bytes = 262144;
    options.target.initial_r2t = initial_r2t;
    options.target.immediate_data = immediate_data;
    options.target.max_recv_segment_bytes = segment_bytes;
    options.target.first_burst_bytes = first_burst_bytes;
    options.target.max_burst_bytes = max_burst_bytes;
    return options;
}

/* What the data of a Data-Out must be, from its own offset on. */
static void assert_data_out(const struct seen *seen, uint32_t offset, uint32_t bytes)
{
    assert_int_equal(seen->pdu.data_out.buffer_offset, offset);
    assert_pattern(seen->data, offset, bytes);
}

/* One sequence: from 'offset' to its end in PDUs of at most 'segment_bytes'. */
static void assert_sequence(const struct seen *command, uint32_t ttt, uint32_t offset,
                            uint32_t bytes, uint32_t segment_bytes)
{
    for (uint32_t data_sn = 0, done = 0; done < bytes; data_sn++) {
        uint32_t here = bytes - done < segment_bytes ? bytes - done : segment_bytes;
        struct seen *seen = next(&rig, PDU_DATA_OUT);

        assert_int_equal(seen->pdu.itt, command->pdu.itt);
        assert_int_equal(seen->pdu.ttt, ttt);
        if (ttt != PDU_NO_TAG)
            assert_true(seen->pdu.lun == command->pdu.lun);
        assert_int_equal(seen->pdu.data_out.data_sn, data_sn);
        assert_data_out(seen, offset + done, here);
        done += here;
        assert_int_equal(seen->pdu.is_final, done == bytes);
    }
}

/* Serves the rest of a write by R2Ts of 'burst_bytes' and answers it. */
static void serve_write(struct command *write, const struct seen *command, uint32_t from,
                        uint32_t burst_bytes, uint32_t segment_bytes)
{
    uint32_t r2t_sn = 0;

    while (from < write->bytes) {
        uint32_t bytes = write->bytes - from < burst_bytes ? write->bytes - from : burst_bytes;

        assert_silent(&rig);
        send_r2t(&rig, command, r2t_sn, 0x100 + r2t_sn, from, bytes);
        assert_sequence(command, 0x100 + r2t_sn, from, bytes, segment_bytes);
        from += bytes;
        r2t_sn++;
    }
    assert_silent(&rig);
    answer_good(&rig, command);
    assert_good(&rig, write);
}

/* 8.1: immediate and unsolicited data within FirstBurstLength, the rest on R2T. */
static void ffp_i_8_1(void **state)
{
    static const uint32_t sizes[] = {512, 1024, 4096};
    struct rig_options options = with(false, true, 8192, 512, 1024);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        rig_begin(&rig, &options);
        rig_base(&rig);
        struct command *write = submit_write(&rig, 0, sizes[i]);
        struct seen *command = next(&rig, PDU_SCSI_COMMAND);

        assert_pattern(command->data, 0, 512);
        assert_true(command->pdu.is_final);
        serve_write(write, command, 512, 1024, 8192);
        rig_end(&rig);
    }
}

/* ... and with segments smaller than the first burst it is filled exactly by Data-Outs. */
static void unsolicited_data_fills_the_first_burst_exactly(void **state)
{
    struct rig_options options = with(false, true, 512, 1280, 4096);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_pattern(command->data, 0, 512);
    assert_false(command->pdu.is_final);
    assert_sequence(command, PDU_NO_TAG, 512, 768, 512);
    serve_write(write, command, 1280, 4096, 512);
    rig_end(&rig);
}

/* 8.2: no data before the R2T, and F=1 in the command. */
static void ffp_i_8_2(void **state)
{
    struct rig_options options = with(true, false, 8192, 512, 1024);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 2048);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_null(command->data);
    assert_true(command->pdu.is_final);
    assert_silent(&rig);
    rig.now_ns += SECONDS(2);
    assert_silent(&rig);
    serve_write(write, command, 0, 1024, 8192);
    rig_end(&rig);
}

/* 8.3: no immediate data, one unsolicited burst. */
static void ffp_i_8_3(void **state)
{
    struct rig_options options = with(false, false, 8192, 512, 1024);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 2048);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_null(command->data);
    assert_false(command->pdu.is_final);
    assert_sequence(command, PDU_NO_TAG, 0, 512, 8192);
    serve_write(write, command, 512, 1024, 8192);
    rig_end(&rig);
}

/* 9.1: every Data-Out of a sequence carries the tag and the LUN of its R2T. */
static void ffp_i_9_1(void **state)
{
    struct rig_options options = with(true, false, 512, 512, 1024);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 1024);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_r2t(&rig, command, 0, 0xcafe0001u, 0, 1024);
    assert_sequence(command, 0xcafe0001u, 0, 1024, 512);
    answer_good(&rig, command);
    assert_good(&rig, write);
    rig_end(&rig);
}

/* 10.1: status in the last Data-In; no SCSI Response follows. */
static void ffp_i_10_1(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *read = submit_read(&rig, 0, 16384);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_data_in(&rig, command, 0, 0, 8192, 0);
    assert_nothing_done(&rig);
    send_data_in(&rig, command, 1, 8192, 8192, DATA_F | DATA_S);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 16384);
    submit_test_unit_ready(&rig);
    next(&rig, PDU_SCSI_COMMAND);
    rig_end(&rig);
}

/* 10.2, at error recovery level 0: the A bit is ignored, no SNACK. */
static void ffp_i_10_2_at_level_0(void **state)
{
    (void)state;
    rig_begin(&rig, &(struct rig_options){0});
    rig_base(&rig);
    struct command *read = submit_read(&rig, 0, 16384);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_data_in(&rig, command, 0, 0, 8192, 0);
    send_data_in(&rig, command, 1, 8192, 8192, DATA_F | DATA_A);
    assert_silent(&rig);
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_SCSI_RESPONSE,
                          .is_final = true,
                          .itt = command->pdu.itt,
                          .response = {.exp_data_sn = 2}},
             NULL, true);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 16384);
    rig_end(&rig);
}

/* 11.1.1: no Data-Out, nor immediate part, is longer than the target's MaxRecvDataSegmentLength. */
static void ffp_i_11_1_1(void **state)
{
    struct rig_options options = with(false, true, 512, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 100000);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_pattern(command->data, 0, 512);
    assert_sequence(command, PDU_NO_TAG, 512, 65536 - 512, 512);
    serve_write(write, command, 65536, 262144, 512);
    rig_end(&rig);
}

/* 11.1.2: an empty Data-In is no error, and its DataSN counts. */
static void ffp_i_11_1_2(void **state)
{
    struct rig_options options = with(false, true, 512, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *read = submit_read(&rig, 0, 1024);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_data_in(&rig, command, 0, 0, 0, 0);
    send_data_in(&rig, command, 1, 0, 512, 0);
    send_data_in(&rig, command, 2, 512, 512, DATA_F | DATA_S);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 1024);
    assert_lives(&rig);
    rig_end(&rig);
}

/* 11.2.1: the last unsolicited Data-Out has F=1, earlier ones F=0. */
static void ffp_i_11_2_1(void **state)
{
    struct rig_options options = with(false, true, 8192, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 40000);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_pattern(command->data, 0, 8192);
    assert_sequence(command, PDU_NO_TAG, 8192, 40000 - 8192, 8192);
    serve_write(write, command, 40000, 262144, 8192);
    rig_end(&rig);
}

/* 11.2.2: F=1 on the last Data-Out of a solicited sequence only. */
static void ffp_i_11_2_2(void **state)
{
    struct rig_options options = with(true, false, 8192, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 65536);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    serve_write(write, command, 0, 65536, 8192);
    rig_end(&rig);
}

/* 11.3: DataSN begins at 0 for each R2T. 11.4: Buffer Offset is exact and rises. Both are what
 * assert_sequence() looks at. */
static void ffp_i_11_3(void **state)
{
    struct rig_options options = with(true, false, 1024, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    serve_write(write, command, 0, 2048, 1024);
    rig_end(&rig);
}

static void ffp_i_11_4(void **state)
{
    struct rig_options options = with(true, false, 1024, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);
    uint32_t offset = 0;

    for (uint32_t r2t_sn = 0; r2t_sn < 4; r2t_sn++) {
        send_r2t(&rig, command, r2t_sn, 0x55, r2t_sn * 2048, 2048);
        for (unsigned i = 0; i < 2; i++) {
            assert_data_out(next(&rig, PDU_DATA_OUT), offset, 1024);
            offset += 1024;
        }
    }
    answer_good(&rig, command);
    assert_good(&rig, write);
    rig_end(&rig);
}

/* 12.1: the tag is copied; a one-PDU answer has the R2T's offset and length. */
static void ffp_i_12_1(void **state)
{
    static const uint32_t segments[] = {512, 2048};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig_options options = with(true, false, segments[i], 65536, 262144);

        rig_begin(&rig, &options);
        rig_base(&rig);
        struct command *write = submit_write(&rig, 0, 2048);
        struct seen *command = next(&rig, PDU_SCSI_COMMAND);

        send_r2t(&rig, command, 0, 0xabbaabbau, 0, 2048);
        assert_sequence(command, 0xabbaabbau, 0, 2048, segments[i]);
        answer_good(&rig, command);
        assert_good(&rig, write);
        rig_end(&rig);
    }
}

/* 12.2: a sequence covers its range without gap or overlap, rising, F=1 last. */
static void ffp_i_12_2(void **state)
{
    struct rig_options options = with(true, false, 512, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_r2t(&rig, command, 0, 0xabbaabbau, 0, 4096);
    assert_sequence(command, 0xabbaabbau, 0, 4096, 512);
    answer_good(&rig, command);
    assert_good(&rig, write);
    rig_end(&rig);
}

/* 12.3: four R2Ts with one tag, backwards: served in the order received, the right bytes each. */
static void ffp_i_12_3(void **state)
{
    struct rig_options options = with(true, false, 512, 65536, 262144);

    (void)state;
    options.host.data_sequence_in_order = false;
    options.target.data_sequence_in_order = false;
    options.host.max_outstanding_r2t = 4;
    options.target.max_outstanding_r2t = 4;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *write = submit_write(&rig, 0, 4096);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    for (uint32_t i = 0; i < 4; i++)
        send_r2t(&rig, command, i, 0xabbaabbau, 3072 - i * 1024, 1024);
    for (uint32_t i = 0; i < 4; i++)
        assert_sequence(command, 0xabbaabbau, 3072 - i * 1024, 1024, 512);
    answer_good(&rig, command);
    assert_good(&rig, write);
    rig_end(&rig);
}

/* 12.4: R2Ts of two commands, the second one's first: both are served in full. */
static void ffp_i_12_4(void **state)
{
    struct rig_options options = with(true, false, 1024, 65536, 262144);

    (void)state;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *first = submit_write(&rig, 0, 4096);
    struct command *second = submit_write(&rig, 8, 4096);
    struct seen *first_seen = next(&rig, PDU_SCSI_COMMAND);
    struct seen *second_seen = next(&rig, PDU_SCSI_COMMAND);

    send_r2t(&rig, second_seen, 0, 0x22, 0, 4096);
    send_r2t(&rig, first_seen, 0, 0x11, 0, 4096);
    assert_sequence(second_seen, 0x22, 0, 4096, 1024);
    assert_sequence(first_seen, 0x11, 0, 4096, 1024);
    answer_good(&rig, second_seen);
    answer_good(&rig, first_seen);
    assert_good(&rig, second);
    assert_good(&rig, first);
    rig_end(&rig);
}

/* Data-In in any order, where both ends agreed to that. */
static void read_data_out_of_order_is_put_in_its_place(void **state)
{
    struct rig_options options = {.host = rig_params(), .target = rig_params()};

    (void)state;
    options.host.data_pdu_in_order = false;
    options.target.data_pdu_in_order = false;
    rig_begin(&rig, &options);
    rig_base(&rig);
    struct command *read = submit_read(&rig, 0, 8192);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    send_data_in(&rig, command, 0, 4096, 2048, 0);
    send_data_in(&rig, command, 1, 0, 2048, 0);
    send_data_in(&rig, command, 2, 6144, 2048, 0);
    send_data_in(&rig, command, 3, 2048, 2048, DATA_F | DATA_S);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 8192);
    rig_end(&rig);
}

static void digests_cover_commands_and_data_both_ways(void **state)
{
    struct rig_options options = {.host = rig_params(), .target = rig_params()};

    (void)state;
    options.host.header_digest = DIGEST_CRC32C;
    options.host.data_digest = DIGEST_CRC32C;
    options.target.header_digest = DIGEST_CRC32C_OR_NONE;
    options.target.data_digest = DIGEST_CRC32C_OR_NONE;
    options.target.max_recv_segment_bytes = 1000; /* with padding */
    rig_begin(&rig, &options);
    rig_base(&rig);
    assert_int_equal(isession_params(rig.session)->header_digest, DIGEST_CRC32C);
    assert_int_equal(isession_params(rig.session)->data_digest, DIGEST_CRC32C);
    struct command *write = submit_write(&rig, 0, 4001);
    struct seen *command = next(&rig, PDU_SCSI_COMMAND);

    assert_sequence(command, PDU_NO_TAG, 1000, 3001, 1000);
    serve_write(write, command, 4001, 4096, 1000);
    struct command *read = submit_read(&rig, 0, 4097);

    command = next(&rig, PDU_SCSI_COMMAND);
    send_data_in(&rig, command, 0, 0, 2049, 0);
    send_data_in(&rig, command, 1, 2049, 2048, DATA_F | DATA_S);
    assert_good(&rig, read);
    assert_pattern(read->data_in, 0, 4097);
    rig_end(&rig);
}

int main(void)
{
    TEST(ffp_i_8_1);
    TEST(unsolicited_data_fills_the_first_burst_exactly);
    TEST(ffp_i_8_2);
    TEST(ffp_i_8_3);
    TEST(ffp_i_9_1);
    TEST(ffp_i_10_1);
    TEST(ffp_i_10_2_at_level_0);
    TEST(ffp_i_11_1_1);
    TEST(ffp_i_11_1_2);
    TEST(ffp_i_11_2_1);
    TEST(ffp_i_11_2_2);
    TEST(ffp_i_11_3);
    TEST(ffp_i_11_4);
    TEST(ffp_i_12_1);
    TEST(ffp_i_12_2);
    TEST(ffp_i_12_3);
    TEST(ffp_i_12_4);
    TEST(read_data_out_of_order_is_put_in_its_place);
    TEST(digests_cover_commands_and_data_both_ways);
    return TEST_RUN("initiator.ffp_data");
}
