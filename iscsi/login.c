/* The order of login. */
#include "iscsi/login.h"

#include <string.h>

static const char *const outcome_words[] = {
#define X(name, word) word,
    LOGIN_OUTCOMES(X)
#undef X
};

const char *login_outcome_word(enum login_outcome outcome)
{
    return outcome_words[outcome];
}

enum iscsi_login_status login_outcome_status(enum login_outcome outcome)
{
    if (outcome == LOGIN_OK)
        return ISCSI_LOGIN_SUCCESS;
    if (outcome == LOGIN_VERSION)
        return ISCSI_LOGIN_UNSUPPORTED_VERSION;
    if (outcome == LOGIN_OVER)
        return ISCSI_LOGIN_INVALID_DURING_LOGIN;
    return ISCSI_LOGIN_INITIATOR_ERROR; /* all else is an order that the initiator broke */
}

/* Which stage may follow which (6.3; 11.12.3): [CSG][NSG]. */
static const bool may_step[4][4] = {
    [ISCSI_SECURITY_NEGOTIATION] =
        {[ISCSI_LOGIN_OPERATIONAL_NEGOTIATION] = true, [ISCSI_FULL_FEATURE_PHASE] = true},
    [ISCSI_LOGIN_OPERATIONAL_NEGOTIATION] = {[ISCSI_FULL_FEATURE_PHASE] = true},
};

static bool is_negotiation_stage(uint8_t stage)
{
    return stage == ISCSI_SECURITY_NEGOTIATION || stage == ISCSI_LOGIN_OPERATIONAL_NEGOTIATION;
}

/* What holds for requests and responses alike. */
static enum login_outcome check_flags(bool transit, bool continues, uint8_t csg, uint8_t nsg)
{
    if (transit && continues)
        return LOGIN_C_AND_T;
    if (!is_negotiation_stage(csg))
        return LOGIN_STAGE_UNKNOWN;
    if (transit && !may_step[csg][nsg])
        return LOGIN_STEP_WRONG;
    return LOGIN_OK;
}

/* The first request fixes what stays the same through the login (11.12.5 to 11.12.9). */
static enum login_outcome check_same(const struct login_watch *watch, const struct pdu *pdu)
{
    const struct pdu_login_request *login = &pdu->login_request;

    if (login->csg != watch->stage)
        return LOGIN_STAGE_WRONG;
    if (pdu->itt != watch->itt)
        return LOGIN_ITT_CHANGED;
    if (memcmp(login->isid, watch->isid, PDU_ISID_BYTES) != 0)
        return LOGIN_ISID_CHANGED;
    if (login->tsih != watch->tsih)
        return LOGIN_TSIH_CHANGED;
    if (login->cid != watch->cid)
        return LOGIN_CID_CHANGED;
    if (pdu->cmd_sn != watch->cmd_sn)
        return LOGIN_CMD_SN_CHANGED;
    if (watch->response_continues && (login->transit || login->continues || pdu->data_bytes > 0))
        return LOGIN_REQUEST_TOO_EARLY;
    return LOGIN_OK;
}

enum login_outcome login_see_request(struct login_watch *watch, const struct pdu *pdu)
{
    const struct pdu_login_request *login = &pdu->login_request;

    if (watch->has_failed || login_is_done(watch))
        return LOGIN_OVER;
    if (watch->is_waiting)
        return LOGIN_NOT_ANSWERED;
    if (!pdu->is_immediate)
        return LOGIN_NOT_IMMEDIATE;
    if (login->version_min != 0) /* version 0 is the only one there is (11.12.4) */
        return LOGIN_VERSION;
    enum login_outcome outcome =
        check_flags(login->transit, login->continues, login->csg, login->nsg);

    if (outcome == LOGIN_OK && watch->has_begun)
        outcome = check_same(watch, pdu);
    if (outcome != LOGIN_OK)
        return outcome;
    if (!watch->has_begun) {
        watch->has_begun = true;
        watch->stage = login->csg;
        memcpy(watch->isid, login->isid, PDU_ISID_BYTES);
        watch->tsih = login->tsih;
        watch->cid = login->cid;
        watch->itt = pdu->itt;
        watch->cmd_sn = pdu->cmd_sn;
    }
    watch->is_waiting = true;
    watch->request_continues = login->continues;
    watch->asks_transit = login->transit;
    watch->asked_nsg = login->nsg;
    return LOGIN_OK;
}

static enum login_outcome check_response(const struct login_watch *watch, const struct pdu *pdu)
{
    const struct pdu_login_response *login = &pdu->login_response;
    enum login_outcome outcome =
        check_flags(login->transit, login->continues, login->csg, login->nsg);

    if (outcome != LOGIN_OK)
        return outcome;
    if (login->csg != watch->stage)
        return LOGIN_STAGE_WRONG;
    if (login->version_active != 0)
        return LOGIN_VERSION;
    if (watch->request_continues && (login->transit || login->continues || pdu->data_bytes > 0))
        return LOGIN_ANSWER_TOO_EARLY;
    if (login->transit && !watch->asks_transit)
        return LOGIN_T_UNASKED;
    if (login->transit && login->nsg != watch->asked_nsg)
        return LOGIN_NSG_UNASKED;
    if (watch->tsih != 0 && login->tsih != watch->tsih)
        return LOGIN_TSIH_CHANGED;
    if (login->transit && login->nsg == ISCSI_FULL_FEATURE_PHASE && login->tsih == 0)
        return LOGIN_TSIH_ZERO;
    return LOGIN_OK;
}

enum login_outcome login_see_response(struct login_watch *watch, const struct pdu *pdu)
{
    const struct pdu_login_response *login = &pdu->login_response;

    if (watch->has_failed || login_is_done(watch))
        return LOGIN_OVER;
    if (!watch->is_waiting)
        return LOGIN_NOT_ASKED;
    if (pdu->itt != watch->itt)
        return LOGIN_ITT_CHANGED;
    if (memcmp(login->isid, watch->isid, PDU_ISID_BYTES) != 0)
        return LOGIN_ISID_CHANGED;
    if (login->status_class != 0) { /* its other fields mean nothing (11.13.5) */
        watch->has_failed = true;
        watch->is_waiting = false;
        return LOGIN_OK;
    }
    enum login_outcome outcome = check_response(watch, pdu);

    if (outcome != LOGIN_OK)
        return outcome;
    watch->is_waiting = false;
    watch->response_continues = login->continues;
    if (login->transit)
        watch->stage = login->nsg;
    return LOGIN_OK;
}
