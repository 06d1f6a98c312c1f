/* The TCP of one host: streams over ip_host, as sim/core/net.h promises them.
 *
 * The owner of the host's tcp_conn cores. It finds the connection of each segment by its
 * four-tuple, lends every connection one timer, hands segments to the NIC while that has room, and
 * tells the users what the cores drained. A connection whose NIC is full stands in that NIC's line
 * and goes on, first come first served, when there is room again.
 *
 *     struct stack *stack = stack_new(host, watch);
 *     struct stream *stream = net_connect(stack_net(stack), from, to, &options, &user);
 *
 * What becomes of a connection:
 *   - its NIC loses carrier (after the debounce): options->on_link_down. KEEP lets retransmission
 * go on, ABORT ends all connections of that NIC with CLOSED_LINK_DOWN;
 *   - nobody answers ARP: a connection that is being opened ends with CLOSED_UNREACHABLE
 *     (EHOSTUNREACH), an established one goes on retransmitting;
 *   - a connect while the local NIC has no carrier, or from an address that is not local, ends with
 *     CLOSED_UNREACHABLE in the next event;
 *   - the host loses power: its connections are gone without a segment, users hear CLOSED_LOCAL.
 *
 * Users hear of a FIN as the end of the stream (CLOSED_FIN). What they had queued by then is still
 * sent, and a FIN behind it.
 */
#pragma once

#include "sim/core/net.h"
#include "sim/core/tcp_options.h"
#include "sim/net/ip_host.h"
#include "sim/net/tcp_counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack;
struct stream_watch; /* sim/net/stream_watch.h */
struct counter_sink; /* sim/net/fabric.h */

/* Life cycle. Becomes the TCP of 'host' (borrowed), and takes clock, memory, trace, seed and
 * planted bug from it. 'watch' (borrowed, one per fabric) checks rule P7; NULL: nobody checks.
 * Connections that are alive when the stack is freed vanish, and their users hear nothing. */
struct stack *stack_new(struct ip_host *host, struct stream_watch *watch);
void stack_free(struct stack *stack);

/* What the users of this host see. Valid as long as the stack. To listen twice at one endpoint with
 * one acceptor is no error: the later options count. */
struct net *stack_net(struct stack *stack);
/* The service is gone: from now on a SYN to this endpoint is answered by RST. Connections stay. */
void stack_unlisten(struct stack *stack, struct endpoint at);

/* Power. Off: nothing is sent or understood any more, and no connection or neighbour remembered;
 * listeners are deaf until the power returns. Each is idempotent. */
void stack_power_off(struct stack *stack);
void stack_power_on(struct stack *stack);

/* Connections in any state, TIME-WAIT included, for the leak check of rule P6; and those that still
 * have a user. */
size_t stack_connection_count(const struct stack *stack);
size_t stack_stream_count(const struct stack *stack);

/* Of all connections that this host had with 'remote' from 'local' so far; 0 in both: with anybody.
 * A path's "retransmissions" and "resets" are these of its two addresses. */
struct tcp_counters stack_counters(const struct stack *stack, uint32_t local, uint32_t remote);
/* All of the host's, under its name; counters of 0 are left out. */
void stack_count(const struct stack *stack, struct counter_sink *sink);
