/* The known word that somebody most likely meant. */
#pragma once

#include <stddef.h>

/* Counts the changes (insert, delete, replace, swap neighbours) from one word to the other, up to
 * 'most'; more count as 'most' + 1. Words of more than 64 bytes are never near. */
unsigned suggest_distance(const char *a, const char *b, unsigned most);

/* Collects the best of many candidates. */
struct suggestion {
    const char *wrong; /* borrowed */
    const char *best;  /* borrowed from the candidate; NULL: none is near */
    unsigned distance;
};

void suggest_init(struct suggestion *suggestion, const char *wrong);
void suggest_offer(struct suggestion *suggestion, const char *candidate);
