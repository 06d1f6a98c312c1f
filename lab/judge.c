/* The expectations of a scenario, measured and judged. */
#include "lab/judge.h"

#include "lab/histogram.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSET (-1)

/* A span of the run and what was found in it. */
struct window {
    int64_t from_ns;
    int64_t until_ns;
    uint64_t ios; /* without errors */
    uint64_t bytes;
    uint64_t errors;
    int64_t longest_ns;          /* pause, I/O; UNSET: none */
    struct histogram *histogram; /* latency; owned */
    uint64_t dropped_before;     /* frames, at 'from' */
    uint64_t dropped;            /* frames, in the window */
};

/* Since the step of the expectation, of one path of one host. */
struct path_watch {
    bool is_touched;
    bool was_in_use;      /* at the step */
    int64_t left_at_ns;   /* left use, for the first time */
    int64_t usable_at_ns; /* became usable again; or the step, if it was and is usable */
};

/* One verdict. */
struct check {
    const struct expectation *expectation;
    struct part_ref subject;  /* PART_NONE: all of them, or the run */
    bool is_about_nothing;    /* the SAN has no such part */
    struct window windows[2]; /* OVER_WINDOW; the other one is the base of a ratio */
    size_t window_count;
    int64_t moment_ns; /* AT_MOMENT, or the step of SINCE_STEP */
    int64_t at_moment; /* what was found then */
    int64_t detected_at_ns;
    bool is_rule_broken;        /* EXPECT_BREAKS */
    struct path_watch *watches; /* SINCE_STEP: by path of the topology; owned */
};

/* One path of one disk, now. */
struct use {
    bool is_in_use;
    bool is_usable;
};

/* The checks that the I/O of one host may matter to. */
struct check_list {
    struct check **checks; /* owned */
    size_t count;
};

struct judge {
    const struct scenario *scenario;
    const struct san_names *names;
    const struct open_ios *ios;
    struct judge_source *source;
    struct check *checks;
    size_t check_count;
    struct check_list *of_host; /* by host; owned */
    int64_t *moments;           /* instants to look at, rising; owned */
    size_t moment_count;
    size_t next_moment;
    struct use **uses; /* [path of the topology][disk of the host] */
};

/* Whom a check is about. */

static bool is_about_host(const struct check *check, uint32_t host)
{
    return check->subject.kind == PART_NONE ||
           (check->subject.kind == PART_HOST && check->subject.index == host);
}

static bool is_about_io(const struct judge *j, const struct check *check, const struct open_io *io)
{
    const struct host_names *host = &j->names->hosts[io->host];

    switch (check->subject.kind) {
    case PART_NONE:
        return true;
    case PART_HOST:
        return check->subject.index == io->host;
    case PART_DISK:
        return check->subject.index == host->disk_indices[io->disk];
    case PART_PATH:
        return io->path != TRACE_NONE && check->subject.index == host->first_path + io->path;
    case PART_SWITCH:
    case PART_PORT:
    case PART_NIC:
    case PART_CABLE:
    case PART_ARRAY:
        break;
    }
    return false;
}

static bool is_about_path(const struct check *check, uint32_t host, uint32_t topology_path)
{
    return is_about_host(check, host) ||
           (check->subject.kind == PART_PATH && check->subject.index == topology_path);
}

static bool is_about_broken(const struct judge *j, const struct check *check,
                            const struct trace_broken *broken)
{
    if (check->subject.kind == PART_NONE || broken->host == TRACE_NONE)
        return true; /* what a rule does not name is no reason to doubt */
    const struct host_names *host = &j->names->hosts[broken->host];
    if (check->subject.kind == PART_DISK)
        return broken->disk == TRACE_NONE ||
               check->subject.index == host->disk_indices[broken->disk];
    if (check->subject.kind == PART_PATH)
        return check->subject.index - host->first_path < host->path_count &&
               (broken->path == TRACE_NONE ||
                check->subject.index == host->first_path + broken->path);
    return is_about_host(check, broken->host);
}

static bool is_in(const struct window *window, int64_t at_ns)
{
    return at_ns >= window->from_ns && at_ns < window->until_ns;
}

/* Building. */

static uint32_t parts_of_kind(const struct topology *t, enum part_kind kind)
{
    switch (kind) {
    case PART_SWITCH:
        return t->switch_count;
    case PART_HOST:
        return t->host_count;
    case PART_NIC:
        return t->nic_count;
    case PART_CABLE:
        return t->cable_count;
    case PART_ARRAY:
        return t->array_count;
    case PART_DISK:
        return t->disk_count;
    case PART_PATH:
        return t->path_count;
    case PART_PORT: {
        uint32_t count = 0;

        for (uint32_t i = 0; i < t->switch_count; i++)
            count += t->switches[i].port_count;
        return count;
    }
    case PART_NONE:
        break;
    }
    return 0;
}

/* The part number 'index' of that kind; ports count through all switches. */
static struct part_ref part_of_kind(const struct topology *t, enum part_kind kind, uint32_t index)
{
    uint32_t owner = 0;

    if (kind != PART_PORT)
        return (struct part_ref){kind, index, TOPOLOGY_NONE};
    while (index >= t->switches[owner].port_count)
        index -= t->switches[owner++].port_count;
    return (struct part_ref){kind, index, owner};
}

static int64_t step_at_ns(const struct judge *j, uint32_t step)
{
    return j->scenario->steps[step].when.at_ns;
}

static void watch_paths(const struct judge *j, struct check *check)
{
    const struct topology *t = j->scenario->topology;
    struct part_ref part = j->scenario->steps[check->expectation->since_step].part;

    check->watches = mem_array(t->path_count, sizeof(*check->watches));
    for (uint32_t p = 0; p < t->path_count; p++)
        check->watches[p] =
            (struct path_watch){.is_touched = part.kind != PART_NONE &&
                                              is_about_path(check, t->paths[p].host_index, p) &&
                                              topology_path_uses(t, p, part),
                                .left_at_ns = UNSET,
                                .usable_at_ns = UNSET};
}

static void add_window(struct check *check, int64_t from_ns, int64_t until_ns)
{
    struct window *window = &check->windows[check->window_count++];

    *window = (struct window){.from_ns = from_ns, .until_ns = until_ns, .longest_ns = UNSET};
    if (check->expectation->measure == MEASURE_LATENCY)
        window->histogram = mem_new(sizeof(*window->histogram));
}

static void set_times(const struct judge *j, struct check *check)
{
    const struct expectation *e = check->expectation;

    switch (measure_row(e->measure)->time) {
    case OVER_WINDOW:
        add_window(check, e->has_window ? e->from.at_ns : 0,
                   e->has_window ? e->until.at_ns : TIME_NEVER);
        if (e->is_ratio)
            add_window(check, e->compared_from.at_ns, e->compared_until.at_ns);
        break;
    case AT_MOMENT:
        check->moment_ns = e->when.at_ns;
        break;
    case SINCE_STEP:
        check->moment_ns = step_at_ns(j, e->since_step);
        watch_paths(j, check);
        break;
    }
}

static struct check *add_check(struct judge *j, const struct expectation *e,
                               struct part_ref subject)
{
    struct check *check;

    j->checks = mem_resize(j->checks, j->check_count + 1, sizeof(*j->checks));
    check = &j->checks[j->check_count++];
    *check = (struct check){.expectation = e,
                            .subject = subject,
                            .moment_ns = TIME_NEVER,
                            .at_moment = UNSET,
                            .detected_at_ns = UNSET};
    if (e->kind == EXPECT_MEASURE)
        set_times(j, check);
    return check;
}

static void add_expectation(struct judge *j, const struct expectation *e)
{
    static const struct part_ref none = {.kind = PART_NONE, .owner = TOPOLOGY_NONE};
    const struct topology *t = j->scenario->topology;
    uint32_t count = parts_of_kind(t, e->of.part_kind);

    if (e->of.kind == SCOPE_ONE)
        add_check(j, e, e->of.part);
    else if (e->of.kind == SCOPE_RUN)
        add_check(j, e, none);
    else if (e->of.kind == SCOPE_ALL || count == 0) /* without a part, one verdict says so */
        add_check(j, e, none)->is_about_nothing = count == 0;
    else
        for (uint32_t i = 0; i < count; i++)
            add_check(j, e, part_of_kind(t, e->of.part_kind, i));
}

/* Once all checks are there and stay where they are. */
static void list_checks_of_host(struct judge *j, uint32_t host)
{
    const struct topology *t = j->scenario->topology;
    struct check_list *list = &j->of_host[host];

    list->checks = mem_array(j->check_count, sizeof(struct check *));
    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];
        bool is_path =
            check->subject.kind == PART_PATH && t->paths[check->subject.index].host_index == host;

        if (check->window_count > 0 &&
            (is_about_host(check, host) || check->subject.kind == PART_DISK || is_path))
            list->checks[list->count++] = check;
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t a_ns = *(const int64_t *)a;
    int64_t b_ns = *(const int64_t *)b;

    return (a_ns > b_ns) - (a_ns < b_ns);
}

static void add_moment(struct judge *j, int64_t at_ns)
{
    if (at_ns == TIME_NEVER)
        return;
    j->moments = mem_resize(j->moments, j->moment_count + 1, sizeof(*j->moments));
    j->moments[j->moment_count++] = at_ns;
}

struct judge *judge_new(const struct scenario *scenario, const struct san_names *names,
                        const struct open_ios *ios, struct judge_source *source)
{
    struct judge *j = mem_new(sizeof(*j));

    *j = (struct judge){.scenario = scenario, .names = names, .ios = ios, .source = source};
    for (uint32_t i = 0; i < scenario->expectation_count; i++)
        add_expectation(j, &scenario->expectations[i]);
    for (size_t i = 0; i < j->check_count; i++) {
        add_moment(j, j->checks[i].moment_ns);
        for (size_t w = 0; w < j->checks[i].window_count; w++) {
            add_moment(j, j->checks[i].windows[w].from_ns);
            add_moment(j, j->checks[i].windows[w].until_ns);
        }
    }
    if (j->moment_count)
        qsort(j->moments, j->moment_count, sizeof(*j->moments), by_time);
    j->of_host = mem_array(names->host_count, sizeof(*j->of_host));
    for (uint32_t h = 0; h < names->host_count; h++)
        list_checks_of_host(j, h);
    j->uses = mem_array(scenario->topology->path_count, sizeof(*j->uses));
    for (size_t h = 0; h < names->host_count; h++)
        for (size_t p = 0; p < names->hosts[h].path_count; p++)
            j->uses[names->hosts[h].first_path + p] =
                mem_array(names->hosts[h].disk_count, sizeof(**j->uses));
    return j;
}

void judge_free(struct judge *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->check_count; i++) {
        free(j->checks[i].windows[0].histogram);
        free(j->checks[i].windows[1].histogram);
        free(j->checks[i].watches);
    }
    for (size_t h = 0; h < j->names->host_count; h++)
        free(j->of_host[h].checks);
    free(j->of_host);
    for (uint32_t p = 0; p < j->scenario->topology->path_count; p++)
        free(j->uses[p]);
    free(j->uses);
    free(j->checks);
    free(j->moments);
    free(j);
}

/* Moments. */

int64_t judge_deadline_ns(const struct judge *j)
{
    return j->next_moment < j->moment_count ? j->moments[j->next_moment] : TIME_NEVER;
}

/* The number of I/O paths of a host to a disk; without a disk, of the disk that has the fewest. */
static int64_t usable_on_host(const struct judge *j, uint32_t host, uint32_t topology_disk)
{
    const struct host_names *names = &j->names->hosts[host];
    int64_t fewest = UNSET;

    for (size_t d = 0; d < names->disk_count; d++) {
        int64_t usable = 0;

        if (topology_disk != TOPOLOGY_NONE && names->disk_indices[d] != topology_disk)
            continue;
        for (size_t p = 0; p < names->path_count; p++)
            usable += j->uses[names->first_path + p][d].is_usable;
        if (fewest == UNSET || usable < fewest)
            fewest = usable;
    }
    return fewest;
}

/* Over the hosts that the check is about; UNSET: none of them has the disk. */
static int64_t usable_of_disk(const struct judge *j, const struct check *check,
                              uint32_t topology_disk)
{
    int64_t sum = UNSET;

    for (uint32_t h = 0; h < j->names->host_count; h++) {
        if (check->subject.kind != PART_DISK && !is_about_host(check, h))
            continue;
        int64_t usable = usable_on_host(j, h, topology_disk);
        if (usable != UNSET)
            sum = (sum == UNSET ? 0 : sum) + usable;
    }
    return sum;
}

static int64_t paths_usable(const struct judge *j, const struct check *check)
{
    int64_t sum = UNSET;

    if (check->subject.kind == PART_DISK)
        return usable_of_disk(j, check, check->subject.index);
    if (check->expectation->of.part_kind != PART_DISK)
        return usable_of_disk(j, check, TOPOLOGY_NONE);
    for (uint32_t d = 0; d < j->scenario->topology->disk_count; d++) {
        int64_t usable = usable_of_disk(j, check, d);
        if (usable != UNSET)
            sum = (sum == UNSET ? 0 : sum) + usable;
    }
    return sum;
}

static bool is_any(const struct judge *j, uint32_t topology_path, bool usable)
{
    const struct host_names *host =
        &j->names->hosts[j->scenario->topology->paths[topology_path].host_index];

    for (size_t d = 0; d < host->disk_count; d++) {
        const struct use *use = &j->uses[topology_path][d];

        if (usable ? use->is_usable : use->is_in_use)
            return true;
    }
    return false;
}

static void start_watching(const struct judge *j, struct check *check, int64_t now_ns)
{
    for (uint32_t p = 0; p < j->scenario->topology->path_count; p++) {
        check->watches[p].was_in_use = is_any(j, p, false);
        if (is_any(j, p, true))
            check->watches[p].usable_at_ns = now_ns;
    }
}

static uint64_t dropped(const struct judge *j, const struct check *check)
{
    const struct topology *t = j->scenario->topology;
    enum part_kind kind = check->expectation->of.part_kind;
    uint64_t sum = 0;

    if (check->subject.kind != PART_NONE)
        return j->source->frames_dropped(j->source, check->subject, check->expectation->reason);
    for (uint32_t i = 0; i < parts_of_kind(t, kind); i++)
        sum += j->source->frames_dropped(j->source, part_of_kind(t, kind, i),
                                         check->expectation->reason);
    return sum;
}

static void look_at_moment(struct judge *j, struct check *check, int64_t now_ns)
{
    if (check->moment_ns == now_ns && check->watches)
        start_watching(j, check, now_ns);
    else if (check->moment_ns == now_ns)
        check->at_moment = paths_usable(j, check);
}

/* The oldest I/O of the subject that is still open at the end of the window. */
static void look_at_waiting(const struct judge *j, const struct check *check, struct window *window,
                            int64_t now_ns)
{
    for (uint32_t h = 0; h < j->names->host_count; h++) {
        for (uint32_t d = 0; d < j->names->hosts[h].disk_count; d++) {
            const struct open_io *io = open_ios_oldest(j->ios, h, d);

            if (io && is_about_io(j, check, io))
                window->longest_ns = time_max(window->longest_ns, now_ns - io->submitted_at_ns);
        }
    }
}

static void start_window(const struct judge *j, const struct check *check, struct window *window)
{
    if (check->expectation->measure == MEASURE_FRAMES_DROPPED)
        window->dropped_before = dropped(j, check);
}

static void end_window(const struct judge *j, const struct check *check, struct window *window,
                       int64_t now_ns)
{
    if (check->expectation->measure == MEASURE_FRAMES_DROPPED)
        window->dropped = dropped(j, check) - window->dropped_before;
    if (check->expectation->measure == MEASURE_LONGEST_IO)
        look_at_waiting(j, check, window, now_ns);
}

static void look_at_windows(const struct judge *j, struct check *check, int64_t now_ns)
{
    for (size_t w = 0; w < check->window_count; w++) {
        if (check->windows[w].from_ns == now_ns)
            start_window(j, check, &check->windows[w]);
        if (check->windows[w].until_ns == now_ns)
            end_window(j, check, &check->windows[w], now_ns);
    }
}

void judge_wake(struct judge *j, int64_t now_ns)
{
    while (judge_deadline_ns(j) <= now_ns) {
        int64_t moment_ns = judge_deadline_ns(j);

        for (size_t i = 0; i < j->check_count; i++) {
            look_at_moment(j, &j->checks[i], moment_ns);
            look_at_windows(j, &j->checks[i], moment_ns);
        }
        while (judge_deadline_ns(j) == moment_ns)
            j->next_moment++;
    }
}

/* The trace. */

static void add_io(struct window *window, enum measure measure, int64_t at_ns,
                   const struct open_io *io, bool is_error)
{
    /* What ends with the window was outstanding in it, be it seen before or after the clock. */
    if (measure == MEASURE_LONGEST_IO && (is_in(window, at_ns) || at_ns == window->until_ns))
        window->longest_ns = time_max(window->longest_ns, at_ns - io->submitted_at_ns);
    if (!is_in(window, at_ns))
        return;
    window->errors += is_error;
    if (is_error)
        return;
    window->ios++;
    window->bytes += io->bytes;
    if (window->histogram)
        histogram_add(window->histogram, at_ns - io->planned_at_ns);
}

void judge_done(struct judge *j, int64_t at_ns, const struct open_io *io, bool is_error)
{
    const struct check_list *list = &j->of_host[io->host];

    for (size_t i = 0; i < list->count; i++) {
        struct check *check = list->checks[i];

        for (size_t w = 0; w < check->window_count && is_about_io(j, check, io); w++)
            add_io(&check->windows[w], check->expectation->measure, at_ns, io, is_error);
    }
}

static void add_pause(struct window *window, const struct pause *pause)
{
    if (pause->end_at_ns >= window->from_ns && pause->start_at_ns < window->until_ns)
        window->longest_ns = time_max(window->longest_ns, pause->end_at_ns - pause->start_at_ns);
}

void judge_pause(struct judge *j, const struct pause *pause)
{
    const struct check_list *list = &j->of_host[pause->host];
    uint32_t disk = j->names->hosts[pause->host].disk_indices[pause->disk];

    for (size_t i = 0; i < list->count; i++) {
        struct check *check = list->checks[i];
        bool is_mine = check->subject.kind != PART_DISK || check->subject.index == disk;

        if (check->expectation->measure != MEASURE_LONGEST_PAUSE || !is_mine)
            continue;
        for (size_t w = 0; w < check->window_count; w++)
            add_pause(&check->windows[w], pause);
    }
}

void judge_sign(struct judge *j, int64_t at_ns, uint32_t host, uint32_t path)
{
    if (path == TRACE_NONE)
        return;
    uint32_t topology_path = j->names->hosts[host].first_path + path;

    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];

        if (check->watches && check->watches[topology_path].is_touched &&
            at_ns >= check->moment_ns && check->detected_at_ns == UNSET)
            check->detected_at_ns = at_ns;
    }
}

/* A path that a fault takes away is usable at the step itself, and again only when it is back; one
 * that a repair brings back counts from the repair, whatever happens to it later. */
static void watch_path(const struct judge *j, struct check *check, uint32_t path, int64_t at_ns)
{
    struct path_watch *watch = &check->watches[path];
    bool is_repair = j->scenario->steps[check->expectation->since_step].is_undo;

    if (!is_any(j, path, false) && watch->left_at_ns == UNSET)
        watch->left_at_ns = at_ns;
    if (!is_any(j, path, true) && watch->usable_at_ns == check->moment_ns && !is_repair)
        watch->usable_at_ns = UNSET;
    if (is_any(j, path, true) && watch->usable_at_ns == UNSET)
        watch->usable_at_ns = at_ns;
}

void judge_path(struct judge *j, int64_t at_ns, const struct trace_path *change, bool is_in_use,
                bool is_usable)
{
    uint32_t path = j->names->hosts[change->host].first_path + change->path;
    struct use *use = &j->uses[path][change->disk];

    *use = (struct use){is_in_use, is_usable};
    judge_sign(j, at_ns, change->host, change->path);
    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];

        if (check->watches && check->watches[path].is_touched && at_ns >= check->moment_ns)
            watch_path(j, check, path, at_ns);
    }
}

bool judge_broken(struct judge *j, const struct trace_broken *broken)
{
    bool is_expected = false;

    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];

        if (check->expectation->kind == EXPECT_BREAKS &&
            strcmp(check->expectation->breaks, broken->rule) == 0 &&
            is_about_broken(j, check, broken))
            is_expected = check->is_rule_broken = true;
    }
    return is_expected;
}

/* The verdict. */

/* The last of the touched paths; UNSET if one never did it, or if there is none. */
static int64_t last_of_paths(const struct judge *j, const struct check *check, bool usable)
{
    int64_t last_ns = UNSET;

    for (uint32_t p = 0; p < j->scenario->topology->path_count; p++) {
        const struct path_watch *watch = &check->watches[p];
        int64_t at_ns = usable ? watch->usable_at_ns : watch->left_at_ns;

        if (!watch->is_touched || (!usable && !watch->was_in_use))
            continue;
        if (at_ns == UNSET)
            return UNSET;
        last_ns = time_max(last_ns, at_ns - check->moment_ns);
    }
    return last_ns;
}

static int64_t per_second(uint64_t sum, const struct window *window, int64_t end_ns)
{
    int64_t span_ns = time_min(window->until_ns, end_ns) - window->from_ns;

    return span_ns > 0
               ? (int64_t)((__extension__(unsigned __int128) sum) * 1000000000u / (uint64_t)span_ns)
               : UNSET;
}

/* In one window, in the measure's unit; UNSET: no samples. */
static int64_t measured_in(const struct judge *j, const struct check *check,
                           const struct window *window)
{
    const struct expectation *e = check->expectation;
    int64_t end_ns = j->scenario->run_for_ns;

    switch (e->measure) {
    case MEASURE_IO_ERRORS:
        return window->ios + window->errors > 0 ? (int64_t)window->errors : UNSET;
    case MEASURE_LONGEST_PAUSE:
    case MEASURE_LONGEST_IO:
        return window->longest_ns;
    case MEASURE_LATENCY:
        return window->histogram->count > 0
                   ? histogram_percentile_ns(window->histogram, e->percentile_ppm)
                   : UNSET;
    case MEASURE_IOPS:
        return per_second(window->ios, window, end_ns);
    case MEASURE_THROUGHPUT:
        return per_second(window->bytes, window, end_ns);
    case MEASURE_FRAMES_DROPPED:
        return (int64_t)window->dropped;
    default: /* those of moments and steps, and those that the loader refuses so far */
        return UNSET;
    }
}

static int64_t measured_since_step(const struct judge *j, const struct check *check)
{
    switch (check->expectation->measure) {
    case MEASURE_DETECTED_AFTER:
        return check->detected_at_ns == UNSET ? UNSET : check->detected_at_ns - check->moment_ns;
    case MEASURE_PATH_FAILED_AFTER:
        return last_of_paths(j, check, false);
    case MEASURE_PATH_USABLE_AFTER:
        return last_of_paths(j, check, true);
    default:
        return UNSET;
    }
}

/* What is compared with the bound; UNSET: no samples, or nothing to compare with. */
static int64_t measured(const struct judge *j, const struct check *check)
{
    if (check->is_about_nothing)
        return UNSET;
    if (check->watches)
        return measured_since_step(j, check);
    if (check->window_count == 0)
        return check->at_moment;

    int64_t value = measured_in(j, check, &check->windows[0]);
    if (!check->expectation->is_ratio || value == UNSET)
        return value;
    int64_t base = measured_in(j, check, &check->windows[1]);
    return base > 0 ? (int64_t)((__extension__(__int128) value) * 1000000 / base) : UNSET;
}

static bool is_met(const struct expectation *e, int64_t value)
{
    switch (e->bound) {
    case BOUND_AT_MOST:
        return value <= e->bound_value;
    case BOUND_AT_LEAST:
        return value >= e->bound_value;
    case BOUND_EXACTLY:
        return value == e->bound_value;
    case BOUND_IS:
    case BOUND_NO_WORSE:
        break;
    }
    return false;
}

static const char *subject_name(const struct judge *j, const struct check *check, char *buffer)
{
    if (check->subject.kind != PART_NONE)
        return topology_part_name(j->scenario->topology, check->subject, buffer);
    if (check->expectation->of.kind == SCOPE_RUN)
        return "run";
    snprintf(buffer, PART_NAME_BYTES, "all %s%s", part_kind_word(check->expectation->of.part_kind),
             check->expectation->of.part_kind == PART_SWITCH ? "es" : "s");
    return buffer;
}

static bool judge_measure(const struct judge *j, const struct check *check, struct rows *rows)
{
    const struct expectation *e = check->expectation;
    const struct measure_row *measure = measure_row(e->measure);
    int64_t value = measured(j, check);
    bool is_good = value != UNSET && is_met(e, value);
    char subject[PART_NAME_BYTES];
    char bound[128];
    char number[32] = "";

    snprintf(bound, sizeof(bound), "%s %s", bound_word(e->bound), e->bound_text);
    if (value != UNSET)
        snprintf(number, sizeof(number), "%" PRId64, value);
    rows_put(rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT(e->name), V_TEXT(subject_name(j, check, subject)),
                              V_TEXT(measure->word), V_TEXT(bound), V_TEXT(number),
                              V_TEXT(e->is_ratio ? "ppm" : measure_unit_word(measure->unit)),
                              V_TEXT(value == UNSET ? "no samples"
                                     : is_good      ? "met"
                                                    : "not met")});
    return is_good;
}

static bool judge_rule(const struct judge *j, const struct check *check, struct rows *rows)
{
    const struct expectation *e = check->expectation;
    bool is_good = check->is_rule_broken;
    char subject[PART_NAME_BYTES];
    char bound[128];

    snprintf(bound, sizeof(bound), "breaks %s", e->breaks);
    rows_put(rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT(e->name), V_TEXT(subject_name(j, check, subject)),
                              V_TEXT("breaks"), V_TEXT(bound), V_TEXT(is_good ? "broken" : "kept"),
                              V_TEXT("rule"), V_TEXT(is_good ? "met" : "not met")});
    return is_good;
}

bool judge_finish(struct judge *j, struct rows *rows)
{
    int64_t end_ns = j->scenario->run_for_ns;
    bool are_met = true;

    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];
        bool is_measure = check->expectation->kind == EXPECT_MEASURE;

        for (size_t w = 0; w < check->window_count; w++)
            if (check->windows[w].until_ns > end_ns)
                end_window(j, check, &check->windows[w], end_ns);
        bool is_good = is_measure ? judge_measure(j, check, rows) : judge_rule(j, check, rows);
        are_met = are_met && is_good;
    }
    return are_met;
}
