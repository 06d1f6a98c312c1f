/* iSCSI names and target addresses. */
#include "tests/test.h"

#include "iscsi/name.h"

#include <string.h>

static struct name_row {
    const char *name;
    const char *text;
    bool is_valid;
} name_rows[] = {
    {"an iqn", "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309", true},
    {"an iqn without a colon", "iqn.2001-04.com.example", true},
    {"an eui", "eui.02004567A425678D", true},
    {"a naa of 64 bits", "naa.52004567BA64678D", true},
    {"a naa of 128 bits", "naa.62004567BA64678D0123456789ABCDEF", true},
    {"nothing", "", false},
    {"only a type", "iqn.", false},
    {"another type", "wwn.2001-04.com.example", false},
    {"an iqn without a date", "iqn.com.example", false},
    {"an iqn that ends with its date", "iqn.2001-04.", false},
    {"an upper-case letter", "iqn.2001-04.com.Example", false},
    {"a space", "iqn.2001-04.com.example:a b", false},
    {"an underscore", "iqn.2001-04.com.example:a_b", false},
    {"an eui of 15 digits", "eui.02004567A425678", false},
    {"an eui with a letter past F", "eui.02004567A425678G", false},
};

static void names_are_checked(void **state)
{
    const struct name_row *row = *state;

    assert_int_equal(iscsi_name_is_valid(row->text), row->is_valid);
}

static void a_name_has_at_most_223_bytes(void **state)
{
    char name[ISCSI_NAME_MOST + 2] = "iqn.2001-04.com.example:";

    (void)state;
    memset(name + strlen(name), 'a', ISCSI_NAME_MOST - strlen(name));
    assert_true(iscsi_name_is_valid(name));
    name[ISCSI_NAME_MOST] = 'a';
    assert_false(iscsi_name_is_valid(name));
}

static struct address_row {
    const char *name;
    const char *text;
    bool is_good;
    uint32_t address;
    uint16_t port;
    bool has_tag;
    uint16_t tag;
} address_rows[] = {
    {"address, port and tag", "10.0.1.2:3261,7", true, IPV4(10, 0, 1, 2), 3261, true, 7},
    {"no port", "10.0.1.2,1", true, IPV4(10, 0, 1, 2), 3260, true, 1},
    {"no tag, as in a redirection", "10.0.1.2:860", true, IPV4(10, 0, 1, 2), 860, false, 0},
    {"the largest of all", "255.255.255.255:65535,65535", true, 0xffffffff, 65535, true, 65535},
    {"a host name", "storage.example:3260,1", false, 0, 0, false, 0},
    {"three numbers", "10.0.1:3260,1", false, 0, 0, false, 0},
    {"a number past 255", "10.0.1.256", false, 0, 0, false, 0},
    {"a leading zero", "10.0.1.02", false, 0, 0, false, 0},
    {"port 0", "10.0.1.2:0", false, 0, 0, false, 0},
    {"a port past 65535", "10.0.1.2:65536", false, 0, 0, false, 0},
    {"an empty port", "10.0.1.2:,1", false, 0, 0, false, 0},
    {"an empty tag", "10.0.1.2:3260,", false, 0, 0, false, 0},
    {"something behind", "10.0.1.2:3260,1 ", false, 0, 0, false, 0},
    {"IPv6", "[2001:db8::1]:3260,1", false, 0, 0, false, 0},
    {"nothing", "", false, 0, 0, false, 0},
};

static void addresses_are_parsed(void **state)
{
    const struct address_row *row = *state;
    struct target_address address = {0};
    char text[ISCSI_ADDRESS_BYTES];
    struct target_address again;

    assert_int_equal(target_address_parse(row->text, &address), row->is_good);
    assert_int_equal(address.at.address, row->address);
    assert_int_equal(address.at.port, row->port);
    assert_int_equal(address.has_tag, row->has_tag);
    assert_int_equal(address.portal_group_tag, row->tag);
    if (!row->is_good)
        return;
    target_address_format(&address, text);
    assert_true(target_address_parse(text, &again));
    assert_int_equal(again.at.address, address.at.address);
    assert_int_equal(again.at.port, address.at.port);
    assert_int_equal(again.portal_group_tag, address.portal_group_tag);
}

int main(void)
{
    TEST_ROWS(name_rows, names_are_checked);
    TEST(a_name_has_at_most_223_bytes);
    TEST_ROWS(address_rows, addresses_are_parsed);
    return TEST_RUN("iscsi.name");
}
