/* The TransportID of an iSCSI initiator port: see pr_transport_id.h. */
#include "target/pr_transport_id.h"

#include <stdio.h>
#include <string.h>

#include "sim/core/bytes.h"

#define FORMAT_PORT    0x45u /* TPID FORMAT 01b, PROTOCOL IDENTIFIER 5h */
#define HEADER_BYTES   4u
#define SEPARATOR      ",i,0x"
#define SMALLEST_BYTES 24u /* ADDITIONAL LENGTH is at least 20 */

size_t transport_id_put(const struct nexus_identity *identity, uint8_t *ret_bytes)
{
    const uint8_t *isid = identity->isid;
    char text[TRANSPORT_ID_MOST_BYTES];
    int length =
        snprintf(text, sizeof(text), "%s" SEPARATOR "%02x%02x%02x%02x%02x%02x",
                 identity->initiator_name, isid[0], isid[1], isid[2], isid[3], isid[4], isid[5]);
    size_t bytes = (HEADER_BYTES + (size_t)length + 1 + 3) / 4 * 4;

    if (bytes < SMALLEST_BYTES)
        bytes = SMALLEST_BYTES;
    assert(bytes <= TRANSPORT_ID_MOST_BYTES);
    memset(ret_bytes, 0, bytes);
    ret_bytes[0] = FORMAT_PORT;
    put_be16(ret_bytes + 2, (uint16_t)(bytes - HEADER_BYTES));
    memcpy(ret_bytes + HEADER_BYTES, text, (size_t)length);
    return bytes;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Exactly the twelve digits of an ISID. */
static bool parse_isid(const char *text, uint8_t ret_isid[6])
{
    for (size_t i = 0; i < 12; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return false;
        ret_isid[i / 2] = (uint8_t)(ret_isid[i / 2] << 4 | digit);
    }
    return text[12] == '\0';
}

bool transport_id_get(const uint8_t *data, size_t bytes, struct nexus_identity *ret_identity)
{
    char text[TRANSPORT_ID_MOST_BYTES + 16] = {0}; /* always ends in NUL */

    if (bytes < SMALLEST_BYTES || bytes > TRANSPORT_ID_MOST_BYTES || data[0] != FORMAT_PORT ||
        get_be16(data + 2) + HEADER_BYTES != bytes)
        return false;
    memcpy(text, data + HEADER_BYTES, bytes - HEADER_BYTES);
    const char *separator = strstr(text, SEPARATOR);
    size_t name_bytes = separator ? (size_t)(separator - text) : 0;

    if (name_bytes == 0 || name_bytes >= DEVICE_NAME_BYTES)
        return false;
    *ret_identity = (struct nexus_identity){0};
    memcpy(ret_identity->initiator_name, text, name_bytes);
    return parse_isid(separator + strlen(SEPARATOR), ret_identity->isid);
}
