/* What we tell the compiler about our functions, spelled once. */
#pragma once

#include <stddef.h>

/* The format string is argument 'format_index' (counted from 1), its values start at
 * 'values_index'. */
#define PRINTF_LIKE(format_index, values_index)                                                    \
    __attribute__((format(printf, format_index, values_index)))

/* Ignoring the result is a bug. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of type 'type' whose member 'member' is at 'pointer'. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
