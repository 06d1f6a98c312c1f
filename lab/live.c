/* A SAN in real time. */
#include "lab/live.h"

#include "lab/command.h"
#include "lab/format.h"
#include "lab/line_server.h"
#include "lab/line_words.h"
#include "lab/live_record.h"
#include "lab/live_steps.h"
#include "lab/live_trace.h"
#include "lab/run_one.h"
#include "lab/show.h"
#include "lab/world.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/live/outside.h"
#include "sim/live/pacer.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGOUT_NS SECONDS(3) /* at the end: what hosts get to say goodbye */

struct live {
    const struct live_options *options;
    const struct topology *topology;
    struct ev_loop *loop;
    struct event_queue queue;
    struct pool *pool;
    struct san_names names;
    struct live_trace trace;
    struct live_trace_user trace_user;
    struct live_steps_user steps_user;
    struct line_user line_user;
    struct pacer_user pacer_user;
    bool *is_outside; /* owned, by NIC */
    struct world *world;
    struct capture_run *capture;
    struct pacer *pacer;
    struct live_steps *steps;
    struct live_record *record; /* NULL: nothing is recorded */
    struct outside **outsides;  /* owned array */
    struct line_server *server;
    struct line_prompt *prompt;
    struct timer end_timer;
    struct timer check_timer; /* while hosts log out */
    int64_t give_up_ns;
    bool is_ending;
};

static void print_error(const struct error *err)
{
    fprintf(stderr, "error: %s\n", err->text);
    if (err->help[0])
        fprintf(stderr, "  = help: %s\n", err->help);
}

/* What there is to tell. */

static void tell(struct live *live, int64_t at_ns, const char *kind, const char *text)
{
    char when[FORMAT_BYTES];

    printf("%s  %-6s  %s\n", format_instant(at_ns, 10, when), kind, text);
    fflush(stdout);
    if (live->capture)
        capture_run_event(live->capture, at_ns, text);
}

static void on_text(struct live_trace_user *user, int64_t at_ns, const char *kind, const char *text)
{
    tell(CONTAINER_OF(user, struct live, trace_user), at_ns, kind, text);
}

static void on_step(struct live_steps_user *user, int64_t at_ns, const char *text)
{
    tell(CONTAINER_OF(user, struct live, steps_user), at_ns, "step", text);
}

static void on_behind(struct pacer_user *user, int64_t behind_ns)
{
    char span[FORMAT_BYTES];
    (void)user;

    fprintf(stderr,
            "warning: %s behind real time: this machine is too slow for what the fabric does\n",
            format_span(behind_ns, span));
}

static void on_slip(struct pacer_user *user, int64_t slipped_ns)
{
    char span[FORMAT_BYTES];
    (void)user;

    fprintf(stderr, "warning: the fabric's time stood still for %s: it could not keep up\n",
            format_span(slipped_ns, span));
}

static void print_pacing(const struct live *live, FILE *to)
{
    struct pacer_figures figures = pacer_figures(live->pacer);
    char spans[4][FORMAT_BYTES];

    fprintf(to,
            "pacing: %" PRIu64 " sleeps, late by %s (median), %s (99 %%), %s (worst); "
            "behind by %s at most",
            figures.wakes.count, format_span(lateness_at(&figures.wakes, 500000), spans[0]),
            format_span(lateness_at(&figures.wakes, 990000), spans[1]),
            format_span(figures.wakes.worst_ns, spans[2]),
            format_span(figures.behind_most_ns, spans[3]));
    if (figures.slips > 0)
        fprintf(to, "; stood still %" PRIu64 " times, %s altogether", figures.slips,
                format_span(figures.slipped_ns, spans[0]));
    fputc('\n', to);
}

static void print_ports(const struct live *live, FILE *to)
{
    for (size_t i = 0; i < live->options->attachment_count; i++) {
        const struct live_attachment *a = &live->options->attachments[i];
        const struct outside_counts *c = &live->outsides[i]->counts;
        const struct {
            const char *words;
            uint64_t value;
        } counts[] = {
#define X(member, words) {words, c->member},
            OUTSIDE_COUNTS(X)
#undef X
        };
        const char *before = ": ";

        fprintf(to, "%s at %s", live->topology->nics[a->nic_index].full_name, a->place);
        for (size_t n = 0; n < ARRAY_SIZE(counts); n++) {
            if (counts[n].value == 0)
                continue;
            fprintf(to, "%s%" PRIu64 " %s", before, counts[n].value, counts[n].words);
            before = ", ";
        }
        fputc('\n', to);
    }
}

/* What drops, per part, since the start. */
static void print_drops(struct live *live, FILE *to)
{
    const struct topology *t = live->topology;
    uint64_t count;

    for (enum drop_reason reason = 0; reason < DROP_REASON_COUNT; reason++) {
        for (uint32_t i = 0; i < t->switch_count; i++)
            if ((count = fabric_dropped(world_fabric(live->world), t->switches[i].name, reason)))
                fprintf(to, "dropped at %s: %" PRIu64 " %s\n", t->switches[i].name, count,
                        drop_reason_word(reason));
        for (uint32_t i = 0; i < t->nic_count; i++)
            if ((count = fabric_dropped(world_fabric(live->world), t->nics[i].full_name, reason)))
                fprintf(to, "dropped at %s: %" PRIu64 " %s\n", t->nics[i].full_name, count,
                        drop_reason_word(reason));
    }
}

/* The end: hosts log out, as far as they still can. */

static void stop_now(struct live *live)
{
    pacer_stop(live->pacer);
}

static void check_stopped(struct timer *timer)
{
    struct live *live = CONTAINER_OF(timer, struct live, check_timer);
    int64_t now_ns = clock_now_ns(&live->queue.clock);

    if (world_has_logged_out(live->world) || now_ns >= live->give_up_ns)
        stop_now(live);
    else
        clock_arm(&live->queue.clock, timer, now_ns + MS(20));
}

static void begin_end(struct live *live)
{
    int64_t now_ns = clock_now_ns(&live->queue.clock);

    if (live->is_ending) { /* asked twice: at once */
        stop_now(live);
        return;
    }
    live->is_ending = true;
    live->trace.waiting = NULL; /* a path that is logged out has not failed */
    if (live->record)
        live_record_end(live->record, live->world);
    world_stop(live->world);
    live->give_up_ns = now_ns + LOGOUT_NS;
    clock_arm(&live->queue.clock, &live->check_timer, now_ns + MS(1));
}

static void on_time_over(struct timer *timer)
{
    begin_end(CONTAINER_OF(timer, struct live, end_timer));
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct live *live = watcher->data;
    (void)loop, (void)events;

    pacer_catch_up(live->pacer);
    begin_end(live);
}

/* Lines. */

static struct live *live_of(struct line_user *user)
{
    return CONTAINER_OF(user, struct live, line_user);
}

static int help_word(struct line_user *user, const char *rest, FILE *answer)
{
    (void)user, (void)rest;
    fputs(
        "a step as in a scenario, such as 'power-off: switch-1', 'pull: hv1-1', 'plug-in: hv1-1',\n"
        "'lose: {part: hv1-1, rate: 1 %}'; it happens now and stays until it is undone, by a step\n"
        "that undoes it, by 'undo', or after a time: '{lose: hv1-1, for: 10 s}'. Also:\n"
        "  faults   what is broken at this moment, with numbers\n"
        "  undo     takes away the newest fault; 'undo 3' that number, 'undo all' everything\n"
        "  status   frames through the ports, drops, and how well real time is kept\n"
        "  quit     ends\n",
        answer);
    return EXIT_MET;
}

static int undo_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct live *live = live_of(user);
    return live_steps_undo(live->steps, rest, answer);
}

static int faults_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct live *live = live_of(user);
    (void)rest;
    live_steps_list(live->steps, answer);
    return EXIT_MET;
}

static int status_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct live *live = live_of(user);
    char now[FORMAT_BYTES];
    (void)rest;

    fprintf(answer, "time: %s\n", format_instant(clock_now_ns(&live->queue.clock), 0, now));
    print_pacing(live, answer);
    print_ports(live, answer);
    print_drops(live, answer);
    return EXIT_MET;
}

static int quit_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct live *live = live_of(user);
    (void)rest, (void)answer;
    begin_end(live);
    return EXIT_MET;
}

static int on_line(struct line_user *user, const char *line, FILE *answer)
{
    static const struct line_word words[] = {
        {"help", false, help_word},     {"faults", false, faults_word}, {"undo", true, undo_word},
        {"status", false, status_word}, {"quit", false, quit_word},     {NULL, false, NULL}};
    struct live *live = live_of(user);
    int code;

    pacer_catch_up(live->pacer);
    return line_words_answer(words, user, line, answer, &code)
               ? code
               : live_steps_type(live->steps, line, answer);
}

/* Life. */

static bool open_ports(struct live *live)
{
    struct error err = {0};

    live->outsides = mem_array(live->options->attachment_count, sizeof(struct outside *));
    for (size_t i = 0; i < live->options->attachment_count; i++) {
        const struct live_attachment *a = &live->options->attachments[i];
        struct outside_config config = {.loop = live->loop,
                                        .pacer = live->pacer,
                                        .nic = world_nic(live->world, a->nic_index),
                                        .pool = live->pool};

        live->outsides[i] = outside_open(a->place, &config, &err);
        if (!live->outsides[i]) {
            print_error(&err);
            return false;
        }
    }
    return true;
}

static bool open_record(struct live *live)
{
    const struct live_options *options = live->options;
    struct error err = {0};

    if (!options->db_path)
        return true;
    live->record =
        live_record_open(&(struct live_record_options){.path = options->db_path,
                                                       .scenario = options->scenario,
                                                       .has_scenario = options->has_scenario,
                                                       .files = options->files,
                                                       .names = &live->names,
                                                       .pool = live->pool,
                                                       .clock = &live->queue.clock,
                                                       .for_ns = options->for_ns},
                         &err);
    if (!live->record) {
        print_error(&err);
        return false;
    }
    live->trace.record = live_record_trace(live->record);
    live_steps_record(live->steps, live->record);
    return true;
}

static bool open_all(struct live *live)
{
    struct error err = {0};

    if (!open_record(live))
        return false;
    if (live->options->pcap_path) {
        live->capture =
            capture_run_begin(live->options->capture, live->topology, world_fabric(live->world),
                              live->options->pcap_path, &err);
        if (!live->capture) {
            print_error(&err);
            return false;
        }
    }
    live->pacer = pacer_new(live->loop, &live->queue, &live->pacer_user);
    if (!live->pacer) {
        fprintf(stderr, "error: no timer: %s\n", strerror(errno));
        return false;
    }
    if (!open_ports(live))
        return false;
    if (live->options->control_path) {
        live->server =
            line_server_open(live->loop, live->options->control_path, &live->line_user, &err);
        if (!live->server) {
            print_error(&err);
            return false;
        }
    }
    return true;
}

static void live_init(struct live *live, const struct live_options *options)
{
    const struct scenario *scenario = options->scenario;

    *live = (struct live){.options = options,
                          .topology = scenario->topology,
                          .loop = ev_loop_new(EVFLAG_AUTO),
                          .pool = pool_new(),
                          .trace_user = {on_text},
                          .steps_user = {on_step},
                          .line_user = {on_line},
                          .pacer_user = {on_behind, on_slip}};
    event_queue_init(&live->queue);
    world_names_init(&live->names, live->topology);
    live_trace_init(&live->trace, &live->names, &live->trace_user);
    live->is_outside = mem_array(live->topology->nic_count + (size_t)1, sizeof(bool));
    for (size_t i = 0; i < options->attachment_count; i++)
        live->is_outside[options->attachments[i].nic_index] = true;
    live->world = world_new(&(struct world_options){.scenario = scenario,
                                                    .names = &live->names,
                                                    .queue = &live->queue,
                                                    .pool = live->pool,
                                                    .trace = &live->trace.trace,
                                                    .is_outside = live->is_outside});
    live->steps =
        live_steps_new(live->topology, faults_new(live->world, live->topology, &live->queue.clock),
                       &live->queue.clock, &live->steps_user);
    timer_init(&live->end_timer, on_time_over);
    timer_init(&live->check_timer, check_stopped);
}

/* False: the capture is not whole. */
static bool live_fini(struct live *live)
{
    struct error err = {0};
    bool is_whole = true;

    line_prompt_close(live->prompt);
    line_server_close(live->server);
    for (size_t i = 0; live->outsides && i < live->options->attachment_count; i++)
        outside_close(live->outsides[i]);
    free(live->outsides);
    if (live->capture && capture_run_end(live->capture, &err) != OK) {
        print_error(&err);
        is_whole = false;
    }
    clock_cancel(&live->queue.clock, &live->end_timer);
    clock_cancel(&live->queue.clock, &live->check_timer);
    live->trace.waiting = NULL;
    live_steps_free(live->steps);
    world_free(live->world);
    live_record_free(live->record);
    pacer_free(live->pacer);
    world_names_fini(&live->names);
    event_queue_fini(&live->queue);
    pool_free(live->pool);
    free(live->is_outside);
    ev_loop_destroy(live->loop);
    return is_whole;
}

/* How a real host takes its place. */
static void print_places(const struct live *live)
{
    for (size_t i = 0; i < live->options->attachment_count; i++) {
        const struct live_attachment *a = &live->options->attachments[i];
        const struct topology_nic *nic = &live->topology->nics[a->nic_index];

        fprintf(stderr, "%s is %s: %u.%u.%u.%u/%u, MTU %u", a->place, nic->full_name,
                nic->address >> 24, nic->address >> 16 & 255, nic->address >> 8 & 255,
                nic->address & 255, nic->prefix_bits, nic->mtu_bytes);
        if (strncmp(a->place, "tap:", 4) == 0)
            fprintf(stderr, "; ip addr add %u.%u.%u.%u/%u dev %s; ip link set %s up",
                    nic->address >> 24, nic->address >> 16 & 255, nic->address >> 8 & 255,
                    nic->address & 255, nic->prefix_bits, a->place + 4, a->place + 4);
        fputc('\n', stderr);
    }
    fprintf(stderr, "live: %s runs\n", live->topology->name);
}

static void run(struct live *live)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    ev_signal watchers[ARRAY_SIZE(signals)];

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        ev_signal_init(&watchers[i], on_signal, signals[i]);
        watchers[i].data = live;
        ev_signal_start(live->loop, &watchers[i]);
    }
    world_start(live->world);
    if (live->record)
        live_record_begin(live->record);
    live->trace.waiting = live_steps_play(live->steps, live->options->scenario);
    if (live->options->for_ns > 0)
        clock_arm(&live->queue.clock, &live->end_timer, live->options->for_ns);
    print_places(live);
    if (live->options->has_prompt)
        live->prompt = line_prompt_open(live->loop, &live->line_user);
    pacer_run(live->pacer);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        ev_signal_stop(live->loop, &watchers[i]);
}

/* False: it is not in the file. */
static bool write_record(struct live *live, int exit_code)
{
    const char *path = live->options->db_path;
    struct error err = {0};
    int64_t run_id;

    if (!live->record)
        return true;
    live_record_end(live->record, live->world);
    if (live_record_write(live->record, live->queue.fired, exit_code, &run_id, &err) != OK) {
        print_error(&err);
        return false;
    }
    show_run(live_record_results(live->record), run_id, show_has_colour(stdout), stdout);
    printf("\n  run %lld in %s; plot it with: iscsilab report --db %s --run %lld\n",
           (long long)run_id, path, path, (long long)run_id);
    return true;
}

int live_run(const struct live_options *options)
{
    struct live live;
    int exit_code = EXIT_MACHINE;

    live_init(&live, options);
    if (open_all(&live)) {
        run(&live);
        world_check_frames(live.world);
        print_ports(&live, stdout);
        print_drops(&live, stdout);
        print_pacing(&live, stdout);
        exit_code = live.trace.broken > 0 ? EXIT_BROKEN : EXIT_MET;
        if (!write_record(&live, exit_code))
            exit_code = EXIT_MACHINE;
    }
    if (!live_fini(&live))
        exit_code = EXIT_MACHINE;
    return exit_code;
}
