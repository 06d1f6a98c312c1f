/* An array served on real sockets: the same target as in the simulation, on the machine's own TCP.
 *
 *     struct serve *serve = serve_new(&config, &err);   // listens
 *     serve_run(serve);                                 // until serve_stop() or a signal
 *     serve_free(serve);
 *
 * The array comes from a topology, whichever way that was made; listening addresses may replace its
 * portals. Each portal is a portal group and a target port of its own, as in the simulation.
 */
#pragma once

#include "iscsi/chap.h"
#include "lab/topology.h"
#include "sim/core/error.h"
#include "sim/core/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct serve;

/* Whoever knows where the secrets of CHAP are. */
struct serve_secrets {
    /* Reads them anew, over what the topology says. False: '*err' says why, and what was read
     * before stays. */
    bool (*read)(struct serve_secrets *secrets, struct chap_policy *normal,
                 struct chap_policy *discovery, struct error *err);
    /* What read() gave is in use now; what it gave before is not any more. */
    void (*taken)(struct serve_secrets *secrets);
};

/* Whoever can read the topology anew. */
struct serve_source {
    /* The topology as its file has it now, and which of its arrays is meant. NULL: '*err' says why,
     * and nothing changes. */
    const struct topology *(*read)(struct serve_source *source, uint32_t *ret_array_index,
                                   struct error *err);
    /* What read() gave is in use now, until the server is freed or this is called again; but for
     * the first topology, what was in use before is not any more. */
    void (*taken)(struct serve_source *source);
};

/* What peers may make the server hold (target.h); 0 in a member: what serve.c thinks is sensible.
 */
struct serve_limits {
    uint32_t connections;
    uint32_t sessions;
    uint64_t moving_bytes;
    int64_t login_time_ns; /* 0: as the array's profile says */
};
#define SERVE_MOST_CONNECTIONS  60000u
#define SERVE_MOST_SESSIONS     60000u
#define SERVE_BUSY_POLL_NS      50000 /* a peer on this machine has asked again by then */
#define SERVE_MOST_BUSY_POLL_NS 1000000

/* All borrowed for the life of the server. */
struct serve_config {
    const struct topology *topology;
    uint32_t array_index;
    const struct endpoint *listens; /* instead of the topology's portals; port 0: 3260 */
    size_t listen_count;            /* 0: as the topology says */
    const char *const *paths;       /* by LUN: the file that holds the disk; NULL: memory */
    /* Where persistent reservations of disks in files outlive the server (APTPL); NULL: beside the
     * file of each, and nowhere for block devices. */
    const char *state_folder;
    bool is_read_only;             /* every disk */
    bool is_mediated;              /* with the topology's service times */
    const char *control_path;      /* where faults are taken as they are typed; NULL: nowhere */
    struct serve_secrets *secrets; /* read once, and again at SIGHUP; NULL: the topology's */
    struct serve_source *source;   /* read at SIGHUP; NULL: the topology stays; files may grow */
    struct serve_limits limits;
    /* So long the server waits awake for the next command of who was just answered (busy_poll.h);
     * less than 0: SERVE_BUSY_POLL_NS where all disks answer at once, as those in memory do. */
    int64_t busy_poll_ns;
    FILE *log;
};

/* NULL: '*err' says why. */
struct serve *serve_new(const struct serve_config *config, struct error *err);
void serve_free(struct serve *serve);
/* Serves until it is stopped. */
void serve_run(struct serve *serve);
void serve_stop(struct serve *serve);
/* What was counted so far, a line each. */
void serve_print(const struct serve *serve);
