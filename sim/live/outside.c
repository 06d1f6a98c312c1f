/* Between a NIC of the fabric and a device outside. */
#include "sim/live/outside.h"

#include "sim/core/attributes.h"
#include "sim/live/pacer.h"
#include "sim/live/qemu_port.h"
#include "sim/live/tap_port.h"

#include <string.h>

static const struct source_pos nowhere;

static const struct place {
    const char *prefix;
    bool (*check)(const char *name, struct error *err);
    struct outside *(*open)(const char *name, const struct outside_config *config,
                            struct error *err);
} places[] = {
    {"tap:", tap_port_check, tap_port_open},
    {"qemu:", qemu_port_check, qemu_port_open},
};

static const struct place *find_place(const char *place)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (strncmp(place, places[i].prefix, strlen(places[i].prefix)) == 0)
            return &places[i];
    return NULL;
}

bool outside_check(const char *place, struct error *err)
{
    const struct place *found = find_place(place);

    if (found)
        return found->check(place + strlen(found->prefix), err);
    (void)error_set(err, ERR_USAGE, nowhere, "'%s' is no place to attach to", place);
    error_help(err, "write 'tap:NAME' for a TAP device or 'qemu:PATH' for a socket of QEMU");
    return false;
}

struct outside *outside_open(const char *place, const struct outside_config *config,
                             struct error *err)
{
    const struct place *found = find_place(place);

    assert(found);
    return found->open(place + strlen(found->prefix), config, err);
}

void outside_close(struct outside *outside)
{
    if (outside)
        outside->ops->close(outside);
}

/* What the NIC tells its user. */

static struct outside *of_user(struct nic_user *user)
{
    return CONTAINER_OF(user, struct outside, user);
}

static void on_frame(struct nic_user *user, struct nic *nic, struct frame *frame)
{
    struct outside *outside = of_user(user);

    if (outside->ops->send(outside, frame)) {
        outside->counts.frames_out++;
        outside->counts.bytes_out += frame_bytes(frame);
        frame_unref(frame);
    } else {
        outside->counts.dropped_not_taken++;
        nic_drop_received(nic, DROP_QUEUE_FULL, frame);
    }
}

static void on_room(struct nic_user *user, struct nic *nic)
{
    struct outside *outside = of_user(user);
    (void)nic;

    if (!outside->is_waiting)
        return;
    outside->is_waiting = false;
    outside->ops->set_reading(outside, true);
}

static void on_carrier(struct nic_user *user, struct nic *nic, bool is_up)
{
    struct outside *outside = of_user(user);

    outside->ops->on_carrier(outside, is_up);
    on_room(user, nic); /* without carrier what comes in is lost, but it is taken */
}

/* For the devices. */

void outside_init(struct outside *outside, const struct outside_ops *ops,
                  const struct outside_config *config)
{
    static const struct nic_user_ops user_ops = {
        .on_frame = on_frame, .on_room = on_room, .on_carrier = on_carrier};

    *outside = (struct outside){.ops = ops,
                                .user = {&user_ops},
                                .nic = config->nic,
                                .loop = config->loop,
                                .pacer = config->pacer,
                                .pool = config->pool};
    nic_set_promiscuous(config->nic, true);
    nic_set_user(config->nic, &outside->user);
}

void outside_fini(struct outside *outside)
{
    nic_set_user(outside->nic, NULL);
}

bool outside_may_read(struct outside *outside)
{
    pacer_catch_up(outside->pacer);
    if (pacer_is_behind(outside->pacer))
        return false;
    if (!nic_has_carrier(outside->nic) || nic_room(outside->nic) > 0)
        return true;
    outside->is_waiting = true;
    outside->ops->set_reading(outside, false);
    return false;
}

size_t outside_frame_most(const struct outside *outside)
{
    return (size_t)nic_mtu_bytes(outside->nic) + ETHERNET_BYTES + VLAN_TAG_BYTES;
}

void outside_take(struct outside *outside, struct frame *frame)
{
    if (!frame) {
        outside->counts.dropped_malformed++;
        return;
    }
    outside->counts.frames_in++;
    outside->counts.bytes_in += frame_bytes(frame);
    if (frame_packet_bytes(frame) > nic_mtu_bytes(outside->nic)) {
        outside->counts.dropped_too_big++;
        frame_unref(frame);
    } else if (!nic_has_carrier(outside->nic)) {
        outside->counts.dropped_no_carrier++;
        frame_unref(frame);
    } else {
        nic_send(outside->nic, frame);
    }
}
