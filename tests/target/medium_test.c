/* A medium that comes and goes (RMB = 1): START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL between
 * several nexuses, and what a stop does for a volatile cache.
 */
#include "tests/target/array.h"

#define CHECK(key, asc) ((uint32_t)(key) << 16 | (asc))
#define PREVENTED       CHECK(5, 0x5302)
#define NO_MEDIUM       CHECK(2, 0x3a00)

static const uint8_t eject[16] = {0x1b, 0, 0, 0, 2};
static const uint8_t load[16] = {0x1b, 0, 0, 0, 3};
static const uint8_t prevent[16] = {0x1e, 0, 0, 0, 1};
static const uint8_t allow[16] = {0x1e, 0, 0, 0, 0};

static void new_removable(struct array *array)
{
    array_new_with(array,
                   &(struct array_setup){.disk = {.is_removable = true, .has_write_cache = true}});
}

static uint32_t end_of(struct array *array, struct nexus *nexus, const uint8_t *cdb)
{
    return array_end_of(array, nexus, cdb, NULL, 0);
}

/* ---- prevention ---- */

static void each_nexus_prevents_for_itself(void **state)
{
    struct array array;
    (void)state;

    new_removable(&array);
    assert_int_equal(end_of(&array, array.a, prevent), 0);
    assert_int_equal(end_of(&array, array.a, prevent), 0); /* twice is once */
    assert_int_equal(end_of(&array, array.b, prevent), 0);
    assert_int_equal(end_of(&array, array.a, allow), 0);
    assert_int_equal(end_of(&array, array.a, eject), PREVENTED);
    assert_int_equal(end_of(&array, array.a, load), PREVENTED);
    assert_int_equal(end_of(&array, array.b, allow), 0);
    assert_int_equal(end_of(&array, array.a, eject), 0);
    assert_int_equal(end_of(&array, array.a, prevent), 0); /* without a medium, too */
    assert_int_equal(end_of(&array, array.a, load), PREVENTED);
    assert_int_equal(end_of(&array, array.a, allow), 0);
    array_free(&array);
}

static struct reset_row {
    const char *name;
    enum tmf_function function;
} reset_rows[] = {
    {"LOGICAL UNIT RESET allows removal", TMF_LOGICAL_UNIT_RESET},
    {"TARGET WARM RESET allows removal", TMF_TARGET_WARM_RESET},
    {"TARGET COLD RESET allows removal", TMF_TARGET_COLD_RESET},
};

static void is_managed(struct scsi_tmf *tmf)
{
    assert_int_equal(tmf->response, TMF_FUNCTION_COMPLETE);
}

static void a_reset_ends_every_prevention(void **state)
{
    const struct reset_row *row = *state;
    struct array array;
    struct scsi_tmf tmf = {.function = row->function, .on_done = is_managed};

    new_removable(&array);
    assert_int_equal(end_of(&array, array.a, prevent), 0);
    assert_int_equal(end_of(&array, array.b, prevent), 0);
    tmf.nexus = array.a;
    (void)device_manage(array.device, &tmf);
    array_run(&array, MS(1));
    clear_attentions(&array, array.a);
    assert_int_equal(end_of(&array, array.a, eject), 0);
    array_free(&array);
}

/* ---- the medium ---- */

static void others_learn_that_a_medium_came(void **state)
{
    struct array array;
    (void)state;

    new_removable(&array);
    assert_int_equal(end_of(&array, array.a, load), 0); /* it is there already: nothing to tell */
    assert_int_equal(array_test_unit(&array, array.b), 0);
    assert_int_equal(end_of(&array, array.a, eject), 0);
    assert_int_equal(array_test_unit(&array, array.b), NO_MEDIUM);
    assert_int_equal(end_of(&array, array.a, load), 0);
    assert_int_equal(array_test_unit(&array, array.a), 0);
    assert_int_equal(array_test_unit(&array, array.b), CHECK(6, 0x2800));
    assert_int_equal(array_test_unit(&array, array.b), 0);
    array_free(&array);
}

static void a_power_condition_ejects_nothing(void **state)
{
    struct array array;
    (void)state;

    new_removable(&array);
    for (uint8_t condition = 1; condition < 16; condition++) {
        uint8_t cdb[16] = {0x1b, 0, 0, 0, (uint8_t)(condition << 4 | 2)};

        assert_int_equal(end_of(&array, array.a, cdb), 0);
        assert_int_equal(array_test_unit(&array, array.a), 0);
    }
    array_free(&array);
}

/* ---- the cache ---- */

static struct stop_row {
    const char *name;
    uint8_t cdb[16];
    bool is_kept;
} stop_rows[] = {
    {"a stop brings the cache to the medium", {0x1b}, true},
    {"a stop with IMMED does so", {0x1b, 1}, true},
    {"an eject does so", {0x1b, 0, 0, 0, 2}, true},
    {"a stop with NO_FLUSH promises nothing", {0x1b, 0, 0, 0, 4}, false},
    {"a start promises nothing", {0x1b, 0, 0, 0, 1}, false},
};

static void stops_as_it_is_told(void **state)
{
    const struct stop_row *row = *state;
    struct array array;
    uint8_t data[BLOCK_BYTES];
    unsigned kept = 0;

    new_removable(&array);
    memset(data, 0x77, sizeof(data));
    for (uint8_t i = 0; i < 24; i++) {
        uint8_t cdb[16] = {0x2a, [5] = (uint8_t)(i * 8), [8] = 1};

        assert_int_equal(array_end_of(&array, array.a, cdb, data, sizeof(data)), 0);
    }
    assert_int_equal(end_of(&array, array.a, row->cdb), 0);
    device_crash(array.device);
    clear_attentions(&array, array.a);
    assert_int_equal(end_of(&array, array.a, load), 0);
    clear_attentions(&array, array.a);
    for (uint8_t i = 0; i < 24; i++) {
        static struct answer there;
        uint8_t cdb[16] = {0x28, [5] = (uint8_t)(i * 8), [8] = 1};

        array_do(&array, array.a, cdb, NULL, 0, BLOCK_BYTES, &there);
        assert_int_equal(there.status, SCSI_GOOD);
        kept += memcmp(there.data, data, sizeof(data)) == 0;
    }
    if (row->is_kept)
        assert_int_equal(kept, 24);
    else
        assert_in_range(kept, 1, 23);
    array_free(&array);
}

int main(void)
{
    TEST(each_nexus_prevents_for_itself);
    TEST_ROWS(reset_rows, a_reset_ends_every_prevention);
    TEST(others_learn_that_a_medium_came);
    TEST(a_power_condition_ejects_nothing);
    TEST_ROWS(stop_rows, stops_as_it_is_told);
    return TEST_RUN("target.medium");
}
