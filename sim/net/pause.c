/* PAUSE frames as bytes. */
#include "sim/net/pause.h"

#include "sim/core/bytes.h"

#include <string.h>

#define OPCODE_PAUSE  1u
#define CONTROL_BYTES 46u /* opcode, parameters and padding: 60 less the Ethernet header */

static const struct mac_addr pause_address = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x01}};

struct frame *pause_frame_new(struct pool *pool, struct mac_addr from, uint32_t quanta)
{
    struct frame *frame = frame_new(pool);
    struct chunk *control = chunk_new(pool, CONTROL_BYTES);

    assert(quanta <= PAUSE_MOST_QUANTA);
    memset(control->data, 0, CONTROL_BYTES);
    put_be16(control->data, OPCODE_PAUSE);
    put_be16(control->data + 2, (uint16_t)quanta);
    frame_set_payload(frame, buf_new(control, 0, CONTROL_BYTES));
    frame->ethertype = ETHERTYPE_MAC_CONTROL;
    frame_set_ethernet(frame, pause_address, from);
    return frame;
}

bool pause_frame_read(const struct frame *frame, uint32_t *ret_quanta)
{
    uint8_t control[4];

    if (frame->ethertype != ETHERTYPE_MAC_CONTROL || frame_is_tagged(frame) ||
        frame->payload_bytes < sizeof(control) || !mac_is_equal(frame_to(frame), pause_address))
        return false;
    buf_read(frame->payload, 0, control, sizeof(control));
    if (get_be16(control) != OPCODE_PAUSE)
        return false;
    *ret_quanta = get_be16(control + 2);
    return true;
}
