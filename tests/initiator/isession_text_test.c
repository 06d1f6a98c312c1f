/* An answer to SendTargets in several Text Responses (RFC 7143, 6.2, 11.10, 11.11): F, C, tags, and
 * where the joining ends. */
#include "tests/initiator/rig.h"

static struct rig rig;

static const char two_targets[] =
    "TargetName=iqn.2026-01.com.example:a\0TargetAddress=172.16.0.51:3260,1\0"
    "TargetAddress=172.16.0.52:3260,2\0TargetName=iqn.2026-01.com.example:b\0"
    "TargetAddress=172.16.0.53:3260,1";

/* Bytes of the answer to 'request', of which more follow under 'ttt', or not (PDU_NO_TAG). */
static void send_part(const struct seen *request, const char *text, size_t bytes, bool continues,
                      uint32_t ttt)
{
    send_pdu(&rig,
             (struct pdu){.opcode = PDU_TEXT_RESPONSE,
                          .is_final = ttt == PDU_NO_TAG,
                          .itt = request->pdu.itt,
                          .ttt = ttt,
                          .text = {.continues = continues}},
             bytes > 0 ? buf_copy(rig.pool, text, bytes) : NULL, true);
}

static struct seen *begin(void)
{
    rig_begin(&rig, &(struct rig_options){.is_discovery = true});
    rig_login(&rig);
    assert_true(isession_send_targets(rig.session));
    return next(&rig, PDU_TEXT_REQUEST);
}

/* The request for the next part: nothing but the tags. */
static struct seen *asks_for_more(const struct seen *first, uint32_t ttt)
{
    struct seen *more = next(&rig, PDU_TEXT_REQUEST);

    assert_int_equal(more->pdu.itt, first->pdu.itt);
    assert_int_equal(more->pdu.ttt, ttt);
    assert_int_equal(more->pdu.data_bytes, 0);
    assert_true(more->pdu.is_final);
    assert_false(more->pdu.text.continues);
    return more;
}

static void assert_is_whole(const char *text, size_t bytes)
{
    size_t got_bytes;
    const char *got;

    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    got = isession_text_answer(rig.session, &got_bytes);
    assert_int_equal(got_bytes, bytes);
    assert_memory_equal(got, text, bytes);
}

static void an_answer_may_break_off_anywhere_with_c(void **state)
{
    (void)state;
    for (size_t at = 0; at <= sizeof(two_targets); at++) {
        struct seen *request = begin();

        send_part(request, two_targets, at, true, 0x10);
        struct seen *more = asks_for_more(request, 0x10);

        send_part(more, two_targets + at, sizeof(two_targets) - at, false, PDU_NO_TAG);
        assert_is_whole(two_targets, sizeof(two_targets));
        assert_silent(&rig);
        rig_end(&rig);
    }
}

static void each_part_may_have_a_tag_of_its_own(void **state)
{
    (void)state;
    struct seen *request = begin();

    for (uint32_t at = 0; at < sizeof(two_targets) - 1; at++) { /* a byte each */
        send_part(request, two_targets + at, 1, true, 0x100 + at);
        request = asks_for_more(request, 0x100 + at);
        assert_null(event_of(&rig, ISESSION_TEXT_DONE));
    }
    send_part(request, "", 1, false, PDU_NO_TAG); /* the last NUL */
    assert_is_whole(two_targets, sizeof(two_targets));
    rig_end(&rig);
}

static void whole_pairs_may_come_without_c(void **state)
{
    size_t first = sizeof("TargetName=iqn.2026-01.com.example:a");

    (void)state;
    struct seen *request = begin();

    send_part(request, two_targets, first, false, 0x10);
    struct seen *more = asks_for_more(request, 0x10);

    send_part(more, NULL, 0, false, 0x11); /* nothing at all, and more to come */
    more = asks_for_more(request, 0x11);
    send_part(more, two_targets + first, sizeof(two_targets) - first, false, PDU_NO_TAG);
    assert_is_whole(two_targets, sizeof(two_targets));
    rig_end(&rig);
}

/* Its value would swallow the next key: "172.16.0.51:3260,1TargetAddress=172...". */
static void a_pair_that_breaks_off_without_c_ends_the_session(void **state)
{
    size_t first = sizeof("TargetName=iqn.2026-01.com.example:a") - 1;

    (void)state;
    struct seen *request = begin();

    send_part(request, two_targets, first, false, 0x10);
    assert_silent(&rig);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_string_equal(event_of(&rig, ISESSION_ENDED)->text,
                        "a Text Response breaks off inside a pair without C");
    rig_end(&rig);
}

static void the_end_of_an_answer_is_no_pair_half_way(void **state)
{
    (void)state;
    struct seen *request = begin();

    send_part(request, two_targets, sizeof(two_targets) - 1, false, PDU_NO_TAG);
    assert_ended(&rig, LOST_PROTOCOL);
    rig_end(&rig);
}

/* ---- long ones ---- */

#define PART_BYTES 4096u

/* The rig keeps what it saw; a long exchange would fill it. */
static void forget_seen(void)
{
    for (uint32_t i = 0; i < rig.seen_count; i++)
        buf_free(rig.seen[i].data);
    rig.seen_count = 0;
    rig.seen_taken = 0;
}

/* Sends 'parts' of that many bytes of "TargetName=...", each pair 64 bytes; ends with the last one
 * if 'has_end'. Stops where the session ends; returns how many parts there were. */
static unsigned send_parts(unsigned parts, size_t bytes, bool has_end)
{
    struct seen *request = begin();
    char text[PART_BYTES];
    unsigned sent = 0;

    while (sent < parts && !event_of(&rig, ISESSION_ENDED)) {
        struct seen last = *request;
        bool is_last = has_end && sent + 1 == parts;

        for (size_t at = 0; at < bytes; at += 64) {
            memset(text + at, 'x', 63);
            text[at + 63] = '\0';
            memcpy(text + at, "TargetName=iqn.2026-01.com.example:", 35);
        }
        forget_seen();
        send_part(&last, text, bytes, false, is_last ? PDU_NO_TAG : sent);
        sent++;
        if (!is_last && !event_of(&rig, ISESSION_ENDED))
            request = asks_for_more(&last, sent - 1);
    }
    return sent;
}

static void an_answer_may_be_longer_than_64_kib(void **state)
{
    size_t bytes;

    (void)state;
    assert_int_equal(send_parts(50, PART_BYTES, true), 50);
    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    isession_text_answer(rig.session, &bytes);
    assert_int_equal(bytes, 50 * PART_BYTES);
    assert_lives(&rig);
    rig_end(&rig);
}

static void a_megabyte_is_the_most(void **state)
{
    (void)state;
    assert_int_equal(send_parts(256, PART_BYTES, true), 256);
    assert_non_null(event_of(&rig, ISESSION_TEXT_DONE));
    rig_end(&rig);
    assert_int_equal(send_parts(300, PART_BYTES, false), 257);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_string_equal(event_of(&rig, ISESSION_ENDED)->text,
                        "an answer to a Text Request of more than 1 MiB");
    rig_end(&rig);
}

static void parts_without_text_end_too(void **state)
{
    (void)state;
    assert_int_equal(send_parts(2000, 0, false), 1025);
    assert_ended(&rig, LOST_PROTOCOL);
    assert_string_equal(event_of(&rig, ISESSION_ENDED)->text,
                        "an answer to a Text Request in more than 1024 parts");
    rig_end(&rig);
}

int main(void)
{
    TEST(an_answer_may_break_off_anywhere_with_c);
    TEST(each_part_may_have_a_tag_of_its_own);
    TEST(whole_pairs_may_come_without_c);
    TEST(a_pair_that_breaks_off_without_c_ends_the_session);
    TEST(the_end_of_an_answer_is_no_pair_half_way);
    TEST(an_answer_may_be_longer_than_64_kib);
    TEST(a_megabyte_is_the_most);
    TEST(parts_without_text_end_too);
    return TEST_RUN("initiator.isession_text");
}
