/* The fabric of one run: owns switches, NICs, hosts' IPv4 and cables, and knows them by name.
 *
 *     struct fabric *fabric = fabric_new(&queue.clock, pool, trace, seed);
 *     struct sw *sw = fabric_add_switch(fabric, &(struct switch_config){.name = "switch-1", ...});
 *     struct nic *nic = fabric_add_nic(fabric, &(struct nic_config){.name = "hv1.iscsi1", ...});
 *     fabric_add_cable(fabric, &(struct cable_config){.name = "hv1-1",
 *                      .ends = {nic_port(nic), switch_port(sw, 1)}, ...});
 *     struct ip_host *host = fabric_add_host(fabric, "hv1", NULL);
 *     ip_host_add_address(host, nic, IPV4(172, 16, 0, 53), 24);
 *
 * Names are checked by whoever reads the topology: here they are unique. Two NICs may be joined
 * without a switch.
 */
#pragma once

#include "sim/net/cable.h"
#include "sim/net/ip_host.h"
#include "sim/net/nic.h"
#include "sim/net/switch.h"

struct fabric;

/* Life cycle. All arguments are borrowed. Carrier comes up by itself, in the first events. */
struct fabric *fabric_new(struct clock *clock, struct pool *pool, struct trace *trace,
                          uint64_t seed);
void fabric_free(struct fabric *fabric);
struct wire *fabric_wire(struct fabric *fabric);
void fabric_set_plant(struct fabric *fabric, enum plant planted);

/* Building; the fabric owns what it returns. */
struct sw *fabric_add_switch(struct fabric *fabric, const struct switch_config *config);
struct nic *fabric_add_nic(struct fabric *fabric, const struct nic_config *config);
struct cable *fabric_add_cable(struct fabric *fabric, const struct cable_config *config);
struct ip_host *fabric_add_host(struct fabric *fabric, const char *name,
                                const struct ip_options *options);

/* A virtual switch in front of 'uplink', which has its cable and no user; see vswitch.h. The NICs
 * behind it have neither */
struct vswitch_config {
    struct nic *uplink;
    struct nic *const *nics; /* borrowed for the call */
    uint32_t nic_count;
};
void fabric_add_vswitch(struct fabric *fabric, const struct vswitch_config *config);

/* A team over NICs that have their cables and no user (team.h); its own NIC has neither. */
struct team;
struct team_config;
struct team *fabric_add_team(struct fabric *fabric, const struct team_config *config);

/* By name; NULL: there is none. A port is "hv1.iscsi1" or "switch-1.24". */
struct sw *fabric_find_switch(const struct fabric *fabric, const char *name);
struct nic *fabric_find_nic(const struct fabric *fabric, const char *name);
struct cable *fabric_find_cable(const struct fabric *fabric, const char *name);
struct ip_host *fabric_find_host(const struct fabric *fabric, const char *name);
struct port *fabric_find_port(const struct fabric *fabric, const char *name);

/* In the order of adding. */
size_t fabric_nic_count(const struct fabric *fabric);
struct nic *fabric_nic(const struct fabric *fabric, size_t index);

/* Looking on. The tap is borrowed; NULL ends it. It changes nothing in the run. */
void fabric_set_tap(struct fabric *fabric, struct tap *tap);
/* Of all frames sent so far: the fabric's share of the run's digest. */
uint64_t fabric_digest(const struct fabric *fabric);
uint64_t fabric_frames_sent(const struct fabric *fabric); /* once per hop */

/* Frames dropped at a part (switch, port, NIC, cable) for 'reason' (DROP_REASON_COUNT: any). The
 * part must exist. */
uint64_t fabric_dropped(const struct fabric *fabric, const char *part, enum drop_reason reason);

/* Everything counted, for the database: counters of 0 are left out. */
struct counter_sink {
    void (*count)(struct counter_sink *sink, const char *part, const char *name, uint64_t value);
};
void fabric_count(const struct fabric *fabric, struct counter_sink *sink);

/* Rule P8 at this moment: frames are conserved at every link and switch. False: 'ret_text' names
 * the first part where they are not. */
bool fabric_check_conservation(const struct fabric *fabric, char *ret_text, size_t text_bytes);
