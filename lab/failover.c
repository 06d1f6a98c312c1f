/* What each fault cost each multipath disk. */
#include "lab/failover.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSET (-1) /* of an instant or a span: it did not happen */

/* One path of one disk, now. */
struct use {
    bool is_in_use;
    bool is_usable;
};

/* One path of one disk, as one fault sees it. Times are UNSET until they happen. */
struct touched_use {
    bool is_touched;
    bool was_in_use;  /* when the fault came */
    bool is_catching; /* I/O sent on it now is caught */
    int64_t left_at_ns;
    int64_t usable_at_ns;   /* after the repair: usable again, or still */
    int64_t first_io_at_ns; /* first completion on it after the repair */
};

/* One multipath disk, now. */
struct disk {
    uint32_t host;
    uint32_t index;   /* of the host */
    struct use *uses; /* by path of the host */
};

/* What one fault did to one disk. */
struct effect {
    bool is_affected;
    int64_t detected_at_ns;
    char detected_by[96];
    int64_t path_failed_at_ns; /* the first touched path to leave use, for the phases */
    char path_failed_by[96];
    int64_t first_retry_at_ns;
    int64_t first_io_at_ns;
    int64_t back_at_ns; /* the first touched path that was usable again, for the phases */
    char back_by[96];
    int64_t in_place_at_ns;    /* the first good caught I/O on it, or after the repair */
    int64_t first_error_at_ns; /* of a caught I/O */
    int64_t removed_at_ns;     /* the disk was removed, for the phases: the first time */
    int64_t last_left_at_ns;   /* a path left use, up to the first error, for the phases */
    int64_t longest_pause_ns;
    int64_t longest_io_ns;
    uint64_t ios_caught;
    int64_t share_caught_ppm;
    uint64_t recovered_in_place;
    uint64_t retried;
    uint64_t errors;
    uint64_t waiting;         /* caught and unfinished */
    bool awaits_pause_end;    /* a pause overlaps the end of the span */
    struct touched_use *uses; /* by path of the host */
};

struct fault {
    uint32_t id;
    char step[64];
    char kind[32];
    char part[96];
    int64_t at_ns;
    int64_t repaired_at_ns;
    int64_t span_end_ns;
    uint64_t waiting; /* caught I/O unfinished, over all disks */
    struct path_ref *touched;
    size_t touched_count;
    struct effect *effects; /* by disk */
    struct fault *next;
};

/* That one fault caught one I/O. */
struct catch
{
    struct fault *fault;
    int64_t sent_at_ns;
    uint32_t old_path;
    int64_t retried_at_ns;
    uint32_t retries;
    struct catch *next;
};

struct failover {
    const struct san_names *names;
    const struct open_ios *ios;
    struct rows *rows;
    struct disk *disks;
    size_t disk_count;
    size_t *first_disk;   /* of each host */
    struct fault *faults; /* in the order of their numbers */
    struct fault *last_fault;
    struct catch *spare;
};

struct failover *failover_new(const struct san_names *names, const struct open_ios *ios,
                              struct rows *rows)
{
    struct failover *f = mem_new(sizeof(*f));

    *f = (struct failover){.names = names, .ios = ios, .rows = rows};
    f->first_disk = mem_array(names->host_count, sizeof(*f->first_disk));
    for (size_t h = 0; h < names->host_count; h++) {
        f->first_disk[h] = f->disk_count;
        f->disk_count += names->hosts[h].disk_count;
    }
    f->disks = mem_array(f->disk_count, sizeof(*f->disks));
    for (uint32_t h = 0; h < names->host_count; h++) {
        for (uint32_t d = 0; d < names->hosts[h].disk_count; d++) {
            struct disk *disk = &f->disks[f->first_disk[h] + d];

            *disk = (struct disk){.host = h, .index = d};
            disk->uses = mem_array(names->hosts[h].path_count, sizeof(*disk->uses));
        }
    }
    return f;
}

static void free_fault(struct failover *f, struct fault *fault)
{
    for (size_t d = 0; d < f->disk_count; d++)
        free(fault->effects[d].uses);
    free(fault->effects);
    free(fault->touched);
    free(fault);
}

void failover_free(struct failover *f)
{
    if (!f)
        return;
    while (f->faults) {
        struct fault *fault = f->faults;

        f->faults = fault->next;
        free_fault(f, fault);
    }
    while (f->spare) {
        struct catch *spare = f->spare;

        f->spare = spare->next;
        free(spare);
    }
    for (size_t d = 0; d < f->disk_count; d++)
        free(f->disks[d].uses);
    free(f->disks);
    free(f->first_disk);
    free(f);
}

static size_t disk_number(const struct failover *f, uint32_t host, uint32_t disk)
{
    return f->first_disk[host] + disk;
}

static size_t path_count(const struct failover *f, const struct disk *disk)
{
    return f->names->hosts[disk->host].path_count;
}

static bool is_open(const struct fault *fault)
{
    return fault->span_end_ns == UNSET;
}

/* Pauses. */

void failover_pause(struct failover *f, const struct pause *pause)
{
    size_t number = disk_number(f, pause->host, pause->disk);
    int64_t pause_ns = pause->end_at_ns - pause->start_at_ns;

    for (struct fault *fault = f->faults; fault; fault = fault->next) {
        struct effect *effect = &fault->effects[number];

        if (!is_open(fault) && !effect->awaits_pause_end)
            continue;
        effect->awaits_pause_end = false;
        if (!is_open(fault) && pause->start_at_ns >= fault->span_end_ns)
            continue; /* it began with the completion that ended the span */
        effect->longest_pause_ns = time_max(effect->longest_pause_ns, pause_ns);
    }
}

/* Spans. */

static bool all_touched_usable(const struct failover *f, const struct fault *fault)
{
    for (size_t d = 0; d < f->disk_count; d++) {
        const struct disk *disk = &f->disks[d];

        if (!fault->effects[d].is_affected)
            continue;
        for (size_t p = 0; p < path_count(f, disk); p++)
            if (fault->effects[d].uses[p].is_touched && !disk->uses[p].is_usable)
                return false;
    }
    return true;
}

static void note_open_ios(struct failover *f, struct fault *fault, int64_t at_ns)
{
    for (size_t d = 0; d < f->disk_count; d++) {
        const struct disk *disk = &f->disks[d];
        const struct open_io *oldest = open_ios_oldest(f->ios, disk->host, disk->index);
        struct effect *effect = &fault->effects[d];

        if (oldest)
            effect->longest_io_ns =
                time_max(effect->longest_io_ns, at_ns - oldest->submitted_at_ns);
    }
}

static void end_span(struct failover *f, struct fault *fault, int64_t at_ns)
{
    fault->span_end_ns = at_ns;
    note_open_ios(f, fault, at_ns);
    for (size_t d = 0; d < f->disk_count; d++)
        fault->effects[d].awaits_pause_end =
            open_ios_count(f->ios, f->disks[d].host, f->disks[d].index) > 0;
}

static void end_span_if_over(struct failover *f, struct fault *fault, int64_t at_ns)
{
    if (is_open(fault) && fault->repaired_at_ns != UNSET && fault->waiting == 0 &&
        all_touched_usable(f, fault))
        end_span(f, fault, at_ns);
}

/* Catching. */

static void catch_io(struct failover *f, struct fault *fault, struct open_io *io)
{
    struct effect *effect = &fault->effects[disk_number(f, io->host, io->disk)];
    struct catch *caught = f->spare;

    for (const struct catch *each = io->catches; each; each = each->next)
        if (each->fault == fault)
            return;
    if (caught)
        f->spare = caught->next;
    else
        caught = mem_new(sizeof(*caught));
    *caught = (struct catch){.fault = fault,
                             .sent_at_ns = io->sent_at_ns,
                             .old_path = io->path,
                             .retried_at_ns = UNSET,
                             .next = io->catches};
    io->catches = caught;
    effect->ios_caught++;
    effect->waiting++;
    fault->waiting++;
}

static void catch_outstanding(struct failover *f, struct fault *fault, size_t number)
{
    const struct disk *disk = &f->disks[number];
    struct effect *effect = &fault->effects[number];
    uint64_t outstanding = 0;

    for (struct open_io *io = open_ios_oldest(f->ios, disk->host, disk->index); io;
         io = io->younger) {
        outstanding++;
        if (io->path != TRACE_NONE && effect->uses[io->path].is_touched)
            catch_io(f, fault, io);
    }
    effect->share_caught_ppm =
        outstanding ? (int64_t)(effect->ios_caught * 1000000 / outstanding) : UNSET;
}

static void touch_disk(struct failover *f, struct fault *fault, size_t number)
{
    const struct disk *disk = &f->disks[number];
    struct effect *effect = &fault->effects[number];

    *effect = (struct effect){.detected_at_ns = UNSET,
                              .path_failed_at_ns = UNSET,
                              .first_retry_at_ns = UNSET,
                              .first_io_at_ns = UNSET,
                              .back_at_ns = UNSET,
                              .in_place_at_ns = UNSET,
                              .first_error_at_ns = UNSET,
                              .removed_at_ns = UNSET,
                              .last_left_at_ns = UNSET,
                              .longest_pause_ns = UNSET,
                              .longest_io_ns = UNSET,
                              .share_caught_ppm = UNSET};
    effect->uses = mem_array(path_count(f, disk), sizeof(*effect->uses));
    for (size_t p = 0; p < path_count(f, disk); p++)
        effect->uses[p] = (struct touched_use){
            .left_at_ns = UNSET, .usable_at_ns = UNSET, .first_io_at_ns = UNSET};
    for (size_t i = 0; i < fault->touched_count; i++) {
        if (fault->touched[i].host != disk->host)
            continue;
        struct touched_use *use = &effect->uses[fault->touched[i].path];

        use->is_touched = true;
        use->was_in_use = disk->uses[fault->touched[i].path].is_in_use;
        use->is_catching = use->was_in_use;
        effect->is_affected = true;
    }
    catch_outstanding(f, fault, number);
}

void failover_fault(struct failover *f, int64_t at_ns, uint32_t fault_id, const char *step,
                    const char *kind, const char *part, const struct path_ref *touched,
                    size_t touched_count)
{
    struct fault *fault = mem_new(sizeof(*fault));

    *fault = (struct fault){.id = fault_id,
                            .at_ns = at_ns,
                            .repaired_at_ns = UNSET,
                            .span_end_ns = UNSET,
                            .touched_count = touched_count};
    snprintf(fault->step, sizeof(fault->step), "%s", step);
    snprintf(fault->kind, sizeof(fault->kind), "%s", kind);
    snprintf(fault->part, sizeof(fault->part), "%s", part);
    fault->touched = mem_array(touched_count, sizeof(*touched));
    if (touched_count)
        memcpy(fault->touched, touched, touched_count * sizeof(*touched));
    fault->effects = mem_array(f->disk_count, sizeof(*fault->effects));
    *(f->last_fault ? &f->last_fault->next : &f->faults) = fault;
    f->last_fault = fault;
    for (size_t d = 0; d < f->disk_count; d++)
        touch_disk(f, fault, d);
}

static void stop_catching(const struct failover *f, struct fault *fault, int64_t at_ns)
{
    for (size_t d = 0; d < f->disk_count; d++) {
        const struct disk *disk = &f->disks[d];

        for (size_t p = 0; p < path_count(f, disk); p++) {
            struct touched_use *use = &fault->effects[d].uses[p];

            use->is_catching = false;
            if (use->is_touched && disk->uses[p].is_usable)
                use->usable_at_ns = at_ns;
        }
    }
}

void failover_repair(struct failover *f, int64_t at_ns, uint32_t fault_id)
{
    for (struct fault *fault = f->faults; fault; fault = fault->next) {
        if (fault->id != fault_id || fault->repaired_at_ns != UNSET)
            continue;
        fault->repaired_at_ns = at_ns;
        stop_catching(f, fault, at_ns);
        end_span_if_over(f, fault, at_ns);
    }
}

/* The life of an I/O. */

static void note_retry(struct failover *f, int64_t at_ns, struct open_io *io)
{
    size_t number = disk_number(f, io->host, io->disk);

    for (struct catch *caught = io->catches; caught; caught = caught->next) {
        struct effect *effect = &caught->fault->effects[number];

        if (caught->retries++ > 0)
            continue;
        caught->retried_at_ns = at_ns;
        effect->retried++;
        if (effect->first_retry_at_ns == UNSET && !effect->uses[io->path].is_touched)
            effect->first_retry_at_ns = at_ns;
    }
}

void failover_sent(struct failover *f, int64_t at_ns, struct open_io *io)
{
    size_t number = disk_number(f, io->host, io->disk);

    note_retry(f, at_ns, io);
    if (io->catches)
        return; /* tried again: it stays with the faults that caught it */
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        if (is_open(fault) && fault->effects[number].uses[io->path].is_catching)
            catch_io(f, fault, io);
}

static void put_caught(struct failover *f, const struct catch *caught, const struct open_io *io,
                       int64_t done_at_ns, const char *result)
{
    const struct host_names *host = &f->names->hosts[io->host];
    bool is_retried = caught->retried_at_ns != UNSET;

    rows_put(f->rows, TABLE_CAUGHT_IO,
             (struct value[]){V_INT(caught->fault->id), V_TEXT(host->host),
                              V_TEXT(host->disks[io->disk]), V_INT(caught->sent_at_ns),
                              V_TEXT(host->paths[caught->old_path]), V_MAYBE(caught->retried_at_ns),
                              is_retried && io->path != TRACE_NONE ? V_TEXT(host->paths[io->path])
                                                                   : V_NULL,
                              V_MAYBE(done_at_ns), V_INT(caught->retries), V_TEXT(result)});
}

static void note_first(int64_t *first_at_ns, int64_t at_ns)
{
    if (*first_at_ns == UNSET)
        *first_at_ns = at_ns;
}

/* What was still on its way back when the fault came tells nothing of the recovery. */
static void note_in_place(const struct fault *fault, struct effect *effect, int64_t at_ns)
{
    effect->recovered_in_place++;
    if (effect->back_at_ns != UNSET || fault->repaired_at_ns != UNSET)
        note_first(&effect->in_place_at_ns, at_ns);
}

static void release(struct failover *f, int64_t at_ns, struct open_io *io, bool is_error,
                    const char *result)
{
    size_t number = disk_number(f, io->host, io->disk);

    while (io->catches) {
        struct catch *caught = io->catches;
        struct fault *fault = caught->fault;
        struct effect *effect = &fault->effects[number];

        io->catches = caught->next;
        effect->waiting--;
        fault->waiting--;
        if (is_error)
            note_first(&effect->first_error_at_ns, at_ns);
        else if (io->path != TRACE_NONE && effect->uses[io->path].is_touched)
            note_in_place(fault, effect, at_ns);
        else
            note_first(&effect->first_io_at_ns, at_ns);
        put_caught(f, caught, io, at_ns, result);
        caught->next = f->spare;
        f->spare = caught;
    }
}

static void note_completion(struct fault *fault, size_t number, int64_t at_ns,
                            const struct open_io *io, bool is_error)
{
    struct effect *effect = &fault->effects[number];

    effect->longest_io_ns = time_max(effect->longest_io_ns, at_ns - io->submitted_at_ns);
    effect->errors += is_error;
}

static void note_first_io(struct fault *fault, size_t number, int64_t at_ns,
                          const struct open_io *io)
{
    struct touched_use *use = &fault->effects[number].uses[io->path];

    if (use->is_touched && fault->repaired_at_ns != UNSET && use->first_io_at_ns == UNSET)
        use->first_io_at_ns = at_ns;
}

void failover_done(struct failover *f, int64_t at_ns, struct open_io *io, bool is_error)
{
    size_t number = disk_number(f, io->host, io->disk);

    for (struct fault *fault = f->faults; fault; fault = fault->next) {
        if (is_open(fault))
            note_completion(fault, number, at_ns, io, is_error);
        if (!is_error && io->path != TRACE_NONE)
            note_first_io(fault, number, at_ns, io);
    }
    release(f, at_ns, io, is_error, is_error ? "error" : "good");
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        end_span_if_over(f, fault, at_ns);
}

void failover_forgotten(struct failover *f, int64_t at_ns, struct open_io *io)
{
    size_t number = disk_number(f, io->host, io->disk);

    for (struct fault *fault = f->faults; fault; fault = fault->next)
        if (is_open(fault))
            note_completion(fault, number, at_ns, io, false);
    release(f, at_ns, io, true, "host down");
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        end_span_if_over(f, fault, at_ns);
}

/* Signs and path states. */

static void note_detection(struct failover *f, int64_t at_ns, uint32_t host, uint32_t path,
                           uint32_t only_disk, const char *layer, const char *what)
{
    for (struct fault *fault = f->faults; fault; fault = fault->next) {
        if (!is_open(fault))
            continue;
        for (size_t d = 0; d < f->names->hosts[host].disk_count; d++) {
            struct effect *effect = &fault->effects[disk_number(f, host, (uint32_t)d)];

            if (!effect->uses[path].is_touched || effect->detected_at_ns != UNSET ||
                (only_disk != TRACE_NONE && only_disk != d))
                continue;
            effect->detected_at_ns = at_ns;
            snprintf(effect->detected_by, sizeof(effect->detected_by), "%s: %s", layer, what);
        }
    }
}

/* The host gave a disk up: what waited for a path ends with an error. */
static void note_removed(struct failover *f, int64_t at_ns, uint32_t host, uint32_t disk)
{
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        note_first(&fault->effects[disk_number(f, host, disk)].removed_at_ns, at_ns);
}

void failover_sign(struct failover *f, int64_t at_ns, const struct trace_sign *sign)
{
    if (sign->is_change && sign->layer == LAYER_MULTIPATH && sign->path == TRACE_NONE &&
        sign->disk < f->names->hosts[sign->host].disk_count)
        note_removed(f, at_ns, sign->host, sign->disk);
    if (sign->is_change && sign->path != TRACE_NONE)
        note_detection(f, at_ns, sign->host, sign->path, TRACE_NONE, trace_layer_word(sign->layer),
                       sign->what);
}

static void note_left(struct effect *effect, struct touched_use *use, int64_t at_ns,
                      const char *reason)
{
    use->is_catching = false;
    if (!use->is_touched || use->left_at_ns != UNSET)
        return;
    use->left_at_ns = at_ns;
    if (effect->path_failed_at_ns == UNSET) {
        effect->path_failed_at_ns = at_ns;
        snprintf(effect->path_failed_by, sizeof(effect->path_failed_by), "%s", reason);
    }
}

static void note_back(struct effect *effect, int64_t at_ns, const char *reason)
{
    if (effect->back_at_ns != UNSET)
        return;
    effect->back_at_ns = at_ns;
    snprintf(effect->back_by, sizeof(effect->back_by), "%s", reason);
}

void failover_path(struct failover *f, int64_t at_ns, const struct trace_path *change,
                   bool is_in_use, bool is_usable)
{
    size_t number = disk_number(f, change->host, change->disk);
    struct use *use = &f->disks[number].uses[change->path];
    bool was_in_use = use->is_in_use;
    bool was_usable = use->is_usable;

    *use = (struct use){.is_in_use = is_in_use, .is_usable = is_usable};
    if ((was_in_use && !is_in_use) || (was_usable && !is_usable))
        note_detection(f, at_ns, change->host, change->path, change->disk, "multipath",
                       change->reason);
    for (struct fault *fault = f->faults; fault; fault = fault->next) {
        struct effect *effect = &fault->effects[number];
        struct touched_use *touched = &effect->uses[change->path];

        if (was_in_use && !is_in_use &&
            (effect->first_error_at_ns == UNSET || effect->first_error_at_ns == at_ns))
            effect->last_left_at_ns = at_ns;

        if (!is_open(fault))
            continue;
        if (was_in_use && !is_in_use)
            note_left(effect, touched, at_ns, change->reason);
        if (!was_usable && is_usable && touched->is_touched)
            note_back(effect, at_ns, change->reason);
        if (is_usable && fault->repaired_at_ns != UNSET && touched->usable_at_ns == UNSET)
            touched->usable_at_ns = at_ns;
        end_span_if_over(f, fault, at_ns);
    }
}

/* The rows. */

/* To the last touched path leaving use; UNSET if any stayed. */
static int64_t path_failed_ns(const struct failover *f, const struct fault *fault, size_t number)
{
    int64_t last_ns = UNSET;

    for (size_t p = 0; p < path_count(f, &f->disks[number]); p++) {
        const struct touched_use *use = &fault->effects[number].uses[p];

        if (!use->is_touched || !use->was_in_use)
            continue;
        if (use->left_at_ns == UNSET)
            return UNSET;
        last_ns = time_max(last_ns, use->left_at_ns - fault->at_ns);
    }
    return last_ns;
}

/* From the repair to the last of the touched paths' instants; UNSET if one never came. */
static int64_t last_after_repair(const struct failover *f, const struct fault *fault, size_t number,
                                 bool is_first_io)
{
    int64_t last_ns = UNSET;

    if (fault->repaired_at_ns == UNSET)
        return UNSET;
    for (size_t p = 0; p < path_count(f, &f->disks[number]); p++) {
        const struct touched_use *use = &fault->effects[number].uses[p];
        int64_t at_ns = is_first_io ? use->first_io_at_ns : use->usable_at_ns;

        if (!use->is_touched)
            continue;
        if (at_ns == UNSET)
            return UNSET;
        last_ns = time_max(last_ns, at_ns - fault->repaired_at_ns);
    }
    return last_ns;
}

/* The names of the other faults whose spans overlap, with commas. */
static void list_overlaps(const struct failover *f, const struct fault *fault, char *ret_list,
                          size_t bytes)
{
    size_t length = 0;

    ret_list[0] = '\0';
    for (const struct fault *other = f->faults; other; other = other->next) {
        if (other == fault || other->at_ns > fault->span_end_ns ||
            other->span_end_ns < fault->at_ns)
            continue;
        int more =
            snprintf(ret_list + length, bytes - length, "%s%s", length ? ", " : "", other->step);
        if (more < 0 || (size_t)more >= bytes - length)
            return;
        length += (size_t)more;
    }
}

static int64_t since(const struct fault *fault, int64_t at_ns)
{
    return at_ns == UNSET ? UNSET : at_ns - fault->at_ns;
}

static void put_effect(struct failover *f, const struct fault *fault, size_t number)
{
    const struct effect *e = &fault->effects[number];
    const struct disk *disk = &f->disks[number];
    const struct host_names *host = &f->names->hosts[disk->host];
    char overlaps[512];

    list_overlaps(f, fault, overlaps, sizeof(overlaps));
    rows_put(f->rows, TABLE_FAULT_EFFECT,
             (struct value[]){V_INT(fault->id),
                              V_TEXT(host->host),
                              V_TEXT(host->disks[disk->index]),
                              V_INT(e->is_affected),
                              V_TEXT(overlaps),
                              V_INT(fault->span_end_ns),
                              V_MAYBE(since(fault, e->detected_at_ns)),
                              V_TEXT(e->detected_at_ns == UNSET ? "nothing" : e->detected_by),
                              V_MAYBE(path_failed_ns(f, fault, number)),
                              V_MAYBE(since(fault, e->first_io_at_ns)),
                              V_MAYBE(e->longest_pause_ns),
                              V_MAYBE(e->longest_io_ns),
                              V_INT((int64_t)e->ios_caught),
                              V_MAYBE(e->share_caught_ppm),
                              V_INT((int64_t)e->recovered_in_place),
                              V_INT((int64_t)e->waiting),
                              V_INT((int64_t)e->retried),
                              V_INT((int64_t)e->errors),
                              V_MAYBE(last_after_repair(f, fault, number, false)),
                              V_MAYBE(last_after_repair(f, fault, number, true))});
}

static void put_phase(struct failover *f, const struct fault *fault, size_t number,
                      const char *phase, int64_t *at_ns, int64_t end_ns, const char *ended_by)
{
    const struct disk *disk = &f->disks[number];
    const struct host_names *host = &f->names->hosts[disk->host];

    if (end_ns < *at_ns) /* as UNSET is */
        return;
    rows_put(f->rows, TABLE_PAUSE_PHASE,
             (struct value[]){V_INT(fault->id), V_TEXT(host->host),
                              V_TEXT(host->disks[disk->index]), V_TEXT(phase), V_INT(*at_ns),
                              V_INT(end_ns), V_TEXT(ended_by)});
    *at_ns = end_ns;
}

/* What ended the waiting for caught I/O. */
struct recovery {
    int64_t at_ns;
    enum { ELSEWHERE, IN_PLACE, GIVEN_UP } how;
};

/* Elsewhere if there is an elsewhere; given up only if nothing else came of the caught I/O. */
static struct recovery recovery_of(const struct effect *e)
{
    if (e->first_io_at_ns != UNSET)
        return (struct recovery){e->first_io_at_ns, ELSEWHERE};
    if (e->in_place_at_ns != UNSET)
        return (struct recovery){e->in_place_at_ns, IN_PLACE};
    return (struct recovery){e->first_error_at_ns, GIVEN_UP};
}

/* What ended the wait for a path: the timer of the host, or an error as such. */
static const char *given_up_by(const struct effect *e)
{
    if (e->removed_at_ns == e->first_error_at_ns)
        return "the disk was removed (PDORemovePeriod)";
    if (e->last_left_at_ns == e->first_error_at_ns)
        return "no path was left (recovery_tmo)";
    return "an I/O error";
}

/* From the fault to the first good caught I/O, on another path or on its own that came back, or to
 * the first one that was given up. The phases add up to it; each is named by what was waited for,
 * and what came only after the end is none. */
static void put_phases(struct failover *f, const struct fault *fault, size_t number)
{
    const struct effect *e = &fault->effects[number];
    struct recovery recovery = recovery_of(e);
    bool is_in_place = recovery.how == IN_PLACE;
    int64_t at_ns = fault->at_ns;
    const struct {
        bool is_of_it;
        const char *phase;
        int64_t end_ns;
        const char *ended_by;
    } phases[] = {
        {true, "detect", e->detected_at_ns, e->detected_by},
        {true, "fail-path", e->path_failed_at_ns, e->path_failed_by},
        {recovery.how == ELSEWHERE, "requeue", e->first_retry_at_ns, "sent on another path"},
        {is_in_place, "repair", fault->repaired_at_ns, "the repair"},
        {is_in_place, "path-back", e->back_at_ns, e->back_by},
        {recovery.how != GIVEN_UP, "first-io", recovery.at_ns, "first good I/O"},
        {recovery.how == GIVEN_UP, "give-up", recovery.at_ns, given_up_by(e)},
    };

    for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
        if (phases[i].is_of_it && phases[i].end_ns <= recovery.at_ns)
            put_phase(f, fault, number, phases[i].phase, &at_ns, phases[i].end_ns,
                      phases[i].ended_by);
}

static void put_fault(struct failover *f, const struct fault *fault)
{
    rows_put(f->rows, TABLE_FAULT,
             (struct value[]){V_INT(fault->id), V_TEXT(fault->step), V_TEXT(fault->kind),
                              V_TEXT(fault->part), V_INT(fault->at_ns),
                              V_MAYBE(fault->repaired_at_ns)});
    for (size_t i = 0; i < fault->touched_count; i++) {
        const struct host_names *host = &f->names->hosts[fault->touched[i].host];

        rows_put(f->rows, TABLE_FAULT_PATH,
                 (struct value[]){V_INT(fault->id), V_TEXT(host->host),
                                  V_TEXT(host->paths[fault->touched[i].path])});
    }
    for (size_t d = 0; d < f->disk_count; d++) {
        put_effect(f, fault, d);
        put_phases(f, fault, d);
    }
}

/* Caught I/O that never ended still has a row. */
static void put_waiting(struct failover *f, size_t number)
{
    const struct disk *disk = &f->disks[number];

    for (struct open_io *io = open_ios_oldest(f->ios, disk->host, disk->index); io;
         io = io->younger) {
        while (io->catches) {
            struct catch *caught = io->catches;

            put_caught(f, caught, io, UNSET, "waiting");
            io->catches = caught->next;
            caught->next = f->spare;
            f->spare = caught;
        }
    }
}

void failover_finish(struct failover *f, int64_t at_ns)
{
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        if (is_open(fault))
            end_span(f, fault, at_ns);
    for (struct fault *fault = f->faults; fault; fault = fault->next)
        put_fault(f, fault);
    for (size_t d = 0; d < f->disk_count; d++)
        put_waiting(f, d);
}
