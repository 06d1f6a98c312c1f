/* Login to a target that wants CHAP: what goes over the wire, and who is turned away. */
#include "target/target_inside.h"
#include "tests/target/pdu_peer.h"

#define OP     ISCSI_LOGIN_OPERATIONAL_NEGOTIATION
#define SEC    ISCSI_SECURITY_NEGOTIATION
#define FFP    ISCSI_FULL_FEATURE_PHASE
#define WHO    "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME
#define SECRET "initiator-secret1"

static struct chap_identity user;
static struct chap_identity own;
static const struct chap_policy nobody;
static uint8_t next_byte;

static void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    (void)chance;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = next_byte++;
}

static struct chance chance = {.fill = count_up};

static void chap_node_new(struct node *node)
{
    const struct chap_policy policy = {&user, 1, &own};

    assert_null(chap_identity_set(&user, "hv1", SECRET, strlen(SECRET)));
    assert_null(chap_identity_set(&own, "array", "target-secret-22", 16));
    node_new(node);
    node->target->chance = &chance;
    target_set_chap(node->target, &policy, &nobody);
}

static const struct got *ask(struct peer *peer, uint8_t csg, uint8_t nsg, bool transit,
                             const char *text)
{
    struct pdu pdu = login_request(peer, csg, nsg, transit);

    send_login(peer, &pdu, text);
    return expect(peer, PDU_LOGIN_RESPONSE);
}

/* CHAP_N and CHAP_R for the challenge of 'got', by 'identity', with MD5. */
static const char *answer_to(const struct got *got, const struct chap_identity *identity)
{
    static char text[512];
    char hex[2 + 2 * CHAP_DIGEST_MOST + 1];
    uint8_t challenge[CHAP_BINARY_MOST];
    uint8_t digest[CHAP_DIGEST_MOST];
    uint64_t identifier;
    size_t bytes;

    assert_true(text_to_number(text_value(got, "CHAP_I"), &identifier));
    assert_true(text_to_binary(text_value(got, "CHAP_C"), challenge, sizeof(challenge), &bytes));
    bytes = chap_digest(CHAP_MD5, (uint8_t)identifier, identity, challenge, bytes, digest);
    assert_true(text_from_hex(digest, bytes, hex, sizeof(hex)));
    snprintf(text, sizeof(text), "CHAP_N=%s\nCHAP_R=%s", identity->name, hex);
    return text;
}

static const struct got *challenge_of(struct peer *peer)
{
    const struct got *got = ask(peer, SEC, OP, true, WHO "\nAuthMethod=CHAP,None");

    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_string_equal(text_value(got, "AuthMethod"), "CHAP");
    assert_false(got->pdu.login_response.transit);
    got = ask(peer, SEC, OP, false, "CHAP_A=5");
    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_string_equal(text_value(got, "CHAP_A"), "5");
    assert_false(got->pdu.login_response.transit);
    return got;
}

static void who_knows_the_secret_comes_in(void **state)
{
    struct node node;
    (void)state;

    chap_node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    const struct got *got = ask(peer, SEC, FFP, true, answer_to(challenge_of(peer), &user));

    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_true(got->pdu.login_response.transit);
    assert_null(text_value(got, "CHAP_R"));
    login_done(peer, got);
    assert_int_equal(target_session_count(node.target), 1);
    peer_base(peer);
    expect_logout(peer);
    node_free(&node);
}

static void the_target_proves_itself_as_well(void **state)
{
    struct node node;
    char text[1024];
    (void)state;

    chap_node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    snprintf(text, sizeof(text), "%s\nCHAP_I=9\nCHAP_C=0x0123456789abcdef",
             answer_to(challenge_of(peer), &user));
    const struct got *got = ask(peer, SEC, FFP, true, text);
    uint8_t digest[CHAP_DIGEST_MOST];
    uint8_t answer[CHAP_BINARY_MOST];
    size_t bytes;

    assert_true(got->pdu.login_response.transit);
    assert_string_equal(text_value(got, "CHAP_N"), "array");
    assert_true(text_to_binary(text_value(got, "CHAP_R"), answer, sizeof(answer), &bytes));
    assert_int_equal(bytes,
                     chap_digest(CHAP_MD5, 9, &own,
                                 (const uint8_t *)"\x01\x23\x45\x67\x89\xab\xcd\xef", 8, digest));
    assert_memory_equal(answer, digest, bytes);
    login_done(peer, got);
    peer_base(peer);
    expect_logout(peer);
    node_free(&node);
}

static void expect_refused(struct node *node, struct peer *peer, const struct got *got,
                           uint16_t status, const char *why)
{
    assert_int_equal(login_status(got), status);
    expect_over(peer, CONN_LOGIN_REFUSED);
    assert_non_null(strstr(peer->over.detail, why));
    assert_int_equal(target_session_count(node->target), 0);
    node_free(node);
}

static void a_wrong_secret_is_refused(void **state)
{
    struct node node;
    struct chap_identity wrong;
    (void)state;

    chap_node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    assert_null(chap_identity_set(&wrong, "hv1", "initiator-secret2", 17));
    const struct got *got = ask(peer, SEC, OP, true, answer_to(challenge_of(peer), &wrong));

    expect_refused(&node, peer, got, ISCSI_LOGIN_AUTHENTICATION_FAILURE, "is wrong");
}

static struct skip_row {
    const char *name;
    uint8_t csg;
    uint8_t nsg;
    const char *text;
    const char *why;
} skip_rows[] = {
    {"beginning behind the stage", OP, FFP, WHO, "without authentication"},
    {"leaving the stage without a word", SEC, OP, WHO, "without authentication"},
    {"straight to full feature phase", SEC, FFP, WHO, "without authentication"},
    {"with no other method than None", SEC, OP, WHO "\nAuthMethod=None", "do not include CHAP"},
};

static void nobody_skips_it(void **state)
{
    const struct skip_row *row = *state;
    struct node node;

    chap_node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    const struct got *got = ask(peer, row->csg, row->nsg, true, row->text);

    expect_refused(&node, peer, got, ISCSI_LOGIN_AUTHENTICATION_FAILURE, row->why);
}

static void t_does_not_help_before_the_answer(void **state)
{
    struct node node;
    (void)state;

    chap_node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    const struct got *got = ask(peer, SEC, FFP, true, WHO "\nAuthMethod=CHAP");

    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_false(got->pdu.login_response.transit);
    got = ask(peer, SEC, FFP, true, "CHAP_A=5");
    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    assert_false(got->pdu.login_response.transit);
    got = ask(peer, SEC, FFP, true, "");
    expect_refused(&node, peer, got, ISCSI_LOGIN_MISSING_PARAMETER, "is missing");
}

/* An attacker without the secret has the target answer its own challenge, over another connection.
 */
static void a_challenge_of_another_connection_is_not_answered(void **state)
{
    struct node node;
    char challenge[128];
    char text[1024];
    (void)state;

    chap_node_new(&node);
    struct peer *victim = peer_open(&node, 0);

    snprintf(challenge, sizeof(challenge), "%s", text_value(challenge_of(victim), "CHAP_C"));
    struct peer *peer = peer_open(&node, 1);

    snprintf(text, sizeof(text), "%s\nCHAP_I=1\nCHAP_C=%s", answer_to(challenge_of(peer), &user),
             challenge);
    const struct got *got = ask(peer, SEC, OP, true, text);

    assert_int_equal(login_status(got), ISCSI_LOGIN_AUTHENTICATION_FAILURE);
    assert_null(text_value(got, "CHAP_R"));
    expect_over(peer, CONN_LOGIN_REFUSED);
    node_free(&node);
}

/* The challenge of each login is its own. */
static void challenges_do_not_repeat(void **state)
{
    struct node node;
    char first[128];
    (void)state;

    chap_node_new(&node);
    snprintf(first, sizeof(first), "%s", text_value(challenge_of(peer_open(&node, 0)), "CHAP_C"));
    assert_string_not_equal(text_value(challenge_of(peer_open(&node, 0)), "CHAP_C"), first);
    node_free(&node);
}

static void discovery_has_a_policy_of_its_own(void **state)
{
    const struct chap_policy policy = {&user, 1, NULL};
    struct node node;
    (void)state;

    for (int wants = 0; wants < 2; wants++) {
        chap_node_new(&node);
        if (wants)
            target_set_chap(node.target, &nobody, &policy);
        struct peer *peer = peer_open(&node, 0);
        const struct got *got =
            ask(peer, OP, FFP, true, "InitiatorName=" HOST_1 "\nSessionType=Discovery");

        assert_int_equal(login_status(got),
                         wants ? ISCSI_LOGIN_AUTHENTICATION_FAILURE : ISCSI_LOGIN_SUCCESS);
        node_free(&node);
    }
}

int main(void)
{
    TEST(who_knows_the_secret_comes_in);
    TEST(the_target_proves_itself_as_well);
    TEST(a_wrong_secret_is_refused);
    TEST_ROWS(skip_rows, nobody_skips_it);
    TEST(t_does_not_help_before_the_answer);
    TEST(a_challenge_of_another_connection_is_not_answered);
    TEST(challenges_do_not_repeat);
    TEST(discovery_has_a_policy_of_its_own);
    return TEST_RUN("target.conn_chap");
}
