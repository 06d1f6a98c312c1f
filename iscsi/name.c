/* iSCSI names and target addresses. */
#include "iscsi/name.h"

#include "iscsi/text.h"

#include <stdio.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' ||
           (unsigned char)c >= 0x80;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "iqn.2001-04.com.example": a date, a dot, and whose name it was then (4.2.7.3). */
static bool is_iqn(const char *rest)
{
    static const char form[] = "dddd-dd.";

    for (size_t i = 0; form[i]; i++) {
        if (form[i] == 'd' ? !is_digit(rest[i]) : rest[i] != form[i])
            return false;
    }
    return rest[sizeof(form) - 1] != '\0';
}

bool iscsi_name_is_valid(const char *name)
{
    size_t bytes = strlen(name);

    if (bytes < 5 || bytes > ISCSI_NAME_MOST)
        return false;
    const char *rest = name + 4;

    /* eui: 64 bits (4.2.7.4), naa: 64 or 128 bits (4.2.7.5), in hexadecimal of either case. */
    bool is_eui = strncmp(name, "eui.", 4) == 0 && bytes == 20;
    bool is_naa = strncmp(name, "naa.", 4) == 0 && (bytes == 20 || bytes == 36);

    if (is_eui || is_naa) {
        while (is_hex(*rest))
            rest++;
        return *rest == '\0';
    }
    if (strncmp(name, "iqn.", 4) != 0 || !is_iqn(rest))
        return false;
    while (is_name_char(*rest))
        rest++;
    return *rest == '\0';
}

/* A decimal number up to 'most' without leading zeros that hide octal; moves '*at' behind it. */
static bool take_number(const char **at, uint32_t most, uint32_t *ret_number)
{
    uint32_t number = 0;
    const char *c = *at;

    if (!is_digit(*c) || (c[0] == '0' && is_digit(c[1])))
        return false;
    for (; is_digit(*c); c++) {
        number = number * 10 + (uint32_t)(*c - '0');
        if (number > most)
            return false;
    }
    *at = c;
    *ret_number = number;
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

bool target_address_parse(const char *value, struct target_address *ret_address)
{
    struct target_address found = {.at.port = ISCSI_PORT};
    uint32_t number;

    for (int i = 0; i < 4; i++) {
        if ((i > 0 && !take_char(&value, '.')) || !take_number(&value, 255, &number))
            return false;
        found.at.address = found.at.address << 8 | number;
    }
    if (take_char(&value, ':')) {
        if (!take_number(&value, UINT16_MAX, &number) || number == 0)
            return false;
        found.at.port = (uint16_t)number;
    }
    if (take_char(&value, ',')) {
        if (!take_number(&value, UINT16_MAX, &number))
            return false;
        found.has_tag = true;
        found.portal_group_tag = (uint16_t)number;
    }
    if (*value != '\0')
        return false;
    *ret_address = found;
    return true;
}

void target_address_format(const struct target_address *address,
                           char ret_value[ISCSI_ADDRESS_BYTES])
{
    uint32_t ip = address->at.address;
    int bytes = snprintf(ret_value, ISCSI_ADDRESS_BYTES, "%u.%u.%u.%u:%u", (unsigned)(ip >> 24),
                         (unsigned)(ip >> 16 & 255), (unsigned)(ip >> 8 & 255),
                         (unsigned)(ip & 255), (unsigned)address->at.port);

    if (address->has_tag)
        snprintf(ret_value + bytes, ISCSI_ADDRESS_BYTES - (size_t)bytes, ",%u",
                 (unsigned)address->portal_group_tag);
}
