/* The expectations of a scenario, measured while the run goes on. */
#include "lab/judge_checks.h"

#include "sim/core/time.h"

#include <string.h>

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
        if (check->subject.kind != PART_DISK && !check_is_about_host(check, h))
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
    for (uint32_t i = 0; i < judge_part_count(t, kind); i++)
        sum += j->source->frames_dropped(j->source, judge_part(t, kind, i),
                                         check->expectation->reason);
    return sum;
}

/* Of all paths that the subject has. */
static uint64_t path_sum(const struct judge *j, const struct check *check)
{
    const struct topology *t = j->scenario->topology;
    struct part_ref subject = check->subject;
    uint64_t sum = 0;

    for (uint32_t p = 0; p < t->path_count; p++)
        if (subject.kind == PART_NONE || (subject.kind == PART_PATH && subject.index == p) ||
            (subject.kind == PART_HOST && subject.index == t->paths[p].host_index))
            sum += j->source->path_count(j->source, p, check->expectation->measure);
    return sum;
}

/* What the measure counts from the start of the run on; false: it is another kind of measure. */
static bool count_so_far(const struct judge *j, const struct check *check, uint64_t *ret_count)
{
    switch (check->expectation->measure) {
    case MEASURE_FRAMES_DROPPED:
        *ret_count = dropped(j, check);
        return true;
    case MEASURE_LOGINS:
    case MEASURE_RETRANSMISSIONS:
    case MEASURE_RESETS:
        *ret_count = path_sum(j, check);
        return true;
    default:
        return false;
    }
}

static void look_at_moment(struct judge *j, struct check *check, int64_t now_ns)
{
    if (check->moment_ns == now_ns && check->watches)
        start_watching(j, check, now_ns);
    else if (check->moment_ns == now_ns)
        check->at_moment = check->expectation->measure == MEASURE_SESSIONS
                               ? (int64_t)path_sum(j, check)
                               : paths_usable(j, check);
}

/* The oldest I/O of the subject that is still open at the end of the window. */
static void look_at_waiting(const struct judge *j, const struct check *check, struct window *window,
                            int64_t now_ns)
{
    for (uint32_t h = 0; h < j->names->host_count; h++) {
        for (uint32_t d = 0; d < j->names->hosts[h].disk_count; d++) {
            const struct open_io *io = open_ios_oldest(j->ios, h, d);

            if (io && check_is_about_io(j, check, io))
                window->longest_ns = time_max(window->longest_ns, now_ns - io->submitted_at_ns);
        }
    }
}

static void start_window(const struct judge *j, const struct check *check, struct window *window)
{
    (void)count_so_far(j, check, &window->counted_before);
}

static void end_window(const struct judge *j, const struct check *check, struct window *window,
                       int64_t now_ns)
{
    if (count_so_far(j, check, &window->counted))
        window->counted -= window->counted_before;
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

static bool is_in(const struct window *window, int64_t at_ns)
{
    return at_ns >= window->from_ns && at_ns < window->until_ns;
}

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

        for (size_t w = 0; w < check->window_count && check_is_about_io(j, check, io); w++)
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
    bool is_worse = (use->is_in_use && !is_in_use) || (use->is_usable && !is_usable);

    *use = (struct use){is_in_use, is_usable};
    if (is_worse)
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
            check_is_about_broken(j, check, broken))
            is_expected = check->is_rule_broken = true;
    }
    return is_expected;
}

/* The end. */

bool judge_finish(struct judge *j, struct rows *rows)
{
    int64_t end_ns = j->scenario->run_for_ns;
    bool are_met = true;

    for (size_t i = 0; i < j->check_count; i++) {
        struct check *check = &j->checks[i];

        for (size_t w = 0; w < check->window_count; w++)
            if (check->windows[w].until_ns > end_ns)
                end_window(j, check, &check->windows[w], end_ns);
        are_met = judge_verdict(j, check, rows) && are_met;
    }
    return are_met;
}
