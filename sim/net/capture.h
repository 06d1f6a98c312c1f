/* A capture of the fabric in pcapng files: the tap that writes them.
 *
 * Interfaces, named as in the topology: for each NIC "hv1.iscsi1 out" and "hv1.iscsi1 in"; where
 * asked for, the same of switch ports, "switch-1.24 in" and "switch-1.24 out"; "dropped", where a
 * frame that was lost on its way appears once more, with a comment that says where and why; and
 * "events", for faults and path changes. What a fault damaged says so in a comment where it is
 * received.
 *
 * A NIC shows what its host's own capture would: frames as they enter the transmit queue and as the
 * host gets them. A switch port shows all that enters its egress queue and all that arrives.
 */
#pragma once

#include "sim/net/fabric.h"
#include "sim/net/pcapng.h"

/* A capture of several files: gives the next one, after the one before is full and flushed, or NULL
 * with errno set. The caller owns all files. */
struct capture_files {
    FILE *(*next)(struct capture_files *files);
};

/* All borrowed: 'ports' until capture_new() returns, 'files' until capture_free(). */
struct capture_config {
    const char *application; /* what wrote it: shb_userappl */
    FILE *file;              /* the first */
    /* Only these NICs and switch ports, as fabric_find_port() takes them, and what was dropped at
     * them. None: every NIC, and everything dropped. */
    const char *const *ports;
    size_t port_count;
    uint64_t rotate_bytes;       /* a new file when one holds so much; 0: never */
    struct capture_files *files; /* NULL unless 'rotate_bytes' */
};

struct capture;

/* Starts to capture: all NICs of 'fabric' exist, and all 'ports'. */
struct capture *capture_new(struct fabric *fabric, const struct capture_config *config);
/* A line on the "events" interface. */
void capture_event(struct capture *capture, int64_t at_ns, const char *text);
/* Stops, flushes and frees. False: a file is not whole; '*ret_error' is the errno. */
bool capture_free(struct capture *capture, int *ret_error);
