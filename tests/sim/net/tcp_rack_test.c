/* Losses that time tells of, probes for a lost tail, losses that were none, and the schedules of
 * Linux. */
#include "tests/sim/net/tcp_script.h"

#define OPEN                                                                                       \
    "set sack true\n"                                                                              \
    "connect\n"                                                                                    \
    "> S seq 0\n"                                                                                  \
    "+10ms < S. seq 0 ack 1 <mss 1000, sackok>\n"                                                  \
    "> . seq 1 ack 1\n"                                                                            \
    "event connected\n"
#define TWO "write 2000\n> . seq 1 len 1000\n> . seq 1001 len 1000\n"
#define TEN                                                                                        \
    "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n> . seq 3001 len 1000\n"    \
    "> . seq 4001 len 1000\n> . seq 5001 len 1000\n> . seq 6001 len 1000\n"                        \
    "> . seq 7001 len 1000\n> . seq 8001 len 1000\n> . seq 9001 len 1000\n"
/* Three segments, a timeout, and its ACK, which lets two new segments out instead. */
#define TIMED_OUT                                                                                  \
    "set frto true, initial-window 3\n" OPEN "write 5000\n"                                        \
    "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n"                           \
    "+200ms > . seq 1 len 1000\n"                                                                  \
    "+10ms < . seq 1 ack 1001\n"                                                                   \
    "> . seq 3001 len 1000\n> . seq 4001 len 1000\n"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    /* RFC 8985, 7: tail loss probes. */
    {"a tail is probed with its last segment after two round trips, once",
     "set tail-loss-probe true\n" OPEN TWO "+20ms > . seq 1001 len 1000\n"
     "+200ms > . seq 1 len 1000\n" /* the timeout counts from the probe */
     "+400ms > . seq 1 len 1000\n"},
    {"one segment is probed when the timeout would come, as its ACK may be delayed",
     "set tail-loss-probe true\n" OPEN "write 1000\n> . seq 1 len 1000\n"
     "+200ms > . seq 1 len 1000\n" /* 2 x 10 ms + 200 ms is later than the timeout */
     "+200ms > . seq 1 len 1000\n"
     "+400ms > . seq 1 len 1000\n"},
    {"a probe carries new data where there is some, whatever the congestion window says",
     "set tail-loss-probe true, initial-window 2\n" OPEN "write 3000\n"
     "> . seq 1 len 1000\n> . seq 1001 len 1000\n"
     "+20ms > . seq 2001 len 1000\n"
     "silence 199ms\n"},
    {"a probe's SACK tells of the hole before it",
     "set tail-loss-probe true, rack true\n" OPEN TWO "+20ms > . seq 1001 len 1000\n"
     "+10ms < . seq 1 ack 1 <sack 1001-2001>\n"
     "> . seq 1 len 1000\n"
     "+10ms < . seq 1 ack 2001\n"
     "silence 1s\n"},
    {"a probe whose D-SACK says that both arrived costs no window",
     "set tail-loss-probe true\n" OPEN TWO "+20ms > . seq 1001 len 1000\n"
     "+10ms < . seq 1 ack 2001 <sack 1001-2001>\n"
     "cwnd 10000\n"
     "write 1000\n> . seq 2001 len 1000\n"
     "+10ms < . seq 1 ack 3001\n"
     "cwnd 10000\n"},
    {"a probe that repaired a loss halves the window, as any loss does",
     "set tail-loss-probe true\n" OPEN TWO "+20ms > . seq 1001 len 1000\n"
     "+10ms < . seq 1 ack 2001\n"
     "write 1000\n> . seq 2001 len 1000\n"
     "+10ms < . seq 1 ack 3001\n"
     "cwnd 5000\n"},
    {"without SACK nothing is probed",
     "set tail-loss-probe true\n"
     "connect\n> S seq 0\n+10ms < S. seq 0 ack 1 <mss 1000>\n> . seq 1\nevent connected\n" TWO
     "+200ms > . seq 1 len 1000\n"},
    {"where the round trip is shorter than asked for, nothing is probed",
     "set tail-loss-probe true, rack-min-rtt 11ms\n" OPEN TWO "+200ms > . seq 1 len 1000\n"},
    {"where the round trip is as long as asked for, the tail is probed",
     "set tail-loss-probe true, rack-min-rtt 10ms\n" OPEN TWO "+20ms > . seq 1001 len 1000\n"
     "silence 199ms\n"},
    /* RFC 8985, 6: RACK. */
    {"who is overtaken by one segment has a quarter of the round trip to arrive",
     "set rack true\n" OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-2001>\n"
     "silence 2499us\n"
     "+1us > . seq 1 len 1000\n"
     "ssthresh 5000\n"},
    {"who arrives within the reordering window is not sent again",
     "set rack true\n" OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-2001>\n"
     "+2ms < . seq 1 ack 2001\n"
     "silence 100ms\n"
     "cwnd 12000\n"},
    {"three segments that overtook are enough as long as nothing was ever reordered",
     "set rack true\n" OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-4001>\n"
     "> . seq 1 len 1000\n"
     "silence 100ms\n"},
    {"a retransmission that is lost is noticed by what was sent after it",
     "set rack true\n" OPEN "write 11000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-4001>\n"
     "> . seq 1 len 1000\n"
     "+1ms < . seq 1 ack 1 <sack 1001-10001>\n"
     "> . seq 10001 len 1000\n"
     "+10ms < . seq 1 ack 1 <sack 1001-11001>\n"
     "> . seq 1 len 1000\n"
     "+10ms < . seq 1 ack 11001\n"
     "silence 1s\n"},
    {"all that was sent before what arrived is lost, the holes between, too",
     "set rack true\n" OPEN "write 10000\n" TEN
     "+10ms < . seq 1 ack 1 <sack 2001-3001, sack 4001-5001, sack 6001-10001>\n"
     "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 3001 len 1000\n> . seq 5001 len 1000\n"},
    {"a timeout does not take for lost what was sent less than a round trip ago",
     "set rack true\n" OPEN "write 1000\n> . seq 1 len 1000\n"
     "silence 195ms\n"
     "write 1000\n> . seq 1001 len 1000\n"
     "+5ms > . seq 1 len 1000\n"
     "+1ms < . seq 1 ack 1001\n"
     "silence 100ms\n"},
    {"without RACK a timeout takes everything for lost", OPEN "write 1000\n> . seq 1 len 1000\n"
                                                              "silence 195ms\n"
                                                              "write 1000\n> . seq 1001 len 1000\n"
                                                              "+5ms > . seq 1 len 1000\n"
                                                              "+1ms < . seq 1 ack 1001\n"
                                                              "> . seq 1001 len 1000\n"},
    /* RFC 5682: F-RTO. */
    {"an ACK of what was sent once shows that the timeout was spurious",
     TIMED_OUT "+10ms < . seq 1 ack 2001\n"
               "cwnd 3000\n"
               "silence 199ms\n"},
    {"a duplicate ACK after the new data shows that the timeout was not",
     TIMED_OUT "+10ms < . seq 1 ack 1001 <sack 3001-4001>\n"
               "> . seq 1001 len 1000\n"
               "ssthresh 2000\n"},
    {"without F-RTO the next segments are sent again",
     "set initial-window 3\n" OPEN "write 5000\n"
     "> . seq 1 len 1000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n"
     "+200ms > . seq 1 len 1000\n"
     "+10ms < . seq 1 ack 1001\n"
     "> . seq 1001 len 1000\n> . seq 2001 len 1000\n"},
    /* RFC 2883, RFC 3708: D-SACK. */
    {"a duplicate is reported in the first block, once",
     "set dsack true\n" OPEN "< . seq 1 ack 1 len 1000\n< . seq 1 ack 1 len 1000\n"
     "> . seq 1 ack 1001 <sack 1-1001>\n"
     "< . seq 3001 ack 1 len 1000\n"
     "> . seq 1 ack 1001 <sack 3001-4001>\n"
     "< . seq 3001 ack 1 len 1000\n"
     "> . seq 1 ack 1001 <sack 3001-4001, sack 3001-4001>\n"},
    {"a D-SACK of each retransmission takes the loss back",
     "set undo true\n" OPEN "write 10000\n" TEN "+10ms < . seq 1 ack 1 <sack 1001-4001>\n"
     "> . seq 1 len 1000\n"
     "+10ms < . seq 1 ack 10001\n"
     "cwnd 2000\n"
     "+1ms < . seq 1 ack 10001 <sack 1-1001>\n"
     "cwnd 10000\n"},
    {"a D-SACK of older data takes nothing back",
     "set undo true\n" OPEN "write 1000\n> . seq 1 len 1000\n+10ms < . seq 1 ack 1001\n"
     "write 5000\n> . seq 1001 len 1000\n> . seq 2001 len 1000\n> . seq 3001 len 1000\n"
     "> . seq 4001 len 1000\n> . seq 5001 len 1000\n"
     "+10ms < . seq 1 ack 1001 <sack 2001-5001>\n"
     "> . seq 1001 len 1000\n"
     "+10ms < . seq 1 ack 6001\n"
     "cwnd 2000\n"
     "+1ms < . seq 1 ack 6001 <sack 1-1001>\n"
     "cwnd 2000\n"},
    /* RFC 6937: proportional rate reduction. */
    {"fast recovery sends one segment for two that arrive, from the first ACK on",
     "set proportional-rate true\n" OPEN "write 30000\n" TEN
     "+10ms < . seq 1 ack 1 <sack 1001-4001>\n"
     "> . seq 1 len 1000\n"
     "+1ms < . seq 1 ack 1 <sack 1001-5001>\n"
     "> . seq 10001 len 1000\n"
     "+1ms < . seq 1 ack 1 <sack 1001-6001>\n"
     "+1ms < . seq 1 ack 1 <sack 1001-7001>\n"
     "+1ms < . seq 1 ack 1 <sack 1001-8001>\n" /* the pipe is at half the window */
     "> . seq 11001 len 1000\n"},
    /* Linux. */
    {"quick ACKs: the first segments of a stream are acknowledged at once",
     "set quick-acks 2\n" OPEN "< . seq 1 ack 1 len 1000\n> . seq 1 ack 1001\n"
     "< . seq 1001 ack 1 len 1000\n> . seq 1 ack 2001\n"
     "< . seq 2001 ack 1 len 1000\n"
     "silence 30ms\n"},
    {"linear SYN timeouts: the first four intervals do not double",
     "set syn-linear-timeouts 4, syn-retransmissions 6\n"
     "connect\n> S seq 0\n"
     "+1s > S seq 0\n+1s > S seq 0\n+1s > S seq 0\n+1s > S seq 0\n+1s > S seq 0\n"
     "+2s > S seq 0\n+4s > S seq 0\n+8s > S seq 0\n+16s > S seq 0\n+32s > S seq 0\n" /* at 67 s */
     "silence 63999ms\nevent none\nsilence 1ms\nevent closed retransmission-limit\n"},
    {"segments shrink when large ones vanish, at each timeout from the third on",
     "set mtu-probe-after 2, mtu-probe-size 500\n" OPEN "write 1000\n> . seq 1 len 1000\n"
     "+200ms > . seq 1 len 1000\n"
     "+400ms > . seq 1 len 1000\n"
     "+800ms > . seq 1 len 500\n"
     "+1600ms > . seq 1 len 250\n"
     "+10ms < . seq 1 ack 251\n"
     "> . seq 251 len 250\n"},
    /* SRTT 10 ms, variance at its floor of 200 ms: 210 ms, 53 ticks of 4 ms. The wheel fires a tick
     * late up to 62 ticks, then at multiples of 8, from 504 ticks on at multiples of 64. A kernel
     * with a round trip of 30 us: 0.206, 0.208, 0.416, 0.832, 1.664, 3.296, 6.656, 13.312 s. */
    {"the schedule of a Linux kernel at 250 Hz whose peer falls silent",
     "set rto-linux\nset tail-loss-probe true\nset timer-tick 4ms, timer-wheel true\n" OPEN
     "write 1000\n> . seq 1 len 1000\n"
     "+214ms > . seq 1 len 1000\n"  /* the probe: 2 + 53 + 1 ticks */
     "+216ms > . seq 1 len 1000\n"  /* 56 + 53 + 1 */
     "+456ms > . seq 1 len 1000\n"  /* 110 + 106 = 216, up to 224 */
     "+864ms > . seq 1 len 1000\n"  /* 224 + 212 = 436, up to 440 */
     "+1728ms > . seq 1 len 1000\n" /* 440 + 424 = 864, up to 872 */
     "+3424ms > . seq 1 len 1000\n" /* 872 + 848 = 1720, up to 27 x 64 */
     "+6912ms > . seq 1 len 1000\n"
     "+13824ms > . seq 1 len 1000\n"},
    {"Linux probes a tail of two 2 ms after two round trips",
     "set rto-linux\nset tail-loss-probe true\nset timer-tick 4ms, timer-wheel true\n" OPEN TWO
     "+26ms > . seq 1001 len 1000\n"}, /* 22 ms: 6 ticks, and 1 */
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    return TEST_RUN("sim.net.tcp_rack");
}
