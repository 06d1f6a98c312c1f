/* The loads of one host. Each load knows when its next I/O is due; the workload hands out the one
 * that is due first. */
#include "initiator/workload.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "initiator/stamp.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/random.h"
#include "sim/core/time.h"

#define PPM_ALL    1000000u
#define NAME_BYTES 192u
#define PLACE_NONE UINT64_MAX

/* An I/O of a load, from workload_next_io() to workload_io_done(). */
struct load_io {
    struct oracle_op op;
    uint64_t place; /* in I/O sizes from the start of the area */
    struct load_io *next;
    struct load_io *previous;
    struct mpath_io io;
};

struct load {
    struct load_options options;
    struct oracle *oracle;
    struct random random;
    struct load_counts counts;

    uint64_t area_lba;
    uint64_t place_count;
    uint32_t io_blocks;
    uint8_t *writes;     /* a bit per place: a write is in flight there; NULL for rewrite */
    uint64_t next_place; /* sequential */

    bool has_begun;
    bool is_over;          /* the stop time has come */
    int64_t begun_at_ns;   /* open loop: planned instants count from here */
    uint64_t planned;      /* I/Os since 'begun_at_ns', or since the ceiling's base */
    int64_t rest_until_ns; /* closed loop, after an error */
    uint32_t outstanding;

    bool has_drawn; /* the next I/O is drawn and waits for its place to be free */
    bool draws_write;
    uint64_t drawn_place;
    bool is_blocked; /* ... until an I/O of this load is done */
};

struct workload {
    struct pool *pool;
    uint32_t host_index;
    char host_name[64];
    uint64_t run_seed;
    struct load loads[LOAD_MOST];
    uint32_t load_count;
    uint32_t outstanding;
    uint64_t io_count;    /* the id of the last I/O */
    uint64_t write_count; /* the sequence number of the last write */
    struct load_io *ios;  /* outstanding, newest first */
};

/* --- Options --- */

enum status load_check(const struct load_options *options, uint32_t block_bytes,
                       uint64_t block_count, struct source_pos pos, struct error *err)
{
    uint64_t disk_bytes = block_count * block_bytes;

    if (options->in_flight == 0 && options->rate_per_s == 0)
        return error_set(err, ERR_INPUT, pos, "a load needs 'in-flight', 'rate' or both");
    if (options->in_flight > LOAD_MOST_IN_FLIGHT)
        return error_set(err, ERR_INPUT, pos, "%u I/Os in flight; %u is the most",
                         options->in_flight, LOAD_MOST_IN_FLIGHT);
    if (options->rate_per_s > LOAD_MOST_RATE)
        return error_set(err, ERR_INPUT, pos, "the rate is above %u per s", LOAD_MOST_RATE);
    if (options->in_flight == 0 && (options->queue == 0 || options->queue > LOAD_MOST_IN_FLIGHT))
        return error_set(err, ERR_INPUT, pos, "the queue of an open loop is 1 to %u I/Os",
                         LOAD_MOST_IN_FLIGHT);
    if (options->read_ppm > PPM_ALL)
        return error_set(err, ERR_INPUT, pos, "more than 100 %% of the I/Os are reads");
    if (options->io_bytes == 0 || options->io_bytes > LOAD_MOST_IO_BYTES ||
        options->io_bytes % block_bytes != 0)
        return error_set(err, ERR_INPUT, pos,
                         "I/Os of %u bytes; the disk wants a multiple of %u, at most %u",
                         options->io_bytes, block_bytes, LOAD_MOST_IO_BYTES);
    if (options->area_bytes < options->io_bytes)
        return error_set(err, ERR_INPUT, pos, "the area is smaller than one I/O");
    if (options->area_offset_bytes % block_bytes != 0)
        return error_set(err, ERR_INPUT, pos, "the area does not start at a block of the disk");
    if (options->area_offset_bytes > disk_bytes ||
        options->area_bytes > disk_bytes - options->area_offset_bytes)
        return error_set(err, ERR_INPUT, pos, "the area ends behind the end of the disk");
    if (options->stop_at_ns < options->start_at_ns)
        return error_set(err, ERR_INPUT, pos, "the load stops before it starts");
    if (options->in_flight > 0 && options->error_pause_ns <= 0)
        return error_set(err, ERR_INPUT, pos, "a closed loop needs a pause after errors");
    return OK;
}

static bool is_open_loop(const struct load *load)
{
    return load->options.in_flight == 0;
}

/* --- Places --- */

static bool is_written_now(const struct load *load, uint64_t place)
{
    return load->writes && (load->writes[place / 8] >> place % 8 & 1);
}

static void mark_write(struct load *load, uint64_t place, bool is_in_flight)
{
    uint8_t bit = (uint8_t)(1u << place % 8);

    if (!load->writes)
        return;
    if (is_in_flight)
        load->writes[place / 8] |= bit;
    else
        load->writes[place / 8] &= (uint8_t)~bit;
}

/* --- Life cycle --- */

struct workload *workload_new(struct pool *pool, uint32_t host_index, const char *host_name,
                              uint64_t run_seed)
{
    struct workload *workload = mem_new(sizeof(*workload));

    workload->pool = pool;
    workload->host_index = host_index;
    workload->run_seed = run_seed;
    (void)snprintf(workload->host_name, sizeof(workload->host_name), "%s", host_name);
    return workload;
}

static void give_io(struct workload *workload, struct load_io *io)
{
    if (io->next)
        io->next->previous = io->previous;
    if (io->previous)
        io->previous->next = io->next;
    else
        workload->ios = io->next;
    buf_free(io->io.data);
    pool_give(workload->pool, io, sizeof(*io));
}

static void forget_ios(struct workload *workload)
{
    while (workload->ios) {
        oracle_drop(workload->loads[workload->ios->io.load].oracle, &workload->ios->op);
        give_io(workload, workload->ios);
    }
    workload->outstanding = 0;
}

void workload_free(struct workload *workload)
{
    if (!workload)
        return;
    forget_ios(workload);
    for (uint32_t i = 0; i < workload->load_count; i++)
        free(workload->loads[i].writes);
    free(workload);
}

uint32_t workload_add_load(struct workload *workload, const struct load_options *options,
                           struct oracle *oracle)
{
    uint32_t number = workload->load_count;
    uint32_t block_bytes = oracle_block_bytes(oracle);
    char name[NAME_BYTES];
    struct error err;

    assert(number < LOAD_MOST);
    enum status status =
        load_check(options, block_bytes, oracle_block_count(oracle), (struct source_pos){0}, &err);

    assert(status == OK);
    (void)status;
    workload->load_count++;
    struct load *load = &workload->loads[number];

    *load = (struct load){
        .options = *options,
        .oracle = oracle,
        .area_lba = options->area_offset_bytes / block_bytes,
        .place_count = options->area_bytes / options->io_bytes,
        .io_blocks = options->io_bytes / block_bytes,
    };
    if (options->pattern == PATTERN_REWRITE && load->place_count > LOAD_REWRITE_PLACES)
        load->place_count = LOAD_REWRITE_PLACES;
    if (options->pattern != PATTERN_REWRITE)
        load->writes = mem_new((size_t)(load->place_count / 8 + 1));
    (void)snprintf(name, sizeof(name), "%s/%s", workload->host_name, options->name);
    random_init(&load->random, workload->run_seed, name);
    load->options.name = NULL; /* the caller's */
    return number;
}

void workload_disk_arrived(struct workload *workload, uint32_t disk, int64_t now_ns)
{
    for (uint32_t i = 0; i < workload->load_count; i++) {
        struct load *load = &workload->loads[i];

        if (load->options.disk != disk || load->has_begun)
            continue;
        load->has_begun = true;
        load->begun_at_ns = time_max(load->options.start_at_ns, now_ns);
    }
}

void workload_crash(struct workload *workload)
{
    for (struct load_io *io = workload->ios; io; io = io->next)
        mark_write(&workload->loads[io->io.load], io->place, false);
    forget_ios(workload);
    for (uint32_t i = 0; i < workload->load_count; i++) {
        struct load *load = &workload->loads[i];

        load->has_begun = false;
        load->planned = 0;
        load->rest_until_ns = 0;
        load->outstanding = 0;
        load->is_blocked = false;
    }
}

/* --- When --- */

/* 'count' / rate after the load began, to the nanosecond and without overflow. */
static int64_t planned_at(const struct load *load, uint64_t count)
{
    uint64_t rate = load->options.rate_per_s;
    uint64_t seconds = count / rate;
    uint64_t rest_ns = count % rate * (uint64_t)SECONDS(1) / rate;

    if (seconds >= (uint64_t)(TIME_NEVER / SECONDS(1)) - 1)
        return TIME_NEVER;
    return time_after(load->begun_at_ns, (int64_t)(seconds * (uint64_t)SECONDS(1) + rest_ns));
}

/* When the load may start its next I/O; TIME_NEVER: not before one is done, or not at all. */
static int64_t due_at(const struct load *load)
{
    int64_t at_ns;

    if (!load->has_begun || load->is_over || load->is_blocked)
        return TIME_NEVER;
    if (is_open_loop(load)) {
        if (load->outstanding >= load->options.queue)
            return TIME_NEVER;
        at_ns = planned_at(load, load->planned);
    } else {
        if (load->outstanding >= load->options.in_flight)
            return TIME_NEVER;
        at_ns = time_max(load->begun_at_ns, load->rest_until_ns);
        if (load->options.rate_per_s > 0)
            at_ns = time_max(at_ns, planned_at(load, load->planned));
    }
    return at_ns < load->options.stop_at_ns ? at_ns : TIME_NEVER;
}

/* The I/O starts now. Returns when it was due, and plans the next one. */
static int64_t start_planned(struct load *load, int64_t now_ns)
{
    int64_t due_ns;

    if (load->options.rate_per_s == 0)
        return now_ns;
    due_ns = planned_at(load, load->planned);
    load->planned++;
    if (is_open_loop(load))
        return due_ns;
    /* A closed loop that fell behind its ceiling does not catch up: it goes on from here. */
    if (planned_at(load, load->planned) <= now_ns) {
        load->begun_at_ns = now_ns;
        load->planned = 1;
    }
    return now_ns;
}

int64_t workload_deadline_ns(struct workload *workload)
{
    int64_t deadline_ns = TIME_NEVER;

    for (uint32_t i = 0; i < workload->load_count; i++)
        deadline_ns = time_min(deadline_ns, due_at(&workload->loads[i]));
    return deadline_ns;
}

/* --- Where --- */

static void draw(struct load *load)
{
    load->draws_write = !random_chance(&load->random, load->options.read_ppm);
    if (load->options.pattern == PATTERN_SEQUENTIAL) {
        load->drawn_place = load->next_place;
        load->next_place = load->next_place + 1 < load->place_count ? load->next_place + 1 : 0;
    } else {
        load->drawn_place = random_below(&load->random, load->place_count);
    }
    load->has_drawn = true;
}

/* Where the drawn I/O can go, or PLACE_NONE. Sequential waits for its place; random takes the next
 * one that no write is in flight to, of which there are at most 'outstanding' in a row. */
static uint64_t free_place(const struct load *load)
{
    uint64_t place = load->drawn_place;

    if (!load->draws_write || !is_written_now(load, place))
        return place;
    if (load->options.pattern == PATTERN_SEQUENTIAL)
        return PLACE_NONE;
    for (uint64_t tried = 1; tried < load->place_count && tried <= load->outstanding; tried++) {
        place = place + 1 < load->place_count ? place + 1 : 0;
        if (!is_written_now(load, place))
            return place;
    }
    return PLACE_NONE;
}

/* --- An I/O --- */

static struct buf *fill(struct workload *workload, const struct load *load, uint64_t lba,
                        uint64_t stamp)
{
    struct chunk *chunk = chunk_new(workload->pool, load->options.io_bytes);

    stamp_fill_chunk(chunk, oracle_block_bytes(load->oracle), stamp, oracle_disk_id(load->oracle),
                     lba);
    return buf_new(chunk, 0, load->options.io_bytes);
}

static struct mpath_io *start_io(struct workload *workload, struct load *load, uint64_t place,
                                 int64_t now_ns)
{
    struct load_io *io = pool_take_raw(workload->pool, sizeof(*io));
    uint64_t lba = load->area_lba + place * load->io_blocks;

    memset(io, 0, offsetof(struct load_io, io) + MPATH_IO_CLEAN_BYTES);
    io->io.is_write = load->draws_write;
    io->io.lba = lba;
    io->io.blocks = load->io_blocks;
    io->io.io_id = ++workload->io_count;
    io->io.load = (uint32_t)(load - workload->loads);
    io->io.planned_at_ns = start_planned(load, now_ns);
    io->place = place;
    io->op.host = workload->host_index;
    io->op.disk = load->options.disk;
    if (io->io.is_write) {
        uint64_t stamp = stamp_make(workload->host_index, ++workload->write_count);

        io->io.data = fill(workload, load, lba, stamp);
        mark_write(load, place, true);
        oracle_write_starts(load->oracle, &io->op, lba, load->io_blocks, stamp);
    } else {
        oracle_read_starts(load->oracle, &io->op, lba, load->io_blocks);
    }
    io->next = workload->ios;
    if (io->next)
        io->next->previous = io;
    workload->ios = io;
    load->has_drawn = false;
    load->outstanding++;
    workload->outstanding++;
    load->counts.submitted++;
    if (load->outstanding > load->counts.most_outstanding)
        load->counts.most_outstanding = load->outstanding;
    return &io->io;
}

/* The load that has been due longest. */
static struct load *first_due(struct workload *workload, int64_t now_ns)
{
    struct load *first = NULL;
    int64_t first_ns = TIME_NEVER;

    for (uint32_t i = 0; i < workload->load_count; i++) {
        struct load *load = &workload->loads[i];

        load->is_over = now_ns >= load->options.stop_at_ns;
        int64_t due_ns = due_at(load);

        if (due_ns <= now_ns && due_ns < first_ns) {
            first = load;
            first_ns = due_ns;
        }
    }
    return first;
}

struct mpath_io *workload_next_io(struct workload *workload, int64_t now_ns, uint32_t *ret_disk)
{
    struct load *load;

    while ((load = first_due(workload, now_ns))) {
        if (!load->has_drawn)
            draw(load);
        uint64_t place = free_place(load);

        if (place == PLACE_NONE) {
            load->is_blocked = true;
            continue;
        }
        *ret_disk = load->options.disk;
        return start_io(workload, load, place, now_ns);
    }
    return NULL;
}

static void count_done(struct load *load, const struct mpath_io *io)
{
    if (io->is_error) {
        load->counts.errors++;
        return;
    }
    load->counts.bytes += load->options.io_bytes;
    if (io->is_write)
        load->counts.writes++;
    else
        load->counts.reads++;
}

static enum write_end write_end(const struct mpath_io *io)
{
    if (!io->is_error)
        return WRITE_ACKNOWLEDGED;
    return io->attempts > 0 ? WRITE_UNKNOWN : WRITE_NEVER_SENT;
}

void workload_io_done(struct workload *workload, struct mpath_io *mpath_io, int64_t now_ns)
{
    struct load_io *io = CONTAINER_OF(mpath_io, struct load_io, io);

    assert(mpath_io->load < workload->load_count);
    struct load *load = &workload->loads[mpath_io->load];

    if (mpath_io->is_write) {
        mark_write(load, io->place, false);
        oracle_write_ends(load->oracle, &io->op, write_end(mpath_io), now_ns);
    } else {
        oracle_read_ends(load->oracle, &io->op,
                         mpath_io->is_error ? NULL : mpath_io->command.data_in, mpath_io->last_path,
                         now_ns);
        buf_free(mpath_io->command.data_in);
        mpath_io->command.data_in = NULL;
    }
    count_done(load, mpath_io);
    if (mpath_io->is_error && !is_open_loop(load))
        load->rest_until_ns = time_after(now_ns, load->options.error_pause_ns);
    assert(load->outstanding > 0);
    load->outstanding--;
    workload->outstanding--;
    load->is_blocked = false;
    give_io(workload, io);
}

uint32_t workload_load_count(const struct workload *workload)
{
    return workload->load_count;
}

uint32_t workload_outstanding(const struct workload *workload)
{
    return workload->outstanding;
}

const struct load_counts *workload_counts(const struct workload *workload, uint32_t load)
{
    assert(load < workload->load_count);
    return &workload->loads[load].counts;
}
