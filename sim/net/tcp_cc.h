/* Congestion control: how much may be in flight (RFC 5681), in bytes, in integers.
 *
 * Slow start and what a loss does to the window are common; a row of the table of congestion
 * controls says how the window grows in congestion avoidance and by how much a loss shrinks it.
 * Loss detection is tcp_recovery's; this knows only "acknowledged", "lost", "timed out".
 */
#pragma once

#include "sim/core/tcp_options.h"
#include "sim/net/tcp_hystart.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_WINDOW_MOST (1u << 30) /* RFC 7323, 2.3 */

/* CUBIC (RFC 9438); windows in bytes. */
struct tcp_cubic {
    int64_t epoch_at_ns;  /* begin of this congestion avoidance stage; TIME_NEVER: not begun */
    int64_t k_ticks;      /* K, in 1/1024 s */
    uint32_t w_max;       /* W_max */
    uint32_t w_est;       /* W_est, what Reno would have by now */
    uint32_t w_est_carry; /* acknowledged bytes not yet turned into W_est */
    uint32_t cwnd_prior;
    bool is_after_loss; /* the next stage aims at w_max; else it starts at its own window */
};

struct tcp_cc {
    uint32_t cwnd;
    uint32_t ssthresh;
    uint32_t mss;   /* SMSS */
    uint32_t carry; /* NewReno: acknowledged bytes since the window grew last */
    enum tcp_congestion kind;
    struct tcp_cubic cubic;
    struct tcp_hystart hystart;
};

struct tcp_cc_kind {
    const char *name;
    /* 'acked' new bytes in congestion avoidance, where the sender used its whole window. */
    void (*avoid)(struct tcp_cc *cc, uint32_t acked, int64_t srtt_ns, int64_t now_ns);
    /* What remains of a window of which 'flight' bytes were in flight when a loss was noticed. */
    uint32_t (*reduced)(struct tcp_cc *cc, uint32_t flight);
    /* Nothing was sent for 'idle_ns' up to now. */
    void (*idle)(struct tcp_cc *cc, int64_t idle_ns);
};

extern const struct tcp_cc_kind tcp_newreno;
extern const struct tcp_cc_kind tcp_cubic;

/* At the handshake's end. */
void tcp_cc_init(struct tcp_cc *cc, const struct tcp_options *options, uint32_t mss);
static inline bool tcp_cc_is_slow_start(const struct tcp_cc *cc)
{
    return cc->cwnd < cc->ssthresh;
}
/* Before tcp_cc_acked(): 'ack' acknowledged new data of which nothing was sent twice; 'rtt_ns' as
 * of tcp_hystart_acked(). */
static inline bool tcp_cc_looks_at_rounds(const struct tcp_cc *cc)
{
    return cc->hystart.kind != TCP_HYSTART_NONE && tcp_cc_is_slow_start(cc);
}
void tcp_cc_round_trip(struct tcp_cc *cc, uint32_t ack, uint32_t snd_nxt, int64_t rtt_ns,
                       int64_t now_ns);
/* 'acked' new bytes are acknowledged outside of fast recovery. 'is_after_timeout': lost data is
 * being repaired, slow start counts one segment per ACK (RFC 3465, 2.3). */
void tcp_cc_acked(struct tcp_cc *cc, uint32_t acked, bool is_after_timeout, int64_t srtt_ns,
                  int64_t now_ns);
/* A loss was noticed, and fast recovery begins (RFC 5681, 3.2). */
void tcp_cc_lost(struct tcp_cc *cc, uint32_t flight);
/* The retransmission timer expired, for the first time since data was acknowledged or not. */
void tcp_cc_timed_out(struct tcp_cc *cc, uint32_t flight, bool is_first);
/* Fast recovery is over (RFC 6582, 3.2, step 3, option 1). */
void tcp_cc_recovered(struct tcp_cc *cc, uint32_t flight);
/* About to send after a pause of 'idle_ns' that was longer than the RTO (RFC 5681, 4.1). */
void tcp_cc_restart(struct tcp_cc *cc, uint32_t initial_window_segments, int64_t idle_ns);
/* The path takes smaller segments now. */
void tcp_cc_set_mss(struct tcp_cc *cc, uint32_t mss);
