/* CUBIC (RFC 9438) in integers: time in 1/1024 s, windows in bytes.
 *
 * C is 0.4 segments per s^3 and beta 0.7, so that with d = t - K in 1/1024 s
 *
 *     W_cubic - W_max = 0.4 * mss * d^3 / 2^30        K^3 = (W_max - cwnd_epoch) / mss * 2.5 * 2^30
 */
#include "sim/core/time.h"
#include "sim/net/tcp_cc.h"

#define TICKS_PER_S 1024
#define D_MOST      (64 * TICKS_PER_S) /* beyond, the curve is steeper than the target's limit */

static int64_t ticks(int64_t span_ns)
{
    int64_t longest_ns = SECONDS(2 * D_MOST / TICKS_PER_S);

    return time_min(span_ns, longest_ns) * TICKS_PER_S / SECONDS(1);
}

/* The integer cube root, bit by bit from the top; only at the start of a stage. */
static int64_t cube_root(uint64_t value)
{
    uint64_t root = 0;

    for (int bit = 20; bit >= 0; bit--) {
        uint64_t trial = root | 1ull << bit;

        if (trial * trial * trial <= value)
            root = trial;
    }
    return (int64_t)root;
}

static void begin_stage(struct tcp_cc *cc, int64_t now_ns)
{
    struct tcp_cubic *cubic = &cc->cubic;

    cubic->epoch_at_ns = now_ns;
    cubic->w_est = cc->cwnd;
    cubic->w_est_carry = 0;
    if (!cubic->is_after_loss || cubic->w_max < cc->cwnd) {
        /* 4.8, 4.10: out of slow start the curve begins at its plateau. */
        cubic->w_max = cc->cwnd;
        cubic->k_ticks = 0;
        return;
    }
    uint64_t segments_x1024 = ((uint64_t)(cubic->w_max - cc->cwnd) << 10) / cc->mss;

    cubic->k_ticks = cube_root(segments_x1024 * 5 / 2 << 20);
}

/* W_cubic(t), clamped to what a window can be. */
static int64_t w_cubic(const struct tcp_cc *cc, int64_t t_ticks)
{
    int64_t d = t_ticks - cc->cubic.k_ticks;

    if (d > D_MOST)
        d = D_MOST;
    if (d < -D_MOST)
        d = -D_MOST;
    int64_t growth = d * d * d / 1024 * cc->mss * 2 / 5 / (1 << 20);

    return (int64_t)cc->cubic.w_max + growth;
}

/* 4.3: alpha is 3 * (1 - beta) / (1 + beta) = 9/17 until W_est reaches the window that was lost. */
static void grow_w_est(struct tcp_cc *cc, uint32_t acked)
{
    struct tcp_cubic *cubic = &cc->cubic;
    uint64_t alpha_x17 = cubic->w_est >= cubic->cwnd_prior ? 17 : 9;
    uint64_t scaled = (uint64_t)acked * cc->mss * alpha_x17 / 17 + cubic->w_est_carry;

    cubic->w_est += (uint32_t)(scaled / cc->cwnd);
    cubic->w_est_carry = (uint32_t)(scaled % cc->cwnd);
    if (cubic->w_est > TCP_WINDOW_MOST)
        cubic->w_est = TCP_WINDOW_MOST;
}

static void cubic_avoid(struct tcp_cc *cc, uint32_t acked, int64_t srtt_ns, int64_t now_ns)
{
    struct tcp_cubic *cubic = &cc->cubic;

    if (acked > cc->cwnd)
        acked = cc->cwnd;
    if (cubic->epoch_at_ns == TIME_NEVER)
        begin_stage(cc, now_ns);
    grow_w_est(cc, acked);

    int64_t t_ns = time_max(now_ns - cubic->epoch_at_ns, 0);

    if (w_cubic(cc, ticks(t_ns)) < cubic->w_est) { /* 4.3: the Reno-friendly region */
        if (cubic->w_est > cc->cwnd)
            cc->cwnd = cubic->w_est;
        return;
    }
    int64_t target = w_cubic(cc, ticks(time_after(t_ns, srtt_ns))); /* 4.4, 4.5 */
    int64_t limit = (int64_t)cc->cwnd + cc->cwnd / 2;

    if (target > limit)
        target = limit;
    if (target > cc->cwnd)
        cc->cwnd += (uint32_t)((target - cc->cwnd) * acked / cc->cwnd);
}

/* 4.6, and 4.7: whoever had to shrink before it got back to W_max leaves room to the others. */
static uint32_t cubic_reduced(struct tcp_cc *cc, uint32_t flight)
{
    struct tcp_cubic *cubic = &cc->cubic;

    cubic->w_max = cc->cwnd < cubic->w_max ? (uint32_t)((uint64_t)cc->cwnd * 17 / 20) : cc->cwnd;
    cubic->cwnd_prior = cc->cwnd;
    cubic->epoch_at_ns = TIME_NEVER;
    cubic->is_after_loss = true;
    return (uint32_t)((uint64_t)flight * 7 / 10);
}

/* 5.8: time in which nothing was sent is not time in the stage. */
static void cubic_idle(struct tcp_cc *cc, int64_t idle_ns)
{
    if (cc->cubic.epoch_at_ns != TIME_NEVER)
        cc->cubic.epoch_at_ns = time_after(cc->cubic.epoch_at_ns, idle_ns);
}

const struct tcp_cc_kind tcp_cubic = {
    .name = "cubic",
    .avoid = cubic_avoid,
    .reduced = cubic_reduced,
    .idle = cubic_idle,
};
