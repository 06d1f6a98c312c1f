/* CHAP: the digests, both sides in conversation, and what either refuses. */
#include "tests/test.h"

#include "iscsi/chap.h"

#include <stdio.h>
#include <string.h>

#define SECRET "initiator-secret1"
#define PROOF  "target-secret-22"

static struct chap_identity identity(const char *name, const char *secret)
{
    struct chap_identity made;

    assert_null(chap_identity_set(&made, name, secret, strlen(secret)));
    return made;
}

/* ---- digests ---- */

/* H(07, "initiator-secret1", 00 01 .. 0f), by Python's hashlib. */
static struct digest_row {
    const char *name;
    enum chap_algorithm algorithm;
    const char *hex;
} digest_rows[] = {
    {"MD5", CHAP_MD5, "0x8988e84873d616027ce911f2803a4170"},
    {"SHA-1", CHAP_SHA1, "0x5cf206e6fad199e4b10b51ee5c90fcf82e86896b"},
    {"SHA-256", CHAP_SHA256, "0x32100752b8db7903e5c7459d3cb12785a21dabe3a00ddf69eafa0d9a922c5dfc"},
    {"SHA3-256", CHAP_SHA3_256,
     "0x59da078c6e71b26e4b111c91eb3726c15034eaa3179be095f97e68cd5a1790f1"},
};

static void digests_as_others_do(void **state)
{
    const struct digest_row *row = *state;
    struct chap_identity user = identity("hv1", SECRET);
    uint8_t challenge[16];
    uint8_t digest[CHAP_DIGEST_MOST];
    char hex[2 + 2 * CHAP_DIGEST_MOST + 1];

    for (uint8_t i = 0; i < sizeof(challenge); i++)
        challenge[i] = i;
    size_t bytes = chap_digest(row->algorithm, 7, &user, challenge, sizeof(challenge), digest);

    assert_true(text_from_hex(digest, bytes, hex, sizeof(hex)));
    assert_string_equal(hex, row->hex);
}

/* ---- identities ---- */

static struct identity_row {
    const char *name;
    const char *user;
    uint32_t secret_bytes;
    const char *fault; /* a part of it; NULL: good */
} identity_rows[] = {
    {"12 bytes are enough", "hv1", 12, NULL},
    {"255 bytes are the most", "hv1", 255, NULL},
    {"11 bytes are too few", "hv1", 11, "shorter than 12 bytes"},
    {"no secret", "hv1", 0, "shorter than 12 bytes"},
    {"256 bytes are too many", "hv1", 256, "longer than 255 bytes"},
    {"no name", "", 12, "name is empty"},
};

static void identities_have_their_rules(void **state)
{
    const struct identity_row *row = *state;
    struct chap_identity made;
    uint8_t secret[300] = {1};
    const char *fault = chap_identity_set(&made, row->user, secret, row->secret_bytes);

    if (!row->fault) {
        assert_null(fault);
        return;
    }
    assert_non_null(fault);
    assert_non_null(strstr(fault, row->fault));
}

static void names_have_an_end(void **state)
{
    struct chap_identity made;
    char name[CHAP_NAME_BYTES + 1];
    (void)state;

    memset(name, 'n', sizeof(name));
    name[CHAP_NAME_BYTES - 1] = '\0';
    assert_null(chap_identity_set(&made, name, SECRET, sizeof(SECRET) - 1));
    name[CHAP_NAME_BYTES - 1] = 'n';
    name[CHAP_NAME_BYTES] = '\0';
    assert_non_null(chap_identity_set(&made, name, SECRET, sizeof(SECRET) - 1));
}

/* ---- two sides ---- */

/* Counts: no challenge comes twice. */
static uint8_t next_byte;

static void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    (void)chance;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = next_byte++;
}

struct sides {
    struct pool *pool;
    struct chance chance;
    struct chap_identity user;
    struct chap_identity array;
    struct chap_policy policy;
    struct chap_login login;
    struct chap_target target;
    struct chap_initiator initiator;
    struct text to_target;
    struct text to_initiator;
};

static void sides_new(struct sides *s, bool is_mutual)
{
    *s = (struct sides){.pool = pool_new(), .chance = {.fill = count_up}};
    s->user = identity("hv1", SECRET);
    s->array = identity("array", PROOF);
    s->policy = (struct chap_policy){&s->user, 1, &s->array};
    s->login = (struct chap_login){
        .own = &s->user, .target = is_mutual ? &s->array : NULL, .chance = &s->chance};
    text_init(&s->to_target, s->pool, TEXT_LOGIN_MOST);
    text_init(&s->to_initiator, s->pool, TEXT_LOGIN_MOST);
}

static void sides_free(struct sides *s)
{
    text_fini(&s->to_target);
    text_fini(&s->to_initiator);
    assert_int_equal(pool_live_chunks(s->pool), 0);
    pool_free(s->pool);
}

static enum chap_outcome target_hears(struct sides *s)
{
    text_clear(&s->to_initiator);
    return chap_target_take(&s->target, &s->policy, &s->chance, text_bytes(&s->to_target),
                            s->to_target.bytes, &s->to_initiator);
}

static enum chap_outcome initiator_hears(struct sides *s, bool transits)
{
    text_clear(&s->to_target);
    return chap_initiator_take(&s->initiator, &s->login, text_bytes(&s->to_initiator),
                               s->to_initiator.bytes, transits, &s->to_target);
}

static const char *value_in(const struct text *text, const char *key)
{
    return text_find(text_bytes(text), text->bytes, key);
}

/* Up to the challenge of the target, which the initiator has not seen. */
static void go_to_challenge(struct sides *s, const char *algorithms)
{
    chap_initiator_begin(&s->initiator, &s->login, &s->to_target);
    assert_int_equal(target_hears(s), CHAP_GOOD);
    assert_string_equal(value_in(&s->to_initiator, "AuthMethod"), "CHAP");
    assert_int_equal(initiator_hears(s, false), CHAP_GOOD);
    assert_string_equal(value_in(&s->to_target, "CHAP_A"), "8,7,6,5");
    if (algorithms) {
        text_clear(&s->to_target);
        text_add(&s->to_target, "CHAP_A", algorithms);
    }
    assert_int_equal(target_hears(s), CHAP_GOOD);
    assert_false(chap_target_is_done(&s->target, &s->policy));
    assert_false(chap_initiator_may_transit(&s->initiator, &s->login));
}

static struct talk_row {
    const char *name;
    const char *algorithms; /* of the initiator; NULL: as it offers */
    const char *chosen;
    size_t challenge_bytes;
    bool is_mutual;
} talk_rows[] = {
    {"the strongest first", NULL, "8", 32, false},
    {"the strongest first, mutual", NULL, "8", 32, true},
    {"SHA-256", "7", "7", 32, true},
    {"SHA-1", "6,5", "6", 20, true},
    {"MD5 alone", "5", "5", 16, true},
    {"unknown ones before and behind", "99,0,5,6,1", "5", 16, false},
    {"in the initiator's order", "5,8", "5", 16, false},
};

static void both_come_to_agree(void **state)
{
    const struct talk_row *row = *state;
    struct sides s;

    sides_new(&s, row->is_mutual);
    go_to_challenge(&s, row->algorithms);
    assert_string_equal(value_in(&s.to_initiator, "CHAP_A"), row->chosen);
    assert_int_equal(s.target.challenge.bytes, row->challenge_bytes);
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    assert_true(chap_initiator_may_transit(&s.initiator, &s.login));
    assert_string_equal(value_in(&s.to_target, "CHAP_N"), "hv1");
    assert_int_equal(value_in(&s.to_target, "CHAP_C") != NULL, row->is_mutual);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    assert_true(chap_target_is_done(&s.target, &s.policy));
    assert_string_equal(s.target.user_name, s.user.name);
    assert_int_equal(value_in(&s.to_initiator, "CHAP_R") != NULL, row->is_mutual);
    assert_int_equal(initiator_hears(&s, true), CHAP_GOOD);
    assert_int_equal(s.initiator.step, CHAP_DONE);
    sides_free(&s);
}

static void base64_is_binary_as_well(void **state)
{
    struct sides s;
    uint8_t digest[CHAP_DIGEST_MOST];
    char value[64];
    (void)state;

    sides_new(&s, false);
    go_to_challenge(&s, "5");
    size_t bytes = chap_digest(CHAP_MD5, s.target.challenge.identifier, &s.user,
                               s.target.challenge.data, s.target.challenge.bytes, digest);

    assert_true(text_from_base64(digest, bytes, value, sizeof(value)));
    text_clear(&s.to_target);
    text_add(&s.to_target, "CHAP_N", "hv1");
    text_add(&s.to_target, "CHAP_R", value);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    sides_free(&s);
}

/* Two users, and a name that looks like a number: it is plain text. */
/* As when they are read anew while somebody logs in. */
static void who_came_in_is_known_when_the_secrets_are_gone(void **state)
{
    static const uint8_t zeros[sizeof(struct chap_identity)];
    struct sides s;
    struct chap_identity user = identity("hv1", SECRET);
    (void)state;

    sides_new(&s, false);
    s.policy.users = &user;
    s.policy.user_count = 1;
    s.login.own = &s.user;
    s.user = identity("hv1", SECRET);
    go_to_challenge(&s, NULL);
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    chap_wipe(&user, sizeof(user));
    assert_memory_equal(&user, zeros, sizeof(user));
    assert_string_equal(s.target.user_name, "hv1");
    sides_free(&s);
}

static void each_user_has_a_secret_of_its_own(void **state)
{
    struct sides s;
    struct chap_identity users[2] = {identity("0x10", "another-secret-3"), identity("hv1", SECRET)};
    (void)state;

    sides_new(&s, false);
    s.policy.users = users;
    s.policy.user_count = 2;
    s.login.own = &users[0];
    go_to_challenge(&s, NULL);
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    assert_string_equal(s.target.user_name, "0x10");
    sides_free(&s);
    sides_new(&s, false);
    s.policy.users = users;
    s.policy.user_count = 2;
    s.user = identity("0x10", SECRET); /* the other one's */
    go_to_challenge(&s, NULL);
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    assert_int_equal(target_hears(&s), CHAP_UNKNOWN);
    sides_free(&s);
}

/* ---- what the target refuses ---- */

#define R16 "0x00112233445566778899aabbccddeeff"

static struct target_row {
    const char *name;
    enum chap_step step;
    const char *keys; /* "KEY=value;KEY=value" */
    enum chap_outcome outcome;
} target_rows[] = {
    {"None alone", CHAP_AT_METHOD, "AuthMethod=None", CHAP_NO_METHOD},
    {"others alone", CHAP_AT_METHOD, "AuthMethod=KRB5,SRP", CHAP_NO_METHOD},
    {"CHAP_A before the method is agreed", CHAP_AT_METHOD, "AuthMethod=CHAP;CHAP_A=5",
     CHAP_OUT_OF_ORDER},
    {"an answer before the challenge", CHAP_AT_METHOD, "CHAP_N=hv1;CHAP_R=" R16, CHAP_OUT_OF_ORDER},
    {"an answer instead of the algorithms", CHAP_AT_ALGORITHM, "CHAP_N=hv1;CHAP_R=" R16,
     CHAP_OUT_OF_ORDER},
    {"no algorithms", CHAP_AT_ALGORITHM, "", CHAP_MISSING},
    {"an empty list", CHAP_AT_ALGORITHM, "CHAP_A=", CHAP_NO_ALGORITHM},
    {"unknown algorithms", CHAP_AT_ALGORITHM, "CHAP_A=1,2,55", CHAP_NO_ALGORITHM},
    {"no answer", CHAP_AT_RESPONSE, "", CHAP_MISSING},
    {"a name without an answer", CHAP_AT_RESPONSE, "CHAP_N=hv1", CHAP_MISSING},
    {"an answer without a name", CHAP_AT_RESPONSE, "CHAP_R=" R16, CHAP_MISSING},
    {"a wrong answer", CHAP_AT_RESPONSE, "CHAP_N=hv1;CHAP_R=" R16, CHAP_UNKNOWN},
    {"a short answer", CHAP_AT_RESPONSE, "CHAP_N=hv1;CHAP_R=0x00", CHAP_UNKNOWN},
    {"an unknown name", CHAP_AT_RESPONSE, "CHAP_N=hv2;CHAP_R=" R16, CHAP_UNKNOWN},
    {"an answer that is no binary", CHAP_AT_RESPONSE, "CHAP_N=hv1;CHAP_R=hello", CHAP_BAD_BINARY},
    {"algorithms once more", CHAP_AT_RESPONSE, "CHAP_A=5;CHAP_N=hv1;CHAP_R=" R16,
     CHAP_OUT_OF_ORDER},
};

static void add_keys(struct text *text, const char *keys)
{
    char list[512];
    char *rest = list;

    snprintf(list, sizeof(list), "%s", keys);
    text_clear(text);
    while (rest) {
        char *pair = rest;
        char *equals = strchr(pair, '=');

        rest = strchr(pair, ';');
        if (rest)
            *rest++ = '\0';
        if (!equals)
            continue;
        *equals = '\0';
        text_add(text, pair, equals + 1);
    }
}

static void target_refuses(void **state)
{
    const struct target_row *row = *state;
    struct sides s;

    sides_new(&s, false);
    if (row->step == CHAP_AT_RESPONSE)
        go_to_challenge(&s, "5");
    s.target.step = row->step;
    add_keys(&s.to_target, row->keys);
    assert_int_equal(target_hears(&s), row->outcome);
    assert_false(chap_target_is_done(&s.target, &s.policy));
    assert_int_not_equal(chap_outcome_word(row->outcome)[0], '\0');
    sides_free(&s);
}

/* The right answer, and what stands beside it. */
static struct mutual_row {
    const char *name;
    const char *keys;
    bool has_identity;
    enum chap_outcome outcome;
} mutual_rows[] = {
    {"an identifier without a challenge", "CHAP_I=1", true, CHAP_MISSING},
    {"a challenge without an identifier", "CHAP_C=" R16, true, CHAP_MISSING},
    {"an identifier above 255", "CHAP_I=256;CHAP_C=" R16, true, CHAP_BAD_NUMBER},
    {"an identifier that is no number", "CHAP_I=x;CHAP_C=" R16, true, CHAP_BAD_NUMBER},
    {"a challenge that is no binary", "CHAP_I=1;CHAP_C=x", true, CHAP_BAD_BINARY},
    {"an empty challenge", "CHAP_I=1;CHAP_C=0x", true, CHAP_BAD_BINARY},
    {"nothing to prove ourselves with", "CHAP_I=1;CHAP_C=" R16, false, CHAP_NO_IDENTITY},
    {"all is well", "CHAP_I=1;CHAP_C=" R16, true, CHAP_GOOD},
};

static void target_looks_at_the_challenge(void **state)
{
    const struct mutual_row *row = *state;
    struct sides s;
    struct text more;

    sides_new(&s, false);
    if (!row->has_identity)
        s.policy.own = NULL;
    go_to_challenge(&s, "5");
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    text_init(&more, s.pool, TEXT_LOGIN_MOST);
    add_keys(&more, row->keys);
    text_add(&more, "CHAP_N", value_in(&s.to_target, "CHAP_N"));
    text_add(&more, "CHAP_R", value_in(&s.to_target, "CHAP_R"));
    assert_int_equal(chap_target_take(&s.target, &s.policy, &s.chance, text_bytes(&more),
                                      more.bytes, &s.to_initiator),
                     row->outcome);
    text_fini(&more);
    sides_free(&s);
}

static void our_own_challenge_is_not_answered(void **state)
{
    struct sides s;
    char challenge[2 + 2 * CHAP_CHALLENGE_MOST + 1];
    (void)state;

    sides_new(&s, false);
    go_to_challenge(&s, NULL);
    snprintf(challenge, sizeof(challenge), "%s", value_in(&s.to_initiator, "CHAP_C"));
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    text_add(&s.to_target, "CHAP_I", "1");
    text_add(&s.to_target, "CHAP_C", challenge);
    assert_int_equal(target_hears(&s), CHAP_REFLECTED);
    assert_null(value_in(&s.to_initiator, "CHAP_R"));
    sides_free(&s);
}

static void long_binaries_are_refused(void **state)
{
    struct sides s;
    char value[2 + 2 * (CHAP_BINARY_MOST + 1) + 1];
    (void)state;

    for (size_t bytes = CHAP_BINARY_MOST; bytes <= CHAP_BINARY_MOST + 1; bytes++) {
        memcpy(value, "0x", 2);
        memset(value + 2, 'a', 2 * bytes);
        value[2 + 2 * bytes] = '\0';
        sides_new(&s, false);
        go_to_challenge(&s, NULL);
        add_keys(&s.to_target, "CHAP_N=hv1");
        text_add(&s.to_target, "CHAP_R", value);
        assert_int_equal(target_hears(&s),
                         bytes <= CHAP_BINARY_MOST ? CHAP_UNKNOWN : CHAP_BAD_BINARY);
        sides_free(&s);
    }
}

/* ---- what the initiator refuses ---- */

static struct initiator_row {
    const char *name;
    enum chap_step step;
    const char *keys;
    bool transits;
    enum chap_outcome outcome;
} initiator_rows[] = {
    {"to be talked out of it", CHAP_AT_METHOD, "AuthMethod=None", false, CHAP_NO_METHOD},
    {"no method", CHAP_AT_METHOD, "", false, CHAP_NO_METHOD},
    {"the end of the stage before its time", CHAP_AT_METHOD, "AuthMethod=CHAP", true, CHAP_SKIPPED},
    {"the end of the stage with the challenge", CHAP_AT_ALGORITHM, "CHAP_A=5;CHAP_I=1;CHAP_C=" R16,
     true, CHAP_SKIPPED},
    {"two algorithms", CHAP_AT_ALGORITHM, "CHAP_A=5,6;CHAP_I=1;CHAP_C=" R16, false,
     CHAP_NO_ALGORITHM},
    {"an algorithm of nobody", CHAP_AT_ALGORITHM, "CHAP_A=4;CHAP_I=1;CHAP_C=" R16, false,
     CHAP_NO_ALGORITHM},
    {"no challenge", CHAP_AT_ALGORITHM, "CHAP_A=5;CHAP_I=1", false, CHAP_MISSING},
    {"a proof before it is asked for", CHAP_AT_ALGORITHM,
     "CHAP_A=5;CHAP_I=1;CHAP_C=" R16 ";CHAP_N=array", false, CHAP_OUT_OF_ORDER},
    {"no proof", CHAP_AT_RESPONSE, "", true, CHAP_MISSING},
    {"a wrong proof", CHAP_AT_RESPONSE, "CHAP_N=array;CHAP_R=" R16, true, CHAP_UNKNOWN},
};

static void initiator_refuses(void **state)
{
    const struct initiator_row *row = *state;
    struct sides s;

    sides_new(&s, true);
    chap_initiator_begin(&s.initiator, &s.login, &s.to_target);
    s.initiator.step = row->step;
    if (row->step == CHAP_AT_RESPONSE)
        s.initiator.challenge = (struct chap_challenge){.algorithm = CHAP_MD5, .bytes = 16};
    add_keys(&s.to_initiator, row->keys);
    assert_int_equal(initiator_hears(&s, row->transits), row->outcome);
    sides_free(&s);
}

/* The secret is right, but it is another target's name. */
static void a_proof_has_the_right_name(void **state)
{
    struct sides s;
    struct chap_identity other = identity("other", PROOF);
    (void)state;

    sides_new(&s, true);
    s.policy.own = &other;
    go_to_challenge(&s, NULL);
    assert_int_equal(initiator_hears(&s, false), CHAP_GOOD);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    assert_int_equal(initiator_hears(&s, true), CHAP_UNKNOWN);
    sides_free(&s);
}

static void nobody_has_to_say_anything_where_nothing_is_asked(void **state)
{
    struct sides s;
    (void)state;

    sides_new(&s, false);
    s.policy = (struct chap_policy){0};
    s.login.own = NULL;
    assert_true(chap_initiator_may_transit(&s.initiator, &s.login));
    chap_initiator_begin(&s.initiator, &s.login, &s.to_target);
    assert_int_equal(target_hears(&s), CHAP_GOOD);
    assert_string_equal(value_in(&s.to_initiator, "AuthMethod"), "None");
    assert_int_equal(initiator_hears(&s, true), CHAP_GOOD);
    assert_true(chap_target_is_done(&s.target, &s.policy));
    sides_free(&s);
}

int main(void)
{
    TEST_ROWS(digest_rows, digests_as_others_do);
    TEST_ROWS(identity_rows, identities_have_their_rules);
    TEST(names_have_an_end);
    TEST_ROWS(talk_rows, both_come_to_agree);
    TEST(base64_is_binary_as_well);
    TEST(each_user_has_a_secret_of_its_own);
    TEST(who_came_in_is_known_when_the_secrets_are_gone);
    TEST_ROWS(target_rows, target_refuses);
    TEST_ROWS(mutual_rows, target_looks_at_the_challenge);
    TEST(our_own_challenge_is_not_answered);
    TEST(long_binaries_are_refused);
    TEST_ROWS(initiator_rows, initiator_refuses);
    TEST(a_proof_has_the_right_name);
    TEST(nobody_has_to_say_anything_where_nothing_is_asked);
    return TEST_RUN("iscsi.chap");
}
