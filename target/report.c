/* What there is: REPORT LUNS, TARGET PORT GROUPS, SUPPORTED OPERATION CODES and TASK MANAGEMENT
 * FUNCTIONS (SPC-4, 6.33 to 6.37). */
#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "target/commands.h"
#include "target/start.h"

enum task_step start_report_luns(struct lun *lun, struct scsi_task *task)
{
    const struct device *device = task->nexus->device;
    unsigned select = task->cdb[2];
    uint8_t data[8 + 8 * DEVICE_MAX_LUNS] = {0};
    size_t bytes = 8;

    if (select > 2)
        return task_refuse_field(task, 2, 7);
    /* 01h: the well known logical units, of which there are none. */
    for (uint16_t number = 0; select != 1 && number < device->lun_limit; number++) {
        if (!device->luns[number])
            continue;
        data[bytes + 1] = (uint8_t)number; /* peripheral device addressing, bus 0 */
        bytes += 8;
    }
    put_be32(data, (uint32_t)(bytes - 8));
    if (lun)
        attention_forget(&nexus_at(task->nexus, lun)->attentions, ATTENTION_LUNS_CHANGED);
    return task_reply(task, device->pool, data, bytes, get_be32(task->cdb + 6));
}

#define GROUPS_MOST_BYTES (8 + DEVICE_MAX_PORTS * 12)
#define SUPPORTED_STATES  0xcf /* transitioning, offline, unavailable, standby, both active ones */

static size_t put_group(const struct device *device, const struct target_group *group, uint8_t *to)
{
    size_t bytes = 8;

    to[0] = (uint8_t)((group->is_preferred ? 0x80 : 0) | group->state);
    to[1] = SUPPORTED_STATES;
    put_be16(to + 2, group->id);
    to[5] = group->status_code;
    for (size_t i = 0; i < device->port_count; i++) {
        if (device->ports[i].group != group)
            continue;
        put_be16(to + bytes + 2, device->ports[i].config.relative_port_id);
        bytes += 4;
        to[7]++;
    }
    return bytes;
}

enum task_step start_report_groups(struct lun *lun, struct scsi_task *task)
{
    const struct device *device = lun->device;
    unsigned format = task->cdb[1] >> 5;
    uint8_t data[GROUPS_MOST_BYTES] = {0};
    size_t bytes = 4;

    if (format > 1)
        return task_refuse_field(task, 1, 7);
    if (format == 1) { /* extended header: no IMPLICIT TRANSITION TIME is promised */
        data[4] = 0x10;
        bytes = 8;
    }
    for (size_t i = 0; i < device->group_count; i++)
        bytes += put_group(device, &device->groups[i], data + bytes);
    put_be32(data, (uint32_t)(bytes - 4));
    return task_reply(task, device->pool, data, bytes, get_be32(task->cdb + 6));
}

#define OPCODES_MOST_BYTES  (4 + 128 * 20)
#define TIMEOUTS_BYTES      12u
#define OPTION_ALL          0u
#define OPTION_OPCODE       1u
#define OPTION_ACTION       2u
#define OPTION_EITHER       3u
#define CDB_RCTD            0x80u
#define SUPPORT_AS_STANDARD 0x03u

/* SPC-4, 6.35.4: no times are told, as RCTD asks for the descriptor all the same. */
static size_t put_timeouts(uint8_t *to)
{
    put_be16(to, TIMEOUTS_BYTES - 2);
    return TIMEOUTS_BYTES;
}

/* SPC-4, table 217. */
static size_t put_command(const struct lun *lun, const struct command *command, uint8_t opcode,
                          int action, bool has_timeouts, uint8_t *to)
{
    if (!command_is_offered(lun, command))
        return 0;
    to[0] = opcode;
    if (action >= 0)
        put_be16(to + 2, (uint16_t)action);
    to[5] = (uint8_t)((has_timeouts ? 0x02 : 0) | (action >= 0 ? 0x01 : 0)); /* CTDP, SERVACTV */
    put_be16(to + 6, command->cdb_bytes);
    return 8 + (has_timeouts ? put_timeouts(to + 8) : 0);
}

static enum task_step reply_all(struct lun *lun, struct scsi_task *task)
{
    bool has_timeouts = task->cdb[2] & CDB_RCTD;
    uint8_t *data = mem_new(OPCODES_MOST_BYTES);
    size_t bytes = 4;

    for (unsigned opcode = 0; opcode < 256; opcode++) {
        const struct command *command = command_of_opcode((uint8_t)opcode);

        if (command && !command->actions)
            bytes += put_command(lun, command, (uint8_t)opcode, -1, has_timeouts, data + bytes);
        for (int action = 0; command && action < command->action_count; action++)
            bytes += put_command(lun, &command->actions[action], (uint8_t)opcode, action,
                                 has_timeouts, data + bytes);
        assert(bytes + 20 <= OPCODES_MOST_BYTES);
    }
    put_be32(data, (uint32_t)(bytes - 4));
    task_reply(task, lun->device->pool, data, bytes, get_be32(task->cdb + 6));
    free(data);
    return TASK_DONE;
}

/* 'command' NULL: it is not supported (SPC-4, table 219). */
static enum task_step reply_one(struct lun *lun, struct scsi_task *task,
                                const struct command *command, bool is_action)
{
    uint8_t data[4 + TASK_CDB_BYTES + TIMEOUTS_BYTES] = {0};
    size_t bytes = 4;

    data[1] = 0x01; /* not supported */
    if (command && command_is_offered(lun, command)) {
        data[1] = SUPPORT_AS_STANDARD;
        put_be16(data + 2, command->cdb_bytes);
        memcpy(data + 4, command->usage, command->cdb_bytes);
        data[4] = task->cdb[3];
        if (is_action) /* the service action has one value here */
            data[5] = (uint8_t)((command->usage[1] & 0xe0) | (task->cdb[5] & 0x1f));
        bytes += command->cdb_bytes;
        if (task->cdb[2] & CDB_RCTD) {
            data[1] |= 0x80; /* CTDP */
            bytes += put_timeouts(data + bytes);
        }
    }
    return task_reply(task, lun->device->pool, data, bytes, get_be32(task->cdb + 6));
}

enum task_step start_report_opcodes(struct lun *lun, struct scsi_task *task)
{
    const struct command *command = command_of_opcode(task->cdb[3]);
    const struct command *action = NULL;
    unsigned number = get_be16(task->cdb + 4);
    bool has_actions = command && command->actions;

    if (has_actions && number < command->action_count && command->actions[number].name)
        action = &command->actions[number];
    switch (task->cdb[2] & 0x07) {
    case OPTION_ALL:
        return reply_all(lun, task);
    case OPTION_OPCODE:
        return has_actions ? task_refuse_field(task, 2, 2) : reply_one(lun, task, command, false);
    case OPTION_ACTION:
        return command && !has_actions ? task_refuse_field(task, 2, 2)
                                       : reply_one(lun, task, action, true);
    case OPTION_EITHER:
        if (has_actions)
            return reply_one(lun, task, action, true);
        return reply_one(lun, task, number == 0 ? command : NULL, false);
    default:
        return task_refuse_field(task, 2, 2);
    }
}

enum task_step start_report_tmfs(struct lun *lun, struct scsi_task *task)
{
    bool is_long = task->cdb[2] & 0x80; /* REPD */
    uint8_t data[16] = {0};

    data[0] =
        0xda; /* ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, TARGET RESET */
    if (task->nexus->has_queries) {
        data[0] |= 0x04; /* QUERY TASK */
        data[1] = 0x07;  /* QUERY ASYNCHRONOUS EVENT, QUERY TASK SET, I_T NEXUS RESET */
    }
    if (is_long)
        data[3] = sizeof(data) - 4;
    return task_reply(task, lun->device->pool, data, is_long ? sizeof(data) : 4,
                      get_be32(task->cdb + 6));
}
