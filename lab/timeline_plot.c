/* The timeline of one run as a picture: a gnuplot script made from SQL.
 *
 * The data travel in the script itself ("data blocks"), so that nothing is left beside the picture.
 */
#include "lab/timeline_plot.h"

#include "initiator/path_state.h"
#include "lab/format.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SERIES_MOST 8 /* lines that an eye can tell apart; more paths are left out, and said so */
#define MARKS_MOST  80

static const struct source_pos nowhere = {0};

/* Okabe and Ito's colours, which the colour-blind can tell apart. */
static const char *const colours[SERIES_MOST] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                                 "#56b4e9", "#d55e00", "#8c6d31", "#000000"};

static const struct {
    enum path_state state;
    const char *colour;
} state_colours[] = {
    {PATH_STATE_CONNECTING, "#d9d9d9"}, {PATH_STATE_PENDING, "#c6dbef"},
    {PATH_STATE_ACTIVE, "#74c476"},     {PATH_STATE_STANDBY, "#9ecae1"},
    {PATH_STATE_HELD, "#fdae6b"},       {PATH_STATE_FAILED, "#de2d26"},
    {PATH_STATE_REMOVED, "#636363"},
};

struct plot {
    sqlite3 *sqlite;
    int64_t run_id;
    double end_s;
    char *paths[SERIES_MOST]; /* owned; those that are drawn */
    size_t path_count;
    size_t left_out;
    char *hosts[SERIES_MOST]; /* owned */
    size_t host_count;
    FILE *to; /* gnuplot */
};

static sqlite3_stmt *query(const struct plot *plot, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(plot->sqlite, sql, -1, &statement, NULL) == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, plot->run_id);
    return statement;
}

static const char *text(sqlite3_stmt *row, int column)
{
    const unsigned char *value = sqlite3_column_text(row, column);

    return value ? (const char *)value : "";
}

static double seconds(sqlite3_stmt *row, int column)
{
    return (double)sqlite3_column_int64(row, column) / 1e9;
}

/* A text inside single quotes of gnuplot, where '' stands for one. */
static void put_quoted(FILE *to, const char *words)
{
    fputc('\'', to);
    for (; *words; words++) {
        if (*words == '\'')
            fputc('\'', to);
        fputc((unsigned char)*words < 0x20 ? ' ' : *words, to);
    }
    fputc('\'', to);
}

static size_t load_names(const struct plot *plot, const char *sql, char **ret_names,
                         size_t *ret_left_out)
{
    sqlite3_stmt *row = query(plot, sql);
    size_t count = 0;

    while (sqlite3_step(row) == SQLITE_ROW) {
        if (count < SERIES_MOST)
            ret_names[count++] = mem_text(text(row, 0));
        else
            (*ret_left_out)++;
    }
    sqlite3_finalize(row);
    return count;
}

static bool load(struct plot *plot)
{
    sqlite3_stmt *row = query(plot, "SELECT simulated_ns FROM run WHERE run_id = ?");
    bool is_there = sqlite3_step(row) == SQLITE_ROW;
    size_t hosts_left_out = 0;

    if (is_there)
        plot->end_s = seconds(row, 0);
    sqlite3_finalize(row);
    plot->path_count = load_names(plot,
                                  "SELECT path FROM (SELECT path, host FROM path_event WHERE"
                                  " run_id = ?1 UNION SELECT path, host FROM latency WHERE run_id"
                                  " = ?1 AND path <> '') ORDER BY host, path",
                                  plot->paths, &plot->left_out);
    plot->host_count =
        load_names(plot, "SELECT DISTINCT host FROM latency WHERE run_id = ? ORDER BY host",
                   plot->hosts, &hosts_left_out);
    return is_there;
}

static void unload(struct plot *plot)
{
    for (size_t i = 0; i < plot->path_count; i++)
        free(plot->paths[i]);
    for (size_t i = 0; i < plot->host_count; i++)
        free(plot->hosts[i]);
}

/* Data blocks: $latency_N, $iops_N of path N; $waiting_N of host N. */

static void put_series(const struct plot *plot, const char *block, size_t number, const char *sql,
                       const char *name)
{
    sqlite3_stmt *row = query(plot, sql);
    double last_s = -1;
    double window_s = 0;

    sqlite3_bind_text(row, 2, name, -1, SQLITE_STATIC);
    fprintf(plot->to, "$%s_%zu << EOD\n", block, number);
    while (sqlite3_step(row) == SQLITE_ROW) {
        double at_s = seconds(row, 0);

        window_s = seconds(row, 1);
        if (last_s >= 0 && at_s - last_s > 1.5 * window_s)
            fputs("\n", plot->to); /* a gap, where the line is not to be drawn through */
        fprintf(plot->to, "%.6f %.9g\n", at_s + window_s / 2, sqlite3_column_double(row, 2));
        last_s = at_s;
    }
    if (last_s < 0)
        fputs("-1 1e-9\n", plot->to); /* a block may not be empty; this is off the picture */
    fputs("EOD\n", plot->to);
    sqlite3_finalize(row);
}

static void put_data(const struct plot *plot)
{
    for (size_t i = 0; i < plot->path_count; i++) {
        put_series(plot, "latency", i,
                   "SELECT window_at_ns, latency_window_ns, max(p99_ns) / 1e9 FROM latency"
                   " JOIN run USING (run_id) WHERE run_id = ?1 AND path = ?2 AND ios > 0"
                   " GROUP BY window_at_ns ORDER BY 1",
                   plot->paths[i]);
        put_series(plot, "iops", i,
                   "SELECT window_at_ns, latency_window_ns, sum(ios) * 1e9 / latency_window_ns"
                   " FROM latency JOIN run USING (run_id) WHERE run_id = ?1 AND path = ?2"
                   " GROUP BY window_at_ns ORDER BY 1",
                   plot->paths[i]);
    }
    for (size_t i = 0; i < plot->host_count; i++)
        put_series(plot, "errors", i,
                   "SELECT window_at_ns, latency_window_ns, sum(errors) * 1e9 / latency_window_ns"
                   " FROM latency JOIN run USING (run_id) WHERE run_id = ?1 AND host = ?2"
                   " GROUP BY window_at_ns HAVING sum(errors) > 0 ORDER BY 1",
                   plot->hosts[i]);
    for (size_t i = 0; i < plot->host_count; i++)
        put_series(plot, "waiting", i,
                   "SELECT window_at_ns, latency_window_ns, max(oldest_waiting_ns) / 1e9 FROM"
                   " latency JOIN run USING (run_id) WHERE run_id = ?1 AND host = ?2"
                   " GROUP BY window_at_ns ORDER BY 1",
                   plot->hosts[i]);
}

/* Vertical lines through all panels. */

static void put_marks(const struct plot *plot)
{
    sqlite3_stmt *row =
        query(plot, "SELECT at_ns, 0 AS kind FROM fault WHERE run_id = ?1"
                    " UNION ALL SELECT repaired_at_ns, 1 FROM fault WHERE run_id = ?1"
                    "  AND repaired_at_ns IS NOT NULL"
                    " UNION SELECT at_ns, 2 FROM path_event WHERE run_id = ?1 AND at_ns >="
                    "  (SELECT min(at_ns) FROM fault WHERE run_id = ?1)"
                    " ORDER BY kind DESC, 1");
    static const char *const styles[] = {"lc rgb '#de2d26' lw 1.6", "lc rgb '#31a354' lw 1.6",
                                         "lc rgb '#969696' lw 0.7 dt 3"};
    int count = 0;

    while (sqlite3_step(row) == SQLITE_ROW && count++ < MARKS_MOST)
        fprintf(plot->to,
                "set arrow from first %.6f, graph 0 to first %.6f, graph 1 nohead back %s\n",
                seconds(row, 0), seconds(row, 0), styles[sqlite3_column_int(row, 1)]);
    sqlite3_finalize(row);
}

/* The names of faults and repairs, above the first panel; two rows, so that neighbours fit. */
static void put_mark_names(const struct plot *plot)
{
    sqlite3_stmt *row =
        query(plot, "SELECT at_ns, step, 0 FROM fault WHERE run_id = ?1 UNION ALL"
                    " SELECT repaired_at_ns, part || ' is back', 1 FROM fault WHERE run_id = ?1"
                    "  AND repaired_at_ns IS NOT NULL ORDER BY 1");
    int number = 0;

    while (sqlite3_step(row) == SQLITE_ROW && number < MARKS_MOST) {
        fprintf(plot->to, "set label %d ", ++number);
        put_quoted(plot->to, text(row, 1));
        fprintf(plot->to,
                " at first %.6f, graph %s left offset 0.3,0 font ',8' tc rgb '%s' noenhanced\n",
                seconds(row, 0), number % 2 ? "1.06" : "1.14",
                sqlite3_column_int(row, 2) ? "#31a354" : "#de2d26");
    }
    sqlite3_finalize(row);
}

/* Panels. */

static bool has_errors(const struct plot *plot, const char *host)
{
    sqlite3_stmt *row =
        query(plot, "SELECT 1 FROM latency WHERE run_id = ?1 AND host = ?2 AND errors > 0 LIMIT 1");

    sqlite3_bind_text(row, 2, host, -1, SQLITE_STATIC);
    bool is_any = sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    return is_any;
}

static void put_lines(const struct plot *plot, const char *block, char *const *names, size_t count,
                      const char *style)
{
    fputs("plot ", plot->to);
    for (size_t i = 0; i < count; i++) {
        fprintf(plot->to, "%s$%s_%zu using 1:2 %s dt %d lc rgb '%s' title ", i ? ", " : "", block,
                i, style, i % 2 ? 2 : 1, colours[i]);
        put_quoted(plot->to, names[i]);
    }
    fputs(count ? "\n" : "NaN notitle\n", plot->to);
}

/* Ticks at 1, 2 and 5 where the latencies keep within two decades, at 1 where there are more. */
static void put_latency_axis(const struct plot *plot)
{
    static const struct {
        const char *unit;
        double seconds;
    } decades[] = {{"10 us", 1e-5},  {"100 us", 1e-4}, {"1 ms", 1e-3}, {"10 ms", 1e-2},
                   {"100 ms", 1e-1}, {"1 s", 1},       {"10 s", 10},   {"100 s", 100}};
    sqlite3_stmt *row = query(plot, "SELECT max(p99_ns) < 100 * min(p99_ns) FROM latency"
                                    " WHERE run_id = ? AND ios > 0 AND path <> ''");
    bool is_narrow = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int(row, 0) == 1;

    sqlite3_finalize(row);
    fputs("set ytics (", plot->to);
    for (size_t i = 0; i < ARRAY_SIZE(decades); i++) {
        const char *unit = strchr(decades[i].unit, ' ');
        long number = strtol(decades[i].unit, NULL, 10);

        fprintf(plot->to, "%s'%s' %g", i ? ", " : "", decades[i].unit, decades[i].seconds);
        for (int step = 2; step <= 5 && is_narrow; step += 3)
            fprintf(plot->to, ", '%ld%s' %g", number * step, unit, decades[i].seconds * step);
    }
    fputs(")\n", plot->to);
}

/* I/O per second of each path, and the errors of each host as crosses among them. */
static void put_rates(const struct plot *plot)
{
    fputs("plot ", plot->to);
    for (size_t i = 0; i < plot->path_count; i++) {
        fprintf(plot->to, "$iops_%zu using 1:2 with lines lw 1.2 dt %d lc rgb '%s' title ", i,
                i % 2 ? 2 : 1, colours[i]);
        put_quoted(plot->to, plot->paths[i]);
        fputs(", ", plot->to);
    }
    for (size_t i = 0; i < plot->host_count; i++) {
        if (!has_errors(plot, plot->hosts[i]))
            continue;
        fprintf(plot->to, "$errors_%zu using 1:2 with points pt 2 ps 0.5 lc rgb '#de2d26' title ",
                i);
        put_quoted(plot->to, plot->hosts[i]);
        fputs(".' errors', ", plot->to);
    }
    fputs("NaN notitle\n", plot->to);
}

static const char *state_colour(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(state_colours); i++)
        if (strcmp(path_state_word(state_colours[i].state), word) == 0)
            return state_colours[i].colour;
    return "#ffffff";
}

static void put_box(const struct plot *plot, double from_s, double to_s, size_t lane,
                    const char *colour)
{
    if (to_s > from_s)
        fprintf(plot->to,
                "set object rectangle from first %.6f, first %.2f to first %.6f, first %.2f"
                " fc rgb '%s' fs solid noborder back\n",
                from_s, -(double)lane - 0.38, to_s, -(double)lane + 0.38, colour);
}

/* The lane of one path: the states on the first of its disks that has any. */
static void put_lane(const struct plot *plot, size_t lane)
{
    sqlite3_stmt *row =
        query(plot, "SELECT at_ns, new_state FROM path_event WHERE run_id = ?1 AND path = ?2"
                    " AND disk = (SELECT coalesce((SELECT disk FROM latency WHERE run_id = ?1 AND"
                    "  path = ?2 LIMIT 1), (SELECT min(disk) FROM path_event WHERE run_id = ?1"
                    "  AND path = ?2))) ORDER BY at_ns, rowid");
    double since_s = 0;
    char colour[16] = "#d9d9d9";

    sqlite3_bind_text(row, 2, plot->paths[lane], -1, SQLITE_STATIC);
    while (sqlite3_step(row) == SQLITE_ROW) {
        put_box(plot, since_s, seconds(row, 0), lane, colour);
        since_s = seconds(row, 0);
        snprintf(colour, sizeof(colour), "%s", state_colour(text(row, 1)));
    }
    put_box(plot, since_s, plot->end_s, lane, colour);
    sqlite3_finalize(row);
}

static void put_states(const struct plot *plot)
{
    fputs("unset logscale y\nset ytics (", plot->to);
    for (size_t i = 0; i < plot->path_count; i++) {
        if (i)
            fputs(", ", plot->to);
        put_quoted(plot->to, plot->paths[i]);
        fprintf(plot->to, " %zu * -1", i);
    }
    fprintf(plot->to, ") font ',7'\nset yrange [%.2f:0.6]\nunset grid\n",
            -(double)(plot->path_count ? plot->path_count : 1) + 0.4);
    for (size_t i = 0; i < plot->path_count; i++)
        put_lane(plot, i);
    fputs("plot ", plot->to);
    for (size_t i = 0; i < ARRAY_SIZE(state_colours); i++)
        fprintf(plot->to, "%sNaN with points pt 5 ps 1.5 lc rgb '%s' title '%s'", i ? ", " : "",
                state_colours[i].colour, path_state_word(state_colours[i].state));
    fputs("\n", plot->to);
}

static void put_title(const struct plot *plot)
{
    sqlite3_stmt *row = query(plot, "SELECT scenario || CASE WHEN variant <> '' THEN '  [' ||"
                                    " variant || ']' ELSE '' END || '  -  ' || topology ||"
                                    " ', seed ' || seed || ', ' || verdict FROM run"
                                    " WHERE run_id = ?");
    char words[512] = "";

    if (sqlite3_step(row) == SQLITE_ROW)
        snprintf(words, sizeof(words), "%s", text(row, 0));
    if (plot->left_out)
        snprintf(words + strlen(words), sizeof(words) - strlen(words),
                 "; the first %d paths, %zu more are left out", SERIES_MOST, plot->left_out);
    fputs("set label 1000 ", plot->to);
    put_quoted(plot->to, words);
    fputs(" at screen 0.5, screen 0.975 center font ',12' noenhanced\n", plot->to);
    sqlite3_finalize(row);
}

static void put_panels(const struct plot *plot)
{
    FILE *to = plot->to;

    fprintf(to,
            "set multiplot\nset xrange [0:%.6f]\nset lmargin at screen 0.13\n"
            "set rmargin at screen 0.80\nset grid ytics lc rgb '#e5e5e5'\nset tics nomirror\n"
            "set border 3 lc rgb '#808080'\nset datafile missing 'NaN'\n"
            "set key at screen 0.81, graph 1 left top Left reverse noenhanced font ',8'"
            " samplen 1.5 spacing 1.1\n"
            "set format x ''\n",
            plot->end_s);
    put_marks(plot);
    put_title(plot);
    put_mark_names(plot);
    fputs("set tmargin at screen 0.88\nset bmargin at screen 0.67\n"
          "set ylabel 'latency, p99' offset -1,0\nset logscale y\n",
          to);
    put_latency_axis(plot);
    put_lines(plot, "latency", plot->paths, plot->path_count, "with linespoints pt 7 ps 0.25 lw 1");
    fprintf(to,
            "unset label\nunset logscale y\nset ytics auto\nset format y '%%g'\nset yrange [0:*]\n"
            "set tmargin at screen 0.64\nset bmargin at screen 0.47\n"
            "set ylabel \"oldest waiting\\nI/O (s)\" offset -1.5,0\n");
    put_lines(plot, "waiting", plot->hosts, plot->host_count, "with lines lw 1.5");
    fputs("set tmargin at screen 0.44\nset bmargin at screen 0.27\nset ylabel 'IOPS' offset -1,0\n"
          "set logscale y\nset yrange [1:*]\nset ytics (1, 10, 100, '1 k' 1000, '10 k' 10000,"
          " '100 k' 100000)\n",
          to);
    put_rates(plot);
    fputs("set tmargin at screen 0.24\nset bmargin at screen 0.08\nset ylabel 'path state'"
          " offset -4,0\nset format x '%g'\nset xlabel 'simulated time (s)' offset 0,0.3\n",
          to);
    put_states(plot);
    fputs("unset multiplot\n", to);
}

static enum status fail(const char *what, struct error *err)
{
    enum status status = error_set(err, ERR_SYSTEM, nowhere, "%s", what);

    error_help(err, "install gnuplot (Debian: apt-get install gnuplot-nox)");
    return status;
}

/* Where gnuplot cannot write it draws to standard output, and says that all is well. */
static enum status is_writable(const char *path, struct error *err)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return error_set(err, ERR_SYSTEM, nowhere, "cannot write '%s': %s", path, strerror(errno));
    fclose(file);
    return OK;
}

static enum status is_drawn(const char *path, struct error *err)
{
    struct stat file;

    if (stat(path, &file) == 0 && file.st_size > 0)
        return OK;
    error_set(err, ERR_SYSTEM, nowhere, "cannot write '%s': nothing came of it", path);
    error_help(err, "check the disk space");
    return ERR_SYSTEM;
}

static enum status draw(struct plot *plot, const char *terminal, const char *path,
                        struct error *err)
{
    void (*before)(int);

    if (is_writable(path, err) != OK)
        return ERR_SYSTEM;
    before = signal(SIGPIPE, SIG_IGN); /* a gnuplot that is missing tells by its end */
    plot->to = popen("gnuplot", "w");
    if (!plot->to)
        return fail("gnuplot cannot be started", err);
    fprintf(plot->to, "set encoding utf8\nset terminal %s\nset output ", terminal);
    put_quoted(plot->to, path);
    fputs("\n", plot->to);
    put_data(plot);
    put_panels(plot);
    int end = pclose(plot->to);
    signal(SIGPIPE, before);
    if (end == -1 || !WIFEXITED(end) || WEXITSTATUS(end) != 0)
        return fail("gnuplot failed to draw the timeline", err);
    return is_drawn(path, err);
}

enum status timeline_plot(const struct results *results, int64_t run_id, const char *stem,
                          struct error *err)
{
    struct plot plot = {.sqlite = results->sqlite, .run_id = run_id};
    char path[4096];

    if (!load(&plot)) {
        unload(&plot);
        return error_set(err, ERR_INPUT, nowhere, "there is no run %lld in '%s'", (long long)run_id,
                         results->path);
    }
    snprintf(path, sizeof(path), "%s.png", stem);
    enum status status =
        draw(&plot, "pngcairo size 1200,900 font 'DejaVu Sans,10' background '#ffffff'", path, err);
    if (status == OK) {
        snprintf(path, sizeof(path), "%s.svg", stem);
        status = draw(&plot, "svg size 1200,900 dynamic font 'DejaVu Sans,12' background '#ffffff'",
                      path, err);
    }
    unload(&plot);
    return status;
}
