/* Rule L1's view: which paths can carry full-size frames, and after how long one must be back. */
#include "lab/healthy.h"

#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "tests/lab/files.h"
#include "tests/lab/small_san.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The small SAN with one place changed. Paths: hv1 by switch 1, by switch 2, then the Linux hosts.
 */
static struct scenario_set *load(const char *instead_of, const char *text)
{
    char file[sizeof(good_topology) + 256];
    const char *place = strstr(good_topology, instead_of);
    struct errors *errors = mem_new(sizeof(*errors));

    assert_non_null(place);
    snprintf(file, sizeof(file), "%.*s%s%s", (int)(place - good_topology), good_topology, text,
             place + strlen(instead_of));
    struct test_reader reader = test_reader_of(file, good_scenario);

    errors_init(errors);
    struct scenario_set *set = scenario_load("s.yaml", NULL, 0, &reader.reader, errors);
    if (!set)
        errors_print(errors, stderr);
    errors_fini(errors);
    free(errors);
    assert_non_null(set);
    return set;
}

static void assert_fits(const char *instead_of, const char *text, bool by_switch_1,
                        bool by_switch_2)
{
    struct scenario_set *set = load(instead_of, text);
    const struct topology *topology = set->scenarios[0]->topology;

    assert_int_equal(healthy_fits(topology, 0), by_switch_1);
    assert_int_equal(healthy_fits(topology, 1), by_switch_2);
    scenario_free(set);
}

static void jumbo_frames_fit_through_jumbo_switches(void **state)
{
    (void)state;
    assert_fits("mtu: 9216", "mtu: 9000", true, true);
}

static void a_switch_of_small_mtu_is_no_healthy_way(void **state)
{
    (void)state;
    assert_fits("mtu: 9216", "mtu: 1500", true, false);
}

static void the_smaller_end_decides_what_a_full_frame_is(void **state)
{
    (void)state;
    assert_fits("mtu: 9216}\n", "mtu: 1500}\n", true, false);
    assert_fits("defaults: {mtu: 9000,", "defaults: {mtu: 1500,", true, true);
    assert_fits("port-b: {address: 10.0.0.102/24}", "port-b: {address: 10.0.0.102/24, mtu: 1500}",
                true, true);
}

static void a_path_without_a_way_is_never_healthy(void **state)
{
    (void)state;
    assert_fits("switch-2: {ports: 8, mtu: 9216}",
                "switch-2: {ports: 8, mtu: 9216, port-settings: {1: {blocked: true}}}", true,
                false);
}

static void a_host_has_the_sum_of_its_waits_to_bring_a_path_back(void **state)
{
    struct host_profile profile = {.link_debounce_ns = SECONDS(1)};
    (void)state;

    profile.path.nop_interval_ns = SECONDS(5);
    profile.path.nop_timeout_ns = SECONDS(6);
    profile.path.command_timeout_ns = SECONDS(60); /* pings are faster */
    profile.path.reconnect_delay_ns = SECONDS(7);  /* after a refusal as well */
    profile.mpath.arrival_delay_ns = SECONDS(2);
    assert_int_equal(healthy_after_ns(&profile), SECONDS(5 + 6 + 7 + 7 + 2 + 1));
    profile.path.nop_interval_ns = profile.path.nop_timeout_ns = 0;
    assert_int_equal(healthy_after_ns(&profile), SECONDS(60 + 7 + 7 + 2 + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumbo_frames_fit_through_jumbo_switches),
        cmocka_unit_test(a_switch_of_small_mtu_is_no_healthy_way),
        cmocka_unit_test(the_smaller_end_decides_what_a_full_frame_is),
        cmocka_unit_test(a_path_without_a_way_is_never_healthy),
        cmocka_unit_test(a_host_has_the_sum_of_its_waits_to_bring_a_path_back),
    };

    return cmocka_run_group_tests_name("lab.healthy", tests, NULL, NULL);
}
