/* Where a logical unit keeps its blocks: memory with a media model, or a file.
 *
 * Requests are embedded in what they serve (a SCSI task), so submitting one allocates nothing.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_op { STORE_READ, STORE_WRITE, STORE_PUNCH, STORE_FLUSH };

enum store_result { STORE_OK, STORE_MEDIUM_ERROR, STORE_NO_SPACE };

struct store_request {
    enum store_op op;
    uint64_t offset; /* in bytes; with 'bytes' inside the store. FLUSH ignores both */
    uint64_t bytes;
    bool force_unit_access; /* WRITE: durable before it is done */
    struct buf *data;       /* WRITE: from the caller, taken. READ: the result, the caller's */
    enum store_result result;
    uint64_t error_offset;                          /* MEDIUM_ERROR: the first byte that failed */
    void (*on_done)(struct store_request *request); /* later, from the event loop */
    struct store_request *next;                     /* the store's while it works */
};

struct store;
struct store_ops {
    void (*submit)(struct store *store, struct store_request *request);
    void (*crash)(struct store *store);
    bool (*cancel)(struct store *store, struct store_request *request); /* NULL: cannot */
};
struct store {
    const struct store_ops *ops;
    uint64_t bytes; /* size */
};

static inline void store_submit(struct store *store, struct store_request *request)
{
    store->ops->submit(store, request);
}
/* Power is gone: requests in work end without on_done and their data is freed, what was not flushed
 * may be lost. */
static inline void store_crash(struct store *store)
{
    store->ops->crash(store);
}
/* Takes back a request in work. True: it never takes effect, there is no on_done, and its data is
 * freed. False: too late or impossible, on_done comes as ever. */
static inline bool store_cancel(struct store *store, struct store_request *request)
{
    return store->ops->cancel && store->ops->cancel(store, request);
}
