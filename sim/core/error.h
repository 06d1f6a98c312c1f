/* Failures that a person must hear of: a code for the program, a text for the person.
 *
 * The text says what is wrong and what would be right; the position is in the user's file, never
 * in ours. A peer that misbehaves is no error in this sense: it is an outcome of a state machine.
 */
#pragma once

#include "sim/core/attributes.h"

enum status {
    OK = 0,
    ERR_USAGE,  /* the command line is wrong: exit code 2 */
    ERR_INPUT,  /* a file is wrong: exit code 3 */
    ERR_SYSTEM, /* disk full, no permission: exit code 7 */
};

struct source_pos {
    const char *file; /* borrowed from the loaded document; NULL: no file is to blame */
    int line;         /* from 1; 0: unknown */
    int column;       /* from 1, in bytes */
};

struct error {
    struct source_pos pos;
    int end_column; /* first column after the culprit on the same line; 0: unknown */
    char text[256]; /* "what is wrong", without newline */
    char help[256]; /* "what would be right", or "" */
};

/* Fills '*err' (its help stays empty) and returns 'status', so that failing is one statement. */
PRINTF_LIKE(4, 5)
enum status error_set(struct error *err, enum status status, struct source_pos pos,
                      const char *format, ...);

/* Adds the next step to an error that was set. */
PRINTF_LIKE(2, 3)
void error_help(struct error *err, const char *format, ...);
