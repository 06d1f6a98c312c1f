/* Timeouts: when data is sent again, how the spans grow, and when it is given up. */
#include "tests/sim/net/tcp_script.h"

/* A connection with a round trip of 10 ms, so that the RTO is the least one. */
#define OPEN                                                                                       \
    "connect\n"                                                                                    \
    "> S seq 0\n"                                                                                  \
    "+10ms < S. seq 0 ack 1 <mss 1460>\n"                                                          \
    "> . seq 1 ack 1\n"                                                                            \
    "event connected\n"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    {"data is sent again after the RTO, which doubles each time", OPEN "write 1000\n"
                                                                       "> . seq 1 len 1000\n"
                                                                       "+200ms > . seq 1 len 1000\n"
                                                                       "+400ms > . seq 1 len 1000\n"
                                                                       "+800ms > . seq 1 len 1000\n"
                                                                       "cwnd 1460\n"
                                                                       "+50ms < . seq 1 ack 1001\n"
                                                                       "silence 10s\n"},
    {"the RTO follows the round trip: SRTT + 4 * RTTVAR",
     "set min-rto 1ms\n"
     "connect\n"
     "> S seq 0\n"
     "+100ms < S. seq 0 ack 1 <mss 1460>\n" /* SRTT 100, RTTVAR 50: RTO 300 */
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 100\n"
     "> . seq 1 len 100\n"
     "+100ms < . seq 1 ack 101\n" /* RTTVAR 37.5: RTO 250 */
     "write 100\n"
     "> . seq 101 len 100\n"
     "+250ms > . seq 101 len 100\n"
     "+500ms > . seq 101 len 100\n"},
    {"a retransmitted segment is no sample, and the back-off stays (Karn)",
     OPEN "write 1000\n"
          "> . seq 1 len 1000\n"
          "+200ms > . seq 1 len 1000\n"
          "+100ms < . seq 1 ack 1001\n"
          "write 1000\n"
          "> . seq 1001 len 1000\n"
          "+400ms > . seq 1001 len 1000\n"},
    {"the back-off ends with the first sample", OPEN "write 1000\n"
                                                     "> . seq 1 len 1000\n"
                                                     "+200ms > . seq 1 len 1000\n"
                                                     "+10ms < . seq 1 ack 1001\n"
                                                     "write 1000\n"
                                                     "> . seq 1001 len 1000\n"
                                                     "+10ms < . seq 1 ack 2001\n"
                                                     "write 1000\n"
                                                     "> . seq 2001 len 1000\n"
                                                     "+200ms > . seq 2001 len 1000\n"},
    {"with timestamps a retransmission is a sample", "set timestamps true\n"
                                                     "connect\n"
                                                     "> S seq 0\n"
                                                     "+10ms < S. seq 0 ack 1 <mss 1460, ts 1 0>\n"
                                                     "> . seq 1 ack 1\n"
                                                     "event connected\n"
                                                     "write 1000\n"
                                                     "> . seq 1 len 1000 <ts 10 1>\n"
                                                     "+200ms > . seq 1 len 1000 <ts 210 1>\n"
                                                     "+10ms < . seq 1 ack 1001 <ts 2 210>\n"
                                                     "write 1000\n"
                                                     "> . seq 1001 len 1000\n"
                                                     "+200ms > . seq 1001 len 1000\n"},
    {"an ACK of new data restarts the timer",
     OPEN "write 2920\n"
          "> . seq 1 len 1460\n"
          "> . seq 1461 len 1460\n"
          "+150ms < . seq 1 ack 1461\n" /* a sample of 150 ms: RTO 27.5 + 4 * 38.75 < 200 */
          "+200ms > . seq 1461 len 1460\n"},
    {"after a timeout the whole flight is repaired in slow start",
     OPEN "write 7300\n"
          "> . seq 1 len 1460\n> . seq 1461 len 1460\n> . seq 2921 len 1460\n"
          "> . seq 4381 len 1460\n> . seq 5841 len 1460\n"
          "+200ms > . seq 1 len 1460\n"
          "ssthresh 3650\n"
          "cwnd 1460\n"
          "+10ms < . seq 1 ack 1461\n"
          "> . seq 1461 len 1460\n"
          "> . seq 2921 len 1460\n"
          "cwnd 2920\n"
          "+10ms < . seq 1 ack 4381\n"
          "> . seq 4381 len 1460\n"
          "> . seq 5841 len 1460\n"
          "+10ms < . seq 1 ack 7301\n"
          "silence 1s\n"},
    {"the slow start threshold is not halved again by the same loss",
     OPEN "write 14600\n"
          "> . seq 1 len 1460\n> . seq 1461 len 1460\n> . seq 2921 len 1460\n"
          "> . seq 4381 len 1460\n> . seq 5841 len 1460\n> . seq 7301 len 1460\n"
          "> . seq 8761 len 1460\n> . seq 10221 len 1460\n> . seq 11681 len 1460\n"
          "> . seq 13141 len 1460\n"
          "+200ms > . seq 1 len 1460\n"
          "ssthresh 7300\n"
          "+400ms > . seq 1 len 1460\n"
          "ssthresh 7300\n"
          "cwnd 1460\n"},
    {"the RTO stops growing at its limit", "set max-rto 1s\n" OPEN "write 10\n"
                                           "> . seq 1 len 10\n"
                                           "+200ms > . seq 1 len 10\n"
                                           "+400ms > . seq 1 len 10\n"
                                           "+800ms > . seq 1 len 10\n"
                                           "+1s > . seq 1 len 10\n"
                                           "+1s > . seq 1 len 10\n"},
    {"Windows datacenter: 9 retransmissions from 20 ms, and the end after 20.46 s with RST",
     "set min-rto 20ms, data-retransmissions 9\n"
     "connect\n"
     "> S seq 0\n"
     "< S. seq 0 ack 1 <mss 1460>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 1000\n"
     "> . seq 1 len 1000\n"
     "+20ms > . seq 1 len 1000\n"
     "+40ms > . seq 1 len 1000\n"
     "+80ms > . seq 1 len 1000\n"
     "+160ms > . seq 1 len 1000\n"
     "+320ms > . seq 1 len 1000\n"
     "+640ms > . seq 1 len 1000\n"
     "+1280ms > . seq 1 len 1000\n"
     "+2560ms > . seq 1 len 1000\n"
     "+5120ms > . seq 1 len 1000\n"
     "silence 10239ms\n"
     "event none\n"
     "+1ms > R. seq 1001\n"
     "event closed retransmission-limit\n"
     "state CLOSED\n"},
    {"older Windows: 5 retransmissions from 300 ms, 18.9 s",
     "set min-rto 300ms, data-retransmissions 5\n" OPEN "write 1000\n"
     "> . seq 1 len 1000\n"
     "+300ms > . seq 1 len 1000\n"
     "+600ms > . seq 1 len 1000\n"
     "+1200ms > . seq 1 len 1000\n"
     "+2400ms > . seq 1 len 1000\n"
     "+4800ms > . seq 1 len 1000\n"
     "silence 9599ms\n"
     "+1ms > R. seq 1001\n"
     "event closed retransmission-limit\n"},
    {"Linux: the timeout 924.6 s after the first retransmission ends the connection in silence",
     "set give-up-after 924600ms\n" OPEN "write 1000\n"
     "> . seq 1 len 1000\n"
     "+200ms > . seq 1 len 1000\n"
     "+400ms > . seq 1 len 1000\n"
     "+800ms > . seq 1 len 1000\n"
     "+1600ms > . seq 1 len 1000\n"
     "+3200ms > . seq 1 len 1000\n"
     "+6400ms > . seq 1 len 1000\n"
     "+12800ms > . seq 1 len 1000\n"
     "+25600ms > . seq 1 len 1000\n"
     "+51200ms > . seq 1 len 1000\n"
     "+102400ms > . seq 1 len 1000\n" /* 204.6 s */
     "+120s > . seq 1 len 1000\n"
     "+120s > . seq 1 len 1000\n"
     "+120s > . seq 1 len 1000\n"
     "+120s > . seq 1 len 1000\n"
     "+120s > . seq 1 len 1000\n" /* 804.6 s */
     "+120s > . seq 1 len 1000\n" /* 924.4 s after the first retransmission */
     "silence 119999ms\n"
     "event none\n"
     "silence 1ms\n"
     "event closed retransmission-limit\n"},
    {"progress starts the count of retransmissions anew",
     "set data-retransmissions 2\n" OPEN "write 2000\n"
     "> . seq 1 len 1460\n"
     "> . seq 1461 len 540\n"
     "+200ms > . seq 1 len 1460\n"
     "+400ms > . seq 1 len 1460\n"
     "+10ms < . seq 1 ack 1461\n"
     "> . seq 1461 len 540\n"
     "+800ms > . seq 1461 len 540\n"
     "+1600ms > . seq 1461 len 540\n"
     "+3200ms > R. seq 2001\n"
     "event closed retransmission-limit\n"},
    {"the user timeout ends a connection at its own time",
     "set user-timeout 5s\n" OPEN "write 1000\n"
     "> . seq 1 len 1000\n"
     "+200ms > . seq 1 len 1000\n"
     "+400ms > . seq 1 len 1000\n"
     "+800ms > . seq 1 len 1000\n"
     "+1600ms > . seq 1 len 1000\n"
     "silence 1999ms\n"
     "+1ms > R. seq 1001\n"
     "event closed user-timeout\n"},
    {"an acknowledgment in time keeps the user timeout away",
     "set user-timeout 1s\n" OPEN "write 1000\n"
     "> . seq 1 len 1000\n"
     "+200ms > . seq 1 len 1000\n"
     "+10ms < . seq 1 ack 1001\n"
     "silence 30s\n"
     "write 10\n"
     "> . seq 1001 len 10\n"
     "+10ms < . seq 1 ack 1011\n"
     "silence 30s\n"
     "state ESTABLISHED\n"},
    {"the user timeout counts for SYN, too", "set user-timeout 2s\n"
                                             "connect\n"
                                             "> S seq 0\n"
                                             "+1s > S seq 0\n"
                                             "silence 1s\n"
                                             "event closed user-timeout\n"},
    {"the user timeout counts while the peer keeps its window closed",
     "set user-timeout 1s\n" OPEN "< . seq 1 ack 1 win 0\n"
     "write 100\n"
     "+200ms > . seq 0 len 0\n"
     "< . seq 1 ack 1 win 0\n"
     "+400ms > . seq 0 len 0\n"
     "< . seq 1 ack 1 win 0\n"
     "+400ms > R. seq 1\n"
     "event closed user-timeout\n"},
    {"timers fire at ticks", "set timer-tick 10ms\n"
                             "+3ms connect\n"
                             "> S seq 0\n"
                             "+10ms < S. seq 0 ack 1 <mss 1460>\n"
                             "> . seq 1 ack 1\n"
                             "event connected\n"
                             "write 10\n"
                             "> . seq 1 len 10\n"
                             "+207ms > . seq 1 len 10\n" /* due at 213 ms, fires at 220 */
                             "+400ms > . seq 1 len 10\n"},
    {"a Linux of 250 Hz: the wheel's rounding as measured on a kernel",
     /* Measured: 0.208, 0.412, 0.832, 1.664, 3.52, 6.656, 13.312 s, of an RTO of 51 ticks. */
     "set timer-tick 4ms, timer-wheel true, min-rto 204ms\n"
     "+20ms connect\n"
     "> S seq 0\n"
     "< S. seq 0 ack 1 <mss 1460>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 10\n"
     "> . seq 1 len 10\n"
     "+208ms > . seq 1 len 10\n"
     "+412ms > . seq 1 len 10\n"
     "+832ms > . seq 1 len 10\n"
     "+1664ms > . seq 1 len 10\n"
     "+3520ms > . seq 1 len 10\n"
     "+6656ms > . seq 1 len 10\n"
     "+13312ms > . seq 1 len 10\n"},
    {"FIN is sent again like data", OPEN "close\n"
                                         "> F. seq 1 len 0\n"
                                         "+200ms > F. seq 1 len 0\n"
                                         "+400ms > F. seq 1 len 0\n"
                                         "+1ms < . seq 1 ack 2\n"
                                         "state FIN-WAIT-2\n"
                                         "silence 1s\n"},
    {"a smaller MTU cuts what is in flight into smaller segments", OPEN "write 2920\n"
                                                                        "> . seq 1 len 1460\n"
                                                                        "> . seq 1461 len 1460\n"
                                                                        "mss 1000\n"
                                                                        "> . seq 1 len 1000\n"
                                                                        "> . seq 1001 len 460\n"
                                                                        "> . seq 1461 len 1000\n"
                                                                        "> . seq 2461 len 460\n"
                                                                        "+10ms < . seq 1 ack 2921\n"
                                                                        "write 1500\n"
                                                                        "> . seq 2921 len 1000\n"
                                                                        "> . seq 3921 len 500\n"},
    {"an acknowledgment may end within a segment",
     OPEN "write 2000\n"
          "> . seq 1 len 1460\n"
          "> . seq 1461 len 540\n"
          "+10ms < . seq 1 ack 701\n"
          "+200ms > . seq 701 len 760\n"
          "> . seq 1461 len 540\n" /* both fit one segment's worth of window */
          "+10ms < . seq 1 ack 2001\n"
          "silence 1s\n"},
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    return TEST_RUN("sim.net.tcp_retransmission");
}
