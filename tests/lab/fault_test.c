/* Every verb on every part that it fits: what it does to frames, and that its undoing takes away
 * just that. A row of the table sends echo requests from hv1.iscsi1 over switch-1 to san1.port-a:
 *
 *     before - one layer - two layers - the older one undone - both undone
 *
 * and says what the layers cost, whether one or two of them are there. Rule P8 holds all the time.
 */
#include "lab/fault.h"

#include "lab/step_text.h"
#include "lab/world.h"
#include "lab/world_array.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/stream_watch.h"

#include "tests/lab/files.h"

#define PINGS      400
#define EACH_NS    MS(1)
#define FROM       0x0a000001u /* hv1.iscsi1 */
#define TO         0x0a000065u /* san1.port-a */
#define NONE       DROP_REASON_COUNT
#define DATA_BYTES 1000u /* of a request: its frame has 1042 */

/* What a phase of echo requests saw. */
struct seen {
    uint32_t requests[PINGS]; /* how often each arrived at the array */
    int64_t sent_ns[PINGS];
    int64_t first_ns[PINGS]; /* of its first arrival */
    uint32_t asked;
    uint32_t arrived; /* of those asked, at least once */
    uint32_t doubled; /* of those, more than once */
    uint32_t overtaken;
    int32_t newest;
    uint32_t answered;
    int64_t least_ns; /* one way */
    int64_t most_ns;
};

struct san {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct tap tap;
    struct scenario_set *set;
    const struct topology *topology;
    struct san_names names;
    struct world *world;
    struct faults *faults;
    struct file_set texts;
    struct errors *errors;
    struct ip_ping pings[PINGS];
    struct timer next_ping;
    uint32_t next;
    uint16_t first_sequence;
    struct seen seen;
    /* Of the workload. */
    uint32_t ios_done, io_errors;
    int64_t io_ns;
};

/* ---- Looking on ---- */

static void note_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                       const struct frame *frame)
{
    struct san *san = CONTAINER_OF(tap, struct san, tap);
    struct seen *seen = &san->seen;

    if (frame->protocol != PROTOCOL_ICMP || frame_transport(frame)[0] != ICMP_ECHO_REQUEST ||
        direction != DIRECTION_IN || !san->topology->nics[nic].is_array_nic)
        return;
    uint32_t number = (uint16_t)(get_be16(frame_transport(frame) + 6) - san->first_sequence);

    if (number >= PINGS)
        return; /* of the phase before */
    if (seen->requests[number]++ > 0)
        return;
    seen->first_ns[number] = at_ns;
    seen->overtaken += (int32_t)number < seen->newest;
    if ((int32_t)number > seen->newest)
        seen->newest = (int32_t)number;
}

static void ignore_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                        const struct frame *frame)
{
    (void)tap, (void)at_ns, (void)where, (void)reason, (void)frame;
}

static void note_io(struct trace *trace, int64_t at_ns, const struct trace_io *io)
{
    struct san *san = CONTAINER_OF(trace, struct san, trace);

    if (io->step != IO_DONE)
        return;
    san->ios_done++;
    san->io_errors += io->is_error;
    san->io_ns += at_ns - io->planned_at_ns;
}

/* ---- The SAN ---- */

static const char idle_scenario[] = "kind: scenario\nformat: 1\nname: idle\ntopology: t.yaml\n"
                                    "run-for: 1000000 s\n";
static const char busy_scenario[] =
    "kind: scenario\nformat: 1\nname: busy\ntopology: t.yaml\nrun-for: 1000000 s\n"
    "load:\n  work: {hosts: [hv1], disk: san1.store, reads: 100 %, size: 8 KiB, rate: 100 per s,"
    " area: 1 MiB}\n";

/* With 'with' in place of 'find' in the topology. */
static void start_with(struct san *san, const char *scenario, const char *find, const char *with)
{
    static const struct tap_ops tap_ops = {.frame = note_frame, .drop = ignore_drop};
    static struct trace_ops trace_ops;
    char *topology = replaced(good_topology, find, with);
    struct test_reader reader = test_reader_of(topology, scenario);

    trace_ops = *trace_nowhere_ops();
    trace_ops.io = note_io;
    *san = (struct san){.trace = {&trace_ops}, .tap = {&tap_ops}};
    event_queue_init(&san->queue);
    san->pool = pool_new();
    san->errors = mem_new(sizeof(*san->errors));
    errors_init(san->errors);
    san->set = scenario_load("s.yaml", NULL, 0, &reader.reader, san->errors);
    assert_non_null(san->set);
    free(topology);
    san->topology = san->set->scenarios[0]->topology;
    world_names_init(&san->names, san->topology);
    san->world = world_new(&(struct world_options){.scenario = san->set->scenarios[0],
                                                   .names = &san->names,
                                                   .queue = &san->queue,
                                                   .pool = san->pool,
                                                   .trace = &san->trace});
    fabric_set_tap(world_fabric(san->world), &san->tap);
    san->faults = faults_new(san->world, san->topology, &san->queue.clock);
    file_set_init(&san->texts, file_reader_disk());
}

static void start(struct san *san, const char *scenario)
{
    start_with(san, scenario, "  switch-1: {ports", "  switch-1: {ports");
}

static void check_frames(struct san *san)
{
    char text[300] = "";

    if (!fabric_check_conservation(world_fabric(san->world), text, sizeof(text)))
        fail_msg("P8: %s", text);
}

static void run_on(struct san *san, int64_t span_ns)
{
    event_queue_run(&san->queue, san->queue.clock.now_ns + span_ns, UINT64_MAX);
    check_frames(san);
}

static void stop(struct san *san)
{
    faults_free(san->faults);
    world_free(san->world);
    world_names_fini(&san->names);
    file_set_fini(&san->texts);
    scenario_free(san->set);
    errors_fini(san->errors);
    free(san->errors);
    assert_int_equal(san->queue.count, 0);
    event_queue_fini(&san->queue);
    assert_int_equal(pool_live_blocks(san->pool), 0);
    assert_int_equal(pool_live_bufs(san->pool), 0);
    assert_int_equal(pool_live_chunks(san->pool), 0);
    pool_free(san->pool);
}

static void read_step(struct san *san, const char *text, struct step *ret_step)
{
    if (step_read_text(san->topology, text, &san->texts, ret_step, san->errors))
        return;
    char *told = printed(san->errors);

    print_error("%s", told);
    free(told);
    fail();
}

/* ---- Echo requests ---- */

static void note_answer(struct ip_ping *ping, enum ping_result result)
{
    (void)ping, (void)result; /* it stays in the ping */
}

static void ask(struct timer *timer)
{
    struct san *san = CONTAINER_OF(timer, struct san, next_ping);
    struct ip_host *host = fabric_find_host(world_fabric(san->world), "hv1");
    struct ip_ping *ping = &san->pings[san->next];

    *ping = (struct ip_ping){.from = FROM,
                             .to = TO,
                             .data_bytes = DATA_BYTES,
                             .timeout_ns = SECONDS(5),
                             .on_done = note_answer};
    san->seen.sent_ns[san->next] = clock_now_ns(&san->queue.clock);
    ip_host_ping(host, ping);
    if (san->next == 0)
        san->first_sequence = ping->sequence;
    if (++san->next < PINGS)
        clock_arm(&san->queue.clock, timer, clock_now_ns(&san->queue.clock) + EACH_NS);
}

/* A phase: asks, waits for the answers, and counts. */
static const struct seen *look(struct san *san)
{
    struct seen *seen = &san->seen;

    *seen = (struct seen){.newest = -1, .least_ns = TIME_NEVER};
    san->next = 0;
    timer_init(&san->next_ping, ask);
    clock_arm(&san->queue.clock, &san->next_ping, clock_now_ns(&san->queue.clock));
    run_on(san, PINGS * EACH_NS + SECONDS(6));
    for (uint32_t i = 0; i < PINGS; i++) {
        seen->asked++;
        seen->answered += san->pings[i].result == PING_REPLY;
        seen->arrived += seen->requests[i] > 0;
        seen->doubled += seen->requests[i] > 1;
        if (seen->requests[i] == 0)
            continue;
        seen->least_ns = time_min(seen->least_ns, seen->first_ns[i] - seen->sent_ns[i]);
        seen->most_ns = time_max(seen->most_ns, seen->first_ns[i] - seen->sent_ns[i]);
    }
    return seen;
}

/* ---- The table ---- */

struct range {
    uint32_t least, most;
};

/* What a layer does to PINGS requests and their answers, whether one or two of it are there. */
static struct row {
    const char *name;      /* the step as one types it */
    struct range arrived;  /* requests at the array */
    struct range answered; /* replies at the host */
    struct range doubled;
    struct range overtaken;
    struct {
        int64_t least_ns, most_ns;
    } extra;                 /* that the slowest request takes more than before */
    const char *where;       /* drops are counted here, */
    enum drop_reason reason; /* with this word; NONE: nothing is dropped there */
    const char *inverse;     /* the step that undoes it; NULL: none does */
    int64_t boot_ns;         /* and then it boots */
} rows[] = {
#define NOBODY           .arrived = {0, 0}, .answered = {0, 0}
#define EVERYBODY        .arrived = {PINGS, PINGS}, .answered = {PINGS, PINGS}
#define UNHEARD          .arrived = {PINGS, PINGS}, .answered = {0, 0} /* the answers are lost */
#define SOME(low, high)  .arrived = {low, high}, .answered = {low, high}
#define DROPS(part, why) .where = (part), .reason = (why)

    /* Links down. */
    {"pull: hv1-1", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER), .inverse = "plug-in: hv1-1"},
    {"pull: {part: hv1-1, direction: to-switch-1}", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER),
     .inverse = "plug-in: hv1-1"},
    {"pull: {part: hv1-1, direction: to-hv1}", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER),
     .inverse = "plug-in: hv1-1"},
    {"disable: san1.port-a", NOBODY, DROPS("switch-1", NONE), /* flooded, and not kvm-1's */
     .inverse = "enable: san1.port-a"},
    {"disable: hv1.iscsi1", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER),
     .inverse = "enable: hv1.iscsi1"},
    {"disable: switch-1.1", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER),
     .inverse = "enable: switch-1.1"},
    {"flap: {part: hv1-1, down: 20 ms, up: 20 ms}", SOME(20, 380),
     DROPS("hv1.iscsi1", DROP_NO_CARRIER)},
    {"flap: {part: switch-1.1, down: 20 ms, up: 20 ms}", SOME(20, 380),
     DROPS("hv1.iscsi1", DROP_NO_CARRIER)},
    {"flap: {part: hv1.iscsi1, down: 20 ms, up: 20 ms}", SOME(20, 380),
     DROPS("hv1.iscsi1", DROP_NO_CARRIER)},

    /* Power and crashes. */
    {"power-off: switch-1", NOBODY, DROPS("hv1.iscsi1", DROP_NO_CARRIER),
     .inverse = "power-on: switch-1", .boot_ns = SECONDS(90)},
    {"power-off: hv1", NOBODY, DROPS("hv1.iscsi1", NONE), .inverse = "power-on: hv1",
     .boot_ns = SECONDS(1000)},
    {"power-off: san1", NOBODY, DROPS("switch-1.8", NONE), .inverse = "power-on: san1",
     .boot_ns = SECONDS(1000)},
    {"crash: hv1", NOBODY, DROPS("hv1.iscsi1", NONE), .inverse = "restart: hv1",
     .boot_ns = SECONDS(1000)},
    {"crash: san1", UNHEARD,
     DROPS("san1.port-a", DROP_POWERED_OFF), /* an ARP request may go first */
     .extra = {0, 68}, .inverse = "restart: san1", .boot_ns = SECONDS(1000)},

    /* Silence. */
    {"freeze: hv1.iscsi1", NOBODY, DROPS("hv1.iscsi1", DROP_FROZEN), .inverse = "thaw: hv1.iscsi1"},
    {"freeze: {part: hv1.iscsi1, direction: to-hv1}", UNHEARD, DROPS("hv1.iscsi1", DROP_FROZEN),
     .inverse = "thaw: hv1.iscsi1"},
    {"freeze: {part: hv1.iscsi1, direction: to-switch-1}", NOBODY, DROPS("hv1.iscsi1", DROP_FROZEN),
     .inverse = "thaw: hv1.iscsi1"},
    {"freeze: {part: switch-1.8, direction: to-san1}", NOBODY, DROPS("switch-1.8", DROP_FROZEN),
     .inverse = "thaw: switch-1.8"},
    {"freeze: {part: hv1, direction: to-switch-1}", NOBODY, DROPS("hv1.iscsi1", DROP_FROZEN),
     .inverse = "thaw: hv1"},
    {"freeze: {part: san1, direction: to-san1}", NOBODY, DROPS("san1.port-a", DROP_FROZEN),
     .inverse = "thaw: san1"},
    {"freeze: {part: switch-1, direction: to-san1}", NOBODY, DROPS("switch-1.8", DROP_FROZEN),
     .inverse = "thaw: switch-1"},
    {"freeze: switch-1.8", NOBODY, DROPS("switch-1.8", DROP_FROZEN), .inverse = "thaw: switch-1.8"},
    {"freeze: {part: switch-1.8, direction: to-switch-1}", UNHEARD,
     DROPS("switch-1.8", DROP_FROZEN), .inverse = "thaw: switch-1.8"},
    {"freeze: switch-1", NOBODY, DROPS("switch-1", DROP_FROZEN), .inverse = "thaw: switch-1"},
    {"freeze: {part: switch-1, direction: to-hv1}", UNHEARD, DROPS("switch-1.1", DROP_FROZEN),
     .inverse = "thaw: switch-1"},
    {"freeze: {part: switch-1, direction: to-switch-1}", NOBODY, DROPS("switch-1.1", DROP_FROZEN),
     .inverse = "thaw: switch-1"},
    {"freeze: hv1", NOBODY, DROPS("hv1.iscsi1", DROP_FROZEN), .inverse = "thaw: hv1"},
    {"freeze: {part: hv1, direction: to-hv1}", UNHEARD, DROPS("hv1.iscsi1", DROP_FROZEN),
     .inverse = "thaw: hv1"},
    {"freeze: {part: hv1, direction: to-switch-2}", EVERYBODY, DROPS("hv1.iscsi1", NONE),
     .inverse = "thaw: hv1"},
    {"freeze: san1", NOBODY, DROPS("san1.port-a", DROP_FROZEN), .inverse = "thaw: san1"},
    {"freeze: {part: san1, direction: to-switch-1}", UNHEARD, DROPS("san1.port-a", DROP_FROZEN),
     .inverse = "thaw: san1"},
    {"block: switch-1.1", NOBODY, DROPS("switch-1.1", DROP_BLOCKED),
     .inverse = "unblock: switch-1.1"},
    {"block: switch-1.8", NOBODY, DROPS("switch-1", NONE), .inverse = "unblock: switch-1.8"},
    /* The switch honours no PAUSE here, and the NIC does: its requests wait in its queue. */
    {"flood-pause: san1.port-a", EVERYBODY, DROPS("switch-1.8", DROP_CONTROL), .extra = {0, US(2)},
     .inverse = "stop-pause: san1.port-a"},
    {"flood-pause: switch-1.1", SOME(0, 1), DROPS("hv1.iscsi1", DROP_QUEUE_FULL),
     .inverse = "stop-pause: switch-1.1"},

    /* Losses. */
    {"lose: hv1-1", NOBODY, DROPS("hv1-1", DROP_LOSS)},
    {"lose: {part: hv1-1, direction: to-hv1}", UNHEARD, DROPS("switch-1.1", DROP_LOSS)},
    {"lose: {part: hv1-1, rate: 20 %, direction: to-switch-1}", SOME(200, 370),
     DROPS("hv1.iscsi1", DROP_LOSS)},
    {"lose: {part: hv1-1, rate: 20 %, burst: 5, direction: to-switch-1}", SOME(140, 390),
     DROPS("hv1.iscsi1", DROP_LOSS)},
    {"lose: {part: hv1-1, every: 10, direction: to-switch-1}", SOME(318, 362),
     DROPS("hv1.iscsi1", DROP_LOSS)},
    {"lose: {part: hv1-1, every: 20, burst: 4, direction: to-switch-1}", SOME(230, 324),
     DROPS("hv1.iscsi1", DROP_LOSS)},
    {"lose: {part: hv1-1, larger-than: 1041 B}", NOBODY, DROPS("hv1-1", DROP_LOSS)},
    {"lose: {part: hv1-1, larger-than: 1042 B}", EVERYBODY, DROPS("hv1-1", NONE)},
    {"lose: {part: switch-1.1, every: 4, direction: to-switch-1}", SOME(180, 304),
     DROPS("switch-1.1", DROP_LOSS)},
    {"lose: {part: switch-1.1, every: 4, direction: to-hv1}", .arrived = {PINGS, PINGS},
     .answered = {180, 304}, DROPS("switch-1.1", DROP_LOSS)},
    {"lose: {part: san1.port-a, every: 4, direction: to-san1}", .arrived = {180, 304},
     .answered = {180, 304}, DROPS("san1.port-a", DROP_LOSS)},
    {"lose: {part: hv1.iscsi1, every: 4, direction: to-switch-1}", SOME(180, 304),
     DROPS("hv1.iscsi1", DROP_LOSS)},

    {"lose: {part: san1.port-a, every: 4, direction: to-switch-1}", .arrived = {PINGS, PINGS},
     .answered = {180, 304}, DROPS("san1.port-a", DROP_LOSS)},
    {"lose: {part: switch-1.8, rate: 50 %, direction: to-san1}", SOME(60, 240),
     DROPS("switch-1.8", DROP_LOSS)},

    /* Damage. */
    {"corrupt: {part: hv1-1, rate: 20 %, direction: to-switch-1}", SOME(200, 370),
     DROPS("hv1.iscsi1", DROP_CORRUPT)},
    {"corrupt: {part: san-1, rate: 20 %, seen-by: checksum, direction: to-san1}",
     .arrived = {200, PINGS}, .answered = {120, 370}, DROPS("san1.port-a", DROP_BAD_CHECKSUM)},
    {"corrupt: {part: hv1-1, rate: 20 %, seen-by: nobody, direction: to-switch-1}", EVERYBODY,
     DROPS("hv1.iscsi1", NONE)},
    {"corrupt: {part: switch-1, rate: 20 %}", .arrived = {200, 370}, .answered = {100, 340},
     DROPS("switch-1", DROP_CORRUPT)},
    {"corrupt: {part: switch-1, rate: 20 %, direction: to-san1}", SOME(200, 370),
     DROPS("switch-1.8", DROP_CORRUPT)},

    {"corrupt: {part: switch-1, rate: 20 %, seen-by: checksum}", .arrived = {200, PINGS},
     .answered = {80, 340}, DROPS("san1.port-a", DROP_BAD_CHECKSUM)},
    {"corrupt: {part: switch-1, rate: 20 %, seen-by: nobody}", EVERYBODY, DROPS("switch-1", NONE)},

    /* Copies, order and time. */
    {"duplicate: {part: hv1-1, rate: 20 %, direction: to-switch-1}", EVERYBODY,
     .doubled = {30, 200}, DROPS("hv1.iscsi1", NONE)},
    {"duplicate: {part: switch-1, rate: 20 %}", EVERYBODY, .doubled = {30, 200},
     DROPS("switch-1", NONE)},
    {"reorder: {part: hv1-1, rate: 20 %, by: 3500 us}", EVERYBODY, .overtaken = {30, 300},
     .extra = {US(3500), US(7000)}, DROPS("hv1-1", NONE)},
    {"reorder: {part: switch-1, rate: 20 %, by: 3500 us}", EVERYBODY, .overtaken = {30, 300},
     .extra = {US(3500), US(7000)}, DROPS("switch-1", NONE)},
    {"duplicate: {part: switch-1, rate: 20 %, direction: to-hv1}", EVERYBODY,
     DROPS("switch-1", NONE)},
    {"reorder: {part: switch-1, rate: 20 %, by: 3500 us, direction: to-san1}", EVERYBODY,
     .overtaken = {30, 300}, .extra = {US(3500), US(7000)}, DROPS("switch-1", NONE)},
    {"reorder: {part: hv1-1, rate: 20 %, by: 3500 us, direction: to-hv1}", EVERYBODY,
     DROPS("hv1-1", NONE)},
    {"delay: {part: hv1-1, by: 3 ms, jitter: 1 ms, direction: to-switch-1}", EVERYBODY,
     .extra = {MS(3), MS(8)}, DROPS("hv1-1", NONE)},
    {"delay: {part: hv1-1, by: 3 ms, direction: to-switch-1}", EVERYBODY, .extra = {MS(3), MS(6)},
     DROPS("hv1-1", NONE)},
    {"delay: {part: hv1-1, by: 3 ms, direction: to-hv1}", EVERYBODY, DROPS("hv1-1", NONE)},
    {"delay: {part: switch-1, by: 3 ms, jitter: 1 ms}", EVERYBODY, .extra = {MS(3), MS(8)},
     DROPS("switch-1", NONE)},
    {"delay: {part: switch-1, by: 3 ms, direction: to-san1}", EVERYBODY, .extra = {MS(3), MS(6)},
     DROPS("switch-1", NONE)},
    /* 1042 bytes, preamble 8, FCS 4: 843.2 us at 10 Mbit/s instead of 0.8 us */
    {"throttle: {part: hv1-1, to: 10 Mbit/s, direction: to-switch-1}", EVERYBODY,
     .extra = {US(842), US(843)}, DROPS("hv1.iscsi1", NONE)},
    {"throttle: {part: switch-1.8, to: 10 Mbit/s, direction: to-san1}", EVERYBODY,
     .extra = {US(842), US(843)}, DROPS("switch-1.8", NONE)},
    {"throttle: {part: hv1.iscsi1, to: 10 Mbit/s, direction: to-switch-1}", EVERYBODY,
     .extra = {US(842), US(843)}, DROPS("hv1.iscsi1", NONE)},
    {"throttle: {part: hv1.iscsi1, to: 10 Mbit/s, direction: to-hv1}", EVERYBODY,
     DROPS("hv1.iscsi1", NONE)},
    {"throttle: {part: san1.port-a, to: 10 Mbit/s}", EVERYBODY, .extra = {US(842), US(843)},
     DROPS("switch-1.8", NONE)},

    /* Settings. */
    {"change: {what: switches.switch-1.mtu, to: 1000}", NOBODY, DROPS("switch-1", DROP_TOO_BIG)},
    {"change: {what: switches.*.forwarding-delay, to: 1 ms}", EVERYBODY,
     .extra = {US(998), US(998)}, DROPS("switch-1", NONE)},
    {"change: {what: arrays.san1.nics.port-a.mtu, to: 1000}", NOBODY,
     DROPS("san1.port-a", DROP_TOO_BIG)},
    {"change: {what: hosts.hv1.nics.*.mtu, to: 1000}", NOBODY, DROPS("hv1.iscsi1", NONE)},
    {"change: {what: cables.hv1-1.speed, to: 10 Mbit/s}", EVERYBODY, .extra = {US(842), US(843)},
     DROPS("hv1.iscsi1", NONE)},
    {"change: {what: cables.hv1-1.delay, to: 2 ms}", EVERYBODY, .extra = {MS(2), MS(2)},
     DROPS("hv1.iscsi1", NONE)},
};

static uint64_t dropped(struct san *san, const struct row *row, enum drop_reason reason)
{
    return fabric_dropped(world_fabric(san->world), row->where, reason);
}

static void assert_effect(struct san *san, const struct row *row, int64_t before_ns)
{
    uint64_t dropped_before = dropped(san, row, row->reason);
    const struct seen *seen = look(san);
    uint64_t dropped_now = dropped(san, row, row->reason) - dropped_before;

    assert_in_range(seen->arrived, row->arrived.least, row->arrived.most);
    assert_in_range(seen->answered, row->answered.least, row->answered.most);
    assert_in_range(seen->doubled, row->doubled.least, row->doubled.most);
    assert_in_range(seen->overtaken, row->overtaken.least, row->overtaken.most);
    if (row->reason == NONE)
        assert_int_equal(dropped_now, 0);
    else
        assert_true(dropped_now > 0);
    if (seen->arrived == PINGS)
        assert_in_range(seen->most_ns - before_ns, row->extra.least_ns, row->extra.most_ns);
}

/* As if nothing had been: every request, once, in order, at its time. */
static void assert_no_effect(struct san *san, int64_t before_ns)
{
    const struct seen *seen = look(san);

    assert_int_equal(seen->arrived, PINGS);
    assert_int_equal(seen->answered, PINGS);
    assert_int_equal(seen->doubled, 0);
    assert_int_equal(seen->overtaken, 0);
    assert_int_equal(seen->most_ns, before_ns);
}

static void has_its_effect_and_its_undo(void **state)
{
    const struct row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;
    struct step inverse;

    start(san, idle_scenario);
    read_step(san, row->name, &step);
    (void)look(san); /* neighbours know each other from here on */
    int64_t before_ns = look(san)->most_ns;
    struct fault_layer *older = faults_begin(san->faults, &step);

    assert_effect(san, row, before_ns);
    struct fault_layer *newer = faults_begin(san->faults, &step);

    assert_effect(san, row, before_ns);
    if (row->inverse) {
        read_step(san, row->inverse, &inverse);
        assert_ptr_equal(faults_find(san->faults, &inverse), newer);
    }
    faults_end(san->faults, older);
    run_on(san, row->boot_ns);
    assert_effect(san, row, before_ns);
    faults_end(san->faults, newer);
    if (row->inverse) {
        assert_null(faults_find(san->faults, &inverse));
        step_fini(&inverse);
    }
    run_on(san, row->boot_ns);
    (void)look(san);
    assert_no_effect(san, before_ns);
    step_fini(&step);
    stop(san);
    free(san);
}

/* ---- Settings that are felt when something else happens ---- */

static struct setting_row {
    const char *name;
    const char *trouble;    /* in which the setting shows, begun before the requests; */
    bool trouble_is_over;   /* and ended before them, too */
    const char *memory;     /* of switch-1, in the topology; NULL: the usual */
    struct range untouched; /* requests that arrive without the change, */
    struct range arrived;   /* and with it, once or twice */
    const char *where;
    enum drop_reason reason;
} setting_rows[] = {
    {"change: {what: switches.switch-1.port-forwarding-delay, to: 200 ms}", "pull: san-1", true,
     NULL, .untouched = {PINGS, PINGS}, .arrived = {199, 201}, DROPS("switch-1.8", NONE)},
    {"change: {what: switches.*.link-debounce, to: 200 ms}", "pull: san-1", true, NULL,
     .untouched = {PINGS, PINGS}, .arrived = {199, 201}, DROPS("switch-1.8", NONE)},
    /* 1.69 ms for each frame of 1.04 KB, and one each 1 ms: 0.4 bytes more per byte that came */
    {"change: {what: switches.switch-1.port-buffer, to: 16 KiB}",
     "throttle: {part: switch-1.8, to: 5 Mbit/s, direction: to-san1}", false, NULL,
     .untouched = {PINGS, PINGS}, .arrived = {240, 270}, DROPS("switch-1.8", DROP_QUEUE_FULL)},
    {"change: {what: switches.switch-1.shared-buffer, to: 64 KiB}",
     "throttle: {part: switch-1.8, to: 5 Mbit/s, direction: to-san1}", false,
     "shared-buffer: 4 MiB, buffer-alpha: 1", .untouched = {PINGS, PINGS}, .arrived = {240, 290},
     DROPS("switch-1.8", DROP_BUFFER_FULL)},
};

/* How many requests arrive in the row's trouble. */
static uint32_t arrive_in_trouble(struct san *san, const struct setting_row *row,
                                  const struct step *trouble)
{
    struct fault_layer *layer = faults_begin(san->faults, trouble);

    if (row->trouble_is_over) {
        run_on(san, SECONDS(1));
        faults_end(san->faults, layer);
    }
    uint32_t arrived = look(san)->arrived;

    if (!row->trouble_is_over)
        faults_end(san->faults, layer);
    return arrived;
}

static uint64_t trouble_drops(struct san *san, const struct setting_row *row)
{
    return row->reason == NONE ? 0
                               : fabric_dropped(world_fabric(san->world), row->where, row->reason);
}

static void shows_in_trouble_until_undone(void **state)
{
    const struct setting_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step trouble;
    struct step step;
    char with[128];

    snprintf(with, sizeof(with), "  switch-1: {%s%sports", row->memory ? row->memory : "",
             row->memory ? ", " : "");
    start_with(san, idle_scenario, "  switch-1: {ports", with);
    read_step(san, row->name, &step);
    read_step(san, row->trouble, &trouble);
    assert_int_equal(look(san)->arrived, PINGS);
    uint64_t before = trouble_drops(san, row);

    assert_in_range(arrive_in_trouble(san, row, &trouble), row->untouched.least,
                    row->untouched.most);
    assert_int_equal(trouble_drops(san, row), before);
    struct fault_layer *older = faults_begin(san->faults, &step);

    assert_in_range(arrive_in_trouble(san, row, &trouble), row->arrived.least, row->arrived.most);
    assert_int_equal(trouble_drops(san, row) > before, row->reason != NONE);
    struct fault_layer *newer = faults_begin(san->faults, &step);

    faults_end(san->faults, older);
    assert_in_range(arrive_in_trouble(san, row, &trouble), row->arrived.least, row->arrived.most);
    faults_end(san->faults, newer);
    before = trouble_drops(san, row);
    assert_in_range(arrive_in_trouble(san, row, &trouble), row->untouched.least,
                    row->untouched.most);
    assert_int_equal(trouble_drops(san, row), before);
    step_fini(&step);
    step_fini(&trouble);
    stop(san);
    free(san);
}

/* A switch that forgets within a second floods the first request after each pause. */
static void a_changed_age_forgets_sooner_until_undone(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step step;
    (void)state;

    start(san, idle_scenario);
    read_step(san, "change: {what: switches.switch-1.mac-age, to: 1 s}", &step);
    const struct sw *sw = world_switch(san->world, 0);

    (void)look(san);
    uint64_t flooded = switch_flooded_unknown(sw);

    assert_int_equal(look(san)->answered, PINGS);
    assert_int_equal(switch_flooded_unknown(sw), flooded);
    struct fault_layer *layer = faults_begin(san->faults, &step);

    assert_int_equal(look(san)->answered, PINGS);
    assert_int_equal(switch_flooded_unknown(sw), flooded + 1);
    faults_end(san->faults, layer);
    assert_int_equal(look(san)->answered, PINGS);
    assert_int_equal(switch_flooded_unknown(sw), flooded + 1);
    step_fini(&step);
    stop(san);
    free(san);
}

/* The newest change that is still there decides, whichever ends first; then the topology. */
static void the_newest_change_of_a_setting_decides(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step small;
    struct step large;
    (void)state;

    start(san, idle_scenario);
    read_step(san, "change: {what: switches.switch-1.mtu, to: 1000}", &small);
    read_step(san, "change: {what: switches.*.mtu, to: 2000}", &large);
    for (unsigned older_ends_first = 0; older_ends_first < 2; older_ends_first++) {
        struct fault_layer *older = faults_begin(san->faults, &small);

        assert_int_equal(look(san)->arrived, 0);
        struct fault_layer *newer = faults_begin(san->faults, &large);

        assert_int_equal(look(san)->arrived, PINGS);
        faults_end(san->faults, older_ends_first ? older : newer);
        assert_int_equal(look(san)->arrived, older_ends_first ? PINGS : 0);
        faults_end(san->faults, older_ends_first ? newer : older);
        assert_int_equal(look(san)->arrived, PINGS);
    }
    step_fini(&small);
    step_fini(&large);
    stop(san);
    free(san);
}

/* ---- What is over in a moment ---- */

static struct moment_row {
    const char *name;
} reboots[] = {
    {"reboot: {part: switch-1, boot-time: 5 s}"},
    {"reboot: {part: hv1, boot-time: 5 s}"},
    {"reboot: {part: san1, boot-time: 5 s}"},
};

static void is_gone_until_it_has_booted(void **state)
{
    const struct moment_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;

    start(san, idle_scenario);
    read_step(san, row->name, &step);
    (void)look(san);
    int64_t before_ns = look(san)->most_ns;

    assert_null(faults_begin(san->faults, &step));
    assert_int_equal(fault_recovery_ns(san->topology, &step), SECONDS(5));
    assert_int_equal(look(san)->arrived, 0);
    (void)look(san);
    assert_no_effect(san, before_ns);
    step_fini(&step);
    stop(san);
    free(san);
}

static void a_flushed_switch_floods_until_it_has_learned_again(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step step;
    (void)state;

    start(san, idle_scenario);
    read_step(san, "flush: switch-1", &step);
    (void)look(san);
    const struct sw *sw = world_switch(san->world, 0);
    uint64_t flooded = switch_flooded_unknown(sw);

    assert_int_not_equal(switch_mac_count(sw), 0);
    assert_null(faults_begin(san->faults, &step));
    assert_int_equal(switch_mac_count(sw), 0);
    assert_int_equal(look(san)->answered, PINGS);
    assert_int_equal(switch_flooded_unknown(sw), flooded + 1); /* the answer teaches it */
    step_fini(&step);
    stop(san);
    free(san);
}

/* The port at its other end honours PAUSE: all that goes to the NIC waits there, until the storm is
 * over. */
static void a_nic_that_floods_pause_hears_nothing(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step step;
    (void)state;

    start_with(san, idle_scenario, "  switch-1: {ports",
               "  switch-1: {flow-control: honour, ports");
    read_step(san, "flood-pause: san1.port-a", &step);
    assert_int_equal(look(san)->answered, PINGS);
    struct fault_layer *older = faults_begin(san->faults, &step);
    struct fault_layer *newer = faults_begin(san->faults, &step);

    assert_int_equal(look(san)->arrived, 0);
    faults_end(san->faults, older);
    assert_int_equal(look(san)->arrived, 0);
    faults_end(san->faults, newer);
    run_on(san, SECONDS(1));
    assert_int_equal(look(san)->answered, PINGS);
    step_fini(&step);
    stop(san);
    free(san);
}

/* ---- Media and sessions, under load ---- */

/* The mean latency of the workload over a second, and its errors. */
static int64_t measure(struct san *san, uint32_t *ret_errors)
{
    san->ios_done = 0;
    san->io_errors = 0;
    san->io_ns = 0;
    run_on(san, SECONDS(1));
    assert_in_range(san->ios_done, 80, 120);
    *ret_errors = san->io_errors;
    return san->io_ns / san->ios_done;
}

static struct media_row {
    const char *name;
    int64_t extra_least_ns, extra_most_ns; /* with one or two layers; a read takes 150 us */
    struct range errors;                   /* of about 100 reads of 16 of 2048 blocks */
} media_rows[] = {
    {"slow: {part: san1, by: 10 x}", US(1340), US(15000), {0, 0}},
    {"slow: {part: san1.store, by: 5 ms}", US(4990), US(10010), {0, 0}},
    {"slow: {part: san1.own, by: 5 ms}", 0, US(3), {0, 0}},
    {"change: {what: arrays.san1.media.read-time, to: 5 ms}", US(4840), US(4860), {0, 0}},
    {"change: {what: arrays.*.media.write-time, to: 5 ms}", -US(3), US(3), {0, 0}},
    {"fail-media: san1.store", -MS(1), MS(1), {80, 120}},
    {"fail-media: {part: san1.store, sense: read-error, area: 0-2047}", -MS(1), MS(1), {80, 120}},
    {"fail-media: {part: san1.store, sense: write-error}", -US(3), US(3), {0, 0}},
    {"fail-media: {part: san1.store, area: 0-1023}", -MS(1), MS(1), {25, 75}},
    {"fail-media: {part: san1.store, area: 4096-8191}", -US(3), US(3), {0, 0}},
    {"fail-media: san1.own", -US(3), US(3), {0, 0}},
};

static void assert_media(struct san *san, const struct media_row *row, int64_t before_ns)
{
    uint32_t errors;
    int64_t extra_ns = measure(san, &errors) - before_ns;

    if (extra_ns < row->extra_least_ns || extra_ns > row->extra_most_ns)
        fail_msg("a read takes %lld ns more", (long long)extra_ns);
    assert_in_range(errors, row->errors.least, row->errors.most);
}

static void is_felt_by_the_workload_until_undone(void **state)
{
    const struct media_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;
    uint32_t errors;

    start(san, busy_scenario);
    read_step(san, row->name, &step);
    world_start(san->world);
    run_on(san, SECONDS(10));
    int64_t before_ns = measure(san, &errors);
    struct fault_layer *older = faults_begin(san->faults, &step);

    assert_media(san, row, before_ns);
    struct fault_layer *newer = faults_begin(san->faults, &step);

    assert_media(san, row, before_ns);
    faults_end(san->faults, older);
    assert_media(san, row, before_ns);
    faults_end(san->faults, newer);
    run_on(san, SECONDS(1)); /* what began slowly ends */
    int64_t extra_ns = measure(san, &errors) - before_ns;

    assert_int_equal(errors, 0);
    assert_true(extra_ns > -US(3) && extra_ns < US(3));
    step_fini(&step);
    stop(san);
    free(san);
}

static struct session_row {
    const char *name;
    size_t left;      /* of the four sessions, */
    int64_t after_ns; /* right afterwards, or when hosts had the time to answer */
} session_rows[] = {
    {"drop-session: san1", 0, 0},
    {"drop-session: {part: san1, of: hv1}", 2, 0},
    {"ask-logout: san1", 0, US(500)},
    {"ask-logout: {part: san1, of: kvm-1}", 3, US(500)},
};

static void ends_sessions_and_they_come_back(void **state)
{
    const struct session_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;

    start(san, busy_scenario);
    read_step(san, row->name, &step);
    world_start(san->world);
    run_on(san, SECONDS(10));
    struct world_array *array = world_array(san->world, 0);

    assert_int_equal(world_array_sessions(array), 4);
    assert_null(faults_begin(san->faults, &step));
    run_on(san, row->after_ns);
    assert_int_equal(world_array_sessions(array), row->left);
    run_on(san, SECONDS(30));
    assert_int_equal(world_array_sessions(array), 4);
    assert_int_equal(san->io_errors, 0);
    step_fini(&step);
    stop(san);
    free(san);
}

/* The disk of a host that has just booted knows only the paths that came so far; the host may go
 * down again before the others did. */
static void a_host_goes_down_before_all_its_paths_came_back(void **state)
{
    static const char *const texts[] = {"power-off: switch-2",
                                        "reboot: {part: hv1, boot-time: 5 s}", "crash: hv1"};
    struct san *san = mem_new(sizeof(*san));
    struct step steps[ARRAY_SIZE(texts)];
    (void)state;

    start(san, busy_scenario);
    world_start(san->world);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        read_step(san, texts[i], &steps[i]);
        run_on(san, SECONDS(10));
        assert_int_equal(faults_begin(san->faults, &steps[i]) != NULL, i != 1);
    }
    run_on(san, SECONDS(1));
    stop(san);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        step_fini(&steps[i]);
    free(san);
}

/* What is left when a world ends is no leak, whatever it is. */
static void layers_may_outlive_the_run(void **state)
{
    static const char *const texts[] = {
        "slow: {part: san1, by: 2 x}",
        "fail-media: san1.own",
        "flap: {part: hv1-1, down: 1 s, up: 1 s}",
        "reorder: {part: switch-1, rate: 50 %, by: 1 s}",
        "duplicate: {part: san-1, rate: 50 %}",
        "power-off: hv1",
        "crash: san1",
    };
    struct san *san = mem_new(sizeof(*san));
    struct step steps[ARRAY_SIZE(texts)];
    (void)state;

    start(san, busy_scenario);
    world_start(san->world);
    run_on(san, SECONDS(5));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        read_step(san, texts[i], &steps[i]);
        assert_non_null(faults_begin(san->faults, &steps[i]));
        run_on(san, MS(100));
    }
    stop(san);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        step_fini(&steps[i]);
    free(san);
}

int main(void)
{
    TEST_ROWS(rows, has_its_effect_and_its_undo);
    TEST_ROWS(reboots, is_gone_until_it_has_booted);
    TEST_ROWS(setting_rows, shows_in_trouble_until_undone);
    TEST(a_changed_age_forgets_sooner_until_undone);
    TEST(the_newest_change_of_a_setting_decides);
    TEST(a_nic_that_floods_pause_hears_nothing);
    TEST(a_flushed_switch_floods_until_it_has_learned_again);
    TEST_ROWS(media_rows, is_felt_by_the_workload_until_undone);
    TEST_ROWS(session_rows, ends_sessions_and_they_come_back);
    TEST(a_host_goes_down_before_all_its_paths_came_back);
    TEST(layers_may_outlive_the_run);
    return TEST_RUN("lab.fault");
}
