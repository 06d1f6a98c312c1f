/* A TCP header (RFC 9293, 3.1) and its options as a struct in host order, and as bytes.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |          Source Port          |       Destination Port        |
 * |                        Sequence Number                        |
 * |                    Acknowledgment Number                      |
 * |  Data |       |C|E|U|A|P|R|S|F|                               |
 * | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
 * |       |       |R|E|G|K|H|T|N|N|                               |
 * |           Checksum            |         Urgent Pointer        |
 * |                           [Options]                           |
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_SACK_MOST 4u /* blocks in one segment; 3 beside timestamps */

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/* Bytes from 'left' up to, not including, 'right' have arrived (RFC 2018, 3). */
struct tcp_sack_block {
    uint32_t left;
    uint32_t right;
};

struct tcp_segment {
    uint32_t sn;  /* SEG.SEQ */
    uint32_t ack; /* SEG.ACK; counts if TCP_ACK is set */
    uint32_t payload_bytes;
    uint16_t window; /* as on the wire, not scaled */
    uint8_t flags;   /* of enum tcp_flag */
    bool has_timestamps;
    uint32_t ts_value; /* TSval, TSecr (RFC 7323, 3.2) */
    uint32_t ts_echo;
    uint16_t source_port;
    uint16_t destination_port;
    uint16_t mss; /* 0: no such option */
    bool has_window_scale;
    uint8_t window_shift; /* 0 to 14 (RFC 7323, 2.3: a larger one counts as 14) */
    bool is_sack_permitted;
    uint8_t sack_count;
    struct tcp_sack_block sack[TCP_SACK_MOST];
};

/* SEG.LEN: what it takes of the sequence space. */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
    return segment->payload_bytes + ((segment->flags & TCP_SYN) != 0) +
           ((segment->flags & TCP_FIN) != 0);
}

/* Bytes of the header with its options: 20 to 60. */
size_t tcp_segment_header_bytes(const struct tcp_segment *segment);
/* Bytes of a SACK option of so many blocks, padded; 0 for none. */
static inline uint32_t tcp_sack_option_bytes(uint32_t block_count)
{
    return block_count == 0 ? 0 : 4 + 8 * block_count;
}

/* Writes the header, with checksum and urgent pointer 0. 'ret_header' has
 * tcp_segment_header_bytes(). */
void tcp_segment_write(const struct tcp_segment *segment, uint8_t *ret_header);

/* Reads a header of 'header_bytes' (any bytes, of any origin) before 'payload_bytes' of data.
 * Unknown options are skipped; one that does not fit ends the options, what was read so far counts.
 * False: no TCP header. */
bool tcp_segment_read(const uint8_t *header, size_t header_bytes, uint32_t payload_bytes,
                      struct tcp_segment *ret_segment);

/* The RST that answers 'segment' where there is no connection for it (RFC 9293, 3.10.7.1). False:
 * it was a RST itself, which is never answered. */
bool tcp_segment_refuse(const struct tcp_segment *segment, struct tcp_segment *ret_reset);
