/* Words of their own among the lines that are typed ('help', 'undo 3'): all else is a step.
 */
#pragma once

#include "lab/line_server.h"

#include <stdbool.h>
#include <stdio.h>

struct line_word {
    const char *word; /* NULL ends a table */
    bool takes_rest;  /* what follows it on the line */
    int (*answer)(struct line_user *user, const char *rest, FILE *answer);
};

/* True: 'line' began with a word of the table, or said nothing, and '*ret_code' is the exit code.
 */
bool line_words_answer(const struct line_word *words, struct line_user *user, const char *line,
                       FILE *answer, int *ret_code);
