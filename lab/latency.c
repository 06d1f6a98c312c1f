/* Completions per window of time. */
#include "lab/latency.h"

#include "lab/histogram.h"
#include "sim/core/mem.h"
#include "sim/core/trace.h"

#include <stdio.h>
#include <stdlib.h>

/* One path of one disk in the window that is open; the last one of a disk is "no path". */
struct cell {
    struct histogram histogram;
    uint64_t bytes;
    uint64_t errors;
};

struct latency {
    const struct san_names *names;
    const struct open_ios *ios;
    struct rows *rows;
    struct cell ***cells; /* [host][disk][path or path_count] */
};

struct latency *latency_new(const struct san_names *names, const struct open_ios *ios,
                            struct rows *rows)
{
    struct latency *l = mem_new(sizeof(*l));

    *l = (struct latency){.names = names, .ios = ios, .rows = rows};
    l->cells = mem_array(names->host_count, sizeof(*l->cells));
    for (size_t h = 0; h < names->host_count; h++) {
        const struct host_names *host = &names->hosts[h];

        l->cells[h] = mem_array(host->disk_count, sizeof(**l->cells));
        for (size_t d = 0; d < host->disk_count; d++)
            l->cells[h][d] = mem_array(host->path_count + 1, sizeof(***l->cells));
    }
    return l;
}

void latency_free(struct latency *l)
{
    if (!l)
        return;
    for (size_t h = 0; h < l->names->host_count; h++) {
        for (size_t d = 0; d < l->names->hosts[h].disk_count; d++)
            free(l->cells[h][d]);
        free(l->cells[h]);
    }
    free(l->cells);
    free(l);
}

void latency_done(struct latency *l, int64_t at_ns, const struct open_io *io, bool is_error)
{
    size_t path = io->path == TRACE_NONE ? l->names->hosts[io->host].path_count : io->path;
    struct cell *cell = &l->cells[io->host][io->disk][path];

    if (is_error) {
        cell->errors++;
        return;
    }
    histogram_add(&cell->histogram, at_ns - io->planned_at_ns);
    cell->bytes += io->bytes;
}

/* "bucket:count" for each bucket that is not empty. */
static void write_buckets(const struct histogram *histogram, char *ret_text, size_t bytes)
{
    size_t length = 0;

    ret_text[0] = '\0';
    if (histogram->count == 0)
        return;
    for (uint32_t b = histogram->lowest; b <= histogram->highest && length < bytes - 24; b++)
        if (histogram->buckets[b])
            length += (size_t)snprintf(ret_text + length, bytes - length, "%s%u:%u",
                                       length ? " " : "", b, histogram->buckets[b]);
}

static void put_row(struct latency *l, size_t h, size_t d, size_t p, int64_t window_at_ns,
                    int64_t oldest_ns)
{
    const struct host_names *host = &l->names->hosts[h];
    const struct cell *cell = &l->cells[h][d][p];
    const struct histogram *histogram = &cell->histogram;
    bool has_any = histogram->count > 0;
    char buckets[HISTOGRAM_BUCKETS * 24];

    write_buckets(histogram, buckets, sizeof(buckets));
    rows_put(l->rows, TABLE_LATENCY,
             (struct value[]){V_TEXT(host->host), V_TEXT(host->disks[d]),
                              V_TEXT(p < host->path_count ? host->paths[p] : ""),
                              V_INT(window_at_ns), V_INT((int64_t)histogram->count),
                              V_INT((int64_t)cell->bytes), V_INT((int64_t)cell->errors),
                              has_any ? V_INT(histogram->least_ns) : V_NULL,
                              has_any ? V_INT(histogram_percentile_ns(histogram, 500000)) : V_NULL,
                              has_any ? V_INT(histogram_percentile_ns(histogram, 990000)) : V_NULL,
                              has_any ? V_INT(histogram->most_ns) : V_NULL,
                              V_INT(histogram->sum_ns), V_INT(oldest_ns), V_TEXT(buckets)});
}

/* How long the oldest I/O has waited that is on path 'p' now ('p' = path_count: on none). */
static int64_t oldest_ns(const struct latency *l, size_t h, size_t d, size_t p, int64_t at_ns)
{
    uint32_t path = p < l->names->hosts[h].path_count ? (uint32_t)p : TRACE_NONE;
    const struct open_io *io = open_ios_oldest_on(l->ios, (uint32_t)h, (uint32_t)d, path);

    return io ? at_ns - io->submitted_at_ns : 0;
}

void latency_end_window(struct latency *l, int64_t window_at_ns, int64_t at_ns)
{
    for (size_t h = 0; h < l->names->host_count; h++) {
        const struct host_names *host = &l->names->hosts[h];

        for (size_t d = 0; d < host->disk_count; d++) {
            for (size_t p = 0; p <= host->path_count; p++) {
                struct cell *cell = &l->cells[h][d][p];
                int64_t waiting_ns = oldest_ns(l, h, d, p, at_ns);

                if (cell->histogram.count == 0 && cell->errors == 0 && waiting_ns == 0)
                    continue;
                put_row(l, h, d, p, window_at_ns, waiting_ns);
                histogram_clear(&cell->histogram);
                cell->bytes = cell->errors = 0;
            }
        }
    }
}
