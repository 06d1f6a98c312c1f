/* One watch per end of each iSCSI connection: who is told of, and what is forgotten. */
#include "lab/pdu_rules.h"

#include "iscsi/params.h"
#include "iscsi/pdu.h"
#include "sim/core/buf.h"
#include "tests/test.h"

#include <string.h>

struct lab {
    struct pool *pool;
    struct pdu_rules *rules;
};

static int open_lab(void **state)
{
    static struct lab lab;

    lab.pool = pool_new();
    lab.rules = pdu_rules_new(lab.pool);
    *state = &lab;
    return 0;
}

static int close_lab(void **state)
{
    struct lab *lab = *state;

    pdu_rules_free(lab->rules);
    size_t left = pool_live_blocks(lab->pool);
    pool_free(lab->pool);
    assert_int_equal(left, 0);
    return 0;
}

/* A NOP-Out of the initiator with this CmdSN, as one end of a connection sees it. True: broken. */
static bool ping(struct lab *lab, uint64_t connection, bool is_target_end, uint32_t tag,
                 uint32_t cmd_sn, struct trace_broken *ret_broken)
{
    struct pdu pdu = {
        .opcode = PDU_NOP_OUT, .is_final = true, .itt = tag, .cmd_sn = cmd_sn, .exp_stat_sn = 1};
    uint8_t header[PDU_HEADER_BYTES];

    pdu_encode(&pdu, header);
    return pdu_rules_see(lab->rules,
                         &(struct trace_pdu){.connection = connection,
                                             .is_target_end = is_target_end,
                                             .is_from_target = false,
                                             .header = header},
                         ret_broken);
}

static void a_gap_in_the_numbers_names_rule_end_and_connection(void **state)
{
    struct lab *lab = *state;
    struct trace_broken broken = {0};

    assert_false(ping(lab, 7, false, 1, 10, &broken));
    assert_false(ping(lab, 7, false, 2, 11, &broken));
    assert_true(ping(lab, 7, false, 3, 13, &broken));
    assert_string_equal(broken.rule, "P1");
    assert_non_null(strstr(broken.text, "initiator end of iSCSI connection 7: "));
    assert_int_equal(broken.host, TRACE_NONE);
    assert_true(broken.lba == UINT64_MAX);
}

static void the_end_that_received_it_is_not_to_blame(void **state)
{
    struct lab *lab = *state;
    struct trace_broken broken;

    assert_false(ping(lab, 7, true, 1, 10, &broken));
    assert_false(ping(lab, 7, true, 3, 13, &broken));
}

static void each_connection_counts_by_itself(void **state)
{
    struct lab *lab = *state;
    struct trace_broken broken;

    for (uint32_t i = 0; i < 4; i++)
        for (uint64_t connection = 1; connection <= 3; connection++)
            assert_false(ping(lab, connection, false, i, (uint32_t)connection * 1000 + i, &broken));
}

static void a_connection_that_ended_is_forgotten(void **state)
{
    struct lab *lab = *state;
    struct trace_broken broken;

    assert_false(ping(lab, 7, false, 1, 10, &broken));
    assert_false(ping(lab, 7, true, 1, 10, &broken));
    pdu_rules_end(lab->rules, 7);
    pdu_rules_end(lab->rules, 8); /* never seen */
    assert_int_equal(pool_live_blocks(lab->pool), 0);
    assert_false(ping(lab, 7, false, 1, 500, &broken)); /* a new one of that number */
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

/* A ping with so much data, as the initiator's end sends it on connection 7. */
static bool long_ping(struct lab *lab, uint32_t tag, uint32_t data_bytes,
                      struct trace_broken *ret_broken)
{
    struct pdu pdu = {.opcode = PDU_NOP_OUT,
                      .is_final = true,
                      .itt = tag,
                      .cmd_sn = tag,
                      .exp_stat_sn = 1,
                      .data_bytes = data_bytes};
    uint8_t header[PDU_HEADER_BYTES];

    pdu_encode(&pdu, header);
    return pdu_rules_see(lab->rules, &(struct trace_pdu){.connection = 7, .header = header},
                         ret_broken);
}

/* The limits of segments and bursts are those of this login, so they are watched once it is over.
 */
static void what_was_agreed_is_watched_from_then_on(void **state)
{
    struct lab *lab = *state;
    struct trace_broken broken = {0};
    struct iscsi_params agreed = {.max_recv_segment_bytes = 262144,
                                  .peer_max_recv_segment_bytes = 4096};

    assert_false(long_ping(lab, 1, 4097, &broken));
    pdu_rules_agreed(lab->rules, 7, false, &agreed);
    pdu_rules_agreed(lab->rules, 7, true, &agreed); /* an end of which no PDU was seen yet */
    assert_false(long_ping(lab, 2, 4096, &broken));
    assert_true(long_ping(lab, 3, 4097, &broken));
    assert_string_equal(broken.rule, "P3");
    assert_non_null(strstr(broken.text, "MaxRecvDataSegmentLength is 4096"));
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(a_gap_in_the_numbers_names_rule_end_and_connection),
        STORY(the_end_that_received_it_is_not_to_blame),
        STORY(each_connection_counts_by_itself),
        STORY(a_connection_that_ended_is_forgotten),
        STORY(what_was_agreed_is_watched_from_then_on),
    };

    return cmocka_run_group_tests_name("lab.pdu_rules", stories, NULL, NULL);
}
