/* Any bytes as a frame: reading, writing and judging it must not break, and what was read is
 * written as it was. */
#include "sim/net/frame_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(const struct frame *frame, const uint8_t *data)
{
    uint8_t *bytes = malloc(frame_bytes(frame));

    frame_write(frame, bytes);
    if (memcmp(bytes, data, frame_bytes(frame)) != 0)
        abort();
    free(bytes);
}

/* Damage that is repaired leaves a frame whose checksums are right. */
static void damage(const struct frame *frame, uint64_t chance)
{
    frame_unref(frame_damage(frame, chance, false));
    struct frame *repaired = frame_damage(frame, chance, true);

    if (repaired && !frame_checksums_are_good(repaired))
        abort();
    frame_unref(repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool *pool = pool_new();
    struct frame *frame = frame_read(pool, data, size);
    struct arp arp;

    if (frame) {
        if (frame_bytes(frame) > size)
            abort();
        write_back(frame, data);
        frame_checksums_are_good(frame);
        arp_read(frame, &arp);
        frame_digest(frame);
        damage(frame, data[0] * UINT64_C(2654435761) + size);
        frame_unref(frame);
    }
    if (pool_live_blocks(pool) + pool_live_bufs(pool) + pool_live_chunks(pool) != 0)
        abort();
    pool_free(pool);
    return 0;
}
