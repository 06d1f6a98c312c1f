/* getrandom(2). */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/os_chance.h"

#include "sim/core/attributes.h"

#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define EXIT_MACHINE 7 /* the design's table of exit codes: "the machine" */

static void fill(struct chance *chance, void *ret_bytes, size_t bytes)
{
    uint8_t *at = ret_bytes;

    (void)chance;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fprintf(stderr, "error: no random numbers from the system: %s\n", strerror(errno));
            exit(EXIT_MACHINE);
        }
        at += got;
        bytes -= (size_t)got;
    }
}

struct chance *os_chance(void)
{
    static struct chance chance = {.fill = fill};

    return &chance;
}
