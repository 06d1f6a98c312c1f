/* Negotiation of operational keys: the table, and the few functions that walk it.
 *
 * A key that was offered is answered once; the answer is held against the offer. A key that the
 * peer offers is answered with what both can live with, or with one of the three words of the
 * standard: Reject (no such value), Irrelevant (no meaning here), NotUnderstood (never heard of).
 */
#include "iscsi/negotiate.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define SEGMENT_MOST  0xffffffu /* 2^24 - 1 */
#define TIME_MOST_S   3600u
#define LEVEL_DEFAULT 1u /* RFC 7144, 7.1.1: what RFC 7143 alone is, and needs no word */

enum form {
    CALLERS,         /* the session's business */
    NUMBER,          /* the smaller or the larger of both */
    BOOLEAN,         /* AND or OR of both */
    DIGESTS,         /* the first of the offer that both have */
    DECLARED,        /* a number that needs no answer: each direction has its own */
    TASK_REPORTING,  /* we know the default alone: RFC3720 */
    OBSOLETE_CHOICE, /* a marker: No (13.25) */
    OBSOLETE,        /* its interval: Reject (13.25) */
};

/* How two wishes become one. */
enum rule { NO_RULE, MINIMUM, MAXIMUM, AND, OR };

/* When each side may send it; bits by enum negotiate_phase. */
#define SEC   (1u << NEGOTIATE_SECURITY)
#define OP    (1u << NEGOTIATE_OPERATIONAL)
#define TEXT  (1u << NEGOTIATE_TEXT)
#define LOGIN (SEC | OP)
#define ALL   (SEC | OP | TEXT)

enum trait {
    LEADING = 1,    /* LO: on the leading connection only */
    IRRELEVANT = 2, /* in a discovery session */
    LARGE = 4,      /* values above 255 bytes */
    REPEATS = 8,    /* a declaration that may be made again */
};

struct key {
    const char *spelling;
    enum form form;
    enum rule rule;
    uint8_t by_initiator; /* phases */
    uint8_t by_target;
    uint8_t traits;
    uint32_t low;
    uint32_t high;
    size_t offset; /* in struct iscsi_params */
};

#define AT(member) offsetof(struct iscsi_params, member)

static const struct key keys[KEY_COUNT] = {
    /* spelling, form, rule, initiator, target, traits, range, member */
    [KEY_AUTH_METHOD] = {"AuthMethod", CALLERS, NO_RULE, SEC, SEC, 0, 0, 0, 0},
    [KEY_CHAP_A] = {"CHAP_A", CALLERS, NO_RULE, SEC, SEC, 0, 0, 0, 0},
    [KEY_CHAP_I] = {"CHAP_I", CALLERS, NO_RULE, SEC, SEC, 0, 0, 0, 0},
    [KEY_CHAP_C] = {"CHAP_C", CALLERS, NO_RULE, SEC, SEC, LARGE, 0, 0, 0},
    [KEY_CHAP_N] = {"CHAP_N", CALLERS, NO_RULE, SEC, SEC, LARGE, 0, 0, 0},
    [KEY_CHAP_R] = {"CHAP_R", CALLERS, NO_RULE, SEC, SEC, LARGE, 0, 0, 0},
    [KEY_HEADER_DIGEST] = {"HeaderDigest", DIGESTS, NO_RULE, OP, OP, 0, 0, 0, AT(header_digest)},
    [KEY_DATA_DIGEST] = {"DataDigest", DIGESTS, NO_RULE, OP, OP, 0, 0, 0, AT(data_digest)},
    [KEY_MAX_CONNECTIONS] = {"MaxConnections", NUMBER, MINIMUM, OP, OP, LEADING | IRRELEVANT, 1,
                             65535, AT(max_connections)},
    [KEY_SEND_TARGETS] = {"SendTargets", CALLERS, NO_RULE, TEXT, 0, 0, 0, 0, 0},
    [KEY_TARGET_NAME] = {"TargetName", CALLERS, NO_RULE, LOGIN, TEXT, 0, 0, 0, 0},
    [KEY_INITIATOR_NAME] = {"InitiatorName", CALLERS, NO_RULE, LOGIN, 0, 0, 0, 0, 0},
    [KEY_TARGET_ALIAS] = {"TargetAlias", CALLERS, NO_RULE, 0, ALL, REPEATS, 0, 0, 0},
    [KEY_INITIATOR_ALIAS] = {"InitiatorAlias", CALLERS, NO_RULE, ALL, 0, REPEATS, 0, 0, 0},
    [KEY_TARGET_ADDRESS] = {"TargetAddress", CALLERS, NO_RULE, 0, ALL, REPEATS, 0, 0, 0},
    [KEY_TARGET_PORTAL_GROUP_TAG] = {"TargetPortalGroupTag", CALLERS, NO_RULE, 0, LOGIN, REPEATS, 0,
                                     0, 0},
    [KEY_INITIAL_R2T] = {"InitialR2T", BOOLEAN, OR, OP, OP, LEADING | IRRELEVANT, 0, 1,
                         AT(initial_r2t)},
    [KEY_IMMEDIATE_DATA] = {"ImmediateData", BOOLEAN, AND, OP, OP, LEADING | IRRELEVANT, 0, 1,
                            AT(immediate_data)},
    [KEY_MAX_RECV_SEGMENT] = {"MaxRecvDataSegmentLength", DECLARED, NO_RULE, ALL, ALL, 0, 512,
                              SEGMENT_MOST, AT(max_recv_segment_bytes)},
    [KEY_MAX_BURST] = {"MaxBurstLength", NUMBER, MINIMUM, OP, OP, LEADING | IRRELEVANT, 512,
                       SEGMENT_MOST, AT(max_burst_bytes)},
    [KEY_FIRST_BURST] = {"FirstBurstLength", NUMBER, MINIMUM, OP, OP, LEADING | IRRELEVANT, 512,
                         SEGMENT_MOST, AT(first_burst_bytes)},
    [KEY_TIME2WAIT] = {"DefaultTime2Wait", NUMBER, MAXIMUM, OP, OP, LEADING, 0, TIME_MOST_S,
                       AT(time2wait_s)},
    [KEY_TIME2RETAIN] = {"DefaultTime2Retain", NUMBER, MINIMUM, OP, OP, LEADING, 0, TIME_MOST_S,
                         AT(time2retain_s)},
    [KEY_MAX_OUTSTANDING_R2T] = {"MaxOutstandingR2T", NUMBER, MINIMUM, OP, OP, LEADING | IRRELEVANT,
                                 1, 65535, AT(max_outstanding_r2t)},
    [KEY_DATA_PDU_IN_ORDER] = {"DataPDUInOrder", BOOLEAN, OR, OP, OP, LEADING | IRRELEVANT, 0, 1,
                               AT(data_pdu_in_order)},
    [KEY_DATA_SEQUENCE_IN_ORDER] = {"DataSequenceInOrder", BOOLEAN, OR, OP, OP,
                                    LEADING | IRRELEVANT, 0, 1, AT(data_sequence_in_order)},
    [KEY_ERROR_RECOVERY_LEVEL] = {"ErrorRecoveryLevel", NUMBER, MINIMUM, OP, OP, LEADING, 0, 2,
                                  AT(error_recovery_level)},
    [KEY_SESSION_TYPE] = {"SessionType", CALLERS, NO_RULE, LOGIN, 0, 0, 0, 0, 0},
    [KEY_TASK_REPORTING] = {"TaskReporting", TASK_REPORTING, NO_RULE, OP, OP, LEADING | IRRELEVANT,
                            0, 0, 0},
    [KEY_OF_MARKER] = {"OFMarker", OBSOLETE_CHOICE, NO_RULE, OP, OP, 0, 0, 0, 0},
    [KEY_IF_MARKER] = {"IFMarker", OBSOLETE_CHOICE, NO_RULE, OP, OP, 0, 0, 0, 0},
    [KEY_OF_MARK_INT] = {"OFMarkInt", OBSOLETE, NO_RULE, OP, OP, 0, 0, 0, 0},
    [KEY_IF_MARK_INT] = {"IFMarkInt", OBSOLETE, NO_RULE, OP, OP, 0, 0, 0, 0},
    [KEY_PROTOCOL_LEVEL] = {"iSCSIProtocolLevel", NUMBER, MINIMUM, OP, OP, LEADING | IRRELEVANT, 0,
                            31, AT(protocol_level)},
};

static_assert(KEY_COUNT <= 64, "a bit per key");

const struct iscsi_params iscsi_default_params = {
    .header_digest = DIGEST_NONE,
    .data_digest = DIGEST_NONE,
    .max_connections = 1,
    .initial_r2t = true,
    .immediate_data = true,
    .max_recv_segment_bytes = 8192,
    .peer_max_recv_segment_bytes = 8192,
    .max_burst_bytes = 262144,
    .first_burst_bytes = 65536,
    .time2wait_s = 2,
    .time2retain_s = 20,
    .max_outstanding_r2t = 1,
    .data_pdu_in_order = true,
    .data_sequence_in_order = true,
    .error_recovery_level = 0,
    .protocol_level = LEVEL_DEFAULT,
};

static const char *const failure_words[] = {
#define X(name, word) word,
    NEGOTIATE_FAILURES(X)
#undef X
};

const char *negotiate_failure_word(enum negotiate_failure failure)
{
    return failure_words[failure];
}

const char *iscsi_key_spelling(enum iscsi_key key)
{
    return keys[key].spelling;
}

/* The lists that an end offers or chooses from, by enum digest_choice. */
static const struct {
    const char *list;
    size_t count;
    const char *items[2];
} digests[] = {
    [DIGEST_NONE] = {"None", 1, {"None"}},
    [DIGEST_CRC32C] = {"CRC32C", 1, {"CRC32C"}},
    [DIGEST_NONE_OR_CRC32C] = {"None,CRC32C", 2, {"None", "CRC32C"}},
    [DIGEST_CRC32C_OR_NONE] = {"CRC32C,None", 2, {"CRC32C", "None"}},
};

static uint64_t bit(enum iscsi_key key)
{
    return (uint64_t)1 << key;
}

/* The value of a key in a set of parameters, as a number whatever its form. */
static uint32_t get(const struct iscsi_params *params, const struct key *key)
{
    const char *member = (const char *)params + key->offset;

    if (key->form == BOOLEAN)
        return *(const bool *)(const void *)member;
    if (key->form == DIGESTS)
        return *(const enum digest_choice *)(const void *)member;
    return *(const uint32_t *)(const void *)member;
}

static void set(struct iscsi_params *params, const struct key *key, uint32_t value)
{
    char *member = (char *)params + key->offset;

    if (key->form == BOOLEAN)
        *(bool *)(void *)member = value != 0;
    else if (key->form == DIGESTS)
        *(enum digest_choice *)(void *)member = (enum digest_choice)value;
    else
        *(uint32_t *)(void *)member = value;
}

static bool is_negotiated(const struct key *key)
{
    return key->form == NUMBER || key->form == BOOLEAN || key->form == DIGESTS;
}

/* What two values of a NUMBER or a BOOLEAN give. */
static uint32_t combine(const struct key *key, uint32_t a, uint32_t b)
{
    switch (key->rule) {
    case MINIMUM:
    case AND:
        return a < b ? a : b;
    case MAXIMUM:
    case OR:
        return a > b ? a : b;
    case NO_RULE:
        break;
    }
    return a;
}

/* Can an end that wants 'wanted' live with the result 'value'? */
static bool is_admissible(const struct key *key, uint32_t wanted, uint32_t value)
{
    if (key->form != DIGESTS)
        return combine(key, wanted, value) == value;
    return text_list_has(digests[wanted].list, value == DIGEST_NONE ? "None" : "CRC32C");
}

/* Whether the offer alone fixes the result, so that an answer is not needed (6.2.2). */
static bool is_decided(const struct key *key, uint32_t offered)
{
    return (key->rule == AND && !offered) || (key->rule == OR && offered);
}

bool iscsi_params_are_valid(const struct iscsi_params *params, const char **ret_key)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &keys[i];

        *ret_key = key->spelling;
        if (key->form == DIGESTS && get(params, key) > DIGEST_CRC32C_OR_NONE)
            return false;
        if (key->form != NUMBER && key->form != DECLARED)
            continue;
        if (get(params, key) < key->low || get(params, key) > key->high)
            return false;
    }
    *ret_key = keys[KEY_FIRST_BURST].spelling;
    return params->first_burst_bytes <= params->max_burst_bytes;
}

void negotiate_init(struct negotiation *negotiation, struct negotiate_role role,
                    const struct iscsi_params *wanted)
{
    *negotiation = (struct negotiation){
        .role = role,
        .wanted = *wanted,
        .agreed = iscsi_default_params,
    };
    if (negotiation->wanted.protocol_level == 0)
        negotiation->wanted.protocol_level = LEVEL_DEFAULT;
}

void negotiate_init_text(struct negotiation *negotiation, struct negotiate_role role,
                         const struct iscsi_params *agreed)
{
    *negotiation = (struct negotiation){.role = role, .wanted = *agreed, .agreed = *agreed};
}

static enum negotiate_failure fail(struct negotiation *n, enum negotiate_failure failure,
                                   const struct text_pair *pair)
{
    n->failure = failure;
    if (pair) {
        assert(pair->key_bytes < sizeof(n->culprit));
        memcpy(n->culprit, pair->key, pair->key_bytes);
        n->culprit[pair->key_bytes] = '\0';
    }
    return failure;
}

static void write_value(struct text *text, const struct key *key, uint32_t value)
{
    if (key->form == BOOLEAN)
        text_add(text, key->spelling, value ? "Yes" : "No");
    else if (key->form == DIGESTS)
        text_add(text, key->spelling, digests[value].list);
    else
        text_add_number(text, key->spelling, value);
}

static bool reads_value(const struct key *key, const char *value, uint32_t *ret_value)
{
    uint64_t number = 0;
    bool is_yes = false;

    if (key->form == BOOLEAN) {
        if (!text_to_boolean(value, &is_yes))
            return false;
        *ret_value = is_yes;
        return true;
    }
    if (key->form == DIGESTS) {
        if (strcmp(value, "None") != 0 && strcmp(value, "CRC32C") != 0)
            return false;
        *ret_value = value[0] == 'N' ? DIGEST_NONE : DIGEST_CRC32C;
        return true;
    }
    if (!text_to_number(value, &number) || number < key->low || number > key->high)
        return false;
    *ret_value = (uint32_t)number;
    return true;
}

/* Whether this end brings the key up by itself. */
static bool offers_key(const struct negotiation *n, enum iscsi_key index)
{
    const struct key *key = &keys[index];

    if ((n->offered | n->received) & bit(index))
        return false;
    if (n->role.is_discovery && key->traits & IRRELEVANT)
        return false;
    if (!n->role.is_leading && key->traits & LEADING)
        return false;
    if (index == KEY_PROTOCOL_LEVEL && n->wanted.protocol_level == LEVEL_DEFAULT)
        return false; /* many initiators do not know the key */
    if (n->role.is_initiator)
        return is_negotiated(key);
    return is_negotiated(key) && !is_admissible(key, get(&n->wanted, key), get(&n->agreed, key));
}

static void offer_key(struct negotiation *n, enum iscsi_key index, struct text *offers)
{
    const struct key *key = &keys[index];
    uint32_t wanted = get(&n->wanted, key);

    write_value(offers, key, wanted);
    n->offered |= bit(index);
    if (is_decided(key, wanted))
        set(&n->agreed, key, wanted);
    else
        n->waiting |= bit(index);
}

/* MaxRecvDataSegmentLength may be declared in full feature phase again, when it has changed. */
static void declare_segment(struct negotiation *n, enum negotiate_phase phase, struct text *offers)
{
    const struct key *key = &keys[KEY_MAX_RECV_SEGMENT];
    uint32_t wanted = n->wanted.max_recv_segment_bytes;

    if (n->offered & bit(KEY_MAX_RECV_SEGMENT))
        return;
    if (phase == NEGOTIATE_TEXT && wanted == n->agreed.max_recv_segment_bytes)
        return;
    write_value(offers, key, wanted);
    n->offered |= bit(KEY_MAX_RECV_SEGMENT);
    n->agreed.max_recv_segment_bytes = wanted;
}

void negotiate_offer(struct negotiation *negotiation, enum negotiate_phase phase,
                     struct text *offers)
{
    struct negotiation *n = negotiation;

    if (phase == NEGOTIATE_SECURITY || n->failure != NEGOTIATE_GOOD)
        return;
    if (n->wanted.first_burst_bytes > n->wanted.max_burst_bytes) /* 13.14 */
        n->wanted.first_burst_bytes = n->wanted.max_burst_bytes;
    for (enum iscsi_key i = 0; i < KEY_COUNT; i++) {
        if (i == KEY_MAX_RECV_SEGMENT)
            declare_segment(n, phase, offers);
        else if (phase == NEGOTIATE_OPERATIONAL && offers_key(n, i))
            offer_key(n, i, offers);
    }
}

static bool is_refusal(const char *value)
{
    return strcmp(value, "Reject") == 0 || strcmp(value, "Irrelevant") == 0 ||
           strcmp(value, "NotUnderstood") == 0;
}

/* An offer that the peer did not take: the value stays as it was, and we must be able to live with
 * that, unless the key has no meaning in this session and any value will do. */
static enum negotiate_failure take_refusal(struct negotiation *n, enum iscsi_key index,
                                           const struct text_pair *pair)
{
    const struct key *key = &keys[index];
    uint32_t wanted = get(&n->wanted, key);

    n->offered &= ~bit(index);
    /* Who knows RFC 3720 alone has not heard of this one, and the default holds (RFC 7144, 7.1.1).
     */
    bool may_be_unknown = index == KEY_PROTOCOL_LEVEL;

    if (is_admissible(key, wanted, get(&n->agreed, key)) &&
        (pair->value[0] != 'N' || may_be_unknown))
        return NEGOTIATE_GOOD;
    if (pair->value[0] != 'I' || key->form == DIGESTS)
        return fail(n, NEGOTIATE_ANSWER_REFUSED, pair);
    set(&n->agreed, key, wanted);
    return NEGOTIATE_GOOD;
}

/* The peer's answer to an offer of ours. */
static enum negotiate_failure take_answer(struct negotiation *n, enum iscsi_key index,
                                          const struct text_pair *pair)
{
    const struct key *key = &keys[index];
    uint32_t answer = 0;

    n->waiting &= ~bit(index);
    if (is_refusal(pair->value))
        return take_refusal(n, index, pair);
    if (!reads_value(key, pair->value, &answer))
        return fail(n, NEGOTIATE_ANSWER_BAD, pair);
    if (!is_admissible(key, get(&n->wanted, key), answer))
        return fail(n, NEGOTIATE_ANSWER_NOT_OFFERED, pair);
    set(&n->agreed, key, answer);
    return NEGOTIATE_GOOD;
}

/* The peer's offer of a key with a value in our parameters: our answer, and what holds then. */
static void answer_offer(struct negotiation *n, const struct key *key, const char *value,
                         struct text *answers)
{
    uint32_t wanted = get(&n->wanted, key);
    uint32_t offered = 0;
    uint32_t result;

    if (key->form == DIGESTS) {
        int choice = text_list_choose(value, digests[wanted].items, digests[wanted].count);

        if (choice < 0) {
            text_add(answers, key->spelling, "Reject");
            return;
        }
        const char *chosen = digests[wanted].items[choice];

        result = chosen[0] == 'N' ? DIGEST_NONE : DIGEST_CRC32C;
    } else {
        if (!reads_value(key, value, &offered)) {
            text_add(answers, key->spelling, "Reject");
            return;
        }
        result = combine(key, wanted, offered);
        if (key == &keys[KEY_FIRST_BURST] && result > n->agreed.max_burst_bytes) /* 13.14 */
            result = n->agreed.max_burst_bytes;
    }
    set(&n->agreed, key, result);
    write_value(answers, key, result);
}

/* Keys of one fixed value. */
static void answer_fixed(const struct key *key, const char *value, struct text *answers)
{
    if (key->form == TASK_REPORTING)
        text_add(answers, key->spelling, text_list_has(value, "RFC3720") ? "RFC3720" : "Reject");
    else if (key->form == OBSOLETE_CHOICE)
        text_add(answers, key->spelling, "No");
    else
        text_add(answers, key->spelling, "Reject");
}

static enum negotiate_failure take_declaration(struct negotiation *n, const struct key *key,
                                               const struct text_pair *pair)
{
    uint32_t value = 0;

    if (!reads_value(key, pair->value, &value))
        return fail(n, NEGOTIATE_DECLARATION_BAD, pair);
    n->agreed.peer_max_recv_segment_bytes = value;
    return NEGOTIATE_GOOD;
}

static const struct key *find_key(const struct text_pair *pair)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (text_key_is(pair, keys[i].spelling))
            return &keys[i];
    }
    return NULL;
}

static void answer_unknown(const struct text_pair *pair, struct text *answers)
{
    char name[TEXT_KEY_MOST + 1];

    if (is_refusal(pair->value)) /* no answer to an answer */
        return;
    memcpy(name, pair->key, pair->key_bytes);
    name[pair->key_bytes] = '\0';
    text_add(answers, name, "NotUnderstood");
}

/* Sender, phase, length, and that it comes once. '*ret_is_misplaced': to be answered with Reject,
 * no more. */
static enum negotiate_failure check_place(struct negotiation *n, enum negotiate_phase phase,
                                          const struct key *key, const struct text_pair *pair,
                                          bool *ret_is_misplaced)
{
    uint64_t mask = bit((enum iscsi_key)(key - keys));
    uint8_t phases = n->role.is_initiator ? key->by_target : key->by_initiator;
    bool has_place = (phases >> phase & 1) != 0;

    *ret_is_misplaced = false;
    if (pair->value_bytes > TEXT_VALUE_MOST && !(key->traits & LARGE))
        return fail(n, NEGOTIATE_TEXT_BAD, pair);
    if (phases == 0)
        return fail(n, NEGOTIATE_WRONG_SENDER, pair);
    if (!has_place && phase != NEGOTIATE_TEXT)
        return fail(n, NEGOTIATE_WRONG_PHASE, pair);
    if (n->received & mask && !(key->traits & REPEATS))
        return fail(n, NEGOTIATE_KEY_TWICE, pair);
    n->received |= mask;
    *ret_is_misplaced = !has_place || (key->traits & LEADING && !n->role.is_leading);
    return NEGOTIATE_GOOD;
}

static enum negotiate_failure receive_pair(struct negotiation *n, enum negotiate_phase phase,
                                           const struct text_pair *pair, struct text *answers)
{
    const struct key *key = find_key(pair);
    bool is_misplaced;

    if (!key) {
        if (pair->value_bytes > TEXT_VALUE_MOST)
            return fail(n, NEGOTIATE_TEXT_BAD, pair);
        answer_unknown(pair, answers);
        return NEGOTIATE_GOOD;
    }
    enum negotiate_failure failure = check_place(n, phase, key, pair, &is_misplaced);

    if (failure != NEGOTIATE_GOOD)
        return failure;
    if (n->offered & bit((enum iscsi_key)(key - keys)) && key->form != DECLARED)
        return take_answer(n, (enum iscsi_key)(key - keys), pair);
    if (is_misplaced) {
        text_add(answers, key->spelling, "Reject");
        return NEGOTIATE_GOOD;
    }
    if (key->form == CALLERS)
        return NEGOTIATE_GOOD;
    if (key->form == DECLARED)
        return take_declaration(n, key, pair);
    if (is_refusal(pair->value))
        return fail(n, NEGOTIATE_ANSWER_NOT_OFFERED, pair);
    if (n->role.is_discovery && key->traits & IRRELEVANT)
        text_add(answers, key->spelling, "Irrelevant");
    else if (is_negotiated(key))
        answer_offer(n, key, pair->value, answers);
    else
        answer_fixed(key, pair->value, answers);
    return NEGOTIATE_GOOD;
}

/* Both ends hold bursts that fit each other, also when one of them was not negotiated (13.14). */
static enum negotiate_failure check_bursts(struct negotiation *n)
{
    uint64_t both = bit(KEY_FIRST_BURST) | bit(KEY_MAX_BURST);

    if (n->agreed.first_burst_bytes <= n->agreed.max_burst_bytes || n->waiting & both)
        return NEGOTIATE_GOOD;
    if ((n->offered & n->received & both) == both) {
        n->failure = NEGOTIATE_BURSTS;
        memcpy(n->culprit, "FirstBurstLength", sizeof("FirstBurstLength"));
        return n->failure;
    }
    n->agreed.first_burst_bytes = n->agreed.max_burst_bytes;
    return NEGOTIATE_GOOD;
}

enum negotiate_failure negotiate_receive(struct negotiation *negotiation,
                                         enum negotiate_phase phase, const char *bytes, size_t size,
                                         struct text *answers)
{
    struct negotiation *n = negotiation;
    struct text_pair pair;

    if (n->failure != NEGOTIATE_GOOD)
        return n->failure;
    if (text_check(bytes, size, &text_login_limits) != TEXT_OK)
        return fail(n, NEGOTIATE_TEXT_BAD, NULL);
    /* FirstBurstLength last: its answer depends on MaxBurstLength. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t at = 0; text_next(bytes, size, &at, &pair);) {
            bool is_late = text_key_is(&pair, "FirstBurstLength");

            if (is_late != (pass == 1))
                continue;
            if (receive_pair(n, phase, &pair, answers) != NEGOTIATE_GOOD)
                return n->failure;
        }
    }
    if (answers->is_too_long)
        return fail(n, NEGOTIATE_TOO_LONG, NULL);
    return check_bursts(n);
}
