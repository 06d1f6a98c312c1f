/* A store in a file (or a block device): a few threads do the system calls, so that a slow disk
 * does not stall the event loop.
 *
 *     submit -> [ read from the page cache at once, if it is all there ]
 *            -> [ queue ] -> threads: pread, pwritev, fallocate, fdatasync -> on_done from the loop
 *
 * The file is sparse: PUNCH gives its blocks back, MAP asks where there are any. A write that has
 * been acknowledged is with the kernel and survives the end of this process; FLUSH and FUA mean
 * fdatasync(), and survive the machine. COMPARE_WRITE and OR run alone on their range.
 *
 * A full file system is STORE_NO_SPACE; what the disk cannot read or write, or lies behind the end
 * of a file that was cut short meanwhile, is STORE_MEDIUM_ERROR. Neither harms anything else. Once
 * the system failed to write what it had acknowledged, every FLUSH fails until the store is opened
 * anew. The program ignores SIGXFSZ.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/error.h"
#include "sim/core/store.h"

#include <stdbool.h>
#include <stddef.h>

struct ev_loop;
struct pacer;

/* All borrowed. */
struct file_store_config {
    const char *path; /* exists; nobody else may have it open as a store */
    bool is_read_only;
    unsigned threads; /* 0: 4 */
    struct ev_loop *loop;
    struct pacer *pacer; /* brought up to date before on_done; NULL: none */
    struct clock *clock;
    struct pool *pool;
};

struct file_store;

/* Opens and locks the file; its size is the store's. NULL: '*err' says why. */
struct file_store *file_store_open(const struct file_store_config *config, struct error *err);
/* Waits for what the threads do; whatever else is in work ends without on_done. */
void file_store_close(struct file_store *file);
/* Looks how large the file is now, and returns it. A store that has grown takes requests up to
 * there; one that was cut short keeps its size, and has medium errors behind the end. */
uint64_t file_store_measure(struct file_store *file);
struct store *file_store_interface(struct file_store *file);
