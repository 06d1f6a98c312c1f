/* Text keys: lists of "key=value" with a NUL behind each (RFC 7143, 6.1), and their values.
 *
 * A text under way is a 'struct text': the sender adds pairs and cuts it into data segments, the
 * receiver joins data segments until the C bit is 0. Either is bounded. What was received is then
 * checked as a whole once, and walked or searched; the pairs point into it.
 *
 *     text_add(&text, "MaxBurstLength", "262144");      text_join(&text, data);
 *     data = text_take(&text, max_bytes, &continues);   text_check(text_bytes(&text), ...)
 */
#pragma once

#include "sim/core/attributes.h"
#include "sim/core/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_KEY_MOST     63u          /* bytes of a key (6.1) */
#define TEXT_VALUE_MOST   255u         /* bytes of a value, unless the key says otherwise (6.1) */
#define TEXT_LARGE_MOST   8192u        /* ... of a binary value or a list that says otherwise */
#define TEXT_PAIRS_MOST   256u         /* pairs in one negotiation that we look at */
#define TEXT_LOGIN_MOST   (64u * 1024) /* joined data segments of one login or text exchange */
#define TEXT_NUMBER_BYTES 24u          /* room for any 64-bit number in decimal, with its NUL */

/* Growing text. The bytes are one chunk of the pool. */
struct text {
    struct pool *pool;
    struct chunk *chunk; /* NULL while empty */
    uint32_t bytes;
    uint32_t taken_bytes; /* by text_take() */
    uint32_t most_bytes;
    bool is_too_long; /* something did not fit; it stays so until text_clear() */
};

void text_init(struct text *text, struct pool *pool, uint32_t most_bytes);
void text_fini(struct text *text);
void text_clear(struct text *text);

/* One more pair. When it does not fit, nothing is added and 'is_too_long' is set. */
void text_add(struct text *text, const char *key, const char *value);
void text_add_number(struct text *text, const char *key, uint64_t value);
/* More bytes as they came. False: longer than 'most_bytes', and nothing is added. */
MUST_CHECK bool text_join(struct text *text, const struct buf *data);

/* The bytes, with no NUL of ours behind them; valid until the text changes. */
const char *text_bytes(const struct text *text);
/* The next data segment, a copy of at most 'max_bytes' (1 or more), NULL when all is taken; the
 * caller's from now on. '*ret_continues' is the C bit: more of the text follows. A pair may be
 * split, as the standard allows (6.1). */
struct buf *text_take(struct text *text, uint32_t max_bytes, bool *ret_continues);
static inline uint32_t text_left(const struct text *text)
{
    return text->bytes - text->taken_bytes;
}

/* A pair inside a checked text. */
struct text_pair {
    const char *key; /* 'key_bytes' long, then '=' */
    uint32_t key_bytes;
    uint32_t value_bytes;
    const char *value; /* ends with NUL */
};

/* X-macro: name, word. */
#define TEXT_OUTCOMES(X)                                                                           \
    X(TEXT_OK, "good")                                                                             \
    X(TEXT_NO_NUL, "the last pair has no NUL")                                                     \
    X(TEXT_NO_EQUALS, "a pair without '='")                                                        \
    X(TEXT_KEY_EMPTY, "an empty key")                                                              \
    X(TEXT_KEY_TOO_LONG, "a key longer than 63 bytes")                                             \
    X(TEXT_KEY_BAD, "a key with a character that keys cannot have")                                \
    X(TEXT_VALUE_TOO_LONG, "a value that is too long")                                             \
    X(TEXT_TOO_MANY, "too many pairs")                                                             \
    X(TEXT_REPEATED, "a key twice")

enum text_outcome {
#define X(name, word) name,
    TEXT_OUTCOMES(X)
#undef X
};

const char *text_outcome_word(enum text_outcome outcome);

/* What this text may be like. In answers to SendTargets keys repeat (RFC 7143, Appendix C). */
struct text_limits {
    uint32_t value_bytes; /* TEXT_VALUE_MOST or TEXT_LARGE_MOST */
    uint32_t pairs;       /* at most; with 'may_repeat' any number, at most TEXT_PAIRS_MOST else */
    bool may_repeat;
};
extern const struct text_limits text_login_limits;   /* login and text negotiation */
extern const struct text_limits text_targets_limits; /* answers to SendTargets */

/* Extra NULs between pairs are skipped, as other implementations do. */
MUST_CHECK enum text_outcome text_check(const char *bytes, size_t size,
                                        const struct text_limits *limits);

/* Walks a text that text_check() found good: '*at' is 0 at first. False: no more. */
bool text_next(const char *bytes, size_t size, size_t *at, struct text_pair *ret_pair);
/* The value of a key (case counts, 6.1); NULL: not there. */
const char *text_find(const char *bytes, size_t size, const char *key);
bool text_key_is(const struct text_pair *pair, const char *key);

/* Values (6.1). Each returns false when the value has not the form, and writes nothing then. */
bool text_to_number(const char *value, uint64_t *ret_number); /* decimal or 0x hex, 64 bits */
bool text_to_boolean(const char *value, bool *ret_is_yes);    /* "Yes" or "No" */
bool text_to_range(const char *value, uint64_t *ret_low, uint64_t *ret_high); /* "a~b" */
/* Binary: 0x hex or 0b base64 (6.1), at most 'room' bytes; an odd hex count has half a byte first.
 */
bool text_to_binary(const char *value, uint8_t *ret_data, size_t room, size_t *ret_bytes);

/* Writes the value with its NUL; false: 'room' is too small. */
bool text_from_hex(const uint8_t *data, size_t bytes, char *ret_value, size_t room);
bool text_from_base64(const uint8_t *data, size_t bytes, char *ret_value, size_t room);
void text_from_number(uint64_t number, char ret_value[TEXT_NUMBER_BYTES]);

/* Lists: "a,b,c". The next item from '*at' (0 at first); false: no more. */
bool text_list_next(const char *list, size_t *at, const char **ret_item, size_t *ret_item_bytes);
bool text_list_has(const char *list, const char *item);
/* The index in 'ours' of the first item of the offered list that is also ours, -1 if none: lists
 * are in the offerer's order of preference (6.2.1). */
int text_list_choose(const char *offer, const char *const *ours, size_t our_count);
