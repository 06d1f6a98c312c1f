/* Frames as bytes and back. One function finds the headers in raw bytes; reading, filling in
 * checksums and verifying them all go by what it found. */
#include "sim/net/frame_codec.h"

#include "sim/core/bytes.h"

#include <string.h>

#define IPV4_MORE_FRAGMENTS  0x2000u
#define IPV4_FRAGMENT_OFFSET 0x1fffu

/* Where the headers of an Ethernet frame are. */
struct layout {
    uint16_t ethertype;
    size_t network_at;
    size_t network_bytes;   /* 0: neither IPv4 nor ARP, or none that makes sense */
    size_t transport_bytes; /* 0: not understood */
    uint8_t protocol;
    size_t end; /* of the packet; padding follows */
};

static size_t tcp_header_bytes(const uint8_t *tcp, size_t bytes)
{
    size_t header_bytes = bytes >= TCP_BYTES ? (size_t)(tcp[12] >> 4) * 4 : 0;

    return header_bytes >= TCP_BYTES && header_bytes <= bytes ? header_bytes : 0;
}

static size_t transport_header_bytes(uint8_t protocol, const uint8_t *transport, size_t bytes)
{
    switch (protocol) {
    case PROTOCOL_TCP:
        return tcp_header_bytes(transport, bytes);
    case PROTOCOL_UDP:
        return bytes >= UDP_BYTES && get_be16(transport + 4) >= UDP_BYTES &&
                       get_be16(transport + 4) <= bytes
                   ? UDP_BYTES
                   : 0;
    case PROTOCOL_ICMP:
        return bytes >= ICMP_BYTES ? ICMP_BYTES : 0;
    default:
        return 0;
    }
}

/* RFC 791, 3.1. */
static void find_ipv4(const uint8_t *bytes, size_t byte_count, struct layout *layout)
{
    const uint8_t *ip = bytes + layout->network_at;
    size_t left = byte_count - layout->network_at;

    if (left < IPV4_BYTES || ip[0] >> 4 != 4)
        return;
    size_t header_bytes = (size_t)(ip[0] & 0x0f) * 4;
    size_t total_bytes = get_be16(ip + 2);

    if (header_bytes < IPV4_BYTES || total_bytes < header_bytes || total_bytes > left)
        return;
    layout->network_bytes = header_bytes;
    layout->protocol = ip[9];
    layout->end = layout->network_at + total_bytes;
    if ((get_be16(ip + 6) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) == 0)
        layout->transport_bytes =
            transport_header_bytes(ip[9], ip + header_bytes, total_bytes - header_bytes);
}

static struct layout find_headers(const uint8_t *bytes, size_t byte_count)
{
    struct layout layout = {.network_at = ETHERNET_BYTES, .end = byte_count};

    layout.ethertype = get_be16(bytes + 12);
    if (layout.ethertype == ETHERTYPE_VLAN && byte_count >= FRAME_NETWORK_AT) {
        layout.network_at = FRAME_NETWORK_AT;
        layout.ethertype = get_be16(bytes + 16);
    }
    if (layout.ethertype == ETHERTYPE_IPV4) {
        find_ipv4(bytes, byte_count, &layout);
    } else if (layout.ethertype == ETHERTYPE_ARP && byte_count >= layout.network_at + ARP_BYTES) {
        layout.network_bytes = ARP_BYTES;
        layout.end = layout.network_at + ARP_BYTES;
    }
    return layout;
}

uint64_t internet_sum(uint64_t sum, const uint8_t *bytes, size_t byte_count)
{
    /* Words in the host's order: the sum does not care (RFC 1071, 2.B), as long as it is stored in
     * the host's order, too. */
    for (; byte_count >= 4; byte_count -= 4, bytes += 4) {
        uint32_t word;

        memcpy(&word, bytes, 4);
        sum += word;
    }
    if (byte_count > 0) {
        uint8_t rest[4] = {0};
        uint32_t word;

        memcpy(rest, bytes, byte_count);
        memcpy(&word, rest, 4);
        sum += word;
    }
    return (sum & UINT32_MAX) + (sum >> 32);
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void internet_checksum_put(uint8_t *ret_bytes, uint64_t sum)
{
    uint16_t checksum = (uint16_t)~fold(sum);

    memcpy(ret_bytes, &checksum, 2);
}

/* RFC 9293, 3.1: addresses, zero, protocol, length of TCP header and data. */
static uint64_t pseudo_header_sum(const uint8_t *ip, uint8_t protocol, size_t bytes)
{
    uint8_t pseudo[12];

    memcpy(pseudo, ip + 12, 8);
    pseudo[8] = 0;
    pseudo[9] = protocol;
    put_be16(pseudo + 10, (uint16_t)bytes);
    return internet_sum(0, pseudo, sizeof(pseudo));
}

/* The sum over the transport header and what follows it, with pseudo header where there is one. */
static uint64_t transport_sum(const uint8_t *bytes, const struct layout *layout)
{
    const uint8_t *ip = bytes + layout->network_at;
    const uint8_t *transport = ip + layout->network_bytes;
    size_t byte_count = layout->end - layout->network_at - layout->network_bytes;
    uint64_t sum = 0;

    if (layout->protocol == PROTOCOL_UDP)
        byte_count = get_be16(transport + 4);
    if (layout->protocol != PROTOCOL_ICMP)
        sum = pseudo_header_sum(ip, layout->protocol, byte_count);
    return internet_sum(sum, transport, byte_count);
}

/* Where the transport's checksum stands in its header. */
static size_t checksum_at(uint8_t protocol)
{
    return protocol == PROTOCOL_TCP ? 16 : protocol == PROTOCOL_UDP ? 6 : 2;
}

static void fill_checksums(uint8_t *bytes, const struct layout *layout)
{
    if (layout->ethertype != ETHERTYPE_IPV4 || layout->network_bytes == 0)
        return;
    uint8_t *ip = bytes + layout->network_at;

    memset(ip + 10, 0, 2);
    internet_checksum_put(ip + 10, internet_sum(0, ip, layout->network_bytes));
    if (layout->transport_bytes == 0)
        return;
    uint8_t *checksum = ip + layout->network_bytes + checksum_at(layout->protocol);

    memset(checksum, 0, 2);
    internet_checksum_put(checksum, transport_sum(bytes, layout));
    if (layout->protocol == PROTOCOL_UDP && get_be16(checksum) == 0)
        put_be16(checksum, 0xffff); /* RFC 768: zero means that there is none */
}

static bool are_good(const uint8_t *bytes, const struct layout *layout)
{
    if (layout->ethertype != ETHERTYPE_IPV4 || layout->network_bytes == 0)
        return true;
    const uint8_t *ip = bytes + layout->network_at;

    if (fold(internet_sum(0, ip, layout->network_bytes)) != 0xffff)
        return false;
    if (layout->transport_bytes == 0)
        return true;
    if (layout->protocol == PROTOCOL_UDP && get_be16(ip + layout->network_bytes + 6) == 0)
        return true;
    return fold(transport_sum(bytes, layout)) == 0xffff;
}

static void copy_out(const struct frame *frame, uint8_t *ret_bytes)
{
    uint32_t header_bytes = frame_header_bytes(frame);

    memcpy(ret_bytes, frame->headers + frame->start, header_bytes);
    buf_read(frame->payload, 0, ret_bytes + header_bytes, frame->payload_bytes);
}

static struct layout layout_of(const struct frame *frame)
{
    return (struct layout){
        .ethertype = frame->ethertype,
        .network_at = FRAME_NETWORK_AT - frame->start,
        .network_bytes = frame->network_bytes,
        .transport_bytes = frame->transport_bytes,
        .protocol = frame->protocol,
        .end = frame_bytes(frame),
    };
}

void frame_write(const struct frame *frame, uint8_t *ret_bytes)
{
    struct layout layout = layout_of(frame);

    copy_out(frame, ret_bytes);
    if (!frame->has_checksums)
        fill_checksums(ret_bytes, &layout);
}

/* The sum over the first bytes of a chain; a slice that begins at an odd byte counts with its
 * bytes swapped (RFC 1071, 2.B). */
static uint64_t chain_sum(const struct buf *chain, size_t byte_count)
{
    bool is_odd = false;
    uint64_t sum = 0;

    for (; chain && byte_count > 0; chain = chain->next) {
        size_t bytes = chain->bytes < byte_count ? chain->bytes : byte_count;
        uint16_t part = fold(internet_sum(0, buf_data(chain), bytes));

        sum += is_odd ? (uint16_t)(part << 8 | part >> 8) : part;
        is_odd ^= bytes & 1;
        byte_count -= bytes;
    }
    return sum;
}

/* fill_checksums() without the payload in one piece. */
static void fill_header_checksums(const struct frame *frame, uint8_t *ip)
{
    uint8_t *transport = ip + frame->network_bytes;
    size_t byte_count = (size_t)frame->transport_bytes + frame->payload_bytes;
    uint64_t sum = 0;

    memset(ip + 10, 0, 2);
    internet_checksum_put(ip + 10, internet_sum(0, ip, frame->network_bytes));
    if (frame->transport_bytes == 0)
        return;
    uint8_t *checksum = transport + checksum_at(frame->protocol);

    memset(checksum, 0, 2);
    if (frame->protocol == PROTOCOL_UDP)
        byte_count = get_be16(transport + 4);
    if (frame->protocol != PROTOCOL_ICMP)
        sum = pseudo_header_sum(ip, frame->protocol, byte_count);
    sum = internet_sum(sum, transport, frame->transport_bytes);
    sum += chain_sum(frame->payload, byte_count - frame->transport_bytes);
    internet_checksum_put(checksum, sum);
    if (frame->protocol == PROTOCOL_UDP && get_be16(checksum) == 0)
        put_be16(checksum, 0xffff); /* RFC 768: zero means that there is none */
}

uint32_t frame_write_headers(const struct frame *frame, uint8_t ret_bytes[FRAME_HEADERS_MOST])
{
    uint32_t header_bytes = frame_header_bytes(frame);

    memcpy(ret_bytes, frame->headers + frame->start, header_bytes);
    if (!frame->has_checksums && frame->ethertype == ETHERTYPE_IPV4 && frame->network_bytes > 0)
        fill_header_checksums(frame, ret_bytes + FRAME_NETWORK_AT - frame->start);
    return header_bytes;
}

/* The frame with its headers; '*ret_payload_at' to '*ret_end' is what follows them. */
static struct frame *read_headers(struct pool *pool, const uint8_t *bytes, size_t byte_count,
                                  size_t *ret_payload_at, size_t *ret_end)
{
    if (byte_count < ETHERNET_BYTES || byte_count > FRAME_MOST_BYTES)
        return NULL;
    struct layout layout = find_headers(bytes, byte_count);
    size_t header_bytes = layout.network_at + layout.network_bytes + layout.transport_bytes;
    struct frame *frame = frame_new(pool);

    frame->start = (uint8_t)(FRAME_NETWORK_AT - layout.network_at);
    frame->ethertype = layout.ethertype;
    frame->network_bytes = (uint8_t)layout.network_bytes;
    frame->protocol = layout.protocol;
    frame->transport_bytes = (uint8_t)layout.transport_bytes;
    frame->has_checksums = true;
    memcpy(frame->headers + frame->start, bytes, header_bytes);
    *ret_payload_at = header_bytes;
    *ret_end = layout.end;
    return frame;
}

struct frame *frame_read(struct pool *pool, const uint8_t *bytes, size_t byte_count)
{
    size_t at = 0, end = 0;
    struct frame *frame = read_headers(pool, bytes, byte_count, &at, &end);

    if (frame)
        frame_set_payload(frame, buf_copy(pool, bytes + at, end - at));
    return frame;
}

struct frame *frame_read_chunk(struct chunk *chunk, size_t byte_count)
{
    size_t at = 0, end = 0;

    assert(byte_count <= chunk->bytes);
    struct frame *frame = read_headers(chunk->pool, chunk->data, byte_count, &at, &end);

    if (frame && end > at)
        frame_set_payload(frame, buf_new(chunk_ref(chunk), (uint32_t)at, (uint32_t)(end - at)));
    return frame;
}

bool frame_checksums_are_good(const struct frame *frame)
{
    if (!frame->has_checksums)
        return true;
    struct chunk *flat = chunk_new(frame->pool, frame_bytes(frame));
    struct layout layout = layout_of(frame);

    copy_out(frame, flat->data);
    bool is_good = are_good(flat->data, &layout);
    chunk_unref(flat);
    return is_good;
}

static void flip_bit(uint8_t *bytes, size_t byte_count, uint64_t chance)
{
    uint64_t bit = chance % (byte_count * 8);

    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

struct frame *frame_damage(const struct frame *frame, uint64_t chance, bool is_repaired)
{
    uint32_t byte_count = frame_bytes(frame);
    uint32_t header_bytes = frame_header_bytes(frame);

    if (is_repaired && frame->payload_bytes == 0)
        return NULL;
    struct chunk *flat = chunk_new(frame->pool, byte_count);

    frame_write(frame, flat->data);
    if (is_repaired) {
        flip_bit(flat->data + header_bytes, frame->payload_bytes, chance);
        /* Looked for again: the bit may have made a packet of what was none. */
        struct layout layout = find_headers(flat->data, byte_count);

        fill_checksums(flat->data, &layout);
    } else {
        flip_bit(flat->data, byte_count, chance);
    }
    struct frame *damaged = frame_read(frame->pool, flat->data, byte_count);
    chunk_unref(flat);
    damaged->is_damaged = true;
    if (damaged->payload)
        damaged->payload->chunk->is_damaged = !buf_equal(damaged->payload, frame->payload);
    return damaged;
}

#define ARP_HARDWARE_ETHERNET 1u

void arp_write(uint8_t *ret_bytes, const struct arp *arp)
{
    put_be16(ret_bytes, ARP_HARDWARE_ETHERNET);
    put_be16(ret_bytes + 2, ETHERTYPE_IPV4);
    ret_bytes[4] = MAC_BYTES;
    ret_bytes[5] = 4;
    put_be16(ret_bytes + 6, arp->operation);
    mac_put(ret_bytes + 8, arp->sender_mac);
    put_be32(ret_bytes + 14, arp->sender_address);
    mac_put(ret_bytes + 18, arp->target_mac);
    put_be32(ret_bytes + 24, arp->target_address);
}

bool arp_read(const struct frame *frame, struct arp *ret_arp)
{
    const uint8_t *p = frame_network(frame);

    if (frame->ethertype != ETHERTYPE_ARP || frame->network_bytes != ARP_BYTES)
        return false;
    if (get_be16(p) != ARP_HARDWARE_ETHERNET || get_be16(p + 2) != ETHERTYPE_IPV4)
        return false;
    if (p[4] != MAC_BYTES || p[5] != 4)
        return false;
    if (get_be16(p + 6) != ARP_REQUEST && get_be16(p + 6) != ARP_REPLY)
        return false;
    *ret_arp = (struct arp){
        .operation = get_be16(p + 6),
        .sender_mac = mac_get(p + 8),
        .sender_address = get_be32(p + 14),
        .target_mac = mac_get(p + 18),
        .target_address = get_be32(p + 24),
    };
    return true;
}
