/* The ways in which a connection ends, and how it stays alive until then. */
#include "tests/sim/net/tcp_script.h"

#define OPEN                                                                                       \
    "connect\n"                                                                                    \
    "> S seq 0\n"                                                                                  \
    "+10ms < S. seq 0 ack 1 <mss 1000>\n"                                                          \
    "> . seq 1 ack 1\n"                                                                            \
    "event connected\n"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    /* FIN */
    {"closing first ends in TIME-WAIT, for twice the segment lifetime",
     OPEN "close\n"
          "> F. seq 1 ack 1\n"
          "state FIN-WAIT-1\n"
          "+10ms < . seq 1 ack 2\n"
          "state FIN-WAIT-2\n"
          "+10ms < F. seq 1 ack 2\n"
          "> . seq 2 ack 2\n"
          "state TIME-WAIT\n"
          "event finished\n"
          "silence 59999ms\n"
          "state TIME-WAIT\n"
          "silence 1ms\n"
          "state CLOSED\n"},
    {"the peer's FIN is reported after the data before it", OPEN "< F. seq 1 ack 1 len 100\n"
                                                                 "> . seq 1 ack 102\n"
                                                                 "event none\n"
                                                                 "read 100\n"
                                                                 "event finished\n"
                                                                 "state CLOSE-WAIT\n"
                                                                 "close\n"
                                                                 "> F. seq 1 ack 102\n"
                                                                 "state LAST-ACK\n"
                                                                 "< . seq 102 ack 2\n"
                                                                 "state CLOSED\n"
                                                                 "event closed fin\n"},
    {"FIN waits for the data before it, and goes with the last segment",
     OPEN "write 1500\n"
          "close\n"
          "> . seq 1 len 1000\n"
          "> . seq 1001 len 500\n"
          "> F. seq 1501\n"
          "state FIN-WAIT-1\n"
          "< . seq 1 ack 1502\n"
          "state FIN-WAIT-2\n"},
    {"FIN rides on data that the window held back", OPEN "< . seq 1 ack 1 win 1000\n"
                                                         "write 1500\n"
                                                         "> . seq 1 len 1000\n"
                                                         "close\n"
                                                         "+10ms < . seq 1 ack 1001 win 5000\n"
                                                         "> F. seq 1001 len 500\n"},
    {"a FIN that arrives before its turn waits for the data", OPEN "< F. seq 1001 ack 1 len 10\n"
                                                                   "> . ack 1\n"
                                                                   "state ESTABLISHED\n"
                                                                   "< . seq 1 ack 1 len 1000\n"
                                                                   "> . ack 1012\n"
                                                                   "state CLOSE-WAIT\n"
                                                                   "read 1010\n"
                                                                   "event finished\n"},
    {"both ends close at once", OPEN "close\n"
                                     "> F. seq 1 ack 1\n"
                                     "< F. seq 1 ack 1\n"
                                     "> . seq 2 ack 2\n"
                                     "state CLOSING\n"
                                     "< . seq 2 ack 2\n"
                                     "state TIME-WAIT\n"},
    {"one segment may acknowledge our FIN and bring theirs", OPEN "close\n"
                                                                  "> F. seq 1 ack 1\n"
                                                                  "< F. seq 1 ack 2\n"
                                                                  "> . seq 2 ack 2\n"
                                                                  "state TIME-WAIT\n"},
    {"after half a close the peer may go on sending", OPEN "shutdown\n"
                                                           "> F. seq 1 ack 1\n"
                                                           "< . seq 1 ack 2 len 2000\n"
                                                           "> . seq 2 ack 2001\n"
                                                           "read 2000\n"
                                                           "silence 1h\n"
                                                           "state FIN-WAIT-2\n"
                                                           "< F. seq 2001 ack 2\n"
                                                           "> . seq 2 ack 2002\n"
                                                           "event finished\n"
                                                           "state TIME-WAIT\n"},
    {"data for a user who closed is answered by RST", OPEN "close\n"
                                                           "> F. seq 1 ack 1\n"
                                                           "< . seq 1 ack 2 len 100\n"
                                                           "> R. seq 2\n"
                                                           "state CLOSED\n"},
    {"closing with data unread resets, for it is lost", OPEN "< . seq 1 ack 1 len 100\n"
                                                             "close\n"
                                                             "> R. seq 1 ack 101\n"
                                                             "state CLOSED\n"},
    {"a FIN-WAIT-2 that nobody waits for has an end", OPEN "close\n"
                                                           "> F. seq 1 ack 1\n"
                                                           "< . seq 1 ack 2\n"
                                                           "silence 59999ms\n"
                                                           "state FIN-WAIT-2\n"
                                                           "silence 1ms\n"
                                                           "state CLOSED\n"},
    {"a FIN that comes again is acknowledged again, and TIME-WAIT begins anew",
     OPEN "close\n"
          "> F. seq 1 ack 1\n"
          "< F. seq 1 ack 2\n"
          "> . seq 2 ack 2\n"
          "+30s < F. seq 1 ack 2\n"
          "> . seq 2 ack 2\n"
          "silence 59999ms\n"
          "state TIME-WAIT\n"
          "silence 1ms\n"
          "state CLOSED\n"},
    {"an unanswered FIN is given up like data", "set data-retransmissions 2\n" OPEN "close\n"
                                                "> F. seq 1 ack 1\n"
                                                "+200ms > F. seq 1\n"
                                                "+400ms > F. seq 1\n"
                                                "+800ms > R. seq 2\n"
                                                "state CLOSED\n"},
    {"data after a FIN is not believed", OPEN "< F. seq 1 ack 1\n"
                                              "> . ack 2\n"
                                              "event finished\n"
                                              "< . seq 2 ack 1 len 100\n"
                                              "> . ack 2\n"
                                              "read 0\n"},
    {"a write after close is dropped", OPEN "close\n"
                                            "> F. seq 1 ack 1\n"
                                            "write 100\n"
                                            "silence 100ms\n"},
    /* RST, RFC 5961 */
    {"an exact RST ends the connection", OPEN "< R seq 1\n"
                                              "event closed rst\n"
                                              "state CLOSED\n"},
    {"data that was not read yet is gone with the RST", OPEN "< . seq 1 ack 1 len 100\n"
                                                             "< R seq 101\n"
                                                             "event closed rst\n"
                                                             "read 0\n"},
    {"a RST elsewhere in the window is challenged", OPEN "< R seq 100\n"
                                                         "> . seq 1 ack 1\n"
                                                         "state ESTABLISHED\n"
                                                         "< R seq 1\n"
                                                         "event closed rst\n"},
    {"a RST outside of the window is ignored", OPEN "< R seq 4000000000\n"
                                                    "< R seq 70000\n"
                                                    "silence 10ms\n"
                                                    "state ESTABLISHED\n"},
    {"a SYN on an established connection is challenged", OPEN "< S seq 1\n"
                                                              "> . seq 1 ack 1\n"
                                                              "state ESTABLISHED\n"},
    {"a SYN of a peer that lost its memory is challenged, and its RST then counts",
     OPEN "< S seq 123456789 <mss 1000>\n"
          "> . seq 1 ack 1\n"
          "< R seq 1\n"
          "event closed rst\n"},
    {"abort sends RST and forgets", OPEN "write 10\n"
                                         "> . seq 1 len 10\n"
                                         "abort\n"
                                         "> R. seq 11 ack 1\n"
                                         "state CLOSED\n"
                                         "silence 1h\n"},
    {"abort in SYN-SENT sends nothing", "connect\n"
                                        "> S seq 0\n"
                                        "abort\n"
                                        "state CLOSED\n"
                                        "silence 1h\n"},
    /* Keepalive */
    {"keepalive asks an idle peer, and goes on while it answers",
     "set keepalive-idle 100s, keepalive-interval 10s, keepalive-probes 3\n" OPEN
     "+100s > . seq 0 ack 1\n"
     "+1ms < . seq 1 ack 1\n"
     "+100s > . seq 0 ack 1\n"
     "+10s > . seq 0 ack 1\n"
     "+1ms < . seq 1 ack 1\n"
     "+100s > . seq 0 ack 1\n"},
    {"keepalive ends a connection whose peer does not answer",
     "set keepalive-idle 100s, keepalive-interval 10s, keepalive-probes 3\n" OPEN
     "+100s > . seq 0 ack 1\n"
     "+10s > . seq 0 ack 1\n"
     "+10s > . seq 0 ack 1\n"
     "+10s > R. seq 1\n"
     "event closed retransmission-limit\n"},
    {"traffic puts keepalive off",
     "set keepalive-idle 100s, keepalive-interval 10s, keepalive-probes 3\n" OPEN
     "+60s < . seq 1 ack 1 len 10\n"
     "+40ms > . ack 11\n"
     "silence 99959ms\n"
     "+1ms > . seq 0 ack 11\n"},
    {"a peer's keepalive is answered", OPEN "< . seq 0 ack 1\n"
                                            "> . seq 1 ack 1\n"},
    /* Windows and small segments */
    {"a closed window is probed, at growing spans, for as long as the peer answers",
     "set data-retransmissions 3\n" OPEN "< . seq 1 ack 1 win 0\n"
     "write 100\n"
     "+200ms > . seq 0 ack 1\n"
     "< . seq 1 ack 1 win 0\n"
     "+400ms > . seq 0 ack 1\n"
     "< . seq 1 ack 1 win 0\n"
     "+800ms > . seq 0 ack 1\n"
     "< . seq 1 ack 1 win 0\n"
     "+1600ms > . seq 0 ack 1\n"
     "< . seq 1 ack 1 win 0\n"
     "+3200ms > . seq 0 ack 1\n"
     "< . seq 1 ack 1 win 5000\n"
     "> . seq 1 len 100\n"
     "+200ms > . seq 1 len 100\n"},
    {"unanswered window probes are given up",
     "set data-retransmissions 2\n" OPEN "< . seq 1 ack 1 win 0\n"
     "write 100\n"
     "+200ms > . seq 0 ack 1\n"
     "+400ms > . seq 0 ack 1\n"
     "+800ms > R. seq 1\n"
     "event closed retransmission-limit\n"},
    {"a window that opens by little is not used at once (silly window)",
     OPEN "< . seq 1 ack 1 win 0\n"
          "write 2000\n"
          "+10ms < . seq 1 ack 1 win 100\n"
          "+200ms > . seq 1 len 100\n" /* the override timer */
          "< . seq 1 ack 101 win 4000\n"
          "> . seq 101 len 1000\n"
          "> . seq 1101 len 900\n"},
    {"Nagle holds a small segment back while another is unacknowledged",
     "set nagle true\n" OPEN "write 100\n"
     "> . seq 1 len 100\n"
     "write 100\n"
     "write 100\n"
     "+10ms < . seq 1 ack 101\n"
     "> . seq 101 len 200\n"},
    {"Nagle lets full segments and FIN go", "set nagle true\n" OPEN "write 100\n"
                                            "> . seq 1 len 100\n"
                                            "write 1500\n"
                                            "> . seq 101 len 1000\n"
                                            "close\n"
                                            "> F. seq 1101 len 500\n"},
    {"without Nagle every write goes at once", OPEN "write 100\n"
                                                    "> . seq 1 len 100\n"
                                                    "write 100\n"
                                                    "> . seq 101 len 100\n"},
    {"the room of the send buffer is told when it grows from 0, and when half is free",
     "set send-buffer 4000, initial-window 10\n" OPEN "room 4000\n"
     "write 5000\n"
     "> . len 1000\n> . len 1000\n> . len 1000\n> . len 1000\n> . len 1000\n"
     "room 0\n"
     "< . seq 1 ack 1001\n"
     "event none\n"
     "< . seq 1 ack 2001\n"
     "event room\n"
     "room 1000\n"
     "< . seq 1 ack 3001\n"
     "event room\n"
     "< . seq 1 ack 4001\n"
     "event none\n"},
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

static struct tcp_conn time_wait_of(struct pool *pool, const struct tcp_options *options,
                                    struct tcp_counters *counters)
{
    struct tcp_conn conn;
    struct tcp_conn_config config = {
        .pool = pool, .options = options, .counters = counters, .mss_bytes = 1000};

    tcp_conn_init(&conn, &config);
    conn.state = TCP_TIME_WAIT;
    conn.rcv_nxt = 5000;
    return conn;
}

static void time_wait_gives_way_to_a_newer_connection_only(void **state)
{
    struct pool *pool = pool_new();
    struct tcp_options options = script_default_options();
    struct tcp_counters counters = {0};
    struct tcp_conn conn = time_wait_of(pool, &options, &counters);
    struct tcp_segment syn = {.flags = TCP_SYN, .sn = 5001};
    (void)state;

    assert_true(tcp_conn_gives_way(&conn, &syn));
    syn.sn = 4999;
    assert_false(tcp_conn_gives_way(&conn, &syn));
    conn.has_timestamps = true;
    conn.ts_recent = 70;
    syn.has_timestamps = true;
    syn.ts_value = 71;
    assert_true(tcp_conn_gives_way(&conn, &syn));
    syn.ts_value = 70;
    assert_false(tcp_conn_gives_way(&conn, &syn));
    syn.sn = 5001;
    syn.flags = TCP_SYN | TCP_ACK;
    assert_false(tcp_conn_gives_way(&conn, &syn));
    tcp_conn_fini(&conn);
    pool_free(pool);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    TEST(time_wait_gives_way_to_a_newer_connection_only);
    return TEST_RUN("sim.net.tcp_close");
}
