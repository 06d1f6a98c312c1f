/* Which MAC address answers for an IPv4 address: the neighbours of one host (RFC 826; RFC
 * 1122, 2.3.2).
 *
 * The cache knows entries, their age and the frames that wait for them; whoever owns it sends the
 * requests. The states are drawn in ip_host.h. An entry that is in use but not confirmed is asked
 * at its known address first (RFC 1122, 2.3.2.1, unicast poll).
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/net/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arp_cache;
struct arp_cache_ops {
    /* Ask who has 'address', for a packet from 'source'; 'known' (may be NULL) is where it was
     * last. */
    void (*send_request)(struct arp_cache *cache, uint32_t interface, uint32_t address,
                         uint32_t source, const struct mac_addr *known);
    /* A frame waited, and now it may go. Takes ownership. */
    void (*send_frame)(struct arp_cache *cache, uint32_t interface, struct frame *frame,
                       struct mac_addr to);
    /* A frame waited in vain, or was pushed out by later ones. Takes ownership. */
    void (*drop_frame)(struct arp_cache *cache, uint32_t interface, struct frame *frame);
    /* Nobody answered. */
    void (*on_unreachable)(struct arp_cache *cache, uint32_t interface, uint32_t address);
};

struct arp_config {
    int64_t retry_ns;
    uint32_t tries;
    int64_t reachable_ns;
    uint32_t waiting_frames; /* per entry, 1 or more */
    uint32_t entries;        /* 1 or more */
};

struct arp_entry;
struct arp_cache {
    const struct arp_cache_ops *ops;
    struct clock *clock; /* borrowed */
    struct arp_config config;
    struct arp_entry *entries; /* owned; a hash */
    size_t waiting;            /* frames in all entries */
};

void arp_cache_init(struct arp_cache *cache, struct clock *clock, const struct arp_cache_ops *ops,
                    const struct arp_config *config);
void arp_cache_fini(struct arp_cache *cache); /* drops what waits */

/* The MAC address to send to now; NULL: not known. An old entry is asked again meanwhile. */
const struct mac_addr *arp_cache_find(struct arp_cache *cache, uint32_t interface, uint32_t address,
                                      uint32_t source);
/* Not known: asks, and keeps 'frame' from 'source' until the answer. Takes ownership. */
void arp_cache_wait(struct arp_cache *cache, uint32_t interface, uint32_t address, uint32_t source,
                    struct frame *frame);

/* Somebody says who has 'address'. Without 'may_add' only an entry that exists learns of it. */
void arp_cache_hear(struct arp_cache *cache, uint32_t interface, uint32_t address,
                    struct mac_addr mac, bool may_add);
/* The layer above heard from 'address'. */
void arp_cache_confirm(struct arp_cache *cache, uint32_t interface, uint32_t address);
/* The interface lost carrier: who is behind it is anybody's guess. */
void arp_cache_forget(struct arp_cache *cache, uint32_t interface);
