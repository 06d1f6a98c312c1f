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

/* tcp_output.c: how much the window has room for. */
uint32_t tcp_receive_room(const struct tcp_conn *conn);
void tcp_offer_window(struct tcp_conn *conn);

/* tcp_recovery.c */
/* In the network, as far as we know ("pipe", RFC 6675, 4). */
uint32_t tcp_pipe(const struct tcp_conn *conn);
/* SND.UNA moved by 'acked'; 'flight' was in flight before. */
void tcp_recovery_acked(struct tcp_conn *conn, uint32_t acked, uint32_t flight, int64_t now_ns);
/* An ACK that moved nothing: a duplicate one, or one with SACK blocks of news. */
void tcp_recovery_duplicate(struct tcp_conn *conn);
/* The retransmission timer expired with data in flight. */
void tcp_recovery_timed_out(struct tcp_conn *conn);
