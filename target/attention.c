/* Unit attention conditions that wait: see attention.h. */
#include "target/attention.h"

#include <string.h>

void attention_put(struct attentions *attentions, enum attention attention)
{
    if (attention == ATTENTION_RESET)
        attentions->count = 0;
    for (uint8_t i = 0; i < attentions->count; i++) {
        if (attentions->waiting[i] == attention)
            return;
    }
    if (attentions->count < ATTENTION_MOST)
        attentions->waiting[attentions->count++] = (uint16_t)attention;
}

static void remove_at(struct attentions *attentions, uint8_t index)
{
    attentions->count--;
    memmove(&attentions->waiting[index], &attentions->waiting[index + 1],
            (size_t)(attentions->count - index) * sizeof(attentions->waiting[0]));
}

enum attention attention_take(struct attentions *attentions)
{
    if (attentions->count == 0)
        return ATTENTION_NONE;
    enum attention attention = attentions->waiting[0];

    remove_at(attentions, 0);
    return attention;
}

void attention_forget(struct attentions *attentions, enum attention attention)
{
    for (uint8_t i = 0; i < attentions->count; i++) {
        if (attentions->waiting[i] == attention) {
            remove_at(attentions, i);
            return;
        }
    }
}
