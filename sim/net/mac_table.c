/* The MAC table: a hash for the look-up, and a list by age for who makes room.
 *
 * Nobody moves in the list at each frame, which would touch its neighbours, too: an entry goes to
 * the end when it stood still for a part of the age. So those past their age are among the first,
 * though not alone there.
 */
#include "sim/net/mac_table.h"

#include "sim/core/bytes.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

/* 60 bits spread by one multiplication: the key is small, and every frame is looked up twice. */
#define HASH_FUNCTION(key, key_bytes, hash)                                                        \
    (hash) = (unsigned)((*(const uint64_t *)(const void *)(key)*0x9e3779b97f4a7c15u) >> 32)
/* Two entries in a bucket, not ten: each is a cache line of its own. */
#define HASH_BKT_CAPACITY_THRESH 2u
#include <uthash.h>
#include <utlist.h>

#define STILL_PARTS 8 /* of the age: so long an entry stands still at most */

struct entry {
    uint64_t key; /* VLAN and the six octets */
    int port;
    int64_t heard_at_ns;
    int64_t listed_at_ns; /* when it went to the end of the list; heard then, or later */
    struct entry *prev;
    struct entry *next; /* listed later */
    UT_hash_handle hh;
};

struct mac_table {
    struct entry *by_key;
    struct entry *by_age; /* by listed_at_ns */
    size_t max_entries;
    int64_t age_ns;
};

static uint64_t key_of(uint32_t vlan, struct mac_addr mac)
{
    return (uint64_t)vlan << 48 | (uint64_t)get_be16(mac.octet) << 32 | get_be32(mac.octet + 2);
}

struct mac_table *mac_table_new(size_t max_entries, int64_t age_ns)
{
    struct mac_table *table = mem_new(sizeof(*table));

    assert(max_entries > 0);
    *table = (struct mac_table){.max_entries = max_entries, .age_ns = age_ns};
    return table;
}

void mac_table_free(struct mac_table *table)
{
    if (!table)
        return;
    mac_table_flush(table);
    free(table);
}

static struct entry *find(const struct mac_table *table, uint64_t key)
{
    struct entry *entry = NULL;

    HASH_FIND(hh, table->by_key, &key, sizeof(key), entry);
    return entry;
}

static void forget(struct mac_table *table, struct entry *entry)
{
    HASH_DELETE(hh, table->by_key, entry); /* NOLINT: a hash with 'entry' in it is not empty */
    DL_DELETE(table->by_age, entry);
    free(entry);
}

static bool is_aged(const struct mac_table *table, const struct entry *entry, int64_t now_ns)
{
    return now_ns - entry->heard_at_ns > table->age_ns;
}

static void list_last(struct mac_table *table, struct entry *entry, int64_t now_ns)
{
    entry->listed_at_ns = now_ns;
    DL_APPEND(table->by_age, entry);
}

/* The first of those past their age; NULL: none is. */
static struct entry *find_aged(const struct mac_table *table, int64_t now_ns)
{
    struct entry *entry = table->by_age;

    while (entry && now_ns - entry->listed_at_ns > table->age_ns && !is_aged(table, entry, now_ns))
        entry = entry->next;
    return entry && is_aged(table, entry, now_ns) ? entry : NULL;
}

/* NULL: there is no room. */
static struct entry *add(struct mac_table *table, uint64_t key, int64_t now_ns)
{
    if (mac_table_count(table) == table->max_entries) {
        struct entry *aged = find_aged(table, now_ns);

        if (!aged)
            return NULL;
        forget(table, aged);
    }
    struct entry *entry = mem_new(sizeof(*entry));

    entry->key = key;
    HASH_ADD(hh, table->by_key, key, sizeof(entry->key), entry);
    list_last(table, entry, now_ns);
    return entry;
}

enum mac_learned mac_table_learn(struct mac_table *table, uint32_t vlan, struct mac_addr mac,
                                 int port, int64_t now_ns)
{
    assert(!mac_is_group(mac));
    assert(port >= 0);
    uint64_t key = key_of(vlan, mac);
    struct entry *entry = find(table, key);
    enum mac_learned learned = MAC_NEW;

    if (!entry) {
        entry = add(table, key, now_ns);
        if (!entry)
            return MAC_NO_ROOM;
    } else {
        if (!is_aged(table, entry, now_ns))
            learned = entry->port == port ? MAC_KNOWN : MAC_MOVED;
        if (now_ns - entry->listed_at_ns > table->age_ns / STILL_PARTS) {
            DL_DELETE(table->by_age, entry);
            list_last(table, entry, now_ns);
        }
    }
    entry->port = port;
    entry->heard_at_ns = now_ns;
    return learned;
}

void mac_table_flush(struct mac_table *table)
{
    while (table->by_age)
        forget(table, table->by_age);
}

void mac_table_forget_port(struct mac_table *table, int port)
{
    struct entry *next;

    for (struct entry *entry = table->by_age; entry; entry = next) {
        next = entry->next;
        if (entry->port == port)
            forget(table, entry);
    }
}

void mac_table_set_age_ns(struct mac_table *table, int64_t age_ns)
{
    table->age_ns = age_ns;
}

int mac_table_find(const struct mac_table *table, uint32_t vlan, struct mac_addr mac,
                   int64_t now_ns)
{
    const struct entry *entry = find(table, key_of(vlan, mac));

    if (!entry || is_aged(table, entry, now_ns))
        return MAC_PORT_NONE;
    return entry->port;
}

size_t mac_table_count(const struct mac_table *table)
{
    return HASH_COUNT(table->by_key);
}
