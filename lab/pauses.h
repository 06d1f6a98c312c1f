/* When a multipath disk stands still: times with at least one I/O outstanding and no completion.
 *
 * A pause starts at the later of the last completion and the moment that outstanding I/O went from
 * none to one; it ends at the next completion, or when nothing is outstanding any more. An I/O that
 * ends in error is no completion.
 */
#pragma once

#include "lab/names.h"

#include <stdbool.h>
#include <stdint.h>

struct pause {
    uint32_t host;
    uint32_t disk;
    int64_t start_at_ns;
    int64_t end_at_ns;
    uint64_t outstanding; /* the most at one time */
};

struct pauses;

struct pauses *pauses_new(const struct san_names *names); /* borrowed */
void pauses_free(struct pauses *pauses);

void pauses_submitted(struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk);
/* An I/O ended. True: a pause, however short, ended with it. */
bool pauses_done(struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk, bool is_error,
                 struct pause *ret_pause);
/* The pause that lasts; false: there is none. */
bool pauses_now(const struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk,
                struct pause *ret_pause);
