/* Several runs in parallel processes, each streaming its rows to this one, with one progress
 * display for all of them.
 *
 * A run is a process of its own, so that an assertion of ours in one run leaves the others alone.
 */
#pragma once

#include "lab/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stream from a run to its parent. */
struct row_stream {
    struct rows rows; /* not sent yet; rows_put() into it */
    int fd;
};

/* Sends what has piled up. False: nobody listens any more. */
bool row_stream_flush(struct row_stream *stream);
/* Sends if it is worth a system call. */
bool row_stream_flush_if_large(struct row_stream *stream);
/* Says how far the run is, and sends. */
bool row_stream_progress(struct row_stream *stream, int64_t simulated_ns);

struct job {
    const char *title; /* borrowed */
    int64_t length_ns; /* simulated time that the run takes as a whole */
    /* What the runner knows of it, for its owner to read in on_done. */
    const uint8_t *data; /* all messages of the run, valid during on_done */
    size_t bytes;
    bool is_cut_off; /* the process died before it was done: no run */
    int exit_code;   /* of the process; 70 if a signal ended it */
};

struct job_ops {
    /* In a process of its own: does run 'index', returns the process's exit code. */
    int (*run)(void *context, size_t index, struct row_stream *stream);
    /* In this process, in the order in which runs end. False: stop, start no more. */
    bool (*on_done)(void *context, size_t index, struct job *job);
};

/* Runs all jobs, at most 'parallel' at once. Returns false if interrupted by a signal: runs that
 * were under way are gone then, those that had ended were handed to on_done. */
bool runner_run(struct job *jobs, size_t job_count, size_t parallel, const struct job_ops *ops,
                void *context);
