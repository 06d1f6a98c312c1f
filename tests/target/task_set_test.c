/* Tasks in order, aborted, reset, orphaned: what comes back, and what reaches the medium. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))

static uint8_t pattern[4096];

/* One command of a story. */
struct step {
    struct scsi_task task;
    int64_t told_at_ns;
};

static struct array *told_in; /* the array of the test that runs */
static unsigned told_count;

static void note_when(struct scsi_task *task)
{
    struct step *step = CONTAINER_OF(task, struct step, task);

    assert_int_equal(step->told_at_ns, 0);
    step->told_at_ns = clock_now_ns(&told_in->queue.clock);
    told_count++;
}

static void begin(struct array *array)
{
    array_new(array);
    told_in = array;
    told_count = 0;
    memset(pattern, 0xab, sizeof(pattern));
}

static enum task_step start(struct array *array, struct step *step, struct nexus *nexus,
                            bool is_write, uint8_t lba, enum task_attribute attribute)
{
    uint8_t cdb[16] = {is_write ? 0x2a : 0x28, [5] = lba, [8] = 8};

    *step = (struct step){0};
    task_prepare(array, &step->task, nexus, cdb, pattern, is_write ? sizeof(pattern) : 0, 4096);
    step->task.on_done = note_when;
    step->task.attribute = attribute;
    step->task.tag = lba;
    return device_start(array->device, &step->task);
}

static void start_write(struct array *array, struct step *step, struct nexus *nexus, uint8_t lba)
{
    assert_int_equal(start(array, step, nexus, true, lba, TASK_SIMPLE), TASK_WAITS);
}

struct managed {
    struct scsi_tmf tmf;
    unsigned told_after; /* how many tasks were told before it */
    bool is_told;
};

static void note_managed(struct scsi_tmf *tmf)
{
    struct managed *managed = CONTAINER_OF(tmf, struct managed, tmf);

    assert_false(managed->is_told);
    managed->is_told = true;
    managed->told_after = told_count;
}

static enum task_step manage(struct array *array, struct managed *managed, struct nexus *nexus,
                             enum tmf_function function, struct scsi_task *task)
{
    *managed = (struct managed){
        .tmf = {.nexus = nexus, .function = function, .task = task, .on_done = note_managed}};
    return device_manage(array->device, &managed->tmf);
}

static void an_ordered_task_waits_for_the_older_and_holds_the_younger(void **state)
{
    struct array array;
    struct step steps[5];
    int64_t began_ns;
    (void)state;

    begin(&array);
    began_ns = clock_now_ns(&array.queue.clock);
    start(&array, &steps[0], array.a, false, 0, TASK_SIMPLE);
    start(&array, &steps[1], array.a, false, 8, TASK_ORDERED);
    start(&array, &steps[2], array.b, false, 16, TASK_SIMPLE);
    start(&array, &steps[3], array.b, false, 24, TASK_SIMPLE);
    start(&array, &steps[4], array.b, false, 32, TASK_HEAD_OF_QUEUE);
    array_run(&array, SECONDS(1));
    assert_int_equal(steps[0].told_at_ns - began_ns, US(100));
    assert_int_equal(steps[4].told_at_ns - began_ns, US(100));
    assert_int_equal(steps[1].told_at_ns - began_ns, US(200));
    assert_int_equal(steps[2].told_at_ns - began_ns, US(300));
    assert_int_equal(steps[3].told_at_ns - began_ns, US(300));
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(steps[i].task.status, SCSI_GOOD);
        task_fini(&steps[i].task);
    }
    array_free(&array);
}

static void a_blocked_command_that_needs_no_medium_is_told_later(void **state)
{
    struct array array;
    struct step ordered;
    struct step test_unit = {0};
    (void)state;

    begin(&array);
    start(&array, &ordered, array.a, false, 0, TASK_ORDERED);
    task_prepare(&array, &test_unit.task, array.a, (uint8_t[16]){0}, NULL, 0, 0);
    test_unit.task.on_done = note_when;
    assert_int_equal(device_start(array.device, &test_unit.task), TASK_WAITS);
    array_run(&array, SECONDS(1));
    assert_int_equal(test_unit.told_at_ns, ordered.told_at_ns);
    assert_int_equal(test_unit.task.status, SCSI_GOOD);
    task_fini(&ordered.task);
    task_fini(&test_unit.task);
    array_free(&array);
}

static void an_aborted_write_never_reaches_the_medium(void **state)
{
    struct array array;
    struct step step;
    struct managed managed;
    (void)state;

    begin(&array);
    start_write(&array, &step, array.a, 0);
    assert_ptr_equal(device_find_task(array.device, array.a, 0, 0), &step.task);
    assert_null(device_find_task(array.device, array.b, 0, 0));
    assert_int_equal(manage(&array, &managed, array.a, TMF_ABORT_TASK, &step.task), TASK_WAITS);
    assert_int_equal(told_count, 0); /* nothing from within the call */
    array_run(&array, SECONDS(1));
    assert_true(managed.is_told);
    assert_int_equal(managed.told_after, 1);
    assert_int_equal(managed.tmf.response, TMF_FUNCTION_COMPLETE);
    assert_true(step.task.is_aborted);
    assert_int_equal(memory_store_pages(array.memory), 0);
    task_fini(&step.task);
    array_free(&array);
}

static void an_abort_too_late_waits_for_the_end(void **state)
{
    struct array array;
    struct step step;
    struct managed managed;
    (void)state;

    begin(&array);
    start_write(&array, &step, array.a, 0);
    /* The service has ended, the store has not told yet: that is one event away. */
    event_queue_run(&array.queue, clock_now_ns(&array.queue.clock) + US(100), 1);
    assert_int_equal(memory_store_pages(array.memory), 1);
    assert_int_equal(manage(&array, &managed, array.a, TMF_ABORT_TASK, &step.task), TASK_WAITS);
    assert_false(managed.is_told);
    array_run(&array, SECONDS(1));
    assert_true(managed.is_told);
    assert_int_equal(managed.told_after, 1);
    assert_true(step.task.is_aborted);
    task_fini(&step.task);
    array_free(&array);
}

static void aborting_what_is_not_there_is_told_at_once(void **state)
{
    struct array array;
    struct managed managed;
    (void)state;

    begin(&array);
    assert_int_equal(manage(&array, &managed, array.a, TMF_ABORT_TASK, NULL), TASK_DONE);
    assert_int_equal(managed.tmf.response, TMF_TASK_DOES_NOT_EXIST);
    assert_int_equal(manage(&array, &managed, array.a, TMF_ABORT_TASK_SET, NULL), TASK_DONE);
    assert_int_equal(managed.tmf.response, TMF_FUNCTION_COMPLETE);
    managed.tmf.lun = UINT64_C(9) << 48;
    assert_int_equal(device_manage(array.device, &managed.tmf), TASK_DONE);
    assert_int_equal(managed.tmf.response, TMF_LUN_DOES_NOT_EXIST);
    array_free(&array);
}

static struct set_row {
    const char *name;
    enum tmf_function function;
    bool aborts_other;
    uint32_t own_attention;
    uint32_t other_attention;
} set_rows[] = {
    {"ABORT TASK SET spares other nexuses", TMF_ABORT_TASK_SET, false, 0, 0},
    {"CLEAR TASK SET tells those whose tasks it took", TMF_CLEAR_TASK_SET, true, 0,
     CHECK(6, 0x2f00)},
    {"LOGICAL UNIT RESET tells all", TMF_LOGICAL_UNIT_RESET, true, CHECK(6, 0x2900),
     CHECK(6, 0x2900)},
    {"TARGET WARM RESET tells all", TMF_TARGET_WARM_RESET, true, CHECK(6, 0x2900),
     CHECK(6, 0x2900)},
    {"TARGET COLD RESET tells all", TMF_TARGET_COLD_RESET, true, CHECK(6, 0x2900),
     CHECK(6, 0x2900)},
};

static void a_function_takes_the_tasks_that_it_names(void **state)
{
    const struct set_row *row = *state;
    struct array array;
    struct step own;
    struct step blocked;
    struct step other;
    struct managed managed;

    begin(&array);
    start_write(&array, &own, array.a, 0);
    start_write(&array, &other, array.b, 8);
    assert_int_equal(start(&array, &blocked, array.a, true, 16, TASK_ORDERED), TASK_WAITS);
    assert_int_equal(manage(&array, &managed, array.a, row->function, NULL), TASK_WAITS);
    array_run(&array, SECONDS(1));
    assert_true(managed.is_told);
    assert_true(own.task.is_aborted);
    assert_true(blocked.task.is_aborted);
    assert_int_equal(other.task.is_aborted, row->aborts_other);
    assert_int_equal(memory_store_pages(array.memory), row->aborts_other ? 0 : 1);
    assert_int_equal(array_test_unit(&array, array.a), row->own_attention);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), row->other_attention);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    task_fini(&own.task);
    task_fini(&blocked.task);
    task_fini(&other.task);
    array_free(&array);
}

static void a_new_nexus_is_told_of_the_reset_once(void **state)
{
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.keeps_attentions = true});
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x12, [4] = 96}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x28, [8] = 1}, NULL, 0),
                     CHECK(6, 0x2900));
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x28, [8] = 1}, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2900));
    array_free(&array);
}

static void request_sense_takes_an_attention_as_data(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.keeps_attentions = true});
    array_do(&array, array.a, (uint8_t[16]){0x03, 0, 0, 0, 252}, NULL, 0, 252, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.data[2], SCSI_UNIT_ATTENTION);
    assert_int_equal(get_be16(answer.data + 12), 0x2900);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    array_free(&array);
}

static void no_nexus_has_more_than_four_attentions(void **state)
{
    struct array array;
    struct managed managed;
    (void)state;

    begin(&array);
    for (int i = 0; i < 10; i++)
        manage(&array, &managed, array.b, TMF_LOGICAL_UNIT_RESET, NULL);
    device_set_group_state(array.device, 1, ALUA_ACTIVE_NON_OPTIMIZED, NULL);
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2900));
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2a06));
    assert_int_equal(array_test_unit(&array, array.a), 0);
    array_free(&array);
}

static void a_lost_nexus_takes_its_tasks_and_reservation_along(void **state)
{
    struct array array;
    struct step step;
    struct step again;
    (void)state;

    begin(&array);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x16}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x16}, NULL, 0), CONFLICT);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x17}, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.b), CONFLICT);
    start_write(&array, &step, array.a, 0);
    device_nexus_free(array.device, array.a);
    array.a = NULL;
    assert_int_equal(told_count, 0);
    assert_int_equal(start(&array, &again, array.b, false, 0, TASK_SIMPLE), TASK_WAITS);
    array_run(&array, SECONDS(1));
    assert_true(step.task.is_aborted);
    assert_null(step.task.nexus);
    assert_int_equal(again.task.status, SCSI_GOOD);
    assert_int_equal(memory_store_pages(array.memory), 0); /* no ghost of it */
    task_fini(&step.task);
    task_fini(&again.task);
    array_free(&array);
}

static void a_crash_ends_all_tasks_at_once(void **state)
{
    struct array array;
    struct step steps[3];
    struct managed managed;
    (void)state;

    begin(&array);
    start_write(&array, &steps[0], array.a, 0);
    start_write(&array, &steps[1], array.b, 8);
    start(&array, &steps[2], array.b, true, 16, TASK_ORDERED);
    manage(&array, &managed, array.a, TMF_ABORT_TASK, &steps[0].task);
    device_nexus_free(array.device, array.b);
    array.b = NULL;
    device_crash(array.device);
    assert_int_equal(told_count, 3);
    assert_true(managed.is_told);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(steps[i].task.is_aborted);
        task_fini(&steps[i].task);
    }
    array_run(&array, SECONDS(1));
    assert_int_equal(told_count, 3);
    assert_int_equal(memory_store_pages(array.memory), 0);
    device_nexus_free(array.device, array.a);
    array.a = array_login(&array, "iqn.2024-01.lab:hv1", 1, 1);
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2900));
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x2a, [8] = 8}, pattern, 4096), 0);
    array_free(&array);
}

int main(void)
{
    TEST(an_ordered_task_waits_for_the_older_and_holds_the_younger);
    TEST(a_blocked_command_that_needs_no_medium_is_told_later);
    TEST(an_aborted_write_never_reaches_the_medium);
    TEST(an_abort_too_late_waits_for_the_end);
    TEST(aborting_what_is_not_there_is_told_at_once);
    TEST_ROWS(set_rows, a_function_takes_the_tasks_that_it_names);
    TEST(a_new_nexus_is_told_of_the_reset_once);
    TEST(request_sense_takes_an_attention_as_data);
    TEST(no_nexus_has_more_than_four_attentions);
    TEST(a_lost_nexus_takes_its_tasks_and_reservation_along);
    TEST(a_crash_ends_all_tasks_at_once);
    return TEST_RUN("target.task_set");
}
