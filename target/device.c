/* The SCSI target device of an array: see device.h. */
#include "target/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "target/commands.h"
#include "target/lun.h"
#include "target/planted.h"
#include "target/start.h"
#include "target/task_set.h"

#define NAA_LOCALLY_ASSIGNED (UINT64_C(3) << 60) /* SPC-4, 7.8.6.6.4 */

const char *alua_state_word(enum alua_state state)
{
    switch (state) {
#define X(name, code, word)                                                                        \
    case name:                                                                                     \
        return word;
        ALUA_STATES(X)
#undef X
    }
    return "unknown";
}

/* Copies what fits; the rest is NUL. */
static void set_text(char *to, size_t to_bytes, const char *text)
{
    snprintf(to, to_bytes, "%s", text ? text : "");
}

static struct target_group *group_of(struct device *device, uint16_t group_id)
{
    for (size_t i = 0; i < device->group_count; i++) {
        if (device->groups[i].id == group_id)
            return &device->groups[i];
    }
    return NULL;
}

static void add_port(struct device *device, const struct port_config *config)
{
    struct target_group *group = group_of(device, config->group_id);

    assert(config->relative_port_id != 0);
    if (!group) {
        group = &device->groups[device->group_count++];
        *group = (struct target_group){.id = config->group_id};
    }
    device->ports[device->port_count++] = (struct port){.config = *config, .group = group};
}

/* Results that wait, in the order in which they came about. */
static void tell_ended(struct device *device)
{
    while (device->ended_head) {
        struct scsi_task *task = device->ended_head;

        device->ended_head = task->next_ended;
        if (!device->ended_head)
            device->ended_end = &device->ended_head;
        task->next_ended = NULL;
        device_give_back(device, task);
    }
}

static bool is_aborting(const struct device *device, uint64_t abort_order)
{
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number] && task_set_is_aborting(device->luns[number], abort_order))
            return true;
    }
    return false;
}

/* The oldest task management function that is complete leaves the list; NULL: there is none. */
static struct scsi_tmf *take_complete_tmf(struct device *device)
{
    for (struct scsi_tmf **each = &device->tmfs; *each; each = &(*each)->next) {
        struct scsi_tmf *tmf = *each;

        if (device->is_down || !is_aborting(device, tmf->abort_order)) {
            *each = tmf->next;
            tmf->next = NULL;
            return tmf;
        }
    }
    return NULL;
}

static void tell(struct timer *timer)
{
    struct device *device = CONTAINER_OF(timer, struct device, tell_timer);
    struct scsi_tmf *tmf;

    tell_ended(device);
    while ((tmf = take_complete_tmf(device)) != NULL) {
        tmf->on_done(tmf);
        tell_ended(device);
    }
}

struct device *device_new(const struct device_config *config, struct clock *clock,
                          struct pool *pool)
{
    assert(config->port_count >= 1);
    assert(config->port_count <= DEVICE_MAX_PORTS);
    struct device *device = mem_new(sizeof(*device));

    *device = (struct device){
        .clock = clock,
        .pool = pool,
        .tpgs = config->tpgs,
        .planted = planted_new(config->plant, pool),
    };
    set_text(device->target_name, sizeof(device->target_name), config->target_name);
    set_text(device->vendor, sizeof(device->vendor), config->vendor);
    set_text(device->product, sizeof(device->product), config->product);
    set_text(device->revision, sizeof(device->revision), config->revision);
    for (size_t i = 0; i < config->port_count; i++)
        add_port(device, &config->ports[i]);
    device->ended_end = &device->ended_head;
    timer_init(&device->tell_timer, tell);
    return device;
}

void device_free(struct device *device)
{
    if (!device)
        return;
    assert(device->task_count == 0);
    assert(device->nexus_count == 0);
    clock_cancel(device->clock, &device->tell_timer);
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            pr_forget(device->luns[number]);
        free(device->luns[number]);
    }
    planted_free(device->planted);
    free(device);
}

static unsigned shift_of(uint32_t block_bytes)
{
    unsigned shift = 0;

    while ((UINT32_C(1) << shift) < block_bytes)
        shift++;
    return shift;
}

static uint64_t naa_of(const struct device *device, const char *disk_name)
{
    uint64_t seed = hash64(device->target_name, strlen(device->target_name), 0);

    return NAA_LOCALLY_ASSIGNED | hash64(disk_name, strlen(disk_name), seed) >> 4;
}

/* Room for the per-LU state of every nexus. */
static void grow_nexuses(struct device *device, uint16_t lun_limit)
{
    for (struct nexus *nexus = device->first_nexus; nexus; nexus = nexus->next) {
        nexus->luns = mem_resize(nexus->luns, lun_limit, sizeof(*nexus->luns));
        memset(nexus->luns + device->lun_limit, 0,
               (size_t)(lun_limit - device->lun_limit) * sizeof(*nexus->luns));
    }
    device->lun_limit = lun_limit;
}

static void tell_luns_changed(struct device *device)
{
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            lun_attention(device->luns[number], ATTENTION_LUNS_CHANGED, NULL);
    }
}

void device_add_disk(struct device *device, uint16_t lun_number, const struct disk_config *disk)
{
    uint64_t bytes = disk->bytes ? disk->bytes : disk->store->bytes;

    assert(lun_number < DEVICE_MAX_LUNS);
    assert(!device->luns[lun_number]);
    assert(disk->block_bytes == 512 || disk->block_bytes == 4096);
    assert(bytes <= disk->store->bytes);
    assert(bytes >= disk->block_bytes);
    tell_luns_changed(device);
    if (lun_number >= device->lun_limit)
        grow_nexuses(device, lun_number + 1);
    struct lun *lun = mem_new(sizeof(*lun));

    *lun = (struct lun){
        .device = device,
        .number = lun_number,
        .store = disk->store,
        .block_count = bytes / disk->block_bytes,
        .block_bytes = disk->block_bytes,
        .block_shift = shift_of(disk->block_bytes),
        .physical_block_exponent = disk->physical_block_exponent,
        .is_read_only = disk->is_read_only,
        .is_thin = disk->is_thin,
        .is_removable = disk->is_removable,
        .has_write_cache = disk->has_write_cache,
        .naa_id = disk->naa_id ? disk->naa_id : naa_of(device, disk->name),
    };
    set_text(lun->name, sizeof(lun->name), disk->name);
    if (disk->serial)
        set_text(lun->serial, sizeof(lun->serial), disk->serial);
    else
        snprintf(lun->serial, sizeof(lun->serial), "%016llx", (unsigned long long)lun->naa_id);
    device->luns[lun_number] = lun;
    sanitize_init(lun, disk->sanitize_ns);
    pr_record_init(lun, disk->reservations);
    pr_record_load(lun);
    lun_attention(lun, ATTENTION_RESET, NULL);
}

void device_grow_disk(struct device *device, uint16_t lun_number, uint64_t bytes)
{
    assert(lun_number < device->lun_limit);
    struct lun *lun = device->luns[lun_number];

    assert(lun);
    assert(bytes <= lun->store->bytes);
    assert(bytes % lun->block_bytes == 0);
    assert(bytes / lun->block_bytes >= lun->block_count);
    lun->block_count = bytes / lun->block_bytes;
    lun_attention(lun, ATTENTION_CAPACITY_CHANGED, NULL);
}

struct lun *device_find_lun(const struct device *device, uint64_t lun_field)
{
    unsigned method = (unsigned)(lun_field >> 62);
    unsigned number = (unsigned)(lun_field >> 48) & 0x3fff;

    /* 00b: peripheral device addressing, bus 0 (its 6 bits stand above the number); 01b: flat. */
    if (lun_field << 16 != 0 || method > 1 || number >= device->lun_limit)
        return NULL;
    return device->luns[number];
}

void lun_attention(struct lun *lun, enum attention attention, const struct nexus *except)
{
    for (struct nexus *nexus = lun->device->first_nexus; nexus; nexus = nexus->next) {
        if (nexus != except)
            attention_put(&nexus_at(nexus, lun)->attentions, attention);
    }
}

static const struct port *port_of(const struct device *device, uint16_t portal_group_tag)
{
    for (size_t i = 0; i < device->port_count; i++) {
        if (device->ports[i].config.portal_group_tag == portal_group_tag)
            return &device->ports[i];
    }
    return NULL;
}

static void link_nexus(struct device *device, struct nexus *nexus)
{
    nexus->previous = device->last_nexus;
    if (device->last_nexus)
        device->last_nexus->next = nexus;
    else
        device->first_nexus = nexus;
    device->last_nexus = nexus;
    device->nexus_count++;
}

static void unlink_nexus(struct device *device, struct nexus *nexus)
{
    if (nexus->previous)
        nexus->previous->next = nexus->next;
    else
        device->first_nexus = nexus->next;
    if (nexus->next)
        nexus->next->previous = nexus->previous;
    else
        device->last_nexus = nexus->previous;
    device->nexus_count--;
}

struct nexus *device_nexus_new(struct device *device, const struct nexus_config *config)
{
    const struct port *port = port_of(device, config->portal_group_tag);
    struct nexus *nexus = pool_take(device->pool, sizeof(*nexus));

    assert(port);
    *nexus = (struct nexus){
        .device = device,
        .port = port,
        .portal_index = config->portal_index,
        .has_queries = config->has_queries,
        .identity = {.relative_port_id = port->config.relative_port_id},
        .luns = mem_array(device->lun_limit + 1u, sizeof(*nexus->luns)),
    };
    set_text(nexus->identity.initiator_name, sizeof(nexus->identity.initiator_name),
             config->initiator_name);
    memcpy(nexus->identity.isid, config->isid, sizeof(nexus->identity.isid));
    link_nexus(device, nexus);
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (!device->luns[number])
            continue;
        attention_put(&nexus->luns[number].attentions, ATTENTION_RESET);
        pr_nexus_arrived(device->luns[number], nexus);
    }
    return nexus;
}

static void destroy_nexus(struct nexus *nexus)
{
    free(nexus->luns);
    pool_give(nexus->device->pool, nexus, sizeof(*nexus));
}

void device_nexus_free(struct device *device, struct nexus *nexus)
{
    if (!nexus)
        return;
    assert(!nexus->is_lost);
    nexus->is_lost = true;
    unlink_nexus(device, nexus);
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        struct lun *lun = device->luns[number];

        if (!lun)
            continue;
        unit_nexus_left(lun, nexus);
        pr_nexus_left(lun, nexus);
        task_set_abort(lun, &(struct abort_which){.nexus = nexus});
    }
    if (nexus->task_count == 0)
        destroy_nexus(nexus);
}

void device_give_back(struct device *device, struct scsi_task *task)
{
    struct nexus *nexus = task->nexus;

    task->place = TASK_OUTSIDE;
    device->task_count--;
    nexus->task_count--;
    if (nexus->is_lost) {
        task->nexus = NULL;
        if (nexus->task_count == 0)
            destroy_nexus(nexus);
    }
    task->on_done(task);
}

enum task_step device_start(struct device *device, struct scsi_task *task)
{
    struct lun *lun = device_find_lun(device, task->lun);

    assert(task->place == TASK_OUTSIDE);
    assert(!task->nexus->is_lost);
    assert(!device->is_down);
    task->at = lun;
    return lun ? task_set_start(lun, task) : command_run_without_lun(task);
}

struct scsi_task *device_find_task(struct device *device, const struct nexus *nexus,
                                   uint64_t lun_field, uint64_t tag)
{
    const struct lun *lun = device_find_lun(device, lun_field);
    struct scsi_task *task = lun ? lun->first_task : NULL;

    while (task && (task->nexus != nexus || task->tag != tag))
        task = task->next;
    if (task || !lun)
        return task;
    task = device->ended_head;
    while (task && (task->at != lun || task->nexus != nexus || task->tag != tag))
        task = task->next_ended;
    return task;
}

/* What a logical unit reset does besides aborting (SAM-5, 6.3.3). Persistent reservations stay. */
static void reset_lun(struct lun *lun)
{
    for (struct nexus *nexus = lun->device->first_nexus; nexus; nexus = nexus->next)
        unit_nexus_left(lun, nexus);
    lun->mode = lun->saved_mode;
    task_set_abort(lun, &(struct abort_which){0});
    lun_attention(lun, ATTENTION_RESET, NULL);
}

static void reset_all(struct device *device)
{
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            reset_lun(device->luns[number]);
    }
}

/* UADE DEPTH (SAM-5, 7, QUERY ASYNCHRONOUS EVENT): unit attentions that wait. */
#define UADE_ONE  0x10u
#define UADE_MORE 0x20u

/* I_T nexus loss, asked for: its tasks end, its RESERVE(6) and PREVENT ALLOW too, and it is told.
 */
static void reset_nexus(struct nexus *nexus)
{
    struct device *device = nexus->device;

    for (uint16_t number = 0; number < device->lun_limit; number++) {
        struct lun *lun = device->luns[number];

        if (!lun)
            continue;
        task_set_abort(lun, &(struct abort_which){.nexus = nexus});
        unit_nexus_left(lun, nexus);
        attention_put(&nexus->luns[number].attentions, ATTENTION_NEXUS_LOSS);
    }
}

/* The unit attention that the nexus would be told next; it still waits after that (SAM-5, 7, QUERY
 * ASYNCHRONOUS EVENT). */
static enum tmf_response query_event(const struct lun *lun, struct scsi_tmf *tmf)
{
    const struct attentions *attentions = &tmf->nexus->luns[lun->number].attentions;
    enum attention next = attention_next(attentions);

    if (next == ATTENTION_NONE)
        return TMF_FUNCTION_COMPLETE;
    tmf->additional[0] =
        (uint8_t)((attentions->count > 1 ? UADE_MORE : UADE_ONE) | SCSI_UNIT_ATTENTION);
    tmf->additional[1] = (uint8_t)(next >> 8);
    tmf->additional[2] = (uint8_t)next;
    return TMF_FUNCTION_SUCCEEDED;
}

static enum tmf_response perform(struct device *device, struct scsi_tmf *tmf)
{
    struct lun *lun = device_find_lun(device, tmf->lun);

    switch (tmf->function) {
    case TMF_ABORT_TASK:
        if (!tmf->task || tmf->task->place == TASK_OUTSIDE)
            return TMF_TASK_DOES_NOT_EXIST;
        task_set_abort(tmf->task->at, &(struct abort_which){.task = tmf->task});
        return TMF_FUNCTION_COMPLETE;
    case TMF_ABORT_TASK_SET:
        if (lun)
            task_set_abort(lun, &(struct abort_which){.nexus = tmf->nexus});
        break;
    case TMF_CLEAR_TASK_SET:
        if (lun)
            task_set_abort(lun, &(struct abort_which){.sender = tmf->nexus});
        break;
    case TMF_LOGICAL_UNIT_RESET:
        if (lun)
            reset_lun(lun);
        break;
    case TMF_TARGET_WARM_RESET:
    case TMF_TARGET_COLD_RESET:
        reset_all(device);
        return TMF_FUNCTION_COMPLETE;
    case TMF_I_T_NEXUS_RESET:
        reset_nexus(tmf->nexus);
        return TMF_FUNCTION_COMPLETE;
    case TMF_QUERY_ASYNCHRONOUS_EVENT:
        return lun ? query_event(lun, tmf) : TMF_LUN_DOES_NOT_EXIST;
    }
    return lun ? TMF_FUNCTION_COMPLETE : TMF_LUN_DOES_NOT_EXIST;
}

enum task_step device_manage(struct device *device, struct scsi_tmf *tmf)
{
    struct scsi_tmf **end = &device->tmfs;

    tmf->response = perform(device, tmf);
    if (tmf->function == TMF_QUERY_ASYNCHRONOUS_EVENT)
        return TASK_DONE;
    tmf->abort_order = device->abort_orders;
    if (tmf->response != TMF_FUNCTION_COMPLETE)
        return TASK_DONE;
    if (!device->ended_head && !is_aborting(device, tmf->abort_order))
        return TASK_DONE;
    while (*end)
        end = &(*end)->next;
    tmf->next = NULL;
    *end = tmf;
    return TASK_WAITS;
}

void device_crash(struct device *device)
{
    device->is_down = true;
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            store_crash(device->luns[number]->store);
    }
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            task_set_crash(device->luns[number]);
    }
    for (struct scsi_task *task = device->ended_head; task; task = task->next_ended)
        task->is_aborted = true;
    clock_cancel(device->clock, &device->tell_timer);
    tell(&device->tell_timer);
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        struct lun *lun = device->luns[number];

        if (!lun)
            continue;
        lun->mode = lun->saved_mode;
        lun->is_ejected = false;
        pr_record_crash(lun);
        sanitize_crash(lun);
        lun_attention(lun, ATTENTION_RESET, NULL);
    }
    planted_forget(device->planted);
    device->is_down = false;
}

bool device_set_group_state(struct device *device, uint16_t group_id, enum alua_state state,
                            const struct nexus *except)
{
    struct target_group *group = group_of(device, group_id);

    if (!group)
        return false;
    if (group->state == state)
        return true;
    group->state = state;
    group->status_code = except ? 1 : 2;
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        if (device->luns[number])
            lun_attention(device->luns[number], ATTENTION_ALUA_CHANGED, except);
    }
    return true;
}

static const struct lun *lun_numbered(const struct device *device, uint16_t lun_number)
{
    return lun_number < device->lun_limit ? device->luns[lun_number] : NULL;
}

size_t device_registration_count(const struct device *device, uint16_t lun_number)
{
    const struct lun *lun = lun_numbered(device, lun_number);

    return lun ? lun->reservations.registration_count : 0;
}

const char *device_reservation_holder(const struct device *device, uint16_t lun_number)
{
    const struct lun *lun = lun_numbered(device, lun_number);

    return lun && lun->reservations.holder ? lun->reservations.holder->identity.initiator_name : "";
}

bool device_is_sanitizing(const struct device *device)
{
    for (uint16_t number = 0; number < device->lun_limit; number++)
        if (device->luns[number] && device->luns[number]->sanitize.is_running)
            return true;
    return false;
}

size_t device_live_tasks(const struct device *device)
{
    return device->task_count;
}

size_t device_live_nexuses(const struct device *device)
{
    return device->nexus_count;
}
