/* Is there an order of the writes that explains what the reads of a block returned?
 *
 * Each block is an atomic register of its own. Stamps are unique, so each read names its write, and
 * the question is the one that Gibbons and Korach answered (Testing Shared Memories, 1997): per
 * write take the write and the reads that returned it, the earliest finish f and the latest start s
 * among them. With f < s that is a forward zone [f, s], else a backward zone [s, f]. The history is
 * right when no two forward zones overlap, no backward zone lies inside a forward one, and no read
 * ends before its write starts. All three are one test per pair: a and b conflict when
 *
 *     f(a) < s(b)  and  f(b) < s(a)
 *
 * It runs online. "When" is a number that counts starts and ends as they are reported, so no two
 * are equal. A value is forgotten as soon as every read that may still come would conflict with
 * another one; a block at rest keeps one value, in 24 bytes. A write of unknown outcome has finish
 * "never" until a read returns it.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Operations under way are known by group of blocks, so that an I/O of 4 KiB on blocks of 512 bytes
 * is one of them and not eight. */
#define REGISTER_GROUP_BLOCKS 8u

/* An operation on blocks of one group that is under way; linked into the group by start. */
struct register_op {
    struct register_op *next;
    struct register_op *previous;
    uint64_t start;
};

enum register_verdict {
    REGISTER_FINE,
    REGISTER_LOST,    /* an acknowledged value that nobody ever read is not what came back */
    REGISTER_STALE,   /* a value older than one that was read before */
    REGISTER_FLIPPED, /* the same, and after an earlier stale read the newer one had been back */
};

/* What should have come back instead. */
struct register_break {
    uint64_t stamp;
    bool is_acked;
    int64_t acked_at_ns; /* to the millisecond */
    bool is_told_before; /* the same verdict about the same value of this block */
};

/* Life cycle. Values start as 0: never written. All operations must have ended or been dropped
 * before register_table_free(). */
struct register_table;
struct register_table *register_table_new(struct pool *pool, uint64_t block_count);
void register_table_free(struct register_table *table);

/* 'number' is the block's, or that of any block of the group. 'when' grows with every start and end
 * that is reported. 'stamp' is unique among the writes. */

/* First an operation starts in each group that it touches, and ends there; then what it does to
 * each block is told, with the same 'when'. */
void register_op_starts(struct register_table *table, uint64_t number, struct register_op *op,
                        uint64_t when);
void register_op_ends(struct register_table *table, uint64_t number, struct register_op *op);
/* The blocks of the group are looked at soon. */
void register_fetch(const struct register_table *table, uint64_t number);

void register_write_starts(struct register_table *table, uint64_t number, uint64_t stamp,
                           uint64_t when);
void register_write_acked(struct register_table *table, uint64_t number, uint64_t stamp,
                          uint64_t when, int64_t now_ns);
/* It may have been applied, or be applied at any later time, or never. */
void register_write_unknown(struct register_table *table, uint64_t number);
/* It was never sent. */
void register_write_void(struct register_table *table, uint64_t number, uint64_t stamp);

/* The read, which started at 'read_start', returned 'stamp'. A read that breaks the register counts
 * for nothing afterwards. A read needs no word at its start beside the operation's. */
enum register_verdict register_read_ends(struct register_table *table, uint64_t number,
                                         uint64_t read_start, uint64_t stamp, uint64_t when,
                                         struct register_break *ret_break);
/* The read returned nothing that counts. */
void register_read_dropped(struct register_table *table, uint64_t number);

/* Remembers that a damaged block was told; true the first time since its last new value. */
bool register_tell_damage(struct register_table *table, uint64_t number);

/* Blocks that hold more than their one value now: for tests and counters. */
uint64_t register_live_values(const struct register_table *table);
