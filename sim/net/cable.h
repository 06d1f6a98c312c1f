/* A cable between two ports: length, rate, and who notices when one of its two strands is cut.
 *
 * Carrier of a port = both ends lit, and the light of the far end arrives. When the cable is
 * pulled, or an end goes dark, the frames in it are lost. Pulls are layers, per direction.
 */
#pragma once

#include "sim/net/port.h"

/* When light goes one way only, who loses carrier? */
enum cable_one_way {
    CABLE_BOTH_NOTICE,     /* the far end reports a remote fault (802.3, 46.3.4), or it is copper */
    CABLE_FAR_END_NOTICES, /* glass without fault signalling: the near end goes on sending */
    CABLE_NOBODY_NOTICES,  /* media converters or a provider's line: carrier stays at both ends */
};

struct cable_config {
    const char *name;        /* "hv1-1"; copied */
    struct port *ends[2];    /* borrowed, without a cable so far */
    int64_t rate_bits_per_s; /* 0: 10 Gbit/s */
    int64_t length_m;        /* 5 ns/m; 0: 5 m */
    int64_t delay_ns;        /* on top of the length's, for a provider's line */
    enum cable_one_way one_way;
};

struct cable {
    char *name; /* owned */
    struct port *ends[2];
    enum cable_one_way one_way;
    uint32_t pulls;   /* layers; each is among the cuts of both directions, too */
    uint32_t cuts[2]; /* layers, of the direction from ends[0] and from ends[1] */
};

/* Plugs it in at both ends. */
struct cable *cable_new(const struct cable_config *config);
void cable_free(struct cable *cable); /* the ports are still there, or both gone */

void cable_pull(struct cable *cable);
void cable_plug_in(struct cable *cable);
/* One strand: light from 'from' does not reach the other end. */
void cable_cut(struct cable *cable, const struct port *from);
void cable_mend(struct cable *cable, const struct port *from);

/* The transmitting link of the direction that begins at ends[end]. */
struct link *cable_link(struct cable *cable, unsigned end);
void cable_set_rate(struct cable *cable, int64_t rate_bits_per_s);

/* Works out carrier and passing at both ends again; tells who is concerned. */
void cable_settle(struct cable *cable);

/* Frames lost in the cable itself, both directions: without carrier, by loss, by damage. */
uint64_t cable_dropped(const struct cable *cable, enum drop_reason reason);
