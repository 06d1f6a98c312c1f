/* Steps that wait for an event: see event_steps.h. */
#include "lab/event_steps.h"

#include <stdlib.h>
#include <string.h>

#include "initiator/path_state.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

struct event_steps {
    const struct scenario *scenario; /* borrowed */
    struct event_steps_user *user;   /* borrowed */
    int64_t *at_ns;                  /* of each step; TIME_NEVER: not known yet */
    bool *has_left;                  /* of each path: it left use at least once */
};

struct event_steps *event_steps_new(const struct scenario *scenario, struct event_steps_user *user)
{
    uint32_t known = 0;

    while (known < scenario->step_count && scenario->steps[known].when.at_ns != TIME_NEVER)
        known++;
    if (known == scenario->step_count)
        return NULL;
    struct event_steps *w = mem_new(sizeof(*w));

    *w = (struct event_steps){
        .scenario = scenario,
        .user = user,
        .at_ns = mem_array(scenario->step_count, sizeof(*w->at_ns)),
        .has_left = mem_array(scenario->topology->path_count + (size_t)1, sizeof(*w->has_left)),
    };
    for (uint32_t i = 0; i < scenario->step_count; i++)
        w->at_ns[i] = scenario->steps[i].when.at_ns;
    return w;
}

void event_steps_free(struct event_steps *w)
{
    if (!w)
        return;
    free(w->at_ns);
    free(w->has_left);
    free(w);
}

static void know(struct event_steps *w, uint32_t step_index, int64_t at_ns)
{
    w->at_ns[step_index] = at_ns;
    w->user->on_known(w->user, step_index, at_ns);
}

/* 'after: STEP + 10 s' of steps whose moment has just become known. */
static void know_those_after(struct event_steps *w)
{
    bool has_progress = true;

    while (has_progress) {
        has_progress = false;
        for (uint32_t i = 0; i < w->scenario->step_count; i++) {
            const struct moment *when = &w->scenario->steps[i].when;

            if (w->at_ns[i] != TIME_NEVER || when->base != MOMENT_STEP ||
                w->at_ns[when->step_index] == TIME_NEVER)
                continue;
            know(w, i, time_after(w->at_ns[when->step_index], when->offset_ns));
            has_progress = true;
        }
    }
}

static bool is_part(const struct part_ref *part, uint32_t host, uint32_t path_index)
{
    return part->index == (part->kind == PART_PATH ? path_index : host);
}

/* 'path_index' of the topology, or TRACE_NONE. */
static void happened(struct event_steps *w, enum scenario_event event, int64_t at_ns, uint32_t host,
                     uint32_t path_index)
{
    for (uint32_t i = 0; i < w->scenario->step_count; i++) {
        const struct moment *when = &w->scenario->steps[i].when;

        if (w->at_ns[i] == TIME_NEVER && when->base == MOMENT_EVENT && when->event == event &&
            is_part(&when->part, host, path_index))
            know(w, i, time_after(at_ns, when->offset_ns));
    }
    know_those_after(w);
}

static uint32_t path_of(const struct topology *topology, uint32_t host, uint32_t path_in_host)
{
    uint32_t i = 0;

    while (i < topology->path_count && (topology->paths[i].host_index != host ||
                                        topology->paths[i].index_in_host != path_in_host))
        i++;
    return i;
}

/* The words come from initiator/path_state.h. */
static enum path_state state_of(const char *word)
{
    enum path_state state = PATH_STATE_CONNECTING;

    while (state < PATH_STATE_REMOVED && strcmp(path_state_word(state), word) != 0)
        state++;
    return state;
}

void event_steps_path(struct event_steps *w, int64_t at_ns, const struct trace_path *change)
{
    if (!w)
        return;
    bool was_in_use = path_state_is_in_use(state_of(change->old_state));
    bool is_in_use = path_state_is_in_use(state_of(change->new_state));
    uint32_t path = path_of(w->scenario->topology, change->host, change->path);

    if (was_in_use && !is_in_use) {
        w->has_left[path] = true;
        happened(w, EVENT_PATH_FAILED, at_ns, change->host, path);
    } else if (!was_in_use && is_in_use && w->has_left[path]) {
        happened(w, EVENT_PATH_USABLE, at_ns, change->host, path);
    }
}

void event_steps_io_error(struct event_steps *w, int64_t at_ns, uint32_t host)
{
    if (w)
        happened(w, EVENT_IO_ERROR, at_ns, host, TRACE_NONE);
}
