/* TCP headers to bytes and back. */
#include "sim/net/tcp_segment.h"

#include "sim/core/bytes.h"

#include <assert.h>
#include <string.h>

#define HEADER_BYTES      20u
#define HEADER_MOST_BYTES 60u
#define WINDOW_SHIFT_MOST 14u /* RFC 7323, 2.3 */

/* Option kinds and lengths, as IANA lists them. */
enum option_kind {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WINDOW_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMPS = 8,
};
#define MSS_BYTES            4u
#define WINDOW_SCALE_BYTES   3u /* a NOP goes before it */
#define SACK_PERMITTED_BYTES 2u /* two NOPs before it, unless timestamps follow */
#define TIMESTAMPS_BYTES     10u

size_t tcp_segment_header_bytes(const struct tcp_segment *segment)
{
    size_t bytes = HEADER_BYTES;

    if (segment->mss != 0)
        bytes += MSS_BYTES;
    if (segment->is_sack_permitted)
        bytes += 2 + SACK_PERMITTED_BYTES;
    if (segment->has_timestamps)
        bytes += 2 + TIMESTAMPS_BYTES;
    if (segment->has_window_scale)
        bytes += 1 + WINDOW_SCALE_BYTES;
    return bytes + tcp_sack_option_bytes(segment->sack_count);
}

static uint8_t *put_option(uint8_t *p, size_t nops, enum option_kind kind, size_t bytes)
{
    memset(p, OPTION_NOP, nops);
    p += nops;
    p[0] = (uint8_t)kind;
    p[1] = (uint8_t)bytes;
    return p + 2;
}

/* Each option is padded in front to four bytes, so that numbers stand aligned (RFC 7323, A). */
static uint8_t *write_options(const struct tcp_segment *segment, uint8_t *p)
{
    if (segment->mss != 0) {
        p = put_option(p, 0, OPTION_MSS, MSS_BYTES);
        put_be16(p, segment->mss);
        p += 2;
    }
    if (segment->is_sack_permitted)
        p = put_option(p, 2, OPTION_SACK_PERMITTED, SACK_PERMITTED_BYTES);
    if (segment->has_timestamps) {
        p = put_option(p, 2, OPTION_TIMESTAMPS, TIMESTAMPS_BYTES);
        put_be32(p, segment->ts_value);
        put_be32(p + 4, segment->ts_echo);
        p += 8;
    }
    if (segment->has_window_scale) {
        p = put_option(p, 1, OPTION_WINDOW_SCALE, WINDOW_SCALE_BYTES);
        *p++ = segment->window_shift;
    }
    if (segment->sack_count > 0) {
        p = put_option(p, 2, OPTION_SACK, 2 + 8u * segment->sack_count);
        for (size_t i = 0; i < segment->sack_count; i++, p += 8) {
            put_be32(p, segment->sack[i].left);
            put_be32(p + 4, segment->sack[i].right);
        }
    }
    return p;
}

void tcp_segment_write(const struct tcp_segment *segment, uint8_t *ret_header)
{
    uint8_t *p = ret_header;
    size_t header_bytes = tcp_segment_header_bytes(segment);

    assert(segment->sack_count <= TCP_SACK_MOST);
    assert(header_bytes <= HEADER_MOST_BYTES);
    put_be16(p, segment->source_port);
    put_be16(p + 2, segment->destination_port);
    put_be32(p + 4, segment->sn);
    put_be32(p + 8, segment->ack);
    p[12] = (uint8_t)(header_bytes / 4 << 4);
    p[13] = segment->flags;
    put_be16(p + 14, segment->window);
    put_be32(p + 16, 0);
    p = write_options(segment, p + HEADER_BYTES);
    assert(p == ret_header + header_bytes);
}

/* One option that fits its length; one of a wrong length is ignored, as if unknown. */
static void read_option(uint8_t kind, const uint8_t *data, size_t data_bytes,
                        struct tcp_segment *segment)
{
    switch (kind) {
    case OPTION_MSS:
        if (data_bytes == 2 && (segment->flags & TCP_SYN))
            segment->mss = get_be16(data);
        break;
    case OPTION_WINDOW_SCALE:
        if (data_bytes == 1 && (segment->flags & TCP_SYN)) {
            segment->has_window_scale = true;
            segment->window_shift = data[0] > WINDOW_SHIFT_MOST ? WINDOW_SHIFT_MOST : data[0];
        }
        break;
    case OPTION_SACK_PERMITTED:
        if (data_bytes == 0 && (segment->flags & TCP_SYN))
            segment->is_sack_permitted = true;
        break;
    case OPTION_SACK:
        if (data_bytes % 8 != 0 || data_bytes / 8 > TCP_SACK_MOST)
            break;
        segment->sack_count = (uint8_t)(data_bytes / 8);
        for (size_t i = 0; i < segment->sack_count; i++)
            segment->sack[i] = (struct tcp_sack_block){.left = get_be32(data + 8 * i),
                                                       .right = get_be32(data + 8 * i + 4)};
        break;
    case OPTION_TIMESTAMPS:
        if (data_bytes == 8) {
            segment->has_timestamps = true;
            segment->ts_value = get_be32(data);
            segment->ts_echo = get_be32(data + 4);
        }
        break;
    default:
        break;
    }
}

static void read_options(const uint8_t *p, size_t bytes, struct tcp_segment *segment)
{
    while (bytes > 0 && p[0] != OPTION_END) {
        size_t here = 1;

        if (p[0] != OPTION_NOP) {
            if (bytes < 2 || p[1] < 2 || p[1] > bytes)
                return;
            here = p[1];
            read_option(p[0], p + 2, here - 2, segment);
        }
        p += here;
        bytes -= here;
    }
}

bool tcp_segment_read(const uint8_t *header, size_t header_bytes, uint32_t payload_bytes,
                      struct tcp_segment *ret_segment)
{
    if (header_bytes < HEADER_BYTES || header_bytes > HEADER_MOST_BYTES)
        return false;
    if ((size_t)(header[12] >> 4) * 4 != header_bytes)
        return false;

    *ret_segment = (struct tcp_segment){
        .source_port = get_be16(header),
        .destination_port = get_be16(header + 2),
        .sn = get_be32(header + 4),
        .ack = get_be32(header + 8),
        .flags = header[13],
        .window = get_be16(header + 14),
        .payload_bytes = payload_bytes,
    };
    const uint8_t *options = header + HEADER_BYTES;

    /* What nearly all segments carry, in its one usual form (RFC 7323, A). */
    if (header_bytes == HEADER_BYTES + 12 && get_be32(options) == 0x0101080a) {
        ret_segment->has_timestamps = true;
        ret_segment->ts_value = get_be32(options + 4);
        ret_segment->ts_echo = get_be32(options + 8);
    } else if (header_bytes > HEADER_BYTES) {
        read_options(options, header_bytes - HEADER_BYTES, ret_segment);
    }
    return true;
}

bool tcp_segment_refuse(const struct tcp_segment *segment, struct tcp_segment *ret_reset)
{
    if (segment->flags & TCP_RST)
        return false;
    *ret_reset = (struct tcp_segment){.source_port = segment->destination_port,
                                      .destination_port = segment->source_port,
                                      .flags = TCP_RST};
    if (segment->flags & TCP_ACK) {
        ret_reset->sn = segment->ack;
    } else {
        ret_reset->flags |= TCP_ACK;
        ret_reset->ack = segment->sn + tcp_segment_length(segment);
    }
    return true;
}
