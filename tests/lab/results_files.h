/* What the tests of the result file share: a folder of their own, and small runs to record. */
#pragma once

#include "lab/results_db.h"
#include "lab/rows.h"
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
    char name[64];
    char path[256]; /* of folder_file() */
};

static inline void folder_open(struct folder *folder)
{
    snprintf(folder->name, sizeof(folder->name), "/tmp/iscsilab-test.XXXXXX");
    assert_non_null(mkdtemp(folder->name));
}

/* Valid until the next call. */
static inline const char *folder_file(struct folder *folder, const char *name)
{
    snprintf(folder->path, sizeof(folder->path), "%s/%s", folder->name, name);
    return folder->path;
}

/* Removes what is in an open folder, and closes it; links are not followed. */
static inline void empty_folder(int fd)
{
    DIR *folder = fdopendir(fd);

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        assert_true(inner >= 0);
        empty_folder(inner);
        assert_int_equal(unlinkat(fd, entry->d_name, AT_REMOVEDIR), 0);
    }
    closedir(folder);
}

static inline void folder_close(struct folder *folder)
{
    int fd = open(folder->name, O_RDONLY | O_DIRECTORY);

    assert_true(fd >= 0);
    empty_folder(fd);
    assert_int_equal(rmdir(folder->name), 0);
}

static inline void put_run(struct rows *rows, const char *scenario, const char *variant,
                           int exit_code)
{
    rows_put(rows, TABLE_RUN,
             (struct value[]){V_TEXT(scenario), V_TEXT(variant), V_TEXT("two-switches"),
                              V_TEXT("18446744073709551615"), V_TEXT(""), V_TEXT("1.0"),
                              V_TEXT("2026-01-01T00:00:00Z"), V_INT(12345678), V_INT(1000),
                              V_INT(7), V_TEXT("00ff"), V_TEXT(exit_code ? "failed" : "met"),
                              V_INT(exit_code), V_INT(1), V_INT(1), V_INT(1), V_INT(1)});
}

static inline void put_expectation(struct rows *rows, const char *name, const char *subject,
                                   const char *measured, const char *verdict)
{
    rows_put(rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT(name), V_TEXT(subject), V_TEXT("longest-io"),
                              V_TEXT("at-most 20 s"), V_TEXT(measured), V_TEXT("ns"),
                              V_TEXT(verdict)});
}

static inline void put_broken_rule(struct rows *rows, const char *rule, const char *text)
{
    rows_put(rows, TABLE_BROKEN_RULE,
             (struct value[]){V_TEXT(rule), V_INT(5), V_TEXT("hv1"), V_NULL, V_TEXT("san1.disk"),
                              V_INT(8), V_TEXT(text)});
}

static inline void open_results(struct results *results, const char *path)
{
    struct error err;

    if (results_open(path, results, &err) != OK)
        fail_msg("%s", err.text);
}

/* The number that a query gives. */
static inline int64_t ask(const struct results *results, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(results->sqlite, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(results->sqlite));
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* A file as it is; the caller's to free. */
static inline char *slurp(const char *path, size_t *ret_bytes)
{
    FILE *from = fopen(path, "rb");
    char *text = NULL;

    assert_non_null(from);
    fseek(from, 0, SEEK_END);
    *ret_bytes = (size_t)ftell(from);
    rewind(from);
    text = calloc(1, *ret_bytes + 1);
    assert_int_equal(fread(text, 1, *ret_bytes, from), *ret_bytes);
    fclose(from);
    return text;
}
