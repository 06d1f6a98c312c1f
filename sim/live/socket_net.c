/* System sockets under libev: see socket_net.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/socket_net.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/tcp_options.h"
#include "sim/live/busy_poll.h"
#include "sim/live/inbox.h"
#include "sim/live/pacer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_AT_ONCE   (256u * 1024)  /* of one stream, before others get their turn */
#define SEND_AT_ONCE   (1024u * 1024) /* the same, to one */
#define PIECES_AT_ONCE 256            /* of one writev() */
#define ACCEPT_AT_ONCE 64
#define BACKLOG        1024
#define MOST_ANSWERED  4u /* that are waited for awake */
#define STARVED_WAIT_S 0.1

struct listener {
    struct listener *next;
    struct socket_net *net;
    struct acceptor *acceptor; /* borrowed */
    struct endpoint at;
    int fd;
    ev_io watcher;
    ev_timer starved; /* accepting goes on when it ends */
};

struct socket_stream {
    struct stream stream;
    struct socket_net *net;
    struct socket_stream *next; /* of the net */
    struct socket_stream *previous;
    struct socket_stream *next_dirty;
    int fd;
    ev_io reader;
    ev_io writer;
    ev_timer linger; /* it is let go, and the peer does not take what is queued */
    struct buf_queue out;
    size_t head_sent;               /* bytes of the first slice of 'out' that are gone */
    struct inbox_expected expected; /* of the next read */
    enum close_reason refusal;      /* without a descriptor: why connecting failed at once */
    bool is_connecting;
    bool is_paused;
    bool is_dirty;    /* in the list of those with something to do at the end of the round */
    bool is_let_go;   /* the user is gone: what is queued is sent, then it ends */
    bool is_over;     /* freed at the end of the round */
    bool wants_space; /* the user found no room */
    bool was_blocked; /* the kernel took no more: the writer is on */
};

struct socket_net {
    struct net interface;
    struct socket_net_config config;
    struct listener *listeners;
    struct socket_stream *streams;
    size_t stream_count;
    struct socket_stream *dirty;
    struct inbox inbox;
    ev_prepare prepare;
    ev_idle go_on; /* something is left to do in the next round: no sleep before it */
    bool has_told; /* a user heard something in this round, and may have timers due now */
    struct busy_poll busy_poll;
    struct socket_stream *answered[MOST_ANSWERED]; /* since the last sleep; gone since: NULL */
    unsigned answered_count;                       /* more than fit: nobody is waited for awake */
    uint64_t starved;
    bool is_starved; /* and it was told */
    int error;
};

static struct socket_stream *socket_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct socket_stream, stream);
}

static void mark_dirty(struct socket_stream *s)
{
    if (s->is_dirty)
        return;
    s->is_dirty = true;
    s->next_dirty = s->net->dirty;
    s->net->dirty = s;
}

/* The end of a stream. */

static void stop(struct socket_stream *s)
{
    if (s->fd < 0)
        return;
    ev_io_stop(s->net->config.loop, &s->reader);
    ev_io_stop(s->net->config.loop, &s->writer);
    ev_timer_stop(s->net->config.loop, &s->linger);
    close(s->fd);
    s->fd = -1;
}

/* It is freed at the end of the round: its user may be below us on the stack. */
static void finish(struct socket_stream *s)
{
    stop(s);
    s->is_over = true;
    mark_dirty(s);
}

static void note_answered(struct socket_stream *s)
{
    struct socket_net *net = s->net;

    for (unsigned i = 0; i < net->answered_count && i < MOST_ANSWERED; i++)
        if (net->answered[i] == s)
            return;
    if (net->answered_count < MOST_ANSWERED)
        net->answered[net->answered_count] = s;
    if (net->answered_count <= MOST_ANSWERED)
        net->answered_count++;
}

static void forget_answered(struct socket_stream *s)
{
    for (unsigned i = 0; i < MOST_ANSWERED; i++)
        if (s->net->answered[i] == s)
            s->net->answered[i] = NULL;
}

static void free_stream(struct socket_stream *s)
{
    struct socket_net *net = s->net;

    stop(s);
    forget_answered(s);
    buf_queue_clear(&s->out);
    if (s->previous)
        s->previous->next = s->next;
    else
        net->streams = s->next;
    if (s->next)
        s->next->previous = s->previous;
    net->stream_count--;
    free(s);
}

static enum close_reason reason_of(int code)
{
    switch (code) {
    case ETIMEDOUT:
        return CLOSED_RETRANSMISSION_LIMIT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
        return CLOSED_UNREACHABLE;
    default:
        return CLOSED_RST;
    }
}

static void fail(struct socket_stream *s, enum close_reason reason)
{
    struct stream_user *user = s->is_let_go ? NULL : s->stream.user;

    finish(s);
    if (!user)
        return;
    s->net->has_told = true;
    user->ops->on_closed(user, reason);
}

/* Sending. */

static size_t queued_bytes(const struct socket_stream *s)
{
    return s->out.bytes - s->head_sent;
}

static int gather(const struct socket_stream *s, struct iovec *pieces)
{
    size_t skip = s->head_sent;
    size_t bytes = 0;
    int count = 0;

    for (struct buf *slice = s->out.head; slice && count < PIECES_AT_ONCE && bytes < SEND_AT_ONCE;
         slice = slice->next) {
        pieces[count++] =
            (struct iovec){slice->chunk->data + slice->offset + skip, slice->bytes - skip};
        bytes += slice->bytes - skip;
        skip = 0;
    }
    return count;
}

/* Slices are given back whole; what is gone of the first is remembered. */
static void drop_sent(struct socket_stream *s, size_t bytes)
{
    size_t gone = s->head_sent + bytes;
    size_t whole = 0;

    for (const struct buf *slice = s->out.head; slice && whole + slice->bytes <= gone;
         slice = slice->next)
        whole += slice->bytes;
    buf_queue_drop(&s->out, whole);
    s->head_sent = gone - whole;
}

static void set_blocked(struct socket_stream *s, bool is_blocked)
{
    if (s->was_blocked == is_blocked)
        return;
    s->was_blocked = is_blocked;
    if (is_blocked)
        ev_io_start(s->net->config.loop, &s->writer);
    else
        ev_io_stop(s->net->config.loop, &s->writer);
}

/* What is left goes on in the next round, after others had their turn: a peer with much to get does
 * not make them wait. False: the stream has ended. */
static bool send_queued(struct socket_stream *s)
{
    size_t total = 0;

    while (queued_bytes(s) > 0) {
        if (total >= SEND_AT_ONCE) {
            mark_dirty(s);
            return true;
        }
        struct iovec pieces[PIECES_AT_ONCE];
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)gather(s, pieces)};
        ssize_t sent = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            drop_sent(s, (size_t)sent);
            total += (size_t)sent;
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            set_blocked(s, true);
            return true;
        }
        fail(s, reason_of(errno));
        return false;
    }
    set_blocked(s, false);
    if (total > 0)
        note_answered(s);
    return true;
}

/* What the round left to do for one stream. */
static void settle(struct socket_stream *s)
{
    if (s->fd < 0) {
        fail(s, s->refusal);
        return;
    }
    if (!s->is_connecting && !s->was_blocked && !send_queued(s))
        return;
    if (s->is_let_go && queued_bytes(s) == 0) {
        finish(s);
        return;
    }
    if (s->is_let_go && !ev_is_active(&s->linger))
        ev_timer_again(s->net->config.loop, &s->linger);
    if (s->wants_space && queued_bytes(s) < SOCKET_ROOM_BYTES / 2) {
        s->wants_space = false;
        s->net->has_told = true;
        s->stream.user->ops->on_space(s->stream.user);
    }
}

/* Streams that find something more to do meanwhile wait for the next round. The pacer has set its
 * alarm before this: it has to look again when a user was told something. */
static void end_round(struct socket_net *net)
{
    struct socket_stream *next = net->dirty;

    net->dirty = NULL;
    net->has_told = false;
    while (next) {
        struct socket_stream *s = next;

        next = s->next_dirty;
        s->is_dirty = false;
        if (!s->is_over)
            settle(s);
        if (s->is_over && !s->is_dirty)
            free_stream(s);
    }
}

/* Who was answered a moment ago may ask again in one, and is read without a round of the loop. */
static void wait_awake(struct socket_net *net)
{
    struct pollfd descriptors[MOST_ANSWERED];
    struct socket_stream *streams[MOST_ANSWERED];
    unsigned count = 0;

    for (unsigned i = 0; net->answered_count <= MOST_ANSWERED && i < net->answered_count; i++) {
        if (net->answered[i] && ev_is_active(&net->answered[i]->reader)) {
            streams[count] = net->answered[i];
            descriptors[count++] = (struct pollfd){.fd = net->answered[i]->fd, .events = POLLIN};
        }
    }
    net->answered_count = 0;
    if (!busy_poll_wait(&net->busy_poll, descriptors, count))
        return;
    for (unsigned i = 0; i < count; i++)
        if (descriptors[i].revents)
            ev_invoke(net->config.loop, &streams[i]->reader, EV_READ);
    if (net->config.pacer)
        pacer_catch_up(net->config.pacer);
    end_round(net);
    net->has_told = true;
}

static bool is_more_to_do(const struct socket_net *net)
{
    return net->dirty || net->has_told;
}

static void before_next_round(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop, (void)watcher, (void)events;
}

static void before_sleep(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop, (void)events;
    struct socket_net *net = watcher->data;

    end_round(net);
    if (!is_more_to_do(net))
        wait_awake(net);
    if (is_more_to_do(net))
        ev_idle_start(net->config.loop, &net->go_on);
    else
        ev_idle_stop(net->config.loop, &net->go_on);
}

/* Receiving. */

/* Hands on what a read brought. A full read in hope of a large segment that brought none was the
 * last of its kind. */
static void hand_on(struct socket_stream *s, struct buf *data, bool is_full)
{
    bool was_bulk = s->expected.is_bulk && s->expected.due_bytes < INBOX_BULK_BYTES;

    s->expected.due_bytes = 0;
    if (was_bulk && is_full)
        s->expected.is_bulk = false;
    if (s->is_let_go)
        buf_free(data); /* nobody reads it any more */
    else
        s->stream.user->ops->on_data(s->stream.user, data); /* may expect more */
}

/* One read. False: there is no more now, or the stream has ended. */
static bool receive(struct socket_stream *s, size_t *ret_bytes)
{
    struct inbox *inbox = &s->net->inbox;

    inbox_offer(inbox, &s->expected);
    size_t room = inbox->bytes;
    struct msghdr message = {.msg_iov = inbox->pieces, .msg_iovlen = (size_t)inbox->piece_count};
    ssize_t got = recvmsg(s->fd, &message, MSG_DONTWAIT);

    if (got > 0) {
        *ret_bytes = (size_t)got;
        hand_on(s, inbox_take(inbox, (size_t)got), (size_t)got == room);
        return (size_t)got == room;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    fail(s, got == 0 ? CLOSED_FIN : reason_of(errno));
    return false;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct socket_stream *s = watcher->data;
    size_t total = 0;
    size_t bytes = 0;
    (void)loop, (void)events;

    if (s->net->config.pacer)
        pacer_catch_up(s->net->config.pacer);
    while (!s->is_over && !s->is_paused && total < READ_AT_ONCE && receive(s, &bytes))
        total += bytes;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct socket_stream *s = watcher->data;
    (void)loop, (void)events;

    if (s->net->config.pacer)
        pacer_catch_up(s->net->config.pacer);
    if (s->is_connecting) {
        int code = 0;
        socklen_t size = sizeof(code);

        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &size);
        s->is_connecting = false;
        set_blocked(s, false);
        if (code != 0) {
            fail(s, reason_of(code));
            return;
        }
        ev_io_start(s->net->config.loop, &s->reader);
        if (!s->is_let_go)
            s->stream.user->ops->on_connected(s->stream.user);
    }
    if (!s->is_over) {
        set_blocked(s, false);
        mark_dirty(s);
    }
}

/* The stream's interface. */

static void socket_write(struct stream *stream, struct buf *data)
{
    struct socket_stream *s = socket_of(stream);

    if (s->is_over) {
        buf_free(data);
        return;
    }
    buf_queue_put(&s->out, data);
    if (queued_bytes(s) >= SOCKET_ROOM_BYTES)
        s->wants_space = true;
    mark_dirty(s);
}

static size_t socket_room(const struct stream *stream)
{
    struct socket_stream *s = socket_of((struct stream *)(uintptr_t)stream);
    size_t queued = queued_bytes(s);

    if (queued >= SOCKET_ROOM_BYTES) {
        s->wants_space = true;
        return 0;
    }
    return SOCKET_ROOM_BYTES - queued;
}

static void socket_pause(struct stream *stream)
{
    struct socket_stream *s = socket_of(stream);

    s->is_paused = true;
    ev_io_stop(s->net->config.loop, &s->reader);
}

static void socket_resume(struct stream *stream)
{
    struct socket_stream *s = socket_of(stream);

    s->is_paused = false;
    if (!s->is_over && !s->is_connecting)
        ev_io_start(s->net->config.loop, &s->reader);
}

static void socket_expect(struct stream *stream, uint32_t bytes, uint32_t page_offset)
{
    struct socket_stream *s = socket_of(stream);

    s->expected.due_bytes = bytes;
    s->expected.page_offset = page_offset % INBOX_PAGE_BYTES;
    if (bytes >= INBOX_BULK_BYTES)
        s->expected.is_bulk = true;
}

static void let_go(struct socket_stream *s)
{
    s->is_let_go = true;
    s->wants_space = false;
    s->expected = (struct inbox_expected){0};
    s->stream.user = NULL;
}

static void socket_abort(struct stream *stream);

/* The kernel keeps a connection for ever to a peer that is there and reads nothing. */
static void on_linger_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct socket_stream *s = watcher->data;
    (void)loop, (void)events;

    socket_abort(&s->stream);
}

static void socket_close(struct stream *stream)
{
    struct socket_stream *s = socket_of(stream);

    let_go(s);
    if (s->is_over)
        return;
    /* Still read, so that what the peer sends does not turn our FIN into an RST before it has all;
     * a peer that does not take it in time is cut off: see on_linger_end(). */
    socket_resume(stream);
    mark_dirty(s);
}

static void socket_abort(struct stream *stream)
{
    struct socket_stream *s = socket_of(stream);
    static const struct linger at_once = {.l_onoff = 1};

    let_go(s);
    if (s->is_over)
        return;
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    finish(s);
}

static const struct stream_ops stream_ops = {.write = socket_write,
                                             .room = socket_room,
                                             .pause = socket_pause,
                                             .resume = socket_resume,
                                             .close = socket_close,
                                             .abort = socket_abort,
                                             .expect = socket_expect};

static struct sockaddr_in sockaddr_of(struct endpoint at)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(at.port), .sin_addr.s_addr = htonl(at.address)};
}

static struct endpoint endpoint_of(const struct sockaddr_in *at)
{
    return (struct endpoint){ntohl(at->sin_addr.s_addr), ntohs(at->sin_port)};
}

static struct endpoint local_of(int fd)
{
    struct sockaddr_in at = {0};
    socklen_t size = sizeof(at);

    getsockname(fd, (struct sockaddr *)&at, &size);
    return endpoint_of(&at);
}

static struct socket_stream *stream_new(struct socket_net *net, int fd, struct endpoint remote)
{
    struct socket_stream *s = mem_new(sizeof(*s));
    static const int yes = 1;

    *s = (struct socket_stream){
        .stream = {.ops = &stream_ops, .local = local_of(fd), .remote = remote},
        .net = net,
        .next = net->streams,
        .fd = fd};
    if (net->streams)
        net->streams->previous = s;
    net->streams = s;
    net->stream_count++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    ev_io_init(&s->reader, on_readable, fd, EV_READ);
    ev_io_init(&s->writer, on_writable, fd, EV_WRITE);
    ev_init(&s->linger, on_linger_end);
    s->linger.repeat = net->config.linger_s;
    s->linger.data = s;
    s->reader.data = s;
    s->writer.data = s;
    return s;
}

/* Listening. */

static void on_starved_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct listener *listener = watcher->data;
    (void)events;

    ev_io_start(loop, &listener->watcher);
}

/* No descriptor is left: trying at once again would only burn the processor. */
static void wait_for_descriptors(struct listener *listener, int code)
{
    struct socket_net *net = listener->net;
    struct ev_loop *loop = net->config.loop;

    net->starved++;
    if (!net->is_starved && net->config.user)
        net->config.user->on_starved(net->config.user, code);
    net->is_starved = true;
    ev_io_stop(loop, &listener->watcher);
    ev_timer_set(&listener->starved, STARVED_WAIT_S, 0);
    ev_timer_start(loop, &listener->starved);
}

static void take_connection(struct listener *listener, int fd, struct endpoint remote)
{
    struct socket_stream *s = stream_new(listener->net, fd, remote);

    s->stream.user = listener->acceptor->on_accept(listener->acceptor, &s->stream);
    if (!s->stream.user)
        socket_abort(&s->stream);
    else if (!s->is_paused && !s->is_over)
        ev_io_start(listener->net->config.loop, &s->reader);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct listener *listener = watcher->data;
    (void)loop, (void)events;

    if (listener->net->config.pacer)
        pacer_catch_up(listener->net->config.pacer);
    for (unsigned i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_in from = {0};
        socklen_t size = sizeof(from);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listener->net->is_starved = false;
            take_connection(listener, fd, endpoint_of(&from));
            continue;
        }
        int code = errno;

        if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM)
            wait_for_descriptors(listener, code);
        if (code != EINTR && code != ECONNABORTED)
            return;
    }
}

static struct socket_net *net_of(const struct net *net)
{
    return CONTAINER_OF((struct net *)(uintptr_t)net, struct socket_net, interface);
}

static bool socket_listen(struct net *interface, struct endpoint at,
                          const struct tcp_options *options, struct acceptor *acceptor)
{
    struct socket_net *net = net_of(interface);
    struct sockaddr_in name = sockaddr_of(at);
    static const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)options; /* they are the kernel's here */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 || listen(fd, BACKLOG) != 0) {
        net->error = errno;
        if (fd >= 0)
            close(fd);
        return false;
    }
    struct listener *listener = mem_new(sizeof(*listener));

    *listener = (struct listener){
        .next = net->listeners, .net = net, .acceptor = acceptor, .at = at, .fd = fd};
    net->listeners = listener;
    ev_io_init(&listener->watcher, on_connection, fd, EV_READ);
    ev_timer_init(&listener->starved, on_starved_end, STARVED_WAIT_S, 0);
    listener->watcher.data = listener;
    listener->starved.data = listener;
    ev_io_start(net->config.loop, &listener->watcher);
    return true;
}

/* False: it failed at once, for '*ret_reason'. */
static bool begin_to_connect(int fd, struct endpoint from, struct endpoint to,
                             enum close_reason *ret_reason)
{
    struct sockaddr_in here = sockaddr_of(from);
    struct sockaddr_in there = sockaddr_of(to);

    *ret_reason = CLOSED_LOCAL;
    if (fd < 0)
        return false;
    if ((from.address || from.port) && bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0)
        return false;
    if (connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0 || errno == EINPROGRESS)
        return true;
    *ret_reason = reason_of(errno);
    return false;
}

static struct stream *socket_connect(struct net *interface, struct endpoint from,
                                     struct endpoint to, const struct tcp_options *options,
                                     struct stream_user *user)
{
    struct socket_net *net = net_of(interface);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct socket_stream *s = stream_new(net, fd, to);

    (void)options;
    s->stream.user = user;
    s->is_connecting = true;
    if (begin_to_connect(fd, from, to, &s->refusal)) {
        s->stream.local = local_of(fd);
        set_blocked(s, true);
    } else { /* told from the loop */
        stop(s);
        mark_dirty(s);
    }
    return &s->stream;
}

static bool socket_is_link_up(const struct net *net, uint32_t address)
{
    (void)net, (void)address;
    return true; /* carrier of the machine's own NICs is the kernel's affair */
}

static void socket_watch_link(struct net *net, uint32_t address, struct link_watch *watch)
{
    (void)net, (void)address, (void)watch;
}

/* Life cycle. */

uint64_t socket_net_most_files(uint64_t wanted)
{
    struct rlimit files = {0};

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    if (files.rlim_cur < wanted) {
        rlim_t before = files.rlim_cur;

        files.rlim_cur = wanted < files.rlim_max ? (rlim_t)wanted : files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            files.rlim_cur = before;
    }
    return files.rlim_cur;
}

struct socket_net *socket_net_new(const struct socket_net_config *config)
{
    static const struct net_ops ops = {.connect = socket_connect,
                                       .listen = socket_listen,
                                       .is_link_up = socket_is_link_up,
                                       .watch_link = socket_watch_link};
    struct socket_net *net = mem_new(sizeof(*net));

    *net = (struct socket_net){.interface = {&ops}, .config = *config};
    if (net->config.linger_s <= 0)
        net->config.linger_s = SOCKET_LINGER_S;
    net->busy_poll.most_ns = config->busy_poll_ns;
    inbox_init(&net->inbox, config->pool);
    ev_idle_init(&net->go_on, before_next_round);
    ev_prepare_init(&net->prepare, before_sleep);
    net->prepare.data = net;
    ev_prepare_start(config->loop, &net->prepare);
    return net;
}

void socket_net_stop_listening(struct socket_net *net)
{
    while (net->listeners) {
        struct listener *listener = net->listeners;

        net->listeners = listener->next;
        ev_io_stop(net->config.loop, &listener->watcher);
        ev_timer_stop(net->config.loop, &listener->starved);
        close(listener->fd);
        free(listener);
    }
}

void socket_net_free(struct socket_net *net)
{
    if (!net)
        return;
    socket_net_stop_listening(net);
    end_round(net);
    while (net->streams) {
        struct socket_stream *s = net->streams;

        if (s->fd >= 0)
            socket_abort(&s->stream);
        free_stream(s);
    }
    inbox_fini(&net->inbox);
    ev_idle_stop(net->config.loop, &net->go_on);
    ev_prepare_stop(net->config.loop, &net->prepare);
    free(net);
}

struct net *socket_net_interface(struct socket_net *net)
{
    return &net->interface;
}

int socket_net_error(const struct socket_net *net)
{
    return net->error;
}

size_t socket_net_streams(const struct socket_net *net)
{
    return net->stream_count;
}

uint64_t socket_net_starved(const struct socket_net *net)
{
    return net->starved;
}
