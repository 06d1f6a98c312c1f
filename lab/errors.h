/* What is wrong with somebody's files: collected, so that they hear of all of it in one go.
 *
 * An error keeps a copy of the name of its file and of the line that it points at, and so outlives
 * the document that it was found in.
 *
 *     switch-power-off.yaml:23:5: error: unknown step 'pwer-off'
 *        23 |     pwer-off: switch-1
 *           |     ^^^^^^^^
 *           = help: did you mean 'power-off'?
 */
#pragma once

#include "sim/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ERRORS_MOST 20 /* that a person is shown; the others are counted */

struct error_entry {
    struct error error; /* error.pos.file is 'file' */
    bool is_warning;
    char *file; /* owned; NULL: no file is to blame */
    char *line; /* owned; the line of the file, or NULL */
};

struct errors {
    struct error_entry entries[ERRORS_MOST];
    size_t entry_count;
    size_t error_count;   /* found, shown or not */
    size_t warning_count; /* found, shown or not */
    size_t repeat_count;  /* of those, the same as one that is shown: in each host of a 'count' */
    struct error unshown; /* takes the help of an error past the last entry */
};

void errors_init(struct errors *errors);
void errors_fini(struct errors *errors);

/* Where something is in a text: whole lines and columns in bytes, from 1. */
struct text_span {
    struct source_pos pos;
    int end_column; /* first column after it on its first line; 0: unknown */
};

/* Adds an error; 'line' (need not end with 0; NULL: no excerpt) is the line at 'span'. The caller
 * gives the result its help with error_help(). */
PRINTF_LIKE(5, 6)
struct error *errors_add(struct errors *errors, struct text_span span, const char *line,
                         size_t line_bytes, const char *format, ...);

/* The same for what does not stop the run. */
PRINTF_LIKE(5, 6)
struct error *errors_warn(struct errors *errors, struct text_span span, const char *line,
                          size_t line_bytes, const char *format, ...);

/* Is there room for another entry? If not, its text need not be worked out. */
bool errors_has_room(const struct errors *errors);

/* Paints all of them in the order of file and place, and "and N more". */
void errors_print(struct errors *errors, FILE *to);
