/* A run as a person reads it on a terminal, from the result file. */
#include "lab/show.h"

#include "lab/format.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_MOST 60 /* lines of a story; the tables have all of it */

struct show {
    sqlite3 *sqlite;
    int64_t run_id;
    bool has_colour;
    FILE *to;
};

bool show_has_colour(FILE *to)
{
    const char *no_colour = getenv("NO_COLOR");

    return isatty(fileno(to)) && !(no_colour && no_colour[0]);
}

static const char *green(const struct show *show)
{
    return show->has_colour ? "\033[32m" : "";
}

static const char *red(const struct show *show)
{
    return show->has_colour ? "\033[31m" : "";
}

static const char *bold(const struct show *show)
{
    return show->has_colour ? "\033[1m" : "";
}

static const char *plain(const struct show *show)
{
    return show->has_colour ? "\033[0m" : "";
}

/* A statement over one run: parameter 1 is its number. NULL if the file lacks what it needs. */
static sqlite3_stmt *query(const struct show *show, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(show->sqlite, sql, -1, &statement, NULL) == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, show->run_id);
    else
        fprintf(stderr, "error: %s\n", sqlite3_errmsg(show->sqlite));
    return statement;
}

static const char *text(sqlite3_stmt *row, int column)
{
    const unsigned char *value = sqlite3_column_text(row, column);

    return value ? (const char *)value : "-";
}

static int64_t span(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, column);
}

static void show_head(const struct show *show)
{
    sqlite3_stmt *row = query(show, "SELECT scenario, variant, topology, seed, verdict, exit_code,"
                                    " simulated_ns, wall_ns, events, digest FROM run"
                                    " WHERE run_id = ?");
    char simulated[FORMAT_BYTES];
    char wall[FORMAT_BYTES];

    if (sqlite3_step(row) == SQLITE_ROW) {
        bool is_met = sqlite3_column_int(row, 5) == 0;

        fprintf(show->to, "\n%s%s%s", bold(show), text(row, 0), plain(show));
        if (text(row, 1)[0])
            fprintf(show->to, " [%s]", text(row, 1));
        fprintf(show->to, " on %s, seed %s: %s%s%s\n", text(row, 2), text(row, 3),
                is_met ? green(show) : red(show), text(row, 4), plain(show));
        fprintf(show->to, "  simulated %s in %s, %lld events, digest %s\n",
                format_span(sqlite3_column_int64(row, 6), simulated),
                format_span(sqlite3_column_int64(row, 7), wall),
                (long long)sqlite3_column_int64(row, 8), text(row, 9));
    }
    sqlite3_finalize(row);
}

static void show_events(const struct show *show)
{
    /* A sign that comes again and again is one line: a new one begins after a minute of silence,
     * and after each fault and repair. */
    sqlite3_stmt *row = query(
        show,
        "WITH moments AS (SELECT at_ns AS moment_ns FROM fault WHERE run_id = ?1 UNION"
        "  SELECT repaired_at_ns FROM fault WHERE run_id = ?1 AND repaired_at_ns IS NOT NULL),"
        " placed AS (SELECT *, rowid AS n,"
        "  (SELECT max(moment_ns) FROM moments WHERE moment_ns <= at_ns) AS after_ns"
        "  FROM sign WHERE run_id = ?1),"
        " spaced AS (SELECT *, at_ns - lag(at_ns) OVER w > 60000000000 OR"
        "  coalesce(after_ns, -1) <> coalesce(lag(after_ns) OVER w, -1) AS is_new FROM placed"
        "  WINDOW w AS (PARTITION BY host, path, layer, what ORDER BY at_ns)),"
        " numbered AS (SELECT *, sum(coalesce(is_new, 1)) OVER"
        "  (PARTITION BY host, path, layer, what ORDER BY at_ns) AS series FROM spaced)"
        " SELECT at_ns, 'fault', step || ': ' || kind || ' ' || part, 0 AS rank, rowid AS n FROM "
        "fault"
        "  WHERE run_id = ?1"
        " UNION ALL SELECT repaired_at_ns, 'repair', step || ': ' || kind || ' ' || part ||"
        "  ' undone', 0, rowid FROM fault WHERE run_id = ?1 AND repaired_at_ns IS NOT NULL"
        " UNION ALL SELECT min(at_ns), 'sign', coalesce(path, host) || '  ' || layer || ': ' ||"
        "  what || CASE WHEN count(*) > 1 THEN printf(' (%d times until %.3f s)', count(*),"
        "  max(at_ns) / 1e9) ELSE '' END, 1, min(n) FROM numbered"
        "  GROUP BY host, path, layer, what, series"
        " UNION ALL SELECT min(at_ns), 'path', path || '  ' || old_state || ' -> ' || new_state ||"
        "  ' (' || reason || ')' ||"
        "  CASE WHEN count(*) > 1 THEN ', ' || count(*) || ' disks' ELSE '' END, 2, min(rowid)"
        "  FROM path_event WHERE run_id = ?1"
        "  GROUP BY at_ns / 1000000, path, old_state, new_state, reason"
        " UNION ALL SELECT at_ns, 'broken', rule || ': ' || text, 3, rowid FROM broken_rule"
        "  WHERE run_id = ?1"
        " ORDER BY 1, 4, 5");
    char at[FORMAT_BYTES];
    int shown = 0;
    int left = 0;

    fprintf(show->to, "\n%sWhat happened%s\n", bold(show), plain(show));
    while (sqlite3_step(row) == SQLITE_ROW) {
        bool is_broken = strcmp(text(row, 1), "broken") == 0;

        if (shown >= EVENTS_MOST && !is_broken) {
            left++;
            continue;
        }
        shown++;
        fprintf(show->to, "%s  %s%-6s  %s%s\n",
                format_instant(sqlite3_column_int64(row, 0), 12, at), is_broken ? red(show) : "",
                text(row, 1), text(row, 2), is_broken ? plain(show) : "");
    }
    if (left > 0)
        fprintf(show->to, "  ... and %d more; the tables sign and path_event have them all\n",
                left);
    sqlite3_finalize(row);
}

static void show_failover(const struct show *show)
{
    sqlite3_stmt *row =
        query(show, "SELECT fault, host, disk, detected_ns, path_failed_ns, first_io_ns,"
                    " longest_pause_ns, longest_io_ns, ios_caught, io_errors, path_usable_ns,"
                    " detected_by, affected, still_waiting FROM failover WHERE run_id = ?"
                    " AND (affected OR io_errors)"
                    " AND (longest_io_ns IS NOT NULL OR ios_caught OR io_errors)"
                    " ORDER BY fault_at_ns, fault_id, host, disk");
    char cells[6][FORMAT_BYTES];
    bool is_first = true;

    while (sqlite3_step(row) == SQLITE_ROW) {
        if (is_first)
            fprintf(show->to,
                    "\n%sFailover%s (spans count from the fault; usable again: from the repair)\n"
                    "  %-20s %-8s %-14s %10s %11s %10s %13s %11s %7s %7s %12s\n",
                    bold(show), plain(show), "fault", "host", "disk", "detected", "path failed",
                    "first I/O", "longest pause", "longest I/O", "caught", "errors",
                    "usable again");
        is_first = false;
        for (int i = 0; i < 5; i++)
            format_span(span(row, 3 + i), cells[i]);
        format_span(span(row, 10), cells[5]);
        fprintf(show->to, "  %-20s %-8s %-14s %10s %11s %10s %13s %11s %7lld %7lld %12s\n",
                text(row, 0), text(row, 1), text(row, 2), cells[0], cells[1], cells[2], cells[3],
                cells[4], (long long)sqlite3_column_int64(row, 8),
                (long long)sqlite3_column_int64(row, 9), cells[5]);
        if (sqlite3_column_int64(row, 13) > 0)
            fprintf(show->to, "  %-20s %lld caught I/O still wait at the end of the run\n", "",
                    (long long)sqlite3_column_int64(row, 13));
    }
    sqlite3_finalize(row);
}

static void show_expectations(const struct show *show)
{
    sqlite3_stmt *row = query(show, "SELECT verdict, name, subject, measure, bound, measured, unit"
                                    " FROM expectation WHERE run_id = ? ORDER BY rowid");
    char value[FORMAT_BYTES];
    bool is_first = true;

    while (sqlite3_step(row) == SQLITE_ROW) {
        bool is_met = strcmp(text(row, 0), "met") == 0;

        if (is_first)
            fprintf(show->to, "\n%sExpectations%s\n", bold(show), plain(show));
        is_first = false;
        fprintf(show->to, "  %s%-10s%s  %s\n              %s of %s: %s (%s)\n",
                is_met ? green(show) : red(show), text(row, 0), plain(show), text(row, 1),
                text(row, 3), text(row, 2), format_measure(text(row, 5), text(row, 6), value),
                text(row, 4));
    }
    sqlite3_finalize(row);
}

void show_run(const struct results *results, int64_t run_id, bool has_colour, FILE *to)
{
    struct show show = {results->sqlite, run_id, has_colour, to};

    show_head(&show);
    show_events(&show);
    show_failover(&show);
    show_expectations(&show);
}
