/* The commands that the device server knows: see commands.h.
 *
 * The usage masks serve two masters: REPORT SUPPORTED OPERATION CODES tells them to the host, and
 * a CDB with any other bit set is refused. A bit that may be set and has no effect (DPO, GROUP
 * NUMBER) is in the mask.
 */
#include "target/commands.h"

#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/start.h"

/* Nothing is said of the bytes behind a CDB: what a transport pads with is its business. */
#define PAD4 0xff, 0xff, 0xff, 0xff
#define USAGE6(...)                                                                                \
    {                                                                                              \
        __VA_ARGS__, PAD4, PAD4, 0xff, 0xff                                                        \
    }
#define USAGE10(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__, PAD4, 0xff, 0xff                                                              \
    }
#define USAGE12(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__, PAD4                                                                          \
    }
#define USAGE16(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define LBA32  0xff, 0xff, 0xff, 0xff
#define LBA64  LBA32, LBA32
#define ALWAYS (DESPITE_ATTENTION | DESPITE_RESERVE | IN_STANDBY | IN_UNAVAILABLE)

static const struct command pr_in_actions[] = {
    {"PERSISTENT RESERVE IN (READ KEYS)", 10, ACCESS_ANY, IN_STANDBY, start_pr_read_keys,
     .usage = USAGE10(0x5e, 0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
    {"PERSISTENT RESERVE IN (READ RESERVATION)", 10, ACCESS_ANY, IN_STANDBY,
     start_pr_read_reservation, .usage = USAGE10(0x5e, 0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
    {"PERSISTENT RESERVE IN (REPORT CAPABILITIES)", 10, ACCESS_ANY, IN_STANDBY,
     start_pr_report_capabilities, .usage = USAGE10(0x5e, 0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
    {"PERSISTENT RESERVE IN (READ FULL STATUS)", 10, ACCESS_ANY, IN_STANDBY,
     start_pr_read_full_status, .usage = USAGE10(0x5e, 0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
};

#define PR_OUT_ACTION(action_name, type_mask)                                                      \
    {                                                                                              \
        "PERSISTENT RESERVE OUT (" action_name ")", 10, ACCESS_ANY, IN_STANDBY, start_pr_out,      \
            .data_out_bytes = pr_out_data_bytes,                                                   \
            .usage = USAGE10(0x5f, 0x1f, type_mask, 0, 0, LBA32, 0)                                \
    }

static const struct command pr_out_actions[] = {
    PR_OUT_ACTION("REGISTER", 0),
    PR_OUT_ACTION("RESERVE", 0xff),
    PR_OUT_ACTION("RELEASE", 0xff),
    PR_OUT_ACTION("CLEAR", 0),
    PR_OUT_ACTION("PREEMPT", 0xff),
    PR_OUT_ACTION("PREEMPT AND ABORT", 0xff),
    PR_OUT_ACTION("REGISTER AND IGNORE EXISTING KEY", 0),
    PR_OUT_ACTION("REGISTER AND MOVE", 0),
};

static const struct command copy_actions[] = {
    {"EXTENDED COPY(LID1)", 16, ACCESS_ANY, NEEDS_MEDIUM, start_extended_copy,
     .data_out_bytes = extended_copy_data_bytes,
     .usage = USAGE16(0x83, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, LBA32, 0, 0)},
};

static const struct command copy_results_actions[] = {
    [0x00] = {"RECEIVE COPY STATUS(LID1)", 16, ACCESS_ANY, 0, start_copy_status,
              .usage = USAGE16(0x84, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, LBA32, 0, 0)},
    [0x03] = {"RECEIVE COPY OPERATING PARAMETERS", 16, ACCESS_ANY, 0, start_copy_parameters,
              .usage = USAGE16(0x84, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, LBA32, 0, 0)},
};

static const struct command sanitize_actions[] = {
    [0x01] = {"SANITIZE (OVERWRITE)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_sanitize_overwrite,
              .data_out_bytes = sanitize_data_bytes,
              .usage = USAGE10(0x48, 0xbf, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
    [0x02] = {"SANITIZE (BLOCK ERASE)", 10, ACCESS_WRITE, NEEDS_MEDIUM | NEEDS_THIN,
              start_sanitize_erase, .usage = USAGE10(0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0)},
    [0x03] = {"SANITIZE (CRYPTOGRAPHIC ERASE)", 10, ACCESS_WRITE, NEEDS_MEDIUM | NEEDS_THIN,
              start_sanitize_erase, .usage = USAGE10(0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0)},
    [0x1f] = {"SANITIZE (EXIT FAILURE MODE)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_sanitize_exit,
              .usage = USAGE10(0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0)},
};

static const struct command service_in_16_actions[] = {
    [0x10] = {"READ CAPACITY(16)", 16, ACCESS_ANY, DESPITE_RESERVE | NEEDS_MEDIUM,
              start_read_capacity_16,
              .usage = USAGE16(0x9e, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, LBA32, 0, 0)},
    [0x12] = {"GET LBA STATUS", 16, ACCESS_READ, NEEDS_MEDIUM | NEEDS_THIN, start_get_lba_status,
              .usage = USAGE16(0x9e, 0x1f, LBA64, LBA32, 0, 0)},
};

static const struct command maintenance_in_actions[] = {
    [0x0a] = {"REPORT TARGET PORT GROUPS", 12, ACCESS_ANY, IN_STANDBY | IN_UNAVAILABLE | NEEDS_TPGS,
              start_report_groups, .usage = USAGE12(0xa3, 0xff, 0, 0, 0, 0, LBA32, 0, 0)},
    [0x0c] = {"REPORT SUPPORTED OPERATION CODES", 12, ACCESS_READ, IN_STANDBY, start_report_opcodes,
              .usage = USAGE12(0xa3, 0x1f, 0x87, 0xff, 0xff, 0xff, LBA32, 0, 0)},
    [0x0d] = {"REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", 12, ACCESS_READ, IN_STANDBY,
              start_report_tmfs, .usage = USAGE12(0xa3, 0x1f, 0x80, 0, 0, 0, LBA32, 0, 0)},
};

static const struct command maintenance_out_actions[] = {
    [0x0a] = {"SET TARGET PORT GROUPS", 12, ACCESS_ANY,
              IN_STANDBY | IN_UNAVAILABLE | NEEDS_EXPLICIT_TPGS, start_set_groups,
              .data_out_bytes = set_groups_data_bytes,
              .usage = USAGE12(0xa4, 0x1f, 0, 0, 0, 0, LBA32, 0, 0)},
};

#define ACTIONS(table) .actions = (table), .action_count = ARRAY_SIZE(table)

static const struct command commands[256] = {
    [0x00] = {"TEST UNIT READY", 6, ACCESS_ANY, IN_STANDBY | NEEDS_MEDIUM, start_test_unit_ready,
              .usage = USAGE6(0x00, 0, 0, 0, 0, 0)},
    [0x03] = {"REQUEST SENSE", 6, ACCESS_ANY, ALWAYS, start_request_sense,
              .usage = USAGE6(0x03, 0x01, 0, 0, 0xff, 0)},
    [0x08] = {"READ(6)", 6, ACCESS_READ, NEEDS_MEDIUM, start_read,
              .usage = USAGE6(0x08, 0x1f, 0xff, 0xff, 0xff, 0)},
    [0x0a] = {"WRITE(6)", 6, ACCESS_WRITE, NEEDS_MEDIUM, start_write,
              .data_out_bytes = write_data_bytes, .usage = USAGE6(0x0a, 0x1f, 0xff, 0xff, 0xff, 0)},
    [0x12] = {"INQUIRY", 6, ACCESS_ANY, ALWAYS, start_inquiry,
              .usage = USAGE6(0x12, 0x01, 0xff, 0xff, 0xff, 0)},
    [0x15] = {"MODE SELECT(6)", 6, ACCESS_WRITE, IN_STANDBY, start_mode_select_6,
              .data_out_bytes = mode_select_6_data_bytes,
              .usage = USAGE6(0x15, 0x11, 0, 0, 0xff, 0)},
    [0x16] = {"RESERVE(6)", 6, ACCESS_ANY, 0, start_reserve, .usage = USAGE6(0x16, 0, 0, 0, 0, 0)},
    [0x17] = {"RELEASE(6)", 6, ACCESS_ANY, DESPITE_RESERVE, start_release,
              .usage = USAGE6(0x17, 0, 0, 0, 0, 0)},
    [0x1a] = {"MODE SENSE(6)", 6, ACCESS_READ, IN_STANDBY, start_mode_sense_6,
              .usage = USAGE6(0x1a, 0x08, 0xff, 0xff, 0xff, 0)},
    [0x1b] = {"START STOP UNIT", 6, ACCESS_ANY, 0, start_start_stop_unit,
              .usage = USAGE6(0x1b, 0x01, 0, 0x0f, 0xf7, 0)},
    [0x1e] = {"PREVENT ALLOW MEDIUM REMOVAL", 6, ACCESS_ANY, DESPITE_RESERVE, start_prevent_allow,
              .usage = USAGE6(0x1e, 0, 0, 0, 0x03, 0)},
    [0x25] = {"READ CAPACITY(10)", 10, ACCESS_ANY, DESPITE_RESERVE | NEEDS_MEDIUM,
              start_read_capacity_10, .usage = USAGE10(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
    [0x28] = {"READ(10)", 10, ACCESS_READ, NEEDS_MEDIUM, start_read,
              .usage = USAGE10(0x28, 0x18, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x2a] = {"WRITE(10)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_write,
              .data_out_bytes = write_data_bytes,
              .usage = USAGE10(0x2a, 0x18, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x2e] = {"WRITE AND VERIFY(10)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_write_and_verify,
              .data_out_bytes = write_verify_data_bytes,
              .usage = USAGE10(0x2e, 0x16, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x2f] = {"VERIFY(10)", 10, ACCESS_READ, NEEDS_MEDIUM, start_verify,
              .data_out_bytes = verify_data_bytes,
              .usage = USAGE10(0x2f, 0x16, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x34] = {"PRE-FETCH(10)", 10, ACCESS_READ, NEEDS_MEDIUM, start_pre_fetch,
              .usage = USAGE10(0x34, 0x02, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x35] = {"SYNCHRONIZE CACHE(10)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_synchronize_cache,
              .usage = USAGE10(0x35, 0x06, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x37] = {"READ DEFECT DATA(10)", 10, ACCESS_READ, NEEDS_MEDIUM, start_read_defect_data,
              .usage = USAGE10(0x37, 0, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0)},
    [0x41] = {"WRITE SAME(10)", 10, ACCESS_WRITE, NEEDS_MEDIUM, start_write_same,
              .data_out_bytes = write_same_data_bytes,
              .usage = USAGE10(0x41, 0x08, LBA32, 0x1f, 0xff, 0xff, 0)},
    [0x42] = {"UNMAP", 10, ACCESS_WRITE, NEEDS_MEDIUM | NEEDS_THIN, start_unmap,
              .data_out_bytes = unmap_data_bytes,
              .usage = USAGE10(0x42, 0, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0)},
    [0x48] = {"SANITIZE", 10, ACTIONS(sanitize_actions)},
    [0x55] = {"MODE SELECT(10)", 10, ACCESS_WRITE, IN_STANDBY, start_mode_select_10,
              .data_out_bytes = mode_select_10_data_bytes,
              .usage = USAGE10(0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0)},
    [0x5a] = {"MODE SENSE(10)", 10, ACCESS_READ, IN_STANDBY, start_mode_sense_10,
              .usage = USAGE10(0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0)},
    [0x5e] = {"PERSISTENT RESERVE IN", 10, ACTIONS(pr_in_actions)},
    [0x5f] = {"PERSISTENT RESERVE OUT", 10, ACTIONS(pr_out_actions)},
    [0x83] = {"EXTENDED COPY", 16, ACTIONS(copy_actions)},
    [0x84] = {"RECEIVE COPY RESULTS", 16, ACTIONS(copy_results_actions)},
    [0x88] = {"READ(16)", 16, ACCESS_READ, NEEDS_MEDIUM, start_read,
              .usage = USAGE16(0x88, 0x18, LBA64, LBA32, 0x1f, 0)},
    [0x89] = {"COMPARE AND WRITE", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_compare_and_write,
              .data_out_bytes = compare_and_write_data_bytes,
              .usage = USAGE16(0x89, 0x18, LBA64, 0, 0, 0, 0xff, 0x1f, 0)},
    [0x8a] = {"WRITE(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_write,
              .data_out_bytes = write_data_bytes,
              .usage = USAGE16(0x8a, 0x18, LBA64, LBA32, 0x1f, 0)},
    [0x8b] = {"ORWRITE(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_or_write,
              .data_out_bytes = or_write_data_bytes,
              .usage = USAGE16(0x8b, 0x18, LBA64, LBA32, 0x1f, 0)},
    [0x8e] = {"WRITE AND VERIFY(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_write_and_verify,
              .data_out_bytes = write_verify_data_bytes,
              .usage = USAGE16(0x8e, 0x16, LBA64, LBA32, 0x1f, 0)},
    [0x8f] = {"VERIFY(16)", 16, ACCESS_READ, NEEDS_MEDIUM, start_verify,
              .data_out_bytes = verify_data_bytes,
              .usage = USAGE16(0x8f, 0x16, LBA64, LBA32, 0x1f, 0)},
    [0x90] = {"PRE-FETCH(16)", 16, ACCESS_READ, NEEDS_MEDIUM, start_pre_fetch,
              .usage = USAGE16(0x90, 0x02, LBA64, LBA32, 0x1f, 0)},
    [0x91] = {"SYNCHRONIZE CACHE(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_synchronize_cache,
              .usage = USAGE16(0x91, 0x06, LBA64, LBA32, 0x1f, 0)},
    [0x93] = {"WRITE SAME(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_write_same,
              .data_out_bytes = write_same_data_bytes,
              .usage = USAGE16(0x93, 0x09, LBA64, LBA32, 0x1f, 0)},
    [0x9c] = {"WRITE ATOMIC(16)", 16, ACCESS_WRITE, NEEDS_MEDIUM, start_write_atomic,
              .data_out_bytes = write_atomic_data_bytes,
              .usage = USAGE16(0x9c, 0x18, LBA64, 0, 0, 0xff, 0xff, 0x1f, 0)},
    [0x9e] = {"SERVICE ACTION IN(16)", 16, ACTIONS(service_in_16_actions)},
    [0xa0] = {"REPORT LUNS", 12, ACCESS_ANY, ALWAYS, start_report_luns,
              .usage = USAGE12(0xa0, 0, 0xff, 0, 0, 0, LBA32, 0, 0)},
    [0xa3] = {"MAINTENANCE IN", 12, ACTIONS(maintenance_in_actions)},
    [0xa4] = {"MAINTENANCE OUT", 12, ACTIONS(maintenance_out_actions)},
    [0xa8] = {"READ(12)", 12, ACCESS_READ, NEEDS_MEDIUM, start_read,
              .usage = USAGE12(0xa8, 0x18, LBA32, LBA32, 0x1f, 0)},
    [0xaa] = {"WRITE(12)", 12, ACCESS_WRITE, NEEDS_MEDIUM, start_write,
              .data_out_bytes = write_data_bytes,
              .usage = USAGE12(0xaa, 0x18, LBA32, LBA32, 0x1f, 0)},
    [0xae] = {"WRITE AND VERIFY(12)", 12, ACCESS_WRITE, NEEDS_MEDIUM, start_write_and_verify,
              .data_out_bytes = write_verify_data_bytes,
              .usage = USAGE12(0xae, 0x16, LBA32, LBA32, 0x1f, 0)},
    [0xaf] = {"VERIFY(12)", 12, ACCESS_READ, NEEDS_MEDIUM, start_verify,
              .data_out_bytes = verify_data_bytes,
              .usage = USAGE12(0xaf, 0x16, LBA32, LBA32, 0x1f, 0)},
    [0xb7] = {"READ DEFECT DATA(12)", 12, ACCESS_READ, NEEDS_MEDIUM, start_read_defect_data,
              .usage = USAGE12(0xb7, 0x1f, LBA32, LBA32, 0, 0)},
};

const struct command *command_of_opcode(uint8_t opcode)
{
    return commands[opcode].name ? &commands[opcode] : NULL;
}

const struct command *command_find(const uint8_t *cdb, bool *ret_is_known)
{
    const struct command *command = command_of_opcode(cdb[0]);

    *ret_is_known = command != NULL;
    if (!command || !command->actions)
        return command;
    unsigned action = cdb[1] & 0x1f;

    if (action >= command->action_count || !command->actions[action].name)
        return NULL;
    return &command->actions[action];
}

bool command_is_offered(const struct lun *lun, const struct command *command)
{
    if (command->rules & NEEDS_THIN && !lun->is_thin)
        return false;
    if (command->rules & NEEDS_TPGS && lun->device->tpgs == 0)
        return false;
    if (command->rules & NEEDS_EXPLICIT_TPGS && !(lun->device->tpgs & TPGS_EXPLICIT))
        return false;
    return command->name != NULL;
}

uint64_t device_data_out_bytes(const struct device *device, uint64_t lun_field, const uint8_t *cdb)
{
    const struct lun *lun = device_find_lun(device, lun_field);
    bool is_known = false;
    const struct command *command = command_find(cdb, &is_known);

    return lun && command && command->data_out_bytes ? command->data_out_bytes(lun, cdb) : 0;
}

/* The states of SPC-4, 5.15.2.4: which refusal a command meets there; 0: it may run. */
static unsigned refusal_of_state(enum alua_state state, unsigned rules)
{
    switch (state) {
    case ALUA_ACTIVE_OPTIMIZED:
    case ALUA_ACTIVE_NON_OPTIMIZED:
        break;
    case ALUA_STANDBY:
        return rules & IN_STANDBY ? 0 : REFUSE_STANDBY;
    case ALUA_UNAVAILABLE:
    case ALUA_OFFLINE:
        return rules & IN_UNAVAILABLE ? 0 : REFUSE_UNAVAILABLE;
    case ALUA_TRANSITIONING:
        return rules & IN_UNAVAILABLE ? 0 : REFUSE_TRANSITIONING;
    }
    return 0;
}

/* Points at the first byte with a bit that may not be set, and at the highest of those. */
static enum task_step refuse_stray_bits(struct scsi_task *task, const struct command *command)
{
    unsigned byte = 0;
    unsigned bit = 7;

    while (byte < TASK_CDB_BYTES - 1u && !(task->cdb[byte] & ~command->usage[byte]))
        byte++;
    while (bit > 0 && !((task->cdb[byte] & ~command->usage[byte]) >> bit & 1))
        bit--;
    return task_refuse_field(task, byte, bit);
}

static bool has_stray_bits(const struct scsi_task *task, const struct command *command)
{
    uint64_t cdb[2];
    uint64_t usage[2];

    static_assert(sizeof(cdb) == TASK_CDB_BYTES, "two words compare a CDB");
    memcpy(cdb, task->cdb, sizeof(cdb));
    memcpy(usage, command->usage, sizeof(usage));
    return ((cdb[0] & ~usage[0]) | (cdb[1] & ~usage[1])) != 0;
}

/* What an operation code with an unknown service action passes before it is refused. */
static const struct command unknown_action = {.name = "unknown service action"};

enum task_step command_run(struct lun *lun, struct scsi_task *task)
{
    struct nexus *nexus = task->nexus;
    struct nexus_lun *nexus_lun = nexus_at(nexus, lun);
    bool is_known = false;
    const struct command *command = command_find(task->cdb, &is_known);

    if (command && command->rules & (NEEDS_THIN | NEEDS_TPGS | NEEDS_EXPLICIT_TPGS) &&
        !command_is_offered(lun, command)) {
        is_known = command != command_of_opcode(task->cdb[0]);
        command = NULL;
    }
    if (!is_known)
        return task_refuse(task, REFUSE_OPCODE);
    if (!command)
        command = &unknown_action;
    if (lun->reserved_by && lun->reserved_by != nexus && !(command->rules & DESPITE_RESERVE))
        return task_status(task, SCSI_RESERVATION_CONFLICT);
    if (!pr_allows(lun, nexus, command->access))
        return task_status(task, SCSI_RESERVATION_CONFLICT);
    if (attention_waits(&nexus_lun->attentions) && !(command->rules & DESPITE_ATTENTION))
        return task_refuse(task, REFUSE_ATTENTION(attention_take(&nexus_lun->attentions)));
    if (lun->sanitize.is_running && !(command->rules & DESPITE_ATTENTION))
        return task_refuse_progress(task, REFUSE_SANITIZING, sanitize_progress(lun));
    if (lun->sanitize.has_failed && !(command->rules & DESPITE_ATTENTION) &&
        task->cdb[0] != SCSI_SANITIZE)
        return task_refuse(task, REFUSE_SANITIZE_FAILED);
    unsigned refusal = refusal_of_state(nexus->port->group->state, command->rules);

    if (refusal)
        return task_refuse(task, refusal);
    if (lun->is_ejected && command->rules & NEEDS_MEDIUM)
        return task_refuse(task, REFUSE_NO_MEDIUM);
    if (command == &unknown_action)
        return task_refuse_field(task, 1, 4);
    if (has_stray_bits(task, command))
        return refuse_stray_bits(task, command);
    return command->start(lun, task);
}

enum task_step command_run_without_lun(struct scsi_task *task)
{
    bool is_known = false;
    const struct command *command = command_find(task->cdb, &is_known);

    if (!is_known)
        return task_refuse(task, REFUSE_OPCODE);
    if (!command || !(command->rules & DESPITE_ATTENTION))
        return task_refuse(task, REFUSE_LUN);
    if (has_stray_bits(task, command))
        return refuse_stray_bits(task, command);
    return command->start(NULL, task);
}
