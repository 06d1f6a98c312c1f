/* Several runs in parallel processes under libev. */
#include "lab/runner.h"

#include "lab/progress.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE_BYTES    ((size_t)64 * 1024)
#define EXIT_ASSERTION 70
#define EXIT_MACHINE   7

bool row_stream_flush(struct row_stream *stream)
{
    size_t sent = 0;

    while (sent < stream->rows.bytes) {
        ssize_t bytes = write(stream->fd, stream->rows.data + sent, stream->rows.bytes - sent);

        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return false;
        sent += (size_t)bytes;
    }
    stream->rows.bytes = 0;
    return true;
}

bool row_stream_flush_if_large(struct row_stream *stream)
{
    return stream->rows.bytes < LARGE_BYTES || row_stream_flush(stream);
}

bool row_stream_progress(struct row_stream *stream, int64_t simulated_ns)
{
    rows_put_progress(&stream->rows, simulated_ns);
    return row_stream_flush(stream);
}

struct runner;

/* A job that is under way. */
struct child {
    ev_io watcher;
    struct runner *runner;
    size_t index;
    pid_t pid; /* 0: this place is free */
    struct rows received;
    size_t decoded; /* bytes of 'received' whose progress notes were seen */
    int64_t simulated_ns;
};

struct runner {
    struct ev_loop *loop;
    struct job *jobs;
    size_t job_count;
    size_t next; /* the next to start */
    struct child *children;
    size_t child_count;
    const struct job_ops *ops;
    void *context;
    struct progress progress;
    int64_t total_ns;
    int64_t done_ns; /* simulated, of the runs that have ended */
    bool is_stopped;
    bool is_interrupted;
};

static void start_next(struct runner *runner, struct child *child);

static void note_progress(struct child *child)
{
    struct runner *runner = child->runner;
    struct message message;
    int64_t now_ns = runner->done_ns;

    for (;;) {
        message_decode(child->received.data + child->decoded,
                       child->received.bytes - child->decoded, &message);
        if (message.kind == MESSAGE_NONE || message.kind == MESSAGE_BAD)
            break;
        if (message.kind == MESSAGE_PROGRESS)
            child->simulated_ns = message.simulated_ns;
        child->decoded += message.bytes;
    }
    for (size_t i = 0; i < runner->child_count; i++)
        now_ns += runner->children[i].simulated_ns;
    progress_show(&runner->progress, runner->jobs[child->index].title, now_ns, runner->total_ns,
                  false);
}

static void finish(struct child *child)
{
    struct runner *runner = child->runner;
    struct job *job = &runner->jobs[child->index];
    int wait_status = 0;

    ev_io_stop(runner->loop, &child->watcher);
    close(child->watcher.fd);
    pid_t ended;
    while ((ended = waitpid(child->pid, &wait_status, 0)) < 0 && errno == EINTR)
        ;
    assert(ended == child->pid); /* nobody else reaps: the default loop of libev would */
    child->pid = 0;
    job->exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EXIT_ASSERTION;
    job->is_cut_off = !WIFEXITED(wait_status) || job->exit_code == EXIT_ASSERTION ||
                      job->exit_code == EXIT_MACHINE || child->decoded != child->received.bytes;
    job->data = child->received.data;
    job->bytes = child->received.bytes;
    runner->done_ns += job->length_ns;
    child->simulated_ns = 0; /* it counts among those done from here on */
    runner->progress.done_count++;
    progress_hide(&runner->progress);
    if (!runner->is_interrupted && !runner->ops->on_done(runner->context, child->index, job))
        runner->is_stopped = true;
    job->data = NULL;
    rows_clear(&child->received);
    start_next(runner, child);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct child *child = watcher->data;
    uint8_t data[LARGE_BYTES];
    ssize_t bytes = read(watcher->fd, data, sizeof(data));
    (void)loop, (void)events;

    if (bytes < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (bytes <= 0) {
        finish(child);
        return;
    }
    rows_put_bytes(&child->received, data, (size_t)bytes);
    note_progress(child);
}

/* The process of one run. What it inherited from the parent's loop is left alone; it only must not
 * keep the read ends of other runs. */
static _Noreturn void be_child(struct runner *runner, size_t index, int fd)
{
    struct row_stream stream = {.fd = fd};

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    int exit_code = runner->ops->run(runner->context, index, &stream);
    bool is_sent = row_stream_flush(&stream);
    rows_clear(&stream.rows);
    fflush(NULL);
    _exit(is_sent ? exit_code : EXIT_MACHINE);
}

static void start_next(struct runner *runner, struct child *child)
{
    int ends[2];

    if (runner->is_stopped || runner->next == runner->job_count)
        return;
    size_t index = runner->next++;
    fflush(NULL);
    if (pipe(ends) != 0 || (child->pid = fork()) < 0) {
        perror("error: cannot start a process for a run");
        exit(EXIT_MACHINE);
    }
    if (child->pid == 0) {
        close(ends[0]);
        be_child(runner, index, ends[1]);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    child->index = index;
    child->decoded = 0;
    ev_io_init(&child->watcher, on_readable, ends[0], EV_READ);
    child->watcher.data = child;
    ev_io_start(runner->loop, &child->watcher);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct runner *runner = watcher->data;
    (void)loop, (void)events;

    runner->is_interrupted = runner->is_stopped = true;
    for (size_t i = 0; i < runner->child_count; i++)
        if (runner->children[i].pid > 0)
            kill(runner->children[i].pid, SIGKILL);
}

bool runner_run(struct job *jobs, size_t job_count, size_t parallel, const struct job_ops *ops,
                void *context)
{
    static const int signals[] = {SIGINT, SIGTERM};
    ev_signal watchers[2];
    struct runner runner = {.loop = ev_loop_new(0),
                            .jobs = jobs,
                            .job_count = job_count,
                            .child_count = parallel < job_count ? parallel : job_count,
                            .ops = ops,
                            .context = context};

    if (!runner.loop) {
        fprintf(stderr, "error: no event loop; the kernel offers none that libev knows\n");
        exit(EXIT_MACHINE);
    }
    progress_init(&runner.progress, job_count);
    for (size_t i = 0; i < job_count; i++)
        runner.total_ns += jobs[i].length_ns;
    for (size_t i = 0; i < 2; i++) {
        ev_signal_init(&watchers[i], on_signal, signals[i]);
        watchers[i].data = &runner;
        ev_signal_start(runner.loop, &watchers[i]);
        ev_unref(runner.loop); /* they do not keep the loop alive */
    }
    runner.children = mem_array(runner.child_count, sizeof(*runner.children));
    for (size_t i = 0; i < runner.child_count; i++) {
        runner.children[i].runner = &runner;
        start_next(&runner, &runner.children[i]);
    }
    ev_run(runner.loop, 0);
    progress_hide(&runner.progress);
    for (size_t i = 0; i < 2; i++) {
        ev_ref(runner.loop);
        ev_signal_stop(runner.loop, &watchers[i]);
    }
    ev_loop_destroy(runner.loop);
    free(runner.children);
    return !runner.is_interrupted;
}
