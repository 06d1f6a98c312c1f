/* Any bytes as the texts of a login or Text exchange, joined from segments, checked, walked and
 * negotiated; and each value as every form of value there is.
 */
#include "iscsi/name.h"
#include "iscsi/negotiate.h"
#include "iscsi/text.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_END 0xff /* in the input: the peer's text ends here, the next one follows */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
    if (!is_right)
        abort();
}

static void read_value(const char *value)
{
    uint8_t binary[64];
    char text[256];
    size_t bytes = 0;
    uint64_t number;
    uint64_t high;
    bool is_yes;
    struct target_address address;
    const char *item;

    if (text_to_binary(value, binary, sizeof(binary), &bytes)) {
        uint8_t again[64];
        size_t got = 0;

        check(bytes <= sizeof(binary));
        check(text_from_base64(binary, bytes, text, sizeof(text)));
        check(text_to_binary(text, again, sizeof(again), &got) && got == bytes);
        check(memcmp(binary, again, bytes) == 0);
    }
    if (text_to_number(value, &number)) {
        text_from_number(number, text);
        check(text_to_number(text, &high) && high == number);
    }
    (void)text_to_boolean(value, &is_yes);
    if (text_to_range(value, &number, &high))
        check(number <= high);
    (void)iscsi_name_is_valid(value);
    if (target_address_parse(value, &address)) {
        struct target_address again;

        target_address_format(&address, text);
        check(target_address_parse(text, &again) && again.at.address == address.at.address);
    }
    for (size_t at = 0; text_list_next(value, &at, &item, &bytes);)
        check(text_list_has(value, "None") || bytes != 4 || memcmp(item, "None", 4) != 0);
}

static void walk(const struct text *text)
{
    struct text_pair pair;
    const struct text_limits *limits[] = {&text_login_limits, &text_targets_limits};

    for (size_t i = 0; i < 2; i++) {
        if (text_check(text_bytes(text), text->bytes, limits[i]) != TEXT_OK)
            continue;
        for (size_t at = 0; text_next(text_bytes(text), text->bytes, &at, &pair);) {
            check(pair.key_bytes > 0 && pair.key_bytes <= TEXT_KEY_MOST);
            check(strlen(pair.value) == pair.value_bytes);
            read_value(pair.value);
        }
    }
}

/* Whatever was said, what holds is inside the ranges of the standard. */
static void check_agreed(const struct negotiation *n)
{
    const char *key;

    if (n->failure == NEGOTIATE_GOOD && negotiate_is_complete(n))
        check(iscsi_params_are_valid(&n->agreed, &key));
    check(memchr(n->culprit, 0, sizeof(n->culprit)) != NULL);
}

static struct negotiation begin(uint8_t flags)
{
    struct negotiation n;
    struct negotiate_role role = {
        .is_initiator = flags & 1, .is_discovery = flags & 2, .is_leading = flags & 4};
    struct iscsi_params wanted = iscsi_default_params;

    wanted.header_digest = (enum digest_choice)(flags >> 3 & 3);
    wanted.first_burst_bytes = flags & 32 ? 512 : 16777215;
    wanted.max_burst_bytes = flags & 64 ? 65536 : 16777215;
    wanted.initial_r2t = flags & 128;
    if (wanted.first_burst_bytes > wanted.max_burst_bytes)
        wanted.first_burst_bytes = wanted.max_burst_bytes;
    negotiate_init(&n, role, &wanted);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum negotiate_phase phase = (enum negotiate_phase)(data[1] % 3);
    struct negotiation n = begin(data[0]);
    struct pool *pool = pool_new();
    struct text text;
    struct text answers;

    text_init(&text, pool, TEXT_LOGIN_MOST);
    text_init(&answers, pool, 2048);
    if (n.role.is_initiator)
        negotiate_offer(&n, phase, &answers);
    for (size_t at = 2; at < size;) {
        const uint8_t *end = memchr(data + at, TEXT_END, size - at);
        size_t bytes = end ? (size_t)(end - data) - at : size - at;
        size_t half = bytes / 2;
        struct buf *first = buf_copy(pool, data + at, half);
        struct buf *second = buf_copy(pool, data + at + half, bytes - half);
        bool continues = true;

        text_clear(&text);
        (void)(text_join(&text, first) && text_join(&text, second));
        buf_free(first);
        buf_free(second);
        walk(&text);
        text_clear(&answers);
        check(negotiate_receive(&n, phase, text_bytes(&text), text.bytes, &answers) == n.failure);
        negotiate_offer(&n, phase, &answers);
        check_agreed(&n);
        if (n.failure == NEGOTIATE_GOOD && !answers.is_too_long)
            check(text_check(text_bytes(&answers), answers.bytes, &text_login_limits) == TEXT_OK);
        while (continues)
            buf_free(text_take(&answers, 100, &continues));
        at += bytes + 1;
    }
    text_fini(&text);
    text_fini(&answers);
    check(pool_live_chunks(pool) == 0);
    check(pool_live_bufs(pool) == 0);
    pool_free(pool);
    return 0;
}
