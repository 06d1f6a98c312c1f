/* Text Requests of a session (RFC 7143, 11.10, 11.11): SendTargets, and negotiation in full feature
 * phase. One exchange at a time:
 *
 *   request --> response F=0 with a tag --> request with that tag, same ITT --> ... --> response
 * F=1
 *
 * Each response may bring another tag. With C=1 it may break off anywhere, also inside a pair; the
 * parts are joined, up to a number of rounds and of bytes that no honest target reaches.
 */
#include "initiator/isession_inside.h"

#include <assert.h>
#include <string.h>

#define TOO_MANY_PARTS "an answer to a Text Request in more than 1024 parts"
#define TOO_LONG       "an answer to a Text Request of more than 1 MiB"
static_assert(TEXT_ROUNDS_MOST == 1024 && TARGETS_MOST_BYTES == 1 << 20, "as these texts say");

static void send_request(struct isession *session, struct connection *c, uint32_t ttt, uint64_t lun)
{
    bool continues = false;
    struct buf *data = NULL;
    struct pdu pdu = {.opcode = PDU_TEXT_REQUEST, .lun = lun, .ttt = ttt};

    if (text_left(&session->outgoing) > 0)
        data =
            text_take(&session->outgoing, session->params.peer_max_recv_segment_bytes, &continues);
    pdu.is_final = !continues;
    pdu.text.continues = continues;
    /* With a shut window it goes as immediate: it must not wait for commands that may wait for it.
     */
    isession_number(session, session->text_task, !isession_window_is_open(session), &pdu);
    isession_send(session, c, &pdu, data);
}

static bool begin(struct isession *session, enum text_purpose purpose)
{
    if (session->state != ISESSION_FULL_FEATURE || session->text_task)
        return false;
    session->text_task = task_take(session, TASK_TEXT);
    if (!session->text_task)
        return false;
    session->text_purpose = purpose;
    session->rounds = 0;
    session->is_answer_whole = false;
    text_clear(&session->outgoing);
    text_clear(&session->incoming);
    return true;
}

static void end(struct isession *session)
{
    task_give(session, session->text_task);
    session->text_task = NULL;
}

/* Splits "key=value\0..." into pairs; what is no pair is left out, as the caller's bug. */
static void add_pairs(struct isession *session, const char *keys, size_t bytes)
{
    size_t at = 0;
    struct text_pair pair;

    assert(text_check(keys, bytes, &text_login_limits) == TEXT_OK);
    while (text_next(keys, bytes, &at, &pair)) {
        char key[TEXT_KEY_MOST + 1];

        memcpy(key, pair.key, pair.key_bytes);
        key[pair.key_bytes] = 0;
        text_add(&session->outgoing, key, pair.value);
    }
}

bool isession_text(struct isession *session, const char *keys, size_t bytes)
{
    if (!begin(session, TEXT_RAW))
        return false;
    add_pairs(session, keys, bytes);
    send_request(session, &session->connections[0], PDU_NO_TAG, 0);
    return true;
}

bool isession_send_targets(struct isession *session)
{
    if (!begin(session, TEXT_TARGETS))
        return false;
    text_add(&session->outgoing, "SendTargets", "All");
    send_request(session, &session->connections[0], PDU_NO_TAG, 0);
    return true;
}

static void begin_negotiation(struct isession *session)
{
    struct negotiate_role role = {
        .is_initiator = true, .is_discovery = isession_is_discovery(session), .is_leading = true};

    negotiate_init_text(&session->negotiation, role, &session->params);
}

bool isession_declare_segment(struct isession *session, uint32_t max_recv_segment_bytes)
{
    if (!begin(session, TEXT_NEGOTIATE))
        return false;
    begin_negotiation(session);
    session->negotiation.wanted.max_recv_segment_bytes = max_recv_segment_bytes;
    negotiate_offer(&session->negotiation, NEGOTIATE_TEXT, &session->outgoing);
    send_request(session, &session->connections[0], PDU_NO_TAG, 0);
    return true;
}

void text_open(struct isession *session)
{
    if (!begin(session, TEXT_NEGOTIATE)) /* one that is under way serves as well (11.9.1) */
        return;
    begin_negotiation(session);
    send_request(session, &session->connections[0], PDU_NO_TAG, 0);
}

void text_rejected(struct isession *session)
{
    end(session);
    isession_emit(session, &(struct isession_event){.kind = ISESSION_TEXT_REJECTED, .text = ""});
}

const char *isession_text_answer(const struct isession *session, size_t *ret_bytes)
{
    *ret_bytes = session->is_answer_whole ? session->incoming.bytes : 0;
    return text_bytes(&session->incoming);
}

/* What an answer to SendTargets may say (Appendix C). Other keys would be a negotiation that
 * nobody opened. */
static bool are_targets(const struct text *text)
{
    const char *bytes = text_bytes(text);
    size_t at = 0;
    struct text_pair pair;

    if (text->bytes == 0)
        return true;
    if (text_check(bytes, text->bytes, &text_targets_limits) != TEXT_OK)
        return false;
    while (text_next(bytes, text->bytes, &at, &pair)) {
        if (!text_key_is(&pair, "TargetName") && !text_key_is(&pair, "TargetAddress") &&
            !text_key_is(&pair, "TargetAlias"))
            return false;
    }
    return true;
}

/* Without C the next part begins with a key: a pair that is open here would swallow it (6.2). */
static bool ends_with_a_pair(const struct text *text)
{
    return text->bytes == 0 || text_bytes(text)[text->bytes - 1] == '\0';
}

/* The target's text of one round is whole. False: the session is over. */
static bool take_text(struct isession *session)
{
    switch (session->text_purpose) {
    case TEXT_RAW:
    case TEXT_TARGETS: /* looked at when all of it is here */
        if (ends_with_a_pair(&session->incoming))
            return true;
        isession_end(session, LOST_PROTOCOL, "a Text Response breaks off inside a pair without C");
        return false;
    case TEXT_NEGOTIATE:
        break;
    }
    text_clear(&session->outgoing);
    enum negotiate_failure failure =
        negotiate_receive(&session->negotiation, NEGOTIATE_TEXT, text_bytes(&session->incoming),
                          session->incoming.bytes, &session->outgoing);

    text_clear(&session->incoming);
    if (failure == NEGOTIATE_GOOD)
        return true;
    isession_end(session, LOST_PROTOCOL, negotiate_failure_word(failure));
    return false;
}

static void whole(struct isession *session, struct connection *c)
{
    if (session->text_purpose == TEXT_TARGETS && !are_targets(&session->incoming)) {
        isession_end(session, LOST_PROTOCOL, "the answer to SendTargets has keys that are not its");
        return;
    }
    if (session->text_purpose == TEXT_NEGOTIATE) {
        session->params = session->negotiation.agreed;
        framer_set_max_data(&c->framer, session->params.max_recv_segment_bytes);
    }
    session->is_answer_whole = true;
    end(session);
    isession_emit(session, &(struct isession_event){.kind = ISESSION_TEXT_DONE, .text = ""});
}

static const char *answer_fault(const struct isession *session, const struct pdu *pdu)
{
    if (!session->text_task || session->text_task->tag != pdu->itt)
        return "Text Response for no request";
    if (pdu->is_final && pdu->text.continues)
        return "Text Response with F and C";
    if (!pdu->is_final && pdu->ttt == PDU_NO_TAG)
        return "Text Response that goes on without a tag";
    return NULL;
}

void text_response_came(struct isession *session, struct connection *c, const struct pdu *pdu,
                        struct buf *data)
{
    const char *fault = answer_fault(session, pdu);

    if (!fault && ++session->rounds > TEXT_ROUNDS_MOST)
        fault = TOO_MANY_PARTS;
    if (!fault && !text_join(&session->incoming, data))
        fault = TOO_LONG;
    buf_free(data);
    if (fault) {
        isession_end(session, LOST_PROTOCOL, fault);
        return;
    }
    if (!isession_see_stat_sn(session, c, pdu, true))
        return;
    isession_see_window(session, pdu);
    if (!pdu->text.continues && !take_text(session))
        return;
    if (pdu->is_final) /* a tag beside F says nothing (11.11.4) */
        whole(session, c);
    else if (session->state == ISESSION_FULL_FEATURE)
        send_request(session, c, pdu->ttt, pdu->lun);
}
