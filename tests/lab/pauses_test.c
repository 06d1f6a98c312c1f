/* When a multipath disk stands still: I/O outstanding and no completion. */
#include "lab/pauses.h"

#include "sim/core/time.h"
#include "tests/lab/small_names.h"
#include "tests/test.h"

static struct san_names names;
static struct pauses *pauses;

static int open_lab(void **state)
{
    (void)state;
    names = small_names();
    pauses = pauses_new(&names);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    pauses_free(pauses);
    return 0;
}

static void expect_pause(const struct pause *pause, int64_t start_at_ns, int64_t end_at_ns,
                         uint64_t outstanding)
{
    assert_int_equal(pause->start_at_ns, start_at_ns);
    assert_int_equal(pause->end_at_ns, end_at_ns);
    assert_int_equal(pause->outstanding, outstanding);
}

static void an_idle_disk_does_not_pause(void **state)
{
    struct pause pause;
    (void)state;

    assert_false(pauses_now(pauses, SECONDS(9), HV1, STORE, &pause));
    pauses_submitted(pauses, MS(1), HV1, STORE);
    pauses_done(pauses, MS(2), HV1, STORE, false, &pause);
    assert_false(pauses_now(pauses, SECONDS(9), HV1, STORE, &pause));
}

static void the_first_io_after_idleness_begins_a_pause(void **state)
{
    struct pause pause;
    (void)state;

    pauses_submitted(pauses, MS(1), HV1, STORE);
    assert_true(pauses_done(pauses, MS(2), HV1, STORE, false, &pause));
    pauses_submitted(pauses, SECONDS(5), HV1, STORE); /* idle for long: that is no pause */
    assert_true(pauses_done(pauses, SECONDS(5) + MS(3), HV1, STORE, false, &pause));
    expect_pause(&pause, SECONDS(5), SECONDS(5) + MS(3), 1);
}

static void a_completion_ends_one_pause_and_begins_the_next(void **state)
{
    struct pause pause;
    (void)state;

    pauses_submitted(pauses, MS(10), HV1, STORE);
    pauses_submitted(pauses, MS(20), HV1, STORE);
    assert_true(pauses_done(pauses, MS(30), HV1, STORE, false, &pause));
    expect_pause(&pause, MS(10), MS(30), 2);
    pauses_submitted(pauses, MS(35), HV1, STORE); /* one waits already: the pause goes on */
    assert_true(pauses_now(pauses, MS(40), HV1, STORE, &pause));
    expect_pause(&pause, MS(30), MS(40), 2);
    assert_true(pauses_done(pauses, MS(50), HV1, STORE, false, &pause));
    expect_pause(&pause, MS(30), MS(50), 2);
}

static void an_error_is_no_completion(void **state)
{
    struct pause pause;
    (void)state;

    pauses_submitted(pauses, SECONDS(1), HV1, STORE);
    pauses_submitted(pauses, SECONDS(1), HV1, STORE);
    assert_false(pauses_done(pauses, SECONDS(2), HV1, STORE, true, &pause));
    assert_true(pauses_done(pauses, SECONDS(3), HV1, STORE, false, &pause));
    expect_pause(&pause, SECONDS(1), SECONDS(3), 2);
}

static void a_pause_tells_the_most_that_waited_in_it(void **state)
{
    struct pause pause;
    (void)state;

    for (int i = 0; i < 3; i++)
        pauses_submitted(pauses, SECONDS(1), HV1, STORE);
    for (int i = 0; i < 3; i++)
        pauses_done(pauses, SECONDS(2), HV1, STORE, i < 2, &pause); /* two errors, then good */
    expect_pause(&pause, SECONDS(1), SECONDS(2), 3);
    pauses_submitted(pauses, SECONDS(3), HV1, STORE);
    pauses_done(pauses, SECONDS(4), HV1, STORE, false, &pause);
    expect_pause(&pause, SECONDS(3), SECONDS(4), 1); /* those before count no more */
}

static void the_last_error_ends_the_pause_since_nothing_waits_any_more(void **state)
{
    struct pause pause;
    (void)state;

    pauses_submitted(pauses, SECONDS(1), HV1, STORE);
    assert_true(pauses_done(pauses, SECONDS(40), HV1, STORE, true, &pause));
    expect_pause(&pause, SECONDS(1), SECONDS(40), 1);
    pauses_submitted(pauses, SECONDS(50), HV1, STORE);
    assert_true(pauses_now(pauses, SECONDS(51), HV1, STORE, &pause));
    expect_pause(&pause, SECONDS(50), SECONDS(51), 1);
}

static void each_disk_of_each_host_pauses_by_itself(void **state)
{
    struct pause pause;
    (void)state;

    pauses_submitted(pauses, SECONDS(1), HV1, STORE);
    pauses_submitted(pauses, SECONDS(2), HV1, OWN);
    pauses_submitted(pauses, SECONDS(3), HV2, STORE);
    assert_true(pauses_done(pauses, SECONDS(4), HV1, OWN, false, &pause));
    expect_pause(&pause, SECONDS(2), SECONDS(4), 1);
    assert_int_equal(pause.host, HV1);
    assert_int_equal(pause.disk, OWN);
    assert_true(pauses_now(pauses, SECONDS(5), HV1, STORE, &pause));
    expect_pause(&pause, SECONDS(1), SECONDS(5), 1);
    assert_true(pauses_now(pauses, SECONDS(5), HV2, STORE, &pause));
    expect_pause(&pause, SECONDS(3), SECONDS(5), 1);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(an_idle_disk_does_not_pause),
        STORY(the_first_io_after_idleness_begins_a_pause),
        STORY(a_completion_ends_one_pause_and_begins_the_next),
        STORY(an_error_is_no_completion),
        STORY(a_pause_tells_the_most_that_waited_in_it),
        STORY(the_last_error_ends_the_pause_since_nothing_waits_any_more),
        STORY(each_disk_of_each_host_pauses_by_itself),
    };

    return cmocka_run_group_tests_name("lab.pauses", stories, NULL, NULL);
}
