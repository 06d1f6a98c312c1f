/* Negotiation: each key against each kind of offer and answer, and whole logins of both ends. */
#include "tests/test.h"

#include "iscsi/negotiate.h"
#include "sim/core/attributes.h"

#include <stdio.h>
#include <string.h>

/* Where a key's value stands, as a number; the test's own view of struct iscsi_params. */
enum width { W_NUMBER, W_BOOL, W_DIGEST };

static const struct member {
    const char *key;
    enum width width;
    size_t offset;
} members[] = {
    {"HeaderDigest", W_DIGEST, offsetof(struct iscsi_params, header_digest)},
    {"DataDigest", W_DIGEST, offsetof(struct iscsi_params, data_digest)},
    {"MaxConnections", W_NUMBER, offsetof(struct iscsi_params, max_connections)},
    {"InitialR2T", W_BOOL, offsetof(struct iscsi_params, initial_r2t)},
    {"ImmediateData", W_BOOL, offsetof(struct iscsi_params, immediate_data)},
    {"MaxBurstLength", W_NUMBER, offsetof(struct iscsi_params, max_burst_bytes)},
    {"FirstBurstLength", W_NUMBER, offsetof(struct iscsi_params, first_burst_bytes)},
    {"DefaultTime2Wait", W_NUMBER, offsetof(struct iscsi_params, time2wait_s)},
    {"DefaultTime2Retain", W_NUMBER, offsetof(struct iscsi_params, time2retain_s)},
    {"MaxOutstandingR2T", W_NUMBER, offsetof(struct iscsi_params, max_outstanding_r2t)},
    {"DataPDUInOrder", W_BOOL, offsetof(struct iscsi_params, data_pdu_in_order)},
    {"DataSequenceInOrder", W_BOOL, offsetof(struct iscsi_params, data_sequence_in_order)},
    {"ErrorRecoveryLevel", W_NUMBER, offsetof(struct iscsi_params, error_recovery_level)},
    {"iSCSIProtocolLevel", W_NUMBER, offsetof(struct iscsi_params, protocol_level)},
};

static const struct member *find_member(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (strcmp(members[i].key, key) == 0)
            return &members[i];
    }
    return NULL;
}

static void set_value(struct iscsi_params *params, const char *key, uint32_t value)
{
    const struct member *member = find_member(key);
    char *place = (char *)params + member->offset;

    if (member->width == W_BOOL)
        memcpy(place, &(bool){value != 0}, sizeof(bool));
    else if (member->width == W_DIGEST)
        memcpy(place, &(enum digest_choice){(enum digest_choice)value}, sizeof(enum digest_choice));
    else
        memcpy(place, &value, sizeof(value));
}

static uint32_t value_of(const struct iscsi_params *params, const char *key)
{
    const struct member *member = find_member(key);
    const char *place = (const char *)params + member->offset;
    bool is_yes;
    enum digest_choice digest;
    uint32_t number;

    if (member->width == W_BOOL) {
        memcpy(&is_yes, place, sizeof(is_yes));
        return is_yes;
    }
    if (member->width == W_DIGEST) {
        memcpy(&digest, place, sizeof(digest));
        return digest;
    }
    memcpy(&number, place, sizeof(number));
    return number;
}

static const struct negotiate_role target = {.is_leading = true};
static const struct negotiate_role initiator = {.is_initiator = true, .is_leading = true};

/* What a generous end wants, so that the other end decides. */
static struct iscsi_params generous(void)
{
    struct iscsi_params params = iscsi_default_params;

    params.max_burst_bytes = 1048576;
    params.first_burst_bytes = 262144;
    params.max_recv_segment_bytes = 262144;
    return params;
}

/* As responder: what we want, what they offer, what we answer, what holds then. */
static struct response {
    const char *name;
    const char *key;
    uint32_t wanted;
    const char *offer;
    const char *answer;
    uint64_t agreed;
} responses[] = {
    {"HeaderDigest: the offerer's first choice", "HeaderDigest", DIGEST_NONE_OR_CRC32C,
     "CRC32C,None", "CRC32C", DIGEST_CRC32C},
    {"HeaderDigest: the offerer's order, not ours", "HeaderDigest", DIGEST_CRC32C_OR_NONE,
     "None,CRC32C", "None", DIGEST_NONE},
    {"HeaderDigest: the only one in common", "HeaderDigest", DIGEST_NONE, "CRC32C,None", "None",
     DIGEST_NONE},
    {"HeaderDigest: unknown ones are passed over", "HeaderDigest", DIGEST_CRC32C,
     "X-sha,CRC32C,None", "CRC32C", DIGEST_CRC32C},
    {"HeaderDigest: nothing in common", "HeaderDigest", DIGEST_NONE, "CRC32C", "Reject",
     DIGEST_NONE},
    {"HeaderDigest: an empty list", "HeaderDigest", DIGEST_NONE, "", "Reject", DIGEST_NONE},
    {"DataDigest: the offerer's first choice", "DataDigest", DIGEST_NONE_OR_CRC32C, "CRC32C",
     "CRC32C", DIGEST_CRC32C},
    {"DataDigest: nothing in common", "DataDigest", DIGEST_CRC32C, "None", "Reject", DIGEST_NONE},
    {"MaxConnections: the smaller, ours", "MaxConnections", 1, "8", "1", 1},
    {"MaxConnections: the smaller, theirs", "MaxConnections", 4, "2", "2", 2},
    {"MaxConnections: 0 does not exist", "MaxConnections", 4, "0", "Reject", 1},
    {"MaxConnections: past the range", "MaxConnections", 4, "65536", "Reject", 1},
    {"InitialR2T: No and No", "InitialR2T", 0, "No", "No", 0},
    {"InitialR2T: Yes here", "InitialR2T", 1, "No", "Yes", 1},
    {"InitialR2T: Yes there", "InitialR2T", 0, "Yes", "Yes", 1},
    {"InitialR2T: both Yes", "InitialR2T", 1, "Yes", "Yes", 1},
    {"InitialR2T: a word that is no truth value", "InitialR2T", 0, "maybe", "Reject", 1},
    {"InitialR2T: case counts", "InitialR2T", 0, "no", "Reject", 1},
    {"ImmediateData: Yes and Yes", "ImmediateData", 1, "Yes", "Yes", 1},
    {"ImmediateData: No here", "ImmediateData", 0, "Yes", "No", 0},
    {"ImmediateData: No there", "ImmediateData", 1, "No", "No", 0},
    {"ImmediateData: both No", "ImmediateData", 0, "No", "No", 0},
    {"ImmediateData: an empty value", "ImmediateData", 0, "", "Reject", 1},
    {"MaxBurstLength: the smaller, ours", "MaxBurstLength", 65536, "262144", "65536", 65536},
    {"MaxBurstLength: the smaller, theirs", "MaxBurstLength", 262144, "0x1000", "4096", 4096},
    {"MaxBurstLength: the least", "MaxBurstLength", 262144, "512", "512", 512},
    {"MaxBurstLength: below the range", "MaxBurstLength", 262144, "511", "Reject", 262144},
    {"MaxBurstLength: the most", "MaxBurstLength", 16777215, "16777215", "16777215", 16777215},
    {"MaxBurstLength: past the range", "MaxBurstLength", 262144, "16777216", "Reject", 262144},
    {"MaxBurstLength: a number past 64 bits", "MaxBurstLength", 262144, "99999999999999999999",
     "Reject", 262144},
    {"MaxBurstLength: no number", "MaxBurstLength", 262144, "-1", "Reject", 262144},
    {"FirstBurstLength: the smaller, ours", "FirstBurstLength", 8192, "65536", "8192", 8192},
    {"FirstBurstLength: the smaller, theirs", "FirstBurstLength", 65536, "4096", "4096", 4096},
    {"FirstBurstLength: never above MaxBurstLength", "FirstBurstLength", 524288, "524288", "262144",
     262144},
    {"FirstBurstLength: below the range", "FirstBurstLength", 65536, "0", "Reject", 65536},
    {"DefaultTime2Wait: the larger, ours", "DefaultTime2Wait", 5, "2", "5", 5},
    {"DefaultTime2Wait: the larger, theirs", "DefaultTime2Wait", 2, "10", "10", 10},
    {"DefaultTime2Wait: 0 is a time", "DefaultTime2Wait", 0, "0", "0", 0},
    {"DefaultTime2Wait: past the range", "DefaultTime2Wait", 0, "3601", "Reject", 2},
    {"DefaultTime2Retain: the smaller, ours", "DefaultTime2Retain", 0, "20", "0", 0},
    {"DefaultTime2Retain: the smaller, theirs", "DefaultTime2Retain", 60, "30", "30", 30},
    {"DefaultTime2Retain: past the range", "DefaultTime2Retain", 60, "3601", "Reject", 20},
    {"MaxOutstandingR2T: the smaller, ours", "MaxOutstandingR2T", 1, "16", "1", 1},
    {"MaxOutstandingR2T: the smaller, theirs", "MaxOutstandingR2T", 16, "4", "4", 4},
    {"MaxOutstandingR2T: 0 does not exist", "MaxOutstandingR2T", 16, "0", "Reject", 1},
    {"DataPDUInOrder: No and No", "DataPDUInOrder", 0, "No", "No", 0},
    {"DataPDUInOrder: Yes here", "DataPDUInOrder", 1, "No", "Yes", 1},
    {"DataSequenceInOrder: No and No", "DataSequenceInOrder", 0, "No", "No", 0},
    {"DataSequenceInOrder: Yes there", "DataSequenceInOrder", 0, "Yes", "Yes", 1},
    {"ErrorRecoveryLevel: the smaller, ours", "ErrorRecoveryLevel", 0, "2", "0", 0},
    {"ErrorRecoveryLevel: the smaller, theirs", "ErrorRecoveryLevel", 2, "1", "1", 1},
    {"ErrorRecoveryLevel: past the range", "ErrorRecoveryLevel", 2, "3", "Reject", 0},
    {"iSCSIProtocolLevel: both at 2", "iSCSIProtocolLevel", 2, "2", "2", 2},
    {"iSCSIProtocolLevel: the smaller, ours", "iSCSIProtocolLevel", 2, "31", "2", 2},
    {"iSCSIProtocolLevel: the smaller, theirs", "iSCSIProtocolLevel", 2, "1", "1", 1},
    {"iSCSIProtocolLevel: of RFC 3720 alone", "iSCSIProtocolLevel", 2, "0", "0", 0},
    {"iSCSIProtocolLevel: past the range", "iSCSIProtocolLevel", 2, "32", "Reject", 1},
    {"iSCSIProtocolLevel: no number", "iSCSIProtocolLevel", 2, "two", "Reject", 1},
};

static void answers_an_offer(void **state)
{
    const struct response *row = *state;
    struct pool *pool = pool_new();
    struct negotiation n;
    struct iscsi_params wanted = generous();
    struct text offer;
    struct text answers;

    text_init(&offer, pool, TEXT_LOGIN_MOST);
    text_init(&answers, pool, TEXT_LOGIN_MOST);
    set_value(&wanted, row->key, row->wanted);
    negotiate_init(&n, target, &wanted);
    text_add(&offer, row->key, row->offer);
    assert_int_equal(
        negotiate_receive(&n, NEGOTIATE_OPERATIONAL, text_bytes(&offer), offer.bytes, &answers),
        NEGOTIATE_GOOD);
    assert_string_equal(text_find(text_bytes(&answers), answers.bytes, row->key), row->answer);
    assert_int_equal(value_of(&n.agreed, row->key), row->agreed);
    text_fini(&offer);
    text_fini(&answers);
    pool_free(pool);
}

/* As offerer: what we want, what they answer, and whether we can live with it. */
static struct answer {
    const char *name;
    const char *key;
    uint32_t wanted;
    const char *answer;
    enum negotiate_failure failure;
    uint32_t agreed;
} answers_rows[] = {
    {"a digest of our list", "HeaderDigest", DIGEST_NONE_OR_CRC32C, "CRC32C", NEGOTIATE_GOOD,
     DIGEST_CRC32C},
    {"a digest that was not offered", "HeaderDigest", DIGEST_NONE, "CRC32C",
     NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"None where only CRC32C was offered", "DataDigest", DIGEST_CRC32C, "None",
     NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"a list as the answer", "HeaderDigest", DIGEST_NONE_OR_CRC32C, "None,CRC32C",
     NEGOTIATE_ANSWER_BAD, 0},
    {"a digest refused that we can do without", "HeaderDigest", DIGEST_NONE_OR_CRC32C, "Reject",
     NEGOTIATE_GOOD, DIGEST_NONE},
    {"a digest refused that we insist on", "HeaderDigest", DIGEST_CRC32C, "Reject",
     NEGOTIATE_ANSWER_REFUSED, 0},
    {"a digest irrelevant that we insist on", "HeaderDigest", DIGEST_CRC32C, "Irrelevant",
     NEGOTIATE_ANSWER_REFUSED, 0},
    {"fewer connections", "MaxConnections", 8, "2", NEGOTIATE_GOOD, 2},
    {"more connections than offered", "MaxConnections", 8, "9", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"no connections", "MaxConnections", 8, "0", NEGOTIATE_ANSWER_BAD, 0},
    {"InitialR2T No to No", "InitialR2T", 0, "No", NEGOTIATE_GOOD, 0},
    {"InitialR2T Yes to No", "InitialR2T", 0, "Yes", NEGOTIATE_GOOD, 1},
    {"InitialR2T No to Yes", "InitialR2T", 1, "No", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"InitialR2T neither", "InitialR2T", 0, "perhaps", NEGOTIATE_ANSWER_BAD, 0},
    {"ImmediateData Yes to Yes", "ImmediateData", 1, "Yes", NEGOTIATE_GOOD, 1},
    {"ImmediateData No to Yes", "ImmediateData", 1, "No", NEGOTIATE_GOOD, 0},
    {"ImmediateData Yes to No", "ImmediateData", 0, "Yes", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"a smaller burst", "MaxBurstLength", 262144, "131072", NEGOTIATE_GOOD, 131072},
    {"a larger burst than offered", "MaxBurstLength", 262144, "262145",
     NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"a burst out of range", "MaxBurstLength", 262144, "100", NEGOTIATE_ANSWER_BAD, 0},
    {"a burst refused whose default is too large", "MaxBurstLength", 65536, "Reject",
     NEGOTIATE_ANSWER_REFUSED, 0},
    {"a burst refused whose default will do", "MaxBurstLength", 1048576, "Reject", NEGOTIATE_GOOD,
     262144},
    {"level 2 agreed", "iSCSIProtocolLevel", 2, "2", NEGOTIATE_GOOD, 2},
    {"level 2 lowered", "iSCSIProtocolLevel", 2, "1", NEGOTIATE_GOOD, 1},
    {"level 2 raised", "iSCSIProtocolLevel", 2, "3", NEGOTIATE_ANSWER_NOT_OFFERED, 1},
    {"level 2 not understood, by a target of RFC 3720", "iSCSIProtocolLevel", 2, "NotUnderstood",
     NEGOTIATE_GOOD, 1},
    {"level 2 rejected", "iSCSIProtocolLevel", 2, "Reject", NEGOTIATE_GOOD, 1},
    {"a burst not understood", "MaxBurstLength", 1048576, "NotUnderstood", NEGOTIATE_ANSWER_REFUSED,
     0},
    {"a first burst above MaxBurstLength's default", "FirstBurstLength", 524288, "524288",
     NEGOTIATE_BURSTS, 0},
    {"a first burst that is irrelevant", "FirstBurstLength", 8192, "Irrelevant", NEGOTIATE_GOOD,
     8192},
    {"a longer wait", "DefaultTime2Wait", 2, "5", NEGOTIATE_GOOD, 5},
    {"a shorter wait than offered", "DefaultTime2Wait", 2, "1", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"a shorter retention", "DefaultTime2Retain", 20, "0", NEGOTIATE_GOOD, 0},
    {"a longer retention than offered", "DefaultTime2Retain", 20, "21",
     NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"fewer R2Ts", "MaxOutstandingR2T", 8, "1", NEGOTIATE_GOOD, 1},
    {"more R2Ts than offered", "MaxOutstandingR2T", 1, "2", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
    {"DataPDUInOrder Yes to No", "DataPDUInOrder", 0, "Yes", NEGOTIATE_GOOD, 1},
    {"DataSequenceInOrder No to Yes", "DataSequenceInOrder", 1, "No", NEGOTIATE_ANSWER_NOT_OFFERED,
     0},
    {"a lower level", "ErrorRecoveryLevel", 2, "0", NEGOTIATE_GOOD, 0},
    {"a higher level than offered", "ErrorRecoveryLevel", 0, "1", NEGOTIATE_ANSWER_NOT_OFFERED, 0},
};

static void holds_answers_against_offers(void **state)
{
    const struct answer *row = *state;
    struct pool *pool = pool_new();
    struct negotiation n;
    struct iscsi_params wanted = generous();
    struct text offers;
    struct text answer;

    text_init(&offers, pool, TEXT_LOGIN_MOST);
    text_init(&answer, pool, TEXT_LOGIN_MOST);
    if (strcmp(row->key, "FirstBurstLength") == 0)
        wanted.max_burst_bytes = 1048576;
    set_value(&wanted, row->key, row->wanted);
    negotiate_init(&n, initiator, &wanted);
    negotiate_offer(&n, NEGOTIATE_OPERATIONAL, &offers);
    assert_non_null(text_find(text_bytes(&offers), offers.bytes, row->key));
    text_clear(&offers);
    text_add(&answer, row->key, row->answer);
    if (row->failure == NEGOTIATE_BURSTS)
        text_add(&answer, "MaxBurstLength", "262144");
    assert_int_equal(
        negotiate_receive(&n, NEGOTIATE_OPERATIONAL, text_bytes(&answer), answer.bytes, &offers),
        row->failure);
    assert_int_equal(offers.bytes, 0); /* no answer to an answer */
    if (row->failure == NEGOTIATE_GOOD)
        assert_int_equal(value_of(&n.agreed, row->key), row->agreed);
    else
        assert_string_equal(n.culprit, row->key);
    text_fini(&offers);
    text_fini(&answer);
    pool_free(pool);
}

/* Whole texts of the peer: our answers, written one after the other with ';'. */
static struct text_case {
    const char *name;
    struct negotiate_role role;
    enum negotiate_phase phase;
    const char *received; /* ';' for NUL */
    enum negotiate_failure failure;
    const char *answers;
} text_cases[] = {
    {"an unknown key",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "X-com.example.Speed=fast;",
     NEGOTIATE_GOOD,
     "X-com.example.Speed=NotUnderstood;"},
    {"the answer to nobody's question",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "X-a=NotUnderstood;X-b=Reject;X-c=Irrelevant;",
     NEGOTIATE_GOOD,
     ""},
    {"markers are No, their intervals rejected",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "IFMarker=Yes;OFMarker=No;IFMarkInt=2048~65535;OFMarkInt=1;",
     NEGOTIATE_GOOD,
     "IFMarker=No;OFMarker=No;IFMarkInt=Reject;OFMarkInt=Reject;"},
    {"task reporting is that of RFC 3720",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "TaskReporting=FastAbort,ResponseFence,RFC3720;",
     NEGOTIATE_GOOD,
     "TaskReporting=RFC3720;"},
    {"no task reporting in common",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "TaskReporting=FastAbort;",
     NEGOTIATE_GOOD,
     "TaskReporting=Reject;"},
    {"the protocol level is 1 where nobody wants more",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "iSCSIProtocolLevel=2;",
     NEGOTIATE_GOOD,
     "iSCSIProtocolLevel=1;"},
    {"a lower protocol level",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "iSCSIProtocolLevel=0;",
     NEGOTIATE_GOOD,
     "iSCSIProtocolLevel=0;"},
    {"a protocol level out of range",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "iSCSIProtocolLevel=32;",
     NEGOTIATE_GOOD,
     "iSCSIProtocolLevel=Reject;"},
    {"FirstBurstLength waits for MaxBurstLength",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "FirstBurstLength=65536;MaxBurstLength=8192;",
     NEGOTIATE_GOOD,
     "MaxBurstLength=8192;FirstBurstLength=8192;"},
    {"what a discovery session does not need",
     {.is_discovery = true, .is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxConnections=1;InitialR2T=No;ImmediateData=Yes;MaxBurstLength=512;FirstBurstLength=512;"
     "MaxOutstandingR2T=1;DataPDUInOrder=No;DataSequenceInOrder=No;TaskReporting=RFC3720;",
     NEGOTIATE_GOOD,
     "MaxConnections=Irrelevant;InitialR2T=Irrelevant;ImmediateData=Irrelevant;"
     "MaxBurstLength=Irrelevant;MaxOutstandingR2T=Irrelevant;DataPDUInOrder=Irrelevant;"
     "DataSequenceInOrder=Irrelevant;TaskReporting=Irrelevant;FirstBurstLength=Irrelevant;"},
    {"what a discovery session needs",
     {.is_discovery = true, .is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "HeaderDigest=None;DefaultTime2Wait=0;ErrorRecoveryLevel=2;",
     NEGOTIATE_GOOD,
     "HeaderDigest=None;DefaultTime2Wait=2;ErrorRecoveryLevel=0;"},
    {"names and aliases are the caller's",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "InitiatorName=iqn.2001-04.com.example:a;TargetName=iqn.2001-04.com.example:b;"
     "SessionType=Normal;InitiatorAlias=a;",
     NEGOTIATE_GOOD,
     ""},
    {"security keys in their stage",
     {.is_leading = true},
     NEGOTIATE_SECURITY,
     "InitiatorName=iqn.2001-04.com.example:a;AuthMethod=CHAP,None;",
     NEGOTIATE_GOOD,
     ""},
    {"an operational key in the security stage",
     {.is_leading = true},
     NEGOTIATE_SECURITY,
     "MaxBurstLength=8192;",
     NEGOTIATE_WRONG_PHASE,
     NULL},
    {"a security key in the operational stage",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "AuthMethod=None;",
     NEGOTIATE_WRONG_PHASE,
     NULL},
    {"SendTargets during login",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "SendTargets=All;",
     NEGOTIATE_WRONG_PHASE,
     NULL},
    {"SendTargets in full feature phase",
     {.is_leading = true},
     NEGOTIATE_TEXT,
     "SendTargets=All;",
     NEGOTIATE_GOOD,
     ""},
    {"a login key in full feature phase",
     {.is_leading = true},
     NEGOTIATE_TEXT,
     "MaxBurstLength=8192;",
     NEGOTIATE_GOOD,
     "MaxBurstLength=Reject;"},
    {"a marker in full feature phase",
     {.is_leading = true},
     NEGOTIATE_TEXT,
     "OFMarker=Yes;",
     NEGOTIATE_GOOD,
     "OFMarker=Reject;"},
    {"a key of the leading connection on a later one",
     {.is_leading = false},
     NEGOTIATE_OPERATIONAL,
     "MaxConnections=2;HeaderDigest=None;",
     NEGOTIATE_GOOD,
     "MaxConnections=Reject;HeaderDigest=None;"},
    {"a target's key from an initiator",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "TargetPortalGroupTag=1;",
     NEGOTIATE_WRONG_SENDER,
     NULL},
    {"an initiator's key from a target",
     {.is_initiator = true, .is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "InitiatorName=iqn.2001-04.com.example:a;",
     NEGOTIATE_WRONG_SENDER,
     NULL},
    {"a target declares its portal group",
     {.is_initiator = true, .is_leading = true},
     NEGOTIATE_SECURITY,
     "TargetPortalGroupTag=1;AuthMethod=None;TargetAlias=san;",
     NEGOTIATE_GOOD,
     ""},
    {"a target offers",
     {.is_initiator = true, .is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxBurstLength=8192;",
     NEGOTIATE_GOOD,
     "MaxBurstLength=8192;"},
    {"a refusal of what was not offered",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxBurstLength=Reject;",
     NEGOTIATE_ANSWER_NOT_OFFERED,
     NULL},
    {"a segment length needs no answer",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxRecvDataSegmentLength=512;",
     NEGOTIATE_GOOD,
     ""},
    {"a segment length below the range",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxRecvDataSegmentLength=511;",
     NEGOTIATE_DECLARATION_BAD,
     NULL},
    {"a segment length past the range",
     {.is_leading = true},
     NEGOTIATE_TEXT,
     "MaxRecvDataSegmentLength=16777216;",
     NEGOTIATE_DECLARATION_BAD,
     NULL},
    {"a key twice in one text",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxBurstLength=8192;MaxBurstLength=4096;",
     NEGOTIATE_TEXT_BAD,
     NULL},
    {"no '='",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxBurstLength;",
     NEGOTIATE_TEXT_BAD,
     NULL},
    {"no NUL at the end",
     {.is_leading = true},
     NEGOTIATE_OPERATIONAL,
     "MaxBurstLength=8192",
     NEGOTIATE_TEXT_BAD,
     NULL},
};

static size_t with_nuls(const char *text, char *ret_bytes)
{
    size_t size = strlen(text);

    memcpy(ret_bytes, text, size);
    for (size_t i = 0; i < size; i++) {
        if (ret_bytes[i] == ';')
            ret_bytes[i] = '\0';
    }
    return size;
}

static void answers_a_text(void **state)
{
    const struct text_case *row = *state;
    struct pool *pool = pool_new();
    struct negotiation n;
    struct iscsi_params wanted = generous();
    struct text answers;
    char bytes[1024];
    char expected[1024];
    size_t size = with_nuls(row->received, bytes);

    text_init(&answers, pool, TEXT_LOGIN_MOST);
    if (row->phase == NEGOTIATE_TEXT)
        negotiate_init_text(&n, row->role, &wanted);
    else
        negotiate_init(&n, row->role, &wanted);
    assert_int_equal(negotiate_receive(&n, row->phase, bytes, size, &answers), row->failure);
    assert_true(strlen(negotiate_failure_word(row->failure)) > 0);
    if (row->failure == NEGOTIATE_GOOD) {
        assert_int_equal(answers.bytes, with_nuls(row->answers, expected));
        assert_memory_equal(text_bytes(&answers), expected, answers.bytes);
    } else { /* a broken negotiation stays broken */
        assert_int_equal(negotiate_receive(&n, row->phase, "X-a=b", 6, &answers), row->failure);
    }
    text_fini(&answers);
    pool_free(pool);
}

static enum negotiate_failure receive(struct negotiation *n, enum negotiate_phase phase,
                                      const char *text, struct text *answers)
{
    char bytes[1024];
    size_t size = with_nuls(text, bytes);

    return negotiate_receive(n, phase, bytes, size, answers);
}

static void a_key_is_negotiated_once_per_login(void **state)
{
    struct pool *pool = pool_new();
    struct negotiation n;
    struct text answers;

    (void)state;
    text_init(&answers, pool, TEXT_LOGIN_MOST);
    negotiate_init(&n, target, &iscsi_default_params);
    assert_int_equal(receive(&n, NEGOTIATE_OPERATIONAL, "MaxBurstLength=8192;", &answers),
                     NEGOTIATE_GOOD);
    assert_true(negotiate_has_received(&n, KEY_MAX_BURST));
    assert_false(negotiate_has_received(&n, KEY_FIRST_BURST));
    assert_int_equal(receive(&n, NEGOTIATE_OPERATIONAL, "MaxBurstLength=4096;", &answers),
                     NEGOTIATE_KEY_TWICE);
    assert_string_equal(n.culprit, "MaxBurstLength");
    assert_string_equal(iscsi_key_spelling(KEY_MAX_BURST), "MaxBurstLength");
    text_fini(&answers);
    pool_free(pool);
}

static void values_above_255_bytes_are_for_chap_alone(void **state)
{
    struct pool *pool = pool_new();
    struct text text;
    struct text answers;
    static char value[600];
    static const char *const keys[] = {"InitiatorAlias", "X-com.example.Long"};

    (void)state;
    memset(value, 'a', sizeof(value) - 1);
    text_init(&text, pool, TEXT_LOGIN_MOST);
    text_init(&answers, pool, TEXT_LOGIN_MOST);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct negotiation n;

        negotiate_init(&n, target, &iscsi_default_params);
        text_clear(&text);
        text_add(&text, keys[i], value);
        assert_int_equal(
            negotiate_receive(&n, NEGOTIATE_SECURITY, text_bytes(&text), text.bytes, &answers),
            NEGOTIATE_TEXT_BAD);
    }
    struct negotiation n;

    negotiate_init(&n, target, &iscsi_default_params);
    text_clear(&text);
    text_add(&text, "CHAP_R", value);
    assert_int_equal(
        negotiate_receive(&n, NEGOTIATE_SECURITY, text_bytes(&text), text.bytes, &answers),
        NEGOTIATE_GOOD);
    text_fini(&text);
    text_fini(&answers);
    pool_free(pool);
}

static void answers_have_a_bound(void **state)
{
    struct pool *pool = pool_new();
    struct negotiation n;
    struct text answers;

    (void)state;
    text_init(&answers, pool, 10);
    negotiate_init(&n, target, &iscsi_default_params);
    assert_int_equal(receive(&n, NEGOTIATE_OPERATIONAL, "X-a=b;X-c=d;", &answers),
                     NEGOTIATE_TOO_LONG);
    text_fini(&answers);
    pool_free(pool);
}

/* Plays a whole login between two ends with these wishes; both must hold the same (rule P5). */
static void negotiate_both(const struct iscsi_params *initiator_wants,
                           const struct iscsi_params *target_wants, bool is_discovery,
                           struct iscsi_params *ret_agreed)
{
    struct pool *pool = pool_new();
    struct negotiate_role initiator_role = {
        .is_initiator = true, .is_discovery = is_discovery, .is_leading = true};
    struct negotiate_role target_role = {.is_discovery = is_discovery, .is_leading = true};
    struct negotiation i;
    struct negotiation t;
    struct text request;
    struct text response;

    text_init(&request, pool, TEXT_LOGIN_MOST);
    text_init(&response, pool, TEXT_LOGIN_MOST);
    negotiate_init(&i, initiator_role, initiator_wants);
    negotiate_init(&t, target_role, target_wants);
    negotiate_offer(&i, NEGOTIATE_OPERATIONAL, &request);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(negotiate_receive(&t, NEGOTIATE_OPERATIONAL, text_bytes(&request),
                                           request.bytes, &response),
                         NEGOTIATE_GOOD);
        negotiate_offer(&t, NEGOTIATE_OPERATIONAL, &response);
        text_clear(&request);
        assert_int_equal(negotiate_receive(&i, NEGOTIATE_OPERATIONAL, text_bytes(&response),
                                           response.bytes, &request),
                         NEGOTIATE_GOOD);
        text_clear(&response);
    }
    assert_int_equal(request.bytes, 0);
    assert_true(negotiate_is_complete(&i));
    assert_true(negotiate_is_complete(&t));
    for (size_t m = 0; m < ARRAY_SIZE(members); m++)
        assert_int_equal(value_of(&i.agreed, members[m].key), value_of(&t.agreed, members[m].key));
    assert_int_equal(i.agreed.max_recv_segment_bytes, t.agreed.peer_max_recv_segment_bytes);
    assert_int_equal(t.agreed.max_recv_segment_bytes, i.agreed.peer_max_recv_segment_bytes);
    assert_true(i.agreed.first_burst_bytes <= i.agreed.max_burst_bytes);
    *ret_agreed = i.agreed;
    text_fini(&request);
    text_fini(&response);
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

static void both_ends_hold_the_same(void **state)
{
    struct iscsi_params i = generous();
    struct iscsi_params t = iscsi_default_params;
    struct iscsi_params agreed;

    (void)state;
    i.initial_r2t = false;
    i.header_digest = DIGEST_CRC32C_OR_NONE;
    t.header_digest = DIGEST_NONE_OR_CRC32C;
    t.initial_r2t = false;
    t.time2wait_s = 5;
    negotiate_both(&i, &t, false, &agreed);
    assert_int_equal(agreed.header_digest, DIGEST_CRC32C);
    assert_false(agreed.initial_r2t);
    assert_int_equal(agreed.max_burst_bytes, 262144);
    assert_int_equal(agreed.first_burst_bytes, 65536);
    assert_int_equal(agreed.time2wait_s, 5);
    assert_int_equal(agreed.max_recv_segment_bytes, 262144);
    assert_int_equal(agreed.peer_max_recv_segment_bytes, 8192);
}

/* Every pair of wishes out of a handful per key ends in a common result. */
static void any_two_wishes_agree(void **state)
{
    static const uint32_t choices[][3] = {
        {DIGEST_NONE_OR_CRC32C, DIGEST_CRC32C_OR_NONE, DIGEST_NONE},
        {DIGEST_NONE_OR_CRC32C, DIGEST_CRC32C_OR_NONE, DIGEST_NONE},
        {1, 2, 65535},
        {0, 1, 1},
        {0, 1, 0},
        {512, 65536, 16777215},
        {512, 8192, 16777215},
        {0, 2, 3600},
        {0, 20, 3600},
        {1, 4, 65535},
        {0, 1, 1},
        {0, 1, 0},
        {0, 1, 2},
        {1, 2, 31}};

    (void)state;
    assert_int_equal(ARRAY_SIZE(choices), ARRAY_SIZE(members));
    for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
        for (int a = 0; a < 9; a++) {
            for (int is_discovery = 0; is_discovery < 2; is_discovery++) {
                struct iscsi_params i = generous();
                struct iscsi_params t = generous();
                struct iscsi_params agreed;

                set_value(&i, members[m].key, choices[m][a / 3]);
                set_value(&t, members[m].key, choices[m][a % 3]);
                negotiate_both(&i, &t, is_discovery, &agreed);
            }
        }
    }
}

/* A target whose wish is tighter than the default asks for it when the initiator does not. */
static void a_target_brings_up_what_the_default_denies_it(void **state)
{
    struct pool *pool = pool_new();
    struct iscsi_params wanted = iscsi_default_params;
    struct negotiation n;
    struct text offers;

    (void)state;
    text_init(&offers, pool, TEXT_LOGIN_MOST);
    wanted.max_burst_bytes = 65536;
    wanted.immediate_data = false;
    negotiate_init(&n, target, &wanted);
    negotiate_offer(&n, NEGOTIATE_SECURITY, &offers);
    assert_int_equal(offers.bytes, 0);
    negotiate_offer(&n, NEGOTIATE_OPERATIONAL, &offers);
    static const char expected[] =
        "ImmediateData=No\0MaxRecvDataSegmentLength=8192\0MaxBurstLength=65536";

    assert_int_equal(offers.bytes, sizeof(expected));
    assert_memory_equal(text_bytes(&offers), expected, sizeof(expected));
    assert_false(negotiate_is_complete(&n)); /* MaxBurstLength; the No decides by itself */
    assert_false(n.agreed.immediate_data);
    negotiate_offer(&n, NEGOTIATE_OPERATIONAL, &offers);
    assert_int_equal(offers.bytes, sizeof(expected));
    text_fini(&offers);
    pool_free(pool);
}

/* Ends that know RFC 3720 alone see nothing new from one that is content with RFC 7143. */
static void the_default_level_goes_without_saying(void **state)
{
    struct pool *pool = pool_new();

    (void)state;
    for (uint32_t level = 0; level <= 2; level++) {
        struct iscsi_params wanted = iscsi_default_params;
        struct negotiation n;
        struct text offers;

        text_init(&offers, pool, TEXT_LOGIN_MOST);
        wanted.protocol_level = level;
        negotiate_init(&n, initiator, &wanted);
        negotiate_offer(&n, NEGOTIATE_OPERATIONAL, &offers);
        const char *offered = text_find(text_bytes(&offers), offers.bytes, "iSCSIProtocolLevel");

        if (level == 2)
            assert_string_equal(offered, "2");
        else
            assert_null(offered);
        negotiate_init(&n, target, &wanted);
        text_clear(&offers);
        negotiate_offer(&n, NEGOTIATE_OPERATIONAL, &offers);
        assert_string_equal(text_bytes(&offers), "MaxRecvDataSegmentLength=8192");
        assert_int_equal(offers.bytes, sizeof("MaxRecvDataSegmentLength=8192"));
        text_fini(&offers);
    }
    pool_free(pool);
}

static void a_segment_length_changes_in_full_feature_phase(void **state)
{
    struct pool *pool = pool_new();
    struct negotiation n;
    struct text offers;

    (void)state;
    text_init(&offers, pool, TEXT_LOGIN_MOST);
    negotiate_init_text(&n, initiator, &iscsi_default_params);
    negotiate_offer(&n, NEGOTIATE_TEXT, &offers);
    assert_int_equal(offers.bytes, 0); /* nothing has changed */
    n.wanted.max_recv_segment_bytes = 4096;
    negotiate_offer(&n, NEGOTIATE_TEXT, &offers);
    assert_string_equal(text_bytes(&offers), "MaxRecvDataSegmentLength=4096");
    assert_int_equal(receive(&n, NEGOTIATE_TEXT, "MaxRecvDataSegmentLength=1024;", &offers),
                     NEGOTIATE_GOOD);
    assert_int_equal(n.agreed.max_recv_segment_bytes, 4096);
    assert_int_equal(n.agreed.peer_max_recv_segment_bytes, 1024);
    assert_true(negotiate_is_complete(&n));
    text_fini(&offers);
    pool_free(pool);
}

static void params_of_a_file_are_checked(void **state)
{
    struct iscsi_params params = iscsi_default_params;
    const char *key = NULL;

    (void)state;
    assert_true(iscsi_params_are_valid(&params, &key));
    params.first_burst_bytes = params.max_burst_bytes + 1;
    assert_false(iscsi_params_are_valid(&params, &key));
    assert_string_equal(key, "FirstBurstLength");
    params = iscsi_default_params;
    params.max_recv_segment_bytes = 511;
    assert_false(iscsi_params_are_valid(&params, &key));
    assert_string_equal(key, "MaxRecvDataSegmentLength");
    params = iscsi_default_params;
    params.time2wait_s = 3601;
    assert_false(iscsi_params_are_valid(&params, &key));
    assert_string_equal(key, "DefaultTime2Wait");
}

int main(void)
{
    TEST_ROWS(responses, answers_an_offer);
    TEST_ROWS(answers_rows, holds_answers_against_offers);
    TEST_ROWS(text_cases, answers_a_text);
    TEST(a_key_is_negotiated_once_per_login);
    TEST(values_above_255_bytes_are_for_chap_alone);
    TEST(answers_have_a_bound);
    TEST(both_ends_hold_the_same);
    TEST(any_two_wishes_agree);
    TEST(a_target_brings_up_what_the_default_denies_it);
    TEST(the_default_level_goes_without_saying);
    TEST(a_segment_length_changes_in_full_feature_phase);
    TEST(params_of_a_file_are_checked);
    return TEST_RUN("iscsi.negotiate");
}
