/* Echo requests of one host, and what became of each (RFC 792, page 14; RFC 1122, 3.2.2.6).
 *
 * The list knows which requests have no answer yet and builds the frames; the host sends them.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/net/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum ping_result { PING_REPLY, PING_TIMEOUT, PING_UNREACHABLE, PING_TOO_BIG, PING_NO_CARRIER };
const char *ping_result_word(enum ping_result result);

enum icmp_type { ICMP_ECHO_REPLY = 0, ICMP_ECHO_REQUEST = 8 };

struct ip_pings;

/* One request: embedded in what waits for the answer. */
struct ip_ping {
    uint32_t from; /* local */
    uint32_t to;
    uint32_t data_bytes; /* behind the ICMP header: 8972 fills an MTU of 9000 */
    int64_t timeout_ns;
    void (*on_done)(struct ip_ping *ping, enum ping_result result); /* once, from the event loop */
    /* The list's, to be read in on_done. */
    int64_t sent_at_ns;
    int64_t round_trip_ns; /* of a PING_REPLY */
    enum ping_result result;
    uint16_t sequence;
    struct timer timer;
    struct ip_pings *list;
    struct ip_ping *next;
};

struct ip_pings {
    struct clock *clock;   /* borrowed */
    struct pool *pool;     /* borrowed */
    struct ip_ping *first; /* borrowed: those without an answer, the oldest first */
    uint16_t next_sequence;
};

/* Adds 'ping' and returns its request, for the host to send; NULL: no IPv4 packet is as big. */
struct frame *ip_pings_add(struct ip_pings *pings, struct ip_ping *ping);
/* How it will end unless an answer comes first: PING_TIMEOUT after its time-out, else at once. */
void ip_pings_expect(struct ip_pings *pings, struct ip_ping *ping, enum ping_result result);
/* Forgets 'ping' without a word; does nothing if it is done. */
void ip_pings_cancel(struct ip_pings *pings, struct ip_ping *ping);
void ip_pings_cancel_all(struct ip_pings *pings);

/* An echo reply came in. */
void ip_pings_take_reply(struct ip_pings *pings, const struct frame *frame, uint32_t from,
                         uint32_t to);
/* Nobody answers ARP for 'to'. */
void ip_pings_unreachable(struct ip_pings *pings, uint32_t from, uint32_t to);

/* The reply to a request: its identifier, sequence number and data. */
struct frame *ip_ping_answer(struct pool *pool, const struct frame *request);
