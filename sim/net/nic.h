/* A network interface of a host or an array: a port with a MAC address, an MTU and a queue.
 *
 * The transmit queue pushes back: who sends asks nic_room() first, and hears on_room when it was
 * refused and there is room again. Carrier is there when the cable is in and both of its ends have
 * power and are enabled. The NIC itself loses a frame at once when carrier goes; its user hears of
 * the change only after the driver's debounce, and not at all if it was over by then.
 *
 * Faults are layers: a NIC disabled twice needs two nic_enable().
 */
#pragma once

#include "sim/net/frame.h"
#include "sim/net/pause.h"
#include "sim/net/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct nic;
struct port;

struct nic_config {
    const char *name;         /* "hv1.iscsi1"; copied */
    struct mac_addr mac;      /* all zero: made from the order of adding, locally administered */
    uint32_t mtu_bytes;       /* of an IP packet, MTU_LEAST to MTU_MOST_BYTES; 0: 1500 */
    uint32_t queue_frames;    /* of the transmit queue; 0: 256 */
    int64_t link_debounce_ns; /* a carrier change must last so long to be told; 0: told by the next
                                 event */
    enum flow_control flow_control; /* 802.3x; a host takes all that comes, so it never asks */
};

/* Who gets what the NIC receives: the host. Calls come from the event loop alone. */
struct nic_user;
struct nic_user_ops {
    /* Takes ownership of 'frame', which is for this NIC's address or a group. */
    void (*on_frame)(struct nic_user *user, struct nic *nic, struct frame *frame);
    /* nic_room() was 0 when somebody asked, and now half of the queue is free. */
    void (*on_room)(struct nic_user *user, struct nic *nic);
    void (*on_carrier)(struct nic_user *user, struct nic *nic, bool is_up);
    /* Its frames leave by another way now, which switches should learn. May be NULL. */
    void (*on_moved)(struct nic_user *user, struct nic *nic);
};
struct nic_user {
    const struct nic_user_ops *ops;
};

/* Life cycle: see fabric_add_nic(). A NIC begins powered and without a cable. */
struct nic *nic_new(struct wire *wire, const struct nic_config *config, uint32_t nic_index);
void nic_free(struct nic *nic);
void nic_set_user(struct nic *nic, struct nic_user *user); /* borrowed; NULL: frames end here */

/* Its user filters by himself, as a bridge or a real host behind it does: gets every frame that
 * fits the MTU, whatever its address and tag. */
void nic_set_promiscuous(struct nic *nic, bool is_promiscuous);

/* Carrier as it is now is what the host knows from the beginning: no on_carrier comes for it. */
void nic_begin(struct nic *nic);

/* A NIC that has no cable, but others below it: a team (team.h). What it sends goes there. */
struct nic_below;
struct nic_below_ops {
    uint32_t (*room)(struct nic_below *below); /* as nic_room(), which it orders an on_room for */
    void (*send)(struct nic_below *below, struct frame *frame); /* takes ownership */
};
struct nic_below {
    const struct nic_below_ops *ops;
};
/* For those below, who call these before the NIC is used, and whenever something comes or changes.
 * 'below' is borrowed. */
void nic_set_below(struct nic *nic, struct nic_below *below);
void nic_take_from_below(struct nic *nic, struct frame *frame); /* takes ownership */
void nic_set_carried(struct nic *nic, bool is_carried); /* in place of the cable's carrier */
void nic_pass_room(struct nic *nic);
void nic_pass_moved(struct nic *nic);

const char *nic_name(const struct nic *nic);
struct mac_addr nic_mac(const struct nic *nic);
void nic_set_mac(struct nic *nic, struct mac_addr mac);
uint32_t nic_mtu_bytes(const struct nic *nic);
void nic_set_mtu_bytes(struct nic *nic, uint32_t mtu_bytes);
struct port *nic_port(struct nic *nic);
const struct port *nic_port_const(const struct nic *nic);

/* Carrier as it is, and as the host knows it (after the debounce). */
bool nic_has_carrier(const struct nic *nic);
bool nic_is_up(const struct nic *nic);
bool nic_is_enabled(const struct nic *nic); /* by its administrator */

/* Frames that may be sent now. Asking at 0 orders an on_room. */
uint32_t nic_room(struct nic *nic);
/* Takes ownership of 'frame', which fits the MTU. A frame above nic_room() is dropped and counted
 * as 'queue-full', one without carrier as 'no-carrier'. */
void nic_send(struct nic *nic, struct frame *frame);

/* Faults. */
void nic_disable(struct nic *nic);
void nic_enable(struct nic *nic);
void nic_freeze(struct nic *nic, enum direction direction);
void nic_thaw(struct nic *nic, enum direction direction);
/* Broken, it tells its peer without an end to be silent (802.3x). */
void nic_begin_storm(struct nic *nic);
void nic_end_storm(struct nic *nic);
void nic_power_off(struct nic *nic); /* its host or array has no power: the peer loses carrier */
void nic_power_on(struct nic *nic);  /* and has booted */

/* Frames dropped at this NIC for 'reason', both directions; DROP_REASON_COUNT: for any. */
uint64_t nic_dropped(const struct nic *nic, enum drop_reason reason);
/* The host drops a frame that this NIC received: counted here. Takes ownership of 'frame'. */
void nic_drop_received(struct nic *nic, enum drop_reason reason, struct frame *frame);
