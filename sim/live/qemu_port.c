/* A guest behind QEMU's stream socket. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/qemu_port.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/live/frame_pieces.h"
#include "sim/live/unix_socket.h"
#include "sim/net/frame_codec.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_BYTES 4u
#define INPUT_BYTES  ((size_t)256 * 1024) /* more than two of the largest frames */
#define QUEUE_FRAMES 1024u                /* for a guest that is slow to read */

static_assert(INPUT_BYTES >= 2 * (LENGTH_BYTES + FRAME_MOST_BYTES), "a frame always fits");

struct qemu_port {
    struct outside outside;
    char *path;    /* owned */
    int listen_fd; /* owned */
    int guest_fd;  /* owned; -1: nobody is there */
    ev_io listener;
    ev_io reader;
    ev_io writer;
    uint8_t *input; /* owned, INPUT_BYTES */
    size_t input_bytes;
    struct frame *queue[QUEUE_FRAMES]; /* a ring of references that were not sent yet */
    uint32_t queue_first;
    uint32_t queue_count;
    size_t first_sent_bytes; /* of the first one, its length included */
    bool is_reading;
};

static struct qemu_port *of_outside(struct outside *outside)
{
    return CONTAINER_OF(outside, struct qemu_port, outside);
}

/* The guest. */

static void drop_queue(struct qemu_port *port)
{
    while (port->queue_count > 0) {
        frame_unref(port->queue[port->queue_first]);
        port->queue_first = (port->queue_first + 1) % QUEUE_FRAMES;
        port->queue_count--;
    }
    port->first_sent_bytes = 0;
}

static void guest_leaves(struct qemu_port *port)
{
    if (port->guest_fd < 0)
        return;
    ev_io_stop(port->outside.loop, &port->reader);
    ev_io_stop(port->outside.loop, &port->writer);
    close(port->guest_fd);
    port->guest_fd = -1;
    port->input_bytes = 0;
    drop_queue(port);
    nic_power_off(port->outside.nic);
}

static void on_guest(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct qemu_port *port = watcher->data;
    int fd = unix_socket_accept(port->listen_fd);
    (void)events;

    if (fd < 0)
        return;
    if (port->guest_fd >= 0) { /* a NIC has one owner */
        close(fd);
        return;
    }
    outside_may_read(&port->outside); /* the world is brought up to date */
    port->guest_fd = fd;
    ev_io_set(&port->reader, fd, EV_READ);
    ev_io_set(&port->writer, fd, EV_WRITE);
    ev_io_start(loop, &port->reader);
    port->is_reading = true;
    nic_power_on(port->outside.nic);
}

/* Sending. */

/* False: the socket takes no more for now, or the guest has gone. */
static bool send_first(struct qemu_port *port)
{
    struct frame *frame = port->queue[port->queue_first];
    struct frame_pieces pieces;
    uint8_t length[LENGTH_BYTES];

    put_be32(length, frame_bytes(frame));
    frame_pieces_init(&pieces, frame, length, sizeof(length));
    frame_pieces_skip(&pieces, port->first_sent_bytes);
    size_t left = pieces.bytes;
    struct msghdr message = {.msg_iov = pieces.pieces, .msg_iovlen = (size_t)pieces.count};
    ssize_t sent = sendmsg(port->guest_fd, &message, MSG_NOSIGNAL);

    frame_pieces_fini(&pieces);
    if (sent < 0)
        return errno == EINTR;
    port->first_sent_bytes += (size_t)sent;
    if ((size_t)sent < left)
        return false;
    frame_unref(frame);
    port->queue_first = (port->queue_first + 1) % QUEUE_FRAMES;
    port->queue_count--;
    port->first_sent_bytes = 0;
    return true;
}

static void send_queue(struct qemu_port *port)
{
    while (port->queue_count > 0 && send_first(port))
        ;
    if (port->queue_count > 0)
        ev_io_start(port->outside.loop, &port->writer);
    else
        ev_io_stop(port->outside.loop, &port->writer);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    send_queue(watcher->data);
}

static bool send_frame(struct outside *outside, struct frame *frame)
{
    struct qemu_port *port = of_outside(outside);

    if (port->guest_fd < 0 || port->queue_count == QUEUE_FRAMES)
        return false;
    port->queue[(port->queue_first + port->queue_count++) % QUEUE_FRAMES] = frame_ref(frame);
    if (port->queue_count == 1)
        send_queue(port);
    return true;
}

/* Receiving. */

/* The bytes of the first frame in the input with its length; 0: not whole; SIZE_MAX: nonsense. */
static size_t first_frame(const struct qemu_port *port, size_t at)
{
    size_t left = port->input_bytes - at;

    if (left < LENGTH_BYTES)
        return 0;
    size_t bytes = get_be32(port->input + at);

    if (bytes > FRAME_MOST_BYTES)
        return SIZE_MAX;
    return left < LENGTH_BYTES + bytes ? 0 : LENGTH_BYTES + bytes;
}

/* Frames in the input go into the fabric, as far as it takes them now. */
static void take_input(struct qemu_port *port)
{
    size_t at = 0;
    size_t bytes;

    while ((bytes = first_frame(port, at)) != 0) {
        if (bytes == SIZE_MAX) {
            port->outside.counts.dropped_malformed++;
            guest_leaves(port);
            return;
        }
        if (!outside_may_read(&port->outside) || port->guest_fd < 0)
            break;
        outside_take(&port->outside, frame_read(port->outside.pool, port->input + at + LENGTH_BYTES,
                                                bytes - LENGTH_BYTES));
        at += bytes;
    }
    if (port->guest_fd < 0)
        return;
    port->input_bytes -= at;
    memmove(port->input, port->input + at, port->input_bytes);
    if (port->is_reading && first_frame(port, 0) != 0) /* which no socket event would tell */
        ev_feed_event(port->outside.loop, &port->reader, EV_READ);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct qemu_port *port = watcher->data;
    (void)loop, (void)events;

    take_input(port); /* what was left when the fabric took no more */
    if (port->guest_fd < 0 || !port->is_reading || port->input_bytes == INPUT_BYTES)
        return;
    ssize_t bytes =
        read(port->guest_fd, port->input + port->input_bytes, INPUT_BYTES - port->input_bytes);

    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (bytes <= 0) {
        outside_may_read(&port->outside); /* the world is brought up to date */
        guest_leaves(port);
        return;
    }
    port->input_bytes += (size_t)bytes;
    take_input(port);
}

static void set_reading(struct outside *outside, bool is_reading)
{
    struct qemu_port *port = of_outside(outside);

    port->is_reading = is_reading;
    if (port->guest_fd < 0)
        return;
    if (is_reading) {
        ev_io_start(outside->loop, &port->reader);
        if (port->input_bytes > 0) /* which no socket event would tell */
            ev_feed_event(outside->loop, &port->reader, EV_READ);
    } else {
        ev_io_stop(outside->loop, &port->reader);
    }
}

static void ignore_carrier(struct outside *outside, bool is_up)
{
    (void)outside, (void)is_up; /* the protocol has no word for it */
}

static void close_port(struct outside *outside)
{
    struct qemu_port *port = of_outside(outside);

    outside_fini(outside);
    guest_leaves(port);
    ev_io_stop(outside->loop, &port->listener);
    close(port->listen_fd);
    (void)unlink(port->path);
    free(port->input);
    free(port->path);
    free(port);
}

bool qemu_port_check(const char *path, struct error *err)
{
    return unix_socket_check(path, err);
}

struct outside *qemu_port_open(const char *path, const struct outside_config *config,
                               struct error *err)
{
    static const struct outside_ops ops = {.send = send_frame,
                                           .set_reading = set_reading,
                                           .on_carrier = ignore_carrier,
                                           .close = close_port};
    int fd = unix_socket_listen(path, err);

    if (fd < 0)
        return NULL;
    struct qemu_port *port = mem_new(sizeof(*port));

    *port = (struct qemu_port){.path = mem_text(path),
                               .listen_fd = fd,
                               .guest_fd = -1,
                               .input = mem_array(INPUT_BYTES, 1)};
    outside_init(&port->outside, &ops, config);
    nic_power_off(config->nic);
    ev_io_init(&port->listener, on_guest, fd, EV_READ);
    ev_io_init(&port->reader, on_readable, -1, EV_READ);
    ev_io_init(&port->writer, on_writable, -1, EV_WRITE);
    port->listener.data = port->reader.data = port->writer.data = port;
    ev_io_start(config->loop, &port->listener);
    return &port->outside;
}
