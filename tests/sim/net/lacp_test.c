/* Two ports that speak LACP: how they find together, and what each does when the other falls
 * silent.
 */
#include "sim/net/lacp.h"

#include "sim/core/time.h"

#include "tests/test.h"

/* A link between two ports; what one sends the other has in the same instant. */
struct pair {
    struct lacp ports[2];
    int64_t now_ns;
    bool is_cut[2]; /* what this one sends is lost */
    unsigned sent[2];
};

static void start(struct pair *pair, uint8_t first_state, uint8_t second_state)
{
    *pair = (struct pair){.now_ns = 0};
    for (unsigned i = 0; i < 2; i++) {
        lacp_init(&pair->ports[i],
                  &(struct lacp_info){.system_priority = 32768,
                                      .system = {{0x02, 0, 0, 0, 0, (uint8_t)(i + 1)}},
                                      .key = 1,
                                      .port_priority = 32768,
                                      .port = (uint16_t)(i + 1),
                                      .state = i == 0 ? first_state : second_state});
        lacp_set_carrier(&pair->ports[i], true, 0);
    }
}

static void exchange(struct pair *pair)
{
    uint8_t pdu[LACP_PDU_BYTES];
    bool is_quiet = false;

    while (!is_quiet) {
        is_quiet = true;
        for (unsigned i = 0; i < 2; i++) {
            while (lacp_take(&pair->ports[i], pdu, pair->now_ns)) {
                is_quiet = false;
                pair->sent[i]++;
                if (!pair->is_cut[i])
                    assert_true(lacp_feed(&pair->ports[1 - i], pdu, sizeof(pdu), pair->now_ns));
            }
            lacp_select(&pair->ports[i], lacp_knows_partner(&pair->ports[i]), pair->now_ns);
        }
    }
}

/* From deadline to deadline, up to 'at_ns'. */
static void run(struct pair *pair, int64_t at_ns)
{
    exchange(pair);
    for (;;) {
        int64_t next_ns = lacp_deadline_ns(&pair->ports[0]);

        if (lacp_deadline_ns(&pair->ports[1]) < next_ns)
            next_ns = lacp_deadline_ns(&pair->ports[1]);
        if (next_ns > at_ns)
            break;
        assert_true(next_ns >= pair->now_ns);
        pair->now_ns = next_ns;
        lacp_wake(&pair->ports[0], next_ns);
        lacp_wake(&pair->ports[1], next_ns);
        exchange(pair);
    }
    pair->now_ns = at_ns;
}

static void two_active_ports_carry_frames_after_the_wait(void **state)
{
    struct pair pair;
    (void)state;

    start(&pair, LACP_ACTIVITY | LACP_SHORT_TIMEOUT, LACP_ACTIVITY);
    run(&pair, SECONDS(2) - 1);
    assert_false(lacp_is_distributing(&pair.ports[0]));
    run(&pair, SECONDS(4));
    for (unsigned i = 0; i < 2; i++) {
        assert_true(lacp_is_collecting(&pair.ports[i]));
        assert_true(lacp_is_distributing(&pair.ports[i]));
    }
}

static void each_sends_as_often_as_the_other_asks(void **state)
{
    struct pair pair;
    (void)state;

    start(&pair, LACP_ACTIVITY | LACP_SHORT_TIMEOUT, LACP_ACTIVITY);
    run(&pair, SECONDS(10));
    unsigned first = pair.sent[0], second = pair.sent[1];

    run(&pair, SECONDS(70));
    assert_int_equal(pair.sent[0] - first, 2);   /* every 30 s: the second asks for long */
    assert_int_equal(pair.sent[1] - second, 60); /* every second */
}

static void a_silent_partner_is_out_after_three_of_its_periods(void **state)
{
    struct pair pair;
    (void)state;

    start(&pair, LACP_ACTIVITY | LACP_SHORT_TIMEOUT, LACP_ACTIVITY | LACP_SHORT_TIMEOUT);
    run(&pair, SECONDS(10));
    assert_true(lacp_is_distributing(&pair.ports[0]));
    pair.is_cut[1] = true;
    run(&pair, SECONDS(12) - 1);
    assert_true(lacp_is_distributing(&pair.ports[0])); /* heard at 9 s or later */
    run(&pair, SECONDS(13) + 1);
    assert_false(lacp_is_distributing(&pair.ports[0]));
    run(&pair, SECONDS(16) + 1);
    assert_int_equal(pair.ports[0].receive, LACP_RX_DEFAULTED);
    pair.is_cut[1] = false;
    run(&pair, SECONDS(20));
    assert_true(lacp_is_distributing(&pair.ports[0]));
}

static void two_passive_ports_never_speak(void **state)
{
    struct pair pair;
    (void)state;

    start(&pair, 0, 0);
    run(&pair, SECONDS(100));
    assert_int_equal(pair.sent[0] + pair.sent[1], 0);
    assert_false(lacp_is_distributing(&pair.ports[0]));
}

static void without_carrier_nothing_is_left_of_the_partner(void **state)
{
    struct pair pair;
    (void)state;

    start(&pair, LACP_ACTIVITY, LACP_ACTIVITY);
    run(&pair, SECONDS(10));
    lacp_set_carrier(&pair.ports[0], false, pair.now_ns);
    assert_false(lacp_is_collecting(&pair.ports[0]));
    assert_false(lacp_knows_partner(&pair.ports[0]));
    assert_int_equal(lacp_deadline_ns(&pair.ports[0]), TIME_NEVER);
}

static void what_is_no_lacpdu_is_refused(void **state)
{
    struct pair pair;
    uint8_t pdu[LACP_PDU_BYTES];
    uint8_t broken[LACP_PDU_BYTES];
    const size_t places[] = {0, 1, 2, 3, 22, 23};
    (void)state;

    start(&pair, LACP_ACTIVITY, LACP_ACTIVITY);
    assert_true(lacp_take(&pair.ports[0], pdu, 0));
    for (size_t bytes = 0; bytes < sizeof(pdu); bytes++)
        assert_false(lacp_feed(&pair.ports[1], pdu, bytes, 0));
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        memcpy(broken, pdu, sizeof(pdu));
        broken[places[i]] = 0;
        assert_false(lacp_feed(&pair.ports[1], broken, sizeof(broken), 0));
    }
    assert_true(lacp_feed(&pair.ports[1], pdu, sizeof(pdu), 0));
}

int main(void)
{
    TEST(two_active_ports_carry_frames_after_the_wait);
    TEST(each_sends_as_often_as_the_other_asks);
    TEST(a_silent_partner_is_out_after_three_of_its_periods);
    TEST(two_passive_ports_never_speak);
    TEST(without_carrier_nothing_is_left_of_the_partner);
    TEST(what_is_no_lacpdu_is_refused);
    return TEST_RUN("sim.net.lacp");
}
