/* A wrong script fails, says why and where. */
#include "tests/sim/net/tcp_script_text.h"
#include "tests/test.h"

#include <string.h>

#define OPEN                                                                                       \
    "connect\n"                                                                                    \
    "> S 0:0(0) <mss 1460,wscale 0>\n"                                                             \
    "+0.010 < S. 0:0(0) ack 1 win 65535 <mss 1000>\n"                                              \
    "> . 1:1(0) ack 1\n"

static struct row {
    const char *name;
    const char *script;
    const char *told; /* a part of the failure; NULL: the script holds */
} rows[] = {
    {"a right script holds",
     OPEN "write 1000\n> . 1:1001(1000) ack 1\n+0.2 > . 1:1001(1000) ack 1\n", NULL},
    {"a segment that nobody expects, before an input",
     OPEN "write 1000\n+0.1 < . 1:1(0) ack 1001\n",
     "x.tcp:6:\n    +0.1 < . 1:1(0) ack 1001\n  expected: nothing before this line\n"
     "  got:      > P. 1:1001(1000) ack 1 win 65535\n        at: +0.000000000 (0.01"},
    {"a segment that nobody expects, at the end", OPEN "write 1000\n",
     "x.tcp:5:\n    write 1000\n  expected: nothing before this line\n"},
    {"a segment within a silence", OPEN "write 9\n> . 1:10(9) ack 1\nnothing until +0.2\n",
     "x.tcp:7:\n    nothing until +0.2\n  expected: nothing"},
    {"a segment that does not come", OPEN "> . 1:1001(1000) ack 1\n",
     "x.tcp:5:\n    > . 1:1001(1000) ack 1\n  expected: this segment\n  got:      nothing, until"},
    {"a segment that comes early", OPEN "write 9\n> . 1:10(9) ack 1\n+0.3 > . 1:10(9) ack 1\n",
     "x.tcp:7:\n    +0.3 > . 1:10(9) ack 1\n  expected: this segment at that time\n"
     "  got:      it, at +0.200000000"},
    {"a segment that comes late", OPEN "write 9\n> . 1:10(9) ack 1\n+0.1 > . 1:10(9) ack 1\n",
     "got:      nothing, until +0.100000000"},
    {"the tolerance lets it be late",
     "tolerance 0.01\n" OPEN "write 9\n> . 1:10(9) ack 1\n+0.195 > . 1:10(9) ack 1\n", NULL},
    {"so does a range", OPEN "write 9\n> . 1:10(9) ack 1\n+0.1~0.2 > . 1:10(9) ack 1\n", NULL},
    {"a range that it misses", OPEN "write 9\n> . 1:10(9) ack 1\n+0.1~0.15 > . 1:10(9) ack 1\n",
     "got:      nothing"},
    {"a wrong sequence number", OPEN "write 1000\n> . 2:1002(1000) ack 1\n",
     "expected: this segment\n  got:      > P. 1:1001(1000) ack 1"},
    {"a wrong acknowledgement", OPEN "write 1000\n> . 1:1001(1000) ack 2\n",
     "got:      > P. 1:1001(1000) ack 1"},
    {"a wrong length", OPEN "write 1000\n> . 1:1000(999) ack 1\n", "got:      > P. 1:1001(1000)"},
    {"wrong flags", OPEN "write 1000\n> F. 1:1001(1000) ack 1\n", "got:      > P. 1:1001(1000)"},
    {"a wrong window", OPEN "write 1000\n> . 1:1001(1000) ack 1 win 1\n", "win 65535"},
    {"an option that is missing", "connect\n> S 0:0(0) <mss 1460,sackOK>\n",
     "got:      > S 0:0(0) win 65535 <mss 1460,wscale 0>"},
    {"an option that is too much", "connect\n> S 0:0(0) <mss 1460>\n", "<mss 1460,wscale 0>"},
    {"options that are not written", "connect\n> S 0:0(0)\n", "<mss 1460,wscale 0>"},
    {"any options", "connect\n> S 0:0(0) <any>\n", NULL},
    {"a wrong state", OPEN "expect state CLOSE-WAIT\n", "got: state ESTABLISHED"},
    {"a wrong event", OPEN "expect finished\n", "got: connected"},
    {"a wrong reason", OPEN "< R. 1:1(0) ack 1\nexpect closed fin\n", "got: closed rst"},
    {"an end that nobody expects", OPEN "< R. 1:1(0) ack 1\n",
     "got: closed rst, which no line expects"},
    {"a wrong number", OPEN "expect cwnd 1000\n", "got: 10000"},
    {"a number out of its range", OPEN "expect cwnd 1~9999\n", "got: 10000"},
    {"a number within its range", OPEN "expect cwnd 1~10000\n", NULL},
    {"less data than said", OPEN "< . 1:11(10) ack 1\nread 11\n", "got: 10 bytes"},
    {"a call without a connection", "write 10\n", "there is no connection yet"},
    {"a moment that has passed", OPEN "@0.005 write 1\n", "this moment has passed already"},
    {"the right profile", "profile linux-6.1-dm-multipath\nconnect\n> S 0:0(0) <any>\n", NULL},
    /* What is no script */
    {"an unknown step", OPEN "wirte 10\n", "x.tcp:5:1: no step of a script\n    wirte 10"},
    {"an unknown expectation", OPEN "expect cwmd 10\n", "x.tcp:5:8: nothing that can be expected"},
    {"a number is missing", OPEN "write\n", "x.tcp:5:6: a number is missing here"},
    {"a number that is too large", OPEN "write 4294967296\n", "x.tcp:5:7: this number is above"},
    {"more after the end of a line", OPEN "close now\n", "x.tcp:5:7: the line should end here"},
    {"wrong flag letters", OPEN "> X 1:1(0)\n", "x.tcp:5:3: flags are S, F, R, P and '.'"},
    {"a length that does not add up", OPEN "> . 1:11(11) ack 1\n",
     "x.tcp:5:10: from 1 to 11 there are 10 bytes"},
    {"no length", OPEN "> . 1:11 ack 1\n", "x.tcp:5:10: '(' is missing here"},
    {"no end", OPEN "> . 1 ack 1\n", "x.tcp:5:7: ':' is missing here"},
    {"a flag without its number", OPEN "> . 1:1(0)\n", "x.tcp:5:11: 'ack N' is missing"},
    {"a number without its flag", OPEN "> S 1:1(0) ack 1\n",
     "x.tcp:5:17: 'ack' without the flag '.'"},
    {"an unknown option of TCP", OPEN "< . 1:1(0) ack 1 <mess 3>\n",
     "x.tcp:5:19: no option of TCP"},
    {"options without end", OPEN "< . 1:1(0) ack 1 <mss 3\n", "x.tcp:5:24: ',' is missing here"},
    {"five SACK blocks", OPEN "< . 1:1(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:10>\n",
     "x.tcp:5:40: 4 blocks are the most"},
    {"an unknown part of a segment", OPEN "< . 1:1(0) ack 1 urg\n",
     "x.tcp:5:18: no part of a segment"},
    {"a range of time for an input", OPEN "+0.1~0.2 < . 1:1(0) ack 1\n",
     "x.tcp:5:10: a range of time is for '>' only"},
    {"a range of time that is none", OPEN "+0.2~0.1 > . 1:1(0) ack 1\n",
     "x.tcp:5:10: this range ends before it begins"},
    {"a time below a nanosecond", OPEN "+0.0000000001 close\n", "x.tcp:5:13: no more than nine"},
    {"an unknown setting", "option min-rtt 200 ms\nconnect\n", "x.tcp:1:1: unknown key 'min-rtt'"},
    {"a setting without its unit", "option min-rto 200\nconnect\n", "x.tcp:1:1: "},
    {"a setting after the first step", "connect\noption nagle true\n",
     "x.tcp:2:1: settings come before the first step"},
    {"an unknown profile", "profile windows-95\nconnect\n",
     "x.tcp:1:1: unknown profile 'windows-95'"},
    {"an empty script", "# nothing\n", "there is no step in this script"},
};

static void ends_as_written(void **state)
{
    const struct row *row = *state;
    char failure[1024];
    bool holds = tcp_script_run("x.tcp", row->script, failure, sizeof(failure));

    if (!row->told) {
        if (!holds)
            fail_msg("%s", failure);
        return;
    }
    assert_false(holds);
    if (!strstr(failure, row->told))
        fail_msg("told:\n%s\nexpected in it:\n%s", failure, row->told);
}

int main(void)
{
    TEST_ROWS(rows, ends_as_written);
    return TEST_RUN("sim.net.tcp_script");
}
