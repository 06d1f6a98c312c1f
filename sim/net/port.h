/* A socket that a cable may be plugged into: of a NIC or of a switch.
 *
 * It transmits through its link and hands what arrives to its owner. Whether it has carrier follows
 * from both ends and the cable; nobody sets it. Faults are layers, counted.
 *
 * It also is the MAC control sublayer (802.3-2018, clause 31): PAUSE frames begin and end here, and
 * no owner ever sees one. A silence that was asked for is forgotten with the carrier.
 */
#pragma once

#include "sim/net/link.h"
#include "sim/net/pause.h"

struct cable;
struct port;
struct port_ops {
    /* Takes ownership of 'frame'; the port is neither frozen nor without carrier. */
    void (*on_frame)(struct port *port, struct frame *frame);
    void (*on_room)(struct port *port); /* after link_want_room(); may be NULL */
    void (*on_carrier)(struct port *port, bool is_up);
    void (*on_replanned)(struct port *port); /* as of struct link_ops; may be NULL */
    bool is_station;                         /* frames end here: a NIC's */
    /* Of a port without a cable: power or administration may have changed. May be NULL. */
    void (*on_lit)(struct port *port);
};

struct port {
    const struct port_ops *ops;
    struct wire *wire;
    char *name;  /* owned */
    uint32_t id; /* unique in the fabric */
    struct link tx;
    struct cable *cable; /* borrowed; NULL: nothing is plugged in, ever */
    struct port *peer;   /* the other end's, with 'cable' */
    bool faces_station;  /* 'peer' is one */
    bool is_powered;     /* its owner has power and has booted */
    bool has_carrier;
    uint32_t disabled;                /* layers */
    uint32_t frozen[DIRECTION_COUNT]; /* layers */
    struct impair impair;             /* of what arrives: losses in the port itself */
    uint32_t head_bytes; /* it takes a frame when so many bytes are in; 0: as a whole */
    enum flow_control flow_control;
    bool is_asking;         /* its peer is to be silent, until port_let_talk() */
    uint32_t storms;        /* layers: broken, it asks for silence without an end */
    struct timer ask_timer; /* asks again before the silence is over */
    uint64_t pauses_sent;   /* PAUSE frames, those that end a silence among them */
    uint64_t controls;      /* of the received, frames that were for MAC control */
    uint64_t lacpdus_sent;  /* its owner's, see lag.h */
    uint64_t lacpdus_heard; /* of the received, likewise */
    uint64_t received;      /* frames that arrived */
    uint64_t received_bytes;
    uint64_t dropped[DROP_REASON_COUNT]; /* of those, here and at once */
};

/* Life cycle. 'name' is copied. */
void port_init(struct port *port, struct wire *wire, const char *name, const struct port_ops *ops,
               const struct link_config *config);
void port_fini(struct port *port);

/* Takes ownership of 'frame'; 'from' as of link_send(). */
void port_send(struct port *port, struct frame *frame, int64_t eligible_ns, uint32_t from);
/* Drops a frame that arrived here, and counts it. Takes ownership. */
void port_drop_received(struct port *port, enum drop_reason reason, struct frame *frame);

/* Asks the peer for silence (XOFF), again and again until port_let_talk() (XON) or
 * port_forget_asking(), which says nothing. Neither needs a port with FLOW_CONTROL_ASK. */
void port_ask_silence(struct port *port);
void port_let_talk(struct port *port);
void port_forget_asking(struct port *port);
/* A broken NIC or port: it asks for silence for as long as the layer lasts. */
void port_begin_storm(struct port *port);
void port_end_storm(struct port *port);

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
/* Frames get lost in the port, after the cable brought them: IMPAIR_LOSE only. */
struct impair_layer *port_impair_in(struct port *port, const struct impair_config *config);
void port_repair_in(struct port *port, struct impair_layer *layer);

/* Frames dropped here for 'reason', both directions; DROP_REASON_COUNT: for any. */
uint64_t port_dropped(const struct port *port, enum drop_reason reason);
