/* Joins the stamps of blocks and the register check, and finds the words for what broke. */
#include "initiator/oracle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "initiator/register_check.h"
#include "initiator/stamp.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#define TEXT_BYTES       320u
#define WRITE_TEXT_BYTES 128u

struct oracle {
    struct oracle_options options;
    struct register_table *table;
    uint64_t when; /* counts starts and ends */
    uint64_t broken_count;
};

struct oracle *oracle_new(const struct oracle_options *options)
{
    struct oracle *oracle = mem_new(sizeof(*oracle));

    assert(options->block_bytes >= STAMP_BLOCK_LEAST);
    assert(options->block_bytes <= STAMP_BLOCK_MOST);
    assert(options->block_bytes % STAMP_BLOCK_LEAST == 0);
    oracle->options = *options;
    oracle->table = register_table_new(options->pool, options->block_count);
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    if (!oracle)
        return;
    register_table_free(oracle->table);
    free(oracle);
}

uint32_t oracle_block_bytes(const struct oracle *oracle)
{
    return oracle->options.block_bytes;
}

uint64_t oracle_block_count(const struct oracle *oracle)
{
    return oracle->options.block_count;
}

uint64_t oracle_disk_id(const struct oracle *oracle)
{
    return oracle->options.disk_id;
}

uint64_t oracle_broken_count(const struct oracle *oracle)
{
    return oracle->broken_count;
}

/* --- Starts --- */

static size_t group_count(const struct oracle_op *op)
{
    uint64_t first = op->lba / REGISTER_GROUP_BLOCKS;
    uint64_t last = (op->lba + op->blocks - 1) / REGISTER_GROUP_BLOCKS;

    return (size_t)(last - first + 1);
}

/* One register_op per group of blocks: the few of a small I/O stand in the operation itself. */
static void take_ops(struct oracle *oracle, struct oracle_op *op)
{
    size_t bytes = group_count(op) * sizeof(*op->ops);

    op->chunk = NULL;
    op->ops = op->few;
    if (bytes <= sizeof(op->few))
        return;
    op->chunk = chunk_new(oracle->options.pool, bytes);
    op->ops = (struct register_op *)(void *)op->chunk->data;
}

static void give_ops(struct oracle_op *op)
{
    chunk_unref(op->chunk);
    op->ops = NULL;
    op->chunk = NULL;
}

/* A block of its n-th group. */
static uint64_t block_in_group(const struct oracle_op *op, size_t n)
{
    return n == 0 ? op->lba : (op->lba / REGISTER_GROUP_BLOCKS + n) * REGISTER_GROUP_BLOCKS;
}

static void start(struct oracle *oracle, struct oracle_op *op, uint64_t lba, uint32_t blocks)
{
    assert(blocks > 0);
    assert(lba < oracle->options.block_count);
    assert(blocks <= oracle->options.block_count - lba);
    op->lba = lba;
    op->blocks = blocks;
    take_ops(oracle, op);
    oracle->when++;
    for (size_t i = 0, count = group_count(op); i < count; i++)
        register_op_starts(oracle->table, block_in_group(op, i), &op->ops[i], oracle->when);
}

static void end_ops(struct oracle *oracle, struct oracle_op *op)
{
    for (size_t i = 0, count = group_count(op); i < count; i++)
        register_op_ends(oracle->table, block_in_group(op, i), &op->ops[i]);
}

void oracle_write_starts(struct oracle *oracle, struct oracle_op *op, uint64_t lba, uint32_t blocks,
                         uint64_t stamp)
{
    assert(stamp != STAMP_NONE);
    start(oracle, op, lba, blocks);
    op->is_write = true;
    op->stamp = stamp;
    for (uint32_t i = 0; i < blocks; i++)
        register_write_starts(oracle->table, lba + i, stamp, oracle->when);
}

void oracle_read_starts(struct oracle *oracle, struct oracle_op *op, uint64_t lba, uint32_t blocks)
{
    start(oracle, op, lba, blocks);
    op->is_write = false;
    op->stamp = STAMP_NONE;
}

/* --- Ends of writes --- */

void oracle_write_ends(struct oracle *oracle, struct oracle_op *op, enum write_end end,
                       int64_t now_ns)
{
    assert(op->is_write);
    oracle->when++;
    end_ops(oracle, op);
    for (uint32_t i = 0; i < op->blocks; i++) {
        uint64_t block = op->lba + i;

        switch (end) {
        case WRITE_ACKNOWLEDGED:
            register_write_acked(oracle->table, block, op->stamp, oracle->when, now_ns);
            break;
        case WRITE_UNKNOWN:
            register_write_unknown(oracle->table, block);
            break;
        case WRITE_NEVER_SENT:
            register_write_void(oracle->table, block, op->stamp);
            break;
        }
    }
    give_ops(op);
}

void oracle_drop(struct oracle *oracle, struct oracle_op *op)
{
    end_ops(oracle, op);
    for (uint32_t i = 0; i < op->blocks; i++) {
        if (op->is_write)
            register_write_unknown(oracle->table, op->lba + i);
        else
            register_read_dropped(oracle->table, op->lba + i);
    }
    give_ops(op);
}

/* --- Words --- */

/* "write #12 of host hv1" */
static const char *name_write(const struct oracle *oracle, uint64_t stamp,
                              char text[static WRITE_TEXT_BYTES])
{
    uint32_t host = stamp_host(stamp);

    if (stamp == STAMP_NONE)
        (void)snprintf(text, WRITE_TEXT_BYTES, "zeros (never written)");
    else if (host < oracle->options.host_count)
        (void)snprintf(text, WRITE_TEXT_BYTES, "write #%" PRIu64 " of host %.64s",
                       stamp_sequence(stamp), oracle->options.host_names[host]);
    else
        (void)snprintf(text, WRITE_TEXT_BYTES, "write #%" PRIu64 " of unknown host %" PRIu32,
                       stamp_sequence(stamp), host);
    return text;
}

struct place {
    const struct oracle_op *op;
    uint64_t lba;
    uint32_t path;
    int64_t at_ns;
};

static void tell(struct oracle *oracle, const struct place *place, const char *rule,
                 const char *text)
{
    struct trace *trace = oracle->options.trace;
    struct trace_broken broken = {
        .rule = rule,
        .host = place->op->host,
        .path = place->path,
        .disk = place->op->disk,
        .lba = place->lba,
        .text = text,
    };

    trace->ops->broken(trace, place->at_ns, &broken);
}

/* What is known of the value that should have come: "had been acknowledged at 1.234 s". */
static void name_standing(const struct register_break *expected, char *text, size_t text_bytes)
{
    int64_t ms = expected->acked_at_ns / 1000000;

    if (expected->is_acked)
        (void)snprintf(text, text_bytes, "had been acknowledged at %" PRId64 ".%03" PRId64 " s",
                       ms / 1000, ms % 1000);
    else
        (void)snprintf(text, text_bytes, "had been read before");
}

static void tell_order(struct oracle *oracle, const struct place *place,
                       enum register_verdict verdict, uint64_t stamp,
                       const struct register_break *expected)
{
    static const struct {
        const char *rule;
        const char *why;
    } words[] = {
        [REGISTER_LOST] = {"D1", ": an acknowledged write is lost"},
        [REGISTER_STALE] = {"D2", " and was read since: a stale read"},
        [REGISTER_FLIPPED] = {"D4", " and came back after an earlier stale read: the block flips"},
    };
    char got[WRITE_TEXT_BYTES];
    char wanted[WRITE_TEXT_BYTES];
    char standing[WRITE_TEXT_BYTES];
    char text[TEXT_BYTES + 3 * WRITE_TEXT_BYTES];

    oracle->broken_count++;
    if (expected->is_told_before)
        return;
    name_standing(expected, standing, sizeof(standing));
    (void)snprintf(text, sizeof(text), "read of disk %.64s returned %s, but %s %s%s",
                   oracle->options.disk_name, name_write(oracle, stamp, got),
                   name_write(oracle, expected->stamp, wanted), standing, words[verdict].why);
    tell(oracle, place, words[verdict].rule, text);
}

static void tell_damage(struct oracle *oracle, const struct place *place, enum stamp_check check,
                        const struct stamp_seen *seen)
{
    char got[WRITE_TEXT_BYTES];
    char text[TEXT_BYTES + WRITE_TEXT_BYTES];

    oracle->broken_count++;
    if (!register_tell_damage(oracle->table, place->lba))
        return;
    if (check == STAMP_WRONG_PLACE) {
        (void)snprintf(text, sizeof(text),
                       "read of disk %.64s (number %" PRIu64 "), LBA %" PRIu64
                       ", returned %s that belongs to disk number %" PRIu64 ", LBA %" PRIu64,
                       oracle->options.disk_name, oracle->options.disk_id, place->lba,
                       name_write(oracle, seen->stamp, got), seen->disk_id, seen->lba);
        tell(oracle, place, "D5", text);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "read of disk %.64s returned a block that begins as %s and whose checksum says "
                   "that no write left it so: it is torn or damaged",
                   oracle->options.disk_name, name_write(oracle, seen->stamp, got));
    tell(oracle, place, "D6", text);
}

/* --- Ends of reads --- */

/* Walks a chain block by block. */
struct cursor {
    const struct buf *slice;
    uint32_t used; /* bytes of 'slice' */
};

static void skip(struct cursor *cursor, uint32_t bytes)
{
    while (cursor->slice && bytes >= cursor->slice->bytes - cursor->used) {
        bytes -= cursor->slice->bytes - cursor->used;
        cursor->slice = cursor->slice->next;
        cursor->used = 0;
    }
    cursor->used += bytes;
}

/* The next 'bytes' in one piece: in place where they lie in a row (segments that were cut out of
 * one chunk do), else copied into 'scratch'. */
static const uint8_t *next_block(struct cursor *cursor, uint32_t bytes, uint8_t *scratch)
{
    const struct buf *slice = cursor->slice;
    const uint8_t *first = buf_data(slice) + cursor->used;
    const uint8_t *end = buf_data(slice) + slice->bytes;
    struct cursor from = *cursor;

    while (end < first + bytes && slice->next && slice->next->chunk == slice->chunk &&
           buf_data(slice->next) == end) {
        slice = slice->next;
        end += slice->bytes;
    }
    skip(cursor, bytes);
    if (end >= first + bytes)
        return first;
    for (uint32_t done = 0; done < bytes;) {
        assert(from.slice);
        uint32_t here = from.slice->bytes - from.used;
        uint32_t part = here < bytes - done ? here : bytes - done;

        memcpy(scratch + done, buf_data(from.slice) + from.used, part);
        done += part;
        skip(&from, part);
    }
    return scratch;
}

static enum stamp_check look_at_next(const struct oracle *oracle, struct cursor *cursor,
                                     uint64_t lba, struct stamp_seen *ret_seen)
{
    uint8_t scratch[STAMP_BLOCK_MOST];
    uint32_t block_bytes = oracle->options.block_bytes;
    uint64_t disk_id = oracle->options.disk_id;
    struct chunk *chunk = cursor->slice->chunk;
    const uint8_t *block = next_block(cursor, block_bytes, scratch);

    if (block == scratch)
        return stamp_look(block, block_bytes, disk_id, lba, ret_seen);
    return stamp_look_in(chunk, (uint32_t)(block - chunk->data), block_bytes, disk_id, lba,
                         ret_seen);
}

void oracle_read_ends(struct oracle *oracle, struct oracle_op *op, const struct buf *data,
                      uint32_t path, int64_t now_ns)
{
    struct cursor cursor = {.slice = data};
    struct place place = {.op = op, .path = path, .at_ns = now_ns};

    assert(!op->is_write);
    if (!data) {
        oracle_drop(oracle, op);
        return;
    }
    assert(buf_bytes(data) == (size_t)op->blocks * oracle->options.block_bytes);
    uint64_t read_start = op->ops[0].start;

    oracle->when++;
    end_ops(oracle, op);
    for (uint32_t i = 0; i < op->blocks; i++) {
        struct stamp_seen seen;
        struct register_break expected;

        place.lba = op->lba + i;
        if (i == 0 || place.lba % REGISTER_GROUP_BLOCKS == 0)
            register_fetch(oracle->table, place.lba);
        enum stamp_check check = look_at_next(oracle, &cursor, place.lba, &seen);

        if (check == STAMP_WRONG_PLACE || check == STAMP_TORN) {
            register_read_dropped(oracle->table, place.lba);
            tell_damage(oracle, &place, check, &seen);
            continue;
        }
        enum register_verdict verdict = register_read_ends(oracle->table, place.lba, read_start,
                                                           seen.stamp, oracle->when, &expected);

        if (verdict != REGISTER_FINE)
            tell_order(oracle, &place, verdict, seen.stamp, &expected);
    }
    give_ops(op);
}
