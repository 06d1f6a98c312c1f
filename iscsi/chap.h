/* CHAP in login (RFC 7143, 12.1.3; RFC 1994): both ends prove that they know a secret, and show it
 * to nobody.
 *
 *   initiator                                   target
 *   AuthMethod=CHAP               ---------->
 *                                 <----------   AuthMethod=CHAP
 *   CHAP_A=8,7,6,5                ---------->
 *                                 <----------   CHAP_A=7  CHAP_I=i  CHAP_C=c
 *   CHAP_N=name CHAP_R=H(i,s,c)   ---------->   knows the name and its secret: compares
 *   [CHAP_I=j  CHAP_C=d]                        ("mutual": prove yourself as well)
 *                                 <----------   [CHAP_N=name  CHAP_R=H(j,t,d)]
 *
 * The cores below are values: keys of one text in, keys of the next text out. Secrets are borrowed,
 * appear in no text, and are compared in a time that says nothing about them. Challenges come from
 * the caller's source of chance and are never used twice.
 */
#pragma once

#include "iscsi/text.h"
#include "sim/core/attributes.h"
#include "sim/core/chance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAP_NAME_BYTES     256u  /* with NUL */
#define CHAP_SECRET_LEAST   12u   /* bytes: 96 bits, as long as there is no IPsec (9.2.1) */
#define CHAP_SECRET_MOST    255u  /* bytes */
#define CHAP_BINARY_MOST    1024u /* bytes of a CHAP_C or CHAP_R of the peer (12.1.3) */
#define CHAP_DIGEST_MOST    32u
#define CHAP_CHALLENGE_MOST 32u /* of ours: as long as the digest (RFC 1994, 2.3) */

/* PPP Authentication Algorithms of IANA: number, word, digest bytes, name in libcrypto. The
 * stronger comes first: our order of preference. */
#define CHAP_ALGORITHMS(X)                                                                         \
    X(CHAP_SHA3_256, 8, "SHA3-256", 32)                                                            \
    X(CHAP_SHA256, 7, "SHA-256", 32)                                                               \
    X(CHAP_SHA1, 6, "SHA-1", 20)                                                                   \
    X(CHAP_MD5, 5, "MD5", 16)

enum chap_algorithm {
#define X(name, number, word, bytes) name = (number),
    CHAP_ALGORITHMS(X)
#undef X
};

/* A name and the secret that goes with it. */
struct chap_identity {
    char name[CHAP_NAME_BYTES];
    uint8_t secret[CHAP_SECRET_MOST];
    uint32_t secret_bytes;
};

/* Fills it. NULL: good; else what is wrong, a static text. */
const char *chap_identity_set(struct chap_identity *identity, const char *name, const void *secret,
                              size_t secret_bytes);
/* Leaves nothing of a secret in 'memory', which nobody may need any more. */
void chap_wipe(void *memory, size_t bytes);
/* Two secrets that must differ (12.1.3: else who hears one answer can give the other). */
bool chap_secrets_are_equal(const struct chap_identity *a, const struct chap_identity *b);

/* H(identifier, secret, challenge): RFC 1994, 4.1. Returns the number of bytes. */
size_t chap_digest(enum chap_algorithm number, uint8_t identifier,
                   const struct chap_identity *identity, const uint8_t *challenge,
                   size_t challenge_bytes, uint8_t ret_digest[CHAP_DIGEST_MOST]);

/* A challenge of ours that is out. */
struct chap_challenge {
    enum chap_algorithm algorithm;
    uint8_t identifier;
    uint8_t bytes; /* of 'data'; 0: none is out */
    uint8_t data[CHAP_CHALLENGE_MOST];
};

/* X-macro: how a step ended, and the words for it. All but the first end the login. */
#define CHAP_OUTCOMES(X)                                                                           \
    X(CHAP_GOOD, "good")                                                                           \
    X(CHAP_NO_METHOD, "the methods that were offered do not include CHAP")                         \
    X(CHAP_SKIPPED, "it goes on without authentication")                                           \
    X(CHAP_OUT_OF_ORDER, "a CHAP key out of its order")                                            \
    X(CHAP_MISSING, "a CHAP key is missing")                                                       \
    X(CHAP_NO_ALGORITHM, "no common CHAP algorithm")                                               \
    X(CHAP_BAD_NUMBER, "CHAP_I is no number from 0 to 255")                                        \
    X(CHAP_BAD_BINARY, "CHAP_R or CHAP_C is no binary value of at most 1024 bytes")                \
    X(CHAP_UNKNOWN, "the name or the answer to the challenge is wrong")                            \
    X(CHAP_REFLECTED, "our own challenge came back")                                               \
    X(CHAP_NO_IDENTITY, "it asks us to authenticate, and we have no secret for that")

enum chap_outcome {
#define X(name, word) name,
    CHAP_OUTCOMES(X)
#undef X
};

const char *chap_outcome_word(enum chap_outcome outcome);

enum chap_step {
    CHAP_AT_METHOD,    /* target: AuthMethod is due; initiator: was offered */
    CHAP_AT_ALGORITHM, /* target: CHAP_A is due; initiator: was offered */
    CHAP_AT_RESPONSE,  /* target: CHAP_N and CHAP_R are due; initiator: were sent */
    CHAP_DONE,
};

/* ---- the target's side ---- */

struct chap_policy {
    const struct chap_identity *users; /* who may come; borrowed */
    size_t user_count;                 /* 0: nobody has to authenticate */
    const struct chap_identity *own; /* what we answer challenges with; borrowed; NULL: we do not */
};

/* A login's side of it; starts as {0}. */
struct chap_target {
    enum chap_step step;
    struct chap_challenge challenge;
    char user_name[CHAP_NAME_BYTES]; /* DONE: who it is; "": nobody had to say */
};

/* One text of the security stage, checked by text_check(). Adds the answers. */
MUST_CHECK enum chap_outcome chap_target_take(struct chap_target *chap,
                                              const struct chap_policy *policy,
                                              struct chance *chance, const char *text, size_t size,
                                              struct text *answers);
/* May the login leave the security stage? */
static inline bool chap_target_is_done(const struct chap_target *chap,
                                       const struct chap_policy *policy)
{
    return policy->user_count == 0 || chap->step == CHAP_DONE;
}
/* Is this binary value the challenge that is out there? */
bool chap_is_challenge(const struct chap_challenge *challenge, const uint8_t *data, size_t bytes);

/* ---- the initiator's side ---- */

struct chap_login {
    const struct chap_identity *own;    /* what we prove; borrowed; NULL: AuthMethod=None */
    const struct chap_identity *target; /* what the target has to prove; NULL: nothing */
    struct chance *chance;              /* needed with 'target' */
};

struct chap_initiator {
    enum chap_step step;
    struct chap_challenge challenge; /* for the target */
};

/* The offer of the first text. */
void chap_initiator_begin(struct chap_initiator *chap, const struct chap_login *login,
                          struct text *outgoing);
/* One text of the target; 'transits': it ends the stage. Adds what is due next. */
MUST_CHECK enum chap_outcome chap_initiator_take(struct chap_initiator *chap,
                                                 const struct chap_login *login, const char *text,
                                                 size_t size, bool transits, struct text *outgoing);
/* Has all been said that lets our next request ask to leave the stage? */
static inline bool chap_initiator_may_transit(const struct chap_initiator *chap,
                                              const struct chap_login *login)
{
    return !login->own || chap->step >= CHAP_AT_RESPONSE;
}
