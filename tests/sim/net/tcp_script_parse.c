/* The text of a TCP script becomes steps; what is no script is refused with its place. */
#include "tests/sim/net/tcp_script_text.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct tcp_script *script;
    char line[SCRIPT_LINE_BYTES];
    int line_number;
    const char *at;
};

PRINTF_LIKE(2, 3)
static bool refuse(struct reader *reader, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(reader->script->failure, sizeof(reader->script->failure), "%s:%d:%d: %s\n    %s",
             reader->script->name, reader->line_number, (int)(reader->at - reader->line) + 1, text,
             reader->line);
    return false;
}

static void skip(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t')
        reader->at++;
}

static bool is_end(struct reader *reader)
{
    skip(reader);
    return *reader->at == '\0';
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

static bool take(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    skip(reader);
    if (strncmp(reader->at, word, length) != 0)
        return false;
    if (is_word_char(word[length - 1]) && is_word_char(reader->at[length]))
        return false;
    reader->at += length;
    return true;
}

static bool read_word(struct reader *reader, char *ret_word, size_t word_bytes)
{
    size_t length = 0;

    skip(reader);
    while (is_word_char(reader->at[length]))
        length++;
    if (length == 0 || length >= word_bytes)
        return refuse(reader, "a word is missing here");
    memcpy(ret_word, reader->at, length);
    ret_word[length] = '\0';
    reader->at += length;
    return true;
}

static bool read_number(struct reader *reader, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *p;

    skip(reader);
    for (p = reader->at; *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > most)
            return refuse(reader, "this number is above %llu", (unsigned long long)most);
    }
    if (p == reader->at)
        return refuse(reader, "a number is missing here");
    reader->at = p;
    *ret_number = number;
    return true;
}

static bool read_u32(struct reader *reader, uint32_t *ret_number)
{
    uint64_t number;

    if (!read_number(reader, UINT32_MAX, &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* Seconds with up to nine places. */
static bool read_seconds(struct reader *reader, int64_t *ret_ns)
{
    uint64_t whole;
    int64_t place_ns = SECONDS(1) / 10;

    if (!read_number(reader, 1000000, &whole))
        return false;
    *ret_ns = SECONDS((int64_t)whole);
    if (*reader->at != '.')
        return true;
    for (reader->at++; *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (place_ns == 0)
            return refuse(reader, "no more than nine places: that is a nanosecond");
        *ret_ns += (*reader->at - '0') * place_ns;
        place_ns /= 10;
    }
    return true;
}

static bool expect_char(struct reader *reader, char c)
{
    skip(reader);
    if (*reader->at != c)
        return refuse(reader, "'%c' is missing here", c);
    reader->at++;
    return true;
}

/* Segments. */

static bool read_flags(struct reader *reader, uint8_t *ret_flags)
{
    static const struct {
        char letter;
        uint8_t flag;
    } letters[] = {{'S', TCP_SYN}, {'F', TCP_FIN}, {'R', TCP_RST}, {'P', TCP_PSH}, {'.', TCP_ACK}};
    uint8_t flags = 0;

    skip(reader);
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (*reader->at == letters[i].letter) {
            flags |= letters[i].flag;
            reader->at++;
        }
    if (flags == 0 || (*reader->at != ' ' && *reader->at != '\0'))
        return refuse(reader, "flags are S, F, R, P and '.', in this order");
    *ret_flags = flags;
    return true;
}

static bool read_timestamp(struct reader *reader, const char *word, bool may_be_any,
                           uint32_t *ret_number, bool *ret_is_any)
{
    if (!take(reader, word))
        return refuse(reader, "timestamps are written 'TS val N ecr N'");
    skip(reader);
    *ret_is_any = may_be_any && *reader->at == '*';
    if (*ret_is_any) {
        reader->at++;
        return true;
    }
    return read_u32(reader, ret_number);
}

static bool read_sack(struct reader *reader, struct tcp_segment *segment)
{
    do {
        if (segment->sack_count == TCP_SACK_MOST)
            return refuse(reader, "%u blocks are the most", TCP_SACK_MOST);
        struct tcp_sack_block *block = &segment->sack[segment->sack_count++];

        if (!read_u32(reader, &block->left) || !expect_char(reader, ':') ||
            !read_u32(reader, &block->right))
            return false;
        skip(reader);
    } while (*reader->at >= '0' && *reader->at <= '9');
    return true;
}

static bool read_option(struct reader *reader, bool is_out, struct said_segment *said)
{
    struct tcp_segment *segment = &said->segment;
    uint64_t number;

    if (take(reader, "nop"))
        return true;
    if (take(reader, "mss")) {
        if (!read_number(reader, UINT16_MAX, &number))
            return false;
        segment->mss = (uint16_t)number;
        return true;
    }
    if (take(reader, "wscale")) {
        if (!read_number(reader, 255, &number))
            return false;
        segment->has_window_scale = true;
        segment->window_shift = (uint8_t)number;
        return true;
    }
    if (take(reader, "sackOK")) {
        segment->is_sack_permitted = true;
        return true;
    }
    if (take(reader, "sack"))
        return read_sack(reader, segment);
    if (take(reader, "TS")) {
        segment->has_timestamps = true;
        return read_timestamp(reader, "val", is_out, &segment->ts_value, &said->has_any_ts_value) &&
               read_timestamp(reader, "ecr", is_out, &segment->ts_echo, &said->has_any_ts_echo);
    }
    return refuse(reader, "no option of TCP; there are mss, wscale, sackOK, TS, sack, nop");
}

static bool read_options(struct reader *reader, bool is_out, struct said_segment *said)
{
    said->has_options = true;
    if (is_out && take(reader, "any")) {
        said->has_any_options = true;
        return expect_char(reader, '>');
    }
    for (;;) {
        if (!read_option(reader, is_out, said))
            return false;
        skip(reader);
        if (*reader->at == '>') {
            reader->at++;
            return true;
        }
        if (!expect_char(reader, ','))
            return false;
    }
}

static bool read_segment(struct reader *reader, bool is_out, struct said_segment *said)
{
    struct tcp_segment *segment = &said->segment;
    uint32_t end;
    uint64_t number;
    bool has_ack = false;

    segment->window = UINT16_MAX;
    if (!read_flags(reader, &segment->flags) || !read_u32(reader, &segment->sn) ||
        !expect_char(reader, ':') || !read_u32(reader, &end) || !expect_char(reader, '('))
        return false;
    skip(reader);
    const char *count_at = reader->at;

    if (!read_u32(reader, &segment->payload_bytes))
        return false;
    if (end - segment->sn != segment->payload_bytes || segment->payload_bytes > UINT16_MAX) {
        reader->at = count_at;
        return refuse(reader, "from %u to %u there are %u bytes, and 65535 are the most",
                      segment->sn, end, end - segment->sn);
    }
    if (!expect_char(reader, ')'))
        return false;
    while (!is_end(reader)) {
        if (take(reader, "ack")) {
            if (!read_u32(reader, &segment->ack))
                return false;
            has_ack = true;
        } else if (take(reader, "win")) {
            if (!read_number(reader, UINT16_MAX, &number))
                return false;
            segment->window = (uint16_t)number;
            said->has_window = true;
        } else if (take(reader, "<")) {
            if (!read_options(reader, is_out, said))
                return false;
        } else {
            return refuse(reader, "no part of a segment; there are ack, win and <options>");
        }
    }
    if (has_ack != ((segment->flags & TCP_ACK) != 0))
        return refuse(reader, has_ack ? "'ack' without the flag '.'" : "'ack N' is missing");
    return true;
}

/* Calls and expectations. */

enum argument { NO_ARGUMENT, ARGUMENT_NUMBER, ARGUMENT_WORD };

struct verb {
    const char *word;
    enum argument argument;
};

static const struct verb calls[] = {
    [CALL_CONNECT] = {"connect", NO_ARGUMENT},   [CALL_LISTEN] = {"listen", NO_ARGUMENT},
    [CALL_WRITE] = {"write", ARGUMENT_NUMBER},   [CALL_READ] = {"read", ARGUMENT_NUMBER},
    [CALL_SHUTDOWN] = {"shutdown", NO_ARGUMENT}, [CALL_CLOSE] = {"close", NO_ARGUMENT},
    [CALL_ABORT] = {"abort", NO_ARGUMENT},       [CALL_PATH_MSS] = {"path-mss", ARGUMENT_NUMBER},
};

static const struct verb expectations[] = {
    [EXPECT_CONNECTED] = {"connected", NO_ARGUMENT},
    [EXPECT_ROOM] = {"room", NO_ARGUMENT},
    [EXPECT_FINISHED] = {"finished", NO_ARGUMENT},
    [EXPECT_CLOSED] = {"closed", ARGUMENT_WORD},
    [EXPECT_NO_EVENT] = {"no event", NO_ARGUMENT},
    [EXPECT_STATE] = {"state", ARGUMENT_WORD},
    [EXPECT_CWND] = {"cwnd", ARGUMENT_NUMBER},
    [EXPECT_SSTHRESH] = {"ssthresh", ARGUMENT_NUMBER},
    [EXPECT_FLIGHT] = {"flight", ARGUMENT_NUMBER},
    [EXPECT_SEND_ROOM] = {"send-room", ARGUMENT_NUMBER},
    [EXPECT_RETRANSMISSIONS] = {"retransmissions", ARGUMENT_NUMBER},
    [EXPECT_TIMEOUTS] = {"timeouts", ARGUMENT_NUMBER},
    [EXPECT_FAST_RECOVERIES] = {"fast-recoveries", ARGUMENT_NUMBER},
    [EXPECT_WINDOW_PROBES] = {"window-probes", ARGUMENT_NUMBER},
    [EXPECT_RESETS_SENT] = {"resets-sent", ARGUMENT_NUMBER},
    [EXPECT_RESETS_RECEIVED] = {"resets-received", ARGUMENT_NUMBER},
};

static bool read_verb(struct reader *reader, const struct verb *verbs, size_t count,
                      struct script_step *step)
{
    for (size_t i = 0; i < count; i++) {
        if (!take(reader, verbs[i].word))
            continue;
        step->call = (int)i;
        switch (verbs[i].argument) {
        case NO_ARGUMENT:
            return true;
        case ARGUMENT_WORD:
            return read_word(reader, step->word, sizeof(step->word));
        case ARGUMENT_NUMBER:
            if (!read_number(reader, UINT32_MAX, &step->least))
                return false;
            step->most = step->least;
            if (step->kind == STEP_EXPECT && *reader->at == '~') {
                reader->at++;
                return read_number(reader, UINT32_MAX, &step->most);
            }
            return true;
        }
    }
    return refuse(reader, step->kind == STEP_EXPECT ? "nothing that can be expected"
                                                    : "no step of a script");
}

static bool read_time(struct reader *reader, struct script_step *step)
{
    bool is_time = *reader->at == '+' || *reader->at == '@';

    if (!is_time)
        return true;
    step->is_absolute = *reader->at++ == '@';
    if (!read_seconds(reader, &step->from_ns))
        return false;
    step->to_ns = step->from_ns;
    if (*reader->at != '~')
        return true;
    reader->at++;
    if (!read_seconds(reader, &step->to_ns))
        return false;
    if (!take(reader, ">"))
        return refuse(reader, "a range of time is for '>' only");
    reader->at--;
    return step->to_ns >= step->from_ns || refuse(reader, "this range ends before it begins");
}

static bool read_step(struct reader *reader, struct script_step *step)
{
    bool is_good;

    step->line = reader->line_number;
    memcpy(step->text, reader->line, sizeof(step->text));
    if (!read_time(reader, step))
        return false;
    if (take(reader, "<")) {
        step->kind = STEP_IN;
        is_good = read_segment(reader, false, &step->said);
    } else if (take(reader, ">")) {
        step->kind = STEP_OUT;
        is_good = read_segment(reader, true, &step->said);
    } else if (take(reader, "nothing until")) {
        step->kind = STEP_NOTHING;
        skip(reader);
        is_good = *reader->at == '+' || *reader->at == '@'
                      ? read_time(reader, step)
                      : refuse(reader, "'+SECONDS' is missing here");
    } else if (take(reader, "expect")) {
        step->kind = STEP_EXPECT;
        is_good = read_verb(reader, expectations, ARRAY_SIZE(expectations), step);
    } else {
        step->kind = STEP_CALL;
        is_good = read_verb(reader, calls, ARRAY_SIZE(calls), step);
    }
    return is_good && (is_end(reader) || refuse(reader, "the line should end here"));
}

/* Settings; 'ret_is_one': the line is no step. */
static bool read_setting(struct reader *reader, bool *ret_is_one)
{
    struct tcp_script *script = reader->script;
    const char *begin = reader->at;
    char text[256] = "";
    char word[40];
    bool is_good;

    *ret_is_one = true;
    if (take(reader, "option")) {
        if (!read_word(reader, word, sizeof(word)))
            return false;
        skip(reader);
        is_good = tcp_script_set_option(&script->options, word, reader->at, text, sizeof(text));
    } else if (take(reader, "profile")) {
        skip(reader);
        is_good = tcp_script_set_profile(&script->options, reader->at, text, sizeof(text));
    } else if (take(reader, "mss")) {
        return read_u32(reader, &script->mss_bytes);
    } else if (take(reader, "iss")) {
        return read_u32(reader, &script->iss);
    } else if (take(reader, "tolerance")) {
        return read_seconds(reader, &script->tolerance_ns);
    } else {
        *ret_is_one = false;
        return true;
    }
    reader->at = begin;
    if (is_good && script->step_count > 0)
        return refuse(reader, "settings come before the first step");
    return is_good || refuse(reader, "%s", text);
}

static bool read_line(struct reader *reader)
{
    struct tcp_script *script = reader->script;
    bool is_setting;

    if (is_end(reader))
        return true;
    if (!read_setting(reader, &is_setting))
        return false;
    if (is_setting)
        return true;
    struct script_step step = {.kind = STEP_CALL};

    if (!read_step(reader, &step))
        return false;
    script->steps = realloc(script->steps, (script->step_count + 1) * sizeof(step));
    if (!script->steps)
        abort();
    script->steps[script->step_count++] = step;
    return true;
}

static const struct tcp_options plain = {
    .initial_rto_ns = SECONDS(1),
    .min_rto_ns = MS(200),
    .max_rto_ns = SECONDS(120),
    .syn_retransmissions = 6,
    .synack_retransmissions = 5,
    .delayed_ack_ns = MS(40),
    .delayed_ack_segments = 2,
    .congestion = TCP_NEWRENO,
    .initial_window_segments = 10,
    .send_buffer_bytes = 262144,
    .receive_buffer_bytes = 65535,
    .time_wait_ns = SECONDS(60),
    .fin_wait_2_ns = SECONDS(60),
};

bool tcp_script_parse(struct tcp_script *script, const char *name, const char *text)
{
    struct reader reader = {.script = script};

    *script =
        (struct tcp_script){.name = name, .options = plain, .mss_bytes = 1460, .iss = 4294960000u};
    while (*text) {
        size_t length = strcspn(text, "\n");

        reader.line_number++;
        snprintf(reader.line, sizeof(reader.line), "%.*s", (int)length, text);
        reader.at = reader.line;
        if (length >= sizeof(reader.line))
            return refuse(&reader, "a line has %d bytes at most", SCRIPT_LINE_BYTES - 1);
        reader.line[strcspn(reader.line, "#")] = '\0';
        for (size_t i = strlen(reader.line); i > 0 && reader.line[i - 1] == ' '; i--)
            reader.line[i - 1] = '\0';
        if (!read_line(&reader))
            return false;
        text += length + (text[length] == '\n');
    }
    reader.at = reader.line;
    return script->step_count > 0 || refuse(&reader, "there is no step in this script");
}

void tcp_script_fini(struct tcp_script *script)
{
    free(script->steps);
    script->steps = NULL;
    script->step_count = 0;
}
