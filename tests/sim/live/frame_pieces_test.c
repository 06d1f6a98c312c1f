/* Pieces are the frame, whatever part of them was written already. */
#include "sim/live/frame_pieces.h"

#include "sim/net/frame_codec.h"
#include "tests/test.h"

#include <string.h>

/* An opaque frame with a payload of so many slices, of 1, 2, 3 ... bytes. */
static struct frame *frame_of(struct pool *pool, unsigned slices)
{
    struct frame *frame = frame_new(pool);
    struct buf *payload = NULL;

    for (unsigned i = 0; i < slices; i++) {
        uint8_t bytes[128];

        memset(bytes, (int)i, sizeof(bytes));
        payload = buf_join(payload, buf_copy(pool, bytes, 1 + i));
    }
    frame->ethertype = 0x88b5; /* for experiments (802-2014, 9.2.4) */
    frame_set_payload(frame, payload);
    frame_set_ethernet(frame, (struct mac_addr){{2, 0, 0, 0, 0, 1}},
                       (struct mac_addr){{2, 0, 0, 0, 0, 2}});
    return frame;
}

static size_t gather(const struct frame_pieces *pieces, uint8_t *ret_bytes)
{
    size_t bytes = 0;

    for (int i = 0; i < pieces->count; i++) {
        memcpy(ret_bytes + bytes, pieces->pieces[i].iov_base, pieces->pieces[i].iov_len);
        bytes += pieces->pieces[i].iov_len;
    }
    assert_int_equal(bytes, pieces->bytes);
    return bytes;
}

static void check_frame(unsigned slices)
{
    struct pool *pool = pool_new();
    struct frame *frame = frame_of(pool, slices);
    static uint8_t whole[65536], pieced[65536];
    static const uint8_t front[4] = {'a', 'b', 'c', 'd'};
    size_t bytes = sizeof(front) + frame_bytes(frame);

    memcpy(whole, front, sizeof(front));
    frame_write(frame, whole + 4);
    for (size_t skipped = 0; skipped <= bytes; skipped++) {
        struct frame_pieces pieces;

        frame_pieces_init(&pieces, frame, front, sizeof(front));
        frame_pieces_skip(&pieces, skipped);
        assert_int_equal(gather(&pieces, pieced), bytes - skipped);
        assert_memory_equal(pieced, whole + skipped, bytes - skipped);
        frame_pieces_fini(&pieces);
    }
    frame_unref(frame);
    assert_int_equal(pool_live_chunks(pool), 0);
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void a_frame_without_payload_is_its_headers(void **state)
{
    (void)state;
    check_frame(0);
}

static void each_slice_is_a_piece(void **state)
{
    (void)state;
    check_frame(5);
}

static void more_slices_than_pieces_become_one(void **state)
{
    (void)state;
    check_frame(FRAME_PIECES_MOST - 1);
    check_frame(FRAME_PIECES_MOST);
    check_frame(FRAME_PIECES_MOST + 1);
}

int main(void)
{
    TEST(a_frame_without_payload_is_its_headers);
    TEST(each_slice_is_a_piece);
    TEST(more_slices_than_pieces_become_one);
    return TEST_RUN("sim.live.frame_pieces");
}
