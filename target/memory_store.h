/* A store in memory: sparse pages of 4 KiB, shared with whoever reads them.
 *
 * A read copies nothing: its result is a chain of slices of the pages (the absent ones read as one
 * zero page). A write copies once, into its pages: in place when nobody else holds the page, into a
 * fresh page when a reader still does, so that what was read never changes under the reader.
 *
 * A request takes effect when it is submitted, in the order of submission; on_done follows from the
 * event loop at the same instant. How long media take is media.h's business.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/random.h"
#include "sim/core/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE_BYTES 4096u

struct memory_store;

struct memory_store_config {
    uint64_t bytes; /* 1 or more; requests lie inside, that is the caller's promise */
    /* False: what was acknowledged survives a crash, as behind a cache with a battery. True: a
     * crash loses any subset of what was neither flushed nor written with FUA. */
    bool has_volatile_cache;
    struct random random; /* draws what a crash loses */
};

struct memory_store *memory_store_new(const struct memory_store_config *config, struct clock *clock,
                                      struct pool *pool);
/* Requests in work must be done or crashed away. */
void memory_store_free(struct memory_store *memory);
/* It becomes as large as 'bytes', no less than before; what is new reads as zeros. */
void memory_store_grow(struct memory_store *memory, uint64_t bytes);
/* The interface; it lives as long as the memory store. */
struct store *memory_store_interface(struct memory_store *memory);

/* Pages that take memory. */
size_t memory_store_pages(const struct memory_store *memory);
