/* The network as its users see it: byte streams between addresses, and the carrier of local NICs.
 *
 * Implemented by the TCP of sim/net over virtual cables, and by system sockets. Calls into a
 * stream never call back before they return; callbacks come from the event loop alone.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct endpoint {
    uint32_t address; /* IPv4, host byte order; 0: any */
    uint16_t port;    /* 0: any */
};

#define IPV4(a, b, c, d)                                                                           \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* X-macro: name, and the word for trace and database. */
#define CLOSE_REASONS(X)                                                                           \
    X(CLOSED_FIN, "fin") /* the peer closed in good order */                                       \
    X(CLOSED_RST, "rst") /* the peer reset, or refused, the connection */                          \
    X(CLOSED_RETRANSMISSION_LIMIT, "retransmission-limit") /* nobody acknowledges any more */      \
    X(CLOSED_USER_TIMEOUT, "user-timeout")                                                         \
    X(CLOSED_LINK_DOWN, "link-down")     /* the local NIC lost carrier; host policy */             \
    X(CLOSED_UNREACHABLE, "unreachable") /* no carrier, no ARP answer, no route */                 \
    X(CLOSED_LOCAL, "local")             /* this host went down */

enum close_reason {
#define X(name, word) name,
    CLOSE_REASONS(X)
#undef X
};

const char *close_reason_word(enum close_reason reason);

/* What the user of a stream hears. */
struct stream_user;
struct stream_user_ops {
    void (*on_connected)(struct stream_user *user); /* of connect() only; at most once */
    /* Bytes in order. Takes ownership of 'data'. Not called while reading is paused. */
    void (*on_data)(struct stream_user *user, struct buf *data);
    void (*on_space)(struct stream_user *user); /* stream_room() grew from 0, or from below a write
                                                   that did not fit */
    /* The end; at most once, nothing comes after it and the stream is gone. A FIN is reported
     * after all data before it. */
    void (*on_closed)(struct stream_user *user, enum close_reason reason);
};
struct stream_user {
    const struct stream_user_ops *ops;
};

struct stream;
struct stream_ops {
    void (*write)(struct stream *stream, struct buf *data);
    size_t (*room)(const struct stream *stream);
    void (*pause)(struct stream *stream);
    void (*resume)(struct stream *stream);
    void (*close)(struct stream *stream);
    void (*abort)(struct stream *stream);
    void (*expect)(struct stream *stream, uint32_t bytes, uint32_t page_offset); /* may be NULL */
};
struct stream {
    const struct stream_ops *ops;
    struct stream_user *user; /* borrowed; set by connect() or by the acceptor */
    struct endpoint local;
    struct endpoint remote;
};

/* Queues bytes for the peer. Takes ownership of 'data'. More than stream_room() is allowed, for a
 * unit that cannot be cut: the room is then 0 until enough was acknowledged. */
static inline void stream_write(struct stream *stream, struct buf *data)
{
    stream->ops->write(stream, data);
}
/* Bytes that may be queued now. */
static inline size_t stream_room(const struct stream *stream)
{
    return stream->ops->room(stream);
}
/* Stops on_data (the receive window then closes), and lets it go on. */
static inline void stream_pause(struct stream *stream)
{
    stream->ops->pause(stream);
}
static inline void stream_resume(struct stream *stream)
{
    stream->ops->resume(stream);
}
/* Sends what is queued, then FIN. The user hears no more and must forget the stream. */
static inline void stream_close(struct stream *stream)
{
    stream->ops->close(stream);
}
/* Sends RST. The user hears no more and must forget the stream. */
static inline void stream_abort(struct stream *stream)
{
    stream->ops->abort(stream);
}

/* A hint, until the next on_data: 'bytes' of data come next, for pages of a store, the first of
 * them 'page_offset' bytes into one. Who can then reads them into chunks of their own, page by
 * page. */
static inline void stream_expect(struct stream *stream, uint32_t bytes, uint32_t page_offset)
{
    if (stream->ops->expect)
        stream->ops->expect(stream, bytes, page_offset);
}

struct tcp_options; /* sim/core/tcp_options.h */

/* Who takes the connections to a listening endpoint. Returns the user of the new stream, which is
 * connected; NULL refuses it (RST). */
struct acceptor {
    struct stream_user *(*on_accept)(struct acceptor *acceptor, struct stream *stream);
};

/* Who wants to know of the carrier of a local NIC, after the driver's debounce. */
struct link_watch {
    void (*on_link)(struct link_watch *watch, bool is_up);
    struct link_watch *next; /* the net's */
};

struct net;
struct net_ops {
    struct stream *(*connect)(struct net *net, struct endpoint from, struct endpoint to,
                              const struct tcp_options *options, struct stream_user *user);
    bool (*listen)(struct net *net, struct endpoint at, const struct tcp_options *options,
                   struct acceptor *acceptor);
    bool (*is_link_up)(const struct net *net, uint32_t address);
    void (*watch_link)(struct net *net, uint32_t address, struct link_watch *watch);
};
/* One host's view of the network. */
struct net {
    const struct net_ops *ops;
};

/* A new stream from 'from' (its address must be local; port 0: chosen) to 'to'. Never NULL: a
 * failure is told by on_closed, later. 'options' and 'user' are borrowed for the stream's life. */
static inline struct stream *net_connect(struct net *net, struct endpoint from, struct endpoint to,
                                         const struct tcp_options *options,
                                         struct stream_user *user)
{
    return net->ops->connect(net, from, to, options, user);
}
/* False if the endpoint is taken or the address is not local. 'options', 'acceptor': borrowed. */
static inline bool net_listen(struct net *net, struct endpoint at,
                              const struct tcp_options *options, struct acceptor *acceptor)
{
    return net->ops->listen(net, at, options, acceptor);
}
/* Does the NIC that owns 'address' have carrier? */
static inline bool net_is_link_up(const struct net *net, uint32_t address)
{
    return net->ops->is_link_up(net, address);
}
/* Calls 'watch' at each later change. 'watch' is borrowed for the life of the net. */
static inline void net_watch_link(struct net *net, uint32_t address, struct link_watch *watch)
{
    net->ops->watch_link(net, address, watch);
}
