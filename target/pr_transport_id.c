/* The TransportID of an iSCSI initiator port: see pr_transport_id.h. */
#include "target/pr_transport_id.h"

#include <stdio.h>
#include <string.h>

#include "sim/core/bytes.h"

#define FORMAT_DEVICE  0x05u /* TPID FORMAT 00b, PROTOCOL IDENTIFIER 5h */
#define FORMAT_PORT    0x45u /* TPID FORMAT 01b */
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

size_t transport_id_bytes(const uint8_t *data, size_t rest)
{
    size_t bytes = rest >= HEADER_BYTES ? HEADER_BYTES + get_be16(data + 2) : 0;

    return bytes <= rest ? bytes : 0;
}

/* Names are compared in lower case (RFC 3722), as sessions have them. */
static bool put_name(struct nexus_identity *identity, const char *name, size_t bytes)
{
    if (bytes == 0 || bytes >= DEVICE_NAME_BYTES)
        return false;
    for (size_t i = 0; i < bytes; i++)
        identity->initiator_name[i] =
            name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    return true;
}

bool transport_id_get(const uint8_t *data, size_t bytes, struct nexus_identity *ret_identity,
                      bool *ret_has_isid)
{
    char text[TRANSPORT_ID_MOST_BYTES + 16] = {0}; /* always ends in NUL */

    if (bytes < SMALLEST_BYTES || bytes > TRANSPORT_ID_MOST_BYTES ||
        (data[0] != FORMAT_PORT && data[0] != FORMAT_DEVICE) ||
        get_be16(data + 2) + HEADER_BYTES != bytes)
        return false;
    memcpy(text, data + HEADER_BYTES, bytes - HEADER_BYTES);
    *ret_identity = (struct nexus_identity){0};
    *ret_has_isid = data[0] == FORMAT_PORT;
    if (!*ret_has_isid)
        return put_name(ret_identity, text, strlen(text));
    const char *separator = strstr(text, SEPARATOR);

    return separator && put_name(ret_identity, text, (size_t)(separator - text)) &&
           parse_isid(separator + strlen(SEPARATOR), ret_identity->isid);
}
