/* Losses that are noticed without a timeout, and how fast the sender may go. */
#include "tests/sim/net/tcp_script.h"

#define OPEN                                                                                       \
    "connect\n"                                                                                    \
    "> S seq 0\n"                                                                                  \
    "+10ms < S. seq 0 ack 1 <mss 1000>\n"                                                          \
    "> . seq 1 ack 1\n"                                                                            \
    "event connected\n"
#define OPEN_SACK                                                                                  \
    "set sack true\n"                                                                              \
    "connect\n"                                                                                    \
    "> S seq 0\n"                                                                                  \
    "+10ms < S. seq 0 ack 1 <mss 1000, sackok>\n"                                                  \
    "> . seq 1 ack 1\n"                                                                            \
    "event connected\n"
#define TEN                                                                                        \
    "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n> . seq 3001 len 1000\n"    \
    "> . seq 4001 len 1000\n> . seq 5001 len 1000\n> . seq 6001 len 1000\n"                        \
    "> . seq 7001 len 1000\n> . seq 8001 len 1000\n> . seq 9001 len 1000\n"
#define DUP "< . seq 1 ack 1\n"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    {"the third duplicate ACK sends the first segment again at once", OPEN
     "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP "flight 10000\n" DUP "> . seq 1 len 1000\n"
     "ssthresh 5000\n"},
    {"the first two duplicate ACKs let one new segment go each (limited transmit)",
     OPEN "write 30000\n" TEN "+10ms < . seq 1 ack 1\n"
          "> . seq 10001 len 1000\n" DUP "> . seq 11001 len 1000\n"},
    {"each further duplicate ACK lets one segment go once half the flight is out",
     OPEN "write 30000\n" TEN "+10ms < . seq 1 ack 1\n"
          "> . seq 10001 len 1000\n" DUP "> . seq 11001 len 1000\n" DUP "> . seq 1 len 1000\n"
          /* flight 12, window 6: the fourth to sixth are waited for */
          "ssthresh 6000\n" DUP DUP DUP "flight 12000\n" DUP "> . seq 12001 len 1000\n" DUP
          "> . seq 13001 len 1000\n"},
    {"a full ACK ends fast recovery at half the window",
     OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP DUP "> . seq 1 len 1000\n"
          "+10ms < . seq 1 ack 10001\n"
          "cwnd 2000\n" /* RFC 6582, 3.2, step 3: at most flight + 1 */
          "write 3000\n"
          "> . seq 10001 len 1000\n"
          "> . seq 11001 len 1000\n"
          "silence 100ms\n"},
    {"a partial ACK sends the next hole, without waiting for duplicates (NewReno)",
     OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP DUP "> . seq 1 len 1000\n" DUP DUP DUP
          "+10ms < . seq 1 ack 4001\n" /* segments 1 and 5 were lost */
          "> . seq 4001 len 1000\n"
          "+10ms < . seq 1 ack 10001\n"
          "silence 1s\n"},
    {"an ACK of everything before a timeout's data does not begin fast recovery again",
     OPEN "write 10000\n" TEN "+200ms > . seq 1 len 1000\n"
          "+10ms < . seq 1 ack 10001\n"
          "write 3000\n"
          "> . seq 10001 len 1000\n"
          "> . seq 11001 len 1000\n"
          "+1ms < . seq 1 ack 10001\n" /* duplicates of what was sent again in vain */
          "> . seq 12001 len 1000\n"
          "< . seq 1 ack 10001\n"
          "< . seq 1 ack 10001\n"
          "silence 100ms\n"},
    {"a window update is no duplicate ACK",
     OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 win 65000\n"
          "< . seq 1 ack 1 win 64000\n"
          "< . seq 1 ack 1 win 63000\n"
          "< . seq 1 ack 1 win 62000\n"
          "silence 100ms\n"},
    {"data of the peer is no duplicate ACK",
     OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 len 10\n"
          "< . seq 11 ack 1 len 10\n"
          "< . seq 21 ack 1 len 10\n"
          "< . seq 31 ack 1 len 10\n"
          "read 40\n"
          "+40ms > . seq 10001 ack 41\n"},
    {"slow start opens the window by what is acknowledged",
     OPEN "write 30000\n" TEN "+10ms < . seq 1 ack 2001\n"
          "> . seq 10001 len 1000\n> . seq 11001 len 1000\n"
          "> . seq 12001 len 1000\n> . seq 13001 len 1000\n"
          "cwnd 12000\n"},
    {"congestion avoidance opens it by one segment per window",
     OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP DUP "> . seq 1 len 1000\n"
          "+10ms < . seq 1 ack 10001\n"
          "write 100000\n"
          "> . seq 10001 len 1000\n> . seq 11001 len 1000\n"
          "+10ms < . seq 1 ack 12001\n" /* slow start up to 5000 */
          "cwnd 4000\n"
          "> . seq 12001 len 1000\n> . seq 13001 len 1000\n"
          "> . seq 14001 len 1000\n> . seq 15001 len 1000\n"
          "+10ms < . seq 1 ack 16001\n"
          "cwnd 6000\n"
          "> . seq 16001 len 1000\n> . seq 17001 len 1000\n> . seq 18001 len 1000\n"
          "> . seq 19001 len 1000\n> . seq 20001 len 1000\n> . seq 21001 len 1000\n"
          "+10ms < . seq 1 ack 19001\n"
          "cwnd 6000\n"
          "> . seq 22001 len 1000\n> . seq 23001 len 1000\n> . seq 24001 len 1000\n"
          "< . seq 1 ack 22001\n"
          "cwnd 7000\n"
          "> . seq 25001 len 1000\n> . seq 26001 len 1000\n> . seq 27001 len 1000\n"
          "> . seq 28001 len 1000\n"},
    {"a window that the application does not fill does not grow", OPEN "write 1000\n"
                                                                       "> . seq 1 len 1000\n"
                                                                       "+10ms < . seq 1 ack 1001\n"
                                                                       "write 1000\n"
                                                                       "> . seq 1001 len 1000\n"
                                                                       "+10ms < . seq 1 ack 2001\n"
                                                                       "cwnd 10000\n"},
    {"after a pause longer than the RTO sending starts again with the initial window",
     "set initial-window 4\n" OPEN "write 4000\n"
     "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n> . seq 3001 len 1000\n"
     "+10ms < . seq 1 ack 2001\n"
     "< . seq 1 ack 4001\n"
     "cwnd 6000\n"
     "+1s write 8000\n"
     "> . seq 4001 len 1000\n> . seq 5001 len 1000\n> . seq 6001 len 1000\n> . seq 7001 len 1000\n"
     "cwnd 4000\n"},
    /* SACK */
    {"three SACKed segments above the first mark it lost",
     OPEN_SACK "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-2001>\n"
               "< . seq 1 ack 1 <sack 1001-3001>\n"
               "flight 10000\n"
               "< . seq 1 ack 1 <sack 1001-4001>\n"
               "> . seq 1 len 1000\n"
               "ssthresh 5000\n"},
    {"one ACK that reports three segments is enough",
     OPEN_SACK "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-4001>\n"
               "> . seq 1 len 1000\n"},
    {"SACK repairs several holes in one round trip, and sends nothing that arrived", OPEN_SACK
     "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-2001>\n" /* 1, 3 and 5 were lost */
     "< . seq 1 ack 1 <sack 3001-4001, sack 1001-2001>\n"
     "< . seq 1 ack 1 <sack 5001-6001, sack 3001-4001, sack 1001-2001>\n"
     "> . seq 1 len 1000\n"
     "< . seq 1 ack 1 <sack 5001-7001, sack 3001-4001, sack 1001-2001>\n"
     "< . seq 1 ack 1 <sack 5001-8001, sack 3001-4001, sack 1001-2001>\n"
     "> . seq 2001 len 1000\n"
     "> . seq 4001 len 1000\n" /* pipe: 10 - 5 SACKed - 3 lost + 1 resent = 3 of 5 */
     "< . seq 1 ack 1 <sack 5001-9001, sack 3001-4001, sack 1001-2001>\n"
     "< . seq 1 ack 1 <sack 5001-10001, sack 3001-4001, sack 1001-2001>\n"
     "+10ms < . seq 1 ack 2001 <sack 5001-10001, sack 3001-4001>\n"
     "< . seq 1 ack 4001 <sack 5001-10001>\n"
     "< . seq 1 ack 10001\n"
     "silence 1s\n"},
    {"duplicate ACKs without SACK blocks mean nothing where SACK was agreed",
     OPEN_SACK "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP DUP DUP DUP "silence 100ms\n"},
    {"what was SACKed is not sent again after a timeout",
     OPEN_SACK "write 3000\n"
               "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n"
               "+10ms < . seq 1 ack 1 <sack 2001-3001>\n"
               "+190ms > . seq 1 len 1000\n"
               "+10ms < . seq 1 ack 1001 <sack 2001-3001>\n"
               "> . seq 1001 len 1000\n"
               "+10ms < . seq 1 ack 3001\n"
               "silence 1s\n"},
    {"a receiver that forgot what it SACKed gets it again",
     OPEN_SACK "write 3000\n"
               "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n"
               "+10ms < . seq 1 ack 1 <sack 1001-3001>\n"
               "+190ms > . seq 1 len 1000\n"
               "+10ms < . seq 1 ack 1001\n" /* and nothing of the rest */
               "+190ms silence 0\n"
               "+210ms > . seq 1001 len 1000\n"
               "+10ms < . seq 1 ack 2001\n"
               "> . seq 2001 len 1000\n"},
    {"SACK blocks outside of the flight are ignored",
     OPEN_SACK "write 4000\n"
               "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n"
               "> . seq 3001 len 1000\n"
               "+10ms < . seq 1 ack 1 <sack 1001-900001>\n"
               "< . seq 1 ack 1 <sack 4001-3001>\n"
               "< . seq 1 ack 1 <sack 4000000001-4294967000>\n"
               "silence 100ms\n"},
    /* CUBIC */
    {"CUBIC keeps seven tenths of the window after a loss",
     "set cubic\n" OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1\n" DUP DUP "> . seq 1 len 1000\n"
     "ssthresh 7000\n"},
    {"CUBIC keeps seven tenths as threshold after a timeout, too",
     "set cubic\n" OPEN "write 10000\n" TEN "+200ms > . seq 1 len 1000\n"
     "ssthresh 7000\n"
     "cwnd 1000\n"},
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

/* One window's worth of ACKs per round trip, as a bulk transfer gives. */
static void one_round_trip(struct tcp_cc *cc, int64_t rtt_ns, int64_t now_ns)
{
    for (uint32_t left = cc->cwnd; left >= 2 * cc->mss; left -= 2 * cc->mss)
        tcp_cc_acked(cc, 2 * cc->mss, false, rtt_ns, now_ns);
}

/* W_max 1000 segments: K is cbrt(300 / 0.4) = 9.086 s. The window goes up fast, flattens out at
 * W_max after K, and goes on from there ever faster (RFC 9438, figure 1). */
static void cubic_returns_to_its_old_window_after_k(void **state)
{
    struct tcp_cc cc;
    int64_t rtt_ns = MS(100);
    int64_t now_ns = 0;
    (void)state;

    tcp_cc_init(&cc, &(struct tcp_options){.congestion = TCP_CUBIC, .initial_window_segments = 10},
                1000);
    cc.cwnd = 1000000;
    tcp_cc_lost(&cc, 1000000);
    tcp_cc_recovered(&cc, 1000000);
    assert_int_equal(cc.cwnd, 700000);

    for (; now_ns < MS(4500); now_ns += rtt_ns)
        one_round_trip(&cc, rtt_ns, now_ns);
    assert_in_range(cc.cwnd, 950000, 970000); /* 1000 - 0.4 * 4.586^3 = 961 */
    for (; now_ns < MS(9000); now_ns += rtt_ns)
        one_round_trip(&cc, rtt_ns, now_ns);
    assert_in_range(cc.cwnd, 995000, 1001000);
    for (; now_ns < MS(14000); now_ns += rtt_ns)
        one_round_trip(&cc, rtt_ns, now_ns);
    assert_in_range(cc.cwnd, 1035000, 1050000); /* 1000 + 0.4 * 4.914^3 = 1047 */
}

/* On a short path CUBIC must not be slower than Reno (RFC 9438, 4.3). */
static void cubic_is_as_fast_as_reno_on_short_paths(void **state)
{
    struct tcp_cc cubic;
    int64_t rtt_ns = US(500);
    (void)state;

    tcp_cc_init(&cubic,
                &(struct tcp_options){.congestion = TCP_CUBIC, .initial_window_segments = 10},
                1000);
    cubic.cwnd = 100000;
    tcp_cc_lost(&cubic, 100000);
    tcp_cc_recovered(&cubic, 100000);
    assert_int_equal(cubic.cwnd, 70000);
    for (int i = 0; i < 100; i++)
        one_round_trip(&cubic, rtt_ns, i * rtt_ns);
    /* 9/17 of a segment per round trip up to 100 segments (56.7 round trips), then one */
    assert_in_range(cubic.cwnd, 130000, 145000);
}

static void cubic_leaves_room_when_it_lost_before_it_was_back(void **state)
{
    struct tcp_cc cc;
    (void)state;

    tcp_cc_init(&cc, &(struct tcp_options){.congestion = TCP_CUBIC, .initial_window_segments = 10},
                1000);
    cc.cwnd = 1000000;
    tcp_cc_lost(&cc, 1000000);
    assert_int_equal(cc.cubic.w_max, 1000000);
    tcp_cc_lost(&cc, cc.cwnd);
    assert_int_equal(cc.cubic.w_max, 595000); /* 700 * (1 + 0.7) / 2 */
    assert_int_equal(cc.cwnd, 490000);
}

static void a_pause_does_not_let_cubic_jump(void **state)
{
    struct tcp_cc busy;
    struct tcp_cc idle;
    (void)state;

    tcp_cc_init(&busy,
                &(struct tcp_options){.congestion = TCP_CUBIC, .initial_window_segments = 10000},
                1000);
    busy.cwnd = 1000000;
    tcp_cc_lost(&busy, 1000000);
    one_round_trip(&busy, MS(10), 0);
    idle = busy;
    tcp_cc_restart(&idle, 10000, SECONDS(100));
    one_round_trip(&busy, MS(10), MS(10));
    one_round_trip(&idle, MS(10), SECONDS(100) + MS(10));
    assert_int_equal(busy.cwnd, idle.cwnd);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    TEST(cubic_returns_to_its_old_window_after_k);
    TEST(cubic_is_as_fast_as_reno_on_short_paths);
    TEST(cubic_leaves_room_when_it_lost_before_it_was_back);
    TEST(a_pause_does_not_let_cubic_jump);
    return TEST_RUN("sim.net.tcp_recovery");
}
