/* Who gets how much of a shared packet memory, and what does not fit. */
#include "sim/net/packet_buffer.h"

#include "tests/sim/net/wiretap.h"

static void without_a_limit_there_is_always_room(void **state)
{
    struct packet_buffer buffer;
    (void)state;

    packet_buffer_init(&buffer, 0, 128, 2);
    packet_buffer_enter(&buffer, 1, UINT32_MAX);
    assert_true(packet_buffer_has_room(&buffer, UINT32_MAX, UINT32_MAX));
    assert_int_equal(buffer.from_bytes[1], UINT32_MAX);
    packet_buffer_leave(&buffer, 1, UINT32_MAX);
    assert_int_equal(buffer.used_bytes, 0);
    packet_buffer_fini(&buffer);
}

static struct row {
    const char *name;
    uint32_t alpha_128ths;
    uint64_t used_bytes;
    uint64_t queued_bytes;
    uint32_t bytes;
    bool has_room;
} rows[] = {
    {"the last byte fits", 0, 900, 900, 100, true},
    {"one more does not", 0, 900, 900, 101, false},
    {"alpha 1: as much as is free", 128, 400, 400, 200, true},
    {"alpha 1: no more than is free", 128, 400, 400, 201, false},
    {"alpha 1: others take from what is free", 128, 800, 150, 51, false},
    {"alpha 1/2: half of it", 64, 400, 200, 100, true},
    {"alpha 1/2: no more than half of it", 64, 400, 200, 101, false},
    {"alpha 8: the limit itself is nearer", 1024, 900, 200, 101, false},
    {"alpha 8: one queue gets eight ninths", 1024, 800, 800, 100, true},
};

static void has_room_as_alpha_says(void **state)
{
    const struct row *row = *state;
    struct packet_buffer buffer;

    packet_buffer_init(&buffer, 1000, row->alpha_128ths, 1);
    packet_buffer_enter(&buffer, 0, (uint32_t)row->used_bytes);
    assert_int_equal(packet_buffer_has_room(&buffer, row->queued_bytes, row->bytes), row->has_room);
    packet_buffer_fini(&buffer);
}

static void open_shared(struct wiretap *w, uint64_t shared_bytes, uint32_t alpha_128ths)
{
    wiretap_open(w, &(struct switch_config){.name = "switch-1",
                                            .port_count = 6,
                                            .mtu_bytes = 9216,
                                            .shared_buffer_bytes = shared_bytes,
                                            .alpha_128ths = alpha_128ths});
    for (unsigned i = 0; i < 6; i++)
        wiretap_plug(w, i, NULL);
    for (unsigned i = 4; i < 6; i++)
        wiretap_broadcast(w, i, 46);
    wiretap_run(w, MS(1));
    wiretap_forget(w);
}

/* Two to one: frames of 9000 bytes, of which half leave while they come. */
static void congest(struct wiretap *w, unsigned frames, bool is_both)
{
    for (unsigned i = 0; i < frames; i++) {
        wiretap_send(w, 0, 4, 8986);
        wiretap_send(w, 1, 4, 8986);
        if (is_both) {
            wiretap_send(w, 2, 5, 8986);
            wiretap_send(w, 3, 5, 8986);
        }
    }
    wiretap_run(w, MS(10));
}

static void one_congested_port_gets_half_of_the_memory_at_alpha_one(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 1000000, 128);
    congest(&w, 100, false);
    /* 500,000 bytes are 55 frames: 200 came, 100 left meanwhile. */
    assert_in_range(fabric_dropped(w.fabric, "switch-1.5", DROP_BUFFER_FULL), 43, 47);
    assert_int_equal(fabric_dropped(w.fabric, "switch-1.5", DROP_QUEUE_FULL), 0);
    wiretap_close(&w);
}

static void two_congested_ports_get_a_third_each(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 1000000, 128);
    congest(&w, 100, true);
    for (unsigned i = 5; i <= 6; i++) { /* 333,333 bytes are 37 frames */
        char port[16];

        snprintf(port, sizeof(port), "switch-1.%u", i);
        assert_in_range(fabric_dropped(w.fabric, port, DROP_BUFFER_FULL), 61, 65);
    }
    wiretap_close(&w);
}

static void a_larger_alpha_gives_one_port_more(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 1000000, 1024);
    congest(&w, 100, false);
    /* Eight ninths, 888,888 bytes, are 98 frames. */
    assert_in_range(fabric_dropped(w.fabric, "switch-1.5", DROP_BUFFER_FULL), 0, 4);
    wiretap_close(&w);
}

/* What left long ago is booked out when somebody needs the room. */
static void the_memory_is_free_again_after_the_congestion(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 300000, 128);
    congest(&w, 100, true);
    uint64_t lost = switch_dropped(w.sw, DROP_BUFFER_FULL);

    assert_true(lost > 100);
    for (unsigned i = 0; i < 15; i++) /* 135,000 bytes: within the half of one port */
        wiretap_send(&w, 0, 4, 8986);
    wiretap_run(&w, MS(10));
    assert_int_equal(switch_dropped(w.sw, DROP_BUFFER_FULL), lost);
    wiretap_close(&w);
}

/* A memory that is made smaller than what waits in it takes nothing more until that has left. */
static void a_memory_may_shrink_below_what_it_holds(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 1000000, 1024);
    for (unsigned i = 0; i < 40; i++) {
        wiretap_send(&w, 0, 4, 8986);
        wiretap_send(&w, 1, 4, 8986);
    }
    wiretap_run(&w, US(200)); /* some 27 came from each, and 26 left */
    assert_int_equal(switch_dropped(w.sw, DROP_BUFFER_FULL), 0);
    switch_set_shared_buffer_bytes(w.sw, 100000);
    wiretap_run(&w, US(50));
    assert_in_range(switch_dropped(w.sw, DROP_BUFFER_FULL), 10, 16);
    wiretap_run(&w, MS(1));
    uint64_t lost = switch_dropped(w.sw, DROP_BUFFER_FULL);

    for (unsigned i = 0; i < 4; i++) /* 36,000 bytes */
        wiretap_send(&w, 0, 4, 8986);
    wiretap_run(&w, MS(1));
    assert_int_equal(switch_dropped(w.sw, DROP_BUFFER_FULL), lost);
    wiretap_close(&w);
}

static void frames_lost_with_the_link_take_no_room(void **state)
{
    struct wiretap w;
    (void)state;

    open_shared(&w, 300000, 0); /* the default: alpha 1 */
    for (unsigned i = 0; i < 100; i++) {
        wiretap_send(&w, 0, 4, 8986);
        wiretap_send(&w, 1, 4, 8986);
    }
    wiretap_run(&w, US(250));
    cable_pull(w.cables[4]);
    assert_int_equal(link_queued_bytes(&switch_port(w.sw, 5)->tx), 0);
    cable_plug_in(w.cables[4]);
    wiretap_broadcast(&w, 4, 46); /* it was forgotten with its link */
    wiretap_run(&w, MS(10));
    uint64_t lost = switch_dropped(w.sw, DROP_BUFFER_FULL);

    for (unsigned i = 0; i < 8; i++) {
        wiretap_send(&w, 0, 4, 8986);
        wiretap_send(&w, 1, 4, 8986);
    }
    wiretap_run(&w, MS(10));
    assert_int_equal(switch_dropped(w.sw, DROP_BUFFER_FULL), lost);
    wiretap_close(&w);
}

int main(void)
{
    TEST(without_a_limit_there_is_always_room);
    TEST_ROWS(rows, has_room_as_alpha_says);
    TEST(one_congested_port_gets_half_of_the_memory_at_alpha_one);
    TEST(two_congested_ports_get_a_third_each);
    TEST(a_larger_alpha_gives_one_port_more);
    TEST(the_memory_is_free_again_after_the_congestion);
    TEST(a_memory_may_shrink_below_what_it_holds);
    TEST(frames_lost_with_the_link_take_no_room);
    return TEST_RUN("sim.net.packet_buffer");
}
