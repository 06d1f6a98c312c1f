/* What the end of a command says about its path. The tables are searched from the top: the first
 * row that fits decides, so exceptions stand above the rule. */
#include "initiator/path_error.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"

#include <assert.h>

/* SAM-6, 5.3: status codes. */
enum {
    STATUS_GOOD = 0x00,
    STATUS_CHECK_CONDITION = 0x02,
    STATUS_CONDITION_MET = 0x04,
    STATUS_BUSY = 0x08,
    STATUS_RESERVATION_CONFLICT = 0x18,
    STATUS_TASK_SET_FULL = 0x28,
    STATUS_TASK_ABORTED = 0x40,
};

/* SPC-5, 4.5.8: sense keys. */
enum {
    KEY_NO_SENSE = 0x0,
    KEY_RECOVERED_ERROR = 0x1,
    KEY_NOT_READY = 0x2,
    KEY_MEDIUM_ERROR = 0x3,
    KEY_HARDWARE_ERROR = 0x4,
    KEY_ILLEGAL_REQUEST = 0x5,
    KEY_UNIT_ATTENTION = 0x6,
    KEY_DATA_PROTECT = 0x7,
    KEY_BLANK_CHECK = 0x8,
    KEY_COPY_ABORTED = 0xa,
    KEY_ABORTED_COMMAND = 0xb,
    KEY_VOLUME_OVERFLOW = 0xd,
    KEY_MISCOMPARE = 0xe,
};

#define ANY (-1)

struct row {
    int status; /* of an answer; ANY together with 'end' for what is no answer */
    int key;
    int asc;
    int ascq;
    struct path_error error;
};

struct table {
    struct path_error ends[COMMAND_PROTOCOL + 1]; /* what is no answer, by enum command_end */
    const struct row *rows;
    size_t row_count;
    struct path_error other; /* answers that no row names */
    enum path_verdict exhausted;
};

#define CHECK(key, asc, ascq) STATUS_CHECK_CONDITION, key, asc, ascq
#define STATUS(status)        STATUS_##status, ANY, ANY, ANY

/* Verdict, is_counted, wait_ns. */
#define GOOD            VERDICT_GOOD, false, 0
#define FAIL_OVER       VERDICT_FAIL_OVER, false, 0
#define COUNTED         VERDICT_RETRY, true, RETRY_INTERVAL
#define COUNTED_AT_ONCE VERDICT_RETRY, true, 0
#define COUNTED_OTHER   VERDICT_RETRY_OTHER, true, RETRY_INTERVAL
#define UNCOUNTED_OTHER VERDICT_RETRY_OTHER, false, RETRY_INTERVAL
#define SAME            VERDICT_RETRY_SAME, false, 0
#define SAME_LATER      VERDICT_RETRY_SAME, false, RESOURCE_DELAY_NS
#define SAME_COUNTED    VERDICT_RETRY_SAME, true, 0
#define PASS_UP         VERDICT_PASS_UP, false, 0

/* A busy device rests for BLK_MQ_RESOURCE_DELAY (Linux). */
#define RESOURCE_DELAY_NS MS(3)

/* MSDSM, DsmInterpretError. Unit attentions that it passes up are tried again at once by the disk
 * class driver, and the request is routed anew. */
static const struct row msdsm_rows[] = {
    {STATUS(GOOD), {GOOD, "good"}},
    {STATUS(CONDITION_MET), {GOOD, "good"}},
    {CHECK(KEY_RECOVERED_ERROR, ANY, ANY), {GOOD, "good"}},
    {CHECK(KEY_NO_SENSE, 0x00, 0x00), {FAIL_OVER, "CHECK CONDITION without a cause"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x25, 0x00), {FAIL_OVER, "LOGICAL UNIT NOT SUPPORTED"}},
    {CHECK(KEY_HARDWARE_ERROR, 0x67, 0x0a), {FAIL_OVER, "SET TARGET PORT GROUPS COMMAND FAILED"}},
    {CHECK(KEY_HARDWARE_ERROR, 0x3e, 0x02), {COUNTED, "TIMEOUT ON LOGICAL UNIT"}},
    {CHECK(KEY_HARDWARE_ERROR, 0x4b, 0x06), {COUNTED, "INITIATOR RESPONSE TIMEOUT"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x06), {UNCOUNTED_OTHER, "ASYMMETRIC ACCESS STATE CHANGED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x07),
     {UNCOUNTED_OTHER, "IMPLICIT ASYMMETRIC ACCESS STATE TRANSITION FAILED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x04), {SAME, "RESERVATIONS RELEASED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x03), {PASS_UP, "RESERVATIONS PREEMPTED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x05), {PASS_UP, "REGISTRATIONS PREEMPTED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x01), {COUNTED_AT_ONCE, "MODE PARAMETERS CHANGED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x2a, 0x09), {COUNTED_AT_ONCE, "CAPACITY DATA HAS CHANGED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x3f, 0x03), {COUNTED_AT_ONCE, "INQUIRY DATA HAS CHANGED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x3f, 0x0e), {COUNTED_AT_ONCE, "REPORTED LUNS DATA HAS CHANGED"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x38, ANY), {COUNTED_AT_ONCE, "THIN PROVISIONING SOFT THRESHOLD"}},
    {CHECK(KEY_UNIT_ATTENTION, 0x29, ANY), {COUNTED_AT_ONCE, "POWER ON, RESET, OR BUS RESET"}},
    {CHECK(KEY_UNIT_ATTENTION, ANY, ANY), {COUNTED, "UNIT ATTENTION"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x0a), {UNCOUNTED_OTHER, "ASYMMETRIC ACCESS STATE TRANSITION"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x0c), {UNCOUNTED_OTHER, "TARGET PORT IN UNAVAILABLE STATE"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x0b), {COUNTED_OTHER, "TARGET PORT IN STANDBY STATE"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x03), {COUNTED, "MANUAL INTERVENTION REQUIRED"}},
    {CHECK(KEY_ABORTED_COMMAND, ANY, ANY), {COUNTED_AT_ONCE, "ABORTED COMMAND"}},
    {STATUS(RESERVATION_CONFLICT), {PASS_UP, "RESERVATION CONFLICT"}},
    {STATUS(BUSY), {COUNTED, "BUSY"}},
    {STATUS(TASK_SET_FULL), {COUNTED, "TASK SET FULL"}},
    {STATUS(TASK_ABORTED), {COUNTED_AT_ONCE, "TASK ABORTED"}},
};

/* Linux 6.1: scsi_decide_disposition, scsi_check_sense, scsi_io_completion_action, and then
 * blk_path_error. */
static const struct row dm_multipath_rows[] = {
    {STATUS(GOOD), {GOOD, "good"}},
    {STATUS(CONDITION_MET), {GOOD, "good"}},
    {CHECK(KEY_RECOVERED_ERROR, ANY, ANY), {GOOD, "good"}},
    {CHECK(KEY_UNIT_ATTENTION, ANY, ANY), {SAME, "UNIT ATTENTION"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x01), {SAME_LATER, "BECOMING READY"}},
    {CHECK(KEY_NOT_READY, 0x04, 0x0a), {SAME_LATER, "ASYMMETRIC ACCESS STATE TRANSITION"}},
    {CHECK(KEY_ABORTED_COMMAND, 0x10, ANY), {PASS_UP, "PROTECTION ERROR"}},
    {CHECK(KEY_ABORTED_COMMAND, ANY, ANY), {SAME_COUNTED, "ABORTED COMMAND"}},
    {CHECK(KEY_MEDIUM_ERROR, ANY, ANY), {PASS_UP, "MEDIUM ERROR"}},
    {CHECK(KEY_HARDWARE_ERROR, ANY, ANY), {PASS_UP, "HARDWARE ERROR"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x10, ANY), {PASS_UP, "PROTECTION ERROR"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x20, ANY), {PASS_UP, "INVALID COMMAND OPERATION CODE"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x21, ANY), {PASS_UP, "LOGICAL BLOCK ADDRESS OUT OF RANGE"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x22, ANY), {PASS_UP, "ILLEGAL FUNCTION"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x24, ANY), {PASS_UP, "INVALID FIELD IN CDB"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x26, ANY), {PASS_UP, "INVALID FIELD IN PARAMETER LIST"}},
    {CHECK(KEY_ILLEGAL_REQUEST, 0x27, ANY), {PASS_UP, "WRITE PROTECTED"}},
    {CHECK(KEY_ILLEGAL_REQUEST, ANY, ANY), {FAIL_OVER, "ILLEGAL REQUEST"}},
    {CHECK(KEY_DATA_PROTECT, ANY, ANY), {PASS_UP, "DATA PROTECT"}},
    {CHECK(KEY_BLANK_CHECK, ANY, ANY), {PASS_UP, "BLANK CHECK"}},
    {CHECK(KEY_COPY_ABORTED, ANY, ANY), {PASS_UP, "COPY ABORTED"}},
    {CHECK(KEY_VOLUME_OVERFLOW, ANY, ANY), {PASS_UP, "VOLUME OVERFLOW"}},
    {CHECK(KEY_MISCOMPARE, ANY, ANY), {PASS_UP, "MISCOMPARE"}},
    {CHECK(KEY_NOT_READY, ANY, ANY), {FAIL_OVER, "NOT READY"}},
    {STATUS(RESERVATION_CONFLICT), {PASS_UP, "RESERVATION CONFLICT"}},
    {STATUS(BUSY), {SAME_LATER, "BUSY"}},
    {STATUS(TASK_SET_FULL), {SAME_LATER, "TASK SET FULL"}},
    {STATUS(TASK_ABORTED), {SAME_COUNTED, "TASK ABORTED"}},
};

static const struct table tables[] = {
    [ERRORS_MSDSM] =
        {
            .ends =
                {
                    [COMMAND_SESSION_LOST] = {FAIL_OVER, "the session was lost"},
                    /* In none of MSDSM's lists: the disk class driver tries again. */
                    [COMMAND_TIMED_OUT] = {COUNTED_AT_ONCE, "the command timed out"},
                    [COMMAND_ABORTED] = {PASS_UP, "aborted"},
                    /* STATUS_BUFFER_OVERFLOW on a read or write. */
                    [COMMAND_PROTOCOL] = {COUNTED, "the answer broke the protocol"},
                },
            .rows = msdsm_rows,
            .row_count = ARRAY_SIZE(msdsm_rows),
            .other = {PASS_UP, "SCSI error"},
            .exhausted = VERDICT_PASS_UP,
        },
    [ERRORS_DM_MULTIPATH] =
        {
            .ends =
                {
                    [COMMAND_SESSION_LOST] = {FAIL_OVER, "the session was lost"},
                    [COMMAND_TIMED_OUT] = {FAIL_OVER, "the command timed out"},
                    [COMMAND_ABORTED] = {PASS_UP, "aborted"},
                    [COMMAND_PROTOCOL] = {FAIL_OVER, "the answer broke the protocol"},
                },
            .rows = dm_multipath_rows,
            .row_count = ARRAY_SIZE(dm_multipath_rows),
            .other = {FAIL_OVER, "SCSI error"},
            .exhausted = VERDICT_FAIL_OVER,
        },
};

bool sense_decode(const uint8_t *sense, uint32_t sense_bytes, struct sense_code *ret_code)
{
    if (sense_bytes < 4)
        return false;
    switch (sense[0] & 0x7f) {
    case 0x70: /* fixed format, current and deferred: asc and ascq in bytes 12 and 13 */
    case 0x71:
        *ret_code = (struct sense_code){.key = sense[2] & 0x0f};
        if (sense_bytes > 13) {
            ret_code->asc = sense[12];
            ret_code->ascq = sense[13];
        }
        return true;
    case 0x72: /* descriptor format */
    case 0x73:
        *ret_code = (struct sense_code){
            .key = sense[1] & 0x0f,
            .asc = sense[2],
            .ascq = sense[3],
        };
        return true;
    default:
        return false;
    }
}

static bool fits(int wanted, uint8_t value)
{
    return wanted == ANY || wanted == value;
}

const struct path_error *path_error_of(enum error_rule rule, const struct command *command)
{
    assert((unsigned)rule < ARRAY_SIZE(tables));
    const struct table *table = &tables[rule];
    struct sense_code code = {0};

    if (command->end != COMMAND_ANSWERED)
        return &table->ends[command->end];
    if (command->status == STATUS_CHECK_CONDITION)
        (void)sense_decode(command->sense, command->sense_bytes, &code);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct row *row = &table->rows[i];

        if (row->status == command->status && fits(row->key, code.key) &&
            fits(row->asc, code.asc) && fits(row->ascq, code.ascq))
            return &row->error;
    }
    return &table->other;
}

enum path_verdict path_error_exhausted(enum error_rule rule)
{
    return tables[rule].exhausted;
}
