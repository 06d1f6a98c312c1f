/* A record (sim/core/record.h) in a file: the whole old one or the whole new one, whatever happens.
 *
 *     write -> thread: PATH.new, fsync, rename to PATH, fsync of the folder -> on_done from the
 * loop
 *
 * The file begins with a line that says what it is and a sum of the rest, so that another file, or
 * half of one, is told from a record. Without a file the record is empty.
 */
#pragma once

#include "sim/core/error.h"
#include "sim/core/record.h"

#include <stddef.h>

struct ev_loop;
struct pacer;

#define FILE_RECORD_MOST_BYTES ((size_t)1 << 20) /* of a record */

/* Nobody else has 'folder' for records until the descriptor is closed. -1: '*err' says why. */
int file_record_lock_folder(const char *folder, struct error *err);

/* All borrowed. */
struct file_record_config {
    const char *path;
    struct ev_loop *loop;
    struct pacer *pacer; /* brought up to date before on_done; NULL: none */
};

struct file_record;

/* NULL: '*err' says why. */
struct file_record *file_record_open(const struct file_record_config *config, struct error *err);
/* Waits for a write that is under way; nobody hears of it any more. */
void file_record_close(struct file_record *file);
/* One write at a time. */
struct record *file_record_interface(struct file_record *file);
