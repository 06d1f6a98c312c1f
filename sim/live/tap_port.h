/* A TAP device as the outside of a NIC: the kernel's end belongs to a real host.
 *
 * The device gets the NIC's MAC address and MTU, and loses its carrier when the NIC does. Whose it
 * is, which addresses it has and in which network namespace it lives, is the host's affair: the
 * device may be moved and set up while it is attached. It goes when the program ends, unless it was
 * made before ('ip tuntap add NAME mode tap user USER'), which is also how it works without root.
 */
#pragma once

#include "sim/live/outside.h"

bool tap_port_check(const char *name, struct error *err);
struct outside *tap_port_open(const char *name, const struct outside_config *config,
                              struct error *err);
