/* One Ethernet frame on its way: real header bytes, and a payload that everybody shares.
 *
 *   headers   | room | Ethernet II | [802.1Q] | IPv4 or ARP | TCP, UDP or ICMP |
 *             0      4 (0: tagged)            18            18 + network_bytes
 *   payload   a chain of slices: what follows the headers
 *
 * The sender builds a frame while it holds the only reference; from the first port on it is
 * immutable and shared by reference, so that a hop or a flood copies nothing. All header fields are
 * in network order and true, except the checksums: they stay zero until someone can see them, as
 * checksum offload does. frame_codec.h writes a frame as bytes (with checksums) and reads it back.
 * A frame that once was bytes carries its checksums, and its receiver verifies them.
 */
#pragma once

#include "sim/core/buf.h"
#include "sim/net/mac_addr.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_BYTES     14u
#define VLAN_TAG_BYTES     4u
#define ARP_BYTES          28u /* for IPv4 over Ethernet */
#define IPV4_BYTES         20u /* without options */
#define IPV4_MOST_BYTES    60u
#define TCP_BYTES          20u /* without options */
#define TCP_MOST_BYTES     60u
#define UDP_BYTES          8u
#define ICMP_BYTES         8u /* echo: with identifier and sequence number */
#define FRAME_NETWORK_AT   18u
#define FRAME_STATE_BYTES  1024
#define FRAME_HEADERS_MOST (FRAME_NETWORK_AT + IPV4_MOST_BYTES + TCP_MOST_BYTES)
#define FRAME_MOST_BYTES   (ETHERNET_BYTES + VLAN_TAG_BYTES + 65535u)

/* Types of Ethernet II and protocols of IPv4, under their IANA names. */
enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_MAC_CONTROL = 0x8808,
};
enum ip_protocol { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

/* Read the members through the functions below where there is one. */
struct frame {
    struct pool *pool;
    struct buf *payload; /* owned; NULL: nothing follows the headers */
    const void *state;   /* where the connection is kept at the receiver (in a SYN: at the
                            sender), see frame_fetch_state() */
    uint64_t digest;     /* of headers and payload, once is_digested */
    uint32_t refs;
    uint32_t payload_bytes;
    uint16_t ethertype;      /* behind the tag, if there is one */
    uint8_t start;           /* where the Ethernet header begins: 4, or 0 with a tag */
    uint8_t network_bytes;   /* IPv4 20 to 60, ARP 28; 0: something else, all of it in payload */
    uint8_t protocol;        /* of IPv4, else 0 */
    uint8_t transport_bytes; /* TCP 20 to 60, UDP and ICMP 8; 0: not understood, or a fragment */
    bool is_digested;
    bool has_checksums; /* they are filled in: whoever receives the frame verifies them */
    bool is_damaged;    /* a fault flipped bits */
    bool is_fcs_bad; /* and the frame check sequence shows it: who waits for it drops the frame */
    uint8_t headers[FRAME_HEADERS_MOST];
};

/* An empty frame with one reference, from the run's pool: Ethernet header zeroed, untagged. */
struct frame *frame_new(struct pool *pool);
static inline struct frame *frame_ref(struct frame *frame)
{
    frame->refs++;
    return frame;
}
void frame_unref(struct frame *frame); /* NULL does nothing */
/* A frame of its own with the same headers; the payload is shared. */
struct frame *frame_copy(const struct frame *frame);

/* It is looked at soon: with many hosts it has left the cache since it was sent. */
static inline void frame_fetch(const struct frame *frame)
{
    __builtin_prefetch(frame);
    __builtin_prefetch(frame->headers + FRAME_NETWORK_AT);
}

/* It arrives soon: on the way into the cache is what its receiver looks at first. With many hosts
 * that left the cache long ago, and one simulator knows both ends. 'state' serves this alone: it is
 * never followed, so it may be out of date or NULL. */
static inline void frame_fetch_state(const struct frame *frame)
{
    for (int at = 0; at < FRAME_STATE_BYTES; at += 64)
        __builtin_prefetch((const char *)frame->state + at);
}

/* Its first 'depth' slices are in the cache: the chunks of those, and the slice behind them. */
static inline void frame_fetch_payload(const struct frame *frame, unsigned depth)
{
    const struct buf *slice = frame->payload;

    for (; slice && depth > 0; depth--) {
        __builtin_prefetch(slice->chunk);
        slice = slice->next;
    }
    if (slice)
        __builtin_prefetch(slice);
}

/* Building; only while the caller holds the one reference. */
/* Makes it an IPv4 packet without IP options, with a transport header of 'transport_bytes' (TCP: a
 * multiple of 4), and returns that header, zeroed, for the caller to fill. Addresses, lengths and
 * the Ethernet header follow in ip_host_send(). */
uint8_t *frame_begin_ipv4(struct frame *frame, enum ip_protocol protocol, size_t transport_bytes);
/* Makes it an ARP packet and returns its 28 bytes, zeroed. */
uint8_t *frame_begin_arp(struct frame *frame);
/* What follows the headers. Takes ownership of 'payload', which may be NULL. */
void frame_set_payload(struct frame *frame, struct buf *payload);
/* Destination, source and type; call it last. */
void frame_set_ethernet(struct frame *frame, struct mac_addr to, struct mac_addr from);

/* Reading. */
/* Bytes from destination address to the end of the payload; without padding and FCS. */
static inline uint32_t frame_header_bytes(const struct frame *frame)
{
    return FRAME_NETWORK_AT + frame->network_bytes + frame->transport_bytes - frame->start;
}
static inline uint32_t frame_bytes(const struct frame *frame)
{
    return frame_header_bytes(frame) + frame->payload_bytes;
}
/* What an MTU bounds: the bytes behind Ethernet header and tag. */
static inline uint32_t frame_packet_bytes(const struct frame *frame)
{
    return (uint32_t)frame->network_bytes + frame->transport_bytes + frame->payload_bytes;
}
static inline bool frame_is_tagged(const struct frame *frame)
{
    return frame->start == 0;
}
static inline const uint8_t *frame_ethernet(const struct frame *frame)
{
    return frame->headers + frame->start;
}
static inline struct mac_addr frame_to(const struct frame *frame)
{
    return mac_get(frame->headers + frame->start);
}
static inline struct mac_addr frame_from(const struct frame *frame)
{
    return mac_get(frame->headers + frame->start + MAC_BYTES);
}
/* The IPv4 or ARP header. */
static inline const uint8_t *frame_network(const struct frame *frame)
{
    return frame->headers + FRAME_NETWORK_AT;
}
/* The TCP, UDP or ICMP header: transport_bytes of it. */
static inline const uint8_t *frame_transport(const struct frame *frame)
{
    return frame->headers + FRAME_NETWORK_AT + frame->network_bytes;
}
/* The payload as a chain of the caller's own: the frame's itself if the caller holds the one
 * reference (it then has none left), else another one of the same bytes. */
struct buf *frame_take_payload(struct frame *frame);

/* The hash of header bytes and payload, computed once; only of a frame that no longer changes. */
uint64_t frame_digest(struct frame *frame);
