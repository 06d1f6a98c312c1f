/* The checks that the expectations of a scenario come to. */
#include "lab/judge_checks.h"

#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>

bool check_is_about_host(const struct check *check, uint32_t host)
{
    return check->subject.kind == PART_NONE ||
           (check->subject.kind == PART_HOST && check->subject.index == host);
}

bool check_is_about_io(const struct judge *j, const struct check *check, const struct open_io *io)
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
    return check_is_about_host(check, host) ||
           (check->subject.kind == PART_PATH && check->subject.index == topology_path);
}

bool check_is_about_broken(const struct judge *j, const struct check *check,
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
    return check_is_about_host(check, broken->host);
}

uint32_t judge_part_count(const struct topology *t, enum part_kind kind)
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

struct part_ref judge_part(const struct topology *t, enum part_kind kind, uint32_t index)
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
    uint32_t count = judge_part_count(t, e->of.part_kind);

    if (e->of.kind == SCOPE_ONE)
        add_check(j, e, e->of.part);
    else if (e->of.kind == SCOPE_RUN)
        add_check(j, e, none);
    else if (e->of.kind == SCOPE_ALL || count == 0) /* without a part, one verdict says so */
        add_check(j, e, none)->is_about_nothing = count == 0;
    else
        for (uint32_t i = 0; i < count; i++)
            add_check(j, e, judge_part(t, e->of.part_kind, i));
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
            (check_is_about_host(check, host) || check->subject.kind == PART_DISK || is_path))
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
