/* The watch over the target's PDUs: StatSN, the command window, Data-In, R2T, and one response per
 * command.
 */
#include "iscsi/pdu_watch_inside.h"

#include "sim/core/bytes.h"

static bool carries_status(const struct pdu *pdu)
{
    switch (pdu->opcode) {
    case PDU_DATA_IN:
        return pdu->data_in.has_status;
    case PDU_NOP_IN:
        return pdu->itt != PDU_NO_TAG;
    case PDU_R2T:
        return false;
    default: /* all responses, Async Message and Reject */
        return true;
    }
}

static bool is_failed_login(const struct pdu *pdu)
{
    return pdu->opcode == PDU_LOGIN_RESPONSE && pdu->login_response.status_class != 0;
}

static void see_stat_sn(struct pdu_watch *watch, const struct pdu *pdu)
{
    bool has_status = carries_status(pdu);

    if (pdu->opcode == PDU_DATA_IN && !has_status)
        return;
    if (watch->is_target_end && watch->has_stat_sn && pdu->stat_sn != watch->next_stat_sn)
        watch_broken(watch, "P2", "%s with StatSN %u where %u is next", pdu_name(pdu->opcode),
                     pdu->stat_sn, watch->next_stat_sn);
    if (has_status) {
        watch->has_stat_sn = true;
        watch->next_stat_sn = pdu->stat_sn + 1;
    }
}

static void judge_window(struct pdu_watch *watch, const struct pdu *pdu)
{
    const char *name = pdu_name(pdu->opcode);

    if (sn_before(pdu->max_cmd_sn + 1, pdu->exp_cmd_sn))
        watch_broken(watch, "P1", "%s with MaxCmdSN %u below ExpCmdSN %u - 1", name,
                     pdu->max_cmd_sn, pdu->exp_cmd_sn);
    else if (watch->has_cmd_sn && sn_before(watch->next_cmd_sn, pdu->exp_cmd_sn))
        watch_broken(watch, "P1", "%s with ExpCmdSN %u, but CmdSN %u has not come", name,
                     pdu->exp_cmd_sn, watch->next_cmd_sn);
    else if (watch->has_window && sn_before(pdu->exp_cmd_sn, watch->exp_cmd_sn))
        watch_broken(watch, "P1", "%s with ExpCmdSN %u after %u", name, pdu->exp_cmd_sn,
                     watch->exp_cmd_sn);
    else if (watch->has_window && sn_before(pdu->max_cmd_sn, watch->max_cmd_sn))
        watch_broken(watch, "P1", "%s with MaxCmdSN %u after %u", name, pdu->max_cmd_sn,
                     watch->max_cmd_sn);
}

/* What holds is the largest that was shown; a pair that contradicts itself is ignored (4.2.2.1). */
static void see_window(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (watch->is_target_end)
        judge_window(watch, pdu);
    if (sn_before(pdu->max_cmd_sn + 1, pdu->exp_cmd_sn))
        return;
    if (!watch->has_window || sn_before(watch->exp_cmd_sn, pdu->exp_cmd_sn))
        watch->exp_cmd_sn = pdu->exp_cmd_sn;
    if (!watch->has_window || sn_before(watch->max_cmd_sn, pdu->max_cmd_sn))
        watch->max_cmd_sn = pdu->max_cmd_sn;
    watch->has_window = true;
}

/* The living task that the target answers or moves data for; NULL: none, which is judged. */
static struct watched_task *find_answered(struct pdu_watch *watch, const struct pdu *pdu,
                                          enum watched_kind kind)
{
    struct watched_task *task = watch_tasks_find(&watch->tasks, pdu->itt);

    if (task && task->kind == kind)
        return task;
    if (watch->is_target_end && !watch->has_untracked && !task)
        watch_broken(watch, "P4", "%s for task 0x%08x, which was answered, aborted or never asked",
                     pdu_name(pdu->opcode), pdu->itt);
    else if (watch->is_target_end && task && !task->is_uncertain)
        watch_broken(watch, "P4", "%s for task 0x%08x, which is no task of this kind",
                     pdu_name(pdu->opcode), pdu->itt);
    return NULL;
}

static void judge_target_sn(struct pdu_watch *watch, const struct watched_task *task,
                            const struct pdu *pdu, uint32_t number)
{
    if (number != task->target_sn)
        watch_broken(watch, "P3", "%s for task 0x%08x with %s %u where %u is next",
                     pdu_name(pdu->opcode), pdu->itt, pdu->opcode == PDU_R2T ? "R2TSN" : "DataSN",
                     number, task->target_sn);
}

static bool is_bidirectional(const struct watched_task *task)
{
    return task->is_read && task->is_write;
}

/* The range inside the data that the command moves; how much a bidirectional one reads stands in
 * its AHS, which no header shows. */
static bool is_inside(const struct watched_task *task, uint32_t offset, uint32_t bytes)
{
    return bytes <= task->expected_bytes && offset <= task->expected_bytes - bytes;
}

static void judge_data_in(struct pdu_watch *watch, const struct watched_task *task,
                          const struct pdu *pdu)
{
    uint32_t offset = pdu->data_in.buffer_offset;
    bool is_in_order = watch->has_params && watch->params.data_pdu_in_order &&
                       watch->params.data_sequence_in_order;

    judge_target_sn(watch, task, pdu, pdu->data_in.data_sn);
    if (pdu->data_bytes > 0 && !task->is_read)
        watch_broken(watch, "P3", "Data-In for task 0x%08x, which does not read", pdu->itt);
    else if (!is_bidirectional(task) && pdu->data_bytes > 0 &&
             !is_inside(task, offset, pdu->data_bytes))
        watch_broken(watch, "P3", "Data-In of %u bytes at %u for task 0x%08x, which expects %u",
                     pdu->data_bytes, offset, pdu->itt, task->expected_bytes);
    else if (is_in_order && pdu->data_bytes > 0 && offset != task->in_bytes)
        watch_broken(watch, "P3", "Data-In for task 0x%08x at offset %u where %u is next", pdu->itt,
                     offset, task->in_bytes);
    else if (watch->has_params &&
             task->in_sequence_bytes + pdu->data_bytes > watch->params.max_burst_bytes)
        watch_broken(
            watch, "P3", "a sequence of %u bytes of Data-In for task 0x%08x, MaxBurst is %u",
            task->in_sequence_bytes + pdu->data_bytes, pdu->itt, watch->params.max_burst_bytes);
}

/* GOOD comes after all data: what was not moved is in the residual count (11.4.5). */
static void judge_good(struct pdu_watch *watch, const struct watched_task *task,
                       const struct pdu_residual *residual)
{
    uint32_t due = task->expected_bytes;

    if (is_bidirectional(task) || task->is_uncertain)
        return;
    if (residual->is_underflow)
        due = residual->bytes < due ? due - residual->bytes : 0;
    if (task->is_read && task->in_bytes != due)
        watch_broken(watch, "P4", "GOOD for task 0x%08x after %u bytes of Data-In instead of %u",
                     task->itt, task->in_bytes, due);
    else if (task->is_write && task->out_bytes < due)
        watch_broken(watch, "P4", "GOOD for task 0x%08x after %u bytes of Data-Out instead of %u",
                     task->itt, task->out_bytes, due);
    else if (task->is_write && task->writing && task->writing->r2t_count > 0)
        watch_broken(watch, "P4", "GOOD for task 0x%08x while %u R2Ts are open", task->itt,
                     task->writing->r2t_count);
}

static void see_data_in(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *task = find_answered(watch, pdu, WATCHED_SCSI);

    if (!task)
        return;
    if (watch->is_target_end && !task->is_uncertain)
        judge_data_in(watch, task, pdu);
    task->target_sn++;
    task->in_bytes += pdu->data_bytes;
    task->in_sequence_bytes = pdu->is_final ? 0 : task->in_sequence_bytes + pdu->data_bytes;
    if (!pdu->data_in.has_status)
        return;
    if (watch->is_target_end && pdu->data_in.status == 0)
        judge_good(watch, task, &pdu->data_in.residual);
    watch_tasks_remove(&watch->tasks, task);
}

static void judge_r2t(struct pdu_watch *watch, const struct watched_task *task,
                      const struct pdu *pdu)
{
    const struct iscsi_params *params = &watch->params;
    uint32_t offset = pdu->r2t.buffer_offset;
    uint32_t bytes = pdu->r2t.desired_bytes;
    const struct watched_writing *writing = task->writing;

    judge_target_sn(watch, task, pdu, pdu->r2t.r2t_sn);
    if (pdu->ttt == PDU_NO_TAG)
        watch_broken(watch, "P3", "R2T for task 0x%08x without a target tag", pdu->itt);
    else if (!task->is_write || bytes == 0 || !is_inside(task, offset, bytes))
        watch_broken(watch, "P3", "R2T for %u bytes at %u of task 0x%08x, which writes %u", bytes,
                     offset, pdu->itt, task->is_write ? task->expected_bytes : 0);
    else if (!watch->has_params)
        return;
    else if (bytes > params->max_burst_bytes)
        watch_broken(watch, "P3", "R2T for %u bytes of task 0x%08x, MaxBurst is %u", bytes,
                     pdu->itt, params->max_burst_bytes);
    else if (writing->r2t_count >= params->max_outstanding_r2t)
        watch_broken(watch, "P3", "R2T for task 0x%08x while %u are open, MaxOutstandingR2T is %u",
                     pdu->itt, writing->r2t_count, params->max_outstanding_r2t);
    else if (params->data_sequence_in_order && task->has_r2t && offset != writing->r2t_end)
        watch_broken(watch, "P3", "R2T at offset %u of task 0x%08x where %u is next", offset,
                     pdu->itt, writing->r2t_end);
    else if (params->data_sequence_in_order && !task->has_r2t && !task->is_unsolicited_open &&
             offset != writing->unsolicited_bytes)
        watch_broken(watch, "P3",
                     "R2T at offset %u of task 0x%08x, whose first %u bytes came unasked", offset,
                     pdu->itt, writing->unsolicited_bytes);
}

static void see_r2t(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *task = find_answered(watch, pdu, WATCHED_SCSI);

    if (!task)
        return;
    struct watched_writing *writing = watch_tasks_writing(&watch->tasks, task);

    if (watch->is_target_end && !task->is_uncertain)
        judge_r2t(watch, task, pdu);
    task->target_sn++;
    task->has_r2t = true;
    writing->r2t_end = pdu->r2t.buffer_offset + pdu->r2t.desired_bytes;
    if (writing->r2t_count > UINT16_MAX) /* MaxOutstandingR2T is 16 bits: a peer gone mad */
        return;
    watch_tasks_add_r2t(&watch->tasks, writing, pdu);
}

static void see_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *task = find_answered(watch, pdu, WATCHED_SCSI);

    if (!task)
        return;
    const struct pdu_scsi_response *response = &pdu->response;

    if (watch->is_target_end && !task->is_uncertain && response->exp_data_sn != 0 &&
        response->exp_data_sn != task->target_sn)
        watch_broken(watch, "P3", "SCSI Response for task 0x%08x with ExpDataSN %u after %u PDUs",
                     pdu->itt, response->exp_data_sn, task->target_sn);
    if (watch->is_target_end && response->response == ISCSI_RESPONSE_COMPLETED_AT_TARGET &&
        response->status == 0)
        judge_good(watch, task, &response->residual);
    watch_tasks_remove(&watch->tasks, task);
}

static void see_task_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *found = find_answered(watch, pdu, WATCHED_MANAGEMENT);
    uint8_t response = pdu->task_response.response;

    if (!found)
        return;
    const struct watched_task management = *found; /* it moves when others go */

    watch_tasks_remove(&watch->tasks, found);
    if (management.function == ISCSI_TMF_ABORT_TASK) {
        struct watched_task *task = watch_tasks_find(&watch->tasks, management.ref_task_tag);

        /* "Does not exist": its response came before this one, or never will (11.6.1). */
        if (task && task->kind == WATCHED_SCSI && task->order < management.order &&
            response <= ISCSI_TMF_TASK_DOES_NOT_EXIST)
            watch_tasks_remove(&watch->tasks, task);
    } else if (response == ISCSI_TMF_FUNCTION_COMPLETE) {
        watch_tasks_remove_covered(&watch->tasks, &management);
    }
}

static void see_text_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *task = find_answered(watch, pdu, WATCHED_TEXT);

    if (!task)
        return;
    if (watch->is_target_end && !task->is_waiting && !task->is_uncertain)
        watch_broken(watch, "P4", "a second Text Response for one request of task 0x%08x",
                     pdu->itt);
    task->is_waiting = false;
    if (pdu->is_final)
        watch_tasks_remove(&watch->tasks, task);
}

static void see_simple_response(struct pdu_watch *watch, const struct pdu *pdu,
                                enum watched_kind kind)
{
    struct watched_task *task = find_answered(watch, pdu, kind);

    if (task)
        watch_tasks_remove(&watch->tasks, task);
}

void watch_see_answer(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (is_failed_login(pdu)) /* its numbers mean nothing (11.13.5) */
        return;
    see_stat_sn(watch, pdu);
    see_window(watch, pdu);
    if (watch->is_target_end)
        watch_judge_segment(watch, pdu);

    switch (pdu->opcode) {
    case PDU_SCSI_RESPONSE:
        see_response(watch, pdu);
        break;
    case PDU_DATA_IN:
        see_data_in(watch, pdu);
        break;
    case PDU_R2T:
        see_r2t(watch, pdu);
        break;
    case PDU_TASK_RESPONSE:
        see_task_response(watch, pdu);
        break;
    case PDU_TEXT_RESPONSE:
        see_text_response(watch, pdu);
        break;
    case PDU_LOGOUT_RESPONSE:
        see_simple_response(watch, pdu, WATCHED_LOGOUT);
        break;
    case PDU_NOP_IN:
        if (pdu->itt != PDU_NO_TAG)
            see_simple_response(watch, pdu, WATCHED_NOP);
        break;
    case PDU_REJECT:
        watch->has_rejects = true;
        break;
    case PDU_ASYNC:
        if (pdu->async.event == ISCSI_ASYNC_TASKS_TERMINATED)
            watch->has_rejects = true;
        break;
    default: /* Login has rules of its own (P5) */
        break;
    }
}
