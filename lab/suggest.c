/* The known word that somebody most likely meant: Damerau's distance, restricted to neighbours
 * (optimal string alignment). */
#include "lab/suggest.h"

#include <string.h>

#define WORD_MOST 64u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b, unsigned most)
{
    size_t a_bytes = strnlen(a, WORD_MOST + 1);
    size_t b_bytes = strnlen(b, WORD_MOST + 1);

    if (a_bytes > WORD_MOST || b_bytes > WORD_MOST)
        return most + 1;
    if (a_bytes > b_bytes + most || b_bytes > a_bytes + most)
        return most + 1;

    unsigned rows[3][WORD_MOST + 1]; /* of the prefixes of 'b': two rows back, one back, this */
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_bytes; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_bytes; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_bytes; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }

        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return least(above[b_bytes], most + 1);
}

void suggest_init(struct suggestion *suggestion, const char *wrong)
{
    /* A third of the word may be wrong, at least one letter. */
    size_t bytes = strnlen(wrong, WORD_MOST);

    *suggestion = (struct suggestion){.wrong = wrong, .distance = (unsigned)bytes / 3 + 2};
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
    unsigned distance = suggest_distance(suggestion->wrong, candidate, suggestion->distance - 1);

    if (distance >= suggestion->distance)
        return;
    suggestion->best = candidate;
    suggestion->distance = distance;
}
