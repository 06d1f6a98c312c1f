/* Frames as bytes and back: for captures, for damage, for live ports and for the fuzzer.
 *
 * Writing fills in the checksums of IPv4, TCP, UDP and ICMP. Reading takes any bytes: what cannot
 * be understood stays opaque payload behind the last header that could be, for a switch forwards it
 * all the same. A frame that was read has its checksums, and frame_checksums_are_good() says
 * whether they are right.
 */
#pragma once

#include "sim/net/frame.h"

/* Writes frame_bytes() bytes to 'ret_bytes', checksums filled in unless the frame has its own. */
void frame_write(const struct frame *frame, uint8_t *ret_bytes);

/* The headers alone, checksums filled in unless the frame has its own: with the slices of the
 * payload behind them, what frame_write() writes. Returns how many bytes they are. */
uint32_t frame_write_headers(const struct frame *frame, uint8_t ret_bytes[FRAME_HEADERS_MOST]);

/* A frame of these bytes (without preamble, padding and FCS; padding behind an IPv4 or ARP packet
 * is cut off). NULL: shorter than an Ethernet header or longer than FRAME_MOST_BYTES. */
struct frame *frame_read(struct pool *pool, const uint8_t *bytes, size_t byte_count);

/* The same of the first 'byte_count' bytes of 'chunk'; the frame shares the bytes of its payload
 * instead of copying them. The chunk stays the caller's. */
struct frame *frame_read_chunk(struct chunk *chunk, size_t byte_count);

/* Of a frame with has_checksums: IPv4 header, and TCP, UDP or ICMP. True for what has none. */
bool frame_checksums_are_good(const struct frame *frame);

/* A copy of 'frame' with one bit flipped, as chosen by the random number 'chance'; flagged as
 * damaged. With 'is_repaired' the bit is one of the payload and all checksums are right again, so
 * that nobody below the payload's user can see it; NULL then, if the frame has no payload. */
struct frame *frame_damage(const struct frame *frame, uint64_t chance, bool is_repaired);

/* The Internet checksum (RFC 1071) of 'bytes' on top of 'sum', as two bytes in wire order; add
 * pieces of even length by internet_sum(). */
uint64_t internet_sum(uint64_t sum, const uint8_t *bytes, size_t byte_count);
void internet_checksum_put(uint8_t *ret_bytes, uint64_t sum);

/* An ARP packet for IPv4 over Ethernet (RFC 826). */
enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
    uint16_t operation; /* of enum arp_operation, once validated */
    struct mac_addr sender_mac;
    uint32_t sender_address;
    struct mac_addr target_mac;
    uint32_t target_address;
};

void arp_write(uint8_t *ret_bytes, const struct arp *arp);
/* False: not an ARP frame, or none of IPv4 over Ethernet, or an unknown operation. */
bool arp_read(const struct frame *frame, struct arp *ret_arp);
