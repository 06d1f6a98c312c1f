/* SET TARGET PORT GROUPS (SPC-4, 6.45): the host moves target port groups between states. */
#include "sim/core/bytes.h"
#include "target/start.h"

#define HEADER_BYTES     4u
#define DESCRIPTOR_BYTES 4u
#define MOST_LIST_BYTES  (HEADER_BYTES + DEVICE_MAX_PORTS * DESCRIPTOR_BYTES)

uint64_t set_groups_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    uint32_t bytes = get_be32(cdb + 6);

    (void)lun;
    return bytes <= MOST_LIST_BYTES ? bytes : 0;
}

/* States that a host may ask for: not "offline", not "transitioning". */
static bool may_be_set(uint8_t state)
{
    return state == ALUA_ACTIVE_OPTIMIZED || state == ALUA_ACTIVE_NON_OPTIMIZED ||
           state == ALUA_STANDBY || state == ALUA_UNAVAILABLE;
}

static bool has_group(const struct device *device, uint16_t group_id)
{
    for (size_t i = 0; i < device->group_count; i++)
        if (device->groups[i].id == group_id)
            return true;
    return false;
}

/* TASK_WAITS: every descriptor is good, so that all of them are carried out or none. */
static enum task_step check(const struct device *device, struct scsi_task *task,
                            const uint8_t *list, size_t bytes)
{
    for (size_t at = HEADER_BYTES; at < bytes; at += DESCRIPTOR_BYTES) {
        if (!may_be_set(list[at] & 0x0f))
            return task_refuse_parameter(task, (unsigned)at);
        if (!has_group(device, get_be16(list + at + 2)))
            return task_refuse_parameter(task, (unsigned)at + 2);
        for (size_t other = HEADER_BYTES; other < at; other += DESCRIPTOR_BYTES)
            if (get_be16(list + at + 2) == get_be16(list + other + 2))
                return task_refuse_parameter(task, (unsigned)at + 2);
    }
    return TASK_WAITS;
}

enum task_step start_set_groups(struct lun *lun, struct scsi_task *task)
{
    uint8_t list[MOST_LIST_BYTES];
    uint32_t bytes = get_be32(task->cdb + 6);
    struct device *device = lun->device;

    task->transfer_bytes = bytes;
    if (bytes == 0)
        return task_good(task);
    if (bytes < HEADER_BYTES || bytes > sizeof(list) || bytes % DESCRIPTOR_BYTES != 0 ||
        buf_bytes(task->data_out) < bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    buf_read(task->data_out, 0, list, bytes);
    if (check(device, task, list, bytes) == TASK_DONE)
        return TASK_DONE;
    for (size_t at = HEADER_BYTES; at < bytes; at += DESCRIPTOR_BYTES)
        device_set_group_state(device, get_be16(list + at + 2), (enum alua_state)(list[at] & 0x0f),
                               task->nexus);
    return task_good(task);
}
