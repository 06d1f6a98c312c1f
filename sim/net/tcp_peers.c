/* Counters by pair of addresses. */
#include "sim/net/tcp_peers.h"

#include "sim/core/mem.h"

#include <stdlib.h>

#include <uthash.h>

#define PAIRS_MOST 8192u

struct pair {
    uint32_t local;
    uint32_t remote;
};

struct tcp_peer {
    UT_hash_handle hh;
    struct pair pair;
    struct tcp_counters counters;
};

void tcp_peers_init(struct tcp_peers *peers)
{
    *peers = (struct tcp_peers){0};
}

void tcp_peers_fini(struct tcp_peers *peers)
{
    struct tcp_peer *peer;
    struct tcp_peer *next;

    HASH_ITER(hh, peers->pairs, peer, next)
    {
        HASH_DEL(peers->pairs, peer);
        free(peer);
    }
}

static struct tcp_peer *find(const struct tcp_peers *peers, uint32_t local, uint32_t remote)
{
    struct pair pair = {.local = local, .remote = remote};
    struct tcp_peer *peer;

    HASH_FIND(hh, peers->pairs, &pair, sizeof(pair), peer); /* NOLINT: all of the key is set */
    return peer;
}

struct tcp_counters *tcp_peers_counters(struct tcp_peers *peers, uint32_t local, uint32_t remote)
{
    struct tcp_peer *peer = find(peers, local, remote);

    if (peer)
        return &peer->counters;
    if (HASH_COUNT(peers->pairs) >= PAIRS_MOST)
        return &peers->others;
    peer = mem_new(sizeof(*peer));
    peer->pair = (struct pair){.local = local, .remote = remote};
    HASH_ADD(hh, peers->pairs, pair, sizeof(peer->pair), peer);
    return &peer->counters;
}

static void add(struct tcp_counters *sum, const struct tcp_counters *counters)
{
#define X(member, word) sum->member += counters->member;
    TCP_COUNTERS(X)
#undef X
}

struct tcp_counters tcp_peers_sum(const struct tcp_peers *peers, uint32_t local, uint32_t remote)
{
    struct tcp_counters sum = {0};

    if (local != 0 || remote != 0) {
        const struct tcp_peer *peer = find(peers, local, remote);

        if (peer)
            sum = peer->counters;
        return sum;
    }
    sum = peers->others;
    for (const struct tcp_peer *peer = peers->pairs; peer; peer = peer->hh.next)
        add(&sum, &peer->counters);
    return sum;
}
