/* Pings: a list of the unanswered, each with a timer that ends it. */
#include "sim/net/ip_ping.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"

#define IDENTIFIER      1u
#define DATA_MOST_BYTES (UINT16_MAX - IPV4_BYTES - ICMP_BYTES)

const char *ping_result_word(enum ping_result result)
{
    static const char *const words[] = {
        [PING_REPLY] = "reply",
        [PING_TIMEOUT] = "timeout",
        [PING_UNREACHABLE] = "unreachable",
        [PING_TOO_BIG] = "too-big",
        [PING_NO_CARRIER] = "no-carrier",
    };

    return words[result];
}

static struct frame *new_request(struct pool *pool, const struct ip_ping *ping)
{
    struct frame *frame = frame_new(pool);
    uint8_t *icmp = frame_begin_ipv4(frame, PROTOCOL_ICMP, ICMP_BYTES);

    icmp[0] = ICMP_ECHO_REQUEST;
    put_be16(icmp + 4, IDENTIFIER);
    put_be16(icmp + 6, ping->sequence);
    if (ping->data_bytes > 0) {
        struct chunk *data = chunk_new(pool, ping->data_bytes);

        for (uint32_t i = 0; i < ping->data_bytes; i++)
            data->data[i] = (uint8_t)('a' + i % 23); /* as Windows does */
        frame_set_payload(frame, buf_new(data, 0, ping->data_bytes));
    }
    return frame;
}

static void end(struct ip_ping *ping, enum ping_result result)
{
    ip_pings_cancel(ping->list, ping);
    ping->result = result;
    ping->on_done(ping, result);
}

static void give_up(struct timer *timer)
{
    struct ip_ping *ping = CONTAINER_OF(timer, struct ip_ping, timer);

    end(ping, ping->result);
}

struct frame *ip_pings_add(struct ip_pings *pings, struct ip_ping *ping)
{
    struct ip_ping **place = &pings->first;

    ping->list = pings;
    ping->next = NULL;
    ping->sequence = pings->next_sequence++;
    ping->sent_at_ns = clock_now_ns(pings->clock);
    ping->round_trip_ns = 0;
    timer_init(&ping->timer, give_up);
    while (*place)
        place = &(*place)->next;
    *place = ping;
    return ping->data_bytes <= DATA_MOST_BYTES ? new_request(pings->pool, ping) : NULL;
}

void ip_pings_expect(struct ip_pings *pings, struct ip_ping *ping, enum ping_result result)
{
    int64_t now_ns = clock_now_ns(pings->clock);

    ping->result = result;
    clock_arm(pings->clock, &ping->timer,
              result == PING_TIMEOUT ? time_after(now_ns, ping->timeout_ns) : now_ns);
}

void ip_pings_cancel(struct ip_pings *pings, struct ip_ping *ping)
{
    struct ip_ping **place = &pings->first;

    while (*place && *place != ping)
        place = &(*place)->next;
    if (!*place)
        return;
    *place = ping->next;
    clock_cancel(pings->clock, &ping->timer);
}

void ip_pings_cancel_all(struct ip_pings *pings)
{
    while (pings->first)
        ip_pings_cancel(pings, pings->first);
}

void ip_pings_take_reply(struct ip_pings *pings, const struct frame *frame, uint32_t from,
                         uint32_t to)
{
    const uint8_t *icmp = frame_transport(frame);

    for (struct ip_ping *ping = pings->first; ping; ping = ping->next) {
        if (ping->to != from || ping->from != to || get_be16(icmp + 4) != IDENTIFIER)
            continue;
        if (ping->sequence != get_be16(icmp + 6) || ping->data_bytes != frame->payload_bytes)
            continue;
        ping->round_trip_ns = clock_now_ns(pings->clock) - ping->sent_at_ns;
        end(ping, PING_REPLY);
        return;
    }
}

void ip_pings_unreachable(struct ip_pings *pings, uint32_t from, uint32_t to)
{
    for (struct ip_ping *ping = pings->first; ping; ping = ping->next)
        if (ping->from == from && ping->to == to)
            ip_pings_expect(pings, ping, PING_UNREACHABLE); /* a timer: on_done may add others */
}

struct frame *ip_ping_answer(struct pool *pool, const struct frame *request)
{
    struct frame *reply = frame_new(pool);
    uint8_t *icmp = frame_begin_ipv4(reply, PROTOCOL_ICMP, ICMP_BYTES);

    memcpy(icmp + 4, frame_transport(request) + 4, 4); /* identifier, sequence number */
    icmp[0] = ICMP_ECHO_REPLY;
    frame_set_payload(reply, buf_share(request->payload, 0, request->payload_bytes));
    return reply;
}
