/* HyStart: see tcp_hystart.h. RFC 9406, 4; Linux 6.1, net/ipv4/tcp_cubic.c, hystart_update(). */
#include "sim/net/tcp_hystart.h"

#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/tcp_segment.h"

#define GROWTH_DIVISOR   8 /* MIN_RTT_DIVISOR */
#define GROWTH_LEAST_NS  MS(4)
#define GROWTH_MOST_NS   MS(16)
#define CSS_ROUNDS       5
#define LINUX_LOW_WINDOW 16    /* hystart_low_window, in segments */
#define LINUX_ACK_DELTA  MS(2) /* hystart_ack_delta_us: a longer gap ends the train */

void tcp_hystart_init(struct tcp_hystart *hystart, enum tcp_hystart_kind kind)
{
    *hystart = (struct tcp_hystart){.kind = kind,
                                    .round_rtt_ns = TIME_NEVER,
                                    .last_rtt_ns = TIME_NEVER,
                                    .baseline_rtt_ns = TIME_NEVER};
}

void tcp_hystart_lost(struct tcp_hystart *hystart)
{
    int64_t least_ns = hystart->kind == TCP_HYSTART_LINUX ? hystart->baseline_rtt_ns : TIME_NEVER;

    tcp_hystart_init(hystart, hystart->kind);
    hystart->baseline_rtt_ns = least_ns;
}

static int64_t allowed_growth_ns(int64_t rtt_ns)
{
    return time_max(GROWTH_LEAST_NS, time_min(rtt_ns / GROWTH_DIVISOR, GROWTH_MOST_NS));
}

static void begin_round(struct tcp_hystart *h, uint32_t snd_nxt, int64_t now_ns)
{
    h->has_round = true;
    h->round_end = snd_nxt;
    h->last_rtt_ns = h->round_rtt_ns;
    h->round_rtt_ns = TIME_NEVER;
    h->samples = 0;
    h->round_at_ns = now_ns;
    h->train_at_ns = now_ns;
}

static void take_sample(struct tcp_hystart *h, int64_t rtt_ns)
{
    if (rtt_ns <= 0)
        return;
    h->round_rtt_ns = time_min(h->round_rtt_ns, rtt_ns);
    if (h->samples < TCP_HYSTART_SAMPLES)
        h->samples++;
}

/* RFC 9406, 4.2. */
static bool standard_acked(struct tcp_hystart *h)
{
    if (h->samples < TCP_HYSTART_SAMPLES || h->round_rtt_ns == TIME_NEVER)
        return false;
    if (h->is_conservative) {
        if (h->round_rtt_ns < h->baseline_rtt_ns) { /* it was a passing thing */
            h->is_conservative = false;
            h->baseline_rtt_ns = TIME_NEVER;
        }
        return false;
    }
    if (h->last_rtt_ns != TIME_NEVER &&
        h->round_rtt_ns >= h->last_rtt_ns + allowed_growth_ns(h->last_rtt_ns)) {
        h->is_conservative = true;
        h->css_rounds = 0;
        h->baseline_rtt_ns = h->round_rtt_ns;
    }
    return false;
}

/* At the end of a round: has CSS lasted long enough? */
static bool has_css_ended(struct tcp_hystart *h)
{
    return h->kind == TCP_HYSTART_RFC9406 && h->is_conservative && ++h->css_rounds >= CSS_ROUNDS;
}

/* hystart_update(): first the train of ACKs, then the delay. Without pacing half of the least round
 * trip is the limit. */
static bool linux_acked(struct tcp_hystart *h, int64_t rtt_ns, int64_t now_ns)
{
    if (now_ns - h->train_at_ns <= LINUX_ACK_DELTA) {
        h->train_at_ns = now_ns;
        if (h->baseline_rtt_ns != TIME_NEVER && now_ns - h->round_at_ns > h->baseline_rtt_ns / 2)
            h->has_found = true;
    }
    if (rtt_ns > 0 && h->samples == TCP_HYSTART_SAMPLES &&
        h->round_rtt_ns > h->baseline_rtt_ns + allowed_growth_ns(h->baseline_rtt_ns))
        h->has_found = true;
    return h->has_found;
}

bool tcp_hystart_acked(struct tcp_hystart *h, uint32_t cwnd_segments, uint32_t ack,
                       uint32_t snd_nxt, int64_t rtt_ns, int64_t now_ns)
{
    if (h->kind == TCP_HYSTART_LINUX && rtt_ns > 0)
        h->baseline_rtt_ns = time_min(h->baseline_rtt_ns, rtt_ns);
    if (!h->has_round || sn_before(h->round_end, ack)) {
        bool is_over = h->has_round && has_css_ended(h);

        begin_round(h, snd_nxt, now_ns);
        if (is_over)
            return true;
    }
    take_sample(h, rtt_ns);
    if (h->kind == TCP_HYSTART_RFC9406)
        return standard_acked(h);
    return !h->has_found && cwnd_segments >= LINUX_LOW_WINDOW && linux_acked(h, rtt_ns, now_ns);
}
