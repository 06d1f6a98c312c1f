/* Sockets in the file system. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct source_pos nowhere;

bool unix_socket_check(const char *path, struct error *err)
{
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (path[0] != '\0' && strlen(path) <= most)
        return true;
    (void)error_set(err, ERR_USAGE, nowhere, "'%.120s' is no path of a socket", path);
    error_help(err, "a path has 1 to %zu bytes", most);
    return false;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* What a program that ended without a farewell left behind. */
static void remove_dead_socket(const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int fd = connect_to(path);

    if (fd >= 0)
        close(fd);
    else if (errno == ECONNREFUSED)
        (void)unlink(path);
}

int unix_socket_listen(const char *path, struct error *err)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    remove_dead_socket(path);
    /* Its owner's alone from the first moment, whatever the umask: who can connect can give orders.
     * Linux takes the mode of the socket's file from the socket itself. */
    if (fd >= 0 && fchmod(fd, 0600) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0)
        return fd;
    (void)error_set(err, ERR_SYSTEM, nowhere, "cannot listen at '%s': %s", path, strerror(errno));
    if (errno == EADDRINUSE)
        error_help(err, "another program listens there, or the path is no socket: remove it, or "
                        "take another path");
    if (fd >= 0)
        close(fd);
    return -1;
}

int unix_socket_accept(int listen_fd)
{
    return accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int unix_socket_connect(const char *path, struct error *err)
{
    int fd = connect_to(path);

    if (fd < 0) {
        (void)error_set(err, ERR_SYSTEM, nowhere, "cannot connect to '%s': %s", path,
                        strerror(errno));
        error_help(err, "does the program that listens there run? 'iscsilab live ... --ctl %.80s'",
                   path);
    }
    return fd;
}
