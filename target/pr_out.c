/* PERSISTENT RESERVE OUT (SPC-4, 6.16 and 5.13). */
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/pr_transport_id.h"
#include "target/start.h"
#include "target/task_set.h"

#define LIST_BYTES      24u
#define IDS_AT          (LIST_BYTES + 4u) /* TransportIDs of REGISTER, behind their length */
#define MOST_IDS_BYTES  8192u             /* 33 of the longest, 113 of a usual length */
#define MOST_LIST_BYTES (IDS_AT + MOST_IDS_BYTES)

#define FLAG_APTPL     0x01u
#define FLAG_ALL_TG_PT 0x04u
#define FLAG_SPEC_I_PT 0x08u
#define FLAG_UNREG     0x02u /* REGISTER AND MOVE */

/* What the command says, and who says it. */
struct request {
    struct lun *lun;
    struct scsi_task *task;
    struct nexus *nexus;
    struct registration *own; /* NULL: the nexus is not registered */
    unsigned type;
    uint64_t key;        /* RESERVATION KEY */
    uint64_t action_key; /* SERVICE ACTION RESERVATION KEY */
    bool persists;       /* APTPL, of the registering actions */
    bool names_others;   /* SPEC_I_PT of REGISTER: more initiator ports, by TransportID */
    uint8_t list[MOST_LIST_BYTES];
    size_t list_bytes;
};

uint64_t pr_out_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    uint64_t bytes = get_be32(cdb + 5);

    (void)lun;
    return bytes <= MOST_LIST_BYTES ? bytes : 0;
}

static enum task_step conflict(struct request *request)
{
    return task_status(request->task, SCSI_RESERVATION_CONFLICT);
}

/* The state has changed: it is saved before the host hears of it. */
static enum task_step changed(struct request *request)
{
    return pr_record_save(request->lun, request->task);
}

static enum task_step changed_registrations(struct request *request)
{
    request->lun->reservations.generation++;
    return changed(request);
}

/* --- REGISTER, REGISTER AND IGNORE EXISTING KEY (5.13.7) --- */

static struct nexus *find_nexus(const struct device *device, const struct nexus_identity *identity)
{
    struct nexus *nexus = device->first_nexus;

    while (nexus && !nexus_identity_equal(&nexus->identity, identity))
        nexus = nexus->next;
    return nexus;
}

/* One that is registered already stays as it is. False: there are too many. */
static bool register_other(struct request *request, const struct nexus_identity *identity)
{
    struct lun *lun = request->lun;

    if (pr_find(lun, identity))
        return true;
    if (lun->reservations.registration_count >= PR_MOST_REGISTRATIONS)
        return false;
    pr_register(lun, identity, request->action_key, find_nexus(lun->device, identity));
    return true;
}

/* A TransportID without ISID names all ports of that initiator that are known (SPC-4, 7.6.4.6). */
static bool register_named(struct request *request, const struct nexus_identity *named)
{
    const struct nexus *each = request->lun->device->first_nexus;

    for (; each; each = each->next) {
        if (each->identity.relative_port_id == named->relative_port_id &&
            strcmp(each->identity.initiator_name, named->initiator_name) == 0 &&
            !register_other(request, &each->identity))
            return false;
    }
    return true;
}

/* The TransportID at '*at', which moves behind it, with the port that the command came through.
 * False: it is none. */
static bool next_id(const struct request *request, size_t *at, struct nexus_identity *ret_identity,
                    bool *ret_has_isid)
{
    size_t rest = request->list_bytes - *at;
    size_t bytes = transport_id_bytes(request->list + *at, rest);

    if (!transport_id_get(request->list + *at, bytes, ret_identity, ret_has_isid))
        return false;
    ret_identity->relative_port_id = request->nexus->identity.relative_port_id;
    *at += bytes;
    return true;
}

/* TASK_WAITS: they are all TransportIDs, and fill what the list says. */
static enum task_step check_others(struct request *request)
{
    struct nexus_identity identity;
    bool has_isid;

    if (request->list_bytes < IDS_AT ||
        get_be32(request->list + LIST_BYTES) != request->list_bytes - IDS_AT)
        return task_refuse(request->task, REFUSE_LIST_LENGTH);
    for (size_t at = IDS_AT; at < request->list_bytes;) {
        size_t here = at;

        if (!next_id(request, &at, &identity, &has_isid))
            return task_refuse_parameter(request->task, (uint16_t)here);
    }
    return TASK_WAITS;
}

static bool register_others(struct request *request)
{
    struct nexus_identity identity;
    bool has_isid;

    for (size_t at = IDS_AT; at < request->list_bytes;) {
        if (!next_id(request, &at, &identity, &has_isid))
            return false;
        if (!(has_isid ? register_other(request, &identity) : register_named(request, &identity)))
            return false;
    }
    return true;
}

/* All of them or none: those that came last go again. */
static void keep_registrations(struct lun *lun, uint32_t count)
{
    while (lun->reservations.registration_count > count) {
        struct registration *last = lun->reservations.registrations;

        while (last->next)
            last = last->next;
        pr_unregister(lun, last);
    }
}

static enum task_step add_registration(struct request *request)
{
    struct lun *lun = request->lun;
    uint32_t before = lun->reservations.registration_count;

    if (request->action_key == 0)
        return task_good(request->task);
    if (request->names_others && check_others(request) == TASK_DONE)
        return TASK_DONE;
    if (before >= PR_MOST_REGISTRATIONS)
        return task_refuse(request->task, REFUSE_REGISTRATIONS_FULL);
    pr_register(lun, &request->nexus->identity, request->action_key, request->nexus);
    if (request->names_others && !register_others(request)) {
        keep_registrations(lun, before);
        return task_refuse(request->task, REFUSE_REGISTRATIONS_FULL);
    }
    lun->reservations.persists = request->persists;
    return changed_registrations(request);
}

static enum task_step change_registration(struct request *request)
{
    struct lun *lun = request->lun;

    if (request->names_others) /* only for a nexus that is new (SPC-4, 5.13.7) */
        return task_refuse_parameter(request->task, 20);
    lun->reservations.persists = request->persists;
    if (request->action_key != 0)
        request->own->key = request->action_key;
    else
        pr_unregister(lun, request->own);
    return changed_registrations(request);
}

static enum task_step do_register_and_ignore(struct request *request)
{
    return request->own ? change_registration(request) : add_registration(request);
}

static enum task_step do_register(struct request *request)
{
    uint64_t expected_key = request->own ? request->own->key : 0;

    return request->key == expected_key ? do_register_and_ignore(request) : conflict(request);
}

/* --- RESERVE, RELEASE, CLEAR (5.13.9, 5.13.11) --- */

static enum task_step do_reserve(struct request *request)
{
    struct lun *lun = request->lun;
    unsigned held = lun->reservations.type;

    if (!pr_type_is_known(request->type))
        return task_refuse_field(request->task, 2, 3);
    if (held == PR_NONE) {
        pr_reserve(lun, request->type, request->own);
        return changed(request);
    }
    if (pr_is_holder(lun, request->own) && held == request->type)
        return task_good(request->task);
    return conflict(request);
}

static enum task_step do_release(struct request *request)
{
    struct lun *lun = request->lun;

    if (!pr_is_holder(lun, request->own))
        return task_good(request->task);
    if (request->type != lun->reservations.type)
        return task_refuse(request->task, REFUSE_INVALID_RELEASE);
    pr_release(lun, request->nexus);
    return changed(request);
}

static enum task_step do_clear(struct request *request)
{
    struct lun *lun = request->lun;

    pr_reserve(lun, PR_NONE, NULL); /* its end is told as RESERVATIONS PREEMPTED below */
    while (lun->reservations.registrations) {
        struct registration *each = lun->reservations.registrations;

        if (each != request->own)
            pr_attention(lun, each, ATTENTION_RESERVATIONS_PREEMPTED);
        pr_unregister(lun, each);
    }
    return changed_registrations(request);
}

/* --- PREEMPT, PREEMPT AND ABORT (5.13.11.4, 5.13.11.5) --- */

/* Which registrations a preemption removes. */
struct victims {
    bool by_key;     /* those with the SERVICE ACTION RESERVATION KEY; else all */
    bool spares_own; /* not the one that preempts */
    bool aborts;     /* and the tasks of their nexuses */
};

static bool is_victim(const struct request *request, const struct victims *victims,
                      const struct registration *registration)
{
    if (victims->spares_own && registration == request->own)
        return false;
    return !victims->by_key || registration->key == request->action_key;
}

static void remove_victim(struct request *request, const struct victims *victims,
                          struct registration *registration)
{
    struct lun *lun = request->lun;
    const struct nexus *nexus = registration->nexus;

    if (registration == request->own)
        request->own = NULL;
    else
        pr_attention(lun, registration, ATTENTION_REGISTRATIONS_PREEMPTED);
    pr_unregister(lun, registration);
    if (victims->aborts && nexus)
        task_set_abort(lun, &(struct abort_which){.nexus = nexus, .spare = request->task});
}

/* Returns how many there were. */
static uint32_t remove_victims(struct request *request, const struct victims *victims)
{
    struct registration *each = request->lun->reservations.registrations;
    uint32_t count = 0;

    while (each) {
        struct registration *next = each->next;

        if (is_victim(request, victims, each)) {
            remove_victim(request, victims, each);
            count++;
        }
        each = next;
    }
    return count;
}

/* Those who stay learn that the reservation they relied on is another one now. */
static void tell_released(const struct request *request)
{
    const struct lun *lun = request->lun;

    for (const struct registration *each = lun->reservations.registrations; each;
         each = each->next) {
        if (each != request->own)
            pr_attention(lun, each, ATTENTION_RESERVATIONS_RELEASED);
    }
}

static void take_over(struct request *request, const struct victims *victims)
{
    struct lun *lun = request->lun;
    unsigned old_type = lun->reservations.type;

    pr_reserve(lun, PR_NONE, NULL);
    remove_victims(request, victims);
    pr_reserve(lun, request->type, request->own);
    if (pr_is_for_registrants(old_type) && old_type != request->type)
        tell_released(request);
}

/* What was aborted must have ended before the host may rely on it. */
static enum task_step preempted(struct request *request, bool aborts)
{
    struct lun *lun = request->lun;
    uint64_t order = lun->device->abort_orders;

    lun->reservations.generation++;
    if (!aborts || !task_set_is_aborting(lun, order))
        return changed(request);
    request->task->waits_for = WAITS_FOR_ABORTS;
    request->task->waits_for_order = order;
    return TASK_WAITS;
}

enum task_step pr_out_continue(struct lun *lun, struct scsi_task *task)
{
    return pr_record_save(lun, task);
}

static enum task_step preempt(struct request *request, bool aborts)
{
    const struct reservations *held = &request->lun->reservations;
    bool is_shared = pr_is_all_registrants(held->type);
    struct victims victims = {.by_key = true, .aborts = aborts};

    if (held->type != PR_NONE && !pr_type_is_known(request->type))
        return task_refuse_field(request->task, 2, 3);
    if (request->action_key == 0 && !is_shared)
        return task_refuse_parameter(request->task, 8);
    bool takes_over = is_shared ? request->action_key == 0
                                : held->holder != NULL && held->holder->key == request->action_key;

    if (takes_over) {
        victims.by_key = !is_shared;
        victims.spares_own = true;
        take_over(request, &victims);
    } else if (remove_victims(request, &victims) == 0) {
        return conflict(request);
    }
    return preempted(request, aborts);
}

static enum task_step do_preempt(struct request *request)
{
    return preempt(request, false);
}

static enum task_step do_preempt_and_abort(struct request *request)
{
    return preempt(request, true);
}

/* --- REGISTER AND MOVE (5.13.8) --- */

static bool has_port(const struct device *device, uint16_t relative_port_id)
{
    for (size_t i = 0; i < device->port_count; i++) {
        if (device->ports[i].config.relative_port_id == relative_port_id)
            return true;
    }
    return false;
}

static enum task_step move_to(struct request *request, const struct nexus_identity *identity,
                              bool unregisters)
{
    struct lun *lun = request->lun;
    struct registration *to = pr_find(lun, identity);

    if (!to && lun->reservations.registration_count >= PR_MOST_REGISTRATIONS)
        return task_refuse(request->task, REFUSE_REGISTRATIONS_FULL);
    if (!to)
        to = pr_register(lun, identity, request->action_key, find_nexus(lun->device, identity));
    to->key = request->action_key;
    pr_reserve(lun, lun->reservations.type, to);
    lun->reservations.persists = request->persists;
    if (unregisters)
        pr_unregister(lun, request->own);
    return changed_registrations(request);
}

static enum task_step do_register_and_move(struct request *request)
{
    const struct lun *lun = request->lun;
    const uint8_t *list = request->list;
    size_t id_bytes = get_be32(list + 20);
    struct nexus_identity to;
    bool has_isid;

    if (lun->reservations.type == PR_NONE)
        return task_refuse_field(request->task, 1, 4);
    if (!pr_is_holder(lun, request->own) || pr_is_all_registrants(lun->reservations.type))
        return conflict(request);
    if (request->action_key == 0)
        return task_refuse_parameter(request->task, 8);
    if (!has_port(lun->device, get_be16(list + 18)))
        return task_refuse_parameter(request->task, 18);
    if (id_bytes != request->list_bytes - LIST_BYTES)
        return task_refuse(request->task, REFUSE_LIST_LENGTH);
    if (!transport_id_get(list + LIST_BYTES, id_bytes, &to, &has_isid) || !has_isid)
        return task_refuse_parameter(request->task, LIST_BYTES);
    to.relative_port_id = get_be16(list + 18);
    if (nexus_identity_equal(&to, &request->own->identity))
        return task_refuse_parameter(request->task, LIST_BYTES);
    return move_to(request, &to, list[17] & FLAG_UNREG);
}

/* --- The service actions --- */

static const struct action {
    enum task_step (*perform)(struct request *request);
    bool checks_key; /* the nexus is registered, under the RESERVATION KEY (table 211) */
    bool has_type;   /* SCOPE and TYPE mean something */
    bool has_aptpl;
    bool has_ids;  /* SPEC_I_PT: TransportIDs behind the list */
    bool has_move; /* the list of REGISTER AND MOVE, with its one TransportID */
} actions[] = {
    [SCSI_PR_REGISTER] = {do_register, .has_aptpl = true, .has_ids = true},
    [SCSI_PR_RESERVE] = {do_reserve, .checks_key = true, .has_type = true},
    [SCSI_PR_RELEASE] = {do_release, .checks_key = true, .has_type = true},
    [SCSI_PR_CLEAR] = {do_clear, .checks_key = true},
    [SCSI_PR_PREEMPT] = {do_preempt, .checks_key = true, .has_type = true},
    [SCSI_PR_PREEMPT_AND_ABORT] = {do_preempt_and_abort, .checks_key = true, .has_type = true},
    [SCSI_PR_REGISTER_AND_IGNORE] = {do_register_and_ignore, .has_aptpl = true},
    [SCSI_PR_REGISTER_AND_MOVE] = {do_register_and_move, .checks_key = true, .has_move = true},
};

/* TASK_WAITS: nothing is wrong with the flags, and with the length that goes with them. */
static enum task_step check_flags(struct request *request, const struct action *action)
{
    uint8_t flags = request->list[action->has_move ? 17 : 20];
    bool has_flags = action->has_aptpl || action->has_move;

    request->names_others = action->has_ids && flags & FLAG_SPEC_I_PT;
    if (request->list_bytes != LIST_BYTES && !action->has_move && !request->names_others)
        return task_refuse(request->task, REFUSE_LIST_LENGTH);
    if (action->has_aptpl &&
        (flags & FLAG_ALL_TG_PT || (flags & FLAG_SPEC_I_PT && !action->has_ids)))
        return task_refuse_parameter(request->task, 20);
    request->persists = has_flags && flags & FLAG_APTPL;
    if (request->persists && !request->lun->pr_record.record)
        return task_refuse_parameter(request->task, action->has_move ? 17 : 20);
    return TASK_WAITS;
}

enum task_step start_pr_out(struct lun *lun, struct scsi_task *task)
{
    const struct action *action = &actions[scsi_service_action(task->cdb)];
    uint64_t list_bytes = get_be32(task->cdb + 5);
    struct request request = {
        .lun = lun,
        .task = task,
        .nexus = task->nexus,
        .own = nexus_at(task->nexus, lun)->registration,
        .type = task->cdb[2] & 0x0f,
        .list_bytes = (size_t)list_bytes,
    };

    task->transfer_bytes = list_bytes;
    if (list_bytes < LIST_BYTES || list_bytes > MOST_LIST_BYTES ||
        (list_bytes != LIST_BYTES && !action->has_ids && !action->has_move) ||
        buf_bytes(task->data_out) < list_bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    buf_read(task->data_out, 0, request.list, (size_t)list_bytes);
    request.key = get_be64(request.list);
    request.action_key = get_be64(request.list + 8);
    if (action->has_type && task->cdb[2] >> 4 != PR_SCOPE_LU)
        return task_refuse_field(task, 2, 7);
    if (action->checks_key && (!request.own || request.own->key != request.key))
        return conflict(&request);
    if (check_flags(&request, action) == TASK_DONE)
        return TASK_DONE;
    return action->perform(&request);
}
