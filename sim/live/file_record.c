/* A record in a file: see file_record.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/file_record.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/live/pacer.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char what_it_is[] = "iscsilab record 1\n";
#define MARK_BYTES (sizeof(what_it_is) - 1)
#define SUM_BYTES  8u
#define HEAD_BYTES (MARK_BYTES + SUM_BYTES)

struct blob {
    uint8_t *data; /* head and record; owned; NULL: no record */
    size_t bytes;
};

struct file_record {
    struct record record;
    struct file_record_config config;
    char *path;
    char *new_path; /* of the one that is being written */
    char *folder;
    struct blob durable;
    struct blob pending;
    struct record_done *done; /* who waits for 'pending'; NULL: nothing is being written */
    bool is_durable;          /* written by the thread, read when it has ended */
    bool has_thread;
    pthread_t thread;
    ev_async async;
};

static uint64_t sum_of(const uint8_t *record, size_t bytes)
{
    return hash64(record, bytes, 0);
}

/* ---- reading, at the start ---- */

/* Up to 'room' bytes. False: errno says why. */
static bool read_file(int fd, uint8_t *data, size_t room, size_t *ret_bytes)
{
    *ret_bytes = 0;
    while (*ret_bytes < room) {
        ssize_t got = read(fd, data + *ret_bytes, room - *ret_bytes);

        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            *ret_bytes += (size_t)got;
    }
    return true;
}

static bool is_sound(const struct blob *blob)
{
    return blob->bytes >= HEAD_BYTES && blob->bytes <= HEAD_BYTES + FILE_RECORD_MOST_BYTES &&
           memcmp(blob->data, what_it_is, MARK_BYTES) == 0 &&
           get_be64(blob->data + MARK_BYTES) ==
               sum_of(blob->data + HEAD_BYTES, blob->bytes - HEAD_BYTES);
}

static bool load(struct file_record *file, struct error *err)
{
    static const struct source_pos nowhere;
    size_t room = HEAD_BYTES + FILE_RECORD_MOST_BYTES + 1;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return true;
    file->durable.data = mem_new(room);
    if (fd < 0 || !read_file(fd, file->durable.data, room, &file->durable.bytes)) {
        error_set(err, ERR_SYSTEM, nowhere, "cannot read '%.160s': %s", file->path,
                  strerror(errno));
    } else if (!is_sound(&file->durable)) {
        error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is damaged, or no record of ours",
                  file->path);
        error_help(err, "to start without what it held, move it away");
    } else {
        close(fd);
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

/* ---- writing, in a thread ---- */

static bool write_file(int fd, const struct blob *blob)
{
    for (size_t done = 0; done < blob->bytes;) {
        ssize_t written = write(fd, blob->data + done, blob->bytes - done);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            done += (size_t)written;
    }
    return fsync(fd) == 0;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_synced;
}

static bool replace(const struct file_record *file)
{
    int fd = open(file->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  S_IRUSR | S_IWUSR);
    bool is_written = fd >= 0 && write_file(fd, &file->pending);

    if (fd >= 0 && close(fd) != 0)
        is_written = false;
    if (!is_written && fd >= 0)
        unlink(file->new_path);
    return is_written && rename(file->new_path, file->path) == 0 && sync_folder(file->folder);
}

static void *work(void *context)
{
    struct file_record *file = context;

    file->is_durable = replace(file);
    ev_async_send(file->config.loop, &file->async);
    return NULL;
}

static void join(struct file_record *file)
{
    if (file->has_thread)
        pthread_join(file->thread, NULL);
    file->has_thread = false;
}

static void on_written(struct ev_loop *loop, ev_async *watcher, int events)
{
    struct file_record *file = watcher->data;
    struct record_done *done = file->done;
    (void)loop, (void)events;

    if (!done)
        return;
    join(file);
    if (file->config.pacer)
        pacer_catch_up(file->config.pacer);
    if (file->is_durable) {
        free(file->durable.data);
        file->durable = file->pending;
    } else {
        free(file->pending.data);
    }
    file->pending = (struct blob){0};
    file->done = NULL;
    done->on_done(done, file->is_durable);
}

/* ---- the interface ---- */

static struct file_record *file_of(struct record *record)
{
    return CONTAINER_OF(record, struct file_record, record);
}

static void file_write(struct record *record, const void *data, size_t bytes,
                       struct record_done *done)
{
    struct file_record *file = file_of(record);

    assert(!file->done);
    assert(bytes <= FILE_RECORD_MOST_BYTES);
    file->pending = (struct blob){mem_new(HEAD_BYTES + bytes), HEAD_BYTES + bytes};
    memcpy(file->pending.data, what_it_is, MARK_BYTES);
    put_be64(file->pending.data + MARK_BYTES, sum_of(data, bytes));
    if (bytes > 0)
        memcpy(file->pending.data + HEAD_BYTES, data, bytes);
    file->done = done;
    file->has_thread = pthread_create(&file->thread, NULL, work, file) == 0;
    if (!file->has_thread)
        work(file); /* it stalls the loop, for once */
}

static size_t file_read(struct record *record, void *ret_data, size_t max_bytes)
{
    const struct blob *blob = &file_of(record)->durable;
    size_t bytes = blob->data ? blob->bytes - HEAD_BYTES : 0;

    if (bytes > 0)
        memcpy(ret_data, blob->data + HEAD_BYTES, bytes < max_bytes ? bytes : max_bytes);
    return bytes;
}

int file_record_lock_folder(const char *folder, struct error *err)
{
    static const struct source_pos nowhere;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        error_set(err, ERR_SYSTEM, nowhere, "cannot open '%.160s': %s", folder, strerror(errno));
        error_help(err, "make a folder for what is kept: mkdir FOLDER");
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is in use by another process", folder);
    error_help(err, "give each a folder of its own");
    close(fd);
    return -1;
}

struct file_record *file_record_open(const struct file_record_config *config, struct error *err)
{
    static const struct record_ops ops = {file_write, file_read};
    struct file_record *file = mem_new(sizeof(*file));
    size_t name_bytes = strlen(config->path) + sizeof(".new");

    *file = (struct file_record){.record = {&ops},
                                 .config = *config,
                                 .path = mem_text(config->path),
                                 .new_path = mem_new(name_bytes),
                                 .folder = mem_text(config->path)};
    snprintf(file->new_path, name_bytes, "%s.new", config->path);
    char *folder = mem_text(dirname(file->folder));

    free(file->folder);
    file->folder = folder;
    ev_async_init(&file->async, on_written);
    file->async.data = file;
    ev_async_start(config->loop, &file->async);
    if (load(file, err))
        return file;
    file_record_close(file);
    return NULL;
}

void file_record_close(struct file_record *file)
{
    if (!file)
        return;
    join(file);
    ev_async_stop(file->config.loop, &file->async);
    free(file->durable.data);
    free(file->pending.data);
    free(file->path);
    free(file->new_path);
    free(file->folder);
    free(file);
}

struct record *file_record_interface(struct file_record *file)
{
    return &file->record;
}
