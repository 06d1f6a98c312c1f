/* One run with known figures, and what each expectation makes of it. */
#include "lab/judge.h"

#include "sim/core/time.h"
#include "tests/lab/files.h"
#include "tests/lab/find_io.h"
#include "tests/test.h"

#include <inttypes.h>

/* 'hv1' has two paths, the others one each; both disks are seen by all of them. */
enum { HV1, KVM_1, KVM_2, HOSTS };
enum { STORE, OWN };

/* Ends of buckets of the histogram, so that percentiles come out exactly. */
#define SHORT_NS  ((1 << 20) - 1)
#define LONGER_NS ((1 << 21) - 1)

struct lab {
    struct judge_source source;
    struct scenario_set *set;
    const struct topology *topology;
    const char *disks[2];
    unsigned disk_indices[2];
    struct host_names hosts[HOSTS];
    struct san_names names;
    struct open_ios *ios;
    struct pauses *pauses;
    struct judge *judge;
    struct rows rows;
    uint64_t too_big; /* frames dropped by port 1 of switch 1 so far */
    uint64_t full;    /* by port 8 of switch 2 */
    uint64_t counted; /* so far, of each kind, by path 1 of hv1; by other paths nothing */
    bool are_met;
};

static uint64_t frames_dropped(struct judge_source *source, struct part_ref part,
                               enum drop_reason reason)
{
    struct lab *lab = (struct lab *)source; /* its first member */
    bool is_any = reason == DROP_REASON_COUNT;
    bool is_port_1 = part.kind == PART_PORT && part.owner == 0 && part.index == 0;
    bool is_port_8 = part.kind == PART_PORT && part.owner == 1 && part.index == 7;
    uint64_t sum = 0;

    if ((is_any || reason == DROP_TOO_BIG) &&
        (is_port_1 || (part.kind == PART_SWITCH && part.index == 0)))
        sum += lab->too_big;
    if ((is_any || reason == DROP_QUEUE_FULL) &&
        (is_port_8 || (part.kind == PART_SWITCH && part.index == 1)))
        sum += lab->full;
    return sum;
}

static uint64_t path_count(struct judge_source *source, uint32_t path_index, enum measure measure)
{
    struct lab *lab = (struct lab *)source;

    if (measure == MEASURE_SESSIONS)
        return path_index == 1 ? 0 : 1;
    return path_index == 1 ? lab->counted : 0;
}

static void open_names(struct lab *lab)
{
    static const char *paths[4];

    assert_int_equal(lab->topology->host_count, HOSTS);
    assert_int_equal(lab->topology->path_count, 4);
    for (uint32_t p = 0; p < 4; p++)
        paths[p] = lab->topology->paths[p].name;
    for (uint32_t d = 0; d < 2; d++) {
        lab->disks[d] = lab->topology->disks[d].full_name;
        lab->disk_indices[d] = d;
    }
    for (uint32_t h = 0; h < HOSTS; h++)
        lab->hosts[h] = (struct host_names){.host = lab->topology->hosts[h].name,
                                            .disks = lab->disks,
                                            .disk_indices = lab->disk_indices,
                                            .disk_count = 2,
                                            .paths = paths + lab->topology->hosts[h].first_path,
                                            .path_count = lab->topology->hosts[h].path_count,
                                            .first_path = lab->topology->hosts[h].first_path};
    lab->names = (struct san_names){lab->hosts, HOSTS};
}

static struct scenario_set *load_files(const char *topology, const char *scenario)
{
    struct test_reader reader = test_reader_of(topology, scenario);
    struct errors *errors = mem_new(sizeof(*errors));

    errors_init(errors);
    struct scenario_set *set = scenario_load("s.yaml", NULL, 0, &reader.reader, errors);
    if (!set)
        errors_print(errors, stderr);
    errors_fini(errors);
    free(errors);
    assert_non_null(set);
    return set;
}

/* A lab whose scenario expects just this; "{...}" as in the file. */
static void open_lab(struct lab *lab, const char *expectation)
{
    static const char before[] =
        "kind: scenario\n"
        "format: 1\n"
        "name: story\n"
        "topology: t.yaml\n"
        "run-for: 100 s\n"
        "load: {work: {hosts: all, disk: san1.store, reads: 70 %, size: 8 KiB, rate: 500 per s}}\n"
        "steps:\n"
        "  - {at: 60 s, name: dies, pull: san-1}\n"
        "  - {after: dies + 10 s, name: returns, plug-in: san-1}\n"
        "  - {at: 85 s, name: nobody, pull: hv1-2, for: 1 s}\n"
        "expect:\n";
    char text[2048];

    *lab = (struct lab){.source = {frames_dropped, path_count}};
    snprintf(text, sizeof(text), "%s  - %s\n", before, expectation);
    lab->set = load_files(good_topology, text);
    lab->topology = lab->set->scenarios[0]->topology;
    open_names(lab);
    lab->ios = open_ios_new(&lab->names);
    lab->pauses = pauses_new(&lab->names);
    lab->judge = judge_new(lab->set->scenarios[0], &lab->names, lab->ios, &lab->source);
}

static void close_lab(struct lab *lab)
{
    judge_free(lab->judge);
    pauses_free(lab->pauses);
    open_ios_free(lab->ios);
    scenario_free(lab->set);
    rows_clear(&lab->rows);
}

/* What happens. */

/* The clock comes first: each moment is looked at when it is due, none is left out. */
static void go_to(struct lab *lab, int64_t at_ns)
{
    while (judge_deadline_ns(lab->judge) <= at_ns) {
        int64_t due_ns = judge_deadline_ns(lab->judge);

        judge_wake(lab->judge, due_ns);
        assert_true(judge_deadline_ns(lab->judge) > due_ns);
    }
}

static void submit(struct lab *lab, int64_t at_ns, uint32_t host, uint32_t disk, uint64_t io_id,
                   uint32_t path, uint32_t bytes)
{
    go_to(lab, at_ns);
    struct open_io *io = open_ios_add(lab->ios, host, disk, io_id);

    io->planned_at_ns = io->submitted_at_ns = at_ns;
    io->bytes = bytes;
    if (path != TRACE_NONE)
        open_ios_sent(lab->ios, io, path);
    pauses_submitted(lab->pauses, at_ns, host, disk);
}

static void end(struct lab *lab, int64_t at_ns, uint32_t host, uint64_t io_id, bool is_error)
{
    struct open_io *io;
    struct pause pause;

    go_to(lab, at_ns);
    io = find_io(lab->ios, &lab->names, host, io_id);
    if (pauses_done(lab->pauses, at_ns, host, io->disk, is_error, &pause))
        judge_pause(lab->judge, &pause);
    judge_done(lab->judge, at_ns, io, is_error);
    open_ios_remove(lab->ios, io);
}

static void path_of_disk(struct lab *lab, int64_t at_ns, uint32_t host, uint32_t disk,
                         uint32_t path, bool is_in_use, bool is_usable)
{
    go_to(lab, at_ns);
    judge_path(lab->judge, at_ns, &(struct trace_path){host, disk, path, "", "", ""}, is_in_use,
               is_usable);
}

static void path(struct lab *lab, int64_t at_ns, uint32_t host, uint32_t path, bool is_in_use,
                 bool is_usable)
{
    path_of_disk(lab, at_ns, host, STORE, path, is_in_use, is_usable);
    path_of_disk(lab, at_ns, host, OWN, path, is_in_use, is_usable);
}

static void all_paths_are_up(struct lab *lab)
{
    for (uint32_t h = 0; h < HOSTS; h++)
        for (uint32_t p = 0; p < lab->names.hosts[h].path_count; p++)
            path(lab, 0, h, p, true, true);
}

/* 'count' I/Os of hv1, alternating between its paths. */
static void load(struct lab *lab, int64_t from_ns, int64_t each_ns, int count, int64_t takes_ns)
{
    for (int i = 0; i < count; i++) {
        int64_t at_ns = from_ns + i * each_ns;

        submit(lab, at_ns, HV1, STORE, 1000 + (uint64_t)i, (uint32_t)i % 2, 8192);
        end(lab, at_ns + takes_ns, HV1, 1000 + (uint64_t)i, false);
    }
}

static void finish(struct lab *lab)
{
    struct pause pause;

    go_to(lab, SECONDS(100));
    for (uint32_t h = 0; h < HOSTS; h++)
        for (uint32_t d = 0; d < 2; d++)
            if (pauses_now(lab->pauses, SECONDS(100), h, d, &pause))
                judge_pause(lab->judge, &pause);
    lab->are_met = judge_finish(lab->judge, &lab->rows);
}

/* The cable of port-a is pulled at 60 s and back at 70 s: path 0 of every host. */
static void play(struct lab *lab)
{
    all_paths_are_up(lab);
    lab->full = 5; /* before any window that begins later */
    load(lab, SECONDS(10), MS(50), 100, SHORT_NS);
    submit(lab, SECONDS(15), KVM_1, STORE, 1, 0, 4096);
    load(lab, SECONDS(15), MS(50), 100, SHORT_NS);
    end(lab, SECONDS(20) - 1, KVM_1, 1, false);
    submit(lab, SECONDS(30), HV1, OWN, 1, 0, 4096);
    end(lab, SECONDS(31), HV1, 1, true);
    submit(lab, SECONDS(60) - MS(1), HV1, STORE, 2, 0, 8192);
    go_to(lab, SECONDS(60));
    judge_sign(lab->judge, SECONDS(61), HV1, 1); /* of an untouched path */
    judge_sign(lab->judge, SECONDS(61), HV1, TRACE_NONE);
    judge_sign(lab->judge, SECONDS(62), HV1, 0);
    judge_sign(lab->judge, SECONDS(63), HV1, 0);
    path(lab, SECONDS(64), KVM_1, 0, true, false); /* held */
    path(lab, SECONDS(65), HV1, 0, false, false);
    lab->too_big = 12;
    lab->counted = 3; /* at 65 s */
    end(lab, SECONDS(66), HV1, 2, false);
    path(lab, SECONDS(68), KVM_1, 0, false, false);
    path(lab, SECONDS(69), KVM_2, 0, false, false);
    load(lab, SECONDS(70), MS(100), 50, LONGER_NS);
    path(lab, SECONDS(75), HV1, 0, true, true);
    path(lab, SECONDS(76), KVM_1, 0, true, true);
    path(lab, SECONDS(82), HV1, 0, false, false); /* another trouble: no business of the steps */
    path(lab, SECONDS(83), HV1, 0, true, true);
    path_of_disk(lab, SECONDS(84), HV1, OWN, 1, false, false);
    submit(lab, SECONDS(90), HV1, STORE, 3, 1, 8192); /* never ends */
    lab->full = 7;
    lab->counted = 10; /* at 90 s */
    finish(lab);
}

/* What the judge wrote. */

static bool find_row(const struct lab *lab, const char *subject, struct message *ret_row,
                     size_t *ret_count)
{
    struct message m;
    bool is_found = false;

    *ret_count = 0;
    for (size_t at = 0; at < lab->rows.bytes; at += m.bytes) {
        message_decode(lab->rows.data + at, lab->rows.bytes - at, &m);
        assert_int_equal(m.kind, MESSAGE_ROW);
        assert_int_equal(m.table, TABLE_EXPECTATION);
        ++*ret_count;
        if (strcmp(m.values[1].text, subject) != 0)
            continue;
        *ret_row = m;
        is_found = true;
    }
    return is_found;
}

static void expect_verdict(const struct lab *lab, const char *subject, const char *measured,
                           const char *unit, const char *verdict)
{
    struct message row = {.kind = MESSAGE_NONE};
    size_t count;

    if (!find_row(lab, subject, &row, &count))
        fail_msg("no verdict on '%s'", subject);
    assert_string_equal(row.values[4].text, measured);
    assert_string_equal(row.values[5].text, unit);
    assert_string_equal(row.values[6].text, verdict);
}

static struct row {
    const char *name;
    const char *expectation;
    const char *subject;
    const char *measured; /* "": no samples */
    const char *unit;
    bool is_met;
    size_t verdicts; /* of the expectation; 0: one */
} rows[] = {
    {"errors of a host are those of all its disks",
     "{name: n, measure: io-errors, of: hv1, exactly: 1}", "hv1", "1", "count", true, 0},
    {"an error belongs to its disk", "{name: n, measure: io-errors, of: san1.store, exactly: 0}",
     "san1.store", "0", "count", true, 0},
    {"an error outside of the window does not count",
     "{name: n, measure: io-errors, of: hv1, from: 32 s, exactly: 0}", "hv1", "0", "count", true,
     0},
    {"a host without I/O has no errors to count: that fails",
     "{name: n, measure: io-errors, of: kvm-2, exactly: 0}", "kvm-2", "", "count", false, 0},
    {"each host is a verdict per host", "{name: n, measure: io-errors, of: each host, at-most: 1}",
     "kvm-1", "0", "count", true, 3},
    {"all hosts are one verdict on the sum",
     "{name: n, measure: io-errors, of: all hosts, exactly: 1}", "all hosts", "1", "count", true,
     1},
    {"each disk is a verdict per disk", "{name: n, measure: io-errors, of: each disk, exactly: 1}",
     "san1.own", "1", "count", true, 2},

    {"a pause begins before the fault and ends with the next completion",
     "{name: n, measure: longest-pause, of: hv1, from: dies, until: dies + 9 s, at-most: 6001 ms}",
     "hv1", "6001000000", "ns", true, 0},
    {"a pause that lasts at the end counts",
     "{name: n, measure: longest-pause, of: san1.store, from: 80 s, at-most: 9 s}", "san1.store",
     "10000000000", "ns", false, 0},
    {"a pause belongs to its disk", "{name: n, measure: longest-pause, of: san1.own, at-most: 1 s}",
     "san1.own", "1000000000", "ns", true, 0},
    {"no I/O, no pause to measure", "{name: n, measure: longest-pause, of: kvm-2, at-most: 1 s}",
     "kvm-2", "", "ns", false, 0},

    {"the longest I/O of a window may have begun before it",
     "{name: n, measure: longest-io, of: hv1, from: dies, until: dies + 9 s, exactly: 6001 ms}",
     "hv1", "6001000000", "ns", true, 0},
    {"an I/O unfinished at the end of the window counts with its age",
     "{name: n, measure: longest-io, of: hv1, from: 80 s, until: 95 s, exactly: 5 s}", "hv1",
     "5000000000", "ns", true, 0},
    {"an I/O unfinished at the end of the run counts with its age",
     "{name: n, measure: longest-io, of: all hosts, from: 80 s, exactly: 10 s}", "all hosts",
     "10000000000", "ns", true, 0},
    {"an unfinished I/O is seen without a window, too",
     "{name: n, measure: longest-io, of: hv1, exactly: 10 s}", "hv1", "10000000000", "ns", true, 0},
    {"an I/O that ended in error was outstanding as well",
     "{name: n, measure: longest-io, of: san1.own, at-most: 1 s}", "san1.own", "1000000000", "ns",
     true, 0},

    {"the median is that of the window",
     "{name: n, measure: latency, percentile: 50, of: hv1, from: 10 s, until: 20 s, at-most: 2 "
     "ms}",
     "hv1", "1048575", "ns", true, 0},
    {"the greatest latency is exact",
     "{name: n, measure: latency, percentile: 100, of: each host, until: 20 s, at-most: 4 s}",
     "kvm-1", "4999999999", "ns", false, 3},
    {"latency of a path is that of its own I/O",
     "{name: n, measure: latency, percentile: 99.9, of: hv1.iscsi2>san1.port-b, from: 70 s, "
     "at-most: 3 ms}",
     "hv1.iscsi2>san1.port-b", "2097151", "ns", true, 0},
    {"latency against another window is a share",
     "{name: n, measure: latency, percentile: 99, of: hv1, from: 70 s, until: 80 s, "
     "compared-with: {from: 10 s, until: 20 s}, at-most: 200 %}",
     "hv1", "2000000", "ppm", true, 0},
    {"an error has no latency",
     "{name: n, measure: latency, percentile: 50, of: san1.own, at-most: 2 s}", "san1.own", "",
     "ns", false, 0},

    {"I/O per second is completions over the window",
     "{name: n, measure: iops, of: hv1, from: 10 s, until: 20 s, exactly: 20 per s}", "hv1", "20",
     "per s", true, 0},
    {"a path has the completions that came over it",
     "{name: n, measure: iops, of: each path, from: 10 s, until: 20 s, at-least: 10 per s}",
     "hv1.iscsi1>san1.port-a", "10", "per s", true, 4},
    {"without a window it is the whole run",
     "{name: n, measure: iops, of: all disks, at-least: 3 per s}", "all disks", "2", "per s", false,
     0},
    {"half of what it was is 50 %",
     "{name: n, measure: iops, of: hv1, from: 70 s, until: 75 s, "
     "compared-with: {from: 10 s, until: 15 s}, at-least: 50 %}",
     "hv1", "500000", "ppm", true, 0},
    {"a base without I/O is nothing to compare with",
     "{name: n, measure: iops, of: hv1, from: 10 s, until: 20 s, "
     "compared-with: {from: 1 s, until: 2 s}, at-least: 1 %}",
     "hv1", "", "ppm", false, 0},
    {"throughput is bytes per second",
     "{name: n, measure: throughput, of: all hosts, from: 10 s, until: 20 s, at-most: 1 MiB/s}",
     "all hosts", "164249", "bytes per s", true, 0},
    {"throughput of a host without I/O is none, which is a figure",
     "{name: n, measure: throughput, of: kvm-2, at-most: 1 MiB/s}", "kvm-2", "0", "bytes per s",
     true, 0},

    {"paths are counted at the moment",
     "{name: n, measure: paths-usable, of: hv1, when: dies, "
     "exactly: 2}",
     "hv1", "2", "count", true, 0},
    {"a held path is not usable",
     "{name: n, measure: paths-usable, of: kvm-1, when: dies + 5 s, exactly: 0}", "kvm-1", "0",
     "count", true, 0},
    {"of a host, the disk with the fewest paths counts",
     "{name: n, measure: paths-usable, of: hv1, when: end, exactly: 1}", "hv1", "1", "count", true,
     0},
    {"of a disk, the paths of all hosts count",
     "{name: n, measure: paths-usable, of: san1.store, when: end, exactly: 3}", "san1.store", "3",
     "count", true, 0},
    {"of all disks, the sum over the disks",
     "{name: n, measure: paths-usable, of: all disks, when: end, exactly: 5}", "all disks", "5",
     "count", true, 0},
    {"of all hosts, the sum over the hosts",
     "{name: n, measure: paths-usable, of: all hosts, when: 50 s, exactly: 4}", "all hosts", "4",
     "count", true, 0},

    {"detection is the first sign on a touched path",
     "{name: n, measure: detected-after, since: dies, of: hv1, at-most: 2 s}", "hv1", "2000000000",
     "ns", true, 0},
    {"a change of state of the path is a sign",
     "{name: n, measure: detected-after, since: dies, of: kvm-1, at-most: 4 s}", "kvm-1",
     "4000000000", "ns", true, 0},
    {"an untouched path detects nothing",
     "{name: n, measure: detected-after, since: dies, of: hv1.iscsi2>san1.port-b, at-most: 9 s}",
     "hv1.iscsi2>san1.port-b", "", "ns", false, 0},
    {"the path failed when it left use, not when it was held",
     "{name: n, measure: path-failed-after, since: dies, of: each host, at-most: 7 s}", "kvm-1",
     "8000000000", "ns", false, 3},
    {"a path that fails again later failed at the first time",
     "{name: n, measure: path-failed-after, since: dies, of: hv1, at-most: 5 s}", "hv1",
     "5000000000", "ns", true, 0},
    {"the last path of all hosts counts",
     "{name: n, measure: path-failed-after, since: dies, of: all hosts, at-most: 9 s}", "all hosts",
     "9000000000", "ns", true, 0},
    {"a path that stayed in use for one of its disks did not fail",
     "{name: n, measure: path-failed-after, since: nobody, of: hv1, at-most: 9 s}", "hv1", "", "ns",
     false, 0},
    {"a path is back when it is usable after the repair",
     "{name: n, measure: path-usable-after, since: returns, of: hv1, at-most: 5 s}", "hv1",
     "5000000000", "ns", true, 0},
    {"since the fault, a path is usable again when it is back, not while it still seems to be",
     "{name: n, measure: path-usable-after, since: dies, of: hv1, at-most: 10 s}", "hv1",
     "15000000000", "ns", false, 0},
    {"a path that never returns is no sample",
     "{name: n, measure: path-usable-after, since: returns, of: all hosts, at-most: 30 s}",
     "all hosts", "", "ns", false, 0},
    {"a path that never stopped being usable took no time",
     "{name: n, measure: path-usable-after, since: nobody, of: hv1, at-most: 1 s}", "hv1", "0",
     "ns", true, 0},

    {"frames that were dropped before the window do not count",
     "{name: n, measure: frames-dropped, of: switch-2, from: 50 s, exactly: 2}", "switch-2", "2",
     "count", true, 0},
    {"frames that are dropped after the window do not count",
     "{name: n, measure: frames-dropped, of: all switches, from: 50 s, until: 80 s, exactly: 12}",
     "all switches", "12", "count", true, 0},
    {"frames are counted by reason",
     "{name: n, measure: frames-dropped, reason: too-big, of: all switches, exactly: 12}",
     "all switches", "12", "count", true, 0},
    {"each port is a verdict per port",
     "{name: n, measure: frames-dropped, of: each port, at-most: 12}", "switch-2.8", "7", "count",
     true, 16},
    {"retransmissions of a host are those of all its paths",
     "{name: n, measure: retransmissions, of: hv1, exactly: 10}", "hv1", "10", "count", true, 0},
    {"logins of a path in a window",
     "{name: n, measure: logins, of: 'hv1.iscsi2>san1.port-b', from: 70 s, exactly: 7}",
     "hv1.iscsi2>san1.port-b", "7", "count", true, 0},
    {"resets of a host without any", "{name: n, measure: resets, of: kvm-1, at-most: 0}", "kvm-1",
     "0", "count", true, 0},
    {"resets of all hosts", "{name: n, measure: resets, of: all hosts, until: 70 s, at-most: 2}",
     "all hosts", "3", "count", false, 0},
    {"sessions at a moment", "{name: n, measure: sessions, of: hv1, when: 50 s, exactly: 1}", "hv1",
     "1", "count", true, 0},
    {"sessions of a path", "{name: n, measure: sessions, of: each path, when: 50 s, at-least: 1}",
     "hv1.iscsi2>san1.port-b", "0", "count", false, 4},
    {"one port by name", "{name: n, measure: frames-dropped, of: switch-1.1, at-least: 13}",
     "switch-1.1", "12", "count", false, 0},
    {"all ports are one verdict on the sum",
     "{name: n, measure: frames-dropped, of: all ports, exactly: 19}", "all switch ports", "19",
     "count", true, 0},

    {"at-most holds at the bound", "{name: n, measure: io-errors, of: hv1, at-most: 1}", "hv1", "1",
     "count", true, 0},
    {"at-most fails above it", "{name: n, measure: io-errors, of: hv1, at-most: 0}", "hv1", "1",
     "count", false, 0},
    {"at-least holds at the bound", "{name: n, measure: io-errors, of: hv1, at-least: 1}", "hv1",
     "1", "count", true, 0},
    {"at-least fails below it", "{name: n, measure: io-errors, of: hv1, at-least: 2}", "hv1", "1",
     "count", false, 0},
    {"exactly fails beside it", "{name: n, measure: io-errors, of: hv1, exactly: 2}", "hv1", "1",
     "count", false, 0},
};

static void judges_the_run(void **state)
{
    const struct row *row = *state;
    struct message message;
    struct lab lab;
    size_t count;

    open_lab(&lab, row->expectation);
    play(&lab);
    expect_verdict(&lab, row->subject, row->measured, row->unit,
                   row->is_met             ? "met"
                   : row->measured[0] == 0 ? "no samples"
                                           : "not met");
    find_row(&lab, row->subject, &message, &count);
    assert_int_equal(count, row->verdicts ? row->verdicts : 1);
    if (count == 1)
        assert_int_equal(lab.are_met, row->is_met);
    close_lab(&lab);
}

static void one_verdict_that_is_not_met_fails_the_run(void **state)
{
    struct lab lab;
    (void)state;

    open_lab(&lab, "{name: n, measure: io-errors, of: each host, at-most: 0}");
    play(&lab);
    expect_verdict(&lab, "kvm-1", "0", "count", "met");
    expect_verdict(&lab, "hv1", "1", "count", "not met");
    assert_false(lab.are_met);
    close_lab(&lab);
}

static void a_verdict_says_what_was_asked(void **state)
{
    struct message row;
    struct lab lab;
    size_t count;
    (void)state;

    open_lab(&lab, "{name: half goes on, measure: iops, of: hv1, from: 70 s, until: 75 s, "
                   "compared-with: {from: 10 s, until: 15 s}, at-least: 45.5 %}");
    play(&lab);
    assert_true(find_row(&lab, "hv1", &row, &count));
    assert_string_equal(row.values[0].text, "half goes on");
    assert_string_equal(row.values[2].text, "iops");
    assert_string_equal(row.values[3].text, "at-least 45.5 %");
    close_lab(&lab);
}

static void an_io_that_ends_with_the_window_counts_on_either_side_of_the_clock(void **state)
{
    (void)state;
    for (int is_clock_first = 0; is_clock_first < 2; is_clock_first++) {
        struct lab lab;

        open_lab(&lab,
                 "{name: n, measure: longest-io, of: hv1, from: 10 s, until: 20 s, at-most: 1 s}");
        submit(&lab, SECONDS(12), HV1, STORE, 1, 0, 512);
        if (is_clock_first)
            go_to(&lab, SECONDS(20));
        judge_done(lab.judge, SECONDS(20), find_io(lab.ios, &lab.names, HV1, 1), false);
        open_ios_remove(lab.ios, find_io(lab.ios, &lab.names, HV1, 1));
        go_to(&lab, SECONDS(100));
        lab.are_met = judge_finish(lab.judge, &lab.rows);
        expect_verdict(&lab, "hv1", "8000000000", "ns", "not met");
        close_lab(&lab);
    }
}

static struct edge_row {
    const char *name;
    const char *expectation;
    const char *subject;
    const char *measured;
} edge_rows[] = {
    {"an I/O that ends with one window is none of it",
     "{name: n, measure: io-errors, of: hv1, from: 10 s, until: 20 s, exactly: 1}", "hv1", ""},
    {"it is one of the next",
     "{name: n, measure: io-errors, of: hv1, from: 20 s, until: 30 s, exactly: 1}", "hv1", "1"},
    {"latency counts from the planned start",
     "{name: n, measure: latency, percentile: 100, of: kvm-1, at-most: 1 s}", "kvm-1",
     "3000000000"},
    {"an I/O that ended on no path is none of any path's",
     "{name: n, measure: latency, percentile: 100, of: each path, at-most: 1 s}",
     "hv1.iscsi2>san1.port-b", ""},
    {"a path that is usable at its repair is back at once, whatever happens later",
     "{name: n, measure: path-usable-after, since: returns, of: hv1, exactly: 0 s}", "hv1", "0"},
};

static void is_right_at_the_edge(void **state)
{
    const struct edge_row *row = *state;
    struct message message = {.kind = MESSAGE_NONE};
    struct lab lab;
    size_t count;

    open_lab(&lab, row->expectation);
    all_paths_are_up(&lab);
    submit(&lab, SECONDS(12), HV1, STORE, 1, 0, 512);
    end(&lab, SECONDS(20), HV1, 1, true);
    submit(&lab, SECONDS(22), KVM_1, STORE, 1, TRACE_NONE, 512);
    find_io(lab.ios, &lab.names, KVM_1, 1)->planned_at_ns = SECONDS(21);
    end(&lab, SECONDS(24), KVM_1, 1, false);
    path(&lab, SECONDS(82), HV1, 0, false, false);
    path(&lab, SECONDS(83), HV1, 0, true, true);
    finish(&lab);
    assert_true(find_row(&lab, row->subject, &message, &count));
    assert_string_equal(message.values[4].text, row->measured);
    close_lab(&lab);
}

static void a_rule_that_is_to_break_turns_into_met(void **state)
{
    struct trace_broken broken = {"D1", HV1, TRACE_NONE, STORE, 8, "lost"};
    struct lab lab;
    (void)state;

    open_lab(&lab, "{name: n, breaks: D1}");
    assert_true(judge_broken(lab.judge, &broken));
    broken.rule = "D2";
    assert_false(judge_broken(lab.judge, &broken));
    finish(&lab);
    assert_true(lab.are_met);
    expect_verdict(&lab, "run", "broken", "rule", "met");
    close_lab(&lab);
}

static void a_rule_that_holds_although_it_was_to_break_fails(void **state)
{
    struct lab lab;
    (void)state;

    open_lab(&lab, "{name: n, breaks: D1}");
    assert_false(judge_broken(lab.judge, &(struct trace_broken){"D2", HV1, 0, STORE, 8, "stale"}));
    finish(&lab);
    assert_false(lab.are_met);
    expect_verdict(&lab, "run", "kept", "rule", "not met");
    close_lab(&lab);
}

static struct breaks_row {
    const char *name;
    const char *of;
    struct trace_broken broken;
    bool is_expected;
} breaks_rows[] = {
    {"a broken rule of the host that it was expected of",
     "hv1",
     {"D1", HV1, TRACE_NONE, TRACE_NONE, 0, ""},
     true},
    {"a broken rule of another host is none of it",
     "hv1",
     {"D1", KVM_1, TRACE_NONE, TRACE_NONE, 0, ""},
     false},
    {"a broken rule of nobody in particular",
     "hv1",
     {"D1", TRACE_NONE, TRACE_NONE, TRACE_NONE, 0, ""},
     true},
    {"a broken rule of the disk that it was expected of",
     "san1.own",
     {"D1", KVM_1, TRACE_NONE, OWN, 0, ""},
     true},
    {"a broken rule of another disk is none of it",
     "san1.own",
     {"D1", KVM_1, TRACE_NONE, STORE, 0, ""},
     false},
    {"a broken rule of the path that it was expected of",
     "hv1.iscsi2>san1.port-b",
     {"D1", HV1, 1, STORE, 0, ""},
     true},
    {"a broken rule of another path is none of it",
     "hv1.iscsi2>san1.port-b",
     {"D1", HV1, 0, STORE, 0, ""},
     false},
    {"a broken rule of another host's path is none of it",
     "hv1.iscsi2>san1.port-b",
     {"D1", KVM_2, TRACE_NONE, STORE, 0, ""},
     false},
};

static void knows_whose_rule_broke(void **state)
{
    const struct breaks_row *row = *state;
    char expectation[128];
    struct lab lab;

    snprintf(expectation, sizeof(expectation), "{name: n, breaks: D1, of: %s}", row->of);
    open_lab(&lab, expectation);
    assert_int_equal(judge_broken(lab.judge, &row->broken), row->is_expected);
    close_lab(&lab);
}

/* Two boxes and a cable: a SAN without switches. */
static const char direct_topology[] =
    "kind: topology\n"
    "format: 1\n"
    "name: direct\n"
    "defaults: {mtu: 9000, cable: {speed: 10 Gbit/s, length: 5 m}}\n"
    "hosts:\n"
    "  hv1:\n"
    "    profile: windows-server-2022\n"
    "    nics: {iscsi1: {address: 10.0.0.1/24}}\n"
    "    sessions: [{from: iscsi1, to: san1.port-a}]\n"
    "arrays:\n"
    "  san1:\n"
    "    profile: array-generic\n"
    "    target: iqn.2026-01.com.example:san1\n"
    "    nics: {port-a: {address: 10.0.0.101/24}}\n"
    "    disks: {store: {size: 1 GiB}}\n"
    "cables:\n"
    "  san-1: {from: hv1.iscsi1, to: san1.port-a}\n";

static struct nothing_row {
    const char *name;
    const char *of;
    const char *subject;
} nothing_rows[] = {
    {"each switch of a SAN without switches", "each switch", "all switches"},
    {"all switches of a SAN without switches", "all switches", "all switches"},
    {"each port of a SAN without switches", "each port", "all switch ports"},
};

static void what_matches_nothing_fails(void **state)
{
    static const char text[] = "kind: scenario\n"
                               "format: 1\n"
                               "name: story\n"
                               "topology: t.yaml\n"
                               "run-for: 100 s\n"
                               "expect:\n"
                               "  - {name: n, measure: frames-dropped, of: %s, at-most: 0}\n";
    const struct nothing_row *row = *state;
    const char *disks[] = {"san1.store"};
    const char *paths[] = {"hv1.iscsi1>san1.port-a"};
    unsigned disk_indices[] = {0};
    struct host_names host = {"hv1", disks, disk_indices, 1, paths, 1, 0};
    struct lab lab = {.source = {frames_dropped, path_count}, .names = {&host, 1}};
    char scenario[512];

    snprintf(scenario, sizeof(scenario), text, row->of);
    lab.set = load_files(direct_topology, scenario);
    lab.ios = open_ios_new(&lab.names);
    lab.judge = judge_new(lab.set->scenarios[0], &lab.names, lab.ios, &lab.source);
    go_to(&lab, SECONDS(100));
    assert_false(judge_finish(lab.judge, &lab.rows));
    expect_verdict(&lab, row->subject, "", "count", "no samples");
    close_lab(&lab);
}

int main(void)
{
    TEST_ROWS(rows, judges_the_run);
    TEST(one_verdict_that_is_not_met_fails_the_run);
    TEST(a_verdict_says_what_was_asked);
    TEST(an_io_that_ends_with_the_window_counts_on_either_side_of_the_clock);
    TEST_ROWS(edge_rows, is_right_at_the_edge);
    TEST(a_rule_that_is_to_break_turns_into_met);
    TEST(a_rule_that_holds_although_it_was_to_break_fails);
    TEST_ROWS(breaks_rows, knows_whose_rule_broke);
    TEST_ROWS(nothing_rows, what_matches_nothing_fails);
    return TEST_RUN("lab.judge");
}
