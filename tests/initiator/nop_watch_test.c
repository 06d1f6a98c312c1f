/* The ping watch, told as stories. */
#include "initiator/nop_watch.h"
#include "sim/core/time.h"
#include "tests/test.h"

static struct nop_watch watch_new(int64_t interval_ns, int64_t timeout_ns)
{
    struct nop_watch watch;

    nop_watch_init(&watch, &(struct nop_rules){interval_ns, timeout_ns, 0, false}, 0);
    return watch;
}

/* HZ 250; the wheel's grain at 5 s is 64 ticks, 256 ms. */
static struct nop_watch linux_new(int64_t now_ns)
{
    struct nop_watch watch;

    nop_watch_init(&watch, &(struct nop_rules){SECONDS(5), SECONDS(5), MS(4), true}, now_ns);
    return watch;
}

static void asks_after_the_interval_and_not_before(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(3));
    (void)state;

    assert_int_equal(nop_watch_wake(&w, SECONDS(5) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_SEND_PING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_NOTHING);
}

static void gives_up_when_the_ping_stays_unanswered(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(3));
    (void)state;

    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_SEND_PING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(8) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(8)), NOP_DROP);
    assert_int_equal(w.deadline_ns, TIME_NEVER);
}

static void anything_heard_starts_the_silence_anew(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(3));
    (void)state;

    nop_watch_heard(&w, SECONDS(4));
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(9)), NOP_SEND_PING);
    nop_watch_heard(&w, SECONDS(10));
    nop_watch_answered(&w, SECONDS(10));
    assert_int_equal(nop_watch_wake(&w, SECONDS(12)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(15)), NOP_SEND_PING);
}

static void what_is_heard_does_not_touch_the_timer(void **state)
{
    struct nop_watch w = linux_new(0);
    (void)state;

    assert_int_equal(w.deadline_ns, MS(5120));
    nop_watch_heard(&w, SECONDS(3));
    assert_int_equal(w.deadline_ns, MS(5120));
    assert_int_equal(nop_watch_wake(&w, MS(5120)), NOP_NOTHING);
    assert_int_equal(w.deadline_ns, MS(8192)); /* 3 + 5 s is tick 2000, in the bucket of 2048 */
}

static void a_talker_that_owes_the_answer_lives_until_it_is_quiet(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(3));
    (void)state;

    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_SEND_PING);
    nop_watch_heard(&w, SECONDS(6));
    assert_int_equal(nop_watch_wake(&w, SECONDS(8)), NOP_NOTHING);
    assert_int_equal(w.deadline_ns, SECONDS(11));                   /* quiet for the interval */
    assert_int_equal(nop_watch_wake(&w, SECONDS(11)), NOP_NOTHING); /* one ping is out */
    assert_int_equal(nop_watch_wake(&w, SECONDS(12)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(13)), NOP_NOTHING);
    assert_int_equal(w.deadline_ns, SECONDS(14)); /* 6 + 5 + 3 */
    assert_int_equal(nop_watch_wake(&w, SECONDS(14)), NOP_DROP);
}

static void a_straggler_does_not_revive_the_dead(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(5));
    (void)state;

    nop_watch_wake(&w, SECONDS(5));
    assert_int_equal(nop_watch_wake(&w, SECONDS(10)), NOP_DROP);
    nop_watch_heard(&w, SECONDS(10) + 1);
    assert_int_equal(w.state, NOP_DEAD);
}

static void without_an_interval_it_never_asks(void **state)
{
    struct nop_watch w = watch_new(0, SECONDS(5));
    (void)state;

    assert_int_equal(w.deadline_ns, TIME_NEVER);
    assert_int_equal(nop_watch_wake(&w, SECONDS(1000)), NOP_NOTHING);
}

static void a_question_out_of_turn_leaves_the_timer_alone(void **state)
{
    struct nop_watch w = watch_new(SECONDS(5), SECONDS(5));
    (void)state;

    assert_int_equal(nop_watch_ask(&w, SECONDS(3)), NOP_SEND_PING);
    assert_int_equal(nop_watch_ask(&w, SECONDS(4)), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, SECONDS(5)), NOP_NOTHING); /* it finds the ping out */
    assert_int_equal(w.deadline_ns, SECONDS(6));
    for (int64_t at_ns = SECONDS(6); at_ns < SECONDS(10); at_ns += SECONDS(1))
        assert_int_equal(nop_watch_wake(&w, at_ns), NOP_NOTHING);
    assert_false(nop_watch_is_late(&w, SECONDS(10) - 1));
    assert_true(nop_watch_is_late(&w, SECONDS(10)));
    assert_int_equal(nop_watch_wake(&w, SECONDS(10)), NOP_DROP);
}

static void without_an_interval_a_question_sets_the_timer(void **state)
{
    struct nop_watch w = watch_new(0, SECONDS(5));
    (void)state;

    assert_int_equal(nop_watch_ask(&w, SECONDS(3)), NOP_SEND_PING);
    assert_int_equal(w.deadline_ns, SECONDS(8));
    nop_watch_heard(&w, SECONDS(4));
    nop_watch_answered(&w, SECONDS(4));
    assert_int_equal(w.deadline_ns, TIME_NEVER);
}

static void a_tick_rounds_up(void **state)
{
    struct nop_watch w;
    (void)state;

    nop_watch_init(&w, &(struct nop_rules){SECONDS(5), SECONDS(5), MS(4), false}, MS(1));
    assert_int_equal(w.deadline_ns, MS(5004));
    assert_int_equal(nop_watch_wake(&w, MS(5004)), NOP_SEND_PING);
    assert_int_equal(w.deadline_ns, MS(10004));
}

/* In ticks: 1250 from 0 is in the bucket 1280, 1250 from there in 2560. Both waits are the wheel's
 * 5.12 s, and a cut is noticed 10.24 s after the last byte. */
static void a_silence_is_noticed_as_late_as_the_wheel_turns(void **state)
{
    struct nop_watch w = linux_new(0);
    (void)state;

    assert_int_equal(nop_watch_wake(&w, MS(5120) - 1), NOP_NOTHING);
    assert_int_equal(nop_watch_wake(&w, MS(5120)), NOP_SEND_PING);
    assert_int_equal(w.deadline_ns, MS(10240));
    assert_int_equal(nop_watch_wake(&w, MS(10240)), NOP_DROP);
}

static void
after_an_answer_it_looks_again_in_as_many_ticks_as_the_interval_has_seconds(void **state)
{
    struct nop_watch w = linux_new(0);
    (void)state;

    assert_int_equal(nop_watch_wake(&w, MS(5120)), NOP_SEND_PING);
    nop_watch_heard(&w, MS(5121));
    nop_watch_answered(&w, MS(5121));
    assert_int_equal(w.deadline_ns, MS(5120 + 6 * 4)); /* the first level takes the next tick */
    assert_int_equal(nop_watch_wake(&w, MS(5144)), NOP_NOTHING);
    assert_int_equal(w.deadline_ns, MS(10240)); /* 5120 + 5000 is in the bucket of 2560 ticks */
    assert_int_equal(nop_watch_wake(&w, MS(10240)), NOP_SEND_PING);
}

int main(void)
{
    TEST(asks_after_the_interval_and_not_before);
    TEST(gives_up_when_the_ping_stays_unanswered);
    TEST(anything_heard_starts_the_silence_anew);
    TEST(what_is_heard_does_not_touch_the_timer);
    TEST(a_talker_that_owes_the_answer_lives_until_it_is_quiet);
    TEST(a_straggler_does_not_revive_the_dead);
    TEST(without_an_interval_it_never_asks);
    TEST(a_question_out_of_turn_leaves_the_timer_alone);
    TEST(without_an_interval_a_question_sets_the_timer);
    TEST(a_tick_rounds_up);
    TEST(a_silence_is_noticed_as_late_as_the_wheel_turns);
    TEST(after_an_answer_it_looks_again_in_as_many_ticks_as_the_interval_has_seconds);
    return TEST_RUN("initiator.nop_watch");
}
