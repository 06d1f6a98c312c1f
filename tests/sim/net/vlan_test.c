/* Tags as bytes in front of a payload that nobody copies, and what ports do with VLANs. */
#include "sim/net/vlan.h"

#include "sim/core/bytes.h"
#include "sim/net/frame_codec.h"

#include "tests/test.h"

#include <string.h>

static const struct mac_addr to = {{2, 0, 0, 0, 0, 1}};
static const struct mac_addr from = {{2, 0, 0, 0, 0, 2}};

static struct frame *packet(struct pool *pool)
{
    struct frame *frame = frame_new(pool);
    uint8_t *icmp = frame_begin_ipv4(frame, PROTOCOL_ICMP, ICMP_BYTES);
    uint8_t *ip = frame->headers + FRAME_NETWORK_AT;

    icmp[0] = 8;
    ip[0] = 0x45;
    ip[9] = PROTOCOL_ICMP;
    put_be16(ip + 2, IPV4_BYTES + ICMP_BYTES + 4);
    frame_set_payload(frame, buf_copy(pool, "data", 4));
    frame_set_ethernet(frame, to, from);
    return frame;
}

static void end(struct pool *pool)
{
    assert_int_equal(pool_live_blocks(pool), 0);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

static void a_tag_stands_behind_the_addresses_and_the_payload_stays(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = packet(pool);
    const struct buf *payload = frame->payload;
    uint8_t plain[64];
    uint8_t tagged[64];
    (void)state;

    frame_write(frame, plain);
    uint32_t bytes = frame_bytes(frame);
    uint64_t digest = frame_digest(frame);
    struct frame *with = frame_with_tag(frame, 0x123);

    assert_ptr_equal(with, frame); /* nobody else holds it */
    assert_ptr_equal(with->payload, payload);
    assert_int_equal(frame_vlan(with), 0x123);
    assert_int_equal(frame_bytes(with), bytes + 4);
    assert_int_equal(frame_packet_bytes(with), bytes - ETHERNET_BYTES);
    assert_true(frame_digest(with) != digest);
    frame_write(with, tagged);
    assert_memory_equal(tagged, plain, 12);
    assert_memory_equal(tagged + 12, "\x81\x00\x01\x23", 4);
    assert_memory_equal(tagged + 16, plain + 12, bytes - 12);
    assert_true(mac_is_equal(frame_to(with), to));
    assert_true(mac_is_equal(frame_from(with), from));

    struct frame *without = frame_without_tag(with);

    assert_int_equal(frame_vlan(without), VLAN_NONE);
    assert_true(frame_digest(without) == digest);
    frame_write(without, tagged);
    assert_memory_equal(tagged, plain, bytes);
    frame_unref(without);
    end(pool);
}

static void others_keep_the_frame_as_it_was(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = packet(pool);
    (void)state;

    struct frame *with = frame_with_tag(frame_ref(frame), 7);

    assert_ptr_not_equal(with, frame);
    assert_int_equal(frame_vlan(frame), VLAN_NONE);
    assert_int_equal(frame_vlan(with), 7);
    assert_ptr_equal(with->payload->chunk, frame->payload->chunk); /* shared */
    struct frame *without = frame_without_tag(frame_ref(with));
    assert_int_equal(frame_vlan(with), 7);
    assert_true(frame_digest(without) == frame_digest(frame));
    frame_unref(without);
    frame_unref(with);
    frame_unref(frame);
    end(pool);
}

static void a_new_tag_keeps_the_priority_of_the_old_one(void **state)
{
    struct pool *pool = pool_new();
    struct frame *frame = frame_with_tag(packet(pool), 5);
    (void)state;

    frame->headers[14] |= 0xe0; /* priority 7 */
    assert_int_equal(frame_vlan(frame), 5);
    frame = frame_with_tag(frame, 4094);
    assert_int_equal(get_be16(frame_ethernet(frame) + 14), 0xeffe);
    frame_unref(frame);
    end(pool);
}

/* What an attacker does who wants to hop from the native VLAN into another. */
static void behind_a_tag_there_may_be_another(void **state)
{
    static const uint8_t bytes[] = {2, 0, 0, 0,    0,    1, 2, 0,    0, 0,    0,   2,   0x81,
                                    0, 0, 5, 0x81, 0x00, 0, 9, 0x08, 0, 0x45, 'x', 'y', 'z'};
    struct pool *pool = pool_new();
    struct frame *frame = frame_read(pool, bytes, sizeof(bytes));
    uint8_t out[64];
    (void)state;

    assert_int_equal(frame_vlan(frame), 5);
    frame = frame_without_tag(frame);
    assert_int_equal(frame_vlan(frame), 9);
    assert_int_equal(frame_bytes(frame), sizeof(bytes) - 4);
    frame_write(frame, out);
    assert_memory_equal(out, bytes, 12);
    assert_memory_equal(out + 12, bytes + 16, sizeof(bytes) - 16);
    frame_unref(frame);
    end(pool);
}

static void a_port_takes_what_it_carries(void **state)
{
    struct vlan_set set = {{0}};
    struct vlan_port access = {NULL, 10};
    struct vlan_port trunk = {&set, 1};
    (void)state;

    vlan_set_add(&set, 10, 12);
    vlan_set_add(&set, 4094, 4094);
    assert_int_equal(vlan_port_takes(&access, VLAN_NONE), 10);
    assert_int_equal(vlan_port_takes(&access, 10), VLAN_NONE); /* a tag on an access port */
    assert_int_equal(vlan_port_takes(&trunk, 10), 10);
    assert_int_equal(vlan_port_takes(&trunk, 13), VLAN_NONE);
    assert_int_equal(vlan_port_takes(&trunk, 4094), 4094);
    assert_int_equal(vlan_port_takes(&trunk, 4095), VLAN_NONE);      /* reserved */
    assert_int_equal(vlan_port_takes(&trunk, VLAN_NONE), VLAN_NONE); /* 1 is not among them */
    vlan_set_add(&set, 1, 1);
    assert_int_equal(vlan_port_takes(&trunk, VLAN_NONE), 1);
    assert_false(vlan_port_tags(&trunk, 1));
    assert_true(vlan_port_tags(&trunk, 10));
    assert_true(vlan_port_carries(&trunk, 12));
    assert_false(vlan_port_carries(&trunk, 63));
    assert_true(vlan_port_carries(&access, 10));
    assert_false(vlan_port_carries(&access, 1));
    assert_false(vlan_port_tags(&access, 10));
}

int main(void)
{
    TEST(a_tag_stands_behind_the_addresses_and_the_payload_stays);
    TEST(others_keep_the_frame_as_it_was);
    TEST(a_new_tag_keeps_the_priority_of_the_old_one);
    TEST(behind_a_tag_there_may_be_another);
    TEST(a_port_takes_what_it_carries);
    return TEST_RUN("sim.net.vlan");
}
