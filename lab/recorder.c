/* What a run leaves: the receiver of the trace. */
#include "lab/recorder.h"

#include "initiator/path_state.h"
#include "lab/format.h"
#include "lab/latency.h"
#include "lab/pdu_rules.h"
#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKEN_ROWS_MOST 20 /* per rule and run: the first ones tell the story */
#define RULES_MOST       40

struct recorder {
    struct trace trace;
    struct recorder_options options;
    const struct san_names *names;
    struct rows *rows;
    struct open_ios *ios;
    struct pauses *pauses;
    struct failover *failover;
    struct latency *latency;
    struct judge *judge;
    struct pdu_rules *pdu_rules;
    struct event_steps *event_steps; /* borrowed; NULL: no step waits */
    int64_t window_at_ns;
    uint64_t digest;
    uint64_t broken; /* not asked for */
    struct {
        char name[8];
        uint32_t rows; /* written */
    } rules[RULES_MOST];
    uint64_t ios_done;
    bool is_finished; /* what comes now is the clearing up: only broken rules are of interest */
};

static struct recorder *recorder_of(struct trace *trace)
{
    return CONTAINER_OF(trace, struct recorder, trace);
}

static void mix(struct recorder *r, int64_t at_ns, uint64_t what)
{
    r->digest = hash_mix(hash_mix(r->digest, (uint64_t)at_ns), what);
}

static void mix_text(struct recorder *r, const char *text)
{
    r->digest = hash_mix(r->digest, hash64(text, strlen(text), 0));
}

static void tell(struct recorder *r, int64_t at_ns, const char *text)
{
    if (r->options.listener)
        r->options.listener->on_text(r->options.listener, at_ns, text);
}

/* The life of an I/O. */

static void submitted(struct recorder *r, int64_t at_ns, const struct trace_io *t)
{
    struct open_io *io = open_ios_add(r->ios, t->host, t->disk, t->io_id);

    *t->memo = io;
    io->bytes = t->bytes;
    io->is_write = t->is_write;
    io->planned_at_ns = t->planned_at_ns;
    io->submitted_at_ns = at_ns;
    pauses_submitted(r->pauses, at_ns, t->host, t->disk);
}

static void sent(struct recorder *r, int64_t at_ns, const struct trace_io *t)
{
    struct open_io *io = *t->memo;

    assert(io);
    open_ios_sent(r->ios, io, t->path);
    io->sent_at_ns = at_ns;
    if (io->sends++ > 0)
        io->retries++;
    failover_sent(r->failover, at_ns, io);
}

static void put_pause(struct recorder *r, const struct pause *pause)
{
    const struct host_names *host = &r->names->hosts[pause->host];

    failover_pause(r->failover, pause);
    judge_pause(r->judge, pause);
    if (pause->end_at_ns - pause->start_at_ns < r->options.pause_threshold_ns)
        return;
    rows_put(r->rows, TABLE_PAUSE,
             (struct value[]){V_TEXT(host->host), V_TEXT(host->disks[pause->disk]),
                              V_INT(pause->start_at_ns), V_INT(pause->end_at_ns),
                              V_INT((int64_t)pause->outstanding)});
}

/* Rule L1: an error while another path would have served. */
static void check_liveness(struct recorder *r, int64_t at_ns, const struct trace_io *t)
{
    const struct host_names *host = &r->names->hosts[t->host];
    uint32_t path = healthy_path(r->options.healthy, t->host, host->disk_indices[t->disk], at_ns);
    char text[384];

    if (path == TOPOLOGY_NONE)
        return;
    snprintf(text, sizeof(text),
             "%s of %s at LBA %llu ended in error although path '%s' was healthy all the time",
             t->is_write ? "a write" : "a read", host->host, (unsigned long long)t->lba,
             host->paths[path - host->first_path]);
    r->trace.ops->broken(&r->trace, at_ns,
                         &(struct trace_broken){.rule = "L1",
                                                .host = t->host,
                                                .path = t->path,
                                                .disk = t->disk,
                                                .lba = t->lba,
                                                .text = text});
}

static void done(struct recorder *r, int64_t at_ns, const struct trace_io *t)
{
    struct open_io *io = *t->memo;
    struct pause pause;

    assert(io);
    if (pauses_done(r->pauses, at_ns, t->host, t->disk, t->is_error, &pause))
        put_pause(r, &pause);
    failover_done(r->failover, at_ns, io, t->is_error);
    latency_done(r->latency, at_ns, io, t->is_error);
    judge_done(r->judge, at_ns, io, t->is_error);
    open_ios_remove(r->ios, io);
    r->ios_done++;
    /* When the run is over, its hosts end what is still open as errors: no path is to blame. */
    if (t->is_error && !r->is_finished && r->options.healthy)
        check_liveness(r, at_ns, t);
}

static void on_io(struct trace *trace, int64_t at_ns, const struct trace_io *t)
{
    struct recorder *r = recorder_of(trace);

    mix(r, at_ns,
        t->io_id << 8 ^ (uint64_t)t->step << 4 ^ (uint64_t)t->host << 48 ^ (uint64_t)t->is_error ^
            (uint64_t)t->path << 40);
    switch (t->step) {
    case IO_SUBMITTED:
        submitted(r, at_ns, t);
        break;
    case IO_SENT:
        sent(r, at_ns, t);
        break;
    case IO_ATTEMPT_FAILED:
        break; /* the next SENT or DONE tells what became of it */
    case IO_DONE:
        done(r, at_ns, t);
        if (t->is_error && !r->is_finished)
            event_steps_io_error(r->event_steps, at_ns, t->host);
        break;
    }
}

/* A host went down: nobody waits for its I/O any more. */
static void on_host_lost(struct trace *trace, int64_t at_ns, uint32_t host)
{
    struct recorder *r = recorder_of(trace);
    struct open_io *io;
    struct pause pause;

    mix(r, at_ns, host);
    for (uint32_t d = 0; d < r->names->hosts[host].disk_count; d++) {
        while ((io = open_ios_oldest(r->ios, host, d))) {
            if (pauses_done(r->pauses, at_ns, host, d, true, &pause))
                put_pause(r, &pause);
            failover_forgotten(r->failover, at_ns, io);
            open_ios_remove(r->ios, io);
        }
    }
}

/* Signs and path states. */

static const char *path_name(const struct recorder *r, uint32_t host, uint32_t path)
{
    return host == TRACE_NONE || path == TRACE_NONE ? NULL : r->names->hosts[host].paths[path];
}

static struct value text_or_null(const char *text)
{
    return text ? V_TEXT(text) : V_NULL;
}

/* Every sign is a row; but only what the host acts on is a detection: most do nothing when a NIC
 * loses carrier, and their connections live on. */
static bool is_acted_on(const struct recorder *r, const struct trace_sign *sign)
{
    const struct topology_host *host = &r->options.scenario->topology->hosts[sign->host];

    return sign->is_change &&
           (sign->layer != LAYER_LINK || host->profile.tcp.on_link_down == TCP_LINK_DOWN_ABORT);
}

static void on_sign(struct trace *trace, int64_t at_ns, const struct trace_sign *sign)
{
    struct recorder *r = recorder_of(trace);
    const struct host_names *host = &r->names->hosts[sign->host];
    const char *path = path_name(r, sign->host, sign->path);
    char what[256];

    if (r->is_finished)
        return;
    mix(r, at_ns, (uint64_t)sign->host << 32 | sign->path);
    mix_text(r, sign->what);
    snprintf(what, sizeof(what), "%s%s%s", sign->disk == TRACE_NONE ? "" : host->disks[sign->disk],
             sign->disk == TRACE_NONE ? "" : ": ", sign->what);
    rows_put(r->rows, TABLE_SIGN,
             (struct value[]){V_INT(at_ns), V_TEXT(host->host), text_or_null(path),
                              V_TEXT(trace_layer_word(sign->layer)), V_TEXT(what)});
    if (!is_acted_on(r, sign))
        return;
    failover_sign(r->failover, at_ns, sign);
    judge_sign(r->judge, at_ns, sign->host, sign->path);
}

static enum path_state state_of(const char *word)
{
    static const enum path_state states[] = {
#define X(name, word, in_use, usable) name,
        PATH_STATES(X)
#undef X
    };

    size_t i = 0;

    while (strcmp(path_state_word(states[i]), word) != 0) {
        i++;
        assert(i < ARRAY_SIZE(states)); /* they come from the same header */
    }
    return states[i];
}

static void on_path(struct trace *trace, int64_t at_ns, const struct trace_path *change)
{
    struct recorder *r = recorder_of(trace);
    const struct host_names *host = &r->names->hosts[change->host];
    enum path_state state = state_of(change->new_state);
    bool is_in_use = path_state_is_in_use(state);
    bool is_usable = path_state_is_usable(state);
    char text[512];

    if (r->is_finished)
        return;
    mix(r, at_ns,
        (uint64_t)change->host << 40 | (uint64_t)change->disk << 32 | change->path << 8 |
            (uint64_t)state);
    rows_put(r->rows, TABLE_PATH_EVENT,
             (struct value[]){V_INT(at_ns), V_TEXT(host->host), V_TEXT(host->disks[change->disk]),
                              V_TEXT(host->paths[change->path]), V_TEXT(change->old_state),
                              V_TEXT(change->new_state), V_TEXT(change->reason)});
    failover_path(r->failover, at_ns, change, is_in_use, is_usable);
    judge_path(r->judge, at_ns, change, is_in_use, is_usable);
    snprintf(text, sizeof(text), "path %s of %s: %s -> %s (%s)", host->paths[change->path],
             host->disks[change->disk], change->old_state, change->new_state, change->reason);
    tell(r, at_ns, text);
    event_steps_path(r->event_steps, at_ns, change);
}

/* May one more row be written for this rule? */
static bool has_room_for(struct recorder *r, const char *rule)
{
    for (size_t i = 0; i < RULES_MOST; i++) {
        if (r->rules[i].name[0] == '\0')
            snprintf(r->rules[i].name, sizeof(r->rules[i].name), "%s", rule);
        if (strcmp(r->rules[i].name, rule) == 0)
            return r->rules[i].rows++ < BROKEN_ROWS_MOST;
    }
    return false;
}

static void on_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    struct recorder *r = recorder_of(trace);
    const char *host = broken->host == TRACE_NONE ? NULL : r->names->hosts[broken->host].host;
    const char *disk = NULL;
    char text[512];

    if (!judge_broken(r->judge, broken))
        r->broken++;
    mix(r, at_ns, broken->lba);
    mix_text(r, broken->rule);
    if (!has_room_for(r, broken->rule))
        return;
    if (broken->host != TRACE_NONE && broken->disk != TRACE_NONE)
        disk = r->names->hosts[broken->host].disks[broken->disk];
    rows_put(r->rows, TABLE_BROKEN_RULE,
             (struct value[]){V_TEXT(broken->rule), V_INT(at_ns), text_or_null(host),
                              text_or_null(path_name(r, broken->host, broken->path)),
                              text_or_null(disk),
                              broken->lba == UINT64_MAX ? V_NULL : V_INT((int64_t)broken->lba),
                              V_TEXT(broken->text)});
    snprintf(text, sizeof(text), "rule %s broken: %s", broken->rule, broken->text);
    tell(r, at_ns, text);
}

static void on_pdu(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu)
{
    struct recorder *r = recorder_of(trace);
    struct trace_broken broken;

    if (pdu_rules_see(r->pdu_rules, pdu, &broken))
        on_broken(trace, at_ns, &broken);
}

static void on_tasks_ahead(struct trace *trace, const struct trace_pdu *end, const uint32_t tags[],
                           uint32_t count)
{
    (void)trace;
    pdu_rules_fetch(end, tags, count);
}

static void on_agreed(struct trace *trace, uint64_t connection, bool is_target_end,
                      const struct iscsi_params *params)
{
    pdu_rules_agreed(recorder_of(trace)->pdu_rules, connection, is_target_end, params);
}

static void on_pdu_end(struct trace *trace, int64_t at_ns, uint64_t connection)
{
    struct recorder *r = recorder_of(trace);

    mix(r, at_ns, connection);
    pdu_rules_end(r->pdu_rules, connection);
}

static void on_event(struct trace *trace, int64_t at_ns, const char *component, const char *what,
                     uint64_t number)
{
    struct recorder *r = recorder_of(trace);

    mix(r, at_ns, number);
    mix_text(r, component);
    mix_text(r, what);
}

/* Life cycle. */

struct recorder *recorder_new(const struct recorder_options *options)
{
    static const struct trace_ops ops = {.io = on_io,
                                         .sign = on_sign,
                                         .path = on_path,
                                         .host_lost = on_host_lost,
                                         .broken = on_broken,
                                         .pdu = on_pdu,
                                         .tasks_ahead = on_tasks_ahead,
                                         .agreed = on_agreed,
                                         .pdu_end = on_pdu_end,
                                         .event = on_event};
    struct recorder *r = mem_new(sizeof(*r));

    *r = (struct recorder){.trace = {.ops = &ops},
                           .options = *options,
                           .names = options->names,
                           .rows = options->rows};
    r->ios = open_ios_new(r->names);
    r->pauses = pauses_new(r->names);
    r->failover = failover_new(r->names, r->ios, r->rows);
    r->latency = latency_new(r->names, r->ios, r->rows);
    r->judge = judge_new(options->scenario, r->names, r->ios, options->source);
    r->pdu_rules = pdu_rules_new(options->pool);
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    pdu_rules_free(r->pdu_rules);
    judge_free(r->judge);
    latency_free(r->latency);
    failover_free(r->failover);
    pauses_free(r->pauses);
    open_ios_free(r->ios);
    free(r);
}

struct trace *recorder_trace(struct recorder *recorder)
{
    return &recorder->trace;
}

/* The timeline. */

void recorder_fault(struct recorder *r, int64_t at_ns, uint32_t fault_id, const char *step,
                    const char *kind, const char *part, const struct path_ref *touched,
                    size_t touched_count)
{
    char text[256];

    mix(r, at_ns, fault_id);
    mix_text(r, kind);
    failover_fault(r->failover, at_ns, fault_id, step, kind, part, touched, touched_count);
    snprintf(text, sizeof(text), "fault '%s': %s %s", step, kind, part);
    tell(r, at_ns, text);
}

void recorder_repair(struct recorder *r, int64_t at_ns, uint32_t fault_id, const char *step,
                     const char *kind, const char *part)
{
    char text[256];

    mix(r, at_ns, fault_id);
    failover_repair(r->failover, at_ns, fault_id);
    snprintf(text, sizeof(text), "repair '%s': %s %s", step, kind, part);
    tell(r, at_ns, text);
}

void recorder_nothing_to_undo(struct recorder *r, int64_t at_ns, const char *step, const char *kind,
                              const char *part)
{
    char text[256];

    mix(r, at_ns, 0);
    mix_text(r, kind);
    snprintf(text, sizeof(text), "step '%s': %s %s, where there was nothing to undo", step, kind,
             part);
    tell(r, at_ns, text);
}

void recorder_step_known(struct recorder *r, int64_t at_ns, const char *step, int64_t step_at_ns)
{
    char when[FORMAT_BYTES];
    char text[256];

    mix(r, at_ns, (uint64_t)step_at_ns);
    mix_text(r, step);
    snprintf(text, sizeof(text), "step '%s': its event happened; it comes at %s", step,
             format_instant(step_at_ns, 0, when));
    tell(r, at_ns, text);
}

void recorder_set_event_steps(struct recorder *r, struct event_steps *waiting)
{
    r->event_steps = waiting;
}

int64_t recorder_deadline_ns(const struct recorder *r)
{
    return time_min(judge_deadline_ns(r->judge),
                    time_after(r->window_at_ns, r->options.latency_window_ns));
}

void recorder_wake(struct recorder *r, int64_t now_ns)
{
    judge_wake(r->judge, now_ns);
    while (time_after(r->window_at_ns, r->options.latency_window_ns) <= now_ns) {
        int64_t end_ns = r->window_at_ns + r->options.latency_window_ns;

        latency_end_window(r->latency, r->window_at_ns, end_ns);
        r->window_at_ns = end_ns;
    }
}

bool recorder_finish(struct recorder *r, int64_t at_ns)
{
    struct pause pause;

    recorder_wake(r, at_ns);
    if (r->window_at_ns < at_ns)
        latency_end_window(r->latency, r->window_at_ns, at_ns);
    r->window_at_ns = TIME_NEVER;
    for (uint32_t h = 0; h < r->names->host_count; h++)
        for (uint32_t d = 0; d < r->names->hosts[h].disk_count; d++)
            if (pauses_now(r->pauses, at_ns, h, d, &pause))
                put_pause(r, &pause);
    failover_finish(r->failover, at_ns);
    r->is_finished = true;
    return judge_finish(r->judge, r->rows);
}

uint64_t recorder_broken_count(const struct recorder *r)
{
    return r->broken;
}

uint64_t recorder_digest(const struct recorder *r)
{
    return r->digest;
}

uint64_t recorder_ios_done(const struct recorder *r)
{
    return r->ios_done;
}
