/* USER:SECRETFILE. */
#include "lab/chap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct source_pos nowhere;

/* A file of ours alone. -1: told. */
static int open_secret(const char *path, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        error_set(err, ERR_SYSTEM, nowhere, "cannot read the secret in '%.160s': %s", path,
                  strerror(errno));
        error_help(err, "--chap wants USER:FILE, the file with the secret in it");
    } else if (!S_ISREG(st.st_mode)) {
        error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is no file", path);
    } else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        error_set(err, ERR_SYSTEM, nowhere, "others may read the secret in '%.160s'", path);
        error_help(err, "chmod 600 %.160s", path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool read_secret(const char *path, uint8_t *secret, size_t room, size_t *ret_bytes,
                        struct error *err)
{
    size_t bytes = 0;
    ssize_t got = 1;
    int fd = open_secret(path, err);

    if (fd < 0)
        return false;
    while (bytes < room && got > 0) {
        got = read(fd, secret + bytes, room - bytes);
        if (got > 0)
            bytes += (size_t)got;
    }
    close(fd);
    if (got < 0) {
        error_set(err, ERR_SYSTEM, nowhere, "cannot read '%.160s': %s", path, strerror(errno));
        return false;
    }
    if (bytes > 0 && secret[bytes - 1] == '\n')
        bytes--;
    if (bytes > 0 && secret[bytes - 1] == '\r')
        bytes--;
    *ret_bytes = bytes;
    return true;
}

bool chap_file_read(const char *user_and_file, struct chap_identity *ret_identity,
                    struct error *err)
{
    uint8_t secret[CHAP_SECRET_MOST + 3]; /* with a line end, and one that is too long */
    const char *colon = strchr(user_and_file, ':');
    char name[CHAP_NAME_BYTES + 1];
    size_t secret_bytes;

    if (!colon || colon[1] == '\0') {
        error_set(err, ERR_USAGE, nowhere, "'%.160s' is no USER:SECRETFILE", user_and_file);
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(colon - user_and_file), user_and_file);
    if (!read_secret(colon + 1, secret, sizeof(secret), &secret_bytes, err)) {
        chap_wipe(secret, sizeof(secret));
        return false;
    }
    const char *fault = chap_identity_set(ret_identity, name, secret, secret_bytes);

    chap_wipe(secret, sizeof(secret));
    if (fault)
        error_set(err, ERR_USAGE, nowhere, "CHAP of '%.64s': %s", name, fault);
    return !fault;
}
