/* One TCP connection (RFC 9293): a value that changes. Segments in, segments out, "wake me at".
 *
 *                             connect: SYN
 *      CLOSED ----------------------------------------> SYN-SENT
 *        |                                              |      |
 *        | accept: SYN in             SYN in: SYN, ACK  |      | SYN, ACK in: ACK
 *        v                                              |      v
 *   SYN-RECEIVED <--------------------------------------'   ESTABLISHED
 *        |       ------------- ACK in ----------------------^  |      |
 *        | close: FIN                              close: FIN  |      | FIN in: ACK
 *        v                                                     |      v
 *   FIN-WAIT-1 <-----------------------------------------------'   CLOSE-WAIT
 *     |     |                                                         |
 *     |     | FIN in: ACK                                             | close: FIN
 *     |     v                                                         v
 *     |   CLOSING --- ACK of FIN in --> TIME-WAIT                  LAST-ACK
 *     v                                   ^   |                       |
 *   FIN-WAIT-2 ------ FIN in: ACK --------'   | 2 MSL                 | ACK of FIN in
 *                                             '-------> CLOSED <------'
 *
 * The core knows neither addresses nor ports, neither clock nor NIC. Its owner feeds it decoded
 * segments, takes segments as long as it has some and the NIC has room, drains its events, and
 * calls tcp_conn_wake() at tcp_conn_deadline_ns(). It never calls out, so nothing can re-enter it.
 *
 * The parts: tcp_conn.c (life, the user's calls), tcp_timers.c, tcp_input.c (segments in),
 * tcp_output.c (segments out), tcp_recovery.c (what is lost), tcp_rack.c (losses by time),
 * tcp_undo.c (losses that were none), tcp_offload.c (what the NIC does), tcp_mtu.c
 * (black holes), tcp_rto.c, tcp_cc.c and
 * tcp_cubic.c, tcp_send_queue.c, tcp_reassembly.c.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/core/net.h"
#include "sim/core/plant.h"
#include "sim/core/tcp_options.h"
#include "sim/net/tcp_cc.h"
#include "sim/net/tcp_counters.h"
#include "sim/net/tcp_reassembly.h"
#include "sim/net/tcp_rto.h"
#include "sim/net/tcp_segment.h"
#include "sim/net/tcp_send_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_DUP_THRESHOLD 3u /* DupThresh (RFC 6675, 2) */
/* Answers in a row that make a connection interactive (TCP_PINGPONG_THRESH). */
#define TCP_REPLIES_INTERACTIVE 3u

/* X-macro: name, and the standard's word. LISTEN is the owner's business. */
#define TCP_STATES(X)                                                                              \
    X(TCP_CLOSED, "CLOSED")                                                                        \
    X(TCP_SYN_SENT, "SYN-SENT")                                                                    \
    X(TCP_SYN_RECEIVED, "SYN-RECEIVED")                                                            \
    X(TCP_ESTABLISHED, "ESTABLISHED")                                                              \
    X(TCP_FIN_WAIT_1, "FIN-WAIT-1")                                                                \
    X(TCP_FIN_WAIT_2, "FIN-WAIT-2")                                                                \
    X(TCP_CLOSE_WAIT, "CLOSE-WAIT")                                                                \
    X(TCP_CLOSING, "CLOSING")                                                                      \
    X(TCP_LAST_ACK, "LAST-ACK")                                                                    \
    X(TCP_TIME_WAIT, "TIME-WAIT")

enum tcp_state {
#define X(name, word) name,
    TCP_STATES(X)
#undef X
};

const char *tcp_state_word(enum tcp_state state);

/* What the owner may want to know, in the order in which it is told. */
enum tcp_event {
    TCP_NOTHING,
    TCP_CONNECTED, /* ESTABLISHED: once */
    TCP_ROOM,      /* tcp_conn_room() grew from 0, or to half of the buffer */
    TCP_FINISHED,  /* the peer sent FIN, and all before it was read: once */
    TCP_ENDED,     /* CLOSED, for tcp_conn.reason: once, and last */
};

/* The timers of a connection. */
enum tcp_timer {
    TCP_TIMER_RETRANSMIT, /* RTO of data, SYN or FIN; or the next window probe */
    TCP_TIMER_DELAYED_ACK,
    TCP_TIMER_KEEPALIVE,
    TCP_TIMER_STATE, /* the end of TIME-WAIT or FIN-WAIT-2 */
    TCP_TIMER_USER,  /* RFC 5482 */
    TCP_TIMER_MERGE, /* the NIC hands up what it merged */
    TCP_TIMER_COUNT,
};

/* What has to be sent, besides data. */
enum tcp_want {
    TCP_WANT_ACK = 1,
    TCP_WANT_SYN = 2,
    TCP_WANT_RESET = 4,   /* the connection's own, after its end */
    TCP_WANT_REFUSAL = 8, /* a RST that answers a segment of nobody's */
    TCP_WANT_WINDOW_PROBE = 16,
    TCP_WANT_KEEPALIVE = 32,
    TCP_WANT_RESEND = 64,      /* the first lost segment, whatever the congestion window says */
    TCP_WANT_OVERRIDE = 128,   /* what fits the window, little as it is (RFC 9293, 3.8.6.2.1) */
    TCP_WANT_TAIL_PROBE = 256, /* RFC 8985, 7.3 */
};

/* Which losses are being repaired. */
enum tcp_recovery {
    TCP_OPEN,
    TCP_FAST_RECOVERY, /* noticed by duplicate ACKs or SACK: until 'recover' is acknowledged */
    TCP_LOSS_RECOVERY, /* noticed by timeout: until 'recover' is acknowledged */
};

/* What TCP_TIMER_RETRANSMIT is set for while data is in flight. */
enum tcp_pending { TCP_PENDING_RTO, TCP_PENDING_PROBE, TCP_PENDING_REORDERING };

/* RFC 8985. What arrived last is in the send queue's 'delivery'. */
struct tcp_rack {
    bool is_on;
    bool is_probing_tails;
    bool is_looking_again; /* this ACK set the timer of the reordering window */
    bool has_seen_reordering;
    bool has_dsack_round;
    bool has_probed; /* a probe is not answered yet */
    bool probe_was_resent;
    bool probes_one;         /* the timer was set while one segment was in flight */
    uint8_t window_steps;    /* RACK.reo_wnd_mult */
    uint8_t window_persists; /* RACK.reo_wnd_persist */
    uint32_t dsack_round;
    uint32_t probe_end; /* TLP.end_seq */
    int64_t rtt_ns;     /* RACK.rtt */
    int64_t min_rtt_ns; /* RACK.min_RTT */
    int64_t min_rtt_at_ns;
    int64_t probe_set_at_ns;
};

/* To take back what a loss did, if it was none. */
struct tcp_undo {
    bool is_possible;
    bool has_resent;     /* 'unreported' and 'resent_ts' hold */
    uint32_t from;       /* what a D-SACK may tell of */
    uint32_t unreported; /* retransmissions that no D-SACK has told of */
    uint32_t resent_ts;  /* the timestamp of the first retransmission */
    uint32_t cwnd;
    uint32_t ssthresh;
    struct tcp_cubic cubic;
};

/* A super-segment that the NIC is cutting: the header that all of its segments bear. */
struct tcp_super {
    uint32_t left; /* bytes to be cut; 0: there is none */
    uint32_t ack;
    uint32_t ts_value;
    uint32_t ts_echo;
    uint16_t window;
};

/* Segments that the NIC has not handed up yet, as one. */
struct tcp_merge {
    struct tcp_segment segment; /* the first one's header, with the flags of the last */
    struct buf_queue payload;   /* empty: nothing is merged at this moment */
    uint32_t segment_bytes;     /* of the first: no other is longer */
};

/* The search for the largest segments that the path takes, after a black hole was found. Sizes are
 * MTU - 40, options included. */
struct tcp_mtu {
    bool is_on;
    uint32_t path; /* what our MTU leaves */
    uint32_t low;  /* passes (search_low) */
    uint32_t high; /* may pass (search_high) */
    uint32_t size; /* of the probe in flight; 0: there is none */
    uint32_t from; /* its numbers */
    uint32_t end;
    int64_t begun_at_ns; /* of this search (probe_timestamp) */
};

/* What few connections need: a block of its own, lest every connection grows by it. */
struct tcp_seldom {
    struct tcp_super super;
    struct tcp_merge merge;
    struct tcp_mtu mtu;
};

struct tcp_conn_config {
    struct pool *pool;
    const struct tcp_options *options; /* borrowed for the connection's life */
    struct tcp_counters *counters;     /* borrowed; shared with other connections */
    uint32_t first_sn;                 /* ISS */
    uint32_t ts_offset;                /* our timestamps count milliseconds from here */
    uint32_t mss_bytes;                /* what the MTU leaves, options included: MTU - 40 */
    enum plant planted;
};

struct tcp_conn {
    /* Sending: RFC 9293, 3.3.1. */
    uint32_t snd_una;
    uint32_t snd_nxt;
    uint32_t snd_wnd; /* scaled */
    uint32_t snd_wl1;
    uint32_t snd_wl2;
    uint32_t snd_wnd_most; /* the largest window that the peer ever offered */
    uint32_t mss;          /* of a segment's payload and SACK option */
    uint32_t dup_acks;     /* in a row */
    uint32_t dup_credit;   /* without SACK: bytes that duplicate ACKs say have left the network */
    uint32_t recover;      /* SND.NXT when a loss was noticed last (RFC 6582, 3.2) */
    /* Receiving. */
    uint32_t rcv_nxt;
    uint32_t rcv_edge; /* the right edge of the window that was offered; never goes back */
    uint32_t last_ack_sent;
    uint32_t unacknowledged; /* bytes that arrived in order since */
    uint32_t ts_recent;
    int64_t ts_recent_at_ns;
    /* State. */
    enum tcp_state state;
    enum tcp_recovery recovery;
    enum tcp_pending pending;
    uint16_t wants; /* of enum tcp_want */
    uint8_t snd_shift;
    uint8_t rcv_shift;
    bool has_timestamps; /* negotiated, as the next two */
    bool has_sack;
    bool has_scaling;
    bool is_active;  /* we connected */
    bool is_orphan;  /* the user closed: nobody reads any more */
    bool is_probing; /* the retransmission timer probes a closed window */
    bool fin_queued; /* the user closed: FIN follows the last byte */
    bool fin_sent;
    bool fin_expected; /* a FIN is known at peer_fin */
    bool fin_received;
    bool had_no_room;
    bool had_little_room;
    /* Events that the owner has not drained. */
    bool tells_connected;
    bool tells_room;
    bool tells_finished;
    bool tells_ended;
    enum close_reason reason;
    struct tcp_rto rto;
    int64_t deadlines_ns[TCP_TIMER_COUNT];
    int64_t heard_at_ns; /* when the last segment came */
    int64_t sent_at_ns;  /* when data was sent last */
    struct tcp_send_queue send;
    struct tcp_cc cc;
    struct tcp_rack rack;
    struct tcp_seldom *seldom; /* owned; NULL: no option needs it */
    struct buf_queue received; /* in order, not read yet */
    struct tcp_reassembly reassembly;
    /* Rarely needed. */
    struct pool *pool;
    const struct tcp_options *options;
    struct tcp_counters *counters;
    uint32_t iss;
    uint32_t irs;
    uint32_t peer_fin; /* the sequence number of the peer's FIN */
    uint32_t ts_offset;
    uint32_t own_mss; /* that we announce */
    uint32_t peer_mss;
    struct tcp_undo undo;
    bool is_frto;       /* a timeout may prove spurious (RFC 5682) */
    bool is_trying_new; /* F-RTO sends new data to find out */
    bool has_dsack;     /* the next ACK reports this duplicate (RFC 2883) */
    struct tcp_sack_block dsack;
    uint32_t prr_delivered; /* RFC 6937: in this recovery, in bytes */
    uint32_t prr_out;
    uint32_t prr_window;         /* RecoverFS, as Linux takes it: the window before */
    uint32_t quick_acks;         /* left */
    uint32_t replies;            /* data in answer to data: interactive (Linux' pingpong) */
    int64_t data_at_ns;          /* when data came last */
    int64_t first_timeout_at_ns; /* of a row of timeouts */
    uint32_t retries;            /* timeouts in a row: SYN, data, or unanswered probes */
    uint32_t keepalives;         /* unanswered */
    uint32_t refusal_sn;
    int64_t opened_at_ns;     /* first SYN or SYN, ACK */
    int64_t syn_sent_at_ns;   /* the last time */
    int64_t stalled_at_ns;    /* first unanswered window probe, or TIME_NEVER */
    int64_t blocked_at_ns;    /* since when the peer's window holds back all data, or TIME_NEVER */
    int64_t challenged_at_ns; /* RFC 5961, 10: the last ACK that might be a loop's */
    enum plant planted;
};

/* Life cycle. It begins CLOSED; tcp_conn_fini() gives all memory back in any state. */
void tcp_conn_init(struct tcp_conn *conn, const struct tcp_conn_config *config);
void tcp_conn_fini(struct tcp_conn *conn);

/* Opening: actively, or by a SYN (without ACK and RST) that came for a listener. */
void tcp_conn_connect(struct tcp_conn *conn, int64_t now_ns);
void tcp_conn_accept(struct tcp_conn *conn, const struct tcp_segment *syn, int64_t now_ns);
/* May this SYN open a new connection in place of one in TIME-WAIT (RFC 9293, 3.6.1; RFC 6191)? */
bool tcp_conn_gives_way(const struct tcp_conn *conn, const struct tcp_segment *syn);

/* A segment for this connection, any content. Takes ownership of 'payload', which has
 * segment->payload_bytes. */
void tcp_conn_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                    int64_t now_ns);
/* The next segment to send, ports aside, and its payload, the caller's. False: none now. Call it
 * after each other call until it has none. */
bool tcp_conn_output(struct tcp_conn *conn, struct tcp_segment *ret_segment,
                     struct buf **ret_payload, int64_t now_ns);

/* Time. A spare wake does no harm. */
int64_t tcp_conn_deadline_ns(const struct tcp_conn *conn);
void tcp_conn_wake(struct tcp_conn *conn, int64_t now_ns);

/* The user's calls. */
/* Takes ownership of 'data'. After tcp_conn_close() or the end it is dropped. */
void tcp_conn_write(struct tcp_conn *conn, struct buf *data);
size_t tcp_conn_room(const struct tcp_conn *conn);
/* All that arrived in order, the caller's; NULL: nothing. */
struct buf *tcp_conn_read(struct tcp_conn *conn);
static inline bool tcp_conn_has_data(const struct tcp_conn *conn)
{
    return conn->received.bytes > 0;
}
/* No more data from us: FIN follows what is queued. The peer may go on sending (half-close). */
void tcp_conn_shut_down(struct tcp_conn *conn, int64_t now_ns);
/* The same, and nobody reads any more: data of the peer is answered by RST (RFC 9293, 3.6.1). */
void tcp_conn_close(struct tcp_conn *conn, int64_t now_ns);
/* The end, with a RST where the peer may think there is a connection. */
void tcp_conn_abort(struct tcp_conn *conn);
/* The end, without a segment: the host or its NIC is down, or the peer is unreachable. */
void tcp_conn_fail(struct tcp_conn *conn, enum close_reason reason);
/* The path takes no more than this, MTU - 40, from now on; what is larger is sent again in pieces
 * (RFC 1191, 6.4). */
void tcp_conn_limit_mss(struct tcp_conn *conn, uint32_t mss_bytes);

/* TCP_NOTHING when there is no more. */
enum tcp_event tcp_conn_next_event(struct tcp_conn *conn);
/* CLOSED, and nothing left to send: the owner may forget it. */
static inline bool tcp_conn_is_over(const struct tcp_conn *conn)
{
    return conn->state == TCP_CLOSED && conn->wants == 0;
}

/* In flight: sent and not acknowledged (FlightSize, RFC 5681, 2). */
static inline uint32_t tcp_conn_flight(const struct tcp_conn *conn)
{
    return conn->snd_nxt - conn->snd_una;
}
