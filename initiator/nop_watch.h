/* Notices a peer that has gone quiet on one connection, by pings (NOP-Out).
 *
 *              interval              timeout
 *   LISTENING ----------> PINGED ---------------> DEAD
 *       ^                   |
 *       '-- anything heard -'
 *
 * The rule is that of libiscsi's iscsi_check_transport_timeouts(): a ping goes out when nothing was
 * received for 'interval', and the peer is dead when nothing was received for interval + timeout
 * while a ping is out. All instants are rounded up to the system's timer tick.
 */
#pragma once

#include <stdint.h>

enum nop_state { NOP_LISTENING, NOP_PINGED, NOP_DEAD };

enum nop_action {
    NOP_NOTHING,
    NOP_SEND_PING,
    NOP_DROP, /* the peer is dead */
};

struct nop_watch {
    enum nop_state state;
    int64_t interval_ns; /* quiet for so long: ask; 0: never ask */
    int64_t timeout_ns;  /* no answer for so long: give up; 0: never give up */
    int64_t tick_ns;     /* deadlines are rounded up to multiples of it; 0: exact */
    int64_t heard_at_ns;
    int64_t deadline_ns; /* when nop_watch_wake() has work to do, or TIME_NEVER */
};

void nop_watch_init(struct nop_watch *watch, int64_t interval_ns, int64_t timeout_ns,
                    int64_t tick_ns, int64_t now_ns);
/* Something arrived. A straggler does not revive what was given up. */
void nop_watch_heard(struct nop_watch *watch, int64_t now_ns);
/* A ping goes out for another reason (a command timed out): wait for its answer now. Does nothing
 * if one is out already. */
enum nop_action nop_watch_ask(struct nop_watch *watch, int64_t now_ns);
enum nop_action nop_watch_wake(struct nop_watch *watch, int64_t now_ns);
