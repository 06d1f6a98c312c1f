/* Where a logical unit keeps its blocks: memory with a media model, or a file.
 *
 * Requests are embedded in what they serve (a SCSI task), so submitting one allocates nothing.
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_op {
    STORE_READ,
    STORE_WRITE,
    STORE_PUNCH,
    STORE_FLUSH,
    /* Compares 'bytes' with the first half of the data; writes the second half if they are equal.
     * Nothing comes in between (SBC-3, 5.2). */
    STORE_COMPARE_WRITE,
    STORE_OR,  /* bytes become what they are OR the data; nothing comes in between (SBC-3, 5.5) */
    STORE_MAP, /* is 'offset' backed by memory, and for how long does that not change? */
};

enum store_result { STORE_OK, STORE_MEDIUM_ERROR, STORE_NO_SPACE, STORE_MISCOMPARE };

struct store_request {
    enum store_op op;
    uint64_t offset; /* in bytes; with 'bytes' inside the store. FLUSH ignores both */
    uint64_t bytes;
    bool force_unit_access; /* of what changes the medium: durable before it is done */
    struct buf *data;       /* of those from the caller, taken. READ: the result, the caller's */
    enum store_result result;
    uint64_t error_offset; /* MEDIUM_ERROR: the first byte that failed; MISCOMPARE: that differs,
                              counted from 'offset' */
    bool is_mapped;        /* MAP: the result, for 'map_bytes' from 'offset' */
    uint64_t map_bytes;    /* 1 to 'bytes' */
    void (*on_done)(struct store_request *request); /* later, from the event loop */
    struct store_request *next;                     /* the store's while it works */
};

/* Does it bring data along, which the store frees? */
static inline bool store_op_takes_data(enum store_op op)
{
    return op == STORE_WRITE || op == STORE_COMPARE_WRITE || op == STORE_OR;
}
/* Does it leave the medium as it is? */
static inline bool store_op_only_looks(enum store_op op)
{
    return op == STORE_READ || op == STORE_MAP;
}

struct store;
struct store_ops {
    void (*submit)(struct store *store, struct store_request *request);
    void (*crash)(struct store *store);
    bool (*cancel)(struct store *store, struct store_request *request);      /* NULL: cannot */
    void (*fetch)(struct store *store, const struct store_request *request); /* may be NULL */
};
struct store {
    const struct store_ops *ops;
    uint64_t bytes; /* size */
};

/* 'request' is submitted soon: what it needs may be fetched from memory. */
static inline void store_fetch(struct store *store, const struct store_request *request)
{
    if (store->ops->fetch)
        store->ops->fetch(store, request);
}
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
