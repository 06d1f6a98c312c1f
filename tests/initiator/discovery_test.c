/* A discovery, from the outside: its bytes and its result. */
#include "initiator/discovery.h"
#include "tests/initiator/rig.h"

static struct rig rig; /* for its target's side */
static struct discovery *discovery;

static void begin(void)
{
    struct discovery_config config = {.initiator_name = RIG_INITIATOR,
                                      .isid = {0x80, 1, 2, 3, 0, 0},
                                      .offer = rig_params(),
                                      .timeout_ns = SECONDS(30)};

    rig_begin(&rig, &(struct rig_options){.is_discovery = true});
    isession_free(rig.session);
    rig.session = NULL;
    config.pool = rig.pool;
    discovery = discovery_new(&config, 0);
    discovery_connected(discovery, 0);
}

static void end(void)
{
    discovery_free(discovery);
    rig_end(&rig);
}

/* The next PDU that the discovery sends. */
static struct pdu sent(struct buf **ret_data)
{
    struct pdu pdu;
    struct buf *bytes = discovery_take(discovery, 65536, 0);

    *ret_data = NULL;
    assert_non_null(bytes);
    framer_feed(&rig.framer, bytes);
    assert_int_equal(framer_next(&rig.framer, &pdu, ret_data), FRAMER_PDU);
    return pdu;
}

static void answer(struct pdu pdu, const char *text, size_t bytes)
{
    pdu.stat_sn = rig.stat_sn++;
    pdu.exp_cmd_sn = 0;
    pdu.max_cmd_sn = 10;
    discovery_feed(discovery,
                   framer_encode(rig.pool, &pdu, bytes ? buf_copy(rig.pool, text, bytes) : NULL,
                                 (struct framer_digests){0}),
                   0);
}

static void log_in(void)
{
    struct buf *data;
    struct pdu request = sent(&data);
    struct pdu response = {.opcode = PDU_LOGIN_RESPONSE,
                           .itt = request.itt,
                           .login_response = {.transit = true, .csg = 1, .nsg = 3, .tsih = 1}};
    char keys[8192];
    size_t bytes = buf_bytes(data);
    struct text answers;

    assert_int_equal(request.opcode, PDU_LOGIN_REQUEST);
    buf_read(data, 0, keys, bytes);
    buf_free(data);
    assert_string_equal(text_find(keys, bytes, "SessionType"), "Discovery");
    assert_null(text_find(keys, bytes, "TargetName"));
    text_init(&answers, rig.pool, 8192);
    assert_int_equal(
        negotiate_receive(&rig.negotiation, NEGOTIATE_OPERATIONAL, keys, bytes, &answers),
        NEGOTIATE_GOOD);
    memcpy(response.login_response.isid, request.login_request.isid, 6);
    answer(response, text_bytes(&answers), answers.bytes);
    text_fini(&answers);
}

static void asks_hears_and_logs_out(void **state)
{
    static const char targets[] =
        "TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1\0"
        "TargetAddress=172.16.0.52,2\0TargetName=iqn.2026-01.com.example:b\0"
        "TargetAddress=[fe80::1]:3260,1";
    struct buf *data;

    (void)state;
    begin();
    log_in();
    struct pdu text = sent(&data);

    buf_free(data);
    assert_int_equal(text.opcode, PDU_TEXT_REQUEST);
    answer(
        (struct pdu){
            .opcode = PDU_TEXT_RESPONSE, .is_final = true, .itt = text.itt, .ttt = PDU_NO_TAG},
        targets, sizeof(targets));
    assert_int_equal(discovery_state(discovery), DISCOVERY_RUNNING);
    struct pdu logout = sent(&data);

    assert_int_equal(logout.opcode, PDU_LOGOUT_REQUEST);
    answer((struct pdu){.opcode = PDU_LOGOUT_RESPONSE, .is_final = true, .itt = logout.itt}, NULL,
           0);
    assert_int_equal(discovery_state(discovery), DISCOVERY_DONE);
    assert_int_equal(discovery_target_count(discovery), 2);
    assert_string_equal(discovery_target_name(discovery, 1), "iqn.2026-01.com.example:b");
    assert_null(discovery_target_name(discovery, 2));
    struct endpoint a = {IPV4(172, 16, 0, 51), 3260};
    struct endpoint b = {IPV4(172, 16, 0, 52), 3260};

    assert_true(discovery_names(discovery, "iqn.2026-01.com.example:a", a));
    assert_true(discovery_names(discovery, "iqn.2026-01.com.example:a", b));
    assert_false(discovery_names(discovery, "iqn.2026-01.com.example:b", a));
    assert_false(discovery_names(discovery, "iqn.2026-01.com.example:c", a));
    end();
}

/* The names of what a discovery finds do not depend on where its target cut the answer. */
static void an_answer_in_parts_is_read_as_one(void **state)
{
    static const char targets[] =
        "TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1\0"
        "TargetName=iqn.2026-01.com.example:b\0TargetAddress=172.16.0.52:3260,1";
    struct buf *data;

    (void)state;
    begin();
    log_in();
    struct pdu text = sent(&data);

    buf_free(data);
    for (uint32_t at = 0; at < sizeof(targets); at += 7) {
        bool is_last = at + 7 >= sizeof(targets);

        answer((struct pdu){.opcode = PDU_TEXT_RESPONSE,
                            .is_final = is_last,
                            .itt = text.itt,
                            .ttt = is_last ? PDU_NO_TAG : at,
                            .text = {.continues = !is_last}},
               targets + at, is_last ? sizeof(targets) - at : 7);
        struct pdu request = sent(&data);

        assert_int_equal(buf_bytes(data), 0);
        assert_int_equal(request.opcode, is_last ? PDU_LOGOUT_REQUEST : PDU_TEXT_REQUEST);
        if (!is_last)
            assert_int_equal(request.ttt, at);
    }
    discovery_closed(discovery, CLOSED_FIN, 0);
    assert_int_equal(discovery_state(discovery), DISCOVERY_DONE);
    assert_int_equal(discovery_target_count(discovery), 2);
    assert_true(discovery_names(discovery, "iqn.2026-01.com.example:b",
                                (struct endpoint){IPV4(172, 16, 0, 52), 3260}));
    end();
}

static void a_discovery_without_end_says_so(void **state)
{
    static const char again[] = "TargetName=iqn.2026-01.com.example:again";
    char pairs[64 * sizeof(again)];
    struct buf *data;

    (void)state;
    for (size_t at = 0; at < sizeof(pairs); at += sizeof(again))
        memcpy(pairs + at, again, sizeof(again));
    begin();
    log_in();
    struct pdu text = sent(&data);

    buf_free(data);
    for (uint32_t tag = 0; discovery_state(discovery) == DISCOVERY_RUNNING; tag++) {
        answer((struct pdu){.opcode = PDU_TEXT_RESPONSE, .itt = text.itt, .ttt = tag}, pairs,
               sizeof(pairs));
        if (discovery_state(discovery) == DISCOVERY_RUNNING) {
            sent(&data);
            buf_free(data);
        }
    }
    assert_int_equal(discovery_state(discovery), DISCOVERY_FAILED);
    assert_string_equal(discovery_problem(discovery),
                        "an answer to a Text Request of more than 1 MiB");
    end();
}

static void an_answer_is_worth_more_than_a_farewell(void **state)
{
    static const char targets[] = "TargetName=iqn.2026-01.com.example:a";
    struct buf *data;

    (void)state;
    begin();
    log_in();
    struct pdu text = sent(&data);

    buf_free(data);
    answer(
        (struct pdu){
            .opcode = PDU_TEXT_RESPONSE, .is_final = true, .itt = text.itt, .ttt = PDU_NO_TAG},
        targets, sizeof(targets));
    discovery_closed(discovery, CLOSED_RST, 0);
    assert_int_equal(discovery_state(discovery), DISCOVERY_DONE);
    assert_int_equal(discovery_target_count(discovery), 1);
    end();
}

static void silence_ends_it(void **state)
{
    (void)state;
    begin();
    assert_int_equal(discovery_deadline_ns(discovery), SECONDS(30));
    discovery_wake(discovery, SECONDS(30) - 1);
    assert_int_equal(discovery_state(discovery), DISCOVERY_RUNNING);
    discovery_wake(discovery, SECONDS(30));
    assert_int_equal(discovery_state(discovery), DISCOVERY_FAILED);
    assert_string_equal(discovery_problem(discovery), "time-out");
    assert_int_equal(discovery_target_count(discovery), 0);
    end();
}

static void a_broken_connection_ends_it(void **state)
{
    (void)state;
    begin();
    discovery_closed(discovery, CLOSED_RST, 0);
    assert_int_equal(discovery_state(discovery), DISCOVERY_FAILED);
    end();
}

int main(void)
{
    TEST(asks_hears_and_logs_out);
    TEST(an_answer_in_parts_is_read_as_one);
    TEST(a_discovery_without_end_says_so);
    TEST(an_answer_is_worth_more_than_a_farewell);
    TEST(silence_ends_it);
    TEST(a_broken_connection_ends_it);
    return TEST_RUN("initiator.discovery");
}
