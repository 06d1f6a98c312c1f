/* Runs as processes of their own: what they leave, how they end, how far they are. */
#include "lab/runner.h"

#include "sim/core/time.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MOST 8

/* What one job does in its process, and what came of it. */
struct task {
    int (*run)(struct row_stream *stream);
    int exit_code;
    bool is_cut_off;
    bool is_done;
    size_t rows;
    uint64_t sum; /* of the values of its counters */
};

struct crew {
    struct task tasks[JOBS_MOST];
    size_t count;
    size_t order[JOBS_MOST]; /* in which they ended */
    size_t done_count;
    size_t stop_after; /* on_done says stop at this one; 0: never */
};

/* Ends of a pipe by which the parent lets a job go on. */
static int gate[2];

static int run_task(void *context, size_t index, struct row_stream *stream)
{
    const struct crew *crew = context;

    return crew->tasks[index].run(stream);
}

static bool task_done(void *context, size_t index, struct job *job)
{
    struct crew *crew = context;
    struct task *task = &crew->tasks[index];
    struct message m;

    assert_false(task->is_done);
    task->is_done = true;
    task->exit_code = job->exit_code;
    task->is_cut_off = job->is_cut_off;
    for (size_t at = 0; at < job->bytes; at += m.bytes) {
        message_decode(job->data + at, job->bytes - at, &m);
        if (m.kind == MESSAGE_NONE || m.kind == MESSAGE_BAD)
            break;
        task->rows += m.kind == MESSAGE_ROW;
        task->sum += m.kind == MESSAGE_ROW ? (uint64_t)m.values[2].number : 0;
    }
    crew->order[crew->done_count++] = index;
    if (gate[1] > 0)
        assert_int_equal(write(gate[1], "x", 1), 1);
    return crew->done_count != crew->stop_after;
}

/* Runs the crew; its progress lines are the caller's to free. */
static char *run_crew(struct crew *crew, size_t parallel, bool is_whole)
{
    static const struct job_ops ops = {run_task, task_done};
    struct job jobs[JOBS_MOST];
    FILE *told = tmpfile();
    int stderr_fd = dup(STDERR_FILENO);

    assert_non_null(told);
    for (size_t i = 0; i < crew->count; i++)
        jobs[i] = (struct job){.title = "a run", .length_ns = i ? SECONDS(300) : SECONDS(100)};
    fflush(stderr);
    dup2(fileno(told), STDERR_FILENO);
    bool is_finished = runner_run(jobs, crew->count, parallel, &ops, crew);
    fflush(stderr);
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    assert_int_equal(is_finished, is_whole);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process is left */
    assert_int_equal(errno, ECHILD);

    char *text = calloc(1, 1000);
    assert_non_null(text);
    rewind(told);
    text[fread(text, 1, 999, told)] = '\0';
    fclose(told);
    return text;
}

static void put_counter(struct row_stream *stream, int64_t value)
{
    rows_put(&stream->rows, TABLE_COUNTER,
             (struct value[]){V_TEXT("switch-1"), V_TEXT("frames"), V_INT(value)});
}

/* Jobs. */

static int leave_two_rows(struct row_stream *stream)
{
    put_counter(stream, 1);
    put_counter(stream, 2);
    return 0;
}

static int expect_too_much(struct row_stream *stream)
{
    put_counter(stream, 1);
    return 1;
}

static int leave_a_million_bytes(struct row_stream *stream)
{
    for (int64_t i = 0; i < 40000; i++) {
        put_counter(stream, i);
        if (!row_stream_flush_if_large(stream))
            return 99;
    }
    return 0;
}

static int abort_in_the_middle(struct row_stream *stream)
{
    put_counter(stream, 1);
    row_stream_flush(stream);
    abort();
}

static int be_killed(struct row_stream *stream)
{
    put_counter(stream, 1);
    row_stream_flush(stream);
    raise(SIGKILL);
    return 0;
}

static int end_as_an_assertion(struct row_stream *stream)
{
    put_counter(stream, 1);
    return 70;
}

static int run_out_of_disk(struct row_stream *stream)
{
    put_counter(stream, 1);
    return 7;
}

static int leave_half_a_row(struct row_stream *stream)
{
    put_counter(stream, 1);
    stream->rows.bytes -= 4;
    return 0;
}

static int leave_garbage(struct row_stream *stream)
{
    put_counter(stream, 1);
    rows_put_bytes(&stream->rows, (const uint8_t[]){0, 0, 0, 1, 77}, 5);
    return 0;
}

static int wait_at_the_gate(struct row_stream *stream)
{
    char byte;

    put_counter(stream, 5);
    return read(gate[0], &byte, 1) == 1 ? 0 : 99;
}

static int interrupt_the_parent(struct row_stream *stream)
{
    char byte;

    put_counter(stream, 1);
    row_stream_flush(stream);
    if (read(gate[0], &byte, 1) == 1) /* another one has ended */
        kill(getppid(), SIGINT);
    pause(); /* for the end that the parent makes of it */
    return 99;
}

static int reach_the_end(struct row_stream *stream)
{
    row_stream_progress(stream, SECONDS(100));
    return 0;
}

static int report_60_s_after_the_first(struct row_stream *stream)
{
    char byte;

    if (read(gate[0], &byte, 1) != 1)
        return 99;
    row_stream_progress(stream, SECONDS(60));
    return 0;
}

/* Stories. */

static struct end_row {
    const char *name;
    int (*run)(struct row_stream *stream);
    int exit_code;
    bool is_cut_off;
    size_t rows;
} end_rows[] = {
    {"a run that ended well leaves its rows", leave_two_rows, 0, false, 2},
    {"a run whose expectations failed is a whole run", expect_too_much, 1, false, 1},
    {"a long run arrives as a whole", leave_a_million_bytes, 0, false, 40000},
    {"an assertion of ours is no run", abort_in_the_middle, 70, true, 1},
    {"a run that was killed is no run", be_killed, 70, true, 1},
    {"a run that ended as an assertion is no run", end_as_an_assertion, 70, true, 1},
    {"a run that the machine stopped is no run", run_out_of_disk, 7, true, 1},
    {"a run that ends in half a row is no run", leave_half_a_row, 0, true, 0},
    {"a run that ends in garbage is no run", leave_garbage, 0, true, 1},
};

static void ends_as_its_process_does(void **state)
{
    const struct end_row *row = *state;
    struct crew crew = {.tasks = {{.run = row->run}}, .count = 1};

    free(run_crew(&crew, 1, true));
    assert_true(crew.tasks[0].is_done);
    assert_int_equal(crew.tasks[0].exit_code, row->exit_code);
    assert_int_equal(crew.tasks[0].is_cut_off, row->is_cut_off);
    assert_int_equal(crew.tasks[0].rows, row->rows);
    if (row->rows == 40000)
        assert_int_equal(crew.tasks[0].sum, (uint64_t)40000 * 39999 / 2);
}

static void an_assertion_in_one_run_leaves_the_others_alone(void **state)
{
    struct crew crew = {.tasks = {{.run = leave_two_rows},
                                  {.run = abort_in_the_middle},
                                  {.run = leave_a_million_bytes},
                                  {.run = be_killed},
                                  {.run = leave_two_rows}},
                        .count = 5};
    (void)state;

    free(run_crew(&crew, 2, true));
    assert_int_equal(crew.done_count, 5);
    assert_false(crew.tasks[0].is_cut_off);
    assert_true(crew.tasks[1].is_cut_off);
    assert_int_equal(crew.tasks[2].rows, 40000);
    assert_true(crew.tasks[3].is_cut_off);
    assert_int_equal(crew.tasks[4].rows, 2);
}

static void open_gate(void)
{
    assert_int_equal(pipe(gate), 0);
}

static void close_gate(void)
{
    close(gate[0]);
    close(gate[1]);
    gate[0] = gate[1] = 0;
}

/* The first can only end after the second has: they must be under way at the same time. */
static void runs_go_in_parallel_and_are_handed_over_as_they_end(void **state)
{
    struct crew crew = {.tasks = {{.run = wait_at_the_gate}, {.run = leave_two_rows}}, .count = 2};
    (void)state;

    open_gate();
    free(run_crew(&crew, 2, true));
    close_gate();
    assert_int_equal(crew.done_count, 2);
    assert_int_equal(crew.order[0], 1);
    assert_int_equal(crew.order[1], 0);
    assert_int_equal(crew.tasks[0].exit_code, 0);
}

static void one_at_a_time_keeps_the_order(void **state)
{
    struct crew crew = {.tasks = {{.run = leave_a_million_bytes},
                                  {.run = leave_two_rows},
                                  {.run = expect_too_much}},
                        .count = 3};
    (void)state;

    free(run_crew(&crew, 1, true));
    assert_int_equal(crew.done_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(crew.order[i], i);
}

static void who_cannot_record_stops_the_rest(void **state)
{
    struct crew crew = {
        .tasks = {{.run = leave_two_rows}, {.run = leave_two_rows}, {.run = leave_two_rows}},
        .count = 3,
        .stop_after = 1};
    (void)state;

    free(run_crew(&crew, 1, true));
    assert_int_equal(crew.done_count, 1);
    assert_false(crew.tasks[1].is_done);
    assert_false(crew.tasks[2].is_done);
}

static void an_interrupt_keeps_what_had_ended_and_nothing_else(void **state)
{
    struct crew crew = {.tasks = {{.run = leave_two_rows},
                                  {.run = interrupt_the_parent},
                                  {.run = interrupt_the_parent},
                                  {.run = leave_two_rows}},
                        .count = 4};
    (void)state;

    open_gate();
    free(run_crew(&crew, 3, false)); /* the fourth may begin when the first has ended */
    close_gate();
    assert_true(crew.tasks[0].is_done);
    assert_false(crew.tasks[0].is_cut_off);
    assert_false(crew.tasks[1].is_done);
    assert_false(crew.tasks[2].is_done);
}

static void a_run_that_has_ended_counts_once(void **state)
{
    struct crew crew = {.tasks = {{.run = reach_the_end}, {.run = report_60_s_after_the_first}},
                        .count = 2};
    (void)state;

    open_gate();
    char *told = run_crew(&crew, 2, true);
    close_gate();
    /* 100 s and 60 s of 400 s, rounded down. */
    assert_string_equal(told, "progress: 39 %, 1 of 2 runs done\n");
    free(told);
}

static void a_stream_that_nobody_reads_says_so(void **state)
{
    struct row_stream stream = {0};
    int ends[2];
    (void)state;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    stream.fd = ends[1];
    assert_true(row_stream_progress(&stream, 1));
    assert_int_equal(stream.rows.bytes, 0);
    put_counter(&stream, 1);
    assert_true(row_stream_flush_if_large(&stream)); /* not worth a system call */
    assert_true(stream.rows.bytes > 0);
    close(ends[0]);
    assert_false(row_stream_flush(&stream));
    close(ends[1]);
    rows_clear(&stream.rows);
    signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
    TEST_ROWS(end_rows, ends_as_its_process_does);
    TEST(an_assertion_in_one_run_leaves_the_others_alone);
    TEST(runs_go_in_parallel_and_are_handed_over_as_they_end);
    TEST(one_at_a_time_keeps_the_order);
    TEST(who_cannot_record_stops_the_rest);
    TEST(an_interrupt_keeps_what_had_ended_and_nothing_else);
    TEST(a_run_that_has_ended_counts_once);
    TEST(a_stream_that_nobody_reads_says_so);
    return TEST_RUN("lab.runner");
}
