/* Verdicts as continuous integration reads them. */
#include "lab/junit.h"

#include "sim/core/time.h"
#include "tests/lab/results_files.h"

#include <sys/stat.h>

struct lab {
    struct folder folder;
    struct results results;
    struct rows rows; /* of the next run */
    int64_t runs[4];
    size_t run_count;
};

static int open_lab(void **state)
{
    static struct lab lab;

    lab = (struct lab){.run_count = 0};
    folder_open(&lab.folder);
    open_results(&lab.results, folder_file(&lab.folder, "lab.db"));
    *state = &lab;
    return 0;
}

static int close_lab(void **state)
{
    struct lab *lab = *state;

    results_close(&lab->results);
    rows_clear(&lab->rows);
    folder_close(&lab->folder);
    return 0;
}

static void end_run(struct lab *lab, const char *scenario, const char *variant, int exit_code)
{
    struct error err;

    put_run(&lab->rows, scenario, variant, exit_code);
    assert_int_equal(results_add_run(&lab->results, lab->rows.data, lab->rows.bytes,
                                     &lab->runs[lab->run_count++], &err),
                     OK);
    lab->rows.bytes = 0;
}

static void expect_report(struct lab *lab, const char *expected)
{
    const char *path = folder_file(&lab->folder, "report.xml");
    struct error err;
    size_t bytes;

    assert_int_equal(junit_write(&lab->results, lab->runs, lab->run_count, path, &err), OK);
    char *text = slurp(path, &bytes);
    assert_string_equal(text, expected);
    free(text);
    assert_int_not_equal(access(folder_file(&lab->folder, "report.xml.part"), F_OK), 0);
}

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"iscsilab\">\n"
#define TAIL "</testsuites>\n"

static void no_run_is_a_report_without_suites(void **state)
{
    expect_report(*state, HEAD TAIL);
}

static void each_expectation_is_a_case_and_the_rules_are_one(void **state)
{
    struct lab *lab = *state;

    put_expectation(&lab->rows, "no I/O hangs", "hv1", "45000000000", "not met");
    put_expectation(&lab->rows, "no I/O hangs", "hv2", "2000000000", "met");
    put_expectation(&lab->rows, "the backup is fast", "hv3", "", "no samples");
    end_run(lab, "switch-power-off", "", 1);
    expect_report(
        lab,
        HEAD "  <testsuite name=\"switch-power-off\" tests=\"4\" failures=\"2\" errors=\"0\" "
             "time=\"0.012\">\n"
             "    <testcase classname=\"switch-power-off\" name=\"no I/O hangs (hv1)\">\n"
             "      <failure message=\"not met: longest-io was 45.000 s, wanted at-most 20 s\"/>\n"
             "    </testcase>\n"
             "    <testcase classname=\"switch-power-off\" name=\"no I/O hangs (hv2)\"/>\n"
             "    <testcase classname=\"switch-power-off\" name=\"the backup is fast (hv3)\">\n"
             "      <failure message=\"no samples: longest-io was -, wanted at-most 20 s\"/>\n"
             "    </testcase>\n"
             "    <testcase classname=\"switch-power-off\" name=\"data safety and protocol\">\n"
             "    </testcase>\n"
             "  </testsuite>\n" TAIL);
}

static void a_broken_rule_fails_the_case_of_the_rules(void **state)
{
    struct lab *lab = *state;

    put_broken_rule(&lab->rows, "D1", "block 8 lost");
    put_broken_rule(&lab->rows, "P2", "CmdSN 7 twice");
    end_run(lab, "story", "", 4);
    expect_report(lab, HEAD "  <testsuite name=\"story\" tests=\"1\" failures=\"1\" errors=\"0\" "
                            "time=\"0.012\">\n"
                            "    <testcase classname=\"story\" name=\"data safety and protocol\">\n"
                            "      <failure message=\"D1: block 8 lost\"/>\n"
                            "      <failure message=\"P2: CmdSN 7 twice\"/>\n"
                            "    </testcase>\n"
                            "  </testsuite>\n" TAIL);
}

static void a_rule_that_was_meant_to_break_fails_nothing(void **state)
{
    struct lab *lab = *state;

    put_broken_rule(&lab->rows, "D1", "block 8 lost");
    end_run(lab, "story", "", 0);
    expect_report(lab, HEAD "  <testsuite name=\"story\" tests=\"1\" failures=\"0\" errors=\"0\" "
                            "time=\"0.012\">\n"
                            "    <testcase classname=\"story\" name=\"data safety and protocol\">\n"
                            "    </testcase>\n"
                            "  </testsuite>\n" TAIL);
}

/* An expectation with 'breaks' that was met. */
static void put_asked_for(struct lab *lab, const char *rule, const char *subject)
{
    char bound[32];

    snprintf(bound, sizeof(bound), "breaks %s", rule);
    rows_put(&lab->rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT("it breaks"), V_TEXT(subject), V_TEXT("breaks"), V_TEXT(bound),
                              V_TEXT("broken"), V_TEXT("rule"), V_TEXT("met")});
}

static void put_broken_on(struct lab *lab, const char *rule, const char *host, const char *text)
{
    rows_put(&lab->rows, TABLE_BROKEN_RULE,
             (struct value[]){V_TEXT(rule), V_INT(SECONDS(1)), V_TEXT(host), V_NULL,
                              V_TEXT("san1.disk"), V_INT(8), V_TEXT(text)});
}

static void of_broken_rules_only_those_that_nobody_asked_for_are_told(void **state)
{
    struct lab *lab = *state;

    put_asked_for(lab, "D1", "hv1");
    put_asked_for(lab, "D2", "all hosts");
    put_broken_on(lab, "D1", "hv1", "asked for");
    put_broken_on(lab, "D1", "hv2", "not of this host");
    put_broken_on(lab, "D2", "hv2", "asked for everywhere");
    put_broken_on(lab, "P2", "hv1", "another rule");
    end_run(lab, "story", "", 4);
    expect_report(lab, HEAD "  <testsuite name=\"story\" tests=\"3\" failures=\"1\" errors=\"0\" "
                            "time=\"0.012\">\n"
                            "    <testcase classname=\"story\" name=\"it breaks (hv1)\"/>\n"
                            "    <testcase classname=\"story\" name=\"it breaks (all hosts)\"/>\n"
                            "    <testcase classname=\"story\" name=\"data safety and protocol\">\n"
                            "      <failure message=\"D1: not of this host\"/>\n"
                            "      <failure message=\"P2: another rule\"/>\n"
                            "    </testcase>\n"
                            "  </testsuite>\n" TAIL);
}

static void a_result_file_that_cannot_be_read_is_told_and_leaves_no_report(void **state)
{
    struct lab *lab = *state;
    const char *path;
    struct error err = {.text = ""};

    end_run(lab, "story", "", 0);
    assert_int_equal(sqlite3_exec(lab->results.sqlite, "DROP TABLE broken_rule", NULL, NULL, NULL),
                     SQLITE_OK);
    path = folder_file(&lab->folder, "report.xml");
    assert_int_equal(junit_write(&lab->results, lab->runs, lab->run_count, path, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.text, "cannot read the result file"));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(folder_file(&lab->folder, "report.xml.part"), F_OK), 0);
}

static void no_verdict_is_an_error_and_no_failure(void **state)
{
    struct lab *lab = *state;

    end_run(lab, "story", "", 5);
    expect_report(lab, HEAD "  <testsuite name=\"story\" tests=\"1\" failures=\"0\" errors=\"1\" "
                            "time=\"0.012\">\n"
                            "    <testcase classname=\"story\" name=\"data safety and protocol\">\n"
                            "      <error message=\"no verdict: a limit was reached\"/>\n"
                            "    </testcase>\n"
                            "  </testsuite>\n" TAIL);
}

static void each_variant_is_a_suite_and_names_are_escaped(void **state)
{
    struct lab *lab = *state;

    end_run(lab, "story", "a=1", 0);
    put_expectation(&lab->rows, "\"fast\" & <good>\x01", "hv1", "", "met");
    end_run(lab, "story", "a=2", 0);
    expect_report(lab,
                  HEAD "  <testsuite name=\"story.a=1\" tests=\"1\" failures=\"0\" errors=\"0\" "
                       "time=\"0.012\">\n"
                       "    <testcase classname=\"story.a=1\" name=\"data safety and protocol\">\n"
                       "    </testcase>\n"
                       "  </testsuite>\n"
                       "  <testsuite name=\"story.a=2\" tests=\"2\" failures=\"0\" errors=\"0\" "
                       "time=\"0.012\">\n"
                       "    <testcase classname=\"story.a=2\" "
                       "name=\"&quot;fast&quot; &amp; &lt;good&gt;? (hv1)\"/>\n"
                       "    <testcase classname=\"story.a=2\" name=\"data safety and protocol\">\n"
                       "    </testcase>\n"
                       "  </testsuite>\n" TAIL);
}

static void only_the_runs_that_are_asked_for_are_told(void **state)
{
    struct lab *lab = *state;

    end_run(lab, "before", "", 1);
    lab->run_count = 0;
    expect_report(lab, HEAD TAIL);
}

static void expect_failure(struct lab *lab, const char *path, const char *told)
{
    struct error err = {.text = ""};

    assert_int_equal(junit_write(&lab->results, lab->runs, lab->run_count, path, &err), ERR_SYSTEM);
    if (!strstr(err.text, told))
        fail_msg("'%s' does not say '%s'", err.text, told);
}

static void what_cannot_be_written_is_told_and_leaves_nothing(void **state)
{
    struct lab *lab = *state;
    char long_path[5000];

    expect_failure(lab, folder_file(&lab->folder, "none/report.xml"), "No such file or directory");

    assert_int_equal(mkdir(folder_file(&lab->folder, "report.xml"), 0700), 0);
    expect_failure(lab, folder_file(&lab->folder, "report.xml"), "Is a directory");
    assert_int_not_equal(access(folder_file(&lab->folder, "report.xml.part"), F_OK), 0);

    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    expect_failure(lab, long_path, "cannot write 'xxx");
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(no_run_is_a_report_without_suites),
        STORY(each_expectation_is_a_case_and_the_rules_are_one),
        STORY(a_broken_rule_fails_the_case_of_the_rules),
        STORY(a_rule_that_was_meant_to_break_fails_nothing),
        STORY(of_broken_rules_only_those_that_nobody_asked_for_are_told),
        STORY(a_result_file_that_cannot_be_read_is_told_and_leaves_no_report),
        STORY(no_verdict_is_an_error_and_no_failure),
        STORY(each_variant_is_a_suite_and_names_are_escaped),
        STORY(only_the_runs_that_are_asked_for_are_told),
        STORY(what_cannot_be_written_is_told_and_leaves_nothing),
    };

    return cmocka_run_group_tests_name("lab.junit", stories, NULL, NULL);
}
