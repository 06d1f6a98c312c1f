/* HyStart of both kinds: what ends slow start, what slows it down, and what it forgives. */
#include "sim/core/time.h"
#include "sim/net/tcp_cc.h"
#include "tests/test.h"

#define MSS 1000u

struct flow {
    struct tcp_cc cc;
    uint32_t ack;
    uint32_t nxt;
    int64_t now_ns;
};

static void flow_new(struct flow *flow, enum tcp_hystart_kind kind, uint32_t window_segments)
{
    *flow = (struct flow){.ack = 1, .nxt = 1 + window_segments * MSS};
    tcp_cc_init(&flow->cc,
                &(struct tcp_options){.congestion = TCP_CUBIC,
                                      .hystart = kind,
                                      .initial_window_segments = window_segments},
                MSS);
}

/* One segment is acknowledged, and as many as that allows are sent. False: slow start is over. */
static bool ack(struct flow *flow, int64_t rtt_ns)
{
    flow->ack += MSS;
    if (tcp_cc_looks_at_rounds(&flow->cc))
        tcp_cc_round_trip(&flow->cc, flow->ack, flow->nxt, rtt_ns, flow->now_ns);
    if (!tcp_cc_is_slow_start(&flow->cc))
        return false;
    tcp_cc_acked(&flow->cc, MSS, false, rtt_ns, flow->now_ns);
    flow->nxt = flow->ack + flow->cc.cwnd;
    return true;
}

/* A whole window, its ACKs 'gap_ns' apart. False: slow start is over. */
static bool round_of(struct flow *flow, int64_t rtt_ns, int64_t gap_ns)
{
    uint32_t end = flow->nxt;
    bool goes_on = true;

    flow->now_ns += rtt_ns;
    while (goes_on && (int32_t)(end - flow->ack) > 0) {
        goes_on = ack(flow, rtt_ns);
        flow->now_ns += gap_ns;
    }
    return goes_on;
}

static void without_it_only_a_loss_ends_slow_start(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_NONE, 16);
    for (unsigned i = 0; i < 6; i++)
        assert_true(round_of(&flow, MS(10) + MS(20) * i, US(1)));
    assert_int_equal(flow.cc.cwnd, 16 * 64 * MSS);
}

/* HYSTART_ACK_TRAIN: ACKs for half of the least round trip. */
static void a_train_of_acks_ends_it_on_linux(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_LINUX, 16);
    assert_true(round_of(&flow, MS(10), US(10)));   /* 0.16 ms of ACKs */
    assert_true(round_of(&flow, MS(10), US(100)));  /* 3.2 ms */
    assert_false(round_of(&flow, MS(10), US(100))); /* 6.4 ms: above 5 ms */
    assert_in_range(flow.cc.ssthresh, 64 * MSS + 50 * MSS, 64 * MSS + 52 * MSS);
    assert_int_equal(flow.cc.cwnd, flow.cc.ssthresh);
}

/* A gap above 2 ms ends the train, and the rest of the round says nothing. */
static void acks_that_trickle_are_no_train(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_LINUX, 16);
    assert_true(round_of(&flow, MS(10), MS(3)));
    assert_true(round_of(&flow, MS(10), MS(3)));
}

/* HYSTART_DELAY: an eighth more, at least 4 ms. */
static void a_longer_way_ends_it_on_linux(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_LINUX, 16);
    assert_true(round_of(&flow, MS(100), US(1)));
    assert_true(round_of(&flow, MS(112), US(1))); /* 12.5 ms are allowed */
    assert_false(round_of(&flow, MS(113), US(1)));
    assert_true(flow.cc.cwnd >= 64 * MSS);
}

static void a_small_window_is_left_alone_on_linux(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_LINUX, 4);
    assert_true(round_of(&flow, MS(10), US(10)));
    assert_int_equal(flow.cc.cwnd, 8 * MSS);
    assert_true(round_of(&flow, MS(50), US(10))); /* below hystart_low_window: not looked at */
}

/* RFC 9406, 4.2: a quarter of the growth for five rounds, then it is over. */
static void five_slow_rounds_end_it_by_the_standard(void **state)
{
    struct flow flow;
    uint32_t before;
    unsigned rounds = 0;
    (void)state;

    flow_new(&flow, TCP_HYSTART_RFC9406, 16);
    assert_true(round_of(&flow, MS(40), US(1)));
    assert_true(round_of(&flow, MS(44), US(1))); /* 5 ms are allowed */
    assert_true(round_of(&flow, MS(50), US(1))); /* 6 ms more: from its eighth ACK on */
    before = flow.cc.cwnd;
    while (round_of(&flow, MS(50), US(1))) {
        assert_in_range(flow.cc.cwnd, before + before / 4 - MSS, before + before / 4 + MSS);
        before = flow.cc.cwnd;
        rounds++;
    }
    /* The one in which it began counts, and the last ACK of a window may begin the next round. */
    assert_in_range(rounds, 3, 4);
    assert_int_equal(flow.cc.ssthresh, flow.cc.cwnd);
}

static void a_shorter_way_brings_slow_start_back_by_the_standard(void **state)
{
    struct flow flow;
    uint32_t before;
    (void)state;

    flow_new(&flow, TCP_HYSTART_RFC9406, 16);
    assert_true(round_of(&flow, MS(40), US(1)));
    assert_true(round_of(&flow, MS(60), US(1)));
    assert_true(flow.cc.hystart.is_conservative);
    assert_true(round_of(&flow, MS(41), US(1))); /* it was a burst of somebody else */
    assert_false(flow.cc.hystart.is_conservative);
    before = flow.cc.cwnd;
    assert_true(round_of(&flow, MS(41), US(1)));
    assert_int_equal(flow.cc.cwnd, 2 * before);
}

static void a_loss_begins_anew(void **state)
{
    struct flow flow;
    (void)state;

    flow_new(&flow, TCP_HYSTART_LINUX, 16);
    assert_true(round_of(&flow, MS(10), US(10)));
    assert_false(round_of(&flow, MS(20), US(10)));
    tcp_cc_timed_out(&flow.cc, flow.cc.cwnd, true);
    assert_false(flow.cc.hystart.has_found);
    assert_true(tcp_cc_is_slow_start(&flow.cc));
}

int main(void)
{
    TEST(without_it_only_a_loss_ends_slow_start);
    TEST(a_train_of_acks_ends_it_on_linux);
    TEST(acks_that_trickle_are_no_train);
    TEST(a_longer_way_ends_it_on_linux);
    TEST(a_small_window_is_left_alone_on_linux);
    TEST(five_slow_rounds_end_it_by_the_standard);
    TEST(a_shorter_way_brings_slow_start_back_by_the_standard);
    TEST(a_loss_begins_anew);
    return TEST_RUN("sim.net.tcp_hystart");
}
