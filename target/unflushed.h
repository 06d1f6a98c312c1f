/* What a crash may lose: the writes that reached a volatile cache and no medium yet.
 *
 * For each changed page it keeps the durable content and the fragments written over it since, in
 * order. A crash draws for each fragment whether it had been destaged. Like a real cache it is
 * bounded: the oldest fragments and pages become durable when it is full.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/core/random.h"

#include <stdbool.h>
#include <stdint.h>

struct unflushed;

struct unflushed *unflushed_new(struct pool *pool, uint32_t page_bytes);
void unflushed_free(struct unflushed *unflushed);

/* 'bytes' at 'offset' of a page went from 'before' to 'after'; NULL stands for an absent page,
 * which is zero. References are taken as needed. 'is_durable': written with FUA, it stays. */
void unflushed_note(struct unflushed *unflushed, uint64_t page, uint32_t offset, uint32_t bytes,
                    struct chunk *before, struct chunk *after, bool is_durable);
/* All of it is on the medium now. */
void unflushed_forget(struct unflushed *unflushed);

/* Draws what is left of each changed page and hands it to the owner, which takes over the reference
 * of 'content' (NULL: absent). Empty afterwards. */
struct unflushed_owner {
    void (*restore)(struct unflushed_owner *owner, uint64_t page, struct chunk *content);
};
void unflushed_crash(struct unflushed *unflushed, struct random *random,
                     struct unflushed_owner *owner);
