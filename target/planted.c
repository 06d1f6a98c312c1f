/* Planted bugs of the target: see planted.h. */
#include "target/planted.h"

#include <stdlib.h>

#include "sim/core/mem.h"
#include "target/lun.h"

#define uthash_malloc(size) mem_new(size)
#include <uthash.h>

#define EVERY       1000u
#define MOST_CACHED 65536u

struct cache_key {
    uint64_t block;
    uint32_t lun;
    uint32_t portal;
};

struct cached_block {
    struct cache_key key;
    struct buf *data; /* owned: the block's bytes when they were cached */
    UT_hash_handle hh;
};

struct planted {
    enum plant plant;
    struct pool *pool;
    uint64_t write_count;
    struct cached_block *cache;
};

struct planted *planted_new(enum plant plant, struct pool *pool)
{
    if (!plant_is_on(plant, PLANT_D1) && !plant_is_on(plant, PLANT_D2) &&
        !plant_is_on(plant, PLANT_D4) && !plant_is_on(plant, PLANT_D6) &&
        !plant_is_on(plant, PLANT_D7))
        return NULL;
    struct planted *planted = mem_new(sizeof(*planted));

    *planted = (struct planted){.plant = plant, .pool = pool};
    return planted;
}

void planted_forget(struct planted *planted)
{
    while (planted && planted->cache) {
        struct cached_block *entry = planted->cache;

        HASH_DEL(planted->cache, entry);
        buf_free(entry->data);
        pool_give(planted->pool, entry, sizeof(*entry));
    }
}

void planted_free(struct planted *planted)
{
    planted_forget(planted);
    free(planted);
}

static struct cached_block *find(const struct planted *planted, const struct cache_key *key)
{
    struct cached_block *entry = NULL;

    HASH_FIND(hh, planted->cache, key, sizeof(*key), entry);
    return entry;
}

/* Remembers a block, shared. */
static void remember(struct planted *planted, const struct cache_key *key, const struct buf *data,
                     size_t offset, size_t bytes)
{
    struct cached_block *entry = find(planted, key);

    if (!entry) {
        if (HASH_COUNT(planted->cache) >= MOST_CACHED)
            return;
        entry = pool_take(planted->pool, sizeof(*entry));
        entry->key = *key;
        HASH_ADD(hh, planted->cache, key, sizeof(entry->key), entry);
    }
    buf_free(entry->data);
    entry->data = buf_share(data, offset, bytes);
}

static struct cache_key key_at(const struct scsi_task *task, uint64_t offset)
{
    return (struct cache_key){.block = offset >> task->at->block_shift,
                              .lun = task->at->number,
                              .portal = task->nexus->portal_index};
}

/* D4: a write refreshes the cache of the portal that it came through. */
static void refresh_own_cache(struct planted *planted, const struct scsi_task *task)
{
    const struct store_request *request = &task->request;

    for (uint64_t done = 0; done < request->bytes; done += task->at->block_bytes) {
        struct cache_key key = key_at(task, request->offset + done);

        remember(planted, &key, request->data, done, task->at->block_bytes);
    }
}

static void forget_to_write(struct store_request *request)
{
    buf_free(request->data);
    request->data = NULL;
    request->op = STORE_FLUSH; /* takes as long and writes nothing */
}

static void look_only(struct store_request *request, uint32_t block_bytes)
{
    request->op = STORE_MAP;
    request->offset = 0;
    request->bytes = block_bytes;
}

static void tear_last_block(struct store_request *request, uint32_t block_bytes)
{
    struct buf *rest = request->data;

    request->bytes -= block_bytes / 2;
    request->data = buf_cut(&rest, request->bytes);
    buf_free(rest);
}

void planted_before(struct planted *planted, struct scsi_task *task)
{
    struct store_request *request = &task->request;

    if (request->op == STORE_FLUSH && plant_is_on(planted->plant, PLANT_D7))
        look_only(request, task->at->block_bytes);
    if (request->op != STORE_WRITE)
        return;
    bool is_chosen = ++planted->write_count % EVERY == 0;

    if (is_chosen && plant_is_on(planted->plant, PLANT_D1))
        forget_to_write(request);
    else if (is_chosen && plant_is_on(planted->plant, PLANT_D6))
        tear_last_block(request, task->at->block_bytes);
    else if (plant_is_on(planted->plant, PLANT_D4))
        refresh_own_cache(planted, task);
}

/* Each block of a read comes from the cache if it is there, and is remembered if it is not. */
static void serve_from_cache(struct planted *planted, struct scsi_task *task)
{
    struct store_request *request = &task->request;
    struct buf *served = NULL;
    uint64_t from = request->offset;

    while (request->data) {
        size_t left = buf_bytes(request->data);
        size_t bytes = left < task->at->block_bytes ? left : task->at->block_bytes;
        struct buf *block = buf_cut(&request->data, bytes);
        struct cache_key key = key_at(task, from);
        const struct cached_block *entry = find(planted, &key);

        if (entry && buf_bytes(entry->data) >= bytes) {
            buf_free(block);
            block = buf_share(entry->data, 0, bytes);
        } else if (bytes == task->at->block_bytes) {
            remember(planted, &key, block, 0, bytes);
        }
        served = buf_join(served, block);
        from += bytes;
    }
    request->data = served;
}

void planted_after(struct planted *planted, struct scsi_task *task)
{
    if (task->request.op != STORE_READ || task->request.result != STORE_OK)
        return;
    if (plant_is_on(planted->plant, PLANT_D4) ||
        (plant_is_on(planted->plant, PLANT_D2) && task->nexus->portal_index == 1))
        serve_from_cache(planted, task);
}
