/* What the pieces share that build a topology: boxes (topology.c) with the ports of switches
 * (topology_ports.c), then sessions and cables (topology_links.c), then what must hold between them
 * (topology_checks.c, topology_fabric.c, topology_chap.c).
 */
#pragma once

#include "lab/topology.h"
#include "lab/topology_tables.h"

/* Bounds on what one file may ask for: every array is allocated only below them. */
#define HOSTS_MOST             1000u
#define SWITCHES_MOST          64u
#define ARRAYS_MOST            64u
#define NICS_PER_BOX_MOST      16u
#define SESSIONS_PER_HOST_MOST 64u
#define DISKS_PER_ARRAY_MOST   256u
#define CABLES_MOST            20000u
#define CHAP_USERS_MOST        1000u /* of one array */

struct loaded_profile;
struct switch_file;

struct build {
    struct topology *topology;
    const struct topology_file *file;
    struct file_set *files;
    struct errors *errors;
    const struct node **nic_nodes;   /* per NIC: its map */
    struct loaded_profile *profiles; /* those that were read so far */
    size_t profile_count;
};

/* Room for one more than 'count' items, as the arrays grow: doubled at powers of two. */
void *build_grow(void *items, uint32_t count, size_t item_bytes);

/* Is 'count' below 'most'? At 'most' it is told, once. */
bool build_has_room(struct build *build, const struct node *at, uint32_t count, uint32_t most,
                    const char *what);

/* 'vm' and 7 of 100 is 'vm-008'. */
void build_numbered_name(char *to, size_t to_bytes, const char *name, uint32_t number,
                         uint32_t count);

/* The NIC of that name among 'count' from 'first' on, or TOPOLOGY_NONE. */
uint32_t build_find_nic(const struct topology *topology, uint32_t first, uint32_t count,
                        const char *name);

/* "172.16.0.53/24" */
void build_print_cidr(const struct topology_nic *nic, char text[24]);

/* The ports of a switch that has 'port_count'. */
void build_add_ports(struct build *build, struct topology_switch *sw,
                     const struct switch_file *file);

/* Which NIC is the uplink of each virtual one. */
void build_add_uplinks(struct build *build);

/* Groups of the ports of one switch; then which NICs are the members of each team, and, once the
 * cables are in, what of both does not fit together. */
struct lag_config build_lag(const struct lag_file *file);
void build_add_groups(struct build *build, struct topology_switch *sw, const struct node *groups);
void build_add_teams(struct build *build);
void build_check_groups(struct build *build);
const struct node *build_cable_node(const struct build *build, const struct topology_cable *cable);

/* "7", or "2-8" from the first to the last, within 'least' to 'most'. */
bool build_parse_range(const char *text, uint32_t least, uint32_t most, uint32_t *ret_first,
                       uint32_t *ret_last);

/* Who proves what at login (topology_chap.c): of one host, one session, one array; and what of it
 * cannot end well. */
void build_add_host_chap(struct build *build, struct topology_host *host,
                         const struct host_map *file);
void build_add_path_chap(struct build *build, struct topology_path *path,
                         const struct session_file *file);
void build_add_array_chap(struct build *build, struct topology_array *array,
                          const struct array_map *file);
void build_check_chap(struct build *build);

/* All sessions of all hosts; the cables of one map. */
void build_add_paths(struct build *build);
void build_add_cables(struct build *build, const struct node *map);

/* No address twice; no name twice; no loop in any VLAN, and a way for each session. */
void build_check_unique(struct build *build, bool is_mac);
void build_check_names(struct build *build);
void build_check_fabric(struct build *build);
