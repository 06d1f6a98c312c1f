/* The result file: SQLite, one transaction per run.
 *
 * Other programs may rely on the tables and views: columns may be added, never renamed. A killed
 * program leaves whole runs only, and two programs may write the same file: each waits for the
 * other's transaction.
 */
#pragma once

#include "sim/core/error.h"

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

/* "isla" in the SQLite header, and the version of the schema that this program writes. */
#define RESULTS_APPLICATION_ID 0x69736c61
#define RESULTS_VERSION        1

struct results {
    sqlite3 *sqlite; /* owned */
    char *path;      /* owned */
};

/* Opens the file for writing; makes it, its folder and its tables where they are missing.
 * ERR_SYSTEM: it cannot be written, is no result file, or is of a newer version. */
MUST_CHECK enum status results_open(const char *path, struct results *ret_results,
                                    struct error *err);
/* Opens an existing file for reading. */
MUST_CHECK enum status results_open_to_read(const char *path, struct results *ret_results,
                                            struct error *err);
void results_close(struct results *results);

/* Writes all rows of one run (encoded by rows.h; exactly one of them of TABLE_RUN) or nothing. */
MUST_CHECK enum status results_add_run(struct results *results, const uint8_t *data, size_t bytes,
                                       int64_t *ret_run_id, struct error *err);
