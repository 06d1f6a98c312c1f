/* Plays the steps of a TCP script over one tcp_conn, in virtual time.
 *
 * Around the core stands what stack.c does: a segment for nobody is refused or, where somebody
 * listens, opens a connection, also in place of one in TIME-WAIT that gives way.
 */
#include "tests/sim/net/tcp_script_text.h"

#include "sim/core/attributes.h"
#include "sim/core/buf.h"
#include "sim/core/time.h"
#include "sim/net/tcp_conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_ISS    77000000u
#define SENT_MOST   4096u
#define PRINT_BYTES 320

struct sent {
    int64_t at_ns;
    struct tcp_segment segment; /* numbers relative */
};

struct play {
    struct tcp_script *script;
    const struct script_step *step;
    struct pool *pool;
    struct tcp_counters counters;
    struct tcp_conn conn;
    bool is_open;      /* somebody connected, or a SYN came */
    bool is_listening; /* the next SYN opens */
    bool has_failed;
    int64_t now_ns;
    int64_t reference_ns; /* '+' counts from here */
    uint64_t written;
    uint64_t read;
    struct sent sent[SENT_MOST];
    size_t sent_from, sent_to;
};

/* Telling. */

static int print_options(const struct tcp_segment *s, char *text, size_t bytes)
{
    static const char *const separator[] = {"", ","};
    int used = 0;
    bool more = false;

#define PUT(...) (used += snprintf(text + used, bytes - (size_t)used, __VA_ARGS__), more = true)
    if (s->mss)
        PUT("%smss %u", separator[more], s->mss);
    if (s->is_sack_permitted)
        PUT("%ssackOK", separator[more]);
    if (s->has_timestamps)
        PUT("%sTS val %u ecr %u", separator[more], s->ts_value, s->ts_echo);
    if (s->has_window_scale)
        PUT("%swscale %u", separator[more], s->window_shift);
    if (s->sack_count)
        PUT("%ssack", separator[more]);
    for (size_t i = 0; i < s->sack_count; i++)
        PUT(" %u:%u", s->sack[i].left, s->sack[i].right);
#undef PUT
    return used;
}

static const char *print(const struct tcp_segment *s, char *text)
{
    char options[200] = "";
    char ack[24] = "";

    if (s->flags & TCP_ACK)
        snprintf(ack, sizeof(ack), " ack %u", s->ack);
    bool has_options = print_options(s, options, sizeof(options)) > 0;

    snprintf(text, PRINT_BYTES, "> %s%s%s%s%s %u:%u(%u)%s win %u%s%s%s",
             s->flags & TCP_SYN ? "S" : "", s->flags & TCP_FIN ? "F" : "",
             s->flags & TCP_RST ? "R" : "", s->flags & TCP_PSH ? "P" : "",
             s->flags & TCP_ACK ? "." : "", s->sn, s->sn + s->payload_bytes, s->payload_bytes, ack,
             s->window, has_options ? " <" : "", options, has_options ? ">" : "");
    return text;
}

/* "0.210000 s", and how far from where the script stands. */
static const char *print_time(const struct play *play, int64_t at_ns, char *text, size_t bytes)
{
    int64_t since_ns = at_ns - play->reference_ns;

    snprintf(text, bytes, "+%lld.%09lld (%lld.%09lld since the beginning)",
             (long long)(since_ns / SECONDS(1)), (long long)(since_ns % SECONDS(1)),
             (long long)(at_ns / SECONDS(1)), (long long)(at_ns % SECONDS(1)));
    return text;
}

PRINTF_LIKE(2, 3)
static bool fail(struct play *play, const char *format, ...)
{
    const struct tcp_script *script = play->script;
    char text[700];
    va_list args;

    if (play->has_failed)
        return false; /* the first fault is the story */
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    play->has_failed = true;
    snprintf(play->script->failure, sizeof(play->script->failure), "%s:%d:\n    %s\n%s",
             script->name, play->step->line, play->step->text, text);
    return false;
}

static bool fail_unexpected(struct play *play)
{
    const struct sent *sent = &play->sent[play->sent_from];
    char segment[PRINT_BYTES];
    char at[80];

    return fail(play, "  expected: nothing before this line\n  got:      %s\n        at: %s",
                print(&sent->segment, segment), print_time(play, sent->at_ns, at, sizeof(at)));
}

/* Data. */

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 8) * 31 + (offset >> 16));
}

static struct buf *make_data(struct play *play, uint64_t offset, uint64_t bytes)
{
    if (bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(play->pool, bytes);

    for (uint64_t i = 0; i < bytes; i++)
        chunk->data[i] = pattern(offset + i);
    return buf_new(chunk, 0, (uint32_t)bytes);
}

/* Takes ownership of 'data'. */
static bool check_data(struct play *play, struct buf *data, uint64_t offset)
{
    bool is_good = true;

    for (const struct buf *slice = data; slice; slice = slice->next)
        for (uint32_t i = 0; i < slice->bytes; i++, offset++)
            if (is_good && buf_data(slice)[i] != pattern(offset))
                is_good =
                    fail(play, "  got: wrong data at offset %llu", (unsigned long long)offset);
    buf_free(data);
    return is_good;
}

/* The core and time. */

static void keep(struct play *play, const struct tcp_segment *segment)
{
    if (play->sent_from == play->sent_to)
        play->sent_from = play->sent_to = 0;
    if (play->sent_to == SENT_MOST) {
        fail(play, "  got: the core sends without end");
        return;
    }
    play->sent[play->sent_to++] = (struct sent){.at_ns = play->now_ns, .segment = *segment};
}

/* Numbers as scripts write them. */
static void make_relative(const struct play *play, struct tcp_segment *segment)
{
    segment->sn -= play->script->iss;
    if (segment->flags & TCP_ACK)
        segment->ack -= PEER_ISS;
    for (size_t i = 0; i < segment->sack_count; i++) {
        segment->sack[i].left -= PEER_ISS;
        segment->sack[i].right -= PEER_ISS;
    }
}

/* Everything goes through the codec, as on the wire. */
static bool recode(struct play *play, const struct tcp_segment *segment,
                   struct tcp_segment *ret_segment)
{
    uint8_t bytes[60];

    tcp_segment_write(segment, bytes);
    return tcp_segment_read(bytes, tcp_segment_header_bytes(segment), segment->payload_bytes,
                            ret_segment) ||
           fail(play, "  got: a header that the codec does not read back");
}

static void collect(struct play *play)
{
    struct tcp_segment segment;
    struct tcp_segment read;
    struct buf *payload;

    while (!play->has_failed && tcp_conn_output(&play->conn, &segment, &payload, play->now_ns)) {
        if (!recode(play, &segment, &read) || buf_bytes(payload) != read.payload_bytes) {
            buf_free(payload);
            fail(play, "  got: a payload of another length than the header says");
            return;
        }
        make_relative(play, &read);
        check_data(play, payload, read.sn - 1u);
        keep(play, &read);
    }
}

/* Lets time pass until 'to_ns', or until something is sent. */
static void advance(struct play *play, int64_t to_ns)
{
    unsigned wakes_in_place = 0;

    while (!play->has_failed && play->is_open && play->sent_from == play->sent_to) {
        int64_t due_ns = tcp_conn_deadline_ns(&play->conn);

        if (due_ns > to_ns)
            break;
        wakes_in_place = due_ns > play->now_ns ? 0 : wakes_in_place + 1;
        if (wakes_in_place > 1000) {
            fail(play, "  got: a timer that is due for ever");
            return;
        }
        play->now_ns = time_max(due_ns, play->now_ns);
        tcp_conn_wake(&play->conn, play->now_ns);
        collect(play);
    }
    if (play->sent_from == play->sent_to)
        play->now_ns = time_max(to_ns, play->now_ns);
}

static int64_t step_time_ns(const struct play *play, int64_t said_ns)
{
    return play->step->is_absolute ? said_ns : play->reference_ns + said_ns;
}

static bool go_to_step(struct play *play)
{
    int64_t at_ns = step_time_ns(play, play->step->from_ns);

    if (at_ns < play->now_ns)
        return fail(play, "  this moment has passed already");
    advance(play, at_ns);
    if (play->sent_from != play->sent_to)
        return fail_unexpected(play);
    play->reference_ns = play->now_ns;
    return !play->has_failed;
}

/* Segments. */

static void begin(struct play *play)
{
    struct tcp_conn_config config = {
        .pool = play->pool,
        .options = &play->script->options,
        .counters = &play->counters,
        .first_sn = play->script->iss,
        .mss_bytes = play->script->mss_bytes,
    };

    tcp_conn_init(&play->conn, &config);
    play->is_open = true;
    play->written = 0;
}

/* As stack.c does with a segment that belongs to no connection. */
static void input_unknown(struct play *play, const struct tcp_segment *segment)
{
    struct tcp_segment reset;

    if (play->is_listening && (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
        if (play->is_open)
            tcp_conn_fini(&play->conn);
        begin(play);
        play->read = segment->sn - PEER_ISS;
        tcp_conn_accept(&play->conn, segment, play->now_ns);
        collect(play);
    } else if (tcp_segment_refuse(segment, &reset)) {
        play->counters.resets_sent++;
        make_relative(play, &reset);
        keep(play, &reset);
    }
}

static bool play_in(struct play *play)
{
    struct tcp_segment segment = play->step->said.segment;
    struct tcp_segment read;

    if (!go_to_step(play))
        return false;
    uint64_t offset = segment.sn - !(segment.flags & TCP_SYN);

    segment.sn += PEER_ISS;
    if (segment.flags & TCP_ACK)
        segment.ack += play->script->iss;
    for (size_t i = 0; i < segment.sack_count; i++) {
        segment.sack[i].left += play->script->iss;
        segment.sack[i].right += play->script->iss;
    }
    if (!recode(play, &segment, &read))
        return false;
    bool gives_way = play->is_listening && tcp_conn_gives_way(&play->conn, &read);

    if (!play->is_open || tcp_conn_is_over(&play->conn) || gives_way)
        input_unknown(play, &read);
    else
        tcp_conn_input(&play->conn, &read, make_data(play, offset, segment.payload_bytes),
                       play->now_ns);
    if (play->is_open)
        collect(play);
    return !play->has_failed;
}

static bool options_match(const struct said_segment *said, const struct tcp_segment *is)
{
    const struct tcp_segment *must = &said->segment;

    if (said->has_any_options)
        return true;
    if (said->has_options && is->has_timestamps != must->has_timestamps)
        return false;
    if (must->has_timestamps && ((!said->has_any_ts_value && is->ts_value != must->ts_value) ||
                                 (!said->has_any_ts_echo && is->ts_echo != must->ts_echo)))
        return false;
    if (is->sack_count != must->sack_count)
        return false;
    for (size_t i = 0; i < is->sack_count; i++)
        if (is->sack[i].left != must->sack[i].left || is->sack[i].right != must->sack[i].right)
            return false;
    return is->mss == must->mss && is->has_window_scale == must->has_window_scale &&
           is->window_shift == must->window_shift &&
           is->is_sack_permitted == must->is_sack_permitted;
}

static bool segment_matches(const struct said_segment *said, const struct tcp_segment *is)
{
    const struct tcp_segment *must = &said->segment;
    uint8_t unlike = is->flags ^ must->flags;

    if (!(must->flags & TCP_PSH))
        unlike &= (uint8_t)~TCP_PSH;
    return unlike == 0 && is->sn == must->sn && is->ack == must->ack &&
           is->payload_bytes == must->payload_bytes &&
           (!said->has_window || is->window == must->window) && options_match(said, is);
}

static bool play_out(struct play *play)
{
    const struct script_step *step = play->step;
    int64_t tolerance_ns = step->to_ns == 0 && !step->is_absolute ? 0 : play->script->tolerance_ns;
    int64_t from_ns = step_time_ns(play, step->from_ns) - tolerance_ns;
    int64_t to_ns = step_time_ns(play, step->to_ns) + tolerance_ns;
    char segment[PRINT_BYTES];
    char at[80];

    advance(play, to_ns);
    if (play->has_failed)
        return false;
    if (play->sent_from == play->sent_to)
        return fail(play, "  expected: this segment\n  got:      nothing, until %s",
                    print_time(play, to_ns, at, sizeof(at)));
    const struct sent *sent = &play->sent[play->sent_from];

    if (!segment_matches(&step->said, &sent->segment))
        return fail(play, "  expected: this segment\n  got:      %s\n        at: %s",
                    print(&sent->segment, segment), print_time(play, sent->at_ns, at, sizeof(at)));
    if (sent->at_ns < from_ns || sent->at_ns > to_ns)
        return fail(play, "  expected: this segment at that time\n  got:      it, at %s",
                    print_time(play, sent->at_ns, at, sizeof(at)));
    play->reference_ns = sent->at_ns;
    play->sent_from++;
    return true;
}

/* Calls and expectations. */

static bool play_read(struct play *play)
{
    struct buf *data = tcp_conn_read(&play->conn);
    size_t bytes = buf_bytes(data);

    if (!check_data(play, data, play->read))
        return false;
    play->read += bytes;
    return bytes == play->step->least || fail(play, "  got: %zu bytes", bytes);
}

static bool play_call(struct play *play)
{
    enum step_call call = (enum step_call)play->step->call;
    uint64_t number = play->step->least;

    if (!go_to_step(play))
        return false;
    if (!play->is_open && call != CALL_CONNECT && call != CALL_LISTEN)
        return fail(play, "  there is no connection yet");
    switch (call) {
    case CALL_CONNECT:
        if (play->is_open)
            return fail(play, "  there is a connection already");
        begin(play);
        tcp_conn_connect(&play->conn, play->now_ns);
        break;
    case CALL_LISTEN:
        play->is_listening = true;
        return true;
    case CALL_WRITE:
        tcp_conn_write(&play->conn, make_data(play, play->written, number));
        play->written += number;
        break;
    case CALL_READ:
        if (!play_read(play))
            return false;
        break;
    case CALL_SHUTDOWN:
        tcp_conn_shut_down(&play->conn, play->now_ns);
        break;
    case CALL_CLOSE:
        tcp_conn_close(&play->conn, play->now_ns);
        break;
    case CALL_ABORT:
        tcp_conn_abort(&play->conn);
        break;
    case CALL_PATH_MSS:
        tcp_conn_limit_mss(&play->conn, (uint32_t)number);
        break;
    }
    collect(play);
    return !play->has_failed;
}

static const char *const event_words[] = {
    [TCP_NOTHING] = "no event",  [TCP_CONNECTED] = "connected", [TCP_ROOM] = "room",
    [TCP_FINISHED] = "finished", [TCP_ENDED] = "closed",
};

static bool expect_event(struct play *play, enum tcp_event expected)
{
    enum tcp_event event = tcp_conn_next_event(&play->conn);

    /* Whoever waits for the end need not hear of what came before. */
    while (expected == TCP_ENDED && event != TCP_ENDED && event != TCP_NOTHING)
        event = tcp_conn_next_event(&play->conn);
    const char *reason = event == TCP_ENDED ? close_reason_word(play->conn.reason) : "";

    if (event != expected || strcmp(reason, play->step->word) != 0)
        return fail(play, "  got: %s %s", event_words[event], reason);
    return true;
}

static uint64_t value_of(const struct play *play, enum step_expect what)
{
    const struct tcp_conn *conn = &play->conn;
    const struct tcp_counters *counters = &play->counters;

    switch (what) {
    case EXPECT_CWND:
        return conn->cc.cwnd;
    case EXPECT_SSTHRESH:
        return conn->cc.ssthresh;
    case EXPECT_FLIGHT:
        return tcp_conn_flight(conn);
    case EXPECT_SEND_ROOM:
        return tcp_conn_room(conn);
    case EXPECT_RETRANSMISSIONS:
        return counters->retransmissions;
    case EXPECT_TIMEOUTS:
        return counters->timeouts;
    case EXPECT_FAST_RECOVERIES:
        return counters->fast_recoveries;
    case EXPECT_WINDOW_PROBES:
        return counters->window_probes;
    case EXPECT_RESETS_SENT:
        return counters->resets_sent;
    case EXPECT_RESETS_RECEIVED:
        return counters->resets_received;
    case EXPECT_CONNECTED:
    case EXPECT_ROOM:
    case EXPECT_FINISHED:
    case EXPECT_CLOSED:
    case EXPECT_NO_EVENT:
    case EXPECT_STATE:
        break;
    }
    return 0;
}

static bool play_expect(struct play *play)
{
    const struct script_step *step = play->step;
    enum step_expect what = (enum step_expect)step->call;

    if (!go_to_step(play))
        return false;
    if (!play->is_open)
        return fail(play, "  there is no connection yet");
    switch (what) {
    case EXPECT_CONNECTED:
        return expect_event(play, TCP_CONNECTED);
    case EXPECT_ROOM:
        return expect_event(play, TCP_ROOM);
    case EXPECT_FINISHED:
        return expect_event(play, TCP_FINISHED);
    case EXPECT_CLOSED:
        return expect_event(play, TCP_ENDED);
    case EXPECT_NO_EVENT:
        return expect_event(play, TCP_NOTHING);
    case EXPECT_STATE:
        return strcmp(tcp_state_word(play->conn.state), step->word) == 0 ||
               fail(play, "  got: state %s", tcp_state_word(play->conn.state));
    case EXPECT_CWND:
    case EXPECT_SSTHRESH:
    case EXPECT_FLIGHT:
    case EXPECT_SEND_ROOM:
    case EXPECT_RETRANSMISSIONS:
    case EXPECT_TIMEOUTS:
    case EXPECT_FAST_RECOVERIES:
    case EXPECT_WINDOW_PROBES:
    case EXPECT_RESETS_SENT:
    case EXPECT_RESETS_RECEIVED:
        break;
    }
    uint64_t value = value_of(play, what);

    return (value >= step->least && value <= step->most) ||
           fail(play, "  got: %llu", (unsigned long long)value);
}

static bool play_step(struct play *play)
{
    switch (play->step->kind) {
    case STEP_IN:
        return play_in(play);
    case STEP_OUT:
        return play_out(play);
    case STEP_NOTHING:
        return go_to_step(play);
    case STEP_CALL:
        return play_call(play);
    case STEP_EXPECT:
        return play_expect(play);
    }
    return false;
}

/* What must not be left over. */
static bool play_end(struct play *play)
{
    if (play->sent_from != play->sent_to)
        return fail_unexpected(play);
    if (!play->is_open)
        return true;
    for (enum tcp_event event; (event = tcp_conn_next_event(&play->conn)) != TCP_NOTHING;)
        if (event == TCP_ENDED)
            return fail(play, "  got: closed %s, which no line expects",
                        close_reason_word(play->conn.reason));
    return true;
}

bool tcp_script_play(struct tcp_script *script)
{
    struct play *play = calloc(1, sizeof(*play));

    if (!play)
        abort();
    play->script = script;
    play->pool = pool_new();
    for (size_t i = 0; i < script->step_count && !play->has_failed; i++) {
        play->step = &script->steps[i];
        play_step(play);
    }
    if (!play->has_failed)
        play_end(play);
    if (play->is_open)
        tcp_conn_fini(&play->conn);
    if (pool_live_chunks(play->pool) + pool_live_bufs(play->pool) + pool_live_blocks(play->pool))
        fail(play, "  got: memory that the connection did not give back");
    bool is_good = !play->has_failed;

    pool_free(play->pool);
    free(play);
    return is_good;
}

bool tcp_script_run(const char *name, const char *text, char *ret_failure, size_t failure_bytes)
{
    struct tcp_script script;
    bool is_good = tcp_script_parse(&script, name, text) && tcp_script_play(&script);

    snprintf(ret_failure, failure_bytes, "%s", script.failure);
    tcp_script_fini(&script);
    return is_good;
}
