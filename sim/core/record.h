/* A small durable blob: persistent reservations with APTPL, saved mode pages. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct record;
struct record_done {
    void (*on_done)(struct record_done *done, bool is_durable);
};
struct record_ops {
    void (*write)(struct record *record, const void *data, size_t bytes, struct record_done *done);
    size_t (*read)(struct record *record, void *ret_data, size_t max_bytes);
};
struct record {
    const struct record_ops *ops;
};

/* Replaces the blob by 'data' (copied) as a whole or not at all; 'done' (borrowed) hears later. */
static inline void record_write(struct record *record, const void *data, size_t bytes,
                                struct record_done *done)
{
    record->ops->write(record, data, bytes, done);
}
/* The blob last made durable: its size (0: none), at most 'max_bytes' of it copied out. */
static inline size_t record_read(struct record *record, void *ret_data, size_t max_bytes)
{
    return record->ops->read(record, ret_data, max_bytes);
}
