/* The tables of a topology file, and what its maps are read into before names are resolved. */
#pragma once

#include "initiator/profile.h"
#include "lab/schema.h"
#include "lab/topology.h"
#include "target/profile.h"

struct cable_defaults {
    int64_t rate_bits_per_s;
    int64_t length_m;
};

struct topology_file {
    char name[NAME_BYTES];
    const struct node *about;
    struct {
        uint32_t mtu_bytes;
        struct cable_defaults cable;
    } defaults;
    const struct node *switches;
    const struct node *hosts;
    const struct node *arrays;
    const struct node *cables;
};

enum switch_forwarding { SWITCH_STORES, SWITCH_CUTS_THROUGH };

struct switch_file {
    uint32_t port_count;
    enum switch_forwarding forwarding;
    uint32_t mtu_bytes; /* 0: the default of the file */
    int64_t port_buffer_bytes;
    int64_t shared_buffer_bytes;
    uint32_t alpha_128ths;
    uint32_t flow_control;
    int64_t pause_at_bytes;
    int64_t resume_at_bytes;
    int64_t forwarding_delay_ns;
    int64_t boot_time_ns;
    int64_t mac_age_ns;
    int64_t port_forwarding_delay_ns;
    int64_t link_debounce_ns;
    uint32_t mac_entries;
    const struct node *port_settings;
    const struct node *groups;
};

/* What both ends of aggregated links may say. */
struct lag_file {
    uint32_t mode; /* of enum lag_mode */
    uint32_t hash;
    uint32_t is_short; /* 0 or 1, as the next: see struct lag_config */
    uint32_t is_passive;
    bool fails_back;
};

struct group_file {
    const struct node *ports;
    struct lag_file lag;
};

struct team_file {
    const struct node *members; /* NULL: the NIC is no team */
    struct lag_file lag;
};

struct port_file {
    uint32_t vlan;
    const struct node *trunk; /* NULL: an access port */
    uint32_t native;
    bool is_blocked;
    bool is_edge;
    uint32_t flow_control;
};

struct nic_file {
    struct cidr cidr; /* prefix_bits 0: it has no address */
    uint32_t mtu_bytes;
    struct mac_addr mac; /* all zero: made from the address */
    uint32_t transmit_queue_frames;
    uint32_t flow_control;
    const struct node *behind; /* NULL: a physical NIC */
    struct team_file team;
};

/* Who proves himself, and with what; both NULL: nobody does. */
struct chap_file {
    const struct node *user; /* NULL: the iSCSI name of whoever it is */
    const struct node *secret;
};

struct session_file {
    const struct node *from;
    const struct node *to;
    bool is_preferred;
    struct chap_file chap;
    struct chap_file chap_target;
};

struct host_map {
    const struct node *profile_name;
    uint32_t count;
    char initiator_name[IQN_BYTES];
    int64_t boot_time_ns;
    const struct node *nics;
    const struct node *sessions;
    struct chap_file chap;
    struct chap_file chap_target;
    struct chap_file discovery_chap;
    struct host_profile profile;
};

struct disk_file {
    int64_t size_bytes;
    uint32_t block_bytes;
    bool is_shared;
    uint32_t physical_block_bytes; /* 0: as 'block_bytes' */
    bool is_thin;
    bool is_removable;
    bool is_read_only;
    bool has_write_cache;
    int64_t sanitize_ns;
    const struct node *serial; /* NULL: made from the name */
};

struct array_map {
    const struct node *profile_name;
    char target_name[IQN_BYTES];
    int64_t boot_time_ns;
    const struct node *nics;
    uint32_t neighbours;
    const struct node *disks;
    struct media_model media;
    const struct node *chap;
    struct chap_file chap_own;
    const struct node *discovery_chap;
    struct array_profile profile;
};

struct cable_file {
    const struct node *from;
    const struct node *to;
    struct cable_defaults settings;
    int64_t delay_ns;
    enum cable_one_way one_way;
};

extern const struct record topology_record;
extern const struct record switch_record;
extern const struct record port_record;
extern const struct record group_record;
extern const struct record team_record;
extern const struct record host_record;
extern const struct record nic_record;
extern const struct record session_record;
extern const struct record chap_peer_record;
extern const struct record array_record;
extern const struct record disk_record;
extern const struct record cable_record;
