/* The living tasks of a watched connection. */
#include "iscsi/watch_tasks.h"

#include "sim/core/buf.h"

#include <assert.h>
#include <string.h>

#define FIRST_SLOTS 16u
#define LINE_BYTES  64u
#define CROWD       16u /* places that a look-up may go through before tags are mixed */

static_assert(sizeof(struct watched_task) <= LINE_BYTES, "a look-up touches one line");

/* Most initiators carry the index of a task in the low bits of its tag, or count: then a task that
 * follows another has its place, which is still in the cache. Tags that crowd are mixed. */
static uint32_t home(const struct watch_tasks *tasks, uint32_t itt)
{
    if (tasks->is_mixed)
        return (itt * 0x9e3779b1u) >> (__builtin_clz(tasks->slot_count) + 1);
    return itt & (tasks->slot_count - 1);
}

static void new_table(struct watch_tasks *tasks, uint32_t slot_count)
{
    size_t bytes = slot_count * sizeof(struct watched_task);

    tasks->table = chunk_new(tasks->pool, bytes + LINE_BYTES);
    uintptr_t at = (uintptr_t)tasks->table->data;

    tasks->slots = (void *)(tasks->table->data + (LINE_BYTES - at % LINE_BYTES) % LINE_BYTES);
    tasks->slot_count = slot_count;
    memset(tasks->slots, 0, bytes);
}

void watch_tasks_fetch(const struct watch_tasks *tasks, uint32_t itt)
{
    __builtin_prefetch(&tasks->slots[home(tasks, itt)]);
}

/* Where it stands, or would. */
static struct watched_task *place_of(const struct watch_tasks *tasks, uint32_t itt)
{
    uint32_t at = home(tasks, itt);

    while (tasks->slots[at].order != 0 && tasks->slots[at].itt != itt)
        at = (at + 1) & (tasks->slot_count - 1);
    return &tasks->slots[at];
}

/* From where a look-up of 'itt' begins to 'task'. */
static uint32_t distance_of(const struct watch_tasks *tasks, const struct watched_task *task,
                            uint32_t itt)
{
    return ((uint32_t)(task - tasks->slots) - home(tasks, itt)) & (tasks->slot_count - 1);
}

struct watched_task *watch_tasks_find(const struct watch_tasks *tasks, uint32_t itt)
{
    struct watched_task *task = place_of(tasks, itt);

    return task->order != 0 ? task : NULL;
}

/* Puts all tasks into a table of 'slot_count' anew. */
static void rehash(struct watch_tasks *tasks, uint32_t slot_count)
{
    struct watch_tasks old = *tasks;

    new_table(tasks, slot_count);
    for (uint32_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i].order != 0)
            *place_of(tasks, old.slots[i].itt) = old.slots[i];
    }
    chunk_unref(old.table);
}

void watch_tasks_init(struct watch_tasks *tasks, struct pool *pool)
{
    *tasks = (struct watch_tasks){.pool = pool};
    new_table(tasks, FIRST_SLOTS);
}

struct watched_task *watch_tasks_add(struct watch_tasks *tasks, const struct pdu *request,
                                     enum watched_kind kind, uint64_t order)
{
    assert(order > 0);
    if (tasks->living + 1 > tasks->slot_count / 2)
        rehash(tasks, tasks->slot_count * 2);
    struct watched_task *task = place_of(tasks, request->itt);

    if (!tasks->is_mixed && distance_of(tasks, task, request->itt) > CROWD) {
        tasks->is_mixed = true;
        rehash(tasks, tasks->slot_count);
        task = place_of(tasks, request->itt);
    }
    *task = (struct watched_task){
        .itt = request->itt,
        .cmd_sn = request->cmd_sn,
        .order = order,
        .lun = request->lun,
        .kind = (uint8_t)kind,
        .is_waiting = true,
    };
    tasks->living++;
    tasks->management_living += kind == WATCHED_MANAGEMENT;
    return task;
}

struct watched_writing *watch_tasks_writing(struct watch_tasks *tasks, struct watched_task *task)
{
    if (!task->writing) {
        task->writing = pool_take(tasks->pool, sizeof(*task->writing));
        task->writing->r2ts_end = &task->writing->r2ts;
    }
    return task->writing;
}

void watch_tasks_add_r2t(struct watch_tasks *tasks, struct watched_writing *writing,
                         const struct pdu *pdu)
{
    struct open_r2t *r2t = pool_take(tasks->pool, sizeof(*r2t));

    *r2t = (struct open_r2t){
        .ttt = pdu->ttt,
        .offset = pdu->r2t.buffer_offset,
        .bytes = pdu->r2t.desired_bytes,
    };
    *writing->r2ts_end = r2t;
    writing->r2ts_end = &r2t->next;
    writing->r2t_count++;
}

struct open_r2t **watch_tasks_find_r2t(struct watched_writing *writing, const struct pdu *data_out)
{
    struct open_r2t **found = NULL;

    for (struct open_r2t **link = &writing->r2ts; *link; link = &(*link)->next) {
        if ((*link)->ttt != data_out->ttt)
            continue;
        if ((*link)->offset + (*link)->done_bytes == data_out->data_out.buffer_offset)
            return link;
        if (!found)
            found = link;
    }
    return found;
}

void watch_tasks_remove_r2t(struct watch_tasks *tasks, struct watched_writing *writing,
                            struct open_r2t **link)
{
    struct open_r2t *r2t = *link;

    *link = r2t->next;
    if (writing->r2ts_end == &r2t->next)
        writing->r2ts_end = link;
    writing->r2t_count--;
    pool_give(tasks->pool, r2t, sizeof(*r2t));
}

/* All but its place. */
static void end_task(struct watch_tasks *tasks, struct watched_task *task)
{
    struct watched_writing *writing = task->writing;

    while (writing && writing->r2ts)
        watch_tasks_remove_r2t(tasks, writing, &writing->r2ts);
    pool_give(tasks->pool, writing, sizeof(*writing));
    tasks->living--;
    tasks->management_living -= task->kind == WATCHED_MANAGEMENT;
}

void watch_tasks_fini(struct watch_tasks *tasks)
{
    for (uint32_t i = 0; i < tasks->slot_count; i++) {
        if (tasks->slots[i].order != 0)
            end_task(tasks, &tasks->slots[i]);
    }
    chunk_unref(tasks->table);
}

/* The hole behind a task that goes is closed, so that probing needs no tombstones. */
void watch_tasks_remove(struct watch_tasks *tasks, struct watched_task *task)
{
    struct watched_task *all = tasks->slots;
    uint32_t mask = tasks->slot_count - 1;
    uint32_t hole = (uint32_t)(task - all);

    end_task(tasks, task);
    for (uint32_t at = (hole + 1) & mask; all[at].order != 0; at = (at + 1) & mask) {
        if (distance_of(tasks, &all[at], all[at].itt) >= ((at - hole) & mask)) {
            all[hole] = all[at];
            hole = at;
        }
    }
    all[hole].order = 0;
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
    uint32_t removed = 0;

    for (uint32_t i = 0; i < tasks->slot_count; i++) {
        struct watched_task *task = &tasks->slots[i];

        if (task->order == 0 || !is_covered_by(task, management))
            continue;
        end_task(tasks, task);
        task->order = 0;
        removed++;
    }
    if (removed > 0)
        rehash(tasks, tasks->slot_count);
}
