/* Verdicts as JUnit XML. */
#include "lab/junit.h"

#include "lab/format.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DRAFT_BYTES 4096u

static const struct source_pos nowhere = {0};

/* Text as XML attribute or content; what XML 1.0 has no character for becomes '?'. */
static void put_xml(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? '?' : *text, to);
        }
    }
}

static const char *column(sqlite3_stmt *row, int index)
{
    const unsigned char *text = sqlite3_column_text(row, index);

    return text ? (const char *)text : "";
}

static sqlite3_stmt *query(const struct results *results, const char *sql, int64_t run_id)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(results->sqlite, sql, -1, &statement, NULL) == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, run_id);
    return statement;
}

/* False: reading ended early, or never began. */
static bool end_query(sqlite3_stmt *row)
{
    return sqlite3_finalize(row) == SQLITE_OK && row;
}

static void open_case(FILE *to, const char *class_name, const char *name, const char *subject)
{
    fputs("    <testcase classname=\"", to);
    put_xml(to, class_name);
    fputs("\" name=\"", to);
    put_xml(to, name);
    if (subject[0]) {
        fputs(" (", to);
        put_xml(to, subject);
        fputs(")", to);
    }
    fputs("\"", to);
}

static bool put_expectations(FILE *to, const struct results *results, int64_t run_id,
                             const char *class_name)
{
    sqlite3_stmt *row = query(results,
                              "SELECT name, subject, verdict, measure, bound, measured, unit"
                              " FROM expectation WHERE run_id = ? ORDER BY rowid",
                              run_id);
    char value[FORMAT_BYTES];

    while (sqlite3_step(row) == SQLITE_ROW) {
        open_case(to, class_name, column(row, 0), column(row, 1));
        if (strcmp(column(row, 2), "met") == 0) {
            fputs("/>\n", to);
            continue;
        }
        fputs(">\n      <failure message=\"", to);
        put_xml(to, column(row, 2));
        fputs(": ", to);
        put_xml(to, column(row, 3));
        fputs(" was ", to);
        put_xml(to, format_measure(column(row, 5), column(row, 6), value));
        fputs(", wanted ", to);
        put_xml(to, column(row, 4));
        fputs("\"/>\n    </testcase>\n", to);
    }
    return end_query(row);
}

/* What an expectation with 'breaks' asked for is no failure. */
static bool put_rules(FILE *to, const struct results *results, int64_t run_id,
                      const char *class_name, int exit_code)
{
    sqlite3_stmt *row =
        query(results,
              "SELECT rule, text FROM broken_rule b WHERE run_id = ? AND NOT EXISTS"
              " (SELECT 1 FROM expectation e WHERE e.run_id = b.run_id AND measure = 'breaks'"
              "  AND bound = 'breaks ' || rule AND (subject IN (host, disk, path)"
              "  OR subject = 'run' OR subject LIKE 'all %' OR host IS NULL))"
              " ORDER BY b.rowid",
              run_id);

    open_case(to, class_name, "data safety and protocol", "");
    fputs(">\n", to);
    while (exit_code == 4 && sqlite3_step(row) == SQLITE_ROW) {
        fputs("      <failure message=\"", to);
        put_xml(to, column(row, 0));
        fputs(": ", to);
        put_xml(to, column(row, 1));
        fputs("\"/>\n", to);
    }
    if (exit_code == 5)
        fputs("      <error message=\"no verdict: a limit was reached\"/>\n", to);
    fputs("    </testcase>\n", to);
    return end_query(row);
}

static bool put_run(FILE *to, const struct results *results, int64_t run_id)
{
    sqlite3_stmt *row =
        query(results,
              "SELECT scenario || CASE variant WHEN '' THEN '' ELSE '.' || variant END,"
              " printf('%.3f', wall_ns / 1e9), exit_code,"
              " 1 + (SELECT count(*) FROM expectation e WHERE e.run_id = r.run_id),"
              " (SELECT count(*) FROM expectation e WHERE e.run_id = r.run_id AND verdict <> 'met')"
              " + (exit_code = 4), exit_code = 5 FROM run r WHERE run_id = ?",
              run_id);
    bool is_whole = sqlite3_step(row) == SQLITE_ROW;

    if (is_whole) {
        const char *class_name = column(row, 0);

        fputs("  <testsuite name=\"", to);
        put_xml(to, class_name);
        fprintf(to, "\" tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%s\">\n",
                sqlite3_column_int(row, 3), sqlite3_column_int(row, 4), sqlite3_column_int(row, 5),
                column(row, 1));
        is_whole = put_expectations(to, results, run_id, class_name) &&
                   put_rules(to, results, run_id, class_name, sqlite3_column_int(row, 2));
        fputs("  </testsuite>\n", to);
    }
    return end_query(row) && is_whole;
}

static enum status unreadable(const struct results *results, struct error *err)
{
    error_set(err, ERR_SYSTEM, nowhere, "cannot read the result file '%s': %s", results->path,
              sqlite3_errmsg(results->sqlite));
    error_help(err, "check that nobody else changes or removes it");
    return ERR_SYSTEM;
}

/* Where the report is written before it gets its name. NULL: '*err' says why not. */
static FILE *open_draft(const char *path, char *ret_draft, size_t draft_bytes, struct error *err)
{
    bool is_too_long = snprintf(ret_draft, draft_bytes, "%s.part", path) >= (int)draft_bytes;
    FILE *to = is_too_long ? NULL : fopen(ret_draft, "w");

    if (!to)
        error_set(err, ERR_SYSTEM, nowhere, "cannot write '%s': %s", path,
                  strerror(is_too_long ? ENAMETOOLONG : errno));
    return to;
}

enum status junit_check(const char *path, struct error *err)
{
    char draft[DRAFT_BYTES];
    FILE *to = open_draft(path, draft, sizeof(draft), err);

    if (!to)
        return ERR_SYSTEM;
    fclose(to);
    remove(draft);
    return OK;
}

enum status junit_write(const struct results *results, const int64_t *runs, size_t run_count,
                        const char *path, struct error *err)
{
    char draft[DRAFT_BYTES];
    FILE *to = open_draft(path, draft, sizeof(draft), err);

    if (!to)
        return ERR_SYSTEM;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"iscsilab\">\n", to);
    bool is_whole = true;
    for (size_t i = 0; i < run_count && is_whole; i++)
        is_whole = put_run(to, results, runs[i]);
    if (!is_whole) {
        fclose(to);
        remove(draft);
        return unreadable(results, err);
    }
    fputs("</testsuites>\n", to);
    int is_bad = ferror(to);
    if (fclose(to) != 0 || is_bad || rename(draft, path) != 0) {
        enum status status =
            error_set(err, ERR_SYSTEM, nowhere, "cannot write '%s': %s", path, strerror(errno));

        remove(draft);
        return status;
    }
    return OK;
}
