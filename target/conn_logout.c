/* Logout (RFC 7143, 11.14, 11.15), and asking for it (11.9.1). */
#include "target/conn_inside.h"

static struct reply *respond(struct conn *conn, uint32_t itt, uint8_t response)
{
    struct reply *reply = conn_reply(conn, PDU_LOGOUT_RESPONSE, itt, NULL);

    reply->pdu.logout_response.response = response;
    reply->pdu.logout_response.time2wait_s = (uint16_t)conn->session->params.time2wait_s;
    reply->pdu.logout_response.time2retain_s = (uint16_t)conn->session->params.time2retain_s;
    return reply;
}

/* The response says that the tasks are gone (7.4.1): the device has given all of them back. */
void conn_logout_go_on(struct conn *conn, int64_t now_ns)
{
    respond(conn, conn->logout_itt, ISCSI_LOGOUT_CLOSED);
    conn->target->counters.logouts++;
    conn_close_when_sent(conn, CONN_LOGGED_OUT_WELL, "", now_ns);
}

static uint8_t refusal_of(const struct conn *conn, const struct pdu *pdu)
{
    switch (pdu->logout_request.reason) {
    case ISCSI_LOGOUT_CLOSE_SESSION:
        return ISCSI_LOGOUT_CLOSED;
    case ISCSI_LOGOUT_CLOSE_CONNECTION:
        return pdu->logout_request.cid == conn->cid ? ISCSI_LOGOUT_CLOSED
                                                    : ISCSI_LOGOUT_CID_NOT_FOUND;
    default: /* to reassign its tasks needs error recovery level 2 */
        return ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED;
    }
}

/* The last connection takes the session along, so that both reasons come to the same here. */
void conn_logout_request(struct conn *conn, const struct pdu *pdu, const uint8_t *header,
                         int64_t now_ns)
{
    struct session *session = conn->session;
    uint8_t refusal = refusal_of(conn, pdu);

    if (pdu->itt == PDU_NO_TAG) {
        conn_reject(conn, header, ISCSI_REJECT_INVALID_PDU_FIELD);
        return;
    }
    if (refusal != ISCSI_LOGOUT_CLOSED) {
        respond(conn, pdu->itt, refusal);
        return;
    }
    assert(session->conn_count == 1);
    conn->logout_itt = pdu->itt;
    conn->state = CONN_LOGGING_OUT;
    conn->deadline_ns = TIME_NEVER; /* the device always gives back what it has */
    target_session_end(session);
    if (!conn_must_wait(conn, session))
        conn_logout_go_on(conn, now_ns);
}

void conn_send_async(struct conn *conn, uint8_t event, uint16_t parameter1, uint16_t parameter2,
                     uint16_t parameter3)
{
    struct reply *reply = conn_reply(conn, PDU_ASYNC, PDU_NO_TAG, NULL);

    reply->pdu.async = (struct pdu_async){.event = event,
                                          .parameter1 = parameter1,
                                          .parameter2 = parameter2,
                                          .parameter3 = parameter3};
    target_mark_restless(conn->target, conn);
}
