/* TCP against bad luck and bad faith, by seed: two cores over a channel that loses, duplicates and
 * reorders; and one core that gets any segments at all.
 */
#include "sim/core/bytes.h"
#include "sim/core/random.h"
#include "sim/core/time.h"
#include "sim/net/tcp_conn.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MOST 4096
#define TRANSFER       400000u

struct flying {
    int64_t at_ns;
    uint64_t order;
    unsigned to;
    struct tcp_segment segment;
    struct buf *payload;
};

struct torture {
    uint64_t seed;
    struct random random;
    struct pool *pool;
    struct tcp_options options[2];
    struct tcp_counters counters[2];
    struct tcp_conn conns[2];
    uint64_t written[2];
    uint64_t read[2];
    uint64_t to_write[2];
    bool is_finished[2];
    bool is_ended[2];
    bool is_shut[2];
    uint32_t read_ppm;
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    int64_t jitter_ns;
    int64_t now_ns;
    struct flying flying[IN_FLIGHT_MOST];
    size_t flying_count;
    uint64_t orders;
};

static uint8_t pattern(uint64_t offset, unsigned end)
{
    return (uint8_t)(offset * 11 + (offset >> 8) + end);
}

static void fly(struct torture *t, unsigned to, const struct tcp_segment *segment,
                struct buf *payload)
{
    assert_true(t->flying_count < IN_FLIGHT_MOST);
    int64_t delay_ns = MS(1);

    if (t->jitter_ns > 0)
        delay_ns += (int64_t)random_below(&t->random, (uint64_t)t->jitter_ns);
    t->flying[t->flying_count++] = (struct flying){.at_ns = t->now_ns + delay_ns,
                                                   .order = t->orders++,
                                                   .to = to,
                                                   .segment = *segment,
                                                   .payload = payload};
}

/* Invariants of the scoreboard, and of what may be sent. */
static void check(const struct torture *t, unsigned end)
{
    const struct tcp_conn *conn = &t->conns[end];
    const struct tcp_send_queue *queue = &conn->send;
    uint32_t sacked = 0;
    uint32_t sacked_segments = 0;
    uint32_t lost = 0;
    uint32_t resent = 0;
    uint32_t next = conn->snd_una;
    size_t bytes = 0;

    for (const struct tcp_sent *sent = queue->first; sent; sent = sent->next) {
        uint32_t length = sent->end - sent->sn;

        assert_int_equal(sent->sn, next);
        next = sent->end;
        bytes += tcp_sent_bytes(sent);
        sacked += sent->marks & TCP_SENT_SACKED ? length : 0;
        sacked_segments += (sent->marks & TCP_SENT_SACKED) != 0;
        lost += sent->marks & TCP_SENT_LOST ? length : 0;
        resent += sent->marks & TCP_SENT_RESENT ? length : 0;
        if (sent->marks & TCP_SENT_RESENT)
            assert_true(sent->marks & TCP_SENT_LOST);
        if (sent->marks & TCP_SENT_SACKED)
            assert_false(sent->marks & TCP_SENT_LOST);
    }
    assert_int_equal(queue->sacked, sacked);
    assert_int_equal(queue->sacked_segments, sacked_segments);
    assert_int_equal(queue->lost, lost);
    assert_int_equal(queue->resent, resent);
    assert_int_equal(queue->bytes, bytes + queue->unsent_bytes);
    if (queue->first)
        assert_int_equal(next, conn->snd_nxt);
    assert_true(conn->cc.cwnd >= conn->cc.mss);
}

static void drain(struct torture *t, unsigned end)
{
    struct tcp_conn *conn = &t->conns[end];
    struct tcp_segment segment;
    struct buf *payload;
    enum tcp_event event;

    for (;;) {
        struct buf *data = random_chance(&t->random, t->read_ppm) ? tcp_conn_read(conn) : NULL;

        for (const struct buf *slice = data; slice; slice = slice->next)
            for (uint32_t i = 0; i < slice->bytes; i++, t->read[end]++)
                if (buf_data(slice)[i] != pattern(t->read[end], !end))
                    fail_msg("seed %llu: wrong byte %llu", (unsigned long long)t->seed,
                             (unsigned long long)t->read[end]);
        buf_free(data);
        event = tcp_conn_next_event(conn);
        if (event == TCP_FINISHED) {
            assert_false(t->is_finished[end]);
            t->is_finished[end] = true;
            assert_int_equal(t->read[end], t->to_write[!end]);
        }
        if (event == TCP_ENDED)
            t->is_ended[end] = true;
        if (!data && event == TCP_NOTHING)
            break;
    }
    while (t->written[end] < t->to_write[end] && tcp_conn_room(conn) > 0 && !t->is_ended[end]) {
        uint64_t left = t->to_write[end] - t->written[end];
        uint32_t bytes = 1 + (uint32_t)random_below(&t->random, 9000);

        if (bytes > left)
            bytes = (uint32_t)left;
        struct chunk *chunk = chunk_new(t->pool, bytes);

        for (uint32_t i = 0; i < bytes; i++)
            chunk->data[i] = pattern(t->written[end] + i, end);
        t->written[end] += bytes;
        tcp_conn_write(conn, buf_new(chunk, 0, bytes));
    }
    if (t->written[end] == t->to_write[end] && !t->is_shut[end] && conn->state != TCP_SYN_SENT) {
        t->is_shut[end] = true;
        tcp_conn_shut_down(conn, t->now_ns);
    }
    while (tcp_conn_output(conn, &segment, &payload, t->now_ns)) {
        assert_int_equal(buf_bytes(payload), segment.payload_bytes);
        if (random_chance(&t->random, t->duplicate_ppm))
            fly(t, !end, &segment, buf_share(payload, 0, segment.payload_bytes));
        if (random_chance(&t->random, t->loss_ppm))
            buf_free(payload);
        else
            fly(t, !end, &segment, payload);
    }
    check(t, end);
}

/* Does the next thing that is due. False: nothing ever happens again. */
static bool step(struct torture *t)
{
    int64_t next_ns = TIME_NEVER;
    size_t first = 0;

    for (size_t i = 0; i < t->flying_count; i++)
        if (t->flying[i].at_ns < next_ns ||
            (t->flying[i].at_ns == next_ns && t->flying[i].order < t->flying[first].order)) {
            next_ns = t->flying[i].at_ns;
            first = i;
        }
    for (unsigned end = 0; end < 2; end++) {
        if (tcp_conn_deadline_ns(&t->conns[end]) >= next_ns)
            continue;
        t->now_ns = time_max(tcp_conn_deadline_ns(&t->conns[end]), t->now_ns);
        tcp_conn_wake(&t->conns[end], t->now_ns);
        drain(t, end);
        return true;
    }
    if (next_ns == TIME_NEVER)
        return false;
    struct flying arrived = t->flying[first];
    struct tcp_conn *conn = &t->conns[arrived.to];

    t->flying[first] = t->flying[--t->flying_count];
    t->now_ns = time_max(arrived.at_ns, t->now_ns);
    if (conn->state == TCP_CLOSED) {
        buf_free(arrived.payload);
        if (arrived.segment.flags == TCP_SYN && !t->is_ended[arrived.to])
            tcp_conn_accept(conn, &arrived.segment, t->now_ns);
        else
            return true;
    } else {
        tcp_conn_input(conn, &arrived.segment, arrived.payload, t->now_ns);
    }
    drain(t, arrived.to);
    return true;
}

static void choose_options(struct torture *t, unsigned end)
{
    struct random *r = &t->random;

    t->options[end] = (struct tcp_options){
        .initial_rto_ns = SECONDS(1),
        .min_rto_ns = random_chance(r, 500000) ? MS(20) : MS(200),
        .max_rto_ns = SECONDS(2),
        .syn_retransmissions = 100,
        .synack_retransmissions = 100,
        .delayed_ack_ns = random_chance(r, 500000) ? MS(40) : 0,
        .delayed_ack_segments = 1 + (uint32_t)random_below(r, 3),
        .congestion = random_chance(r, 500000) ? TCP_CUBIC : TCP_NEWRENO,
        .initial_window_segments = 1 + (uint32_t)random_below(r, 10),
        .send_buffer_bytes = 1 + (uint32_t)random_below(r, 300000),
        .receive_buffer_bytes = 2000 + (uint32_t)random_below(r, 200000),
        .nagle = random_chance(r, 500000),
        .timestamps = random_chance(r, 500000),
        .sack = random_chance(r, 700000),
        .time_wait_ns = SECONDS(60),
        .fin_wait_2_ns = SECONDS(60),
        .timer_tick_ns = random_chance(r, 500000) ? MS(4) : 0,
        .timer_wheel = random_chance(r, 500000),
        .rto_rule = random_chance(r, 500000) ? TCP_RTO_LINUX : TCP_RTO_STANDARD,
        .rack = random_chance(r, 500000),
        .tail_loss_probe = random_chance(r, 500000),
        .frto = random_chance(r, 500000),
        .undo = random_chance(r, 500000),
        .dsack = random_chance(r, 500000),
        .proportional_rate = random_chance(r, 500000),
        .mtu_probe_after = (uint32_t)random_below(r, 4),
        .mtu_probe_bytes = 500,
        .mtu_probe_again_ns = MS(random_below(r, 50)),
        .segmentation_offload = random_chance(r, 500000),
        .receive_merge_ns = random_chance(r, 300000) ? US(1 + random_below(r, 500)) : 0,
        .quick_acks = (uint32_t)random_below(r, 17),
        .slow_start_after_idle = random_chance(r, 500000),
    };
    struct tcp_conn_config config = {
        .pool = t->pool,
        .options = &t->options[end],
        .counters = &t->counters[end],
        .first_sn = (uint32_t)random_next(r),
        .ts_offset = (uint32_t)random_next(r),
        .mss_bytes = 100 + (uint32_t)random_below(r, 9000),
    };

    tcp_conn_init(&t->conns[end], &config);
    t->to_write[end] = random_chance(r, 200000) ? 0 : random_below(r, TRANSFER);
}

static void every_byte_arrives_once_and_in_order(void **state)
{
    struct torture *t = malloc(sizeof(*t));
    (void)state;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        *t = (struct torture){.seed = seed, .pool = pool_new()};
        random_init(&t->random, seed, "torture");
        t->read_ppm = 800000;
        t->loss_ppm = (uint32_t)random_below(&t->random, 4) * 30000;
        t->duplicate_ppm = (uint32_t)random_below(&t->random, 3) * 20000;
        t->jitter_ns = random_chance(&t->random, 500000) ? 0 : MS(3);
        choose_options(t, 0);
        choose_options(t, 1);
        tcp_conn_connect(&t->conns[0], 0);
        if (random_chance(&t->random, 100000)) /* both open at once */
            tcp_conn_connect(&t->conns[1], 0);
        drain(t, 0);
        if (t->conns[1].state != TCP_CLOSED)
            drain(t, 1);
        uint64_t steps = 0;

        while ((!t->is_finished[0] || !t->is_finished[1]) && steps < 2000000) {
            if (!step(t))
                break;
            steps++;
        }
        t->read_ppm = 1000000; /* what a lazy reader left */
        drain(t, 0);
        drain(t, 1);
        if (!t->is_finished[0] || !t->is_finished[1])
            fail_msg("seed %llu: stuck in %s and %s after %llu of %llu and %llu of %llu bytes",
                     (unsigned long long)seed, tcp_state_word(t->conns[0].state),
                     tcp_state_word(t->conns[1].state), (unsigned long long)t->read[1],
                     (unsigned long long)t->to_write[0], (unsigned long long)t->read[0],
                     (unsigned long long)t->to_write[1]);
        for (size_t i = 0; i < t->flying_count; i++)
            buf_free(t->flying[i].payload);
        tcp_conn_fini(&t->conns[0]);
        tcp_conn_fini(&t->conns[1]);
        assert_int_equal(pool_live_bufs(t->pool), 0);
        assert_int_equal(pool_live_chunks(t->pool), 0);
        assert_int_equal(pool_live_blocks(t->pool), 0);
        pool_free(t->pool);
    }
    free(t);
}

/* Around the numbers that matter, most of the time. */
static uint32_t near(struct random *r, uint32_t a, uint32_t b)
{
    static const uint32_t steps[] = {0, 1, 2, 10, 100, 1000, 1460, 65535, 0x80000000};
    uint32_t base = random_chance(r, 500000) ? a : b;
    uint32_t step = steps[random_below(r, sizeof(steps) / sizeof(steps[0]))];

    if (random_chance(r, 20000))
        return (uint32_t)random_next(r);
    return random_chance(r, 500000) ? base + step : base - step;
}

static void random_segment(struct torture *t, struct tcp_segment *segment)
{
    struct tcp_conn *conn = &t->conns[0];
    struct random *r = &t->random;

    *segment = (struct tcp_segment){
        .sn = near(r, conn->rcv_nxt, conn->rcv_edge),
        .ack = near(r, conn->snd_una, conn->snd_nxt),
        .window = (uint16_t)(random_chance(r, 300000) ? 0 : random_next(r)),
        .flags = (uint8_t)(random_chance(r, 900000) ? TCP_ACK : random_next(r)),
        .has_timestamps = conn->has_timestamps != random_chance(r, 50000),
        .ts_value = near(r, conn->ts_recent, conn->ts_recent + 1),
        .ts_echo = (uint32_t)random_next(r),
    };
    if (random_chance(r, 10000))
        segment->flags |= TCP_FIN;
    if (random_chance(r, 300000))
        segment->payload_bytes = 1 + (uint32_t)random_below(r, 3000);
    if (random_chance(r, 300000)) {
        segment->sack_count = (uint8_t)random_below(r, 5);
        for (size_t i = 0; i < segment->sack_count; i++)
            segment->sack[i] = (struct tcp_sack_block){near(r, conn->snd_una, conn->snd_nxt),
                                                       near(r, conn->snd_una, conn->snd_nxt)};
    }
}

static void one_random_thing(struct torture *t)
{
    struct tcp_conn *conn = &t->conns[0];
    struct random *r = &t->random;
    struct tcp_segment segment;

    switch (random_below(r, 12)) {
    case 0:
        t->now_ns = time_min(tcp_conn_deadline_ns(conn), t->now_ns + SECONDS(100));
        tcp_conn_wake(conn, t->now_ns);
        break;
    case 1:
        tcp_conn_write(conn,
                       buf_new(chunk_new(t->pool, 3000), 0, 1 + (uint32_t)random_below(r, 3000)));
        break;
    case 2:
        buf_free(tcp_conn_read(conn));
        break;
    case 3:
        if (random_chance(r, 3000))
            tcp_conn_shut_down(conn, t->now_ns);
        if (random_chance(r, 3000))
            tcp_conn_close(conn, t->now_ns);
        if (random_chance(r, 3000))
            tcp_conn_limit_mss(conn, 100 + (uint32_t)random_below(r, 2000));
        break;
    default:
        random_segment(t, &segment);
        tcp_conn_input(conn, &segment,
                       segment.payload_bytes ? buf_new(chunk_new(t->pool, segment.payload_bytes), 0,
                                                       segment.payload_bytes)
                                             : NULL,
                       t->now_ns);
        break;
    }
}

static void any_segments_at_all_are_survived(void **state)
{
    struct torture *t = malloc(sizeof(*t));
    uint64_t states_seen = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        *t = (struct torture){.seed = seed, .pool = pool_new()};
        random_init(&t->random, seed, "hostile");
        choose_options(t, 0);
        t->options[0].data_retransmissions = 5;
        struct tcp_conn *conn = &t->conns[0];

        if (random_chance(&t->random, 500000)) {
            tcp_conn_connect(conn, 0);
        } else {
            struct tcp_segment syn = {.flags = TCP_SYN,
                                      .sn = (uint32_t)random_next(&t->random),
                                      .mss = (uint16_t)random_next(&t->random),
                                      .has_timestamps = true,
                                      .is_sack_permitted = true,
                                      .has_window_scale = true,
                                      .window_shift = 14};
            tcp_conn_accept(conn, &syn, 0);
        }
        for (unsigned i = 0; i < 600 && conn->state != TCP_CLOSED; i++) {
            struct tcp_segment segment;
            struct buf *payload;
            unsigned sent = 0;

            one_random_thing(t);
            while (tcp_conn_output(conn, &segment, &payload, t->now_ns)) {
                buf_free(payload);
                assert_true(++sent < 20000);
            }
            while (tcp_conn_next_event(conn) != TCP_NOTHING)
                ;
            check(t, 0);
            states_seen |= 1u << conn->state;
        }
        tcp_conn_fini(conn);
        assert_int_equal(pool_live_bufs(t->pool), 0);
        assert_int_equal(pool_live_chunks(t->pool), 0);
        assert_int_equal(pool_live_blocks(t->pool), 0);
        pool_free(t->pool);
    }
    assert_int_equal(states_seen, (1u << (TCP_TIME_WAIT + 1)) - 1); /* the test saw them all */
    free(t);
}

int main(void)
{
    TEST(every_byte_arrives_once_and_in_order);
    TEST(any_segments_at_all_are_survived);
    return TEST_RUN("sim.net.tcp_torture");
}
