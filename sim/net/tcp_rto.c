/* RFC 6298 and Linux' reading of it, in integers. */
#include "sim/net/tcp_rto.h"

#include "sim/core/bytes.h"
#include "sim/core/time.h"

static int64_t within_limits(int64_t rto_ns, const struct tcp_options *options)
{
    return time_min(time_max(rto_ns, options->min_rto_ns), options->max_rto_ns);
}

void tcp_rto_init(struct tcp_rto *rto, const struct tcp_options *options)
{
    *rto = (struct tcp_rto){.rto_ns = time_min(options->initial_rto_ns, options->max_rto_ns)};
}

/* mdev: the mean deviation. A round trip that got shorter raises it by an eighth of what a longer
 * one would, so that a path that becomes faster does not raise the timeout (Eifel). */
static void linux_deviate(struct tcp_rto *rto, int64_t error_ns)
{
    int64_t change_ns = (error_ns < 0 ? -error_ns : error_ns) - rto->mdev_x4_ns / 4;

    if (error_ns < 0 && change_ns > 0)
        change_ns /= 8;
    rto->mdev_x4_ns += change_ns;
    if (rto->mdev_x4_ns <= rto->mdev_most_x4_ns)
        return;
    rto->mdev_most_x4_ns = rto->mdev_x4_ns;
    rto->rttvar_x4_ns = time_max(rto->rttvar_x4_ns, rto->mdev_most_x4_ns);
}

/* tcp_rtt_estimator() and __tcp_set_rto() of net/ipv4/tcp_input.c: the variance follows the largest
 * deviation at once, sinks by a quarter per round trip, and never below 'min-rto'. */
static void sample_linux(struct tcp_rto *rto, const struct tcp_options *options, int64_t rtt_ns,
                         uint32_t una, uint32_t nxt)
{
    int64_t tick_ns = time_max(options->timer_tick_ns, 1);

    if (rto->srtt_ns == 0) {
        rto->srtt_x8_ns = 8 * rtt_ns;
        rto->mdev_x4_ns = 2 * rtt_ns;
        rto->rttvar_x4_ns = time_max(rto->mdev_x4_ns, options->min_rto_ns);
        rto->mdev_most_x4_ns = rto->rttvar_x4_ns;
        rto->round_sn = nxt;
    } else {
        int64_t error_ns = rtt_ns - rto->srtt_x8_ns / 8;

        rto->srtt_x8_ns += error_ns;
        linux_deviate(rto, error_ns);
        if (sn_before(rto->round_sn, una)) {
            if (rto->mdev_most_x4_ns < rto->rttvar_x4_ns)
                rto->rttvar_x4_ns -= (rto->rttvar_x4_ns - rto->mdev_most_x4_ns) / 4;
            rto->round_sn = nxt;
            rto->mdev_most_x4_ns = options->min_rto_ns;
        }
    }
    rto->srtt_ns = time_max(rto->srtt_x8_ns / 8, 1);
    rto->rttvar_ns = rto->rttvar_x4_ns / 4;
    int64_t exact_ns = rto->srtt_ns + rto->rttvar_x4_ns;

    rto->rto_ns = time_min((exact_ns + tick_ns - 1) / tick_ns * tick_ns, options->max_rto_ns);
    rto->backoff = 0;
}

void tcp_rto_sample(struct tcp_rto *rto, const struct tcp_options *options, int64_t rtt_ns,
                    uint32_t una, uint32_t nxt)
{
    if (options->rto_rule == TCP_RTO_LINUX) {
        sample_linux(rto, options, rtt_ns, una, nxt);
        return;
    }
    if (rto->srtt_ns == 0) {
        rto->srtt_ns = rtt_ns;
        rto->rttvar_ns = rtt_ns / 2;
    } else {
        int64_t error_ns = rtt_ns - rto->srtt_ns;

        rto->rttvar_ns += ((error_ns < 0 ? -error_ns : error_ns) - rto->rttvar_ns) / 4;
        rto->srtt_ns += error_ns / 8;
    }
    if (rto->srtt_ns < 1)
        rto->srtt_ns = 1; /* 0 means "no sample" */
    rto->rto_ns =
        within_limits(rto->srtt_ns + time_max(options->timer_tick_ns, 4 * rto->rttvar_ns), options);
    rto->backoff = 0;
}

void tcp_rto_syn_was_lost(struct tcp_rto *rto, const struct tcp_options *options)
{
    if (rto->srtt_ns == 0 && rto->rto_ns < SECONDS(3))
        rto->rto_ns = time_min(SECONDS(3), options->max_rto_ns);
    rto->backoff = 0;
}

int64_t tcp_rto_span_ns(const struct tcp_rto *rto, const struct tcp_options *options)
{
    if (rto->backoff >= 40 || rto->rto_ns > options->max_rto_ns >> rto->backoff)
        return options->max_rto_ns;
    return rto->rto_ns << rto->backoff;
}
