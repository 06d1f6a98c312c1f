/* Rule P7, watched over all connections of a fabric. */
#include "sim/net/stream_watch.h"

#include "sim/core/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#define FIRST_PIECES 16u

struct way_key {
    uint32_t from_address;
    uint32_t to_address;
    uint16_t from_port;
    uint16_t to_port;
    uint32_t first_sn;
};

/* Bytes of one chunk that were written; it holds a reference. */
struct piece {
    struct chunk *chunk;
    uint32_t offset;
    uint32_t bytes;
};

/* A ring of pieces: side by side in memory, since the next is looked at long after it was put. */
struct piece_ring {
    struct chunk *table; /* of 'capacity' pieces; NULL: none so far */
    uint32_t capacity;   /* a power of two */
    uint32_t first;
    uint32_t count;
};

struct stream_way {
    UT_hash_handle hh;
    struct stream_watch *watch;
    struct way_key key;
    struct piece_ring written; /* and not delivered yet */
    uint64_t delivered_bytes;
    bool has_sender;
    bool has_receiver;
    bool was_received; /* a receiver has been here */
    bool is_reset;
    bool is_broken; /* told once */
};

struct stream_watch {
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct stream_way *ways; /* owned */
    uint64_t broken;
};

struct stream_watch *stream_watch_new(struct clock *clock, struct pool *pool, struct trace *trace)
{
    struct stream_watch *watch = mem_new(sizeof(*watch));

    *watch = (struct stream_watch){.clock = clock, .pool = pool, .trace = trace};
    return watch;
}

static struct piece *piece_at(const struct piece_ring *ring, uint32_t index)
{
    struct piece *pieces = (struct piece *)(void *)ring->table->data;

    return &pieces[(ring->first + index) & (ring->capacity - 1)];
}

static void grow(struct piece_ring *ring, struct pool *pool)
{
    struct piece_ring wider = {.capacity = ring->capacity ? ring->capacity * 2 : FIRST_PIECES,
                               .count = ring->count};

    wider.table = chunk_new(pool, wider.capacity * sizeof(struct piece));
    for (uint32_t i = 0; i < ring->count; i++)
        *piece_at(&wider, i) = *piece_at(ring, i);
    chunk_unref(ring->table);
    *ring = wider;
}

static void put_piece(struct piece_ring *ring, struct pool *pool, const struct buf *slice)
{
    if (ring->count == ring->capacity)
        grow(ring, pool);
    *piece_at(ring, ring->count++) = (struct piece){
        .chunk = chunk_ref(slice->chunk), .offset = slice->offset, .bytes = slice->bytes};
}

static void drop_first(struct piece_ring *ring)
{
    assert(ring->count > 0);
    chunk_unref(piece_at(ring, 0)->chunk);
    ring->first++;
    ring->count--;
}

static void clear(struct piece_ring *ring)
{
    while (ring->count > 0)
        drop_first(ring);
    chunk_unref(ring->table);
    *ring = (struct piece_ring){0};
}

static void free_way(struct stream_way *way)
{
    struct stream_watch *watch = way->watch;

    HASH_DEL(watch->ways, way);
    clear(&way->written);
    pool_give(watch->pool, way, sizeof(*way));
}

void stream_watch_free(struct stream_watch *watch)
{
    if (!watch)
        return;
    while (watch->ways)
        free_way(watch->ways);
    free(watch);
}

static struct way_key key_of(struct endpoint from, struct endpoint to, uint32_t first_sn)
{
    return (struct way_key){.from_address = from.address,
                            .to_address = to.address,
                            .from_port = from.port,
                            .to_port = to.port,
                            .first_sn = first_sn};
}

static struct stream_way *find(struct stream_watch *watch, const struct way_key *key)
{
    struct stream_way *way;

    HASH_FIND(hh, watch->ways, key, sizeof(*key), way);
    return way;
}

struct stream_way *stream_watch_send(struct stream_watch *watch, struct endpoint from,
                                     struct endpoint to, uint32_t first_sn)
{
    struct way_key key = key_of(from, to, first_sn);

    if (!watch ||
        find(watch, &key)) /* the same number again, by chance: who could tell them apart? */
        return NULL;
    struct stream_way *way = pool_take(watch->pool, sizeof(*way));

    way->watch = watch;
    way->key = key;
    way->has_sender = true;
    HASH_ADD(hh, watch->ways, key, sizeof(way->key), way);
    return way;
}

struct stream_way *stream_watch_receive(struct stream_watch *watch, struct endpoint from,
                                        struct endpoint to, uint32_t first_sn)
{
    struct way_key key = key_of(from, to, first_sn);
    struct stream_way *way = watch ? find(watch, &key) : NULL;

    if (!way || way->was_received)
        return NULL;
    way->has_receiver = true;
    way->was_received = true;
    return way;
}

/* Does anybody still compare what is written? */
static bool is_watched(const struct stream_way *way)
{
    return way->has_receiver || !way->was_received;
}

void stream_way_connected(struct stream_way *way)
{
    if (!way || way->was_received)
        return;
    way->was_received = true;
    clear(&way->written);
}

void stream_way_written(struct stream_way *way, const struct buf *data)
{
    if (!way || !is_watched(way))
        return;
    for (; data; data = data->next)
        put_piece(&way->written, way->watch->pool, data);
}

static void tell(struct stream_way *way, const char *what)
{
    char text[256];

    if (way->is_broken)
        return;
    way->is_broken = true;
    way->watch->broken++;
    snprintf(text, sizeof(text),
             "stream from %u.%u.%u.%u:%u to %u.%u.%u.%u:%u: %s, after %llu bytes were right",
             way->key.from_address >> 24, way->key.from_address >> 16 & 255,
             way->key.from_address >> 8 & 255, way->key.from_address & 255, way->key.from_port,
             way->key.to_address >> 24, way->key.to_address >> 16 & 255,
             way->key.to_address >> 8 & 255, way->key.to_address & 255, way->key.to_port, what,
             (unsigned long long)way->delivered_bytes);
    way->watch->trace->ops->broken(way->watch->trace, clock_now_ns(way->watch->clock),
                                   &(struct trace_broken){.rule = "P7",
                                                          .host = TRACE_NONE,
                                                          .path = TRACE_NONE,
                                                          .disk = TRACE_NONE,
                                                          .lba = UINT64_MAX,
                                                          .text = text});
}

/* The next bytes of 'data', all from one chunk on each side, against what was written. */
static bool is_same_piece(const struct piece *written, const struct buf *data, uint32_t at,
                          uint32_t bytes)
{
    const uint8_t *sent = written->chunk->data + written->offset;
    const uint8_t *got = buf_data(data) + at;

    if (data->chunk->is_damaged || written->chunk->is_damaged)
        return true;
    return sent == got || memcmp(sent, got, bytes) == 0;
}

void stream_way_delivered(struct stream_way *way, const struct buf *data)
{
    if (!way || way->is_broken)
        return;
    if (way->is_reset)
        tell(way, "bytes were delivered after a reset");
    for (; data && !way->is_broken; data = data->next) {
        for (uint32_t at = 0; at < data->bytes;) {
            if (way->written.count == 0) {
                tell(way, "bytes were delivered that nobody sent");
                return;
            }
            struct piece *written = piece_at(&way->written, 0);
            uint32_t bytes = data->bytes - at < written->bytes ? data->bytes - at : written->bytes;

            if (!is_same_piece(written, data, at, bytes)) {
                tell(way, "other bytes were delivered than were sent next");
                return;
            }
            written->offset += bytes;
            written->bytes -= bytes;
            if (written->bytes == 0)
                drop_first(&way->written);
            way->delivered_bytes += bytes;
            at += bytes;
        }
    }
}

void stream_way_finished(struct stream_way *way)
{
    if (way && way->written.count > 0)
        tell(way, "the end was delivered before the last byte");
}

void stream_way_reset(struct stream_way *way)
{
    if (way)
        way->is_reset = true;
}

void stream_way_leave(struct stream_way *way, bool is_sender)
{
    if (!way)
        return;
    if (is_sender)
        way->has_sender = false;
    else
        way->has_receiver = false;
    if (!way->has_sender && !way->has_receiver)
        free_way(way);
    else if (!is_watched(way))
        clear(&way->written);
}

size_t stream_watch_live(const struct stream_watch *watch)
{
    return HASH_COUNT(watch->ways);
}

uint64_t stream_watch_broken(const struct stream_watch *watch)
{
    return watch->broken;
}
