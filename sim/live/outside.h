/* A NIC of the fabric that somebody outside owns: a real host's TAP device, or a guest in QEMU.
 *
 *     fabric -> NIC -> outside -> device          device -> outside -> NIC -> fabric
 *
 * The NIC stays in the fabric with its cable, MTU, queue and faults; above it nothing is simulated.
 * Frames pass it whatever their addresses and tags, as through the cable that leads to a bridge.
 * What comes in is anybody's: frames that are too short or above the MTU are dropped here and
 * counted, the fabric never sees them. When the transmit queue is full, the device is not read
 * until there is room.
 *
 * A place is 'tap:NAME' or 'qemu:PATH'; each has a module of its own that fills in the device.
 */
#pragma once

#include "sim/core/error.h"
#include "sim/net/nic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTSIDE_READS_AT_ONCE 64u /* frames, before the world gets its turn */

struct ev_loop;
struct pacer;

/* X-macro: member, words for people. */
#define OUTSIDE_COUNTS(X)                                                                          \
    X(frames_in, "frames in")                                                                      \
    X(bytes_in, "bytes in")                                                                        \
    X(frames_out, "frames out")                                                                    \
    X(bytes_out, "bytes out")                                                                      \
    X(dropped_malformed, "dropped on the way in: malformed")                                       \
    X(dropped_too_big, "dropped on the way in: above the MTU")                                     \
    X(dropped_no_carrier, "dropped on the way in: no carrier")                                     \
    X(dropped_not_taken, "dropped on the way out: not taken by the device")

struct outside_counts {
#define X(member, words) uint64_t member;
    OUTSIDE_COUNTS(X)
#undef X
};

struct outside;
struct outside_ops {
    /* A frame leaves the fabric: borrowed. False: the device did not take it. */
    bool (*send)(struct outside *outside, struct frame *frame);
    void (*set_reading)(struct outside *outside, bool is_reading);
    void (*on_carrier)(struct outside *outside, bool is_up);
    void (*close)(struct outside *outside); /* frees it */
};

/* The part that all devices share; embedded in each. */
struct outside {
    const struct outside_ops *ops;
    struct nic_user user;
    struct nic *nic;      /* borrowed */
    struct ev_loop *loop; /* borrowed */
    struct pacer *pacer;  /* borrowed */
    struct pool *pool;    /* borrowed */
    bool is_waiting;      /* for room in the NIC's queue */
    struct outside_counts counts;
};

/* All borrowed. */
struct outside_config {
    struct ev_loop *loop;
    struct pacer *pacer;
    struct nic *nic;
    struct pool *pool;
};

/* Is 'place' written as one? False: '*err' says what is wrong. Opens nothing. */
bool outside_check(const char *place, struct error *err);
/* Opens the device at a 'place' that was checked and takes the NIC over. NULL: '*err' says why. */
struct outside *outside_open(const char *place, const struct outside_config *config,
                             struct error *err);
void outside_close(struct outside *outside); /* NULL does nothing */

/* For the devices. */
void outside_init(struct outside *outside, const struct outside_ops *ops,
                  const struct outside_config *config);
void outside_fini(struct outside *outside);
/* May frames come in now? Not when the NIC's queue is full (set_reading follows) or the world is
 * behind its time. Brings the world up to date. */
bool outside_may_read(struct outside *outside);
/* The largest frame that the NIC takes. */
size_t outside_frame_most(const struct outside *outside);
/* A frame from the device. Takes ownership; NULL: its bytes were none. */
void outside_take(struct outside *outside, struct frame *frame);
