/* An Ethernet address (IEEE 802-2014, 8.2), and the two questions that everybody asks of one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_BYTES 6u

struct mac_addr {
    uint8_t octet[MAC_BYTES]; /* as on the wire */
};

#define MAC_BROADCAST ((struct mac_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

static inline struct mac_addr mac_get(const uint8_t *p)
{
    struct mac_addr mac;

    memcpy(mac.octet, p, MAC_BYTES);
    return mac;
}

static inline void mac_put(uint8_t *p, struct mac_addr mac)
{
    memcpy(p, mac.octet, MAC_BYTES);
}

static inline bool mac_is_equal(struct mac_addr a, struct mac_addr b)
{
    return memcmp(a.octet, b.octet, MAC_BYTES) == 0;
}

/* What a port or switch sends by itself comes from addresses that are locally administered (the U/L
 * bit) and no NIC's: by the port's number in the fabric. */
enum mac_use {
    MAC_OF_PAUSE,  /* MAC control */
    MAC_OF_SYSTEM, /* LACP: a switch, by its first port */
    MAC_OF_LACP,   /* LACPDUs of a port */
};

static inline struct mac_addr mac_of_port(enum mac_use use, uint32_t port_id)
{
    return (struct mac_addr){{0x06, (uint8_t)use, (uint8_t)(port_id >> 24),
                              (uint8_t)(port_id >> 16), (uint8_t)(port_id >> 8), (uint8_t)port_id}};
}

/* For many receivers, the broadcast address among them: the I/G bit. */
static inline bool mac_is_group(struct mac_addr mac)
{
    return (mac.octet[0] & 1) != 0;
}
