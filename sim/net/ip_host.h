/* IPv4 of one host over its NICs: addresses, ARP, ICMP echo, and the way to TCP.
 *
 * Whether an address belongs to its NIC (strong host) or to the host (weak host) is a setting: see
 * sim/core/ip_rules.h. The only routes are those to the networks that its NICs stand in; of several
 * to one network the first counts, as long as its NIC is enabled: one that merely lost carrier
 * keeps its route (Linux: ignore_routes_with_linkdown 0). Nothing is ever fragmented: each packet
 * has Don't Fragment set, and one above the NIC's MTU is refused to its sender.
 *
 * An ARP entry, each of a NIC and a neighbour's address:
 *
 *     (none) --send--> INCOMPLETE --reply--> REACHABLE --age, then send--> PROBING
 *                          |                     ^                            |  |
 *                      no reply                  '---------- reply -----------'  no reply
 *                          '---> (none), unreachable <---------------------------'
 *
 * INCOMPLETE keeps a few frames until the reply comes; PROBING goes on sending to the address it
 * knows. An ageing entry costs no event: its age is looked at when somebody sends.
 */
#pragma once

#include "sim/core/ip_rules.h"
#include "sim/core/net.h"
#include "sim/net/frame.h"
#include "sim/net/ip_ping.h"
#include "sim/net/nic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_host;

/* 0 in any member: the value in brackets. */
struct ip_options {
    int64_t arp_retry_ns;      /* between requests [1 s] */
    uint32_t arp_tries;        /* requests before the neighbour is unreachable [3] */
    int64_t arp_reachable_ns;  /* an entry is trusted so long after it was confirmed [30 s] */
    uint32_t arp_queue_frames; /* kept per unresolved neighbour; the oldest goes first [3] */
    uint32_t arp_entries;      /* at most so many neighbours are known [1024] */
    uint8_t ttl;               /* [64] */
    struct ip_rules rules;     /* [a strong host] */
};

/* What TCP hears. Calls come from the event loop, never from inside a call into ip_host. */
struct ip_user;
struct ip_user_ops {
    /* A TCP segment for a local address, checked as far as IPv4 goes: header and checksums are
     * good, frame->transport_bytes is the TCP header's length. 'is_astray': it came by another NIC
     * than the one that 'to' is bound to, so that no socket of 'to' may see it. Takes ownership of
     * 'frame'. */
    void (*on_tcp)(struct ip_user *user, struct frame *frame, uint32_t from, uint32_t to,
                   bool is_astray);
    /* ip_host_room() was 0 for some address of this NIC, and there is room again. */
    void (*on_room)(struct ip_user *user, const struct nic *nic);
    /* After the debounce. */
    void (*on_carrier)(struct ip_user *user, const struct nic *nic, bool is_up);
    /* Nobody answers for 'to' on the NIC that owns 'from'; what waited for it is lost. */
    void (*on_unreachable)(struct ip_user *user, uint32_t from, uint32_t to);
};
struct ip_user {
    const struct ip_user_ops *ops;
};

/* Life cycle. 'name' is copied; 'options' may be NULL. */
struct ip_host *ip_host_new(struct wire *wire, const char *name, const struct ip_options *options);
void ip_host_free(struct ip_host *host);
void ip_host_set_tcp(struct ip_host *host, struct ip_user *user); /* borrowed */

const char *ip_host_name(const struct ip_host *host);
struct pool *ip_host_pool(const struct ip_host *host);
struct clock *ip_host_clock(const struct ip_host *host);
struct trace *ip_host_trace(const struct ip_host *host);
uint64_t ip_host_seed(const struct ip_host *host);
enum plant ip_host_planted(const struct ip_host *host);

/* Gives 'nic' (borrowed; becomes its user) an address in a network of 'prefix_bits'. A NIC may have
 * several addresses; an address belongs to one NIC. */
void ip_host_add_address(struct ip_host *host, struct nic *nic, uint32_t address,
                         unsigned prefix_bits);
/* The NIC by which packets from 'address' leave; NULL: not a local address. */
struct nic *ip_host_nic(const struct ip_host *host, uint32_t address);
/* Which that is may change: a weak host without bindings. */
bool ip_host_is_routed(const struct ip_host *host);
bool ip_host_is_local(const struct ip_host *host, uint32_t address);
/* The MTU of the NIC by which 'from' leaves; TCP's MSS is this less 40. 0: not local. */
uint32_t ip_host_mtu_bytes(const struct ip_host *host, uint32_t from);
/* The addresses of 'nic', in the order of adding; returns 0 when 'index' is past the last one. */
uint32_t ip_host_address_of(const struct ip_host *host, const struct nic *nic, size_t index);

enum ip_sent {
    IP_SENT,        /* on its way, or waiting for ARP */
    IP_NO_ROOM,     /* the transmit queue is full: on_room comes */
    IP_NO_CARRIER,  /* the NIC has no link: the frame is gone, as on a cable that was pulled */
    IP_TOO_BIG,     /* above the NIC's MTU */
    IP_UNREACHABLE, /* 'from' is not local, or 'to' is in none of its networks */
};

/* Frames that may be sent from this address now. Asking at 0 orders an on_room. */
uint32_t ip_host_room(struct ip_host *host, uint32_t from);
/* Fills in the IPv4 and Ethernet headers of a frame built with frame_begin_ipv4() and sends it.
 * Takes ownership of 'frame', whatever comes out. */
enum ip_sent ip_host_send(struct ip_host *host, struct frame *frame, uint32_t from, uint32_t to);
/* TCP heard from 'to', so the neighbour is alive and needs no ARP (RFC 1122, 2.3.2.1, advice). */
void ip_host_confirm(struct ip_host *host, uint32_t from, uint32_t to);

/* Sends one echo request with Don't Fragment set. 'ping' (borrowed until on_done) has its first
 * members set. */
void ip_host_ping(struct ip_host *host, struct ip_ping *ping);
/* The caller goes away: on_done will not be called. Does nothing to a ping that is done. */
void ip_host_ping_cancel(struct ip_host *host, struct ip_ping *ping);

/* The host crashes or loses power: forgets neighbours, waiting frames and pings, whose on_done is
 * not called. */
void ip_host_reset(struct ip_host *host);
/* The same, and from now on it drops what its NICs take ('powered-off'), answers no ARP and sends
 * nothing, even if its NICs are lit; back, it announces its addresses. */
void ip_host_power_off(struct ip_host *host);
void ip_host_power_on(struct ip_host *host);

/* Frames that wait for ARP, and those that waited in vain (or were pushed out of its queue). */
size_t ip_host_waiting_frames(const struct ip_host *host);
uint64_t ip_host_unreachable_frames(const struct ip_host *host);
