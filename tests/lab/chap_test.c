/* Who gets in where hosts and arrays authenticate (CHAP), in a whole SAN: real logins over virtual
 * cables, with secrets that are right, wrong, missing, or change while sessions stand.
 */
#include "lab/fault.h"
#include "lab/step_text.h"
#include "lab/world.h"
#include "lab/world_array.h"
#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/time.h"

#include "tests/lab/files.h"

#define SIGNS_MOST 64

struct san {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct tap tap;
    struct scenario_set *set;
    struct san_names names;
    struct world *world;
    struct faults *faults;
    struct file_set texts;
    struct errors *errors;
    char signs[SIGNS_MOST][128]; /* "0 login failed: ...": of hv1, by path; '-': of no path */
    uint32_t sign_count;
    uint64_t bytes_hash; /* of all that was sent */
};

static void note_sign(struct trace *trace, int64_t at_ns, const struct trace_sign *sign)
{
    struct san *san = CONTAINER_OF(trace, struct san, trace);
    char path[16] = "-";
    (void)at_ns;

    if (sign->host != 0 || san->sign_count == SIGNS_MOST)
        return;
    if (sign->path != TRACE_NONE)
        snprintf(path, sizeof(path), "%u", sign->path);
    snprintf(san->signs[san->sign_count++], sizeof(san->signs[0]), "%s %s", path, sign->what);
}

static bool has_sign(const struct san *san, const char *text)
{
    for (uint32_t i = 0; i < san->sign_count; i++)
        if (strcmp(san->signs[i], text) == 0)
            return true;
    return false;
}

static void note_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                       const struct frame *frame)
{
    struct san *san = CONTAINER_OF(tap, struct san, tap);
    (void)nic, (void)direction;

    san->bytes_hash = hash64(&at_ns, sizeof(at_ns), san->bytes_hash);
    for (const struct buf *slice = frame->payload; slice; slice = slice->next)
        san->bytes_hash = hash64(buf_data(slice), slice->bytes, san->bytes_hash);
}

static void ignore_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                        const struct frame *frame)
{
    (void)tap, (void)at_ns, (void)where, (void)reason, (void)frame;
}

/* hv1 and its array say so of CHAP; nobody else is there. */
static void start(struct san *san, const char *seed, const char *sessions, const char *of_host,
                  const char *of_array)
{
    static const struct tap_ops tap_ops = {.frame = note_frame, .drop = ignore_drop};
    static struct trace_ops trace_ops;
    char topology[4096];
    char scenario[512];

    snprintf(topology, sizeof(topology),
             "kind: topology\nformat: 1\nname: small\n"
             "hosts:\n"
             "  hv1:\n"
             "    profile: linux-6.1-dm-multipath\n"
             "    nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.1.1/24}}\n"
             "    sessions: %s\n%s"
             "arrays:\n"
             "  san1:\n"
             "    profile: array-generic\n"
             "    target: iqn.2026-01.com.example:san1\n"
             "    nics: {port-a: {address: 10.0.0.101/24}, port-b: {address: 10.0.1.101/24}}\n"
             "    disks: {store: {size: 1 GiB}}\n%s"
             "cables:\n"
             "  a: {from: hv1.iscsi1, to: san1.port-a}\n"
             "  b: {from: hv1.iscsi2, to: san1.port-b}\n",
             sessions, of_host, of_array);
    snprintf(scenario, sizeof(scenario),
             "kind: scenario\nformat: 1\nname: idle\ntopology: t.yaml\nseed: %s\nrun-for: 3600 s\n",
             seed);
    struct test_reader reader = test_reader_of(topology, scenario);

    trace_ops = *trace_nowhere_ops();
    trace_ops.sign = note_sign;
    *san = (struct san){.trace = {&trace_ops}, .tap = {&tap_ops}};
    event_queue_init(&san->queue);
    san->pool = pool_new();
    san->errors = mem_new(sizeof(*san->errors));
    errors_init(san->errors);
    san->set = scenario_load("s.yaml", NULL, 0, &reader.reader, san->errors);
    assert_non_null(san->set);
    world_names_init(&san->names, san->set->scenarios[0]->topology);
    san->world = world_new(&(struct world_options){.scenario = san->set->scenarios[0],
                                                   .names = &san->names,
                                                   .queue = &san->queue,
                                                   .pool = san->pool,
                                                   .trace = &san->trace});
    fabric_set_tap(world_fabric(san->world), &san->tap);
    san->faults = faults_new(san->world, world_topology(san->world), &san->queue.clock);
    file_set_init(&san->texts, file_reader_disk());
    world_start(san->world);
}

static void run_on(struct san *san, int64_t span_ns)
{
    event_queue_run(&san->queue, san->queue.clock.now_ns + span_ns, UINT64_MAX);
}

static size_t sessions_of(struct san *san)
{
    return world_array_sessions(world_array(san->world, 0));
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
    event_queue_fini(&san->queue);
    assert_int_equal(pool_live_blocks(san->pool), 0);
    assert_int_equal(pool_live_bufs(san->pool), 0);
    pool_free(san->pool);
}

#define BOTH "[{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b}]"
#define USERS                                                                                      \
    "    chap: [{user: other, secret: others-secret}, {user: hv1, secret: right-secret}]\n"
#define MUTUAL USERS "    chap-own: {secret: secret-of-san1}\n"
#define FINDER "    discovery-chap: [{user: finder, secret: finders-secret}]\n"
#define OWN    "    chap: {user: hv1, secret: right-secret}\n"

static struct row {
    const char *name;
    const char *sessions;
    const char *of_host;
    const char *of_array;
    size_t session_count;
    const char *sign; /* NULL: there is none of iSCSI */
} rows[] = {
    {"one way, with the right secret", BOTH, OWN, USERS, 2, NULL},
    {"both ways, with the right secrets", BOTH,
     OWN "    chap-target: {user: 'iqn.2026-01.com.example:san1', secret: secret-of-san1}\n",
     MUTUAL, 2, NULL},
    {"a host's name is its iSCSI name, if it gives none", BOTH,
     "    chap: {secret: right-secret}\n",
     "    chap: [{user: 'iqn.2026-01.com.example:hv1', secret: right-secret}]\n", 2, NULL},
    {"discovery as well", BOTH, OWN "    discovery-chap: {user: finder, secret: finders-secret}\n",
     USERS FINDER, 2, NULL},
    {"without a secret", BOTH, "", USERS, 0, "0 login failed: status 0201, authentication failure"},
    {"with a wrong secret", BOTH, "    chap: {user: hv1, secret: wrong-secret}\n", USERS, 0,
     "1 login failed: status 0201, authentication failure"},
    {"with the secret of another user", BOTH, "    chap: {user: hv1, secret: others-secret}\n",
     USERS, 0, "0 login failed: status 0201, authentication failure"},
    {"as somebody unknown", BOTH, "    chap: {user: hv2, secret: right-secret}\n", USERS, 0,
     "0 login failed: status 0201, authentication failure"},
    {"where nobody asks, the host insists", BOTH, OWN, "", 0,
     "0 login failed: status 0201, authentication failure"},
    {"a wrong secret on one path costs that path alone",
     "[{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b, chap: {user: hv1, secret: "
     "wrong-secret}}]",
     OWN, USERS, 1, "1 login failed: status 0201, authentication failure"},
    {"a right secret on one path alone",
     "[{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b, chap: {user: hv1, secret: "
     "right-secret}}]",
     "", USERS, 1, "0 login failed: status 0201, authentication failure"},
    {"an array that proves itself with a wrong secret is left", BOTH,
     OWN "    chap-target: {user: 'iqn.2026-01.com.example:san1', secret: another-secret}\n",
     MUTUAL, 0, "0 login failed: the target's name or its answer to our challenge is wrong"},
    {"an array that cannot prove itself is left", BOTH,
     OWN "    chap-target: {user: san1, secret: another-secret}\n", USERS, 0,
     "0 login failed: status 0201, authentication failure"},
    {"sessions stand without discovery, and it is told", BOTH, OWN, USERS FINDER, 2,
     "- discovery failed: authentication failure"},
};

static void lets_in_who_proves_himself(void **state)
{
    const struct row *row = *state;
    struct san *san = mem_new(sizeof(*san));

    start(san, "1", row->sessions, row->of_host, row->of_array);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), row->session_count);
    if (row->sign)
        assert_true(has_sign(san, row->sign));
    else
        assert_int_equal(san->sign_count, 0);
    stop(san);
    free(san);
}

/* A refused host comes again as its profile says: open-iscsi after 3 s. */
static void who_is_refused_comes_again(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    (void)state;

    start(san, "1", BOTH, "", USERS);
    run_on(san, SECONDS(10));
    assert_int_equal(san->sign_count, 8); /* at 0, 3, 6, 9 s, on both paths */
    stop(san);
    free(san);
}

static struct fault_layer *begin(struct san *san, const char *text, struct step *ret_step)
{
    if (!step_read_text(world_topology(san->world), text, &san->texts, ret_step, san->errors)) {
        char *told = printed(san->errors);

        print_error("%s", told);
        free(told);
        fail();
    }
    return faults_begin(san->faults, ret_step);
}

static struct change_row {
    const char *name; /* the step */
    size_t left;      /* sessions that can come back while it lasts */
} changes[] = {
    {"change: {what: arrays.san1.chap.2.secret, to: another-secret}", 0},
    {"change: {what: arrays.san1.chap.1.secret, to: another-secret}", 2}, /* of another user */
    {"change: {what: arrays.*.chap.*.secret, to: another-secret}", 0},
    {"change: {what: hosts.hv1.sessions.2.chap.secret, to: another-secret}", 1},
    {"change: {what: hosts.*.sessions.*.chap.secret, to: another-secret}", 0},
};

/* Sessions that stand are not asked again; the next login is, and the undoing lets it in. */
static void is_felt_at_the_next_login(void **state)
{
    const struct change_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step change;
    struct step drop;

    start(san, "1", BOTH, OWN, USERS);
    run_on(san, SECONDS(10));
    struct fault_layer *layer = begin(san, row->name, &change);

    run_on(san, SECONDS(60));
    assert_int_equal(sessions_of(san), 2);
    assert_int_equal(san->sign_count, 0);
    (void)begin(san, "drop-session: san1", &drop);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), row->left);
    faults_end(san->faults, layer);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), 2);
    step_fini(&change);
    step_fini(&drop);
    stop(san);
    free(san);
}

static struct refusal_row {
    const char *name; /* the step */
    const char *told;
} refusals[] = {
    {"change: {what: arrays.san1.chap.2.secret, to: 11-bytes-is}",
     "typed:1:47: error: the secret has 11 bytes, and 12 to 255 are taken\n"
     "      = help: at least 96 bits (RFC 7143, 9.2.1); at most what the host's profile says\n"},
    {"change: {what: hosts.hv1.sessions.1.chap.secret, to: seventeen-bytes-1}",
     "typed:1:54: error: the secret has 17 bytes, and 12 to 16 are taken\n"
     "      = help: at least 96 bits (RFC 7143, 9.2.1); at most what the host's profile says\n"},
    {"change: {what: arrays.san1.chap.3.secret, to: another-secret}",
     "typed:1:16: error: 'arrays.san1.chap.3.secret' names no array of the topology\n"
     "    1 | change: {what: arrays.san1.chap.3.secret, to: another-secret}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: items of lists go by their numbers from 1, and must have a secret; '*' stands "
     "for all\n"},
    {"change: {what: hosts.hv1.chap.secret, to: another-secret}",
     "typed:1:16: error: 'hosts.hv1.chap.secret' cannot change while the SAN runs: it is read when "
     "the part is built or boots\n"
     "    1 | change: {what: hosts.hv1.chap.secret, to: another-secret}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: set it before the run with --set; of 'hosts' these can change: nics.*.mtu, "
     "sessions.*.chap.secret\n"},
};

/* What has the wrong length is told without the line that it stands in. */
static void refuses_the_change(void **state)
{
    const struct refusal_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;

    start(san, "1", BOTH, OWN "    path: {chap-secret-most: 16 B}\n", USERS);
    assert_false(
        step_read_text(world_topology(san->world), row->name, &san->texts, &step, san->errors));
    char *told = printed(san->errors);

    assert_string_equal(told, row->told);
    free(told);
    stop(san);
    free(san);
}

/* What the failover rows count: the paths whose next login is concerned. */
static struct touch_row {
    const char *name; /* the step */
    bool first;       /* path 0, which logs in as hv1 */
    bool second;      /* path 1, as somebody else */
} touches[] = {
    {"change: {what: arrays.san1.chap.2.secret, to: another-secret}", true, false},
    {"change: {what: arrays.san1.chap.1.secret, to: another-secret}", false, true},
    {"change: {what: arrays.*.chap.*.secret, to: another-secret}", true, true},
    {"change: {what: hosts.hv1.sessions.2.chap.secret, to: another-secret}", false, true},
};

static void touches_who_logs_in_as_that_user(void **state)
{
    const struct touch_row *row = *state;
    struct san *san = mem_new(sizeof(*san));
    struct step step;

    start(san, "1",
          "[{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b, chap: {user: other, "
          "secret: others-secret}}]",
          OWN, USERS);
    struct fault_layer *layer = begin(san, row->name, &step);

    assert_int_equal(fault_touches(world_topology(san->world), &step, 0), row->first);
    assert_int_equal(fault_touches(world_topology(san->world), &step, 1), row->second);
    faults_end(san->faults, layer);
    step_fini(&step);
    stop(san);
    free(san);
}

static void the_newest_of_two_changes_decides(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step wrong;
    struct step right;
    struct step drop;
    (void)state;

    start(san, "1", BOTH, OWN, USERS);
    run_on(san, SECONDS(10));
    struct fault_layer *older =
        begin(san, "change: {what: arrays.san1.chap.2.secret, to: another-secret}", &wrong);
    struct fault_layer *newer =
        begin(san, "change: {what: arrays.*.chap.*.secret, to: right-secret}", &right);

    (void)begin(san, "drop-session: san1", &drop);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), 2);
    faults_end(san->faults, newer);
    (void)faults_begin(san->faults, &drop);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), 0);
    faults_end(san->faults, older);
    run_on(san, SECONDS(10));
    assert_int_equal(sessions_of(san), 2);
    step_fini(&wrong);
    step_fini(&right);
    step_fini(&drop);
    stop(san);
    free(san);
}

/* An array that lost its power knows its users when it has booted. */
static void a_rebooted_array_asks_again(void **state)
{
    struct san *san = mem_new(sizeof(*san));
    struct step reboot;
    struct step change;
    (void)state;

    start(san, "1", BOTH, OWN, USERS);
    run_on(san, SECONDS(10));
    (void)begin(san, "reboot: {part: san1, boot-time: 5 s}", &reboot);
    run_on(san, SECONDS(60));
    assert_int_equal(sessions_of(san), 2);
    (void)begin(san, "change: {what: arrays.san1.chap.2.secret, to: another-secret}", &change);
    (void)faults_begin(san->faults, &reboot);
    run_on(san, SECONDS(60));
    assert_int_equal(sessions_of(san), 0);
    step_fini(&reboot);
    step_fini(&change);
    stop(san);
    free(san);
}

static uint64_t bytes_of_a_run(const char *seed)
{
    struct san *san = mem_new(sizeof(*san));

    start(san, seed, BOTH,
          OWN "    chap-target: {user: 'iqn.2026-01.com.example:san1', secret: secret-of-san1}\n",
          MUTUAL);
    run_on(san, SECONDS(10));
    uint64_t hash = san->bytes_hash;

    stop(san);
    free(san);
    return hash;
}

/* Challenges come from the seed: what goes over the cables is the same again, to the byte. */
static void one_seed_gives_one_run(void **state)
{
    (void)state;
    assert_true(bytes_of_a_run("7") == bytes_of_a_run("7"));
    assert_true(bytes_of_a_run("7") != bytes_of_a_run("8"));
}

int main(void)
{
    TEST_ROWS(rows, lets_in_who_proves_himself);
    TEST(who_is_refused_comes_again);
    TEST_ROWS(changes, is_felt_at_the_next_login);
    TEST_ROWS(refusals, refuses_the_change);
    TEST_ROWS(touches, touches_who_logs_in_as_that_user);
    TEST(the_newest_of_two_changes_decides);
    TEST(a_rebooted_array_asks_again);
    TEST(one_seed_gives_one_run);
    return TEST_RUN("lab.chap");
}
