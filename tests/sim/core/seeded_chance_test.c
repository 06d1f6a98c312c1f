/* The chance that challenges are made of. */
#include "sim/core/seeded_chance.h"

#include "tests/test.h"

#include <string.h>

static void draw(uint64_t seed, const char *name, uint8_t ret_bytes[48])
{
    struct seeded_chance seeded;

    seeded_chance_init(&seeded, seed, name);
    seeded.chance.fill(&seeded.chance, ret_bytes, 16);
    seeded.chance.fill(&seeded.chance, ret_bytes + 16, 32);
}

static void the_same_seed_and_name_give_the_same_bytes(void **state)
{
    uint8_t bytes[48];
    uint8_t again[48];
    (void)state;

    draw(7, "san1 chap", bytes);
    draw(7, "san1 chap", again);
    assert_memory_equal(bytes, again, sizeof(bytes));
}

static void another_seed_or_name_gives_others(void **state)
{
    uint8_t bytes[48];
    uint8_t other[48];
    (void)state;

    draw(7, "san1 chap", bytes);
    draw(8, "san1 chap", other);
    assert_memory_not_equal(bytes, other, 16);
    draw(7, "san2 chap", other);
    assert_memory_not_equal(bytes, other, 16);
}

static void no_challenge_comes_twice(void **state)
{
    uint8_t bytes[48];
    (void)state;

    draw(7, "san1 chap", bytes);
    assert_memory_not_equal(bytes, bytes + 16, 16);
    assert_memory_not_equal(bytes + 16, bytes + 32, 16);
}

static void a_length_that_is_no_multiple_of_eight_is_filled_and_no_more(void **state)
{
    struct seeded_chance seeded;
    uint8_t bytes[16] = {0};
    (void)state;

    seeded_chance_init(&seeded, 1, "x");
    for (int i = 0; i < 64; i++) {
        uint8_t drawn[16] = {0};

        seeded.chance.fill(&seeded.chance, drawn, 11);
        for (int j = 0; j < 16; j++)
            bytes[j] |= drawn[j];
    }
    for (int j = 0; j < 11; j++)
        assert_int_not_equal(bytes[j], 0);
    for (int j = 11; j < 16; j++)
        assert_int_equal(bytes[j], 0);
}

int main(void)
{
    TEST(the_same_seed_and_name_give_the_same_bytes);
    TEST(another_seed_or_name_gives_others);
    TEST(no_challenge_comes_twice);
    TEST(a_length_that_is_no_multiple_of_eight_is_filled_and_no_more);
    return TEST_RUN("sim.core.seeded_chance");
}
