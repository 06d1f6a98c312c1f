/* A socket that a cable may be plugged into: of a NIC or of a switch.
 *
 * It transmits through its link and hands what arrives to its owner. Whether it has carrier follows
 * from both ends and the cable; nobody sets it. Faults are layers, counted.
 */
#pragma once

#include "sim/net/link.h"

struct cable;
struct port;
struct port_ops {
    /* Takes ownership of 'frame'; the port is neither frozen nor without carrier. */
    void (*on_frame)(struct port *port, struct frame *frame);
    void (*on_room)(struct port *port); /* after link_want_room(); may be NULL */
    void (*on_carrier)(struct port *port, bool is_up);
};

struct port {
    const struct port_ops *ops;
    struct wire *wire;
    char *name;  /* owned */
    uint32_t id; /* unique in the fabric */
    struct link tx;
    struct cable *cable; /* borrowed; NULL: nothing is plugged in, ever */
    struct port *peer;   /* the other end's, with 'cable' */
    bool is_powered;     /* its owner has power and has booted */
    bool has_carrier;
    uint32_t disabled;                /* layers */
    uint32_t frozen[DIRECTION_COUNT]; /* layers */
    uint64_t received;                /* frames that arrived */
    uint64_t received_bytes;
    uint64_t dropped[DROP_REASON_COUNT]; /* of those, here and at once */
};

/* Life cycle. 'name' is copied. */
void port_init(struct port *port, struct wire *wire, const char *name, const struct port_ops *ops,
               const struct link_config *config);
void port_fini(struct port *port);

/* Takes ownership of 'frame'. */
void port_send(struct port *port, struct frame *frame, int64_t eligible_ns);
/* Drops a frame that arrived here, and counts it. Takes ownership. */
void port_drop_received(struct port *port, enum drop_reason reason, struct frame *frame);

/* Does it shine light into its cable? */
static inline bool port_is_lit(const struct port *port)
{
    return port->is_powered && port->disabled == 0;
}

/* Changes; each settles the carrier at both ends. */
void port_set_powered(struct port *port, bool is_powered); /* false: its queue is lost */
void port_disable(struct port *port);
void port_enable(struct port *port);
void port_freeze(struct port *port, enum direction direction);
void port_thaw(struct port *port, enum direction direction);

/* Frames dropped here for 'reason', both directions; DROP_REASON_COUNT: for any. */
uint64_t port_dropped(const struct port *port, enum drop_reason reason);
