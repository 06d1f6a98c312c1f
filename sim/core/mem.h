/* Memory that is there or ends the run.
 *
 * Every size from outside is bounded before anyone allocates by it, so running out is the
 * machine's fault and ends the program with exit code 7, here and nowhere else.
 */
#pragma once

#include <stddef.h>

/* Zeroed memory, never NULL. The caller owns it and gives it back with free(). */
void *mem_new(size_t bytes);

/* Zeroed memory for 'count' items of 'item_bytes', never NULL; the product is checked. */
void *mem_array(size_t count, size_t item_bytes);

/* As realloc(), never NULL; what is new is not zeroed. Takes ownership of 'old'. */
void *mem_resize(void *old, size_t count, size_t item_bytes);

/* Memory that begins at a multiple of 'alignment' (a power of two), not zeroed, never NULL. The
 * caller owns it and gives it back with free(). */
void *mem_aligned(size_t alignment, size_t bytes);

/* The same for MEM_HUGE bytes at a multiple of as many, in one large page if the system has one:
 * what is looked at all over the place then costs no walk through its tables. */
#define MEM_HUGE ((size_t)2 * 1024 * 1024)
void *mem_huge(void);

/* A copy of 'text' that the caller owns. */
char *mem_text(const char *text);
