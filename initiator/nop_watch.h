/* Notices a peer that has gone quiet on one connection, by pings (NOP-Out).
 *
 *              quiet for 'interval'      quiet for 'interval' + 'timeout'
 *   LISTENING ---------------------> PINGED ---------------------> DEAD
 *       ^                              |
 *       '--- the answer to the ping ---'
 *
 * The rules are those of Linux 6.1's libiscsi (iscsi_check_transport_timeouts() and
 * iscsi_nop_out_rsp()). One timer is set again only when it runs out, whatever is received
 * meanwhile: for the last byte + interval while the peer talks, for the ping + timeout after a
 * ping, for a second later if one is out already. With the coarseness of the system's timers a
 * silence is thus noticed up to two grains late.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum nop_state { NOP_LISTENING, NOP_PINGED, NOP_DEAD };

enum nop_action {
    NOP_NOTHING,
    NOP_SEND_PING,
    NOP_DROP, /* the peer is dead */
};

struct nop_rules {
    int64_t interval_ns; /* quiet for so long: ask; 0: never ask */
    int64_t timeout_ns;  /* no answer for so long: give up; 0: never give up */
    int64_t tick_ns;     /* of the system's timers, see timer_granularity.h; 0: exact */
    bool is_wheel;
};

struct nop_watch {
    enum nop_state state;
    struct nop_rules rules;
    int64_t heard_at_ns;
    int64_t deadline_ns; /* when nop_watch_wake() has work to do, or TIME_NEVER */
};

void nop_watch_init(struct nop_watch *watch, const struct nop_rules *rules, int64_t now_ns);
/* Something arrived. It is no answer yet, and does not revive what was given up. */
void nop_watch_heard(struct nop_watch *watch, int64_t now_ns);
/* The answer to our ping arrived. */
void nop_watch_answered(struct nop_watch *watch, int64_t now_ns);
/* A ping goes out for another reason (a command timed out). Does nothing if one is out already. */
enum nop_action nop_watch_ask(struct nop_watch *watch, int64_t now_ns);
enum nop_action nop_watch_wake(struct nop_watch *watch, int64_t now_ns);
/* A ping is out, and the silence as long as it may be (iscsi_has_ping_timed_out()). */
bool nop_watch_is_late(const struct nop_watch *watch, int64_t now_ns);
