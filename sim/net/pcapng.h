/* Captures in pcapng (draft-ietf-opsawg-pcapng): what Wireshark and tshark open.
 *
 * One file holds many interfaces of two kinds: Ethernet for frames, and text for events, which
 * stand in the packet list in time order as syslog lines. Times are the simulated ones, in
 * nanoseconds since the start of the run. The writer never closes the file, and remembers the first
 * failure to write; the caller asks at the end.
 */
#pragma once

#include "sim/net/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_kind { PCAPNG_ETHERNET, PCAPNG_EVENTS };

struct pcapng {
    FILE *file;     /* borrowed */
    uint8_t *block; /* owned: the block being built */
    size_t block_bytes;
    size_t capacity;
    uint32_t interface_count;
    uint64_t written_bytes;
    bool has_failed;
    int error; /* errno of the first failure */
};

/* Writes the section header. */
void pcapng_init(struct pcapng *pcapng, FILE *file, const char *application);
void pcapng_fini(struct pcapng *pcapng);

/* Declares an interface and returns its number. */
uint32_t pcapng_add_interface(struct pcapng *pcapng, enum pcapng_kind kind, const char *name);

/* One packet of an Ethernet interface; 'comment' may be NULL. */
void pcapng_write_frame(struct pcapng *pcapng, uint32_t interface, int64_t at_ns, bool is_outbound,
                        const struct frame *frame, const char *comment);
/* One line of an event interface. */
void pcapng_write_event(struct pcapng *pcapng, uint32_t interface, int64_t at_ns, const char *text);

/* Flushes. False: something could not be written; '*ret_error' is the errno. */
bool pcapng_finish(struct pcapng *pcapng, int *ret_error);
