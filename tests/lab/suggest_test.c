#include "tests/test.h"

#include "lab/suggest.h"

static struct row {
    const char *name;
    const char *a;
    const char *b;
    unsigned distance;
} rows[] = {
    {"equal words", "power-off", "power-off", 0},
    {"a letter is missing", "pwer-off", "power-off", 1},
    {"a letter is too many", "poower-off", "power-off", 1},
    {"a letter is another", "bower-off", "power-off", 1},
    {"neighbours changed places", "pwoer-off", "power-off", 1},
    {"words that differ too much are all as far", "freeze", "thaw", 4},
    {"a length that differs too much is enough", "a", "abcdefgh", 4},
    {"an empty word", "", "ab", 2},
};

static void counts_the_changes(void **state)
{
    const struct row *row = *state;

    assert_int_equal(suggest_distance(row->a, row->b, 3), row->distance);
    assert_int_equal(suggest_distance(row->b, row->a, 3), row->distance);
}

static void takes_the_nearest_and_of_equals_the_first(void **state)
{
    struct suggestion suggestion;
    (void)state;

    suggest_init(&suggestion, "switch-3");
    suggest_offer(&suggestion, "san1");
    suggest_offer(&suggestion, "switch-1");
    suggest_offer(&suggestion, "switch-2");
    assert_string_equal(suggestion.best, "switch-1");
}

static void says_nothing_rather_than_nonsense(void **state)
{
    struct suggestion suggestion;
    (void)state;

    suggest_init(&suggestion, "hv1");
    suggest_offer(&suggestion, "san1");
    suggest_offer(&suggestion, "switch-1");
    assert_null(suggestion.best);
}

int main(void)
{
    TEST_ROWS(rows, counts_the_changes);
    TEST(takes_the_nearest_and_of_equals_the_first);
    TEST(says_nothing_rather_than_nonsense);
    return TEST_RUN("lab.suggest");
}
