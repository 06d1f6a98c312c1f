/* One direction of a cable with the queue in front of it: egress queue, serializer, propagation.
 *
 *   link_send() -> [ queue ] -> serializer -> ~~~ cable ~~~ -> on_arrival
 *        |  tail drop             rate          delay, loss, damage
 *
 * NICs and switch ports alike transmit through one. All times are worked out when a frame comes in:
 *
 *   start   = the later of: eligible, the end of the frame before it
 *   done    = start + bits / rate       (preamble 8 bytes, the frame: at least 60, FCS 4)
 *   arrival = done + delay              (never before the arrival of the frame before it)
 *
 * A cut-through switch takes a frame when its first bytes are in: its arrival is earlier by the
 * time of the rest, during which it still occupies the queue. A cut of the cable in this time does
 * not reach the frame any more.
 *
 * so a hop costs one event: the arrival. The next frame starts after the inter-frame gap (12
 * bytes), and the fraction of a nanosecond at which one ends is carried over to it. What changes
 * later (rate, delay) is worked out again for frames that did not start yet. Whether a frame is
 * lost, damaged or doubled, or comes late, is decided when it comes out at the far end.
 */
#pragma once

#include "sim/net/holding.h"
#include "sim/net/impair.h"
#include "sim/net/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_PREAMBLE_BYTES  8u /* with the start frame delimiter (802.3, 4.2.5) */
#define LINK_FCS_BYTES       4u
#define LINK_GAP_BYTES       12u /* 802.3, 4.4.2 */
#define LINK_MIN_FRAME_BYTES 60u /* without FCS */
#define LINK_NS_PER_M        5   /* in copper and glass light is a third slower than in vacuum */

struct link_config {
    int64_t rate_bits_per_s;
    int64_t delay_ns;
    uint64_t queue_bytes;  /* tail drop above; 0: by frames only */
    uint32_t queue_frames; /* tail drop above; 0: by bytes only */
};

/* Whose frame it is that a queue holds, for the packet memory: the ingress port; or not at all. */
#define LINK_FROM_SELF UINT32_MAX /* the port's own MAC control frame: no PAUSE holds it up */

/* How often what happened. offered + duplicated = delivered + all of dropped + those still in the
 * link. */
struct link_counts {
    uint64_t offered;
    uint64_t offered_bytes;
    uint64_t delivered;
    uint64_t delivered_bytes;
    uint64_t damaged;    /* among the delivered */
    uint64_t duplicated; /* second copies that the cable made */
    uint64_t reordered;  /* frames that came late */
    uint64_t dropped[DROP_REASON_COUNT];
};

struct link;
struct link_ops {
    /* Takes ownership of 'frame'. */
    void (*on_arrival)(struct link *link, struct frame *frame);
    /* 'frame' is the next to arrive, a few events from now: a hint. May be NULL. */
    void (*on_ahead)(struct link *link, const struct frame *frame);
    /* After link_want_room(); may be NULL. */
    void (*on_room)(struct link *link);
    /* Waiting frames leave at other times now, or not at all; may be NULL. */
    void (*on_replanned)(struct link *link);
};

struct link_slot;
struct packet_buffer;
struct link {
    const struct link_ops *ops;
    struct wire *wire;
    const char *name; /* borrowed: the port's */
    uint32_t port_id;
    struct link_config config;
    struct timer arrival_timer; /* of the oldest frame */
    struct timer room_timer;
    /* A ring of frames in order: delivered .. [first .. unsent .. first + count) */
    struct link_slot *slots; /* owned */
    uint32_t capacity;       /* a power of two, or 0 */
    uint32_t first;
    uint32_t count;
    uint32_t sent;         /* of 'count', so many have left the serializer, as of the last look */
    uint32_t handed;       /* of 'count', so many have arrived; 0 unless cut through */
    uint32_t head_bytes;   /* the far end takes a frame after so many; 0: as a whole */
    int64_t tail_ns;       /* when the last bit of the frame that arrived last is there */
    uint64_t queued_bytes; /* of those that have not left */
    struct packet_buffer *buffer; /* borrowed; NULL: nobody counts them together */
    int64_t paused_until_ns;      /* no frame starts before */
    int64_t rate_bits_per_s;      /* with throttling */
    int64_t gap_ns;               /* at that rate: whole nanoseconds, */
    int64_t gap_fraction;         /* and the rest in 1/rate ns */
    int64_t busy_until_ns;        /* end of the gap after the last frame: whole nanoseconds, */
    int64_t busy_fraction;        /* and the rest in 1/rate ns */
    int64_t last_arrival_ns;
    bool is_passing; /* light reaches the far end */
    struct impair impair;
    struct holding holding; /* late frames and second copies, on their way to the far end */
    struct link_counts counts;
};

/* Life cycle: for a member of a port. 'wire', 'name', 'ops' are borrowed. */
void link_init(struct link *link, struct wire *wire, const char *name, uint32_t port_id,
               const struct link_ops *ops, const struct link_config *config);
void link_fini(struct link *link); /* gives back the frames that are in it */

/* Sends 'frame', which came in by port 'from' of the packet memory, not before 'eligible_ns'. Takes
 * ownership; drops and counts what it must. */
void link_send(struct link *link, struct frame *frame, int64_t eligible_ns, uint32_t from);
/* Sends a MAC control frame before all that wait, however many they are, PAUSE or not. */
void link_send_control(struct link *link, struct frame *frame);
/* The port drops the frame instead of sending it: counted as offered. Takes ownership. */
void link_refuse(struct link *link, struct frame *frame, enum drop_reason reason);

/* Frames that the queue takes now, by queue_frames. */
uint32_t link_room(struct link *link);
/* Calls on_room once, when half of queue_frames is free. */
void link_want_room(struct link *link);

/* Bytes that wait or are being sent, as of now; when the oldest of them is gone (TIME_NEVER). */
uint64_t link_queued_bytes(struct link *link);
int64_t link_next_departure_ns(struct link *link);

/* Changes. */
/* The far end asked for silence until then; the frame on its way goes on. Carrier loss ends it. */
void link_pause(struct link *link, int64_t until_ns);
void link_set_passing(struct link *link,
                      bool is_passing); /* false: all frames lost, 'no-carrier' */
void link_drop_queued(struct link *link,
                      enum drop_reason reason); /* those that did not start yet */
void link_set_rate(struct link *link, int64_t rate_bits_per_s);
void link_set_delay(struct link *link, int64_t delay_ns);
struct impair_layer *link_impair(struct link *link, const struct impair_config *config);
void link_repair(struct link *link, struct impair_layer *layer);

/* Frames in it: waiting, being sent, and in the cable. */
static inline uint32_t link_frames(const struct link *link)
{
    return link->count - link->handed + (uint32_t)link->holding.count;
}
