/* The receiving side: acknowledging, reassembly, windows, and what is not believed. */
#include "tests/sim/net/tcp_script.h"

#define OPEN                                                                                       \
    "listen\n"                                                                                     \
    "< S seq 0 <mss 1000>\n"                                                                       \
    "> S. seq 0 ack 1\n"                                                                           \
    "+10ms < . seq 1 ack 1\n"                                                                      \
    "event connected\n"
#define OPEN_TS                                                                                    \
    "set timestamps true\n"                                                                        \
    "listen\n"                                                                                     \
    "< S seq 0 <mss 1000, ts 100 0>\n"                                                             \
    "> S. seq 0 ack 1 <mss 1460, ts 0 100>\n"                                                      \
    "+10ms < . seq 1 ack 1 <ts 110 0>\n"                                                           \
    "event connected\n"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    {"every second full segment is acknowledged at once", OPEN "< . seq 1 ack 1 len 1000\n"
                                                               "< . seq 1001 ack 1 len 1000\n"
                                                               "> . seq 1 ack 2001\n"
                                                               "< . seq 2001 ack 1 len 1000\n"
                                                               "read 3000\n"
                                                               "+40ms > . seq 1 ack 3001\n"},
    {"small segments wait for the timer, which the first one started",
     OPEN "< . seq 1 ack 1 len 10\n"
          "+30ms < . seq 11 ack 1 len 10\n"
          "+10ms > . seq 1 ack 21\n"},
    {"with a count of 1 every segment is acknowledged at once",
     "set delayed-ack-segments 1\n" OPEN "< . seq 1 ack 1 len 10\n"
     "> . seq 1 ack 11\n"},
    {"without delay every segment is acknowledged at once",
     "set delayed-ack 0\n" OPEN "< . seq 1 ack 1 len 10\n"
     "> . seq 1 ack 11\n"},
    {"data carries the acknowledgment that waited", OPEN "< . seq 1 ack 1 len 48\n"
                                                         "read 48\n"
                                                         "write 48\n"
                                                         "> . seq 1 ack 49 len 48\n"
                                                         "+5ms < . seq 49 ack 49\n"
                                                         "silence 1s\n"},
    {"a hole is asked for at once, and what follows it waits", OPEN "< . seq 1001 ack 1 len 1000\n"
                                                                    "> . seq 1 ack 1\n"
                                                                    "read 0\n"
                                                                    "< . seq 2001 ack 1 len 1000\n"
                                                                    "> . seq 1 ack 1\n"
                                                                    "< . seq 1 ack 1 len 1000\n"
                                                                    "> . seq 1 ack 3001\n"
                                                                    "read 3000\n"},
    {"overlaps are cut, whatever their order", OPEN "< . seq 2001 ack 1 len 500\n"
                                                    "> . seq 1 ack 1\n"
                                                    "< . seq 1001 ack 1 len 600\n"
                                                    "> . seq 1 ack 1\n"
                                                    "< . seq 1501 ack 1 len 700\n"
                                                    "> . seq 1 ack 1\n"
                                                    "< . seq 901 ack 1 len 2000\n"
                                                    "> . seq 1 ack 1\n"
                                                    "< . seq 1 ack 1 len 1000\n"
                                                    "> . seq 1 ack 2901\n"
                                                    "read 2900\n"},
    {"a segment that fills several holes frees all of them", OPEN "< . seq 501 ack 1 len 100\n"
                                                                  "> . ack 1\n"
                                                                  "< . seq 701 ack 1 len 100\n"
                                                                  "> . ack 1\n"
                                                                  "< . seq 901 ack 1 len 100\n"
                                                                  "> . ack 1\n"
                                                                  "< . seq 1 ack 1 len 950\n"
                                                                  "> . ack 1001\n"
                                                                  "read 1000\n"},
    {"a duplicate is acknowledged at once and not delivered", OPEN "< . seq 1 ack 1 len 1000\n"
                                                                   "read 1000\n"
                                                                   "< . seq 1 ack 1 len 1000\n"
                                                                   "> . seq 1 ack 1001\n"
                                                                   "read 0\n"},
    {"a segment that repeats a front delivers its new part", OPEN "< . seq 1 ack 1 len 600\n"
                                                                  "read 600\n"
                                                                  "< . seq 301 ack 1 len 600\n"
                                                                  "> . ack 901\n"
                                                                  "read 300\n"},
    {"SACK reports the newest range first",
     "set sack true\n"
     "listen\n"
     "< S seq 0 <mss 1000, sackok>\n"
     "> S. seq 0 ack 1 <mss 1460, sackok>\n"
     "< . seq 1 ack 1\n"
     "event connected\n"
     "< . seq 1001 ack 1 len 100\n"
     "> . ack 1 <sack 1001-1101>\n"
     "< . seq 3001 ack 1 len 100\n"
     "> . ack 1 <sack 3001-3101, sack 1001-1101>\n"
     "< . seq 1101 ack 1 len 100\n"
     "> . ack 1 <sack 1001-1201, sack 3001-3101>\n"
     "< . seq 5001 ack 1 len 100\n"
     "> . ack 1 <sack 5001-5101, sack 1001-1201, sack 3001-3101>\n"
     "write 5000\n" /* data makes room for the blocks */
     "> . len 972 <sack 5001-5101, sack 1001-1201, sack 3001-3101>\n"
     "> . len 972\n> . len 972\n> . len 972\n> . len 972\n> . len 140\n"
     "< . seq 1 ack 5001 len 1000\n"
     "> . ack 1201 <sack 5001-5101, sack 3001-3101>\n"},
    {"the window closes as the user does not read",
     "set receive-buffer 4000\n" OPEN "< . seq 1 ack 1 len 1000\n"
     "< . seq 1001 ack 1 len 1000\n"
     "> . ack 2001 win 2000\n"
     "< . seq 2001 ack 1 len 1000\n"
     "< . seq 3001 ack 1 len 1000\n"
     "> . ack 4001 win 0\n"
     "< . seq 4001 ack 1 len 1\n" /* a probe finds it closed */
     "> . ack 4001 win 0\n"
     "read 4000\n"
     "> . ack 4001 win 4000\n"
     "< . seq 4001 ack 1 len 1000\n"
     "read 1000\n"
     "+40ms > . ack 5001 win 4000\n"},
    {"a window opens by a segment or half of the buffer, never by less",
     "set receive-buffer 3000\n" OPEN "< . seq 1 ack 1 len 1000\n"
     "< . seq 1001 ack 1 len 1000\n"
     "> . ack 2001 win 1000\n"
     "< . seq 2001 ack 1 len 500\n"
     "+40ms > . ack 2501 win 500\n"
     "read 2500\n"
     "> . ack 2501 win 3000\n"},
    {"what lies beyond the window is cut off",
     "set receive-buffer 1500\n" OPEN "< . seq 1 ack 1 len 1000\n"
     "< . seq 1001 ack 1 len 1000\n"
     "> . ack 1501 win 0\n"
     "read 1500\n"
     "> . ack 1501 win 1500\n"},
    {"the offered window is scaled and never recedes",
     "set receive-buffer 1000000\n"
     "listen\n"
     "< S seq 0 <mss 1000, wscale 0>\n"
     "> S. seq 0 ack 1 win 65535 <mss 1460, wscale 4>\n"
     "< . seq 1 ack 1\n"
     "event connected\n"
     "< . seq 1 ack 1 len 999\n"
     "< . seq 1000 ack 1 len 1001\n"
     "> . ack 2001 win 62375\n"}, /* 998000 of room / 16 */
    {"a segment of another time is dropped (PAWS)",
     OPEN_TS "< . seq 1 ack 1 len 1000 <ts 200 10>\n"
             "read 1000\n"
             "+40ms > . ack 1001 <ts 50 200>\n"
             "< . seq 1001 ack 1 len 1000 <ts 199 10>\n"
             "> . ack 1001 <ts 50 200>\n"
             "read 0\n"
             "< . seq 1001 ack 1 len 1000 <ts 200 10>\n"
             "read 1000\n"
             "+40ms > . ack 2001\n"},
    {"a timestamp older than 24 days says nothing",
     OPEN_TS "+601h < . seq 1 ack 1 len 1000 <ts 50 10>\n"
             "read 1000\n"
             "+40ms > . ack 1001\n"},
    {"a segment without the agreed timestamp is dropped in silence",
     OPEN_TS "< . seq 1 ack 1 len 1000\n"
             "read 0\n"
             "silence 1s\n"},
    {"the timestamp that is echoed is that of the first segment not acknowledged yet",
     OPEN_TS "< . seq 1 ack 1 len 100 <ts 200 10>\n"
             "+5ms < . seq 101 ack 1 len 100 <ts 205 10>\n"
             "+35ms > . ack 201 <ts 50 200>\n"
             "< . seq 301 ack 1 len 100 <ts 300 10>\n" /* beyond a hole: not echoed */
             "> . ack 201 <ts 50 200>\n"
             "+5ms < . seq 201 ack 1 len 100 <ts 310 10>\n"
             "> . ack 401 <ts 55 310>\n"},
    {"an old segment is answered with an ACK, so that the peer catches up",
     OPEN "< . seq 1 ack 1 len 1000\n"
          "read 1000\n"
          "+40ms > . ack 1001\n"
          "< . seq 1 ack 1 len 500\n"
          "> . ack 1001\n"},
    {"ACKs that could answer each other for ever are sent twice a second at most",
     OPEN "< . seq 4000000000 ack 1\n"
          "> . seq 1 ack 1\n"
          "< . seq 4000000000 ack 1\n"
          "< . seq 4000000000 ack 1\n"
          "silence 499ms\n"
          "+1ms < . seq 4000000000 ack 1\n"
          "> . seq 1 ack 1\n"},
    {"an acknowledgment of what was never sent is answered and dropped",
     OPEN "< . seq 1 ack 999 len 100\n"
          "> . seq 1 ack 1\n"
          "read 0\n"},
    {"an acknowledgment from before the window is answered and dropped (RFC 5961, 5)",
     OPEN "< . seq 1 ack 4294800000 len 100\n"
          "> . seq 1 ack 1\n"
          "read 0\n"},
    {"the planted bug delivers a segment that was sent again twice",
     "set plant-p7\n" OPEN "< . seq 1 ack 1 len 100\n"
     "read 100\n"
     "< . seq 1 ack 1 len 100\n"
     "> . ack 101\n"
#ifndef ISCSILAB_PLANTS
     "read 0\n"
#endif
    },
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    return TEST_RUN("sim.net.tcp_receive");
}
