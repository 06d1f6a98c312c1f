/* The tables of a topology file. */
#include "lab/topology_tables.h"

#include "lab/profile_file.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"

#define MTU_LEAST 576u /* what every IPv4 host must take (RFC 791, 3.2) */
#define MTU_MOST  16000u

#define KIB ((int64_t)1 << 10)
#define MIB ((int64_t)1 << 20)
#define TIB ((int64_t)1 << 40)

static const struct word flow_controls[] = {
    {"none", FLOW_CONTROL_NONE, "no PAUSE is sent, and none is heeded"},
    {"honour", FLOW_CONTROL_HONOUR, "falls silent when told to"},
    {"ask", FLOW_CONTROL_ASK, "tells its peer to fall silent"},
    {"both", FLOW_CONTROL_BOTH, "both"},
    {NULL, 0, NULL}};
#define FLOW_CONTROL_FIELD(owner, given, help)                                                     \
    {                                                                                              \
        .key = "flow-control", .type = FIELD_WORD, MEMBER(owner, flow_control),                    \
        .words = flow_controls, .fallback = (given), .about = (help)                               \
    }

static const struct field port_fields[] = {
    {.key = "vlan",
     .type = FIELD_COUNT,
     MEMBER(struct port_file, vlan),
     .least = VLAN_DEFAULT,
     .most = VLAN_MOST,
     .fallback = "1",
     .about = "of an access port: its frames have no tag, and those with one are dropped"},
    {.key = "trunk",
     .type = FIELD_VALUES,
     NODE_MEMBER(struct port_file, trunk),
     .about = "VLANs whose frames it carries with their tags: `[10, 20-29]`, or `all`"},
    {.key = "native",
     .type = FIELD_COUNT,
     MEMBER(struct port_file, native),
     .least = VLAN_DEFAULT,
     .most = VLAN_MOST,
     .fallback = "1",
     .about = "of a trunk: the VLAN whose frames have no tag; not among those of `trunk`: frames "
              "without a tag are dropped"},
    {.key = "blocked",
     .type = FIELD_BOOL,
     MEMBER(struct port_file, is_blocked),
     .fallback = "false",
     .about = "its link is up and it forwards nothing, as a spanning tree leaves one port of a "
              "ring"},
    {.key = "edge",
     .type = FIELD_BOOL,
     MEMBER(struct port_file, is_edge),
     .fallback = "false",
     .about = "it forwards as soon as its link is up, whatever `port-forwarding-delay` says"},
    FLOW_CONTROL_FIELD(struct port_file, NULL,
                       "what it does with PAUSE (802.3x); default: that of its switch"),
};
const struct record port_record = {
    .name = "port-settings",
    .title = "settings of switch ports",
    .names = "^[0-9]+(-[0-9]+)?$",
    .fields = port_fields,
    .field_count = ARRAY_SIZE(port_fields),
    .about = "Of one port or of a range, by number: `{1-8: {vlan: 10}, 24: {trunk: [10, 20]}}`. "
             "Ports that are not named are access ports of VLAN 1.",
};

static const struct word lag_hashes[] = {{"layer2", LAG_HASH_LAYER2, "both MAC addresses"},
                                         {"layer2+3", LAG_HASH_LAYER23, "MAC and IPv4 addresses"},
                                         {"layer3+4", LAG_HASH_LAYER34, "IPv4 addresses and ports"},
                                         {NULL, 0, NULL}};
static const struct word lacp_timeouts[] = {
    {"short", true, "a LACPDU every second, silent after 3 s"},
    {"long", false, "every 30 s, silent after 90 s"},
    {NULL, 0, NULL}};
static const struct word lacp_activities[] = {
    {"active", false, NULL}, {"passive", true, "speaks when spoken to"}, {NULL, 0, NULL}};

#define LAG_FIELDS(owner)                                                                          \
    {.key = "hash",                                                                                \
     .type = FIELD_WORD,                                                                           \
     MEMBER(owner, lag.hash),                                                                      \
     .words = lag_hashes,                                                                          \
     .fallback = "layer3+4",                                                                       \
     .about = "frames that agree in this leave by the same link (formulas of Linux bonding)"},     \
        {.key = "lacp-timeout",                                                                    \
         .type = FIELD_WORD,                                                                       \
         MEMBER(owner, lag.is_short),                                                              \
         .words = lacp_timeouts,                                                                   \
         .fallback = "long",                                                                       \
         .about = "how often it wants to hear of its partner (802.1AX: LACP_Timeout)"},            \
    {                                                                                              \
        .key = "lacp-activity", .type = FIELD_WORD, MEMBER(owner, lag.is_passive),                 \
        .words = lacp_activities, .fallback = "active", .about = "802.1AX: LACP_Activity"          \
    }

static const struct word group_modes[] = {{"static", LAG_STATIC, "whatever is plugged in"},
                                          {"lacp", LAG_LACP, "what LACP agreed on (802.1AX)"},
                                          {NULL, 0, NULL}};
static const struct field group_fields[] = {
    {.key = "ports",
     .type = FIELD_VALUES,
     NODE_MEMBER(struct group_file, ports),
     .is_required = true,
     .about = "2 to 8 ports, or 1 of a group that waits for LACP: `[1, 2]`, `[3-6]`"},
    {.key = "mode",
     .type = FIELD_WORD,
     MEMBER(struct group_file, lag.mode),
     .words = group_modes,
     .is_required = true,
     .about = "which of its ports carry frames"},
    LAG_FIELDS(struct group_file),
};
const struct record group_record = {
    .name = "group",
    .title = "group of switch ports",
    .fields = group_fields,
    .field_count = ARRAY_SIZE(group_fields),
    .about = "Link aggregation (802.1AX): ports that are one link to one box. Each belongs to one "
             "group, and their `port-settings` are alike.",
};

static const struct word team_modes[] = {
    {"active-backup", LAG_ACTIVE_BACKUP, "one member at a time, as long as it has carrier"},
    {"switch-independent", LAG_SWITCH_INDEPENDENT, "sends by all, hears by one"},
    {"static", LAG_STATIC, "needs a static group at the switch"},
    {"lacp", LAG_LACP, "needs a group with LACP"},
    {NULL, 0, NULL}};
static const struct field team_fields[] = {
    {.key = "members",
     .type = FIELD_VALUES,
     NODE_MEMBER(struct team_file, members),
     .is_required = true,
     .about = "2 to 8 NICs of this host that have cables and no address: `[nic1, nic2]`"},
    {.key = "mode",
     .type = FIELD_WORD,
     MEMBER(struct team_file, lag.mode),
     .words = team_modes,
     .is_required = true,
     .about = "which of them carry frames"},
    {.key = "fail-back",
     .type = FIELD_BOOL,
     MEMBER(struct team_file, lag.fails_back),
     .fallback = "false",
     .about = "active-backup, switch-independent: the first member takes over again when it can"},
    LAG_FIELDS(struct team_file),
};
const struct record team_record = {
    .name = "team",
    .title = "team of NICs",
    .fields = team_fields,
    .field_count = ARRAY_SIZE(team_fields),
    .about = "One interface over several NICs (Windows: NIC Teaming; Linux: bonding). For iSCSI "
             "vendors say MPIO instead: `scenarios/teaming-not-mpio.yaml` shows why.",
};

static const struct word forwardings[] = {{"store-and-forward", SWITCH_STORES, NULL},
                                          {"cut-through", SWITCH_CUTS_THROUGH, NULL},
                                          {NULL, 0, NULL}};

static const struct word alphas[] = {{"1/8", 16, NULL}, {"1/4", 32, NULL}, {"1/2", 64, NULL},
                                     {"1", 128, NULL},  {"2", 256, NULL},  {"4", 512, NULL},
                                     {"8", 1024, NULL}, {NULL, 0, NULL}};

static const struct field switch_fields[] = {
    {.key = "ports",
     .type = FIELD_COUNT,
     MEMBER(struct switch_file, port_count),
     .least = 2,
     .most = 1024,
     .is_required = true,
     .about = "how many; they are called 'switch-1.1' and so on"},
    {.key = "mtu",
     .type = FIELD_COUNT,
     MEMBER(struct switch_file, mtu_bytes),
     .least = MTU_LEAST,
     .most = MTU_MOST,
     .about = "bytes of IP packet that it forwards; default: that of 'defaults'"},
    {.key = "port-buffer",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct switch_file, port_buffer_bytes),
     .least = 16 * KIB,
     .most = 1024 * MIB,
     .fallback = "512 KiB",
     .about =
         "queue of each port; what does not fit is dropped; beside `shared-buffer` there is no "
         "such bound unless it is given"},
    {.key = "shared-buffer",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct switch_file, shared_buffer_bytes),
     .least = 64 * KIB,
     .most = 16384 * MIB,
     .about =
         "one memory for the queues of all ports; what does not fit is dropped; default: there "
         "is none"},
    {.key = "buffer-alpha",
     .type = FIELD_WORD,
     MEMBER(struct switch_file, alpha_128ths),
     .words = alphas,
     .fallback = "1",
     .about = "of the shared buffer: a port's queue may grow to so many times what is still free"},
    FLOW_CONTROL_FIELD(struct switch_file, "none", "what its ports do with PAUSE (802.3x)"),
    {.key = "pause-at",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct switch_file, pause_at_bytes),
     .least = 2 * KIB,
     .most = 1024 * MIB,
     .fallback = "64 KiB",
     .about = "when more than that waits which came in by one port, its peer is asked for silence"},
    {.key = "resume-at",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct switch_file, resume_at_bytes),
     .least = 1 * KIB,
     .most = 1024 * MIB,
     .fallback = "32 KiB",
     .about = "when no more than that waits, it may send again"},
    {.key = "forwarding",
     .type = FIELD_WORD,
     MEMBER(struct switch_file, forwarding),
     .words = forwardings,
     .fallback = "store-and-forward",
     .about =
         "cut through, a frame leaves while it comes in, unless the way out is faster or busy; "
         "damaged ones go on to the next part that stores them"},
    {.key = "forwarding-delay",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct switch_file, forwarding_delay_ns),
     .most = SECONDS(1),
     .fallback = "2 us",
     .about =
         "from the last bit of a frame in (cut through: of its first 64 bytes) to its first bit "
         "out"},
    {.key = "boot-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct switch_file, boot_time_ns),
     .most = SECONDS(86400),
     .fallback = "90 s",
     .about = "from power to carrier on its ports"},
    {.key = "mac-age",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct switch_file, mac_age_ns),
     .least = SECONDS(1),
     .most = SECONDS(1000000),
     .fallback = "300 s",
     .about = "an address not seen for so long is forgotten (802.1Q-2018, 8.8.3)"},
    {.key = "mac-entries",
     .type = FIELD_COUNT,
     MEMBER(struct switch_file, mac_entries),
     .least = 1,
     .most = 1000000,
     .fallback = "16384",
     .about = "size of its MAC table; full, it learns nothing new, and floods"},
    {.key = "link-debounce",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct switch_file, link_debounce_ns),
     .most = SECONDS(60),
     .fallback = "0 s",
     .about = "a change of carrier at a port must last so long to count"},
    {.key = "port-forwarding-delay",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct switch_file, port_forwarding_delay_ns),
     .most = SECONDS(3600),
     .fallback = "0 s",
     .about = "from carrier to forwarding: 0 s for an edge port, 30 s for classic spanning tree"},
    {.key = "port-settings",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct switch_file, port_settings),
     .record = &port_record,
     .about = "VLANs, blocking and flow control, by port: `{24: {trunk: [10, 20]}}`"},
    {.key = "groups",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct switch_file, groups),
     .record = &group_record,
     .about = "link aggregation, by name: `{po1: {ports: [1, 2], mode: lacp}}`"},
};
const struct record switch_record = {
    .name = "switch",
    .fields = switch_fields,
    .field_count = ARRAY_SIZE(switch_fields),
    .about = "A switch that learns addresses, in each VLAN for itself.",
};

static const struct field nic_fields[] = {
    {.key = "address",
     .type = FIELD_ADDRESS,
     MEMBER(struct nic_file, cidr),
     .about = "IPv4 address and prefix: '172.16.0.53/24'"},
    {.key = "mtu",
     .type = FIELD_COUNT,
     MEMBER(struct nic_file, mtu_bytes),
     .least = MTU_LEAST,
     .most = MTU_MOST,
     .about = "bytes of IP packet; default: that of 'defaults'"},
    {.key = "mac",
     .type = FIELD_MAC,
     MEMBER(struct nic_file, mac),
     .about = "its address on the wire; default: 02:00 and the four octets of 'address'"},
    {.key = "transmit-queue",
     .type = FIELD_COUNT,
     MEMBER(struct nic_file, transmit_queue_frames),
     .least = 1,
     .most = 65536,
     .fallback = "256",
     .about = "frames that wait in the NIC; when full, it pushes back on TCP"},
    FLOW_CONTROL_FIELD(struct nic_file, "honour",
                       "what it does with PAUSE (802.3x); it takes all that comes, so it never has "
                       "to ask"),
    {.key = "behind",
     .type = FIELD_PART,
     NODE_MEMBER(struct nic_file, behind),
     .about = "of a virtual NIC: the physical NIC, without an address, that is the uplink of its "
              "vSwitch: 'nic1', or 'hv1.nic1' of another host. It needs no cable, keeps its link "
              "when the uplink loses carrier, and gets nothing above the uplink's MTU through"},
    {.key = "team",
     .type = FIELD_RECORD,
     MEMBER(struct nic_file, team),
     .record = &team_record,
     .about = "other NICs of the host that it stands for; it needs no cable"},
};
const struct record nic_record = {
    .name = "NIC",
    .fields = nic_fields,
    .field_count = ARRAY_SIZE(nic_fields),
    .about = "A network interface that carries iSCSI only.",
};

#define SECRET_ABOUT "12 to 255 bytes, in plain text; each direction has its own"

static const struct field chap_fields[] = {
    {.key = "user",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct chap_file, user),
     .about = "its name (CHAP_N); default: its iSCSI name"},
    {.key = "secret",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct chap_file, secret),
     .is_required = true,
     .about = SECRET_ABOUT},
};
static const struct record chap_record = {
    .name = "identity",
    .title = "identity of its own",
    .fields = chap_fields,
    .field_count = ARRAY_SIZE(chap_fields),
    .about = "What a host or an array proves at login (CHAP: RFC 7143, 12.1.3).",
};

static const struct field chap_peer_fields[] = {
    {.key = "user",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct chap_file, user),
     .is_required = true,
     .about = "its name: CHAP_N"},
    {.key = "secret",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct chap_file, secret),
     .is_required = true,
     .about = SECRET_ABOUT},
};
const struct record chap_peer_record = {
    .name = "identity",
    .title = "identity of the other side",
    .fields = chap_peer_fields,
    .field_count = ARRAY_SIZE(chap_peer_fields),
    .about = "What the other side has to prove at login (CHAP: RFC 7143, 12.1.3).",
};

#define CHAP_FIELD(owner, member, name, table, help)                                               \
    {                                                                                              \
        .key = (name), .type = FIELD_RECORD, MEMBER(owner, member), .record = (table),             \
        .about = (help)                                                                            \
    }

static const struct field session_fields[] = {
    {.key = "from",
     .type = FIELD_PART,
     NODE_MEMBER(struct session_file, from),
     .is_required = true,
     .about = "a NIC of this host: 'iscsi1'"},
    {.key = "to",
     .type = FIELD_PART,
     NODE_MEMBER(struct session_file, to),
     .is_required = true,
     .about = "a NIC of an array: 'san1.port-a'"},
    {.key = "preferred",
     .type = FIELD_BOOL,
     MEMBER(struct session_file, is_preferred),
     .fallback = "false",
     .about = "fail-over-only uses it whenever it can, and goes back to it; one per host"},
    CHAP_FIELD(struct session_file, chap, "chap", &chap_record,
               "what it proves at login; default: the host's"),
    CHAP_FIELD(struct session_file, chap_target, "chap-target", &chap_peer_record,
               "what the target has to prove in return (mutual CHAP); default: the host's"),
};
const struct record session_record = {
    .name = "session",
    .fields = session_fields,
    .field_count = ARRAY_SIZE(session_fields),
    .about = "One per path: from an initiator address to a target portal.",
};

#define OVERLAY(owner, member, name, table, help)                                                  \
    {                                                                                              \
        .key = (name), .type = FIELD_RECORD, MEMBER(owner, member), .record = (table),             \
        .is_overlay = true, .about = (help)                                                        \
    }

static const struct field host_fields[] = {
    {.key = "profile",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct host_map, profile_name),
     .is_required = true,
     .about = "a file of 'profiles/': 'windows-server-2022'"},
    {.key = "count",
     .type = FIELD_COUNT,
     MEMBER(struct host_map, count),
     .least = 1,
     .most = 1000,
     .fallback = "1",
     .about = "so many hosts that are alike: 'vm' becomes 'vm-001' to 'vm-100'"},
    {.key = "initiator",
     .type = FIELD_IQN,
     MEMBER(struct host_map, initiator_name),
     .about = "its iSCSI name; default: iqn.2026-01.com.example: and the host's name"},
    {.key = "boot-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct host_map, boot_time_ns),
     .most = SECONDS(86400),
     .fallback = "120 s",
     .about = "from power to the first login"},
    {.key = "nics",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct host_map, nics),
     .is_required = true,
     .record = &nic_record,
     .about = "its network interfaces"},
    {.key = "sessions",
     .type = FIELD_LIST,
     NODE_MEMBER(struct host_map, sessions),
     .record = &session_record,
     .about = "one per path"},
    CHAP_FIELD(struct host_map, chap, "chap", &chap_record,
               "what its sessions prove at login; left out: no authentication"),
    CHAP_FIELD(struct host_map, chap_target, "chap-target", &chap_peer_record,
               "what the target has to prove in return (mutual CHAP)"),
    CHAP_FIELD(struct host_map, discovery_chap, "discovery-chap", &chap_record,
               "what it proves when it asks for the targets"),
    OVERLAY(struct host_map, profile.ip, "ip", &profile_ip_record, "changes to the profile"),
    OVERLAY(struct host_map, profile.tcp, "tcp", &profile_tcp_record, "changes to the profile"),
    OVERLAY(struct host_map, profile.iscsi, "iscsi", &profile_iscsi_record,
            "changes to the profile"),
    OVERLAY(struct host_map, profile.path, "path", &profile_path_record, "changes to the profile"),
    OVERLAY(struct host_map, profile.mpath, "multipath", &profile_multipath_record,
            "changes to the profile"),
    {.key = "link-debounce",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct host_map, profile.link_debounce_ns),
     .most = SECONDS(60),
     .about = "from a change of carrier to the system hearing of it; default: the profile's"},
};
const struct record host_record = {
    .name = "host",
    .fields = host_fields,
    .field_count = ARRAY_SIZE(host_fields),
    .about = "A host with an initiator and a multipath layer.",
};

static const struct field media_fields[] = {
    {.key = "read-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct media_model, read_time_ns),
     .most = SECONDS(60),
     .fallback = "150 us",
     .about = "service time of a read"},
    {.key = "write-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct media_model, write_time_ns),
     .most = SECONDS(60),
     .fallback = "80 us",
     .about = "service time of a write"},
    {.key = "commands-at-once",
     .type = FIELD_COUNT,
     MEMBER(struct media_model, commands_at_once),
     .least = 1,
     .most = 65536,
     .fallback = "128",
     .about = "servers in front of one queue"},
};
static const struct record media_record = {
    .name = "media",
    .fields = media_fields,
    .field_count = ARRAY_SIZE(media_fields),
    .about = "How fast the disks of an array are.",
};

static const struct field disk_fields[] = {
    {.key = "size",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct disk_file, size_bytes),
     .least = MIB,
     .most = 256 * TIB,
     .is_required = true,
     .about = "whole blocks; only what is written takes memory"},
    {.key = "block",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct disk_file, block_bytes),
     .least = 512,
     .most = 4096,
     .fallback = "512 B",
     .about = "512 B or 4 KiB"},
    {.key = "shared",
     .type = FIELD_BOOL,
     MEMBER(struct disk_file, is_shared),
     .fallback = "false",
     .about = "several hosts use it at the same time"},
    {.key = "physical-block",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct disk_file, physical_block_bytes),
     .least = 512,
     .most = 128 * 4096,
     .about =
         "what the medium writes as one: a power of two times 'block'; as 'block' if not said"},
    {.key = "thin",
     .type = FIELD_BOOL,
     MEMBER(struct disk_file, is_thin),
     .fallback = "false",
     .about = "blocks can be unmapped and read as zero then (LBPME, LBPRZ)"},
    {.key = "removable",
     .type = FIELD_BOOL,
     MEMBER(struct disk_file, is_removable),
     .fallback = "false",
     .about = "the medium can be ejected (RMB)"},
    {.key = "read-only",
     .type = FIELD_BOOL,
     MEMBER(struct disk_file, is_read_only),
     .fallback = "false",
     .about = "every write is refused: WRITE PROTECTED"},
    {.key = "write-cache",
     .type = FIELD_BOOL,
     MEMBER(struct disk_file, has_write_cache),
     .fallback = "false",
     .about = "volatile (WCE): a crash may lose what was neither flushed nor written with FUA"},
    {.key = "sanitize-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct disk_file, sanitize_ns),
     .fallback = "0 s",
     .about = "SANITIZE takes at least so long"},
    {.key = "serial",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct disk_file, serial),
     .about = "unit serial number, up to 32 printable characters; made from the name if not said"},
};
const struct record disk_record = {
    .name = "disk",
    .fields = disk_fields,
    .field_count = ARRAY_SIZE(disk_fields),
    .about = "A LUN; numbered from 0 in the order of the file.",
};

static const struct field array_fields[] = {
    {.key = "profile",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct array_map, profile_name),
     .is_required = true,
     .about = "a file of 'profiles/': 'array-generic'"},
    {.key = "target",
     .type = FIELD_IQN,
     MEMBER(struct array_map, target_name),
     .is_required = true,
     .about = "its iSCSI name: 'iqn.2026-01.com.example:san1'"},
    {.key = "boot-time",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct array_map, boot_time_ns),
     .most = SECONDS(86400),
     .fallback = "180 s",
     .about = "from power to the first login that it accepts"},
    {.key = "nics",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct array_map, nics),
     .is_required = true,
     .record = &nic_record,
     .about = "its portals"},
    {.key = "neighbours",
     .type = FIELD_COUNT,
     MEMBER(struct array_map, neighbours),
     .least = 2,
     .most = 65536,
     .fallback = "1024",
     .about =
         "addresses that its ARP cache holds (Linux: gc_thresh3); with more hosts than that it "
         "asks again and again"},
    {.key = "media",
     .type = FIELD_RECORD,
     MEMBER(struct array_map, media),
     .record = &media_record,
     .about = "how fast its disks are"},
    {.key = "disks",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct array_map, disks),
     .is_required = true,
     .record = &disk_record,
     .about = "its LUNs"},
    {.key = "chap",
     .type = FIELD_LIST,
     NODE_MEMBER(struct array_map, chap),
     .record = &chap_peer_record,
     .about = "who may log in; left out: everybody may, without authentication. Secrets stand here "
              "and in result files as they are: use none that guards anything real"},
    CHAP_FIELD(struct array_map, chap_own, "chap-own", &chap_record,
               "what it proves to a host that asks for it (mutual CHAP)"),
    {.key = "discovery-chap",
     .type = FIELD_LIST,
     NODE_MEMBER(struct array_map, discovery_chap),
     .record = &chap_peer_record,
     .about = "who may ask for the targets; left out: everybody may"},
    OVERLAY(struct array_map, profile.ip, "ip", &profile_ip_record, "changes to the profile"),
    OVERLAY(struct array_map, profile.tcp, "tcp", &profile_tcp_record, "changes to the profile"),
    OVERLAY(struct array_map, profile.iscsi, "iscsi", &profile_iscsi_record,
            "changes to the profile"),
    OVERLAY(struct array_map, profile, "portal", &profile_portal_record, "changes to the profile"),
    {.key = "link-debounce",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct array_map, profile.link_debounce_ns),
     .most = SECONDS(60),
     .about = "from a change of carrier to the array hearing of it; default: the profile's"},
};
const struct record array_record = {
    .name = "array",
    .fields = array_fields,
    .field_count = ARRAY_SIZE(array_fields),
    .about = "A storage array with two or more NICs.",
};

#define SPEED_FIELD(owner, member, given)                                                          \
    {                                                                                              \
        .key = "speed", .type = FIELD_QUANTITY, .quantity = QUANTITY_RATE, MEMBER(owner, member),  \
        .least = 1000000, .most = 1000000000000, .fallback = (given), .about = "of each direction" \
    }
#define LENGTH_FIELD(owner, member, given)                                                         \
    {                                                                                              \
        .key = "length", .type = FIELD_QUANTITY, .quantity = QUANTITY_LENGTH,                      \
        MEMBER(owner, member), .least = 1, .most = 1000000, .fallback = (given),                   \
        .about = "light needs 5 ns per metre"                                                      \
    }

static const struct word one_ways[] = {
    {"both-notice", CABLE_BOTH_NOTICE, "copper, or glass whose ends report remote faults"},
    {"far-end-notices", CABLE_FAR_END_NOTICES, "glass without fault signalling"},
    {"nobody-notices", CABLE_NOBODY_NOTICES, "media converters, or a provider's line"},
    {NULL, 0, NULL}};

static const struct field cable_fields[] = {
    {.key = "from",
     .type = FIELD_PART,
     NODE_MEMBER(struct cable_file, from),
     .is_required = true,
     .about = "a NIC or a switch port: 'hv1.iscsi1'"},
    {.key = "to",
     .type = FIELD_PART,
     NODE_MEMBER(struct cable_file, to),
     .is_required = true,
     .about = "a NIC or a switch port: 'switch-1.1'"},
    SPEED_FIELD(struct cable_file, settings.rate_bits_per_s, NULL),
    LENGTH_FIELD(struct cable_file, settings.length_m, NULL),
    {.key = "delay",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct cable_file, delay_ns),
     .most = SECONDS(10),
     .fallback = "0 s",
     .about = "on top of the length's, for a provider's line"},
    {.key = "one-way",
     .type = FIELD_WORD,
     MEMBER(struct cable_file, one_way),
     .words = one_ways,
     .fallback = "both-notice",
     .about = "who loses carrier when one of its two strands is cut"},
};
const struct record cable_record = {
    .name = "cable",
    .fields = cable_fields,
    .field_count = ARRAY_SIZE(cable_fields),
    .about = "A cable between two NICs, two switch ports, or one of each.",
};

static const struct field cable_default_fields[] = {
    SPEED_FIELD(struct cable_defaults, rate_bits_per_s, "10 Gbit/s"),
    LENGTH_FIELD(struct cable_defaults, length_m, "5 m"),
};
static const struct record cable_default_record = {
    .name = "cable",
    .fields = cable_default_fields,
    .field_count = ARRAY_SIZE(cable_default_fields),
    .about = "What a cable is like that says nothing else.",
};

static const struct field default_fields[] = {
    {.key = "mtu",
     .type = FIELD_COUNT,
     .offset = offsetof(struct topology_file, defaults.mtu_bytes) -
               offsetof(struct topology_file, defaults),
     .width = sizeof(uint32_t),
     .least = MTU_LEAST,
     .most = MTU_MOST,
     .fallback = "1500",
     .about = "bytes of IP packet, of NICs and switches that say nothing else"},
    {.key = "cable",
     .type = FIELD_RECORD,
     .offset =
         offsetof(struct topology_file, defaults.cable) - offsetof(struct topology_file, defaults),
     .width = sizeof(struct cable_defaults),
     .record = &cable_default_record,
     .about = "of cables that say nothing else"},
};
static const struct record default_record = {
    .name = "section",
    .title = "section 'defaults'",
    .fields = default_fields,
    .field_count = ARRAY_SIZE(default_fields),
    .about = "What holds where a part says nothing else.",
};

static const struct field topology_fields[] = {
    {.key = "kind",
     .type = FIELD_FIXED,
     .fallback = "topology",
     .is_required = true,
     .about = "what kind of file this is"},
    {.key = "format",
     .type = FIELD_FIXED,
     .fallback = "1",
     .is_required = true,
     .about = "version of the format"},
    {.key = "name",
     .type = FIELD_NAME,
     MEMBER(struct topology_file, name),
     .is_required = true,
     .about = "the SAN's"},
    {.key = "about",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct topology_file, about),
     .about = "one sentence"},
    {.key = "defaults",
     .type = FIELD_RECORD,
     MEMBER(struct topology_file, defaults),
     .record = &default_record,
     .about = "what holds where a part says nothing else"},
    {.key = "switches",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct topology_file, switches),
     .record = &switch_record,
     .about = "by name"},
    {.key = "hosts",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct topology_file, hosts),
     .is_required = true,
     .record = &host_record,
     .about = "by name"},
    {.key = "arrays",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct topology_file, arrays),
     .is_required = true,
     .record = &array_record,
     .about = "by name"},
    {.key = "cables",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct topology_file, cables),
     .is_required = true,
     .record = &cable_record,
     .about = "by name, so that a scenario can pull one of them"},
};
const struct record topology_record = {
    .name = "topology",
    .fields = topology_fields,
    .field_count = ARRAY_SIZE(topology_fields),
    .about = "A SAN: hosts, switches, arrays, and the cables between them.",
};
