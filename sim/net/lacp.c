/* LACP of one port: the machines of 802.1AX-2020, 6.4, and the codec of their PDU. */
#include "sim/net/lacp.h"

#include "sim/core/bytes.h"
#include "sim/core/time.h"

#include <string.h>

/* 6.4.4: Fast_Periodic_Time, Slow_Periodic_Time, and three of each as time-outs. */
#define FAST_PERIODIC_NS  SECONDS(1)
#define SLOW_PERIODIC_NS  SECONDS(30)
#define SHORT_TIMEOUT_NS  SECONDS(3)
#define LONG_TIMEOUT_NS   SECONDS(90)
#define AGGREGATE_WAIT_NS SECONDS(2)
#define SENT_MOST         3u /* LACPDUs in one Fast_Periodic_Time (6.4.16) */

/* Offsets of the TLVs (6.4.2.3). */
#define ACTOR_AT     2u
#define PARTNER_AT   22u
#define COLLECTOR_AT 42u
#define INFO_BYTES   20u

static void put_info(uint8_t *p, uint8_t type, const struct lacp_info *info)
{
    p[0] = type;
    p[1] = INFO_BYTES;
    put_be16(p + 2, info->system_priority);
    mac_put(p + 4, info->system);
    put_be16(p + 10, info->key);
    put_be16(p + 12, info->port_priority);
    put_be16(p + 14, info->port);
    p[16] = info->state;
}

static struct lacp_info get_info(const uint8_t *p)
{
    return (struct lacp_info){
        .system_priority = get_be16(p + 2),
        .system = mac_get(p + 4),
        .key = get_be16(p + 10),
        .port_priority = get_be16(p + 12),
        .port = get_be16(p + 14),
        .state = p[16],
    };
}

static bool is_same(const struct lacp_info *a, const struct lacp_info *b)
{
    return a->system_priority == b->system_priority && mac_is_equal(a->system, b->system) &&
           a->key == b->key && a->port_priority == b->port_priority && a->port == b->port;
}

static void set_state(struct lacp *lacp, uint8_t bit, bool is_set)
{
    uint8_t state = (uint8_t)(is_set ? lacp->actor.state | bit : lacp->actor.state & ~bit);

    if (state != lacp->actor.state)
        lacp->must_send = true; /* 6.4.14: what the partner should know has changed */
    lacp->actor.state = state;
}

/* The mux machine (6.4.15, coupled control): collecting and distributing go together. */
static void run_mux(struct lacp *lacp)
{
    bool is_in_sync = lacp->is_selected && lacp->is_attached;
    bool is_open = is_in_sync && (lacp->partner.state & LACP_SYNCHRONIZATION) != 0;

    set_state(lacp, LACP_SYNCHRONIZATION, is_in_sync);
    set_state(lacp, LACP_COLLECTING, is_open);
    set_state(lacp, LACP_DISTRIBUTING, is_open && (lacp->partner.state & LACP_COLLECTING) != 0);
}

static int64_t period_ns(const struct lacp *lacp)
{
    bool is_fast =
        lacp->receive == LACP_RX_CURRENT ? (lacp->partner.state & LACP_SHORT_TIMEOUT) != 0 : true;

    return is_fast ? FAST_PERIODIC_NS : SLOW_PERIODIC_NS;
}

/* Nobody sends to a partner that is passive as well (6.4.13, NO_PERIODIC). */
static bool is_periodic(const struct lacp *lacp)
{
    return lacp->receive != LACP_PORT_DISABLED &&
           ((lacp->actor.state | lacp->partner.state) & LACP_ACTIVITY) != 0;
}

static void plan_send(struct lacp *lacp, int64_t now_ns)
{
    lacp->send_at_ns = is_periodic(lacp) ? time_after(now_ns, period_ns(lacp)) : TIME_NEVER;
}

static void enter(struct lacp *lacp, enum lacp_receive receive, int64_t until_ns)
{
    lacp->receive = receive;
    lacp->current_until_ns = until_ns;
    set_state(lacp, LACP_EXPIRED, receive == LACP_RX_EXPIRED);
    set_state(lacp, LACP_DEFAULTED, receive == LACP_RX_DEFAULTED);
}

void lacp_init(struct lacp *lacp, const struct lacp_info *actor)
{
    *lacp = (struct lacp){.receive = LACP_PORT_DISABLED,
                          .actor = *actor,
                          .current_until_ns = TIME_NEVER,
                          .attach_at_ns = TIME_NEVER,
                          .send_at_ns = TIME_NEVER,
                          .sent_at_ns = -FAST_PERIODIC_NS};
    lacp->actor.state |= LACP_AGGREGATION | LACP_DEFAULTED;
}

void lacp_set_carrier(struct lacp *lacp, bool is_up, int64_t now_ns)
{
    lacp->is_selected = false;
    lacp->is_attached = false;
    lacp->attach_at_ns = TIME_NEVER;
    lacp->partner = (struct lacp_info){.state = 0};
    if (is_up) /* 6.4.12: the partner is asked to answer soon */
        enter(lacp, LACP_RX_EXPIRED, time_after(now_ns, SHORT_TIMEOUT_NS));
    else
        enter(lacp, LACP_PORT_DISABLED, TIME_NEVER);
    run_mux(lacp);
    lacp->must_send = is_periodic(lacp);
    plan_send(lacp, now_ns);
}

bool lacp_feed(struct lacp *lacp, const uint8_t *bytes, size_t count, int64_t now_ns)
{
    if (count < LACP_PDU_BYTES || bytes[0] != LACP_SUBTYPE || bytes[1] == 0 ||
        bytes[ACTOR_AT] != 1 || bytes[ACTOR_AT + 1] != INFO_BYTES || bytes[PARTNER_AT] != 2 ||
        bytes[PARTNER_AT + 1] != INFO_BYTES)
        return false;
    if (lacp->receive == LACP_PORT_DISABLED)
        return true;
    struct lacp_info them = get_info(bytes + ACTOR_AT);
    struct lacp_info us = get_info(bytes + PARTNER_AT);
    bool is_known = is_same(&us, &lacp->actor);
    uint8_t told = LACP_ACTIVITY | LACP_SHORT_TIMEOUT | LACP_AGGREGATION | LACP_SYNCHRONIZATION;

    if (!is_same(&them, &lacp->partner)) { /* update_Selected: another partner, another group */
        lacp->is_selected = false;
        lacp->is_attached = false;
        lacp->attach_at_ns = TIME_NEVER;
    }
    /* update_NTT: the partner knows something else of us than what holds. */
    lacp->must_send = lacp->must_send || !is_known || ((us.state ^ lacp->actor.state) & told) != 0;
    if (!is_known) /* recordPDU: in sync only with what we are */
        them.state &= (uint8_t)~LACP_SYNCHRONIZATION;
    bool was_fast = period_ns(lacp) == FAST_PERIODIC_NS;

    lacp->partner = them;
    enter(lacp, LACP_RX_CURRENT,
          time_after(now_ns,
                     lacp->actor.state & LACP_SHORT_TIMEOUT ? SHORT_TIMEOUT_NS : LONG_TIMEOUT_NS));
    if (lacp->send_at_ns == TIME_NEVER || was_fast != (period_ns(lacp) == FAST_PERIODIC_NS))
        plan_send(lacp, now_ns);
    run_mux(lacp);
    return true;
}

/* When the next LACPDU may go, by the limit of three in a second. */
static int64_t may_send_ns(const struct lacp *lacp)
{
    return lacp->sent_count < SENT_MOST ? 0 : time_after(lacp->sent_at_ns, FAST_PERIODIC_NS);
}

bool lacp_take(struct lacp *lacp, uint8_t ret_bytes[LACP_PDU_BYTES], int64_t now_ns)
{
    if (now_ns - lacp->sent_at_ns >= FAST_PERIODIC_NS)
        lacp->sent_count = 0;
    if (!lacp->must_send || !is_periodic(lacp) || now_ns < may_send_ns(lacp))
        return false;
    if (lacp->sent_count++ == 0)
        lacp->sent_at_ns = now_ns;
    lacp->must_send = false;
    plan_send(lacp, now_ns);
    memset(ret_bytes, 0, LACP_PDU_BYTES);
    ret_bytes[0] = LACP_SUBTYPE;
    ret_bytes[1] = 1; /* version */
    put_info(ret_bytes + ACTOR_AT, 1, &lacp->actor);
    put_info(ret_bytes + PARTNER_AT, 2, &lacp->partner);
    ret_bytes[COLLECTOR_AT] = 3;
    ret_bytes[COLLECTOR_AT + 1] = 16;
    return true;
}

int64_t lacp_deadline_ns(const struct lacp *lacp)
{
    int64_t at_ns = lacp->current_until_ns;

    if (lacp->attach_at_ns < at_ns)
        at_ns = lacp->attach_at_ns;
    if (lacp->send_at_ns < at_ns)
        at_ns = lacp->send_at_ns;
    if (lacp->must_send && is_periodic(lacp) && may_send_ns(lacp) < at_ns)
        at_ns = may_send_ns(lacp);
    return at_ns;
}

void lacp_wake(struct lacp *lacp, int64_t now_ns)
{
    if (now_ns >= lacp->current_until_ns && lacp->receive == LACP_RX_CURRENT) {
        lacp->partner.state &= (uint8_t)~LACP_SYNCHRONIZATION;
        lacp->partner.state |= LACP_SHORT_TIMEOUT; /* 6.4.12: asked for, so that we ask fast */
        enter(lacp, LACP_RX_EXPIRED, time_after(now_ns, SHORT_TIMEOUT_NS));
        lacp->must_send = true;
    } else if (now_ns >= lacp->current_until_ns && lacp->receive == LACP_RX_EXPIRED) {
        lacp->partner = (struct lacp_info){.state = 0};
        lacp->is_selected = false;
        lacp->is_attached = false;
        lacp->attach_at_ns = TIME_NEVER;
        enter(lacp, LACP_RX_DEFAULTED, TIME_NEVER);
    }
    if (now_ns >= lacp->attach_at_ns) {
        lacp->attach_at_ns = TIME_NEVER;
        lacp->is_attached = true;
    }
    if (now_ns >= lacp->send_at_ns) {
        lacp->must_send = true;
        plan_send(lacp, now_ns);
    }
    run_mux(lacp);
}

bool lacp_knows_partner(const struct lacp *lacp)
{
    return lacp->receive == LACP_RX_CURRENT || lacp->receive == LACP_RX_EXPIRED
               ? lacp->partner.port != 0
               : false;
}

void lacp_select(struct lacp *lacp, bool is_selected, int64_t now_ns)
{
    if (is_selected == lacp->is_selected)
        return;
    lacp->is_selected = is_selected;
    lacp->is_attached = false;
    lacp->attach_at_ns = is_selected ? time_after(now_ns, AGGREGATE_WAIT_NS) : TIME_NEVER;
    run_mux(lacp);
}
