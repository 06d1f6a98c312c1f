/* What all parts of one fabric share: clock, memory, seed, digest, and who looks on.
 *
 * The fabric owns it; links, ports, switches and hosts borrow it for their whole life.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/hash.h"
#include "sim/core/plant.h"
#include "sim/core/trace.h"
#include "sim/net/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a frame went no farther. X-macro: name, word for scenario and database. */
#define DROP_REASONS(X)                                                                            \
    X(DROP_QUEUE_FULL, "queue-full")         /* tail drop of a port's buffer */                    \
    X(DROP_TOO_BIG, "too-big")               /* above the MTU of a switch or a receiving NIC */    \
    X(DROP_NO_CARRIER, "no-carrier")         /* no link, or it went while the frame was on it */   \
    X(DROP_POWERED_OFF, "powered-off")       /* lost with the memory of a part without power */    \
    X(DROP_FROZEN, "frozen")                 /* the link is up and nothing passes */               \
    X(DROP_NOT_FORWARDING, "not-forwarding") /* the port is up, its forwarding delay runs */       \
    X(DROP_NO_WAY_OUT, "no-way-out")         /* no port to send it to */                           \
    X(DROP_SAME_PORT, "same-port")       /* the receiver is where it came from (802.1Q, 8.6.1) */  \
    X(DROP_RESERVED, "reserved-address") /* never relayed (802.1Q, table 8-1) */                   \
    X(DROP_TAGGED, "tagged")             /* a VLAN tag on an access port or at a NIC without */    \
    X(DROP_NOT_IN_VLAN, "not-in-vlan")   /* the port does not carry the VLAN of the frame */       \
    X(DROP_BLOCKED, "blocked")           /* the port is blocked, so that there is no loop */       \
    X(DROP_STANDBY, "standby")           /* of aggregated links: this one carries nothing now */   \
    X(DROP_BUFFER_FULL, "buffer-full")   /* the shared buffer of a switch, or the port's share */  \
    X(DROP_CONTROL, "mac-control")       /* a PAUSE that is not honoured, or unknown */            \
    X(DROP_LOSS, "loss")                 /* the fault 'lose' took it */                            \
    X(DROP_CORRUPT, "corrupt")           /* the frame check sequence was wrong */                  \
    X(DROP_BAD_CHECKSUM, "bad-checksum") /* of IPv4, TCP, UDP or ICMP */                           \
    X(DROP_MALFORMED, "malformed")       /* its headers make no sense */                           \
    X(DROP_NOT_MINE, "not-mine")         /* flooded to a NIC that it was not for */                \
    X(DROP_REVERSE_PATH, "reverse-path") /* its answer would leave elsewhere (rp_filter) */        \
    X(DROP_UNREACHABLE, "unreachable")   /* nobody answered the ARP requests for it */             \
    X(DROP_UNKNOWN, "unknown-protocol")  /* nobody here speaks it */

enum drop_reason {
#define X(name, word) name,
    DROP_REASONS(X)
#undef X
        DROP_REASON_COUNT
};

const char *drop_reason_word(enum drop_reason reason);
/* The reason with that word; DROP_REASON_COUNT: there is none. */
enum drop_reason drop_reason_find(const char *word);

/* An MTU lies between what IPv4 needs and what it can say (RFC 791, 3.1). */
#define MTU_LEAST_BYTES 68u
#define MTU_MOST_BYTES  65535u

/* Which way, as seen from a part. */
enum direction { DIRECTION_OUT, DIRECTION_IN, DIRECTION_COUNT };

/* Who looks on, for a capture. It may keep neither frame nor text without a reference or copy. */
struct tap;
struct tap_ops {
    /* A NIC sends (as it enters the transmit queue) or receives (as the host gets it). 'nic' counts
     * the fabric's NICs in the order of their adding. */
    void (*frame)(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                  const struct frame *frame);
    /* A frame leaves (as it enters the queue) or arrives at port 'port_id', of a NIC or a switch:
     * what a promiscuous listener sees there. May be NULL. */
    void (*port_frame)(struct tap *tap, int64_t at_ns, uint32_t port_id, enum direction direction,
                       const struct frame *frame);
    /* 'where' names the part at which the frame ended. */
    void (*drop)(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                 const struct frame *frame);
};
struct tap {
    const struct tap_ops *ops;
};

struct wire {
    struct clock *clock; /* borrowed */
    struct pool *pool;   /* borrowed */
    struct trace *trace; /* borrowed */
    uint64_t seed;
    enum plant planted;
    struct tap *tap; /* borrowed; NULL: nobody looks on */
    uint64_t digest; /* of all frames sent so far */
    uint64_t sent;   /* frames, counted once per hop */
    uint32_t port_count;
};

/* A frame enters the transmit queue of port 'port_id': the digest hears of it. */
static inline void wire_sent(struct wire *wire, uint32_t port_id, struct frame *frame)
{
    uint64_t word = hash_mix(frame_digest(frame), (uint64_t)clock_now_ns(wire->clock));

    wire->digest = hash_mix(wire->digest, word ^ (uint64_t)port_id << 40);
    wire->sent++;
}

/* The end of a frame: tells the tap and gives the reference back. The caller counts. */
void wire_drop(struct wire *wire, const char *where, enum drop_reason reason, struct frame *frame);
