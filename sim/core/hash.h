/* 64-bit content hashes (xxHash's XXH3), for the run digest and for buffers. Not for security. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t bytes, uint64_t seed);

/* Folds one more word into a running hash; the order of the words counts. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    hash ^= word + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ hash >> 32;
}
