/* The operational keys of an iSCSI session and connection (RFC 7143, 13), as offered or as agreed.
 *
 * A profile fills one as what an end wants; login negotiation turns two into what holds. Sizes are
 * bytes, times are the whole seconds of the keys.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What an end does about CRC32C digests (13.1). Offered in order of preference. */
enum digest_choice {
    DIGEST_NONE,           /* "None" */
    DIGEST_CRC32C,         /* "CRC32C" */
    DIGEST_NONE_OR_CRC32C, /* "None,CRC32C" */
    DIGEST_CRC32C_OR_NONE, /* "CRC32C,None" */
};

#define ISCSI_LEVEL_QUERIES 2u /* the protocol level that RFC 7144 begins with */

struct iscsi_params {
    enum digest_choice header_digest; /* agreed: NONE or CRC32C */
    enum digest_choice data_digest;
    uint32_t max_connections;             /* 1 to 65535; result: minimum */
    bool initial_r2t;                     /* result: OR */
    bool immediate_data;                  /* result: AND */
    uint32_t max_recv_segment_bytes;      /* what this end declares: 512 to 2^24 - 1 */
    uint32_t peer_max_recv_segment_bytes; /* what the peer declared; 8192 until it does */
    uint32_t max_burst_bytes;             /* 512 to 2^24 - 1; result: minimum */
    uint32_t first_burst_bytes;           /* 512 to 2^24 - 1, at most MaxBurstLength; minimum */
    uint32_t time2wait_s;                 /* 0 to 3600; result: maximum */
    uint32_t time2retain_s;               /* 0 to 3600; result: minimum */
    uint32_t max_outstanding_r2t;         /* 1 to 65535; result: minimum */
    bool data_pdu_in_order;               /* result: OR */
    bool data_sequence_in_order;          /* result: OR */
    uint32_t error_recovery_level;        /* 0 to 2; result: minimum */
    uint32_t protocol_level;              /* 1: RFC 7143; 2: with RFC 7144; 0 in a wish of an
                                             initiator: 1, of a target: all it can do. Minimum */
};
