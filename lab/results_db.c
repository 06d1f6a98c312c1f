/* The result file. The tables come from rows.c; the views are here. */
#include "lab/results_db.h"

#include "lab/rows.h"
#include "sim/core/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS      120000 /* how long to wait for another program's transaction */
#define BUSY_STEP_MS 20
#define BUSY_SAID_MS 1000 /* after which it is told what is waited for */

static const struct source_pos nowhere = {0};

static const char views[] =
    "CREATE VIEW failover AS SELECT e.run_id, r.scenario, f.step AS fault, e.host, e.disk,"
    " f.at_ns AS fault_at_ns, e.affected, e.overlaps, e.detected_ns, e.detected_by,"
    " e.path_failed_ns, e.first_io_ns, e.longest_pause_ns, e.longest_io_ns, e.ios_caught,"
    " e.share_caught_ppm, e.ios_recovered_in_place, e.still_waiting, e.ios_retried, e.io_errors,"
    " e.path_usable_ns, e.path_first_io_ns, f.kind, f.part, f.fault_id"
    " FROM fault_effect e JOIN fault f USING (run_id, fault_id) JOIN run r USING (run_id);";

static enum status fail_because(const struct results *results, const char *doing, const char *why,
                                struct error *err)
{
    error_set(err, ERR_SYSTEM, nowhere, "cannot %s the result file '%s': %s", doing, results->path,
              why);
    error_help(err, "check the disk space and the permissions, or name another file with --db");
    return ERR_SYSTEM;
}

static enum status fail(const struct results *results, const char *doing, struct error *err)
{
    return fail_because(results, doing, sqlite3_errmsg(results->sqlite), err);
}

static bool run_sql(struct results *results, const char *sql)
{
    return sqlite3_exec(results->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int64_t pragma(struct results *results, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = otherwise;

    if (sqlite3_prepare_v2(results->sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Adds to a bounded text; a text that does not fit is a bug. */
static void add(char *text, size_t capacity, const char *more)
{
    size_t length = strlen(text);

    snprintf(text + length, capacity - length, "%s", more);
}

static bool create_table(struct results *results, enum table table)
{
    const struct table_def *def = table_def(table);
    size_t count = table_column_count(table);
    char sql[4096] = "";

    add(sql, sizeof(sql), "CREATE TABLE ");
    add(sql, sizeof(sql), def->name);
    add(sql, sizeof(sql),
        table == TABLE_RUN ? " (run_id INTEGER PRIMARY KEY"
                           : " (run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE");
    for (size_t i = 0; i < count; i++) {
        add(sql, sizeof(sql), ", ");
        add(sql, sizeof(sql), def->columns[i].name);
        add(sql, sizeof(sql), " ");
        add(sql, sizeof(sql), def->columns[i].type);
    }
    if (def->key) {
        add(sql, sizeof(sql), ", ");
        add(sql, sizeof(sql), def->key);
    }
    add(sql, sizeof(sql), ") STRICT;");
    if (!run_sql(results, sql))
        return false;
    if (table == TABLE_RUN || def->key)
        return true;
    snprintf(sql, sizeof(sql), "CREATE INDEX %s_of_run ON %s (run_id);", def->name, def->name);
    return run_sql(results, sql);
}

static bool create_all(struct results *results)
{
    char sql[128];

    for (enum table table = 0; table < TABLE_COUNT; table++)
        if (!create_table(results, table))
            return false;
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             RESULTS_APPLICATION_ID, RESULTS_VERSION);
    return run_sql(results, views) && run_sql(results, sql);
}

static enum status check_identity(struct results *results, struct error *err)
{
    int64_t version = pragma(results, "PRAGMA user_version", -1);
    enum status status = OK;

    if (pragma(results, "PRAGMA application_id", 0) != RESULTS_APPLICATION_ID) {
        status = error_set(err, ERR_SYSTEM, nowhere, "'%s' is no result file of iscsilab",
                           results->path);
        error_help(err, "name another file with --db");
    } else if (version > RESULTS_VERSION) {
        status = error_set(err, ERR_SYSTEM, nowhere,
                           "'%s' was written by a newer iscsilab (version %lld of its tables, "
                           "this program knows %d)",
                           results->path, (long long)version, RESULTS_VERSION);
        error_help(err, "use the newer program, or name another file with --db");
    }
    return status;
}

/* An empty file gets its tables; the transaction keeps two programs from doing it both. */
static enum status prepare(struct results *results, struct error *err)
{
    /* SQLite is content with reading such a file until the first row is written. */
    if (sqlite3_db_readonly(results->sqlite, "main") == 1)
        return fail_because(results, "write", "it is write-protected", err);
    if (!run_sql(results, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE;"))
        return sqlite3_errcode(results->sqlite) == SQLITE_NOTADB ? check_identity(results, err)
                                                                 : fail(results, "write", err);
    /* One that is empty but marked is another program's, or a later one of ours. */
    bool is_empty = pragma(results, "SELECT count(*) FROM sqlite_schema", -1) == 0 &&
                    pragma(results, "PRAGMA application_id", -1) == 0 &&
                    pragma(results, "PRAGMA user_version", -1) == 0;
    if (is_empty && !create_all(results)) {
        enum status status = fail(results, "make", err);

        run_sql(results, "ROLLBACK;");
        return status;
    }
    if (!run_sql(results, "COMMIT;"))
        return fail(results, "make", err);
    return check_identity(results, err);
}

/* SQLite takes a file that is shorter than its header for a new one, and would overwrite it. */
static bool is_foreign(const char *path)
{
    static const char magic[16] = "SQLite format 3"; /* its first bytes, with the '\0' */
    char head[sizeof(magic)];
    FILE *file = fopen(path, "rb");

    if (!file)
        return false; /* new, or unreadable: SQLite says which */
    size_t bytes = fread(head, 1, sizeof(head), file);
    fclose(file);
    return bytes > 0 && (bytes < sizeof(head) || memcmp(head, magic, sizeof(head)) != 0);
}

static enum status refuse_foreign(const char *path, struct error *err)
{
    error_set(err, ERR_SYSTEM, nowhere, "'%s' is no result file of iscsilab", path);
    error_help(err, "name another file with --db");
    return ERR_SYSTEM;
}

/* The folder of 'path' and those above it. What cannot be made shows when the file is opened. */
static void make_folders(const char *path)
{
    char *folder = mem_text(path);
    char *name = folder + strspn(folder, "/");

    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0777);
        *slash = '/';
    }
    free(folder);
}

/* SQLite's busy handler: 0 gives up. */
static int wait_busy(void *user, int tries)
{
    const char *path = user;

    if (tries == BUSY_SAID_MS / BUSY_STEP_MS)
        fprintf(stderr, "waiting for the result file '%s', which another program holds\n", path);
    sqlite3_sleep(BUSY_STEP_MS);
    return tries < BUSY_MS / BUSY_STEP_MS;
}

static enum status open_file(const char *path, int flags, struct results *results,
                             struct error *err)
{
    if (path[0] == '\0') { /* to SQLite, a file that is gone when it is closed */
        error_set(err, ERR_SYSTEM, nowhere, "the result file has no name");
        error_help(err, "name it with --db, or leave --db out for results/lab.db");
        return ERR_SYSTEM;
    }
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) {
        error_set(err, ERR_SYSTEM, nowhere, "the result file '%s' is no regular file", path);
        error_help(err, "name another one with --db");
        return ERR_SYSTEM;
    }
    if (stat(path, &about) == 0 && is_foreign(path))
        return refuse_foreign(path, err);
    *results = (struct results){.path = mem_text(path)};
    int code = sqlite3_open_v2(path, &results->sqlite, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_handler(results->sqlite, wait_busy, results->path);
        return OK;
    }
    enum status status = fail(results, "open", err);
    results_close(results);
    return status;
}

enum status results_open(const char *path, struct results *ret_results, struct error *err)
{
    struct results results;

    make_folders(path);
    enum status status = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &results, err);
    if (status != OK)
        return status;
    status = prepare(&results, err);
    if (status != OK) {
        results_close(&results);
        return status;
    }
    *ret_results = results;
    return OK;
}

enum status results_open_to_read(const char *path, struct results *ret_results, struct error *err)
{
    struct results results;
    enum status status = open_file(path, SQLITE_OPEN_READONLY, &results, err);

    if (status != OK)
        return status;
    status = check_identity(&results, err);
    if (status != OK) {
        results_close(&results);
        return status;
    }
    *ret_results = results;
    return OK;
}

void results_close(struct results *results)
{
    sqlite3_close(results->sqlite);
    free(results->path);
    *results = (struct results){0};
}

static sqlite3_stmt *prepare_insert(struct results *results, enum table table)
{
    size_t count = table_column_count(table);
    sqlite3_stmt *statement = NULL;
    char sql[512] = "";

    add(sql, sizeof(sql), "INSERT INTO ");
    add(sql, sizeof(sql), table_def(table)->name);
    add(sql, sizeof(sql), " VALUES (?");
    for (size_t i = 0; i < count; i++)
        add(sql, sizeof(sql), ", ?");
    add(sql, sizeof(sql), ");");
    sqlite3_prepare_v2(results->sqlite, sql, -1, &statement, NULL);
    return statement;
}

static void bind(sqlite3_stmt *statement, int index, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        sqlite3_bind_null(statement, index);
        break;
    case VALUE_INT:
        sqlite3_bind_int64(statement, index, value->number);
        break;
    case VALUE_TEXT:
        sqlite3_bind_text(statement, index, value->text, -1, SQLITE_STATIC);
        break;
    }
}

/* One row; 'run_id' 0 lets SQLite choose it. */
static bool insert(struct results *results, sqlite3_stmt **statements,
                   const struct message *message, int64_t run_id)
{
    enum table table = message->table;
    size_t count = table_column_count(table);

    if (!statements[table])
        statements[table] = prepare_insert(results, table);
    sqlite3_stmt *statement = statements[table];
    if (!statement)
        return false;
    bind(statement, 1, run_id ? &V_INT(run_id) : &V_NULL);
    for (size_t i = 0; i < count; i++)
        bind(statement, (int)i + 2, &message->values[i]);
    bool is_done = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && is_done;
}

/* Are these whole messages, with exactly one row of the table 'run' among them? */
static bool is_one_run(const uint8_t *data, size_t bytes)
{
    struct message message;
    size_t runs = 0;

    for (size_t at = 0; at < bytes; at += message.bytes) {
        message_decode(data + at, bytes - at, &message);
        if (message.kind != MESSAGE_ROW && message.kind != MESSAGE_PROGRESS)
            return false;
        runs += message.kind == MESSAGE_ROW && message.table == TABLE_RUN;
    }
    return runs == 1;
}

/* All rows of 'data', that of TABLE_RUN first: the others refer to it. */
static bool insert_all(struct results *results, const uint8_t *data, size_t bytes,
                       int64_t *ret_run_id)
{
    sqlite3_stmt *statements[TABLE_COUNT] = {0};
    struct message message;
    int64_t run_id = 0;
    bool is_good = true;

    for (int pass = 0; pass < 2 && is_good; pass++) {
        for (size_t at = 0; at < bytes && is_good; at += message.bytes) {
            message_decode(data + at, bytes - at, &message);
            if (message.kind == MESSAGE_ROW && (message.table == TABLE_RUN) == (pass == 0))
                is_good = insert(results, statements, &message, run_id);
        }
        if (pass == 0)
            run_id = sqlite3_last_insert_rowid(results->sqlite);
    }
    for (enum table table = 0; table < TABLE_COUNT; table++)
        sqlite3_finalize(statements[table]);
    *ret_run_id = run_id;
    return is_good;
}

enum status results_add_run(struct results *results, const uint8_t *data, size_t bytes,
                            int64_t *ret_run_id, struct error *err)
{
    int64_t run_id;

    if (!is_one_run(data, bytes)) {
        error_set(err, ERR_SYSTEM, nowhere, "a run left rows that are damaged");
        error_help(err, "this is a fault of the program or of the machine; nothing was recorded");
        return ERR_SYSTEM;
    }
    if (!run_sql(results, "BEGIN IMMEDIATE;"))
        return fail(results, "write", err);
    if (!insert_all(results, data, bytes, &run_id) || !run_sql(results, "COMMIT;")) {
        enum status status = fail(results, "write", err);

        run_sql(results, "ROLLBACK;");
        return status;
    }
    *ret_run_id = run_id;
    return OK;
}
