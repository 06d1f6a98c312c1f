/* Listening at, and connecting to, a place in the file system.
 */
#pragma once

#include "sim/core/error.h"

#include <stdbool.h>

/* Is 'path' short enough for the address of a socket? */
bool unix_socket_check(const char *path, struct error *err);

/* Listens at 'path'; a socket that nobody listens at any more is replaced, anything else is not.
 * Returns the file descriptor, which does not block; -1: '*err' says why. */
int unix_socket_listen(const char *path, struct error *err);
/* The next connection, which does not block; -1: none. */
int unix_socket_accept(int listen_fd);
/* Connects, and blocks in reading and writing; -1: '*err' says why. */
int unix_socket_connect(const char *path, struct error *err);
