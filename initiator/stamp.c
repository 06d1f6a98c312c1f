/* The content of a written block. Filling and looking must keep up with the fabric: each goes over
 * the block once, in steps of four words that do not wait for each other. The filling follows from
 * the check word, so that a look can tell a single flipped bit without hashing the block. */
#include "initiator/stamp.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "sim/core/bytes.h"
#include "sim/core/hash.h"

#define HEADER_BYTES 32u
#define WORD_BYTES   8u
#define STEP_WORDS   4u
#define STEP_BYTES   (STEP_WORDS * WORD_BYTES)
#define WORD_STEP    UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio: no word comes twice */

static uint64_t check_word(uint64_t stamp, uint64_t disk_id, uint64_t lba)
{
    return hash_mix(hash_mix(hash_mix(0, stamp), disk_id), lba);
}

/* The n-th word of the filling after 'word'. */
static inline uint64_t filling(uint64_t word, uint64_t n)
{
    uint64_t sum = word + n * WORD_STEP;

    return sum ^ sum >> 29;
}

static inline uint64_t load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, WORD_BYTES);
    return word;
}

static inline void store(uint8_t *at, uint64_t word)
{
    memcpy(at, &word, WORD_BYTES);
}

void stamp_fill(uint8_t *block, uint32_t block_bytes, uint64_t stamp, uint64_t disk_id,
                uint64_t lba)
{
    uint64_t word = check_word(stamp, disk_id, lba);

    assert(stamp != STAMP_NONE);
    assert(block_bytes >= STAMP_BLOCK_LEAST);
    assert(block_bytes % STAMP_BLOCK_LEAST == 0);
    put_be64(block, stamp);
    put_be64(block + 8, disk_id);
    put_be64(block + 16, lba);
    put_be64(block + 24, word);
    for (size_t at = HEADER_BYTES; at < block_bytes; at += STEP_BYTES) {
        store(block + at, filling(word, 1));
        store(block + at + WORD_BYTES, filling(word, 2));
        store(block + at + 2 * WORD_BYTES, filling(word, 3));
        store(block + at + 3 * WORD_BYTES, filling(word, 4));
        word += STEP_WORDS * WORD_STEP;
    }
}

static bool is_filled_from(const uint8_t *block, uint32_t block_bytes, uint64_t word)
{
    uint64_t differs = 0;

    for (size_t at = HEADER_BYTES; at < block_bytes; at += STEP_BYTES) {
        differs |= load(block + at) ^ filling(word, 1);
        differs |= load(block + at + WORD_BYTES) ^ filling(word, 2);
        differs |= load(block + at + 2 * WORD_BYTES) ^ filling(word, 3);
        differs |= load(block + at + 3 * WORD_BYTES) ^ filling(word, 4);
        word += STEP_WORDS * WORD_STEP;
    }
    return differs == 0;
}

static bool is_zero(const uint8_t *block, uint32_t block_bytes)
{
    uint64_t any = 0;

    for (size_t at = 0; at < block_bytes; at += WORD_BYTES)
        any |= load(block + at);
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
    uint64_t word = check_word(seen.stamp, seen.disk_id, seen.lba);

    if (get_be64(block + 24) != word || !is_filled_from(block, block_bytes, word))
        return STAMP_TORN;
    return seen.disk_id == disk_id && seen.lba == lba ? STAMP_VALID : STAMP_WRONG_PLACE;
}

/* --- Notes on chunks --- */

/* 1 to 64: blocks of so many times STAMP_BLOCK_LEAST, in a row, all of one write. */
#define NOTE_EMPTY 254u /* all zero, whatever the blocks are */
#define NOTE_MIXED 255u /* each block has to be looked at */

static struct stamp_seen first_seen(const struct chunk *chunk)
{
    return (struct stamp_seen){
        .stamp = get_be64(chunk->data),
        .disk_id = get_be64(chunk->data + 8),
        .lba = get_be64(chunk->data + 16),
    };
}

static bool is_of_one_write(const struct chunk *chunk, uint32_t block_bytes)
{
    struct stamp_seen first = first_seen(chunk);
    struct stamp_seen seen;

    for (uint32_t i = 0; i < chunk->bytes / block_bytes; i++)
        if (stamp_look(chunk->data + (size_t)i * block_bytes, block_bytes, first.disk_id,
                       first.lba + i, &seen) != STAMP_VALID ||
            seen.stamp != first.stamp)
            return false;
    return true;
}

static uint8_t note_of(const struct chunk *chunk, uint32_t block_bytes)
{
    if (chunk->bytes % block_bytes != 0)
        return NOTE_MIXED;
    if (get_be64(chunk->data) == STAMP_NONE)
        return is_zero(chunk->data, chunk->bytes) ? NOTE_EMPTY : NOTE_MIXED;
    return is_of_one_write(chunk, block_bytes) ? (uint8_t)(block_bytes / STAMP_BLOCK_LEAST)
                                               : NOTE_MIXED;
}

enum stamp_check stamp_look_in(struct chunk *chunk, uint32_t offset, uint32_t block_bytes,
                               uint64_t disk_id, uint64_t lba, struct stamp_seen *ret_seen)
{
    static_assert(STAMP_BLOCK_MOST / STAMP_BLOCK_LEAST < NOTE_EMPTY, "a note has room for a size");
    assert(block_bytes <= STAMP_BLOCK_MOST);
    assert(offset + (uint64_t)block_bytes <= chunk->bytes);
    if (chunk->note == 0)
        chunk->note = note_of(chunk, block_bytes);
    if (chunk->note == NOTE_EMPTY) {
        *ret_seen = (struct stamp_seen){.stamp = STAMP_NONE};
        return STAMP_EMPTY;
    }
    if (chunk->note != block_bytes / STAMP_BLOCK_LEAST || offset % block_bytes != 0)
        return stamp_look(chunk->data + offset, block_bytes, disk_id, lba, ret_seen);
    *ret_seen = first_seen(chunk);
    ret_seen->lba += offset / block_bytes;
    return ret_seen->disk_id == disk_id && ret_seen->lba == lba ? STAMP_VALID : STAMP_WRONG_PLACE;
}

void stamp_fill_chunk(struct chunk *chunk, uint32_t block_bytes, uint64_t stamp, uint64_t disk_id,
                      uint64_t lba)
{
    uint32_t blocks = chunk->bytes / block_bytes;

    assert(chunk->bytes % block_bytes == 0);
    for (uint32_t i = 0; i < blocks; i++)
        stamp_fill(chunk->data + (size_t)i * block_bytes, block_bytes, stamp, disk_id, lba + i);
    chunk->note = note_of(chunk, block_bytes);
}
