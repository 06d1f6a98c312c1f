/* The SAN that a topology file describes: checked, with every name resolved to an index.
 *
 * Whoever holds a 'struct topology' may trust it: each index points somewhere, each value is in
 * range, no address and no port is used twice. Everything is in the order of the file, so that a
 * run that walks these arrays is the same run every time. All memory belongs to the topology;
 * 'pos' members point into the text of the file that it was read from.
 *
 * A host that the file gives a 'count' appears here as so many hosts, with as many of each of its
 * cables; the addresses and switch ports count up from those in the file.
 */
#pragma once

#include "initiator/profile.h"
#include "iscsi/chap.h"
#include "lab/errors.h"
#include "sim/core/error.h"
#include "sim/net/cable.h"
#include "sim/net/mac_addr.h"
#include "sim/net/switch.h"
#include "target/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_BYTES      48  /* with its 0: one name of a part */
#define PART_NAME_BYTES 96  /* "hv1.iscsi1" */
#define PATH_NAME_BYTES 192 /* "hv1.iscsi1>san1.port-a" */
#define IQN_BYTES       224 /* RFC 7143, 4.2.7.1: at most 223 bytes */

#define SERIAL_BYTES 33 /* VPD page 80h: at most 32 characters */

#define TOPOLOGY_NONE UINT32_MAX /* no such index */

/* What a person may point at. X-macro: name, word in messages and database. */
#define PART_KINDS(X)                                                                              \
    X(PART_SWITCH, "switch")                                                                       \
    X(PART_PORT, "switch port")                                                                    \
    X(PART_HOST, "host")                                                                           \
    X(PART_NIC, "NIC")                                                                             \
    X(PART_CABLE, "cable")                                                                         \
    X(PART_ARRAY, "array")                                                                         \
    X(PART_DISK, "disk")                                                                           \
    X(PART_PATH, "path")

enum part_kind {
#define X(name, word) name,
    PART_KINDS(X)
#undef X
        PART_NONE, /* names a setting or nothing */
};

/* A set of kinds is a mask of PART_BIT(). */
#define PART_BIT(kind) (1u << (kind))

struct part_ref {
    enum part_kind kind;
    uint32_t index; /* into the topology's array of this kind; PORT: of the switch, from 0 */
    uint32_t owner; /* PORT: index of the switch; else TOPOLOGY_NONE */
};

struct topology_switch {
    char name[NAME_BYTES];
    struct source_pos pos;
    uint32_t port_count;
    bool is_cut_through;
    uint32_t mtu_bytes;          /* of IP packet; the frame limit is 14 more, with a VLAN tag 18 */
    int64_t port_buffer_bytes;   /* 0: no bound of its own beside the shared one */
    int64_t shared_buffer_bytes; /* 0: there is none */
    uint32_t alpha_128ths;
    int64_t pause_at_bytes;
    int64_t resume_at_bytes;
    int64_t forwarding_delay_ns;
    int64_t boot_time_ns;
    int64_t mac_age_ns;
    int64_t port_forwarding_delay_ns; /* from carrier to forwarding: 0 for an edge port */
    int64_t link_debounce_ns;
    uint32_t mac_entries;
    uint32_t *cable_of_port;          /* 'port_count' indices of cables, or TOPOLOGY_NONE */
    struct switch_port_config *ports; /* 'port_count' of them */
    struct vlan_set *trunks;          /* what they point to */
    struct switch_group_config *groups;
    uint32_t group_count;
    uint32_t *group_of_port; /* 'port_count' indices of groups, or TOPOLOGY_NONE */
};

/* All NICs in one array: those of the hosts first, then those of the arrays. */
struct topology_nic {
    char name[NAME_BYTES];           /* "iscsi1" */
    char full_name[PART_NAME_BYTES]; /* "hv1.iscsi1" */
    struct source_pos pos;
    bool is_array_nic;
    uint32_t owner_index; /* of its host or array */
    uint32_t address;     /* IPv4, host byte order */
    uint32_t prefix_bits; /* of its subnet */
    uint32_t mtu_bytes;
    struct mac_addr mac;
    uint32_t transmit_queue_frames;
    enum flow_control flow_control;
    uint32_t cable_index; /* TOPOLOGY_NONE: nothing is plugged in */
    bool is_uplink;       /* of a vSwitch */
    uint32_t uplink;      /* of a virtual NIC: the one behind whose vSwitch it is; TOPOLOGY_NONE */
    uint32_t team;        /* of a member: the NIC of its team; TOPOLOGY_NONE */
    uint32_t members[LAG_MOST_LINKS]; /* of a team's NIC */
    unsigned member_count;            /* 0: it is none */
    struct lag_config lag;
};

/* One end of a cable: in a NIC, or in a port of a switch. */
struct cable_end {
    uint32_t nic_index;    /* TOPOLOGY_NONE: the end is in a switch */
    uint32_t switch_index; /* TOPOLOGY_NONE: the end is in a NIC */
    uint32_t port_index;   /* from 0: the file's "switch-1.24" is 23 */
    struct source_pos pos;
};

struct topology_cable {
    char name[NAME_BYTES];
    struct source_pos pos;
    struct cable_end ends[2]; /* 'from', 'to' */
    int64_t rate_bits_per_s;
    int64_t length_m;
    int64_t delay_ns; /* on top of the length's 5 ns per metre */
    enum cable_one_way one_way;
};

/* A session, and the path that it is: 'hv1.iscsi1>san1.port-a'. All in one array, grouped by host.
 */
struct topology_path {
    char name[PATH_NAME_BYTES];
    struct source_pos pos;
    uint32_t host_index;
    uint32_t index_in_host; /* what the trace calls 'path' */
    uint32_t nic_index;     /* the host's */
    uint32_t array_nic_index;
    uint32_t array_index;
    bool is_preferred;    /* at most one per host */
    uint32_t chap;        /* identity that it proves at login; TOPOLOGY_NONE: no authentication */
    uint32_t chap_target; /* identity that the target has to prove then; TOPOLOGY_NONE: none */
};

struct topology_host {
    char name[NAME_BYTES];
    char group[NAME_BYTES]; /* the name in the file: differs from 'name' if there is a 'count' */
    struct source_pos pos;
    struct host_profile profile; /* with the overrides of the topology applied */
    char initiator_name[IQN_BYTES];
    int64_t boot_time_ns;
    uint32_t first_nic; /* 'nic_count' NICs from here in topology.nics */
    uint32_t nic_count;
    uint32_t first_path; /* 'path_count' paths from here in topology.paths */
    uint32_t path_count;
    uint32_t chap; /* as of its paths, for those that say nothing else */
    uint32_t chap_target;
    uint32_t discovery_chap;
};

/* All disks in one array, grouped by array. */
struct topology_disk {
    char name[NAME_BYTES];           /* "vmstore" */
    char full_name[PART_NAME_BYTES]; /* "san1.vmstore" */
    struct source_pos pos;
    uint32_t array_index;
    uint32_t lun; /* from 0 in the order of the file */
    int64_t size_bytes;
    uint32_t block_bytes;
    bool is_shared; /* several hosts may use it at the same time */
    uint8_t physical_block_exponent;
    bool is_thin;
    bool is_removable;
    bool is_read_only;
    bool has_write_cache;
    int64_t sanitize_ns;
    char serial[SERIAL_BYTES]; /* "": made from the name */
};

struct topology_array {
    char name[NAME_BYTES];
    struct source_pos pos;
    struct array_profile profile; /* with the overrides of the topology applied */
    char target_name[IQN_BYTES];
    int64_t boot_time_ns;
    uint32_t neighbours; /* size of the ARP cache */
    struct media_model media;
    uint32_t first_nic;
    uint32_t nic_count;
    uint32_t first_disk;
    uint32_t disk_count;
    uint32_t first_user; /* 'user_count' identities from here may log in; 0: everybody may */
    uint32_t user_count;
    uint32_t first_discoverer; /* the same for discovery */
    uint32_t discoverer_count;
    uint32_t chap_own; /* identity that it proves to who asks; TOPOLOGY_NONE: it does not */
};

struct topology {
    char name[NAME_BYTES];
    char *about; /* owned; "" if the file says nothing */
    struct topology_switch *switches;
    struct topology_host *hosts;
    struct topology_array *arrays;
    struct topology_nic *nics;
    struct topology_path *paths;
    struct topology_disk *disks;
    struct topology_cable *cables;
    struct chap_identity *identities; /* of everybody who proves himself at some login */
    uint32_t switch_count;
    uint32_t host_count;
    uint32_t array_count;
    uint32_t nic_count;
    uint32_t path_count;
    uint32_t disk_count;
    uint32_t cable_count;
    uint32_t identity_count;
};

struct document; /* lab/document.h */
struct file_set; /* lab/file_set.h */

/* Reads and checks 'document'; the topology's places borrow the name of its source. Profiles are
 * looked up in 'profiles/' beside the file, through 'files'. NULL if 'errors' grew by an error; a
 * warning is none. */
struct topology *topology_from_document(const struct document *document, struct file_set *files,
                                        struct errors *errors);

/* The same for a file on its own ('iscsilab check'); its text stays in 'files'. */
struct topology *topology_load(const char *path, struct file_set *files, struct errors *errors);

/* 'topology' may be NULL. */
void topology_free(struct topology *topology);

const char *part_kind_word(enum part_kind kind);

/* The part of that name: 'switch-1', 'switch-1.24', 'hv1', 'hv1.iscsi1', 'hv1-1' (a cable),
 * 'san1.vmstore', 'hv1.iscsi1>san1.port-a'. False if there is none. */
bool topology_find(const struct topology *topology, const char *name, struct part_ref *ret_part);

/* The name of a part, in 'buffer' if it has to be made up; as topology_find() takes it. */
const char *topology_part_name(const struct topology *topology, struct part_ref part,
                               char buffer[PART_NAME_BYTES]);
/* Where the file has it (a port: its switch). */
struct source_pos topology_part_pos(const struct topology *topology, struct part_ref part);

/* A frame of 'vlan' leaves at one end of a cable (VLAN_NONE: a NIC sends it): the VLAN that it is
 * in at the other end, where a NIC takes what has no tag as VLAN_DEFAULT. VLAN_NONE: it is refused
 * at one of the ends. */
uint32_t topology_cross(const struct topology *topology, const struct cable_end *from,
                        const struct cable_end *to, uint32_t vlan);

/* The NICs that have the cables: 'nic' itself, the uplink of its vSwitch, or the members of its
 * team; how many. */
unsigned topology_outlets(const struct topology *topology, uint32_t nic_index,
                          uint32_t ret_nics[LAG_MOST_LINKS]);

/* Do both cables join the same two groups of switch ports, so that they are one link? */
bool topology_is_one_link(const struct topology *topology, uint32_t cable_a, uint32_t cable_b);

/* The NIC by which packets from the address of 'nic' leave: another one where a weak host does not
 * bind its sessions and has an earlier NIC in that network. */
uint32_t topology_way_out(const struct topology *topology, uint32_t nic_index);

/* Does 'path' run over 'part': its NICs, cables, switches, ports, host or array? */
bool topology_path_uses(const struct topology *topology, uint32_t path_index, struct part_ref part);

/* NULL for TOPOLOGY_NONE. */
const struct chap_identity *topology_identity(const struct topology *topology, uint32_t index);

/* Can 'host' reach 'disk' through any of its sessions? */
bool topology_host_sees(const struct topology *topology, uint32_t host_index, uint32_t disk_index);

/* The NIC at the other side of what 'nic' is plugged into: its cable's other end, if a NIC. */
uint32_t topology_direct_peer(const struct topology *topology, uint32_t nic_index);
