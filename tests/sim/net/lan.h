/* A small network for tests: hosts on one switch, each with one NIC, in virtual time.
 *
 *     struct lan lan;
 *     lan_start(&lan, 2, 9000);
 *     lan_run(&lan, MS(10));
 *     lan_stop(&lan);           // checks that frames are conserved and memory is back
 */
#pragma once

#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"

#include "tests/test.h"

#include <stdio.h>

#define LAN_MOST_HOSTS 8

struct lan {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct fabric *fabric;
    struct sw *sw;
    struct ip_host *hosts[LAN_MOST_HOSTS];
    struct nic *nics[LAN_MOST_HOSTS];
    struct cable *cables[LAN_MOST_HOSTS];
};

/* Host i has address 172.16.0.(i + 1), NIC "h<i>.iscsi1", cable "h<i>-1" to "switch-1.<i + 1>". */
static inline uint32_t lan_address(unsigned host)
{
    return IPV4(172, 16, 0, host + 1);
}

static inline void lan_open(struct lan *lan, uint64_t seed)
{
    *lan = (struct lan){.trace = {.ops = trace_nowhere_ops()}};
    event_queue_init(&lan->queue);
    lan->pool = pool_new();
    lan->fabric = fabric_new(&lan->queue.clock, lan->pool, &lan->trace, seed);
}

static inline void lan_add_host(struct lan *lan, unsigned host, const struct nic_config *nic,
                                const struct cable_config *cable, const struct ip_options *options)
{
    struct nic_config nic_config = nic ? *nic : (struct nic_config){.mtu_bytes = 9000};
    struct cable_config cable_config = cable ? *cable : (struct cable_config){0};
    char name[32];

    snprintf(name, sizeof(name), "h%u.iscsi1", host);
    nic_config.name = name;
    lan->nics[host] = fabric_add_nic(lan->fabric, &nic_config);
    snprintf(name, sizeof(name), "h%u-1", host);
    cable_config.name = name;
    cable_config.ends[0] = nic_port(lan->nics[host]);
    cable_config.ends[1] = switch_port(lan->sw, host + 1);
    lan->cables[host] = fabric_add_cable(lan->fabric, &cable_config);
    snprintf(name, sizeof(name), "h%u", host);
    lan->hosts[host] = fabric_add_host(lan->fabric, name, options);
    ip_host_add_address(lan->hosts[host], lan->nics[host], lan_address(host), 24);
}

static inline void lan_start(struct lan *lan, unsigned hosts, uint32_t switch_mtu_bytes)
{
    lan_open(lan, 1);
    lan->sw = fabric_add_switch(lan->fabric, &(struct switch_config){.name = "switch-1",
                                                                     .port_count = 24,
                                                                     .mtu_bytes = switch_mtu_bytes,
                                                                     .forwarding_delay_ns = US(2),
                                                                     .boot_ns = SECONDS(90)});
    for (unsigned host = 0; host < hosts; host++)
        lan_add_host(lan, host, NULL, NULL, NULL);
}

/* Runs to the instant 'at_ns'. */
static inline void lan_run(struct lan *lan, int64_t at_ns)
{
    event_queue_run(&lan->queue, at_ns, 10000000);
}

static inline void lan_check(struct lan *lan)
{
    char text[256] = "";

    if (!fabric_check_conservation(lan->fabric, text, sizeof(text)))
        fail_msg("%s", text);
}

static inline void lan_close(struct lan *lan)
{
    fabric_free(lan->fabric);
    assert_int_equal(lan->queue.count, 0);
    assert_int_equal(pool_live_blocks(lan->pool), 0);
    assert_int_equal(pool_live_bufs(lan->pool), 0);
    assert_int_equal(pool_live_chunks(lan->pool), 0);
    pool_free(lan->pool);
    event_queue_fini(&lan->queue);
}

static inline void lan_stop(struct lan *lan)
{
    lan_check(lan);
    lan_close(lan);
}

/* A ping whose end can be looked at. */
struct lan_ping {
    struct ip_ping ping;
    unsigned ended;
    int64_t ended_at_ns;
};

static inline void lan_ping_ended(struct ip_ping *ping, enum ping_result result)
{
    struct lan_ping *ended = (struct lan_ping *)(void *)ping;

    (void)result;
    ended->ended++;
    ended->ended_at_ns = clock_now_ns(ping->list->clock);
}

static inline void lan_ping(struct lan *lan, struct lan_ping *ping, unsigned from, unsigned to,
                            uint32_t data_bytes)
{
    *ping = (struct lan_ping){.ping = {.from = lan_address(from),
                                       .to = lan_address(to),
                                       .data_bytes = data_bytes,
                                       .timeout_ns = SECONDS(5),
                                       .on_done = lan_ping_ended}};
    ip_host_ping(lan->hosts[from], &ping->ping);
}

/* Sends one, waits for its end, and says how it ended. */
static inline enum ping_result lan_ping_now(struct lan *lan, unsigned from, unsigned to,
                                            uint32_t data_bytes)
{
    struct lan_ping ping;

    lan_ping(lan, &ping, from, to, data_bytes);
    lan_run(lan, clock_now_ns(&lan->queue.clock) + SECONDS(6));
    assert_int_equal(ping.ended, 1);
    return ping.ping.result;
}
