/* Text keys: pairs, their limits, and every form of value. */
#include "tests/test.h"

#include "iscsi/text.h"
#include "sim/core/random.h"

#include <stdio.h>
#include <string.h>

#define K8  "abcdefgh"
#define K64 K8 K8 K8 K8 K8 K8 K8 K8

static struct text_row {
    const char *name;
    const char *bytes;
    size_t size;
    enum text_outcome outcome;
} text_rows[] = {
    {"nothing at all", "", 0, TEXT_OK},
    {"one pair", "A=b", 4, TEXT_OK},
    {"two pairs", "A=b\0C=d", 8, TEXT_OK},
    {"a value with '=' in it", "A=b=c", 6, TEXT_OK},
    {"an empty value", "A=", 3, TEXT_OK},
    {"NULs between pairs", "A=b\0\0\0C=d\0", 11, TEXT_OK},
    {"a key of 63 bytes", &K64 "=v"[1], 66, TEXT_OK},
    {"a key of 64 bytes", K64 "=v", 67, TEXT_KEY_TOO_LONG},
    {"no NUL behind the last pair", "A=b", 3, TEXT_NO_NUL},
    {"no NUL behind the second pair", "A=b\0C=d", 7, TEXT_NO_NUL},
    {"no '='", "Ab", 3, TEXT_NO_EQUALS},
    {"no key", "=b", 3, TEXT_KEY_EMPTY},
    {"a space in the key", "A B=c", 6, TEXT_KEY_BAD},
    {"a control character in the key", "A\n=c", 5, TEXT_KEY_BAD},
    {"a key twice", "A=b\0C=d\0A=e", 12, TEXT_REPEATED},
    {"keys differ in case", "A=b\0a=d", 8, TEXT_OK},
};

static void is_checked(void **state)
{
    const struct text_row *row = *state;

    assert_int_equal(text_check(row->bytes, row->size, &text_login_limits), row->outcome);
    assert_true(strlen(text_outcome_word(row->outcome)) > 0);
}

static void values_have_a_limit(void **state)
{
    struct pool *pool = pool_new();
    struct text text;
    static char value[TEXT_LARGE_MOST + 2];

    (void)state;
    memset(value, 'v', TEXT_LARGE_MOST);
    text_init(&text, pool, TEXT_LOGIN_MOST);
    text_add(&text, "Key", value);
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_login_limits), TEXT_OK);
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_targets_limits),
                     TEXT_VALUE_TOO_LONG);
    text_clear(&text);
    value[TEXT_LARGE_MOST] = 'v';
    text_add(&text, "Key", value);
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_login_limits),
                     TEXT_VALUE_TOO_LONG);
    text_fini(&text);
    pool_free(pool);
}

static void pairs_have_a_limit_and_targets_may_repeat(void **state)
{
    struct pool *pool = pool_new();
    struct text text;
    char key[16];

    (void)state;
    text_init(&text, pool, TEXT_LOGIN_MOST);
    for (unsigned i = 0; i < TEXT_PAIRS_MOST; i++) {
        snprintf(key, sizeof(key), "K%u", i);
        text_add_number(&text, key, i);
    }
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_login_limits), TEXT_OK);
    text_add(&text, "One", "more");
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_login_limits), TEXT_TOO_MANY);
    text_add(&text, "One", "again");
    assert_int_equal(text_check(text_bytes(&text), text.bytes, &text_targets_limits), TEXT_OK);
    text_fini(&text);
    pool_free(pool);
}

static void what_does_not_fit_is_not_added(void **state)
{
    struct pool *pool = pool_new();
    struct text text;
    struct buf *data = buf_copy(pool, "0123456789", 10);

    (void)state;
    text_init(&text, pool, 16);
    text_add(&text, "Key", "value"); /* 10 bytes */
    text_add(&text, "Key2", "value");
    assert_true(text.is_too_long);
    assert_int_equal(text.bytes, 10);
    assert_false(text_join(&text, data));
    assert_int_equal(text.bytes, 10);
    text_clear(&text);
    assert_true(text_join(&text, data));
    assert_true(text_join(&text, NULL));
    assert_int_equal(text.bytes, 10);
    buf_free(data);
    text_fini(&text);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

/* A text of any length survives being cut into segments of any length. */
static void segments_join_to_the_same_text(void **state)
{
    (void)state;
    for (uint32_t segment = 1; segment < 70; segment++) {
        struct pool *pool = pool_new();
        struct text sent;
        struct text received;
        bool continues = true;
        int count = 0;

        text_init(&sent, pool, TEXT_LOGIN_MOST);
        text_init(&received, pool, TEXT_LOGIN_MOST);
        text_add(&sent, "TargetName", "iqn.2001-04.com.example:storage");
        text_add(&sent, "TargetAddress", "10.0.0.1:3260,1");
        for (; continues; count++) {
            struct buf *data = text_take(&sent, segment, &continues);

            assert_true(buf_bytes(data) <= segment);
            assert_true(text_join(&received, data));
            buf_free(data);
        }
        assert_int_equal(count, (sent.bytes + segment - 1) / segment);
        assert_null(text_take(&sent, segment, &continues));
        assert_false(continues);
        assert_int_equal(received.bytes, sent.bytes);
        assert_string_equal(text_find(text_bytes(&received), received.bytes, "TargetAddress"),
                            "10.0.0.1:3260,1");
        assert_null(text_find(text_bytes(&received), received.bytes, "Target"));
        assert_null(text_find(text_bytes(&received), received.bytes, "targetname"));
        text_fini(&sent);
        text_fini(&received);
        assert_int_equal(pool_live_chunks(pool), 0);
        pool_free(pool);
    }
}

static struct number_row {
    const char *name;
    const char *value;
    bool is_good;
    uint64_t number;
} number_rows[] = {
    {"zero", "0", true, 0},
    {"a decimal number", "262144", true, 262144},
    {"leading zeros are decimal", "007", true, 7},
    {"hexadecimal", "0x1fF", true, 511},
    {"hexadecimal with X", "0X10", true, 16},
    {"the largest", "18446744073709551615", true, UINT64_MAX},
    {"the largest in hexadecimal", "0xffffffffffffffff", true, UINT64_MAX},
    {"one more than the largest", "18446744073709551616", false, 0},
    {"17 hexadecimal digits", "0x10000000000000000", false, 0},
    {"nothing", "", false, 0},
    {"only the prefix", "0x", false, 0},
    {"a sign", "-1", false, 0},
    {"a space in front", " 1", false, 0},
    {"a letter behind", "12a", false, 0},
    {"a bad hexadecimal digit", "0x1g", false, 0},
};

static void numbers_are_read(void **state)
{
    const struct number_row *row = *state;
    uint64_t number = 0;

    assert_int_equal(text_to_number(row->value, &number), row->is_good);
    assert_true(number == row->number);
}

static void other_values_are_read(void **state)
{
    uint64_t low = 9;
    uint64_t high = 9;
    bool is_yes = false;

    (void)state;
    assert_true(text_to_boolean("Yes", &is_yes));
    assert_true(is_yes);
    assert_true(text_to_boolean("No", &is_yes));
    assert_false(is_yes);
    assert_false(text_to_boolean("yes", &is_yes));
    assert_false(text_to_boolean("", &is_yes));
    assert_false(text_to_boolean("Yes ", &is_yes));
    assert_true(text_to_range("512~0x1000", &low, &high));
    assert_true(low == 512 && high == 4096);
    assert_false(text_to_range("5~4", &low, &high));
    assert_false(text_to_range("5", &low, &high));
    assert_false(text_to_range("5~", &low, &high));
    assert_false(text_to_range("~5", &low, &high));
    assert_false(text_to_range("1~2~3", &low, &high));
}

static void numbers_are_written(void **state)
{
    char value[TEXT_NUMBER_BYTES];

    (void)state;
    text_from_number(0, value);
    assert_string_equal(value, "0");
    text_from_number(UINT64_MAX, value);
    assert_string_equal(value, "18446744073709551615");
}

static struct binary_row {
    const char *name;
    const char *value;
    bool is_good;
    uint8_t bytes;
    uint8_t data[4];
} binary_rows[] = {
    {"hexadecimal", "0x0aFf", true, 2, {0x0a, 0xff}},
    {"an odd count begins with half a byte", "0xabc", true, 2, {0x0a, 0xbc}},
    {"base64 with two pads", "0bYQ==", true, 1, {'a'}},
    {"base64 with one pad", "0bYWI=", true, 2, {'a', 'b'}},
    {"base64 without pads", "0BYWJj", true, 3, {'a', 'b', 'c'}},
    {"as much as there is room for", "0x01020304", true, 4, {1, 2, 3, 4}},
    {"more than there is room for", "0x0102030405", false, 0, {0}},
    {"base64 that is too long", "0bYWJjYWJj", false, 0, {0}},
    {"no prefix", "abcd", false, 0, {0}},
    {"only a prefix", "0x", false, 0, {0}},
    {"only a prefix of base64", "0b", false, 0, {0}},
    {"a bad hexadecimal digit", "0x0g", false, 0, {0}},
    {"base64 of a wrong length", "0bYWJ", false, 0, {0}},
    {"base64 with a pad in the middle", "0bYQ==YQ==", false, 0, {0}},
    {"base64 of nothing but pads", "0b====", false, 0, {0}},
    {"a bad base64 digit", "0bY!Jj", false, 0, {0}},
};

static void binary_values_are_read(void **state)
{
    const struct binary_row *row = *state;
    uint8_t data[4];
    size_t bytes = 0;

    assert_int_equal(text_to_binary(row->value, data, sizeof(data), &bytes), row->is_good);
    assert_int_equal(bytes, row->bytes);
    if (row->is_good)
        assert_memory_equal(data, row->data, bytes);
}

static void binary_values_come_back(void **state)
{
    uint8_t data[100];
    uint8_t back[100];
    char value[256];
    struct random random;

    (void)state;
    random_init(&random, 1, "binary");
    for (size_t bytes = 1; bytes <= sizeof(data); bytes++) {
        size_t got = 0;

        for (size_t i = 0; i < bytes; i++)
            data[i] = (uint8_t)random_next(&random);
        assert_true(text_from_hex(data, bytes, value, sizeof(value)));
        assert_int_equal(strlen(value), 2 + 2 * bytes);
        assert_true(text_to_binary(value, back, sizeof(back), &got));
        assert_int_equal(got, bytes);
        assert_memory_equal(back, data, bytes);
        assert_true(text_from_base64(data, bytes, value, sizeof(value)));
        assert_true(text_to_binary(value, back, sizeof(back), &got));
        assert_int_equal(got, bytes);
        assert_memory_equal(back, data, bytes);
    }
    assert_true(text_from_hex(data, 4, value, 11));
    assert_false(text_from_hex(data, 4, value, 10));
    assert_true(text_from_base64(data, 3, value, 7));
    assert_false(text_from_base64(data, 3, value, 6));
}

static void lists_are_walked(void **state)
{
    static const char *const ours[] = {"None", "CRC32C"};
    const char *item;
    size_t bytes;
    size_t at = 0;

    (void)state;
    assert_true(text_list_next("a,bc,", &at, &item, &bytes));
    assert_int_equal(bytes, 1);
    assert_true(text_list_next("a,bc,", &at, &item, &bytes));
    assert_int_equal(bytes, 2);
    assert_true(text_list_next("a,bc,", &at, &item, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(text_list_next("a,bc,", &at, &item, &bytes));
    assert_true(text_list_has("CHAP,None", "None"));
    assert_false(text_list_has("CHAP,Nonesuch", "None"));
    assert_int_equal(text_list_choose("CRC32C,None", ours, 2), 1);
    assert_int_equal(text_list_choose("MD5,None,CRC32C", ours, 2), 0);
    assert_int_equal(text_list_choose("MD5", ours, 2), -1);
    assert_int_equal(text_list_choose("", ours, 2), -1);
}

int main(void)
{
    TEST_ROWS(text_rows, is_checked);
    TEST(values_have_a_limit);
    TEST(pairs_have_a_limit_and_targets_may_repeat);
    TEST(what_does_not_fit_is_not_added);
    TEST(segments_join_to_the_same_text);
    TEST_ROWS(number_rows, numbers_are_read);
    TEST(other_values_are_read);
    TEST(numbers_are_written);
    TEST_ROWS(binary_rows, binary_values_are_read);
    TEST(binary_values_come_back);
    TEST(lists_are_walked);
    return TEST_RUN("iscsi.text");
}
