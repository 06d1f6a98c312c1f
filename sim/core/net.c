/* The words of the network interface. */
#include "sim/core/net.h"

const char *close_reason_word(enum close_reason reason)
{
    static const char *const words[] = {
#define X(name, word) word,
        CLOSE_REASONS(X)
#undef X
    };

    return words[reason];
}
