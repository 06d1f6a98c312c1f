/* Pings over a fabric on which nothing else happens, watched for what it drops. */
#include "lab/ping.h"

#include "lab/command.h"
#include "lab/run_one.h"
#include "lab/world.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/net/ip_host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_NS   SECONDS(1)
#define ADDRESS_BYTES 16

struct pings {
    const struct ping_options *options;
    const struct topology *topology;
    struct event_queue queue;
    struct trace trace;
    struct tap tap;
    struct world *world;
    struct ip_host *host;
    struct ip_ping ping;
    bool is_done;
    /* Where the last frame of this request ended, with its reason; "": none did. */
    char drop[192];
    uint32_t received;
    int64_t least_ns;
    int64_t most_ns;
    int64_t sum_ns;
};

static const char *address_text(uint32_t address, char buffer[ADDRESS_BYTES])
{
    snprintf(buffer, ADDRESS_BYTES, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
             address >> 8 & 255, address & 255);
    return buffer;
}

/* What a frame may have at the part 'where'; 0: no part with an MTU. */
static uint32_t limit_at(const struct pings *pings, const char *where, const struct frame *frame)
{
    uint32_t ethernet_bytes = ETHERNET_BYTES + (frame_is_tagged(frame) ? VLAN_TAG_BYTES : 0);
    struct part_ref part;

    if (!topology_find(pings->topology, where, &part))
        return 0;
    if (part.kind == PART_NIC)
        return pings->topology->nics[part.index].mtu_bytes + ethernet_bytes;
    if (part.kind == PART_PORT)
        return pings->topology->switches[part.owner].mtu_bytes + ethernet_bytes;
    if (part.kind == PART_SWITCH)
        return pings->topology->switches[part.index].mtu_bytes + ethernet_bytes;
    return 0;
}

static bool is_echo(const struct frame *frame)
{
    return frame->ethertype == ETHERTYPE_IPV4 && frame->protocol == PROTOCOL_ICMP;
}

static bool is_arp_broadcast(const struct frame *frame)
{
    return frame->ethertype == ETHERTYPE_ARP && mac_is_group(frame_to(frame));
}

static void on_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                    const struct frame *frame)
{
    struct pings *pings = CONTAINER_OF(tap, struct pings, tap);
    const char *word = drop_reason_word(reason);
    (void)at_ns;

    /* A flood ends at many NICs, which is as it should be; its one receiver is another matter. */
    if (is_arp_broadcast(frame) && (reason == DROP_SAME_PORT || reason == DROP_NOT_MINE))
        return;
    if (!is_echo(frame) && (frame->ethertype != ETHERTYPE_ARP || pings->drop[0]))
        return; /* an LACPDU, say, ends at the switch */
    if (reason == DROP_TOO_BIG)
        snprintf(pings->drop, sizeof(pings->drop),
                 "dropped at %s: too big: frame of %" PRIu32 " bytes, limit %" PRIu32, where,
                 frame_bytes(frame), limit_at(pings, where, frame));
    else
        snprintf(pings->drop, sizeof(pings->drop), "dropped at %s: %s%s", where, word,
                 is_echo(frame) ? "" : " (an ARP packet)");
}

static void on_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                     const struct frame *frame)
{
    (void)tap, (void)at_ns, (void)nic, (void)direction, (void)frame;
}

static void on_done(struct ip_ping *ping, enum ping_result result)
{
    (void)result;
    CONTAINER_OF(ping, struct pings, ping)->is_done = true;
}

/* The lines. */

static void print_reply(struct pings *pings, uint32_t number, FILE *to)
{
    int64_t ns = pings->ping.round_trip_ns;
    char address[ADDRESS_BYTES];

    fprintf(to, "%" PRIu32 " bytes from %s: icmp_seq=%" PRIu32 " time=%" PRId64 ".%03d ms\n",
            pings->options->data_bytes + ICMP_BYTES, address_text(pings->ping.to, address), number,
            ns / MS(1), (int)(ns % MS(1) / US(1)));
    pings->least_ns = pings->received == 0 ? ns : time_min(pings->least_ns, ns);
    pings->most_ns = time_max(pings->most_ns, ns);
    pings->sum_ns += ns;
    pings->received++;
}

static void print_loss(const struct pings *pings, uint32_t number, FILE *to)
{
    const struct topology_nic *from = &pings->topology->nics[pings->options->from_nic];

    switch (pings->ping.result) {
    case PING_TOO_BIG:
        fprintf(to,
                "icmp_seq=%" PRIu32 ": not sent by %s: too big: packet of %" PRIu32
                " bytes, MTU %" PRIu32 "\n",
                number, from->full_name, pings->options->data_bytes + ICMP_BYTES + IPV4_BYTES,
                from->mtu_bytes);
        return;
    case PING_NO_CARRIER:
        fprintf(to, "icmp_seq=%" PRIu32 ": not sent by %s: no carrier\n", number, from->full_name);
        return;
    case PING_UNREACHABLE:
        fprintf(to, "icmp_seq=%" PRIu32 ": host unreachable: nobody answers ARP%s%s\n", number,
                pings->drop[0] ? "; " : "", pings->drop);
        return;
    case PING_TIMEOUT:
    case PING_REPLY:
        break;
    }
    fprintf(to, "icmp_seq=%" PRIu32 ": no answer%s%s%s\n", number,
            ip_host_waiting_frames(pings->host) > 0 ? ": nobody answered ARP so far" : "",
            pings->drop[0] ? ": " : "", pings->drop);
}

static void print_end(const struct pings *pings, FILE *to)
{
    uint32_t count = pings->options->count;
    uint32_t lost = count - pings->received;

    fprintf(to,
            "--- %s ping statistics ---\n%" PRIu32 " packets transmitted, %" PRIu32
            " received, %" PRIu64 "%% packet loss\n",
            pings->topology->nics[pings->options->to_nic].full_name, count, pings->received,
            (uint64_t)lost * 100 / count);
    if (pings->received == 0)
        return;
    int64_t mean_ns = pings->sum_ns / pings->received;

    fprintf(to, "rtt min/avg/max = %" PRId64 ".%03d/%" PRId64 ".%03d/%" PRId64 ".%03d ms\n",
            pings->least_ns / MS(1), (int)(pings->least_ns % MS(1) / US(1)), mean_ns / MS(1),
            (int)(mean_ns % MS(1) / US(1)), pings->most_ns / MS(1),
            (int)(pings->most_ns % MS(1) / US(1)));
}

/* One request. */

static void ask(struct pings *pings, uint32_t number, FILE *to)
{
    int64_t begin_ns = clock_now_ns(&pings->queue.clock);
    int64_t patience_ns = time_after(begin_ns, pings->options->timeout_ns + SECONDS(10));

    pings->is_done = false;
    pings->drop[0] = '\0';
    ip_host_ping(pings->host, &pings->ping);
    while (!pings->is_done && clock_now_ns(&pings->queue.clock) < patience_ns)
        event_queue_run(&pings->queue, event_queue_next_ns(&pings->queue), 1);
    assert(pings->is_done); /* a ping ends by its own timer at the latest */
    if (pings->ping.result == PING_REPLY)
        print_reply(pings, number, to);
    else
        print_loss(pings, number, to);
    event_queue_run(&pings->queue,
                    time_max(clock_now_ns(&pings->queue.clock), begin_ns + INTERVAL_NS),
                    UINT64_MAX);
}

/* The owner of a NIC, as the fabric knows it. */
static struct ip_host *host_of(struct pings *pings, uint32_t nic_index)
{
    const struct topology_nic *nic = &pings->topology->nics[nic_index];

    return fabric_find_host(world_fabric(pings->world),
                            nic->is_array_nic ? pings->topology->arrays[nic->owner_index].name
                                              : pings->topology->hosts[nic->owner_index].name);
}

int ping_run(const struct ping_options *options, FILE *to)
{
    static const struct tap_ops tap_ops = {.frame = on_frame, .drop = on_drop};
    struct pings pings = {.options = options,
                          .topology = options->scenario->topology,
                          .trace = {trace_nowhere_ops()},
                          .tap = {&tap_ops}};
    const struct topology_nic *from = &pings.topology->nics[options->from_nic];
    const struct topology_nic *nic_to = &pings.topology->nics[options->to_nic];
    struct pool *pool = pool_new();
    struct san_names names;
    char addresses[2][ADDRESS_BYTES];

    event_queue_init(&pings.queue);
    world_names_init(&names, pings.topology);
    pings.world = world_new(&(struct world_options){.scenario = options->scenario,
                                                    .names = &names,
                                                    .queue = &pings.queue,
                                                    .pool = pool,
                                                    .trace = &pings.trace});
    fabric_set_tap(world_fabric(pings.world), &pings.tap);
    pings.host = host_of(&pings, options->from_nic);
    pings.ping = (struct ip_ping){.from = from->address,
                                  .to = nic_to->address,
                                  .data_bytes = options->data_bytes,
                                  .timeout_ns = options->timeout_ns,
                                  .on_done = on_done};
    fprintf(to, "PING %s (%s) from %s (%s): %" PRIu32 "(%" PRIu32 ") bytes of data\n",
            nic_to->full_name, address_text(nic_to->address, addresses[0]), from->full_name,
            address_text(from->address, addresses[1]), options->data_bytes,
            options->data_bytes + ICMP_BYTES + IPV4_BYTES);
    event_queue_run(&pings.queue, SECONDS(60), UINT64_MAX); /* ports forward by now */
    for (uint32_t i = 1; i <= options->count; i++)
        ask(&pings, i, to);
    print_end(&pings, to);
    bool is_whole = pings.received == options->count;

    fabric_set_tap(world_fabric(pings.world), NULL);
    world_free(pings.world);
    world_names_fini(&names);
    event_queue_fini(&pings.queue);
    pool_free(pool);
    return is_whole ? EXIT_MET : EXIT_NOT_MET;
}
