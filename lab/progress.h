/* How far the runs are: one moving line on a terminal, sparse plain lines elsewhere; on stderr. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool is_terminal;
    bool is_line_open; /* a moving line stands on the terminal */
    size_t run_count;
    size_t done_count;
    int last_quarter;      /* of the plain lines */
    int64_t last_shown_ns; /* wall clock, to repaint at most ten times a second */
};

void progress_init(struct progress *progress, size_t run_count);
/* 'done_ns' of 'total_ns' simulated over all runs; 'title' of the run that reports. */
void progress_show(struct progress *progress, const char *title, int64_t done_ns, int64_t total_ns,
                   bool is_forced);
/* Takes the moving line away, before anything else is printed. */
void progress_hide(struct progress *progress);
