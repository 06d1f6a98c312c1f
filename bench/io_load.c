/* Loads one disk of an iSCSI target: the initiator core of iscsilab under libev, on a real socket.
 *
 *     io_load [OPTION...] ADDRESS:PORT TARGET-NAME
 *
 *     fill     every byte of the disk, once, with what 'check' expects
 *     check    all of it read, and compared
 *     read     for some time, one after another or at random
 *     write    the same; overwrites with what 'check' expects
 *
 * A bench needs a client that is no bottleneck and that can do data digests. With --prepared all
 * that 'write' will write is made before the clock starts, with the CRC of each page where there
 * are digests: what they cost is then what they cost the target. Prints one line of
 * WORD=NUMBER: operations, bytes, seconds from the first command to the last answer, and the CPU
 * seconds of this process in that time. Exit code 0, or 1 with the reason on stderr.
 */
#include "initiator/isession.h"
#include "iscsi/crc32c.h"
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

#define MOST_DEPTH     512u
#define MOST_BYTES     (8u << 20)
#define CAPACITY_BYTES 32u
#define CAPACITY_TRIES 4 /* unit attentions of a new session */
#define UNIT_BYTES     512u
#define PREPARED_MOST  (1ull << 30)

enum job { JOB_FILL, JOB_CHECK, JOB_READ, JOB_WRITE };

struct options {
    enum job job;
    struct endpoint to;
    const char *target_name;
    uint32_t bytes; /* of one command */
    uint32_t depth;
    double seconds;
    uint32_t salt; /* another one, other content */
    uint8_t lun;
    bool is_random;
    bool has_digests;
    bool is_prepared;
};

struct io {
    struct command command;
    uint64_t offset;
};

struct load {
    struct options options;
    struct ev_loop *loop;
    struct pool *pool;
    struct socket_net *net;
    struct stream_user user;
    struct stream *stream;
    struct isession *session;
    struct random random;
    struct command capacity;
    int capacity_tries;
    uint32_t block_bytes;
    uint64_t disk_bytes;
    struct io *ios;
    struct buf **prepared;    /* what to write, by offset; NULL: made when it is written */
    uint8_t unit[UNIT_BYTES]; /* of the content, but for its place */
    ev_timer end;
    bool is_stopping;
    uint64_t next_offset; /* of those in sequence */
    uint64_t submitted;
    uint64_t done;
    double began_s;
    double took_s;
    double began_cpu_s;
    double took_cpu_s;
    const char *failure;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void give_up(struct load *load, const char *failure)
{
    if (!load->failure)
        load->failure = failure;
    ev_break(load->loop, EVBREAK_ALL);
}

/* ---- what the disk holds: 512 bytes after 512, each with its place in front ---- */

static uint8_t filler(uint32_t at)
{
    return (uint8_t)(at * 7 + 1);
}

static struct buf *content(struct load *load, uint64_t offset, uint32_t bytes)
{
    struct chunk *chunk = chunk_new(load->pool, bytes);

    for (uint32_t at = 0; at < bytes; at += UNIT_BYTES) {
        memcpy(chunk->data + at, load->unit, UNIT_BYTES);
        put_be64(chunk->data + at, (offset + at) ^ load->options.salt);
    }
    return buf_new(chunk, 0, bytes);
}

/* In pages: those remember their CRC. */
static struct buf *prepared_content(struct load *load, uint64_t offset)
{
    struct buf *chain = NULL;

    for (uint32_t done = 0; done < load->options.bytes; done += CRC32C_PAGE_BYTES) {
        uint32_t left = load->options.bytes - done;
        uint32_t here = left < CRC32C_PAGE_BYTES ? left : CRC32C_PAGE_BYTES;

        chain = buf_join(chain, content(load, offset + done, here));
    }
    if (load->options.has_digests)
        crc32c_chain(0, chain);
    return chain;
}

static void prepare(struct load *load)
{
    uint64_t units = load->disk_bytes / load->options.bytes;

    load->prepared = mem_array(units, sizeof(struct buf *));
    for (uint64_t i = 0; i < units; i++)
        load->prepared[i] = prepared_content(load, i * load->options.bytes);
}

static struct buf *data_out(struct load *load, uint64_t offset)
{
    uint32_t bytes = load->options.bytes;

    if (load->prepared)
        return buf_share(load->prepared[offset / bytes], 0, bytes);
    return content(load, offset, bytes);
}

static uint8_t content_at(const struct load *load, uint64_t offset)
{
    uint32_t at = (uint32_t)(offset % UNIT_BYTES);
    uint64_t place = (offset - at) ^ load->options.salt;

    if (at >= 8)
        return filler(at);
    return (uint8_t)(place >> (56 - 8 * at));
}

static bool is_content(const struct load *load, const struct buf *data, uint64_t offset)
{
    for (; data; data = data->next) {
        const uint8_t *bytes = buf_data(data);

        for (uint32_t i = 0; i < data->bytes; i++) {
            if (bytes[i] != content_at(load, offset++))
                return false;
        }
    }
    return true;
}

/* ---- commands ---- */

static bool is_writing(const struct load *load)
{
    return load->options.job == JOB_FILL || load->options.job == JOB_WRITE;
}

static bool is_one_pass(const struct load *load)
{
    return load->options.job == JOB_FILL || load->options.job == JOB_CHECK;
}

static uint64_t choose_offset(struct load *load)
{
    uint64_t units = load->disk_bytes / load->options.bytes;
    uint64_t offset = load->next_offset;

    if (load->options.is_random)
        return random_below(&load->random, units) * load->options.bytes;
    load->next_offset += load->options.bytes;
    if (load->next_offset >= units * load->options.bytes)
        load->next_offset = 0;
    return offset;
}

static bool is_all_submitted(const struct load *load)
{
    return load->is_stopping ||
           (is_one_pass(load) && load->submitted == load->disk_bytes / load->options.bytes);
}

/* READ(16), WRITE(16) */
static void submit(struct load *load, struct io *io)
{
    uint32_t bytes = load->options.bytes;

    io->offset = choose_offset(load);
    io->command = (struct command){
        .lun = (uint64_t)load->options.lun << 48,
        .direction = is_writing(load) ? DATA_WRITE : DATA_READ,
        .bytes = bytes,
        .data_out = is_writing(load) ? data_out(load, io->offset) : NULL,
    };
    io->command.cdb[0] = is_writing(load) ? SCSI_WRITE_16 : SCSI_READ_16;
    put_be64(io->command.cdb + 2, io->offset / load->block_bytes);
    put_be32(io->command.cdb + 10, bytes / load->block_bytes);
    load->submitted++;
    isession_submit(load->session, &io->command);
}

static void stop_or_go_on(struct load *load, struct io *io)
{
    if (!is_all_submitted(load)) {
        submit(load, io);
        return;
    }
    if (load->done < load->submitted)
        return;
    load->took_s = now_s() - load->began_s;
    load->took_cpu_s = cpu_s() - load->began_cpu_s;
    isession_logout(load->session, ISCSI_LOGOUT_CLOSE_SESSION);
}

static void io_done(struct load *load, struct io *io)
{
    struct command *command = &io->command;

    load->done++;
    buf_free(command->data_out);
    if (command->end != COMMAND_ANSWERED || command->status != SCSI_GOOD)
        give_up(load, "a command failed");
    else if (load->options.job == JOB_CHECK && !is_content(load, command->data_in, io->offset))
        give_up(load, "the disk holds something else: was it filled?");
    buf_free(command->data_in);
    command->data_in = NULL;
    if (!load->failure)
        stop_or_go_on(load, io);
}

/* READ CAPACITY(16) */
static void ask_capacity(struct load *load)
{
    load->capacity = (struct command){
        .lun = (uint64_t)load->options.lun << 48, .direction = DATA_READ, .bytes = CAPACITY_BYTES};
    load->capacity.cdb[0] = SCSI_SERVICE_ACTION_IN_16;
    load->capacity.cdb[1] = SCSI_SA_READ_CAPACITY_16;
    put_be32(load->capacity.cdb + 10, CAPACITY_BYTES);
    isession_submit(load->session, &load->capacity);
}

static void on_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop, (void)events;
    ((struct load *)watcher->data)->is_stopping = true;
}

static void begin(struct load *load)
{
    uint32_t depth = load->options.depth;

    if (load->options.bytes % load->block_bytes != 0 || load->disk_bytes < load->options.bytes) {
        give_up(load, "--bytes does not fit the disk's blocks");
        return;
    }
    if (load->options.is_prepared && load->disk_bytes > PREPARED_MOST) {
        give_up(load, "--prepared holds the disk in memory: it may have 1 GiB at most");
        return;
    }
    if (load->options.is_prepared && load->options.job == JOB_WRITE)
        prepare(load);
    if (!is_one_pass(load)) {
        ev_timer_init(&load->end, on_end, load->options.seconds, 0);
        load->end.data = load;
        ev_now_update(load->loop);
        ev_timer_start(load->loop, &load->end);
    }
    load->began_s = now_s();
    load->began_cpu_s = cpu_s();
    for (uint32_t i = 0; i < depth && !is_all_submitted(load); i++)
        submit(load, &load->ios[i]);
}

static void capacity_done(struct load *load)
{
    struct command *command = &load->capacity;
    uint8_t data[CAPACITY_BYTES] = {0};
    size_t bytes = buf_bytes(command->data_in);

    buf_read(command->data_in, 0, data, bytes < sizeof(data) ? bytes : sizeof(data));
    buf_free(command->data_in);
    command->data_in = NULL;
    if (command->end != COMMAND_ANSWERED || command->status != SCSI_GOOD || bytes < 12) {
        if (++load->capacity_tries < CAPACITY_TRIES)
            ask_capacity(load);
        else
            give_up(load, "no READ CAPACITY: is there such a disk?");
        return;
    }
    load->block_bytes = get_be32(data + 8);
    if (load->block_bytes < 512 || load->block_bytes > 65536) {
        give_up(load, "blocks of a strange size");
        return;
    }
    load->disk_bytes = (get_be64(data) + 1) * load->block_bytes;
    begin(load);
}

/* ---- session and stream ---- */

static void hear(struct load *load, const struct isession_event *event)
{
    if (event->kind == ISESSION_LOGGED_IN) {
        const struct iscsi_params *agreed = isession_params(load->session);

        if (load->options.has_digests &&
            (agreed->header_digest != DIGEST_CRC32C || agreed->data_digest != DIGEST_CRC32C))
            give_up(load, "the target does not agree to digests");
        else
            ask_capacity(load);
    } else if (event->kind == ISESSION_ENDED) {
        if (event->end == LOST_LOGGED_OUT)
            ev_break(load->loop, EVBREAK_ALL);
        else
            give_up(load, event->text[0] ? event->text : isession_end_word(event->end));
    }
}

static void drain(struct load *load)
{
    struct isession_event event;
    struct command *command;
    struct buf *bytes;

    while (isession_next_event(load->session, &event))
        hear(load, &event);
    while (!load->failure && (command = isession_next_done(load->session)) != NULL) {
        if (command == &load->capacity)
            capacity_done(load);
        else
            io_done(load, CONTAINER_OF(command, struct io, command));
    }
    while (load->stream &&
           (bytes = isession_take(load->session, 0, stream_room(load->stream), 0)) != NULL)
        stream_write(load->stream, bytes);
}

static void on_connected(struct stream_user *user)
{
    struct load *load = CONTAINER_OF(user, struct load, user);

    isession_connected(load->session, 0, 0);
    drain(load);
}

static void on_data(struct stream_user *user, struct buf *data)
{
    struct load *load = CONTAINER_OF(user, struct load, user);

    isession_feed(load->session, 0, data, 0);
    drain(load);
}

static void on_space(struct stream_user *user)
{
    drain(CONTAINER_OF(user, struct load, user));
}

static void on_closed(struct stream_user *user, enum close_reason reason)
{
    struct load *load = CONTAINER_OF(user, struct load, user);

    (void)reason;
    load->stream = NULL;
    if (isession_state(load->session) != ISESSION_OVER)
        give_up(load, "the connection broke, or could not be made");
}

static const struct stream_user_ops user_ops = {on_connected, on_data, on_space, on_closed};

static struct isession *new_session(struct load *load)
{
    enum digest_choice digests = load->options.has_digests ? DIGEST_CRC32C : DIGEST_NONE;
    uint32_t segment_bytes = load->options.bytes > (256u << 10) ? load->options.bytes : 256u << 10;

    return isession_new(
        &(struct isession_config){.initiator_name = "iqn.2026-01.lab.iscsilab:io-load",
                                  .target_name = load->options.target_name,
                                  .isid = {0x80, 0, 0, 0, 0, 1},
                                  .first_cmd_sn = 1,
                                  .offer = {.header_digest = digests,
                                            .data_digest = digests,
                                            .max_connections = 1,
                                            .immediate_data = true,
                                            .max_recv_segment_bytes = segment_bytes,
                                            .peer_max_recv_segment_bytes = 8192,
                                            .max_burst_bytes = segment_bytes,
                                            .first_burst_bytes = 64u << 10,
                                            .time2wait_s = 2,
                                            .max_outstanding_r2t = 8,
                                            .data_pdu_in_order = true,
                                            .data_sequence_in_order = true},
                                  .starts_in_security = true,
                                  .max_commands = MOST_DEPTH,
                                  .pool = load->pool});
}

static void run(struct load *load)
{
    static const struct tcp_options tcp;

    load->loop = ev_default_loop(0);
    load->pool = pool_new();
    load->net = socket_net_new(&(struct socket_net_config){.loop = load->loop, .pool = load->pool});
    load->ios = mem_array(load->options.depth, sizeof(*load->ios));
    load->user = (struct stream_user){&user_ops};
    load->session = new_session(load);
    random_init(&load->random, 1, "io-load");
    for (uint32_t at = 0; at < UNIT_BYTES; at++)
        load->unit[at] = filler(at);
    load->stream = net_connect(socket_net_interface(load->net), (struct endpoint){0},
                               load->options.to, &tcp, &load->user);
    ev_run(load->loop, 0);
    isession_free(load->session);
    socket_net_free(load->net);
    pool_free(load->pool);
    free(load->prepared);
    free(load->ios);
}

/* ---- the command line ---- */

static int usage(void)
{
    fputs("usage: io_load [--lun N] [--job fill|check|read|write] [--bytes N] [--depth N]\n"
          "               [--seconds N] [--random] [--digests] [--prepared] [--salt N] "
          "ADDRESS:PORT TARGET-NAME\n",
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

static bool parse_job(const char *word, enum job *ret_job)
{
    static const char *const words[] = {"fill", "check", "read", "write"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_job = (enum job)i;
            return true;
        }
    }
    return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"lun", required_argument, NULL, 'l'},     {"job", required_argument, NULL, 'j'},
        {"bytes", required_argument, NULL, 'b'},   {"depth", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 's'}, {"random", no_argument, NULL, 'r'},
        {"digests", no_argument, NULL, 'c'},       {"prepared", no_argument, NULL, 'p'},
        {"salt", required_argument, NULL, 'a'},    {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'l':
            o->lun = (uint8_t)strtoul(optarg, NULL, 10);
            break;
        case 'j':
            if (!parse_job(optarg, &o->job))
                return false;
            break;
        case 'b':
            o->bytes = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            o->depth = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 's':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'a':
            o->salt = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o->is_random = true;
            break;
        case 'c':
            o->has_digests = true;
            break;
        case 'p':
            o->is_prepared = true;
            break;
        default:
            return false;
        }
    }
    if (argc - optind != 2 || !parse_endpoint(argv[optind], &o->to))
        return false;
    o->target_name = argv[optind + 1];
    return o->bytes >= 512 && o->bytes <= MOST_BYTES && o->bytes % 512 == 0 && o->depth >= 1 &&
           o->depth <= MOST_DEPTH;
}

int main(int argc, char **argv)
{
    static struct load load;

    load.options = (struct options){.job = JOB_READ, .bytes = 4096, .depth = 32, .seconds = 3};
    if (!parse(&load.options, argc, argv))
        return usage();
    run(&load);
    if (load.failure) {
        fprintf(stderr, "error: %s\n", load.failure);
        return EXIT_FAILURE;
    }
    printf("ops=%" PRIu64 " bytes=%" PRIu64 " seconds=%.6f cpu=%.6f\n", load.done,
           load.done * load.options.bytes, load.took_s, load.took_cpu_s);
    return EXIT_SUCCESS;
}
