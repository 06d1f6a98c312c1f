/* Frames for writev(). */
#include "sim/live/frame_pieces.h"

#include "sim/net/frame_codec.h"

#include <string.h>

/* writev() only reads what it is given. */
static void add(struct frame_pieces *pieces, const uint8_t *data, size_t bytes)
{
    pieces->pieces[pieces->count++] =
        (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
    pieces->bytes += bytes;
}

void frame_pieces_init(struct frame_pieces *pieces, const struct frame *frame, const void *front,
                       size_t front_bytes)
{
    unsigned slices = 0;

    assert(front_bytes <= 4);
    pieces->count = 0;
    pieces->bytes = 0;
    pieces->flat = NULL;
    if (front_bytes > 0)
        memcpy(pieces->headers, front, front_bytes);
    add(pieces, pieces->headers,
        front_bytes + frame_write_headers(frame, pieces->headers + front_bytes));
    for (const struct buf *slice = frame->payload; slice; slice = slice->next)
        slices++;
    if (slices < FRAME_PIECES_MOST) {
        for (const struct buf *slice = frame->payload; slice; slice = slice->next)
            add(pieces, buf_data(slice), slice->bytes);
        return;
    }
    pieces->flat = chunk_new(frame->pool, frame->payload_bytes);
    buf_read(frame->payload, 0, pieces->flat->data, frame->payload_bytes);
    add(pieces, pieces->flat->data, frame->payload_bytes);
}

void frame_pieces_fini(struct frame_pieces *pieces)
{
    chunk_unref(pieces->flat);
    pieces->flat = NULL;
}

void frame_pieces_skip(struct frame_pieces *pieces, size_t bytes)
{
    int first = 0;

    assert(bytes <= pieces->bytes);
    pieces->bytes -= bytes;
    while (first < pieces->count && bytes >= pieces->pieces[first].iov_len)
        bytes -= pieces->pieces[first++].iov_len;
    memmove(pieces->pieces, pieces->pieces + first,
            (size_t)(pieces->count - first) * sizeof(*pieces->pieces));
    pieces->count -= first;
    if (pieces->count > 0) {
        pieces->pieces[0].iov_base = (uint8_t *)pieces->pieces[0].iov_base + bytes;
        pieces->pieces[0].iov_len -= bytes;
    }
}
