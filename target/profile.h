/* What an array is like towards its initiators.
 *
 * Filled from a profile file (topologies/profiles/array-generic.yaml), overridable in a topology.
 */
#pragma once

#include "iscsi/params.h"
#include "sim/core/ip_rules.h"
#include "sim/core/tcp_options.h"

struct array_profile {
    char name[64];
    struct ip_rules ip;
    struct tcp_options tcp;
    struct iscsi_params iscsi;   /* what the array answers with at login */
    uint32_t max_commands;       /* command window per session: MaxCmdSN - ExpCmdSN + 1 */
    int64_t login_timeout_ns;    /* from TCP established to full feature phase */
    int64_t nop_interval_ns;     /* NOP-In when quiet for so long; 0: none (LIO: 15 s) */
    int64_t nop_timeout_ns;      /* no answer: connection dropped (LIO: 30 s) */
    int64_t data_out_timeout_ns; /* owed Data-Out that does not come; 0: waits for ever */
    int64_t link_debounce_ns;
};

/* How fast the media are: each disk has 'commands_at_once' servers in front of one queue. */
struct media_model {
    int64_t read_time_ns;
    int64_t write_time_ns;
    uint32_t commands_at_once; /* 1 or more */
};
