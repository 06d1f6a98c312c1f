/* How far the runs are. */
#include "lab/progress.h"

#include "sim/core/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 24

void progress_init(struct progress *progress, size_t run_count)
{
    *progress = (struct progress){
        .is_terminal = isatty(STDERR_FILENO) != 0, .run_count = run_count, .last_quarter = 0};
}

static int64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return SECONDS(now.tv_sec) + now.tv_nsec;
}

static void paint_line(struct progress *progress, const char *title, int percent)
{
    char bar[BAR_WIDTH + 1];
    int filled = percent * BAR_WIDTH / 100;

    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3d %%  %zu of %zu runs  %-40.40s\033[K", bar, percent,
            progress->done_count, progress->run_count, title);
    fflush(stderr);
    progress->is_line_open = true;
}

void progress_show(struct progress *progress, const char *title, int64_t done_ns, int64_t total_ns,
                   bool is_forced)
{
    int64_t now_ns = wall_ns();
    int percent = total_ns > 0 ? (int)(done_ns / (total_ns / 100 + 1)) : 100;

    if (percent > 100)
        percent = 100;
    if (progress->is_terminal) {
        if (is_forced || now_ns - progress->last_shown_ns >= MS(100)) {
            progress->last_shown_ns = now_ns;
            paint_line(progress, title, percent);
        }
    } else if (percent / 25 > progress->last_quarter && percent < 100) {
        progress->last_quarter = percent / 25;
        fprintf(stderr, "progress: %d %%, %zu of %zu runs done\n", percent, progress->done_count,
                progress->run_count);
    }
}

void progress_hide(struct progress *progress)
{
    if (progress->is_line_open)
        fprintf(stderr, "\r\033[K");
    progress->is_line_open = false;
}
