/* Captures as Wireshark's own dissector reads them. */
#include "sim/net/capture.h"

#include "tests/sim/net/lan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The fields that must be selected by nobody in a good capture. */
#define BAD_FRAMES                                                                                 \
    "_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || icmp.checksum.status==0"

struct file {
    char path[64];
    FILE *file;
};

static void open_file(struct file *file)
{
    strcpy(file->path, "/tmp/iscsilab-capture-XXXXXX");
    int descriptor = mkstemp(file->path);

    assert_true(descriptor >= 0);
    file->file = fdopen(descriptor, "wb");
    assert_non_null(file->file);
}

static void close_file(struct file *file)
{
    assert_int_equal(fclose(file->file), 0);
}

/* What tshark prints; fails unless it ends well. */
static void ask_tshark(const struct file *file, const char *arguments, char *ret_text,
                       size_t text_bytes)
{
    char command[640];

    snprintf(command, sizeof(command),
             "tshark -r %s -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE %s 2>/dev/null",
             file->path, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(ret_text, 1, text_bytes - 1, pipe);
    ret_text[bytes] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void needs_tshark(void)
{
    if (system("tshark --version >/dev/null 2>&1") != 0)
        skip();
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* A run with a ping, jumbo and small, a fault with its event, a loss and damage. */
static void capture_a_run(struct file *file, bool with_damage)
{
    struct lan lan;
    int error = 0;

    open_file(file);
    lan_start(&lan, 2, 9216);
    struct capture *capture = capture_new(
        lan.fabric, &(struct capture_config){.file = file->file, .application = "iscsilab 0.1.0"});

    assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_REPLY); /* until 6 s */
    assert_int_equal(lan_ping_now(&lan, 0, 1, 57), PING_REPLY);   /* 12 s */
    lan_run(&lan, SECONDS(12) + 345678901);
    capture_event(capture, SECONDS(12) + 345678901, "fault: freeze switch-1");
    switch_freeze(lan.sw);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_TIMEOUT);
    switch_thaw(lan.sw);
    if (with_damage) {
        switch_impair(lan.sw, &(struct impair_config){.kind = IMPAIR_CORRUPT,
                                                      .larger_than_bytes = 8000,
                                                      .seen_by = CORRUPT_SEEN_BY_CHECKSUM});
        assert_int_equal(lan_ping_now(&lan, 0, 1, 8972), PING_TIMEOUT);
    }
    assert_true(capture_free(capture, &error));
    lan_stop(&lan);
    close_file(file);
}

static void a_capture_has_no_bad_frame(void **state)
{
    struct file file;
    char text[8192];
    (void)state;

    needs_tshark();
    capture_a_run(&file, true);
    ask_tshark(&file, "-Y '(" BAD_FRAMES ")'", text, sizeof(text));
    /* The one that a fault damaged is seen, in and dropped: so the filter can fail. */
    assert_int_equal(count_lines(text), 2);
    ask_tshark(&file, "-Y '(" BAD_FRAMES ") && !frame.comment'", text, sizeof(text));
    assert_string_equal(text, "");
    ask_tshark(&file, "-Y icmp.checksum.status==1", text, sizeof(text));
    assert_true(count_lines(text) > 8);
    assert_int_equal(unlink(file.path), 0);
}

static void times_and_interfaces_are_those_of_the_run(void **state)
{
    struct file file;
    char text[8192];
    (void)state;

    needs_tshark();
    capture_a_run(&file, false);
    ask_tshark(&file, "-T fields -e frame.time_epoch -e frame.interface_name -Y icmp.type==8", text,
               sizeof(text));
    assert_non_null(strstr(text, "0.000004332\th0.iscsi1 out\n"));
    assert_non_null(strstr(text, "\th1.iscsi1 in\n"));
    ask_tshark(&file, "-T fields -e frame.time_epoch -e _ws.col.Protocol -e _ws.col.Info -Y syslog",
               text, sizeof(text));
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "12.345678901"));
    assert_non_null(strstr(text, "fault: freeze switch-1"));
    ask_tshark(&file, "-T fields -e frame.interface_name -e frame.comment -Y frame.comment", text,
               sizeof(text));
    assert_non_null(strstr(text, "dropped\tdropped at switch-1.1: frozen\n"));
    /* In time order. */
    ask_tshark(&file, "-Y 'frame.time_delta < 0'", text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(unlink(file.path), 0);
}

static void equal_runs_leave_equal_files(void **state)
{
    struct file files[2];
    (void)state;

    for (int i = 0; i < 2; i++)
        capture_a_run(&files[i], true);
    FILE *a = fopen(files[0].path, "rb");
    FILE *b = fopen(files[1].path, "rb");
    long bytes = 0;
    for (int byte = fgetc(a); byte != EOF; byte = fgetc(a), bytes++)
        assert_int_equal(byte, fgetc(b));
    assert_int_equal(fgetc(b), EOF);
    assert_true(bytes > 20000);
    fclose(a);
    fclose(b);
    for (int i = 0; i < 2; i++)
        assert_int_equal(unlink(files[i].path), 0);
}

static void a_capture_changes_no_digest(void **state)
{
    uint64_t digests[2];
    (void)state;

    for (int run = 0; run < 2; run++) {
        struct lan lan;
        struct file file;
        struct capture *capture = NULL;
        int error = 0;

        open_file(&file);
        lan_start(&lan, 3, 9216);
        if (run == 1)
            capture = capture_new(
                lan.fabric, &(struct capture_config){.file = file.file, .application = "test"});
        assert_int_equal(lan_ping_now(&lan, 0, 1, 1000), PING_REPLY);
        cable_pull(lan.cables[1]);
        assert_int_equal(lan_ping_now(&lan, 0, 1, 1000), PING_TIMEOUT);
        digests[run] = fabric_digest(lan.fabric);
        assert_true(capture_free(capture, &error));
        lan_stop(&lan);
        close_file(&file);
        assert_int_equal(unlink(file.path), 0);
    }
    assert_true(digests[0] == digests[1]);
}

static void a_full_disk_is_told(void **state)
{
    struct lan lan;
    int error = 0;
    FILE *full = fopen("/dev/full", "wb");
    (void)state;

    if (!full)
        skip();
    lan_start(&lan, 2, 9216);
    struct capture *capture =
        capture_new(lan.fabric, &(struct capture_config){.file = full, .application = "test"});
    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_false(capture_free(capture, &error));
    assert_int_equal(error, ENOSPC);
    lan_stop(&lan);
    fclose(full);
}

/* Only what was asked for: a NIC and a switch port, and what was dropped at them. */
static void a_filter_captures_parts_and_what_they_dropped(void **state)
{
    static const char *const ports[] = {"h0.iscsi1", "switch-1.2", "h0.iscsi1"};
    struct lan lan;
    struct file file;
    char text[8192];
    int error = 0;
    (void)state;

    needs_tshark();
    open_file(&file);
    lan_start(&lan, 3, 9216);
    struct capture *capture = capture_new(
        lan.fabric, &(struct capture_config){
                        .file = file.file, .application = "x", .ports = ports, .port_count = 3});

    assert_int_equal(lan_ping_now(&lan, 0, 1, 56), PING_REPLY);
    assert_int_equal(lan_ping_now(&lan, 2, 1, 57), PING_REPLY);
    nic_freeze(lan.nics[1], DIRECTION_IN); /* dropped where nobody looks */
    assert_int_equal(lan_ping_now(&lan, 2, 1, 58), PING_TIMEOUT);
    port_freeze(switch_port(lan.sw, 2), DIRECTION_OUT);
    assert_int_equal(lan_ping_now(&lan, 0, 1, 59), PING_TIMEOUT);
    assert_true(capture_free(capture, &error));
    lan_stop(&lan);
    close_file(&file);
    ask_tshark(&file, "-T fields -e frame.interface_name -e data.len -Y icmp", text, sizeof(text));
    assert_string_equal(text, "h0.iscsi1 out\t56\nswitch-1.2 out\t56\n"
                              "switch-1.2 in\t56\nh0.iscsi1 in\t56\n"
                              "switch-1.2 out\t57\nswitch-1.2 in\t57\n"
                              "switch-1.2 out\t58\n"
                              "h0.iscsi1 out\t59\ndropped\t59\n");
    assert_int_equal(unlink(file.path), 0);
}

/* Files of a rotation, in memory. */
struct memory_files {
    struct capture_files base;
    FILE *files[16];
    char *data[16];
    size_t bytes[16];
    unsigned count;
    unsigned most;
};

static FILE *next_memory_file(struct capture_files *base)
{
    struct memory_files *files = (struct memory_files *)(void *)base;

    if (files->count == files->most) {
        errno = EMFILE;
        return NULL;
    }
    unsigned i = files->count++;
    files->files[i] = open_memstream(&files->data[i], &files->bytes[i]);
    assert_non_null(files->files[i]);
    return files->files[i];
}

static bool capture_pings_in_turn(struct memory_files *files, unsigned most, int *ret_error)
{
    struct lan lan;

    *files = (struct memory_files){.base = {next_memory_file}, .most = most};
    lan_start(&lan, 2, 9216);
    struct capture *capture =
        capture_new(lan.fabric, &(struct capture_config){.file = next_memory_file(&files->base),
                                                         .application = "x",
                                                         .rotate_bytes = 40000,
                                                         .files = &files->base});

    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(lan_ping_now(&lan, 0, 1, 8000), PING_REPLY);
    bool is_whole = capture_free(capture, ret_error);
    lan_stop(&lan);
    return is_whole;
}

static void free_memory_files(struct memory_files *files)
{
    for (unsigned i = 0; i < files->count; i++) {
        fclose(files->files[i]);
        free(files->data[i]);
    }
}

static void full_files_are_followed_by_new_ones(void **state)
{
    struct memory_files files;
    int error = 0;
    (void)state;

    assert_true(capture_pings_in_turn(&files, 16, &error));
    /* 12 pings of 8042 bytes, there and back, leaving and arriving: 386 kB in files of 40 kB. */
    assert_in_range(files.count, 8, 10);
    for (unsigned i = 0; i < files.count; i++) {
        assert_int_equal(fflush(files.files[i]), 0);
        assert_memory_equal(files.data[i], "\x0a\x0d\x0d\x0a", 4); /* a section of its own */
        assert_true(files.bytes[i] < 40000 + 8200);
        if (i + 1 < files.count)
            assert_true(files.bytes[i] >= 40000);
    }
    free_memory_files(&files);
}

static void a_next_file_that_cannot_be_had_is_told(void **state)
{
    struct memory_files files;
    int error = 0;
    (void)state;

    assert_false(capture_pings_in_turn(&files, 3, &error));
    assert_int_equal(error, EMFILE);
    free_memory_files(&files);
}

int main(void)
{
    TEST(a_filter_captures_parts_and_what_they_dropped);
    TEST(full_files_are_followed_by_new_ones);
    TEST(a_next_file_that_cannot_be_had_is_told);
    TEST(a_capture_has_no_bad_frame);
    TEST(times_and_interfaces_are_those_of_the_run);
    TEST(equal_runs_leave_equal_files);
    TEST(a_capture_changes_no_digest);
    TEST(a_full_disk_is_told);
    return TEST_RUN("sim.net.capture");
}
