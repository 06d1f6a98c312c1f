/* The line that an error points at, made safe to print. */
#include "lab/excerpt.h"

#include <stdbool.h>

#define WIDTH        96u /* characters of the line that are shown at most */
#define BEFORE_CARET 40u /* of them before the culprit, if the line has to be cut */

/* Bytes of the character at 'at': 1 for what is no UTF-8, which counts as a character of its own.
 */
static size_t character_bytes(const char *text, size_t at, size_t bytes)
{
    unsigned char first = (unsigned char)text[at];
    size_t length = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;

    if (length > bytes - at)
        return 1;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)text[at + i] & 0xc0) != 0x80)
            return 1;
    return length;
}

/* Characters in 'bytes' bytes. */
static size_t characters(const char *text, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i += character_bytes(text, i, bytes))
        count++;
    return count;
}

/* Controls, C1 among them (c2 80 to c2 9f), and lone bytes past ASCII would upset a terminal. */
static bool is_printable(const char *character, size_t bytes)
{
    unsigned char first = (unsigned char)character[0];

    if (bytes == 1)
        return first >= 0x20 && first < 0x7f;
    return first != 0xc2 || (unsigned char)character[1] >= 0xa0;
}

static void print_characters(FILE *to, const char *line, size_t bytes, size_t skip, size_t most)
{
    size_t length;

    for (size_t i = 0, index = 0; i < bytes && index < skip + most; i += length, index++) {
        length = character_bytes(line, i, bytes);
        if (index < skip)
            continue;
        if (is_printable(line + i, length))
            fwrite(line + i, 1, length, to);
        else
            fputc(line[i] == '\t' ? ' ' : '?', to);
    }
}

static void repeat(FILE *to, char what, size_t count)
{
    while (count-- > 0)
        fputc(what, to);
}

void excerpt_print(FILE *to, int line_number, const char *line, size_t line_bytes, int column,
                   int end_column)
{
    size_t start = column > 1 ? (size_t)column - 1 : 0;
    if (start > line_bytes)
        start = line_bytes;
    size_t end = end_column > column ? (size_t)end_column - 1 : start + 1;
    if (end > line_bytes)
        end = line_bytes;

    size_t before = characters(line, start);
    size_t carets = end > start ? characters(line + start, end - start) : 0;
    size_t all = characters(line, line_bytes);
    size_t skip = all > WIDTH && before > BEFORE_CARET ? before - BEFORE_CARET : 0;

    if (carets == 0)
        carets = 1;
    if (carets > WIDTH - (before - skip))
        carets = WIDTH - (before - skip);

    fprintf(to, "%5d | %s", line_number, skip > 0 ? "..." : "");
    print_characters(to, line, line_bytes, skip, WIDTH);
    fprintf(to, "%s\n      | ", all > skip + WIDTH ? "..." : "");
    repeat(to, ' ', before - skip + (skip > 0 ? 3 : 0));
    repeat(to, '^', carets);
    fputc('\n', to);
}
