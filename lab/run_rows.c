/* The rows that every run leaves whatever happened in it. */
#include "lab/run_rows.h"

#include "lab/world.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define WINDOWS_WANTED 300 /* points in a plot */

int64_t run_wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return SECONDS(now.tv_sec) + now.tv_nsec;
}

int64_t run_window_ns(int64_t run_for_ns)
{
    static const int64_t steps[] = {1, 2, 5};
    int64_t power = MS(1);

    for (;; power *= 10)
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
            if (power * steps[i] >= run_for_ns / WINDOWS_WANTED + (run_for_ns % WINDOWS_WANTED > 0))
                return power * steps[i];
}

struct counter_rows {
    struct counter_sink sink;
    struct rows *rows;
};

static void put_counter(struct counter_sink *sink, const char *part, const char *name,
                        uint64_t value)
{
    struct counter_rows *counters = CONTAINER_OF(sink, struct counter_rows, sink);

    rows_put(counters->rows, TABLE_COUNTER,
             (struct value[]){V_TEXT(part), V_TEXT(name), V_INT((int64_t)value)});
}

void run_put_counters(struct rows *rows, struct world *world)
{
    struct counter_rows counters = {{put_counter}, rows};

    world_count(world, &counters.sink);
}

void run_put_sources(struct rows *rows, const struct file_set *files)
{
    static const char *const kinds[] = {"scenario", "topology", "profile"};

    for (size_t i = 0; i < files->file_count; i++)
        rows_put(rows, TABLE_SOURCE,
                 (struct value[]){V_TEXT(kinds[i < 2 ? i : 2]), V_TEXT(files->files[i]->name),
                                  V_TEXT(files->files[i]->text)});
}

void run_put_run(struct rows *rows, const struct run_facts *facts)
{
    const struct scenario *s = facts->scenario;
    struct rusage usage;
    struct timespec now;
    struct tm utc;
    char started[32];
    char seed[24];
    char digest[24];

    getrusage(RUSAGE_SELF, &usage);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= (time_t)(facts->wall_ns / SECONDS(1));
    gmtime_r(&now.tv_sec, &utc);
    strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(seed, sizeof(seed), "%" PRIu64, s->seed);
    snprintf(digest, sizeof(digest), "%016" PRIx64, facts->digest);
    int64_t cpu_ns = SECONDS(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     US(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    rows_put(rows, TABLE_RUN,
             (struct value[]){V_TEXT(facts->name), V_TEXT(facts->variant),
                              V_TEXT(s->topology->name), V_TEXT(seed), V_TEXT(s->overrides),
                              V_TEXT(ISCSILAB_VERSION), V_TEXT(started), V_INT(facts->wall_ns),
                              V_INT(facts->simulated_ns), V_INT((int64_t)facts->events),
                              V_TEXT(digest), V_TEXT(facts->verdict), V_INT(facts->exit_code),
                              V_INT(cpu_ns), V_INT((int64_t)usage.ru_maxrss * 1024),
                              V_INT(PAUSE_THRESHOLD_NS), V_INT(facts->latency_window_ns)});
}
