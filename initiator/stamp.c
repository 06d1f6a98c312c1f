/* The content of a written block. Filling and looking must keep up with the fabric: both go over
 * the block once, word by word, in loops that the compiler turns into vector code. */
#include "initiator/stamp.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "sim/core/bytes.h"
#include "sim/core/hash.h"

#define HEADER_BYTES 32u
#define WORD_BYTES   8u

/* Of the filling, and of where it belongs. The seed stays out of the block's hash: seeding XXH3
 * costs as much as hashing a block. */
static uint64_t checksum(const uint8_t *block, uint32_t block_bytes, uint64_t stamp,
                         uint64_t disk_id, uint64_t lba)
{
    uint64_t hash = hash64(block + HEADER_BYTES, block_bytes - HEADER_BYTES, 0);

    return hash_mix(hash_mix(hash_mix(hash, stamp), disk_id), lba);
}

void stamp_fill(uint8_t *block, uint32_t block_bytes, uint64_t stamp, uint64_t disk_id,
                uint64_t lba)
{
    uint64_t word = hash_mix(hash_mix(stamp, disk_id), lba);

    assert(stamp != STAMP_NONE);
    assert(block_bytes >= STAMP_BLOCK_LEAST);
    assert(block_bytes % STAMP_BLOCK_LEAST == 0);
    put_be64(block, stamp);
    put_be64(block + 8, disk_id);
    put_be64(block + 16, lba);
    for (size_t at = HEADER_BYTES; at < block_bytes; at += WORD_BYTES) {
        uint64_t mixed = word ^ word >> 29;

        memcpy(block + at, &mixed, WORD_BYTES);
        word += UINT64_C(0x9e3779b97f4a7c15);
    }
    put_be64(block + 24, checksum(block, block_bytes, stamp, disk_id, lba));
}

static bool is_zero(const uint8_t *block, uint32_t block_bytes)
{
    uint64_t any = 0;

    for (size_t at = 0; at < block_bytes; at += WORD_BYTES) {
        uint64_t word;

        memcpy(&word, block + at, WORD_BYTES);
        any |= word;
    }
    return any == 0;
}

enum stamp_check stamp_look(const uint8_t *block, uint32_t block_bytes, uint64_t disk_id,
                            uint64_t lba, struct stamp_seen *ret_seen)
{
    struct stamp_seen seen = {
        .stamp = get_be64(block),
        .disk_id = get_be64(block + 8),
        .lba = get_be64(block + 16),
    };

    *ret_seen = seen;
    if (seen.stamp == STAMP_NONE)
        return is_zero(block, block_bytes) ? STAMP_EMPTY : STAMP_TORN;
    if (get_be64(block + 24) != checksum(block, block_bytes, seen.stamp, seen.disk_id, seen.lba))
        return STAMP_TORN;
    return seen.disk_id == disk_id && seen.lba == lba ? STAMP_VALID : STAMP_WRONG_PLACE;
}
