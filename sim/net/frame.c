/* Frames: built once, then passed around by reference. */
#include "sim/net/frame.h"

#include "sim/core/bytes.h"
#include "sim/core/hash.h"

#include <stddef.h>
#include <string.h>

static_assert(FRAME_NETWORK_AT == ETHERNET_BYTES + VLAN_TAG_BYTES, "the tag's room is in front");

struct frame *frame_new(struct pool *pool)
{
    struct frame *frame = pool_take_raw(pool, sizeof(*frame));

    memset(frame, 0, offsetof(struct frame, headers) + FRAME_NETWORK_AT);
    frame->pool = pool;
    frame->refs = 1;
    frame->start = VLAN_TAG_BYTES;
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (!frame)
        return;
    assert(frame->refs > 0);
    if (--frame->refs > 0)
        return;
    buf_free(frame->payload);
    pool_give(frame->pool, frame, sizeof(*frame));
}

struct frame *frame_copy(const struct frame *frame)
{
    struct frame *copy = frame_new(frame->pool);

    *copy = *frame;
    copy->refs = 1;
    copy->payload = buf_share(frame->payload, 0, frame->payload_bytes);
    copy->is_digested = false;
    return copy;
}

uint8_t *frame_begin_ipv4(struct frame *frame, enum ip_protocol protocol, size_t transport_bytes)
{
    assert(frame->refs == 1);
    assert(transport_bytes <= TCP_MOST_BYTES);
    assert(transport_bytes % 4 == 0);
    frame->ethertype = ETHERTYPE_IPV4;
    frame->network_bytes = IPV4_BYTES;
    frame->protocol = (uint8_t)protocol;
    frame->transport_bytes = (uint8_t)transport_bytes;
    memset(frame->headers + FRAME_NETWORK_AT, 0, IPV4_BYTES + transport_bytes);
    return frame->headers + FRAME_NETWORK_AT + IPV4_BYTES;
}

uint8_t *frame_begin_arp(struct frame *frame)
{
    assert(frame->refs == 1);
    frame->ethertype = ETHERTYPE_ARP;
    frame->network_bytes = ARP_BYTES;
    return memset(frame->headers + FRAME_NETWORK_AT, 0, ARP_BYTES);
}

void frame_set_payload(struct frame *frame, struct buf *payload)
{
    assert(frame->refs == 1);
    buf_free(frame->payload);
    frame->payload = payload;
    frame->payload_bytes = (uint32_t)buf_bytes(payload);
}

void frame_set_ethernet(struct frame *frame, struct mac_addr to, struct mac_addr from)
{
    assert(frame->refs == 1);
    uint8_t *header = frame->headers + frame->start;

    mac_put(header, to);
    mac_put(header + MAC_BYTES, from);
    put_be16(frame->headers + FRAME_NETWORK_AT - 2, frame->ethertype);
}

struct buf *frame_take_payload(struct frame *frame)
{
    if (frame->refs > 1)
        return buf_share(frame->payload, 0, frame->payload_bytes);
    struct buf *payload = frame->payload;

    frame->payload = NULL;
    frame->payload_bytes = 0;
    frame->is_digested = false;
    return payload;
}

uint64_t frame_digest(struct frame *frame)
{
    if (!frame->is_digested) {
        uint64_t digest = hash64(frame->headers + frame->start, frame_header_bytes(frame), 0);

        frame->digest = buf_digest(frame->payload, hash_mix(digest, frame_bytes(frame)));
        frame->is_digested = true;
    }
    return frame->digest;
}
