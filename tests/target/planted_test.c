/* Each planted bug breaks what it says, and nothing is broken without one. */
#include "tests/target/array.h"

static void write_value(struct array *array, struct nexus *nexus, uint8_t lba, uint8_t value)
{
    uint8_t block[4096];

    memset(block, value, sizeof(block));
    assert_int_equal(
        array_end_of(array, nexus, (uint8_t[16]){0x2a, [5] = lba, [8] = 8}, block, sizeof(block)),
        0);
}

static const uint8_t *read_values(struct array *array, struct nexus *nexus, uint8_t lba)
{
    static struct answer answer;

    array_do(array, nexus, (uint8_t[16]){0x28, [5] = lba, [8] = 8}, NULL, 0, 4096, &answer);
    assert_int_equal(answer.status, SCSI_GOOD);
    assert_int_equal(answer.bytes, 4096);
    return answer.data;
}

static void begin(struct array *array, enum plant plant)
{
    array_new_with(array, &(struct array_setup){.plant = plant});
}

static void without_a_plant_a_thousand_writes_are_whole(void **state)
{
    struct array array;
    (void)state;

    begin(&array, PLANT_NONE);
    for (unsigned i = 1; i <= 1001; i++) {
        uint8_t value = (uint8_t)(i % 255 + 1);

        write_value(&array, i % 2 ? array.a : array.b, 0, value);
        const uint8_t *values = read_values(&array, i % 2 ? array.b : array.a, 0);

        assert_int_equal(values[0], value);
        assert_int_equal(values[4095], value);
    }
    array_free(&array);
}

static void d1_drops_the_thousandth_write(void **state)
{
    struct array array;
    (void)state;

    if (!plant_is_on(PLANT_D1, PLANT_D1))
        skip();
    begin(&array, PLANT_D1);
    for (unsigned i = 1; i < 1000; i++)
        write_value(&array, array.a, 0, 1);
    assert_int_equal(read_values(&array, array.a, 0)[0], 1);
    write_value(&array, array.a, 0, 2);
    assert_int_equal(read_values(&array, array.a, 0)[0], 1);
    write_value(&array, array.a, 0, 3);
    assert_int_equal(read_values(&array, array.a, 0)[0], 3);
    array_free(&array);
}

static void d2_reads_stale_blocks_through_the_second_portal(void **state)
{
    struct array array;
    (void)state;

    if (!plant_is_on(PLANT_D2, PLANT_D2))
        skip();
    begin(&array, PLANT_D2);
    write_value(&array, array.a, 0, 1);
    assert_int_equal(read_values(&array, array.b, 0)[0], 1);
    write_value(&array, array.a, 0, 2);
    assert_int_equal(read_values(&array, array.a, 0)[0], 2);
    assert_int_equal(read_values(&array, array.b, 0)[0], 1);
    assert_int_equal(read_values(&array, array.b, 8)[0], 0);
    array_free(&array);
}

static void d4_flips_back_from_portal_to_portal(void **state)
{
    struct array array;
    (void)state;

    if (!plant_is_on(PLANT_D4, PLANT_D4))
        skip();
    begin(&array, PLANT_D4);
    write_value(&array, array.a, 0, 1);
    assert_int_equal(read_values(&array, array.a, 0)[0], 1);
    write_value(&array, array.b, 0, 2);
    assert_int_equal(read_values(&array, array.a, 0)[0], 1);
    assert_int_equal(read_values(&array, array.b, 0)[0], 2);
    assert_int_equal(read_values(&array, array.a, 0)[0], 1);
    array_free(&array);
}

static void d6_tears_a_block_of_the_thousandth_write(void **state)
{
    struct array array;
    (void)state;

    if (!plant_is_on(PLANT_D6, PLANT_D6))
        skip();
    begin(&array, PLANT_D6);
    for (unsigned i = 1; i < 1000; i++)
        write_value(&array, array.a, 0, 1);
    write_value(&array, array.a, 0, 2);
    const uint8_t *values = read_values(&array, array.b, 0);

    assert_int_equal(values[4096 - BLOCK_BYTES / 2 - 1], 2);
    assert_int_equal(values[4096 - BLOCK_BYTES / 2], 1);
    array_free(&array);
}

int main(void)
{
    TEST(without_a_plant_a_thousand_writes_are_whole);
    TEST(d1_drops_the_thousandth_write);
    TEST(d2_reads_stale_blocks_through_the_second_portal);
    TEST(d4_flips_back_from_portal_to_portal);
    TEST(d6_tears_a_block_of_the_thousandth_write);
    return TEST_RUN("target.planted");
}
