/* One run of one variant of a scenario. */
#include "lab/run_one.h"

#include "lab/healthy.h"
#include "lab/recorder.h"
#include "lab/run_rows.h"
#include "lab/timeline.h"
#include "lab/world.h"
#include "lab/world_array.h"
#include "lab/world_host.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"

#include <stdio.h>

#define SLICES         400          /* of a run, between looks at progress and limits */
#define SETTLE_MOST_NS SECONDS(400) /* patience, logouts, dead sessions, TIME-WAIT */

/* Everything of one run. */
struct run {
    const struct run_one_options *options;
    const struct scenario *scenario;
    struct row_stream *stream;
    struct event_queue queue;
    struct pool *pool;
    struct san_names names;
    struct recorder *recorder;
    struct world *world;
    struct timeline *timeline;
    struct healthy *healthy;
    struct timer recorder_timer;
    struct judge_source source;
    struct recorder_listener listener;
    struct capture_run *capture;
    int64_t wall_start_ns;
    bool is_cut_short; /* a limit was reached */
};

/* What the judge and the capture want of us. */

static uint64_t frames_dropped(struct judge_source *source, struct part_ref part,
                               enum drop_reason reason)
{
    struct run *run = CONTAINER_OF(source, struct run, source);
    char buffer[PART_NAME_BYTES];

    return fabric_dropped(world_fabric(run->world),
                          topology_part_name(run->scenario->topology, part, buffer), reason);
}

static bool has_session(const struct host *host, uint32_t path_in_host)
{
    const struct path *path = host_path(host, path_in_host);

    return path && path_link(path) == PATH_LINK_LOGGED_IN;
}

static uint64_t path_count(struct judge_source *source, uint32_t path_index, enum measure measure)
{
    struct run *run = CONTAINER_OF(source, struct run, source);
    const struct topology *t = run->scenario->topology;
    const struct topology_path *path = &t->paths[path_index];
    struct world_host *host = world_host(run->world, path->host_index);
    struct world_array *array = world_array(run->world, path->array_index);
    uint32_t here = t->nics[path->nic_index].address;
    uint32_t there = t->nics[path->array_nic_index].address;

    switch (measure) {
    case MEASURE_SESSIONS:
        return has_session(world_host_initiator(host), path->index_in_host);
    case MEASURE_LOGINS:
        return host_path_counters(world_host_initiator(host), path->index_in_host).logins;
    case MEASURE_RETRANSMISSIONS:
        return stack_counters(world_host_stack(host), here, there).retransmissions +
               stack_counters(world_array_stack(array), there, here).retransmissions;
    case MEASURE_RESETS:
        return stack_counters(world_host_stack(host), here, there).resets_received +
               stack_counters(world_array_stack(array), there, here).resets_received;
    default:
        return 0;
    }
}

static void on_text(struct recorder_listener *listener, int64_t at_ns, const char *text)
{
    struct run *run = CONTAINER_OF(listener, struct run, listener);

    if (run->capture)
        capture_run_event(run->capture, at_ns, text);
}

static void wake_recorder(struct timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, recorder_timer);

    recorder_wake(run->recorder, run->queue.clock.now_ns);
    clock_arm(&run->queue.clock, timer, recorder_deadline_ns(run->recorder));
}

/* Life. */

static void print_error(const struct error *err)
{
    fprintf(stderr, "error: %s\n", err->text);
    if (err->help[0])
        fprintf(stderr, "  = help: %s\n", err->help);
}

static bool open_capture(struct run *run)
{
    struct error err = {0};

    if (!run->options->pcap_path)
        return true;
    run->capture = capture_run_begin(run->options->capture, run->scenario->topology,
                                     world_fabric(run->world), run->options->pcap_path, &err);
    if (!run->capture)
        print_error(&err);
    return run->capture;
}

static bool close_capture(struct run *run)
{
    struct error err = {0};
    bool is_whole = capture_run_end(run->capture, &err) == OK;

    run->capture = NULL;
    if (!is_whole)
        print_error(&err);
    return is_whole;
}

static void run_init(struct run *run, const struct run_one_options *options,
                     struct row_stream *stream)
{
    const struct scenario *scenario = options->scenario;

    *run = (struct run){.options = options,
                        .scenario = scenario,
                        .stream = stream,
                        .source = {frames_dropped, path_count},
                        .listener = {on_text},
                        .wall_start_ns = run_wall_ns()};
    event_queue_init(&run->queue);
    run->pool = pool_new();
    world_names_init(&run->names, scenario->topology);
    run->healthy = healthy_new(scenario);
    run->recorder = recorder_new(
        &(struct recorder_options){.scenario = scenario,
                                   .names = &run->names,
                                   .rows = &stream->rows,
                                   .source = &run->source,
                                   .listener = &run->listener,
                                   .healthy = run->healthy,
                                   .pool = run->pool,
                                   .pause_threshold_ns = PAUSE_THRESHOLD_NS,
                                   .latency_window_ns = run_window_ns(scenario->run_for_ns)});
    run->world = world_new(&(struct world_options){.scenario = scenario,
                                                   .names = &run->names,
                                                   .queue = &run->queue,
                                                   .pool = run->pool,
                                                   .trace = recorder_trace(run->recorder)});
    timer_init(&run->recorder_timer, wake_recorder);
}

/* Everything but the pool is freed; what the pool then still counts as alive leaked (rule P6). */
static void check_memory(struct run *run)
{
    size_t left =
        pool_live_chunks(run->pool) + pool_live_bufs(run->pool) + pool_live_blocks(run->pool);
    char text[128];

    if (left == 0 || run->is_cut_short)
        return;
    snprintf(text, sizeof(text), "%zu buffers and %zu structs are alive after the end of the run",
             pool_live_chunks(run->pool) + pool_live_bufs(run->pool), pool_live_blocks(run->pool));
    struct trace_broken broken = {"P6", TRACE_NONE, TRACE_NONE, TRACE_NONE, UINT64_MAX, text};
    struct trace *trace = recorder_trace(run->recorder);
    trace->ops->broken(trace, run->queue.clock.now_ns, &broken);
}

static void run_fini(struct run *run)
{
    recorder_free(run->recorder);
    healthy_free(run->healthy);
    world_names_fini(&run->names);
    event_queue_fini(&run->queue);
    pool_free(run->pool);
}

/* Simulating. */

static bool is_over_limit(const struct run *run)
{
    const struct scenario *s = run->scenario;

    return (s->event_limit && run->queue.fired >= s->event_limit) ||
           (s->wall_limit_ns && run_wall_ns() - run->wall_start_ns >= s->wall_limit_ns);
}

static uint64_t events_left(const struct run *run)
{
    return run->scenario->event_limit ? run->scenario->event_limit - run->queue.fired : UINT64_MAX;
}

/* False: a limit was reached, or nobody reads the rows any more. */
static bool simulate(struct run *run)
{
    int64_t run_for_ns = run->scenario->run_for_ns;
    int64_t shown_ns = run->wall_start_ns;

    world_start(run->world);
    run->timeline = timeline_new(run->scenario, run->world, run->recorder, &run->queue.clock);
    healthy_set_timeline(run->healthy, run->timeline);
    clock_arm(&run->queue.clock, &run->recorder_timer, recorder_deadline_ns(run->recorder));
    for (int slice = 1; slice <= SLICES; slice++) {
        event_queue_run(&run->queue,
                        run_for_ns / SLICES * slice + run_for_ns % SLICES * slice / SLICES,
                        events_left(run));
        if (is_over_limit(run))
            return false;
        if (run_wall_ns() - shown_ns > MS(50)) {
            shown_ns = run_wall_ns();
            if (!row_stream_progress(run->stream, run->queue.clock.now_ns))
                return false;
        }
    }
    return true;
}

/* After the measured time: the loads stop, hosts log out, dead sessions are noticed. */
static void settle(struct run *run)
{
    int64_t until_ns = time_after(run->queue.clock.now_ns, SETTLE_MOST_NS);

    clock_cancel(&run->queue.clock, &run->recorder_timer);
    world_stop(run->world);
    while (!world_is_stopped(run->world) && run->queue.clock.now_ns < until_ns)
        event_queue_run(&run->queue, run->queue.clock.now_ns + SECONDS(1), UINT64_MAX);
    world_check_sessions(run->world);
}

static const char *verdict_word(int exit_code)
{
    switch (exit_code) {
    case EXIT_MET:
        return "met";
    case EXIT_NOT_MET:
        return "not met";
    case EXIT_BROKEN:
        return "rule broken";
    default:
        return "no verdict";
    }
}

int run_one(const struct run_one_options *options, struct row_stream *stream)
{
    struct run run;

    run_init(&run, options, stream);
    if (!open_capture(&run)) {
        world_free(run.world);
        run_fini(&run);
        return EXIT_MACHINE;
    }
    run.is_cut_short = !simulate(&run);
    int64_t simulated_ns = run.queue.clock.now_ns;
    uint64_t events = run.queue.fired;
    uint64_t digest =
        hash_mix(recorder_digest(run.recorder), fabric_digest(world_fabric(run.world)));
    world_check_frames(run.world);
    run_put_counters(&stream->rows, run.world);
    bool are_met = recorder_finish(run.recorder, simulated_ns);
    if (!run.is_cut_short)
        settle(&run);
    bool is_captured = close_capture(&run);
    timeline_free(run.timeline);
    world_free(run.world);
    check_memory(&run);
    int exit_code = recorder_broken_count(run.recorder) ? EXIT_BROKEN
                    : run.is_cut_short                  ? EXIT_NO_VERDICT
                    : are_met                           ? EXIT_MET
                                                        : EXIT_NOT_MET;
    run_put_sources(&stream->rows, options->files);
    run_put_run(&stream->rows,
                &(struct run_facts){.scenario = run.scenario,
                                    .name = run.scenario->name,
                                    .variant = run.scenario->variant,
                                    .verdict = verdict_word(exit_code),
                                    .wall_ns = run_wall_ns() - run.wall_start_ns,
                                    .simulated_ns = simulated_ns,
                                    .latency_window_ns = run_window_ns(run.scenario->run_for_ns),
                                    .events = events,
                                    .digest = digest,
                                    .exit_code = exit_code});
    run_fini(&run);
    return is_captured ? exit_code : EXIT_MACHINE;
}
