/* QEMU's stream socket as the outside of a NIC: a guest's network card, without root.
 *
 *     qemu-system-x86_64 ... -device virtio-net-pci,netdev=n,mac=02:00:00:00:00:01
 *                            -netdev
 * stream,id=n,server=off,addr.type=unix,addr.path=PATH,reconnect=1
 *
 * Before each frame stand its bytes, as four bytes in network order. The port listens at PATH for
 * one guest at a time; as long as none is there the NIC has no power, so that the switch sees its
 * carrier go. A guest may come back. One that sends a length that no frame has is cut off, since
 * nobody knows where its next frame begins.
 */
#pragma once

#include "sim/live/outside.h"

bool qemu_port_check(const char *path, struct error *err);
struct outside *qemu_port_open(const char *path, const struct outside_config *config,
                               struct error *err);
