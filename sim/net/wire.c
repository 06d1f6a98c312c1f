/* The words for why frames end, and the end itself. */
#include "sim/net/wire.h"

#include <string.h>

static const char *const words[] = {
#define X(name, word) word,
    DROP_REASONS(X)
#undef X
};

const char *drop_reason_word(enum drop_reason reason)
{
    assert(reason < DROP_REASON_COUNT);
    return words[reason];
}

enum drop_reason drop_reason_find(const char *word)
{
    enum drop_reason reason = 0;

    while (reason < DROP_REASON_COUNT && strcmp(words[reason], word) != 0)
        reason++;
    return reason;
}

void wire_drop(struct wire *wire, const char *where, enum drop_reason reason, struct frame *frame)
{
    if (wire->tap)
        wire->tap->ops->drop(wire->tap, clock_now_ns(wire->clock), where, reason, frame);
    frame_unref(frame);
}
