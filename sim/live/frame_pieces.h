/* A frame as pieces of memory for one writev(): what is in front of it, its headers with checksums,
 * and the slices of its payload where they are.
 */
#pragma once

#include "sim/net/frame.h"

#include <stddef.h>
#include <sys/uio.h>

#define FRAME_PIECES_MOST 64u

struct frame_pieces {
    uint8_t headers[4 + FRAME_HEADERS_MOST];
    struct iovec pieces[FRAME_PIECES_MOST];
    int count;
    size_t bytes;
    struct chunk *flat; /* owned: a payload of more slices than that, in one piece; or NULL */
};

/* 'front' (at most 4 bytes) comes before the frame. */
void frame_pieces_init(struct frame_pieces *pieces, const struct frame *frame, const void *front,
                       size_t front_bytes);
void frame_pieces_fini(struct frame_pieces *pieces);
/* The first 'bytes' were written: leaves the rest. */
void frame_pieces_skip(struct frame_pieces *pieces, size_t bytes);
