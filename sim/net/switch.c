/* The switch as a whole: its power, its settings, and what is counted. switch_parts.h names the
 * files of the rest.
 */
#include "sim/net/switch.h"

#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/mac_table.h"
#include "sim/net/switch_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_MTU_BYTES   1500u
#define DEFAULT_MAC_AGE_NS  SECONDS(300) /* 802.1Q-2018, table 8-6 */
#define DEFAULT_MAC_ENTRIES 16384u
#define MOST_PORTS          4096u

static void enter(struct sw *sw, enum switch_state state)
{
    switch (state) {
    case SWITCH_OFF:
        break;
    case SWITCH_BOOTING:
        assert(sw->state == SWITCH_OFF);
        break;
    case SWITCH_RUNNING:
        assert(sw->state == SWITCH_BOOTING);
        break;
    }
    sw->state = state;
    switch_note(sw, "state", state);
    for (uint32_t i = 0; i < sw->port_count; i++)
        if (sw->ports[i].port.is_powered != (state == SWITCH_RUNNING))
            port_set_powered(&sw->ports[i].port, state == SWITCH_RUNNING);
}

static void lose_power(struct sw *sw)
{
    clock_cancel(sw->wire->clock, &sw->boot);
    switch_relay_drop_held(sw, DROP_POWERED_OFF);
    enter(sw, SWITCH_OFF);
    for (uint32_t i = 0; i < sw->port_count; i++)
        switch_port_lose_power(&sw->ports[i]);
    mac_table_flush(sw->macs);
}

static void start_boot(struct sw *sw, int64_t boot_ns)
{
    enter(sw, SWITCH_BOOTING);
    clock_arm(sw->wire->clock, &sw->boot, time_after(switch_now_ns(sw), boot_ns));
}

static void end_boot(struct timer *timer)
{
    enter(CONTAINER_OF(timer, struct sw, boot), SWITCH_RUNNING);
}

struct sw *switch_new(struct wire *wire, const struct switch_config *config)
{
    assert(config->port_count > 0);
    assert(config->port_count <= MOST_PORTS);
    struct sw *sw = mem_new(sizeof(*sw) + config->port_count * sizeof(struct switch_port));
    int64_t age_ns = config->mac_age_ns ? config->mac_age_ns : DEFAULT_MAC_AGE_NS;

    *sw = (struct sw){
        .wire = wire,
        .name = mem_text(config->name),
        .state = SWITCH_RUNNING,
        .macs =
            mac_table_new(config->mac_entries ? config->mac_entries : DEFAULT_MAC_ENTRIES, age_ns),
        .forwarding_delay_ns = config->forwarding_delay_ns,
        .boot_ns = config->boot_ns,
        .port_forwarding_delay_ns = config->port_forwarding_delay_ns,
        .link_debounce_ns = config->link_debounce_ns,
        .port_count = config->port_count,
    };
    packet_buffer_init(&sw->buffer, config->shared_buffer_bytes,
                       config->alpha_128ths ? config->alpha_128ths : PACKET_BUFFER_ALPHA_ONE,
                       config->port_count);
    switch_pressure_init(sw, config);
    switch_relay_init(sw);
    switch_set_mtu_bytes(sw, config->mtu_bytes ? config->mtu_bytes : DEFAULT_MTU_BYTES);
    timer_init(&sw->boot, end_boot);
    for (uint32_t i = 0; i < sw->port_count; i++)
        switch_port_init(sw, i, config);
    sw->group_count = config->group_count;
    sw->groups = mem_array(config->group_count, sizeof(*sw->groups));
    for (uint32_t i = 0; i < sw->group_count; i++)
        switch_group_init(&sw->groups[i], sw, &config->groups[i]);
    return sw;
}

void switch_free(struct sw *sw)
{
    if (!sw)
        return;
    clock_cancel(sw->wire->clock, &sw->boot);
    switch_pressure_fini(sw);
    for (uint32_t i = 0; i < sw->group_count; i++)
        switch_group_fini(&sw->groups[i]);
    for (uint32_t i = 0; i < sw->port_count; i++)
        switch_port_fini(&sw->ports[i]);
    switch_relay_fini(sw);
    packet_buffer_fini(&sw->buffer);
    mac_table_free(sw->macs);
    impair_fini(&sw->impair);
    free(sw->groups);
    free(sw->name);
    free(sw);
}

const char *switch_name(const struct sw *sw)
{
    return sw->name;
}

uint32_t switch_port_count(const struct sw *sw)
{
    return sw->port_count;
}

struct port *switch_port(struct sw *sw, uint32_t number)
{
    assert(number >= 1);
    assert(number <= sw->port_count);
    return &sw->ports[number - 1].port;
}

bool switch_is_running(const struct sw *sw)
{
    return sw->state == SWITCH_RUNNING;
}

int64_t switch_boot_ns(const struct sw *sw)
{
    return sw->boot_ns;
}

void switch_power_off(struct sw *sw)
{
    if (sw->unpowered++ == 0)
        lose_power(sw);
}

void switch_power_on(struct sw *sw)
{
    assert(sw->unpowered > 0);
    if (--sw->unpowered == 0)
        start_boot(sw, sw->boot_ns);
}

void switch_reboot(struct sw *sw, int64_t boot_ns)
{
    if (sw->unpowered > 0)
        return; /* nothing there to reboot */
    lose_power(sw);
    start_boot(sw, boot_ns ? boot_ns : sw->boot_ns);
}

void switch_freeze(struct sw *sw)
{
    sw->frozen++;
    switch_relay_drop_held(sw, DROP_FROZEN);
    for (uint32_t i = 0; i < sw->port_count; i++) {
        switch_pressure_forget(&sw->ports[i]);
        link_drop_queued(&sw->ports[i].port.tx, DROP_FROZEN);
    }
}

void switch_thaw(struct sw *sw)
{
    assert(sw->frozen > 0);
    sw->frozen--;
}

void switch_flush(struct sw *sw)
{
    mac_table_flush(sw->macs);
}

struct impair_layer *switch_impair(struct sw *sw, const struct impair_config *config)
{
    return impair_add(&sw->impair, config, sw->wire->seed, sw->name);
}

void switch_repair(struct sw *sw, struct impair_layer *layer)
{
    impair_remove(&sw->impair, layer);
}

void switch_set_mtu_bytes(struct sw *sw, uint32_t mtu_bytes)
{
    assert(mtu_bytes >= MTU_LEAST_BYTES);
    assert(mtu_bytes <= MTU_MOST_BYTES);
    sw->mtu_bytes = mtu_bytes;
}

void switch_set_forwarding_delay_ns(struct sw *sw, int64_t delay_ns)
{
    assert(delay_ns >= 0);
    sw->forwarding_delay_ns = delay_ns;
}

void switch_set_port_forwarding_delay_ns(struct sw *sw, int64_t delay_ns)
{
    sw->port_forwarding_delay_ns = delay_ns;
}

void switch_set_mac_age_ns(struct sw *sw, int64_t age_ns)
{
    mac_table_set_age_ns(sw->macs, age_ns);
}

void switch_set_port_buffer_bytes(struct sw *sw, uint64_t bytes)
{
    for (uint32_t i = 0; i < sw->port_count; i++)
        sw->ports[i].port.tx.config.queue_bytes = bytes;
}

void switch_set_shared_buffer_bytes(struct sw *sw, uint64_t bytes)
{
    sw->buffer.limit_bytes = bytes;
}

void switch_set_link_debounce_ns(struct sw *sw, int64_t debounce_ns)
{
    assert(debounce_ns >= 0);
    sw->link_debounce_ns = debounce_ns;
}

uint64_t switch_forwarded(const struct sw *sw)
{
    return sw->forwarded;
}

uint64_t switch_flooded(const struct sw *sw)
{
    return sw->flooded;
}

uint64_t switch_flooded_unknown(const struct sw *sw)
{
    return sw->flooded_unknown;
}

uint64_t switch_mac_moves(const struct sw *sw)
{
    return sw->mac_moves;
}

uint64_t switch_duplicated(const struct sw *sw)
{
    return sw->duplicated;
}

uint64_t switch_reordered(const struct sw *sw)
{
    return sw->reordered;
}

uint64_t switch_mac_refused(const struct sw *sw)
{
    return sw->mac_refused;
}

size_t switch_mac_count(const struct sw *sw)
{
    return mac_table_count(sw->macs);
}

uint64_t switch_dropped(const struct sw *sw, enum drop_reason reason)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < sw->port_count; i++)
        count += port_dropped(&sw->ports[i].port, reason);
    return count;
}

bool switch_check(const struct sw *sw, char *ret_text, size_t text_bytes)
{
    uint64_t received = 0; /* less what was for the port itself */
    uint64_t dropped = 0;
    uint64_t copies = 0; /* less what came from the port itself */

    for (uint32_t i = 0; i < sw->port_count; i++) {
        const struct port *port = &sw->ports[i].port;

        received += port->received - port->controls - port->lacpdus_heard;
        copies += port->tx.counts.offered - port->pauses_sent - port->lacpdus_sent;
        for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
            dropped += port->dropped[reason];
    }
    if (received + sw->duplicated != dropped + sw->forwarded + sw->holding.count ||
        copies != sw->copies || copies < sw->forwarded) {
        snprintf(ret_text, text_bytes,
                 "switch '%s' received %" PRIu64 " frames and doubled %" PRIu64 ", dropped %" PRIu64
                 " with a reason, holds %zu back and sent %" PRIu64 " on in %" PRIu64
                 " copies, of which %" PRIu64 " left for its ports",
                 sw->name, received, sw->duplicated, dropped, sw->holding.count, sw->forwarded,
                 sw->copies, copies);
        return false;
    }
    if (sw->sent_above_mtu > 0) {
        snprintf(ret_text, text_bytes, "switch '%s' sent on %" PRIu64 " frames above its MTU",
                 sw->name, sw->sent_above_mtu);
        return false;
    }
    return true;
}
