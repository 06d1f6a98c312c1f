/* What every cmocka test of the project shares: named tests, and rows that are tests of their own.
 *
 *     int main(void)
 *     {
 *         TEST(gives_up_when_the_ping_stays_unanswered);
 *         TEST_ROWS(rows, parses_as_written);
 *         return TEST_RUN("sim.core.span");
 *     }
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>

#define TEST_MOST 1024

static struct CMUnitTest test_list[TEST_MOST];
static size_t test_count;

static inline void test_add(const char *name, CMUnitTestFunction function, void *state)
{
    assert(test_count < TEST_MOST);
    test_list[test_count++] =
        (struct CMUnitTest){.name = name, .test_func = function, .initial_state = state};
}

/* One story. */
#define TEST(function) test_add(#function, function, NULL)

/* One test per row, under the row's 'name'; the function gets the row as '*state'. */
#define TEST_ROWS(rows, function)                                                                  \
    do {                                                                                           \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof((rows)[0]); row_++)                     \
            test_add((rows)[row_].name, function, &(rows)[row_]);                                  \
    } while (0)

#define TEST_RUN(group) _cmocka_run_group_tests(group, test_list, test_count, NULL, NULL)
