/* The simulated SAN of one run, built from its topology: fabric, hosts, arrays, loads.
 *
 * The world owns every room's objects and joins them; what happens in it is told to the trace that
 * it was given. Its parts stand in the order of the topology.
 */
#pragma once

#include "lab/names.h"
#include "lab/scenario.h"
#include "sim/core/trace.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"

#include <stdbool.h>
#include <stdint.h>

struct world;
struct world_array;
struct world_host;

/* All borrowed for the life of the world. */
struct world_options {
    const struct scenario *scenario;
    const struct san_names *names;
    struct event_queue *queue;
    struct pool *pool;
    struct trace *trace;
    const bool *is_outside; /* by NIC: it leads out of the simulation; NULL: none does */
};

/* The names that the trace's indices stand for; the caller frees them after everything else. */
void world_names_init(struct san_names *ret_names, const struct topology *topology);
void world_names_fini(struct san_names *names);

/* A host or array with a NIC that leads outside is a real one: nothing above its NICs is simulated,
 * and those that lead nowhere have no power. */
struct world *world_new(const struct world_options *options);
void world_free(struct world *world);
/* Boots everything at the time that it is now. */
void world_start(struct world *world);

/* The loads stop, hosts log out. Ended when world_is_stopped(): no connection is left, in TIME-WAIT
 * neither. Who cannot wait for so long asks whether hosts and arrays are rid of each other. */
void world_stop(struct world *world);
bool world_is_stopped(const struct world *world);
bool world_has_logged_out(const struct world *world);

/* Nothing above the NICs of this host, array, or array of a disk is simulated; or of this team. */
bool world_is_real(const struct world *world, struct part_ref box);

struct fabric *world_fabric(struct world *world);
struct sw *world_switch(struct world *world, uint32_t switch_index);
struct nic *world_nic(struct world *world, uint32_t nic_index);
struct cable *world_cable(struct world *world, uint32_t cable_index);
struct port *world_port(struct world *world, struct part_ref part); /* of a PART_PORT */
/* NULL: somebody outside is that box. */
struct world_host *world_host(struct world *world, uint32_t host_index);
struct world_array *world_array(struct world *world, uint32_t array_index);
const struct topology *world_topology(const struct world *world);

/* Rules that are looked at when the run ends: P6 (no session, connection or memory that nobody
 * owns) and P8 (frames conserved). Broken ones go to the trace. */
void world_check_sessions(struct world *world);
void world_check_frames(struct world *world);

/* Everything that the parts counted. */
void world_count(struct world *world, struct counter_sink *sink);
