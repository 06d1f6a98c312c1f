/* The register check per block.
 *
 * Most blocks, most of the time, have one value and no write under way: the *base*, whose zone lies
 * so far back (f = s = 0) that it only matters whether something newer is finished. What makes a
 * block busy is a list of further values, newest first. */
#include "initiator/register_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/mem.h"

#define PAGE_SHIFT  12u
#define PAGE_BLOCKS (1u << PAGE_SHIFT)
#define PAGE_GROUPS (PAGE_BLOCKS / REGISTER_GROUP_BLOCKS)
#define NEVER       UINT64_MAX /* the finish of what has not finished */

enum {
    VALUE_ACKED = 1 << 0,
    VALUE_SEEN = 1 << 1,   /* a read returned it */
    VALUE_PASSED = 1 << 2, /* a later read returned something older */
    VALUE_BACK = 1 << 3,   /* ... and then a read returned it again */
    TOLD_LOST = 1 << 4,    /* verdicts that were given before */
    TOLD_STALE = 1 << 5,
    TOLD_FLIPPED = 1 << 6,
    TOLD_DAMAGE = 1 << 7,
    BASE_GONE = 1 << 8, /* of a block: no read may return the base any more */
};

struct value {
    struct value *next;
    uint64_t stamp;
    uint64_t finish; /* the earliest of the write and its reads */
    uint64_t start;  /* the latest */
    uint32_t acked_ms;
    uint32_t flags;
};

struct block {
    uint64_t stamp;       /* the base */
    struct value *values; /* beside the base */
    uint32_t acked_ms;
    uint32_t flags; /* of the base */
};

struct page {
    struct register_op *ops[PAGE_GROUPS]; /* under way in a group, a ring from the one that started
                                             first */
    _Alignas(64) struct block blocks[PAGE_BLOCKS]; /* a group is three lines of the cache */
};
static_assert(REGISTER_GROUP_BLOCKS * sizeof(struct block) == 3 * 64, "whole lines");

struct register_table {
    struct pool *pool;
    uint64_t block_count;
    uint64_t live_values;
    size_t page_count;
    struct page **pages; /* NULL: never touched */
};

struct register_table *register_table_new(struct pool *pool, uint64_t block_count)
{
    size_t page_count = (size_t)((block_count + PAGE_BLOCKS - 1) >> PAGE_SHIFT);
    struct register_table *table = mem_new(sizeof(*table));

    table->pages = mem_array(page_count, sizeof(void *));
    table->pool = pool;
    table->block_count = block_count;
    table->page_count = page_count;
    return table;
}

static void free_value(struct register_table *table, struct value *value)
{
    table->live_values--;
    pool_give(table->pool, value, sizeof(*value));
}

void register_table_free(struct register_table *table)
{
    if (!table)
        return;
    for (size_t page = 0; page < table->page_count; page++) {
        for (size_t i = 0; table->pages[page] && i < PAGE_BLOCKS; i++) {
            struct block *block = &table->pages[page]->blocks[i];

            assert(!table->pages[page]->ops[i / REGISTER_GROUP_BLOCKS]);
            while (block->values) {
                struct value *value = block->values;

                block->values = value->next;
                free_value(table, value);
            }
        }
        free(table->pages[page]);
    }
    free(table->pages);
    free(table);
}

static struct page *page_at(struct register_table *table, uint64_t number)
{
    assert(number < table->block_count);
    struct page **page = &table->pages[number >> PAGE_SHIFT];

    if (!*page) {
        *page = mem_aligned(_Alignof(struct page), sizeof(**page));
        memset(*page, 0, sizeof(**page));
    }
    return *page;
}

static struct block *block_at(struct register_table *table, uint64_t number)
{
    return &page_at(table, number)->blocks[number & (PAGE_BLOCKS - 1)];
}

static struct register_op **ops_at(struct register_table *table, uint64_t number)
{
    return &page_at(table, number)->ops[(number & (PAGE_BLOCKS - 1)) / REGISTER_GROUP_BLOCKS];
}

/* --- Operations under way --- */

void register_op_starts(struct register_table *table, uint64_t number, struct register_op *op,
                        uint64_t when)
{
    struct register_op **ops = ops_at(table, number);

    op->start = when;
    if (!*ops) {
        op->next = op;
        op->previous = op;
        *ops = op;
        return;
    }
    op->next = *ops;
    op->previous = (*ops)->previous;
    op->previous->next = op;
    op->next->previous = op;
}

void register_op_ends(struct register_table *table, uint64_t number, struct register_op *op)
{
    struct register_op **ops = ops_at(table, number);

    if (op->next == op) {
        *ops = NULL;
        return;
    }
    op->previous->next = op->next;
    op->next->previous = op->previous;
    if (*ops == op)
        *ops = op->next;
}

void register_fetch(const struct register_table *table, uint64_t number)
{
    const struct page *page = table->pages[number >> PAGE_SHIFT];
    const struct block *blocks;

    if (!page)
        return;
    blocks = &page->blocks[number & (PAGE_BLOCKS - REGISTER_GROUP_BLOCKS)];
    for (int line = 0; line < 3; line++)
        __builtin_prefetch((const char *)blocks + line * 64);
}

/* --- Values --- */

static struct value *find_value(const struct block *block, uint64_t stamp)
{
    struct value *value = block->values;

    while (value && value->stamp != stamp)
        value = value->next;
    return value;
}

static void drop_value(struct register_table *table, struct block *block, struct value *value)
{
    struct value **link = &block->values;

    while (*link != value)
        link = &(*link)->next;
    *link = value->next;
    free_value(table, value);
}

/* The latest start among the values that finished before 'oldest', without 'but'. */
static uint64_t latest_start(const struct block *block, uint64_t oldest, const struct value *but)
{
    uint64_t latest = 0;

    for (const struct value *value = block->values; value; value = value->next) {
        if (value != but && value->finish < oldest && value->start > latest)
            latest = value->start;
    }
    return latest;
}

/* Forgets what no read can return any more. Reads that may still end started at 'oldest' or later,
 * of which those of other blocks of the group make it only earlier:
 * one that returned value v would make s(v) at least that, and conflicts with any u that has
 * f(u) < oldest and s(u) > f(v). All values are weighed before the first one goes, so what is kept
 * never conflicts with what is gone. */
static void prune(struct register_table *table, uint64_t number, struct block *block)
{
    if (!block->values)
        return;
    const struct register_op *first = *ops_at(table, number);
    uint64_t oldest = first ? first->start : NEVER;
    struct value *latest = NULL; /* of those that finished before 'oldest' */

    for (struct value *value = block->values; value; value = value->next) {
        if (value->finish < oldest && (!latest || value->start > latest->start))
            latest = value;
    }
    if (!latest)
        return;
    block->flags |= BASE_GONE;
    uint64_t without_latest = block->values->next ? latest_start(block, oldest, latest) : 0;
    uint64_t with_latest = latest->start;

    for (struct value **link = &block->values; *link;) {
        struct value *value = *link;
        uint64_t other_start = value == latest ? without_latest : with_latest;

        if (value->finish < oldest && other_start > value->finish) {
            *link = value->next;
            free_value(table, value);
        } else {
            link = &value->next;
        }
    }
    struct value *only = block->values; /* at least the one that started last is left */

    assert(only);
    if (!only->next && only->finish != NEVER) {
        block->stamp = only->stamp;
        block->acked_ms = only->acked_ms;
        block->flags = only->flags;
        block->values = NULL;
        free_value(table, only);
    }
}

/* --- Writes --- */

void register_write_starts(struct register_table *table, uint64_t number, uint64_t stamp,
                           uint64_t when)
{
    struct block *block = block_at(table, number);
    struct value *value = pool_take(table->pool, sizeof(*value));

    table->live_values++;
    *value = (struct value){
        .next = block->values,
        .stamp = stamp,
        .finish = NEVER,
        .start = when,
    };
    block->values = value;
}

static uint32_t ms_of(int64_t at_ns)
{
    int64_t ms = at_ns / 1000000;

    return ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void register_write_acked(struct register_table *table, uint64_t number, uint64_t stamp,
                          uint64_t when, int64_t now_ns)
{
    struct block *block = block_at(table, number);
    struct value *value = find_value(block, stamp);

    /* A read may have returned it before: then it is the base already, or even past. */
    if (value) {
        value->finish = value->finish < when ? value->finish : when;
        value->acked_ms = ms_of(now_ns);
        value->flags |= VALUE_ACKED;
    } else if (block->stamp == stamp) {
        block->acked_ms = ms_of(now_ns);
        block->flags |= VALUE_ACKED;
    }
    prune(table, number, block);
}

void register_write_unknown(struct register_table *table, uint64_t number)
{
    struct block *block = block_at(table, number);

    prune(table, number, block);
}

void register_write_void(struct register_table *table, uint64_t number, uint64_t stamp)
{
    struct block *block = block_at(table, number);
    struct value *value = find_value(block, stamp);

    if (value && value->finish == NEVER)
        drop_value(table, block, value);
    prune(table, number, block);
}

/* --- Reads --- */

static void note_seen(uint32_t *flags)
{
    uint32_t add = VALUE_SEEN | (*flags & VALUE_PASSED ? VALUE_BACK : 0);

    if ((*flags & add) != add)
        *flags |= add;
}

/* The value that forbids a cluster with this finish and start; of several the one that started
 * last. */
static struct value *find_conflict(const struct block *block, uint64_t finish, uint64_t start,
                                   const struct value *self)
{
    struct value *worst = NULL;

    for (struct value *value = block->values; value; value = value->next) {
        if (value == self || !(finish < value->start && value->finish < start))
            continue;
        if (!worst || value->start > worst->start)
            worst = value;
    }
    return worst;
}

/* Something came back that is no candidate at all: what was there for certain when the read began?
 * NULL: the base. */
static struct value *newest_before(const struct block *block, uint64_t read_start)
{
    struct value *newest = NULL;
    struct value *any = NULL;

    for (struct value *value = block->values; value; value = value->next) {
        if (value->finish == NEVER)
            continue;
        any = value;
        if (value->finish < read_start && (!newest || value->start > newest->start))
            newest = value;
    }
    return newest || !(block->flags & BASE_GONE) ? newest : any;
}

static enum register_verdict judge(uint64_t stamp, uint32_t acked_ms, uint32_t *flags,
                                   struct register_break *ret_break)
{
    static const struct {
        enum register_verdict verdict;
        uint32_t told;
    } kinds[] = {
        {REGISTER_LOST, TOLD_LOST},
        {REGISTER_STALE, TOLD_STALE},
        {REGISTER_FLIPPED, TOLD_FLIPPED},
    };
    int kind = !(*flags & VALUE_SEEN) ? 0 : !(*flags & VALUE_BACK) ? 1 : 2;

    *ret_break = (struct register_break){
        .stamp = stamp,
        .is_acked = *flags & VALUE_ACKED,
        .acked_at_ns = (int64_t)acked_ms * 1000000,
        .is_told_before = *flags & kinds[kind].told,
    };
    *flags |= VALUE_PASSED | kinds[kind].told;
    return kinds[kind].verdict;
}

static enum register_verdict broken(struct block *block, struct value *expected,
                                    struct register_break *ret_break)
{
    if (expected)
        return judge(expected->stamp, expected->acked_ms, &expected->flags, ret_break);
    return judge(block->stamp, block->acked_ms, &block->flags, ret_break);
}

/* A read of a block that has more than its base, or that returned something else. */
static enum register_verdict read_busy(struct register_table *table, uint64_t number,
                                       struct block *block, uint64_t read_start, uint64_t stamp,
                                       uint64_t when, struct register_break *ret_break)
{
    struct value *value = find_value(block, stamp);
    struct value *conflict;

    if (value) {
        uint64_t finish = value->finish < when ? value->finish : when;
        uint64_t start = value->start > read_start ? value->start : read_start;

        conflict = find_conflict(block, finish, start, value);
        if (!conflict) {
            value->finish = finish;
            value->start = start;
            note_seen(&value->flags);
            prune(table, number, block);
            return REGISTER_FINE;
        }
    } else if (stamp == block->stamp && !(block->flags & BASE_GONE)) {
        conflict = find_conflict(block, 0, read_start, NULL);
        if (!conflict) {
            note_seen(&block->flags);
            prune(table, number, block);
            return REGISTER_FINE;
        }
    } else {
        conflict = newest_before(block, read_start);
    }
    enum register_verdict verdict = broken(block, conflict, ret_break);

    prune(table, number, block);
    return verdict;
}

enum register_verdict register_read_ends(struct register_table *table, uint64_t number,
                                         uint64_t read_start, uint64_t stamp, uint64_t when,
                                         struct register_break *ret_break)
{
    struct block *block = block_at(table, number);

    if (!block->values && block->stamp == stamp) {
        note_seen(&block->flags);
        return REGISTER_FINE;
    }
    return read_busy(table, number, block, read_start, stamp, when, ret_break);
}

void register_read_dropped(struct register_table *table, uint64_t number)
{
    struct block *block = block_at(table, number);

    prune(table, number, block);
}

bool register_tell_damage(struct register_table *table, uint64_t number)
{
    struct block *block = block_at(table, number);
    bool is_first = !(block->flags & TOLD_DAMAGE);

    block->flags |= TOLD_DAMAGE;
    return is_first;
}

uint64_t register_live_values(const struct register_table *table)
{
    return table->live_values;
}
