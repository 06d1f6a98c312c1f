/* Echo requests between two NICs of a topology, in virtual time, and where those end that get no
 * answer.
 */
#pragma once

#include "lab/scenario.h"

#include <stdint.h>
#include <stdio.h>

#define PING_MOST_BYTES 65507 /* what an IPv4 packet holds behind its header and ICMP's */

struct ping_options {
    const struct scenario *scenario; /* borrowed */
    uint32_t from_nic;               /* of the topology */
    uint32_t to_nic;
    uint32_t data_bytes;
    uint32_t count;
    int64_t timeout_ns;
};

/* Prints as ping does and returns the exit code: 0 if each request was answered, else 1. */
int ping_run(const struct ping_options *options, FILE *to);
