/* TCP tests as text: what the user does, what the peer sends, what must come out, and when.
 *
 *     set min-rto 20ms, nagle true        options of the connection; before anything else
 *     connect                             the user's calls: connect, listen, write N, read N,
 *                                         shutdown, close, abort, mss N
 *     > S seq 0 win 65535 <mss 1460>      a segment that must be sent now
 *     +10ms < S. seq 0 ack 1 <mss 1460>   10 ms later the peer sends this
 *     event connected                     connected, room, finished, closed REASON, none
 *     state ESTABLISHED
 *     +200ms > . seq 1 ack 1 len 1000     exactly so much later, and nothing before it
 *     silence 5s                          nothing is sent for so long
 *     cwnd 14600                          the congestion window; also: ssthresh N, flight N, room N
 *
 * Flags: S F R P and '.' for ACK. Numbers are relative to the initial ones of both ends. In a '>'
 * line what is not written is not checked, but for the flag P, which never is. Data is a pattern,
 * which both ends are checked for. Options: mss N, wscale N, sackok, ts VALUE ECHO, sack A-B, none.
 * '#' begins a comment.
 */
#pragma once

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_conn.h"
#include "tests/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_OWN_ISS   4294960000u /* so that numbers wrap after 7296 bytes */
#define SCRIPT_PEER_ISS  77000000u
#define SCRIPT_SENT_MOST 4096

struct script_sent {
    int64_t at_ns;
    struct tcp_segment segment;
};

struct script {
    const char *name;
    int line_number;
    char line[512];
    char *at; /* where in the line parsing stands */
    struct pool *pool;
    struct tcp_options options;
    struct tcp_counters counters;
    struct tcp_conn conn;
    bool is_begun;
    uint32_t mss;
    uint32_t own_iss;
    enum plant planted;
    int64_t now_ns;
    uint64_t written;
    uint64_t read;
    struct script_sent sent[SCRIPT_SENT_MOST]; /* and not matched yet */
    size_t sent_from;
    size_t sent_to;
};

PRINTF_LIKE(2, 3)
static void script_fail(const struct script *script, const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fail_msg("%s, line %d, at %lld us:\n    %s\n  %s", script->name, script->line_number,
             (long long)(script->now_ns / 1000), script->line, text);
}

/* Reading a line. */

static void script_skip(struct script *script)
{
    while (*script->at == ' ' || *script->at == ',')
        script->at++;
}

static bool script_is_end(struct script *script)
{
    script_skip(script);
    return *script->at == '\0';
}

/* The next word, up to a blank, comma or angle bracket. */
static const char *script_word(struct script *script, char *word, size_t word_bytes)
{
    size_t length = 0;

    script_skip(script);
    while (*script->at && !strchr(" ,<>", *script->at) && length + 1 < word_bytes)
        word[length++] = *script->at++;
    word[length] = '\0';
    return word;
}

static bool script_take(struct script *script, const char *word)
{
    size_t length = strlen(word);

    script_skip(script);
    if (strncmp(script->at, word, length) != 0 ||
        (script->at[length] && !strchr(" ,<>", script->at[length])))
        return false;
    script->at += length;
    return true;
}

static uint64_t script_number(struct script *script)
{
    char *end;

    script_skip(script);
    unsigned long long value = strtoull(script->at, &end, 10);

    if (end == script->at)
        script_fail(script, "a number is missing at '%s'", script->at);
    script->at = end;
    return value;
}

static int64_t script_span(struct script *script)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", US(1)}, {"ms", MS(1)}, {"s", SECONDS(1)}, {"h", SECONDS(3600)}};
    int64_t count = (int64_t)script_number(script);
    char word[8];

    script_word(script, word, sizeof(word));
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcmp(units[i].unit, word) == 0)
            return count * units[i].ns;
    if (count != 0)
        script_fail(script, "'%s' is no unit of time", word);
    return 0;
}

/* Options. */

static void script_set(struct script *script)
{
    static const struct {
        const char *name;
        enum { SPAN, COUNT, TRUTH } kind;
        size_t offset;
    } settings[] = {
#define SETTING(name, kind, member) {name, kind, offsetof(struct tcp_options, member)}
        SETTING("initial-rto", SPAN, initial_rto_ns),
        SETTING("min-rto", SPAN, min_rto_ns),
        SETTING("max-rto", SPAN, max_rto_ns),
        SETTING("syn-retransmissions", COUNT, syn_retransmissions),
        SETTING("synack-retransmissions", COUNT, synack_retransmissions),
        SETTING("data-retransmissions", COUNT, data_retransmissions),
        SETTING("give-up-after", SPAN, give_up_after_ns),
        SETTING("user-timeout", SPAN, user_timeout_ns),
        SETTING("delayed-ack", SPAN, delayed_ack_ns),
        SETTING("delayed-ack-segments", COUNT, delayed_ack_segments),
        SETTING("initial-window", COUNT, initial_window_segments),
        SETTING("send-buffer", COUNT, send_buffer_bytes),
        SETTING("receive-buffer", COUNT, receive_buffer_bytes),
        SETTING("nagle", TRUTH, nagle),
        SETTING("timestamps", TRUTH, timestamps),
        SETTING("sack", TRUTH, sack),
        SETTING("keepalive-idle", SPAN, keepalive_idle_ns),
        SETTING("keepalive-interval", SPAN, keepalive_interval_ns),
        SETTING("keepalive-probes", COUNT, keepalive_probes),
        SETTING("time-wait", SPAN, time_wait_ns),
        SETTING("fin-wait-2", SPAN, fin_wait_2_ns),
        SETTING("timer-tick", SPAN, timer_tick_ns),
        SETTING("timer-wheel", TRUTH, timer_wheel),
        SETTING("syn-linear-timeouts", COUNT, syn_linear_timeouts),
        SETTING("rack", TRUTH, rack),
        SETTING("tail-loss-probe", TRUTH, tail_loss_probe),
        SETTING("rack-min-rtt", SPAN, rack_min_rtt_ns),
        SETTING("frto", TRUTH, frto),
        SETTING("undo", TRUTH, undo),
        SETTING("dsack", TRUTH, dsack),
        SETTING("proportional-rate", TRUTH, proportional_rate),
        SETTING("mtu-probe-after", COUNT, mtu_probe_after),
        SETTING("mtu-probe-size", COUNT, mtu_probe_bytes),
        SETTING("quick-acks", COUNT, quick_acks),
        SETTING("slow-start-after-idle", TRUTH, slow_start_after_idle),
#undef SETTING
    };
    char word[40];

    script_word(script, word, sizeof(word));
    if (strcmp(word, "cubic") == 0) {
        script->options.congestion = TCP_CUBIC;
        return;
    }
    if (strcmp(word, "rto-linux") == 0) {
        script->options.rto_rule = TCP_RTO_LINUX;
        return;
    }
    if (strcmp(word, "mss") == 0) {
        script->mss = (uint32_t)script_number(script);
        return;
    }
    if (strcmp(word, "iss") == 0) {
        script->own_iss = (uint32_t)script_number(script);
        return;
    }
    if (strcmp(word, "plant-p7") == 0) {
        script->planted = PLANT_P7;
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char *member = (char *)&script->options + settings[i].offset;

        if (strcmp(settings[i].name, word) != 0)
            continue;
        switch (settings[i].kind) {
        case SPAN:
            *(int64_t *)(void *)member = script_span(script);
            break;
        case COUNT:
            *(uint32_t *)(void *)member = (uint32_t)script_number(script);
            break;
        case TRUTH:
            *(bool *)(void *)member = script_take(script, "true");
            script_take(script, "false");
            break;
        }
        return;
    }
    script_fail(script, "there is no option '%s'", word);
}

/* Data. */

static uint8_t script_pattern(uint64_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 8) * 31 + (offset >> 16));
}

static struct buf *script_data(struct script *script, uint64_t offset, uint32_t bytes)
{
    if (bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(script->pool, bytes);

    for (uint32_t i = 0; i < bytes; i++)
        chunk->data[i] = script_pattern(offset + i);
    return buf_new(chunk, 0, bytes);
}

/* Takes ownership of 'data'. */
static void script_check_data(struct script *script, struct buf *data, uint64_t offset)
{
    for (const struct buf *slice = data; slice; slice = slice->next)
        for (uint32_t i = 0; i < slice->bytes; i++, offset++)
            if (buf_data(slice)[i] != script_pattern(offset))
                script_fail(script, "wrong data at offset %llu", (unsigned long long)offset);
    buf_free(data);
}

/* Segments. */

static void script_print(const struct tcp_segment *segment, char *text, size_t text_bytes)
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {{TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'}, {TCP_ACK, '.'}};
    char flags[8] = "";
    size_t count = 0;
    int used;

    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (segment->flags & letters[i].flag)
            flags[count++] = letters[i].letter;
    used = snprintf(text, text_bytes, "%s seq %u ack %u len %u win %u <", flags, segment->sn,
                    segment->ack, segment->payload_bytes, segment->window);
    if (segment->mss)
        used += snprintf(text + used, text_bytes - (size_t)used, "mss %u ", segment->mss);
    if (segment->has_window_scale)
        used +=
            snprintf(text + used, text_bytes - (size_t)used, "wscale %u ", segment->window_shift);
    if (segment->is_sack_permitted)
        used += snprintf(text + used, text_bytes - (size_t)used, "sackok ");
    if (segment->has_timestamps)
        used += snprintf(text + used, text_bytes - (size_t)used, "ts %u %u ", segment->ts_value,
                         segment->ts_echo);
    for (size_t i = 0; i < segment->sack_count; i++)
        used += snprintf(text + used, text_bytes - (size_t)used, "sack %u-%u ",
                         segment->sack[i].left, segment->sack[i].right);
    snprintf(text + used, text_bytes - (size_t)used, ">");
}

/* Takes all that the core wants to send, and checks the data in it. */
static void script_collect(struct script *script)
{
    struct tcp_segment segment;
    struct buf *payload;

    while (tcp_conn_output(&script->conn, &segment, &payload, script->now_ns)) {
        uint8_t bytes[60];
        struct tcp_segment copy;

        /* It goes through the codec, as on the wire. */
        tcp_segment_write(&segment, bytes);
        if (!tcp_segment_read(bytes, tcp_segment_header_bytes(&segment), segment.payload_bytes,
                              &copy))
            script_fail(script, "the codec does not read what it wrote");
        if (buf_bytes(payload) != copy.payload_bytes)
            script_fail(script, "payload_bytes is wrong");
        copy.sn -= script->own_iss;
        copy.ack -= copy.flags & TCP_ACK ? SCRIPT_PEER_ISS : 0;
        for (size_t i = 0; i < copy.sack_count; i++) {
            copy.sack[i].left -= SCRIPT_PEER_ISS;
            copy.sack[i].right -= SCRIPT_PEER_ISS;
        }
        script_check_data(script, payload, copy.sn - 1u);
        if (script->sent_to == SCRIPT_SENT_MOST)
            script_fail(script, "the core sends without end");
        script->sent[script->sent_to++] =
            (struct script_sent){.at_ns = script->now_ns, .segment = copy};
    }
    if (script->sent_from == script->sent_to)
        script->sent_from = script->sent_to = 0;
}

static void script_expect_silence(struct script *script)
{
    char text[300];

    if (script->sent_from == script->sent_to)
        return;
    script_print(&script->sent[script->sent_from].segment, text, sizeof(text));
    script_fail(script, "expected: nothing sent\n  actual:   at %lld us: %s",
                (long long)(script->sent[script->sent_from].at_ns / 1000), text);
}

/* Lets time pass; what the core does meanwhile is collected with its own time. */
static void script_advance(struct script *script, int64_t to_ns)
{
    while (script->is_begun && tcp_conn_deadline_ns(&script->conn) <= to_ns) {
        script->now_ns = time_max(tcp_conn_deadline_ns(&script->conn), script->now_ns);
        tcp_conn_wake(&script->conn, script->now_ns);
        script_collect(script);
    }
    script->now_ns = to_ns;
}

/* What a line says of a segment: which members it names. */
struct script_segment {
    struct tcp_segment segment;
    bool has_sn, has_ack, has_length, has_window, has_options;
};

static void script_options(struct script *script, struct tcp_segment *segment)
{
    char word[20];

    for (script_skip(script); *script->at && *script->at != '>'; script_skip(script)) {
        script_word(script, word, sizeof(word));
        if (strcmp(word, "mss") == 0) {
            segment->mss = (uint16_t)script_number(script);
        } else if (strcmp(word, "wscale") == 0) {
            segment->has_window_scale = true;
            segment->window_shift = (uint8_t)script_number(script);
        } else if (strcmp(word, "sackok") == 0) {
            segment->is_sack_permitted = true;
        } else if (strcmp(word, "ts") == 0) {
            segment->has_timestamps = true;
            segment->ts_value = (uint32_t)script_number(script);
            segment->ts_echo = (uint32_t)script_number(script);
        } else if (strcmp(word, "sack") == 0) {
            struct tcp_sack_block *block = &segment->sack[segment->sack_count++];

            block->left = (uint32_t)script_number(script);
            script->at++; /* the dash */
            block->right = (uint32_t)script_number(script);
        } else if (strcmp(word, "none") != 0) {
            script_fail(script, "'%s' is no TCP option", word);
        }
    }
    if (*script->at == '>')
        script->at++;
}

static struct script_segment script_segment(struct script *script)
{
    struct script_segment said = {.segment = {.window = 65535}};
    char word[20];

    script_word(script, word, sizeof(word));
    for (const char *p = word; *p; p++) {
        static const char letters[] = "FSRP.";
        const char *letter = strchr(letters, *p);

        if (!letter)
            script_fail(script, "'%c' is no flag", *p);
        else
            said.segment.flags |= (uint8_t)(1 << (letter - letters));
    }
    while (!script_is_end(script)) {
        if (*script->at == '<') {
            script->at++;
            said.has_options = true;
            script_options(script, &said.segment);
        } else if (script_take(script, "seq")) {
            said.has_sn = true;
            said.segment.sn = (uint32_t)script_number(script);
        } else if (script_take(script, "ack")) {
            said.has_ack = true;
            said.segment.ack = (uint32_t)script_number(script);
        } else if (script_take(script, "len")) {
            said.has_length = true;
            said.segment.payload_bytes = (uint32_t)script_number(script);
        } else if (script_take(script, "win")) {
            said.has_window = true;
            said.segment.window = (uint16_t)script_number(script);
        } else {
            script_fail(script, "'%s' is no part of a segment", script->at);
        }
    }
    return said;
}

/* '<': the peer sends. */
static void script_feed(struct script *script)
{
    struct tcp_segment segment = script_segment(script).segment;
    struct buf *payload =
        script_data(script, segment.sn - !(segment.flags & TCP_SYN), segment.payload_bytes);
    struct tcp_segment decoded;
    uint8_t bytes[60];

    script_expect_silence(script);
    segment.sn += SCRIPT_PEER_ISS;
    if (segment.flags & TCP_ACK)
        segment.ack += script->own_iss;
    for (size_t i = 0; i < segment.sack_count; i++) {
        segment.sack[i].left += script->own_iss;
        segment.sack[i].right += script->own_iss;
    }
    tcp_segment_write(&segment, bytes);
    if (!tcp_segment_read(bytes, tcp_segment_header_bytes(&segment), segment.payload_bytes,
                          &decoded))
        script_fail(script, "the codec does not read what it wrote");
    if (script->conn.state == TCP_CLOSED && !script->is_begun) {
        script->is_begun = true;
        buf_free(payload);
        tcp_conn_accept(&script->conn, &decoded, script->now_ns);
    } else {
        tcp_conn_input(&script->conn, &decoded, payload, script->now_ns);
    }
    script_collect(script);
}

/* '>': the core must have sent this, now. */
static void script_match(struct script *script)
{
    struct script_segment said = script_segment(script);
    char text[300];

    if (script->sent_from == script->sent_to)
        script_fail(script, "expected: this segment\n  actual:   nothing sent");
    const struct script_sent *sent = &script->sent[script->sent_from++];
    const struct tcp_segment *is = &sent->segment;
    const struct tcp_segment *must = &said.segment;
    bool is_right =
        sent->at_ns == script->now_ns && ((is->flags ^ must->flags) & (uint8_t)~TCP_PSH) == 0 &&
        (!said.has_sn || is->sn == must->sn) && (!said.has_ack || is->ack == must->ack) &&
        is->payload_bytes == must->payload_bytes &&
        (!said.has_window || is->window == must->window);

    if (said.has_options)
        is_right = is_right && is->mss == must->mss &&
                   is->has_window_scale == must->has_window_scale &&
                   is->window_shift == must->window_shift &&
                   is->is_sack_permitted == must->is_sack_permitted &&
                   is->has_timestamps == must->has_timestamps && is->ts_value == must->ts_value &&
                   is->ts_echo == must->ts_echo && is->sack_count == must->sack_count &&
                   memcmp(is->sack, must->sack, sizeof(is->sack[0]) * is->sack_count) == 0;
    if (!is_right) {
        script_print(is, text, sizeof(text));
        script_fail(script, "expected: this segment\n  actual:   at %lld us: %s",
                    (long long)(sent->at_ns / 1000), text);
    }
    if (script->sent_from == script->sent_to)
        script->sent_from = script->sent_to = 0;
}

/* Lines. */

static void script_event(struct script *script)
{
    static const char *const words[] = {"none", "connected", "room", "finished", "closed"};
    enum tcp_event event = tcp_conn_next_event(&script->conn);
    char word[32];

    script_word(script, word, sizeof(word));
    if (strcmp(word, words[event]) != 0)
        script_fail(script, "expected: event %s\n  actual:   %s %s", word, words[event],
                    event == TCP_ENDED ? close_reason_word(script->conn.reason) : "");
    if (event == TCP_ENDED && !script_take(script, close_reason_word(script->conn.reason)))
        script_fail(script, "actual:   closed %s", close_reason_word(script->conn.reason));
}

static void script_expect_number(struct script *script, const char *what, uint64_t actual)
{
    uint64_t expected = script_number(script);

    if (expected != actual)
        script_fail(script, "expected: %s %llu\n  actual:   %llu", what,
                    (unsigned long long)expected, (unsigned long long)actual);
}

static void script_begin(struct script *script)
{
    struct tcp_conn_config config = {
        .pool = script->pool,
        .options = &script->options,
        .counters = &script->counters,
        .first_sn = script->own_iss,
        .mss_bytes = script->mss,
        .planted = script->planted,
    };

    tcp_conn_init(&script->conn, &config);
}

static void script_read(struct script *script)
{
    uint64_t bytes = script_number(script);
    struct buf *data = tcp_conn_read(&script->conn);

    if (buf_bytes(data) != bytes)
        script_fail(script, "expected: %llu bytes\n  actual:   %zu bytes",
                    (unsigned long long)bytes, buf_bytes(data));
    script_check_data(script, data, script->read);
    script->read += bytes;
}

static void script_line(struct script *script)
{
    struct tcp_conn *conn = &script->conn;

    if (*script->at == '+') {
        script->at++;
        script_advance(script, script->now_ns + script_span(script));
        script_skip(script);
    }
    if (*script->at == '<') {
        script->at++;
        script_feed(script);
        return;
    }
    if (*script->at == '>') {
        script->at++;
        script_match(script);
        return;
    }
    if (script_take(script, "silence")) {
        script_expect_silence(script);
        script_advance(script, script->now_ns + script_span(script));
        script_expect_silence(script);
        return;
    }
    if (script_take(script, "set")) {
        while (!script_is_end(script))
            script_set(script);
        tcp_conn_fini(&script->conn);
        script_begin(script);
        return;
    }
    if (script_take(script, "state")) {
        char word[20];

        if (strcmp(script_word(script, word, sizeof(word)), tcp_state_word(conn->state)) != 0)
            script_fail(script, "actual:   state %s", tcp_state_word(conn->state));
        return;
    }
    if (script_take(script, "event")) {
        script_event(script);
        return;
    }
    if (script_take(script, "cwnd")) {
        script_expect_number(script, "cwnd", conn->cc.cwnd);
        return;
    }
    if (script_take(script, "ssthresh")) {
        script_expect_number(script, "ssthresh", conn->cc.ssthresh);
        return;
    }
    if (script_take(script, "flight")) {
        script_expect_number(script, "flight", tcp_conn_flight(conn));
        return;
    }
    if (script_take(script, "room")) {
        script_expect_number(script, "room", tcp_conn_room(conn));
        return;
    }
    if (script_take(script, "connect")) {
        script->is_begun = true;
        tcp_conn_connect(conn, script->now_ns);
    } else if (script_take(script, "write")) {
        uint32_t bytes = (uint32_t)script_number(script);

        tcp_conn_write(conn, script_data(script, script->written, bytes));
        script->written += bytes;
    } else if (script_take(script, "read")) {
        script_read(script);
    } else if (script_take(script, "shutdown")) {
        tcp_conn_shut_down(conn, script->now_ns);
    } else if (script_take(script, "close")) {
        tcp_conn_close(conn, script->now_ns);
    } else if (script_take(script, "abort")) {
        tcp_conn_abort(conn);
    } else if (script_take(script, "mss")) {
        tcp_conn_limit_mss(conn, (uint32_t)script_number(script));
    } else if (!script_take(script, "listen")) {
        script_fail(script, "no such command");
    }
    script_collect(script);
}

static struct tcp_options script_default_options(void)
{
    return (struct tcp_options){
        .initial_rto_ns = SECONDS(1),
        .min_rto_ns = MS(200),
        .max_rto_ns = SECONDS(120),
        .syn_retransmissions = 6,
        .synack_retransmissions = 5,
        .delayed_ack_ns = MS(40),
        .delayed_ack_segments = 2,
        .congestion = TCP_NEWRENO,
        .initial_window_segments = 10,
        .slow_start_after_idle = true,
        .send_buffer_bytes = 262144,
        .receive_buffer_bytes = 65535,
        .time_wait_ns = SECONDS(60),
        .fin_wait_2_ns = SECONDS(60),
    };
}

/* Runs the whole text; all memory must be back at the end. */
static void script_run(const char *name, const char *text)
{
    struct script *script = calloc(1, sizeof(*script));

    assert_non_null(script);
    script->name = name;
    script->pool = pool_new();
    script->options = script_default_options();
    script->mss = 1460;
    script->own_iss = SCRIPT_OWN_ISS;
    script_begin(script);
    while (*text) {
        size_t length = strcspn(text, "\n");

        script->line_number++;
        assert_true(length < sizeof(script->line));
        memcpy(script->line, text, length);
        script->line[length] = '\0';
        script->line[strcspn(script->line, "#")] = '\0';
        script->at = script->line;
        if (!script_is_end(script))
            script_line(script);
        text += length + (text[length] == '\n');
    }
    script_expect_silence(script);
    tcp_conn_fini(&script->conn);
    assert_int_equal(pool_live_chunks(script->pool), 0);
    assert_int_equal(pool_live_bufs(script->pool), 0);
    assert_int_equal(pool_live_blocks(script->pool), 0);
    pool_free(script->pool);
    free(script);
}
