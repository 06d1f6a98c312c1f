/* The TransportID of an iSCSI initiator port (SPC-4, 7.6.4.6): name, ",i,0x", ISID. */
#pragma once

#include "target/reservation.h"

#define TRANSPORT_ID_MOST_BYTES 248u /* header 4, name 223, separator 5, ISID 12, NUL, padding */

/* Writes zeros before; returns the bytes, a multiple of 4. */
size_t transport_id_put(const struct nexus_identity *identity, uint8_t *ret_bytes);
/* How long the one is that begins here, by its own word; 0: it is cut off. */
size_t transport_id_bytes(const uint8_t *data, size_t rest);
/* Any bytes. False: no such TransportID. Sets name and ISID, not the port; without '*ret_has_isid'
 * it is the initiator as a whole (TPID FORMAT 00b). */
bool transport_id_get(const uint8_t *data, size_t bytes, struct nexus_identity *ret_identity,
                      bool *ret_has_isid);
