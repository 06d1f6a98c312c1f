/* How far the runs are, told where no terminal is: rarely, and in whole lines. */
#include "lab/progress.h"

#include "sim/core/time.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard error while a test runs. */
struct catcher {
    FILE *file;
    int stderr_fd;
};

static void catch_stderr(struct catcher *catcher)
{
    catcher->file = tmpfile();
    assert_non_null(catcher->file);
    fflush(stderr);
    catcher->stderr_fd = dup(STDERR_FILENO);
    assert_true(dup2(fileno(catcher->file), STDERR_FILENO) >= 0);
}

static void release_stderr(struct catcher *catcher, char *ret_text, size_t bytes)
{
    fflush(stderr);
    dup2(catcher->stderr_fd, STDERR_FILENO);
    close(catcher->stderr_fd);
    rewind(catcher->file);
    ret_text[fread(ret_text, 1, bytes - 1, catcher->file)] = '\0';
    fclose(catcher->file);
}

static void each_quarter_is_one_line(void **state)
{
    struct catcher catcher;
    struct progress progress;
    char text[1024];
    (void)state;

    catch_stderr(&catcher);
    progress_init(&progress, 2);
    for (int64_t at_ns = 0; at_ns <= SECONDS(200); at_ns += SECONDS(1)) {
        progress.done_count = at_ns >= SECONDS(100);
        progress_show(&progress, "story", at_ns, SECONDS(200), false);
    }
    progress_hide(&progress);
    release_stderr(&catcher, text, sizeof(text));
    assert_false(progress.is_terminal);
    assert_non_null(strstr(text, "progress: 25 %, 0 of 2 runs done\n"));
    assert_non_null(strstr(text, "progress: 50 %, 1 of 2 runs done\n"));
    assert_non_null(strstr(text, "progress: 75 %, 1 of 2 runs done\n"));
    assert_null(strstr(text, "100 %")); /* the end is told by the results */
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 3);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\r'));
}

static void more_than_all_and_nothing_at_all_do_no_harm(void **state)
{
    struct catcher catcher;
    struct progress progress;
    char text[256];
    (void)state;

    catch_stderr(&catcher);
    progress_init(&progress, 1);
    progress_show(&progress, "story", 0, 0, true);
    progress_show(&progress, "story", SECONDS(9), SECONDS(1), true);
    progress_hide(&progress);
    release_stderr(&catcher, text, sizeof(text));
    assert_string_equal(text, "");
}

static void a_terminal_has_one_moving_line_that_goes_away(void **state)
{
    struct catcher catcher;
    struct progress progress;
    char text[1024];
    (void)state;

    catch_stderr(&catcher);
    progress_init(&progress, 3);
    progress.is_terminal = true; /* as if */
    progress.done_count = 1;
    progress_show(&progress, "story", SECONDS(50), SECONDS(100), true);
    assert_true(progress.is_line_open);
    progress_show(&progress, "story", SECONDS(51), SECONDS(100), false); /* too soon to repaint */
    progress_hide(&progress);
    progress_hide(&progress); /* once is enough */
    release_stderr(&catcher, text, sizeof(text));
    assert_false(progress.is_line_open);
    assert_non_null(strstr(text, " 1 of 3 runs  story"));
    assert_ptr_equal(strstr(text, "[===="), text + 1);
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    assert_null(strchr(text, '\n'));
    assert_null(strstr(strstr(text, "of 3 runs") + 1, "of 3 runs"));
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        cmocka_unit_test(each_quarter_is_one_line),
        cmocka_unit_test(more_than_all_and_nothing_at_all_do_no_harm),
        cmocka_unit_test(a_terminal_has_one_moving_line_that_goes_away),
    };

    return cmocka_run_group_tests_name("lab.progress", stories, NULL, NULL);
}
