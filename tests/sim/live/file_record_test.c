/* The record in a file: what it keeps, and which files it does not take for one. */
#include "sim/live/file_record.h"

#include "sim/core/attributes.h"
#include "tests/test.h"

#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
    char folder[64];
    char path[96];
    char new_path[112];
    struct ev_loop *loop;
    struct file_record *file;
};

struct heard {
    struct record_done done;
    struct ev_loop *loop;
    unsigned count;
    bool is_durable;
};

static struct file_record *try_open(struct room *room, struct error *err)
{
    *err = (struct error){0};
    return file_record_open(&(struct file_record_config){.path = room->path, .loop = room->loop},
                            err);
}

static void open_again(struct room *room)
{
    struct error err;

    file_record_close(room->file);
    room->file = try_open(room, &err);
    if (!room->file)
        fail_msg("%s", err.text);
}

static void room_open(struct room *room)
{
    *room = (struct room){.loop = ev_loop_new(EVFLAG_AUTO)};
    strcpy(room->folder, "/tmp/iscsilab-record-XXXXXX");
    assert_non_null(mkdtemp(room->folder));
    snprintf(room->path, sizeof(room->path), "%s/disk", room->folder);
    snprintf(room->new_path, sizeof(room->new_path), "%s.new", room->path);
    open_again(room);
}

static void room_close(struct room *room)
{
    file_record_close(room->file);
    ev_loop_destroy(room->loop);
    unlink(room->path);
    assert_int_equal(rmdir(room->folder), 0); /* nothing else is left in it */
}

static void on_done(struct record_done *done, bool is_durable)
{
    struct heard *heard = CONTAINER_OF(done, struct heard, done);

    heard->count++;
    heard->is_durable = is_durable;
    ev_break(heard->loop, EVBREAK_ALL);
}

static bool save(struct room *room, const void *data, size_t bytes)
{
    struct heard heard = {.done = {on_done}, .loop = room->loop};

    record_write(file_record_interface(room->file), data, bytes, &heard.done);
    assert_int_equal(heard.count, 0); /* never from within the call */
    ev_ref(room->loop);
    ev_run(room->loop, 0);
    ev_unref(room->loop);
    assert_int_equal(heard.count, 1);
    return heard.is_durable;
}

static void holds(struct room *room, const char *text)
{
    char there[64] = "";

    assert_int_equal(record_read(file_record_interface(room->file), there, sizeof(there)),
                     strlen(text));
    assert_string_equal(there, text);
}

static void put_file(const char *path, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, data, bytes), bytes);
    close(fd);
}

static size_t get_file(const char *path, char *data, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, data, room);

    close(fd);
    assert_true(got > 0);
    return (size_t)got;
}

static void a_record_is_there_after_the_next_start(void **state)
{
    struct room room;
    (void)state;

    room_open(&room);
    holds(&room, "");
    assert_true(save(&room, "first", 5));
    holds(&room, "first");
    assert_true(save(&room, "the second", 10));
    open_again(&room);
    holds(&room, "the second");
    assert_true(save(&room, "", 0));
    open_again(&room);
    holds(&room, "");
    room_close(&room);
}

static void a_reader_with_less_room_gets_the_beginning(void **state)
{
    struct room room;
    char there[4] = "...";
    (void)state;

    room_open(&room);
    assert_true(save(&room, "abcdef", 6));
    assert_int_equal(record_read(file_record_interface(room.file), there, 2), 6);
    assert_string_equal(there, "ab.");
    room_close(&room);
}

static void a_write_that_fails_keeps_the_old_record_and_is_told(void **state)
{
    struct room room;
    (void)state;

    room_open(&room);
    assert_true(save(&room, "old", 3));
    assert_int_equal(mkdir(room.new_path, 0700), 0); /* in the way of the new one */
    assert_false(save(&room, "new", 3));
    holds(&room, "old");
    open_again(&room);
    holds(&room, "old");
    assert_int_equal(rmdir(room.new_path), 0);
    assert_true(save(&room, "new", 3));
    holds(&room, "new");
    room_close(&room);
}

static void what_a_dead_process_had_begun_does_not_count(void **state)
{
    struct room room;
    (void)state;

    room_open(&room);
    assert_true(save(&room, "old", 3));
    put_file(room.new_path, "iscsilab rec", 12);
    open_again(&room);
    holds(&room, "old");
    assert_true(save(&room, "new", 3));
    open_again(&room);
    holds(&room, "new");
    room_close(&room);
}

static void every_damaged_file_is_refused(void **state)
{
    struct room room;
    struct error err;
    char whole[256];
    (void)state;

    room_open(&room);
    assert_true(save(&room, "what it held", 12));
    size_t bytes = get_file(room.path, whole, sizeof(whole));

    for (size_t cut = 0; cut < bytes; cut++) {
        put_file(room.path, whole, cut);
        assert_null(try_open(&room, &err));
        assert_non_null(strstr(err.text, "is damaged, or no record of ours"));
        assert_non_null(strstr(err.text, room.path));
        assert_non_null(strstr(err.help, "move it away"));
    }
    for (size_t at = 0; at < bytes; at++) {
        whole[at] ^= 4;
        put_file(room.path, whole, bytes);
        assert_null(try_open(&room, &err));
        whole[at] ^= 4;
    }
    put_file(room.path, whole, bytes);
    open_again(&room);
    holds(&room, "what it held");
    room_close(&room);
}

static void a_file_without_end_is_refused(void **state)
{
    struct room room;
    struct error err;
    (void)state;

    room_open(&room);
    put_file(room.path, "x", 1);
    assert_int_equal(truncate(room.path, (off_t)FILE_RECORD_MOST_BYTES * 1024), 0);
    assert_null(try_open(&room, &err));
    assert_int_equal(unlink(room.path), 0);
    assert_int_equal(mkdir(room.path, 0700), 0);
    assert_null(try_open(&room, &err));
    assert_non_null(strstr(err.text, "cannot read"));
    assert_int_equal(rmdir(room.path), 0);
    room_close(&room);
}

static void a_folder_belongs_to_one_at_a_time(void **state)
{
    struct room room;
    struct error err = {0};
    (void)state;

    room_open(&room);
    assert_int_equal(file_record_lock_folder(room.path, &err), -1);
    assert_non_null(strstr(err.text, room.path));
    assert_non_null(strstr(err.help, "mkdir"));
    int fd = file_record_lock_folder(room.folder, &err);
    assert_true(fd >= 0);
    assert_int_equal(file_record_lock_folder(room.folder, &err), -1);
    assert_non_null(strstr(err.text, "is in use by another process"));
    close(fd);
    fd = file_record_lock_folder(room.folder, &err);
    assert_true(fd >= 0);
    close(fd);
    room_close(&room);
}

static void closing_waits_for_what_is_being_written(void **state)
{
    struct room room;
    struct heard heard = {.done = {on_done}};
    (void)state;

    room_open(&room);
    heard.loop = room.loop;
    record_write(file_record_interface(room.file), "last", 4, &heard.done);
    open_again(&room);
    assert_int_equal(heard.count, 0);
    holds(&room, "last");
    room_close(&room);
}

int main(void)
{
    TEST(a_record_is_there_after_the_next_start);
    TEST(a_reader_with_less_room_gets_the_beginning);
    TEST(a_write_that_fails_keeps_the_old_record_and_is_told);
    TEST(what_a_dead_process_had_begun_does_not_count);
    TEST(every_damaged_file_is_refused);
    TEST(a_file_without_end_is_refused);
    TEST(a_folder_belongs_to_one_at_a_time);
    TEST(closing_waits_for_what_is_being_written);
    return TEST_RUN("sim.live.file_record");
}
