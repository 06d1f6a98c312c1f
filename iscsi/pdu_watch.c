/* The watch of one connection end. Tasks live in a hash table by Initiator Task Tag: open
 * addressing over pooled entries, since a look-up per PDU must cost next to nothing and all memory
 * of a run comes from its pool.
 */
#include "iscsi/pdu_watch.h"

#include "sim/core/buf.h"
#include "sim/core/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_SLOTS 64u
#define WINDOW_MOST 65536u /* a CmdSN farther ahead than this is noise */

enum task_kind { TASK_SCSI, TASK_MANAGEMENT, TASK_TEXT, TASK_LOGOUT, TASK_NOP };

/* An R2T whose data has not all passed. */
struct open_r2t {
    struct open_r2t *next;
    uint32_t ttt;
    uint32_t offset;
    uint32_t bytes;      /* desired */
    uint32_t done_bytes; /* passed so far */
    uint32_t data_sn;    /* next */
};

struct task {
    uint32_t itt;
    uint32_t cmd_sn;
    uint64_t order; /* number of the request in this connection */
    uint64_t lun;
    enum task_kind kind;
    bool is_uncertain; /* the tag was used again while it lived: nobody knows which one is meant */
    /* Text: a request waits for its response. */
    bool is_waiting;
    /* Task management. */
    uint8_t function;
    uint32_t ref_task_tag;
    /* SCSI. */
    bool is_read;
    bool is_write;
    bool is_unsolicited_open; /* unsolicited Data-Out may come */
    uint32_t expected_bytes;
    uint32_t out_bytes;         /* all data of the initiator so far */
    uint32_t unsolicited_bytes; /* immediate data and unsolicited Data-Out */
    uint32_t unsolicited_sn;    /* next DataSN of unsolicited Data-Out */
    uint32_t in_bytes;          /* all Data-In so far */
    uint32_t in_sequence_bytes; /* since the last F */
    uint32_t target_sn;         /* next DataSN of Data-In or R2TSN: they share one count (11.7.5) */
    uint32_t r2t_end;           /* where the last R2T ended */
    bool has_r2t;
    uint32_t r2t_count; /* open ones */
    struct open_r2t *r2ts;
    struct open_r2t **r2ts_end;
};

struct pdu_watch {
    struct pool *pool;
    bool is_target_end;
    bool has_params;
    bool is_broken;     /* reported: nothing more to say */
    bool has_cmd_sn;    /* a request was seen */
    bool has_window;    /* ExpCmdSN and MaxCmdSN were seen */
    bool has_stat_sn;   /* a status was seen */
    bool has_untracked; /* the cap was reached: unknown tags mean nothing */
    bool has_rejects;   /* a task may have died without our seeing which */
    uint32_t next_cmd_sn;
    uint32_t exp_cmd_sn; /* last shown by the target */
    uint32_t max_cmd_sn;
    uint32_t next_stat_sn;
    struct iscsi_params params;
    uint64_t order;
    uint32_t living;
    uint32_t management_living; /* task management requests without response */
    uint32_t slot_count;        /* a power of two */
    struct chunk *table;        /* of struct task *, slot_count of them */
    struct pdu_break *broken;   /* where the rule that is broken now is reported */
};

/* The table. */

static struct task **slots(const struct pdu_watch *watch)
{
    return (struct task **)(void *)watch->table->data;
}

static uint32_t home(const struct pdu_watch *watch, uint32_t itt)
{
    return (itt * 0x9e3779b1u) >> 7 & (watch->slot_count - 1);
}

static struct chunk *new_table(struct pool *pool, uint32_t slot_count)
{
    size_t bytes = slot_count * sizeof(struct task *);
    struct chunk *table = chunk_new(pool, bytes);

    memset(table->data, 0, bytes);
    return table;
}

static uint32_t find_slot(const struct pdu_watch *watch, uint32_t itt)
{
    struct task **all = slots(watch);
    uint32_t at = home(watch, itt);

    while (all[at] && all[at]->itt != itt)
        at = (at + 1) & (watch->slot_count - 1);
    return at;
}

static struct task *find_task(const struct pdu_watch *watch, uint32_t itt)
{
    return slots(watch)[find_slot(watch, itt)];
}

/* Puts all tasks into a table of 'slot_count' anew. */
static void rehash(struct pdu_watch *watch, uint32_t slot_count)
{
    struct chunk *old = watch->table;
    struct task **old_slots = slots(watch);
    uint32_t old_count = watch->slot_count;

    watch->table = new_table(watch->pool, slot_count);
    watch->slot_count = slot_count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old_slots[i])
            slots(watch)[find_slot(watch, old_slots[i]->itt)] = old_slots[i];
    }
    chunk_unref(old);
}

static struct task *add_task(struct pdu_watch *watch, const struct pdu *pdu, enum task_kind kind)
{
    if (watch->living >= PDU_WATCH_TASKS_MOST) {
        watch->has_untracked = true;
        return NULL;
    }
    if (watch->living + 1 > watch->slot_count / 2)
        rehash(watch, watch->slot_count * 2);
    struct task *task = pool_take(watch->pool, sizeof(*task));

    *task = (struct task){
        .itt = pdu->itt,
        .cmd_sn = pdu->cmd_sn,
        .order = watch->order,
        .lun = pdu->lun,
        .kind = kind,
        .is_waiting = true,
        .r2ts_end = &task->r2ts,
    };
    slots(watch)[find_slot(watch, pdu->itt)] = task;
    watch->living++;
    watch->management_living += kind == TASK_MANAGEMENT;
    return task;
}

static void free_r2t(struct pdu_watch *watch, struct task *task, struct open_r2t **link)
{
    struct open_r2t *r2t = *link;

    *link = r2t->next;
    if (task->r2ts_end == &r2t->next)
        task->r2ts_end = link;
    task->r2t_count--;
    pool_give(watch->pool, r2t, sizeof(*r2t));
}

static void free_task(struct pdu_watch *watch, struct task *task)
{
    while (task->r2ts)
        free_r2t(watch, task, &task->r2ts);
    watch->living--;
    watch->management_living -= task->kind == TASK_MANAGEMENT;
    pool_give(watch->pool, task, sizeof(*task));
}

/* Takes a task out and closes the hole behind it, so that probing needs no tombstones. */
static void remove_task(struct pdu_watch *watch, struct task *task)
{
    struct task **all = slots(watch);
    uint32_t mask = watch->slot_count - 1;
    uint32_t hole = find_slot(watch, task->itt);

    for (uint32_t at = (hole + 1) & mask; all[at]; at = (at + 1) & mask) {
        uint32_t distance = (at - home(watch, all[at]->itt)) & mask;

        if (distance >= ((at - hole) & mask)) {
            all[hole] = all[at];
            hole = at;
        }
    }
    all[hole] = NULL;
    free_task(watch, task);
}

struct pdu_watch *pdu_watch_new(struct pool *pool, bool is_target_end)
{
    struct pdu_watch *watch = pool_take(pool, sizeof(*watch));

    *watch = (struct pdu_watch){
        .pool = pool,
        .is_target_end = is_target_end,
        .slot_count = FIRST_SLOTS,
        .table = new_table(pool, FIRST_SLOTS),
    };
    return watch;
}

void pdu_watch_free(struct pdu_watch *watch)
{
    if (!watch)
        return;
    for (uint32_t i = 0; i < watch->slot_count; i++) {
        if (slots(watch)[i])
            free_task(watch, slots(watch)[i]);
    }
    chunk_unref(watch->table);
    pool_give(watch->pool, watch, sizeof(*watch));
}

void pdu_watch_set_params(struct pdu_watch *watch, const struct iscsi_params *params)
{
    watch->params = *params;
    watch->has_params = true;
}

uint32_t pdu_watch_living(const struct pdu_watch *watch)
{
    return watch->living;
}

/* The first break stands, and ends the judging. */
PRINTF_LIKE(3, 4)
static void broken(struct pdu_watch *watch, const char *rule, const char *format, ...)
{
    va_list values;

    if (watch->is_broken)
        return;
    watch->is_broken = true;
    watch->broken->rule = rule;
    va_start(values, format);
    vsnprintf(watch->broken->text, sizeof(watch->broken->text), format, values);
    va_end(values);
}

/* The initiator's requests. */

/* P1 at the initiator. The login is immediate and shows the first CmdSN (4.2.2.1). */
static void judge_cmd_sn(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (pdu->cmd_sn != watch->next_cmd_sn)
        broken(watch, "P1", "%s with CmdSN %u where %u is next", pdu_name(pdu->opcode), pdu->cmd_sn,
               watch->next_cmd_sn);
    else if (!pdu->is_immediate && watch->has_window && sn_before(watch->max_cmd_sn, pdu->cmd_sn))
        broken(watch, "P1", "%s with CmdSN %u beyond MaxCmdSN %u", pdu_name(pdu->opcode),
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
        broken(watch, "P2", "%s with ExpStatSN %u, but StatSN %u has not come",
               pdu_name(pdu->opcode), pdu->exp_stat_sn, watch->next_stat_sn);
}

/* P3: a segment is no longer than the receiver declared. Judged by the sender, who knows what
 * held when it sent. */
static void judge_segment(struct pdu_watch *watch, const struct pdu *pdu)
{
    uint32_t most = watch->params.peer_max_recv_segment_bytes;

    if (watch->has_params && pdu->data_bytes > most)
        broken(watch, "P3", "%s with %u bytes of data, MaxRecvDataSegmentLength is %u",
               pdu_name(pdu->opcode), pdu->data_bytes, most);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What the target's end does with a request whose tag is alive: it drops repetitions of what it
 * has (4.2.2.1), and what it does with others is its own affair. */
static bool is_repeat(const struct pdu_watch *watch, const struct task *task, const struct pdu *pdu)
{
    return watch->is_target_end && !pdu->is_immediate && pdu->cmd_sn == task->cmd_sn;
}

/* Below the window: the target drops it without any answer. */
static bool is_below_window(const struct pdu_watch *watch, const struct pdu *pdu)
{
    return watch->is_target_end && watch->has_window && !pdu->is_immediate &&
           sn_before(pdu->cmd_sn, watch->exp_cmd_sn);
}

/* A request that will be answered; NULL: it is not followed. */
static struct task *see_request(struct pdu_watch *watch, const struct pdu *pdu, enum task_kind kind)
{
    if (is_below_window(watch, pdu))
        return NULL;
    struct task *task = find_task(watch, pdu->itt);

    if (!task)
        return add_task(watch, pdu, kind);
    if (kind == TASK_TEXT && task->kind == TASK_TEXT) { /* it goes on (11.10) */
        task->is_waiting = true;
        return task;
    }
    if (is_repeat(watch, task, pdu))
        return NULL;
    if (!watch->is_target_end && !watch->has_rejects) {
        broken(watch, "P3", "%s with task tag 0x%08x, which is in use since CmdSN %u",
               pdu_name(pdu->opcode), pdu->itt, task->cmd_sn);
        return NULL;
    }
    if (watch->is_target_end) {
        task->is_uncertain = true;
        return NULL;
    }
    remove_task(watch, task); /* it was rejected, and is gone */
    return add_task(watch, pdu, kind);
}

static void judge_immediate_data(struct pdu_watch *watch, const struct pdu *pdu)
{
    uint32_t bytes = pdu->data_bytes;

    if (bytes == 0)
        return;
    if (!pdu->command.is_write || bytes > pdu->command.expected_bytes)
        broken(watch, "P3", "command 0x%08x with %u bytes of immediate data, it writes %u",
               pdu->itt, bytes, pdu->command.is_write ? pdu->command.expected_bytes : 0);
    else if (watch->has_params && !watch->params.immediate_data)
        broken(watch, "P3", "command 0x%08x with immediate data although ImmediateData is No",
               pdu->itt);
    else if (watch->has_params && bytes > watch->params.first_burst_bytes)
        broken(watch, "P3", "command 0x%08x with %u bytes of immediate data, FirstBurst is %u",
               pdu->itt, bytes, watch->params.first_burst_bytes);
}

static void see_command(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (!watch->is_target_end)
        judge_immediate_data(watch, pdu);
    struct task *task = see_request(watch, pdu, TASK_SCSI);

    if (!task)
        return;
    task->is_read = pdu->command.is_read;
    task->is_write = pdu->command.is_write;
    task->expected_bytes = pdu->command.expected_bytes;
    task->is_unsolicited_open = task->is_write && !pdu->is_final;
    task->out_bytes = pdu->data_bytes;
    task->unsolicited_bytes = pdu->data_bytes;
}

static void see_task_request(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *task = see_request(watch, pdu, TASK_MANAGEMENT);

    if (!task)
        return;
    task->function = pdu->task_request.function;
    task->ref_task_tag = pdu->task_request.ref_task_tag;
}

/* Data-Out. Short bursts are allowed while something may be aborted (4.2.3.3). */

static void judge_unsolicited(struct pdu_watch *watch, const struct task *task,
                              const struct pdu *pdu)
{
    uint32_t total = task->unsolicited_bytes + pdu->data_bytes;
    uint32_t most = task->expected_bytes;

    if (watch->has_params)
        most = smaller(most, watch->params.first_burst_bytes);
    if (!task->is_unsolicited_open || (watch->has_params && watch->params.initial_r2t)) {
        broken(watch, "P3", "unsolicited Data-Out for task 0x%08x, which may not have any",
               pdu->itt);
    } else if (pdu->data_out.data_sn != task->unsolicited_sn) {
        broken(watch, "P3", "unsolicited Data-Out for task 0x%08x with DataSN %u where %u is next",
               pdu->itt, pdu->data_out.data_sn, task->unsolicited_sn);
    } else if (pdu->data_out.buffer_offset != task->unsolicited_bytes &&
               (!watch->has_params || watch->params.data_pdu_in_order)) {
        broken(watch, "P3", "unsolicited Data-Out for task 0x%08x at offset %u where %u is next",
               pdu->itt, pdu->data_out.buffer_offset, task->unsolicited_bytes);
    } else if (total > most || total < pdu->data_bytes) {
        broken(watch, "P3", "%u bytes of unsolicited data for task 0x%08x, %u are allowed", total,
               pdu->itt, most);
    } else if (pdu->is_final && total < most && watch->has_params &&
               watch->management_living == 0) {
        broken(watch, "P3", "unsolicited data for task 0x%08x ends at %u bytes instead of %u",
               pdu->itt, total, most);
    }
}

/* The open R2T that a Data-Out answers; equal tags are told apart by the offset. */
static struct open_r2t **find_r2t(struct task *task, const struct pdu *pdu)
{
    struct open_r2t **found = NULL;

    for (struct open_r2t **link = &task->r2ts; *link; link = &(*link)->next) {
        if ((*link)->ttt != pdu->ttt)
            continue;
        if ((*link)->offset + (*link)->done_bytes == pdu->data_out.buffer_offset)
            return link;
        if (!found)
            found = link;
    }
    return found;
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
        broken(watch, "P3", "Data-Out for task 0x%08x with DataSN %u where %u is next", pdu->itt,
               pdu->data_out.data_sn, r2t->data_sn);
    else if (!is_inside)
        broken(watch, "P3", "Data-Out of %u bytes at %u for task 0x%08x, R2T asked for %u at %u",
               pdu->data_bytes, at, pdu->itt, r2t->bytes, r2t->offset);
    else if (is_in_order && at != next)
        broken(watch, "P3", "Data-Out for task 0x%08x at offset %u where %u is next", pdu->itt, at,
               next);
    else if (pdu->is_final && r2t->done_bytes + pdu->data_bytes != r2t->bytes &&
             watch->management_living == 0)
        broken(watch, "P3", "Data-Out for task 0x%08x ends at %u bytes, R2T asked for %u", pdu->itt,
               r2t->done_bytes + pdu->data_bytes, r2t->bytes);
}

static void see_data_out(struct pdu_watch *watch, const struct pdu *pdu)
{
    bool is_judged = !watch->is_target_end;
    struct task *task = find_task(watch, pdu->itt);

    if (!task || task->kind != TASK_SCSI) {
        if (is_judged && !watch->has_untracked && !watch->has_rejects)
            broken(watch, "P3", "Data-Out for task 0x%08x, which is not alive", pdu->itt);
        return;
    }
    task->out_bytes += pdu->data_bytes;
    if (pdu->ttt == PDU_NO_TAG) {
        if (is_judged)
            judge_unsolicited(watch, task, pdu);
        task->unsolicited_bytes += pdu->data_bytes;
        task->unsolicited_sn++;
        if (pdu->is_final)
            task->is_unsolicited_open = false;
        return;
    }
    struct open_r2t **link = find_r2t(task, pdu);

    if (!link) {
        if (is_judged)
            broken(watch, "P3",
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
        free_r2t(watch, task, link);
}

static void see_request_pdu(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (pdu_traits(pdu->opcode) & PDU_HAS_CMD_SN)
        see_cmd_sn(watch, pdu);
    see_exp_stat_sn(watch, pdu);
    if (!watch->is_target_end)
        judge_segment(watch, pdu);

    switch (pdu->opcode) {
    case PDU_SCSI_COMMAND:
        see_command(watch, pdu);
        break;
    case PDU_TASK_REQUEST:
        see_task_request(watch, pdu);
        break;
    case PDU_TEXT_REQUEST:
        see_request(watch, pdu, TASK_TEXT);
        break;
    case PDU_LOGOUT_REQUEST:
        see_request(watch, pdu, TASK_LOGOUT);
        break;
    case PDU_NOP_OUT:
        if (pdu->itt != PDU_NO_TAG)
            see_request(watch, pdu, TASK_NOP);
        break;
    case PDU_DATA_OUT:
        see_data_out(watch, pdu);
        break;
    default: /* Login has rules of its own (P5), SNACK has no place at level 0 */
        break;
    }
}

/* The target's answers. */

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
        broken(watch, "P2", "%s with StatSN %u where %u is next", pdu_name(pdu->opcode),
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
        broken(watch, "P1", "%s with MaxCmdSN %u below ExpCmdSN %u - 1", name, pdu->max_cmd_sn,
               pdu->exp_cmd_sn);
    else if (watch->has_cmd_sn && sn_before(watch->next_cmd_sn, pdu->exp_cmd_sn))
        broken(watch, "P1", "%s with ExpCmdSN %u, but CmdSN %u has not come", name, pdu->exp_cmd_sn,
               watch->next_cmd_sn);
    else if (watch->has_window && sn_before(pdu->exp_cmd_sn, watch->exp_cmd_sn))
        broken(watch, "P1", "%s with ExpCmdSN %u after %u", name, pdu->exp_cmd_sn,
               watch->exp_cmd_sn);
    else if (watch->has_window && sn_before(pdu->max_cmd_sn, watch->max_cmd_sn))
        broken(watch, "P1", "%s with MaxCmdSN %u after %u", name, pdu->max_cmd_sn,
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
static struct task *find_answered(struct pdu_watch *watch, const struct pdu *pdu,
                                  enum task_kind kind)
{
    struct task *task = find_task(watch, pdu->itt);

    if (task && task->kind == kind)
        return task;
    if (watch->is_target_end && !watch->has_untracked && !task)
        broken(watch, "P4", "%s for task 0x%08x, which was answered, aborted or never asked",
               pdu_name(pdu->opcode), pdu->itt);
    else if (watch->is_target_end && task && !task->is_uncertain)
        broken(watch, "P4", "%s for task 0x%08x, which is no task of this kind",
               pdu_name(pdu->opcode), pdu->itt);
    return NULL;
}

static void judge_target_sn(struct pdu_watch *watch, const struct task *task, const struct pdu *pdu,
                            uint32_t number)
{
    if (number != task->target_sn)
        broken(watch, "P3", "%s for task 0x%08x with %s %u where %u is next", pdu_name(pdu->opcode),
               pdu->itt, pdu->opcode == PDU_R2T ? "R2TSN" : "DataSN", number, task->target_sn);
}

static bool is_bidirectional(const struct task *task)
{
    return task->is_read && task->is_write;
}

/* The range inside the data that the command moves; how much a bidirectional one reads stands in
 * its AHS, which no header shows. */
static bool is_inside(const struct task *task, uint32_t offset, uint32_t bytes)
{
    return bytes <= task->expected_bytes && offset <= task->expected_bytes - bytes;
}

static void judge_data_in(struct pdu_watch *watch, const struct task *task, const struct pdu *pdu)
{
    uint32_t offset = pdu->data_in.buffer_offset;
    bool is_in_order = watch->has_params && watch->params.data_pdu_in_order &&
                       watch->params.data_sequence_in_order;

    judge_target_sn(watch, task, pdu, pdu->data_in.data_sn);
    if (pdu->data_bytes > 0 && !task->is_read)
        broken(watch, "P3", "Data-In for task 0x%08x, which does not read", pdu->itt);
    else if (!is_bidirectional(task) && pdu->data_bytes > 0 &&
             !is_inside(task, offset, pdu->data_bytes))
        broken(watch, "P3", "Data-In of %u bytes at %u for task 0x%08x, which expects %u",
               pdu->data_bytes, offset, pdu->itt, task->expected_bytes);
    else if (is_in_order && pdu->data_bytes > 0 && offset != task->in_bytes)
        broken(watch, "P3", "Data-In for task 0x%08x at offset %u where %u is next", pdu->itt,
               offset, task->in_bytes);
    else if (watch->has_params &&
             task->in_sequence_bytes + pdu->data_bytes > watch->params.max_burst_bytes)
        broken(watch, "P3", "a sequence of %u bytes of Data-In for task 0x%08x, MaxBurst is %u",
               task->in_sequence_bytes + pdu->data_bytes, pdu->itt, watch->params.max_burst_bytes);
}

/* GOOD comes after all data: what was not moved is in the residual count (11.4.5). */
static void judge_good(struct pdu_watch *watch, const struct task *task,
                       const struct pdu_residual *residual)
{
    uint32_t due = task->expected_bytes;

    if (is_bidirectional(task) || task->is_uncertain)
        return;
    if (residual->is_underflow)
        due = residual->bytes < due ? due - residual->bytes : 0;
    if (task->is_read && task->in_bytes != due)
        broken(watch, "P4", "GOOD for task 0x%08x after %u bytes of Data-In instead of %u",
               task->itt, task->in_bytes, due);
    else if (task->is_write && task->out_bytes < due)
        broken(watch, "P4", "GOOD for task 0x%08x after %u bytes of Data-Out instead of %u",
               task->itt, task->out_bytes, due);
    else if (task->is_write && task->r2t_count > 0)
        broken(watch, "P4", "GOOD for task 0x%08x while %u R2Ts are open", task->itt,
               task->r2t_count);
}

static void see_data_in(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *task = find_answered(watch, pdu, TASK_SCSI);

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
    remove_task(watch, task);
}

static void judge_r2t(struct pdu_watch *watch, const struct task *task, const struct pdu *pdu)
{
    const struct iscsi_params *params = &watch->params;
    uint32_t offset = pdu->r2t.buffer_offset;
    uint32_t bytes = pdu->r2t.desired_bytes;

    judge_target_sn(watch, task, pdu, pdu->r2t.r2t_sn);
    if (pdu->ttt == PDU_NO_TAG)
        broken(watch, "P3", "R2T for task 0x%08x without a target tag", pdu->itt);
    else if (!task->is_write || bytes == 0 || !is_inside(task, offset, bytes))
        broken(watch, "P3", "R2T for %u bytes at %u of task 0x%08x, which writes %u", bytes, offset,
               pdu->itt, task->is_write ? task->expected_bytes : 0);
    else if (!watch->has_params)
        return;
    else if (bytes > params->max_burst_bytes)
        broken(watch, "P3", "R2T for %u bytes of task 0x%08x, MaxBurst is %u", bytes, pdu->itt,
               params->max_burst_bytes);
    else if (task->r2t_count >= params->max_outstanding_r2t)
        broken(watch, "P3", "R2T for task 0x%08x while %u are open, MaxOutstandingR2T is %u",
               pdu->itt, task->r2t_count, params->max_outstanding_r2t);
    else if (params->data_sequence_in_order && task->has_r2t && offset != task->r2t_end)
        broken(watch, "P3", "R2T at offset %u of task 0x%08x where %u is next", offset, pdu->itt,
               task->r2t_end);
    else if (params->data_sequence_in_order && !task->has_r2t && !task->is_unsolicited_open &&
             offset != task->unsolicited_bytes)
        broken(watch, "P3", "R2T at offset %u of task 0x%08x, whose first %u bytes came unasked",
               offset, pdu->itt, task->unsolicited_bytes);
}

static void see_r2t(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *task = find_answered(watch, pdu, TASK_SCSI);

    if (!task)
        return;
    if (watch->is_target_end && !task->is_uncertain)
        judge_r2t(watch, task, pdu);
    task->target_sn++;
    task->has_r2t = true;
    task->r2t_end = pdu->r2t.buffer_offset + pdu->r2t.desired_bytes;
    if (task->r2t_count > UINT16_MAX) /* MaxOutstandingR2T is 16 bits: a peer gone mad */
        return;
    struct open_r2t *r2t = pool_take(watch->pool, sizeof(*r2t));

    *r2t = (struct open_r2t){
        .ttt = pdu->ttt,
        .offset = pdu->r2t.buffer_offset,
        .bytes = pdu->r2t.desired_bytes,
    };
    *task->r2ts_end = r2t;
    task->r2ts_end = &r2t->next;
    task->r2t_count++;
}

static void see_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *task = find_answered(watch, pdu, TASK_SCSI);

    if (!task)
        return;
    const struct pdu_scsi_response *response = &pdu->response;

    if (watch->is_target_end && !task->is_uncertain && response->exp_data_sn != 0 &&
        response->exp_data_sn != task->target_sn)
        broken(watch, "P3", "SCSI Response for task 0x%08x with ExpDataSN %u after %u PDUs",
               pdu->itt, response->exp_data_sn, task->target_sn);
    if (watch->is_target_end && response->response == ISCSI_RESPONSE_COMPLETED_AT_TARGET &&
        response->status == 0)
        judge_good(watch, task, &response->residual);
    remove_task(watch, task);
}

/* Which tasks a function ends that is answered with "function complete" (4.2.3.3): those that were
 * asked for before it. */
static bool is_ended_by(const struct task *task, const struct task *management)
{
    if (task->kind != TASK_SCSI || task->order > management->order)
        return false;
    switch (management->function) {
    case ISCSI_TMF_ABORT_TASK_SET:
    case ISCSI_TMF_CLEAR_TASK_SET:
    case ISCSI_TMF_LOGICAL_UNIT_RESET:
        return task->lun == management->lun;
    case ISCSI_TMF_TARGET_WARM_RESET:
    case ISCSI_TMF_TARGET_COLD_RESET:
        return true;
    default: /* of the peer's making */
        return false;
    }
}

static void end_tasks(struct pdu_watch *watch, const struct task *management)
{
    struct task **all = slots(watch);
    uint32_t ended = 0;

    for (uint32_t i = 0; i < watch->slot_count; i++) {
        if (!all[i] || !is_ended_by(all[i], management))
            continue;
        free_task(watch, all[i]);
        all[i] = NULL;
        ended++;
    }
    if (ended > 0)
        rehash(watch, watch->slot_count);
}

static void see_task_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *management = find_answered(watch, pdu, TASK_MANAGEMENT);
    uint8_t response = pdu->task_response.response;

    if (!management)
        return;
    if (management->function == ISCSI_TMF_ABORT_TASK) {
        struct task *task = find_task(watch, management->ref_task_tag);

        /* "Does not exist": its response came before this one, or never will (11.6.1). */
        if (task && task->kind == TASK_SCSI && task->order < management->order &&
            response <= ISCSI_TMF_TASK_DOES_NOT_EXIST)
            remove_task(watch, task);
    } else if (response == ISCSI_TMF_FUNCTION_COMPLETE) {
        end_tasks(watch, management);
    }
    remove_task(watch, management);
}

static void see_text_response(struct pdu_watch *watch, const struct pdu *pdu)
{
    struct task *task = find_answered(watch, pdu, TASK_TEXT);

    if (!task)
        return;
    if (watch->is_target_end && !task->is_waiting && !task->is_uncertain)
        broken(watch, "P4", "a second Text Response for one request of task 0x%08x", pdu->itt);
    task->is_waiting = false;
    if (pdu->is_final)
        remove_task(watch, task);
}

static void see_simple_response(struct pdu_watch *watch, const struct pdu *pdu, enum task_kind kind)
{
    struct task *task = find_answered(watch, pdu, kind);

    if (task)
        remove_task(watch, task);
}

static void see_response_pdu(struct pdu_watch *watch, const struct pdu *pdu)
{
    if (is_failed_login(pdu)) /* its numbers mean nothing (11.13.5) */
        return;
    see_stat_sn(watch, pdu);
    see_window(watch, pdu);
    if (watch->is_target_end)
        judge_segment(watch, pdu);

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
        see_simple_response(watch, pdu, TASK_LOGOUT);
        break;
    case PDU_NOP_IN:
        if (pdu->itt != PDU_NO_TAG)
            see_simple_response(watch, pdu, TASK_NOP);
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

bool pdu_watch_see(struct pdu_watch *watch, const uint8_t header[PDU_HEADER_BYTES],
                   bool is_from_target, struct pdu_break *ret_break)
{
    struct pdu pdu;

    if (watch->is_broken || pdu_decode(header, &pdu) == PDU_BAD_OPCODE ||
        pdu_is_from_target(pdu.opcode) != is_from_target)
        return false;
    watch->order++;
    watch->broken = ret_break;
    if (is_from_target)
        see_response_pdu(watch, &pdu);
    else
        see_request_pdu(watch, &pdu);
    return watch->is_broken;
}
