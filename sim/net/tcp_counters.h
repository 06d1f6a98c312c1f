/* What a host counts of its TCP. */
#pragma once

#include <stdint.h>

/* X-macro: member, name in the table 'counter'. */
#define TCP_COUNTERS(X)                                                                            \
    X(connects, "tcp-connects") /* tried */                                                        \
    X(accepts, "tcp-accepts")   /* handed to an acceptor */                                        \
    X(segments_sent, "tcp-segments-sent")                                                          \
    X(segments_received, "tcp-segments-received")                                                  \
    X(bytes_sent, "tcp-bytes-sent")           /* payload, retransmitted bytes included */          \
    X(bytes_received, "tcp-bytes-received")   /* payload, duplicates included */                   \
    X(retransmissions, "tcp-retransmissions") /* segments sent again, SYN and FIN included */      \
    X(timeouts, "tcp-timeouts")               /* retransmission timer expired */                   \
    X(fast_recoveries, "tcp-fast-recoveries") /* fast retransmit began */                          \
    X(tail_probes, "tcp-tail-probes")         /* RFC 8985, 7 */                                    \
    X(undone, "tcp-undone")                   /* losses that were none */                          \
    X(window_probes, "tcp-window-probes")                                                          \
    X(resets_sent, "tcp-resets-sent")                                                              \
    X(resets_received, "tcp-resets-received") /* that ended a connection */                        \
    X(closed_by_limit, "tcp-closed-by-limit") /* retransmission limit or user timeout */

struct tcp_counters {
#define X(member, word) uint64_t member;
    TCP_COUNTERS(X)
#undef X
};
