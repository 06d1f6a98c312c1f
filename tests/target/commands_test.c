/* Each command's good and bad CDBs, and the order of the checks before it. */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define BAD_FIELD       CHECK(5, 0x2400)

/* All on a thin, removable disk of 16384 blocks of 512 bytes. */
static struct row {
    const char *name;
    uint8_t cdb[16];
    uint32_t end;   /* 0: GOOD */
    uint64_t bytes; /* transferred */
    int field;      /* with BAD_FIELD: the byte pointed at */
    int bit;
} rows[] = {
    {"TEST UNIT READY", {0x00}, 0, 0, 0, 0},
    {"TEST UNIT READY with a reserved bit", {0x00, 0, 0x10}, BAD_FIELD, 0, 2, 4},
    {"NACA is not supported", {0x00, 0, 0, 0, 0, 0x04}, BAD_FIELD, 0, 5, 2},
    {"an unknown operation code", {0xc1}, CHECK(5, 0x2000), 0, 0, 0},
    {"REQUEST SENSE, fixed", {0x03, 0, 0, 0, 252}, 0, 18, 0, 0},
    {"REQUEST SENSE, descriptor", {0x03, 1, 0, 0, 252}, 0, 8, 0, 0},
    {"INQUIRY", {0x12, 0, 0, 0, 96}, 0, 96, 0, 0},
    {"INQUIRY cut at 5 bytes", {0x12, 0, 0, 0, 5}, 0, 5, 0, 0},
    {"INQUIRY with no room", {0x12, 0, 0, 0, 0}, 0, 0, 0, 0},
    {"INQUIRY with 16 bits of room", {0x12, 0, 0, 2, 0}, 0, 96, 0, 0},
    {"INQUIRY of a page without EVPD", {0x12, 0, 0x80, 0, 96}, BAD_FIELD, 0, 2, 7},
    {"INQUIRY of an unknown page", {0x12, 1, 0x9f, 0, 96}, BAD_FIELD, 0, 2, 7},
    {"INQUIRY with the obsolete CMDDT", {0x12, 2, 0, 0, 96}, BAD_FIELD, 0, 1, 1},
    {"READ CAPACITY(10)", {0x25}, 0, 8, 0, 0},
    {"READ CAPACITY(10) with PMI", {0x25, 0, 0, 0, 0, 0, 0, 0, 1}, BAD_FIELD, 0, 8, 0},
    {"READ CAPACITY(16)", {0x9e, 0x10, [13] = 96}, 0, 32, 0, 0},
    {"READ CAPACITY(16) with no room", {0x9e, 0x10}, 0, 0, 0, 0},
    {"an unknown service action points at byte 1", {0x9e, 0x1f}, BAD_FIELD, 0, 1, 4},
    {"REPORT LUNS", {0xa0, [9] = 255}, 0, 16, 0, 0},
    {"REPORT LUNS of well known units", {0xa0, 0, 1, [9] = 255}, 0, 8, 0, 0},
    {"REPORT LUNS with a reserved selection", {0xa0, 0, 0x20, [9] = 255}, BAD_FIELD, 0, 2, 7},
    {"REPORT TARGET PORT GROUPS", {0xa3, 0x0a, [9] = 255}, 0, 28, 0, 0},
    {"REPORT TARGET PORT GROUPS, extended", {0xa3, 0x2a, [9] = 255}, 0, 32, 0, 0},
    {"REPORT TARGET PORT GROUPS, bad format", {0xa3, 0x4a, [9] = 255}, BAD_FIELD, 0, 1, 7},
    {"REPORT SUPPORTED OPCODES of one", {0xa3, 0x0c, 1, 0x28, [9] = 255}, 0, 14, 0, 0},
    {"REPORT SUPPORTED OPCODES of one that has actions",
     {0xa3, 0x0c, 1, 0x9e, [9] = 255},
     BAD_FIELD,
     0,
     2,
     2},
    {"REPORT SUPPORTED OPCODES of an action that has none",
     {0xa3, 0x0c, 2, 0x28, [9] = 255},
     BAD_FIELD,
     0,
     2,
     2},
    {"REPORT SUPPORTED OPCODES, reserved option", {0xa3, 0x0c, 7, [9] = 255}, BAD_FIELD, 0, 2, 2},
    {"REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", {0xa3, 0x0d, [9] = 255}, 0, 4, 0, 0},
    {"MODE SENSE(6) of all pages", {0x1a, 0, 0x3f, 0, 255}, 0, 4 + 8 + 12 + 20 + 12 + 12, 0, 0},
    {"MODE SENSE(6) of all pages and subpages",
     {0x1a, 0, 0x3f, 0xff, 255},
     0,
     4 + 8 + 12 + 20 + 12 + 12,
     0,
     0},
    {"MODE SENSE(6) without block descriptor", {0x1a, 8, 0x0a, 0, 255}, 0, 16, 0, 0},
    {"MODE SENSE(6) with four bytes of room", {0x1a, 0, 0x3f, 0, 4}, 0, 4, 0, 0},
    {"MODE SENSE(6) of an unknown page", {0x1a, 0, 0x05, 0, 255}, BAD_FIELD, 0, 2, 5},
    {"MODE SENSE(6) of an unknown subpage", {0x1a, 0, 0x0a, 1, 255}, BAD_FIELD, 0, 2, 5},
    {"MODE SENSE(6) of saved values", {0x1a, 0, 0xca, 0, 255}, 0, 4 + 8 + 12, 0, 0},
    {"MODE SENSE(10)", {0x5a, 0, 0x08, [8] = 255}, 0, 8 + 8 + 20, 0, 0},
    {"MODE SENSE(10) with long block descriptor", {0x5a, 0x10, 0x08, [8] = 255}, 0, 44, 0, 0},
    {"READ(6)", {0x08, 0, 0, 0, 1}, 0, 512, 0, 0},
    {"READ(6) of 0 is 256 blocks", {0x08, 0, 0, 0, 0}, 0, 256 * 512, 0, 0},
    {"READ(10)", {0x28, [8] = 8}, 0, 4096, 0, 0},
    {"READ(10) with DPO and FUA", {0x28, 0x18, [8] = 8}, 0, 4096, 0, 0},
    {"READ(10) with a group number", {0x28, [6] = 0x1f, [8] = 8}, 0, 4096, 0, 0},
    {"READ(10) with RDPROTECT", {0x28, 0x20, [8] = 8}, BAD_FIELD, 0, 1, 5},
    {"READ(10) of the last block", {0x28, [4] = 0x3f, [5] = 0xff, [8] = 1}, 0, 512, 0, 0},
    {"READ(10) over the end", {0x28, [4] = 0x3f, [5] = 0xff, [8] = 2}, CHECK(5, 0x2100), 0, 0, 0},
    {"READ(10) of nothing", {0x28}, 0, 0, 0, 0},
    {"READ(10) of nothing at the end", {0x28, [4] = 0x40}, 0, 0, 0, 0},
    {"READ(10) of nothing behind the end", {0x28, [4] = 0x40, [5] = 1}, CHECK(5, 0x2100), 0, 0, 0},
    {"READ(12)", {0xa8, [9] = 8}, 0, 4096, 0, 0},
    {"READ(16)", {0x88, [13] = 8}, 0, 4096, 0, 0},
    {"READ(16) near 2^64",
     {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [13] = 2},
     CHECK(5, 0x2100),
     0,
     0,
     0},
    {"READ(16) of 2^32 - 1 blocks",
     {0x88, [10] = 0xff, 0xff, 0xff, 0xff},
     CHECK(5, 0x2100),
     0,
     0,
     0},
    {"SYNCHRONIZE CACHE(10)", {0x35}, 0, 0, 0, 0},
    {"SYNCHRONIZE CACHE(10) with IMMED", {0x35, 2}, 0, 0, 0, 0},
    {"SYNCHRONIZE CACHE(16) over the end", {0x91, [8] = 0x40, [13] = 1}, CHECK(5, 0x2100), 0, 0, 0},
    {"START STOP UNIT: stop", {0x1b}, 0, 0, 0, 0},
    {"START STOP UNIT: active", {0x1b, 0, 0, 0, 0x10}, 0, 0, 0, 0},
    {"PREVENT ALLOW: allow", {0x1e}, 0, 0, 0, 0},
    {"PREVENT ALLOW: persistent", {0x1e, 0, 0, 0, 2}, BAD_FIELD, 0, 4, 1},
    {"PERSISTENT RESERVE IN: READ KEYS", {0x5e, 0, [8] = 255}, 0, 8, 0, 0},
    {"PERSISTENT RESERVE IN: READ RESERVATION", {0x5e, 1, [8] = 255}, 0, 8, 0, 0},
    {"PERSISTENT RESERVE IN: REPORT CAPABILITIES", {0x5e, 2, [8] = 255}, 0, 8, 0, 0},
    {"PERSISTENT RESERVE IN: READ FULL STATUS", {0x5e, 3, [8] = 255}, 0, 8, 0, 0},
    {"PERSISTENT RESERVE IN: reserved action", {0x5e, 4, [8] = 255}, BAD_FIELD, 0, 1, 4},
    {"PERSISTENT RESERVE OUT without a list", {0x5f, 0}, CHECK(5, 0x1a00), 0, 0, 0},
    {"PERSISTENT RESERVE OUT: reserved action", {0x5f, 8, [8] = 24}, BAD_FIELD, 0, 1, 4},
    {"UNMAP of an empty list", {0x42}, 0, 0, 0, 0},
};

static void ends_as_it_should(void **state)
{
    static struct answer answer;
    const struct row *row = *state;
    struct array array;

    array_new_with(
        &array, &(struct array_setup){.disk = {.is_removable = true, .is_thin = true}, .tpgs = 1});
    array_do(&array, array.a, row->cdb, NULL, 0, UINT32_MAX, &answer);
    assert_int_equal(answer.status, row->end ? SCSI_CHECK_CONDITION : SCSI_GOOD);
    assert_int_equal(answer.sense, row->end);
    if (row->end == BAD_FIELD) {
        assert_true(answer.details.has_field_pointer);
        assert_true(answer.details.is_field_in_cdb);
        assert_int_equal(answer.details.field_pointer, row->field);
        assert_true(answer.details.has_bit_pointer);
        assert_int_equal(answer.details.bit_pointer, row->bit);
    } else if (!row->end) {
        assert_int_equal(answer.transfer_bytes, row->bytes);
        assert_int_equal(answer.bytes, row->bytes);
    }
    array_free(&array);
}

static void a_fixed_disk_knows_no_unmap_and_no_eject(void **state)
{
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.tpgs = 0});
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x42}, NULL, 0), CHECK(5, 0x2000));
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x1b, 0, 0, 0, 2}, NULL, 0),
                     BAD_FIELD);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0xa3, 0x0a}, NULL, 0), BAD_FIELD);
    array_free(&array);
}

static void a_lun_that_is_not_there_answers_what_it_must(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    uint64_t nowhere = UINT64_C(7) << 48;

    array_do_at(&array, array.a, nowhere, (uint8_t[16]){0x12, 0, 0, 0, 96}, NULL, 0, 96, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.data[0], 0x7f);
    array_do_at(&array, array.a, nowhere, (uint8_t[16]){0xa0, [9] = 96}, NULL, 0, 96, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(get_be32(answer.data), 8);
    array_do_at(&array, array.a, nowhere, (uint8_t[16]){0x03, 0, 0, 0, 96}, NULL, 0, 96, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(get_be16(answer.data + 12), 0x2500);
    array_do_at(&array, array.a, nowhere, (uint8_t[16]){0x00}, NULL, 0, 0, &answer);
    assert_int_equal(answer.sense, CHECK(5, 0x2500));
    array_do_at(&array, array.a, nowhere, (uint8_t[16]){0xc1}, NULL, 0, 0, &answer);
    assert_int_equal(answer.sense, CHECK(5, 0x2000));
    array_free(&array);
}

static struct lun_row {
    const char *name;
    uint64_t field;
    bool is_there;
} lun_rows[] = {
    {"LUN 0, peripheral", 0, true},
    {"LUN 0, flat space", UINT64_C(0x4000) << 48, true},
    {"LUN 3, peripheral", UINT64_C(3) << 48, true},
    {"LUN 3, flat space", UINT64_C(0x4003) << 48, true},
    {"a bus that is none", UINT64_C(0x0103) << 48, false},
    {"logical unit addressing", UINT64_C(0x8003) << 48, false},
    {"the well known REPORT LUNS unit", UINT64_C(0xc101) << 48, false},
    {"a second level", UINT64_C(3) << 48 | UINT64_C(1) << 32, false},
    {"a LUN that is free", UINT64_C(2) << 48, false},
};

static void a_lun_field_names_a_unit(void **state)
{
    static struct answer answer;
    const struct lun_row *row = *state;
    struct array array;

    array_new(&array);
    device_add_disk(array.device, 3,
                    &(struct disk_config){.name = "more",
                                          .store = media_interface(array.media),
                                          .block_bytes = 4096});
    array_do_at(&array, array.a, row->field, (uint8_t[16]){0x12, 0, 0, 0, 96}, NULL, 0, 96,
                &answer);
    assert_int_equal(answer.data[0], row->is_there ? 0 : 0x7f);
    array_free(&array);
}

static void an_added_disk_is_told_to_those_who_know_the_others(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    device_add_disk(array.device, 255,
                    &(struct disk_config){.name = "more",
                                          .store = media_interface(array.media),
                                          .block_bytes = 4096});
    assert_int_equal(array_test_unit(&array, array.a), CHECK(6, 0x3f0e));
    assert_int_equal(array_test_unit(&array, array.a), 0);
    array_do(&array, array.b, (uint8_t[16]){0xa0, [9] = 96}, NULL, 0, 96, &answer);
    assert_int_equal(get_be32(answer.data), 16);
    assert_int_equal(get_be16(answer.data + 16), 255);
    assert_int_equal(array_test_unit(&array, array.b), 0); /* REPORT LUNS has answered it */
    array_free(&array);
}

/* Section by section, what is wrong first wins although all that follows is wrong too. */
static void checks_come_in_the_order_of_the_standard(void **state)
{
    struct array array;
    uint8_t read[16] = {0x28, 0x20, [4] = 0xff, [8] = 1}; /* RDPROTECT, and out of range */
    uint8_t stray_opcode[16] = {0xc1, 0x20};
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.is_removable = true}, .tpgs = 1});
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x16}, NULL, 0), 0); /* RESERVE */
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x1b, 0, 0, 0, 2}, NULL, 0), 0);
    device_set_group_state(array.device, 2, ALUA_STANDBY, NULL);
    assert_int_equal(array_end_of(&array, array.b, stray_opcode, NULL, 0), CHECK(5, 0x2000));
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CONFLICT);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x16}, NULL, 0), CHECK(6, 0x2a06));
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x17}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CHECK(6, 0x2a06));
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CHECK(2, 0x040b));
    device_set_group_state(array.device, 2, ALUA_ACTIVE_OPTIMIZED, array.b);
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CHECK(2, 0x3a00));
    clear_attentions(&array, array.a);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x1b, 0, 0, 0, 3}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CHECK(6, 0x2800));
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), BAD_FIELD);
    read[1] = 0;
    assert_int_equal(array_end_of(&array, array.b, read, NULL, 0), CHECK(5, 0x2100));
    array_free(&array);
}

static struct state_row {
    const char *name;
    enum alua_state state;
    uint32_t test_unit;
    uint32_t read;
    uint32_t pr_in;
} state_rows[] = {
    {"active/non-optimized works", ALUA_ACTIVE_NON_OPTIMIZED, 0, 0, 0},
    {"standby knows the disk but no medium", ALUA_STANDBY, 0, CHECK(2, 0x040b), 0},
    {"unavailable", ALUA_UNAVAILABLE, CHECK(2, 0x040c), CHECK(2, 0x040c), CHECK(2, 0x040c)},
    {"offline", ALUA_OFFLINE, CHECK(2, 0x040c), CHECK(2, 0x040c), CHECK(2, 0x040c)},
    {"transitioning", ALUA_TRANSITIONING, CHECK(2, 0x040a), CHECK(2, 0x040a), CHECK(2, 0x040a)},
};

static void a_port_group_state_lets_some_commands_through(void **state)
{
    static struct answer answer;
    const struct state_row *row = *state;
    struct array array;

    array_new(&array);
    assert_true(device_set_group_state(array.device, 2, row->state, NULL));
    assert_false(device_set_group_state(array.device, 99, row->state, NULL));
    clear_attentions(&array, array.a);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x35}, NULL, 0), CHECK(6, 0x2a06));
    assert_int_equal(array_test_unit(&array, array.b), row->test_unit);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x28, [8] = 1}, NULL, 0),
                     row->read);
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x5e, [8] = 9}, NULL, 0),
                     row->pr_in);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x28, [8] = 1}, NULL, 0), 0);
    array_do(&array, array.b, (uint8_t[16]){0xa3, 0x0a, [9] = 255}, NULL, 0, 255, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(get_be32(answer.data), 24);
    assert_int_equal(answer.data[4], ALUA_ACTIVE_OPTIMIZED);
    assert_int_equal(get_be16(answer.data + 6), 1);  /* group */
    assert_int_equal(get_be16(answer.data + 14), 1); /* port */
    assert_int_equal(answer.data[16], row->state);
    assert_int_equal(get_be16(answer.data + 18), 2);
    assert_int_equal(get_be16(answer.data + 26), 2);
    array_free(&array);
}

static void the_medium_comes_and_goes_unless_prevented(void **state)
{
    struct array array;
    uint8_t eject[16] = {0x1b, 0, 0, 0, 2};
    uint8_t load[16] = {0x1b, 0, 0, 0, 3};
    uint8_t prevent[16] = {0x1e, 0, 0, 0, 1};
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.is_removable = true}});
    assert_int_equal(array_end_of(&array, array.a, prevent, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, eject, NULL, 0), CHECK(5, 0x5302));
    device_nexus_free(array.device, array.a); /* logout ends the prevention */
    array.a = NULL;
    assert_int_equal(array_end_of(&array, array.b, eject, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.b, eject, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(2, 0x3a00));
    assert_int_equal(array_end_of(&array, array.b, (uint8_t[16]){0x25}, NULL, 0), CHECK(2, 0x3a00));
    assert_int_equal(array_end_of(&array, array.b, load, NULL, 0), 0);
    assert_int_equal(array_test_unit(&array, array.b), 0);
    array_free(&array);
}

static void every_listed_command_answers_for_itself(void **state)
{
    static struct answer all;
    static struct answer one;
    struct array array;
    unsigned count = 0;
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.is_thin = true}, .tpgs = 1});
    array_do(&array, array.a, (uint8_t[16]){0xa3, 0x0c, 0x80, [8] = 0xff, [9] = 0xff}, NULL, 0,
             65535, &all);
    assert_int_equal(get_be32(all.data) + 4, all.bytes);
    for (size_t at = 4; at < all.bytes; at += 20, count++) {
        const uint8_t *entry = all.data + at;
        bool has_action = entry[5] & 1;
        uint8_t cdb[16] = {0xa3, 0x0c, has_action ? 2 : 1, entry[0], entry[2], entry[3], 0, 0,
                           0,    64};

        assert_int_equal(entry[5] & 2, 2); /* CTDP */
        assert_int_equal(get_be16(entry + 8), 10);
        array_do(&array, array.a, cdb, NULL, 0, 64, &one);
        assert_int_equal(one.status, SCSI_GOOD);
        assert_int_equal(one.data[1], 3);
        assert_int_equal(get_be16(one.data + 2), get_be16(entry + 6));
        assert_int_equal(one.data[4], entry[0]);
        assert_int_equal(one.bytes, 4u + get_be16(entry + 6));
        if (has_action)
            assert_int_equal(one.data[5] & 0x1f, entry[3]);
    }
    assert_in_range(count, 60, 80);
    array_do(&array, array.a, (uint8_t[16]){0xa3, 0x0c, 1, 0xc1, [9] = 64}, NULL, 0, 64, &one);
    assert_int_equal(one.data[1], 1); /* not supported */
    array_free(&array);
}

/* SET TARGET PORT GROUPS with the states of groups 'a' and 'b'. */
static uint32_t set_groups(struct array *array, uint8_t state_a, uint8_t group_a, uint8_t state_b,
                           uint8_t group_b)
{
    uint8_t list[12] = {[4] = state_a, [7] = group_a, [8] = state_b, [11] = group_b};

    return array_end_of(array, array->a, (uint8_t[16]){0xa4, 0x0a, [9] = sizeof(list)}, list,
                        sizeof(list));
}

static void a_host_moves_port_groups_where_it_may(void **state)
{
    static struct answer groups;
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.tpgs = TPGS_EXPLICIT | TPGS_IMPLICIT});
    /* All or nothing: a bad descriptor behind a good one changes nothing. */
    assert_int_equal(set_groups(&array, ALUA_STANDBY, 1, ALUA_TRANSITIONING, 2), CHECK(5, 0x2600));
    assert_int_equal(set_groups(&array, ALUA_STANDBY, 1, ALUA_STANDBY, 9), CHECK(5, 0x2600));
    assert_int_equal(set_groups(&array, ALUA_STANDBY, 1, ALUA_ACTIVE_OPTIMIZED, 1),
                     CHECK(5, 0x2600));
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(set_groups(&array, ALUA_STANDBY, 1, ALUA_ACTIVE_NON_OPTIMIZED, 2), 0);
    assert_int_equal(array_test_unit(&array, array.a), 0); /* the sender knows */
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2a06));
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x28, [8] = 1}, NULL, 0),
                     CHECK(2, 0x040b));
    array_do(&array, array.b, (uint8_t[16]){0xa3, 0x0a, [9] = 255}, NULL, 0, 255, &groups);
    assert_int_equal(groups.data[4] & 0x0f, ALUA_STANDBY);
    assert_int_equal(groups.data[4 + 5], 1); /* by SET TARGET PORT GROUPS */
    assert_int_equal(groups.data[4 + 12] & 0x0f, ALUA_ACTIVE_NON_OPTIMIZED);
    /* From the standby path it goes back. */
    assert_int_equal(set_groups(&array, ALUA_ACTIVE_OPTIMIZED, 1, ALUA_STANDBY, 2), 0);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0x28, [8] = 1}, NULL, 0), 0);
    assert_int_equal(array_end_of(&array, array.a, (uint8_t[16]){0xa4, 0x0a, [9] = 6}, "123456", 6),
                     CHECK(5, 0x1a00));
    array_free(&array);
    array_new(&array); /* implicit only */
    assert_int_equal(set_groups(&array, ALUA_STANDBY, 1, ALUA_STANDBY, 2), BAD_FIELD);
    array_free(&array);
}

int main(void)
{
    TEST_ROWS(rows, ends_as_it_should);
    TEST(a_fixed_disk_knows_no_unmap_and_no_eject);
    TEST(a_lun_that_is_not_there_answers_what_it_must);
    TEST_ROWS(lun_rows, a_lun_field_names_a_unit);
    TEST(an_added_disk_is_told_to_those_who_know_the_others);
    TEST(checks_come_in_the_order_of_the_standard);
    TEST_ROWS(state_rows, a_port_group_state_lets_some_commands_through);
    TEST(the_medium_comes_and_goes_unless_prevented);
    TEST(every_listed_command_answers_for_itself);
    TEST(a_host_moves_port_groups_where_it_may);
    return TEST_RUN("target.commands");
}
