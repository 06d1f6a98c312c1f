/* iSCSI names and target addresses as text values (RFC 7143, 4.2.7, 13.8). */
#pragma once

#include "sim/core/attributes.h"
#include "sim/core/net.h"

#include <stdbool.h>
#include <stdint.h>

#define ISCSI_NAME_MOST     223u /* bytes (4.2.7.1) */
#define ISCSI_PORT          3260u
#define ISCSI_ADDRESS_BYTES 32u /* room for "255.255.255.255:65535,65535" with its NUL */

/* "iqn.", "eui." or "naa." form, of the characters that are left after normalisation (4.2.7.2):
 * lower-case letters, digits, '-', '.', ':', and bytes of UTF-8. */
bool iscsi_name_is_valid(const char *name);

/* A TargetAddress: "10.0.1.1:3260,1". */
struct target_address {
    struct endpoint at;
    bool has_tag; /* in answers to SendTargets always, in a redirection never (13.8) */
    uint16_t portal_group_tag;
};
/* False: no address of this form; only IPv4 in dotted decimal is understood. No port: 3260. */
MUST_CHECK bool target_address_parse(const char *value, struct target_address *ret_address);
void target_address_format(const struct target_address *address,
                           char ret_value[ISCSI_ADDRESS_BYTES]);
