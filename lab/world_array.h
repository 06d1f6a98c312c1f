/* One array of the world: its TCP, its iSCSI target with all portals, its disks on media.
 */
#pragma once

#include "lab/scenario.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"
#include "sim/net/stack.h"

#include <stddef.h>
#include <stdint.h>

struct fault_array;
struct media_model;
struct world_array;

/* All borrowed for the life of the array. */
struct world_array_options {
    const struct scenario *scenario;
    uint32_t array_index;
    struct fabric *fabric; /* the array's NICs are there, by their full names */
    struct stream_watch *watch;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    const char *const *identities; /* unit serial numbers, by disk of the topology */
};

struct world_array *world_array_new(const struct world_array_options *options);
void world_array_free(struct world_array *array);
/* Opens the portals. */
void world_array_start(struct world_array *array);

/* What faults do to it (lab/fault.h). */
struct fault_array *world_array_faults(struct world_array *array);
/* How fast all its media are without faults. */
const struct media_model *world_array_media_model(const struct world_array *array);
void world_array_set_media_model(struct world_array *array, const struct media_model *model);

/* Who may log in (CHAP) from now on under that number of its list; sessions that are there stay. */
void world_array_set_user(struct world_array *array, uint32_t user_index,
                          const struct chap_identity *identity);
size_t world_array_sessions(const struct world_array *array);
struct stack *world_array_stack(struct world_array *array);
void world_array_count(const struct world_array *array, struct counter_sink *sink);
