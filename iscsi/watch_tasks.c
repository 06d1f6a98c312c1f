/* The living tasks of a watched connection. */
#include "iscsi/watch_tasks.h"

#include "sim/core/buf.h"

#include <string.h>

#define FIRST_SLOTS 64u

/* The tag stands in the table, so that a look-up touches no task but the one that it is for: with
 * many connections each has long left the cache. */
struct slot {
    struct watched_task *task; /* NULL: free */
    uint32_t itt;
};

static struct slot *slots(const struct watch_tasks *tasks)
{
    return (struct slot *)(void *)tasks->table->data;
}

static uint32_t home(const struct watch_tasks *tasks, uint32_t itt)
{
    return (itt * 0x9e3779b1u) >> 7 & (tasks->slot_count - 1);
}

static struct chunk *new_table(struct pool *pool, uint32_t slot_count)
{
    size_t bytes = slot_count * sizeof(struct slot);
    struct chunk *table = chunk_new(pool, bytes);

    memset(table->data, 0, bytes);
    return table;
}

static uint32_t find_slot(const struct watch_tasks *tasks, uint32_t itt)
{
    const struct slot *all = slots(tasks);
    uint32_t at = home(tasks, itt);

    while (all[at].task && all[at].itt != itt)
        at = (at + 1) & (tasks->slot_count - 1);
    return at;
}

struct watched_task *watch_tasks_find(const struct watch_tasks *tasks, uint32_t itt)
{
    return slots(tasks)[find_slot(tasks, itt)].task;
}

/* Puts all tasks into a table of 'slot_count' anew. */
static void rehash(struct watch_tasks *tasks, uint32_t slot_count)
{
    struct chunk *old = tasks->table;
    const struct slot *old_slots = slots(tasks);
    uint32_t old_count = tasks->slot_count;

    tasks->table = new_table(tasks->pool, slot_count);
    tasks->slot_count = slot_count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old_slots[i].task)
            slots(tasks)[find_slot(tasks, old_slots[i].itt)] = old_slots[i];
    }
    chunk_unref(old);
}

void watch_tasks_init(struct watch_tasks *tasks, struct pool *pool)
{
    *tasks = (struct watch_tasks){
        .pool = pool,
        .slot_count = FIRST_SLOTS,
        .table = new_table(pool, FIRST_SLOTS),
    };
}

struct watched_task *watch_tasks_add(struct watch_tasks *tasks, const struct pdu *request,
                                     enum watched_kind kind, uint64_t order)
{
    if (tasks->living + 1 > tasks->slot_count / 2)
        rehash(tasks, tasks->slot_count * 2);
    struct watched_task *task = pool_take(tasks->pool, sizeof(*task));

    *task = (struct watched_task){
        .itt = request->itt,
        .cmd_sn = request->cmd_sn,
        .order = order,
        .lun = request->lun,
        .kind = kind,
        .is_waiting = true,
        .r2ts_end = &task->r2ts,
    };
    slots(tasks)[find_slot(tasks, request->itt)] = (struct slot){.task = task, .itt = request->itt};
    tasks->living++;
    tasks->management_living += kind == WATCHED_MANAGEMENT;
    return task;
}

void watch_tasks_add_r2t(struct watch_tasks *tasks, struct watched_task *task,
                         const struct pdu *pdu)
{
    struct open_r2t *r2t = pool_take(tasks->pool, sizeof(*r2t));

    *r2t = (struct open_r2t){
        .ttt = pdu->ttt,
        .offset = pdu->r2t.buffer_offset,
        .bytes = pdu->r2t.desired_bytes,
    };
    *task->r2ts_end = r2t;
    task->r2ts_end = &r2t->next;
    task->r2t_count++;
}

struct open_r2t **watch_tasks_find_r2t(struct watched_task *task, const struct pdu *data_out)
{
    struct open_r2t **found = NULL;

    for (struct open_r2t **link = &task->r2ts; *link; link = &(*link)->next) {
        if ((*link)->ttt != data_out->ttt)
            continue;
        if ((*link)->offset + (*link)->done_bytes == data_out->data_out.buffer_offset)
            return link;
        if (!found)
            found = link;
    }
    return found;
}

void watch_tasks_remove_r2t(struct watch_tasks *tasks, struct watched_task *task,
                            struct open_r2t **link)
{
    struct open_r2t *r2t = *link;

    *link = r2t->next;
    if (task->r2ts_end == &r2t->next)
        task->r2ts_end = link;
    task->r2t_count--;
    pool_give(tasks->pool, r2t, sizeof(*r2t));
}

static void free_task(struct watch_tasks *tasks, struct watched_task *task)
{
    while (task->r2t_count > 0)
        watch_tasks_remove_r2t(tasks, task, &task->r2ts);
    tasks->living--;
    tasks->management_living -= task->kind == WATCHED_MANAGEMENT;
    pool_give(tasks->pool, task, sizeof(*task));
}

void watch_tasks_fini(struct watch_tasks *tasks)
{
    for (uint32_t i = 0; i < tasks->slot_count; i++) {
        if (slots(tasks)[i].task)
            free_task(tasks, slots(tasks)[i].task);
    }
    chunk_unref(tasks->table);
}

/* The hole behind a task that goes is closed, so that probing needs no tombstones. */
void watch_tasks_remove(struct watch_tasks *tasks, struct watched_task *task)
{
    struct slot *all = slots(tasks);
    uint32_t mask = tasks->slot_count - 1;
    uint32_t hole = find_slot(tasks, task->itt);

    for (uint32_t at = (hole + 1) & mask; all[at].task; at = (at + 1) & mask) {
        uint32_t distance = (at - home(tasks, all[at].itt)) & mask;

        if (distance >= ((at - hole) & mask)) {
            all[hole] = all[at];
            hole = at;
        }
    }
    all[hole] = (struct slot){0};
    free_task(tasks, task);
}

static bool is_covered_by(const struct watched_task *task, const struct watched_task *management)
{
    if (task->kind != WATCHED_SCSI || task->order > management->order)
        return false;
    switch (management->function) {
    case ISCSI_TMF_ABORT_TASK_SET:
    case ISCSI_TMF_CLEAR_TASK_SET:
    case ISCSI_TMF_LOGICAL_UNIT_RESET:
        return task->lun == management->lun;
    case ISCSI_TMF_TARGET_WARM_RESET:
    case ISCSI_TMF_TARGET_COLD_RESET:
    case ISCSI_TMF_I_T_NEXUS_RESET: /* of this very session (RFC 7144) */
        return true;
    default: /* a question, or of the peer's making */
        return false;
    }
}

void watch_tasks_remove_covered(struct watch_tasks *tasks, const struct watched_task *management)
{
    struct slot *all = slots(tasks);
    uint32_t removed = 0;

    for (uint32_t i = 0; i < tasks->slot_count; i++) {
        if (!all[i].task || !is_covered_by(all[i].task, management))
            continue;
        free_task(tasks, all[i].task);
        all[i] = (struct slot){0};
        removed++;
    }
    if (removed > 0)
        rehash(tasks, tasks->slot_count);
}
