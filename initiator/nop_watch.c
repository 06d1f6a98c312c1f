/* Notices a peer that has gone quiet on one connection. */
#include "initiator/nop_watch.h"

#include "sim/core/time.h"

#include <assert.h>
#include <stddef.h>

static int64_t round_up(const struct nop_watch *watch, int64_t at_ns)
{
    if (watch->tick_ns == 0 || at_ns > INT64_MAX - watch->tick_ns)
        return at_ns;
    return (at_ns + watch->tick_ns - 1) / watch->tick_ns * watch->tick_ns;
}

static int64_t ask_at(const struct nop_watch *watch)
{
    if (watch->interval_ns == 0)
        return TIME_NEVER;
    return round_up(watch, time_after(watch->heard_at_ns, watch->interval_ns));
}

static int64_t drop_at(const struct nop_watch *watch)
{
    if (watch->timeout_ns == 0)
        return TIME_NEVER;
    int64_t quiet_ns = time_after(watch->heard_at_ns, watch->interval_ns);

    return round_up(watch, time_after(quiet_ns, watch->timeout_ns));
}

static void enter(struct nop_watch *watch, enum nop_state state, int64_t deadline_ns)
{
    assert(watch->state != NOP_DEAD);
    watch->state = state;
    watch->deadline_ns = deadline_ns;
}

void nop_watch_init(struct nop_watch *watch, int64_t interval_ns, int64_t timeout_ns,
                    int64_t tick_ns, int64_t now_ns)
{
    assert(interval_ns >= 0);
    assert(timeout_ns >= 0);
    assert(tick_ns >= 0);
    *watch = (struct nop_watch){.state = NOP_LISTENING,
                                .interval_ns = interval_ns,
                                .timeout_ns = timeout_ns,
                                .tick_ns = tick_ns,
                                .heard_at_ns = now_ns};
    watch->deadline_ns = ask_at(watch);
}

void nop_watch_heard(struct nop_watch *watch, int64_t now_ns)
{
    if (watch->state == NOP_DEAD)
        return;
    watch->heard_at_ns = now_ns;
    enter(watch, NOP_LISTENING, ask_at(watch));
}

enum nop_action nop_watch_ask(struct nop_watch *watch, int64_t now_ns)
{
    if (watch->state != NOP_LISTENING)
        return NOP_NOTHING;
    /* Asked before the silence was long: the answer still has until interval + timeout, and at
     * least the time-out from now. */
    int64_t drop_ns = drop_at(watch);

    if (watch->timeout_ns > 0)
        drop_ns = time_max(drop_ns, round_up(watch, time_after(now_ns, watch->timeout_ns)));
    enter(watch, NOP_PINGED, drop_ns);
    return NOP_SEND_PING;
}

enum nop_action nop_watch_wake(struct nop_watch *watch, int64_t now_ns)
{
    if (now_ns < watch->deadline_ns)
        return NOP_NOTHING;

    switch (watch->state) {
    case NOP_LISTENING:
        enter(watch, NOP_PINGED, drop_at(watch));
        return NOP_SEND_PING;
    case NOP_PINGED:
        enter(watch, NOP_DEAD, TIME_NEVER);
        return NOP_DROP;
    case NOP_DEAD:
        break;
    }
    return NOP_NOTHING;
}
