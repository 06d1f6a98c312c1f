/* What the parts of the TCP core offer to each other; nobody else includes this. */
#pragma once

#include "sim/net/tcp_conn.h"

/* tcp_conn.c */
void tcp_enter(struct tcp_conn *conn, enum tcp_state state);
/* CLOSED, and the user hears why. What was not read yet stays after CLOSED_FIN only. */
void tcp_end(struct tcp_conn *conn, enum close_reason reason);
void tcp_reset(struct tcp_conn *conn, enum close_reason reason); /* and a RST is sent */
/* What the peer's SYN says of MSS, window scale, timestamps and SACK. */
void tcp_negotiate(struct tcp_conn *conn, const struct tcp_segment *syn, int64_t now_ns);
void tcp_established(struct tcp_conn *conn, int64_t now_ns);
void tcp_time_wait(struct tcp_conn *conn, int64_t now_ns);
void tcp_fin_wait_2(struct tcp_conn *conn, int64_t now_ns);
/* Our timestamp clock: milliseconds (RFC 7323, 5.4). */
uint32_t tcp_ts_now(const struct tcp_conn *conn, int64_t now_ns);

/* tcp_timers.c */
void tcp_set_timer(struct tcp_conn *conn, enum tcp_timer timer, int64_t span_ns, int64_t now_ns);
static inline void tcp_stop_timer(struct tcp_conn *conn, enum tcp_timer timer)
{
    conn->deadlines_ns[timer] = INT64_MAX;
}
/* Arms or moves the user timeout according to what is unanswered now. */
void tcp_watch_user_timeout(struct tcp_conn *conn, int64_t now_ns);

/* tcp_input.c: a segment as TCP sees it. Takes ownership of 'payload'. */
void tcp_take_segment(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                      int64_t now_ns);

/* tcp_offload.c */
/* How many of the unsent bytes go out together, in segments of 'most' bytes, of which one may go
 * now; 0: it is better to wait for the next ACK and send more. */
uint32_t tcp_super_bytes(const struct tcp_conn *conn, uint32_t most, uint32_t usable,
                         int64_t now_ns);
/* A segment comes to a NIC that merges. Takes ownership of 'payload'. */
void tcp_merge_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct buf *payload,
                     int64_t now_ns);
/* TCP gets what was merged so far. */
void tcp_merge_flush(struct tcp_conn *conn, int64_t now_ns);

/* tcp_mtu.c */
/* The retransmission timer expired: large segments may be what does not arrive. */
void tcp_mtu_timed_out(struct tcp_conn *conn, int64_t now_ns);
enum tcp_mtu_step { TCP_MTU_NOTHING, TCP_MTU_WAIT, TCP_MTU_PROBE };
/* Shall new data go as a probe of '*ret_bytes', or wait until there is room for one? */
enum tcp_mtu_step tcp_mtu_plan(struct tcp_conn *conn, uint32_t usable, uint32_t *ret_bytes,
                               int64_t now_ns);
void tcp_mtu_probe_was_sent(struct tcp_conn *conn, uint32_t sn, uint32_t bytes);
/* SND.UNA moved; may make segments larger. */
void tcp_mtu_acked(struct tcp_conn *conn);
/* A loss was noticed. Returns whether it is the probe's alone, which says nothing of the network's
 * load. */
bool tcp_mtu_takes_loss(struct tcp_conn *conn);
/* A segment is sent again: what becomes of the probe tells nothing any more. */
void tcp_mtu_gives_up_probe(struct tcp_conn *conn);
/* Our own MTU leaves no more than this. */
void tcp_mtu_limit(struct tcp_conn *conn, uint32_t mss_bytes);

/* tcp_conn.c: segments become smaller, or larger; 'own_mss' is MTU - 40. */
void tcp_shrink_segments(struct tcp_conn *conn, uint32_t own_mss);
void tcp_grow_segments(struct tcp_conn *conn, uint32_t own_mss);

/* tcp_output.c: how much the window has room for. */
uint32_t tcp_receive_room(const struct tcp_conn *conn);
void tcp_offer_window(struct tcp_conn *conn);

/* tcp_recovery.c */
/* In the network, as far as we know ("pipe", RFC 6675, 4). */
uint32_t tcp_pipe(const struct tcp_conn *conn);
/* SND.UNA moved by 'acked'; 'flight' was in flight before. */
void tcp_recovery_acked(struct tcp_conn *conn, const struct tcp_segment *segment, uint32_t acked,
                        uint32_t flight, int64_t now_ns);
/* An ACK that moved nothing: a duplicate one, or one with SACK blocks of news. */
void tcp_recovery_duplicate(struct tcp_conn *conn, int64_t now_ns);
/* A D-SACK came, and may have told that nothing was lost. */
void tcp_recovery_saw_duplicate(struct tcp_conn *conn, const struct tcp_segment *segment);
/* 'delivered' bytes, as far as we know, by an ACK in fast recovery (RFC 6937). */
void tcp_recovery_pace(struct tcp_conn *conn, uint32_t delivered, bool has_advanced);
/* The retransmission timer expired with data in flight. */
void tcp_recovery_timed_out(struct tcp_conn *conn, int64_t now_ns);
/* Time has marked records as lost. */
void tcp_recovery_found_losses(struct tcp_conn *conn);

/* tcp_rack.c */
void tcp_rack_begin(struct tcp_conn *conn); /* the handshake is over */
void tcp_set_rto(struct tcp_conn *conn, int64_t now_ns);
/* The timer, after new data was sent, and after an ACK that left data in flight. */
void tcp_rack_sent_new(struct tcp_conn *conn, int64_t now_ns);
void tcp_rack_progress(struct tcp_conn *conn, int64_t now_ns);
/* Marks what is lost after an ACK, and when the timer of the reordering window expired. */
void tcp_rack_detect(struct tcp_conn *conn, int64_t now_ns);
void tcp_rack_timed_out(struct tcp_conn *conn, int64_t now_ns);
void tcp_rack_saw_duplicate(struct tcp_conn *conn);
void tcp_rack_recovered(struct tcp_conn *conn);
void tcp_probe_timed_out(struct tcp_conn *conn, int64_t now_ns);
void tcp_probe_was_sent(struct tcp_conn *conn, bool was_resent, int64_t now_ns);
/* 'is_bare': the ACK carries neither data, window, nor SACK news. */
void tcp_probe_acked(struct tcp_conn *conn, uint32_t ack, bool has_advanced, bool is_bare,
                     bool is_dsack);

/* tcp_undo.c */
void tcp_undo_remember(struct tcp_conn *conn); /* before the window shrinks */
void tcp_undo_resent(struct tcp_conn *conn, int64_t now_ns);
void tcp_undo_saw_duplicate(struct tcp_conn *conn, struct tcp_sack_block block);
/* Does this ACK show that nothing was lost? */
bool tcp_undo_is_due(const struct tcp_conn *conn, const struct tcp_segment *segment);
/* The window as it was. */
void tcp_undo(struct tcp_conn *conn);
