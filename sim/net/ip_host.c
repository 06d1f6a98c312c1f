/* IPv4 of one host: between its NICs below, and TCP and ping above. */
#include "sim/net/ip_host.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/arp_cache.h"
#include "sim/net/frame_codec.h"

#include <stdlib.h>

#define IPV4_VERSION_IHL    0x45u /* version 4, five words of header */
#define IPV4_DONT_FRAGMENT  0x4000u
#define DEFAULT_ARP_RETRY   SECONDS(1)
#define DEFAULT_ARP_TRIES   3u
#define DEFAULT_REACHABLE   SECONDS(30)
#define DEFAULT_ARP_QUEUE   3u
#define DEFAULT_ARP_ENTRIES 1024u
#define DEFAULT_TTL         64u

struct interface {
    struct nic_user user;
    struct ip_host *host;
    struct nic *nic; /* borrowed */
    uint32_t index;
};

struct address {
    uint32_t address;
    uint32_t mask;
    struct interface *interface; /* borrowed from the host */
};

struct ip_host {
    struct wire *wire;
    char *name;                    /* owned */
    struct ip_user *user;          /* borrowed; NULL: no TCP here */
    struct interface **interfaces; /* owned, each of them too */
    uint32_t interface_count;
    struct address *addresses; /* owned */
    uint32_t address_count;
    struct arp_cache arp;
    struct ip_pings pings;
    uint16_t next_identification;
    uint8_t ttl;
    struct ip_rules rules;
    bool is_routed; /* a route, and not the source address, says by which NIC a packet leaves */
    bool is_off;
    uint64_t unreachable_frames;
};

static const struct address *find_local(const struct ip_host *host, uint32_t address)
{
    for (uint32_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].address == address)
            return &host->addresses[i];
    return NULL;
}

static bool is_neighbour(const struct address *local, uint32_t address)
{
    return ((local->address ^ address) & local->mask) == 0 && local->address != address;
}

/* The address of an interface that shares a network with 'address'; NULL: none does. */
static const struct address *local_for(const struct ip_host *host, uint32_t interface,
                                       uint32_t address)
{
    for (uint32_t i = 0; i < host->address_count; i++) {
        const struct address *local = &host->addresses[i];

        if (local->interface->index == interface && is_neighbour(local, address))
            return local;
    }
    return NULL;
}

/* The first enabled NIC in the network of 'local', the narrowest network first; its own if none is.
 * Networks are those that NICs stand in, so this is the route to each neighbour of 'local', too. */
static struct interface *route_from(const struct ip_host *host, const struct address *local)
{
    const struct address *best = NULL;

    for (uint32_t i = 0; i < host->address_count; i++) {
        const struct address *other = &host->addresses[i];

        if (((other->address ^ local->address) & other->mask) != 0 ||
            !nic_is_enabled(other->interface->nic))
            continue;
        if (!best || other->mask > best->mask)
            best = other;
    }
    return best ? best->interface : local->interface;
}

/* The NIC by which packets from 'local' leave. */
static struct interface *way_out(const struct ip_host *host, const struct address *local)
{
    return host->is_routed ? route_from(host, local) : local->interface;
}

/* Would an answer to 'from' leave elsewhere than by 'interface', and does the host mind? */
static bool is_reverse_path_bad(const struct interface *interface, uint32_t from)
{
    const struct ip_host *host = interface->host;

    if (host->rules.model != HOST_WEAK || host->rules.reverse_path != REVERSE_PATH_STRICT)
        return false;
    for (uint32_t i = 0; i < host->address_count; i++)
        if (is_neighbour(&host->addresses[i], from))
            return route_from(host, &host->addresses[i]) != interface;
    return true;
}

/* -- ARP ------------------------------------------------------------------------------------- */

static void send_arp(struct interface *interface, const struct arp *arp, struct mac_addr to)
{
    struct frame *frame = frame_new(interface->host->wire->pool);

    arp_write(frame_begin_arp(frame), arp);
    frame_set_ethernet(frame, to, nic_mac(interface->nic));
    nic_send(interface->nic, frame);
}

static struct ip_host *host_of(struct arp_cache *cache)
{
    return CONTAINER_OF(cache, struct ip_host, arp);
}

static void send_request(struct arp_cache *cache, uint32_t interface, uint32_t address,
                         uint32_t source, const struct mac_addr *known)
{
    struct ip_host *host = host_of(cache);
    const struct address *local = local_for(host, interface, address);
    bool is_weak = host->rules.model == HOST_WEAK && host->rules.arp_senders == ARP_SENDS_ANY;

    if (!local)
        return;
    send_arp(local->interface,
             &(struct arp){.operation = ARP_REQUEST,
                           .sender_mac = nic_mac(local->interface->nic),
                           .sender_address = is_weak ? source : local->address,
                           .target_address = address},
             known ? *known : MAC_BROADCAST);
}

static void send_to(struct interface *interface, struct frame *frame, struct mac_addr to)
{
    frame_set_ethernet(frame, to, nic_mac(interface->nic));
    nic_send(interface->nic, frame);
}

static void drop_waiting(struct arp_cache *cache, uint32_t interface, struct frame *frame)
{
    struct ip_host *host = host_of(cache);

    host->unreachable_frames++;
    wire_drop(host->wire, nic_name(host->interfaces[interface]->nic), DROP_UNREACHABLE, frame);
}

static void send_waiting(struct arp_cache *cache, uint32_t interface, struct frame *frame,
                         struct mac_addr to)
{
    struct interface *out = host_of(cache)->interfaces[interface];

    if (frame_packet_bytes(frame) > nic_mtu_bytes(out->nic)) /* it shrank meanwhile */
        drop_waiting(cache, interface, frame);
    else
        send_to(out, frame, to);
}

static void tell_unreachable(struct arp_cache *cache, uint32_t interface, uint32_t address)
{
    struct ip_host *host = host_of(cache);

    for (uint32_t i = 0; i < host->address_count; i++) {
        const struct address *local = &host->addresses[i];

        if (way_out(host, local)->index != interface || !is_neighbour(local, address))
            continue;
        ip_pings_unreachable(&host->pings, local->address, address);
        if (host->user)
            host->user->ops->on_unreachable(host->user, local->address, address);
    }
}

/* The address that an ARP packet asks this NIC for; NULL: it is not ours to answer. */
static const struct address *arp_target(const struct interface *interface, uint32_t address)
{
    const struct ip_rules *rules = &interface->host->rules;
    const struct address *local = find_local(interface->host, address);

    if (!local || local->interface == interface)
        return local;
    return rules->model == HOST_WEAK && rules->arp_answers == ARP_ANSWERS_ANY ? local : NULL;
}

/* RFC 826, "Packet Reception": merge, then answer if it is for us. */
static void take_arp(struct interface *interface, const struct frame *frame)
{
    struct ip_host *host = interface->host;
    const struct address *target;
    struct arp arp;

    if (!arp_read(frame, &arp) || mac_is_group(arp.sender_mac) ||
        is_reverse_path_bad(interface, arp.sender_address))
        return;
    target = arp_target(interface, arp.target_address);
    if (local_for(host, interface->index, arp.sender_address))
        arp_cache_hear(&host->arp, interface->index, arp.sender_address, arp.sender_mac,
                       target != NULL);
    if (!target || arp.operation != ARP_REQUEST)
        return;
    send_arp(interface,
             &(struct arp){.operation = ARP_REPLY,
                           .sender_mac = nic_mac(interface->nic),
                           .sender_address = target->address,
                           .target_mac = arp.sender_mac,
                           .target_address = arp.sender_address},
             arp.sender_mac);
}

/* After link-up: whoever knows us by another way may forget it (RFC 5227, 2.3). */
static void announce(struct interface *interface)
{
    struct ip_host *host = interface->host;

    for (uint32_t i = 0; i < host->address_count; i++) {
        if (host->addresses[i].interface != interface)
            continue;
        send_arp(interface,
                 &(struct arp){.operation = ARP_REQUEST,
                               .sender_mac = nic_mac(interface->nic),
                               .sender_address = host->addresses[i].address,
                               .target_address = host->addresses[i].address},
                 MAC_BROADCAST);
    }
}

/* -- Sending --------------------------------------------------------------------------------- */

/* RFC 791, 3.1. The checksum stays zero, as for an offloading NIC. */
static void fill_ipv4(struct ip_host *host, struct frame *frame, uint32_t from, uint32_t to)
{
    uint8_t *ip = frame->headers + FRAME_NETWORK_AT;

    assert(frame->network_bytes == IPV4_BYTES);
    ip[0] = IPV4_VERSION_IHL;
    put_be16(ip + 2, (uint16_t)frame_packet_bytes(frame));
    put_be16(ip + 4, host->next_identification++);
    put_be16(ip + 6, IPV4_DONT_FRAGMENT);
    ip[8] = host->ttl;
    ip[9] = frame->protocol;
    put_be32(ip + 12, from);
    put_be32(ip + 16, to);
}

enum ip_sent ip_host_send(struct ip_host *host, struct frame *frame, uint32_t from, uint32_t to)
{
    const struct address *local = find_local(host, from);

    assert(frame->refs == 1);
    if (host->is_off || !local || !is_neighbour(local, to)) {
        frame_unref(frame);
        return IP_UNREACHABLE;
    }
    struct interface *out = way_out(host, local);

    if (frame_packet_bytes(frame) > nic_mtu_bytes(out->nic)) {
        frame_unref(frame);
        return IP_TOO_BIG;
    }
    fill_ipv4(host, frame, from, to);
    if (!nic_has_carrier(out->nic)) {
        nic_send(out->nic, frame); /* which counts it */
        return IP_NO_CARRIER;
    }
    const struct mac_addr *mac = arp_cache_find(&host->arp, out->index, to, from);

    if (!mac) {
        arp_cache_wait(&host->arp, out->index, to, from, frame);
        return IP_SENT;
    }
    bool has_room = nic_room(out->nic) > 0;

    send_to(out, frame, *mac);
    return has_room ? IP_SENT : IP_NO_ROOM;
}

uint32_t ip_host_room(struct ip_host *host, uint32_t from)
{
    const struct address *local = find_local(host, from);

    return local ? nic_room(way_out(host, local)->nic) : 0;
}

void ip_host_confirm(struct ip_host *host, uint32_t from, uint32_t to)
{
    const struct address *local = find_local(host, from);

    if (local)
        arp_cache_confirm(&host->arp, way_out(host, local)->index, to);
}

/* -- Ping ------------------------------------------------------------------------------------ */

void ip_host_ping(struct ip_host *host, struct ip_ping *ping)
{
    static const enum ping_result results[] = {
        [IP_SENT] = PING_TIMEOUT,
        [IP_NO_ROOM] = PING_TIMEOUT,
        [IP_NO_CARRIER] = PING_NO_CARRIER,
        [IP_TOO_BIG] = PING_TOO_BIG,
        [IP_UNREACHABLE] = PING_UNREACHABLE,
    };
    struct frame *request = ip_pings_add(&host->pings, ping);
    enum ip_sent sent = IP_TOO_BIG;

    if (request)
        sent = ip_host_send(host, request, ping->from, ping->to);
    ip_pings_expect(&host->pings, ping, results[sent]);
}

void ip_host_ping_cancel(struct ip_host *host, struct ip_ping *ping)
{
    ip_pings_cancel(&host->pings, ping);
}

/* -- Receiving ------------------------------------------------------------------------------- */

/* Each returns what the frame was dropped for; DROP_REASON_COUNT: it was used. */
static enum drop_reason take_icmp(struct ip_host *host, const struct frame *frame, uint32_t from,
                                  uint32_t to)
{
    const uint8_t *icmp = frame_transport(frame);

    if (frame->transport_bytes != ICMP_BYTES)
        return DROP_MALFORMED;
    if (icmp[1] == 0 && icmp[0] == ICMP_ECHO_REQUEST)
        ip_host_send(host, ip_ping_answer(host->wire->pool, frame), to, from);
    else if (icmp[1] == 0 && icmp[0] == ICMP_ECHO_REPLY)
        ip_pings_take_reply(&host->pings, frame, from, to);
    else
        return DROP_UNKNOWN;
    return DROP_REASON_COUNT;
}

static enum drop_reason check_ipv4(const struct interface *interface, const struct frame *frame)
{
    if (frame->network_bytes < IPV4_BYTES)
        return DROP_MALFORMED;
    if (!frame_checksums_are_good(frame))
        return DROP_BAD_CHECKSUM;
    uint32_t from = get_be32(frame_network(frame) + 12);
    const struct address *local = find_local(interface->host, get_be32(frame_network(frame) + 16));

    if (!local || (local->interface != interface && interface->host->rules.model == HOST_STRONG))
        return DROP_NOT_MINE;
    if (!is_neighbour(local, from)) /* there are no routers, so nobody else can have sent it */
        return DROP_MALFORMED;
    return is_reverse_path_bad(interface, from) ? DROP_REVERSE_PATH : DROP_REASON_COUNT;
}

/* A socket that is bound to one NIC does not see what comes by another. */
static bool is_astray(const struct interface *interface, uint32_t to)
{
    const struct ip_rules *rules = &interface->host->rules;

    return rules->model == HOST_WEAK && rules->binding == BOUND_TO_NIC &&
           find_local(interface->host, to)->interface != interface;
}

static void take_ipv4(struct interface *interface, struct frame *frame)
{
    struct ip_host *host = interface->host;
    enum drop_reason reason = check_ipv4(interface, frame);
    uint32_t from = get_be32(frame_network(frame) + 12);
    uint32_t to = get_be32(frame_network(frame) + 16);

    if (reason == DROP_REASON_COUNT) {
        if (frame->protocol == PROTOCOL_TCP && host->user) {
            if (frame->transport_bytes >= TCP_BYTES) {
                host->user->ops->on_tcp(host->user, frame, from, to, is_astray(interface, to));
                return;
            }
            reason = DROP_MALFORMED;
        } else if (frame->protocol == PROTOCOL_ICMP) {
            reason = take_icmp(host, frame, from, to);
        } else {
            reason = DROP_UNKNOWN;
        }
    }
    if (reason == DROP_REASON_COUNT)
        frame_unref(frame);
    else
        nic_drop_received(interface->nic, reason, frame);
}

static struct interface *interface_of(struct nic_user *user)
{
    return CONTAINER_OF(user, struct interface, user);
}

static void on_frame(struct nic_user *user, struct nic *nic, struct frame *frame)
{
    if (interface_of(user)->host->is_off) {
        nic_drop_received(nic, DROP_POWERED_OFF, frame);
    } else if (frame->ethertype == ETHERTYPE_IPV4) {
        take_ipv4(interface_of(user), frame);
    } else if (frame->ethertype == ETHERTYPE_ARP) {
        take_arp(interface_of(user), frame);
        frame_unref(frame);
    } else {
        nic_drop_received(nic, DROP_UNKNOWN, frame);
    }
}

static void on_room(struct nic_user *user, struct nic *nic)
{
    struct ip_host *host = interface_of(user)->host;

    if (host->user)
        host->user->ops->on_room(host->user, nic);
}

static void on_carrier(struct nic_user *user, struct nic *nic, bool is_up)
{
    struct interface *interface = interface_of(user);
    struct ip_host *host = interface->host;

    if (is_up && !host->is_off)
        announce(interface);
    else
        arp_cache_forget(&host->arp, interface->index);
    if (host->user)
        host->user->ops->on_carrier(host->user, nic, is_up);
}

/* The same addresses, behind another port of the switches. */
static void on_moved(struct nic_user *user, struct nic *nic)
{
    struct interface *interface = interface_of(user);

    if (nic_is_up(nic) && !interface->host->is_off)
        announce(interface);
}

/* -- Life cycle, addresses --------------------------------------------------------------------- */

struct ip_host *ip_host_new(struct wire *wire, const char *name, const struct ip_options *options)
{
    static const struct arp_cache_ops arp_ops = {
        .send_request = send_request,
        .send_frame = send_waiting,
        .drop_frame = drop_waiting,
        .on_unreachable = tell_unreachable,
    };
    struct ip_options o = options ? *options : (struct ip_options){0};
    struct arp_config arp = {
        .retry_ns = o.arp_retry_ns ? o.arp_retry_ns : DEFAULT_ARP_RETRY,
        .tries = o.arp_tries ? o.arp_tries : DEFAULT_ARP_TRIES,
        .reachable_ns = o.arp_reachable_ns ? o.arp_reachable_ns : DEFAULT_REACHABLE,
        .waiting_frames = o.arp_queue_frames ? o.arp_queue_frames : DEFAULT_ARP_QUEUE,
        .entries = o.arp_entries ? o.arp_entries : DEFAULT_ARP_ENTRIES,
    };
    struct ip_host *host = mem_new(sizeof(*host));

    *host = (struct ip_host){.wire = wire,
                             .name = mem_text(name),
                             .pings = {.clock = wire->clock, .pool = wire->pool},
                             .ttl = o.ttl ? o.ttl : (uint8_t)DEFAULT_TTL,
                             .rules = o.rules,
                             .is_routed =
                                 o.rules.model == HOST_WEAK && o.rules.binding == BOUND_TO_ADDRESS};
    arp_cache_init(&host->arp, wire->clock, &arp_ops, &arp);
    return host;
}

void ip_host_free(struct ip_host *host)
{
    if (!host)
        return;
    ip_host_reset(host);
    for (uint32_t i = 0; i < host->interface_count; i++) {
        nic_set_user(host->interfaces[i]->nic, NULL);
        free(host->interfaces[i]);
    }
    free(host->interfaces);
    free(host->addresses);
    free(host->name);
    free(host);
}

void ip_host_reset(struct ip_host *host)
{
    ip_pings_cancel_all(&host->pings);
    arp_cache_fini(&host->arp);
}

void ip_host_power_off(struct ip_host *host)
{
    host->is_off = true;
    ip_host_reset(host);
}

void ip_host_power_on(struct ip_host *host)
{
    host->is_off = false;
    for (uint32_t i = 0; i < host->interface_count; i++)
        if (nic_is_up(host->interfaces[i]->nic))
            announce(host->interfaces[i]);
}

void ip_host_set_tcp(struct ip_host *host, struct ip_user *user)
{
    host->user = user;
}

const char *ip_host_name(const struct ip_host *host)
{
    return host->name;
}

struct pool *ip_host_pool(const struct ip_host *host)
{
    return host->wire->pool;
}

struct clock *ip_host_clock(const struct ip_host *host)
{
    return host->wire->clock;
}

struct trace *ip_host_trace(const struct ip_host *host)
{
    return host->wire->trace;
}

uint64_t ip_host_seed(const struct ip_host *host)
{
    return host->wire->seed;
}

enum plant ip_host_planted(const struct ip_host *host)
{
    return host->wire->planted;
}

static struct interface *interface_for(struct ip_host *host, struct nic *nic)
{
    static const struct nic_user_ops ops = {
        .on_frame = on_frame, .on_room = on_room, .on_carrier = on_carrier, .on_moved = on_moved};

    for (uint32_t i = 0; i < host->interface_count; i++)
        if (host->interfaces[i]->nic == nic)
            return host->interfaces[i];
    struct interface *interface = mem_new(sizeof(*interface));

    *interface = (struct interface){
        .user = {.ops = &ops}, .host = host, .nic = nic, .index = host->interface_count};
    host->interfaces =
        mem_resize(host->interfaces, host->interface_count + (size_t)1, sizeof(struct interface *));
    host->interfaces[host->interface_count++] = interface;
    nic_set_user(nic, &interface->user);
    return interface;
}

void ip_host_add_address(struct ip_host *host, struct nic *nic, uint32_t address,
                         unsigned prefix_bits)
{
    assert(prefix_bits <= 32);
    assert(address != 0);
    assert(!find_local(host, address));
    struct interface *interface = interface_for(host, nic);

    host->addresses =
        mem_resize(host->addresses, host->address_count + (size_t)1, sizeof(*host->addresses));
    host->addresses[host->address_count++] = (struct address){
        .address = address,
        .mask = prefix_bits ? UINT32_MAX << (32 - prefix_bits) : 0,
        .interface = interface,
    };
}

struct nic *ip_host_nic(const struct ip_host *host, uint32_t address)
{
    const struct address *local = find_local(host, address);

    return local ? way_out(host, local)->nic : NULL;
}

bool ip_host_is_routed(const struct ip_host *host)
{
    return host->is_routed;
}

bool ip_host_is_local(const struct ip_host *host, uint32_t address)
{
    return find_local(host, address) != NULL;
}

uint32_t ip_host_mtu_bytes(const struct ip_host *host, uint32_t from)
{
    const struct address *local = find_local(host, from);

    return local ? nic_mtu_bytes(way_out(host, local)->nic) : 0;
}

uint32_t ip_host_address_of(const struct ip_host *host, const struct nic *nic, size_t index)
{
    for (uint32_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].interface->nic == nic && index-- == 0)
            return host->addresses[i].address;
    return 0;
}

size_t ip_host_waiting_frames(const struct ip_host *host)
{
    return host->arp.waiting;
}

uint64_t ip_host_unreachable_frames(const struct ip_host *host)
{
    return host->unreachable_frames;
}
