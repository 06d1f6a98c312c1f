/* A store in a file: see file_store.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): its name */
#include "sim/live/file_store.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/live/pacer.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>

#define DEFAULT_THREADS 4u
#define MOST_THREADS    64u
#define PIECES_AT_ONCE  64
#define ZEROS_BYTES     65536u

/* One request. The loop's thread makes and frees it; a worker owns it while it is taken. */
struct job {
    struct store_request *request;
    struct chunk *chunk;   /* READ: being filled */
    struct job *next;      /* in the queue, in 'done', or in 'held' */
    struct job *next_work; /* of all that are submitted and not told */
    struct job *prior_work;
};

struct job_list {
    struct job *head;
    struct job **end;
};

struct file_store {
    struct store store;
    struct file_store_config config;
    int fd;
    ev_async async;
    struct timer at_once;  /* tells what was read without a thread */
    struct job_list ready; /* told by 'at_once' */
    struct job_list held;  /* wait for what overlaps them */
    struct job *work;
    size_t atomic_count; /* of 'work': those that run alone on their range */
    pthread_t threads[MOST_THREADS];
    unsigned thread_count;
    atomic_bool has_lost_writes; /* the system said so, once: no flush may promise anything now */
    pthread_mutex_t lock;        /* guards the rest */
    pthread_cond_t wanted;
    pthread_cond_t idle;
    struct job_list queue;
    struct job_list done;
    unsigned busy;
    bool is_ending;
};

/* Lists. */

static void list_init(struct job_list *list)
{
    *list = (struct job_list){.end = &list->head};
}

static void list_add(struct job_list *list, struct job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct job *list_take(struct job_list *list)
{
    struct job *job = list->head;

    if (!job)
        return NULL;
    list->head = job->next;
    if (!list->head)
        list->end = &list->head;
    return job;
}

static struct job *list_take_request(struct job_list *list, const struct store_request *request)
{
    for (struct job **each = &list->head; *each; each = &(*each)->next) {
        struct job *job = *each;

        if (job->request != request)
            continue;
        *each = job->next;
        if (!*each)
            list->end = each;
        return job;
    }
    return NULL;
}

/* What the threads do. Each returns the errno of a failure, with '*ret_done' bytes before it. */

static int read_all(int fd, uint8_t *to, uint64_t bytes, uint64_t offset, uint64_t *ret_done)
{
    for (*ret_done = 0; *ret_done < bytes;) {
        ssize_t got = pread(fd, to + *ret_done, bytes - *ret_done, (off_t)(offset + *ret_done));

        if (got == 0)
            return ENXIO; /* the file ends before its disk does */
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0)
            *ret_done += (uint64_t)got;
    }
    return 0;
}

static int write_pieces(struct file_store *file, const struct iovec *pieces, int count,
                        uint64_t offset, int flags, ssize_t *ret_written)
{
    do
        *ret_written = pwritev2(file->fd, pieces, count, (off_t)offset, flags);
    while (*ret_written < 0 && errno == EINTR);
    int code = *ret_written < 0 ? errno : *ret_written == 0 ? ENOSPC : 0;

    if (code == EIO && flags & RWF_DSYNC) /* it may have been told of others' writes */
        atomic_store(&file->has_lost_writes, true);
    return code;
}

/* A chain from its byte 'skip' on. */
static int write_chain(struct file_store *file, const struct buf *chain, uint64_t skip,
                       uint64_t bytes, uint64_t offset, bool is_durable, uint64_t *ret_done)
{
    for (*ret_done = 0; *ret_done < bytes;) {
        struct iovec pieces[PIECES_AT_ONCE];
        int count = 0;
        uint64_t left = bytes - *ret_done;
        uint64_t from = skip + *ret_done;
        ssize_t written = 0;

        for (const struct buf *slice = chain; slice && left > 0 && count < PIECES_AT_ONCE;
             slice = slice->next) {
            if (from >= slice->bytes) {
                from -= slice->bytes;
                continue;
            }
            uint64_t here = slice->bytes - from < left ? slice->bytes - from : left;

            pieces[count++] = (struct iovec){slice->chunk->data + slice->offset + from, here};
            left -= here;
            from = 0;
        }
        int code = write_pieces(file, pieces, count, offset + *ret_done, is_durable ? RWF_DSYNC : 0,
                                &written);

        if (code)
            return code;
        *ret_done += (uint64_t)written;
    }
    return 0;
}

static int write_zeros(struct file_store *file, uint64_t offset, uint64_t bytes, uint64_t *ret_done)
{
    static uint8_t zeros[ZEROS_BYTES]; /* read only */

    for (*ret_done = 0; *ret_done < bytes;) {
        uint64_t left = bytes - *ret_done;
        struct iovec piece = {zeros, left < ZEROS_BYTES ? left : ZEROS_BYTES};
        ssize_t written = 0;
        int code = write_pieces(file, &piece, 1, offset + *ret_done, 0, &written);

        if (code)
            return code;
        *ret_done += (uint64_t)written;
    }
    return 0;
}

static int punch(struct file_store *file, uint64_t offset, uint64_t bytes, uint64_t *ret_done)
{
    *ret_done = 0;
    if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)bytes) == 0)
        return 0;
    return errno == EOPNOTSUPP ? write_zeros(file, offset, bytes, ret_done) : errno;
}

/* fdatasync() tells of a failure once: what could not be written is forgotten, and the next call
 * says yes. Ours never does after one that failed. */
static int flush(struct file_store *file)
{
    if (atomic_load(&file->has_lost_writes))
        return EIO;
    if (fdatasync(file->fd) == 0)
        return 0;
    int code = errno;

    atomic_store(&file->has_lost_writes, true);
    return code;
}

/* A file that was cut short does not grow again by a write: the blocks before it, which are lost,
 * would read as zeros. '*ret_inside' bytes lie before the end. */
static int check_end(int fd, const struct store_request *request, uint64_t *ret_inside)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return errno;
    uint64_t end = (uint64_t)status.st_size;

    if (!S_ISREG(status.st_mode) || request->offset + request->bytes <= end)
        return 0;
    *ret_inside = request->offset < end ? end - request->offset : 0;
    return ENXIO;
}

static int write_data(struct file_store *file, const struct store_request *request,
                      uint64_t *ret_done)
{
    int code = check_end(file->fd, request, ret_done);

    if (code == 0 && request->op == STORE_WRITE)
        return write_chain(file, request->data, 0, request->bytes, request->offset,
                           request->force_unit_access, ret_done);
    if (code == 0)
        code = punch(file, request->offset, request->bytes, ret_done);
    if (code == 0 && request->force_unit_access)
        code = flush(file);
    return code;
}

/* Where the state of 'offset' ends (lseek(2)); a file system that does not know says all is data.
 */
static int look_up_map(int fd, struct store_request *request)
{
    off_t data = lseek(fd, (off_t)request->offset, SEEK_DATA);
    off_t end = (off_t)(request->offset + request->bytes);

    request->is_mapped = true;
    request->map_bytes = request->bytes;
    if (data < 0 && errno != ENXIO)
        return 0;
    if (data == (off_t)request->offset) {
        off_t hole = lseek(fd, data, SEEK_HOLE);

        if (hole > data && hole < end)
            request->map_bytes = (uint64_t)(hole - data);
        return 0;
    }
    request->is_mapped = false;
    if (data > 0 && data < end)
        request->map_bytes = (uint64_t)data - request->offset;
    return 0;
}

/* COMPARE_WRITE and OR: nothing else touches the range meanwhile. */
static int change_in_place(struct file_store *file, struct store_request *request,
                           uint64_t *ret_done)
{
    uint8_t *there = malloc(request->bytes);
    uint8_t *given = malloc(request->bytes);
    int code = !there || !given
                   ? ENOMEM
                   : read_all(file->fd, there, request->bytes, request->offset, ret_done);

    if (code == 0)
        buf_read(request->data, 0, given, request->bytes);
    if (code == 0 && request->op == STORE_COMPARE_WRITE) {
        uint64_t same = 0;

        while (same < request->bytes && there[same] == given[same])
            same++;
        if (same < request->bytes) {
            request->result = STORE_MISCOMPARE;
            request->error_offset = same;
        } else {
            code = write_chain(file, request->data, request->bytes, request->bytes, request->offset,
                               request->force_unit_access, ret_done);
        }
    } else if (code == 0) {
        struct iovec piece = {there, request->bytes};

        for (uint64_t i = 0; i < request->bytes; i++)
            there[i] |= given[i];
        for (*ret_done = 0; code == 0 && *ret_done < request->bytes;) {
            ssize_t written = 0;

            piece = (struct iovec){there + *ret_done, request->bytes - *ret_done};
            code = write_pieces(file, &piece, 1, request->offset + *ret_done,
                                request->force_unit_access ? RWF_DSYNC : 0, &written);
            *ret_done += written > 0 ? (uint64_t)written : 0;
        }
    }
    free(there);
    free(given);
    return code;
}

static bool is_out_of_space(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG; /* of the file system, of its user */
}

static void carry_out(struct file_store *file, struct job *job)
{
    int fd = file->fd;
    struct store_request *request = job->request;
    uint64_t done = 0;
    int code = 0;

    request->result = STORE_OK;
    switch (request->op) {
    case STORE_READ:
        code = read_all(fd, job->chunk->data, request->bytes, request->offset, &done);
        break;
    case STORE_WRITE:
    case STORE_PUNCH:
        code = write_data(file, request, &done);
        break;
    case STORE_FLUSH:
        code = flush(file);
        break;
    case STORE_COMPARE_WRITE:
    case STORE_OR:
        code = change_in_place(file, request, &done);
        break;
    case STORE_MAP:
        code = look_up_map(fd, request);
        break;
    }
    if (code == 0)
        return;
    request->result = is_out_of_space(code) ? STORE_NO_SPACE : STORE_MEDIUM_ERROR;
    request->error_offset = request->offset + done;
}

static void *work(void *context)
{
    struct file_store *file = context;

    pthread_mutex_lock(&file->lock);
    for (;;) {
        struct job *job;

        while (!file->queue.head && !file->is_ending)
            pthread_cond_wait(&file->wanted, &file->lock);
        job = list_take(&file->queue);
        if (!job)
            break;
        file->busy++;
        pthread_mutex_unlock(&file->lock);
        carry_out(file, job);
        pthread_mutex_lock(&file->lock);
        file->busy--;
        bool is_first = !file->done.head;

        list_add(&file->done, job);
        if (file->busy == 0)
            pthread_cond_broadcast(&file->idle);
        if (is_first)
            ev_async_send(file->config.loop, &file->async);
    }
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

/* Ranges. */

static bool is_atomic(const struct store_request *request)
{
    return request->op == STORE_COMPARE_WRITE || request->op == STORE_OR;
}

static bool touches(const struct store_request *a, const struct store_request *b)
{
    return a->op != STORE_FLUSH && b->op != STORE_FLUSH && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static bool must_wait(const struct store_request *request, const struct store_request *other)
{
    return (is_atomic(request) || is_atomic(other)) && touches(request, other);
}

/* Behind what is in work, or behind one that waits itself already. */
static bool has_to_wait(const struct file_store *file, const struct job *job)
{
    if (file->atomic_count == 0 && !is_atomic(job->request) && !file->held.head)
        return false;
    for (const struct job *other = file->work; other; other = other->next_work)
        if (other != job && must_wait(job->request, other->request))
            return true;
    for (const struct job *other = file->held.head; other && other != job; other = other->next)
        if (must_wait(job->request, other->request))
            return true;
    return false;
}

/* The loop's side. */

static struct job *job_new(struct file_store *file, struct store_request *request)
{
    struct job *job = pool_take(file->config.pool, sizeof(*job));

    *job = (struct job){.request = request};
    if (request->op == STORE_READ)
        job->chunk = chunk_new(file->config.pool, request->bytes);
    return job;
}

static void job_free(struct file_store *file, struct job *job)
{
    chunk_unref(job->chunk);
    pool_give(file->config.pool, job, sizeof(*job));
}

static void enter_work(struct file_store *file, struct job *job)
{
    job->next_work = file->work;
    job->prior_work = NULL;
    if (file->work)
        file->work->prior_work = job;
    file->work = job;
    file->atomic_count += is_atomic(job->request);
}

static void leave_work(struct file_store *file, struct job *job)
{
    if (job->prior_work)
        job->prior_work->next_work = job->next_work;
    else
        file->work = job->next_work;
    if (job->next_work)
        job->next_work->prior_work = job->prior_work;
    file->atomic_count -= is_atomic(job->request);
}

static void dispatch(struct file_store *file, struct job *job)
{
    enter_work(file, job);
    pthread_mutex_lock(&file->lock);
    list_add(&file->queue, job);
    pthread_cond_signal(&file->wanted);
    pthread_mutex_unlock(&file->lock);
}

static void drop_data(struct store_request *request)
{
    if (store_op_takes_data(request->op))
        buf_free(request->data);
    request->data = NULL;
}

/* Those that waited for 'job' alone. */
static void release_held(struct file_store *file)
{
    struct job_list waiting = file->held;

    if (!waiting.head)
        return;
    list_init(&file->held);
    for (struct job *job = waiting.head; job;) {
        struct job *next = job->next;

        job->next = NULL;
        if (has_to_wait(file, job))
            list_add(&file->held, job);
        else
            dispatch(file, job);
        job = next;
    }
}

/* Told: the job is gone before its owner hears of it. */
static void tell(struct file_store *file, struct job *job)
{
    struct store_request *request = job->request;

    leave_work(file, job);
    drop_data(request);
    if (request->op == STORE_READ && request->result == STORE_OK)
        request->data = buf_new(chunk_ref(job->chunk), 0, (uint32_t)request->bytes);
    job_free(file, job);
    release_held(file);
    request->on_done(request);
}

static void on_done(struct ev_loop *loop, ev_async *watcher, int events)
{
    struct file_store *file = watcher->data;
    (void)loop, (void)events;

    if (file->config.pacer)
        pacer_catch_up(file->config.pacer);
    for (;;) {
        pthread_mutex_lock(&file->lock);
        struct job *job = list_take(&file->done);

        pthread_mutex_unlock(&file->lock);
        if (!job)
            return;
        tell(file, job);
    }
}

/* Those that are ready now; what their owners submit meanwhile waits for the next turn. */
static void tell_ready(struct timer *timer)
{
    struct file_store *file = CONTAINER_OF(timer, struct file_store, at_once);
    size_t count = 0;

    for (const struct job *job = file->ready.head; job; job = job->next)
        count++;
    while (count-- > 0 && file->ready.head)
        tell(file, list_take(&file->ready));
    if (file->ready.head && !timer_is_armed(timer))
        clock_arm(file->config.clock, timer, clock_now_ns(file->config.clock));
}

/* What the page cache has needs no thread. False: not all of it is there. */
static bool read_at_once(struct file_store *file, struct job *job)
{
    struct store_request *request = job->request;
    struct iovec piece = {job->chunk->data, request->bytes};

    if (preadv2(file->fd, &piece, 1, (off_t)request->offset, RWF_NOWAIT) != (ssize_t)request->bytes)
        return false;
    request->result = STORE_OK;
    enter_work(file, job);
    list_add(&file->ready, job);
    if (!timer_is_armed(&file->at_once))
        clock_arm(file->config.clock, &file->at_once, clock_now_ns(file->config.clock));
    return true;
}

static struct file_store *file_of(struct store *store)
{
    return CONTAINER_OF(store, struct file_store, store);
}

static void file_submit(struct store *store, struct store_request *request)
{
    struct file_store *file = file_of(store);
    struct job *job = job_new(file, request);

    if (has_to_wait(file, job))
        list_add(&file->held, job);
    else if (request->op != STORE_READ || !read_at_once(file, job))
        dispatch(file, job);
}

static bool file_cancel(struct store *store, struct store_request *request)
{
    struct file_store *file = file_of(store);
    struct job *job = list_take_request(&file->held, request);
    bool was_held = job;

    if (!job) {
        pthread_mutex_lock(&file->lock);
        job = list_take_request(&file->queue, request);
        pthread_mutex_unlock(&file->lock);
    }
    if (!job)
        return false; /* a thread has it, or it is done */
    if (!was_held)
        leave_work(file, job);
    drop_data(request);
    job_free(file, job);
    if (!was_held)
        release_held(file);
    return true;
}

static void drop_jobs(struct file_store *file, struct job_list *list, bool is_in_work)
{
    for (struct job *job = list_take(list); job; job = list_take(list)) {
        if (is_in_work)
            leave_work(file, job);
        drop_data(job->request);
        job_free(file, job);
    }
}

static void file_crash(struct store *store)
{
    struct file_store *file = file_of(store);
    struct job_list queue;

    pthread_mutex_lock(&file->lock);
    queue = file->queue;
    if (!queue.head)
        list_init(&queue);
    list_init(&file->queue);
    while (file->busy > 0)
        pthread_cond_wait(&file->idle, &file->lock);
    pthread_mutex_unlock(&file->lock);
    drop_jobs(file, &queue, true);
    drop_jobs(file, &file->done, true);
    drop_jobs(file, &file->ready, true);
    drop_jobs(file, &file->held, false);
    clock_cancel(file->config.clock, &file->at_once);
}

/* Life cycle. */

static bool size_of(int fd, uint64_t *ret_bytes)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    if (S_ISBLK(status.st_mode))
        return ioctl(fd, BLKGETSIZE64, ret_bytes) == 0;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return false;
    }
    *ret_bytes = (uint64_t)status.st_size;
    return true;
}

static int open_locked(const struct file_store_config *config, uint64_t *ret_bytes,
                       struct error *err)
{
    static const struct source_pos nowhere;
    /* O_NONBLOCK: a FIFO must not stop us before we know that it is one. */
    int fd =
        open(config->path, (config->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        error_set(err, ERR_SYSTEM, nowhere, "cannot open '%.160s': %s", config->path,
                  strerror(errno));
        error_help(err, "make a file for the disk: truncate -s 10G FILE");
        return -1;
    }
    if (!size_of(fd, ret_bytes)) {
        error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is neither a file nor a block device",
                  config->path);
    } else if (*ret_bytes == 0) {
        error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is empty", config->path);
        error_help(err, "give it the size of the disk: truncate -s 10G FILE");
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error_set(err, ERR_SYSTEM, nowhere,
                  "'%.160s' is in use by another process, or by another disk of this one",
                  config->path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

struct file_store *file_store_open(const struct file_store_config *config, struct error *err)
{
    static const struct store_ops ops = {
        .submit = file_submit, .crash = file_crash, .cancel = file_cancel};
    unsigned threads = config->threads ? config->threads : DEFAULT_THREADS;
    uint64_t bytes = 0;
    int fd = open_locked(config, &bytes, err);

    if (fd < 0)
        return NULL;
    struct file_store *file = mem_new(sizeof(*file));

    *file = (struct file_store){.store = {.ops = &ops, .bytes = bytes},
                                .config = *config,
                                .fd = fd,
                                .lock = PTHREAD_MUTEX_INITIALIZER,
                                .wanted = PTHREAD_COND_INITIALIZER,
                                .idle = PTHREAD_COND_INITIALIZER};
    list_init(&file->ready);
    list_init(&file->held);
    list_init(&file->queue);
    list_init(&file->done);
    timer_init(&file->at_once, tell_ready);
    ev_async_init(&file->async, on_done);
    file->async.data = file;
    ev_async_start(config->loop, &file->async);
    while (file->thread_count < threads && file->thread_count < MOST_THREADS &&
           pthread_create(&file->threads[file->thread_count], NULL, work, file) == 0)
        file->thread_count++;
    if (file->thread_count == 0) {
        static const struct source_pos nowhere;

        error_set(err, ERR_SYSTEM, nowhere, "no thread could be started for '%.160s'",
                  config->path);
        file_store_close(file);
        return NULL;
    }
    return file;
}

uint64_t file_store_measure(struct file_store *file)
{
    uint64_t bytes;

    if (!size_of(file->fd, &bytes))
        return file->store.bytes;
    if (bytes > file->store.bytes)
        file->store.bytes = bytes;
    return bytes;
}

void file_store_close(struct file_store *file)
{
    if (!file)
        return;
    file_crash(&file->store);
    pthread_mutex_lock(&file->lock);
    file->is_ending = true;
    pthread_cond_broadcast(&file->wanted);
    pthread_mutex_unlock(&file->lock);
    for (unsigned i = 0; i < file->thread_count; i++)
        pthread_join(file->threads[i], NULL);
    ev_async_stop(file->config.loop, &file->async);
    close(file->fd);
    free(file);
}

struct store *file_store_interface(struct file_store *file)
{
    return &file->store;
}
