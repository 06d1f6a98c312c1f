/* A hash table of four-tuples. */
#include "sim/net/tcp_table.h"

#include "sim/core/hash.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64u

static uint64_t key_hash(struct endpoint local, struct endpoint remote)
{
    uint64_t addresses = (uint64_t)local.address << 32 | remote.address;
    uint64_t ports = (uint64_t)local.port << 16 | remote.port;

    return hash_mix(hash_mix(0, addresses), ports);
}

static int is_same(struct endpoint a, struct endpoint b)
{
    return a.address == b.address && a.port == b.port;
}

void tcp_table_init(struct tcp_table *table)
{
    *table = (struct tcp_table){0};
}

void tcp_table_fini(struct tcp_table *table)
{
    free(table->buckets);
    tcp_table_init(table);
}

static struct tcp_table_entry **bucket_of(const struct tcp_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

struct tcp_table_entry *tcp_table_find(const struct tcp_table *table, struct endpoint local,
                                       struct endpoint remote)
{
    if (table->count == 0)
        return NULL;
    uint64_t hash = key_hash(local, remote);
    struct tcp_table_entry *entry = *bucket_of(table, hash);

    while (entry &&
           !(entry->hash == hash && is_same(entry->local, local) && is_same(entry->remote, remote)))
        entry = entry->next;
    return entry;
}

static void grow(struct tcp_table *table)
{
    struct tcp_table old = *table;

    table->bucket_count = old.bucket_count ? old.bucket_count * 2 : FIRST_BUCKETS;
    table->buckets = mem_array(table->bucket_count, sizeof(struct tcp_table_entry *));
    for (size_t i = 0; i < old.bucket_count; i++) {
        while (old.buckets[i]) {
            struct tcp_table_entry *entry = old.buckets[i];
            struct tcp_table_entry **bucket = bucket_of(table, entry->hash);

            old.buckets[i] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old.buckets);
}

void tcp_table_add(struct tcp_table *table, struct tcp_table_entry *entry, struct endpoint local,
                   struct endpoint remote)
{
    assert(!tcp_table_find(table, local, remote));
    if (table->count == table->bucket_count)
        grow(table);
    *entry =
        (struct tcp_table_entry){.hash = key_hash(local, remote), .local = local, .remote = remote};
    struct tcp_table_entry **bucket = bucket_of(table, entry->hash);

    entry->next = *bucket;
    *bucket = entry;
    table->count++;
}

void tcp_table_remove(struct tcp_table *table, struct tcp_table_entry *entry)
{
    struct tcp_table_entry **link = bucket_of(table, entry->hash);

    while (*link != entry) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = entry->next;
    table->count--;
}
