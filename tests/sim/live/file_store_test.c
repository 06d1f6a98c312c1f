/* The store in a file: what it reads back, what it refuses, and who waits for whom. */
#include "sim/live/file_store.h"

#include "sim/core/attributes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/live/pacer.h"
#include "tests/test.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

struct room {
    char path[64];
    struct ev_loop *loop;
    struct event_queue queue;
    struct pacer *pacer;
    struct pool *pool;
    struct file_store *file;
    unsigned waiting;
};

struct asked {
    struct store_request request;
    struct room *room;
    unsigned told;
};

static void silent(struct pacer_user *user, int64_t ns)
{
    (void)user, (void)ns;
}
static struct pacer_user nobody = {silent, silent};

/* fdatasync() in the place of the system's. Only one thread calls it at a time. */
static int flushes_that_fail; /* from now on */
static unsigned flushes;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* while it is held no flush ends */

int fdatasync(int fd)
{
    flushes++;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (flushes_that_fail == 0)
        return fsync(fd);
    flushes_that_fail--;
    errno = EIO;
    return -1;
}

static struct file_store_config config_of(struct room *room)
{
    return (struct file_store_config){.path = room->path,
                                      .loop = room->loop,
                                      .pacer = room->pacer,
                                      .clock = &room->queue.clock,
                                      .pool = room->pool};
}

static void room_open_with(struct room *room, off_t bytes, unsigned threads)
{
    struct error err;

    *room = (struct room){.loop = ev_loop_new(EVFLAG_AUTO), .pool = pool_new()};
    strcpy(room->path, "/tmp/iscsilab-store-XXXXXX");
    int fd = mkstemp(room->path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
    event_queue_init(&room->queue);
    room->pacer = pacer_new(room->loop, &room->queue, &nobody);
    struct file_store_config config = config_of(room);
    config.threads = threads;
    room->file = file_store_open(&config, &err);
    if (!room->file)
        fail_msg("%s", err.text);
}

static void room_open(struct room *room, off_t bytes)
{
    room_open_with(room, bytes, 0);
}

static void room_close(struct room *room)
{
    file_store_close(room->file);
    pacer_free(room->pacer);
    assert_int_equal(room->queue.count, 0);
    event_queue_fini(&room->queue);
    assert_int_equal(pool_live_bufs(room->pool), 0);
    assert_int_equal(pool_live_chunks(room->pool), 0);
    assert_int_equal(pool_live_blocks(room->pool), 0);
    pool_free(room->pool);
    ev_loop_destroy(room->loop);
    assert_int_equal(unlink(room->path), 0);
}

static void on_done(struct store_request *request)
{
    struct asked *asked = CONTAINER_OF(request, struct asked, request);

    asked->told++;
    if (--asked->room->waiting == 0)
        pacer_stop(asked->room->pacer);
}

static void submit(struct room *room, struct asked *asked, enum store_op op, uint64_t offset,
                   uint64_t bytes, struct buf *data)
{
    *asked = (struct asked){
        .request = {.op = op, .offset = offset, .bytes = bytes, .data = data, .on_done = on_done},
        .room = room};
    room->waiting++;
    store_submit(file_store_interface(room->file), &asked->request);
    assert_int_equal(asked->told, 0); /* never from within the call */
}

static void wait_for_all(struct room *room)
{
    if (room->waiting > 0)
        pacer_run(room->pacer);
    assert_int_equal(room->waiting, 0);
}

static enum store_result ask(struct room *room, struct asked *asked, enum store_op op,
                             uint64_t offset, uint64_t bytes, struct buf *data)
{
    submit(room, asked, op, offset, bytes, data);
    wait_for_all(room);
    assert_int_equal(asked->told, 1);
    return asked->request.result;
}

static struct buf *filled(struct room *room, uint8_t value, size_t bytes)
{
    struct chunk *chunk = chunk_new(room->pool, bytes);

    memset(chunk->data, value, bytes);
    return buf_new(chunk, 0, (uint32_t)bytes);
}

static void holds(struct room *room, uint64_t offset, uint8_t value, size_t bytes)
{
    struct asked asked;
    uint8_t data[4 * PAGE];

    assert_int_equal(ask(room, &asked, STORE_READ, offset, bytes, NULL), STORE_OK);
    assert_int_equal(buf_bytes(asked.request.data), bytes);
    buf_read(asked.request.data, 0, data, bytes);
    buf_free(asked.request.data);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(data[i], value);
}

static void what_is_written_is_in_the_file(void **state)
{
    struct room room;
    struct asked asked;
    (void)state;

    room_open(&room, 64 * PAGE);
    assert_int_equal(file_store_interface(room.file)->bytes, 64 * PAGE);
    /* A chain of slices at an odd place. */
    struct buf *chain = buf_join(filled(&room, 0xa1, 512), filled(&room, 0xa1, 3 * 512));
    assert_int_equal(ask(&room, &asked, STORE_WRITE, 512, 2048, chain), STORE_OK);
    holds(&room, 512, 0xa1, 2048);
    holds(&room, 0, 0, 512);
    uint8_t byte = 0;
    int fd = open(room.path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, 2559), 1);
    assert_int_equal(byte, 0xa1);
    close(fd);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    room_close(&room);
}

static void holes_are_punched_and_found(void **state)
{
    struct room room;
    struct asked asked;
    struct stat before;
    struct stat after;
    (void)state;

    room_open(&room, 64 * PAGE);
    assert_int_equal(ask(&room, &asked, STORE_MAP, 0, 64 * PAGE, NULL), STORE_OK);
    if (asked.request.is_mapped) { /* a file system that knows no holes */
        room_close(&room);
        skip();
    }
    assert_int_equal(asked.request.map_bytes, 64 * PAGE);
    assert_int_equal(
        ask(&room, &asked, STORE_WRITE, 8 * PAGE, 16 * PAGE, filled(&room, 7, 16 * PAGE)),
        STORE_OK);
    ask(&room, &asked, STORE_MAP, 0, 64 * PAGE, NULL);
    assert_false(asked.request.is_mapped);
    assert_int_equal(asked.request.map_bytes, 8 * PAGE);
    ask(&room, &asked, STORE_MAP, 8 * PAGE, 56 * PAGE, NULL);
    assert_true(asked.request.is_mapped);
    assert_int_equal(asked.request.map_bytes, 16 * PAGE);
    stat(room.path, &before);
    assert_int_equal(ask(&room, &asked, STORE_PUNCH, 8 * PAGE, 8 * PAGE, NULL), STORE_OK);
    stat(room.path, &after);
    assert_true(after.st_blocks < before.st_blocks);
    assert_int_equal(after.st_size, 64 * PAGE);
    holds(&room, 12 * PAGE, 0, PAGE);
    holds(&room, 16 * PAGE, 7, PAGE);
    room_close(&room);
}

static void compare_and_write_changes_all_or_nothing(void **state)
{
    struct room room;
    struct asked asked;
    (void)state;

    room_open(&room, 16 * PAGE);
    struct buf *data = buf_join(filled(&room, 0, 512), filled(&room, 9, 512));
    assert_int_equal(ask(&room, &asked, STORE_COMPARE_WRITE, PAGE, 512, data), STORE_OK);
    holds(&room, PAGE, 9, 512);
    data = buf_join(buf_join(filled(&room, 9, 100), filled(&room, 8, 412)), filled(&room, 1, 512));
    assert_int_equal(ask(&room, &asked, STORE_COMPARE_WRITE, PAGE, 512, data), STORE_MISCOMPARE);
    assert_int_equal(asked.request.error_offset, 100);
    holds(&room, PAGE, 9, 512);
    assert_int_equal(ask(&room, &asked, STORE_OR, PAGE, 512, filled(&room, 0xf0, 512)), STORE_OK);
    holds(&room, PAGE, 0xf9, 512);
    room_close(&room);
}

/* A hundred take the next number each: every one is taken once, although four threads work. */
static void those_that_change_one_range_do_it_one_after_the_other(void **state)
{
    static struct asked asked[100];
    struct room room;
    unsigned won = 0;
    (void)state;

    room_open(&room, 16 * PAGE);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++)
        submit(&room, &asked[i], STORE_COMPARE_WRITE, 0, 512,
               buf_join(filled(&room, (uint8_t)(i / 2), 512),
                        filled(&room, (uint8_t)(i / 2 + 1), 512)));
    wait_for_all(&room);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++)
        won += asked[i].request.result == STORE_OK;
    assert_int_equal(won, 50); /* of each pair one */
    holds(&room, 0, 50, 512);
    room_close(&room);
}

static void a_disk_that_was_cut_short_has_medium_errors(void **state)
{
    struct room room;
    struct asked asked;
    (void)state;

    room_open(&room, 16 * PAGE);
    assert_int_equal(truncate(room.path, 5 * PAGE), 0);
    assert_int_equal(ask(&room, &asked, STORE_READ, 4 * PAGE, 2 * PAGE, NULL), STORE_MEDIUM_ERROR);
    assert_int_equal(asked.request.error_offset, 5 * PAGE);
    assert_null(asked.request.data);
    holds(&room, 0, 0, PAGE);
    /* A write must not make zeros of what was lost. */
    assert_int_equal(ask(&room, &asked, STORE_WRITE, 8 * PAGE, PAGE, filled(&room, 1, PAGE)),
                     STORE_MEDIUM_ERROR);
    assert_int_equal(asked.request.error_offset, 8 * PAGE);
    assert_int_equal(
        ask(&room, &asked, STORE_WRITE, 4 * PAGE, 2 * PAGE, filled(&room, 1, 2 * PAGE)),
        STORE_MEDIUM_ERROR);
    assert_int_equal(asked.request.error_offset, 5 * PAGE);
    assert_int_equal(ask(&room, &asked, STORE_PUNCH, 6 * PAGE, PAGE, NULL), STORE_MEDIUM_ERROR);
    assert_int_equal(ask(&room, &asked, STORE_READ, 5 * PAGE, PAGE, NULL), STORE_MEDIUM_ERROR);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    room_close(&room);
}

static void a_file_that_grew_is_larger_when_it_was_measured(void **state)
{
    struct room room;
    struct asked asked;
    (void)state;

    room_open(&room, 4 * PAGE);
    struct store *store = file_store_interface(room.file);

    assert_int_equal(truncate(room.path, 9 * PAGE), 0);
    assert_int_equal(store->bytes, 4 * PAGE);
    assert_int_equal(file_store_measure(room.file), 9 * PAGE);
    assert_int_equal(store->bytes, 9 * PAGE);
    assert_int_equal(ask(&room, &asked, STORE_WRITE, 8 * PAGE, PAGE, filled(&room, 3, PAGE)),
                     STORE_OK);
    holds(&room, 8 * PAGE, 3, PAGE);
    holds(&room, 4 * PAGE, 0, 4 * PAGE);
    assert_int_equal(truncate(room.path, 2 * PAGE), 0);
    assert_int_equal(file_store_measure(room.file), 2 * PAGE);
    assert_int_equal(store->bytes, 9 * PAGE); /* who uses it was told so */
    room_close(&room);
}

static void a_file_that_may_not_grow_has_no_space(void **state)
{
    struct rlimit before;
    struct room room;
    struct asked asked;
    (void)state;

    room_open(&room, 16 * PAGE);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8 * PAGE, before.rlim_max}), 0);
    enum store_result behind =
        ask(&room, &asked, STORE_WRITE, 8 * PAGE, PAGE, filled(&room, 7, PAGE));
    enum store_result in_front =
        ask(&room, &asked, STORE_WRITE, 7 * PAGE, PAGE, filled(&room, 7, PAGE));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(behind, STORE_NO_SPACE);
    assert_int_equal(in_front, STORE_OK);
    holds(&room, 7 * PAGE, 7, PAGE);
    holds(&room, 8 * PAGE, 0, PAGE);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    room_close(&room);
}

static void after_a_flush_that_failed_none_promises_anything(void **state)
{
    struct room room;
    struct asked asked;
    struct error err;
    (void)state;

    room_open(&room, 16 * PAGE);
    assert_int_equal(ask(&room, &asked, STORE_WRITE, 0, PAGE, filled(&room, 1, PAGE)), STORE_OK);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    flushes_that_fail = 1; /* as the kernel: it tells once, and forgets */
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_MEDIUM_ERROR);
    assert_int_equal(flushes_that_fail, 0);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_MEDIUM_ERROR);
    assert_int_equal(ask(&room, &asked, STORE_WRITE, 0, PAGE, filled(&room, 2, PAGE)), STORE_OK);
    holds(&room, 0, 2, PAGE);
    file_store_close(room.file);
    struct file_store_config config = config_of(&room);
    room.file = file_store_open(&config, &err);
    assert_non_null(room.file);
    assert_int_equal(ask(&room, &asked, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    room_close(&room);
}

static void a_hole_that_must_be_durable_is_flushed(void **state)
{
    struct room room;
    struct asked asked = {.request = {.op = STORE_PUNCH,
                                      .bytes = PAGE,
                                      .force_unit_access = true,
                                      .on_done = on_done},
                          .room = &room};
    (void)state;

    room_open(&room, 16 * PAGE);
    flushes = 0;
    room.waiting++;
    store_submit(file_store_interface(room.file), &asked.request);
    wait_for_all(&room);
    assert_int_equal(asked.request.result, STORE_OK);
    assert_int_equal(flushes, 1);
    assert_int_equal(ask(&room, &asked, STORE_PUNCH, 0, PAGE, NULL), STORE_OK);
    assert_int_equal(flushes, 1);
    room_close(&room);
}

/* The only thread is held up by a flush. */
static void what_is_cancelled_never_lands(void **state)
{
    static struct asked asked[64];
    struct asked flush;
    struct room room;
    (void)state;

    room_open_with(&room, 512 * PAGE, 1);
    pthread_mutex_lock(&gate);
    submit(&room, &flush, STORE_FLUSH, 0, 0, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++)
        submit(&room, &asked[i], STORE_WRITE, i * 4 * PAGE, 4 * PAGE,
               filled(&room, (uint8_t)(i + 1), 4 * PAGE));
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i += 3) {
        assert_true(store_cancel(file_store_interface(room.file), &asked[i].request));
        room.waiting--;
    }
    pthread_mutex_unlock(&gate);
    wait_for_all(&room);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
        assert_int_equal(asked[i].told, i % 3 != 0);
        holds(&room, i * 4 * PAGE, asked[i].told ? (uint8_t)(i + 1) : 0, PAGE);
        assert_false(store_cancel(file_store_interface(room.file), &asked[i].request));
    }
    room_close(&room);
}

static void a_crash_leaves_nothing_behind(void **state)
{
    static struct asked asked[64];
    struct room room;
    (void)state;

    room_open(&room, 512 * PAGE);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++)
        submit(&room, &asked[i],
               i % 3 == 0   ? STORE_READ
               : i % 3 == 1 ? STORE_WRITE
                            : STORE_OR,
               i % 8 * PAGE, PAGE, i % 3 == 0 ? NULL : filled(&room, 1, PAGE));
    store_crash(file_store_interface(room.file));
    ev_run(room.loop, EVRUN_NOWAIT);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++)
        assert_int_equal(asked[i].told, 0);
    room.waiting = 0;
    struct asked after;
    assert_int_equal(ask(&room, &after, STORE_FLUSH, 0, 0, NULL), STORE_OK);
    room_close(&room);
}

static void files_that_are_no_disks_are_refused(void **state)
{
    struct room room;
    struct error err = {0};
    struct file_store_config config;
    char other[80];
    (void)state;

    room_open(&room, 16 * PAGE);
    config = config_of(&room);
    assert_null(file_store_open(&config, &err));
    assert_non_null(strstr(err.text, "in use by another process"));
    snprintf(other, sizeof(other), "%s.none", room.path);
    config.path = other;
    assert_null(file_store_open(&config, &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_non_null(strstr(err.help, "truncate -s"));
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_null(file_store_open(&config, &err));
    assert_non_null(strstr(err.text, "neither a file nor a block device"));
    unlink(other);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    assert_null(file_store_open(&config, &err));
    assert_non_null(strstr(err.text, "is empty"));
    unlink(other);
    config.path = "/tmp";
    assert_null(file_store_open(&config, &err));
    room_close(&room);
}

int main(void)
{
    TEST(what_is_written_is_in_the_file);
    TEST(holes_are_punched_and_found);
    TEST(compare_and_write_changes_all_or_nothing);
    TEST(those_that_change_one_range_do_it_one_after_the_other);
    TEST(a_disk_that_was_cut_short_has_medium_errors);
    TEST(a_file_that_grew_is_larger_when_it_was_measured);
    TEST(a_file_that_may_not_grow_has_no_space);
    TEST(after_a_flush_that_failed_none_promises_anything);
    TEST(a_hole_that_must_be_durable_is_flushed);
    TEST(what_is_cancelled_never_lands);
    TEST(a_crash_leaves_nothing_behind);
    TEST(files_that_are_no_disks_are_refused);
    return TEST_RUN("sim.live.file_store");
}
