/* The knobs of a TCP, as an operating system or an application sets them.
 *
 * A profile fills one of these per host; both ends of sim/net's TCP obey it. Spans are nanoseconds,
 * sizes are bytes; 0 means "off" where that makes sense.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum tcp_congestion { TCP_NEWRENO, TCP_CUBIC };
/* How slow start ends before a loss ends it (sim/net/tcp_hystart.h). */
enum tcp_hystart_kind { TCP_HYSTART_NONE, TCP_HYSTART_LINUX, TCP_HYSTART_RFC9406 };
enum tcp_link_down { TCP_LINK_DOWN_KEEP, TCP_LINK_DOWN_ABORT };
/* How the retransmission timeout follows from the round trips: RFC 6298 with a floor under the
 * whole of it, or Linux' tcp_rtt_estimator() with a floor under the variance, in whole ticks. */
enum tcp_rto_rule { TCP_RTO_STANDARD, TCP_RTO_LINUX };

struct tcp_options {
    /* Retransmission (RFC 6298). */
    enum tcp_rto_rule rto_rule;
    int64_t initial_rto_ns;       /* SYN, and data before the first sample */
    int64_t min_rto_ns;           /* RFC 6298 says 1 s; Linux 200 ms, Windows datacenter 20 ms */
    int64_t max_rto_ns;           /* Linux 120 s */
    uint32_t syn_retransmissions; /* SYNs sent again before connect fails */
    uint32_t syn_linear_timeouts; /* so many more, before the timeout begins to double */
    uint32_t synack_retransmissions;
    uint32_t data_retransmissions; /* given up at the timeout after so many; 0: no such limit */
    int64_t give_up_after_ns;      /* Linux' reading of retries2: span since the first timeout's
                                      resend after which the next one gives up; 0: count rules */
    int64_t user_timeout_ns;       /* RFC 5482; 0: off */
    /* Noticing losses, and that they were none. */
    bool rack;               /* RFC 8985: by time; needs SACK */
    bool tail_loss_probe;    /* RFC 8985, 7; needs SACK */
    int64_t rack_min_rtt_ns; /* both only where the handshake took so long; 0: everywhere */
    bool frto;               /* RFC 5682: is a timeout spurious? */
    bool undo;               /* takes back what a spurious loss did to the window: by timestamps
                                (RFC 3522) or by D-SACK (RFC 3708) */
    bool dsack;              /* RFC 2883: reports duplicates */
    bool proportional_rate;  /* RFC 6937 */
    /* A path that swallows large segments (RFC 4821 as Linux' tcp_mtu_probing 1). */
    uint32_t mtu_probe_after;   /* timeouts in a row after which segments shrink; 0: never */
    uint32_t mtu_probe_bytes;   /* to so many, and by half at each further timeout */
    int64_t mtu_probe_again_ns; /* once the largest that passes is found, the search for a larger
                                   one begins anew after so long; 0: never */
    /* What the NIC does for TCP (sim/net/tcp_offload.c). */
    bool segmentation_offload; /* TSO, LSO: segments leave in super-segments of up to 64 KiB */
    int64_t receive_merge_ns;  /* GRO, LRO, RSC: segments in order are merged for so long at most
                                  before TCP sees them; 0: off */
    /* Acknowledging (RFC 1122, 4.2.3.2). */
    int64_t delayed_ack_ns;        /* 0: every segment is acknowledged at once */
    uint32_t delayed_ack_segments; /* at the latest after so many full segments */
    uint32_t quick_acks;           /* Linux: so many at once when a stream begins, after a pause or
                                      a duplicate; 0: none */
    /* Sending. */
    enum tcp_congestion congestion;
    enum tcp_hystart_kind hystart;
    bool slow_start_after_idle;       /* RFC 5681, 4.1 */
    uint32_t initial_window_segments; /* RFC 6928: 10 */
    uint32_t send_buffer_bytes;
    uint32_t receive_buffer_bytes; /* the window; scaled by RFC 7323 as needed */
    bool nagle;                    /* iSCSI hosts set TCP_NODELAY: false */
    bool timestamps;               /* RFC 7323 */
    bool sack;                     /* RFC 2018 */
    /* Keepalive (RFC 1122, 4.2.3.6); idle 0: off. */
    int64_t keepalive_idle_ns;
    int64_t keepalive_interval_ns;
    uint32_t keepalive_probes;
    int64_t time_wait_ns;            /* 2 MSL; Linux 60 s */
    int64_t fin_wait_2_ns;           /* orphaned FIN-WAIT-2; Linux 60 s */
    enum tcp_link_down on_link_down; /* what a NIC without carrier does to its connections */
    /* Granularity of the system's timers. */
    int64_t timer_tick_ns; /* deadlines are rounded up to it; 0: exact */
    bool timer_wheel;      /* Linux: and up to 8^n ticks, the farther the coarser */
};
