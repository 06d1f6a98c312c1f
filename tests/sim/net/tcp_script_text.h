/* TCP tests as text files, in the spirit of packetdrill: what the user calls, what the peer sends,
 * what must come out, and when. One file is one behaviour and one ctest, 'tcp.FOLDER.NAME' for
 * tests/sim/net/scripts/FOLDER/NAME.tcp. Time is virtual; the peer is nobody but the script.
 *
 *     # RFC 6298, 5.5: the timeout doubles.         '#' begins a comment
 *     option min-rto 200 ms                         settings, before everything else
 *     connect
 *     +0 > S 0:0(0) <mss 1460,wscale 0>
 *     +0.010 < S. 0:0(0) ack 1 win 65535 <mss 1000>
 *     +0 > . 1:1(0) ack 1
 *     +0 expect connected
 *     +0 write 1000
 *     +0 > . 1:1001(1000) ack 1
 *     +0.200 > . 1:1001(1000) ack 1
 *     nothing until +0.399
 *
 * Settings
 *     option KEY VALUE    as in the section 'tcp' of a profile
 *     profile NAME        all of that section of topologies/profiles/NAME.yaml
 *     mss N               what our MTU leaves: MTU - 40; 1460 if not said
 *     iss N               our initial sequence number; 4294960000 if not said, so that it wraps
 *     tolerance SECONDS   how early or late a segment may come; 0 if not said: to the nanosecond
 * Without a profile: NewReno, initial and smallest RTO of 1 s and 200 ms, delayed ACK 40 ms, window
 * 65535, 10 segments to begin with, exact timers, and all that can be off is off.
 *
 * Time: seconds as a decimal number. '+0.2' is so long after the step before (a segment that came
 * within the tolerance: after its own instant), '@1.5' is since the beginning, '+0.2~0.25' (of '>'
 * only) is from, to. Without: at once.
 *
 * Steps
 *     > FLAGS FIRST:END(BYTES) [ack N] [win N] [<OPTIONS>]   this segment must come, before any
 * other < FLAGS FIRST:END(BYTES) [ack N] [win N] [<OPTIONS>]   the peer sends this nothing until
 * +SECONDS                                 no segment comes for so long connect, listen, write N,
 * read N, shutdown, close, abort, path-mss N    calls expect connected | room | finished | closed
 * REASON | no event           of the user expect state WORD; expect NAME N, of cwnd, ssthresh,
 * flight, send-room, and the counters retransmissions, timeouts, fast-recoveries, window-probes,
 * resets-sent, resets-received cwnd at most N, cwnd at least N, between N M are written: expect
 * cwnd N~M
 *
 * A segment that nobody expected fails the script, and so does an end of the connection that is
 * not expected by its reason. Flags: S F R P and '.' for ACK, in this order; P is checked if it is
 * written. Numbers count from the initial ones of both ends. The window is the field of the header.
 * Options: mss N, wscale N, sackOK, TS val N ecr N, sack A:B [C:D ...], nop. In '>' the window is
 * checked if written; timestamps are checked if options are written; all other options always, so
 * a segment without '<...>' has none of them; '<any>' checks none. 'TS val N' may be '*'. Our
 * timestamps count milliseconds since the beginning. In '<' the window is 65535 if not written.
 * Payload is a pattern that both directions are checked for.
 */
#pragma once

#include "sim/core/tcp_options.h"
#include "sim/net/tcp_segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_LINE_BYTES 256

enum step_kind { STEP_IN, STEP_OUT, STEP_NOTHING, STEP_CALL, STEP_EXPECT };

enum step_call {
    CALL_CONNECT,
    CALL_LISTEN,
    CALL_WRITE,
    CALL_READ,
    CALL_SHUTDOWN,
    CALL_CLOSE,
    CALL_ABORT,
    CALL_PATH_MSS,
};

enum step_expect {
    EXPECT_CONNECTED,
    EXPECT_ROOM,
    EXPECT_FINISHED,
    EXPECT_CLOSED,
    EXPECT_NO_EVENT,
    EXPECT_STATE,
    EXPECT_CWND,
    EXPECT_SSTHRESH,
    EXPECT_FLIGHT,
    EXPECT_SEND_ROOM,
    EXPECT_RETRANSMISSIONS,
    EXPECT_TIMEOUTS,
    EXPECT_FAST_RECOVERIES,
    EXPECT_WINDOW_PROBES,
    EXPECT_RESETS_SENT,
    EXPECT_RESETS_RECEIVED,
};

/* A segment as a line says it. */
struct said_segment {
    struct tcp_segment segment; /* numbers relative */
    bool has_window;
    bool has_options;
    bool has_any_options; /* <any> */
    bool has_any_ts_value;
    bool has_any_ts_echo;
};

struct script_step {
    enum step_kind kind;
    int line;
    char text[SCRIPT_LINE_BYTES]; /* of the line, for messages */
    bool is_absolute;
    int64_t from_ns; /* relative to the step before, or absolute */
    int64_t to_ns;
    int call; /* of enum step_call or enum step_expect */
    uint64_t least;
    uint64_t most;
    char word[40];
    struct said_segment said;
};

struct tcp_script {
    const char *name;
    struct tcp_options options;
    uint32_t mss_bytes;
    uint32_t iss;
    int64_t tolerance_ns;
    struct script_step *steps; /* owned */
    size_t step_count;
    char failure[1024]; /* the first fault: "NAME:LINE:COLUMN: what", with the line */
};

/* Parses 'text'. False: told in 'failure'. tcp_script_fini() in either case. */
bool tcp_script_parse(struct tcp_script *script, const char *name, const char *text);
void tcp_script_fini(struct tcp_script *script);

/* Plays it. False: told in 'failure'. */
bool tcp_script_play(struct tcp_script *script);

/* Both. */
bool tcp_script_run(const char *name, const char *text, char *ret_failure, size_t failure_bytes);

/* tcp_script_options.c: one 'option' or 'profile' through the tables that read profile files.
 * False: 'ret_text' says why. */
bool tcp_script_set_option(struct tcp_options *options, const char *key, const char *value,
                           char *ret_text, size_t text_bytes);
bool tcp_script_set_profile(struct tcp_options *options, const char *name, char *ret_text,
                            size_t text_bytes);
