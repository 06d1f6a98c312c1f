/* Segments that arrived before their turn: ranges of sequence space, in order, without overlap.
 *
 * Bytes that are held already win over later copies. The number of ranges is bounded; what would
 * exceed it is dropped, for the peer will send it again.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/net/tcp_segment.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_RANGES_MOST 256u

struct tcp_range {
    struct tcp_range *next;
    uint32_t sn;
    uint32_t end;
    uint32_t stamp; /* the arrival that touched it last */
    struct buf_queue bytes;
};

struct tcp_reassembly {
    struct tcp_range *first;
    uint32_t range_count;
    uint32_t stamps;
};

void tcp_reassembly_clear(struct tcp_reassembly *reassembly, struct pool *pool);

/* Takes ownership of 'payload', whose first byte is 'sn'. */
void tcp_reassembly_put(struct tcp_reassembly *reassembly, struct pool *pool, uint32_t sn,
                        struct buf *payload);
/* The bytes that continue at 'next_sn'; NULL: there is still a hole. */
struct buf *tcp_reassembly_take(struct tcp_reassembly *reassembly, struct pool *pool,
                                uint32_t next_sn);

/* At most 'most' SACK blocks, the range touched last first (RFC 2018, 4). Returns how many. */
uint8_t tcp_reassembly_sack(const struct tcp_reassembly *reassembly, struct tcp_sack_block *ret,
                            uint8_t most);
/* Is all of [sn, end) here? */
bool tcp_reassembly_has(const struct tcp_reassembly *reassembly, uint32_t sn, uint32_t end);
