/* A team of NICs (Windows: NIC Teaming; Linux: bonding): one interface over several NICs.
 *
 *                          +-- member NIC -- cable
 *     host -- team's NIC --+
 *                          +-- member NIC -- cable
 *
 * The team's NIC has address, MTU and user, and no cable; a frame costs no event between it and a
 * member. Which member sends and which is listened to says lag.h. Members lose their own user.
 *
 * Addresses: the members take that of the team's NIC, as in bonding; switch-independent, only the
 * active one has it and the others send with their own, so that no switch sees one address at two
 * ports. When the active member changes, the host announces its addresses (gratuitous ARP).
 *
 * What a team knows of a member's way is its carrier, and what LACP hears. A switch that keeps its
 * link up and forwards nothing stays in use.
 */
#pragma once

#include "sim/net/lag.h"
#include "sim/net/nic.h"

struct team;

struct team_config {
    struct nic *nic;            /* the team's, without a cable; borrowed as the next */
    struct nic *const *members; /* borrowed for the call; each has its cable, if any, and no user */
    unsigned member_count;      /* 1 to LAG_MOST_LINKS */
    struct lag_config lag;      /* 'system' is the team's address, whatever it says */
};

/* Life cycle: see fabric_add_team(). */
struct team *team_new(struct wire *wire, const struct team_config *config);
void team_free(struct team *team);

/* Members that frames leave by now: a set, bit 0 is the first. */
uint32_t team_senders(const struct team *team);
