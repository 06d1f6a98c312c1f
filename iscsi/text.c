/* Text keys and their values. */
#include "iscsi/text.h"

#include <assert.h>
#include <string.h>

#define FIRST_CHUNK_BYTES 1024u

const struct text_limits text_login_limits = {
    .value_bytes = TEXT_LARGE_MOST,
    .pairs = TEXT_PAIRS_MOST,
};

const struct text_limits text_targets_limits = {
    .value_bytes = TEXT_VALUE_MOST,
    .pairs = UINT32_MAX,
    .may_repeat = true,
};

static const char *const outcome_words[] = {
#define X(name, word) word,
    TEXT_OUTCOMES(X)
#undef X
};

const char *text_outcome_word(enum text_outcome outcome)
{
    return outcome_words[outcome];
}

void text_init(struct text *text, struct pool *pool, uint32_t most_bytes)
{
    *text = (struct text){.pool = pool, .most_bytes = most_bytes};
}

void text_fini(struct text *text)
{
    chunk_unref(text->chunk);
    text->chunk = NULL;
    text->bytes = 0;
    text->taken_bytes = 0;
}

void text_clear(struct text *text)
{
    text_fini(text);
    text->is_too_long = false;
}

/* Where 'bytes' more can be written; NULL: too long. */
static char *make_room(struct text *text, size_t bytes)
{
    if (bytes > text->most_bytes - text->bytes) {
        text->is_too_long = true;
        return NULL;
    }
    size_t needed = text->bytes + bytes;

    if (!text->chunk || text->chunk->bytes < needed) {
        size_t room = text->chunk ? text->chunk->bytes : FIRST_CHUNK_BYTES;

        while (room < needed)
            room *= 2;
        struct chunk *chunk = chunk_new(text->pool, room);

        if (text->chunk)
            memcpy(chunk->data, text->chunk->data, text->bytes);
        chunk_unref(text->chunk);
        text->chunk = chunk;
    }
    char *place = (char *)text->chunk->data + text->bytes;

    text->bytes = (uint32_t)needed;
    return place;
}

void text_add(struct text *text, const char *key, const char *value)
{
    size_t key_bytes = strlen(key);
    size_t value_bytes = strlen(value);
    char *place = make_room(text, key_bytes + 1 + value_bytes + 1);

    if (!place)
        return;
    memcpy(place, key, key_bytes);
    place[key_bytes] = '=';
    memcpy(place + key_bytes + 1, value, value_bytes);
    place[key_bytes + 1 + value_bytes] = '\0';
}

void text_add_number(struct text *text, const char *key, uint64_t value)
{
    char digits[TEXT_NUMBER_BYTES];

    text_from_number(value, digits);
    text_add(text, key, digits);
}

bool text_join(struct text *text, const struct buf *data)
{
    size_t bytes = buf_bytes(data);

    if (bytes == 0)
        return true;
    char *place = make_room(text, bytes);

    if (place)
        buf_read(data, 0, place, bytes);
    return place != NULL;
}

const char *text_bytes(const struct text *text)
{
    return text->chunk ? (const char *)text->chunk->data : "";
}

struct buf *text_take(struct text *text, uint32_t max_bytes, bool *ret_continues)
{
    uint32_t bytes = text_left(text) < max_bytes ? text_left(text) : max_bytes;
    const char *from = text_bytes(text) + text->taken_bytes;

    text->taken_bytes += bytes;
    *ret_continues = text_left(text) > 0;
    return buf_copy(text->pool, from, bytes);
}

/* Letters, digits, and what else a label may have (6.1). */
static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '+' || c == '@' || c == '_';
}

/* Splits the pair at '*at', which is no NUL, and moves behind it. */
static enum text_outcome split_pair(const char *bytes, size_t size, size_t *at,
                                    const struct text_limits *limits, struct text_pair *pair)
{
    const char *start = bytes + *at;
    const char *end = memchr(start, '\0', size - *at);

    if (!end)
        return TEXT_NO_NUL;
    const char *equals = memchr(start, '=', (size_t)(end - start));

    if (!equals)
        return TEXT_NO_EQUALS;
    *pair = (struct text_pair){
        .key = start,
        .key_bytes = (uint32_t)(equals - start),
        .value = equals + 1,
        .value_bytes = (uint32_t)(end - equals - 1),
    };
    *at += (size_t)(end - start) + 1;
    if (!limits) /* checked before */
        return TEXT_OK;
    if (pair->key_bytes == 0)
        return TEXT_KEY_EMPTY;
    if (pair->key_bytes > TEXT_KEY_MOST)
        return TEXT_KEY_TOO_LONG;
    for (const char *c = pair->key; c < equals; c++) {
        if (!is_key_char(*c))
            return TEXT_KEY_BAD;
    }
    return pair->value_bytes > limits->value_bytes ? TEXT_VALUE_TOO_LONG : TEXT_OK;
}

static void skip_nuls(const char *bytes, size_t size, size_t *at)
{
    while (*at < size && bytes[*at] == '\0')
        (*at)++;
}

static bool same_key(const struct text_pair *a, const struct text_pair *b)
{
    return a->key_bytes == b->key_bytes && memcmp(a->key, b->key, a->key_bytes) == 0;
}

enum text_outcome text_check(const char *bytes, size_t size, const struct text_limits *limits)
{
    struct text_pair seen[TEXT_PAIRS_MOST];
    uint32_t count = 0;
    size_t at = 0;

    assert(limits->may_repeat || limits->pairs <= TEXT_PAIRS_MOST);
    for (skip_nuls(bytes, size, &at); at < size; skip_nuls(bytes, size, &at)) {
        struct text_pair pair;
        enum text_outcome outcome = split_pair(bytes, size, &at, limits, &pair);

        if (outcome != TEXT_OK)
            return outcome;
        if (count == limits->pairs)
            return TEXT_TOO_MANY;
        if (!limits->may_repeat) {
            for (uint32_t i = 0; i < count; i++) {
                if (same_key(&seen[i], &pair))
                    return TEXT_REPEATED;
            }
            seen[count] = pair;
        }
        count++;
    }
    return TEXT_OK;
}

bool text_next(const char *bytes, size_t size, size_t *at, struct text_pair *ret_pair)
{
    skip_nuls(bytes, size, at);
    return *at < size && split_pair(bytes, size, at, NULL, ret_pair) == TEXT_OK;
}

bool text_key_is(const struct text_pair *pair, const char *key)
{
    return strlen(key) == pair->key_bytes && memcmp(key, pair->key, pair->key_bytes) == 0;
}

const char *text_find(const char *bytes, size_t size, const char *key)
{
    struct text_pair pair;

    for (size_t at = 0; text_next(bytes, size, &at, &pair);) {
        if (text_key_is(&pair, key))
            return pair.value;
    }
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool has_prefix(const char *value, char lower, char upper)
{
    return value[0] == '0' && (value[1] == lower || value[1] == upper);
}

/* The number of 'length' characters. */
static bool number_of(const char *value, size_t length, uint64_t *ret_number)
{
    bool is_hex = length > 2 && has_prefix(value, 'x', 'X');
    uint64_t base = is_hex ? 16 : 10;
    uint64_t number = 0;

    for (size_t i = is_hex ? 2 : 0; i < length; i++) {
        int digit = hex_digit(value[i]);

        if (digit < 0 || (unsigned)digit >= base)
            return false;
        if (number > (UINT64_MAX - (unsigned)digit) / base)
            return false;
        number = number * base + (unsigned)digit;
    }
    if (length == 0)
        return false;
    *ret_number = number;
    return true;
}

bool text_to_number(const char *value, uint64_t *ret_number)
{
    return number_of(value, strlen(value), ret_number);
}

bool text_to_boolean(const char *value, bool *ret_is_yes)
{
    bool is_yes = strcmp(value, "Yes") == 0;

    if (!is_yes && strcmp(value, "No") != 0)
        return false;
    *ret_is_yes = is_yes;
    return true;
}

bool text_to_range(const char *value, uint64_t *ret_low, uint64_t *ret_high)
{
    const char *tilde = strchr(value, '~');
    uint64_t low;
    uint64_t high;

    if (!tilde || !number_of(value, (size_t)(tilde - value), &low) ||
        !text_to_number(tilde + 1, &high) || low > high)
        return false;
    *ret_low = low;
    *ret_high = high;
    return true;
}

static bool from_hex(const char *digits, uint8_t *data, size_t room, size_t *ret_bytes)
{
    size_t count = strlen(digits);
    size_t bytes = (count + 1) / 2;
    size_t half = count % 2; /* the first byte has one digit only */

    if (count == 0 || bytes > room)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (hex_digit(digits[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        int high = i == 0 && half ? 0 : hex_digit(digits[2 * i - half]);
        int low = hex_digit(digits[2 * i - half + 1]);

        data[i] = (uint8_t)(high << 4 | low);
    }
    *ret_bytes = bytes;
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_digit(char c)
{
    const char *found = c ? strchr(base64_digits, c) : NULL;

    return found ? (int)(found - base64_digits) : -1;
}

/* RFC 4648, 4, with padding; unused bits are not looked at. */
static bool from_base64(const char *digits, uint8_t *data, size_t room, size_t *ret_bytes)
{
    size_t count = strlen(digits);

    if (count == 0 || count % 4 != 0)
        return false;
    size_t padding = digits[count - 1] != '=' ? 0 : digits[count - 2] != '=' ? 1 : 2;
    size_t bytes = count / 4 * 3 - padding;

    if (bytes > room)
        return false;
    for (size_t i = 0; i < count - padding; i++) {
        if (base64_digit(digits[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        size_t first = i / 3 * 4 + i % 3;
        unsigned pair = (unsigned)base64_digit(digits[first]) << 6;

        pair |= (unsigned)base64_digit(digits[first + 1]);
        data[i] = (uint8_t)(pair >> (4 - 2 * (i % 3)));
    }
    *ret_bytes = bytes;
    return true;
}

bool text_to_binary(const char *value, uint8_t *ret_data, size_t room, size_t *ret_bytes)
{
    if (has_prefix(value, 'x', 'X'))
        return from_hex(value + 2, ret_data, room, ret_bytes);
    if (has_prefix(value, 'b', 'B'))
        return from_base64(value + 2, ret_data, room, ret_bytes);
    return false;
}

bool text_from_hex(const uint8_t *data, size_t bytes, char *ret_value, size_t room)
{
    static const char digits[] = "0123456789abcdef";

    if (room < 3 || bytes > (room - 3) / 2)
        return false;
    *ret_value++ = '0';
    *ret_value++ = 'x';
    for (size_t i = 0; i < bytes; i++) {
        *ret_value++ = digits[data[i] >> 4];
        *ret_value++ = digits[data[i] & 15];
    }
    *ret_value = '\0';
    return true;
}

bool text_from_base64(const uint8_t *data, size_t bytes, char *ret_value, size_t room)
{
    if (room < 3 || bytes > (room - 3) / 4 * 3)
        return false;
    *ret_value++ = '0';
    *ret_value++ = 'b';
    for (size_t i = 0; i < bytes; i += 3) {
        size_t here = bytes - i < 3 ? bytes - i : 3;
        unsigned bits = (unsigned)data[i] << 16;

        bits |= here > 1 ? (unsigned)data[i + 1] << 8 : 0;
        bits |= here > 2 ? data[i + 2] : 0;
        *ret_value++ = base64_digits[bits >> 18];
        *ret_value++ = base64_digits[bits >> 12 & 63];
        *ret_value++ = here > 1 ? base64_digits[bits >> 6 & 63] : '=';
        *ret_value++ = here > 2 ? base64_digits[bits & 63] : '=';
    }
    *ret_value = '\0';
    return true;
}

void text_from_number(uint64_t number, char ret_value[TEXT_NUMBER_BYTES])
{
    char digits[TEXT_NUMBER_BYTES];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++)
        ret_value[i] = digits[count - 1 - i];
    ret_value[count] = '\0';
}

bool text_list_next(const char *list, size_t *at, const char **ret_item, size_t *ret_item_bytes)
{
    size_t from = *at;

    if (from > 0 && list[from - 1] == '\0') /* the last item was the last one */
        return false;
    size_t bytes = strcspn(list + from, ",");

    *ret_item = list + from;
    *ret_item_bytes = bytes;
    *at = from + bytes + 1;
    return true;
}

static bool item_is(const char *start, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(start, word, bytes) == 0;
}

bool text_list_has(const char *list, const char *item)
{
    const char *each;
    size_t bytes;

    for (size_t at = 0; text_list_next(list, &at, &each, &bytes);) {
        if (item_is(each, bytes, item))
            return true;
    }
    return false;
}

int text_list_choose(const char *offer, const char *const *ours, size_t our_count)
{
    const char *each;
    size_t bytes;

    for (size_t at = 0; text_list_next(offer, &at, &each, &bytes);) {
        for (size_t i = 0; i < our_count; i++) {
            if (item_is(each, bytes, ours[i]))
                return (int)i;
        }
    }
    return -1;
}
