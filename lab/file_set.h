/* The texts of all files that a run is made from: read once, kept for the database.
 *
 * Where they come from is the reader's business: the file system, or memory in tests.
 */
#pragma once

#include "sim/core/attributes.h"
#include "sim/core/error.h"

#include <stddef.h>

#define FILE_MOST_BYTES ((size_t)1 << 20)

/* Where files come from. 'ret_text' is the caller's to free; longer files than FILE_MOST_BYTES
 * may be cut one byte after it. On failure 'err' has no position. */
struct file_reader {
    enum status (*read)(const struct file_reader *reader, const char *path, char **ret_text,
                        size_t *ret_bytes, struct error *err);
};

/* The file system. */
const struct file_reader *file_reader_disk(void);

/* Files in memory. */
struct memory_file {
    const char *path;
    const char *text;
    size_t bytes; /* 0: strlen(text) */
};
struct memory_reader {
    struct file_reader reader;
    const struct memory_file *files;
    size_t file_count;
};
void memory_reader_init(struct memory_reader *reader, const struct memory_file *files,
                        size_t file_count);

/* A text with a name, that positions point into. */
struct source {
    char *name; /* as given or derived: "scenarios/a.yaml"; "command line" */
    char *text; /* 'bytes' bytes and a 0 */
    size_t bytes;
};

struct file_set {
    const struct file_reader *reader;
    struct source **files; /* owned, in order of first use; pointers stay valid */
    size_t file_count;
    struct source **kept; /* owned: texts that are no files */
    size_t kept_count;
};

void file_set_init(struct file_set *files, const struct file_reader *reader);
void file_set_fini(struct file_set *files);

/* The file at 'path', read at the first call. Fails without position if it cannot be read. */
MUST_CHECK
enum status file_set_read(struct file_set *files, const char *path,
                          const struct source **ret_source, struct error *err);

/* Keeps a text that is no file, such as an option of the command line. */
const struct source *file_set_keep(struct file_set *files, const char *name, const char *text);

/* 'path' as seen from the folder of 'from': the caller's to free. */
char *path_beside(const char *from, const char *path);
