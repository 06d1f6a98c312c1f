/* What the two halves of a host's TCP share: stack.c (the net, what comes from IPv4, the life of
 * the stack) and stack_conn.c (one connection between its core, its user and the NIC). Nobody else
 * includes this.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/trace.h"
#include "sim/net/stack.h"
#include "sim/net/tcp_conn.h"
#include "sim/net/tcp_peers.h"
#include "sim/net/tcp_table.h"

/* A local NIC: whose carrier is watched, and who stands in line for its room. */
struct stack_nic {
    struct stack_nic *next;
    const struct nic *nic;
    struct link_watch *watches; /* borrowed */
    struct stack_conn *line;    /* borrowed */
};

struct listener {
    struct listener *next;
    struct endpoint at;
    const struct tcp_options *options; /* borrowed, as the acceptor */
    struct acceptor *acceptor;
};

struct stack_conn {
    struct stream stream; /* user: NULL while it has none, or no longer */
    struct tcp_conn core;
    struct timer timer;
    struct stack *stack;
    struct stack_nic *nic; /* NULL: it failed before it had one */
    struct stream_way *out;
    struct stream_way *in;
    struct acceptor *acceptor; /* of a connection that is not established yet */
    struct tcp_table_entry entry;
    struct stack_conn *prev; /* in the list of all; named as utlist wants it */
    struct stack_conn *next;
    struct stack_conn *line_previous;
    struct stack_conn *line_next;
    const void *peer;        /* the other end's struct like this, for frame_fetch_state() */
    int64_t confirmed_at_ns; /* when ARP heard last that the peer is alive */
    bool is_in_table;
    bool is_in_line;
    bool is_paused;
    bool is_served; /* serve() is under way and sees to the rest */
};
static_assert(sizeof(struct stack_conn) <= 1024, "a connection is a block of the pool");

struct stack {
    struct net net;
    struct ip_user ip_user;
    struct ip_host *host;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct stream_watch *watch;
    struct stack_nic *nics;     /* owned */
    struct listener *listeners; /* owned */
    struct stack_conn *conns;   /* owned */
    struct tcp_table table;
    struct tcp_peers peers;
    size_t conn_count;
    size_t half_open_count;
    uint64_t secret; /* of initial sequence numbers (RFC 6528) */
    uint32_t next_ephemeral;
    bool is_off;
};

static inline int64_t stack_now_ns(const struct stack *stack)
{
    return clock_now_ns(stack->clock);
}

/* A connection without a state yet; its user is not set. 'nic' may be NULL: it is going to fail. */
struct stack_conn *stack_conn_new(struct stack *stack, struct stack_nic *nic, struct endpoint local,
                                  struct endpoint remote, const struct tcp_options *options);
void stack_conn_free(struct stack_conn *conn);
/* Segments of its four-tuple are its own from now on. */
void stack_conn_join_table(struct stack_conn *conn);
void stack_conn_leave_line(struct stack_conn *conn);

/* From an event: tells the user, sends, arms the timer. 'conn' may be gone afterwards. */
void stack_conn_serve(struct stack_conn *conn);
/* From a call of the user's, or when there is room at the NIC: sends and arms, but tells nobody.
 * 'conn' may be gone afterwards. */
void stack_conn_go_on(struct stack_conn *conn);
/* Its user is told what there is to tell in an event of its own. */
void stack_conn_tell_later(struct stack_conn *conn);
/* Ends it without a segment; its user hears of it in an event of its own. */
void stack_conn_fail(struct stack_conn *conn, enum close_reason reason);

/* Puts a frame around a segment and sends it. Takes ownership of 'payload'. 'state' as of struct
 * frame; in a SYN it is the sender's own, for the receiver to keep. */
enum ip_sent stack_transmit(struct stack *stack, const struct tcp_segment *segment,
                            struct buf *payload, const void *state, uint32_t from, uint32_t to);
