/* Persistent reservations: who may do what, who is told, what survives. */
#include "target/reservation.h"

#include <stdio.h>

#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define KEY_A           UINT64_C(0xa1a1a1a1a1a1a1a1)
#define KEY_B           UINT64_C(0xb2b2b2b2b2b2b2b2)
#define APTPL           0x01u

static uint32_t pr_out_flags(struct array *array, struct nexus *nexus, enum scsi_pr_out action,
                             unsigned type, uint64_t key, uint64_t action_key, uint8_t flags)
{
    uint8_t cdb[SCSI_CDB_BYTES];
    uint8_t list[24] = {0};

    scsi_cdb_pr_out(cdb, action, (enum scsi_pr_type)type, sizeof(list));
    put_be64(list, key);
    put_be64(list + 8, action_key);
    list[20] = flags;
    return array_end_of(array, nexus, cdb, list, sizeof(list));
}

static uint32_t pr_out(struct array *array, struct nexus *nexus, enum scsi_pr_out action,
                       unsigned type, uint64_t key, uint64_t action_key)
{
    return pr_out_flags(array, nexus, action, type, key, action_key, 0);
}

static uint32_t register_key(struct array *array, struct nexus *nexus, uint64_t old, uint64_t key)
{
    return pr_out(array, nexus, SCSI_PR_REGISTER, 0, old, key);
}

static void pr_in(struct array *array, enum scsi_pr_in action, uint16_t allocation,
                  struct answer *ret_answer)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    scsi_cdb_pr_in(cdb, action, allocation);
    array_do(array, array->a, cdb, NULL, 0, allocation, ret_answer);
    assert_int_equal(ret_answer->status, SCSI_GOOD);
}

static uint32_t generation(struct array *array)
{
    static struct answer answer;

    pr_in(array, SCSI_PR_READ_KEYS, 255, &answer);
    return get_be32(answer.data);
}

/* 0: no reservation. */
static unsigned held_type(struct array *array, uint64_t *ret_key)
{
    static struct answer answer;

    pr_in(array, SCSI_PR_READ_RESERVATION, 255, &answer);
    if (get_be32(answer.data + 4) == 0)
        return 0;
    assert_int_equal(get_be32(answer.data + 4), 16);
    *ret_key = get_be64(answer.data + 8);
    return answer.data[21];
}

static uint32_t read_block(struct array *array, struct nexus *nexus)
{
    return array_end_of(array, nexus, (uint8_t[16]){0x28, [8] = 1}, NULL, 0);
}

static uint32_t write_block(struct array *array, struct nexus *nexus)
{
    static const uint8_t block[BLOCK_BYTES] = {1};

    return array_end_of(array, nexus, (uint8_t[16]){0x2a, [8] = 1}, block, sizeof(block));
}

/* SPC-4, table 67 and SBC-3, table 13, seen by another nexus, registered or not. */
static struct access_row {
    const char *name;
    unsigned type;
    bool registered_reads;
    bool registered_writes;
    bool stranger_reads;
} access_rows[] = {
    {"write exclusive", 1, true, false, true},
    {"exclusive access", 3, false, false, false},
    {"write exclusive, registrants only", 5, true, true, true},
    {"exclusive access, registrants only", 6, true, true, false},
    {"write exclusive, all registrants", 7, true, true, true},
    {"exclusive access, all registrants", 8, true, true, false},
};

static void a_type_grants_what_the_table_says(void **state)
{
    const struct access_row *row = *state;
    struct array array;
    uint64_t key = 0;

    array_new(&array);
    assert_int_equal(register_key(&array, array.a, 0, KEY_A), 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RESERVE, row->type, KEY_A, 0), 0);
    assert_int_equal(held_type(&array, &key), row->type);
    assert_true(key == (row->type >= 7 ? 0 : KEY_A));
    assert_int_equal(read_block(&array, array.a), 0);
    assert_int_equal(write_block(&array, array.a), 0);
    assert_int_equal(read_block(&array, array.b), row->stranger_reads ? 0 : CONFLICT);
    assert_int_equal(write_block(&array, array.b), CONFLICT);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x25}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x1a, 0, 0x3f, 0, 99}, NULL, 0),
                     row->stranger_reads ? 0 : CONFLICT);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x35}, NULL, 0), CONFLICT);
    assert_int_equal(register_key(&array, array.b, 0, KEY_B), 0);
    assert_int_equal(read_block(&array, array.b), row->registered_reads ? 0 : CONFLICT);
    assert_int_equal(write_block(&array, array.b), row->registered_writes ? 0 : CONFLICT);
    array_free(&array);
}

static struct type_row {
    const char *name;
    unsigned type;
    bool is_all; /* every registrant holds it */
    bool tells;  /* release is told to the others */
} type_rows[] = {
    {"write exclusive", 1, false, false},
    {"exclusive access", 3, false, false},
    {"write exclusive, registrants only", 5, false, true},
    {"exclusive access, registrants only", 6, false, true},
    {"write exclusive, all registrants", 7, true, true},
    {"exclusive access, all registrants", 8, true, true},
};

static void when_the_holder_unregisters_its_reservation_goes(void **state)
{
    const struct type_row *row = *state;
    struct array array;
    uint64_t key;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, row->type, KEY_A, 0);
    assert_int_equal(register_key(&array, array.a, KEY_A, 0), 0);
    assert_int_equal(held_type(&array, &key), row->is_all ? row->type : 0);
    assert_int_equal(array_test_unit(&array, array.a), 0); /* it knows what it did */
    assert_int_equal(array_test_unit(&array, array.b),
                     row->tells && !row->is_all ? CHECK(6, 0x2a04) : 0);
    if (row->is_all) {
        assert_int_equal(register_key(&array, array.b, KEY_B, 0), 0);
        assert_int_equal(held_type(&array, &key), 0); /* the last one was gone */
    }
    array_free(&array);
}

static void release_is_for_holders_and_tells_registrants(void **state)
{
    const struct type_row *row = *state;
    struct array array;
    uint64_t key;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, row->type, KEY_A, 0);
    uint32_t before = generation(&array);

    if (!row->is_all) {
        assert_int_equal(pr_out(&array, array.b, SCSI_PR_RELEASE, row->type, KEY_B, 0), 0);
        assert_int_equal(held_type(&array, &key), row->type);
    }
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RELEASE, row->type == 1 ? 3 : 1, KEY_A, 0),
                     CHECK(5, 0x2604));
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RELEASE, row->type, KEY_A, 0), 0);
    assert_int_equal(held_type(&array, &key), 0);
    assert_int_equal(generation(&array), before);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), row->tells ? CHECK(6, 0x2a04) : 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RELEASE, row->type, KEY_A, 0), 0);
    array_free(&array);
}

static void a_second_reservation_conflicts_unless_it_is_the_same(void **state)
{
    const struct type_row *row = *state;
    struct array array;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RESERVE, row->type, KEY_A, 0), 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RESERVE, row->type, KEY_A, 0), 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RESERVE, row->type == 1 ? 3 : 1, KEY_A, 0),
                     CONFLICT);
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_RESERVE, row->type, KEY_B, 0),
                     row->is_all ? 0 : CONFLICT);
    array_free(&array);
}

static void registering_needs_the_right_key(void **state)
{
    struct array array;
    (void)state;

    array_new(&array);
    assert_int_equal(register_key(&array, array.a, KEY_B, KEY_A), CONFLICT);
    assert_int_equal(register_key(&array, array.a, 0, 0), 0); /* nothing to do */
    assert_int_equal(generation(&array), 0);
    assert_int_equal(register_key(&array, array.a, 0, KEY_A), 0);
    assert_int_equal(register_key(&array, array.a, 0, KEY_B), CONFLICT);
    assert_int_equal(register_key(&array, array.a, KEY_B, KEY_B), CONFLICT);
    assert_int_equal(register_key(&array, array.a, KEY_A, KEY_B), 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_REGISTER_AND_IGNORE, 0, 99, KEY_A), 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_REGISTER_AND_IGNORE, 0, 99, 0), 0);
    assert_int_equal(device_registration_count(array.device, 0), 0);
    assert_int_equal(generation(&array), 4);
    array_free(&array);
}

static struct stranger_row {
    const char *name;
    enum scsi_pr_out action;
} stranger_rows[] = {
    {"RESERVE", SCSI_PR_RESERVE},
    {"RELEASE", SCSI_PR_RELEASE},
    {"CLEAR", SCSI_PR_CLEAR},
    {"PREEMPT", SCSI_PR_PREEMPT},
    {"PREEMPT AND ABORT", SCSI_PR_PREEMPT_AND_ABORT},
};

static void a_stranger_or_a_wrong_key_changes_nothing(void **state)
{
    const struct stranger_row *row = *state;
    unsigned type = row->action == SCSI_PR_CLEAR ? 0 : 5;
    struct array array;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    assert_int_equal(pr_out(&array, array.b, row->action, type, 0, KEY_A), CONFLICT);
    assert_int_equal(pr_out(&array, array.b, row->action, type, KEY_A, KEY_A), CONFLICT);
    assert_int_equal(pr_out(&array, array.a, row->action, type, KEY_B, KEY_A), CONFLICT);
    assert_int_equal(generation(&array), 1);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static struct list_row {
    const char *name;
    enum scsi_pr_out action;
    uint8_t type_byte;
    size_t list_bytes;
    uint8_t flags;
    uint32_t end;
} list_rows[] = {
    {"a list that is too short", SCSI_PR_REGISTER, 0, 16, 0, CHECK(5, 0x1a00)},
    {"a list that is too long", SCSI_PR_REGISTER, 0, 28, 0, CHECK(5, 0x1a00)},
    {"SPEC_I_PT of a nexus that is registered", SCSI_PR_REGISTER, 0, 24, 0x08, CHECK(5, 0x2600)},
    {"SPEC_I_PT with another action", SCSI_PR_REGISTER_AND_IGNORE, 0, 24, 0x08, CHECK(5, 0x2600)},
    {"ALL_TG_PT is not supported", SCSI_PR_REGISTER, 0, 24, 0x04, CHECK(5, 0x2600)},
    {"APTPL without a record", SCSI_PR_REGISTER, 0, 24, 0x01, CHECK(5, 0x2600)},
    {"a scope that is none", SCSI_PR_RESERVE, 0x15, 24, 0, CHECK(5, 0x2400)},
    {"a type that is none", SCSI_PR_RESERVE, 0x02, 24, 0, CHECK(5, 0x2400)},
    {"preempting a key of zero", SCSI_PR_PREEMPT, 0x05, 24, 0, CHECK(5, 0x2600)},
};

static void a_bad_list_is_refused(void **state)
{
    const struct list_row *row = *state;
    struct array array;
    uint8_t cdb[16] = {0x5f, (uint8_t)row->action, row->type_byte, [8] = (uint8_t)row->list_bytes};
    uint8_t list[32] = {0};

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    put_be64(list, KEY_A);
    list[20] = row->flags;
    assert_int_equal(array_end_of(&array, array.a, cdb, list, row->list_bytes), row->end);
    cdb[8] = 24; /* less came than the CDB says */
    assert_int_equal(array_end_of(&array, array.a, cdb, list, 23), CHECK(5, 0x1a00));
    assert_int_equal(generation(&array), 1);
    array_free(&array);
}

static void the_holder_is_preempted_and_the_challenger_holds(void **state)
{
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 5, KEY_A, 0);
    assert_string_equal(device_reservation_holder(array.device, 0), "iqn.2024-01.lab:hv1");
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_PREEMPT, 5, KEY_B, KEY_A), 0);
    assert_string_equal(device_reservation_holder(array.device, 0), "iqn.2024-01.lab:hv2");
    assert_int_equal(write_block(&array, array.a), CONFLICT);
    assert_int_equal(read_block(&array, array.a), CHECK(6, 0x2a05));
    assert_int_equal(read_block(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(held_type(&array, &key), 5);
    assert_true(key == KEY_B);
    assert_int_equal(generation(&array), 3);
    assert_int_equal(register_key(&array, array.a, 0, KEY_A), 0); /* the defender comes back */
    assert_int_equal(write_block(&array, array.a), 0);
    array_free(&array);
}

static void a_shared_key_goes_from_all_paths_of_a_node(void **state)
{
    struct array array;
    struct nexus *second;
    (void)state;

    array_new(&array);
    second = array_login(&array, "iqn.2024-01.lab:hv1", 3, 2);
    clear_attentions(&array, second);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, second, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, second, SCSI_PR_RESERVE, 5, KEY_A, 0);
    assert_int_equal(write_block(&array, array.a), 0);
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_PREEMPT_AND_ABORT, 5, KEY_B, KEY_A), 0);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2a05));
    assert_int_equal(array_test_unit(&array, second), CHECK(6, 0x2a05));
    device_nexus_free(array.device, second);
    array_free(&array);
}

static void preempting_a_registrant_that_holds_nothing_only_removes_it(void **state)
{
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 1, KEY_A, 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_PREEMPT, 3, KEY_A, 42), CONFLICT);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_PREEMPT, 3, KEY_A, KEY_B), 0);
    assert_int_equal(held_type(&array, &key), 1);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2a05));
    array_free(&array);
}

static void the_holder_may_preempt_itself_to_change_the_type(void **state)
{
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 6, KEY_A, 0);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_PREEMPT, 1, KEY_A, KEY_A), 0);
    assert_int_equal(held_type(&array, &key), 1);
    assert_true(key == KEY_A);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2a04));
    assert_int_equal(array_test_unit(&array, array.a), 0);
    array_free(&array);
}

static void all_registrants_are_preempted_by_a_key_of_zero(void **state)
{
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 8, KEY_A, 0);
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_PREEMPT, 1, KEY_B, 0), 0);
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2a05));
    assert_int_equal(held_type(&array, &key), 1);
    assert_true(key == KEY_B);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static void note_end(struct scsi_task *task)
{
    task->tag = 1;
}

static void preempt_and_abort_waits_for_what_it_aborts(void **state)
{
    struct array array;
    struct scsi_task write;
    struct scsi_task preempt;
    uint8_t block[BLOCK_BYTES] = {7};
    uint8_t cdb[SCSI_CDB_BYTES];
    uint8_t list[24] = {0};
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    task_prepare(&array, &write, array.a, (uint8_t[16]){0x2a, [8] = 1}, block, 512, 512);
    write.on_done = note_end;
    assert_int_equal(device_start(array.device, &write), TASK_WAITS);
    /* The write has landed but is not told: it cannot be taken back any more. */
    event_queue_run(&array.queue, clock_now_ns(&array.queue.clock) + US(100), 1);
    scsi_cdb_pr_out(cdb, SCSI_PR_PREEMPT_AND_ABORT, SCSI_PR_WRITE_EXCLUSIVE, 24);
    put_be64(list, KEY_B);
    put_be64(list + 8, KEY_A);
    task_prepare(&array, &preempt, array.b, cdb, list, 24, 24);
    preempt.on_done = note_end;
    assert_int_equal(device_start(array.device, &preempt), TASK_WAITS);
    array_run(&array, US(1));
    assert_true(write.is_aborted);
    assert_int_equal(preempt.tag, 1);
    assert_int_equal(preempt.status, SCSI_GOOD);
    task_fini(&write);
    task_fini(&preempt);
    array_free(&array);
}

static void clear_ends_all_and_tells_the_others(void **state)
{
    struct array array;
    uint64_t key;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 6, KEY_A, 0);
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_CLEAR, 0, KEY_B, 0), 0);
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x2a03));
    assert_int_equal(held_type(&array, &key), 0);
    assert_int_equal(device_registration_count(array.device, 0), 0);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    array_free(&array);
}

static void registrations_outlive_sessions_and_resets(void **state)
{
    struct array array;
    struct scsi_tmf tmf = {.function = TMF_LOGICAL_UNIT_RESET};
    uint64_t key;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 3, KEY_A, 0);
    device_nexus_free(array.device, array.a);
    tmf.nexus = array.b;
    assert_int_equal(device_manage(array.device, &tmf), TASK_DONE);
    clear_attentions(&array, array.b);
    assert_int_equal(read_block(&array, array.b), CONFLICT);
    array.a = array_login(&array, "iqn.2024-01.lab:hv1", 9, 1); /* another ISID is a stranger */
    clear_attentions(&array, array.a);
    assert_int_equal(read_block(&array, array.a), CONFLICT);
    device_nexus_free(array.device, array.a);
    array.a = array_login(&array, "iqn.2024-01.lab:hv1", 1, 1);
    clear_attentions(&array, array.a);
    assert_int_equal(read_block(&array, array.a), 0);
    assert_int_equal(held_type(&array, &key), 3);
    array_free(&array);
}

static void without_aptpl_a_loss_of_power_forgets(void **state)
{
    struct array array;
    uint64_t key;
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    register_key(&array, array.a, 0, KEY_A);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 5, KEY_A, 0);
    assert_int_equal(array.record.writes, 0);
    device_crash(array.device);
    clear_attentions(&array, array.a);
    assert_int_equal(held_type(&array, &key), 0);
    assert_int_equal(generation(&array), 0);
    array_free(&array);
}

static void with_aptpl_all_is_durable_before_the_host_hears_good(void **state)
{
    static struct answer answer;
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    assert_int_equal(pr_out_flags(&array, array.a, SCSI_PR_REGISTER, 0, 0, KEY_A, APTPL), 0);
    assert_int_equal(pr_out_flags(&array, array.b, SCSI_PR_REGISTER, 0, 0, KEY_B, APTPL), 0);
    assert_int_equal(pr_out(&array, array.b, SCSI_PR_RESERVE, 6, KEY_B, 0), 0);
    assert_int_equal(array.record.writes, 3);
    pr_in(&array, SCSI_PR_REPORT_CAPABILITIES, 255, &answer);
    assert_int_equal(answer.data[2] & 1, 1); /* PTPL_C */
    assert_int_equal(answer.data[3] & 1, 1); /* PTPL_A */
    device_crash(array.device);
    clear_attentions(&array, array.a);
    assert_int_equal(generation(&array), 0);
    assert_int_equal(device_registration_count(array.device, 0), 2);
    assert_int_equal(held_type(&array, &key), 6);
    assert_true(key == KEY_B);
    assert_int_equal(read_block(&array, array.a), 0); /* it is registered again */
    /* The last word on APTPL is no: the record is emptied. */
    assert_int_equal(register_key(&array, array.a, KEY_A, KEY_A), 0);
    device_crash(array.device);
    clear_attentions(&array, array.a);
    assert_int_equal(device_registration_count(array.device, 0), 0);
    array_free(&array);
}

static void a_change_that_was_not_durable_is_not_told_as_good(void **state)
{
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    array.record.fails = true;
    assert_int_equal(pr_out_flags(&array, array.a, SCSI_PR_REGISTER, 0, 0, KEY_A, APTPL),
                     CHECK(4, 0x4400));
    array_free(&array);
}

static void two_changes_at_once_share_the_record(void **state)
{
    struct array array;
    struct scsi_task tasks[3];
    uint8_t cdb[SCSI_CDB_BYTES];
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    scsi_cdb_pr_out(cdb, SCSI_PR_REGISTER_AND_IGNORE, (enum scsi_pr_type)0, 24);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t list[24] = {[8] = (uint8_t)(i + 1), [20] = APTPL};

        task_prepare(&array, &tasks[i], i == 1 ? array.b : array.a, cdb, list, 24, 24);
        tasks[i].on_done = note_end;
        assert_int_equal(device_start(array.device, &tasks[i]), TASK_WAITS);
    }
    array_run(&array, MS(2));
    assert_int_equal(tasks[0].tag, 1);
    assert_int_equal(tasks[1].tag, 0);
    array_run(&array, MS(2));
    assert_int_equal(tasks[1].tag, 1);
    assert_int_equal(tasks[2].tag, 1);
    assert_int_equal(array.record.writes, 2);
    for (unsigned i = 0; i < 3; i++)
        task_fini(&tasks[i]);
    array_free(&array);
}

static void power_lost_while_the_record_is_written_leaves_old_or_new(void **state)
{
    struct array array;
    struct scsi_task task;
    uint8_t cdb[SCSI_CDB_BYTES];
    uint8_t list[24] = {[8] = 1, [20] = APTPL};
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    scsi_cdb_pr_out(cdb, SCSI_PR_REGISTER, (enum scsi_pr_type)0, 24);
    task_prepare(&array, &task, array.a, cdb, list, 24, 24);
    task.on_done = note_end;
    assert_int_equal(device_start(array.device, &task), TASK_WAITS);
    device_crash(array.device);
    assert_int_equal(task.tag, 1);
    assert_true(task.is_aborted);
    task_fini(&task);
    assert_int_equal(device_registration_count(array.device, 0), 0);
    array_run(&array, MS(5));
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static void nonsense_in_the_record_counts_as_nothing(void **state)
{
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.has_record = true});
    pr_out_flags(&array, array.a, SCSI_PR_REGISTER, 0, 0, KEY_A, APTPL);
    for (size_t at = 0; at < array.record.durable_bytes; at++) {
        array.record.durable[at] ^= 0x55;
        device_crash(array.device);
        assert_int_equal(device_registration_count(array.device, 0), 0);
        array.record.durable[at] ^= 0x55;
    }
    size_t whole = array.record.durable_bytes;

    for (size_t bytes = 0; bytes < whole; bytes++) {
        array.record.durable_bytes = bytes;
        device_crash(array.device);
        assert_int_equal(device_registration_count(array.device, 0), 0);
    }
    array.record.durable_bytes = whole;
    device_crash(array.device);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static void keys_are_all_counted_whatever_fits(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_in(&array, SCSI_PR_READ_KEYS, 8, &answer);
    assert_int_equal(answer.bytes, 8);
    assert_int_equal(get_be32(answer.data + 4), 16);
    pr_in(&array, SCSI_PR_READ_KEYS, 16384, &answer);
    assert_int_equal(answer.bytes, 24);
    assert_true(get_be64(answer.data + 8) == KEY_A);
    assert_true(get_be64(answer.data + 16) == KEY_B);
    array_free(&array);
}

static void the_full_status_names_every_registrant(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    register_key(&array, array.b, 0, KEY_B);
    pr_out(&array, array.b, SCSI_PR_RESERVE, 5, KEY_B, 0);
    pr_in(&array, SCSI_PR_READ_FULL_STATUS, 4096, &answer);
    assert_int_equal(get_be32(answer.data + 4) + 8, answer.bytes);
    const uint8_t *first = answer.data + 8;
    const uint8_t *second = first + 24 + get_be32(first + 20);

    assert_true(get_be64(first) == KEY_A);
    assert_int_equal(first[12], 0);
    assert_int_equal(get_be16(first + 18), 1);
    assert_int_equal(first[24], 0x45);
    assert_int_equal(get_be16(first + 26) + 4u, get_be32(first + 20));
    assert_string_equal((const char *)first + 28, "iqn.2024-01.lab:hv1,i,0x800000000001");
    assert_true(get_be64(second) == KEY_B);
    assert_int_equal(second[12], 1); /* R_HOLDER */
    assert_int_equal(second[13], 5);
    assert_int_equal(get_be16(second + 18), 2);
    array_free(&array);
}

/* REGISTER of KEY_A with SPEC_I_PT and these TransportIDs; the lengths say what they should, plus
 * 'lie' for their sum. */
static uint32_t register_others(struct array *array, struct nexus *nexus, uint64_t key,
                                const char *const *ids, size_t count, uint32_t lie)
{
    static uint8_t list[28 + 64 * 256];
    uint8_t cdb[SCSI_CDB_BYTES];
    uint32_t bytes = (uint32_t)(28 + 64 * count);

    memset(list, 0, sizeof(list));
    scsi_cdb_pr_out(cdb, SCSI_PR_REGISTER, (enum scsi_pr_type)0, bytes);
    put_be64(list, key);
    put_be64(list + 8, KEY_A);
    list[20] = 0x08;
    put_be32(list + 24, (uint32_t)(64 * count) + lie);
    for (size_t i = 0; i < count; i++) {
        uint8_t *id = list + 28 + 64 * i;

        id[0] = strstr(ids[i], ",i,") ? 0x45 : 0x05;
        put_be16(id + 2, 60);
        memcpy(id + 4, ids[i], strlen(ids[i]));
    }
    return array_end_of(array, nexus, cdb, list, bytes);
}

static void other_ports_are_registered_by_name(void **state)
{
    static const char *const ids[] = {"iqn.2024-01.lab:HV9,i,0x80000000000A",
                                      "iqn.2024-01.lab:hv9,i,0x80000000000b",
                                      "iqn.2024-01.lab:hv9,i,0x80000000000b"};
    struct array array;
    struct nexus *late;
    (void)state;

    array_new(&array);
    assert_int_equal(register_others(&array, array.a, 0, ids, 3, 0), 0);
    assert_int_equal(device_registration_count(array.device, 0), 3); /* itself, 0Ah and 0Bh */
    assert_int_equal(generation(&array), 1);
    assert_int_equal(pr_out(&array, array.a, SCSI_PR_RESERVE, 6, KEY_A, 0), 0);
    assert_int_equal(write_block(&array, array.b), CONFLICT);
    late = device_nexus_new(array.device,
                            &(struct nexus_config){.initiator_name = "iqn.2024-01.lab:hv9",
                                                   .isid = {0x80, 0, 0, 0, 0, 0x0a},
                                                   .portal_group_tag = 1});
    array_test_unit(&array, late);
    assert_int_equal(write_block(&array, late), 0); /* registered before it came */
    device_nexus_free(array.device, late);
    assert_int_equal(register_others(&array, array.a, KEY_A, ids, 1, 0), CHECK(5, 0x2600));
    assert_int_equal(register_others(&array, array.b, 0, ids, 1, 0), 0); /* by its own port */
    assert_int_equal(device_registration_count(array.device, 0), 5);
    array_free(&array);
}

static void a_name_without_isid_registers_its_ports_that_are_here(void **state)
{
    static const char *const ids[] = {"iqn.2024-01.lab:hv2", "iqn.2024-01.lab:nobody"};
    struct array array;
    struct nexus *second;
    (void)state;

    array_new(&array);
    second = device_nexus_new(array.device,
                              &(struct nexus_config){.initiator_name = "iqn.2024-01.lab:hv2",
                                                     .isid = {0x80, 0, 0, 0, 0, 9},
                                                     .portal_group_tag = 1});
    array_test_unit(&array, second);
    assert_int_equal(register_others(&array, array.a, 0, ids, 2, 0), 0);
    assert_int_equal(device_registration_count(array.device, 0), 2);
    pr_out(&array, array.a, SCSI_PR_RESERVE, 5, KEY_A, 0);
    assert_int_equal(write_block(&array, second), 0);
    assert_int_equal(write_block(&array, array.b), CONFLICT); /* through the other port */
    device_nexus_free(array.device, second);
    array_free(&array);
}

static void transport_ids_that_lie_register_nobody(void **state)
{
    static const char *const good[] = {"iqn.2024-01.lab:hv9,i,0x80000000000a"};
    static const char *const bad[] = {"iqn.2024-01.lab:hv9,i,0x80000000000a",
                                      "iqn.2024-01.lab:hv9,i,0x80000000000x", ""};
    struct array array;
    (void)state;

    array_new(&array);
    assert_int_equal(register_others(&array, array.a, 0, good, 1, 4), CHECK(5, 0x1a00));
    assert_int_equal(register_others(&array, array.a, 0, good, 1, (uint32_t)-64), CHECK(5, 0x1a00));
    assert_int_equal(register_others(&array, array.a, 0, bad, 2, 0), CHECK(5, 0x2600));
    assert_int_equal(register_others(&array, array.a, 0, bad + 2, 1, 0), CHECK(5, 0x2600));
    assert_int_equal(register_others(&array, array.a, 0, bad, 0, 0), 0); /* none but itself */
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static void an_id_that_is_longer_than_the_list_registers_nobody(void **state)
{
    struct array array;
    uint8_t cdb[SCSI_CDB_BYTES];
    uint8_t list[28 + 24] = {[20] = 0x08, [27] = 24, [28] = 0x45, [31] = 21, [32] = 'i'};
    (void)state;

    array_new(&array);
    put_be64(list + 8, KEY_A);
    for (unsigned length = 0; length < 65536; length += 13) {
        put_be16(list + 30, (uint16_t)length);
        scsi_cdb_pr_out(cdb, SCSI_PR_REGISTER, (enum scsi_pr_type)0, sizeof(list));
        assert_int_equal(array_end_of(&array, array.a, cdb, list, sizeof(list)), CHECK(5, 0x2600));
    }
    assert_int_equal(device_registration_count(array.device, 0), 0);
    array_free(&array);
}

static uint32_t move(struct array *array, struct nexus *nexus, uint64_t key, uint64_t action_key,
                     uint16_t port, const char *id, uint8_t flags)
{
    uint8_t cdb[SCSI_CDB_BYTES];
    uint8_t list[24 + 64] = {0};

    scsi_cdb_pr_out(cdb, SCSI_PR_REGISTER_AND_MOVE, (enum scsi_pr_type)0, sizeof(list));
    put_be64(list, key);
    put_be64(list + 8, action_key);
    list[17] = flags;
    put_be16(list + 18, port);
    put_be32(list + 20, 64);
    list[24] = 0x45;
    put_be16(list + 26, 60);
    memcpy(list + 28, id, strlen(id) + 1);
    return array_end_of(array, nexus, cdb, list, sizeof(list));
}

static void a_reservation_moves_to_another_nexus(void **state)
{
    static const char to_b[] = "iqn.2024-01.lab:hv2,i,0x800000000002";
    static const char to_a[] = "iqn.2024-01.lab:hv1,i,0x800000000001";
    struct array array;
    uint64_t key = 0;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    assert_int_equal(move(&array, array.a, KEY_A, KEY_B, 2, to_b, 0), CHECK(5, 0x2400));
    pr_out(&array, array.a, SCSI_PR_RESERVE, 3, KEY_A, 0);
    assert_int_equal(move(&array, array.a, KEY_A, 0, 2, to_b, 0), CHECK(5, 0x2600));
    assert_int_equal(move(&array, array.a, KEY_A, KEY_B, 9, to_b, 0), CHECK(5, 0x2600));
    assert_int_equal(move(&array, array.a, KEY_A, KEY_B, 1, to_a, 0), CHECK(5, 0x2600));
    assert_int_equal(move(&array, array.a, KEY_A, KEY_B, 2, "iqn.no-isid", 0), CHECK(5, 0x2600));
    assert_int_equal(move(&array, array.b, KEY_B, KEY_B, 2, to_b, 0), CONFLICT);
    assert_int_equal(move(&array, array.a, KEY_A, KEY_B, 2, to_b, 0x02), 0); /* UNREG */
    assert_int_equal(read_block(&array, array.a), CONFLICT);
    assert_int_equal(read_block(&array, array.b), 0);
    assert_int_equal(held_type(&array, &key), 3);
    assert_true(key == KEY_B);
    assert_int_equal(device_registration_count(array.device, 0), 1);
    array_free(&array);
}

static void the_older_reservation_and_registrations_exclude_each_other(void **state)
{
    struct array array;
    (void)state;

    array_new(&array);
    register_key(&array, array.a, 0, KEY_A);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x16}, NULL, 0), CONFLICT);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x17}, NULL, 0), CONFLICT);
    register_key(&array, array.a, KEY_A, 0);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x16}, NULL, 0), 0);
    assert_int_equal(register_key(&array, array.b, 0, KEY_B), CONFLICT);
    array_free(&array);
}

static void registrations_are_bounded(void **state)
{
    struct array array;
    struct nexus *nexus;
    char name[64];
    (void)state;

    array_new(&array);
    for (unsigned i = 0; i <= PR_MOST_REGISTRATIONS; i++) {
        snprintf(name, sizeof(name), "iqn.2024-01.lab:many-%u", i);
        nexus = array_login(&array, name, 1, 1);
        clear_attentions(&array, nexus);
        assert_int_equal(register_key(&array, nexus, 0, KEY_A),
                         i < PR_MOST_REGISTRATIONS ? 0 : CHECK(5, 0x5504));
        device_nexus_free(array.device, nexus);
    }
    static struct answer answer;

    pr_in(&array, SCSI_PR_READ_FULL_STATUS, 65535, &answer);
    assert_int_equal(answer.bytes, 65535);
    assert_true(get_be32(answer.data + 4) > 65535);
    array_free(&array);
}

int main(void)
{
    TEST_ROWS(access_rows, a_type_grants_what_the_table_says);
    TEST_ROWS(type_rows, when_the_holder_unregisters_its_reservation_goes);
    TEST_ROWS(type_rows, release_is_for_holders_and_tells_registrants);
    TEST_ROWS(type_rows, a_second_reservation_conflicts_unless_it_is_the_same);
    TEST(registering_needs_the_right_key);
    TEST_ROWS(stranger_rows, a_stranger_or_a_wrong_key_changes_nothing);
    TEST_ROWS(list_rows, a_bad_list_is_refused);
    TEST(the_holder_is_preempted_and_the_challenger_holds);
    TEST(a_shared_key_goes_from_all_paths_of_a_node);
    TEST(preempting_a_registrant_that_holds_nothing_only_removes_it);
    TEST(the_holder_may_preempt_itself_to_change_the_type);
    TEST(all_registrants_are_preempted_by_a_key_of_zero);
    TEST(preempt_and_abort_waits_for_what_it_aborts);
    TEST(clear_ends_all_and_tells_the_others);
    TEST(registrations_outlive_sessions_and_resets);
    TEST(without_aptpl_a_loss_of_power_forgets);
    TEST(with_aptpl_all_is_durable_before_the_host_hears_good);
    TEST(a_change_that_was_not_durable_is_not_told_as_good);
    TEST(two_changes_at_once_share_the_record);
    TEST(power_lost_while_the_record_is_written_leaves_old_or_new);
    TEST(nonsense_in_the_record_counts_as_nothing);
    TEST(keys_are_all_counted_whatever_fits);
    TEST(the_full_status_names_every_registrant);
    TEST(a_reservation_moves_to_another_nexus);
    TEST(other_ports_are_registered_by_name);
    TEST(a_name_without_isid_registers_its_ports_that_are_here);
    TEST(transport_ids_that_lie_register_nobody);
    TEST(an_id_that_is_longer_than_the_list_registers_nobody);
    TEST(the_older_reservation_and_registrations_exclude_each_other);
    TEST(registrations_are_bounded);
    return TEST_RUN("target.reservation");
}
