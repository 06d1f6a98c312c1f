/* CHAP, both sides: see chap.h for who says what when. */
#include "iscsi/chap.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

struct algorithm {
    enum chap_algorithm number;
    const char *word; /* as in IANA's list, and as libcrypto knows it */
    uint8_t bytes;
};

static const struct algorithm algorithms[] = {
#define X(name, number, word, bytes) {name, word, bytes},
    CHAP_ALGORITHMS(X)
#undef X
};
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

static const char *const chap_keys[] = {"CHAP_A", "CHAP_I", "CHAP_C", "CHAP_N", "CHAP_R"};
#define KEY_COUNT (sizeof(chap_keys) / sizeof(chap_keys[0]))

const char *chap_outcome_word(enum chap_outcome outcome)
{
    static const char *const words[] = {
#define X(name, word) word,
        CHAP_OUTCOMES(X)
#undef X
    };

    return words[outcome];
}

const char *chap_identity_set(struct chap_identity *identity, const char *name, const void *secret,
                              size_t secret_bytes)
{
    size_t name_bytes = strlen(name);

    if (name_bytes == 0)
        return "the name is empty";
    if (name_bytes >= sizeof(identity->name))
        return "the name is longer than 255 bytes";
    if (secret_bytes < CHAP_SECRET_LEAST)
        return "the secret is shorter than 12 bytes (96 bits; RFC 7143, 9.2.1)";
    if (secret_bytes > sizeof(identity->secret))
        return "the secret is longer than 255 bytes";
    *identity = (struct chap_identity){.secret_bytes = (uint32_t)secret_bytes};
    memcpy(identity->name, name, name_bytes + 1);
    memcpy(identity->secret, secret, secret_bytes);
    return NULL;
}

void chap_wipe(void *memory, size_t bytes)
{
    OPENSSL_cleanse(memory, bytes);
}

bool chap_secrets_are_equal(const struct chap_identity *a, const struct chap_identity *b)
{
    return a->secret_bytes == b->secret_bytes &&
           CRYPTO_memcmp(a->secret, b->secret, a->secret_bytes) == 0;
}

/* ---- digests and challenges ---- */

static const struct algorithm *algorithm_of(enum chap_algorithm number)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++)
        if (algorithms[i].number == number)
            return &algorithms[i];
    return NULL;
}

size_t chap_digest(enum chap_algorithm number, uint8_t identifier,
                   const struct chap_identity *identity, const uint8_t *challenge,
                   size_t challenge_bytes, uint8_t ret_digest[CHAP_DIGEST_MOST])
{
    const struct algorithm *algorithm = algorithm_of(number);
    EVP_MD *digest = EVP_MD_fetch(NULL, algorithm->word, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned bytes = 0;
    bool is_good = digest && context && EVP_DigestInit_ex(context, digest, NULL) &&
                   EVP_DigestUpdate(context, &identifier, 1) &&
                   EVP_DigestUpdate(context, identity->secret, identity->secret_bytes) &&
                   EVP_DigestUpdate(context, challenge, challenge_bytes) &&
                   EVP_DigestFinal_ex(context, ret_digest, &bytes);

    EVP_MD_CTX_free(context);
    EVP_MD_free(digest);
    return is_good ? bytes : 0; /* 0: this libcrypto may not use it; no answer is right then */
}

static bool is_answer(const struct chap_challenge *challenge, const struct chap_identity *identity,
                      const uint8_t *answer, size_t answer_bytes)
{
    uint8_t right[CHAP_DIGEST_MOST];
    size_t bytes = chap_digest(challenge->algorithm, challenge->identifier, identity,
                               challenge->data, challenge->bytes, right);

    return bytes > 0 && bytes == answer_bytes && CRYPTO_memcmp(right, answer, bytes) == 0;
}

bool chap_is_challenge(const struct chap_challenge *challenge, const uint8_t *data, size_t bytes)
{
    return challenge->bytes > 0 && challenge->bytes == bytes &&
           memcmp(challenge->data, data, bytes) == 0;
}

static void add_binary(struct text *text, const char *key, const uint8_t *data, size_t bytes)
{
    char value[2 + 2 * CHAP_CHALLENGE_MOST + 1];
    bool fits = text_from_hex(data, bytes, value, sizeof(value));

    assert(fits);
    (void)fits;
    text_add(text, key, value);
}

static void put_challenge(struct chap_challenge *challenge, enum chap_algorithm algorithm,
                          struct chance *chance, struct text *text)
{
    *challenge =
        (struct chap_challenge){.algorithm = algorithm, .bytes = algorithm_of(algorithm)->bytes};
    chance->fill(chance, &challenge->identifier, 1);
    chance->fill(chance, challenge->data, challenge->bytes);
    text_add_number(text, "CHAP_I", challenge->identifier);
    add_binary(text, "CHAP_C", challenge->data, challenge->bytes);
}

/* ---- keys of the peer ---- */

struct keys {
    const char *a;
    const char *i;
    const char *c;
    const char *n;
    const char *r;
};

static struct keys find_keys(const char *text, size_t size)
{
    return (struct keys){.a = text_find(text, size, "CHAP_A"),
                         .i = text_find(text, size, "CHAP_I"),
                         .c = text_find(text, size, "CHAP_C"),
                         .n = text_find(text, size, "CHAP_N"),
                         .r = text_find(text, size, "CHAP_R")};
}

static bool has_any(const char *text, size_t size)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (text_find(text, size, chap_keys[i]))
            return true;
    return false;
}

/* What the peer wants to see answered. */
struct asked {
    uint8_t identifier;
    size_t bytes;
    uint8_t data[CHAP_BINARY_MOST];
};

static enum chap_outcome read_challenge(const struct keys *keys, struct asked *ret_asked)
{
    uint64_t identifier;

    if (!keys->i || !keys->c)
        return CHAP_MISSING;
    if (!text_to_number(keys->i, &identifier) || identifier > UINT8_MAX)
        return CHAP_BAD_NUMBER;
    if (!text_to_binary(keys->c, ret_asked->data, sizeof(ret_asked->data), &ret_asked->bytes) ||
        ret_asked->bytes == 0)
        return CHAP_BAD_BINARY;
    ret_asked->identifier = (uint8_t)identifier;
    return CHAP_GOOD;
}

/* The value of CHAP_N is plain text, even if it looks like a number (12.1.3). */
static enum chap_outcome put_answer(enum chap_algorithm algorithm,
                                    const struct chap_identity *identity, const struct asked *asked,
                                    struct text *text)
{
    uint8_t digest[CHAP_DIGEST_MOST];
    size_t bytes =
        chap_digest(algorithm, asked->identifier, identity, asked->data, asked->bytes, digest);

    if (bytes == 0)
        return CHAP_NO_ALGORITHM;
    text_add(text, "CHAP_N", identity->name);
    add_binary(text, "CHAP_R", digest, bytes);
    return CHAP_GOOD;
}

/* ---- the target's side ---- */

static enum chap_outcome take_method(struct chap_target *chap, const struct chap_policy *policy,
                                     const char *text, size_t size, struct text *answers)
{
    const char *methods = text_find(text, size, "AuthMethod");
    const char *method = policy->user_count > 0 ? "CHAP" : "None";

    if (has_any(text, size)) /* it was not agreed yet */
        return CHAP_OUT_OF_ORDER;
    if (!methods) /* it may still come, as long as the stage lasts */
        return CHAP_GOOD;
    if (!text_list_has(methods, method))
        return CHAP_NO_METHOD;
    text_add(answers, "AuthMethod", method);
    chap->step = policy->user_count > 0 ? CHAP_AT_ALGORITHM : CHAP_DONE;
    return CHAP_GOOD;
}

/* The first of the peer's list that is ours as well: lists are in its order of preference. */
static const struct algorithm *choose(const char *list)
{
    const char *item;
    size_t item_bytes;
    size_t at = 0;

    while (text_list_next(list, &at, &item, &item_bytes)) {
        for (size_t i = 0; i < ALGORITHM_COUNT; i++)
            if (item_bytes == 1 && item[0] == (char)('0' + algorithms[i].number))
                return &algorithms[i];
    }
    return NULL;
}

static enum chap_outcome take_algorithms(struct chap_target *chap, struct chance *chance,
                                         const struct keys *keys, struct text *answers)
{
    if (keys->i || keys->c || keys->n || keys->r)
        return CHAP_OUT_OF_ORDER;
    if (!keys->a)
        return CHAP_MISSING;
    const struct algorithm *chosen = choose(keys->a);

    if (!chosen)
        return CHAP_NO_ALGORITHM;
    text_add_number(answers, "CHAP_A", chosen->number);
    put_challenge(&chap->challenge, chosen->number, chance, answers);
    chap->step = CHAP_AT_RESPONSE;
    return CHAP_GOOD;
}

/* All users are gone through, and somebody's digest is made in any case: the time does not tell
 * whether a name is known. */
static const struct chap_identity *find_user(const struct chap_target *chap,
                                             const struct chap_policy *policy, const char *name,
                                             const uint8_t *answer, size_t answer_bytes)
{
    const struct chap_identity *named = NULL;

    for (size_t i = 0; i < policy->user_count; i++)
        if (strcmp(policy->users[i].name, name) == 0)
            named = &policy->users[i];
    bool is_right =
        is_answer(&chap->challenge, named ? named : &policy->users[0], answer, answer_bytes);

    return named && is_right ? named : NULL;
}

static enum chap_outcome take_response(struct chap_target *chap, const struct chap_policy *policy,
                                       const struct keys *keys, struct text *answers)
{
    uint8_t answer[CHAP_BINARY_MOST];
    size_t answer_bytes;
    struct asked asked;

    if (keys->a)
        return CHAP_OUT_OF_ORDER;
    if (!keys->n || !keys->r)
        return CHAP_MISSING;
    if (!text_to_binary(keys->r, answer, sizeof(answer), &answer_bytes))
        return CHAP_BAD_BINARY;
    const struct chap_identity *user = find_user(chap, policy, keys->n, answer, answer_bytes);

    if (!user)
        return CHAP_UNKNOWN;
    memcpy(chap->user_name, user->name, sizeof(user->name)); /* the policy may change */
    if (keys->i || keys->c) {
        enum chap_outcome outcome = read_challenge(keys, &asked);

        if (outcome != CHAP_GOOD)
            return outcome;
        if (chap_is_challenge(&chap->challenge, asked.data, asked.bytes))
            return CHAP_REFLECTED;
        if (!policy->own)
            return CHAP_NO_IDENTITY;
        outcome = put_answer(chap->challenge.algorithm, policy->own, &asked, answers);
        if (outcome != CHAP_GOOD)
            return outcome;
    }
    chap->challenge.bytes = 0;
    chap->step = CHAP_DONE;
    return CHAP_GOOD;
}

enum chap_outcome chap_target_take(struct chap_target *chap, const struct chap_policy *policy,
                                   struct chance *chance, const char *text, size_t size,
                                   struct text *answers)
{
    struct keys keys = find_keys(text, size);

    switch (chap->step) {
    case CHAP_AT_METHOD:
        return take_method(chap, policy, text, size, answers);
    case CHAP_AT_ALGORITHM:
        return take_algorithms(chap, chance, &keys, answers);
    case CHAP_AT_RESPONSE:
        return take_response(chap, policy, &keys, answers);
    case CHAP_DONE:
        return has_any(text, size) ? CHAP_OUT_OF_ORDER : CHAP_GOOD;
    }
    return CHAP_OUT_OF_ORDER;
}

/* ---- the initiator's side ---- */

void chap_initiator_begin(struct chap_initiator *chap, const struct chap_login *login,
                          struct text *outgoing)
{
    *chap = (struct chap_initiator){.step = CHAP_AT_METHOD};
    /* Nothing weaker is offered, so that nobody can talk us out of it. */
    text_add(outgoing, "AuthMethod", login->own ? "CHAP" : "None");
}

static void offer_algorithms(struct text *outgoing)
{
    char list[3 * ALGORITHM_COUNT];
    size_t bytes = 0;

    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        list[bytes++] = (char)('0' + algorithms[i].number);
        list[bytes++] = i + 1 < ALGORITHM_COUNT ? ',' : '\0';
    }
    text_add(outgoing, "CHAP_A", list);
}

static enum chap_outcome take_agreed_method(struct chap_initiator *chap,
                                            const struct chap_login *login, const char *text,
                                            size_t size, struct text *outgoing)
{
    const char *method = text_find(text, size, "AuthMethod");

    if (has_any(text, size))
        return CHAP_OUT_OF_ORDER;
    if (!login->own)
        return !method || strcmp(method, "None") == 0 ? CHAP_GOOD : CHAP_NO_METHOD;
    if (!method || strcmp(method, "CHAP") != 0)
        return CHAP_NO_METHOD;
    offer_algorithms(outgoing);
    chap->step = CHAP_AT_ALGORITHM;
    return CHAP_GOOD;
}

static enum chap_outcome take_challenge(struct chap_initiator *chap, const struct chap_login *login,
                                        const struct keys *keys, struct text *outgoing)
{
    const struct algorithm *chosen = keys->a ? choose(keys->a) : NULL;
    struct asked asked;

    if (keys->n || keys->r)
        return CHAP_OUT_OF_ORDER;
    if (!keys->a)
        return CHAP_MISSING;
    if (!chosen || keys->a[1] != '\0')
        return CHAP_NO_ALGORITHM;
    enum chap_outcome outcome = read_challenge(keys, &asked);

    if (outcome == CHAP_GOOD)
        outcome = put_answer(chosen->number, login->own, &asked, outgoing);
    if (outcome != CHAP_GOOD)
        return outcome;
    if (login->target) {
        put_challenge(&chap->challenge, chosen->number, login->chance, outgoing);
        if (chap_is_challenge(&chap->challenge, asked.data, asked.bytes))
            return CHAP_REFLECTED;
    }
    chap->step = CHAP_AT_RESPONSE;
    return CHAP_GOOD;
}

static enum chap_outcome take_proof(struct chap_initiator *chap, const struct chap_login *login,
                                    const struct keys *keys)
{
    uint8_t answer[CHAP_BINARY_MOST];
    size_t answer_bytes;

    if (keys->a || keys->i || keys->c || (!login->target && (keys->n || keys->r)))
        return CHAP_OUT_OF_ORDER;
    chap->step = CHAP_DONE;
    if (!login->target)
        return CHAP_GOOD;
    if (!keys->n || !keys->r)
        return CHAP_MISSING;
    if (!text_to_binary(keys->r, answer, sizeof(answer), &answer_bytes))
        return CHAP_BAD_BINARY;
    bool is_right = is_answer(&chap->challenge, login->target, answer, answer_bytes);

    chap->challenge.bytes = 0;
    return is_right && strcmp(keys->n, login->target->name) == 0 ? CHAP_GOOD : CHAP_UNKNOWN;
}

enum chap_outcome chap_initiator_take(struct chap_initiator *chap, const struct chap_login *login,
                                      const char *text, size_t size, bool transits,
                                      struct text *outgoing)
{
    struct keys keys = find_keys(text, size);

    if (transits && login->own && chap->step < CHAP_AT_RESPONSE)
        return CHAP_SKIPPED;
    switch (chap->step) {
    case CHAP_AT_METHOD:
        return take_agreed_method(chap, login, text, size, outgoing);
    case CHAP_AT_ALGORITHM:
        return take_challenge(chap, login, &keys, outgoing);
    case CHAP_AT_RESPONSE:
        return take_proof(chap, login, &keys);
    case CHAP_DONE:
        return has_any(text, size) ? CHAP_OUT_OF_ORDER : CHAP_GOOD;
    }
    return CHAP_OUT_OF_ORDER;
}
