/* Failures that a person must hear of. */
#include "sim/core/error.h"

#include <stdarg.h>
#include <stdio.h>

enum status error_set(struct error *err, enum status status, struct source_pos pos,
                      const char *format, ...)
{
    va_list values;

    *err = (struct error){.pos = pos};
    va_start(values, format);
    vsnprintf(err->text, sizeof(err->text), format, values);
    va_end(values);
    return status;
}

void error_help(struct error *err, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(err->help, sizeof(err->help), format, values);
    va_end(values);
}
