/* VLAN membership as sets of bits, and tags as bytes. */
#include "sim/net/vlan.h"

#include "sim/core/bytes.h"
#include "sim/net/frame_codec.h"

#include <string.h>

#define VLAN_BITS 0x0fffu /* of the tag; the others are priority and drop eligible */

void vlan_set_add(struct vlan_set *set, uint32_t first, uint32_t last)
{
    assert(first > VLAN_NONE);
    assert(last <= VLAN_MOST);
    for (uint32_t vlan = first; vlan <= last; vlan++)
        set->words[vlan / 64] |= UINT64_C(1) << vlan % 64;
}

uint32_t vlan_trunk_takes(const struct vlan_port *port, uint32_t tag)
{
    if (tag > VLAN_MOST)
        return VLAN_NONE;
    uint32_t vlan = tag == VLAN_NONE ? port->untagged : tag;

    return vlan_set_has(port->trunk, vlan) ? vlan : VLAN_NONE;
}

/* A frame that is the caller's alone, and may be changed. */
static struct frame *own(struct frame *frame)
{
    if (frame->refs > 1) {
        struct frame *copy = frame_copy(frame);

        frame_unref(frame);
        frame = copy;
    }
    frame->is_digested = false;
    return frame;
}

struct frame *frame_with_tag(struct frame *frame, uint32_t vlan)
{
    assert(vlan > VLAN_NONE);
    assert(vlan <= VLAN_MOST);
    frame = own(frame);
    uint8_t *tag = frame->headers + 2 * MAC_BYTES;
    uint32_t priority = 0;

    if (frame_is_tagged(frame)) {
        priority = get_be16(tag + 2) & ~VLAN_BITS;
    } else {
        memmove(frame->headers, frame->headers + VLAN_TAG_BYTES, (size_t)2 * MAC_BYTES);
        frame->start = 0;
    }
    put_be16(tag, ETHERTYPE_VLAN);
    put_be16(tag + 2, (uint16_t)(priority | vlan));
    return frame;
}

/* What stood behind the tag is a tag again: only the bytes tell what follows. */
static struct frame *read_again(struct frame *frame)
{
    struct pool *pool = frame->pool;
    uint32_t byte_count = frame_bytes(frame);
    struct chunk *bytes = chunk_new(pool, byte_count);

    frame_write(frame, bytes->data);
    struct frame *read = frame_read(pool, bytes->data, byte_count);

    assert(read);
    read->has_checksums = frame->has_checksums;
    read->is_damaged = frame->is_damaged;
    read->is_fcs_bad = frame->is_fcs_bad;
    if (read->payload)
        read->payload->chunk->is_damaged = frame->is_damaged;
    chunk_unref(bytes);
    frame_unref(frame);
    return read;
}

struct frame *frame_without_tag(struct frame *frame)
{
    if (!frame_is_tagged(frame))
        return frame;
    frame = own(frame);
    memmove(frame->headers + VLAN_TAG_BYTES, frame->headers, (size_t)2 * MAC_BYTES);
    frame->start = VLAN_TAG_BYTES;
    return frame->ethertype == ETHERTYPE_VLAN ? read_again(frame) : frame;
}
