/* Quantities as people write them: a number and its unit, the space between them optional.
 *
 *     2 s   3 min   10 Gbit/s   8 KiB   90 %   5 m   500 per s   64 MiB/s
 *
 * The number may have a decimal point; what it stands for must be whole in the base unit. Nothing
 * here uses floating point.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X-macro: name, what a person calls it, base unit in words. */
#define QUANTITIES(X)                                                                              \
    X(QUANTITY_SPAN, "time span", "nanoseconds")                                                   \
    X(QUANTITY_SIZE, "size", "bytes")                                                              \
    X(QUANTITY_RATE, "data rate", "bits per second")                                               \
    X(QUANTITY_THROUGHPUT, "throughput", "bytes per second")                                       \
    X(QUANTITY_SHARE, "share", "parts per million")                                                \
    X(QUANTITY_FREQUENCY, "frequency", "times per second")                                         \
    X(QUANTITY_LENGTH, "length", "metres")

enum quantity {
#define X(name, word, base) name,
    QUANTITIES(X)
#undef X
        QUANTITY_COUNT
};

enum quantity_fault {
    QUANTITY_FINE,
    QUANTITY_NO_NUMBER, /* does not begin with a digit, or is none */
    QUANTITY_NO_UNIT,   /* a bare number */
    QUANTITY_UNKNOWN_UNIT,
    QUANTITY_TOO_LARGE, /* past 63 bits in the base unit */
    QUANTITY_TOO_FINE,  /* not whole in the base unit */
};

enum quantity_fault quantity_parse(const char *text, enum quantity quantity, int64_t *ret_value);

/* A number without unit and sign, with up to 'decimals' digits after the point: the result counts
 * in units of 10^-decimals. */
enum quantity_fault quantity_parse_number(const char *text, unsigned decimals, int64_t *ret_value);

const char *quantity_word(enum quantity quantity);
const char *quantity_base(enum quantity quantity);

/* Its units, the smallest first; NULL past the last. */
const char *quantity_unit(enum quantity quantity, size_t index);

/* An example to imitate: "250 ms". */
const char *quantity_example(enum quantity quantity);

/* What may be meant by a bare 'number': "write '180 s' or '3 min'". */
void quantity_suggest(enum quantity quantity, const char *number, char *text, size_t text_bytes);

/* As a person would write it: the largest unit that fits with up to three decimals, rounded. */
void quantity_print(enum quantity quantity, int64_t value, char *text, size_t text_bytes);
