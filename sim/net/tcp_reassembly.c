/* The out-of-order queue of a receiver. */
#include "sim/net/tcp_reassembly.h"

#include "sim/core/bytes.h"

static void free_range(struct tcp_reassembly *reassembly, struct pool *pool,
                       struct tcp_range **link)
{
    struct tcp_range *range = *link;

    *link = range->next;
    buf_queue_clear(&range->bytes);
    pool_give(pool, range, sizeof(*range));
    reassembly->range_count--;
}

void tcp_reassembly_clear(struct tcp_reassembly *reassembly, struct pool *pool)
{
    while (reassembly->first)
        free_range(reassembly, pool, &reassembly->first);
}

/* What follows 'range' and now touches it becomes part of it. */
static void swallow_next(struct tcp_reassembly *reassembly, struct pool *pool,
                         struct tcp_range *range)
{
    while (range->next && !sn_before(range->end, range->next->sn)) {
        struct tcp_range *next = range->next;

        if (sn_before(range->end, next->end)) {
            buf_queue_drop(&next->bytes, range->end - next->sn);
            buf_queue_put(&range->bytes, next->bytes.head);
            next->bytes = (struct buf_queue){0};
            range->end = next->end;
        }
        free_range(reassembly, pool, &range->next);
    }
}

void tcp_reassembly_put(struct tcp_reassembly *reassembly, struct pool *pool, uint32_t sn,
                        struct buf *payload)
{
    uint32_t end = sn + (uint32_t)buf_bytes(payload);
    struct tcp_range **link = &reassembly->first;

    /* The first range that ends at 'sn' or later: all before it are of no concern. */
    while (*link && sn_before((*link)->end, sn))
        link = &(*link)->next;
    struct tcp_range *range = *link;

    if (range && !sn_before(sn, range->sn)) { /* begins within the range, or right behind it */
        range->stamp = ++reassembly->stamps;
        if (!sn_before(range->end, end)) {
            buf_free(payload);
            return;
        }
        buf_drop(&payload, range->end - sn);
        buf_queue_put(&range->bytes, payload);
        range->end = end;
        swallow_next(reassembly, pool, range);
        return;
    }
    if (reassembly->range_count == TCP_RANGES_MOST) {
        buf_free(payload);
        return;
    }
    struct tcp_range *fresh = pool_take(pool, sizeof(*fresh));

    fresh->sn = sn;
    fresh->end = end;
    fresh->stamp = ++reassembly->stamps;
    buf_queue_put(&fresh->bytes, payload);
    fresh->next = range;
    *link = fresh;
    reassembly->range_count++;
    swallow_next(reassembly, pool, fresh);
}

bool tcp_reassembly_has(const struct tcp_reassembly *reassembly, uint32_t sn, uint32_t end)
{
    const struct tcp_range *range = reassembly->first;

    while (range && sn_before(range->end, end))
        range = range->next;
    return range && !sn_before(sn, range->sn);
}

struct buf *tcp_reassembly_take(struct tcp_reassembly *reassembly, struct pool *pool,
                                uint32_t next_sn)
{
    while (reassembly->first && !sn_before(next_sn, reassembly->first->sn)) {
        struct tcp_range *range = reassembly->first;
        struct buf *bytes = NULL;

        if (sn_before(next_sn, range->end)) {
            buf_queue_drop(&range->bytes, next_sn - range->sn);
            bytes = range->bytes.head;
            range->bytes = (struct buf_queue){0};
        }
        free_range(reassembly, pool, &reassembly->first);
        if (bytes)
            return bytes;
    }
    return NULL;
}

uint8_t tcp_reassembly_sack(const struct tcp_reassembly *reassembly, struct tcp_sack_block *ret,
                            uint8_t most)
{
    uint32_t before = reassembly->stamps + 1; /* stamps of what was chosen are above */
    uint8_t count = 0;

    while (count < most) {
        const struct tcp_range *newest = NULL;

        for (const struct tcp_range *range = reassembly->first; range; range = range->next) {
            if (sn_before(range->stamp, before) &&
                (!newest || sn_before(newest->stamp, range->stamp)))
                newest = range;
        }
        if (!newest)
            break;
        before = newest->stamp;
        ret[count++] = (struct tcp_sack_block){.left = newest->sn, .right = newest->end};
    }
    return count;
}
