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

int main(void)
{
    TEST_ROWS(rows, a_filled_block_is_known_again);
    TEST_ROWS(rows, every_flipped_bit_is_seen);
    TEST_ROWS(rows, halves_of_two_writes_are_torn);
    TEST_ROWS(rows, an_unwritten_block_is_empty_to_its_last_byte);
    return TEST_RUN("initiator.stamp");
}
