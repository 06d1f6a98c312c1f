/* getopt_long(), for which any word is a value. */
#include "lab/options.h"

#include <stddef.h>
#include <string.h>

int options_next(int argc, char **argv, const char *letters, const struct option *known)
{
    int option = getopt_long(argc, argv, letters, known, NULL);

    if (option > 0 && option != '?' && option != ':' && optarg && optarg == argv[optind - 1] &&
        strncmp(optarg, "--", 2) == 0) {
        optind--;
        return ':';
    }
    return option;
}
