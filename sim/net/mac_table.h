/* Which port a MAC address was last seen on: the memory of a learning switch.
 *
 * The table owns its entries and knows nothing of frames: a port is a number that the switch
 * chose. Each VLAN learns for itself (independent learning, 802.1Q-2018, 8.8.8): one address may be
 * on different ports in different VLANs. When it is full, it gives up an entry past its age; if
 * there is none, it learns nothing new, and frames to the address are flooded.
 */
#pragma once

#include "sim/net/mac_addr.h"

#include <stddef.h>
#include <stdint.h>

#define MAC_PORT_NONE (-1)

struct mac_table;

/* Life cycle. An entry not refreshed for 'age_ns' is as good as gone (802.1Q-2018, 8.8.3). */
struct mac_table *mac_table_new(size_t max_entries, int64_t age_ns);
void mac_table_free(struct mac_table *table);

/* Learning. 'mac' is no group address, 'port' 0 or more. */
enum mac_learned {
    MAC_KNOWN, /* heard again where it was */
    MAC_NEW,
    MAC_MOVED, /* it was on another port */
    MAC_NO_ROOM,
};
enum mac_learned mac_table_learn(struct mac_table *table, uint32_t vlan, struct mac_addr mac,
                                 int port, int64_t now_ns);
void mac_table_flush(struct mac_table *table);
/* The port lost its link: what was behind it may now be anywhere. */
void mac_table_forget_port(struct mac_table *table, int port);
void mac_table_set_age_ns(struct mac_table *table, int64_t age_ns);

/* The port to send to, or MAC_PORT_NONE: flood. */
int mac_table_find(const struct mac_table *table, uint32_t vlan, struct mac_addr mac,
                   int64_t now_ns);

/* Entries held, aged ones included. */
size_t mac_table_count(const struct mac_table *table);
