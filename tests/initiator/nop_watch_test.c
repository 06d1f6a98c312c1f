/* The ping watch, told as stories. */
#include "initiator/nop_watch.h"
#include "sim/core/time.h"
#include "tests/test.h"

static void asks_after_the_interval_and_not_before(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(3), 0, 0);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_SEND_PING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_NOTHING);
}

static void gives_up_when_the_ping_stays_unanswered(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(3), 0, 0);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_SEND_PING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(8) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(8)), NOP_DROP);
    assert_int_equal(w.deadline_ns, TIME_NEVER);
}

static void anything_heard_starts_the_silence_anew(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(3), 0, 0);
    nop_watch_heard(&w, SECONDS(4));
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(9)), NOP_SEND_PING);
    nop_watch_heard(&w, SECONDS(10));
    assert_int_equal(nop_watch_wake(&w, SECONDS(12)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(15)), NOP_SEND_PING);
}

static void a_straggler_does_not_revive_the_dead(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(5), 0, 0);
    nop_watch_wake(&w, SECONDS(5));
    assert_int_equal(nop_watch_wake(&w, SECONDS(10)), NOP_DROP);
    nop_watch_heard(&w, SECONDS(10) + 1);
    assert_int_equal(w.state, NOP_DEAD);
}

static void without_an_interval_it_never_asks(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, 0, SECONDS(5), 0, 0);
    assert_int_equal(w.deadline_ns, TIME_NEVER);
    assert_int_equal(nop_watch_wake(&w, SECONDS(1000)), NOP_NOTHING);
}

static void a_question_out_of_turn_gets_the_whole_time_out(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(5), 0, 0);
    nop_watch_heard(&w, SECONDS(30));
    assert_int_equal(nop_watch_ask(&w, SECONDS(30)), NOP_SEND_PING);
    assert_int_equal(nop_watch_ask(&w, SECONDS(31)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(40) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(40)), NOP_DROP);
}

static void deadlines_are_rounded_up_to_the_tick(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, SECONDS(5), SECONDS(5), MS(4), 0);
    nop_watch_heard(&w, MS(1));
    assert_int_equal(w.deadline_ns, MS(5004));
    assert_int_equal(nop_watch_wake(&w, MS(5004)), NOP_SEND_PING);
    assert_int_equal(w.deadline_ns, MS(10004));
}

int main(void)
{
    TEST(asks_after_the_interval_and_not_before);
    TEST(gives_up_when_the_ping_stays_unanswered);
    TEST(anything_heard_starts_the_silence_anew);
    TEST(a_straggler_does_not_revive_the_dead);
    TEST(without_an_interval_it_never_asks);
    TEST(a_question_out_of_turn_gets_the_whole_time_out);
    TEST(deadlines_are_rounded_up_to_the_tick);
    return TEST_RUN("initiator.nop_watch");
}
