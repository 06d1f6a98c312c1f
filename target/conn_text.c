/* Text requests in full feature phase (RFC 7143, 6.4, 11.10, 11.11) and SendTargets (Appendix C).
 *
 *   TTT -1 ---> exchange ---(F=0: answer with a TTT, the initiator goes on)---> exchange
 *                  '--------(F=1 and all is answered: what was agreed holds)--> none
 *
 * An exchange that breaks is forgotten and leaves everything as it was (7.12). A request with TTT
 * -1 begins a new one whatever was open.
 */
#include <string.h>

#include "iscsi/name.h"
#include "target/conn_inside.h"

void conn_text_free(struct conn *conn)
{
    struct text_exchange *text = conn->text;

    if (!text)
        return;
    text_fini(&text->received);
    text_fini(&text->answers);
    pool_give(conn->target->pool, text, sizeof(*text));
    conn->text = NULL;
}

static void begin(struct conn *conn, uint32_t itt)
{
    struct text_exchange *text = pool_take(conn->target->pool, sizeof(*text));
    struct negotiate_role role = {.is_discovery = conn->session->key.is_discovery != 0};

    conn_text_free(conn);
    *text = (struct text_exchange){.itt = itt, .ttt = target_session_new_ttt(conn->session)};
    text_init(&text->received, conn->target->pool, TEXT_LOGIN_MOST);
    text_init(&text->answers, conn->target->pool, TEXT_LOGIN_MOST);
    negotiate_init_text(&text->negotiation, role, &conn->params);
    conn->text = text;
}

/* ---- SendTargets ---- */

static void add_addresses(struct conn *conn, struct text *answers)
{
    const struct target *target = conn->target;

    for (size_t i = 0; i < target->portal_count; i++) {
        struct target_address address = {
            .at = target->portals[i].at,
            .has_tag = true,
            .portal_group_tag = target->portals[i].portal_group_tag,
        };
        char value[ISCSI_ADDRESS_BYTES];

        if (address.at.address == 0)
            address.at.address = conn->local.address;
        target_address_format(&address, value);
        text_add(answers, "TargetAddress", value);
    }
}

/* False: the value names nothing that can be asked for. All is for discovery sessions, nothing
 * means the target of this session; the one that is here is both. */
static bool send_targets(struct conn *conn, const char *which, struct text *answers)
{
    const struct target *target = conn->target;
    bool is_discovery = conn->session->key.is_discovery != 0;
    bool is_all = strcmp(which, "All") == 0;
    bool is_ours = which[0] == '\0' || strcmp(which, target->name) == 0;

    if (!is_all && which[0] != '\0' && !iscsi_name_is_valid(which))
        return false;
    if ((is_all && is_discovery) || is_ours) {
        text_add(answers, "TargetName", target->name);
        add_addresses(conn, answers);
    } else if (!is_discovery) {
        text_add(answers, "SendTargets", "Reject");
    }
    return true;
}

/* ---- the exchange ---- */

/* The joined text is complete: answers to all of it. False: the exchange is broken. */
static bool take_text(struct conn *conn)
{
    struct text_exchange *text = conn->text;
    const char *bytes = text_bytes(&text->received);
    size_t size = text->received.bytes;

    text_clear(&text->answers);
    if (text_check(bytes, size, &text_login_limits) != TEXT_OK)
        return false;
    const char *targets = text_find(bytes, size, "SendTargets");

    if (conn->session->key.is_discovery && size > 0 && !targets) /* all else is refused (4.3) */
        return false;
    if (negotiate_receive(&text->negotiation, NEGOTIATE_TEXT, bytes, size, &text->answers) !=
        NEGOTIATE_GOOD)
        return false;
    if (targets && !send_targets(conn, targets, &text->answers))
        return false;
    text_clear(&text->received);
    return !text->answers.is_too_long;
}

/* The next part of the answers. The exchange ends with the last part for a request with F. */
static void answer(struct conn *conn, const struct pdu *request)
{
    struct text_exchange *text = conn->text;
    bool continues;
    struct buf *data =
        text_take(&text->answers, conn->params.peer_max_recv_segment_bytes, &continues);
    struct reply *reply = conn_reply(conn, PDU_TEXT_RESPONSE, text->itt, data);
    bool is_last = request->is_final && !continues;

    reply->pdu.is_final = is_last;
    reply->pdu.text.continues = continues;
    reply->pdu.lun = request->lun;
    reply->pdu.ttt = is_last ? PDU_NO_TAG : text->ttt;
    text->is_answering = continues;
    if (!is_last)
        return;
    conn->params.peer_max_recv_segment_bytes = text->negotiation.agreed.peer_max_recv_segment_bytes;
    conn_text_free(conn);
}

static void refuse(struct conn *conn, const uint8_t *header)
{
    conn_text_free(conn);
    conn_reject(conn, header, ISCSI_REJECT_PROTOCOL_ERROR);
}

/* Does it go on with the open exchange, in an order that makes sense? */
static bool belongs(const struct conn *conn, const struct pdu *pdu)
{
    const struct text_exchange *text = conn->text;

    if (!text || pdu->ttt != text->ttt || pdu->itt != text->itt)
        return false;
    return !text->is_answering || (pdu->data_bytes == 0 && !pdu->text.continues);
}

void conn_text_request(struct conn *conn, const struct pdu *pdu, struct buf *data,
                       const uint8_t *header)
{
    bool is_new = pdu->ttt == PDU_NO_TAG;
    bool is_bad = pdu->itt == PDU_NO_TAG || (pdu->text.continues && pdu->is_final) ||
                  (!is_new && !belongs(conn, pdu));

    if (!is_bad && is_new)
        begin(conn, pdu->itt);
    if (!is_bad && !text_join(&conn->text->received, data))
        is_bad = true;
    buf_free(data);
    if (!is_bad && !pdu->text.continues && !conn->text->is_answering)
        is_bad = !take_text(conn);
    if (is_bad)
        refuse(conn, header);
    else
        answer(conn, pdu);
}
