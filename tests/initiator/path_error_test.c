/* What an answer says about the path that it came by, on Windows and on Linux. */
#include "tests/test.h"

#include "initiator/path_error.h"
#include "sim/core/time.h"

#define W ERRORS_MSDSM
#define L ERRORS_DM_MULTIPATH

/* An answer with sense data: status, key, asc, ascq. */
static struct row {
    const char *name;
    enum error_rule rule;
    enum command_end end;
    uint8_t status;
    uint8_t key, asc, ascq;
    enum path_verdict verdict;
    bool is_counted;
    int64_t wait_ns;
} rows[] = {
    {"windows: good", W, COMMAND_ANSWERED, 0, 0, 0, 0, VERDICT_GOOD, false, 0},
    {"windows: a lost session fails over", W, COMMAND_SESSION_LOST, 0, 0, 0, 0, VERDICT_FAIL_OVER,
     false, 0},
    {"windows: a time-out is no reason to fail over", W, COMMAND_TIMED_OUT, 0, 0, 0, 0,
     VERDICT_RETRY, true, 0},
    {"windows: the caller's abort is passed up", W, COMMAND_ABORTED, 0, 0, 0, 0, VERDICT_PASS_UP,
     false, 0},
    {"windows: no sense fails over", W, COMMAND_ANSWERED, 2, 0, 0, 0, VERDICT_FAIL_OVER, false, 0},
    {"windows: LUN not supported fails over", W, COMMAND_ANSWERED, 2, 5, 0x25, 0, VERDICT_FAIL_OVER,
     false, 0},
    {"windows: set port groups failed fails over", W, COMMAND_ANSWERED, 2, 4, 0x67, 0x0a,
     VERDICT_FAIL_OVER, false, 0},
    {"windows: another illegal request is passed up", W, COMMAND_ANSWERED, 2, 5, 0x24, 0,
     VERDICT_PASS_UP, false, 0},
    {"windows: time-out on logical unit is a counted retry", W, COMMAND_ANSWERED, 2, 4, 0x3e, 2,
     VERDICT_RETRY, true, RETRY_INTERVAL},
    {"windows: access state changed uses up no retry", W, COMMAND_ANSWERED, 2, 6, 0x2a, 6,
     VERDICT_RETRY_OTHER, false, RETRY_INTERVAL},
    {"windows: in transition uses up no retry", W, COMMAND_ANSWERED, 2, 2, 4, 0x0a,
     VERDICT_RETRY_OTHER, false, RETRY_INTERVAL},
    {"windows: unavailable uses up no retry", W, COMMAND_ANSWERED, 2, 2, 4, 0x0c,
     VERDICT_RETRY_OTHER, false, RETRY_INTERVAL},
    {"windows: standby is a counted retry", W, COMMAND_ANSWERED, 2, 2, 4, 0x0b, VERDICT_RETRY_OTHER,
     true, RETRY_INTERVAL},
    {"windows: manual intervention is a counted retry", W, COMMAND_ANSWERED, 2, 2, 4, 3,
     VERDICT_RETRY, true, RETRY_INTERVAL},
    {"windows: reservations released retries the same path", W, COMMAND_ANSWERED, 2, 6, 0x2a, 4,
     VERDICT_RETRY_SAME, false, 0},
    {"windows: reservations preempted is passed up", W, COMMAND_ANSWERED, 2, 6, 0x2a, 3,
     VERDICT_PASS_UP, false, 0},
    {"windows: power on is tried again at once", W, COMMAND_ANSWERED, 2, 6, 0x29, 0, VERDICT_RETRY,
     true, 0},
    {"windows: any other unit attention is a counted retry", W, COMMAND_ANSWERED, 2, 6, 0x28, 0,
     VERDICT_RETRY, true, RETRY_INTERVAL},
    {"windows: a medium error is passed up", W, COMMAND_ANSWERED, 2, 3, 0x11, 0, VERDICT_PASS_UP,
     false, 0},
    {"windows: reservation conflict is passed up", W, COMMAND_ANSWERED, 0x18, 0, 0, 0,
     VERDICT_PASS_UP, false, 0},
    {"windows: busy never fails over", W, COMMAND_ANSWERED, 8, 0, 0, 0, VERDICT_RETRY, true,
     RETRY_INTERVAL},
    {"linux: good", L, COMMAND_ANSWERED, 0, 0, 0, 0, VERDICT_GOOD, false, 0},
    {"linux: recovered error is good", L, COMMAND_ANSWERED, 2, 1, 0x17, 0, VERDICT_GOOD, false, 0},
    {"linux: a lost session is a path error", L, COMMAND_SESSION_LOST, 0, 0, 0, 0,
     VERDICT_FAIL_OVER, false, 0},
    {"linux: a time-out is a path error", L, COMMAND_TIMED_OUT, 0, 0, 0, 0, VERDICT_FAIL_OVER,
     false, 0},
    {"linux: LUN not supported is a path error", L, COMMAND_ANSWERED, 2, 5, 0x25, 0,
     VERDICT_FAIL_OVER, false, 0},
    {"linux: invalid field is a target error", L, COMMAND_ANSWERED, 2, 5, 0x24, 0, VERDICT_PASS_UP,
     false, 0},
    {"linux: a medium error is a target error", L, COMMAND_ANSWERED, 2, 3, 0x11, 0, VERDICT_PASS_UP,
     false, 0},
    {"linux: a hardware error is a target error", L, COMMAND_ANSWERED, 2, 4, 0x44, 0,
     VERDICT_PASS_UP, false, 0},
    {"linux: no space is a target error", L, COMMAND_ANSWERED, 2, 7, 0x27, 7, VERDICT_PASS_UP,
     false, 0},
    {"linux: reservation conflict is no path error", L, COMMAND_ANSWERED, 0x18, 0, 0, 0,
     VERDICT_PASS_UP, false, 0},
    {"linux: unit attention is tried again below", L, COMMAND_ANSWERED, 2, 6, 0x29, 0,
     VERDICT_RETRY_SAME, false, 0},
    {"linux: aborted command is tried again below, counted", L, COMMAND_ANSWERED, 2, 0x0b, 0, 0,
     VERDICT_RETRY_SAME, true, 0},
    {"linux: busy waits for the device", L, COMMAND_ANSWERED, 8, 0, 0, 0, VERDICT_RETRY_SAME, false,
     MS(3)},
    {"linux: not ready is a path error", L, COMMAND_ANSWERED, 2, 2, 4, 0x0c, VERDICT_FAIL_OVER,
     false, 0},
    {"linux: an unknown status is a path error", L, COMMAND_ANSWERED, 0x30, 0, 0, 0,
     VERDICT_FAIL_OVER, false, 0},
};

static void is_interpreted(void **state)
{
    const struct row *row = *state;
    struct command command = {.end = row->end, .status = row->status};

    if (row->status == 2) {
        command.sense_bytes = 18;
        command.sense[0] = 0x70;
        command.sense[2] = row->key;
        command.sense[7] = 10;
        command.sense[12] = row->asc;
        command.sense[13] = row->ascq;
    }
    const struct path_error *error = path_error_of(row->rule, &command);

    assert_int_equal(error->verdict, row->verdict);
    assert_int_equal(error->is_counted, row->is_counted);
    assert_int_equal(error->wait_ns, row->wait_ns);
    assert_non_null(error->text);
}

static void descriptor_sense_means_the_same(void **state)
{
    struct command command = {.status = 2, .sense_bytes = 8, .sense = {0x72, 0x05, 0x25, 0x00}};

    (void)state;
    assert_int_equal(path_error_of(ERRORS_MSDSM, &command)->verdict, VERDICT_FAIL_OVER);
}

static void short_or_strange_sense_holds_nothing(void **state)
{
    static const uint8_t fixed[] = {0x70, 0, 0x06, 0, 0, 0, 0, 0};
    static const uint8_t vendor[] = {0x7f, 0, 0x06, 0, 0, 0, 0, 0};
    struct sense_code code = {0};

    (void)state;
    assert_true(sense_decode(fixed, sizeof(fixed), &code));
    assert_int_equal(code.key, 6);
    assert_int_equal(code.asc, 0);
    assert_false(sense_decode(fixed, 3, &code));
    assert_false(sense_decode(fixed, 0, &code));
    assert_false(sense_decode(vendor, sizeof(vendor), &code));
}

static void used_up_retries_fail_the_path_on_linux_only(void **state)
{
    (void)state;
    assert_int_equal(path_error_exhausted(ERRORS_MSDSM), VERDICT_PASS_UP);
    assert_int_equal(path_error_exhausted(ERRORS_DM_MULTIPATH), VERDICT_FAIL_OVER);
}

int main(void)
{
    TEST_ROWS(rows, is_interpreted);
    TEST(descriptor_sense_means_the_same);
    TEST(short_or_strange_sense_holds_nothing);
    TEST(used_up_retries_fail_the_path_on_linux_only);
    return TEST_RUN("initiator.path_error");
}
