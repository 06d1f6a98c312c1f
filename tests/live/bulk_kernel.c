/* The kernel's end of a bulk transfer: an ordinary program with an ordinary socket. Sends and
 * receives so many bytes of the pattern at the same time, and checks every one.
 *
 *     bulk_kernel connect|listen ADDRESS PORT BYTES
 */
#include "tests/live/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)256 * 1024)

static int fail(const char *what)
{
    fprintf(stderr, "bulk_kernel: %s: %s\n", what, strerror(errno));
    return 1;
}

static int open_socket(const char *how, const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;

    if (strcmp(how, "connect") == 0)
        return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? fd : -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 || listen(fd, 1) != 0)
        return -1;
    int accepted = accept(fd, NULL, NULL);

    close(fd);
    return accepted;
}

/* Returns the exit code. */
static int transfer(int fd, uint64_t bytes)
{
    static uint8_t out[PIECE_BYTES], in[PIECE_BYTES];
    uint64_t sent = 0, received = 0;

    while (sent < bytes || received < bytes) {
        struct pollfd events = {fd, (short)(POLLIN | (sent < bytes ? POLLOUT : 0)), 0};

        if (poll(&events, 1, 60000) <= 0)
            return fail("nothing happened for a minute");
        if (events.revents & POLLOUT) {
            size_t part = bytes - sent < sizeof(out) ? (size_t)(bytes - sent) : sizeof(out);

            pattern_fill(PATTERN_FROM_KERNEL, sent, out, part);
            ssize_t n = send(fd, out, part, MSG_NOSIGNAL);

            if (n < 0 && errno != EAGAIN)
                return fail("send");
            sent += n > 0 ? (uint64_t)n : 0;
        }
        if (events.revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t n = read(fd, in, sizeof(in));

            if (n < 0 && errno != EAGAIN)
                return fail("read");
            if (n == 0) {
                fprintf(stderr, "bulk_kernel: the stream ended after %llu bytes\n",
                        (unsigned long long)received);
                return 1;
            }
            if (n < 0)
                continue;
            size_t good = pattern_check(PATTERN_FROM_LAB, received, in, (size_t)n);

            if (good != (size_t)n) {
                received += good;
                fprintf(stderr, "bulk_kernel: byte %llu is wrong\n", (unsigned long long)received);
                return 1;
            }
            received += (uint64_t)n;
            if (received > bytes) {
                fprintf(stderr, "bulk_kernel: more came than was sent\n");
                return 1;
            }
        }
    }
    fcntl(fd, F_SETFL, 0);
    shutdown(fd, SHUT_WR);
    ssize_t n = read(fd, in, sizeof(in));

    if (n != 0) {
        fprintf(stderr, "bulk_kernel: no end of the stream where it should be\n");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bulk_kernel connect|listen ADDRESS PORT BYTES\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10))};

    if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1)
        return 2;
    int fd = open_socket(argv[1], &address);

    if (fd < 0)
        return fail(argv[1]);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int code = transfer(fd, strtoull(argv[4], NULL, 10));

    if (code == 0)
        printf("kernel: %s bytes sent, as many received, all as they should be\n", argv[4]);
    close(fd);
    return code;
}
