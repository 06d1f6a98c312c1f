/* System sockets as a network: the interfaces of sim/core/net.h over the kernel's TCP and libev.
 *
 *     readable -> one read of many PDUs -> on_data        stream_write() -> queue -> one writev
 *
 * What streams queue while the loop handles one round of events leaves at its end, one system call
 * per stream, so that the answers to many commands share a segment. Bytes are read into chunks and
 * handed on as slices of them (inbox.h); nothing is copied.
 *
 * Signals to expect: none (SIGPIPE is not raised). Errors of a socket end its stream with a reason.
 */
#pragma once

#include "sim/core/error.h"
#include "sim/core/net.h"

#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct pacer;
struct pool;
struct socket_net;

#define SOCKET_ROOM_BYTES ((size_t)2 << 20) /* a stream queues so much before its room is 0 */
#define SOCKET_LINGER_S   10.0              /* and has so long to send it after stream_close() */

/* Who hears what concerns no stream. */
struct socket_net_user {
    /* Accepting waits for a file descriptor, or for memory of the kernel: an errno. Not told again
     * before a connection has been taken. */
    void (*on_starved)(struct socket_net_user *user, int code);
};

/* All borrowed. */
struct socket_net_config {
    struct ev_loop *loop;
    struct pacer *pacer; /* brought up to date before a stream's user hears anything */
    struct pool *pool;
    struct socket_net_user *user; /* NULL: nobody */
    double linger_s;              /* 0: SOCKET_LINGER_S */
    int64_t busy_poll_ns;         /* awake, for who was just answered (busy_poll.h); 0: asleep */
};

/* Raises the limit of this process on open files to 'wanted' as far as it may; what it is now. */
uint64_t socket_net_most_files(uint64_t wanted);

struct socket_net *socket_net_new(const struct socket_net_config *config);
/* Streams that are still open end with RST, unheard. */
void socket_net_free(struct socket_net *net);
struct net *socket_net_interface(struct socket_net *net);

/* Why the last listen() said false: an errno. */
int socket_net_error(const struct socket_net *net);
/* Takes no more connections; those that are there stay. */
void socket_net_stop_listening(struct socket_net *net);

/* Streams that are open, or still send what was queued. */
size_t socket_net_streams(const struct socket_net *net);
/* Accepting waits: the process has no file descriptor left. Counted once per wait. */
uint64_t socket_net_starved(const struct socket_net *net);
