/* A long stream of bytes that anybody can make and check from any place on: the byte at 'offset' of
 * stream 'seed'. For both ends of a bulk transfer, of which one knows nothing of the simulator.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* SplitMix64 of the word's number. */
static inline uint64_t pattern_word(uint64_t seed, uint64_t number)
{
    uint64_t word = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static inline void pattern_fill(uint64_t seed, uint64_t offset, uint8_t *ret_bytes, size_t bytes)
{
    while (bytes > 0) {
        uint64_t word = pattern_word(seed, offset / 8);
        size_t skip = offset % 8;
        size_t part = 8 - skip < bytes ? 8 - skip : bytes;

        memcpy(ret_bytes, (const uint8_t *)&word + skip, part);
        ret_bytes += part;
        offset += part;
        bytes -= part;
    }
}

/* The first byte that differs; 'bytes' if none does. */
static inline size_t pattern_check(uint64_t seed, uint64_t offset, const uint8_t *data,
                                   size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        uint8_t expected[4096];
        size_t part = bytes - done < sizeof(expected) ? bytes - done : sizeof(expected);

        pattern_fill(seed, offset + done, expected, part);
        if (memcmp(data + done, expected, part) != 0) {
            while (data[done] == expected[0] && part > 0) {
                pattern_fill(seed, offset + ++done, expected, 1);
                part--;
            }
            return done;
        }
        done += part;
    }
    return bytes;
}

#define PATTERN_FROM_KERNEL UINT64_C(1)
#define PATTERN_FROM_LAB    UINT64_C(2)
