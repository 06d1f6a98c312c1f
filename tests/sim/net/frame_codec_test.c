/* Frames become bytes and come back; whatever bytes come, nothing breaks. */
#include "sim/net/frame_codec.h"

#include "sim/core/bytes.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static const struct mac_addr from_mac = {{0x02, 0, 0, 0, 0, 1}};
static const struct mac_addr to_mac = {{0x02, 0, 0, 0, 0, 2}};

/* TCP from 10.0.0.1:1000 to 10.0.0.2:3260 with this payload. */
static struct frame *segment(struct pool *pool, const char *payload)
{
    struct frame *frame = frame_new(pool);
    uint8_t *tcp = frame_begin_ipv4(frame, PROTOCOL_TCP, 32);
    uint8_t *ip = frame->headers + FRAME_NETWORK_AT;

    put_be16(tcp, 1000);
    put_be16(tcp + 2, 3260);
    tcp[12] = 8 << 4;
    tcp[20] = tcp[21] = tcp[22] = tcp[23] = 1; /* NOP */
    memset(tcp + 24, 1, 8);
    frame_set_payload(frame, buf_copy(pool, payload, strlen(payload)));
    ip[0] = 0x45;
    put_be16(ip + 2, (uint16_t)frame_packet_bytes(frame));
    put_be16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = PROTOCOL_TCP;
    put_be32(ip + 12, 0x0a000001);
    put_be32(ip + 16, 0x0a000002);
    frame_set_ethernet(frame, to_mac, from_mac);
    return frame;
}

static void pool_is_empty(struct pool *pool)
{
    assert_int_equal(pool_live_blocks(pool), 0);
    assert_int_equal(pool_live_chunks(pool), 0);
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void headers_and_slices_are_what_the_whole_frame_is(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "odd");
    uint8_t whole[256], pieces[256];
    (void)state;

    frame_set_payload(
        frame, buf_join(buf_copy(pool, "odd", 3),
                        buf_join(buf_copy(pool, "and", 3),
                                 buf_join(buf_copy(pool, "even", 4), buf_copy(pool, "tail!", 5)))));
    put_be16(frame->headers + FRAME_NETWORK_AT + 2, (uint16_t)frame_packet_bytes(frame));
    frame_write(frame, whole);
    uint32_t at = frame_write_headers(frame, pieces);

    for (const struct buf *slice = frame->payload; slice; slice = slice->next) {
        memcpy(pieces + at, buf_data(slice), slice->bytes);
        at += slice->bytes;
    }
    assert_int_equal(at, frame_bytes(frame));
    assert_memory_equal(whole, pieces, at);
    frame_unref(frame);
    pool_is_empty(pool);
}

static void a_frame_read_from_a_chunk_shares_its_payload(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "shared, not copied");
    struct chunk *chunk = chunk_new(pool, 256);
    uint8_t again[256];
    (void)state;

    frame_write(frame, chunk->data);
    struct frame *back = frame_read_chunk(chunk, frame_bytes(frame));

    assert_ptr_equal(back->payload->chunk, chunk);
    assert_true(frame_checksums_are_good(back));
    frame_write(back, again);
    assert_memory_equal(again, chunk->data, frame_bytes(frame));
    assert_null(frame_read_chunk(chunk, ETHERNET_BYTES - 1));
    frame_unref(back);
    frame_unref(frame);
    chunk_unref(chunk);
    pool_is_empty(pool);
}

static void a_segment_comes_back_with_its_checksums(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "odd payload");
    uint8_t bytes[256];
    (void)state;

    assert_int_equal(frame_bytes(frame), 14 + 20 + 32 + 11);
    frame_write(frame, bytes);
    assert_int_equal(get_be16(frame_network(frame) + 10), 0); /* the frame itself stays as it is */
    struct frame *back = frame_read(pool, bytes, frame_bytes(frame));

    assert_int_equal(frame_bytes(back), frame_bytes(frame));
    assert_int_equal(back->protocol, PROTOCOL_TCP);
    assert_int_equal(back->transport_bytes, 32);
    assert_true(mac_is_equal(frame_to(back), to_mac));
    assert_true(mac_is_equal(frame_from(back), from_mac));
    assert_true(buf_equal(back->payload, frame->payload));
    assert_true(back->has_checksums);
    assert_true(frame_checksums_are_good(back));
    frame_unref(back);
    frame_unref(frame);
    pool_is_empty(pool);
}

/* The IPv4 header of RFC 1071's readers: 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7. */
static void the_checksum_is_the_internet_checksum(void **state)
{
    uint8_t header[20] = {0x45, 0, 0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                          0,    0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
    static const uint8_t odd[3] = {0x01, 0x02, 0x03}; /* 0102 + 0300 = 0402 */
    uint8_t checksum[2];
    (void)state;

    internet_checksum_put(header + 10, internet_sum(0, header, sizeof(header)));
    assert_int_equal(get_be16(header + 10), 0xb861);
    internet_checksum_put(checksum, internet_sum(0, odd, sizeof(odd)));
    assert_int_equal(get_be16(checksum), 0xfbfd);
}

static void a_damaged_frame_is_found_out_by_its_checksums(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "some data");
    uint32_t ip_bits_from = ETHERNET_BYTES * 8;
    (void)state;

    for (uint64_t bit = ip_bits_from; bit < frame_bytes(frame) * (uint64_t)8; bit++) {
        struct frame *damaged = frame_damage(frame, bit, false);

        assert_true(damaged->is_damaged);
        /* It reads as IPv4 with a wrong sum, or not as IPv4 any more. */
        if (damaged->network_bytes > 0 && damaged->transport_bytes > 0)
            assert_false(frame_checksums_are_good(damaged));
        frame_unref(damaged);
    }
    frame_unref(frame);
    pool_is_empty(pool);
}

static void repaired_damage_is_found_by_nobody_but_differs(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "some data");
    struct frame *empty = segment(pool, "");
    (void)state;

    for (uint64_t chance = 0; chance < 200; chance++) {
        struct frame *damaged = frame_damage(frame, chance, true);

        assert_true(frame_checksums_are_good(damaged));
        assert_false(buf_equal(damaged->payload, frame->payload));
        assert_true(damaged->payload->chunk->is_damaged);
        frame_unref(damaged);
    }
    assert_null(frame_damage(empty, 1, true));
    frame_unref(frame);
    frame_unref(empty);
    pool_is_empty(pool);
}

/* One flipped bit of the total length makes a packet of what was too short for one. */
static void repaired_damage_is_right_even_if_it_makes_a_packet(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "some data");
    uint8_t bytes[256];
    (void)state;

    frame_write(frame, bytes);
    bytes[ETHERNET_BYTES + 2] ^= 0x40; /* the total length, far too long */
    bytes[ETHERNET_BYTES + 8] ^= 0x55; /* so that the checksum would be wrong */
    struct frame *opaque = frame_read(pool, bytes, frame_bytes(frame));
    assert_int_equal(opaque->network_bytes, 0);
    struct frame *damaged = frame_damage(opaque, 2 * 8 + 6, true);

    assert_int_equal(damaged->network_bytes, 20);
    assert_int_equal(damaged->transport_bytes, 32);
    assert_true(frame_checksums_are_good(damaged));
    frame_unref(damaged);
    frame_unref(opaque);
    frame_unref(frame);
    pool_is_empty(pool);
}

static void a_tag_moves_nothing_but_the_beginning(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "tagged");
    uint8_t plain[256];
    uint8_t tagged[256];
    uint8_t again[256];
    (void)state;

    frame_write(frame, plain);
    memcpy(tagged, plain, 12);
    memcpy(tagged + 12, (const uint8_t[]){0x81, 0x00, 0x00, 0x07}, 4);
    memcpy(tagged + 16, plain + 12, frame_bytes(frame) - 12);
    struct frame *back = frame_read(pool, tagged, frame_bytes(frame) + 4);

    assert_true(frame_is_tagged(back));
    assert_int_equal(back->ethertype, ETHERTYPE_IPV4);
    assert_int_equal(frame_packet_bytes(back), frame_packet_bytes(frame));
    assert_int_equal(back->transport_bytes, 32);
    assert_true(frame_checksums_are_good(back));
    frame_write(back, again);
    assert_memory_equal(again, tagged, frame_bytes(back));
    frame_unref(back);
    frame_unref(frame);
    pool_is_empty(pool);
}

static void every_prefix_is_read_or_refused(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "prefix");
    uint8_t bytes[256];
    (void)state;

    frame_write(frame, bytes);
    for (size_t count = 0; count <= frame_bytes(frame); count++) {
        /* On the heap, so that a read past the end is seen. */
        uint8_t *exact = malloc(count + 1);
        memcpy(exact, bytes, count);
        struct frame *back = frame_read(pool, exact, count);

        if (count < ETHERNET_BYTES) {
            assert_null(back);
        } else {
            uint8_t again[256];

            assert_int_equal(frame_bytes(back), count);
            frame_write(back, again);
            assert_memory_equal(again, bytes, count);
            if (count < frame_bytes(frame))
                assert_int_equal(back->network_bytes, 0); /* total length lies behind the end */
        }
        frame_unref(back);
        free(exact);
    }
    frame_unref(frame);
    pool_is_empty(pool);
}

static void padding_behind_the_packet_is_cut_off(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "");
    uint8_t bytes[256] = {0};
    (void)state;

    frame_write(frame, bytes);
    struct frame *back = frame_read(pool, bytes, 80);

    assert_int_equal(frame_bytes(back), 66);
    assert_null(back->payload);
    frame_unref(back);
    frame_unref(frame);
    pool_is_empty(pool);
}

/* One byte of a good segment is changed; what is left of the headers? */
static struct row {
    const char *name;
    size_t at;
    uint8_t value;
    uint8_t network_bytes;
    uint8_t transport_bytes;
} rows[] = {
    {"a good segment", 14, 0x45, 20, 32},
    {"IP version 6 in an IPv4 frame is opaque", 14, 0x65, 0, 0},
    {"a header of 16 bytes is none", 14, 0x44, 0, 0},
    {"options are part of the IP header", 14, 0x46, 24, 0},
    {"a header longer than the packet is none", 16, 0x00, 0, 0},
    {"a total length behind the end is none", 16, 0x7f, 0, 0},
    {"a fragment has no transport header", 21, 0x01, 20, 0},
    {"a first fragment has none, too", 20, 0x20, 20, 0},
    {"TCP with a data offset of 4 is not understood", 46, 0x40, 20, 0},
    {"TCP with a data offset behind the end is not understood", 46, 0xf0, 20, 0},
    {"ICMP has 8 bytes", 23, 1, 20, 8},
    {"UDP with a length below 8 is not understood", 23, 17, 20, 0},
    {"an unknown protocol is not understood", 23, 200, 20, 0},
    {"an unknown type is opaque", 12, 0x86, 0, 0},
};

static void headers_are_found_where_they_make_sense(void **state)
{
    const struct row *row = *state;
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "x");
    uint8_t bytes[256];
    uint8_t again[256];

    frame_write(frame, bytes);
    bytes[row->at] = row->value;
    if (row->at == 16) /* both bytes of the total length */
        bytes[17] = row->value ? 0xff : 19;
    struct frame *back = frame_read(pool, bytes, frame_bytes(frame));

    assert_int_equal(back->network_bytes, row->network_bytes);
    assert_int_equal(back->transport_bytes, row->transport_bytes);
    frame_checksums_are_good(back);
    frame_write(back, again);
    assert_memory_equal(again, bytes, frame_bytes(back));
    frame_unref(back);
    frame_unref(frame);
    pool_is_empty(pool);
}

static void arp_comes_back_and_bad_arp_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{1, 6}, {2, 0x86}, {4, 8}, {5, 16}, {7, 3}, {6, 1}};
    struct arp arp = {.operation = ARP_REQUEST,
                      .sender_mac = from_mac,
                      .sender_address = 0x0a000001,
                      .target_address = 0x0a000002};
    struct pool *pool = pool_new();
    struct frame *frame = frame_new(pool);
    struct arp read;
    uint8_t bytes[64];
    (void)state;

    arp_write(frame_begin_arp(frame), &arp);
    frame_set_ethernet(frame, MAC_BROADCAST, from_mac);
    frame_write(frame, bytes);
    struct frame *back = frame_read(pool, bytes, 42);

    assert_true(arp_read(back, &read));
    assert_int_equal(read.operation, arp.operation);
    assert_memory_equal(&read.sender_mac, &arp.sender_mac, sizeof(arp.sender_mac));
    assert_memory_equal(&read.target_mac, &arp.target_mac, sizeof(arp.target_mac));
    assert_int_equal(read.sender_address, arp.sender_address);
    assert_int_equal(read.target_address, arp.target_address);
    frame_unref(back);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        frame_write(frame, bytes);
        bytes[ETHERNET_BYTES + bad[i].at] = bad[i].value;
        back = frame_read(pool, bytes, 42);
        assert_false(arp_read(back, &read));
        frame_unref(back);
    }
    frame_unref(frame);
    frame = segment(pool, "");
    assert_false(arp_read(frame, &read));
    frame_unref(frame);
    pool_is_empty(pool);
}

static void too_short_and_too_long_is_no_frame(void **state)
{
    struct pool *pool = pool_new();
    uint8_t *bytes = calloc(1, FRAME_MOST_BYTES + 1);
    (void)state;

    assert_null(frame_read(pool, bytes, 13));
    assert_null(frame_read(pool, bytes, FRAME_MOST_BYTES + 1));
    frame_unref(frame_read(pool, bytes, FRAME_MOST_BYTES));
    free(bytes);
    pool_is_empty(pool);
}

static void a_shared_payload_stays_with_the_frame(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = segment(pool, "shared");
    struct frame *copy = frame_copy(frame);
    (void)state;

    assert_ptr_equal(copy->payload->chunk, frame->payload->chunk);
    assert_true(frame_digest(copy) == frame_digest(frame));
    frame_ref(frame);
    struct buf *taken = frame_take_payload(frame);
    assert_int_equal(buf_bytes(taken), 6);
    assert_int_equal(frame->payload_bytes, 6);
    buf_free(taken);
    frame_unref(frame);
    taken = frame_take_payload(frame); /* the last reference gives its own */
    assert_int_equal(buf_bytes(taken), 6);
    assert_int_equal(frame->payload_bytes, 0);
    buf_free(taken);
    frame_unref(frame);
    frame_unref(copy);
    pool_is_empty(pool);
}

int main(void)
{
    TEST(headers_and_slices_are_what_the_whole_frame_is);
    TEST(a_frame_read_from_a_chunk_shares_its_payload);
    TEST(a_segment_comes_back_with_its_checksums);
    TEST(the_checksum_is_the_internet_checksum);
    TEST(a_damaged_frame_is_found_out_by_its_checksums);
    TEST(repaired_damage_is_found_by_nobody_but_differs);
    TEST(repaired_damage_is_right_even_if_it_makes_a_packet);
    TEST(a_tag_moves_nothing_but_the_beginning);
    TEST(every_prefix_is_read_or_refused);
    TEST(padding_behind_the_packet_is_cut_off);
    TEST_ROWS(rows, headers_are_found_where_they_make_sense);
    TEST(arp_comes_back_and_bad_arp_is_refused);
    TEST(too_short_and_too_long_is_no_frame);
    TEST(a_shared_payload_stays_with_the_frame);
    return TEST_RUN("sim.net.frame_codec");
}
