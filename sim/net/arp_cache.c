/* The ARP cache: a hash by interface and address, and a timer per entry that runs only while
 * somebody is asked. */
#include "sim/net/arp_cache.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>

/* Every frame is looked up: one multiplication instead of a hash of bytes. */
#define HASH_FUNCTION(key, key_bytes, hash)                                                        \
    (hash) = (unsigned)((*(const uint64_t *)(const void *)(key)*0x9e3779b97f4a7c15u) >> 32)
/* Two entries in a bucket, not ten: each is a cache line of its own. */
#define HASH_BKT_CAPACITY_THRESH 2u
#include <uthash.h>

enum arp_state {
    ARP_INCOMPLETE, /* asked, no answer yet; frames wait */
    ARP_REACHABLE,  /* 'mac' answers, or did when last heard of */
    ARP_PROBING,    /* 'mac' is used and asked whether it is still there */
};

struct arp_entry {
    uint64_t key; /* interface, address */
    enum arp_state state;
    uint32_t source; /* of the packet for which it was asked last */
    struct mac_addr mac;
    int64_t confirmed_at_ns;
    uint32_t tries; /* requests sent since it was last confirmed */
    struct timer timer;
    struct arp_cache *cache;
    struct frame **waiting; /* owned, with the frames; the oldest first */
    uint32_t waiting_count;
    UT_hash_handle hh;
};

static uint64_t key_of(uint32_t interface, uint32_t address)
{
    return (uint64_t)interface << 32 | address;
}

static uint32_t interface_of(const struct arp_entry *entry)
{
    return (uint32_t)(entry->key >> 32);
}

static uint32_t address_of(const struct arp_entry *entry)
{
    return (uint32_t)entry->key;
}

static struct arp_entry *find(const struct arp_cache *cache, uint32_t interface, uint32_t address)
{
    uint64_t key = key_of(interface, address);
    struct arp_entry *entry = NULL;

    HASH_FIND(hh, cache->entries, &key, sizeof(key), entry);
    return entry;
}

/* Hands the waiting frames to 'done' one by one. */
static void end_wait(struct arp_entry *entry, bool is_resolved)
{
    struct arp_cache *cache = entry->cache;
    uint32_t count = entry->waiting_count;

    entry->waiting_count = 0;
    cache->waiting -= count;
    for (uint32_t i = 0; i < count; i++) {
        if (is_resolved)
            cache->ops->send_frame(cache, interface_of(entry), entry->waiting[i], entry->mac);
        else
            cache->ops->drop_frame(cache, interface_of(entry), entry->waiting[i]);
    }
}

static void forget(struct arp_entry *entry)
{
    struct arp_cache *cache = entry->cache;

    clock_cancel(cache->clock, &entry->timer);
    HASH_DELETE(hh, cache->entries, entry);
    end_wait(entry, false);
    free(entry->waiting);
    free(entry);
}

static void ask(struct arp_entry *entry)
{
    struct arp_cache *cache = entry->cache;

    entry->tries++;
    clock_arm(cache->clock, &entry->timer,
              time_after(clock_now_ns(cache->clock), cache->config.retry_ns));
    cache->ops->send_request(cache, interface_of(entry), address_of(entry), entry->source,
                             entry->state == ARP_PROBING ? &entry->mac : NULL);
}

static void ask_again(struct timer *timer)
{
    struct arp_entry *entry = CONTAINER_OF(timer, struct arp_entry, timer);
    struct arp_cache *cache = entry->cache;

    if (entry->tries < cache->config.tries) {
        ask(entry);
        return;
    }
    uint32_t interface = interface_of(entry);
    uint32_t address = address_of(entry);

    forget(entry);
    cache->ops->on_unreachable(cache, interface, address);
}

/* The table is full: whoever is known longest makes room; only then one that is being asked. */
static void make_room(struct arp_cache *cache)
{
    struct arp_entry *victim = cache->entries;

    if (HASH_COUNT(cache->entries) < cache->config.entries)
        return;
    for (struct arp_entry *entry = cache->entries; entry; entry = entry->hh.next) {
        if (entry->state == ARP_REACHABLE) {
            victim = entry;
            break;
        }
    }
    forget(victim);
}

static struct arp_entry *add(struct arp_cache *cache, uint32_t interface, uint32_t address)
{
    make_room(cache);
    struct arp_entry *entry = mem_new(sizeof(*entry));

    *entry = (struct arp_entry){.key = key_of(interface, address), .cache = cache};
    timer_init(&entry->timer, ask_again);
    HASH_ADD(hh, cache->entries, key, sizeof(entry->key), entry);
    return entry;
}

static void confirm(struct arp_entry *entry)
{
    clock_cancel(entry->cache->clock, &entry->timer);
    entry->state = ARP_REACHABLE;
    entry->confirmed_at_ns = clock_now_ns(entry->cache->clock);
    entry->tries = 0;
}

void arp_cache_init(struct arp_cache *cache, struct clock *clock, const struct arp_cache_ops *ops,
                    const struct arp_config *config)
{
    assert(config->tries > 0);
    assert(config->waiting_frames > 0);
    assert(config->entries > 0);
    *cache = (struct arp_cache){.ops = ops, .clock = clock, .config = *config};
}

void arp_cache_fini(struct arp_cache *cache)
{
    while (cache->entries)
        forget(cache->entries);
}

const struct mac_addr *arp_cache_find(struct arp_cache *cache, uint32_t interface, uint32_t address,
                                      uint32_t source)
{
    struct arp_entry *entry = find(cache, interface, address);

    if (!entry || entry->state == ARP_INCOMPLETE)
        return NULL;
    int64_t age_ns = clock_now_ns(cache->clock) - entry->confirmed_at_ns;

    if (entry->state == ARP_REACHABLE && age_ns > cache->config.reachable_ns) {
        entry->state = ARP_PROBING;
        entry->source = source;
        ask(entry);
    }
    return &entry->mac;
}

void arp_cache_wait(struct arp_cache *cache, uint32_t interface, uint32_t address, uint32_t source,
                    struct frame *frame)
{
    struct arp_entry *entry = find(cache, interface, address);
    uint32_t most = cache->config.waiting_frames;

    if (!entry) {
        entry = add(cache, interface, address);
        entry->source = source;
        ask(entry);
    }
    assert(entry->state == ARP_INCOMPLETE);
    if (!entry->waiting)
        entry->waiting = mem_array(most, sizeof(struct frame *)); /* NOLINT: pointers are meant */
    if (entry->waiting_count == most) {
        struct frame *oldest = entry->waiting[0];

        for (uint32_t i = 1; i < most; i++)
            entry->waiting[i - 1] = entry->waiting[i];
        entry->waiting_count--;
        cache->waiting--;
        cache->ops->drop_frame(cache, interface, oldest);
    }
    entry->waiting[entry->waiting_count++] = frame;
    cache->waiting++;
}

void arp_cache_hear(struct arp_cache *cache, uint32_t interface, uint32_t address,
                    struct mac_addr mac, bool may_add)
{
    struct arp_entry *entry = find(cache, interface, address);

    if (!entry && !may_add)
        return;
    if (!entry)
        entry = add(cache, interface, address);
    entry->mac = mac;
    confirm(entry);
    end_wait(entry, true);
}

void arp_cache_confirm(struct arp_cache *cache, uint32_t interface, uint32_t address)
{
    struct arp_entry *entry = find(cache, interface, address);

    if (entry && entry->state != ARP_INCOMPLETE)
        confirm(entry);
}

void arp_cache_forget(struct arp_cache *cache, uint32_t interface)
{
    struct arp_entry *next;

    for (struct arp_entry *entry = cache->entries; entry; entry = next) {
        next = entry->hh.next;
        if (interface_of(entry) == interface)
            forget(entry);
    }
}
