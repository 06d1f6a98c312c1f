/* Login with CHAP, from the initiator's side. */
#include "tests/initiator/rig.h"

static struct rig rig;
static struct chap_identity user;
static struct chap_identity array;
static uint8_t next_byte;

static void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    (void)chance;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = next_byte++;
}

static struct chance chance = {.fill = count_up};

static struct rig_options with_chap(bool is_mutual)
{
    struct rig_options options = {.host = rig_params(), .target = rig_params()};

    assert_null(chap_identity_set(&user, "hv1", "initiator-secret1", 17));
    assert_null(chap_identity_set(&array, "array", "target-secret-22", 16));
    options.chap = (struct chap_login){&user, is_mutual ? &array : NULL, &chance};
    options.chap_policy = (struct chap_policy){&user, 1, &array};
    options.chance = &chance;
    return options;
}

static void logs_in(bool is_mutual)
{
    struct rig_options options = with_chap(is_mutual);

    rig_begin(&rig, &options);
    rig_login(&rig);
    assert_lives(&rig);
    assert_non_null(event_of(&rig, ISESSION_LOGGED_IN));
    assert_string_equal(rig.chap.user_name, user.name);
    assert_int_equal(rig.seen_count, 4); /* method, algorithms, answer; operational */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rig.seen[i].pdu.login_request.csg, ISCSI_SECURITY_NEGOTIATION);
        assert_int_equal(rig.seen[i].pdu.login_request.transit, i == 2);
    }
    rig_end(&rig);
}

static void proves_itself(void **state)
{
    (void)state;
    logs_in(false);
}

static void has_the_target_prove_itself_as_well(void **state)
{
    (void)state;
    logs_in(true);
}

/* Up to the response that shall end it. */
static void expect_end(struct rig_options *options, const char *why)
{
    rig_begin(&rig, options);
    while (!event_of(&rig, ISESSION_ENDED))
        assert_false(answer_login(&rig));
    assert_ended(&rig, LOST_PROTOCOL);
    assert_string_equal(event_of(&rig, ISESSION_ENDED)->text, why);
    rig_end(&rig);
}

static void a_target_with_another_secret_is_left(void **state)
{
    struct chap_identity impostor;
    struct rig_options options = with_chap(true);
    (void)state;

    assert_null(chap_identity_set(&impostor, "array", "target-secret-23", 16));
    options.chap_policy.own = &impostor;
    expect_end(&options, "the target's name or its answer to our challenge is wrong");
}

static void a_target_that_wants_no_proof_is_left(void **state)
{
    struct rig_options options = with_chap(false);
    struct seen *request;
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .login_response = {.transit = false, .csg = ISCSI_SECURITY_NEGOTIATION}};
    (void)state;

    rig_begin(&rig, &options);
    request = next(&rig, PDU_LOGIN_REQUEST);
    pdu.itt = request->pdu.itt;
    memcpy(pdu.login_response.isid, request->pdu.login_request.isid, ISID_BYTES);
    send_pdu(&rig, pdu, buf_copy(rig.pool, "AuthMethod=None", 16), true);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_string_equal(event_of(&rig, ISESSION_ENDED)->text, chap_outcome_word(CHAP_NO_METHOD));
    rig_end(&rig);
}

static void a_refusal_has_its_status(void **state)
{
    struct rig_options options = with_chap(false);
    struct pdu pdu = {.opcode = PDU_LOGIN_RESPONSE,
                      .login_response = {.csg = ISCSI_SECURITY_NEGOTIATION,
                                         .status_class = 2,
                                         .status_detail = 1}};
    struct seen *request;
    (void)state;

    rig_begin(&rig, &options);
    assert_false(answer_login(&rig));
    assert_false(answer_login(&rig));
    request = next(&rig, PDU_LOGIN_REQUEST);
    pdu.itt = request->pdu.itt;
    send_pdu(&rig, pdu, NULL, true);
    assert_ended(&rig, LOST_LOGIN_FAILED);
    assert_int_equal(event_of(&rig, ISESSION_ENDED)->status_class, 2);
    assert_int_equal(event_of(&rig, ISESSION_ENDED)->status_detail, 1);
    rig_end(&rig);
}

int main(void)
{
    TEST(proves_itself);
    TEST(has_the_target_prove_itself_as_well);
    TEST(a_target_with_another_secret_is_left);
    TEST(a_target_that_wants_no_proof_is_left);
    TEST(a_refusal_has_its_status);
    return TEST_RUN("initiator.isession_chap");
}
