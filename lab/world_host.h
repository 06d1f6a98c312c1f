/* One host of the world: its IPv4 and TCP, its initiator, and the loads of its applications.
 */
#pragma once

#include "initiator/host.h"
#include "initiator/workload.h"
#include "lab/names.h"
#include "lab/scenario.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"
#include "sim/net/stack.h"

#include <stdbool.h>
#include <stdint.h>

struct world_host;

/* All borrowed for the life of the host. */
struct world_host_options {
    const struct scenario *scenario;
    const struct san_names *names;
    uint32_t host_index;
    struct fabric *fabric; /* the host's NICs are there, by their full names */
    struct stream_watch *watch;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct oracle *const *oracles; /* by disk of the topology */
    const char *const *identities; /* likewise: unit serial numbers */
};

struct world_host *world_host_new(const struct world_host_options *options);
void world_host_free(struct world_host *host);
void world_host_start(struct world_host *host);

/* No new I/O; when what is outstanding has ended, or 'patience_ns' is over, logs out. */
void world_host_stop(struct world_host *host, int64_t patience_ns);
bool world_host_is_stopped(const struct world_host *host);

/* Faults, in layers. Without power its NICs are dark; a crash leaves them lit. Either way
 * everything in it is lost at once and without a word, and on return it boots (for 'boot_ns'; -1:
 * for its boot-time). */
void world_host_lose(struct world_host *host, bool is_dark);
void world_host_return(struct world_host *host);
void world_host_reboot(struct world_host *host, int64_t boot_ns);

/* What a path that authenticates (CHAP) proves from its next login on. */
void world_host_set_proof(struct world_host *host, uint32_t path_index,
                          const struct chap_identity *identity);

struct stack *world_host_stack(struct world_host *host);
const struct host *world_host_initiator(const struct world_host *host);
void world_host_count(const struct world_host *host, struct counter_sink *sink);
