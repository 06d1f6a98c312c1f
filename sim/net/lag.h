/* Link aggregation: which of several links takes a frame, and from which frames are taken.
 *
 * One end of it: of a team of NICs, or of a group of switch ports. Its owner says which links are
 * up and brings the LACPDUs that arrive; it sends those that are due, and is told of changes.
 *
 *     mode                  frames leave by                     frames are taken from
 *     active-backup         the active link                     the active link
 *     switch-independent    all links that are up, by hash      the active link
 *     static                all links that are up, by hash      all links that are up
 *     lacp                  the distributing ones, by hash      the collecting ones
 *
 * The first two need nothing of a switch (Linux bonding mode 1; Windows "Switch Independent"), the
 * others a group of ports at one switch (Linux mode 2 and 4; Windows "Static Teaming" and "LACP").
 * The active link stays the active one until it fails; with 'fails_back' the first one takes over
 * again.
 *
 * LACP (802.1AX-2020, 6.4; machines of each link: lacp.h): links with the same partner and the same
 * key of it are one aggregator, and one aggregator carries frames: the one in use as long as any
 * link of it distributes, then the one with the most such links. So a team with a link to each of
 * two switches that are none for LACP uses one of them. Without any partner, an end that
 * 'may_be_alone' uses the first link as if there were no group (Linux bond_3ad.c: an individual
 * port); others use none.
 *
 * What a link hears of its partner is all that LACP notices: a link that is up and silent is used
 * for 3 s more (short timeouts) or 90 s (long), and one of static or active-backup for ever.
 */
#pragma once

#include "sim/net/lacp.h"
#include "sim/net/wire.h"

#include <stdbool.h>
#include <stdint.h>

#define LAG_MOST_LINKS 8u /* that carry frames at a time in the usual implementations */
#define LAG_NO_LINK    LAG_MOST_LINKS

/* The words of files are the names in the table above. */
enum lag_mode { LAG_ACTIVE_BACKUP, LAG_SWITCH_INDEPENDENT, LAG_STATIC, LAG_LACP };

/* What stays on one link, so that it stays in order (Linux, Documentation/networking/bonding.rst,
 * xmit_hash_policy): the formulas are those given there, without VLANs. */
enum lag_hash {
    LAG_HASH_LAYER2,  /* frames between two MAC addresses */
    LAG_HASH_LAYER23, /* and between two IPv4 addresses */
    LAG_HASH_LAYER34, /* of one TCP connection */
};

struct lag_config {
    enum lag_mode mode;
    enum lag_hash hash;
    bool fails_back;
    bool is_passive;        /* LACP: speaks only when spoken to */
    bool is_short;          /* LACP: wants a LACPDU every second, not every 30 seconds */
    bool may_be_alone;      /* LACP: goes on without a partner */
    struct mac_addr system; /* LACP: who this end is */
    uint16_t key;           /* LACP: which of its groups */
};

struct lag;
struct lag_ops {
    /* Sends a LACPDU by 'link'. Takes ownership of 'frame'. */
    void (*send)(struct lag *lag, unsigned link, struct frame *frame);
    /* The address that LACPDUs of 'link' come from. */
    struct mac_addr (*station)(struct lag *lag, unsigned link);
    /* Other links are used now, or none; from inside whatever call made it so. */
    void (*on_change)(struct lag *lag);
};

struct lag_link {
    struct lacp lacp;
    bool is_up;
};

struct lag {
    const struct lag_ops *ops;
    struct wire *wire; /* borrowed */
    struct lag_config config;
    unsigned link_count;
    unsigned active;  /* LAG_NO_LINK: none is up, or the mode has none */
    uint32_t senders; /* sets of links: bit 0 is the first */
    uint32_t takers;
    struct lacp_info partner; /* LACP: of the aggregator in use, if 'has_partner' */
    bool has_partner;
    struct timer timer;
    struct lag_link links[LAG_MOST_LINKS];
};

/* Life cycle, for a member of its owner; every link is down at first. 'ops' and 'wire' are
 * borrowed. */
void lag_init(struct lag *lag, const struct lag_ops *ops, struct wire *wire,
              const struct lag_config *config, unsigned link_count);
void lag_fini(struct lag *lag);

/* What the owner learns of a link. */
void lag_set_up(struct lag *lag, unsigned link, bool is_up);
/* A frame that arrived by 'link'; true: it was a LACPDU for us (kept by the caller all the same).
 */
bool lag_hear(struct lag *lag, unsigned link, const struct frame *frame);

/* May this frame be taken from 'link'? */
static inline bool lag_takes(const struct lag *lag, unsigned link)
{
    return (lag->takers >> link & 1) != 0;
}
/* The link that 'frame' leaves by; LAG_NO_LINK: there is none. */
unsigned lag_choose(const struct lag *lag, const struct frame *frame);

uint32_t lag_hash_of(enum lag_hash policy, const struct frame *frame);
