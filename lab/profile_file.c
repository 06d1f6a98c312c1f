/* Profile files: the tables of their sections, and what must hold between values. */
#include "lab/profile_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iscsi/chap.h"
#include "lab/suggest.h"
#include "sim/core/attributes.h"
#include "sim/core/time.h"

#define LONGEST SECONDS(86400)

/* A span of up to a day; 0: off. */
#define SPAN(owner, member, name, help)                                                            \
    {                                                                                              \
        .key = (name), .type = FIELD_QUANTITY, .quantity = QUANTITY_SPAN, MEMBER(owner, member),   \
        .least = 0, .most = LONGEST, .is_required = true, .about = (help)                          \
    }
/* A span of at least a nanosecond. */
#define SPAN_SET(owner, member, name, help)                                                        \
    {                                                                                              \
        .key = (name), .type = FIELD_QUANTITY, .quantity = QUANTITY_SPAN, MEMBER(owner, member),   \
        .least = 1, .most = LONGEST, .is_required = true, .about = (help)                          \
    }
#define SIZE(owner, member, name, smallest, largest, help)                                         \
    {                                                                                              \
        .key = (name), .type = FIELD_QUANTITY, .quantity = QUANTITY_SIZE, MEMBER(owner, member),   \
        .least = (smallest), .most = (largest), .is_required = true, .about = (help)               \
    }
#define COUNT(owner, member, name, smallest, largest, help)                                        \
    {                                                                                              \
        .key = (name), .type = FIELD_COUNT, MEMBER(owner, member), .least = (smallest),            \
        .most = (largest), .is_required = true, .about = (help)                                    \
    }
#define TRUTH(owner, member, name, help)                                                           \
    {                                                                                              \
        .key = (name), .type = FIELD_BOOL, MEMBER(owner, member), .is_required = true,             \
        .about = (help)                                                                            \
    }
#define WORD(owner, member, name, list, help)                                                      \
    {                                                                                              \
        .key = (name), .type = FIELD_WORD, MEMBER(owner, member), .words = (list),                 \
        .is_required = true, .about = (help)                                                       \
    }
#define SECTION(owner, member, name, table, help)                                                  \
    {                                                                                              \
        .key = (name), .type = FIELD_RECORD, MEMBER(owner, member), .record = (table),             \
        .is_required = true, .about = (help)                                                       \
    }

/* ---- ip ---- */

#define X(name, word) {word, name, NULL},
static const struct word host_models[] = {HOST_MODELS(X){NULL, 0, NULL}};
static const struct word bindings[] = {SESSION_BINDINGS(X){NULL, 0, NULL}};
static const struct word arp_answers[] = {ARP_ANSWERS(X){NULL, 0, NULL}};
static const struct word arp_senders[] = {ARP_SENDERS(X){NULL, 0, NULL}};
static const struct word reverse_paths[] = {REVERSE_PATHS(X){NULL, 0, NULL}};
#undef X

/* What a profile without the section leaves out is that of a strong host. */
#define RULE(member, name, list, given, help)                                                      \
    {                                                                                              \
        .key = (name), .type = FIELD_WORD, MEMBER(struct ip_rules, member), .words = (list),       \
        .fallback = (given), .about = (help)                                                       \
    }

static const struct field ip_fields[] = {
    RULE(model, "host-model", host_models, "strong",
         "strong: an address belongs to its NIC; weak: to the host (RFC 1122, 3.3.4.2)"),
    RULE(binding, "sessions-bound-to", bindings, "nic",
         "of a weak host: 'nic' (SO_BINDTODEVICE), or only 'address', so that of two NICs in one "
         "subnet the first carries all sessions"),
    RULE(arp_answers, "arp-answers", arp_answers, "any",
         "of a weak host: a NIC answers for any address (arp_ignore 0) or for its own (1)"),
    RULE(arp_senders, "arp-senders", arp_senders, "any",
         "of a weak host: a NIC asks in the name of any address (arp_announce 0) or its own (2)"),
    RULE(reverse_path, "reverse-path", reverse_paths, "any",
         "of a weak host: strict (rp_filter 1) drops what it would answer by another NIC"),
};

const struct record profile_ip_record = {
    .name = "section",
    .title = "section 'ip'",
    .fields = ip_fields,
    .field_count = ARRAY_SIZE(ip_fields),
    .about = "Which NIC a packet leaves by, and for which addresses a NIC answers.",
};

/* ---- tcp ---- */

static const struct word hystarts[] = {
    {"none", TCP_HYSTART_NONE, "slow start ends with a loss"},
    {"linux", TCP_HYSTART_LINUX, "by trains of ACKs and by delay, as Linux' cubic"},
    {"rfc9406", TCP_HYSTART_RFC9406, "HyStart++"},
    {NULL, 0, NULL},
};
static const struct word congestions[] = {
    {"newreno", TCP_NEWRENO, "RFC 6582"}, {"cubic", TCP_CUBIC, "RFC 9438"}, {NULL, 0, NULL}};
static const struct word rto_rules[] = {
    {"standard", TCP_RTO_STANDARD, "RFC 6298: 'min-rto' is a floor under the time-out"},
    {"linux", TCP_RTO_LINUX, "'min-rto' is a floor under its variance; whole ticks"},
    {NULL, 0, NULL}};
static const struct word link_downs[] = {
    {"keep", TCP_LINK_DOWN_KEEP, "connections stay, and retransmit"},
    {"abort", TCP_LINK_DOWN_ABORT, "connections end at once"},
    {NULL, 0, NULL}};

static const struct field tcp_fields[] = {
    SPAN_SET(struct tcp_options, initial_rto_ns, "initial-rto",
             "retransmission time-out of a SYN, and of data before the first measurement"),
    WORD(struct tcp_options, rto_rule, "rto-rule", rto_rules,
         "how the retransmission time-out follows from the round trips"),
    SPAN_SET(struct tcp_options, min_rto_ns, "min-rto", "smallest retransmission time-out"),
    SPAN_SET(struct tcp_options, max_rto_ns, "max-rto", "largest retransmission time-out"),
    COUNT(struct tcp_options, syn_retransmissions, "syn-retransmissions", 0, 100,
          "SYNs sent again before a connect fails"),
    COUNT(struct tcp_options, syn_linear_timeouts, "syn-linear-timeouts", 0, 100,
          "and so many more, before the time between them begins to double"),
    COUNT(struct tcp_options, synack_retransmissions, "synack-retransmissions", 0, 100,
          "SYN-ACKs sent again before a half-open connection is dropped"),
    COUNT(struct tcp_options, data_retransmissions, "data-retransmissions", 0, 100,
          "a connection is given up at the time-out after so many; 0: no such limit"),
    SPAN(struct tcp_options, give_up_after_ns, "give-up-after",
         "or so long after the first one, at the next time-out; 0 s: the count rules"),
    SPAN(struct tcp_options, user_timeout_ns, "user-timeout", "RFC 5482; 0 s: off"),
    TRUTH(struct tcp_options, rack, "rack", "losses are noticed by time (RFC 8985); needs SACK"),
    TRUTH(struct tcp_options, tail_loss_probe, "tail-loss-probe",
          "asks before the time-out (RFC 8985, 7); needs SACK"),
    SPAN(struct tcp_options, rack_min_rtt_ns, "rack-min-rtt",
         "both only where the handshake took at least so long"),
    TRUTH(struct tcp_options, frto, "frto", "notices spurious time-outs (RFC 5682)"),
    TRUTH(struct tcp_options, undo, "undo",
          "takes back what a spurious loss did to the window (RFC 3522, RFC 3708)"),
    TRUTH(struct tcp_options, dsack, "dsack", "reports duplicates (RFC 2883)"),
    TRUTH(struct tcp_options, proportional_rate, "proportional-rate",
          "sends evenly while it recovers (RFC 6937)"),
    COUNT(struct tcp_options, mtu_probe_after, "mtu-probe-after", 0, 100,
          "time-outs in a row after which segments shrink (RFC 4821); 0: never"),
    SIZE(struct tcp_options, mtu_probe_bytes, "mtu-probe-size", 48, 65495,
         "to this, and then by half at each further time-out; larger ones are tried from then on"),
    SPAN(struct tcp_options, mtu_probe_again_ns, "mtu-probe-again",
         "the search for a larger size begins anew after so long; 0 s: never"),
    TRUTH(struct tcp_options, segmentation_offload, "segmentation-offload",
          "TSO, LSO: the NIC cuts super-segments of up to 64 KiB, for which TCP saves up"),
    SPAN(struct tcp_options, receive_merge_ns, "receive-offload",
         "GRO, LRO, RSC: segments in order are merged for at most so long; 0 s: off"),
    SPAN(struct tcp_options, delayed_ack_ns, "delayed-ack",
         "an acknowledgement waits at most so long; 0 s: never"),
    COUNT(struct tcp_options, delayed_ack_segments, "delayed-ack-segments", 1, 255,
          "and is sent at the latest after so many full segments"),
    COUNT(struct tcp_options, quick_acks, "quick-acks", 0, 255,
          "so many do not wait when a stream begins or a duplicate came"),
    WORD(struct tcp_options, congestion, "congestion", congestions, "congestion control"),
    WORD(struct tcp_options, hystart, "hystart", hystarts, "how slow start ends before a loss"),
    TRUTH(struct tcp_options, slow_start_after_idle, "slow-start-after-idle",
          "a window not used for a time-out starts anew (RFC 5681, 4.1)"),
    COUNT(struct tcp_options, initial_window_segments, "initial-window", 1, 100,
          "segments sent before the first acknowledgement (RFC 6928)"),
    SIZE(struct tcp_options, send_buffer_bytes, "send-buffer", 4096, 1 << 30, "socket buffer"),
    SIZE(struct tcp_options, receive_buffer_bytes, "receive-buffer", 4096, 1 << 30,
         "socket buffer: the largest window"),
    TRUTH(struct tcp_options, nagle, "nagle", "waits with small segments (RFC 1122, 4.2.3.4)"),
    TRUTH(struct tcp_options, timestamps, "timestamps", "RFC 7323"),
    TRUTH(struct tcp_options, sack, "sack", "selective acknowledgements (RFC 2018)"),
    SPAN(struct tcp_options, keepalive_idle_ns, "keepalive-idle",
         "quiet for so long: a probe; 0 s: off"),
    SPAN(struct tcp_options, keepalive_interval_ns, "keepalive-interval", "between probes"),
    COUNT(struct tcp_options, keepalive_probes, "keepalive-probes", 0, 100,
          "unanswered ones that end the connection"),
    SPAN(struct tcp_options, time_wait_ns, "time-wait", "2 MSL"),
    SPAN(struct tcp_options, fin_wait_2_ns, "fin-wait-2", "how long an orphan waits for a FIN"),
    WORD(struct tcp_options, on_link_down, "on-link-down", link_downs,
         "what a NIC without carrier does to its connections"),
    SPAN(struct tcp_options, timer_tick_ns, "timer-tick",
         "deadlines are rounded up to it; 0 s: exact"),
    TRUTH(struct tcp_options, timer_wheel, "timer-wheel",
          "and the coarser the farther away they are, as Linux does it"),
};

const struct record profile_tcp_record = {
    .name = "section",
    .title = "section 'tcp'",
    .fields = tcp_fields,
    .field_count = ARRAY_SIZE(tcp_fields),
    .about = "The knobs of TCP, as the operating system sets them.",
};

/* ---- iscsi ---- */

static const struct word digests[] = {{"none", DIGEST_NONE, NULL},
                                      {"crc32c", DIGEST_CRC32C, NULL},
                                      {"none-or-crc32c", DIGEST_NONE_OR_CRC32C, "none preferred"},
                                      {"crc32c-or-none", DIGEST_CRC32C_OR_NONE, "CRC32C preferred"},
                                      {NULL, 0, NULL}};

#define SEGMENT_MOST ((1 << 24) - 1)

static const struct field iscsi_fields[] = {
    WORD(struct iscsi_params, header_digest, "header-digest", digests, "HeaderDigest"),
    WORD(struct iscsi_params, data_digest, "data-digest", digests, "DataDigest"),
    COUNT(struct iscsi_params, max_connections, "max-connections", 1, 65535, "MaxConnections"),
    TRUTH(struct iscsi_params, initial_r2t, "initial-r2t", "InitialR2T"),
    TRUTH(struct iscsi_params, immediate_data, "immediate-data", "ImmediateData"),
    SIZE(struct iscsi_params, max_recv_segment_bytes, "max-recv-segment", 512, SEGMENT_MOST,
         "MaxRecvDataSegmentLength"),
    SIZE(struct iscsi_params, max_burst_bytes, "max-burst", 512, SEGMENT_MOST, "MaxBurstLength"),
    SIZE(struct iscsi_params, first_burst_bytes, "first-burst", 512, SEGMENT_MOST,
         "FirstBurstLength"),
    {.key = "time-to-wait",
     .type = FIELD_SECONDS,
     MEMBER(struct iscsi_params, time2wait_s),
     .most = 3600,
     .is_required = true,
     .about = "DefaultTime2Wait"},
    {.key = "time-to-retain",
     .type = FIELD_SECONDS,
     MEMBER(struct iscsi_params, time2retain_s),
     .most = 3600,
     .is_required = true,
     .about = "DefaultTime2Retain"},
    COUNT(struct iscsi_params, max_outstanding_r2t, "max-outstanding-r2t", 1, 65535,
          "MaxOutstandingR2T"),
    TRUTH(struct iscsi_params, data_pdu_in_order, "data-pdu-in-order", "DataPDUInOrder"),
    TRUTH(struct iscsi_params, data_sequence_in_order, "data-sequence-in-order",
          "DataSequenceInOrder"),
    COUNT(struct iscsi_params, error_recovery_level, "error-recovery-level", 0, 2,
          "ErrorRecoveryLevel"),
    {.key = "protocol-level",
     .type = FIELD_COUNT,
     MEMBER(struct iscsi_params, protocol_level),
     .least = 1,
     .most = ISCSI_LEVEL_QUERIES,
     .fallback = "1",
     .about = "iSCSIProtocolLevel (RFC 7144); 1 goes without saying"},
};

const struct record profile_iscsi_record = {
    .name = "section",
    .title = "section 'iscsi'",
    .fields = iscsi_fields,
    .field_count = ARRAY_SIZE(iscsi_fields),
    .about = "What this end offers or answers at login (RFC 7143, 13).",
};

/* ---- path ---- */

static const struct field path_fields[] = {
    SPAN(struct path_rules, connect_timeout_ns, "connect-timeout",
         "given to a TCP connect; 0 s: 'login-timeout' covers it"),
    SPAN_SET(struct path_rules, login_timeout_ns, "login-timeout",
             "from TCP established to full feature phase"),
    SPAN_SET(struct path_rules, logout_timeout_ns, "logout-timeout", "given to a logout"),
    SPAN(struct path_rules, reconnect_delay_ns, "reconnect-delay",
         "between attempts, after a failure"),
    SPAN(struct path_rules, refused_delay_ns, "refused-delay",
         "after a refused connect or a local error; 0 s: as 'reconnect-delay'"),
    TRUTH(struct path_rules, waits_time2wait, "waits-time-to-wait",
          "the first attempt waits for the negotiated DefaultTime2Wait"),
    SPAN(struct path_rules, nop_interval_ns, "nop-interval",
         "nothing received for so long: a ping; 0 s: no pings"),
    SPAN(struct path_rules, nop_timeout_ns, "nop-timeout",
         "no answer for so long: the connection is dropped"),
    SPAN(struct path_rules, hold_ns, "hold",
         "how long commands are held after the session was lost, before they fail up"),
    SPAN_SET(struct path_rules, command_timeout_ns, "command-timeout", "time limit of a command"),
    SPAN(struct path_rules, command_timeout_extra_ns, "command-timeout-extra",
         "added before the initiator acts"),
    TRUTH(struct path_rules, extends_busy_timeout, "extends-busy-timeout",
          "a command that moved data, or whose session is not logged in, gets more time"),
    SPAN(struct path_rules, abort_timeout_ns, "abort-timeout",
         "for the answer to ABORT TASK; then LUN reset"),
    SPAN(struct path_rules, lun_reset_timeout_ns, "lun-reset-timeout",
         "for the answer to LUN RESET; then target reset, or the session is dropped"),
    SPAN(struct path_rules, target_reset_timeout_ns, "target-reset-timeout",
         "then the session is dropped; 0 s: no target reset"),
    COUNT(struct path_rules, max_commands, "max-commands", 1, 65535, "open per session"),
    COUNT(struct path_rules, queue_depth, "queue-depth", 1, 65535, "open per LUN and path"),
    SPAN(struct path_rules, async_logout_delay_ns, "async-logout-delay",
         "pause after an asynchronous logout request"),
    {.key = "chap-secret-most",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct path_rules, chap_secret_most_bytes),
     .least = CHAP_SECRET_LEAST,
     .most = CHAP_SECRET_MOST,
     .fallback = "255 B",
     .about = "the longest secret of CHAP that its tools take"},
};

const struct record profile_path_record = {
    .name = "section",
    .title = "section 'path'",
    .fields = path_fields,
    .field_count = ARRAY_SIZE(path_fields),
    .about = "One session and its path: the timers of the initiator.",
};

/* ---- multipath ---- */

#define X(name, word) {word, name, NULL},
static const struct word policies[] = {MPATH_POLICIES(X){NULL, 0, NULL}};
static const struct word no_paths[] = {NO_PATH_RULES(X){NULL, 0, NULL}};
static const struct word path_returns[] = {PATH_RETURN_RULES(X){NULL, 0, NULL}};
static const struct word error_rules[] = {ERROR_RULES(X){NULL, 0, NULL}};
static const struct word failbacks[] = {FAILBACK_RULES(X){NULL, 0, NULL}};
#undef X

static const struct field multipath_fields[] = {
    WORD(struct mpath_rules, policy, "policy", policies, "which path the next I/O takes"),
    WORD(struct mpath_rules, no_path, "no-path", no_paths,
         "what happens to I/O while no path is left"),
    SPAN(struct mpath_rules, no_path_ns, "no-path-time",
         "how long 'queue-for' and 'hold-and-remove' wait"),
    WORD(struct mpath_rules, path_return, "path-return", path_returns,
         "when a path whose session is back is used again"),
    SPAN(struct mpath_rules, path_check_interval_ns, "path-check-interval",
         "period of the path checker for failed paths; 0 s: no checker"),
    SPAN(struct mpath_rules, path_check_max_interval_ns, "path-check-max-interval",
         "the period doubles up to this on healthy paths"),
    SPAN(struct mpath_rules, path_check_timeout_ns, "path-check-timeout",
         "no answer for so long fails the path"),
    TRUTH(struct mpath_rules, path_verify, "path-verify", "periodic verification of paths"),
    SPAN(struct mpath_rules, path_verify_period_ns, "path-verify-period", "and its period"),
    SPAN(struct mpath_rules, arrival_delay_ns, "arrival-delay",
         "from logged in to usable, while the system finds the disk"),
    WORD(struct mpath_rules, failback, "failback", failbacks,
         "whether a preferred path gets its I/O back"),
    COUNT(struct mpath_rules, retry_count, "retry-count", 0, 500,
          "of a failed request; 0: an I/O fails with its path"),
    SPAN(struct mpath_rules, retry_interval_ns, "retry-interval", "before such a retry"),
    WORD(struct mpath_rules, errors, "errors", error_rules,
         "whose reading of an answer decides what it says about its path"),
    SPAN(struct mpath_rules, uncounted_retry_ns, "uncounted-retry-time",
         "how long retries that use up no count go on for one I/O; 0 s: no limit"),
    SPAN(struct mpath_rules, path_recovery_ns, "path-recovery-interval",
         "a path that failed although its session lives is tested so often; 0 s: never"),
};

const struct record profile_multipath_record = {
    .name = "section",
    .title = "section 'multipath'",
    .fields = multipath_fields,
    .field_count = ARRAY_SIZE(multipath_fields),
    .about = "The multipath disk that joins the paths.",
};

/* ---- portal ---- */

static const struct field portal_fields[] = {
    COUNT(struct array_profile, max_commands, "max-commands", 1, 65535,
          "command window per session"),
    SPAN_SET(struct array_profile, login_timeout_ns, "login-timeout",
             "from TCP established to full feature phase"),
    SPAN(struct array_profile, nop_interval_ns, "nop-interval",
         "quiet for so long: a NOP-In; 0 s: none"),
    SPAN(struct array_profile, nop_timeout_ns, "nop-timeout",
         "no answer for so long: the connection is dropped"),
    SPAN(struct array_profile, data_out_timeout_ns, "data-out-timeout",
         "owed Data-Out that does not come; 0 s: waits for ever"),
};

const struct record profile_portal_record = {
    .name = "section",
    .title = "section 'portal'",
    .fields = portal_fields,
    .field_count = ARRAY_SIZE(portal_fields),
    .about = "How an array treats its sessions.",
};

/* ---- Files ---- */

/* A profile file as read: its head, and the profile that it fills. */
struct host_file {
    const struct node *name;
    const struct node *about;
    struct host_profile profile;
};
struct array_file {
    const struct node *name;
    const struct node *about;
    struct array_profile profile;
};

#define HEAD(owner, what)                                                                          \
    {.key = "kind",                                                                                \
     .type = FIELD_FIXED,                                                                          \
     .fallback = "profile",                                                                        \
     .is_required = true,                                                                          \
     .about = "what kind of file this is"},                                                        \
        {.key = "format",                                                                          \
         .type = FIELD_FIXED,                                                                      \
         .fallback = "1",                                                                          \
         .is_required = true,                                                                      \
         .about = "version of the format"},                                                        \
        {.key = "name",                                                                            \
         .type = FIELD_VALUE,                                                                      \
         NODE_MEMBER(owner, name),                                                                 \
         .is_required = true,                                                                      \
         .about = "as the file is called, without '.yaml'"},                                       \
        {.key = "about", .type = FIELD_TEXT, NODE_MEMBER(owner, about), .about = "one sentence"},  \
        {.key = "describes",                                                                       \
         .type = FIELD_FIXED,                                                                      \
         .fallback = (what),                                                                       \
         .is_required = true,                                                                      \
         .about = "'host' or 'array'"},                                                            \
        {.key = "ip",                                                                              \
         .type = FIELD_RECORD,                                                                     \
         MEMBER(owner, profile.ip),                                                                \
         .record = &profile_ip_record,                                                             \
         .about = "which NIC a packet leaves by"},                                                 \
        SECTION(owner, profile.tcp, "tcp", &profile_tcp_record, "TCP of its operating system"),    \
        SECTION(owner, profile.iscsi, "iscsi", &profile_iscsi_record, "keys of the login"),        \
        SPAN(owner, profile.link_debounce_ns, "link-debounce",                                     \
             "from a change of carrier to the system hearing of it")

static const struct field host_fields[] = {
    HEAD(struct host_file, "host"),
    SECTION(struct host_file, profile.path, "path", &profile_path_record, "timers per session"),
    SECTION(struct host_file, profile.mpath, "multipath", &profile_multipath_record,
            "rules of the multipath disk"),
};

const struct record profile_host_record = {
    .name = "profile",
    .fields = host_fields,
    .field_count = ARRAY_SIZE(host_fields),
    .about = "What a host is like: the timers and rules of its initiator and multipath layer.",
};

static const struct field array_fields[] = {
    HEAD(struct array_file, "array"),
    SECTION(struct array_file, profile, "portal", &profile_portal_record,
            "how it treats its sessions"),
};

const struct record profile_array_record = {
    .name = "profile",
    .fields = array_fields,
    .field_count = ARRAY_SIZE(array_fields),
    .about = "What an array is like towards its initiators.",
};

/* ---- Between values ---- */

/* The value to blame: the key in the map 'at', in its section, else 'at' itself. */
static void refuse_pair(const struct node *at, const char *section, const char *key,
                        struct errors *errors, const char *text, const char *help)
{
    const struct node *map = node_get(at, section);
    const struct node *value = map ? node_get(map, key) : NULL;

    error_help(node_error(errors, value ? value : at, "%s", text), "%s", help);
}

static void check_tcp(const struct tcp_options *tcp, const struct node *at, struct errors *errors)
{
    if (tcp->min_rto_ns > tcp->max_rto_ns)
        refuse_pair(at, "tcp", "min-rto", errors, "'min-rto' is longer than 'max-rto'",
                    "make one of them fit the other");
    if (tcp->keepalive_idle_ns > 0 &&
        (tcp->keepalive_interval_ns == 0 || tcp->keepalive_probes == 0))
        refuse_pair(at, "tcp", "keepalive-idle", errors,
                    "'keepalive-idle' is set without an interval or probes",
                    "set 'keepalive-interval' and 'keepalive-probes', or 'keepalive-idle: 0 s'");
}

static void check_iscsi(const struct iscsi_params *iscsi, const struct node *at,
                        struct errors *errors)
{
    if (iscsi->first_burst_bytes > iscsi->max_burst_bytes)
        refuse_pair(at, "iscsi", "first-burst", errors, "'first-burst' is longer than 'max-burst'",
                    "RFC 7143, 13.14: FirstBurstLength must not exceed MaxBurstLength");
}

void profile_check_host(const struct host_profile *profile, const struct node *at,
                        struct errors *errors)
{
    const struct mpath_rules *mpath = &profile->mpath;

    check_tcp(&profile->tcp, at, errors);
    check_iscsi(&profile->iscsi, at, errors);
    if (profile->path.nop_interval_ns > 0 && profile->path.nop_timeout_ns == 0)
        refuse_pair(at, "path", "nop-interval", errors, "'nop-interval' is set without a time-out",
                    "set 'nop-timeout', or 'nop-interval: 0 s'");
    if (mpath->path_return == RETURN_ON_CHECK &&
        (mpath->path_check_interval_ns == 0 || mpath->path_check_timeout_ns == 0))
        refuse_pair(at, "multipath", "path-return", errors,
                    "paths would never return: 'on-check' without a path checker",
                    "set 'path-check-interval' and 'path-check-timeout'");
    if (mpath->path_check_max_interval_ns < mpath->path_check_interval_ns)
        refuse_pair(at, "multipath", "path-check-max-interval", errors,
                    "'path-check-max-interval' is shorter than 'path-check-interval'",
                    "the period of healthy paths cannot be shorter than that of failed ones");
    if (mpath->path_verify && mpath->path_verify_period_ns == 0)
        refuse_pair(at, "multipath", "path-verify", errors, "'path-verify' is set without a period",
                    "set 'path-verify-period', or 'path-verify: false'");
}

void profile_check_array(const struct array_profile *profile, const struct node *at,
                         struct errors *errors)
{
    check_tcp(&profile->tcp, at, errors);
    check_iscsi(&profile->iscsi, at, errors);
    if (profile->nop_interval_ns > 0 && profile->nop_timeout_ns == 0)
        refuse_pair(at, "portal", "nop-interval", errors,
                    "'nop-interval' is set without a time-out",
                    "set 'nop-timeout', or 'nop-interval: 0 s'");
}

/* ---- Loading ---- */

/* Those that come with the program, for help with a name. */
static const char *const shipped[] = {"windows-server-2022", "linux-6.1-dm-multipath",
                                      "array-generic"};

static bool is_file_name(const char *name)
{
    size_t bytes = strlen(name);

    if (bytes == 0 || bytes >= sizeof(((struct host_profile *)NULL)->name) || name[0] == '.')
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return true;
}

static const struct source *find_file(const struct node *name, struct file_set *files,
                                      struct errors *errors)
{
    const struct source *source = NULL;
    struct error err;
    char relative[80];

    if (!schema_has_value(name, "profile", errors))
        return NULL;
    if (!is_file_name(name->text)) {
        error_help(node_error(errors, name, "'%.60s' cannot be the name of a profile", name->text),
                   "name a file of 'profiles/' without '.yaml': 'windows-server-2022'");
        return NULL;
    }
    snprintf(relative, sizeof(relative), "profiles/%s.yaml", name->text);

    char *path = path_beside(name->source->name, relative);
    enum status status = file_set_read(files, path, &source, &err);
    if (status != OK) {
        struct suggestion suggestion;
        struct error *error = node_error(errors, name, "unknown profile '%s': there is no '%.120s'",
                                         name->text, path);

        suggest_init(&suggestion, name->text);
        for (size_t i = 0; i < ARRAY_SIZE(shipped); i++)
            suggest_offer(&suggestion, shipped[i]);
        if (suggestion.best && strcmp(suggestion.best, name->text) == 0)
            error_help(error, "it is shipped: copy or link the folder 'profiles' of 'topologies' "
                              "beside this file");
        else if (suggestion.best)
            error_help(error, "did you mean '%s'?", suggestion.best);
        else
            error_help(error, "profiles are looked up beside the topology, in 'profiles/'");
    }
    free(path);
    return source;
}

static void check_name(const struct node *in_file, const struct source *source,
                       struct errors *errors)
{
    const char *slash = strrchr(source->name, '/');
    const char *file = slash ? slash + 1 : source->name;
    size_t bytes = in_file ? strlen(in_file->text) : 0;

    if (in_file && (strncmp(file, in_file->text, bytes) != 0 || strcmp(file + bytes, ".yaml") != 0))
        error_help(node_error(errors, in_file, "the profile is called '%.60s', its file '%.80s'",
                              in_file->text, file),
                   "give both the same name");
}

static bool read_host(const struct document *document, struct host_profile *ret_profile,
                      struct errors *errors)
{
    struct host_file file = {.name = NULL};
    size_t before = errors->error_count;

    schema_read(&profile_host_record, document->root, &file, errors);
    check_name(file.name, document->source, errors);
    if (errors->error_count == before)
        profile_check_host(&file.profile, document->root, errors);
    *ret_profile = file.profile;
    if (file.name && is_file_name(file.name->text))
        snprintf(ret_profile->name, sizeof(ret_profile->name), "%s", file.name->text);
    return errors->error_count == before;
}

static bool read_array(const struct document *document, struct array_profile *ret_profile,
                       struct errors *errors)
{
    struct array_file file = {.name = NULL};
    size_t before = errors->error_count;

    schema_read(&profile_array_record, document->root, &file, errors);
    check_name(file.name, document->source, errors);
    if (errors->error_count == before)
        profile_check_array(&file.profile, document->root, errors);
    *ret_profile = file.profile;
    if (file.name && is_file_name(file.name->text))
        snprintf(ret_profile->name, sizeof(ret_profile->name), "%s", file.name->text);
    return errors->error_count == before;
}

static bool is_array(const struct document *document)
{
    const struct node *describes = node_get(document->root, "describes");

    return describes && strcmp(describes->text, "array") == 0;
}

bool profile_load_host(const struct node *name, struct file_set *files,
                       struct host_profile *ret_profile, struct errors *errors)
{
    const struct source *source = find_file(name, files, errors);
    bool is_good = false;

    if (!source)
        return false;
    struct document *document = document_parse(source, errors);
    if (document->root && is_array(document))
        error_help(node_error(errors, name, "'%s' is a profile of arrays", name->text),
                   "a host needs one of hosts, like 'windows-server-2022'");
    else
        is_good = document->root && read_host(document, ret_profile, errors);
    document_free(document);
    return is_good;
}

bool profile_load_array(const struct node *name, struct file_set *files,
                        struct array_profile *ret_profile, struct errors *errors)
{
    const struct source *source = find_file(name, files, errors);
    bool is_good = false;

    if (!source)
        return false;
    struct document *document = document_parse(source, errors);
    const struct node *describes = document->root ? node_get(document->root, "describes") : NULL;
    if (describes && strcmp(describes->text, "host") == 0)
        error_help(node_error(errors, name, "'%s' is a profile of hosts", name->text),
                   "an array needs one of arrays, like 'array-generic'");
    else
        is_good = document->root && read_array(document, ret_profile, errors);
    document_free(document);
    return is_good;
}

bool profile_check_document(const struct document *document, struct errors *errors)
{
    struct host_profile host;
    struct array_profile array;

    if (!document->root)
        return false;
    return is_array(document) ? read_array(document, &array, errors)
                              : read_host(document, &host, errors);
}
