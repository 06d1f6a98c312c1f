/* What the failover columns mean, in the awkward cases too. */
#include "lab/failover.h"

#include "lab/pauses.h"
#include "sim/core/time.h"
#include "tests/lab/find_io.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

/* Two hosts with two paths to one disk each. Path 0 runs over switch 1, path 1 over switch 2. */
struct lab {
    const char *disks[1];
    const char *paths[2][2];
    unsigned disk_indices[1];
    struct host_names hosts[2];
    struct san_names names;
    struct open_ios *ios;
    struct pauses *pauses;
    struct rows rows;
    struct failover *failover;
};

static void path(struct lab *lab, int64_t at_ns, uint32_t host, uint32_t index, const char *state,
                 bool is_in_use, bool is_usable)
{
    failover_path(lab->failover, at_ns,
                  &(struct trace_path){host, 0, index, "before", state, "a timer"}, is_in_use,
                  is_usable);
}

static int open_lab(void **state)
{
    static struct lab lab;

    lab =
        (struct lab){.disks = {"san1.disk"},
                     .paths = {{"hv1.a>san1.a", "hv1.b>san1.b"}, {"hv2.a>san1.a", "hv2.b>san1.b"}}};
    for (unsigned h = 0; h < 2; h++)
        lab.hosts[h] = (struct host_names){.host = h ? "hv2" : "hv1",
                                           .disks = lab.disks,
                                           .disk_indices = lab.disk_indices,
                                           .disk_count = 1,
                                           .paths = lab.paths[h],
                                           .path_count = 2,
                                           .first_path = 2 * h};
    lab.names = (struct san_names){lab.hosts, 2};
    lab.ios = open_ios_new(&lab.names);
    lab.pauses = pauses_new(&lab.names);
    lab.failover = failover_new(&lab.names, lab.ios, &lab.rows);
    for (uint32_t h = 0; h < 2; h++)
        for (uint32_t p = 0; p < 2; p++)
            path(&lab, 0, h, p, "active", true, true);
    *state = &lab;
    return 0;
}

static int close_lab(void **state)
{
    struct lab *lab = *state;

    failover_free(lab->failover);
    pauses_free(lab->pauses);
    open_ios_free(lab->ios);
    rows_clear(&lab->rows);
    return 0;
}

/* The workload. */

static void send_io(struct lab *lab, int64_t at_ns, uint32_t host, uint64_t io_id, uint32_t on_path)
{
    struct open_io *io = find_io(lab->ios, &lab->names, host, io_id);

    if (!io) {
        io = open_ios_add(lab->ios, host, 0, io_id);
        io->submitted_at_ns = io->planned_at_ns = at_ns;
        pauses_submitted(lab->pauses, at_ns, host, 0);
    }
    if (on_path == TRACE_NONE)
        return; /* it waits in the host */
    open_ios_sent(lab->ios, io, on_path);
    io->sent_at_ns = at_ns;
    failover_sent(lab->failover, at_ns, io);
}

static void end_io(struct lab *lab, int64_t at_ns, uint32_t host, uint64_t io_id, bool is_error)
{
    struct open_io *io = find_io(lab->ios, &lab->names, host, io_id);
    struct pause pause;

    if (pauses_done(lab->pauses, at_ns, host, 0, is_error, &pause))
        failover_pause(lab->failover, &pause);
    failover_done(lab->failover, at_ns, io, is_error);
    open_ios_remove(lab->ios, io);
}

static void whole_io(struct lab *lab, int64_t at_ns, uint32_t host, uint64_t io_id,
                     uint32_t on_path)
{
    send_io(lab, at_ns, host, io_id, on_path);
    end_io(lab, at_ns + MS(1), host, io_id, false);
}

static void sign(struct lab *lab, int64_t at_ns, uint32_t host, uint32_t on_path)
{
    failover_sign(
        lab->failover, at_ns,
        &(struct trace_sign){host, on_path, TRACE_NONE, LAYER_LINK, true, "carrier lost"});
}

/* Switch 1 dies: path 0 of both hosts. */
static void switch_1_dies(struct lab *lab, int64_t at_ns, uint32_t fault_id, const char *step)
{
    static const struct path_ref touched[] = {{0, 0}, {1, 0}};

    failover_fault(lab->failover, at_ns, fault_id, step, "power-off", "switch-1", touched, 2);
}

static void finish(struct lab *lab, int64_t at_ns)
{
    struct pause pause;

    for (uint32_t h = 0; h < 2; h++)
        if (pauses_now(lab->pauses, at_ns, h, 0, &pause))
            failover_pause(lab->failover, &pause);
    failover_finish(lab->failover, at_ns);
}

/* One value of the effect of a fault on a host's disk, by the name of its column. */
static struct value effect(const struct lab *lab, int64_t fault_id, const char *host,
                           const char *column)
{
    const struct table_def *def = table_def(TABLE_FAULT_EFFECT);
    struct message m;

    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        assert_int_equal(m.kind, MESSAGE_ROW);
        if (m.table != TABLE_FAULT_EFFECT || m.values[0].number != fault_id ||
            strcmp(m.values[1].text, host) != 0)
            continue;
        for (size_t i = 0; i < table_column_count(m.table); i++)
            if (strcmp(def->columns[i].name, column) == 0)
                return m.values[i];
    }
    fail_msg("no value of '%s' for fault %lld and %s", column, (long long)fault_id, host);
    return V_NULL;
}

static size_t count_rows(const struct lab *lab, enum table table)
{
    struct message m;
    size_t count = 0;

    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        count += m.kind == MESSAGE_ROW && m.table == table;
    }
    return count;
}

#define assert_number(lab, fault, host, column, wanted)                                            \
    do {                                                                                           \
        struct value value_ = effect(lab, fault, host, column);                                    \
        assert_int_equal(value_.kind, VALUE_INT);                                                  \
        assert_int_equal(value_.number, wanted);                                                   \
    } while (0)
#define assert_null_value(lab, fault, host, column)                                                \
    assert_int_equal(effect(lab, fault, host, column).kind, VALUE_NULL)

static void a_dead_switch_costs_detection_hold_and_retry(void **state)
{
    struct lab *lab = *state;

    whole_io(lab, SECONDS(9), 0, 1, 0);
    send_io(lab, SECONDS(10) - MS(1), 0, 2, 0); /* caught: outstanding at the fault */
    send_io(lab, SECONDS(10) - MS(1), 0, 3, 1); /* not caught */
    switch_1_dies(lab, SECONDS(10), 1, "dies");
    end_io(lab, SECONDS(10) + MS(1), 0, 3, false);
    send_io(lab, SECONDS(11), 0, 4, 0); /* caught: sent later, before the path left use */
    sign(lab, SECONDS(12), 0, 0);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    send_io(lab, SECONDS(25), 0, 2, 1);
    send_io(lab, SECONDS(25), 0, 4, 1);
    end_io(lab, SECONDS(25) + MS(2), 0, 2, false);
    end_io(lab, SECONDS(25) + MS(3), 0, 4, false);
    failover_repair(lab->failover, SECONDS(40), 1);
    path(lab, SECONDS(45), 0, 0, "active", true, true);
    whole_io(lab, SECONDS(46), 0, 5, 0);
    finish(lab, SECONDS(60));

    assert_number(lab, 1, "hv1", "affected", 1);
    assert_number(lab, 1, "hv1", "detected_ns", SECONDS(2));
    assert_string_equal(effect(lab, 1, "hv1", "detected_by").text, "link: carrier lost");
    assert_number(lab, 1, "hv1", "path_failed_ns", SECONDS(15));
    assert_number(lab, 1, "hv1", "first_io_ns", SECONDS(15) + MS(2));
    /* From the last completion (I/O 3) to the next one (I/O 2). */
    assert_number(lab, 1, "hv1", "longest_pause_ns", SECONDS(15) + MS(1));
    assert_number(lab, 1, "hv1", "longest_io_ns", SECONDS(15) + MS(3));
    assert_number(lab, 1, "hv1", "ios_caught", 2);
    assert_number(lab, 1, "hv1", "share_caught_ppm", 500000);
    assert_number(lab, 1, "hv1", "ios_retried", 2);
    assert_number(lab, 1, "hv1", "ios_recovered_in_place", 0);
    assert_number(lab, 1, "hv1", "still_waiting", 0);
    assert_number(lab, 1, "hv1", "io_errors", 0);
    assert_number(lab, 1, "hv1", "path_usable_ns", SECONDS(5));
    assert_number(lab, 1, "hv1", "path_first_io_ns", SECONDS(6) + MS(1));
    assert_int_equal(count_rows(lab, TABLE_CAUGHT_IO), 2);
}

static void no_io_outstanding_at_the_fault_is_no_share_and_no_pause(void **state)
{
    struct lab *lab = *state;

    whole_io(lab, SECONDS(1), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "dies");
    sign(lab, SECONDS(10), 0, 0);
    failover_repair(lab->failover, SECONDS(20), 1);
    finish(lab, SECONDS(30));

    assert_null_value(lab, 1, "hv1", "share_caught_ppm");
    assert_null_value(lab, 1, "hv1", "longest_pause_ns");
    assert_null_value(lab, 1, "hv1", "longest_io_ns");
    assert_null_value(lab, 1, "hv1", "first_io_ns");
    assert_number(lab, 1, "hv1", "ios_caught", 0);
    assert_number(lab, 1, "hv1", "detected_ns", 0);
}

static void repaired_before_anyone_noticed_recovers_in_place(void **state)
{
    struct lab *lab = *state;

    send_io(lab, SECONDS(10), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "blink");
    failover_repair(lab->failover, SECONDS(12), 1);
    end_io(lab, SECONDS(13), 0, 1, false); /* TCP sent it again */
    whole_io(lab, SECONDS(14), 0, 2, 0);
    finish(lab, SECONDS(30));

    assert_null_value(lab, 1, "hv1", "detected_ns");
    assert_string_equal(effect(lab, 1, "hv1", "detected_by").text, "nothing");
    assert_null_value(lab, 1, "hv1", "path_failed_ns");
    assert_null_value(lab, 1, "hv1", "first_io_ns");
    assert_number(lab, 1, "hv1", "ios_caught", 1);
    assert_number(lab, 1, "hv1", "ios_recovered_in_place", 1);
    assert_number(lab, 1, "hv1", "path_usable_ns", 0);
    assert_number(lab, 1, "hv1", "longest_io_ns", SECONDS(3));
    assert_number(lab, 1, "hv1", "span_end_ns", SECONDS(13));
    assert_number(lab, 1, "hv1", "path_first_io_ns", SECONDS(1));
}

static void overlapping_faults_name_each_other_and_are_measured_alone(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref second[] = {{0, 1}};

    send_io(lab, SECONDS(10), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "one");
    failover_fault(lab->failover, SECONDS(12), 2, "two", "pull", "hv1-2", second, 1);
    sign(lab, SECONDS(13), 0, 0);
    sign(lab, SECONDS(15), 0, 1);
    failover_repair(lab->failover, SECONDS(16), 2);
    failover_repair(lab->failover, SECONDS(18), 1);
    end_io(lab, SECONDS(19), 0, 1, false);
    switch_1_dies(lab, SECONDS(50), 3, "three");
    finish(lab, SECONDS(60));

    assert_string_equal(effect(lab, 1, "hv1", "overlaps").text, "two");
    assert_string_equal(effect(lab, 2, "hv1", "overlaps").text, "one");
    assert_string_equal(effect(lab, 3, "hv1", "overlaps").text, "");
    assert_number(lab, 1, "hv1", "detected_ns", SECONDS(3));
    assert_number(lab, 2, "hv1", "detected_ns", SECONDS(3));
    assert_number(lab, 1, "hv1", "ios_caught", 1);
    assert_number(lab, 2, "hv1", "ios_caught", 0);
}

static void all_paths_down_ends_in_errors_that_are_no_completions(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref both[] = {{0, 0}, {0, 1}};

    whole_io(lab, SECONDS(9), 0, 1, 0);
    send_io(lab, SECONDS(10), 0, 2, 0);
    send_io(lab, SECONDS(10), 0, 3, 1);
    failover_fault(lab->failover, SECONDS(10), 1, "dark", "power-off", "san1", both, 2);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    path(lab, SECONDS(26), 0, 1, "failed", false, false);
    end_io(lab, SECONDS(46), 0, 2, true);
    end_io(lab, SECONDS(46), 0, 3, true);
    send_io(lab, SECONDS(47), 0, 4, TRACE_NONE); /* never sent: fails at once */
    end_io(lab, SECONDS(47), 0, 4, true);
    finish(lab, SECONDS(60));

    assert_number(lab, 1, "hv1", "path_failed_ns", SECONDS(16));
    assert_null_value(lab, 1, "hv1", "first_io_ns");
    assert_number(lab, 1, "hv1", "io_errors", 3);
    assert_number(lab, 1, "hv1", "ios_caught", 2);
    assert_number(lab, 1, "hv1", "longest_pause_ns", SECONDS(36));
    assert_null_value(lab, 1, "hv1", "path_usable_ns");
    assert_null_value(lab, 1, "hv1", "path_first_io_ns");
    assert_number(lab, 1, "hv1", "span_end_ns", SECONDS(60));
}

static void half_of_the_io_goes_on_so_the_pause_is_short_and_the_io_long(void **state)
{
    struct lab *lab = *state;
    uint64_t id = 100;

    send_io(lab, SECONDS(10), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "dies");
    for (int64_t at_ns = SECONDS(10); at_ns < SECONDS(25); at_ns += MS(200))
        whole_io(lab, at_ns + MS(1), 0, id++, 1);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    send_io(lab, SECONDS(25), 0, 1, 1);
    end_io(lab, SECONDS(25) + MS(5), 0, 1, false);
    finish(lab, SECONDS(30));

    assert_number(lab, 1, "hv1", "longest_pause_ns", MS(203));
    assert_number(lab, 1, "hv1", "longest_io_ns", SECONDS(15) + MS(5));
}

static void a_path_that_never_returns_leaves_nulls_and_waiting_io(void **state)
{
    struct lab *lab = *state;

    send_io(lab, SECONDS(10), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "dies");
    path(lab, SECONDS(20), 0, 0, "failed", false, false);
    failover_repair(lab->failover, SECONDS(30), 1);
    finish(lab, SECONDS(60));

    assert_null_value(lab, 1, "hv1", "path_usable_ns");
    assert_null_value(lab, 1, "hv1", "path_first_io_ns");
    assert_number(lab, 1, "hv1", "still_waiting", 1);
    assert_number(lab, 1, "hv1", "longest_io_ns", SECONDS(50));
    assert_number(lab, 1, "hv1", "longest_pause_ns", SECONDS(50));
    assert_int_equal(count_rows(lab, TABLE_CAUGHT_IO), 1);
}

static void a_host_that_sees_nothing_has_a_row_that_says_so(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref only_hv1[] = {{0, 0}};

    send_io(lab, SECONDS(10), 1, 1, 0);
    failover_fault(lab->failover, SECONDS(10), 1, "pulled", "pull", "hv1-1", only_hv1, 1);
    end_io(lab, SECONDS(10) + MS(1), 1, 1, false);
    sign(lab, SECONDS(11), 0, 0);
    finish(lab, SECONDS(20));

    assert_number(lab, 1, "hv1", "affected", 1);
    assert_number(lab, 1, "hv2", "affected", 0);
    assert_null_value(lab, 1, "hv2", "detected_ns");
    assert_string_equal(effect(lab, 1, "hv2", "detected_by").text, "nothing");
    assert_number(lab, 1, "hv2", "ios_caught", 0);
    assert_null_value(lab, 1, "hv2", "path_usable_ns");
    assert_number(lab, 1, "hv2", "longest_io_ns", MS(1));
}

static void phases_add_up_to_the_first_io(void **state)
{
    struct lab *lab = *state;
    int64_t sum_ns = 0;
    struct message m;

    send_io(lab, SECONDS(10), 0, 1, 0);
    switch_1_dies(lab, SECONDS(10), 1, "dies");
    sign(lab, SECONDS(12), 0, 0);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    send_io(lab, SECONDS(26), 0, 1, 1);
    end_io(lab, SECONDS(26) + MS(5), 0, 1, false);
    finish(lab, SECONDS(30));
    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        if (m.table == TABLE_PAUSE_PHASE)
            sum_ns += m.values[5].number - m.values[4].number;
    }
    assert_int_equal(count_rows(lab, TABLE_PAUSE_PHASE), 4);
    assert_int_equal(sum_ns, SECONDS(16) + MS(5));
    assert_number(lab, 1, "hv1", "first_io_ns", sum_ns);
}

/* One phase of a host's only disk: "detect 0 to 5000 ms by X". */
static void assert_phase(const struct lab *lab, int64_t fault_id, size_t index, const char *wanted)
{
    struct message m;
    char text[160] = "none";
    size_t seen = 0;

    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        if (m.kind == MESSAGE_ROW && m.table == TABLE_PAUSE_PHASE &&
            m.values[0].number == fault_id && seen++ == index)
            snprintf(text, sizeof(text), "%s %lld to %lld ms by %s", m.values[3].text,
                     (long long)(m.values[4].number / MS(1)),
                     (long long)(m.values[5].number / MS(1)), m.values[6].text);
    }
    assert_string_equal(text, wanted);
}

/* Both cables of hv1 are out for 5 s; the sessions are back 2 s after the repair. */
static void a_path_that_was_only_held_is_usable_when_its_session_is_back(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref touched[] = {{0, 0}, {0, 1}};

    send_io(lab, SECONDS(10) - MS(1), 0, 1, 0);
    failover_fault(lab->failover, SECONDS(10), 1, "one", "pull", "hv1-1", &touched[0], 1);
    failover_fault(lab->failover, SECONDS(10), 2, "two", "pull", "hv1-2", &touched[1], 1);
    sign(lab, SECONDS(10), 0, 0);
    path(lab, SECONDS(10), 0, 0, "held", true, false);
    path(lab, SECONDS(11), 0, 1, "held", true, false);
    failover_repair(lab->failover, SECONDS(15), 1);
    failover_repair(lab->failover, SECONDS(15), 2);
    path(lab, SECONDS(17), 0, 0, "active", true, true);
    send_io(lab, SECONDS(17), 0, 1, 0);
    end_io(lab, SECONDS(17) + MS(3), 0, 1, false);
    path(lab, SECONDS(18), 0, 1, "active", true, true);
    finish(lab, SECONDS(30));

    assert_null_value(lab, 1, "hv1", "path_failed_ns");
    assert_number(lab, 1, "hv1", "path_usable_ns", SECONDS(2));
    assert_number(lab, 2, "hv1", "path_usable_ns", SECONDS(3));
    assert_phase(lab, 1, 0, "detect 10000 to 10000 ms by link: carrier lost");
    assert_phase(lab, 1, 1, "repair 10000 to 15000 ms by the repair");
    assert_phase(lab, 1, 2, "path-back 15000 to 17000 ms by a timer");
    assert_phase(lab, 1, 3, "first-io 17000 to 17003 ms by first good I/O");
    assert_phase(lab, 1, 4, "none");
}

static void an_answer_on_its_way_when_the_fault_came_ends_no_phase(void **state)
{
    struct lab *lab = *state;

    send_io(lab, SECONDS(10) - MS(1), 0, 1, 0);
    send_io(lab, SECONDS(10) - MS(1), 0, 2, 0);
    switch_1_dies(lab, SECONDS(10), 1, "blink");
    end_io(lab, SECONDS(10), 0, 1, false);
    failover_repair(lab->failover, SECONDS(12), 1);
    end_io(lab, SECONDS(13), 0, 2, false);
    finish(lab, SECONDS(30));

    assert_number(lab, 1, "hv1", "ios_recovered_in_place", 2);
    assert_phase(lab, 1, 0, "repair 10000 to 12000 ms by the repair");
    assert_phase(lab, 1, 1, "first-io 12000 to 13000 ms by first good I/O");
}

static void caught_io_that_is_given_up_has_phases_too(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref both[] = {{0, 0}, {0, 1}};

    send_io(lab, SECONDS(9), 0, 1, 0);
    failover_fault(lab->failover, SECONDS(10), 1, "dark", "power-off", "san1", both, 2);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    path(lab, SECONDS(25), 0, 1, "failed", false, false);
    end_io(lab, SECONDS(45), 0, 1, true);
    finish(lab, SECONDS(60));

    assert_phase(lab, 1, 0, "detect 10000 to 25000 ms by multipath: a timer");
    assert_phase(lab, 1, 1, "fail-path 25000 to 25000 ms by a timer");
    assert_phase(lab, 1, 2, "give-up 25000 to 45000 ms by an I/O error");
}

static void giving_up_is_named_by_what_the_host_did(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref both[] = {{0, 0}, {0, 1}};
    static const struct trace_sign removed = {
        .path = TRACE_NONE, .layer = LAYER_MULTIPATH, .is_change = true, .what = "disk removed"};

    send_io(lab, SECONDS(9), 0, 1, 0);
    failover_fault(lab->failover, SECONDS(10), 1, "dark", "power-off", "san1", both, 2);
    path(lab, SECONDS(24), 0, 0, "failed", false, false);
    path(lab, SECONDS(25), 0, 1, "failed", false, false);
    failover_sign(lab->failover, SECONDS(45), &removed);
    end_io(lab, SECONDS(45), 0, 1, true);
    finish(lab, SECONDS(60));
    assert_phase(lab, 1, 2, "give-up 24000 to 45000 ms by the disk was removed (PDORemovePeriod)");
}

static void giving_up_at_once_is_the_last_paths_timer(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref both[] = {{0, 0}, {0, 1}};

    send_io(lab, SECONDS(9), 0, 1, 0);
    failover_fault(lab->failover, SECONDS(10), 1, "dark", "power-off", "san1", both, 2);
    path(lab, SECONDS(24), 0, 0, "failed", false, false);
    path(lab, SECONDS(25), 0, 1, "failed", false, false);
    end_io(lab, SECONDS(25), 0, 1, true);
    finish(lab, SECONDS(60));
    assert_phase(lab, 1, 2, "give-up 24000 to 25000 ms by no path was left (recovery_tmo)");
}

static void a_retry_stays_with_the_fault_that_caught_it(void **state)
{
    struct lab *lab = *state;
    static const struct path_ref touched[] = {{0, 0}, {0, 1}};

    send_io(lab, SECONDS(9), 0, 1, 0);
    send_io(lab, SECONDS(9), 0, 2, 1);
    failover_fault(lab->failover, SECONDS(10), 1, "one", "pull", "hv1-1", &touched[0], 1);
    failover_fault(lab->failover, SECONDS(10), 2, "two", "pull", "hv1-2", &touched[1], 1);
    path(lab, SECONDS(25), 0, 0, "failed", false, false);
    send_io(lab, SECONDS(25), 0, 1, 1); /* path 1 is down as well, and still in use */
    send_io(lab, SECONDS(25), 0, 3, 1); /* a new one is caught there */
    finish(lab, SECONDS(30));

    assert_number(lab, 1, "hv1", "ios_caught", 1);
    assert_number(lab, 1, "hv1", "ios_retried", 1);
    assert_number(lab, 2, "hv1", "ios_caught", 2);
    assert_number(lab, 2, "hv1", "ios_retried", 0);
}

static void what_is_down_already_detects_no_fault(void **state)
{
    struct lab *lab = *state;

    path(lab, SECONDS(5), 0, 0, "failed", false, false);
    switch_1_dies(lab, SECONDS(10), 1, "again");
    failover_sign(
        lab->failover, SECONDS(10),
        &(struct trace_sign){0, 0, TRACE_NONE, LAYER_TCP, false, "connect failed: unreachable"});
    path(lab, SECONDS(11), 0, 0, "pending", false, false);
    path(lab, SECONDS(12), 0, 0, "active", true, true); /* another fault's repair */
    finish(lab, SECONDS(30));

    assert_null_value(lab, 1, "hv1", "detected_ns");
    assert_string_equal(effect(lab, 1, "hv1", "detected_by").text, "nothing");
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest stories[] = {
        STORY(a_dead_switch_costs_detection_hold_and_retry),
        STORY(no_io_outstanding_at_the_fault_is_no_share_and_no_pause),
        STORY(repaired_before_anyone_noticed_recovers_in_place),
        STORY(overlapping_faults_name_each_other_and_are_measured_alone),
        STORY(all_paths_down_ends_in_errors_that_are_no_completions),
        STORY(half_of_the_io_goes_on_so_the_pause_is_short_and_the_io_long),
        STORY(a_path_that_never_returns_leaves_nulls_and_waiting_io),
        STORY(a_host_that_sees_nothing_has_a_row_that_says_so),
        STORY(phases_add_up_to_the_first_io),
        STORY(a_path_that_was_only_held_is_usable_when_its_session_is_back),
        STORY(an_answer_on_its_way_when_the_fault_came_ends_no_phase),
        STORY(caught_io_that_is_given_up_has_phases_too),
        STORY(giving_up_is_named_by_what_the_host_did),
        STORY(giving_up_at_once_is_the_last_paths_timer),
        STORY(a_retry_stays_with_the_fault_that_caught_it),
        STORY(what_is_down_already_detects_no_fault),
    };

    return cmocka_run_group_tests_name("lab.failover", stories, NULL, NULL);
}
