#include "tests/test.h"

#include "sim/core/time.h"
#include "tests/lab/files.h"

/* Loads a good scenario; 'overrides' ends with NULL. */
static struct scenario_set *load(const char *scenario, const char *const *overrides)
{
    struct test_reader reader = test_reader_of(good_topology, scenario);
    struct errors *errors = mem_new(sizeof(*errors));
    size_t count = 0;

    while (overrides && overrides[count])
        count++;
    errors_init(errors);
    struct scenario_set *set = scenario_load("s.yaml", overrides, count, &reader.reader, errors);
    if (!set)
        errors_print(errors, stdout);
    assert_non_null(set);
    errors_fini(errors);
    free(errors);
    return set;
}

static void resolves_what_the_file_says(void **state)
{
    struct scenario_set *set = load(good_scenario, NULL);
    (void)state;

    assert_int_equal(set->scenario_count, 1);
    const struct scenario *s = set->scenarios[0];
    assert_string_equal(s->name, "story");
    assert_string_equal(s->variant, "");
    assert_int_equal(s->seed, 1);
    assert_int_equal(s->run_for_ns, SECONDS(100));
    assert_int_equal(s->plant, PLANT_NONE);

    assert_int_equal(s->step_count, 2);
    assert_string_equal(s->steps[0].name, "dies");
    assert_int_equal(s->steps[0].verb, VERB_POWER_OFF);
    assert_false(s->steps[0].is_undo);
    assert_int_equal(s->steps[0].part.kind, PART_SWITCH);
    assert_int_equal(s->steps[0].part.index, 0);
    assert_int_equal(s->steps[0].when.at_ns, SECONDS(60));
    assert_int_equal(s->steps[1].when.at_ns, SECONDS(70));
    assert_true(s->steps[1].is_undo);

    const struct load *work = &s->loads[0];
    assert_int_equal(s->load_count, 1);
    assert_int_equal(work->host_count, 3);
    assert_string_equal(s->topology->disks[work->disk_index].full_name, "san1.store");
    assert_int_equal(work->reads_ppm, 700000);
    assert_int_equal(work->io_bytes, 8192);
    assert_int_equal(work->pattern, PATTERN_RANDOM);
    assert_int_equal(work->area_bytes, 64 << 20);
    assert_int_equal(work->queue_limit, LOAD_QUEUE);
    assert_int_equal(work->hosts[2].area_offset_bytes, 128 << 20);
    assert_int_equal(work->rate_per_s, 500);
    assert_int_equal(work->in_flight, 0);
    assert_int_equal(work->start.at_ns, 0);
    assert_int_equal(work->stop.at_ns, SECONDS(100));

    assert_int_equal(s->expectation_count, 3);
    const struct expectation *e = &s->expectations[0];
    assert_string_equal(e->name, "no errors");
    assert_int_equal(e->measure, MEASURE_IO_ERRORS);
    assert_int_equal(e->of.kind, SCOPE_EACH);
    assert_int_equal(e->of.part_kind, PART_HOST);
    assert_int_equal(e->bound, BOUND_EXACTLY);
    assert_int_equal(e->bound_value, 0);
    assert_false(e->has_window);
    assert_int_equal(e->until.at_ns, SECONDS(100));
    e = &s->expectations[1];
    assert_int_equal(e->of.kind, SCOPE_ONE);
    assert_int_equal(e->of.part.kind, PART_HOST);
    assert_true(e->has_window);
    assert_int_equal(e->from.at_ns, SECONDS(60));
    assert_int_equal(e->until.at_ns, SECONDS(90));
    assert_int_equal(e->bound_value, SECONDS(20));
    assert_string_equal(e->bound_text, "20 s");
    assert_int_equal(s->expectations[2].when.at_ns, SECONDS(100));

    /* What the database stores: the texts, in order. */
    assert_int_equal(set->files.file_count, 5);
    assert_string_equal(set->files.files[0]->name, "s.yaml");
    assert_string_equal(set->files.files[1]->name, "t.yaml");
    assert_string_equal(set->files.files[2]->name, "profiles/windows-server-2022.yaml");
    assert_string_equal(set->files.files[0]->text, good_scenario);
    scenario_free(set);
}

static struct moment_row {
    const char *name;
    const char *with;
    int64_t at_ns; /* of the first expectation's 'from' */
} moment_rows[] = {
    {"a time", "10 s", SECONDS(10)},
    {"a step", "dies", SECONDS(60)},
    {"a time after a step", "dies + 10 s", SECONDS(70)},
    {"a time before a step", "dies - 1.5 s", SECONDS(58) + MS(500)},
    {"a step that counts from a step", "returns + 1 s", SECONDS(71)},
    {"a time before the end", "end - 1 min", SECONDS(40)},
    {"a sum of times", "10 s + 5 s", SECONDS(15)},
    {"spaces in plenty", "'  dies   +  10 s '", SECONDS(70)},
};

static void a_time_expression_is_worked_out(void **state)
{
    const struct moment_row *row = *state;
    char with[128];

    snprintf(with, sizeof(with), "measure: io-errors, from: %s", row->with);
    char *text = replaced(good_scenario, "measure: io-errors", with);
    struct scenario_set *set = load(text, NULL);

    assert_int_equal(set->scenarios[0]->expectations[0].from.at_ns, row->at_ns);
    scenario_free(set);
    free(text);
}

static void steps_may_count_from_later_ones(void **state)
{
    char *text =
        replaced(good_scenario, "at: 60 s, name: dies", "after: returns - 5 s, name: dies");
    char *moved = replaced(text, "after: dies + 10 s", "at: 50 s");
    struct scenario_set *set = load(moved, NULL);
    (void)state;

    assert_int_equal(set->scenarios[0]->steps[0].when.at_ns, SECONDS(45));
    scenario_free(set);
    free(moved);
    free(text);
}

static void a_verb_may_have_arguments(void **state)
{
    char *text = replaced(good_scenario, "power-off: switch-1}",
                          "pull: {part: hv1-1, direction: to-switch-1}, for: 5 s}");
    struct scenario_set *set = load(text, NULL);
    const struct step *step = &set->scenarios[0]->steps[0];
    (void)state;

    assert_int_equal(step->verb, VERB_PULL);
    assert_int_equal(step->part.kind, PART_CABLE);
    assert_int_equal(step->arguments.given, ARG_BIT(ARG_DIRECTION));
    assert_int_equal(step->arguments.direction, 1); /* its 'to' end */
    assert_int_equal(step->for_ns, SECONDS(5));
    scenario_free(set);
    free(text);
}

static void a_direction_of_a_nic_is_out_or_in(void **state)
{
    static const struct {
        const char *with;
        uint32_t direction;
    } cases[] = {
        {"freeze: {part: hv1.iscsi1, direction: to-switch-1}}", DIRECTION_OUT},
        {"freeze: {part: hv1.iscsi1, direction: to-hv1}}", DIRECTION_IN},
        {"freeze: {part: switch-1.1, direction: to-hv1}}", DIRECTION_OUT},
        {"freeze: {part: switch-1.1, direction: to-switch-1}}", DIRECTION_IN},
        {"freeze: hv1.iscsi1}", DIRECTION_BOTH},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = replaced(good_scenario, "power-off: switch-1}", cases[i].with);
        struct scenario_set *set = load(text, NULL);

        assert_int_equal(set->scenarios[0]->steps[0].arguments.direction, cases[i].direction);
        scenario_free(set);
        free(text);
    }
}

static void loads_share_a_disk_without_sharing_areas(void **state)
{
    char *text = replaced(good_scenario, "steps:",
                          "  more: {hosts: [kvm, hv1], disk: san1.store, reads: 0 %, size: 4 KiB, "
                          "area: 1 MiB, in-flight: 4, rate: 10 per s, pattern: rewrite, "
                          "start: dies, stop: returns}\nsteps:");
    struct scenario_set *set = load(text, NULL);
    const struct load *more = &set->scenarios[0]->loads[1];
    (void)state;

    assert_int_equal(more->host_count, 3); /* a group stands for all of its hosts */
    assert_int_equal(more->hosts[0].host_index, 0);
    assert_int_equal(more->hosts[0].area_offset_bytes, 192 << 20);
    assert_int_equal(more->hosts[1].area_offset_bytes, 193 << 20);
    assert_int_equal(more->in_flight, 4);
    assert_int_equal(more->rate_per_s, 10);
    assert_int_equal(more->pattern, PATTERN_REWRITE);
    assert_int_equal(more->start.at_ns, SECONDS(60));
    assert_int_equal(more->stop.at_ns, SECONDS(70));
    scenario_free(set);
    free(text);
}

static void expectations_know_ratios_percentiles_and_reasons(void **state)
{
    char *text = replaced(
        good_scenario, "  - {name: two,",
        "  - {name: a, measure: iops, of: all hosts, from: dies, until: returns, at-least: 90 %,\n"
        "     compared-with: {from: 30 s, until: dies}}\n"
        "  - {name: b, measure: latency, of: each path, percentile: 99.9, at-most: 5 ms}\n"
        "  - {name: c, measure: frames-dropped, of: switch-2, reason: too-big, at-least: 1}\n"
        "  - {name: d, measure: detected-after, of: each host, since: dies, at-most: 10 s}\n"
        "  - {name: e, measure: throughput, of: san1.store, at-least: 1.5 MiB/s}\n"
        "  - {name: f, breaks: D1, of: hv1}\n"
        "  - {name: two,");
    struct scenario_set *set = load(text, NULL);
    const struct expectation *e = &set->scenarios[0]->expectations[2];
    (void)state;

    assert_true(e[0].is_ratio);
    assert_int_equal(e[0].bound_value, 900000);
    assert_int_equal(e[0].of.kind, SCOPE_ALL);
    assert_int_equal(e[0].compared_from.at_ns, SECONDS(30));
    assert_int_equal(e[0].compared_until.at_ns, SECONDS(60));
    assert_int_equal(e[1].percentile_ppm, 999000);
    assert_int_equal(e[1].of.part_kind, PART_PATH);
    assert_int_equal(e[2].reason, DROP_TOO_BIG);
    assert_int_equal(e[3].since_step, 0);
    assert_int_equal(e[4].bound_value, 1536 * 1024);
    assert_int_equal(e[4].of.part.kind, PART_DISK);
    assert_int_equal(e[5].kind, EXPECT_BREAKS);
    assert_string_equal(e[5].breaks, "D1");
    scenario_free(set);
    free(text);
}

static void overrides_change_topology_and_scenario(void **state)
{
    static const char *const overrides[] = {"switches.*.mtu=1500",
                                            "hosts.hv1.path.hold=20 s",
                                            "hosts.*.multipath.retry-count=0",
                                            "seed=7",
                                            "steps.dies.at=50 s",
                                            "load.work.hosts=[hv1]",
                                            "expect.2.at-most=30 s",
                                            NULL};
    struct scenario_set *set = load(good_scenario, overrides);
    const struct scenario *s = set->scenarios[0];
    (void)state;

    assert_int_equal(s->topology->switches[0].mtu_bytes, 1500);
    assert_int_equal(s->topology->switches[1].mtu_bytes, 1500);
    assert_int_equal(s->topology->hosts[0].profile.path.hold_ns, SECONDS(20));
    assert_int_equal(s->topology->hosts[1].profile.path.hold_ns, SECONDS(5));
    assert_int_equal(s->topology->hosts[2].profile.mpath.retry_count, 0);
    assert_int_equal(s->seed, 7);
    assert_int_equal(s->steps[0].when.at_ns, SECONDS(50));
    assert_int_equal(s->steps[1].when.at_ns, SECONDS(60));
    assert_int_equal(s->loads[0].host_count, 1);
    assert_int_equal(s->expectations[1].bound_value, SECONDS(30));
    assert_non_null(strstr(s->overrides, "switches.*.mtu=1500\n"));
    assert_non_null(strstr(s->overrides, "seed=7\n"));
    assert_int_equal(set->files.file_count, 5); /* the command line is no file */
    scenario_free(set);
}

static void vary_makes_one_scenario_per_combination(void **state)
{
    char *text = replaced(good_scenario, "run-for: 100 s",
                          "run-for: 100 s\n"
                          "vary:\n"
                          "  hosts.*.multipath.policy: [round-robin, fail-over-only]\n"
                          "  seed: [1, 2, 3]");
    struct scenario_set *set = load(text, NULL);
    (void)state;

    assert_int_equal(set->scenario_count, 6);
    assert_string_equal(set->scenarios[0]->variant, "hosts.*.multipath.policy=round-robin, seed=1");
    assert_string_equal(set->scenarios[5]->variant,
                        "hosts.*.multipath.policy=fail-over-only, seed=3");
    for (size_t i = 0; i < 6; i++) {
        const struct scenario *s = set->scenarios[i];

        assert_int_equal(s->seed, i % 3 + 1);
        for (uint32_t host = 0; host < s->topology->host_count; host++)
            assert_int_equal(s->topology->hosts[host].profile.mpath.policy,
                             i < 3 ? POLICY_ROUND_ROBIN : POLICY_FAIL_OVER_ONLY);
    }
    scenario_free(set);
    free(text);
}

static void what_is_set_by_hand_is_not_varied(void **state)
{
    static const char *const overrides[] = {"seed=7"};
    char *text = replaced(good_scenario, "run-for: 100 s",
                          "run-for: 100 s\n"
                          "vary:\n"
                          "  hosts.*.multipath.policy: [round-robin, fail-over-only]\n"
                          "  seed: [1, 2, 3]");
    struct test_reader reader = test_reader_of(good_topology, text);
    struct errors errors;
    (void)state;

    errors_init(&errors);
    struct scenario_set *set = scenario_load("s.yaml", overrides, 1, &reader.reader, &errors);
    assert_non_null(set);
    errors_fini(&errors);
    assert_int_equal(set->scenario_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(set->scenarios[i]->seed, 7);
    assert_string_equal(set->scenarios[0]->variant, "hosts.*.multipath.policy=round-robin");
    scenario_free(set);
    free(text);
}

static void a_planted_bug_is_named_by_its_rule(void **state)
{
    (void)state;
#ifdef ISCSILAB_PLANTS
    char *text = replaced(good_scenario, "run-for: 100 s", "run-for: 100 s\nplant: P7");
    struct scenario_set *set = load(text, NULL);

    assert_int_equal(set->scenarios[0]->plant, PLANT_P7);
    scenario_free(set);
    free(text);
#endif
}

static void every_inverse_verb_undoes_the_one_before_it(void **state)
{
    (void)state;

    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        const struct verb_row *row = verb_row(verb);

        assert_int_equal(verb_row(row->undo)->undo, verb);
        if (row->is_undo)
            assert_int_equal(row->undo, verb - 1);
        assert_int_equal(row->can_run & ~row->parts, 0);
    }
}

static struct shipped_row {
    const char *name;
} shipped[] = {
    {"no-fault"},
    {"switch-power-off"},
    {"host-cable-pulled"},
    {"host-nic-dead"},
    {"storage-nic-dead"},
    {"switch-frozen"},
    {"rolling-maintenance"},
    {"all-paths-lost-5s"},
    {"all-paths-lost-long"},
    {"linux-switch-power-off"},
    {"linux-switch-frozen"},
    {"linux-all-paths-lost-long"},
    {"linux-trunk-pulled"},
    {"incast-with-pause"},
};

static void the_shipped_ones_are_flawless(void **state)
{
    const struct shipped_row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    char path[512];

    errors_init(errors);
    snprintf(path, sizeof(path), "%s/scenarios/%s.yaml", SOURCE_DIR, row->name);
    struct scenario_set *set = scenario_load(path, NULL, 0, NULL, errors);

    if (!set)
        errors_print(errors, stdout);
    assert_non_null(set);
    assert_int_equal(errors->warning_count, 0);
    assert_string_equal(set->scenarios[0]->name, row->name);
    scenario_free(set);
    errors_fini(errors);
    free(errors);
}

int main(void)
{
    TEST(resolves_what_the_file_says);
    TEST_ROWS(moment_rows, a_time_expression_is_worked_out);
    TEST(steps_may_count_from_later_ones);
    TEST(a_verb_may_have_arguments);
    TEST(a_direction_of_a_nic_is_out_or_in);
    TEST(loads_share_a_disk_without_sharing_areas);
    TEST(expectations_know_ratios_percentiles_and_reasons);
    TEST(overrides_change_topology_and_scenario);
    TEST(vary_makes_one_scenario_per_combination);
    TEST(what_is_set_by_hand_is_not_varied);
    TEST(a_planted_bug_is_named_by_its_rule);
    TEST(every_inverse_verb_undoes_the_one_before_it);
    TEST_ROWS(shipped, the_shipped_ones_are_flawless);
    return TEST_RUN("lab.scenario");
}
