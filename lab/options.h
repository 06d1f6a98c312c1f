/* The options of a command, as getopt_long(3) reads them. */
#pragma once

#include <getopt.h>

/* The next option, or -1; its value stands in 'optarg'. ':' if a value is missing: at the end, or
 * because the next word is an option ("--db --quiet"); argv[optind - 1] is then the option that
 * wants it. 'letters' begins with ':'. */
int options_next(int argc, char **argv, const char *letters, const struct option *known);
