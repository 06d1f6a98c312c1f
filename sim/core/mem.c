/* Memory that is there or ends the run. */
#define _DEFAULT_SOURCE /* madvise() is in no standard */
#include "sim/core/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXIT_MACHINE 7 /* the design's table of exit codes: "the machine" */

static void *there_or_exit(void *memory, size_t count, size_t item_bytes)
{
    if (memory)
        return memory;
    fprintf(stderr,
            "error: no memory for %zu items of %zu bytes; free some or make the run smaller\n",
            count, item_bytes);
    exit(EXIT_MACHINE);
}

void *mem_array(size_t count, size_t item_bytes)
{
    if (count == 0 || item_bytes == 0)
        count = item_bytes = 1;
    return there_or_exit(calloc(count, item_bytes), count, item_bytes);
}

void *mem_new(size_t bytes)
{
    return mem_array(1, bytes);
}

void *mem_resize(void *old, size_t count, size_t item_bytes)
{
    if (count == 0 || item_bytes == 0)
        count = item_bytes = 1;
    void *grown = count > SIZE_MAX / item_bytes ? NULL : realloc(old, count * item_bytes);

    return there_or_exit(grown, count, item_bytes);
}

void *mem_aligned(size_t alignment, size_t bytes)
{
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;

    return there_or_exit(aligned_alloc(alignment, rounded), 1, bytes);
}

void *mem_huge(void)
{
    void *memory = mem_aligned(MEM_HUGE, MEM_HUGE);

#ifdef MADV_HUGEPAGE
    (void)madvise(memory, MEM_HUGE, MADV_HUGEPAGE); /* a wish: small pages do as well */
#endif
    return memory;
}

char *mem_text(const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(mem_new(bytes), text, bytes);
}
