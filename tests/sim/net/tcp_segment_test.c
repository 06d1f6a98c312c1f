#include "sim/core/attributes.h"
#include "sim/net/tcp_segment.h"
#include "tests/test.h"

#include <string.h>

static const struct tcp_segment examples[] = {
    {.sn = 1,
     .ack = 2,
     .flags = TCP_ACK,
     .window = 7,
     .source_port = 49152,
     .destination_port = 3260},
    {.sn = 0xfffffff0,
     .flags = TCP_SYN,
     .window = 65535,
     .mss = 8960,
     .has_window_scale = true,
     .window_shift = 8,
     .is_sack_permitted = true},
    {.sn = 3,
     .ack = 4,
     .flags = TCP_SYN | TCP_ACK,
     .mss = 1460,
     .has_window_scale = true,
     .is_sack_permitted = true,
     .has_timestamps = true,
     .ts_value = 0x01020304,
     .ts_echo = 5},
    {.sn = 3,
     .ack = 4,
     .flags = TCP_ACK | TCP_PSH,
     .has_timestamps = true,
     .ts_value = 6,
     .ts_echo = 7},
    {.sn = 3,
     .ack = 4,
     .flags = TCP_ACK,
     .has_timestamps = true,
     .ts_value = 6,
     .ts_echo = 7,
     .sack_count = 3,
     .sack = {{10, 20}, {30, 40}, {0xffffff00, 5}}},
    {.sn = 3,
     .ack = 4,
     .flags = TCP_ACK | TCP_FIN | TCP_URG | TCP_ECE | TCP_CWR,
     .sack_count = 4,
     .sack = {{10, 20}, {30, 40}, {50, 60}, {70, 80}}},
};

static void reads_what_it_wrote(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        uint8_t bytes[60];
        struct tcp_segment back;
        size_t header_bytes = tcp_segment_header_bytes(&examples[i]);

        memset(bytes, 0xee, sizeof(bytes));
        tcp_segment_write(&examples[i], bytes);
        assert_int_equal(header_bytes % 4, 0);
        assert_true(tcp_segment_read(bytes, header_bytes, 99, &back));
        assert_int_equal(back.payload_bytes, 99);
        assert_int_equal(back.sn, examples[i].sn);
        assert_int_equal(back.ack, examples[i].ack);
        assert_int_equal(back.flags, examples[i].flags);
        assert_int_equal(back.window, examples[i].window);
        assert_int_equal(back.source_port, examples[i].source_port);
        assert_int_equal(back.destination_port, examples[i].destination_port);
        assert_int_equal(back.mss, examples[i].mss);
        assert_int_equal(back.has_window_scale, examples[i].has_window_scale);
        assert_int_equal(back.window_shift, examples[i].window_shift);
        assert_int_equal(back.is_sack_permitted, examples[i].is_sack_permitted);
        assert_int_equal(back.has_timestamps, examples[i].has_timestamps);
        assert_int_equal(back.ts_value, examples[i].ts_value);
        assert_int_equal(back.ts_echo, examples[i].ts_echo);
        assert_int_equal(back.sack_count, examples[i].sack_count);
        assert_memory_equal(back.sack, examples[i].sack, sizeof(back.sack));
    }
}

static void bytes_are_those_of_the_wire(void **state)
{
    static const uint8_t wire[] = {0xc0, 0x00, 0x0c, 0xbc, 0,    0, 0, 3, 0, 0, 0,
                                   4,    0x80, 0x18, 0x01, 0x00, 0, 0, 0, 0, 1, 1,
                                   8,    10,   0,    0,    0,    6, 0, 0, 0, 7};
    struct tcp_segment segment = {.sn = 3,
                                  .ack = 4,
                                  .flags = TCP_ACK | TCP_PSH,
                                  .window = 256,
                                  .source_port = 49152,
                                  .destination_port = 3260,
                                  .has_timestamps = true,
                                  .ts_value = 6,
                                  .ts_echo = 7};
    uint8_t bytes[60];
    (void)state;

    assert_int_equal(tcp_segment_header_bytes(&segment), sizeof(wire));
    tcp_segment_write(&segment, bytes);
    assert_memory_equal(bytes, wire, sizeof(wire));
}

/* Every prefix of every message either is no header or reads without touching what is beyond; the
 * sanitizer watches the copy of the exact size. */
static void every_prefix_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        uint8_t bytes[60];
        struct tcp_segment back;

        tcp_segment_write(&examples[i], bytes);
        for (size_t length = 0; length < tcp_segment_header_bytes(&examples[i]); length++) {
            uint8_t *prefix = test_malloc(length + 1);

            memcpy(prefix, bytes, length);
            assert_false(tcp_segment_read(prefix, length, 0, &back));
            if (length >= 20 && length % 4 == 0) { /* now as a shorter header */
                prefix[12] = (uint8_t)(length / 4 << 4);
                assert_true(tcp_segment_read(prefix, length, 0, &back));
            }
            test_free(prefix);
        }
    }
}

static struct row {
    const char *name;
    uint8_t flags;
    uint8_t options[12];
    struct tcp_segment expected;
} rows[] = {
    {"an option of length 0 ends the options", TCP_SYN, {2, 4, 5, 0xb4, 3, 0, 7, 0}, {.mss = 1460}},
    {"an option of length 1 ends the options", TCP_SYN, {8, 1, 2, 4, 5, 0xb4}, {0}},
    {"an option that reaches past the header ends the options", TCP_SYN, {1, 1, 8, 11}, {0}},
    {"a kind at the last byte ends the options",
     TCP_SYN,
     {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8},
     {0}},
    {"an end of options hides what follows", TCP_SYN, {0, 2, 4, 5, 0xb4}, {0}},
    {"an unknown option is skipped", TCP_SYN, {254, 4, 9, 9, 2, 4, 5, 0xb4}, {.mss = 1460}},
    {"an MSS of the wrong length is ignored", TCP_SYN, {2, 3, 5, 2, 4, 5, 0xb4}, {.mss = 1460}},
    {"an MSS outside of a SYN is ignored", TCP_ACK, {2, 4, 5, 0xb4}, {0}},
    {"a window scale above 14 counts as 14",
     TCP_SYN,
     {1, 3, 3, 200},
     {.has_window_scale = true, .window_shift = 14}},
    {"a window scale outside of a SYN is ignored", TCP_ACK, {1, 3, 3, 7}, {0}},
    {"half a SACK block is none", TCP_ACK, {5, 6, 0, 0, 0, 1}, {0}},
    {"a SACK option without blocks is none", TCP_ACK, {5, 2}, {0}},
};

static void odd_options_are_survived(void **state)
{
    const struct row *row = *state;
    uint8_t bytes[32] = {[12] = 0x80, [13] = row->flags};
    struct tcp_segment segment;

    memcpy(bytes + 20, row->options, sizeof(row->options));
    assert_true(tcp_segment_read(bytes, sizeof(bytes), 0, &segment));
    assert_int_equal(segment.mss, row->expected.mss);
    assert_int_equal(segment.has_window_scale, row->expected.has_window_scale);
    assert_int_equal(segment.window_shift, row->expected.window_shift);
    assert_int_equal(segment.sack_count, row->expected.sack_count);
    assert_false(segment.has_timestamps);
}

static void a_header_whose_length_lies_is_refused(void **state)
{
    uint8_t bytes[60] = {[12] = 0x50};
    struct tcp_segment segment;
    (void)state;

    assert_true(tcp_segment_read(bytes, 20, 0, &segment));
    assert_false(tcp_segment_read(bytes, 24, 0, &segment));
    bytes[12] = 0x40;
    assert_false(tcp_segment_read(bytes, 16, 0, &segment));
    assert_false(tcp_segment_read(bytes, 20, 0, &segment));
}

static void a_segment_of_nobodys_is_refused_by_rst(void **state)
{
    struct tcp_segment reset;
    (void)state;

    assert_true(tcp_segment_refuse(
        &(struct tcp_segment){.flags = TCP_ACK, .ack = 77, .source_port = 1, .destination_port = 2},
        &reset));
    assert_int_equal(reset.flags, TCP_RST);
    assert_int_equal(reset.sn, 77);
    assert_int_equal(reset.source_port, 2);
    assert_int_equal(reset.destination_port, 1);

    assert_true(tcp_segment_refuse(
        &(struct tcp_segment){.flags = TCP_SYN, .sn = 100, .payload_bytes = 10}, &reset));
    assert_int_equal(reset.flags, TCP_RST | TCP_ACK);
    assert_int_equal(reset.sn, 0);
    assert_int_equal(reset.ack, 111);

    assert_false(tcp_segment_refuse(&(struct tcp_segment){.flags = TCP_RST | TCP_ACK}, &reset));
}

int main(void)
{
    TEST(reads_what_it_wrote);
    TEST(bytes_are_those_of_the_wire);
    TEST(every_prefix_is_survived);
    TEST_ROWS(rows, odd_options_are_survived);
    TEST(a_header_whose_length_lies_is_refused);
    TEST(a_segment_of_nobodys_is_refused_by_rst);
    return TEST_RUN("sim.net.tcp_segment");
}
