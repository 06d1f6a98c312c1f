/* TAP devices of Linux. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/tap_port.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/live/frame_pieces.h"
#include "sim/net/frame_codec.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"

struct tap_port {
    struct outside outside;
    int fd; /* owned */
    ev_io watcher;
    struct chunk *spare; /* where the next frame is read to; one reference, or NULL */
};

static const struct source_pos nowhere;

static struct tap_port *of_outside(struct outside *outside)
{
    return CONTAINER_OF(outside, struct tap_port, outside);
}

/* Sending. */

static bool send_frame(struct outside *outside, struct frame *frame)
{
    struct tap_port *port = of_outside(outside);
    struct frame_pieces pieces;
    ssize_t written;

    frame_pieces_init(&pieces, frame, NULL, 0);
    do
        written = writev(port->fd, pieces.pieces, pieces.count);
    while (written < 0 && errno == EINTR);
    frame_pieces_fini(&pieces);
    return written >= 0; /* EIO: the host has not brought the device up */
}

/* Receiving. */

/* A chunk that nobody else holds, with room for the largest frame and one byte that tells a larger
 * one. */
static struct chunk *spare_chunk(struct tap_port *port)
{
    size_t bytes = outside_frame_most(&port->outside) + 1;

    if (port->spare && (port->spare->refs > 1 || port->spare->bytes != bytes)) {
        chunk_unref(port->spare);
        port->spare = NULL;
    }
    if (!port->spare)
        port->spare = chunk_new(port->outside.pool, bytes);
    chunk_touch(port->spare);
    return port->spare;
}

/* Small frames are copied, so that an acknowledgement does not hold a large chunk. */
#define COPY_BELOW_BYTES 512u

static bool read_frame(struct tap_port *port)
{
    struct chunk *chunk = spare_chunk(port);
    ssize_t bytes = read(port->fd, chunk->data, chunk->bytes);

    if (bytes < 0)
        return errno == EINTR;
    if ((size_t)bytes < COPY_BELOW_BYTES) {
        outside_take(&port->outside, frame_read(port->outside.pool, chunk->data, (size_t)bytes));
    } else {
        struct frame *frame = frame_read_chunk(chunk, (size_t)bytes);

        if (chunk->refs > 1)
            chunk->bytes = (uint32_t)bytes; /* its content, for whoever hashes it */
        outside_take(&port->outside, frame);
    }
    return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct tap_port *port = watcher->data;
    (void)loop, (void)events;

    for (unsigned i = 0; i < OUTSIDE_READS_AT_ONCE; i++)
        if (!outside_may_read(&port->outside) || !read_frame(port))
            break;
}

static void set_reading(struct outside *outside, bool is_reading)
{
    struct tap_port *port = of_outside(outside);

    if (is_reading)
        ev_io_start(outside->loop, &port->watcher);
    else
        ev_io_stop(outside->loop, &port->watcher);
}

/* Kernels before 4.20 cannot be told: their hosts see a link that is up and silent. */
static void show_carrier(struct outside *outside, bool is_up)
{
    int carrier = is_up;

    (void)ioctl(of_outside(outside)->fd, TUNSETCARRIER, &carrier);
}

static void close_port(struct outside *outside)
{
    struct tap_port *port = of_outside(outside);

    outside_fini(outside);
    ev_io_stop(outside->loop, &port->watcher);
    chunk_unref(port->spare);
    close(port->fd);
    free(port);
}

/* Opening. */

bool tap_port_check(const char *name, struct error *err)
{
    size_t bytes = strlen(name);

    if (bytes > 0 && bytes < IFNAMSIZ && strcspn(name, "/%: \t\n") == bytes &&
        strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return true;
    (void)error_set(err, ERR_USAGE, nowhere, "'%s' is no name of a network device", name);
    error_help(err, "a name has 1 to %d characters, without blanks, '/', ':' and '%%'",
               IFNAMSIZ - 1);
    return false;
}

static void explain_tun(const char *name, int error, struct error *err)
{
    (void)error_set(err, ERR_SYSTEM, nowhere, "cannot open the TAP device '%s': %s", name,
                    strerror(error));
    if (error == EPERM || error == EACCES)
        error_help(err, "run as root, or have root make it: ip tuntap add %s mode tap user $USER",
                   name);
    else if (error == EBUSY)
        error_help(err, "another program has it open");
    else if (error == ENOENT || error == ENODEV)
        error_help(err, "load the kernel's module: modprobe tun");
    else if (error == EINVAL)
        error_help(err, "there is a device of that name that is no TAP device");
}

static int open_tun(const char *name, struct error *err)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        int error = errno;

        (void)error_set(err, ERR_SYSTEM, nowhere, "cannot open " DEVICE ": %s", strerror(error));
        error_help(err, error == ENOENT ? "load the kernel's module: modprobe tun"
                                        : "run as root, or attach with 'qemu:PATH'");
        return -1;
    }
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    explain_tun(name, errno, err);
    close(fd);
    return -1;
}

/* True if the device has these now. A user without the right to set them may have a device that was
 * made with them. */
static bool set_up(const char *name, const struct nic *nic, struct error *err)
{
    struct ifreq request = {.ifr_mtu = (int)nic_mtu_bytes(nic)};
    struct mac_addr mac = nic_mac(nic);
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq current;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    current = request;
    bool is_set = ioctl(socket_fd, SIOCSIFMTU, &request) == 0;
    int error = errno;

    if (!is_set && ioctl(socket_fd, SIOCGIFMTU, &current) == 0)
        is_set = current.ifr_mtu == (int)nic_mtu_bytes(nic);
    if (!is_set) {
        (void)error_set(err, ERR_SYSTEM, nowhere, "cannot give '%s' the MTU of '%s', %u: %s", name,
                        nic_name(nic), nic_mtu_bytes(nic), strerror(error));
        error_help(err, "have root do it: ip link set %s mtu %u", name, nic_mtu_bytes(nic));
        close(socket_fd);
        return false;
    }
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac.octet, MAC_BYTES);
    /* Any address will do: the NIC lets frames of all pass. */
    (void)ioctl(socket_fd, SIOCSIFHWADDR, &request);
    close(socket_fd);
    return true;
}

struct outside *tap_port_open(const char *name, const struct outside_config *config,
                              struct error *err)
{
    static const struct outside_ops ops = {.send = send_frame,
                                           .set_reading = set_reading,
                                           .on_carrier = show_carrier,
                                           .close = close_port};
    int fd = open_tun(name, err);

    if (fd < 0)
        return NULL;
    if (!set_up(name, config->nic, err)) {
        close(fd);
        return NULL;
    }
    struct tap_port *port = mem_new(sizeof(*port));

    port->fd = fd;
    outside_init(&port->outside, &ops, config);
    ev_io_init(&port->watcher, on_readable, fd, EV_READ);
    port->watcher.data = port;
    ev_io_start(config->loop, &port->watcher);
    show_carrier(&port->outside, nic_is_up(config->nic));
    return &port->outside;
}
