/* Login of the initiator's session: the good ways, the refusals, and a login dropped at every byte.
 */
#include "tests/initiator/rig.h"

static struct rig rig;

static struct rig_options defaults(void)
{
    return (struct rig_options){.host = rig_params(), .target = rig_params()};
}

static void logs_in_straight_to_the_operational_stage(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    options.target.max_burst_bytes = 131072;
    options.target.time2wait_s = 7;
    options.target.max_recv_segment_bytes = 4096;
    rig_begin(&rig, &options);
    rig_login(&rig);
    assert_non_null(event_of(&rig, ISESSION_LOGGED_IN));
    const struct iscsi_params *agreed = isession_params(rig.session);

    assert_int_equal(agreed->max_burst_bytes, 131072);
    assert_int_equal(agreed->time2wait_s, 7);
    assert_int_equal(agreed->peer_max_recv_segment_bytes, 4096);
    assert_int_equal(agreed->max_recv_segment_bytes, 65536);
    assert_false(agreed->initial_r2t);
    assert_int_equal(isession_tsih(rig.session), RIG_TSIH);
    assert_int_equal(isession_portal_group(rig.session), 1);
    assert_int_equal(rig.seen[0].pdu.login_request.csg, 1);
    assert_int_equal(rig.seen[0].pdu.login_request.nsg, 3);
    assert_int_equal(rig.seen[0].pdu.login_request.tsih, 0);
    assert_int_equal(rig.seen[0].pdu.login_request.cid, 7);
    rig_end(&rig);
}

static void logs_in_through_the_security_stage(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    options.starts_in_security = true;
    rig_begin(&rig, &options);
    rig_login(&rig);
    assert_lives(&rig);
    assert_int_equal(rig.seen_count, 2);
    assert_int_equal(rig.seen[0].pdu.login_request.csg, 0);
    assert_int_equal(rig.seen[0].pdu.login_request.nsg, 1);
    assert_int_equal(rig.seen[1].pdu.login_request.csg, 1);
    assert_int_equal(rig.seen[1].pdu.itt, rig.seen[0].pdu.itt);
    assert_int_equal(rig.seen[1].pdu.cmd_sn, rig.seen[0].pdu.cmd_sn);
    submit_read(&rig, 0, 512);
    next(&rig, PDU_SCSI_COMMAND);
    rig_end(&rig);
}

static struct pdu response(const struct seen *request, bool transit)
{
    struct pdu pdu = {
        .opcode = PDU_LOGIN_RESPONSE,
        .itt = request->pdu.itt,
        .login_response = {
            .transit = transit, .csg = 1, .nsg = transit ? 3 : 0, .tsih = transit ? RIG_TSIH : 0}};

    memcpy(pdu.login_response.isid, request->pdu.login_request.isid, 6);
    return pdu;
}

#define KEYS(literal) buf_copy(rig.pool, literal, sizeof(literal))

/* All answers that our offer asks for, with a target of the defaults. */
#define ANSWERS                                                                                    \
    "HeaderDigest=None\0DataDigest=None\0MaxConnections=1\0InitialR2T=No\0ImmediateData=Yes\0"     \
    "MaxBurstLength=262144\0FirstBurstLength=65536\0DefaultTime2Wait=2\0DefaultTime2Retain=0\0"    \
    "MaxOutstandingR2T=1\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0ErrorRecoveryLevel=0\0"

static void a_target_may_take_several_rounds(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    rig_begin(&rig, &options);
    struct seen *request = next(&rig, PDU_LOGIN_REQUEST);

    assert_true(request->pdu.login_request.transit);
    rig.exp_cmd_sn = request->pdu.cmd_sn;
    send_pdu(&rig, response(request, false), NULL, true);
    request = next(&rig, PDU_LOGIN_REQUEST);
    assert_true(request->pdu.login_request.transit); /* nothing is open from our side */
    assert_int_equal(request->pdu.data_bytes, 0);
    struct pdu pdu = response(request, false);

    pdu.login_response.continues = true;
    send_pdu(&rig, pdu, KEYS("TargetPortalGroupTag=9"), true);
    request = next(&rig, PDU_LOGIN_REQUEST);
    assert_false(request->pdu.login_request.transit); /* an empty one, until the text is whole */
    assert_int_equal(request->pdu.data_bytes, 0);
    send_pdu(&rig, response(request, false), KEYS("MaxRecvDataSegmentLength=16384"), true);
    request = next(&rig, PDU_LOGIN_REQUEST);
    assert_true(request->pdu.login_request.transit);
    send_pdu(&rig, response(request, true), buf_copy(rig.pool, ANSWERS, sizeof(ANSWERS) - 1), true);
    assert_lives(&rig);
    assert_int_equal(isession_portal_group(rig.session), 9);
    assert_int_equal(isession_params(rig.session)->peer_max_recv_segment_bytes, 16384);
    rig_end(&rig);
}

static void a_login_without_end_ends(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    rig_begin(&rig, &options);
    for (unsigned i = 0; i < 1000 && !event_of(&rig, ISESSION_ENDED); i++) {
        struct seen *request = next(&rig, PDU_LOGIN_REQUEST);

        rig.exp_cmd_sn = request->pdu.cmd_sn;
        send_pdu(&rig, response(request, false), NULL, true);
    }
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

static struct refusal {
    const char *name;
    uint8_t status_class;
    uint8_t status_detail;
} refusals[] = {
    {"authentication failure is handed up", 2, 1},
    {"not found is handed up", 2, 3},
    {"out of resources is handed up", 3, 2},
    {"a class that does not exist is a failure", 9, 9},
};

static void is_handed_up(void **state)
{
    const struct refusal *refusal = *state;
    struct rig_options options = defaults();

    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), false);

    pdu.login_response.status_class = refusal->status_class;
    pdu.login_response.status_detail = refusal->status_detail;
    send_pdu(&rig, pdu, NULL, true);
    const struct isession_event *ended = event_of(&rig, ISESSION_ENDED);

    assert_non_null(ended);
    if (refusal->status_class <= 3) {
        assert_int_equal(ended->end, LOST_LOGIN_FAILED);
        assert_int_equal(ended->status_class, refusal->status_class);
        assert_int_equal(ended->status_detail, refusal->status_detail);
    }
    assert_silent(&rig);
    rig_end(&rig);
}

static void a_redirection_says_where_to(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), false);

    pdu.login_response.status_class = 1;
    pdu.login_response.status_detail = 1;
    send_pdu(&rig, pdu, KEYS("TargetAddress=172.16.0.52:3261"), true);
    const struct isession_event *moved = event_of(&rig, ISESSION_REDIRECTED);

    assert_non_null(moved);
    assert_int_equal(moved->moved_address, IPV4(172, 16, 0, 52));
    assert_int_equal(moved->moved_port, 3261);
    assert_false(moved->has_moved_for_good);
    assert_int_equal(isession_state(rig.session), ISESSION_OVER);
    rig_end(&rig);
}

static void a_redirection_to_nowhere_is_a_failure(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), false);

    pdu.login_response.status_class = 1;
    pdu.login_response.status_detail = 1;
    send_pdu(&rig, pdu, KEYS("TargetAddress=san1.example.com"), true);
    assert_ended(&rig, LOST_LOGIN_FAILED);
    rig_end(&rig);
}

/* Responses that break the order or the text of login. */
static void wrong_csg(struct pdu *pdu)
{
    pdu->login_response.csg = 0;
}
static void wrong_nsg(struct pdu *pdu)
{
    pdu->login_response.nsg = 1;
}
static void c_and_t(struct pdu *pdu)
{
    pdu->login_response.continues = true;
}
static void tsih_zero(struct pdu *pdu)
{
    pdu->login_response.tsih = 0;
}
static void wrong_itt(struct pdu *pdu)
{
    pdu->itt++;
}
static void wrong_isid(struct pdu *pdu)
{
    pdu->login_response.isid[5]++;
}
static void as_it_is(struct pdu *pdu)
{
    (void)pdu;
}

static struct bad {
    const char *name;
    void (*spoil)(struct pdu *pdu);
    const char *keys;
    size_t key_bytes;
} bads[] = {
    {"CSG that is not ours", wrong_csg, "", 0},
    {"NSG that we did not ask for", wrong_nsg, "", 0},
    {"C and T", c_and_t, "", 0},
    {"TSIH 0 at the end", tsih_zero, "", 0},
    {"another ITT", wrong_itt, "", 0},
    {"another ISID", wrong_isid, "", 0},
    {"the end with offers unanswered", as_it_is, "", 0},
    {"text without NUL", as_it_is, "MaxConnections=1", 16},
    {"a key without '='", as_it_is, "MaxConnections", 15},
    {"an empty key", as_it_is, "=1", 3},
    {"a key twice", as_it_is, "MaxConnections=1\0MaxConnections=1", 34},
    {"an answer out of range", as_it_is, "MaxBurstLength=511", 19},
    {"an answer above the offer", as_it_is, "MaxBurstLength=16777215", 24},
    {"a key that only we may send", as_it_is, "InitiatorName=iqn.x:y", 22},
};

static void ends_the_login(void **state)
{
    const struct bad *bad = *state;
    struct rig_options options = defaults();

    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), true);

    bad->spoil(&pdu);
    send_pdu(&rig, pdu, buf_copy(rig.pool, bad->keys, bad->key_bytes), true);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_silent(&rig);
    rig_end(&rig);
}

static void text_of_16_mib_is_cut_off_early(void **state)
{
    struct rig_options options = defaults();
    char block[8192];

    (void)state;
    memset(block, 'a', sizeof(block));
    rig_begin(&rig, &options);
    unsigned rounds = 0;

    while (!event_of(&rig, ISESSION_ENDED)) {
        struct seen *request = next(&rig, PDU_LOGIN_REQUEST);
        struct pdu pdu = response(request, false);

        rig.exp_cmd_sn = request->pdu.cmd_sn;
        pdu.login_response.continues = true;
        send_pdu(&rig, pdu, buf_copy(rig.pool, block, sizeof(block)), true);
        assert_true(++rounds < 100);
    }
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

/* Its data goes with it. */
static void a_reject_in_login_ends_it(void **state)
{
    struct rig_options options = defaults();
    struct pdu pdu = {.opcode = PDU_REJECT,
                      .is_final = true,
                      .itt = PDU_NO_TAG,
                      .reject = {.reason = ISCSI_REJECT_PROTOCOL_ERROR}};
    uint8_t header[PDU_HEADER_BYTES] = {0x43};

    (void)state;
    rig_begin(&rig, &options);
    next(&rig, PDU_LOGIN_REQUEST);
    send_pdu(&rig, pdu, buf_copy(rig.pool, header, sizeof(header)), true);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_silent(&rig);
    rig_end(&rig);
}

static void full_feature_pdus_before_login_end_it(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    rig_begin(&rig, &options);
    next(&rig, PDU_LOGIN_REQUEST);
    send_nop_in(&rig, PDU_NO_TAG, 5, 0);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_silent(&rig);
    rig_end(&rig);
}

static void an_unoffered_auth_method_ends_the_login(void **state)
{
    struct rig_options options = defaults();

    (void)state;
    options.starts_in_security = true;
    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), false);

    pdu.login_response.csg = 0;
    send_pdu(&rig, pdu, KEYS("AuthMethod=CHAP"), true);
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

/* The bytes of the target's side of a login, cut after each of them: nothing leaks, nobody hangs.
 */
static void a_login_dropped_at_every_byte_leaks_nothing(void **state)
{
    struct rig_options options = defaults();
    static uint8_t wire[4096];
    size_t wire_bytes = 0;

    (void)state;
    rig_begin(&rig, &options);
    struct pdu pdu = response(next(&rig, PDU_LOGIN_REQUEST), true);

    rig.exp_cmd_sn = rig.options.first_cmd_sn;
    rig_numbers(&rig, &pdu);
    struct buf *bytes = framer_encode(
        rig.pool, &pdu, buf_copy(rig.pool, ANSWERS, sizeof(ANSWERS) - 1), rig.digests);

    wire_bytes = buf_bytes(bytes);
    assert_true(wire_bytes <= sizeof(wire));
    buf_read(bytes, 0, wire, wire_bytes);
    buf_free(bytes);
    rig_end(&rig);

    for (size_t cut = 0; cut <= wire_bytes; cut++) {
        rig_begin(&rig, &options);
        next(&rig, PDU_LOGIN_REQUEST);
        for (size_t i = 0; i < cut; i++) /* one byte at a time */
            rig_feed(&rig, buf_copy(rig.pool, wire + i, 1));
        assert_int_equal(event_of(&rig, ISESSION_LOGGED_IN) != NULL, cut == wire_bytes);
        isession_closed(rig.session, 0, rig.now_ns);
        rig_drain(&rig);
        assert_ended(&rig, LOST_CLOSED);
        rig_end(&rig);
    }
}

int main(void)
{
    TEST(logs_in_straight_to_the_operational_stage);
    TEST(logs_in_through_the_security_stage);
    TEST(a_target_may_take_several_rounds);
    TEST(a_login_without_end_ends);
    TEST_ROWS(refusals, is_handed_up);
    TEST(a_redirection_says_where_to);
    TEST(a_redirection_to_nowhere_is_a_failure);
    TEST_ROWS(bads, ends_the_login);
    TEST(text_of_16_mib_is_cut_off_early);
    TEST(a_reject_in_login_ends_it);
    TEST(full_feature_pdus_before_login_end_it);
    TEST(an_unoffered_auth_method_ends_the_login);
    TEST(a_login_dropped_at_every_byte_leaks_nothing);
    return TEST_RUN("initiator.isession_login");
}
