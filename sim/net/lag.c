/* Aggregated links: who carries what. */
#include "sim/net/lag.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"

#include <string.h>

#define SYSTEM_PRIORITY 32768u /* 802.1AX-2020, 6.3.2: neither preferred nor avoided */
#define PORT_PRIORITY   32768u

static int64_t now_ns(const struct lag *lag)
{
    return clock_now_ns(lag->wire->clock);
}

/* Linux bonding.rst, xmit_hash_policy, layer2: the last octets of both addresses, and the type. */
static uint32_t hash_layer2(const struct frame *frame)
{
    return (uint32_t)frame_to(frame).octet[MAC_BYTES - 1] ^ frame_from(frame).octet[MAC_BYTES - 1] ^
           frame->ethertype;
}

static uint32_t fold(uint32_t hash)
{
    hash ^= hash >> 16;
    return hash ^ hash >> 8;
}

uint32_t lag_hash_of(enum lag_hash policy, const struct frame *frame)
{
    uint32_t hash = hash_layer2(frame);
    bool is_ip = frame->ethertype == ETHERTYPE_IPV4 && frame->network_bytes >= IPV4_BYTES;

    if (policy == LAG_HASH_LAYER2 || !is_ip)
        return hash;
    if (policy == LAG_HASH_LAYER34) {
        hash = 0; /* without ports, as in a fragment, the addresses alone count */
        if ((frame->protocol == PROTOCOL_TCP || frame->protocol == PROTOCOL_UDP) &&
            frame->transport_bytes >= UDP_BYTES)
            hash = get_be32(frame_transport(frame));
    }
    return fold(hash ^ get_be32(frame_network(frame) + 12) ^ get_be32(frame_network(frame) + 16));
}

unsigned lag_choose(const struct lag *lag, const struct frame *frame)
{
    unsigned count = (unsigned)__builtin_popcount(lag->senders);
    uint32_t left = lag->senders;

    if (count == 0)
        return LAG_NO_LINK;
    for (uint32_t skipped = count == 1 ? 0 : lag_hash_of(lag->config.hash, frame) % count;
         skipped > 0; skipped--)
        left &= left - 1;
    return (unsigned)__builtin_ctz(left);
}

/* ---- LACP ---- */

static struct frame *pdu_frame(struct lag *lag, unsigned link, const uint8_t pdu[LACP_PDU_BYTES])
{
    struct frame *frame = frame_new(lag->wire->pool);
    struct chunk *chunk = chunk_new(lag->wire->pool, LACP_PDU_BYTES);

    memcpy(chunk->data, pdu, LACP_PDU_BYTES);
    frame_set_payload(frame, buf_new(chunk, 0, LACP_PDU_BYTES));
    frame->ethertype = ETHERTYPE_SLOW;
    frame_set_ethernet(frame, MAC_SLOW_PROTOCOLS, lag->ops->station(lag, link));
    return frame;
}

static bool is_one_aggregator(const struct lacp_info *a, const struct lacp_info *b)
{
    return a->system_priority == b->system_priority && mac_is_equal(a->system, b->system) &&
           a->key == b->key;
}

/* The links that distribute, or collect, with this partner. */
static uint32_t links_with(const struct lag *lag, const struct lacp_info *partner,
                           bool (*does)(const struct lacp *lacp))
{
    uint32_t set = 0;

    for (unsigned i = 0; i < lag->link_count; i++)
        if (does(&lag->links[i].lacp) && is_one_aggregator(&lag->links[i].lacp.partner, partner))
            set |= 1u << i;
    return set;
}

static bool choose_aggregator(struct lag *lag)
{
    int best = 0;

    if (lag->has_partner && links_with(lag, &lag->partner, lacp_is_distributing))
        return true;
    lag->has_partner = false;
    for (unsigned i = 0; i < lag->link_count; i++) {
        const struct lacp_info *partner = &lag->links[i].lacp.partner;
        int count = __builtin_popcount(links_with(lag, partner, lacp_is_distributing));

        if (count <= best)
            continue;
        best = count;
        lag->partner = *partner;
        lag->has_partner = true;
    }
    return lag->has_partner;
}

/* The first link on which nobody speaks LACP. */
static uint32_t lonely_link(const struct lag *lag)
{
    for (unsigned i = 0; lag->config.may_be_alone && i < lag->link_count; i++)
        if (lag->links[i].lacp.receive == LACP_RX_DEFAULTED)
            return 1u << i;
    return 0;
}

static void use_lacp(struct lag *lag)
{
    if (choose_aggregator(lag)) {
        lag->senders = links_with(lag, &lag->partner, lacp_is_distributing);
        lag->takers = links_with(lag, &lag->partner, lacp_is_collecting);
    } else {
        lag->senders = lag->takers = lonely_link(lag);
    }
}

static void run_lacp(struct lag *lag)
{
    int64_t next_ns = TIME_NEVER;

    for (unsigned i = 0; i < lag->link_count; i++) {
        struct lacp *lacp = &lag->links[i].lacp;
        uint8_t pdu[LACP_PDU_BYTES];

        lacp_select(lacp, lacp_knows_partner(lacp), now_ns(lag));
        while (lacp_take(lacp, pdu, now_ns(lag)))
            lag->ops->send(lag, i, pdu_frame(lag, i, pdu));
        next_ns = time_min(next_ns, lacp_deadline_ns(lacp));
    }
    clock_arm(lag->wire->clock, &lag->timer, next_ns);
}

/* ---- Which links are used ---- */

static unsigned first_of(uint32_t set)
{
    return set ? (unsigned)__builtin_ctz(set) : LAG_NO_LINK;
}

static void use_those_up(struct lag *lag)
{
    uint32_t up = 0;

    for (unsigned i = 0; i < lag->link_count; i++)
        up |= (uint32_t)lag->links[i].is_up << i;
    if (lag->config.mode == LAG_STATIC) {
        lag->senders = lag->takers = up;
        return;
    }
    if (lag->active == LAG_NO_LINK || !(up >> lag->active & 1) ||
        (lag->config.fails_back && (up & 1)))
        lag->active = first_of(up);
    uint32_t active = lag->active == LAG_NO_LINK ? 0 : 1u << lag->active;

    lag->senders = lag->config.mode == LAG_ACTIVE_BACKUP ? active : up;
    lag->takers = active;
}

static void settle(struct lag *lag)
{
    uint32_t senders = lag->senders;
    uint32_t takers = lag->takers;

    if (lag->config.mode == LAG_LACP) {
        run_lacp(lag);
        use_lacp(lag);
    } else {
        use_those_up(lag);
    }
    if (senders != lag->senders || takers != lag->takers)
        lag->ops->on_change(lag);
}

static void wake(struct timer *timer)
{
    struct lag *lag = CONTAINER_OF(timer, struct lag, timer);

    for (unsigned i = 0; i < lag->link_count; i++)
        lacp_wake(&lag->links[i].lacp, now_ns(lag));
    settle(lag);
}

void lag_set_up(struct lag *lag, unsigned link, bool is_up)
{
    assert(link < lag->link_count);
    if (lag->links[link].is_up == is_up)
        return;
    lag->links[link].is_up = is_up;
    if (lag->config.mode == LAG_LACP)
        lacp_set_carrier(&lag->links[link].lacp, is_up, now_ns(lag));
    settle(lag);
}

bool lag_hear(struct lag *lag, unsigned link, const struct frame *frame)
{
    uint8_t pdu[LACP_PDU_BYTES];

    if (lag->config.mode != LAG_LACP || frame->ethertype != ETHERTYPE_SLOW ||
        frame_is_tagged(frame) || frame->payload_bytes < sizeof(pdu) ||
        !mac_is_equal(frame_to(frame), MAC_SLOW_PROTOCOLS))
        return false;
    buf_read(frame->payload, 0, pdu, sizeof(pdu));
    if (!lacp_feed(&lag->links[link].lacp, pdu, sizeof(pdu), now_ns(lag)))
        return false;
    settle(lag);
    return true;
}

void lag_init(struct lag *lag, const struct lag_ops *ops, struct wire *wire,
              const struct lag_config *config, unsigned link_count)
{
    uint8_t state = (uint8_t)((config->is_passive ? 0 : LACP_ACTIVITY) |
                              (config->is_short ? LACP_SHORT_TIMEOUT : 0));

    assert(link_count > 0);
    assert(link_count <= LAG_MOST_LINKS);
    *lag = (struct lag){.ops = ops,
                        .wire = wire,
                        .config = *config,
                        .link_count = link_count,
                        .active = LAG_NO_LINK};
    timer_init(&lag->timer, wake);
    for (unsigned i = 0; i < link_count; i++)
        lacp_init(&lag->links[i].lacp, &(struct lacp_info){.system_priority = SYSTEM_PRIORITY,
                                                           .system = config->system,
                                                           .key = config->key,
                                                           .port_priority = PORT_PRIORITY,
                                                           .port = (uint16_t)(i + 1),
                                                           .state = state});
}

void lag_fini(struct lag *lag)
{
    clock_cancel(lag->wire->clock, &lag->timer);
}
