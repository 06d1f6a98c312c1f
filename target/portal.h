/* The owner of an array's iSCSI: joins the cores (target.h, conn.h) to net, streams and clock.
 *
 *     struct portal_node *node = portal_node_new(&config);   // target and device exist in it
 *     portal_node_open(node);                                // listen on every portal
 *
 * The same few lines in the simulated and the live world. A connection reads while its core has
 * room and writes while its stream has. Results of the device that arrive at one instant are
 * written together.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/net.h"
#include "target/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct portal_node;

/* What somebody may want to know of, for a log line or a counter. NULL members are not called. */
struct portal_log {
    void (*on_login)(struct portal_log *log, const struct session_info *session);
    void (*on_end)(struct portal_log *log, struct endpoint remote, const char *why,
                   const char *detail);
    /* A connection was not even taken: there are too many. */
    void (*on_turned_away)(struct portal_log *log, struct endpoint remote);
};

struct portal_node_config {
    struct target_config target; /* its watch is set here */
    struct net *net; /* borrowed, as the clock: where the portals' addresses are local */
    struct clock *clock;
    const char *name;       /* of the array, for the trace's events; copied */
    struct portal_log *log; /* borrowed; NULL: nobody listens */
};

struct portal_node *portal_node_new(const struct portal_node_config *config);
/* Ends all connections (RST) and the target; the device is the caller's. It is crashed if it still
 * has tasks from here. */
void portal_node_free(struct portal_node *node);

/* Listens on every portal; false: one of them could not ('*ret_portal_index' is the first). Portals
 * that were opened stay open. May be called again, after a restart. */
bool portal_node_open(struct portal_node *node, size_t *ret_portal_index);
struct target *portal_node_target(struct portal_node *node);

/* Power off, or crash of the controller: sessions and connections vanish, volatile state of the
 * device is lost (device_crash()). For a power-off the net's own power goes first: then no stream
 * is left here and the peer hears nothing. Of a mere restart of the software the peer hears RST. */
void portal_node_crash(struct portal_node *node);
/* It takes connections, or refuses them (RST), as while it boots. It takes them at first. */
void portal_node_set_listening(struct portal_node *node, bool is_listening);

/* target_drop_sessions() and target_ask_logout(), carried out. */
size_t portal_node_drop_sessions(struct portal_node *node, const char *initiator_name,
                                 bool is_told);
size_t portal_node_ask_logout(struct portal_node *node, const char *initiator_name,
                              uint16_t seconds);

/* Connections of any state. */
size_t portal_node_connection_count(const struct portal_node *node);
