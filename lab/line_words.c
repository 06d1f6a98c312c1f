/* Words of their own among the lines that are typed. */
#include "lab/line_words.h"

#include "lab/command.h"

#include <string.h>

#define BLANKS " \t\r"

/* The line without the blanks around it. */
static void trim(char text[LINE_MOST_BYTES], const char *line)
{
    size_t bytes = strnlen(line + strspn(line, BLANKS), LINE_MOST_BYTES - 1);

    memcpy(text, line + strspn(line, BLANKS), bytes);
    while (bytes > 0 && strchr(BLANKS, text[bytes - 1]))
        bytes--;
    text[bytes] = '\0';
}

bool line_words_answer(const struct line_word *words, struct line_user *user, const char *line,
                       FILE *answer, int *ret_code)
{
    char text[LINE_MOST_BYTES];

    trim(text, line);
    const size_t word_bytes = strcspn(text, BLANKS);
    const char *rest = text + word_bytes + strspn(text + word_bytes, BLANKS);

    if (text[0] == '\0') {
        fputs("error: nothing was said\n  = help: 'help' tells what can be\n", answer);
        *ret_code = EXIT_FILE;
        return true;
    }
    for (; words->word; words++)
        if (strlen(words->word) == word_bytes && strncmp(text, words->word, word_bytes) == 0 &&
            (rest[0] == '\0' || words->takes_rest)) {
            *ret_code = words->answer(user, rest, answer);
            return true;
        }
    return false;
}
