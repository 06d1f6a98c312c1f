/* What a block tells about the write that filled it. */
#include "tests/test.h"

#include "initiator/stamp.h"

#include <string.h>

#define DISK UINT64_C(7)
#define LBA  UINT64_C(123456789)

static struct row {
    const char *name;
    uint32_t block_bytes;
} rows[] = {
    {"512-byte blocks", 512},
    {"520-byte neighbours are no matter: 576", 576},
    {"4096-byte blocks", 4096},
    {"the smallest block", 64},
};

static void a_filled_block_is_known_again(void **state)
{
    const struct row *row = *state;
    uint8_t block[4096];
    uint64_t stamp = stamp_make(3, 42);
    struct stamp_seen seen;

    stamp_fill(block, row->block_bytes, stamp, DISK, LBA);
    assert_int_equal(stamp_look(block, row->block_bytes, DISK, LBA, &seen), STAMP_VALID);
    assert_int_equal(seen.stamp, stamp);
    assert_int_equal(stamp_host(seen.stamp), 3);
    assert_int_equal(stamp_sequence(seen.stamp), 42);
    assert_int_equal(stamp_look(block, row->block_bytes, DISK, LBA + 1, &seen), STAMP_WRONG_PLACE);
    assert_int_equal(seen.lba, LBA);
    assert_int_equal(stamp_look(block, row->block_bytes, DISK + 1, LBA, &seen), STAMP_WRONG_PLACE);
    assert_int_equal(seen.disk_id, DISK);
}

static void every_flipped_bit_is_seen(void **state)
{
    const struct row *row = *state;
    uint8_t block[4096];
    struct stamp_seen seen;

    stamp_fill(block, row->block_bytes, stamp_make(1, 1), DISK, LBA);
    for (uint32_t bit = 0; bit < row->block_bytes * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(stamp_look(block, row->block_bytes, DISK, LBA, &seen), STAMP_TORN);
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void halves_of_two_writes_are_torn(void **state)
{
    const struct row *row = *state;
    uint8_t old_block[4096];
    uint8_t new_block[4096];
    struct stamp_seen seen;

    for (uint32_t cut = 8; cut < row->block_bytes; cut += 8) {
        stamp_fill(old_block, row->block_bytes, stamp_make(1, 8), DISK, LBA);
        stamp_fill(new_block, row->block_bytes, stamp_make(1, 9), DISK, LBA);
        memcpy(old_block, new_block, cut);
        assert_int_equal(stamp_look(old_block, row->block_bytes, DISK, LBA, &seen), STAMP_TORN);
        assert_int_equal(stamp_sequence(seen.stamp), 9);
    }
}

static void an_unwritten_block_is_empty_to_its_last_byte(void **state)
{
    const struct row *row = *state;
    uint8_t block[4096] = {0};
    struct stamp_seen seen;

    assert_int_equal(stamp_look(block, row->block_bytes, DISK, LBA, &seen), STAMP_EMPTY);
    assert_int_equal(seen.stamp, STAMP_NONE);
    block[row->block_bytes - 1] = 1;
    assert_int_equal(stamp_look(block, row->block_bytes, DISK, LBA, &seen), STAMP_TORN);
}

/* --- A chunk of several blocks --- */

#define BLOCKS_IN_CHUNK 4u

static struct pool *pool;

static struct chunk *filled_chunk(uint32_t block_bytes)
{
    pool = pool_new();
    struct chunk *chunk = chunk_new(pool, (size_t)block_bytes * BLOCKS_IN_CHUNK);

    stamp_fill_chunk(chunk, block_bytes, stamp_make(1, 7), DISK, LBA);
    return chunk;
}

static void free_chunk(struct chunk *chunk)
{
    chunk_unref(chunk);
    pool_free(pool);
}

/* As a look at each block says, from the first on and with what is noted by then. */
static void expect_looks_to_agree(struct chunk *chunk, uint32_t block_bytes)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < BLOCKS_IN_CHUNK; i++) {
            struct stamp_seen in_chunk = {0};
            struct stamp_seen alone = {0};
            const uint8_t *block = chunk->data + (size_t)i * block_bytes;

            for (int wrong = 0; wrong < 2; wrong++) {
                uint64_t lba = LBA + i + (unsigned)wrong;

                assert_int_equal(
                    stamp_look_in(chunk, i * block_bytes, block_bytes, DISK, lba, &in_chunk),
                    stamp_look(block, block_bytes, DISK, lba, &alone));
                assert_int_equal(in_chunk.stamp, alone.stamp);
                assert_int_equal(in_chunk.lba, alone.lba);
                assert_int_equal(in_chunk.disk_id, alone.disk_id);
            }
        }
    }
}

static void a_chunk_of_one_write_is_noted_and_stays_true(void **state)
{
    const struct row *row = *state;
    struct chunk *chunk = filled_chunk(row->block_bytes);
    uint8_t *second = chunk->data + row->block_bytes;

    assert_int_not_equal(chunk->note, 0);
    expect_looks_to_agree(chunk, row->block_bytes);
    chunk_touch(chunk);
    assert_int_equal(chunk->note, 0);
    expect_looks_to_agree(chunk, row->block_bytes);
    assert_int_not_equal(chunk->note, 0);
    chunk_touch(chunk); /* about to change */
    second[row->block_bytes / 2] ^= 1;
    expect_looks_to_agree(chunk, row->block_bytes);
    chunk_touch(chunk);
    stamp_fill(second, row->block_bytes, stamp_make(2, 9), DISK, LBA + 1);
    expect_looks_to_agree(chunk, row->block_bytes);
    chunk_touch(chunk);
    stamp_fill(second, row->block_bytes, stamp_make(1, 7), DISK, LBA + 2);
    expect_looks_to_agree(chunk, row->block_bytes);
    free_chunk(chunk);
}

static void an_empty_chunk_is_empty_to_its_last_byte(void **state)
{
    const struct row *row = *state;
    struct chunk *chunk = filled_chunk(row->block_bytes);

    chunk_touch(chunk);
    memset(chunk->data, 0, chunk->bytes);
    expect_looks_to_agree(chunk, row->block_bytes);
    chunk_touch(chunk);
    chunk->data[chunk->bytes - 1] = 1;
    expect_looks_to_agree(chunk, row->block_bytes);
    free_chunk(chunk);
}

/* What was noted for blocks of one size says nothing of another, nor of a block that begins
 * elsewhere. */
static void a_note_is_for_its_blocks_alone(void **state)
{
    const struct row *row = *state;
    struct chunk *chunk = filled_chunk(row->block_bytes);
    struct stamp_seen seen;

    expect_looks_to_agree(chunk, row->block_bytes);
    if (row->block_bytes * 2 <= STAMP_BLOCK_MOST)
        assert_int_equal(stamp_look_in(chunk, 0, row->block_bytes * 2, DISK, LBA, &seen),
                         STAMP_TORN);
    assert_int_equal(stamp_look_in(chunk, 8, row->block_bytes, DISK, LBA, &seen), STAMP_TORN);
    free_chunk(chunk);
}

int main(void)
{
    TEST_ROWS(rows, a_chunk_of_one_write_is_noted_and_stays_true);
    TEST_ROWS(rows, an_empty_chunk_is_empty_to_its_last_byte);
    TEST_ROWS(rows, a_note_is_for_its_blocks_alone);
    TEST_ROWS(rows, a_filled_block_is_known_again);
    TEST_ROWS(rows, every_flipped_bit_is_seen);
    TEST_ROWS(rows, halves_of_two_writes_are_torn);
    TEST_ROWS(rows, an_unwritten_block_is_empty_to_its_last_byte);
    return TEST_RUN("initiator.stamp");
}
