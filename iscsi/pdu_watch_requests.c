/* The watch over the initiator's PDUs: CmdSN, ExpStatSN, task tags, Data-Out. */
#include "iscsi/pdu_watch_inside.h"

#include "sim/core/bytes.h"

#define WINDOW_MOST 65536u /* a CmdSN farther ahead than this is noise */

/* P1 at the initiator. The login is immediate and shows the first CmdSN (4.2.2.1). */
static void judge_cmd_sn(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (pdu->cmd_sn != watch->next_cmd_sn)
        watch_broken(watch, "P1", "%s with CmdSN %u where %u is next", pdu_name(pdu->opcode),
                     pdu->cmd_sn, watch->next_cmd_sn);
    else if (!pdu->is_immediate && watch->has_window && sn_before(watch->max_cmd_sn, pdu->cmd_sn))
        watch_broken(watch, "P1", "%s with CmdSN %u beyond MaxCmdSN %u", pdu_name(pdu->opcode),
                     pdu->cmd_sn, watch->max_cmd_sn);
}

static void see_cmd_sn(struct pdu_watch *watch, const struct pdu *pdu)
{
    bool is_login = pdu->opcode == PDU_LOGIN_REQUEST;

    if (!watch->has_cmd_sn) {
        watch->has_cmd_sn = true;
        watch->next_cmd_sn = pdu->cmd_sn;
    } else if (!watch->is_target_end && !is_login) {
        judge_cmd_sn(watch, pdu);
    }
    /* The target may see gaps: requests that a digest error took away (7.8). An immediate one shows
     * that all before its number were sent. */
    uint32_t next = pdu->is_immediate || is_login ? pdu->cmd_sn : pdu->cmd_sn + 1;

    if (next - watch->next_cmd_sn < WINDOW_MOST)
        watch->next_cmd_sn = next;
}

static void see_exp_stat_sn(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (watch->is_target_end || !watch->has_stat_sn || pdu->opcode == PDU_LOGIN_REQUEST)
        return;
    if (sn_before(watch->next_stat_sn, pdu->exp_stat_sn))
        watch_broken(watch, "P2", "%s with ExpStatSN %u, but StatSN %u has not come",
                     pdu_name(pdu->opcode), pdu->exp_stat_sn, watch->next_stat_sn);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What the target's end does with a request whose tag is alive: it drops repetitions of what it
 * has (4.2.2.1), and what it does with others is its own affair. */
static bool is_repeat(const struct pdu_watch *watch, const struct watched_task *task,
                      const struct pdu *pdu)
{
    return watch->is_target_end && !pdu->is_immediate && pdu->cmd_sn == task->cmd_sn;
}

/* Below the window: the target drops it without any answer. */
static bool is_below_window(const struct pdu_watch *watch, const struct pdu *pdu)
{
    return watch->is_target_end && watch->has_window && !pdu->is_immediate &&
           sn_before(pdu->cmd_sn, watch->exp_cmd_sn);
}

static struct watched_task *add_task(struct pdu_watch *watch, const struct pdu *pdu,
                                     enum watched_kind kind)
{
    if (watch->tasks.living >= PDU_WATCH_TASKS_MOST) {
        watch->has_untracked = true;
        return NULL;
    }
    return watch_tasks_add(&watch->tasks, pdu, kind, watch->order);
}

/* A request that will be answered; NULL: it is not followed. */
static struct watched_task *see_request(struct pdu_watch *watch, const struct pdu *pdu,
                                        enum watched_kind kind)
{
    if (is_below_window(watch, pdu))
        return NULL;
    struct watched_task *task = watch_tasks_find(&watch->tasks, pdu->itt);

    if (!task)
        return add_task(watch, pdu, kind);
    if (kind == WATCHED_TEXT && task->kind == WATCHED_TEXT) { /* it goes on (11.10) */
        task->is_waiting = true;
        return task;
    }
    if (is_repeat(watch, task, pdu))
        return NULL;
    if (!watch->is_target_end && !watch->has_rejects) {
        watch_broken(watch, "P3", "%s with task tag 0x%08x, which is in use since CmdSN %u",
                     pdu_name(pdu->opcode), pdu->itt, task->cmd_sn);
        return NULL;
    }
    if (watch->is_target_end) {
        task->is_uncertain = true;
        return NULL;
    }
    watch_tasks_remove(&watch->tasks, task); /* it was rejected, and is gone */
    return add_task(watch, pdu, kind);
}

static void judge_immediate_data(struct pdu_watch *watch, const struct pdu *pdu)
{
    uint32_t bytes = pdu->data_bytes;

    if (bytes == 0)
        return;
    if (!pdu->command.is_write || bytes > pdu->command.expected_bytes)
        watch_broken(watch, "P3", "command 0x%08x with %u bytes of immediate data, it writes %u",
                     pdu->itt, bytes, pdu->command.is_write ? pdu->command.expected_bytes : 0);
    else if (watch->has_params && !watch->params.immediate_data)
        watch_broken(watch, "P3", "command 0x%08x with immediate data although ImmediateData is No",
                     pdu->itt);
    else if (watch->has_params && bytes > watch->params.first_burst_bytes)
        watch_broken(watch, "P3",
                     "command 0x%08x with %u bytes of immediate data, FirstBurst is %u", pdu->itt,
                     bytes, watch->params.first_burst_bytes);
}

static void see_command(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (!watch->is_target_end)
        judge_immediate_data(watch, pdu);
    struct watched_task *task = see_request(watch, pdu, WATCHED_SCSI);

    if (!task)
        return;
    task->is_read = pdu->command.is_read;
    task->is_write = pdu->command.is_write;
    task->expected_bytes = pdu->command.expected_bytes;
    task->is_unsolicited_open = task->is_write && !pdu->is_final;
    task->out_bytes = pdu->data_bytes;
    if (pdu->data_bytes > 0)
        watch_tasks_writing(&watch->tasks, task)->unsolicited_bytes = pdu->data_bytes;
}

static void see_task_request(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct watched_task *task = see_request(watch, pdu, WATCHED_MANAGEMENT);

    if (!task)
        return;
    task->function = pdu->task_request.function;
    task->ref_task_tag = pdu->task_request.ref_task_tag;
}

/* Data-Out. Short bursts are allowed while something may be aborted (4.2.3.3). */

static void judge_unsolicited(struct pdu_watch *watch, const struct watched_task *task,
                              const struct pdu *pdu)
{
    const struct watched_writing *writing = task->writing;
    uint32_t total = writing->unsolicited_bytes + pdu->data_bytes;
    uint32_t most = task->expected_bytes;

    if (watch->has_params)
        most = smaller(most, watch->params.first_burst_bytes);
    if (!task->is_unsolicited_open || (watch->has_params && watch->params.initial_r2t)) {
        watch_broken(watch, "P3", "unsolicited Data-Out for task 0x%08x, which may not have any",
                     pdu->itt);
    } else if (pdu->data_out.data_sn != writing->unsolicited_sn) {
        watch_broken(watch, "P3",
                     "unsolicited Data-Out for task 0x%08x with DataSN %u where %u is next",
                     pdu->itt, pdu->data_out.data_sn, writing->unsolicited_sn);
    } else if (pdu->data_out.buffer_offset != writing->unsolicited_bytes &&
               (!watch->has_params || watch->params.data_pdu_in_order)) {
        watch_broken(watch, "P3",
                     "unsolicited Data-Out for task 0x%08x at offset %u where %u is next", pdu->itt,
                     pdu->data_out.buffer_offset, writing->unsolicited_bytes);
    } else if (total > most || total < pdu->data_bytes) {
        watch_broken(watch, "P3", "%u bytes of unsolicited data for task 0x%08x, %u are allowed",
                     total, pdu->itt, most);
    } else if (pdu->is_final && total < most && watch->has_params &&
               watch->tasks.management_living == 0) {
        watch_broken(watch, "P3", "unsolicited data for task 0x%08x ends at %u bytes instead of %u",
                     pdu->itt, total, most);
    }
}

static void judge_solicited(struct pdu_watch *watch, const struct open_r2t *r2t,
                            const struct pdu *pdu)
{
    uint32_t at = pdu->data_out.buffer_offset;
    uint32_t next = r2t->offset + r2t->done_bytes;
    bool is_in_order = !watch->has_params || watch->params.data_pdu_in_order;
    bool is_inside = at >= r2t->offset && pdu->data_bytes <= r2t->bytes &&
                     at - r2t->offset <= r2t->bytes - pdu->data_bytes;

    if (pdu->data_out.data_sn != r2t->data_sn)
        watch_broken(watch, "P3", "Data-Out for task 0x%08x with DataSN %u where %u is next",
                     pdu->itt, pdu->data_out.data_sn, r2t->data_sn);
    else if (!is_inside)
        watch_broken(watch, "P3",
                     "Data-Out of %u bytes at %u for task 0x%08x, R2T asked for %u at %u",
                     pdu->data_bytes, at, pdu->itt, r2t->bytes, r2t->offset);
    else if (is_in_order && at != next)
        watch_broken(watch, "P3", "Data-Out for task 0x%08x at offset %u where %u is next",
                     pdu->itt, at, next);
    else if (pdu->is_final && r2t->done_bytes + pdu->data_bytes != r2t->bytes &&
             watch->tasks.management_living == 0)
        watch_broken(watch, "P3", "Data-Out for task 0x%08x ends at %u bytes, R2T asked for %u",
                     pdu->itt, r2t->done_bytes + pdu->data_bytes, r2t->bytes);
}

static void see_data_out(struct pdu_watch *watch, const struct pdu *pdu)
{
    bool is_judged = !watch->is_target_end;
    struct watched_task *task = watch_tasks_find(&watch->tasks, pdu->itt);

    if (!task || task->kind != WATCHED_SCSI) {
        if (is_judged && !watch->has_untracked && !watch->has_rejects)
            watch_broken(watch, "P3", "Data-Out for task 0x%08x, which is not alive", pdu->itt);
        return;
    }
    struct watched_writing *writing = watch_tasks_writing(&watch->tasks, task);

    task->out_bytes += pdu->data_bytes;
    if (pdu->ttt == PDU_NO_TAG) {
        if (is_judged)
            judge_unsolicited(watch, task, pdu);
        writing->unsolicited_bytes += pdu->data_bytes;
        writing->unsolicited_sn++;
        if (pdu->is_final)
            task->is_unsolicited_open = false;
        return;
    }
    struct open_r2t **link = watch_tasks_find_r2t(writing, pdu);

    if (!link) {
        if (is_judged)
            watch_broken(watch, "P3",
                         "Data-Out for task 0x%08x with target tag 0x%08x, which no open "
                         "R2T has",
                         pdu->itt, pdu->ttt);
        return;
    }
    if (is_judged)
        judge_solicited(watch, *link, pdu);
    (*link)->done_bytes += pdu->data_bytes;
    (*link)->data_sn++;
    if (pdu->is_final)
        watch_tasks_remove_r2t(&watch->tasks, writing, link);
}

void watch_see_request(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (pdu_traits(pdu->opcode) & PDU_HAS_CMD_SN)
        see_cmd_sn(watch, pdu);
    see_exp_stat_sn(watch, pdu);
    if (!watch->is_target_end)
        watch_judge_segment(watch, pdu);

    switch (pdu->opcode) {
    case PDU_SCSI_COMMAND:
        see_command(watch, pdu);
        break;
    case PDU_TASK_REQUEST:
        see_task_request(watch, pdu);
        break;
    case PDU_TEXT_REQUEST:
        see_request(watch, pdu, WATCHED_TEXT);
        break;
    case PDU_LOGOUT_REQUEST:
        see_request(watch, pdu, WATCHED_LOGOUT);
        break;
    case PDU_NOP_OUT:
        if (pdu->itt != PDU_NO_TAG)
            see_request(watch, pdu, WATCHED_NOP);
        break;
    case PDU_DATA_OUT:
        see_data_out(watch, pdu);
        break;
    default: /* Login has rules of its own (P5), SNACK has no place at level 0 */
        break;
    }
}
