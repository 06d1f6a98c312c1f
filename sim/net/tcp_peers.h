/* What a host counted of its TCP, by pair of addresses: a path's numbers are those of its pair.
 *
 * A pair is remembered for the life of the host. Their number is bounded; the pairs above that are
 * counted together.
 */
#pragma once

#include "sim/net/tcp_counters.h"

#include <stddef.h>
#include <stdint.h>

struct tcp_peer;

struct tcp_peers {
    struct tcp_peer *pairs;     /* owned */
    struct tcp_counters others; /* of pairs above the bound, and of segments of no connection */
};

void tcp_peers_init(struct tcp_peers *peers);
void tcp_peers_fini(struct tcp_peers *peers);

/* Valid until tcp_peers_fini(). */
struct tcp_counters *tcp_peers_counters(struct tcp_peers *peers, uint32_t local, uint32_t remote);
/* Those of one pair, or with 0 in both, of all. */
struct tcp_counters tcp_peers_sum(const struct tcp_peers *peers, uint32_t local, uint32_t remote);
