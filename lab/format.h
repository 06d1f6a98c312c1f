/* Figures as people read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FORMAT_BYTES 48

/* "15.000 s", "20.4 ms", "150 us", "7 ns"; "-" for a negative span. Returns 'buffer'. */
const char *format_span(int64_t span_ns, char buffer[FORMAT_BYTES]);
/* An instant in seconds with milliseconds: "  60.000 s", 'width' characters at least. */
const char *format_instant(int64_t at_ns, int width, char buffer[FORMAT_BYTES]);
/* A value of an expectation in its unit (words of scenario.h): "45.000 s", "98.7 %", "2". */
const char *format_measure(const char *value, const char *unit, char buffer[FORMAT_BYTES]);
