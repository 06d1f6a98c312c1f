/* Figures as people read them. */
#include "lab/format.h"

#include "sim/core/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *format_span(int64_t span_ns, char buffer[FORMAT_BYTES])
{
    if (span_ns < 0)
        snprintf(buffer, FORMAT_BYTES, "-");
    else if (span_ns >= SECONDS(1))
        snprintf(buffer, FORMAT_BYTES, "%" PRId64 ".%03d s", span_ns / SECONDS(1),
                 (int)(span_ns % SECONDS(1) / MS(1)));
    else if (span_ns >= MS(1))
        snprintf(buffer, FORMAT_BYTES, "%" PRId64 ".%d ms", span_ns / MS(1),
                 (int)(span_ns % MS(1) / US(100)));
    else if (span_ns >= US(1))
        snprintf(buffer, FORMAT_BYTES, "%" PRId64 " us", span_ns / US(1));
    else
        snprintf(buffer, FORMAT_BYTES, span_ns ? "%" PRId64 " ns" : "%" PRId64 " s", span_ns);
    return buffer;
}

const char *format_instant(int64_t at_ns, int width, char buffer[FORMAT_BYTES])
{
    char number[FORMAT_BYTES - 8];

    snprintf(number, sizeof(number), "%" PRId64 ".%03d", at_ns / SECONDS(1),
             (int)(at_ns % SECONDS(1) / MS(1)));
    snprintf(buffer, FORMAT_BYTES, "%*s s", width > 2 ? width - 2 : 0, number);
    return buffer;
}

const char *format_measure(const char *value, const char *unit, char buffer[FORMAT_BYTES])
{
    long long number = strtoll(value, NULL, 10);

    if (value[0] == '\0')
        snprintf(buffer, FORMAT_BYTES, "-");
    else if (strcmp(unit, "ns") == 0)
        format_span(number, buffer);
    else if (strcmp(unit, "ppm") == 0)
        snprintf(buffer, FORMAT_BYTES, "%lld.%lld %%", number / 10000, number % 10000 / 1000);
    else if (strcmp(unit, "count") == 0 || strcmp(unit, "rule") == 0 || strcmp(unit, "name") == 0)
        snprintf(buffer, FORMAT_BYTES, "%s", value);
    else
        snprintf(buffer, FORMAT_BYTES, "%s %s", value, unit);
    return buffer;
}
