/* An I/O finds a path, comes back, and is tried again as the host's rules say. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "initiator/mpath_disk.h"
#include "initiator/path_error.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"

enum { READ_10 = 0x28, WRITE_10 = 0x2a, READ_16 = 0x88, WRITE_16 = 0x8a }; /* SBC-4 */

/* --- Lists --- */

static void append(struct io_list *list, struct mpath_io *io)
{
    io->next = NULL;
    if (list->tail)
        list->tail->next = io;
    else
        list->head = io;
    list->tail = io;
}

static struct mpath_io *take_all(struct io_list *list)
{
    struct mpath_io *head = list->head;

    *list = (struct io_list){0};
    return head;
}

/* In the order of time; of equal times the earlier one stays in front. */
static void await_retry(struct mpath *disk, struct mpath_io *io, int64_t at_ns)
{
    struct mpath_io **link = &disk->retries;

    io->retry_at_ns = at_ns;
    while (*link && (*link)->retry_at_ns <= at_ns)
        link = &(*link)->next;
    io->next = *link;
    *link = io;
}

void mpath_push_dispatch(struct mpath *disk, struct command *command)
{
    command->next = NULL;
    if (disk->dispatch_tail)
        disk->dispatch_tail->next = command;
    else
        disk->dispatch_head = command;
    disk->dispatch_tail = command;
}

/* --- An I/O ends --- */

static void finish(struct mpath *disk, struct mpath_io *io, bool is_error)
{
    assert(disk->outstanding > 0);
    disk->outstanding--;
    io->is_error = is_error;
    mpath_push_event(disk, (struct mpath_event){
                               .kind = MPATH_IO_DONE,
                               .io = io,
                               .path_index = io->last_path,
                           });
}

void mpath_fail_waiting(struct mpath *disk)
{
    struct mpath_io *io = take_all(&disk->waiting);
    struct mpath_io *retry = disk->retries;

    disk->retries = NULL;
    while (io) {
        struct mpath_io *next = io->next;

        finish(disk, io, true);
        io = next;
    }
    while (retry) {
        struct mpath_io *next = retry->next;

        finish(disk, retry, true);
        retry = next;
    }
}

/* --- An attempt begins --- */

static void build_command(const struct mpath *disk, struct mpath_io *io)
{
    struct command *command = &io->command;
    bool is_short = io->lba + io->blocks <= UINT32_MAX && io->blocks <= UINT16_MAX;

    memset(command, 0, COMMAND_CLEAN_BYTES);
    command->lun = disk->paths[io->slot].lun;
    command->direction = io->is_write ? DATA_WRITE : DATA_READ;
    command->bytes = io->blocks * disk->identity.block_bytes;
    command->data_out = io->data;
    if (is_short) {
        command->cdb[0] = io->is_write ? WRITE_10 : READ_10;
        put_be32(&command->cdb[2], (uint32_t)io->lba);
        put_be16(&command->cdb[7], (uint16_t)io->blocks);
    } else {
        command->cdb[0] = io->is_write ? WRITE_16 : READ_16;
        put_be64(&command->cdb[2], io->lba);
        put_be32(&command->cdb[10], io->blocks);
    }
}

static void send_on(struct mpath *disk, struct mpath_io *io, uint32_t slot)
{
    io->slot = slot;
    build_command(disk, io);
    policy_sent(&disk->policy, slot, io->command.bytes);
    mpath_push_dispatch(disk, &io->command);
}

/* No path is in use: the host's no-path rule. */
static void await_path(struct mpath *disk, struct mpath_io *io)
{
    bool waits = false;

    switch (disk->rules.no_path) {
    case NO_PATH_FAIL:
        break;
    case NO_PATH_QUEUE:
    case NO_PATH_HOLD_AND_REMOVE:
        waits = disk->is_present;
        break;
    case NO_PATH_QUEUE_FOR:
        waits = disk->is_present && !disk->is_queueing_over;
        break;
    }
    if (waits)
        append(&disk->waiting, io);
    else
        finish(disk, io, true);
}

/* 'avoid' is a slot that should not be taken if there is another one, or SLOT_NONE. */
static void route(struct mpath *disk, struct mpath_io *io, uint32_t avoid)
{
    uint32_t candidates = disk->in_use;

    if (candidates == 0) {
        await_path(disk, io);
        return;
    }
    if (disk->active_slot != SLOT_NONE)
        candidates = UINT32_C(1) << disk->active_slot;
    else if (avoid != SLOT_NONE && (candidates & ~(UINT32_C(1) << avoid)))
        candidates &= ~(UINT32_C(1) << avoid);
    send_on(disk, io, policy_choose(&disk->policy, candidates));
}

void mpath_release_waiting(struct mpath *disk)
{
    struct mpath_io *io = take_all(&disk->waiting);

    while (io) {
        struct mpath_io *next = io->next;

        route(disk, io, SLOT_NONE);
        io = next;
    }
}

void mpath_submit(struct mpath *disk, struct mpath_io *io, int64_t now_ns)
{
    (void)now_ns;
    assert(io->blocks > 0);
    if (io->is_write)
        assert(io->data);
    if (disk->has_identity) {
        assert(io->lba < disk->identity.block_count);
        assert(io->blocks <= disk->identity.block_count - io->lba);
    }
    io->is_error = false;
    io->attempts = 0;
    io->last_path = TRACE_NONE;
    io->counted_retries = 0;
    io->retries_until_ns = 0;
    io->is_same_path = false;
    io->command.data_in = NULL;
    disk->outstanding++;
    route(disk, io, SLOT_NONE);
}

static struct mpath_path *path_of_test(struct mpath *disk, const struct command *command)
{
    for (uint32_t slot = 0; slot < disk->path_count; slot++) {
        if (command == &disk->paths[slot].test)
            return &disk->paths[slot];
    }
    return NULL;
}

struct mpath_io *mpath_io_of(struct mpath *disk, struct command *command)
{
    if (command->direction == DATA_NONE && path_of_test(disk, command))
        return NULL;
    return CONTAINER_OF(command, struct mpath_io, command);
}

struct command *mpath_next_dispatch(struct mpath *disk, uint32_t *ret_path_index)
{
    struct command *command = disk->dispatch_head;

    if (!command)
        return NULL;
    disk->dispatch_head = command->next;
    if (!disk->dispatch_head)
        disk->dispatch_tail = NULL;
    command->next = NULL;

    struct mpath_io *io = mpath_io_of(disk, command);

    if (!io) {
        *ret_path_index = path_of_test(disk, command)->index;
        return command;
    }
    io->attempts++;
    io->last_path = disk->paths[io->slot].index;
    *ret_path_index = io->last_path;
    return command;
}

/* --- An attempt ends --- */

static bool ends_with_its_path(const struct mpath *disk)
{
    return disk->rules.retry_count == 0 || plant_is_on(disk->planted, PLANT_L1);
}

/* What came back from a lost session says no more than that; what lost it is known from below. */
static const char *why_failed(const struct mpath *disk, const struct mpath_io *io,
                              const struct path_error *error)
{
    const struct mpath_path *path = &disk->paths[io->slot];
    bool is_lost = io->command.end == COMMAND_SESSION_LOST && path->below == BELOW_LOST;

    return is_lost ? path->lost_reason : error->text;
}

static void fail_over(struct mpath *disk, struct mpath_io *io, const struct path_error *error,
                      int64_t now_ns)
{
    if (slot_is_in_use(disk, io->slot))
        mpath_leave(disk, io->slot, PATH_STATE_FAILED, why_failed(disk, io, error), now_ns);
    if (ends_with_its_path(disk)) {
        finish(disk, io, true);
        return;
    }
    io->counted_retries = 0; /* the next path has a chance of its own */
    io->retries_until_ns = 0;
    route(disk, io, SLOT_NONE);
}

static bool may_retry(const struct mpath *disk, struct mpath_io *io, const struct path_error *error,
                      int64_t now_ns)
{
    if (error->is_counted)
        return io->counted_retries++ < disk->rules.retry_count;
    if (disk->rules.uncounted_retry_ns == 0)
        return true;
    if (io->retries_until_ns == 0)
        io->retries_until_ns = time_after(now_ns, disk->rules.uncounted_retry_ns);
    return now_ns < io->retries_until_ns;
}

static void retry_now(struct mpath *disk, struct mpath_io *io, bool other_path)
{
    if (io->is_same_path && slot_is_in_use(disk, io->slot))
        send_on(disk, io, io->slot);
    else
        route(disk, io, other_path ? io->slot : SLOT_NONE);
}

static void retry(struct mpath *disk, struct mpath_io *io, const struct path_error *error,
                  int64_t now_ns)
{
    int64_t delay_ns =
        error->wait_ns == RETRY_INTERVAL ? disk->rules.retry_interval_ns : error->wait_ns;

    if (!may_retry(disk, io, error, now_ns)) {
        if (path_error_exhausted(disk->rules.errors) == VERDICT_FAIL_OVER)
            fail_over(disk, io, error, now_ns);
        else
            finish(disk, io, true);
        return;
    }
    io->is_same_path = error->verdict == VERDICT_RETRY_SAME;
    io->avoids_path = error->verdict == VERDICT_RETRY_OTHER;
    if (delay_ns > 0)
        await_retry(disk, io, time_after(now_ns, delay_ns));
    else
        retry_now(disk, io, io->avoids_path);
}

void mpath_wake_retries(struct mpath *disk, int64_t now_ns)
{
    while (disk->retries && disk->retries->retry_at_ns <= now_ns) {
        struct mpath_io *io = disk->retries;

        disk->retries = io->next;
        retry_now(disk, io, io->avoids_path);
    }
}

/* A good status with too little data is no good answer. */
static bool is_whole(const struct mpath_io *io)
{
    const struct command *command = &io->command;

    if (command->residual_bytes != 0)
        return false;
    return io->is_write || buf_bytes(command->data_in) == command->bytes;
}

static void attempt_done(struct mpath *disk, struct mpath_io *io, int64_t now_ns)
{
    const struct path_error *error = path_error_of(disk->rules.errors, &io->command);

    if (error->verdict == VERDICT_GOOD && !is_whole(io)) {
        io->command.end = COMMAND_PROTOCOL;
        error = path_error_of(disk->rules.errors, &io->command);
    }
    if (error->verdict == VERDICT_GOOD) {
        finish(disk, io, false);
        return;
    }
    buf_free(io->command.data_in);
    io->command.data_in = NULL;
    mpath_push_event(disk, (struct mpath_event){
                               .kind = MPATH_ATTEMPT_FAILED,
                               .io = io,
                               .path_index = io->last_path,
                               .reason = error->text,
                           });
    switch (error->verdict) {
    case VERDICT_GOOD:
    case VERDICT_PASS_UP:
        finish(disk, io, true);
        break;
    case VERDICT_FAIL_OVER:
        fail_over(disk, io, error, now_ns);
        break;
    case VERDICT_RETRY:
    case VERDICT_RETRY_OTHER:
    case VERDICT_RETRY_SAME:
        retry(disk, io, error, now_ns);
        break;
    }
}

void mpath_command_done(struct mpath *disk, uint32_t path_index, struct command *command,
                        int64_t now_ns)
{
    struct mpath_io *io = mpath_io_of(disk, command);

    if (!io) {
        struct mpath_path *path = path_of_test(disk, command);

        assert(path->index == path_index);
        mpath_check_test_done(disk, (uint32_t)(path - disk->paths), now_ns);
        return;
    }
    assert(io->last_path == path_index);
    __builtin_prefetch(io->memo); /* the listener to the trace is told soon */
    policy_returned(&disk->policy, io->slot, command->bytes);
    attempt_done(disk, io, now_ns);
}

struct trace_io mpath_io_step(struct mpath_io *io, enum trace_io_step step, uint32_t path_index,
                              uint32_t block_bytes)
{
    return (struct trace_io){
        .step = step,
        .host = TRACE_NONE,
        .disk = TRACE_NONE,
        .path = path_index,
        .io_id = io->io_id,
        .load = io->load,
        .is_write = io->is_write,
        .is_error = step == IO_DONE && io->is_error,
        .lba = io->lba,
        .bytes = io->blocks * block_bytes,
        .planned_at_ns = io->planned_at_ns,
        .memo = &io->memo,
    };
}
