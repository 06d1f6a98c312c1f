/* The scan of a path's LUNs, command by command, with answers good and bad. */
#include "initiator/scan.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "tests/test.h"

#include <string.h>

static struct scan scan;
static struct pool *pool;

/* How the target answers: by operation code and page. */
static struct answer {
    uint8_t opcode;
    int page; /* of INQUIRY; -1: standard data */
    const char *data;
    size_t bytes;
} answers[] = {
    {0xa0, 0, "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0", 24},
    {0x12, -1, "\0\0\6\2\x1f\x10\0\2ISCSILABVIRTUAL DISK    0001", 36}, /* TPGS: implicit */
    {0x00, 0, "", 0},
    {0x12, 0x00, "\0\0\0\5\0\x80\x83\xb0\xb1", 9},
    {0x12, 0x80, "\0\x80\0\x08  SER1  ", 12},
    {0x12, 0x83,
     "\0\x83\0\x24"
     "\2\1\0\4ABCD"                 /* T10 vendor id */
     "\1\3\0\x08\x60\1\2\3\4\5\6\7" /* NAA: the best */
     "\1\x15\0\4\0\0\0\x02"         /* the port's group: 2 */
     "\1\x14\0\4\0\0\0\x09",        /* relative port */
     40},
    {0x12, 0xb0, "\0\xb0\0\x3c\0\0\0\0\0\0\x40\0", 12},
    {0x12, 0xb1, "\0\xb1\0\x3c\0\1", 6},
    {0x9e, 0, "\0\0\0\0\0\0\x0f\xff\0\0\2\0", 12},
    {0x1a, 0, "\x17\0\x80\0\x08\x12\x04", 7}, /* write protected, WCE */
    {0xa3, 0, "\0\0\0\x10\x01\0\0\x01\0\0\0\0\x02\0\0\x02\0\0\0\0", 20},
};

static struct answer *answer_to(const struct command *command)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        int page = command->cdb[1] & 1 ? command->cdb[2] : -1;

        if (answers[i].opcode == command->cdb[0] &&
            (command->cdb[0] != 0x12 || answers[i].page == page))
            return &answers[i];
    }
    fail_msg("operation code %02x came", command->cdb[0]);
    return NULL;
}

static void answer(struct command *command, const char *data, size_t bytes)
{
    command->end = COMMAND_ANSWERED;
    command->status = 0;
    command->data_in = bytes > 0 ? buf_copy(pool, data, bytes) : NULL;
    scan_command_done(&scan, 0);
}

static void sense(struct command *command, uint8_t key, int64_t now_ns)
{
    command->end = COMMAND_ANSWERED;
    command->status = 2;
    command->sense_bytes = 18;
    command->sense[0] = 0x70;
    command->sense[2] = key;
    scan_command_done(&scan, now_ns);
}

static void begin(void)
{
    pool = pool_new();
    scan_init(&scan);
    scan_begin(&scan);
}

static void end(void)
{
    scan_fini(&scan);
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void run_to_the_end(void)
{
    struct command *command;

    while ((command = scan_next(&scan, 0))) {
        const struct answer *good = answer_to(command);

        answer(command, good->data, good->bytes);
    }
}

static void learns_all_about_each_lun(void **state)
{
    (void)state;
    begin();
    run_to_the_end();
    assert_int_equal(scan.state, SCAN_DONE);
    assert_int_equal(scan.lun_count, 2);
    assert_true(scan.luns[1].lun == 0x0001000000000000u);
    for (unsigned i = 0; i < 2; i++) {
        const struct scan_lun *lun = &scan.luns[i];

        assert_true(lun->is_disk);
        assert_string_equal(lun->serial, "SER1");
        assert_int_equal(lun->identity.designator_bytes, 8);
        assert_memory_equal(lun->identity.designator, "\x60\1\2\3\4\5\6\7", 8);
        assert_int_equal(lun->identity.block_count, 4096);
        assert_int_equal(lun->identity.block_bytes, 512);
        assert_int_equal(lun->max_transfer_blocks, 0x4000);
        assert_int_equal(lun->tpgs, 1);
        assert_int_equal(lun->port_group, 2);
        assert_int_equal(lun->access_state, 2);
        assert_true(lun->is_write_protected);
        assert_true(lun->has_write_cache);
        assert_false(lun->is_rotating);
    }
    end();
}

static void clears_unit_attentions_but_not_for_ever(void **state)
{
    struct command *command;

    (void)state;
    begin();
    answer(scan_next(&scan, 0), answers[0].data, answers[0].bytes);
    answer(scan_next(&scan, 0), answers[1].data, answers[1].bytes);
    for (unsigned i = 0; i < 3; i++) {
        command = scan_next(&scan, 0);
        assert_int_equal(command->cdb[0], 0x00);
        sense(command, 6, 0);
    }
    answer(scan_next(&scan, 0), "", 0);
    assert_int_equal(scan_next(&scan, 0)->cdb[0], 0x12);
    sense(&scan.command, 6, 0);
    for (unsigned i = 0; i < 100 && scan.state == SCAN_RUNNING; i++) {
        scan_next(&scan, 0);
        sense(&scan.command, 6, 0);
    }
    assert_int_equal(scan.state, SCAN_DONE);
    assert_false(scan.luns[0].is_disk);
    end();
}

static void asks_a_lun_that_is_not_ready_again_a_second_later(void **state)
{
    (void)state;
    begin();
    answer(scan_next(&scan, 0), answers[0].data, answers[0].bytes);
    answer(scan_next(&scan, 0), answers[1].data, answers[1].bytes);
    scan_next(&scan, 0);
    sense(&scan.command, 2, SECONDS(10));
    assert_null(scan_next(&scan, SECONDS(11) - 1));
    assert_int_equal(scan_deadline_ns(&scan), SECONDS(11));
    assert_non_null(scan_next(&scan, SECONDS(11)));
    assert_int_equal(scan_deadline_ns(&scan), TIME_NEVER);
    sense(&scan.command, 6, 0);
    end();
}

static void a_scan_broken_off_waits_for_its_command(void **state)
{
    (void)state;
    begin();
    struct command *command = scan_next(&scan, 0);

    scan_break_off(&scan);
    assert_null(scan_next(&scan, 0));
    scan_begin(&scan); /* the next login comes before the old command is back */
    assert_null(scan_next(&scan, 0));
    command->end = COMMAND_SESSION_LOST;
    scan_command_done(&scan, 0);
    assert_int_equal(scan.state, SCAN_RUNNING);
    run_to_the_end();
    assert_int_equal(scan.state, SCAN_DONE);
    end();
}

static void without_report_luns_the_scan_fails(void **state)
{
    (void)state;
    begin();
    sense(scan_next(&scan, 0), 5, 0);
    assert_int_equal(scan.state, SCAN_FAILED);
    end();
}

static void what_a_lun_may_refuse_costs_it_nothing(void **state)
{
    struct command *command;

    (void)state;
    begin();
    while ((command = scan_next(&scan, 0))) {
        uint8_t opcode = command->cdb[0];

        if (opcode == 0x1a || opcode == 0xa3 || command->cdb[2] == 0x80)
            sense(command, 5, 0);
        else
            answer(command, answer_to(command)->data, answer_to(command)->bytes);
    }
    assert_true(scan.luns[0].is_disk);
    assert_string_equal(scan.luns[0].serial, "");
    end();
}

/* Every prefix of every answer, and every answer with each byte at FFh: no read out of bounds, and
 * the scan comes to an end. */
static void any_answer_is_survived(void **state)
{
    (void)state;
    for (size_t which = 0; which < sizeof(answers) / sizeof(answers[0]); which++) {
        for (size_t at = 0; at <= 2 * answers[which].bytes; at++) {
            struct command *command;
            bool is_cut = at <= answers[which].bytes;
            unsigned asked = 0;
            char data[64];

            begin();
            while ((command = scan_next(&scan, 0))) {
                const struct answer *good = answer_to(command);
                size_t bytes = good->bytes;

                memcpy(data, good->data, bytes);
                if (good == &answers[which] && is_cut)
                    bytes = at;
                else if (good == &answers[which])
                    data[at - answers[which].bytes - 1] = (char)0xff;
                answer(command, data, bytes);
                assert_true(++asked < 4000);
            }
            assert_true(scan.state == SCAN_DONE || scan.state == SCAN_FAILED);
            end();
        }
    }
}

static void more_luns_than_we_look_at_are_left_out(void **state)
{
    static uint8_t data[8 + 8 * 2 * SCAN_LUNS_MOST];

    (void)state;
    begin();
    put_be32(data, 8 * 2 * SCAN_LUNS_MOST);
    answer(scan_next(&scan, 0), (const char *)data, sizeof(data));
    assert_int_equal(scan.lun_count, SCAN_LUNS_MOST);
    end();
}

int main(void)
{
    TEST(learns_all_about_each_lun);
    TEST(clears_unit_attentions_but_not_for_ever);
    TEST(asks_a_lun_that_is_not_ready_again_a_second_later);
    TEST(a_scan_broken_off_waits_for_its_command);
    TEST(without_report_luns_the_scan_fails);
    TEST(what_a_lun_may_refuse_costs_it_nothing);
    TEST(any_answer_is_survived);
    TEST(more_luns_than_we_look_at_are_left_out);
    return TEST_RUN("initiator.scan");
}
