/* Quantities as people write them. */
#include "lab/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/time.h"

#define DECIMALS_MOST 9u /* digits after the point: a nanosecond of a second */

struct unit {
    const char *name;
    int64_t base; /* base units in one of these */
};

#define KIBI(power) ((int64_t)1 << (10 * (power)))

static const struct unit spans[] = {{"ns", 1},         {"us", US(1)},        {"ms", MS(1)},
                                    {"s", SECONDS(1)}, {"min", SECONDS(60)}, {"h", SECONDS(3600)},
                                    {NULL, 0}};
static const struct unit sizes[] = {{"B", 1},         {"KiB", KIBI(1)}, {"MiB", KIBI(2)},
                                    {"GiB", KIBI(3)}, {"TiB", KIBI(4)}, {NULL, 0}};
static const struct unit rates[] = {
    {"bit/s", 1}, {"kbit/s", 1000}, {"Mbit/s", 1000000}, {"Gbit/s", 1000000000}, {NULL, 0}};
static const struct unit throughputs[] = {
    {"B/s", 1}, {"KiB/s", KIBI(1)}, {"MiB/s", KIBI(2)}, {"GiB/s", KIBI(3)}, {NULL, 0}};
static const struct unit shares[] = {{"ppm", 1}, {"%", 10000}, {NULL, 0}};
static const struct unit frequencies[] = {{"per s", 1}, {NULL, 0}};
static const struct unit lengths[] = {{"m", 1}, {"km", 1000}, {NULL, 0}};

static const struct {
    const struct unit *units;
    const char *word;
    const char *base;
    const char *example;
    unsigned usual; /* the unit that a bare number most likely lacks */
} quantities[] = {
    [QUANTITY_SPAN] = {spans, "time span", "nanoseconds", "250 ms", 3},
    [QUANTITY_SIZE] = {sizes, "size", "bytes", "64 KiB", 0},
    [QUANTITY_RATE] = {rates, "data rate", "bits per second", "10 Gbit/s", 3},
    [QUANTITY_THROUGHPUT] = {throughputs, "throughput", "bytes per second", "100 MiB/s", 2},
    [QUANTITY_SHARE] = {shares, "share", "parts per million", "90 %", 1},
    [QUANTITY_FREQUENCY] = {frequencies, "frequency", "times per second", "500 per s", 0},
    [QUANTITY_LENGTH] = {lengths, "length", "metres", "5 m", 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number as digits before and after the point, both as integers. */
struct number {
    int64_t whole;
    int64_t fraction; /* of 'scale' */
    int64_t scale;    /* 10^digits */
};

/* Returns what follows the number; NULL: there is none, or '*ret_fault' says more. */
static const char *read_number(const char *text, struct number *ret, enum quantity_fault *ret_fault)
{
    *ret = (struct number){.scale = 1};
    *ret_fault = QUANTITY_NO_NUMBER;
    if (!is_digit(*text))
        return NULL;
    for (; is_digit(*text); text++) {
        if (ret->whole > (INT64_MAX - (*text - '0')) / 10) {
            *ret_fault = QUANTITY_TOO_LARGE;
            return NULL;
        }
        ret->whole = ret->whole * 10 + (*text - '0');
    }
    if (*text != '.')
        return text;
    text++;
    if (!is_digit(*text))
        return NULL;
    for (unsigned digits = 0; is_digit(*text); text++) {
        if (digits == DECIMALS_MOST) {
            if (*text != '0') {
                *ret_fault = QUANTITY_TOO_FINE;
                return NULL;
            }
            continue;
        }
        digits++;
        ret->scale *= 10;
        ret->fraction = ret->fraction * 10 + (*text - '0');
    }
    return text;
}

/* whole * base + fraction * base / scale, if that is whole and fits. */
static enum quantity_fault scale(struct number number, int64_t base, int64_t *ret_value)
{
    while (number.fraction % 10 == 0 && number.scale > 1) {
        number.fraction /= 10;
        number.scale /= 10;
    }
    /* fraction < 10^9 and base < 2^42: the product may overflow, so divide common parts first. */
    int64_t a = number.scale, b = base;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    int64_t factor = base / a;
    if (number.fraction % (number.scale / a) != 0)
        return QUANTITY_TOO_FINE;

    int64_t part = number.fraction / (number.scale / a);
    if (number.whole > INT64_MAX / base)
        return QUANTITY_TOO_LARGE;
    if (part > 0 && factor > INT64_MAX / part)
        return QUANTITY_TOO_LARGE;
    if (number.whole * base > INT64_MAX - part * factor)
        return QUANTITY_TOO_LARGE;
    *ret_value = number.whole * base + part * factor;
    return QUANTITY_FINE;
}

enum quantity_fault quantity_parse(const char *text, enum quantity quantity, int64_t *ret_value)
{
    struct number number;
    enum quantity_fault fault;
    const char *rest = read_number(text, &number, &fault);

    if (!rest)
        return fault;
    while (*rest == ' ')
        rest++;
    if (*rest == '\0')
        return QUANTITY_NO_UNIT;
    for (const struct unit *unit = quantities[quantity].units; unit->name; unit++)
        if (strcmp(rest, unit->name) == 0)
            return scale(number, unit->base, ret_value);
    return QUANTITY_UNKNOWN_UNIT;
}

enum quantity_fault quantity_parse_number(const char *text, unsigned decimals, int64_t *ret_value)
{
    struct number number;
    enum quantity_fault fault;
    const char *rest = read_number(text, &number, &fault);
    int64_t base = 1;

    if (!rest)
        return fault;
    if (*rest != '\0')
        return QUANTITY_NO_NUMBER;
    while (decimals-- > 0)
        base *= 10;
    return scale(number, base, ret_value);
}

const char *quantity_word(enum quantity quantity)
{
    return quantities[quantity].word;
}

const char *quantity_base(enum quantity quantity)
{
    return quantities[quantity].base;
}

const char *quantity_unit(enum quantity quantity, size_t index)
{
    for (const struct unit *unit = quantities[quantity].units; unit->name; unit++)
        if (index-- == 0)
            return unit->name;
    return NULL;
}

const char *quantity_example(enum quantity quantity)
{
    return quantities[quantity].example;
}

void quantity_suggest(enum quantity quantity, const char *number, char *text, size_t text_bytes)
{
    const struct unit *usual = &quantities[quantity].units[quantities[quantity].usual];
    int64_t value = 0;

    /* The same in the next larger unit, if that is a whole number. */
    if (quantity_parse_number(number, 0, &value) == QUANTITY_FINE && usual[1].name && value > 0) {
        int64_t ratio = usual[1].base / usual[0].base;

        if (value % ratio == 0) {
            snprintf(text, text_bytes, "write '%s %s' or '%" PRId64 " %s'", number, usual->name,
                     value / ratio, usual[1].name);
            return;
        }
    }
    snprintf(text, text_bytes, "write '%s %s'", number, usual->name);
}

void quantity_print(enum quantity quantity, int64_t value, char *text, size_t text_bytes)
{
    const struct unit *unit = quantities[quantity].units;
    if (value == 0)
        unit += quantities[quantity].usual;

    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    while (value != 0 && unit[1].name && size >= (uint64_t)unit[1].base &&
           strcmp(unit[1].name, "min") != 0)
        unit++;

    uint64_t base = (uint64_t)unit->base;
    uint64_t whole = size / base;
    uint64_t rest = size % base; /* below 2^42: times 1000 fits */
    uint64_t thousandths = (rest * 1000 + base / 2) / base;

    if (thousandths == 1000) {
        whole++;
        thousandths = 0;
    }

    char decimals[5] = "";
    if (thousandths > 0) {
        snprintf(decimals, sizeof(decimals), ".%03u", (unsigned)thousandths % 1000);
        for (size_t end = 3; decimals[end] == '0'; end--)
            decimals[end] = '\0';
    }
    snprintf(text, text_bytes, "%s%" PRIu64 "%s %s", value < 0 ? "-" : "", whole, decimals,
             unit->name);
}
