/* Sockets in the file system: what is in the way is replaced only if nobody can miss it. */
#include "sim/live/unix_socket.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/unix-socket-test-XXXXXX";
static char path[64];

static void a_path_has_a_length(void **state)
{
    struct error err;
    char text[200];
    (void)state;

    memset(text, 'x', sizeof(text));
    text[199] = '\0';
    assert_false(unix_socket_check(text, &err));
    assert_false(unix_socket_check("", &err));
    text[107] = '\0';
    assert_true(unix_socket_check(text, &err));
}

static void who_connects_is_accepted(void **state)
{
    struct error err;
    char word[3] = "";
    int listener = unix_socket_listen(path, &err);
    (void)state;

    assert_int_equal(unix_socket_accept(listener), -1);
    int client = unix_socket_connect(path, &err);
    int server = unix_socket_accept(listener);

    assert_true(client >= 0);
    assert_true(server >= 0);
    assert_int_equal(write(client, "hi", 2), 2);
    assert_int_equal(read(server, word, 2), 2);
    assert_string_equal(word, "hi");
    close(client);
    close(server);
    close(listener);
    unlink(path);
}

static void a_socket_is_its_owners_alone(void **state)
{
    struct error err;
    struct stat status;
    mode_t before = umask(0);
    int listener = unix_socket_listen(path, &err);
    (void)state;

    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    close(listener);
    unlink(path);
}

static void a_socket_that_is_listened_at_stays(void **state)
{
    struct error err = {0};
    int listener = unix_socket_listen(path, &err);
    (void)state;

    assert_int_equal(unix_socket_listen(path, &err), -1);
    assert_non_null(strstr(err.text, path));
    int client = unix_socket_connect(path, &err);

    assert_true(client >= 0);
    close(client);
    close(listener);
    unlink(path);
}

static void a_socket_that_somebody_left_behind_is_replaced(void **state)
{
    struct error err;
    int listener = unix_socket_listen(path, &err);
    (void)state;

    close(listener); /* and no unlink(): as after a crash */
    assert_int_equal(unix_socket_connect(path, &err), -1);
    listener = unix_socket_listen(path, &err);
    assert_true(listener >= 0);
    close(listener);
    unlink(path);
}

static void a_file_is_never_replaced(void **state)
{
    struct error err;
    struct stat status;
    FILE *file = fopen(path, "w");
    (void)state;

    fputs("precious", file);
    fclose(file);
    assert_int_equal(unix_socket_listen(path, &err), -1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 8);
    unlink(path);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    TEST(a_path_has_a_length);
    TEST(who_connects_is_accepted);
    TEST(a_socket_is_its_owners_alone);
    TEST(a_socket_that_is_listened_at_stays);
    TEST(a_socket_that_somebody_left_behind_is_replaced);
    TEST(a_file_is_never_replaced);
    int failed = TEST_RUN("sim.live.unix_socket");

    rmdir(folder);
    return failed;
}
