/* What all congestion controls share, and NewReno (RFC 5681, RFC 6582). */
#include "sim/net/tcp_cc.h"

#include "sim/core/time.h"

static const struct tcp_cc_kind *const kinds[] = {
    [TCP_NEWRENO] = &tcp_newreno,
    [TCP_CUBIC] = &tcp_cubic,
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void tcp_cc_init(struct tcp_cc *cc, const struct tcp_options *options, uint32_t mss)
{
    *cc = (struct tcp_cc){
        .mss = mss,
        .ssthresh = TCP_WINDOW_MOST,
        .kind = options->congestion,
        .cubic = {.epoch_at_ns = TIME_NEVER},
    };
    cc->cwnd = smaller(mss * larger(options->initial_window_segments, 1), TCP_WINDOW_MOST);
    tcp_hystart_init(&cc->hystart, options->hystart);
}

void tcp_cc_round_trip(struct tcp_cc *cc, uint32_t ack, uint32_t snd_nxt, int64_t rtt_ns,
                       int64_t now_ns)
{
    if (tcp_hystart_acked(&cc->hystart, cc->cwnd / cc->mss, ack, snd_nxt, rtt_ns, now_ns))
        cc->ssthresh = cc->cwnd;
}

/* A whole segment at most per ACK and segment it covers; a quarter of that in CSS (RFC 9406). */
static uint32_t slow_start_growth(const struct tcp_cc *cc, uint32_t acked, bool is_after_timeout)
{
    uint32_t growth = smaller(acked, is_after_timeout ? cc->mss : 2 * cc->mss);

    return cc->hystart.is_conservative ? growth / TCP_HYSTART_CSS_DIVISOR : growth;
}

void tcp_cc_acked(struct tcp_cc *cc, uint32_t acked, bool is_after_timeout, int64_t srtt_ns,
                  int64_t now_ns)
{
    if (!tcp_cc_is_slow_start(cc)) {
        kinds[cc->kind]->avoid(cc, acked, srtt_ns, now_ns);
    } else {
        cc->cwnd += slow_start_growth(cc, acked, is_after_timeout);
    }
    cc->cwnd = smaller(cc->cwnd, TCP_WINDOW_MOST);
}

void tcp_cc_lost(struct tcp_cc *cc, uint32_t flight)
{
    cc->ssthresh = larger(kinds[cc->kind]->reduced(cc, flight), 2 * cc->mss);
    cc->cwnd = cc->ssthresh;
    cc->carry = 0;
    tcp_hystart_lost(&cc->hystart);
}

void tcp_cc_timed_out(struct tcp_cc *cc, uint32_t flight, bool is_first)
{
    if (is_first)
        cc->ssthresh = larger(kinds[cc->kind]->reduced(cc, flight), 2 * cc->mss);
    cc->cwnd = cc->mss;
    cc->carry = 0;
    tcp_hystart_lost(&cc->hystart);
    cc->cubic.is_after_loss = false; /* RFC 9438, 4.8: K is 0 after a timeout */
}

void tcp_cc_recovered(struct tcp_cc *cc, uint32_t flight)
{
    cc->cwnd = smaller(cc->ssthresh, larger(flight, cc->mss) + cc->mss);
}

void tcp_cc_restart(struct tcp_cc *cc, uint32_t initial_window_segments, int64_t idle_ns)
{
    cc->cwnd = smaller(cc->cwnd, cc->mss * larger(initial_window_segments, 1));
    kinds[cc->kind]->idle(cc, idle_ns);
}

void tcp_cc_set_mss(struct tcp_cc *cc, uint32_t mss)
{
    cc->mss = mss;
    cc->cwnd = larger(cc->cwnd, mss);
}

/* One segment per window, counted in bytes (RFC 5681, 3.1). */
static void newreno_avoid(struct tcp_cc *cc, uint32_t acked, int64_t srtt_ns, int64_t now_ns)
{
    (void)srtt_ns, (void)now_ns;
    cc->carry += smaller(acked, TCP_WINDOW_MOST);
    if (cc->carry < cc->cwnd)
        return;
    cc->carry -= cc->cwnd;
    cc->cwnd += cc->mss;
}

static uint32_t newreno_reduced(struct tcp_cc *cc, uint32_t flight)
{
    (void)cc;
    return flight / 2;
}

static void newreno_idle(struct tcp_cc *cc, int64_t idle_ns)
{
    (void)cc, (void)idle_ns;
}

const struct tcp_cc_kind tcp_newreno = {
    .name = "newreno",
    .avoid = newreno_avoid,
    .reduced = newreno_reduced,
    .idle = newreno_idle,
};
