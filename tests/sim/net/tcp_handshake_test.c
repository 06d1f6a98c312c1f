/* Opening a connection, both ways, with all that may go wrong. */
#include "tests/sim/net/tcp_script.h"

static struct row {
    const char *name;
    const char *script;
} rows[] = {
    {"an active open offers what the options allow",
     "set timestamps true, sack true, receive-buffer 1000000\n"
     "+7ms connect\n"
     "> S seq 0 win 65535 <mss 1460, sackok, ts 7 0, wscale 4>\n"
     "+3ms < S. seq 0 ack 1 win 8000 <mss 1400, sackok, ts 500 7, wscale 3>\n"
     "> . seq 1 ack 1 win 62500 <ts 10 500>\n"
     "event connected\n"
     "state ESTABLISHED\n"
     "write 3000\n"
     "> . seq 1 len 1388\n"
     "> . seq 1389 len 1388\n"
     "> . seq 2777 len 224\n"},
    {"what is not obeyed is not offered", "connect\n"
                                          "> S seq 0 <mss 1460, wscale 0>\n"},
    {"a passive open answers only what was offered",
     "set timestamps true, sack true, receive-buffer 1000000\n"
     "listen\n"
     "< S seq 0 win 4000 <mss 1200>\n"
     "> S. seq 0 ack 1 win 65535 <mss 1460>\n"
     "state SYN-RECEIVED\n"
     "< . seq 1 ack 1 win 4000\n"
     "event connected\n"
     "state ESTABLISHED\n"
     "write 2000\n"
     "> . seq 1 len 1200 <none>\n"
     "> . seq 1201 len 800\n"},
    {"without an MSS option segments have 536 bytes", "connect\n"
                                                      "> S seq 0\n"
                                                      "< S. seq 0 ack 1\n"
                                                      "> . seq 1 ack 1\n"
                                                      "event connected\n"
                                                      "write 600\n"
                                                      "> . seq 1 len 536\n"
                                                      "> . seq 537 len 64\n"},
    {"the window of a SYN is not scaled, later ones are",
     "set send-buffer 1000000, initial-window 1000\n"
     "connect\n"
     "> S seq 0\n"
     "< S. seq 0 ack 1 win 2920 <mss 1460, wscale 2>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 20000\n"
     "> . seq 1 len 1460\n"
     "> . seq 1461 len 1460\n"
     "+1ms < . seq 1 ack 2921 win 1460\n"
     "> . seq 2921 len 1460\n"
     "> . seq 4381 len 1460\n"
     "> . seq 5841 len 1460\n"
     "> . seq 7301 len 1460\n"
     "flight 5840\n"},
    {"an unanswered SYN is repeated with doubling spans until connect fails (Linux: 6, 127 s)",
     "connect\n"
     "> S seq 0\n"
     "+1s > S seq 0\n"
     "+2s > S seq 0\n"
     "+4s > S seq 0\n"
     "+8s > S seq 0\n"
     "+16s > S seq 0\n"
     "+32s > S seq 0\n"
     "silence 63999ms\n"
     "event none\n"
     "silence 1ms\n"
     "event closed retransmission-limit\n"
     "state CLOSED\n"},
    {"a current Windows gives up connecting after 31 s", "set syn-retransmissions 4\n"
                                                         "connect\n"
                                                         "> S seq 0\n"
                                                         "+1s > S seq 0\n"
                                                         "+2s > S seq 0\n"
                                                         "+4s > S seq 0\n"
                                                         "+8s > S seq 0\n"
                                                         "silence 15999ms\n"
                                                         "event none\n"
                                                         "silence 1ms\n"
                                                         "event closed retransmission-limit\n"},
    {"an unanswered SYN, ACK is repeated, then forgotten in silence",
     "set synack-retransmissions 2\n"
     "listen\n"
     "< S seq 0 <mss 1460>\n"
     "> S. seq 0 ack 1\n"
     "+1s > S. seq 0 ack 1\n"
     "+2s > S. seq 0 ack 1\n"
     "silence 4s\n"
     "event closed retransmission-limit\n"},
    {"a SYN that comes again is answered again", "listen\n"
                                                 "< S seq 0 <mss 1460>\n"
                                                 "> S. seq 0 ack 1\n"
                                                 "+300ms < S seq 0 <mss 1460>\n"
                                                 "> S. seq 0 ack 1\n"
                                                 "+700ms > S. seq 0 ack 1\n"
                                                 "< . seq 1 ack 1\n"
                                                 "event connected\n"},
    {"a refused connect ends with RST", "connect\n"
                                        "> S seq 0\n"
                                        "< R. seq 0 ack 1\n"
                                        "event closed rst\n"
                                        "state CLOSED\n"},
    {"a RST that acknowledges something else is ignored", "connect\n"
                                                          "> S seq 0\n"
                                                          "< R. seq 0 ack 2\n"
                                                          "state SYN-SENT\n"
                                                          "< R seq 0\n"
                                                          "state SYN-SENT\n"
                                                          "event none\n"},
    {"a wrong ACK of a SYN is refused by RST, and the right one still counts",
     "connect\n"
     "> S seq 0\n"
     "< S. seq 0 ack 99 <mss 1460>\n"
     "> R seq 99\n"
     "< S. seq 0 ack 1 <mss 1460>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"},
    {"both ends open at once", "connect\n"
                               "> S seq 0\n"
                               "< S seq 0 <mss 1460>\n"
                               "> S. seq 0 ack 1\n"
                               "state SYN-RECEIVED\n"
                               "< S. seq 0 ack 1 <mss 1460>\n"
                               "state ESTABLISHED\n"
                               "event connected\n"},
    {"a listener's handshake is refused with the wrong ACK", "listen\n"
                                                             "< S seq 0 <mss 1460>\n"
                                                             "> S. seq 0 ack 1\n"
                                                             "< . seq 1 ack 5\n"
                                                             "> R seq 5\n"
                                                             "state SYN-RECEIVED\n"},
    {"a RST ends a half-open connection", "listen\n"
                                          "< S seq 0 <mss 1460>\n"
                                          "> S. seq 0 ack 1\n"
                                          "< R seq 1\n"
                                          "event closed rst\n"},
    {"data written before the handshake is done goes out with its last ACK",
     "connect\n"
     "> S seq 0\n"
     "write 500\n"
     "< S. seq 0 ack 1 <mss 1460>\n"
     "> . seq 1 ack 1 len 500\n"
     "event connected\n"},
    {"the last ACK of a handshake may carry data", "listen\n"
                                                   "< S seq 0 <mss 1460>\n"
                                                   "> S. seq 0 ack 1\n"
                                                   "< . seq 1 ack 1 len 100\n"
                                                   "event connected\n"
                                                   "read 100\n"
                                                   "+40ms > . seq 1 ack 101\n"},
    {"a connect that is closed before the answer is forgotten in silence", "connect\n"
                                                                           "> S seq 0\n"
                                                                           "close\n"
                                                                           "state CLOSED\n"
                                                                           "silence 10s\n"
                                                                           "event closed local\n"},
    {"after a lost SYN data begins with an RTO of 3 s (RFC 6298, 5.7)",
     "connect\n"
     "> S seq 0\n"
     "+1s > S seq 0\n"
     "< S. seq 0 ack 1 <mss 1460>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 100\n"
     "> . seq 1 len 100\n"
     "+3s > . seq 1 len 100\n"},
    {"timestamps measure the handshake although a SYN was lost",
     "set timestamps true\n"
     "connect\n"
     "> S seq 0 <mss 1460, ts 0 0, wscale 0>\n"
     "+1s > S seq 0 <mss 1460, ts 1000 0, wscale 0>\n"
     "+10ms < S. seq 0 ack 1 <mss 1460, ts 70 1000>\n"
     "> . seq 1 ack 1\n"
     "event connected\n"
     "write 100\n"
     "> . seq 1 len 100\n"
     "+200ms > . seq 1 len 100\n"},
};

static void behaves(void **state)
{
    const struct row *row = *state;

    script_run(row->name, row->script);
}

int main(void)
{
    TEST_ROWS(rows, behaves);
    return TEST_RUN("sim.net.tcp_handshake");
}
