/* Connections by their four-tuple: found in constant time, whatever their number.
 *
 * Entries are embedded in what they stand for. Chained buckets that double; the order of buckets
 * influences nothing, since the table is only ever asked for one key.
 */
#pragma once

#include "sim/core/net.h"

#include <stddef.h>
#include <stdint.h>

struct tcp_table_entry {
    struct tcp_table_entry *next;
    uint64_t hash;
    struct endpoint local;
    struct endpoint remote;
};

struct tcp_table {
    struct tcp_table_entry **buckets; /* owned */
    size_t bucket_count;              /* a power of two, or 0 */
    size_t count;
};

void tcp_table_init(struct tcp_table *table);
void tcp_table_fini(struct tcp_table *table);

struct tcp_table_entry *tcp_table_find(const struct tcp_table *table, struct endpoint local,
                                       struct endpoint remote);
/* Borrows 'entry', whose key is new; remove it before it dies. */
void tcp_table_add(struct tcp_table *table, struct tcp_table_entry *entry, struct endpoint local,
                   struct endpoint remote);
void tcp_table_remove(struct tcp_table *table, struct tcp_table_entry *entry);
