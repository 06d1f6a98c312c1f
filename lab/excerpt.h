/* Paints the line that an error points at, with a caret under the culprit.
 *
 *        23 |     pwer-off: switch-1
 *           |     ^^^^^^^^
 *
 * The line may hold anything: control characters are shown as '?', tabs as a space, and of a very
 * long line only the surroundings of the culprit.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* 'column' and 'end_column' (the first one after the culprit; 0: unknown) count bytes from 1. */
void excerpt_print(FILE *to, int line_number, const char *line, size_t line_bytes, int column,
                   int end_column);
