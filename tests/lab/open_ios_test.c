/* The I/O that the workload waits for, listed by age. */
#include "lab/open_ios.h"

#include "sim/core/random.h"
#include "sim/core/trace.h"
#include "tests/lab/find_io.h"
#include "tests/lab/small_names.h"
#include "tests/test.h"

static struct san_names names;
static struct open_ios *ios;

static int open_lab(void **state)
{
    (void)state;
    names = small_names();
    ios = open_ios_new(&names);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    open_ios_free(ios);
    return 0;
}

static void a_new_io_waits_in_its_host(void **state)
{
    (void)state;
    const struct open_io *io = open_ios_add(ios, HV1, OWN, 7);

    assert_int_equal(io->io_id, 7);
    assert_int_equal(io->host, HV1);
    assert_int_equal(io->disk, OWN);
    assert_int_equal(io->path, TRACE_NONE);
    assert_int_equal(io->sent_at_ns, -1);
    assert_int_equal(io->retries, 0);
    assert_null(io->catches);
    assert_ptr_equal(open_ios_oldest(ios, HV1, OWN), io);
    assert_null(open_ios_oldest(ios, HV1, STORE));
    assert_int_equal(open_ios_count(ios, HV1, OWN), 1);
}

static void hosts_may_use_the_same_numbers(void **state)
{
    (void)state;
    open_ios_add(ios, HV1, STORE, 1);
    assert_null(find_io(ios, &names, HV2, 1));
    open_ios_add(ios, HV2, STORE, 1);
    open_ios_remove(ios, find_io(ios, &names, HV1, 1));
    assert_null(find_io(ios, &names, HV1, 1));
    assert_int_equal(find_io(ios, &names, HV2, 1)->host, HV2);
    assert_int_equal(open_ios_count(ios, HV1, STORE), 0);
    assert_int_equal(open_ios_count(ios, HV2, STORE), 1);
}

static void a_recycled_entry_remembers_nothing(void **state)
{
    (void)state;
    struct open_io *io = open_ios_add(ios, HV1, STORE, 1);

    open_ios_sent(ios, io, 1);
    io->retries = 3;
    io->sent_at_ns = 9;
    io->is_write = true;
    open_ios_remove(ios, io);
    io = open_ios_add(ios, HV2, STORE, 2);
    assert_int_equal(io->path, TRACE_NONE);
    assert_int_equal(io->retries, 0);
    assert_int_equal(io->sent_at_ns, -1);
    assert_false(io->is_write);
    assert_null(io->older);
    assert_null(io->younger);
}

static void expect_ages(uint32_t host, uint32_t disk, const uint64_t *ids, size_t count)
{
    const struct open_io *io = open_ios_oldest(ios, host, disk);
    const struct open_io *older = NULL;

    assert_int_equal(open_ios_count(ios, host, disk), count);
    for (size_t i = 0; i < count; i++, io = io->younger) {
        assert_non_null(io);
        assert_int_equal(io->io_id, ids[i]);
        assert_ptr_equal(io->older, older);
        older = io;
    }
    assert_null(io);
}

static void the_list_keeps_its_order_whichever_ends(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 4; id++)
        open_ios_add(ios, HV1, STORE, id);
    open_ios_remove(ios, find_io(ios, &names, HV1, 2)); /* from the middle */
    expect_ages(HV1, STORE, (uint64_t[]){1, 3, 4}, 3);
    open_ios_remove(ios, find_io(ios, &names, HV1, 4)); /* the youngest */
    open_ios_add(ios, HV1, STORE, 5);
    expect_ages(HV1, STORE, (uint64_t[]){1, 3, 5}, 3);
    open_ios_remove(ios, find_io(ios, &names, HV1, 1)); /* the oldest */
    expect_ages(HV1, STORE, (uint64_t[]){3, 5}, 2);
    open_ios_remove(ios, find_io(ios, &names, HV1, 5));
    open_ios_remove(ios, find_io(ios, &names, HV1, 3));
    expect_ages(HV1, STORE, NULL, 0);
}

static void expect_oldest(uint32_t path, uint64_t io_id)
{
    const struct open_io *io = open_ios_oldest_on(ios, HV1, STORE, path);

    assert_int_equal(io ? io->io_id : 0, io_id);
}

static void the_oldest_of_each_path_is_known(void **state)
{
    struct open_io *io[5];
    (void)state;

    for (uint64_t id = 1; id <= 4; id++)
        io[id] = open_ios_add(ios, HV1, STORE, id);
    expect_oldest(TRACE_NONE, 1);
    expect_oldest(0, 0);
    open_ios_sent(ios, io[2], 0);
    open_ios_sent(ios, io[1], 1);
    open_ios_sent(ios, io[3], 0);
    expect_oldest(TRACE_NONE, 4);
    expect_oldest(0, 2);
    expect_oldest(1, 1);
    open_ios_sent(ios, io[1], 0); /* sent again, elsewhere */
    expect_oldest(0, 1);
    expect_oldest(1, 0);
    open_ios_remove(ios, io[1]);
    expect_oldest(0, 2);
    open_ios_remove(ios, io[2]);
    expect_oldest(0, 3);
    open_ios_sent(ios, io[4], 1);
    expect_oldest(TRACE_NONE, 0);
    open_ios_remove(ios, io[3]);
    expect_oldest(0, 0);
    expect_oldest(1, 4);
}

/* As a walk over all of them says. */
static uint64_t oldest_by_walk(uint32_t host, uint32_t disk, uint32_t path)
{
    const struct open_io *io = open_ios_oldest(ios, host, disk);

    while (io && io->path != path)
        io = io->younger;
    return io ? io->io_id : UINT64_MAX;
}

static void expect_each_oldest(uint32_t host, uint32_t disk)
{
    const uint32_t paths[] = {0, 1, TRACE_NONE};

    for (size_t i = 0; i < 3; i++) {
        if (paths[i] != TRACE_NONE && paths[i] >= names.hosts[host].path_count)
            continue;
        const struct open_io *io = open_ios_oldest_on(ios, host, disk, paths[i]);

        assert_int_equal(io ? io->io_id : UINT64_MAX, oldest_by_walk(host, disk, paths[i]));
    }
}

/* Against a plain table: which disk each number is open on, 0 for none. */
static void thousands_come_move_and_go(void **state)
{
    static uint8_t open[2][500];
    size_t counts[2][2] = {{0}};
    struct random random;
    (void)state;

    random_init(&random, 1, "open_ios_test");
    for (int i = 0; i < 50000; i++) {
        uint32_t host = (uint32_t)random_below(&random, 2);
        uint64_t id = random_below(&random, 500);
        struct open_io *io = find_io(ios, &names, host, id);

        assert_int_equal(io ? io->disk + 1 : 0, open[host][id]);
        if (io && random_below(&random, 3) > 0) {
            open_ios_sent(ios, io, (uint32_t)random_below(&random, names.hosts[host].path_count));
        } else if (io) {
            counts[host][io->disk]--;
            open_ios_remove(ios, io);
            open[host][id] = 0;
        } else {
            uint32_t disk = host == HV1 ? (uint32_t)random_below(&random, 2) : STORE;

            open_ios_add(ios, host, disk, id);
            counts[host][disk]++;
            open[host][id] = (uint8_t)(disk + 1);
        }
        if (i % 16 == 0) {
            expect_each_oldest(HV1, STORE);
            expect_each_oldest(HV1, OWN);
            expect_each_oldest(HV2, STORE);
        }
    }
    assert_true(counts[HV1][STORE] + counts[HV1][OWN] + counts[HV2][STORE] > 200);
    assert_int_equal(open_ios_count(ios, HV1, STORE), counts[HV1][STORE]);
    assert_int_equal(open_ios_count(ios, HV1, OWN), counts[HV1][OWN]);
    assert_int_equal(open_ios_count(ios, HV2, STORE), counts[HV2][STORE]);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(a_new_io_waits_in_its_host),         STORY(hosts_may_use_the_same_numbers),
        STORY(a_recycled_entry_remembers_nothing), STORY(the_list_keeps_its_order_whichever_ends),
        STORY(the_oldest_of_each_path_is_known),   STORY(thousands_come_move_and_go),
    };

    return cmocka_run_group_tests_name("lab.open_ios", stories, NULL, NULL);
}
