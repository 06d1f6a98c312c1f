/* The order of login: scripts of requests and responses, and what the last of them is. */
#include "tests/test.h"

#include "iscsi/login.h"

#include <stdio.h>
#include <string.h>

enum { SECURITY = 0, OPERATIONAL = 1, RESERVED = 2, FULL = 3 };

/* What a step changes against a login that does nothing wrong. */
enum change {
    AS_IS,
    ITT,
    ISID,
    TSIH,
    CID,
    CMD_SN,
    NOT_IMMEDIATE,
    VERSION,
    KEYS,    /* it has a data segment */
    REFUSED, /* status class 2 */
};

struct step {
    char direction; /* '>' request, '<' response, 0: the end */
    uint8_t csg;
    char transit; /* 'T', 'C', 'B' both, '-' */
    uint8_t nsg;
    enum change change;
    enum login_outcome outcome;
};

static struct script {
    const char *name;
    struct step steps[8];
    bool is_done;
} scripts[] = {
    {"straight into the operational stage",
     {{'>', OPERATIONAL, 'T', FULL, KEYS, LOGIN_OK}, {'<', OPERATIONAL, 'T', FULL, KEYS, LOGIN_OK}},
     true},
    {"security, operational, full feature",
     {{'>', SECURITY, 'T', OPERATIONAL, AS_IS, LOGIN_OK},
      {'<', SECURITY, 'T', OPERATIONAL, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK}},
     true},
    {"security, then full feature at once",
     {{'>', SECURITY, 'T', FULL, AS_IS, LOGIN_OK}, {'<', SECURITY, 'T', FULL, AS_IS, LOGIN_OK}},
     true},
    {"the target is not ready to leave the stage yet",
     {{'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK}},
     true},
    {"a request in two parts",
     {{'>', OPERATIONAL, 'C', 0, KEYS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, 'T', FULL, KEYS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, KEYS, LOGIN_OK}},
     true},
    {"a response in two parts",
     {{'>', OPERATIONAL, 'T', FULL, KEYS, LOGIN_OK},
      {'<', OPERATIONAL, 'C', 0, KEYS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, KEYS, LOGIN_OK},
      {'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK}},
     true},
    {"a refused login ends",
     {{'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, REFUSED, LOGIN_OK},
      {'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OVER}},
     false},
    {"C and T in a request", {{'>', SECURITY, 'B', OPERATIONAL, AS_IS, LOGIN_C_AND_T}}, false},
    {"the reserved stage", {{'>', RESERVED, '-', 0, AS_IS, LOGIN_STAGE_UNKNOWN}}, false},
    {"a login that begins in full feature phase",
     {{'>', FULL, '-', 0, AS_IS, LOGIN_STAGE_UNKNOWN}},
     false},
    {"a step to the reserved stage",
     {{'>', SECURITY, 'T', RESERVED, AS_IS, LOGIN_STEP_WRONG}},
     false},
    {"a step back", {{'>', OPERATIONAL, 'T', SECURITY, AS_IS, LOGIN_STEP_WRONG}}, false},
    {"a step to the same stage", {{'>', SECURITY, 'T', SECURITY, AS_IS, LOGIN_STEP_WRONG}}, false},
    {"a later stage without a step",
     {{'>', SECURITY, '-', 0, AS_IS, LOGIN_OK},
      {'<', SECURITY, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_STAGE_WRONG}},
     false},
    {"an earlier stage after a step",
     {{'>', SECURITY, 'T', OPERATIONAL, AS_IS, LOGIN_OK},
      {'<', SECURITY, 'T', OPERATIONAL, AS_IS, LOGIN_OK},
      {'>', SECURITY, '-', 0, AS_IS, LOGIN_STAGE_WRONG}},
     false},
    {"a request before the answer",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_NOT_ANSWERED}},
     false},
    {"an answer without a request", {{'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_NOT_ASKED}}, false},
    {"a request that is not immediate",
     {{'>', OPERATIONAL, '-', 0, NOT_IMMEDIATE, LOGIN_NOT_IMMEDIATE}},
     false},
    {"a version that does not exist", {{'>', OPERATIONAL, '-', 0, VERSION, LOGIN_VERSION}}, false},
    {"a response of another version",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, VERSION, LOGIN_VERSION}},
     false},
    {"T in the response alone",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_T_UNASKED}},
     false},
    {"another next stage in the response",
     {{'>', SECURITY, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', SECURITY, 'T', OPERATIONAL, AS_IS, LOGIN_NSG_UNASKED}},
     false},
    {"another current stage in the response",
     {{'>', SECURITY, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_STAGE_WRONG}},
     false},
    {"keys in the answer to a part of a request",
     {{'>', OPERATIONAL, 'C', 0, KEYS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, KEYS, LOGIN_ANSWER_TOO_EARLY}},
     false},
    {"keys in the request for the rest of a response",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'C', 0, KEYS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, KEYS, LOGIN_REQUEST_TOO_EARLY}},
     false},
    {"another task tag",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, ITT, LOGIN_ITT_CHANGED}},
     false},
    {"another task tag in the response",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, ITT, LOGIN_ITT_CHANGED}},
     false},
    {"another ISID",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, ISID, LOGIN_ISID_CHANGED}},
     false},
    {"another ISID in the response",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, ISID, LOGIN_ISID_CHANGED}},
     false},
    {"another TSIH",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, TSIH, LOGIN_TSIH_CHANGED}},
     false},
    {"another CID",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, CID, LOGIN_CID_CHANGED}},
     false},
    {"another CmdSN",
     {{'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, CMD_SN, LOGIN_CMD_SN_CHANGED}},
     false},
    {"no TSIH for a new session",
     {{'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, TSIH, LOGIN_TSIH_ZERO}},
     false},
    {"a login after login",
     {{'>', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'<', OPERATIONAL, 'T', FULL, AS_IS, LOGIN_OK},
      {'>', OPERATIONAL, '-', 0, AS_IS, LOGIN_OVER},
      {'<', OPERATIONAL, '-', 0, AS_IS, LOGIN_OVER}},
     true},
};

static struct pdu request_of(const struct step *step)
{
    struct pdu pdu = {
        .opcode = PDU_LOGIN_REQUEST,
        .is_immediate = step->change != NOT_IMMEDIATE,
        .itt = step->change == ITT ? 8 : 7,
        .cmd_sn = step->change == CMD_SN ? 101 : 100,
        .data_bytes = step->change == KEYS ? 20 : 0,
        .login_request = {.transit = step->transit == 'T' || step->transit == 'B',
                          .continues = step->transit == 'C' || step->transit == 'B',
                          .csg = step->csg,
                          .nsg = step->nsg,
                          .version_max = step->change == VERSION,
                          .version_min = step->change == VERSION,
                          .isid = {0x80, step->change == ISID},
                          .tsih = step->change == TSIH ? 5 : 0,
                          .cid = step->change == CID ? 2 : 1},
    };

    return pdu;
}

static struct pdu response_of(const struct step *step)
{
    struct pdu pdu = {
        .opcode = PDU_LOGIN_RESPONSE,
        .itt = step->change == ITT ? 8 : 7,
        .data_bytes = step->change == KEYS ? 20 : 0,
        .login_response = {.transit = step->transit == 'T',
                           .continues = step->transit == 'C',
                           .csg = step->csg,
                           .nsg = step->nsg,
                           .version_active = step->change == VERSION,
                           .isid = {0x80, step->change == ISID},
                           .tsih = step->change == TSIH ? 0 : 9,
                           .status_class = step->change == REFUSED ? 2 : 0},
    };

    return pdu;
}

static void plays_as_written(void **state)
{
    const struct script *script = *state;
    struct login_watch watch = {0};

    for (const struct step *step = script->steps; step->direction; step++) {
        struct pdu pdu = step->direction == '>' ? request_of(step) : response_of(step);
        enum login_outcome outcome = step->direction == '>' ? login_see_request(&watch, &pdu)
                                                            : login_see_response(&watch, &pdu);

        if (outcome != step->outcome)
            print_error("step %d: %s\n", (int)(step - script->steps), login_outcome_word(outcome));
        assert_int_equal(outcome, step->outcome);
    }
    assert_int_equal(login_is_done(&watch), script->is_done);
}

/* A later connection joins its session: the TSIH is that of the session in all PDUs. */
static void a_session_keeps_its_tsih(void **state)
{
    struct login_watch watch = {0};
    struct step step = {'>', OPERATIONAL, 'T', FULL, TSIH, LOGIN_OK};
    struct pdu request = request_of(&step);
    struct pdu response;

    (void)state;
    assert_int_equal(login_see_request(&watch, &request), LOGIN_OK);
    step.change = AS_IS;
    response = response_of(&step);
    assert_int_equal(login_see_response(&watch, &response), LOGIN_TSIH_CHANGED);
    response.login_response.tsih = 5;
    assert_int_equal(login_see_response(&watch, &response), LOGIN_OK);
    assert_true(login_is_done(&watch));
}

static void a_broken_order_has_a_login_status(void **state)
{
    (void)state;
    assert_int_equal(login_outcome_status(LOGIN_OK), ISCSI_LOGIN_SUCCESS);
    assert_int_equal(login_outcome_status(LOGIN_VERSION), ISCSI_LOGIN_UNSUPPORTED_VERSION);
    assert_int_equal(login_outcome_status(LOGIN_OVER), ISCSI_LOGIN_INVALID_DURING_LOGIN);
    assert_int_equal(login_outcome_status(LOGIN_STEP_WRONG), ISCSI_LOGIN_INITIATOR_ERROR);
}

int main(void)
{
    TEST_ROWS(scripts, plays_as_written);
    TEST(a_session_keeps_its_tsih);
    TEST(a_broken_order_has_a_login_status);
    return TEST_RUN("iscsi.login");
}
