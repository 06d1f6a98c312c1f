/* The record of a live run. */
#include "lab/live_record.h"

#include "lab/fault.h"
#include "lab/recorder.h"
#include "lab/run_one.h"
#include "lab/run_rows.h"
#include "lab/world.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>

#define WINDOW_NS       SECONDS(1) /* of latencies, where nobody knows how long it will take */
#define LONGEST_PLAN_NS (SECONDS(86400) * 365)

struct live_record {
    struct live_record_options options;
    struct scenario scenario; /* a copy that expects nothing; what it points to is borrowed */
    struct results results;
    struct rows rows;
    struct judge_source source; /* with nothing to judge, nobody asks */
    struct recorder *recorder;
    struct timer timer;
    uint32_t fault_count;
    int64_t window_ns;
    int64_t wall_start_ns;
    int64_t measured_ns;
    bool is_ended;
};

static void wake(struct timer *timer)
{
    struct live_record *record = CONTAINER_OF(timer, struct live_record, timer);
    struct clock *clock = record->options.clock;

    recorder_wake(record->recorder, clock_now_ns(clock));
    clock_arm(clock, timer, recorder_deadline_ns(record->recorder));
}

struct live_record *live_record_open(const struct live_record_options *options, struct error *err)
{
    struct results results;

    if (results_open(options->path, &results, err) != OK)
        return NULL;
    struct live_record *record = mem_new(sizeof(*record));

    *record = (struct live_record){.options = *options,
                                   .scenario = *options->scenario,
                                   .results = results,
                                   .window_ns = WINDOW_NS,
                                   .wall_start_ns = run_wall_ns()};
    if (options->for_ns > 0)
        record->window_ns = run_window_ns(time_min(options->for_ns, LONGEST_PLAN_NS));
    record->scenario.expectations = NULL;
    record->scenario.expectation_count = 0;
    record->recorder =
        recorder_new(&(struct recorder_options){.scenario = &record->scenario,
                                                .names = options->names,
                                                .rows = &record->rows,
                                                .source = &record->source,
                                                .pool = options->pool,
                                                .pause_threshold_ns = PAUSE_THRESHOLD_NS,
                                                .latency_window_ns = record->window_ns});
    timer_init(&record->timer, wake);
    return record;
}

void live_record_free(struct live_record *record)
{
    if (!record)
        return;
    clock_cancel(record->options.clock, &record->timer);
    recorder_free(record->recorder);
    rows_clear(&record->rows);
    results_close(&record->results);
    free(record);
}

struct trace *live_record_trace(struct live_record *record)
{
    return recorder_trace(record->recorder);
}

void live_record_begin(struct live_record *record)
{
    clock_arm(record->options.clock, &record->timer, recorder_deadline_ns(record->recorder));
}

/* The timeline. */

uint32_t live_record_fault(struct live_record *record, const struct step *step)
{
    const struct topology *topology = record->scenario.topology;
    struct path_ref *touched;
    size_t touched_count = 0;
    char part[PART_NAME_BYTES];

    if (record->is_ended)
        return 0;
    touched = mem_array(topology->path_count, sizeof(*touched));
    for (uint32_t p = 0; p < topology->path_count; p++)
        if (fault_touches(topology, step, p))
            touched[touched_count++] =
                (struct path_ref){topology->paths[p].host_index, topology->paths[p].index_in_host};
    recorder_fault(record->recorder, clock_now_ns(record->options.clock), ++record->fault_count,
                   step->name, verb_row(step->verb)->word, fault_part_name(topology, step, part),
                   touched, touched_count);
    free(touched);
    return record->fault_count;
}

void live_record_repair(struct live_record *record, uint32_t fault_id, const struct step *by)
{
    char part[PART_NAME_BYTES];

    assert(fault_id <= record->fault_count);
    if (fault_id == 0 || record->is_ended)
        return;
    recorder_repair(record->recorder, clock_now_ns(record->options.clock), fault_id, by->name,
                    verb_row(by->verb)->word, fault_part_name(record->scenario.topology, by, part));
}

/* The end. */

void live_record_end(struct live_record *record, struct world *world)
{
    if (record->is_ended)
        return;
    record->is_ended = true;
    clock_cancel(record->options.clock, &record->timer);
    record->measured_ns = clock_now_ns(record->options.clock);
    run_put_counters(&record->rows, world);
    (void)recorder_finish(record->recorder, record->measured_ns); /* nothing was expected */
}

enum status live_record_write(struct live_record *record, uint64_t events, int exit_code,
                              int64_t *ret_run_id, struct error *err)
{
    const struct live_record_options *options = &record->options;

    assert(record->is_ended);
    run_put_sources(&record->rows, options->files);
    run_put_run(
        &record->rows,
        &(struct run_facts){.scenario = &record->scenario,
                            .name = options->has_scenario ? record->scenario.name : "live",
                            .variant = "live",
                            .verdict = exit_code == EXIT_BROKEN ? "rule broken" : "not judged",
                            .wall_ns = run_wall_ns() - record->wall_start_ns,
                            .simulated_ns = record->measured_ns,
                            .latency_window_ns = record->window_ns,
                            .events = events,
                            .digest = recorder_digest(record->recorder),
                            .exit_code = exit_code});
    return results_add_run(&record->results, record->rows.data, record->rows.bytes, ret_run_id,
                           err);
}

const struct results *live_record_results(const struct live_record *record)
{
    return &record->results;
}
