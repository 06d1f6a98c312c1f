/* Notices a peer that has gone quiet on one connection. */
#include "initiator/nop_watch.h"

#include "sim/core/time.h"
#include "sim/core/timer_granularity.h"

#include <assert.h>

/* What iscsi_check_transport_timeouts() waits when its ping cannot be sent: one is out. */
#define AGAIN_NS SECONDS(1)

static void arm(struct nop_watch *watch, int64_t at_ns, int64_t now_ns)
{
    watch->deadline_ns =
        at_ns == TIME_NEVER
            ? TIME_NEVER
            : timer_granularity_fire_ns(now_ns, time_max(at_ns - now_ns, 0), watch->rules.tick_ns,
                                        watch->rules.is_wheel);
}

/* conn->last_recv is in jiffies: the tick before the byte came. */
static int64_t heard_tick_ns(const struct nop_watch *watch)
{
    int64_t tick_ns = watch->rules.tick_ns;

    return tick_ns == 0 ? watch->heard_at_ns : watch->heard_at_ns / tick_ns * tick_ns;
}

static int64_t quiet_at_ns(const struct nop_watch *watch)
{
    return time_after(heard_tick_ns(watch), watch->rules.interval_ns);
}

bool nop_watch_is_late(const struct nop_watch *watch, int64_t now_ns)
{
    return watch->state == NOP_PINGED && watch->rules.timeout_ns > 0 &&
           now_ns >= time_after(quiet_at_ns(watch), watch->rules.timeout_ns);
}

void nop_watch_init(struct nop_watch *watch, const struct nop_rules *rules, int64_t now_ns)
{
    assert(rules->interval_ns >= 0);
    assert(rules->timeout_ns >= 0);
    assert(rules->tick_ns >= 0);
    *watch = (struct nop_watch){
        .state = NOP_LISTENING,
        .rules = *rules,
        .heard_at_ns = now_ns,
    };
    arm(watch, rules->interval_ns > 0 ? time_after(now_ns, rules->interval_ns) : TIME_NEVER,
        now_ns);
}

void nop_watch_heard(struct nop_watch *watch, int64_t now_ns)
{
    watch->heard_at_ns = now_ns;
}

/* iscsi_nop_out_rsp() sets the timer for jiffies + recv_timeout, which is in seconds: it looks
 * again as many ticks later as the interval has seconds, and then waits for the rest. */
void nop_watch_answered(struct nop_watch *watch, int64_t now_ns)
{
    const struct nop_rules *rules = &watch->rules;

    if (watch->state != NOP_PINGED)
        return;
    watch->state = NOP_LISTENING;
    arm(watch,
        rules->interval_ns == 0
            ? TIME_NEVER
            : time_after(now_ns, rules->interval_ns / SECONDS(1) * rules->tick_ns),
        now_ns);
}

/* The timer stays as it is, if it runs: it finds the ping out. */
enum nop_action nop_watch_ask(struct nop_watch *watch, int64_t now_ns)
{
    if (watch->state != NOP_LISTENING)
        return NOP_NOTHING;
    watch->state = NOP_PINGED;
    if (watch->rules.timeout_ns > 0 && watch->deadline_ns == TIME_NEVER)
        arm(watch, time_after(now_ns, watch->rules.timeout_ns), now_ns);
    return NOP_SEND_PING;
}

enum nop_action nop_watch_wake(struct nop_watch *watch, int64_t now_ns)
{
    const struct nop_rules *rules = &watch->rules;

    if (now_ns < watch->deadline_ns)
        return NOP_NOTHING;
    assert(watch->state != NOP_DEAD);
    if (nop_watch_is_late(watch, now_ns)) {
        watch->state = NOP_DEAD;
        watch->deadline_ns = TIME_NEVER;
        return NOP_DROP;
    }
    if (now_ns < quiet_at_ns(watch)) {
        arm(watch, quiet_at_ns(watch), now_ns);
        return NOP_NOTHING;
    }
    if (watch->state == NOP_PINGED) {
        arm(watch, time_after(now_ns, AGAIN_NS), now_ns);
        return NOP_NOTHING;
    }
    watch->state = NOP_PINGED;
    arm(watch, rules->timeout_ns > 0 ? time_after(now_ns, rules->timeout_ns) : TIME_NEVER, now_ns);
    return NOP_SEND_PING;
}
