/* Login: every stage, every refusal with its status, and who a session belongs to. */
#include "tests/target/pdu_peer.h"

#define OP  ISCSI_LOGIN_OPERATIONAL_NEGOTIATION
#define SEC ISCSI_SECURITY_NEGOTIATION
#define FFP ISCSI_FULL_FEATURE_PHASE
#define WHO "InitiatorName=" HOST_1 "\nTargetName=" TARGET_NAME

static void logs_in_with_one_request(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, OP, FFP, true);

    send_login(peer, &pdu,
               WHO "\nSessionType=Normal\nHeaderDigest=None,CRC32C\nDataDigest=None\n"
                   "InitialR2T=No\nImmediateData=Yes\nMaxBurstLength=262144\n"
                   "FirstBurstLength=262144\nDefaultTime2Wait=2\nDefaultTime2Retain=0\n"
                   "MaxOutstandingR2T=1\nErrorRecoveryLevel=0\nIFMarker=No\nOFMarker=No\n"
                   "MaxConnections=1\nMaxRecvDataSegmentLength=262144\nDataPDUInOrder=Yes\n"
                   "DataSequenceInOrder=Yes");
    const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

    assert_string_equal(text_value(got, "TargetPortalGroupTag"), "1");
    assert_string_equal(text_value(got, "InitialR2T"), "No");
    assert_string_equal(text_value(got, "MaxBurstLength"), "262144");
    assert_string_equal(text_value(got, "MaxRecvDataSegmentLength"), "262144");
    assert_string_equal(text_value(got, "HeaderDigest"), "None");
    assert_string_equal(text_value(got, "DefaultTime2Wait"), "2");
    login_done(peer, got);
    assert_int_equal(target_session_count(node.target), 1);
    peer_base(peer);
    expect_logout(peer);
    assert_int_equal(target_session_count(node.target), 0);
    node_free(&node);
}

static void passes_through_all_stages(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 1);
    struct pdu security = login_request(peer, SEC, OP, true);
    struct pdu operational = login_request(peer, OP, FFP, false);

    send_login(peer, &security, WHO "\nAuthMethod=CHAP,None");
    const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

    assert_string_equal(text_value(got, "AuthMethod"), "None");
    assert_string_equal(text_value(got, "TargetPortalGroupTag"), "2");
    assert_true(got->pdu.login_response.transit);
    assert_int_equal(got->pdu.login_response.nsg, OP);
    assert_int_equal(got->pdu.login_response.tsih, 0);
    send_login(peer, &operational,
               "HeaderDigest=CRC32C\nX-com.example.new=1\nMaxBurstLength=65536");
    got = expect(peer, PDU_LOGIN_RESPONSE);
    assert_string_equal(text_value(got, "HeaderDigest"), "CRC32C");
    assert_string_equal(text_value(got, "X-com.example.new"), "NotUnderstood");
    assert_string_equal(text_value(got, "MaxBurstLength"), "65536");
    assert_null(text_value(got, "TargetPortalGroupTag"));
    assert_false(got->pdu.login_response.transit);
    operational.login_request.transit = true;
    send_login(peer, &operational,
               "MaxRecvDataSegmentLength=4096\nFirstBurstLength=65536\n"
               "DefaultTime2Retain=0");
    got = expect(peer, PDU_LOGIN_RESPONSE);
    peer->agreed.header = true;
    login_done(peer, got);
    peer_base(peer);
    node_free(&node);
}

static void goes_from_security_straight_to_full_feature(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, SEC, FFP, true);

    send_login(peer, &pdu, WHO "\nAuthMethod=None");
    login_done(peer, expect(peer, PDU_LOGIN_RESPONSE));
    peer_base(peer);
    node_free(&node);
}

static void joins_a_text_that_came_in_pieces(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, OP, FFP, false);
    static const char text[] = "InitiatorName=" HOST_1 "\0TargetName=" TARGET_NAME
                               "\0ImmediateData=No\0FirstBurstLength=65536\0"
                               "DefaultTime2Retain=0\0MaxBurstLength=65536";

    pdu.login_request.continues = true;
    for (size_t at = 0; at + 7 < sizeof(text); at += 7) {
        peer_send(peer, &pdu, text + at, 7);
        const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

        assert_int_equal(got->pdu.data_bytes, 0);
        assert_false(got->pdu.login_response.transit);
        assert_false(got->pdu.login_response.continues);
    }
    pdu.login_request.continues = false;
    pdu.login_request.transit = true;
    size_t rest = (sizeof(text) - 1) % 7 + 1;

    peer_send(peer, &pdu, text + sizeof(text) - rest, rest);
    const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

    assert_string_equal(text_value(got, "ImmediateData"), "No");
    login_done(peer, got);
    node_free(&node);
}

/* Refusals: the answer has this status and the connection ends after it. */
static struct refusal {
    const char *name;
    uint8_t csg;
    uint8_t nsg;
    bool transit;
    const char *text;
    uint16_t status;
    uint16_t tsih;
    uint8_t version_min;
    bool continues;
} refusals[] = {
    {"no initiator name", OP, FFP, true, "TargetName=" TARGET_NAME, ISCSI_LOGIN_MISSING_PARAMETER,
     0, 0, false},
    {"no target name", OP, FFP, true, "InitiatorName=" HOST_1, ISCSI_LOGIN_MISSING_PARAMETER, 0, 0,
     false},
    {"no target name in a normal session", OP, FFP, true,
     "InitiatorName=" HOST_1 "\nSessionType=Normal", ISCSI_LOGIN_MISSING_PARAMETER, 0, 0, false},
    {"another target", OP, FFP, true, "InitiatorName=" HOST_1 "\nTargetName=iqn.2024-01.lab:other",
     ISCSI_LOGIN_NOT_FOUND, 0, 0, false},
    {"an initiator name that is none", OP, FFP, true, "InitiatorName=hv1\nTargetName=" TARGET_NAME,
     ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"a session type that does not exist", OP, FFP, true, WHO "\nSessionType=Other",
     ISCSI_LOGIN_SESSION_TYPE, 0, 0, false},
    {"CHAP alone", SEC, OP, true, WHO "\nAuthMethod=CHAP", ISCSI_LOGIN_AUTHENTICATION_FAILURE, 0, 0,
     false},
    {"a TSIH of no session", OP, FFP, true, WHO, ISCSI_LOGIN_NO_SESSION, 77, 0, false},
    {"a later version alone", OP, FFP, true, WHO, ISCSI_LOGIN_UNSUPPORTED_VERSION, 0, 1, false},
    {"a stage that does not exist", 2, FFP, true, WHO, ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"from full feature to full feature", FFP, FFP, true, WHO, ISCSI_LOGIN_INITIATOR_ERROR, 0, 0,
     false},
    {"a next stage that is reserved", OP, 2, true, WHO, ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"a step back", OP, SEC, true, WHO, ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"C and T together", OP, FFP, true, WHO, ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, true},
    {"a key twice", OP, FFP, true, WHO "\nMaxBurstLength=512\nMaxBurstLength=512",
     ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"a pair without equals", OP, FFP, true, WHO "\nnonsense", ISCSI_LOGIN_INITIATOR_ERROR, 0, 0,
     false},
    {"an empty key", OP, FFP, true, WHO "\n=1", ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"a key of the other side", OP, FFP, true, WHO "\nTargetAlias=x", ISCSI_LOGIN_INITIATOR_ERROR,
     0, 0, false},
    {"an operational key too early", SEC, OP, true, WHO "\nMaxBurstLength=512",
     ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"a declaration out of range", OP, FFP, true, WHO "\nMaxRecvDataSegmentLength=511",
     ISCSI_LOGIN_INITIATOR_ERROR, 0, 0, false},
    {"nothing at all", OP, FFP, true, "", ISCSI_LOGIN_MISSING_PARAMETER, 0, 0, false},
};

static void refuses_login(void **state)
{
    const struct refusal *row = *state;
    struct node node;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, row->csg, row->nsg, row->transit);

    pdu.login_request.tsih = row->tsih;
    pdu.login_request.version_min = row->version_min;
    pdu.login_request.version_max = row->version_min;
    pdu.login_request.continues = row->continues;
    send_login(peer, &pdu, row->text);
    const struct got *got = expect(peer, PDU_LOGIN_RESPONSE);

    assert_int_equal(login_status(got), row->status);
    assert_int_equal(got->pdu.itt, pdu.itt);
    assert_memory_equal(got->pdu.login_response.isid, pdu.login_request.isid, PDU_ISID_BYTES);
    expect_over(peer, CONN_LOGIN_REFUSED);
    assert_int_equal(peer->over.login_status, row->status);
    assert_true(peer->over.is_orderly);
    assert_int_equal(target_counters(node.target)->refusals, 1);
    assert_int_equal(target_session_count(node.target), 0);
    node_free(&node);
}

static void refuses_while_out_of_service(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    target_set_in_service(node.target, false);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, OP, FFP, true);

    send_login(peer, &pdu, WHO);
    assert_int_equal(login_status(expect(peer, PDU_LOGIN_RESPONSE)),
                     ISCSI_LOGIN_SERVICE_UNAVAILABLE);
    node_free(&node);
}

static void refuses_what_changes_during_login(void **state)
{
    static const int changes = 5;
    (void)state;

    for (int change = 0; change < changes; change++) {
        struct node node;

        node_new(&node);
        node.is_lawless = true;
        struct peer *peer = peer_open(&node, 0);
        struct pdu pdu = login_request(peer, OP, FFP, false);

        send_login(peer, &pdu, WHO);
        expect(peer, PDU_LOGIN_RESPONSE);
        pdu.itt += change == 0;
        pdu.cmd_sn += change == 1;
        if (change == 2)
            pdu.login_request.isid[5]++;
        if (change == 3)
            pdu.login_request.cid++;
        pdu.login_request.csg = change == 4 ? SEC : OP;
        send_login(peer, &pdu, "");
        assert_int_equal(login_status(expect(peer, PDU_LOGIN_RESPONSE)),
                         ISCSI_LOGIN_INITIATOR_ERROR);
        expect_over(peer, CONN_LOGIN_REFUSED);
        node_free(&node);
    }
}

static void drops_who_does_not_begin_with_a_login(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = peer_request(peer, PDU_NOP_OUT, true);

    peer_send(peer, &pdu, NULL, 0);
    expect_nothing(peer);
    expect_over(peer, CONN_PROTOCOL_ERROR);
    peer = peer_open(&node, 0);
    peer_send_raw(peer, "GET / HTTP/1.1\r\nHost: san1.example\r\nUser-Agent: curl\r\n", 54);
    expect_nothing(peer);
    assert_true(peer->is_over);
    node_free(&node);
}

static void refuses_other_pdus_during_login(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    node.is_lawless = true;
    struct peer *peer = peer_open(&node, 0);
    struct pdu login = login_request(peer, OP, FFP, false);
    struct pdu read = read_command(peer, 0, 1);

    send_login(peer, &login, WHO);
    expect(peer, PDU_LOGIN_RESPONSE);
    peer_send(peer, &read, NULL, 0);
    assert_int_equal(login_status(expect(peer, PDU_LOGIN_RESPONSE)),
                     ISCSI_LOGIN_INVALID_DURING_LOGIN);
    expect_over(peer, CONN_LOGIN_REFUSED);
    node_free(&node);
}

static void gives_up_on_a_login_that_takes_too_long(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *silent = peer_open(&node, 0);
    struct peer *half = peer_open(&node, 0);
    struct pdu pdu = login_request(half, OP, FFP, false);

    send_login(half, &pdu, WHO);
    node_run(&node, SECONDS(14));
    send_login(half, &pdu, "DefaultTime2Retain=0"); /* a word more buys no time */
    assert_false(half->is_over);
    node_run(&node, SECONDS(1));
    expect_over(silent, CONN_LOGIN_TIMEOUT);
    expect_over(half, CONN_LOGIN_TIMEOUT);
    node_free(&node);
}

static void refuses_a_text_that_never_ends(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, OP, FFP, false);
    unsigned requests = 0;

    pdu.login_request.continues = true;
    while (!peer->is_over) {
        peer_send(peer, &pdu, pattern(1, 8192), 8192);
        expect(peer, PDU_LOGIN_RESPONSE);
        assert_true(++requests < 20);
    }
    assert_int_equal(peer->over.login_status, ISCSI_LOGIN_INITIATOR_ERROR);
    node_free(&node);
}

static void drops_a_login_longer_than_a_segment(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);
    struct pdu pdu = login_request(peer, OP, FFP, true);

    peer_send(peer, &pdu, pattern(1, 8193), 8193);
    expect_nothing(peer);
    expect_over(peer, CONN_FRAMING);
    node_free(&node);
}

static void takes_a_name_in_capitals_as_the_same(void **state)
{
    struct node node;
    struct session_info info;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login_as(peer, "IQN.2024-01.Lab:HV1", "TargetName=" TARGET_NAME, "");
    target_session_info(node.target, 0, &info);
    assert_string_equal(info.initiator_name, HOST_1);
    assert_int_equal(info.tsih, peer->tsih);
    assert_int_equal(info.connection, peer->number);
    assert_int_equal(info.remote.address, IPV4(10, 0, 1, 11));
    assert_int_equal(target_sessions_of(node.target, HOST_1), 1);
    assert_int_equal(target_sessions_of(node.target, HOST_2), 0);
    node_free(&node);
}

static void leaks_nothing_wherever_the_login_breaks(void **state)
{
    static const char text[] = "InitiatorName=" HOST_1 "\0TargetName=" TARGET_NAME
                               "\0HeaderDigest=None\0DefaultTime2Retain=0";
    (void)state;

    for (size_t cut = 0; cut <= PDU_HEADER_BYTES + sizeof(text); cut++) {
        struct node node;
        uint8_t bytes[PDU_HEADER_BYTES + sizeof(text)];

        node_new(&node);
        struct peer *peer = peer_open(&node, 0);
        struct pdu pdu = login_request(peer, OP, FFP, true);

        pdu.data_bytes = sizeof(text);
        pdu_encode(&pdu, bytes);
        memcpy(bytes + PDU_HEADER_BYTES, text, sizeof(text));
        peer_send_raw(peer, bytes, cut < sizeof(bytes) ? cut : sizeof(bytes));
        peer_break(peer);
        expect_over(peer, CONN_STREAM_CLOSED);
        node_free(&node);
    }
}

/* ---- redirection (11.13.5, class 1; 13.8) ---- */

static const struct got *try_login(struct node *node, uint32_t portal, const char *text)
{
    struct peer *peer = peer_open(node, portal);
    struct pdu pdu = login_request(peer, OP, FFP, true);

    send_login(peer, &pdu, text);
    return expect(peer, PDU_LOGIN_RESPONSE);
}

static void sends_logins_elsewhere_until_told_otherwise(void **state)
{
    static const struct endpoint second = {IPV4(10, 0, 2, 1), 3260};
    static const struct endpoint foreign = {IPV4(192, 168, 7, 9), 13260};
    struct node node;
    (void)state;

    node_new(&node);
    target_redirect(node.target, second, false);
    const struct got *got = try_login(&node, 0, WHO);

    assert_int_equal(login_status(got), ISCSI_LOGIN_MOVED_TEMPORARILY);
    assert_string_equal(text_value(got, "TargetAddress"), "10.0.2.1:3260"); /* without a tag */
    assert_int_equal(target_session_count(node.target), 0);
    got = try_login(&node, 1, WHO); /* it is there already */
    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);

    target_redirect(node.target, foreign, true);
    got = try_login(&node, 1, WHO);
    assert_int_equal(login_status(got), ISCSI_LOGIN_MOVED_PERMANENTLY);
    assert_string_equal(text_value(got, "TargetAddress"), "192.168.7.9:13260");

    target_redirect(node.target, (struct endpoint){0}, false);
    got = try_login(&node, 0, WHO);
    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    node_free(&node);
}

static void discovery_and_sessions_that_stand_are_not_sent_away(void **state)
{
    struct node node;
    (void)state;

    node_new(&node);
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "");
    target_redirect(node.target, (struct endpoint){IPV4(10, 0, 2, 1), 3260}, false);
    const struct got *got = try_login(&node, 0, "InitiatorName=" HOST_2 "\nSessionType=Discovery");

    assert_int_equal(login_status(got), ISCSI_LOGIN_SUCCESS);
    got = try_login(&node, 0, "InitiatorName=" HOST_2 "\nTargetName=iqn.2024-01.lab:none");
    assert_int_equal(login_status(got), ISCSI_LOGIN_NOT_FOUND); /* whom we know nothing of */
    peer_base(peer);
    expect_logout(peer);
    node_free(&node);
}

int main(void)
{
    TEST(logs_in_with_one_request);
    TEST(passes_through_all_stages);
    TEST(goes_from_security_straight_to_full_feature);
    TEST(joins_a_text_that_came_in_pieces);
    TEST_ROWS(refusals, refuses_login);
    TEST(refuses_while_out_of_service);
    TEST(refuses_what_changes_during_login);
    TEST(drops_who_does_not_begin_with_a_login);
    TEST(refuses_other_pdus_during_login);
    TEST(gives_up_on_a_login_that_takes_too_long);
    TEST(refuses_a_text_that_never_ends);
    TEST(drops_a_login_longer_than_a_segment);
    TEST(takes_a_name_in_capitals_as_the_same);
    TEST(leaks_nothing_wherever_the_login_breaks);
    TEST(sends_logins_elsewhere_until_told_otherwise);
    TEST(discovery_and_sessions_that_stand_are_not_sent_away);
    return TEST_RUN("target.conn_login");
}
