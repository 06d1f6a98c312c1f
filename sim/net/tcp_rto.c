/* RFC 6298 in integers. */
#include "sim/net/tcp_rto.h"

#include "sim/core/time.h"

static int64_t within_limits(int64_t rto_ns, const struct tcp_options *options)
{
    return time_min(time_max(rto_ns, options->min_rto_ns), options->max_rto_ns);
}

void tcp_rto_init(struct tcp_rto *rto, const struct tcp_options *options)
{
    *rto = (struct tcp_rto){.rto_ns = time_min(options->initial_rto_ns, options->max_rto_ns)};
}

void tcp_rto_sample(struct tcp_rto *rto, const struct tcp_options *options, int64_t rtt_ns)
{
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
