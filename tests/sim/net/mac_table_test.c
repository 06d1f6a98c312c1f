/* What a learning switch remembers, and when it forgets. */
#include "sim/net/mac_table.h"

#include "sim/core/time.h"

#include "tests/test.h"

static struct mac_addr mac(uint8_t last)
{
    return (struct mac_addr){{0x02, 0, 0, 0, 0, last}};
}

static void an_address_is_found_where_it_was_last_heard(void **state)
{
    struct mac_table *table = mac_table_new(8, SECONDS(300));
    (void)state;

    assert_int_equal(mac_table_find(table, 1, mac(1), 0), MAC_PORT_NONE);
    mac_table_learn(table, 1, mac(1), 3, 0);
    mac_table_learn(table, 1, mac(2), 4, 0);
    assert_int_equal(mac_table_find(table, 1, mac(1), 0), 3);
    mac_table_learn(table, 1, mac(1), 5, SECONDS(1));
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(1)), 5);
    assert_int_equal(mac_table_find(table, 1, mac(2), SECONDS(1)), 4);
    assert_int_equal(mac_table_count(table), 2);
    mac_table_free(table);
}

static void a_silent_address_ages_out(void **state)
{
    struct mac_table *table = mac_table_new(8, SECONDS(300));
    (void)state;

    mac_table_learn(table, 1, mac(1), 3, SECONDS(10));
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(310)), 3);
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(310) + 1), MAC_PORT_NONE);
    mac_table_learn(table, 1, mac(1), 3, SECONDS(400));
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(500)), 3);
    mac_table_set_age_ns(table, SECONDS(50));
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(500)), MAC_PORT_NONE);
    mac_table_free(table);
}

static void a_full_table_learns_only_in_place_of_the_aged(void **state)
{
    struct mac_table *table = mac_table_new(3, SECONDS(300));
    (void)state;

    assert_int_equal(mac_table_learn(table, 1, mac(1), 1, 1), MAC_NEW);
    assert_int_equal(mac_table_learn(table, 1, mac(2), 2, 2), MAC_NEW);
    assert_int_equal(mac_table_learn(table, 1, mac(3), 3, 3), MAC_NEW);
    assert_int_equal(mac_table_learn(table, 1, mac(1), 1, 4), MAC_KNOWN); /* now 2 is the oldest */
    assert_int_equal(mac_table_learn(table, 1, mac(4), 4, SECONDS(300) + 2), MAC_NO_ROOM);
    assert_int_equal(mac_table_find(table, 1, mac(4), SECONDS(300) + 2), MAC_PORT_NONE);
    assert_int_equal(mac_table_find(table, 1, mac(2), SECONDS(300) + 2), 2);
    assert_int_equal(mac_table_learn(table, 1, mac(4), 4, SECONDS(300) + 3), MAC_NEW);
    assert_int_equal(mac_table_count(table), 3);
    assert_int_equal(mac_table_find(table, 1, mac(2), SECONDS(300) + 3), MAC_PORT_NONE);
    assert_int_equal(mac_table_find(table, 1, mac(1), SECONDS(300) + 3), 1);
    assert_int_equal(mac_table_find(table, 1, mac(3), SECONDS(300) + 3), 3);
    assert_int_equal(mac_table_find(table, 1, mac(4), SECONDS(300) + 3), 4);
    mac_table_free(table);
}

static void a_move_is_told_and_age_makes_an_address_new(void **state)
{
    struct mac_table *table = mac_table_new(3, SECONDS(300));
    (void)state;

    assert_int_equal(mac_table_learn(table, 1, mac(1), 1, 0), MAC_NEW);
    assert_int_equal(mac_table_learn(table, 1, mac(1), 2, 1), MAC_MOVED);
    assert_int_equal(mac_table_learn(table, 1, mac(1), 2, 2), MAC_KNOWN);
    assert_int_equal(mac_table_learn(table, 1, mac(1), 3, SECONDS(300) + 3), MAC_NEW);
    mac_table_free(table);
}

static void each_vlan_learns_for_itself(void **state)
{
    struct mac_table *table = mac_table_new(8, SECONDS(300));
    (void)state;

    assert_int_equal(mac_table_learn(table, 10, mac(1), 1, 0), MAC_NEW);
    assert_int_equal(mac_table_find(table, 20, mac(1), 0), MAC_PORT_NONE);
    assert_int_equal(mac_table_learn(table, 20, mac(1), 2, 0), MAC_NEW);
    assert_int_equal(mac_table_find(table, 10, mac(1), 0), 1);
    assert_int_equal(mac_table_find(table, 20, mac(1), 0), 2);
    assert_int_equal(mac_table_count(table), 2);
    mac_table_forget_port(table, 2);
    assert_int_equal(mac_table_find(table, 10, mac(1), 0), 1);
    assert_int_equal(mac_table_find(table, 20, mac(1), 0), MAC_PORT_NONE);
    mac_table_free(table);
}

static void a_port_that_goes_down_takes_its_addresses_along(void **state)
{
    struct mac_table *table = mac_table_new(8, SECONDS(300));
    (void)state;

    mac_table_learn(table, 1, mac(1), 1, 0);
    mac_table_learn(table, 1, mac(2), 2, 0);
    mac_table_learn(table, 1, mac(3), 1, 0);
    mac_table_forget_port(table, 1);
    assert_int_equal(mac_table_count(table), 1);
    assert_int_equal(mac_table_find(table, 1, mac(2), 0), 2);
    mac_table_flush(table);
    assert_int_equal(mac_table_count(table), 0);
    mac_table_free(table);
}

int main(void)
{
    TEST(an_address_is_found_where_it_was_last_heard);
    TEST(a_silent_address_ages_out);
    TEST(a_full_table_learns_only_in_place_of_the_aged);
    TEST(a_move_is_told_and_age_makes_an_address_new);
    TEST(each_vlan_learns_for_itself);
    TEST(a_port_that_goes_down_takes_its_addresses_along);
    return TEST_RUN("sim.net.mac_table");
}
