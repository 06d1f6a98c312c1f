/* pcapng blocks (draft-ietf-opsawg-pcapng). Each is built in memory, in the byte order that its
 * section header announces: ours is little-endian on every machine, so that equal runs leave equal
 * files. */
#include "sim/net/pcapng.h"

#include "sim/core/mem.h"
#include "sim/net/frame_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Section 4.2, 4.1, 4.3. */
enum block_type { BLOCK_INTERFACE = 1, BLOCK_PACKET = 6, BLOCK_SECTION = 0x0a0d0d0a };

#define BYTE_ORDER_MAGIC 0x1a2b3c4du

enum option {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_INTERFACE_NAME = 2,       /* if_name */
    OPTION_PACKET_FLAGS = 2,         /* epb_flags */
    OPTION_APPLICATION = 4,          /* shb_userappl */
    OPTION_TIME_STAMP_RESOLUTION = 9 /* if_tsresol */
};

#define RESOLUTION_NS 9u /* 10^-9 s */
#define FLAG_INBOUND  1u
#define FLAG_OUTBOUND 2u

/* https://www.tcpdump.org/linktypes.html */
enum link_type { LINKTYPE_ETHERNET = 1, LINKTYPE_WIRESHARK_UPPER_PDU = 252 };

/* Tags in front of an upper PDU (Wireshark, epan/exported_pdu.h). */
enum { TAG_END = 0, TAG_DISSECTOR_NAME = 12 };
#define EVENT_DISSECTOR "syslog" /* shows its text in the packet list as it is */
#define EVENT_PRIORITY  "<134>"  /* facility local0, severity informational (RFC 5424, 6.2.1) */

static uint8_t *extend(struct pcapng *pcapng, size_t bytes)
{
    size_t needed = pcapng->block_bytes + bytes;

    if (needed > pcapng->capacity) {
        pcapng->capacity = needed * 2;
        pcapng->block = mem_resize(pcapng->block, pcapng->capacity, 1);
    }
    uint8_t *added = pcapng->block + pcapng->block_bytes;

    memset(added, 0, bytes);
    pcapng->block_bytes = needed;
    return added;
}

static void put_le16(struct pcapng *pcapng, uint32_t value)
{
    uint8_t *p = extend(pcapng, 2);

    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void store_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static void put_le32(struct pcapng *pcapng, uint32_t value)
{
    store_le32(extend(pcapng, 4), value);
}

static void pad(struct pcapng *pcapng)
{
    extend(pcapng, (4 - pcapng->block_bytes % 4) % 4);
}

static void put_option(struct pcapng *pcapng, enum option option, const void *value, size_t bytes)
{
    put_le16(pcapng, option);
    put_le16(pcapng, (uint32_t)bytes);
    memcpy(extend(pcapng, bytes), value, bytes);
    pad(pcapng);
}

static void put_text(struct pcapng *pcapng, enum option option, const char *text)
{
    size_t bytes = strlen(text);

    put_option(pcapng, option, text, bytes <= UINT16_MAX ? bytes : UINT16_MAX);
}

static void begin(struct pcapng *pcapng, enum block_type type)
{
    pcapng->block_bytes = 0;
    put_le32(pcapng, type);
    put_le32(pcapng, 0); /* the length, once it is known */
}

static void end(struct pcapng *pcapng)
{
    size_t bytes = pcapng->block_bytes + 4;

    store_le32(pcapng->block + 4, (uint32_t)bytes);
    put_le32(pcapng, (uint32_t)bytes);
    if (pcapng->has_failed)
        return;
    if (fwrite(pcapng->block, 1, bytes, pcapng->file) != bytes) {
        pcapng->has_failed = true;
        pcapng->error = errno;
    }
    pcapng->written_bytes += bytes;
}

void pcapng_init(struct pcapng *pcapng, FILE *file, const char *application)
{
    *pcapng = (struct pcapng){.file = file};
    begin(pcapng, BLOCK_SECTION);
    put_le32(pcapng, BYTE_ORDER_MAGIC);
    put_le16(pcapng, 1); /* version 1.0 */
    put_le16(pcapng, 0);
    put_le32(pcapng, UINT32_MAX); /* section length: not said */
    put_le32(pcapng, UINT32_MAX);
    put_text(pcapng, OPTION_APPLICATION, application);
    put_option(pcapng, OPTION_END, "", 0);
    end(pcapng);
}

void pcapng_fini(struct pcapng *pcapng)
{
    free(pcapng->block);
    pcapng->block = NULL;
}

uint32_t pcapng_add_interface(struct pcapng *pcapng, enum pcapng_kind kind, const char *name)
{
    static const uint16_t link_types[] = {
        [PCAPNG_ETHERNET] = LINKTYPE_ETHERNET,
        [PCAPNG_EVENTS] = LINKTYPE_WIRESHARK_UPPER_PDU,
    };
    uint8_t resolution = RESOLUTION_NS;

    begin(pcapng, BLOCK_INTERFACE);
    put_le16(pcapng, link_types[kind]);
    put_le16(pcapng, 0);
    put_le32(pcapng, 0); /* no snapshot limit */
    put_text(pcapng, OPTION_INTERFACE_NAME, name);
    put_option(pcapng, OPTION_TIME_STAMP_RESOLUTION, &resolution, 1);
    put_option(pcapng, OPTION_END, "", 0);
    end(pcapng);
    return pcapng->interface_count++;
}

/* Head of an enhanced packet block; returns where its 'bytes' of data go. */
static uint8_t *begin_packet(struct pcapng *pcapng, uint32_t interface, int64_t at_ns, size_t bytes)
{
    assert(interface < pcapng->interface_count);
    begin(pcapng, BLOCK_PACKET);
    put_le32(pcapng, interface);
    put_le32(pcapng, (uint32_t)((uint64_t)at_ns >> 32));
    put_le32(pcapng, (uint32_t)at_ns);
    put_le32(pcapng, (uint32_t)bytes); /* captured, */
    put_le32(pcapng, (uint32_t)bytes); /* and on the wire */
    return extend(pcapng, bytes);
}

void pcapng_write_frame(struct pcapng *pcapng, uint32_t interface, int64_t at_ns, bool is_outbound,
                        const struct frame *frame, const char *comment)
{
    uint8_t flags[4];

    frame_write(frame, begin_packet(pcapng, interface, at_ns, frame_bytes(frame)));
    pad(pcapng);
    if (comment)
        put_text(pcapng, OPTION_COMMENT, comment);
    store_le32(flags, is_outbound ? FLAG_OUTBOUND : FLAG_INBOUND);
    put_option(pcapng, OPTION_PACKET_FLAGS, flags, sizeof(flags));
    put_option(pcapng, OPTION_END, "", 0);
    end(pcapng);
}

/* A tag is in network byte order, and its value padded to a multiple of 4. */
static uint8_t *put_tag(uint8_t *p, uint16_t tag, uint16_t bytes)
{
    p[0] = (uint8_t)(tag >> 8);
    p[1] = (uint8_t)tag;
    p[2] = (uint8_t)(bytes >> 8);
    p[3] = (uint8_t)bytes;
    return p + 4;
}

void pcapng_write_event(struct pcapng *pcapng, uint32_t interface, int64_t at_ns, const char *text)
{
    static const char dissector[8] = EVENT_DISSECTOR;
    size_t priority_bytes = strlen(EVENT_PRIORITY);
    size_t text_bytes = strlen(text);
    uint8_t *p = begin_packet(pcapng, interface, at_ns,
                              4 + sizeof(dissector) + 4 + priority_bytes + text_bytes);

    p = put_tag(p, TAG_DISSECTOR_NAME, sizeof(dissector));
    memcpy(p, dissector, sizeof(dissector));
    p = put_tag(p + sizeof(dissector), TAG_END, 0);
    memcpy(p, EVENT_PRIORITY, priority_bytes);
    memcpy(p + priority_bytes, text, text_bytes); /* NOLINT: a length says where it ends */
    pad(pcapng);
    end(pcapng);
}

bool pcapng_finish(struct pcapng *pcapng, int *ret_error)
{
    if (!pcapng->has_failed && fflush(pcapng->file) != 0) {
        pcapng->has_failed = true;
        pcapng->error = errno;
    }
    if (pcapng->has_failed)
        *ret_error = pcapng->error;
    return !pcapng->has_failed;
}
