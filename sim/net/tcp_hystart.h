/* HyStart: slow start that ends before it overruns the path, by the round trips that grow.
 *
 *   rfc9406   HyStart++: a round trip that grew by an eighth (4 to 16 ms) makes slow start grow
 * four times slower; five rounds of that end it, a round trip that shrinks again undoes it linux as
 * tcp_cubic.c has it: ACKs that came in one train for half of the least round trip, or a round trip
 * that grew by an eighth (4 to 16 ms), end slow start at once
 *
 * Rounds are told by sequence numbers: one ends when what was sent last at its beginning is
 * acknowledged.
 */
#pragma once

#include "sim/core/tcp_options.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_hystart {
    enum tcp_hystart_kind kind;
    bool is_conservative;    /* rfc9406: in CSS, conservative slow start */
    bool has_found;          /* linux: done until the next loss */
    bool has_round;          /* 'round_end' holds */
    uint8_t samples;         /* of this round, up to TCP_HYSTART_SAMPLES */
    uint8_t css_rounds;      /* that have passed */
    uint32_t round_end;      /* sequence number */
    int64_t round_rtt_ns;    /* least of this round; TIME_NEVER: none */
    int64_t last_rtt_ns;     /* rfc9406: of the round before */
    int64_t baseline_rtt_ns; /* rfc9406: when CSS began; linux: least ever */
    int64_t round_at_ns;     /* linux: when this round began */
    int64_t train_at_ns;     /* linux: the last ACK of the train */
};

#define TCP_HYSTART_SAMPLES     8 /* N_RTT_SAMPLE; HYSTART_MIN_SAMPLES */
#define TCP_HYSTART_CSS_DIVISOR 4 /* CSS_GROWTH_DIVISOR */

void tcp_hystart_init(struct tcp_hystart *hystart, enum tcp_hystart_kind kind);
/* In slow start, 'ack' acknowledged new data; 'rtt_ns' is a round trip, 0 if none was taken. True:
 * slow start is over. */
bool tcp_hystart_acked(struct tcp_hystart *hystart, uint32_t cwnd_segments, uint32_t ack,
                       uint32_t snd_nxt, int64_t rtt_ns, int64_t now_ns);
/* A loss was noticed: the next slow start is looked at anew. */
void tcp_hystart_lost(struct tcp_hystart *hystart);
