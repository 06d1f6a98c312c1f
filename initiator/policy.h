/* Which path the next I/O takes: the path policies of a multipath disk.
 *
 * A policy sees paths as slots, in list order, and chooses among those that the disk offers it. It
 * keeps what it needs to know: how much is in flight where, and whose turn it is.
 *
 *   fail-over-only     one path carries everything; the disk keeps the others in reserve
 *   round-robin        one request per path, in list order (DsmpGetPath; dm-ps-round-robin with
 *                      rr_min_io_rq 1)
 *   least-queue-depth  fewest requests in flight, ties to the first in the list (DsmpGetPath)
 *   service-time       fewest bytes in flight; ties to the one that was not chosen for longest, as
 *                      the chosen one goes to the tail of the list (dm-ps-service-time)
 */
#pragma once

#include "initiator/profile.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_MOST_SLOTS 32u

struct policy {
    enum mpath_policy kind;
    uint32_t next_slot;  /* round-robin: where the walk starts */
    uint64_t turn_count; /* choices made so far */
    struct policy_slot {
        uint32_t ios;       /* in flight */
        uint64_t bytes;     /* in flight */
        uint64_t last_turn; /* number of the choice that took it last */
    } slots[POLICY_MOST_SLOTS];
};

void policy_init(struct policy *policy, enum mpath_policy kind);
/* Does the disk keep one path active and the others in standby? */
bool policy_has_one_active(const struct policy *policy);

/* A slot out of 'candidates', a bit each and at least one. */
uint32_t policy_choose(struct policy *policy, uint32_t candidates);
/* An I/O goes out on a slot, and comes back from it. */
void policy_sent(struct policy *policy, uint32_t slot, uint32_t bytes);
void policy_returned(struct policy *policy, uint32_t slot, uint32_t bytes);
