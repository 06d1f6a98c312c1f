/* The result file: what other programs rely on, whole runs, and files that are left alone. */
#include "tests/lab/results_files.h"

#include <sys/stat.h>
#include <sys/wait.h>

static struct folder folder;

/* What other programs rely on. */

static struct contract_row {
    const char *name; /* of the table or view */
    const char *columns;
} contract[] = {
    {"run", "run_id scenario variant topology seed overrides program_version started_utc wall_ns "
            "simulated_ns events digest verdict exit_code"},
    {"fault", "fault_id run_id step kind part at_ns repaired_at_ns"},
    {"sign", "run_id at_ns host path layer what"},
    {"path_event", "run_id at_ns host disk path old_state new_state reason"},
    {"caught_io", "run_id fault_id host disk sent_at_ns old_path retried_at_ns new_path "
                  "done_at_ns retries result"},
    {"pause", "run_id host disk start_at_ns end_at_ns outstanding"},
    {"pause_phase", "run_id fault_id host disk phase start_at_ns end_at_ns ended_by"},
    {"expectation", "run_id name subject measure bound measured unit verdict"},
    {"broken_rule", "run_id rule at_ns host path disk lba text"},
    {"latency", "run_id host disk path window_at_ns"},
    {"counter", "run_id part name value"},
    {"failover", "run_id scenario fault host disk fault_at_ns affected overlaps detected_ns "
                 "detected_by path_failed_ns first_io_ns longest_pause_ns longest_io_ns "
                 "ios_caught share_caught_ppm ios_recovered_in_place still_waiting ios_retried "
                 "io_errors path_usable_ns path_first_io_ns"},
};

static void has_the_columns_that_were_promised(void **state)
{
    const struct contract_row *row = *state;
    struct results results;
    char columns[512];
    char sql[256];

    open_results(&results, folder_file(&folder, "lab.db"));
    snprintf(columns, sizeof(columns), "%s", row->columns);
    char *rest = columns;
    for (char *column; (column = strtok_r(rest, " ", &rest));) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
                 row->name, column);
        if (ask(&results, sql) != 1)
            fail_msg("no column %s.%s", row->name, column);
    }
    results_close(&results);
}

static void every_table_is_strict_and_belongs_to_a_run(void **state)
{
    struct results results;
    char sql[256];
    (void)state;

    open_results(&results, folder_file(&folder, "lab.db"));
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        const char *name = table_def(table)->name;

        snprintf(sql, sizeof(sql), "SELECT strict FROM pragma_table_list WHERE name = '%s'", name);
        assert_int_equal(ask(&results, sql), 1);
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM pragma_foreign_key_list('%s') WHERE \"table\" = 'run' AND "
                 "\"from\" = 'run_id' AND on_delete = 'CASCADE'",
                 name);
        assert_int_equal(ask(&results, sql), table != TABLE_RUN);
    }
    results_close(&results);
}

static void the_file_says_what_it_is(void **state)
{
    struct results results;
    struct error err;
    (void)state;

    open_results(&results, folder_file(&folder, "lab.db"));
    results_close(&results);
    assert_int_equal(results_open_to_read(folder_file(&folder, "lab.db"), &results, &err), OK);
    assert_int_equal(ask(&results, "PRAGMA application_id"), RESULTS_APPLICATION_ID);
    assert_int_equal(ask(&results, "PRAGMA user_version"), RESULTS_VERSION);
    results_close(&results);
}

static void missing_folders_are_made(void **state)
{
    struct results results;
    (void)state;

    open_results(&results, folder_file(&folder, "new/and/deep/lab.db"));
    results_close(&results);
}

/* Runs. */

static void put_fault(struct rows *rows, int64_t fault_id, const char *step)
{
    rows_put(rows, TABLE_FAULT,
             (struct value[]){V_INT(fault_id), step ? V_TEXT(step) : V_NULL, V_TEXT("pull"),
                              V_TEXT("hv1-1"), V_INT(60), V_NULL});
}

static void put_effect(struct rows *rows, int64_t fault_id)
{
    rows_put(rows, TABLE_FAULT_EFFECT,
             (struct value[]){V_INT(fault_id),
                              V_TEXT("hv1"),
                              V_TEXT("san1.disk"),
                              V_INT(1),
                              V_TEXT(""),
                              V_INT(90),
                              V_INT(2),
                              V_TEXT("link: carrier lost"),
                              V_INT(15),
                              V_NULL,
                              V_INT(16),
                              V_INT(17),
                              V_INT(4),
                              V_INT(500000),
                              V_INT(1),
                              V_INT(2),
                              V_INT(3),
                              V_INT(0),
                              V_INT(5),
                              V_INT(6)});
}

/* Wherever the row of the run stands among the others: the run is known only at its end. */
static void a_run_comes_back_as_it_was_written(void **state)
{
    struct results results;
    struct rows rows = {0};
    struct error err;
    int64_t run_id = 0;
    (void)state;

    put_fault(&rows, 1, "dies");
    rows_put_progress(&rows, 500);
    put_effect(&rows, 1);
    put_run(&rows, "it's", "", 1);
    put_broken_rule(&rows, "D1", "lost");
    open_results(&results, folder_file(&folder, "lab.db"));
    assert_int_equal(results_add_run(&results, rows.data, rows.bytes, &run_id, &err), OK);
    assert_int_equal(run_id, 1);
    assert_int_equal(ask(&results, "SELECT count(*) FROM run WHERE scenario = 'it''s' AND "
                                   "seed = '18446744073709551615' AND exit_code = 1"),
                     1);
    assert_int_equal(ask(&results, "SELECT repaired_at_ns IS NULL FROM fault WHERE run_id = 1"), 1);
    assert_int_equal(ask(&results, "SELECT count(*) FROM failover WHERE run_id = 1 AND "
                                   "fault = 'dies' AND fault_at_ns = 60 AND detected_ns = 2 AND "
                                   "path_failed_ns = 15 AND first_io_ns IS NULL AND "
                                   "longest_pause_ns = 16 AND longest_io_ns = 17 AND "
                                   "ios_caught = 4 AND share_caught_ppm = 500000 AND "
                                   "ios_recovered_in_place = 1 AND still_waiting = 2 AND "
                                   "ios_retried = 3 AND io_errors = 0 AND path_usable_ns = 5 AND "
                                   "path_first_io_ns = 6"),
                     1);
    assert_int_equal(results_add_run(&results, rows.data, rows.bytes, &run_id, &err), OK);
    assert_int_equal(run_id, 2);
    assert_int_equal(ask(&results, "SELECT count(*) FROM broken_rule WHERE run_id = 2"), 1);
    assert_int_equal(ask(&results, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    rows_clear(&rows);
    results_close(&results);
}

static void a_run_that_is_deleted_takes_its_rows_along(void **state)
{
    struct results results;
    struct rows rows = {0};
    struct error err;
    int64_t run_id;
    (void)state;

    put_run(&rows, "story", "", 0);
    put_fault(&rows, 1, "dies");
    open_results(&results, folder_file(&folder, "lab.db"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(results_add_run(&results, rows.data, rows.bytes, &run_id, &err), OK);
    assert_int_equal(
        sqlite3_exec(results.sqlite, "DELETE FROM run WHERE run_id = 1", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(ask(&results, "SELECT group_concat(run_id) = '2' FROM fault"), 1);
    rows_clear(&rows);
    results_close(&results);
}

static void damage_nothing(struct rows *rows)
{
    (void)rows;
}

static void lack_a_value(struct rows *rows)
{
    put_fault(rows, 2, NULL);
}

static void say_it_twice(struct rows *rows)
{
    put_fault(rows, 1, "again");
}

static void put_text_for_a_number(struct rows *rows)
{
    rows_put(rows, TABLE_COUNTER, (struct value[]){V_TEXT("p"), V_TEXT("n"), V_TEXT("many")});
}

static void be_two_runs(struct rows *rows)
{
    put_run(rows, "another", "", 0);
}

static void stop_in_the_middle(struct rows *rows)
{
    rows->bytes -= 3;
}

static void be_garbage(struct rows *rows)
{
    rows_put_bytes(rows, (const uint8_t[]){0, 0, 0, 1, 77}, 5);
}

static void be_no_run(struct rows *rows)
{
    rows->bytes = 0;
    put_broken_rule(rows, "D1", "lost");
}

static void be_nothing(struct rows *rows)
{
    rows->bytes = 0;
}

static struct damage_row {
    const char *name;
    void (*damage)(struct rows *rows);
    const char *told; /* NULL: nothing is wrong */
} damage_rows[] = {
    {"a good run is recorded", damage_nothing, NULL},
    {"a run with a value missing leaves nothing", lack_a_value,
     "NOT NULL constraint failed: fault.step"},
    {"a run with a row twice leaves nothing", say_it_twice, "UNIQUE constraint failed"},
    {"a run with a text for a number leaves nothing", put_text_for_a_number,
     "cannot store TEXT value in INTEGER column"},
    {"two runs at once leave nothing", be_two_runs, "damaged"},
    {"a run that was cut off leaves nothing", stop_in_the_middle, "damaged"},
    {"bytes that are no rows leave nothing", be_garbage, "damaged"},
    {"rows of no run are not added to the run before", be_no_run, "damaged"},
    {"no rows are no run", be_nothing, "damaged"},
};

static void a_run_is_whole_or_absent(void **state)
{
    const struct damage_row *row = *state;
    struct results results;
    struct rows rows = {0};
    struct error err = {.text = ""};
    int64_t run_id = 0;

    put_run(&rows, "story", "", 0);
    put_fault(&rows, 1, "dies");
    open_results(&results, folder_file(&folder, "lab.db"));
    assert_int_equal(results_add_run(&results, rows.data, rows.bytes, &run_id, &err), OK);
    row->damage(&rows);
    enum status status = results_add_run(&results, rows.data, rows.bytes, &run_id, &err);
    assert_int_equal(status, row->told ? ERR_SYSTEM : OK);
    assert_int_equal(run_id, row->told ? 1 : 2);
    if (row->told && !strstr(err.text, row->told))
        fail_msg("'%s' does not say '%s'", err.text, row->told);
    if (row->told)
        assert_true(err.help[0] != '\0');
    assert_int_equal(ask(&results, "SELECT count(*) FROM run"), row->told ? 1 : 2);
    assert_int_equal(ask(&results, "SELECT count(*) FROM fault"), row->told ? 1 : 2);
    assert_int_equal(ask(&results, "SELECT count(*) FROM broken_rule"), 0);

    /* The file takes the next run as if nothing had been. */
    rows.bytes = 0;
    put_run(&rows, "next", "", 0);
    assert_int_equal(results_add_run(&results, rows.data, rows.bytes, &run_id, &err), OK);
    rows_clear(&rows);
    results_close(&results);
}

static void two_handles_take_turns(void **state)
{
    struct results both[2];
    struct rows rows = {0};
    struct error err;
    int64_t run_id;
    (void)state;

    put_run(&rows, "story", "", 0);
    put_fault(&rows, 1, "dies");
    open_results(&both[0], folder_file(&folder, "lab.db"));
    open_results(&both[1], folder_file(&folder, "lab.db"));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(results_add_run(&both[i % 2], rows.data, rows.bytes, &run_id, &err), OK);
        assert_int_equal(run_id, i + 1);
    }
    assert_int_equal(ask(&both[0], "SELECT count(DISTINCT run_id) FROM fault"), 10);
    results_close(&both[0]);
    results_close(&both[1]);
    rows_clear(&rows);
}

/* In a process of its own: makes the file, too, if the other one has not done so. */
static pid_t start_writer(const char *path, int runs)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    struct results results;
    struct rows rows = {0};
    struct error err;
    int64_t run_id;

    put_run(&rows, "story", "", 0);
    for (int64_t fault_id = 1; fault_id <= 20; fault_id++)
        put_fault(&rows, fault_id, "dies");
    if (results_open(path, &results, &err) != OK)
        _exit(1);
    for (int i = 0; i < runs; i++)
        if (results_add_run(&results, rows.data, rows.bytes, &run_id, &err) != OK)
            _exit(2);
    results_close(&results);
    _exit(0);
}

static void two_programs_write_the_same_file(void **state)
{
    struct results results;
    pid_t writers[2];
    int status;
    (void)state;

    for (int i = 0; i < 2; i++)
        writers[i] = start_writer(folder_file(&folder, "lab.db"), 15);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
        assert_int_equal(status, 0);
    }
    open_results(&results, folder_file(&folder, "lab.db"));
    assert_int_equal(ask(&results, "SELECT count(*) FROM run"), 30);
    assert_int_equal(ask(&results, "SELECT count(*) FROM fault"), 30 * 20);
    results_close(&results);
}

/* Files that are left alone. */

static void write_file(const char *path, const char *text)
{
    FILE *to = fopen(path, "wb");

    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static void run_sqlite(const char *path, const char *sql)
{
    sqlite3 *sqlite = NULL;

    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
}

static void make_text(const char *path)
{
    write_file(path, "Notes on the SAN in the basement: two switches, no labels on the cables.\n");
}

static void make_short_text(const char *path)
{
    write_file(path, "x\n");
}

/* SQLite would take it for a file that is still to be filled. */
static void make_one_byte(const char *path)
{
    write_file(path, "x");
}

static void make_long_text(const char *path)
{
    char text[10000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    write_file(path, text);
}

static void make_other_database(const char *path)
{
    run_sqlite(path, "CREATE TABLE invoice (number INTEGER); INSERT INTO invoice VALUES (1);");
}

static void make_empty_other_database(const char *path)
{
    run_sqlite(path, "PRAGMA application_id = 7;");
}

static void make_newer_version(const char *path)
{
    struct results results;

    open_results(&results, path);
    results_close(&results);
    run_sqlite(path, "PRAGMA user_version = 99;");
}

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static struct refused_row {
    const char *name;
    void (*make)(const char *path);
    const char *told;
} refused_rows[] = {
    {"a text is left alone", make_text, "no result file of iscsilab"},
    {"a short text is left alone", make_short_text, "no result file of iscsilab"},
    {"a file of one byte is left alone", make_one_byte, "no result file of iscsilab"},
    {"a long text is left alone", make_long_text, "no result file of iscsilab"},
    {"another program's database is left alone", make_other_database, "no result file of iscsilab"},
    {"another program's database without tables is left alone", make_empty_other_database,
     "no result file of iscsilab"},
    {"a result file of a newer version is left alone", make_newer_version, "newer iscsilab"},
    {"a folder is no result file", make_folder, "is no regular file"},
};

static void expect_refusal(enum status status, const struct error *err, const char *told)
{
    assert_int_equal(status, ERR_SYSTEM);
    if (!strstr(err->text, told))
        fail_msg("'%s' does not say '%s'", err->text, told);
    assert_true(err->help[0] != '\0');
}

static void is_refused_and_left_as_it_was(void **state)
{
    const struct refused_row *row = *state;
    bool is_file = row->make != make_folder;
    const char *path = folder_file(&folder, "theirs.db");
    struct results results;
    struct error err = {.text = ""};
    size_t before_bytes, after_bytes;
    char *before = NULL;
    char *after = NULL;

    row->make(path);
    if (is_file)
        before = slurp(path, &before_bytes);
    expect_refusal(results_open(path, &results, &err), &err, row->told);
    err = (struct error){.text = ""};
    expect_refusal(results_open_to_read(path, &results, &err), &err, row->told);
    if (is_file) {
        after = slurp(path, &after_bytes);
        assert_int_equal(after_bytes, before_bytes);
        assert_memory_equal(after, before, before_bytes);
    }
    free(before);
    free(after);
    assert_int_not_equal(access(folder_file(&folder, "theirs.db-journal"), F_OK), 0);
}

static void a_place_that_cannot_be_written_is_told(void **state)
{
    struct results results;
    struct error err;
    (void)state;

    write_file(folder_file(&folder, "file"), "a file is no folder");
    expect_refusal(results_open(folder_file(&folder, "file/lab.db"), &results, &err), &err,
                   "cannot open the result file");
    if (strstr(err.text, "file/lab.db") == NULL)
        fail_msg("'%s' does not name the file", err.text);
}

/* As somebody who may read the folder and its files, but not write: root may write everywhere. */
static enum status open_without_permission(const char *path, struct error *ret_err)
{
    struct results results;

    assert_int_equal(chmod(folder.name, 0555), 0);
    if (getuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    enum status status = results_open(path, &results, ret_err);
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(folder.name, 0755), 0);
    return status;
}

static void a_folder_without_permission_is_told(void **state)
{
    const char *path = folder_file(&folder, "lab.db");
    struct error err;
    (void)state;

    expect_refusal(open_without_permission(path, &err), &err, "cannot open the result file");
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Before any run, not after it. */
static void a_write_protected_file_is_told_at_once(void **state)
{
    const char *path = folder_file(&folder, "lab.db");
    struct results results;
    struct error err;
    (void)state;

    open_results(&results, path);
    results_close(&results);
    assert_int_equal(chmod(path, 0444), 0);
    expect_refusal(open_without_permission(path, &err), &err, "it is write-protected");
}

static void a_file_without_a_name_is_refused(void **state)
{
    struct results results;
    struct error err;
    (void)state;

    expect_refusal(results_open("", &results, &err), &err, "has no name");
    expect_refusal(results_open_to_read("", &results, &err), &err, "has no name");
}

static void reading_a_file_that_is_not_there_makes_none(void **state)
{
    struct results results;
    struct error err;
    (void)state;

    expect_refusal(results_open_to_read(folder_file(&folder, "none.db"), &results, &err), &err,
                   "unable to open database file");
    assert_int_not_equal(access(folder_file(&folder, "none.db"), F_OK), 0);
}

static int open_folder(void **state)
{
    (void)state;
    folder_open(&folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    folder_close(&folder);
    return 0;
}

int main(void)
{
    TEST_ROWS(contract, has_the_columns_that_were_promised);
    TEST(every_table_is_strict_and_belongs_to_a_run);
    TEST(the_file_says_what_it_is);
    TEST(missing_folders_are_made);
    TEST(a_run_comes_back_as_it_was_written);
    TEST(a_run_that_is_deleted_takes_its_rows_along);
    TEST_ROWS(damage_rows, a_run_is_whole_or_absent);
    TEST(two_handles_take_turns);
    TEST(two_programs_write_the_same_file);
    TEST_ROWS(refused_rows, is_refused_and_left_as_it_was);
    TEST(a_place_that_cannot_be_written_is_told);
    TEST(a_folder_without_permission_is_told);
    TEST(a_write_protected_file_is_told_at_once);
    TEST(a_file_without_a_name_is_refused);
    TEST(reading_a_file_that_is_not_there_makes_none);
    for (size_t i = 0; i < test_count; i++) {
        test_list[i].setup_func = open_folder;
        test_list[i].teardown_func = close_folder;
    }
    return TEST_RUN("lab.results_db");
}
