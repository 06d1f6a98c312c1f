/* The line that an error points at, made safe to print. */
#include "lab/excerpt.h"

#include <stdbool.h>

#define WIDTH        96u /* characters of the line that are shown at most */
#define BEFORE_CARET 40u /* of them before the culprit, if the line has to be cut */

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80; /* no continuation byte of UTF-8 */
}

/* Characters in 'bytes' bytes. */
static size_t characters(const char *text, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++)
        count += begins_character(text[i]);
    return count;
}

/* C1 controls are two bytes in UTF-8: c2 80 to c2 9f. */
static bool is_control(const char *text, size_t at, size_t bytes)
{
    unsigned char byte = (unsigned char)text[at];

    return byte < 0x20 || byte == 0x7f ||
           (byte == 0xc2 && at + 1 < bytes && (unsigned char)text[at + 1] < 0xa0);
}

static void print_characters(FILE *to, const char *line, size_t bytes, size_t skip, size_t most)
{
    size_t index = 0; /* of the character */
    bool is_hidden = false;

    for (size_t i = 0; i < bytes; i++) {
        if (begins_character(line[i])) {
            if (index >= skip + most)
                return;
            is_hidden = is_control(line, i, bytes);
            if (is_hidden && index >= skip)
                fputc(line[i] == '\t' ? ' ' : '?', to);
            index++;
        }
        if (!is_hidden && index > skip)
            fputc(line[i], to);
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
