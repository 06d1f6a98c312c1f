/* The power of a host or an array: it goes down, for one reason or several, and boots.
 *
 *     UP --lose()--> DOWN --return() of the last layer--> BOOTING --boot time--> UP
 *                     ^                                      |
 *                     '---------------- lose() --------------'
 *
 * Layers stack: what lost its power and crashed as well needs both back. With its power it loses
 * the light of its NICs, until it has booted; a mere crash leaves them lit, and nobody answers.
 */
#pragma once

#include "lab/topology.h"
#include "sim/core/clock.h"
#include "sim/net/fabric.h"

#include <stdbool.h>
#include <stdint.h>

struct box_power;
struct box_power_ops {
    void (*go_down)(struct box_power *power);
    void (*come_up)(struct box_power *power); /* its NICs are lit */
};

struct box_power {
    const struct box_power_ops *ops;
    struct clock *clock; /* borrowed */
    struct nic **nics;   /* owned array of borrowed NICs */
    uint32_t nic_count;
    uint32_t down; /* layers */
    bool is_dark;  /* its NICs have no power */
    struct timer boot;
};

/* 'nic_count' NICs of the topology from 'first_nic' on, which are in the fabric. */
void box_power_init(struct box_power *power, const struct box_power_ops *ops, struct clock *clock,
                    struct fabric *fabric, const struct topology *topology, uint32_t first_nic,
                    uint32_t nic_count);
void box_power_fini(struct box_power *power);

void box_power_lose(struct box_power *power, bool is_dark);
void box_power_return(struct box_power *power, int64_t boot_ns);
/* Off and on again; does nothing to what is down. */
void box_power_reboot(struct box_power *power, int64_t boot_ns);
/* A boot that is under way never ends: the run does. */
void box_power_stay(struct box_power *power);

static inline bool box_power_is_up(const struct box_power *power)
{
    return power->down == 0 && !timer_is_armed(&power->boot);
}
