/* Many initiators at once, good and bad, for 'iscsilab serve': the initiator core under libev.
 *
 *     crowd [OPTION...] ADDRESS:PORT TARGET-NAME
 *
 *     logins --> idle --> busy, calm --> the bad ones come --> busy, disturbed --> all log out
 *
 * Good ones log in and out, are logged in and say nothing, or read 4 KiB here and there, four at a
 * time. Of the bad ones
 *
 *     silent    open a connection and say nothing
 *     dribbling log in byte by byte, or write byte by byte when they are in
 *     deaf      ask for all that they may, and read none of it
 *
 * Prints WORD=NUMBER lines. Exit code 0, or 1 with the reason on stderr: a good one was refused, or
 * had an error. With --expect N just N of the idle ones get in.
 */
#include "initiator/isession.h"
#include "iscsi/scsi.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/core/net.h"
#include "sim/core/random.h"
#include "sim/core/tcp_options.h"
#include "sim/live/socket_net.h"

#include <arpa/inet.h>
#include <ev.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define READ_BYTES     4096u
#define BLOCK_BYTES    512u
#define AREA_BLOCKS    8192u /* of the disk, that is read */
#define DEPTH          4u    /* reads of a busy one at a time */
#define DEAF_DEPTH     64u
#define DEAF_BYTES     (4u << 20) /* of one read */
#define WRITE_BYTES    (256u << 10)
#define DRIBBLE_S      0.005
#define AT_ONCE        64u /* logins under way */
#define PATIENCE_S     30.0
#define MOST_LATENCIES (8u << 20)

enum kind { KIND_LOGIN, KIND_IDLE, KIND_BUSY, KIND_SILENT, KIND_DRIBBLING, KIND_DEAF, KIND_COUNT };
enum phase { PHASE_LOGINS, PHASE_IDLE, PHASE_CALM, PHASE_BAD, PHASE_DISTURBED, PHASE_END };

struct crowd;

struct io {
    struct command command;
    double began_s;
};

struct peer {
    struct crowd *crowd;
    struct stream_user user;
    struct stream *stream; /* NULL: it has ended */
    struct isession *session;
    enum kind kind;
    uint32_t number; /* a name of its own */
    char name[64];
    bool is_in;
    bool is_leaving;
    struct io *ios;
    uint32_t open;
    ev_timer drop; /* the next byte of a dribbling one */
    struct buf *unsent;
};

struct crowd {
    uint32_t wanted[KIND_COUNT];
    uint32_t expected_idle;
    double seconds;
    struct endpoint to;
    const char *target_name;
    struct ev_loop *loop;
    struct pool *pool;
    struct socket_net *net;
    struct random random;
    struct peer *peers[KIND_COUNT];
    uint32_t begun[KIND_COUNT];
    uint32_t in[KIND_COUNT]; /* logged in; of KIND_LOGIN: and out again */
    uint32_t refused;
    uint32_t leaving;
    enum phase phase;
    ev_timer clock;
    ev_timer patience;
    double phase_began_s;
    bool is_stopping; /* the busy ones begin no more */
    uint32_t busy_open;
    uint32_t *latencies_us;
    size_t latency_count;
    const char *failure;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void give_up(struct crowd *crowd, const char *failure)
{
    if (!crowd->failure)
        crowd->failure = failure;
    ev_break(crowd->loop, EVBREAK_ALL);
}

static bool is_bad(const struct peer *peer)
{
    return peer->kind == KIND_SILENT || peer->kind == KIND_DRIBBLING || peer->kind == KIND_DEAF;
}

static void begin_phase(struct crowd *crowd, enum phase phase);
static void begin_peer(struct crowd *crowd, enum kind kind, uint32_t index);

/* ---- commands ---- */

static void submit(struct peer *peer, struct io *io)
{
    struct crowd *crowd = peer->crowd;
    bool is_deaf = peer->kind == KIND_DEAF;
    bool is_write = peer->kind == KIND_DRIBBLING;
    uint32_t bytes = is_deaf ? DEAF_BYTES : is_write ? WRITE_BYTES : READ_BYTES;
    uint64_t block = is_deaf ? 0 : random_below(&crowd->random, AREA_BLOCKS);

    io->command = (struct command){.direction = is_write ? DATA_WRITE : DATA_READ, .bytes = bytes};
    io->command.cdb[0] = is_write ? SCSI_WRITE_16 : SCSI_READ_16;
    if (is_write) {
        struct chunk *chunk = chunk_new(crowd->pool, bytes);

        memset(chunk->data, 0, bytes);
        io->command.data_out = buf_new(chunk, 0, bytes);
    }
    put_be64(io->command.cdb + 2, block);
    put_be32(io->command.cdb + 10, bytes / BLOCK_BYTES);
    io->began_s = now_s();
    peer->open++;
    isession_submit(peer->session, &io->command);
}

static void submit_all(struct peer *peer, uint32_t depth)
{
    if (!peer->ios)
        peer->ios = mem_array(depth, sizeof(*peer->ios));
    for (uint32_t i = 0; i < depth; i++)
        submit(peer, &peer->ios[i]);
}

static void io_done(struct peer *peer, struct io *io)
{
    struct crowd *crowd = peer->crowd;
    struct command *command = &io->command;
    bool is_first = command->status == SCSI_CHECK_CONDITION && command->sense_bytes > 2 &&
                    (command->sense[2] & 0xf) == SCSI_UNIT_ATTENTION;

    peer->open--;
    buf_free(command->data_in);
    buf_free(command->data_out);
    command->data_in = NULL;
    command->data_out = NULL;
    if (peer->kind != KIND_BUSY)
        return;
    if (command->end != COMMAND_ANSWERED || (command->status != SCSI_GOOD && !is_first)) {
        give_up(crowd, "a read failed");
        return;
    }
    if (!is_first && crowd->latency_count < MOST_LATENCIES)
        crowd->latencies_us[crowd->latency_count++] = (uint32_t)((now_s() - io->began_s) * 1e6);
    if (!crowd->is_stopping)
        submit(peer, io);
    else if (--crowd->busy_open == 0)
        begin_phase(crowd, crowd->phase + 1);
}

/* ---- sessions ---- */

static void now_in(struct peer *peer)
{
    struct crowd *crowd = peer->crowd;

    peer->is_in = true;
    crowd->in[peer->kind]++;
    switch (peer->kind) {
    case KIND_LOGIN:
        crowd->in[peer->kind]--; /* it counts when it is out */
        isession_logout(peer->session, ISCSI_LOGOUT_CLOSE_SESSION);
        break;
    case KIND_DEAF:
        submit_all(peer, DEAF_DEPTH);
        stream_pause(peer->stream);
        break;
    case KIND_DRIBBLING:
        submit_all(peer, DEPTH);
        break;
    default:
        break;
    }
}

/* One of the good ones is done with what it was to do first. */
static void count_ready(struct crowd *crowd)
{
    if (crowd->phase == PHASE_LOGINS && crowd->in[KIND_LOGIN] == crowd->wanted[KIND_LOGIN])
        begin_phase(crowd, PHASE_IDLE);
    else if (crowd->phase == PHASE_IDLE &&
             crowd->in[KIND_IDLE] + crowd->in[KIND_BUSY] + crowd->refused ==
                 crowd->wanted[KIND_IDLE] + crowd->wanted[KIND_BUSY])
        begin_phase(crowd, PHASE_CALM);
    else if (crowd->phase == PHASE_END && crowd->leaving == 0)
        ev_break(crowd->loop, EVBREAK_ALL);
}

static void free_session(struct peer *peer)
{
    isession_free(peer->session);
    buf_free(peer->unsent);
    peer->session = NULL;
    peer->unsent = NULL;
    for (uint32_t i = 0; peer->kind == KIND_DRIBBLING && peer->ios && i < DEPTH; i++)
        buf_free(peer->ios[i].command.data_out);
    free(peer->ios);
    peer->ios = NULL;
    ev_timer_stop(peer->crowd->loop, &peer->drop);
}

/* The session is over: it logged out, as a rule. */
static void ended(struct peer *peer, const struct isession_event *event)
{
    struct crowd *crowd = peer->crowd;
    bool is_well = event->end == LOST_LOGGED_OUT;

    if (peer->stream)
        stream_close(peer->stream);
    peer->stream = NULL;
    if (is_bad(peer))
        return;
    if (!is_well && peer->is_in) {
        give_up(crowd, event->text[0] ? event->text : isession_end_word(event->end));
        return;
    }
    if (!is_well)
        crowd->refused++;
    if (peer->is_leaving)
        crowd->leaving--;
    if (peer->kind == KIND_LOGIN) {
        crowd->in[KIND_LOGIN]++;
        peer->is_in = false;
    }
}

static void hear_events(struct peer *peer)
{
    struct isession_event event;

    while (isession_next_event(peer->session, &event)) {
        if (event.kind == ISESSION_LOGGED_IN)
            now_in(peer);
        else if (event.kind == ISESSION_ENDED)
            ended(peer, &event);
    }
}

/* A dribbling one sends what it has byte by byte. */
static void send_bytes(struct peer *peer, struct buf *bytes)
{
    if (peer->kind == KIND_DRIBBLING)
        peer->unsent = buf_join(peer->unsent, bytes);
    else
        stream_write(peer->stream, bytes);
}

static void drain(struct peer *peer)
{
    struct crowd *crowd = peer->crowd;
    struct command *command;
    struct buf *bytes;
    bool was_in = peer->is_in;

    hear_events(peer);
    while (!crowd->failure && (command = isession_next_done(peer->session)) != NULL)
        io_done(peer, CONTAINER_OF(command, struct io, command));
    while (peer->stream &&
           (bytes = isession_take(peer->session, 0, stream_room(peer->stream), 0)) != NULL)
        send_bytes(peer, bytes);
    if (isession_state(peer->session) == ISESSION_OVER && peer->kind == KIND_LOGIN) {
        free_session(peer);
        if (crowd->begun[KIND_LOGIN] < crowd->wanted[KIND_LOGIN])
            begin_peer(crowd, KIND_LOGIN, (uint32_t)(peer - crowd->peers[KIND_LOGIN]));
        count_ready(crowd);
    } else if (was_in != peer->is_in || isession_state(peer->session) == ISESSION_OVER) {
        count_ready(crowd);
    }
}

static void on_connected(struct stream_user *user)
{
    struct peer *peer = CONTAINER_OF(user, struct peer, user);

    if (peer->kind == KIND_SILENT)
        return;
    isession_connected(peer->session, 0, 0);
    drain(peer);
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct peer *peer = CONTAINER_OF(user, struct peer, user);

    if (!peer->session) {
        buf_free(data);
        return;
    }
    isession_feed(peer->session, 0, data, 0);
    drain(peer);
}

static void on_space(struct stream_user *user)
{
    struct peer *peer = CONTAINER_OF(user, struct peer, user);

    if (peer->session)
        drain(peer);
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct peer *peer = CONTAINER_OF(user, struct peer, user);
    (void)reason;

    peer->stream = NULL;
    if (!peer->session || is_bad(peer))
        return;
    if (isession_state(peer->session) != ISESSION_OVER) {
        isession_closed(peer->session, 0, 0);
        drain(peer);
    }
}

static const struct stream_user_ops user_ops = {on_connected, on_data, on_space, on_closed};

static void on_drop(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct peer *peer = watcher->data;
    (void)loop, (void)events;

    if (!peer->stream || !peer->unsent)
        return;
    size_t bytes = buf_bytes(peer->unsent);

    if (!peer->is_in && bytes > 48)
        bytes = 48;
    stream_write(peer->stream, buf_cut(&peer->unsent, peer->is_in ? 1 : bytes));
}

static void begin_peer(struct crowd *crowd, enum kind kind, uint32_t index)
{
    static const struct tcp_options tcp;
    struct peer *peer = &crowd->peers[kind][index];
    struct isession_config config = {.initiator_name = peer->name,
                                     .target_name = crowd->target_name,
                                     .isid = {0x80, 0, 0, 0, 0, 1},
                                     .first_cmd_sn = 1,
                                     .offer = {.max_connections = 1,
                                               .immediate_data = true,
                                               .max_recv_segment_bytes = 256u << 10,
                                               .peer_max_recv_segment_bytes = 8192,
                                               .max_burst_bytes = 256u << 10,
                                               .first_burst_bytes = 64u << 10,
                                               .time2wait_s = 2,
                                               .max_outstanding_r2t = 1,
                                               .data_pdu_in_order = true,
                                               .data_sequence_in_order = true},
                                     .starts_in_security = true,
                                     .max_commands = 128,
                                     .pool = crowd->pool};

    peer->crowd = crowd;
    peer->kind = kind;
    peer->number = crowd->begun[kind]++;
    peer->user.ops = &user_ops;
    snprintf(peer->name, sizeof(peer->name), "iqn.2026-01.lab.iscsilab:crowd-%u-%u", kind,
             peer->number);
    peer->session = isession_new(&config);
    ev_timer_init(&peer->drop, on_drop, DRIBBLE_S, DRIBBLE_S);
    peer->drop.data = peer;
    if (kind == KIND_DRIBBLING)
        ev_timer_start(crowd->loop, &peer->drop);
    peer->stream = net_connect(socket_net_interface(crowd->net), (struct endpoint){0}, crowd->to,
                               &tcp, &peer->user);
}

static void begin_all(struct crowd *crowd, enum kind kind)
{
    for (uint32_t i = 0; i < crowd->wanted[kind]; i++)
        begin_peer(crowd, kind, i);
}

/* ---- phases ---- */

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void print_latencies(struct crowd *crowd, const char *word)
{
    size_t count = crowd->latency_count;
    uint32_t *us = crowd->latencies_us;

    if (count == 0)
        return;
    qsort(us, count, sizeof(*us), by_size);
    printf("%s-reads=%zu\n%s-median-us=%u\n%s-p99-us=%u\n%s-most-us=%u\n", word, count, word,
           us[count / 2], word, us[count - 1 - count / 100], word, us[count - 1]);
    crowd->latency_count = 0;
}

static void on_clock(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct crowd *crowd = watcher->data;
    (void)loop, (void)events;

    if (crowd->phase == PHASE_BAD)
        begin_phase(crowd, PHASE_DISTURBED);
    else
        crowd->is_stopping = true;
}

static void after(struct crowd *crowd, double seconds)
{
    ev_now_update(crowd->loop);
    ev_timer_stop(crowd->loop, &crowd->clock);
    ev_timer_set(&crowd->clock, seconds, 0);
    ev_timer_start(crowd->loop, &crowd->clock);
}

static void load(struct crowd *crowd)
{
    crowd->is_stopping = false;
    crowd->busy_open = crowd->in[KIND_BUSY] * DEPTH;
    if (crowd->busy_open == 0) {
        begin_phase(crowd, crowd->phase + 1);
        return;
    }
    for (uint32_t i = 0; i < crowd->wanted[KIND_BUSY]; i++) {
        if (!crowd->peers[KIND_BUSY][i].is_in)
            continue;
        submit_all(&crowd->peers[KIND_BUSY][i], DEPTH);
        drain(&crowd->peers[KIND_BUSY][i]);
    }
    after(crowd, crowd->seconds);
}

static void leave(struct crowd *crowd, enum kind kind)
{
    for (uint32_t i = 0; i < crowd->wanted[kind]; i++) {
        struct peer *peer = &crowd->peers[kind][i];

        if (!peer->session || isession_state(peer->session) != ISESSION_FULL_FEATURE)
            continue;
        peer->is_leaving = true;
        crowd->leaving++;
        isession_logout(peer->session, ISCSI_LOGOUT_CLOSE_SESSION);
    }
    for (uint32_t i = 0; i < crowd->wanted[kind]; i++)
        if (crowd->peers[kind][i].is_leaving)
            drain(&crowd->peers[kind][i]);
}

static bool has_bad(const struct crowd *crowd)
{
    return crowd->wanted[KIND_SILENT] + crowd->wanted[KIND_DRIBBLING] + crowd->wanted[KIND_DEAF] >
           0;
}

static void begin_phase(struct crowd *crowd, enum phase phase)
{
    double took_s = now_s() - crowd->phase_began_s;

    crowd->phase = phase;
    crowd->phase_began_s = now_s();
    switch (phase) {
    case PHASE_LOGINS:
        for (uint32_t i = 0; i < AT_ONCE && i < crowd->wanted[KIND_LOGIN]; i++)
            begin_peer(crowd, KIND_LOGIN, i);
        break;
    case PHASE_IDLE:
        printf("logins=%u\nlogins-seconds=%.3f\n", crowd->in[KIND_LOGIN], took_s);
        begin_all(crowd, KIND_IDLE);
        begin_all(crowd, KIND_BUSY);
        break;
    case PHASE_CALM:
        printf("sessions=%u\nsessions-seconds=%.3f\n", crowd->in[KIND_IDLE] + crowd->in[KIND_BUSY],
               took_s);
        load(crowd);
        return;
    case PHASE_BAD:
        print_latencies(crowd, "calm");
        begin_all(crowd, KIND_SILENT);
        begin_all(crowd, KIND_DRIBBLING);
        begin_all(crowd, KIND_DEAF);
        after(crowd, has_bad(crowd) ? 0.5 : 0.0);
        return;
    case PHASE_DISTURBED:
        printf("deaf=%u\n", crowd->in[KIND_DEAF]);
        if (has_bad(crowd))
            load(crowd);
        else
            begin_phase(crowd, PHASE_END);
        return;
    case PHASE_END:
        print_latencies(crowd, "disturbed");
        leave(crowd, KIND_IDLE);
        leave(crowd, KIND_BUSY);
        break;
    }
    count_ready(crowd);
}

static void on_patience(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop, (void)events;
    give_up(watcher->data, "the target does not get on");
}

static void raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void run(struct crowd *crowd)
{
    raise_limits();
    crowd->loop = ev_default_loop(0);
    crowd->pool = pool_new();
    crowd->net =
        socket_net_new(&(struct socket_net_config){.loop = crowd->loop, .pool = crowd->pool});
    crowd->latencies_us = mem_array(MOST_LATENCIES, sizeof(uint32_t));
    random_init(&crowd->random, 1, "crowd");
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        crowd->peers[kind] = mem_array(crowd->wanted[kind] + 1, sizeof(struct peer));
    ev_timer_init(&crowd->clock, on_clock, 0, 0);
    ev_timer_init(&crowd->patience, on_patience, PATIENCE_S, 0);
    crowd->clock.data = crowd;
    crowd->patience.data = crowd;
    ev_timer_start(crowd->loop, &crowd->patience);
    crowd->phase_began_s = now_s();
    begin_phase(crowd, PHASE_LOGINS);
    ev_run(crowd->loop, 0);
    socket_net_free(crowd->net);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        for (uint32_t i = 0; i < crowd->wanted[kind]; i++)
            if (crowd->peers[kind][i].session)
                free_session(&crowd->peers[kind][i]);
        free(crowd->peers[kind]);
    }
    free(crowd->latencies_us);
    pool_free(crowd->pool);
}

/* ---- the command line ---- */

static int usage(void)
{
    fputs("usage: crowd [--logins N] [--idle N] [--busy N] [--silent N] [--dribbling N]\n"
          "             [--deaf N] [--seconds S] [--expect N] ADDRESS:PORT TARGET-NAME\n",
          stderr);
    return EXIT_FAILURE;
}

static bool parse_endpoint(char *text, struct endpoint *ret_to)
{
    char *colon = strchr(text, ':');
    struct in_addr in;

    if (!colon)
        return false;
    *colon = '\0';
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    *ret_to = (struct endpoint){ntohl(in.s_addr), (uint16_t)strtoul(colon + 1, NULL, 10)};
    return ret_to->port != 0;
}

static bool parse(struct crowd *crowd, int argc, char **argv)
{
    static const struct option known[] = {{"logins", required_argument, NULL, KIND_LOGIN},
                                          {"idle", required_argument, NULL, KIND_IDLE},
                                          {"busy", required_argument, NULL, KIND_BUSY},
                                          {"silent", required_argument, NULL, KIND_SILENT},
                                          {"dribbling", required_argument, NULL, KIND_DRIBBLING},
                                          {"deaf", required_argument, NULL, KIND_DEAF},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"expect", required_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    int option;
    bool is_expected = false;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option >= 0 && option < KIND_COUNT) {
            crowd->wanted[option] = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (option == 's') {
            crowd->seconds = strtod(optarg, NULL);
        } else if (option == 'e') {
            crowd->expected_idle = (uint32_t)strtoul(optarg, NULL, 10);
            is_expected = true;
        } else {
            return false;
        }
    }
    if (!is_expected)
        crowd->expected_idle = crowd->wanted[KIND_IDLE];
    if (argc - optind != 2 || !parse_endpoint(argv[optind], &crowd->to))
        return false;
    crowd->target_name = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    static struct crowd crowd = {.seconds = 0.5};

    if (!parse(&crowd, argc, argv))
        return usage();
    run(&crowd);
    if (!crowd.failure && crowd.in[KIND_IDLE] != crowd.expected_idle)
        crowd.failure = "not as many got in as should have";
    printf("refused=%u\n", crowd.refused);
    if (crowd.failure) {
        fprintf(stderr, "error: %s\n", crowd.failure);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
