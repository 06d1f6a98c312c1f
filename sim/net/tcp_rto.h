/* The retransmission timeout (RFC 6298): smoothed round-trip time, its variance, back-off.
 *
 * Integers only. Karn's rule is the caller's: it samples only what was sent once, or what a
 * timestamp identifies.
 */
#pragma once

#include "sim/core/tcp_options.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_rto {
    int64_t srtt_ns;   /* SRTT; 0: no sample yet */
    int64_t rttvar_ns; /* RTTVAR */
    int64_t rto_ns;    /* RTO before back-off, within the options' limits */
    uint32_t backoff;  /* timeouts in a row: RTO doubles with each (5.5) */
    /* tcp_rtt_estimator() keeps multiples, and the largest deviation of the current round trip. */
    uint32_t round_sn; /* the round trip ends when this is acknowledged (rtt_seq) */
    int64_t srtt_x8_ns;
    int64_t mdev_x4_ns;
    int64_t mdev_most_x4_ns;
    int64_t rttvar_x4_ns;
};

void tcp_rto_init(struct tcp_rto *rto, const struct tcp_options *options);
/* One measured round trip (2.2, 2.3), with SND.UNA and SND.NXT of that moment. The back-off ends
 * with it. */
void tcp_rto_sample(struct tcp_rto *rto, const struct tcp_options *options, int64_t rtt_ns,
                    uint32_t una, uint32_t nxt);
/* A SYN was sent again, so that nothing could be measured: data begins with 3 s (5.7). */
void tcp_rto_syn_was_lost(struct tcp_rto *rto, const struct tcp_options *options);
/* The timeout to use now. */
int64_t tcp_rto_span_ns(const struct tcp_rto *rto, const struct tcp_options *options);
